//! A registration system as a queue with a capacity, in virtual time: what it does under load, and how it collapses.
//!
//! Requests wait first come, first served. A person who waits longer than their time-out goes away, but the work begun
//! for them is still paid in part. While the backlog is long the system thrashes and works more slowly; where it is
//! full, it refuses at once. So a load that is above its capacity for a while leaves it doing work for people who
//! have gone, and their retries keep it there: the collapse outlives its cause.

use std::collections::VecDeque;

/// What kind of system it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Sessions that it completes a second while all is well.
    pub capacity_per_second: f64,
    /// How long a session takes once its turn has come, in seconds.
    pub service_seconds: f64,
    /// How long people wait before they give this try up, in seconds.
    pub timeout_seconds: f64,
    /// The share of a session's work that is still done for somebody who has gone.
    pub timed_out_cost: f64,
    /// A backlog longer than this many seconds of work slows the system down.
    pub slow_from_seconds: f64,
    /// The share of its speed that is left when it thrashes.
    pub slowest: f64,
    /// How fast its speed falls, and rises again, a second.
    pub slow_per_second: f64,
    /// Requests beyond a backlog of so many seconds of its nominal work are refused at once.
    pub backlog_max_seconds: f64,
}

impl Settings {
    /// The reference model's system at a capacity of so many sessions a second.
    pub fn reference(capacity_per_second: f64) -> Self {
        Self {
            capacity_per_second,
            service_seconds: 0.4,
            timeout_seconds: 10.0,
            timed_out_cost: 0.5,
            slow_from_seconds: 2.0,
            slowest: 0.5,
            slow_per_second: 0.15,
            backlog_max_seconds: 20.0,
        }
    }
}

/// Whether a request was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It waits for its turn; its [`Fate`] follows.
    Queued,
    /// The backlog is full.
    Refused,
}

/// What became of a request that was let in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// Completed; it waited so many seconds, and then took the service time.
    Done {
        /// Seconds before its turn.
        wait_seconds: f64,
    },
    /// The person gave up waiting.
    TimedOut,
    /// The system answered with an error.
    Failed,
}

/// What happened since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Seconds that this speaks of.
    pub seconds: f64,
    /// Requests that came.
    pub started: u64,
    /// Requests completed.
    pub completed: u64,
    /// Requests refused, timed out or failed.
    pub failed: u64,
    /// Sessions' worth of work done, for people who had gone included.
    pub worked: f64,
    /// Sessions' worth of work that could have been done.
    pub could_work: f64,
    /// The longest that one of the completed waited for its turn, in seconds.
    pub longest_wait_seconds: f64,
}

impl Counts {
    /// Share of what it could do that it did, 0 to 1.
    pub fn utilisation(&self) -> f64 {
        if self.could_work > 0.0 {
            (self.worked / self.could_work).min(1.0)
        } else {
            // It could do nothing: all of that is in use, unless no time has passed.
            f64::from(u8::from(self.seconds > 0.0))
        }
    }

    /// Share of the requests with a fate that failed, 0 to 1.
    pub fn error_rate(&self) -> f64 {
        let ended = self.completed + self.failed;
        if ended > 0 {
            self.failed as f64 / ended as f64
        } else {
            0.0
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: u32,
    since: f64,
}

/// The system at one moment.
#[derive(Clone, Debug)]
pub struct ServerModel {
    settings: Settings,
    now: f64,
    /// What is left of the capacity, 0 to 1.
    capacity_factor: f64,
    /// Share of sessions answered with an error, 0 to 1.
    error_rate: f64,
    errors_due: f64,
    /// Share of the speed that thrashing leaves.
    speed: f64,
    queue: VecDeque<Waiting>,
    /// How many at the head of the queue have given up.
    gone: usize,
    /// Work begun on the head of the queue, in sessions.
    begun: f64,
    counts: Counts,
}

impl ServerModel {
    /// An idle system.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: 0.0,
            capacity_factor: 1.0,
            error_rate: 0.0,
            errors_due: 0.0,
            speed: 1.0,
            queue: VecDeque::new(),
            gone: 0,
            begun: 0.0,
            counts: Counts::default(),
        }
    }

    /// Leaves this share of the capacity, 0 to 1.
    pub fn set_capacity_factor(&mut self, factor: f64) {
        self.capacity_factor = factor.clamp(0.0, 1.0);
    }

    /// Answers this share of the sessions with an error, 0 to 1.
    pub fn set_error_rate(&mut self, rate: f64) {
        self.error_rate = rate.clamp(0.0, 1.0);
    }

    /// Sessions a second that it could complete now if it did not thrash.
    pub fn capacity_per_second(&self) -> f64 {
        self.settings.capacity_per_second * self.capacity_factor
    }

    /// Seconds of work that wait.
    pub fn queue_seconds(&self) -> f64 {
        let waiting = self.queue.len() as f64;
        if waiting > 0.0 {
            waiting / self.capacity_per_second().max(1e-9)
        } else {
            0.0
        }
    }

    /// Requests that wait, those of people who have gone included.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// A request comes, now.
    pub fn offer(&mut self, id: u32) -> Offer {
        self.counts.started += 1;
        let room = self.settings.backlog_max_seconds * self.settings.capacity_per_second;
        if self.queue.len() as f64 >= room {
            self.counts.failed += 1;
            return Offer::Refused;
        }
        self.queue.push_back(Waiting { id, since: self.now });
        Offer::Queued
    }

