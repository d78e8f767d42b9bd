//! Visits at home: each change, its line in the log and what residents are told of it are one transaction. Two who act
//! at once leave the same revision; one of them wins, the other is told who did.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ContactState, NewAudit, NewDelivery, Result, Store, StoreError, append_audit, in_transaction, json,
    on_pool,
    outbox::{INSERT, INSERT_BODIES, audience_contact},
    roster::{PERSONAL, Personal},
    service::{instant, known},
    take_ids,
};
use crate::{
    domain::{
        Address, CommunityId, ContactId, Coordinates, DeclineReason, DeliveryState, NoticeKind, PhoneNumber,
        Promise, RaisedTo, TeamId, UnitId, UnitPlace, Visit, VisitAct, VisitActKind, VisitBy, VisitFor,
        VisitId, VisitRefusal, VisitRole, VisitState, Visitor, Wish,
        visit::{self, Amendment},
    },
    i18n::visits::{Told, VisitTeller},
};

pub(super) const VISIT: &str = "visits.personal";
pub(super) const VISIT_WORDS: &str = "visit_log.words";
/// A notice of a visit that has no promised time says nothing new after so long.
const NOTICE_EXPIRES: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// One that somebody comes is of use for a while after the promised time.
const AFTER_PROMISE: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// A visit to be asked for.
#[derive(Clone, Debug)]
pub struct NewVisit {
    /// Names what asks for it, such as `inbound:17`: a repeat makes no second one.
    pub key: String,
    /// Where.
    pub unit: UnitId,
    /// The door in that unit.
    pub door: String,
    /// Who asks; none where a worker writes it down.
    pub asker: Option<ContactId>,
    /// For whom.
    pub for_whom: VisitFor,
    /// Who is to be sampled.
    pub name: String,
    /// How many.
    pub people: u32,
    /// Why they cannot come.
    pub reason: String,
    /// What to know at the door.
    pub access: String,
    /// The phone to call.
    pub phone: Option<PhoneNumber>,
    /// When it suits.
    pub wish: Option<Wish>,
    /// It goes before others.
    pub urgent: bool,
    /// Who acts.
    pub by: VisitBy,
    /// The dialogue answers the asker itself.
    pub quiet: bool,
    /// A random number: the code of the door is made from it.
    pub chance: u64,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// It is on record now.
    New(Visit),
    /// The same was asked before, or this asker has an open visit at this door.
    Known(Visit),
}

/// Something to be done with a visit.
#[derive(Clone, Debug)]
pub struct VisitChange {
    /// With which.
    pub visit: VisitId,
    /// What.
    pub act: VisitAct,
    /// By whom.
    pub by: VisitBy,
    /// The revision that they saw, if they saw one: they are refused when it is another by now.
    pub seen: Option<i64>,
    /// Names what asks for it, such as `inbound:17`: it is done once.
    pub key: Option<String>,
    /// The staff's words, kept sealed in the log and never sent.
    pub note: String,
    /// This contact is answered by the dialogue itself.
    pub quiet: Option<ContactId>,
    /// Goes on record together with the change, and not at all where it is refused or was done before.
    pub record: Option<NewAudit>,
}

impl VisitChange {
    /// A change without key, note, seen revision or record.
    pub fn new(visit: VisitId, act: VisitAct, by: VisitBy) -> Self {
        Self {
            visit,
            act,
            by,
            seen: None,
            key: None,
            note: String::new(),
            quiet: None,
            record: None,
        }
    }
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum VisitAnswer {
    /// It is done, and told.
    Done(Visit),
    /// It was done before by the same.
    Already(Visit),
    /// It was not done.
    Refused {
        /// As it stands; none where there is no such visit.
        visit: Option<Visit>,
        /// Why.
        refusal: VisitRefusal,
    },
}

/// A home that a contact stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The unit.
    pub unit: UnitId,
    /// In words.
    pub place: UnitPlace,
    /// The door.
    pub door: String,
    /// Those who live there and whom the contact stands for.
    pub names: Vec<String>,
}

/// Which visits to list.
#[derive(Clone, Debug, Default)]
pub struct VisitFilter {
    /// In these states; none: in any.
    pub states: Vec<VisitState>,
    /// Of this team.
    pub team: Option<TeamId>,
    /// In these communities; none: anywhere.
    pub communities: Vec<CommunityId>,
    /// Not before: the promised time counts, else the wished one, else when it was asked for.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
    /// At most so many; 0: all.
    pub limit: usize,
}

/// Something that the staff is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitNews {
    /// The line of the log.
    pub line: i64,
    /// The visit.
    pub visit: VisitId,
    /// To whom it was handed upwards; none where it was called off under way.
    pub raised: Option<RaisedTo>,
}

/// A line of a visit's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VisitLine {
    /// Its number.
    pub line: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// In which capacity.
    pub role: VisitRole,
    /// Who, by id: see [`VisitBy::who`].
    pub who: String,
    /// What: `ask`, `raise`, or the word of a [`VisitActKind`].
    pub act: String,
    /// From which state.
    pub from: VisitState,
    /// To which.
    pub to: VisitState,
    /// The staff's words.
    pub note: String,
}

/// A visit that waited too long.
#[derive(Clone, Debug)]
pub struct RaisedVisit {
    /// The line of the log that says so.
    pub line: i64,
    /// Since when.
    pub at: DateTime<Utc>,
    /// To whom it went.
    pub level: RaisedTo,
    /// The visit as it is now.
    pub visit: Visit,
}

#[derive(Serialize, Deserialize, Default)]
struct PersonalVisit {
    door: String,
    name: String,
    reason: String,
    access: String,
    phone: Option<String>,
    visitor: Option<Visitor>,
    code: String,
}

