//! Twenty workers act at once on the same visit and the same talk, through what their chats go through; and the service is
//! started anew in the middle of what a worker does. Nothing is done twice, and whoever was late is told.

use std::sync::Arc;

use tokio::task::JoinSet;
use weir::{
    app::{inbox::Talks, visits::Visits},
    channels::sms::segment,
    config::Config,
    domain::{Button, Role, ThreadAuthor, ThreadId, VisitId, VisitState, Visitor, VisitorRole, Worker},
    i18n::{Texts, visits::VisitTeller},
    store::{Asked, AuditFilter, NewVisit, Store, ThreadFilter},
    workers::{inbox, visits},
};

use crate::{
    app::{TestApp, eventually, phone_number},
    desks::{city, in_chat, press},
    support::on_both,
    workers::add,
};

const PLACE: &str = "锦江区/春熙街道/梧桐社区";
const RESIDENT: &str = "+8619900000001";
const WORKERS: usize = 20;
/// What a worker reads who was late: with a visit, with a talk.
const OVERTAKEN: &str = "别人刚刚改过";
const TAKEN: &str = "已经在处理";

/// Everything that a task of its own needs.
#[derive(Clone)]
struct Desks {
    store: Store,
    texts: Arc<Texts>,
    config: Arc<Config>,
    now: chrono::DateTime<chrono::Utc>,
}

impl Desks {
    fn new(app: &TestApp) -> Self {
        Self {
            store: app.store().clone(),
            texts: Arc::new(Texts::load().expect("whole")),
            config: Arc::new(app.config.clone()),
            now: app.clock.now(),
        }
    }

    /// Every one presses their button at once, in tasks of their own; what each was told first.
    async fn press(&self, pressed: Vec<(Worker, String)>) -> Vec<String> {
        let mut tasks = JoinSet::new();
        for (number, (worker, data)) in pressed.into_iter().enumerate() {
            let desks = self.clone();
            tasks.spawn(async move { desks.carried(&worker, &data, number).await });
        }
        tasks.join_all().await
    }

    async fn carried(&self, worker: &Worker, data: &str, number: usize) -> String {
        let (store, texts, config) = (&self.store, &*self.texts, &*self.config);
        let key = format!("inbound:{data}:{number}");
        let replies = if let Some(data) = data.strip_prefix(visits::PREFIX) {
            let wish = visits::Wish::of_button(data).expect("a button");
            let visits = Visits { store, texts, config };
            let carried = visits.carry_out(&wish, worker, &key, self.now).await;
            carried.expect("is carried out").replies
        } else {
            let talks = Talks { store, texts, config };
            let wish = match data.strip_prefix(inbox::PREFIX) {
                Some(data) => inbox::Wish::of_button(data).expect("a button"),
                None => {
                    let (id, words) = data.split_once(' ').expect("a talk and words");
                    inbox::Wish::Say(ThreadId(id.parse().expect("an id")), words.into())
                }
            };
            let carried = talks.carry_out(&wish, worker, &key, self.now).await;
            carried.expect("is carried out").replies
        };
        replies.first().expect("something is said").text.clone()
    }
}

/// How many lines on record begin so.
async fn on_record(store: &Store, what: &str) -> usize {
    let filter = AuditFilter {
        what: what.into(),
        ..AuditFilter::default()
    };
    store.audit_rows(&filter, None, 1000).await.expect("reads").len()
}

fn count(said: &[String], word: &str) -> usize {
    said.iter().filter(|said| said.contains(word)).count()
}

/// Workers and coordinators of the same community.
async fn workers(app: &TestApp, by: &Worker) -> Vec<Worker> {
    let mut all = Vec::new();
    for number in 0..WORKERS {
        let role = [Role::Worker, Role::Coordinator][number % 2];
        all.push(add(app.store(), by, &format!("同事{number}"), role, PLACE).await);
    }
    all
}

async fn team(app: &TestApp, members: &[Worker]) {
    let team = weir::domain::Team {
        id: weir::domain::TeamId(0),
        name: "第一队".into(),
        areas: Vec::new(),
        opens: crate::app::hour(0),
        closes: crate::app::hour(23),
        breaks: Vec::new(),
        visits_per_hour: 4,
        members: members
            .iter()
            .map(|member| Visitor {
                name: member.name.clone(),
                role: VisitorRole::Nurse,
                worker: Some(member.id.0),
            })
            .collect(),
        removed: false,
    };
    let added = app.store().add_team(&team, app.clock.now()).await;
    added.expect("adds").expect("is new");
}

