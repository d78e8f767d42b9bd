//! Routes against the best there are, and what must hold whatever comes.
#![expect(clippy::print_stdout, reason = "the measured figures are there to be read")]

use proptest::prelude::*;

use super::*;

const NINE: u32 = 9 * 60;
const NOON: u32 = 12 * 60;
const ONE: u32 = 13 * 60;
const SIX: u32 = 18 * 60;

fn spot(community: u32, building: u32, metres: Option<(f64, f64)>) -> Spot {
    Spot {
        place: UnitPlace {
            district: "锦江区".into(),
            street: "春熙街道".into(),
            community: format!("锦绣社区{community}"),
            building: format!("{building}栋"),
            unit: "1单元".into(),
        },
        coordinates: metres.map(|(east, north)| Coordinates {
            lat: 30.65 + north / 111_195.0,
            lon: 104.08 + east / (111_195.0 * 30.65_f64.to_radians().cos()),
        }),
    }
}

fn stop(spot: Spot) -> Stop {
    Stop {
        spot,
        urgent: false,
        minutes: 10,
        from: 0,
        to: 24 * 60,
        teams: vec![0],
        promised: None,
    }
}

fn team() -> RouteTeam {
    RouteTeam {
        works: vec![(NINE, NOON), (ONE, SIX)],
        visits_per_hour: 4,
        busy: None,
    }
}

fn day(stops: Vec<Stop>, teams: usize) -> RouteDay {
    RouteDay {
        now: NINE,
        teams: vec![team(); teams],
        stops,
        range_minutes: 60,
    }
}

/// What must hold of every plan of this day.
fn check(day: &RouteDay, routes: &Routes) {
    assert_eq!(routes.stops.len(), day.stops.len());
    let mut ordered: Vec<usize> = routes.order.iter().flatten().copied().collect();
    ordered.extend(routes.unplaced());
    ordered.sort_unstable();
    assert_eq!(
        ordered,
        (0..day.stops.len()).collect::<Vec<_>>(),
        "no stop is lost, and none is twice"
    );
    for (team, route) in routes.order.iter().enumerate() {
        let mut before: Option<(usize, u32)> = None;
        for &at_stop in route {
            let (of_stop, planned) = (&day.stops[at_stop], routes.stops[at_stop].expect("in a route"));
            assert_eq!(planned.team, team);
            assert!(of_stop.teams.contains(&team) || of_stop.promised.is_some_and(|(own, _)| own == team));
            assert!(
                planned.from <= planned.at && planned.at <= planned.to,
                "{planned:?}"
            );
            assert!(planned.at >= day.now);
            assert!(planned.to - planned.from <= day.range_minutes.max(of_stop.to - of_stop.from));
            let works = &day.teams[team].works;
            assert!(
                works
                    .iter()
                    .any(|(opens, closes)| *opens <= planned.at && planned.at + of_stop.minutes <= *closes)
            );
            if !planned.broken {
                assert!(of_stop.from <= planned.at && planned.at <= of_stop.to);
            }
            if let (Some((own, _)), false) = (of_stop.promised, planned.broken) {
                assert_eq!(
                    (planned.team, planned.from, planned.to),
                    (own, of_stop.from, of_stop.to)
                );
            }
            if let Some((earlier, at)) = before {
                let other = &day.stops[earlier];
                assert!(planned.at >= at + other.minutes + travel_minutes(&other.spot, &of_stop.spot));
                assert!(planned.at >= at + 60_u32.div_ceil(day.teams[team].visits_per_hour));
            }
            before = Some((at_stop, planned.at));
        }
    }
}

/// The day as it stands once its plan is promised.
fn promised(mut day: RouteDay, routes: &Routes) -> RouteDay {
    let mut kept = Vec::new();
    for (of_stop, planned) in day.stops.into_iter().zip(&routes.stops) {
        if let Some(planned) = planned {
            kept.push(Stop {
                promised: Some((planned.team, planned.at)),
                from: planned.from,
                to: planned.to,
                ..of_stop
            });
        }
    }
    day.stops = kept;
    day
}

/// A small generator, so that the measured cases are the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(bound)) as u32
    }
}

fn random_day(dice: &mut Dice, stops: u32, teams: usize) -> RouteDay {
    let all: Vec<usize> = (0..teams).collect();
    let stops = (0..stops)
        .map(|building| Stop {
            urgent: dice.below(6) == 0,
            teams: all.clone(),
            ..stop(spot(
                1,
                building,
                Some((f64::from(dice.below(3000)), f64::from(dice.below(3000)))),
            ))
        })
        .collect();
    day(stops, teams)
}

