//! Who is reached, and in which language.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A phone number in E.164 form, `+` and up to 15 digits.
///
/// Invariant: only [`PhoneNumber::parse`] makes one. `Debug` shows the mask, so that no log carries a number.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

/// The text is no phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number: write it as 11 digits, or with + and the country code")]
pub struct BadPhone;

impl PhoneNumber {
    /// Reads a number as people write it; without a country code it is taken to be of mainland China.
    pub fn parse(text: &str) -> Result<Self, BadPhone> {
        if let Some(mobile) = plain_mobile(text) {
            return Ok(Self(format!("+86{mobile}")));
        }
        Self::parse_any(text)
    }

    fn parse_any(text: &str) -> Result<Self, BadPhone> {
        // Full-width digits and spaces are what Chinese input methods leave behind.
        let text: String = unicode_normalization::UnicodeNormalization::nfkc(text.trim()).collect();
        if text.len() > 32 {
            return Err(BadPhone);
        }
        let number = phonenumber::parse(Some(phonenumber::country::Id::CN), &text).map_err(|_| BadPhone)?;
        if !phonenumber::is_viable(&text) || !number.is_valid() {
            return Err(BadPhone);
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }

    /// The number in E.164 form. Personal data: for sending and hashing only.
    pub fn as_e164(&self) -> &str {
        &self.0
    }

    /// What listings show: `+86199****0001`.
    pub fn masked(&self) -> String {
        let shown_head = if self.0.len() > 10 { 6 } else { 3 };
        let tail = self.0.len().saturating_sub(4);
        format!(
            "{}****{}",
            &self.0[..shown_head.min(self.0.len())],
            &self.0[tail..]
        )
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The eleven digits of a mainland mobile number that is written plainly, with or without +86.
///
/// The reading of any number in the world takes some 20 µs, more than all the rest of a roster's row, and nearly
/// every number in a roster has this form. Only ranges of which the `phonenumber` crate takes every number are
/// here (a test compares); all others are left to it.
fn plain_mobile(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("+86").unwrap_or(text);
    let &[b'1', second, third, ..] = digits.as_bytes() else {
        return None;
    };
    let in_use = match second {
        b'3' | b'8' => true,
        b'4' => matches!(third, b'5' | b'7'),
        b'5' | b'9' => third != b'4',
        b'6' => matches!(third, b'2' | b'5'..=b'7'),
        b'7' => !matches!(third, b'4' | b'9'),
        _ => false,
    };
    (in_use && digits.len() == 11 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// The languages residents are written to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Language {
    /// Simplified Chinese, the default.
    #[default]
    #[serde(rename = "zh-Hans")]
    ZhHans,
    /// Traditional Chinese.
    #[serde(rename = "zh-Hant")]
    ZhHant,
    /// English.
    #[serde(rename = "en")]
    En,
}

/// The text names no language that Weir speaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a language Weir speaks: use zh-Hans, zh-Hant or en")]
pub struct UnknownLanguage;

impl Language {
    /// Every language, the default first.
    pub const ALL: [Self; 3] = [Self::ZhHans, Self::ZhHant, Self::En];

    /// The BCP 47 tag.
    pub fn code(self) -> &'static str {
        match self {
            Self::ZhHans => "zh-Hans",
            Self::ZhHant => "zh-Hant",
            Self::En => "en",
        }
    }

    /// The nearest language to a client's BCP 47 tag (`zh-TW`, `en-US`, …), if there is one.
    pub fn nearest(tag: &str) -> Option<Self> {
        let tag = tag.to_ascii_lowercase().replace('_', "-");
        match tag.split('-').next() {
            Some("zh")
                if ["hant", "tw", "hk", "mo"]
                    .iter()
                    .any(|part| tag.split('-').any(|p| p == *part)) =>
            {
                Some(Self::ZhHant)
            }
            Some("zh") => Some(Self::ZhHans),
            Some("en") => Some(Self::En),
            _ => None,
        }
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|l| l.code().eq_ignore_ascii_case(text.trim()))
            .ok_or(UnknownLanguage)
    }
}

/// What the offices note about a resident. Personal data, stored encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// Goes to school.
    Student,
    /// Elderly.
    Elderly,
    /// Keeps the city running during a lockdown.
    CitySupport,
    /// Cannot walk to a site.
    LimitedMobility,
    /// Has no smartphone.
    NoSmartphone,
}

/// The text is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown tag: use student, elderly, city_support, limited_mobility or no_smartphone, split by ;")]
pub struct UnknownTag;

impl Tag {
    /// Every tag.
    pub const ALL: [Self; 5] = [
        Self::Student,
        Self::Elderly,
        Self::CitySupport,
        Self::LimitedMobility,
        Self::NoSmartphone,
    ];

    /// Who has it may use the green lane.
    pub fn is_green(self) -> bool {
        matches!(self, Self::Student | Self::Elderly | Self::CitySupport)
    }

    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Elderly => "elderly",
            Self::CitySupport => "city_support",
            Self::LimitedMobility => "limited_mobility",
            Self::NoSmartphone => "no_smartphone",
        }
    }
}

impl FromStr for Tag {
    type Err = UnknownTag;
    fn from_str(text: &str) -> Result<Self, UnknownTag> {
        Self::ALL
            .into_iter()
            .find(|tag| tag.as_str() == text.trim())
            .ok_or(UnknownTag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_read_as_people_write_them() {
        for text in [
            "+8613900000001",
            "139 0000 0001",
            "13900000001",
            "0086 139-0000-0001",
            "139００００0001",
        ] {
            assert_eq!(
                PhoneNumber::parse(text).map(|p| p.as_e164().to_owned()),
                Ok("+8613900000001".into()),
                "{text}"
            );
        }
        assert_eq!(
            PhoneNumber::parse("+8619900000001").map(|p| p.masked()),
            Ok("+86199****0001".into())
        );
        for text in [
            "",
            "12345",
            "+86 1990000",
            "电话未登记",
            "+8619900000000000000",
            &"1".repeat(4096),
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(BadPhone), "{text}");
        }
    }

    #[test]
    fn plain_mobile_numbers_are_read_as_any_other() {
        for range in 100..200 {
            for rest in [
                "00000000",
                "00000001",
                "12345678",
                "55555555",
                "86139000",
                "99999999",
                "1234567",
                "123456789",
            ] {
                for text in [format!("{range}{rest}"), format!("+86{range}{rest}")] {
                    assert_eq!(PhoneNumber::parse(&text), PhoneNumber::parse_any(&text), "{text}");
                }
            }
        }
        assert_eq!(plain_mobile("+8619900000001"), Some("19900000001"));
        assert_eq!(plain_mobile("1990000000x"), None);
    }

    #[test]
    fn no_debug_output_carries_a_number() {
        let phone = PhoneNumber::parse("+8619912345678").expect("valid");
        assert!(!format!("{phone:?}").contains("12345678"));
    }

    #[test]
    fn a_clients_language_tag_finds_the_nearest() {
        assert_eq!(Language::nearest("zh-TW"), Some(Language::ZhHant));
        assert_eq!(Language::nearest("zh-hans"), Some(Language::ZhHans));
        assert_eq!(Language::nearest("zh"), Some(Language::ZhHans));
        assert_eq!(Language::nearest("en-GB"), Some(Language::En));
        assert_eq!(Language::nearest("fr"), None);
    }
}
