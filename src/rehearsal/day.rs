//! A day in virtual time: the production planner's windows, law and release decisions, against people and a
//! registration system. The law sees load samples and nothing else.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};
use rand_distr::{Distribution, StandardNormal};

use super::{
    city::Scene,
    crowd::Crowd,
    measure::{Measure, Second},
    others::Others,
    scenario::{Readings, Scenario, Without},
};
use crate::{
    domain::{ChannelKind, LoadSample},
    pacing::{
        forecast::Forecast,
        kernel::{Response, Responses},
        law::{self, Action, Decision, Mode, Params, Tick, WindowOrder},
        release::{self, CityGate, CityPace, ReleaseGate, RoundGate, Waiting},
    },
    planner,
    registration::simulator::{
        model::{Fate, Offer, ServerModel, Settings},
        people::Habits,
    },
    release::moves::{self, Ground, Minutes},
};

/// Seconds of a day.
pub const DAY_SECONDS: f64 = 24.0 * 3600.0;
/// Before the first notice the day has begun.
const BEFORE: i64 = 600;
/// So many seconds after the last window the day is over.
const AFTERWARDS: u32 = 2 * 3600;
/// Windows that all start together every so many minutes: what some cities announced.
const COMMON_GRID_MINUTES: u32 = 30;
/// Reports come every so many seconds, and arrive a period late.
const PERIOD: u32 = law::PERIOD.num_seconds() as u32;
/// Reports are wrong by this much, as a standard deviation.
const REPORT_NOISE: f64 = 0.03;
/// Of told people, those who still come at the old time when their window moves: they do not heed it, or read too late.
const STAY_BEHIND: f64 = 0.325;

/// What the day is made of.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What goes wrong.
    pub scenario: Scenario,
    /// What the law is set to.
    pub params: Params,
    /// Corrections and calm notices a second that the channels carry at most; none: as many as there are.
    pub corrections_per_second: Option<f64>,
    /// Everything by chance comes from it.
    pub seed: u64,
    /// No Weir: everybody is told at once, so many seconds before a common start.
    pub at_once: bool,
    /// What is left out, to see what it is for.
    pub without: Option<Without>,
    /// How the model is read.
    pub readings: Readings,
}

/// What the day came to.
#[derive(Debug)]
pub struct DaySeen {
    /// Seconds and minutes.
    pub measure: Measure,
    /// Recipients who come because of their notice.
    pub coming: u64,
    /// Those of all recipients who came in vain, or only got through long after their first try.
    pub missed: u64,
    /// When 99 of 100 of the coming were registered, in seconds after the first window.
    pub done_99: Option<i64>,
    /// The same for an oracle that fills the capacity that is left.
    pub oracle_99: Option<i64>,
    /// The last report of more than one error in a hundred, in seconds after the first window.
    pub last_errors: Option<i64>,
    /// When the rate first was at or below the safe one after the feed fell silent, in seconds from then.
    pub safe_after: Option<i64>,
    /// Windows that moved, and of these the ones that had been told.
    pub moved: (u64, u64),
    /// Each change of mode, in seconds after the first window.
    pub modes: Vec<(i64, Mode)>,
}

/// The day as it goes.
struct Day<'a> {
    setting: &'a Setting,
    scene: Scene,
    /// Told windows come first, in the order of their starts; then the others, in theirs.
    order: Vec<u32>,
    told: usize,
    crowd: Crowd,
    server: ServerModel,
    forecast: Forecast,
    /// Recipients of each window that the forecast counts at its start.
    counted: Vec<f64>,
    response: Response,
    state: law::State,
    decision: Option<Decision>,
    round: Vec<RoundGate>,
    city: CityGate,
    corrections: VecDeque<Correction>,
    corrections_due: f64,
    rng: Xoshiro256PlusPlus,
    /// Second 0 in minutes from the round's first midnight.
    origin_minute: i64,
    /// The first window's start, in seconds.
    first: u32,
    seen: DaySeen,
    report: Option<LoadSample>,
    others: Others,
    /// Sessions that the oracle has completed.
    oracle: f64,
}

