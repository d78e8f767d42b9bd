//! What residents ask a person: whom a talk is shown to, and how it reads there. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    config::{Config, InboxConfig},
    domain::{
        Area, Body, Button, ChannelKind, Intent, Language, Right, Role, ThreadAuthor, ThreadId, UnitPlace,
        Worker, may,
    },
    i18n::{Text, Texts, answers},
    store::{Thread, ThreadMessage},
    understanding::Understanding,
};

/// What the data of a talk's buttons begins with.
pub const PREFIX: &str = "w:i:";
/// Messages of a talk that are shown: the last ones.
const LINES_SHOWN: usize = 4;
/// Characters of each that are shown.
const LINE_CHARACTERS_MAX: usize = 500;
/// A worker's answer has at most so many characters.
pub const ANSWER_CHARACTERS_MAX: usize = 500;
/// Approved answers that are offered under a talk.
const ANSWERS_OFFERED: usize = 4;
/// An approved answer is offered from this share on: about half as much again as chance would give each intent.
const SHARE_OFFERED_MIN: f32 = 0.05;

/// What is wanted of a talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// All that wait.
    List,
    /// To take it on.
    Take(ThreadId),
    /// To write an answer next.
    Write(ThreadId),
    /// To send these words.
    Say(ThreadId, String),
    /// To see it again, with what can be done.
    Show(ThreadId),
    /// To read an approved answer as the resident would get it.
    Preview(ThreadId, Intent),
    /// To send it, in answer to as many messages of the resident as there were when it was shown.
    Send(ThreadId, Intent, i64),
    /// To pass it on to those above.
    PassOn(ThreadId),
    /// To end it.
    Close(ThreadId),
}

impl Wish {
    /// What a button wants, by what follows [`PREFIX`].
    pub fn of_button(data: &str) -> Option<Self> {
        let (what, id) = data.split_once(':')?;
        let id = ThreadId(id.parse().ok()?);
        Some(match what {
            "take" => Self::Take(id),
            "say" => Self::Write(id),
            "pass" => Self::PassOn(id),
            "end" => Self::Close(id),
            "show" => Self::Show(id),
            _ => Self::of_answer_button(what, id)?,
        })
    }

    /// Answers that say something of the person's own have no such button, whatever its data says.
    fn of_answer_button(what: &str, id: ThreadId) -> Option<Self> {
        let fixed = |intent: &str| intent.parse().ok().filter(|intent| answers::is_fixed(*intent));
        if let Some(intent) = what.strip_prefix("a-") {
            return Some(Self::Preview(id, fixed(intent)?));
        }
        let (asked, intent) = what.strip_prefix("send-")?.split_once('-')?;
        Some(Self::Send(id, fixed(intent)?, asked.parse().ok()?))
    }

    /// The talk that it is about.
    pub fn thread(&self) -> Option<ThreadId> {
        match self {
            Self::List => None,
            Self::Take(id)
            | Self::Write(id)
            | Self::Say(id, _)
            | Self::Show(id)
            | Self::Preview(id, _)
            | Self::Send(id, _, _)
            | Self::PassOn(id)
            | Self::Close(id) => Some(*id),
        }
    }
}

/// A wish that may be carried out; only [`decide`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed<'a>(&'a Wish);

impl<'a> Allowed<'a> {
    /// What is wanted.
    pub fn wish(self) -> &'a Wish {
        self.0
    }
}

/// Whether a wish is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It is.
    Do(Allowed<'a>),
    /// This right is lacking in this area.
    Refused(Right, Area),
}

/// Whether a worker, as they are at this moment, may have what they want of a talk in this area; none where it is not
/// known where the resident lives, and for the list of all talks.
pub fn decide<'a>(wish: &'a Wish, worker: &Worker, area: Option<&Area>) -> Decision<'a> {
    if may_answer(worker, area) {
        Decision::Do(Allowed(wish))
    } else {
        Decision::Refused(Right::AnswerPeople, area.cloned().unwrap_or(Area::City))
    }
}

