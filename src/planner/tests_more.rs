//! Breaks, must-not times, green lanes, caps on starts; what moves later; what is offered; and a check by hand.

use proptest::{collection::vec, prelude::*};

use super::{
    tests::{check, input},
    *,
};

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn starts(plan: &Plan) -> Vec<String> {
    (plan.windows.iter())
        .map(|window| clock(window.start_minute))
        .collect()
}

#[test]
fn no_window_lies_across_a_break() {
    let plan = plan(&input(
        "site: 1 desks, 60/h, 09-10 and 11-12; units: 101x40 102x30 103x15",
    ));
    assert_eq!(starts(&plan), ["09:00", "11:00", "09:40"]);
    assert_eq!(plan.shortage, None);
}

#[test]
fn nobody_is_called_when_they_must_not_be() {
    let mut input = input("site: 1 desks, 60/h, 09-12; units: 101x20 201x20");
    let span = |from, to| Span { from, to };
    input.supply.must_not = vec![
        MustNot {
            whom: Whom::Everybody,
            day: Some(0),
            span: span(9 * 60, 9 * 60 + 30),
        },
        MustNot {
            whom: Whom::Building(BuildingId(1)),
            day: None,
            span: span(9 * 60, 10 * 60),
        },
    ];
    assert_eq!(starts(&plan(&input)), ["10:00", "09:30"]);
}

#[test]
fn other_rounds_have_taken_their_room() {
    let mut input = input("site: 1 desks, 60/h, 09-12; units: 101x20");
    input.given = vec![GivenWindow {
        site: Some(0),
        day: 0,
        start_minute: 9 * 60,
        minutes: 45,
        people: 45,
    }];
    assert_eq!(starts(&plan(&input)), ["09:45"]);
}

#[test]
fn starts_have_a_cap_of_their_own() {
    let mut input = input("site: 9 desks, 600/h, 09-12; units: 101x8 102x8 103x8 104x30");
    input.supply.starts_cap = Some(StartsCap {
        per_minute: 10.0,
        opening: vec![],
    });
    let plan = plan(&input);
    let mut starts: Vec<u16> = plan.windows.iter().map(|window| window.start_minute).collect();
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.len(), 4, "one unit a minute");
}

#[test]
fn green_people_have_a_wide_window_and_desks_of_their_own() {
    let mut input = input("site: 2 desks, 60/h, 09-12; units: 101x50 102x20 103x300");
    input.supply.sites[0].green_desks = 1;
    input.units[0].green_people = 10;
    input.units[1].green_people = 20;
    input.units[2].green_people = 200;
    let plan = plan(&input);
    let green = plan.windows[0].green.expect("a green window");
    assert_eq!(
        (green.start_minute, green.minutes, green.people),
        (9 * 60, 180, 10)
    );
    assert_eq!(plan.windows[0].people, 40);
    assert_eq!(
        (plan.windows[1].people, plan.windows[1].minutes),
        (0, 180),
        "all of this unit are green"
    );
    assert_eq!(
        plan.windows[2].green, None,
        "more than a green desk samples in a day"
    );
    assert_eq!(plan.sites[0].green_desks_needed, 2);
    let shortage = plan.shortage.expect("green people went to the regular lane");
    assert_eq!(shortage.green_people, 200);
}

/// Fairness: over rounds a building stands anywhere in the order.
#[test]
fn buildings_take_turns_at_being_first() {
    let mut input = input("site: 1 desks, 60/h, 09-21; units: 101x20 201x20 301x20 401x20 501x20");
    let mut firsts = std::collections::BTreeSet::new();
    for round in 0..8 {
        input.round_number = round;
        let plan = plan(&input);
        let first = plan.windows.iter().min_by_key(|window| window.start_minute);
        firsts.insert(first.map(|window| window.unit));
    }
    assert!(firsts.len() >= 4, "{firsts:?}");
}

#[test]
fn remedies_are_said_with_the_cheapest_first() {
    let mut input = input("site: 2 desks, 60/h, 09-10; units: 101x60 102x60");
    input.supply.sites[0].green_desks = 1;
    let shortage = plan(&input).shortage.expect("one desk for two hours of work");
    let words: Vec<String> = shortage.remedies.iter().map(Remedy::to_string).collect();
    assert_eq!(
        words.first().map(String::as_str),
        Some("site 0: 1 idle green desks sample everybody: room for 60 people")
    );
}

