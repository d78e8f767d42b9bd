//! A visit at home: who may do what with it in which state. One table says it; everything else asks the table.

use std::fmt;

use chrono::{DateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::{CommunityId, ContactId, Coordinates, PhoneNumber, TeamId, UnitId, UnitPlace, VisitId};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$of])* $variant),+ }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored and printed word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What a stored word stands for.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

pub(super) use words;

words! {
    /// How far a visit has come.
    VisitState {
        /// Somebody asked for it; nobody has looked at it.
        Asked = "asked",
        /// It will be made; its time is not set.
        Accepted = "accepted",
        /// A team and a time are promised.
        Scheduled = "scheduled",
        /// The team has set out.
        OnTheWay = "on_the_way",
        /// Final: the people were sampled.
        Done = "done",
        /// Final: it will not be made, for a reason that was told.
        Declined = "declined",
        /// Final: it was called off.
        Cancelled = "cancelled",
        /// The team met nobody, or did not come. It can be asked for again.
        Missed = "missed",
    }

    /// In which capacity somebody acts on a visit. An operator and the machine's owner act as coordinators.
    VisitRole {
        /// Who asked for it, or lives there.
        Resident = "resident",
        /// A worker, who may be one of the team.
        Worker = "worker",
        /// A coordinator.
        Coordinator = "coordinator",
        /// Weir itself, as time goes by.
        Clock = "clock",
    }

    /// What can be done with a visit, without the particulars.
    VisitActKind {
        /// It will be made.
        Accept = "accept",
        /// It will not be made.
        Decline = "decline",
        /// This team is to make it.
        Assign = "assign",
        /// A time is promised, or another one.
        Schedule = "schedule",
        /// The team sets out.
        SetOut = "set_out",
        /// The people were sampled.
        Finish = "finish",
        /// Nobody opened the door.
        NotMeet = "not_meet",
        /// The promised time passed and nobody came.
        Lapse = "lapse",
        /// It is wanted all the same.
        AskAgain = "ask_again",
        /// Phone, access notes, reason or number of people are others.
        Amend = "amend",
        /// Another time suits.
        Move = "move",
        /// It is not wanted any more.
        Cancel = "cancel",
    }

    /// Why a visit is not made; residents read approved words for each.
    DeclineReason {
        /// Everybody there can go to a site, by the green lane.
        SiteIsNear = "site_is_near",
        /// The phone was not answered.
        NotReached = "not_reached",
        /// No team goes there.
        OutsideArea = "outside_area",
        /// They have been sampled already.
        NoNeed = "no_need",
        /// The same visit was asked for before.
        Duplicate = "duplicate",
    }

    /// For whom a visit is asked.
    VisitFor {
        /// For the one who asks.
        Myself = "myself",
        /// For somebody of the same family.
        Family = "family",
        /// For a neighbour.
        Neighbour = "neighbour",
    }

    /// What a visitor is, as residents are told.
    VisitorRole {
        /// 护士
        Nurse = "nurse",
        /// 医生
        Doctor = "doctor",
        /// 志愿者
        Volunteer = "volunteer",
        /// 社区工作人员
        Worker = "worker",
    }

    /// To whom a visit went that waited too long.
    RaisedTo {
        /// The coordinator.
        Coordinator = "coordinator",
        /// The operator.
        Operator = "operator",
    }
}

impl VisitState {
    /// Something is still to be done, or can be.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Done | Self::Declined | Self::Cancelled)
    }
}

/// Who acts on a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitBy {
    /// In which capacity.
    pub role: VisitRole,
    /// An id, never a name: `contact:12`, `worker:3`, `owner`, `weir`.
    pub who: String,
}

impl VisitBy {
    /// The person behind a contact.
    pub fn resident(contact: ContactId) -> Self {
        Self {
            role: VisitRole::Resident,
            who: format!("contact:{contact}"),
        }
    }

    /// A worker, such as `worker:3`.
    pub fn worker(who: impl fmt::Display) -> Self {
        Self {
            role: VisitRole::Worker,
            who: who.to_string(),
        }
    }

    /// A coordinator, an operator, or the machine's owner.
    pub fn coordinator(who: impl fmt::Display) -> Self {
        Self {
            role: VisitRole::Coordinator,
            who: who.to_string(),
        }
    }

