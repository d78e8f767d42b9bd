//! The registration system: what Weir says to it and hears from it, and one to try against.

pub mod simulator;
