//! What a person's own words say about a visit: for whom, why, when, by which phone. The words are those that people
//! write, folded as [`normalise`](crate::conversation::words::normalise) does.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::draft::When;
use crate::{
    conversation::visit_choice::Part,
    domain::{PhoneNumber, VisitFor, Wish},
    understanding::{Intent, Slots, Understood},
};

/// What is kept of a person's words, in characters: more is a story, and stands in the record of the talk.
pub(super) const WORDS_MAX: usize = 200;
/// Names are shorter; several in one line still fit.
pub(super) const NAME_MAX: usize = 60;
/// What of a person's words is read back by text message, in characters.
pub(super) const ECHO_MAX: usize = 20;
/// The same of names, which are to be checked.
pub(super) const NAME_ECHO_MAX: usize = 30;
/// 1203, A座1203, 三楼左手.
pub(super) const DOOR_MAX: usize = 20;
/// As many are sampled at one door at most.
const PEOPLE_MAX: u32 = 20;

#[rustfmt::skip]
const NEIGHBOURS: &[&str] = &["邻居", "鄰居", "隔壁", "对门", "對門", "neighbor", "neighbour", "next door"];
#[rustfmt::skip]
const FAMILY: &[&str] = &[
    "妈", "媽", "爸", "母亲", "母親", "父亲", "父親", "奶奶", "爷爷", "爺爺", "外婆", "外公", "婆婆", "公公", "老公", "老婆", "丈夫", "妻子",
    "儿子", "兒子", "女儿", "女兒", "老伴", "孩子", "娃", "家人", "家属", "家屬", "老汉儿", "岳父", "岳母", "mother", "father", "mom", "mum", "dad",
    "grandma", "grandpa", "grandmother", "grandfather", "granny", "wife", "husband", "my son", "daughter", "parents", "family",
];
#[rustfmt::skip]
const MYSELF: &[&str] = &["我自己", "本人", "给我", "給我", "我走不", "我下不", "我腿", "我卧床", "我臥床", "myself", "for me", "i can't", "i cannot", "i am", "i'm"];
#[rustfmt::skip]
const REASONS: &[&str] = &[
    "走不", "下不了", "下不来", "下不來", "出不了门", "出不了門", "动不了", "動不了", "不方便", "不便", "瘫", "癱", "卧床", "臥床", "躺", "骨折", "残疾",
    "殘疾", "轮椅", "輪椅", "拐杖", "摔", "腿", "脚", "腳", "看不见", "看不見", "盲", "手术", "手術", "透析", "孕", "坐月子", "离不开", "離不開", "没人照顾",
    "沒人照顧", "高龄", "高齡", "can't walk", "cannot walk", "cant walk", "can not walk", "can't leave", "cannot leave", "bedridden", "in bed",
    "wheelchair", "disab", "broke", "paraly", "stairs", "blind", "surgery", "pregnan", "crutch", "walker", "frail", "immobile", "housebound",
];
#[rustfmt::skip]
const ANY_TIME: &[&str] = &[
    "都可以", "都行", "都好", "都方便", "随时", "隨時", "随便", "隨便", "任何时间", "任何時間", "不限", "什么时候都", "什麼時候都", "any time", "anytime",
    "any day", "whenever", "all day", "always",
];
#[rustfmt::skip]
const PARTS: &[(&str, Part)] = &[
    ("上午", Part::Morning), ("早上", Part::Morning), ("早晨", Part::Morning), ("明早", Part::Morning), ("morning", Part::Morning),
    ("下午", Part::Afternoon), ("中午", Part::Noon), ("午后", Part::Afternoon), ("午後", Part::Afternoon), ("afternoon", Part::Afternoon),
    ("晚上", Part::Evening), ("今晚", Part::Evening), ("明晚", Part::Evening), ("傍晚", Part::Evening), ("evening", Part::Evening),
];
#[rustfmt::skip]
const ASKS: &[&str] = &[
    "?", "吗", "嗎", "么", "麼", "呢", "几点", "幾點", "什么", "什麼", "怎么", "怎麼", "哪", "多少", "how ", "what ", "when ", "where ", "which ",
    "can i", "do i", "is there", "is my",
];
/// So sure must be that somebody wants a person who did not ask for one by word.
const PERSON_SCORE_MIN: f32 = 0.5;

/// The words as they are kept: one line, without control characters, and no longer than it makes sense.
pub(super) fn kept(text: &str, max: usize) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(max).collect()
}

