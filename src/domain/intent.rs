//! What residents want: a closed list, each with the id that files and texts call it by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! intents {
    ($($(#[$doc:meta])* $name:ident = $id:literal,)*) => {
        /// What a message wants.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Intent { $($(#[$doc])* $name,)* }

        impl Intent {
            /// Every intent; the two outcomes that no approved text answers come last.
            pub const ALL: [Self; [$($id),*].len()] = [$(Self::$name),*];

            /// The id, as `find-time-window`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
        }
    };
}

intents! {
    /// When and where they, or their building, are tested.
    FindTimeWindow = "find-time-window",
    /// Another time, because they missed theirs or cannot come.
    ChangeTimeWindow = "change-time-window",
    /// What gets them in and out of their compound.
    PassRules = "pass-rules",
    /// Whether their own proof or pass still counts, or until when.
    CheckPassValidity = "check-pass-validity",
    /// To get or replace an entry card or an electronic pass.
    GetPass = "get-pass",
    /// Help with the health code.
    HealthCode = "health-code",
    /// What to show on bus or metro.
    PublicTransportAccess = "public-transport-access",
    /// Whether buses, metro and taxis run.
    TransportStatus = "transport-status",
    /// What an ordinary hospital visit needs.
    HospitalAccess = "hospital-access",
    /// Urgent care: whether an emergency department is open.
    EmergencyCare = "emergency-care",
    /// Sampling at home for somebody who cannot come.
    HomeSamplingApply = "home-sampling-apply",
    /// How far a request for sampling at home has come.
    HomeSamplingStatus = "home-sampling-status",
    /// To withdraw a request for sampling at home.
    HomeSamplingCancel = "home-sampling-cancel",
    /// Who qualifies for sampling at home.
    HomeSamplingEligibility = "home-sampling-eligibility",
    /// Who may use the green lane, and how.
    GreenLane = "green-lane",
    /// What to bring and wear.
    WhatToBring = "what-to-bring",
    /// What to do once sampled.
    AfterSampling = "after-sampling",
    /// The registration system, a code or a page does not work.
    SystemOutage = "system-outage",
    /// To be tested without a working smartphone.
    NoSmartphone = "no-smartphone",
    /// Whether a missed test harms school enrolment; when school starts.
    MissedTestEnrolment = "missed-test-enrolment",
    /// Whether food, shops, water, power and gas are normal.
    SuppliesStatus = "supplies-status",
    /// To report a price that was pushed up.
    PriceGougingReport = "price-gouging-report",
    /// To report a queue, crowding, shortage or other trouble at a site.
    ReportIncident = "report-incident",
    /// To start getting notices.
    OptIn = "opt-in",
    /// To stop getting notices.
    OptOut = "opt-out",
    /// Another language or script.
    ChangeLanguage = "change-language",
    /// A person.
    TalkToHuman = "talk-to-human",
    /// Hello, thanks, or what the bot can do.
    HelpMenu = "help-menu",
    /// A real need that no approved text covers: a community worker takes it.
    Human = "human",
    /// Nothing to answer: the fixed text with the menu.
    None = "none",
}

/// The text is no intent's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an intent")]
pub struct UnknownIntent;

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Intent {
    type Err = UnknownIntent;
    fn from_str(id: &str) -> Result<Self, UnknownIntent> {
        Self::ALL
            .into_iter()
            .find(|intent| intent.as_str() == id)
            .ok_or(UnknownIntent)
    }
}
