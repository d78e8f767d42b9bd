//! How a day stands, for `/today`: counts of the worker's own communities, and the registration system's load as a picture.
//! Pure.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

use crate::{
    domain::{
        Area, ChannelKind, DeliveryState, Going, Language, LoadPicture, Scope, Site, SiteReport, Visit,
        VisitState,
    },
    i18n::{Text, Texts},
    pacing::picture,
    store::LoadMinute,
};

/// A report says how a site is for so long.
const REPORT_HOLDS: TimeDelta = TimeDelta::hours(1);

/// What is counted, all of it in the worker's own communities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Notices of the rounds under way; none where there are none.
    pub notices: Option<Notices>,
    /// The sites.
    pub sites: Sites,
    /// Visits at home that are not over.
    pub visits: Visits,
    /// Residents who wait for an answer, and for how many minutes the first of them has.
    pub waiting: (usize, i64),
    /// The registration system's load of the last hours; none where nothing is known.
    pub load: Option<LoadPicture>,
}

/// Notices by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// They arrived.
    pub arrived: u64,
    /// Written, and not through yet.
    pub open: u64,
    /// Refused, or too late.
    pub failed: u64,
    /// To people who have opted out.
    pub stopped: u64,
}

/// Sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sites {
    /// All.
    pub all: usize,
    /// Those that somebody reported from within the hour.
    pub reported: usize,
    /// Of them, those where something is wrong.
    pub in_trouble: usize,
}

/// Visits at home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    /// Nobody has accepted them.
    pub asked: usize,
    /// Accepted.
    pub accepted: usize,
    /// Somebody is on the way.
    pub under_way: usize,
}

impl Notices {
    /// Adds up deliveries by the word of their state; none where there are none.
    pub fn of(counts: &[(String, i64)]) -> Option<Self> {
        let mut all = Self::default();
        for (word, count) in counts {
            let place = match DeliveryState::parse(word)? {
                DeliveryState::Held
                | DeliveryState::Queued
                | DeliveryState::Sending
                | DeliveryState::Accepted => &mut all.open,
                DeliveryState::Delivered | DeliveryState::Sent => &mut all.arrived,
                DeliveryState::Failed | DeliveryState::Expired => &mut all.failed,
                DeliveryState::Suppressed => &mut all.stopped,
                DeliveryState::Cancelled => continue,
            };
            *place += count.unsigned_abs();
        }
        (all != Self::default()).then_some(all)
    }
}

impl Sites {
    /// Counts those that lie in a scope, by the newest report of each.
    pub fn of(scope: &Scope, sites: &[Site], latest: &[SiteReport], now: DateTime<Utc>) -> Self {
        let mut all = Self::default();
        for site in sites {
            let [district, street, community] =
                [&site.district, &site.street, &site.community].map(Clone::clone);
            if !scope.covers(&Area::Community([district, street, community])) {
                continue;
            }
            all.all += 1;
            let report = latest.iter().find(|report| report.site == site.id);
            if let Some(report) = report.filter(|report| now - report.at < REPORT_HOLDS) {
                all.reported += 1;
                all.in_trouble += usize::from(!report.faults().is_empty());
            }
        }
        all
    }
}

impl Visits {
    /// Counts those in a scope.
    pub fn of(scope: &Scope, visits: &[Visit]) -> Self {
        let mut all = Self::default();
        for visit in visits
            .iter()
            .filter(|visit| scope.covers(&Area::of(&visit.place)))
        {
            match visit.state {
                VisitState::Asked => all.asked += 1,
                VisitState::Accepted | VisitState::Scheduled => all.accepted += 1,
                VisitState::OnTheWay => all.under_way += 1,
                _ => {}
            }
        }
        all
    }
}

/// The first minute that the picture of this instant shows.
pub fn load_since(now: DateTime<Utc>) -> DateTime<Utc> {
    let minute = now.timestamp().div_euclid(60) - picture::MINUTES as i64 + 1;
    DateTime::from_timestamp(minute * 60, 0).unwrap_or(now)
}

/// What a picture shows of minutes since [`load_since`]; none where there are none.
pub fn load(minutes: &[LoadMinute], now: DateTime<Utc>, zone: Tz) -> Option<LoadPicture> {
    let since = load_since(now);
    let mut shown = vec![None; picture::MINUTES];
    for load in minutes {
        let place = usize::try_from((load.minute - since).num_minutes()).ok();
        if let Some(bar) = place.and_then(|place| shown.get_mut(place)) {
            // Figures of the registration system: what is no number counts as full.
            let per_cent = (load.utilisation * 100.0).round();
            let per_cent = if per_cent.is_finite() {
                per_cent.clamp(0.0, 200.0)
            } else {
                100.0
            };
            *bar = Some((per_cent as u8, going(&load.mode)));
        }
    }
    let local = since.with_timezone(&zone);
    shown.iter().any(Option::is_some).then(|| LoadPicture {
        from: (local.hour() as u8, local.minute() as u8),
        minutes: shown,
    })
}

