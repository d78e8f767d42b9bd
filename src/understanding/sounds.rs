//! Syllables: how a character sounds, and Latin letters that spell Chinese.

/// How these are read in everyday questions, where a dictionary names another reading first.
pub(super) fn of(c: char) -> Option<&'static str> {
    Some(match c {
        '还' => "hai",
        '了' => "le",
        '得' | '的' => "de",
        '地' => "di",
        '着' => "zhe",
        '都' => "dou",
        '行' => "xing",
        '没' => "mei",
        '么' => "me",
        '什' => "shen",
        '谁' => "shui",
        '长' => "chang",
        '重' => "chong",
        '调' => "diao",
        '便' => "bian",
        '车' => "che",
        '觉' => "jue",
        '血' => "xue",
        '差' => "cha",
        '号' | '好' => "hao",
        '卡' => "ka",
        '会' => "hui",
        '单' => "dan",
        '大' | '打' => "da",
        '说' => "shuo",
        '给' => "gei",
        '系' => "xi",
        '量' => "liang",
        '不' => "bu",
        '看' => "kan",
        '要' => "yao",
        '下' => "xia",
        '区' => "qu",
        '转' => "zhuan",
        '哪' | '那' => "na",
        _ => return None,
    })
}

/// A syllable as many people speak it: z for zh, n for ng after e and i, l for n.
pub(super) fn blurred(syllable: &str) -> String {
    let mut said = syllable.replace('ü', "v");
    for (full, short) in [("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l")] {
        if let Some(rest) = said.strip_prefix(full) {
            said = format!("{short}{rest}");
            break;
        }
    }
    for (full, short) in [("eng", "en"), ("ing", "in"), ("uo", "o")] {
        if let Some(rest) = said.strip_suffix(full) {
            said = format!("{rest}{short}");
            break;
        }
    }
    said
}

const INITIALS: [&str; 23] = [
    "zh", "ch", "sh", "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "r", "z", "c",
    "s", "y", "w",
];
const FINALS: [&str; 35] = [
    "iang", "iong", "uang", "ang", "eng", "ing", "ong", "iao", "uai", "ian", "uan", "ai", "ei", "ao", "ou",
    "an", "en", "in", "un", "ia", "ie", "iu", "ua", "uo", "ui", "ue", "ve", "er", "a", "o", "e", "i", "u",
    "v", "van",
];
/// Longer words are not taken for pinyin.
const SPELT_MAX: usize = 48;

/// The syllables, blurred, if the whole Latin word spells some.
pub(super) fn syllables(word: &str) -> Option<Vec<String>> {
    if word.len() > SPELT_MAX || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    // From the end: the split with the fewest syllables, so that "xian" is one.
    let mut best: Vec<Option<(usize, usize)>> = vec![None; word.len() + 1];
    best[word.len()] = Some((0, 0));
    for at in (0..word.len()).rev() {
        for length in 1..=6.min(word.len() - at) {
            if let Some((count, _)) = best[at + length]
                && is_syllable(&word[at..at + length])
                && best[at].is_none_or(|(fewest, _)| count + 1 < fewest)
            {
                best[at] = Some((count + 1, length));
            }
        }
    }
    let mut found = Vec::new();
    let mut at = 0;
    while at < word.len() {
        let (_, length) = best[at]?;
        found.push(blurred(&word[at..at + length]));
        at += length;
    }
    Some(found)
}

fn is_syllable(text: &str) -> bool {
    if ["a", "o", "e", "ai", "ei", "ao", "ou", "an", "en", "ang", "er"].contains(&text) {
        return true;
    }
    let Some(initial) = INITIALS.iter().find(|initial| text.starts_with(**initial)) else {
        return false;
    };
    let rest = &text[initial.len()..];
    FINALS.contains(&rest)
        && match *initial {
            "j" | "q" | "x" => {
                rest.starts_with(['i', 'u']) && rest != "uang" && rest != "ui" && rest != "uai"
            }
            "y" => [
                "a", "an", "ang", "ao", "e", "i", "in", "ing", "o", "ong", "ou", "u", "uan", "ue", "un",
            ]
            .contains(&rest),
            "w" => ["a", "ai", "an", "ang", "ei", "en", "eng", "o", "u"].contains(&rest),
            "zh" | "ch" | "sh" | "z" | "c" | "s" | "r" | "g" | "k" | "h" => {
                rest == "i" && !["g", "k", "h"].contains(initial) || !rest.starts_with('i') && rest != "v"
            }
            "b" | "p" | "m" | "f" => !rest.starts_with('u') || rest == "u",
            _ => rest != "er",
        }
}
