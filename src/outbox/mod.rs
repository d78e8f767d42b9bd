//! Drains the durable queue: claims, sends within the limits, records what became of it.

pub mod delivery;
pub mod dispatcher;
pub mod receipts;
