//! What residents ask a person, in the workers' chats: over the real Bot API protocol, the wrong role beside the right
//! one.

use weir::{
    domain::{Actor, Button, Role, ThreadId, Worker},
    store::{AuditFilter, Claim, Thread, ThreadFilter},
};

use crate::{
    app::{TestApp, eventually},
    desks::{button, button_of, city, in_chat, press},
    support::{minutes, on_both, sqlite},
};

const PLACE: &str = "锦江区/春熙街道/梧桐社区";
const OTHER: &str = "锦江区/春熙街道/银杏社区";

async fn open(app: &TestApp) -> Vec<Thread> {
    let filter = ThreadFilter {
        open: true,
        ..ThreadFilter::default()
    };
    app.store().threads(&filter).await.expect("reads")
}

/// A resident of the first community asks a person by SMS.
async fn asks(app: &TestApp, words: &str) -> ThreadId {
    app.text("+8619900000001", words, 1).await;
    open(app).await.first().expect("a talk").id
}

async fn on_duty(app: &TestApp, by: &Worker, who: (&str, Role, &str), chat: i64) -> Worker {
    let worker = in_chat(app, by, who, chat).await;
    let said = app.ask(chat, "/duty", 1).await;
    assert!(said[0].contains("您已上班"), "{said:?}");
    worker
}

async fn card(app: &TestApp, chat: i64, wanted: &str) -> weir::channels::telegram::fake::SentMessage {
    eventually("the talk's message", async || {
        app.to_chat(chat)
            .into_iter()
            .rev()
            .find(|sent| sent.text.contains(wanted))
    })
    .await
}

