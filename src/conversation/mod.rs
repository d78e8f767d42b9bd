//! One dialogue for every channel: what residents are told, and what they can ask.
//!
//! Everything here but the runner is pure: the same state and the same message give the same turn.

pub mod dialogue;
mod menu;
pub mod notices;
pub mod places;
mod words;

use crate::{
    domain::{Body, ChannelKind, Language},
    i18n::{Text, Texts},
};

use menu::Menu;

/// How one person is spoken to.
#[derive(Clone, Copy, Debug)]
struct Voice<'a> {
    texts: &'a Texts,
    language: Language,
    channel: ChannelKind,
    sender_name: &'a str,
}

impl Voice<'_> {
    fn say(&self, text: &Text<'_>) -> String {
        self.texts.say(self.language, self.channel, text)
    }

    /// One message of these paragraphs, with the menu as buttons or, by SMS, as numbered lines.
    fn body(&self, paragraphs: &[String], menu: &Menu) -> Body {
        match self.channel {
            ChannelKind::Telegram => Body {
                text: paragraphs.join("\n\n"),
                buttons: menu.buttons(),
            },
            // The law asks that a text message begins with its sender.
            ChannelKind::Sms => {
                let text = paragraphs.join("\n");
                Body::text(format!("【{}】{text}{}", self.sender_name, menu.numbered()))
            }
        }
    }
}