    /// Weir itself.
    pub fn weir() -> Self {
        Self {
            role: VisitRole::Clock,
            who: "weir".into(),
        }
    }
}

/// When a visit suits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Not before.
    pub from: DateTime<Utc>,
    /// Not after.
    pub to: DateTime<Utc>,
}

/// The time that is promised for a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Who comes.
    pub team: TeamId,
    /// When the team is expected at the door.
    pub at: DateTime<Utc>,
    /// It comes no earlier,
    pub from: DateTime<Utc>,
    /// and no later.
    pub to: DateTime<Utc>,
}

/// What a visit's particulars are from now on; none leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// The phone to call.
    pub phone: Option<PhoneNumber>,
    /// What to know at the door: lift, dog, hard of hearing.
    pub access: Option<String>,
    /// Who is to be sampled.
    pub name: Option<String>,
    /// Why they cannot come.
    pub reason: Option<String>,
    /// How many are to be sampled.
    pub people: Option<u32>,
}

/// What is done with a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VisitAct {
    /// It will be made.
    Accept,
    /// It will not be made.
    Decline(DeclineReason),
    /// This team is to make it; a time is looked for anew.
    Assign(TeamId),
    /// A time is promised, or another one.
    Schedule(Promise),
    /// The team sets out.
    SetOut,
    /// The people were sampled.
    Finish,
    /// Nobody opened the door.
    NotMeet,
    /// The promised time passed and nobody came.
    Lapse,
    /// It is wanted all the same.
    AskAgain,
    /// Some particulars are others.
    Amend(Amendment),
    /// Another time suits, or any.
    Move(Option<Wish>),
    /// It is not wanted any more.
    Cancel,
}

impl VisitAct {
    /// Without the particulars.
    pub fn kind(&self) -> VisitActKind {
        match self {
            Self::Accept => VisitActKind::Accept,
            Self::Decline(_) => VisitActKind::Decline,
            Self::Assign(_) => VisitActKind::Assign,
            Self::Schedule(_) => VisitActKind::Schedule,
            Self::SetOut => VisitActKind::SetOut,
            Self::Finish => VisitActKind::Finish,
            Self::NotMeet => VisitActKind::NotMeet,
            Self::Lapse => VisitActKind::Lapse,
            Self::AskAgain => VisitActKind::AskAgain,
            Self::Amend(_) => VisitActKind::Amend,
            Self::Move(_) => VisitActKind::Move,
            Self::Cancel => VisitActKind::Cancel,
        }
    }
}

/// Why something was not done with a visit. Displayed, a sentence for the staff; people in a chat read other words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VisitRefusal {
    /// No such way leads out of this state.
    #[error("a visit that is {} cannot be {}", state_words(*state), done_words(*act))]
    NotFrom {
        /// What was wanted.
        act: VisitActKind,
        /// How it stands.
        state: VisitState,
    },
    /// Others may do it; in this capacity one may not.
    #[error("only {} can do that: a visit cannot be {} by {}", who_may(*act), done_words(*act), role_words(*role))]
    NotBy {
        /// What was wanted.
        act: VisitActKind,
        /// By whom.
        role: VisitRole,
    },
    /// Somebody else was faster: what was to be changed is no longer as it was seen.
    #[error("{by} was faster: the visit is {} now", state_words(*state))]
    Overtaken {
        /// Who: see [`VisitBy::who`].
        by: String,
        /// When.
        at: DateTime<Utc>,
        /// How it stands now.
        state: VisitState,
    },
    /// There is no visit, or no team, of this number.
    #[error("there is no {0} of this number")]
    Unknown(&'static str),
}

fn state_words(state: VisitState) -> &'static str {
    match state {
        VisitState::OnTheWay => "on the way",
        other => other.as_str(),
    }
}

fn done_words(act: VisitActKind) -> &'static str {
    match act {
        VisitActKind::Accept => "accepted",
        VisitActKind::Decline => "declined",
        VisitActKind::Assign => "given to a team",
        VisitActKind::Schedule => "given a time",
        VisitActKind::SetOut => "set out for",
        VisitActKind::Finish => "done",
        VisitActKind::NotMeet => "marked as not met",
        VisitActKind::Lapse => "given up",
        VisitActKind::AskAgain => "asked for again",
        VisitActKind::Amend => "amended",
        VisitActKind::Move => "moved",
        VisitActKind::Cancel => "cancelled",
    }
}

