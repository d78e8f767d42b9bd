//! The tests of whole flows, one module each.

mod app;
mod binary;
mod conversation;
mod crash;
mod limits;
mod round;
mod store;
mod support;
mod tidy;
