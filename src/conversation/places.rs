//! The city's building units in memory: listed level by level, or found by what people type.
//!
//! Public data only: where units are, never who lives there.

use std::{cmp::Ordering, collections::HashMap, fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::{UnitId, UnitPlace};

use super::words;

/// One unit as the store lists it.
#[derive(Clone, Debug)]
pub struct PlaceRow {
    /// Its id.
    pub unit: UnitId,
    /// Where it is.
    pub place: UnitPlace,
    /// What its deep link carries, in any case.
    pub code: String,
}

/// A level of the city, from the widest to the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 区
    District,
    /// 街道
    Street,
    /// 社区
    Community,
    /// 栋
    Building,
    /// 单元
    Unit,
}

impl Level {
    const ALL: [Self; 5] = [
        Self::District,
        Self::Street,
        Self::Community,
        Self::Building,
        Self::Unit,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Street => "street",
            Self::Community => "community",
            Self::Building => "building",
            Self::Unit => "unit",
        }
    }
}

/// A part of the city, named by any unit in it: what is shown and stored stays true when the roster grows.
///
/// Printed as `community:12`, which button data carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// How wide it is.
    pub level: Level,
    /// A unit in it.
    pub unit: UnitId,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level.word(), self.unit)
    }
}

/// The text names no area.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an area: write level:unit, such as community:12")]
pub struct BadArea;

impl FromStr for Area {
    type Err = BadArea;
    fn from_str(text: &str) -> Result<Self, BadArea> {
        let (word, unit) = text.split_once(':').ok_or(BadArea)?;
        let level = Level::ALL
            .into_iter()
            .find(|level| level.word() == word)
            .ok_or(BadArea)?;
        let unit = unit.parse().map_err(|_| BadArea)?;
        Ok(Self { level, unit })
    }
}

/// What can be chosen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Narrowed {
    /// There is no such area, or no unit at all.
    Nothing,
    /// Only this unit is left.
    Unit(UnitId),
    /// At least two areas of one level, in natural order.
    Options {
        /// What they lie in; levels with a single choice have been passed over.
        within: Option<Area>,
        /// The areas.
        options: Vec<Area>,
    },
}

/// Up to this many communities are listed at once; above it, districts and streets come first.
const COMMUNITIES_LISTED_MAX: usize = 20;

/// Nobody writes an address longer than this; longer texts are not searched for.
const ADDRESS_CHARACTERS_MAX: usize = 80;

/// Every building unit of the city.
#[derive(Debug, Default)]
pub struct Places {
    /// Distinct names in natural order, so that comparing indices compares names.
    names: Vec<Name>,
    /// In natural order of their places, so that every area is a range.
    units: Vec<Unit>,
    by_id: HashMap<UnitId, u32>,
    by_code: HashMap<Box<str>, u32>,
}

#[derive(Debug)]
struct Name {
    shown: Box<str>,
    /// As typed texts are compared with it.
    plain: Box<str>,
    /// Without what it is a name of: `3` of 3栋, `锦绣` of 锦绣社区1.
    core: Box<str>,
}

#[derive(Debug)]
struct Unit {
    id: UnitId,
    /// One index into the names for each level.
    path: [u32; 5],
}