const SELECT: &str = "select v.id, v.state, v.revision, v.unit_id, b.community_id, c.district, c.street, \
      c.name as community, b.name as building, u.name as unit, b.lat, b.lon, v.asker_id, v.proven, v.urgent, \
      v.people, v.for_whom, v.wish_from, v.wish_to, v.team_id, v.planned_at, v.promised_from, v.promised_to, \
      v.moves, v.declined, v.lapsed, v.raised, v.personal, v.asked_at, v.changed_at \
    from visits v join units u on u.id = v.unit_id join buildings b on b.id = u.building_id \
    join communities c on c.id = b.community_id ";
const BY_ID: &str = "where v.id = $1";

#[derive(sqlx::FromRow)]
struct VisitRow {
    id: i64,
    state: String,
    revision: i64,
    unit_id: i64,
    community_id: i64,
    district: String,
    street: String,
    community: String,
    building: String,
    unit: String,
    lat: Option<f64>,
    lon: Option<f64>,
    asker_id: Option<i64>,
    proven: i64,
    urgent: i64,
    people: i64,
    for_whom: String,
    wish_from: Option<i64>,
    wish_to: Option<i64>,
    team_id: Option<i64>,
    planned_at: Option<i64>,
    promised_from: Option<i64>,
    promised_to: Option<i64>,
    moves: i64,
    declined: String,
    lapsed: i64,
    raised: String,
    personal: String,
    asked_at: i64,
    changed_at: i64,
}

#[derive(sqlx::FromRow)]
struct LineRow {
    id: i64,
    at: i64,
    role: String,
    who: String,
    act: String,
    from_state: String,
    to_state: String,
    words: String,
}

const LINES: &str = "select id, at, role, who, act, from_state, to_state, words from visit_log \
    where visit_id = $1 order by id";
/// The last line that changed something: a raise changes nothing.
const LAST_LINE: &str = "select id, at, role, who, act, from_state, to_state, words from visit_log \
    where visit_id = $1 and act <> 'raise' order by id desc limit 1";
const ADD_LINE: &str = "insert into visit_log (id, visit_id, key, at, role, who, act, from_state, to_state, \
    revision, words) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const CHANGE: &str = "update visits set state = $3, revision = revision + 1, people = $4, wish_from = $5, \
      wish_to = $6, team_id = $7, planned_at = $8, promised_from = $9, promised_to = $10, moves = $11, \
      declined = $12, lapsed = $13, raised = $14, personal = $15, asked_at = $16, changed_at = $17, \
      waits_since = case when state = $3 then waits_since else $17 end \
    where id = $1 and revision = $2";
const ADD: &str = "insert into visits (id, key, state, revision, unit_id, asker_id, proven, urgent, people, \
      for_whom, wish_from, wish_to, waits_since, personal, asked_at, changed_at) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $13, $13) \
    on conflict (key) do nothing";
/// From who needs no call back it is accepted in the same moment.
const AT_ONCE: &str = "update visits set state = 'accepted', revision = 2 where id = $1";
const TELL_ASKER: &str = "insert into visit_contacts (visit_id, contact_id, code) values ($1, $2, $3) \
    on conflict do nothing";
/// The phone that was given takes the place of an earlier one. Where it is the asker's own, the asker may know the code.
const DROP_PHONE: &str = "delete from visit_contacts where visit_id = $1 and contact_id <> $2";
const IS_OWN_PHONE: &str = "select cast(count(*) as bigint) from contacts c where c.id = $1 and (c.id = $2 or exists (select 1 \
    from residents p where p.chat_contact_id = $2 and p.phone_contact_id = $1 and p.moved_out_at is null))";
const TELL_PHONE: &str = "insert into visit_contacts (visit_id, contact_id, code) values ($1, $2, 1) \
    on conflict (visit_id, contact_id) do update set code = 1";
const TOLD: &str = "select c.id, c.channel, c.state, c.language, v.code from visit_contacts v \
    join contacts c on c.id = v.contact_id where v.visit_id = $1 order by c.id";
/// What earlier changes had to say is no longer so. What a dispatcher holds does not go back into the queue.
const WITHDRAW: &str = "update deliveries set state = case when state = 'sending' then state else 'cancelled' end, \
      superseded = 1, changed_at = case when state = 'sending' then changed_at else $2 end, \
      history = case when state = 'sending' then history else history || $3 end \
    where state in ('held', 'queued', 'sending') and key in (select r.value->>'key' from {rows})";

/// What a person asked for, and what the staff wrote down for their phone.
const OF_PERSON: &str = "select v.id from visits v where v.asker_id = $1 \
      or (v.asker_id is null and exists (select 1 from visit_contacts k \
        where k.visit_id = v.id and k.contact_id = $1 and k.code = 1)) order by v.id";

type ToldRow = (i64, String, String, Option<String>, i64);

fn ms(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(|at| at.timestamp_millis())
}

/// Doors are written in more than one way: 1203, 1203室, １２０３.
fn same_door(one: &str, other: &str) -> bool {
    let plain = |door: &str| -> String {
        door.chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '室' | '号' | '號'))
            .map(|c| match c {
                '０'..='９' => char::from((u32::from(c) - u32::from('０')) as u8 + b'0'),
                other => other.to_ascii_uppercase(),
            })
            .collect()
    };
    plain(one) == plain(other)
}

/// A line to be added: its key, who, what, from which state, the staff's words.
type Entry<'e> = (Option<&'e str>, &'e VisitBy, &'e str, VisitState, &'e str);

