//! Text messages through carriers.
//!
//! PDUs are rusmpp's. The connection is not rusmppc's, because of faults of its 0.4.0: of sixteen submits handed
//! over together it wrote two and left the others until the next answer came; one PDU that it cannot read ends the
//! connection, so a carrier that repeats it would keep the link down for everybody; and its debug log holds numbers,
//! texts and the password.

mod inbound;
mod link;
pub mod segment;
pub mod smpp;
pub mod smsc;
mod wire;

#[cfg(test)]
mod tests;
