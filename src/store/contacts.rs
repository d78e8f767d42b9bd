//! Contacts: addresses, their language and state, and whom they reach.

use chrono::{DateTime, Utc};

use super::{
    Result, Store, StoreError, in_transaction, on_pool,
    roster::{ADDRESS, PERSONAL, Personal},
    service::known,
    take_ids,
};
use crate::domain::{Address, ContactId, Language, PhoneNumber, ResidentId, UnitId};

/// Whether an address may and can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactState {
    /// It may.
    Active,
    /// The person said STOP.
    Stopped,
    /// The channel says that it does not work.
    Unreachable,
}

impl ContactState {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Unreachable => "unreachable",
        }
    }

    /// The state of a stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Stopped, Self::Unreachable]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// The person behind a contact, as the conversation needs to know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The contact.
    pub contact: ContactId,
    /// Its language, if one is known.
    pub language: Option<Language>,
    /// The person said STOP.
    pub stopped: bool,
    /// The channel says that this address does not work.
    pub unreachable: bool,
    /// The home that a chat chose.
    pub home: Option<UnitId>,
    /// The residents that this contact stands for.
    pub residents: Vec<(ResidentId, UnitId)>,
}

/// A resident registered with a phone number.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneResident {
    /// Who.
    pub resident: ResidentId,
    /// Where.
    pub unit: UnitId,
    /// Full name: personal data.
    pub name: String,
}

/// A resident as the registration system knows them. Personal data, and without `Debug` for that.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownResident {
    /// Who.
    pub resident: ResidentId,
    /// Where.
    pub unit: UnitId,
    /// Full name.
    pub name: String,
    /// Their id in the registration system, if the roster has it.
    pub reference: Option<String>,
}

/// An address as its sealed text.
pub(super) fn address_text(address: &Address) -> String {
    match address {
        Address::Phone(phone) => phone.as_e164().to_owned(),
        Address::Chat(id) => id.to_string(),
    }
}

pub(super) fn parse_address(channel: &str, text: &str) -> Result<Address> {
    let corrupt = || StoreError::Corrupt("contacts.address".into());
    match channel {
        "sms" => Ok(Address::Phone(PhoneNumber::parse(text).map_err(|_| corrupt())?)),
        "telegram" => Ok(Address::Chat(text.parse().map_err(|_| corrupt())?)),
        _ => Err(corrupt()),
    }
}

impl Store {
    /// The contact of an address, if it is known.
    pub async fn find_contact(&self, address: &Address) -> Result<Option<ContactId>> {
        let found: Option<(i64,)> = on_pool!(self, |pool| {
            sqlx::query_as("select id from contacts where address_hash = $1")
                .bind(self.address_hash(address))
                .fetch_optional(pool)
                .await?
        });
        Ok(found.map(|(id,)| ContactId(id)))
    }

    /// The contact of an address, made where it is new.
    pub async fn contact(&self, address: &Address, now: DateTime<Utc>) -> Result<ContactId> {
        if let Some(id) = self.find_contact(address).await? {
            return Ok(id);
        }
        let hash = self.address_hash(address);
        let (id,): (i64,) = in_transaction!(self, |tx| {
            let id = take_ids!(tx, "contacts", 1);
            sqlx::query_as(
                "insert into contacts (id, channel, address_hash, address, state, changed_at) \
                 values ($1, $2, $3, $4, 'active', $5) \
                 on conflict (address_hash) do update set address_hash = $3 returning id",
            )
            .bind(id)
            .bind(address.channel().as_str())
            .bind(&hash)
            .bind(self.keys.seal(ADDRESS, id, address_text(address).as_bytes()))
            .bind(now.timestamp_millis())
            .fetch_one(&mut *tx)
            .await?
        });
        Ok(ContactId(id))
    }

    /// The address of a contact.
    pub async fn address(&self, contact: ContactId) -> Result<Option<Address>> {
        let row: Option<(String, String)> = on_pool!(self, |pool| {
            sqlx::query_as("select channel, address from contacts where id = $1")
                .bind(contact.0)
                .fetch_optional(pool)
                .await?
        });
        row.map(|(channel, sealed)| {
            parse_address(&channel, &self.keys.open_text(ADDRESS, contact.0, &sealed)?)
        })
        .transpose()
    }