impl Places {
    /// The directory of these units.
    pub fn new(rows: &[PlaceRow]) -> Self {
        let mut distinct: Vec<&str> = rows.iter().flat_map(|row| path(&row.place)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.sort_by(|a, b| natural(a, b));
        let index: HashMap<&str, u32> = distinct
            .iter()
            .zip(0..)
            .map(|(name, index)| (*name, index))
            .collect();
        let mut listed: Vec<(Unit, &str)> = rows
            .iter()
            .map(|row| {
                (
                    Unit {
                        id: row.unit,
                        path: path(&row.place).map(|name| index[name]),
                    },
                    row.code.as_str(),
                )
            })
            .collect();
        listed.sort_by_key(|(unit, _)| (unit.path, unit.id));
        Self {
            names: distinct.iter().map(|name| Name::new(name)).collect(),
            by_id: listed
                .iter()
                .zip(0..)
                .map(|((unit, _), at)| (unit.id, at))
                .collect(),
            by_code: listed
                .iter()
                .zip(0..)
                .map(|((_, code), at)| (plain_code(code), at))
                .collect(),
            units: listed.into_iter().map(|(unit, _)| unit).collect(),
        }
    }

    /// There is such a unit.
    pub fn contains(&self, unit: UnitId) -> bool {
        self.by_id.contains_key(&unit)
    }

    /// The unit of a deep link's code, in any case.
    pub fn unit_by_code(&self, code: &str) -> Option<UnitId> {
        self.by_code
            .get(&plain_code(code))
            .map(|at| self.units[*at as usize].id)
    }

    /// Where a unit is.
    pub fn place(&self, unit: UnitId) -> Option<UnitPlace> {
        let path = self.units[*self.by_id.get(&unit)? as usize].path;
        let [district, street, community, building, unit] =
            path.map(|name| self.names[name as usize].shown.to_string());
        Some(UnitPlace {
            district,
            street,
            community,
            building,
            unit,
        })
    }

    /// The next choice within an area (`None`: the whole city), passing over levels with a single choice.
    pub fn narrow(&self, mut within: Option<Area>) -> Narrowed {
        loop {
            let range = self.range(within);
            let level = match within.map(|area| area.level) {
                Some(Level::Unit) if range.is_empty() => return Narrowed::Nothing,
                Some(Level::Unit) => return Narrowed::Unit(self.units[range.start].id),
                Some(Level::Building) => Level::Unit,
                Some(Level::Community) => Level::Building,
                _ if self.areas(&range, Level::Community).len() <= COMMUNITIES_LISTED_MAX => Level::Community,
                Some(Level::Street) => Level::Community,
                Some(Level::District) => Level::Street,
                None => Level::District,
            };
            let options = self.areas(&range, level);
            match options.as_slice() {
                [] => return Narrowed::Nothing,
                [only] => within = Some(*only),
                _ => return Narrowed::Options { within, options },
            }
        }
    }

    /// What to call these areas where the person has already chosen `within`: as short as tells them apart.
    pub fn labels(&self, within: Option<Area>, areas: &[Area]) -> Vec<String> {
        let widest = within.map_or(0, |area| area.level as usize + 1);
        let narrowest = areas.iter().map(|area| area.level as usize).min().unwrap_or(0);
        let mut labels = Vec::new();
        for from in (widest.min(narrowest)..=narrowest).rev() {
            labels = areas.iter().map(|area| self.path_from(from, *area)).collect();
            let mut distinct: Vec<&String> = labels.iter().collect();
            distinct.sort_unstable();
            distinct.dedup();
            if distinct.len() == labels.len() {
                break;
            }
        }
        labels
    }

    /// The names from the community down to the area; those of wider areas alone.
    pub fn short_name(&self, area: Area) -> String {
        self.path_from((area.level as usize).min(Level::Community as usize), area)
    }

    /// The number of a building or unit that is named by one, as 3栋 is.
    pub fn number(&self, area: Area) -> Option<u32> {
        let at = *self.by_id.get(&area.unit)?;
        self.names[self.units[at as usize].path[area.level as usize] as usize]
            .core
            .parse()
            .ok()
    }

    /// The areas that a typed address may mean, the best matches alone, in natural order.
    ///
    /// Within a community or a building a bare number is that of a building or of a unit.
    pub fn search(&self, within: Option<Area>, text: &str) -> Vec<Area> {
        if text.chars().count() > ADDRESS_CHARACTERS_MAX {
            return Vec::new();
        }
        let text = plain(text);
        let scope = self.range(within);
        let scope_level = within.map(|area| area.level);
        let mut best = 0;
        let mut found: Vec<Area> = Vec::new();
        for community in self.areas(&scope, Level::Community) {
            let path = self.units[self.by_id[&community.unit] as usize]
                .path
                .map(|name| &self.names[name as usize]);
            let Some((rank, area)) = Address::read(&text, &path, scope_level)
                .and_then(|address| self.locate(&address, community, &scope, scope_level))
            else {
                continue;
            };
            if rank > best {
                (best, found) = (rank, vec![area]);
            } else if rank == best && !found.contains(&area) {
                found.push(area);
            }
        }
        found
    }

    /// The narrowest area that an address names in a community, and how well it fits.
    fn locate(
        &self,
        address: &Address,
        community: Area,
        scope: &Range<usize>,
        scope_level: Option<Level>,
    ) -> Option<(usize, Area)> {
        let rank = |complete: bool| address.fit * 2 + usize::from(complete) + 1;
        let named = |range: &Range<usize>, level, core: &str| {
            let areas = self.areas(range, level);
            areas.into_iter().find(|area| &*self.name(*area).core == core)
        };
        let here = self.range(Some(community));
        let here = here.start.max(scope.start)..here.end.min(scope.end);
        let building = match &address.building {
            Some(core) => named(&here, Level::Building, core),
            // The person has chosen the building already, and now writes the unit alone.
            None if scope_level == Some(Level::Building) && address.unit.is_some() => {
                self.areas(&here, Level::Building).first().copied()
            }
            None => None,
        };
        if let Some(building) = building {
            let Some(core) = &address.unit else {
                return Some((rank(true), building));
            };
            let unit = named(&self.range(Some(building)), Level::Unit, core);
            return match unit {
                // Within the building, a unit that is not there is no answer.
                None if scope_level == Some(Level::Building) => None,
                None => Some((rank(false), building)),
                Some(unit) => Some((rank(true), unit)),
            };
        }
        if address.fit == 0 {
            return None;
        }
        let complete = address.building.is_none() && address.unit.is_none();
        let level = if complete { address.level } else { Level::Community };
        let first = self
            .range(Some(Area {
                level,
                unit: community.unit,
            }))
            .start;
        Some((
            rank(complete),
            Area {
                level,
                unit: self.units[first].id,
            },
        ))
    }

    fn name(&self, area: Area) -> &Name {
        let unit = &self.units[self.by_id[&area.unit] as usize];
        &self.names[unit.path[area.level as usize] as usize]
    }

    /// The names of an area from the level `from` down; empty if there is no such area.
    fn path_from(&self, from: usize, area: Area) -> String {
        let Some(at) = self.by_id.get(&area.unit) else {
            return String::new();
        };
        let path = &self.units[*at as usize].path[from..=area.level as usize];
        let names: Vec<&str> = path
            .iter()
            .map(|name| &*self.names[*name as usize].shown)
            .collect();
        joined(&names, area.level)
    }

    /// The units of an area; none if there is no such area.
    fn range(&self, area: Option<Area>) -> Range<usize> {
        let Some(area) = area else {
            return 0..self.units.len();
        };
        let Some(at) = self.by_id.get(&area.unit) else {
            return 0..0;
        };
        let depth = area.level as usize;
        let prefix = &self.units[*at as usize].path[..=depth];
        let start = self.units.partition_point(|unit| &unit.path[..=depth] < prefix);
        let end = self.units.partition_point(|unit| &unit.path[..=depth] <= prefix);
        start..end
    }

    /// The areas of a level in a range of units, each named by its first unit.
    fn areas(&self, range: &Range<usize>, level: Level) -> Vec<Area> {
        let mut areas = Vec::new();
        let mut rest = &self.units[range.clone()];
        while let Some(first) = rest.first() {
            areas.push(Area {
                level,
                unit: first.id,
            });
            let prefix = &first.path[..=level as usize];
            rest = &rest[rest.partition_point(|unit| &unit.path[..=level as usize] <= prefix)..];
        }
        areas
    }
}

impl Name {
    fn new(shown: &str) -> Self {
        let plain = plain(shown);
        Self {
            shown: shown.into(),
            core: core(&plain).into(),
            plain: plain.into(),
        }
    }
}

/// What a typed text says, read as an address in one community.
#[derive(Debug)]
struct Address {
    /// How much of the text names the community and what it lies in; 0 if it gives numbers alone.
    fit: usize,
    /// The narrowest level that was named.
    level: Level,
    building: Option<String>,
    unit: Option<String>,
}

impl Address {
    /// Reads `text` for the community at `path`; `None` if it says something else.
    fn read(text: &str, path: &[&Name; 5], scope: Option<Level>) -> Option<Self> {
        let mut rest = text.to_owned();
        let (mut fit, mut level) = (0, None);
        for wide in [Level::Community, Level::Street, Level::District] {
            let taken = take(&mut rest, path[wide as usize]);
            fit += taken;
            level = level.or((taken > 0).then_some(wide));
        }
        let numbers = Numbers::read(&rest);
        let community = &path[Level::Community as usize].plain;
        let said = without_filler(&numbers.words);
        if let Some(part) = [&numbers.words, &said]
            .into_iter()
            .find(|part| is_part(part, community))
        {
            fit += part.chars().count();
            level = Some(Level::Community);
        } else if !said.is_empty() {
            return None;
        }
        let Numbers {
            mut building,
            mut unit,
            bare,
            ..
        } = numbers;
        let is_address = fit > 0 || scope >= Some(Level::Community) || bare.len() > 1;
        let mut bare = bare.into_iter().filter(|_| is_address);
        if scope != Some(Level::Building) && unit.is_none() {
            building = building.or_else(|| bare.next());
        }
        unit = unit.or_else(|| bare.next());
        Some(Self {
            fit,
            level: level.unwrap_or(Level::Community),
            building,
            unit,
        })
    }
}

/// Takes a name out of a text, in full or without what it is a name of; says how well it fits.
fn take(text: &mut String, name: &Name) -> usize {
    for (wanted, weight) in [(&name.plain, 2), (&name.core, 1)] {
        // A single character is in too many texts to be a name.
        if wanted.chars().nth(1).is_none() {
            continue;
        }
        if let Some(at) = text.find(&**wanted) {
            let end = at + wanted.len();
            let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            // 锦绣社区1 may be meant in 锦绣社区13栋; 锦绣社区13, where there is one, fits better.
            let cut_short = is_digit(wanted.chars().next_back()) && is_digit(text[end..].chars().next());
            text.replace_range(at..end, " ");
            return wanted.chars().count() * if cut_short { 1 } else { weight };
        }
    }
    0
}

fn is_part(text: &str, name: &str) -> bool {
    text.chars().nth(1).is_some() && name.contains(text)
}

/// What people write around an address.
const FILLER: [&str; 11] = [
    "成都市",
    "街道",
    "社区",
    "小区",
    "我家",
    "我",
    "住",
    "家",
    "在",
    "是",
    "的",
];

fn without_filler(words: &str) -> String {
    FILLER
        .iter()
        .fold(words.to_owned(), |words, filler| words.replace(filler, ""))
}

/// The same in English.
#[rustfmt::skip]
const LATIN_FILLER: [&str; 21] = [
    "i", "we", "my", "our", "live", "in", "at", "is", "am", "are", "the", "of", "it", "and", "address", "home", "house", "community", "street", "floor",
    "please",
];

/// A word, and not the name of a building, such as A or AB.
fn is_latin_word(run: &str) -> bool {
    run.len() >= LATIN_WORD_LETTERS_MIN && run.bytes().all(|byte| byte.is_ascii_alphabetic())
}

const LATIN_WORD_LETTERS_MIN: usize = 3;

/// The numbers of a typed address, and the words beside them.
#[derive(Debug, Default)]
struct Numbers {
    building: Option<String>,
    unit: Option<String>,
    /// Numbers that do not say of what.
    bare: Vec<String>,
    words: String,
}

/// What a number in an address is of.
#[derive(Clone, Copy)]
enum NumberOf {
    Building,
    Unit,
    Door,
}

/// What follows a number, the longer forms first.
const AFTER_NUMBER: [(&str, NumberOf); 10] = [
    ("单元", NumberOf::Unit),
    ("号楼", NumberOf::Building),
    ("栋", NumberOf::Building),
    ("幢", NumberOf::Building),
    ("座", NumberOf::Building),
    ("楼", NumberOf::Building),
    ("室", NumberOf::Door),
    ("户", NumberOf::Door),
    ("号", NumberOf::Door),
    ("层", NumberOf::Door),
];

/// What stands before a number in English.
const BEFORE_NUMBER: [(&str, NumberOf); 7] = [
    ("building", NumberOf::Building),
    ("bldg", NumberOf::Building),
    ("block", NumberOf::Building),
    ("unit", NumberOf::Unit),
    ("room", NumberOf::Door),
    ("apt", NumberOf::Door),
    ("flat", NumberOf::Door),
];

impl Numbers {
    fn read(text: &str) -> Self {
        let mut read = Self::default();
        let mut announced = None;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if !c.is_ascii_alphanumeric() {
                if c.is_alphanumeric() {
                    read.words.push(c);
                }
                rest = &rest[c.len_utf8()..];
                continue;
            }
            let (run, after) = rest.split_at(
                rest.find(|c: char| !c.is_ascii_alphanumeric())
                    .unwrap_or(rest.len()),
            );
            if let Some((_, of)) = BEFORE_NUMBER.iter().find(|(word, _)| *word == run) {
                (announced, rest) = (Some(*of), after);
                continue;
            }
            let suffix = AFTER_NUMBER
                .iter()
                .find(|(suffix, _)| after.trim_start().starts_with(suffix));
            if suffix.is_none() && LATIN_FILLER.contains(&run) {
                rest = after;
                continue;
            }
            if suffix.is_none() && is_latin_word(run) {
                // A sentence that speaks of a building is no address.
                read.words.push_str(run);
                (announced, rest) = (None, after);
                continue;
            }
            rest = suffix.map_or(after, |(suffix, _)| &after.trim_start()[suffix.len()..]);
            let number = without_zeros(run).to_owned();
            match suffix.map(|(_, of)| *of).or(announced.take()) {
                Some(NumberOf::Building) => read.building = Some(number),
                Some(NumberOf::Unit) => read.unit = Some(number),
                Some(NumberOf::Door) => {}
                None => read.bare.push(number),
            }
        }
        read
    }
}

