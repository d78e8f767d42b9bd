//! Another time for who cannot come at their own.

use chrono::{DateTime, Utc};

use super::{Change, Fetched, OPTIONS_SHOWN_MAX, Step, Talk, Time, TimeOffer, Want};
use crate::{
    conversation::menu::{Choice, Menu},
    domain::{ChannelKind, RoundId, UnitId},
    i18n::{Text, span},
};

impl Talk<'_> {
    /// Asks for the times that the person's household may have instead of its own.
    pub(super) fn other_times(&mut self, of: Option<(RoundId, UnitId)>) {
        match self.known.fetched {
            None => self.turn.wants = Some(Want::OtherTimes(of)),
            Some(fetched) => self.show_times(fetched),
        }
    }

    pub(super) fn other_time_of(&mut self, index: usize) {
        let of = match &self.turn.state.step {
            Step::WhichTime { of } => of.get(index).copied(),
            _ => None,
        };
        self.other_times(of);
    }

    /// Only a time that was offered can be chosen: button data can be forged, and old.
    pub(super) fn choose_time(&mut self, index: usize) {
        let offer = match &self.turn.state.step {
            Step::OtherTime { offers } => offers.get(index).cloned(),
            _ => None,
        };
        let Some(offer) = offer else {
            return self.other_times(None);
        };
        if self.known.channel == ChannelKind::Sms {
            let time = self.said(offer.starts_at, offer.ends_at);
            let code = self.known.fresh_code;
            return self.ask_code(Change::Time(offer), &Text::OtherTimeConfirm { time: &time, code });
        }
        self.take_time(offer);
    }

    pub(super) fn take_time(&mut self, offer: TimeOffer) {
        match self.known.fetched {
            None => self.turn.wants = Some(Want::Take(offer)),
            Some(Fetched::Taken) => {
                self.turn.state.step = Step::Idle;
                self.offer(&Text::OtherTimeDone, &Menu::default());
                self.windows();
            }
            Some(other) => self.show_times(other),
        }
    }

    pub(super) fn show_times(&mut self, fetched: &Fetched) {
        self.turn.state.step = Step::Idle;
        match fetched {
            Fetched::Taken => self.windows(),
            Fetched::Whose(_)
            | Fetched::Proofs { .. }
            | Fetched::Visits(_)
            | Fetched::VisitAsked { .. }
            | Fetched::VisitNowhere
            | Fetched::VisitChanged { .. } => self.menu(),
            Fetched::NotProven if self.known.channel == ChannelKind::Telegram => {
                self.lead(&Text::OtherTimeProve);
                self.ask_phone(&Text::AskPhone);
            }
            Fetched::NotProven => self.offer(&Text::OtherTimeNotRegistered, &Menu::default()),
            Fetched::NothingToChange => self.offer(&Text::OtherTimeNothing, &Menu::default()),
            Fetched::TooNear(time) => {
                let time = self.said(time.starts_at, time.ends_at);
                self.offer(&Text::OtherTimeSoon { time: &time }, &Menu::default());
            }
            Fetched::Which(several) => {
                let entries: Vec<(String, Choice)> = several
                    .iter()
                    .take(OPTIONS_SHOWN_MAX)
                    .enumerate()
                    .map(|(index, (_, _, time))| {
                        let said = self.said(time.starts_at, time.ends_at);
                        (format!("{said} {}", time.place), Choice::OtherTimeOf(index))
                    })
                    .collect();
                let of = several.iter().map(|(round, unit, _)| (*round, *unit)).collect();
                self.turn.state.step = Step::WhichTime { of };
                self.offer(&Text::OtherTimeWhich, &Menu::list(&entries));
            }
            Fetched::Offers {
                instead_of,
                offers,
                gone,
            } => self.offer_times(instead_of, offers, *gone),
        }
    }

    pub(super) fn offer_times(&mut self, instead_of: &Time, offers: &[(TimeOffer, Time)], gone: bool) {
        if gone {
            self.lead(&Text::OtherTimeGone);
        }
        let time = self.said(instead_of.starts_at, instead_of.ends_at);
        if offers.is_empty() {
            return self.offer(&Text::OtherTimeNone { time: &time }, &Menu::default());
        }
        let mut entries: Vec<(String, Choice)> = offers
            .iter()
            .enumerate()
            .map(|(index, (_, time))| {
                let said = self.said(time.starts_at, time.ends_at);
                (format!("{said} {}", time.site), Choice::Take(index))
            })
            .collect();
        entries.push((self.voice.say(&Text::OtherTimeKeep), Choice::KeepTime));
        self.turn.state.step = Step::OtherTime {
            offers: offers.iter().map(|(offer, _)| offer.clone()).collect(),
        };
        self.offer(&Text::OtherTimeOffer { time: &time }, &Menu::list(&entries));
    }

    pub(super) fn said(&self, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> String {
        let zone = self.known.city.time_zone;
        let date = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        span(
            self.voice.language,
            zone,
            starts_at,
            ends_at,
            date(starts_at) == date(self.known.now),
        )
    }
}
