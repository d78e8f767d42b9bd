//! One dialogue for every channel: what residents are told, and what they can ask.
//!
//! Everything here but the runner is pure: the same state and the same message give the same turn.

mod challenge;
pub mod dialogue;
pub mod keeper;
mod menu;
pub mod places;
mod proofs;
pub mod runner;
mod times;
mod visit_choice;
mod visits;
mod words;

use crate::{
    domain::{Body, ChannelKind},
    i18n::Voice,
};

use menu::Menu;

/// One message of these paragraphs, with the menu as buttons or, by SMS, as numbered lines.
fn body(voice: &Voice<'_>, paragraphs: &[String], menu: &Menu) -> Body {
    let text = voice.message(paragraphs);
    match voice.channel {
        ChannelKind::Telegram => Body {
            text,
            buttons: menu.buttons(),
            ..Body::default()
        },
        ChannelKind::Sms => Body::text(text + &menu.numbered()),
    }
}
