//! Words that mean the same: light stems of English, and concepts in both languages.

use std::collections::HashMap;

use super::{features, normal};

const CHINESE: &str = include_str!("../../locales/zh-Hans/concepts.txt");
const ENGLISH: &str = include_str!("../../locales/en/concepts.txt");
/// No word of the lexicon has more syllables, no phrase more words.
const LENGTH_MAX: usize = 5;

/// Concepts by how they are said.
#[derive(Debug)]
pub(super) struct Lexicon {
    characters: HashMap<char, Vec<u8>>,
    /// By the hash of the syllables.
    spoken: HashMap<u32, Vec<u8>>,
    /// By the hash of the stems.
    written: HashMap<u32, Vec<u8>>,
}

impl Lexicon {
    pub(super) fn load() -> Self {
        let mut names: HashMap<&str, u8> = HashMap::new();
        let mut lexicon = Self {
            characters: HashMap::new(),
            spoken: HashMap::new(),
            written: HashMap::new(),
        };
        for (file, chinese) in [(CHINESE, true), (ENGLISH, false)] {
            for (name, said) in normal::lines(file).filter_map(|line| line.split_once(':')) {
                let count = names.len() as u8;
                let concept = *names.entry(name.trim()).or_insert(count);
                let phrases = if chinese { ' ' } else { ',' };
                for phrase in said
                    .split(phrases)
                    .map(str::trim)
                    .filter(|phrase| !phrase.is_empty())
                {
                    lexicon.add(concept, phrase, chinese);
                }
            }
        }
        lexicon
    }

    fn add(&mut self, concept: u8, phrase: &str, chinese: bool) {
        if !chinese {
            let stems: Vec<String> = phrase.split(' ').map(stem).collect();
            self.written.entry(hash_words(&stems)).or_default().push(concept);
            return;
        }
        let mut characters = phrase.chars();
        match (characters.next(), characters.next()) {
            (Some(only), None) => self.characters.entry(only).or_default().push(concept),
            _ => {
                let spoken: Vec<u32> = phrase.chars().map(features::heard).collect();
                self.spoken.entry(hash_sounds(&spoken)).or_default().push(concept);
            }
        }
    }

    pub(super) fn of_character(&self, c: char) -> impl Iterator<Item = u8> + '_ {
        self.characters.get(&c).into_iter().flatten().copied()
    }

    /// The concepts in a text as it sounds.
    pub(super) fn heard(&self, spoken: &[u32], concepts: &mut Vec<u8>) {
        for length in 2..=LENGTH_MAX {
            for gram in spoken.windows(length) {
                concepts.extend(self.spoken.get(&hash_sounds(gram)).into_iter().flatten());
            }
        }
    }

    /// The concepts in a text of stems.
    pub(super) fn read(&self, stems: &[String], concepts: &mut Vec<u8>) {
        for length in 1..=LENGTH_MAX {
            for gram in stems.windows(length) {
                concepts.extend(self.written.get(&hash_words(gram)).into_iter().flatten());
            }
        }
    }
}

fn hash_sounds(spoken: &[u32]) -> u32 {
    let bytes: Vec<[u8; 4]> = spoken.iter().map(|syllable| syllable.to_le_bytes()).collect();
    let bytes: Vec<&[u8]> = bytes.iter().map(<[u8; 4]>::as_slice).collect();
    features::hash(&bytes)
}

fn hash_words(stems: &[String]) -> u32 {
    let bytes: Vec<&[u8]> = stems.iter().map(String::as_bytes).collect();
    features::hash(&bytes)
}

