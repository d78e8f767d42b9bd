//! Whom a window concerns and what they are told of it; windows that move, and times of a household's own.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{
    NewDelivery, Result, Round, Store, StoreError, in_transaction, json, json_ids, on_pool,
    outbox::{INSERT, INSERT_BODIES},
    pacing::{COUNT_TOLD, ENSURE_PACING, MOVE_GATE},
    roster::{PERSONAL, Personal},
    rounds::{INSERT_WINDOWS, Steering, window_rows},
    service::instant,
    take_ids,
};
use crate::domain::{
    ContactId, Coordinates, Lane, ResidentId, RoundId, SiteId, Tag, UnitId, UnitPlace, Window, WindowView,
};

/// Windows moved by one statement.
const MOVES_PER_STATEMENT: usize = 10_000;
/// Arrivals a minute may be above a limit by so much, for the rounding of sums.
const RATE_TOLERANCE: f64 = 1e-6;

/// A time of which people are to be reminded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueReminder {
    /// Whose time it is.
    pub of: Appointment,
    /// Its row: of the window, or of the own time.
    pub row: i64,
    /// Its unit.
    pub unit: UnitId,
    /// Its start.
    pub starts_at: DateTime<Utc>,
    /// When people were last told of it.
    pub told_at: DateTime<Utc>,
}

/// The times that a unit's people have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Appointment {
    /// The unit's window.
    Unit,
    /// The window of its green lane.
    Green,
    /// A time that a household asked for.
    Own,
}

/// A window that may move, or a time of a household's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movable {
    /// The row of the window; of an own time, the rows of its residents.
    pub rows: Vec<i64>,
    /// A household asked for this time in place of its unit's.
    pub own: bool,
    /// Whose.
    pub unit: UnitId,
    /// Where.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Residents expected, without those of the green lane.
    pub people: u32,
    /// Contacts that a notice of it reaches.
    pub recipients: u32,
    /// Its people have been told.
    pub told: bool,
    /// How often it has moved since.
    pub moves: u8,
}

/// A window's new time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowMove {
    /// The row of the window, or of the own time.
    pub row: i64,
    /// Which of the two.
    pub own: bool,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Beyond what the site can take.
    pub over_capacity: bool,
}

/// Room at a site that somebody has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenRoom {
    /// Where.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Residents expected.
    pub people: u32,
}

/// A told window that somebody may want to change, as it concerns one contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldWindow {
    /// Its round.
    pub round: RoundId,
    /// The time as it is now.
    pub view: WindowView,
    /// The residents behind the contact who have this time.
    pub residents: Vec<ResidentId>,
}

/// A time that a household asks for in place of its unit's.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnWindow {
    /// In which round.
    pub round: RoundId,
    /// Who lives there.
    pub unit: UnitId,
    /// Where to go.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// Who will come.
    pub residents: Vec<ResidentId>,
    /// People a minute that the site can take.
    pub site_per_minute: f64,
    /// People a minute that the city may expect, if there is a limit.
    pub city_per_minute: Option<f64>,
}

#[derive(sqlx::FromRow)]
struct ViewRow {
    contact: i64,
    resident: i64,
    personal: String,
    round_id: i64,
    district: String,
    street: String,
    community: String,
    building: String,
    unit: String,
    unit_id: i64,
    site_name: String,
    address: String,
    starts_at: i64,
    ends_at: i64,
    over_capacity: i64,
    green_site: Option<String>,
    green_address: Option<String>,
    green_starts_at: Option<i64>,
    green_ends_at: Option<i64>,
    own_site: Option<String>,
    own_address: Option<String>,
    own_starts_at: Option<i64>,
    own_ends_at: Option<i64>,
    revision: i64,
}

/// The columns of a [`ViewRow`] of the window `w` for the person `e` (contact, resident, personal, unit).
const VIEW: &str = "e.contact, e.resident, \
       case when w.green_starts_at is null then '' else e.personal end as personal, w.round_id, \
       c.district, c.street, c.name as community, b.name as building, u.name as unit, w.unit_id, \
       s.name as site_name, s.address, w.starts_at, w.ends_at, w.over_capacity, \
       g.name as green_site, g.address as green_address, w.green_starts_at, w.green_ends_at, \
       os.name as own_site, os.address as own_address, o.starts_at as own_starts_at, o.ends_at as own_ends_at, \
       w.revision + coalesce(o.moves, 0) as revision";
const VIEW_JOINS: &str = "left join own_windows o on o.round_id = w.round_id and o.resident_id = e.resident \
       left join sites g on g.id = w.green_site_id left join sites os on os.id = o.site_id \
       join sites s on s.id = w.site_id join units u on u.id = w.unit_id \
       join buildings b on b.id = u.building_id join communities c on c.id = b.community_id";

/// A row with the lane that its person goes to.
struct Seen {
    contact: ContactId,
    resident: Option<ResidentId>,
    round: RoundId,
    view: WindowView,
}