/// The approved answers most likely to fit the resident's last words, the likeliest first.
pub fn fitting(messages: &[ThreadMessage]) -> Vec<Intent> {
    let said =
        |message: &&ThreadMessage| message.author == ThreadAuthor::Resident && !message.words.is_empty();
    let Some(last) = messages.iter().rev().find(said) else {
        return Vec::new();
    };
    let likely = Understanding::shared().likely(&last.words).into_iter();
    likely
        .filter(|(intent, share)| *share >= SHARE_OFFERED_MIN && answers::is_fixed(*intent))
        .map(|(intent, _)| intent)
        .take(ANSWERS_OFFERED)
        .collect()
}

/// Up to which role a talk is shown, for as long as it has waited.
pub fn up_to(thread: &Thread, config: &InboxConfig, now: DateTime<Utc>) -> Role {
    let waits = thread
        .waiting_since
        .map_or(TimeDelta::zero(), |since| now - since);
    let after = |limit: std::time::Duration| TimeDelta::from_std(limit).is_ok_and(|limit| waits >= limit);
    if thread.urgent || after(config.operator_after) {
        Role::Operator
    } else if thread.raised || after(config.coordinator_after) {
        Role::Coordinator
    } else {
        Role::Worker
    }
}

/// Whether a worker may see and answer a talk. Where it is not known where a resident lives, every worker may: somebody
/// must.
pub fn may_answer(worker: &Worker, area: Option<&Area>) -> bool {
    match area {
        Some(area) => may(worker, Right::AnswerPeople, area),
        None => !worker.removed && worker.role >= Right::AnswerPeople.least(),
    }
}

/// Those who are told of a talk. On duty, up to the role that its waiting calls for; where nobody is, those above at
/// once; where nobody at all is on duty, coordinators and operators who are not, and at last everybody who may answer.
pub fn audience<'w>(
    thread: &Thread,
    area: Option<&Area>,
    up_to: Role,
    workers: &'w [Worker],
) -> Vec<&'w Worker> {
    let mut able: Vec<&Worker> = workers
        .iter()
        .filter(|worker| worker.contact.is_some() && may_answer(worker, area))
        .collect();
    if area.is_none() && able.iter().any(|worker| worker.scope.covers(&Area::City)) {
        able.retain(|worker| worker.scope.covers(&Area::City));
    }
    let on_duty: Vec<&Worker> = able.iter().copied().filter(|worker| worker.on_duty).collect();
    let holder = thread
        .claimed_by
        .and_then(|id| able.iter().copied().find(|worker| worker.id == id));
    if let Some(holder) = holder {
        // It is theirs; only what waits all the same is seen by others.
        let mut told = vec![holder];
        if up_to > Role::Worker {
            let above = |worker: &&Worker| worker.role > Role::Worker && worker.role <= up_to;
            told.extend(
                on_duty
                    .into_iter()
                    .filter(above)
                    .filter(|worker| worker.id != holder.id),
            );
        }
        return told;
    }
    for top in [Role::Worker, Role::Coordinator, Role::Operator] {
        let told: Vec<&Worker> = on_duty
            .iter()
            .copied()
            .filter(|worker| worker.role <= top)
            .collect();
        if top >= up_to && !told.is_empty() {
            return told;
        }
    }
    let above: Vec<&Worker> = able
        .iter()
        .copied()
        .filter(|worker| worker.role >= Role::Coordinator)
        .collect();
    if above.is_empty() { able } else { above }
}

/// Whom a worker may relieve of a talk: those above take over what has waited too long.
pub fn may_relieve(worker: &Worker, thread: &Thread, up_to: Role) -> Option<crate::domain::WorkerId> {
    let late = up_to >= Role::Coordinator;
    thread
        .claimed_by
        .filter(|_| late && worker.role >= Role::Coordinator)
}

