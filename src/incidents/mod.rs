//! A declared fault and its fallback: people are told and kept calm, staff registers on paper, the paper comes back,
//! and afterwards it is on record what happened.

mod codes;
pub mod drain;
pub mod missed;
mod people;
pub mod report;
pub mod returns;
pub mod sheets;
pub mod teller;

use std::{fs, io, path::Path};

/// A cell that no spreadsheet program runs as a formula.
fn guarded(cell: &str) -> String {
    let cell = cell.replace(char::is_control, "\u{fffd}");
    if cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@']) {
        format!("'{cell}")
    } else {
        cell
    }
}

/// Writes a file that appears whole or not at all and that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Makes a folder that only its owner may look into; one that is there stays as it is.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
