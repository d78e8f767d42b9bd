//! What a worker's message or press does: state and message into state, replies and at most one effect. Pure. Rights are
//! asked here, for the worker as they are at this moment: a button drawn yesterday, a forwarded message or made-up button
//! data can do no more than the worker may do now.
//!
//! Whoever carries an effect out hands what came of it to the function named beside it, which says what is told then.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{inbox, invitation, site, today, visits};
use crate::{
    config::Config,
    domain::{
        Actor, Area, Audience, BROADCAST_CHARACTERS_MAX, Body, BroadcastCount, BroadcastId, BroadcastState,
        Button, ChannelKind, InboundContent, Lane, Language, PhoneNumber, PlaceRule, ReportId, Right, Role,
        Tag, ThreadId, Words, Worker, may, may_in_all,
    },
    i18n::{Text, Texts, Voice, notices, work},
    store::{Accepted, Broadcast},
};

/// What every button's data of a desk begins with.
pub const PREFIX: &str = "w:";
/// Places on one keyboard.
const PLACES_SHOWN: usize = 20;

/// What the step is told.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Who writes, if they are a worker at this moment.
    pub worker: Option<&'a Worker>,
    /// The words.
    pub texts: &'a Texts,
    /// Settings.
    pub config: &'a Config,
    /// Names this message: what it begins is told from what an earlier one began.
    pub nonce: i64,
    /// The broadcast that the message is about, as it stands; see [`about`].
    pub broadcast: Option<&'a Broadcast>,
    /// What became of its messages.
    pub figures: work::BroadcastFigures,
    /// The time.
    pub now: DateTime<Utc>,
}

/// What a worker is in the middle of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desk {
    /// Nothing.
    #[default]
    Idle,
    /// They opened an invitation and are to prove their phone.
    Invited,
    /// A broadcast is being written.
    Writing(Box<Draft>),
    /// It is counted: the number is to be typed.
    Counted {
        /// The draft.
        id: BroadcastId,
        /// What its buttons carry.
        nonce: i64,
    },
    /// An answer to a resident is being written.
    Answering(ThreadId),
    /// A report from a site is taken down: a photo may follow.
    Photographing(ReportId),
}

/// A broadcast as far as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    nonce: i64,
    /// The place so far.
    at: PlaceRule,
    /// The places on the last keyboard.
    shown: Vec<PlaceRule>,
    audience: Option<Audience>,
    words: Words,
    /// The language whose text is typed next.
    typing: Option<Language>,
    /// The ready text whose blanks are typed next, by its word.
    ready: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Look up what lies in a place, then [`place_shown`].
    Look(PlaceRule),
    /// Count and write down a draft, then [`counted`].
    Count(Audience, Words),
    /// Confirm a draft by the number that was typed, then [`confirmed`].
    Confirm(BroadcastId, u64),
    /// Approve, then [`stands`].
    Approve(BroadcastId),
    /// Pause, let go on or withdraw, then [`stands`].
    Move(BroadcastId, BroadcastState),
    /// On duty or off.
    Duty(bool),
    /// Open an invitation by the hash of its token, then [`opened`].
    Open(String),
    /// The own phone was proven, then [`accepted`].
    Accept(PhoneNumber),
    /// Take an accepted invitation back, then [`undone`].
    Undo(i64),
    /// Look at how things stand, then [`glance`].
    Glance,
    /// What is wanted of a talk with a resident, then [`talked`].
    Inbox(inbox::Wish),
    /// What is wanted of visits at home, then [`talked`].
    Visits(visits::Wish),
    /// What is wanted from the field: reports, incidents, proposals, alerts; then [`from_field`].
    Field(site::Wish),
    /// Put on record that it was not allowed.
    Refused(Right),
}

/// What a step comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What the worker is in the middle of then.
    pub desk: Desk,
    /// What is said.
    pub replies: Vec<Body>,
    /// What is done.
    pub effect: Option<Effect>,
    /// The last reply is how this broadcast stands: edited into the one that is there.
    pub live: Option<BroadcastId>,
}

impl Turn {
    fn stands(desk: Desk, id: BroadcastId, replies: Vec<Body>) -> Self {
        Self {
            desk,
            replies,
            effect: None,
            live: Some(id),
        }
    }

    fn say(desk: Desk, body: Body) -> Self {
        Self {
            live: None,
            desk,
            replies: vec![body],
            effect: None,
        }
    }

    fn act(desk: Desk, effect: Effect) -> Self {
        Self {
            live: None,
            desk,
            replies: Vec::new(),
            effect: Some(effect),
        }
    }
}

/// What became of a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It goes out.
    Sent,
    /// Another must approve it.
    Waits,
    /// The number is another one.
    Counted(BroadcastCount),
    /// It was decided before.
    Decided,
}