/// Something that told people are to read.
#[derive(Clone, Copy, Debug)]
enum Correction {
    /// Stay calm and wait to be told.
    Calm(u32),
    /// The window starts then.
    Window(u32, u32),
}

/// Plays the day to its end.
pub fn play(scene: Scene, setting: &Setting) -> DaySeen {
    let mut day = Day::new(scene, setting);
    let end = day.end();
    let mut second = 0;
    while second < end && !day.is_over(second) {
        day.second(second);
        second += 1;
    }
    day.seen.missed = day.crowd.missed(second);
    day.seen
}

fn at(second: u32) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::from(second))
}

impl<'a> Day<'a> {
    #[expect(clippy::too_many_lines, reason = "one field after the other")]
    fn new(mut scene: Scene, setting: &'a Setting) -> Self {
        if setting.without == Some(Without::Spread) {
            for window in &mut scene.windows {
                window.start -= window.start % COMMON_GRID_MINUTES;
            }
        }
        let origin_minute = scene.notices_from - BEFORE / 60;
        let second_of = |minute: u32| ((i64::from(minute) - origin_minute).max(0) * 60) as u32;
        let first = scene
            .windows
            .iter()
            .map(|window| second_of(window.start))
            .min()
            .unwrap_or(0);
        let end = first + DAY_SECONDS as u32;
        let recipients: u64 = scene
            .windows
            .iter()
            .map(|window| u64::from(window.recipients))
            .sum();
        let day_ends = if setting.readings.whenever_in_round {
            let last = scene.windows.iter().map(|window| second_of(window.start)).max();
            last.unwrap_or(end).clamp(first + 1, end)
        } else {
            end
        };
        let crowd = Crowd::new(
            scene.windows.iter().map(|window| window.recipients),
            Habits::default(),
            first..day_ends,
            end,
            setting.seed,
        );
        let mut forecast = Forecast::new(&Responses::default(), at(0), end / 3600 + 2);
        for window in &scene.windows {
            forecast.add_starts(
                at(second_of(window.start)),
                ChannelKind::Sms,
                f64::from(window.recipients),
            );
        }
        forecast.add_whenever(at(first), at(day_ends), ChannelKind::Sms, recipients as f64);
        let notices_from = at(BEFORE as u32);
        let ahead = scene
            .ahead_minutes
            .map(|minutes| TimeDelta::minutes(i64::from(minutes)));
        Self {
            setting,
            order: (0..scene.windows.len() as u32).collect(),
            told: 0,
            server: ServerModel::new(Settings::reference(setting.params.nominal_capacity)),
            forecast,
            counted: scene
                .windows
                .iter()
                .map(|window| f64::from(window.recipients))
                .collect(),
            response: Response::default(),
            state: law::State::default(),
            decision: None,
            round: vec![RoundGate::new(
                ReleaseGate::new(notices_from),
                scene.per_minute,
                ahead,
            )],
            city: CityGate::new(at(0), CityPace::Stopped),
            corrections: VecDeque::new(),
            corrections_due: 0.0,
            rng: Xoshiro256PlusPlus::seed_from_u64(setting.seed ^ 0x0005_EED5),
            origin_minute,
            first,
            seen: DaySeen {
                measure: Measure::new(-i64::from(first) / 60),
                coming: crowd.coming(),
                missed: 0,
                done_99: None,
                oracle_99: None,
                last_errors: None,
                safe_after: None,
                moved: (0, 0),
                modes: Vec::new(),
            },
            crowd,
            scene,
            report: None,
            others: Others::new(
                Habits::default(),
                setting.readings.rumour_retries,
                Xoshiro256PlusPlus::seed_from_u64(setting.seed ^ 0x0001_2E77),
            ),
            oracle: 0.0,
        }
    }

    fn end(&self) -> u32 {
        self.first + DAY_SECONDS as u32
    }

