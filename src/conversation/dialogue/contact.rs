//! Who the person is: their own contact card, and the residents whose number it has.

use super::{Effect, Offer, Step, Talk};
use crate::{
    conversation::menu::{Choice, Menu},
    domain::{ChannelKind, ResidentId, UnitId},
    i18n::Text,
};

impl Talk<'_> {
    /// Asks for the person's own contact card, where the channel can vouch for it.
    pub(super) fn ask_phone(&mut self, text: &Text<'_>) {
        if self.known.channel == ChannelKind::Sms {
            return self.menu();
        }
        let later = (self.voice.say(&Text::Later), Choice::Later);
        let menu = Menu::list(&[later]).with_share_contact(self.voice.say(&Text::SharePhone));
        self.turn.state.step = Step::Phone;
        self.offer(text, &menu);
    }

    /// The person sent their own contact card.
    pub(super) fn match_phone(&mut self) {
        match self.known.phone_matches.unwrap_or_default() {
            [] => {
                self.lead(&Text::NotOnRoster);
                self.menu();
            }
            [only] => self.link(only.resident, only.unit, &masked(&only.name)),
            several => {
                let offers: Vec<Offer> = several
                    .iter()
                    .map(|one| Offer {
                        resident: one.resident,
                        unit: one.unit,
                        masked_name: masked(&one.name),
                    })
                    .collect();
                self.ask_which(offers);
            }
        }
    }

    pub(super) fn ask_which(&mut self, offers: Vec<Offer>) {
        let mut entries: Vec<(String, Choice)> = Vec::new();
        for offer in &offers {
            let place = self.place_name(offer.unit).unwrap_or_default();
            entries.push((
                format!("{} {place}", offer.masked_name),
                Choice::Resident(offer.resident),
            ));
        }
        entries.push((self.voice.say(&Text::NoneOfThem), Choice::NoneOfThem));
        self.turn.state.step = Step::Which { offers };
        self.offer(&Text::WhichResident, &Menu::list(&entries));
    }

    /// Only a resident who was offered can be picked: button data can be forged.
    pub(super) fn pick(&mut self, resident: ResidentId) {
        let offered = match &self.turn.state.step {
            Step::Which { offers } => offers.iter().find(|offer| offer.resident == resident).cloned(),
            _ => None,
        };
        if let Some(offer) = offered {
            return self.link(offer.resident, offer.unit, &offer.masked_name);
        }
        self.lead(&Text::OfferExpired);
        self.menu();
    }

    pub(super) fn link(&mut self, resident: ResidentId, unit: UnitId, masked_name: &str) {
        self.turn.effects.push(Effect::Link(resident));
        self.linked = true;
        if self.home.is_none() {
            self.turn.effects.push(Effect::SetHome(unit));
            self.home = Some(unit);
        }
        self.turn.state.step = Step::Idle;
        let menu = Menu::main(&self.voice, self.stopped)
            .with_row(vec![(self.voice.say(&Text::NotMe), Choice::NotMe)]);
        self.offer(&Text::Linked { name: masked_name }, &menu);
    }

    pub(super) fn unlink(&mut self) {
        // A phone number is linked by the roster: only the community can undo that.
        if self.known.channel == ChannelKind::Telegram {
            self.turn.effects.push(Effect::Unlink);
        }
        // It may name who is somebody else.
        self.turn.state.visit = None;
        self.lead(&Text::CheckRoster);
        self.menu();
    }
}

/// A name as it may be shown to whoever holds the phone: 陈*英, 陈*, J***.
pub(in crate::conversation) fn masked(name: &str) -> String {
    let chars: Vec<char> = name.trim().chars().collect();
    match chars.as_slice() {
        [] => "*".into(),
        [first, ..] if first.is_ascii() => format!("{first}***"),
        [first] | [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", "*".repeat(middle.len())),
    }
}
