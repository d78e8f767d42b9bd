//! What workers have to say to residents: the broadcasts themselves, whom each concerns, and how far each has come.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    AudienceContact, CityMove, NewAudit, NewDelivery, Result, Store, StoreError, append_audit,
    in_transaction, json, json_ids, on_pool,
    outbox::{INSERT, INSERT_BODIES},
    pacing::{ENSURE_PACING, MOVE_GATE},
    roster::{PERSONAL, Personal},
    service::{instant, known},
    take_ids,
};
use crate::domain::{
    Actor, Audience, BroadcastCount, BroadcastId, BroadcastState, ChannelKind, ContactId, DeliveryState,
    Language, Missed, PlaceRule, ResidentId, Tag, UnitId, UnitPlace, Words, natural_cmp,
};

pub(super) const WORDS: &str = "broadcasts.words";

/// A broadcast to be written down.
#[derive(Clone, Debug)]
pub struct NewBroadcast {
    /// What makes it: the same thing makes it once.
    pub origin: String,
    /// Who wrote it.
    pub author: Actor,
    /// Whom it concerns.
    pub audience: Audience,
    /// In which words.
    pub words: Words,
    /// It makes nobody register, so no gate holds it.
    pub calm: bool,
    /// As counted.
    pub count: BroadcastCount,
    /// When it repeats: five fields of cron, in the city's time.
    pub cron: Option<String>,
    /// What happens to a run that was missed.
    pub missed: Missed,
    /// A message that has not left after so many hours is of no more use.
    pub expires_hours: u32,
}

/// A broadcast as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// Its id.
    pub id: BroadcastId,
    /// How far it is.
    pub state: BroadcastState,
    /// Who wrote it.
    pub author: Actor,
    /// Whom it concerns.
    pub audience: Audience,
    /// In which words; none once they are erased.
    pub words: Words,
    /// It makes nobody register, so no gate holds it.
    pub calm: bool,
    /// People at most, as it was confirmed or approved.
    pub greatest: u64,
    /// As counted when it was written, or when its run began.
    pub count: BroadcastCount,
    /// When it repeats.
    pub cron: Option<String>,
    /// What happens to a run that was missed.
    pub missed: Missed,
    /// The repeating one that this is a run of.
    pub series: Option<BroadcastId>,
    /// When this run was due, as local date and time; empty where it is no run.
    pub due: String,
    /// Until when the timetable of a repeating one was looked at.
    pub looked_at: Option<DateTime<Utc>>,
    /// Who approved it, if that was needed.
    pub approved_by: Option<Actor>,
    /// Units up to this one are written into the outbox.
    pub cursor: UnitId,
    /// All of its audience is written into the outbox.
    pub written_all: bool,
    /// A message that has not left after so many hours is of no more use.
    pub expires_hours: u32,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it began to go out.
    pub begun_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its author has heard how it ended.
    pub reported: bool,
}

impl Broadcast {
    /// After this its messages are of no more use.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.begun_at.unwrap_or(self.created_at) + TimeDelta::hours(i64::from(self.expires_hours))
    }
}

/// A unit, and somebody there whom a broadcast may concern: a resident, or a chat that chose it as home.
#[derive(Clone, Debug)]
pub struct BroadcastPerson {
    /// Their unit.
    pub unit: UnitId,
    /// Who; none for a chat that chose the unit as home.
    pub resident: Option<ResidentId>,
    /// Their tags, where they were asked for.
    pub tags: Vec<Tag>,
    /// What reaches them.
    pub contact: Option<AudienceContact>,
}

/// Somebody whom a broadcast did not reach: personal data.
#[derive(Clone, Debug)]
pub struct Unreached {
    /// Where.
    pub place: UnitPlace,
    /// The door.
    pub door: String,
    /// Who.
    pub name: String,
    /// What became of the message: a delivery's state, or that there was no way.
    pub state: String,
}