    /// Nothing more is to be seen: everybody has been told, the last window is long past, and all is well.
    fn is_over(&self, second: u32) -> bool {
        let last = self.order.last().map_or(0, |&window| self.start_of(window));
        let well = self.state.mode == Mode::Steady && self.server.waiting() == 0;
        !self.setting.at_once
            && well
            && self.told == self.order.len()
            && second > last + AFTERWARDS
            && self.since(second) > self.setting.scenario.disturbed_until().unwrap_or(0)
    }

    fn start_of(&self, window: u32) -> u32 {
        let minute = i64::from(self.scene.windows[window as usize].start);
        ((minute - self.origin_minute).max(0) * 60) as u32
    }

    fn since(&self, second: u32) -> i64 {
        i64::from(second) - i64::from(self.first)
    }

    fn second(&mut self, second: u32) {
        let since = self.since(second);
        let share = self.seen.coming.max(1) as f64;
        self.server
            .set_capacity_factor(self.setting.scenario.capacity(since));
        self.crowd.set_time_scale(
            self.setting
                .scenario
                .time_scale(self.crowd.registered_count() as f64 / share),
        );
        if second.is_multiple_of(PERIOD) {
            self.steer(second);
        }
        self.correct(second);
        let told = if self.setting.at_once {
            self.tell_at_once(second)
        } else {
            self.tell(second)
        };
        let mut seen = self.register(second);
        seen.told = told;
        seen.expected =
            self.forecast.expected_per_second(at(second), &self.state.speed) + self.setting.params.background;
        self.seen.measure.add(&seen);
        self.count(second, &seen);
    }

    /// A report, and the law's step.
    fn steer(&mut self, second: u32) {
        let since = self.since(second);
        let newest = self.take_report(second);
        if self.setting.at_once {
            return;
        }
        let heard = self
            .report
            .replace(newest)
            .filter(|_| !self.setting.scenario.is_silent(since));
        let tick = Tick {
            now: at(second),
            sample: heard,
            expected: &self.forecast,
            telegram_share: 0.0,
            by_hand: None,
        };
        let decision = law::step(&self.setting.params, &mut self.state, &tick);
        self.city.pace = match self.setting.without {
            Some(Without::Feedback) => CityPace::Unsteered,
            _ => CityPace::from_rate(decision.per_second),
        };
        if self.seen.modes.last().map(|(_, mode)| *mode) != Some(decision.mode) {
            self.seen.modes.push((since, decision.mode));
        }
        self.watch_silence(since, decision.per_second);
        let moves = !matches!(self.setting.without, Some(Without::Moves | Without::Feedback));
        if moves && decision.actions.contains(&Action::Calm) {
            self.calm(second);
        }
        let order = decision.order.or_else(|| self.behind(second, &decision));
        let unspread = self.setting.without == Some(Without::Spread);
        if let Some(order) = order.filter(|order| (moves || !order.told) && !unspread) {
            self.move_windows(second, &order);
        }
        self.decision = Some(decision);
    }

    /// What the registration system reports of the last few seconds.
    fn take_report(&mut self, second: u32) -> LoadSample {
        let counts = self.server.take_counts();
        let mut noise = || {
            let normal: f64 = StandardNormal.sample(&mut self.rng);
            (1.0 + REPORT_NOISE * normal).max(0.0)
        };
        if counts.error_rate() > 0.01 {
            self.seen.last_errors = Some(i64::from(second) - i64::from(self.first));
        }
        let seconds = f64::from(PERIOD);
        LoadSample {
            as_of: at(second),
            started_per_second: counts.started as f64 / seconds * noise(),
            completed_per_second: counts.completed as f64 / seconds * noise(),
            capacity_per_second: None,
            utilisation: (counts.utilisation() * noise()).min(1.0),
            queue_seconds: self.server.queue_seconds(),
            p95_ms: None,
            error_rate: counts.error_rate(),
        }
    }

    fn watch_silence(&mut self, since: i64, per_second: f64) {
        let Some(from) = self.setting.scenario.silent_from() else {
            return;
        };
        let params = &self.setting.params;
        let safe = params.safe_share * params.set_point * params.nominal_capacity / self.response.heed();
        if since > from && self.seen.safe_after.is_none() && per_second <= safe {
            self.seen.safe_after = Some(since - from);
        }
    }

