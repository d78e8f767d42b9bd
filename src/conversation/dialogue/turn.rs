//! What a turn of the dialogue is given, and what comes out of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::state::State;
use crate::{
    config::CityConfig,
    conversation::places::Places,
    domain::{Body, ChannelKind, Language, ResidentId, RoundId, SiteId, UnitId},
    i18n::Texts,
};

/// All that a turn may depend on beside the state and the message.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Where the person writes from.
    pub channel: ChannelKind,
    /// What is on record of them.
    pub person: &'a Person,
    /// The city's units.
    pub places: &'a Places,
    /// The approved words.
    pub texts: &'a Texts,
    /// The city's settings.
    pub city: &'a CityConfig,
    /// Begins every text message.
    pub sender_name: &'a str,
    /// The residents registered with the number, when the message is the person's own contact card.
    pub phone_matches: Option<&'a [PhoneMatch]>,
    /// Four digits drawn at random for this turn: what a text message changes is confirmed with them.
    pub fresh_code: &'a str,
    /// What the turn wanted to know: see [`Turn::wants`].
    pub fetched: Option<&'a Fetched>,
    /// The present instant.
    pub now: DateTime<Utc>,
}

/// What a turn must know, or have done, before it can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Which other times the person's household may have; of one of its windows, if they named it.
    OtherTimes(Option<(RoundId, UnitId)>),
    /// To take one of them.
    Take(TimeOffer),
}

/// The answer to a [`Want`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The person is not known to be on the roster.
    NotProven,
    /// They have no window that could be changed.
    NothingToChange,
    /// Their window is near, or under way.
    TooNear(Time),
    /// They have several windows.
    Which(Vec<(RoundId, UnitId, Time)>),
    /// Free times in place of this one; none if there is no room. `gone`: the one that was wanted has just been taken.
    Offers {
        /// The present time.
        instead_of: Time,
        /// Free ones.
        offers: Vec<(TimeOffer, Time)>,
        /// It was too late.
        gone: bool,
    },
    /// It is theirs.
    Taken,
}

/// When and where, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// The site's name.
    pub site: String,
    /// The home's short name.
    pub place: String,
}

/// A free time, as it is kept until it is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeOffer {
    /// In which round.
    pub round: RoundId,
    /// Whose home.
    pub unit: UnitId,
    /// Where.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
}

/// What is on record of the person behind one contact.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// The language they chose, if they did.
    pub language: Option<Language>,
    /// The language of their client, where the channel knows it.
    pub client_language: Option<Language>,
    /// They want no notices.
    pub stopped: bool,
    /// Residents proven to be behind this contact.
    pub residents: Vec<PersonResident>,
    /// The unit whose windows they asked to follow.
    pub home: Option<UnitId>,
}

/// A resident proven to be behind a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonResident {
    /// Who.
    pub resident: ResidentId,
    /// Where they live.
    pub unit: UnitId,
}

/// A resident registered with a phone number. Personal data, and without `Debug` for that.
#[derive(Clone)]
pub struct PhoneMatch {
    /// Who.
    pub resident: ResidentId,
    /// Where they live.
    pub unit: UnitId,
    /// The full name; shown masked.
    pub name: String,
}

/// What to say, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// To be stored for the next message.
    pub state: State,
    /// In order.
    pub replies: Vec<Reply>,
    /// To be carried out in order, before the replies are sent.
    pub effects: Vec<Effect>,
    /// Set when this is no turn yet: find it out, and step again from the same state with [`Known::fetched`].
    pub wants: Option<Want>,
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These words.
    Say(Body),
    /// The person's windows, as they are after the effects: see [`windows`](crate::i18n::notices::windows).
    Windows,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write to this contact in this language.
    SetLanguage(Language),
    /// No more notices to this address.
    Stop,
    /// No more notices to any address of the person, this one included.
    StopEverywhere,
    /// Notices to this address again.
    Start,
    /// Follow this unit's windows.
    SetHome(UnitId),
    /// This contact is this resident.
    Link(ResidentId),
    /// This contact is none of the residents it was linked to.
    Unlink,
}
