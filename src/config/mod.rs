//! One typed configuration: file, then environment; checked once; secrets print as `***`.

mod check;
mod fault;
mod keys;
mod load;
mod series;
mod tree;

pub use check::parse_cron;
pub use fault::{ConfigFault, ConfigFaults, Place};
pub use load::environment;
pub use series::Series;

use std::{path::PathBuf, time::Duration};

use chrono_tz::Tz;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error};

use crate::domain::{Address, Language, PhoneNumber};

/// Everything that can be set. Every key has a default; `config.example.toml` shows them all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything is kept.
    pub store: StoreConfig,
    /// The data key.
    pub security: SecurityConfig,
    /// How long personal data is kept.
    pub privacy: PrivacyConfig,
    /// Weir's own HTTP listener.
    pub http: HttpConfig,
    /// The Telegram bot.
    pub telegram: TelegramConfig,
    /// Text messages.
    pub sms: SmsConfig,
    /// The city.
    pub city: CityConfig,
    /// The registration system.
    pub registration: RegistrationConfig,
    /// How releases follow the registration system's load.
    pub pacing: PacingConfig,
    /// Which windows the planner gives.
    pub planner: PlannerConfig,
    /// When notices leave and how they are retried.
    pub notices: NoticesConfig,
    /// What happens while the registration system is down.
    pub incidents: IncidentsConfig,
    /// How visits at home are promised.
    pub visits: VisitsConfig,
    /// How what residents ask a person reaches the workers.
    pub inbox: InboxConfig,
    /// What those on duty are told of unasked.
    pub alerts: AlertsConfig,
    /// What workers have to say to residents.
    pub broadcast: BroadcastConfig,
    /// The record of who did what.
    pub audit: AuditConfig,
    /// Whom Weir may write to.
    pub channels: ChannelsConfig,
    /// What runs on a timetable.
    pub jobs: Vec<JobConfig>,
}

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite://weir.db` or `postgres://user:password@host/database`. A secret: it may hold a password.
    pub url: SecretString,
}

/// `[security]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityConfig {
    /// The file of the data key; by default beside a SQLite store, as `<store>.key`.
    pub data_key_file: Option<PathBuf>,
}

/// `[privacy]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Texts and personal columns of a round are erased this long after its last day.
    #[serde(with = "duration")]
    pub retention: Duration,
}

/// `[http]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port of health checks, metrics and the Telegram webhook; none by default.
    pub listen: Option<std::net::SocketAddr>,
}

/// `[telegram]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramConfig {
    /// The bot's token; without one the channel is off.
    pub token: Option<SecretString>,
    /// Base address of the Bot API.
    pub api_url: String,
    /// How updates come in.
    pub mode: TelegramMode,
    /// Public https address that Telegram calls, for `mode = "webhook"`.
    pub webhook_url: Option<String>,
    /// Secret that Telegram repeats in each call, 1–256 of `A-Za-z0-9_-`.
    pub webhook_secret: Option<SecretString>,
    /// Messages a second over all chats.
    pub messages_per_second: u32,
    /// Messages a second to one chat.
    pub messages_per_second_per_chat: u32,
}

/// How Telegram's updates come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TelegramMode {
    /// Weir asks; works behind any router.
    #[default]
    Polling,
    /// Telegram calls `telegram.webhook_url`.
    Webhook,
}

/// `[sms]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsConfig {
    /// Said in every text message, as the law asks: 【…】.
    pub sender_name: String,
    /// How long a receipt is awaited before a delivery counts as `sent`.
    #[serde(with = "duration")]
    pub receipt_wait: Duration,
    /// Carrier accounts, the first in use.
    pub smpp: Vec<SmppConfig>,
}

/// `[[sms.smpp]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmppConfig {
    /// The carrier's name in listings.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Account name, at most 15 characters.
    pub system_id: String,
    /// Account password, at most 8 characters in SMPP 3.4.
    pub password: SecretString,
    /// The number or name that messages come from and people answer to.
    pub source: String,
    /// Submits that may await their answer at once.
    pub window: usize,
    /// Parts a second that the contract allows.
    pub parts_per_second: u32,
    /// Idle time after which the link is checked.
    #[serde(with = "duration")]
    pub enquire_link_interval: Duration,
}

