//! Registrations on paper: who is on the sheets, what came back, and how far each has come on its way into the
//! registration system.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Appointment, Result, Store, StoreError,
    contacts::parse_address,
    in_transaction, json, json_ids, on_pool,
    roster::{ADDRESS, PERSONAL, Personal},
    service::instant,
    take_ids,
};
use crate::domain::{Address, IncidentId, ManualState, ResidentId, RoundId, SiteId, Tag, UnitId, UnitPlace};

pub(super) const PERSON: &str = "manual_registrations.person";

/// A unit's line on the staff's sheets: its window, that of its green lane, or the own time of one of its people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetWindow {
    /// Whose time it is.
    pub of: Appointment,
    /// Its round.
    pub round: RoundId,
    /// The unit.
    pub unit: UnitId,
    /// Who asked for it, if it is somebody's own.
    pub resident: Option<ResidentId>,
    /// Those who may use the green lane come at a time of that lane instead.
    pub green_apart: bool,
    /// Its path.
    pub place: UnitPlace,
    /// Where its people were to come.
    pub site: SiteId,
    /// The site's name.
    pub site_name: String,
    /// First instant, as it stood when the incident fell into it.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Where it stands now, if it was moved.
    pub moved_to: Option<DateTime<Utc>>,
    /// When the incident was found to have fallen into it, if that is noted.
    pub noted_at: Option<DateTime<Utc>>,
}

/// A time that somebody asked for in place of their unit's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnTime {
    /// In which round.
    pub round: RoundId,
    /// Who.
    pub resident: ResidentId,
    /// First instant, as it stands now.
    pub starts_at: DateTime<Utc>,
    /// When they chose it.
    pub chosen_at: DateTime<Utc>,
}

/// A resident, opened. Personal data: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct SheetPerson {
    /// Who.
    pub resident: ResidentId,
    /// Where they live.
    pub unit: UnitId,
    /// Their name.
    pub name: String,
    /// Their door.
    pub door: String,
    /// Their phone, if there is one.
    pub phone: Option<Address>,
    /// What the offices note about them.
    pub tags: Vec<Tag>,
}

impl std::fmt::Debug for SheetPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SheetPerson({})", self.resident)
    }
}

/// What a row of a returned sheet became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It waits to be passed on.
    Added,
    /// It had come back before.
    Known,
    /// Nobody of this number has a window in what the incident is about.
    Nobody,
}

/// A registration to be passed on. Personal data: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct ManualRegistration {
    /// Its row.
    pub id: i64,
    /// Its incident.
    pub incident: IncidentId,
    /// Who.
    pub resident: ResidentId,
    /// For which round.
    pub round: RoundId,
    /// The unit where they live, as its path.
    pub unit: String,
    /// Their id in the registration system, if known.
    pub reference: Option<String>,
    /// Their name.
    pub name: String,
    /// Their phone in E.164 form; empty if there is none.
    pub phone: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl std::fmt::Debug for ManualRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManualRegistration({})", self.id)
    }
}

