//! What a negative test is worth, where, and for how long: a rule with the dates it is in force.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// An effective-dated rule: what a test is good for, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name on record, such as `48h-2022-09-03`.
    pub id: String,
    /// What a pass by this rule is for.
    pub purposes: Vec<Purpose>,
    /// For so many hours a negative test counts.
    pub hours: u32,
    /// Where the hours begin; unset where the rule does not say.
    pub counted_from: Option<CountedFrom>,
    /// What must be shown beside the test: one of these is enough. None: the test alone.
    pub needs: Vec<Need>,
    /// The first instant of its force.
    pub from: DateTime<Utc>,
    /// The instant from which it holds no longer; none while no end is set.
    pub to: Option<DateTime<Utc>>,
    /// Who said so, and where it can be read.
    pub source: String,
}

impl Policy {
    /// It holds at this instant: from the first instant on, up to and without the last.
    pub fn is_in_force(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// For so long a test counts.
    pub fn counts_for(&self) -> TimeDelta {
        TimeDelta::hours(self.hours.into())
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every one, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stored and printed word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let known = Self::ALL.iter().copied().find(|one| one.as_str() == text.trim());
                known.ok_or_else(|| {
                    let words: Vec<_> = Self::ALL.iter().map(|one| one.as_str()).collect();
                    format!("{text:?} is no {}: use {}", $what, words.join(" or "))
                })
            }
        }
    };
}

words! {
    /// What a pass is for.
    Purpose, "purpose" {
        /// In and out of the gate of one's compound.
        Gate = "gate",
        /// Bus and metro.
        PublicTransport = "public_transport",
        /// An ordinary visit to a hospital.
        Hospital = "hospital",
    }
}

words! {
    /// Where a policy's hours begin.
    CountedFrom, "beginning of the hours" {
        /// When the sample was taken.
        SampledAt = "sampled_at",
        /// When the result was reported.
        ReportedAt = "reported_at",
    }
}

words! {
    /// What is shown beside a test.
    Need, "thing to be shown" {
        /// The compound's entry card (出入登记卡).
        EntryCard = "entry_card",
        /// The electronic pass (电子通行证).
        EPass = "e_pass",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_from_its_first_instant_to_before_its_last() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        let mut policy = Policy {
            id: "a".into(),
            purposes: vec![Purpose::Gate],
            hours: 48,
            counted_from: None,
            needs: Vec::new(),
            from: at("2022-09-02T16:00:00Z"),
            to: None,
            source: String::new(),
        };
        assert!(!policy.is_in_force(at("2022-09-02T15:59:59.999Z")));
        assert!(policy.is_in_force(at("2022-09-02T16:00:00Z")));
        assert!(policy.is_in_force(at("2032-01-01T00:00:00Z")));
        policy.to = Some(at("2022-09-05T16:00:00Z"));
        assert!(policy.is_in_force(at("2022-09-05T15:59:59.999Z")));
        assert!(!policy.is_in_force(at("2022-09-05T16:00:00Z")));
    }

    #[test]
    fn words_are_read_back() {
        for purpose in Purpose::ALL {
            assert_eq!(purpose.as_str().parse(), Ok(*purpose));
        }
        assert_eq!(
            "wc".parse::<Need>(),
            Err("\"wc\" is no thing to be shown: use entry_card or e_pass".into())
        );
    }
}
