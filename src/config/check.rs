//! What types cannot say: ranges, forms, and settings that need each other.

use std::{collections::BTreeSet, ops::RangeInclusive, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    AlertsConfig, Config, InboxConfig, JobConfig, PacingConfig, RegistrationConfig, SmppConfig,
    TelegramConfig, TelegramMode, VisitsConfig,
};

/// A key whose value is not allowed; what is allowed stands in [`super::keys`].
pub(super) struct Finding {
    /// Its path, such as `sms.smpp[0].host`.
    pub key: String,
    /// More than that it is not allowed, where that helps.
    pub reason: Option<String>,
}

/// Reads five fields: minute, hour, day of month, month, day of week by name. Where both day fields are set,
/// both must match. The error is a sentence's part, without the text itself.
pub fn parse_cron(text: &str) -> Result<cron::Schedule, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [.., day_of_week] = fields.as_slice() else {
        return Err("it is empty".into());
    };
    if fields.len() != 5 {
        return Err(format!("it has {} fields, not five", fields.len()));
    }
    // The cron crate counts 1 as Sunday, crontab counts 1 as Monday.
    if day_of_week.contains(|c: char| c.is_ascii_digit()) {
        return Err("days of the week are written by name, as MON-FRI".into());
    }
    let schedule = cron::Schedule::from_str(&format!("0 {}", fields.join(" ")))
        .map_err(|_| "it cannot be read as a timetable".to_owned())?;
    if schedule.after(&DateTime::<Utc>::UNIX_EPOCH).next().is_none() {
        return Err("it names a day that never comes".into());
    }
    Ok(schedule)
}

fn is_map_url(template: &str) -> bool {
    let is_address = template.starts_with("https://") || template.starts_with("http://");
    template.is_empty() || is_address && template.contains("{lat}") && template.contains("{lon}")
}

/// Everything that is not allowed, however many.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut checks = Checks::default();
    checks.need("store.url", is_store_url(&config.store.url));
    let key_file = config.security.data_key_file.as_ref();
    checks.need(
        "security.data_key_file",
        key_file.is_none_or(|path| !path.as_os_str().is_empty()),
    );
    checks.need(
        "privacy.retention",
        (days(1)..=days(3650)).contains(&config.privacy.retention),
    );
    checks.telegram(&config.telegram, config.http.listen.is_some());
    checks.need("sms.sender_name", !config.sms.sender_name.trim().is_empty());
    checks.need(
        "sms.receipt_wait",
        (Duration::from_mins(1)..=days(30)).contains(&config.sms.receipt_wait),
    );
    checks.smpp(&config.sms.smpp);
    checks.pacing(&config.pacing);
    checks.need(
        "city.emergency_number",
        !config.city.emergency_number.trim().is_empty(),
    );
    checks.need("city.map_url", is_map_url(&config.city.map_url));
    checks.registration(&config.registration);
    checks.need(
        "planner.window_min",
        (Duration::from_mins(1)..=Duration::from_hours(4)).contains(&config.planner.window_min),
    );
    checks.need(
        "planner.walk_max_metres",
        (1..=20_000).contains(&config.planner.walk_max_metres),
    );
    checks.need(
        "notices.reminder_before",
        config.notices.reminder_before < days(1),
    );
    checks.need(
        "notices.attempts_max",
        (1..=20).contains(&config.notices.attempts_max),
    );
    checks.need(
        "incidents.near_minutes",
        (10..=1440).contains(&config.incidents.near_minutes),
    );
    checks.need(
        "incidents.drain_per_second",
        (0.1..=1000.0).contains(&config.incidents.drain_per_second),
    );
    checks.visits(&config.visits);
    checks.inbox(&config.inbox);
    checks.alerts(&config.alerts);
    checks.need(
        "broadcast.approval_size",
        config.broadcast.approval_size <= 100_000_000,
    );
    checks.need(
        "broadcast.price_per_part",
        (0.0..=1000.0).contains(&config.broadcast.price_per_part),
    );
    checks.need(
        "broadcast.currency",
        config.broadcast.currency.chars().count() <= 10,
    );
    checks.jobs(&config.jobs);
    checks.findings
}

