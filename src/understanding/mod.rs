//! What a resident's message asks: one of the intents, a person, or nothing; and the places, times and numbers in it.
//!
//! Pure and the same for the same text. Urgency rules stand in front of a small classifier, so that a message that
//! speaks of danger is never taken for an ordinary question. The classifier is a softmax regression over hashed pieces
//! of the text; its weights are made from `locales/*/phrasings.txt` by `cargo run --release --example train` and stand
//! in `weights.bin`, which a test compares with the phrasings.

mod features;
mod model;
mod names;
mod normal;
mod numbers;
mod phrasings;
pub mod slots;
mod sounds;
mod times;
mod train;
mod urgent;
mod words;

use std::sync::OnceLock;

pub use phrasings::PhrasingFault;
pub use slots::{SaidDate, Slots};

pub use crate::domain::Intent;
use crate::domain::Language;

const WEIGHTS: &[u8] = include_bytes!("weights.bin");
/// An answer must have this share, or the message goes to a person. Chosen by cross-validation on the phrasings.
const SHARE_MIN: f32 = 0.33;

/// Reads residents' messages. Made once; shared by everyone.
#[derive(Debug)]
pub struct Understanding {
    lexicon: words::Lexicon,
    rules: urgent::Rules,
    model: Option<model::Model>,
}

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
    /// The one of this process, made at its first use, which takes some milliseconds.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Understanding> = OnceLock::new();
        SHARED.get_or_init(Self::load)
    }

    /// Reads the built-in rules and weights.
    pub fn load() -> Self {
        Self {
            lexicon: words::Lexicon::load(),
            rules: urgent::Rules::load(),
            // A test reads them: weights that cannot be read would send every message to a person.
            model: model::Model::load(WEIGHTS),
        }
    }

    /// What `text` says. `language` is the person's; the text may be in any, and is read all the same.
    pub fn understand(&self, text: &str, language: Language) -> Understood {
        // Every language is read in one way: residents mix them, and write to an English chat in pinyin.
        let _ = language;
        let (intent, score, urgent) = self.intent(text);
        Understood {
            intent,
            score,
            urgent,
            slots: slots::read(text),
        }
    }

    fn intent(&self, text: &str) -> (Intent, f32, bool) {
        let urgent = self.rules.hold(text);
        let pieces = features::pieces(text, &self.lexicon);
        let Some(model) = &self.model else {
            return (Intent::Human, 0.0, urgent);
        };
        if pieces.is_empty() {
            let asks = text.chars().any(|c| "?？".contains(c));
            return (if asks { Intent::HelpMenu } else { Intent::None }, 1.0, false);
        }
        let shares = model.classify(&pieces);
        let (best, score) = shares.best();
        let best = Intent::ALL[best];
        if urgent {
            let stays = best == Intent::EmergencyCare && score >= SHARE_MIN;
            return (if stays { best } else { Intent::Human }, score.max(SHARE_MIN), true);
        }
        let unanswered = matches!(best, Intent::Human | Intent::None);
        if unanswered || score >= SHARE_MIN {
            return (best, score, false);
        }
        // In doubt a person: a wrong answer costs a resident more.
        let nothing = shares.of(Intent::None) > shares.of(Intent::Human);
        (if nothing { Intent::None } else { Intent::Human }, score, false)
    }
}

/// Makes the weights anew from the phrasings: what `weights.bin` must hold. Takes seconds.
pub fn train_weights() -> Result<Vec<u8>, PhrasingFault> {
    let phrasings = phrasings::all()?;
    let lexicon = words::Lexicon::load();
    let examples = train::examples(&phrasings, &lexicon, &train::SETTINGS);
    let all: Vec<&train::Example> = examples.iter().collect();
    let trained = train::train(&all, &train::SETTINGS);
    Ok(model::Model::store(&trained, phrasings::fingerprint()))
}

/// The weights are those of the phrasings as they stand.
pub fn weights_are_current() -> bool {
    model::Model::load(WEIGHTS).is_some_and(|model| model.fingerprint == phrasings::fingerprint())
}
