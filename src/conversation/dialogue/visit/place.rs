//! Where a visit is to go: typed, or chosen step by step. Nothing of the person's home is chosen by this.

use super::super::{OPTIONS_SHOWN_MAX, Step, Talk};
use crate::{
    conversation::{
        menu::{Choice, Menu},
        places::{Area, Level, Narrowed},
        visit_choice::{Field, VisitChoice},
    },
    domain::{ChannelKind, UnitId},
    i18n::Text,
    understanding::Slots,
};

impl Talk<'_> {
    /// The community of the person's own home: what people leave out when they name a building.
    fn own_community(&self) -> Option<Area> {
        self.home.map(|unit| Area {
            level: Level::Community,
            unit,
        })
    }

    /// The units that the building and unit in a text may be: in the person's own community, else anywhere.
    pub(super) fn units_named(&self, slots: &Slots) -> Vec<UnitId> {
        let Some(named) = named(slots) else {
            return Vec::new();
        };
        let units = |scope| -> Vec<UnitId> {
            let found = self.known.places.search(scope, &named).into_iter();
            let units = found.filter(|area| area.level == Level::Unit);
            units.map(|area| area.unit).collect()
        };
        [self.own_community(), None]
            .into_iter()
            .map(units)
            .find(|units| !units.is_empty())
            .unwrap_or_default()
    }

    /// Asks for the address, first for what the person's own community leaves open.
    pub(super) fn ask_address(&mut self, within: Option<Area>) {
        let places = self.known.places;
        let named = self
            .turn
            .state
            .visit
            .as_ref()
            .and_then(|draft| draft.named.clone());
        if let (None, Some(named)) = (within, named) {
            let found = places.search(None, &named);
            if (2..=OPTIONS_SHOWN_MAX).contains(&found.len()) {
                return self.offer_found(&found);
            }
        }
        // One's own community may be one unit; that it is the one they mean is no given.
        let own = self
            .own_community()
            .filter(|own| within.is_none() && matches!(places.narrow(Some(*own)), Narrowed::Options { .. }));
        self.ask_within(within.or(own), 0);
    }

    pub(super) fn ask_within(&mut self, within: Option<Area>, page: usize) {
        let places = self.known.places;
        let within = within.filter(|area| places.contains(area.unit));
        match places.narrow(within) {
            Narrowed::Nothing => {
                self.turn.state.step = Step::Idle;
                self.offer(&Text::NoPlaces, &Menu::default());
            }
            Narrowed::Unit(unit) => self.take_unit(unit),
            Narrowed::Options { within, options } => self.offer_within(within, &options, page),
        }
    }

    /// A place that was chosen: the unit, or what is narrower than this.
    pub(super) fn enter_place(&mut self, area: Area) {
        let named = self
            .turn
            .state
            .visit
            .as_ref()
            .and_then(|draft| draft.named.clone());
        if let (true, Some(named)) = (area.level <= Level::Community, named)
            && let [only] = self.known.places.search(Some(area), &named).as_slice()
        {
            return self.ask_within(Some(*only), 0);
        }
        self.ask_within(Some(area), 0);
    }

    fn take_unit(&mut self, unit: UnitId) {
        if let Some(draft) = &mut self.turn.state.visit {
            draft.set_unit(unit);
        }
        self.ask_next();
    }

    /// An address that was typed, with the door or without it.
    pub(super) fn answer_address(&mut self, text: &str, slots: &Slots, within: Option<Area>) {
        let community = within.map(|area| Area {
            level: area.level.min(Level::Community),
            ..area
        });
        let named = named(slots);
        let places = self.known.places;
        let texts = [Some(text), named.as_deref()];
        let scopes = [within, community, self.own_community(), None];
        let found = scopes
            .into_iter()
            .flat_map(|scope| texts.into_iter().flatten().map(move |text| (scope, text)))
            .map(|(scope, text)| places.search(scope, text))
            .find(|found| !found.is_empty())
            .unwrap_or_default();
        if let (Some(draft), Some(room)) = (&mut self.turn.state.visit, &slots.room) {
            draft.door = Some(room.clone());
        }
        match found.as_slice() {
            [] => {
                self.lead(&Text::NotFound);
                self.ask_within(within, 0);
            }
            [only] => self.enter_place(*only),
            few if few.len() <= OPTIONS_SHOWN_MAX => self.offer_found(few),
            _ => {
                self.lead(&Text::TooManyFound);
                self.ask_within(within, 0);
            }
        }
    }

    fn offer_found(&mut self, areas: &[Area]) {
        self.greet();
        self.at_address(None);
        let menu = Menu::list(&self.places(None, areas)).with_back(self.voice.say(&Text::VisitBack));
        self.offer(&Text::SeveralFound, &menu);
    }

    fn at_address(&mut self, within: Option<Area>) {
        self.turn.state.step = Step::Visit {
            at: Field::Where,
            within,
            of: None,
        };
    }

    fn places(&self, within: Option<Area>, areas: &[Area]) -> Vec<(String, Choice)> {
        let labels = self.known.places.labels(within, areas);
        let choices = areas.iter().map(|area| Choice::Visit(VisitChoice::Area(*area)));
        labels.into_iter().zip(choices).collect()
    }

    fn offer_within(&mut self, within: Option<Area>, options: &[Area], page: usize) {
        let places = self.known.places;
        let level = options.first().map_or(Level::Community, |area| area.level);
        let area = within.map(|area| places.short_name(area)).unwrap_or_default();
        self.greet();
        self.at_address(within);
        let back = self.voice.say(&Text::VisitBack);
        let numbers: Option<Vec<u32>> = options.iter().map(|area| places.number(*area)).collect();
        // A digit then means the building's or unit's number, never a place in a list.
        let numbers = numbers.filter(|_| level >= Level::Building);
        if let (Some(numbers), ChannelKind::Sms) = (&numbers, self.known.channel) {
            let first = numbers.iter().min().map(ToString::to_string).unwrap_or_default();
            let last = numbers.iter().max().map(ToString::to_string).unwrap_or_default();
            let (area, first, last) = (area.as_str(), first.as_str(), last.as_str());
            let text = match level {
                Level::Building => Text::VisitBuildingNumber { area, first, last },
                _ => Text::VisitUnitNumber { area, first, last },
            };
            return self.offer(&text, &Menu::default().with_back(back));
        }
        let start = Some(page.saturating_mul(OPTIONS_SHOWN_MAX)).filter(|start| *start < options.len());
        let (page, start) = start.map_or((0, 0), |start| (page, start));
        let shown = &options[start..options.len().min(start + OPTIONS_SHOWN_MAX)];
        let to_page = |page| Choice::Visit(VisitChoice::Page { within, page });
        let mut turning = Vec::new();
        if page > 0 {
            turning.push((self.voice.say(&Text::PreviousPage), to_page(page - 1)));
        }
        if start + shown.len() < options.len() {
            turning.push((self.voice.say(&Text::NextPage), to_page(page + 1)));
        }
        let mut menu = Menu::list(&self.places(within, shown)).with_row(turning);
        if within.is_some() {
            let from_the_top = VisitChoice::Page {
                within: None,
                page: 0,
            };
            menu = menu.with_row(vec![(
                self.voice.say(&Text::StartOver),
                Choice::Visit(from_the_top),
            )]);
        }
        let text = match level {
            Level::District | Level::Street | Level::Community => Text::VisitWhere,
            Level::Building => Text::VisitBuilding { area: &area },
            Level::Unit => Text::VisitUnit { area: &area },
        };
        self.offer(&text, &menu.with_back(back));
        if numbers.is_some() {
            self.turn.state.options.clear();
        }
    }
}

/// The building and unit that a text names, without what stands around them.
pub(super) fn named(slots: &Slots) -> Option<String> {
    let building = slots.building.as_ref()?;
    let unit = slots
        .unit
        .as_ref()
        .map(|unit| format!("{unit}单元"))
        .unwrap_or_default();
    Some(format!("{building}栋{unit}"))
}
