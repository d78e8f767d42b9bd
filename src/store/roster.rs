//! The roster: residents, their phones, and the rows that were refused.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Result, Store, StoreError, in_transaction, json, json_ids, on_pool, take_ids};
use crate::domain::{Address, Language, PhoneNumber, Tag, UnitPlace};

/// One good row of a roster.
#[derive(Clone, PartialEq, Eq)]
pub struct NewResident {
    /// The row's line in its file.
    pub line: u64,
    /// Where the person lives.
    pub place: UnitPlace,
    /// The door within the unit.
    pub door: String,
    /// The person's name.
    pub name: String,
    /// The phone, if there is one.
    pub phone: Option<PhoneNumber>,
    /// The language, if it was given.
    pub language: Option<Language>,
    /// The offices' notes, sorted.
    pub tags: Vec<Tag>,
    /// The person's id in the registration system.
    pub reference: Option<String>,
    /// The refused row that this one mends.
    pub mends: Option<i64>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// A new resident.
    Added,
    /// A known resident; these columns changed.
    Changed(Vec<&'static str>),
    /// A known resident, as before.
    Unchanged,
    /// The same person as on another line of this file.
    Repeat {
        /// That line.
        line: u64,
    },
}

/// A row that was not taken.
#[derive(Clone)]
pub struct RefusedRow {
    /// The row's line in its file.
    pub line: u64,
    /// The column at fault, or `row`.
    pub column: String,
    /// Why, and what is allowed.
    pub reason: String,
    /// The row repeats a person of the same file, who is planned for.
    pub is_repeat: bool,
    /// What could be read of the place, from the district down; the rest is empty.
    pub place: [String; 5],
    /// The row's cells, for mending.
    pub cells: Vec<String>,
    /// The refused row that this one was meant to mend.
    pub mends: Option<i64>,
}

/// A refused row as it is kept until mended.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct StoredRefusal {
    /// Its id; a mended file carries it.
    pub id: i64,
    /// Name of the file it came in.
    pub file: String,
    /// Line in that file.
    pub line: i64,
    /// The column at fault.
    pub column: String,
    /// Why.
    pub reason: String,
    /// What could be read of the place.
    pub place: String,
    /// The row repeats a person of the same file.
    pub is_repeat: bool,
    /// The row's cells; none once they were erased for their age.
    #[serde(skip)]
    pub cells: Vec<String>,
}

/// How an import went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// New residents.
    pub added: u64,
    /// Residents of whom something changed.
    pub changed: u64,
    /// Residents as before.
    pub unchanged: u64,
    /// Rows refused, repeats included.
    pub refused: u64,
    /// Changes by column.
    pub changes: std::collections::BTreeMap<String, u64>,
}

/// Personal columns of a resident, sealed together.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Personal {
    pub name: String,
    pub door: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

pub(super) const PERSONAL: &str = "residents.personal";
pub(super) const CELLS: &str = "refused_rows.cells";
pub(super) const PLACE: &str = "refused_rows.place";
pub(super) const ADDRESS: &str = "contacts.address";

/// Ids of residents that an import takes at once.
const IDS_AHEAD: usize = 50_000;
/// Letters of a person's key that are the same for a whole unit.
const UNIT_PREFIX_LEN: usize = 6;

/// Separates the parts of a hashed key: no field may hold a control character.
const SEPARATOR: &str = "\u{1f}";

/// The keyed hashes of a batch of rows: the costly half of taking them that needs no database, so that the reader of
/// the file can do it beside the store.
#[derive(Debug)]
pub struct RosterHashes(Vec<RowHashes>);

#[derive(Debug)]
struct RowHashes {
    key: String,
    household: String,
    phone: Option<String>,
}

/// An import under way: remembers the units it has met, so that each is looked up once.
#[derive(Debug)]
pub struct RosterImport {
    store: Store,
    /// The import's id; 0 in a dry run.
    pub id: i64,
    file: String,
    source: String,
    dry_run: bool,
    units: HashMap<UnitPlace, i64>,
    /// Ids taken for new residents and not used yet.
    ids: std::ops::Range<i64>,
    /// In a dry run nothing is stored, so the lines met are remembered here (24 bytes a row).
    met: HashMap<String, u64>,
}

struct Known {
    id: i64,
    unit: i64,
    personal: Personal,
    phone: Option<i64>,
    moved_out: bool,
    seen: (i64, i64),
}

