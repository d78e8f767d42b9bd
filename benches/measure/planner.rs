//! Planning made-up cities, on one processor: how long it takes, and how near the plan comes to what a fluid could do.

use std::time::Instant;

use weir::planner;

use crate::{
    planner_city::{self, Figures},
    report::{Goal, Report},
};

/// Several made cities, so that no figure is one city's.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
/// The city's cap lets everybody be done in so many times the minutes that the sites need.
const CAP_STRETCH: f64 = 1.15;
/// Beyond this size the independent bound takes minutes; the plan alone is timed.
const BOUND_UNITS_MAX: usize = 1_000_000;

const MILLISECONDS: Goal = Goal::AtMost(500.0);
const OVER_FLUID_PERCENT: Goal = Goal::AtMost(1.0);
const OVER_FLUID_WITH_CAP_PERCENT: Goal = Goal::AtMost(0.5);
const GAP_MINUTES: Goal = Goal::AtMost(15.0);

/// Plans cities of so many units, without a cap on the city and with one that binds.
pub fn measure(units: &[usize]) {
    for (&units, seed) in units
        .iter()
        .flat_map(|units| SEEDS.map(move |seed| (units, seed)))
    {
        let mut input = planner_city::city(units, seed);
        let people: u64 = input.units.iter().map(|unit| u64::from(unit.people)).sum();
        let by_sites = (units <= BOUND_UNITS_MAX).then(|| planner_city::fluid_bound(&input));
        case(
            &input,
            units,
            &format!("of seed {seed} without a cap"),
            by_sites,
            OVER_FLUID_PERCENT,
        );
        if let Some(by_sites) = by_sites {
            let bound = by_sites * CAP_STRETCH;
            input.supply.city_cap = Some(people as f64 / bound);
            let goal = OVER_FLUID_WITH_CAP_PERCENT;
            case(
                &input,
                units,
                &format!("of seed {seed} with a cap that binds"),
                Some(bound),
                goal,
            );
        }
    }
}

fn case(input: &planner::PlanInput, units: usize, cap: &str, bound: Option<f64>, over_fluid: Goal) {
    let started = Instant::now();
    let plan = planner::plan(input);
    let seconds = started.elapsed().as_secs_f64();
    let is_reference = units == 1_000_000;
    let mut report = Report::new("planner", &format!("{units} units {cap}"))
        .figure(
            "milliseconds",
            seconds * 1e3,
            is_reference.then_some(MILLISECONDS),
        )
        .figure("nanoseconds_a_unit", seconds * 1e9 / units as f64, None);
    if let Some(bound) = bound {
        let Figures {
            makespan,
            gap_p95,
            peak,
            over_at_sites,
            extra_metres,
        } = planner_city::figures(input, &plan);
        let nearest = planner_city::nearest_only(input);
        report = report
            .figure("fluid_bound_minutes", bound, None)
            .figure("makespan_minutes", makespan, None)
            .figure(
                "makespan_over_fluid_percent",
                (makespan / bound - 1.0) * 100.0,
                Some(over_fluid),
            )
            .figure(
                "nearest_only_over_fluid_percent",
                (nearest / bound - 1.0) * 100.0,
                None,
            )
            .figure("building_gap_p95_minutes", gap_p95, Some(GAP_MINUTES))
            .figure(
                "fullest_minute_people",
                peak,
                input.supply.city_cap.map(Goal::AtMost),
            )
            .figure(
                "most_over_a_site_people",
                over_at_sites.max(0.0),
                Some(Goal::AtMost(1e-6)),
            )
            .figure("extra_walk_metres_mean", extra_metres, None)
            .figure("people_over_capacity", plan.people_over_capacity() as f64, None);
    }
    report.print();
}
