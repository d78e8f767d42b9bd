//! What those on duty are told of unasked: what goes wrong at this moment, what is done about it, who hears of it, and how
//! it reads. Pure: what was seen and the time in, acts and words out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    config::{AlertsConfig, Config},
    domain::{
        Alert, AlertDetails, AlertId, AlertKind, Area, Body, Button, ChannelKind, Language, Proposal,
        ProposalKind, Right, Role, Site, SiteReport, ThreadId, Worker, may,
    },
    i18n::{Text, Texts, moment, work},
    store::{NewAlert, OverdueVisit},
};

/// What the data of an alert's button begins with; the id follows.
pub const PREFIX: &str = "w:a:";
/// What the data of a proposal's buttons begins with; `yes` or `no` and the id follow.
pub const PROPOSAL_PREFIX: &str = "w:p:";
/// A state that comes and goes is over once it has been away for so long.
const CALM: TimeDelta = TimeDelta::minutes(2);
/// A report of trouble at a site says nothing any more of how it is so much later.
pub const REPORT_HOLDS: TimeDelta = TimeDelta::hours(4);

/// What was proposed so long ago and not decided is not so any more.
pub const PROPOSAL_HOLDS: TimeDelta = TimeDelta::hours(12);

/// What was seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// A round goes out or stands still, so that the pacing matters.
    pub round_goes_on: bool,
    /// The pacing's mode, and since when.
    pub pacing: (String, Option<DateTime<Utc>>),
    /// Channels without a connection, and since when.
    pub down: Vec<(String, DateTime<Utc>)>,
    /// For each channel, since when the message that has waited longest could have left.
    pub ready: Vec<(String, DateTime<Utc>)>,
    /// Visits that were handed upwards and not touched since.
    pub visits: Vec<OverdueVisit>,
    /// Talks in which a resident waits, and since when; none of the city where nobody knows where they live.
    pub talks: Vec<(ThreadId, Option<Area>, DateTime<Utc>)>,
    /// The newest report of each site.
    pub sites: Vec<(Site, SiteReport)>,
    /// Proposals that nobody has decided.
    pub proposals: Vec<Proposal>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Write it down.
    Open(NewAlert),
    /// Tell it up to this role.
    Raise(AlertId, Role),
    /// It looks as if it were over since now; or (none) it does not any more.
    Quiet(AlertId, Option<DateTime<Utc>>),
    /// It is over.
    End(AlertId),
}

fn lasts(since: DateTime<Utc>, limit: Duration, now: DateTime<Utc>) -> bool {
    TimeDelta::from_std(limit).is_ok_and(|limit| now - since >= limit)
}

/// What goes wrong at this moment.
pub fn conditions(seen: &Seen, config: &AlertsConfig, now: DateTime<Utc>) -> Vec<NewAlert> {
    let mut found = pacing(seen);
    let channels = [
        (&seen.down, AlertKind::ChannelDown, config.channel_after),
        (&seen.ready, AlertKind::QueueOld, config.queue_after),
    ];
    for (all, kind, after) in channels {
        let late = all.iter().filter(|(_, since)| lasts(*since, after, now));
        found.extend(late.map(|(channel, since)| NewAlert {
            key: format!("{}:{channel}", kind.as_str()),
            kind,
            area: Area::City,
            details: AlertDetails {
                channel: channel.clone(),
                since: Some(*since),
                ..AlertDetails::default()
            },
            level: Role::Worker,
        }));
    }
    let visits = seen.visits.iter();
    found.extend(visits.map(|visit| {
        let about = (visit.visit.0, Some(visit.raised_at));
        above(AlertKind::VisitOverdue, visit.area.clone(), about)
    }));
    let late = seen.talks.iter();
    let late = late.filter(|(.., since)| lasts(*since, config.talk_after, now));
    found.extend(late.map(|(thread, area, since)| {
        let area = area.clone().unwrap_or(Area::City);
        above(AlertKind::TalkWaits, area, (thread.0, Some(*since)))
    }));
    found.extend(
        seen.sites
            .iter()
            .flat_map(|(site, report)| of_site(site, report, now)),
    );
    let proposals = seen.proposals.iter();
    found.extend(proposals.map(|proposal| {
        let about = (proposal.id.0, Some(proposal.at));
        above(AlertKind::Proposal, proposal.area.clone(), about)
    }));
    found
}

