//! What a rehearsal saw, second by second, and what it adds up to.

use std::collections::VecDeque;

use serde::Serialize;

/// Sums over the last so many seconds.
#[derive(Debug)]
struct Sliding {
    values: VecDeque<f64>,
    sum: f64,
    seconds: usize,
}

impl Sliding {
    fn over(seconds: usize) -> Self {
        Self {
            values: VecDeque::with_capacity(seconds + 1),
            sum: 0.0,
            seconds,
        }
    }

    fn add(&mut self, value: f64) -> f64 {
        self.values.push_back(value);
        self.sum += value;
        if self.values.len() > self.seconds {
            self.sum -= self.values.pop_front().unwrap_or(0.0);
        }
        self.sum / self.seconds as f64
    }
}

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    /// Sessions begun for the first time, the background included.
    pub fresh: f64,
    /// Sessions begun at all.
    pub offered: f64,
    /// Sessions that the system could complete.
    pub capacity: f64,
    /// Sessions completed.
    pub completed: f64,
    /// Recipients told.
    pub told: f64,
    /// Sessions a second that the law expected.
    pub expected: f64,
}

/// One minute of the curve; sessions or recipients a second, in the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Minute {
    /// Minutes from the first window's start.
    pub minute: i64,
    /// Recipients told.
    pub told: f64,
    /// Sessions expected by the law.
    pub expected: f64,
    /// Sessions begun, retries included.
    pub arrived: f64,
    /// Sessions completed.
    pub registered: f64,
    /// Sessions that the system could complete.
    pub capacity: f64,
}

/// Gathers the seconds of a day.
#[derive(Debug)]
pub struct Measure {
    fresh: Sliding,
    offered: Sliding,
    /// The most sessions begun for the first time, in the mean of 60 s.
    pub peak: f64,
    /// Seconds in which more was offered than the system could do, in the mean of 10 s.
    pub overload_seconds: u32,
    /// By minute.
    pub curve: Vec<Minute>,
    minute: Minute,
    seconds: u32,
}

impl Measure {
    /// Nothing seen yet; the first minute is so many minutes from the first window.
    pub fn new(first_minute: i64) -> Self {
        Self {
            fresh: Sliding::over(60),
            offered: Sliding::over(10),
            peak: 0.0,
            overload_seconds: 0,
            curve: Vec::new(),
            minute: Minute {
                minute: first_minute,
                ..Minute::default()
            },
            seconds: 0,
        }
    }

    /// Takes a second in.
    pub fn add(&mut self, second: &Second) {
        self.peak = self.peak.max(self.fresh.add(second.fresh));
        self.overload_seconds += u32::from(self.offered.add(second.offered) > second.capacity);
        let share = 1.0 / 60.0;
        self.minute.told += second.told * share;
        self.minute.expected += second.expected * share;
        self.minute.arrived += second.offered * share;
        self.minute.registered += second.completed * share;
        self.minute.capacity += second.capacity * share;
        self.seconds += 1;
        if self.seconds == 60 {
            let next = self.minute.minute + 1;
            self.curve.push(std::mem::take(&mut self.minute));
            self.minute.minute = next;
            self.seconds = 0;
        }
    }
}
