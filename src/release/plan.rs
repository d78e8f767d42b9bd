//! Planning a round: units and sites from the store, through the planner, into a draft.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    domain::{RoundId, RoundState, Site, Window},
    pacing::{forecast, release},
    planner::{
        self, Choice, Choices, ChoicesId, PlanInput, PlanSite, PlanUnit, Shortage, Span, Supply,
        chart::{self, ChartData, ChartDay, Legend},
    },
    release::communities::Communities,
    store::{NewRound, Round, Store, StoreError, UnitWithPeople},
};

/// What is asked of the planner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundSpec {
    /// First day.
    pub date: NaiveDate,
    /// Last day, used where one does not suffice.
    pub until: NaiveDate,
    /// First minute of each day.
    pub from: NaiveTime,
    /// End of each day.
    pub to: NaiveTime,
    /// Names of the communities, as [`Communities::named`] reads them; none means all.
    pub communities: Vec<String>,
    /// People a minute over the whole city, where the registration system cannot take more.
    pub city_cap: Option<f64>,
    /// A notice leaves at least this many minutes before its window.
    pub lead_minutes: i64,
    /// No notice leaves before.
    pub notice_from: DateTime<Utc>,
    /// A notice leaves at most this many minutes before its window; none: as early as the pace brings it.
    #[serde(default)]
    pub ahead_minutes: Option<i64>,
    /// The first notice tells the window, a second one, at its time, brings the link.
    #[serde(default)]
    pub two_step: bool,
}

/// How a round's units are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Steps {
    /// A notice leaves at most this many minutes before its window.
    pub ahead_minutes: Option<i64>,
    /// The first notice tells the window, a second one, at its time, brings the link.
    pub two_step: bool,
}

/// How a stored round's units are told; plainly, where its plan says nothing of it.
pub fn steps(round: &Round) -> Steps {
    serde_json::from_str(&round.spec).unwrap_or_default()
}

/// What the planner answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PlanSummary {
    /// Units with a window.
    pub units: usize,
    /// People with a window.
    pub people: u64,
    /// Sites used.
    pub sites: usize,
    /// Expected arrivals in the fullest minute.
    pub planned_peak_per_minute: f64,
    /// The same, if everybody were told to come at once.
    pub at_once_peak_per_minute: f64,
    /// Units with a window beyond capacity.
    pub over_capacity_units: usize,
    /// When windows begin, if the first hours that were asked for are too near for their notices.
    #[serde(default)]
    pub begins_later: Option<DateTime<Utc>>,
    /// What is missing, if anything is.
    pub shortage: Option<Shortage>,
    /// Expected arrivals by minute and day, without the nights.
    pub load: Vec<ChartDay>,
}

/// Why no plan was made, or why a round is not released.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be done; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
}

fn refused<T>(text: impl Into<String>) -> Result<T, PlanError> {
    Err(PlanError::Refused(text.into()))
}

const LEAD_DAYS_MAX: i64 = 31;

/// Plans a round and keeps it as a draft.
pub async fn plan_round(
    store: &Store,
    config: &Config,
    spec: &RoundSpec,
    now: DateTime<Utc>,
) -> Result<(RoundId, PlanSummary), PlanError> {
    let zone = config.city.time_zone;
    check(spec, now, zone)?;
    let begin = begin(spec, now, zone)?;
    let mut units = store.units_with_people(&[]).await?;
    if units.is_empty() {
        return refused("nobody is on the roster: `weir import roster.csv --sites sites.csv` first");
    }
    let communities =
        Communities::named(&spec.communities, units.iter().map(|unit| &unit.place)).or_else(refused)?;
    units.retain(|unit| communities.contains(&unit.place));
    let sites = store.sites().await?;
    if sites.is_empty() {
        return refused("there are no sites: `weir import --sites sites.csv` first");
    }
    units.sort_by(|a, b| a.place.natural_cmp(&b.place));
    let days = RoundSpec {
        date: begin.date,
        ..spec.clone()
    };
    let mut input = planner_input(&days, config, &units, &sites);
    input.supply.first_day_from_minute = begin.minute;
    // Planning is work for the processor alone: a city of a million units takes its time.
    let plan = tokio::task::block_in_place(|| planner::plan(&input));
    let summary = PlanSummary {
        begins_later: begin.later,
        ..summary(&days, &units, &plan)
    };
    let windows = windows(&days, zone, &plan);
    let round = NewRound {
        spec: serde_json::to_string(spec).unwrap_or_default(),
        summary: serde_json::to_string(&summary).unwrap_or_default(),
        windows,
    };
    Ok((store.create_round(&round, now).await?, summary))
}

