//! A message as the classifier sees it: hashed pieces of its characters, of how it sounds, of its words, and the
//! concepts that those name.

use pinyin::ToPinyin;

use super::{
    normal::{folded, plain},
    sounds,
    words::{Lexicon, stem},
};

/// The kinds of pieces. Each kind weighs the same however many pieces there are.
pub(super) const KINDS: usize = 4;
const CHARACTERS: u8 = 0;
const SOUNDS: u8 = 1;
const WORDS: u8 = 2;
const CONCEPTS: u8 = 3;
/// How much each kind counts.
pub(super) const KIND_WEIGHTS: [f32; KINDS] = [1.0, 0.7, 1.0, 1.2];
/// At most so many concepts are paired, so that a long text costs no more than a page.
const CONCEPTS_PAIRED_MAX: usize = 10;
/// Pieces beyond these are not read.
const PIECES_MAX: usize = 4000;

/// One piece: its kind and a hash of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub kind: u8,
    pub hash: u32,
}

/// The distinct pieces of a text. `lexicon` names the concepts.
pub(super) fn pieces(text: &str, lexicon: &Lexicon) -> Vec<Piece> {
    let text = masked(&folded(&plain(text)));
    let mut found = Vec::new();
    let runs = runs(&text);
    characters(&runs, &mut found);
    let mut concepts = Vec::new();
    sounds_of(&runs, lexicon, &mut found, &mut concepts);
    words_of(&runs, lexicon, &mut found, &mut concepts);
    concepts.sort_unstable();
    concepts.dedup();
    concepts.truncate(CONCEPTS_PAIRED_MAX);
    for (at, one) in concepts.iter().enumerate() {
        push(&mut found, CONCEPTS, &[&[*one]]);
        for other in &concepts[at + 1..] {
            push(&mut found, CONCEPTS, &[&[*one], &[*other]]);
        }
    }
    found.truncate(PIECES_MAX);
    found.sort_unstable();
    found.dedup();
    found
}

/// A run of one script.
enum Run {
    /// Chinese characters and the `#` that stands for a number.
    Han(Vec<char>),
    /// A Latin word.
    Word(String),
    /// Something else: another script, a picture.
    Other,
}

/// Numbers that say what a question is about; all others only say that there is a number.
const TELLING: [&str; 8] = ["48", "24", "72", "120", "110", "119", "12315", "12345"];

/// The text with `#` for its numbers, also for Chinese ones before 栋, 单元, 点 and the like.
fn masked(text: &str) -> String {
    let text: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len() * 3);
    let mut at = 0;
    while at < text.len() {
        let digits = text[at..].iter().take_while(|c| c.is_ascii_digit()).count();
        if digits > 0 {
            let number: String = text[at..at + digits].iter().collect();
            if TELLING.contains(&number.as_str()) {
                masked.push_str(&number);
            } else {
                masked.push('#');
            }
            at += digits;
            continue;
        }
        let numerals = text[at..]
            .iter()
            .take_while(|c| "零一二两三四五六七八九十百".contains(**c))
            .count();
        let measured = text
            .get(at + numerals)
            .is_some_and(|c| "栋幢座单号楼室点月日岁块元".contains(*c));
        if numerals > 0 && measured {
            masked.push('#');
            at += numerals;
            continue;
        }
        masked.push(text[at]);
        at += 1;
    }
    masked
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut joined = false; // nothing stands between this character and the last one
    for c in text.chars() {
        let is_latin = c.is_ascii_alphanumeric() || c == '\'' || ('\u{c0}'..='\u{24f}').contains(&c);
        let is_han =
            ('\u{4e00}'..='\u{9fff}').contains(&c) || c == '#' || ('\u{3400}'..='\u{4dbf}').contains(&c);
        match runs.last_mut() {
            // Spaces and signs between Chinese characters say little: voice input and old people leave them out.
            Some(Run::Han(run)) if is_han => run.push(c),
            Some(Run::Word(word)) if is_latin && joined => word.push(c),
            _ if is_han => runs.push(Run::Han(vec![c])),
            _ if is_latin => runs.push(Run::Word(c.to_string())),
            _ if c.is_alphabetic() || (!c.is_ascii() && !is_punctuation(c)) => runs.push(Run::Other),
            _ => {}
        }
        joined = is_latin;
    }
    runs
}

fn is_punctuation(c: char) -> bool {
    c.is_whitespace() || "，。？！、；：“”‘’（）《》【】…—～·".contains(c)
}

