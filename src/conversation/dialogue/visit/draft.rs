//! A request for a visit that is being made: what is known of it, and what is still to be asked.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::said;
use crate::{
    conversation::{
        dialogue::{HouseholdPerson, KnownVisits, VisitRequest, masked},
        visit_choice::Field,
    },
    domain::{PhoneNumber, UnitId, VisitFor, Wish},
};

/// So many people of the household are offered by name; a dormitory's warden stands for hundreds.
const PEOPLE_OFFERED_MAX: usize = 5;

/// A request that is being made. Stored encrypted with the state; personal, so that `Debug` leaves it out.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::conversation::dialogue) struct VisitDraft {
    /// Those who may be filled in: the contact is proven to stand for their household.
    #[serde(default)]
    pub(super) people: Vec<HouseholdPerson>,
    #[serde(default)]
    pub(super) for_whom: Option<VisitFor>,
    #[serde(default)]
    pub(super) name: Option<String>,
    /// The name and the home are those of the roster.
    #[serde(default)]
    of_roster: bool,
    #[serde(default)]
    pub(super) unit: Option<UnitId>,
    #[serde(default)]
    pub(super) door: Option<String>,
    /// The name is one of the roster, whatever became of the home.
    #[serde(default)]
    name_of_roster: bool,
    /// When it was begun.
    #[serde(default)]
    pub(super) begun_at: Option<DateTime<Utc>>,
    /// As it was before something in it was to be mended: there the way back leads.
    #[serde(default)]
    undo: Option<Box<VisitDraft>>,
    /// A building and unit that were named, of which the community is still to be known.
    #[serde(default)]
    pub(super) named: Option<String>,
    #[serde(default)]
    pub(super) why: Option<String>,
    #[serde(default)]
    pub(super) when: Option<When>,
    /// In E.164 form.
    #[serde(default)]
    pub(super) phone: Option<String>,
    /// It is the person's own number, which needs no asking.
    #[serde(default)]
    pub(super) own_phone: bool,
    /// Empty: there is nothing to know.
    #[serde(default)]
    pub(super) access: Option<String>,
}

/// When it suits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    Any,
    At(Wish),
}

impl When {
    pub(super) fn wish(self) -> Option<Wish> {
        match self {
            Self::Any => None,
            Self::At(wish) => Some(wish),
        }
    }
}

impl fmt::Debug for VisitDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a request, next {:?}", self.next())
    }
}

impl VisitDraft {
    pub(super) fn new(known: &KnownVisits) -> Self {
        let people = if known.people.len() > PEOPLE_OFFERED_MAX {
            Vec::new()
        } else {
            known.people.clone()
        };
        Self {
            people,
            phone: known.phone.as_ref().map(|phone| phone.as_e164().to_owned()),
            own_phone: known.phone.is_some(),
            ..Self::default()
        }
    }

    /// The same, with when.
    pub(super) fn begun(known: &KnownVisits, now: DateTime<Utc>) -> Self {
        Self {
            begun_at: Some(now),
            ..Self::new(known)
        }
    }

    /// The first thing that is not known yet.
    pub(super) fn next(&self) -> Option<Field> {
        Field::ALL
            .iter()
            .map(|(field, _)| *field)
            .find(|field| !self.has(*field))
    }

    fn has(&self, field: Field) -> bool {
        match field {
            Field::Whom => self.for_whom.is_some(),
            Field::Name => self.name.is_some(),
            Field::Where => self.unit.is_some(),
            Field::Door => self.door.is_some(),
            Field::Why => self.why.is_some(),
            Field::When => self.when.is_some(),
            Field::Phone => self.phone.is_some(),
            Field::Access => self.access.is_some(),
        }
    }

    /// What was asked before this; none before the first. What needed no asking is passed over. None stands for the
    /// summary, which comes last.
    pub(super) fn before(&self, field: Option<Field>) -> Option<Field> {
        let asked = Field::ALL
            .iter()
            .map(|(field, _)| *field)
            .filter(|field| match field {
                Field::Name => !self.has_roster_name(),
                Field::Where => !self.of_roster,
                // It belongs to the address.
                Field::Door => false,
                Field::Phone => !self.own_phone,
                _ => true,
            });
        let asked: Vec<Field> = asked.collect();
        let order = |field: Field| Field::ALL.iter().position(|(one, _)| *one == field);
        match field {
            None => asked.last().copied(),
            // From the door back to the address, which is one question.
            Some(Field::Door) => Some(Field::Where),
            Some(field) => asked.into_iter().rev().find(|one| order(*one) < order(field)),
        }
    }

