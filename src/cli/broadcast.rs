//! `weir broadcast`: write to residents, approve what another wrote, watch it go out.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Session, acting::Acting, output::table};
use crate::{
    config::parse_cron,
    domain::{
        Area, Audience, BroadcastCount, BroadcastId, BroadcastState, ChannelKind, Lane, Language, Missed,
        PlaceRule, Right, Tag, Words,
    },
    i18n::{Texts, work::Ready},
    release::{
        broadcast::{self, Confirmed, Progress, Writing},
        doors,
    },
    store::{Broadcast, NewBroadcast, Store},
};

/// Runs that are shown of a repeating broadcast.
const RUNS_SHOWN: usize = 3;
const EXPIRES_HOURS_MAX: u64 = 24 * 14;

/// `weir broadcast …`
#[derive(Debug, Subcommand)]
pub enum BroadcastCommand {
    /// Write one, see exactly whom it reaches and what it costs, and confirm it by typing that number.
    New(Box<NewArgs>),
    /// Confirm a draft by the number of people it reaches.
    Confirm {
        /// The broadcast.
        id: BroadcastId,
        /// The number of people, as it was shown.
        #[arg(long)]
        count: u64,
        /// A repeating one may grow up to so many people before it must be approved anew.
        #[arg(long)]
        greatest: Option<u64>,
    },
    /// List them, the newest last.
    List,
    /// Show one: whom it concerns, its words, how far it is, when it runs next.
    Show {
        /// The broadcast.
        id: BroadcastId,
    },
    /// Approve what another wrote. Nobody approves their own.
    Approve {
        /// The broadcast.
        id: BroadcastId,
        /// A repeating one, or a run of one, may reach up to so many people; as many as were counted by default.
        #[arg(long)]
        greatest: Option<u64>,
    },
    /// Hold what has not left.
    Pause {
        /// The broadcast.
        id: BroadcastId,
    },
    /// Let a paused one go on.
    Resume {
        /// The broadcast.
        id: BroadcastId,
    },
    /// Withdraw one; what has not left never will.
    Cancel {
        /// The broadcast.
        id: BroadcastId,
    },
    /// How it ended: delivered, not reached, opted out; and the doors to knock at.
    Report {
        /// The broadcast.
        id: BroadcastId,
        /// Write the doors of those not reached into this table; only its owner may read it.
        #[arg(long, value_name = "FILE")]
        doors: Option<PathBuf>,
    },
}

/// `weir broadcast new`
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Where they live, from the district down: 锦江区, 锦江区/春熙街道, … down to …/3栋/2单元; may be given more than once.
    /// `city` for all of it.
    #[arg(long, required = true, value_name = "PLACE")]
    to: Vec<PlaceRule>,
    /// Only those of this lane: regular or green.
    #[arg(long, value_parser = lane)]
    lane: Option<Lane>,
    /// Only those with one of these tags: student, elderly, city_support, limited_mobility, no_smartphone.
    #[arg(long)]
    tag: Vec<Tag>,
    /// Only those who are written to in one of these languages.
    #[arg(long)]
    reads: Vec<Language>,
    /// The text in one language, as zh-Hans=今天下午停水; give it once for each language. Nothing is translated.
    #[arg(long, value_name = "LANGUAGE=TEXT", value_parser = text)]
    text: Vec<(Language, String)>,
    /// A ready text in every language instead: site-closed, test or delivery. Its blanks are --place and --time.
    #[arg(long, value_parser = ready, conflicts_with = "text", requires_all = ["place", "time"])]
    ready: Option<Ready>,
    /// The place in a ready text.
    #[arg(long)]
    place: Option<String>,
    /// The time in a ready text.
    #[arg(long)]
    time: Option<String>,
    /// It makes nobody register: neither the pacing nor an incident holds it back.
    #[arg(long)]
    calm: bool,
    /// A message that has not left after this is of no more use.
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
    expires: std::time::Duration,
    /// Repeat it: minute, hour, day of month, month, day of week by name, in the city's time, as "0 8 * * MON-FRI".
    #[arg(long)]
    cron: Option<String>,
    /// A run that was due while the service was down: run or skip.
    #[arg(long, default_value = "skip")]
    missed: Missed,
    /// Send its text to the chat of whoever acts, as each language reads it.
    #[arg(long)]
    test: bool,
    /// Confirm it at once: the number of people, as an earlier count showed it.
    #[arg(long, value_name = "PEOPLE")]
    confirm: Option<u64>,
    /// A repeating one may grow up to so many people before it must be approved anew.
    #[arg(long)]
    greatest: Option<u64>,
}

