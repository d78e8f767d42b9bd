//! People who act on what they are told, by real requests: the model's habits, over sockets.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    super::wire::IDEMPOTENCY_KEY,
    people::{Habit, Habits},
};
use crate::clock::Clock;

/// People that one simulator takes on; more are refused.
const PEOPLE_LEN_MAX: usize = 5_000_000;
/// Minutes of the record; later ones count in the last.
const MINUTES_LEN_MAX: usize = 2 * 24 * 60;
/// Those who ignore windows come evenly over so long.
const WHENEVER_SECONDS: f64 = 24.0 * 3600.0;
/// Who is registered only so long after the first try has come in vain.
const LATE_MS: i64 = 30 * 60 * 1000;
/// People act at most so much later than they mean to, by the machine's clock.
const TICK: Duration = Duration::from_millis(20);

/// How a crowd reaches the system.
#[derive(Clone, Debug)]
pub struct CrowdOptions {
    /// The system's base address.
    pub url: String,
    /// Its token, if it asks for one.
    pub token: Option<String>,
    /// The time that people live by.
    pub clock: Clock,
    /// What they are like.
    pub habits: Habits,
    /// Which people they are.
    pub seed: u64,
    /// How long they wait for an answer, in seconds of the clock.
    pub timeout_seconds: f64,
    /// Requests under way at once; whoever comes beyond finds no connection, and tries again.
    pub connections_max: usize,
}

/// People who were told something, all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// How many.
    pub count: u32,
    /// When their window starts; without it they were told to come now.
    #[serde(default)]
    pub window_starts_at: Option<DateTime<Utc>>,
}

/// People who were told that their window has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// How many of those whose window started at `from`.
    pub count: u32,
    /// When it was to start.
    pub from: DateTime<Utc>,
    /// When it starts now.
    pub to: DateTime<Utc>,
}

/// People who were told to stay calm and to wait for a new time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calmed {
    /// How many of those whose window starts then.
    pub count: u32,
    /// When.
    pub window_starts_at: DateTime<Utc>,
}

/// What became of everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CrowdView {
    /// People told.
    pub told: u64,
    /// People who came at least once.
    pub came: u64,
    /// Tries, retries included.
    pub tries: u64,
    /// Tries that failed.
    pub failed: u64,
    /// People registered.
    pub registered: u64,
    /// People who gave up after a failure.
    pub gave_up: u64,
    /// People who come because of what they were told.
    pub heeding: u64,
    /// Of them, those registered.
    pub heeding_registered: u64,
    /// People who tried and are not registered, or only half an hour or more after their first try.
    pub missed: u64,
    /// Strangers who came; they count nowhere else but among tries and failures.
    pub strangers: u64,
    /// The same by minute since the simulator began.
    pub by_minute: Vec<CrowdMinute>,
}

/// One minute of the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CrowdMinute {
    /// People told in it.
    pub told: u32,
    /// People who came for the first time.
    pub came: u32,
    /// Tries, retries included.
    pub tries: u32,
    /// Tries that failed.
    pub failed: u32,
    /// People registered.
    pub registered: u32,
}

/// The people of one simulator. Clones share them.
#[derive(Clone, Debug)]
pub struct Crowd {
    options: Arc<CrowdOptions>,
    origin: DateTime<Utc>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    people: Vec<Person>,
    /// When somebody means to try, in milliseconds since the origin, and for which of their plans.
    agenda: BinaryHeap<Reverse<(i64, u32, u16)>>,
    view: CrowdView,
    strangers_per_second: f64,
    /// The part of a stranger who is on the way.
    strangers_due: f64,
    strangers_since_ms: i64,
}

#[derive(Clone, Copy, Debug)]
struct Person {
    is_stranger: bool,
    habit: Habit,
    /// In milliseconds since the origin; none for those told to come now.
    window_starts_ms: Option<i64>,
    next_ms: i64,
    first_try_ms: Option<i64>,
    /// Counts plans: an entry of the agenda with an older number is void.
    plan: u16,
    failures: u16,
    is_registered: bool,
    is_late: bool,
    gave_up: bool,
    /// From this instant on they wait to be told.
    quiet_from_ms: i64,
}

impl Person {
    fn new(habit: Habit, is_stranger: bool, window_starts_ms: Option<i64>, next_ms: i64) -> Self {
        Self {
            is_stranger,
            habit,
            window_starts_ms,
            next_ms,
            first_try_ms: None,
            plan: 0,
            failures: 0,
            is_registered: false,
            is_late: false,
            gave_up: false,
            quiet_from_ms: i64::MAX,
        }
    }

    /// There is something to tell them: they still want to register, and their time matters to them.
    fn listens(&self) -> bool {
        let untroubled = self.habit == Habit::Whenever && self.failures == 0;
        !self.is_registered && self.habit != Habit::Never && !untroubled
    }
}