impl Store {
    fn seen(&self, row: ViewRow) -> Result<Seen> {
        let green = !row.personal.is_empty() && {
            let plain = self.keys.open(PERSONAL, row.resident, &row.personal)?;
            let personal: Personal =
                serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(PERSONAL.into()))?;
            personal.tags.iter().copied().any(Tag::is_green)
        };
        let own = row.own_starts_at.zip(row.own_ends_at);
        let in_green = row.green_starts_at.zip(row.green_ends_at).filter(|_| green);
        let (lane, site, address, (starts_at, ends_at)) = match (own, in_green) {
            (Some(own), _) => (Lane::Regular, row.own_site, row.own_address, own),
            (None, Some(green)) => (Lane::Green, row.green_site, row.green_address, green),
            (None, None) => (Lane::Regular, None, None, (row.starts_at, row.ends_at)),
        };
        Ok(Seen {
            contact: ContactId(row.contact),
            resident: (row.resident != 0).then_some(ResidentId(row.resident)),
            round: RoundId(row.round_id),
            view: WindowView {
                unit: UnitId(row.unit_id),
                place: UnitPlace {
                    district: row.district,
                    street: row.street,
                    community: row.community,
                    building: row.building,
                    unit: row.unit,
                },
                site_name: site.unwrap_or(row.site_name),
                address: address.unwrap_or(row.address),
                starts_at: instant(starts_at),
                ends_at: instant(ends_at),
                over_capacity: row.over_capacity == 1 && lane == Lane::Regular && own.is_none(),
                lane,
                revision: row.revision,
                own: own.is_some(),
            },
        })
    }

    /// Each person's own time and lane; a chat's home counts where none of its residents lives there.
    fn all_seen(&self, rows: Vec<ViewRow>) -> Result<Vec<Seen>> {
        let seen: Vec<Seen> = rows
            .into_iter()
            .map(|row| self.seen(row))
            .collect::<Result<_>>()?;
        let known: HashSet<_> = seen
            .iter()
            .filter(|seen| seen.resident.is_some())
            .map(|seen| (seen.contact, seen.round, seen.view.unit))
            .collect();
        let mut seen: Vec<Seen> = seen
            .into_iter()
            .filter(|seen| {
                seen.resident.is_some() || !known.contains(&(seen.contact, seen.round, seen.view.unit))
            })
            .collect();
        seen.sort_by_key(|seen| (seen.contact, seen.view.starts_at, seen.view.unit, seen.view.lane));
        Ok(seen)
    }

    /// The times of a round that concern these contacts, by contact and start: those of the residents whom each
    /// contact reaches, each in their lane, and of the home that a chat chose.
    pub async fn contact_windows(
        &self,
        contacts: &[ContactId],
        round: RoundId,
    ) -> Result<Vec<(ContactId, WindowView)>> {
        let sql = self.sql_of(&format!(
            "select distinct {VIEW} \
             from (select p.chat_contact_id as contact, p.id as resident, p.personal, p.unit_id from {{rows}} \
                   join residents p on p.chat_contact_id = cast(r.value->>'id' as bigint) and p.moved_out_at is null \
                 union all select p.phone_contact_id, p.id, p.personal, p.unit_id from {{rows}} \
                   join residents p on p.phone_contact_id = cast(r.value->>'id' as bigint) and p.moved_out_at is null \
                   left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
                   where chat.id is null \
                 union all select k.id, 0, '', k.unit_id from {{rows}} \
                   join contacts k on k.id = cast(r.value->>'id' as bigint) where k.unit_id is not null) e \
             cross join windows w {VIEW_JOINS} \
             where w.unit_id = e.unit_id and w.round_id = $2"
        ));
        let rows: Vec<ViewRow> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(contacts.iter().map(|contact| contact.0)))
                .bind(round.0)
                .fetch_all(pool)
                .await?
        });
        let mut windows: Vec<_> = self
            .all_seen(rows)?
            .into_iter()
            .map(|seen| (seen.contact, seen.view))
            .collect();
        // Several residents of one unit share its window.
        windows.dedup();
        Ok(windows)
    }

    /// The times of these residents, and of these units' people, in told rounds that end after `after`; the earliest
    /// first.
    pub async fn told_windows(
        &self,
        residents: &[ResidentId],
        units: &[UnitId],
        after: DateTime<Utc>,
    ) -> Result<Vec<ToldWindow>> {
        let sql = self.sql_of(&format!(
            "select {VIEW} from (select cast(0 as bigint) as contact, p.id as resident, p.personal, p.unit_id from {{rows}} \
                   join residents p on p.id = cast(r.value->>'resident' as bigint) and p.moved_out_at is null \
                 union all select 0, 0, '', cast(r.value->>'unit' as bigint) from {{rows}} \
                   where r.value->>'unit' is not null) e \
             cross join windows w \
             join rounds t on t.id = w.round_id and t.state in ('releasing', 'paused', 'done') {VIEW_JOINS} \
             where w.unit_id = e.unit_id"
        ));
        let people = residents.iter().map(|id| serde_json::json!({ "resident": id }));
        let homes = units.iter().map(|id| serde_json::json!({ "unit": id }));
        let rows: Vec<ViewRow> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json(&people.chain(homes).collect::<Vec<_>>()))
                .fetch_all(pool)
                .await?
        });
        let mut windows: Vec<ToldWindow> = Vec::new();
        for seen in self.all_seen(rows)? {
            if seen.view.ends_at <= after {
                continue;
            }
            match windows
                .iter_mut()
                .find(|known| known.round == seen.round && known.view == seen.view)
            {
                Some(known) => known.residents.extend(seen.resident),
                None => windows.push(ToldWindow {
                    round: seen.round,
                    view: seen.view,
                    residents: seen.resident.into_iter().collect(),
                }),
            }
        }
        Ok(windows)
    }

    /// How many of each unit's residents may use the green lane. Their tags are opened one page at a time, and only
    /// the numbers are kept.
    pub async fn green_people(&self) -> Result<HashMap<UnitId, u32>> {
        const PAGE: i64 = 5_000;
        let mut green: HashMap<UnitId, u32> = HashMap::new();
        let mut after = i64::MIN;
        loop {
            let rows: Vec<(i64, i64, String)> = on_pool!(self, |pool| {
                sqlx::query_as(
                    "select id, unit_id, personal from residents where id > $1 and moved_out_at is null \
                     order by id limit $2",
                )
                .bind(after)
                .bind(PAGE)
                .fetch_all(pool)
                .await?
            });
            let Some(last) = rows.last() else {
                return Ok(green);
            };
            after = last.0;
            for (id, unit, sealed) in rows.iter().filter(|row| !row.2.is_empty()) {
                let personal: Personal = serde_json::from_slice(&self.keys.open(PERSONAL, *id, sealed)?)
                    .map_err(|_| StoreError::Corrupt(PERSONAL.into()))?;
                if personal.tags.iter().copied().any(Tag::is_green) {
                    *green.entry(UnitId(*unit)).or_default() += 1;
                }
            }
        }
    }

    /// People on the roster, and contacts that a notice to them all reaches.
    pub async fn people_and_recipients(&self) -> Result<(u64, u64)> {
        let (people, recipients): (i64, i64) = on_pool!(self, |pool| {
            sqlx::query_as(
                "select count(*), count(distinct coalesce(chat.id, p.phone_contact_id)) from residents p \
                 left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
                 where p.moved_out_at is null",
            )
            .fetch_one(pool)
            .await?
        });
        Ok((people as u64, recipients as u64))
    }

    /// Room that live rounds have given away and that ends after `after`, by site and time; of all but `except`.
    /// The places of those who asked for another time stay counted: nobody else has them.
    pub async fn taken_room(&self, except: Option<RoundId>, after: DateTime<Utc>) -> Result<Vec<TakenRoom>> {
        let rows: Vec<(i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select t.site_id, t.starts_at, t.ends_at, cast(sum(t.people) as bigint) from ( \
                   select w.round_id, w.site_id, w.starts_at, w.ends_at, w.people from windows w \
                   union all select o.round_id, o.site_id, o.starts_at, o.ends_at, 1 from own_windows o) t \
                 join rounds r on r.id = t.round_id and r.state in ('releasing', 'paused') \
                 where t.ends_at > $1 and t.round_id <> $2 and t.people > 0 \
                 group by t.site_id, t.starts_at, t.ends_at order by 1, 2, 3",
            )
            .bind(after.timestamp_millis())
            .bind(except.map_or(0, |round| round.0))
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(taken_room).collect())
    }

    /// The same at these sites, of all live rounds.
    pub async fn taken_room_at(&self, sites: &[SiteId], after: DateTime<Utc>) -> Result<Vec<TakenRoom>> {
        let sql = self.sql(
            "select t.site_id, t.starts_at, t.ends_at, cast(sum(t.people) as bigint) from ( \
               select w.round_id, w.site_id, w.starts_at, w.ends_at, w.people from {rows} \
                 join windows w on w.site_id = cast(r.value->>'id' as bigint) \
               union all select o.round_id, o.site_id, o.starts_at, o.ends_at, 1 from {rows} \
                 join own_windows o on o.site_id = cast(r.value->>'id' as bigint)) t \
             join rounds a on a.id = t.round_id and a.state in ('releasing', 'paused') \
             where t.ends_at > $2 and t.people > 0 group by t.site_id, t.starts_at, t.ends_at order by 1, 2, 3",
        );
        let rows: Vec<(i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(sites.iter().map(|site| site.0)))
                .bind(after.timestamp_millis())
                .fetch_all(pool)
                .await?
        });
        Ok(rows.into_iter().map(taken_room).collect())
    }

    /// Where a unit's building lies, if that is known.
    pub async fn unit_point(&self, unit: UnitId) -> Result<Option<Coordinates>> {
        let row: Option<(Option<f64>, Option<f64>)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select b.lat, b.lon from units u join buildings b on b.id = u.building_id where u.id = $1",
            )
            .bind(unit.0)
            .fetch_optional(pool)
            .await?
        });
        let point = row.and_then(|(lat, lon)| lat.zip(lon));
        Ok(point.map(|(lat, lon)| Coordinates { lat, lon }))
    }

    /// Writes the deliveries of these windows into the outbox, marks the windows told, and notes when the round may go
    /// on: all together, so that a restart neither forgets nor repeats a unit. False, and nothing written, when the
    /// round is not releasing any more, windows have moved since it was read, or the city's gate was moved meanwhile.
    pub async fn tell(
        &self,
        round: &Round,
        windows: &[i64],
        deliveries: &[NewDelivery],
        next: Option<DateTime<Utc>>,
        steering: &Steering<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let mark = if steering.two_step {
            "update windows set released_at = $2 where id in (select cast(r.value->>'id' as bigint) from {rows})"
        } else {
            "update windows set released_at = $2, called_at = $2 \
             where id in (select cast(r.value->>'id' as bigint) from {rows})"
        };
        let written = self
            .write_for(
                round,
                &[(mark, windows.to_vec())],
                deliveries,
                next,
                steering,
                now,
            )
            .await?;
        Ok(written.is_some())
    }

    /// The same for the second of two steps: the windows' people are called.
    pub async fn call(
        &self,
        round: &Round,
        windows: &[i64],
        deliveries: &[NewDelivery],
        steering: &Steering<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let mark = "update windows set called_at = $2 where id in (select cast(r.value->>'id' as bigint) from {rows})";
        let written = self
            .write_for(
                round,
                &[(mark, windows.to_vec())],
                deliveries,
                None,
                steering,
                now,
            )
            .await?;
        Ok(written.is_some())
    }

    /// The same for reminders.
    pub async fn remind(
        &self,
        round: &Round,
        due: &[DueReminder],
        deliveries: &[NewDelivery],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let rows = |of| due.iter().filter(|due| due.of == of).map(|due| due.row).collect();
        let marks = [
            (
                "update windows set reminded_at = $2 where id in (select cast(r.value->>'id' as bigint) from {rows})",
                rows(Appointment::Unit),
            ),
            (
                "update windows set green_reminded_at = $2 \
                 where id in (select cast(r.value->>'id' as bigint) from {rows})",
                rows(Appointment::Green),
            ),
            (
                "update own_windows set reminded_at = $2 \
                 where id in (select cast(r.value->>'id' as bigint) from {rows})",
                rows(Appointment::Own),
            ),
        ];
        Ok(self
            .write_for(round, &marks, deliveries, None, &Steering::default(), now)
            .await?
            .is_some())
    }

    /// The same for those who hear the new time of windows that moved.
    pub async fn correct(
        &self,
        round: &Round,
        windows: &[i64],
        deliveries: &[NewDelivery],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let mark = "update windows set corrects = 0, corrected_at = $2 \
            where id in (select cast(r.value->>'id' as bigint) from {rows})";
        let written = self
            .write_for(
                round,
                &[(mark, windows.to_vec())],
                deliveries,
                None,
                &Steering::default(),
                now,
            )
            .await?;
        Ok(written.is_some())
    }

    /// The same for those who came late; gives how many deliveries were new.
    pub async fn tell_late(
        &self,
        round: &Round,
        deliveries: &[NewDelivery],
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let written = self
            .write_for(round, &[], deliveries, None, &Steering::default(), now)
            .await?;
        Ok(written.unwrap_or_default())
    }

    /// Deliveries of a releasing round with its marks, together; none when the round has stopped, or its windows have
    /// moved since it was read, so that no text with an old time is written after its correction.
    async fn write_for(
        &self,
        round: &Round,
        marks: &[(&'static str, Vec<i64>)],
        deliveries: &[NewDelivery],
        next: Option<DateTime<Utc>>,
        steering: &Steering<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<u64>> {
        let (insert, insert_bodies) = (self.sql(INSERT), self.sql(INSERT_BODIES));
        Ok(in_transaction!(self, |tx| {
            let releasing = sqlx::query(
                "update rounds set next_release_at = coalesce(cast($2 as bigint), next_release_at) \
                 where id = $1 and state = 'releasing' and moves = $3",
            )
            .bind(round.id.0)
            .bind(next.map(|at| at.timestamp_millis()))
            .bind(round.moves)
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            let mut passed = true;
            if let Some(city) = steering.city.filter(|_| releasing) {
                sqlx::query(ENSURE_PACING).execute(&mut *tx).await?;
                passed = sqlx::query(MOVE_GATE)
                    .bind(city.seen.0)
                    .bind(city.seen.1.timestamp_millis())
                    .bind(city.next.0)
                    .bind(city.next.1.timestamp_millis())
                    .execute(&mut *tx)
                    .await?
                    .rows_affected()
                    == 1;
            }
            if !passed {
                // Somebody else let others through meanwhile: what was decided here holds no more.
                tx.rollback().await?;
                return Ok(None);
            }
            let mut written = None;
            if releasing {
                if !steering.counts.is_empty() {
                    sqlx::query(self.sql(COUNT_TOLD))
                        .bind(json(&steering.counts))
                        .execute(&mut *tx)
                        .await?;
                }
                for (mark, rows) in marks {
                    sqlx::query(self.sql(mark))
                        .bind(json_ids(rows.iter().copied()))
                        .bind(now.timestamp_millis())
                        .execute(&mut *tx)
                        .await?;
                }
                let mut added = 0;
                if !deliveries.is_empty() {
                    let first = take_ids!(tx, "deliveries", deliveries.len());
                    let (rows, bodies) = self.delivery_rows(deliveries, first, now);
                    added = sqlx::query(insert)
                        .bind(json(&rows))
                        .execute(&mut *tx)
                        .await?
                        .rows_affected();
                    sqlx::query(insert_bodies)
                        .bind(json(&bodies))
                        .execute(&mut *tx)
                        .await?;
                }
                written = Some(added);
            }
            written
        }))
    }

    /// Told times of a round that start before `before` and of which nobody was reminded: units' windows, those of
    /// green lanes, and households' own.
    pub async fn units_to_remind(
        &self,
        round: RoundId,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<DueReminder>> {
        type Row = (i64, i64, i64, i64, i64);
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql(
                "select cast(0 as bigint), w.id, w.unit_id, w.starts_at, coalesce(w.corrected_at, w.released_at) \
                 from windows w where w.round_id = $3 and w.reminded_at is null and w.released_at is not null \
                   and w.starts_at <= $1 and {running} \
                 union all \
                 select cast(1 as bigint), w.id, w.unit_id, w.starts_at, w.told_at \
                 from (select id, round_id, unit_id, green_site_id as site_id, green_starts_at as starts_at, \
                     coalesce(corrected_at, released_at) as told_at from windows where round_id = $3 \
                     and green_reminded_at is null and green_starts_at is not null and released_at is not null) w \
                 where w.starts_at <= $1 and {running} \
                 union all \
                 select cast(2 as bigint), w.id, w.unit_id, w.starts_at, w.changed_at \
                 from own_windows w join windows u on u.round_id = w.round_id and u.unit_id = w.unit_id \
                 where w.round_id = $3 and w.reminded_at is null and w.starts_at <= $1 and {running} \
                 order by 4, 1, 2 limit $2",
            ))
            .bind(before.timestamp_millis())
            .bind(limit as i64)
            .bind(round.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(of, row, unit, starts_at, told_at)| DueReminder {
                of: match of {
                    0 => Appointment::Unit,
                    1 => Appointment::Green,
                    _ => Appointment::Own,
                },
                row,
                unit: UnitId(unit),
                starts_at: instant(starts_at),
                told_at: instant(told_at),
            })
            .collect())
    }

    /// A round's windows that end after `after`, and the households' own times among them, as they may move.
    pub async fn movable_windows(&self, round: RoundId, after: DateTime<Utc>) -> Result<Vec<Movable>> {
        let rows: Vec<MovableRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select w.id, w.unit_id, w.site_id, w.starts_at, w.ends_at, w.people, w.moves, \
                   cast(case when w.released_at is null then 0 else 1 end as bigint), \
                   (select count(distinct coalesce(chat.id, p.phone_contact_id)) from residents p \
                    left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
                    where p.unit_id = w.unit_id and p.moved_out_at is null) \
                 from windows w where w.round_id = $1 and w.ends_at > $2 and w.people > 0 order by w.starts_at, w.id",
            )
            .bind(round.0)
            .bind(after.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        let own: Vec<OwnRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, unit_id, site_id, starts_at, ends_at, moves from own_windows \
                 where round_id = $1 and ends_at > $2 order by starts_at, unit_id, site_id, ends_at, moves, id",
            )
            .bind(round.0)
            .bind(after.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(movable(rows, own))
    }

    /// Moves windows of a live round and adds new ones, in one transaction. Those who were told of a window that moves
    /// are to be corrected; what waits to tell them an old time is cancelled, and what a dispatcher holds is marked
    /// so that it does not wait again. False, and nothing changed, when the round has stopped or its windows have moved
    /// since it was read.
    pub async fn apply_moves(
        &self,
        round: &Round,
        moves: &[WindowMove],
        added: &[Window],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let told_key = format!("window:{}:{}:", round.id, round.plan_revision);
        let now_ms = now.timestamp_millis();
        let history = format!("{now_ms} cancelled its window moved\n");
        Ok(in_transaction!(self, |tx| {
            let live = sqlx::query(
                "update rounds set moves = moves + 1, changed_at = $3 \
                 where id = $1 and moves = $2 and state in ('releasing', 'paused')",
            )
            .bind(round.id.0)
            .bind(round.moves)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            if live {
                for moves in moves.chunks(MOVES_PER_STATEMENT) {
                    for (sql, own) in [(MOVE_OWN, true), (CORRECT_OWN, true), (MOVE, false)] {
                        sqlx::query(self.sql(sql))
                            .bind(move_rows(moves, own))
                            .bind(round.id.0)
                            .execute(&mut *tx)
                            .await?;
                    }
                    sqlx::query(self.sql(CORRECT_TOLD))
                        .bind(move_rows(moves, false))
                        .bind(&told_key)
                        .execute(&mut *tx)
                        .await?;
                }
                sqlx::query(CANCEL_SUPERSEDED)
                    .bind(round.id.0)
                    .bind(now_ms)
                    .bind(&history)
                    .execute(&mut *tx)
                    .await?;
                sqlx::query(MARK_SUPERSEDED)
                    .bind(round.id.0)
                    .execute(&mut *tx)
                    .await?;
                for windows in added.chunks(MOVES_PER_STATEMENT) {
                    let first = take_ids!(tx, "windows", windows.len());
                    sqlx::query(self.sql(INSERT_WINDOWS))
                        .bind(json(&window_rows(first, windows)))
                        .bind(round.id.0)
                        .execute(&mut *tx)
                        .await?;
                }
                sqlx::query(SUM_UP).bind(round.id.0).execute(&mut *tx).await?;
            }
            live
        }))
    }

    /// The windows of a round that moved and whose people have not all heard it yet, the earliest first.
    pub async fn units_to_correct(&self, round: RoundId, limit: usize) -> Result<Vec<(i64, UnitId)>> {
        let rows: Vec<(i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, unit_id from windows where round_id = $1 and corrects = 1 order by starts_at, id limit $2",
            )
            .bind(round.0)
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(id, unit)| (id, UnitId(unit))).collect())
    }

    /// Of these contacts, those who have been told in this round, with whether that left: what was cancelled before it
    /// could leave has told nobody anything.
    pub async fn told_contacts(
        &self,
        round: &Round,
        contacts: &[ContactId],
    ) -> Result<HashMap<ContactId, bool>> {
        let sql = self.sql(
            "select d.contact_id, d.state from {rows} \
             join deliveries d on d.key = $2 || cast(cast(r.value->>'id' as bigint) as text)",
        );
        let rows: Vec<(i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(contacts.iter().map(|contact| contact.0)))
                .bind(format!("window:{}:{}:", round.id, round.plan_revision))
                .fetch_all(pool)
                .await?
        });
        Ok(rows
            .into_iter()
            .map(|(contact, state)| (ContactId(contact), state != "cancelled"))
            .collect())
    }

    /// Contacts to whom a dispatcher is sending an old time of this round at this moment.
    pub async fn hearing_old_times(&self, round: RoundId) -> Result<HashSet<ContactId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select contact_id from deliveries where state = 'sending' and superseded = 1 and round_id = $1",
            )
            .bind(round.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(contact,)| ContactId(contact)).collect())
    }

    /// Gives these residents a time of their own, if there is still room for them: one transaction that counts again.
    /// True also if they have it already. What waits to tell them the old time is cancelled.
    pub async fn take_own_window(&self, own: &OwnWindow, now: DateTime<Utc>) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let (starts, ends) = (own.starts_at.timestamp_millis(), own.ends_at.timestamp_millis());
        let residents = json_ids(own.residents.iter().map(|resident| resident.0));
        let history = format!("{now_ms} cancelled another time was chosen\n");
        Ok(in_transaction!(self, |tx| {
            // Both rows are locked by it, so that two who want the last place come one after the other.
            sqlx::query("update sites set name = name where id = $1")
                .bind(own.site.0)
                .execute(&mut *tx)
                .await?;
            let live = sqlx::query(
                "update rounds set moves = moves + 1, \
                   last_window_ends_at = case when last_window_ends_at < $2 then $2 else last_window_ends_at end \
                 where id = $1 and state in ('releasing', 'paused')",
            )
            .bind(own.round.0)
            .bind(ends)
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            let taken: Vec<(i64, i64, i64, i64)> = sqlx::query_as(self.sql(ROOM_TAKEN))
                .bind(&residents)
                .bind(starts)
                .bind(ends)
                .bind(own.round.0)
                .fetch_all(&mut *tx)
                .await?;
            let taken: Vec<TakenRoom> = taken.into_iter().map(taken_room).collect();
            if !live || own.residents.is_empty() || !has_room(own, &taken) {
                // Dropped without commit: nothing was changed.
                return Ok(false);
            }
            sqlx::query(self.sql(
                "delete from own_windows where round_id = $2 \
                   and resident_id in (select cast(r.value->>'id' as bigint) from {rows})",
            ))
            .bind(&residents)
            .bind(own.round.0)
            .execute(&mut *tx)
            .await?;
            let first = take_ids!(tx, "own_windows", own.residents.len());
            let rows: Vec<_> = (first..)
                .zip(&own.residents)
                .map(|(id, resident)| serde_json::json!({ "id": id, "resident": resident }))
                .collect();
            sqlx::query(self.sql(INSERT_OWN))
                .bind(json(&rows))
                .bind(own.round.0)
                .bind(own.unit.0)
                .bind(own.site.0)
                .bind(starts)
                .bind(ends)
                .bind(now_ms)
                .execute(&mut *tx)
                .await?;
            for sql in [CANCEL_OF_RESIDENTS, MARK_OF_RESIDENTS] {
                sqlx::query(self.sql(sql))
                    .bind(&residents)
                    .bind(own.round.0)
                    .bind(now_ms)
                    .bind(&history)
                    .execute(&mut *tx)
                    .await?;
            }
            true
        }))
    }
}