impl Known<'_> {
    fn language(&self) -> Language {
        let own = self.worker.and_then(|worker| worker.language);
        own.unwrap_or(self.config.city.default_language)
    }

    fn say(&self, text: &Text<'_>) -> String {
        self.texts.say(self.language(), ChannelKind::Telegram, text)
    }

    fn body(&self, text: &Text<'_>) -> Body {
        Body::text(self.say(text))
    }

    fn button(&self, label: &Text<'_>, data: String) -> Button {
        Button::Choice {
            label: self.say(label),
            data,
        }
    }

    fn place(&self, place: &PlaceRule) -> String {
        match place.0.last() {
            Some(name) => name.clone(),
            None => self.say(&Text::WorkCity),
        }
    }

    /// Why this worker may not, in words; with the right that they lack, for the record.
    fn refuse(&self, right: Right, areas: &[Area]) -> Turn {
        let Some(worker) = self.worker else {
            return Turn::say(Desk::Idle, self.body(&Text::WorkGone));
        };
        let body = if worker.role < right.least() {
            let role = work::role(self.texts, self.language(), right.least());
            self.body(&Text::WorkRefused { role: &role })
        } else {
            let outside = areas.iter().find(|area| !worker.scope.covers(area));
            let name = outside.and_then(|area| area.path().last().map(|name| (*name).to_owned()));
            let area = name.unwrap_or_else(|| self.say(&Text::WorkCity));
            self.body(&Text::WorkElsewhere { area: &area })
        };
        Turn {
            live: None,
            desk: Desk::Idle,
            replies: vec![body],
            effect: Some(Effect::Refused(right)),
        }
    }

    /// The buttons that this worker may press under a broadcast in its present state.
    fn controls(&self, broadcast: &Broadcast) -> Vec<Vec<Button>> {
        let id = broadcast.id;
        let areas = broadcast.audience.areas();
        let Some(worker) = self.worker else {
            return Vec::new();
        };
        let writes = may_in_all(worker, Right::Broadcast, &areas);
        let approves =
            may_in_all(worker, Right::Approve, &areas) && broadcast.author != Actor::Worker(worker.id);
        let button = |label: &Text<'_>, what: &str| self.button(label, format!("{PREFIX}{what}:{id}"));
        let mut row = Vec::new();
        match broadcast.state {
            BroadcastState::Waiting if approves => row.push(button(&Text::WorkApprove, "ok")),
            BroadcastState::Sending if writes => row.push(button(&Text::WorkPause, "hold")),
            BroadcastState::Paused if writes => row.push(button(&Text::WorkResume, "go")),
            _ => {}
        }
        let open = matches!(
            broadcast.state,
            BroadcastState::Waiting
                | BroadcastState::Sending
                | BroadcastState::Paused
                | BroadcastState::Active
        );
        if open && writes {
            row.push(button(&Text::WorkWithdraw, "end"));
        }
        if open {
            row.push(button(&Text::WorkRefresh, "how"));
        }
        if row.is_empty() { Vec::new() } else { vec![row] }
    }

    /// How a broadcast stands, with what may be done about it.
    fn standing(&self, broadcast: &Broadcast) -> Body {
        let text = work::broadcast_progress(self.texts, self.language(), broadcast.state, &self.figures);
        Body {
            text,
            buttons: self.controls(broadcast),
            ..Body::default()
        }
    }
}

/// Whether a message may be one for the desk, so that what a desk is in the middle of need not be looked up for others.
pub fn may_concern(content: &InboundContent) -> bool {
    match content {
        InboundContent::Choice(data) => data.starts_with(PREFIX),
        InboundContent::Start(payload) => payload.starts_with(invitation::PREFIX),
        InboundContent::Text(text) => command(text).is_some(),
        InboundContent::Contact { .. }
        | InboundContent::Membership { .. }
        | InboundContent::Photo(_)
        | InboundContent::Other => false,
    }
}

/// The broadcast that a message is about.
pub fn about(desk: &Desk, content: &InboundContent) -> Option<BroadcastId> {
    match (content, desk) {
        (InboundContent::Choice(data), _) if data.starts_with(PREFIX) => {
            let (what, id) = data[PREFIX.len()..].split_once(':')?;
            let named = ["show", "ok", "hold", "go", "end", "how"].contains(&what);
            named.then(|| id.parse().ok()).flatten().or(match desk {
                Desk::Counted { id, .. } => Some(*id),
                _ => None,
            })
        }
        (InboundContent::Text(_), Desk::Counted { id, .. }) => Some(*id),
        _ => None,
    }
}

/// A worker's command.
fn command(text: &str) -> Option<&str> {
    let word = text.trim().strip_prefix('/')?.split_whitespace().next()?;
    let word = word.split('@').next()?;
    [
        "broadcast",
        "today",
        "duty",
        "inbox",
        "visits",
        "site",
        "incident",
    ]
    .into_iter()
    .find(|known| word.eq_ignore_ascii_case(known))
}

/// One step; none where the message is not one for the desk.
pub fn step(known: &Known<'_>, desk: &Desk, content: &InboundContent) -> Option<Turn> {
    match content {
        InboundContent::Start(payload) if payload.starts_with(invitation::PREFIX) => {
            let hash = invitation::token_hash(payload);
            Some(Turn::act(Desk::Idle, Effect::Open(hash)))
        }
        InboundContent::Contact { phone, own } if *desk == Desk::Invited => Some(prove(known, phone, *own)),
        InboundContent::Choice(data) => {
            let data = data.strip_prefix(PREFIX)?;
            Some(match known.worker {
                Some(worker) => press(known, worker, desk, data),
                None => Turn::say(Desk::Idle, known.body(&Text::WorkGone)),
            })
        }
        InboundContent::Text(text) => {
            let worker = known.worker?;
            match command(text) {
                Some(command) => Some(begin(known, worker, command)),
                // Another command, or one of the words that work anywhere, is for the conversation.
                None if text.trim_start().starts_with('/') => None,
                None => typed(known, worker, desk, text),
            }
        }
        InboundContent::Photo(file) if known.worker.is_some() && matches!(desk, Desk::Photographing(_)) => {
            let Desk::Photographing(report) = desk else {
                return None;
            };
            let wish = site::Wish::Photo(*report, file.clone());
            Some(Turn::act(Desk::Idle, Effect::Field(wish)))
        }
        InboundContent::Photo(_) | InboundContent::Other => match desk {
            Desk::Writing(draft) if known.worker.is_some() && draft.audience.is_some() => {
                let max = BROADCAST_CHARACTERS_MAX.to_string();
                Some(Turn::say(
                    desk.clone(),
                    known.body(&Text::WorkTextFault { max: &max }),
                ))
            }
            _ => None,
        },
        _ => None,
    }
}

fn prove(known: &Known<'_>, phone: &str, own: bool) -> Turn {
    let written = if phone.starts_with('+') {
        phone.to_owned()
    } else {
        format!("+{phone}")
    };
    match PhoneNumber::parse(&written) {
        Ok(phone) if own => Turn::act(Desk::Idle, Effect::Accept(phone)),
        _ => Turn::say(Desk::Invited, share(known, &Text::WorkNotOwn)),
    }
}

fn share(known: &Known<'_>, text: &Text<'_>) -> Body {
    Body {
        text: known.say(text),
        buttons: vec![vec![Button::ShareContact {
            label: known.say(&Text::WorkShare),
        }]],
        ..Body::default()
    }
}

