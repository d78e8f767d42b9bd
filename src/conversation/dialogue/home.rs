//! Where the person lives: asked for step by step, or read from what they type.

use super::{Change, Effect, OPTIONS_SHOWN_MAX, Step, Talk};
use crate::{
    conversation::{
        menu::{Choice, Menu},
        places::{Area, Level, Narrowed},
    },
    domain::{ChannelKind, UnitId},
    i18n::Text,
};

impl Talk<'_> {
    /// Takes a text for the address of the person's home; false if it is none that is known.
    pub(super) fn search(&mut self, text: &str) -> bool {
        if let Some(unit) = self.known.places.unit_by_code(text) {
            self.set_home(unit);
            return true;
        }
        let within = match &self.turn.state.step {
            Step::Home { within } => *within,
            _ => None,
        };
        // Who writes another building's or community's name has changed their mind.
        let community = within.map(|area| Area {
            level: area.level.min(Level::Community),
            ..area
        });
        let found = [within, community, None]
            .into_iter()
            .map(|scope| self.known.places.search(scope, text))
            .find(|found| !found.is_empty())
            .unwrap_or_default();
        match found.as_slice() {
            [] => return false,
            [only] => self.enter(*only),
            few if few.len() <= OPTIONS_SHOWN_MAX => {
                let menu = Menu::list(&self.entries(None, few)).with_row(self.start_over());
                self.turn.state.step = Step::Home { within: None };
                self.offer(&Text::SeveralFound, &menu);
            }
            _ => {
                self.lead(&Text::TooManyFound);
                self.ask_home(within, 0);
            }
        }
        true
    }

    /// The text is neither an address nor anything else that is known.
    pub(super) fn not_understood(&mut self) {
        let chosen = match &self.turn.state.step {
            Step::Home { within } => Some(*within),
            _ => None,
        };
        if chosen.is_none() && (self.home.is_some() || matches!(self.turn.state.step, Step::Idle)) {
            self.lead(&Text::Unknown);
            return self.menu();
        }
        if chosen.is_some() {
            self.lead(&Text::NotFound);
        }
        self.ask_home(chosen.flatten(), 0);
    }

    pub(super) fn enter(&mut self, area: Area) {
        if area.level == Level::Unit && self.known.places.contains(area.unit) {
            self.set_home(area.unit);
        } else {
            self.ask_home(Some(area), 0);
        }
    }

    /// Asks for the next part of the address; settles it where only one unit is left.
    pub(super) fn ask_home(&mut self, within: Option<Area>, page: usize) {
        self.greet();
        // A place that has left the roster since it was shown, or never was in it.
        let within = within.filter(|area| {
            let is_there = self.known.places.contains(area.unit);
            if !is_there {
                self.lead.push(self.voice.say(&Text::NotFound));
            }
            is_there
        });
        match self.known.places.narrow(within) {
            Narrowed::Nothing => {
                self.turn.state.step = Step::Idle;
                self.turn.state.options.clear();
                self.offer(&Text::NoPlaces, &Menu::default());
            }
            Narrowed::Unit(unit) => self.set_home(unit),
            Narrowed::Options { within, options } => {
                self.turn.state.step = Step::Home { within };
                self.offer_areas(within, &options, page);
            }
        }
    }

    pub(super) fn offer_areas(&mut self, within: Option<Area>, options: &[Area], page: usize) {
        let places = self.known.places;
        let level = options.first().map_or(Level::Community, |area| area.level);
        let area = within.map(|area| places.short_name(area)).unwrap_or_default();
        let numbers: Option<Vec<u32>> = options.iter().map(|area| places.number(*area)).collect();
        // Buildings and units are mostly numbers already: a digit then means the number, never a place in a list.
        let numbers = numbers.filter(|_| level >= Level::Building);
        if let (Some(numbers), ChannelKind::Sms) = (&numbers, self.known.channel) {
            let first = numbers.iter().min().map(ToString::to_string).unwrap_or_default();
            let last = numbers.iter().max().map(ToString::to_string).unwrap_or_default();
            let text = match level {
                Level::Building => Text::AskBuildingNumber {
                    area: &area,
                    first: &first,
                    last: &last,
                },
                _ => Text::AskUnitNumber {
                    area: &area,
                    first: &first,
                    last: &last,
                },
            };
            return self.offer(&text, &Menu::default());
        }
        let start = page.saturating_mul(OPTIONS_SHOWN_MAX);
        let (page, start) = if start < options.len() {
            (page, start)
        } else {
            (0, 0)
        };
        let shown = &options[start..options.len().min(start + OPTIONS_SHOWN_MAX)];
        let mut turning = Vec::new();
        if page > 0 {
            turning.push((
                self.voice.say(&Text::PreviousPage),
                Choice::Page {
                    within,
                    page: page - 1,
                },
            ));
        }
        if start + shown.len() < options.len() {
            turning.push((
                self.voice.say(&Text::NextPage),
                Choice::Page {
                    within,
                    page: page + 1,
                },
            ));
        }
        let mut menu = Menu::list(&self.entries(within, shown)).with_row(turning);
        if within.is_some() {
            menu = menu.with_row(self.start_over());
        }
        let text = match level {
            Level::District => Text::AskDistrict,
            Level::Street => Text::AskStreet,
            Level::Community => Text::AskCommunity,
            Level::Building => Text::AskBuilding { area: &area },
            Level::Unit => Text::AskUnit { area: &area },
        };
        self.offer(&text, &menu);
        if numbers.is_some() {
            self.turn.state.options.clear();
        }
    }

    pub(super) fn entries(&self, within: Option<Area>, areas: &[Area]) -> Vec<(String, Choice)> {
        let labels = self.known.places.labels(within, areas);
        labels
            .into_iter()
            .zip(areas.iter().map(|area| Choice::Area(*area)))
            .collect()
    }

    pub(super) fn start_over(&self) -> Vec<(String, Choice)> {
        vec![(self.voice.say(&Text::StartOver), Choice::Home)]
    }

    pub(super) fn set_home(&mut self, unit: UnitId) {
        let Some(place) = self.place_name(unit) else {
            return self.ask_home(None, 0);
        };
        let is_change = self.home.is_some_and(|home| home != unit);
        if is_change && self.known.channel == ChannelKind::Sms {
            let code = self.known.fresh_code;
            return self.ask_code(Change::Home(unit), &Text::ConfirmHome { place: &place, code });
        }
        self.keep_home(unit, &place);
    }

    pub(super) fn keep_home(&mut self, unit: UnitId, place: &str) {
        self.greet();
        self.turn.effects.push(Effect::SetHome(unit));
        self.home = Some(unit);
        self.turn.state.step = Step::Idle;
        self.mention_stopped();
        self.offer(&Text::HomeSet { place }, &Menu::default());
        self.windows();
        if self.known.channel == ChannelKind::Telegram && !self.linked {
            self.ask_phone(&Text::AskPhone);
        }
    }

    pub(super) fn place_name(&self, unit: UnitId) -> Option<String> {
        self.known.places.contains(unit).then(|| {
            self.known.places.short_name(Area {
                level: Level::Unit,
                unit,
            })
        })
    }
}
