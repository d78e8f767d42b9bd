//! Rounds: planned, released at the round's pace, reminded of, paused, cancelled, done.

pub mod communities;
mod input;
mod paced;
pub mod moves;
pub mod pacer;
pub mod plan;
pub mod releaser;
pub mod replan;