fn begin(known: &Known<'_>, worker: &Worker, command: &str) -> Turn {
    // What somebody may at all is asked first for anywhere: of which place is asked once it is chosen.
    let anywhere = |right: Right| worker.role >= right.least() && !worker.removed;
    match command {
        "broadcast" if !anywhere(Right::Broadcast) => known.refuse(Right::Broadcast, &[]),
        "broadcast" => {
            let draft = Draft {
                nonce: known.nonce,
                ..Draft::default()
            };
            let areas: Vec<PlaceRule> = worker
                .scope
                .0
                .iter()
                .map(|area| PlaceRule(area.path().into_iter().map(str::to_owned).collect()))
                .collect();
            match areas.as_slice() {
                [one] => {
                    let at = one.clone();
                    Turn::act(
                        Desk::Writing(Box::new(Draft {
                            at: at.clone(),
                            ..draft
                        })),
                        Effect::Look(at),
                    )
                }
                _ => place_keyboard(known, draft, areas, false),
            }
        }
        "duty" | "inbox" if !anywhere(Right::AnswerPeople) => known.refuse(Right::AnswerPeople, &[]),
        "duty" => {
            let on = !worker.on_duty;
            let text = if on { Text::WorkOnDuty } else { Text::WorkOffDuty };
            Turn {
                live: None,
                desk: Desk::Idle,
                replies: vec![known.body(&text)],
                effect: Some(Effect::Duty(on)),
            }
        }
        "inbox" => Turn::act(Desk::Idle, Effect::Inbox(inbox::Wish::List)),
        "visits" if !anywhere(Right::ActOnVisits) => known.refuse(Right::ActOnVisits, &[]),
        "visits" => Turn::act(Desk::Idle, Effect::Visits(visits::Wish::List)),
        "site" if !anywhere(Right::ReportSite) => known.refuse(Right::ReportSite, &[]),
        "site" => Turn::act(Desk::Idle, Effect::Field(site::Wish::Report)),
        "incident" if !anywhere(Right::ProposeIncident) => known.refuse(Right::ProposeIncident, &[]),
        "incident" => Turn::act(Desk::Idle, Effect::Field(site::Wish::Incident)),
        _ => Turn::act(Desk::Idle, Effect::Glance),
    }
}

/// A reply to the message about a talk: its words are the answer.
pub fn replied(known: &Known<'_>, desk: &Desk, thread: ThreadId, words: &str) -> Turn {
    if words.trim().chars().count() > inbox::ANSWER_CHARACTERS_MAX {
        let max = inbox::ANSWER_CHARACTERS_MAX.to_string();
        return Turn::say(desk.clone(), known.body(&Text::WorkTextFault { max: &max }));
    }
    let desk = if *desk == Desk::Answering(thread) {
        Desk::Idle
    } else {
        desk.clone()
    };
    Turn::act(
        desk,
        Effect::Inbox(inbox::Wish::Say(thread, words.trim().to_owned())),
    )
}

/// After [`Effect::Inbox`] and [`Effect::Visits`]: what came of it.
pub fn talked(
    known: &Known<'_>,
    desk: &Desk,
    replies: Vec<Body>,
    awaited: Option<ThreadId>,
    refused: Option<(Right, &Area)>,
) -> Turn {
    if let Some((right, area)) = refused {
        return known.refuse(right, std::slice::from_ref(area));
    }
    Turn {
        desk: awaited.map_or_else(|| desk.clone(), Desk::Answering),
        replies,
        effect: None,
        live: None,
    }
}

/// After [`Effect::Field`]: what came of it; with `photo`, a photo of this report may follow.
pub fn from_field(
    known: &Known<'_>,
    desk: &Desk,
    replies: Vec<Body>,
    photo: Option<ReportId>,
    refused: Option<(Right, &Area)>,
) -> Turn {
    Turn {
        desk: photo.map_or_else(|| desk.clone(), Desk::Photographing),
        ..talked(known, desk, replies, None, refused)
    }
}

/// The keyboard on which a place is chosen: all of the present one, or one in it.
fn place_keyboard(known: &Known<'_>, mut draft: Draft, mut places: Vec<PlaceRule>, whole: bool) -> Turn {
    places.truncate(PLACES_SHOWN);
    let mut rows = Vec::new();
    if whole {
        let area = known.place(&draft.at);
        let label = Text::WorkAllOf { area: &area };
        rows.push(vec![
            known.button(&label, format!("{PREFIX}d:{}:all", draft.nonce)),
        ]);
    }
    for (pair, names) in places.chunks(2).enumerate() {
        let row = names.iter().enumerate().map(|(index, place)| Button::Choice {
            label: known.place(place),
            data: format!("{PREFIX}d:{}:in{}", draft.nonce, pair * 2 + index),
        });
        rows.push(row.collect());
    }
    rows.push(vec![
        known.button(&Text::WorkCancel, format!("{PREFIX}d:{}:drop", draft.nonce)),
    ]);
    draft.shown = places;
    let body = Body {
        text: known.say(&Text::WorkToWhom),
        buttons: rows,
        ..Body::default()
    };
    Turn::say(Desk::Writing(Box::new(draft)), body)
}

/// After [`Effect::Look`]: what lies in the place. Where nothing does, or it is a unit, all of it is meant.
pub fn place_shown(known: &Known<'_>, desk: &Desk, below: Vec<PlaceRule>) -> Turn {
    match desk {
        Desk::Writing(draft) if below.is_empty() => who_keyboard(known, (**draft).clone()),
        Desk::Writing(draft) => place_keyboard(known, (**draft).clone(), below, true),
        _ => Turn::say(Desk::Idle, known.body(&Text::WorkOldButton)),
    }
}

const WHO: [&str; 7] = [
    "every", "green", "regular", "elderly", "nophone", "mobility", "english",
];

