//! Plain types, readable by everyone: the words of the project and what is true of them everywhere.

mod household;
mod ids;
mod incident;
mod intent;
mod load;
mod message;
mod place;
mod policy;
mod proof;
mod round;
mod thread;

pub use household::{BadPhone, Language, PhoneNumber, Tag, UnknownLanguage, UnknownTag};
pub use ids::*;
pub use incident::{IncidentScope, ManualState};
pub use intent::{Intent, UnknownIntent};
pub use load::LoadSample;
pub use message::*;
pub use place::{Coordinates, Site, UnitPlace};
pub use policy::{CountedFrom, Need, Policy, Purpose};
pub use proof::{Proof, ProofResult};
pub use round::{GreenWindow, Lane, RoundState, Window, WindowView};
pub use thread::{ThreadAuthor, ThreadReason};
