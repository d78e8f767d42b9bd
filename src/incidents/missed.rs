//! The people whom an incident kept from their test, students first, for the letters that they need.

use std::{collections::HashSet, io, path::Path};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::{
    guarded,
    people::{self, Comer},
};
use crate::{
    domain::{Address, ResidentId, RoundId, Tag, UnitPlace},
    store::{Incident, SheetPerson, SheetWindow, Store, StoreError},
};

const COLUMNS: [&str; 13] = [
    "student",
    "district",
    "street",
    "community",
    "building",
    "unit",
    "door",
    "name",
    "phone",
    "site",
    "window",
    "until",
    "moved_to",
];

/// Why the list was not finished.
#[derive(Debug, thiserror::Error)]
pub enum MissedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The list could not be written.
    #[error("the list could not be written: {0}. Check the folder, its permissions and the space left")]
    Unwritable(#[from] io::Error),
}

/// One person whom an incident kept from their test. Personal data: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// A student.
    pub student: bool,
    /// Where they live.
    pub unit: UnitPlace,
    /// Their door.
    pub door: String,
    /// Their name.
    pub name: String,
    /// Their phone, masked.
    pub phone: String,
    /// The round.
    pub round: RoundId,
    /// Where they were to come.
    pub site: String,
    /// When.
    pub window_starts_at: DateTime<Utc>,
    /// Until when.
    pub window_ends_at: DateTime<Utc>,
    /// When they may come instead, if their time was moved.
    pub moved_to: Option<DateTime<Utc>>,
}

impl Missed {
    /// As listings show it: no whole name and no door.
    #[must_use]
    pub fn masked(self) -> Self {
        Self {
            name: self.name.chars().take(1).chain("**".chars()).collect(),
            door: String::new(),
            ..self
        }
    }
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MissedCount {
    /// People.
    pub people: u64,
    /// Students among them.
    pub students: u64,
}

/// Hands over, one after the other, those whose time overlaps the incident and who were not registered by hand:
/// students first, then by place. Who had times in several rounds is handed over with each, and counted once.
/// With `students_only` nobody else. Never more than a batch of people is in memory.
pub async fn each(
    store: &Store,
    incident: &Incident,
    students_only: bool,
    now: DateTime<Utc>,
    mut take: impl FnMut(Missed) -> io::Result<()>,
) -> Result<MissedCount, MissedError> {
    let until = incident.closed_at.unwrap_or(now);
    let mut windows = store
        .sheet_windows(incident.id, incident.opened_at, until, true)
        .await?;
    windows.sort_by(|a, b| {
        (a.place.natural_cmp(&b.place))
            .then(a.unit.cmp(&b.unit))
            .then(a.starts_at.cmp(&b.starts_at))
    });
    let mut count = MissedCount::default();
    for students in [true, false] {
        if students_only && !students {
            break;
        }
        for batch in whole_units(&windows) {
            let mut kept = Vec::new();
            for (window, comers) in batch.iter().zip(people::who_comes(store, batch).await?) {
                let wanted = comers
                    .into_iter()
                    .filter(|comer| is_student(&comer.person) == students);
                kept.extend(wanted.map(|comer| (comer, window)));
            }
            let who = |kept: &[(Comer, &SheetWindow)]| -> Vec<ResidentId> {
                kept.iter().map(|(comer, _)| comer.person.resident).collect()
            };
            let residents = who(&kept);
            let by_hand = store.registered_by_hand(incident.id, &residents).await?;
            let by_hand: HashSet<ResidentId> = by_hand.into_iter().collect();
            kept.retain(|(comer, _)| !by_hand.contains(&comer.person.resident));
            let people: HashSet<ResidentId> = who(&kept).into_iter().collect();
            count.people += people.len() as u64;
            count.students += if students { people.len() as u64 } else { 0 };
            // Within a unit by household; one person's times in their order.
            kept.sort_by(|(a, of_a), (b, of_b)| {
                (of_a.place.natural_cmp(&of_b.place))
                    .then_with(|| people::by_household(&a.person, &b.person))
                    .then(a.person.resident.cmp(&b.person.resident))
                    .then(of_a.starts_at.cmp(&of_b.starts_at))
            });
            for (comer, window) in kept {
                take(missed_of(comer, window))?;
            }
        }
    }
    Ok(count)
}

/// Batches that part no unit: nobody is counted in two of them.
fn whole_units(windows: &[SheetWindow]) -> impl Iterator<Item = &[SheetWindow]> {
    let mut rest = windows;
    std::iter::from_fn(move || {
        let mut end = people::TIMES_PER_QUERY.min(rest.len());
        while end > 0 && end < rest.len() && rest[end - 1].unit == rest[end].unit {
            end += 1;
        }
        let batch;
        (batch, rest) = rest.split_at(end);
        (!batch.is_empty()).then_some(batch)
    })
}

fn is_student(person: &SheetPerson) -> bool {
    person.tags.contains(&Tag::Student)
}

fn missed_of(Comer { person, moved_to }: Comer, window: &SheetWindow) -> Missed {
    Missed {
        student: is_student(&person),
        unit: window.place.clone(),
        door: person.door,
        name: person.name,
        phone: person.phone.as_ref().map_or_else(String::new, Address::masked),
        round: window.round,
        site: window.site_name.clone(),
        window_starts_at: window.starts_at,
        window_ends_at: window.ends_at,
        moved_to,
    }
}

/// A table that only its owner may read, and that appears whole or not at all.
pub struct MissedTable {
    writer: csv::Writer<tempfile::NamedTempFile>,
    zone: Tz,
}

impl MissedTable {
    /// Begins it in the folder of `path`.
    pub fn begin(path: &Path, zone: Tz) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        // Spreadsheet programs know UTF-8 by it.
        io::Write::write_all(&mut file, "\u{feff}".as_bytes())?;
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(COLUMNS)?;
        Ok(Self { writer, zone })
    }

    /// Adds one person.
    pub fn add(&mut self, person: &Missed) -> io::Result<()> {
        let zone = self.zone;
        let local = |at: DateTime<Utc>| at.with_timezone(&zone).format("%F %H:%M").to_string();
        let place = &person.unit;
        let texts = [
            &place.district,
            &place.street,
            &place.community,
            &place.building,
            &place.unit,
            &person.door,
            &person.name,
        ];
        let mut record = vec![if person.student { "student" } else { "" }.to_owned()];
        record.extend(texts.into_iter().map(|text| guarded(text)));
        record.push(person.phone.clone());
        record.push(guarded(&person.site));
        record.push(local(person.window_starts_at));
        record.push(local(person.window_ends_at));
        record.push(person.moved_to.map_or_else(String::new, local));
        Ok(self.writer.write_record(&record)?)
    }

    /// Puts the whole table in its place.
    pub fn finish(self, path: &Path) -> io::Result<()> {
        let file = self
            .writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}