/// The audience's places as rows, and the condition that a unit is in one of them: `{rows}` and the aliases c, b, u.
fn place_rows(places: &[PlaceRule]) -> Vec<serde_json::Value> {
    let row = |rule: &PlaceRule| {
        let at = |index: usize| rule.0.get(index);
        serde_json::json!({ "d": at(0), "s": at(1), "c": at(2), "b": at(3), "u": at(4) })
    };
    if places.is_empty() {
        return vec![row(&PlaceRule::default())];
    }
    places.iter().map(row).collect()
}

const IN_PLACES: &str = "exists (select 1 from {rows} where (r.value->>'d' is null or r.value->>'d' = c.district) \
    and (r.value->>'s' is null or r.value->>'s' = c.street) and (r.value->>'c' is null or r.value->>'c' = c.name) \
    and (r.value->>'b' is null or r.value->>'b' = b.name) and (r.value->>'u' is null or r.value->>'u' = u.name))";

#[derive(sqlx::FromRow)]
struct BroadcastRow {
    id: i64,
    state: String,
    author: String,
    audience: String,
    words: String,
    calm: i64,
    greatest: i64,
    counts: String,
    cron: String,
    missed: String,
    series_id: Option<i64>,
    due: String,
    looked_at: Option<i64>,
    approved_by: String,
    cursor_unit: i64,
    written_all: i64,
    expires_hours: i64,
    created_at: i64,
    begun_at: Option<i64>,
    ended_at: Option<i64>,
    reported_at: Option<i64>,
}

const COLUMNS: &str = "select id, state, author, audience, words, calm, greatest, counts, cron, missed, series_id, \
    due, looked_at, approved_by, cursor_unit, written_all, expires_hours, created_at, begun_at, ended_at, reported_at \
    from broadcasts";

type PersonRow = (
    i64,
    Option<i64>,
    String,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// The people of some units, or behind some contacts: each with what reaches them. `{which}` chooses the residents `p`.
const RESIDENTS: &str = "select p.unit_id, p.id, case when $2 = 1 then p.personal else '' end, x.id, x.channel, \
      x.state, x.language from {rows} join residents p on {which} and p.moved_out_at is null \
    left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
    left join contacts x on x.id = coalesce(chat.id, p.phone_contact_id)";

/// What becomes of a repeating broadcast becomes of its runs.
fn runs_follow(to: BroadcastState) -> &'static [&'static str] {
    match to {
        BroadcastState::Paused => &["update broadcasts set state = $2, changed_at = $3 \
            where series_id = $1 and state = 'sending'"],
        BroadcastState::Sending => &["update broadcasts set state = $2, changed_at = $3 \
            where series_id = $1 and state = 'paused'"],
        _ => &[
            "update broadcasts set state = $2, changed_at = $3, ended_at = $3 \
            where series_id = $1 and state in ('waiting', 'sending', 'paused')",
        ],
    }
}

