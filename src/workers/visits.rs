//! Visits at home in workers' chats: which a worker sees, how they read, which buttons fit. Pure; the table of
//! transitions decides what may be done.

use crate::{
    config::Config,
    domain::{
        Actor, Area, Body, Button, ChannelKind, DeclineReason, Language, Right, Role, Team, TeamId, Visit,
        VisitAct, VisitActKind, VisitBy, VisitId, VisitRefusal, VisitState, Worker, allowed, may,
    },
    i18n::{Text, Texts, Voice, span, visits as words},
};

/// What the data of a visit's buttons begins with.
pub const PREFIX: &str = "w:v:";
/// Buttons that are offered, in this order.
const OFFERED: [VisitActKind; 7] = [
    VisitActKind::SetOut,
    VisitActKind::Finish,
    VisitActKind::NotMeet,
    VisitActKind::Accept,
    VisitActKind::Assign,
    VisitActKind::Decline,
    VisitActKind::AskAgain,
];

/// What is wanted of visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// What is this worker's to do.
    List,
    /// To be asked why it is declined, or to which team it goes.
    Choose(Seen, VisitActKind),
    /// To do it.
    Do(Seen, VisitAct),
}

/// A visit as it stood when a button was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub visit: VisitId,
    /// Its revision then.
    pub revision: i64,
}

impl Wish {
    /// What a button wants, by what follows [`PREFIX`]: `{act}:{visit}:{revision}`.
    pub fn of_button(data: &str) -> Option<Self> {
        let mut parts = data.split(':');
        let (what, visit, revision) = (parts.next()?, parts.next()?, parts.next()?);
        let seen = Seen {
            visit: VisitId(visit.parse().ok()?),
            revision: revision.parse().ok()?,
        };
        if let Some(reason) = what.strip_prefix("no-") {
            return Some(Self::Do(seen, VisitAct::Decline(DeclineReason::parse(reason)?)));
        }
        if let Some(team) = what.strip_prefix("to-") {
            return Some(Self::Do(seen, VisitAct::Assign(TeamId(team.parse().ok()?))));
        }
        Some(match VisitActKind::parse(what)? {
            kind @ (VisitActKind::Decline | VisitActKind::Assign) => Self::Choose(seen, kind),
            VisitActKind::Accept => Self::Do(seen, VisitAct::Accept),
            VisitActKind::SetOut => Self::Do(seen, VisitAct::SetOut),
            VisitActKind::Finish => Self::Do(seen, VisitAct::Finish),
            VisitActKind::NotMeet => Self::Do(seen, VisitAct::NotMeet),
            VisitActKind::AskAgain => Self::Do(seen, VisitAct::AskAgain),
            _ => return None,
        })
    }

    /// The visit that it is about.
    pub fn seen(&self) -> Option<Seen> {
        match self {
            Self::List => None,
            Self::Choose(seen, _) | Self::Do(seen, _) => Some(*seen),
        }
    }
}

/// A wish that may be carried out, and in which capacity; only [`decide`] makes one.
#[derive(Clone, Debug)]
pub struct Allowed<'a> {
    wish: &'a Wish,
    by: VisitBy,
}

impl<'a> Allowed<'a> {
    /// What is wanted.
    pub fn wish(&self) -> &'a Wish {
        self.wish
    }

    /// In which capacity.
    pub fn by(&self) -> &VisitBy {
        &self.by
    }
}

/// Whether a wish is carried out.
#[derive(Clone, Debug)]
pub enum Decision<'a> {
    /// It is.
    Do(Allowed<'a>),
    /// This right is lacking in this area.
    Refused(Right, Area),
}

/// Whether a worker, as they are at this moment, may have what they want of a visit in this area; none for the list,
/// which is asked for each visit anew.
pub fn decide<'a>(wish: &'a Wish, worker: &Worker, area: Option<&Area>) -> Decision<'a> {
    let right = Right::ActOnVisits;
    let able = match area {
        Some(area) => may(worker, right, area),
        None => *wish == Wish::List && !worker.removed && worker.role >= right.least(),
    };
    if able {
        let by = capacity(worker);
        Decision::Do(Allowed { wish, by })
    } else {
        Decision::Refused(right, area.cloned().unwrap_or(Area::City))
    }
}

