//! Visits at home: the person's own ones (how they stand, changing, calling off), and the way into a new request.
//!
//! By text message whatever changes something waits for the code; so does the request itself, which sends people to a
//! door. While a worker speaks with the person, the word and the buttons still work, as all that is asked by name does.

mod ask;
mod draft;
mod place;
mod said;

use chrono::TimeDelta;

use super::{
    Change, Fetched, KnownVisits, OPTIONS_SHOWN_MAX, OwnVisit, Reply, State, Step, Talk, VisitEdit,
    VisitOutcome, Want,
};
use crate::{
    conversation::{
        body,
        menu::{Choice, Menu},
        visit_choice::{Field, VisitChoice},
    },
    domain::{
        ChannelKind, ThreadReason, UnitId, VisitActKind, VisitId, VisitRole, VisitState,
        visit::{self},
    },
    i18n::{Text, visits::about},
    understanding::Slots,
};

pub(super) use ask::SEND;
pub(super) use draft::VisitDraft;

/// A sentence that asks for a visit goes on with a request that was begun so long ago at most.
const DRAFT_KEPT: TimeDelta = TimeDelta::days(1);

/// A request is being made: its questions, or its summary.
pub(super) fn is_asking(step: &Step) -> bool {
    matches!(
        step,
        Step::Visit { of: None, .. }
            | Step::VisitSummary
            | Step::Confirm {
                change: Change::AskVisit,
                ..
            }
    )
}