/// Names from wide to narrow, the last one of `level`. A Chinese building and its unit are written as one word.
fn joined(names: &[&str], level: Level) -> String {
    match names {
        [wide @ .., building, unit]
            if level == Level::Unit && !building.ends_with(|c: char| c.is_ascii()) =>
        {
            let mut words = wide.to_vec();
            let last = [*building, *unit].concat();
            words.push(&last);
            words.join(" ")
        }
        _ => names.join(" "),
    }
}

fn path(place: &UnitPlace) -> [&str; 5] {
    [
        &place.district,
        &place.street,
        &place.community,
        &place.building,
        &place.unit,
    ]
}

fn plain_code(code: &str) -> Box<str> {
    code.trim().to_ascii_lowercase().into()
}

/// A name or a typed text as the two are compared: as words are, and 十二棟 as 12栋.
fn plain(text: &str) -> String {
    let chars: Vec<char> = words::normalise(text).chars().map(simplified).collect();
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = at + chars[at..].iter().take_while(|c| numeral(**c).is_some()).count();
        // Only before what is counted: 三圣街道 is a name.
        let counted = chars[end..]
            .iter()
            .find(|c| **c != ' ')
            .is_some_and(|c| "栋幢座楼号单".contains(*c));
        match chinese_number(&chars[at..end]) {
            Some(number) if counted => plain.push_str(&number.to_string()),
            _ => plain.extend(&chars[at..end]),
        }
        plain.extend(chars.get(end));
        at = end + 1;
    }
    plain
}

