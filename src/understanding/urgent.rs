//! Danger, distress and violence: rules in front of the classifier, so that such a message is never taken for an
//! ordinary question.

use super::{
    features,
    normal::{self, folded, plain},
    sounds,
    words::stem,
};

const CHINESE: &str = include_str!("../../locales/zh-Hans/urgent.txt");
const ENGLISH: &str = include_str!("../../locales/en/urgent.txt");

/// The rules of both languages.
#[derive(Debug)]
pub(super) struct Rules {
    chinese: Vec<Rule<String>>,
    spelt: Vec<Rule<Vec<u32>>>,
    english: Vec<Rule<Vec<String>>>,
}

/// All parts must be there, each in one of its ways; none of the exceptions.
#[derive(Debug)]
struct Rule<T> {
    parts: Vec<Vec<T>>,
    unless: Vec<T>,
}

impl<T> Rule<T> {
    fn read(line: &str, way: impl Fn(&str) -> Option<T>) -> Self {
        let ways = |text: &str| {
            text.split('|')
                .map(str::trim)
                .filter(|way| !way.is_empty())
                .filter_map(&way)
                .collect()
        };
        let (rule, unless) = line.split_once('!').unwrap_or((line, ""));
        Self {
            parts: rule.split('&').map(ways).collect(),
            unless: ways(unless),
        }
    }

    fn holds(&self, says: impl Fn(&T) -> bool) -> bool {
        self.parts.iter().all(|part| part.iter().any(&says)) && !self.unless.iter().any(says)
    }
}

impl Rules {
    pub(super) fn load() -> Self {
        let chinese = |way: &str| Some(compact(&folded(&plain(way))));
        // One syllable alone is too many words.
        let spelt = |way: &str| {
            let sounds: Vec<u32> = chinese(way)?.chars().map(features::heard).collect();
            (sounds.len() > 1).then_some(sounds)
        };
        let english = |way: &str| Some(stems(way));
        Self {
            chinese: normal::lines(CHINESE)
                .map(|line| Rule::read(line, chinese))
                .collect(),
            spelt: normal::lines(CHINESE)
                .map(|line| Rule::read(line, spelt))
                .collect(),
            english: normal::lines(ENGLISH)
                .map(|line| Rule::read(line, english))
                .collect(),
        }
    }

    /// The text speaks of danger.
    pub(super) fn hold(&self, text: &str) -> bool {
        let plain = plain(text);
        let standard = compact(&folded(&plain));
        if self
            .chinese
            .iter()
            .any(|rule| rule.holds(|way| standard.contains(way.as_str())))
        {
            return true;
        }
        let stems = stems(&plain);
        if self
            .english
            .iter()
            .any(|rule| rule.holds(|way| contains(&stems, way)))
        {
            return true;
        }
        let spelt: Option<Vec<Vec<String>>> = plain
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(sounds::syllables)
            .collect();
        spelt.is_some_and(|words| {
            let heard: Vec<u32> = words
                .iter()
                .flatten()
                .map(|syllable| features::hash(&[syllable.as_bytes()]))
                .collect();
            self.spelt
                .iter()
                .any(|rule| rule.holds(|way| contains(&heard, way)))
        })
    }
}

/// Letters and digits alone: signs and spaces do not part what belongs together in Chinese.
fn compact(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn stems(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '\'' || c == '’' || c == '-'))
        .filter(|word| !word.is_empty())
        .map(|word| stem(&word.replace('’', "'")))
        .collect()
}

fn contains<T: PartialEq>(text: &[T], part: &[T]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
