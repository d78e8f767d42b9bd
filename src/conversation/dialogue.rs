//! A person's state and message into the next state, replies and effects. Pure, and the same for every channel.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    config::CityConfig,
    domain::{Body, ChannelKind, InboundContent, Language, ResidentId, RoundId, SiteId, UnitId},
    i18n::{Text, Texts, Voice, span},
};

use super::{
    body,
    challenge::{Answer, Challenge, CodesSent},
    menu::{Choice, Menu},
    places::{Area, Level, Narrowed, Places},
    words,
};

/// All that a turn may depend on beside the state and the message.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Where the person writes from.
    pub channel: ChannelKind,
    /// What is on record of them.
    pub person: &'a Person,
    /// The city's units.
    pub places: &'a Places,
    /// The approved words.
    pub texts: &'a Texts,
    /// The city's settings.
    pub city: &'a CityConfig,
    /// Begins every text message.
    pub sender_name: &'a str,
    /// The residents registered with the number, when the message is the person's own contact card.
    pub phone_matches: Option<&'a [PhoneMatch]>,
    /// Four digits drawn at random for this turn: what a text message changes is confirmed with them.
    pub fresh_code: &'a str,
    /// What the turn wanted to know: see [`Turn::wants`].
    pub fetched: Option<&'a Fetched>,
    /// The present instant.
    pub now: DateTime<Utc>,
}

/// What a turn must know, or have done, before it can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Which other times the person's household may have; of one of its windows, if they named it.
    OtherTimes(Option<(RoundId, UnitId)>),
    /// To take one of them.
    Take(TimeOffer),
}

/// The answer to a [`Want`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The person is not known to be on the roster.
    NotProven,
    /// They have no window that could be changed.
    NothingToChange,
    /// Their window is near, or under way.
    TooNear(Time),
    /// They have several windows.
    Which(Vec<(RoundId, UnitId, Time)>),
    /// Free times in place of this one; none if there is no room. `gone`: the one that was wanted has just been taken.
    Offers {
        /// The present time.
        instead_of: Time,
        /// Free ones.
        offers: Vec<(TimeOffer, Time)>,
        /// It was too late.
        gone: bool,
    },
    /// It is theirs.
    Taken,
}

/// When and where, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
    /// The site's name.
    pub site: String,
    /// The home's short name.
    pub place: String,
}

/// A free time, as it is kept until it is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeOffer {
    /// In which round.
    pub round: RoundId,
    /// Whose home.
    pub unit: UnitId,
    /// Where.
    pub site: SiteId,
    /// First instant.
    pub starts_at: DateTime<Utc>,
    /// Last instant.
    pub ends_at: DateTime<Utc>,
}

/// What is on record of the person behind one contact.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// The language they chose, if they did.
    pub language: Option<Language>,
    /// The language of their client, where the channel knows it.
    pub client_language: Option<Language>,
    /// They want no notices.
    pub stopped: bool,
    /// Residents proven to be behind this contact.
    pub residents: Vec<PersonResident>,
    /// The unit whose windows they asked to follow.
    pub home: Option<UnitId>,
}

/// A resident proven to be behind a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonResident {
    /// Who.
    pub resident: ResidentId,
    /// Where they live.
    pub unit: UnitId,
}

/// A resident registered with a phone number. Personal data, and without `Debug` for that.
#[derive(Clone)]
pub struct PhoneMatch {
    /// Who.
    pub resident: ResidentId,
    /// Where they live.
    pub unit: UnitId,
    /// The full name; shown masked.
    pub name: String,
}

/// What to say, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// To be stored for the next message.
    pub state: State,
    /// In order.
    pub replies: Vec<Reply>,
    /// To be carried out in order, before the replies are sent.
    pub effects: Vec<Effect>,
    /// Set when this is no turn yet: find it out, and step again from the same state with [`Known::fetched`].
    pub wants: Option<Want>,
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// These words.
    Say(Body),
    /// The person's windows, as they are after the effects: see [`windows`](crate::i18n::notices::windows).
    Windows,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write to this contact in this language.
    SetLanguage(Language),
    /// No more notices to this address.
    Stop,
    /// No more notices to any address of the person, this one included.
    StopEverywhere,
    /// Notices to this address again.
    Start,
    /// Follow this unit's windows.
    SetHome(UnitId),
    /// This contact is this resident.
    Link(ResidentId),
    /// This contact is none of the residents it was linked to.
    Unlink,
}

/// Where a dialogue stands. Stored encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    #[serde(default)]
    step: Step,
    /// The choices last shown, as button data: a digit means the choice at its place.
    #[serde(default)]
    options: Vec<String>,
    /// When codes were sent to this person.
    #[serde(default)]
    codes: CodesSent,
}

impl State {
    /// The state of a stored text; one that this version does not know becomes idle.
    pub fn from_stored(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or(Self {
            step: Step::Idle,
            ..Self::default()
        })
    }

