//! What workers are told about what they send, and the ready texts that they may send.

use super::{Text, Texts};
use crate::domain::{BroadcastState, ChannelKind, IncidentReason, Language, QueueLength, Role, Words};

/// A language's own name.
pub fn language_name(language: Language) -> &'static str {
    match language {
        Language::ZhHans => "简体中文",
        Language::ZhHant => "繁體中文",
        Language::En => "English",
    }
}

/// A text that is there in every language, with blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// A site is closed for a while.
    SiteClosed,
    /// A test takes place.
    Test,
    /// Supplies are handed out.
    Delivery,
}

impl Ready {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::SiteClosed, Self::Test, Self::Delivery];

    /// The word for it on the command line and in buttons.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SiteClosed => "site-closed",
            Self::Test => "test",
            Self::Delivery => "delivery",
        }
    }

    /// What it is about, on its button.
    pub fn label(self, texts: &Texts, language: Language) -> String {
        let label = match self {
            Self::SiteClosed => Text::ReadySiteClosedLabel,
            Self::Test => Text::ReadyTestLabel,
            Self::Delivery => Text::ReadyDeliveryLabel,
        };
        texts.say(language, ChannelKind::Telegram, &label)
    }

    /// It in every language, its blanks filled.
    pub fn words(self, texts: &Texts, place: &str, time: &str) -> Words {
        let text = match self {
            Self::SiteClosed => Text::ReadySiteClosed { place, time },
            Self::Test => Text::ReadyTest { place, time },
            Self::Delivery => Text::ReadyDelivery { place, time },
        };
        let said = |language| (language, texts.say(language, ChannelKind::Telegram, &text));
        Words(Language::ALL.into_iter().map(said).collect())
    }
}

/// A role's name.
pub fn role(texts: &Texts, language: Language, role: Role) -> String {
    let text = match role {
        Role::Viewer => Text::RoleViewer,
        Role::Worker => Text::RoleWorker,
        Role::Coordinator => Text::RoleCoordinator,
        Role::Operator => Text::RoleOperator,
    };
    texts.say(language, ChannelKind::Telegram, &text)
}

/// The pacing's mode as it is stored, or what was done to it by hand.
pub fn pacing(texts: &Texts, language: Language, mode: &str) -> String {
    let text = match mode {
        "steady" => Text::PacingSteady,
        "slowed" => Text::PacingSlowed,
        "paused" => Text::PacingPaused,
        "recovering" => Text::PacingRecovering,
        "blind" => Text::PacingBlind,
        "held" => Text::PacingHeld,
        "freed" => Text::PacingFreed,
        _ => Text::PacingUnsteered,
    };
    texts.say(language, ChannelKind::Telegram, &text)
}

/// The commands that a role adds to the bot's menu.
pub fn commands(texts: &Texts, language: Language, role: Role) -> Vec<(&'static str, String)> {
    let mut commands = vec![("today", Text::WorkToday)];
    if role >= Role::Worker {
        commands.push(("duty", Text::WorkDuty));
        commands.push(("inbox", Text::WorkInbox));
        commands.push(("visits", Text::WorkVisits));
    }
    if role >= Role::Coordinator {
        commands.push(("broadcast", Text::WorkBroadcast));
    }
    if role >= Role::Worker {
        commands.push(("site", Text::WorkSite));
        commands.push(("incident", Text::WorkIncident));
    }
    let said = |(command, label)| (command, texts.say(language, ChannelKind::Telegram, &label));
    commands.into_iter().map(said).collect()
}

/// What became of a broadcast's messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct BroadcastFigures {
    /// Which.
    pub id: i64,
    /// Messages written so far.
    pub messages: u64,
    /// Of them, those that arrived.
    pub arrived: u64,
    /// On their way.
    pub open: u64,
    /// Refused, or too late.
    pub failed: u64,
    /// Opted out.
    pub opted_out: u64,
    /// Withdrawn.
    pub cancelled: u64,
}

/// How far a broadcast is, in one sentence or two.
pub fn broadcast_progress(
    texts: &Texts,
    language: Language,
    state: BroadcastState,
    figures: &BroadcastFigures,
) -> String {
    let state = match state {
        BroadcastState::Draft => Text::BroadcastDraft,
        BroadcastState::Waiting => Text::BroadcastWaiting,
        BroadcastState::Active => Text::BroadcastActive,
        BroadcastState::Sending => Text::BroadcastSending,
        BroadcastState::Paused => Text::BroadcastPaused,
        BroadcastState::Done => Text::BroadcastDone,
        BroadcastState::Cancelled => Text::BroadcastCancelled,
        BroadcastState::Skipped => Text::BroadcastSkipped,
    };
    let said = |text: &Text<'_>| texts.say(language, ChannelKind::Telegram, text);
    let text = Text::BroadcastProgress {
        id: &figures.id.to_string(),
        state: &said(&state),
        messages: &figures.messages.to_string(),
        arrived: &figures.arrived.to_string(),
        open: &figures.open.to_string(),
        failed: &figures.failed.to_string(),
        stopped: &figures.opted_out.to_string(),
        withdrawn: &figures.cancelled.to_string(),
    };
    said(&text)
}

/// How long a line is.
pub fn queue(texts: &Texts, language: Language, length: QueueLength) -> String {
    let text = match length {
        QueueLength::None => Text::QueueNone,
        QueueLength::Short => Text::QueueShort,
        QueueLength::Long => Text::QueueLong,
        QueueLength::VeryLong => Text::QueueVeryLong,
    };
    texts.say(language, ChannelKind::Telegram, &text)
}

/// Why an incident is declared or proposed.
pub fn incident_reason(texts: &Texts, language: Language, reason: IncidentReason) -> String {
    let text = match reason {
        IncidentReason::Registration => Text::SiteRegistration,
        IncidentReason::Closed => Text::SiteClosed,
        IncidentReason::Weather => Text::SiteWeather,
        IncidentReason::Other => Text::SiteTroubleOther,
    };
    texts.say(language, ChannelKind::Telegram, &text)
}

/// What is wrong at a site, by its stored word.
pub fn site_fault(texts: &Texts, language: Language, word: &str) -> String {
    let text = match word {
        "line" => Text::SiteLineLong,
        "supplies" => Text::SiteSuppliesLow,
        "closed" => Text::SiteClosed,
        "registration" => Text::SiteRegistration,
        "weather" => Text::SiteWeather,
        _ => Text::SiteTroubleOther,
    };
    texts.say(language, ChannelKind::Telegram, &text)
}
