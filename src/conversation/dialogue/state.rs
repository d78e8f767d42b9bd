//! Where a person's dialogue stands between two messages.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    turn::{TimeOffer, VisitEdit},
    visit::VisitDraft,
};
use crate::{
    conversation::{
        challenge::{Challenge, CodesSent},
        places::Area,
        visit_choice::Field,
    },
    domain::{ResidentId, RoundId, UnitId, VisitId},
};

/// Where a dialogue stands. Stored encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    #[serde(default)]
    pub(super) step: Step,
    /// The choices last shown, as button data: a digit means the choice at its place.
    #[serde(default)]
    pub(super) options: Vec<String>,
    /// When codes were sent to this person.
    #[serde(default)]
    pub(super) codes: CodesSent,
    /// When it was last said that only words are read: an album is one message for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) words_only_at: Option<DateTime<Utc>>,
    /// A request for a visit that is not sent yet. It stands beside the step: whatever is asked in between, it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) visit: Option<VisitDraft>,
}

impl State {
    /// The state of a stored text; one that this version does not know becomes idle.
    pub fn from_stored(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or(Self {
            step: Step::Idle,
            ..Self::default()
        })
    }

    /// The text to store.
    pub fn to_stored(&self) -> String {
        serde_json::to_string(self).expect("a state is plain data")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Nothing has been said yet.
    #[default]
    New,
    Idle,
    /// Asked where the person lives, within an area that they have chosen.
    Home {
        within: Option<Area>,
    },
    /// Asked for the phone number.
    Phone,
    /// Asked which of these residents the person is.
    Which {
        offers: Vec<Offer>,
    },
    /// Asked to repeat a code before a change.
    Confirm {
        change: Change,
        challenge: Challenge,
    },
    /// Asked which of several windows is to be changed.
    WhichTime {
        of: Vec<(RoundId, UnitId)>,
    },
    /// Asked to choose another time.
    OtherTime {
        offers: Vec<TimeOffer>,
    },
    /// Asked for this of a visit: of the request that is being made, or of one that was made.
    Visit {
        at: Field,
        within: Option<Area>,
        of: Option<VisitId>,
    },
    /// Asked whether the request is right.
    VisitSummary,
}

/// A resident that a phone number may belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) resident: ResidentId,
    pub(super) unit: UnitId,
    pub(super) masked_name: String,
}

/// A change that a text message asked for. Senders of text messages can be forged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    Home(UnitId),
    StopEverywhere,
    Time(TimeOffer),
    Forget,
    /// To ask for the visit that the state holds.
    AskVisit,
    Visit {
        visit: VisitId,
        edit: VisitEdit,
    },
}
