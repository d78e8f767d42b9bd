//! Whether the person wants notices: here, and everywhere.

use super::{Change, Effect, Step, Talk};
use crate::{
    conversation::menu::{Choice, Menu},
    domain::ChannelKind,
    i18n::Text,
};

impl Talk<'_> {
    /// Who comes back after blocking the bot, or sets a home, would otherwise wait for notices in vain.
    pub(super) fn mention_stopped(&mut self) {
        if self.stopped {
            self.lead(&Text::Stopped);
        }
    }

    pub(super) fn stop(&mut self) {
        self.turn.effects.push(Effect::Stop);
        self.stopped = true;
        self.turn.state.step = Step::Idle;
        self.lead(&Text::Stopped);
        if self.linked {
            let everywhere = (self.voice.say(&Text::StopEverywhere), Choice::StopEverywhere);
            let menu = match self.known.channel {
                ChannelKind::Telegram => Menu::list(&[everywhere]),
                // Its words are in the text already.
                ChannelKind::Sms => Menu::default(),
            };
            return self.offer(&Text::StopEverywhereOffer, &menu);
        }
        self.say_lead();
    }

    pub(super) fn stop_everywhere(&mut self) {
        if self.known.channel == ChannelKind::Sms {
            // This address at once; the others only after the code.
            self.turn.effects.push(Effect::Stop);
            self.stopped = true;
            self.lead(&Text::Stopped);
            if self.linked {
                let code = self.known.fresh_code;
                return self.ask_code(Change::StopEverywhere, &Text::ConfirmStopEverywhere { code });
            }
            self.turn.state.step = Step::Idle;
            return self.say_lead();
        }
        self.keep_stopped_everywhere();
    }

    pub(super) fn keep_stopped_everywhere(&mut self) {
        self.turn.effects.push(Effect::StopEverywhere);
        self.stopped = true;
        self.turn.state.step = Step::Idle;
        self.offer(&Text::StoppedEverywhere, &Menu::default());
    }
}
