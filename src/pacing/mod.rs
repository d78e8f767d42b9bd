//! How fast we may send, and what that does to the registration system.

pub mod forecast;
pub mod kernel;
pub mod law;
pub mod limits;
pub mod picture;
pub mod release;