#[derive(Default)]
struct Checks {
    findings: Vec<Finding>,
}

impl Checks {
    fn need(&mut self, key: impl Into<String>, holds: bool) {
        if !holds {
            self.findings.push(Finding {
                key: key.into(),
                reason: None,
            });
        }
    }

    fn visits(&mut self, visits: &VisitsConfig) {
        self.need("visits.minutes", (1..=120).contains(&visits.minutes));
        self.need("visits.range_minutes", (15..=480).contains(&visits.range_minutes));
        self.need("visits.lead_minutes", visits.lead_minutes <= 480);
        self.need("visits.days_ahead", visits.days_ahead <= 14);
        let longest = days(7);
        self.need(
            "visits.coordinator_after",
            (Duration::from_mins(1)..=longest).contains(&visits.coordinator_after),
        );
        self.need(
            "visits.operator_after",
            (visits.coordinator_after..=longest).contains(&visits.operator_after),
        );
    }

    fn inbox(&mut self, inbox: &InboxConfig) {
        let longest = days(1);
        self.need(
            "inbox.coordinator_after",
            (Duration::from_mins(1)..=longest).contains(&inbox.coordinator_after),
        );
        self.need(
            "inbox.operator_after",
            (inbox.coordinator_after..=longest).contains(&inbox.operator_after),
        );
    }

    fn alerts(&mut self, alerts: &AlertsConfig) {
        let (minute, longest) = (Duration::from_mins(1), days(1));
        self.need(
            "alerts.coordinator_after",
            (minute..=longest).contains(&alerts.coordinator_after),
        );
        self.need(
            "alerts.operator_after",
            (alerts.coordinator_after..=longest).contains(&alerts.operator_after),
        );
        self.need(
            "alerts.channel_after",
            (Duration::from_secs(10)..=longest).contains(&alerts.channel_after),
        );
        for (key, after) in [
            ("alerts.queue_after", alerts.queue_after),
            ("alerts.visit_after", alerts.visit_after),
            ("alerts.talk_after", alerts.talk_after),
        ] {
            self.need(key, (minute..=longest).contains(&after));
        }
    }

    fn telegram(&mut self, telegram: &TelegramConfig, listens: bool) {
        const PER_SECOND: RangeInclusive<u32> = 1..=1000;
        let by_webhook = telegram.mode == TelegramMode::Webhook;
        self.need("telegram.token", telegram.token.as_ref().is_none_or(is_bot_token));
        self.need("telegram.api_url", web_address(&telegram.api_url).is_some());
        self.need(
            "telegram.webhook_url",
            telegram.webhook_url.as_ref().map_or(!by_webhook, |url| {
                web_address(url).is_some_and(|url| url.scheme() == "https" || is_this_machine(&url))
            }),
        );
        self.need(
            "telegram.webhook_secret",
            telegram.webhook_secret.as_ref().map_or(!by_webhook, |secret| {
                let secret = secret.expose_secret();
                (1..=256).contains(&secret.len()) && secret.chars().all(is_token_character)
            }),
        );
        self.need("http.listen", listens || !by_webhook);
        self.need(
            "telegram.messages_per_second",
            PER_SECOND.contains(&telegram.messages_per_second),
        );
        self.need(
            "telegram.messages_per_second_per_chat",
            PER_SECOND.contains(&telegram.messages_per_second_per_chat),
        );
    }

    fn pacing(&mut self, pacing: &PacingConfig) {
        self.need("pacing.set_point", (0.3..=0.95).contains(&pacing.set_point));
        let capacity = pacing.nominal_capacity;
        self.need(
            "pacing.nominal_capacity",
            capacity.is_none_or(|sessions| (0.01..=1e6).contains(&sessions)),
        );
        self.need(
            "pacing.background_share",
            (0.0..=0.5).contains(&pacing.background_share),
        );
        self.need(
            "pacing.safe_share_min",
            (0.05..=1.0).contains(&pacing.safe_share_min),
        );
        self.need(
            "pacing.safe_share",
            (pacing.safe_share_min..=1.0).contains(&pacing.safe_share),
        );
    }

