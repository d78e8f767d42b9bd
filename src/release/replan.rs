//! Moving windows of a round that is under way: later only, each a few times at most, and told once.
//!
//! Here the windows move, in one transaction. Their people hear of it from the releaser, which finds the moved windows
//! in the store: a restart in between neither forgets nor repeats anybody.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use super::{
    communities::Communities,
    input::{self, Standpoint},
    moves::{self, Beside, Ground, Minutes},
    plan::{self, PlanError, RoundSpec, refused},
};
use crate::{
    config::Config,
    domain::{BuildingId, RoundId, RoundState, Site, SiteId, UnitId, Window},
    pacing::{kernel::Response, law::WindowOrder},
    planner::{
        self, Announced, GivenWindow, MOVES_MAX, Restagger, Restaggered, Supply,
        request::{self, Calendar},
    },
    store::{Movable, Round, Store, TakenRoom, WindowMove},
};

/// Who is told to come within this time is on the way: their window stays.
const ON_THE_WAY: TimeDelta = TimeDelta::minutes(15);
/// Who is asked to come again needs so long to hear it and to come.
const AGAIN_FROM: TimeDelta = TimeDelta::minutes(20);
/// As many starts as ever asked for.
const UNLIMITED: f64 = 1e12;
/// Windows may move, or the service may tell somebody, between the reading and the writing; then it is done anew.
const TRIES: usize = 3;

/// Within what windows may start from now on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplanQuota {
    /// Windows that start from then on may move; from now on without one. Told windows that start within 15 minutes
    /// never do: their people are on the way.
    pub from: Option<DateTime<Utc>>,
    /// None of them starts earlier than this after `from`.
    pub delay: Option<TimeDelta>,
    /// Recipients whose windows may start in a minute, over the whole city; without one only the sites limit them.
    pub starts_per_minute: Option<f64>,
    /// Only windows at this site move: its desks are others than before. Told ones move too where it has no room for
    /// them any more, and no unit is added.
    pub site: Option<SiteId>,
    /// What the law orders, in place of all the above.
    pub order: Option<WindowOrder>,
    /// Only these windows move, also those that have begun.
    pub kept: Option<Kept>,
}

/// Windows whose people could not be tested at their time.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Whose.
    pub units: HashSet<UnitId>,
    /// Windows that had ended before this are left alone.
    pub since: DateTime<Utc>,
}

/// What a re-planning did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replanned {
    /// Windows that moved.
    pub moved_units: usize,
    /// Of them, those whose people had been told, and are now told the new time.
    pub told_units: usize,
    /// The people of all of them.
    pub people: u64,
    /// The furthest that one moved, in minutes.
    pub minutes_max: i64,
    /// Windows that moved beyond what their site can take: no later minute of the round has room.
    pub over_capacity: usize,
    /// Recipients whose window should have moved, but has moved too often already.
    pub stuck_recipients: u64,
    /// Units that came onto the roster after the round was planned, and now have a window.
    pub added_units: usize,
}

/// What is to be written.
struct Moves {
    windows: Vec<WindowMove>,
    added: Vec<Window>,
    outcome: Replanned,
}

/// Moves the windows of a round that is under way later, so that no more of them start than the quota allows, and gives
/// units that have none a window where room is.
pub async fn replan(
    store: &Store,
    config: &Config,
    round: &Round,
    quota: &ReplanQuota,
    now: DateTime<Utc>,
) -> Result<Replanned, PlanError> {
    for _ in 0..TRIES {
        // As it is now: its windows may have moved since the caller read it.
        let round = plan::existing(store, round.id).await?;
        let moves = asked(store, config, &round, quota, now).await?;
        if moves.windows.is_empty() && moves.added.is_empty() {
            return Ok(moves.outcome);
        }
        if store
            .apply_moves(&round, &moves.windows, &moves.added, now)
            .await?
        {
            metrics::counter!("weir_windows_moved_total").increment(moves.outcome.moved_units as u64);
            tracing::warn!(
                round = round.id.0,
                moved = moves.outcome.moved_units,
                told = moves.outcome.told_units,
                "windows of round {} moved later",
                round.id
            );
            return Ok(moves.outcome);
        }
    }
    refused(format!(
        "the windows of round {} were changed by somebody else at the same time: try again",
        round.id
    ))
}

/// The same without doing it.
pub async fn preview(
    store: &Store,
    config: &Config,
    round: &Round,
    quota: &ReplanQuota,
    now: DateTime<Utc>,
) -> Result<Replanned, PlanError> {
    let round = plan::existing(store, round.id).await?;
    Ok(asked(store, config, &round, quota, now).await?.outcome)
}

