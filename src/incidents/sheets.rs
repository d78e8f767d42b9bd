//! The sheets on which staff registers people by hand: for each site one page to print and one table to fill in.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use askama::Template;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use qrcode::{QrCode, render::svg};
use serde::Serialize;

use super::{codes, guarded, make_folder, people, write_private};
use crate::{
    config::Config,
    domain::{Address, ChannelKind, IncidentId, Language, UnitId},
    i18n::{Text, Texts, span},
    store::{Appointment, SheetPerson, SheetWindow, Store, StoreError},
};

/// What fits onto a page of A4 below its head, in tenths of a millimetre, with 10 mm to spare for other fonts.
const PAGE_HEIGHT: usize = 2_100;
/// The height of a row: that of its lines and what is around them, and at least enough to sign in.
const LINE_HEIGHT: usize = 60;
const AROUND_LINES: usize = 25;
const ROW_HEIGHT_MIN: usize = 105;
/// Places (two for a Chinese character) in a cell's line, for the columns that may be long: door, name.
const DOOR_PLACES: usize = 6;
const NAME_PLACES: usize = 10;
const UNIT_PLACES: usize = 70;
/// Characters of a site's name in a file's name.
const FILE_NAME_CHARACTERS_MAX: usize = 40;
/// The table's columns.
const COLUMNS: [&str; 10] = [
    "row", "code", "done", "time", "site", "hour", "page", "unit", "door", "name",
];

/// Why the sheets were not written.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be written.
    #[error("{}: it could not be written: {reason}. Check the folder, its permissions and the space left", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the machine says.
        reason: io::Error,
    },
    /// The page could not be made.
    #[error("the sheet could not be laid out: {0}")]
    Layout(String),
}

/// The sheets of one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteSheets {
    /// The site's name.
    pub site: String,
    /// To print.
    pub page: PathBuf,
    /// To fill in.
    pub table: PathBuf,
    /// Pages of A4.
    pub pages: usize,
    /// Units on them.
    pub units: usize,
    /// People on them.
    pub people: usize,
}

struct Head {
    code: String,
    door: String,
    name: String,
    phone: String,
    lane: String,
    done: String,
    time: String,
    sign: String,
}

#[derive(Template)]
#[template(path = "sheet.html")]
struct Sheet<'a> {
    lang: &'a str,
    title: String,
    guide: String,
    private: String,
    count: String,
    incident: String,
    site: &'a str,
    head: Head,
    pages: Vec<Page>,
}

struct Page {
    hour: String,
    /// `2026-09-02T14`, for the table and the code to scan.
    hour_key: String,
    number: usize,
    said: String,
    qr: String,
    rows: Vec<Row>,
}

enum Row {
    Unit(String),
    Person(PersonRow),
}

struct PersonRow {
    code: String,
    unit: String,
    door: String,
    name: String,
    phone: String,
    lane: String,
    /// The first of its household.
    first: bool,
}

/// Writes the sheets of an incident for the windows that overlap `from`–`to` into a folder.
pub async fn write(
    store: &Store,
    config: &Config,
    texts: &Texts,
    incident: IncidentId,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    folder: &Path,
) -> Result<Vec<SiteSheets>, SheetError> {
    let windows = store.sheet_windows(incident, from, to, false).await?;
    let unwritable = |path: &Path| {
        let path = path.to_path_buf();
        move |reason| SheetError::Unwritable { path, reason }
    };
    make_folder(folder).map_err(unwritable(folder))?;
    let mut written = Vec::new();
    for of_site in windows.chunk_by(|a, b| a.site == b.site) {
        let site = &of_site[0];
        let groups = groups(store, of_site).await?;
        if groups.is_empty() {
            continue;
        }
        let units: BTreeSet<UnitId> = groups.iter().map(|group| group.window.unit).collect();
        let people = groups.iter().map(|group| group.people.len()).sum();
        let pages = pages(config, texts, incident, site, groups)?;
        let name = file_name(incident, site);
        let (page, table) = (
            folder.join(format!("{name}.html")),
            folder.join(format!("{name}.csv")),
        );
        let count = pages.len();
        let cells = table_of(&site.site_name, &pages).map_err(unwritable(&table))?;
        let html = html(config, texts, incident, &site.site_name, pages)?;
        write_private(&page, html.as_bytes()).map_err(unwritable(&page))?;
        write_private(&table, &cells).map_err(unwritable(&table))?;
        written.push(SiteSheets {
            site: site.site_name.clone(),
            page,
            table,
            pages: count,
            units: units.len(),
            people,
        });
    }
    Ok(written)
}