fn check(spec: &RoundSpec, now: DateTime<Utc>, zone: Tz) -> Result<(), PlanError> {
    if spec.from >= spec.to {
        return refused(format!(
            "--from {} must be before --to {}",
            spec.from.format("%H:%M"),
            spec.to.format("%H:%M")
        ));
    }
    if spec.until < spec.date {
        return refused(format!("--until {} is before --date {}", spec.until, spec.date));
    }
    if (spec.until - spec.date).num_days() > 31 {
        return refused("a round lasts 31 days at most: choose an earlier --until");
    }
    if local(zone, spec.until, spec.to) <= now {
        return refused(format!(
            "the round would be over before now ({}): choose a later --date",
            now.with_timezone(&zone).format("%F %H:%M")
        ));
    }
    if spec.lead_minutes > LEAD_DAYS_MAX * 24 * 60 {
        return refused(format!("--lead is {LEAD_DAYS_MAX} days at most"));
    }
    if spec.ahead_minutes.is_some_and(|ahead| ahead <= spec.lead_minutes) {
        return refused(format!(
            "--ahead must be longer than --lead ({} min): a notice leaves between the two",
            spec.lead_minutes
        ));
    }
    if spec.city_cap.is_some_and(|cap| !cap.is_finite() || cap < 1.0) {
        return refused("--city-cap is people a minute: 1 or more");
    }
    Ok(())
}

/// Where a round's windows begin.
struct Begin {
    /// The first day that has windows.
    date: NaiveDate,
    /// From this minute of it on.
    minute: u16,
    /// The same as an instant, where it is later than was asked for.
    later: Option<DateTime<Utc>>,
}

/// A window is told its lead before: what was asked for begins no earlier than that from now, on a later day if
/// nothing is left of the first.
fn begin(spec: &RoundSpec, now: DateTime<Utc>, zone: Tz) -> Result<Begin, PlanError> {
    let (from, to) = (minute_of(spec.from), minute_of(spec.to));
    let instant = |date, minute| local(zone, date, NaiveTime::MIN) + TimeDelta::minutes(i64::from(minute));
    let earliest = next_minute(now + TimeDelta::minutes(spec.lead_minutes));
    if instant(spec.date, from) >= earliest {
        return Ok(Begin {
            date: spec.date,
            minute: from,
            later: None,
        });
    }
    let mut date = earliest.with_timezone(&zone).date_naive().max(spec.date);
    let mut minute = ((earliest - instant(date, 0)).num_minutes() as u16).max(from);
    if minute >= to {
        (date, minute) = (date + Days::new(1), from);
    }
    if date > spec.until {
        return refused(format!(
            "nothing is left of the round: told {} min before, windows begin at {} at the earliest. \
             Choose a later --until or --to, or a shorter --lead",
            spec.lead_minutes,
            earliest.with_timezone(&zone).format("%F %H:%M"),
        ));
    }
    Ok(Begin {
        date,
        minute,
        later: Some(instant(date, minute)),
    })
}

/// The first whole minute that is not before `at`.
fn next_minute(at: DateTime<Utc>) -> DateTime<Utc> {
    let over = at.timestamp_millis().rem_euclid(60_000);
    at + TimeDelta::milliseconds((60_000 - over) % 60_000)
}

