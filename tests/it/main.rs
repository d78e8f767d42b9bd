//! The tests of whole flows, one module each.

mod app;
mod ask;
mod binary;
mod broadcast;
mod changes;
mod cli;
mod conversation;
mod crash;
mod desks;
mod inbox;
mod incidents;
mod limits;
mod moving;
mod pacing;
mod paper;
mod planning;
mod privacy;
mod registration;
mod round;
mod site;
mod store;
mod support;
mod tidy;
mod transcripts;
mod visits;
mod workers;