fn cost_of(day: &RouteDay, routes: &[Vec<usize>]) -> Option<f64> {
    let table = Table::of(day);
    let costs = routes
        .iter()
        .enumerate()
        .map(|(team, route)| table.cost(team, route));
    costs.sum()
}

/// The cost of the best routes, found by trying them all.
fn best_of_all(day: &RouteDay) -> f64 {
    fn go(table: &Table<'_>, routes: &mut Vec<Vec<usize>>, left: &mut Vec<usize>, best: &mut f64) {
        let known: f64 = routes
            .iter()
            .enumerate()
            .filter_map(|(team, route)| table.cost(team, route))
            .sum();
        if known >= *best {
            return;
        }
        if left.is_empty() {
            *best = known;
            return;
        }
        for index in 0..left.len() {
            let stop = left.swap_remove(index);
            for team in 0..routes.len() {
                // Teams are alike: those that have not begun are one and the same.
                if team > 0 && routes[team - 1].is_empty() {
                    continue;
                }
                routes[team].push(stop);
                if table.times(team, &routes[team]).is_some() {
                    go(table, routes, left, best);
                }
                routes[team].pop();
            }
            left.push(stop);
            let last = left.len() - 1;
            left.swap(index, last);
        }
    }
    let table = Table::of(day);
    let mut best = f64::MAX;
    let mut routes = vec![Vec::new(); day.teams.len()];
    go(
        &table,
        &mut routes,
        &mut (0..day.stops.len()).collect(),
        &mut best,
    );
    best
}

/// Minutes that a tree through all doors takes: no route of one team is shorter.
fn tree(day: &RouteDay) -> u32 {
    let count = day.stops.len();
    let mut reached = vec![false; count];
    let mut nearest = vec![u32::MAX; count];
    let mut total = 0;
    nearest[0] = 0;
    for _ in 0..count {
        let next = (0..count)
            .filter(|stop| !reached[*stop])
            .min_by_key(|stop| nearest[*stop])
            .expect("one is left");
        reached[next] = true;
        total += nearest[next];
        for (other, near) in nearest.iter_mut().enumerate() {
            *near = (*near).min(travel_minutes(&day.stops[next].spot, &day.stops[other].spot));
        }
    }
    total
}

/// How far from the best, over many small days: on average, and at worst.
fn gaps(stops: u32, teams: usize, days: u32) -> (f64, f64) {
    let mut dice = Dice(u64::from(stops) * 31 + teams as u64);
    let (mut sum, mut worst) = (0.0, 0.0_f64);
    for _ in 0..days {
        let day = random_day(&mut dice, stops, teams);
        let routes = plan(&day);
        check(&day, &routes);
        let gap = cost_of(&day, &routes.order).expect("kept") / best_of_all(&day) - 1.0;
        assert!(gap > -1e-9);
        sum += gap;
        worst = worst.max(gap);
    }
    (sum / f64::from(days), worst)
}

#[test]
fn routes_are_near_the_best_there_are() {
    let (mean, worst) = gaps(7, 1, 60);
    println!(
        "7 stops, 1 team: {:.1} % over the best, at worst {:.1} %",
        mean * 100.0,
        worst * 100.0
    );
    assert!(mean < 0.05, "{mean}");
    let (mean, worst) = gaps(6, 2, 60);
    println!(
        "6 stops, 2 teams: {:.1} % over the best, at worst {:.1} %",
        mean * 100.0,
        worst * 100.0
    );
    assert!(mean < 0.05, "{mean}");
}

#[test]
fn near_ones_are_together() {
    let mut dice = Dice(7);
    let mut all = (0, 0);
    for _ in 0..20 {
        let mut day = random_day(&mut dice, 24, 1);
        for stop in &mut day.stops {
            stop.urgent = false;
        }
        let routes = plan(&day);
        check(&day, &routes);
        assert_eq!(routes.unplaced().count(), 0);
        all.0 += routes.travel_minutes;
        all.1 += tree(&day);
    }
    println!(
        "24 stops, 1 team: {} minutes on the way, a tree takes {}",
        all.0, all.1
    );
    // No tour is shorter than the tree; a quarter more is what is left to a good one.
    assert!(f64::from(all.0) < 1.25 * f64::from(all.1), "{all:?}");
}

#[test]
fn urgent_ones_come_first() {
    let mut stops: Vec<Stop> = (0..8).map(|building| stop(spot(1, building, None))).collect();
    stops[6].urgent = true;
    let routes = plan(&day(stops, 1));
    assert_eq!(routes.order[0][0], 6);
}