    fn smpp(&mut self, carriers: &[SmppConfig]) {
        let mut names = BTreeSet::new();
        for (index, carrier) in carriers.iter().enumerate() {
            let key = |name: &str| format!("sms.smpp[{index}].{name}");
            let fits = |text: &str, bytes_max| text.is_ascii() && text.len() <= bytes_max;
            let name = carrier.name.trim();
            self.need(key("name"), !name.is_empty() && names.insert(name));
            self.need(key("host"), !carrier.host.trim().is_empty());
            self.need(key("port"), carrier.port != 0);
            // SMPP 3.4, 4.1.1: system_id 16 octets, password 9, addresses 21, each with its closing NUL.
            self.need(key("system_id"), fits(&carrier.system_id, 15));
            self.need(key("password"), fits(carrier.password.expose_secret(), 8));
            let source = carrier.source.trim();
            self.need(key("source"), !source.is_empty() && fits(source, 20));
            self.need(key("window"), (1..=1000).contains(&carrier.window));
            self.need(
                key("parts_per_second"),
                (1..=10_000).contains(&carrier.parts_per_second),
            );
            self.need(
                key("enquire_link_interval"),
                (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&carrier.enquire_link_interval),
            );
        }
    }

    fn registration(&mut self, registration: &RegistrationConfig) {
        const LINK_LEN_MAX: usize = 100;
        let is_base = |url: &String| {
            web_address(url).is_some_and(|url| {
                let plain = url.query().is_none() && url.fragment().is_none();
                plain && url.username().is_empty() && url.password().is_none()
            })
        };
        self.need("registration.url", registration.url.as_ref().is_none_or(is_base));
        self.need(
            "registration.token",
            registration.token.as_ref().is_none_or(|token| {
                let token = token.expose_secret();
                (1..=4096).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
            }),
        );
        self.need(
            "registration.metrics_url",
            registration
                .metrics_url
                .as_ref()
                .is_none_or(|url| web_address(url).is_some()),
        );
        self.need(
            "registration.timeout",
            (Duration::from_secs(1)..=Duration::from_secs(30)).contains(&registration.timeout),
        );
        self.need(
            "registration.link",
            registration
                .link
                .as_ref()
                .is_none_or(|link| link.len() <= LINK_LEN_MAX && web_address(link).is_some()),
        );
    }

    fn jobs(&mut self, jobs: &[JobConfig]) {
        let mut names = BTreeSet::new();
        for (index, job) in jobs.iter().enumerate() {
            let name = job.name.trim();
            self.need(
                format!("jobs[{index}].name"),
                !name.is_empty() && names.insert(name),
            );
            if let Err(reason) = parse_cron(&job.cron) {
                self.findings.push(Finding {
                    key: format!("jobs[{index}].cron"),
                    reason: Some(reason),
                });
            }
        }
    }
}

fn is_store_url(url: &SecretString) -> bool {
    ["sqlite://", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| {
            url.expose_secret()
                .strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty())
        })
}

