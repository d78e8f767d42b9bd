//! The curve as a picture, with the rehearsal's behind it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{Args, figures::Minute};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 44.0;

struct Frame {
    from: f64,
    to: f64,
    most: f64,
}

impl Frame {
    fn x(&self, minute: f64) -> f64 {
        LEFT + (minute - self.from) / (self.to - self.from).max(1.0) * (WIDTH - LEFT - 16.0)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.most * (HEIGHT - TOP - BOTTOM)
    }

    fn line(&self, points: impl Iterator<Item = (f64, f64)>, style: &str) -> String {
        let points: Vec<String> = points
            .filter(|(minute, _)| (self.from..=self.to).contains(minute))
            .map(|(minute, value)| format!("{:.1},{:.1}", self.x(minute), self.y(value)))
            .collect();
        format!(
            "<polyline fill=\"none\" {style} points=\"{}\"/>\n",
            points.join(" ")
        )
    }
}

/// Draws it.
pub fn svg(args: &Args, curve: &[Minute], rehearsed: &Value, drop: Option<(f64, f64)>) -> String {
    let frame = Frame {
        from: curve.first().map_or(0.0, |minute| minute.since_first as f64),
        to: curve.last().map_or(1.0, |minute| minute.since_first as f64),
        most: curve
            .iter()
            .map(|minute| minute.arrived.max(minute.told))
            .fold(1.25 * args.capacity, f64::max),
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"16\" fill=\"#222\">A round for real: {} recipients, a system of {} \
         sessions/s, over HTTP and SMPP</text>\n",
        args.recipients, args.capacity
    );
    if let Some((from, to)) = drop {
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#f6e3c5\"/>",
            frame.x(from),
            frame.x(to) - frame.x(from),
            HEIGHT - TOP - BOTTOM
        );
    }
    axes(&mut svg, &frame);
    let of = |value: fn(&Minute) -> f64| {
        curve
            .iter()
            .map(move |minute| (minute.since_first as f64 + 0.5, value(minute)))
    };
    let empty = Vec::new();
    let rehearsed = rehearsed["curve"].as_array().unwrap_or(&empty);
    let beside = rehearsed
        .iter()
        .filter_map(|minute| Some((minute["minute"].as_f64()? + 0.5, minute["arrived"].as_f64()?)));
    svg += &frame.line(
        of(|minute| minute.told),
        "stroke=\"#9aa7b4\" stroke-width=\"1.5\"",
    );
    svg += &frame.line(
        beside,
        "stroke=\"#d1762a\" stroke-width=\"2\" stroke-dasharray=\"5 4\"",
    );
    svg += &frame.line(
        of(|minute| minute.arrived),
        "stroke=\"#1f5fa8\" stroke-width=\"2.5\"",
    );
    svg += &frame.line(
        of(|minute| minute.registered),
        "stroke=\"#2f8f5b\" stroke-width=\"1.5\"",
    );
    svg += &frame.line(
        of(|minute| minute.capacity),
        "stroke=\"#b3261e\" stroke-width=\"1.5\"",
    );
    legend(&mut svg);
    svg + "</svg>\n"
}

fn legend(svg: &mut String) {
    let legend = [
        ("#b3261e", "capacity"),
        ("#1f5fa8", "sessions begun, for real"),
        ("#d1762a", "the same, rehearsed (nominal)"),
        ("#2f8f5b", "registered"),
        ("#9aa7b4", "told"),
    ];
    let mut x = LEFT;
    for (colour, name) in legend {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"34\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"41\" fill=\"#444\">{name}</text>",
            x + 19.0
        );
        x += 36.0 + name.len() as f64 * 6.8;
    }
}

fn axes(svg: &mut String, frame: &Frame) {
    let floor = HEIGHT - BOTTOM;
    let step = (frame.most / 5.0).ceil().max(1.0);
    let mut value = 0.0;
    while value <= frame.most {
        let y = frame.y(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e4e4e4\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{value}</text>",
            WIDTH - 16.0,
            LEFT - 8.0,
            y + 4.0
        );
        value += step;
    }
    let mut minute = (frame.from / 5.0).ceil() * 5.0;
    while minute <= frame.to {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666\">{minute}</text>",
            frame.x(minute),
            floor + 18.0
        );
        minute += 5.0;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#666\">minutes from the first window; sessions or \
         recipients a second</text>",
        WIDTH - 16.0,
        HEIGHT - 8.0
    );
}
