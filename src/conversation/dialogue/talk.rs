//! Handing over to a person, and what the bot does meanwhile: it is silent, but for danger and what it is asked by name.

use super::{Effect, Reply, Step, Talk, visit::is_asking};
use crate::{
    conversation::{
        body,
        menu::{Choice, Menu},
        words,
    },
    domain::{ChannelKind, ThreadReason},
    i18n::Text,
    understanding::Intent,
};

impl Talk<'_> {
    /// A life may be in danger: the advice at once, and a person. The dialogue stays where it is.
    pub(super) fn danger(&mut self, text: &str) {
        let emergency_number = self.known.city.emergency_number.as_str();
        let mut lines = vec![self.voice.say(&Text::Emergency { emergency_number })];
        let said = (self.known.understand)(text, self.voice.language);
        // Whoever asks for the number, or whether a department is open, is told; nobody needs to come.
        let only_asks = words::is_bare(text) || said.intent == Intent::EmergencyCare && !said.urgent;
        if !only_asks {
            self.turn.effects.push(Effect::OpenTalk {
                reason: ThreadReason::Danger,
                urgent: true,
            });
            self.handed_over = true;
            if is_asking(&self.turn.state.step) || matches!(self.turn.state.step, Step::Visit { .. }) {
                // What follows is for the worker; the request waits.
                self.turn.state.step = Step::Idle;
                self.turn.state.options.clear();
            }
            lines.push(self.voice.say(&Text::HandedOverDanger));
        }
        let menu = if only_asks {
            Menu::default()
        } else {
            self.end_menu()
        };
        let body = body(&self.voice, &lines, &menu);
        self.turn.replies.push(Reply::Say(body));
    }

    /// Opens a talk with the workers of the person's community, after what leads to it.
    pub(super) fn hand_over(&mut self, reason: ThreadReason) {
        self.open_talk(reason);
        self.greet();
        self.turn.state.step = Step::Idle;
        self.lead(&Text::HandedOver);
        let menu = self.end_menu();
        let lines = std::mem::take(&mut self.lead);
        // Digits that follow are the person's words to the worker.
        self.turn.state.options.clear();
        let body = body(&self.voice, &lines, &menu);
        self.turn.replies.push(Reply::Say(body));
    }

    /// How to have the bot back; by text message its word is in the text.
    fn end_menu(&self) -> Menu {
        match self.voice.channel {
            ChannelKind::Telegram => Menu::list(&[(self.voice.say(&Text::TalkEnd), Choice::Done)]),
            ChannelKind::Sms => Menu::default(),
        }
    }

    /// The same without a word of it.
    pub(super) fn open_talk(&mut self, reason: ThreadReason) {
        self.handed_over = true;
        self.turn.effects.push(Effect::OpenTalk {
            reason,
            urgent: false,
        });
    }

    /// The worker reads it; the bot says nothing, unless a life may be in danger.
    pub(super) fn add_to_talk(&mut self, text: &str) {
        let urgent = (self.known.understand)(text, self.voice.language).urgent;
        if urgent {
            return self.danger(text);
        }
        self.turn.effects.push(Effect::AddToTalk { urgent });
    }

    pub(super) fn end_talk(&mut self) {
        if self.handed_over {
            self.handed_over = false;
            self.turn.effects.push(Effect::CloseTalk);
            self.lead(&Text::TalkEnded);
        }
        self.short_menu();
    }
}