fn any_windows() -> impl Strategy<Value = Vec<Announced>> {
    let window = (
        (1_u32..60, 1_u32..40, 0_u32..3),
        (480_u32..1200, any::<bool>(), 0_u8..4),
    );
    vec(window, 0..60).prop_map(|windows| {
        let announced = windows.into_iter().enumerate();
        announced
            .map(
                |(unit, ((people, recipients, site), (start, told, moves)))| Announced {
                    unit: UnitId(unit as i64),
                    building: BuildingId(unit as i64 % 5),
                    people,
                    recipients,
                    site,
                    start,
                    minutes: 10,
                    told,
                    moves,
                },
            )
            .collect()
    })
}

/// A building may not be called at dinner, even where that is when there is room.
#[test]
fn windows_do_not_move_to_when_a_building_must_not_be_called() {
    let mut supply = input("site: 1 desks, 60/h, 08-12").supply;
    let not = |building, from, to| MustNot {
        whom: Whom::Building(BuildingId(building)),
        day: None,
        span: Span { from, to },
    };
    supply.must_not = vec![not(1, 9 * 60, 10 * 60), not(2, 8 * 60, 12 * 60)];
    let window = |unit, building| Announced {
        unit: UnitId(unit),
        building: BuildingId(building),
        people: 10,
        recipients: 5,
        site: 0,
        start: 8 * 60 + 10,
        minutes: 10,
        told: true,
        moves: 0,
    };
    let asked = Restagger {
        windows: &[window(1, 1), window(2, 2), window(3, 3)],
        supply: &supply,
        given: &[],
        from: 8 * 60,
        quota: &[0.0; 65],
        quota_after: 5.0,
        site: None,
    };
    let done = restagger(&asked);
    let starts: Vec<(i64, u32)> = done
        .moved
        .iter()
        .map(|moved| (moved.unit.0, moved.start))
        .collect();
    assert_eq!(starts, [(1, 10 * 60), (3, 9 * 60 + 5)]);
    assert_eq!(
        done.stuck_recipients, 5,
        "no minute of the round is free for building 2"
    );
}

#[test]
fn where_a_site_has_fewer_desks_only_its_windows_move_and_only_those_that_do_not_fit() {
    let window = |unit, site, start, told, moves| Announced {
        unit: UnitId(unit),
        building: BuildingId(1),
        people: 10,
        recipients: 5,
        site,
        start,
        minutes: 10,
        told,
        moves,
    };
    let (first, second) = (8 * 60, 8 * 60 + 10);
    let windows = [
        window(1, 0, first, true, 0),
        window(2, 0, first, true, 0),
        window(3, 0, first, true, 3),
        window(4, 0, second, false, 0),
        window(5, 1, first, true, 0),
        window(6, 1, first, true, 0),
        window(7, 1, first, false, 0),
    ];
    let moved = |desks: &str| {
        let supply = input(desks).supply;
        let done = restagger(&Restagger {
            windows: &windows,
            supply: &supply,
            given: &[],
            from: 0,
            quota: &[],
            quota_after: 1e12,
            site: Some(0),
        });
        let mut starts: Vec<(i64, u32)> = done.moved.iter().map(|one| (one.unit.0, one.start)).collect();
        starts.sort_unstable();
        (starts, done.stuck_recipients)
    };
    // Three windows of ten people in ten minutes need three desks that take one a minute; the other site has too few.
    assert_eq!(
        moved("site: 3 desks, 60/h, 08-21; site: 1 desks, 60/h, 08-21"),
        (vec![], 0)
    );
    // With two there is no room for the one that moved too often: it stays all the same.
    assert_eq!(
        moved("site: 2 desks, 60/h, 08-21; site: 1 desks, 60/h, 08-21"),
        (vec![], 5)
    );
    // With one, another of those told gives way to the first time with room, and so does who was not told.
    let (starts, stuck) = moved("site: 1 desks, 60/h, 08-21; site: 1 desks, 60/h, 08-21");
    assert_eq!((starts, stuck), (vec![(2, second), (4, second + 10)], 5));
}