/// A visit that a neighbour without proof asks for: somebody must accept it.
async fn asked(app: &TestApp) -> VisitId {
    let (store, now) = (app.store(), app.clock.now());
    let units = store.units().await.expect("reads");
    let unit = units.iter().find(|unit| unit.place.community == "梧桐社区");
    let asker = weir::domain::Address::Phone(phone_number("+8619900000002"));
    let asker = store.contact(&asker, now).await.expect("made");
    let new = NewVisit {
        key: "test:1".into(),
        unit: unit.expect("a unit").unit,
        door: "101".into(),
        asker: Some(asker),
        for_whom: weir::domain::VisitFor::Neighbour,
        name: "陈桂英".into(),
        people: 1,
        reason: "骨折".into(),
        access: String::new(),
        phone: Some(phone_number(RESIDENT)),
        wish: None,
        urgent: true,
        by: weir::domain::VisitBy::resident(asker),
        quiet: true,
        chance: 7,
    };
    let texts = Texts::load().expect("whole");
    let teller = VisitTeller::new(&texts, &app.config, segment::parts);
    match store.ask_visit(&new, &teller, now).await.expect("asks") {
        Asked::New(visit) | Asked::Known(visit) => visit.id,
    }
}

async fn in_state(app: &TestApp, id: VisitId, state: VisitState) -> i64 {
    eventually(&format!("the visit is {}", state.as_str()), async || {
        let visit = app.store().visit(id).await.expect("reads").expect("is there");
        (visit.state == state).then_some(visit.revision)
    })
    .await
}

async fn lines(app: &TestApp, id: VisitId, act: &str) -> usize {
    let log = app.store().visit_log(id).await.expect("reads");
    log.iter().filter(|line| line.act == act).count()
}

fn told(app: &TestApp, phone: &str, word: &str) -> usize {
    let sent = app.to_phone(phone);
    sent.iter().filter(|sent| sent.text.contains(word)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_on_one_visit_one_does_each_thing_and_the_others_are_told() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        let workers = workers(&app, &operator).await;
        let visit = asked(&app).await;
        let desks = Desks::new(&app);
        let all = |data: String| workers.iter().map(move |worker| (worker.clone(), data.clone()));

        // All accept it; one presses twice, and has done it once.
        let seen = in_state(&app, visit, VisitState::Asked).await;
        let accept = format!("w:v:accept:{visit}:{seen}");
        let mut pressed: Vec<_> = all(accept.clone()).collect();
        pressed.push((workers[0].clone(), accept));
        let said = desks.press(pressed).await;
        let late = count(&said, OVERTAKEN);
        assert!(late == WORKERS - 1 || late == WORKERS, "{said:?}");
        assert_eq!(lines(&app, visit, "accept").await, 1);
        assert_eq!(on_record(app.store(), "visit.accept").await, 1);

        // A team finds a time; all its members set out at once.
        team(&app, &workers).await;
        let seen = in_state(&app, visit, VisitState::Scheduled).await;
        let said = desks
            .press(all(format!("w:v:set_out:{visit}:{seen}")).collect())
            .await;
        assert_eq!(count(&said, OVERTAKEN), WORKERS - 1, "{said:?}");
        assert_eq!(lines(&app, visit, "set_out").await, 1);
        assert_eq!(on_record(app.store(), "visit.set_out").await, 1);
        // A newer change would take the place of what has not left.
        app.no_reply_open().await;

        // Half say that it is done, half that nobody was met: one of them is right.
        let seen = in_state(&app, visit, VisitState::OnTheWay).await;
        let pressed = workers.iter().enumerate().map(|(number, worker)| {
            let what = ["finish", "not_meet"][number / 2 % 2];
            (worker.clone(), format!("w:v:{what}:{visit}:{seen}"))
        });
        let said = desks.press(pressed.collect()).await;
        assert_eq!(count(&said, OVERTAKEN), WORKERS - 1, "{said:?}");
        let ends = lines(&app, visit, "finish").await + lines(&app, visit, "not_meet").await;
        let records =
            on_record(app.store(), "visit.finish").await + on_record(app.store(), "visit.not_meet").await;
        assert_eq!((ends, records), (1, 1));
        app.no_reply_open().await;
        assert_eq!(
            told(&app, RESIDENT, "已经出发"),
            1,
            "{:?}",
            app.to_phone(RESIDENT)
        );
        assert_eq!(app.store().verify_audit(None).await.expect("reads").fault, None);
    })
    .await;
}

