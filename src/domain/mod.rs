//! Plain types, readable by everyone: the words of the project and what is true of them everywhere.

mod broadcast;
mod household;
mod ids;
mod incident;
mod intent;
mod load;
mod message;
mod place;
mod policy;
mod proof;
mod report;
mod round;
mod thread;
pub mod visit;
mod worker;

pub use broadcast::{
    Audience, BROADCAST_CHARACTERS_MAX, BroadcastCount, BroadcastState, Missed, PlaceRule, UnknownPlace,
    Words,
};
pub use household::{BadPhone, Language, PhoneNumber, Tag, UnknownLanguage, UnknownTag};
pub use ids::*;
pub use incident::{IncidentScope, ManualState};
pub use intent::{Intent, UnknownIntent};
pub use load::{Going, LoadPicture, LoadSample};
pub use message::*;
pub use place::{Coordinates, Site, UnitPlace, natural_cmp};
pub use policy::{CountedFrom, Need, Policy, Purpose};
pub use proof::{Proof, ProofResult};
pub use report::{
    Alert, AlertDetails, AlertKind, FieldScope, IncidentReason, Proposal, ProposalKind, ProposalState,
    QueueLength, SiteFault, SiteReport, Supplies, Trouble,
};
pub use round::{GreenWindow, Lane, RoundState, Window, WindowView};
pub use thread::{ThreadAuthor, ThreadReason};
pub use visit::{
    Amendment, DeclineReason, Promise, RaisedTo, Team, Visit, VisitAct, VisitActKind, VisitBy, VisitFor,
    VisitRefusal, VisitRole, VisitState, Visitor, VisitorRole, Wish, allowed,
};
pub use worker::{
    Actor, Area, Right, Role, Scope, UnknownActor, UnknownArea, UnknownRole, Worker, may, may_grant,
    may_in_all,
};