proptest! {
    #[test]
    fn windows_move_later_only_and_not_too_often(windows in any_windows(), quota in 0.0_f64..60.0, from in 480_u32..900) {
        let supply = input("site: 9 desks, 60/h, 08-21; site: 9 desks, 60/h, 08-12 and 14-21; site: 1 desks, 600/h, 08-21; days: 2; cap: 20").supply;
        let mut supply = supply;
        let span = Span { from: 700, to: 800 };
        supply.must_not = vec![MustNot { whom: Whom::Building(BuildingId(1)), day: None, span }];
        let asked = Restagger { windows: &windows, supply: &supply, given: &[], from, quota: &[0.0; 15], quota_after: quota, site: None };
        let done = restagger(&asked);
        prop_assert_eq!(&done, &restagger(&asked));
        for moved in &done.moved {
            let building = windows[moved.index as usize].building;
            let time = moved.start % 1440..moved.start % 1440 + u32::from(moved.minutes);
            prop_assert!(building != BuildingId(1) || time.end <= 700 || time.start >= 800);
        }
        let mut recipients = std::collections::BTreeMap::<u32, Vec<f64>>::new();
        let mut arrivals = std::collections::BTreeMap::<(u32, u32), f64>::new();
        let mut stays = std::collections::BTreeSet::new();
        for moved in &done.moved {
            let old = windows[moved.index as usize];
            prop_assert_eq!(old.unit, moved.unit);
            prop_assert!(moved.start > old.start && old.start >= from);
            prop_assert!(!old.told || old.moves < MOVES_MAX);
            stays.insert(moved.index);
            if moved.over_capacity { continue }
            prop_assert!(moved.start >= from + 15, "the quota is nothing before");
            recipients.entry(moved.start).or_default().push(f64::from(old.recipients));
            for minute in moved.start..moved.start + u32::from(moved.minutes) {
                *arrivals.entry((old.site, minute)).or_default() += f64::from(old.people) / 10.0;
            }
        }
        prop_assert_eq!(stays.len(), done.moved.len(), "each once");
        for (minute, starts) in recipients {
            let sum: f64 = starts.iter().sum();
            prop_assert!(sum <= quota + 1e-6 || starts.iter().any(|&one| one > quota), "{} in minute {}", sum, minute);
        }
        let mut city = std::collections::BTreeMap::<u32, f64>::new();
        for ((site, minute), people) in arrivals {
            let rate = supply.sites[site as usize].people_per_minute();
            prop_assert!(people <= rate + 1e-6, "site {} in minute {}", site, minute);
            *city.entry(minute).or_default() += people;
        }
        prop_assert!(city.values().all(|&people| people <= 20.0 + 1e-6));
    }

    /// By trying every order: where all units take equally long on one desk, first come is as good as any.
    #[test]
    fn small_rounds_are_done_as_soon_as_by_trying_everything(
        people in vec(10_u32..30, 1..6), two in any::<bool>(), cap in prop::option::of(1.0_f64..2.0),
    ) {
        let sites = if two { "site: 1 desks, 60/h, 08-21; site: 1 desks, 60/h, 08-21" } else { "site: 1 desks, 60/h, 08-21" };
        let mut input = input(sites);
        let places: Vec<Choice> = (0..input.supply.sites.len()).map(Choice::at).collect();
        let choices = input.choices.add(places);
        input.supply.city_cap = cap;
        for (at, &people) in people.iter().enumerate() {
            let unit = UnitId(at as i64);
            input.units.push(PlanUnit { unit, building: BuildingId(at as i64), people, green_people: 0, choices });
        }
        let plan = plan(&input);
        let best = best_makespan(&people, input.supply.sites.len(), cap.unwrap_or(f64::INFINITY));
        let (day, ends) = plan.ends().expect("windows");
        let took = u32::from(ends) - 8 * 60;
        let longest = people.iter().max().copied().unwrap_or(0);
        prop_assert_eq!(day, 0);
        prop_assert!(took >= best, "no plan is better than the best");
        prop_assert!(took <= best + longest + 10, "{} minutes against {}", took, best);
    }

    #[test]
    fn offers_are_free(people in 1_u32..5, taken in vec((480_u16..1200, 1_u32..12), 0..30)) {
        let supply = input("site: 1 desks, 60/h, 08-21; site: 1 desks, 60/h, 09-12 and 13-15").supply;
        let given: Vec<GivenWindow> = taken
            .into_iter()
            .map(|(start_minute, people)| GivenWindow { site: Some(0), day: 0, start_minute, minutes: 12, people })
            .collect();
        let found = offers(&OfferRequest {
            supply: &supply, given: &given, choices: &[Choice::at(0), Choice::at(1)], building: BuildingId(1), people,
            not_before: (0, 600), count: 4,
        });
        prop_assert!(!found.is_empty());
        for offer in found {
            prop_assert!(offer.start_minute >= 600);
            let share = f64::from(people) / f64::from(offer.minutes);
            for minute in offer.start_minute..offer.start_minute + offer.minutes {
                let there: f64 = given.iter()
                    .filter(|window| window.site == Some(offer.site) && (window.start_minute..window.start_minute + 12).contains(&minute))
                    .map(|window| f64::from(window.people) / 12.0)
                    .sum();
                prop_assert!(there + share <= 1.0 + 1e-6);
            }
        }
    }

    #[test]
    fn the_grid_finds_what_measuring_all_finds(
        sites in vec((30.0_f64..30.1, 104.0_f64..104.1), 0..40), at in (30.0_f64..30.1, 104.0_f64..104.1),
    ) {
        let sites: Vec<_> = sites.into_iter().map(|(lat, lon)| Some(crate::domain::Coordinates { lat, lon })).collect();
        let from = crate::domain::Coordinates { lat: at.0, lon: at.1 };
        let found = nearest(&sites, from, 900.0);
        let shrink = 30.05_f64.to_radians().cos();
        let metres = |at: &crate::domain::Coordinates| ((at.lat - from.lat) * 111_194.93).hypot((at.lon - from.lon) * 111_194.93 * shrink);
        let near = sites.iter().flatten().filter(|at| metres(at) < 898.0).count();
        let nearly = sites.iter().flatten().filter(|at| metres(at) < 902.0).count();
        prop_assert!((near..=nearly).contains(&found.len()));
        prop_assert!(found.windows(2).all(|pair| pair[0].metres <= pair[1].metres));
    }
}

