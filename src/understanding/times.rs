//! Days and times of the day as people say them.

use chrono::NaiveTime;

use super::{numbers::number_at, slots::SaidDate, slots::word_before};

/// How far a day is from today; longer words first, since one holds the other.
#[rustfmt::skip]
const DAYS: &[(&str, i8)] = &[
    ("大后天", 3), ("大後天", 3), ("大前天", -3), ("day after tomorrow", 2), ("day after tmr", 2), ("day before yesterday", -2),
    ("后天", 2), ("後天", 2), ("后日", 2), ("後日", 2), ("前天", -2), ("前日", -2), ("前晚", -2),
    ("明天", 1), ("明日", 1), ("明早", 1), ("明晚", 1), ("明儿", 1), ("明兒", 1), ("听日", 1), ("聽日", 1), ("明下午", 1), ("明上午", 1),
    ("昨天", -1), ("昨日", -1), ("昨晚", -1), ("昨夜", -1), ("昨儿", -1), ("寻日", -1),
    ("今天", 0), ("今日", 0), ("今晚", 0), ("今早", 0), ("今儿", 0), ("今晨", 0), ("今夜", 0), ("今朝", 0), ("今晚黑", 0),
    ("tomorrow", 1), ("tmrw", 1), ("tmr", 1), ("2moro", 1), ("tomorow", 1), ("yesterday", -1), ("last night", -1),
    ("today", 0), ("2day", 0), ("tonight", 0), ("this morning", 0), ("this afternoon", 0), ("this evening", 0),
    ("ming tian", 1), ("mingtian", 1), ("hou tian", 2), ("houtian", 2), ("jin tian", 0), ("jintian", 0), ("zuo tian", -1), ("zuotian", -1),
    ("qian tian", -2), ("qiantian", -2),
];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const MONTHS_WHOLE: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// What a part of the day adds to the hours of a clock face.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Morning,
    Noon,
    Afternoon,
    Evening,
}
#[rustfmt::skip]
const PARTS: &[(&str, Part)] = &[
    ("凌晨", Part::Morning), ("早上", Part::Morning), ("上午", Part::Morning), ("早晨", Part::Morning), ("清早", Part::Morning), ("明早", Part::Morning),
    ("今早", Part::Morning), ("早", Part::Morning), ("半夜", Part::Morning), ("上半天", Part::Morning),
    ("中午", Part::Noon), ("晌午", Part::Noon), ("正午", Part::Noon),
    ("下午", Part::Afternoon), ("午后", Part::Afternoon), ("午後", Part::Afternoon), ("下半天", Part::Afternoon), ("傍晚", Part::Evening),
    ("晚上", Part::Evening), ("晚黑", Part::Evening), ("晚间", Part::Evening), ("夜里", Part::Evening), ("今晚", Part::Evening), ("明晚", Part::Evening),
    ("昨晚", Part::Evening), ("夜晚", Part::Evening), ("晚", Part::Evening),
    ("shang wu", Part::Morning), ("shangwu", Part::Morning), ("xia wu", Part::Afternoon), ("xiawu", Part::Afternoon), ("wan shang", Part::Evening),
];

/// The first day that is named.
pub(super) fn date(text: &[char]) -> Option<SaidDate> {
    let said: String = text.iter().collect();
    let calendar = calendar(text);
    let mut best: Option<(usize, SaidDate)> = calendar;
    let mut covered: Vec<(usize, usize)> = Vec::new();
    for (word, days) in DAYS {
        let Some(byte) = whole_word(&said, word) else {
            continue;
        };
        let at = said[..byte].chars().count();
        if covered.iter().any(|(from, to)| (*from..*to).contains(&at)) {
            continue;
        }
        covered.push((at, at + word.chars().count()));
        if best.is_none_or(|(first, _)| at < first) {
            best = Some((at, SaidDate::InDays(*days)));
        }
    }
    if best.is_none() {
        best = distance(text);
    }
    best.map(|(_, date)| date)
}

/// Where a word stands; Latin words only by themselves.
fn whole_word(text: &str, word: &str) -> Option<usize> {
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let parted = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric());
        !word.is_ascii() || (parted(before) && parted(after))
    })
}