impl Store {
    fn broadcast_row(&self, row: BroadcastRow) -> Result<Broadcast> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("broadcasts.{what} of {}", row.id));
        let words = if row.words.is_empty() {
            Words::default()
        } else {
            let plain = self.keys.open(WORDS, row.id, &row.words)?;
            serde_json::from_slice(&plain).map_err(|_| corrupt("words"))?
        };
        Ok(Broadcast {
            id: BroadcastId(row.id),
            state: known(BroadcastState::parse(&row.state), "broadcasts.state", &row.state)?,
            author: known(row.author.parse().ok(), "broadcasts.author", &row.author)?,
            audience: serde_json::from_str(&row.audience).map_err(|_| corrupt("audience"))?,
            words,
            calm: row.calm == 1,
            greatest: row.greatest as u64,
            count: serde_json::from_str(&row.counts).map_err(|_| corrupt("counts"))?,
            cron: Some(row.cron).filter(|cron| !cron.is_empty()),
            missed: known(row.missed.parse().ok(), "broadcasts.missed", &row.missed)?,
            series: row.series_id.map(BroadcastId),
            due: row.due,
            looked_at: row.looked_at.map(instant),
            approved_by: row.approved_by.parse().ok(),
            cursor: UnitId(row.cursor_unit),
            written_all: row.written_all == 1,
            expires_hours: row.expires_hours as u32,
            created_at: instant(row.created_at),
            begun_at: row.begun_at.map(instant),
            ended_at: row.ended_at.map(instant),
            reported: row.reported_at.is_some(),
        })
    }

    async fn broadcast_list(&self, condition: &'static str, value: i64) -> Result<Vec<Broadcast>> {
        let sql = self.sql_of(&format!("{COLUMNS} where {condition} order by id"));
        let rows: Vec<BroadcastRow> = on_pool!(self, |pool| {
            sqlx::query_as(sql).bind(value).fetch_all(pool).await?
        });
        rows.into_iter().map(|row| self.broadcast_row(row)).collect()
    }

    /// Every broadcast, the oldest first.
    pub async fn broadcasts(&self) -> Result<Vec<Broadcast>> {
        self.broadcast_list("id > $1", 0).await
    }

    /// Those that go out, are paused, or repeat.
    pub async fn broadcasts_at_work(&self) -> Result<Vec<Broadcast>> {
        self.broadcast_list("state in ('sending', 'active', 'paused') and id > $1", 0)
            .await
    }

    /// Those that have ended and whose author has not heard it.
    pub async fn broadcasts_to_report(&self) -> Result<Vec<Broadcast>> {
        self.broadcast_list(
            "state in ('done', 'cancelled') and begun_at is not null and reported_at is null and id > $1",
            0,
        )
        .await
    }

    /// One broadcast.
    pub async fn broadcast(&self, id: BroadcastId) -> Result<Option<Broadcast>> {
        Ok(self.broadcast_list("id = $1", id.0).await?.pop())
    }

    /// The broadcast that this made.
    pub async fn broadcast_of(&self, origin: &str) -> Result<Option<BroadcastId>> {
        let row: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as("select id from broadcasts where origin = $1")
                .bind(origin)
                .fetch_optional(pool)
                .await?
        });
        Ok(row.map(|(id,)| BroadcastId(id)))
    }

    /// Writes a draft down, on record. What made one before gives that one.
    pub async fn draft_broadcast(&self, new: &NewBroadcast, now: DateTime<Utc>) -> Result<BroadcastId> {
        let words = serde_json::to_vec(&new.words).expect("words always serialise");
        Ok(in_transaction!(self, |tx| {
            let id = take_ids!(tx, "broadcasts", 1);
            let added = sqlx::query(
                "insert into broadcasts (id, origin, state, author, audience, words, calm, greatest, counts, cron, \
                   missed, expires_hours, created_at, changed_at) \
                 values ($1, $2, 'draft', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) \
                 on conflict (origin) do nothing",
            )
            .bind(id)
            .bind(&new.origin)
            .bind(new.author.to_string())
            .bind(json(&new.audience))
            .bind(self.keys.seal(WORDS, id, &words))
            .bind(i64::from(new.calm))
            .bind(new.count.people as i64)
            .bind(json(&new.count))
            .bind(new.cron.as_deref().unwrap_or_default())
            .bind(new.missed.as_str())
            .bind(i64::from(new.expires_hours))
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if added == 1 {
                let said = NewAudit::new(new.author, "broadcast.write", format!("broadcast:{id}"))
                    .with(json(&new.audience));
                append_audit!(self, tx, &said, now);
            }
            let (id,): (i64,) = sqlx::query_as("select id from broadcasts where origin = $1")
                .bind(&new.origin)
                .fetch_one(&mut *tx)
                .await?;
            BroadcastId(id)
        }))
    }

    /// Its author confirms a draft by its count: it waits for another's approval, or begins. False when it was no draft.
    pub async fn confirm_broadcast(
        &self,
        id: BroadcastId,
        actor: Actor,
        needs_approval: bool,
        greatest: u64,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let sql = "update broadcasts set state = case when $2 = 1 then 'waiting' when cron <> '' then 'active' \
              else 'sending' end, greatest = $3, changed_at = $4, \
              begun_at = case when $2 = 0 and cron = '' then cast($4 as bigint) end, \
              looked_at = case when $2 = 0 and cron <> '' then cast($4 as bigint) end \
            where id = $1 and state = 'draft'";
        Ok(in_transaction!(self, |tx| {
            let confirmed = sqlx::query(sql)
                .bind(id.0)
                .bind(i64::from(needs_approval))
                .bind(greatest as i64)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if confirmed {
                let said = NewAudit::new(actor, "broadcast.confirm", format!("broadcast:{id}"))
                    .with(format!("{greatest} people"));
                append_audit!(self, tx, &said, now);
            }
            confirmed
        }))
    }

    /// Another than its author approves what waits, up to so many people: it begins. False when it did not wait, or the
    /// approver wrote it.
    pub async fn approve_broadcast(
        &self,
        id: BroadcastId,
        actor: Actor,
        greatest: u64,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let sql = "update broadcasts set state = case when cron <> '' then 'active' else 'sending' end, greatest = $3, \
              approved_by = $2, approved_at = $4, changed_at = $4, \
              begun_at = case when cron = '' then cast($4 as bigint) end, \
              looked_at = case when cron <> '' then cast($4 as bigint) end \
            where id = $1 and state = 'waiting' and author <> $2";
        Ok(in_transaction!(self, |tx| {
            let approved = sqlx::query(sql)
                .bind(id.0)
                .bind(actor.to_string())
                .bind(greatest as i64)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if approved {
                let said = NewAudit::new(actor, "broadcast.approve", format!("broadcast:{id}"))
                    .with(format!("{greatest} people"));
                append_audit!(self, tx, &said, now);
            }
            approved
        }))
    }

    /// Moves a broadcast from one of `from` to `to`, on record; false when it was in none of them. What has not left
    /// moves along: a pause holds it, going on queues it, a cancellation withdraws it.
    pub async fn move_broadcast(
        &self,
        id: BroadcastId,
        from: &[BroadcastState],
        to: BroadcastState,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now_ms = now.timestamp_millis();
        let states: Vec<_> = from
            .iter()
            .map(|state| serde_json::json!({ "state": state.as_str() }))
            .collect();
        // What repeats goes on repeating; everything else goes on going out.
        let sql = self.sql(
            "update broadcasts set state = case when $2 = 'sending' and cron <> '' then 'active' else $2 end, \
               changed_at = $3, ended_at = case when $2 = 'cancelled' then cast($3 as bigint) end, \
               looked_at = case when $2 = 'sending' and cron <> '' then cast($3 as bigint) else looked_at end \
             where id = $4 and state in (select r.value->>'state' from {rows})",
        );
        let (waiting, becomes, what): (&[&str], _, _) = match to {
            BroadcastState::Paused => (&["queued"], DeliveryState::Held, "pause"),
            BroadcastState::Sending => (&["held"], DeliveryState::Queued, "resume"),
            _ => (&["held", "queued"], DeliveryState::Cancelled, "cancel"),
        };
        let runs = runs_follow(to);
        Ok(in_transaction!(self, |tx| {
            let moved = sqlx::query(sql)
                .bind(json(&states))
                .bind(to.as_str())
                .bind(now_ms)
                .bind(id.0)
                .execute(&mut *tx)
                .await?
                .rows_affected()
                == 1;
            if moved {
                for &run in runs {
                    sqlx::query(run)
                        .bind(id.0)
                        .bind(to.as_str())
                        .bind(now_ms)
                        .execute(&mut *tx)
                        .await?;
                }
                for state in waiting {
                    sqlx::query(
                        "update deliveries set state = $3, changed_at = $4, history = history || $5 \
                         where (broadcast_id = $1 or broadcast_id in (select b.id from broadcasts b where b.series_id = $1)) \
                           and state = $2",
                    )
                    .bind(id.0)
                    .bind(state)
                    .bind(becomes.as_str())
                    .bind(now_ms)
                    .bind(format!(
                        "{now_ms} {} the broadcast was moved to {}\n",
                        becomes.as_str(),
                        to.as_str()
                    ))
                    .execute(&mut *tx)
                    .await?;
                }
                let what = format!("broadcast.{what}");
                append_audit!(
                    self,
                    tx,
                    &NewAudit::new(actor, what, format!("broadcast:{id}")),
                    now
                );
            }
            moved
        }))
    }

    /// Notes a run of a repeating broadcast and that its timetable was looked at until `now`, together; none where that
    /// run is on record already, or the repeating one is not active any more. A run of more people than approved waits.
    pub async fn begin_run(
        &self,
        series: &Broadcast,
        due: &str,
        state: BroadcastState,
        count: &BroadcastCount,
        now: DateTime<Utc>,
    ) -> Result<Option<BroadcastId>> {
        let words = serde_json::to_vec(&series.words).expect("words always serialise");
        let now_ms = now.timestamp_millis();
        let begun = (state == BroadcastState::Sending).then_some(now_ms);
        let ended = (state == BroadcastState::Skipped).then_some(now_ms);
        Ok(in_transaction!(self, |tx| {
            let active =
                sqlx::query("update broadcasts set looked_at = $2 where id = $1 and state = 'active'")
                    .bind(series.id.0)
                    .bind(now_ms)
                    .execute(&mut *tx)
                    .await?
                    .rows_affected()
                    == 1;
            let mut run = None;
            if active {
                let id = take_ids!(tx, "broadcasts", 1);
                let added = sqlx::query(
                    "insert into broadcasts (id, origin, state, author, audience, words, calm, greatest, counts, missed, \
                       series_id, due, approved_by, approved_at, expires_hours, created_at, begun_at, ended_at, changed_at) \
                     select $1, $2, $3, author, audience, $4, calm, greatest, $5, missed, id, $6, approved_by, \
                       approved_at, expires_hours, $7, $8, $9, $7 from broadcasts where id = $10 \
                     on conflict do nothing",
                )
                .bind(id)
                .bind(format!("run:{}:{due}", series.id))
                .bind(state.as_str())
                .bind(self.keys.seal(WORDS, id, &words))
                .bind(json(count))
                .bind(due)
                .bind(now_ms)
                .bind(begun)
                .bind(ended)
                .bind(series.id.0)
                .execute(&mut *tx)
                .await?
                .rows_affected()
                    == 1;
                if added {
                    let said = NewAudit::new(Actor::Weir, "broadcast.run", format!("broadcast:{id}")).with(
                        format!("of broadcast:{}, due {due}: {}", series.id, state.as_str()),
                    );
                    append_audit!(self, tx, &said, now);
                    run = Some(BroadcastId(id));
                }
            }
            run
        }))
    }

    /// What lies right within a place, as people list it; nothing within a unit.
    pub async fn places_below(&self, place: &PlaceRule) -> Result<Vec<PlaceRule>> {
        const LEVELS: [&str; 5] = ["c.district", "c.street", "c.name", "b.name", "u.name"];
        let Some(level) = LEVELS.get(place.0.len()) else {
            return Ok(Vec::new());
        };
        let sql = self.sql_of(&format!(
            "select distinct {level} from communities c join buildings b on b.community_id = c.id \
             join units u on u.building_id = b.id where {IN_PLACES}"
        ));
        let rows: Vec<(String,)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json(&place_rows(std::slice::from_ref(place))))
                .fetch_all(pool)
                .await?
        });
        let mut names: Vec<String> = rows.into_iter().map(|(name,)| name).collect();
        names.sort_by(|a, b| natural_cmp(a, b));
        let below = |name| PlaceRule(place.0.iter().cloned().chain([name]).collect());
        Ok(names.into_iter().map(below).collect())
    }

    /// Units of the audience after `cursor`, in the order of their ids.
    pub async fn broadcast_units(
        &self,
        audience: &Audience,
        cursor: UnitId,
        limit: usize,
    ) -> Result<Vec<UnitId>> {
        let sql = self.sql_of(&format!(
            "select u.id from units u join buildings b on b.id = u.building_id \
             join communities c on c.id = b.community_id where u.id > $2 and {IN_PLACES} order by u.id limit $3"
        ));
        let rows: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json(&place_rows(&audience.places)))
                .bind(cursor.0)
                .bind(limit as i64)
                .fetch_all(pool)
                .await?
        });
        Ok(rows.into_iter().map(|(id,)| UnitId(id)).collect())
    }

    /// The residents of these units and the chats that chose one of them as home, with their tags where the audience
    /// asks for them.
    pub async fn broadcast_people(
        &self,
        audience: &Audience,
        units: &[UnitId],
    ) -> Result<Vec<BroadcastPerson>> {
        let ids = json_ids(units.iter().map(|unit| unit.0));
        self.people_by(
            audience,
            ids,
            "p.unit_id = cast(r.value->>'id' as bigint)",
            "c.unit_id",
        )
        .await
    }

    /// Everybody behind these contacts, wherever they live in the audience's places.
    pub async fn broadcast_people_behind(
        &self,
        audience: &Audience,
        contacts: &[ContactId],
    ) -> Result<Vec<BroadcastPerson>> {
        let ids = json_ids(contacts.iter().map(|contact| contact.0));
        let by_phone = "p.phone_contact_id = cast(r.value->>'id' as bigint)";
        let by_chat = "p.chat_contact_id = cast(r.value->>'id' as bigint)";
        let mut people = self.people_by(audience, ids.clone(), by_phone, "c.id").await?;
        people.extend(self.people_by(audience, ids, by_chat, "").await?);
        let units = json_ids(people.iter().map(|person| person.unit.0));
        let sql = self.sql_of(&format!(
            "select u.id from units u join buildings b on b.id = u.building_id \
             join communities c on c.id = b.community_id \
             where u.id in (select cast(w.value->>'id' as bigint) from {}) and {IN_PLACES}",
            self.second_rows()
        ));
        let inside: Vec<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json(&place_rows(&audience.places)))
                .bind(units)
                .fetch_all(pool)
                .await?
        });
        let inside: std::collections::HashSet<i64> = inside.into_iter().map(|(id,)| id).collect();
        people.retain(|person| inside.contains(&person.unit.0));
        Ok(people)
    }

    /// People by a condition on residents, and chats whose column `home` is one of the ids (none where it is empty).
    async fn people_by(
        &self,
        audience: &Audience,
        ids: String,
        which: &str,
        home: &str,
    ) -> Result<Vec<BroadcastPerson>> {
        let asks = audience.asks_of_residents();
        let residents = self.sql_of(&RESIDENTS.replace("{which}", which));
        let mut rows: Vec<PersonRow> = on_pool!(self, |pool| {
            sqlx::query_as(residents)
                .bind(&ids)
                .bind(i64::from(asks))
                .fetch_all(pool)
                .await?
        });
        // Of somebody who only chose a home nothing is known, so they fit no rule about residents.
        if !home.is_empty() && !asks {
            let chats = self.sql_of(&format!(
                "select c.unit_id, cast(null as bigint), '', c.id, c.channel, c.state, c.language from {{rows}} \
                 join contacts c on {home} = cast(r.value->>'id' as bigint) and c.unit_id is not null"
            ));
            let homes: Vec<PersonRow> = on_pool!(self, |pool| {
                sqlx::query_as(chats).bind(&ids).fetch_all(pool).await?
            });
            rows.extend(homes);
        }
        rows.into_iter().map(|row| self.broadcast_person(row)).collect()
    }

    fn broadcast_person(&self, row: PersonRow) -> Result<BroadcastPerson> {
        let (unit, resident, personal, contact, channel, state, language) = row;
        let tags = match resident {
            Some(id) if !personal.is_empty() => {
                let plain = self.keys.open(PERSONAL, id, &personal)?;
                let personal: Personal =
                    serde_json::from_slice(&plain).map_err(|_| StoreError::Corrupt(PERSONAL.into()))?;
                personal.tags
            }
            _ => Vec::new(),
        };
        let contact = match (contact, channel, state) {
            (Some(id), Some(channel), Some(state)) => {
                Some(super::outbox::audience_contact((id, channel, state, language))?)
            }
            _ => None,
        };
        Ok(BroadcastPerson {
            unit: UnitId(unit),
            resident: resident.map(ResidentId),
            tags,
            contact,
        })
    }

    /// `$2` as rows with the alias w.
    fn second_rows(&self) -> &'static str {
        match self.pool {
            super::Pool::Sqlite { .. } => "jsonb_each($2) as w",
            super::Pool::Postgres(_) => "jsonb_array_elements($2::jsonb) as w(value)",
        }
    }

    /// Writes the deliveries of the units up to `cursor` into the outbox and notes how far it is, together, so that a
    /// restart neither forgets nor repeats anybody. False, and nothing written, when the broadcast is not going out any
    /// more, another has gone on with it, or the city's gate was moved meanwhile.
    pub async fn write_broadcast(
        &self,
        broadcast: &Broadcast,
        deliveries: &[NewDelivery],
        (cursor, written_all): (UnitId, bool),
        city: Option<CityMove>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let (insert, insert_bodies) = (self.sql(INSERT), self.sql(INSERT_BODIES));
        let belong = self.sql(
            "update deliveries set broadcast_id = $2 from {rows} where deliveries.key = r.value->>'key' \
               and deliveries.broadcast_id is null",
        );
        Ok(in_transaction!(self, |tx| {
            let goes_on = sqlx::query(
                "update broadcasts set cursor_unit = $3, written_all = $4, changed_at = $5 \
                 where id = $1 and state = 'sending' and cursor_unit = $2",
            )
            .bind(broadcast.id.0)
            .bind(broadcast.cursor.0)
            .bind(cursor.0)
            .bind(i64::from(written_all))
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
                == 1;
            let mut passed = goes_on;
            if let Some(city) = city.filter(|_| goes_on) {
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
                tx.rollback().await?;
                return Ok(false);
            }
            if !deliveries.is_empty() {
                let first = take_ids!(tx, "deliveries", deliveries.len());
                let (rows, bodies) = self.delivery_rows(deliveries, first, now);
                sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
                sqlx::query(insert_bodies)
                    .bind(json(&bodies))
                    .execute(&mut *tx)
                    .await?;
                let keys: Vec<_> = deliveries
                    .iter()
                    .map(|delivery| serde_json::json!({ "key": delivery.key }))
                    .collect();
                sqlx::query(belong)
                    .bind(json(&keys))
                    .bind(broadcast.id.0)
                    .execute(&mut *tx)
                    .await?;
            }
            true
        }))
    }

    /// Marks those done that are written whole and have no open delivery; gives how many.
    pub async fn finish_broadcasts(&self, now: DateTime<Utc>) -> Result<u64> {
        Ok(in_transaction!(self, |tx| {
            sqlx::query(
                "update broadcasts set state = 'done', ended_at = $1, changed_at = $1 where state = 'sending' \
                   and written_all = 1 and not exists (select 1 from deliveries d where d.broadcast_id = broadcasts.id \
                   and d.state in ('held', 'queued', 'sending', 'accepted'))",
            )
            .bind(now.timestamp_millis())
            .execute(&mut *tx)
            .await?
            .rows_affected()
        }))
    }

    /// Notes that its author heard how a broadcast ended, with the delivery that tells it, if there is one.
    pub async fn report_broadcast(
        &self,
        id: BroadcastId,
        delivery: Option<&NewDelivery>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let (insert, insert_bodies) = (self.sql(INSERT), self.sql(INSERT_BODIES));
        in_transaction!(self, |tx| {
            sqlx::query("update broadcasts set reported_at = $2 where id = $1 and reported_at is null")
                .bind(id.0)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
            if let Some(delivery) = delivery {
                let first = take_ids!(tx, "deliveries", 1);
                let (rows, bodies) = self.delivery_rows(std::slice::from_ref(delivery), first, now);
                sqlx::query(insert).bind(json(&rows)).execute(&mut *tx).await?;
                sqlx::query(insert_bodies)
                    .bind(json(&bodies))
                    .execute(&mut *tx)
                    .await?;
            }
        });
        Ok(())
    }

    /// A broadcast's deliveries by channel and state.
    pub async fn count_broadcast(&self, id: BroadcastId) -> Result<Vec<BroadcastDeliveries>> {
        Ok(on_pool!(self, |pool| {
            sqlx::query_as(
                "select channel, state, count(*) as deliveries, cast(sum(parts) as bigint) as parts \
                 from deliveries where broadcast_id = $1 group by channel, state order by channel, state",
            )
            .bind(id.0)
            .fetch_all(pool)
            .await?
        }))
    }

    /// The residents of these units whom a broadcast did not reach, or not yet, with their doors: personal data.
    pub async fn broadcast_unreached(
        &self,
        broadcast: &Broadcast,
        units: &[UnitId],
    ) -> Result<Vec<Unreached>> {
        type Row = (
            i64,
            String,
            Option<String>,
            String,
            String,
            String,
            String,
            String,
            Option<String>,
        );
        let sql = self.sql(
            "select p.id, p.personal, x.language, c.district, c.street, c.name, b.name, u.name, d.state \
             from {rows} join residents p on p.unit_id = cast(r.value->>'id' as bigint) and p.moved_out_at is null \
             join units u on u.id = p.unit_id join buildings b on b.id = u.building_id \
             join communities c on c.id = b.community_id \
             left join contacts chat on chat.id = p.chat_contact_id and chat.state <> 'unreachable' \
             left join contacts x on x.id = coalesce(chat.id, p.phone_contact_id) \
             left join deliveries d on d.key = $2 || cast(coalesce(x.id, 0) as text) \
             where coalesce(d.state, '') not in ('delivered', 'sent', 'accepted') order by p.unit_id, p.id",
        );
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(json_ids(units.iter().map(|unit| unit.0)))
                .bind(format!("broadcast:{}:", broadcast.id))
                .fetch_all(pool)
                .await?
        });
        let mut unreached = Vec::new();
        for (id, personal, language, district, street, community, building, unit, state) in rows {
            let personal: Personal = serde_json::from_slice(&self.keys.open(PERSONAL, id, &personal)?)
                .map_err(|_| StoreError::Corrupt(PERSONAL.into()))?;
            let language: Option<Language> =
                language.and_then(|code| code.parse().ok()).or(personal.language);
            let speaks = language.is_none_or(|language| broadcast.audience.speaks(language));
            if !broadcast.audience.fits(&personal.tags) || !speaks {
                continue;
            }
            unreached.push(Unreached {
                place: UnitPlace {
                    district,
                    street,
                    community,
                    building,
                    unit,
                },
                door: personal.door,
                name: personal.name,
                state: state.unwrap_or_else(|| "no contact".into()),
            });
        }
        Ok(unreached)
    }
}

/// Deliveries of a broadcast in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct BroadcastDeliveries {
    /// The channel.
    pub channel: String,
    /// The state.
    pub state: String,
    /// Deliveries.
    pub deliveries: i64,
    /// Parts that they take.
    pub parts: i64,
}

impl BroadcastDeliveries {
    /// They went by SMS.
    pub fn is_sms(&self) -> bool {
        self.channel == ChannelKind::Sms.as_str()
    }
}