/// `[city]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CityConfig {
    /// IANA name.
    pub time_zone: Tz,
    /// Language where nothing better is known.
    pub default_language: Language,
    /// Always told; may not be empty.
    pub emergency_number: String,
    /// Where prices pushed up are reported.
    pub price_hotline: String,
    /// Where the city announces.
    pub official_channel: String,
    /// The page that shows a site on a map: an address with `{lat}`, `{lon}` and perhaps `{site}`. Empty for none.
    pub map_url: String,
}

/// `[registration]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Base address of the system that speaks the contract; without one nobody is registered and no proof is known.
    pub url: Option<String>,
    /// Sent to `url`, and to nobody else, as a bearer token.
    pub token: Option<SecretString>,
    /// A Prometheus text endpoint to take the load from, in place of `url`'s own report.
    pub metrics_url: Option<String>,
    /// The longest wait for an answer. The load is waited for 4 s at most, so that one lost answer is no silence.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// The page that residents open to register.
    pub link: Option<String>,
    /// What the metrics at `metrics_url` are called.
    pub metrics: RegistrationMetricsConfig,
}

/// `[registration.metrics]`: which series say what; none where the system has no such metric. A counter (by its
/// `# TYPE`, or a name that ends in `_total`) becomes the rate between two scrapes; anything else counts as it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationMetricsConfig {
    /// Sessions begun.
    #[serde(deserialize_with = "series::optional")]
    pub started: Option<Series>,
    /// Sessions that ended well.
    #[serde(deserialize_with = "series::optional")]
    pub completed: Option<Series>,
    /// Sessions that failed.
    #[serde(deserialize_with = "series::optional")]
    pub failed: Option<Series>,
    /// Sessions a second that the system can complete.
    #[serde(deserialize_with = "series::optional")]
    pub capacity_per_second: Option<Series>,
    /// Share of the capacity in use, 0 to 1.
    #[serde(deserialize_with = "series::optional")]
    pub utilisation: Option<Series>,
    /// Seconds that a new session waits.
    #[serde(deserialize_with = "series::optional")]
    pub queue_seconds: Option<Series>,
    /// Milliseconds within which 95 % of sessions end.
    #[serde(deserialize_with = "series::optional")]
    pub p95_ms: Option<Series>,
    /// Share of sessions that fail, 0 to 1.
    #[serde(deserialize_with = "series::optional")]
    pub error_rate: Option<Series>,
    /// Unix seconds of the instant that the metrics speak of, where they are a copy.
    #[serde(deserialize_with = "series::optional")]
    pub as_of: Option<Series>,
}

/// `[pacing]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PacingConfig {
    /// Share of its capacity that the registration system is kept at.
    pub set_point: f64,
    /// Sessions a second that it completes when all is well; by default what its feed says.
    pub nominal_capacity: Option<f64>,
    /// Share of the capacity taken by people who come without being told.
    pub background_share: f64,
    /// Share of the usual rate that is safe once the load feed has been silent for 20 s.
    pub safe_share: f64,
    /// What that falls to while the silence lasts.
    pub safe_share_min: f64,
}

/// `[planner]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlannerConfig {
    /// The shortest window.
    #[serde(with = "duration")]
    pub window_min: Duration,
    /// How far people are sent, in metres as the crow flies, where it is known where they live.
    pub walk_max_metres: u32,
}

/// `[notices]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoticesConfig {
    /// How long before the window the reminder leaves.
    #[serde(with = "duration")]
    pub reminder_before: Duration,
    /// Attempts before a delivery fails for good.
    pub attempts_max: u32,
}

/// `[incidents]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentsConfig {
    /// A window that begins within so many minutes is near: its people are told.
    pub near_minutes: u32,
    /// The pacing law's pause declares an incident by itself.
    pub open_on_pause: bool,
    /// Registrations by hand passed on to the registration system a second.
    pub drain_per_second: f64,
}