#[derive(Serialize)]
struct ResidentRow {
    id: i64,
    key: String,
    unit: i64,
    household: String,
    personal: String,
    phone: Option<i64>,
    line: u64,
}

/// A unit with its path, and the id that the place to be made of it is to have.
#[derive(Serialize)]
struct NewPlace<'a> {
    id: i64,
    #[serde(flatten)]
    place: &'a UnitPlace,
    code: String,
}

#[derive(Serialize)]
struct ContactRow<'a> {
    id: i64,
    hash: &'a str,
    language: Option<&'static str>,
    address: String,
}

#[derive(Serialize)]
struct SeenRow {
    id: i64,
    line: u64,
}

#[derive(Serialize)]
struct HashRow<'a> {
    hash: &'a str,
}

/// What a batch writes.
#[derive(Default)]
struct Writes {
    added: Vec<ResidentRow>,
    changed: Vec<ResidentRow>,
    seen: Vec<SeenRow>,
}

impl Store {
    /// Begins an import of the file at this path. A dry run reads and compares, and writes nothing.
    pub async fn begin_import(&self, path: &str, now: DateTime<Utc>, dry_run: bool) -> Result<RosterImport> {
        let name = std::path::Path::new(path).file_name();
        let file = name.map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned());
        let id = if dry_run {
            0
        } else {
            in_transaction!(self, |tx| {
                let id = take_ids!(tx, "imports", 1);
                sqlx::query("insert into imports (id, file, started_at) values ($1, $2, $3)")
                    .bind(id)
                    .bind(&file)
                    .bind(now.timestamp_millis())
                    .execute(&mut *tx)
                    .await?;
                id
            })
        };
        Ok(RosterImport {
            store: self.clone(),
            id,
            file,
            source: self.keys.hash("source", path.as_bytes()),
            dry_run,
            units: HashMap::new(),
            ids: 0..0,
            met: HashMap::new(),
        })
    }

    pub(super) fn phone_hash(&self, phone: &PhoneNumber) -> String {
        self.address_hash(&Address::Phone(phone.clone()))
    }

    /// The keyed hash by which a contact is found.
    pub(super) fn address_hash(&self, address: &Address) -> String {
        match address {
            Address::Phone(phone) => self.keys.hash("phone", phone.as_e164().as_bytes()),
            Address::Chat(id) => self.keys.hash("chat", id.to_string().as_bytes()),
        }
    }

    pub(super) fn household_hash(&self, place: &UnitPlace, door: &str) -> String {
        self.keys
            .hash("household", household_text(place, door).as_bytes())
    }

    /// The keyed hashes of these rows.
    pub fn roster_hashes(&self, rows: &[NewResident]) -> RosterHashes {
        let hashes = rows.iter().map(|row| RowHashes {
            key: self.resident_key(&row.place, &row.door, &row.name, row.reference.as_deref()),
            household: self.household_hash(&row.place, &row.door),
            phone: row.phone.as_ref().map(|phone| self.phone_hash(phone)),
        });
        RosterHashes(hashes.collect())
    }

    /// A person is the ref, if given, else place, door and name.
    ///
    /// The keys of a unit begin alike: its people come together in a roster, so a batch touches few pages of the
    /// index. It tells nothing new, since the unit itself stands in plain beside it.
    pub(super) fn resident_key(
        &self,
        place: &UnitPlace,
        door: &str,
        name: &str,
        reference: Option<&str>,
    ) -> String {
        if let Some(reference) = reference {
            return self.keys.hash("ref", reference.as_bytes());
        }
        let unit = self.keys.hash("unit", household_text(place, "").as_bytes());
        let text = format!("{}{SEPARATOR}{name}", household_text(place, door));
        let person = self.keys.hash("person", text.as_bytes());
        format!("{}{person}", &unit[..UNIT_PREFIX_LEN])
    }

    pub(super) fn refused_fingerprint(&self, cells: &[String]) -> String {
        self.keys.hash("refused", cells.join(SEPARATOR).as_bytes())
    }

    fn refused_place(&self, id: i64, sealed: &str) -> Result<[String; 5]> {
        if sealed.is_empty() {
            return Ok(Default::default());
        }
        let text = self.keys.open_text(PLACE, id, sealed)?;
        serde_json::from_str(&text).map_err(|_| StoreError::Corrupt(PLACE.into()))
    }

    /// The refused rows that wait to be mended, by file and line; repeats are not among them.
    pub async fn refusals(&self, with_repeats: bool) -> Result<Vec<StoredRefusal>> {
        type Row = (i64, String, i64, String, String, String, String, String);
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, file, line, column_name, reason, place, kind, cells from refused_rows \
                 where kind = 'refused' or $1 = 1 order by file, line, id",
            )
            .bind(i64::from(with_repeats))
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(id, file, line, column, reason, place, kind, cells)| {
                let cells = if cells.is_empty() {
                    "[]".into()
                } else {
                    self.keys.open_text(CELLS, id, &cells)?
                };
                let place = self.refused_place(id, &place)?;
                Ok(StoredRefusal {
                    id,
                    file,
                    line,
                    column,
                    reason,
                    place: place
                        .iter()
                        .filter(|part| !part.is_empty())
                        .cloned()
                        .collect::<Vec<_>>()
                        .join(" "),
                    is_repeat: kind == "repeat",
                    cells: serde_json::from_str(&cells)
                        .map_err(|_| StoreError::Corrupt("refused_rows.cells".into()))?,
                })
            })
            .collect()
    }
}

