//! Residents ask for a visit at home, see who comes, change it and call it off: over the real protocols.

use weir::{
    channels::sms::segment,
    domain::{
        Button, Role, Team, TeamId, Visit, VisitAct, VisitBy, VisitFor, VisitState, Visitor, VisitorRole,
        Worker,
    },
    i18n::{Texts, visits::VisitTeller},
    store::{VisitChange, VisitFilter},
};

use crate::{
    app::{TestApp, eventually, hour, phone_number},
    desks::{city, in_chat, press},
    support::{on_both, sqlite},
};

/// On the roster of [`city`]: 李小明, alone at 2栋1单元101 of 梧桐社区, by SMS.
const AT_HOME: &str = "+8619900000003";
/// On no roster.
const STRANGER: &str = "+8619900000070";
const PLACE: &str = "锦江区/春熙街道/梧桐社区";

async fn team(app: &TestApp, member: Option<&Worker>) {
    let team = Team {
        id: TeamId(0),
        name: "第一队".into(),
        areas: Vec::new(),
        opens: hour(0),
        closes: hour(23),
        breaks: Vec::new(),
        visits_per_hour: 4,
        members: vec![Visitor {
            name: "王护士".into(),
            role: VisitorRole::Nurse,
            worker: member.map(|worker| worker.id.0),
        }],
        removed: false,
    };
    let added = app.store().add_team(&team, app.clock.now()).await;
    added.expect("adds").expect("is new");
}

async fn visits(app: &TestApp) -> Vec<Visit> {
    let filter = VisitFilter::default();
    app.store().visits(&filter).await.expect("reads")
}

