//! Finds times for accepted visits: a day after the other, in routes with what is promised already.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use crate::{
    config::{Config, VisitsConfig},
    domain::{Promise, Team, TeamId, Visit, VisitAct, VisitBy, VisitId, VisitState},
    i18n::visits::VisitTeller,
    routes::{self, Planned, RouteDay, RouteTeam, Spot, Stop},
    store::{Store, StoreError, VisitAnswer, VisitChange, VisitFilter},
};

/// What each further person at a door adds to a visit.
const FURTHER_PERSON_MINUTES: u32 = 2;
/// A team that has not set out so long after the end of what was promised does not come in it any more.
const GRACE: TimeDelta = TimeDelta::minutes(15);
const DAY_MINUTES: u32 = 24 * 60;

/// What a look at the visits did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scheduled {
    /// Visits that have a time now.
    pub scheduled: Vec<VisitId>,
    /// Visits that have another time now, because the promised one passed.
    pub moved: Vec<VisitId>,
    /// Visits that were given up for today: a time on another day is looked for.
    pub lapsed: Vec<VisitId>,
    /// Visits for which there is no room, up to the last date that is looked at.
    pub unplaced: Vec<VisitId>,
    /// Of these, visits where no team goes.
    pub without_team: Vec<VisitId>,
    /// Hours of a team's work that are missing for them.
    pub missing_team_hours: f64,
}

impl Scheduled {
    /// How many visits it changed.
    pub fn changes(&self) -> usize {
        self.scheduled.len() + self.moved.len() + self.lapsed.len()
    }

    /// The shortage as a sentence, if there is one.
    pub fn shortage(&self) -> Option<String> {
        if self.unplaced.is_empty() {
            return None;
        }
        let count = self.unplaced.len();
        let visits = if count == 1 { "visit has" } else { "visits have" };
        let mut said = format!(
            "{count} accepted {visits} no time: {:.1} hours of a team's work are missing",
            self.missing_team_hours
        );
        if !self.without_team.is_empty() {
            said.push_str(&format!("; no team goes to {} of them", self.without_team.len()));
        }
        Some(said)
    }
}

/// Finds times for what is accepted, and other times for what is late.
pub async fn step(
    store: &Store,
    config: &Config,
    teller: &VisitTeller<'_>,
    now: DateTime<Utc>,
) -> Result<Scheduled, StoreError> {
    let mut done = Scheduled::default();
    let late = late(store, now).await?;
    let mut pending = accepted(store).await?;
    if pending.is_empty() && late.is_empty() {
        return Ok(done);
    }
    let teams = store.teams().await?;
    let zone = config.city.time_zone;
    let today = now.with_timezone(&zone).date_naive();
    let mut late = late;
    for ahead in 0..=config.visits.days_ahead {
        let date = today + Days::new(ahead.into());
        let day = Day::load(store, config, &teams, date, now, (&pending, &late)).await?;
        let planned = routes::plan(&day.input());
        for (visit, promise) in day.promises(&planned.stops) {
            let act = VisitAct::Schedule(promise);
            if let VisitAnswer::Done(_) = act_on(store, teller, visit, act, now).await? {
                let was_late = late.iter().any(|other| other.id == visit.id);
                let list = if was_late {
                    &mut done.moved
                } else {
                    &mut done.scheduled
                };
                list.push(visit.id);
            }
            pending.retain(|other| other.id != visit.id);
            late.retain(|other| other.id != visit.id);
        }
        if ahead == 0 {
            for visit in std::mem::take(&mut late) {
                give_up(store, teller, &visit, now).await?;
                done.lapsed.push(visit.id);
            }
            if !done.lapsed.is_empty() {
                let placed: Vec<VisitId> = done.scheduled.clone();
                pending = accepted(store).await?;
                pending.retain(|visit| !placed.contains(&visit.id));
            }
        }
        if pending.is_empty() {
            break;
        }
    }
    done.unplaced = pending.iter().map(|visit| visit.id).collect();
    done.without_team = pending
        .iter()
        .filter(|visit| teams_of(&teams, visit).is_empty())
        .map(|visit| visit.id)
        .collect();
    done.missing_team_hours = missing_hours(&config.visits, &teams, &pending);
    Ok(done)
}

async fn accepted(store: &Store) -> Result<Vec<Visit>, StoreError> {
    let filter = VisitFilter {
        states: vec![VisitState::Accepted],
        ..VisitFilter::default()
    };
    store.visits(&filter).await
}

/// Visits whose promised time is over and for which nobody has set out.
async fn late(store: &Store, now: DateTime<Utc>) -> Result<Vec<Visit>, StoreError> {
    let filter = VisitFilter {
        states: vec![VisitState::Scheduled],
        to: Some(now),
        ..VisitFilter::default()
    };
    let mut visits = store.visits(&filter).await?;
    visits.retain(|visit| visit.promise.is_none_or(|promise| promise.to + GRACE < now));
    Ok(visits)
}