/// A talk as a worker sees it.
#[derive(Clone, Copy)]
pub struct Card<'a> {
    /// The words.
    pub texts: &'a Texts,
    /// In which language.
    pub language: Language,
    /// The talk.
    pub thread: &'a Thread,
    /// What was said.
    pub messages: &'a [ThreadMessage],
    /// Where the resident lives.
    pub place: Option<&'a UnitPlace>,
    /// Who has taken it on.
    pub holder: Option<&'a str>,
    /// The approved answers that are offered.
    pub answers: &'a [Intent],
    /// It is the message that is kept up to date: a reply to it is an answer.
    pub kept: bool,
    /// The time.
    pub now: DateTime<Utc>,
}

impl std::fmt::Debug for Card<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Card({})", self.thread.id)
    }
}

impl Card<'_> {
    fn say(&self, text: &Text<'_>) -> String {
        self.texts.say(self.language, ChannelKind::Telegram, text)
    }

    /// The message about it, with what can be done.
    pub fn body(&self) -> Body {
        let id = self.thread.id.to_string();
        let place = self
            .place
            .map_or_else(|| self.say(&Text::InboxNowhere), UnitPlace::within_community);
        let mut lines = Vec::new();
        if self.thread.urgent {
            lines.push(self.say(&Text::InboxUrgent));
        }
        lines.push(self.say(&Text::InboxCard {
            id: &id,
            place: &place,
        }));
        let first = self.messages.len().saturating_sub(LINES_SHOWN);
        for message in &self.messages[first..] {
            let words: String = message.words.chars().take(LINE_CHARACTERS_MAX).collect();
            let words = words.as_str();
            lines.push(match message.author {
                ThreadAuthor::Resident => self.say(&Text::InboxResident { words }),
                _ => self.say(&Text::InboxStaff { words }),
            });
        }
        if !self.thread.open {
            lines.push(self.say(&Text::InboxOver));
            return Body::text(lines.join("\n"));
        }
        if let Some(since) = self.thread.waiting_since {
            let minutes = (self.now - since).num_minutes().max(0).to_string();
            lines.push(self.say(&Text::InboxWaits { minutes: &minutes }));
        }
        if let Some(name) = self.holder {
            lines.push(self.say(&Text::InboxHeld { name }));
        }
        if self.kept {
            lines.push(self.say(&Text::InboxHow));
        }
        Body {
            text: lines.join("\n"),
            buttons: self.buttons(),
            ..Body::default()
        }
    }

    fn buttons(&self) -> Vec<Vec<Button>> {
        let button = |label: &Text<'_>, what: &str| self.button(label, what);
        let mut first = vec![button(&Text::InboxAnswer, "say")];
        if self.thread.claimed_by.is_none() {
            first.insert(0, button(&Text::InboxClaim, "take"));
        }
        let mut rows = vec![first];
        let answers: Vec<Button> = self
            .answers
            .iter()
            .filter_map(|intent| self.answer(*intent))
            .collect();
        rows.extend(answers.chunks(2).map(<[Button]>::to_vec));
        rows.push(vec![
            button(&Text::InboxPass, "pass"),
            button(&Text::InboxClose, "end"),
        ]);
        rows
    }

    fn button(&self, label: &Text<'_>, what: &str) -> Button {
        Button::Choice {
            label: self.say(label),
            data: format!("{PREFIX}{what}:{}", self.thread.id),
        }
    }

    fn answer(&self, intent: Intent) -> Option<Button> {
        let title = &answers::title_of(self.texts, self.language, intent)?;
        Some(self.button(&Text::InboxApproved { title }, &format!("a-{intent}")))
    }

    /// An approved answer as the resident would get it, to be sent or not.
    pub fn preview(&self, intent: Intent, words: &str) -> Body {
        let id = &self.thread.id.to_string();
        let send = format!("send-{}-{intent}", self.thread.asked);
        Body {
            text: format!("{}\n{words}", self.say(&Text::InboxPreview { id })),
            buttons: vec![vec![
                self.button(&Text::InboxSend, &send),
                self.button(&Text::InboxBack, "show"),
            ]],
            ..Body::default()
        }
    }
}

/// The name under which a talk's message is kept up to date in a chat: a new one for each message of the resident, so
/// that the phone rings.
pub fn live_name(thread: ThreadId, asked: i64) -> String {
    format!("thread:{thread}:{asked}")
}

