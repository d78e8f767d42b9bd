//! `weir incident sheets`, `return`, `drain` and `missed`: what happens on paper, and whom it concerns.

use std::{io::Write, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeZone, Utc};
use clap::Args;
use serde_json::json;

use super::{find, local};
use crate::{
    cli::{Session, output::table},
    domain::IncidentId,
    i18n::Texts,
    incidents::{
        missed::{self, Missed, MissedCount, MissedTable},
        report,
        returns::{self, RefusedSheetRow, ReturnReport, TickedRow},
        sheets::{self, SiteSheets},
    },
    roster::read_returns,
    store::Store,
};

/// Refused rows and missed people that are shown; the files hold all.
const SHOWN_MAX: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// `weir incident sheets`
#[derive(Debug, Args)]
pub struct SheetsArgs {
    /// The incident.
    id: IncidentId,
    /// The folder to write them into; they hold personal data, and only their owner may read them.
    #[arg(long, default_value = "sheets", value_name = "DIR")]
    out: PathBuf,
    /// Windows from this time on, such as 14:00 or "2026-09-03 14:00"; by default when the incident began.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Windows until this time; by default when it ended, or, while it lasts, as far as windows are near.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

/// `weir incident missed`
#[derive(Debug, Args)]
pub struct MissedArgs {
    /// The incident.
    id: IncidentId,
    /// Write them all, with their names, into this table; only its owner may read it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Students only.
    #[arg(long)]
    students: bool,
    /// Show whole names and doors, for those who may see them; otherwise they are masked. Phones always are.
    #[arg(long)]
    names: bool,
}

pub(super) async fn write_sheets(args: SheetsArgs, session: &Session, store: &Store) -> Result<()> {
    let incident = find(args.id, store).await?;
    let from = args
        .from
        .map(|text| instant("--from", &text, session))
        .transpose()?;
    let to = args.to.map(|text| instant("--to", &text, session)).transpose()?;
    let from = from.unwrap_or(incident.opened_at);
    let lasting = session.clock.now() + session.config.incidents.near();
    let to = to.unwrap_or(incident.closed_at.unwrap_or(lasting));
    if to <= from {
        bail!("--to must be later than --from");
    }
    let texts = Texts::load()?;
    let written = sheets::write(store, &session.config, &texts, args.id, (from, to), &args.out).await?;
    session
        .out
        .answer(&json!({ "from": from, "to": to, "sites": written }), || {
            if written.is_empty() {
                return format!(
                    "no window of this incident lies between {} and {}: nothing was written",
                    local(from, session),
                    local(to, session)
                );
            }
            sheets_words(args.id, &written)
        })
}

fn sheets_words(id: IncidentId, written: &[SiteSheets]) -> String {
    let rows: Vec<Vec<String>> = written
        .iter()
        .map(|site| {
            vec![
                site.site.clone(),
                site.pages.to_string(),
                site.units.to_string(),
                site.people.to_string(),
                site.page.display().to_string(),
            ]
        })
        .collect();
    format!(
        "{}\n\nOpen each page in a browser and print it; beside each lies the table (.csv) to fill in: tick `done`, \
         write `time`. Then `weir incident return {id} FILE`.\nThey hold names and doors: keep them safe",
        table(&["site", "pages", "units", "people", "page to print"], &rows)
    )
}

/// A time of today, or with its date, in the city's time.
fn instant(option: &str, text: &str, session: &Session) -> Result<DateTime<Utc>> {
    let zone = session.config.city.time_zone;
    let today = session.clock.now().with_timezone(&zone).date_naive();
    let text = text.trim();
    let time = NaiveTime::parse_from_str(text, "%H:%M").map(|time| today.and_time(time));
    let read = time.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M"));
    let local = read
        .ok()
        .and_then(|local| zone.from_local_datetime(&local).earliest());
    local
        .map(|local| local.to_utc())
        .with_context(|| format!("{option}: write a time such as 14:00, or \"2026-09-03 14:00\""))
}

pub(super) async fn take_back(id: IncidentId, file: PathBuf, session: &Session, store: &Store) -> Result<()> {
    find(id, store).await?;
    let rows = tokio::task::spawn_blocking(move || read_returns(&file)).await??;
    let mut report = ReturnReport::default();
    let mut ticked = Vec::new();
    for row in rows {
        match row {
            Ok(row) if row.ticked => ticked.push(TickedRow {
                line: row.line,
                code: row.code,
                time: row.time,
            }),
            Ok(_) => report.unticked += 1,
            Err(fault) => report.refused.push(RefusedSheetRow {
                line: fault.line,
                column: fault.column.into(),
                reason: fault.reason.to_string(),
            }),
        }
    }
    let report = returns::take(store, &session.clock, id, &ticked, report).await?;
    session.out.answer(&json!({ "incident": id, "returned": report }), || {
        let mut text = format!(
            "{} new registrations wait to be passed on, {} were known, {} rows have no tick, {} were refused\n",
            report.added,
            report.known,
            report.unticked,
            report.refused.len()
        );
        for row in report.refused.iter().take(SHOWN_MAX) {
            text.push_str(&format!("  line {}, {}: {}\n", row.line, row.column, row.reason));
        }
        if report.refused.len() > SHOWN_MAX {
            text.push_str("  …\n");
        }
        text + &format!("`weir incident drain {id}` shows how far they have come")
    })
}

pub(super) async fn drained(id: IncidentId, wait: bool, session: &Session, store: &Store) -> Result<()> {
    find(id, store).await?;
    loop {
        let counts = report::sheets(&store.count_manual(id).await?);
        let open = counts["waiting"] + counts["sent"];
        if wait && open > 0 {
            session.out.line(drain_words(&counts));
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        }
        let refused = store.refused_manual(id, SHOWN_MAX).await?;
        let refused: Vec<(String, String)> = refused
            .into_iter()
            .map(|(resident, reason)| (returns::code_of(id, resident), reason))
            .collect();
        let listed: Vec<_> = refused
            .iter()
            .map(|(code, reason)| json!({ "code": code, "reason": reason }))
            .collect();
        let set = session.config.registration.url.is_some();
        return session.out.answer(
            &json!({ "incident": id, "sheets": counts, "refused": listed }),
            || {
                let mut text = drain_words(&counts);
                if open > 0 && !set {
                    text.push_str("\nregistration.url is not set: nothing is passed on until it is");
                }
                for (code, reason) in &refused {
                    text.push_str(&format!("\n  refused: {code}: {reason}"));
                }
                text
            },
        );
    }
}

/// How far they have come, in words.
pub(super) fn drain_words(counts: &std::collections::BTreeMap<&'static str, i64>) -> String {
    let total: i64 = counts.values().sum();
    format!(
        "{} of {total} registered, {} waiting, {} being passed on, {} refused",
        counts["registered"], counts["waiting"], counts["sent"], counts["refused"]
    )
}

pub(super) async fn list_missed(args: MissedArgs, session: &Session, store: &Store) -> Result<()> {
    let incident = find(args.id, store).await?;
    let zone = session.config.city.time_zone;
    let unwritable = |file: &PathBuf| format!("{} could not be written", file.display());
    let mut table_file = match &args.out {
        Some(file) => Some(MissedTable::begin(file, zone).with_context(|| unwritable(file))?),
        None => None,
    };
    let mut rows = Vec::new();
    let mut first = true;
    if session.out.json {
        // As they come: a city's list is never in memory.
        printed(write!(
            std::io::stdout(),
            "{{\"incident\":{},\"missed\":[",
            args.id
        ))?;
    }
    let count = missed::each(store, &incident, args.students, session.clock.now(), |person| {
        if let Some(table_file) = &mut table_file {
            table_file.add(&person)?;
        }
        let person = if args.names { person } else { person.masked() };
        if session.out.json {
            let comma = if std::mem::take(&mut first) { "" } else { "," };
            return printed(write!(
                std::io::stdout(),
                "{comma}{}",
                serde_json::to_string(&person)?
            ));
        }
        if rows.len() <= SHOWN_MAX {
            rows.push(row_of(&person, session));
        }
        Ok(())
    })
    .await?;
    if let (Some(table_file), Some(file)) = (table_file, &args.out) {
        table_file.finish(file).with_context(|| unwritable(file))?;
    }
    let file = args.out.as_ref().map(|file| file.display().to_string());
    if session.out.json {
        let file = serde_json::to_string(&file)?;
        let (people, students) = (count.people, count.students);
        printed(writeln!(
            std::io::stdout(),
            "],\"people\":{people},\"students\":{students},\"file\":{file}}}"
        ))?;
        return Ok(());
    }
    session.out.line(missed_words(count, &mut rows, file.as_deref()));
    Ok(())
}

/// A reader that has gone away (`| head`) is no fault of the command.
fn printed(written: std::io::Result<()>) -> std::io::Result<()> {
    written.or_else(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    })
}

