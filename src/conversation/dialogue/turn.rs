//! What a turn of the dialogue is given, and what comes out of it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::state::State;
use crate::{
    config::CityConfig,
    conversation::places::Places,
    domain::{
        Body, ChannelKind, Language, PhoneNumber, Policy, Proof, ResidentId, RoundId, SiteId, ThreadReason,
        UnitId, Visit, VisitFor, VisitId, Wish,
    },
    i18n::{Texts, Voice},
    understanding::{Intent, Understood},
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
    /// The person has a talk with a worker that is not closed.
    pub in_talk: bool,
    /// Texts are kept so many days.
    pub kept_days: i64,
    /// Reads what is no word, digit or address.
    pub understand: &'a (dyn Fn(&str, Language) -> Understood + Sync),
    /// The approved answer to what a message asks, where there is one.
    pub answer: &'a (dyn Fn(&Voice<'_>, Intent) -> Option<String> + Sync),
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
    /// What is known of a resident's tests; of which one, if the person said.
    Pass(Option<ResidentId>),
    /// The person's visits, and what may be filled in for them in a new request.
    Visits,
    /// To ask for a visit.
    AskVisit(VisitRequest),
    /// To change one.
    ChangeVisit(VisitId, VisitEdit),
}

/// A visit to be asked for. Personal data: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct VisitRequest {
    /// Where.
    pub unit: UnitId,
    /// The door in that unit.
    pub door: String,
    /// For whom.
    pub for_whom: VisitFor,
    /// Who is to be sampled.
    pub name: String,
    /// How many.
    pub people: u32,
    /// Why they cannot come.
    pub reason: String,
    /// What to know at the door.
    pub access: String,
    /// The phone to call.
    pub phone: Option<PhoneNumber>,
    /// When it suits; none: at any time.
    pub wish: Option<Wish>,
}

impl fmt::Debug for VisitRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a visit to unit {} for {}", self.unit, self.for_whom)
    }
}

/// What became of a request for a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitOutcome {
    /// It is on record.
    New,
    /// The same was asked for before.
    Known,
    /// A visit was asked for there before, for others; these people are on it now.
    Joined,
    /// The same, but it can no longer be changed.
    Apart,
}

/// What a resident changes in a visit. Personal data: `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitEdit {
    /// It is not wanted any more.
    Cancel,
    /// It is wanted all the same.
    AskAgain,
    /// Another time suits, or any.
    Move(Option<Wish>),
    /// Another phone is to be called, in E.164 form.
    Phone(String),
    /// What to know at the door.
    Access(String),
}

impl fmt::Debug for VisitEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancel => "cancel",
            Self::AskAgain => "ask again",
            Self::Move(_) => "move",
            Self::Phone(_) => "phone",
            Self::Access(_) => "access",
        })
    }
}

/// The answer to a [`Want`].
#[derive(Clone, Debug, PartialEq)]
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
    /// Several residents are behind the contact, with where they live and their masked names.
    Whose(Vec<(ResidentId, UnitId, String)>),
    /// What is known of the tests of one.
    Proofs {
        /// Their masked name.
        name: String,
        /// What is known.
        found: FoundProofs,
    },
    /// The person's visits.
    Visits(KnownVisits),
    /// The visit that was asked for; or one that there is already.
    VisitAsked {
        /// As it stands.
        own: Box<OwnVisit>,
        /// What became of the request.
        outcome: VisitOutcome,
    },
    /// The home has left the roster.
    VisitNowhere,
    /// The visit that was to be changed; none where the person has no such visit.
    VisitChanged {
        /// As it stands.
        own: Option<Box<OwnVisit>>,
        /// It was changed; else it could not be, as it stands.
        done: bool,
    },
}

/// What a dialogue about visits begins with. Personal data, and without `Debug` for what is written in it.
#[derive(Clone, PartialEq)]
pub struct KnownVisits {
    /// Those that the person is told about, the open ones first.
    pub visits: Vec<OwnVisit>,
    /// Who lives in the households that the contact is proven to stand for. Of nobody else is anything filled in.
    pub people: Vec<HouseholdPerson>,
    /// The person's own number.
    pub phone: Option<PhoneNumber>,
}

impl fmt::Debug for KnownVisits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} visits, {} people", self.visits.len(), self.people.len())
    }
}

/// A visit that the person is told about.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnVisit {
    /// As it stands.
    pub visit: Visit,
    /// They may know the code of the door.
    pub of_household: bool,
}

/// Somebody of a household that a contact stands for. Personal data, and without `Debug` for that.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseholdPerson {
    /// The full name; shown masked.
    pub name: String,
    /// Where they live.
    pub unit: UnitId,
    /// At which door.
    pub door: String,
}

/// What is known of a resident's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundProofs {
    /// The roster has no id of theirs in the registration system.
    NoReference,
    /// There is no registration system to ask.
    NotConnected,
    /// It does not answer now.
    Unavailable,
    /// It does not know them.
    Unknown,
    /// Their tests, and the rules on record.
    Known {
        /// The newest first.
        proofs: Vec<Proof>,
        /// In force or not.
        policies: Vec<Policy>,
    },
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
    /// The reply is another screen of the same menu: it may take the place of the message that was tapped.
    pub in_place: bool,
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
    /// The windows of a unit, which are public.
    WindowsOf(UnitId),
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
    /// Open a talk with the workers of the person's community, with the message they sent.
    OpenTalk {
        /// Why.
        reason: ThreadReason,
        /// Danger was spoken of.
        urgent: bool,
    },
    /// Add the message to the talk.
    AddToTalk {
        /// Danger was spoken of.
        urgent: bool,
    },
    /// End the talk.
    CloseTalk,
    /// Erase what the person wrote, was told and chose.
    Forget,
}
