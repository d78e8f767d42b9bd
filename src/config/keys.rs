//! Every key: what it may hold, and whether it may be shown. One table, so that every fault of a key says the
//! same and none repeats what a parser said of a secret. A test keeps it equal to the structs.

/// What is known of one key.
pub(super) struct Key {
    /// Where it stands; `[]` for an entry of an array of tables.
    pub path: &'static str,
    /// Follows "must be".
    pub allowed: &'static str,
    /// A password, or personal data: printed as `***`.
    pub secret: bool,
    /// Every entry of its array must set it.
    pub required: bool,
}

/// What a metric's name may be.
const METRIC: &str = "a metric's name, with labels if need be, such as sessions_total{outcome=\"done\"}; empty if there is none";

/// Every key that holds a value, by section as in `config.example.toml`.
pub(super) const KEYS: &[Key] = &[
    key(
        "store.url",
        "sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE",
    )
    .secret(),
    key("security.data_key_file", "the path of a file"),
    key(
        "privacy.retention",
        "a duration from 1d to 3650d, such as 30d",
    ),
    key(
        "http.listen",
        "an address and a port, such as 127.0.0.1:8080; telegram.mode = \"webhook\" needs it",
    ),
    key(
        "telegram.token",
        "the token that @BotFather gave: digits, a colon, then 35 or more of A-Z a-z 0-9 _ -",
    )
    .secret(),
    key(
        "telegram.api_url",
        "an http or https address, such as https://api.telegram.org",
    ),
    key("telegram.mode", "\"polling\" or \"webhook\""),
    key(
        "telegram.webhook_url",
        "a public https address (http for this machine only); telegram.mode = \"webhook\" needs it",
    ),
    key(
        "telegram.webhook_secret",
        "1 to 256 of A-Z a-z 0-9 _ -; telegram.mode = \"webhook\" needs it",
    )
    .secret(),
    key("telegram.messages_per_second", "a whole number from 1 to 1000"),
    key(
        "telegram.messages_per_second_per_chat",
        "a whole number from 1 to 1000",
    ),
    key("sms.sender_name", "the name that every text message begins with"),
    key("sms.receipt_wait", "a duration from 1m to 30d, such as 24h"),
    key("sms.smpp[].name", "a name that no other entry has"),
    key("sms.smpp[].host", "a host name or an address"),
    key("sms.smpp[].port", "a whole number from 1 to 65535"),
    key("sms.smpp[].system_id", "at most 15 ASCII characters"),
    key("sms.smpp[].password", "at most 8 ASCII characters").secret(),
    key(
        "sms.smpp[].source",
        "the number or name that messages come from, 1 to 20 ASCII characters",
    ),
    key("sms.smpp[].window", "a whole number from 1 to 1000"),
    key("sms.smpp[].parts_per_second", "a whole number from 1 to 10000"),
    key(
        "sms.smpp[].enquire_link_interval",
        "a duration from 1s to 10m, such as 30s",
    ),
    key("city.time_zone", "an IANA name, such as Asia/Shanghai"),
    key("city.default_language", "\"zh-Hans\", \"zh-Hant\" or \"en\""),
    key(
        "city.emergency_number",
        "the number that residents call in an emergency, such as 120",
    ),
    key("city.price_hotline", "text; empty if there is none"),
    key("city.official_channel", "text; empty if there is none"),
    key(
        "city.map_url",
        "an http or https address with {lat} and {lon} in it, and {site} if need be; empty if there is none",
    ),
    key(
        "registration.url",
        "an http or https address without a user, a query or a fragment, such as https://registration.example.org",
    ),
    key(
        "registration.token",
        "1 to 4096 ASCII characters without spaces",
    )
    .secret(),
    key(
        "registration.metrics_url",
        "an http or https address, such as http://10.0.0.5:9100/metrics",
    ),
    key("registration.timeout", "a duration from 1s to 30s, such as 5s"),
    key(
        "registration.link",
        "the http or https address that residents open, at most 100 characters",
    ),
    key("registration.metrics.started", METRIC),
    key("registration.metrics.completed", METRIC),
    key("registration.metrics.failed", METRIC),
    key("registration.metrics.capacity_per_second", METRIC),
    key("registration.metrics.utilisation", METRIC),
    key("registration.metrics.queue_seconds", METRIC),
    key("registration.metrics.p95_ms", METRIC),
    key("registration.metrics.error_rate", METRIC),
    key("registration.metrics.as_of", METRIC),
    key("pacing.set_point", "a share from 0.3 to 0.95, such as 0.85"),
    key(
        "pacing.nominal_capacity",
        "sessions a second, from 0.01 to 1000000, such as 500.0",
    ),
    key("pacing.background_share", "a share from 0.0 to 0.5, such as 0.03"),
    key(
        "pacing.safe_share",
        "a share from pacing.safe_share_min to 1.0, such as 0.5",
    ),
    key("pacing.safe_share_min", "a share from 0.05 to 1.0, such as 0.3"),
    key("planner.window_min", "a duration from 1m to 4h, such as 10m"),
    key("planner.walk_max_metres", "a whole number from 1 to 20000"),
    key(
        "notices.reminder_before",
        "a duration shorter than 24h, such as 30m",
    ),
    key("notices.attempts_max", "a whole number from 1 to 20"),
    key("incidents.near_minutes", "a whole number from 10 to 1440"),
    key("incidents.open_on_pause", "true or false"),
    key("incidents.drain_per_second", "a number from 0.1 to 1000, such as 5"),
    key("visits.minutes", "a whole number from 1 to 120"),
    key("visits.range_minutes", "a whole number from 15 to 480"),
    key("visits.lead_minutes", "a whole number from 0 to 480"),
    key("visits.days_ahead", "a whole number from 0 to 14"),
    key("visits.coordinator_after", "a duration from 1m to 7d, such as 2h"),
    key(
        "visits.operator_after",
        "a duration from visits.coordinator_after to 7d, such as 4h",
    ),
    key("inbox.coordinator_after", "a duration from 1m to 1d, such as 30m"),
    key(
        "inbox.operator_after",
        "a duration from inbox.coordinator_after to 1d, such as 1h",
    ),
    key("alerts.coordinator_after", "a duration from 1m to 1d, such as 10m"),
    key(
        "alerts.operator_after",
        "a duration from alerts.coordinator_after to 1d, such as 20m",
    ),
    key("alerts.channel_after", "a duration from 10s to 1d, such as 3m"),
    key("alerts.queue_after", "a duration from 1m to 1d, such as 15m"),
    key("alerts.visit_after", "a duration from 1m to 1d, such as 15m"),
    key("alerts.talk_after", "a duration from 1m to 1d, such as 45m"),
    key("broadcast.approval_size", "a whole number of people from 0 to 100000000"),
    key("broadcast.price_per_part", "a price from 0.0 to 1000.0, such as 0.05"),
    key("broadcast.currency", "at most 10 characters, such as 元"),
    key("audit.head_folder", "the path of a folder"),
    key(
        "channels.only_to",
        "phone numbers with + and country code, or chat ids, each in quotes, such as [\"+8619900000001\", \"-1234\"]",
    )
    .secret(),
    key("jobs[].name", "a name that no other entry has").required(),
    key(
        "jobs[].cron",
        "minute, hour, day of month, month and day of week by name, such as \"30 3 * * MON-FRI\"",
    )
    .required(),
    key("jobs[].task", "\"erase_old\", \"backup\" or \"audit_head\"").required(),
];