/// In which capacity a worker acts on visits.
pub fn capacity(worker: &Worker) -> VisitBy {
    if worker.role >= Role::Coordinator {
        VisitBy::coordinator(Actor::Worker(worker.id))
    } else {
        VisitBy::worker(Actor::Worker(worker.id))
    }
}

/// Whether a worker may see and act on a visit.
pub fn may_act(worker: &Worker, visit: &Visit) -> bool {
    may(worker, Right::ActOnVisits, &Area::of(&visit.place))
}

/// Whether a worker is one of a team: by their number alone, for two people may have one name.
pub fn is_of(worker: &Worker, team: &Team) -> bool {
    team.members
        .iter()
        .any(|member| member.worker == Some(worker.id.0))
}

/// Whether a visit of today is this worker's to see to: their team's; and what nobody has accepted; and for those above
/// what is without a time.
pub fn is_theirs(worker: &Worker, visit: &Visit, teams: &[Team]) -> bool {
    if !may_act(worker, visit) {
        return false;
    }
    let own = visit
        .team
        .is_some_and(|team| teams.iter().any(|known| known.id == team && is_of(worker, known)));
    match visit.state {
        VisitState::Asked => true,
        VisitState::Accepted | VisitState::Missed => own || worker.role >= Role::Coordinator,
        VisitState::Scheduled | VisitState::OnTheWay => own,
        _ => false,
    }
}

/// Visits in one worker's words.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The words.
    pub texts: &'a Texts,
    /// Settings.
    pub config: &'a Config,
    /// Who reads.
    pub worker: &'a Worker,
}