    /// The text to store.
    pub fn to_stored(&self) -> String {
        serde_json::to_string(self).expect("a state is plain data")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    /// Nothing has been said yet.
    #[default]
    New,
    Idle,
    /// Asked where the person lives, within an area that they have chosen.
    Home {
        within: Option<Area>,
    },
    /// Asked for the phone number.
    Phone,
    /// Asked which of these residents the person is.
    Which {
        offers: Vec<Offer>,
    },
    /// Asked to repeat a code before a change.
    Confirm {
        change: Change,
        challenge: Challenge,
    },
    /// Asked which of several windows is to be changed.
    WhichTime {
        of: Vec<(RoundId, UnitId)>,
    },
    /// Asked to choose another time.
    OtherTime {
        offers: Vec<TimeOffer>,
    },
}

/// A resident that a phone number may belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Offer {
    resident: ResidentId,
    unit: UnitId,
    masked_name: String,
}

/// A change that a text message asked for. Senders of text messages can be forged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Home(UnitId),
    StopEverywhere,
    Time(TimeOffer),
}

/// Choices on one screen.
const OPTIONS_SHOWN_MAX: usize = 8;

/// The turn that follows a message.
pub fn step(known: &Known<'_>, state: &State, content: &InboundContent) -> Turn {
    let mut talk = Talk::new(known, state, content);
    talk.hear(content);
    talk.turn
}

/// One turn in the making.
struct Talk<'a> {
    known: &'a Known<'a>,
    voice: Voice<'a>,
    home: Option<UnitId>,
    linked: bool,
    stopped: bool,
    /// What the next message begins with.
    lead: Vec<String>,
    turn: Turn,
}

impl<'a> Talk<'a> {
    fn new(known: &'a Known<'a>, state: &State, content: &InboundContent) -> Self {
        let person = known.person;
        let is_new = matches!(state.step, Step::New);
        let heard = match content {
            InboundContent::Text(text) if is_new && words::is_english(text) => Some(Language::En),
            _ => None,
        };
        let chosen = person.language.or(person.client_language).or(heard);
        let mut effects = Vec::new();
        // Kept, so that notices and the next turn speak the language of the first.
        if let (None, Some(language)) = (person.language, chosen) {
            effects.push(Effect::SetLanguage(language));
        }
        Self {
            known,
            voice: Voice {
                texts: known.texts,
                language: chosen.unwrap_or(known.city.default_language),
                channel: known.channel,
                sender_name: known.sender_name,
            },
            home: person
                .home
                .or(person.residents.first().map(|resident| resident.unit)),
            linked: !person.residents.is_empty(),
            stopped: person.stopped,
            lead: Vec::new(),
            turn: Turn {
                state: state.clone(),
                replies: Vec::new(),
                effects,
                wants: None,
            },
        }
    }

    fn hear(&mut self, content: &InboundContent) {
        match content {
            InboundContent::Text(text) => self.read(text),
            InboundContent::Choice(data) => match data.parse() {
                Ok(choice) => self.choose(choice),
                Err(_) => self.menu(),
            },
            InboundContent::Start(code) => self.arrive(code),
            InboundContent::Contact { own: true, .. } => self.match_phone(),
            InboundContent::Contact { own: false, .. } => self.ask_phone(&Text::NotOwnContact),
            // Nothing can be said to somebody who blocked the bot, and nothing needs to be on their return.
            InboundContent::Membership { allowed: false } => self.turn.effects = vec![Effect::Stop],
            InboundContent::Membership { allowed: true } => self.turn.effects.clear(),
            InboundContent::Other => {
                self.lead(&Text::WordsOnly);
                self.resume();
            }
        }
    }

    fn read(&mut self, text: &str) {
        let text = words::normalise(text);
        let emergency_number = self.known.city.emergency_number.as_str();
        if words::is_emergency(&text, emergency_number) {
            // The dialogue stays where it is.
            let advice = self.voice.say(&Text::Emergency { emergency_number });
            let body = body(&self.voice, &[advice], &Menu::default());
            return self.turn.replies.push(Reply::Say(body));
        }
        if let Some(choice) = words::choice(&text) {
            return self.choose(choice);
        }
        if self.confirm(&text) {
            return;
        }
        match self.numbered(&text) {
            Some(choice) => self.choose(choice),
            None => self.search(&text),
        }
    }

    /// The choice that a digit stands for, as last shown.
    fn numbered(&self, text: &str) -> Option<Choice> {
        let index = text
            .trim_matches(|c: char| !c.is_alphanumeric())
            .parse::<usize>()
            .ok()?
            .checked_sub(1)?;
        let State { step, options, .. } = &self.turn.state;
        let asks_home = matches!(step, Step::Home { .. }) || self.home.is_none() && matches!(step, Step::New);
        if options.is_empty() && !asks_home {
            // After a notice, or an answer without choices, digits are those of the main menu.
            return Menu::main(&self.voice, self.stopped).choices().nth(index);
        }
        options.get(index)?.parse().ok()
    }