fn household_text(place: &UnitPlace, door: &str) -> String {
    let UnitPlace {
        district,
        street,
        community,
        building,
        unit,
    } = place;
    [district, street, community, building, unit, door].join(SEPARATOR)
}

impl RosterImport {
    /// Takes a batch of good rows; gives each row's outcome, in order.
    pub async fn rows(&mut self, rows: &[NewResident]) -> Result<Vec<RowOutcome>> {
        let hashes = self.store.roster_hashes(rows);
        self.hashed_rows(rows, &hashes).await
    }

    /// [`RosterImport::rows`] for rows whose hashes are at hand.
    pub async fn hashed_rows(
        &mut self,
        rows: &[NewResident],
        RosterHashes(hashes): &RosterHashes,
    ) -> Result<Vec<RowOutcome>> {
        self.known_units(rows).await?;
        let known = self.known(rows, hashes).await?;
        let phones = self
            .known_phones(hashes.iter().filter_map(|row| row.phone.as_deref()))
            .await?;
        if self.dry_run {
            return Ok(self.decide(rows, hashes, &known, &phones).0);
        }
        self.ensure_units(rows).await?;
        let phones = self.ensure_phones(rows, hashes, phones).await?;
        self.ensure_ids(rows.len()).await?;
        let (outcomes, writes) = self.decide(rows, hashes, &known, &phones);
        self.write(writes, rows.iter().zip(&outcomes)).await?;
        Ok(outcomes)
    }

    /// Makes sure that there are ids for so many new residents.
    async fn ensure_ids(&mut self, count: usize) -> Result<()> {
        if self.ids.end - self.ids.start < count as i64 {
            let count = count.max(IDS_AHEAD);
            let first = in_transaction!(self.store, |tx| { take_ids!(tx, "residents", count) });
            self.ids = first..first + count as i64;
        }
        Ok(())
    }

    /// Compares the rows with what is known; pure but for sealing.
    fn decide(
        &mut self,
        rows: &[NewResident],
        hashes: &[RowHashes],
        known: &HashMap<String, Known>,
        phones: &HashMap<String, i64>,
    ) -> (Vec<RowOutcome>, Writes) {
        let mut outcomes = Vec::with_capacity(rows.len());
        let mut writes = Writes::default();
        let mut added = Vec::new();
        let mut in_batch: HashMap<&str, u64> = HashMap::new();
        for (row, hashes) in rows.iter().zip(hashes) {
            let key = &hashes.key;
            let person = known.get(key);
            let earlier = in_batch.get(key.as_str()).copied().or_else(|| match person {
                Some(person) if !self.dry_run && person.seen.0 == self.id => Some(person.seen.1 as u64),
                _ => self.met.get(key).copied(),
            });
            if let Some(line) = earlier {
                outcomes.push(RowOutcome::Repeat { line });
                continue;
            }
            in_batch.insert(key, row.line);
            if self.dry_run {
                self.met.insert(key.clone(), row.line);
            }
            let phone = hashes.phone.as_ref().and_then(|phone| phones.get(phone)).copied();
            let unit = self.units.get(&row.place).copied().unwrap_or_default();
            let phone_is_new = row.phone.is_some() && phone.is_none();
            match person.map(|person| (person, changes(person, row, unit, phone, phone_is_new))) {
                Some((person, changed)) if changed.is_empty() => {
                    writes.seen.push(SeenRow {
                        id: person.id,
                        line: row.line,
                    });
                    outcomes.push(RowOutcome::Unchanged);
                }
                Some((person, changed)) => {
                    writes
                        .changed
                        .push(self.changed_row(row, person, hashes, unit, phone));
                    outcomes.push(RowOutcome::Changed(changed));
                }
                None => {
                    let id = self.ids.next().unwrap_or_default();
                    added.push((row, id, hashes, unit, phone));
                    outcomes.push(RowOutcome::Added);
                }
            }
        }
        writes.added = on_two_threads(&added, |_, (row, id, hashes, unit, phone)| {
            self.row(row, *id, hashes, *unit, *phone)
        });
        (outcomes, writes)
    }