    /// Told units whose people may be trying are told to stay calm.
    fn calm(&mut self, second: u32) {
        let order = WindowOrder {
            told: true,
            paused: true,
            starts_per_second: 0.0,
            failing_since: None,
        };
        let from = order.reaches_back_to(at(second));
        for &window in &self.order[..self.told] {
            if at(self.start_of(window)) >= from {
                self.corrections.push_back(Correction::Calm(window));
            }
        }
    }

    /// Once a minute: whether telling fell behind, by the production decision. The round's lead is the longest there is.
    fn behind(&self, second: u32, decision: &Decision) -> Option<WindowOrder> {
        let next = self.order.get(self.told).filter(|_| second.is_multiple_of(60))?;
        let (first, next) = (at(self.first), at(self.start_of(*next)));
        moves::behind(
            first,
            next,
            TimeDelta::MAX,
            decision.starts_per_second,
            at(second),
        )
    }

    /// Moves windows as an order says, by the production decision.
    fn move_windows(&mut self, second: u32, order: &WindowOrder) {
        let now = at(second);
        let reach = order.reaches_back_to(now);
        let began = self.order[..self.told].partition_point(|&window| at(self.start_of(window)) < reach);
        let windows: Vec<planner::Announced> = (began..self.order.len())
            .map(|place| planner::Announced {
                told: place < self.told,
                ..self.scene.windows[self.order[place] as usize]
            })
            .collect();
        let origin = self.origin_minute;
        let ground = Ground {
            supply: &self.scene.supply,
            given: &self.scene.given,
            response: &self.response,
            minutes: Minutes {
                instant: &|minute| at(((i64::from(minute) - origin).max(0) * 60) as u32),
                minute: &|at| ((at.timestamp() + 59).div_euclid(60) + origin).max(0) as u32,
            },
        };
        let mut starts = BTreeMap::new();
        for moved in moves::moved(&windows, order, &ground, now) {
            let place = began + moved.index as usize;
            let told = (place < self.told).then_some(order);
            self.move_window(second, self.order[place], moved.start, told, &mut starts);
        }
        if self.setting.without != Some(Without::ForecastOfMoves) {
            for (start, recipients) in starts {
                self.forecast.add_starts(at(start), ChannelKind::Sms, recipients);
            }
        }
        let scene = &self.scene;
        let by_start = |window: &u32| (scene.windows[*window as usize].start, *window);
        self.order[..self.told].sort_by_key(by_start);
        self.order[self.told..].sort_by_key(by_start);
    }

    /// Moves a window, which was told if there is an order for such; `starts` gathers by how much fewer or more come
    /// for which start.
    fn move_window(
        &mut self,
        second: u32,
        window: u32,
        start: u32,
        told: Option<&WindowOrder>,
        starts: &mut BTreeMap<u32, f64>,
    ) {
        let before = self.start_of(window);
        let counted = self.counted[window as usize];
        let (leaving, coming) = match told {
            Some(order) => {
                let leaving = counted * (1.0 - STAY_BEHIND);
                let coming = order.still_coming(&self.response, at(before), at(second));
                (leaving, leaving * coming)
            }
            None => (counted, counted),
        };
        self.counted[window as usize] = coming;
        self.scene.windows[window as usize].start = start;
        let after = self.start_of(window);
        *starts.entry(before).or_default() -= leaving;
        *starts.entry(after).or_default() += coming;
        self.seen.moved.0 += 1;
        if told.is_some() {
            self.scene.windows[window as usize].moves += 1;
            self.seen.moved.1 += 1;
            self.corrections.push_back(Correction::Window(window, after));
        }
    }

