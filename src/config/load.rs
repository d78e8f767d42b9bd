//! File, then environment, into one [`Config`], or into everything that is wrong with them.

use std::path::Path;

use super::{
    Config, ConfigFault, ConfigFaults, Place, check,
    keys::{self, KEYS},
    tree::{Content, Node, Pulled},
};

/// What a setting's environment variable begins with.
const PREFIX: &str = "WEIR_";
/// Variables that begin alike and are no settings: the log filter, the path of the file, what the tests are
/// given, and what `./check` is told.
const NO_SETTINGS: [&str; 5] = [
    "WEIR_LOG",
    "WEIR_CONFIG",
    "WEIR_TEST_POSTGRES_URL",
    "WEIR_NODE_SMSC",
    "WEIR_CHECK_SQLITE_ONLY",
];

impl Config {
    /// Reads the file, if one is named, puts the environment's `WEIR_` variables over it, and checks the whole.
    /// The error holds every fault, not the first alone; only a file that is not TOML hides what else is wrong.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigFaults> {
        let mut root = match file {
            Some(path) => read_file(path).map_err(ConfigFaults)?,
            None => Node::empty(),
        };
        let mut faults = Vec::new();
        overlay(&mut root, environment, &mut faults);
        refuse_unknown(&mut root, &mut faults);
        require(&root, &mut faults);
        let config = typed(&mut root, &mut faults);
        for finding in check::findings(&config) {
            // A key that is already refused stands at its default here.
            if !faults.iter().any(|fault| is_within(&finding.key, &fault.key)) {
                faults.push(fault_of(&root, &finding));
            }
        }
        if faults.is_empty() {
            return Ok(config);
        }
        faults.sort();
        Err(ConfigFaults(faults))
    }
}

/// The process's environment, for [`Config::load`]. Bytes that are not text become U+FFFD, which no setting takes.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

fn read_file(path: &Path) -> Result<Node, Vec<ConfigFault>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![ConfigFault {
            place: Place::Nowhere,
            key: String::new(),
            value: None,
            rule: format!("{} cannot be read: {error}", path.display()),
        }]
    })?;
    Node::from_toml(path, &text)
}

/// Puts every variable that is a setting into the tree. Sorted by number, so that entry 0 comes before entry 1.
fn overlay(
    root: &mut Node,
    environment: impl Iterator<Item = (String, String)>,
    faults: &mut Vec<ConfigFault>,
) {
    let mut variables: Vec<_> = environment
        .filter(|(name, _)| !NO_SETTINGS.contains(&name.as_str()))
        .filter_map(|(name, text)| {
            let steps: Vec<String> = name
                .strip_prefix(PREFIX)?
                .split("__")
                .map(str::to_ascii_lowercase)
                .collect();
            Some((steps, name, text))
        })
        .collect();
    variables.sort_by_cached_key(|(steps, ..)| {
        let numbered = |step: &String| (step.parse::<usize>().ok(), step.clone());
        steps.iter().map(numbered).collect::<Vec<_>>()
    });
    for (steps, name, text) in variables {
        if let Err(reason) = root.set(&name, &steps, &text) {
            faults.push(ConfigFault {
                place: Place::Variable(name),
                key: steps.join("."),
                value: None,
                rule: format!("cannot be set so: what stands there {reason}"),
            });
        }
    }
}

/// Takes out and reports whatever is no setting. Its value is not shown: it may be a misspelt secret.
fn refuse_unknown(node: &mut Node, faults: &mut Vec<ConfigFault>) {
    match &mut node.content {
        Content::Table(children) if node.path.is_empty() || keys::is_table(&node.path) => {
            children.retain(|_, child| {
                let known = keys::find(&child.path).is_some()
                    || keys::is_table(&child.path)
                    || keys::is_array_of_tables(&child.path);
                if !known {
                    faults.push(ConfigFault {
                        place: child.place.clone(),
                        key: child.path.clone(),
                        value: None,
                        rule: unknown_rule(child),
                    });
                }
                known
            });
            for child in children.values_mut() {
                refuse_unknown(child, faults);
            }
        }
        Content::Array(entries) => {
            for entry in entries {
                refuse_unknown(entry, faults);
            }
        }
        Content::Table(_) | Content::Value(_) => {}
    }
}

fn unknown_rule(node: &Node) -> String {
    let known = keys::nearest(&node.path).map(|path| match node.place {
        Place::Variable(_) => keys::variable(&path),
        Place::File { .. } | Place::Nowhere => path,
    });
    known.map_or_else(
        || "is no setting; config.example.toml shows them all".into(),
        |known| format!("is no setting; did you mean {known}?"),
    )
}