fn lane(text: &str) -> Result<Lane, String> {
    match text {
        "regular" => Ok(Lane::Regular),
        "green" => Ok(Lane::Green),
        _ => Err("write regular or green".into()),
    }
}

fn text(text: &str) -> Result<(Language, String), String> {
    let (language, words) = text
        .split_once('=')
        .ok_or("write LANGUAGE=TEXT, as en=Water is off")?;
    let language = language
        .parse()
        .map_err(|error: crate::domain::UnknownLanguage| error.to_string())?;
    Ok((language, words.replace("\\n", "\n").trim().to_owned()))
}

fn ready(text: &str) -> Result<Ready, String> {
    let found = Ready::ALL.into_iter().find(|ready| ready.as_str() == text);
    found.ok_or_else(|| "write site-closed, test or delivery".into())
}

/// Runs one of them.
pub async fn run(command: BroadcastCommand, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let texts = Texts::load()?;
    let desk = Desk {
        session,
        store: &store,
        writing: Writing {
            texts: &texts,
            config: &session.config,
        },
    };
    match command {
        BroadcastCommand::New(args) => desk.new_one(*args).await?,
        BroadcastCommand::Confirm { id, count, greatest } => desk.confirm(id, count, greatest).await?,
        BroadcastCommand::List => desk.list().await?,
        BroadcastCommand::Show { id } => desk.show(id).await?,
        BroadcastCommand::Approve { id, greatest } => desk.approve(id, greatest).await?,
        BroadcastCommand::Pause { id } => desk.change(id, BroadcastState::Paused).await?,
        BroadcastCommand::Resume { id } => desk.change(id, BroadcastState::Sending).await?,
        BroadcastCommand::Cancel { id } => desk.change(id, BroadcastState::Cancelled).await?,
        BroadcastCommand::Report { id, doors } => desk.report(id, doors).await?,
    }
    Ok(ExitCode::SUCCESS)
}

struct Desk<'a> {
    session: &'a Session,
    store: &'a Store,
    writing: Writing<'a>,
}