    /// A row without a ref does not take a known one away.
    fn changed_row(
        &self,
        row: &NewResident,
        known: &Known,
        hashes: &RowHashes,
        unit: i64,
        phone: Option<i64>,
    ) -> ResidentRow {
        match (&row.reference, &known.personal.reference) {
            (None, Some(reference)) => {
                let row = NewResident {
                    reference: Some(reference.clone()),
                    ..row.clone()
                };
                let key = self
                    .store
                    .resident_key(&row.place, &row.door, &row.name, Some(reference));
                ResidentRow {
                    key,
                    ..self.row(&row, known.id, hashes, unit, phone)
                }
            }
            _ => self.row(row, known.id, hashes, unit, phone),
        }
    }

    fn row(
        &self,
        row: &NewResident,
        id: i64,
        hashes: &RowHashes,
        unit: i64,
        phone: Option<i64>,
    ) -> ResidentRow {
        let personal = serde_json::to_vec(&personal(row)).expect("plain columns always serialise");
        ResidentRow {
            id,
            key: hashes.key.clone(),
            unit,
            household: hashes.household.clone(),
            personal: self.store.keys.seal(PERSONAL, id, &personal),
            phone,
            line: row.line,
        }
    }

    /// The residents these rows are about, by the row's key.
    async fn known(&self, rows: &[NewResident], hashes: &[RowHashes]) -> Result<HashMap<String, Known>> {
        // A row with a ref may be about a person who was taken without one; a row without, about one with.
        let mut asked: HashMap<Cow<str>, &str> = HashMap::new();
        for (row, RowHashes { key, .. }) in rows.iter().zip(hashes) {
            asked.insert(Cow::from(key), key);
            if row.reference.is_some() {
                let without = self.store.resident_key(&row.place, &row.door, &row.name, None);
                asked.insert(Cow::from(without), key);
            }
        }
        let wanted: Vec<_> = asked.keys().map(|hash| HashRow { hash }).collect();
        let sql = self.store.sql(
            "select p.key_hash, p.id, p.unit_id, p.personal, p.phone_contact_id, p.moved_out_at, p.seen_import, \
             p.seen_line from {rows} join residents p on p.key_hash = r.value->>'hash'",
        );
        type Row = (String, i64, i64, String, Option<i64>, Option<i64>, i64, i64);
        let found: Vec<Row> = on_pool!(self.store, |pool| {
            sqlx::query_as(sql).bind(json(&wanted)).fetch_all(pool).await?
        });
        let mut known = HashMap::with_capacity(found.len());
        for (hash, id, unit, personal, phone, moved_out, import, line) in found {
            let plain = self.store.keys.open(PERSONAL, id, &personal)?;
            let personal =
                serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(PERSONAL.to_owned()))?;
            let key = asked.get(hash.as_str()).copied().unwrap_or_default();
            let person = Known {
                id,
                unit,
                personal,
                phone,
                moved_out: moved_out.is_some(),
                seen: (import, line),
            };
            // The ref's own person wins over one that merely has the same door and name.
            if hash == key || !known.contains_key(key) {
                known.insert(key.to_owned(), person);
            }
        }
        self.known_by_household(rows, hashes, &mut known).await?;
        Ok(known)
    }

    /// Finds persons who were taken with a ref when their row has none any more.
    async fn known_by_household(
        &self,
        rows: &[NewResident],
        hashes: &[RowHashes],
        known: &mut HashMap<String, Known>,
    ) -> Result<()> {
        let missing: HashMap<(&str, &str), &String> = rows
            .iter()
            .zip(hashes)
            .filter(|(row, hashes)| row.reference.is_none() && !known.contains_key(&hashes.key))
            .map(|(row, hashes)| ((hashes.household.as_str(), row.name.as_str()), &hashes.key))
            .collect();
        let units: HashSet<i64> = rows
            .iter()
            .filter(|row| row.reference.is_none())
            .filter_map(|row| self.units.get(&row.place).copied())
            .collect();
        if missing.is_empty() || units.is_empty() {
            return Ok(());
        }
        let sql = self.store.sql(
            "select p.id, p.unit_id, p.household_hash, p.personal, p.phone_contact_id, p.moved_out_at, \
             p.seen_import, p.seen_line from {rows} join residents p on p.unit_id = cast(r.value->>'id' as bigint)",
        );
        type Row = (i64, i64, String, String, Option<i64>, Option<i64>, i64, i64);
        let found: Vec<Row> = on_pool!(self.store, |pool| {
            sqlx::query_as(sql).bind(json_ids(units)).fetch_all(pool).await?
        });
        for (id, unit, household, personal, phone, moved_out, import, line) in found {
            let plain = self.store.keys.open(PERSONAL, id, &personal)?;
            let personal: Personal =
                serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(PERSONAL.to_owned()))?;
            if personal.reference.is_none() {
                continue;
            }
            let key = missing
                .get(&(household.as_str(), personal.name.as_str()))
                .copied()
                .cloned();
            if let Some(key) = key {
                let person = Known {
                    id,
                    unit,
                    personal,
                    phone,
                    moved_out: moved_out.is_some(),
                    seen: (import, line),
                };
                known.insert(key, person);
            }
        }
        Ok(())
    }

    async fn known_phones(&self, hashes: impl Iterator<Item = &str>) -> Result<HashMap<String, i64>> {
        let hashes: Vec<_> = hashes.map(|hash| HashRow { hash }).collect();
        let sql = self.store.sql(
            "select c.address_hash, c.id from {rows} join contacts c on c.address_hash = r.value->>'hash'",
        );
        let found: Vec<(String, i64)> = on_pool!(self.store, |pool| {
            sqlx::query_as(sql).bind(json(&hashes)).fetch_all(pool).await?
        });
        Ok(found.into_iter().collect())
    }

    /// Looks up the units of these rows that were not met yet.
    async fn known_units(&mut self, rows: &[NewResident]) -> Result<()> {
        let wanted: HashSet<&UnitPlace> = rows
            .iter()
            .map(|row| &row.place)
            .filter(|place| !self.units.contains_key(*place))
            .collect();
        if !wanted.is_empty() {
            let rows: Vec<&UnitPlace> = wanted.into_iter().collect();
            let sql = self.store.sql(
                "select u.id, c.district, c.street, c.name, b.name, u.name from {rows} \
                 join communities c on c.district = r.value->>'district' and c.street = r.value->>'street' \
                   and c.name = r.value->>'community' \
                 join buildings b on b.community_id = c.id and b.name = r.value->>'building' \
                 join units u on u.building_id = b.id and u.name = r.value->>'unit'",
            );
            type Row = (i64, String, String, String, String, String);
            let found: Vec<Row> = on_pool!(self.store, |pool| {
                sqlx::query_as(sql).bind(json(&rows)).fetch_all(pool).await?
            });
            for (id, district, street, community, building, unit) in found {
                self.units.insert(
                    UnitPlace {
                        district,
                        street,
                        community,
                        building,
                        unit,
                    },
                    id,
                );
            }
        }
        Ok(())
    }

    /// Makes the places that are new.
    async fn ensure_units(&mut self, rows: &[NewResident]) -> Result<()> {
        let mut fresh: Vec<&UnitPlace> = rows
            .iter()
            .map(|row| &row.place)
            .filter(|place| !self.units.contains_key(*place))
            .collect();
        fresh.sort();
        fresh.dedup();
        if fresh.is_empty() {
            return Ok(());
        }
        let insert_communities = self.store.sql(INSERT_COMMUNITIES);
        let insert_buildings = self.store.sql(INSERT_BUILDINGS);
        let insert_units = self.store.sql(INSERT_UNITS);
        in_transaction!(self.store, |tx| {
            for (insert, table) in [
                (insert_communities, "communities"),
                (insert_buildings, "buildings"),
                (insert_units, "units"),
            ] {
                let (first,): (i64,) =
                    sqlx::query_as("update ids set next = next + $2 where name = $1 returning next - $2")
                        .bind(table)
                        .bind(fresh.len() as i64)
                        .fetch_one(&mut *tx)
                        .await?;
                let places: Vec<_> = (first..)
                    .zip(&fresh)
                    .map(|(id, place)| NewPlace {
                        id,
                        place,
                        code: new_unit_code(),
                    })
                    .collect();
                sqlx::query(insert).bind(json(&places)).execute(&mut *tx).await?;
            }
        });
        // Read back: another import may have made some of them first.
        self.known_units(rows).await
    }

    /// Makes contacts for the phones that are new; gives the ids of all.
    async fn ensure_phones(
        &self,
        rows: &[NewResident],
        hashes: &[RowHashes],
        mut known: HashMap<String, i64>,
    ) -> Result<HashMap<String, i64>> {
        let mut fresh: Vec<(&str, &NewResident)> = Vec::new();
        let mut met = HashSet::new();
        for (row, hashes) in rows.iter().zip(hashes) {
            if let Some(hash) = hashes.phone.as_deref()
                && !known.contains_key(hash)
                && met.insert(hash)
            {
                fresh.push((hash, row));
            }
        }
        if fresh.is_empty() {
            return Ok(known);
        }
        let sql = self.store.sql(
            "insert into contacts (id, channel, address_hash, address, language, state, changed_at) \
             select cast(r.value->>'id' as bigint), 'sms', r.value->>'hash', r.value->>'address', \
               r.value->>'language', 'active', 0 from {rows} where true on conflict (address_hash) do nothing \
             returning address_hash, id",
        );
        let made: Vec<(String, i64)> = in_transaction!(self.store, |tx| {
            let first = take_ids!(tx, "contacts", fresh.len());
            let keys = &self.store.keys;
            let made = on_two_threads(&fresh, |index, (hash, row)| {
                let id = first + index as i64;
                let phone = row.phone.as_ref().map(PhoneNumber::as_e164).unwrap_or_default();
                ContactRow {
                    id,
                    hash,
                    language: row.language.map(Language::code),
                    address: keys.seal(ADDRESS, id, phone.as_bytes()),
                }
            });
            sqlx::query_as(sql).bind(json(&made)).fetch_all(&mut *tx).await?
        });
        if made.len() < fresh.len() {
            // A person who wrote in at the same moment made the contact first.
            known.extend(self.known_phones(fresh.iter().map(|(hash, _)| *hash)).await?);
        }
        known.extend(made);
        Ok(known)
    }

    async fn write(
        &self,
        writes: Writes,
        outcomes: impl Iterator<Item = (&NewResident, &RowOutcome)>,
    ) -> Result<()> {
        let mended: Vec<i64> = outcomes
            .filter(|(_, outcome)| !matches!(outcome, RowOutcome::Repeat { .. }))
            .filter_map(|(row, _)| row.mends)
            .collect();
        let store = &self.store;
        let insert = store.sql(
            "insert into residents (id, key_hash, unit_id, household_hash, personal, phone_contact_id, \
               seen_import, seen_line) \
             select cast(r.value->>'id' as bigint), r.value->>'key', cast(r.value->>'unit' as bigint), \
               r.value->>'household', r.value->>'personal', cast(r.value->>'phone' as bigint), $2, \
               cast(r.value->>'line' as bigint) from {rows}",
        );
        let update = store.sql(
            "update residents set key_hash = r.value->>'key', unit_id = cast(r.value->>'unit' as bigint), \
               household_hash = r.value->>'household', personal = r.value->>'personal', \
               phone_contact_id = cast(r.value->>'phone' as bigint), seen_import = $2, \
               seen_line = cast(r.value->>'line' as bigint), moved_out_at = null \
             from {rows} where residents.id = cast(r.value->>'id' as bigint)",
        );
        let seen = store.sql(
            "update residents set seen_import = $2, seen_line = cast(r.value->>'line' as bigint) \
             from {rows} where residents.id = cast(r.value->>'id' as bigint)",
        );
        let mend = store
            .sql("delete from refused_rows where id in (select cast(r.value->>'id' as bigint) from {rows})");
        in_transaction!(store, |tx| {
            for (sql, rows) in [
                (insert, json(&writes.added)),
                (update, json(&writes.changed)),
                (seen, json(&writes.seen)),
            ] {
                if rows != "[]" {
                    sqlx::query(sql)
                        .bind(rows)
                        .bind(self.id)
                        .execute(&mut *tx)
                        .await?;
                }
            }
            if !mended.is_empty() {
                sqlx::query(mend).bind(json_ids(mended)).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Keeps refused rows until they are mended; the same row refused again is kept once. Gives their ids.
    pub async fn refused(&self, rows: &[RefusedRow]) -> Result<Vec<i64>> {
        if self.dry_run {
            return Ok(rows.iter().map(|row| row.mends.unwrap_or_default()).collect());
        }
        let store = &self.store;
        let mut ids = Vec::with_capacity(rows.len());
        in_transaction!(store, |tx| {
            for row in rows {
                let fingerprint = store.refused_fingerprint(&row.cells);
                let kept: Option<(i64,)> = sqlx::query_as(
                    "select id from refused_rows where fingerprint = $1 or id = $2 order by id limit 1",
                )
                .bind(&fingerprint)
                .bind(row.mends)
                .fetch_optional(&mut *tx)
                .await?;
                let id = match kept {
                    Some((id,)) => id,
                    None => take_ids!(tx, "refused_rows", 1),
                };
                let cells = serde_json::to_vec(&row.cells).expect("text always serialises");
                sqlx::query("delete from refused_rows where fingerprint = $1 or id = $2")
                    .bind(&fingerprint)
                    .bind(id)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(
                    "insert into refused_rows (id, import_id, file, fingerprint, line, kind, column_name, reason, \
                     place, cells, source_hash) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                )
                .bind(id)
                .bind(self.id)
                .bind(&self.file)
                .bind(&fingerprint)
                .bind(row.line as i64)
                .bind(if row.is_repeat { "repeat" } else { "refused" })
                .bind(&row.column)
                .bind(&row.reason)
                .bind(store.keys.seal(PLACE, id, json(&row.place).as_bytes()))
                .bind(store.keys.seal(CELLS, id, &cells))
                .bind(&self.source)
                .execute(&mut *tx)
                .await?;
                ids.push(id);
            }
        });
        Ok(ids)
    }

    /// Ends the import. What an earlier import of a file of the same name refused in these communities, and this one
    /// did not, is mended; a row whose community could not be read is mended by a file from the same place.
    pub async fn finish(&self, now: DateTime<Utc>, summary: &ImportSummary) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        let communities: HashSet<[&str; 3]> = self
            .units
            .keys()
            .map(|place| [&*place.district, &*place.street, &*place.community])
            .collect();
        let drop = self
            .store
            .sql("delete from refused_rows where id in (select cast(r.value->>'id' as bigint) from {rows})");
        in_transaction!(self.store, |tx| {
            let earlier: Vec<(i64, String, String)> = sqlx::query_as(
                "select id, place, source_hash from refused_rows where file = $1 and import_id <> $2",
            )
            .bind(&self.file)
            .bind(self.id)
            .fetch_all(&mut *tx)
            .await?;
            let mut mended = Vec::new();
            for (id, place, source) in earlier {
                let [district, street, community, ..] = &self.store.refused_place(id, &place)?;
                let is_mended = if community.is_empty() {
                    source == self.source
                } else {
                    communities.contains(&[&**district, &**street, &**community])
                };
                if is_mended {
                    mended.push(id);
                }
            }
            sqlx::query(drop).bind(json_ids(mended)).execute(&mut *tx).await?;
            sqlx::query("update imports set ended_at = $2, summary = $3 where id = $1")
                .bind(self.id)
                .bind(now.timestamp_millis())
                .bind(json(summary))
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Residents of the communities in this file who are not in it.
    pub async fn absent(&self) -> Result<i64> {
        let units = self.communities_met();
        let sql = self.store.sql(ABSENT_COUNT);
        let (count,): (i64,) = on_pool!(self.store, |pool| {
            sqlx::query_as(sql)
                .bind(units)
                .bind(self.id)
                .fetch_one(pool)
                .await?
        });
        Ok(count)
    }

    /// Marks the absent as moved out; gives how many.
    pub async fn move_out_absent(&self, now: DateTime<Utc>) -> Result<u64> {
        let units = self.communities_met();
        let sql = self.store.sql(ABSENT_MOVE_OUT);
        Ok(in_transaction!(self.store, |tx| {
            sqlx::query(sql)
                .bind(units)
                .bind(self.id)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?
                .rows_affected()
        }))
    }

    fn communities_met(&self) -> String {
        let mut met: Vec<_> = self
            .units
            .keys()
            .map(|place| {
                (
                    place.district.as_str(),
                    place.street.as_str(),
                    place.community.as_str(),
                )
            })
            .collect();
        met.sort_unstable();
        met.dedup();
        let rows: Vec<_> = met
            .into_iter()
            .map(|(district, street, name)| {
                serde_json::json!({ "district": district, "street": street, "name": name })
            })
            .collect();
        json(&rows)
    }
}

const INSERT_COMMUNITIES: &str = "insert into communities (id, district, street, name) \
    select cast(r.value->>'id' as bigint), r.value->>'district', r.value->>'street', r.value->>'community' \
    from {rows} where true on conflict (district, street, name) do nothing";
const INSERT_BUILDINGS: &str = "insert into buildings (id, community_id, name) \
    select cast(r.value->>'id' as bigint), c.id, r.value->>'building' from {rows} \
    join communities c on c.district = r.value->>'district' and c.street = r.value->>'street' \
      and c.name = r.value->>'community' where true on conflict (community_id, name) do nothing";
const INSERT_UNITS: &str = "insert into units (id, building_id, name, code) \
    select cast(r.value->>'id' as bigint), b.id, r.value->>'unit', r.value->>'code' from {rows} \
    join communities c on c.district = r.value->>'district' and c.street = r.value->>'street' \
      and c.name = r.value->>'community' \
    join buildings b on b.community_id = c.id and b.name = r.value->>'building' \
    where true on conflict (building_id, name) do nothing";
const ABSENT_COUNT: &str = "select count(*) from residents p \
    where p.moved_out_at is null and p.seen_import <> $2 and p.unit_id in ( \
      select u.id from {rows} join communities c on c.district = r.value->>'district' \
        and c.street = r.value->>'street' and c.name = r.value->>'name' \
      join buildings b on b.community_id = c.id join units u on u.building_id = b.id)";
const ABSENT_MOVE_OUT: &str = "update residents set moved_out_at = $3 \
    where moved_out_at is null and seen_import <> $2 and unit_id in ( \
      select u.id from {rows} join communities c on c.district = r.value->>'district' \
        and c.street = r.value->>'street' and c.name = r.value->>'name' \
      join buildings b on b.community_id = c.id join units u on u.building_id = b.id)";

fn personal(row: &NewResident) -> Personal {
    Personal {
        name: row.name.clone(),
        door: row.door.clone(),
        tags: row.tags.clone(),
        reference: row.reference.clone(),
        language: row.language,
    }
}

/// The columns in which a row differs from what is known.
fn changes(
    known: &Known,
    row: &NewResident,
    unit: i64,
    phone: Option<i64>,
    phone_is_new: bool,
) -> Vec<&'static str> {
    let old = &known.personal;
    // A row without a ref says nothing against a known one.
    let reference = row.reference.is_some() && old.reference != row.reference;
    [
        ("place", known.unit != unit),
        ("door", old.door != row.door),
        ("name", old.name != row.name),
        ("phone", phone_is_new || known.phone != phone),
        ("language", old.language != row.language),
        ("tags", old.tags != row.tags),
        ("ref", reference),
        ("moved back", known.moved_out),
    ]
    .into_iter()
    .filter_map(|(column, differs)| differs.then_some(column))
    .collect()
}

/// Makes one thing of each item, in order; half of them on a second thread, since sealing is work for the processor.
fn on_two_threads<T: Sync, R: Send>(items: &[T], make: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let middle = items.len() / 2;
    let range =
        |from: usize, to: usize| -> Vec<R> { (from..to).map(|index| make(index, &items[index])).collect() };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| range(middle, items.len()));
        let mut all = range(0, middle);
        match second.join() {
            Ok(rest) => all.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        all
    })
}

/// A code for a unit's link: 10 letters and digits that are not mistaken for one another.
fn new_unit_code() -> String {
    const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";
    (0..10)
        .map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]))
        .collect()
}