fn who_keyboard(known: &Known<'_>, draft: Draft) -> Turn {
    let area = known.place(&draft.at);
    let labels = [
        Text::WorkEveryone,
        Text::WorkGreen,
        Text::WorkRegular,
        Text::WorkElderly,
        Text::WorkNoSmartphone,
        Text::WorkLimitedMobility,
        Text::WorkEnglishReaders,
    ];
    let button =
        |(word, label): (&&str, &Text<'_>)| known.button(label, format!("{PREFIX}d:{}:{word}", draft.nonce));
    let buttons: Vec<Button> = WHO.iter().zip(&labels).map(button).collect();
    let mut rows: Vec<Vec<Button>> = buttons.chunks(2).map(<[Button]>::to_vec).collect();
    rows.push(vec![
        known.button(&Text::WorkCancel, format!("{PREFIX}d:{}:drop", draft.nonce)),
    ]);
    let body = Body {
        text: known.say(&Text::WorkWho { area: &area }),
        buttons: rows,
        ..Body::default()
    };
    Turn::say(Desk::Writing(Box::new(draft)), body)
}

fn audience(at: &PlaceRule, who: &str) -> Option<Audience> {
    let all = Audience {
        places: if at.0.is_empty() {
            Vec::new()
        } else {
            vec![at.clone()]
        },
        ..Audience::default()
    };
    let tagged = |tag| Audience {
        tags: vec![tag],
        ..all.clone()
    };
    Some(match who {
        "every" => all,
        "green" => Audience {
            lane: Some(Lane::Green),
            ..all
        },
        "regular" => Audience {
            lane: Some(Lane::Regular),
            ..all
        },
        "elderly" => tagged(Tag::Elderly),
        "nophone" => tagged(Tag::NoSmartphone),
        "mobility" => tagged(Tag::LimitedMobility),
        "english" => Audience {
            languages: vec![Language::En],
            ..all
        },
        _ => return None,
    })
}

/// A button of the desk, by a worker.
fn press(known: &Known<'_>, worker: &Worker, desk: &Desk, data: &str) -> Turn {
    let old = || Turn::say(desk.clone(), known.body(&Text::WorkOldButton));
    let (what, rest) = data.split_once(':').unwrap_or((data, ""));
    match what {
        "d" => {
            let Some((nonce, choice)) = rest.split_once(':') else {
                return old();
            };
            match desk {
                Desk::Writing(draft) if nonce.parse() == Ok(draft.nonce) => {
                    choose(known, worker, draft, choice).unwrap_or_else(old)
                }
                Desk::Counted { nonce: own, .. } if nonce.parse() == Ok(*own) => {
                    counted_press(known, worker, desk, choice).unwrap_or_else(old)
                }
                _ => old(),
            }
        }
        "i" => match inbox::Wish::of_button(rest) {
            Some(wish) => Turn::act(desk.clone(), Effect::Inbox(wish)),
            None => old(),
        },
        "v" => match visits::Wish::of_button(rest) {
            Some(wish) => Turn::act(desk.clone(), Effect::Visits(wish)),
            None => old(),
        },
        "s" | "n" | "p" | "a" => match field_wish(what, rest) {
            Some(wish) => Turn::act(desk.clone(), Effect::Field(wish)),
            None => old(),
        },
        "undo" => match rest.parse() {
            Ok(id) => Turn::act(Desk::Idle, Effect::Undo(id)),
            Err(_) => old(),
        },
        _ => match known.broadcast {
            Some(broadcast) if rest.parse() == Ok(broadcast.id) => {
                on_broadcast(known, worker, desk, what, broadcast)
            }
            _ => old(),
        },
    }
}

/// What a button from the field wants.
fn field_wish(what: &str, rest: &str) -> Option<site::Wish> {
    match what {
        "s" => site::Wish::of_button(rest),
        "n" => site::Wish::of_incident_button(rest),
        "p" => site::Wish::of_proposal_button(rest),
        _ => rest.parse().ok().map(site::Wish::SeeTo),
    }
}

/// A button about a broadcast that is there already.
fn on_broadcast(known: &Known<'_>, worker: &Worker, desk: &Desk, what: &str, broadcast: &Broadcast) -> Turn {
    let areas = broadcast.audience.areas();
    let needed = match what {
        "ok" => Right::Approve,
        "hold" | "go" | "end" => Right::Broadcast,
        _ => Right::SeeRounds,
    };
    if !may_in_all(worker, needed, &areas) {
        return known.refuse(needed, &areas);
    }
    match what {
        "ok" if broadcast.author == Actor::Worker(worker.id) => {
            Turn::say(desk.clone(), known.body(&Text::WorkOwn))
        }
        "ok" => Turn::act(desk.clone(), Effect::Approve(broadcast.id)),
        "hold" => Turn::act(desk.clone(), Effect::Move(broadcast.id, BroadcastState::Paused)),
        "go" => Turn::act(desk.clone(), Effect::Move(broadcast.id, BroadcastState::Sending)),
        "end" => Turn::act(
            desk.clone(),
            Effect::Move(broadcast.id, BroadcastState::Cancelled),
        ),
        "how" => Turn::stands(desk.clone(), broadcast.id, vec![known.standing(broadcast)]),
        "show" => Turn {
            live: None,
            desk: desk.clone(),
            replies: previews(known, &broadcast.words, false)
                .into_iter()
                .chain([known.standing(broadcast)])
                .collect(),
            effect: None,
        },
        _ => Turn::say(desk.clone(), known.body(&Text::WorkOldButton)),
    }
}

/// After [`Effect::Approve`] and [`Effect::Move`]: how it stands now; `done` says whether this did it.
pub fn stands(known: &Known<'_>, desk: &Desk, done: bool) -> Turn {
    let Some(broadcast) = known.broadcast else {
        return Turn::say(desk.clone(), known.body(&Text::WorkOldButton));
    };
    let mut replies = Vec::new();
    if !done {
        replies.push(known.body(&Text::WorkTooLate));
    } else if broadcast.state == BroadcastState::Sending
        && broadcast.approved_by.is_some()
        && known.figures.messages == 0
    {
        let id = broadcast.id.to_string();
        replies.push(known.body(&Text::WorkApproved { id: &id }));
    }
    replies.push(known.standing(broadcast));
    Turn::stands(desk.clone(), broadcast.id, replies)
}

/// A button of a draft; none where it is not one of its present step.
fn choose(known: &Known<'_>, worker: &Worker, draft: &Draft, choice: &str) -> Option<Turn> {
    let next = |draft: Draft| Desk::Writing(Box::new(draft));
    match choice {
        "drop" => Some(Turn::say(Desk::Idle, known.body(&Text::WorkDropped))),
        "all" => {
            if !may(worker, Right::Broadcast, &draft.at.area()) {
                return Some(known.refuse(Right::Broadcast, &[draft.at.area()]));
            }
            Some(who_keyboard(known, draft.clone()))
        }
        "count" => {
            let audience = draft.audience.clone().filter(|_| !draft.words.0.is_empty())?;
            if !may_in_all(worker, Right::Broadcast, &audience.areas()) {
                return Some(known.refuse(Right::Broadcast, &audience.areas()));
            }
            Some(Turn::act(
                next(draft.clone()),
                Effect::Count(audience, draft.words.clone()),
            ))
        }
        "ready" => {
            draft.audience.as_ref()?;
            let ready = |ready: work::Ready| {
                vec![Button::Choice {
                    label: ready.label(known.texts, known.language()),
                    data: format!("{PREFIX}d:{}:r-{}", draft.nonce, ready.as_str()),
                }]
            };
            let body = Body {
                text: known.say(&Text::WorkReadyChoose),
                buttons: work::Ready::ALL.into_iter().map(ready).collect(),
                ..Body::default()
            };
            Some(Turn::say(next(draft.clone()), body))
        }
        _ => {
            if let Some(index) = choice.strip_prefix("in") {
                let at = draft.shown.get(index.parse::<usize>().ok()?)?.clone();
                if !may(worker, Right::Broadcast, &at.area()) {
                    return Some(known.refuse(Right::Broadcast, &[at.area()]));
                }
                let draft = Draft {
                    at: at.clone(),
                    shown: Vec::new(),
                    ..draft.clone()
                };
                return Some(Turn::act(next(draft), Effect::Look(at)));
            }
            choose_words(known, draft, choice)
        }
    }
}

/// A button that says who is meant, or what is typed next.
fn choose_words(known: &Known<'_>, draft: &Draft, choice: &str) -> Option<Turn> {
    if let Some(code) = choice.strip_prefix("l-") {
        draft.audience.as_ref()?;
        let language: Language = code.parse().ok()?;
        let draft = Draft {
            typing: Some(language),
            ready: None,
            ..draft.clone()
        };
        return Some(ask_text(known, draft, language));
    }
    if let Some(word) = choice.strip_prefix("r-") {
        draft.audience.as_ref()?;
        work::Ready::ALL
            .into_iter()
            .find(|ready| ready.as_str() == word)?;
        let draft = Draft {
            ready: Some(word.to_owned()),
            typing: None,
            ..draft.clone()
        };
        let blanks = format!(
            "{}\n{}",
            known.say(&Text::BlankPlace),
            known.say(&Text::BlankTime)
        );
        let body = known.body(&Text::WorkBlanks { blanks: &blanks });
        return Some(Turn::say(Desk::Writing(Box::new(draft)), body));
    }
    let audience = audience(&draft.at, choice)?;
    let language = audience
        .languages
        .first()
        .copied()
        .unwrap_or(known.config.city.default_language);
    let draft = Draft {
        audience: Some(audience),
        typing: Some(language),
        ..draft.clone()
    };
    Some(ask_text(known, draft, language))
}

fn ask_text(known: &Known<'_>, draft: Draft, language: Language) -> Turn {
    let max = BROADCAST_CHARACTERS_MAX.to_string();
    let text = Text::WorkWrite {
        language: work::language_name(language),
        max: &max,
    };
    let mut buttons =
        vec![vec![known.button(
            &Text::WorkCancel,
            format!("{PREFIX}d:{}:drop", draft.nonce),
        )]];
    if draft.words.0.is_empty() {
        buttons.insert(
            0,
            vec![known.button(&Text::WorkReady, format!("{PREFIX}d:{}:ready", draft.nonce))],
        );
    }
    let body = Body {
        text: known.say(&text),
        buttons,
        ..Body::default()
    };
    Turn::say(Desk::Writing(Box::new(draft)), body)
}

/// Words that a worker typed; none where nothing waits for them.
fn typed(known: &Known<'_>, worker: &Worker, desk: &Desk, text: &str) -> Option<Turn> {
    match desk {
        Desk::Answering(thread) => Some(replied(known, desk, *thread, text)),
        Desk::Writing(draft) => {
            let mut draft = (**draft).clone();
            let text = text.trim();
            let count = text.chars().count();
            let fault = count == 0
                || count > BROADCAST_CHARACTERS_MAX
                || text.chars().any(|c| c.is_control() && c != '\n');
            if draft.typing.is_none() && draft.ready.is_none() {
                return None;
            }
            if fault {
                let max = BROADCAST_CHARACTERS_MAX.to_string();
                return Some(Turn::say(
                    desk.clone(),
                    known.body(&Text::WorkTextFault { max: &max }),
                ));
            }
            if let Some(language) = draft.typing.take() {
                draft.words.0.insert(language, text.to_owned());
            } else if let Some(word) = draft.ready.take() {
                let ready = work::Ready::ALL
                    .into_iter()
                    .find(|ready| ready.as_str() == word)?;
                let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                let (Some(place), Some(time)) = (lines.next(), lines.next()) else {
                    draft.ready = Some(word);
                    let blanks = format!(
                        "{}\n{}",
                        known.say(&Text::BlankPlace),
                        known.say(&Text::BlankTime)
                    );
                    let body = known.body(&Text::WorkBlanks { blanks: &blanks });
                    return Some(Turn::say(Desk::Writing(Box::new(draft)), body));
                };
                draft.words = ready.words(known.texts, place, time);
            }
            Some(written(known, draft))
        }
        Desk::Counted { id, .. } => {
            let broadcast = known.broadcast?;
            let areas = broadcast.audience.areas();
            if !may_in_all(worker, Right::Broadcast, &areas) {
                return Some(known.refuse(Right::Broadcast, &areas));
            }
            let people = broadcast.count.people.to_string();
            match digits(text) {
                Some(number) => Some(Turn::act(desk.clone(), Effect::Confirm(*id, number))),
                None => Some(Turn::say(
                    desk.clone(),
                    known.body(&Text::WorkWrongCount { people: &people }),
                )),
            }
        }
        Desk::Idle | Desk::Invited | Desk::Photographing(_) => None,
    }
}

/// A number as phones type it: full-width digits and the marks between thousands too.
fn digits(text: &str) -> Option<u64> {
    let plain: String = unicode_normalization::UnicodeNormalization::nfkc(text.trim())
        .filter(|c| ![',', ' ', '人'].contains(c))
        .collect();
    plain.parse().ok()
}

/// What is written so far, and what may follow.
fn written(known: &Known<'_>, draft: Draft) -> Turn {
    let names: Vec<&str> = draft
        .words
        .0
        .keys()
        .map(|language| work::language_name(*language))
        .collect();
    let names = names.join(", ");
    let add = Language::ALL
        .into_iter()
        .filter(|language| !draft.words.0.contains_key(language));
    let mut rows: Vec<Vec<Button>> =
        vec![vec![known.button(
            &Text::WorkPreview,
            format!("{PREFIX}d:{}:count", draft.nonce),
        )]];
    let adds: Vec<Button> = add
        .map(|language| {
            let label = Text::WorkAddLanguage {
                language: work::language_name(language),
            };
            known.button(&label, format!("{PREFIX}d:{}:l-{}", draft.nonce, language.code()))
        })
        .collect();
    if !adds.is_empty() {
        rows.push(adds);
    }
    rows.push(vec![
        known.button(&Text::WorkCancel, format!("{PREFIX}d:{}:drop", draft.nonce)),
    ]);
    let body = Body {
        text: known.say(&Text::WorkWritten { languages: &names }),
        buttons: rows,
        ..Body::default()
    };
    Turn::say(Desk::Writing(Box::new(draft)), body)
}

/// The texts as residents see them; with `sms`, as text messages too.
fn previews(known: &Known<'_>, words: &Words, sms: bool) -> Vec<Body> {
    let mut bodies = Vec::new();
    for (language, text) in &words.0 {
        let voice = |channel| Voice {
            texts: known.texts,
            language: *language,
            channel,
            sender_name: &known.config.sms.sender_name,
        };
        bodies.push(notices::announcement(&voice(ChannelKind::Telegram), text));
        if sms {
            let heading = known.say(&Text::WorkTestSms);
            let text = notices::announcement(&voice(ChannelKind::Sms), text).text;
            bodies.push(Body::text(format!("{heading}\n\n{text}")));
        }
    }
    bodies
}

/// After [`Effect::Count`]: the exact count, a preview, and the number to type.
pub fn counted(
    known: &Known<'_>,
    desk: &Desk,
    counted: Option<BroadcastId>,
    count: &BroadcastCount,
    words: &Words,
) -> Turn {
    let Desk::Writing(draft) = desk else {
        return Turn::say(Desk::Idle, known.body(&Text::WorkOldButton));
    };
    let Some(id) = counted.filter(|_| count.messages > 0) else {
        return Turn::say(desk.clone(), known.body(&Text::WorkNobody));
    };
    let number = |n: u64| n.to_string();
    let mut lines = vec![known.say(&Text::WorkCounted {
        people: &number(count.people),
        messages: &number(count.messages),
        telegram: &number(count.telegram),
        sms: &number(count.sms),
        parts: &number(count.sms_parts),
    })];
    let settings = &known.config.broadcast;
    if settings.price_per_part > 0.0 {
        let cost = format!("{:.2} {}", count.cost(settings.price_per_part), settings.currency);
        lines.push(known.say(&Text::WorkCost { cost: &cost }));
    }
    if count.opted_out + count.unreached > 0 {
        lines.push(known.say(&Text::WorkNotReached {
            stopped: &number(count.opted_out),
            unreached: &number(count.unreached),
        }));
    }
    for (language, readers) in count.missing(words) {
        lines.push(known.say(&Text::WorkMissing {
            language: work::language_name(language),
            count: &number(readers),
        }));
    }
    if count.people > settings.approval_size {
        lines.push(known.say(&Text::WorkSecondPerson {
            size: &number(settings.approval_size),
        }));
    }
    lines.push(known.say(&Text::WorkTypeCount {
        people: &number(count.people),
    }));
    let row = vec![
        known.button(&Text::WorkTest, format!("{PREFIX}d:{}:test", draft.nonce)),
        known.button(&Text::WorkCancel, format!("{PREFIX}d:{}:drop", draft.nonce)),
    ];
    let mut replies = previews(known, words, false);
    for preview in &mut replies {
        preview.buttons.clear();
    }
    replies.push(Body {
        text: lines.join("\n"),
        buttons: vec![row],
        ..Body::default()
    });
    Turn {
        live: None,
        desk: Desk::Counted {
            id,
            nonce: draft.nonce,
        },
        replies,
        effect: None,
    }
}

/// A button under a count; none where it is not one of this step.
fn counted_press(known: &Known<'_>, worker: &Worker, desk: &Desk, choice: &str) -> Option<Turn> {
    let broadcast = known.broadcast?;
    let areas = broadcast.audience.areas();
    if !may_in_all(worker, Right::Broadcast, &areas) {
        return Some(known.refuse(Right::Broadcast, &areas));
    }
    match choice {
        "test" => {
            let people = broadcast.count.people.to_string();
            let nonce = match desk {
                Desk::Counted { nonce, .. } => *nonce,
                _ => return None,
            };
            let mut replies = previews(known, &broadcast.words, true);
            replies.push(Body {
                text: known.say(&Text::WorkTypeCount { people: &people }),
                buttons: vec![vec![
                    known.button(&Text::WorkCancel, format!("{PREFIX}d:{nonce}:drop")),
                ]],
                ..Body::default()
            });
            Some(Turn {
                desk: desk.clone(),
                replies,
                ..Turn::default()
            })
        }
        "drop" => {
            let mut turn = Turn::act(Desk::Idle, Effect::Move(broadcast.id, BroadcastState::Cancelled));
            turn.replies.push(known.body(&Text::WorkDropped));
            Some(turn)
        }
        _ => None,
    }
}

/// After [`Effect::Confirm`].
pub fn confirmed(known: &Known<'_>, desk: &Desk, outcome: &Confirmed) -> Turn {
    let Some(broadcast) = known.broadcast else {
        return Turn::say(Desk::Idle, known.body(&Text::WorkOldButton));
    };
    match outcome {
        Confirmed::Sent => Turn::stands(Desk::Idle, broadcast.id, vec![known.standing(broadcast)]),
        Confirmed::Waits => {
            let id = broadcast.id.to_string();
            let body = Body {
                text: known.say(&Text::WorkWaits { id: &id }),
                buttons: known.controls(broadcast),
                ..Body::default()
            };
            Turn::stands(Desk::Idle, broadcast.id, vec![body])
        }
        Confirmed::Counted(count) => {
            let people = count.people.to_string();
            let changed = count.people != broadcast.count.people;
            let text = if changed {
                Text::WorkCountChanged { people: &people }
            } else {
                Text::WorkWrongCount { people: &people }
            };
            Turn::say(desk.clone(), known.body(&text))
        }
        Confirmed::Decided => Turn {
            live: None,
            desk: Desk::Idle,
            replies: vec![known.body(&Text::WorkTooLate), known.standing(broadcast)],
            effect: None,
        },
    }
}

/// After [`Effect::Open`].
pub fn opened(known: &Known<'_>, open: bool) -> Turn {
    match (open, known.worker) {
        (true, None) => Turn::say(Desk::Invited, share(known, &Text::WorkInvited)),
        (_, Some(_)) => Turn::say(Desk::Idle, known.body(&Text::WorkAlready)),
        (false, None) => Turn::say(Desk::Idle, known.body(&Text::WorkInvitationGone)),
    }
}

/// After [`Effect::Accept`]: what the new worker reads.
pub fn accepted(known: &Known<'_>, outcome: &Accepted) -> Turn {
    match outcome {
        Accepted::Now { worker, .. } => {
            let language = worker.language.unwrap_or(known.config.city.default_language);
            let role = work::role(known.texts, language, worker.role);
            let text = Text::WorkAccepted {
                name: &worker.name,
                role: &role,
            };
            let welcome = known.texts.say(language, ChannelKind::Telegram, &text);
            Turn::say(Desk::Idle, Body::text(welcome))
        }
        Accepted::OtherPhone => Turn::say(Desk::Idle, known.body(&Text::WorkOtherPhone)),
        Accepted::Gone => Turn::say(Desk::Idle, known.body(&Text::WorkInvitationGone)),
        Accepted::WorkerAlready => Turn::say(Desk::Idle, known.body(&Text::WorkAlready)),
    }
}

/// What the inviter reads then, in their language, with the button that takes it back.
pub fn taken(texts: &Texts, language: Language, name: &str, invitation: i64) -> Body {
    let say = |text: &Text<'_>| texts.say(language, ChannelKind::Telegram, text);
    Body {
        text: say(&Text::WorkTaken { name }),
        buttons: vec![vec![Button::Choice {
            label: say(&Text::WorkUndo),
            data: format!("{PREFIX}undo:{invitation}"),
        }]],
        ..Body::default()
    }
}

/// After [`Effect::Undo`].
pub fn undone(known: &Known<'_>, done: bool) -> Turn {
    let text = if done {
        Text::WorkUndone
    } else {
        Text::WorkOldButton
    };
    Turn::say(Desk::Idle, known.body(&text))
}

/// How things stand, for [`glance`].
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// The pacing's mode as it is stored, or what was done to it by hand.
    pub mode: String,
    /// Rounds going out.
    pub rounds: usize,
    /// Open incidents.
    pub incidents: usize,
    /// Broadcasts going out.
    pub sending: usize,
    /// Broadcasts that wait for approval.
    pub waiting: Vec<BroadcastId>,
    /// What is counted in the worker's own communities.
    pub day: today::Day,
}

