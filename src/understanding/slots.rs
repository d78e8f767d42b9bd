//! Places, times and numbers in a message, in their normal forms.

use std::fmt;

use chrono::{Days, NaiveDate, NaiveTime};
use serde::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

use super::{names, numbers::number_at, times};

/// Longer texts are read up to here.
const CHARACTERS_MAX: usize = 600;

/// What a message names. Serialises as strings, without those it does not name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slots {
    /// The building's number: `3` of 3栋.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub building: Option<String>,
    /// The unit's number: `2` of 2单元.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The door's number: `1203` of 1203室.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// A phone number's digits, without country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// A day: today's distance (`+1`), or a calendar day (`09-03`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<SaidDate>,
    /// A time of the day, `14:30`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_hours_and_minutes")]
    pub time: Option<NaiveTime>,
    /// A person's name, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A day as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidDate {
    /// So many days from today: 0 today, 1 tomorrow, -1 yesterday.
    InDays(i8),
    /// A day of the calendar, without its year.
    Calendar {
        /// 1–12.
        month: u8,
        /// 1–31.
        day: u8,
    },
}

impl SaidDate {
    /// The date that is meant, where `today` is the day in the city. A calendar day is the one nearest to today.
    pub fn on(self, today: NaiveDate) -> Option<NaiveDate> {
        use chrono::Datelike;
        match self {
            Self::InDays(days) if days >= 0 => today.checked_add_days(Days::new(days.unsigned_abs().into())),
            Self::InDays(days) => today.checked_sub_days(Days::new(days.unsigned_abs().into())),
            Self::Calendar { month, day } => (-1..=1)
                .filter_map(|years| NaiveDate::from_ymd_opt(today.year() + years, month.into(), day.into()))
                .min_by_key(|date| (*date - today).num_days().abs()),
        }
    }
}

impl fmt::Display for SaidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InDays(days) => write!(f, "{days:+}"),
            Self::Calendar { month, day } => write!(f, "{month:02}-{day:02}"),
        }
    }
}

impl Serialize for SaidDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_hours_and_minutes<S: Serializer>(time: &Option<NaiveTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(&time.format("%H:%M")),
        None => serializer.serialize_none(),
    }
}

/// What a message names. The first of each kind counts.
pub fn read(text: &str) -> Slots {
    let text: Vec<char> = text.chars().take(CHARACTERS_MAX).nfkc().take(2 * CHARACTERS_MAX).collect();
    // Lower case character by character, so that positions stay the same.
    let mut lower: Vec<char> = text.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let mut slots = Slots {
        name: names::read(&text, &lower),
        phone: phone(&mut lower),
        ..Slots::default()
    };
    slots.date = times::date(&lower);
    slots.time = times::time(&lower);
    place(&lower, &mut slots);
    slots
}

/// A mobile or landline number; it is blanked, so that its digits are nothing else besides.
fn phone(text: &mut [char]) -> Option<String> {
    let mut at = 0;
    while at < text.len() {
        let Some((mut digits, mut end)) = number_at(text, at) else {
            at += 1;
            continue;
        };
        // Groups with spaces or hyphens between them, as far as they make a number.
        let mut ends = vec![(digits.clone(), end)];
        while let Some((group, next)) = text.get(end).filter(|c| " -()".contains(**c)).and_then(|_| {
            let from = end + text[end..].iter().take_while(|c| " -()".contains(**c)).count();
            number_at(text, from)
        }) {
            digits.push_str(&group);
            end = next;
            if digits.len() > 16 {
                break;
            }
            ends.push((digits.clone(), end));
        }
        let found = ends.iter().rev().find_map(|(digits, end)| Some((national(digits)?, *end)));
        if let Some((number, end)) = found {
            text[at..end].fill(' ');
            return Some(number);
        }
        at = ends.first().map_or(end, |(_, end)| *end);
    }
    None
}

/// The number without country code, if it is one of mainland China.
fn national(digits: &str) -> Option<String> {
    let bare = digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86")).unwrap_or(digits);
    [digits, bare].into_iter().find_map(|number| {
        let bytes = number.as_bytes();
        let mobile = number.len() == 11 && bytes[0] == b'1' && (b'3'..=b'9').contains(&bytes[1]);
        let landline = (11..=12).contains(&number.len()) && bytes[0] == b'0' && bytes[1] != b'0';
        (mobile || landline).then(|| number.to_owned())
    })
}

/// What follows a building's number.
const BUILDING_AFTER: [&str; 9] = ["栋", "棟", "幢", "座", "号楼", "號樓", "#楼", "dong", "building"];
const UNIT_AFTER: [&str; 6] = ["单元", "單元", "门洞", "danyuan", "dan yuan", "unit"];
const ROOM_AFTER: [&str; 6] = ["室", "号房", "號房", "房间", "房", "shi"];
/// What stands before a number in English.
const BUILDING_BEFORE: [&str; 9] = ["building", "bldg", "bld", "buildin", "block", "blk", "tower", "bulding", "house"];
const UNIT_BEFORE: [&str; 4] = ["unit", "entrance", "stairwell", "un"];
const ROOM_BEFORE: [&str; 8] = ["room", "rm", "apt", "apartment", "flat", "door", "suite", "apt"];
/// Doors' numbers are not longer.
const ROOM_DIGITS_MAX: usize = 5;