    /// Works until `to`, in seconds on the caller's clock, and tells the fate of each request that has one by then.
    /// Steps of a second are exact enough to see a collapse; shorter ones give finer waits.
    pub fn advance(&mut self, to: f64, mut fate: impl FnMut(u32, Fate)) {
        let seconds = (to - self.now).max(0.0);
        if seconds <= 0.0 {
            return;
        }
        self.adjust_speed(seconds);
        let budget = self.capacity_per_second() * self.speed * seconds;
        let mut left = budget;
        while let Some(&head) = self.queue.front() {
            // Those at the head are worked on first; whether they still wait is known only then.
            let at = self.now + seconds * (1.0 - left / budget.max(1e-12));
            let has_gone = self.gone > 0 || at - head.since >= self.settings.timeout_seconds;
            let cost = if has_gone {
                self.settings.timed_out_cost
            } else {
                1.0
            };
            let missing = (cost - self.begun).max(0.0);
            if missing > left {
                self.begun += left;
                left = 0.0;
                break;
            }
            left -= missing;
            self.begun = 0.0;
            self.queue.pop_front();
            if self.gone > 0 {
                self.gone -= 1;
            } else if has_gone {
                self.counts.failed += 1;
                fate(head.id, Fate::TimedOut);
            } else {
                self.complete(head.id, at - head.since, &mut fate);
            }
        }
        self.now = to;
        self.counts.seconds += seconds;
        self.counts.worked += budget - left;
        self.counts.could_work += budget;
        self.give_up(&mut fate);
    }

    /// What happened since this was last asked.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    fn adjust_speed(&mut self, seconds: f64) {
        let change = self.settings.slow_per_second * seconds;
        self.speed = if self.queue_seconds() > self.settings.slow_from_seconds {
            (self.speed - change).max(self.settings.slowest)
        } else {
            (self.speed + change).min(1.0)
        };
    }

    fn complete(&mut self, id: u32, wait_seconds: f64, fate: &mut impl FnMut(u32, Fate)) {
        self.errors_due += self.error_rate;
        if self.errors_due >= 1.0 - 1e-9 {
            self.errors_due -= 1.0;
            self.counts.failed += 1;
            return fate(id, Fate::Failed);
        }
        self.counts.completed += 1;
        self.counts.longest_wait_seconds = self.counts.longest_wait_seconds.max(wait_seconds);
        fate(id, Fate::Done { wait_seconds });
    }

    /// People who have waited too long go; their requests stay in the queue.
    fn give_up(&mut self, fate: &mut impl FnMut(u32, Fate)) {
        while let Some(waiting) = self.queue.get(self.gone)
            && self.now - waiting.since >= self.settings.timeout_seconds
        {
            self.counts.failed += 1;
            fate(waiting.id, Fate::TimedOut);
            self.gone += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers so many requests each second and counts what was done, second by second.
    fn run(model: &mut ServerModel, seconds: std::ops::Range<u32>, per_second: u32) -> (u32, u32) {
        let (mut done, mut failed) = (0, 0);
        for second in seconds {
            for id in 0..per_second {
                if model.offer(id) == Offer::Refused {
                    failed += 1;
                }
            }
            model.advance(f64::from(second) + 1.0, |_, fate| match fate {
                Fate::Done { .. } => done += 1,
                Fate::TimedOut | Fate::Failed => failed += 1,
            });
        }
        (done, failed)
    }

    #[test]
    fn below_its_capacity_everybody_is_served_at_once() {
        let mut model = ServerModel::new(Settings::reference(100.0));
        assert_eq!(run(&mut model, 0..60, 90), (5400, 0));
        let counts = model.take_counts();
        assert!((counts.utilisation() - 0.9).abs() < 1e-9, "{counts:?}");
        assert!(counts.longest_wait_seconds < 1.0 && model.waiting() == 0);
    }

    #[test]
    fn above_its_capacity_it_collapses_and_does_hardly_anything_any_more() {
        let mut model = ServerModel::new(Settings::reference(100.0));
        run(&mut model, 0..60, 150);
        let (done, failed) = run(&mut model, 60..120, 150);
        assert!(
            done < 600,
            "it works for people who have gone: {done} of 6000 done"
        );
        assert!(failed > 6000);
        assert!(model.take_counts().utilisation() > 0.999);
    }

    #[test]
    fn the_collapse_outlives_its_cause_and_ends_when_the_load_does() {
        let mut model = ServerModel::new(Settings::reference(100.0));
        run(&mut model, 0..60, 300);
        let (done, _) = run(&mut model, 60..90, 95);
        assert!(
            done < 1500,
            "95 a second would be nothing to a healthy one; {done} done"
        );
        run(&mut model, 90..150, 20);
        assert_eq!(run(&mut model, 150..160, 95), (950, 0));
    }

    #[test]
    fn less_capacity_and_errors_show_in_the_counts() {
        let mut model = ServerModel::new(Settings::reference(100.0));
        model.set_capacity_factor(0.5);
        model.set_error_rate(0.1);
        let (done, failed) = run(&mut model, 0..10, 40);
        assert_eq!((done, failed), (360, 40));
        let counts = model.take_counts();
        assert!((counts.utilisation() - 0.8).abs() < 1e-9);
        assert!((counts.error_rate() - 0.1).abs() < 1e-9);
    }
}
