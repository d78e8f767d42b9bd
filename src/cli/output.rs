//! Answers on standard output: lines for people, or one JSON object.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

/// Where a command's answer goes.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// One JSON object, and nothing else, on standard output.
    pub json: bool,
}

impl Output {
    /// Lines, or JSON.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// A line for people; nothing where JSON was asked for.
    pub fn line(self, text: impl AsRef<str>) {
        if !self.json {
            // A reader that has gone away (`| head`) is no fault of the command.
            let _ = writeln!(std::io::stdout(), "{}", text.as_ref());
        }
    }

    /// The answer, as JSON if asked for, else in words.
    pub fn answer(self, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<()> {
        let text = if self.json {
            serde_json::to_string(value)?
        } else {
            words()
        };
        let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
        Ok(())
    }

    /// A remark beside the answer, on standard error.
    pub fn note(self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
    }

    /// Asks a question that needs a yes; without a terminal the answer is no.
    pub fn confirm(self, question: &str) -> bool {
        use std::io::{BufRead, IsTerminal};
        if !std::io::stdin().is_terminal() {
            return false;
        }
        let _ = write!(std::io::stderr(), "{question} [y/N] ");
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).is_ok()
            && matches!(line.trim(), "y" | "Y" | "yes" | "是")
    }
}

/// Rows as columns that line up; Chinese characters take two places.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| width(cell)).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if let Some(known) = widths.get_mut(column) {
                *known = (*known).max(width(cell));
            }
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, wide)| format!("{cell}{}", " ".repeat(wide.saturating_sub(width(cell)))))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// Places on a terminal: two for CJK and full-width characters.
pub fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0x1100..=0x115F
            | 0x2E80..=0xA4CF
            | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F
            | 0xFF00..=0xFF60
            | 0xFFE0..=0xFFE6
            | 0x20000..=0x3FFFD => 2,
            _ => 1,
        })
        .sum()
}
