//! The doors to knock at: those whom a broadcast did not reach, as a table that only its owner may read.

use std::{fs::OpenOptions, path::Path};

use serde::Serialize;

use super::broadcast::unreached;
use crate::store::{Broadcast, Store, StoreError};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Doors {
    /// Doors.
    pub doors: u64,
    /// The people behind them.
    pub people: u64,
}

/// Writes a line for each person, by unit, as the store gives them: memory stays flat.
pub async fn write(store: &Store, broadcast: &Broadcast, file: &Path) -> Result<Doors, StoreError> {
    let fault = |error: &dyn std::fmt::Display| {
        StoreError::Refused(format!("{} could not be written: {error}", file.display()))
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let out = options.open(file).map_err(|error| fault(&error))?;
    // A file that was there keeps its mode unless it is told otherwise.
    #[cfg(unix)]
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(|error| fault(&error))?;
    let mut csv = csv::Writer::from_writer(out);
    let head = [
        "district",
        "street",
        "community",
        "building",
        "unit",
        "door",
        "name",
        "state",
    ];
    csv.write_record(head).map_err(|error| fault(&error))?;
    let mut written = Doors::default();
    unreached(store, broadcast, |people| {
        let mut doors = std::collections::BTreeSet::new();
        for one in people {
            let place = &one.place;
            let row = [
                &place.district,
                &place.street,
                &place.community,
                &place.building,
                &place.unit,
                &guarded(&one.door),
                &guarded(&one.name),
                &one.state,
            ];
            csv.write_record(row).map_err(|error| fault(&error))?;
            written.people += 1;
            doors.insert((place.clone(), one.door.clone()));
        }
        written.doors += doors.len() as u64;
        Ok(())
    })
    .await?;
    csv.flush().map_err(|error| fault(&error))?;
    Ok(written)
}

/// A spreadsheet would take such a cell for a formula.
fn guarded(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{cell}");
    }
    cell.to_owned()
}
