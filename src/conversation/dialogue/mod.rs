//! A person's state and message into the next state, replies and effects. Pure, and the same for every channel.
//!
//! Here is the whole of a turn: what is heard, in which order it is understood, and where it goes. Each topic has a file.

mod confirm;
mod contact;
mod home;
mod notices;
mod other_time;
mod pass;
mod privacy;
mod question;
mod state;
mod talk;
mod turn;
mod visit;
mod window;

use chrono::TimeDelta;

use super::{
    body,
    menu::{Choice, Menu},
    visit_choice::VisitChoice,
    words,
};
use crate::{
    domain::{Button, ChannelKind, InboundContent, Language, ThreadReason, UnitId},
    i18n::{Text, Voice},
};
use state::{Change, Offer, Step};

pub(super) use contact::masked;
pub use state::State;
pub use turn::{
    Effect, Fetched, FoundProofs, HouseholdPerson, Known, KnownVisits, OwnVisit, Person, PersonResident,
    PhoneMatch, Reply, Time, TimeOffer, Turn, VisitEdit, VisitOutcome, VisitRequest, Want,
};

/// That only words are read is said once in this time.
const WORDS_ONLY_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// Choices on one screen.
const OPTIONS_SHOWN_MAX: usize = 8;

/// The turn that follows a message.
pub fn step(known: &Known<'_>, state: &State, content: &InboundContent) -> Turn {
    let mut talk = Talk::new(known, state, content);
    talk.hear(content);
    talk.mention_waiting_visit(state);
    talk.turn
}

/// It leads from one screen of choices to the next. Never those under an answer, which must stay to be read.
fn is_screen(choice: Choice) -> bool {
    matches!(
        choice,
        Choice::Home
            | Choice::Area(_)
            | Choice::Page { .. }
            | Choice::Languages
            | Choice::Speak(_)
            | Choice::Visit(VisitChoice::Area(_) | VisitChoice::Page { .. })
    )
}

