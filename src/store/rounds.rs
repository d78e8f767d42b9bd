//! Rounds and their windows, and which units are to be told next.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    AudienceContact, Result, Store, in_transaction, json, on_pool,
    outbox::{AudienceRow, audience_contact},
    pacing::{CityMove, ToldCount},
    service::{instant, known},
    take_ids,
};
use crate::domain::{
    BuildingId, Coordinates, DeliveryState, GreenWindow, RoundId, RoundState, SiteId, UnitId, UnitPlace,
    Window,
};

/// Windows written by one statement.
const WINDOWS_PER_STATEMENT: usize = 10_000;

/// A planned round to be stored as a draft.
#[derive(Clone, Debug)]
pub struct NewRound {
    /// What was asked of the planner, as JSON.
    pub spec: String,
    /// What it answered, as JSON.
    pub summary: String,
    /// Its windows.
    pub windows: Vec<Window>,
}

/// A stored round.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Its id.
    pub id: RoundId,
    /// Its state.
    pub state: RoundState,
    /// Counts plans: 1 is the first.
    pub plan_revision: i64,
    /// What was asked of the planner, as JSON.
    pub spec: String,
    /// What it answered, as JSON.
    pub summary: String,
    /// Windows placed beyond capacity.
    pub over_capacity: i64,
    /// Recipients told a minute, once it is released.
    pub pace_per_minute: Option<f64>,
    /// When the next unit may be told.
    pub next_release_at: Option<DateTime<Utc>>,
    /// The end of the last window.
    pub last_window_ends_at: DateTime<Utc>,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// When it was released.
    pub released_at: Option<DateTime<Utc>>,
    /// Counts the times that windows of it moved: what was rendered before one of them is not written after it.
    pub moves: i64,
}

/// A unit and how many live there.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitWithPeople {
    /// The unit.
    pub unit: UnitId,
    /// Its building.
    pub building: BuildingId,
    /// Its path.
    pub place: UnitPlace,
    /// Residents.
    pub people: u32,
    /// Where its building lies, if known.
    pub coordinates: Option<Coordinates>,
}

/// A window whose unit is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitToTell {
    /// The window's row.
    pub window: i64,
    /// Its round.
    pub round: RoundId,
    /// Its unit.
    pub unit: UnitId,
    /// Its start.
    pub starts_at: DateTime<Utc>,
    /// Contacts that the notice will reach.
    pub recipients: u32,
}

/// What a dispatcher holds of a cancelled round does not wait again.
const MARK_CALLED_OFF: &str = "update deliveries set superseded = 1 \
    where round_id = $1 and state = 'sending' and $2 > 0 and kind in ('window', 'reminder', 'correction')";
/// Who knows a time of it that has not ended is to hear that it is off; nothing else of it is to be corrected.
const CORRECT_CALLED_OFF: &str = "update windows set corrects = case \
      when coalesce(released_at, known_at) is null then 0 \
      when ends_at > $2 or green_ends_at > $2 or exists (select 1 from own_windows o \
        where o.round_id = $1 and o.unit_id = windows.unit_id and o.ends_at > $2) then 1 \
      else 0 end where round_id = $1";

/// What a telling has to do with pacing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steering<'a> {
    /// How it moved the city's gate, if it passed it.
    pub city: Option<CityMove>,
    /// Whom each window's notice reaches.
    pub counts: &'a [ToldCount],
    /// It is the first of two steps: the link follows with the second.
    pub two_step: bool,
    /// Units of which these deliveries speak although their own turn has not come: a phone of several hears of all.
    pub known: &'a [UnitId],
    /// It says what is no longer so, and is written whatever became of the round.
    pub corrects: bool,
}

/// Households of a unit that no working contact reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silent {
    /// The unit.
    #[serde(flatten)]
    pub place: UnitPlace,
    /// Households.
    pub households: i64,
    /// The people in them.
    pub people: i64,
    /// Of the households, those that have a contact which said STOP.
    pub opted_out: i64,
}

#[derive(sqlx::FromRow)]
struct WindowRow {
    unit_id: i64,
    site_id: i64,
    starts_at: i64,
    ends_at: i64,
    people: i64,
    over_capacity: i64,
    green_site_id: Option<i64>,
    green_starts_at: Option<i64>,
    green_ends_at: Option<i64>,
    green_people: Option<i64>,
}

