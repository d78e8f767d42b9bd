//! Reads the files that offices bring, row by row; a bad row is reported with its line and spoils no other.

mod cells;
mod csv;
mod file;
mod header;
pub mod import;
mod refused;
mod returns;
mod row;
mod sheet;
mod sites;

pub use cells::{Reason, RowFault};
pub use file::FileError;
pub use header::HeaderFault;
pub use refused::{RefusedFile, RefusedRow};
pub use returns::{ReturnedRow, read_returns};
pub use row::{RosterFile, RosterRow};
pub use sites::{read_buildings, read_sites};