const MOVE: &str = "update windows set starts_at = cast(r.value->>'starts' as bigint), \
      ends_at = cast(r.value->>'ends' as bigint), over_capacity = cast(r.value->>'over' as bigint), \
      revision = revision + 1, moves = moves + case when released_at is null then 0 else 1 end, reminded_at = null, \
      green_ends_at = case when green_ends_at < cast(r.value->>'ends' as bigint) \
        then cast(r.value->>'ends' as bigint) else green_ends_at end \
    from {rows} where windows.id = cast(r.value->>'id' as bigint) and windows.round_id = $2";
const MOVE_OWN: &str = "update own_windows set starts_at = cast(r.value->>'starts' as bigint), \
      ends_at = cast(r.value->>'ends' as bigint), moves = moves + 1, reminded_at = null \
    from {rows} where own_windows.id = cast(r.value->>'id' as bigint) and own_windows.round_id = $2";
const CORRECT_OWN: &str = "update windows set corrects = 1 where round_id = $2 and unit_id in ( \
      select o.unit_id from {rows} join own_windows o on o.id = cast(r.value->>'id' as bigint))";
/// A contact of several units hears of all of them when the first is told, so the moment of a unit alone does not say
/// whether its people know.
const CORRECT_TOLD: &str = "update windows set corrects = 1 \
    where id in (select cast(r.value->>'id' as bigint) from {rows}) and (released_at is not null \
      or exists (select 1 from residents p join deliveries d \
        on d.key in ($2 || cast(p.phone_contact_id as text), $2 || cast(p.chat_contact_id as text)) \
        where p.unit_id = windows.unit_id and p.moved_out_at is null) \
      or exists (select 1 from contacts k join deliveries d on d.key = $2 || cast(k.id as text) \
        where k.unit_id = windows.unit_id))";
