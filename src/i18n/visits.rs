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
            // Weir asks again by itself: that a new time is looked for was said.
            Some(VisitActKind::AskAgain | VisitActKind::Accept) if visit.lapsed => return None,
            // It is accepted at once, and that is said.
            Some(VisitActKind::AskAgain) if visit.proven => return None,
            Some(VisitActKind::Assign | VisitActKind::Move) if had_time => {
                vec![voice.say(&Text::VisitRetime)]
            }
            Some(VisitActKind::Assign | VisitActKind::Move | VisitActKind::Amend) => return None,
            Some(VisitActKind::Schedule) if had_time => {
                time_lines(&voice, self.tz, visit, told.of_household, |time| {
                    Text::VisitMoved { time }
                })
            }
            _ => self.lines(&voice, visit, told.of_household),
        };
        Some(body(&voice, visit, lines))
    }

    /// How a visit stands, for somebody who asks: see [`about`].
    pub fn about(&self, voice: &Voice<'_>, visit: &Visit, of_household: bool) -> String {
        about(voice, self.tz, visit, of_household)
    }

    fn lines(&self, voice: &Voice<'_>, visit: &Visit, of_household: bool) -> Vec<String> {
        lines(voice, self.tz, visit, of_household)
    }
}

/// How a visit stands, for somebody who asks: no hint and no button, so that a dialogue can add its own.
pub fn about(voice: &Voice<'_>, tz: Tz, visit: &Visit, of_household: bool) -> String {
    let gap = match voice.channel {
        ChannelKind::Telegram => "\n\n",
        ChannelKind::Sms => "\n",
    };
    lines(voice, tz, visit, of_household).join(gap)
}

fn lines(voice: &Voice<'_>, tz: Tz, visit: &Visit, of_household: bool) -> Vec<String> {
    let place = visit.place.within_community();
    let one = |text: Text<'_>| vec![voice.say(&text)];
    match visit.state {
        VisitState::Asked => one(Text::VisitAsked { place: &place }),
        VisitState::Accepted => one(Text::VisitAccepted { place: &place }),
        VisitState::Scheduled => time_lines(voice, tz, visit, of_household, |time| Text::VisitScheduled {
            time,
        }),
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

fn time_lines<'t>(
    voice: &Voice<'_>,
    tz: Tz,
    visit: &Visit,
    of_household: bool,
    text: impl for<'s> Fn(&'s str) -> Text<'s> + 't,
) -> Vec<String> {
    let time = visit.promise.map_or_else(String::new, |promise| {
        span(voice.language, tz, promise.from, promise.to, false)
    });
    let mut lines = vec![voice.say(&text(&time))];
    lines.extend(who_comes(voice, visit, of_household));
    lines
}

