//! What workers do in their chats, over the real Bot API protocol: the wrong role beside the right one.

use weir::{
    clock::Clock,
    domain::{Actor, Address, BroadcastState, Button, ContactId, PhoneNumber, Role, Worker, WorkerId},
    store::{AuditFilter, Broadcast},
    workers::invitation,
};

use crate::{
    app::{TestApp, eventually, phone_number},
    support::{TestStore, minutes, on_both, sqlite},
    workers::{add, first},
};

const CITY: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,elderly\n\
锦江区,春熙街道,梧桐社区,2栋,1单元,101,李小明,+8619900000003,zh-Hans,\n\
锦江区,春熙街道,银杏社区,1栋,1单元,101,王伟,+8619900000002,en,\n";
const PLACE: &str = "锦江区/春熙街道/梧桐社区";

/// The data of a button of the chat's last message.
pub fn button(app: &TestApp, chat: i64, wanted: &str) -> String {
    let last = app.to_chat(chat).pop().expect("a message");
    button_of(&last.buttons, wanted)
}

pub fn button_of(buttons: &[Vec<Button>], wanted: &str) -> String {
    let found = buttons.iter().flatten().find_map(|button| match button {
        Button::Choice { label, data } if label.contains(wanted) => Some(data.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no button {wanted} in {buttons:?}"))
}

pub async fn press(app: &TestApp, chat: i64, data: &str, count: usize) -> Vec<String> {
    let before = app.to_chat(chat).len();
    app.bot_api.user_taps(chat, data);
    app.heard(chat, before, count).await
}

/// Taps the button that reads so; what is said then.
async fn tap(app: &TestApp, chat: i64, wanted: &str, count: usize) -> Vec<String> {
    press(app, chat, &button(app, chat, wanted), count).await
}

async fn link(app: &TestApp, worker: WorkerId, by: Actor, phone: &PhoneNumber) -> String {
    let token = invitation::token(rand::random());
    let new = invitation::new(worker, &token, phone.clone(), app.clock.now());
    app.store()
        .invite(&new, by, app.clock.now())
        .await
        .expect("is written down");
    token
}

/// A worker with a chat, which they came to by an invitation.
pub async fn in_chat(
    app: &TestApp,
    by: &Worker,
    (name, role, scope): (&str, Role, &str),
    chat: i64,
) -> Worker {
    let worker = if by.name == name {
        by.clone()
    } else {
        add(app.store(), by, name, role, scope).await
    };
    let phone = format!("+861990001{chat:04}");
    let token = link(app, worker.id, Actor::Worker(by.id), &phone_number(&phone)).await;
    let said = app.ask(chat, &format!("/start {token}"), 1).await;
    assert!(said[0].contains("邀请您成为工作人员"), "{said:?}");
    let before = app.to_chat(chat).len();
    app.bot_api
        .user_shares_contact(chat, phone.trim_start_matches('+'), true);
    let said = app.heard(chat, before, 1).await;
    assert!(said[0].contains(name) && said[0].contains("欢迎"), "{said:?}");
    app.store()
        .worker(worker.id)
        .await
        .expect("reads")
        .expect("is there")
}

pub async fn city(test: TestStore) -> (TestApp, Worker) {
    let app = TestApp::start(test).await;
    app.import(CITY).await;
    let operator = first(app.store()).await;
    let operator = in_chat(&app, &operator, ("高敏", Role::Operator, "city"), 1).await;
    (app, operator)
}

async fn contact(app: &TestApp, chat: i64) -> ContactId {
    let found = app
        .store()
        .find_contact(&Address::Chat(chat))
        .await
        .expect("reads");
    found.expect("is known")
}

async fn newest(app: &TestApp) -> Broadcast {
    let all = app.store().broadcasts().await.expect("reads");
    all.into_iter().next_back().expect("there is one")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_asks_for_the_invited_phone_and_the_inviter_can_undo_it() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        let worker = add(app.store(), &operator, "小王", Role::Worker, PLACE).await;
        let phone = phone_number("+8619900020001");
        let token = link(&app, worker.id, Actor::Worker(operator.id), &phone).await;
        let gone = app.ask(20, "/start w_madeup", 1).await;
        assert!(gone[0].contains("已失效"), "{gone:?}");
        app.ask(20, &format!("/start {token}"), 1).await;
        // Somebody else's card is no proof, and another phone is not the invited one.
        let before = app.to_chat(20).len();
        app.bot_api.user_shares_contact(20, "8619900020001", false);
        let said = app.heard(20, before, 1).await;
        assert!(said[0].contains("请用下面的按钮"), "{said:?}");
        let before = app.to_chat(20).len();
        app.bot_api.user_shares_contact(20, "8619900020002", true);
        let said = app.heard(20, before, 1).await;
        assert!(said[0].contains("不是被邀请的号码"), "{said:?}");
        assert_eq!(
            app.store()
                .worker_of_contact(contact(&app, 20).await)
                .await
                .expect("reads"),
            None
        );
        app.ask(20, &format!("/start {token}"), 1).await;
        let (before, told) = (app.to_chat(20).len(), app.to_chat(1).len());
        app.bot_api.user_shares_contact(20, "8619900020001", true);
        app.heard(20, before, 1).await;
        let said = app.heard(1, told, 1).await;
        assert!(said[0].contains("小王接受了您的邀请"), "{said:?}");
        let undo = button(&app, 1, "撤销");
        // The same link again, from another chat.
        let again = app.ask(21, &format!("/start {token}"), 1).await;
        assert!(again[0].contains("已失效"), "{again:?}");
        assert!(app.ask(20, "/duty", 1).await[0].contains("您已上班"));
        // Its button, pressed by the invited one, does nothing.
        press(&app, 20, &undo, 1).await;
        assert!(
            app.store()
                .worker_of_contact(contact(&app, 20).await)
                .await
                .expect("reads")
                .is_some()
        );
        let said = press(&app, 1, &undo, 1).await;
        assert!(said[0].contains("已撤销"), "{said:?}");
        assert_eq!(
            app.store()
                .worker_of_contact(contact(&app, 20).await)
                .await
                .expect("reads"),
            None
        );
    })
    .await;
}

/// From the command to the count: how many taps it took. The command counts as one.
async fn write(app: &TestApp, chat: i64, taps: &[&str], text: &str) -> usize {
    app.ask(chat, "/broadcast", 1).await;
    for wanted in taps {
        tap(app, chat, wanted, 1).await;
    }
    app.ask(chat, text, 1).await;
    tap(app, chat, "数人数", 2).await;
    1 + taps.len() + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_writes_to_a_building_in_at_most_eight_taps() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        in_chat(&app, &operator, ("林霞", Role::Coordinator, PLACE), 2).await;
        let taps = write(&app, 2, &["全部", "所有人"], "今天下午停水。").await;
        assert!(taps <= 8, "{taps}");
        let said = app.to_chat(2).pop().expect("a count");
        assert!(said.text.contains("共2人会看到,2条消息"), "{}", said.text);
        assert!(
            app.smsc.submitted().is_empty(),
            "nobody is told before it is confirmed"
        );
        let wrong = app.ask(2, "3", 1).await;
        assert!(wrong[0].contains("没有发出"), "{wrong:?}");
        assert!(app.smsc.submitted().is_empty());
        let sent = app.ask(2, "2人", 1).await;
        assert!(sent[0].contains("正在发出"), "{sent:?}");
        eventually("both are told", async || {
            (app.smsc.submitted().len() == 2).then_some(())
        })
        .await;
        let report = eventually("the report", async || {
            app.to_chat(2)
                .into_iter()
                .find(|sent| sent.text.contains("已发完"))
        })
        .await;
        assert!(report.text.contains("送到2"), "{}", report.text);

        // An operator for the whole city, down to one building: the longest way there is.
        let taps = write(
            &app,
            1,
            &["锦江区", "春熙街道", "银杏社区", "1栋", "全部", "所有人"],
            "停水",
        )
        .await;
        assert!(taps <= 8, "{taps}");
        let said = app.to_chat(1).pop().expect("a count");
        assert!(said.text.contains("没有English的内容:1位读者"), "{}", said.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_tells_how_far_it_is_and_is_edited_in_place() {
    on_both(async |test| {
        let app = TestApp::start_with(test, Clock::manual(crate::app::afternoon()), |scene| {
            scene.config.sms.smpp[0].parts_per_second = 30;
        })
        .await;
        let operator = first(app.store()).await;
        in_chat(&app, &operator, ("高敏", Role::Operator, "city"), 1).await;
        app.import(&crate::round::many(300)).await;
        write(&app, 1, &["锦江区", "全部", "所有人"], "停水").await;
        app.ask(1, "300", 1).await;
        let progress = app.to_chat(1).pop().expect("the progress");
        let messages = app.to_chat(1).len();
        let now = async || {
            let sent = app
                .to_chat(1)
                .into_iter()
                .find(|sent| sent.message_id == progress.message_id);
            sent.expect("it stays")
        };
        let edited = eventually("it is edited", async || {
            let sent = now().await;
            (sent.text != progress.text).then_some(sent)
        })
        .await;
        assert!(
            edited.text.contains("正在发出") && !edited.buttons.is_empty(),
            "{}",
            edited.text
        );
        assert_eq!(app.to_chat(1).len(), messages, "no new message");
        app.bot_api.user_taps(1, &button_of(&edited.buttons, "暂停"));
        eventually("it says that it is paused", async || {
            now().await.text.contains("已暂停").then_some(())
        })
        .await;
        app.bot_api.user_taps(1, &button_of(&now().await.buttons, "继续"));
        eventually("it says how it ended", async || {
            now().await.text.contains("已发完").then_some(())
        })
        .await;
        assert!(now().await.text.contains("送到300"), "{}", now().await.text);
        assert!(now().await.buttons.is_empty(), "nothing is left to press");
        app.no_reply_open().await;
        assert_eq!(
            app.to_chat(1).len(),
            messages + 1,
            "beside it only the closing report"
        );
        assert_eq!(app.bot_api.throttled(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_role_is_refused_whatever_button_it_presses() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        in_chat(&app, &operator, ("看客", Role::Viewer, "city"), 2).await;
        in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 3).await;
        let coordinator = in_chat(&app, &operator, ("林霞", Role::Coordinator, PLACE), 4).await;
        for (chat, word) in [(2, "需要协调员来做"), (3, "需要协调员来做")] {
            let said = app.ask(chat, "/broadcast", 1).await;
            assert!(said[0].contains(word), "{said:?}");
        }
        assert!(app.ask(2, "/duty", 1).await[0].contains("需要工作人员来做"));
        assert!(app.ask(2, "/today", 1).await[0].contains("放行节奏"));
        assert!(app.ask(4, "/broadcast", 1).await[0].contains("发给哪里"));
        // A stranger's command is for the conversation, and made-up data does nothing for them.
        let said = app.ask(9, "/broadcast", 1).await;
        assert!(!said[0].contains("发给哪里"), "{said:?}");
        let said = press(&app, 9, "w:ok:1", 1).await;
        assert!(said[0].contains("不在工作人员名单"), "{said:?}");

        write(&app, 1, &["锦江区", "全部", "所有人"], "停水").await;
        app.ask(1, "3", 1).await;
        let id = newest(&app).await.id;
        eventually("it is done", async || {
            (newest(&app).await.state == BroadcastState::Done).then_some(())
        })
        .await;
        // Another's broadcast, of a wider area: neither forged nor forwarded buttons pause or approve it.
        for (what, word) in [
            ("end", "不在您负责的范围"),
            ("hold", "不在您负责的范围"),
            ("ok", "需要值班负责人来做"),
        ] {
            let said = press(&app, 4, &format!("w:{what}:{id}"), 1).await;
            assert!(said[0].contains(word), "{what}: {said:?}");
        }
        for data in [
            "w:",
            "w:d",
            "w:d:1:in0",
            "w:d:x:all",
            "w:ok:999",
            "w:ok:x",
            "w:undo:1",
            "w:what:1",
            "w:end:-1",
        ] {
            let said = press(&app, 4, data, 1).await;
            assert!(said[0].contains("过时"), "{data}: {said:?}");
        }
        let log = app
            .store()
            .audit_rows(
                &AuditFilter {
                    who: Some(Actor::Worker(coordinator.id)),
                    what: "refused".into(),
                    since: None,
                },
                None,
                10,
            )
            .await;
        assert_eq!(log.expect("reads").len(), 3, "what was tried is on record");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_worker_loses_all_at_once_and_an_old_button_does_nothing() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        let coordinator = in_chat(&app, &operator, ("林霞", Role::Coordinator, PLACE), 2).await;
        app.ask(2, "/broadcast", 1).await;
        let old = button(&app, 2, "全部");
        app.ask(2, "/broadcast", 1).await;
        let said = press(&app, 2, &old, 1).await;
        assert!(said[0].contains("过时"), "a button of an earlier draft: {said:?}");
        app.ask(2, "/broadcast", 1).await;
        tap(&app, 2, "全部", 1).await;
        tap(&app, 2, "所有人", 1).await;
        app.ask(2, "停水", 1).await;
        let count = button(&app, 2, "数人数");
        press(&app, 2, &count, 2).await;
        let now = app.clock.now();
        let removed = app
            .store()
            .remove_worker(coordinator.id, Actor::Worker(operator.id), now)
            .await;
        assert!(removed.expect("removes"));
        let before = newest(&app).await;
        let typed = app.ask(2, "2", 1).await;
        assert!(!typed[0].contains("正在发出"), "{typed:?}");
        for data in [count.as_str(), &format!("w:ok:{}", before.id), "w:show:1"] {
            let said = press(&app, 2, data, 1).await;
            assert!(said[0].contains("不在工作人员名单"), "{said:?}");
        }
        assert_eq!(newest(&app).await.state, BroadcastState::Draft);
        assert!(app.smsc.submitted().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_one_is_approved_by_another_and_by_one_of_twenty() {
    let app = TestApp::start_with(sqlite().await, Clock::manual(crate::app::afternoon()), |scene| {
        scene.config.broadcast.approval_size = 2;
    })
    .await;
    app.import(CITY).await;
    let operator = first(app.store()).await;
    let operator = in_chat(&app, &operator, ("高敏", Role::Operator, "city"), 1).await;
    for chat in 101..121 {
        in_chat(
            &app,
            &operator,
            (&format!("同事{chat}"), Role::Operator, "city"),
            chat,
        )
        .await;
    }
    // Who invited hears of each; the last of these must not be taken for the next answer.
    eventually("the inviter hears of all", async || {
        let heard = app.to_chat(1);
        (101..121)
            .all(|chat| {
                heard
                    .iter()
                    .any(|sent| sent.text.contains(&format!("同事{chat}")))
            })
            .then_some(())
    })
    .await;
    write(&app, 1, &["锦江区", "全部", "所有人"], "停水").await;
    let waits = app.ask(1, "3", 1).await;
    assert!(waits[0].contains("等另一位同事批准"), "{waits:?}");
    let waiting = newest(&app).await;
    assert_eq!(waiting.state, BroadcastState::Waiting);
    let asked = app.to_chat(101).pop().expect("is asked");
    assert!(asked.text.contains("等您批准"), "{}", asked.text);
    let own = press(&app, 1, &format!("w:ok:{}", waiting.id), 1).await;
    assert!(own[0].contains("要由别人批准"), "{own:?}");
    let before: Vec<usize> = (101..121).map(|chat| app.to_chat(chat).len()).collect();
    for chat in 101..121 {
        app.bot_api.user_taps(chat, &format!("w:ok:{}", waiting.id));
    }
    let (mut won, mut late) = (0, 0);
    for (chat, before) in (101..121).zip(before) {
        let said = app.heard(chat, before, 2).await;
        won += usize::from(said[0].contains("已批准"));
        late += usize::from(said[0].contains("已经有结果"));
    }
    assert_eq!((won, late), (1, 19), "no double action");
    let log = app
        .store()
        .audit_rows(
            &AuditFilter {
                what: "broadcast.approve".into(),
                ..AuditFilter::default()
            },
            None,
            50,
        )
        .await;
    assert_eq!(log.expect("reads").len(), 1);
    eventually("all are told", async || {
        (app.smsc.submitted().len() == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_loses_no_step() {
    on_both(async |test| {
        let (mut app, operator) = city(test).await;
        in_chat(&app, &operator, ("林霞", Role::Coordinator, PLACE), 2).await;
        app.ask(2, "/broadcast", 1).await;
        for wanted in ["全部", "所有人"] {
            app.stop_service().await;
            app.start_service();
            tap(&app, 2, wanted, 1).await;
        }
        app.stop_service().await;
        app.start_service();
        app.ask(2, "停水", 1).await;
        app.stop_service().await;
        app.start_service();
        tap(&app, 2, "数人数", 2).await;
        app.stop_service().await;
        app.start_service();
        let sent = app.ask(2, "2", 1).await;
        assert!(sent[0].contains("正在发出"), "{sent:?}");
        eventually("both are told", async || {
            (app.smsc.submitted().len() == 2).then_some(())
        })
        .await;
        app.quiet().await;
        assert_eq!(app.store().broadcasts().await.expect("reads").len(), 1);
        // What was left in the middle is not taken for words half an hour later.
        app.ask(2, "/broadcast", 1).await;
        tap(&app, 2, "全部", 1).await;
        tap(&app, 2, "所有人", 1).await;
        app.jump_to(app.clock.now() + minutes(31));
        let said = app.ask(2, "今天几点做核酸", 1).await;
        assert!(!said[0].contains("已写好"), "{said:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_texts_tests_and_the_menu_of_each_role() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        let viewer = in_chat(&app, &operator, ("看客", Role::Viewer, "city"), 2).await;
        let names = |chat: i64| {
            let menu = app.bot_api.commands(&format!("chat {chat}"))?;
            let names = menu
                .as_array()?
                .iter()
                .filter_map(|one| one["command"].as_str())
                .map(str::to_owned);
            Some(names.collect::<Vec<_>>())
        };
        let menu = eventually("the operator's menu", async || names(1)).await;
        assert_eq!(menu[..5], ["today", "duty", "inbox", "visits", "broadcast"]);
        assert!(menu.contains(&"window".to_owned()));
        let menu = eventually("the viewer's menu", async || names(2)).await;
        assert!(menu.contains(&"today".to_owned()) && !menu.contains(&"broadcast".to_owned()));
        app.store()
            .remove_worker(viewer.id, Actor::Worker(operator.id), app.clock.now())
            .await
            .expect("removes");
        eventually("the menu is everybody's again", async || {
            names(2).is_none().then_some(())
        })
        .await;

        app.ask(1, "/broadcast", 1).await;
        tap(&app, 1, "锦江区", 1).await;
        tap(&app, 1, "全部", 1).await;
        tap(&app, 1, "老人", 1).await;
        tap(&app, 1, "现成的内容", 1).await;
        tap(&app, 1, "采样安排", 1).await;
        let again = app.ask(1, "梧桐广场", 1).await;
        assert!(again[0].contains("请填空"), "{again:?}");
        let written = app.ask(1, "梧桐广场\n下午2点到4点", 1).await;
        assert!(written[0].contains("简体中文, 繁體中文, English"), "{written:?}");
        let said = tap(&app, 1, "数人数", 4).await;
        assert!(
            said.last().is_some_and(|said| said.contains("共1人会看到")),
            "{said:?}"
        );
        let said = tap(&app, 1, "先发给我看看", 7).await;
        assert!(
            said.iter()
                .any(|said| said.contains("【社区通知】核酸采样:下午2点到4点,梧桐广场")),
            "{said:?}"
        );
        tap(&app, 1, "不发了", 1).await;
        assert_eq!(newest(&app).await.state, BroadcastState::Cancelled);
    })
    .await;
}

const TEAM: &str = "第一队";

/// A visit that is scheduled for a team of one.
async fn scheduled(app: &TestApp, member: &Worker) -> weir::domain::VisitId {
    use weir::domain::{Team, TeamId, VisitBy, VisitFor, Visitor, VisitorRole};
    let (store, now) = (app.store(), app.clock.now());
    let team = Team {
        id: TeamId(0),
        name: TEAM.into(),
        areas: Vec::new(),
        opens: crate::app::hour(0),
        closes: crate::app::hour(23),
        breaks: Vec::new(),
        visits_per_hour: 4,
        members: vec![Visitor {
            name: member.name.clone(),
            role: VisitorRole::Nurse,
            worker: Some(member.id.0),
        }],
        removed: false,
    };
    store.add_team(&team, now).await.expect("adds").expect("is new");
    let unit = store.units().await.expect("reads");
    let unit = unit
        .iter()
        .find(|unit| unit.place.community == "梧桐社区")
        .expect("a unit");
    let texts = weir::i18n::Texts::load().expect("texts");
    let teller =
        weir::i18n::visits::VisitTeller::new(&texts, &app.config, weir::channels::sms::segment::parts);
    let new = weir::store::NewVisit {
        key: "typed:1".into(),
        unit: unit.unit,
        door: "101".into(),
        asker: None,
        for_whom: VisitFor::Neighbour,
        name: "陈桂英".into(),
        people: 1,
        reason: "骨折".into(),
        access: "电梯坏了".into(),
        phone: Some(phone_number("+8619900000001")),
        wish: None,
        urgent: true,
        by: VisitBy::coordinator("owner"),
        quiet: false,
        chance: 7,
    };
    let (weir::store::Asked::New(visit) | weir::store::Asked::Known(visit)) =
        store.ask_visit(&new, &teller, now).await.expect("asks");
    eventually("a time is found", async || {
        let visit = store.visit(visit.id).await.expect("reads")?;
        (visit.state == weir::domain::VisitState::Scheduled).then_some(())
    })
    .await;
    visit.id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_goes_from_its_list_to_done_and_the_slower_of_two_is_told() {
    let (app, operator) = city(sqlite().await).await;
    let nurse = in_chat(&app, &operator, ("王护士", Role::Worker, PLACE), 2).await;
    in_chat(
        &app,
        &operator,
        ("小钱", Role::Worker, "锦江区/春熙街道/银杏社区"),
        3,
    )
    .await;
    in_chat(&app, &operator, ("林霞", Role::Coordinator, PLACE), 4).await;
    let visit = scheduled(&app, &nurse).await;
    let said = app.ask(2, "/visits", 1).await;
    for word in [
        "梧桐社区",
        "101",
        "陈桂英",
        "+8619900000001",
        "电梯坏了",
        "到门口请报",
    ] {
        assert!(said[0].contains(word), "{word}: {said:?}");
    }
    assert!(app.ask(3, "/visits", 1).await[0].contains("没有您要做的"));
    let set_out = button(&app, 2, "出发");
    // Another community's worker with the same button: refused.
    let refused = press(&app, 3, &set_out, 1).await;
    assert!(refused[0].contains("不在您负责的范围"), "{refused:?}");
    let before = app.to_phone("+8619900000001").len();
    let said = press(&app, 2, &set_out, 1).await;
    assert!(said[0].contains("到门口请报"), "{said:?}");
    eventually("the resident hears that they are on their way", async || {
        (app.to_phone("+8619900000001").len() > before).then_some(())
    })
    .await;
    // The same button, by somebody else, who saw an older state.
    let said = press(&app, 4, &set_out, 2).await;
    assert!(said[0].contains("别人刚刚改过"), "{said:?}");
    tap(&app, 2, "已采样", 1).await;
    let done = app.store().visit(visit).await.expect("reads").expect("is there");
    assert_eq!(done.state, weir::domain::VisitState::Done);
    for data in [
        "w:v:",
        "w:v:accept",
        "w:v:accept:x:1",
        "w:v:cancel:1:1",
        "w:v:no-what:1:1",
    ] {
        let said = press(&app, 2, data, 1).await;
        assert!(said[0].contains("过时"), "{data}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_on_its_way_hears_that_a_visit_is_called_off() {
    let (app, operator) = city(sqlite().await).await;
    let nurse = in_chat(&app, &operator, ("王护士", Role::Worker, PLACE), 2).await;
    let visit = scheduled(&app, &nurse).await;
    app.ask(2, "/visits", 1).await;
    tap(&app, 2, "出发", 1).await;
    let texts = weir::i18n::Texts::load().expect("texts");
    let teller =
        weir::i18n::visits::VisitTeller::new(&texts, &app.config, weir::channels::sms::segment::parts);
    let by = weir::domain::VisitBy::coordinator("owner");
    let change = weir::store::VisitChange::new(visit, weir::domain::VisitAct::Cancel, by);
    let before = app.to_chat(2).len();
    app.store()
        .act_on_visit(&change, &teller, app.clock.now())
        .await
        .expect("cancels");
    let said = app.heard(2, before, 1).await;
    assert!(said[0].contains("取消了,请不要去"), "{said:?}");
}
