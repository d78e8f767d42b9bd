//! `docs/transcripts/workers-*.md`: what workers do in their chats, the wrong role beside the right one, as it goes over the
//! real protocols. Written anew with `WEIR_WRITE_TRANSCRIPTS=1 cargo test --test it work_transcripts`.

use std::fmt::Write as _;

use weir::{
    channels::{sms::segment, telegram::fake::SentMessage},
    clock::Clock,
    domain::{
        Actor, Button, Language, Role, Team, TeamId, VisitBy, VisitFor, VisitId, VisitState, Visitor,
        VisitorRole, Worker,
    },
    i18n::{Texts, visits::VisitTeller},
    roster::import::{self, ImportOptions},
    store::{Asked, LoadMinute, NewVisit, NewWorker},
    workers::invitation,
};

use crate::{
    app::{ROSTER_HEAD, SITES, TestApp, afternoon, eventually, hour, phone_number},
    support::{evening, sqlite},
    transcripts::compare_kept,
};

const PLACE: &str = "锦江区/春熙街道/梧桐社区";
const OTHER: &str = "锦江区/春熙街道/银杏社区";
const RESIDENT: &str = "+8619900000001";

/// Who is there: the chat is the place in the list and one more.
const PEOPLE: [(&str, &str, Role, &str); 6] = [
    ("operator", "高敏", Role::Operator, "city"),
    ("worker", "王护士", Role::Worker, PLACE),
    ("coordinator", "林霞", Role::Coordinator, PLACE),
    ("viewer", "看客", Role::Viewer, PLACE),
    ("worker elsewhere", "小钱", Role::Worker, OTHER),
    ("stranger", "", Role::Viewer, ""),
];
const OPERATOR: usize = 0;
const WORKER: usize = 1;
const COORDINATOR: usize = 2;
const VIEWER: usize = 3;
const ELSEWHERE: usize = 4;
const STRANGER: usize = 5;

/// What people say.
struct Words {
    notice: &'static str,
    ask: &'static str,
    answer: &'static str,
    reason: &'static str,
    access: &'static str,
}

fn words(language: Language) -> Words {
    match language {
        Language::En => Words {
            notice: "No water this afternoon from 2 to 5.",
            ask: "I want to talk to a person. The lift is broken.",
            answer: "I come up in ten minutes and help you.",
            reason: "a broken leg",
            access: "The lift is broken.",
        },
        _ => Words {
            notice: "今天下午2点到5点停水。",
            ask: "人工 电梯坏了怎么下楼",
            answer: "我十分钟后上来扶您。",
            reason: "骨折",
            access: "电梯坏了",
        },
    }
}

/// A place with its people, and what has been said so far.
struct Scene {
    app: TestApp,
    language: Language,
    people: Vec<Worker>,
    /// Messages of each chat, and of the resident's phone, that have been shown.
    seen: [usize; PEOPLE.len()],
    seen_sms: usize,
    /// What is replaced where it is shown: chance made it.
    masked: Vec<(String, &'static str)>,
    out: String,
}

fn chat(who: usize) -> i64 {
    who as i64 + 1
}

impl Scene {
    /// All but the stranger are workers with a chat.
    async fn begin(language: Language, heading: &str) -> Self {
        let app = TestApp::start_with(sqlite().await, Clock::manual(afternoon()), |scene| {
            scene.config.city.default_language = language;
            scene.config.broadcast.approval_size = 1;
        })
        .await;
        let code = language.code();
        let roster = format!(
            "{ROSTER_HEAD}锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,{RESIDENT},{code},elderly\n\
             锦江区,春熙街道,梧桐社区,2栋,1单元,101,李小明,+8619900000003,{code},\n\
             锦江区,春熙街道,银杏社区,1栋,1单元,101,王伟,+8619900000002,{code},\n"
        );
        let options = ImportOptions {
            roster: Some(app.write("roster.csv", &roster)),
            sites: Some(app.write("sites.csv", SITES)),
            ..ImportOptions::default()
        };
        let imported = import::run(app.store(), &options, app.clock.now(), &import::Quiet).await;
        imported.expect("imports");
        let mut scene = Self {
            app,
            language,
            people: Vec::new(),
            seen: [0; PEOPLE.len()],
            seen_sms: 0,
            masked: Vec::new(),
            out: String::new(),
        };
        for who in OPERATOR..STRANGER {
            let (worker, link) = scene.invited(who).await;
            scene.write(who, &format!("/start {link}"));
            scene.wait(who, 1).await;
            scene.card(who, who, true);
            scene.wait(who, 1).await;
            scene.people.push(worker);
        }
        scene.app.no_reply_open().await;
        for who in 0..PEOPLE.len() {
            scene.seen[who] = scene.sent(who).len();
        }
        scene.out = format!("## {heading}\n\n");
        scene
    }

