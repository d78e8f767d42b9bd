//! Something that a worker has to say to an audience: whom it concerns, in which words, and how many that makes. Pure.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Area, ChannelKind, Lane, Language, Tag, UnitPlace};

/// Characters that one text may have: eight SMS parts, and far less than Telegram takes.
pub const BROADCAST_CHARACTERS_MAX: usize = 500;

/// A part of the city down to a unit, by name; empty for all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlaceRule(pub Vec<String>);

/// The text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a place: write city, or from the district down as DISTRICT/STREET/COMMUNITY/BUILDING/UNIT")]
pub struct UnknownPlace;

impl PlaceRule {
    /// The unit lies in it.
    pub fn holds(&self, place: &UnitPlace) -> bool {
        let path = [
            &place.district,
            &place.street,
            &place.community,
            &place.building,
            &place.unit,
        ];
        self.0.len() <= path.len() && self.0.iter().zip(path).all(|(own, name)| own == name)
    }

    /// The area whose workers may write to it.
    pub fn area(&self) -> Area {
        match self.0.as_slice() {
            [] => Area::City,
            [district] => Area::District(district.clone()),
            [district, street] => Area::Street([district.clone(), street.clone()]),
            [district, street, community, ..] => {
                Area::Community([district.clone(), street.clone(), community.clone()])
            }
        }
    }
}

impl fmt::Display for PlaceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("city");
        }
        f.write_str(&self.0.join("/"))
    }
}

impl FromStr for PlaceRule {
    type Err = UnknownPlace;
    fn from_str(text: &str) -> Result<Self, UnknownPlace> {
        if text.trim() == "city" {
            return Ok(Self::default());
        }
        let parts: Vec<String> = text.split('/').map(|part| part.trim().to_owned()).collect();
        if parts.len() > 5 || parts.iter().any(String::is_empty) {
            return Err(UnknownPlace);
        }
        Ok(Self(parts))
    }
}

/// Whom a broadcast concerns: everybody of these places who fits all else that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// Where they live; the whole city where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlaceRule>,
    /// Only those of this lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// Only those with at least one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Only those who are written to in one of these languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<Language>,
}

impl Audience {
    /// What must be covered by the scope of whoever writes to it.
    pub fn areas(&self) -> Vec<Area> {
        if self.places.is_empty() {
            return vec![Area::City];
        }
        self.places.iter().map(PlaceRule::area).collect()
    }

    /// It asks for what only the roster knows of a resident.
    pub fn asks_of_residents(&self) -> bool {
        self.lane.is_some() || !self.tags.is_empty()
    }

    /// Somebody with these tags fits.
    pub fn fits(&self, tags: &[Tag]) -> bool {
        let green = tags.iter().any(|tag| tag.is_green());
        let lane = self.lane.is_none_or(|lane| (lane == Lane::Green) == green);
        lane && (self.tags.is_empty() || self.tags.iter().any(|tag| tags.contains(tag)))
    }

    /// Somebody who is written to in this language fits.
    pub fn speaks(&self, language: Language) -> bool {
        self.languages.is_empty() || self.languages.contains(&language)
    }
}

/// One text in the languages that somebody wrote it in. Nothing is translated by itself.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Words(pub BTreeMap<Language, String>);

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({} languages)", self.0.len())
    }
}

impl Words {
    /// What somebody of this language reads: their own language, the other way of writing Chinese, the city's
    /// language, or whichever there is.
    pub fn for_reader(&self, language: Language, city: Language) -> Option<&str> {
        let near = match language {
            Language::ZhHans => Some(Language::ZhHant),
            Language::ZhHant => Some(Language::ZhHans),
            Language::En => None,
        };
        let mut wanted = [Some(language), near, Some(city)].into_iter().flatten();
        wanted
            .find_map(|language| self.0.get(&language))
            .or_else(|| self.0.values().next())
            .map(String::as_str)
    }
}

/// How many a broadcast reaches, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroadcastCount {
    /// People who will read it: residents, and chats that chose a home there.
    pub people: u64,
    /// Messages that will leave: several people may share a contact.
    pub messages: u64,
    /// Of the messages, those by Telegram.
    pub telegram: u64,
    /// Of the messages, those by SMS.
    pub sms: u64,
    /// Parts that the text messages take.
    pub sms_parts: u64,
    /// People whose contact has opted out.
    pub opted_out: u64,
    /// People without a contact, or whose contact does not work.
    pub unreached: u64,
    /// Messages by the language of their reader.
    pub languages: BTreeMap<Language, u64>,
}

impl BroadcastCount {
    /// A message to somebody of this language.
    pub fn add_message(&mut self, channel: ChannelKind, language: Language, parts: u32) {
        self.messages += 1;
        *self.languages.entry(language).or_default() += 1;
        match channel {
            ChannelKind::Telegram => self.telegram += 1,
            ChannelKind::Sms => {
                self.sms += 1;
                self.sms_parts += u64::from(parts);
            }
        }
    }