/// Nobody came today: it is told, asked for again and accepted, so that another day is looked for. Where the process
/// ends in between, the keeper goes on with what it finds.
async fn give_up(
    store: &Store,
    teller: &VisitTeller<'_>,
    visit: &Visit,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    match act_on(store, teller, visit, VisitAct::Lapse, now).await? {
        VisitAnswer::Done(missed) => take_up(store, teller, &missed, now).await,
        // Somebody else has taken it in hand.
        VisitAnswer::Already(_) | VisitAnswer::Refused { .. } => Ok(()),
    }
}

/// Asks again for what was missed, and accepts it.
pub(super) async fn take_up(
    store: &Store,
    teller: &VisitTeller<'_>,
    visit: &Visit,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut visit = visit.clone();
    while let Some(act) = match visit.state {
        VisitState::Missed => Some(VisitAct::AskAgain),
        VisitState::Asked => Some(VisitAct::Accept),
        _ => None,
    } {
        match act_on(store, teller, &visit, act, now).await? {
            VisitAnswer::Done(next) => visit = next,
            VisitAnswer::Already(_) | VisitAnswer::Refused { .. } => break,
        }
    }
    Ok(())
}

async fn act_on(
    store: &Store,
    teller: &VisitTeller<'_>,
    visit: &Visit,
    act: VisitAct,
    now: DateTime<Utc>,
) -> Result<VisitAnswer, StoreError> {
    let change = VisitChange {
        seen: Some(visit.revision),
        ..VisitChange::new(visit.id, act, VisitBy::weir())
    };
    store.act_on_visit(&change, teller, now).await
}

/// The teams that may make a visit, by place in the list: the one it was given to, else all that go there.
fn teams_of(teams: &[Team], visit: &Visit) -> Vec<usize> {
    let given = visit
        .team
        .and_then(|team| teams.iter().position(|other| other.id == team));
    match given {
        Some(team) => vec![team],
        None => (0..teams.len())
            .filter(|team| teams[*team].covers(&visit.place))
            .collect(),
    }
}

fn minutes_of(config: &VisitsConfig, visit: &Visit) -> u32 {
    config.minutes + FURTHER_PERSON_MINUTES * visit.people.saturating_sub(1)
}

fn missing_hours(config: &VisitsConfig, teams: &[Team], visits: &[Visit]) -> f64 {
    let rate = teams
        .iter()
        .map(|team| team.visits_per_hour)
        .max()
        .unwrap_or_else(|| 60 / config.minutes.max(1))
        .max(1);
    let minutes: u32 = visits
        .iter()
        .map(|visit| minutes_of(config, visit).max(60 / rate))
        .sum();
    f64::from(minutes) / 60.0
}

/// A date with its teams and the visits that may fall on it.
struct Day<'a> {
    config: &'a Config,
    teams: &'a [Team],
    midnight: DateTime<Utc>,
    /// The present minute of this date; 0 where it has not begun.
    now: u32,
    /// In the order of the stops.
    visits: Vec<Visit>,
    /// What each team is at the door of, or on its way to.
    busy: Vec<Option<(u32, Spot)>>,
    /// Visits whose promise is over.
    late: Vec<VisitId>,
}

impl<'a> Day<'a> {
    async fn load(
        store: &Store,
        config: &'a Config,
        teams: &'a [Team],
        date: NaiveDate,
        now: DateTime<Utc>,
        (pending, late): (&[Visit], &[Visit]),
    ) -> Result<Self, StoreError> {
        let zone = config.city.time_zone;
        let midnight = midnight(zone, date);
        let ends = self::midnight(zone, date + Days::new(1));
        let filter = VisitFilter {
            states: vec![VisitState::Scheduled, VisitState::OnTheWay],
            from: Some(midnight),
            to: Some(ends),
            ..VisitFilter::default()
        };
        let mut day = Self {
            config,
            teams,
            midnight,
            now: (now - midnight).num_minutes().clamp(0, i64::from(DAY_MINUTES)) as u32,
            visits: Vec::new(),
            busy: vec![None; teams.len()],
            late: late.iter().map(|visit| visit.id).collect(),
        };
        for visit in store.visits(&filter).await? {
            if visit.state == VisitState::Scheduled {
                if !day.late.contains(&visit.id) {
                    day.visits.push(visit);
                }
                continue;
            }
            let team = teams.iter().position(|team| Some(team.id) == visit.team);
            if let (Some(team), Some(promise)) = (team, visit.promise) {
                let ready = day.minute(promise.at).max(day.now) + minutes_of(&config.visits, &visit);
                day.busy[team] = Some((ready, spot(&visit)));
            }
        }
        // Late ones first: they have waited longest.
        day.visits.extend(late.iter().chain(pending).cloned());
        Ok(day)
    }

