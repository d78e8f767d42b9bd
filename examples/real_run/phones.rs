//! What the carrier delivered, as people hear it: a window, or that it has moved.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use tokio::sync::broadcast::{self, error::TryRecvError};
use weir::{
    channels::sms::smsc::Submitted,
    registration::simulator::{Calmed, Moved, People, Told},
};

/// Every phone, with the start that it last heard of.
pub struct Phones {
    delivered: broadcast::Receiver<Submitted>,
    zone: Tz,
    starts: HashMap<String, DateTime<Utc>>,
    /// Phones that heard of a move, each as often as it did.
    pub moved: u32,
    /// An incident is open: what speaks of no time asks to stay calm.
    pub is_incident: bool,
}

impl Phones {
    /// Nobody has heard anything.
    pub fn new(delivered: broadcast::Receiver<Submitted>, zone: Tz) -> Self {
        Self {
            delivered,
            zone,
            starts: HashMap::new(),
            moved: 0,
            is_incident: false,
        }
    }

    /// How many know a window.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// What was heard since this was last asked. Reminders say nothing new.
    pub fn heard(&mut self) -> People {
        let mut told: BTreeMap<DateTime<Utc>, u32> = BTreeMap::new();
        let mut moved: BTreeMap<(DateTime<Utc>, DateTime<Utc>), u32> = BTreeMap::new();
        let mut calmed: BTreeMap<DateTime<Utc>, u32> = BTreeMap::new();
        loop {
            let message = match self.delivered.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Lagged(_)) => continue,
                Err(_) => break,
            };
            let Some(start) = start_in(&message.text, message.at, self.zone) else {
                if let Some(start) = self.starts.get(&message.to).filter(|_| self.is_incident) {
                    *calmed.entry(*start).or_default() += 1;
                }
                continue;
            };
            match self.starts.insert(message.to, start) {
                None => *told.entry(start).or_default() += 1,
                Some(before) if before != start => *moved.entry((before, start)).or_default() += 1,
                Some(_) => {}
            }
        }
        self.moved += moved.values().sum::<u32>();
        People {
            told: told
                .into_iter()
                .map(|(start, count)| Told {
                    count,
                    window_starts_at: Some(start),
                })
                .collect(),
            moved: moved
                .into_iter()
                .map(|((from, to), count)| Moved { count, from, to })
                .collect(),
            calmed: calmed
                .into_iter()
                .map(|(window_starts_at, count)| Calmed {
                    count,
                    window_starts_at,
                })
                .collect(),
        }
    }
}

/// The first time of day in a text, on the day that it came.
fn start_in(text: &str, at: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
    let colon = text.char_indices().find_map(|(index, char)| {
        let is_time = char == ':' && index >= 2 && text.get(index - 2..index + 3).is_some_and(is_clock);
        is_time.then_some(index)
    })?;
    let time = NaiveTime::parse_from_str(text.get(colon - 2..colon + 3)?, "%H:%M").ok()?;
    let day = at.with_timezone(&zone).date_naive();
    Some(
        zone.from_local_datetime(&day.and_time(time))
            .single()?
            .with_timezone(&Utc),
    )
}

fn is_clock(text: &str) -> bool {
    text.chars().all(|char| char.is_ascii_digit() || char == ':')
}