    fn choose(&mut self, choice: Choice) {
        match choice {
            Choice::Menu => self.menu(),
            Choice::Windows => self.windows(),
            Choice::Home => self.ask_home(None, 0),
            Choice::Area(area) => self.enter(area),
            Choice::Page { within, page } => self.ask_home(within, page),
            Choice::Languages => {
                self.turn.state.step = Step::Idle;
                self.offer(&Text::ChooseLanguage, &Menu::languages());
            }
            Choice::Speak(language) => {
                self.voice.language = language;
                self.turn.effects.push(Effect::SetLanguage(language));
                self.lead(&Text::LanguageSet);
                self.resume();
            }
            Choice::Phone => self.ask_phone(&Text::AskPhone),
            Choice::Later => {
                self.lead(&Text::LaterSaid);
                self.menu();
            }
            Choice::Resident(resident) => self.pick(resident),
            Choice::NoneOfThem => {
                self.lead(&Text::CheckRoster);
                self.menu();
            }
            Choice::NotMe => self.unlink(),
            Choice::OtherTime => self.other_times(None),
            Choice::OtherTimeOf(index) => self.other_time_of(index),
            Choice::Take(index) => self.choose_time(index),
            Choice::KeepTime => {
                self.lead(&Text::OtherTimeKept);
                self.menu();
            }
            Choice::Stop => self.stop(),
            Choice::StopEverywhere => self.stop_everywhere(),
            Choice::Start => {
                self.turn.effects.push(Effect::Start);
                self.stopped = false;
                self.lead(&Text::Started);
                self.menu();
            }
            Choice::Help => {
                let emergency_number = self.known.city.emergency_number.as_str();
                self.lead(&Text::Help { emergency_number });
                self.resume();
            }
            Choice::Person => {
                self.lead(&Text::NoPerson);
                self.resume();
            }
        }
    }

    /// `/start`, from the door's code or without one.
    fn arrive(&mut self, code: &str) {
        if code.trim().is_empty() {
            self.mention_stopped();
            return self.menu();
        }
        if let Some(unit) = self.known.places.unit_by_code(code) {
            return self.set_home(unit);
        }
        self.lead(&Text::UnknownCode);
        self.ask_home(None, 0);
    }

    /// Takes a text for an address, or says that it was not understood.
    fn search(&mut self, text: &str) {
        let chosen = match &self.turn.state.step {
            Step::Home { within } => Some(*within),
            _ => None,
        };
        if chosen.is_none() && self.home.is_some() {
            self.lead(&Text::Unknown);
            return self.menu();
        }
        if let Some(unit) = self.known.places.unit_by_code(text) {
            return self.set_home(unit);
        }
        let within = chosen.flatten();
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
            [] if matches!(self.turn.state.step, Step::Idle) => {
                self.lead(&Text::Unknown);
                self.menu();
            }
            [] => {
                if chosen.is_some() {
                    self.lead(&Text::NotFound);
                }
                self.ask_home(within, 0);
            }
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
    }

    fn enter(&mut self, area: Area) {
        if area.level == Level::Unit && self.known.places.contains(area.unit) {
            self.set_home(area.unit);
        } else {
            self.ask_home(Some(area), 0);
        }
    }

    /// The first words to a newcomer come before anything else.
    fn greet(&mut self) {
        if matches!(self.turn.state.step, Step::New) {
            self.turn.state.step = Step::Idle;
            let sender = self.known.sender_name;
            self.lead.insert(0, self.voice.say(&Text::Greeting { sender }));
        }
    }