#[test]
fn what_has_no_room_is_said() {
    // Four an hour in eight hours: 32, less what the way and the break cost.
    let stops: Vec<Stop> = (0..40).map(|_| stop(spot(1, 1, None))).collect();
    let day = day(stops, 1);
    let routes = plan(&day);
    check(&day, &routes);
    assert_eq!(routes.unplaced().count(), 40 - 12 - 20);
}

#[test]
fn what_was_promised_and_has_passed_gets_another_time() {
    let mut late = stop(spot(1, 1, None));
    (late.from, late.to, late.promised) = (NINE, NINE + 60, Some((0, NINE + 15)));
    let mut day = day(vec![late, stop(spot(1, 2, None))], 1);
    day.now = NOON - 60;
    let routes = plan(&day);
    check(&day, &routes);
    let planned = routes.stops[0].expect("planned");
    assert!(planned.broken && planned.from >= day.now);
}

fn any_stop(teams: usize) -> impl Strategy<Value = Stop> {
    (
        (0_u32..3, 0_u32..9, prop::option::of((0.0..4000.0, 0.0..4000.0))),
        prop::bool::weighted(0.15),
        5_u32..30,
        prop::option::weighted(0.3, (0_u32..20, 1_u32..4)),
        prop::collection::btree_set(0..teams, 0..=teams),
    )
        .prop_map(
            |((community, building, metres), urgent, minutes, wish, may)| Stop {
                spot: spot(community, building, metres),
                urgent,
                minutes,
                from: wish.map_or(0, |(hour, _)| hour * 60),
                to: wish.map_or(24 * 60, |(hour, hours)| (hour + hours) * 60),
                teams: may.into_iter().collect(),
                promised: None,
            },
        )
}

fn any_day() -> impl Strategy<Value = RouteDay> {
    (1_usize..4).prop_flat_map(|teams| {
        (
            prop::collection::vec(any_stop(teams), 0..25),
            prop::collection::vec(1_u32..9, teams),
            prop::sample::select(vec![0, NINE, 11 * 60, 17 * 60 + 30]),
            prop::sample::select(vec![15_u32, 60, 120]),
        )
            .prop_map(|(stops, rates, now, range_minutes)| RouteDay {
                now,
                teams: rates
                    .into_iter()
                    .map(|visits_per_hour| RouteTeam {
                        visits_per_hour,
                        ..team()
                    })
                    .collect(),
                stops,
                range_minutes,
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_visit_is_lost_and_hours_and_wishes_are_kept(day in any_day()) {
        check(&day, &plan(&day));
    }

    #[test]
    fn one_visit_more_moves_no_promise(day in any_day(), more in any_stop(3)) {
        let first = plan(&day);
        let mut next = promised(day, &first);
        let before = next.stops.len();
        let teams = next.teams.len();
        let mut more = more;
        more.teams.retain(|team| *team < teams);
        next.stops.push(more);
        let second = plan(&next);
        check(&next, &second);
        for (of_stop, planned) in next.stops[..before].iter().zip(&second.stops) {
            let planned = planned.expect("a promise is kept");
            prop_assert!(!planned.broken);
            prop_assert_eq!((planned.from, planned.to), (of_stop.from, of_stop.to));
            prop_assert_eq!(Some(planned.team), of_stop.promised.map(|(team, _)| team));
        }
        // And the same input gives the same plan.
        prop_assert_eq!(plan(&next), second);
    }
}

/// What promising each visit at once costs, against knowing all of the day's visits first.
#[test]
fn promising_at_once_costs_little_room() {
    let mut dice = Dice(11);
    let (mut at_once, mut together) = ((0, 0), (0, 0));
    for _ in 0..10 {
        let whole = random_day(&mut dice, 60, 2);
        let all = plan(&whole);
        check(&whole, &all);
        together.0 += whole.stops.len() - all.unplaced().count();
        together.1 += all.travel_minutes;
        let mut known = RouteDay {
            stops: Vec::new(),
            ..whole.clone()
        };
        let mut last = plan(&known);
        for stop in whole.stops {
            known = promised(known, &last);
            known.stops.push(stop);
            last = plan(&known);
            check(&known, &last);
        }
        at_once.0 += known.stops.len() - last.unplaced().count();
        at_once.1 += last.travel_minutes;
    }
    println!(
        "60 stops, 2 teams, 10 days: known together {} placed with {} minutes on the way; promised one by one {} with {}",
        together.0, together.1, at_once.0, at_once.1
    );
    assert!(at_once.0 * 10 >= together.0 * 8, "{at_once:?} {together:?}");
}
