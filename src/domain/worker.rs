//! Who works with Weir, where, and who may do what. Everything here is pure: it is asked at each command and at each
//! press of a button, whoever draws the button.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{ContactId, Language, UnitPlace, WorkerId};

/// What a worker is. Each role may do all that the one before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees rounds, sites and counts.
    Viewer,
    /// Sees people and acts for them.
    Worker,
    /// Plans, releases and writes to residents.
    Coordinator,
    /// Answers for the whole.
    Operator,
}

/// The word is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a role: use viewer, worker, coordinator or operator")]
pub struct UnknownRole;

impl Role {
    /// Every role, the one with the fewest rights first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Worker, Self::Coordinator, Self::Operator];

    /// The stored and printed word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Worker => "worker",
            Self::Coordinator => "coordinator",
            Self::Operator => "operator",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text.trim())
            .ok_or(UnknownRole)
    }
}

/// A part of the city, by name: what a worker works for, and what an act is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// All of it.
    City,
    /// 区
    District(String),
    /// 区, 街道
    Street([String; 2]),
    /// 区, 街道, 社区
    Community([String; 3]),
}

/// The text is no area.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an area: write city, DISTRICT, DISTRICT/STREET or DISTRICT/STREET/COMMUNITY")]
pub struct UnknownArea;

impl Area {
    /// The community that a unit lies in.
    pub fn of(place: &UnitPlace) -> Self {
        Self::Community([
            place.district.clone(),
            place.street.clone(),
            place.community.clone(),
        ])
    }

    /// All of `other` lies in it.
    pub fn contains(&self, other: &Self) -> bool {
        let (own, other) = (self.path(), other.path());
        other.len() >= own.len() && own.iter().zip(&other).all(|(own, other)| own == other)
    }

    /// From the district down; empty for the city.
    pub fn path(&self) -> Vec<&str> {
        match self {
            Self::City => Vec::new(),
            Self::District(district) => vec![district],
            Self::Street([district, street]) => vec![district, street],
            Self::Community([district, street, community]) => vec![district, street, community],
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::City => f.write_str(CITY),
            _ => f.write_str(&self.path().join("/")),
        }
    }
}

const CITY: &str = "city";

impl FromStr for Area {
    type Err = UnknownArea;
    fn from_str(text: &str) -> Result<Self, UnknownArea> {
        if text.trim() == CITY {
            return Ok(Self::City);
        }
        let parts: Vec<String> = text.split('/').map(|part| part.trim().to_owned()).collect();
        if parts.iter().any(String::is_empty) {
            return Err(UnknownArea);
        }
        match <[String; 3]>::try_from(parts) {
            Ok(path) => Ok(Self::Community(path)),
            Err(parts) => match <[String; 2]>::try_from(parts) {
                Ok(path) => Ok(Self::Street(path)),
                Err(parts) => match <[String; 1]>::try_from(parts) {
                    Ok([district]) => Ok(Self::District(district)),
                    Err(_) => Err(UnknownArea),
                },
            },
        }
    }
}

/// The areas that a worker works for. Without any, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(pub Vec<Area>);

impl Scope {
    /// The whole city.
    pub fn city() -> Self {
        Self(vec![Area::City])
    }

    /// All of `area` lies in one of its areas.
    pub fn covers(&self, area: &Area) -> bool {
        self.0.iter().any(|own| own.contains(area))
    }

    /// All of it lies in `other`.
    pub fn within(&self, other: &Self) -> bool {
        self.0.iter().all(|area| other.covers(area))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let areas: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&areas.join(";"))
    }
}

impl FromStr for Scope {
    type Err = UnknownArea;
    fn from_str(text: &str) -> Result<Self, UnknownArea> {
        let areas = text.split(';').filter(|part| !part.trim().is_empty());
        areas.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// What may be done, after the design's table: each with the role that it takes at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// See rounds, sites and counts.
    SeeRounds,
    /// See people.
    SeePeople,
    /// Answer them.
    AnswerPeople,
    /// Accept, assign and do visits.
    ActOnVisits,
    /// Report from a site.
    ReportSite,
    /// Propose an incident.
    ProposeIncident,
    /// Import rosters and sites.
    Import,
    /// Plan rounds.
    Plan,
    /// Release, pause, resume and cancel rounds up to the approval size.
    Release,
    /// Write to residents; above the approval size another must approve it.
    Broadcast,
    /// Open an incident, and go on by hand while it lasts.
    OpenIncident,
    /// Change policies.
    ChangePolicies,
    /// Change texts.
    ChangeTexts,
    /// Add and remove workers and viewers.
    AddWorkers,
    /// Release a round of any size.
    AnySize,
    /// Hold or free the pacing.
    HoldPacing,
    /// Approve what another wrote.
    Approve,
    /// Close an incident.
    CloseIncident,
    /// Add and remove coordinators and operators.
    AddCoordinators,
    /// Settings, backups and tests of channels.
    Settings,
    /// The data key.
    Keys,
    /// Read and verify the audit log.
    Audit,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 22] = [
        Self::SeeRounds,
        Self::SeePeople,
        Self::AnswerPeople,
        Self::ActOnVisits,
        Self::ReportSite,
        Self::ProposeIncident,
        Self::Import,
        Self::Plan,
        Self::Release,
        Self::Broadcast,
        Self::OpenIncident,
        Self::ChangePolicies,
        Self::ChangeTexts,
        Self::AddWorkers,
        Self::AnySize,
        Self::HoldPacing,
        Self::Approve,
        Self::CloseIncident,
        Self::AddCoordinators,
        Self::Settings,
        Self::Keys,
        Self::Audit,
    ];