const CANCEL_SUPERSEDED: &str = "update deliveries set state = 'cancelled', changed_at = $2, history = history || $3 \
    where round_id = $1 and state in ('held', 'queued') and kind in ('window', 'reminder', 'correction') \
      and contact_id in ( \
        select p.phone_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.phone_contact_id is not null \
        union select p.chat_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.chat_contact_id is not null \
        union select k.id from windows w join contacts k on k.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1)";
const MARK_SUPERSEDED: &str = "update deliveries set superseded = 1 \
    where round_id = $1 and state = 'sending' and kind in ('window', 'reminder', 'correction') \
      and contact_id in ( \
        select p.phone_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.phone_contact_id is not null \
        union select p.chat_contact_id from windows w join residents p on p.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1 and p.chat_contact_id is not null \
        union select k.id from windows w join contacts k on k.unit_id = w.unit_id \
          where w.round_id = $1 and w.corrects = 1)";
const SUM_UP: &str = "update rounds set \
      over_capacity = (select count(*) from windows w where w.round_id = $1 and w.over_capacity = 1), \
      last_window_ends_at = (select max(t.ends_at) from ( \
        select w.ends_at from windows w where w.round_id = $1 \
        union all select w.green_ends_at from windows w where w.round_id = $1 and w.green_ends_at is not null \
        union all select o.ends_at from own_windows o where o.round_id = $1) t) \
    where id = $1";

