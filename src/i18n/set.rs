//! Approved texts that a coordinator has set in other words at run time.
//!
//! They are plain words with `{placeholders}`; no markup of any kind has a meaning in them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use super::{Texts, format, has_short_form};
use crate::domain::Language;

/// A text in other words, as it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWords<'a> {
    /// Which text.
    pub key: &'a str,
    /// In which language.
    pub language: Language,
    /// The short form, for text messages.
    pub short: bool,
    /// What it is to say.
    pub words: &'a str,
}

/// Why words cannot stand for a text; a sentence for whoever set them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetText {
    /// There is no such text.
    #[error("there is no text {0:?}: `weir text list` names them all")]
    UnknownKey(String),
    /// The text has no form of its own for text messages.
    #[error("{0} has no short form: set it without --sms, and it holds for text messages too")]
    NoShortForm(String),
    /// There is nothing to say.
    #[error("the words are empty")]
    Empty,
    /// Longer than anybody reads.
    #[error("the words are longer than {WORDS_CHARACTERS_MAX} characters")]
    TooLong,
    /// A brace stands alone.
    #[error("a brace stands alone: write placeholders as {{name}}")]
    Braces,
    /// What the text is filled with is not what the words ask for.
    #[error("placeholders do not fit: {0}")]
    Placeholders(String),
}

const WORDS_CHARACTERS_MAX: usize = 1_000;

type Key = (Language, String, bool);

/// What holds at present. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct SetWords(Arc<RwLock<Arc<HashMap<Key, String>>>>);