/// Only while a round is under way: at other times there is nothing to pace.
fn pacing(seen: &Seen) -> Vec<NewAlert> {
    let kind = match seen.pacing.0.as_str() {
        "paused" => AlertKind::PacingPaused,
        "blind" => AlertKind::LoadSilent,
        _ => return Vec::new(),
    };
    if !seen.round_goes_on {
        return Vec::new();
    }
    vec![NewAlert {
        key: kind.as_str().to_owned(),
        kind,
        area: Area::City,
        details: AlertDetails {
            since: seen.pacing.1,
            ..AlertDetails::default()
        },
        level: Role::Worker,
    }]
}

/// What is for coordinators from the first.
fn above(kind: AlertKind, area: Area, (id, since): (i64, Option<DateTime<Utc>>)) -> NewAlert {
    NewAlert {
        key: format!("{}:{id}", kind.as_str()),
        kind,
        area,
        details: AlertDetails {
            id: Some(id),
            since,
            ..AlertDetails::default()
        },
        level: least(kind),
    }
}

fn of_site(site: &Site, report: &SiteReport, now: DateTime<Utc>) -> Vec<NewAlert> {
    if now - report.at > REPORT_HOLDS {
        return Vec::new();
    }
    let alert = |fault: crate::domain::SiteFault| {
        // What kind of trouble it is tells two of them apart.
        let what = match (fault, report.trouble) {
            (crate::domain::SiteFault::Trouble, Some(trouble)) => trouble.as_str(),
            _ => fault.as_str(),
        };
        NewAlert {
            key: format!("site:{}:{what}", site.id),
            kind: AlertKind::SiteTrouble,
            area: site_area(site),
            details: AlertDetails {
                site: site.name.clone(),
                what: what.to_owned(),
                id: Some(site.id.0),
                since: Some(report.at),
                ..AlertDetails::default()
            },
            level: Role::Worker,
        }
    };
    report.faults().into_iter().map(alert).collect()
}

/// The community that a site lies in.
pub fn site_area(site: &Site) -> Area {
    Area::Community([site.district.clone(), site.street.clone(), site.community.clone()])
}

/// Whether it may come back a moment later, so that its end is awaited.
fn comes_and_goes(kind: AlertKind) -> bool {
    matches!(
        kind,
        AlertKind::PacingPaused | AlertKind::LoadSilent | AlertKind::ChannelDown | AlertKind::QueueOld
    )
}

/// What is done about it: each thing is opened once, goes up while nobody sees to it, and ends by itself.
pub fn decide(found: &[NewAlert], open: &[Alert], config: &AlertsConfig, now: DateTime<Utc>) -> Vec<Act> {
    let is_new = |new: &&NewAlert| open.iter().all(|alert| alert.key != new.key);
    let mut acts: Vec<Act> = found.iter().filter(is_new).cloned().map(Act::Open).collect();
    for alert in open {
        if !found.iter().any(|new| new.key == alert.key) {
            match alert.quiet_since {
                _ if !comes_and_goes(alert.kind) => acts.push(Act::End(alert.id)),
                None => acts.push(Act::Quiet(alert.id, Some(now))),
                Some(since) if now - since >= CALM => acts.push(Act::End(alert.id)),
                Some(_) => {}
            }
            continue;
        }
        if alert.quiet_since.is_some() {
            acts.push(Act::Quiet(alert.id, None));
        }
        let due = level_due(alert, config, now);
        if alert.acked_by.is_none() && due > alert.level {
            acts.push(Act::Raise(alert.id, due));
        }
    }
    acts
}

/// Up to which role what nobody has seen to is told by now.
fn level_due(alert: &Alert, config: &AlertsConfig, now: DateTime<Utc>) -> Role {
    if lasts(alert.opened_at, config.operator_after, now) {
        Role::Operator
    } else if lasts(alert.opened_at, config.coordinator_after, now) {
        Role::Coordinator
    } else {
        Role::Worker
    }
}

/// What a worker must be allowed in its place to see to it.
pub fn right(kind: AlertKind) -> Right {
    match kind {
        AlertKind::VisitOverdue => Right::ActOnVisits,
        AlertKind::TalkWaits => Right::AnswerPeople,
        _ => Right::ReportSite,
    }
}