/// What is taken of the city within `$2`–`$3`, without what these residents have in the round `$4`.
const ROOM_TAKEN: &str = "select t.site_id, t.starts_at, t.ends_at, cast(sum(t.people) as bigint) from ( \
      select w.round_id, w.site_id, w.starts_at, w.ends_at, w.people from windows w \
        where w.starts_at < $3 and w.ends_at > $2 \
      union all select o.round_id, o.site_id, o.starts_at, o.ends_at, 1 from own_windows o \
        where o.starts_at < $3 and o.ends_at > $2 and not (o.round_id = $4 \
          and o.resident_id in (select cast(r.value->>'id' as bigint) from {rows}))) t \
    join rounds a on a.id = t.round_id and a.state in ('releasing', 'paused') \
    group by t.site_id, t.starts_at, t.ends_at";
const INSERT_OWN: &str = "insert into own_windows (id, round_id, resident_id, unit_id, site_id, starts_at, ends_at, \
      changed_at) select cast(r.value->>'id' as bigint), $2, cast(r.value->>'resident' as bigint), $3, $4, $5, $6, $7 \
    from {rows}";
const CANCEL_OF_RESIDENTS: &str = "update deliveries set state = 'cancelled', changed_at = $3, history = history || $4 \
    where round_id = $2 and state in ('held', 'queued') and kind in ('window', 'reminder', 'correction') \
      and contact_id in (select p.phone_contact_id from {rows} \
          join residents p on p.id = cast(r.value->>'id' as bigint) where p.phone_contact_id is not null \
        union select p.chat_contact_id from {rows} \
          join residents p on p.id = cast(r.value->>'id' as bigint) where p.chat_contact_id is not null)";
