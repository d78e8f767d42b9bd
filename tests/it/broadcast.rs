//! Broadcasts: whom they reach, who lets them go, and that each is said once, whatever happens meanwhile.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt};

use weir::{
    clock::Clock,
    domain::{
        Actor, Address, Audience, BroadcastCount, BroadcastId, BroadcastState, Lane, Language, Missed, Role,
        Tag, UnitId, Words,
    },
    i18n::Texts,
    release::{
        broadcast::{self, Confirmed, Progress, Writing},
        doors, pacer,
    },
    store::{Broadcast, ContactState, DeliveryFilter, NewBroadcast, Store},
};

use crate::{
    app::{TestApp, afternoon, eventually, phone_number},
    binary::{Serving, json, write_config},
    round::many,
    support::{minutes, on_both, sqlite},
    workers::{add, first},
};

/// Two communities: shared phones, a phone of two units, somebody without, every lane and language.
const CITY: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,elderly\n\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈明,+8619900000001,zh-Hans,student\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,201,王伟,+8619900000002,zh-Hans,\n\
锦江区,春熙街道,梧桐社区,2栋,1单元,101,李小明,+8619900000003,en,no_smartphone\n\
锦江区,春熙街道,梧桐社区,2栋,1单元,102,赵六,,zh-Hans,elderly;limited_mobility\n\
锦江区,春熙街道,银杏社区,1栋,1单元,101,王伟二,+8619900000002,zh-Hans,\n\
锦江区,春熙街道,银杏社区,1栋,1单元,102,周敏,+8619900000004,zh-Hant,city_support\n";

fn chinese(text: &str) -> Words {
    Words(BTreeMap::from([(Language::ZhHans, text.to_owned())]))
}

fn to(places: &[&str]) -> Audience {
    Audience {
        places: places
            .iter()
            .map(|place| place.parse().expect("a place"))
            .collect(),
        ..Audience::default()
    }
}

async fn count(app: &TestApp, audience: &Audience, words: &Words) -> BroadcastCount {
    let texts = Texts::load().expect("texts");
    let writing = Writing {
        texts: &texts,
        config: &app.config,
    };
    broadcast::count(app.store(), &writing, audience, words)
        .await
        .expect("counts")
}

fn new(author: Actor, audience: Audience, words: Words, count: BroadcastCount) -> NewBroadcast {
    NewBroadcast {
        origin: format!("test:{}", rand::random::<u64>()),
        author,
        audience,
        words,
        calm: false,
        count,
        cron: None,
        missed: Missed::Skip,
        expires_hours: 24,
    }
}

async fn read(store: &Store, id: BroadcastId) -> Broadcast {
    store.broadcast(id).await.expect("reads").expect("is there")
}

/// Drafts it and confirms it by its count.
async fn send(app: &TestApp, author: Actor, audience: Audience, words: Words) -> (BroadcastId, Confirmed) {
    let counted = count(app, &audience, &words).await;
    send_new(app, new(author, audience, words, counted)).await
}

async fn send_new(app: &TestApp, new: NewBroadcast) -> (BroadcastId, Confirmed) {
    let (store, now) = (app.store(), app.clock.now());
    let id = store.draft_broadcast(&new, now).await.expect("is written");
    let texts = Texts::load().expect("texts");
    let writing = Writing {
        texts: &texts,
        config: &app.config,
    };
    let draft = read(store, id).await;
    let how = (new.author, new.count.people, None);
    let confirmed = broadcast::confirm(store, &writing, &draft, how, now)
        .await
        .expect("answers");
    (id, confirmed)
}

async fn ended(app: &TestApp, id: BroadcastId) -> Progress {
    eventually("the broadcast has ended", async || {
        let state = read(app.store(), id).await.state;
        [BroadcastState::Done, BroadcastState::Cancelled]
            .contains(&state)
            .then_some(())
    })
    .await;
    progress(app, id).await
}

