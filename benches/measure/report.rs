//! What is printed: a small table for people, one line of JSON for programs.

use serde_json::{Map, Value};

/// One case's figures.
pub struct Report {
    title: String,
    values: Map<String, Value>,
    lines: Vec<String>,
}

/// What a figure should be.
#[derive(Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    /// A report of one benchmark's case.
    pub fn new(bench: &str, case: &str) -> Self {
        let mut values = Map::new();
        values.insert("bench".into(), bench.into());
        values.insert("case".into(), case.into());
        Self {
            title: format!("{bench}: {case}"),
            values,
            lines: Vec::new(),
        }
    }

    /// A figure; its name holds the unit.
    pub fn figure(mut self, name: &str, value: f64, goal: Option<Goal>) -> Self {
        let verdict = match goal {
            None => String::new(),
            Some(Goal::AtLeast(least)) => format!("goal ≥ {least}: {}", met(value >= least)),
            Some(Goal::AtMost(most)) => format!("goal ≤ {most}: {}", met(value <= most)),
        };
        let rounded = if value.abs() < 1000.0 {
            (value * 10.0).round() / 10.0
        } else {
            value.round()
        };
        self.lines.push(format!(
            "  {:<32}{rounded:>12}  {verdict}",
            name.replace('_', " ")
        ));
        self.values.insert(name.into(), rounded.into());
        self
    }

    /// Prints it.
    #[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
    pub fn print(self) {
        println!(
            "{}\n{}\n{}\n",
            self.title,
            self.lines.join("\n"),
            Value::Object(self.values)
        );
    }
}

fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}
