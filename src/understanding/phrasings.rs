//! What people write for each intent: the data that the classifier is made from.
//!
//! A file has a section `## intent` and a phrasing on each line. `[a|b]` stands for one of its parts, which may be
//! empty; `{name}` for a part that is defined at the head as `name = a|b`.

use super::{features, normal};
use crate::domain::Intent;

const CHINESE: &str = include_str!("../../locales/zh-Hans/phrasings.txt");
const ENGLISH: &str = include_str!("../../locales/en/phrasings.txt");
/// A line gives at most so many texts; beyond, a spread of them.
const VARIANTS_MAX: usize = 16;

/// One line: its intent and the texts it stands for.
#[derive(Debug)]
pub(super) struct Phrasing {
    pub intent: Intent,
    pub texts: Vec<String>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("phrasings: {0}")]
pub struct PhrasingFault(String);

/// Every line of both files.
pub(super) fn all() -> Result<Vec<Phrasing>, PhrasingFault> {
    let mut found = read(CHINESE)?;
    found.extend(read(ENGLISH)?);
    Ok(found)
}

/// A number for what the weights depend on: other data, another number.
pub(super) fn fingerprint() -> u64 {
    let files = [
        CHINESE,
        ENGLISH,
        include_str!("../../locales/zh-Hans/concepts.txt"),
        include_str!("../../locales/en/concepts.txt"),
        include_str!("../../locales/zh-Hans/dialect.txt"),
    ];
    let halves = |salt: &[u8]| {
        let mut parts: Vec<&[u8]> = vec![salt];
        parts.extend(files.iter().map(|file| file.as_bytes()));
        u64::from(features::hash(&parts))
    };
    halves(b"1") << 32 | halves(b"2")
}

fn read(file: &'static str) -> Result<Vec<Phrasing>, PhrasingFault> {
    let mut parts: Vec<(&str, &str)> = Vec::new();
    let mut intent: Option<Intent> = None;
    let mut found = Vec::new();
    for line in normal::lines(file) {
        let fault = || PhrasingFault(line.to_owned());
        if let Some(id) = line.strip_prefix("## ") {
            intent = Some(id.trim().parse().map_err(|_| fault())?);
            continue;
        }
        match (intent, line.split_once(" = ")) {
            (None, Some((name, choices))) => parts.push((name, choices)),
            (None, None) => return Err(fault()),
            (Some(intent), _) => {
                let pattern = filled(line, &parts).ok_or_else(fault)?;
                found.push(Phrasing {
                    intent,
                    texts: variants(&pattern).ok_or_else(fault)?,
                });
            }
        }
    }
    Ok(found)
}

/// The line with the parts that it names, which within brackets are more choices among the others.
fn filled(line: &str, parts: &[(&str, &str)]) -> Option<String> {
    let mut pattern = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        pattern.push_str(before);
        let (name, after) = after.split_once('}')?;
        let (_, choices) = parts.iter().find(|(part, _)| *part == name)?;
        let within = pattern.rfind('[') > pattern.rfind(']');
        pattern.push_str(&if within {
            (*choices).to_owned()
        } else {
            format!("[{choices}]")
        });
        rest = after;
    }
    pattern.push_str(rest);
    Some(pattern)
}

/// The texts of a pattern: all of them, or a spread.
fn variants(pattern: &str) -> Option<Vec<String>> {
    let mut pieces: Vec<Vec<&str>> = Vec::new();
    let mut rest = pattern;
    while let Some(open) = rest.find('[') {
        let close = open + rest[open..].find(']')?;
        pieces.push(vec![&rest[..open]]);
        pieces.push(rest[open + 1..close].split('|').collect());
        rest = &rest[close + 1..];
    }
    pieces.push(vec![rest]);
    let total = pieces
        .iter()
        .fold(1_usize, |total, choices| total.saturating_mul(choices.len()));
    let count = total.min(VARIANTS_MAX);
    // Where there are too many, each text takes its parts by a fixed shuffle, so that every part is seen.
    let chance = |variant: usize, at: usize| {
        features::hash(&[
            pattern.as_bytes(),
            &(variant as u64).to_le_bytes(),
            &(at as u64).to_le_bytes(),
        ]) as usize
    };
    let mut texts: Vec<String> = (0..count)
        .map(|variant| {
            let mut left = variant;
            let mut text = String::new();
            for (at, choices) in pieces.iter().enumerate() {
                let chosen = if total > VARIANTS_MAX {
                    (variant + chance(variant / choices.len(), at)) % choices.len()
                } else {
                    let chosen = left % choices.len();
                    left /= choices.len();
                    chosen
                };
                text.push_str(choices[chosen]);
            }
            text
        })
        .collect();
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}
