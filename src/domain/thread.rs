//! A talk between a resident and the workers of their community, once the bot has handed over.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a person was asked to take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadReason {
    /// Danger, distress or violence.
    Danger,
    /// The resident asked for a person.
    Asked,
    /// A need that no approved text covers.
    Need,
    /// Whether a pass still counts, which Weir could not say.
    Pass,
    /// Sampling at home.
    Visit,
    /// A price, a queue or other trouble that is reported.
    Report,
}

impl ThreadReason {
    /// Every reason, the most pressing first.
    pub const ALL: [Self; 6] = [
        Self::Danger,
        Self::Asked,
        Self::Need,
        Self::Pass,
        Self::Visit,
        Self::Report,
    ];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Danger => "danger",
            Self::Asked => "asked",
            Self::Need => "need",
            Self::Pass => "pass",
            Self::Visit => "visit",
            Self::Report => "report",
        }
    }

    /// The reason of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// Who wrote a message of a thread: by id, never by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadAuthor {
    /// The resident.
    Resident,
    /// The machine's owner, on the command line.
    Owner,
    /// Weir itself, which closes what nobody goes on with.
    Weir,
    /// A worker, by row id.
    Worker(i64),
}

impl fmt::Display for ThreadAuthor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resident => f.write_str("resident"),
            Self::Owner => f.write_str("owner"),
            Self::Weir => f.write_str("weir"),
            Self::Worker(id) => write!(f, "worker:{id}"),
        }
    }
}

impl FromStr for ThreadAuthor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "resident" => Ok(Self::Resident),
            "owner" => Ok(Self::Owner),
            "weir" => Ok(Self::Weir),
            _ => text
                .strip_prefix("worker:")
                .and_then(|id| id.parse().ok())
                .map(Self::Worker)
                .ok_or_else(|| format!("{text:?} is no author of a thread")),
        }
    }
}