/// An instant of the city's day; in a gap that a clock change leaves, the first instant after it.
pub fn local(zone: Tz, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let naive = date.and_time(time);
    (0..=24)
        .find_map(|quarters| {
            zone.from_local_datetime(&(naive + TimeDelta::minutes(15 * quarters)))
                .earliest()
        })
        .map_or_else(|| naive.and_utc(), |at| at.to_utc())
}

fn minute_of(time: NaiveTime) -> u16 {
    (time.num_seconds_from_midnight() / 60) as u16
}

fn planner_input(spec: &RoundSpec, config: &Config, units: &[UnitWithPeople], sites: &[Site]) -> PlanInput {
    let mut choices = Choices::default();
    let mut lists: HashMap<(&str, &str, &str), ChoicesId> = HashMap::new();
    let units = units
        .iter()
        .map(|unit| {
            let place = &unit.place;
            let key = (
                place.district.as_str(),
                place.street.as_str(),
                place.community.as_str(),
            );
            let choices = *lists
                .entry(key)
                .or_insert_with(|| choices.add(sites_for(key, sites).into_iter().map(Choice::at)));
            PlanUnit {
                unit: unit.unit,
                building: unit.building,
                people: unit.people,
                green_people: 0,
                choices,
            }
        })
        .collect();
    PlanInput {
        units,
        supply: supply(spec, config, sites),
        choices,
        ..PlanInput::default()
    }
}

fn supply(spec: &RoundSpec, config: &Config, sites: &[Site]) -> Supply {
    Supply {
        sites: sites.iter().map(plan_site).collect(),
        days: ((spec.until - spec.date).num_days() + 1) as u16,
        from_minute: minute_of(spec.from),
        to_minute: minute_of(spec.to),
        city_cap: spec.city_cap,
        window_min_minutes: (config.planner.window_min.as_secs() / 60).max(1) as u32,
        ..Supply::default()
    }
}

fn plan_site(site: &Site) -> PlanSite {
    PlanSite {
        site: site.id,
        desks: site.desks,
        green_desks: site.green_desks,
        desk_people_per_minute: f64::from(site.samples_per_desk_hour) / 60.0,
        open: vec![Span {
            from: minute_of(site.opens),
            to: minute_of(site.closes),
        }],
    }
}