/// The talk that such a name is of.
pub fn of_live_name(name: &str) -> Option<ThreadId> {
    let (id, _) = name.strip_prefix("thread:")?.split_once(':')?;
    id.parse().ok().map(ThreadId)
}

/// How a talk answers a wish that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is theirs.
    Claimed,
    /// Another has it.
    Taken(String),
    /// It is over.
    Over,
    /// Their words are awaited.
    Write,
    /// The words are on their way.
    Sent,
    /// The resident cannot be reached.
    Unreachable,
    /// It is passed on.
    Passed,
    /// It is closed.
    Closed,
}

/// What the worker is told then.
pub fn told(texts: &Texts, config: &Config, worker: &Worker, thread: ThreadId, outcome: &Outcome) -> Body {
    let language = worker.language.unwrap_or(config.city.default_language);
    let id = &thread.to_string();
    let text = match outcome {
        Outcome::Claimed => Text::InboxClaimed { id },
        Outcome::Taken(name) => Text::InboxTaken { name },
        Outcome::Over => Text::InboxOver,
        Outcome::Write => Text::InboxWrite { id },
        Outcome::Sent => Text::InboxSent { id },
        Outcome::Unreachable => Text::InboxUnreachable,
        Outcome::Passed => Text::InboxPassed { id },
        Outcome::Closed => Text::InboxClosed { id },
    };
    Body::text(texts.say(language, ChannelKind::Telegram, &text))
}

