//! How messages are understood: on questions that training has never seen, and how long one takes.

use std::time::Instant;

use anyhow::{Context, Result};
use serde::Deserialize;
use weir::{
    domain::{Intent, Language},
    understanding::{self, Understanding},
};

use crate::report::{Goal, Report};

#[derive(Deserialize)]
struct Question {
    text: String,
    lang: Language,
    intent: Intent,
    #[serde(default)]
    urgent: bool,
}

/// What was counted.
#[derive(Default)]
struct Counts {
    all: u32,
    right: u32,
    outside: u32,
    outside_recognised: u32,
    answered: u32,
    answered_right: u32,
    urgent: u32,
    urgent_ordinary: u32,
}

/// Questions of `tests/data/questions.jsonl`.
pub fn measure() -> Result<()> {
    let started = Instant::now();
    let loaded = Understanding::load();
    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/questions.jsonl");
    let file = std::fs::read_to_string(path).context(path)?;
    let questions = file
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Question>, _>>()?;
    for (name, languages) in [
        ("all", &Language::ALL[..]),
        ("Chinese", &[Language::ZhHans, Language::ZhHant][..]),
        ("English", &[Language::En][..]),
    ] {
        let counts = count(
            &loaded,
            questions
                .iter()
                .filter(|question| languages.contains(&question.lang)),
        );
        let right = match name {
            "Chinese" => 92.0,
            "English" => 82.0,
            _ => 89.0,
        };
        Report::new("ask", &format!("held-out questions, {name}"))
            .figure("questions", f64::from(counts.all), None)
            .figure(
                "right_percent",
                percent(counts.right, counts.all),
                Some(Goal::AtLeast(right)),
            )
            .figure(
                "outside_recognised_percent",
                percent(counts.outside_recognised, counts.outside),
                Some(Goal::AtLeast(85.0)),
            )
            .figure(
                "answers_right_percent",
                percent(counts.answered_right, counts.answered),
                Some(Goal::AtLeast(90.0)),
            )
            .figure("urgent", f64::from(counts.urgent), None)
            .figure(
                "urgent_answered_as_ordinary",
                f64::from(counts.urgent_ordinary),
                Some(Goal::AtMost(0.0)),
            )
            .print();
    }
    speed(&loaded, &questions, load_ms)
}

fn count<'a>(reader: &Understanding, questions: impl Iterator<Item = &'a Question>) -> Counts {
    let outside = |intent| matches!(intent, Intent::Human | Intent::None);
    let mut counts = Counts::default();
    for question in questions {
        let said = reader.understand(&question.text, question.lang).intent;
        let right = said == question.intent;
        counts.all += 1;
        counts.right += u32::from(right);
        counts.outside += u32::from(outside(question.intent));
        counts.outside_recognised += u32::from(outside(question.intent) && outside(said));
        counts.answered += u32::from(!outside(said));
        counts.answered_right += u32::from(!outside(said) && right);
        counts.urgent += u32::from(question.urgent);
        let ordinary = !outside(said) && said != Intent::EmergencyCare;
        counts.urgent_ordinary += u32::from(question.urgent && ordinary);
    }
    counts
}

fn speed(reader: &Understanding, questions: &[Question], load_ms: f64) -> Result<()> {
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..20 {
        for question in questions {
            let started = Instant::now();
            let said = reader.understand(&question.text, question.lang);
            times.push(started.elapsed().as_secs_f64() * 1e6);
            std::hint::black_box(said);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let started = Instant::now();
    let weights = understanding::train_weights()?;
    let train_seconds = started.elapsed().as_secs_f64();
    Report::new("ask", "time and size")
        .figure("p50_us", at(0.5), None)
        .figure("p99_us", at(0.99), Some(Goal::AtMost(1000.0)))
        .figure("load_ms", load_ms, Some(Goal::AtMost(300.0)))
        .figure("training_seconds", train_seconds, None)
        .figure("weights_mb", weights.len() as f64 / 1e6, None)
        .figure(
            "weights_reproduced",
            f64::from(u8::from(weights == understanding::WEIGHTS)),
            Some(Goal::AtLeast(1.0)),
        )
        .print();
    Ok(())
}

fn percent(part: u32, all: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(all.max(1))
}