/// The least time by trying every split over the desks. A desk samples one person a minute and every unit has at least
/// the ten people of the shortest window, so a unit takes a minute a person, and a cap below two lets one at a time come.
fn best_makespan(people: &[u32], sites: usize, cap: f64) -> u32 {
    if sites == 1 || cap < 2.0 {
        return people.iter().sum();
    }
    (0..1_u32 << people.len())
        .map(|split| {
            let at = |site: u32| -> u32 {
                let here = (people.iter().enumerate()).filter(|(unit, _)| split >> unit & 1 == site);
                here.map(|(_, people)| *people).sum()
            };
            at(0).max(at(1))
        })
        .min()
        .unwrap_or(0)
}

#[test]
fn a_window_is_explained() {
    let mut input =
        input("site: 1 desks, 60/h, 09-12; site: 1 desks, 60/h, 09-12; units: 101x20@0,1 201x20@0,1");
    let plan = plan(&input);
    insta::assert_snapshot!(explain(&input, &plan, UnitId(201)).expect("a window"), @r"
    Unit 201 (20 people) goes to site 0 on day 1 at 09:00, for 20 minutes.
    site 0 has 20 people and can sample 180: it is the one.
    site 1 has 20 people and can sample 180.
    Its building is number 1 of 1 at the site. Beside all others the desks are first free on day 1 at 09:00.
    It starts as soon as the site opens.
    ");
    input.supply.must_not.push(MustNot {
        whom: Whom::Building(BuildingId(1)),
        day: None,
        span: Span {
            from: 9 * 60,
            to: 10 * 60,
        },
    });
    let plan = super::plan(&input);
    let explained = explain(&input, &plan, UnitId(101)).expect("a window");
    assert_eq!(
        (explained.bound, explained.window.start_minute),
        (Bound::MustNot, 10 * 60)
    );
    assert_eq!(explain(&input, &plan, UnitId(999)), None);
}

/// One more unit moves few windows: those at its site after it.
#[test]
fn one_more_unit_moves_little() {
    let sites = "site: 4 desks, 60/h, 08-21; site: 4 desks, 60/h, 08-21; site: 4 desks, 60/h, 08-21";
    let mut input = input(sites);
    for unit in 0..180_i64 {
        let choices = input.choices.add([Choice::at((unit % 3) as usize)]);
        input.units.push(PlanUnit {
            unit: UnitId(unit),
            building: BuildingId(unit / 3),
            people: 10 + (unit * 7919 % 20) as u32,
            green_people: 0,
            choices,
        });
    }
    let before = plan(&input);
    let mut more = input.units[90];
    more.unit = UnitId(1000);
    more.building = BuildingId(1000);
    input.units.push(more);
    let after = plan(&input);
    let moved = (before.windows.iter().zip(&after.windows))
        .filter(|(before, after)| before != after)
        .count();
    assert!(moved * 10 <= before.windows.len(), "{moved} windows moved");
}

prop_compose! {
    /// A round with so much to do that its last minutes matter: buildings of up to five units, on sites open all day.
    fn any_long_round()(
        desks in vec(1_u32..8, 1..5),
        buildings in vec((vec(4_u32..60, 1..6), 1_usize..16), 30..120),
        cap in prop::option::of(0.6_f64..1.2),
        round_number in 0_u32..4,
    ) -> PlanInput {
        let mut input = input("window: 10");
        input.round_number = round_number;
        for (index, &desks) in desks.iter().enumerate() {
            let mut site = super::tests::input("site: 1 desks, 90/h, 07-22").supply.sites.remove(0);
            (site.site, site.desks) = (SiteId(index as i64), desks);
            input.supply.sites.push(site);
        }
        input.supply.days = 3;
        for (building, (units, sites)) in buildings.into_iter().enumerate() {
            let of = |site: &usize| sites >> site & 1 == 1;
            let mut places: Vec<Choice> = (0..desks.len()).filter(of).map(Choice::at).collect();
            if places.is_empty() {
                places.push(Choice::at(sites % desks.len()));
            }
            let choices = input.choices.add(places);
            for people in units {
                let unit = UnitId(input.units.len() as i64);
                input.units.push(PlanUnit { unit, building: BuildingId(building as i64), people, green_people: 0, choices });
            }
        }
        let rate: f64 = input.supply.sites.iter().map(PlanSite::people_per_minute).sum();
        input.supply.city_cap = cap.map(|share| (rate * share).max(1.0));
        input
    }
}

/// The least minutes in which a fluid could be done. Of each set of sites: who may only go there, by what they sample
/// together. By the theorem of Hall the worst set says it; all of them are tried.
fn fluid_minutes(input: &PlanInput) -> f64 {
    let sites = &input.supply.sites;
    let all: u32 = input.units.iter().map(|unit| unit.people).sum();
    let by_sites = (1..1_u32 << sites.len()).map(|set| {
        let is_in = |site: usize| set >> site & 1 == 1;
        let bound = |unit: &&PlanUnit| {
            input
                .choices
                .of(unit.choices)
                .iter()
                .all(|choice| is_in(choice.index()))
        };
        let people: u32 = input.units.iter().filter(bound).map(|unit| unit.people).sum();
        let of = (0..sites.len())
            .filter(|&site| is_in(site))
            .map(|site| sites[site].people_per_minute());
        f64::from(people) / of.sum::<f64>()
    });
    by_sites.fold(
        f64::from(all) / input.supply.city_cap.unwrap_or(f64::INFINITY),
        f64::max,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// All caps hold, and no plan is done sooner than a fluid could be.
    #[test]
    fn long_rounds_keep_every_cap_and_the_bound_of_a_fluid(input in any_long_round()) {
        let plan = plan(&input);
        check(&input, &plan)?;
        prop_assert_eq!(&plan, &super::plan(&input));
        let fluid = fluid_minutes(&input);
        let (day, ends) = plan.ends().expect("windows");
        let took = f64::from(day) * 1440.0 + f64::from(ends) - 420.0;
        prop_assert!(plan.shortage.is_some() || took + 1e-6 >= fluid, "no plan is better than a fluid");
    }

    #[test]
    fn starts_stay_under_their_cap(input in any_long_round(), per_minute in 5.0_f64..80.0) {
        let mut input = input;
        input.supply.starts_cap = Some(StartsCap { per_minute, opening: vec![1.0; 3] });
        let plan = plan(&input);
        check(&input, &plan)?;
        let mut starts = vec![(0_u32, false); 3 * MINUTES_PER_DAY + 5];
        for window in plan.windows.iter().filter(|window| !window.over_capacity) {
            let minute = usize::from(window.day) * MINUTES_PER_DAY + usize::from(window.start_minute);
            starts[minute].0 += window.people;
            starts[minute].1 |= f64::from(window.people) > per_minute;
        }
        for (minute, five) in starts.windows(5).enumerate() {
            let people: u32 = five.iter().map(|start| start.0).sum();
            let alone = five.iter().filter(|start| start.0 > 0).count() == 1 && five.iter().any(|start| start.1);
            prop_assert!(f64::from(people) <= 5.0 * per_minute + 1e-6 || alone, "{} people from minute {}", people, minute);
            prop_assert!(five[0].1 || f64::from(five[0].0) <= per_minute + 1e-6, "in minute {}", minute);
        }
    }
}