    /// The two together.
    pub fn add(&mut self, other: &Self) {
        self.people += other.people;
        self.messages += other.messages;
        self.telegram += other.telegram;
        self.sms += other.sms;
        self.sms_parts += other.sms_parts;
        self.opted_out += other.opted_out;
        self.unreached += other.unreached;
        for (language, count) in &other.languages {
            *self.languages.entry(*language).or_default() += count;
        }
    }

    /// The languages of readers for which there is no text of their own, with the messages each concerns.
    pub fn missing(&self, words: &Words) -> Vec<(Language, u64)> {
        let lacks = |(language, count): (&Language, &u64)| {
            (*count > 0 && !words.0.contains_key(language)).then_some((*language, *count))
        };
        self.languages.iter().filter_map(lacks).collect()
    }

    /// What the text messages cost at this price a part.
    pub fn cost(&self, price_per_part: f64) -> f64 {
        self.sms_parts as f64 * price_per_part
    }
}

/// How far a broadcast is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BroadcastState {
    /// Written and counted; nobody has confirmed it.
    Draft,
    /// Confirmed; another person must approve it.
    Waiting,
    /// A repeating one whose runs begin by themselves.
    Active,
    /// It goes out.
    Sending,
    /// What has not left is held.
    Paused,
    /// Final: everything has come to its end.
    Done,
    /// Final: withdrawn; what had not left never will.
    Cancelled,
    /// Final: a run that was missed and not made up for.
    Skipped,
}

impl BroadcastState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::Waiting,
        Self::Active,
        Self::Sending,
        Self::Paused,
        Self::Done,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Sending => "sending",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What happens to a repeating broadcast's run that was due while nobody worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// It is left out.
    #[default]
    Skip,
    /// The latest one is made up for.
    Run,
}

impl Missed {
    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Run => "run",
        }
    }
}

impl FromStr for Missed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "skip" => Ok(Self::Skip),
            "run" => Ok(Self::Run),
            _ => Err("write run or skip".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[(Language, &str)]) -> Words {
        Words(
            texts
                .iter()
                .map(|(language, text)| (*language, (*text).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn each_reads_the_nearest_text_there_is() {
        let both = words(&[(Language::ZhHans, "简"), (Language::En, "en")]);
        assert_eq!(both.for_reader(Language::En, Language::ZhHans), Some("en"));
        assert_eq!(both.for_reader(Language::ZhHant, Language::En), Some("简"));
        let one = words(&[(Language::ZhHant, "繁")]);
        assert_eq!(one.for_reader(Language::En, Language::ZhHans), Some("繁"));
        assert_eq!(Words::default().for_reader(Language::En, Language::En), None);
    }

    #[test]
    fn a_missing_language_is_pointed_out_with_its_readers() {
        let mut count = BroadcastCount::default();
        count.add_message(ChannelKind::Sms, Language::ZhHans, 2);
        count.add_message(ChannelKind::Telegram, Language::En, 1);
        let other = count.clone();
        count.add(&other);
        assert_eq!(
            (count.messages, count.sms, count.telegram, count.sms_parts),
            (4, 2, 2, 4)
        );
        assert_eq!(
            count.missing(&words(&[(Language::ZhHans, "简")])),
            [(Language::En, 2)]
        );
        assert!((count.cost(0.05) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn an_audience_is_by_place_lane_and_tag() {
        let place = UnitPlace {
            district: "甲".into(),
            street: "乙".into(),
            community: "丙".into(),
            building: "3栋".into(),
            unit: "2单元".into(),
        };
        let holds = |rule: &str| rule.parse::<PlaceRule>().expect(rule).holds(&place);
        for rule in [
            "city",
            "甲",
            "甲/乙",
            "甲/乙/丙",
            "甲/乙/丙/3栋",
            "甲/乙/丙/3栋/2单元",
        ] {
            assert!(holds(rule), "{rule}");
        }
        for rule in ["乙", "甲/丙", "甲/乙/丙/3栋/1单元"] {
            assert!(!holds(rule), "{rule}");
        }
        let community = Area::Community(["甲".into(), "乙".into(), "丙".into()]);
        assert_eq!(
            "甲/乙/丙/3栋".parse::<PlaceRule>().expect("reads").area(),
            community
        );
        assert!("a/b/c/d/e/f".parse::<PlaceRule>().is_err());
        let green = Audience {
            lane: Some(Lane::Green),
            ..Audience::default()
        };
        assert!(green.fits(&[Tag::Student]) && !green.fits(&[Tag::LimitedMobility]) && !green.fits(&[]));
        let tagged = Audience {
            tags: vec![Tag::NoSmartphone],
            ..Audience::default()
        };
        assert!(tagged.fits(&[Tag::Elderly, Tag::NoSmartphone]) && !tagged.fits(&[Tag::Elderly]));
    }
}
