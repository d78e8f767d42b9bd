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
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "as_hours_and_minutes"
    )]
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

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn as_hours_and_minutes<S: Serializer>(time: &Option<NaiveTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(&time.format("%H:%M")),
        None => serializer.serialize_none(),
    }
}

/// What a message names. The first of each kind counts.
pub fn read(text: &str) -> Slots {
    let text: Vec<char> = text
        .chars()
        .take(CHARACTERS_MAX)
        .nfkc()
        .take(2 * CHARACTERS_MAX)
        .collect();
    // Lower case character by character, so that positions stay the same.
    let mut lower: Vec<char> = text
        .iter()
        .map(|c| c.to_lowercase().next().unwrap_or(*c))
        .collect();
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
        let found = ends
            .iter()
            .rev()
            .find_map(|(digits, end)| Some((national(digits)?, *end)));
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
    let bare = digits
        .strip_prefix("0086")
        .or_else(|| digits.strip_prefix("86"))
        .unwrap_or(digits);
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
const BUILDING_BEFORE: [&str; 9] = [
    "building", "bldg", "bld", "buildin", "block", "blk", "tower", "bulding", "house",
];
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
        let follows = |words: &[&str]| {
            words
                .iter()
                .find(|word| starts(&after, word))
                .map(|word| word.chars().count())
        };
        let ordinal = text[..at].iter().rev().find(|c| !c.is_whitespace()) == Some(&'第');
        let is = |words: &[&str]| words.contains(&word.as_str());
        let mut next = end;
        if let Some(length) = follows(&BUILDING_AFTER).filter(|_| !is(&BUILDING_BEFORE) && !is(&UNIT_BEFORE))
        {
            slots.building.get_or_insert(digits);
            next = skip(text, end, length);
            door_from = Some(next);
        } else if let Some(length) =
            follows(&UNIT_AFTER).filter(|_| !is(&BUILDING_BEFORE) && !is(&ROOM_BEFORE))
        {
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
            let near_door =
                door_from.is_some_and(|from| text[from..at].iter().all(|c| " ,，、.-的#".contains(*c)));
            let numbered =
                ["号", "號"].iter().any(|word| starts(&after, word)) && (digits.len() >= 3 || near_door);
            let bare = near_door
                && (2..=ROOM_DIGITS_MAX).contains(&digits.len())
                && digits.len() >= 3
                && !goes_on(&after);
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
    [
        "点", "點", "时", "時", "月", "日", "年", "岁", "歲", "块", "元", "人", "个", "個", "小时", "次",
        "斤", "天", ":", "hour", "pm", "am", "%", "/",
    ]
    .iter()
    .any(|word| after.starts_with(word))
}

/// The text begins with the word, which ends there if it is Latin.
fn starts(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| {
        !word.ends_with(|c: char| c.is_ascii_alphabetic())
            || !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
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
    let before: String = text[..at]
        .iter()
        .rev()
        .take(24)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The slots in one line, as `b=3 u=2 r=1203`.
    fn said(text: &str) -> String {
        let slots = read(text);
        let parts = [
            ("b", slots.building),
            ("u", slots.unit),
            ("r", slots.room),
            ("p", slots.phone),
            ("d", slots.date.map(|date| date.to_string())),
            ("t", slots.time.map(|time| time.format("%H:%M").to_string())),
            ("n", slots.name),
        ];
        let known = parts
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
        known.collect::<Vec<_>>().join(" ")
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn what_a_message_names_is_read_in_its_normal_form() {
        for (text, wanted) in [
            ("3栋", "b=3"),
            ("十二栋", "b=12"),
            ("building 7", "b=7"),
            ("bldg 7", "b=7"),
            ("2单元", "u=2"),
            ("unit 2", "u=2"),
            ("1203室", "r=1203"),
            ("1203号", "r=1203"),
            ("apt 1203", "r=1203"),
            ("+86 199 0000 0001", "p=19900000001"),
            ("后天", "d=+2"),
            ("9月3日", "d=09-03"),
            ("下午两点半", "t=14:30"),
            ("5pm", "t=17:00"),
            ("我叫陈桂英", "n=陈桂英"),
            ("妈妈走不动,3栋2单元1203,请上门", "b=3 u=2 r=1203"),
            ("地址2栋1单元301 老人瘫痪 请来采样", "b=2 u=1 r=301"),
            (
                "麻烦安排上门 楼号8栋3单元 电话13900000002",
                "b=8 u=3 p=13900000002",
            ),
            (
                "登记一个上门的 6幢2单元 702 张桂芳 86岁",
                "b=6 u=2 r=702 n=张桂芳",
            ),
            (
                "我叫李建国,住六栋502,电话199-0000-0001",
                "b=6 r=502 p=19900000001 n=李建国",
            ),
            ("３栋２单元１２０３", "b=3 u=2 r=1203"),
            (
                "my mom can't walk, building 3 unit 2 room 1203, please come",
                "b=3 u=2 r=1203",
            ),
            ("address building two unit 1 room 301", "b=2 u=1 r=301"),
            (
                "My name is John Smith, building 8 unit 3, phone +86 13900000002",
                "b=8 u=3 p=13900000002 n=John Smith",
            ),
            ("Sept 3 at 2:30 pm", "d=09-03 t=14:30"),
            ("on September 3rd", "d=09-03"),
            ("3 Sep 5 o'clock", "d=09-03 t=05:00"),
            ("the day after tomorrow at half past two", "d=+2 t=02:30"),
            ("明天早上九点一刻", "d=+1 t=09:15"),
            ("今晚8点", "d=+0 t=20:00"),
            ("大后天上午十点", "d=+3 t=10:00"),
            ("昨天下午3点做的", "d=-1 t=15:00"),
            ("能不能早一点", ""),
            ("采样点在哪", ""),
            ("48小时核酸", ""),
            ("2022-09-03 14:30", "d=09-03 t=14:30"),
            ("9/3 下午3点", "d=09-03 t=15:00"),
            ("九月三号晚上七点四十", "d=09-03 t=19:40"),
            ("三天后", "d=+3"),
            ("我是王秀兰,十栋一单元一二零三", "b=10 u=1 r=1203 n=王秀兰"),
            ("我妈妈陈桂英,86岁,下不了楼", "n=陈桂英"),
            ("老人高烧", ""),
            ("bldg 12 apt 402 tmr 10am", "b=12 r=402 d=+1 t=10:00"),
            ("3-2-1203", "b=3 u=2 r=1203"),
            ("幸福社区3栋2单元5楼", "b=3 u=2"),
            (
                "wo jiao zhang san, 3 dong 2 dan yuan 1203",
                "b=3 u=2 r=1203 n=zhang san",
            ),
            ("I am Mary Lee in unit 3", "u=3 n=Mary Lee"),
            ("noon tomorrow", "d=+1 t=12:00"),
            ("凌晨一点", "t=01:00"),
            ("我住5号楼3单元八零二", "b=5 u=3 r=802"),
            ("10点到11点", "t=10:00"),
            ("第三针在哪打", ""),
            ("电话一三八零零零零零零零一", "p=13800000001"),
            ("028-87654321", "p=02887654321"),
            ("A座1203", ""),
            ("明天14:00", "d=+1 t=14:00"),
            ("12点半", "t=12:30"),
            ("中午12点", "t=12:00"),
            ("晚上十二点", "t=00:00"),
        ] {
            assert_eq!(said(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_day_of_the_calendar_is_the_nearest_one() {
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("exists");
        let today = day(2022, 12, 31);
        assert_eq!(
            SaidDate::Calendar { month: 1, day: 2 }.on(today),
            Some(day(2023, 1, 2))
        );
        assert_eq!(
            SaidDate::Calendar { month: 12, day: 30 }.on(today),
            Some(day(2022, 12, 30))
        );
        assert_eq!(SaidDate::InDays(1).on(today), Some(day(2023, 1, 1)));
        assert_eq!(SaidDate::InDays(-1).on(today), Some(day(2022, 12, 30)));
    }

    #[test]
    fn slots_are_strings() {
        let json = serde_json::to_string(&read("3栋明天下午两点半")).expect("json");
        assert_eq!(json, r#"{"building":"3","date":"+1","time":"14:30"}"#);
    }
}
