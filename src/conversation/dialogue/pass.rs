//! Whether a test still counts, until when, and what for. What may be said is decided in [`passes`](crate::passes); here
//! it becomes words. Nobody is ever told that they may go out.

use chrono::{DateTime, Utc};

use super::{Fetched, FoundProofs, OPTIONS_SHOWN_MAX, Step, Talk, Want};
use crate::{
    conversation::menu::{Choice, Menu},
    domain::{ChannelKind, CountedFrom, Need, Policy, Purpose, ResidentId, ThreadReason},
    i18n::{Text, date, moment},
    passes::{Judgement, Pass, Until, judge},
};

impl Talk<'_> {
    /// Only for who is proven to be behind the contact; which of them, where there are several.
    pub(super) fn pass(&mut self, of: Option<ResidentId>) {
        let residents = &self.known.person.residents;
        if residents.is_empty() {
            return self.pass_not_proven();
        }
        // Button data can be forged: it names one of the contact's own residents, or nobody.
        let of = of.filter(|of| residents.iter().any(|one| one.resident == *of));
        match self.known.fetched {
            None => self.turn.wants = Some(Want::Pass(of)),
            // The phone of a dormitory's warden may stand for hundreds.
            Some(Fetched::Whose(people)) if people.len() > OPTIONS_SHOWN_MAX => {
                self.lead(&Text::CannotAnswer);
                self.hand_over(ThreadReason::Pass);
            }
            Some(Fetched::Whose(people)) => {
                let mut entries: Vec<(String, Choice)> = Vec::new();
                for (resident, unit, name) in people {
                    let place = self.place_name(*unit).unwrap_or_default();
                    let label = match self.known.channel {
                        ChannelKind::Telegram => format!("{name} {place}"),
                        ChannelKind::Sms => name.clone(),
                    };
                    entries.push((label, Choice::PassOf(*resident)));
                }
                self.turn.state.step = Step::Idle;
                self.offer(&Text::PassWhose, &Menu::list(&entries));
            }
            Some(Fetched::Proofs { name, found }) => self.tell_pass(name, found),
            Some(_) => self.pass_not_proven(),
        }
    }

    fn pass_not_proven(&mut self) {
        if self.known.channel == ChannelKind::Telegram {
            self.lead(&Text::PassProve);
            return self.ask_phone(&Text::AskPhone);
        }
        self.turn.state.step = Step::Idle;
        self.offer(&Text::PassNotRegistered, &Menu::default());
    }

    fn tell_pass(&mut self, name: &str, found: &FoundProofs) {
        self.turn.state.step = Step::Idle;
        self.lead(&Text::PassHeading { name });
        match found {
            FoundProofs::Known { proofs, policies } => {
                let judgement = judge(proofs, policies, self.known.now);
                self.tell_judgement(&judgement);
            }
            FoundProofs::Unavailable => {
                self.lead(&Text::PassUnavailable);
                self.lead(&Text::PassStillHolds);
                self.say_lead();
            }
            FoundProofs::NoReference | FoundProofs::NotConnected => {
                self.lead(&Text::PassNotLinked);
                self.hand_over(ThreadReason::Pass);
            }
            FoundProofs::Unknown => {
                self.lead(&Text::PassNoRecord);
                self.lead(&Text::PassStillHolds);
                self.hand_over(ThreadReason::Pass);
            }
        }
    }

    fn tell_judgement(&mut self, judgement: &Judgement<'_>) {
        match judgement {
            Judgement::Person(_) => self.lead(&Text::PassDoubt),
            Judgement::NoProof { awaited } => {
                self.lead(if *awaited {
                    &Text::PassAwaited
                } else {
                    &Text::PassNone
                });
                self.lead(&Text::PassStillHolds);
            }
            Judgement::Told { passes, awaited } => {
                let mut said: Vec<String> = Vec::new();
                for pass in passes {
                    let until = self.until(pass);
                    if !said.contains(&until) {
                        self.lead.push(until.clone());
                        said.push(until);
                    }
                }
                for pass in passes.iter().filter(|pass| may_hold(pass, self.known.now)) {
                    let line = self.what_for(pass);
                    self.lead.push(line);
                }
                if *awaited {
                    self.lead(&Text::PassAwaited);
                }
                if passes.iter().all(|pass| !may_hold(pass, self.known.now)) {
                    self.lead(&Text::PassStillHolds);
                }
            }
        }
        if judgement.needs_person() {
            return self.hand_over(ThreadReason::Pass);
        }
        self.say_lead();
    }

    /// How long a test counts, by which rule, and from when.
    fn until(&self, pass: &Pass<'_>) -> String {
        let zone = self.known.city.time_zone;
        let say = |at: DateTime<Utc>| moment(self.voice.language, zone, at);
        let Policy { hours, from, .. } = pass.policy;
        let (hours, since) = (hours.to_string(), date(self.voice.language, zone, *from));
        let (hours, since) = (hours.as_str(), since.as_str());
        match pass.until {
            Until::Counted { until, from, valid } => {
                let begins = match from {
                    CountedFrom::SampledAt => Some(pass.proof.sampled_at),
                    CountedFrom::ReportedAt => pass.proof.reported_at,
                };
                let at = begins.map(say).unwrap_or_default();
                let (until, at) = (say(until), at);
                let (until, at) = (until.as_str(), at.as_str());
                self.voice.say(&match (valid, from) {
                    (true, CountedFrom::SampledAt) => Text::PassUntilSampled {
                        until,
                        hours,
                        since,
                        at,
                    },
                    (true, CountedFrom::ReportedAt) => Text::PassUntilReported {
                        until,
                        hours,
                        since,
                        at,
                    },
                    (false, CountedFrom::SampledAt) => Text::PassOverSampled {
                        until,
                        hours,
                        since,
                        at,
                    },
                    (false, CountedFrom::ReportedAt) => Text::PassOverReported {
                        until,
                        hours,
                        since,
                        at,
                    },
                })
            }
            Until::Open { sampled, reported } => {
                let sampled = say(sampled);
                let sampled = sampled.as_str();
                match reported.map(say) {
                    Some(reported) => self.voice.say(&Text::PassOpen {
                        hours,
                        since,
                        sampled,
                        reported: &reported,
                    }),
                    None => self.voice.say(&Text::PassOpenSampled {
                        hours,
                        since,
                        sampled,
                    }),
                }
            }
        }
    }

    /// What it is for, and what must be shown beside it.
    fn what_for(&self, pass: &Pass<'_>) -> String {
        let purposes: Vec<String> = pass
            .purposes
            .iter()
            .map(|purpose| {
                self.voice.say(match purpose {
                    Purpose::Gate => &Text::PurposeGate,
                    Purpose::PublicTransport => &Text::PurposePublicTransport,
                    Purpose::Hospital => &Text::PurposeHospital,
                })
            })
            .collect();
        let needs: Vec<String> = pass
            .policy
            .needs
            .iter()
            .map(|need| {
                self.voice.say(match need {
                    Need::EntryCard => &Text::NeedEntryCard,
                    Need::EPass => &Text::NeedEPass,
                })
            })
            .collect();
        let purposes = purposes.join(&self.voice.say(&Text::ListAnd));
        let purposes = purposes.as_str();
        if needs.is_empty() {
            return self.voice.say(&Text::PassFor { purposes });
        }
        let needs = needs.join(&self.voice.say(&Text::ListOr));
        self.voice.say(&Text::PassForWith {
            purposes,
            needs: &needs,
        })
    }
}

/// By some count it still holds: only then is it worth saying what for.
fn may_hold(pass: &Pass<'_>, now: DateTime<Utc>) -> bool {
    match pass.until {
        Until::Counted { valid, .. } => valid,
        Until::Open { sampled, reported } => now < sampled || reported.is_some_and(|until| now < until),
    }
}