/// Reports the keys that an entry of an array must set and does not.
fn require(node: &Node, faults: &mut Vec<ConfigFault>) {
    match &node.content {
        Content::Value(_) => {}
        Content::Array(entries) => {
            for entry in entries {
                require(entry, faults);
            }
        }
        Content::Table(children) => {
            for key in KEYS.iter().filter(|key| key.required) {
                let name = key.path.rsplit('.').next().unwrap_or_default();
                let path = format!("{}.{name}", node.path);
                let belongs_here = keys::find(&path).is_some_and(|found| found.path == key.path);
                if belongs_here && !children.contains_key(name) {
                    faults.push(ConfigFault {
                        place: node.place.clone(),
                        key: path,
                        value: None,
                        rule: format!("is not set; must be {}", key.allowed),
                    });
                }
            }
            for child in children.values() {
                require(child, faults);
            }
        }
    }
}

/// Lets serde read the tree; what it refuses is reported and taken out, until it accepts the rest.
fn typed(root: &mut Node, faults: &mut Vec<ConfigFault>) -> Config {
    loop {
        let error = match serde_path_to_error::deserialize::<_, Config>(root.to_value()) {
            Ok(config) => return config,
            Err(error) => error,
        };
        match root.pull(error.path().iter()) {
            Pulled::BackToText => {}
            Pulled::Node(node) => faults.push(ConfigFault {
                place: node.place.clone(),
                key: node.path.clone(),
                value: node.shown(),
                rule: format!("must be {}", keys::allowed(&node.path)),
            }),
            // Cannot be while every key has a default and unknown ones are out; it must not loop for ever.
            Pulled::Nothing => {
                faults.push(ConfigFault {
                    place: Place::Nowhere,
                    key: error.path().to_string(),
                    value: None,
                    rule: "cannot be read".into(),
                });
                return Config::default();
            }
        }
    }
}

fn fault_of(root: &Node, finding: &check::Finding) -> ConfigFault {
    let node = root.find(&finding.key);
    let allowed = keys::allowed(&finding.key);
    ConfigFault {
        place: root.nearest_place(&finding.key),
        key: finding.key.clone(),
        value: node.and_then(Node::shown),
        rule: match (&finding.reason, node) {
            (Some(reason), _) => format!("{reason}; must be {allowed}"),
            (None, Some(_)) => format!("must be {allowed}"),
            (None, None) => format!("is not set; must be {allowed}"),
        },
    }
}

