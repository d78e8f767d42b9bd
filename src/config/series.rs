//! A Prometheus series by name and labels, as settings and as a scrape write it.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de::Error};

/// `sessions_total`, or `sessions_total{outcome="done"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Labels with their values.
    pub labels: Vec<(String, String)>,
}

impl Series {
    /// Reads a series at the start of a line, and gives what follows it. None if the line does not begin with one.
    pub fn read(text: &str) -> Option<(Self, &str)> {
        let name_len = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
            .unwrap_or(text.len());
        let (name, mut rest) = text.split_at(name_len);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut labels = Vec::new();
        if let Some(inside) = rest.trim_start().strip_prefix('{') {
            rest = inside.trim_start();
            loop {
                if let Some(after) = rest.strip_prefix('}') {
                    rest = after;
                    break;
                }
                let (label, after) = rest.split_once('=')?;
                let (value, after) = quoted(after.trim_start())?;
                labels.push((label.trim().to_owned(), value));
                let after = after.trim_start();
                rest = match after.strip_prefix(',') {
                    Some(next) => next.trim_start(),
                    None if after.starts_with('}') => after,
                    None => return None,
                };
            }
        }
        let name = name.to_owned();
        Some((Self { name, labels }, rest))
    }

    /// Whether `other` has this name, and each of these labels with its value.
    pub fn covers(&self, other: &Self) -> bool {
        self.name == other.name && self.labels.iter().all(|label| other.labels.contains(label))
    }
}

/// The value at the start of the text, in double quotes with `\"`, `\\` and `\n`, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match (escaped, c) {
            (false, '"') => return Some((value, &inside[at + 1..])),
            (false, '\\') => escaped = true,
            (true, 'n') => {
                value.push('\n');
                escaped = false;
            }
            (_, other) => {
                value.push(other);
                escaped = false;
            }
        }
    }
    None
}

impl FromStr for Series {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::read(text.trim()) {
            Some((series, "")) => Ok(series),
            _ => Err("no name of a metric"),
        }
    }
}

/// Reads a setting; empty text says that there is no such metric.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Series>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_read_with_labels_that_hold_anything() {
        let (series, rest) =
            Series::read(r#"ns:a_total{path="a}b,c=\"d\"\\", code = "200" ,} 12 5"#).expect("a series");
        assert_eq!(series.name, "ns:a_total");
        assert_eq!(
            series.labels,
            [
                ("path".to_owned(), r#"a}b,c="d"\"#.to_owned()),
                ("code".to_owned(), "200".to_owned())
            ]
        );
        assert_eq!(rest, " 12 5");
        for bad in [
            "",
            "9a",
            "{a=\"b\"}",
            "a{b}",
            "a{b=c}",
            "a{b=\"c",
            "a{b=\"c\" d=\"e\"}",
            "a b",
        ] {
            assert!(bad.parse::<Series>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_setting_covers_series_with_more_labels() {
        let series = |text: &str| text.parse::<Series>().expect("a series");
        let wanted = series("sessions{outcome=\"done\"}");
        assert!(wanted.covers(&series("sessions{instance=\"a\",outcome=\"done\"}")));
        assert!(!wanted.covers(&series("sessions{instance=\"a\"}")));
        assert!(!wanted.covers(&series("sessions_total{outcome=\"done\"}")));
    }
}