    /// It is for whom a household offers, or for somebody else.
    pub(super) fn set_for(&mut self, whom: VisitFor) {
        if self.has_roster_name() {
            self.name = None;
        }
        if self.of_roster {
            (self.unit, self.door) = (None, None);
        }
        (self.of_roster, self.name_of_roster) = (false, false);
        self.for_whom = Some(whom);
        if whom == VisitFor::Neighbour {
            return;
        }
        if let (None, Some(home)) = (self.unit, self.only_home()) {
            (self.unit, self.door) = (Some(home.unit), Some(home.door.clone()));
        }
    }

    /// Somebody of the household, as offered.
    pub(super) fn set_person(&mut self, index: usize) -> bool {
        let Some(person) = self.people.get(index).cloned() else {
            return false;
        };
        self.for_whom = Some(if self.people.len() == 1 {
            VisitFor::Myself
        } else {
            VisitFor::Family
        });
        self.name = Some(person.name);
        (self.unit, self.door, self.of_roster) = (Some(person.unit), Some(person.door), true);
        self.name_of_roster = true;
        true
    }

    pub(super) fn set_name(&mut self, name: String) {
        self.name = Some(name);
        (self.of_roster, self.name_of_roster) = (false, false);
    }

    pub(super) fn set_unit(&mut self, unit: UnitId) {
        if self.unit != Some(unit) {
            self.unit = Some(unit);
            self.of_roster = false;
        }
        let own = self
            .only_home()
            .filter(|home| home.unit == unit && self.for_whom != Some(VisitFor::Neighbour));
        if let (None, Some(door)) = (&self.door, own.map(|home| home.door.clone())) {
            self.door = Some(door);
        }
    }

    pub(super) fn set_phone(&mut self, phone: &PhoneNumber) {
        self.phone = Some(phone.as_e164().to_owned());
        self.own_phone = false;
    }

    /// Requests that were begun under an earlier version say it of both together.
    fn has_roster_name(&self) -> bool {
        self.of_roster || self.name_of_roster
    }

    /// The name as it may be shown: the phone may be another's, so that one of the roster is never shown whole.
    pub(super) fn shown_name(&self) -> String {
        let name = self.name.clone().unwrap_or_default();
        if self.has_roster_name() {
            masked(&name)
        } else {
            name
        }
    }

    /// Something in it is to be mended; nothing is lost until it is.
    pub(super) fn begin_mending(&mut self) {
        if self.undo.is_none() {
            self.undo = Some(Box::new(self.clone()));
        }
    }

    pub(super) fn end_mending(&mut self) {
        self.undo = None;
    }

    pub(super) fn is_mended(&self) -> bool {
        self.undo.is_some()
    }

    /// As it was before; false if nothing was being mended.
    pub(super) fn undo(&mut self) -> bool {
        match self.undo.take() {
            Some(before) => *self = *before,
            None => return false,
        }
        true
    }

    /// To be given anew, and not kept where nothing new is said.
    pub(super) fn mend(&mut self, field: Field) {
        self.begin_mending();
        self.clear(field);
        match field {
            Field::Whom => (self.for_whom, self.name) = (None, None),
            Field::Name => self.name = None,
            _ => {}
        }
    }

    /// To be asked anew.
    pub(super) fn clear(&mut self, field: Field) {
        match field {
            Field::Where | Field::Door => {
                (self.unit, self.door, self.named, self.of_roster) = (None, None, None, false);
            }
            Field::When => self.when = None,
            // The others keep their answer until there is a new one.
            Field::Whom | Field::Name | Field::Why | Field::Phone | Field::Access => {}
        }
    }

    /// The home that the contact stands for, if it is one.
    fn only_home(&self) -> Option<&HouseholdPerson> {
        let first = self.people.first()?;
        let same = |one: &HouseholdPerson| one.unit == first.unit && one.door == first.door;
        self.people.iter().all(same).then_some(first)
    }