impl Crowd {
    /// Nobody yet; the record's minutes count from now.
    pub fn new(options: CrowdOptions) -> Self {
        let state = State {
            rng: StdRng::seed_from_u64(options.seed),
            people: Vec::new(),
            agenda: BinaryHeap::new(),
            view: CrowdView::default(),
            strangers_per_second: 0.0,
            strangers_due: 0.0,
            strangers_since_ms: 0,
        };
        Self {
            origin: options.clock.now(),
            options: Arc::new(options),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// People hear of their windows now. False, and nobody, if they are too many.
    pub fn tell(&self, told: &[Told]) -> bool {
        let now_ms = self.ms(self.options.clock.now());
        let mut state = self.state();
        let count: u64 = told.iter().map(|told| u64::from(told.count)).sum();
        if state.people.len() as u64 + count > PEOPLE_LEN_MAX as u64 {
            return false;
        }
        for told in told {
            let window_starts_ms = told.window_starts_at.map(|at| self.ms(at));
            for _ in 0..told.count {
                state.tell_one(&self.options.habits, window_starts_ms, now_ms);
            }
        }
        state.view.told += count;
        state.minute(now_ms).told += count as u32;
        true
    }

    /// People are told that their windows have moved; those who read it in time and heed it come later.
    /// Gives how many were still to come.
    pub fn move_windows(&self, moved: &[Moved]) -> u64 {
        let now_ms = self.ms(self.options.clock.now());
        let mut state = self.state();
        moved
            .iter()
            .map(|moved| {
                let (from_ms, to_ms) = (self.ms(moved.from), self.ms(moved.to));
                u64::from(state.move_window(&self.options.habits, from_ms, to_ms, moved.count, now_ms))
            })
            .sum()
    }

    /// People are told to stay calm.
    pub fn calm(&self, calmed: &[Calmed]) {
        let now_ms = self.ms(self.options.clock.now());
        let mut state = self.state();
        for calmed in calmed {
            let starts_ms = self.ms(calmed.window_starts_at);
            state.calm(&self.options.habits, starts_ms, calmed.count, now_ms);
        }
    }

    /// Lets so many strangers come a second, evenly, from now on.
    pub fn set_strangers(&self, per_second: f64) {
        let now_ms = self.ms(self.options.clock.now());
        let mut state = self.state();
        state.strangers(now_ms);
        state.strangers_per_second = per_second;
    }

    /// What became of everybody so far.
    pub fn view(&self) -> CrowdView {
        let state = self.state();
        let missed = state.people.iter().filter(|person| {
            let tried = person.first_try_ms.is_some() || person.failures > 0;
            !person.is_stranger && ((tried && !person.is_registered) || person.is_late)
        });
        CrowdView {
            missed: missed.count() as u64,
            ..state.view.clone()
        }
    }

    /// Lets people come until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let speed = match &self.options.clock {
            Clock::Fast { factor, .. } => *factor,
            Clock::System | Clock::Manual(_) => 1.0,
        };
        let timeout = Duration::from_secs_f64(self.options.timeout_seconds / speed);
        let built = reqwest::Client::builder()
            .no_proxy() // it is on this machine
            .timeout(timeout.max(Duration::from_millis(200)))
            .pool_max_idle_per_host(self.options.connections_max)
            .build();
        let Ok(http) = built else {
            tracing::error!("the people have no HTTP client, and stay at home");
            return;
        };
        let mut tries: JoinSet<(u32, bool)> = JoinSet::new();
        while stop.run_until_cancelled(tokio::time::sleep(TICK)).await.is_some() {
            let now_ms = self.ms(self.options.clock.now());
            while let Some(ended) = tries.try_join_next() {
                if let Ok((person, registered)) = ended {
                    self.state()
                        .ended(&self.options.habits, person, registered, now_ms);
                }
            }
            let due = {
                let mut state = self.state();
                state.strangers(now_ms);
                state.due(now_ms)
            };
            for person in due {
                if tries.len() >= self.options.connections_max {
                    self.state().ended(&self.options.habits, person, false, now_ms);
                    continue;
                }
                let request = self.request(&http, person);
                tries.spawn(async move {
                    let answered = request.send().await;
                    (person, answered.is_ok_and(|answer| answer.status().is_success()))
                });
            }
        }
    }

