//! A request for a visit, question by question: at most six, each with a way back, then a summary.

use chrono::{Days, NaiveDate, Timelike};

use super::{
    super::{Change, HouseholdPerson, Step, Talk, VisitEdit, masked},
    draft::{VisitDraft, When},
    place, said,
};
use crate::{
    conversation::{
        menu::{Choice, Menu},
        places::Area,
        visit_choice::{Field, Part, VisitChoice},
        words,
    },
    domain::{ChannelKind, UnitId, VisitFor, VisitId},
    i18n::{Text, span},
    understanding::{Intent, Slots},
};

/// Today's morning and afternoon are offered until these hours: a team needs time to come.
const MORNING_OFFERED_UNTIL: u32 = 10;
const AFTERNOON_OFFERED_UNTIL: u32 = 16;
/// So sure must be that somebody does not want a visit after all, to be asked about it.
const CANCEL_SCORE_MIN: f32 = 0.5;

/// Inside a request, 0 is the way back; elsewhere it is the menu.
const BACK: &[&str] = &["0", "返回", "返回上一步", "上一步", "back", "go back"];
#[rustfmt::skip]
const DROP: &[&str] = &["取消", "算了", "不申请了", "不申請了", "不要了", "cancel", "never mind", "nevermind", "forget it"];
#[rustfmt::skip]
pub(in super::super) const SEND: &[&str] = &["提交", "提交申请", "提交申請", "确认", "確認", "确定", "確定", "对", "對", "是", "是的", "好", "好的", "yes", "ok", "okay", "send", "send it"];
#[rustfmt::skip]
const NOTHING: &[&str] = &["没有", "沒有", "没", "无", "無", "不用", "没什么", "沒什麼", "没有了", "no", "none", "nothing", "skip"];