/// 三天后, 2 days ago, in 3 days.
fn distance(text: &[char]) -> Option<(usize, SaidDate)> {
    (0..text.len()).find_map(|at| {
        let (digits, end) = number_at(text, at)?;
        let days: i8 = digits.parse().ok().filter(|days| *days <= 31)?;
        let after: String = text[end..].iter().take(12).collect();
        let after = after.trim_start();
        let later = ["天后", "天後", "天之后", "天以后", "days later"]
            .iter()
            .any(|word| after.starts_with(word))
            || (after.starts_with("day") && word_before(text, at) == "in");
        let earlier = ["天前", "天之前", "days ago", "day ago"]
            .iter()
            .any(|word| after.starts_with(word));
        if later {
            Some((at, SaidDate::InDays(days)))
        } else if earlier {
            Some((at, SaidDate::InDays(-days)))
        } else {
            None
        }
    })
}

/// 9月3日, 9/3, 2022-09-03, Sept 3, 3rd of September.
fn calendar(text: &[char]) -> Option<(usize, SaidDate)> {
    (0..text.len()).find_map(|at| {
        if let Some((digits, end)) = number_at(text, at) {
            let first: u8 = digits.parse().ok().filter(|first| (1..=31).contains(first))?;
            let after: String = text[end..].iter().take(16).collect();
            if let Some(month) = month_in(after.trim_start().trim_start_matches("of ")) {
                return valid(at, month, first);
            }
            if after.starts_with('月') {
                let (day, _) = number_at(text, end + 1)?;
                return valid(at, first, day.parse().ok()?);
            }
            let sign = text.get(end).copied()?;
            let (day, behind) = number_at(text, end + 1).filter(|_| "/-".contains(sign))?;
            let two = digits.len() == 2 && day.len() == 2;
            let before = at.checked_sub(1).map(|index| text[index]);
            let alone = text
                .get(behind)
                .is_none_or(|c| !"/-:".contains(*c) && !c.is_ascii_digit());
            let year = before == Some('-') || before == Some('/');
            return (alone
                && day.len() <= 2
                && (sign == '/' && before.is_none_or(|c| c != '-')
                    || (two && (year || before.is_none_or(|c| !c.is_ascii_digit())))))
            .then(|| valid(at, first, day.parse().ok()?))?;
        }
        let begins = text[at].is_ascii_alphabetic() && !(at > 0 && text[at - 1].is_ascii_alphanumeric());
        let word: String = text[at..].iter().take(16).collect();
        let month = month_in(&word).filter(|_| begins)?;
        let end = at + word.chars().take_while(char::is_ascii_alphabetic).count();
        let from = end + text[end..].iter().take_while(|c| " .".contains(**c)).count();
        let (day, behind) = number_at(text, from).filter(|(_, _)| from > end)?;
        // "may 5 people" says no date.
        let after: String = text[behind..].iter().take(8).collect();
        let counted = ["people", "person", "hour", "min"]
            .iter()
            .any(|word| after.trim_start().starts_with(word));
        (!counted).then(|| valid(at, month, day.parse().ok()?))?
    })
}

fn month_in(text: &str) -> Option<u8> {
    let word: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    let short =
        |index: usize| word == MONTHS[index] || word == MONTHS_WHOLE[index] || (word == "sept" && index == 8);
    (0..12).find(|index| short(*index)).map(|index| index as u8 + 1)
}

fn valid(at: usize, month: u8, day: u8) -> Option<(usize, SaidDate)> {
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((at, SaidDate::Calendar { month, day }))
}

/// The first time that is named.
pub(super) fn time(text: &[char]) -> Option<NaiveTime> {
    (0..text.len())
        .find_map(|at| {
            let (digits, end) = number_at(text, at)?;
            let hour: u32 = digits.parse().ok().filter(|hour| *hour <= 24)?;
            clock(text, at, hour, end)
                .or_else(|| chinese(text, at, &digits, hour, end))
                .or_else(|| english(text, at, hour, end))
        })
        .or_else(|| {
            let said: String = text.iter().collect();
            [("noon", 12), ("midnight", 0)]
                .into_iter()
                .find(|(word, _)| whole_word(&said, word).is_some_and(|at| !said[..at].ends_with("after")))
                .and_then(|(_, hour)| NaiveTime::from_hms_opt(hour, 0, 0))
        })
}

/// 14:30, 2:30 pm, 下午2:30
fn clock(text: &[char], at: usize, hour: u32, end: usize) -> Option<NaiveTime> {
    if text.get(end) != Some(&':') || (at > 0 && ":.".contains(text[at - 1])) {
        return None;
    }
    let (minute, behind) = number_at(text, end + 1)?;
    let minute: u32 = minute.parse().ok().filter(|_| minute.len() == 2)?;
    let part = part_before(text, at).or_else(|| part_after(text, behind));
    at_hour(hour, minute, part)
}

