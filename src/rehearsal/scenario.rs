//! What goes wrong in a rehearsal.

use clap::ValueEnum;
use serde::Serialize;

/// What happens on the rehearsed day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Nothing goes wrong.
    Nominal,
    /// The registration system falls to 40 % of its capacity for 20 minutes.
    CapacityDrop,
    /// A rumour brings 170 % of the capacity in sessions by others for 10 minutes.
    Rumour,
    /// The capacity drops while the load feed is silent.
    SilentFeed,
    /// People act twice as fast, and later half as fast, as the law takes them to.
    #[value(name = "kernel-off-by-2")]
    #[serde(rename = "kernel-off-by-2")]
    KernelOffBy2,
    /// Everybody is told at once to come at 17:30.
    #[value(name = "chengdu-2022")]
    #[serde(rename = "chengdu-2022")]
    Chengdu2022,
}

/// What may be left out of a rehearsal, to see what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// Starts are not spread: all windows of half an hour start together, and none moves.
    Spread,
    /// The load steers nothing: units are told as planned, whatever happens.
    Feedback,
    /// Told windows never move, and nobody is told to stay calm.
    Moves,
    /// The forecast knows nothing of windows that moved.
    ForecastOfMoves,
}

/// Another way to read what the reference model leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Those who come whenever they like come between the first window and the last, not within 24 hours.
    WheneverInRound,
    /// Those whom a rumour brings try again when they fail, like everybody else.
    RumourRetries,
}

/// How the reference model is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Readings {
    /// See [`Reading::WheneverInRound`].
    pub whenever_in_round: bool,
    /// See [`Reading::RumourRetries`].
    pub rumour_retries: bool,
}

impl FromIterator<Reading> for Readings {
    fn from_iter<I: IntoIterator<Item = Reading>>(readings: I) -> Self {
        let mut read = Self::default();
        for reading in readings {
            match reading {
                Reading::WheneverInRound => read.whenever_in_round = true,
                Reading::RumourRetries => read.rumour_retries = true,
            }
        }
        read
    }
}

const MINUTE: u32 = 60;
/// The disturbance begins so long after the first window.
const AFTER_FIRST_WINDOW: u32 = 90 * MINUTE;
const DROP_FOR: u32 = 20 * MINUTE;
const DROP_TO: f64 = 0.4;
const RUMOUR_FOR: u32 = 10 * MINUTE;
const RUMOUR_FADES: u32 = 5 * MINUTE;
const RUMOUR_SHARE: f64 = 1.7;
const SILENT_FROM: u32 = 88 * MINUTE;
const SILENT_TO: u32 = 118 * MINUTE;

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 6] = [
        Self::Nominal,
        Self::CapacityDrop,
        Self::Rumour,
        Self::SilentFeed,
        Self::KernelOffBy2,
        Self::Chengdu2022,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nominal => "nominal",
            Self::CapacityDrop => "capacity-drop",
            Self::Rumour => "rumour",
            Self::SilentFeed => "silent-feed",
            Self::KernelOffBy2 => "kernel-off-by-2",
            Self::Chengdu2022 => "chengdu-2022",
        }
    }

    /// The share of its capacity that the registration system has, `since` seconds after the first window.
    pub fn capacity(self, since: i64) -> f64 {
        let drops = matches!(self, Self::CapacityDrop | Self::SilentFeed);
        if drops && within(since, AFTER_FIRST_WINDOW, DROP_FOR) {
            DROP_TO
        } else {
            1.0
        }
    }

    /// Sessions by others, as a share of the nominal capacity. They look once and do not come again.
    pub fn others(self, since: i64) -> f64 {
        if self != Self::Rumour {
            return 0.0;
        }
        let fading = since - i64::from(AFTER_FIRST_WINDOW + RUMOUR_FOR);
        if within(since, AFTER_FIRST_WINDOW, RUMOUR_FOR) {
            RUMOUR_SHARE
        } else if (0..i64::from(RUMOUR_FADES)).contains(&fading) {
            RUMOUR_SHARE * (1.0 - fading as f64 / f64::from(RUMOUR_FADES))
        } else {
            0.0
        }
    }

    /// Whether the load feed says nothing.
    pub fn is_silent(self, since: i64) -> bool {
        self == Self::SilentFeed && within(since, SILENT_FROM, SILENT_TO - SILENT_FROM)
    }

    /// How many times as slowly people act, at this share of the round's time.
    pub fn time_scale(self, share: f64) -> f64 {
        match self {
            Self::KernelOffBy2 if share < 0.5 => 0.5,
            Self::KernelOffBy2 => 2.0,
            _ => 1.0,
        }
    }

    /// When the disturbance is over, in seconds after the first window; none where there is none.
    pub fn disturbed_until(self) -> Option<i64> {
        match self {
            Self::CapacityDrop => Some(i64::from(AFTER_FIRST_WINDOW + DROP_FOR)),
            Self::Rumour => Some(i64::from(AFTER_FIRST_WINDOW + RUMOUR_FOR + RUMOUR_FADES)),
            Self::SilentFeed => Some(i64::from(SILENT_TO)),
            Self::Nominal | Self::KernelOffBy2 | Self::Chengdu2022 => None,
        }
    }

    /// When the feed falls silent, in seconds after the first window.
    pub fn silent_from(self) -> Option<i64> {
        (self == Self::SilentFeed).then_some(i64::from(SILENT_FROM))
    }
}

fn within(since: i64, from: u32, length: u32) -> bool {
    (i64::from(from)..i64::from(from + length)).contains(&since)
}
