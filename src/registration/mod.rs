//! The registration system, as Weir sees it: what it says of its load and of people, and who is registered.

mod breaker;
mod client;
mod feed;
mod prometheus;
pub mod simulator;
mod wire;

pub use client::{RATES_COME_NEXT, RegistrationClient, RegistrationError};
pub use feed::{LoadFeed, LoadReading};
pub use wire::{IDEMPOTENCY_KEY, LoadReport, Person, Registered, Registration};