/// 下午两点半, 8点一刻, 14时30分
fn chinese(text: &[char], at: usize, digits: &str, hour: u32, end: usize) -> Option<NaiveTime> {
    let end = end + text[end..].iter().take_while(|c| **c == ' ').count();
    let rest: String = text.get(end..)?.iter().take(10).collect();
    let pinyin = rest
        .strip_prefix("dian")
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    let after = if pinyin {
        &rest[4..]
    } else {
        rest.strip_prefix(['点', '點']).or_else(|| {
            let hours = rest.strip_prefix(['时', '時'])?;
            (!hours.starts_with(['间', '間', '段', '候'])).then_some(hours)
        })?
    };
    let after = after
        .trim_start()
        .trim_start_matches('钟')
        .trim_start_matches('鐘');
    let part = part_before(text, at);
    let halves = [
        ("半", 30),
        ("一刻", 15),
        ("三刻", 45),
        ("1刻", 15),
        ("3刻", 45),
        ("ban", 30),
    ];
    let mut minute = halves
        .iter()
        .find(|(word, _)| after.starts_with(word))
        .map(|(_, minute)| *minute);
    if minute.is_none() {
        let following: Vec<char> = after.chars().collect();
        minute = number_at(&following, 0).and_then(|(digits, next)| {
            let whole = following
                .get(next)
                .is_none_or(|c| !"栋棟单單号號楼个個人岁".contains(*c));
            digits.parse().ok().filter(|minute| *minute < 60 && whole)
        });
    }
    // 一点 is mostly "a little".
    let compared = at > 0 && "早晚快慢".contains(text[at - 1]);
    let exact = rest.contains(['钟', '鐘', '整']) || minute.is_some();
    let little = text[at] == '一' && digits == "1" && (part.is_none() || compared) && !exact;
    if little {
        return None;
    }
    at_hour(hour, minute.unwrap_or(0), part)
}

/// 5pm, 5 o'clock, half past 2, 2 in the afternoon
fn english(text: &[char], at: usize, hour: u32, end: usize) -> Option<NaiveTime> {
    let rest: String = text[end..].iter().take(24).collect();
    let before: String = text[at.saturating_sub(16)..at].iter().collect();
    let before = before.trim_end();
    let minute = [("half past", 30), ("quarter past", 15)]
        .iter()
        .find(|(word, _)| before.ends_with(word))
        .map(|(_, minute)| *minute);
    let part = part_after(text, end);
    let oclock = ["o'clock", "oclock", "o clock", "o’clock"]
        .iter()
        .any(|word| rest.trim_start().starts_with(word));
    if part.is_none() && minute.is_none() && !oclock {
        return None;
    }
    at_hour(hour, minute.unwrap_or(0), part)
}

fn part_before(text: &[char], at: usize) -> Option<Part> {
    let before: String = text[at.saturating_sub(10)..at].iter().collect();
    let before = before.trim_end_matches([' ', '的', '大', '概', '约', '左', '右', ',', '差', '不', '多']);
    PARTS
        .iter()
        .find(|(word, _)| before.ends_with(word))
        .map(|(_, part)| *part)
}

fn part_after(text: &[char], end: usize) -> Option<Part> {
    let after: String = text[end..].iter().take(28).collect();
    let mut after = after.trim_start();
    for word in ["o'clock", "oclock", "o clock", "ish"] {
        after = after.strip_prefix(word).unwrap_or(after).trim_start();
    }
    let words = [
        ("a.m", Part::Morning),
        ("am", Part::Morning),
        ("p.m", Part::Afternoon),
        ("pm", Part::Afternoon),
        ("in the morning", Part::Morning),
        ("in the afternoon", Part::Afternoon),
        ("in the evening", Part::Evening),
        ("at night", Part::Evening),
        ("tonight", Part::Evening),
    ];
    words
        .iter()
        .find(|(word, _)| {
            after
                .strip_prefix(word)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
        .map(|(_, part)| *part)
}

fn at_hour(hour: u32, minute: u32, part: Option<Part>) -> Option<NaiveTime> {
    let hour = match part {
        Some(Part::Morning | Part::Evening) if hour == 12 => 0,
        Some(Part::Noon) if hour < 10 => hour + 12,
        Some(Part::Afternoon) if hour < 12 => hour + 12,
        Some(Part::Evening) if (5..12).contains(&hour) => hour + 12,
        _ if hour == 24 => 0,
        _ => hour,
    };
    NaiveTime::from_hms_opt(hour, minute, 0)
}