impl WindowRow {
    fn into_window(self) -> Window {
        let green = self
            .green_site_id
            .zip(self.green_starts_at)
            .zip(self.green_ends_at);
        Window {
            unit: UnitId(self.unit_id),
            site: SiteId(self.site_id),
            starts_at: instant(self.starts_at),
            ends_at: instant(self.ends_at),
            people: self.people as u32,
            over_capacity: self.over_capacity == 1,
            green: green.map(|((site, starts_at), ends_at)| GreenWindow {
                site: SiteId(site),
                starts_at: instant(starts_at),
                ends_at: instant(ends_at),
                people: self.green_people.unwrap_or_default() as u32,
            }),
        }
    }
}

#[derive(sqlx::FromRow)]
struct RoundRow {
    id: i64,
    state: String,
    plan_revision: i64,
    spec: String,
    summary: String,
    over_capacity: i64,
    pace_per_minute: Option<f64>,
    next_release_at: Option<i64>,
    last_window_ends_at: i64,
    created_at: i64,
    released_at: Option<i64>,
    moves: i64,
}

impl RoundRow {
    fn into_round(self) -> Result<Round> {
        Ok(Round {
            id: RoundId(self.id),
            state: known(RoundState::parse(&self.state), "rounds.state", &self.state)?,
            plan_revision: self.plan_revision,
            spec: self.spec,
            summary: self.summary,
            over_capacity: self.over_capacity,
            pace_per_minute: self.pace_per_minute,
            next_release_at: self.next_release_at.map(instant),
            last_window_ends_at: instant(self.last_window_ends_at),
            created_at: instant(self.created_at),
            released_at: self.released_at.map(instant),
            moves: self.moves,
        })
    }
}

/// The columns of a new window as [`window_rows`] gives them, in the round `$2`.
pub(super) const INSERT_WINDOWS: &str = "insert into windows (id, round_id, unit_id, site_id, starts_at, ends_at, people, \
       over_capacity, revision, green_site_id, green_starts_at, green_ends_at, green_people) \
     select cast(r.value->>'id' as bigint), $2, cast(r.value->>'unit' as bigint), \
       cast(r.value->>'site' as bigint), cast(r.value->>'starts' as bigint), \
       cast(r.value->>'ends' as bigint), cast(r.value->>'people' as bigint), \
       cast(r.value->>'over' as bigint), 1, cast(r.value->>'green_site' as bigint), \
       cast(r.value->>'green_starts' as bigint), cast(r.value->>'green_ends' as bigint), \
       cast(r.value->>'green_people' as bigint) from {rows}";

pub(super) fn window_rows(first: i64, windows: &[Window]) -> Vec<serde_json::Value> {
    (first..)
        .zip(windows)
        .map(|(id, window)| {
            let green = window.green.as_ref();
            serde_json::json!({
                "id": id, "unit": window.unit, "site": window.site, "people": window.people,
                "starts": window.starts_at.timestamp_millis(), "ends": window.ends_at.timestamp_millis(),
                "over": i64::from(window.over_capacity), "green_site": green.map(|green| green.site),
                "green_starts": green.map(|green| green.starts_at.timestamp_millis()),
                "green_ends": green.map(|green| green.ends_at.timestamp_millis()),
                "green_people": green.map(|green| green.people),
            })
        })
        .collect()
}

const ROUND: &str = "select id, state, plan_revision, spec, summary, over_capacity, pace_per_minute, \
    next_release_at, last_window_ends_at, created_at, released_at, moves from rounds \
    where $1 = 0 or id = $1 order by id";

/// The contact that a resident is reached by: the chat, where one is linked and works, else the phone.
const RECIPIENTS: &str = "select w.id, w.round_id, w.unit_id, w.starts_at, \
      (select count(distinct coalesce(chat.id, p.phone_contact_id)) from residents p \
       left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
       where p.unit_id = w.unit_id and p.moved_out_at is null) as recipients \
    from windows w where w.round_id = $1 and w.released_at is null and ($3 = 1 or {running}) \
    order by w.starts_at, w.id limit $2";

