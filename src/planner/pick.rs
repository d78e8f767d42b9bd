//! Which of the units that wait fill a site's desks best when they start together.

/// So many of the units that wait are looked at.
pub(super) const REACH: usize = 8;

/// The place of the first unit to start: of the one set of units that leaves least of the room, or of the first set
/// found that leaves no more than `waste`. Sets with earlier units are tried first; without `may_pass`, all hold the first.
pub(super) fn first_of_best(shares: &[i64], room: i64, waste: i64, may_pass: bool) -> Option<usize> {
    let mut search = Search {
        shares,
        good_enough: waste,
        best_left: room,
        best: None,
    };
    let firsts = if may_pass { shares.len() } else { 1 };
    for first in 0..firsts {
        if shares[first] <= room && search.from(first, first, room) {
            break;
        }
    }
    search.best
}

struct Search<'a> {
    shares: &'a [i64],
    good_enough: i64,
    best_left: i64,
    best: Option<usize>,
}

impl Search<'_> {
    /// Takes the unit at `at` and tries all sets of those after it; true once one is good enough.
    fn from(&mut self, first: usize, at: usize, room: i64) -> bool {
        let left = room - self.shares[at];
        if left < self.best_left {
            (self.best_left, self.best) = (left, Some(first));
        }
        if self.best_left <= self.good_enough {
            return true;
        }
        for next in at + 1..self.shares.len() {
            if self.shares[next] <= left && self.from(first, next, left) {
                return true;
            }
        }
        false
    }
}
