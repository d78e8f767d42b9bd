//! What a worker sees at a site, what is proposed because of it, and what those on duty are told of unasked.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Actor, AlertId, Area, ProposalId, ReportId, Role, SiteId, WorkerId, visit::words};

words! {
    /// How many people stand in the line.
    QueueLength {
        /// Nobody.
        None = "none",
        /// Up to 20.
        Short = "short",
        /// Up to 50.
        Long = "long",
        /// More.
        VeryLong = "very_long",
    }

    /// What there is left to sample with.
    Supplies {
        /// Enough.
        Enough = "enough",
        /// They run low.
        Low = "low",
        /// There are none.
        Out = "out",
    }

    /// What keeps people from being sampled.
    Trouble {
        /// The registration system stalls.
        Registration = "registration",
        /// Rain, wind or heat.
        Weather = "weather",
        /// Something else.
        Other = "other",
    }

    /// Why an incident is declared or proposed from a site.
    IncidentReason {
        /// The registration system does not work.
        Registration = "registration",
        /// The site is closed.
        Closed = "closed",
        /// Rain, wind or heat.
        Weather = "weather",
        /// Something else.
        Other = "other",
    }

    /// What is proposed.
    ProposalKind {
        /// Another number of desks at a site, and windows that move with it.
        Desks = "desks",
        /// An incident.
        Incident = "incident",
    }

    /// How far a proposal has come.
    ProposalState {
        /// Nobody has decided it.
        Waiting = "waiting",
        /// Final: it was done.
        Confirmed = "confirmed",
        /// Final: it was left as it was.
        Left = "left",
        /// Final: a newer report says something else.
        Overtaken = "overtaken",
    }

    /// What those on duty are told of unasked.
    AlertKind {
        /// The pacing paused.
        PacingPaused = "pacing_paused",
        /// The registration system says nothing of its load.
        LoadSilent = "load_silent",
        /// A channel has no connection.
        ChannelDown = "channel_down",
        /// A message has been ready to leave for too long.
        QueueOld = "queue_old",
        /// A visit was handed upwards, and nobody touched it.
        VisitOverdue = "visit_overdue",
        /// A resident waits too long for an answer.
        TalkWaits = "talk_waits",
        /// Something is wrong at a site.
        SiteTrouble = "site_trouble",
        /// A proposal waits for those above.
        Proposal = "proposal",
    }
}

/// What a worker saw at a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteReport {
    /// Its id.
    pub id: ReportId,
    /// Where.
    pub site: SiteId,
    /// Who saw it.
    pub worker: WorkerId,
    /// When.
    pub at: DateTime<Utc>,
    /// How long the line is.
    pub queue: QueueLength,
    /// Those in it keep their distance.
    pub apart: bool,
    /// Open desks, the green ones included.
    pub desks: u32,
    /// Staff is missing.
    pub staff_short: bool,
    /// What there is to sample with.
    pub supplies: Supplies,
    /// What else is wrong.
    pub trouble: Option<Trouble>,
    /// The channel's own name of a photo. Personal: it may show people.
    #[serde(skip)]
    pub photo: Option<String>,
}

/// What is wrong at a site, by one word each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SiteFault {
    /// The line is too long.
    Line,
    /// Supplies run low, or are out.
    Supplies,
    /// Something keeps people from being sampled.
    Trouble,
    /// No desk is open.
    Closed,
}

impl SiteFault {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Supplies => "supplies",
            Self::Trouble => "trouble",
            Self::Closed => "closed",
        }
    }
}

impl SiteReport {
    /// What is wrong, so that those on duty must hear of it: a very long line, or a long one of people who stand close
    /// together; supplies; trouble; a closed site.
    pub fn faults(&self) -> Vec<SiteFault> {
        let line = self.queue == QueueLength::VeryLong || (self.queue == QueueLength::Long && !self.apart);
        let all = [
            (line, SiteFault::Line),
            (self.supplies != Supplies::Enough, SiteFault::Supplies),
            (self.trouble.is_some(), SiteFault::Trouble),
            (self.desks == 0, SiteFault::Closed),
        ];
        let wrong = all.into_iter().filter(|(is, _)| *is);
        wrong.map(|(_, fault)| fault).collect()
    }
}