    /// Somebody of the list is put down as a worker and gets a link.
    async fn invited(&self, who: usize) -> (Worker, String) {
        let (_, name, role, scope) = PEOPLE[who];
        let new = NewWorker {
            name: name.into(),
            role,
            scope: scope.parse().expect("a scope"),
            language: None,
        };
        let store = self.app.store();
        let by = self.people.first();
        let id = store.add_worker(&new, by, evening()).await.expect("is added");
        let worker = store.worker(id).await.expect("reads").expect("is there");
        (worker, self.link(id, who).await)
    }

    async fn link(&self, id: weir::domain::WorkerId, who: usize) -> String {
        let token = invitation::token(rand::random());
        let now = self.app.clock.now();
        let new = invitation::new(id, &token, phone_number(&format!("+{}", own_phone(who))), now);
        let by = self
            .people
            .first()
            .map_or(Actor::Owner, |by| Actor::Worker(by.id));
        self.app
            .store()
            .invite(&new, by, now)
            .await
            .expect("is written down");
        token
    }

    fn sent(&self, who: usize) -> Vec<SentMessage> {
        self.app.to_chat(chat(who))
    }

    fn says(&mut self, who: usize, what: &str) {
        let mut shown = what.to_owned();
        for (secret, mask) in &self.masked {
            shown = shown.replace(secret, mask);
        }
        let _ = writeln!(self.out, "*{}* **›** {shown}\n", PEOPLE[who].0);
    }

    fn note(&mut self, words: &str) {
        let _ = writeln!(self.out, "*({words})*\n");
    }

    fn write(&mut self, who: usize, text: &str) {
        self.says(who, text);
        let client = self.language.code().to_lowercase();
        self.app.bot_api.user_says(chat(who), &client, "…", text);
    }

    /// They write, and so many messages come back.
    async fn ask(&mut self, who: usize, text: &str, count: usize) {
        self.write(who, text);
        self.hear(who, count).await;
    }

    fn card(&mut self, who: usize, of: usize, own: bool) {
        let words = if own {
            "(own contact card)"
        } else {
            "(somebody else's contact card)"
        };
        self.says(who, words);
        self.app
            .bot_api
            .user_shares_contact(chat(who), &own_phone(of), own);
    }

    /// They tap the newest button whose data holds this.
    async fn tap(&mut self, who: usize, wanted: &str, count: usize) -> String {
        let sent = self.sent(who);
        let all = sent.iter().rev().flat_map(|sent| sent.buttons.iter().flatten());
        let found = all.into_iter().find_map(|button| match button {
            Button::Choice { label, data } if data.contains(wanted) => Some((label.clone(), data.clone())),
            _ => None,
        });
        let (label, data) = found.unwrap_or_else(|| panic!("no button {wanted}: {sent:?}"));
        self.says(who, &format!("[{label}]"));
        self.app.bot_api.user_taps(chat(who), &data);
        self.hear(who, count).await;
        data
    }

    /// They send the data of somebody else's button.
    async fn forge(&mut self, who: usize, data: &str, count: usize) {
        self.says(who, &format!("(a made-up button: `{data}`)"));
        self.app.bot_api.user_taps(chat(who), data);
        self.hear(who, count).await;
    }

