//! Row ids, one type each, so that one cannot stand for another.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A community (社区).
    CommunityId,
    /// A building (栋) of a community.
    BuildingId,
    /// A building unit (单元), the atom of planning and release.
    UnitId,
    /// A household (户): one door of a unit.
    HouseholdId,
    /// A resident (居民).
    ResidentId,
    /// One way to reach people.
    ContactId,
    /// A sampling site.
    SiteId,
    /// A round of testing.
    RoundId,
    /// One notice to one contact: an outbox row.
    DeliveryId,
    /// A declared fault.
    IncidentId,
    /// One recorded message from a person.
    InboundId,
    /// A talk between a resident and the workers of their community.
    ThreadId,
    /// A visit at home.
    VisitId,
    /// Those who make visits together.
    TeamId,
    /// A person with a role.
    WorkerId,
    /// Something that a worker has to say to an audience.
    BroadcastId,
    /// What a worker saw at a site.
    ReportId,
    /// What a worker proposes and those above decide.
    ProposalId,
    /// Something that those on duty are told of unasked.
    AlertId,
}