const MARK_OF_RESIDENTS: &str = "update deliveries set superseded = 1 \
    where round_id = $2 and state = 'sending' and kind in ('window', 'reminder', 'correction') \
      and $3 > 0 and $4 <> '' and contact_id in (select p.phone_contact_id from {rows} \
          join residents p on p.id = cast(r.value->>'id' as bigint) where p.phone_contact_id is not null \
        union select p.chat_contact_id from {rows} \
          join residents p on p.id = cast(r.value->>'id' as bigint) where p.chat_contact_id is not null)";

/// The moves of units' windows or of own times, as the statements read them.
fn move_rows(moves: &[WindowMove], own: bool) -> String {
    let rows: Vec<_> = moves
        .iter()
        .filter(|to| to.own == own)
        .map(|to| {
            serde_json::json!({
                "id": to.row, "starts": to.starts_at.timestamp_millis(),
                "ends": to.ends_at.timestamp_millis(), "over": i64::from(to.over_capacity),
            })
        })
        .collect();
    json(&rows)
}

fn taken_room((site, starts_at, ends_at, people): (i64, i64, i64, i64)) -> TakenRoom {
    TakenRoom {
        site: SiteId(site),
        starts_at: instant(starts_at),
        ends_at: instant(ends_at),
        people: people as u32,
    }
}