/// The traditional forms of the words that addresses are made of.
fn simplified(c: char) -> char {
    match c {
        '棟' => '栋',
        '單' => '单',
        '號' => '号',
        '樓' => '楼',
        '區' => '区',
        '縣' => '县',
        '鎮' => '镇',
        '鄉' => '乡',
        '層' => '层',
        '兩' => '两',
        other => other,
    }
}

fn numeral(c: char) -> Option<u32> {
    Some(match c {
        '零' | '〇' => 0,
        '一' => 1,
        '二' | '两' => 2,
        '三' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        '十' => 10,
        '百' => 100,
        _ => return None,
    })
}

/// 十二 is 12, 二十 is 20, 一百零三 is 103; buildings have no greater numbers.
fn chinese_number(chars: &[char]) -> Option<u32> {
    let (mut sum, mut digit) = (0_u32, None);
    for c in chars {
        match numeral(*c)? {
            scale @ (10 | 100) => sum = sum.saturating_add(digit.take().unwrap_or(1) * scale),
            number => digit = Some(number),
        }
    }
    (!chars.is_empty()).then_some(sum.saturating_add(digit.unwrap_or(0)))
}

/// A name without what it is a name of.
fn core(plain: &str) -> &str {
    for suffix in ["单元", "号楼", "栋", "幢", "座", "楼"] {
        if let Some(core) = plain.strip_suffix(suffix).filter(|core| !core.is_empty()) {
            return without_zeros(core.trim_end());
        }
    }
    for generic in ["街道", "社区", "小区", "区", "县", "镇", "乡", "村"] {
        if let Some((core, number)) = plain.rsplit_once(generic)
            && !core.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
        {
            return core;
        }
    }
    without_zeros(plain)
}