/// A heading on the sheets with those who come then.
struct Group<'a> {
    window: &'a SheetWindow,
    people: Vec<SheetPerson>,
}

/// Units' windows and green lanes each by themselves; the own times of a unit's people together where they are the same.
async fn groups<'a>(store: &Store, windows: &'a [SheetWindow]) -> Result<Vec<Group<'a>>, StoreError> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (window, comers) in windows.iter().zip(people::who_comes(store, windows).await?) {
        let mut comers: Vec<SheetPerson> = comers.into_iter().map(|comer| comer.person).collect();
        match groups.last_mut().filter(|last| are_one(last.window, window)) {
            Some(last) => {
                last.people.append(&mut comers);
                last.people.sort_by(people::by_household);
            }
            None if comers.is_empty() => {}
            None => groups.push(Group {
                window,
                people: comers,
            }),
        }
    }
    Ok(groups)
}

fn are_one(a: &SheetWindow, b: &SheetWindow) -> bool {
    let of = |window: &SheetWindow| {
        (
            window.of,
            window.round,
            window.unit,
            window.starts_at,
            window.ends_at,
        )
    };
    a.of == Appointment::Own && of(a) == of(b)
}

/// The stretch of time of a page: an hour, or all of a green lane's window, in which its people come when they like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    starts_at: DateTime<Utc>,
    /// The whole of a green lane's window comes before the hour in which it begins.
    regular: bool,
    ends_at: DateTime<Utc>,
}

impl Stretch {
    fn of(window: &SheetWindow, zone: Tz) -> Self {
        if window.of == Appointment::Green {
            return Self {
                starts_at: window.starts_at,
                regular: false,
                ends_at: window.ends_at,
            };
        }
        let minute = window.starts_at.with_timezone(&zone).minute();
        let starts_at = window.starts_at - TimeDelta::minutes(i64::from(minute));
        Self {
            starts_at,
            regular: true,
            ends_at: starts_at + TimeDelta::hours(1),
        }
    }
}

/// A page ends where the hour ends, and where it is full.
fn pages(
    config: &Config,
    texts: &Texts,
    incident: IncidentId,
    site: &SheetWindow,
    mut groups: Vec<Group<'_>>,
) -> Result<Vec<Page>, SheetError> {
    let (zone, language) = (config.city.time_zone, config.city.default_language);
    let green = print(texts, language, &Text::SheetGreen);
    let heading = |stretch: Stretch, text: String| {
        if stretch.regular {
            text
        } else {
            format!("{text}　{green}")
        }
    };
    groups.sort_by(|a, b| {
        (Stretch::of(a.window, zone).cmp(&Stretch::of(b.window, zone)))
            .then(a.window.starts_at.cmp(&b.window.starts_at))
            .then_with(|| a.window.place.natural_cmp(&b.window.place))
            .then(a.window.of.cmp(&b.window.of))
    });
    let mut pages: Vec<Page> = Vec::new();
    for of_stretch in groups.chunk_by(|a, b| Stretch::of(a.window, zone) == Stretch::of(b.window, zone)) {
        let stretch = Stretch::of(of_stretch[0].window, zone);
        let mut paper = Paper {
            hour: heading(
                stretch,
                span(language, zone, stretch.starts_at, stretch.ends_at, false),
            ),
            hour_key: stretch.starts_at.with_timezone(&zone).format("%FT%H").to_string(),
            height: usize::MAX,
            pages: &mut pages,
        };
        for group in of_stretch {
            let window = group.window;
            let time = span(language, zone, window.starts_at, window.ends_at, false);
            let text = heading(stretch, format!("{}　{time}", window.place.within_community()));
            let rows = person_rows(&green, incident, &text, &group.people);
            paper.add(&text, rows);
        }
    }
    finish(texts, language, incident, site, &mut pages)?;
    Ok(pages)
}

/// The pages of one stretch of time, as they fill.
struct Paper<'a> {
    hour: String,
    hour_key: String,
    /// What is taken of the last page; more than any has where a new one is to be begun.
    height: usize,
    pages: &'a mut Vec<Page>,
}