/// What became of a registration that was passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualChange {
    /// Its row.
    pub id: i64,
    /// Its next state.
    pub to: ManualState,
    /// Why, in words without personal data.
    pub reason: String,
    /// When it may be tried again, if it waits.
    pub next_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct SealedPerson {
    unit: String,
    name: String,
    phone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

#[derive(sqlx::FromRow)]
struct SheetRow {
    round_id: i64,
    unit_id: i64,
    resident_id: i64,
    apart: i64,
    noted_at: Option<i64>,
    district: String,
    street: String,
    community: String,
    building: String,
    unit: String,
    site_id: i64,
    site_name: String,
    starts_at: i64,
    ends_at: i64,
    now_starts_at: i64,
}

impl SheetRow {
    fn into_window(self) -> SheetWindow {
        SheetWindow {
            of: match self.resident_id {
                -1 => Appointment::Unit,
                0 => Appointment::Green,
                _ => Appointment::Own,
            },
            round: RoundId(self.round_id),
            unit: UnitId(self.unit_id),
            resident: (self.resident_id > 0).then_some(ResidentId(self.resident_id)),
            green_apart: self.apart == 1,
            place: UnitPlace {
                district: self.district,
                street: self.street,
                community: self.community,
                building: self.building,
                unit: self.unit,
            },
            site: SiteId(self.site_id),
            site_name: self.site_name,
            starts_at: instant(self.starts_at),
            ends_at: instant(self.ends_at),
            moved_to: (self.now_starts_at != self.starts_at).then(|| instant(self.now_starts_at)),
            noted_at: self.noted_at.map(instant),
        }
    }
}

/// Where times are found: whose (-1 for the unit's), with which columns, and the note of an incident of it.
const SHEET_TIMES: [(&str, &str, &str); 3] = [
    (
        "cast(-1 as bigint)",
        "(select round_id, unit_id, site_id, starts_at, ends_at, \
           cast(case when green_starts_at is null then 0 else 1 end as bigint) as apart from windows)",
        "incident_windows k on k.incident_id = i.id and k.round_id = w.round_id and k.unit_id = w.unit_id",
    ),
    (
        "cast(0 as bigint)",
        "(select round_id, unit_id, green_site_id as site_id, green_starts_at as starts_at, \
           green_ends_at as ends_at, cast(0 as bigint) as apart from windows where green_starts_at is not null)",
        "incident_times k on k.incident_id = i.id and k.round_id = w.round_id and k.unit_id = w.unit_id \
           and k.resident_id = 0",
    ),
    (
        "w.resident_id",
        "(select round_id, unit_id, resident_id, site_id, starts_at, ends_at, cast(0 as bigint) as apart from own_windows)",
        "incident_times k on k.incident_id = i.id and k.round_id = w.round_id and k.unit_id = w.unit_id \
           and k.resident_id = w.resident_id",
    ),
];

impl Store {
    /// The times that overlap `from`–`to` at the sites and in the communities of an incident, as they stood when it
    /// fell into them, by site and time: windows of units, those of green lanes, and people's own. With `kept` only
    /// those that it fell into, those noted because they were near included.
    pub async fn sheet_windows(
        &self,
        id: IncidentId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        kept: bool,
    ) -> Result<Vec<SheetWindow>> {
        let mut parts = Vec::new();
        for (resident, times, noted) in SHEET_TIMES {
            parts.push(format!(
                "select w.round_id, w.unit_id, {resident} as resident_id, coalesce(k.site_id, w.site_id) as site_id, \
                   coalesce(k.starts_at, w.starts_at) as starts_at, coalesce(k.ends_at, w.ends_at) as ends_at, \
                   w.starts_at as now_starts_at, w.apart, k.noted_at \
                 from incidents i cross join {times} w join rounds o on o.id = w.round_id \
                 left join {noted} where i.id = $1 and (k.unit_id is not null or ($4 = 0 and {{in_scope}} \
                   and o.state in ('releasing', 'paused')))"
            ));
        }
        let sql = self.sql_of(&format!(
            "select x.round_id, x.unit_id, x.resident_id, c.district, c.street, c.name as community, \
               b.name as building, u.name as unit, x.site_id, s.name as site_name, x.starts_at, x.ends_at, \
               x.now_starts_at, x.apart, x.noted_at from ({}) x \
             join sites s on s.id = x.site_id join units u on u.id = x.unit_id \
             join buildings b on b.id = u.building_id join communities c on c.id = b.community_id \
             where x.starts_at < $3 and x.ends_at > $2 \
             order by x.site_id, x.starts_at, x.unit_id, x.resident_id, x.round_id",
            parts.join(" union all ")
        ));
        let rows: Vec<SheetRow> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(id.0)
                .bind(from.timestamp_millis())
                .bind(to.timestamp_millis())
                .bind(i64::from(kept))
                .fetch_all(pool)
                .await?
        });
        Ok(rows.into_iter().map(SheetRow::into_window).collect())
    }

    /// Who lives in these units, opened.
    pub async fn people_of(&self, units: &[UnitId]) -> Result<Vec<SheetPerson>> {
        let sql = self.sql(
            "select p.id, p.unit_id, p.personal, c.id, c.address from {rows} \
             join residents p on p.unit_id = cast(r.value->>'id' as bigint) and p.moved_out_at is null \
             left join contacts c on c.id = p.phone_contact_id and c.channel = 'sms' order by p.unit_id, p.id",
        );
        type Row = (i64, i64, String, Option<i64>, Option<String>);
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(units.iter().map(|unit| unit.0)))
                .fetch_all(pool)
                .await?
        });
        rows.into_iter()
            .map(|(id, unit, personal, contact, address)| {
                let person = self.personal_of(id, &personal)?;
                Ok(SheetPerson {
                    resident: ResidentId(id),
                    unit: UnitId(unit),
                    name: person.name,
                    door: person.door,
                    phone: self.phone_of(contact, address.as_deref())?,
                    tags: person.tags,
                })
            })
            .collect()
    }

    /// The times that people of these units asked for in place of their unit's.
    pub async fn own_times(&self, units: &[UnitId]) -> Result<Vec<OwnTime>> {
        let sql = self.sql(
            "select o.round_id, o.resident_id, o.starts_at, o.changed_at from {rows} \
             join own_windows o on o.unit_id = cast(r.value->>'id' as bigint) order by o.id",
        );
        let rows: Vec<(i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(units.iter().map(|unit| unit.0)))
                .fetch_all(pool)
                .await?
        });
        Ok(rows
            .into_iter()
            .map(|(round, resident, starts_at, chosen_at)| OwnTime {
                round: RoundId(round),
                resident: ResidentId(resident),
                starts_at: instant(starts_at),
                chosen_at: instant(chosen_at),
            })
            .collect())
    }

    fn personal_of(&self, id: i64, sealed: &str) -> Result<Personal> {
        let plain = self.keys.open(PERSONAL, id, sealed)?;
        serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(PERSONAL.into()))
    }

    fn phone_of(&self, contact: Option<i64>, address: Option<&str>) -> Result<Option<Address>> {
        let Some((contact, sealed)) = contact.zip(address) else {
            return Ok(None);
        };
        let text = self.keys.open_text(ADDRESS, contact, sealed)?;
        Ok(Some(parse_address("sms", &text)?))
    }

    /// Takes rows of returned sheets (who, and the time as written); says what each became. A second return of the
    /// same row changes nothing.
    pub async fn return_sheets(
        &self,
        id: IncidentId,
        rows: &[(ResidentId, Option<String>)],
        now: DateTime<Utc>,
    ) -> Result<Vec<Returned>> {
        let people = self.people_on_sheets(id, rows).await?;
        let insert = self.sql(
            "insert into manual_registrations (id, incident_id, resident_id, round_id, unit_id, person, state, \
               next_at, created_at, changed_at) \
             select cast(r.value->>'id' as bigint), $2, cast(r.value->>'resident' as bigint), \
               cast(r.value->>'round' as bigint), cast(r.value->>'unit' as bigint), r.value->>'person', 'waiting', \
               $3, $3, $3 from {rows} where true on conflict (incident_id, resident_id) do nothing \
             returning resident_id",
        );
        let added: Vec<(i64,)> = in_transaction!(self, |tx| {
            let first = take_ids!(tx, "manual_registrations", rows.len());
            let new: Vec<_> = (first..)
                .zip(rows)
                .filter_map(|(row, (resident, time))| {
                    let (unit, round, person) = people.get(&resident.0)?;
                    let person = SealedPerson {
                        time: time.clone(),
                        ..person.clone()
                    };
                    let plain = serde_json::to_vec(&person).expect("a person always serialises");
                    Some(serde_json::json!({
                        "id": row, "resident": resident, "round": round, "unit": unit,
                        "person": self.keys.seal(PERSON, row, &plain),
                    }))
                })
                .collect();
            sqlx::query_as(insert)
                .bind(json(&new))
                .bind(id.0)
                .bind(now.timestamp_millis())
                .fetch_all(&mut *tx)
                .await?
        });
        let mut added: BTreeSet<i64> = added.into_iter().map(|(id,)| id).collect();
        let became =
            |resident: &ResidentId| match (added.remove(&resident.0), people.contains_key(&resident.0)) {
                (true, _) => Returned::Added,
                (false, true) => Returned::Known,
                (false, false) => Returned::Nobody,
            };
        Ok(rows.iter().map(|(resident, _)| resident).map(became).collect())
    }

    /// Of these residents those whom an incident is about: unit, round and what is to be passed on. Of several rounds
    /// the one that it fell into counts, else the newest.
    async fn people_on_sheets(
        &self,
        id: IncidentId,
        rows: &[(ResidentId, Option<String>)],
    ) -> Result<BTreeMap<i64, (i64, i64, SealedPerson)>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            id: i64,
            unit_id: i64,
            personal: String,
            contact: Option<i64>,
            phone: Option<String>,
            round_id: i64,
            district: String,
            street: String,
            community: String,
            building: String,
            unit: String,
        }
        let find = self.sql(
            "select p.id, p.unit_id, p.personal, c.id as contact, c.address as phone, \
               coalesce(max(coalesce(k.round_id, t.round_id)), max(w.round_id)) as round_id, \
               m.district, m.street, m.name as community, b.name as building, u.name as unit from {rows} \
             join residents p on p.id = cast(r.value->>'id' as bigint) \
             join windows w on w.unit_id = p.unit_id \
             join rounds o on o.id = w.round_id and o.state in ('releasing', 'paused', 'done') \
             join incidents i on i.id = $2 \
             join units u on u.id = p.unit_id join buildings b on b.id = u.building_id \
             join communities m on m.id = b.community_id \
             left join contacts c on c.id = p.phone_contact_id and c.channel = 'sms' \
             left join incident_windows k on k.incident_id = i.id and k.round_id = w.round_id \
               and k.unit_id = w.unit_id \
             left join incident_times t on t.incident_id = i.id and t.round_id = w.round_id \
               and t.unit_id = w.unit_id and t.resident_id in (0, p.id) \
             where k.unit_id is not null or t.unit_id is not null or {in_scope} \
               or exists (select 1 from incident_scopes z where z.incident_id = i.id \
                 and (z.site_id = w.green_site_id or z.site_id in (select x.site_id from own_windows x \
                   where x.round_id = w.round_id and x.resident_id = p.id))) \
             group by p.id, p.unit_id, p.personal, c.id, c.address, m.district, m.street, m.name, b.name, u.name",
        );
        let found: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(find)
                .bind(json_ids(rows.iter().map(|row| row.0.0)))
                .bind(id.0)
                .fetch_all(pool)
                .await?
        });
        let mut people = BTreeMap::new();
        for row in found {
            let person = self.personal_of(row.id, &row.personal)?;
            let place = UnitPlace {
                district: row.district,
                street: row.street,
                community: row.community,
                building: row.building,
                unit: row.unit,
            };
            let sealed = SealedPerson {
                unit: place.to_string(),
                name: person.name,
                phone: match self.phone_of(row.contact, row.phone.as_deref())? {
                    Some(Address::Phone(phone)) => phone.as_e164().to_owned(),
                    _ => String::new(),
                },
                reference: person.reference,
                time: None,
            };
            people.insert(row.id, (row.unit_id, row.round_id, sealed));
        }
        Ok(people)
    }

    /// Whether a registration's turn has come.
    pub async fn manual_waits(&self, now: DateTime<Utc>) -> Result<bool> {
        let row: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id from manual_registrations where state = 'waiting' and next_at <= $1 \
                 order by next_at limit 1",
            )
            .bind(now.timestamp_millis())
            .fetch_optional(pool)
            .await?
        });
        Ok(row.is_some())
    }

    /// Takes up to `limit` registrations whose turn has come: they are `sent` until [`Store::record_manual`].
    pub async fn claim_manual(&self, limit: usize, now: DateTime<Utc>) -> Result<Vec<ManualRegistration>> {
        let claim = self.sql(
            "update manual_registrations set state = 'sent', attempts = attempts + 1, changed_at = $1 \
             where id in (select id from manual_registrations where state = 'waiting' and next_at <= $1 \
               order by next_at, id limit $2 {lock}) \
             returning id, incident_id, resident_id, round_id, person, attempts",
        );
        type Row = (i64, i64, i64, i64, String, i64);
        let mut rows: Vec<Row> = in_transaction!(self, |tx| {
            sqlx::query_as(claim)
                .bind(now.timestamp_millis())
                .bind(limit as i64)
                .fetch_all(&mut *tx)
                .await?
        });
        rows.sort_unstable_by_key(|row| row.0);
        rows.into_iter()
            .map(|(id, incident, resident, round, sealed, attempt)| {
                let plain = self.keys.open(PERSON, id, &sealed)?;
                let person: SealedPerson =
                    serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(PERSON.into()))?;
                Ok(ManualRegistration {
                    id,
                    incident: IncidentId(incident),
                    resident: ResidentId(resident),
                    round: RoundId(round),
                    unit: person.unit,
                    reference: person.reference,
                    name: person.name,
                    phone: person.phone,
                    attempt: attempt as u32,
                })
            })
            .collect()
    }

    /// Records what became of registrations that were passed on; those no longer `sent` are left as they are.
    pub async fn record_manual(&self, changes: &[ManualChange], now: DateTime<Utc>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = changes
            .iter()
            .map(|change| {
                serde_json::json!({
                    "id": change.id, "to": change.to.as_str(), "reason": change.reason,
                    "next_at": change.next_at.map(|at| at.timestamp_millis()),
                })
            })
            .collect();
        let record = self.sql(
            "update manual_registrations set state = r.value->>'to', reason = r.value->>'reason', \
               changed_at = $2, next_at = coalesce(cast(r.value->>'next_at' as bigint), next_at) from {rows} \
             where manual_registrations.id = cast(r.value->>'id' as bigint) and state = 'sent'",
        );
        in_transaction!(self, |tx| {
            sqlx::query(record)
                .bind(json(&rows))
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Lets wait again what was being passed on when the last process ended; gives how many. The registration system
    /// knows each by its key, so that a second time changes nothing there.
    pub async fn recover_manual(&self, now: DateTime<Utc>) -> Result<u64> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update manual_registrations set state = 'waiting', next_at = $1, changed_at = $1 \
                 where state = 'sent'",
            )
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        }))
    }

    /// Registrations on paper of an incident by state, and when the last of them changed.
    pub async fn count_manual(&self, id: IncidentId) -> Result<Vec<(String, i64)>> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select state, count(*) from manual_registrations where incident_id = $1 \
                 group by state order by state",
            )
            .bind(id.0)
            .fetch_all(pool)
            .await?
        }))
    }

    /// Registrations that the registration system would not take, with its reason.
    pub async fn refused_manual(&self, id: IncidentId, limit: usize) -> Result<Vec<(ResidentId, String)>> {
        let rows: Vec<(i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select resident_id, reason from manual_registrations \
                 where incident_id = $1 and state = 'refused' order by id limit $2",
            )
            .bind(id.0)
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(resident, reason)| (ResidentId(resident), reason))
            .collect())
    }

    /// Of these residents, those who were registered on paper during an incident.
    pub async fn registered_by_hand(
        &self,
        id: IncidentId,
        residents: &[ResidentId],
    ) -> Result<Vec<ResidentId>> {
        let sql = self.sql(
            "select m.resident_id from {rows} join manual_registrations m on m.incident_id = $2 \
               and m.resident_id = cast(r.value->>'id' as bigint) and m.state <> 'refused'",
        );
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(residents.iter().map(|resident| resident.0)))
                .bind(id.0)
                .fetch_all(pool)
                .await?
        });
        Ok(rows.into_iter().map(|(resident,)| ResidentId(resident)).collect())
    }
}