fn without_zeros(number: &str) -> &str {
    let short = number.trim_start_matches('0');
    if short.is_empty() { number } else { short }
}

/// Natural order: runs of digits compare as numbers, so that 2栋 comes before 10栋.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (l, r) = (digits(left), digits(right));
        let order = if l.is_empty() || r.is_empty() {
            let (l, r) = (left.chars().next(), right.chars().next());
            if l.is_none() && r.is_none() {
                return a.cmp(b);
            }
            left = &left[l.map_or(0, char::len_utf8)..];
            right = &right[r.map_or(0, char::len_utf8)..];
            l.cmp(&r)
        } else {
            (left, right) = (&left[l.len()..], &right[r.len()..]);
            let (l, r) = (l.trim_start_matches('0'), r.trim_start_matches('0'));
            l.len().cmp(&r.len()).then_with(|| l.cmp(r))
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Units numbered from 1 in the order given, each with the code `C<number>`.
    pub(in crate::conversation) fn places(paths: &[&str]) -> Places {
        let rows: Vec<PlaceRow> = paths
            .iter()
            .zip(1..)
            .map(|(path, id)| {
                let mut names = path.split('/').map(str::to_owned);
                let mut next = || names.next().expect("five names");
                let (district, street, community, building, unit) = (next(), next(), next(), next(), next());
                PlaceRow {
                    unit: UnitId(id),
                    place: UnitPlace {
                        district,
                        street,
                        community,
                        building,
                        unit,
                    },
                    code: format!("C{id}"),
                }
            })
            .collect();
        Places::new(&rows)
    }

    fn small() -> Places {
        places(&[
            "锦江区/春熙街道/锦绣社区1/10栋/1单元",
            "锦江区/春熙街道/锦绣社区1/2栋/1单元",
            "锦江区/春熙街道/锦绣社区1/3栋/1单元",
            "锦江区/春熙街道/锦绣社区1/3栋/2单元",
            "锦江区/春熙街道/锦绣社区12/3栋/2单元",
            "锦江区/春熙街道/锦绣社区12/13栋/2单元",
            "武侯区/玉林街道/桂溪花园/A栋/1单元",
            "武侯区/玉林街道/桂溪花园/十二栋/1单元",
        ])
    }

    /// What a search finds, without the districts.
    fn found(places: &Places, within: Option<Area>, text: &str) -> String {
        let found = places.search(within, text);
        found
            .iter()
            .map(|area| places.path_from(1, *area))
            .collect::<Vec<_>>()
            .join(" | ")
    }

    /// The labels of the next choice.
    fn listed(places: &Places, within: Option<Area>) -> (Option<Area>, Vec<Area>, Vec<String>) {
        match places.narrow(within) {
            Narrowed::Options { within, options } => {
                let labels = places.labels(within, &options);
                (within, options, labels)
            }
            other => panic!("{other:?} leaves no choice"),
        }
    }

    #[test]
    fn names_are_in_natural_order() {
        let mut names = ["10栋", "2栋", "1栋", "A栋", "02栋", "锦绣社区10", "锦绣社区9", ""];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["", "1栋", "02栋", "2栋", "10栋", "A栋", "锦绣社区9", "锦绣社区10"]
        );
    }

    #[test]
    fn levels_with_one_choice_are_passed_over() {
        let places = small();
        let (_, communities, labels) = listed(&places, None);
        assert_eq!(labels, ["桂溪花园", "锦绣社区1", "锦绣社区12"]);
        let (_, buildings, labels) = listed(&places, Some(communities[1]));
        assert_eq!(labels, ["2栋", "3栋", "10栋"]);
        assert_eq!(places.narrow(Some(buildings[0])), Narrowed::Unit(UnitId(2)));
        assert_eq!(
            places.narrow(Some(Area {
                level: Level::Unit,
                unit: UnitId(99)
            })),
            Narrowed::Nothing
        );
        assert_eq!(
            places.narrow(Some(Area {
                level: Level::Building,
                unit: UnitId(99)
            })),
            Narrowed::Nothing
        );
        assert_eq!(Places::default().narrow(None), Narrowed::Nothing);
    }

    #[test]
    fn a_large_city_begins_with_its_districts() {
        let paths: Vec<String> = (1..=30)
            .map(|n| format!("{}区/街道{}/社区{n}/1栋/1单元", ["东", "西"][n % 2], n % 3))
            .collect();
        let places = places(&paths.iter().map(String::as_str).collect::<Vec<_>>());
        let (_, districts, labels) = listed(&places, None);
        assert_eq!(labels, ["东区", "西区"]);
        assert_eq!(listed(&places, Some(districts[0])).1.len(), 15);
    }

    #[test]
    fn names_that_repeat_are_told_apart() {
        let places = places(&["东区/甲街道/和平社区/1栋/1单元", "西区/乙街道/和平社区/1栋/1单元"]);
        let (_, _, labels) = listed(&places, None);
        assert_eq!(labels, ["甲街道 和平社区", "乙街道 和平社区"]);
    }

    #[test]
    fn typed_addresses_are_found() {
        let places = small();
        for (text, expected) in [
            ("锦绣社区1 3栋2单元", "春熙街道 锦绣社区1 3栋2单元"),
            (
                "锦绣社区\u{ff11} \u{ff13}栋\u{ff12}单元",
                "春熙街道 锦绣社区1 3栋2单元",
            ),
            (
                "我住在锦江区春熙街道锦绣社区1三栋二单元1203室。",
                "春熙街道 锦绣社区1 3栋2单元",
            ),
            ("锦绣社區1 3棟 2單元", "春熙街道 锦绣社区1 3栋2单元"),
            ("锦绣社区12 3栋", "春熙街道 锦绣社区12 3栋"),
            ("锦绣社区12", "春熙街道 锦绣社区12"),
            ("锦绣13栋", "春熙街道 锦绣社区12 13栋"),
            (
                "锦绣 3-2",
                "春熙街道 锦绣社区1 3栋2单元 | 春熙街道 锦绣社区12 3栋2单元",
            ),
            (
                "3栋2单元",
                "春熙街道 锦绣社区1 3栋2单元 | 春熙街道 锦绣社区12 3栋2单元",
            ),
            ("building 10 unit 1", "春熙街道 锦绣社区1 10栋1单元"),
            ("桂溪", "玉林街道 桂溪花园"),
            ("桂溪 a座", "玉林街道 桂溪花园 A栋"),
            ("桂溪12栋", "玉林街道 桂溪花园 十二栋"),
            ("桂溪99栋", "玉林街道 桂溪花园"),
            ("春熙街道", "春熙街道"),
            ("今天天气怎么样", ""),
            ("hello", ""),
            ("I live in building 10, unit 1", "春熙街道 锦绣社区1 10栋1单元"),
            ("a座1单元", "玉林街道 桂溪花园 A栋1单元"),
            ("fire in building 10 unit 1", ""),
            ("mom can't walk, building 10 unit 1 room 1203, please come", ""),
            ("when is building 10", ""),
            ("3", ""),
            ("", ""),
            ("\u{202e}\u{0}", ""),
            ("我家", ""),
        ] {
            assert_eq!(found(&places, None, text), expected, "{text}");
        }
        assert!(places.search(None, &"3栋".repeat(2048)).is_empty());
    }

    #[test]
    fn a_bare_number_counts_within_what_is_chosen() {
        let places = small();
        let community = Area {
            level: Level::Community,
            unit: UnitId(1),
        };
        let building = Area {
            level: Level::Building,
            unit: UnitId(3),
        };
        assert_eq!(found(&places, Some(community), "3"), "春熙街道 锦绣社区1 3栋");
        assert_eq!(
            found(&places, Some(community), "三栋2单元"),
            "春熙街道 锦绣社区1 3栋2单元"
        );
        assert_eq!(found(&places, Some(community), "99"), "");
        assert_eq!(found(&places, Some(building), "2"), "春熙街道 锦绣社区1 3栋2单元");
        assert_eq!(found(&places, Some(building), "9"), "");
        assert_eq!(found(&places, Some(building), "我家"), "");
    }

    #[test]
    fn codes_are_read_in_any_case() {
        let places = small();
        assert_eq!(places.unit_by_code(" c4 "), Some(UnitId(4)));
        assert_eq!(places.unit_by_code("C99"), None);
        assert_eq!(
            places.place(UnitId(4)).map(|place| place.building),
            Some("3栋".into())
        );
        assert_eq!(places.place(UnitId(99)), None);
    }
}