/// Writes what is told of a visit's change, and withdraws what was told before and has not left.
macro_rules! tell {
    ($store:expr, $tx:ident, $visit:expr, $act:expr, $from:expr, $teller:expr, $quiet:expr, $now:expr) => {{
        let told: Vec<ToldRow> = sqlx::query_as(TOLD)
            .bind($visit.id.0)
            .fetch_all(&mut *$tx)
            .await?;
        let deliveries = notices($visit, $act, $from, $teller, &told, $now)?;
        let outdated = outdated($visit, &deliveries);
        let deliveries: Vec<NewDelivery> = deliveries
            .into_iter()
            .filter(|new| Some(new.contact) != $quiet)
            .collect();
        if !outdated.is_empty() {
            let at = $now.timestamp_millis();
            sqlx::query($store.sql(WITHDRAW))
                .bind(json(&outdated))
                .bind(at)
                .bind(format!("{at} cancelled the visit has changed since\n"))
                .execute(&mut *$tx)
                .await?;
        }
        if !deliveries.is_empty() {
            let first = take_ids!($tx, "deliveries", deliveries.len());
            let (rows, bodies) = $store.delivery_rows(&deliveries, first, $now);
            for (sql, rows) in [(INSERT, json(&rows)), (INSERT_BODIES, json(&bodies))] {
                sqlx::query($store.sql(sql)).bind(rows).execute(&mut *$tx).await?;
            }
        }
    }};
}

/// Adds a line to the log.
macro_rules! log_line {
    ($store:expr, $tx:ident, $visit:expr, $entry:expr, $now:expr) => {{
        let (key, by, act, from, note): Entry<'_> = $entry;
        let line = take_ids!($tx, "visit_log", 1);
        let words = if note.is_empty() {
            String::new()
        } else {
            $store.keys.seal(VISIT_WORDS, line, note.as_bytes())
        };
        sqlx::query(ADD_LINE)
            .bind(line)
            .bind($visit.id.0)
            .bind(key)
            .bind($now.timestamp_millis())
            .bind(by.role.as_str())
            .bind(&by.who)
            .bind(act)
            .bind(from.as_str())
            .bind($visit.state.as_str())
            .bind($visit.revision)
            .bind(words)
            .execute(&mut *$tx)
            .await?;
    }};
}

/// Writes a new visit, and that its asker is told; false where its key is known.
macro_rules! add_visit {
    ($store:expr, $tx:ident, $visit:expr, $key:expr, $now:expr) => {{
        let added = sqlx::query(ADD)
            .bind($visit.id.0)
            .bind(&$key)
            .bind($visit.state.as_str())
            .bind($visit.revision)
            .bind($visit.unit.0)
            .bind($visit.asker.map(|asker| asker.0))
            .bind(i64::from($visit.proven))
            .bind(i64::from($visit.urgent))
            .bind(i64::from($visit.people))
            .bind($visit.for_whom.as_str())
            .bind(ms($visit.wish.map(|wish| wish.from)))
            .bind(ms($visit.wish.map(|wish| wish.to)))
            .bind($now.timestamp_millis())
            .bind($store.sealed_visit(&$visit))
            .execute(&mut *$tx)
            .await?
            .rows_affected();
        if let (1, Some(asker)) = (added, $visit.asker) {
            sqlx::query(TELL_ASKER)
                .bind($visit.id.0)
                .bind(asker.0)
                .bind(i64::from($visit.proven))
                .execute(&mut *$tx)
                .await?;
        }
        added == 1
    }};
}

/// Reads a visit and the last line that changed it.
macro_rules! read_visit {
    ($store:expr, $tx:ident, $id:expr) => {{
        let row: Option<VisitRow> = sqlx::query_as($store.sql_of(&format!("{SELECT}{BY_ID}")))
            .bind($id.0)
            .fetch_optional(&mut *$tx)
            .await?;
        let last: Option<LineRow> = sqlx::query_as(LAST_LINE)
            .bind($id.0)
            .fetch_optional(&mut *$tx)
            .await?;
        match (row, last) {
            (Some(row), Some(last)) => Some(($store.opened_visit(row)?, $store.opened_line(last)?)),
            _ => None,
        }
    }};
}

/// Writes a visit as a change leaves it; false where it is no longer at the revision before.
macro_rules! write_visit {
    ($store:expr, $tx:ident, $visit:expr) => {{
        let written = sqlx::query(CHANGE)
            .bind($visit.id.0)
            .bind($visit.revision - 1)
            .bind($visit.state.as_str())
            .bind(i64::from($visit.people))
            .bind(ms($visit.wish.map(|wish| wish.from)))
            .bind(ms($visit.wish.map(|wish| wish.to)))
            .bind($visit.team.map(|team| team.0))
            .bind(ms($visit.promise.map(|promise| promise.at)))
            .bind(ms($visit.promise.map(|promise| promise.from)))
            .bind(ms($visit.promise.map(|promise| promise.to)))
            .bind(i64::from($visit.moves))
            .bind($visit.declined.map_or("", DeclineReason::as_str))
            .bind(i64::from($visit.lapsed))
            .bind($visit.raised.map_or("", RaisedTo::as_str))
            .bind($store.sealed_visit(&$visit))
            .bind($visit.asked_at.timestamp_millis())
            .bind($visit.changed_at.timestamp_millis())
            .execute(&mut *$tx)
            .await?
            .rows_affected();
        written == 1
    }};
}

/// Lets the phone that was given be told too.
macro_rules! tell_phone {
    ($tx:ident, $visit:expr, $phone:expr) => {
        if let Some(phone) = $phone {
            let asker = $visit.asker.map_or(0, |asker| asker.0);
            sqlx::query(DROP_PHONE)
                .bind($visit.id.0)
                .bind(asker)
                .execute(&mut *$tx)
                .await?;
            let (own,): (i64,) = sqlx::query_as(IS_OWN_PHONE)
                .bind(phone)
                .bind(asker)
                .fetch_one(&mut *$tx)
                .await?;
            sqlx::query(TELL_PHONE)
                .bind($visit.id.0)
                .bind(if own > 0 { asker } else { phone })
                .execute(&mut *$tx)
                .await?;
        }
    };
}

