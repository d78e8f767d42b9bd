//! Text messages through carriers.