    /// The phone that a chat was proven with, of a resident it is linked to.
    pub async fn linked_phone(&self, chat: ContactId) -> Result<Option<PhoneNumber>> {
        let row: Option<(i64, String, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select c.id, c.channel, c.address from residents p join contacts c on c.id = p.phone_contact_id \
                 where p.chat_contact_id = $1 and p.moved_out_at is null order by p.id limit 1",
            )
            .bind(chat.0)
            .fetch_optional(pool)
            .await?
        });
        let Some((id, channel, sealed)) = row else {
            return Ok(None);
        };
        let address = parse_address(&channel, &self.keys.open_text(ADDRESS, id, &sealed)?)?;
        Ok(match address {
            Address::Phone(phone) => Some(phone),
            Address::Chat(_) => None,
        })
    }

    /// What is known of the person behind a contact.
    pub async fn person(&self, contact: ContactId) -> Result<Person> {
        let row: Option<(Option<String>, String, Option<i64>)> = on_pool!(self, |pool| {
            sqlx::query_as("select language, state, unit_id from contacts where id = $1")
                .bind(contact.0)
                .fetch_optional(pool)
                .await?
        });
        let (language, state, home) =
            row.ok_or_else(|| StoreError::Corrupt(format!("no contact {contact}")))?;
        let residents: Vec<(i64, i64)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select id, unit_id from residents where (phone_contact_id = $1 or chat_contact_id = $1) \
                 and moved_out_at is null order by id",
            )
            .bind(contact.0)
            .fetch_all(pool)
            .await?
        });
        let state = known(ContactState::parse(&state), "contacts.state", &state)?;
        Ok(Person {
            contact,
            language: language.and_then(|code| code.parse().ok()),
            stopped: state == ContactState::Stopped,
            unreachable: state == ContactState::Unreachable,
            home: home.map(UnitId),
            residents: residents
                .into_iter()
                .map(|(id, unit)| (ResidentId(id), UnitId(unit)))
                .collect(),
        })
    }

    /// The residents registered with a phone number.
    pub async fn phone_residents(&self, phone: &PhoneNumber) -> Result<Vec<PhoneResident>> {
        let rows: Vec<(i64, i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(
                "select p.id, p.unit_id, p.personal from residents p \
                 join contacts c on c.id = p.phone_contact_id \
                 where c.address_hash = $1 and p.moved_out_at is null order by p.id",
            )
            .bind(self.phone_hash(phone))
            .fetch_all(pool)
            .await?
        });
        rows.into_iter()
            .map(|(id, unit, sealed)| {
                let personal: Personal = serde_json::from_slice(&self.keys.open(PERSONAL, id, &sealed)?)
                    .map_err(|_| StoreError::Corrupt(PERSONAL.into()))?;
                Ok(PhoneResident {
                    resident: ResidentId(id),
                    unit: UnitId(unit),
                    name: personal.name,
                })
            })
            .collect()
    }

    /// The names and ids of these residents, in their order; those who moved out are left out.
    pub async fn known_residents(&self, residents: &[ResidentId]) -> Result<Vec<KnownResident>> {
        let sql = self.sql(
            "select p.id, p.unit_id, p.personal from {rows} \
             join residents p on p.id = cast(r.value->>'id' as bigint) \
             where p.moved_out_at is null order by p.id",
        );
        let rows: Vec<(i64, i64, String)> = on_pool!(self, |pool| {
            sqlx::query_as(sql)
                .bind(super::json_ids(residents.iter().map(|id| id.0)))
                .fetch_all(pool)
                .await?
        });
        rows.into_iter()
            .map(|(id, unit, sealed)| {
                let personal: Personal = serde_json::from_slice(&self.keys.open(PERSONAL, id, &sealed)?)
                    .map_err(|_| StoreError::Corrupt(PERSONAL.into()))?;
                Ok(KnownResident {
                    resident: ResidentId(id),
                    unit: UnitId(unit),
                    name: personal.name,
                    reference: personal.reference,
                })
            })
            .collect()
    }

    /// Sets the state of a contact, with the reason.
    pub async fn set_contact_state(
        &self,
        contact: ContactId,
        state: ContactState,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        in_transaction!(self, |tx| {
            sqlx::query("update contacts set state = $2, state_reason = $3, changed_at = $4 where id = $1")
                .bind(contact.0)
                .bind(state.as_str())
                .bind(reason)
                .bind(now.timestamp_millis())
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }
}
