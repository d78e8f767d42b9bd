//! Seals everything anew with a new data key. Each batch is one transaction, and values that are sealed with the
//! new key already are passed over, so that a rotation that was interrupted goes on where it stopped.

use std::path::Path;

use sqlx::AssertSqlSafe;

use super::{
    Keys, Result, Store, StoreError,
    audit::AUDIT_KEY,
    broadcasts::WORDS,
    contacts::parse_address,
    in_transaction,
    incidents::{INCIDENT_WORDS, LOG_WORDS},
    json,
    manual::PERSON,
    on_pool,
    reports::PHOTO,
    roster::{ADDRESS, CELLS, PERSONAL, PLACE, Personal},
    teams::MEMBERS,
    threads::THREAD_WORDS,
    visits::{VISIT, VISIT_WORDS},
    workers::{DESK_STATE, INVITED_PHONE, WORKER_NAME},
};
use crate::domain::{Address, PhoneNumber, UnitPlace};

const BATCH: i64 = 2_000;

/// Each sealed column: its name as associated data (`table.column`), table, row id, column.
const SEALED: [(&str, &str, &str, &str); 20] = [
    (ADDRESS, "contacts", "id", "address"),
    (PERSONAL, "residents", "id", "personal"),
    (CELLS, "refused_rows", "id", "cells"),
    (PLACE, "refused_rows", "id", "place"),
    ("bodies.body", "bodies", "delivery_id", "body"),
    ("inbound.content", "inbound", "id", "content"),
    ("dialogues.state", "dialogues", "contact_id", "state"),
    (INCIDENT_WORDS, "incidents", "id", "words"),
    (LOG_WORDS, "incident_log", "id", "words"),
    (PERSON, "manual_registrations", "id", "person"),
    (THREAD_WORDS, "thread_messages", "id", "words"),
    (VISIT, "visits", "id", "personal"),
    (VISIT_WORDS, "visit_log", "id", "words"),
    (MEMBERS, "teams", "id", "members"),
    (WORKER_NAME, "workers", "id", "name"),
    (INVITED_PHONE, "invitations", "id", "phone"),
    (DESK_STATE, "desks", "contact_id", "state"),
    (AUDIT_KEY, "audit_chain", "id", "key"),
    (WORDS, "broadcasts", "id", "words"),
    (PHOTO, "site_reports", "id", "photo"),
];

impl Store {
    /// Rotates the data key in `key_file`; `progress` hears of every batch. The service must not be running.
    /// Gives the number of values sealed anew.
    pub async fn rotate_key(
        url: &str,
        key_file: &Path,
        mut progress: impl FnMut(&'static str, u64),
    ) -> Result<u64> {
        match Self::open(url, Some(key_file.into())).await {
            Ok(store) => {
                store.close().await;
                Keys::begin_rotation(key_file)?;
            }
            // An earlier rotation was interrupted: both keys are in the file already.
            Err(StoreError::Key(super::KeyError::RotationUnfinished)) => {}
            Err(error) => return Err(error),
        }
        let store = Self::open_rotating(url, key_file).await?;
        let mut total = 0;
        for (name, table, id, column) in SEALED {
            let mut after = i64::MIN;
            loop {
                let (rows, last) = store.reseal_batch(name, table, id, column, after).await?;
                let Some(last) = last else { break };
                after = last;
                total += rows;
                progress(table, total);
            }
        }
        store
            .set_meta("key_check", &store.keys.seal("meta.key_check", 0, b"weir"))
            .await?;
        store.set_meta("key_id", &store.keys.id()).await?;
        Keys::end_rotation(key_file)?;
        store.close().await;
        Ok(total)
    }

    async fn reseal_batch(
        &self,
        name: &'static str,
        table: &'static str,
        id: &'static str,
        column: &'static str,
        after: i64,
    ) -> Result<(u64, Option<i64>)> {
        let extra = if table == "contacts" { "channel" } else { "''" };
        let select = format!(
            "select {id}, {column}, {extra} from {table} where {id} > $1 order by {id} limit {BATCH}"
        );
        let rows: Vec<(i64, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as(AssertSqlSafe(select))
                .bind(after)
                .fetch_all(pool)
                .await?
        });
        let last = rows.last().map(|row| row.0);
        let places = if table == "residents" {
            self.places_of(&rows).await?
        } else {
            Vec::new()
        };
        let mut updates = Vec::new();
        for (index, (row, sealed, channel)) in rows.iter().enumerate() {
            // Erased values are empty.
            if sealed.is_empty() || self.keys.is_current(sealed) {
                continue;
            }
            let plain = self.keys.open(name, *row, sealed)?;
            let (hash, household) = self.hashes((table, column), channel, &plain, places.get(index))?;
            updates.push(serde_json::json!({
                "id": row, "sealed": self.keys.seal(name, *row, &plain), "hash": hash, "household": household,
            }));
        }
        let hashes = match table {
            "contacts" => ", address_hash = r.value->>'hash'",
            "residents" => ", key_hash = r.value->>'hash', household_hash = r.value->>'household'",
            "refused_rows" if column == "cells" => ", fingerprint = r.value->>'hash'",
            "workers" => ", name_hash = r.value->>'hash'",
            "invitations" => ", phone_hash = r.value->>'hash'",
            _ => "",
        };
        if !updates.is_empty() {
            let rows = self.sql("{rows}").0;
            let update = format!(
                "update {table} set {column} = r.value->>'sealed'{hashes} from {rows} \
                 where {table}.{id} = cast(r.value->>'id' as bigint)"
            );
            in_transaction!(self, |tx| {
                sqlx::query(AssertSqlSafe(update))
                    .bind(json(&updates))
                    .execute(&mut *tx)
                    .await?;
            });
        }
        Ok((updates.len() as u64, last))
    }