/// After [`Effect::Glance`].
pub fn glance(known: &Known<'_>, glance: &Glance) -> Turn {
    let number = |n: usize| n.to_string();
    let mut lines = vec![known.say(&Text::WorkGlance {
        mode: &work::pacing(known.texts, known.language(), &glance.mode),
        rounds: &number(glance.rounds),
        incidents: &number(glance.incidents),
        sending: &number(glance.sending),
        waiting: &number(glance.waiting.len()),
    })];
    lines.extend(glance.day.lines(known.texts, known.language()));
    let approves = known.worker.is_some_and(|worker| worker.role >= Role::Operator);
    let show = |id: &BroadcastId| {
        let label = format!("{} {id}", known.say(&Text::WorkShow));
        vec![Button::Choice {
            label,
            data: format!("{PREFIX}show:{id}"),
        }]
    };
    let shown = glance.waiting.iter().filter(|_| approves).take(PLACES_SHOWN);
    Turn::say(
        Desk::Idle,
        Body {
            text: lines.join("\n"),
            buttons: shown.map(show).collect(),
            drawing: glance.day.load.clone().map(Box::new),
            ..Body::default()
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ContactId, Missed, Scope, UnitId, VisitRole, WorkerId};

    const PLACES: [&str; 5] = ["city", "甲", "甲/乙", "甲/乙/丙", "丁/乙/丙/1栋"];

    fn rule() -> impl Strategy<Value = PlaceRule> {
        prop::sample::select(PLACES.to_vec()).prop_map(|text| text.parse().expect("a place"))
    }

    fn who() -> impl Strategy<Value = Option<Worker>> {
        let scope = prop::collection::vec(rule().prop_map(|rule| rule.area()), 0..3);
        let worker = (prop::sample::select(Role::ALL.to_vec()), scope, any::<bool>());
        let worker = worker.prop_map(|(role, scope, removed)| Worker {
            id: WorkerId(1),
            name: "张某".into(),
            role,
            scope: Scope(scope),
            contact: Some(ContactId(1)),
            language: None,
            on_duty: false,
            removed,
        });
        prop::option::weighted(0.9, worker)
    }

    fn broadcast() -> impl Strategy<Value = Broadcast> {
        let state = prop::sample::select(BroadcastState::ALL.to_vec());
        (rule(), state, 1..3i64).prop_map(|(place, state, author)| Broadcast {
            id: BroadcastId(7),
            state,
            author: Actor::Worker(WorkerId(author)),
            audience: audience(&place, "every").expect("an audience"),
            words: Words([(Language::ZhHans, "停水".to_owned())].into()),
            calm: false,
            greatest: 0,
            count: BroadcastCount::default(),
            cron: None,
            missed: Missed::Skip,
            series: None,
            due: String::new(),
            looked_at: None,
            approved_by: None,
            cursor: UnitId(0),
            written_all: false,
            expires_hours: 24,
            created_at: DateTime::UNIX_EPOCH,
            begun_at: None,
            ended_at: None,
            reported: false,
        })
    }

    fn desk() -> impl Strategy<Value = Desk> {
        let draft = (rule(), rule(), prop::option::of(rule()), any::<bool>());
        let draft = draft.prop_map(|(at, shown, chosen, typing)| {
            Desk::Writing(Box::new(Draft {
                nonce: 5,
                at,
                shown: vec![shown],
                audience: chosen.and_then(|place| audience(&place, "every")),
                words: Words([(Language::ZhHans, "停水".to_owned())].into()),
                typing: typing.then_some(Language::En),
                ready: None,
            }))
        });
        prop_oneof![
            Just(Desk::Idle),
            Just(Desk::Invited),
            draft,
            Just(Desk::Counted {
                id: BroadcastId(7),
                nonce: 5
            }),
            Just(Desk::Answering(ThreadId(7))),
        ]
    }

    fn content() -> impl Strategy<Value = InboundContent> {
        let words = [
            "ok:7", "hold:7", "go:7", "end:7", "how:7", "show:7", "ok:8", "undo:3", "d:5:all", "d:5:in0",
        ];
        let more = [
            "d:5:in9",
            "d:5:count",
            "d:5:every",
            "d:5:l-en",
            "d:5:r-test",
            "d:5:drop",
            "d:5:test",
            "d:6:all",
        ];
        let of_talks = [
            "i:take:7",
            "i:say:7",
            "i:show:7",
            "i:a-what-to-bring:7",
            "i:send-1-what-to-bring:7",
            "i:pass:7",
            "i:end:7",
        ];
        let of_visits = [
            "v:accept:7:1",
            "v:decline:7:1",
            "v:no-other:7:1",
            "v:assign:7:1",
            "v:to-2:7:1",
            "v:finish:7:1",
        ];
        let all = [&words[..], &more[..], &of_talks[..], &of_visits[..]].concat();
        let known = prop::sample::select(all);
        let typed = [
            "/broadcast",
            "/today",
            "/duty",
            "/inbox",
            "/visits",
            "停水",
            "12",
            "12人",
            "",
        ];
        let typed = prop::sample::select(typed.to_vec());
        prop_oneof![
            6 => known.prop_map(|data| InboundContent::Choice(format!("{PREFIX}{data}"))),
            1 => "\\PC{0,20}".prop_map(|data| InboundContent::Choice(format!("{PREFIX}{data}"))),
            3 => typed.prop_map(|text| InboundContent::Text(text.into())),
            1 => Just(InboundContent::Contact { phone: "+8619900000001".into(), own: true }),
            1 => Just(InboundContent::Start("w_x".into())),
            1 => Just(InboundContent::Other),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_or_typed_nobody_does_more_than_they_may(
            worker in who(), broadcast in broadcast(), desk in desk(), content in content(),
            home in prop::option::of(rule()),
        ) {
            let texts = Texts::load().expect("texts");
            let known = Known {
                worker: worker.as_ref(),
                texts: &texts,
                config: &Config::default(),
                nonce: 9,
                broadcast: about(&desk, &content).filter(|id| *id == broadcast.id).map(|_| &broadcast),
                figures: work::BroadcastFigures::default(),
                now: DateTime::UNIX_EPOCH,
            };
            let effect = step(&known, &desk, &content).and_then(|turn| turn.effect);
            let may = |right, areas: &[Area]| {
                worker.as_ref().is_some_and(|worker| may_in_all(worker, right, areas))
            };
            let areas = broadcast.audience.areas();
            let home = home.map(|home| home.area());
            // Whoever cannot be found in the city is every worker's.
            let there = |right: Right, home: Option<&Area>| match home {
                Some(home) => may(right, std::slice::from_ref(home)),
                None => worker.as_ref().is_some_and(|worker| !worker.removed && worker.role >= right.least()),
            };
            let allowed = match &effect {
                None | Some(Effect::Open(_) | Effect::Accept(_) | Effect::Refused(_)) => true,
                Some(Effect::Approve(id)) => {
                    *id == broadcast.id && may(Right::Approve, &areas)
                        && broadcast.author != Actor::Worker(WorkerId(1))
                }
                Some(Effect::Move(id, _) | Effect::Confirm(id, _)) => {
                    *id == broadcast.id && may(Right::Broadcast, &areas)
                }
                Some(Effect::Count(audience, _)) => may(Right::Broadcast, &audience.areas()),
                // Where to look is offered; what is chosen there is checked when it is chosen.
                Some(Effect::Look(place)) => worker.is_some() && (may(Right::Broadcast, &[place.area()])
                    || content == InboundContent::Text("/broadcast".into())),
                // Where a talk or a visit is, is known where these are carried out; what is decided there is asked here.
                Some(Effect::Inbox(wish)) => worker.as_ref().is_some_and(|worker| {
                    let home = home.as_ref().filter(|_| *wish != inbox::Wish::List);
                    match inbox::decide(wish, worker, home) {
                        inbox::Decision::Do(allowed) => {
                            allowed.wish() == wish && there(Right::AnswerPeople, home)
                        }
                        inbox::Decision::Refused(..) => !there(Right::AnswerPeople, home),
                    }
                }),
                Some(Effect::Visits(wish)) => worker.as_ref().is_some_and(|worker| {
                    let home = home.as_ref().filter(|_| *wish != visits::Wish::List);
                    match visits::decide(wish, worker, home) {
                        visits::Decision::Do(allowed) => {
                            allowed.wish() == wish
                                && (home.is_some() || *wish == visits::Wish::List)
                                && there(Right::ActOnVisits, home)
                                && (allowed.by().role != VisitRole::Coordinator || worker.role >= Role::Coordinator)
                                && allowed.by().who == Actor::Worker(worker.id).to_string()
                        }
                        visits::Decision::Refused(right, _) => right == Right::ActOnVisits
                            && (home.is_none() || !there(right, home)),
                    }
                }),
                Some(Effect::Duty(_) | Effect::Undo(_) | Effect::Glance | Effect::Field(_)) => worker.is_some(),
            };
            prop_assert!(allowed, "{effect:?} by {worker:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_phones_type_them() {
        for (text, number) in [("1234", 1234), (" 1,234 ", 1234), ("１２３４人", 1234)] {
            assert_eq!(digits(text), Some(number), "{text}");
        }
        assert_eq!(digits("一千"), None);
    }
}
