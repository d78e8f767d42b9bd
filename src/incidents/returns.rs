//! Takes the rows of sheets that come back: each person once, however often a sheet is handed in.

use serde::Serialize;

use super::codes;
use crate::{
    clock::Clock,
    domain::{IncidentId, ResidentId},
    store::{Returned, Store, StoreError},
};

/// Rows stored by one transaction.
const ROWS_PER_STEP: usize = 1_000;

/// A ticked row.
#[derive(Clone, PartialEq, Eq)]
pub struct TickedRow {
    /// Its line in the file.
    pub line: u64,
    /// The code on the sheet.
    pub code: String,
    /// The time as written; may be empty.
    pub time: String,
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedSheetRow {
    /// Its line in the file.
    pub line: u64,
    /// Where it is wrong.
    pub column: String,
    /// What is wrong.
    pub reason: String,
}

/// What became of a returned sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReturnReport {
    /// Registrations that now wait to be passed on.
    pub added: u64,
    /// Rows that had come back before.
    pub known: u64,
    /// Rows without a tick.
    pub unticked: u64,
    /// Rows that were refused.
    pub refused: Vec<RefusedSheetRow>,
}

/// Stores the ticked rows of a sheet; `report` holds what was found wrong before, and is completed.
pub async fn take(
    store: &Store,
    clock: &Clock,
    incident: IncidentId,
    ticked: &[TickedRow],
    mut report: ReturnReport,
) -> Result<ReturnReport, StoreError> {
    let mut good: Vec<(u64, (ResidentId, Option<String>))> = Vec::new();
    for row in ticked {
        match codes::resident(incident, &row.code) {
            Some(resident) => {
                let time = Some(row.time.clone()).filter(|time| !time.is_empty());
                good.push((row.line, (resident, time)));
            }
            None => report.refused.push(refused(
                row.line,
                "not a code of this incident's sheets: type it again as it is printed",
            )),
        }
    }
    for batch in good.chunks(ROWS_PER_STEP) {
        let rows: Vec<_> = batch.iter().map(|(_, row)| row.clone()).collect();
        let outcomes = store.return_sheets(incident, &rows, clock.now()).await?;
        for ((line, _), outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Returned::Added => report.added += 1,
                Returned::Known => report.known += 1,
                Returned::Nobody => report.refused.push(refused(
                    *line,
                    "nobody with this code has a window that the incident is about: type it again as it is printed",
                )),
            }
        }
    }
    report.refused.sort_by_key(|row| row.line);
    Ok(report)
}

/// The code of somebody's row on the sheets.
pub fn code_of(incident: IncidentId, resident: ResidentId) -> String {
    codes::code(incident, resident)
}

fn refused(line: u64, reason: &str) -> RefusedSheetRow {
    RefusedSheetRow {
        line,
        column: "code".into(),
        reason: reason.into(),
    }
}