/// With a hint at what can be changed, and a button where there are buttons.
fn body(voice: &Voice<'_>, visit: &Visit, mut lines: Vec<String>) -> Body {
    if matches!(
        visit.state,
        VisitState::Asked | VisitState::Accepted | VisitState::Scheduled
    ) {
        lines.push(voice.say(&Text::VisitHint));
    }
    let button = Button::Choice {
        label: voice.say(&Text::MenuVisits),
        data: ASK_VISITS.into(),
    };
    Body {
        text: voice.message(&lines),
        buttons: match voice.channel {
            ChannelKind::Telegram => vec![vec![button]],
            ChannelKind::Sms => Vec::new(),
        },
        ..Body::default()
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use chrono::{TimeDelta, TimeZone};
    use chrono_tz::Asia::Shanghai;

    use super::*;
    use crate::domain::{
        CommunityId, ContactId, Promise, TeamId, UnitId, UnitPlace, VisitFor, VisitId, Visitor,
    };

    fn parts(text: &str) -> u32 {
        match text.encode_utf16().count() {
            0..=70 => 1,
            units => units.div_ceil(67) as u32,
        }
    }

    fn visit(state: VisitState) -> Visit {
        let from = Shanghai
            .with_ymd_and_hms(2022, 9, 3, 14, 10, 0)
            .single()
            .expect("exists")
            .to_utc();
        let has_time = matches!(state, VisitState::Scheduled | VisitState::OnTheWay);
        Visit {
            id: VisitId(1),
            state,
            revision: 3,
            unit: UnitId(1),
            place: UnitPlace {
                district: "锦江区".into(),
                street: "春熙街道".into(),
                community: "锦绣社区1".into(),
                building: "3栋".into(),
                unit: "2单元".into(),
            },
            community: CommunityId(1),
            coordinates: None,
            asker: Some(ContactId(1)),
            proven: false,
            urgent: false,
            people: 1,
            wish: None,
            team: Some(TeamId(1)),
            promise: has_time.then(|| Promise {
                team: TeamId(1),
                at: from + TimeDelta::minutes(15),
                from,
                to: from + TimeDelta::minutes(60),
            }),
            raised: None,
            asked_at: from,
            changed_at: from,
            moves: 0,
            declined: (state == VisitState::Declined).then_some(DeclineReason::SiteIsNear),
            lapsed: false,
            door: "1203".into(),
            for_whom: VisitFor::Family,
            name: "李奶奶".into(),
            reason: "走不动".into(),
            access: "有狗".into(),
            phone: None,
            visitor: Some(Visitor {
                name: "小王".into(),
                role: VisitorRole::Nurse,
                worker: None,
            }),
            door_code: "0472".into(),
        }
    }

    fn told(language: Language, channel: ChannelKind, of_household: bool) -> Told {
        Told {
            language: Some(language),
            channel,
            of_household,
        }
    }

    /// Each change that is told: its name, the act, the state before, and the visit after it.
    fn changes() -> Vec<(&'static str, Option<VisitActKind>, VisitState, Visit)> {
        use VisitActKind as Act;
        use VisitState::{Accepted, Asked, Cancelled, Declined, Done, Missed, OnTheWay, Scheduled};
        let lapsed = Visit {
            lapsed: true,
            ..visit(Missed)
        };
        vec![
            ("asked", None, Asked, visit(Asked)),
            ("accepted", Some(Act::Accept), Asked, visit(Accepted)),
            ("scheduled", Some(Act::Schedule), Accepted, visit(Scheduled)),
            ("moved", Some(Act::Schedule), Scheduled, visit(Scheduled)),
            (
                "another time is wanted",
                Some(Act::Move),
                Scheduled,
                visit(Accepted),
            ),
            ("on the way", Some(Act::SetOut), Scheduled, visit(OnTheWay)),
            ("done", Some(Act::Finish), OnTheWay, visit(Done)),
            ("not met", Some(Act::NotMeet), OnTheWay, visit(Missed)),
            ("lapsed", Some(Act::Lapse), Scheduled, lapsed),
            ("declined", Some(Act::Decline), Asked, visit(Declined)),
            ("cancelled", Some(Act::Cancel), Scheduled, visit(Cancelled)),
        ]
    }

    #[test]
    fn notices_of_visits_in_every_language() {
        let (texts, config) = (Texts::load().expect("whole"), Config::default());
        let teller = VisitTeller::new(&texts, &config, parts);
        for language in Language::ALL {
            let mut out = String::new();
            for channel in ChannelKind::ALL {
                for (name, act, from, visit) in changes() {
                    let body = teller
                        .notice(&visit, act, from, told(language, channel, true))
                        .expect("something to say");
                    let parts = teller.parts(channel, &body);
                    let max = if channel == ChannelKind::Telegram { 1 } else { 2 };
                    assert!(parts <= max, "{name}: {parts} parts: {}", body.text);
                    let _ = writeln!(
                        out,
                        "== {name} by {}, {parts} parts\n{}\n",
                        channel.as_str(),
                        body.text
                    );
                }
            }
            insta::assert_snapshot!(format!("visits-{}", language.code()), out);
        }
    }

    #[test]
    fn who_does_not_live_there_learns_neither_the_code_nor_the_reason() {
        let (texts, config) = (Texts::load().expect("whole"), Config::default());
        let teller = VisitTeller::new(&texts, &config, parts);
        for language in Language::ALL {
            for channel in ChannelKind::ALL {
                for (_, act, from, visit) in changes() {
                    let said = teller.notice(&visit, act, from, told(language, channel, false));
                    let said = said.expect("something to say").text;
                    let voice = Voice {
                        texts: &texts,
                        language,
                        channel,
                        sender_name: "",
                    };
                    let reason = decline_word(&voice, DeclineReason::SiteIsNear);
                    for secret in ["0472", "1203", "李奶奶", "走不动", "有狗", &reason] {
                        assert!(!said.contains(secret), "{said}");
                    }
                    // And nobody is told at all what only the staff is to know.
                    let own = teller.notice(&visit, act, from, told(language, channel, true));
                    let own = own.expect("something to say").text;
                    for secret in ["1203", "李奶奶", "走不动", "有狗"] {
                        assert!(!own.contains(secret), "{own}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_change_that_is_nothing_to_residents_is_not_told() {
        let (texts, config) = (Texts::load().expect("whole"), Config::default());
        let teller = VisitTeller::new(&texts, &config, parts);
        let to = told(Language::ZhHans, ChannelKind::Sms, true);
        let quiet = [
            (
                VisitActKind::Amend,
                VisitState::Scheduled,
                visit(VisitState::Scheduled),
            ),
            (
                VisitActKind::Assign,
                VisitState::Accepted,
                visit(VisitState::Accepted),
            ),
            (VisitActKind::Move, VisitState::Asked, visit(VisitState::Asked)),
        ];
        for (act, from, visit) in quiet {
            assert!(teller.notice(&visit, Some(act), from, to).is_none(), "{act}");
        }
    }
}