fn role_words(role: VisitRole) -> &'static str {
    match role {
        VisitRole::Resident => "a resident",
        VisitRole::Worker => "a worker",
        VisitRole::Coordinator => "a coordinator",
        VisitRole::Clock => "Weir itself",
    }
}

fn who_may(act: VisitActKind) -> String {
    let may: Vec<_> = VisitRole::ALL
        .iter()
        .filter(|role| rows(act).any(|row| row.by.contains(role)))
        .map(|role| role_words(*role))
        .collect();
    may.join(" or ")
}

/// One line of the table: who may do what in which states, and the state it leads to.
struct Row {
    act: VisitActKind,
    from: &'static [VisitState],
    /// None: it stays as it is.
    to: Option<VisitState>,
    by: &'static [VisitRole],
}

const STAFF: &[VisitRole] = &[VisitRole::Worker, VisitRole::Coordinator];
const STAFF_AND_CLOCK: &[VisitRole] = &[VisitRole::Worker, VisitRole::Coordinator, VisitRole::Clock];
const PEOPLE: &[VisitRole] = &[VisitRole::Resident, VisitRole::Worker, VisitRole::Coordinator];

/// Every allowed transition.
const TABLE: &[Row] = &[
    row(
        VisitActKind::Accept,
        &[VisitState::Asked],
        Some(VisitState::Accepted),
        STAFF_AND_CLOCK,
    ),
    row(
        VisitActKind::Decline,
        &[VisitState::Asked, VisitState::Accepted],
        Some(VisitState::Declined),
        STAFF,
    ),
    row(
        VisitActKind::Assign,
        &[VisitState::Accepted, VisitState::Scheduled],
        Some(VisitState::Accepted),
        STAFF,
    ),
    row(
        VisitActKind::Schedule,
        &[VisitState::Accepted, VisitState::Scheduled],
        Some(VisitState::Scheduled),
        STAFF_AND_CLOCK,
    ),
    row(
        VisitActKind::SetOut,
        &[VisitState::Scheduled],
        Some(VisitState::OnTheWay),
        STAFF,
    ),
    row(
        VisitActKind::Finish,
        &[VisitState::OnTheWay],
        Some(VisitState::Done),
        STAFF,
    ),
    row(
        VisitActKind::NotMeet,
        &[VisitState::OnTheWay],
        Some(VisitState::Missed),
        STAFF,
    ),
    row(
        VisitActKind::Lapse,
        &[VisitState::Scheduled],
        Some(VisitState::Missed),
        &[VisitRole::Coordinator, VisitRole::Clock],
    ),
    row(
        VisitActKind::AskAgain,
        &[VisitState::Missed],
        Some(VisitState::Asked),
        VisitRole::ALL,
    ),
    row(
        VisitActKind::Amend,
        &[
            VisitState::Asked,
            VisitState::Accepted,
            VisitState::Scheduled,
            VisitState::OnTheWay,
            VisitState::Missed,
        ],
        None,
        PEOPLE,
    ),
    row(VisitActKind::Move, &[VisitState::Asked], None, PEOPLE),
    row(
        VisitActKind::Move,
        &[VisitState::Accepted, VisitState::Scheduled],
        Some(VisitState::Accepted),
        PEOPLE,
    ),
    row(
        VisitActKind::Cancel,
        &[
            VisitState::Asked,
            VisitState::Accepted,
            VisitState::Scheduled,
            VisitState::OnTheWay,
            VisitState::Missed,
        ],
        Some(VisitState::Cancelled),
        PEOPLE,
    ),
];

const fn row(
    act: VisitActKind,
    from: &'static [VisitState],
    to: Option<VisitState>,
    by: &'static [VisitRole],
) -> Row {
    Row { act, from, to, by }
}

fn rows(act: VisitActKind) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.act == act)
}

/// The state that an act leads to, or why it may not be done.
pub fn after(state: VisitState, act: VisitActKind, role: VisitRole) -> Result<VisitState, VisitRefusal> {
    let Some(row) = rows(act).find(|row| row.from.contains(&state)) else {
        return Err(VisitRefusal::NotFrom { act, state });
    };
    if row.by.contains(&role) {
        Ok(row.to.unwrap_or(state))
    } else {
        Err(VisitRefusal::NotBy { act, role })
    }
}