impl Paper<'_> {
    /// Households stay together where a page can hold them; what goes on overleaf has its heading again.
    fn add(&mut self, heading: &str, rows: Vec<PersonRow>) {
        let heading_height = AROUND_LINES + LINE_HEIGHT * lines(heading, UNIT_PLACES);
        let mut headed = false;
        let mut rest = rows.into_iter().peekable();
        while let Some(row) = rest.next() {
            let mut home = vec![row];
            while let Some(next) = rest.next_if(|next| !next.first) {
                home.push(next);
            }
            let whole: usize = home.iter().map(height_of).sum();
            let together = heading_height + whole <= PAGE_HEIGHT;
            for row in home {
                let needed = if together && row.first {
                    whole
                } else {
                    height_of(&row)
                };
                let needed = needed + if headed { 0 } else { heading_height };
                if self.height.saturating_add(needed) > PAGE_HEIGHT {
                    self.begin_page();
                    headed = false;
                }
                let Some(page) = self.pages.last_mut() else {
                    continue;
                };
                if !headed {
                    page.rows.push(Row::Unit(heading.to_owned()));
                    self.height += heading_height;
                    headed = true;
                }
                self.height += height_of(&row);
                page.rows.push(Row::Person(row));
            }
        }
    }

    fn begin_page(&mut self) {
        self.pages.push(Page {
            hour: self.hour.clone(),
            hour_key: self.hour_key.clone(),
            number: self.pages.len() + 1,
            said: String::new(),
            qr: String::new(),
            rows: Vec::new(),
        });
        self.height = 0;
    }
}

/// Each page says which it is of how many, in words and in a code to scan.
fn finish(
    texts: &Texts,
    language: Language,
    incident: IncidentId,
    site: &SheetWindow,
    pages: &mut [Page],
) -> Result<(), SheetError> {
    let total = pages.len().to_string();
    for page in pages {
        let number = page.number.to_string();
        page.said = print(
            texts,
            language,
            &Text::SheetPage {
                page: &number,
                pages: &total,
            },
        );
        let code = format!(
            "weir:incident={incident};site={};hour={};page={number}/{total}",
            site.site, page.hour_key
        );
        let code = QrCode::new(code).map_err(|error| SheetError::Layout(error.to_string()))?;
        let picture = code
            .render::<svg::Color<'_>>()
            .min_dimensions(100, 100)
            .quiet_zone(true)
            .build();
        let picture = picture.split_once("?>").map_or(picture.as_str(), |(_, svg)| svg);
        picture.clone_into(&mut page.qr);
    }
    Ok(())
}

fn person_rows(green: &str, incident: IncidentId, unit: &str, people: &[SheetPerson]) -> Vec<PersonRow> {
    let mut last_door = None;
    people
        .iter()
        .map(|person| {
            let first = last_door != Some(&person.door);
            last_door = Some(&person.door);
            let lane = if people::is_green(person) { green } else { "" };
            PersonRow {
                code: codes::code(incident, person.resident),
                unit: unit.to_owned(),
                door: person.door.clone(),
                name: person.name.clone(),
                phone: phone_of(person),
                lane: lane.to_owned(),
                first,
            }
        })
        .collect()
}

/// Masked, and without the country code where it is the usual one: everybody writes it so.
fn phone_of(person: &SheetPerson) -> String {
    let masked = person.phone.as_ref().map_or_else(String::new, Address::masked);
    masked.strip_prefix("+86").unwrap_or(&masked).to_owned()
}

fn height_of(row: &PersonRow) -> usize {
    let most = lines(&row.door, DOOR_PLACES).max(lines(&row.name, NAME_PLACES));
    (AROUND_LINES + LINE_HEIGHT * most).max(ROW_HEIGHT_MIN)
}

fn lines(text: &str, places_max: usize) -> usize {
    places(text).div_ceil(places_max).max(1)
}