fn notices(
    visit: &Visit,
    act: Option<VisitActKind>,
    from: VisitState,
    teller: &VisitTeller<'_>,
    told: &[ToldRow],
    now: DateTime<Utc>,
) -> Result<Vec<NewDelivery>> {
    let expires_at = match (visit.state, visit.promise) {
        (VisitState::Scheduled | VisitState::OnTheWay, Some(promise)) => {
            (promise.to + AFTER_PROMISE).max(now + AFTER_PROMISE)
        }
        _ => now + NOTICE_EXPIRES,
    };
    let mut deliveries = Vec::new();
    for (id, channel, state, language, code) in told {
        let contact = audience_contact((*id, channel.clone(), state.clone(), language.clone()))?;
        let to = Told {
            language: contact.language,
            channel: contact.channel,
            of_household: *code == 1,
        };
        let Some(body) = teller.notice(visit, act, from, to) else {
            continue;
        };
        let (state, reason) = match contact.state {
            ContactState::Stopped => (DeliveryState::Suppressed, "the contact has opted out"),
            ContactState::Unreachable => (DeliveryState::Failed, "the address does not work"),
            ContactState::Active => (DeliveryState::Queued, ""),
        };
        deliveries.push(NewDelivery {
            key: notice_key(visit.id, visit.revision, contact.contact.0),
            round: None,
            contact: contact.contact,
            channel: contact.channel,
            kind: NoticeKind::Visit,
            parts: teller.parts(contact.channel, &body),
            body,
            state,
            reason,
            next_at: now,
            expires_at,
        });
    }
    Ok(deliveries)
}

fn notice_key(visit: VisitId, revision: i64, contact: i64) -> String {
    format!("visit:{visit}:{revision}:{contact}")
}

/// The keys of what those who hear something new now were told of a visit before.
fn outdated(visit: &Visit, news: &[NewDelivery]) -> Vec<serde_json::Value> {
    (1..visit.revision)
        .flat_map(|revision| {
            news.iter()
                .map(move |new| serde_json::json!({ "key": notice_key(visit.id, revision, new.contact.0) }))
        })
        .collect()
}

/// The visit as an act leaves it, one revision on.
fn changed(
    seen: &Visit,
    act: &VisitAct,
    state: VisitState,
    visitor: Option<Visitor>,
    now: DateTime<Utc>,
) -> Visit {
    let mut visit = seen.clone();
    let had_time = seen.state == VisitState::Scheduled;
    match act {
        VisitAct::Accept | VisitAct::Finish | VisitAct::NotMeet | VisitAct::Cancel => {}
        VisitAct::SetOut => visit.visitor = visitor.or(visit.visitor),
        VisitAct::Decline(reason) => visit.declined = Some(*reason),
        VisitAct::Assign(team) => {
            visit.team = Some(*team);
            (visit.promise, visit.visitor) = (None, None);
        }
        VisitAct::Schedule(promise) => {
            visit.team = Some(promise.team);
            visit.promise = Some(*promise);
            visit.visitor = visitor;
            visit.moves += u32::from(had_time);
            visit.lapsed = false;
        }
        VisitAct::Lapse => visit.lapsed = true,
        VisitAct::AskAgain => {
            visit.asked_at = now;
            (visit.team, visit.promise, visit.visitor) = (None, None, None);
        }
        VisitAct::Amend(Amendment {
            phone,
            access,
            name,
            reason,
            people,
        }) => {
            visit.name = name.clone().unwrap_or(visit.name);
            visit.phone = phone.clone().or(visit.phone);
            visit.access = access.clone().unwrap_or(visit.access);
            visit.reason = reason.clone().unwrap_or(visit.reason);
            visit.people = people.unwrap_or(visit.people);
        }
        VisitAct::Move(wish) => {
            visit.wish = *wish;
            if had_time {
                (visit.team, visit.promise, visit.visitor) = (None, None, None);
            }
        }
    }
    if state != seen.state {
        visit.raised = None;
    }
    visit.state = state;
    visit.revision += 1;
    visit.changed_at = now;
    visit
}

/// Where a unit lies.
#[derive(sqlx::FromRow)]
struct VisitPlace {
    community_id: i64,
    district: String,
    street: String,
    community: String,
    building: String,
    unit: String,
    lat: Option<f64>,
    lon: Option<f64>,
}

const PLACE: &str = "select b.community_id, c.district, c.street, c.name as community, b.name as building, \
      u.name as unit, b.lat, b.lon from units u join buildings b on b.id = u.building_id \
    join communities c on c.id = b.community_id where u.id = $1";

/// A visit as it is asked for.
fn first(id: VisitId, new: &NewVisit, place: VisitPlace, proven: bool, now: DateTime<Utc>) -> Visit {
    Visit {
        id,
        state: VisitState::Asked,
        revision: 1,
        unit: new.unit,
        place: UnitPlace {
            district: place.district,
            street: place.street,
            community: place.community,
            building: place.building,
            unit: place.unit,
        },
        community: CommunityId(place.community_id),
        coordinates: place
            .lat
            .zip(place.lon)
            .map(|(lat, lon)| Coordinates { lat, lon }),
        asker: new.asker,
        proven,
        urgent: new.urgent,
        people: new.people,
        wish: new.wish,
        team: None,
        promise: None,
        raised: None,
        asked_at: now,
        changed_at: now,
        moves: 0,
        declined: None,
        lapsed: false,
        door: new.door.clone(),
        for_whom: new.for_whom,
        name: new.name.clone(),
        reason: new.reason.clone(),
        access: new.access.clone(),
        phone: new.phone.clone(),
        visitor: None,
        door_code: format!("{:04}", new.chance % 10_000),
    }
}

/// The phone that is told from this act on: from acceptance, when somebody has called it or vouched for it. One that a
/// person wrote who does not stand for the household is kept, and told nothing: nobody has called it.
fn told_phone(before: &Visit, change: &VisitChange) -> Option<PhoneNumber> {
    let vouched = before.proven || change.by.role != VisitRole::Resident;
    match &change.act {
        VisitAct::Accept => before.phone.clone(),
        VisitAct::Amend(Amendment { phone, .. }) if vouched && before.state != VisitState::Asked => {
            phone.clone()
        }
        _ => None,
    }
}