/// The sites of a community; where it has none, those of its street, its district, the city.
fn sites_for((district, street, community): (&str, &str, &str), sites: &[Site]) -> Vec<usize> {
    let of = |fits: &dyn Fn(&Site) -> bool| -> Vec<usize> {
        sites
            .iter()
            .enumerate()
            .filter(|(_, site)| fits(site))
            .map(|(index, _)| index)
            .collect()
    };
    let in_district = |site: &Site| site.district == district;
    let in_street = |site: &Site| in_district(site) && site.street == street;
    let in_community = |site: &Site| in_street(site) && site.community == community;
    [of(&in_community), of(&in_street), of(&in_district), of(&|_| true)]
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn summary(spec: &RoundSpec, units: &[UnitWithPeople], plan: &planner::Plan) -> PlanSummary {
    let people: u64 = units.iter().map(|unit| u64::from(unit.people)).sum();
    let mut used: Vec<_> = plan.windows.iter().map(|window| window.site).collect();
    used.sort_unstable();
    used.dedup();
    PlanSummary {
        units: plan.windows.len(),
        people,
        sites: used.len(),
        planned_peak_per_minute: plan.peak_per_minute(),
        at_once_peak_per_minute: forecast::at_once_peak_per_minute(people),
        over_capacity_units: plan.windows.iter().filter(|window| window.over_capacity).count(),
        begins_later: None,
        shortage: plan.shortage.clone(),
        load: chart::days(&plan.load, spec.date),
    }
}

/// The plan's picture: the planned load, and behind it what would come if everybody were told to come at once.
pub fn chart_data(id: RoundId, spec: &RoundSpec, summary: &PlanSummary) -> ChartData {
    let minutes: usize = summary.load.iter().map(|day| day.per_minute.len()).sum();
    let mut starts = vec![0.0; minutes];
    // Some come up to a minute early, so the start is in the second minute.
    if let Some(second) = starts.get_mut(1) {
        *second = summary.people as f64;
    }
    ChartData {
        title: format!("Round {id}: {} people in {} units", summary.people, summary.units),
        days: summary.load.clone(),
        cap: spec.city_cap,
        at_once: (minutes > 0).then(|| forecast::online_per_minute(&starts)),
        legend: Legend {
            planned: "as planned".into(),
            cap: "cap".into(),
            at_once: "everybody told at once, up to".into(),
            unit: "people/min".into(),
        },
    }
}

/// What is missing, in desks and hours, by site and in total.
pub fn shortage_words(shortage: &Shortage, sites: &[Site]) -> String {
    let mut text = format!(
        "{} people are beyond capacity. Missing: {} desks, or {:.1} hours",
        shortage.people, shortage.desks, shortage.hours
    );
    if shortage.people_beyond_city_cap > 0 {
        text.push_str(&format!(
            "; for {} of them desks are free, but the city's cap leaves no room",
            shortage.people_beyond_city_cap
        ));
    }
    for short in &shortage.sites {
        let name = sites
            .iter()
            .find(|site| site.id == short.site)
            .map_or("?", |site| site.name.as_str());
        text.push_str(&format!(
            "\n  {name}: {} people, {} desks or {:.1} hours",
            short.people, short.desks, short.hours
        ));
    }
    text
}

fn windows(spec: &RoundSpec, zone: Tz, plan: &planner::Plan) -> Vec<Window> {
    let starts_of_day: Vec<DateTime<Utc>> = (0..=(spec.until - spec.date).num_days() as u64)
        .map(|day| local(zone, spec.date + Days::new(day), NaiveTime::MIN))
        .collect();
    plan.windows
        .iter()
        .map(|window| {
            let starts_at =
                starts_of_day[window.day as usize] + TimeDelta::minutes(i64::from(window.start_minute));
            Window {
                unit: window.unit,
                site: window.site,
                starts_at,
                ends_at: starts_at + TimeDelta::minutes(i64::from(window.minutes)),
                people: window.people,
                over_capacity: window.over_capacity,
            }
        })
        .collect()
}

/// What a release will do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Release {
    /// Recipients told a minute.
    pub pace_per_minute: f64,
    /// When the first leaves.
    pub first_at: DateTime<Utc>,
    /// Contacts that will be told.
    pub recipients: u64,
    /// Units whose notice can no longer leave its lead before the window.
    pub late_units: usize,
}

/// Room above the smallest sufficient pace, so that a hiccup makes nobody late.
const PACE_HEADROOM: f64 = 1.1;

/// Lets a draft go: from now on the service tells its units, at the pace that its plan asks for.
pub async fn release_round(
    store: &Store,
    id: RoundId,
    accept_shortage: bool,
    now: DateTime<Utc>,
) -> Result<Release, PlanError> {
    let round = existing(store, id).await?;
    match round.state {
        RoundState::Draft => {}
        RoundState::Paused => return refused(format!("round {id} is paused: `weir round resume {id}`")),
        state => {
            return refused(format!(
                "round {id} is {}: only a draft can be released",
                state.as_str()
            ));
        }
    }
    if round.last_window_ends_at <= now {
        return refused(format!("every window of round {id} is over: plan a new round"));
    }
    if round.over_capacity > 0 && !accept_shortage {
        let summary = plan_summary(&round);
        let sites = store.sites().await?;
        let shortage = summary
            .shortage
            .map(|shortage| shortage_words(&shortage, &sites))
            .unwrap_or_default();
        return refused(format!(
            "round {id} asks more of its sites than they can take: {} units have a window marked over capacity. \
             {shortage}\nAdd desks or hours, plan with a later --until, or release it as it is with --accept-shortage",
            round.over_capacity
        ));
    }
    let others = store.overlapping_rounds(id, now).await?;
    if let Some(other) = others.first() {
        return refused(format!(
            "round {other} is released and gives units of round {id} another window within a day: nobody must be told two \
             times. Cancel one of them"
        ));
    }
    let spec = round_spec(&round)?;
    let (deadlines, recipients) = deadlines(store, id, &spec).await?;
    let first_at = spec.notice_from.max(now);
    let pace = pace(&spec, &deadlines, now);
    let pace_per_minute = pace.per_minute * PACE_HEADROOM;
    if !store.start_release(id, pace_per_minute, first_at, now).await? {
        return refused(format!(
            "round {id} is no draft any more: somebody released or cancelled it just now"
        ));
    }
    Ok(Release {
        pace_per_minute,
        first_at,
        recipients,
        late_units: pace.late,
    })
}

