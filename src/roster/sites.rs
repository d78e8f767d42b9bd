//! sites.csv and buildings.csv: where people go, and where they come from.

use std::{collections::HashMap, hash::Hash, path::Path};

use chrono::{NaiveTime, TimeDelta};

use super::{
    cells::{self, Cells, PLACE_CHARACTERS_MAX, Problem, Reason, RowFault, TEXT_CHARACTERS_MAX, WHOLE_ROW},
    file::{FileError, Table},
    header::{Layout, optional, required},
};
use crate::{
    domain::{Site, SiteId},
    store::BuildingPoint,
};

const SITES: &Layout = &[
    required("site", "采样点"),
    required("district", "区"),
    required("street", "街道"),
    required("community", "社区"),
    required("address", "地址"),
    required("desks", "采样台数"),
    optional("green_desks", "绿色通道台数"),
    required("samples_per_desk_hour", "每台每小时采样数"),
    required("opens", "开始时间"),
    required("closes", "结束时间"),
    optional("breaks", "休息时间"),
    optional("lat", "纬度"),
    optional("lon", "经度"),
];

const BUILDINGS: &Layout = &[
    required("district", "区"),
    required("street", "街道"),
    required("community", "社区"),
    required("building", "楼栋"),
    required("lat", "纬度"),
    required("lon", "经度"),
];

/// A city of 21 million has some ten thousand sites.
const SITES_MAX: usize = 100_000;
/// The same city has some three hundred thousand buildings.
const BUILDINGS_MAX: usize = 3_000_000;
/// Characters of all the communities that a site serves.
const COMMUNITIES_CHARACTERS_MAX: usize = 1000;
const DESKS_MAX: u32 = 10_000;
const SAMPLES_PER_DESK_HOUR_MAX: u32 = 1000;

/// Reads sites.csv: the good rows and the faults, in the file's order. The sites have no id yet.
pub fn read_sites(path: &Path) -> Result<Vec<Result<Site, RowFault>>, FileError> {
    read_all(path, SITES, SITES_MAX, read_site, "site", |site| {
        site.name.clone()
    })
}

/// Reads buildings.csv: the good rows and the faults, in the file's order.
pub fn read_buildings(path: &Path) -> Result<Vec<Result<BuildingPoint, RowFault>>, FileError> {
    let place = |point: &BuildingPoint| {
        [&point.district, &point.street, &point.community, &point.building].map(Clone::clone)
    };
    read_all(path, BUILDINGS, BUILDINGS_MAX, read_building, WHOLE_ROW, place)
}

