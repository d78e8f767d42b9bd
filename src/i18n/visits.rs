//! What people are told about visits at home: at each change, and when they ask.

use chrono_tz::Tz;

use super::{Text, Texts, Voice, span};
use crate::{
    config::Config,
    domain::{
        Body, Button, ChannelKind, DeclineReason, Language, Visit, VisitActKind, VisitState, VisitorRole,
    },
};

/// The button data that asks for the person's visits; the conversation reads it.
pub(crate) const ASK_VISITS: &str = "visits";

/// Somebody who is told about a visit.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// In which language, if known.
    pub language: Option<Language>,
    /// How.
    pub channel: ChannelKind,
    /// They stand for the household, or have the phone that was given: they may know the code of the door, and why a
    /// visit was declined.
    pub of_household: bool,
}

/// Puts a visit's changes into words, for whoever is told.
#[derive(Clone, Copy, Debug)]
pub struct VisitTeller<'a> {
    texts: &'a Texts,
    tz: Tz,
    default_language: Language,
    sender_name: &'a str,
    sms_parts: fn(&str) -> u32,
}

impl<'a> VisitTeller<'a> {
    /// A teller in the city's words; `sms_parts` counts the parts that a text takes on the air.
    pub fn new(texts: &'a Texts, config: &'a Config, sms_parts: fn(&str) -> u32) -> Self {
        Self {
            texts,
            tz: config.city.time_zone,
            default_language: config.city.default_language,
            sender_name: &config.sms.sender_name,
            sms_parts,
        }
    }

    /// The parts that a body takes.
    pub(crate) fn parts(&self, channel: ChannelKind, body: &Body) -> u32 {
        match channel {
            ChannelKind::Sms => (self.sms_parts)(&body.text),
            ChannelKind::Telegram => 1,
        }
    }

    /// What somebody is told when a visit came from the state `from` to where it is by `act` (none: it was just asked
    /// for); none where the change is nothing to them.
    pub fn notice(
        &self,
        visit: &Visit,
        act: Option<VisitActKind>,
        from: VisitState,
        told: Told,
    ) -> Option<Body> {
        let voice = Voice {
            texts: self.texts,
            language: told.language.unwrap_or(self.default_language),
            channel: told.channel,
            sender_name: self.sender_name,
        };
        let had_time = from == VisitState::Scheduled;
        let lines = match act {
            Some(VisitActKind::Amend) => return None,
            // Weir asks again by itself: that a new time is looked for was said.
            Some(VisitActKind::AskAgain | VisitActKind::Accept) if visit.lapsed => return None,
            Some(VisitActKind::Assign | VisitActKind::Move) if had_time => {
                vec![voice.say(&Text::VisitRetime)]
            }
            Some(VisitActKind::Assign | VisitActKind::Move) => return None,
            Some(VisitActKind::Schedule) if had_time => {
                self.time(&voice, visit, told.of_household, |time| Text::VisitMoved { time })
            }
            _ => self.lines(&voice, visit, told.of_household),
        };
        Some(self.body(&voice, visit, lines))
    }

    /// How a visit stands, for somebody who asks: no hint and no button, so that a dialogue can add its own.
    pub fn about(&self, voice: &Voice<'_>, visit: &Visit, of_household: bool) -> String {
        let gap = match voice.channel {
            ChannelKind::Telegram => "\n\n",
            ChannelKind::Sms => "\n",
        };
        self.lines(voice, visit, of_household).join(gap)
    }