    /// The role with the fewest rights that has it.
    pub fn least(self) -> Role {
        match self {
            Self::SeeRounds => Role::Viewer,
            Self::SeePeople
            | Self::AnswerPeople
            | Self::ActOnVisits
            | Self::ReportSite
            | Self::ProposeIncident => Role::Worker,
            Self::Import
            | Self::Plan
            | Self::Release
            | Self::Broadcast
            | Self::OpenIncident
            | Self::ChangePolicies
            | Self::ChangeTexts
            | Self::AddWorkers => Role::Coordinator,
            Self::AnySize
            | Self::HoldPacing
            | Self::Approve
            | Self::CloseIncident
            | Self::AddCoordinators
            | Self::Settings
            | Self::Keys
            | Self::Audit => Role::Operator,
        }
    }

    /// The word on record where it was refused.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SeeRounds => "see_rounds",
            Self::SeePeople => "see_people",
            Self::AnswerPeople => "answer_people",
            Self::ActOnVisits => "act_on_visits",
            Self::ReportSite => "report_site",
            Self::ProposeIncident => "propose_incident",
            Self::Import => "import",
            Self::Plan => "plan",
            Self::Release => "release",
            Self::Broadcast => "broadcast",
            Self::OpenIncident => "open_incident",
            Self::ChangePolicies => "change_policies",
            Self::ChangeTexts => "change_texts",
            Self::AddWorkers => "add_workers",
            Self::AnySize => "any_size",
            Self::HoldPacing => "hold_pacing",
            Self::Approve => "approve",
            Self::CloseIncident => "close_incident",
            Self::AddCoordinators => "add_coordinators",
            Self::Settings => "settings",
            Self::Keys => "keys",
            Self::Audit => "audit",
        }
    }
}

/// A person with a role over some areas.
#[derive(Clone, PartialEq, Eq)]
pub struct Worker {
    /// Who.
    pub id: WorkerId,
    /// What they are called: personal data.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// For which areas.
    pub scope: Scope,
    /// Their chat, once they have accepted an invitation.
    pub contact: Option<ContactId>,
    /// How they are spoken to.
    pub language: Option<Language>,
    /// They take what comes in.
    pub on_duty: bool,
    /// They are none any more, and may do nothing.
    pub removed: bool,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} ({}, {})", self.id, self.role.as_str(), self.scope)
    }
}

/// Whether a worker may do this there. Ask when it is done, not when it is offered.
pub fn may(worker: &Worker, right: Right, place: &Area) -> bool {
    !worker.removed && worker.role >= right.least() && worker.scope.covers(place)
}

/// The same for an act about several areas at once; about none, it is about the city.
pub fn may_in_all(worker: &Worker, right: Right, places: &[Area]) -> bool {
    if places.is_empty() {
        return may(worker, right, &Area::City);
    }
    places.iter().all(|place| may(worker, right, place))
}

/// Whether a worker may make somebody this, or unmake one who is: nobody grants more than they have.
pub fn may_grant(worker: &Worker, role: Role, scope: &Scope) -> bool {
    let right = if role >= Role::Coordinator {
        Right::AddCoordinators
    } else {
        Right::AddWorkers
    };
    !scope.0.is_empty() && role <= worker.role && scope.0.iter().all(|area| may(worker, right, area))
}

/// Who did something, as it stands on record: an id, never a name, so that erasing a name changes no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Whoever works at the machine, while no worker has been added.
    Owner,
    /// The service by itself.
    Weir,
    /// A worker.
    Worker(WorkerId),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("owner"),
            Self::Weir => f.write_str("weir"),
            Self::Worker(id) => write!(f, "worker:{id}"),
        }
    }
}

/// The text names no actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an actor: use owner, weir or worker:ID")]
pub struct UnknownActor;

