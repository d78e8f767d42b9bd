//! A made-up city of any size: the same arguments give the same bytes. Its people and numbers are invented.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

const DISTRICTS: [&str; 6] = ["锦江区", "青羊区", "金牛区", "武侯区", "成华区", "龙泉驿区"];
const STREETS: [&str; 6] = ["春熙", "浣花", "茶店", "玉林", "猛追湾", "洪河"];
const COMMUNITIES: [&str; 6] = ["锦绣", "望江", "芙蓉", "银杏", "桂溪", "天府"];
const SURNAMES: &str = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕";
const GIVEN: &str = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志鹏晓梅思远雨桐子涵浩然";
/// Residents of a desk: as many as it samples in a day or so.
const RESIDENTS_PER_DESK: u64 = 900;

/// The files that an office would bring.
pub struct Files {
    pub roster: PathBuf,
    pub sites: PathBuf,
}

struct Writer {
    roster: BufWriter<File>,
    sites: BufWriter<File>,
    chance: StdRng,
    residents: u64,
    residents_max: u64,
}

/// Writes a city into a folder, row by row: households of 1 to 5 behind 8 to 66 doors in 1 to 4 units of 6 to 24
/// buildings of each community; six of seven people have a phone number of their own.
pub fn write(folder: &Path, residents: u64) -> io::Result<Files> {
    let files = Files {
        roster: folder.join("roster.csv"),
        sites: folder.join("sites.csv"),
    };
    let mut city = Writer {
        roster: BufWriter::new(File::create(&files.roster)?),
        sites: BufWriter::new(File::create(&files.sites)?),
        chance: StdRng::seed_from_u64(1),
        residents: 0,
        residents_max: residents,
    };
    writeln!(
        city.roster,
        "district,street,community,building,unit,door,name,phone,language,tags"
    )?;
    writeln!(
        city.sites,
        "site,district,street,community,address,desks,green_desks,samples_per_desk_hour,opens,closes,lat,lon"
    )?;
    let mut number = 0;
    while city.residents < residents {
        number += 1;
        city.community(number)?;
    }
    city.roster.flush()?;
    city.sites.flush()?;
    Ok(files)
}

impl Writer {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.chance.random_range(0..from.len())]
    }

    fn letter(&mut self, from: &str) -> char {
        let letters = from.chars().count();
        let chosen = self.chance.random_range(0..letters);
        from.chars().nth(chosen).unwrap_or_default()
    }

    fn community(&mut self, number: usize) -> io::Result<()> {
        let before = self.residents;
        let district = DISTRICTS[number % DISTRICTS.len()];
        let street = self.pick(&STREETS);
        let name = format!("{}社区{number}", self.pick(&COMMUNITIES));
        let place = format!("{district},{street}街道,{name}");
        for building in 1..=self.chance.random_range(6..=24) {
            for unit in 1..=self.chance.random_range(1..=4) {
                for door in 0..self.chance.random_range(8..=66) {
                    let door = format!("{}{:02}", door / 4 + 1, door % 4 + 1);
                    self.household(&format!("{place},{building}栋,{unit}单元,{door}"))?;
                }
            }
        }
        let desks = ((self.residents - before) / RESIDENTS_PER_DESK).max(2);
        writeln!(
            self.sites,
            "{name}采样点,{place},{name}广场,{desks},{},120,08:00,21:00,30.66,104.06",
            i32::from(desks > 2)
        )
    }

    fn household(&mut self, place: &str) -> io::Result<()> {
        let people = [1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5][self.chance.random_range(0..12)];
        for _ in 0..people {
            if self.residents == self.residents_max {
                break;
            }
            self.residents += 1;
            let mut name = self.letter(SURNAMES).to_string();
            for _ in 0..self.chance.random_range(1..=2) {
                name.push(self.letter(GIVEN));
            }
            let (phone, tag) = match self.chance.random_range(0..100) {
                0..14 => (false, ""),
                14..28 => (true, "student"),
                28..42 => (true, "elderly"),
                42..45 => (true, "elderly;limited_mobility"),
                _ => (true, ""),
            };
            let phone = if phone {
                format!("+86199{:08}", self.residents)
            } else {
                String::new()
            };
            let language = if self.chance.random_bool(0.02) {
                "en"
            } else {
                "zh-Hans"
            };
            writeln!(self.roster, "{place},{name},{phone},{language},{tag}")?;
        }
        Ok(())
    }
}