/// What a proposal or an incident from a site is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldScope {
    /// The whole city.
    City,
    /// A site.
    Site(SiteId),
    /// A community, by its row.
    Community(super::CommunityId),
}

impl fmt::Display for FieldScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::City => f.write_str("city"),
            Self::Site(id) => write!(f, "site:{id}"),
            Self::Community(id) => write!(f, "community:{id}"),
        }
    }
}

impl FieldScope {
    /// The scope of a stored text.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "city").then_some(Self::City),
            Some(("site", id)) => id.parse().ok().map(Self::Site),
            Some(("community", id)) => id.parse().ok().map(Self::Community),
            Some(_) => None,
        }
    }

    /// The same as an incident has it.
    pub fn of_incident(self) -> super::IncidentScope {
        let mut scope = super::IncidentScope::default();
        match self {
            Self::City => {}
            Self::Site(id) => scope.sites.push(id),
            Self::Community(id) => scope.communities.push(id),
        }
        scope
    }
}

/// What a worker proposes and those above decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// What is proposed.
    pub kind: ProposalKind,
    /// About what.
    pub scope: FieldScope,
    /// Where that is.
    pub area: Area,
    /// Why an incident is proposed.
    pub reason: Option<IncidentReason>,
    /// Desks as they are planned with, and as they are said to be.
    pub desks: (u32, u32),
    /// Who proposed it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
    /// How far it has come.
    pub state: ProposalState,
    /// Who decided it.
    pub decided_by: Option<Actor>,
}

/// What else is to be known of an alert, without personal data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertDetails {
    /// The site's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub site: String,
    /// The channel's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// What is wrong, by a word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// The row that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
}

/// Something that went wrong, from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// What it is about; of those that go on only one has it.
    pub key: String,
    /// What it is.
    pub kind: AlertKind,
    /// Where.
    pub area: Area,
    /// What else is to be known.
    pub details: AlertDetails,
    /// Up to which role it is told.
    pub level: Role,
    /// When it began.
    pub opened_at: DateTime<Utc>,
    /// Since when it looks as if it were over.
    pub quiet_since: Option<DateTime<Utc>>,
    /// Who sees to it.
    pub acked_by: Option<Actor>,
    /// When it was over.
    pub over_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CommunityId;

    #[test]
    fn what_is_wrong_at_a_site() {
        let fine = SiteReport {
            id: ReportId(1),
            site: SiteId(1),
            worker: WorkerId(1),
            at: DateTime::UNIX_EPOCH,
            queue: QueueLength::Long,
            apart: true,
            desks: 3,
            staff_short: true,
            supplies: Supplies::Enough,
            trouble: None,
            photo: None,
        };
        let faults = |change: fn(&mut SiteReport)| {
            let mut report = fine.clone();
            change(&mut report);
            let words: Vec<_> = report.faults().into_iter().map(SiteFault::as_str).collect();
            words.join(" ")
        };
        assert_eq!(faults(|_| {}), "");
        assert_eq!(faults(|report| report.apart = false), "line");
        assert_eq!(faults(|report| report.queue = QueueLength::VeryLong), "line");
        let both = |report: &mut SiteReport| {
            report.queue = QueueLength::Short;
            report.apart = false;
            report.supplies = Supplies::Low;
            report.trouble = Some(Trouble::Weather);
        };
        assert_eq!(faults(both), "supplies trouble");
        assert_eq!(faults(|report| report.desks = 0), "closed");
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in [
            FieldScope::City,
            FieldScope::Site(SiteId(3)),
            FieldScope::Community(CommunityId(4)),
        ] {
            assert_eq!(FieldScope::parse(&scope.to_string()), Some(scope));
        }
        for bad in ["", "site", "site:", "site:x", "street:1"] {
            assert_eq!(FieldScope::parse(bad), None, "{bad}");
        }
    }
}