/// Lenient: Telegram promises no form, but a token that was cut short is the usual mistake.
fn is_bot_token(token: &SecretString) -> bool {
    const SECRET_PART_LEN_MIN: usize = 35;
    token
        .expose_secret()
        .split_once(':')
        .is_some_and(|(bot_id, secret)| {
            !bot_id.is_empty()
                && bot_id.bytes().all(|byte| byte.is_ascii_digit())
                && secret.len() >= SECRET_PART_LEN_MIN
                && secret.chars().all(is_token_character)
        })
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn web_address(text: &str) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

fn is_this_machine(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        findings(&config).into_iter().map(|finding| finding.key).collect()
    }

    #[test]
    fn timetables_have_five_fields_and_days_by_name() {
        for text in [
            "30 3 * * *",
            "*/15 8-18 * * MON-FRI",
            "0  0 1 JAN,JUL ?",
            "0 3 29 2 *",
        ] {
            assert!(parse_cron(text).is_ok(), "{text}");
        }
        for (text, reason) in [
            ("", "it is empty"),
            ("@daily", "it has 1 fields, not five"),
            ("0 30 3 * * *", "it has 6 fields, not five"),
            ("30 3 * * 1", "days of the week are written by name, as MON-FRI"),
            ("30 3 * * 1-5", "days of the week are written by name, as MON-FRI"),
            ("61 3 * * *", "it cannot be read as a timetable"),
            ("30 3 * * FUNDAY", "it cannot be read as a timetable"),
            ("0 3 30 2 *", "it names a day that never comes"),
        ] {
            assert_eq!(parse_cron(text).expect_err(text), reason, "{text}");
        }
    }

    #[test]
    fn monday_is_monday() {
        use chrono::Datelike;
        let schedule = parse_cron("0 3 * * MON").expect("valid");
        let first = schedule
            .after(&DateTime::<Utc>::UNIX_EPOCH)
            .next()
            .expect("comes");
        assert_eq!(first.weekday(), chrono::Weekday::Mon);
    }

    #[test]
    fn ranges_include_their_ends() {
        assert!(keys(|_| ()).is_empty());
        assert_eq!(keys(|config| config.pacing.set_point = 1.0), ["pacing.set_point"]);
        assert_eq!(
            keys(|config| config.pacing.safe_share = 0.2),
            ["pacing.safe_share"],
            "less than it falls to"
        );
        assert_eq!(
            keys(|config| config.pacing.nominal_capacity = Some(0.0)),
            ["pacing.nominal_capacity"]
        );
        for minutes in [1, 240] {
            assert!(keys(|config| config.planner.window_min = Duration::from_mins(minutes)).is_empty());
        }
        for minutes in [0, 241] {
            let found = keys(|config| config.planner.window_min = Duration::from_mins(minutes));
            assert_eq!(found, ["planner.window_min"]);
        }
        assert_eq!(
            keys(|config| config.privacy.retention = Duration::from_hours(23)),
            ["privacy.retention"]
        );
        assert_eq!(
            keys(|config| config.notices.reminder_before = days(1)),
            ["notices.reminder_before"]
        );
        assert_eq!(
            keys(|config| config.notices.attempts_max = 21),
            ["notices.attempts_max"]
        );
        assert_eq!(
            keys(|config| config.sms.receipt_wait = Duration::from_secs(59)),
            ["sms.receipt_wait"]
        );
        assert_eq!(
            keys(|config| config.telegram.api_url = "ftp://x".into()),
            ["telegram.api_url"]
        );
    }

    #[test]
    fn the_registration_system_has_an_address_and_no_secret_in_it() {
        for url in [
            "registration",
            "https://user:word@example.org",
            "https://example.org/?token=x",
        ] {
            assert_eq!(
                keys(|config| config.registration.url = Some(url.into())),
                ["registration.url"],
                "{url}"
            );
        }
        assert!(keys(|config| config.registration.url = Some("https://example.org/api/".into())).is_empty());
        assert_eq!(
            keys(|config| config.registration.token = Some("two words".into())),
            ["registration.token"]
        );
        assert_eq!(
            keys(|config| config.registration.timeout = Duration::from_secs(31)),
            ["registration.timeout"]
        );
    }

    #[test]
    fn carriers_keep_to_the_protocol_and_to_their_names() {
        let good = SmppConfig {
            source: "10690000".into(),
            ..SmppConfig::default()
        };
        let bad = SmppConfig {
            host: String::new(),
            system_id: "s".repeat(16),
            password: "p".repeat(9).into(),
            source: " ".into(),
            window: 0,
            parts_per_second: 10_001,
            enquire_link_interval: Duration::ZERO,
            ..good.clone()
        };
        assert!(keys(|config| config.sms.smpp = vec![good.clone()]).is_empty());
        let found = keys(|config| config.sms.smpp = vec![good, bad]);
        let names = [
            "name",
            "host",
            "system_id",
            "password",
            "source",
            "window",
            "parts_per_second",
            "enquire_link_interval",
        ];
        assert_eq!(found, names.map(|name| format!("sms.smpp[1].{name}")));
    }
}
