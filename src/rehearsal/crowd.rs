//! The people of a rehearsal, in virtual time: who comes when, who fails and tries again, and who heeds a correction.

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::registration::simulator::people::{Habit, Habits};

/// Somebody who has not registered.
const NOT_YET: u32 = u32::MAX;
/// Whoever registers later than this after their first try has missed it.
const MISSED_AFTER_SECONDS: u32 = 30 * 60;

/// A building unit's people.
#[derive(Clone, Copy, Debug)]
struct Unit {
    first: u32,
    count: u32,
    /// The window's start that they were told last, in seconds.
    start: u32,
}

/// One person's state, eight bytes and four.
#[derive(Clone, Copy, Debug)]
struct Person {
    /// When they mean to try next, in seconds; what else was planned for them is void.
    due: u32,
    /// Their first try for the window they go by.
    first_try: u32,
    registered_at: u32,
    habit: Habit,
    failures: u8,
    /// From this second on they wait to be told.
    quiet_from: u32,
    gave_up: bool,
}

/// The people of a city, by unit.
#[derive(Debug)]
pub struct Crowd {
    habits: Habits,
    rng: Xoshiro256PlusPlus,
    units: Vec<Unit>,
    people: Vec<Person>,
    /// Recipients of the round; who comes after them in `people` was told by nobody.
    recipients: usize,
    /// Who means to try in each second.
    due: Vec<Vec<u32>>,
    registered: u64,
}

