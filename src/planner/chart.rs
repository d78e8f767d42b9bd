//! A load curve as a picture: blocks for the terminal, SVG for the web and for people's phones. Pure.
//!
//! Days stand side by side and share one scale. Nights are left out. A point shows the most of the minutes under it,
//! so that no peak is hidden by the picture's size.

use std::fmt::Write as _;

use chrono::{NaiveDate, TimeDelta};

/// One day's curve.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ChartDay {
    /// The date.
    pub date: NaiveDate,
    /// Minute of the day of the first value.
    pub first_minute: u16,
    /// People a minute, minute by minute.
    pub per_minute: Vec<f64>,
}

/// What an SVG chart shows. The texts are the reader's language's.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartData {
    /// Above the chart; any text will do.
    pub title: String,
    /// The planned load.
    pub days: Vec<ChartDay>,
    /// People a minute that may not be passed.
    pub cap: Option<f64>,
    /// What would come if everybody were told to come at once, minute by minute from the first day's first minute on.
    pub at_once: Option<Vec<f64>>,
    /// Words in the chart.
    pub legend: Legend,
}

/// The words of an SVG chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legend {
    /// The planned load, such as "as planned".
    pub planned: String,
    /// The cap, such as "cap"; its figure follows.
    pub cap: String,
    /// The curve behind, such as "everybody told at once, up to"; its figure follows.
    pub at_once: String,
    /// The unit of all figures, such as "people/min".
    pub unit: String,
}

/// The days of a plan's load that are in use, cut to the whole hours around the arrivals.
pub fn days(load: &[Vec<f64>], first_date: NaiveDate) -> Vec<ChartDay> {
    let busy = |per_minute: &&f64| **per_minute > 0.0;
    let used = || {
        load.iter()
            .filter(|day| day.iter().any(|per_minute| busy(&per_minute)))
    };
    let first = used()
        .filter_map(|day| day.iter().position(|per_minute| busy(&per_minute)))
        .min();
    let last = used()
        .filter_map(|day| day.iter().rposition(|per_minute| busy(&per_minute)))
        .max();
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    let hours = first / 60 * 60..(last / 60 + 1) * 60;
    load.iter()
        .enumerate()
        .filter(|(_, day)| day.iter().any(|per_minute| busy(&per_minute)))
        .map(|(day, load)| ChartDay {
            date: first_date + TimeDelta::days(day as i64),
            first_minute: hours.start as u16,
            per_minute: load[hours.start..hours.end.min(load.len())].to_vec(),
        })
        .collect()
}