async fn only_visit(app: &TestApp) -> Visit {
    let mut all = visits(app).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn staff(app: &TestApp, act: VisitAct) {
    let texts = Texts::load().expect("texts");
    let teller = VisitTeller::new(&texts, &app.config, segment::parts);
    let change = VisitChange::new(only_visit(app).await.id, act, VisitBy::coordinator("owner"));
    let done = app
        .store()
        .act_on_visit(&change, &teller, app.clock.now())
        .await
        .expect("answers");
    assert!(matches!(done, weir::store::VisitAnswer::Done(_)), "{done:?}");
}

/// The four digits that a text message asks back.
fn code(text: &str) -> String {
    let from = text.find("请回复").expect("asks for a reply") + "请回复".len();
    let code: String = text[from..].chars().take(4).collect();
    assert!(code.chars().all(|c| c.is_ascii_digit()), "{text}");
    code
}

/// What a phone is sent after its first `before` messages, once `count` are there.
async fn texted(app: &TestApp, phone: &str, before: usize, count: usize) -> Vec<String> {
    eventually(&format!("{count} text messages"), async || {
        let sent = app.to_phone(phone);
        (sent.len() >= before + count).then(|| sent.into_iter().skip(before).map(|sent| sent.text).collect())
    })
    .await
}

fn button(app: &TestApp, chat: i64, label: &str) -> String {
    let last = app.to_chat(chat).pop().expect("a message");
    let found = last.buttons.iter().flatten().find_map(|button| match button {
        Button::Choice { label: shown, data } if shown.contains(label) => Some(data.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no button {label} in {:?}", last.buttons))
}

async fn tap(app: &TestApp, chat: i64, label: &str) -> String {
    let said = press(app, chat, &button(app, chat, label), 1).await;
    said.last().expect("an answer").clone()
}

/// On the way, and done, by the buttons of the nurse's list.
async fn the_nurse_comes(app: &TestApp, visit: &Visit) {
    let said = app.ask(2, "/visits", 1).await;
    assert!(said[0].contains("李小明") && said[0].contains("有狗"), "{said:?}");
    let before = app.to_phone(AT_HOME).len();
    tap(app, 2, "出发").await;
    let told = texted(app, AT_HOME, before, 1).await;
    assert!(
        told[0].contains("已经出发") && told[0].contains(&visit.door_code),
        "{told:?}"
    );
    let before = app.to_phone(AT_HOME).len();
    tap(app, 2, "已采样").await;
    let told = texted(app, AT_HOME, before, 1).await;
    assert!(told[0].contains("已经做完"), "{told:?}");
    assert_eq!(only_visit(app).await.state, VisitState::Done);
    for sent in app.to_phone(AT_HOME) {
        assert!(sent.parts <= 2, "{} parts: {}", sent.parts, sent.text);
    }
}

/// The resident has nothing but text messages; the nurse works in Telegram. In the middle the service is restarted, and
/// two answers are written at once.
#[tokio::test(flavor = "multi_thread")]
async fn by_text_message_alone_from_the_first_word_to_done() {
    on_both(async |test| {
        let (mut app, operator) = city(test).await;
        let nurse = in_chat(&app, &operator, ("王护士", Role::Worker, PLACE), 2).await;

        let said = app.text(AT_HOME, "上门", 1).await;
        assert!(
            said[0].contains("给谁上门采样") && said[0].contains("1 李*明"),
            "{said:?}"
        );
        let said = app.text(AT_HOME, "1", 1).await;
        assert!(said[0].contains("为什么不方便"), "{said:?}");
        app.stop_service().await;
        let before = app.to_phone(AT_HOME).len();
        app.start_service();
        app.smsc.bound().await;
        // Both before the first is answered: why, and when.
        for text in ["腿摔断了，下不了楼", "都可以"] {
            app.smsc.deliver_text(AT_HOME, text).await.expect("it is taken");
        }
        let said = texted(&app, AT_HOME, before, 2).await;
        assert!(said[0].contains("什么时候方便"), "{said:?}");
        assert!(said[1].contains("上门要注意什么"), "{said:?}");
        let said = app.text(AT_HOME, "没有电梯", 1).await;
        for word in ["李*明", "2栋1单元 101", "腿摔断了", "都可以", "没有电梯"] {
            assert!(said[0].contains(word), "{word}: {said:?}");
        }
        assert!(
            visits(&app).await.is_empty(),
            "nothing is asked for before the code"
        );
        let said = app.text(AT_HOME, &code(&said[0]), 1).await;
        assert!(said[0].contains("已受理"), "{said:?}");

        // A team is there: who comes, when, and how to know them.
        let before = app.to_phone(AT_HOME).len();
        team(&app, Some(&nurse)).await;
        let told = texted(&app, AT_HOME, before, 1).await;
        let visit = only_visit(&app).await;
        for word in ["王护士(护士)", &visit.door_code, "9月3日"] {
            assert!(told[0].contains(word), "{word}: {told:?}");
        }
        assert_eq!(
            (visit.name.as_str(), visit.access.as_str(), visit.proven),
            ("李小明", "没有电梯", true)
        );
        assert_eq!(visit.phone, Some(phone_number(AT_HOME)));

        // Another phone to call: only with the code.
        let said = app.text(AT_HOME, "上门", 1).await;
        assert!(
            said[0].contains(&visit.door_code) && said[0].contains("2 改电话"),
            "{said:?}"
        );
        app.text(AT_HOME, "3", 1).await;
        let said = app.text(AT_HOME, "没有电梯，有狗", 1).await;
        assert_eq!(only_visit(&app).await.access, "没有电梯");
        let said = app.text(AT_HOME, &code(&said[0]), 1).await;
        assert!(said[0].contains("改好了"), "{said:?}");
        assert_eq!(only_visit(&app).await.access, "没有电梯，有狗");

        the_nurse_comes(&app, &visit).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_fills_a_request_with_one_sentence_and_is_called_back() {
    on_both(async |test| {
        let (app, _) = city(test).await;
        // A chat that is linked to nobody, for a neighbour whose household has said nothing.
        let said = app
            .ask(800, "邻居李小明，走不动，梧桐社区2栋1单元101，请上门", 1)
            .await;
        assert!(said[0].contains("什么时候方便"), "{said:?}");
        tap(&app, 800, "都可以").await;
        let said = app.ask(800, "19900000070", 1).await;
        assert!(
            said[0].contains("请核对") && said[0].contains("李小明"),
            "{said:?}"
        );
        let said = tap(&app, 800, "提交").await;
        assert!(said.contains("先给您打电话"), "{said}");
        let visit = only_visit(&app).await;
        assert_eq!((visit.state, visit.proven), (VisitState::Asked, false));
        assert_eq!(visit.for_whom, VisitFor::Neighbour);
        assert!(
            app.to_phone(AT_HOME).is_empty() && app.to_phone(STRANGER).is_empty(),
            "nobody else is told"
        );

        // They see it, and change the time; another chat can do nothing with its number.
        let said = app.ask(800, "上门", 1).await;
        assert!(!said[0].contains(&visit.door_code), "{said:?}");
        tap(&app, 800, "改时间").await;
        let said = tap(&app, 800, "明天上午").await;
        assert!(said.contains("改好了"), "{said}");
        assert!(only_visit(&app).await.wish.is_some());
        app.ask(801, "/start", 1).await;
        for act in ["cancel", "move", "show", "again"] {
            press(&app, 801, &format!("v:{act}:{}", visit.id), 1).await;
        }
        press(&app, 801, "v:when:any_time", 1).await;
        let now = only_visit(&app).await;
        assert_eq!((now.state, now.wish.is_some()), (VisitState::Asked, true));

        // One tap calls it off.
        app.ask(800, "上门", 1).await;
        let said = tap(&app, 800, "取消上门").await;
        assert!(said.contains("已经取消"), "{said}");
        assert_eq!(only_visit(&app).await.state, VisitState::Cancelled);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_finished_request_waits_over_a_restart_and_is_asked_for_once() {
    on_both(async |test| {
        let (mut app, _) = city(test).await;
        app.text(AT_HOME, "上门", 1).await;
        app.text(AT_HOME, "1", 1).await;
        // Something else in between: it is answered, and the request offered again.
        let said = app.text(AT_HOME, "我的时段", 2).await;
        assert!(
            said.iter().any(|text| text.contains("接着写，请回复：上门")),
            "{said:?}"
        );
        app.text(AT_HOME, "人工", 1).await;
        app.smsc
            .deliver_text(AT_HOME, "你们在吗")
            .await
            .expect("it is taken");
        app.no_reply_open().await;
        app.stop_service().await;
        app.start_service();
        app.smsc.bound().await;
        let said = app.text(AT_HOME, "结束", 1).await;
        assert!(said[0].contains("上门申请还没提交"), "{said:?}");
        let said = app.text(AT_HOME, "上门", 1).await;
        assert!(said[0].contains("为什么不方便"), "{said:?}");
        app.text(AT_HOME, "2", 1).await;
        app.text(AT_HOME, "4", 1).await;
        let said = app.text(AT_HOME, "没有", 1).await;
        let sent = code(&said[0]);
        app.text(AT_HOME, &sent, 1).await;
        assert_eq!(only_visit(&app).await.reason, "长期卧床");
        // The household asks again: it has one, and is told how that stands.
        app.text(AT_HOME, "上门", 1).await;
        let said = app.text(AT_HOME, "5", 1).await;
        assert!(said[0].contains("给谁上门"), "{said:?}");
        for text in ["1", "1", "4"] {
            app.text(AT_HOME, text, 1).await;
        }
        let said = app.text(AT_HOME, "没有", 1).await;
        let said = app.text(AT_HOME, &code(&said[0]), 1).await;
        assert!(said[0].contains("已经有一次"), "{said:?}");
        assert_eq!(only_visit(&app).await.state, VisitState::Accepted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_met_asks_again_and_by_text_message_nothing_is_called_off_without_the_code() {
    let (app, _) = city(sqlite().await).await;
    app.text(AT_HOME, "上门", 1).await;
    for text in ["1", "1", "4"] {
        app.text(AT_HOME, text, 1).await;
    }
    let said = app.text(AT_HOME, "没有", 1).await;
    app.text(AT_HOME, &code(&said[0]), 1).await;
    let before = app.to_phone(AT_HOME).len();
    team(&app, None).await;
    texted(&app, AT_HOME, before, 1).await;
    staff(&app, VisitAct::SetOut).await;
    texted(&app, AT_HOME, before, 2).await;
    staff(&app, VisitAct::NotMeet).await;
    texted(&app, AT_HOME, before, 3).await;
    let said = app.text(AT_HOME, "上门", 1).await;
    assert!(
        said[0].contains("没有见到人") && said[0].contains("1 再约一次"),
        "{said:?}"
    );
    let said = app.text(AT_HOME, "1", 1).await;
    assert_eq!(only_visit(&app).await.state, VisitState::Missed);
    let before = app.to_phone(AT_HOME).len();
    app.text(AT_HOME, &code(&said[0]), 1).await;
    // It is planned again at once, and that is told.
    texted(&app, AT_HOME, before, 2).await;
    assert_eq!(only_visit(&app).await.state, VisitState::Scheduled);
    let said = app.text(AT_HOME, "上门", 1).await;
    assert!(said[0].contains("4 取消上门"), "{said:?}");
    let said = app.text(AT_HOME, "4", 1).await;
    let right = code(&said[0]);
    let wrong = if right == "1111" { "2222" } else { "1111" };
    let said = app.text(AT_HOME, wrong, 1).await;
    assert!(said[0].contains("确认码不对"), "{said:?}");
    assert_eq!(only_visit(&app).await.state, VisitState::Scheduled);
    let said = app.text(AT_HOME, &right, 1).await;
    assert!(said[0].contains("已取消"), "{said:?}");
    assert_eq!(only_visit(&app).await.state, VisitState::Cancelled);
}

/// A second person of one home is sampled on the same visit, and its asker is told so.
#[tokio::test(flavor = "multi_thread")]
async fn another_person_of_the_home_joins_the_visit() {
    on_both(async |test| {
        let (app, _) = city(test).await;
        for text in ["上门", "1", "2", "4"] {
            app.text(AT_HOME, text, 1).await;
        }
        let said = app.text(AT_HOME, "没有", 1).await;
        app.text(AT_HOME, &code(&said[0]), 1).await;
        app.text(AT_HOME, "上门", 1).await;
        for text in ["5", "2", "周奶奶", "1", "4"] {
            app.text(AT_HOME, text, 1).await;
        }
        let said = app.text(AT_HOME, "没有电梯", 1).await;
        let said = app.text(AT_HOME, &code(&said[0]), 1).await;
        assert!(said[0].contains("已经加上周奶奶，一共2人"), "{said:?}");
        let visit = only_visit(&app).await;
        assert_eq!((visit.name.as_str(), visit.people), ("李小明、周奶奶", 2));
        assert_eq!(visit.access, "没有电梯");
        assert!(visit.reason.contains("走不动"), "{}", visit.reason);
    })
    .await;
}

/// Beyond the limit nothing is done that nobody is told of.
#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_no_visit_is_asked_for_in_silence() {
    let (app, _) = city(sqlite().await).await;
    app.ask(800, "邻居李小明，走不动，梧桐社区2栋1单元101，请上门", 1)
        .await;
    tap(&app, 800, "都可以").await;
    app.ask(800, "19900000070", 1).await;
    for _ in 0..60 {
        app.bot_api.user_says(800, "zh-hans", "居民", "帮助");
    }
    app.bot_api.user_says(800, "zh-hans", "居民", "提交");
    app.no_reply_open().await;
    app.quiet().await;
    let told = app.to_chat(800);
    let told = told
        .iter()
        .filter(|sent| sent.text.contains("先给您打电话"))
        .count();
    assert_eq!(visits(&app).await.len(), told);
}