/// The state that the change leads to, or the answer instead.
fn next_state(seen: &Visit, last: &VisitLine, change: &VisitChange) -> Result<VisitState, Box<VisitAnswer>> {
    let act = change.act.kind();
    if change.seen.is_some_and(|revision| revision != seen.revision) {
        return Err(Box::new(overtaken(seen.clone(), last, change)));
    }
    visit::after(seen.state, act, change.by.role).map_err(|refusal| {
        let from_before = visit::after(last.from, act, change.by.role).is_ok();
        Box::new(match refusal {
            VisitRefusal::NotFrom { .. } if from_before => overtaken(seen.clone(), last, change),
            refusal => VisitAnswer::Refused {
                visit: Some(seen.clone()),
                refusal,
            },
        })
    })
}

/// Somebody was faster. Where it was the same person with the same act, a second tap, it is done already.
fn overtaken(visit: Visit, last: &VisitLine, change: &VisitChange) -> VisitAnswer {
    if last.who == change.by.who && last.act == change.act.kind().as_str() {
        return VisitAnswer::Already(visit);
    }
    VisitAnswer::Refused {
        refusal: VisitRefusal::Overtaken {
            by: last.who.clone(),
            at: last.at,
            state: visit.state,
        },
        visit: Some(visit),
    }
}

impl Store {
    fn sealed_visit(&self, visit: &Visit) -> String {
        let personal = PersonalVisit {
            door: visit.door.clone(),
            name: visit.name.clone(),
            reason: visit.reason.clone(),
            access: visit.access.clone(),
            phone: visit.phone.as_ref().map(|phone| phone.as_e164().to_owned()),
            visitor: visit.visitor.clone(),
            code: visit.door_code.clone(),
        };
        let plain = serde_json::to_vec(&personal).expect("plain words always serialise");
        self.keys.seal(VISIT, visit.id.0, &plain)
    }

    fn opened_visit(&self, row: VisitRow) -> Result<Visit> {
        let personal: PersonalVisit = if row.personal.is_empty() {
            PersonalVisit::default()
        } else {
            serde_json::from_slice(&self.keys.open(VISIT, row.id, &row.personal)?)
                .map_err(|_| StoreError::Corrupt(VISIT.into()))?
        };
        let promise = match (row.team_id, row.planned_at, row.promised_from, row.promised_to) {
            (Some(team), Some(at), Some(from), Some(to)) => Some(Promise {
                team: TeamId(team),
                at: instant(at),
                from: instant(from),
                to: instant(to),
            }),
            _ => None,
        };
        let wish = row.wish_from.zip(row.wish_to).map(|(from, to)| Wish {
            from: instant(from),
            to: instant(to),
        });
        Ok(Visit {
            id: VisitId(row.id),
            state: known(VisitState::parse(&row.state), "visits.state", &row.state)?,
            revision: row.revision,
            unit: UnitId(row.unit_id),
            place: UnitPlace {
                district: row.district,
                street: row.street,
                community: row.community,
                building: row.building,
                unit: row.unit,
            },
            community: CommunityId(row.community_id),
            coordinates: row.lat.zip(row.lon).map(|(lat, lon)| Coordinates { lat, lon }),
            asker: row.asker_id.map(ContactId),
            proven: row.proven == 1,
            urgent: row.urgent == 1,
            people: row.people as u32,
            wish,
            team: row.team_id.map(TeamId),
            promise,
            raised: RaisedTo::parse(&row.raised),
            asked_at: instant(row.asked_at),
            changed_at: instant(row.changed_at),
            moves: row.moves as u32,
            declined: DeclineReason::parse(&row.declined),
            lapsed: row.lapsed == 1,
            door: personal.door,
            for_whom: known(VisitFor::parse(&row.for_whom), "visits.for_whom", &row.for_whom)?,
            name: personal.name,
            reason: personal.reason,
            access: personal.access,
            phone: personal.phone.and_then(|phone| PhoneNumber::parse(&phone).ok()),
            visitor: personal.visitor,
            door_code: personal.code,
        })
    }

    fn opened_line(&self, row: LineRow) -> Result<VisitLine> {
        let state = |word: &str| known(VisitState::parse(word), "visit_log.state", word);
        Ok(VisitLine {
            line: row.id,
            at: instant(row.at),
            role: known(VisitRole::parse(&row.role), "visit_log.role", &row.role)?,
            from: state(&row.from_state)?,
            to: state(&row.to_state)?,
            who: row.who,
            act: row.act,
            note: if row.words.is_empty() {
                String::new()
            } else {
                self.keys.open_text(VISIT_WORDS, row.id, &row.words)?
            },
        })
    }

