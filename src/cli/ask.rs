//! `weir ask`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::Session;
use crate::{
    domain::{ChannelKind, Intent, Language},
    i18n::{
        Texts, Voice,
        answers::{self, Facts},
    },
    understanding::{Slots, Understanding, Understood},
};

/// A longer line is refused: nobody writes such a message.
const LINE_BYTES_MAX: usize = 1 << 20;

/// `weir ask`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  weir ask 我们楼今天几点做核酸\n  weir ask --lang en \"Do I need my ID?\"\n  \
    weir ask --jsonl < questions.jsonl\n\nNothing is stored and nobody is told. Answers that depend on the person \
    (the own window, pass or request) are given in general words."
)]
pub struct AskArgs {
    /// What a resident might write; without it, each line of standard input is a message.
    text: Vec<String>,
    /// The resident's language: zh-Hans, zh-Hant or en.
    #[arg(long, value_name = "LANGUAGE", default_value = "zh-Hans", value_parser = language)]
    lang: Language,
    /// Read lines of JSON {"text", "lang"}, and print {"text", "intent", "score", "slots"} for each. A line that cannot
    /// be read is named on standard error, and the next one is read.
    #[arg(long, conflicts_with = "text")]
    jsonl: bool,
}

fn language(text: &str) -> Result<Language, String> {
    text.parse()
        .map_err(|error: crate::domain::UnknownLanguage| error.to_string())
}

#[derive(Deserialize)]
struct Question {
    text: String,
    #[serde(default)]
    lang: Option<String>,
}

#[derive(Serialize)]
struct Reading<'a> {
    text: &'a str,
    intent: Intent,
    score: f32,
    slots: &'a Slots,
}

/// Runs the command.
pub fn run(args: &AskArgs, session: &Session) -> Result<ExitCode> {
    let texts = Texts::load()?;
    let asker = Asker {
        args,
        session,
        texts: &texts,
        understanding: Understanding::shared(),
    };
    if args.text.is_empty() {
        asker.read_lines(&mut BufReader::new(std::io::stdin().lock()))?;
    } else {
        asker.answer(&args.text.join(" "))?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Asker<'a> {
    args: &'a AskArgs,
    session: &'a Session,
    texts: &'a Texts,
    understanding: &'a Understanding,
}

/// What a line of the input is.
enum Line {
    Text(String),
    Refused(&'static str),
    End,
}

impl Asker<'_> {
    fn read_lines(&self, input: &mut impl BufRead) -> Result<()> {
        for number in 1_u64.. {
            match next_line(input)? {
                Line::End => break,
                Line::Refused(reason) => self.refuse(number, reason),
                Line::Text(line) if line.trim().is_empty() => {}
                Line::Text(line) if self.args.jsonl => match serde_json::from_str::<Question>(&line) {
                    Ok(question) => self.classify(&question)?,
                    Err(error) => self.refuse(number, &format!("not a line of JSON with a text: {error}")),
                },
                Line::Text(line) => self.answer(&line)?,
            }
        }
        Ok(())
    }

    fn refuse(&self, number: u64, reason: &str) {
        self.session.out.note(format!("line {number}: {reason}"));
    }

    fn classify(&self, question: &Question) -> Result<()> {
        // A language that Weir does not speak is no reason to leave the message unread.
        let lang = question
            .lang
            .as_deref()
            .and_then(Language::nearest)
            .unwrap_or(self.args.lang);
        let said = self.understanding.understand(&question.text, lang);
        let reading = serde_json::to_string(&reading(&question.text, &said))?;
        // A reader that has gone away is no fault of the command.
        let _ = writeln!(std::io::stdout(), "{reading}");
        Ok(())
    }

    fn answer(&self, text: &str) -> Result<()> {
        let said = self.understanding.understand(text, self.args.lang);
        let facts = Facts::of_city(&self.session.config.city);
        let voice = Voice {
            texts: self.texts,
            language: self.args.lang,
            channel: ChannelKind::Telegram,
            sender_name: "",
        };
        let words = answers::answer(&voice, said.intent, &facts)
            .or_else(|| answers::answer(&voice, Intent::Human, &facts))
            .unwrap_or_default();
        self.session.out.answer(&reading(text, &said), || words)
    }
}

fn reading<'a>(text: &'a str, said: &'a Understood) -> Reading<'a> {
    Reading {
        text,
        intent: said.intent,
        score: said.score,
        slots: &said.slots,
    }
}

/// The next line, whatever its bytes; one that is too long is passed over to its end.
fn next_line(input: &mut impl BufRead) -> Result<Line> {
    let mut bytes = Vec::new();
    let read = input
        .by_ref()
        .take(LINE_BYTES_MAX as u64 + 1)
        .read_until(b'\n', &mut bytes)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if bytes.len() > LINE_BYTES_MAX && !bytes.ends_with(b"\n") {
        input.skip_until(b'\n')?;
        return Ok(Line::Refused("longer than 1 MiB"));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(match std::str::from_utf8(text) {
        Ok(text) => Line::Text(text.trim_end_matches(['\n', '\r']).to_owned()),
        Err(_) => Line::Refused("not UTF-8"),
    })
}
