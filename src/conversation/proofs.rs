//! What the registration system knows of a person's tests, for their own eyes.

use chrono::{DateTime, Utc};

use super::dialogue::{Fetched, FoundProofs, Person, masked};
use crate::{
    domain::ResidentId,
    registration::{RegistrationClient, RegistrationError},
    store::{Store, StoreError},
};

/// Looks up tests.
pub(super) struct Proofs<'a> {
    pub store: &'a Store,
    pub registration: Option<&'a RegistrationClient>,
}

impl Proofs<'_> {
    /// Of the residents behind the contact: of the one named, of the only one, or the question which.
    pub(super) async fn fetch(
        &self,
        person: &Person,
        of: Option<ResidentId>,
        now: DateTime<Utc>,
    ) -> Result<Fetched, StoreError> {
        let residents: Vec<ResidentId> = person.residents.iter().map(|one| one.resident).collect();
        let mut known = self.store.known_residents(&residents).await?;
        if let Some(of) = of {
            known.retain(|one| one.resident == of);
        }
        let (Some(first), rest) = (known.first(), known.len().saturating_sub(1)) else {
            return Ok(Fetched::NotProven);
        };
        if rest > 0 {
            let people = known
                .iter()
                .map(|one| (one.resident, one.unit, masked(&one.name)));
            return Ok(Fetched::Whose(people.collect()));
        }
        let found = match (&first.reference, self.registration) {
            (None, _) => FoundProofs::NoReference,
            (Some(_), None) => FoundProofs::NotConnected,
            (Some(reference), Some(registration)) => self.ask(registration, reference, now).await?,
        };
        Ok(Fetched::Proofs {
            name: masked(&first.name),
            found,
        })
    }

    async fn ask(
        &self,
        registration: &RegistrationClient,
        reference: &str,
        now: DateTime<Utc>,
    ) -> Result<FoundProofs, StoreError> {
        Ok(match registration.proofs(reference, now).await {
            Ok(proofs) => FoundProofs::Known {
                proofs,
                policies: self
                    .store
                    .policies()
                    .await?
                    .into_iter()
                    .map(|row| row.policy)
                    .collect(),
            },
            Err(RegistrationError::Unknown) => FoundProofs::Unknown,
            Err(RegistrationError::NotSet(_)) => FoundProofs::NotConnected,
            Err(
                error @ (RegistrationError::Unavailable { .. }
                | RegistrationError::Refused { .. }
                | RegistrationError::BadAnswer(_)),
            ) => {
                tracing::warn!(%error, "a resident's tests could not be looked up");
                FoundProofs::Unavailable
            }
        })
    }
}
