//! A registration system to try against: what it does under load, and the people who bring the load.

mod books;
mod control;
mod crowd;
pub mod model;
pub mod people;
mod server;

pub use control::{Condition, Control, People, control, tell};
pub use crowd::{Calmed, Crowd, CrowdMinute, CrowdOptions, CrowdView, Moved, Told};
pub use server::{RegistrationSim, SimOptions};
