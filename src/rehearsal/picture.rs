//! The curve of a rehearsal as an SVG picture: load against capacity by minute, and behind it everybody at once.

use std::fmt::Write as _;

use super::{Minute, Outcome};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 64.0;
const FONT: &str = "font-family=\"system-ui,sans-serif\"";
/// The picture's height is so many times the capacity; what is higher leaves it at the top.
const CAPACITIES: f64 = 2.0;

/// Draws an outcome; `at_once` is the same city with everybody told at once.
#[expect(clippy::too_many_lines, reason = "one curve after the other")]
pub fn svg(outcome: &Outcome, at_once: &[Minute]) -> String {
    let capacity = outcome.nominal_capacity.max(1e-9);
    let from = outcome.curve.first().map_or(0, |minute| minute.minute);
    let to = outcome
        .curve
        .last()
        .map_or(from + 1, |minute| minute.minute)
        .max(from + 1);
    let scale = Scale {
        from: from as f64,
        minutes: (to - from) as f64,
        top: CAPACITIES * capacity,
    };
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\
         <title>Rehearsal: {scenario}</title><rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\
         <text x=\"{LEFT}\" y=\"24\" {FONT} font-size=\"17\" fill=\"#222\">Rehearsal “{scenario}”: {people} recipients, \
         {capacity:.0} sessions/s, seed {seed}</text>",
        scenario = outcome.scenario.name(),
        people = outcome.recipients,
        seed = outcome.seed,
    );
    scale.axes(&mut svg, capacity);
    let within = |curve: &[Minute]| -> Vec<Minute> {
        curve
            .iter()
            .filter(|minute| (from..=to).contains(&minute.minute))
            .copied()
            .collect()
    };
    let behind = within(at_once);
    scale.area(&mut svg, &behind, |minute| minute.arrived, "#f3c9a5");
    scale.line(
        &mut svg,
        &outcome.curve,
        |minute| minute.capacity,
        "#c0392b",
        2.0,
        "6 4",
    );
    scale.line(
        &mut svg,
        &outcome.curve,
        |minute| minute.told,
        "#9aa4ad",
        1.2,
        "2 3",
    );
    scale.line(
        &mut svg,
        &outcome.curve,
        |minute| minute.expected,
        "#7d6bb0",
        1.4,
        "none",
    );
    scale.line(
        &mut svg,
        &outcome.curve,
        |minute| minute.arrived,
        "#1f6fb2",
        2.0,
        "none",
    );
    scale.line(
        &mut svg,
        &outcome.curve,
        |minute| minute.registered,
        "#2e8b57",
        2.0,
        "none",
    );
    let peak = behind.iter().map(|minute| minute.arrived).fold(0.0, f64::max) / capacity;
    legend(
        &mut svg,
        &[
            ("#1f6fb2", "sessions begun".to_owned()),
            ("#2e8b57", "registered".to_owned()),
            ("#7d6bb0", "expected by the law".to_owned()),
            ("#9aa4ad", "recipients told".to_owned()),
            ("#c0392b", "capacity".to_owned()),
            (
                "#e0a066",
                format!("everybody at once, up to {peak:.0} × the capacity"),
            ),
        ],
    );
    svg.push_str("</svg>\n");
    svg
}

struct Scale {
    from: f64,
    minutes: f64,
    top: f64,
}

impl Scale {
    fn x(&self, minute: f64) -> f64 {
        LEFT + (minute - self.from) / self.minutes * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, per_second: f64) -> f64 {
        HEIGHT - BOTTOM - per_second.clamp(0.0, self.top) / self.top * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&self, svg: &mut String, capacity: f64) {
        for share in [0.0, 0.5, 1.0, 1.5, 2.0] {
            let y = self.y(share * capacity);
            let _ = write!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#e5e5e5\"/>\
                 <text x=\"{label}\" y=\"{below:.1}\" {FONT} font-size=\"12\" fill=\"#555\" text-anchor=\"end\">{figure:.0}</text>",
                right = WIDTH - RIGHT,
                label = LEFT - 8.0,
                below = y + 4.0,
                figure = share * capacity,
            );
        }
        let step = if self.minutes > 600.0 { 120 } else { 60 };
        let first = (self.from / f64::from(step)).ceil() as i64 * i64::from(step);
        let mut minute = first;
        while (minute as f64) <= self.from + self.minutes {
            let x = self.x(minute as f64);
            let _ = write!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y}\" {FONT} font-size=\"12\" fill=\"#555\" text-anchor=\"middle\">{hours:+} h</text>",
                y = HEIGHT - BOTTOM + 18.0,
                hours = minute / 60,
            );
            minute += i64::from(step);
        }
        let _ = write!(
            svg,
            "<text x=\"{LEFT}\" y=\"44\" {FONT} font-size=\"12\" fill=\"#555\">a second; hours from the first window</text>"
        );
    }

    fn points(&self, curve: &[Minute], value: impl Fn(&Minute) -> f64) -> String {
        let mut points = String::new();
        for minute in curve {
            let _ = write!(
                points,
                "{:.1},{:.1} ",
                self.x(minute.minute as f64),
                self.y(value(minute))
            );
        }
        points
    }

    fn line(
        &self,
        svg: &mut String,
        curve: &[Minute],
        value: impl Fn(&Minute) -> f64,
        colour: &str,
        width: f64,
        dashes: &str,
    ) {
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\"/>",
            self.points(curve, value).trim_end()
        );
    }

    fn area(&self, svg: &mut String, curve: &[Minute], value: impl Fn(&Minute) -> f64, colour: &str) {
        let (Some(first), Some(last)) = (curve.first(), curve.last()) else {
            return;
        };
        let floor = self.y(0.0);
        let _ = write!(
            svg,
            "<polygon points=\"{:.1},{floor:.1} {} {:.1},{floor:.1}\" fill=\"{colour}\"/>",
            self.x(first.minute as f64),
            self.points(curve, value).trim_end(),
            self.x(last.minute as f64),
        );
    }
}

fn legend(svg: &mut String, entries: &[(&str, String)]) {
    let mut x = LEFT;
    let y = HEIGHT - 18.0;
    for (colour, words) in entries {
        let _ = write!(
            svg,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{:.0}\" y=\"{y:.0}\" {FONT} font-size=\"12\" fill=\"#222\">{words}</text>",
            y - 6.0,
            x + 18.0,
        );
        x += 32.0 + 6.6 * words.chars().count() as f64;
    }
}