/// One turn in the making.
struct Talk<'a> {
    known: &'a Known<'a>,
    voice: Voice<'a>,
    home: Option<UnitId>,
    linked: bool,
    stopped: bool,
    /// A worker speaks with the person: the bot is silent but for what is asked of it by name.
    handed_over: bool,
    /// What the next message begins with.
    lead: Vec<String>,
    /// The text as it was written.
    heard: String,
    /// The request for a visit that waits has been spoken of.
    visit_mentioned: bool,
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
            handed_over: known.in_talk,
            lead: Vec::new(),
            heard: match content {
                InboundContent::Text(text) => text.clone(),
                _ => String::new(),
            },
            visit_mentioned: false,
            turn: Turn {
                state: state.clone(),
                replies: Vec::new(),
                in_place: false,
                effects,
                wants: None,
            },
        }
    }

    fn hear(&mut self, content: &InboundContent) {
        match content {
            InboundContent::Text(text) => self.read(text),
            InboundContent::Choice(data) => match data.parse() {
                Ok(choice) => {
                    self.choose(choice);
                    self.turn.in_place = is_screen(choice) && self.says_choices_alone();
                }
                Err(_) => self.menu(),
            },
            InboundContent::Start(code) => self.arrive(code),
            InboundContent::Contact { own: true, .. } => self.match_phone(),
            InboundContent::Contact { own: false, .. } => self.ask_phone(&Text::NotOwnContact),
            // Nothing can be said to somebody who blocked the bot, and nothing needs to be on their return.
            InboundContent::Membership { allowed: false } => self.turn.effects = vec![Effect::Stop],
            InboundContent::Membership { allowed: true } => self.turn.effects.clear(),
            InboundContent::Photo(_) | InboundContent::Other => self.pass_over(),
        }
    }

    /// One message, with choices of which none asks for the phone: those are keys, which cannot replace anything.
    fn says_choices_alone(&self) -> bool {
        let is_choice = |button: &Button| matches!(button, Button::Choice { .. });
        match self.turn.replies.as_slice() {
            [Reply::Say(body)] => !body.buttons.is_empty() && body.buttons.iter().flatten().all(is_choice),
            _ => false,
        }
    }

    /// In this order: danger, the fixed words, an answer that was asked for, a digit, an address, a question.
    fn read(&mut self, text: &str) {
        let text = words::normalise(text);
        let is_house_number = self.asks_house_number(&text);
        if !is_house_number && words::is_emergency(&text, &self.known.city.emergency_number) {
            return self.danger(&text);
        }
        if let Some(choice) = self.visit_word(&text).or_else(|| words::choice(&text)) {
            return self.choose(choice);
        }
        if self.confirm(&text) || self.answer_visit(&text) {
            return;
        }
        if let Some(choice) = self.numbered(&text) {
            return self.choose(choice);
        }
        let asked_home = matches!(self.turn.state.step, Step::Home { .. });
        if self.handed_over && !asked_home {
            return self.add_to_talk(&text);
        }
        self.understand(&text);
    }

    /// What cannot be read: a photo, a sticker, a voice message, a place on the map.
    fn pass_over(&mut self) {
        let (said, now) = (self.turn.state.words_only_at, self.known.now);
        if said.is_some_and(|at| at <= now && now < at + WORDS_ONLY_AGAIN) {
            return;
        }
        self.turn.state.words_only_at = Some(now);
        if self.handed_over {
            let words = self.voice.say(&Text::WordsOnly);
            return self.answer(words);
        }
        self.lead(&Text::WordsOnly);
        self.resume();
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
        if options.is_empty() && self.handed_over {
            return None;
        }
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
                self.short_menu();
            }
            Choice::Help => {
                let emergency_number = self.known.city.emergency_number.as_str();
                self.lead(&Text::Help { emergency_number });
                self.resume();
            }
            Choice::Pass => self.pass(None),
            Choice::PassOf(resident) => self.pass(Some(resident)),
            Choice::Look(area) => self.look_at(area),
            Choice::Visits => self.visits(),
            Choice::Visit(choice) => self.choose_visit(choice),
            Choice::Person => self.hand_over(ThreadReason::Asked),
            Choice::Done => self.end_talk(),
            Choice::Privacy => self.privacy(),
            Choice::Forget => self.forget(),
            Choice::ForgetYes => self.keep_forgotten(),
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

    /// The first words to a newcomer come before anything else.
    fn greet(&mut self) {
        if matches!(self.turn.state.step, Step::New) {
            self.turn.state.step = Step::Idle;
            let sender = self.known.sender_name;
            self.lead.insert(0, self.voice.say(&Text::Greeting { sender }));
        }
    }

    /// The main menu; a newcomer is first asked where they live.
    fn menu(&mut self) {
        if matches!(self.turn.state.step, Step::New) && self.home.is_none() {
            return self.ask_home(None, 0);
        }
        self.turn.state.step = Step::Idle;
        let mut menu = Menu::main(&self.voice, self.stopped);
        if self.lead_waiting_visit() {
            let go_on = self.voice.say(&Text::VisitGoOn);
            menu = menu.with_row(vec![(go_on, Choice::Visit(VisitChoice::GoOn))]);
        }
        self.offer(&Text::Menu, &menu);
    }

    /// The menu, or by text message how to get it: its lines would cost a part more.
    fn short_menu(&mut self) {
        let asks_home = matches!(self.turn.state.step, Step::New) && self.home.is_none();
        if self.known.channel == ChannelKind::Telegram || asks_home || self.lead.is_empty() {
            return self.menu();
        }
        self.turn.state.step = Step::Idle;
        self.lead_waiting_visit();
        self.lead(&Text::MenuHint);
        self.say_lead();
    }

    /// Asks again what was asked last, so that a word in between costs nothing.
    fn resume(&mut self) {
        match self.turn.state.step.clone() {
            Step::Home { within } => self.ask_home(within, 0),
            Step::Phone => self.ask_phone(&Text::AskPhone),
            Step::Which { offers } => self.ask_which(offers),
            Step::Visit { at, within, of } => self.ask_field(at, within, of),
            Step::VisitSummary
            | Step::Confirm {
                change: Change::AskVisit,
                ..
            } => self.ask_next(),
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

    /// Says these words, and leaves the dialogue where it stands: digits and buttons mean what they meant.
    fn answer(&mut self, words: String) {
        let mut lines = std::mem::take(&mut self.lead);
        lines.push(words);
        let menu = Menu::list(&[(self.voice.say(&Text::MenuOpen), Choice::Menu)]);
        let menu = match self.voice.channel {
            ChannelKind::Telegram => menu,
            ChannelKind::Sms => Menu::default(),
        };
        self.turn
            .replies
            .push(Reply::Say(body(&self.voice, &lines, &menu)));
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

#[cfg(test)]
mod tests;