    fn minute(&self, at: DateTime<Utc>) -> u32 {
        (at - self.midnight)
            .num_minutes()
            .clamp(0, i64::from(DAY_MINUTES)) as u32
    }

    fn input(&self) -> RouteDay {
        RouteDay {
            now: self.now,
            teams: self
                .teams
                .iter()
                .zip(&self.busy)
                .map(|(team, busy)| route_team(team, busy.as_ref()))
                .collect(),
            stops: self.visits.iter().map(|visit| self.stop(visit)).collect(),
            range_minutes: self.config.visits.range_minutes,
        }
    }

    fn stop(&self, visit: &Visit) -> Stop {
        let promise = visit.promise.filter(|_| self.is_promised(visit));
        let team = promise.and_then(|promise| self.teams.iter().position(|team| team.id == promise.team));
        let stop = Stop {
            spot: spot(visit),
            urgent: visit.urgent || self.late.contains(&visit.id),
            minutes: minutes_of(&self.config.visits, visit),
            from: 0,
            to: DAY_MINUTES,
            teams: teams_of(self.teams, visit),
            promised: None,
        };
        if let (Some(promise), Some(team)) = (promise, team) {
            return Stop {
                from: self.minute(promise.from),
                // A visit may still be made a little after its time rather than not at all.
                to: self.minute(promise.to).max(self.now),
                promised: Some((team, self.minute(promise.at))),
                ..stop
            };
        }
        let soonest = if self.now > 0 {
            self.now + self.config.visits.lead_minutes
        } else {
            0
        };
        match visit.wish {
            // A wish that has passed holds no longer.
            Some(wish)
                if wish.to > self.midnight + TimeDelta::minutes(soonest.into())
                    && !self.late.contains(&visit.id) =>
            {
                Stop {
                    from: self.minute(wish.from).max(soonest),
                    to: self.minute(wish.to),
                    // A wish for another date leaves this one alone.
                    teams: if wish.from >= self.midnight + TimeDelta::days(1) {
                        Vec::new()
                    } else {
                        stop.teams
                    },
                    ..stop
                }
            }
            _ => Stop {
                from: soonest,
                ..stop
            },
        }
    }

    fn is_promised(&self, visit: &Visit) -> bool {
        visit.state == VisitState::Scheduled && !self.late.contains(&visit.id)
    }

    /// What is to be promised now. A promise that the routes would break is left alone until it is: teams are often
    /// faster than was thought.
    fn promises<'s>(&'s self, stops: &'s [Option<Planned>]) -> impl Iterator<Item = (&'s Visit, Promise)> {
        self.visits
            .iter()
            .zip(stops)
            .filter(|(visit, _)| !self.is_promised(visit))
            .filter_map(|(visit, planned)| {
                let planned = planned.as_ref()?;
                let at = |minute: u32| self.midnight + TimeDelta::minutes(minute.into());
                let promise = Promise {
                    team: self.teams[planned.team].id,
                    at: at(planned.at),
                    from: at(planned.from),
                    to: at(planned.to),
                };
                Some((visit, promise))
            })
    }
}

fn spot(visit: &Visit) -> Spot {
    Spot {
        place: visit.place.clone(),
        coordinates: visit.coordinates,
    }
}

fn route_team(team: &Team, busy: Option<&(u32, Spot)>) -> RouteTeam {
    let minute = |time: NaiveTime| time.num_seconds_from_midnight() / 60;
    RouteTeam {
        works: team
            .works()
            .into_iter()
            .map(|(from, to)| (minute(from), minute(to)))
            .collect(),
        visits_per_hour: team.visits_per_hour,
        busy: busy.cloned(),
    }
}

/// The instant at which a date begins.
pub fn midnight(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    // Where the clocks change at midnight, the date begins an hour later.
    zone.from_local_datetime(&midnight)
        .earliest()
        .or_else(|| {
            zone.from_local_datetime(&(midnight + TimeDelta::hours(1)))
                .earliest()
        })
        .map_or_else(|| midnight.and_utc(), |at| at.to_utc())
}

/// Takes a team out of service; what it was to make is given to others. Gives how many visits that are; none where
/// there is no such team.
pub async fn remove_team(
    store: &Store,
    teller: &VisitTeller<'_>,
    id: TeamId,
    by: &VisitBy,
    now: DateTime<Utc>,
) -> Result<Option<usize>, StoreError> {
    let Some(team) = store.team(id).await?.filter(|team| !team.removed) else {
        return Ok(None);
    };
    let removed = Team {
        removed: true,
        ..team
    };
    store.change_team(&removed, now).await?;
    let filter = VisitFilter {
        states: vec![VisitState::Scheduled],
        team: Some(id),
        ..VisitFilter::default()
    };
    let visits = store.visits(&filter).await?;
    for visit in &visits {
        let change = VisitChange::new(visit.id, VisitAct::Move(visit.wish), by.clone());
        store.act_on_visit(&change, teller, now).await?;
    }
    Ok(Some(visits.len()))
}
