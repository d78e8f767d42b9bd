//! Numbers as people write them: digits, Chinese numerals, English words.

/// Longer runs of numerals are no number of anything here.
const LENGTH_MAX: usize = 20;

#[rustfmt::skip]
const ENGLISH: [(&str, &str); 24] = [
    ("one", "1"), ("two", "2"), ("three", "3"), ("four", "4"), ("five", "5"), ("six", "6"), ("seven", "7"), ("eight", "8"),
    ("nine", "9"), ("ten", "10"), ("eleven", "11"), ("twelve", "12"), ("thirteen", "13"), ("fourteen", "14"), ("fifteen", "15"),
    ("sixteen", "16"), ("seventeen", "17"), ("eighteen", "18"), ("nineteen", "19"), ("twenty", "20"),
    ("first", "1"), ("second", "2"), ("third", "3"), ("fourth", "4"),
];

/// The number that begins at `at` and not before, in digits, and where it ends. Leading zeros are kept.
pub(super) fn number_at(text: &[char], at: usize) -> Option<(String, usize)> {
    let first = *text.get(at)?;
    let before = at.checked_sub(1).map(|index| text[index]);
    if first.is_ascii_digit() {
        if before.is_some_and(|c| c.is_ascii_digit()) {
            return None;
        }
        let digits: String = text[at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        let mut end = at + digits.len();
        let ending: String = text[end..].iter().take(3).collect();
        // 3rd, 2nd
        if ["st", "nd", "rd", "th"]
            .iter()
            .any(|word| ending.starts_with(word))
            && ending.chars().nth(2).is_none_or(|c| !c.is_alphabetic())
        {
            end += 2;
        }
        return Some((digits, end));
    }
    if is_numeral(first) {
        if before.is_some_and(is_numeral) {
            return None;
        }
        let run: Vec<char> = text[at..]
            .iter()
            .copied()
            .take_while(|c| is_numeral(*c))
            .take(LENGTH_MAX)
            .collect();
        let end = at + run.len();
        return Some((numerals(&run)?, end));
    }
    if first.is_ascii_alphabetic() && !before.is_some_and(|c| c.is_ascii_alphanumeric()) {
        let word: String = text[at..]
            .iter()
            .take_while(|c| c.is_ascii_alphabetic())
            .take(LENGTH_MAX)
            .collect();
        let (_, digits) = ENGLISH.iter().find(|(english, _)| *english == word)?;
        return Some(((*digits).to_owned(), at + word.len()));
    }
    None
}

fn is_numeral(c: char) -> bool {
    digit(c).is_some() || "十百".contains(c)
}

fn digit(c: char) -> Option<u32> {
    Some(match c {
        '零' | '〇' | '○' => 0,
        '一' | '幺' | '壹' => 1,
        '二' | '两' | '兩' | '贰' => 2,
        '三' | '叁' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        _ => return None,
    })
}

/// 十二 is 12, 一百零五 is 105, 一二零三 is 1203.
fn numerals(run: &[char]) -> Option<String> {
    if !run.iter().any(|c| "十百".contains(*c)) {
        return run.iter().map(|c| char::from_digit(digit(*c)?, 10)).collect();
    }
    let (mut total, mut last) = (0_u32, None);
    for c in run {
        match c {
            '百' => total += 100 * last.take().unwrap_or(1),
            '十' => total += 10 * last.take().filter(|count| *count > 0).unwrap_or(1),
            _ => last = digit(*c),
        }
        if total > 9_999 {
            return None;
        }
    }
    Some((total + last.unwrap_or(0)).to_string())
}
