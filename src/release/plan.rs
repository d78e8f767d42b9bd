//! Planning a round: units and sites from the store, through the planner, into a draft.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{
    communities::Communities,
    input::{self, Standpoint},
};

use crate::{
    config::Config,
    domain::{GreenWindow, RoundId, RoundState, Site, SiteId, UnitId, Window},
    pacing::{forecast, release},
    planner::{
        self, Explanation, Plan, PlannedWindow, Shortage, SitePlan,
        chart::{self, ChartData, ChartDay, Legend},
        request::{self, Calendar, minute_of},
    },
    store::{NewRound, Round, Store, StoreError, UnitWithPeople},
};

pub use crate::planner::request::{MustNotTime, RoundSpec, local};

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
    /// Of the people, those with a time in a green lane.
    #[serde(default)]
    pub green_people: u64,
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

pub(super) fn refused<T>(text: impl Into<String>) -> Result<T, PlanError> {
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
    if spec.two_step && config.registration.link.is_none() {
        return refused(
            "--two-step sends the link when a window has come, and there is none: set registration.link to the page \
             that residents open to register",
        );
    }
    let begin = begin(spec, now, zone)?;
    let spec = &with_paths(store, spec).await?;
    let from = Standpoint {
        calendar: Calendar {
            zone,
            first: begin.date,
        },
        first_minute: begin.minute,
        round: None,
        now,
    };
    let known = input::load(store, config, spec, &from).await?;
    // Planning is work for the processor alone: a city of a million units takes its time.
    let plan = tokio::task::block_in_place(|| planner::plan(&known.input));
    let summary = PlanSummary {
        begins_later: begin.later,
        ..summary(begin.date, &known.units, &plan)
    };
    let round = NewRound {
        spec: serde_json::to_string(spec).unwrap_or_default(),
        summary: serde_json::to_string(&summary).unwrap_or_default(),
        windows: windows(from.calendar, &plan.windows),
    };
    Ok((store.create_round(&round, now).await?, summary))
}

/// The communities of must-not times, each by its whole path: a name may become ambiguous later.
async fn with_paths(store: &Store, spec: &RoundSpec) -> Result<RoundSpec, PlanError> {
    let mut spec = spec.clone();
    if spec.must_not.iter().any(|not| not.community.is_some()) {
        let units = store.units().await?;
        for not in &mut spec.must_not {
            if let Some(name) = &not.community {
                let path = Communities::path_of(name, units.iter().map(|unit| &unit.place));
                not.community = Some(path.or_else(|fault| refused(format!("--not: {fault}")))?);
            }
        }
    }
    Ok(spec)
}

/// Why a unit has its window in this round.
pub async fn explain(
    store: &Store,
    config: &Config,
    id: RoundId,
    unit: UnitId,
    now: DateTime<Utc>,
) -> Result<(Explanation, Vec<Site>), PlanError> {
    let round = existing(store, id).await?;
    let spec = round_spec(&round)?;
    let windows = store.windows(id).await?;
    let zone = config.city.time_zone;
    let first = windows
        .iter()
        .map(|window| window.starts_at.with_timezone(&zone).date_naive())
        .min();
    let from = Standpoint {
        calendar: Calendar {
            zone,
            first: first.unwrap_or(spec.date),
        },
        first_minute: plan_summary(&round)
            .begins_later
            .map_or(0, |at| request::minute_of(at.with_timezone(&zone).time())),
        round: Some(id),
        now: round.created_at.min(now),
    };
    let known = input::load(store, config, &spec, &from).await?;
    let plan = Plan {
        windows: planned(from.calendar, &windows),
        without_site: Vec::new(),
        shortage: None,
        load: Vec::new(),
        sites: known.sites.iter().map(|site| site_plan(site, &windows)).collect(),
    };
    match tokio::task::block_in_place(|| planner::explain(&known.input, &plan, unit)) {
        Some(explanation) => Ok((explanation, known.sites)),
        None => refused(format!(
            "the unit has no window in round {id}: it came onto the roster later, or is not of the round's communities"
        )),
    }
}

/// Who goes to a site, by the stored windows.
fn site_plan(site: &Site, windows: &[Window]) -> SitePlan {
    let regular = windows.iter().filter(|window| window.site == site.id);
    let green = windows.iter().filter_map(|window| window.green.as_ref());
    SitePlan {
        site: site.id,
        people: regular.map(|window| u64::from(window.people)).sum(),
        peak_per_minute: 0.0,
        green_people: green
            .filter(|green| green.site == site.id)
            .map(|green| u64::from(green.people))
            .sum(),
        green_desks_needed: 0,
    }
}