/// Whether these people fit at their site, and into the city, in every minute: what is taken only grows where some
/// window starts, so it is enough to look there.
fn has_room(own: &OwnWindow, taken: &[TakenRoom]) -> bool {
    let rate = |people: u32, from: DateTime<Utc>, to: DateTime<Utc>| {
        f64::from(people) / ((to - from).num_seconds().max(60) as f64 / 60.0)
    };
    let wanted = rate(own.residents.len() as u32, own.starts_at, own.ends_at);
    let starts = taken
        .iter()
        .map(|room| room.starts_at)
        .filter(|at| *at > own.starts_at);
    std::iter::once(own.starts_at).chain(starts).all(|at| {
        let at_once = |here: bool| -> f64 {
            taken
                .iter()
                .filter(|room| (!here || room.site == own.site) && room.starts_at <= at && at < room.ends_at)
                .map(|room| rate(room.people, room.starts_at, room.ends_at))
                .sum()
        };
        at_once(true) + wanted <= own.site_per_minute + RATE_TOLERANCE
            && own
                .city_per_minute
                .is_none_or(|cap| at_once(false) + wanted <= cap + RATE_TOLERANCE)
    })
}

/// Row, unit, site, start, end, people, moves, told, recipients.
type MovableRow = (i64, i64, i64, i64, i64, i64, i64, i64, i64);
/// Row, unit, site, start, end, moves.
type OwnRow = (i64, i64, i64, i64, i64, i64);