impl IncidentsConfig {
    /// How near a window counts as near.
    pub fn near(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::minutes(self.near_minutes.into())
    }
}

/// `[visits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VisitsConfig {
    /// What a visit takes at the door, with one person to be sampled.
    pub minutes: u32,
    /// How long the time is that is promised.
    pub range_minutes: u32,
    /// Nobody is promised a time that begins sooner.
    pub lead_minutes: u32,
    /// Where today has no room, a time is looked for on so many of the following dates.
    pub days_ahead: u32,
    /// What has waited so long goes to the coordinator,
    #[serde(with = "duration")]
    pub coordinator_after: Duration,
    /// and after so long to the operator.
    #[serde(with = "duration")]
    pub operator_after: Duration,
}

/// `[inbox]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InboxConfig {
    /// What has waited so long for an answer goes to the coordinators,
    #[serde(with = "duration")]
    pub coordinator_after: Duration,
    /// and after so long to the operators.
    #[serde(with = "duration")]
    pub operator_after: Duration,
}

/// `[alerts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// What nobody has seen to goes to the coordinators after so long,
    #[serde(with = "duration")]
    pub coordinator_after: Duration,
    /// and after so long to the operators.
    #[serde(with = "duration")]
    pub operator_after: Duration,
    /// A carrier without a connection for so long is told.
    #[serde(with = "duration")]
    pub channel_after: Duration,
    /// A message that has been ready to leave for so long is told.
    #[serde(with = "duration")]
    pub queue_after: Duration,
    /// A visit that was handed upwards and not touched for so long is told.
    #[serde(with = "duration")]
    pub visit_after: Duration,
    /// A resident who has waited so long for an answer is told.
    #[serde(with = "duration")]
    pub talk_after: Duration,
}

/// `[broadcast]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BroadcastConfig {
    /// A broadcast to more people than this leaves only once a second person has approved it; a round of more is
    /// released by an operator.
    pub approval_size: u64,
    /// What an SMS part costs; 0 where it is not known.
    pub price_per_part: f64,
    /// What that price is in, as it is said.
    pub currency: String,
}

/// `[audit]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Where the end of the audit log is written each day; only to the service's own log where it is not set.
    pub head_folder: Option<PathBuf>,
}

/// `[channels]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelsConfig {
    /// If set, only these phone numbers and chat ids are ever written to: for trying a live set-up.
    /// An empty list lets nothing out.
    #[serde(deserialize_with = "addresses")]
    pub only_to: Option<Vec<Address>>,
}

/// `[[jobs]]`: every key must be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobConfig {
    /// Unique name.
    pub name: String,
    /// Five fields: minute, hour, day of month, month, day of week by name; in the city's time.
    pub cron: String,
    /// What it does.
    pub task: JobTask,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobTask {
    /// Erases personal data past `privacy.retention`.
    EraseOld,
    /// Writes a backup beside the store.
    Backup,
    /// Writes the end of the audit log where it is kept.
    AuditHead,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite://weir.db".into(),
        }
    }
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self {
            retention: Duration::from_hours(30 * 24),
        }
    }
}

impl Default for TelegramConfig {
    fn default() -> Self {
        Self {
            token: None,
            api_url: "https://api.telegram.org".into(),
            mode: TelegramMode::Polling,
            webhook_url: None,
            webhook_secret: None,
            messages_per_second: 30,
            messages_per_second_per_chat: 1,
        }
    }
}

impl Default for SmsConfig {
    fn default() -> Self {
        Self {
            sender_name: "社区通知".into(),
            receipt_wait: Duration::from_hours(24),
            smpp: Vec::new(),
        }
    }
}

impl Default for SmppConfig {
    fn default() -> Self {
        Self {
            name: "carrier".into(),
            host: "127.0.0.1".into(),
            port: 2775,
            system_id: String::new(),
            password: String::new().into(),
            source: String::new(),
            window: 32,
            parts_per_second: 100,
            enquire_link_interval: Duration::from_secs(30),
        }
    }
}

