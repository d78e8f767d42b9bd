//! The sites that people may go to, as shared lists: ten million units have few different ones.

/// Lists of sites, kept end to end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choices {
    entries: Vec<Choice>,
    /// Where each list ends.
    ends: Vec<u32>,
}

/// A site that somebody may go to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// By place in [`Supply::sites`](super::Supply::sites).
    pub site: u32,
    /// How far it is, in metres; none where coordinates are not known.
    pub metres: Option<f32>,
}

/// One list of [`Choices`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChoicesId(u32);

impl Choices {
    /// Adds a list, the preferred site first. Add a list once and let all who share it name it.
    pub fn add(&mut self, sites: impl IntoIterator<Item = Choice>) -> ChoicesId {
        self.entries.extend(sites);
        self.ends.push(self.entries.len() as u32);
        ChoicesId(self.ends.len() as u32 - 1)
    }

    /// The sites of a list; none for a list of other choices.
    pub fn of(&self, list: ChoicesId) -> &[Choice] {
        self.at(list.0 as usize)
    }

    /// The sites of the list at a place, counted from 0.
    pub(super) fn at(&self, list: usize) -> &[Choice] {
        let Some(&end) = self.ends.get(list) else {
            return &[];
        };
        let start = list.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start as usize..end as usize]
    }

    /// How many lists there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no list.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl Choice {
    /// A site at an unknown distance, by place in [`Supply::sites`](super::Supply::sites).
    pub fn at(site: usize) -> Self {
        Self {
            site: site as u32,
            metres: None,
        }
    }

    /// Its place in the list of sites.
    pub fn index(&self) -> usize {
        self.site as usize
    }
}
