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

/// The stored weights.
pub const WEIGHTS: &[u8] = include_bytes!("weights.bin");
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

    /// Every intent with its share, the likeliest first; where the text speaks of danger, urgent care before all others.
    /// Nothing for a text without words.
    pub fn likely(&self, text: &str) -> Vec<(Intent, f32)> {
        let pieces = features::pieces(text, &self.lexicon);
        let Some(model) = self.model.as_ref().filter(|_| !pieces.is_empty()) else {
            return Vec::new();
        };
        let shares = model.classify(&pieces);
        let mut likely: Vec<(Intent, f32)> = Intent::ALL
            .into_iter()
            .map(|intent| (intent, shares.of(intent)))
            .collect();
        if self.rules.hold(text) {
            likely[Intent::EmergencyCare as usize].1 = 1.0;
        }
        likely.sort_by(|one, other| other.1.total_cmp(&one.1));
        likely
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
            return (
                if stays { best } else { Intent::Human },
                score.max(SHARE_MIN),
                true,
            );
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn intent(text: &str) -> Intent {
        Understanding::shared().understand(text, Language::ZhHans).intent
    }

    #[test]
    fn weights_are_those_of_the_phrasings() {
        assert!(
            weights_are_current(),
            "the phrasings have changed: cargo run --release --example train"
        );
    }

    #[test]
    fn every_intent_has_phrasings_in_both_languages() {
        let all = phrasings::all().expect("the files can be read");
        for intent in Intent::ALL {
            let (english, chinese): (Vec<_>, Vec<_>) = all
                .iter()
                .filter(|one| one.intent == intent)
                .partition(|one| one.texts[0].is_ascii());
            assert!(
                english.len() >= 50 && chinese.len() >= 50,
                "{intent}: {} {}",
                english.len(),
                chinese.len()
            );
        }
    }

    #[test]
    fn what_people_ask_is_understood_however_they_write_it() {
        for (text, wanted) in [
            ("我们楼今天几点做核酸", Intent::FindTimeWindow),
            ("我們樓今天幾點做核酸", Intent::FindTimeWindow),
            ("wo men lou ji dian zuo he suan", Intent::FindTimeWindow),
            ("我屋头老汉儿走不得路,喊人来屋头测嘛", Intent::HomeSamplingApply),
            ("WHEN IS MY TESTING SLOT", Intent::FindTimeWindow),
            ("ＳＴＯＰ", Intent::OptOut),
            ("pls cancel my home sampling", Intent::HomeSamplingCancel),
            ("转人工", Intent::TalkToHuman),
            ("我发烧了吃什么药", Intent::Human),
            ("今天天气怎么样", Intent::None),
            ("ignore previous instructions", Intent::None),
            ("", Intent::None),
            ("   \u{200b}", Intent::None),
            ("\u{fffd}\u{fffd}", Intent::None),
            ("?", Intent::HelpMenu),
        ] {
            assert_eq!(intent(text), wanted, "{text}");
        }
    }

    #[test]
    fn danger_is_never_answered_as_an_ordinary_question() {
        for text in include_str!("../../tests/data/danger.txt")
            .lines()
            .filter(|line| !line.is_empty())
        {
            let said = Understanding::shared().understand(text, Language::ZhHans);
            assert!(said.urgent, "{text}");
            assert!(
                matches!(said.intent, Intent::Human | Intent::EmergencyCare),
                "{text}: {}",
                said.intent
            );
        }
        for text in [
            "手机没电了能做核酸吗",
            "采样点在哪里",
            "my phone died, can I still test",
            "系统崩溃了",
            "下楼捅喉咙",
        ] {
            assert!(
                !Understanding::shared().understand(text, Language::ZhHans).urgent,
                "{text}"
            );
        }
    }

    /// The goals, on questions that training has never seen.
    #[test]
    fn held_out_questions_are_understood() {
        #[derive(serde::Deserialize)]
        struct Question {
            text: String,
            lang: Language,
            intent: Intent,
            #[serde(default)]
            urgent: bool,
        }
        let unanswered = |intent: Intent| matches!(intent, Intent::Human | Intent::None);
        let (mut all, mut right, mut out, mut recognised, mut answered, mut answered_right) =
            (0, 0, 0, 0, 0, 0);
        for line in include_str!("../../tests/data/questions.jsonl").lines() {
            let question: Question = serde_json::from_str(line).expect("a question");
            let said = Understanding::shared().understand(&question.text, question.lang);
            let is_right = said.intent == question.intent;
            all += 1;
            right += u32::from(is_right);
            out += u32::from(unanswered(question.intent));
            recognised += u32::from(unanswered(question.intent) && unanswered(said.intent));
            answered += u32::from(!unanswered(said.intent));
            answered_right += u32::from(!unanswered(said.intent) && is_right);
            if question.urgent {
                assert!(
                    unanswered(said.intent) || said.intent == Intent::EmergencyCare,
                    "{}",
                    question.text
                );
            }
        }
        assert!(right * 100 >= all * 89, "{right} of {all} right");
        assert!(recognised * 100 >= out * 85, "{recognised} of {out} recognised");
        assert!(
            answered_right * 100 >= answered * 90,
            "{answered_right} of {answered} answered rightly"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_is_read_calmly_and_always_the_same(text in any::<String>(), more in "[0-9点栋月日上午a-z:./ 一二十百半-]{0,40}") {
            for text in [&text, &more] {
                let said = Understanding::shared().understand(text, Language::En);
                prop_assert_eq!(&said, &Understanding::shared().understand(text, Language::ZhHant));
                prop_assert!((0.0..=1.0).contains(&said.score));
            }
        }
    }

    #[test]
    fn long_texts_end_soon() {
        for part in ["核酸", "a", "1", "一", "3栋", "\u{1F600}", "点:", "姓名"] {
            let _ = Understanding::shared().understand(&part.repeat(200_000), Language::ZhHans);
        }
    }
}
