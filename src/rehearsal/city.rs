//! What is rehearsed: the windows of a round, from the store or of a made city, with all that re-planning needs to know.

use chrono::{DateTime, Utc};
use rand::{Rng, RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use super::Readings;
use crate::{
    config::Config,
    domain::{BuildingId, RoundId, SiteId, UnitId},
    pacing::{
        kernel::{Kernel, Response},
        law::Params,
    },
    planner::{self, Announced, Choice, Choices, GivenWindow, PlanInput, PlanSite, PlanUnit, Span, Supply},
    release::{
        plan::PlanError,
        replan,
        starts::{self, AHEAD_MINUTES},
    },
    store::Store,
};

/// The round that is rehearsed.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Its windows, none of them told yet, in the order of their starts.
    pub windows: Vec<Announced>,
    /// Sites, hours and caps.
    pub supply: Supply,
    /// Windows of other live rounds.
    pub given: Vec<GivenWindow>,
    /// A unit is told no earlier than so many minutes before its window; none: from `notices_from` on.
    pub ahead_minutes: Option<u32>,
    /// Minute, counted from the round's first midnight, before which nobody is told.
    pub notices_from: i64,
    /// Recipients told a minute at most, by the round's own pace.
    pub per_minute: f64,
}

/// A round of the store. The order of its windows' starts is the one in which they are told.
pub async fn of_round(
    store: &Store,
    config: &Config,
    round: RoundId,
    now: DateTime<Utc>,
) -> Result<Scene, PlanError> {
    let standing = replan::standing(store, config, round, now).await?;
    let midnight = standing.calendar.instant_of(0);
    let first = standing
        .windows
        .first()
        .map_or(0, |window| i64::from(window.start));
    let notices_from = standing
        .spec
        .notice_from
        .max(now.min(standing.calendar.instant_of(first as u32)));
    let ahead = standing.spec.ahead_minutes;
    let earliest = first - ahead.unwrap_or(i64::MAX >> 1).min(MINUTES_BEFORE_MAX);
    Ok(Scene {
        notices_from: (notices_from - midnight).num_minutes().clamp(earliest, first),
        ahead_minutes: ahead.and_then(|minutes| u32::try_from(minutes).ok()),
        windows: standing.windows,
        supply: standing.supply,
        given: standing.given,
        per_minute: standing.per_minute,
    })
}

/// Notices that leave more than so many minutes before the first window are rehearsed as if they left then.
const MINUTES_BEFORE_MAX: i64 = 24 * 60;

/// Recipients at one site of a made city, and its minutes of opening.
const RECIPIENTS_PER_SITE: u32 = 3_300;
const OPENS_MINUTE: u16 = 8 * 60;
const CLOSES_MINUTE: u16 = 22 * 60;
/// Sites of a made city could do so much more than its registration system.
const SITES_OVER_SYSTEM: f64 = 1.3;
/// Residents whom one contact tells, in the mean.
const PEOPLE_PER_RECIPIENT: f64 = 2.6;
const SAMPLES_PER_DESK_MINUTE: f64 = 1.2;

/// A city of so many recipients, planned by the planner for a registration system that is kept to by the law.
pub fn made(recipients: u32, params: &Params, readings: Readings, seed: u64) -> Scene {
    let response = Response::default();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x00C1_7700);
    let (input, sizes) = input_of(recipients, params, readings, &response, &mut rng);
    let plan = planner::plan(&input);
    let mut windows: Vec<Announced> = plan
        .windows
        .iter()
        .map(|window| Announced {
            unit: window.unit,
            // No building of a made city has times of its own.
            building: BuildingId(0),
            people: window.people,
            recipients: sizes[window.unit.0 as usize],
            site: window.site.0 as u32,
            start: u32::from(window.day) * planner::MINUTES_PER_DAY as u32 + u32::from(window.start_minute),
            minutes: window.minutes,
            told: false,
            moves: 0,
        })
        .collect();
    windows.sort_by_key(|window| (window.start, window.unit));
    let steady = line(params, readings, &response, recipients) / response.heed();
    Scene {
        windows,
        supply: input.supply,
        given: Vec::new(),
        ahead_minutes: Some(AHEAD_MINUTES),
        notices_from: i64::from(OPENS_MINUTE) - i64::from(AHEAD_MINUTES),
        per_minute: steady * 60.0 * 1.25,
    }
}

/// Sessions a second that are left for people who heed their windows.
fn line(params: &Params, readings: Readings, response: &Response, recipients: u32) -> f64 {
    if !readings.whenever_in_round {
        return starts::line(params, response, recipients.into());
    }
    let share = params.kept_share(Kernel::of(response).ripple());
    let told = share * params.nominal_capacity - params.background;
    // Both kinds come in the same hours.
    (told * response.heed() / (response.heed() + response.whenever)).max(0.0)
}

fn input_of(
    recipients: u32,
    params: &Params,
    readings: Readings,
    response: &Response,
    rng: &mut impl Rng,
) -> (PlanInput, Vec<u32>) {
    let line = line(params, readings, response, recipients);
    let people = (f64::from(recipients) * PEOPLE_PER_RECIPIENT).round() as u64;
    let cap = starts::starts_cap(line, response, people, recipients.into());
    let sites = recipients.div_ceil(RECIPIENTS_PER_SITE).max(1);
    let site_rate = SITES_OVER_SYSTEM * cap.per_minute / f64::from(sites);
    let desks = (site_rate / SAMPLES_PER_DESK_MINUTE).ceil().max(1.0) as u32;
    let mut input = PlanInput {
        supply: Supply {
            sites: (0..sites)
                .map(|site| plan_site(site, desks, site_rate / f64::from(desks)))
                .collect(),
            days: 3,
            from_minute: OPENS_MINUTE,
            to_minute: CLOSES_MINUTE,
            starts_cap: Some(cap),
            window_min_minutes: 10,
            ..Supply::default()
        },
        ..PlanInput::default()
    };
    let mut unit_sizes = Vec::new();
    let mut choices = Choices::default();
    let mut left = recipients;
    for site in 0..sites {
        let mut here = (left / (sites - site)).max(1).min(left);
        left -= here;
        let list = choices.add([
            Choice::at(site as usize),
            Choice::at(((site + 1) % sites) as usize),
        ]);
        while here > 0 {
            let size = rng.random_range(12..=48u32).min(here);
            here -= size;
            input.units.push(PlanUnit {
                unit: UnitId(unit_sizes.len() as i64),
                building: BuildingId(unit_sizes.len() as i64 / 3),
                people: (f64::from(size) * PEOPLE_PER_RECIPIENT).round() as u32,
                green_people: 0,
                choices: list,
            });
            unit_sizes.push(size);
        }
    }
    input.choices = choices;
    (input, unit_sizes)
}

fn plan_site(site: u32, desks: u32, per_desk: f64) -> PlanSite {
    PlanSite {
        site: SiteId(i64::from(site)),
        desks,
        green_desks: 0,
        desk_people_per_minute: per_desk,
        open: vec![Span {
            from: OPENS_MINUTE,
            to: CLOSES_MINUTE,
        }],
    }
}
