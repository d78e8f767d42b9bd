//! What is no fixed word, digit or answer: an address, or a question. A dialogue answers where there is one, else an
//! approved text, else a person; what means nothing here gets the same kind line and the menu.

use super::{Step, Talk};
use crate::{
    conversation::menu::{Choice, Menu},
    domain::{ChannelKind, ThreadReason},
    i18n::Text,
    understanding::{Intent, Slots},
};

impl Talk<'_> {
    pub(super) fn understand(&mut self, text: &str) {
        let said = (self.known.understand)(text, self.voice.language);
        // Danger often names a building.
        if said.urgent {
            return self.danger(text);
        }
        let asked_home = matches!(self.turn.state.step, Step::Home { .. });
        let is_address = if asked_home || self.home.is_none() {
            self.search(text)
        } else {
            self.look(text)
        };
        if is_address {
            return;
        }
        match said.intent {
            // "Garden Court, building 3": a name that the roster writes otherwise.
            Intent::None if asked_home && self.search(&named(&said.slots)) => {}
            Intent::None => self.not_understood(),
            Intent::FindTimeWindow => self.windows_asked(&said.slots),
            Intent::ChangeTimeWindow => self.other_times(None),
            Intent::CheckPassValidity => self.pass(None),
            Intent::ChangeLanguage => self.choose(Choice::Languages),
            Intent::HelpMenu => self.choose(Choice::Help),
            Intent::OptOut => self.ask_about_notices(&Text::StopAsk, (Text::MenuStop, Choice::Stop)),
            Intent::OptIn => self.ask_about_notices(&Text::StartAsk, (Text::MenuStart, Choice::Start)),
            Intent::TalkToHuman => self.hand_over(ThreadReason::Asked),
            Intent::Human => {
                self.lead(&Text::CannotAnswer);
                self.hand_over(ThreadReason::Need);
            }
            Intent::HomeSamplingApply => self.visit_asked(&said.slots),
            Intent::HomeSamplingStatus | Intent::HomeSamplingCancel => self.visit_state_asked(),
            Intent::PriceGougingReport | Intent::ReportIncident => {
                self.answer_and_hand_over(said.intent, ThreadReason::Report);
            }
            Intent::EmergencyCare => self.danger(text),
            other => self.answer_approved(other),
        }
    }

    /// "When is it our turn", and perhaps whose.
    fn windows_asked(&mut self, slots: &Slots) {
        let named = named(slots);
        if named.is_empty() {
            return self.windows();
        }
        let known = if self.home.is_none() {
            self.search(&named)
        } else {
            self.look(&named)
        };
        if !known {
            self.lead(&Text::NotFound);
            self.windows();
        }
    }

    /// An approved text, or a person where there is none.
    fn answer_approved(&mut self, intent: Intent) {
        match (self.known.answer)(&self.voice, intent) {
            Some(words) => {
                self.greet();
                self.answer(words);
            }
            None => {
                self.lead(&Text::CannotAnswer);
                self.hand_over(ThreadReason::Need);
            }
        }
    }

    /// The approved text, where there is one, and a person in any case: a report never ends in a thank-you.
    fn answer_and_hand_over(&mut self, intent: Intent, reason: ThreadReason) {
        self.lead.extend((self.known.answer)(&self.voice, intent));
        self.hand_over(reason);
    }

    /// A guess never stops or starts notices: it offers the button, or names the word.
    fn ask_about_notices(&mut self, text: &Text<'_>, (label, choice): (Text<'_>, Choice)) {
        self.greet();
        let menu = match self.known.channel {
            ChannelKind::Telegram => Menu::list(&[(self.voice.say(&label), choice)]),
            ChannelKind::Sms => Menu::default(),
        };
        self.offer(text, &menu);
    }
}

/// The building and unit that a text names, as addresses are written.
fn named(slots: &Slots) -> String {
    let building = slots.building.as_ref().map(|building| format!("{building}栋"));
    let unit = slots.unit.as_ref().map(|unit| format!("{unit}单元"));
    building.unwrap_or_default() + &unit.unwrap_or_default()
}