impl FromStr for Actor {
    type Err = UnknownActor;
    fn from_str(text: &str) -> Result<Self, UnknownActor> {
        match text {
            "owner" => Ok(Self::Owner),
            "weir" => Ok(Self::Weir),
            _ => {
                let id = text.strip_prefix("worker:").and_then(|id| id.parse().ok());
                id.map(|id| Self::Worker(WorkerId(id))).ok_or(UnknownActor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn worker(role: Role, scope: Scope) -> Worker {
        Worker {
            id: WorkerId(1),
            name: "张某".into(),
            role,
            scope,
            contact: None,
            language: None,
            on_duty: false,
            removed: false,
        }
    }

    fn area() -> impl Strategy<Value = Area> {
        let name = prop::sample::select(vec!["甲", "乙", "丙"]).prop_map(str::to_owned);
        prop_oneof![
            1 => Just(Area::City),
            2 => name.clone().prop_map(Area::District),
            3 => [name.clone(), name.clone()].prop_map(Area::Street),
            4 => [name.clone(), name.clone(), name].prop_map(Area::Community),
        ]
    }

    fn scope() -> impl Strategy<Value = Scope> {
        prop::collection::vec(area(), 0..4).prop_map(Scope)
    }

    fn role() -> impl Strategy<Value = Role> {
        prop::sample::select(Role::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn nobody_grants_more_than_they_have(
            own in role(), own_scope in scope(), role in role(), scope in scope(), place in area(),
        ) {
            let granter = worker(own, own_scope);
            if may_grant(&granter, role, &scope) {
                let made = worker(role, scope);
                for right in Right::ALL {
                    prop_assert!(!may(&made, right, &place) || may(&granter, right, &place), "{right:?} in {place}");
                }
            }
        }

        #[test]
        fn a_higher_role_and_a_wider_scope_never_may_less(
            low in role(), high in role(), narrow in scope(), more in scope(), place in area(),
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let wide = Scope(narrow.0.iter().chain(&more.0).cloned().collect());
            for right in Right::ALL {
                prop_assert!(
                    !may(&worker(low, narrow.clone()), right, &place) || may(&worker(high, wide.clone()), right, &place)
                );
            }
        }

        #[test]
        fn areas_and_scopes_read_as_they_are_written(scope in scope()) {
            prop_assert_eq!(scope.to_string().parse::<Scope>().expect("reads"), scope);
        }

        #[test]
        fn a_removed_worker_may_nothing(role in role(), scope in scope(), place in area()) {
            let gone = Worker { removed: true, ..worker(role, scope.clone()) };
            for right in Right::ALL {
                prop_assert!(!may(&gone, right, &place));
            }
            prop_assert!(!may_grant(&gone, Role::Viewer, &scope));
        }
    }

    #[test]
    fn the_table_of_the_design_holds() {
        let everywhere = |role| worker(role, Scope::city());
        for (right, allowed) in [
            (Right::SeeRounds, [true, true, true, true]),
            (Right::SeePeople, [false, true, true, true]),
            (Right::ActOnVisits, [false, true, true, true]),
            (Right::Broadcast, [false, false, true, true]),
            (Right::OpenIncident, [false, false, true, true]),
            (Right::AddWorkers, [false, false, true, true]),
            (Right::CloseIncident, [false, false, false, true]),
            (Right::Approve, [false, false, false, true]),
            (Right::HoldPacing, [false, false, false, true]),
            (Right::Audit, [false, false, false, true]),
        ] {
            let said = Role::ALL.map(|role| may(&everywhere(role), right, &Area::City));
            assert_eq!(said, allowed, "{right:?}");
        }
        let street: Area = "锦江区/春熙街道".parse().expect("an area");
        let coordinator = worker(Role::Coordinator, Scope(vec![street.clone()]));
        assert!(may_grant(
            &coordinator,
            Role::Worker,
            &Scope(vec![street.clone()])
        ));
        assert!(!may_grant(&coordinator, Role::Coordinator, &Scope(vec![street])));
        assert!(!may_grant(&coordinator, Role::Viewer, &Scope::city()));
        assert!(
            !may_grant(&coordinator, Role::Viewer, &Scope::default()),
            "nothing is no scope"
        );
        assert!(may_grant(
            &everywhere(Role::Operator),
            Role::Operator,
            &Scope::city()
        ));
    }

    #[test]
    fn what_is_no_area_is_refused() {
        for text in ["", "a//b", "a/b/c/d", "/"] {
            assert!(text.parse::<Area>().is_err(), "{text:?}");
        }
        assert!(Area::City.contains(&Area::District("甲".into())));
        assert!(!Area::District("甲".into()).contains(&Area::City));
        for actor in [Actor::Owner, Actor::Weir, Actor::Worker(WorkerId(7))] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
    }
}