async fn asked(
    store: &Store,
    config: &Config,
    round: &Round,
    quota: &ReplanQuota,
    now: DateTime<Utc>,
) -> Result<Moves, PlanError> {
    if !matches!(round.state, RoundState::Releasing | RoundState::Paused) {
        return refused(format!(
            "round {} is {}: only one that is released and not over can move; plan a new one",
            round.id,
            round.state.as_str()
        ));
    }
    let spec = plan::round_spec(round)?;
    let zone = config.city.time_zone;
    let today: NaiveDate = now.with_timezone(&zone).date_naive();
    let calendar = Calendar {
        zone,
        first: spec.date.min(today),
    };
    let sites = store.sites().await?;
    let kept_since = quota.kept.as_ref().map_or(now, |kept| kept.since);
    let since = quota.order.map_or(kept_since, |order| order.reaches_back_to(now));
    let mut windows = store.movable_windows(round.id, since).await?;
    if quota.order.is_some() && round.state == RoundState::Paused {
        // Nobody comes for the others before it goes on.
        windows.retain(|window| window.told);
    }
    let taken = store.taken_room(Some(round.id), now).await?;
    let (must_not, buildings) = input::must_not(store, &spec).await?;
    let supply = request::supply(&spec, calendar.first, &config.planner, &sites, must_not);
    let given = input::given(&taken, calendar, &sites);
    let beside = beside(store, round.id, quota, calendar, since, now).await?;
    let two_step = plan::steps(round).two_step;
    let mut moves = tokio::task::block_in_place(|| {
        let ground = Ground {
            supply: &supply,
            given: &given,
            response: &Response::default(),
            minutes: Minutes {
                instant: &|minute| calendar.instant_of(minute),
                // The minute that has begun is not whole any more.
                minute: &|at| first_minute(calendar, at),
            },
        };
        moves(
            &windows, &buildings, &sites, calendar, quota, &ground, &beside, two_step, now,
        )
    });
    if quota.site.is_none() && !(quota.order.is_some() && round.state == RoundState::Paused) {
        moves.added = added(
            store,
            config,
            round,
            &spec,
            calendar,
            &windows,
            &moves.windows,
            now,
        )
        .await?;
    }
    moves.outcome.added_units = moves.added.len();
    Ok(moves)
}

/// The first whole minute that is not before an instant.
fn first_minute(calendar: Calendar, at: DateTime<Utc>) -> u32 {
    calendar
        .minutes(at + TimeDelta::milliseconds(59_999))
        .unwrap_or_default()
}

/// What other live rounds start. What the law orders moves one round after the other, in the order of their ids.
async fn beside(
    store: &Store,
    round: RoundId,
    quota: &ReplanQuota,
    calendar: Calendar,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Beside, PlanError> {
    let mut beside = Beside::default();
    if quota.order.is_none() && quota.starts_per_minute.is_none() {
        return Ok(beside);
    }
    let response = Response::default();
    for start in store.starts_beside(round, since).await? {
        let Some(minute) = calendar.minutes(start.starts_at) else {
            continue;
        };
        let moves = quota.order.is_some_and(|order| order.told || !start.told);
        let starts = if moves && start.round > round {
            &mut beside.moving
        } else {
            &mut beside.staying
        };
        let coming = response.still_coming((now - start.starts_at).as_seconds_f64());
        *starts.entry(minute).or_default() += start.recipients as f64 * coming;
    }
    Ok(beside)
}

/// A round as a rehearsal sees it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its windows, none of them told yet.
    pub windows: Vec<Announced>,
    /// Sites, hours and caps.
    pub supply: Supply,
    /// Windows of other live rounds.
    pub given: Vec<GivenWindow>,
    /// Its days.
    pub calendar: Calendar,
    /// What was asked of its planner.
    pub spec: RoundSpec,
    /// Recipients told a minute, as released or as a release would do it now.
    pub per_minute: f64,
}