    fn lines(&self, voice: &Voice<'_>, visit: &Visit, of_household: bool) -> Vec<String> {
        let place = visit.place.within_community();
        let one = |text: Text<'_>| vec![voice.say(&text)];
        match visit.state {
            VisitState::Asked => one(Text::VisitAsked { place: &place }),
            VisitState::Accepted => one(Text::VisitAccepted { place: &place }),
            VisitState::Scheduled => {
                self.time(voice, visit, of_household, |time| Text::VisitScheduled { time })
            }
            VisitState::OnTheWay => {
                let mut lines = one(Text::VisitOnTheWay);
                lines.extend(who_comes(voice, visit, of_household));
                lines
            }
            VisitState::Done => one(Text::VisitDone),
            VisitState::Missed if visit.lapsed => one(Text::VisitLapsed),
            VisitState::Missed => one(Text::VisitNotMet),
            VisitState::Cancelled => one(Text::VisitCancelled),
            VisitState::Declined => match visit.declined.filter(|_| of_household) {
                Some(reason) => one(Text::VisitDeclined {
                    reason: &decline_word(voice, reason),
                }),
                // Why may tell of the household what its neighbours need not know.
                None => one(Text::VisitDeclinedPlain),
            },
        }
    }

    fn time<'t>(
        &self,
        voice: &Voice<'_>,
        visit: &Visit,
        of_household: bool,
        text: impl for<'s> Fn(&'s str) -> Text<'s> + 't,
    ) -> Vec<String> {
        let time = visit.promise.map_or_else(String::new, |promise| {
            span(voice.language, self.tz, promise.from, promise.to, false)
        });
        let mut lines = vec![voice.say(&text(&time))];
        lines.extend(who_comes(voice, visit, of_household));
        lines
    }

    fn body(&self, voice: &Voice<'_>, visit: &Visit, mut lines: Vec<String>) -> Body {
        let can_change = matches!(
            visit.state,
            VisitState::Asked | VisitState::Accepted | VisitState::Scheduled
        );
        match voice.channel {
            ChannelKind::Sms => {
                if can_change {
                    lines.push(voice.say(&Text::VisitHint));
                }
                Body::text(voice.message(&lines))
            }
            ChannelKind::Telegram => {
                if can_change {
                    lines.push(voice.say(&Text::VisitHint));
                }
                let button = Button::Choice {
                    label: voice.say(&Text::MenuVisits),
                    data: ASK_VISITS.into(),
                };
                Body {
                    text: voice.message(&lines),
                    buttons: vec![vec![button]],
                }
            }
        }
    }
}

/// Who comes, and how to know them.
fn who_comes(voice: &Voice<'_>, visit: &Visit, of_household: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(visitor) = &visit.visitor {
        lines.push(voice.say(&Text::VisitVisitor {
            name: &visitor.name,
            role: &role_word(voice, visitor.role),
        }));
    }
    if of_household && !visit.door_code.is_empty() {
        lines.push(voice.say(&Text::VisitCode {
            code: &visit.door_code,
        }));
    }
    lines
}

/// What a visitor is.
pub fn role_word(voice: &Voice<'_>, role: VisitorRole) -> String {
    voice.say(&match role {
        VisitorRole::Nurse => Text::VisitorNurse,
        VisitorRole::Doctor => Text::VisitorDoctor,
        VisitorRole::Volunteer => Text::VisitorVolunteer,
        VisitorRole::Worker => Text::VisitorWorker,
    })
}

/// Why a visit is not made.
pub fn decline_word(voice: &Voice<'_>, reason: DeclineReason) -> String {
    voice.say(&match reason {
        DeclineReason::SiteIsNear => Text::DeclineSiteIsNear,
        DeclineReason::NotReached => Text::DeclineNotReached,
        DeclineReason::OutsideArea => Text::DeclineOutsideArea,
        DeclineReason::NoNeed => Text::DeclineNoNeed,
        DeclineReason::Duplicate => Text::DeclineDuplicate,
    })
}

/// How a visit stands, in a word or two, for the staff.
pub fn state_word(voice: &Voice<'_>, state: VisitState) -> String {
    voice.say(&match state {
        VisitState::Asked => Text::VisitStateAsked,
        VisitState::Accepted => Text::VisitStateAccepted,
        VisitState::Scheduled => Text::VisitStateScheduled,
        VisitState::OnTheWay => Text::VisitStateOnTheWay,
        VisitState::Done => Text::VisitStateDone,
        VisitState::Declined => Text::VisitStateDeclined,
        VisitState::Cancelled => Text::VisitStateCancelled,
        VisitState::Missed => Text::VisitStateMissed,
    })
}
