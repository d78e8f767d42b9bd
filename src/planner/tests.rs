//! One small door: a line of text in, a line of windows out. And what must hold of every plan.

use insta::assert_snapshot;
use proptest::{collection::vec, prelude::*};

use super::*;

const SUM_TOLERANCE: f64 = 1e-9;

/// `site: 2 desks, 10/h, 09:00-10:00; units: 101x12 102x30@1,0; days: 2; cap: 3.5; window: 10`.
/// Units are `<building><two digits>x<people>@<sites>`.
pub(super) fn input(text: &str) -> PlanInput {
    let mut input = PlanInput {
        supply: Supply {
            days: 1,
            to_minute: 1440,
            window_min_minutes: 10,
            ..Supply::default()
        },
        ..PlanInput::default()
    };
    for part in text.split(';') {
        let (key, value) = part.trim().split_once(": ").expect("key: value");
        match key {
            "site" => input.supply.sites.push(site(value, input.supply.sites.len())),
            "units" => value.split_whitespace().for_each(|text| unit(text, &mut input)),
            "days" => input.supply.days = value.parse().expect("days"),
            "cap" => input.supply.city_cap = Some(value.parse().expect("people a minute")),
            "window" => input.supply.window_min_minutes = value.parse().expect("minutes"),
            "hours" => (input.supply.from_minute, input.supply.to_minute) = hours(value),
            "first day" => input.supply.first_day_from_minute = minute(value),
            other => panic!("no such key: {other}"),
        }
    }
    input
}

fn site(text: &str, index: usize) -> PlanSite {
    let [desks, rate, open]: [&str; 3] = text
        .split(", ")
        .collect::<Vec<_>>()
        .try_into()
        .expect("desks, rate, hours");
    let desks: u32 = desks.trim_end_matches(" desks").parse().expect("desks");
    let per_hour: f64 = rate
        .trim_end_matches("/h")
        .parse()
        .expect("samples per desk and hour");
    PlanSite {
        site: SiteId(index as i64),
        desks,
        green_desks: 0,
        desk_people_per_minute: per_hour / 60.0,
        open: open.split(" and ").map(span).collect(),
    }
}

fn minute(clock: &str) -> u16 {
    let (hour, minute) = clock.split_once(':').unwrap_or((clock, "0"));
    hour.parse::<u16>().expect("hour") * 60 + minute.parse::<u16>().expect("minute")
}

fn hours(text: &str) -> (u16, u16) {
    let (from, to) = text.split_once('-').expect("from-to");
    (minute(from), minute(to))
}

fn span(text: &str) -> Span {
    let (from, to) = hours(text);
    Span { from, to }
}

fn unit(text: &str, input: &mut PlanInput) {
    let (who, sites) = text.split_once('@').unwrap_or((text, "0"));
    let (id, people) = who.split_once('x').expect("id x people");
    let id: i64 = id.parse().expect("id");
    let sites: Vec<Choice> = sites
        .split(',')
        .map(|site| Choice::at(site.parse().expect("site")))
        .collect();
    let known = input.units.iter().map(|unit| unit.choices);
    let choices = known
        .rev()
        .find(|&list| input.choices.of(list) == sites)
        .unwrap_or_else(|| input.choices.add(sites.clone()));
    input.units.push(PlanUnit {
        unit: UnitId(id),
        building: BuildingId(id / 100),
        people: people.parse().expect("people"),
        green_people: 0,
        choices,
    });
}

fn planned(text: &str) -> String {
    let input = input(text);
    let plan = plan(&input);
    check(&input, &plan).expect("what must hold of every plan");
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let windows: Vec<String> = plan
        .windows
        .iter()
        .map(|window| {
            let day = if input.supply.days > 1 {
                format!("day {} ", window.day)
            } else {
                String::new()
            };
            let at = if input.supply.sites.len() > 1 {
                format!(" at {}", window.site)
            } else {
                String::new()
            };
            let over = if window.over_capacity {
                " over capacity"
            } else {
                ""
            };
            let (start, end) = (clock(window.start_minute), clock(window.end_minute()));
            format!("{} {day}{start}-{end}{at}{over}", window.unit)
        })
        .collect();
    let short = plan.shortage.map(|short| {
        format!(
            "\nshort of {} desks or {:.2} h for {} people, {} beyond the city's cap",
            short.desks, short.hours, short.people, short.people_beyond_city_cap
        )
    });
    windows.join(" | ") + &short.unwrap_or_default()
}