async fn progress(app: &TestApp, id: BroadcastId) -> Progress {
    Progress::of(&app.store().count_broadcast(id).await.expect("reads"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_count_is_exact_by_place_lane_tag_and_language() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::manual(afternoon()), |_| {}).await;
        app.import(CITY).await;
        let words = chinese("今天下午停水。");
        let of = async |audience: Audience| {
            let counted = count(&app, &audience, &words).await;
            (counted.people, counted.messages, counted.unreached)
        };
        assert_eq!(
            of(Audience::default()).await,
            (6, 4, 1),
            "a phone of two units hears it once"
        );
        assert_eq!(of(to(&["锦江区/春熙街道/梧桐社区"])).await, (4, 3, 1));
        assert_eq!(of(to(&["锦江区/春熙街道/银杏社区"])).await, (2, 2, 0));
        assert_eq!(of(to(&["锦江区/春熙街道/梧桐社区/1栋"])).await, (3, 2, 0));
        assert_eq!(of(to(&["锦江区/春熙街道/梧桐社区/1栋/2单元"])).await, (1, 1, 0));
        let both = [
            "锦江区/春熙街道/梧桐社区/1栋",
            "锦江区/春熙街道/银杏社区/1栋/1单元",
        ];
        assert_eq!(of(to(&both)).await, (5, 3, 0));
        assert_eq!(
            of(to(&["锦江区", "锦江区/春熙街道/梧桐社区"])).await,
            (6, 4, 1),
            "overlap counts once"
        );
        let lane = |lane| Audience {
            lane: Some(lane),
            ..Audience::default()
        };
        assert_eq!(of(lane(Lane::Green)).await, (3, 2, 1));
        assert_eq!(of(lane(Lane::Regular)).await, (3, 2, 0));
        let tagged = |tags: &[Tag]| Audience {
            tags: tags.to_vec(),
            ..Audience::default()
        };
        assert_eq!(of(tagged(&[Tag::NoSmartphone])).await, (1, 1, 0));
        assert_eq!(of(tagged(&[Tag::LimitedMobility, Tag::Student])).await, (1, 1, 1));
        let english = Audience {
            languages: vec![Language::En],
            ..Audience::default()
        };
        assert_eq!(of(english).await, (1, 1, 1));
        let counted = count(&app, &Audience::default(), &words).await;
        assert_eq!((counted.sms, counted.telegram, counted.sms_parts), (4, 0, 4));
        assert_eq!(
            counted.missing(&words),
            [(Language::ZhHant, 1), (Language::En, 1)]
        );
        let store = app.store();
        let contact = store
            .find_contact(&Address::Phone(phone_number("+8619900000001")))
            .await
            .expect("reads");
        let stopped = store.set_contact_state(
            contact.expect("is known"),
            ContactState::Stopped,
            "asked",
            afternoon(),
        );
        stopped.await.expect("writes");
        let counted = count(&app, &Audience::default(), &words).await;
        assert_eq!((counted.people, counted.messages, counted.opted_out), (4, 3, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_out_on_both_channels_in_each_ones_language_and_is_reported() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        app.link(503, "en", "+8619900000003").await;
        let operator = first(app.store()).await;
        let mut words = chinese("今天下午停水。");
        words.0.insert(Language::En, "No water this afternoon.".into());
        let author = Actor::Worker(operator.id);
        let (id, confirmed) = send(&app, author, to(&["锦江区/春熙街道/梧桐社区"]), words).await;
        assert_eq!(confirmed, Confirmed::Sent);
        eventually("three messages", async || {
            (app.smsc.submitted().len() == 2 && app.to_chat(503).len() > 2).then_some(())
        })
        .await;
        let sms = app.to_phone("+8619900000001");
        assert_eq!(sms.len(), 1, "two people share it");
        assert!(
            sms[0].text.starts_with("【社区通知】今天下午停水。"),
            "{}",
            sms[0].text
        );
        assert!(
            app.to_chat(503)
                .last()
                .expect("a message")
                .text
                .starts_with("No water this afternoon.")
        );
        assert!(app.to_phone("+8619900000004").is_empty(), "another community");
        let result = ended(&app, id).await;
        assert_eq!((result.written, result.arrived, result.failed), (3, 3, 0));
        let file = app.test.folder.path().join("doors.csv");
        let written = doors::write(app.store(), &read(app.store(), id).await, &file)
            .await
            .expect("writes");
        assert_eq!((written.doors, written.people), (1, 1));
        let text = std::fs::read_to_string(&file).expect("reads");
        assert!(text.contains("赵六") && !text.contains("王伟"), "{text}");
        let mode = std::fs::metadata(&file).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_old_count_sends_nothing() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::manual(afternoon()), |_| {}).await;
        app.import(CITY).await;
        let words = chinese("请带身份证。");
        let counted = count(&app, &Audience::default(), &words).await;
        let old = new(
            Actor::Owner,
            Audience::default(),
            words,
            BroadcastCount { people: 5, ..counted },
        );
        let (id, confirmed) = send_new(&app, old).await;
        let Confirmed::Counted(now) = confirmed else {
            panic!("{confirmed:?}")
        };
        assert_eq!(
            (now.people, read(app.store(), id).await.state),
            (6, BroadcastState::Draft)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_one_waits_for_a_second_person_and_one_approval_counts() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::manual(afternoon()), |scene| {
            scene.config.broadcast.approval_size = 5;
        })
        .await;
        app.import(CITY).await;
        let store = app.store();
        let author = first(store).await;
        let (id, confirmed) = send(
            &app,
            Actor::Worker(author.id),
            Audience::default(),
            chinese("停水"),
        )
        .await;
        assert_eq!(confirmed, Confirmed::Waits);
        let own = store
            .approve_broadcast(id, Actor::Worker(author.id), 6, afternoon())
            .await
            .expect("answers");
        assert!(!own, "never one's own");
        let mut approvers = Vec::new();
        for n in 0..20 {
            approvers.push(add(store, &author, &format!("同事{n}"), Role::Operator, "city").await);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for approver in approvers {
            let store = store.clone();
            tasks.spawn(async move {
                let actor = Actor::Worker(approver.id);
                store
                    .approve_broadcast(id, actor, 6, afternoon())
                    .await
                    .expect("answers")
            });
        }
        let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1, "twenty at once: one approves");
        let approved = read(store, id).await;
        assert_eq!(approved.state, BroadcastState::Sending);
        assert!(
            approved
                .approved_by
                .is_some_and(|by| by != Actor::Worker(author.id))
        );
        let (_, small) = send(
            &app,
            Actor::Worker(author.id),
            to(&["锦江区/春熙街道/银杏社区"]),
            chinese("停水"),
        )
        .await;
        assert_eq!(small, Confirmed::Sent);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_what_has_not_left_and_a_withdrawal_ends_it() {
    on_both(async |test| {
        let mut app = TestApp::set(test, Clock::manual(afternoon()), |scene| {
            scene.config.sms.smpp[0].parts_per_second = 20;
        })
        .await;
        app.import(&many(400)).await;
        app.start_service();
        app.smsc.bound().await;
        let actor = Actor::Owner;
        let (id, _) = send(&app, actor, Audience::default(), chinese("停水")).await;
        eventually("some have left", async || {
            (app.smsc.submitted().len() > 20).then_some(())
        })
        .await;
        let (store, now) = (app.store().clone(), app.clock.now());
        let from = broadcast::may_move_from(BroadcastState::Paused);
        let paused = store
            .move_broadcast(id, from, BroadcastState::Paused, actor, now)
            .await;
        assert!(paused.expect("answers"));
        eventually("what was in flight has ended", async || {
            let filter = DeliveryFilter::default();
            let counts = store.count_deliveries(&filter).await.expect("reads");
            let open = counts
                .iter()
                .any(|count| ["queued", "sending", "accepted"].contains(&count.state.as_str()));
            (!open).then_some(())
        })
        .await;
        let left = app.smsc.submitted().len();
        app.quiet().await;
        assert_eq!(
            app.smsc.submitted().len(),
            left,
            "nothing leaves while it is paused"
        );
        let again = store
            .move_broadcast(id, from, BroadcastState::Paused, actor, now)
            .await;
        assert!(!again.expect("answers"), "it is paused already");
        let from = broadcast::may_move_from(BroadcastState::Sending);
        assert!(
            store
                .move_broadcast(id, from, BroadcastState::Sending, actor, now)
                .await
                .expect("answers")
        );
        eventually("it goes on", async || {
            (app.smsc.submitted().len() > left + 5).then_some(())
        })
        .await;
        let from = broadcast::may_move_from(BroadcastState::Cancelled);
        assert!(
            store
                .move_broadcast(id, from, BroadcastState::Cancelled, actor, now)
                .await
                .expect("answers")
        );
        eventually("nothing is open", async || {
            (progress(&app, id).await.open == 0).then_some(())
        })
        .await;
        let result = progress(&app, id).await;
        assert!(result.cancelled > 0 && result.written < 401, "{result:?}");
        assert_eq!(result.arrived as usize, app.smsc.submitted().len());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pacing_and_an_incident_hold_it_back_but_not_one_that_makes_nobody_register() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let (store, now) = (app.store(), app.clock.now());
        store
            .set_pacing_by_hand(pacer::HELD, "owner", "test", now)
            .await
            .expect("writes");
        let (held, _) = send(&app, Actor::Owner, Audience::default(), chinese("请来采样")).await;
        let counted = count(&app, &Audience::default(), &chinese("停水")).await;
        let calm = NewBroadcast {
            calm: true,
            ..new(
                Actor::Owner,
                to(&["锦江区/春熙街道/银杏社区"]),
                chinese("停水"),
                BroadcastCount { people: 2, ..counted },
            )
        };
        let (calm, confirmed) = send_new(&app, calm).await;
        assert_eq!(confirmed, Confirmed::Sent);
        assert_eq!(ended(&app, calm).await.arrived, 2);
        assert_eq!(progress(&app, held).await.arrived, 0);
        store
            .set_pacing_by_hand("", "owner", "", now)
            .await
            .expect("writes");
        assert_eq!(ended(&app, held).await.arrived, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeating_one_runs_once_each_and_a_larger_audience_waits() {
    on_both(async |test| {
        let mut app = TestApp::start(test).await;
        app.import(CITY).await;
        let audience = to(&["锦江区/春熙街道/银杏社区"]);
        let counted = count(&app, &audience, &chinese("停水")).await;
        let daily = NewBroadcast {
            cron: Some("0 16 * * *".into()),
            ..new(Actor::Owner, audience, chinese("停水"), counted)
        };
        let (series, confirmed) = send_new(&app, daily).await;
        assert_eq!(
            (confirmed, read(app.store(), series).await.state),
            (Confirmed::Sent, BroadcastState::Active)
        );
        app.quiet().await;
        assert!(app.smsc.submitted().is_empty(), "not before its time");
        app.jump_to(afternoon() + minutes(61));
        eventually("the first run", async || {
            (app.smsc.submitted().len() == 2).then_some(())
        })
        .await;
        app.stop_service().await;
        app.start_service();
        app.quiet().await;
        assert_eq!(app.smsc.submitted().len(), 2, "a restart runs nothing again");
        // Down over the next day's run: it is left out.
        app.stop_service().await;
        app.jump_to(afternoon() + minutes(26 * 60));
        app.start_service();
        let runs = async || {
            let all = app.store().broadcasts().await.expect("reads");
            let mut runs: Vec<_> = all.into_iter().filter(|one| one.series == Some(series)).collect();
            runs.sort_by(|a, b| a.due.cmp(&b.due));
            runs.into_iter().map(|run| run.state).collect::<Vec<_>>()
        };
        eventually("the missed run is on record", async || {
            (runs().await.len() == 2).then_some(())
        })
        .await;
        assert_eq!(runs().await[1], BroadcastState::Skipped);
        assert_eq!(app.smsc.submitted().len(), 2);
        // More people than were confirmed: the next run waits.
        app.import("锦江区,春熙街道,银杏社区,1栋,1单元,103,新人,+8619900000009,zh-Hans,\n")
            .await;
        app.jump_to(afternoon() + minutes(49 * 60));
        eventually("the third run", async || (runs().await.len() == 3).then_some(())).await;
        assert_eq!(runs().await[2], BroadcastState::Waiting);
        app.quiet().await;
        assert_eq!(app.smsc.submitted().len(), 2, "it waits for a new approval");
        // With the repeating one its runs end, the waiting one too.
        let moved = app
            .store()
            .move_broadcast(
                series,
                &[BroadcastState::Active],
                BroadcastState::Cancelled,
                Actor::Owner,
                app.clock.now(),
            )
            .await;
        assert!(moved.expect("cancels"));
        assert_eq!(runs().await[2], BroadcastState::Cancelled);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_forgets_nobody_and_repeats_only_what_was_in_flight() {
    let app = TestApp::set(sqlite().await, Clock::System, |scene| {
        scene.config.sms.smpp[0].parts_per_second = 100;
    })
    .await;
    app.import(&many(600)).await;
    let folder = write_config(&app);
    let made = json(
        &folder,
        &[
            "broadcast",
            "new",
            "--to",
            "city",
            "--text",
            "zh-Hans=停水",
            "--confirm",
            "600",
        ],
    )
    .await;
    assert_eq!(made["state"], "sending");
    let id = BroadcastId(made["broadcast"].as_i64().expect("an id"));
    for left in [100, 300] {
        let serving = Serving::start(&folder, &[]);
        eventually("some have left", async || {
            (app.smsc.submitted().len() > left).then_some(())
        })
        .await;
        serving.kill(&app).await;
    }
    let serving = Serving::start(&folder, &[]);
    let result = ended(&app, id).await;
    assert_eq!((result.written, result.arrived, result.open), (600, 600, 0));
    let mut phones: Vec<String> = app.smsc.submitted().into_iter().map(|sent| sent.to).collect();
    let sent = phones.len();
    phones.sort();
    phones.dedup();
    assert_eq!(phones.len(), 600, "nobody is forgotten");
    // Two kills, each with at most what was claimed at that instant: 2 s of the rate in each of two dispatchers.
    assert!(sent - 600 <= 2 * 400, "{} repeats", sent - 600);
    serving.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn on_the_command_line_it_is_counted_confirmed_approved_and_reported() {
    let app = TestApp::start_with(sqlite().await, Clock::System, |_| {}).await;
    app.import(CITY).await;
    let folder = write_config(&app);
    let config = std::fs::read_to_string(folder.join("weir.toml")).expect("reads");
    let more = "[broadcast]\napproval_size = 3\nprice_per_part = 0.05\n";
    std::fs::write(folder.join("weir.toml"), format!("{config}{more}")).expect("written");
    for args in [
        vec!["worker", "add", "高敏", "--first"],
        vec![
            "worker",
            "add",
            "林霞",
            "--role",
            "coordinator",
            "--scope",
            "锦江区/春熙街道/梧桐社区",
            "--as",
            "高敏",
        ],
        vec![
            "worker", "add", "阿丽", "--role", "operator", "--scope", "city", "--as", "高敏",
        ],
    ] {
        json(&folder, &args).await;
    }
    let refuses = async |args: &[&str]| {
        let output = crate::binary::run(&folder, args).await;
        assert!(!output.status.success(), "{args:?}");
        crate::binary::err(&output)
    };
    let text = "zh-Hans=今天下午停水。";
    let said = refuses(&[
        "broadcast",
        "new",
        "--to",
        "锦江区",
        "--text",
        text,
        "--as",
        "林霞",
    ])
    .await;
    assert!(said.contains("锦江区"), "{said}");
    let said = refuses(&[
        "broadcast",
        "new",
        "--to",
        "武侯区",
        "--text",
        text,
        "--as",
        "林霞",
    ])
    .await;
    assert!(said.contains("nobody on the roster"), "{said}");
    let own = [
        "broadcast",
        "new",
        "--to",
        "锦江区/春熙街道/梧桐社区",
        "--text",
        text,
        "--as",
        "林霞",
    ];
    let draft = json(&folder, &own).await;
    assert_eq!(
        (&draft["state"], &draft["count"]["people"]),
        (&"draft".into(), &4.into())
    );
    assert_eq!(draft["missing_languages"], serde_json::json!(["en"]));
    assert!(
        draft["cost"]
            .as_f64()
            .is_some_and(|cost| (cost - 0.15).abs() < 1e-9)
    );
    let id = draft["broadcast"].to_string();
    let said = refuses(&["broadcast", "confirm", &id, "--count", "3", "--as", "林霞"]).await;
    assert!(said.contains("reaches 4 people"), "{said}");
    let waits = json(
        &folder,
        &["broadcast", "confirm", &id, "--count", "4", "--as", "林霞"],
    )
    .await;
    assert_eq!(waits["state"], "waiting");
    let said = refuses(&["broadcast", "approve", &id, "--as", "林霞"]).await;
    assert!(said.contains("operator"), "{said}");
    let approved = json(&folder, &["broadcast", "approve", &id, "--as", "高敏"]).await;
    assert_eq!(approved["state"], "sending");
    ended(&app, BroadcastId(id.parse().expect("an id"))).await;
    let report = json(
        &folder,
        &["broadcast", "report", &id, "--doors", "doors.csv", "--as", "林霞"],
    )
    .await;
    assert_eq!(
        (&report["progress"]["arrived"], &report["doors"]["people"]),
        (&3.into(), &1.into())
    );
    let operators = [
        "broadcast",
        "new",
        "--to",
        "city",
        "--text",
        text,
        "--confirm",
        "6",
        "--as",
        "高敏",
    ];
    let large = json(&folder, &operators).await;
    let id = large["broadcast"].to_string();
    let said = refuses(&["broadcast", "approve", &id, "--as", "高敏"]).await;
    assert!(said.contains("wrote"), "{said}");
    json(&folder, &["broadcast", "approve", &id, "--as", "阿丽"]).await;
    let daily = [
        "broadcast",
        "new",
        "--to",
        "锦江区/春熙街道/银杏社区",
        "--ready",
        "test",
        "--place",
        "梧桐广场",
        "--time",
        "14:00",
        "--cron",
        "0 8 * * MON-FRI",
        "--confirm",
        "2",
        "--as",
        "高敏",
    ];
    let id = json(&folder, &daily).await["broadcast"].to_string();
    let shown = json(&folder, &["broadcast", "show", &id]).await;
    assert_eq!(shown["state"], "active");
    assert_eq!(shown["next_runs"].as_array().map(Vec::len), Some(3));
    json(&folder, &["broadcast", "pause", &id, "--as", "高敏"]).await;
    assert_eq!(
        json(&folder, &["broadcast", "resume", &id, "--as", "高敏"]).await["state"],
        "active"
    );
    assert_eq!(
        json(&folder, &["broadcast", "cancel", &id, "--as", "高敏"]).await["state"],
        "cancelled"
    );
    let said = refuses(&["broadcast", "cancel", &id, "--as", "高敏"]).await;
    assert!(said.contains("cancelled"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_thing_makes_one_broadcast_and_its_units_come_in_order() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::manual(afternoon()), |_| {}).await;
        app.import(CITY).await;
        let store = app.store();
        let draft = new(
            Actor::Owner,
            Audience::default(),
            chinese("停水"),
            BroadcastCount::default(),
        );
        let one = store
            .draft_broadcast(&draft, afternoon())
            .await
            .expect("is written");
        let same = store
            .draft_broadcast(&draft, afternoon())
            .await
            .expect("is known");
        assert_eq!(
            (one, store.broadcast_of(&draft.origin).await.expect("reads")),
            (same, Some(one))
        );
        let all = store
            .broadcast_units(&Audience::default(), UnitId(0), 10)
            .await
            .expect("reads");
        assert_eq!(all.len(), 4);
        let rest = store
            .broadcast_units(&Audience::default(), all[1], 10)
            .await
            .expect("reads");
        assert_eq!(rest, all[2..]);
        let backup = app.test.folder.path().join("backup");
        store.backup(&backup, afternoon()).await.expect("is written");
        store.restore(&backup, afternoon()).await.expect("is put back");
        assert_eq!(read(store, one).await.words, draft.words);
        assert!(store.broadcasts_at_work().await.expect("reads").is_empty());
        assert!(store.broadcasts_to_report().await.expect("reads").is_empty());
    })
    .await;
}
