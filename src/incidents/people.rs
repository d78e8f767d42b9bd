//! Who comes at which time: a unit's window, its green lane's, or a time of one's own.

use chrono::{DateTime, Utc};

use crate::{
    domain::{ResidentId, Tag, UnitId},
    store::{Appointment, OwnTime, SheetPerson, SheetWindow, Store, StoreError},
};

/// Times whose people are opened at once.
pub(super) const TIMES_PER_QUERY: usize = 500;

/// Somebody who was to come at a time.
#[derive(Clone)]
pub(super) struct Comer {
    pub(super) person: SheetPerson,
    /// When they may come instead, if their time was moved or they chose another since.
    pub(super) moved_to: Option<DateTime<Utc>>,
}

/// The people of each of these times, by household.
pub(super) async fn who_comes(store: &Store, windows: &[SheetWindow]) -> Result<Vec<Vec<Comer>>, StoreError> {
    let mut comers = Vec::with_capacity(windows.len());
    for batch in windows.chunks(TIMES_PER_QUERY) {
        let mut units: Vec<UnitId> = batch.iter().map(|window| window.unit).collect();
        units.sort_unstable();
        units.dedup();
        let people = store.people_of(&units).await?;
        let own = store.own_times(&units).await?;
        for window in batch {
            let at = people.partition_point(|person| person.unit < window.unit);
            let lives_there = people[at..]
                .iter()
                .take_while(|person| person.unit == window.unit);
            let mut of_window: Vec<Comer> = lives_there
                .filter(|person| comes(window, person, &own))
                .map(|person| Comer {
                    person: person.clone(),
                    moved_to: own_time(window, person.resident, &own)
                        .map(|own| own.starts_at)
                        .filter(|_| window.of != Appointment::Own)
                        .or(window.moved_to),
                })
                .collect();
            of_window.sort_by(|a, b| by_household(&a.person, &b.person));
            comers.push(of_window);
        }
    }
    Ok(comers)
}

/// Doors as people list them are numbers, so the shorter is the lower one.
pub(super) fn by_household(a: &SheetPerson, b: &SheetPerson) -> std::cmp::Ordering {
    (a.door.len(), &a.door, &a.name).cmp(&(b.door.len(), &b.door, &b.name))
}

/// Who may use the green lane. The sheets say that much, and not why.
pub(super) fn is_green(person: &SheetPerson) -> bool {
    person.tags.iter().copied().any(Tag::is_green)
}

fn comes(window: &SheetWindow, person: &SheetPerson, own: &[OwnTime]) -> bool {
    match window.of {
        Appointment::Own => window.resident == Some(person.resident),
        _ if chose_another(window, person.resident, own) => false,
        Appointment::Green => is_green(person),
        Appointment::Unit => !(window.green_apart && is_green(person)),
    }
}

/// They had another time when the incident fell into this one. Who chose one afterwards did so because of it.
fn chose_another(window: &SheetWindow, resident: ResidentId, own: &[OwnTime]) -> bool {
    own_time(window, resident, own)
        .is_some_and(|own| window.noted_at.is_none_or(|noted_at| own.chosen_at <= noted_at))
}

fn own_time<'a>(window: &SheetWindow, resident: ResidentId, own: &'a [OwnTime]) -> Option<&'a OwnTime> {
    own.iter()
        .find(|own| own.resident == resident && own.round == window.round)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::domain::{RoundId, SiteId, UnitPlace};

    #[test]
    fn everybody_comes_at_one_time_of_a_round() {
        let noted = DateTime::from_timestamp(1_000_000, 0).expect("an instant");
        let place = UnitPlace {
            district: String::new(),
            street: String::new(),
            community: String::new(),
            building: String::new(),
            unit: String::new(),
        };
        let window = |of, resident: Option<i64>, round| SheetWindow {
            of,
            round: RoundId(round),
            unit: UnitId(1),
            resident: resident.map(ResidentId),
            green_apart: of == Appointment::Unit,
            place: place.clone(),
            site: SiteId(1),
            site_name: String::new(),
            starts_at: noted,
            ends_at: noted,
            moved_to: None,
            noted_at: Some(noted),
        };
        let person = |resident, tags: &[Tag]| SheetPerson {
            resident: ResidentId(resident),
            unit: UnitId(1),
            name: String::new(),
            door: String::new(),
            phone: None,
            tags: tags.to_vec(),
        };
        let own = |resident, minutes| OwnTime {
            round: RoundId(1),
            resident: ResidentId(resident),
            starts_at: noted,
            chosen_at: noted + TimeDelta::minutes(minutes),
        };
        let own = [own(3, -1), own(4, 1)];
        let people = [
            person(1, &[]),
            person(2, &[Tag::Student]),
            person(3, &[Tag::Elderly]),
            person(4, &[Tag::LimitedMobility]),
        ];
        let who = |window: &SheetWindow| -> Vec<i64> {
            let comers = people.iter().filter(|person| comes(window, person, &own));
            comers.map(|person| person.resident.0).collect()
        };
        // The fourth chose another time only after the incident had fallen into the unit's.
        assert_eq!(who(&window(Appointment::Unit, None, 1)), [1, 4]);
        assert_eq!(who(&window(Appointment::Green, None, 1)), [2]);
        assert_eq!(who(&window(Appointment::Own, Some(3), 1)), [3]);
        assert_eq!(who(&window(Appointment::Unit, None, 2)), [1, 4], "another round");
        assert_eq!(who(&window(Appointment::Green, None, 2)), [2, 3]);
        let whole = SheetWindow {
            green_apart: false,
            ..window(Appointment::Unit, None, 2)
        };
        assert_eq!(who(&whole), [1, 2, 3, 4], "there is no green lane");
    }
}