/// Places that a text takes: Chinese characters are twice as wide.
fn places(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

fn html(
    config: &Config,
    texts: &Texts,
    incident: IncidentId,
    site: &str,
    pages: Vec<Page>,
) -> Result<String, SheetError> {
    let language = config.city.default_language;
    let say = |text: &Text<'_>| print(texts, language, text);
    let id = incident.to_string();
    let sheet = Sheet {
        lang: language.code(),
        title: say(&Text::SheetTitle),
        guide: say(&Text::SheetGuide),
        private: say(&Text::SheetPrivate),
        count: say(&Text::SheetCount),
        incident: say(&Text::SheetIncident { id: &id }),
        site,
        head: Head {
            code: say(&Text::SheetCode),
            door: say(&Text::SheetDoor),
            name: say(&Text::SheetName),
            phone: say(&Text::SheetPhone),
            lane: say(&Text::SheetLane),
            done: say(&Text::SheetDone),
            time: say(&Text::SheetTime),
            sign: say(&Text::SheetSign),
        },
        pages,
    };
    sheet
        .render()
        .map_err(|error| SheetError::Layout(error.to_string()))
}

/// The table to fill in, as spreadsheet programs know it: UTF-8 with a byte-order mark.
fn table_of(site: &str, pages: &[Page]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    writer.write_record(COLUMNS)?;
    let mut number = 0u64;
    for page in pages {
        for row in &page.rows {
            let Row::Person(person) = row else { continue };
            number += 1;
            writer.write_record([
                number.to_string(),
                person.code.clone(),
                String::new(),
                String::new(),
                guarded(site),
                page.hour_key.clone(),
                page.number.to_string(),
                guarded(&person.unit),
                guarded(&person.door),
                guarded(&person.name),
            ])?;
        }
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// `incident-3-12-锦绣采样点`: no sign of a name leads out of the folder.
fn file_name(incident: IncidentId, site: &SheetWindow) -> String {
    let name: String = site
        .site_name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(FILE_NAME_CHARACTERS_MAX)
        .collect();
    format!("incident-{incident}-{}-{name}", site.site)
}

/// Words on paper are the long ones.
fn print(texts: &Texts, language: Language, text: &Text<'_>) -> String {
    texts.say(language, ChannelKind::Telegram, text)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::domain::{ResidentId, RoundId, SiteId, Tag, UnitPlace};

    fn window(of: Appointment, unit: i64, minutes: i64) -> SheetWindow {
        let starts_at: DateTime<Utc> = "2026-09-03T09:00:00Z".parse().expect("an instant");
        let starts_at = starts_at + TimeDelta::minutes(minutes);
        SheetWindow {
            of,
            round: RoundId(1),
            unit: UnitId(unit),
            resident: None,
            green_apart: false,
            place: UnitPlace {
                district: "锦江区".into(),
                street: "春熙街道".into(),
                community: "锦绣社区1".into(),
                building: "3栋".into(),
                unit: format!("{unit}单元"),
            },
            site: SiteId(12),
            site_name: "../锦绣/采样点".into(),
            starts_at,
            ends_at: starts_at + TimeDelta::minutes(20),
            moved_to: None,
            noted_at: None,
        }
    }

    fn person(resident: i64, unit: i64) -> SheetPerson {
        SheetPerson {
            resident: ResidentId(resident),
            unit: UnitId(unit),
            name: if resident % 7 == 0 {
                "阿依努尔·买买提明".into()
            } else {
                "王小明".into()
            },
            door: format!("{}", 100 + resident / 3),
            phone: None,
            tags: if resident % 5 == 0 {
                vec![Tag::Student]
            } else {
                Vec::new()
            },
        }
    }

    #[test]
    fn pages_break_by_hour_and_when_full_and_every_person_is_on_one() {
        let (config, texts) = (Config::default(), Texts::load().expect("whole"));
        let windows = [
            window(Appointment::Unit, 2, 30),
            window(Appointment::Unit, 1, 10),
            window(Appointment::Unit, 3, 70),
            window(Appointment::Unit, 10, 10),
            window(Appointment::Green, 2, 10),
        ];
        let groups = (0..)
            .zip(&windows)
            .map(|(at, window)| Group {
                window,
                people: (at * 20 + 1..=at * 20 + 20)
                    .map(|id| person(id, window.unit.0))
                    .collect(),
            })
            .collect();
        let pages = pages(&config, &texts, IncidentId(3), &windows[0], groups).expect("laid out");
        let mut told = String::new();
        let mut codes = std::collections::BTreeSet::new();
        for page in &pages {
            let mut height = 0;
            let _ = write!(told, "{} {}:", page.hour_key, page.said);
            let mut persons = 0;
            for row in &page.rows {
                match row {
                    Row::Unit(heading) => {
                        let _ = write!(told, " {}", heading.split('　').next().unwrap_or_default());
                        height += AROUND_LINES + LINE_HEIGHT;
                    }
                    Row::Person(person) => {
                        assert!(codes.insert(person.code.clone()), "twice");
                        height += height_of(person);
                        persons += 1;
                    }
                }
            }
            let _ = writeln!(told, " ({persons})");
            assert!(height <= PAGE_HEIGHT);
        }
        assert_eq!(codes.len(), 100);
        insta::assert_snapshot!(told);
        assert_eq!(file_name(IncidentId(3), &windows[0]), "incident-3-12-锦绣采样点");
        let html = html(&config, &texts, IncidentId(3), "<b>", pages).expect("laid out");
        assert!(html.contains("&#60;b&#62;") && !html.contains("<b>"));
    }
}
