//! `docs/transcripts/`: each flow in three languages on both channels, as it goes over the real protocols, with the
//! registration system beside it. Written anew with `WEIR_WRITE_TRANSCRIPTS=1 cargo test --test it transcripts`.

use std::{fmt::Write as _, path::PathBuf};

use axum::{Json, Router, extract::Path, routing::get};
use chrono::TimeDelta;
use serde_json::json;
use tokio::task::JoinSet;
use weir::{
    channels::sms::segment,
    clock::Clock,
    domain::{
        Address, Body, Button, ChannelKind, ContactId, CountedFrom, DeliveryState, Language, Need,
        NoticeKind, Policy, Purpose, Team, TeamId, ThreadAuthor, Visit, VisitAct, VisitBy, Visitor,
        VisitorRole,
    },
    i18n::{Texts, visits::VisitTeller},
    roster::import::{self, ImportOptions},
    store::{NewDelivery, ThreadFilter, VisitAnswer, VisitChange},
};

use crate::{
    app::{SITES, TestApp, afternoon, phone_number},
    support::sqlite,
};

const HEAD: &str = "district,street,community,building,unit,door,name,phone,language,tags,ref\n";
const CITY: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,,,R1\n\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,王强,+8619900000001,,,R2\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,101,李小明,+8619900000002,,,R3\n\
锦江区,春熙街道,银杏社区,1栋,1单元,101,赵六,+8619900000003,,,\n";