impl Desk<'_> {
    async fn find(&self, id: BroadcastId) -> Result<Broadcast> {
        let found = self.store.broadcast(id).await?;
        found.with_context(|| format!("there is no broadcast {id}: `weir broadcast list` shows them all"))
    }

    /// Checks the right to write to these areas; what is done goes on record with the act itself.
    async fn check(&self, right: Right, areas: &[Area], what: &str) -> Result<Acting> {
        let acting = self.session.acting(self.store).await?;
        if !acting.may(right, areas) {
            let said = (what, String::new(), String::new());
            acting.act(self.session, self.store, right, areas, said).await?;
        }
        Ok(acting)
    }

    async fn new_one(&self, args: NewArgs) -> Result<()> {
        let (session, now) = (self.session, self.session.clock.now());
        let audience = self.audience(&args).await?;
        let acting = self
            .check(Right::Broadcast, &audience.areas(), "broadcast.write")
            .await?;
        let words = self.words(&args)?;
        if let Some(fault) = args.cron.as_deref().and_then(|cron| parse_cron(cron).err()) {
            bail!("--cron: {fault}");
        }
        let hours = args.expires.as_secs().div_ceil(3600);
        if !(1..=EXPIRES_HOURS_MAX).contains(&hours) {
            bail!("--expires: from 1h to 14d");
        }
        let count = broadcast::count(self.store, &self.writing, &audience, &words).await?;
        if count.messages == 0 {
            bail!(
                "this reaches nobody: {} have no contact that works, {} opted out",
                count.unreached,
                count.opted_out
            );
        }
        let new = NewBroadcast {
            origin: format!("cli:{:032x}", rand::random::<u128>()),
            author: acting.actor,
            audience,
            words,
            calm: args.calm,
            count: count.clone(),
            cron: args.cron.clone(),
            missed: args.missed,
            expires_hours: hours as u32,
        };
        let id = self.store.draft_broadcast(&new, now).await?;
        if args.test {
            self.send_test(&acting, &new.words, id, now).await?;
        }
        let draft = self.find(id).await?;
        if !session.out.json {
            session.out.line(self.count_words(&draft, &count));
        }
        match args.confirm.or_else(|| self.typed_count()) {
            Some(typed) => self.confirm_draft(&draft, &acting, typed, args.greatest).await,
            None => session.out.answer(&self.draft_json(&draft, &count), || {
                format!(
                    "This is a draft: nobody is told before `weir broadcast confirm {id} --count {}`",
                    count.people
                )
            }),
        }
    }

    async fn audience(&self, args: &NewArgs) -> Result<Audience> {
        let units = self.store.units().await?;
        for rule in &args.to {
            if !units.iter().any(|row| rule.holds(&row.place)) {
                bail!("--to {rule}: nobody on the roster lives there");
            }
        }
        let everywhere = args.to.iter().any(|rule| rule.0.is_empty());
        Ok(Audience {
            places: if everywhere { Vec::new() } else { args.to.clone() },
            lane: args.lane,
            tags: args.tag.clone(),
            languages: args.reads.clone(),
        })
    }

    fn words(&self, args: &NewArgs) -> Result<Words> {
        let words = match (args.ready, &args.place, &args.time) {
            (Some(ready), Some(place), Some(time)) => {
                ready.words(self.writing.texts, place.trim(), time.trim())
            }
            _ => Words(args.text.iter().cloned().collect()),
        };
        if let Some(fault) = broadcast::word_fault(&words) {
            bail!("--text: {fault}");
        }
        Ok(words)
    }

    /// The number that somebody at a terminal types; none without one.
    fn typed_count(&self) -> Option<u64> {
        use std::io::{BufRead, IsTerminal};
        if self.session.out.json || !std::io::stdin().is_terminal() {
            return None;
        }
        self.session
            .out
            .note("To send it, type the number of people; anything else keeps it as a draft:");
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).ok()?;
        line.trim().parse().ok()
    }

    async fn send_test(
        &self,
        acting: &Acting,
        words: &Words,
        id: BroadcastId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let contact = acting.worker.as_ref().and_then(|worker| worker.contact);
        let contact =
            contact.context("--test: whoever acts has no chat yet; `weir worker invite` gives them one")?;
        let mut tests = Vec::new();
        for language in words.0.keys() {
            let key = format!(
                "broadcast-test:{id}:{}:{}",
                language.code(),
                now.timestamp_millis()
            );
            let mut test = broadcast::to_worker(key, contact, String::new(), now);
            test.body = self.writing.body(words, Some(*language), ChannelKind::Telegram);
            tests.push(test);
        }
        self.store.enqueue(&tests, now).await?;
        Ok(())
    }

    fn draft_json(&self, draft: &Broadcast, count: &BroadcastCount) -> Value {
        let price = self.session.config.broadcast.price_per_part;
        json!({
            "broadcast": draft.id, "state": draft.state, "count": count,
            "cost": (price > 0.0).then(|| count.cost(price)),
            "missing_languages": count.missing(&draft.words).iter().map(|(language, _)| language).collect::<Vec<_>>(),
            "preview": self.preview(&draft.words),
        })
    }

    fn preview(&self, words: &Words) -> Vec<String> {
        let sms = |language: &Language| self.writing.body(words, Some(*language), ChannelKind::Sms).text;
        words.0.keys().map(sms).collect()
    }

    fn count_words(&self, draft: &Broadcast, count: &BroadcastCount) -> String {
        let config = &self.session.config.broadcast;
        let mut text = format!(
            "broadcast {}: {} people in {} messages: {} by Telegram, {} by SMS in {} parts\n",
            draft.id, count.people, count.messages, count.telegram, count.sms, count.sms_parts
        );
        if config.price_per_part > 0.0 {
            let cost = count.cost(config.price_per_part);
            let _ = writeln!(text, "the SMS cost {cost:.2} {}", config.currency);
        }
        let _ = writeln!(
            text,
            "not reached: {} people who opted out, {} without a contact that works",
            count.opted_out, count.unreached
        );
        for (language, readers) in count.missing(&draft.words) {
            let _ = writeln!(
                text,
                "MISSING: there is no text in {}: its {readers} readers get another language",
                language.code()
            );
        }
        for preview in self.preview(&draft.words) {
            let _ = writeln!(text, "\n{preview}");
        }
        if let Some(cron) = &draft.cron {
            let _ = writeln!(text, "\nruns next: {}", self.next_runs(cron).join(", "));
        }
        text
    }

    fn next_runs(&self, cron: &str) -> Vec<String> {
        let zone = self.session.config.city.time_zone;
        broadcast::next_runs(cron, zone, self.session.clock.now(), RUNS_SHOWN)
            .into_iter()
            .map(|at| at.with_timezone(&zone).format("%F %H:%M").to_string())
            .collect()
    }

    async fn confirm(&self, id: BroadcastId, typed: u64, greatest: Option<u64>) -> Result<()> {
        let draft = self.find(id).await?;
        let acting = self
            .check(Right::Broadcast, &draft.audience.areas(), "broadcast.confirm")
            .await?;
        self.confirm_draft(&draft, &acting, typed, greatest).await
    }

    async fn confirm_draft(
        &self,
        draft: &Broadcast,
        acting: &Acting,
        typed: u64,
        greatest: Option<u64>,
    ) -> Result<()> {
        let (id, now) = (draft.id, self.session.clock.now());
        let how = (acting.actor, typed, greatest);
        match broadcast::confirm(self.store, &self.writing, draft, how, now).await? {
            Confirmed::Counted(count) => bail!(
                "broadcast {id} reaches {} people and not {typed}: nothing was sent. `weir broadcast confirm {id} --count {}`",
                count.people,
                count.people
            ),
            Confirmed::Decided => bail!("broadcast {id} is no draft any more: `weir broadcast show {id}`"),
            Confirmed::Waits => {
                self.answer_state(id, "waits until another person approves it")
                    .await
            }
            Confirmed::Sent => self.answer_state(id, "is confirmed").await,
        }
    }

    /// How it stands after a change, with what a service would have to do.
    async fn answer_state(&self, id: BroadcastId, what: &str) -> Result<()> {
        let stands = self.find(id).await?;
        if self
            .store
            .lease_owner("service", self.session.clock.now())
            .await?
            .is_none()
        {
            self.session
                .out
                .note("note: no service is running on this store: messages leave once `weir serve` does");
        }
        self.session.out.answer(
            &json!({ "broadcast": id, "state": stands.state, "greatest": stands.greatest }),
            || format!("broadcast {id} {what}: it is {}", stands.state.as_str()),
        )
    }

    async fn approve(&self, id: BroadcastId, greatest: Option<u64>) -> Result<()> {
        let waiting = self.find(id).await?;
        let acting = self
            .check(Right::Approve, &waiting.audience.areas(), "broadcast.approve")
            .await?;
        if waiting.author == acting.actor {
            bail!("whoever wrote a broadcast does not approve it: another operator must");
        }
        let greatest = greatest
            .unwrap_or(0)
            .max(waiting.greatest)
            .max(waiting.count.people);
        let now = self.session.clock.now();
        if !self
            .store
            .approve_broadcast(id, acting.actor, greatest, now)
            .await?
        {
            bail!(
                "broadcast {id} does not wait for approval: it is {}",
                waiting.state.as_str()
            );
        }
        self.answer_state(id, "is approved").await
    }

    async fn change(&self, id: BroadcastId, to: BroadcastState) -> Result<()> {
        let broadcast = self.find(id).await?;
        let what = format!("broadcast.{}", to.as_str());
        let acting = self
            .check(Right::Broadcast, &broadcast.audience.areas(), &what)
            .await?;
        let now = self.session.clock.now();
        let from = broadcast::may_move_from(to);
        if !self.store.move_broadcast(id, from, to, acting.actor, now).await? {
            bail!(
                "broadcast {id} is {}: that cannot be done any more",
                broadcast.state.as_str()
            );
        }
        self.answer_state(id, "was changed").await
    }

    async fn list(&self) -> Result<()> {
        let all = self.store.broadcasts().await?;
        let listed: Vec<Value> = all.iter().map(Self::line_json).collect();
        self.session.out.answer(&json!({ "broadcasts": listed }), || {
            if all.is_empty() {
                return "no broadcasts yet: `weir broadcast new` writes one".to_owned();
            }
            let rows: Vec<Vec<String>> = all
                .iter()
                .map(|one| {
                    let repeats = match (&one.cron, one.series) {
                        (Some(cron), _) => cron.clone(),
                        (None, Some(series)) => format!("run of {series}, {}", one.due),
                        (None, None) => String::new(),
                    };
                    vec![
                        one.id.to_string(),
                        one.state.as_str().into(),
                        one.author.to_string(),
                        one.count.people.to_string(),
                        places(&one.audience),
                        repeats,
                    ]
                })
                .collect();
            table(&["id", "state", "author", "people", "to", "repeats"], &rows)
        })
    }

    fn line_json(one: &Broadcast) -> Value {
        json!({
            "broadcast": one.id, "state": one.state, "author": one.author.to_string(), "people": one.count.people,
            "greatest": one.greatest, "to": places(&one.audience), "cron": one.cron, "series": one.series,
            "due": one.due, "approved_by": one.approved_by.map(|actor| actor.to_string()),
        })
    }

    async fn show(&self, id: BroadcastId) -> Result<()> {
        let one = self.find(id).await?;
        let progress = Progress::of(&self.store.count_broadcast(id).await?);
        let runs = one
            .cron
            .as_deref()
            .map(|cron| self.next_runs(cron))
            .unwrap_or_default();
        let mut answer = Self::line_json(&one);
        answer["audience"] = json!(one.audience);
        answer["words"] = json!(one.words);
        answer["progress"] = json!(progress);
        answer["next_runs"] = json!(runs);
        self.session.out.answer(&answer, || {
            let mut text = format!(
                "broadcast {id} is {}, by {}, to {}{}\n",
                one.state.as_str(),
                one.author,
                places(&one.audience),
                one.approved_by.map_or_else(String::new, |actor| format!(
                    ", approved by {actor} up to {} people",
                    one.greatest
                )),
            );
            text.push_str(&self.count_words(&one, &one.count));
            text.push_str(&progress_words(&progress));
            text
        })
    }

    async fn report(&self, id: BroadcastId, file: Option<PathBuf>) -> Result<()> {
        let one = self.find(id).await?;
        let progress = Progress::of(&self.store.count_broadcast(id).await?);
        let price = self.session.config.broadcast.price_per_part;
        let mut answer = json!({
            "broadcast": id, "state": one.state, "progress": progress,
            "cost": (price > 0.0).then_some(progress.sms_parts as f64 * price),
        });
        let mut said = String::new();
        if let Some(file) = file {
            let whom = format!("broadcast:{id}");
            let record = ("broadcast.doors", whom, String::new());
            let areas = one.audience.areas();
            self.session
                .act(self.store, Right::SeePeople, &areas, record)
                .await?;
            let doors = doors::write(self.store, &one, &file).await?;
            answer["doors"] = json!(doors);
            answer["file"] = json!(file.display().to_string());
            said = format!(
                "{} people behind {} doors were not reached: they are in {}. It holds personal data: keep it safe\n",
                doors.people,
                doors.doors,
                file.display()
            );
        }
        self.session.out.answer(&answer, || {
            format!(
                "broadcast {id} is {}\n{}{said}",
                one.state.as_str(),
                progress_words(&progress)
            )
        })
    }
}

fn places(audience: &Audience) -> String {
    if audience.places.is_empty() {
        return "city".into();
    }
    let names: Vec<String> = audience.places.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn progress_words(progress: &Progress) -> String {
    format!(
        "{} messages written: {} arrived, {} on their way, {} failed or too late, {} opted out, {} withdrawn; {} SMS \
         parts were sent\n",
        progress.written,
        progress.arrived,
        progress.open,
        progress.failed,
        progress.opted_out,
        progress.cancelled,
        progress.sms_parts
    )
}
