//! Importing what offices bring: good rows into the store, refused ones into a file that can be mended and imported
//! again.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{FileError, Reason, RefusedFile, RosterFile, RosterRow, RowFault, read_buildings, read_sites};
use crate::domain::{Area, Scope, UnitPlace};
use crate::store::{
    self, ImportSummary, NewResident, RosterHashes, RosterImport, RowOutcome, Store, StoreError,
};

/// Rows that one transaction takes: memory stays flat, and other writers get their turn.
const BATCH_LEN: usize = 5_000;
/// Batches read ahead of the store.
const BATCHES_AHEAD: usize = 1;
/// Refused rows named in the report itself; the file has them all.
const REFUSALS_SHOWN: usize = 10;

/// What to import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The roster.
    pub roster: Option<PathBuf>,
    /// The sites.
    pub sites: Option<PathBuf>,
    /// Where buildings lie.
    pub buildings: Option<PathBuf>,
    /// Read and compare, and write nothing.
    pub dry_run: bool,
    /// Mark those of the roster's communities who are not in it as moved out.
    pub replace_community: bool,
    /// Where to write refused rows; beside the roster by default.
    pub refused: Option<PathBuf>,
    /// The only areas whose rows are taken; every one where none are given.
    pub within: Option<Scope>,
}

/// Who watches an import.
pub trait Watcher: Sync {
    /// So much of the file has been read.
    fn progress(&self, bytes_read: u64, bytes_total: u64, rows: u64);
    /// So many residents are not in the file: may they be marked as moved out?
    fn may_move_out(&self, absent: i64) -> bool;
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Watcher for Quiet {
    fn progress(&self, _: u64, _: u64, _: u64) {}
    fn may_move_out(&self, _: i64) -> bool {
        false
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ImportReport {
    /// Residents.
    #[serde(flatten)]
    pub summary: ImportSummary,
    /// Nothing was written.
    pub dry_run: bool,
    /// New sites.
    pub sites_added: u64,
    /// Sites of which something changed.
    pub sites_changed: u64,
    /// Buildings whose place on the map is known now.
    pub buildings_placed: u64,
    /// Residents marked as moved out.
    pub moved_out: u64,
    /// Residents of these communities who are not in the file, and were left as they are.
    pub absent: i64,
    /// Where the refused rows are.
    pub refused_file: Option<PathBuf>,
    /// The first refused rows: file, line, column, reason.
    pub refusals: Vec<Refusal>,
}

/// A refused row, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file's name.
    pub file: String,
    /// The line in it.
    pub line: u64,
    /// The column at fault, or `row`.
    pub column: String,
    /// Why, and what is allowed.
    pub reason: String,
}

/// Why an import ended early. What was taken before stays taken: importing again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody brings what is another's.
    #[error("{0} is not among the areas that whoever acts works for: nothing was imported")]
    Elsewhere(Area),
    /// Nothing was named.
    #[error("name a roster, or sites with --sites, or buildings with --buildings")]
    Nothing,
}

/// Rows as the reader hands them over.
struct Batch {
    good: Vec<RosterRow>,
    residents: Vec<NewResident>,
    hashes: RosterHashes,
    faults: Vec<RowFault>,
    bytes_read: u64,
}

/// Imports what is named; sites first, since a roster alone cannot be planned.
pub async fn run(
    store: &Store,
    options: &ImportOptions,
    now: DateTime<Utc>,
    watcher: &dyn Watcher,
) -> Result<ImportReport, ImportError> {
    if options.roster.is_none() && options.sites.is_none() && options.buildings.is_none() {
        return Err(ImportError::Nothing);
    }
    let mut report = ImportReport {
        dry_run: options.dry_run,
        ..ImportReport::default()
    };
    // Every file is opened before anything is written, so that a wrong name leaves nothing half-done.
    let roster = options.roster.as_deref().map(RosterFile::open).transpose()?;
    let sites = options.sites.as_deref().map(read_sites).transpose()?;
    let points = options.buildings.as_deref().map(read_buildings).transpose()?;
    let site_areas = sites
        .iter()
        .flatten()
        .flatten()
        .map(|site| [&site.district, &site.street, &site.community]);
    let point_areas = points
        .iter()
        .flatten()
        .flatten()
        .map(|at| [&at.district, &at.street, &at.community]);
    if let Some(within) = &options.within {
        let areas = site_areas
            .chain(point_areas)
            .map(|path| Area::Community(path.map(String::clone)));
        if let Some(area) = areas.into_iter().find(|area| !within.covers(area)) {
            return Err(ImportError::Elsewhere(area));
        }
    }
    if let (Some(rows), Some(path)) = (sites, options.sites.as_deref()) {
        let sites = good(path, rows, &mut report);
        if !options.dry_run {
            (report.sites_added, report.sites_changed) = store.save_sites(&sites).await?;
        }
    }
    if let (Some(file), Some(path)) = (roster, options.roster.as_deref()) {
        import_roster(store, file, path, options, now, watcher, &mut report).await?;
    }
    if let (Some(rows), Some(path)) = (points, options.buildings.as_deref()) {
        let points = good(path, rows, &mut report);
        if !options.dry_run {
            report.buildings_placed = store.save_building_points(&points).await?;
        }
    }
    Ok(report)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The good rows; the others into the report.
fn good<T>(path: &Path, rows: Vec<Result<T, RowFault>>, report: &mut ImportReport) -> Vec<T> {
    rows.into_iter()
        .filter_map(|row| {
            row.map_err(|fault| {
                report.summary.refused += 1;
                note(report, &file_name(path), &fault);
            })
            .ok()
        })
        .collect()
}

fn note(report: &mut ImportReport, file: &str, fault: &RowFault) {
    if report.refusals.len() < REFUSALS_SHOWN {
        report.refusals.push(Refusal {
            file: file.to_owned(),
            line: fault.line,
            column: fault.column.to_owned(),
            reason: fault.reason.to_string(),
        });
    }
}

async fn import_roster(
    store: &Store,
    file: RosterFile,
    path: &Path,
    options: &ImportOptions,
    now: DateTime<Utc>,
    watcher: &dyn Watcher,
    report: &mut ImportReport,
) -> Result<(), ImportError> {
    let name = file_name(path);
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut import = store
        .begin_import(&place.to_string_lossy(), now, options.dry_run)
        .await?;
    let mut refused = RefusedRows::new(path, options);
    let total = file.bytes_total();
    let (batches, mut ready) = mpsc::channel::<Result<Batch, FileError>>(BATCHES_AHEAD);
    let hasher = store.clone();
    let within = options.within.clone();
    let reader = tokio::task::spawn_blocking(move || read_batches(&hasher, file, within.as_ref(), &batches));
    let mut rows_read = 0;
    while let Some(batch) = ready.recv().await {
        let batch = batch?;
        let bytes_read = batch.bytes_read;
        rows_read += (batch.good.len() + batch.faults.len()) as u64;
        take_batch(&mut import, batch, &name, &mut refused, report).await?;
        watcher.progress(bytes_read, total, rows_read);
    }
    // The reader has sent its last batch; it ends by itself.
    let _ = reader.await;
    import.finish(now, &report.summary).await?;
    report.refused_file = refused.finish()?;
    if options.replace_community {
        let absent = import.absent().await?;
        // A person whose row was refused is absent only by a mistake in the file.
        let certain = report.summary.refused == 0 && !options.dry_run;
        if absent > 0 && certain && watcher.may_move_out(absent) {
            report.moved_out = import.move_out_absent(now).await?;
        } else {
            report.absent = absent;
        }
    }
    Ok(())
}

/// Reads and hashes, beside the store that takes what was read before.
fn read_batches(
    store: &Store,
    mut file: RosterFile,
    within: Option<&Scope>,
    batches: &mpsc::Sender<Result<Batch, FileError>>,
) {
    loop {
        let mut good = Vec::with_capacity(BATCH_LEN);
        let mut faults = Vec::new();
        let mut failed = None;
        for row in file.by_ref().take(BATCH_LEN) {
            match row {
                Ok(Ok(row)) if within.is_some_and(|within| !within.covers(&Area::of(&row.place))) => {
                    faults.push(row.refuse("community", Reason::Elsewhere));
                }
                Ok(Ok(row)) => good.push(row),
                Ok(Err(fault)) => faults.push(fault),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let last = good.len() + faults.len() < BATCH_LEN;
        let residents: Vec<NewResident> = good.iter().map(new_resident).collect();
        let batch = Batch {
            hashes: store.roster_hashes(&residents),
            good,
            residents,
            faults,
            bytes_read: file.bytes_read(),
        };
        // A receiver that is gone has met an error of its own.
        if batches.blocking_send(Ok(batch)).is_err() {
            return;
        }
        if let Some(error) = failed {
            let _ = batches.blocking_send(Err(error));
            return;
        }
        if last {
            return;
        }
    }
}

async fn take_batch(
    import: &mut RosterImport,
    batch: Batch,
    name: &str,
    refused: &mut RefusedRows,
    report: &mut ImportReport,
) -> Result<(), ImportError> {
    let mut faults: Vec<_> = batch.faults.into_iter().map(|fault| (fault, false)).collect();
    let outcomes = import.hashed_rows(&batch.residents, &batch.hashes).await?;
    for (row, outcome) in batch.good.into_iter().zip(outcomes) {
        match outcome {
            RowOutcome::Added => report.summary.added += 1,
            RowOutcome::Unchanged => report.summary.unchanged += 1,
            RowOutcome::Changed(columns) => {
                report.summary.changed += 1;
                for column in columns {
                    *report.summary.changes.entry(column.to_owned()).or_default() += 1;
                }
            }
            RowOutcome::Repeat { line } => faults.push((row.refuse("row", Reason::SameAs(line)), true)),
        }
    }
    faults.sort_by_key(|(fault, _)| fault.line);
    report.summary.refused += faults.len() as u64;
    let stored: Vec<_> = faults
        .iter()
        .map(|(fault, is_repeat)| refused_row(fault, *is_repeat))
        .collect();
    let ids = import.refused(&stored).await?;
    for ((fault, _), id) in faults.iter().zip(ids) {
        note(report, name, fault);
        refused.write(fault, id)?;
    }
    Ok(())
}

fn new_resident(row: &RosterRow) -> NewResident {
    NewResident {
        line: row.line,
        place: row.place.clone(),
        door: row.door.clone(),
        name: row.name.clone(),
        phone: row.phone.clone(),
        language: row.language,
        tags: row.tags.clone(),
        reference: row.reference.clone(),
        mends: row.refusal,
    }
}

fn refused_row(fault: &RowFault, is_repeat: bool) -> store::RefusedRow {
    let UnitPlace {
        district,
        street,
        community,
        building,
        unit,
    } = *fault.place.clone();
    // Where the row as a whole is at fault its cells may have slipped: a name may stand where a place should be.
    let place = if fault.column == "row" && !is_repeat {
        <[String; 5]>::default()
    } else {
        [district, street, community, building, unit]
    };
    store::RefusedRow {
        line: fault.line,
        column: fault.column.to_owned(),
        reason: fault.reason.to_string(),
        is_repeat,
        place,
        cells: fault.cells.clone(),
        mends: fault.refusal,
    }
}

/// The file of refused rows, made with the first of them.
struct RefusedRows {
    path: PathBuf,
    file: Option<RefusedFile>,
}

impl RefusedRows {
    fn new(roster: &Path, options: &ImportOptions) -> Self {
        let path = options.refused.clone().unwrap_or_else(|| {
            let stem = roster
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // Refused again: the mended file is replaced, rather than another one made beside it.
            let stem = stem.strip_suffix(".refused").unwrap_or(&stem).to_owned();
            roster.with_file_name(format!("{stem}.refused.csv"))
        });
        Self { path, file: None }
    }

    fn write(&mut self, fault: &RowFault, refusal: i64) -> Result<(), ImportError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(RefusedFile::create(&self.path)?),
        };
        let row = super::RefusedRow {
            refusal,
            line: fault.line,
            column: fault.column,
            reason: &fault.reason.to_string(),
            cells: &fault.cells,
        };
        Ok(file.write(&row)?)
    }

    fn finish(self) -> Result<Option<PathBuf>, ImportError> {
        let Some(file) = self.file else { return Ok(None) };
        file.finish()?;
        Ok(Some(self.path))
    }
}
