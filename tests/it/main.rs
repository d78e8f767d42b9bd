//! The tests of whole flows, one module each.

mod store;
mod support;
mod tidy;