/// The beginning of longer words.
pub(super) fn shortened(words: &str, max: usize) -> String {
    if words.chars().count() <= max {
        return words.to_owned();
    }
    let beginning: String = words.chars().take(max).collect();
    // The one sign would make two messages of an English one.
    beginning.trim_end().to_owned() + if words.is_ascii() { "..." } else { "…" }
}

/// For whom, where the words say so.
pub(super) fn for_whom(text: &str) -> Option<VisitFor> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(NEIGHBOURS) {
        Some(VisitFor::Neighbour)
    } else if says(FAMILY) {
        Some(VisitFor::Family)
    } else if says(MYSELF) {
        Some(VisitFor::Myself)
    } else {
        None
    }
}

/// Why, where the words say so: the parts of the text that do, as they were written.
pub(super) fn reason(heard: &str) -> Option<String> {
    let says = |part: &str| {
        let lower = part.to_lowercase().replace('’', "'");
        REASONS.iter().any(|word| lower.contains(word))
    };
    let parts: Vec<&str> = heard
        .split([',', '，', '。', ';', '；', '!', '！', '.', '、', '\n'])
        .map(str::trim)
        .filter(|part| says(part))
        .collect();
    (!parts.is_empty()).then(|| kept(&parts.join("，"), WORDS_MAX))
}

/// How many people a line of names names.
pub(super) fn people(names: &str) -> u32 {
    let parts = names.replace(" and ", ",");
    let each = parts.split([',', '，', '、', ';', '；', '&']).flat_map(|part| {
        // 陈桂英和王强 are two, 李和平 is one.
        let both = part.split_once(['和', '跟']);
        match both {
            Some((one, other)) if is_name(one) && is_name(other) => vec![one, other],
            _ => vec![part],
        }
    });
    let count = each.filter(|name| !name.trim().is_empty()).count();
    (count as u32).clamp(1, PEOPLE_MAX)
}

fn is_name(part: &str) -> bool {
    part.trim().chars().nth(1).is_some()
}

/// When, where the words say so. A time that is past says nothing.
pub(super) fn when(text: &str, slots: &Slots, now: DateTime<Utc>, tz: Tz) -> Option<When> {
    let part = PARTS.iter().find(|(word, _)| text.contains(word));
    let part = part.map(|(_, part)| *part);
    let today = now.with_timezone(&tz).date_naive();
    if part.is_none() && slots.time.is_none() && slots.date.is_none() {
        return ANY_TIME
            .iter()
            .any(|word| text.contains(word))
            .then_some(When::Any);
    }
    let on = |date| match slots.time {
        Some(time) => around(date, time, tz),
        None => during(date, part, tz),
    };
    let to_come = |wish: &Wish| wish.to > now;
    match slots.date {
        Some(said) => said.on(today).and_then(on).filter(to_come),
        None => on(today)
            .filter(to_come)
            .or_else(|| on(today.checked_add_days(Days::new(1))?)),
    }
    .map(When::At)
}

/// A part of a day, or all of it, as teams work.
pub(super) fn during(date: NaiveDate, part: Option<Part>, tz: Tz) -> Option<Wish> {
    let (from, to) = match part {
        Some(Part::Morning) => (8, 12),
        Some(Part::Noon) => (11, 14),
        Some(Part::Afternoon) => (13, 18),
        Some(Part::Evening) => (18, 21),
        None => (8, 18),
    };
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0);
    between(date, at(from)?, at(to)?, tz)
}

/// From a time on, for as long as a visit may be late.
fn around(date: NaiveDate, time: NaiveTime, tz: Tz) -> Option<Wish> {
    let last = NaiveTime::from_hms_opt(23, 59, 0)?;
    let (to, days) = time.overflowing_add_signed(chrono::TimeDelta::hours(2));
    between(date, time, if days == 0 { to } else { last }, tz)
}

fn between(date: NaiveDate, from: NaiveTime, to: NaiveTime, tz: Tz) -> Option<Wish> {
    let at = |time| tz.from_local_datetime(&date.and_time(time)).earliest();
    Some(Wish {
        from: at(from)?.to_utc(),
        to: at(to)?.to_utc(),
    })
}