/// Who may see to an alert: those who may act there; where no one may, those above anywhere, because somebody must.
pub fn able<'w>(alert: &Alert, workers: &'w [Worker]) -> Vec<&'w Worker> {
    let with_chat = |worker: &&Worker| worker.contact.is_some() && !worker.removed;
    let there = |worker: &&Worker| may(worker, right(alert.kind), &alert.area);
    let own: Vec<&Worker> = workers.iter().filter(with_chat).filter(there).collect();
    let own_above = own.iter().any(|worker| worker.role >= Role::Coordinator);
    if own_above {
        return own;
    }
    let above = |worker: &&Worker| worker.role >= Role::Coordinator;
    let others = workers.iter().filter(with_chat).filter(above);
    own.iter().copied().chain(others).collect()
}

/// Whether this worker may see to it.
pub fn may_see_to(alert: &Alert, worker: &Worker, workers: &[Worker]) -> bool {
    may(worker, right(alert.kind), &alert.area)
        || able(alert, workers).iter().any(|able| able.id == worker.id)
}

/// Who is told of an alert: those on duty up to its level; where none is, those above at once; where nobody at all is on
/// duty, coordinators and operators who are not, and at last everybody who may see to it.
pub fn audience<'w>(alert: &Alert, workers: &'w [Worker]) -> Vec<&'w Worker> {
    let mut able = able(alert, workers);
    able.retain(|worker| worker.role >= least(alert.kind));
    for top in [Role::Worker, Role::Coordinator, Role::Operator] {
        let told = able.iter().filter(|worker| worker.on_duty && worker.role <= top);
        let told: Vec<&Worker> = told.copied().collect();
        if top >= alert.level && !told.is_empty() {
            return told;
        }
    }
    let above = able.iter().filter(|worker| worker.role >= Role::Coordinator);
    let above: Vec<&Worker> = above.copied().collect();
    if above.is_empty() { able } else { above }
}

/// Who hears of it at all: not workers where they have heard of it before, or may not decide it.
fn least(kind: AlertKind) -> Role {
    match kind {
        AlertKind::VisitOverdue | AlertKind::TalkWaits | AlertKind::Proposal => Role::Coordinator,
        _ => Role::Worker,
    }
}

/// The name under which an alert's message is kept up to date in a chat.
pub fn live_name(id: AlertId) -> String {
    format!("alert:{id}")
}

/// An alert as a worker reads it.
#[derive(Clone, Copy, Debug)]
pub struct Card<'a> {
    /// The words.
    pub texts: &'a Texts,
    /// Settings.
    pub config: &'a Config,
    /// In which language.
    pub language: Language,
    /// The alert.
    pub alert: &'a Alert,
    /// What is proposed, where it is about that.
    pub proposal: Option<&'a Proposal>,
    /// The name of whom or what that is about.
    pub place: &'a str,
    /// Who sees to it, or decided it.
    pub holder: Option<&'a str>,
}