async fn ends(app: &TestApp, id: ThreadId, first: i64) {
    // The resident goes on, over SMS alike: it rings with the one who has it.
    app.bot_api.user_taps(2, &format!("w:i:say:{id}"));
    card(app, 2, "请写下给").await;
    app.ask(2, "请在家等。", 1).await;
    eventually("the second answer", async || {
        let last = app.to_phone("+8619900000001").pop()?;
        last.text.contains("请在家等").then_some(())
    })
    .await;
    press(app, 2, &format!("w:i:end:{id}"), 1).await;
    assert!(open(app).await.is_empty());
    eventually("its message has no buttons any more", async || {
        let sent = app.to_chat(2).into_iter().find(|sent| sent.message_id == first)?;
        (sent.text.contains("已经结束") && sent.buttons.is_empty()).then_some(())
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "one talk from its beginning to its end")]
#[tokio::test(flavor = "multi_thread")]
async fn a_question_reaches_those_on_duty_and_a_reply_reaches_the_resident() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        on_duty(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
        on_duty(&app, &operator, ("小赵", Role::Worker, PLACE), 3).await;
        on_duty(&app, &operator, ("小钱", Role::Worker, OTHER), 4).await;
        in_chat(&app, &operator, ("小孙", Role::Worker, PLACE), 5).await;
        // Who invited hears of each.
        app.quiet().await;
        let elsewhere = [app.to_chat(4).len(), app.to_chat(5).len(), app.to_chat(1).len()];
        let id = asks(&app, "人工 电梯坏了怎么下楼").await;
        let first = card(&app, 2, "梧桐社区").await;
        assert!(
            first.text.contains("居民:") && first.text.contains("已等"),
            "{}",
            first.text
        );
        assert!(
            !first.text.contains("19900000001") && !first.text.contains("陈桂英"),
            "{}",
            first.text
        );
        let second = card(&app, 3, "梧桐社区").await;
        // One takes it on; the other's message says who.
        let said = press(&app, 2, &format!("w:i:take:{id}"), 1).await;
        assert!(said[0].contains("由您处理"), "{said:?}");
        let said = press(&app, 3, &format!("w:i:take:{id}"), 1).await;
        assert!(said[0].contains("小王已经在处理"), "{said:?}");
        eventually("the other's message says who", async || {
            let sent = app
                .to_chat(3)
                .into_iter()
                .find(|sent| sent.message_id == second.message_id)?;
            sent.text.contains("小王在处理").then_some(())
        })
        .await;
        // The answer is a reply to the message; it comes by SMS and says that a person speaks.
        let before = app.to_phone("+8619900000001").len();
        app.bot_api
            .user_replies(2, first.message_id, "我十分钟后上来扶您。");
        let answer = eventually("the answer by SMS", async || {
            app.to_phone("+8619900000001").into_iter().nth(before)
        })
        .await;
        assert!(
            answer.text.contains("社区工作人员答复:我十分钟后上来扶您。"),
            "{}",
            answer.text
        );
        // Another's reply is not sent.
        app.bot_api.user_replies(3, second.message_id, "我也来。");
        eventually("the other is told who", async || {
            let last = app.to_chat(3).pop()?;
            last.text.contains("小王已经在处理").then_some(())
        })
        .await;
        // Off duty, or of another community: nothing; and a forged button does nothing.
        assert_eq!(
            [app.to_chat(4).len(), app.to_chat(5).len(), app.to_chat(1).len()],
            elsewhere
        );
        for what in ["take", "say", "pass", "end"] {
            let said = press(&app, 4, &format!("w:i:{what}:{id}"), 1).await;
            assert!(said[0].contains("不在您负责的范围"), "{what}: {said:?}");
        }
        ends(&app, id, first.message_id).await;
        assert_eq!(
            app.to_phone("+8619900000001")
                .iter()
                .filter(|sent| sent.text.contains("我也来"))
                .count(),
            0
        );
        let log = app
            .store()
            .audit_rows(
                &AuditFilter {
                    who: None,
                    what: "thread".into(),
                    since: None,
                },
                None,
                100,
            )
            .await
            .expect("reads");
        assert_eq!(log.iter().filter(|row| row.what == "thread.claim").count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_up_and_danger_goes_to_all_at_once() {
    let (app, operator) = city(sqlite().await).await;
    on_duty(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
    on_duty(&app, &operator, ("林霞", Role::Coordinator, PLACE), 3).await;
    app.ask(1, "/duty", 1).await;
    let id = asks(&app, "人工").await;
    card(&app, 2, "居民:").await;
    let quiet = (app.to_chat(3).len(), app.to_chat(1).len());
    app.clock.advance(minutes(20));
    app.quiet().await;
    assert_eq!((app.to_chat(3).len(), app.to_chat(1).len()), quiet);
    app.clock.advance(minutes(11));
    card(&app, 3, "已等31分钟").await;
    assert_eq!(app.to_chat(1).len(), quiet.1, "the operator not yet");
    app.clock.advance(minutes(30));
    card(&app, 1, "已等61分钟").await;
    press(&app, 3, &format!("w:i:end:{id}"), 1).await;

    let told = app.to_chat(1).len();
    app.text("+8619900000001", "救命 家里着火了", 1).await;
    card(&app, 2, "紧急").await;
    card(&app, 3, "紧急").await;
    card(&app, 1, "紧急").await;
    assert!(app.to_chat(1).len() > told);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_worker_is_on_duty_those_above_hear_at_once() {
    let (app, operator) = city(sqlite().await).await;
    in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
    in_chat(&app, &operator, ("林霞", Role::Coordinator, PLACE), 3).await;
    let worker = app.to_chat(2).len();
    asks(&app, "人工").await;
    card(&app, 3, "居民:").await;
    assert_eq!(app.to_chat(2).len(), worker, "who is off duty is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_who_take_a_talk_at_once_one_has_it() {
    on_both(async |test| {
        let (mut app, operator) = city(test).await;
        let mut workers = Vec::new();
        for number in 0..20 {
            let name = format!("工作者{number}");
            workers.push(crate::workers::add(app.store(), &operator, &name, Role::Worker, PLACE).await);
        }
        let id = asks(&app, "人工").await;
        let now = app.clock.now();
        let claims = workers
            .iter()
            .map(|worker| app.store().claim_thread(id, worker.id, None, now));
        let claims = futures_util::future::join_all(claims).await;
        let won = claims
            .iter()
            .filter(|claim| matches!(claim, Ok(Claim::Theirs)))
            .count();
        let held = claims
            .iter()
            .filter(|claim| matches!(claim, Ok(Claim::Held(_))))
            .count();
        assert_eq!((won, held), (1, 19));
        // A restart in the middle: it is still theirs, and nobody is told twice.
        card(&app, 1, "居民:").await;
        let told = app.to_chat(1).len();
        app.stop_service().await;
        app.start_service();
        app.quiet().await;
        assert_eq!(app.to_chat(1).len(), told);
        // Who is removed holds nothing: it is anybody's again.
        let holder = open(&app).await[0].claimed_by.expect("is held");
        let removed = app.store().remove_worker(holder, Actor::Owner, now).await;
        assert!(removed.expect("removes"));
        assert_eq!(open(&app).await[0].claimed_by, None);
        let other = workers
            .iter()
            .find(|worker| worker.id != holder)
            .expect("19 more");
        let claim = app.store().claim_thread(id, other.id, None, now).await;
        assert!(matches!(claim, Ok(Claim::Theirs)), "{claim:?}");
        let holder = open(&app).await[0].claimed_by.expect("is held");
        assert!(
            app.store()
                .pass_thread_on(id, holder, now)
                .await
                .expect("passes on")
        );
        assert!(!app.store().pass_thread_on(id, holder, now).await.expect("reads"));
        let thread = app.store().thread(id).await.expect("reads").expect("is there");
        assert!(thread.raised && thread.claimed_by.is_none());
    })
    .await;
}

/// The titles of the approved answers under a talk.
fn offered(buttons: &[Vec<Button>]) -> Vec<String> {
    let titles = buttons.iter().flatten().filter_map(|button| match button {
        Button::Choice { label, .. } => label.strip_prefix("答:").map(str::to_owned),
        _ => None,
    });
    titles.collect()
}

async fn answers_on_record(app: &TestApp) -> usize {
    let filter = AuditFilter {
        who: None,
        what: "thread.answer".into(),
        since: None,
    };
    let rows = app.store().audit_rows(&filter, None, 100).await.expect("reads");
    rows.len()
}

#[expect(
    clippy::too_many_lines,
    reason = "one answer from its offer to its second tap"
)]
#[tokio::test(flavor = "multi_thread")]
async fn an_approved_answer_is_shown_and_sent_by_two_taps_and_sent_once() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        on_duty(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
        on_duty(&app, &operator, ("小赵", Role::Worker, PLACE), 3).await;
        in_chat(&app, &operator, ("小钱", Role::Worker, OTHER), 4).await;
        in_chat(&app, &operator, ("小周", Role::Viewer, "city"), 5).await;
        let id = asks(&app, "人工").await;
        card(&app, 2, "梧桐社区").await;
        app.text("+8619900000001", "我去做核酸要带什么证件", 0).await;
        let first = card(&app, 2, "带什么证件").await;
        let titles = offered(&first.buttons);
        assert!(
            titles.first().is_some_and(|title| title == "带什么") && titles.len() <= 4,
            "{titles:?}"
        );
        // It reads as the resident would get it; nothing is sent, and nobody has the talk, before it is sent.
        let before = app.to_phone("+8619900000001").len();
        let shown = press(&app, 2, &button_of(&first.buttons, "带什么"), 1).await;
        assert!(
            shown[0].contains("居民会收到") && shown[0].contains("社区工作人员答复:请全程戴口罩"),
            "{shown:?}"
        );
        let back = press(&app, 2, &button(&app, 2, "返回"), 1).await;
        assert!(
            back[0].contains("带什么证件") && !back[0].contains("直接回复"),
            "{back:?}"
        );
        press(&app, 2, &button(&app, 2, "带什么"), 1).await;
        let send = button(&app, 2, "发送");
        assert_eq!(open(&app).await[0].claimed_by, None);
        assert_eq!(app.to_phone("+8619900000001").len(), before);

        // Of another community, or without the right: neither shown nor sent.
        for chat in [4, 5] {
            for data in [
                &send,
                &format!("w:i:a-what-to-bring:{id}"),
                &format!("w:i:show:{id}"),
            ] {
                let said = press(&app, chat, data, 1).await;
                let refused = ["不在您负责的范围", "这件事需要"];
                assert!(
                    refused.iter().any(|words| said[0].contains(words)),
                    "{data}: {said:?}"
                );
                assert!(
                    !said[0].contains("口罩") && !said[0].contains("证件"),
                    "{data}: {said:?}"
                );
            }
        }
        // What is the person's own is no approved answer, whatever the button says; and data is not trusted.
        for data in [
            "a-find-time-window",
            "send-1-check-pass-validity",
            "send-1-x",
            "a-",
        ] {
            let said = press(&app, 2, &format!("w:i:{data}:{id}"), 1).await;
            assert!(said[0].contains("按钮"), "{data}: {said:?}");
        }
        assert_eq!(app.to_phone("+8619900000001").len(), before);

        let said = press(&app, 2, &send, 1).await;
        assert!(said[0].contains("已发给"), "{said:?}");
        let answer = eventually("the answer by SMS", async || {
            app.to_phone("+8619900000001").into_iter().nth(before)
        })
        .await;
        assert!(shown[0].ends_with(&answer.text), "{shown:?} {}", answer.text);
        assert!(open(&app).await[0].claimed_by.is_some());
        // Tapped again, also after the resident has gone on: it is there once. Another's tap sends nothing.
        press(&app, 2, &send, 1).await;
        let said = press(&app, 3, &send, 1).await;
        assert!(said[0].contains("小王已经在处理"), "{said:?}");
        let said = press(&app, 3, &format!("w:i:a-what-to-bring:{id}"), 1).await;
        assert!(said[0].contains("小王已经在处理"), "{said:?}");
        app.text("+8619900000001", "地铁还开吗", 0).await;
        let second = card(&app, 2, "地铁还开吗").await;
        assert_eq!(offered(&second.buttons)[0], "公交地铁运行");
        press(&app, 2, &send, 1).await;
        let of_answer = |app: &TestApp| {
            let texts = app.to_phone("+8619900000001").into_iter();
            texts.filter(|one| one.text.contains("请全程戴口罩")).count()
        };
        app.quiet().await;
        assert_eq!(of_answer(&app), 1);
        let messages = app.store().thread_messages(id).await.expect("reads");
        assert_eq!(messages.len(), 4, "two of theirs, the answer, and one more");
        // Shown anew after they asked again, it may be said again.
        press(&app, 2, &format!("w:i:a-what-to-bring:{id}"), 1).await;
        press(&app, 2, &button(&app, 2, "发送"), 1).await;
        eventually("the answer once more", async || {
            (of_answer(&app) == 2).then_some(())
        })
        .await;
        assert_eq!(answers_on_record(&app).await, 2, "what was sent, and no tap more");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_answer_comes_in_the_residents_language_and_not_after_the_end() {
    let (app, operator) = city(sqlite().await).await;
    on_duty(&app, &operator, ("小钱", Role::Worker, OTHER), 4).await;
    app.text("+8619900000002", "HUMAN", 1).await;
    let id = open(&app).await[0].id;
    app.text("+8619900000002", "what do I have to bring to the test", 0)
        .await;
    let first = card(&app, 4, "have to bring").await;
    let shown = press(&app, 4, &button_of(&first.buttons, "带什么"), 1).await;
    assert!(
        shown[0].contains("居民会收到") && shown[0].contains("A community worker writes:"),
        "{shown:?}"
    );
    let send = button(&app, 4, "发送");
    let before = app.to_phone("+8619900000002").len();
    press(&app, 4, &format!("w:i:end:{id}"), 1).await;
    for data in [&send, &format!("w:i:a-what-to-bring:{id}")] {
        let said = press(&app, 4, data, 1).await;
        assert!(said[0].contains("已经结束"), "{said:?}");
    }
    app.quiet().await;
    let since = app.to_phone("+8619900000002").split_off(before);
    assert!(since.iter().all(|sent| !sent.text.contains("ID")), "{since:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_on_duty_hears_of_what_already_waits() {
    let (app, operator) = city(sqlite().await).await;
    on_duty(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
    in_chat(&app, &operator, ("小赵", Role::Worker, PLACE), 3).await;
    asks(&app, "人工").await;
    card(&app, 2, "居民:").await;
    app.quiet().await;
    let told = (app.to_chat(2).len(), app.to_chat(3).len());
    app.ask(3, "/duty", 1).await;
    card(&app, 3, "居民:").await;
    assert_eq!(app.to_chat(2).len(), told.0, "who knows is not told again");
}