    /// The homes that a contact stands for: what may be filled in for it.
    pub async fn homes(&self, contact: ContactId) -> Result<Vec<Home>> {
        type Row = (i64, i64, String, String, String, String, String, String);
        let rows: Vec<Row> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select p.id, p.unit_id, c.district, c.street, c.name, b.name, u.name, p.personal \
                 from residents p join units u on u.id = p.unit_id join buildings b on b.id = u.building_id \
                 join communities c on c.id = b.community_id \
                 where (p.phone_contact_id = $1 or p.chat_contact_id = $1) and p.moved_out_at is null order by p.id",
            )
            .bind(contact.0)
            .fetch_all(pool)
            .await?
        });
        let mut homes: Vec<Home> = Vec::new();
        for (id, unit, district, street, community, building, name, sealed) in rows {
            let personal: Personal = serde_json::from_slice(&self.keys.open(PERSONAL, id, &sealed)?)
                .map_err(|_| StoreError::Corrupt(PERSONAL.into()))?;
            let unit = UnitId(unit);
            if let Some(home) = homes
                .iter_mut()
                .find(|home| home.unit == unit && home.door == personal.door)
            {
                home.names.push(personal.name);
                continue;
            }
            homes.push(Home {
                unit,
                place: UnitPlace {
                    district,
                    street,
                    community,
                    building,
                    unit: name,
                },
                door: personal.door,
                names: vec![personal.name],
            });
        }
        Ok(homes)
    }

    /// Asks for a visit. From a contact that stands for the household, and from the staff, it is accepted at once;
    /// everybody else is called back.
    pub async fn ask_visit(
        &self,
        new: &NewVisit,
        teller: &VisitTeller<'_>,
        now: DateTime<Utc>,
    ) -> Result<Asked> {
        let proven = match new.asker {
            Some(asker) => self
                .homes(asker)
                .await?
                .iter()
                .any(|home| home.unit == new.unit && same_door(&home.door, &new.door)),
            None => false,
        };
        if let Some(known) = self.known_visit(new, proven).await? {
            return Ok(Asked::Known(known));
        }
        let accepted = proven || new.by.role != VisitRole::Resident;
        let phone = match &new.phone {
            Some(phone) if accepted => Some(self.contact(&Address::Phone(phone.clone()), now).await?.0),
            _ => None,
        };
        let by = match new.by.role {
            VisitRole::Resident => VisitBy::weir(),
            _ => new.by.clone(),
        };
        let (visit, made) = in_transaction!(self, |tx| {
            let id = take_ids!(tx, "visits", 1);
            let place: Option<VisitPlace> = sqlx::query_as(PLACE)
                .bind(new.unit.0)
                .fetch_optional(&mut *tx)
                .await?;
            let place = place.ok_or_else(|| StoreError::Refused(format!("there is no unit {}", new.unit)))?;
            let mut visit = first(VisitId(id), new, place, proven, now);
            let made = add_visit!(self, tx, visit, new.key, now);
            if made {
                let asked = (None, &new.by, "ask", VisitState::Asked, "");
                log_line!(self, tx, &visit, asked, now);
                let mut act = None;
                if accepted {
                    (visit.state, visit.revision, act) =
                        (VisitState::Accepted, 2, Some(VisitActKind::Accept));
                    let accepted = (None, &by, "accept", VisitState::Asked, "");
                    log_line!(self, tx, &visit, accepted, now);
                    sqlx::query(AT_ONCE).bind(id).execute(&mut *tx).await?;
                }
                tell_phone!(tx, visit, phone);
                let quiet = new.asker.filter(|_| new.quiet);
                tell!(self, tx, &visit, act, VisitState::Asked, teller, quiet, now);
            }
            (visit, made)
        });
        if made {
            return Ok(Asked::New(visit));
        }
        let known = self.known_visit(new, proven).await?;
        known
            .map(Asked::Known)
            .ok_or_else(|| StoreError::Corrupt("visits.key".into()))
    }

    /// The visit that was asked for under this key.
    pub async fn visit_of_key(&self, key: &str) -> Result<Option<Visit>> {
        let sql = format!("{SELECT}where v.key = $1");
        let row: Option<VisitRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql_of(&sql))
                .bind(key)
                .fetch_optional(pool)
                .await?
        });
        row.map(|row| self.opened_visit(row)).transpose()
    }

    /// What was asked for before under this key, or is open for the same asker, or for the household that the asker
    /// stands for, at this door. Nobody else learns that there is one.
    async fn known_visit(&self, new: &NewVisit, proven: bool) -> Result<Option<Visit>> {
        let sql = format!(
            "{SELECT} where v.key = $1 or (v.unit_id = $2 \
             and v.state in ('asked', 'accepted', 'scheduled', 'on_the_way', 'missed')) order by v.id"
        );
        let rows: Vec<VisitRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql_of(&sql))
                .bind(&new.key)
                .bind(new.unit.0)
                .fetch_all(pool)
                .await?
        });
        let keyed: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as("select id from visits where key = $1")
                .bind(&new.key)
                .fetch_optional(pool)
                .await?
        });
        for row in rows {
            let visit = self.opened_visit(row)?;
            let same_home = visit.unit == new.unit && same_door(&visit.door, &new.door);
            let theirs = new.asker.is_some() && visit.asker == new.asker || proven && visit.proven;
            if keyed.is_some_and(|(id,)| id == visit.id.0) || keyed.is_none() && same_home && theirs {
                return Ok(Some(visit));
            }
        }
        Ok(None)
    }

    /// Does something with a visit, if the table allows it and nobody was faster.
    pub async fn act_on_visit(
        &self,
        change: &VisitChange,
        teller: &VisitTeller<'_>,
        now: DateTime<Utc>,
    ) -> Result<VisitAnswer> {
        let unknown = || VisitAnswer::Refused {
            visit: None,
            refusal: VisitRefusal::Unknown("visit"),
        };
        let Some(before) = self.visit(change.visit).await? else {
            return Ok(unknown());
        };
        let visitor = match self.visitor(&before, change).await? {
            Ok(visitor) => visitor,
            Err(refusal) => {
                let visit = Some(before);
                return Ok(VisitAnswer::Refused { visit, refusal });
            }
        };
        let phone = match told_phone(&before, change) {
            Some(phone) => Some(self.contact(&Address::Phone(phone), now).await?.0),
            None => None,
        };
        Ok(in_transaction!(self, |tx| {
            'act: {
                let Some((seen, last)) = read_visit!(self, tx, change.visit) else {
                    break 'act unknown();
                };
                let keyed: Option<(i64,)> = sqlx::query_as("select id from visit_log where key = $1")
                    .bind(change.key.as_deref())
                    .fetch_optional(&mut *tx)
                    .await?;
                if keyed.is_some() {
                    break 'act VisitAnswer::Already(seen);
                }
                let state = match next_state(&seen, &last, change) {
                    Ok(state) => state,
                    Err(answer) => break 'act *answer,
                };
                let next = changed(&seen, &change.act, state, visitor.clone(), now);
                if !write_visit!(self, tx, next) {
                    // Another transaction changed it between the reading and the writing.
                    break 'act match read_visit!(self, tx, change.visit) {
                        Some((now, last)) => overtaken(now, &last, change),
                        None => unknown(),
                    };
                }
                let (key, act) = (change.key.as_deref(), change.act.kind());
                let entry = (key, &change.by, act.as_str(), seen.state, change.note.as_str());
                log_line!(self, tx, &next, entry, now);
                if let Some(record) = &change.record {
                    append_audit!(self, tx, record, now);
                }
                tell_phone!(tx, next, phone);
                tell!(self, tx, &next, Some(act), seen.state, teller, change.quiet, now);
                VisitAnswer::Done(next)
            }
        }))
    }

    /// Who will come after this change, or why it cannot be: there must be such a team.
    async fn visitor(
        &self,
        before: &Visit,
        change: &VisitChange,
    ) -> Result<Result<Option<Visitor>, VisitRefusal>> {
        let team = match &change.act {
            VisitAct::Assign(team) | VisitAct::Schedule(Promise { team, .. }) => *team,
            VisitAct::SetOut => match before.team {
                Some(team) => team,
                None => return Ok(Ok(None)),
            },
            _ => return Ok(Ok(None)),
        };
        let Some(team) = self
            .team(team)
            .await?
            .filter(|team| !team.removed || change.act == VisitAct::SetOut)
        else {
            return Ok(Err(VisitRefusal::Unknown("team")));
        };
        let who_acts = team.members.iter().find(|member| {
            member
                .worker
                .is_some_and(|id| change.by.who == format!("worker:{id}"))
        });
        Ok(Ok(match change.act {
            VisitAct::SetOut => who_acts.cloned(),
            _ => team.members.first().cloned(),
        }))
    }

    /// One visit.
    pub async fn visit(&self, id: VisitId) -> Result<Option<Visit>> {
        let sql = format!("{SELECT}{BY_ID}");
        let row: Option<VisitRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql_of(&sql))
                .bind(id.0)
                .fetch_optional(pool)
                .await?
        });
        row.map(|row| self.opened_visit(row)).transpose()
    }

    /// Visits, those with a time in the order of their times, then the urgent, then the oldest.
    pub async fn visits(&self, filter: &VisitFilter) -> Result<Vec<Visit>> {
        let list = |words: Vec<String>| {
            if words.is_empty() {
                String::new()
            } else {
                format!(",{},", words.join(","))
            }
        };
        let states = list(filter.states.iter().map(ToString::to_string).collect());
        let communities = list(filter.communities.iter().map(ToString::to_string).collect());
        let sql = format!(
            "{SELECT} where ($1 = '' or $1 like '%,' || v.state || ',%') and ($2 = 0 or v.team_id = $2) \
             and ($3 = '' or $3 like '%,' || cast(b.community_id as text) || ',%') \
             and coalesce(v.promised_from, v.wish_from, v.asked_at) >= $4 \
             and coalesce(v.promised_from, v.wish_from, v.asked_at) < $5 \
             order by case when v.planned_at is null then 1 else 0 end, v.planned_at, v.urgent desc, v.asked_at, v.id \
             limit $6"
        );
        let rows: Vec<VisitRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql_of(&sql))
                .bind(states)
                .bind(filter.team.map_or(0, |team| team.0))
                .bind(communities)
                .bind(ms(filter.from).unwrap_or(i64::MIN))
                .bind(ms(filter.to).unwrap_or(i64::MAX))
                .bind(if filter.limit == 0 {
                    i64::MAX
                } else {
                    filter.limit as i64
                })
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(|row| self.opened_visit(row)).collect()
    }

    /// The visits that a contact is told about, with whether it may know the code of the door: the open ones first,
    /// each the newest first.
    pub async fn visits_of(&self, contact: ContactId) -> Result<Vec<(Visit, bool)>> {
        let codes: Vec<(i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as("select visit_id, code from visit_contacts where contact_id = $1")
                .bind(contact.0)
                .fetch_all(pool)
                .await?
        });
        let sql = format!(
            "{SELECT} join visit_contacts k on k.visit_id = v.id and k.contact_id = $1 \
             order by case when v.state in ('done', 'declined', 'cancelled') then 1 else 0 end, v.id desc"
        );
        let rows: Vec<VisitRow> = on_pool!(self, |pool| {
            sqlx::query_as(self.sql_of(&sql))
                .bind(contact.0)
                .fetch_all(pool)
                .await?
        });
        rows.into_iter()
            .map(|row| {
                let of_household = codes.contains(&(row.id, 1));
                Ok((self.opened_visit(row)?, of_household))
            })
            .collect()
    }

    /// A visit's log, the oldest line first.
    pub async fn visit_log(&self, id: VisitId) -> Result<Vec<VisitLine>> {
        let rows: Vec<LineRow> = on_pool!(self, |pool| {
            sqlx::query_as(LINES).bind(id.0).fetch_all(pool).await?
        });
        rows.into_iter().map(|row| self.opened_line(row)).collect()
    }

    /// Hands what waits too long upwards: to the coordinator what has waited since before the first instant, to the
    /// operator what has since before the second; also what has a time that passed, counted from its end. Gives which.
    pub async fn raise_visits(
        &self,
        coordinator_before: DateTime<Utc>,
        operator_before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(VisitId, RaisedTo)>> {
        let by = VisitBy::weir();
        Ok(in_transaction!(self, |tx| {
            let mut raised = Vec::new();
            for (level, before) in [
                (RaisedTo::Coordinator, coordinator_before),
                (RaisedTo::Operator, operator_before),
            ] {
                let rows: Vec<(i64, String)> = sqlx::query_as(RAISE)
                    .bind(level.as_str())
                    .bind(before.timestamp_millis())
                    .bind(i64::from(level == RaisedTo::Operator))
                    .fetch_all(&mut *tx)
                    .await?;
                for (id, state) in rows {
                    let state = known(VisitState::parse(&state), "visits.state", &state)?;
                    let line = take_ids!(tx, "visit_log", 1);
                    sqlx::query(ADD_LINE)
                        .bind(line)
                        .bind(id)
                        .bind(None::<String>)
                        .bind(now.timestamp_millis())
                        .bind(by.role.as_str())
                        .bind(level.as_str())
                        .bind("raise")
                        .bind(state.as_str())
                        .bind(state.as_str())
                        .bind(0_i64)
                        .bind("")
                        .execute(&mut *tx)
                        .await?;
                    raised.push((VisitId(id), level));
                }
            }
            raised
        }))
    }

    /// Visits that were handed upwards after this line of the log, the oldest first.
    pub async fn raised_visits(&self, after_line: i64) -> Result<Vec<RaisedVisit>> {
        let rows: Vec<(i64, i64, i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, visit_id, at, who from visit_log where act = 'raise' and id > $1 order by id",
            )
            .bind(after_line)
            .fetch_all(pool)
            .await?
        });
        let mut raised = Vec::with_capacity(rows.len());
        for (line, visit, at, level) in rows {
            if let (Some(visit), Some(level)) = (self.visit(VisitId(visit)).await?, RaisedTo::parse(&level)) {
                raised.push(RaisedVisit {
                    line,
                    at: instant(at),
                    level,
                    visit,
                });
            }
        }
        Ok(raised)
    }

    /// What the staff is told of unasked, after this line of the log and this time: what was handed upwards, and what
    /// was called off while a team was on its way.
    pub async fn visit_news(&self, after_line: i64, since: DateTime<Utc>) -> Result<Vec<VisitNews>> {
        let rows: Vec<(i64, i64, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, visit_id, act, who from visit_log where id > $1 and at > $2 \
                 and (act = 'raise' or (act = 'cancel' and from_state = 'on_the_way')) order by id",
            )
            .bind(after_line)
            .bind(since.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        let news = |(line, visit, act, who): (i64, i64, String, String)| VisitNews {
            line,
            visit: VisitId(visit),
            raised: RaisedTo::parse(&who).filter(|_| act == "raise"),
        };
        Ok(rows.into_iter().map(news).collect())
    }

    /// Erases what a person's visits hold of them, at once: open ones are called off, and others who were told of them
    /// hear it. That there were visits, and when, stays. Gives how many; a repeat finds none.
    pub async fn forget_visits(
        &self,
        contact: ContactId,
        teller: &VisitTeller<'_>,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let by = VisitBy::resident(contact);
        Ok(in_transaction!(self, |tx| {
            let rows: Vec<(i64,)> = sqlx::query_as(OF_PERSON)
                .bind(contact.0)
                .fetch_all(&mut *tx)
                .await?;
            for (id,) in &rows {
                let Some((mut visit, _)) = read_visit!(self, tx, VisitId(*id)) else {
                    continue;
                };
                let from = visit.state;
                visit.revision += 1;
                if from.is_open() {
                    visit.state = VisitState::Cancelled;
                    let act = Some(VisitActKind::Cancel);
                    tell!(self, tx, &visit, act, from, teller, Some(contact), now);
                }
                sqlx::query(
                    "update visits set state = $2, revision = $3, personal = '', asker_id = null, changed_at = $4 \
                     where id = $1",
                )
                .bind(id)
                .bind(visit.state.as_str())
                .bind(visit.revision)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
                for sql in [
                    "update visit_log set words = '' where visit_id = $1",
                    "delete from visit_contacts where visit_id = $1",
                ] {
                    sqlx::query(sql).bind(id).execute(&mut *tx).await?;
                }
                let line = take_ids!(tx, "visit_log", 1);
                sqlx::query(ADD_LINE)
                    .bind(line)
                    .bind(id)
                    .bind(None::<String>)
                    .bind(now.timestamp_millis())
                    .bind(by.role.as_str())
                    .bind(&by.who)
                    .bind("forget")
                    .bind(from.as_str())
                    .bind(visit.state.as_str())
                    .bind(visit.revision)
                    .bind("")
                    .execute(&mut *tx)
                    .await?;
            }
            sqlx::query("delete from visit_contacts where contact_id = $1")
                .bind(contact.0)
                .execute(&mut *tx)
                .await?;
            rows.len() as u64
        }))
    }

    /// How many people are expected to be sampled at home, and when, within these instants: they are registered then,
    /// and so draw on what the city's registration can take.
    pub async fn visit_load(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<(DateTime<Utc>, u32)>> {
        let rows: Vec<(i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select planned_at, people from visits where planned_at >= $1 and planned_at < $2 \
                   and state in ('scheduled', 'on_the_way') order by planned_at, id",
            )
            .bind(from.timestamp_millis())
            .bind(to.timestamp_millis())
            .fetch_all(pool)
            .await?
        });
        Ok(rows
            .into_iter()
            .map(|(at, people)| (instant(at), people as u32))
            .collect())
    }

    /// Changes whenever a visit or a team does.
    pub async fn visits_version(&self) -> Result<String> {
        let (lines, teams): (i64, i64) = on_pool!(self, |pool| {
            sqlx::query_as(
                "select (select coalesce(max(id), 0) from visit_log), \
                   (select cast(coalesce(sum(changed_at % 1000000007), 0) as bigint) from teams)",
            )
            .fetch_one(pool)
            .await?
        });
        Ok(format!("{lines} {teams}"))
    }
}

/// What has waited too long for its next step: since it came to its state, or since the end of its promised time. What
/// the operator has does not go back to the coordinator.
const RAISE: &str = "update visits set raised = $1 where \
      (raised = '' or ($3 = 1 and raised <> $1)) \
      and ((state in ('asked', 'accepted') and waits_since <= $2) \
        or (state in ('scheduled', 'on_the_way') and promised_to <= $2) \
        or (state = 'missed' and lapsed = 1 and waits_since <= $2)) \
    returning id, state";