/// The phone that the words name, and what they say beside it.
pub(super) fn phone(text: &str, slots: &Slots) -> Option<(PhoneNumber, String)> {
    let is_part = |c: char| c.is_ascii_digit() || "+-() ".contains(c);
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).count();
    // The longest run of what numbers are written with.
    let run = text.split(|c| !is_part(c)).max_by_key(|part| digits(part))?;
    let said = slots.phone.as_deref().unwrap_or(run);
    let phone = PhoneNumber::parse(said)
        .or_else(|_| PhoneNumber::parse(run))
        .ok()?;
    let rest = if digits(run) >= 7 {
        text.replacen(run, " ", 1)
    } else {
        String::new()
    };
    let rest = ["电话", "電話", "手机", "手機", "phone", "是"]
        .iter()
        .fold(rest, |rest, word| rest.replace(word, ""));
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
    let rest = if rest.chars().nth(1).is_some() { rest } else { "" };
    Some((phone, kept(rest, WORDS_MAX)))
}

/// Somebody who was asked for words asks a question instead, or for a person.
pub(super) fn asks_something_else(text: &str, said: &Understood) -> bool {
    match said.intent {
        Intent::TalkToHuman => said.score >= PERSON_SCORE_MIN,
        Intent::None
        | Intent::Human
        | Intent::HomeSamplingApply
        | Intent::HomeSamplingStatus
        | Intent::HomeSamplingCancel => false,
        _ => ASKS.iter().any(|word| text.contains(word)),
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Asia::Shanghai;

    use super::*;
    use crate::{domain::Language, i18n::span, understanding::slots};

    /// 2026-09-03 15:00 in Chengdu.
    fn now() -> DateTime<Utc> {
        "2026-09-03T07:00:00Z".parse().expect("an instant")
    }

    #[test]
    fn for_whom_and_why_are_read_from_what_people_write() {
        for (text, whom, why) in [
            (
                "妈妈走不动,3栋2单元1203,请上门",
                Some(VisitFor::Family),
                Some("妈妈走不动"),
            ),
            (
                "邻居王大爷瘫痪，麻烦上门",
                Some(VisitFor::Neighbour),
                Some("邻居王大爷瘫痪"),
            ),
            ("我自己腿摔断了", Some(VisitFor::Myself), Some("我自己腿摔断了")),
            ("请上门采样", None, None),
            (
                "my mom can’t walk, please come",
                Some(VisitFor::Family),
                Some("my mom can’t walk"),
            ),
        ] {
            assert_eq!(for_whom(text), whom, "{text}");
            assert_eq!(reason(text).as_deref(), why, "{text}");
        }
    }

    #[test]
    fn when_is_read_from_what_people_write() {
        let said = |text: &str| {
            let said = when(text, &slots::read(text), now(), Shanghai);
            said.map(|said| match said {
                When::Any => "any".to_owned(),
                When::At(wish) => span(Language::En, Shanghai, wish.from, wish.to, false),
            })
        };
        for (text, wanted) in [
            ("明天下午3点", Some("Fri 4 Sep, 3:00–5:00 pm")),
            ("明天上午", Some("Fri 4 Sep, 8:00 am–12:00 pm")),
            ("下午", Some("Thu 3 Sep, 1:00–6:00 pm")),
            ("上午", Some("Fri 4 Sep, 8:00 am–12:00 pm")),
            ("9月5日", Some("Sat 5 Sep, 8:00 am–6:00 pm")),
            ("昨天下午", None),
            ("都可以", Some("any")),
            ("whenever you like", Some("any")),
            ("tomorrow morning", Some("Fri 4 Sep, 8:00 am–12:00 pm")),
            ("你好", None),
        ] {
            assert_eq!(said(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_phone_is_read_with_what_stands_beside_it() {
        for (text, wanted, beside) in [
            ("13800000001", Some("+8613800000001"), ""),
            ("电话138 0000 0001，家里有狗", Some("+8613800000001"), "家里有狗"),
            ("no lift, +86 13800000001", Some("+8613800000001"), "no lift"),
            ("123", None, ""),
            ("没有", None, ""),
        ] {
            let said = phone(text, &slots::read(text));
            let (phone, rest) = said.map_or((None, String::new()), |(phone, rest)| (Some(phone), rest));
            assert_eq!(phone.as_ref().map(PhoneNumber::as_e164), wanted, "{text}");
            assert_eq!(rest, beside, "{text}");
        }
        assert_eq!(people("陈桂英、王强"), 2);
        assert_eq!(people("Mary Lee and John Lee"), 2);
        assert_eq!(people("陈桂英和王强"), 2);
        assert_eq!(people("李和平"), 1);
        assert_eq!(people(""), 1);
    }
}