    /// Asks for the next part of the address; settles it where only one unit is left.
    fn ask_home(&mut self, within: Option<Area>, page: usize) {
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

    fn offer_areas(&mut self, within: Option<Area>, options: &[Area], page: usize) {
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

    fn entries(&self, within: Option<Area>, areas: &[Area]) -> Vec<(String, Choice)> {
        let labels = self.known.places.labels(within, areas);
        labels
            .into_iter()
            .zip(areas.iter().map(|area| Choice::Area(*area)))
            .collect()
    }

    fn start_over(&self) -> Vec<(String, Choice)> {
        vec![(self.voice.say(&Text::StartOver), Choice::Home)]
    }

    fn set_home(&mut self, unit: UnitId) {
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

    fn keep_home(&mut self, unit: UnitId, place: &str) {
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

    /// Who comes back after blocking the bot, or sets a home, would otherwise wait for notices in vain.
    fn mention_stopped(&mut self) {
        if self.stopped {
            self.lead(&Text::Stopped);
        }
    }

    fn place_name(&self, unit: UnitId) -> Option<String> {
        self.known.places.contains(unit).then(|| {
            self.known.places.short_name(Area {
                level: Level::Unit,
                unit,
            })
        })
    }

    /// Asks for the person's own contact card, where the channel can vouch for it.
    fn ask_phone(&mut self, text: &Text<'_>) {
        if self.known.channel == ChannelKind::Sms {
            return self.menu();
        }
        let later = (self.voice.say(&Text::Later), Choice::Later);
        let menu = Menu::list(&[later]).with_share_contact(self.voice.say(&Text::SharePhone));
        self.turn.state.step = Step::Phone;
        self.offer(text, &menu);
    }

    /// The person sent their own contact card.
    fn match_phone(&mut self) {
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

    fn ask_which(&mut self, offers: Vec<Offer>) {
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
    fn pick(&mut self, resident: ResidentId) {
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

    fn link(&mut self, resident: ResidentId, unit: UnitId, masked_name: &str) {
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

    fn unlink(&mut self) {
        // A phone number is linked by the roster: only the community can undo that.
        if self.known.channel == ChannelKind::Telegram {
            self.turn.effects.push(Effect::Unlink);
        }
        self.lead(&Text::CheckRoster);
        self.menu();
    }

    fn stop(&mut self) {
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

    fn stop_everywhere(&mut self) {
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

    fn keep_stopped_everywhere(&mut self) {
        self.turn.effects.push(Effect::StopEverywhere);
        self.stopped = true;
        self.turn.state.step = Step::Idle;
        self.offer(&Text::StoppedEverywhere, &Menu::default());
    }

    fn ask_code(&mut self, change: Change, text: &Text<'_>) {
        let (code, now) = (self.known.fresh_code, self.known.now);
        let Some(challenge) = Challenge::new(code, &mut self.turn.state.codes, now) else {
            self.turn.state.step = Step::Idle;
            return self.offer(&Text::ConfirmTooMany, &Menu::default());
        };
        self.turn.state.step = Step::Confirm { change, challenge };
        self.offer(text, &Menu::default());
    }

    /// Whether the text was an answer to [`Talk::ask_code`].
    fn confirm(&mut self, text: &str) -> bool {
        let Step::Confirm {
            change,
            mut challenge,
        } = self.turn.state.step.clone()
        else {
            return false;
        };
        self.turn.state.step = Step::Idle;
        match challenge.answer(text, self.known.now) {
            Answer::NoCode => return false,
            Answer::Wrong(left) => {
                self.turn.state.step = Step::Confirm { change, challenge };
                let left = left.to_string();
                self.offer(&Text::ConfirmWrong { left: &left }, &Menu::default());
                return true;
            }
            Answer::Over => {
                self.offer(&Text::ConfirmFailed, &Menu::default());
                return true;
            }
            Answer::Right => {}
        }
        match change {
            Change::Time(offer) => self.take_time(offer),
            Change::Home(unit) => match self.place_name(unit) {
                Some(place) => self.keep_home(unit, &place),
                None => self.ask_home(None, 0),
            },
            Change::StopEverywhere => self.keep_stopped_everywhere(),
        }
        true
    }

    /// Asks for the times that the person's household may have instead of its own.
    fn other_times(&mut self, of: Option<(RoundId, UnitId)>) {
        match self.known.fetched {
            None => self.turn.wants = Some(Want::OtherTimes(of)),
            Some(fetched) => self.show_times(fetched),
        }
    }

    fn other_time_of(&mut self, index: usize) {
        let of = match &self.turn.state.step {
            Step::WhichTime { of } => of.get(index).copied(),
            _ => None,
        };
        self.other_times(of);
    }

    /// Only a time that was offered can be chosen: button data can be forged, and old.
    fn choose_time(&mut self, index: usize) {
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

    fn take_time(&mut self, offer: TimeOffer) {
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

    fn show_times(&mut self, fetched: &Fetched) {
        self.turn.state.step = Step::Idle;
        match fetched {
            Fetched::Taken => self.windows(),
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

    fn offer_times(&mut self, instead_of: &Time, offers: &[(TimeOffer, Time)], gone: bool) {
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

    fn said(&self, starts_at: DateTime<Utc>, ends_at: DateTime<Utc>) -> String {
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

    fn windows(&mut self) {
        if self.home.is_none() {
            return self.ask_home(None, 0);
        }
        self.turn.state.step = Step::Idle;
        self.turn.state.options.clear();
        self.turn.replies.push(Reply::Windows);
    }

    /// The main menu; a newcomer is first asked where they live.
    fn menu(&mut self) {
        if matches!(self.turn.state.step, Step::New) && self.home.is_none() {
            return self.ask_home(None, 0);
        }
        self.turn.state.step = Step::Idle;
        self.offer(&Text::Menu, &Menu::main(&self.voice, self.stopped));
    }

    /// Asks again what was asked last, so that a word in between costs nothing.
    fn resume(&mut self) {
        match self.turn.state.step.clone() {
            Step::Home { within } => self.ask_home(within, 0),
            Step::Phone => self.ask_phone(&Text::AskPhone),
            Step::Which { offers } => self.ask_which(offers),
            Step::New
            | Step::Idle
            | Step::Confirm { .. }
            | Step::WhichTime { .. }
            | Step::OtherTime { .. } => self.menu(),
        }
    }

    fn lead(&mut self, text: &Text<'_>) {
        self.lead.push(self.voice.say(text));
    }

    fn say_lead(&mut self) {
        let lines = std::mem::take(&mut self.lead);
        self.turn.state.options.clear();
        self.turn
            .replies
            .push(Reply::Say(body(&self.voice, &lines, &Menu::default())));
    }

    /// Says a text with its choices, after what leads to it.
    fn offer(&mut self, text: &Text<'_>, menu: &Menu) {
        let mut lines = std::mem::take(&mut self.lead);
        lines.push(self.voice.say(text));
        self.turn.state.options = menu.choices().map(|choice| choice.to_string()).collect();
        self.turn
            .replies
            .push(Reply::Say(body(&self.voice, &lines, menu)));
    }
}

/// A name as it may be shown to whoever holds the phone: 陈*英, 陈*, J***.
fn masked(name: &str) -> String {
    let chars: Vec<char> = name.trim().chars().collect();
    match chars.as_slice() {
        [] => "*".into(),
        [first, ..] if first.is_ascii() => format!("{first}***"),
        [first] | [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", "*".repeat(middle.len())),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use chrono::TimeDelta;
    use chrono_tz::Asia::Shanghai;

    use super::*;
    use crate::{
        conversation::places::tests::places,
        domain::Button,
        i18n::notices::{tests::view, windows},
    };

    /// What a person does, in a script.
    #[derive(Clone, Copy)]
    enum Act<'a> {
        Type(&'a str),
        /// The first button of the last message with buttons whose data begins so.
        Tap(&'a str),
        /// Data that no button on the screen carries.
        Forge(&'a str),
        Start(&'a str),
        /// The own contact card, and who is registered with its number.
        OwnCard(&'a [(i64, i64, &'a str)]),
        OthersCard,
        Photo,
        Block,
        Return,
        Wait(i64),
    }

    use Act::{Block, Forge, OthersCard, OwnCard, Photo, Return, Start, Tap, Type, Wait};

    /// A person with a phone, and all that happens between them and the bot.
    struct Script {
        channel: ChannelKind,
        places: Places,
        texts: Texts,
        city: CityConfig,
        person: Person,
        state: State,
        buttons: Vec<Button>,
        now: DateTime<Utc>,
        transcript: String,
        /// What the runner would find out.
        fetched: Vec<Fetched>,
    }

    const SMALL_CITY: [&str; 5] = [
        "锦江区/春熙街道/锦绣社区1/2栋/1单元",
        "锦江区/春熙街道/锦绣社区1/3栋/1单元",
        "锦江区/春熙街道/锦绣社区1/3栋/2单元",
        "锦江区/合江街道/望江社区2/1栋/1单元",
        "锦江区/合江街道/望江社区2/10栋/1单元",
    ];

    impl Script {
        fn new(channel: ChannelKind, client_language: Option<Language>) -> Self {
            Self::within(places(&SMALL_CITY), channel, client_language)
        }

        fn within(places: Places, channel: ChannelKind, client_language: Option<Language>) -> Self {
            Self {
                channel,
                places,
                texts: Texts::load().expect("the built-in texts are whole"),
                city: CityConfig::default(),
                person: Person {
                    client_language,
                    ..Person::default()
                },
                state: State::default(),
                buttons: Vec::new(),
                now: view(0).starts_at,
                transcript: String::new(),
                fetched: Vec::new(),
            }
        }

        fn play(mut self, acts: &[Act<'_>]) -> String {
            for act in acts {
                self.act(act);
            }
            self.transcript
        }

        fn act(&mut self, act: &Act<'_>) {
            let mut matches = None;
            let content = match *act {
                Type(text) => InboundContent::Text(text.into()),
                Tap(data) => InboundContent::Choice(self.button(data)),
                Forge(data) => InboundContent::Choice(data.into()),
                Start(code) => InboundContent::Start(code.into()),
                OwnCard(residents) => {
                    matches = Some(
                        residents
                            .iter()
                            .map(|(resident, unit, name)| PhoneMatch {
                                resident: ResidentId(*resident),
                                unit: UnitId(*unit),
                                name: (*name).into(),
                            })
                            .collect::<Vec<_>>(),
                    );
                    InboundContent::Contact {
                        phone: "+8619900000001".into(),
                        own: true,
                    }
                }
                OthersCard => InboundContent::Contact {
                    phone: "+8619900000002".into(),
                    own: false,
                },
                Photo => InboundContent::Other,
                Block => InboundContent::Membership { allowed: false },
                Return => InboundContent::Membership { allowed: true },
                Wait(minutes) => {
                    self.now += TimeDelta::minutes(minutes);
                    let _ = writeln!(self.transcript, "({minutes} minutes later)");
                    return;
                }
            };
            let heard = match &content {
                InboundContent::Text(text) => text.clone(),
                InboundContent::Choice(data) => format!("[{data}]"),
                InboundContent::Start(code) => format!("/start {code}"),
                other => format!("({other:?})"),
            };
            let _ = writeln!(self.transcript, "> {heard}");
            let mut turn = self.turn(&content, matches.as_deref());
            if let Some(want) = &turn.wants {
                let _ = writeln!(self.transcript, "? {}", wanted(want));
                assert!(turn.replies.is_empty(), "it is no turn yet");
                let fetched = self.fetched.remove(0);
                turn = self.turn_knowing(&content, matches.as_deref(), Some(&fetched));
                assert_eq!(turn.wants, None);
            }
            self.show(turn, matches.as_deref().unwrap_or_default());
        }

        fn turn(&self, content: &InboundContent, phone_matches: Option<&[PhoneMatch]>) -> Turn {
            self.turn_knowing(content, phone_matches, None)
        }

        fn turn_knowing(
            &self,
            content: &InboundContent,
            phone_matches: Option<&[PhoneMatch]>,
            fetched: Option<&Fetched>,
        ) -> Turn {
            let known = Known {
                channel: self.channel,
                person: &self.person,
                places: &self.places,
                texts: &self.texts,
                city: &self.city,
                sender_name: "社区通知",
                phone_matches,
                fetched,
                fresh_code: "4821",
                now: self.now,
            };
            step(&known, &self.state, content)
        }

        fn show(&mut self, turn: Turn, matches: &[PhoneMatch]) {
            for effect in turn.effects {
                let _ = writeln!(self.transcript, "* {effect:?}");
                match effect {
                    Effect::SetLanguage(language) => self.person.language = Some(language),
                    Effect::Stop | Effect::StopEverywhere => self.person.stopped = true,
                    Effect::Start => self.person.stopped = false,
                    Effect::SetHome(unit) => self.person.home = Some(unit),
                    Effect::Unlink => self.person.residents.clear(),
                    Effect::Link(resident) => {
                        let unit = matches
                            .iter()
                            .find(|one| one.resident == resident)
                            .map_or(UnitId(3), |one| one.unit);
                        self.person.residents.push(PersonResident { resident, unit });
                    }
                }
            }
            for reply in turn.replies {
                let body = match reply {
                    Reply::Say(body) => body,
                    Reply::Windows => self.windows(),
                };
                let _ = writeln!(self.transcript, "{}", body.text);
                for row in &body.buttons {
                    let labels = row.iter().map(|button| match button {
                        Button::Choice { label, .. } | Button::Link { label, .. } => format!("[{label}]"),
                        Button::ShareContact { label } => format!("[☎ {label}]"),
                    });
                    let _ = writeln!(self.transcript, "    {}", labels.collect::<Vec<_>>().join(" "));
                }
                self.buttons = body.buttons.into_iter().flatten().collect();
            }
            self.transcript.push('\n');
            let stored = turn.state.to_stored();
            assert_eq!(
                State::from_stored(&stored),
                turn.state,
                "a state survives its storing"
            );
            self.state = turn.state;
        }

        /// The runner's part: unit 3 has a window.
        fn windows(&self) -> Body {
            let language = self.person.language.unwrap_or_default();
            let home = self
                .person
                .home
                .or(self.person.residents.first().map(|resident| resident.unit));
            let views: Vec<_> = (home == Some(UnitId(3))).then(|| view(0)).into_iter().collect();
            let voice = Voice {
                texts: &self.texts,
                language,
                channel: self.channel,
                sender_name: "社区通知",
            };
            windows(&voice, Shanghai, &views, chrono::NaiveDate::MIN)
        }

        fn button(&self, wanted: &str) -> String {
            let mut datas = self.buttons.iter().filter_map(|button| match button {
                Button::Choice { data, .. } => Some(data),
                _ => None,
            });
            datas
                .find(|data| data.starts_with(wanted))
                .expect("the button is on the screen")
                .clone()
        }
    }

    fn wanted(want: &Want) -> String {
        match want {
            Want::OtherTimes(of) => format!("other times of {of:?}"),
            Want::Take(offer) => format!("take {}", offer.starts_at.format("%H:%M")),
        }
    }

    /// The view's time, some minutes later.
    fn time_at(minutes: i64) -> Time {
        let view = view(minutes);
        Time {
            starts_at: view.starts_at,
            ends_at: view.ends_at,
            site: view.site_name,
            place: view.place.within_community(),
        }
    }

    fn offers(minutes: &[i64], gone: bool) -> Fetched {
        let offer = |minutes: &i64| {
            let time = time_at(*minutes);
            let offer = TimeOffer {
                round: RoundId(1),
                unit: UnitId(3),
                site: SiteId(1),
                starts_at: time.starts_at,
                ends_at: time.ends_at,
            };
            (offer, time)
        };
        Fetched::Offers {
            instead_of: time_at(0),
            offers: minutes.iter().map(offer).collect(),
            gone,
        }
    }

    #[test]
    fn another_time_is_offered_and_taken() {
        for language in Language::ALL {
            let mut transcript = String::new();
            for channel in ChannelKind::ALL {
                let mut script = Script::new(channel, None);
                script.now -= TimeDelta::hours(20);
                script.person.language = Some(language);
                script.person.residents = vec![PersonResident {
                    resident: ResidentId(7),
                    unit: UnitId(3),
                }];
                let several = vec![
                    (RoundId(1), UnitId(3), time_at(0)),
                    (RoundId(1), UnitId(2), time_at(30)),
                ];
                script.fetched = vec![
                    Fetched::Which(several),
                    offers(&[30, 60, 200], false),
                    offers(&[60, 200], true),
                    Fetched::Taken,
                    offers(&[], false),
                    Fetched::TooNear(time_at(0)),
                    Fetched::NothingToChange,
                    Fetched::NotProven,
                ];
                let take: &[Act<'_>] = match channel {
                    ChannelKind::Telegram => &[Tap("take:0"), Tap("take:1")],
                    ChannelKind::Sms => &[Type("1"), Type("0000"), Type("4821"), Type("2"), Type("4821")],
                };
                let again = "换时间";
                transcript += &script.play(
                    &[
                        &[Type(again), Type("1")],
                        take,
                        &[Type(again), Type("other time"), Type(again), Type(again)],
                    ]
                    .concat(),
                );
            }
            insta::assert_snapshot!(format!("other-time-{}", language.code()), transcript);
        }
    }

    #[test]
    fn a_forged_or_old_choice_takes_nothing() {
        let script = Script::new(ChannelKind::Telegram, Some(Language::ZhHans));
        for data in ["take:0", "take:99", "other_time:5"] {
            let turn = script.turn(&InboundContent::Choice(data.into()), None);
            assert_eq!(turn.wants, Some(Want::OtherTimes(None)), "{data}");
        }
    }

    const TELEGRAM_ACTS: [Act<'_>; 24] = [
        Start(""),
        Type("99栋"),
        Tap("community:1"),
        Type("3"),
        Tap("unit:3"),
        OthersCard,
        OwnCard(&[(7, 3, "陈桂英"), (8, 3, "王强"), (9, 5, "John Smith")]),
        Type("?"),
        Tap("resident:7"),
        Tap("not_me"),
        Tap("windows"),
        Tap("menu"),
        Tap("languages"),
        Type("语言"),
        Type("什么是黑洞?"),
        Photo,
        Type("我妈晕倒了"),
        Type("人工"),
        Tap("stop"),
        Type("START"),
        Tap("home"),
        Tap("community:4"),
        Tap("building:5"),
        Tap("later"),
    ];

    #[test]
    fn telegram_from_greeting_to_later() {
        for language in Language::ALL {
            let mut script = Script::new(ChannelKind::Telegram, Some(language));
            script.city.emergency_number = "120".into();
            insta::assert_snapshot!(
                format!("telegram-{}", language.code()),
                script.play(&TELEGRAM_ACTS)
            );
        }
    }

    const SMS_ACTS: [Act<'_>; 26] = [
        Type("0"),
        Type("2"),
        Type("55"),
        Type("2"),
        Type("9"),
        Type("什么是黑洞?"),
        Type("2"),
        Type("1"),
        Type("2"),
        Type("望江 10栋"),
        Type("1111"),
        Type("改地址"),
        Type("望江 10栋"),
        Wait(11),
        Type("4821"),
        Type("改地址"),
        Type("望江社区2 10栋"),
        Type("4821"),
        Type("3"),
        Type("0"),
        Type("120"),
        Photo,
        Type("td"),
        Type("时间"),
        Type("不是我"),
        Type("订阅"),
    ];

    #[test]
    fn sms_from_greeting_to_stop() {
        for (language, hello) in [
            (Language::ZhHans, "你好"),
            (Language::ZhHant, "繁體"),
            (Language::En, "hello"),
        ] {
            let mut script = Script::new(ChannelKind::Sms, None);
            script.act(&Type(hello));
            insta::assert_snapshot!(format!("sms-{}", language.code()), script.play(&SMS_ACTS));
        }
    }

    #[test]
    fn a_phone_on_the_roster_goes_straight_to_its_window() {
        let mut script = Script::new(ChannelKind::Sms, None);
        script.person.language = Some(Language::ZhHans);
        script.person.residents = vec![PersonResident {
            resident: ResidentId(7),
            unit: UnitId(3),
        }];
        insta::assert_snapshot!(script.play(&[
            Type("你好"),
            Type("1"),
            Type("退订"),
            Type("全部退订"),
            Type("4821"),
            Type("START"),
        ]));
    }

    #[test]
    fn a_door_code_sets_the_home_at_once() {
        insta::assert_snapshot!(Script::new(ChannelKind::Telegram, Some(Language::ZhHans)).play(&[
            Start("XYZ"),
            Start("c3"),
            OwnCard(&[]),
            Start("C4"),
            OwnCard(&[(7, 3, "陈英")]),
            Tap("stop"),
            Tap("stop_everywhere"),
            Block,
            Return,
            Start(""),
        ]));
    }

    #[test]
    fn a_large_city_is_narrowed_page_by_page() {
        let paths: Vec<String> = (1..=60)
            .map(|n| {
                format!(
                    "{}/{}街道/和平社区{n}/{}栋/1单元",
                    ["锦江区", "武侯区"][n % 2],
                    n % 3,
                    n % 7
                )
            })
            .collect();
        let city = places(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        insta::assert_snapshot!(
            Script::within(city, ChannelKind::Telegram, Some(Language::ZhHans)).play(&[
                Type("你好"),
                Tap("district"),
                Tap("street"),
                Tap("page:1"),
                Tap("page:0"),
                Type("和平 3栋"),
                Type("English"),
                Type("武侯区 和平 4栋"),
                Type("和平社区7 1单元"),
            ])
        );
    }

    #[test]
    fn strange_input_is_answered_calmly() {
        let mut script = Script::new(ChannelKind::Telegram, Some(Language::ZhHans));
        script.person.home = Some(UnitId(3));
        let long = "长".repeat(4096);
        insta::assert_snapshot!(script.play(&[
            Forge("resident:7"),
            Forge("unit:99"),
            Forge("building:99"),
            Forge("page:99999"),
            Forge("page:18446744073709551615:community:1"),
            Forge("<script>"),
            Type(""),
            Type("\u{0}\u{7}\u{1b}[31m"),
            Type("\u{202e}\u{200f}ابدأ"),
            Type("👍"),
        ]));
        let script = Script::new(ChannelKind::Sms, None);
        let turn = script.turn(&InboundContent::Text(long), None);
        assert_eq!(turn.replies.len(), 1);
    }

    #[test]
    fn a_state_of_another_version_is_idle() {
        for stored in [
            "",
            "{",
            "{\"step\":\"dreaming\"}",
            "{\"step\":{\"home\":{\"within\":7}}}",
        ] {
            assert_eq!(State::from_stored(stored).step, Step::Idle, "{stored}");
        }
        let newer = "{\"step\":{\"home\":{\"within\":null,\"mood\":1}},\"options\":[\"menu\"],\"more\":true}";
        assert_eq!(State::from_stored(newer).step, Step::Home { within: None });
        assert_eq!(State::from_stored("{}"), State::default());
    }

    #[test]
    fn every_text_message_names_its_sender() {
        let mut script = Script::new(ChannelKind::Sms, None);
        for act in &SMS_ACTS {
            let Type(text) = act else { continue };
            let turn = script.turn(&InboundContent::Text((*text).into()), None);
            for reply in &turn.replies {
                if let Reply::Say(body) = reply {
                    assert!(
                        body.text.starts_with("【社区通知】") && body.buttons.is_empty(),
                        "{}",
                        body.text
                    );
                }
            }
            script.show(turn, &[]);
        }
    }

    #[test]
    fn any_message_in_any_state_is_answered_in_whole_sentences() {
        use proptest::prelude::*;
        let text = prop_oneof![
            "\\PC{0,40}",
            "[0-9]{1,4}",
            "(锦绣|望江|社区|[0-9]|栋|单元| ){1,8}",
            any::<String>()
        ];
        for channel in ChannelKind::ALL {
            let mut script = Script::new(channel, None);
            for stored in [
                "{}",
                "{\"step\":\"idle\"}",
                "{\"step\":{\"home\":{\"within\":{\"level\":\"community\",\"unit\":1}}}}",
            ] {
                script.state = State::from_stored(stored);
                proptest!(ProptestConfig::with_cases(64), |(text in text.clone(), is_data in any::<bool>())| {
                    let content = if is_data { InboundContent::Choice(text) } else { InboundContent::Text(text) };
                    let turn = script.turn(&content, None);
                    prop_assert!(!turn.replies.is_empty());
                    for reply in turn.replies {
                        if let Reply::Say(body) = reply {
                            let is_whole = !body.text.contains('{') && body.text.chars().count() < 1000;
                            prop_assert!(is_whole);
                        }
                    }
                });
            }
        }
    }

    #[test]
    fn names_are_masked() {
        for (name, shown) in [
            ("陈桂英", "陈*英"),
            ("陈英", "陈*"),
            ("欧阳娜娜", "欧**娜"),
            ("陈", "陈*"),
            ("", "*"),
            ("John Smith", "J***"),
        ] {
            assert_eq!(masked(name), shown);
        }
    }
}