/// What is said where nobody waits.
pub fn nobody(texts: &Texts, language: Language) -> Body {
    Body::text(texts.say(language, ChannelKind::Telegram, &Text::InboxEmpty))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{Scope, WorkerId},
        store::Thread,
    };

    fn said(author: ThreadAuthor, words: &str) -> ThreadMessage {
        ThreadMessage {
            at: DateTime::UNIX_EPOCH,
            author,
            words: words.into(),
        }
    }

    fn wish() -> impl Strategy<Value = Wish> {
        let id = ThreadId(7);
        prop::sample::select(vec![
            Wish::List,
            Wish::Take(id),
            Wish::Write(id),
            Wish::Say(id, "好".into()),
            Wish::Show(id),
            Wish::Preview(id, Intent::WhatToBring),
            Wish::Send(id, Intent::WhatToBring, 1),
            Wish::PassOn(id),
            Wish::Close(id),
        ])
    }

    fn area() -> impl Strategy<Value = Area> {
        prop::sample::select(vec!["city", "甲", "甲/乙", "甲/乙/丙", "甲/乙/丁", "戊/乙/丙"])
            .prop_map(|text| text.parse().expect("an area"))
    }

    proptest! {
        #[test]
        fn a_talk_is_touched_only_by_those_who_may_answer_there(
            wish in wish(), role in prop::sample::select(Role::ALL.to_vec()),
            scope in prop::collection::vec(area(), 0..3), removed in any::<bool>(),
            home in prop::option::of(area()),
        ) {
            let worker = Worker {
                id: WorkerId(1),
                name: "张某".into(),
                role,
                scope: Scope(scope),
                contact: None,
                language: None,
                on_duty: false,
                removed,
            };
            let able = !removed && role >= Role::Worker;
            let may = match &home {
                Some(home) => able && worker.scope.0.iter().any(|area| area.contains(home)),
                None => able,
            };
            match decide(&wish, &worker, home.as_ref()) {
                Decision::Do(allowed) => {
                    prop_assert!(may, "{wish:?} by {worker:?}");
                    prop_assert_eq!(allowed.wish(), &wish);
                }
                Decision::Refused(right, area) => {
                    prop_assert!(!may, "{wish:?} refused to {worker:?}");
                    prop_assert_eq!(right, Right::AnswerPeople);
                    prop_assert_eq!(area, home.unwrap_or(Area::City));
                }
            }
        }
    }

    #[test]
    fn answers_are_offered_by_the_residents_last_words() {
        let of = |words: &[(ThreadAuthor, &str)]| {
            let messages: Vec<_> = words.iter().map(|(author, words)| said(*author, words)).collect();
            fitting(&messages)
        };
        let (resident, worker) = (ThreadAuthor::Resident, ThreadAuthor::Worker(1));
        assert_eq!(
            of(&[(resident, "做核酸要带什么")]).first(),
            Some(&Intent::WhatToBring)
        );
        let asked = [
            (resident, "做核酸要带什么"),
            (worker, "身份证"),
            (resident, "地铁还开不开"),
        ];
        assert_eq!(of(&asked).first(), Some(&Intent::TransportStatus));
        assert_eq!(
            of(&[(resident, "我妈胸口痛得喘不上气")]).first(),
            Some(&Intent::EmergencyCare)
        );
        for own in ["我们楼几点做核酸", "我的核酸证明还有效吗"] {
            let offered = of(&[(resident, own)]);
            assert!(
                offered.len() <= ANSWERS_OFFERED && offered.iter().all(|intent| answers::is_fixed(*intent)),
                "{own}: {offered:?}"
            );
        }
        assert_eq!(of(&[(resident, "")]), []);
        assert_eq!(of(&[(worker, "带身份证")]), []);
        assert_eq!(of(&[(resident, "！！！")]), []);
    }

    #[test]
    fn a_cards_buttons_are_what_they_are_read_as() {
        let texts = Texts::load().expect("texts");
        let thread = Thread {
            asked: 12,
            ..thread()
        };
        let offered: Vec<Intent> = Intent::ALL
            .into_iter()
            .filter(|intent| answers::is_fixed(*intent))
            .collect();
        let card = Card {
            texts: &texts,
            language: Language::ZhHans,
            thread: &thread,
            messages: &[],
            place: None,
            holder: None,
            answers: &offered,
            kept: true,
            now: DateTime::UNIX_EPOCH,
        };
        let mut bodies = vec![(card.body(), None)];
        bodies.extend(
            offered
                .iter()
                .map(|intent| (card.preview(*intent, "字"), Some(*intent))),
        );
        let mut read = Vec::new();
        for (body, previewed) in bodies {
            for button in body.buttons.iter().flatten() {
                let Button::Choice { data, .. } = button else {
                    panic!("{button:?}");
                };
                // Telegram takes no more.
                assert!(data.len() <= 64, "{data}");
                let wish = Wish::of_button(data.strip_prefix(PREFIX).expect("ours")).expect(data);
                if let Wish::Send(_, intent, asked) = &wish {
                    assert_eq!((Some(*intent), *asked), (previewed, 12));
                }
                read.push(wish);
            }
        }
        for intent in offered {
            assert!(read.contains(&Wish::Preview(thread.id, intent)), "{intent}");
            assert!(read.contains(&Wish::Send(thread.id, intent, 12)), "{intent}");
        }
    }

    fn thread() -> Thread {
        Thread {
            id: ThreadId(1_234_567),
            contact: crate::domain::ContactId(1),
            unit: None,
            community: None,
            area: None,
            reason: crate::domain::ThreadReason::Asked,
            urgent: false,
            open: true,
            opened_at: DateTime::UNIX_EPOCH,
            changed_at: DateTime::UNIX_EPOCH,
            answered_at: None,
            closed_at: None,
            closed_by: String::new(),
            claimed_by: None,
            held_at: None,
            raised: false,
            messages: 0,
            asked: 0,
            waiting_since: None,
        }
    }

    #[test]
    fn made_up_data_asks_for_nothing() {
        for data in [
            "a-find-time-window:1",
            "a-check-pass-validity:1",
            "a-opt-out:1",
            "a-nothing:1",
            "a-:1",
            "a-what-to-bring:x",
            "send-1-home-sampling-status:1",
            "send-what-to-bring:1",
            "send-x-what-to-bring:1",
            "send-1-:1",
            "send-:1",
            "show",
        ] {
            assert_eq!(Wish::of_button(data), None, "{data}");
        }
    }
}
