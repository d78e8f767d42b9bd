//! The tests of whole flows, one module each.

mod app;
mod conversation;
mod limits;
mod round;
mod store;
mod support;
mod tidy;