impl SetWords {
    /// The words set for a text, filled; none where the built-in ones hold.
    pub(super) fn say(
        &self,
        language: Language,
        key: &str,
        short: bool,
        arguments: &[(&'static str, &str)],
    ) -> Option<String> {
        let set = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if set.is_empty() {
            return None;
        }
        let words = set.get(&(language, key.to_owned(), short))?;
        Some(filled(words, arguments))
    }
}

/// Fills placeholders in one pass, so that what fills one is never read as another.
fn filled(words: &str, arguments: &[(&'static str, &str)]) -> String {
    let mut text = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        let Some(end) = after.find('}') else {
            text.push_str(after);
            return text;
        };
        let name = after[1..end].trim();
        let value = arguments.iter().find(|(known, _)| *known == name);
        text.push_str(value.map_or(&after[..=end], |(_, value)| value));
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    text
}

/// The names in braces; none where a brace stands alone.
fn placeholders(words: &str) -> Option<BTreeSet<&str>> {
    let mut names = BTreeSet::new();
    let mut rest = words;
    while let Some(at) = rest.find(['{', '}']) {
        let name = rest[at..].strip_prefix('{')?;
        let end = name.find(['{', '}'])?;
        let inner = name[..end].trim();
        let is_name = !inner.is_empty()
            && inner
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !is_name || !name[end..].starts_with('}') {
            return None;
        }
        names.insert(inner);
        rest = &name[end + 1..];
    }
    Some(names)
}

impl Texts {
    /// Whether these words can stand for the text: they fill exactly what the built-in ones fill.
    pub fn check_words(&self, new: &NewWords<'_>) -> Result<(), BadSetText> {
        let unknown = || BadSetText::UnknownKey(new.key.to_owned());
        let (key, _) = super::KEYS
            .iter()
            .find(|(key, _)| *key == new.key)
            .ok_or_else(unknown)?;
        if new.short && !has_short_form(self.bundle(new.language), key) {
            return Err(BadSetText::NoShortForm(new.key.to_owned()));
        }
        if new.words.trim().is_empty() {
            return Err(BadSetText::Empty);
        }
        if new.words.chars().count() > WORDS_CHARACTERS_MAX {
            return Err(BadSetText::TooLong);
        }
        let has = placeholders(new.words).ok_or(BadSetText::Braces)?;
        let built_in = self
            .built_in(new.key, new.language, new.short)
            .unwrap_or_default();
        let needs = placeholders(&built_in).ok_or(BadSetText::Braces)?;
        if has == needs {
            return Ok(());
        }
        let list = |names: Vec<&&str>| {
            names
                .iter()
                .map(|name| format!("{{{name}}}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let missing = list(needs.difference(&has).collect());
        let strange = list(has.difference(&needs).collect());
        let mut faults = Vec::new();
        if !missing.is_empty() {
            faults.push(format!("{missing} is missing"));
        }
        if !strange.is_empty() {
            faults.push(format!("{strange} has no meaning in this text"));
        }
        Err(BadSetText::Placeholders(faults.join("; ")))
    }

    /// The built-in words of a text with its `{placeholders}`; none where there is no such text or form.
    pub fn built_in(&self, key: &str, language: Language, short: bool) -> Option<String> {
        let (key, names) = super::KEYS.iter().find(|(known, _)| *known == key)?;
        let bundle = self.bundle(language);
        if short && !has_short_form(bundle, key) {
            return None;
        }
        let shown: Vec<_> = names.iter().map(|name| (*name, format!("{{{name}}}"))).collect();
        let arguments: Vec<_> = shown
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        format(bundle, key, short, &arguments).ok()
    }

    /// The keys of all texts.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        super::KEYS.iter().map(|(key, _)| *key)
    }

    /// From now on these words hold, in every clone, and no others. Those that do not fit are left out and named.
    pub fn hold<'a>(&self, words: impl IntoIterator<Item = NewWords<'a>>) -> Vec<(String, BadSetText)> {
        let mut set = HashMap::new();
        let mut faults = Vec::new();
        for new in words {
            match self.check_words(&new) {
                Ok(()) => {
                    set.insert(
                        (new.language, new.key.to_owned(), new.short),
                        new.words.to_owned(),
                    );
                }
                Err(fault) => faults.push((new.key.to_owned(), fault)),
            }
        }
        *self.1.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::ChannelKind, i18n::Text};

    fn new<'a>(key: &'a str, words: &'a str) -> NewWords<'a> {
        NewWords {
            key,
            language: Language::ZhHans,
            short: false,
            words,
        }
    }

    #[test]
    fn other_words_hold_in_every_clone_until_they_are_taken_back() {
        let texts = Texts::load().expect("whole");
        let clone = texts.clone();
        let say = |text: &Text<'_>| clone.say(Language::ZhHans, ChannelKind::Telegram, text);
        let built_in = say(&Text::HomeSet { place: "3栋" });
        assert!(
            texts
                .hold([new("home-set", "记下了: {place}{ place }。")])
                .is_empty()
        );
        // What fills a placeholder is not read as one.
        assert_eq!(
            say(&Text::HomeSet { place: "{place}" }),
            "记下了: {place}{place}。"
        );
        assert_ne!(
            clone.say(
                Language::En,
                ChannelKind::Telegram,
                &Text::HomeSet { place: "3栋" }
            ),
            "记下了: 3栋3栋。"
        );
        assert!(texts.hold([]).is_empty());
        assert_eq!(say(&Text::HomeSet { place: "3栋" }), built_in);
    }

    #[test]
    fn words_that_do_not_fit_are_refused_with_the_reason() {
        let texts = Texts::load().expect("whole");
        for (key, words, fault) in [
            (
                "home-set",
                "记住了。",
                "placeholders do not fit: {place} is missing",
            ),
            (
                "home-set",
                "{place}{phone}",
                "placeholders do not fit: {phone} has no meaning in this text",
            ),
            (
                "home-set",
                "{place",
                "a brace stands alone: write placeholders as {name}",
            ),
            (
                "home-set",
                "{place}}",
                "a brace stands alone: write placeholders as {name}",
            ),
            (
                "no-such",
                "x",
                "there is no text \"no-such\": `weir text list` names them all",
            ),
            ("not-found", "  ", "the words are empty"),
        ] {
            let said = texts.check_words(&new(key, words)).expect_err(words);
            assert_eq!(said.to_string(), fault);
        }
        let short = NewWords {
            short: true,
            ..new("not-found", "没有")
        };
        assert!(matches!(
            texts.check_words(&short),
            Err(BadSetText::NoShortForm(_))
        ));
        assert_eq!(
            texts
                .hold([new("home-set", "x"), new("not-found", "没有。")])
                .len(),
            1
        );
    }

    #[test]
    fn every_built_in_text_could_be_set_as_it_is() {
        let texts = Texts::load().expect("whole");
        for key in Texts::keys() {
            for language in Language::ALL {
                for short in [false, true] {
                    let Some(words) = texts.built_in(key, language, short) else {
                        continue;
                    };
                    let words = NewWords {
                        key,
                        language,
                        short,
                        words: &words,
                    };
                    assert_eq!(texts.check_words(&words), Ok(()), "{key}");
                }
            }
        }
    }
}