/// Spellings of text messages and common slips, each with the word that is meant.
#[rustfmt::skip]
const SPELLINGS: &[(&str, &str)] = &[
    ("u", "you"), ("ur", "your"), ("r", "are"), ("pls", "please"), ("plz", "please"), ("thx", "thank"), ("thanks", "thank"),
    ("tmr", "tomorrow"), ("tmrw", "tomorrow"), ("2moro", "tomorrow"), ("tomorow", "tomorrow"), ("2day", "today"), ("wat", "what"), ("wht", "what"), ("wen", "when"),
    ("whr", "where"), ("whre", "where"), ("hv", "have"), ("hav", "have"), ("dont", "don't"), ("doesnt", "don't"), ("didnt", "don't"),
    ("doesn't", "don't"), ("didn't", "don't"), ("cant", "can't"), ("cannot", "can't"), ("couldnt", "can't"), ("couldn't", "can't"),
    ("wont", "won't"), ("isnt", "isn't"), ("im", "i'm"), ("ive", "i've"), ("abt", "about"), ("bc", "because"), ("coz", "because"),
    ("cuz", "because"), ("msg", "message"), ("msgs", "message"), ("txt", "text"), ("ppl", "people"), ("hosp", "hospital"), ("hopsital", "hospital"), ("hospitel", "hospital"),
    ("appt", "appointment"), ("bldg", "building"), ("bld", "building"), ("apt", "apartment"), ("flat", "apartment"), ("n", "and"), ("w", "with"), ("wo", "without"), ("shd", "should"),
    ("mom", "mother"), ("mum", "mother"), ("mama", "mother"), ("dad", "father"), ("granny", "grandmother"), ("grandma", "grandmother"),
    ("grandpa", "grandfather"), ("hubby", "husband"), ("kid", "child"), ("kids", "child"), ("children", "child"), ("daugther", "daughter"), ("gonna", "going"), ("wanna", "want"), ("gotta", "must"),
    ("subway", "metro"), ("underground", "metro"), ("tube", "metro"), ("busses", "bus"), ("buses", "bus"), ("taxis", "taxi"), ("cab", "taxi"), ("cabs", "taxi"),
    ("queueing", "queue"), ("queing", "queue"), ("cue", "queue"), ("que", "queue"), ("lineup", "queue"), ("recieve", "receive"), ("adress", "address"),
    ("nuclei", "nucleic"), ("necleic", "nucleic"), ("covid19", "covid"), ("pcr", "test"), ("tst", "test"), ("swabs", "swab"), ("certificate", "proof"), ("cert", "proof"), ("certificates", "proof"),
    ("vegs", "vegetable"), ("veggies", "vegetable"), ("expensiv", "expensive"), ("ppe", "mask"), ("er", "er"), ("went", "go"), ("gone", "go"), ("came", "come"),
    ("got", "get"), ("gave", "give"), ("said", "say"), ("told", "tell"), ("took", "take"), ("bought", "buy"), ("sold", "sell"), ("left", "leave"), ("lost", "lose"), ("forgot", "forget"), ("forgotten", "forget"), ("broke", "break"), ("broken", "break"),
    ("ran", "run"), ("running", "run"), ("stopped", "stop"), ("stopping", "stop"), ("cancelled", "cancel"), ("canceled", "cancel"), ("cancelling", "cancel"), ("shopping", "shop"), ("testing", "test"), ("tested", "test"), ("sampling", "sample"), ("sampled", "sample"), ("sampler", "sample"),
    ("elderly", "old"), ("seniors", "old"), ("senior", "old"), ("older", "old"), ("expired", "expire"), ("expires", "expire"), ("enroll", "enrol"), ("enrollment", "enrol"), ("enrolment", "enrol"), ("enrolled", "enrol"), ("died", "die"), ("dead", "die"), ("dying", "die"),
    ("scanning", "scan"), ("scanned", "scan"), ("men", "man"), ("women", "woman"), ("people's", "people"), ("hrs", "hour"), ("hr", "hour"), ("h", "hour"), ("mins", "minute"), ("min", "minute"), ("rescheduling", "reschedule"), ("rescheduled", "reschedule"),
];

/// A word without its common endings, and as it is meant: enough to join "tested" to "test".
pub(super) fn stem(word: &str) -> String {
    let word = word.trim_matches('\'');
    let word = SPELLINGS
        .iter()
        .find(|(written, _)| *written == word)
        .map_or(word, |(_, meant)| *meant);
    if word.len() < 4 || !word.is_ascii() {
        return word.to_owned();
    }
    let base = word.strip_suffix("'s").unwrap_or(word);
    for (ending, instead) in [
        ("ies", "y"),
        ("sses", "ss"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("xes", "x"),
        ("ied", "y"),
    ] {
        if let Some(rest) = base.strip_suffix(ending) {
            return format!("{rest}{instead}");
        }
    }
    for ending in ["ing", "ed"] {
        if let Some(rest) = base.strip_suffix(ending)
            && rest.len() >= 3
            && rest.contains(['a', 'e', 'i', 'o', 'u'])
        {
            let doubled = rest.as_bytes()[rest.len() - 1] == rest.as_bytes()[rest.len() - 2]
                && !rest.ends_with(['l', 's', 'z']);
            return rest[..rest.len() - usize::from(doubled)]
                .trim_end_matches('e')
                .to_owned();
        }
    }
    let rest = match base.strip_suffix('s') {
        Some(rest) if !base.ends_with("ss") && !base.ends_with("us") && !base.ends_with("is") => rest,
        _ => base,
    };
    if rest.len() > 3 {
        rest.trim_end_matches('e').to_owned()
    } else {
        rest.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sounds, *};

    #[test]
    fn endings_and_spellings_do_not_matter() {
        for (one, other) in [
            ("tested", "test"),
            ("testing", "tests"),
            ("queues", "queue"),
            ("stopped", "stop"),
            ("carries", "carry"),
            ("closing", "closed"),
            ("pls", "please"),
            ("kids", "children"),
        ] {
            assert_eq!(stem(one), stem(other), "{one} {other}");
        }
    }

    #[test]
    fn pinyin_is_split() {
        assert_eq!(
            sounds::syllables("womenlou").map(|all| all.join(" ")),
            Some("wo men lou".into())
        );
        assert_eq!(sounds::syllables("xian").map(|all| all.len()), Some(1));
        assert_eq!(sounds::syllables("test"), None);
    }
}
