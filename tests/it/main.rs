//! The tests of whole flows, one module each.

mod app;
mod ask;
mod binary;
mod cli;
mod conversation;
mod crash;
mod incidents;
mod limits;
mod moving;
mod pacing;
mod paper;
mod planning;
mod privacy;
mod registration;
mod round;
mod store;
mod support;
mod tidy;