impl Talk<'_> {
    /// The word 上门, and the button: how the open visits stand; the request that waits; or a new request.
    pub(super) fn visits(&mut self) {
        let Some(known) = self.known_visits() else {
            return;
        };
        if has_open(&known) {
            self.show_visits(&known);
        } else if self.turn.state.visit.is_some() {
            self.ask_next();
        } else {
            self.begin_visit(&known);
        }
    }

    /// "When do they come", "call it off": the visits, ended ones too; a guess changes nothing.
    pub(super) fn visit_state_asked(&mut self) {
        let Some(known) = self.known_visits() else {
            return;
        };
        if !known.visits.is_empty() {
            return self.show_visits(&known);
        }
        self.greet();
        self.turn.state.step = Step::Idle;
        let menu = Menu::list(&[self.other_visit()]);
        self.offer(&Text::VisitNone, &menu);
    }

    /// "Please come to my mother": all that it says is filled in.
    pub(super) fn visit_asked(&mut self, slots: &Slots) {
        if self.turn.state.visit.is_none() || self.begins_anew(slots) {
            let Some(known) = self.known_visits() else {
                return;
            };
            if has_open(&known) && !self.names_another_home(&known, slots) {
                return self.show_visits(&known);
            }
            self.new_draft(&known);
        }
        if self.fills_more(slots) {
            // The code was for what was read before.
            self.turn.state.step = Step::Idle;
        }
        self.ask_next();
    }

    /// The request that waits is another one than this sentence makes: of another home or person, or of another day.
    fn begins_anew(&self, slots: &Slots) -> bool {
        let Some(draft) = &self.turn.state.visit else {
            return false;
        };
        let is_old = draft.begun_at.is_some_and(|at| self.known.now - at > DRAFT_KEPT);
        let other = |said: &Option<String>, kept: &Option<String>| {
            said.as_ref()
                .zip(kept.as_ref())
                .is_some_and(|(said, kept)| !kept.contains(said.as_str()))
        };
        let unit = self.unit_named(slots).zip(draft.unit);
        is_old
            || unit.is_some_and(|(said, kept)| said != kept)
            || other(&slots.room, &draft.door)
            || other(&slots.name, &draft.name)
    }

    fn new_draft(&mut self, known: &KnownVisits) {
        self.turn.state.visit = Some(VisitDraft::begun(known, self.known.now));
    }

    pub(super) fn choose_visit(&mut self, choice: VisitChoice) {
        match choice {
            VisitChoice::New => {
                if let Some(known) = self.known_visits() {
                    self.begin_visit(&known);
                }
            }
            VisitChoice::GoOn => self.ask_next(),
            VisitChoice::Drop => {
                self.turn.state.visit = None;
                self.turn.state.step = Step::Idle;
                self.offer(&Text::VisitDropped, &Menu::default());
            }
            VisitChoice::Show(visit) => self.show_visit(visit),
            VisitChoice::Move(visit) => self.ask_field(Field::When, None, Some(visit)),
            VisitChoice::Phone(visit) => self.ask_field(Field::Phone, None, Some(visit)),
            VisitChoice::Access(visit) => self.ask_field(Field::Access, None, Some(visit)),
            VisitChoice::Again(visit) => self.edit(visit, VisitEdit::AskAgain, ""),
            VisitChoice::Cancel(visit) => self.edit(visit, VisitEdit::Cancel, ""),
            of_request => self.choose_in_request(of_request),
        }
    }

    /// The person's visits, or none while they are still to be looked up.
    fn known_visits(&mut self) -> Option<KnownVisits> {
        match self.known.fetched {
            None => {
                self.turn.wants = Some(Want::Visits);
                None
            }
            Some(Fetched::Visits(known)) => Some(known.clone()),
            // Something else was done in this turn.
            Some(_) => {
                self.menu();
                None
            }
        }
    }

    fn begin_visit(&mut self, known: &KnownVisits) {
        self.new_draft(known);
        self.ask_next();
    }

    fn names_another_home(&self, known: &KnownVisits, slots: &Slots) -> bool {
        let unit = self.unit_named(slots);
        let same = |own: &OwnVisit| {
            unit.is_none_or(|unit| own.visit.unit == unit)
                && slots
                    .room
                    .as_ref()
                    .is_none_or(|room| own.visit.door.contains(room))
        };
        (unit.is_some() || slots.room.is_some()) && !known.visits.iter().any(same)
    }

    /// The open visits: the only one, or the question which. Where all have ended, how the last one did.
    fn show_visits(&mut self, known: &KnownVisits) {
        let open: Vec<&OwnVisit> = known
            .visits
            .iter()
            .filter(|own| own.visit.state.is_open())
            .collect();
        match (open.as_slice(), known.visits.first()) {
            ([only], _) => self.show_own(only),
            ([], Some(last)) => self.show_own(last),
            ([], None) => self.menu(),
            (several, _) => {
                let entries: Vec<(String, Choice)> = several
                    .iter()
                    .take(OPTIONS_SHOWN_MAX)
                    .map(|own| {
                        let place = own.visit.place.within_community();
                        let label = format!("{place} {}", own.visit.door);
                        (label, Choice::Visit(VisitChoice::Show(own.visit.id)))
                    })
                    .collect();
                self.turn.state.step = Step::Idle;
                self.offer(
                    &Text::VisitWhich,
                    &Menu::list(&entries).with_row(vec![self.other_visit()]),
                );
            }
        }
    }

    /// Only a visit that the person is told about: button data can be forged.
    fn show_visit(&mut self, visit: VisitId) {
        let Some(known) = self.known_visits() else {
            return;
        };
        match known.visits.iter().find(|own| own.visit.id == visit) {
            Some(own) => self.show_own(own),
            None => self.show_visits(&known),
        }
    }

    /// How it stands, and what can be done with it in this state.
    fn show_own(&mut self, own: &OwnVisit) {
        self.greet();
        self.turn.state.step = Step::Idle;
        let id = own.visit.id;
        let may = visit::allowed(own.visit.state, VisitRole::Resident);
        let mut entries: Vec<(Text<'static>, VisitChoice)> = Vec::new();
        // Where the team did not come, Weir asks again by itself.
        if may.contains(&VisitActKind::AskAgain) && !own.visit.lapsed {
            entries.push((Text::VisitAskAgain, VisitChoice::Again(id)));
        }
        if may.contains(&VisitActKind::Move) {
            entries.push((Text::VisitMove, VisitChoice::Move(id)));
        }
        if may.contains(&VisitActKind::Amend) {
            entries.push((Text::VisitEditPhone, VisitChoice::Phone(id)));
            entries.push((Text::VisitEditAccess, VisitChoice::Access(id)));
        }
        if may.contains(&VisitActKind::Cancel) {
            entries.push((Text::VisitCancel, VisitChoice::Cancel(id)));
        }
        let mut entries: Vec<(String, Choice)> = entries
            .iter()
            .map(|(label, choice)| (self.voice.say(label), Choice::Visit(*choice)))
            .collect();
        entries.push(self.other_visit());
        let words = if own.visit.state == VisitState::Missed && !own.visit.lapsed {
            self.voice.say(&Text::VisitNotMetAsk)
        } else {
            about(
                &self.voice,
                self.known.city.time_zone,
                &own.visit,
                own.of_household,
            )
        };
        self.offer_words(words, &Menu::list(&entries));
    }

    /// To go on with the request that waits, or to make one.
    fn other_visit(&self) -> (String, Choice) {
        if self.turn.state.visit.is_some() {
            let label = self.voice.say(&Text::VisitGoOn);
            return (label, Choice::Visit(VisitChoice::GoOn));
        }
        (self.voice.say(&Text::VisitNew), Choice::Visit(VisitChoice::New))
    }

    /// Changes a visit; by text message once the code comes back. `what` is what it is changed to, in words.
    fn edit(&mut self, visit: VisitId, edit: VisitEdit, what: &str) {
        if self.known.channel == ChannelKind::Telegram {
            return self.keep_edit(visit, &edit);
        }
        let code = self.known.fresh_code;
        let text = match edit {
            VisitEdit::Cancel => Text::VisitConfirmCancel { code },
            VisitEdit::AskAgain => Text::VisitConfirmAgain { code },
            VisitEdit::Move(_) | VisitEdit::Phone(_) | VisitEdit::Access(_) => {
                Text::VisitConfirmChange { what, code }
            }
        };
        self.ask_code(Change::Visit { visit, edit }, &text);
    }

    pub(super) fn keep_edit(&mut self, visit: VisitId, edit: &VisitEdit) {
        match self.known.fetched {
            None => self.turn.wants = Some(Want::ChangeVisit(visit, edit.clone())),
            Some(Fetched::VisitChanged { own: Some(own), done }) => {
                self.turn.state.step = Step::Idle;
                let is_unproven_phone = matches!(edit, VisitEdit::Phone(_))
                    && !own.visit.proven
                    && own.visit.state != VisitState::Asked;
                if !done {
                    self.lead(&Text::VisitNotNow);
                } else if is_unproven_phone {
                    self.lead(&Text::VisitPhoneKept);
                } else if !matches!(edit, VisitEdit::Cancel | VisitEdit::AskAgain) {
                    self.lead(&Text::VisitChanged);
                }
                self.tell_own(own);
            }
            Some(_) => {
                self.turn.state.step = Step::Idle;
                self.offer(&Text::VisitNone, &Menu::default());
            }
        }
    }

    /// Asks for the visit as the request says.
    pub(super) fn send_visit(&mut self) {
        let now = self.known.now;
        let request = self
            .turn
            .state
            .visit
            .as_mut()
            .and_then(|draft| draft.request(now));
        let Some(request) = request else {
            return self.ask_next();
        };
        match self.known.fetched {
            None => self.turn.wants = Some(Want::AskVisit(request)),
            Some(Fetched::VisitAsked { own, outcome }) => {
                self.turn.state.step = Step::Idle;
                self.say_outcome(*outcome, own.visit.people);
                if *outcome != VisitOutcome::Apart {
                    self.turn.state.visit = None;
                }
                // Without notices they would wait in vain for the time.
                self.mention_stopped();
                self.tell_own(own);
            }
            Some(_) => {
                if let Some(draft) = &mut self.turn.state.visit {
                    draft.clear(Field::Where);
                }
                self.lead(&Text::NotFound);
                self.ask_next();
            }
        }
    }

    /// What came of the request, where it is no new visit.
    fn say_outcome(&mut self, outcome: VisitOutcome, people: u32) {
        let name = self.turn.state.visit.as_ref().map(VisitDraft::shown_name);
        let (name, people) = (name.unwrap_or_default(), people.to_string());
        match outcome {
            VisitOutcome::New => {}
            VisitOutcome::Known => self.lead(&Text::VisitBefore),
            VisitOutcome::Joined => self.lead(&Text::VisitJoined {
                name: &name,
                people: &people,
            }),
            VisitOutcome::Apart => {
                self.lead(&Text::VisitApart { name: &name });
                // The worker sees what is said here; the request stays, too.
                self.open_talk(ThreadReason::Need);
            }
        }
    }

    /// How it stands after what was done.
    fn tell_own(&mut self, own: &OwnVisit) {
        let mut words = about(
            &self.voice,
            self.known.city.time_zone,
            &own.visit,
            own.of_household,
        );
        let can_change = matches!(
            own.visit.state,
            VisitState::Asked | VisitState::Accepted | VisitState::Scheduled
        );
        if can_change {
            let gap = match self.voice.channel {
                ChannelKind::Telegram => "\n\n",
                ChannelKind::Sms => "\n",
            };
            words = words + gap + &self.voice.say(&Text::VisitHint);
        }
        let menu = match self.voice.channel {
            ChannelKind::Telegram => Menu::list(&[
                (self.voice.say(&Text::MenuVisits), Choice::Visits),
                (self.voice.say(&Text::MenuOpen), Choice::Menu),
            ]),
            ChannelKind::Sms => Menu::default(),
        };
        self.offer_words(words, &menu);
    }

    fn offer_words(&mut self, words: String, menu: &Menu) {
        let mut lines = std::mem::take(&mut self.lead);
        lines.push(words);
        self.turn.state.options = menu.choices().map(|choice| choice.to_string()).collect();
        let said = body(&self.voice, &lines, menu);
        self.turn.replies.push(Reply::Say(said));
    }

    /// The next message begins with the request that waits; false if none does.
    pub(super) fn lead_waiting_visit(&mut self) -> bool {
        let waits = self.turn.state.visit.is_some();
        if waits && !self.visit_mentioned {
            self.visit_mentioned = true;
            self.lead(&Text::VisitWaits);
        }
        waits
    }

    /// Something else was asked in the middle of a request, and is answered: the request is offered again.
    pub(super) fn mention_waiting_visit(&mut self, before: &State) {
        let left = is_asking(&before.step) && matches!(self.turn.state.step, Step::Idle);
        let waits = self.turn.state.visit.is_some() && !self.visit_mentioned;
        let silent =
            self.handed_over || self.stopped || self.turn.wants.is_some() || self.turn.replies.is_empty();
        if !left || !waits || silent {
            return;
        }
        let go_on = self.voice.say(&Text::VisitGoOn);
        let menu = match self.voice.channel {
            ChannelKind::Telegram => Menu::list(&[(go_on, Choice::Visit(VisitChoice::GoOn))]),
            ChannelKind::Sms => Menu::default(),
        };
        let said = body(&self.voice, &[self.voice.say(&Text::VisitWaits)], &menu);
        self.turn.replies.push(Reply::Say(said));
    }

    /// The unit that a text names, if it is one alone: in the person's own community, or anywhere.
    fn unit_named(&self, slots: &Slots) -> Option<UnitId> {
        match self.units_named(slots).as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

fn has_open(known: &KnownVisits) -> bool {
    known.visits.iter().any(|own| own.visit.state.is_open())
}