const WHY: [Text<'static>; 3] = [Text::VisitWhyLegs, Text::VisitWhyBed, Text::VisitWhyCare];
const NOTES: [Text<'static>; 3] = [Text::VisitNoteLift, Text::VisitNoteDog, Text::VisitNoteHearing];

impl Talk<'_> {
    /// The words that lead through a request; they mean so only within it.
    pub(in super::super) fn visit_word(&self, text: &str) -> Option<Choice> {
        let word = text.trim_matches(|c: char| !c.is_alphanumeric());
        let (asking, changing) = match self.turn.state.step {
            Step::Visit { of, .. } => (of.is_none(), of.is_some()),
            Step::VisitSummary
            | Step::Confirm {
                change: Change::AskVisit,
                ..
            } => (true, false),
            _ => (false, false),
        };
        let choice = if (asking || changing) && BACK.contains(&word) {
            VisitChoice::Back
        } else if asking && DROP.contains(&word) {
            VisitChoice::Drop
        } else if matches!(self.turn.state.step, Step::VisitSummary) && SEND.contains(&word) {
            let mending = self.turn.state.visit.as_ref().is_some_and(VisitDraft::is_mended);
            // Among what can be mended, it is right as it stands.
            if mending {
                VisitChoice::Back
            } else {
                VisitChoice::Send
            }
        } else {
            return None;
        };
        Some(Choice::Visit(choice))
    }

    /// What is missing, or the summary.
    pub(in super::super) fn ask_next(&mut self) {
        match self.turn.state.visit.as_ref().map(VisitDraft::next) {
            None => self.visits(),
            Some(Some(field)) => self.ask_field(field, None, None),
            Some(None) => self.summary(),
        }
    }

    /// Asks for one thing: of the request, or of a visit that there is.
    pub(in super::super) fn ask_field(&mut self, at: Field, within: Option<Area>, of: Option<VisitId>) {
        let Some(draft) = self.turn.state.visit.as_ref().filter(|_| of.is_none()) else {
            if of.is_none() {
                return self.visits();
            }
            return self.ask_of(at, of, &[]);
        };
        if at == Field::Where {
            return self.ask_address(within);
        }
        let people = match (at, draft.for_whom) {
            (Field::Whom, _) | (Field::Name, Some(VisitFor::Family | VisitFor::Myself)) => {
                draft.people.clone()
            }
            _ => Vec::new(),
        };
        self.ask_of(at, of, &people);
    }

    fn ask_of(&mut self, at: Field, of: Option<VisitId>, people: &[HouseholdPerson]) {
        self.greet();
        self.turn.state.step = Step::Visit { at, within: None, of };
        let draft = self.turn.state.visit.as_ref();
        let place = draft
            .and_then(|draft| self.place_name(draft.unit?))
            .unwrap_or_default();
        let known_phone = draft.is_some_and(|draft| draft.phone.is_some());
        let text = match at {
            Field::Whom => Text::VisitWhom,
            Field::Name | Field::Where => Text::VisitName,
            Field::Door => Text::VisitDoor { place: &place },
            Field::Why => Text::VisitWhy,
            Field::When => Text::VisitWhen,
            Field::Phone if of.is_some() || known_phone => Text::VisitPhoneOf,
            Field::Phone => Text::VisitPhone,
            Field::Access => Text::VisitAccess,
        };
        let menu = Menu::list(&self.answers(at, people)).with_back(self.voice.say(&Text::VisitBack));
        self.offer(&text, &menu);
    }

    /// The usual answers to a question.
    fn answers(&self, at: Field, people: &[HouseholdPerson]) -> Vec<(String, Choice)> {
        let say = |text: &Text<'_>, choice| (self.voice.say(text), Choice::Visit(choice));
        let by_name = people.iter().enumerate().map(|(index, person)| {
            let choice = VisitChoice::Who(index);
            (masked(&person.name), Choice::Visit(choice))
        });
        let mut answers: Vec<(String, Choice)> = by_name.collect();
        match at {
            Field::Whom => {
                if people.is_empty() {
                    answers.push(say(&Text::VisitMyself, VisitChoice::For(VisitFor::Myself)));
                }
                answers.push(say(&Text::VisitFamily, VisitChoice::For(VisitFor::Family)));
                answers.push(say(&Text::VisitNeighbour, VisitChoice::For(VisitFor::Neighbour)));
            }
            Field::Why => {
                let usual = WHY.iter().enumerate();
                answers.extend(usual.map(|(index, text)| say(text, VisitChoice::Why(index))));
            }
            Field::When => answers = self.times(),
            Field::Access => {
                let usual = NOTES.iter().enumerate();
                answers.extend(usual.map(|(index, text)| say(text, VisitChoice::Note(index))));
                answers.push(say(&Text::VisitNoNote, VisitChoice::NoNote));
            }
            Field::Name | Field::Where | Field::Door | Field::Phone => {}
        }
        answers
    }

    /// What is left of today, and tomorrow.
    fn times(&self) -> Vec<(String, Choice)> {
        let now = self.known.now.with_timezone(&self.known.city.time_zone);
        let (today, hour) = (now.date_naive(), now.hour());
        let tomorrow = today.checked_add_days(Days::new(1)).unwrap_or(today);
        let mut times: Vec<(Text<'_>, NaiveDate, Part)> = Vec::new();
        if hour < MORNING_OFFERED_UNTIL {
            times.push((Text::VisitTodayMorning, today, Part::Morning));
        }
        if hour < AFTERNOON_OFFERED_UNTIL {
            times.push((Text::VisitTodayAfternoon, today, Part::Afternoon));
        }
        times.push((Text::VisitTomorrowMorning, tomorrow, Part::Morning));
        times.push((Text::VisitTomorrowAfternoon, tomorrow, Part::Afternoon));
        let mut offered: Vec<(String, Choice)> = times
            .iter()
            .map(|(text, date, part)| {
                let choice = VisitChoice::When(Some((*date, *part)));
                (self.voice.say(text), Choice::Visit(choice))
            })
            .collect();
        let any = VisitChoice::When(None);
        offered.push((self.voice.say(&Text::VisitAnyTime), Choice::Visit(any)));
        offered
    }

    /// Whether the text was an answer to a question about a visit; a question of the person's own is answered, and
    /// theirs asked again.
    pub(in super::super) fn answer_visit(&mut self, text: &str) -> bool {
        let Step::Visit { at, within, of } = self.turn.state.step.clone() else {
            return false;
        };
        if let Some(choice) = self.option(text) {
            self.choose(choice);
            return true;
        }
        let said = (self.known.understand)(text, self.voice.language);
        if said.urgent {
            self.danger(text);
        } else if said.intent == Intent::HomeSamplingCancel && said.score >= CANCEL_SCORE_MIN && of.is_none()
        {
            self.offer_to_drop();
        } else if said::asks_something_else(text, &said) {
            self.understand(text);
            let is_over = self.handed_over || self.turn.wants.is_some();
            if !is_over {
                self.ask_field(at, within, of);
            }
        } else if let Some(visit) = of {
            match self.read_edit(at, text, &said.slots) {
                Some((edit, what)) => self.edit(visit, edit, &what),
                None => self.ask_again(at, within, of),
            }
        } else if said.intent == Intent::HomeSamplingApply && self.begins_anew(&said.slots) {
            self.visit_asked(&said.slots);
        } else if said.intent == Intent::HomeSamplingApply && at != Field::Why && self.fills_more(&said.slots)
        {
            // They said it all again, in a sentence.
            self.ask_next();
        } else if at == Field::Where {
            self.answer_address(text, &said.slots, within);
        } else if is_digits(text) && matches!(at, Field::Why | Field::Access) {
            match self.several(at, text) {
                Some(words) => self.keep_usual(at, words),
                None => self.ask_again(at, within, of),
            }
        } else if self.take_answer(at, text, &said.slots) {
            self.ask_next();
        } else {
            self.ask_again(at, within, of);
        }
        true
    }

    /// Several of the usual answers, by their digits; none where one of them is not there.
    fn several(&self, at: Field, text: &str) -> Option<String> {
        let usual = if at == Field::Why { &WHY } else { &NOTES };
        let words: Option<Vec<String>> = text
            .split(|c: char| !c.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .map(|digits| {
                let index = digits.parse::<usize>().ok()?.checked_sub(1)?;
                usual.get(index).map(|text| self.in_city(text))
            })
            .collect();
        words.map(|words| words.join("，"))
    }

    fn keep_usual(&mut self, at: Field, words: String) {
        if let Some(draft) = &mut self.turn.state.visit {
            match at {
                Field::Why => draft.why = Some(words),
                _ => draft.access = Some(words),
            }
        }
        self.ask_next();
    }

    /// Answered by a house number, an ambulance's number is that of a house.
    pub(in super::super) fn asks_house_number(&self, text: &str) -> bool {
        let is_there =
            |within: Option<Area>| within.is_some() && !self.known.places.search(within, text).is_empty();
        words::is_bare(text)
            && is_digits(text)
            && match self.turn.state.step {
                Step::Visit { at: Field::Door, .. } => true,
                Step::Visit {
                    at: Field::Where,
                    within,
                    ..
                }
                | Step::Home { within } => is_there(within),
                _ => false,
            }
    }

    /// The choice that a digit stands for, as last shown.
    fn option(&self, text: &str) -> Option<Choice> {
        let digits = text.trim_matches(|c: char| !c.is_alphanumeric());
        let index = digits.parse::<usize>().ok()?.checked_sub(1)?;
        self.turn.state.options.get(index)?.parse().ok()
    }

    fn ask_again(&mut self, at: Field, within: Option<Area>, of: Option<VisitId>) {
        self.lead(&Text::VisitAgainPlease);
        self.ask_field(at, within, of);
    }

    fn offer_to_drop(&mut self) {
        self.visit_mentioned = true;
        self.turn.state.step = Step::Idle;
        let choice = |text: &Text<'_>, choice| (self.voice.say(text), Choice::Visit(choice));
        let menu = Menu::list(&[
            choice(&Text::VisitGoOn, VisitChoice::GoOn),
            choice(&Text::VisitDrop, VisitChoice::Drop),
        ]);
        self.offer(&Text::VisitWaits, &menu);
    }

    /// Takes what was typed for an answer; false if it is none.
    fn take_answer(&mut self, at: Field, text: &str, slots: &Slots) -> bool {
        let heard = self.heard.clone();
        let (now, tz) = (self.known.now, self.known.city.time_zone);
        let says_something = text.chars().any(char::is_alphanumeric);
        if at == Field::Whom {
            self.fill(&heard, slots);
        }
        let Some(draft) = &mut self.turn.state.visit else {
            return true;
        };
        match at {
            Field::Whom => return draft.for_whom.is_some() || draft.take_name_alone(&heard),
            Field::Name => return draft.take_name(&heard, slots),
            Field::Where | Field::Door => {
                let door = slots
                    .room
                    .clone()
                    .unwrap_or_else(|| said::kept(&heard, said::DOOR_MAX));
                draft.door = says_something.then_some(door);
            }
            Field::Why => draft.why = says_something.then(|| said::kept(&heard, said::WORDS_MAX)),
            Field::When => match said::when(text, slots, now, tz) {
                Some(when) => draft.when = Some(when),
                None => return false,
            },
            Field::Phone => match said::phone(&heard, slots) {
                Some((phone, rest)) => {
                    draft.set_phone(&phone);
                    // The notes were asked for with it.
                    draft.access.get_or_insert(rest);
                }
                None => return false,
            },
            Field::Access => draft.access = Some(note(text, &heard)),
        }
        says_something
    }

    /// What was typed for a visit that there is, and how it reads.
    fn read_edit(&self, at: Field, text: &str, slots: &Slots) -> Option<(VisitEdit, String)> {
        let (now, tz) = (self.known.now, self.known.city.time_zone);
        match at {
            Field::When => Some(self.moved(said::when(text, slots, now, tz)?)),
            Field::Phone => {
                let (phone, _) = said::phone(text, slots)?;
                let shown = national(phone.as_e164());
                Some((VisitEdit::Phone(phone.as_e164().to_owned()), shown))
            }
            _ if is_digits(text) => Some(self.noted(self.several(at, text)?)),
            _ => Some(self.noted(note(text, &self.heard))),
        }
    }

    fn moved(&self, when: When) -> (VisitEdit, String) {
        (VisitEdit::Move(when.wish()), self.time_words(when))
    }

    fn noted(&self, note: String) -> (VisitEdit, String) {
        let shown = self.note_words(&note);
        (VisitEdit::Access(note), shown)
    }

    /// A button or digit within a request.
    pub(super) fn choose_in_request(&mut self, choice: VisitChoice) {
        let of = match self.turn.state.step {
            Step::Visit { of, .. } => of,
            _ => None,
        };
        let (tz, now) = (self.known.city.time_zone, self.known.now);
        let usual = match choice {
            VisitChoice::Why(index) => WHY.get(index),
            VisitChoice::Note(index) => NOTES.get(index),
            _ => None,
        };
        let usual = usual.map(|text| self.in_city(text)).unwrap_or_default();
        match choice {
            VisitChoice::Back => return self.back(),
            VisitChoice::Fix => return self.fix(),
            VisitChoice::Send if self.known.channel == ChannelKind::Telegram => return self.send_visit(),
            VisitChoice::Page { within, page } if self.turn.state.visit.is_some() => {
                return self.ask_within(within, page);
            }
            VisitChoice::Area(area) if self.turn.state.visit.is_some() => return self.enter_place(area),
            VisitChoice::When(chosen) => {
                let when = match chosen {
                    None => Some(When::Any),
                    Some((date, part)) => said::during(date, Some(part), tz)
                        .filter(|wish| wish.to > now)
                        .map(When::At),
                };
                return self.choose_time_of(of, when);
            }
            VisitChoice::Note(_) | VisitChoice::NoNote if of.is_some() => {
                let (edit, what) = self.noted(usual);
                return of.map_or((), |of| self.edit(of, edit, &what));
            }
            _ => {}
        }
        if let Some(draft) = &mut self.turn.state.visit {
            match choice {
                VisitChoice::FixAt(field) => {
                    draft.mend(field);
                    return self.ask_field(field, None, None);
                }
                VisitChoice::For(whom) => draft.set_for(whom),
                // Only somebody who was offered can be chosen.
                VisitChoice::Who(index) => _ = draft.set_person(index),
                VisitChoice::Why(_) if !usual.is_empty() => draft.why = Some(usual),
                VisitChoice::Note(_) | VisitChoice::NoNote => draft.access = Some(usual),
                _ => {}
            }
        }
        self.ask_next();
    }

    fn choose_time_of(&mut self, of: Option<VisitId>, when: Option<When>) {
        match (of, when) {
            // An old button.
            (of, None) => self.ask_again(Field::When, None, of),
            (Some(of), Some(when)) => {
                let (edit, what) = self.moved(when);
                self.edit(of, edit, &what);
            }
            (None, Some(when)) => {
                if let Some(draft) = &mut self.turn.state.visit {
                    draft.when = Some(when);
                }
                self.ask_next();
            }
        }
    }

    /// The question before this one; before the first, the menu.
    fn back(&mut self) {
        let at = match self.turn.state.step {
            Step::Visit { of: Some(of), .. } => return self.show_visit(of),
            Step::Visit { at, .. } => Some(at),
            Step::VisitSummary | Step::Confirm { .. } => None,
            _ => return self.ask_next(),
        };
        let Some(draft) = &mut self.turn.state.visit else {
            return self.visits();
        };
        if draft.undo() {
            return self.ask_next();
        }
        match draft.before(at) {
            Some(field) => {
                draft.clear(field);
                self.ask_field(field, None, None);
            }
            None => self.menu(),
        }
    }

    fn fix(&mut self) {
        let Some(draft) = &mut self.turn.state.visit else {
            return self.visits();
        };
        draft.begin_mending();
        let who = if draft.people.is_empty() {
            Field::Name
        } else {
            Field::Whom
        };
        let fields = [
            (Text::VisitFixName, who),
            (Text::VisitFixWhere, Field::Where),
            (Text::VisitFixWhy, Field::Why),
            (Text::VisitFixWhen, Field::When),
            (Text::VisitFixPhone, Field::Phone),
            (Text::VisitFixAccess, Field::Access),
        ];
        let entries = fields.map(|(text, field)| {
            let choice = VisitChoice::FixAt(field);
            (self.voice.say(&text), Choice::Visit(choice))
        });
        self.turn.state.step = Step::VisitSummary;
        let menu = Menu::list(&entries).with_back(self.voice.say(&Text::VisitBack));
        self.offer(&Text::VisitFixWhich, &menu);
    }

    /// All that was said, to be confirmed: by text message with the code, since it sends people to a door.
    fn summary(&mut self) {
        if let Some(draft) = &mut self.turn.state.visit {
            draft.end_mending();
        }
        let Some(draft) = self.turn.state.visit.clone() else {
            return self.visits();
        };
        let Some(place) = draft.unit.and_then(|unit| self.place_name(unit)) else {
            // It has left the roster since.
            return self.ask_field(Field::Where, None, None);
        };
        self.greet();
        let name = self.echo(&draft.shown_name(), said::NAME_ECHO_MAX);
        let phone = match &draft.phone {
            Some(phone) if !draft.own_phone => national(phone),
            _ => self.voice.say(&Text::VisitOwnPhone),
        };
        let summary = Text::VisitSummary {
            name: &name,
            place: &format!("{place} {}", draft.door.as_deref().unwrap_or_default()),
            why: &self.usual_words(draft.why.as_deref().unwrap_or_default(), &WHY),
            when: &self.time_words(draft.when.unwrap_or(When::Any)),
            phone: &phone,
            access: &self.note_words(draft.access.as_deref().unwrap_or_default()),
        };
        let choice = |text: &Text<'_>, choice| (self.voice.say(text), Choice::Visit(choice));
        let mut entries = vec![
            choice(&Text::VisitFix, VisitChoice::Fix),
            choice(&Text::VisitDrop, VisitChoice::Drop),
        ];
        let now = self.known.now;
        let is_running = matches!(&self.turn.state.step, Step::Confirm { change: Change::AskVisit, challenge }
            if challenge.holds(now));
        match self.known.channel {
            ChannelKind::Telegram => {
                self.turn.state.step = Step::VisitSummary;
                entries.insert(0, choice(&Text::VisitSend, VisitChoice::Send));
                self.offer(&summary, &Menu::list(&entries));
            }
            // Another code for the same would soon be one too many.
            ChannelKind::Sms if is_running => {
                self.lead(&summary);
                self.offer(&Text::VisitSummaryCodeSent, &Menu::list(&entries));
            }
            ChannelKind::Sms => {
                self.lead(&summary);
                let code = self.known.fresh_code;
                let text = Text::VisitSummaryCode { code };
                self.ask_code_or(Change::AskVisit, &text, &Menu::list(&entries));
            }
        }
    }

    fn time_words(&self, when: When) -> String {
        match when {
            When::Any => self.voice.say(&Text::VisitAnyTime),
            When::At(wish) => {
                let tz = self.known.city.time_zone;
                span(self.voice.language, tz, wish.from, wish.to, false)
            }
        }
    }

    fn note_words(&self, note: &str) -> String {
        if note.is_empty() {
            return self.voice.say(&Text::VisitNoNote);
        }
        self.usual_words(note, &NOTES)
    }

    /// The usual answers are kept in the city's language, in which workers read them; each reads their own.
    fn usual_words(&self, kept: &str, usual: &[Text<'static>]) -> String {
        let same = usual.iter().find(|text| self.in_city(text) == kept);
        same.map_or_else(|| self.echo(kept, said::ECHO_MAX), |text| self.voice.say(text))
    }

    /// Their own words as they are read back: by text message, each part of which costs, no more than shows which.
    fn echo(&self, words: &str, max: usize) -> String {
        match self.known.channel {
            ChannelKind::Telegram => words.to_owned(),
            ChannelKind::Sms => said::shortened(words, max),
        }
    }

    fn in_city(&self, text: &Text<'_>) -> String {
        let language = self.known.city.default_language;
        self.known.texts.say(language, ChannelKind::Telegram, text)
    }

    /// Whether the text says more than was known.
    pub(super) fn fills_more(&mut self, slots: &Slots) -> bool {
        let (before, heard) = (self.turn.state.visit.clone(), self.heard.clone());
        self.fill(&heard, slots);
        self.turn.state.visit != before
    }

    /// Fills in all that a text says and that is not known yet.
    pub(super) fn fill(&mut self, heard: &str, slots: &Slots) {
        let (now, tz) = (self.known.now, self.known.city.time_zone);
        let text = words::normalise(heard);
        let unit: Option<UnitId> = self.unit_named(slots);
        let Some(draft) = &mut self.turn.state.visit else {
            return;
        };
        let whom = said::for_whom(&text);
        draft.for_whom = draft.for_whom.or(whom);
        if let (None, Some(name)) = (&draft.name, &slots.name) {
            draft.set_name(said::kept(name, said::NAME_MAX));
        }
        if let (None, Some(room)) = (&draft.door, &slots.room) {
            draft.door = Some(room.clone());
        }
        if draft.unit.is_none() {
            match unit {
                Some(unit) => draft.set_unit(unit),
                None => draft.named = place::named(slots),
            }
        }
        if let (true, Some(whom)) = (draft.door.is_none(), draft.for_whom) {
            draft.set_for(whom);
        }
        if let Some((phone, _)) = slots.phone.as_ref().and_then(|_| said::phone(&text, slots)) {
            draft.set_phone(&phone);
        }
        draft.when = draft.when.or_else(|| said::when(&text, slots, now, tz));
        if draft.why.is_none() {
            draft.why = said::reason(heard);
        }
    }
}

impl VisitDraft {
    /// A bare name in answer to "for whom": of the family, until they say something else.
    fn take_name_alone(&mut self, heard: &str) -> bool {
        let name = said::kept(heard, said::NAME_MAX);
        let is_name = name.chars().any(char::is_alphabetic) && !name.chars().any(char::is_numeric);
        let offered = self.people.iter().position(|person| person.name == name);
        if let Some(index) = offered {
            return self.set_person(index);
        }
        if is_name {
            self.set_for(VisitFor::Family);
            self.set_name(name);
        }
        is_name
    }

    /// The name in a sentence, or the whole line where it names several or is nothing but a name.
    fn take_name(&mut self, heard: &str, slots: &Slots) -> bool {
        let line = said::kept(heard, said::NAME_MAX);
        if !line.chars().any(char::is_alphabetic) {
            return false;
        }
        let name = match &slots.name {
            Some(name) if said::people(&line) == 1 => said::kept(name, said::NAME_MAX),
            _ => line,
        };
        self.set_name(name);
        true
    }
}

/// Digits, and what parts them.
fn is_digits(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit()) && !text.chars().any(char::is_alphabetic)
}

/// What is to be known at the door; "nothing" is nothing.
fn note(text: &str, heard: &str) -> String {
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    if word.is_empty() || NOTHING.contains(&word) {
        return String::new();
    }
    said::kept(heard, said::WORDS_MAX)
}

/// A number as it is read out at home.
fn national(phone: &str) -> String {
    phone.strip_prefix("+86").unwrap_or(phone).to_owned()
}