fn missed_words(count: MissedCount, rows: &mut Vec<Vec<String>>, file: Option<&str>) -> String {
    let mut text = format!(
        "{} people were kept from their test, {} of them students\n",
        count.people, count.students
    );
    let more = rows.len() > SHOWN_MAX;
    rows.truncate(SHOWN_MAX);
    if !rows.is_empty() {
        text.push_str(&table(&["", "home", "name", "phone", "window", "moved to"], rows));
    }
    if more {
        text.push_str("\n…");
    }
    match file {
        Some(file) => text.push_str(&format!(
            "\nAll of them, with their names, are in {file}: keep it safe"
        )),
        None => text.push_str("\nWith --out FILE all of them are written, with their names"),
    }
    text
}

/// A line of the listing; with --names it has the door too.
fn row_of(person: &Missed, session: &Session) -> Vec<String> {
    let home = format!("{} {}", person.unit.within_community(), person.door);
    let until = person
        .window_ends_at
        .with_timezone(&session.config.city.time_zone);
    vec![
        if person.student { "student" } else { "" }.into(),
        home.trim_end().to_owned(),
        person.name.clone(),
        person.phone.clone(),
        format!(
            "{}–{}",
            local(person.window_starts_at, session),
            until.format("%H:%M")
        ),
        person.moved_to.map_or_else(String::new, |at| local(at, session)),
    ]
}
