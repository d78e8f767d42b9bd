//! A declared fault, and how far a registration on paper has come.

use serde::{Deserialize, Serialize};

use super::{CommunityId, SiteId};

/// What an incident is about: these sites and the homes of these communities, or (both empty) the whole city.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentScope {
    /// Sites where nobody can be registered.
    pub sites: Vec<SiteId>,
    /// Communities whose people cannot be registered.
    pub communities: Vec<CommunityId>,
}

impl IncidentScope {
    /// It is about the whole city.
    pub fn is_everywhere(&self) -> bool {
        self.sites.is_empty() && self.communities.is_empty()
    }
}

/// How far a registration on paper has come on its way into the registration system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManualState {
    /// It waits for its turn.
    Waiting,
    /// It was sent; the answer is awaited.
    Sent,
    /// Final: the registration system has it.
    Registered,
    /// Final: the registration system will not take it.
    Refused,
}

impl ManualState {
    /// Every state, in order.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Registered, Self::Refused];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Registered => "registered",
            Self::Refused => "refused",
        }
    }
}