/// What can be done in this state, in this capacity.
pub fn allowed(state: VisitState, role: VisitRole) -> Vec<VisitActKind> {
    VisitActKind::ALL
        .iter()
        .copied()
        .filter(|act| after(state, *act, role).is_ok())
        .collect()
}

/// Who comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// As residents are told it: a first name, or 小王.
    pub name: String,
    /// What the visitor is.
    pub role: VisitorRole,
    /// Their id, where they are a worker on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<i64>,
}

/// A visit, as the staff knows it. What is personal is empty once it is erased.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// Its id.
    pub id: VisitId,
    /// How far it has come.
    pub state: VisitState,
    /// Counts its changes.
    pub revision: i64,
    /// Where.
    pub unit: UnitId,
    /// Where, in words.
    pub place: UnitPlace,
    /// Where, in which community.
    pub community: CommunityId,
    /// Where the building lies, if known.
    pub coordinates: Option<Coordinates>,
    /// Who asked for it; none where a worker wrote it down, or once it is erased.
    pub asker: Option<ContactId>,
    /// Who asked stands for this household: it needs no call back.
    pub proven: bool,
    /// It goes before others.
    pub urgent: bool,
    /// How many are to be sampled.
    pub people: u32,
    /// When it suits; none: at any time.
    pub wish: Option<Wish>,
    /// The team that is to make it.
    pub team: Option<TeamId>,
    /// The time that is promised.
    pub promise: Option<Promise>,
    /// To whom it went because it waited too long.
    pub raised: Option<RaisedTo>,
    /// When it was asked for, the last time.
    pub asked_at: DateTime<Utc>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
    /// How often a promised time was moved.
    pub moves: u32,
    /// Why it was declined, if it was.
    pub declined: Option<DeclineReason>,
    /// The team did not come in the promised time.
    pub lapsed: bool,
    /// Personal: the door.
    pub door: String,
    /// For whom.
    pub for_whom: VisitFor,
    /// Personal: who is to be sampled.
    pub name: String,
    /// Personal: why they cannot come.
    pub reason: String,
    /// Personal: what to know at the door.
    pub access: String,
    /// Personal: the phone to call.
    pub phone: Option<PhoneNumber>,
    /// Who comes.
    pub visitor: Option<Visitor>,
    /// Four digits that the visitor says at the door.
    pub door_code: String,
}

/// Those who make visits together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// Where it goes: `district`, `district/street` or `district/street/community` each; none: everywhere.
    pub areas: Vec<String>,
    /// From when on it works.
    pub opens: NaiveTime,
    /// Until when it works.
    pub closes: NaiveTime,
    /// From and to of its breaks, in order and apart from each other.
    pub breaks: Vec<(NaiveTime, NaiveTime)>,
    /// Visits that it makes an hour at most.
    pub visits_per_hour: u32,
    /// Who they are; the first leads, and residents are told their name.
    pub members: Vec<Visitor>,
    /// It makes no visits any more.
    pub removed: bool,
}

impl Team {
    /// It goes there.
    pub fn covers(&self, place: &UnitPlace) -> bool {
        let path = [&place.district, &place.street, &place.community];
        self.areas.is_empty()
            || self.areas.iter().any(|area| {
                let parts: Vec<&str> = area.split('/').collect();
                parts.len() <= path.len() && parts.iter().zip(path).all(|(part, own)| *part == own)
            })
    }