impl Card<'_> {
    fn say(&self, text: &Text<'_>) -> String {
        self.texts.say(self.language, ChannelKind::Telegram, text)
    }

    /// What is wrong, in one sentence.
    pub fn what(&self) -> String {
        let details = &self.alert.details;
        let since = details.since.unwrap_or(self.alert.opened_at);
        let since = moment(self.language, self.config.city.time_zone, since);
        let id = details.id.unwrap_or_default().to_string();
        let (since, id, channel) = (since.as_str(), id.as_str(), details.channel.as_str());
        match self.alert.kind {
            AlertKind::PacingPaused => self.say(&Text::AlertPacing { since }),
            AlertKind::LoadSilent => self.say(&Text::AlertBlind { since }),
            AlertKind::ChannelDown => self.say(&Text::AlertChannel { channel, since }),
            AlertKind::QueueOld => self.say(&Text::AlertQueue { channel, since }),
            AlertKind::VisitOverdue => self.say(&Text::AlertVisit { id, since }),
            AlertKind::TalkWaits => self.say(&Text::AlertTalk { id, since }),
            AlertKind::SiteTrouble => {
                let what = work::site_fault(self.texts, self.language, &details.what);
                let site = details.site.as_str();
                self.say(&Text::AlertSite {
                    site,
                    what: &what,
                    since,
                })
            }
            AlertKind::Proposal => self.proposed(id),
        }
    }

    fn proposed(&self, id: &str) -> String {
        let Some(proposal) = self.proposal else {
            return self.say(&Text::AlertProposal { id });
        };
        let (before, after) = (proposal.desks.0.to_string(), proposal.desks.1.to_string());
        let place = self.place;
        match proposal.kind {
            ProposalKind::Desks => self.say(&Text::ProposalDesks {
                place,
                before: &before,
                after: &after,
            }),
            ProposalKind::Incident => {
                let reason = proposal.reason.unwrap_or(crate::domain::IncidentReason::Other);
                let reason = work::incident_reason(self.texts, self.language, reason);
                self.say(&Text::ProposalIncident {
                    place,
                    reason: &reason,
                })
            }
        }
    }

    /// The message, with what can be done.
    pub fn body(&self) -> Body {
        let mut lines = vec![self.what()];
        if self.alert.over_at.is_some() {
            lines.push(self.end());
            return Body::text(lines.join("\n"));
        }
        if let Some(name) = self.holder {
            lines.push(self.say(&Text::InboxHeld { name }));
            if self.alert.kind != AlertKind::Proposal {
                return Body::text(lines.join("\n"));
            }
        }
        let button = |label: &Text<'_>, data: String| Button::Choice {
            label: self.say(label),
            data,
        };
        let buttons = match self.alert.kind {
            AlertKind::Proposal => {
                let id = self.alert.details.id.unwrap_or_default();
                vec![vec![
                    button(&Text::ProposalConfirm, format!("{PROPOSAL_PREFIX}yes:{id}")),
                    button(&Text::ProposalLeave, format!("{PROPOSAL_PREFIX}no:{id}")),
                ]]
            }
            _ => vec![vec![button(
                &Text::AlertSee,
                format!("{PREFIX}{}", self.alert.id),
            )]],
        };
        Body {
            text: lines.join("\n"),
            buttons,
            ..Body::default()
        }
    }

    fn end(&self) -> String {
        match (self.alert.kind, self.proposal, self.holder) {
            (AlertKind::Proposal, Some(proposal), Some(name)) => {
                let confirmed = proposal.state == crate::domain::ProposalState::Confirmed;
                if confirmed {
                    self.say(&Text::ProposalConfirmed { name })
                } else {
                    self.say(&Text::ProposalLeft { name })
                }
            }
            (AlertKind::Proposal, ..) => self.say(&Text::ProposalOvertaken),
            _ => self.say(&Text::AlertOver),
        }
    }

    /// What those who were told of it read once it is over.
    pub fn over(&self) -> Body {
        Body::text(format!("{}\n{}", self.end(), self.what()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ContactId, FieldScope, ProposalId, ProposalState, QueueLength, ReportId, Scope, SiteId, Supplies,
        VisitId, WorkerId,
    };

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn community() -> Area {
        "锦江区/春熙街道/梧桐社区".parse().expect("an area")
    }

    fn alert(new: &NewAlert) -> Alert {
        Alert {
            id: AlertId(1),
            key: new.key.clone(),
            kind: new.kind,
            area: new.area.clone(),
            details: new.details.clone(),
            level: new.level,
            opened_at: at(0),
            quiet_since: None,
            acked_by: None,
            over_at: None,
        }
    }

    fn site(queue: QueueLength, apart: bool, supplies: Supplies) -> (Site, SiteReport) {
        let hour = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
        let site = Site {
            id: SiteId(3),
            name: "梧桐采样点".into(),
            district: "锦江区".into(),
            street: "春熙街道".into(),
            community: "梧桐社区".into(),
            serves: Vec::new(),
            address: "梧桐广场".into(),
            desks: 3,
            green_desks: 1,
            samples_per_desk_hour: 120,
            opens: hour(8),
            closes: hour(21),
            breaks: Vec::new(),
            coordinates: None,
        };
        let report = SiteReport {
            id: ReportId(1),
            site: SiteId(3),
            worker: WorkerId(1),
            at: at(0),
            queue,
            apart,
            desks: 3,
            staff_short: false,
            supplies,
            trouble: None,
            photo: None,
        };
        (site, report)
    }

    fn pacing(mode: &str, round_goes_on: bool) -> Seen {
        Seen {
            pacing: (mode.into(), Some(at(0))),
            round_goes_on,
            ..Seen::default()
        }
    }

    fn keys(seen: &Seen, now: i64) -> String {
        let found = conditions(seen, &AlertsConfig::default(), at(now));
        let keys: Vec<String> = found
            .into_iter()
            .map(|new| format!("{} {}", new.key, new.level.as_str()))
            .collect();
        keys.join("; ")
    }

    #[test]
    fn what_goes_wrong_is_seen_as_such_and_nothing_else() {
        let down = |since| Seen {
            down: vec![("carrier".into(), at(since))],
            ..Seen::default()
        };
        let ready = |since| Seen {
            ready: vec![("sms".into(), at(since))],
            ..Seen::default()
        };
        let visit = Seen {
            visits: vec![OverdueVisit {
                visit: VisitId(9),
                area: community(),
                raised_at: at(0),
            }],
            ..Seen::default()
        };
        let talk = |since| Seen {
            talks: vec![(ThreadId(4), None, at(since))],
            ..Seen::default()
        };
        let reported = |queue, apart, supplies| Seen {
            sites: vec![site(queue, apart, supplies)],
            ..Seen::default()
        };
        let (none, very, long) = (QueueLength::None, QueueLength::VeryLong, QueueLength::Long);
        let (enough, low) = (Supplies::Enough, Supplies::Low);
        let cases = [
            (Seen::default(), 0, ""),
            (pacing("steady", true), 0, ""),
            (pacing("paused", false), 0, ""),
            (pacing("paused", true), 0, "pacing_paused worker"),
            (pacing("blind", true), 0, "load_silent worker"),
            (pacing("blind", false), 0, ""),
            (down(0), 2, ""),
            (down(0), 3, "channel_down:carrier worker"),
            (ready(0), 14, ""),
            (ready(0), 15, "queue_old:sms worker"),
            (visit, 0, "visit_overdue:9 coordinator"),
            (talk(0), 44, ""),
            (talk(0), 45, "talk_waits:4 coordinator"),
            (reported(none, true, enough), 0, ""),
            (reported(very, true, enough), 0, "site:3:line worker"),
            (
                reported(long, false, low),
                0,
                "site:3:line worker; site:3:supplies worker",
            ),
            (reported(very, true, enough), 241, ""),
        ];
        for (seen, now, wanted) in cases {
            assert_eq!(keys(&seen, now), wanted, "{seen:?} at {now}");
        }
    }

    #[test]
    fn each_is_told_once_goes_up_while_nobody_sees_to_it_and_ends_by_itself() {
        let config = AlertsConfig::default();
        let paused = conditions(&pacing("paused", true), &config, at(0)).remove(0);
        let mut open = alert(&paused);
        let acts = |found: &[NewAlert], open: &Alert, now| {
            decide(found, std::slice::from_ref(open), &config, at(now))
        };
        let wrong = [paused.clone()];
        assert_eq!(decide(&wrong, &[], &config, at(0)), [Act::Open(paused.clone())]);
        assert_eq!(acts(&wrong, &open, 9), []);
        assert_eq!(acts(&wrong, &open, 10), [Act::Raise(open.id, Role::Coordinator)]);
        assert_eq!(acts(&wrong, &open, 25), [Act::Raise(open.id, Role::Operator)]);
        open.level = Role::Operator;
        assert_eq!(acts(&wrong, &open, 300), [], "nobody is above them");
        open.level = Role::Worker;
        open.acked_by = Some(crate::domain::Actor::Worker(WorkerId(1)));
        assert_eq!(acts(&wrong, &open, 300), [], "somebody sees to it");
        // It goes away for a moment, comes back, goes away for good.
        assert_eq!(acts(&[], &open, 301), [Act::Quiet(open.id, Some(at(301)))]);
        open.quiet_since = Some(at(301));
        assert_eq!(acts(&[], &open, 302), []);
        assert_eq!(acts(&wrong, &open, 302), [Act::Quiet(open.id, None)]);
        assert_eq!(acts(&[], &open, 303), [Act::End(open.id)]);
        // What does not come and go is over at once.
        let line = Seen {
            sites: vec![site(QueueLength::VeryLong, true, Supplies::Enough)],
            ..Seen::default()
        };
        let line = conditions(&line, &config, at(0)).remove(0);
        assert_eq!(acts(&[], &alert(&line), 1), [Act::End(AlertId(1))]);
        // What is for coordinators from the first does not come down.
        let mut proposal = alert(&line);
        proposal.level = Role::Coordinator;
        assert_eq!(acts(&[line], &proposal, 10), []);
    }

    fn worker((id, role, scope, on_duty): (i64, Role, &str, bool)) -> Worker {
        Worker {
            id: WorkerId(id),
            name: format!("同事{id}"),
            role,
            scope: scope.parse::<Scope>().expect("a scope"),
            contact: Some(ContactId(id)),
            language: None,
            on_duty,
            removed: false,
        }
    }

    #[test]
    fn those_on_duty_up_to_its_level_hear_of_it_and_never_nobody() {
        use Role::{Coordinator, Operator, Viewer, Worker as Plain};
        let here = "锦江区/春熙街道/梧桐社区";
        let there = "锦江区/春熙街道/银杏社区";
        let all = [
            (1, Plain, here, true),
            (2, Coordinator, here, true),
            (3, Operator, "city", true),
            (4, Plain, there, true),
            (5, Plain, here, false),
            (6, Viewer, "city", true),
        ];
        let of_site = Seen {
            sites: vec![site(QueueLength::VeryLong, true, Supplies::Enough)],
            ..Seen::default()
        };
        let line = conditions(&of_site, &AlertsConfig::default(), at(0)).remove(0);
        let city = conditions(&pacing("paused", true), &AlertsConfig::default(), at(0)).remove(0);
        let proposal = above(AlertKind::Proposal, community(), (1, None));
        let cases: [(&NewAlert, Role, &[usize], &[i64]); 10] = [
            (&line, Plain, &[0, 1, 2, 3, 4, 5], &[1]),
            (&line, Coordinator, &[0, 1, 2, 3, 4, 5], &[1, 2]),
            (&line, Operator, &[0, 1, 2, 3, 4, 5], &[1, 2, 3]),
            (&line, Plain, &[1, 2, 3, 4], &[2]),
            (&line, Plain, &[3, 4], &[5]),
            (&city, Plain, &[0, 1, 2], &[3]),
            (&city, Plain, &[0, 1], &[2]),
            (&proposal, Coordinator, &[0, 1, 2], &[2]),
            (&proposal, Coordinator, &[0, 2], &[3]),
            (&line, Plain, &[5], &[]),
        ];
        for (new, level, indexes, wanted) in cases {
            let workers: Vec<Worker> = indexes.iter().map(|index| worker(all[*index])).collect();
            let alert = Alert { level, ..alert(new) };
            let told: Vec<i64> = audience(&alert, &workers).iter().map(|one| one.id.0).collect();
            assert_eq!(
                told,
                wanted,
                "{} at {} among {indexes:?}",
                new.key,
                level.as_str()
            );
        }
    }

    #[test]
    fn a_message_has_its_button_until_somebody_sees_to_it() {
        let (texts, config) = (Texts::load().expect("texts"), Config::default());
        let proposal = Proposal {
            id: ProposalId(7),
            kind: ProposalKind::Desks,
            scope: FieldScope::Site(SiteId(3)),
            area: community(),
            reason: None,
            desks: (3, 2),
            by: crate::domain::Actor::Owner,
            at: at(0),
            state: ProposalState::Waiting,
            decided_by: None,
        };
        for language in Language::ALL {
            let new = above(AlertKind::Proposal, community(), (7, Some(at(0))));
            let mut asked = alert(&new);
            let card = |alert: &Alert, holder: Option<&'static str>| {
                let card = Card {
                    texts: &texts,
                    config: &config,
                    language,
                    alert,
                    proposal: Some(&proposal),
                    place: "梧桐采样点",
                    holder,
                };
                card.body()
            };
            let body = card(&asked, None);
            assert!(
                body.text.contains("梧桐采样点") && body.text.contains('2'),
                "{}",
                body.text
            );
            assert_eq!(body.buttons.iter().flatten().count(), 2);
            asked.over_at = Some(at(1));
            assert!(card(&asked, Some("林霞")).buttons.is_empty());
            let paused = conditions(&pacing("paused", true), &config.alerts, at(0)).remove(0);
            let paused = alert(&paused);
            assert_eq!(card(&paused, None).buttons.len(), 1);
            let held = card(&paused, Some("林霞"));
            assert!(
                held.buttons.is_empty() && held.text.contains("林霞"),
                "{}",
                held.text
            );
        }
    }
}
