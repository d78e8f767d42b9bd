//! Other times for a household that cannot come at its own: looked up, offered, taken.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::dialogue::{Fetched, Person, Time, TimeOffer};
use crate::{
    config::Config,
    domain::{BuildingId, ResidentId, RoundId, RoundState, Site, SiteId, UnitId, WindowView},
    planner::{
        self, Choice, MustNot, Offer, OfferRequest, Whom,
        request::{self, Calendar, Reach, RoundSpec},
    },
    store::{OwnWindow, Round, Store, StoreError, ToldWindow},
};

/// Neither the old time nor the new one may be nearer: people are on the way by then, and staff count on them.
const NEAR: TimeDelta = TimeDelta::minutes(30);
/// Who missed their time may ask for another so long.
const MISSED: TimeDelta = TimeDelta::hours(24);
/// Times offered at once.
const OFFERS_MAX: usize = 3;

/// Looks up and takes other times.
pub(super) struct Times<'a> {
    pub store: &'a Store,
    pub config: &'a Config,
}

/// A window that can be changed, with its round.
struct Changeable {
    round: Round,
    told: ToldWindow,
}

impl Times<'_> {
    /// Which other times there are; of one of the windows, if the person named it.
    pub(super) async fn other_times(
        &self,
        person: &Person,
        of: Option<(RoundId, UnitId)>,
        now: DateTime<Utc>,
    ) -> Result<Fetched, StoreError> {
        if person.residents.is_empty() {
            return Ok(Fetched::NotProven);
        }
        let (mut changeable, near) = self.changeable(person, now).await?;
        if let Some(of) = of {
            changeable.retain(|one| (one.round.id, one.told.view.unit) == of);
        }
        match changeable.as_slice() {
            [] => Ok(near.map_or(Fetched::NothingToChange, |view| Fetched::TooNear(time(&view)))),
            [only] => self.offers(only, false, now).await,
            several => Ok(Fetched::Which(
                several
                    .iter()
                    .map(|one| (one.round.id, one.told.view.unit, time(&one.told.view)))
                    .collect(),
            )),
        }
    }

    /// The windows of the person's residents that may be changed, each unit's in each live round once; and one that is
    /// too near for it. Whoever is of the green lane may come all the time of a wide window, and may still ask.
    async fn changeable(
        &self,
        person: &Person,
        now: DateTime<Utc>,
    ) -> Result<(Vec<Changeable>, Option<WindowView>), StoreError> {
        let residents: Vec<ResidentId> = person.residents.iter().map(|one| one.resident).collect();
        let told = self.store.told_windows(&residents, &[], now - MISSED).await?;
        let rounds = self.store.rounds().await?;
        let mut changeable: Vec<Changeable> = Vec::new();
        let mut near = None;
        for window in told {
            let live = |round: &&Round| {
                round.id == window.round && matches!(round.state, RoundState::Releasing | RoundState::Paused)
            };
            let Some(round) = rounds.iter().find(live) else {
                continue;
            };
            if window.view.ends_at > now && window.view.starts_at < now + NEAR {
                near = Some(window.view);
                continue;
            }
            let same =
                |one: &Changeable| (one.round.id, one.told.view.unit) == (window.round, window.view.unit);
            match changeable.iter().position(same) {
                // People of one home with two times, such as one of the green lane: they change together.
                Some(index) => changeable[index].told.residents.extend(&window.residents),
                None => changeable.push(Changeable {
                    round: round.clone(),
                    told: window,
                }),
            }
        }
        Ok((changeable, near))
    }

    async fn offers(&self, of: &Changeable, gone: bool, now: DateTime<Utc>) -> Result<Fetched, StoreError> {
        let view = &of.told.view;
        let spec = spec(&of.round)?;
        let sites = self.near_sites(view).await?;
        let zone = self.config.city.time_zone;
        let today = now.with_timezone(&zone).date_naive();
        let calendar = Calendar {
            zone,
            first: spec.date.max(today),
        };
        let offers = if calendar.first <= spec.until {
            self.free(of, &spec, calendar, &sites, now).await?
        } else {
            Vec::new()
        };
        let offered = offers.iter().map(|offer| {
            let starts_at = calendar.instant(offer.day, u32::from(offer.start_minute));
            let ends_at = starts_at + TimeDelta::minutes(i64::from(offer.minutes));
            let site = &sites[offer.site];
            let shown = Time {
                starts_at,
                ends_at,
                site: site.name.clone(),
                place: view.place.within_community(),
            };
            let offer = TimeOffer {
                round: of.round.id,
                unit: view.unit,
                site: site.id,
                starts_at,
                ends_at,
            };
            (offer, shown)
        });
        let is_other = |shown: &Time| (shown.starts_at, &shown.site) != (view.starts_at, &view.site_name);
        Ok(Fetched::Offers {
            instead_of: time(view),
            offers: offered
                .filter(|(_, shown)| is_other(shown))
                .take(OFFERS_MAX)
                .collect(),
            gone,
        })
    }

    /// What the planner finds free at these sites.
    async fn free(
        &self,
        of: &Changeable,
        spec: &RoundSpec,
        calendar: Calendar,
        sites: &[Site],
        now: DateTime<Utc>,
    ) -> Result<Vec<Offer>, StoreError> {
        let ids: Vec<SiteId> = sites.iter().map(|site| site.id).collect();
        let taken = if spec.city_cap.is_some() {
            self.store.taken_room(None, now).await?
        } else {
            self.store.taken_room_at(&ids, now).await?
        };
        let places = request::positions(sites);
        let given: Vec<_> = taken
            .iter()
            .filter_map(|room| {
                let site = places.get(&room.site).copied();
                request::given(calendar, site, room.starts_at, room.ends_at, room.people)
            })
            .collect();
        let choices: Vec<Choice> = (0..sites.len()).map(Choice::at).collect();
        let not = must_not(spec, &of.told.view);
        let supply = request::supply(spec, calendar.first, &self.config.planner, sites, not);
        Ok(planner::offers(&OfferRequest {
            supply: &supply,
            given: &given,
            choices: &choices,
            // Its own must-not times are among everybody's here.
            building: BuildingId(0),
            people: of.told.residents.len() as u32,
            // The minute that has begun is not whole any more.
            not_before: calendar
                .day_and_minute(now + NEAR + TimeDelta::minutes(1))
                .unwrap_or((0, 0)),
            count: OFFERS_MAX + 1,
        }))
    }

    /// The sites that the household may go to, its present one first.
    async fn near_sites(&self, view: &WindowView) -> Result<Vec<Site>, StoreError> {
        let sites = self.store.sites().await?;
        let at = self.store.unit_point(view.unit).await?;
        let reach = Reach::new(&sites, &self.config.planner);
        let mut seen = HashSet::new();
        let present = sites.iter().position(|site| site.name == view.site_name);
        let near = reach.choices(&view.place, at);
        Ok(present
            .into_iter()
            .chain(near.iter().map(Choice::index))
            .filter(|index| seen.insert(*index))
            .map(|index| sites[index].clone())
            .collect())
    }

    /// Takes one of them.
    pub(super) async fn take(
        &self,
        person: &Person,
        offer: &TimeOffer,
        now: DateTime<Utc>,
    ) -> Result<Fetched, StoreError> {
        if person.residents.is_empty() {
            return Ok(Fetched::NotProven);
        }
        let (changeable, near) = self.changeable(person, now).await?;
        let wanted = |one: &&Changeable| (one.round.id, one.told.view.unit) == (offer.round, offer.unit);
        let Some(of) = changeable.iter().find(wanted) else {
            return Ok(near.map_or(Fetched::NothingToChange, |view| Fetched::TooNear(time(&view))));
        };
        let has_it = (of.told.view.own, of.told.view.starts_at) == (true, offer.starts_at);
        if !has_it {
            let sites = self.store.sites().await?;
            let site = sites.iter().find(|site| site.id == offer.site);
            let own = site.map(|site| {
                Ok::<_, StoreError>(OwnWindow {
                    round: offer.round,
                    unit: offer.unit,
                    site: offer.site,
                    starts_at: offer.starts_at,
                    ends_at: offer.ends_at,
                    residents: of.told.residents.clone(),
                    site_per_minute: site.people_per_minute(),
                    city_per_minute: spec(&of.round)?.city_cap,
                })
            });
            let in_time = offer.starts_at >= now + NEAR;
            let taken = match own.transpose()? {
                Some(own) if in_time => self.store.take_own_window(&own, now).await?,
                _ => false,
            };
            if !taken {
                return self.offers(of, true, now).await;
            }
        }
        Ok(Fetched::Taken)
    }
}

fn spec(round: &Round) -> Result<RoundSpec, StoreError> {
    serde_json::from_str(&round.spec)
        .map_err(|_| StoreError::Corrupt(format!("rounds.spec of round {}", round.id)))
}

fn must_not(spec: &RoundSpec, view: &WindowView) -> Vec<MustNot> {
    let own = spec.must_not.iter().filter(|not| not.concerns(&view.place));
    own.map(|not| MustNot {
        whom: Whom::Everybody,
        day: None,
        span: not.span(),
    })
    .collect()
}

fn time(view: &WindowView) -> Time {
    Time {
        starts_at: view.starts_at,
        ends_at: view.ends_at,
        site: view.site_name.clone(),
        place: view.place.within_community(),
    }
}