/// Reads a whole file; a row whose key a good row had before is refused in `key_column`.
pub(super) fn read_all<T, K: Hash + Eq>(
    path: &Path,
    layout: &'static Layout,
    rows_max: usize,
    read: fn(&Cells<'_>) -> Result<T, Problem>,
    key_column: &'static str,
    key: impl Fn(&T) -> K,
) -> Result<Vec<Result<T, RowFault>>, FileError> {
    let mut table = Table::open(path, layout)?;
    let mut rows = Vec::new();
    let mut lines: HashMap<K, u64> = HashMap::new();
    while let Some(line) = table.next_line()? {
        if rows.len() == rows_max {
            return Err(FileError::TooManyRows {
                path: table.path().into(),
                rows_max,
            });
        }
        rows.push(cells::read_line(table.columns(), &line, |cells| {
            let row = read(cells)?;
            let first = *lines.entry(key(&row)).or_insert(line.number);
            if first == line.number {
                Ok(row)
            } else {
                Err(Problem(key_column, Reason::SameAs(first)))
            }
        }));
    }
    Ok(rows)
}

fn read_site(cells: &Cells<'_>) -> Result<Site, Problem> {
    let place = |column| cells.needed(column, PLACE_CHARACTERS_MAX);
    let mut site = Site {
        id: SiteId(0),
        name: place("site")?,
        district: place("district")?,
        street: place("street")?,
        community: String::new(),
        serves: Vec::new(),
        address: cells.needed("address", TEXT_CHARACTERS_MAX)?,
        desks: cells.whole_number("desks", 1..=DESKS_MAX, None)?,
        green_desks: cells.whole_number("green_desks", 0..=DESKS_MAX, Some(0))?,
        samples_per_desk_hour: cells.whole_number(
            "samples_per_desk_hour",
            1..=SAMPLES_PER_DESK_HOUR_MAX,
            None,
        )?,
        opens: time(cells, "opens")?,
        closes: time(cells, "closes")?,
        breaks: Vec::new(),
        coordinates: cells.coordinates()?,
    };
    if site.green_desks > site.desks {
        return Err(Problem("green_desks", Reason::MoreGreenDesks));
    }
    if site.closes <= site.opens {
        return Err(Problem("closes", Reason::ClosesBeforeItOpens));
    }
    let mut communities = communities(cells)?.into_iter();
    site.community = communities.next().unwrap_or_default();
    site.serves = communities.collect();
    site.breaks = breaks(cells, &site)?;
    Ok(site)
}

/// The communities served; the site lies in the first.
fn communities(cells: &Cells<'_>) -> Result<Vec<String>, Problem> {
    let text = cells.needed("community", COMMUNITIES_CHARACTERS_MAX)?;
    let mut names: Vec<String> = Vec::new();
    for name in text
        .split([';', '；'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        if name.chars().count() > PLACE_CHARACTERS_MAX * 3 {
            return Err(Problem(
                "community",
                Reason::TooLong {
                    characters_max: PLACE_CHARACTERS_MAX * 3,
                },
            ));
        }
        let name = name.replace('／', "/");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.first().is_none_or(|first| first.contains('/')) {
        return Err(Problem("community", Reason::FirstCommunity));
    }
    Ok(names)
}

/// The breaks, in order; within the hours and apart from each other.
fn breaks(cells: &Cells<'_>, site: &Site) -> Result<Vec<(NaiveTime, NaiveTime)>, Problem> {
    let wrong = || Problem("breaks", Reason::Breaks);
    let text = cells.ascii("breaks")?;
    let mut breaks = Vec::new();
    for span in text.split(';').map(str::trim).filter(|span| !span.is_empty()) {
        let (from, to) = span.split_once(['-', '–', '~']).ok_or_else(wrong)?;
        let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").map_err(|_| wrong());
        breaks.push((time(from)?, time(to)?));
    }
    breaks.sort_unstable();
    let ends = std::iter::once(site.opens).chain(breaks.iter().map(|(_, to)| *to));
    let apart = breaks
        .iter()
        .zip(ends)
        .all(|((from, to), before)| before <= *from && from < to && *to <= site.closes);
    let closed = breaks.iter().map(|(from, to)| *to - *from).sum::<TimeDelta>();
    if !apart || closed >= site.closes - site.opens {
        return Err(wrong());
    }
    Ok(breaks)
}

fn read_building(cells: &Cells<'_>) -> Result<BuildingPoint, Problem> {
    let place = |column| cells.needed(column, PLACE_CHARACTERS_MAX);
    Ok(BuildingPoint {
        district: place("district")?,
        street: place("street")?,
        community: place("community")?,
        building: place("building")?,
        coordinates: cells.coordinates()?.ok_or(Problem("lat", Reason::Empty))?,
    })
}

fn time(cells: &Cells<'_>, column: &'static str) -> Result<NaiveTime, Problem> {
    let text = cells.ascii(column)?;
    // Spreadsheet programs add the seconds when they save as CSV.
    let text = text
        .strip_suffix(":00")
        .filter(|rest| rest.contains(':'))
        .unwrap_or(&text);
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| Problem(column, Reason::Time))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::domain::Coordinates;

    const SITES_HEADER: &str =
        "site,district,street,community,address,desks,green_desks,samples_per_desk_hour,opens,closes,lat,lon";
    const SITE: &str = "锦绣采样点,锦江区,春熙街道,锦绣社区1,锦绣广场,3,1,120,08:00,21:00,30.66,104.06";

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("temporary files can be made");
        file.write_all(text.as_bytes()).expect("the disk has room");
        file
    }

    fn sites(text: &str) -> Vec<Result<Site, RowFault>> {
        read_sites(file(text).path()).expect("a table of sites")
    }

    fn with(column: &str, text: &str) -> String {
        let position = SITES_HEADER
            .split(',')
            .position(|name| name == column)
            .expect("a column of the header");
        let mut cells: Vec<&str> = SITE.split(',').collect();
        cells[position] = text;
        format!("{SITES_HEADER}\n{}\n", cells.join(","))
    }

    #[test]
    fn a_site_is_read_whole_under_either_header() {
        let site = sites(&format!("{SITES_HEADER}\n{SITE}\n"))
            .remove(0)
            .expect("a good site");
        assert_eq!(
            (site.id, &*site.name, &*site.address),
            (SiteId(0), "锦绣采样点", "锦绣广场")
        );
        assert_eq!(
            (site.desks, site.green_desks, site.samples_per_desk_hour),
            (3, 1, 120)
        );
        assert_eq!(Some(site.opens), NaiveTime::from_hms_opt(8, 0, 0));
        assert_eq!(Some(site.closes), NaiveTime::from_hms_opt(21, 0, 0));
        assert_eq!(
            site.coordinates,
            Some(Coordinates {
                lat: 30.66,
                lon: 104.06
            })
        );
        let chinese =
            "采样点,区,街道,社区,地址,采样台数,绿色通道台数,每台每小时采样数,开始时间,结束时间,纬度,经度";
        assert_eq!(sites(&format!("{chinese}\n{SITE}\n")), [Ok(site)]);
    }

    #[test]
    fn a_site_has_breaks_and_serves_several_communities() {
        let text = with("community", "锦绣社区1; 望江社区2；合江街道/东湖社区;锦绣社区1")
            .replace(",lat,lon\n", ",lat,lon,休息时间\n")
            .replace("104.06", "104.06,17:30-18:00; 12:00–13:00");
        let site = sites(&text).remove(0).expect("a good site");
        assert_eq!(site.community, "锦绣社区1");
        assert_eq!(site.serves, ["望江社区2", "合江街道/东湖社区"]);
        let open: Vec<String> = site
            .open()
            .iter()
            .map(|(from, to)| format!("{}–{}", from.format("%H:%M"), to.format("%H:%M")))
            .collect();
        assert_eq!(open, ["08:00–12:00", "13:00–17:30", "18:00–21:00"]);
        assert!(
            site.serves(["锦江区", "春熙街道", "锦绣社区1"])
                && site.serves(["锦江区", "春熙街道", "望江社区2"])
        );
        assert!(
            site.serves(["锦江区", "合江街道", "东湖社区"])
                && !site.serves(["锦江区", "春熙街道", "东湖社区"])
        );

        for breaks in [
            "12",
            "13:00-12:00",
            "07:00-09:00",
            "20:00-22:00",
            "12:00-13:00;12:30-14:00",
            "08:00-21:00",
            "x-y",
        ] {
            let text = with("site", "a")
                .replace(",lat,lon\n", ",lat,lon,breaks\n")
                .replace("104.06", &format!("104.06,{breaks}"));
            let fault = sites(&text).remove(0).expect_err(breaks);
            assert_eq!(
                (fault.column, &fault.reason),
                ("breaks", &Reason::Breaks),
                "{breaks}"
            );
        }
        let fault = sites(&with("community", "合江街道/东湖社区"))
            .remove(0)
            .expect_err("lies nowhere");
        assert_eq!(
            (fault.column, &fault.reason),
            ("community", &Reason::FirstCommunity)
        );
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out() {
        let site = sites(
            "site,district,street,community,address,desks,samples_per_desk_hour,opens,closes\n\
            a,b,c,d,e,３,60,8：30,9:15:00\n",
        );
        let site = site[0].as_ref().expect("a good site");
        assert_eq!((site.desks, site.green_desks, site.coordinates), (3, 0, None));
        assert_eq!(Some(site.opens), NaiveTime::from_hms_opt(8, 30, 0));
        assert_eq!(Some(site.closes), NaiveTime::from_hms_opt(9, 15, 0));
    }

    #[test]
    fn every_fault_of_a_site_is_told() {
        let whole = |min, max| Reason::WholeNumber { min, max };
        for (column, text, reason) in [
            ("site", "", Reason::Empty),
            ("address", " ", Reason::Empty),
            ("desks", "0", whole(1, 10_000)),
            ("desks", "-1", whole(1, 10_000)),
            ("desks", "2.5", whole(1, 10_000)),
            ("desks", "", whole(1, 10_000)),
            ("green_desks", "4", Reason::MoreGreenDesks),
            ("samples_per_desk_hour", "1001", whole(1, 1000)),
            ("opens", "8", Reason::Time),
            ("closes", "24:00", Reason::Time),
            ("closes", "", Reason::Time),
            ("closes", "08:00", Reason::ClosesBeforeItOpens),
            ("lat", "91", Reason::Degrees { max: 90 }),
            ("lon", "NaN", Reason::Degrees { max: 180 }),
            ("lat", "", Reason::HalfCoordinates),
            ("lon", "", Reason::HalfCoordinates),
        ] {
            let fault = sites(&with(column, text)).remove(0).expect_err("a fault");
            assert_eq!(
                (fault.line, fault.column, &fault.reason),
                (2, column, &reason),
                "{text}"
            );
            assert_eq!(fault.place.community, "锦绣社区1");
        }
    }

    #[test]
    fn a_repeat_is_the_same_as_the_first_good_line() {
        let bad = SITE.replace(",3,", ",0,");
        let rows = sites(&format!("{SITES_HEADER}\n{bad}\n{SITE}\n{SITE}\n"));
        assert!(rows[0].is_err() && rows[1].is_ok());
        let fault = rows[2].as_ref().expect_err("a repeat");
        assert_eq!(
            (fault.line, fault.column, &fault.reason),
            (4, "site", &Reason::SameAs(3))
        );
    }

    #[test]
    fn buildings_are_read_with_their_faults() {
        let text = "district,street,community,building,lat,lon\n\
            区,街道,社区,1栋,30.5,104\n\
            区,街道,社区,1栋,30.6,104\n\
            区,街道,社区,2栋,,\n\
            区,街道,社区,,30.5,104\n";
        let rows = read_buildings(file(text).path()).expect("a table of buildings");
        let point = rows[0].as_ref().expect("a good building");
        assert_eq!((&*point.building, point.coordinates.lat), ("1栋", 30.5));
        let faults: Vec<_> = rows[1..]
            .iter()
            .map(|row| row.as_ref().expect_err("a fault"))
            .collect();
        let told: Vec<_> = faults
            .iter()
            .map(|fault| (fault.line, fault.column, fault.reason.clone()))
            .collect();
        assert_eq!(
            told,
            [
                (3, "row", Reason::SameAs(2)),
                (4, "lat", Reason::Empty),
                (5, "building", Reason::Empty)
            ]
        );
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let roster = file("district,street,community,building,unit,door\na,b,c,d,e,f\n");
        let message = read_sites(roster.path())
            .expect_err("no table of sites")
            .to_string();
        assert!(message.contains("there is no column \"building\""), "{message}");
    }
}
