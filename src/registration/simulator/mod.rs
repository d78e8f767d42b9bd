//! A registration system to try against: what it does under load, and the people who bring the load.

pub mod model;
pub mod people;