    async fn wait(&mut self, who: usize, count: usize) -> Vec<SentMessage> {
        let awaited = format!("{count} messages to the {}", PEOPLE[who].0);
        let before = self.seen[who];
        let sent = eventually(&awaited, async || {
            let sent = self.sent(who);
            (sent.len() >= before + count).then_some(sent)
        })
        .await;
        self.seen[who] += count;
        sent[before..before + count].to_vec()
    }

    /// Shows the next messages to somebody.
    async fn hear(&mut self, who: usize, count: usize) {
        for sent in self.wait(who, count).await {
            if let Some(file) = &sent.picture {
                assert!(file.len() < 20_000);
                let _ = writeln!(self.out, "> *(a picture, 640 × 320)*  ");
            }
            self.quote(&sent.text);
            for row in &sent.buttons {
                let labels = row.iter().map(|button| match button {
                    Button::Choice { label, .. }
                    | Button::Link { label, .. }
                    | Button::ShareContact { label } => format!("`{label}`"),
                });
                let _ = writeln!(self.out, "> {}  ", labels.collect::<Vec<_>>().join(" "));
            }
            self.out.push('\n');
        }
    }

    fn quote(&mut self, text: &str) {
        let mut shown = text.to_owned();
        for (secret, mask) in &self.masked {
            shown = shown.replace(secret, mask);
        }
        for line in shown.lines() {
            let _ = writeln!(self.out, "> {line}  ");
        }
    }

    /// Somebody is told without having asked.
    async fn told(&mut self, who: usize, count: usize) {
        self.note(&format!("the {} is told", PEOPLE[who].0));
        self.hear(who, count).await;
    }

    /// The resident writes a text message, and is answered.
    async fn texts(&mut self, words: &str, count: usize) {
        let _ = writeln!(self.out, "*resident, by SMS* **›** {words}\n");
        let taken = self.app.smsc.deliver_text(RESIDENT, words).await;
        taken.expect("it is taken");
        self.reads(count).await;
    }

    /// The resident is told by SMS.
    async fn reads(&mut self, count: usize) {
        let before = self.seen_sms;
        let sent = eventually(&format!("{count} text messages"), async || {
            let sent = self.app.to_phone(RESIDENT);
            (sent.len() >= before + count).then_some(sent)
        })
        .await;
        self.seen_sms += count;
        self.note("the resident reads by SMS");
        for sent in &sent[before..before + count] {
            self.quote(&sent.text);
            self.out.push('\n');
        }
    }