async fn open_talk(app: &TestApp) -> ThreadId {
    app.text(RESIDENT, "人工 电梯坏了怎么下楼", 1).await;
    let open = ThreadFilter {
        open: true,
        ..ThreadFilter::default()
    };
    app.store().threads(&open).await.expect("reads")[0].id
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_on_one_talk_one_answers_and_the_others_are_told_who() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        let workers = workers(&app, &operator).await;
        let id = open_talk(&app).await;
        let desks = Desks::new(&app);
        // Nobody has it, and all answer at once, each in other words.
        let before = app.to_phone(RESIDENT).len();
        let pressed = workers
            .iter()
            .enumerate()
            .map(|(number, worker)| (worker.clone(), format!("{id} 答复{number}号,请在家等。")));
        let said = desks.press(pressed.collect()).await;
        assert_eq!(count(&said, TAKEN), WORKERS - 1, "{said:?}");
        let thread = app.store().thread(id).await.expect("reads").expect("is there");
        let holder = workers
            .iter()
            .position(|worker| Some(worker.id) == thread.claimed_by);
        let holder = holder.expect("one has it");
        app.no_reply_open().await;
        let answers = app.to_phone(RESIDENT).split_off(before);
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(
            answers[0].text.contains(&format!("答复{holder}号")),
            "{answers:?}"
        );
        let messages = app.store().thread_messages(id).await.expect("reads");
        let staff = messages
            .iter()
            .filter(|message| message.author != ThreadAuthor::Resident);
        assert_eq!(staff.count(), 1);

        // All take it, pass it on and end it at once: the one who has it does one thing at a time.
        let what = ["take", "say", "take", "end"];
        let pressed = workers.iter().enumerate().map(|(number, worker)| {
            let what = if number == holder { "end" } else { what[number % 4] };
            (worker.clone(), format!("w:i:{what}:{id}"))
        });
        let said = desks.press(pressed.collect()).await;
        assert_eq!(
            count(&said, TAKEN) + count(&said, "已经结束"),
            WORKERS - 1,
            "{said:?}"
        );
        assert!(
            !app.store()
                .thread(id)
                .await
                .expect("reads")
                .expect("is there")
                .open
        );
        for what in ["thread.claim", "thread.answer", "thread.close"] {
            assert_eq!(on_record(app.store(), what).await, 1, "{what}");
        }
    })
    .await;
}

async fn again(app: &mut TestApp) {
    app.stop_service().await;
    app.start_service();
}

/// The data of a button of a chat's newest message that has one that reads so.
async fn button(app: &TestApp, chat: i64, wanted: &str) -> String {
    eventually(&format!("a button {wanted}"), async || {
        let sent = app.to_chat(chat);
        let buttons = sent.iter().rev().flat_map(|sent| sent.buttons.iter().flatten());
        buttons.into_iter().find_map(|button| match button {
            Button::Choice { label, data } if label.contains(wanted) => Some(data.clone()),
            _ => None,
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_outlives_a_restart_at_each_step() {
    on_both(async |test| {
        let (mut app, operator) = city(test).await;
        let nurse = in_chat(&app, &operator, ("王护士", Role::Worker, PLACE), 2).await;
        let visit = asked(&app).await;
        app.ask(2, "/visits", 1).await;
        again(&mut app).await;
        let accept = button(&app, 2, "接受").await;
        press(&app, 2, &accept, 1).await;
        // The press comes once more, as after a crash before its answer was on record: no second act, no second line.
        let desks = Desks::new(&app);
        let said = desks.press(vec![(nurse.clone(), accept)]).await;
        assert!(!said[0].contains(OVERTAKEN), "{said:?}");
        again(&mut app).await;
        team(&app, std::slice::from_ref(&nurse)).await;
        in_state(&app, visit, VisitState::Scheduled).await;
        app.ask(2, "/visits", 1).await;
        for (wanted, state) in [("出发", VisitState::OnTheWay), ("已采样", VisitState::Done)] {
            let data = button(&app, 2, wanted).await;
            again(&mut app).await;
            press(&app, 2, &data, 1).await;
            in_state(&app, visit, state).await;
        }
        app.no_reply_open().await;
        for what in ["accept", "set_out", "finish"] {
            assert_eq!(lines(&app, visit, what).await, 1, "{what}");
            assert_eq!(
                on_record(app.store(), &format!("visit.{what}")).await,
                1,
                "{what}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_being_written_outlives_a_restart() {
    on_both(async |test| {
        let (mut app, operator) = city(test).await;
        in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
        app.ask(2, "/duty", 1).await;
        let id = open_talk(&app).await;
        let say = button(&app, 2, "答复").await;
        again(&mut app).await;
        let said = press(&app, 2, &say, 1).await;
        assert!(said[0].contains("请写下给"), "{said:?}");
        again(&mut app).await;
        app.ask(2, "请在家等。", 1).await;
        again(&mut app).await;
        press(&app, 2, &format!("w:i:end:{id}"), 1).await;
        again(&mut app).await;
        app.no_reply_open().await;
        app.quiet().await;
        assert_eq!(told(&app, RESIDENT, "请在家等"), 1);
        assert_eq!(told(&app, RESIDENT, "社区工作人员答复"), 1);
        for what in ["thread.claim", "thread.answer", "thread.close"] {
            assert_eq!(on_record(app.store(), what).await, 1, "{what}");
        }
    })
    .await;
}