/// A round's windows, and all that moving them needs to know.
pub async fn standing(
    store: &Store,
    config: &Config,
    round: RoundId,
    now: DateTime<Utc>,
) -> Result<Standing, PlanError> {
    let round = plan::existing(store, round).await?;
    let spec = plan::round_spec(&round)?;
    let calendar = Calendar {
        zone: config.city.time_zone,
        first: spec.date,
    };
    let sites = store.sites().await?;
    let positions: HashMap<SiteId, usize> = request::positions(&sites);
    let windows = store.movable_windows(round.id, DateTime::UNIX_EPOCH).await?;
    let taken = store.taken_room(Some(round.id), now).await?;
    let (must_not, buildings) = input::must_not(store, &spec).await?;
    let announced = windows.iter().filter_map(|window| {
        Some(Announced {
            unit: window.unit,
            building: building_of(&buildings, window.unit),
            people: window.people,
            recipients: window.recipients,
            site: *positions.get(&window.site)? as u32,
            start: calendar.minutes(window.starts_at)?,
            minutes: (window.ends_at - window.starts_at).num_minutes().clamp(1, 1440) as u16,
            told: false,
            moves: 0,
        })
    });
    let mut announced: Vec<Announced> = announced.filter(|window| window.recipients > 0).collect();
    announced.sort_by_key(|window| (window.start, window.unit));
    let per_minute = plan::pace_of(&round, &spec, store, now).await?;
    Ok(Standing {
        windows: announced,
        supply: request::supply(&spec, calendar.first, &config.planner, &sites, must_not),
        given: input::given(&taken, calendar, &sites),
        calendar,
        spec,
        per_minute,
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "the windows as they stand, and all that limits them"
)]
fn moves(
    windows: &[Movable],
    buildings: &HashMap<UnitId, BuildingId>,
    sites: &[Site],
    calendar: Calendar,
    quota: &ReplanQuota,
    ground: &Ground<'_>,
    beside: &Beside,
    two_step: bool,
    now: DateTime<Utc>,
) -> Moves {
    let positions: HashMap<SiteId, usize> = request::positions(sites);
    let (index, announced): (Vec<usize>, Vec<Announced>) = windows
        .iter()
        .enumerate()
        .filter_map(|(index, window)| {
            let announced = Announced {
                unit: window.unit,
                building: building_of(buildings, window.unit),
                people: window.people,
                recipients: window.recipients,
                site: *positions.get(&window.site)? as u32,
                start: calendar.minutes(window.starts_at)?,
                minutes: (window.ends_at - window.starts_at).num_minutes().clamp(1, 1440) as u16,
                told: window.told,
                moves: window.moves,
            };
            Some((index, announced))
        })
        .unzip();
    let restaggered = match &quota.order {
        Some(order) => Restaggered {
            moved: moves::moved_beside(&announced, order, ground, beside, now),
            stuck_recipients: 0,
        },
        None => {
            // An unknown site has no windows, so that none moves.
            let place = |site| positions.get(&site).map_or(u32::MAX, |&place| place as u32);
            let site = quota.site.map(place);
            by_hand((announced, site), windows, &index, quota, ground, beside, now)
        }
    };
    let mut outcome = Replanned {
        stuck_recipients: restaggered.stuck_recipients,
        ..Replanned::default()
    };
    let mut moves = Vec::new();
    for moved in &restaggered.moved {
        let window = &windows[index[moved.index as usize]];
        let starts_at = calendar.instant_of(moved.start);
        // Never earlier once it was told, whatever a clock change did to the minutes.
        let comes_back = quota.order.is_some() && !window.told && starts_at != window.starts_at;
        if (starts_at <= window.starts_at && !comes_back) || window.moves >= MOVES_MAX {
            continue;
        }
        outcome.moved_units += 1;
        outcome.told_units += usize::from(window.told);
        outcome.people += u64::from(window.people);
        outcome.minutes_max = outcome
            .minutes_max
            .max((starts_at - window.starts_at).num_minutes());
        outcome.over_capacity += usize::from(moved.over_capacity);
        moves.extend(window.rows.iter().map(|&row| WindowMove {
            row,
            own: window.own,
            starts_at,
            ends_at: starts_at + TimeDelta::minutes(i64::from(moved.minutes)),
            over_capacity: moved.over_capacity,
            stay_behind: moves::stay_behind(ground.response, window.starts_at, now),
            is_called: two_step,
        }));
    }
    Moves {
        windows: moves,
        added: Vec::new(),
        outcome,
    }
}

/// Where a unit is; where no building has times of its own, all are taken for one.
fn building_of(buildings: &HashMap<UnitId, BuildingId>, unit: UnitId) -> BuildingId {
    buildings.get(&unit).copied().unwrap_or(BuildingId(0))
}

/// What a person asks for.
fn by_hand(
    (mut announced, site): (Vec<Announced>, Option<u32>),
    windows: &[Movable],
    index: &[usize],
    quota: &ReplanQuota,
    ground: &Ground<'_>,
    beside: &Beside,
    now: DateTime<Utc>,
) -> Restaggered {
    let mut again = Vec::new();
    for (at, (announced, &index)) in announced.iter_mut().zip(index).enumerate() {
        let window = &windows[index];
        // Those on the way, and those that began, take their room and stay.
        let stays = match &quota.kept {
            Some(kept) => !kept.units.contains(&window.unit),
            None => announced.told && window.starts_at < now + ON_THE_WAY,
        };
        if stays {
            announced.moves = MOVES_MAX;
        } else if quota.kept.is_some() {
            let earliest = (ground.minutes.minute)(now + AGAIN_FROM);
            if announced.start < earliest {
                announced.start = earliest;
                again.push(at);
            }
        }
    }
    let from = (ground.minutes.minute)(quota.from.map_or(now, |from| from.max(now)));
    let delay = quota.delay.map_or(0, |delay| delay.num_minutes().max(0)) as usize;
    let per_minute = quota.starts_per_minute.map_or(UNLIMITED, |cap| cap.max(0.0));
    let mut by_minute = beside.quota(&announced, per_minute, from);
    by_minute.resize(by_minute.len().max(delay), per_minute);
    by_minute[..delay].fill(0.0);
    let mut restaggered = planner::restagger(&Restagger {
        windows: &announced,
        supply: ground.supply,
        given: ground.given,
        from,
        quota: &by_minute,
        quota_after: per_minute,
        site,
    });
    // Those for which the earliest time has room.
    let moved: HashSet<u32> = restaggered.moved.iter().map(|moved| moved.index).collect();
    again.retain(|at| !moved.contains(&(*at as u32)) && announced[*at].moves < MOVES_MAX);
    restaggered.moved.extend(again.iter().map(|&at| planner::Moved {
        index: at as u32,
        unit: announced[at].unit,
        start: announced[at].start,
        minutes: announced[at].minutes,
        over_capacity: false,
    }));
    restaggered
}

/// Windows for units of the round's communities that came onto the roster after it was planned.
#[expect(
    clippy::too_many_arguments,
    reason = "what the planner has already been told, and the moves it answered"
)]
async fn added(
    store: &Store,
    config: &Config,
    round: &Round,
    spec: &RoundSpec,
    calendar: Calendar,
    windows: &[Movable],
    moves: &[WindowMove],
    now: DateTime<Utc>,
) -> Result<Vec<Window>, PlanError> {
    let without = store.without_window(round.id).await?;
    let known = store.units().await?;
    // A name that has become ambiguous since the round was planned adds nobody.
    let Ok(communities) = Communities::named(&spec.communities, known.iter().map(|unit| &unit.place)) else {
        return Ok(Vec::new());
    };
    if !without.iter().any(|(place, _)| communities.contains(place)) {
        return Ok(Vec::new());
    }
    let from = Standpoint {
        calendar,
        first_minute: 0,
        round: Some(round.id),
        now,
    };
    let mut known = input::load(store, config, spec, &from).await?;
    let planned: std::collections::HashSet<UnitId> = store
        .windows(round.id)
        .await?
        .iter()
        .map(|window| window.unit)
        .collect();
    known.input.units.retain(|unit| !planned.contains(&unit.unit));
    known
        .input
        .given
        .extend(input::given(&room(windows, moves), calendar, &known.sites));
    // As in a first plan: a window is told its lead before.
    let earliest = now + TimeDelta::minutes(spec.lead_minutes + 1);
    let Some((day, minute)) = calendar.day_and_minute(earliest) else {
        return Ok(Vec::new());
    };
    if day >= known.input.supply.days {
        return Ok(Vec::new());
    }
    let later = Calendar {
        zone: calendar.zone,
        first: calendar.first + chrono::Days::new(u64::from(day)),
    };
    known.input.supply.first_day_from_minute = minute;
    known.input.supply.days -= day;
    known.input.given.retain(|given| given.day >= day);
    for given in &mut known.input.given {
        given.day -= day;
    }
    let plan = tokio::task::block_in_place(|| planner::plan(&known.input));
    Ok(plan::windows(later, &plan.windows))
}

/// What the round's windows take once these moves are made.
fn room(windows: &[Movable], moves: &[WindowMove]) -> Vec<TakenRoom> {
    let new_times: HashMap<(bool, i64), &WindowMove> =
        moves.iter().map(|to| ((to.own, to.row), to)).collect();
    windows
        .iter()
        .map(|window| {
            let to = window
                .rows
                .first()
                .and_then(|row| new_times.get(&(window.own, *row)));
            TakenRoom {
                site: window.site,
                starts_at: to.map_or(window.starts_at, |to| to.starts_at),
                ends_at: to.map_or(window.ends_at, |to| to.ends_at),
                people: window.people,
            }
        })
        .collect()
}