/// Character 1–4-grams of Chinese runs, 3–5-grams of Latin words with their ends.
fn characters(runs: &[Run], found: &mut Vec<Piece>) {
    for run in runs {
        match run {
            Run::Han(run) => {
                let mut ended = Vec::with_capacity(run.len() + 2);
                ended.push('^');
                ended.extend_from_slice(run);
                ended.push('$');
                for length in 1..=4 {
                    for gram in ended.windows(length) {
                        if length > 1 || gram[0] as u32 > 0x7f {
                            push_characters(found, gram);
                        }
                    }
                }
            }
            Run::Word(word) => {
                let ended: Vec<char> = format!("<{word}>").chars().collect();
                for length in 3..=5 {
                    for gram in ended.windows(length) {
                        push_characters(found, gram);
                    }
                }
            }
            Run::Other => push(found, CHARACTERS, &[b"?other"]),
        }
    }
}

fn push_characters(found: &mut Vec<Piece>, gram: &[char]) {
    let text: String = gram.iter().collect();
    push(found, CHARACTERS, &[text.as_bytes()]);
}

/// Syllable 1–3-grams, as the text sounds where z and zh, l and n are one; and the concepts that can be heard.
fn sounds_of(runs: &[Run], lexicon: &Lexicon, found: &mut Vec<Piece>, concepts: &mut Vec<u8>) {
    let mut spoken: Vec<u32> = Vec::new();
    for run in runs {
        match run {
            Run::Han(run) => {
                for c in run {
                    concepts.extend(lexicon.of_character(*c));
                    spoken.push(heard(*c));
                }
            }
            Run::Word(word) => match sounds::syllables(word) {
                Some(syllables) => {
                    spoken.extend(syllables.iter().map(|syllable| hash(&[syllable.as_bytes()])));
                }
                None => spoken.push(hash(&[b"-"])),
            },
            Run::Other => {}
        }
    }
    let heard_at_all = runs.iter().any(|run| match run {
        Run::Han(_) => true,
        Run::Word(word) => word.len() > 1 && sounds::syllables(word).is_some(),
        Run::Other => false,
    });
    if !heard_at_all {
        return;
    }
    for length in 1..=3 {
        for gram in spoken.windows(length) {
            let bytes: Vec<[u8; 4]> = gram.iter().map(|syllable| syllable.to_le_bytes()).collect();
            let bytes: Vec<&[u8]> = bytes.iter().map(<[u8; 4]>::as_slice).collect();
            push(found, SOUNDS, &bytes);
        }
    }
    lexicon.heard(&spoken, concepts);
}

/// What stands for a character's sound.
pub(super) fn heard(c: char) -> u32 {
    let syllable = match sounds::of(c) {
        Some(known) => Some(known),
        None => c.to_pinyin().map(pinyin::Pinyin::plain),
    };
    match syllable {
        Some(syllable) => hash(&[sounds::blurred(syllable).as_bytes()]),
        None => hash(&[c.to_string().as_bytes()]),
    }
}

/// Stems of Latin words, one by one and in pairs; and the concepts they name.
fn words_of(runs: &[Run], lexicon: &Lexicon, found: &mut Vec<Piece>, concepts: &mut Vec<u8>) {
    let stems: Vec<String> = runs
        .iter()
        .filter_map(|run| match run {
            Run::Word(word) => Some(stem(word)),
            Run::Han(run) if run == &['#'] => Some("#".to_owned()),
            Run::Han(_) | Run::Other => None,
        })
        .collect();
    if stems.is_empty() {
        return;
    }
    let mut ended: Vec<&str> = vec!["^"];
    ended.extend(stems.iter().map(String::as_str));
    ended.push("$");
    for pair in ended.windows(2) {
        push(found, WORDS, &[pair[0].as_bytes(), pair[1].as_bytes()]);
    }
    for word in &stems {
        push(found, WORDS, &[word.as_bytes()]);
    }
    lexicon.read(&stems, concepts);
}

fn push(found: &mut Vec<Piece>, kind: u8, parts: &[&[u8]]) {
    if found.len() < 4 * PIECES_MAX {
        found.push(Piece {
            kind,
            hash: hash(parts) ^ u32::from(kind).wrapping_mul(0x9e37_79b9),
        });
    }
}

/// FNV-1a, folded to 32 bits; the same everywhere and for ever, as the weights are stored by it.
pub(super) fn hash(parts: &[&[u8]]) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in *part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 32)) as u32
}