/// Stored windows as the planner knows them.
fn planned(calendar: Calendar, windows: &[Window]) -> Vec<PlannedWindow> {
    let minutes = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).num_minutes().clamp(1, 1440) as u16;
    let of = |window: &Window| {
        let (day, start_minute) = calendar.day_and_minute(window.starts_at)?;
        Some(PlannedWindow {
            unit: window.unit,
            site: window.site,
            day,
            start_minute,
            minutes: minutes(window.starts_at, window.ends_at),
            people: window.people,
            over_capacity: window.over_capacity,
            green: window.green.as_ref().and_then(|green| {
                let (day, start_minute) = calendar.day_and_minute(green.starts_at)?;
                Some(planner::GreenWindow {
                    site: green.site,
                    day,
                    start_minute,
                    minutes: minutes(green.starts_at, green.ends_at),
                    people: green.people,
                })
            }),
        })
    };
    windows.iter().filter_map(of).collect()
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
    if let Some(not) = spec.must_not.iter().find(|not| not.from >= not.to) {
        return refused(format!(
            "--not {}-{}: the first time must be before the second",
            not.from.format("%H:%M"),
            not.to.format("%H:%M")
        ));
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

fn summary(first: NaiveDate, units: &[UnitWithPeople], plan: &Plan) -> PlanSummary {
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
        green_people: plan
            .windows
            .iter()
            .filter_map(|window| window.green)
            .map(|green| u64::from(green.people))
            .sum(),
        shortage: plan.shortage.clone(),
        load: chart::days(&plan.load, first),
    }
}

/// What the planner answered, with the load as the windows stand now that some have moved or were added.
pub fn redrawn(summary: PlanSummary, windows: &[Window], zone: Tz) -> PlanSummary {
    let local = |at: DateTime<Utc>| at.with_timezone(&zone);
    let days = || {
        let greens = windows.iter().filter_map(|window| window.green.as_ref());
        windows
            .iter()
            .map(|window| window.starts_at)
            .chain(greens.map(|green| green.starts_at))
            .map(|at| local(at).date_naive())
    };
    let Some((first, last)) = days().min().zip(days().max()) else {
        return summary;
    };
    let mut load = vec![vec![0.0; planner::MINUTES_PER_DAY]; (last - first).num_days() as usize + 1];
    let mut add = |starts_at: DateTime<Utc>, ends_at: DateTime<Utc>, people: u32| {
        let minutes = (ends_at - starts_at).num_minutes().max(1);
        for minute in 0..minutes {
            let at = local(starts_at + TimeDelta::minutes(minute));
            let day = (at.date_naive() - first).num_days() as usize;
            // Nothing lasts beyond the last midnight.
            if let Some(minute) = load
                .get_mut(day)
                .and_then(|day| day.get_mut(usize::from(minute_of(at.time()))))
            {
                *minute += f64::from(people) / minutes as f64;
            }
        }
    };
    for window in windows {
        add(window.starts_at, window.ends_at, window.people);
        if let Some(green) = &window.green {
            add(green.starts_at, green.ends_at, green.people);
        }
    }
    PlanSummary {
        units: windows.len(),
        planned_peak_per_minute: load.iter().flatten().copied().fold(0.0, f64::max),
        over_capacity_units: windows.iter().filter(|window| window.over_capacity).count(),
        load: chart::days(&load, first),
        ..summary
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
    /// More ways out are no help to whoever has to choose one.
    const REMEDIES_SHOWN_MAX: usize = 5;
    let name = |id: SiteId| {
        let site = sites.iter().find(|site| site.id == id);
        site.map_or_else(|| "?".to_owned(), |site| site.name.clone())
    };
    let mut lines = Vec::new();
    if shortage.people > 0 {
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
        lines.push(text);
    }
    if shortage.green_people > 0 {
        lines.push(format!(
            "{} students, elderly or city-support workers go to the regular desks: the green desks cannot take them all",
            shortage.green_people
        ));
    }
    for short in &shortage.sites {
        let mut missing = Vec::new();
        if short.people > 0 {
            missing.push(format!(
                "{} people, {} desks or {:.1} hours",
                short.people, short.desks, short.hours
            ));
        }
        if short.green_people > 0 {
            missing.push(format!(
                "{} people of the green lane, {} green desks",
                short.green_people, short.green_desks
            ));
        }
        lines.push(format!("  {}: {}", name(short.site), missing.join("; ")));
    }
    let remedies = shortage.remedies.iter().take(REMEDIES_SHOWN_MAX);
    for (remedy, lead) in remedies.zip(std::iter::once("Cheapest remedy: ").chain(std::iter::repeat("Or: ")))
    {
        lines.push(format!("{lead}{}", remedy.words(&name)));
    }
    lines.join("\n")
}

/// The planner's windows as they are stored.
pub(super) fn windows(calendar: Calendar, planned: &[PlannedWindow]) -> Vec<Window> {
    let at = |day: u16, minute: u16| calendar.instant(day, u32::from(minute));
    planned
        .iter()
        .map(|window| {
            let starts_at = at(window.day, window.start_minute);
            Window {
                unit: window.unit,
                site: window.site,
                starts_at,
                ends_at: starts_at + TimeDelta::minutes(i64::from(window.minutes)),
                people: window.people,
                over_capacity: window.over_capacity,
                green: window.green.map(|green| {
                    let starts_at = at(green.day, green.start_minute);
                    GreenWindow {
                        site: green.site,
                        starts_at,
                        ends_at: starts_at + TimeDelta::minutes(i64::from(green.minutes)),
                        people: green.people,
                    }
                }),
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

/// Recipients told a minute: as released, or as a release would do it now.
pub(super) async fn pace_of(
    round: &Round,
    spec: &RoundSpec,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<f64, StoreError> {
    if let Some(per_minute) = round.pace_per_minute {
        return Ok(per_minute);
    }
    let (deadlines, _) = deadlines(store, round.id, spec).await?;
    Ok(pace(spec, &deadlines, now).per_minute * PACE_HEADROOM)
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
    let units = store.untold_units(id).await?;
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
            pace_per_minute = (needed * 10.0).round() / 10.0,
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
