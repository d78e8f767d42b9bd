//! A typed text as it is compared: one script, one case, one dialect.

use std::{collections::HashMap, sync::OnceLock};

use ferrous_opencc::{OpenCC, config::BuiltinConfig};
use unicode_normalization::UnicodeNormalization;

/// Longer texts are read up to here: what a resident wants stands at the beginning, and time stays bounded.
pub(super) const CHARACTERS_MAX: usize = 600;

/// How dialects and net slang are said in standard words; see the file's head.
const DIALECT: &str = include_str!("../../locales/zh-Hans/dialect.txt");

/// Compatibility forms folded, lower case, simplified characters, without invisible characters, one space for any.
pub(super) fn plain(text: &str) -> String {
    let visible = text
        .chars()
        .take(CHARACTERS_MAX)
        .nfkc()
        .filter(|c| c.is_whitespace() || !(c.is_control() || is_invisible(*c)))
        .take(2 * CHARACTERS_MAX);
    let lower: String = visible.flat_map(char::to_lowercase).collect();
    let spaced = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    simplified(spaced)
}

/// The plain text in standard words.
pub(super) fn folded(plain: &str) -> String {
    static WORDS: OnceLock<Dialect> = OnceLock::new();
    WORDS.get_or_init(Dialect::load).fold(plain)
}

fn simplified(text: String) -> String {
    static TO_SIMPLIFIED: OnceLock<Option<OpenCC>> = OnceLock::new();
    if text.is_ascii() {
        return text;
    }
    // The tables are part of the program; without them traditional texts are merely read less well.
    let converter = TO_SIMPLIFIED.get_or_init(|| OpenCC::from_config(BuiltinConfig::T2s).ok());
    match converter {
        Some(converter) => converter.convert(&text),
        None => text,
    }
}

/// Marks of direction and joining, which change how a text looks and never what it says.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// Words by their first character, the longest first.
struct Dialect(HashMap<char, Vec<(Vec<char>, &'static str)>>);

impl Dialect {
    fn load() -> Self {
        let mut words: HashMap<char, Vec<(Vec<char>, &'static str)>> = HashMap::new();
        for (said, meant) in lines(DIALECT).filter_map(|line| line.split_once('=')) {
            for word in said.split_whitespace() {
                let word: Vec<char> = word.chars().collect();
                if let Some(first) = word.first() {
                    words.entry(*first).or_default().push((word, meant.trim()));
                }
            }
        }
        for same in words.values_mut() {
            same.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        }
        Self(words)
    }

    fn fold(&self, text: &str) -> String {
        let text: Vec<char> = text.chars().collect();
        let mut folded = String::with_capacity(text.len() * 3);
        let mut at = 0;
        while at < text.len() {
            let found = self.0.get(&text[at]).and_then(|words| {
                words.iter().find(|(word, _)| {
                    let fits = text[at..].starts_with(word);
                    // A Latin word counts only as a whole.
                    let whole = !word[0].is_ascii_alphanumeric()
                        || !(at > 0 && text[at - 1].is_ascii_alphanumeric()
                            || text.get(at + word.len()).is_some_and(char::is_ascii_alphanumeric));
                    fits && whole
                })
            });
            match found {
                Some((word, meant)) => {
                    folded.push_str(meant);
                    at += word.len();
                }
                None => {
                    folded.push(text[at]);
                    at += 1;
                }
            }
        }
        folded
    }
}

/// The lines of a data file that say something.
pub(super) fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
}
