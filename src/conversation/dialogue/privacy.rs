//! What is kept of a person, and its erasure.

use super::{Change, Effect, Step, Talk};
use crate::{
    conversation::menu::{Choice, Menu},
    domain::ChannelKind,
    i18n::Text,
};

impl Talk<'_> {
    pub(super) fn privacy(&mut self) {
        let days = self.known.kept_days.to_string();
        let forget = (self.voice.say(&Text::ForgetYes), Choice::Forget);
        let menu = match self.known.channel {
            ChannelKind::Telegram => Menu::list(&[forget]),
            ChannelKind::Sms => Menu::default(),
        };
        self.turn.state.step = Step::Idle;
        self.offer(&Text::Privacy { days: &days }, &menu);
    }

    pub(super) fn forget(&mut self) {
        if self.known.channel == ChannelKind::Sms {
            let code = self.known.fresh_code;
            return self.ask_code(Change::Forget, &Text::ConfirmForget { code });
        }
        self.turn.state.step = Step::Idle;
        let yes = (self.voice.say(&Text::ForgetYes), Choice::ForgetYes);
        let no = (self.voice.say(&Text::ForgetNo), Choice::Menu);
        self.offer(&Text::ForgetAsk, &Menu::list(&[yes, no]));
    }

    /// A button's data can be forged, but only by the person's own client.
    pub(super) fn keep_forgotten(&mut self) {
        self.turn.effects.push(Effect::Forget);
        self.handed_over = false;
        self.home = None;
        self.linked = false;
        self.turn.state = super::State::default();
        self.lead(&Text::Forgotten);
        self.say_lead();
    }
}
