//! Visits at home: times are found and promised, kept or given up in time, what waits too long goes upwards, and each
//! team has its list.

pub mod keeper;
pub mod list;
pub mod schedule;
