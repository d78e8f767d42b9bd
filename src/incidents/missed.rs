//! The people whom an incident kept from their test, students first, for the letters that they need.

use std::{io, path::Path};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::{guarded, write_private};
use crate::{
    domain::{Address, ResidentId, Tag, UnitId, UnitPlace},
    store::{Incident, SheetPerson, SheetWindow, Store, StoreError},
};

/// Units whose people are opened at once.
const UNITS_PER_QUERY: usize = 500;

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
    /// Where they were to come.
    pub site: String,
    /// When.
    pub window_starts_at: DateTime<Utc>,
    /// Until when.
    pub window_ends_at: DateTime<Utc>,
    /// When they may come instead, if their window was moved.
    pub moved_to: Option<DateTime<Utc>>,
}

/// Those whose window overlaps the incident and who were not registered by hand: students first, then by place.
/// With `students_only` nobody else.
pub async fn list(
    store: &Store,
    incident: &Incident,
    students_only: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Missed>, StoreError> {
    let until = incident.closed_at.unwrap_or(now);
    let windows = store
        .sheet_windows(incident.id, incident.opened_at, until, true)
        .await?;
    let mut missed = Vec::new();
    for batch in windows.chunks(UNITS_PER_QUERY) {
        let units: Vec<UnitId> = batch.iter().map(|window| window.unit).collect();
        let mut people = store.people_of(&units).await?;
        people.retain(|person| !students_only || is_student(person));
        let residents: Vec<ResidentId> = people.iter().map(|person| person.resident).collect();
        let by_hand = store.registered_by_hand(incident.id, &residents).await?;
        for person in people {
            let window = batch.iter().find(|window| window.unit == person.unit);
            if let Some(window) = window.filter(|_| !by_hand.contains(&person.resident)) {
                missed.push(missed_of(person, window));
            }
        }
    }
    missed.sort_by(|a, b| {
        (b.student.cmp(&a.student))
            .then_with(|| a.unit.natural_cmp(&b.unit))
            .then_with(|| (a.door.len(), &a.door, &a.name).cmp(&(b.door.len(), &b.door, &b.name)))
    });
    Ok(missed)
}

fn is_student(person: &SheetPerson) -> bool {
    person.tags.contains(&Tag::Student)
}

fn missed_of(person: SheetPerson, window: &SheetWindow) -> Missed {
    Missed {
        student: is_student(&person),
        unit: window.place.clone(),
        door: person.door,
        name: person.name,
        phone: person.phone.as_ref().map_or_else(String::new, Address::masked),
        site: window.site_name.clone(),
        window_starts_at: window.starts_at,
        window_ends_at: window.ends_at,
        moved_to: window.moved_to,
    }
}

/// Writes the list as a table that only its owner may read.
pub fn write(path: &Path, missed: &[Missed], zone: Tz) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    writer.write_record([
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
    ])?;
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).format("%F %H:%M").to_string();
    for person in missed {
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
        writer.write_record(&record)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    write_private(path, &bytes)
}
