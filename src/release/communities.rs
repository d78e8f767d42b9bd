//! Which communities an operator means by name.

use std::collections::{BTreeSet, HashSet};

use crate::domain::{Area, UnitPlace};

/// District, street and community.
type Path = [String; 3];

/// The communities that a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Communities {
    /// Nobody named any.
    All,
    /// Only these.
    Only(HashSet<Path>),
}

impl Communities {
    /// Those named, among those of `places`. A community's name alone will do where it is the only one of that name;
    /// otherwise its street, and if need be its district, stand before it: `street/community`. Every name that means
    /// none, or more than one, is told in the error.
    pub fn named<'a>(
        names: &[String],
        places: impl IntoIterator<Item = &'a UnitPlace>,
    ) -> Result<Self, String> {
        if names.is_empty() {
            return Ok(Self::All);
        }
        let known: BTreeSet<[&str; 3]> = places.into_iter().map(path).collect();
        let mut meant = HashSet::new();
        let mut faults = Vec::new();
        for name in names {
            let found: Vec<&[&str; 3]> = known.iter().filter(|path| is_called(path, name)).collect();
            match found[..] {
                [] => faults.push(unknown(name, &known)),
                [path] => {
                    meant.insert(path.map(str::to_owned));
                }
                _ => faults.push(format!(
                    "{name} is the name of several communities; choose from {}",
                    found
                        .iter()
                        .map(|path| unique_name(path, &known))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            }
        }
        if faults.is_empty() {
            Ok(Self::Only(meant))
        } else {
            Err(format!("--community: {}", faults.join("\n")))
        }
    }

    /// The whole path of the one community that is called so: `district/street/community`.
    pub fn path_of<'a>(
        name: &str,
        places: impl IntoIterator<Item = &'a UnitPlace>,
    ) -> Result<String, String> {
        match Self::named(&[name.to_owned()], places) {
            Ok(Self::Only(meant)) => Ok(meant.into_iter().next().unwrap_or_default().join("/")),
            Ok(Self::All) => Err("name a community".into()),
            Err(fault) => Err(fault.trim_start_matches("--community: ").to_owned()),
        }
    }

    /// What must be covered by the scope of whoever acts on them.
    pub fn areas(&self) -> Vec<Area> {
        match self {
            Self::All => vec![Area::City],
            Self::Only(meant) => meant.iter().cloned().map(Area::Community).collect(),
        }
    }

    /// Whether a unit there is meant.
    pub fn contains(&self, place: &UnitPlace) -> bool {
        match self {
            Self::All => true,
            Self::Only(meant) => meant.contains(&path(place).map(str::to_owned)),
        }
    }
}

fn path(place: &UnitPlace) -> [&str; 3] {
    [&place.district, &place.street, &place.community]
}

/// What a community may be called, the shortest first.
fn names([district, street, community]: &[&str; 3]) -> [String; 3] {
    [
        (*community).to_owned(),
        format!("{street}/{community}"),
        format!("{district}/{street}/{community}"),
    ]
}

fn is_called(path: &[&str; 3], name: &str) -> bool {
    // Chinese keyboards write the wide one.
    let name = name.trim().replace('／', "/");
    names(path).contains(&name)
}

/// With its street, and with its district where two streets of one name have such a community.
fn unique_name(path: &[&str; 3], known: &BTreeSet<[&str; 3]>) -> String {
    let [_, with_street, whole] = names(path);
    let others = known.iter().filter(|path| is_called(path, &with_street)).count();
    if others > 1 { whole } else { with_street }
}

fn unknown(name: &str, known: &BTreeSet<[&str; 3]>) -> String {
    /// Below it, a name is another name and no slip of the pen.
    const LIKENESS_MIN: f64 = 0.8;
    let nearest = known
        .iter()
        .flat_map(names)
        .map(|known| (strsim::jaro_winkler(&known, name), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(
            || "check the name".to_owned(),
            |(_, known)| format!("did you mean {known}?"),
        );
    format!("nobody on the roster lives in {name}: {nearest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Vec<UnitPlace> {
        [
            ("锦江区", "春熙街道", "梧桐社区"),
            ("锦江区", "春熙街道", "银杏社区"),
            ("锦江区", "东湖街道", "银杏社区"),
            ("青羊区", "人民路", "青年社区"),
            ("成华区", "人民路", "青年社区"),
        ]
        .map(|(district, street, community)| UnitPlace {
            district: district.into(),
            street: street.into(),
            community: community.into(),
            building: "1栋".into(),
            unit: "1单元".into(),
        })
        .into()
    }

    /// The places meant, by their place in the list.
    fn meant(names: &[&str]) -> Result<Vec<usize>, String> {
        let places = places();
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let communities = Communities::named(&names, &places)?;
        Ok((0..places.len())
            .filter(|&index| communities.contains(&places[index]))
            .collect())
    }

    #[test]
    fn a_name_may_be_short_where_it_is_the_only_one() {
        assert_eq!(meant(&[]), Ok(vec![0, 1, 2, 3, 4]));
        assert_eq!(meant(&["梧桐社区"]), Ok(vec![0]));
        assert_eq!(meant(&["春熙街道/梧桐社区", "梧桐社区"]), Ok(vec![0]));
        assert_eq!(meant(&["东湖街道／银杏社区", "梧桐社区"]), Ok(vec![0, 2]));
        assert_eq!(meant(&["成华区/人民路/青年社区"]), Ok(vec![4]));
    }

    #[test]
    fn a_name_of_several_communities_is_refused_with_the_choice() {
        let said = meant(&["银杏社区"]).expect_err("there are two");
        assert!(said.contains("东湖街道/银杏社区, 春熙街道/银杏社区"), "{said}");
        for name in ["青年社区", "人民路/青年社区"] {
            let said = meant(&[name]).expect_err("there are two");
            assert!(
                said.contains("成华区/人民路/青年社区, 青羊区/人民路/青年社区"),
                "{said}"
            );
        }
    }

    #[test]
    fn every_unknown_name_is_told_and_the_nearest_known_one() {
        let said = meant(&["梧桐社区", "梧桐小区", "无此地"]).expect_err("two are unknown");
        assert!(said.contains("梧桐小区: did you mean 梧桐社区?"), "{said}");
        assert!(said.contains("无此地: check the name"), "{said}");
    }
}
