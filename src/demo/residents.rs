//! The sample city's people, as the demo plays them.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::{
    domain::{Address, UnitPlace},
    store::Store,
};

/// Every so many residents with a phone of their own uses Telegram.
const TELEGRAM_EVERY: usize = 8;
const FIRST_CHAT: i64 = 1_000;

/// A row of the sample roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Where.
    pub place: UnitPlace,
    /// The door.
    pub door: String,
    /// The invented name.
    pub name: String,
    /// The invented phone number; may be empty.
    pub phone: String,
    /// The language; may be empty.
    pub language: String,
    /// The chat, for those who use Telegram.
    pub chat: i64,
}

/// The people of the sample roster.
pub fn read(roster: &str) -> Result<Vec<Resident>> {
    let mut rows = csv::Reader::from_reader(roster.as_bytes());
    rows.deserialize::<HashMap<String, String>>()
        .zip(FIRST_CHAT..)
        .map(|(row, chat)| {
            let mut row = row?;
            let mut take = |column: &str| row.remove(column).unwrap_or_default();
            Ok(Resident {
                place: UnitPlace {
                    district: take("district"),
                    street: take("street"),
                    community: take("community"),
                    building: take("building"),
                    unit: take("unit"),
                },
                door: take("door"),
                name: take("name"),
                phone: take("phone"),
                language: take("language"),
                chat,
            })
        })
        .collect()
}

/// Those who use Telegram: some of the people who have a phone of their own.
pub fn with_telegram(residents: &[Resident]) -> Vec<Resident> {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for resident in residents {
        *owners.entry(&resident.phone).or_default() += 1;
    }
    residents
        .iter()
        .filter(|resident| !resident.phone.is_empty() && owners.get(resident.phone.as_str()) == Some(&1))
        .step_by(TELEGRAM_EVERY)
        .cloned()
        .collect()
}

/// The door codes of every unit.
pub async fn unit_codes(store: &Store) -> Result<HashMap<UnitPlace, String>> {
    Ok(store
        .units()
        .await?
        .into_iter()
        .map(|row| (row.place, row.code))
        .collect())
}

/// How many of these chats stand for their resident by now.
pub async fn count_linked(store: &Store, residents: &[Resident]) -> Result<usize> {
    let mut linked = 0;
    for resident in residents {
        if let Some(contact) = store.find_contact(&Address::Chat(resident.chat)).await? {
            linked += usize::from(!store.person(contact).await?.residents.is_empty());
        }
    }
    Ok(linked)
}