impl Default for CityConfig {
    fn default() -> Self {
        Self {
            time_zone: chrono_tz::Asia::Shanghai,
            default_language: Language::ZhHans,
            emergency_number: "120".into(),
            price_hotline: "12315".into(),
            official_channel: String::new(),
            map_url: "https://uri.amap.com/marker?position={lon},{lat}&coordinate=wgs84&name={site}".into(),
        }
    }
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self {
            url: None,
            token: None,
            metrics_url: None,
            timeout: Duration::from_secs(5),
            link: None,
            metrics: RegistrationMetricsConfig::default(),
        }
    }
}

impl Default for RegistrationMetricsConfig {
    /// What `weir registration-sim` calls them.
    fn default() -> Self {
        let series = |name: &str| {
            Some(Series {
                name: format!("registration_{name}"),
                labels: Vec::new(),
            })
        };
        Self {
            started: series("sessions_started_total"),
            completed: series("sessions_completed_total"),
            failed: series("sessions_failed_total"),
            capacity_per_second: series("capacity_per_second"),
            utilisation: series("utilisation"),
            queue_seconds: series("queue_seconds"),
            p95_ms: series("p95_ms"),
            error_rate: None,
            as_of: series("as_of_seconds"),
        }
    }
}

impl Default for PacingConfig {
    fn default() -> Self {
        Self {
            set_point: 0.85,
            nominal_capacity: None,
            background_share: 0.03,
            safe_share: 0.5,
            safe_share_min: 0.3,
        }
    }
}

impl Default for PlannerConfig {
    fn default() -> Self {
        Self {
            window_min: Duration::from_mins(10),
            walk_max_metres: 900,
        }
    }
}

impl Default for NoticesConfig {
    fn default() -> Self {
        Self {
            reminder_before: Duration::from_mins(30),
            attempts_max: 8,
        }
    }
}

impl Default for IncidentsConfig {
    fn default() -> Self {
        Self {
            near_minutes: 120,
            open_on_pause: false,
            drain_per_second: 5.0,
        }
    }
}

impl Default for VisitsConfig {
    fn default() -> Self {
        Self {
            minutes: 10,
            range_minutes: 60,
            lead_minutes: 30,
            days_ahead: 3,
            coordinator_after: Duration::from_hours(2),
            operator_after: Duration::from_hours(4),
        }
    }
}

impl Default for InboxConfig {
    fn default() -> Self {
        Self {
            coordinator_after: Duration::from_mins(30),
            operator_after: Duration::from_hours(1),
        }
    }
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            coordinator_after: Duration::from_mins(10),
            operator_after: Duration::from_mins(20),
            channel_after: Duration::from_mins(3),
            queue_after: Duration::from_mins(15),
            visit_after: Duration::from_mins(15),
            talk_after: Duration::from_mins(45),
        }
    }
}

impl Default for BroadcastConfig {
    fn default() -> Self {
        Self {
            approval_size: 5_000,
            price_per_part: 0.0,
            currency: "元".into(),
        }
    }
}

impl Default for JobConfig {
    /// Stands in only where a key is missing or wrong, while the other faults are collected;
    /// such a configuration is refused.
    fn default() -> Self {
        Self {
            name: String::new(),
            cron: String::new(),
            task: JobTask::EraseOld,
        }
    }
}

/// Addresses as people write them: `+` and a phone number with its country code, or a chat id.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Address>>, D::Error> {
    struct Entry(Address);

    impl<'de> Deserialize<'de> for Entry {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            let address = if text.starts_with('+') {
                PhoneNumber::parse(&text).ok().map(Address::Phone)
            } else {
                text.parse().ok().map(Address::Chat)
            };
            address
                .map(Self)
                .ok_or_else(|| D::Error::custom("neither a phone number nor a chat id"))
        }
    }

    let entries = Option::<Vec<Entry>>::deserialize(deserializer)?;
    Ok(entries.map(|entries| entries.into_iter().map(|Entry(address)| address).collect()))
}

/// Durations as people write them: `30m`, `24h`, `30d`.
mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map_err(|_| D::Error::custom("write a duration with its unit, such as 30s, 10m, 24h or 30d"))
    }
}
