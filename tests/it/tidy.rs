//! What no compiler checks: who may use whom, where SQL may stand, and that words and migrations are complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use weir::domain::Language;

/// The rows of ARCHITECTURE.md, the highest first. A module may use the rows below its own.
const ROWS: [(&str, &[&str]); 5] = [
    ("doors", &["cli", "app", "console", "jobs", "rehearsal", "demo"]),
    (
        "flows",
        &[
            "roster",
            "release",
            "outbox",
            "conversation",
            "inbox",
            "visits",
            "incidents",
            "reports",
            "workers",
        ],
    ),
    ("edges", &["channels", "registration", "store"]),
    (
        "decisions",
        &[
            "planner",
            "pacing",
            "passes",
            "routes",
            "knowledge",
            "understanding",
            "i18n",
        ],
    ),
    ("nouns", &["domain", "config", "clock"]),
];
const DECISIONS: usize = 3;
const NOUNS: usize = 4;
/// They start and wire the other doors; the demo starts the whole service.
const MAY_USE_DOORS: [&str; 3] = ["cli", "app", "demo"];
/// What a decision must not touch: it would no longer be pure.
const IMPURE: [&str; 9] = [
    "async",
    "await",
    "tokio",
    "reqwest",
    "crate::clock",
    "Instant",
    "std::env",
    "std::fs",
    "std::net",
];
/// The one decision that keeps state and waits.
const MAY_BE_IMPURE: &str = "src/pacing/limits.rs";
/// Left over from work that was not finished.
const UNFINISHED: [&str; 5] = ["todo!", "dbg!", "unimplemented!", "FIXME", "XXX"];

#[test]
fn modules_use_only_the_rows_below_their_own() {
    let mut faults = Vec::new();
    for source in sources() {
        let Some(module) = source.module() else { continue };
        if row(module).is_none() {
            faults.push(format!("{}: the module {module} has no row", source.path));
        }
        let code = without_tests(&without_words(&source.text));
        for (line, used) in modules_used(&code, source.depth()) {
            if !may_use(module, &used) {
                faults.push(format!("{}:{line}: {module} must not use {used}", source.path));
            }
        }
    }
    none(&faults);
}