/// The curve in block characters, `height` rows high and at most `width` columns wide, with its axes and a caption.
pub fn terminal(days: &[ChartDay], width: usize, height: usize) -> String {
    let Some((peak, peak_day, peak_minute)) = peak(days) else {
        return "nobody is expected\n".to_owned();
    };
    let height = height.max(2);
    let scale = Scale::above(peak, if height >= 8 { 4 } else { 2 });
    let labels = scale.labels();
    let margin = labels.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    let columns_per_day = (width.saturating_sub(margin + 2) / days.len())
        .saturating_sub(1)
        .max(1);
    let curves: Vec<Vec<f64>> = days
        .iter()
        .map(|day| columns(&day.per_minute, columns_per_day))
        .collect();

    let mut text = String::new();
    for row in (0..height).rev() {
        let label = labels
            .iter()
            .find(|(value, _)| (value / scale.top * height as f64).round() as usize == row + 1);
        let label = label.map_or("", |(_, label)| label);
        let _ = write!(
            text,
            "{label:>margin$} {}",
            if label.is_empty() { '│' } else { '┤' }
        );
        for curve in &curves {
            text.extend(
                curve
                    .iter()
                    .map(|value| block(value / scale.top * height as f64 - row as f64)),
            );
            text.push(' ');
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    terminal_axis(&mut text, days, margin, columns_per_day);
    let _ = writeln!(
        text,
        "expected people/min; at most {} at {} on {}",
        figure(peak),
        clock(peak_minute),
        days[peak_day].date
    );
    text
}

fn terminal_axis(text: &mut String, days: &[ChartDay], margin: usize, columns: usize) {
    let mut line = format!("{:>margin$} └", "0");
    let mut hours = " ".repeat(margin + 2);
    let mut dates = hours.clone();
    for day in days {
        let mut ticks = vec!['─'; columns];
        let mut labels = " ".repeat(columns + 1);
        for (at, label) in ticks_of(day, columns / 8) {
            let column = (at * columns as f64).round() as usize;
            if column + label.len() <= columns {
                ticks[column] = '┬';
                labels.replace_range(column..column + label.len(), &label);
            }
        }
        line.extend(ticks);
        line.push(' ');
        hours.push_str(&labels);
        let _ = write!(dates, "{:<width$}", day.date.to_string(), width = columns + 1);
    }
    for line in [line, hours, dates] {
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// One character's share of a column: how much of its row is filled.
fn block(filled: f64) -> char {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    // Whatever is there is shown, be it ever so little.
    let eighths = if filled > 0.0 {
        (filled * 8.0).round().max(1.0)
    } else {
        0.0
    };
    BLOCKS[(eighths as usize).min(8)]
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
const PLOT_LEFT: f64 = 52.0;
const PLOT_RIGHT: f64 = WIDTH - 14.0;
const PLOT_TOP: f64 = 74.0;
const PLOT_BOTTOM: f64 = HEIGHT - 42.0;
const DAY_GAP: f64 = 10.0;
/// Columns of a Latin letter's width that fit the title's line.
const TITLE_COLUMNS: usize = 56;
/// A cap that is higher than so many times the plan's peak would press the plan flat and is only named.
const CAP_SHOWN_MAX: f64 = 4.0;

/// Colours go with the reader's light or dark setting. The letters are sized for a phone held upright.
const STYLE: &str = "\
.paper{fill:#fff}.ink{fill:#24292f}.faint{fill:#6e7781}.grid{stroke:#d8dee4;stroke-width:1}\
.axis{stroke:#8c959f;stroke-width:1}.plan{fill:#2f6f9f;fill-opacity:.28}\
.plan-line{fill:none;stroke:#2f6f9f;stroke-width:1.6;stroke-linejoin:round}\
.once{fill:#c4692b;fill-opacity:.2}.once-figure{fill:#a9531a}.once-line{fill:none;stroke:#c4692b;stroke-width:1.2;stroke-linejoin:round}\
.cap{fill:none;stroke:#57606a;stroke-width:1.4;stroke-dasharray:6 4}\
text{font:12px system-ui,-apple-system,'Noto Sans','Noto Sans CJK SC',sans-serif}.title{font-size:15px;font-weight:600}\
@media(prefers-color-scheme:dark){.paper{fill:#161b22}.ink{fill:#e6edf3}.faint{fill:#9aa4ae}.grid{stroke:#2b323b}\
.axis{stroke:#6e7781}.plan{fill:#6cb0e0}.plan-line{stroke:#6cb0e0}.once{fill:#e59a5f}.once-figure{fill:#e59a5f}.once-line{stroke:#e59a5f}\
.cap{stroke:#aeb7c0}}";

/// A self-contained SVG of the planned load, with the cap and what everybody at once would do behind it.
pub fn svg(data: &ChartData) -> String {
    let peak = peak(&data.days).map_or(0.0, |(peak, ..)| peak);
    let cap = data.cap.filter(|cap| *cap > 0.0 && *cap <= CAP_SHOWN_MAX * peak);
    let scale = Scale::above(peak.max(cap.unwrap_or(0.0)) * 1.05, 4);
    let title = escaped(&shortened(&data.title));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\"/>\n\
         <text class=\"ink title\" x=\"14\" y=\"25\">{title}</text>\n"
    );
    svg_legend(&mut svg, data, cap.is_some());
    svg_grid(&mut svg, &scale);
    let panel_width = (PLOT_RIGHT - PLOT_LEFT + DAY_GAP) / data.days.len().max(1) as f64 - DAY_GAP;
    for (index, day) in data.days.iter().enumerate() {
        let left = PLOT_LEFT + index as f64 * (panel_width + DAY_GAP);
        let panel = Panel {
            left,
            width: panel_width,
            top: scale.top,
        };
        if let (0, Some(at_once)) = (index, &data.at_once) {
            panel.at_once(&mut svg, day, at_once);
        }
        panel.curve(&mut svg, "plan", &day.per_minute);
        panel.axis(&mut svg, day);
    }
    if let Some(cap) = cap {
        let y = PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * cap / scale.top;
        let _ = writeln!(
            svg,
            "<path class=\"cap\" d=\"M{PLOT_LEFT} {y:.1}H{PLOT_RIGHT}\"/>"
        );
    }
    svg + "</svg>\n"
}

/// Two lines: what is planned and the cap; below them what is behind.
fn svg_legend(svg: &mut String, data: &ChartData, cap_is_drawn: bool) {
    let Legend {
        planned,
        cap,
        at_once,
        unit,
    } = &data.legend;
    let mut entry = |class: &str, x: f64, y: f64, text: &str| {
        let swatch = y - 4.0;
        let _ = match class {
            "cap" => writeln!(svg, "<path class=\"cap\" d=\"M{x} {swatch}h18\"/>"),
            _ => writeln!(
                svg,
                "<path class=\"{class}\" d=\"M{x} {0}v-6h18v6z\"/><path class=\"{class}-line\" d=\"M{x} {1}h18\"/>",
                swatch + 4.0,
                swatch - 2.0
            ),
        };
        let _ = writeln!(
            svg,
            "<text class=\"faint\" x=\"{}\" y=\"{y}\">{}</text>",
            x + 24.0,
            escaped(text)
        );
    };
    let planned = peak(&data.days).map_or(planned.clone(), |(peak, ..)| {
        format!("{planned} ≤ {} {unit}", figure(peak))
    });
    entry("plan", 14.0, 44.0, &planned);
    if let Some(limit) = data.cap {
        let above = if cap_is_drawn { "" } else { " ↑" };
        entry("cap", 300.0, 44.0, &format!("{cap} {}{above}", figure(limit)));
    }
    if let Some(curve) = &data.at_once {
        let most = curve.iter().copied().fold(0.0, f64::max);
        entry("once", 14.0, 61.0, &format!("{at_once} {} {unit}", figure(most)));
    }
}

fn svg_grid(svg: &mut String, scale: &Scale) {
    for (value, label) in scale.labels().iter().chain([&(0.0, "0".to_owned())]) {
        let y = PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * value / scale.top;
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{PLOT_LEFT} {y:.1}H{PLOT_RIGHT}\"/>\
             <text class=\"faint\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            PLOT_LEFT - 6.0,
            y + 4.0
        );
    }
}

/// One day's part of the plot.
struct Panel {
    left: f64,
    width: f64,
    top: f64,
}

impl Panel {
    /// The curve with the area below it, cut off at the top of the plot, over the minutes in which there is any.
    fn curve(&self, svg: &mut String, class: &str, per_minute: &[f64]) {
        let points = columns(per_minute, per_minute.len().min(self.width as usize).max(1));
        let Some((first, last)) = stretch(&points) else {
            return;
        };
        let step = self.width / points.len() as f64;
        let x = |point: usize| self.left + point as f64 * step;
        let mut line = format!("M{:.1} {PLOT_BOTTOM}", x(first));
        for (point, value) in points.iter().enumerate().take(last + 1).skip(first) {
            let y = PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * (value / self.top).clamp(0.0, 1.0);
            let _ = write!(line, "V{y:.1}H{:.1}", x(point + 1));
        }
        let _ = write!(line, "V{PLOT_BOTTOM}");
        let _ = writeln!(
            svg,
            "<path class=\"{class}\" d=\"{line}\"/><path class=\"{class}-line\" d=\"{line}\"/>"
        );
    }

    /// What everybody at once would do, with its figure where the curve leaves the plot.
    fn at_once(&self, svg: &mut String, day: &ChartDay, at_once: &[f64]) {
        let mut at_once = at_once.to_vec();
        at_once.resize(day.per_minute.len(), 0.0);
        let most = at_once.iter().copied().fold(0.0, f64::max);
        // The few who come whenever they like would draw a line along the axis.
        for value in &mut at_once {
            *value = if *value < most / 100.0 { 0.0 } else { *value };
        }
        self.curve(svg, "once", &at_once);
        let leaves = at_once.iter().position(|value| *value > self.top);
        if let Some(minute) = leaves {
            let at = minute as f64 / at_once.len() as f64;
            let x = self.left + at * self.width;
            let (x, anchor) = if at > 0.2 {
                (x - 5.0, "end")
            } else {
                (x + 5.0, "start")
            };
            let y = PLOT_TOP + 13.0;
            let figure = figure(most);
            let _ = writeln!(
                svg,
                "<text class=\"once-figure\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">↑ {figure}</text>"
            );
        }
    }

    fn axis(&self, svg: &mut String, day: &ChartDay) {
        let Self { left, width, .. } = self;
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{left:.1} {PLOT_BOTTOM}h{width:.1}\"/>"
        );
        for (at, label) in ticks_of(day, (width / 60.0) as usize) {
            let x = left + at * width;
            // The last label would reach beyond the panel.
            if at < 0.97 {
                let anchor = if at < 0.03 { "start" } else { "middle" };
                let _ = writeln!(
                    svg,
                    "<path class=\"axis\" d=\"M{x:.1} {PLOT_BOTTOM}v4\"/>\
                     <text class=\"faint\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{label}</text>",
                    PLOT_BOTTOM + 17.0
                );
            }
        }
        let _ = writeln!(
            svg,
            "<text class=\"ink\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            left + width / 2.0,
            PLOT_BOTTOM + 34.0,
            if *width < 80.0 {
                day.date.format("%m-%d")
            } else {
                day.date.format("%Y-%m-%d")
            }
        );
    }
}

/// From nothing to a round figure above the curve, in even steps.
struct Scale {
    top: f64,
    step: f64,
}

impl Scale {
    fn above(peak: f64, steps: u32) -> Self {
        const UNITS: [f64; 8] = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0];
        let least = (peak / f64::from(steps)).max(0.1);
        let power = 10_f64.powf(least.log10().floor());
        let step = UNITS
            .into_iter()
            .map(|unit| unit * power)
            .find(|step| *step >= least);
        let step = step.unwrap_or(10.0 * power);
        Self {
            top: step * (peak / step).ceil().max(1.0),
            step,
        }
    }

    /// The steps above 0, with their figures.
    fn labels(&self) -> Vec<(f64, String)> {
        let steps = (self.top / self.step).round() as usize;
        (1..=steps)
            .map(|step| self.step * step as f64)
            .map(|value| (value, figure(value)))
            .collect()
    }
}

/// The busiest minute: people a minute, place of the day, minute of the day. None if nobody is expected.
fn peak(days: &[ChartDay]) -> Option<(f64, usize, usize)> {
    let minutes = days.iter().enumerate().flat_map(|(place, day)| {
        let first = usize::from(day.first_minute);
        day.per_minute
            .iter()
            .enumerate()
            .map(move |(minute, &value)| (value, place, first + minute))
    });
    minutes
        .filter(|(value, ..)| *value > 0.0)
        .reduce(|most, next| if next.0 > most.0 { next } else { most })
}

/// The curve in so many columns, each as high as its highest minute.
fn columns(per_minute: &[f64], count: usize) -> Vec<f64> {
    (0..count)
        .map(|column| {
            let start = column * per_minute.len() / count;
            let end = ((column + 1) * per_minute.len() / count).max(start + 1);
            per_minute
                .get(start..end)
                .unwrap_or(&[])
                .iter()
                .copied()
                .fold(0.0, f64::max)
        })
        .collect()
}

/// The first and the last point at which there is anything.
fn stretch(points: &[f64]) -> Option<(usize, usize)> {
    let first = points.iter().position(|value| *value > 0.0)?;
    let last = points.iter().rposition(|value| *value > 0.0)?;
    Some((first, last))
}

/// Clock times along the day, at most so many (but at least its beginning): where, as a share of the width, and label.
fn ticks_of(day: &ChartDay, count_max: usize) -> Vec<(f64, String)> {
    const STEPS_MINUTES: [usize; 8] = [5, 15, 30, 60, 120, 180, 240, 360];
    let first = usize::from(day.first_minute);
    let minutes = day.per_minute.len().max(1);
    let step = STEPS_MINUTES
        .into_iter()
        .find(|step| minutes / step <= count_max)
        .unwrap_or(720);
    let mut ticks: Vec<usize> = (first.next_multiple_of(step)..=first + minutes)
        .step_by(step)
        .collect();
    if ticks.is_empty() {
        ticks.push(first);
    }
    ticks
        .into_iter()
        .map(|minute| ((minute - first) as f64 / minutes as f64, clock(minute)))
        .collect()
}

fn clock(minute: usize) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// A figure with as many digits as it deserves, thousands apart.
fn figure(value: f64) -> String {
    let text = if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    let whole = text.find('.').unwrap_or(text.len());
    let mut grouped = text.to_owned();
    for place in (1..whole).rev().filter(|place| (whole - place).is_multiple_of(3)) {
        grouped.insert(place, ',');
    }
    grouped
}

/// The text within the title's line; Chinese characters are as wide as two letters.
fn shortened(text: &str) -> String {
    let mut columns = 0;
    let fits = |letter: &char| {
        columns += if letter.is_ascii() { 1 } else { 2 };
        columns < TITLE_COLUMNS
    };
    let short: String = text.chars().take_while(fits).collect();
    if short.len() < text.len() {
        short + "…"
    } else {
        short
    }
}

/// The text as XML may hold it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML 1.0 forbids these even when escaped.
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn day(day: u32, first_minute: u16, per_minute: Vec<f64>) -> ChartDay {
        ChartDay {
            date: NaiveDate::from_ymd_opt(2026, 11, day).expect("a date"),
            first_minute,
            per_minute,
        }
    }

    /// Rises for an hour, stays, falls for an hour.
    fn hill(minutes: usize, height: f64) -> Vec<f64> {
        (0..minutes)
            .map(|minute| height * (minute.min(minutes - minute) as f64 / 60.0).min(1.0))
            .collect()
    }

    fn chart(title: &str, days: Vec<ChartDay>) -> ChartData {
        let legend = Legend {
            planned: "as planned".into(),
            cap: "cap".into(),
            at_once: "everybody told at once: up to".into(),
            unit: "people/min".into(),
        };
        ChartData {
            title: title.into(),
            days,
            cap: None,
            at_once: None,
            legend,
        }
    }

    #[test]
    fn a_day_in_the_terminal() {
        assert_snapshot!(terminal(&[day(24, 480, hill(240, 11.4))], 60, 6), @r#"
12 ┤            ▂▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▃▁
   │          ▄▇████████████████████████████████▄▁
   │       ▁▅█████████████████████████████████████▆▃
 6 ┤     ▃▆██████████████████████████████████████████▅▁
   │  ▁▄▇██████████████████████████████████████████████▆▃
   │▂▅███████████████████████████████████████████████████▇▄
 0 └┬─────────────┬─────────────┬────────────┬─────────────
    08:00         09:00         10:00        11:00
    2026-11-24
expected people/min; at most 11.4 at 09:00 on 2026-11-24
"#);
    }

    #[test]
    fn days_stand_side_by_side() {
        let days = [day(24, 480, hill(240, 1250.0)), day(25, 480, hill(240, 600.0))];
        assert_snapshot!(terminal(&days, 72, 8), @r#"
1,600 ┤
      │       ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂
1,200 ┤      ▄█████████████████▆
      │     ▆███████████████████▇▁
  800 ┤   ▁▇██████████████████████▂
      │  ▂█████████████████████████▄        ▂▅█████████████████▆▃
  400 ┤ ▄███████████████████████████▅    ▁▄▇██████████████████████▄▂
      │▅█████████████████████████████▇ ▂▆███████████████████████████▆▃
    0 └┬───────────────┬────────────── ┬───────────────┬──────────────
       08:00           10:00           08:00           10:00
       2026-11-24                      2026-11-25
expected people/min; at most 1,250 at 09:00 on 2026-11-24
"#);
    }

    #[test]
    fn nothing_and_narrow_are_drawn_too() {
        assert_snapshot!(terminal(&[], 60, 6), @"nobody is expected");
        assert_snapshot!(terminal(&[day(24, 0, vec![0.0; 60])], 60, 6), @"nobody is expected");
        assert_snapshot!(terminal(&[day(24, 599, vec![0.01])], 3, 0), @r#"
0.1 ┤
    │▂
  0 └─

     2026-11-24
expected people/min; at most 0.01 at 09:59 on 2026-11-24
"#);
    }

    #[test]
    fn a_small_svg() {
        assert_snapshot!(svg(&ChartData { cap: Some(4.0), ..chart("Round 1", vec![day(24, 540, vec![1.0, 3.0, 2.0])]) }), @r#"
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 300" role="img">
<title>Round 1</title>
<style>.paper{fill:#fff}.ink{fill:#24292f}.faint{fill:#6e7781}.grid{stroke:#d8dee4;stroke-width:1}.axis{stroke:#8c959f;stroke-width:1}.plan{fill:#2f6f9f;fill-opacity:.28}.plan-line{fill:none;stroke:#2f6f9f;stroke-width:1.6;stroke-linejoin:round}.once{fill:#c4692b;fill-opacity:.2}.once-figure{fill:#a9531a}.once-line{fill:none;stroke:#c4692b;stroke-width:1.2;stroke-linejoin:round}.cap{fill:none;stroke:#57606a;stroke-width:1.4;stroke-dasharray:6 4}text{font:12px system-ui,-apple-system,'Noto Sans','Noto Sans CJK SC',sans-serif}.title{font-size:15px;font-weight:600}@media(prefers-color-scheme:dark){.paper{fill:#161b22}.ink{fill:#e6edf3}.faint{fill:#9aa4ae}.grid{stroke:#2b323b}.axis{stroke:#6e7781}.plan{fill:#6cb0e0}.plan-line{stroke:#6cb0e0}.once{fill:#e59a5f}.once-figure{fill:#e59a5f}.once-line{stroke:#e59a5f}.cap{stroke:#aeb7c0}}</style>
<rect class="paper" width="480" height="300" rx="8"/>
<text class="ink title" x="14" y="25">Round 1</text>
<path class="plan" d="M14 44v-6h18v6z"/><path class="plan-line" d="M14 38h18"/>
<text class="faint" x="38" y="44">as planned ≤ 3 people/min</text>
<path class="cap" d="M300 40h18"/>
<text class="faint" x="324" y="44">cap 4</text>
<path class="grid" d="M52 196.7H466"/><text class="faint" x="46" y="200.7" text-anchor="end">1.5</text>
<path class="grid" d="M52 135.3H466"/><text class="faint" x="46" y="139.3" text-anchor="end">3</text>
<path class="grid" d="M52 74.0H466"/><text class="faint" x="46" y="78.0" text-anchor="end">4.5</text>
<path class="grid" d="M52 258.0H466"/><text class="faint" x="46" y="262.0" text-anchor="end">0</text>
<path class="plan" d="M52.0 258V217.1H190.0V135.3H328.0V176.2H466.0V258"/><path class="plan-line" d="M52.0 258V217.1H190.0V135.3H328.0V176.2H466.0V258"/>
<path class="axis" d="M52.0 258h414.0"/>
<path class="axis" d="M52.0 258v4"/><text class="faint" x="52.0" y="275" text-anchor="start">09:00</text>
<text class="ink" x="259.0" y="292" text-anchor="middle">2026-11-24</text>
<path class="cap" d="M52 94.4H466"/>
</svg>
"#);
    }

    #[test]
    fn hostile_titles_stay_text() {
        let svg = svg(&chart("</title><script>alert('1')</script>\u{7}&", Vec::new()));
        assert!(
            svg.contains("&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;\u{fffd}&amp;"),
            "{svg}"
        );
        assert!(!svg.contains("<script"));
    }

    #[test]
    fn long_titles_are_cut() {
        assert_eq!(shortened(&"核酸检测".repeat(20)).chars().count(), 28);
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn nights_and_empty_days_are_left_out() {
        let mut load = vec![vec![0.0; 1440]; 3];
        load[0][500] = 1.0;
        load[2][610] = 1.0;
        let days = days(&load, NaiveDate::from_ymd_opt(2026, 11, 24).expect("a date"));
        let shown: Vec<_> = days
            .iter()
            .map(|day| (day.date.to_string(), day.first_minute, day.per_minute.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("2026-11-24".to_owned(), 480, 180),
                ("2026-11-26".to_owned(), 480, 180)
            ]
        );
    }

    #[test]
    fn figures_are_short() {
        let shown = [0.0, 0.25, 1.0, 12.34, 99.96, 100.4, 1234.5, 1_234_567.0].map(figure);
        assert_eq!(
            shown,
            ["0", "0.25", "1", "12.3", "100", "100", "1,234", "1,234,567"]
        );
    }
}
