//! What the store knows of a round's people and sites, as the planner reads it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{
    communities::Communities,
    plan::{PlanError, refused},
    starts,
};
use crate::{
    config::Config,
    domain::{BuildingId, RoundId, Site, SiteId, UnitId},
    pacing::{kernel::Response, law::Params},
    planner::{
        Choices, ChoicesId, GivenWindow, MustNot, PlanInput, PlanUnit, StartsCap, Whom,
        request::{self, Calendar, Reach, RoundSpec},
    },
    store::{Store, TakenRoom, UnitWithPeople},
};

/// Everything that a plan rests on.
#[derive(Debug)]
pub(super) struct Known {
    /// The units of the round's communities in building order.
    pub units: Vec<UnitWithPeople>,
    /// Every site.
    pub sites: Vec<Site>,
    /// What the planner reads.
    pub input: PlanInput,
}

/// The moment and the place among rounds from which a plan is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standpoint {
    /// Days count from its first.
    pub calendar: Calendar,
    /// First minute of the first day.
    pub first_minute: u16,
    /// The round itself, if it is stored: its own windows take no room from it.
    pub round: Option<RoundId>,
    /// What is over by then takes no room.
    pub now: DateTime<Utc>,
}

/// Loads what a plan of this round rests on.
pub(super) async fn load(
    store: &Store,
    config: &Config,
    spec: &RoundSpec,
    from: &Standpoint,
) -> Result<Known, PlanError> {
    let mut units = store.units_with_people(&[]).await?;
    if units.is_empty() {
        return refused("nobody is on the roster: `weir import roster.csv --sites sites.csv` first");
    }
    let communities =
        Communities::named(&spec.communities, units.iter().map(|unit| &unit.place)).or_else(refused)?;
    units.retain(|unit| communities.contains(&unit.place));
    units.sort_by(|a, b| a.place.natural_cmp(&b.place));
    let sites = store.sites().await?;
    if sites.is_empty() {
        return refused("there are no sites: `weir import --sites sites.csv` first");
    }
    // Tags are sealed one by one: they are opened only where it matters.
    let green = if sites.iter().any(|site| site.green_desks > 0) {
        store.green_people().await?
    } else {
        HashMap::new()
    };
    let taken = store.taken_room(from.round, from.now).await?;
    let starts_cap = starts_cap(store, config).await?;
    let rounds = store.rounds().await?;
    let before = rounds.iter().filter(|round| Some(round.id) != from.round).count();
    let mut input = PlanInput {
        given: given(&taken, from.calendar, &sites),
        round_number: before as u32,
        ..of_units(spec, config, from, &units, &green, &sites)
    };
    input.supply.starts_cap = starts_cap;
    Ok(Known { units, sites, input })
}

/// How many people's windows may start in a minute; none where the registration system's capacity is not configured.
async fn starts_cap(store: &Store, config: &Config) -> Result<Option<StartsCap>, PlanError> {
    let pacing = &config.pacing;
    let Some(capacity) = pacing.nominal_capacity else {
        return Ok(None);
    };
    let params = Params {
        set_point: pacing.set_point,
        background: pacing.background_share * capacity,
        ..Params::for_capacity(capacity)
    };
    let response = Response::default();
    let (people, recipients) = store.people_and_recipients().await?;
    let line = starts::line(&params, &response, recipients);
    Ok(Some(starts::starts_cap(line, &response, people, recipients)))
}

fn of_units(
    spec: &RoundSpec,
    config: &Config,
    from: &Standpoint,
    units: &[UnitWithPeople],
    green: &HashMap<UnitId, u32>,
    sites: &[Site],
) -> PlanInput {
    let mut choices = Choices::default();
    let mut reach = Reach::new(sites, &config.planner);
    let mut lists: HashMap<BuildingId, ChoicesId> = HashMap::new();
    let mut must_not = everybodys(spec);
    let planned = units
        .iter()
        .map(|unit| {
            let choices = *lists.entry(unit.building).or_insert_with(|| {
                let own = spec.must_not.iter().filter(|not| not.community.is_some());
                must_not.extend(own.filter(|not| not.concerns(&unit.place)).map(|not| MustNot {
                    whom: Whom::Building(unit.building),
                    day: None,
                    span: not.span(),
                }));
                reach.list(&mut choices, &unit.place, unit.coordinates)
            });
            PlanUnit {
                unit: unit.unit,
                building: unit.building,
                people: unit.people,
                green_people: green.get(&unit.unit).copied().unwrap_or_default(),
                choices,
            }
        })
        .collect();
    let mut supply = request::supply(spec, from.calendar.first, &config.planner, sites, must_not);
    supply.first_day_from_minute = from.first_minute;
    PlanInput {
        units: planned,
        supply,
        choices,
        ..PlanInput::default()
    }
}

/// The must-not times of the whole city and of the buildings of single communities, and where each unit is. Units are
/// read only where a community has times of its own.
pub(super) async fn must_not(
    store: &Store,
    spec: &RoundSpec,
) -> Result<(Vec<MustNot>, HashMap<UnitId, BuildingId>), PlanError> {
    let mut must_not = everybodys(spec);
    let own: Vec<_> = (spec.must_not.iter())
        .filter(|not| not.community.is_some())
        .collect();
    let mut buildings = HashMap::new();
    if own.is_empty() {
        return Ok((must_not, buildings));
    }
    let mut seen = std::collections::HashSet::new();
    for unit in store.units_with_people(&[]).await? {
        buildings.insert(unit.unit, unit.building);
        if seen.insert(unit.building) {
            must_not.extend(
                own.iter()
                    .filter(|not| not.concerns(&unit.place))
                    .map(|not| MustNot {
                        whom: Whom::Building(unit.building),
                        day: None,
                        span: not.span(),
                    }),
            );
        }
    }
    Ok((must_not, buildings))
}

/// The must-not times of the whole city.
pub(super) fn everybodys(spec: &RoundSpec) -> Vec<MustNot> {
    let everybody = spec.must_not.iter().filter(|not| not.community.is_none());
    everybody
        .map(|not| MustNot {
            whom: Whom::Everybody,
            day: None,
            span: not.span(),
        })
        .collect()
}

/// Room that is taken, as the planner counts it.
pub(super) fn given(taken: &[TakenRoom], calendar: Calendar, sites: &[Site]) -> Vec<GivenWindow> {
    let positions: HashMap<SiteId, usize> = request::positions(sites);
    taken
        .iter()
        .filter_map(|room| {
            request::given(
                calendar,
                positions.get(&room.site).copied(),
                room.starts_at,
                room.ends_at,
                room.people,
            )
        })
        .collect()
}