fn place(text: &[char], slots: &mut Slots) {
    dashed(text, slots);
    let mut at = 0;
    // Where a bare number would be the door's: right behind the unit or the building.
    let mut door_from = None;
    while at < text.len() {
        let Some((digits, end)) = number_at(text, at) else {
            at += 1;
            continue;
        };
        let word = word_before(text, at);
        let after = rest_after(text, end);
        let follows = |words: &[&str]| words.iter().find(|word| starts(&after, word)).map(|word| word.chars().count());
        let ordinal = text[..at].iter().rev().find(|c| !c.is_whitespace()) == Some(&'第');
        let is = |words: &[&str]| words.contains(&word.as_str());
        let mut next = end;
        if let Some(length) = follows(&BUILDING_AFTER).filter(|_| !is(&BUILDING_BEFORE) && !is(&UNIT_BEFORE)) {
            slots.building.get_or_insert(digits);
            next = skip(text, end, length);
            door_from = Some(next);
        } else if let Some(length) = follows(&UNIT_AFTER).filter(|_| !is(&BUILDING_BEFORE) && !is(&ROOM_BEFORE)) {
            slots.unit.get_or_insert(digits);
            next = skip(text, end, length);
            door_from = Some(next);
        } else if is(&BUILDING_BEFORE) {
            slots.building.get_or_insert(digits);
            door_from = Some(end);
        } else if is(&UNIT_BEFORE) {
            slots.unit.get_or_insert(digits);
            door_from = Some(end);
        } else if digits.len() <= ROOM_DIGITS_MAX && !ordinal {
            let near_door = door_from.is_some_and(|from| text[from..at].iter().all(|c| " ,，、.-的#".contains(*c)));
            let numbered = ["号", "號"].iter().any(|word| starts(&after, word)) && (digits.len() >= 3 || near_door);
            let bare = near_door && (2..=ROOM_DIGITS_MAX).contains(&digits.len()) && digits.len() >= 3 && !goes_on(&after);
            if is(&ROOM_BEFORE) || follows(&ROOM_AFTER).is_some() || numbered || bare {
                slots.room.get_or_insert(digits);
            }
        }
        at = next.max(at + 1);
    }
}

/// `3-2-1203`, and `3-1203` where it stands alone.
fn dashed(text: &[char], slots: &mut Slots) {
    let text: String = text.iter().collect();
    for token in text.split(|c: char| !(c.is_ascii_digit() || c == '-' || c == '/')) {
        let parts: Vec<&str> = token.split('-').collect();
        let small = |part: &str| (1..=2).contains(&part.len());
        let digits = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
        if let [building, unit, room] = parts.as_slice()
            && parts.iter().all(digits)
            && small(building)
            && small(unit)
            && (3..=4).contains(&room.len())
        {
            slots.building.get_or_insert((*building).to_owned());
            slots.unit.get_or_insert((*unit).to_owned());
            slots.room.get_or_insert((*room).to_owned());
        }
    }
}

/// The number is of something else: hours, a year, a date, a price.
fn goes_on(after: &str) -> bool {
    ["点", "點", "时", "時", "月", "日", "年", "岁", "歲", "块", "元", "人", "个", "個", "小时", "次", "斤", "天", ":", "hour", "pm", "am", "%", "/"]
        .iter()
        .any(|word| after.starts_with(word))
}

/// The text begins with the word, which ends there if it is Latin.
fn starts(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| {
        !word.ends_with(|c: char| c.is_ascii_alphabetic()) || !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
    })
}

fn rest_after(text: &[char], end: usize) -> String {
    text[end..].iter().skip_while(|c| **c == ' ').take(12).collect()
}

fn skip(text: &[char], end: usize, length: usize) -> usize {
    let spaces = text[end..].iter().take_while(|c| **c == ' ').count();
    (end + spaces + length).min(text.len())
}

/// The Latin word before a number, past `no.`, `number`, `#` and the like.
pub(super) fn word_before(text: &[char], at: usize) -> String {
    let before: String = text[..at].iter().rev().take(24).collect::<Vec<_>>().into_iter().rev().collect();
    let mut words = before
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .rev()
        .skip_while(|word| ["no", "number", "num", "nr", "is"].contains(word));
    let word = words.next().unwrap_or_default();
    let parted = before.trim_end_matches(|c: char| !c.is_ascii_alphabetic()).len();
    // Another number or Chinese between the word and this number parts them.
    if before[parted..].chars().all(|c| " .#:-,".contains(c)) && !before[parted..].contains([',']) {
        word.to_owned()
    } else {
        String::new()
    }
}