/// What a person does.
#[derive(Clone, Copy)]
enum Act {
    /// They write this, and so many messages come back.
    Write(&'static str, usize),
    /// They tap the button whose data begins so.
    Tap(&'static str, usize),
    /// They write the four digits they were last sent.
    Code(usize),
    /// They send their own contact card.
    Card(usize),
    Photo(usize),
    /// A worker answers the talk.
    Worker(&'static str),
    /// The coordinator puts a rule in force that says where its hours begin.
    Rule,
    /// A team for visits at home is there, and finds a time: so many messages come.
    Team(usize),
    /// The team sets out, or is done; so many messages come.
    SetOut(usize),
    Finish(usize),
    /// A heading.
    About(&'static str),
}

use Act::{About, Card, Code, Finish, Photo, Rule, SetOut, Tap, Worker, Write};

/// What a resident says, in one language.
struct Words {
    window: &'static str,
    other_unit: &'static str,
    other_time: &'static str,
    pass: &'static str,
    in_talk: &'static str,
    worker: &'static str,
    done: &'static str,
    danger: &'static str,
    odd: &'static str,
    privacy: &'static str,
    forget: &'static str,
    language: &'static str,
    stop: &'static str,
    start: &'static str,
    visit: &'static str,
    why: &'static str,
    tomorrow: &'static str,
    /// For a neighbour of who has Telegram, and of who has a phone.
    neighbour: [&'static str; 2],
    neighbour_name: &'static str,
    any_time: &'static str,
    nothing: &'static str,
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn words(language: Language) -> Words {
    match language {
        Language::ZhHans => Words {
            window: "我的时段",
            other_unit: "1栋2单元",
            other_time: "换时间",
            pass: "通行证",
            in_talk: "那明天还能用吗",
            worker: "您好，我是社区小刘。本社区从采样时间算。",
            done: "结束",
            danger: "我妈晕倒了",
            odd: "什么是黑洞",
            privacy: "隐私",
            forget: "删除我的信息",
            language: "语言",
            stop: "退订",
            start: "订阅",
            visit: "上门",
            why: "脚扭伤了，下不了楼",
            tomorrow: "明天上午",
            neighbour: [
                "邻居走不动，1栋2单元101，请上门采样",
                "邻居走不动，1栋1单元101，请上门采样",
            ],
            neighbour_name: "赵秀兰",
            any_time: "都可以",
            nothing: "没有",
        },
        Language::ZhHant => Words {
            window: "我的時段",
            other_unit: "1棟2單元",
            other_time: "換時間",
            pass: "通行證",
            in_talk: "那明天還能用嗎",
            worker: "您好，我是社區小劉。本社區從採樣時間算。",
            done: "結束",
            danger: "我媽暈倒了",
            odd: "什麼是黑洞",
            privacy: "隱私",
            forget: "刪除我的資料",
            language: "語言",
            stop: "退訂",
            start: "訂閱",
            visit: "上門",
            why: "腳扭傷了，下不了樓",
            tomorrow: "明天上午",
            neighbour: [
                "鄰居走不動，1棟2單元101，請上門採樣",
                "鄰居走不動，1棟1單元101，請上門採樣",
            ],
            neighbour_name: "趙秀蘭",
            any_time: "都可以",
            nothing: "沒有",
        },
        Language::En => Words {
            window: "my time",
            other_unit: "building 1 unit 2",
            other_time: "other time",
            pass: "my pass",
            in_talk: "will it still do tomorrow",
            worker: "Hello, this is Liu of the community office. Here it counts from the sample.",
            done: "done",
            danger: "my mother collapsed",
            odd: "what is a black hole",
            privacy: "privacy",
            forget: "forget me",
            language: "language",
            stop: "stop",
            start: "start",
            visit: "visit",
            why: "I hurt my foot and cannot take the stairs",
            tomorrow: "tomorrow morning",
            neighbour: [
                "my neighbour cannot walk, building 1 unit 2 room 101, please come and test at home",
                "my neighbour cannot walk, building 1 unit 1 room 101, please come and test at home",
            ],
            neighbour_name: "Mary Zhao",
            any_time: "any time",
            nothing: "nothing",
        },
    }
}

/// Each flow, by words on both channels; buttons where there are some.
fn acts(said: &Words, channel: ChannelKind) -> Vec<Act> {
    let mut acts = vec![About("My window, and anybody's")];
    if channel == ChannelKind::Telegram {
        acts.extend([Write("/start", 1), Card(1), Tap("resident:", 1)]);
    }
    acts.extend([Write(said.window, 1), Write(said.other_unit, 1)]);
    acts.extend([About("Another time"), Write(said.other_time, 1)]);
    acts.extend(match channel {
        ChannelKind::Telegram => vec![Tap("take:0", 2)],
        ChannelKind::Sms => vec![Write("1", 1), Code(2)],
    });
    acts.extend([
        About("My pass, where the rule does not say from when its hours count"),
        Write(said.pass, 1),
        Write(said.in_talk, 0),
        Worker(said.worker),
        Write(said.done, 1),
        About("My pass, where it says so"),
        Rule,
        Write(said.pass, 1),
        About("What the bot does not know"),
        Write(said.odd, 1),
        About("Danger"),
        Write(said.danger, 1),
        Write(said.done, 1),
    ]);
    if channel == ChannelKind::Telegram {
        acts.extend([About("What cannot be read"), Photo(1), Photo(0)]);
    }
    acts.extend([
        About("Language, notices"),
        Write(said.language, 1),
        Write(said.stop, 1),
        Write(said.start, 1),
        About("What is kept, and its erasure"),
        Write(said.privacy, 1),
        Write(said.forget, 1),
    ]);
    acts.push(match channel {
        ChannelKind::Telegram => Tap("forget_yes", 1),
        ChannelKind::Sms => Code(1),
    });
    acts
}

/// A visit at home: asked for, interrupted, changed, made; then one for a neighbour, called off again.
fn visit(said: &Words, channel: ChannelKind) -> Vec<Act> {
    let telegram = channel == ChannelKind::Telegram;
    let mut acts = vec![About("A visit at home, from the first word to the end")];
    if telegram {
        acts.extend([Write("/start", 1), Card(1)]);
    }
    acts.push(Write(said.visit, 1));
    acts.push(if telegram {
        Tap("v:who:0", 1)
    } else {
        Write("1", 1)
    });
    acts.extend([
        Write(said.why, 1),
        // Something else in between.
        Write(said.window, 2),
        Write(said.visit, 1),
        Write(said.tomorrow, 1),
    ]);
    acts.extend(if telegram {
        vec![Tap("v:note:0", 1), Tap("v:send", 1)]
    } else {
        vec![Write("1", 1), Code(1)]
    });
    acts.extend([Act::Team(1), Write(said.visit, 1)]);
    acts.extend(if telegram {
        vec![Tap("v:access:", 1), Tap("v:note:1", 1)]
    } else {
        vec![Write("3", 1), Write("2", 1), Code(1)]
    });
    acts.extend([
        SetOut(1),
        Finish(1),
        About("A visit for a neighbour, in one sentence, and called off"),
        Write(said.neighbour[usize::from(telegram)], 1),
        Write(said.neighbour_name, 1),
        Write(said.any_time, 1),
        Write(said.nothing, 1),
    ]);
    acts.extend(if telegram {
        vec![Tap("v:send", 1), Write(said.visit, 1), Tap("v:cancel:", 1)]
    } else {
        vec![Code(1), Write(said.visit, 1), Write("4", 1), Code(1)]
    });
    acts
}

/// A registration system that knows everybody's test of the day before.
async fn registration(clock: Clock) -> (String, JoinSet<()>) {
    let sampled = afternoon() - TimeDelta::hours(20);
    let answer = json!([{ "sampled_at": sampled, "result": "negative",
        "reported_at": sampled + TimeDelta::hours(9) }]);
    let proofs = move |Path(_): Path<String>| async move { Json(answer) };
    let load = move || async move {
        Json(
            json!({ "as_of": clock.now(), "sessions_started_per_second": 1.0, "completed_per_second": 1.0,
            "capacity_per_second": 100.0, "utilisation": 0.01, "queue_seconds": 0.0, "p95_ms": 100.0,
            "error_rate": 0.0 }),
        )
    };
    let router = Router::new()
        .route("/v1/people/{ref}/proofs", get(proofs))
        .route("/v1/load", get(load));
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("bound"));
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(socket, router).await.expect("serves") });
    (url, server)
}

/// A person at one end of a channel, and what has been said.
struct Person<'a> {
    app: &'a TestApp,
    language: Language,
    channel: ChannelKind,
    chat: i64,
    phone: &'static str,
    seen: usize,
    last: String,
    out: String,
}

impl Person<'_> {
    fn address(&self) -> Address {
        match self.channel {
            ChannelKind::Telegram => Address::Chat(self.chat),
            ChannelKind::Sms => Address::Phone(phone_number(self.phone)),
        }
    }

    async fn contact(&self) -> ContactId {
        let found = self.app.store().find_contact(&self.address()).await;
        found.expect("reads").expect("is known")
    }

    async fn act(&mut self, act: Act) {
        match act {
            About(words) => {
                let _ = writeln!(self.out, "### {words}\n");
            }
            Write(text, count) => self.write(text, count).await,
            Code(count) => {
                let digits: Vec<char> = self.last.chars().collect();
                let code = digits
                    .windows(4)
                    .find(|four| four.iter().all(char::is_ascii_digit))
                    .expect("a code");
                let code: String = code.iter().collect();
                self.out = self.out.replace(&code, "4821");
                self.said("4821");
                self.app
                    .smsc
                    .deliver_text(self.phone, &code)
                    .await
                    .expect("it is taken");
                self.hear(count).await;
            }
            Tap(data, count) => {
                let shown = self.app.to_chat(self.chat).pop().expect("a message");
                let found = shown.buttons.iter().flatten().find_map(|button| match button {
                    Button::Choice { label, data: all } if all.starts_with(data) => {
                        Some((label.clone(), all.clone()))
                    }
                    _ => None,
                });
                let (label, data) = found.unwrap_or_else(|| panic!("no button {data}: {shown:?}"));
                self.said(&format!("[{label}]"));
                self.app.bot_api.user_taps(self.chat, &data);
                self.hear(count).await;
            }
            Card(count) => {
                self.said("(own contact card)");
                let phone = self.phone.trim_start_matches('+');
                self.app.bot_api.user_shares_contact(self.chat, phone, true);
                self.hear(count).await;
            }
            Photo(count) => {
                self.said("(a photo)");
                self.app.bot_api.deliver_raw_update(
                    json!({ "message": { "message_id": 9, "date": 1, "photo": [],
                    "chat": { "id": self.chat, "type": "private" },
                    "from": { "id": self.chat, "is_bot": false, "first_name": "…" } } }),
                );
                self.hear(count).await;
            }
            Worker(words) => self.worker(words).await,
            Act::Team(count) => self.team(count).await,
            SetOut(count) => self.visited(VisitAct::SetOut, "the team sets out", count).await,
            Finish(count) => self.visited(VisitAct::Finish, "the team is done", count).await,
            Rule => self.rule().await,
        }
    }

    async fn write(&mut self, text: &str, count: usize) {
        self.said(text);
        match self.channel {
            ChannelKind::Telegram => {
                let client = self.language.code().to_lowercase();
                self.app.bot_api.user_says(self.chat, &client, "…", text);
            }
            ChannelKind::Sms => {
                let taken = self.app.smsc.deliver_text(self.phone, text).await;
                taken.expect("it is taken");
            }
        }
        self.hear(count).await;
    }

    fn said(&mut self, text: &str) {
        let _ = writeln!(self.out, "**›** {text}\n");
    }

    /// Waits for so many messages, or makes sure that none comes.
    async fn hear(&mut self, count: usize) {
        if count == 0 {
            self.app.quiet().await;
            let _ = writeln!(self.out, "*(silence)*\n");
        }
        let mut sent: Vec<(String, Vec<Vec<Button>>, u32)> = Vec::new();
        let said = self
            .out
            .lines()
            .rev()
            .find(|line| line.starts_with("**›**") || line.starts_with('*'));
        let awaited = format!("{count} answers to {}", said.unwrap_or_default());
        let all = crate::app::eventually(&awaited, async || {
            let all = match self.channel {
                ChannelKind::Telegram => self
                    .app
                    .to_chat(self.chat)
                    .into_iter()
                    .map(|sent| (sent.text, sent.buttons, 1))
                    .collect::<Vec<_>>(),
                ChannelKind::Sms => self
                    .app
                    .to_phone(self.phone)
                    .into_iter()
                    .map(|sent| (sent.text, Vec::new(), sent.parts))
                    .collect(),
            };
            (all.len() >= self.seen + count).then_some(all)
        })
        .await;
        sent.extend(all.into_iter().skip(self.seen));
        assert_eq!(sent.len(), count, "{sent:?}");
        self.seen += sent.len();
        let visit = self.visit().await;
        for (mut text, buttons, parts) in sent {
            if let Some(visit) = &visit {
                text = text.replace(&visit.door_code, "0472");
            }
            for line in text.lines() {
                let _ = writeln!(self.out, "> {line}  ");
            }
            for row in &buttons {
                let labels = row.iter().map(|button| match button {
                    Button::Choice { label, .. }
                    | Button::Link { label, .. }
                    | Button::ShareContact { label } => format!("`{label}`"),
                });
                let _ = writeln!(self.out, "> {}  ", labels.collect::<Vec<_>>().join(" "));
            }
            if self.channel == ChannelKind::Sms {
                let _ = writeln!(
                    self.out,
                    ">\n> *{parts} {}*",
                    if parts == 1 { "part" } else { "parts" }
                );
            }
            self.out.push('\n');
            self.last = text;
        }
    }

    async fn worker(&mut self, words: &str) {
        let (store, now) = (self.app.store(), self.app.clock.now());
        let contact = self.contact().await;
        let open = ThreadFilter {
            open: true,
            ..ThreadFilter::default()
        };
        let threads = store.threads(&open).await.expect("reads");
        let thread = threads.iter().find(|thread| thread.contact == contact);
        let thread = thread.expect("a talk is open");
        let sender = match self.channel {
            ChannelKind::Telegram => "",
            ChannelKind::Sms => "【社区】",
        };
        let delivery = NewDelivery {
            key: format!("thread:{}:1", thread.id),
            round: None,
            contact,
            channel: self.channel,
            kind: NoticeKind::Reply,
            body: Body::text(format!("{sender}{words}")),
            parts: 1,
            state: DeliveryState::Queued,
            reason: "",
            next_at: now,
            expires_at: now + TimeDelta::hours(1),
        };
        let answered = store
            .answer_thread(thread.id, ThreadAuthor::Owner, words, &delivery, now)
            .await;
        assert!(answered.expect("answers"));
        let _ = writeln!(self.out, "*(a community worker answers)*\n");
        self.hear(1).await;
    }

    /// The person's newest visit.
    async fn visit(&self) -> Option<Visit> {
        let contact = self.contact().await;
        let visits = self.app.store().visits_of(contact).await.expect("reads");
        visits.into_iter().map(|(visit, _)| visit).next()
    }

    async fn team(&mut self, count: usize) {
        let team = Team {
            id: TeamId(0),
            name: "第一队".into(),
            areas: Vec::new(),
            opens: crate::app::hour(9),
            closes: crate::app::hour(17),
            breaks: Vec::new(),
            visits_per_hour: 4,
            members: vec![Visitor {
                name: "小王".into(),
                role: VisitorRole::Nurse,
                worker: None,
            }],
            removed: false,
        };
        let added = self.app.store().add_team(&team, self.app.clock.now()).await;
        added.expect("adds").expect("is new");
        let _ = writeln!(self.out, "*(a team for visits finds a time)*\n");
        self.hear(count).await;
    }

    async fn visited(&mut self, act: VisitAct, said: &str, count: usize) {
        let visit = self.visit().await.expect("there is a visit");
        let texts = Texts::load().expect("texts");
        let teller = VisitTeller::new(&texts, &self.app.config, segment::parts);
        let change = VisitChange::new(visit.id, act, VisitBy::worker("worker:1"));
        let now = self.app.clock.now();
        let done = self.app.store().act_on_visit(&change, &teller, now).await;
        assert!(matches!(done, Ok(VisitAnswer::Done(_))), "{done:?}");
        let _ = writeln!(self.out, "*({said})*\n");
        self.hear(count).await;
    }

    async fn rule(&mut self) {
        let now = self.app.clock.now();
        let policy = Policy {
            id: format!("48h-{}-{}", self.language.code(), self.channel.as_str()),
            purposes: Purpose::ALL.to_vec(),
            hours: 48,
            counted_from: Some(CountedFrom::SampledAt),
            needs: vec![Need::EntryCard, Need::EPass],
            from: now - TimeDelta::hours(1),
            to: None,
            source: "a notice".into(),
        };
        let store = self.app.store();
        assert!(store.add_policy(&policy, "owner", now).await.expect("adds"));
        let _ = writeln!(
            self.out,
            "*(`weir policy add`: 48 hours, counted from the sample)*\n"
        );
    }
}

async fn transcript(language: Language) -> String {
    let mut out = format!(
        "# Talks with residents: {}\n\nWritten by `WEIR_WRITE_TRANSCRIPTS=1 cargo test --test it transcripts`, over the \
         real protocols; a test compares. The data are invented.\n\n",
        language.code()
    );
    for channel in ChannelKind::ALL {
        let clock = Clock::manual(afternoon());
        let (url, _server) = registration(clock.clone()).await;
        let app = TestApp::start_with(sqlite().await, clock, |scene| {
            scene.config.registration.url = Some(url);
            scene.config.city.default_language = language;
        })
        .await;
        let options = ImportOptions {
            roster: Some(app.write("roster.csv", &format!("{HEAD}{CITY}"))),
            sites: Some(app.write("sites.csv", SITES)),
            ..ImportOptions::default()
        };
        import::run(app.store(), &options, app.clock.now(), &import::Quiet)
            .await
            .expect("imports");
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let said = words(language);
        // Two people: one writes no more messages a minute than are answered.
        let people = match channel {
            ChannelKind::Telegram => [(700, "+8619900000001"), (701, "+8619900000002")],
            ChannelKind::Sms => [(0, "+8619900000002"), (0, "+8619900000001")],
        };
        let _ = writeln!(out, "## {}\n", channel.as_str());
        for ((chat, phone), acts) in people
            .into_iter()
            .zip([acts(&said, channel), visit(&said, channel)])
        {
            let mut person = Person {
                app: &app,
                language,
                channel,
                chat,
                phone,
                seen: 0,
                last: String::new(),
                out: String::new(),
            };
            if channel == ChannelKind::Sms {
                // The notice of the round came before.
                person.seen = app.to_phone(phone).len();
            }
            for act in acts {
                person.act(act).await;
            }
            let _ = writeln!(out, "{}", person.out);
        }
    }
    out
}

async fn compare(language: Language) {
    compare_kept(&format!("{}.md", language.code()), &transcript(language).await);
}

/// Compares what is said now with the transcript of this name in `docs/`, or writes that anew where
/// `WEIR_WRITE_TRANSCRIPTS` is set.
pub fn compare_kept(name: &str, said: &str) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "docs", "transcripts"]
        .iter()
        .collect();
    let path = folder.join(name);
    if std::env::var_os("WEIR_WRITE_TRANSCRIPTS").is_some() {
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(&path, said).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == said,
        "{} is not what is said now; write it anew and read it:\n{said}",
        path.display()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn simplified_chinese() {
    compare(Language::ZhHans).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traditional_chinese() {
    compare(Language::ZhHant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn english() {
    compare(Language::En).await;
}