fn going(mode: &str) -> Going {
    match mode {
        "paused" => Going::Not,
        "slowed" | "recovering" | "blind" => Going::Slowly,
        _ => Going::Fully,
    }
}

impl Day {
    /// It in words, a line each.
    pub fn lines(&self, texts: &Texts, language: Language) -> Vec<String> {
        let say = |text: &Text<'_>| texts.say(language, ChannelKind::Telegram, text);
        let mut lines = Vec::new();
        if let Some(notices) = &self.notices {
            lines.push(say(&Text::TodayNotices {
                arrived: &notices.arrived.to_string(),
                open: &notices.open.to_string(),
                failed: &notices.failed.to_string(),
                stopped: &notices.stopped.to_string(),
            }));
        }
        lines.push(say(&Text::TodaySites {
            all: &self.sites.all.to_string(),
            reported: &self.sites.reported.to_string(),
            trouble: &self.sites.in_trouble.to_string(),
        }));
        lines.push(say(&Text::TodayVisits {
            asked: &self.visits.asked.to_string(),
            accepted: &self.visits.accepted.to_string(),
            under_way: &self.visits.under_way.to_string(),
        }));
        lines.push(match self.waiting {
            (0, _) => say(&Text::InboxEmpty),
            (count, minutes) => say(&Text::TodayWaiting {
                count: &count.to_string(),
                minutes: &minutes.to_string(),
            }),
        });
        let newest = self
            .load
            .as_ref()
            .and_then(|load| load.minutes.iter().rev().flatten().next());
        lines.push(match newest {
            Some((per_cent, _)) => say(&Text::TodayLoad {
                now: &per_cent.to_string(),
            }),
            None => say(&Text::TodayNoLoad),
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(at: DateTime<Utc>, utilisation: f64, mode: &str) -> LoadMinute {
        LoadMinute {
            minute: at,
            utilisation,
            queue_seconds: 0.0,
            error_rate: 0.0,
            completed_per_second: 1.0,
            mode: mode.into(),
        }
    }

    #[test]
    fn the_load_of_the_last_three_hours_is_shown_with_its_gaps() {
        let now: DateTime<Utc> = "2026-09-03T07:00:42Z".parse().expect("an instant");
        let since = load_since(now);
        assert_eq!(since.to_rfc3339(), "2026-09-03T04:01:00+00:00");
        let minutes = [
            minute(since - TimeDelta::minutes(1), 0.1, "steady"),
            minute(since, 0.5, "steady"),
            minute(since + TimeDelta::minutes(10), 1.4, "paused"),
            minute(since + TimeDelta::minutes(11), f64::NAN, "blind"),
            minute(now, 0.984, "recovering"),
        ];
        let load = load(&minutes, now, chrono_tz::Asia::Shanghai).expect("something is known");
        assert_eq!((load.from, load.minutes.len()), ((12, 1), 180));
        let known: Vec<_> = (0..)
            .zip(&load.minutes)
            .filter_map(|(place, bar)| bar.map(|bar| (place, bar)))
            .collect();
        let expected = [
            (0, (50, Going::Fully)),
            (10, (140, Going::Not)),
            (11, (100, Going::Slowly)),
            (179, (98, Going::Slowly)),
        ];
        assert_eq!(known, expected);
        assert!(picture::png(&load).is_some());
        assert_eq!(super::load(&[], now, chrono_tz::Asia::Shanghai), None);
        assert_eq!(super::load(&minutes[..1], now, chrono_tz::Asia::Shanghai), None);
    }

    #[test]
    fn notices_are_added_up_by_what_became_of_them() {
        assert_eq!(Notices::of(&[]), None);
        let counts = [
            ("queued", 3),
            ("accepted", 2),
            ("sent", 4),
            ("delivered", 5),
            ("expired", 1),
            ("cancelled", 9),
        ];
        let counts: Vec<_> = counts.map(|(word, count)| (word.to_owned(), count)).to_vec();
        let notices = Notices::of(&counts).expect("there are some");
        let expected = Notices {
            arrived: 9,
            open: 5,
            failed: 1,
            stopped: 0,
        };
        assert_eq!(notices, expected);
    }

    #[test]
    fn it_fits_under_a_picture_in_every_language() {
        let texts = Texts::load().expect("whole");
        let many = 1_234_567;
        let day = Day {
            notices: Some(Notices {
                arrived: many,
                open: many,
                failed: many,
                stopped: many,
            }),
            waiting: (many as usize, 10_000),
            load: Some(LoadPicture {
                from: (0, 0),
                minutes: vec![Some((100, Going::Not))],
            }),
            ..Day::default()
        };
        for language in Language::ALL {
            let lines = day.lines(&texts, language);
            // The pacing, rounds, incidents and broadcasts stand above it.
            assert!(lines.join("\n").encode_utf16().count() < 1024 - 300, "{lines:?}");
            let without = Day::default().lines(&texts, language);
            assert_eq!((lines.len(), without.len()), (5, 4));
            assert_ne!(without.last(), lines.last());
        }
    }
}