impl Store {
    /// Units with the people who live there; of these communities, or (none given) of all. Units where nobody
    /// lives are left out.
    pub async fn units_with_people(&self, communities: &[String]) -> Result<Vec<UnitWithPeople>> {
        type Row = (
            i64,
            i64,
            String,
            String,
            String,
            String,
            String,
            Option<f64>,
            Option<f64>,
            i64,
        );
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select u.id, p.people, c.district, c.street, c.name, b.name, u.name, b.lat, b.lon, b.id \
                 from (select unit_id, count(*) as people from residents where moved_out_at is null \
                   group by unit_id) p \
                 join units u on u.id = p.unit_id join buildings b on b.id = u.building_id \
                 join communities c on c.id = b.community_id",
            )
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .filter(|row| communities.is_empty() || communities.contains(&row.4))
            .map(
                |(id, people, district, street, community, building, unit, lat, lon, building_id)| {
                    UnitWithPeople {
                        unit: UnitId(id),
                        building: BuildingId(building_id),
                        place: UnitPlace {
                            district,
                            street,
                            community,
                            building,
                            unit,
                        },
                        people: people as u32,
                        coordinates: lat.zip(lon).map(|(lat, lon)| Coordinates { lat, lon }),
                    }
                },
            )
            .collect())
    }

    /// Stores a plan as a draft round.
    pub async fn create_round(&self, round: &NewRound, now: DateTime<Utc>) -> Result<RoundId> {
        let now = now.timestamp_millis();
        let last = round
            .windows
            .iter()
            .map(|window| {
                let green = window.green.as_ref().map(|green| green.ends_at);
                green.map_or(window.ends_at, |ends_at| ends_at.max(window.ends_at))
            })
            .map(|ends_at| ends_at.timestamp_millis())
            .max()
            .unwrap_or(now);
        let over = round.windows.iter().filter(|window| window.over_capacity).count();
        let id = in_transaction!(self, |tx| {
            let id = take_ids!(tx, "rounds", 1);
            sqlx::query(
                "insert into rounds (id, state, plan_revision, spec, summary, over_capacity, \
                   last_window_ends_at, created_at, changed_at) values ($1, 'draft', 1, $2, $3, $4, $5, $6, $6)",
            )
            .bind(id)
            .bind(&round.spec)
            .bind(&round.summary)
            .bind(over as i64)
            .bind(last)
            .bind(now)
            .execute(&mut *tx)
            .await?;
            for windows in round.windows.chunks(WINDOWS_PER_STATEMENT) {
                let first = take_ids!(tx, "windows", windows.len());
                sqlx::query(self.sql(INSERT_WINDOWS))
                    .bind(json(&window_rows(first, windows)))
                    .bind(id)
                    .execute(&mut *tx)
                    .await?;
            }
            id
        });
        Ok(RoundId(id))
    }

    /// One round.
    pub async fn round(&self, id: RoundId) -> Result<Option<Round>> {
        let row: Option<RoundRow> = on_pool!(self, |pool| {
            sqlx::query_as(ROUND).bind(id.0).fetch_optional(pool).await?
        });
        row.map(RoundRow::into_round).transpose()
    }

    /// Every round, the oldest first.
    pub async fn rounds(&self) -> Result<Vec<Round>> {
        let rows: Vec<RoundRow> = on_pool!(self, |pool| {
            sqlx::query_as(ROUND).bind(0i64).fetch_all(pool).await?
        });
        rows.into_iter().map(RoundRow::into_round).collect()
    }

    /// A round's windows, the earliest first.
    pub async fn windows(&self, round: RoundId) -> Result<Vec<Window>> {
        let rows: Vec<WindowRow> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select unit_id, site_id, starts_at, ends_at, people, over_capacity, green_site_id, \
                   green_starts_at, green_ends_at, green_people from windows \
                 where round_id = $1 order by starts_at, id",
            )
            .bind(round.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(WindowRow::into_window).collect())
    }

    /// The units of a round that have not been told, in the order in which they are told, with the contacts that
    /// each notice will reach.
    pub async fn units_to_tell(&self, round: RoundId, limit: usize) -> Result<Vec<UnitToTell>> {
        self.untold(round, limit, false).await
    }

    /// Every unit that is still to be told, in the order of their windows, open incidents or not: what a round's pace
    /// must be enough for.
    pub async fn untold_units(&self, round: RoundId) -> Result<Vec<UnitToTell>> {
        self.untold(round, usize::MAX >> 1, true).await
    }

    async fn untold(&self, round: RoundId, limit: usize, stopped_too: bool) -> Result<Vec<UnitToTell>> {
        let rows: Vec<ToTellRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql(RECIPIENTS))
                .bind(round.0)
                .bind(limit as i64)
                .bind(i64::from(stopped_too))
                .fetch_all(pool)
                .await?
        });
        Ok(rows.into_iter().map(unit_to_tell).collect())
    }

    /// Lets a draft go at a pace; false when it is no draft any more.
    pub async fn start_release(
        &self,
        round: RoundId,
        pace_per_minute: f64,
        first_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update rounds set state = 'releasing', pace_per_minute = $2, next_release_at = $3, \
                   released_at = $4, changed_at = $4 where id = $1 and state = 'draft'",
            )
            .bind(round.0)
            .bind(pace_per_minute)
            .bind(first_at.timestamp_millis())
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1
        }))
    }

    /// Moves a round from one of `from` to `to`; false when it was in none of them. Its waiting deliveries move
    /// along: a paused round holds them, save the corrections, a resumed one queues them, a cancelled one cancels them,
    /// and those who know a time that has not ended are to hear that it is off.
    pub async fn move_round(
        &self,
        round: RoundId,
        from: &[RoundState],
        to: RoundState,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let states: Vec<_> = from
            .iter()
            .map(|state| serde_json::json!({ "state": state.as_str() }))
            .collect();
        let sql = self.sql(
            "update rounds set state = $2, changed_at = $3 where id = $4 \
             and state in (select r.value->>'state' from {rows})",
        );
        let (waiting, becomes) = match to {
            RoundState::Paused => ("queued", DeliveryState::Held),
            RoundState::Releasing => ("held", DeliveryState::Queued),
            RoundState::Cancelled => ("held queued", DeliveryState::Cancelled),
            RoundState::Draft | RoundState::Done => ("", DeliveryState::Cancelled),
        };
        Ok(in_transaction!(self, |tx| {
            let moved = sqlx::query(sql)
                .bind(json(&states))
                .bind(to.as_str())
                .bind(now_ms)
                .bind(round.0)
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if moved {
                for state in waiting.split_whitespace() {
                    sqlx::query(
                        "update deliveries set state = $3, changed_at = $4, history = history || $5 \
                         where round_id = $1 and state = $2 and ($3 <> 'held' or kind <> 'correction')",
                    )
                    .bind(round.0)
                    .bind(state)
                    .bind(becomes.as_str())
                    .bind(now_ms)
                    .bind(format!(
                        "{now_ms} {} the round was {}\n",
                        becomes.as_str(),
                        said(to)
                    ))
                    .execute(&mut *tx)
                    .await?;
                }
            }
            if moved && to == RoundState::Cancelled {
                for sql in [MARK_CALLED_OFF, CORRECT_CALLED_OFF] {
                    sqlx::query(sql)
                        .bind(round.0)
                        .bind(now_ms)
                        .execute(&mut *tx)
                        .await?;
                }
            }
            moved
        }))
    }

    /// Rounds that are over: every window has ended, no delivery is open, and no incident lasts that kept people from their
    /// test, who may get another time. Marks them done; gives how many.
    pub async fn finish_rounds(&self, now: DateTime<Utc>) -> Result<u64> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update rounds set state = 'done', changed_at = $1 where state = 'releasing' \
                   and last_window_ends_at < $1 and not exists (select 1 from windows w where w.round_id = rounds.id \
                   and w.called_at is null) and not exists (select 1 from incidents i join incident_windows k \
                   on k.incident_id = i.id where i.state = 'open' and k.round_id = rounds.id) \
                   and not exists (select 1 from deliveries d \
                   where d.round_id = rounds.id and d.state in ('held', 'queued', 'sending', 'accepted'))",
            )
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        }))
    }

    /// Households of a round's units that no working contact reaches, by unit. Who is reached by a chat is not
    /// written to by phone, so a chat that was stopped leaves its resident in silence.
    pub async fn silent_households(&self, round: RoundId) -> Result<Vec<Silent>> {
        type Row = (String, String, String, String, String, i64, i64, i64);
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select c.district, c.street, c.name, b.name, u.name, count(*), cast(sum(h.people) as bigint), \
                   cast(sum(h.opted_out) as bigint) from ( \
                   select p.unit_id, count(*) as people, \
                     max(case when coalesce(chat.state, phone.state) = 'active' then 1 else 0 end) as reached, \
                     max(case when coalesce(chat.state, phone.state) = 'stopped' then 1 else 0 end) as opted_out \
                   from windows w join residents p on p.unit_id = w.unit_id and p.moved_out_at is null \
                   left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
                   left join contacts phone on phone.id = p.phone_contact_id \
                   where w.round_id = $1 group by p.unit_id, p.household_hash) h \
                 join units u on u.id = h.unit_id join buildings b on b.id = u.building_id \
                 join communities c on c.id = b.community_id where h.reached = 0 \
                 group by c.district, c.street, c.name, b.name, u.name",
            )
            .bind(round.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(
                |(district, street, community, building, unit, households, people, opted_out)| Silent {
                    place: UnitPlace {
                        district,
                        street,
                        community,
                        building,
                        unit,
                    },
                    households,
                    people,
                    opted_out,
                },
            )
            .collect())
    }

    /// People on the roster whose unit has no window in this round, by unit.
    pub async fn without_window(&self, round: RoundId) -> Result<Vec<(UnitPlace, i64)>> {
        let rows: Vec<(String, String, String, String, String, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select c.district, c.street, c.name, b.name, u.name, p.people from ( \
                   select unit_id, count(*) as people from residents where moved_out_at is null group by unit_id) p \
                 join units u on u.id = p.unit_id join buildings b on b.id = u.building_id \
                 join communities c on c.id = b.community_id \
                 where not exists (select 1 from windows w where w.round_id = $1 and w.unit_id = p.unit_id)",
            )
            .bind(round.0)
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(district, street, community, building, unit, people)| {
                (
                    UnitPlace {
                        district,
                        street,
                        community,
                        building,
                        unit,
                    },
                    people,
                )
            })
            .collect())
    }

    /// Contacts of told units whose window is still to come and to whom no notice of it was written: people who came
    /// onto the roster after their unit was told, and phones of those whose chat has stopped working.
    pub async fn untold_contacts(
        &self,
        round: &Round,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<AudienceContact>> {
        let rows: Vec<AudienceRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql(
                "select distinct c.id, c.channel, c.state, c.language from windows w \
                 join residents p on p.unit_id = w.unit_id and p.moved_out_at is null \
                 left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
                 join contacts c on c.id = coalesce(chat.id, p.phone_contact_id) and c.state <> 'unreachable' \
                 where w.round_id = $1 and w.released_at is not null and w.starts_at > $2 \
                   and not exists (select 1 from deliveries d where d.key = $3 || cast(c.id as text)) \
                   and {running} order by c.id limit $4",
            ))
            .bind(round.id.0)
            .bind(now.timestamp_millis())
            .bind(format!("window:{}:{}:", round.id, round.plan_revision))
            .bind(limit as i64)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(audience_contact).collect()
    }

    /// Changes whenever somebody may have become untold: by an import, or by a contact that stopped working.
    pub async fn audience_version(&self) -> Result<(i64, i64)> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select (select next from ids where name = 'residents'), \
                   (select coalesce(max(changed_at), 0) from contacts where state = 'unreachable')",
            )
            .fetch_one(pool)
            .await?
        }))
    }

    /// Raises a releasing round's pace; a lower one is left as it is.
    pub async fn raise_pace(&self, round: RoundId, per_minute: f64) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("update rounds set pace_per_minute = $2 where id = $1 and pace_per_minute < $2")
                .bind(round.0)
                .bind(per_minute)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Other released rounds with a window still to come for a unit of this one.
    pub async fn overlapping_rounds(&self, round: RoundId, now: DateTime<Utc>) -> Result<Vec<RoundId>> {
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select o.id from rounds o where o.id <> $1 and o.state in ('releasing', 'paused') \
                   and exists (select 1 from windows mine join windows theirs on theirs.unit_id = mine.unit_id \
                     where mine.round_id = $1 and theirs.round_id = o.id and theirs.ends_at > $2 \
                       and abs(theirs.starts_at - mine.starts_at) < 86400000) order by o.id",
            )
            .bind(round.0)
            .bind(now.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows.into_iter().map(|(id,)| RoundId(id)).collect())
    }

    /// Units of a round told so far, and all.
    pub async fn told(&self, round: RoundId) -> Result<(i64, i64)> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select cast(coalesce(sum(case when released_at is null then 0 else 1 end), 0) as bigint), \
                 count(*) from windows where round_id = $1",
            )
            .bind(round.0)
            .fetch_one(pool)
            .await?
        }))
    }
}

pub(super) type ToTellRow = (i64, i64, i64, i64, i64);

pub(super) fn unit_to_tell((window, round, unit, starts_at, recipients): ToTellRow) -> UnitToTell {
    UnitToTell {
        window,
        round: RoundId(round),
        unit: UnitId(unit),
        starts_at: instant(starts_at),
        recipients: recipients as u32,
    }
}

fn said(to: RoundState) -> &'static str {
    match to {
        RoundState::Paused => "paused",
        RoundState::Releasing => "resumed",
        RoundState::Cancelled => "cancelled",
        RoundState::Draft | RoundState::Done => "moved",
    }
}
