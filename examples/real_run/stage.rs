//! The city, the carrier, the registration system and the service, each on a free port of this machine.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::{process::Child, sync::broadcast};
use tokio_util::sync::CancellationToken;
use weir::{
    channels::sms::smsc::{Smsc, SmscOptions, Submitted},
    clock::Clock,
};

use crate::Args;

/// Local time at which the round is played, whatever the machine's is: far from midnight.
const HOUR: i32 = 10;
const PHONES_AT_ONE_SITE: u32 = 800;
const PATIENCE: Duration = Duration::from_mins(1);
/// The share of the capacity taken by people whom nobody told, as the configuration's default says.
const BACKGROUND: f64 = 0.03;

/// Everything that the round needs.
pub struct Stage {
    folder: tempfile::TempDir,
    weir: PathBuf,
    smsc: Smsc,
    http: SocketAddr,
    _registration: Child,
    /// Where the registration system listens.
    pub registration: String,
    /// The city's time zone.
    pub zone: Tz,
}

/// What was planned.
pub struct Planned {
    /// When the first window starts.
    pub first_window: DateTime<Utc>,
}

impl Stage {
    /// Writes the city, starts carrier and registration system, and imports the city.
    pub async fn set(args: &Args) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let smsc = Smsc::start(loopback, SmscOptions::default(), CancellationToken::new())
            .await
            .context("the carrier")?;
        let (listen, http) = (free_port()?, free_port()?);
        let weir = std::path::absolute(&args.weir)?;
        let registration = tokio::process::Command::new(&weir)
            .args(["registration-sim", "--listen", &listen.to_string()])
            .args([
                "--capacity",
                &args.capacity.to_string(),
                "--seed",
                &args.seed.to_string(),
            ])
            .args(["--strangers", &(BACKGROUND * args.capacity).to_string()])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", weir.display()))?;
        let offset = HOUR - Clock::System.now().hour() as i32;
        // Names of this kind count towards the west.
        let offset = if offset < -12 { offset + 24 } else { offset };
        let zone = format!("Etc/GMT{:+}", -offset);
        let stage = Self {
            weir,
            smsc,
            http,
            _registration: registration,
            registration: format!("http://{listen}"),
            zone: zone.parse().map_err(|_| anyhow::anyhow!("no time zone {zone}"))?,
            folder,
        };
        stage.write_config(args)?;
        stage.write_city(args)?;
        stage.weir(&["import", "roster.csv", "--sites", "sites.csv"])?;
        Ok(stage)
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the carrier delivers from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Submitted> {
        self.smsc.subscribe()
    }

    fn write_config(&self, args: &Args) -> Result<()> {
        let text = format!(
            "[http]\nlisten = \"{}\"\n[city]\ntime_zone = \"{}\"\n\
             [registration]\nurl = \"{}\"\nlink = \"https://hs.example.cn/r\"\n\
             [incidents]\nopen_on_pause = true\nnear_minutes = 60\n\
             [pacing]\nnominal_capacity = {:?}\nbackground_share = {BACKGROUND}\n\
             [[sms.smpp]]\nname = \"loopback\"\nport = {}\nsystem_id = \"weir\"\nsource = \"10690001\"\n\
             window = 64\nparts_per_second = 2000\n",
            self.http,
            self.zone.name(),
            self.registration,
            args.capacity,
            self.smsc.local_addr().port(),
        );
        Ok(std::fs::write(self.folder().join("weir.toml"), text)?)
    }