#[test]
fn decisions_are_pure() {
    let mut faults = Vec::new();
    for source in sources() {
        let decides = source.module().and_then(row) == Some(DECISIONS);
        if decides && source.path != MAY_BE_IMPURE {
            let code = without_tests(&without_words(&source.text));
            for word in IMPURE {
                for line in lines_with(&code, word) {
                    faults.push(format!("{}:{line}: {word} in a decision", source.path));
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn sql_stands_in_the_store_alone() {
    let mut faults = Vec::new();
    for source in sources() {
        if source.module() != Some("store") {
            for line in lines_with(&without_words(&source.text), "sqlx") {
                faults.push(format!("{}:{line}: sqlx outside src/store", source.path));
            }
        }
    }
    none(&faults);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut faults = Vec::new();
    for source in sources() {
        for word in UNFINISHED {
            for line in lines_with(&source.text, word) {
                faults.push(format!("{}:{line}: {word}", source.path));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_text_is_in_every_language_and_in_use() {
    let locales = root().join("locales");
    if !locales.exists() {
        return;
    }
    let mut faults = Vec::new();
    let mut texts_by_language = BTreeMap::new();
    for language in Language::ALL {
        let folder = locales.join(language.code());
        let mut texts = String::new();
        let is_fluent = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "ftl");
        for path in files_under(&folder).into_iter().filter(is_fluent) {
            let file = read(&path);
            if let Err((_, errors)) = fluent::FluentResource::try_new(file.clone()) {
                faults.push(format!("{}: {errors:?}", path.display()));
            }
            texts += &file;
        }
        texts_by_language.insert(language.code(), texts);
    }
    let keys_by_language: BTreeMap<_, _> = texts_by_language
        .iter()
        .map(|(language, texts)| (*language, message_keys(texts)))
        .collect();
    let every_key: BTreeSet<_> = keys_by_language.values().flatten().copied().collect();
    for (language, keys) in &keys_by_language {
        for key in &every_key {
            match keys.iter().filter(|other| *other == key).count() {
                0 => faults.push(format!("{key} is missing in {language}")),
                1 => {}
                count => faults.push(format!("{key} stands {count} times in {language}")),
            }
        }
    }
    let source: String = sources().into_iter().map(|source| source.text).collect();
    let in_texts = |key: &str| {
        texts_by_language
            .values()
            .any(|texts| texts.contains(&format!("{{ {key} }}")))
    };
    for key in every_key {
        if !source.contains(&format!("\"{key}\"")) && !in_texts(key) {
            faults.push(format!("{key} is used nowhere"));
        }
    }
    none(&faults);
}

#[test]
fn migrations_are_paired() {
    let names = |dialect: &str| {
        files_under(&root().join("migrations").join(dialect))
            .iter()
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn the_scanner_sees_what_it_must() {
    let text = r##"
//! crate::app in words
use crate::{
    domain::{Inbound, store::NotThis},
    store, // crate::cli
};
use super::super::outbox::Delivery;
const SAID: &str = "crate::app { \" crate::demo";
const RAW: &str = r#"crate::app " }"#;
const QUOTE: char = '"';
fn f<'a>(x: &'a str) -> crate::planner::Plan { crate :: i18n::f() /* crate::app /* nested */ crate::app */ }
#[cfg(test)]
mod tests {
    use crate::console;
}
use crate::jobs;
"##;
    let code = without_tests(&without_words(text));
    let used: Vec<_> = modules_used(&code, 2)
        .into_iter()
        .map(|(_, module)| module)
        .collect();
    assert_eq!(used, ["domain", "store", "outbox", "planner", "i18n", "jobs"]);
    assert_eq!(modules_used(&code, 2).first().map(|(line, _)| *line), Some(4));
    assert!(
        !modules_used(&code, 3)
            .iter()
            .any(|(_, module)| module == "outbox"),
        "two steps up from depth 3 stay within the module"
    );
    assert_eq!(lines_with("let x = 1;\nsqlx::query();\nmysqlx", "sqlx"), [2]);
    assert_eq!(
        message_keys("# c\na-b = x\n    .sms = y\n-term = z\nc =\n    d = e\n"),
        ["a-b", "c"]
    );
}

#[test]
fn rows_are_what_they_are_meant_to_be() {
    for (module, used) in [
        ("cli", "app"),
        ("app", "jobs"),
        ("jobs", "store"),
        ("outbox", "store"),
        ("outbox", "planner"),
        ("store", "domain"),
        ("config", "domain"),
        ("outbox", "outbox"),
        ("outbox", "no_module"),
    ] {
        assert!(may_use(module, used), "{module} uses {used}");
    }
    for (module, used) in [
        ("outbox", "inbox"),
        ("store", "outbox"),
        ("channels", "store"),
        ("planner", "pacing"),
        ("planner", "store"),
        ("domain", "i18n"),
        ("jobs", "app"),
        ("outbox", "cli"),
    ] {
        assert!(!may_use(module, used), "{module} uses {used}");
    }
}

/// One file of `src/`.
struct Source {
    /// From the project's root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The top module that the file belongs to; none for the two roots.
    fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        match rest.split_once('/') {
            Some((module, _)) => Some(module),
            None => rest
                .strip_suffix(".rs")
                .filter(|module| !["lib", "main"].contains(module)),
        }
    }

    /// How many `super::` lead from the file to the crate's root.
    fn depth(&self) -> usize {
        let is_folder = usize::from(self.path.ends_with("/mod.rs"));
        self.path.matches('/').count() - is_folder
    }
}

/// Every file of `src/` that is more than tests.
fn sources() -> Vec<Source> {
    let sources: Vec<_> = files_under(&root().join("src"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source {
            text: read(&path),
            path: path
                .strip_prefix(root())
                .unwrap_or(&path)
                .to_string_lossy()
                .replace('\\', "/"),
        })
        .filter(|source| !source.path.ends_with("/tests.rs"))
        .collect();
    assert!(sources.len() > 5, "found only {} files", sources.len());
    sources
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file in a folder and the folders in it, sorted; none if the folder is not there.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(files_under(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|(_, modules)| modules.contains(&module))
}

fn may_use(module: &str, used: &str) -> bool {
    let (Some(own), Some(other)) = (row(module), row(used)) else {
        return true; // macros and what lib.rs itself holds
    };
    let both_doors = own == 0 && other == 0 && MAY_USE_DOORS.contains(&module);
    module == used || own < other || other == NOUNS || both_doors
}

/// The first names of `crate::` paths, and of `super::` paths that reach the root, with their lines.
fn modules_used(code: &str, depth: usize) -> Vec<(usize, String)> {
    let to_root = vec!["super"; depth];
    let tokens = tokens(code);
    let words: Vec<&str> = tokens.iter().map(|(_, word)| *word).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let steps = if words[at] == "crate" {
            1
        } else if words[at..].iter().step_by(2).take(depth).eq(&to_root) && depth > 0 {
            2 * depth - 1
        } else {
            at += 1;
            continue;
        };
        at += steps;
        if words.get(at) != Some(&"::") {
            continue;
        }
        at += 1;
        let mut braces = 0;
        let mut at_start = true;
        while let Some(word) = words.get(at) {
            match *word {
                "{" => braces += 1,
                "}" => braces -= 1,
                "," => at_start = braces == 1,
                "::" | ";" | "(" | ")" => at_start = false,
                name if at_start => {
                    found.push((tokens[at].0, name.to_owned()));
                    at_start = false;
                }
                _ => {}
            }
            at += 1;
            if braces <= 0 {
                break;
            }
        }
    }
    found
}

/// Words, `::`, and single signs, with their lines.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word_length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            let length = match word_length {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                length => length,
            };
            found.push((number, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// Lines, from 1, on which `word` stands by itself.
fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let stands_alone = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            let goes_on = word.ends_with(is_word) && after.is_some_and(is_word);
            !before.is_some_and(is_word) && !goes_on
        })
    };
    (1..)
        .zip(code.lines())
        .filter(|(_, line)| stands_alone(line))
        .map(|(number, _)| number)
        .collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The keys of Fluent messages, without terms and attributes.
fn message_keys(texts: &str) -> Vec<&str> {
    texts
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|line| line.split_once('='))
        .map(|(key, _)| key.trim())
        .collect()
}

/// The code with blanks for comments, strings and characters; lines keep their numbers.
fn without_words(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(is_word);
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment_length(rest),
            '"' => string_length(rest),
            'r' if !after_word || code.ends_with(['b', 'c']) => raw_string_length(rest),
            '\'' => character_length(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (words, remaining) = rest.split_at(length);
            code.extend(words.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = remaining;
        }
    }
    code
}

/// Block comments may be nested.
fn comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r#"…"#`; 0 for any other word that begins with r.
fn raw_string_length(text: &str) -> usize {
    let opened = text[1..].trim_start_matches('#');
    let hashes = text.len() - 1 - opened.len();
    let Some(content) = opened.strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    let content_length = content.find(&end).map_or(content.len(), |at| at + end.len());
    1 + hashes + 1 + content_length
}

/// The length of a character in quotes; 0 for a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            let after = escaped + 1;
            text.get(after..)
                .and_then(|rest| rest.find('\''))
                .map_or(0, |at| after + at + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 0,
    }
}

/// The code with blanks for items under `#[cfg(test)]`; it must be free of words already.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let Some(start) = code.find(MARK) else {
        return code.to_owned();
    };
    let mut depth = 0;
    let mut end = code.len();
    for (at, c) in code[start + MARK.len()..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && (c == '}' || c == ';') {
            end = start + MARK.len() + at + 1;
            break;
        }
    }
    let blank: String = code[start..end]
        .chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect();
    format!("{}{blank}{}", &code[..start], without_tests(&code[end..]))
}