/// The key at a path such as `sms.smpp[0].host`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    let path = without_indexes(path);
    KEYS.iter().find(|key| key.path == path)
}

/// The path names a table that holds keys.
pub(super) fn is_table(path: &str) -> bool {
    let start = without_indexes(path) + ".";
    KEYS.iter().any(|key| key.path.starts_with(&start))
}

/// The path names an array of tables.
pub(super) fn is_array_of_tables(path: &str) -> bool {
    let start = without_indexes(path) + "[]";
    KEYS.iter().any(|key| key.path.starts_with(&start))
}

/// What must stand at a path; follows "must be".
pub(super) fn allowed(path: &str) -> String {
    let list = path.strip_suffix(']').and_then(|path| path.rsplit_once('['));
    if let Some(key) = find(path).or_else(|| find(list?.0)) {
        key.allowed.to_owned()
    } else if is_array_of_tables(path) {
        format!("an array of tables: [[{path}]]")
    } else {
        format!("a table: [{}]", without_indexes(path))
    }
}

/// The name of the environment variable of a path.
pub(super) fn variable(path: &str) -> String {
    let path = path.replace('[', "__").replace(']', "").replace('.', "__");
    format!("WEIR_{}", path.to_ascii_uppercase())
}

/// The known path that was probably meant, if one is near.
pub(super) fn nearest(path: &str) -> Option<String> {
    const SIMILARITY_MIN: f64 = 0.85;
    // `telegram_token` for `telegram.token` is what a single underscore in a variable's name gives.
    let flat = |path: &str| path.replace(['.', '[', ']'], "_");
    let wanted = flat(&without_indexes(path));
    let (similarity, key) = KEYS
        .iter()
        .map(|key| (strsim::jaro_winkler(&flat(key.path), &wanted), key))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    (similarity >= SIMILARITY_MIN).then(|| with_indexes_of(path, key.path))
}

const fn key(path: &'static str, allowed: &'static str) -> Key {
    Key {
        path,
        allowed,
        secret: false,
        required: false,
    }
}

impl Key {
    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// `sms.smpp[0].host` as `sms.smpp[].host`.
fn without_indexes(path: &str) -> String {
    path.split_inclusive('[')
        .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()))
        .collect()
}

/// `sms.smpp[].host` with the index that `path` has, or 0.
fn with_indexes_of(path: &str, known: &str) -> String {
    let index = path
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or("0", |(index, _)| index);
    known.replace("[]", &format!("[{index}]"))
}