/// `key` is `outer`, or something in it.
fn is_within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, io::Write};

    use secrecy::ExposeSecret;
    use serde::Deserialize;

    use super::*;
    use crate::{
        config::{JobTask, SmppConfig, TelegramMode},
        domain::Address,
    };

    const EXAMPLE: &str = include_str!("../../config.example.toml");
    const TOKEN: &str = "123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHI";

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigFaults> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(toml.as_bytes()).expect("written");
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(file.path()), environment)
    }

    /// Every fault on its line, with the file's name cut to `weir.toml`.
    fn faults(toml: &str, environment: &[(&str, &str)]) -> String {
        let mut faults = load(toml, environment).expect_err("refused");
        for fault in &mut faults.0 {
            if let Place::File { path, .. } = &mut fault.place {
                *path = "weir.toml".into();
            }
        }
        faults.to_string()
    }

    /// The example with every setting in force that it shows in a comment.
    fn example_in_full() -> String {
        let shown = |line: &str| {
            line.strip_prefix('#')
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(' '))
        };
        EXAMPLE
            .lines()
            .map(|line| if shown(line) { &line[1..] } else { line })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_example_is_the_defaults() {
        let config = load(EXAMPLE, &[]).expect("loads");
        let default = Config::default();
        assert_eq!(format!("{config:#?}"), format!("{default:#?}"));
        assert_eq!(
            config.store.url.expose_secret(),
            default.store.url.expose_secret()
        );
        let none = Config::load(None, std::iter::empty()).expect("the defaults hold");
        assert_eq!(format!("{none:?}"), format!("{default:?}"));
    }

    #[test]
    fn the_example_shows_every_key_and_all_of_it_loads() {
        fn paths(node: &Node, found: &mut BTreeSet<String>) {
            match &node.content {
                Content::Table(children) => {
                    for child in children.values() {
                        paths(child, found);
                    }
                }
                Content::Array(entries) if keys::is_array_of_tables(&node.path) => {
                    for entry in entries {
                        paths(entry, found);
                    }
                }
                Content::Array(_) | Content::Value(_) => {
                    found.insert(node.path.replace("[0]", "[]"));
                }
            }
        }
        let full = example_in_full();
        let config = load(&full, &[]).expect("loads");
        let carrier = &config.sms.smpp[0];
        let default_carrier = SmppConfig {
            system_id: carrier.system_id.clone(),
            source: carrier.source.clone(),
            ..SmppConfig::default()
        };
        assert_eq!(format!("{carrier:?}"), format!("{default_carrier:?}"));
        let root = Node::from_toml(Path::new("example"), &full).expect("parses");
        let mut shown = BTreeSet::new();
        paths(&root, &mut shown);
        let known: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(shown, known);
    }

    #[test]
    fn the_table_of_keys_is_what_the_structs_hold() {
        // Each table is asked for a key that it cannot have; serde's answer lists those that it has.
        let full: toml::Table = example_in_full().parse().expect("parses");
        let listed = |value: toml::Value| {
            let error = Config::deserialize(value)
                .expect_err("an unknown key")
                .to_string();
            let (_, list) = error.split_once("expected").expect("a list of keys");
            let list = list.lines().next().unwrap_or_default();
            list.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        let mut found = BTreeSet::new();
        for section in listed(toml::Value::Table(
            [("?".to_owned(), 0.into())].into_iter().collect(),
        )) {
            let mut table = full.clone();
            let (at, prefix) = match table.get_mut(&section).expect("in the example") {
                toml::Value::Array(entries) => (&mut entries[0], format!("{section}[].")),
                section_table => (section_table, format!("{section}.")),
            };
            at.as_table_mut().expect("a table").insert("?".into(), 0.into());
            found.extend(listed(table.into()).into_iter().map(|key| prefix.clone() + &key));
        }
        // The tables inside tables.
        for (table_path, prefix) in [
            ("sms.smpp", "sms.smpp[]"),
            ("registration.metrics", "registration.metrics"),
        ] {
            assert!(found.remove(table_path), "{table_path}");
            let (outer, inner) = table_path.split_once('.').expect("two names");
            let mut table = full.clone();
            let inside = match &mut table[outer][inner] {
                toml::Value::Array(entries) => &mut entries[0],
                inside => inside,
            };
            inside
                .as_table_mut()
                .expect("a table")
                .insert("?".into(), 0.into());
            found.extend(
                listed(table.into())
                    .into_iter()
                    .map(|key| format!("{prefix}.{key}")),
            );
        }
        let known: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(found, known);
    }

    #[test]
    fn a_metric_is_named_with_its_labels_or_not_at_all() {
        let config = load(
            "[registration.metrics]\ncompleted = 'done{state=\"ok\"}'\nerror_rate = ''\n",
            &[("WEIR_REGISTRATION__METRICS__FAILED", "bad_total")],
        )
        .expect("loads");
        let metrics = &config.registration.metrics;
        assert_eq!(
            metrics.completed.as_ref().map(|series| series.labels.len()),
            Some(1)
        );
        assert_eq!(
            metrics.failed.as_ref().map(|series| &*series.name),
            Some("bad_total")
        );
        assert!(metrics.error_rate.is_none());
        let said = faults("[registration.metrics]\nstarted = 'two words'\n", &[]);
        assert!(
            said.contains("weir.toml:2") && said.contains("a metric's name"),
            "{said}"
        );
    }

    #[test]
    fn the_environment_wins_and_makes_entries() {
        let config = load(
            "[telegram]\nmessages_per_second = 5\n[city]\nofficial_channel = 'file'\n",
            &[
                ("WEIR_TELEGRAM__TOKEN", TOKEN),
                ("WEIR_TELEGRAM__MESSAGES_PER_SECOND", "20"),
                // Looks like a number, and must not become one.
                ("WEIR_CITY__EMERGENCY_NUMBER", "0120"),
                ("WEIR_CITY__PRICE_HOTLINE", "12315"),
                ("WEIR_SMS__SMPP__1__NAME", "second"),
                ("WEIR_SMS__SMPP__1__SOURCE", "10691"),
                ("WEIR_SMS__SMPP__0__SOURCE", "10690"),
                ("WEIR_SMS__SMPP__0__PASSWORD", "1e5"),
                ("WEIR_SMS__SMPP__0__PORT", "3775"),
                ("WEIR_CHANNELS__ONLY_TO", r#"["+8619900000001", -1234]"#),
                ("WEIR_JOBS__0__NAME", "erase"),
                ("WEIR_JOBS__0__CRON", "0 3 * * SUN"),
                ("WEIR_JOBS__0__TASK", "erase_old"),
                ("WEIR_LOG", "debug"),
                ("PATH", "/bin"),
            ],
        )
        .expect("loads");
        assert_eq!(config.telegram.token.expect("set").expose_secret(), TOKEN);
        assert_eq!(config.telegram.messages_per_second, 20);
        assert_eq!(config.telegram.mode, TelegramMode::Polling);
        assert_eq!(config.city.official_channel, "file");
        assert_eq!(config.city.emergency_number, "0120");
        assert_eq!(config.city.price_hotline, "12315");
        assert_eq!(config.sms.smpp[0].source, "10690");
        assert_eq!(config.sms.smpp[0].password.expose_secret(), "1e5");
        assert_eq!(config.sms.smpp[0].port, 3775);
        assert_eq!(config.sms.smpp[1].name, "second");
        assert_eq!(config.jobs[0].task, JobTask::EraseOld);
        let only_to = config.channels.only_to.expect("set");
        assert!(matches!(only_to[..], [Address::Phone(_), Address::Chat(-1234)]));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let toml = r#"
surprise = 1
telegram.token = "123:short"
telegram.tokn = "another secret"
telegram.mode = "pull"
telegram.messages_per_second = 0
http = 8080
[privacy]
retention = "soon"
[city]
time_zone = "Mars/Olympus"
emergency_number = " "
[channels]
only_to = ["+8619900000001", "somebody", 5]
[[sms.smpp]]
port = 70000
password = "much too long"
[[sms.smpp]]
host = ["a"]
source = "10690"
[[jobs]]
cron = "0 3 * * 1"
task = "dance"
[[jobs]]
name = "two"
"#;
        let environment = [
            ("WEIR_TELEGRAM_API_URL", "x"),
            ("WEIR_SMS__SMPP__1__WINDOW", "many"),
            ("WEIR_SMS__SMPP__3__NAME", "far"),
            ("WEIR_PLANNER", "1"),
            ("WEIR_NOTICES__ATTEMPTS_MAX__X", "1"),
            ("WEIR_NOTICES__ATTEMPTS_MAX", "99"),
            ("WEIR_STORE__URL", "mysql://root:hunter2@host"),
        ];
        insta::assert_snapshot!(faults(toml, &environment), @r#"
        weir.toml:2:1: surprise: is no setting; config.example.toml shows them all
        weir.toml:3:10: telegram.token = ***: must be the token that @BotFather gave: digits, a colon, then 35 or more of A-Z a-z 0-9 _ -
        weir.toml:4:10: telegram.tokn: is no setting; did you mean telegram.token?
        weir.toml:5:10: telegram.mode = "pull": must be "polling" or "webhook"
        weir.toml:6:10: telegram.messages_per_second = 0: must be a whole number from 1 to 1000
        weir.toml:7:1: http: must be a table: [http]
        weir.toml:9:1: privacy.retention = "soon": must be a duration from 1d to 3650d, such as 30d
        weir.toml:11:1: city.time_zone = "Mars/Olympus": must be an IANA name, such as Asia/Shanghai
        weir.toml:12:1: city.emergency_number = " ": must be the number that residents call in an emergency, such as 120
        weir.toml:14:30: channels.only_to[1] = ***: must be phone numbers with + and country code, or chat ids, each in quotes, such as ["+8619900000001", "-1234"]
        weir.toml:14:42: channels.only_to[2] = ***: must be phone numbers with + and country code, or chat ids, each in quotes, such as ["+8619900000001", "-1234"]
        weir.toml:15:1: sms.smpp[0].source: is not set; must be the number or name that messages come from, 1 to 20 ASCII characters
        weir.toml:16:1: sms.smpp[0].port = 70000: must be a whole number from 1 to 65535
        weir.toml:17:1: sms.smpp[0].password = ***: must be at most 8 ASCII characters
        weir.toml:18:1: sms.smpp[1].name: is not set; must be a name that no other entry has
        weir.toml:19:1: sms.smpp[1].host = ["a"]: must be a host name or an address
        weir.toml:21:1: jobs[0].name: is not set; must be a name that no other entry has
        weir.toml:22:1: jobs[0].cron = "0 3 * * 1": days of the week are written by name, as MON-FRI; must be minute, hour, day of month, month and day of week by name, such as "30 3 * * MON-FRI"
        weir.toml:23:1: jobs[0].task = "dance": must be "erase_old", "backup" or "audit_head"
        weir.toml:24:1: jobs[1].cron: is not set; must be minute, hour, day of month, month and day of week by name, such as "30 3 * * MON-FRI"
        weir.toml:24:1: jobs[1].task: is not set; must be "erase_old", "backup" or "audit_head"
        WEIR_NOTICES__ATTEMPTS_MAX: notices.attempts_max = 99: must be a whole number from 1 to 20
        WEIR_NOTICES__ATTEMPTS_MAX__X: notices.attempts_max.x: cannot be set so: what stands there is a single value
        WEIR_PLANNER: planner: must be a table: [planner]
        WEIR_SMS__SMPP__1__WINDOW: sms.smpp[1].window = "many": must be a whole number from 1 to 1000
        WEIR_SMS__SMPP__3__NAME: sms.smpp.3.name: cannot be set so: what stands there has no entry of the number before this one
        WEIR_STORE__URL: store.url = ***: must be sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE
        WEIR_TELEGRAM_API_URL: telegram_api_url: is no setting; did you mean WEIR_TELEGRAM__API_URL?
        "#);
    }

    #[test]
    fn a_webhook_needs_an_address_a_secret_and_a_listener() {
        insta::assert_snapshot!(faults("[telegram]\nmode = 'webhook'", &[]), @r#"
        weir.toml:1:2: telegram.webhook_secret: is not set; must be 1 to 256 of A-Z a-z 0-9 _ -; telegram.mode = "webhook" needs it
        weir.toml:1:2: telegram.webhook_url: is not set; must be a public https address (http for this machine only); telegram.mode = "webhook" needs it
        configuration: http.listen: is not set; must be an address and a port, such as 127.0.0.1:8080; telegram.mode = "webhook" needs it
        "#);
        let environment = [
            ("WEIR_TELEGRAM__MODE", "webhook"),
            ("WEIR_TELEGRAM__WEBHOOK_URL", "http://weir.example.org"),
            ("WEIR_TELEGRAM__WEBHOOK_SECRET", "有"),
            ("WEIR_HTTP__LISTEN", "127.0.0.1:8080"),
        ];
        insta::assert_snapshot!(faults("", &environment), @r#"
        WEIR_TELEGRAM__WEBHOOK_SECRET: telegram.webhook_secret = ***: must be 1 to 256 of A-Z a-z 0-9 _ -; telegram.mode = "webhook" needs it
        WEIR_TELEGRAM__WEBHOOK_URL: telegram.webhook_url = "http://weir.example.org": must be a public https address (http for this machine only); telegram.mode = "webhook" needs it
        "#);
        for url in [
            "https://weir.example.org/telegram",
            "http://127.0.0.1:8080/x",
            "http://[::1]/x",
        ] {
            let toml = format!(
                "http.listen = '127.0.0.1:8080'\n[telegram]\nmode = 'webhook'\nwebhook_url = '{url}'\nwebhook_secret = 'a-b_c'"
            );
            load(&toml, &[]).expect("loads");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line_and_column() {
        insta::assert_snapshot!(faults("[city]\nemergency_number = 120\n[telegram\ntoken = 'x'\na = = 1", &[]), @r#"
        weir.toml:3:10: unclosed table, expected `]`
        weir.toml:5:5: extra `=`, expected nothing
        weir.toml:5:7: unexpected key or value, expected newline, `#`
        "#);
        insta::assert_snapshot!(faults("[city]\nprice_hotline = 'a'\nprice_hotline = 'secret'", &[]), @"weir.toml:3:1: duplicate key");
        insta::assert_snapshot!(faults("[sms]\nsmpp = 99999999999999999999", &[]), @"weir.toml:2:8: this number is too large");
        let missing = Config::load(Some(Path::new("/nowhere/weir.toml")), std::iter::empty());
        insta::assert_snapshot!(missing.expect_err("no such file"), @"configuration: /nowhere/weir.toml cannot be read: No such file or directory (os error 2)");
    }

    #[test]
    fn no_fault_and_no_debug_output_shows_a_secret() {
        let toml = "[telegram]\ntoken = 'hunter2'\nwebhook_secret = ['hunter2']\n[store]\nurl = 'x://hunter2'\n\
            [channels]\nonly_to = ['hunter2']\n[[sms.smpp]]\npassword = 'hunter2hunter2'\npasword = 'hunter2'";
        let text = faults(
            toml,
            &[
                ("WEIR_TELEGRAM__WEBHOOK_SECRT", "hunter2"),
                ("WEIR_CHANNELS", "hunter2"),
            ],
        );
        assert!(!text.contains("hunter2"), "{text}");
        let config = load(
            &format!("[telegram]\ntoken = '{TOKEN}'\n[channels]\nonly_to = ['+8619912345678']"),
            &[],
        );
        let debug = format!("{:?}", config.expect("loads"));
        assert!(
            !debug.contains("abcdefghij") && !debug.contains("12345678"),
            "{debug}"
        );
    }
}
