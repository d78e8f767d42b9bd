//! When and where: of one's own home, and of any that the person names. Windows of units are public.

use super::{OPTIONS_SHOWN_MAX, Reply, Step, Talk};
use crate::{
    conversation::{
        menu::{Choice, Menu},
        places::{Area, Level, Narrowed},
    },
    i18n::Text,
};

impl Talk<'_> {
    pub(super) fn windows(&mut self) {
        if self.home.is_none() {
            return self.ask_home(None, 0);
        }
        self.turn.state.step = Step::Idle;
        self.turn.state.options.clear();
        self.turn.replies.push(Reply::Windows);
    }

    /// Takes a text for the address of a home to look at; false if it names no building or unit.
    pub(super) fn look(&mut self, text: &str) -> bool {
        // One's own community is meant where none is named.
        let own = self.home.map(|unit| Area {
            level: Level::Community,
            unit,
        });
        let mut found: Vec<Area> = [own, None]
            .into_iter()
            .map(|scope| self.known.places.search(scope, text))
            .find(|found| !found.is_empty())
            .unwrap_or_default();
        found.retain(|area| area.level >= Level::Building);
        match found.as_slice() {
            [] => return false,
            [only] => self.look_at(*only),
            few if few.len() <= OPTIONS_SHOWN_MAX => self.offer_to_look(None, few),
            _ => {
                self.lead(&Text::TooManyFound);
                self.menu();
            }
        }
        true
    }

    /// Shows the windows of a unit, or asks which unit of a wider place is meant.
    pub(super) fn look_at(&mut self, area: Area) {
        match self.known.places.narrow(Some(area)) {
            Narrowed::Unit(unit) => {
                self.turn.state.step = Step::Idle;
                self.turn.state.options.clear();
                self.turn.replies.push(Reply::WindowsOf(unit));
            }
            Narrowed::Options { within, options } => {
                let shown = options.len().min(OPTIONS_SHOWN_MAX);
                self.offer_to_look(within, &options[..shown]);
            }
            Narrowed::Nothing => {
                self.lead(&Text::NotFound);
                self.menu();
            }
        }
    }

    fn offer_to_look(&mut self, within: Option<Area>, areas: &[Area]) {
        let labels = self.known.places.labels(within, areas);
        let entries: Vec<(String, Choice)> = labels
            .into_iter()
            .zip(areas.iter().map(|area| Choice::Look(*area)))
            .collect();
        self.turn.state.step = Step::Idle;
        self.offer(&Text::SeveralFound, &Menu::list(&entries));
    }
}
