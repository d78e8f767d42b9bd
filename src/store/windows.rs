//! Whom a window concerns and what they are told of it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{
    NewDelivery, Result, Round, Store, StoreError, in_transaction, json, json_ids, on_pool,
    outbox::{INSERT, INSERT_BODIES},
    pacing::{COUNT_TOLD, ENSURE_PACING, MOVE_GATE},
    roster::{PERSONAL, Personal},
    rounds::Steering,
    service::instant,
    take_ids,
};
use crate::domain::{
    ContactId, Coordinates, Lane, ResidentId, RoundId, SiteId, Tag, UnitId, UnitPlace, WindowView,
};

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

/// Notes with windows of a round what the deliveries written with it say: whom they reach, what is done, who else knows.
macro_rules! mark_windows {
    ($store:expr, $tx:ident, $round:expr, $marks:expr, $steering:expr, $now:expr) => {
        if !$steering.counts.is_empty() {
            sqlx::query($store.sql(COUNT_TOLD))
                .bind(json(&$steering.counts))
                .execute(&mut *$tx)
                .await?;
        }
        for (mark, rows) in $marks {
            sqlx::query($store.sql(mark))
                .bind(json_ids(rows.iter().copied()))
                .bind($now.timestamp_millis())
                .execute(&mut *$tx)
                .await?;
        }
        if !$steering.known.is_empty() {
            sqlx::query($store.sql(MARK_KNOWN))
                .bind(json_ids($steering.known.iter().map(|unit| unit.0)))
                .bind($now.timestamp_millis())
                .bind($round.id.0)
                .execute(&mut *$tx)
                .await?;
        }
    };
}

const MARK_KNOWN: &str = "update windows set known_at = $2 where round_id = $3 \
    and released_at is null and known_at is null \
    and unit_id in (select cast(r.value->>'id' as bigint) from {rows})";

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
    /// The places of those who asked for another time stay counted: nobody else has them. Who is sampled at home is
    /// registered all the same, and is counted at no site (0).
    pub async fn taken_room(&self, except: Option<RoundId>, after: DateTime<Utc>) -> Result<Vec<TakenRoom>> {
        let rows: Vec<(i64, i64, i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select t.site_id, t.starts_at, t.ends_at, cast(sum(t.people) as bigint) from ( \
                   select w.round_id, w.site_id, w.starts_at, w.ends_at, w.people from windows w \
                   union all select o.round_id, o.site_id, o.starts_at, o.ends_at, 1 from own_windows o) t \
                 join rounds r on r.id = t.round_id and r.state in ('releasing', 'paused') \
                 where t.ends_at > $1 and t.round_id <> $2 and t.people > 0 \
                 group by t.site_id, t.starts_at, t.ends_at \
                 union all select 0, v.planned_at, v.planned_at + 600000, cast(sum(v.people) as bigint) \
                   from visits v where v.state in ('scheduled', 'on_the_way') and v.planned_at + 600000 > $1 \
                   group by v.planned_at order by 1, 2, 3",
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
        known: &[UnitId],
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let steering = Steering {
            known,
            corrects: true,
            ..Steering::default()
        };
        let mark = "update windows set corrects = 0, corrected_at = $2 \
            where id in (select cast(r.value->>'id' as bigint) from {rows})";
        let written = self
            .write_for(
                round,
                &[(mark, windows.to_vec())],
                deliveries,
                None,
                &steering,
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
        known: &[UnitId],
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let steering = Steering {
            known,
            ..Steering::default()
        };
        let written = self
            .write_for(round, &[], deliveries, None, &steering, now)
            .await?;
        Ok(written.unwrap_or_default())
    }

    /// Deliveries of a releasing round with its marks, together; none when the round has stopped (what corrects does not
    /// ask for that), or its windows have moved since it was read, so that no text with an old time is written after its
    /// correction.
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
                 where id = $1 and (state = 'releasing' or ($4 = 1 and state in ('paused', 'cancelled'))) and moves = $3",
            )
            .bind(round.id.0)
            .bind(next.map(|at| at.timestamp_millis()))
            .bind(round.moves)
            .bind(i64::from(steering.corrects))
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
                mark_windows!(self, tx, round, marks, steering, now);
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
}

pub(super) fn taken_room((site, starts_at, ends_at, people): (i64, i64, i64, i64)) -> TakenRoom {
    TakenRoom {
        site: SiteId(site),
        starts_at: instant(starts_at),
        ends_at: instant(ends_at),
        people: people as u32,
    }
}