    /// Units of 12 to 48 phones, one person each, and sites that could do more than the registration system.
    fn write_city(&self, args: &Args) -> Result<()> {
        let mut chance = StdRng::seed_from_u64(args.seed);
        let mut roster = "district,street,community,building,unit,door,name,phone,language,tags\n".to_owned();
        let mut sites = "site,district,street,community,address,desks,green_desks,samples_per_desk_hour,opens,closes,lat,lon\n".to_owned();
        let communities = args.recipients.div_ceil(PHONES_AT_ONE_SITE).max(1);
        // All sites together take three times as many as come online.
        let desks = (3.0 * args.capacity * 3600.0 / 120.0 / f64::from(communities)).ceil();
        let mut phone = 0;
        for community in 0..communities {
            let name = format!("青羊区,浣花街道,锦绣社区{}", community + 1);
            writeln!(
                sites,
                "采样点{},{name},广场,{desks},0,120,06:00,22:00,,",
                community + 1
            )?;
            let last = args.recipients * (community + 1) / communities;
            let mut unit = 0;
            while phone < last {
                let size = chance.random_range(12..=48_u32).min(last - phone);
                for door in 0..size {
                    let place = format!("{name},{}栋,{}单元,{}", unit / 3 + 1, unit % 3 + 1, 101 + door);
                    writeln!(roster, "{place},王伟,+86199{phone:08},zh-Hans,")?;
                    phone += 1;
                }
                unit += 1;
            }
        }
        std::fs::write(self.folder().join("roster.csv"), roster)?;
        Ok(std::fs::write(self.folder().join("sites.csv"), sites)?)
    }

    /// Plans the round from now on.
    pub fn plan(&self, args: &Args) -> Result<Planned> {
        let local = Clock::System.now().with_timezone(&self.zone);
        let planned = self.weir(&[
            "round",
            "plan",
            "--date",
            &local.format("%F").to_string(),
            "--from",
            &local.format("%H:00").to_string(),
            "--to",
            "22:00",
            "--lead",
            &format!("{}m", args.lead),
            "--ahead",
            &format!("{}m", args.lead + 4),
            "--notice-from",
            &local.format("%FT%H:%M").to_string(),
            "--svg",
            "round.svg",
        ])?;
        let begins = planned["begins_later"]
            .as_str()
            .context("the round is planned for later")?;
        Ok(Planned {
            first_window: begins.parse()?,
        })
    }

    /// The same round in virtual time.
    pub fn rehearse(&self, args: &Args) -> Result<Value> {
        self.weir(&["rehearse", "--round", "1", "--seed", &args.seed.to_string()])
    }

    /// Starts the service, and waits until it is ready.
    pub async fn serve(&self) -> Result<Child> {
        let log = std::fs::File::create(self.folder().join("serve.log"))?;
        let service = tokio::process::Command::new(&self.weir)
            .arg("serve")
            .current_dir(self.folder())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let began = Clock::System.now();
        while reqwest::get(format!("http://{}/readyz", self.http))
            .await
            .and_then(reqwest::Response::error_for_status)
            .is_err()
        {
            let waited = (Clock::System.now() - began).to_std().unwrap_or_default();
            ensure!(waited < PATIENCE, "the service does not get ready");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(service)
    }

    /// Lets the round go.
    pub fn release(&self) -> Result<Value> {
        self.weir(&["round", "release", "1"])
    }

    /// What the simulator says of its people.
    pub async fn people(&self) -> Result<Value> {
        let answer = reqwest::get(format!("{}/people", self.registration)).await?;
        Ok(answer.json().await?)
    }

    /// What a person does about an incident: it is closed once the law has ended its pause. Gives whether one is open.
    pub fn tend_incident(&self) -> Result<bool> {
        let status = self.weir(&["pacing", "status"])?;
        let open = status["incidents"]
            .as_array()
            .and_then(|open| open.first())
            .cloned();
        let Some(incident) = open else { return Ok(false) };
        if status["mode"] == "paused" {
            return Ok(true);
        }
        self.weir(&["incident", "close", &incident.to_string()])?;
        Ok(false)
    }

    /// Runs one of the binary's commands, and gives its answer. A rehearsal that does not pass still answers.
    pub fn weir(&self, args: &[&str]) -> Result<Value> {
        let run = Command::new(&self.weir)
            .arg("--json")
            .args(args)
            .current_dir(self.folder())
            .output()?;
        match serde_json::from_slice(&run.stdout) {
            Ok(answer) => Ok(answer),
            Err(_) => bail!(
                "weir {}: {}",
                args.join(" "),
                String::from_utf8_lossy(&run.stderr)
            ),
        }
    }
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