impl Crowd {
    /// Units of so many recipients each. Those who come whenever they like come between the two seconds.
    pub fn new(
        sizes: impl Iterator<Item = u32>,
        habits: Habits,
        whenever: std::ops::Range<u32>,
        end: u32,
        seed: u64,
    ) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut units = Vec::new();
        let mut people = Vec::new();
        let mut due = vec![Vec::new(); end as usize + 1];
        for count in sizes {
            units.push(Unit {
                first: people.len() as u32,
                count,
                start: 0,
            });
            for _ in 0..count {
                let habit = habits.draw(&mut rng);
                let mut person = Person::new(habit);
                if habit == Habit::Whenever {
                    person.due = rng.random_range(whenever.clone());
                    due[person.due.min(end) as usize].push(people.len() as u32);
                }
                people.push(person);
            }
        }
        Self {
            habits,
            rng,
            units,
            recipients: people.len(),
            people,
            due,
            registered: 0,
        }
    }

    /// From now on people act so many times as slowly.
    pub fn set_time_scale(&mut self, scale: f64) {
        self.habits.time_scale = scale;
    }

    /// A unit is told that its window starts then.
    pub fn tell(&mut self, unit: usize, now: u32, start: u32) {
        self.units[unit].start = start;
        for id in self.ids(unit) {
            let habit = self.people[id as usize].habit;
            let read = f64::from(now) + self.habits.read_after(&mut self.rng);
            let at = match habit {
                Habit::Never | Habit::Whenever => continue,
                Habit::OnReading => read,
                Habit::AtStart | Habit::ThroughWindow => {
                    read.max(f64::from(start) + self.habits.from_start(habit, &mut self.rng))
                }
            };
            self.plan(id, at, now);
        }
    }

    /// A told unit is told that its window has moved. Those who read it before they are through, and heed it, come then.
    pub fn correct(&mut self, unit: usize, now: u32, start: u32) {
        self.units[unit].start = start;
        for id in self.ids(unit) {
            let person = self.people[id as usize];
            let waits = person.registered_at == NOT_YET;
            let untroubled = person.habit == Habit::Whenever && person.failures == 0;
            if !waits || person.habit == Habit::Never || untroubled {
                continue;
            }
            let read = f64::from(now) + self.habits.correction_read_after(&mut self.rng);
            // Who waits to be told a time comes at it.
            let waiting = f64::from(person.quiet_from) <= read;
            let heeds = waiting || self.rng.random::<f64>() < self.habits.heed;
            let came_before = !waiting && person.failures == 0 && read >= f64::from(person.due);
            if !heeds || came_before {
                continue;
            }
            let at = read.max(f64::from(start) + self.habits.from_start(Habit::AtStart, &mut self.rng));
            self.people[id as usize].first_try = NOT_YET;
            self.people[id as usize].quiet_from = NOT_YET;
            self.people[id as usize].failures = 0;
            // A new time is a new invitation, to those who gave up as well.
            self.people[id as usize].gave_up = false;
            self.plan(id, at, now);
        }
    }

    /// A unit is told to stay calm and wait: those who read it and heed it do not try until they are told a new time.
    pub fn calm(&mut self, unit: usize, now: u32) {
        for id in self.ids(unit) {
            let person = self.people[id as usize];
            let waits = person.registered_at == NOT_YET && !person.gave_up;
            let untroubled = person.habit == Habit::Whenever && person.failures == 0;
            if !waits || person.habit == Habit::Never || untroubled {
                continue;
            }
            let read = f64::from(now) + self.habits.correction_read_after(&mut self.rng);
            if self.rng.random::<f64>() >= self.habits.heed || f64::from(person.quiet_from) <= read {
                continue;
            }
            let start = f64::from(self.units[unit].start);
            if start <= read {
                self.people[id as usize].quiet_from = read as u32;
            } else if f64::from(person.due) < start - self.habits.early_seconds {
                // Their window is still to come: they wait for it.
                let at = start + self.habits.from_start(Habit::AtStart, &mut self.rng);
                self.people[id as usize].first_try = NOT_YET;
                self.people[id as usize].failures = 0;
                self.plan(id, read.max(at), now);
            }
        }
    }

    /// Everybody is told at once to come at the same time.
    pub fn tell_everybody(&mut self, now: u32, start: u32) {
        for unit in 0..self.units.len() {
            self.tell(unit, now, start);
        }
    }

    /// Who tries in this second, and how many of them for the first time.
    pub fn trying(&mut self, second: u32) -> (Vec<u32>, u32) {
        let Some(due) = self.due.get_mut(second as usize) else {
            return (Vec::new(), 0);
        };
        let mut trying = std::mem::take(due);
        let mut fresh = 0;
        trying.retain(|&id| {
            let person = &mut self.people[id as usize];
            let tries = person.due == second && person.registered_at == NOT_YET && second < person.quiet_from;
            if tries && person.first_try == NOT_YET {
                person.first_try = second;
                fresh += 1;
            }
            tries
        });
        (trying, fresh)
    }

    /// Somebody is through.
    pub fn registered(&mut self, id: u32, now: u32) {
        let person = &mut self.people[id as usize];
        if person.registered_at == NOT_YET {
            person.registered_at = now;
            let heeds = person.habit != Habit::Whenever;
            self.registered += u64::from(heeds);
        }
    }

    /// Somebody's try came to nothing: they try again, or give up.
    pub fn failed(&mut self, id: u32, now: u32) {
        let person = &mut self.people[id as usize];
        if person.registered_at != NOT_YET {
            return;
        }
        person.failures = person.failures.saturating_add(1);
        let failures = u32::from(person.failures);
        match self.habits.retry_after(failures, &mut self.rng) {
            Some(after) => self.plan(id, f64::from(now) + after, now),
            None => self.people[id as usize].gave_up = true,
        }
    }

    /// Recipients registered so far.
    pub fn registered_count(&self) -> u64 {
        self.registered
    }

    /// Recipients who mean to come at all.
    pub fn coming(&self) -> u64 {
        self.people[..self.recipients]
            .iter()
            .filter(|person| !matches!(person.habit, Habit::Never | Habit::Whenever))
            .count() as u64
    }

    /// Of those who mean to come, the ones who never got through or only long after their first try.
    /// Who means to come after `now` has missed nothing yet.
    pub fn missed(&self, now: u32) -> u64 {
        self.people[..self.recipients]
            .iter()
            .filter(|person| {
                let late = person.registered_at.saturating_sub(person.first_try) > MISSED_AFTER_SECONDS;
                match (person.registered_at, person.habit) {
                    (NOT_YET, Habit::Never) => false,
                    (NOT_YET, Habit::Whenever) => person.failures > 0 || person.due <= now,
                    (NOT_YET, _) => true,
                    _ => late,
                }
            })
            .count() as u64
    }

    fn ids(&self, unit: usize) -> std::ops::Range<u32> {
        let Unit { first, count, .. } = self.units[unit];
        first..first + count
    }

    fn plan(&mut self, id: u32, at: f64, now: u32) {
        let second = (at.max(0.0) as u32).max(now + 1);
        self.people[id as usize].due = second;
        if let Some(due) = self.due.get_mut(second as usize) {
            due.push(id);
        }
    }
}

impl Person {
    fn new(habit: Habit) -> Self {
        Self {
            due: NOT_YET,
            first_try: NOT_YET,
            registered_at: NOT_YET,
            habit,
            failures: 0,
            quiet_from: NOT_YET,
            gave_up: false,
        }
    }
}
