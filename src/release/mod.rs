//! Rounds and broadcasts, one mechanism: planned, released at the round's pace, reminded of, paused, cancelled, done.

pub mod aftermath;
pub mod broadcast;
pub mod communities;
pub mod doors;
mod input;
pub mod moves;
mod paced;
pub mod pacer;
pub mod plan;
pub mod releaser;
pub mod replan;
pub mod starts;
pub mod status;
