//! By text message, what changes something is done once the sender repeats a code that was sent to their number.

use super::{Change, Step, Talk, visit::SEND};
use crate::{
    conversation::{
        challenge::{Answer, Challenge},
        menu::Menu,
    },
    i18n::Text,
    understanding::Intent,
};

/// As long as 不要了 and 收到了; what asks for something else is longer.
const SHORT_MAX: usize = 4;

impl Talk<'_> {
    pub(super) fn ask_code(&mut self, change: Change, text: &Text<'_>) {
        self.ask_code_or(change, text, &Menu::default());
    }

    /// The same, with other choices than the code.
    pub(super) fn ask_code_or(&mut self, change: Change, text: &Text<'_>, menu: &Menu) {
        let (code, now) = (self.known.fresh_code, self.known.now);
        let Some(challenge) = Challenge::new(code, &mut self.turn.state.codes, now) else {
            self.turn.state.step = Step::Idle;
            return self.offer(&Text::ConfirmTooMany, &Menu::default());
        };
        self.turn.state.step = Step::Confirm { change, challenge };
        self.offer(text, menu);
    }

    /// It says yes, or next to nothing, where the digits were asked for.
    fn means_yes_or_no(&self, text: &str) -> bool {
        let word = text.trim_matches(|c: char| !c.is_alphanumeric());
        let length = word.chars().filter(|c| c.is_alphanumeric()).count();
        if SEND.contains(&word) {
            return true;
        }
        if self.handed_over {
            return false;
        }
        if !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()) {
            // One digit is a choice.
            return (3..=6).contains(&length);
        }
        let said = (self.known.understand)(text, self.voice.language);
        let has_number = word.chars().any(char::is_numeric);
        length <= SHORT_MAX && !has_number && !said.urgent && said.intent == Intent::None
    }

    /// Whether the text was an answer to [`Talk::ask_code`].
    pub(super) fn confirm(&mut self, text: &str) -> bool {
        let Step::Confirm {
            change,
            mut challenge,
        } = self.turn.state.step.clone()
        else {
            return false;
        };
        self.turn.state.step = Step::Idle;
        let answer = match challenge.answer(text, self.known.now) {
            Answer::NoCode if !self.means_yes_or_no(text) => return false,
            Answer::NoCode if !challenge.holds(self.known.now) => Answer::Over,
            answer => answer,
        };
        match answer {
            Answer::NoCode => {
                self.turn.state.step = Step::Confirm { change, challenge };
                let words = self.voice.say(&Text::ConfirmDigits);
                self.answer(words);
                return true;
            }
            Answer::Wrong(left) => {
                self.turn.state.step = Step::Confirm { change, challenge };
                let left = left.to_string();
                self.offer(&Text::ConfirmWrong { left: &left }, &Menu::default());
                return true;
            }
            Answer::Over if change == Change::AskVisit => {
                self.lead(&Text::ConfirmFailed);
                self.ask_next();
                return true;
            }
            Answer::Over => {
                self.offer(&Text::ConfirmFailed, &Menu::default());
                return true;
            }
            Answer::Right => {}
        }
        match change {
            Change::Time(offer) => self.take_time(offer),
            Change::Home(unit) => match self.place_name(unit) {
                Some(place) => self.keep_home(unit, &place),
                None => self.ask_home(None, 0),
            },
            Change::StopEverywhere => self.keep_stopped_everywhere(),
            Change::Forget => self.keep_forgotten(),
            Change::AskVisit => self.send_visit(),
            Change::Visit { visit, edit } => self.keep_edit(visit, &edit),
        }
        true
    }
}