impl Sheet<'_> {
    fn language(&self) -> Language {
        self.worker.language.unwrap_or(self.config.city.default_language)
    }

    fn say(&self, text: &Text<'_>) -> String {
        self.texts.say(self.language(), ChannelKind::Telegram, text)
    }

    fn voice(&self) -> Voice<'_> {
        Voice {
            texts: self.texts,
            language: self.language(),
            channel: ChannelKind::Telegram,
            sender_name: &self.config.sms.sender_name,
        }
    }

    fn state(&self, state: VisitState) -> String {
        words::state_word(&self.voice(), state)
    }

    /// One visit with what may be done about it now.
    pub fn card(&self, visit: &Visit) -> Body {
        let when = visit.promise.map(|promise| {
            let tz = self.config.city.time_zone;
            span(self.language(), tz, promise.from, promise.to, false)
        });
        let people = visit.people.to_string();
        let head = [Some(visit.id.to_string()), Some(self.state(visit.state)), when];
        let mut lines = vec![head.into_iter().flatten().collect::<Vec<_>>().join(" · ")];
        if visit.state.is_open() {
            lines.push(format!("{} {}", visit.place.within_community(), visit.door));
            let count = self.say(&Text::VisitsPeople { count: &people });
            lines.push(format!("{} {count}", visit.name).trim().to_owned());
            lines.extend(visit.phone.as_ref().map(|phone| phone.as_e164().to_owned()));
            lines.extend(
                [&visit.access, &visit.reason]
                    .into_iter()
                    .filter(|text| !text.is_empty())
                    .cloned(),
            );
            if matches!(visit.state, VisitState::Scheduled | VisitState::OnTheWay) {
                lines.push(self.say(&Text::VisitsCode {
                    code: &visit.door_code,
                }));
            }
        }
        Body {
            text: lines.join("\n"),
            buttons: self.buttons(visit),
            ..Body::default()
        }
    }

    fn buttons(&self, visit: &Visit) -> Vec<Vec<Button>> {
        let may = allowed(visit.state, capacity(self.worker).role);
        let offered = OFFERED.into_iter().filter(|act| may.contains(act));
        let buttons: Vec<Button> = offered
            .map(|act| Button::Choice {
                label: self.say(&label(act)),
                data: format!("{PREFIX}{}:{}:{}", act.as_str(), visit.id, visit.revision),
            })
            .collect();
        buttons.chunks(2).map(<[Button]>::to_vec).collect()
    }

    /// Why it is declined, or to which team it goes.
    pub fn choices(&self, visit: &Visit, act: VisitActKind, teams: &[Team]) -> Body {
        let button = |what: String, label: String| {
            vec![Button::Choice {
                label,
                data: format!("{PREFIX}{what}:{}:{}", visit.id, visit.revision),
            }]
        };
        if act == VisitActKind::Assign {
            let fit = teams
                .iter()
                .filter(|team| !team.removed && team.covers(&visit.place));
            return Body {
                text: self.say(&Text::VisitsWhichTeam),
                buttons: fit
                    .map(|team| button(format!("to-{}", team.id), team.name.clone()))
                    .collect(),
                ..Body::default()
            };
        }
        let reason = |reason: &DeclineReason| {
            button(
                format!("no-{}", reason.as_str()),
                words::decline_word(&self.voice(), *reason),
            )
        };
        Body {
            text: self.say(&Text::VisitsWhy),
            buttons: DeclineReason::ALL.iter().map(reason).collect(),
            ..Body::default()
        }
    }

    /// Why it was not done, and how the visit stands.
    pub fn refused(&self, refusal: &VisitRefusal, visit: Option<&Visit>) -> Vec<Body> {
        let said = match (refusal, visit) {
            (VisitRefusal::Overtaken { state, .. }, _) => self.say(&Text::VisitsOvertaken {
                state: &self.state(*state),
            }),
            (_, Some(visit)) => self.say(&Text::VisitsNotNow {
                state: &self.state(visit.state),
            }),
            (_, None) => self.say(&Text::WorkOldButton),
        };
        let mut bodies = vec![Body::text(said)];
        bodies.extend(visit.map(|visit| self.card(visit)));
        bodies
    }

    /// Nothing is to be done.
    pub fn none(&self) -> Body {
        Body::text(self.say(&Text::VisitsNone))
    }

    /// So many more are not shown.
    pub fn more(&self, count: usize) -> Body {
        let count = count.to_string();
        Body::text(self.say(&Text::VisitsMore { count: &count }))
    }

    /// It has waited too long.
    pub fn raised(&self, visit: &Visit) -> Body {
        let card = self.card(visit);
        let said = self.say(&Text::VisitsRaised {
            id: &visit.id.to_string(),
        });
        Body {
            text: format!("{said}\n{}", card.text),
            ..card
        }
    }

    /// It is called off while the team is on its way.
    pub fn called_off(&self, visit: &Visit) -> Body {
        Body::text(self.say(&Text::VisitsCalledOff {
            id: &visit.id.to_string(),
        }))
    }
}

fn label(act: VisitActKind) -> Text<'static> {
    match act {
        VisitActKind::Accept => Text::VisitsAccept,
        VisitActKind::Assign => Text::VisitsAssign,
        VisitActKind::SetOut => Text::VisitsSetOut,
        VisitActKind::Finish => Text::VisitsFinish,
        VisitActKind::NotMeet => Text::VisitsNotMeet,
        VisitActKind::AskAgain => Text::VisitsAskAgain,
        _ => Text::VisitsDecline,
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;

    use super::*;
    use crate::domain::{Scope, Visitor, VisitorRole, WorkerId};

    #[test]
    fn an_equal_name_makes_nobody_one_of_a_team() {
        let worker = |id| Worker {
            id: WorkerId(id),
            name: "王护士".into(),
            role: Role::Worker,
            scope: Scope::city(),
            contact: None,
            language: None,
            on_duty: true,
            removed: false,
        };
        let team = |worker| Team {
            id: TeamId(1),
            name: "一队".into(),
            areas: Vec::new(),
            opens: NaiveTime::MIN,
            closes: NaiveTime::MIN,
            breaks: Vec::new(),
            visits_per_hour: 4,
            members: vec![Visitor {
                name: "王护士".into(),
                role: VisitorRole::Nurse,
                worker,
            }],
            removed: false,
        };
        assert!(is_of(&worker(3), &team(Some(3))));
        assert!(!is_of(&worker(4), &team(Some(3))));
        assert!(!is_of(&worker(4), &team(None)));
    }
}