    /// The whole request, if nothing is missing. A time that has passed is missing.
    pub(super) fn request(&mut self, now: DateTime<Utc>) -> Option<VisitRequest> {
        if matches!(self.when, Some(When::At(wish)) if wish.to <= now) {
            self.when = None;
        }
        let name = self.name.clone()?;
        Some(VisitRequest {
            unit: self.unit?,
            door: self.door.clone()?,
            for_whom: self.for_whom?,
            people: if self.has_roster_name() {
                1
            } else {
                said::people(&name)
            },
            name,
            reason: self.why.clone()?,
            access: self.access.clone()?,
            phone: Some(PhoneNumber::parse(self.phone.as_deref()?).ok()?),
            wish: self.when?.wish(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, door: &str) -> HouseholdPerson {
        HouseholdPerson {
            name: name.into(),
            unit: UnitId(3),
            door: door.into(),
        }
    }

    fn known(people: Vec<HouseholdPerson>, phone: bool) -> KnownVisits {
        KnownVisits {
            visits: Vec::new(),
            people,
            phone: phone.then(|| PhoneNumber::parse("+8619900000001").expect("a number")),
        }
    }

    /// What is asked one after the other.
    fn asked(mut draft: VisitDraft) -> Vec<Field> {
        let mut fields = Vec::new();
        while let Some(field) = draft.next() {
            fields.push(field);
            match field {
                Field::Whom => draft.set_for(VisitFor::Family),
                Field::Name => draft.set_name("李秀英".into()),
                Field::Where => draft.set_unit(UnitId(5)),
                Field::Door => draft.door = Some("1203".into()),
                Field::Why => draft.why = Some("走不动".into()),
                Field::When => draft.when = Some(When::Any),
                Field::Phone => draft.set_phone(&PhoneNumber::parse("+8619900000002").expect("a number")),
                Field::Access => draft.access = Some(String::new()),
            }
        }
        assert!(draft.request(DateTime::UNIX_EPOCH).is_some());
        fields
    }

    #[test]
    fn only_what_is_missing_is_asked_and_never_more_than_six_things() {
        use Field::{Access, Door, Name, Phone, Where, Whom, Why};
        let stranger = asked(VisitDraft::new(&known(vec![], false)));
        // The door belongs to the address; the notes come with the phone where that must be asked.
        assert_eq!(
            stranger,
            [Whom, Name, Where, Door, Why, Field::When, Phone, Access]
        );
        let by_sms = asked(VisitDraft::new(&known(vec![], true)));
        assert_eq!(by_sms, [Whom, Name, Where, Door, Why, Field::When, Access]);
        let family = asked(VisitDraft::new(&known(vec![person("陈桂英", "101")], true)));
        assert_eq!(family, [Whom, Name, Why, Field::When, Access]);
        let mut chosen = VisitDraft::new(&known(vec![person("陈桂英", "101")], true));
        assert!(chosen.set_person(0) && !chosen.set_person(1));
        assert_eq!(asked(chosen), [Why, Field::When, Access]);
    }

    #[test]
    fn a_neighbour_is_never_given_the_home_of_the_one_who_asks() {
        let mut draft = VisitDraft::new(&known(vec![person("陈桂英", "101")], true));
        draft.set_person(0);
        draft.set_for(VisitFor::Neighbour);
        assert_eq!(
            (draft.name.clone(), draft.unit, draft.door.clone()),
            (None, None, None)
        );
        draft.set_unit(UnitId(3));
        assert_eq!(draft.door, None);
    }

    #[test]
    fn back_leads_through_what_was_asked() {
        let draft = VisitDraft::new(&known(vec![], true));
        let mut at = None;
        let mut way = Vec::new();
        while let Some(field) = draft.before(at) {
            way.push(field);
            at = Some(field);
        }
        assert_eq!(
            way,
            [
                Field::Access,
                Field::When,
                Field::Why,
                Field::Where,
                Field::Name,
                Field::Whom
            ]
        );
        assert_eq!(draft.before(Some(Field::Door)), Some(Field::Where));
    }

    #[test]
    fn a_household_of_hundreds_is_not_read_out() {
        let many = (0..400).map(|n| person(&format!("学生{n}"), "101")).collect();
        assert!(VisitDraft::new(&known(many, true)).people.is_empty());
    }

    #[test]
    fn a_time_that_has_passed_is_asked_again() {
        let mut draft = VisitDraft::new(&known(vec![person("陈桂英", "101")], true));
        draft.set_person(0);
        draft.why = Some("走不动".into());
        draft.access = Some(String::new());
        let to = DateTime::UNIX_EPOCH;
        draft.when = Some(When::At(Wish { from: to, to }));
        assert_eq!(draft.request(to), None);
        assert_eq!(draft.next(), Some(Field::When));
    }
}