    /// Corrections leave, as fast as the channels carry them.
    fn correct(&mut self, second: u32) {
        let per_second = self.setting.corrections_per_second.unwrap_or(f64::INFINITY);
        self.corrections_due = (self.corrections_due + per_second).min(per_second);
        while self.corrections_due > 0.0
            && let Some(correction) = self.corrections.pop_front()
        {
            let (Correction::Calm(window) | Correction::Window(window, _)) = correction;
            match correction {
                Correction::Calm(window) => self.crowd.calm(window as usize, second),
                // A newer one has taken its place.
                Correction::Window(_, start) if start != self.start_of(window) => continue,
                Correction::Window(window, start) => self.crowd.correct(window as usize, second, start),
            }
            self.corrections_due -= f64::from(self.scene.windows[window as usize].recipients);
        }
    }

    /// Units whose turn it is are told, by the production release decision. Gives their recipients.
    fn tell(&mut self, second: u32) -> f64 {
        for round in &mut self.round {
            (round.admitted, round.closed) = (0, false);
        }
        let scene = &self.scene;
        let start_of = |window: u32| {
            let minute = i64::from(scene.windows[window as usize].start);
            ((minute - self.origin_minute).max(0) * 60) as u32
        };
        let waiting = self.order[self.told..].iter().map(|&window| Waiting {
            round: 0,
            starts_at: at(start_of(window)),
            recipients: scene.windows[window as usize].recipients,
        });
        let admitted = release::next(waiting, &mut self.round, &mut self.city, at(second));
        let mut recipients = 0.0;
        for &window in &self.order[self.told..self.told + admitted] {
            recipients += f64::from(scene.windows[window as usize].recipients);
            self.crowd.tell(window as usize, second, start_of(window));
        }
        self.told += admitted;
        if recipients > 0.0 {
            self.forecast.add_told(at(second), ChannelKind::Sms, recipients);
        }
        recipients
    }

    /// Without Weir: everybody is told when the first would be, to come at the first window's start.
    fn tell_at_once(&mut self, second: u32) -> f64 {
        if i64::from(second) != BEFORE {
            return 0.0;
        }
        self.crowd.tell_everybody(second, self.first);
        self.scene
            .windows
            .iter()
            .map(|window| f64::from(window.recipients))
            .sum()
    }

    /// A second of the registration system.
    fn register(&mut self, second: u32) -> Second {
        let capacity = self.setting.params.nominal_capacity;
        let rumour = self.setting.scenario.others(self.since(second)) * capacity;
        let background = self.setting.params.background;
        let (trying, fresh) = self.crowd.trying(second);
        let brought = self.others.come(&mut self.server, second, background, rumour);
        let offered = trying.len() as f64 + f64::from(brought.offered);
        let (crowd, others) = (&mut self.crowd, &mut self.others);
        for id in trying {
            if self.server.offer(id) == Offer::Refused {
                crowd.failed(id, second);
            }
        }
        let mut completed = 0;
        self.server.advance(f64::from(second) + 1.0, |id, fate| {
            let done = matches!(fate, Fate::Done { .. });
            completed += u32::from(done);
            match (Others::is_theirs(id), done) {
                (true, true) => {}
                (true, false) => others.failed(id, second),
                (false, true) => crowd.registered(id, second),
                (false, false) => crowd.failed(id, second),
            }
        });
        Second {
            fresh: f64::from(fresh + brought.fresh),
            offered,
            capacity: self.server.capacity_per_second(),
            completed: f64::from(completed),
            ..Second::default()
        }
    }

    fn count(&mut self, second: u32, seen: &Second) {
        let since = self.since(second);
        let wanted = 0.99 * self.seen.coming as f64;
        if self.seen.done_99.is_none() && self.crowd.registered_count() as f64 >= wanted {
            self.seen.done_99 = Some(since);
        }
        if since < 0 || self.seen.oracle_99.is_some() {
            return;
        }
        let params = &self.setting.params;
        let others = self.setting.scenario.others(since) * params.nominal_capacity;
        let whenever = self.forecast.whenever_per_second(at(second));
        self.oracle += (seen.capacity - params.background - whenever - others).max(0.0);
        if self.oracle >= wanted {
            self.seen.oracle_99 = Some(since);
        }
    }
}
