//! What the simulators hold, against the roster: who should have been told, and who was.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;

use super::{Stage, residents::Resident};
use crate::{
    domain::{DeliveryState, RoundId},
    store::{DeliveryFilter, Store},
};

/// The demo's account.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// People on the sample roster.
    pub residents: usize,
    /// Deliveries by state, as the store has them.
    pub deliveries: BTreeMap<String, i64>,
    /// Deliveries that are not final.
    pub open: i64,
    /// Addresses that should have been told their window.
    pub expected: usize,
    /// Of them, those for which no simulator holds a window.
    pub lost: usize,
    /// Messages that a simulator holds more than once.
    pub repeated: usize,
    /// Households that no contact reaches.
    pub silent_households: i64,
}

/// Compares the records.
pub async fn settle(stage: &Stage, store: &Store, round: RoundId, linked: &[Resident]) -> Result<Ledger> {
    let filter = DeliveryFilter {
        round: Some(round),
        ..DeliveryFilter::default()
    };
    let counts = store.count_deliveries(&filter).await?;
    let mut deliveries: BTreeMap<String, i64> = BTreeMap::new();
    for count in &counts {
        *deliveries.entry(count.state.clone()).or_default() += count.deliveries;
    }
    let open = deliveries
        .iter()
        .filter(|(state, _)| !DeliveryState::parse(state).is_some_and(DeliveryState::is_final))
        .map(|(_, count)| count)
        .sum();
    let expected = expected(&stage.residents, linked);
    let held = held(stage);
    let sites: Vec<String> = store.sites().await?.into_iter().map(|site| site.name).collect();
    let told = |address: &String| {
        held.get(address).is_some_and(|texts| {
            texts
                .keys()
                .any(|text| sites.iter().any(|site| text.contains(site.as_str())))
        })
    };
    Ok(Ledger {
        residents: stage.residents.len(),
        deliveries,
        open,
        lost: expected.iter().filter(|address| !told(address)).count(),
        expected: expected.len(),
        repeated: held
            .values()
            .flat_map(HashMap::values)
            .filter(|count| **count > 1)
            .count(),
        silent_households: store
            .silent_households(round)
            .await?
            .iter()
            .map(|unit| unit.households)
            .sum(),
    })
}

/// The addresses that the roster says must be told: a chat where one is linked, else the phone.
fn expected(residents: &[Resident], linked: &[Resident]) -> BTreeSet<String> {
    let linked: HashSet<i64> = linked.iter().map(|resident| resident.chat).collect();
    residents
        .iter()
        .filter(|resident| !resident.phone.is_empty())
        .map(|resident| {
            if linked.contains(&resident.chat) {
                resident.chat.to_string()
            } else {
                resident.phone.clone()
            }
        })
        .collect()
}

/// Each address's texts, counted, as the simulators hold them.
fn held(stage: &Stage) -> HashMap<String, HashMap<String, usize>> {
    let mut held: HashMap<String, HashMap<String, usize>> = HashMap::new();
    let telegram = stage
        .bot_api
        .sent()
        .into_iter()
        .map(|sent| (sent.chat_id.to_string(), sent.text));
    let sms = stage
        .smsc
        .submitted()
        .into_iter()
        .map(|sent| (sent.to, sent.text));
    for (address, text) in telegram.chain(sms) {
        *held.entry(address).or_default().entry(text).or_default() += 1;
    }
    held
}