fn pace(spec: &RoundSpec, deadlines: &[(DateTime<Utc>, u32)], now: DateTime<Utc>) -> release::Pace {
    match spec.ahead_minutes {
        None => release::pace(deadlines, spec.notice_from, now),
        Some(ahead) => {
            let lead = TimeDelta::minutes(spec.lead_minutes);
            release::pace_ahead(deadlines, spec.notice_from, now, lead, TimeDelta::minutes(ahead))
        }
    }
}

/// When each unit that is still to be told must be told at the latest, with its recipients; and all recipients.
async fn deadlines(
    store: &Store,
    id: RoundId,
    spec: &RoundSpec,
) -> Result<(Vec<(DateTime<Utc>, u32)>, u64), StoreError> {
    let units = store.units_to_tell(id, usize::MAX >> 1).await?;
    let lead = TimeDelta::minutes(spec.lead_minutes);
    let recipients = units.iter().map(|unit| u64::from(unit.recipients)).sum();
    Ok((
        units
            .iter()
            .map(|unit| (unit.starts_at - lead, unit.recipients))
            .collect(),
        recipients,
    ))
}

/// Raises the pace of a releasing round that has fallen behind, so that those who are left are still told in time.
pub async fn raise_pace(store: &Store, round: &Round, now: DateTime<Utc>) -> Result<(), StoreError> {
    let spec = round_spec(round)?;
    let (deadlines, _) = deadlines(store, round.id, &spec).await?;
    if deadlines.is_empty() {
        return Ok(());
    }
    let needed = pace(&spec, &deadlines, now).per_minute * PACE_HEADROOM;
    if round.pace_per_minute.is_some_and(|pace| pace < needed) {
        tracing::warn!(
            round = round.id.0,
            pace_per_minute = needed,
            "round {} fell behind; the rest is told faster",
            round.id
        );
        store.raise_pace(round.id, needed).await?;
    }
    Ok(())
}

/// A round that must exist.
pub async fn existing(store: &Store, id: RoundId) -> Result<Round, PlanError> {
    match store.round(id).await? {
        Some(round) => Ok(round),
        None => refused(format!("there is no round {id}: `weir round list` shows them")),
    }
}

/// What was asked of a stored round's planner.
pub fn round_spec(round: &Round) -> Result<RoundSpec, StoreError> {
    serde_json::from_str(&round.spec)
        .map_err(|_| StoreError::Corrupt(format!("rounds.spec of round {}", round.id)))
}

/// What the planner answered for a stored round.
pub fn plan_summary(round: &Round) -> PlanSummary {
    serde_json::from_str(&round.summary).unwrap_or_default()
}

/// Pauses, resumes or cancels a round.
pub async fn move_round(
    store: &Store,
    id: RoundId,
    to: RoundState,
    now: DateTime<Utc>,
) -> Result<(), PlanError> {
    let from: &[RoundState] = match to {
        RoundState::Paused => &[RoundState::Releasing],
        RoundState::Releasing => &[RoundState::Paused],
        _ => &[RoundState::Draft, RoundState::Releasing, RoundState::Paused],
    };
    let round = existing(store, id).await?;
    if store.move_round(id, from, to, now).await? {
        if to == RoundState::Releasing {
            raise_pace(store, &round, now).await?;
        }
        return Ok(());
    }
    let wanted: Vec<_> = from.iter().map(|state| state.as_str()).collect();
    refused(format!(
        "round {id} is {}, and must be {} for that",
        round.state.as_str(),
        wanted.join(" or ")
    ))
}