    /// When it works, without its breaks: from and to of each time, in order.
    pub fn works(&self) -> Vec<(NaiveTime, NaiveTime)> {
        let mut from = self.opens;
        let mut works = Vec::with_capacity(self.breaks.len() + 1);
        for &(begins, ends) in &self.breaks {
            works.push((from, begins.min(self.closes)));
            from = ends;
        }
        works.push((from, self.closes));
        works.retain(|(from, to)| from < to);
        works
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// The whole table, for reading.
    #[test]
    fn the_table() {
        let mut out = String::new();
        for state in VisitState::ALL {
            for act in VisitActKind::ALL {
                let by: Vec<_> = VisitRole::ALL
                    .iter()
                    .filter_map(|role| Some((role.as_str(), after(*state, *act, *role).ok()?)))
                    .collect();
                if let Some((_, to)) = by.first() {
                    let roles: Vec<_> = by.iter().map(|(role, _)| *role).collect();
                    let _ = writeln!(out, "{state} --{act}--> {to}: {}", roles.join(", "));
                }
            }
        }
        insta::assert_snapshot!(out);
    }

    #[test]
    fn a_refusal_is_a_sentence() {
        let said = |state, act, role| after(state, act, role).expect_err("refused").to_string();
        insta::assert_snapshot!([
            said(VisitState::Asked, VisitActKind::SetOut, VisitRole::Worker),
            said(VisitState::OnTheWay, VisitActKind::Accept, VisitRole::Worker),
            said(VisitState::Scheduled, VisitActKind::SetOut, VisitRole::Resident),
            said(VisitState::Asked, VisitActKind::Cancel, VisitRole::Clock),
        ]
        .join("\n"), @r"
        a visit that is asked cannot be set out for
        a visit that is on the way cannot be accepted
        only a worker or a coordinator can do that: a visit cannot be set out for by a resident
        only a resident or a worker or a coordinator can do that: a visit cannot be cancelled by Weir itself
        ");
    }

    #[test]
    fn words_are_read_back() {
        for state in VisitState::ALL {
            assert_eq!(VisitState::parse(state.as_str()), Some(*state));
        }
        assert_eq!(VisitActKind::parse("dance"), None);
    }

    #[test]
    fn an_area_names_whole_parts() {
        let place = UnitPlace {
            district: "锦江区".into(),
            street: "春熙街道".into(),
            community: "锦绣社区1".into(),
            building: "3栋".into(),
            unit: "2单元".into(),
        };
        let covers = |areas: &[&str]| {
            let team = Team {
                id: TeamId(1),
                name: String::new(),
                areas: areas.iter().map(ToString::to_string).collect(),
                opens: NaiveTime::MIN,
                closes: NaiveTime::MIN,
                breaks: Vec::new(),
                visits_per_hour: 4,
                members: Vec::new(),
                removed: false,
            };
            team.covers(&place)
        };
        assert!(covers(&[]) && covers(&["锦江区"]) && covers(&["青羊区", "锦江区/春熙街道/锦绣社区1"]));
        assert!(
            !covers(&["锦江"])
                && !covers(&["锦江区/锦绣社区1"])
                && !covers(&["锦江区/春熙街道/锦绣社区1/3栋"])
        );
    }

    fn act() -> impl Strategy<Value = (VisitActKind, VisitRole)> {
        (
            prop::sample::select(VisitActKind::ALL),
            prop::sample::select(VisitRole::ALL),
        )
    }

    proptest! {
        #[test]
        fn whatever_is_done_a_visit_keeps_to_its_way(acts in prop::collection::vec(act(), 0..60)) {
            let mut state = VisitState::Asked;
            let mut promised = false;
            for (act, role) in acts {
                let Ok(next) = after(state, act, role) else {
                    // What is refused changes nothing, and says why.
                    prop_assert!(!after(state, act, role).expect_err("refused").to_string().is_empty());
                    continue;
                };
                prop_assert!(state.is_open(), "a final state stays: {state} {act}");
                // Nobody sets out, and nothing is done, without a promised time and a team on its way.
                prop_assert!(next != VisitState::OnTheWay || state == VisitState::Scheduled || state == next);
                prop_assert!(next != VisitState::Done || state == VisitState::OnTheWay);
                prop_assert!(next != VisitState::Missed || promised);
                // A resident never does the staff's part, and time alone ends nothing.
                prop_assert!(role != VisitRole::Resident || !matches!(next, VisitState::Done | VisitState::Declined)
                    && (next == state || matches!(next, VisitState::Asked | VisitState::Accepted | VisitState::Cancelled)));
                prop_assert!(role != VisitRole::Clock || next.is_open());
                // Whoever asks can always call it off while nobody has finished it.
                prop_assert!(!next.is_open() || after(next, VisitActKind::Cancel, VisitRole::Resident).is_ok());
                promised = promised || next == VisitState::Scheduled;
                state = next;
            }
            // From wherever it stands, the staff alone can bring what is open to an end.
            let staff = allowed(state, VisitRole::Worker);
            prop_assert_eq!(state.is_open(), !staff.is_empty());
        }
    }
}