/// The windows, and after them the own times: those of one home that are alike are one.
fn movable(rows: Vec<MovableRow>, own: Vec<OwnRow>) -> Vec<Movable> {
    let mut movable: Vec<Movable> = rows
        .into_iter()
        .map(
            |(id, unit, site, starts_at, ends_at, people, moves, told, recipients)| Movable {
                rows: vec![id],
                own: false,
                unit: UnitId(unit),
                site: SiteId(site),
                starts_at: instant(starts_at),
                ends_at: instant(ends_at),
                people: people as u32,
                recipients: recipients as u32,
                told: told == 1,
                moves: moves as u8,
            },
        )
        .collect();
    for (id, unit, site, starts_at, ends_at, moves) in own {
        let time = Movable {
            rows: vec![id],
            own: true,
            unit: UnitId(unit),
            site: SiteId(site),
            starts_at: instant(starts_at),
            ends_at: instant(ends_at),
            people: 1,
            recipients: 1,
            told: true,
            moves: moves as u8,
        };
        match movable.last_mut() {
            Some(last)
                if (
                    last.own,
                    last.unit,
                    last.site,
                    last.starts_at,
                    last.ends_at,
                    last.moves,
                ) == (
                    true,
                    time.unit,
                    time.site,
                    time.starts_at,
                    time.ends_at,
                    time.moves,
                ) =>
            {
                last.rows.push(id);
                last.people += 1;
            }
            _ => movable.push(time),
        }
    }
    movable
}