#[test]
fn units_follow_each_other_as_people_are_sampled() {
    assert_snapshot!(planned("site: 2 desks, 30/h, 09-10; units: 101x12 102x12 201x12"), @"101 09:00-09:12 | 102 09:12-09:24 | 201 09:24-09:36");
}

#[test]
fn small_units_overlap_but_do_not_start_together() {
    assert_snapshot!(planned("site: 4 desks, 60/h, 09-12; units: 101x10 102x10 103x10 104x10 105x10"), @"101 09:00-09:10 | 102 09:03-09:13 | 103 09:05-09:15 | 104 09:08-09:18 | 105 09:10-09:20");
}

#[test]
fn a_unit_that_fits_beside_another_may_go_first() {
    assert_snapshot!(planned("site: 8 desks, 60/h, 09-12; units: 101x60 102x60 103x20"), @"101 09:00-09:10 | 102 09:10-09:20 | 103 09:08-09:18");
}

#[test]
fn sites_start_at_minutes_of_their_own() {
    assert_snapshot!(
        planned("site: 2 desks, 30/h, 09-10; site: 2 desks, 30/h, 09-10; site: 2 desks, 30/h, 09-10;
                 units: 101x12@0 201x12@1 301x12@2"),
        @"101 09:00-09:12 at 0 | 201 09:07-09:19 at 1 | 301 09:02-09:14 at 2"
    );
}

#[test]
fn a_building_goes_where_it_is_done_clearly_sooner() {
    assert_snapshot!(
        planned("site: 1 desks, 60/h, 09-12; site: 1 desks, 60/h, 09-12;
                 units: 101x20@0,1 102x20@0,1 201x20@0,1 202x20@0,1 301x5@0,1 401x20@1"),
        @"101 09:00-09:20 at 1 | 102 09:20-09:40 at 1 | 201 09:00-09:20 at 0 | 202 09:20-09:40 at 0 | 301 09:40-09:50 at 0 | 401 09:40-10:00 at 1"
    );
}

#[test]
fn sites_share_the_citys_cap() {
    assert_snapshot!(
        planned("site: 2 desks, 60/h, 09-12; site: 2 desks, 60/h, 09-12; cap: 2;
                 units: 101x20@0 102x20@0 201x20@1 202x20@1"),
        @"101 09:00-09:10 at 0 | 102 09:20-09:30 at 0 | 201 09:10-09:20 at 1 | 202 09:30-09:40 at 1"
    );
}

#[test]
fn a_cap_below_one_site_makes_windows_longer() {
    assert_snapshot!(planned("site: 4 desks, 60/h, 09-12; cap: 2; units: 101x80 102x80"), @"101 09:00-09:40 | 102 09:40-10:20");
}

#[test]
fn what_does_not_fit_today_comes_tomorrow() {
    assert_snapshot!(planned("site: 2 desks, 10/h, 09-10; days: 2; units: 101x12 102x12 103x5"), @"101 day 0 09:00-09:36 | 102 day 1 09:00-09:36 | 103 day 0 09:36-09:51");
}

#[test]
fn beyond_the_last_day_windows_are_over_capacity_and_the_shortage_is_stated() {
    assert_snapshot!(planned("site: 2 desks, 10/h, 09-10; units: 101x12 102x12 103x12"), @r#"
101 09:00-09:36 | 102 09:00-09:36 over capacity | 103 09:12-09:48 over capacity
short of 3 desks or 1.20 h for 24 people, 0 beyond the city's cap
"#);
}

#[test]
fn a_full_site_is_filled_to_the_last_person() {
    let units: String = (101..125)
        .map(|unit| format!("{unit}x10"))
        .collect::<Vec<_>>()
        .join(" ");
    let plan = plan(&input(&format!("site: 4 desks, 60/h, 09-10; units: {units}")));
    assert_eq!(
        plan.shortage, None,
        "24 units of 10 at 4 a minute are one hour's work"
    );
}

#[test]
fn a_unit_too_large_for_a_day_is_over_capacity() {
    assert_snapshot!(planned("site: 1 desks, 60/h, 09-10; days: 3; units: 101x61 102x60"), @r#"
101 day 2 09:00-10:00 over capacity | 102 day 0 09:00-10:00
short of 1 desks or 1.02 h for 61 people, 0 beyond the city's cap
"#);
}

#[test]
fn more_desks_do_not_help_against_the_citys_cap() {
    assert_snapshot!(planned("site: 9 desks, 60/h, 09-10; cap: 1; units: 101x60 102x60"), @r#"
101 09:00-10:00 | 102 09:00-10:00 over capacity
short of 0 desks or 1.00 h for 60 people, 60 beyond the city's cap
"#);
}

#[test]
fn a_closed_site_is_taken_only_where_there_is_no_other() {
    assert_snapshot!(
        planned("site: 0 desks, 60/h, 09-10; site: 1 desks, 60/h, 09-10; site: 1 desks, 60/h, 12-12;
                 units: 101x10@0,1 201x10@0 301x10@2; hours: 08:00-20:00"),
        @r#"
101 09:06-09:16 at 1 | 201 09:00-10:00 at 0 over capacity | 301 10:47-10:57 at 2 over capacity
short of 1 desks or 0.17 h for 20 people, 0 beyond the city's cap
"#
    );
}

#[test]
fn the_rounds_hours_narrow_the_sites() {
    assert_snapshot!(planned("site: 1 desks, 60/h, 08-21; hours: 13:30-14:00; units: 101x10 102x10"), @"101 13:30-13:40 | 102 13:40-13:50");
}

#[test]
fn the_first_day_begins_later_and_the_next_as_usual() {
    assert_snapshot!(
        planned("site: 1 desks, 60/h, 08-21; hours: 09:00-10:00; first day: 09:30; days: 2; units: 101x20 102x30 103x5"),
        @"101 day 0 09:30-09:50 | 102 day 1 09:00-09:30 | 103 day 0 09:50-10:00"
    );
}

#[test]
fn nothing_is_left_of_the_first_day_at_a_site_that_has_closed() {
    assert_snapshot!(
        planned("site: 1 desks, 60/h, 08-09; hours: 08:00-20:00; first day: 10:00; days: 2; units: 101x20 102x30 103x10"),
        @"101 day 1 08:00-08:20 | 102 day 1 08:20-08:50 | 103 day 1 08:50-09:00"
    );
}

#[test]
fn nobody_is_sent_to_what_has_passed_of_the_only_day() {
    assert_snapshot!(
        planned("site: 1 desks, 60/h, 08-12; site: 1 desks, 60/h, 08-10; first day: 11:30; hours: 08:00-20:00;
                 units: 101x20@0 102x20@0 201x20@1"),
        @r#"
101 11:30-11:50 at 0 | 102 11:30-11:50 at 0 over capacity | 201 16:32-16:52 at 1 over capacity
short of 1 desks or 0.33 h for 40 people, 0 beyond the city's cap
"#
    );
}

#[test]
fn nobody_and_nowhere_are_no_reason_to_panic() {
    let mut nowhere = input("site: 1 desks, 60/h, 09-10; units: 101x0 102x5@7 103x5");
    nowhere.units[2].choices = nowhere.choices.add([]);
    let plan = plan(&nowhere);
    assert_eq!(
        (plan.windows.len(), plan.without_site),
        (0, vec![UnitId(102), UnitId(103)])
    );
    let empty = PlanInput {
        units: Vec::new(),
        supply: Supply {
            sites: Vec::new(),
            ..nowhere.supply
        },
        ..nowhere
    };
    assert!(
        super::plan(&empty)
            .load
            .iter()
            .flatten()
            .all(|&people| people <= 0.0)
    );
}

/// Numbers that no city has must not stop the planner.
#[test]
fn wild_numbers_do_not_panic() {
    for rate in [f64::NAN, f64::INFINITY, -1.0, 1e-300, 1e300] {
        let hour = "site: 1 desks, 60/h, 09-10";
        let mut wild = input(&format!(
            "{hour}; {hour}; units: 101x4000000000 102x1@1; window: 4000000000"
        ));
        for site in &mut wild.supply.sites {
            site.desk_people_per_minute = rate;
        }
        for cap in [None, Some(rate)] {
            wild.supply.city_cap = cap;
            assert_eq!(plan(&wild).windows.len(), 2);
        }
    }
}

/// A city of 90 buildings at three sites that have work for nearly the whole day.
#[test]
fn a_city_is_done_soon_and_its_buildings_stay_together() {
    let sites = "site: 6 desks, 120/h, 08-21; site: 4 desks, 120/h, 08-21; site: 5 desks, 120/h, 09-21";
    let mut input = input(sites);
    city(90, &mut input);
    let plan = plan(&input);
    check(&input, &plan).expect("what must hold of every plan");
    let rate: f64 = input.supply.sites.iter().map(PlanSite::people_per_minute).sum();
    let needed_minutes = plan.people() as f64 / rate;
    let (day, ends) = plan.ends().expect("windows");
    assert_eq!((day, &plan.shortage), (0, &None));
    let took_minutes = f64::from(ends - 8 * 60);
    assert!(
        took_minutes < 1.1 * needed_minutes + 60.0,
        "{needed_minutes} minutes of work took {took_minutes}"
    );

    let mut waits: Vec<u16> = plan
        .windows
        .chunk_by(|a, b| a.unit.0 / 100 == b.unit.0 / 100)
        .map(|building| {
            let starts = || building.iter().map(|window| window.start_minute);
            let service: f64 = building
                .iter()
                .map(|window| f64::from(window.people))
                .sum::<f64>()
                / 8.0;
            (starts().max().unwrap_or(0) - starts().min().unwrap_or(0)).saturating_sub(service as u16)
        })
        .collect();
    waits.sort_unstable();
    let p95 = waits[waits.len() * 95 / 100];
    assert!(
        p95 <= 20,
        "one building in twenty is spread by {p95} minutes beyond its own service time"
    );
}

fn city(buildings: i64, input: &mut PlanInput) {
    let choices = input.choices.add([0, 1, 2].map(Choice::at));
    input.units = (0..buildings)
        .flat_map(|building| (0..=building % 4).map(move |unit| building * 100 + unit))
        .map(|id| PlanUnit {
            unit: UnitId(id),
            building: BuildingId(id / 100),
            people: 19 + (id * 7919 % 140) as u32,
            green_people: 0,
            choices,
        })
        .collect();
}

/// What must hold of every plan.
pub(super) fn check(input: &PlanInput, plan: &Plan) -> Result<(), TestCaseError> {
    let expected: Vec<(UnitId, u32)> = input
        .units
        .iter()
        .filter(|unit| unit.people > 0)
        .map(|unit| (unit.unit, unit.people))
        .collect();
    let given: Vec<(UnitId, u32)> = plan
        .windows
        .iter()
        .map(|window| (window.unit, window.people))
        .collect();
    prop_assert_eq!(expected, given, "each unit once, in order");
    prop_assert!(plan.without_site.is_empty());

    let is_past = |window: &PlannedWindow| {
        usize::from(window.start_minute) < input.supply.samples_from(window.day.into())
    };
    prop_assert!(
        input.supply.samples_from(0) >= input.supply.to_minute.into() || !plan.windows.iter().any(is_past),
        "not even over capacity before the day begins"
    );

    let mut city = vec![0.0; usize::from(input.supply.days) * MINUTES_PER_DAY];
    for (index, site) in input.supply.sites.iter().enumerate() {
        let mut arrivals = city.clone();
        arrivals.fill(0.0);
        for window in plan
            .windows
            .iter()
            .filter(|window| window.site == site.site && !window.over_capacity)
        {
            check_window(input, site, window)?;
            for minute in window.start_minute..window.end_minute() {
                arrivals[usize::from(window.day) * MINUTES_PER_DAY + usize::from(minute)] +=
                    window.people_per_minute();
            }
        }
        for (city, arrivals) in city.iter_mut().zip(arrivals) {
            prop_assert!(
                arrivals <= site.people_per_minute() + SUM_TOLERANCE,
                "site {} at {}",
                index,
                arrivals
            );
            *city += arrivals;
        }
    }
    let cap = input.supply.city_cap.unwrap_or(f64::INFINITY);
    prop_assert!(
        city.iter().all(|&arrivals| arrivals <= cap + SUM_TOLERANCE),
        "the city's cap"
    );

    let over: u64 = plan
        .windows
        .iter()
        .filter(|window| window.over_capacity)
        .map(|window| u64::from(window.people))
        .sum();
    prop_assert_eq!(
        over,
        plan.people_over_capacity(),
        "the shortage counts everybody over capacity"
    );
    prop_assert_eq!(over > 0, plan.shortage.is_some());
    let all: f64 = plan.load.iter().flatten().sum();
    prop_assert!(
        (all - plan.people() as f64).abs() < 1e-6 * all.max(1.0),
        "everybody is in the load"
    );
    Ok(())
}

fn check_window(input: &PlanInput, site: &PlanSite, window: &PlannedWindow) -> Result<(), TestCaseError> {
    let opens = usize::from(site.open[0].from).max(input.supply.samples_from(window.day.into()));
    let closes = site.open[site.open.len() - 1].to.min(input.supply.to_minute);
    prop_assert!(
        opens <= window.start_minute.into() && window.end_minute() <= closes,
        "inside opening hours"
    );
    prop_assert!(window.day < input.supply.days);
    let rate = site
        .people_per_minute()
        .min(input.supply.city_cap.unwrap_or(f64::INFINITY));
    let needed = (f64::from(window.people) / rate - SUM_TOLERANCE).ceil() as u32;
    prop_assert_eq!(
        u32::from(window.minutes),
        needed.max(input.supply.window_min_minutes),
        "as long as its people take"
    );
    let unit = input
        .units
        .iter()
        .find(|unit| unit.unit == window.unit)
        .expect("checked above");
    prop_assert!(
        input
            .choices
            .of(unit.choices)
            .iter()
            .any(|choice| input.supply.sites[choice.index()].site == window.site),
        "one of its sites"
    );
    Ok(())
}

fn any_site() -> impl Strategy<Value = PlanSite> {
    (
        0_u32..6,
        prop::sample::select(vec![10.0, 37.0, 60.0, 120.0]),
        400_u16..700,
        0_u16..500,
    )
        .prop_map(|(desks, per_hour, opens_minute, open)| PlanSite {
            site: SiteId(0),
            desks,
            green_desks: 0,
            desk_people_per_minute: per_hour / 60.0,
            open: vec![Span {
                from: opens_minute,
                to: opens_minute + open,
            }],
        })
}

prop_compose! {
    fn any_input()(
        mut sites in vec(any_site(), 1..5),
        units in vec((0_i64..8, 0_u32..200, vec(0_usize..100, 1..4)), 0..60),
        days in 1_u16..4,
        hours in prop::sample::select(vec![(0, 1440), (480, 1020), (600, 601)]),
        first_day_from_minute in prop::sample::select(vec![0, 555, 777, 1440]),
        city_cap in prop::option::of(0.5_f64..20.0),
        window_min_minutes in 1_u32..30,
    ) -> PlanInput {
        for (index, site) in sites.iter_mut().enumerate() {
            site.site = SiteId(index as i64);
        }
        let mut choices = Choices::default();
        let units = units
            .into_iter()
            .enumerate()
            .map(|(id, (building, people, candidates))| PlanUnit {
                unit: UnitId(id as i64),
                building: BuildingId(building),
                people,
                green_people: 0,
                choices: choices.add(candidates.into_iter().map(|site| Choice::at(site % sites.len()))),
            })
            .collect();
        let supply = Supply {
            sites, days, from_minute: hours.0, first_day_from_minute, to_minute: hours.1, city_cap,
            window_min_minutes, ..Supply::default()
        };
        PlanInput { units, supply, choices, ..PlanInput::default() }
    }
}

proptest! {
    #[test]
    fn capacity_holds_in_every_minute_and_nobody_is_dropped(input in any_input()) {
        check(&input, &plan(&input))?;
    }

    #[test]
    fn the_same_input_gives_the_same_plan(input in any_input()) {
        prop_assert_eq!(plan(&input), plan(&input));
    }
}
