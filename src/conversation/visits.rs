//! Visits at home for the dialogue: looked up, asked for and changed. What was done once under a message's id is not
//! done twice, however often the message is answered.

use chrono::{DateTime, Utc};

use super::dialogue::{
    Fetched, HouseholdPerson, KnownVisits, OwnVisit, VisitEdit, VisitOutcome, VisitRequest,
};
use crate::{
    channels::sms::segment,
    config::Config,
    domain::{Address, ContactId, PhoneNumber, Visit, VisitAct, VisitBy, VisitId, visit::Amendment},
    i18n::{Texts, visits::VisitTeller},
    store::{Asked, NewVisit, Store, StoreError, VisitAnswer, VisitChange, WaitingInbound},
};

/// Looks up, asks for and changes visits.
pub(super) struct Visits<'a> {
    pub store: &'a Store,
    pub texts: &'a Texts,
    pub config: &'a Config,
}

impl Visits<'_> {
    /// The person's visits, and what may be filled in for them: only what their contact is proven to stand for.
    pub(super) async fn known(&self, contact: ContactId) -> Result<Fetched, StoreError> {
        let people = self.store.homes(contact).await?.into_iter().flat_map(|home| {
            home.names.into_iter().map(move |name| HouseholdPerson {
                name,
                unit: home.unit,
                door: home.door.clone(),
            })
        });
        Ok(Fetched::Visits(KnownVisits {
            visits: self.visits(contact).await?,
            people: people.collect(),
            phone: self.phone(contact).await?,
        }))
    }

    async fn visits(&self, contact: ContactId) -> Result<Vec<OwnVisit>, StoreError> {
        let visits = self.store.visits_of(contact).await?;
        let own = visits
            .into_iter()
            .map(|(visit, of_household)| OwnVisit { visit, of_household });
        Ok(own.collect())
    }

    /// Their own number: the one they write from, or the one they proved.
    async fn phone(&self, contact: ContactId) -> Result<Option<PhoneNumber>, StoreError> {
        match self.store.address(contact).await? {
            Some(Address::Phone(phone)) => Ok(Some(phone)),
            _ => self.store.linked_phone(contact).await,
        }
    }

    /// Asks for a visit.
    pub(super) async fn ask(
        &self,
        request: VisitRequest,
        message: &WaitingInbound,
        now: DateTime<Utc>,
    ) -> Result<Fetched, StoreError> {
        let contact = message.contact;
        let key = key(message);
        if let Some(visit) = self.store.visit_of_key(&key).await? {
            // The same message once more, after a crash.
            return self.asked(contact, visit, VisitOutcome::New).await;
        }
        let new = NewVisit {
            key,
            unit: request.unit,
            door: request.door,
            asker: Some(contact),
            for_whom: request.for_whom,
            name: request.name,
            people: request.people,
            reason: request.reason,
            access: request.access,
            phone: request.phone,
            wish: request.wish,
            urgent: false,
            by: VisitBy::resident(contact),
            quiet: true,
            chance: rand::random(),
        };
        let (visit, outcome) = match self.store.ask_visit(&new, &self.teller(), now).await {
            Ok(Asked::New(visit)) => (visit, VisitOutcome::New),
            Ok(Asked::Known(visit)) if names_all(&visit.name, &new.name) => (visit, VisitOutcome::Known),
            Ok(Asked::Known(visit)) => self.join(visit, &new, now).await?,
            Err(StoreError::Refused(_)) => return Ok(Fetched::VisitNowhere),
            Err(error) => return Err(error),
        };
        self.asked(contact, visit, outcome).await
    }

    async fn asked(
        &self,
        contact: ContactId,
        visit: Visit,
        outcome: VisitOutcome,
    ) -> Result<Fetched, StoreError> {
        let own = Box::new(self.own(contact, visit).await?);
        Ok(Fetched::VisitAsked { own, outcome })
    }

    /// Somebody else at the same door is sampled on the same visit, if it can still be changed.
    async fn join(
        &self,
        visit: Visit,
        new: &NewVisit,
        now: DateTime<Utc>,
    ) -> Result<(Visit, VisitOutcome), StoreError> {
        let both = |one: &str, other: &str, sign: &str| {
            let is_new = !other.is_empty() && !one.contains(other);
            is_new.then(|| [one, other].join(if one.is_empty() { "" } else { sign }))
        };
        let amendment = Amendment {
            name: both(&visit.name, &new.name, "、"),
            people: Some(visit.people.saturating_add(new.people)),
            reason: both(&visit.reason, &new.reason, "；"),
            access: both(&visit.access, &new.access, "；"),
            ..Amendment::default()
        };
        let change = VisitChange {
            key: Some(new.key.clone()),
            quiet: new.asker,
            ..VisitChange::new(visit.id, VisitAct::Amend(amendment), new.by.clone())
        };
        Ok(
            match self.store.act_on_visit(&change, &self.teller(), now).await? {
                VisitAnswer::Done(visit) | VisitAnswer::Already(visit) => (visit, VisitOutcome::Joined),
                VisitAnswer::Refused { .. } => (visit, VisitOutcome::Apart),
            },
        )
    }

    /// Changes a visit that the person is told about; others it does not touch, and does not know.
    pub(super) async fn change(
        &self,
        id: VisitId,
        edit: VisitEdit,
        message: &WaitingInbound,
        now: DateTime<Utc>,
    ) -> Result<Fetched, StoreError> {
        let contact = message.contact;
        let nothing = Fetched::VisitChanged {
            own: None,
            done: false,
        };
        let own = self.visits(contact).await?;
        if !own.iter().any(|own| own.visit.id == id) {
            return Ok(nothing);
        }
        let change = VisitChange {
            key: Some(key(message)),
            quiet: Some(contact),
            ..VisitChange::new(id, act(edit), VisitBy::resident(contact))
        };
        let (visit, done) = match self.store.act_on_visit(&change, &self.teller(), now).await? {
            VisitAnswer::Done(visit) | VisitAnswer::Already(visit) => (visit, true),
            VisitAnswer::Refused {
                visit: Some(visit), ..
            } => (visit, false),
            VisitAnswer::Refused { visit: None, .. } => return Ok(nothing),
        };
        Ok(Fetched::VisitChanged {
            own: Some(Box::new(self.own(contact, visit).await?)),
            done,
        })
    }

    /// The visit with what this contact may know of it.
    async fn own(&self, contact: ContactId, visit: Visit) -> Result<OwnVisit, StoreError> {
        let visits = self.visits(contact).await?;
        let of_household = visits
            .iter()
            .any(|own| own.visit.id == visit.id && own.of_household);
        Ok(OwnVisit { visit, of_household })
    }

    fn teller(&self) -> VisitTeller<'_> {
        VisitTeller::new(self.texts, self.config, segment::parts)
    }
}

/// Everybody on this line of names is on that one.
fn names_all(names: &str, others: &str) -> bool {
    let parts = others.replace(" and ", ",");
    parts
        .split([',', '，', '、', ';', '；', '&'])
        .all(|name| names.contains(name.trim()))
}

fn key(message: &WaitingInbound) -> String {
    format!("inbound:{}", message.id)
}

fn act(edit: VisitEdit) -> VisitAct {
    let amended = |amendment| VisitAct::Amend(amendment);
    match edit {
        VisitEdit::Cancel => VisitAct::Cancel,
        VisitEdit::AskAgain => VisitAct::AskAgain,
        VisitEdit::Move(wish) => VisitAct::Move(wish),
        VisitEdit::Phone(phone) => amended(Amendment {
            phone: PhoneNumber::parse(&phone).ok(),
            ..Amendment::default()
        }),
        VisitEdit::Access(access) => amended(Amendment {
            access: Some(access),
            ..Amendment::default()
        }),
    }
}