    /// Whatever was to happen has happened: messages that are edited in place read as they stay.
    async fn settled(&self) {
        self.app.no_reply_open().await;
        self.app.quiet().await;
    }
}

fn own_phone(who: usize) -> String {
    format!("861990001{:04}", who + 1)
}

async fn invitation(language: Language) -> String {
    let mut scene = Scene::begin(language, "An invitation").await;
    let new = NewWorker {
        name: "小赵".into(),
        role: Role::Worker,
        scope: PLACE.parse().expect("a scope"),
        language: None,
    };
    let store = scene.app.store().clone();
    let by = scene.people[OPERATOR].clone();
    let id = store
        .add_worker(&new, Some(&by), evening())
        .await
        .expect("is added");
    let link = scene.link(id, STRANGER).await;
    scene.masked.push((link.clone(), "w_…"));
    scene.note("the operator has run `weir worker invite` and sent the link");
    scene.ask(VIEWER, &format!("/start {link}"), 1).await;
    scene.ask(STRANGER, "/start w_made-up", 1).await;
    scene.ask(STRANGER, &format!("/start {link}"), 1).await;
    scene.card(STRANGER, VIEWER, false);
    scene.hear(STRANGER, 1).await;
    scene.card(STRANGER, STRANGER, true);
    scene.hear(STRANGER, 1).await;
    scene.told(OPERATOR, 1).await;
    scene.ask(STRANGER, "/duty", 1).await;
    scene.note("it was the wrong person: the operator takes it back");
    scene.tap(OPERATOR, "w:undo:", 1).await;
    scene.forge(STRANGER, "w:show:1", 1).await;
    scene.out
}

async fn broadcast(language: Language) -> String {
    let said = words(language);
    let mut scene = Scene::begin(language, "A broadcast that another approves").await;
    scene.ask(VIEWER, "/broadcast", 1).await;
    scene.ask(WORKER, "/broadcast", 1).await;
    scene.ask(COORDINATOR, "/broadcast", 1).await;
    scene.tap(COORDINATOR, ":all", 1).await;
    scene.tap(COORDINATOR, ":every", 1).await;
    scene.ask(COORDINATOR, said.notice, 1).await;
    scene.tap(COORDINATOR, ":count", 2).await;
    scene.ask(COORDINATOR, "3", 1).await;
    scene.ask(COORDINATOR, "2", 1).await;
    scene.told(OPERATOR, 1).await;
    let own = scene.app.store().broadcasts().await.expect("reads");
    let approve = format!("w:ok:{}", own.last().expect("one waits").id);
    scene.forge(COORDINATOR, &approve, 1).await;
    scene.forge(ELSEWHERE, &approve, 1).await;
    scene.says(OPERATOR, "(the button under it)");
    scene.app.bot_api.user_taps(chat(OPERATOR), &approve);
    eventually("it is reported", async || {
        let all = scene.app.store().broadcasts().await.expect("reads");
        all.last().is_some_and(|one| one.reported).then_some(())
    })
    .await;
    scene.settled().await;
    scene.hear(OPERATOR, 2).await;
    scene.reads(1).await;
    let news = scene.sent(COORDINATOR).len() - scene.seen[COORDINATOR];
    scene.told(COORDINATOR, news).await;
    scene.out
}

async fn inbox(language: Language) -> String {
    let said = words(language);
    let mut scene = Scene::begin(language, "A resident asks a person").await;
    scene.ask(VIEWER, "/inbox", 1).await;
    scene.ask(WORKER, "/duty", 1).await;
    scene.ask(COORDINATOR, "/inbox", 1).await;
    scene.texts(said.ask, 1).await;
    scene.told(WORKER, 1).await;
    let data = scene.tap(WORKER, "w:i:take:", 1).await;
    scene.forge(COORDINATOR, &data, 1).await;
    scene.forge(ELSEWHERE, &data, 1).await;
    let card = scene
        .sent(WORKER)
        .into_iter()
        .find(|sent| format!("{:?}", sent.buttons).contains("w:i:end:"));
    let card = card.expect("the talk's message").message_id;
    scene.says(
        WORKER,
        &format!("(a reply to the talk's message) {}", said.answer),
    );
    scene.app.bot_api.user_replies(chat(WORKER), card, said.answer);
    scene.hear(WORKER, 1).await;
    scene.reads(1).await;
    scene.tap(WORKER, "w:i:end:", 1).await;
    scene.reads(1).await;
    scene.out
}

/// A visit that the nurse's team has a time for.
async fn scheduled(scene: &mut Scene, said: &Words) -> VisitId {
    let (store, now) = (scene.app.store().clone(), scene.app.clock.now());
    let nurse = &scene.people[WORKER];
    let team = Team {
        id: TeamId(0),
        name: "第一队".into(),
        areas: Vec::new(),
        opens: hour(0),
        closes: hour(23),
        breaks: Vec::new(),
        visits_per_hour: 4,
        members: vec![Visitor {
            name: nurse.name.clone(),
            role: VisitorRole::Nurse,
            worker: Some(nurse.id.0),
        }],
        removed: false,
    };
    store.add_team(&team, now).await.expect("adds").expect("is new");
    let units = store.units().await.expect("reads");
    let unit = units.iter().find(|unit| unit.place.community == "梧桐社区");
    let new = NewVisit {
        key: "test:1".into(),
        unit: unit.expect("a unit").unit,
        door: "101".into(),
        asker: None,
        for_whom: VisitFor::Neighbour,
        name: "陈桂英".into(),
        people: 1,
        reason: said.reason.into(),
        access: said.access.into(),
        phone: Some(phone_number(RESIDENT)),
        wish: None,
        urgent: true,
        by: VisitBy::coordinator("owner"),
        quiet: false,
        chance: 472,
    };
    let texts = Texts::load().expect("whole");
    let teller = VisitTeller::new(&texts, &scene.app.config, segment::parts);
    let (Asked::New(visit) | Asked::Known(visit)) = store.ask_visit(&new, &teller, now).await.expect("asks");
    eventually("a time is found", async || {
        let visit = store.visit(visit.id).await.expect("reads")?;
        (visit.state == VisitState::Scheduled).then_some(())
    })
    .await;
    scene.app.no_reply_open().await;
    scene.seen_sms = scene.app.to_phone(RESIDENT).len();
    visit.id
}

async fn visits(language: Language) -> String {
    let said = words(language);
    let mut scene = Scene::begin(language, "Visits at home").await;
    scheduled(&mut scene, &said).await;
    scene.note("a coordinator has taken a visit down by phone, and a time was found");
    scene.ask(VIEWER, "/visits", 1).await;
    scene.ask(ELSEWHERE, "/visits", 1).await;
    scene.ask(WORKER, "/visits", 1).await;
    let data = {
        let sent = scene.sent(WORKER);
        let last = sent.last().expect("the visit");
        let Some(Button::Choice { data, .. }) = last.buttons.iter().flatten().next() else {
            panic!("{last:?}");
        };
        data.clone()
    };
    scene.forge(ELSEWHERE, &data, 1).await;
    scene.tap(WORKER, "w:v:set_out:", 1).await;
    scene.reads(1).await;
    scene.note("the coordinator presses the same button a moment later");
    scene.forge(COORDINATOR, &data, 2).await;
    scene.tap(WORKER, "w:v:finish:", 1).await;
    scene.reads(1).await;
    scene.out
}

async fn today(language: Language) -> String {
    let mut scene = Scene::begin(language, "Today at a glance").await;
    scene.ask(VIEWER, "/today", 1).await;
    scene.note("a round goes out, and the registration system reports its load");
    let (round, _) = scene.app.plan().await;
    scene.app.release_at_once(round).await;
    scene.app.settled(round).await;
    for ago in 1..=60 {
        let load = LoadMinute {
            minute: scene.app.clock.now() - chrono::TimeDelta::minutes(ago),
            utilisation: 0.5 + 0.005 * (60 - ago) as f64,
            queue_seconds: 0.0,
            error_rate: 0.0,
            completed_per_second: 100.0,
            mode: if ago < 20 { "slowed" } else { "steady" }.into(),
        };
        scene.app.store().record_load(&load).await.expect("is kept");
    }
    scene.ask(VIEWER, "/today", 1).await;
    scene.note("the operator sees the whole city");
    scene.ask(OPERATOR, "/today", 1).await;
    scene.note("a stranger's word is for the residents' talk");
    scene.ask(STRANGER, "/today", 1).await;
    scene.out
}

async fn compare(language: Language) {
    let mut said = format!(
        "# What workers do in their chats: {}\n\nWritten by `WEIR_WRITE_TRANSCRIPTS=1 cargo test --test it \
         work_transcripts`, over the real protocols; a test compares. The data are invented. What is done at the sites \
         stands in [sites.md](sites.md).\n\n",
        language.code()
    );
    said += &invitation(language).await;
    said += &broadcast(language).await;
    said += &inbox(language).await;
    said += &visits(language).await;
    said += &today(language).await;
    compare_kept(&format!("workers-{}.md", language.code()), &said);
}

#[tokio::test(flavor = "multi_thread")]
async fn simplified_chinese() {
    compare(Language::ZhHans).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn english() {
    compare(Language::En).await;
}