    /// The keyed hashes that stand beside a sealed value.
    fn hashes(
        &self,
        (table, column): (&str, &str),
        channel: &str,
        plain: &[u8],
        place: Option<&UnitPlace>,
    ) -> Result<(String, String)> {
        let corrupt = || StoreError::Corrupt(format!("a sealed value of {table}"));
        Ok(match (table, place) {
            ("contacts", _) => {
                let text = std::str::from_utf8(plain).map_err(|_| corrupt())?;
                (self.address_hash(&parse_address(channel, text)?), String::new())
            }
            ("residents", Some(place)) => {
                let person: Personal = serde_json::from_slice(plain).map_err(|_| corrupt())?;
                let key = self.resident_key(place, &person.door, &person.name, person.reference.as_deref());
                (key, self.household_hash(place, &person.door))
            }
            ("refused_rows", _) if column == "cells" => {
                let cells: Vec<String> = serde_json::from_slice(plain).map_err(|_| corrupt())?;
                (self.refused_fingerprint(&cells), String::new())
            }
            ("workers", _) => {
                let name = std::str::from_utf8(plain).map_err(|_| corrupt())?;
                (self.worker_name_hash(name), String::new())
            }
            ("invitations", _) => {
                let phone = std::str::from_utf8(plain)
                    .ok()
                    .and_then(|text| PhoneNumber::parse(text).ok());
                let phone = phone.ok_or_else(corrupt)?;
                (self.address_hash(&Address::Phone(phone)), String::new())
            }
            _ => (String::new(), String::new()),
        })
    }

    /// The units of these residents, in their order.
    async fn places_of(&self, residents: &[(i64, String, String)]) -> Result<Vec<UnitPlace>> {
        let sql = self.sql(
            "select p.id, c.district, c.street, c.name, b.name, u.name from {rows} \
             join residents p on p.id = cast(r.value->>'id' as bigint) \
             join units u on u.id = p.unit_id join buildings b on b.id = u.building_id \
             join communities c on c.id = b.community_id order by p.id",
        );
        let ids = super::json_ids(residents.iter().map(|row| row.0));
        type Row = (i64, String, String, String, String, String);
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(sql).bind(ids).fetch_all(pool).await?
        });
        if rows.len() != residents.len() {
            return Err(StoreError::Corrupt("a resident lives in no known unit".into()));
        }
        Ok(rows
            .into_iter()
            .map(|(_, district, street, community, building, unit)| UnitPlace {
                district,
                street,
                community,
                building,
                unit,
            })
            .collect())
    }
}