    fn request(&self, http: &reqwest::Client, person: u32) -> reqwest::RequestBuilder {
        let name = format!("{:x}-{person}", self.options.seed);
        let request = http
            .post(format!("{}/v1/registrations", self.options.url))
            .header(IDEMPOTENCY_KEY, &name)
            .json(&serde_json::json!({ "ref": name, "round": "simulated", "unit": "simulated", "source": "online" }));
        match &self.options.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn ms(&self, at: DateTime<Utc>) -> i64 {
        (at - self.origin).num_milliseconds()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_ms(seconds: f64) -> i64 {
    TimeDelta::milliseconds((seconds * 1000.0) as i64).num_milliseconds()
}

impl State {
    fn tell_one(&mut self, habits: &Habits, window_starts_ms: Option<i64>, now_ms: i64) {
        let habit = habits.draw(&mut self.rng);
        let read_ms = now_ms + to_ms(habits.read_after(&mut self.rng));
        let next_ms = match (habit, window_starts_ms) {
            (Habit::Never, _) => i64::MAX,
            (Habit::OnReading, _) | (_, None) => read_ms,
            (Habit::AtStart | Habit::ThroughWindow, Some(starts_ms)) => {
                // Who reads it late comes late.
                read_ms.max(starts_ms + to_ms(habits.from_start(habit, &mut self.rng)))
            }
            (Habit::Whenever, Some(_)) => now_ms + to_ms(WHENEVER_SECONDS * self.rng.random::<f64>()),
        };
        let index = self.people.len() as u32;
        self.people
            .push(Person::new(habit, false, window_starts_ms, next_ms));
        self.view.heeding += u64::from(!matches!(habit, Habit::Never | Habit::Whenever));
        if habit != Habit::Never {
            self.agenda.push(Reverse((next_ms, index, 0)));
        }
    }

    /// The strangers since this was last asked come now.
    fn strangers(&mut self, now_ms: i64) {
        let seconds = (now_ms - self.strangers_since_ms) as f64 / 1000.0;
        self.strangers_since_ms = now_ms;
        self.strangers_due += seconds.max(0.0) * self.strangers_per_second;
        while self.strangers_due >= 1.0 && self.people.len() < PEOPLE_LEN_MAX {
            self.strangers_due -= 1.0;
            let index = self.people.len() as u32;
            self.people.push(Person::new(Habit::Whenever, true, None, now_ms));
            self.agenda.push(Reverse((now_ms, index, 0)));
        }
    }

    fn move_window(
        &mut self,
        habits: &Habits,
        from_ms: i64,
        moved_to_ms: i64,
        count: u32,
        now_ms: i64,
    ) -> u32 {
        let mut left = count;
        for index in 0..self.people.len() {
            let person = self.people[index];
            if left == 0 {
                break;
            }
            if person.window_starts_ms != Some(from_ms) {
                continue;
            }
            left -= 1;
            self.people[index].window_starts_ms = Some(moved_to_ms);
            if !person.listens() {
                continue;
            }
            let read_ms = now_ms + to_ms(habits.correction_read_after(&mut self.rng));
            // Who waits to be told a time comes at it.
            let waits = person.quiet_from_ms <= read_ms;
            let heeds = waits || self.rng.random::<f64>() < habits.heed;
            let came_before = !waits && person.failures == 0 && read_ms >= person.next_ms;
            if !heeds || came_before {
                continue;
            }
            // A new time is a new invitation, to those who gave up as well.
            let person = &mut self.people[index];
            self.view.gave_up -= u64::from(person.gave_up);
            (person.gave_up, person.failures, person.first_try_ms) = (false, 0, None);
            person.quiet_from_ms = i64::MAX;
            let start_ms = moved_to_ms + to_ms(habits.from_start(Habit::AtStart, &mut self.rng));
            self.plan(index as u32, read_ms.max(start_ms));
        }
        count - left
    }

    /// Those who read that they are to stay calm, and heed it, do not try until they are told a new time; whose window
    /// is still to come wait for it.
    fn calm(&mut self, habits: &Habits, starts_ms: i64, count: u32, now_ms: i64) {
        let mut left = count;
        for index in 0..self.people.len() {
            let person = self.people[index];
            if left == 0 {
                break;
            }
            if person.window_starts_ms != Some(starts_ms) {
                continue;
            }
            left -= 1;
            if !person.listens() || person.gave_up {
                continue;
            }
            let read_ms = now_ms + to_ms(habits.correction_read_after(&mut self.rng));
            if self.rng.random::<f64>() >= habits.heed || person.quiet_from_ms <= read_ms {
                continue;
            }
            if starts_ms <= read_ms {
                self.people[index].quiet_from_ms = read_ms;
            } else if person.next_ms < starts_ms - to_ms(habits.early_seconds) {
                let person = &mut self.people[index];
                (person.failures, person.first_try_ms) = (0, None);
                let comes_ms = starts_ms + to_ms(habits.from_start(Habit::AtStart, &mut self.rng));
                self.plan(index as u32, read_ms.max(comes_ms));
            }
        }
    }

    fn plan(&mut self, index: u32, at_ms: i64) {
        let person = &mut self.people[index as usize];
        person.plan = person.plan.wrapping_add(1);
        person.next_ms = at_ms;
        self.agenda.push(Reverse((at_ms, index, person.plan)));
    }

    /// Who tries now.
    fn due(&mut self, now_ms: i64) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(&Reverse((at_ms, index, plan))) = self.agenda.peek()
            && at_ms <= now_ms
        {
            self.agenda.pop();
            let person = &mut self.people[index as usize];
            if person.plan != plan || person.is_registered || person.quiet_from_ms <= now_ms {
                continue;
            }
            // It is under way: a correction comes too late now.
            person.next_ms = i64::MIN;
            person.first_try_ms = person.first_try_ms.or(Some(now_ms));
            let is_first = person.failures == 0 && !person.is_stranger;
            let is_new_stranger = person.failures == 0 && person.is_stranger;
            due.push(index);
            self.view.tries += 1;
            self.view.came += u64::from(is_first);
            self.view.strangers += u64::from(is_new_stranger);
            let minute = self.minute(now_ms);
            minute.tries += 1;
            minute.came += u32::from(is_first);
        }
        due
    }

    fn ended(&mut self, habits: &Habits, index: u32, registered: bool, now_ms: i64) {
        let counts = u32::from(!self.people[index as usize].is_stranger);
        if registered {
            self.view.registered += u64::from(counts);
            let person = &mut self.people[index as usize];
            person.is_registered = true;
            person.is_late = now_ms - person.first_try_ms.unwrap_or(now_ms) >= LATE_MS;
            self.view.heeding_registered += u64::from(counts > 0 && person.habit != Habit::Whenever);
            self.minute(now_ms).registered += counts;
            return;
        }
        self.view.failed += 1;
        self.minute(now_ms).failed += 1;
        let person = &mut self.people[index as usize];
        person.failures = person.failures.saturating_add(1);
        let failures = u32::from(person.failures);
        match habits.retry_after(failures, &mut self.rng) {
            Some(seconds) => self.plan(index, now_ms + to_ms(seconds)),
            None => {
                self.people[index as usize].gave_up = true;
                self.view.gave_up += u64::from(counts);
            }
        }
    }

    fn minute(&mut self, now_ms: i64) -> &mut CrowdMinute {
        let minute = (now_ms.max(0) / 60_000) as usize;
        let minute = minute.min(MINUTES_LEN_MAX - 1);
        let minutes = &mut self.view.by_minute;
        if minutes.len() <= minute {
            minutes.resize(minute + 1, CrowdMinute::default());
        }
        &mut minutes[minute]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who tries until then, all in vain.
    fn fail_until(crowd: &Crowd, now_ms: i64) -> u64 {
        let before = crowd.view().tries;
        let habits = crowd.options.habits;
        loop {
            let due = crowd.state().due(now_ms);
            if due.is_empty() {
                return crowd.view().tries - before;
            }
            for person in due {
                crowd.state().ended(&habits, person, false, now_ms);
            }
        }
    }

    #[test]
    fn those_who_are_told_to_stay_calm_wait_for_a_new_time_and_come_at_it() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let habits = Habits {
            persistence: 1.0,
            ..Habits::default()
        };
        let crowd = Crowd::new(CrowdOptions {
            url: String::new(),
            token: None,
            clock: clock.clone(),
            habits,
            seed: 1,
            timeout_seconds: 10.0,
            connections_max: 1,
        });
        let minute_ms = |minute: i64| minute * 60_000;
        let told = Told {
            count: 1_000,
            window_starts_at: Some(clock.now()),
        };
        assert!(crowd.tell(&[told]));
        fail_until(&crowd, minute_ms(20));
        let restless = fail_until(&crowd, minute_ms(30));
        clock.advance(TimeDelta::minutes(30));
        let calmed = Calmed {
            count: 1_000,
            window_starts_at: DateTime::UNIX_EPOCH,
        };
        crowd.calm(&[calmed]);
        fail_until(&crowd, minute_ms(60));
        let calm = fail_until(&crowd, minute_ms(70));
        assert!(calm < restless / 2, "{calm} tries, {restless} before");
        clock.advance(TimeDelta::minutes(40));
        let moved = Moved {
            count: 1_000,
            from: DateTime::UNIX_EPOCH,
            to: DateTime::UNIX_EPOCH + TimeDelta::minutes(120),
        };
        let came = crowd.view().came;
        assert_eq!(crowd.move_windows(&[moved]), 1_000);
        assert!(fail_until(&crowd, minute_ms(115)) < restless / 2);
        fail_until(&crowd, minute_ms(130));
        assert!(crowd.view().came - came > 400, "they come at the new time");
        assert!(crowd.view().missed > 700 && crowd.view().registered == 0);
    }
}
