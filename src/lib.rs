//! Weir tells every building unit its own time to come, at a pace the registration system can take.

pub mod app;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conversation;
pub mod demo;
pub mod domain;
pub mod i18n;
pub mod incidents;
pub mod jobs;
pub mod outbox;
pub mod pacing;
pub mod passes;
pub mod planner;
pub mod registration;
pub mod rehearsal;
pub mod release;
pub mod roster;
pub mod routes;
pub mod store;
pub mod understanding;
pub mod visits;
pub mod workers;
