//! What residents ask a person: whom a talk is shown to, and how it reads there. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    config::{Config, InboxConfig},
    domain::{
        Area, Body, Button, ChannelKind, Language, Right, Role, ThreadAuthor, ThreadId, UnitPlace, Worker,
        may,
    },
    i18n::{Text, Texts},
    store::{Thread, ThreadMessage},
};

/// What the data of a talk's buttons begins with.
pub const PREFIX: &str = "w:i:";
/// Messages of a talk that are shown: the last ones.
const LINES_SHOWN: usize = 4;
/// Characters of each that are shown.
const LINE_CHARACTERS_MAX: usize = 500;
/// A worker's answer has at most so many characters.
pub const ANSWER_CHARACTERS_MAX: usize = 500;

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
            _ => return None,
        })
    }

    /// The talk that it is about.
    pub fn thread(&self) -> Option<ThreadId> {
        match self {
            Self::List => None,
            Self::Take(id) | Self::Write(id) | Self::Say(id, _) | Self::PassOn(id) | Self::Close(id) => {
                Some(*id)
            }
        }
    }
}

/// Since when a resident waits for an answer: since the first of the messages that nobody has answered. None where the
/// staff had the last word.
pub fn waiting_since(messages: &[ThreadMessage]) -> Option<DateTime<Utc>> {
    let unanswered = messages
        .iter()
        .rev()
        .take_while(|message| message.author == ThreadAuthor::Resident);
    unanswered.last().map(|message| message.at)
}

/// Messages of the resident so far.
pub fn asked(messages: &[ThreadMessage]) -> usize {
    let of_resident = |message: &&ThreadMessage| message.author == ThreadAuthor::Resident;
    messages.iter().filter(of_resident).count()
}

/// Up to which role a talk that has waited so long is shown.
pub fn up_to(thread: &Thread, waits: TimeDelta, config: &InboxConfig) -> Role {
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
        if let Some(since) = waiting_since(self.messages) {
            let minutes = (self.now - since).num_minutes().max(0).to_string();
            lines.push(self.say(&Text::InboxWaits { minutes: &minutes }));
        }
        if let Some(name) = self.holder {
            lines.push(self.say(&Text::InboxHeld { name }));
        }
        lines.push(self.say(&Text::InboxHow));
        Body {
            text: lines.join("\n"),
            buttons: self.buttons(),
            ..Body::default()
        }
    }

    fn buttons(&self) -> Vec<Vec<Button>> {
        let button = |label: &Text<'_>, what: &str| Button::Choice {
            label: self.say(label),
            data: format!("{PREFIX}{what}:{}", self.thread.id),
        };
        let mut first = vec![button(&Text::InboxAnswer, "say")];
        if self.thread.claimed_by.is_none() {
            first.insert(0, button(&Text::InboxClaim, "take"));
        }
        vec![
            first,
            vec![button(&Text::InboxPass, "pass"), button(&Text::InboxClose, "end")],
        ]
    }
}

/// The name under which a talk's message is kept up to date in a chat: a new one for each message of the resident, so
/// that the phone rings.
pub fn live_name(thread: ThreadId, asked: usize) -> String {
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
