//! What people write, over the real protocols, and what they are answered.

use std::time::Duration;

use weir::{
    clock::Clock,
    domain::{Address, Button, Language},
    store::Person,
};

use crate::{
    app::{TestApp, afternoon, eventually, hours, phone_number},
    support::{minutes, on_both, sqlite},
};

const CITY: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,101,李小明,+8619900000002,zh-Hans,\n\
锦江区,春熙街道,梧桐社区,1栋,3单元,101,王伟,+8619900000003,zh-Hans,\n\
锦江区,春熙街道,银杏社区,1栋,4单元,101,赵六,+8619900000004,zh-Hans,\n";

async fn person(app: &TestApp, address: Address) -> Person {
    let contact = app
        .store()
        .find_contact(&address)
        .await
        .expect("reads")
        .expect("is known");
    app.store().person(contact).await.expect("reads")
}

fn phone(text: &str) -> Address {
    Address::Phone(phone_number(text))
}

/// The data of a button of the chat's last message.
fn button(app: &TestApp, chat: i64, wanted: &str) -> String {
    let last = app.to_chat(chat).pop().expect("a message");
    let found = last.buttons.iter().flatten().find_map(|button| match button {
        Button::Choice { label, data } if label.contains(wanted) => Some(data.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no button {wanted} in {:?}", last.buttons))
}

async fn tap(app: &TestApp, chat: i64, data: &str, count: usize) -> Vec<String> {
    let before = app.to_chat(chat).len();
    app.bot_api.user_taps(chat, data);
    app.heard(chat, before, count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_at_the_door_leads_to_the_units_window() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let code = app.door_code("1栋", "2单元").await;
        let said = app.ask(700, &format!("/start {code}"), 3).await;
        assert!(said[0].contains("1栋2单元"), "{said:?}");
        let (_, window) = app
            .windows(round)
            .await
            .into_iter()
            .find(|(place, _)| place.unit == "2单元")
            .expect("a window");
        assert!(
            said[1].contains(&hours(&window)),
            "first the home, then its window: {said:?}"
        );
        assert!(
            said[2].contains("手机号码"),
            "then the phone is asked for: {said:?}"
        );
        let home = person(&app, Address::Chat(700)).await;
        assert_eq!(home.home, Some(window.unit));
        assert!(home.residents.is_empty(), "a code names a unit, never a person");

        let said = app.ask(701, "/start 0000000000", 1).await;
        assert!(
            said[0].contains("认不出来") && said[0].contains("哪个社区"),
            "{said:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_persons_own_contact_card_is_proof() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        app.ask(710, "/start", 1).await;
        app.bot_api.user_shares_contact(710, "8619900000001", false);
        let said = app.heard(710, 1, 1).await;
        assert!(said[0].contains("别人的名片不能用"), "{said:?}");
        assert!(
            !said[0].contains('陈'),
            "nothing is told of whom the number belongs to"
        );
        assert!(person(&app, Address::Chat(710)).await.residents.is_empty());

        app.bot_api.user_shares_contact(710, "8619900000001", true);
        let said = app.heard(710, 2, 1).await;
        assert!(said[0].contains("陈*英"), "the name is masked: {said:?}");
        let chat = person(&app, Address::Chat(710)).await;
        let by_phone = person(&app, phone("+8619900000001")).await;
        assert_eq!(chat.residents, by_phone.residents);

        // A number that nobody on the roster has, and forged data of a button.
        app.bot_api.user_shares_contact(711, "8619900000099", true);
        let said = app.heard(711, 0, 1).await;
        assert!(said[0].contains("名册里没有"), "{said:?}");
        let resident = chat.residents[0].0;
        tap(&app, 711, &format!("resident:{resident}"), 1).await;
        assert!(person(&app, Address::Chat(711)).await.residents.is_empty());

        let said = tap(&app, 710, "not_me", 1).await;
        assert!(said[0].contains("核对名册"), "{said:?}");
        assert!(person(&app, Address::Chat(710)).await.residents.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_language_holds_for_replies_and_notices() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    app.link(720, "zh-hans", "+8619900000001").await;
    let said = app.ask(720, "繁體", 1).await;
    assert!(said[0].contains("繁體中文"), "{said:?}");
    let said = app.text("+8619900000002", "English", 1).await;
    assert!(said[0].contains("English"), "{said:?}");
    app.no_reply_open().await;
    let (round, _) = app.plan().await;
    app.release_at_once(round).await;
    app.settled(round).await;
    let notice = app.to_chat(720).pop().expect("told");
    assert!(notice.text.contains("您的採樣時段"), "{}", notice.text);
    let notice = app.to_phone("+8619900000002").pop().expect("told");
    assert!(notice.text.contains("Your test:"), "{}", notice.text);
    // The offices' file does not take back what a person chose.
    app.import(CITY).await;
    let chosen = person(&app, phone("+8619900000002")).await.language;
    assert_eq!(chosen, Some(Language::En));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_works_in_mid_dialogue_and_holds_for_notices_but_not_for_replies() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        app.link(730, "zh-hans", "+8619900000001").await;
        // In mid-dialogue: the bot has just asked for a home.
        app.ask(730, "换地址", 1).await;
        let said = app.ask(730, "STOP", 1).await;
        assert!(said[0].contains("已停止"), "{said:?}");
        assert!(person(&app, Address::Chat(730)).await.stopped);
        let said = app.text("+8619900000002", "3", 1).await;
        assert!(said[0].contains("哪个社区"), "{said:?}");
        let said = app.text("+8619900000002", "td", 1).await;
        assert!(said[0].contains("已停止"), "{said:?}");
        app.no_reply_open().await;
        let (chats, texts) = (app.bot_api.count(), app.smsc.submitted().len());

        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        assert_eq!(
            app.bot_api.count(),
            chats,
            "the chat that said STOP is left alone"
        );
        assert_eq!(
            app.smsc.submitted().len(),
            texts + 2,
            "and the phone; the two others are told"
        );
        assert!(
            app.to_phone("+8619900000001").is_empty(),
            "nor is a linked resident written to by phone"
        );
        assert_eq!(app.count(round, "window", "suppressed").await, 2);

        let said = app.ask(730, "我的时段", 1).await;
        assert!(said[0].contains("1栋1单元"), "replies go on: {said:?}");
        let said = app.text("+8619900000002", "我的时段", 1).await;
        assert!(said[0].contains("1栋2单元"), "{said:?}");

        let said = app.text("+8619900000002", "START", 1).await;
        assert!(said[0].contains("已为您开启通知"), "{said:?}");
        app.ask(730, "恢复", 1).await;
        app.no_reply_open().await;
        let windows = app.windows(round).await;

        app.jump_to(windows[3].1.starts_at - minutes(29));
        eventually("all four are reminded, those who came back too", async || {
            let (by_sms, by_chat) = (
                app.count(round, "reminder", "delivered").await,
                app.count(round, "reminder", "sent").await,
            );
            ((by_sms, by_chat) == (3, 1)).then_some(())
        })
        .await;
    })
    .await;
}

/// STOP between the writing of a notice and its sending counts as well.
#[tokio::test(flavor = "multi_thread")]
async fn stop_counts_for_what_waits_in_the_queue() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    app.link(735, "zh-hans", "+8619900000001").await;
    app.bot_api
        .set_fault(weir::channels::telegram::fake::Fault::TooManyRequests { retry_after: 1200 });
    let (round, _) = app.plan().await;
    app.release_at_once(round).await;
    eventually("the notice is back in the queue", async || {
        let asked_to_wait = app.bot_api.throttled() > 0;
        (asked_to_wait && app.count(round, "window", "queued").await == 1).then_some(())
    })
    .await;
    app.bot_api.set_fault(weir::channels::telegram::fake::Fault::None);
    let before = app.to_chat(735).len();
    app.bot_api.user_says(735, "zh-hans", "居民", "退订");
    eventually("STOP is understood", async || {
        person(&app, Address::Chat(735)).await.stopped.then_some(())
    })
    .await;
    app.jump_to(app.clock.now() + minutes(20));
    app.settled(round).await;
    let said = app.heard(735, before, 1).await;
    assert_eq!(said.len(), 1, "the answer alone: {said:?}");
    assert_eq!(app.count(round, "window", "suppressed").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_everywhere_by_text_message_needs_the_code_that_was_sent() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        app.link(740, "zh-hans", "+8619900000001").await;
        let said = app.text("+8619900000001", "全部退订", 1).await;
        assert!(
            person(&app, phone("+8619900000001")).await.stopped,
            "this address at once"
        );
        assert!(
            !person(&app, Address::Chat(740)).await.stopped,
            "senders can be forged"
        );
        let code: String = said[0]
            .split("请回复")
            .nth(1)
            .expect("a code is asked for")
            .chars()
            .take(4)
            .collect();
        app.text("+8619900000001", &code, 1).await;
        assert!(person(&app, Address::Chat(740)).await.stopped);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_conversation_works_by_words_and_digits() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let visitor = "+8619900000050";
        let said = app.text(visitor, "你好", 1).await;
        assert!(said[0].contains("哪个社区"), "{said:?}");
        let line = said[0]
            .lines()
            .find(|line| line.contains("梧桐社区") && line.len() < 24);
        let digit = line
            .expect("a numbered community")
            .chars()
            .next()
            .expect("a digit");
        let said = app.text(visitor, &digit.to_string(), 1).await;
        assert!(
            said[0].contains("几单元"),
            "one building, so the unit is asked for: {said:?}"
        );
        let said = app.text(visitor, "3", 2).await;
        assert!(
            said[0].contains("1栋3单元") && said[1].contains("没有采样安排"),
            "{said:?}"
        );

        // Another home only with the code that goes to this number.
        app.text(visitor, "改地址", 1).await;
        let said = app.text(visitor, "梧桐社区 1栋1单元", 1).await;
        assert!(said[0].contains("确认"), "{said:?}");
        let code: String = said[0]
            .split("请回复")
            .nth(1)
            .expect("a code")
            .chars()
            .take(4)
            .collect();
        let wrong = if code == "0000" { "0001" } else { "0000" };
        let said = app.text(visitor, wrong, 1).await;
        assert!(said[0].contains("还可以试4次"), "{said:?}");
        for _ in 0..3 {
            app.text(visitor, wrong, 1).await;
        }
        let said = app.text(visitor, wrong, 1).await;
        assert!(said[0].contains("没有改动"), "{said:?}");
        let said = app.text(visitor, &code, 1).await;
        assert!(!said[0].contains("已记住"), "five tries for a code: {said:?}");

        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let said = app.text(visitor, "0", 1).await;
        assert!(said[0].contains("1 我的时段"), "{said:?}");
        let said = app.text(visitor, "1", 1).await;
        assert!(said[0].contains("1栋3单元"), "{said:?}");
        let notice = app
            .to_phone(visitor)
            .into_iter()
            .find(|sent| sent.text.contains("采样通知"));
        assert!(notice.is_some(), "who chose a home is told of its window too");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_messages_are_answered_and_stop_nobody_else() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let long = "长".repeat(4_096);
    let strange = [
        "<b>bold</b> & <script>alert(1)</script> *_[x](y)`",
        long.as_str(),
        "👨‍👩‍👧‍👦🏳️‍🌈🇨🇳",
        "\u{202e}\u{200b}\u{0}\u{7}",
        "'; drop table residents; --",
        "/start ../../etc/passwd",
        "/start 'or'1'='1",
        "/unknown@weir_fake_bot",
    ];
    for (chat, text) in (750..).zip(strange) {
        let before = app.to_chat(chat).len();
        app.bot_api
            .user_says(chat, "xx-klingon", "<b>&\"陈</b>\u{202e}🤖", text);
        let said = app.heard(chat, before, 1).await;
        assert!(!said[0].is_empty());
        assert!(
            !said[0].contains("script") && !said[0].contains("drop table"),
            "nothing is echoed: {said:?}"
        );
    }
    // Updates of other kinds, and broken ones.
    for update in [
        serde_json::json!({ "message": { "message_id": 1, "chat": { "id": 790, "type": "private" }, "date": 1,
            "from": { "id": 790, "is_bot": false, "first_name": "…" }, "sticker": {} } }),
        serde_json::json!({ "message": { "chat": "no number" } }),
        serde_json::json!({ "message": null }),
        serde_json::json!({ "callback_query": { "id": "1", "from": {}, "data": "x".repeat(1_000) } }),
    ] {
        app.bot_api.deliver_raw_update(update);
    }
    let said = app.ask(791, "/start", 1).await;
    assert!(said[0].contains("哪个社区"), "the loop goes on: {said:?}");
    let said = app.heard(790, 0, 1).await;
    assert!(said[0].contains("只会看文字"), "{said:?}");
    for text in ["👨‍👩‍👧‍👦".repeat(60).as_str(), "1栋<b>"] {
        app.text("+8619900000051", text, 1).await;
    }
    eventually("every update is acknowledged", async || {
        (app.bot_api.pending_updates() == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_comes_twice_is_answered_once() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let update = app.bot_api.user_says(760, "zh-hans", "居民", "/start");
        app.heard(760, 0, 1).await;
        app.bot_api.deliver_raw_update(update);
        app.ask(760, "帮助", 1).await;
        app.quiet().await;
        assert_eq!(app.to_chat(760).len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_sent_again_after_a_reconnect_is_answered_once() {
    use weir::channels::sms::smsc::Fault;
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        app.text("+8619900000001", "我的时段", 1).await;
        let binds = app.smsc.binds();
        app.smsc.set_fault(Fault::Cut);
        tokio::time::sleep(Duration::from_millis(300)).await;
        app.smsc.set_fault(Fault::None);
        eventually("bound anew", async || (app.smsc.binds() > binds).then_some(())).await;
        app.smsc.bound().await;
        // The answer to the first was lost with the connection, so the carrier sends it again.
        let again = app.smsc.deliver_text("+8619900000001", "我的时段").await;
        again.expect("it is taken");
        app.text("+8619900000002", "我的时段", 1).await;
        app.quiet().await;
        assert_eq!(app.to_phone("+8619900000001").len(), 1);
        // A person who asks twice is answered twice.
        app.text("+8619900000002", "我的时段", 1).await;
        assert_eq!(app.to_phone("+8619900000002").len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_messages_are_answered_in_their_order() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let code = app.door_code("1栋", "1单元").await;
        for chat in 770..775 {
            app.bot_api
                .user_says(chat, "zh-hans", "居民", &format!("/start {code}"));
            app.bot_api.user_says(chat, "zh-hans", "居民", "English");
            app.bot_api.user_says(chat, "zh-hans", "居民", "help");
            app.bot_api.user_says(chat, "zh-hans", "居民", "繁體");
        }
        for chat in 770..775 {
            // The home, its window and the question for the phone; then one answer each.
            let said = app.heard(chat, 0, 6).await;
            let marks = [
                "已记住",
                "没有采样安排",
                "手机号码",
                "English from now on",
                "In an emergency",
                "繁體中文",
            ];
            for (text, mark) in said.iter().zip(marks) {
                assert!(text.contains(mark), "{mark} in its turn: {said:?}");
            }
        }
        let said = (
            app.smsc.deliver_text("+8619900000060", "1栋1单元").await,
            app.smsc.deliver_text("+8619900000060", "English").await,
        );
        assert!(said.0.is_ok() && said.1.is_ok());
        eventually("three text messages", async || {
            (app.to_phone("+8619900000060").len() >= 3).then_some(())
        })
        .await;
        let texts: Vec<String> = app
            .to_phone("+8619900000060")
            .into_iter()
            .map(|sent| sent.text)
            .collect();
        assert!(
            texts[0].contains("已记住") && texts[2].contains("English"),
            "{texts:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_blocks_the_bot_is_not_written_to_and_may_come_back() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    app.link(780, "zh-hans", "+8619900000001").await;
    app.bot_api.user_blocks(780);
    eventually("the block is known", async || {
        person(&app, Address::Chat(780)).await.unreachable.then_some(())
    })
    .await;
    app.bot_api.user_unblocks(780);
    app.ask(780, "/start", 1).await;
    let person = person(&app, Address::Chat(780)).await;
    assert!(
        !person.unreachable && !person.stopped,
        "who writes again is written to again"
    );
}

/// What came in while nobody worked on the store is answered afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_wrote_while_the_service_was_away_is_answered() {
    let mut app = TestApp::set(sqlite().await, Clock::manual(afternoon()), |_| {}).await;
    app.import(CITY).await;
    app.bot_api.user_says(785, "zh-hans", "居民", "/start");
    app.start_service();
    let said = app.heard(785, 0, 1).await;
    assert!(said[0].contains("哪个社区"), "{said:?}");
    app.stop_service().await;
    app.bot_api.user_says(785, "zh-hans", "居民", "帮助");
    app.start_service();
    let said = app.heard(785, 1, 1).await;
    assert!(said[0].contains("120"), "{said:?}");
    let _ = button(&app, 785, "梧桐社区");
}

/// The hours of a unit's window.
async fn hours_of(app: &TestApp, round: weir::domain::RoundId, unit: &str) -> String {
    let windows = app.windows(round).await;
    let (_, window) = windows
        .iter()
        .find(|(place, _)| place.unit == unit)
        .expect("a window");
    hours(window)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_come_chooses_another_time_by_telegram() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        app.link(720, "zh-hans", "+8619900000001").await;
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let old = hours_of(&app, round, "1单元").await;
        let said = app.ask(720, "时间", 1).await;
        assert!(said[0].contains(&old), "{said:?}");
        let data = button(&app, 720, "换时间");
        let said = tap(&app, 720, &data, 1).await;
        assert!(said[0].contains(&old) && said[0].contains("请选一个"), "{said:?}");
        let offered: Vec<String> = (0..3).map(|n| format!("take:{n}")).collect();
        let last = app.to_chat(720).pop().expect("a message");
        let labels: Vec<(String, String)> = last
            .buttons
            .iter()
            .flatten()
            .filter_map(|button| match button {
                Button::Choice { label, data } if offered.contains(data) => {
                    Some((label.clone(), data.clone()))
                }
                _ => None,
            })
            .collect();
        assert!(!labels.is_empty(), "{:?}", last.buttons);
        assert!(
            labels.iter().all(|(label, _)| !label.contains(&old)),
            "{labels:?}"
        );
        let said = tap(&app, 720, &labels[0].1, 2).await;
        assert!(said[0].contains("换好了"), "{said:?}");
        // The answer names the new time, as the label did.
        let time = labels[0].0.split(' ').next().expect("a time").to_owned();
        assert!(
            said[1].contains(time.trim_start_matches("今天")) || said[1].contains(&time),
            "{said:?} {time}"
        );
        assert!(!said[1].contains(&old), "{said:?}");
        let contact = app
            .store()
            .find_contact(&Address::Chat(720))
            .await
            .expect("reads")
            .expect("known");
        let windows = app
            .store()
            .contact_windows(&[contact], round)
            .await
            .expect("reads");
        assert!(windows.iter().all(|(_, view)| view.own));

        // A chat that only follows a home cannot change anybody's time.
        let code = app.door_code("1栋", "1单元").await;
        app.ask(721, &format!("/start {code}"), 3).await;
        let said = app.ask(721, "换时间", 1).await;
        assert!(said[0].contains("确认是您本人"), "{said:?}");
        let said = tap(&app, 721, "take:0", 1).await;
        assert!(said[0].contains("确认是您本人"), "{said:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_text_message_a_time_changes_only_after_the_code() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let who = "+8619900000003";
        let old = hours_of(&app, round, "3单元").await;
        let said = app.text(who, "换时间", 1).await;
        assert!(said[0].contains(&old) && said[0].contains("\n1 "), "{said:?}");
        let said = app.text(who, "1", 1).await;
        let code: String = {
            let at = said[0].find("请回复").expect("asks for a code") + "请回复".len();
            said[0][at..].chars().take(4).collect()
        };
        assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{said:?}");
        let own = async || {
            let contact = app
                .store()
                .find_contact(&phone(who))
                .await
                .expect("reads")
                .expect("known");
            let windows = app
                .store()
                .contact_windows(&[contact], round)
                .await
                .expect("reads");
            windows[0].1.own
        };
        let wrong = if code == "0000" { "1111" } else { "0000" };
        let said = app.text(who, wrong, 1).await;
        assert!(said[0].contains("还可以试4次") && !own().await, "{said:?}");
        let said = app.text(who, &code, 2).await;
        assert!(said[0].contains("换好了") && !said[1].contains(&old), "{said:?}");
        assert!(own().await);

        // A number that nobody on the roster has changes nothing.
        let said = app.text("+8619900000098", "换时间", 1).await;
        assert!(said[0].contains("名册里没有这个号码"), "{said:?}");
        // Shortly before the window it is too late.
        let windows = app.windows(round).await;
        let (_, near) = windows
            .iter()
            .find(|(place, _)| place.unit == "4单元")
            .expect("a window");
        app.jump_to(near.starts_at - minutes(20));
        eventually("the reminder is out of the way", async || {
            let sent = app.to_phone("+8619900000004");
            sent.iter()
                .any(|sent| sent.text.contains("快到采样时间"))
                .then_some(())
        })
        .await;
        let said = app.text("+8619900000004", "来不了", 1).await;
        let said = said.iter().find(|text| text.contains("现在不能换"));
        assert!(said.is_some_and(|text| text.contains(&hours(near))), "{said:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_gets_one_polite_line_and_stop_and_danger_are_heard() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    // On a slow machine some of them come after the limit has given a little again.
    for _ in 0..120 {
        app.bot_api.user_says(770, "zh-hans", "居民", "时段");
    }
    let polite = || {
        let sent = app.to_chat(770);
        sent.iter().filter(|sent| sent.text.contains("太快")).count()
    };
    eventually("the polite line", async || (polite() > 0).then_some(())).await;
    app.quiet().await;
    let heard = app.to_chat(770).len();
    assert!(polite() == 1 && heard < 100, "{} of {heard}", polite());
    app.bot_api.user_says(770, "zh-hans", "居民", "退订");
    eventually("STOP is obeyed", async || {
        let contact = app
            .store()
            .find_contact(&Address::Chat(770))
            .await
            .expect("reads")?;
        app.store()
            .person(contact)
            .await
            .expect("reads")
            .stopped
            .then_some(())
    })
    .await;
    app.bot_api.user_says(770, "zh-hans", "居民", "我爸晕倒了");
    eventually("danger is heard", async || {
        let sent = app.to_chat(770);
        sent.iter().any(|sent| sent.text.contains("120")).then_some(())
    })
    .await;
    let said = app.ask(771, "/start", 1).await;
    assert!(said[0].contains("哪个社区"), "others are answered: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talk_that_nobody_goes_on_with_ends_by_itself() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let said = app.text("+8619900000001", "人工", 1).await;
        assert!(said[0].contains("结束"), "{said:?}");
        app.smsc
            .deliver_text("+8619900000001", "我想问入学的事")
            .await
            .expect("taken");
        app.quiet().await;
        assert_eq!(app.to_phone("+8619900000001").len(), 1, "silence");
        let filter = weir::store::ThreadFilter {
            open: true,
            ..Default::default()
        };
        let thread = app
            .store()
            .threads(&filter)
            .await
            .expect("reads")
            .pop()
            .expect("open");
        let messages = app.store().thread_messages(thread.id).await.expect("reads");
        assert!(messages[1].words.contains("入学"));
        app.no_reply_open().await;
        app.jump_to(app.clock.now() + weir::conversation::keeper::TALK_IDLE_MAX);
        let said = eventually("the end is told", async || {
            let sent = app.to_phone("+8619900000001");
            sent.get(1).map(|sent| sent.text.clone())
        })
        .await;
        assert!(said.contains("已经结束"), "{said}");
        let said = app.text("+8619900000001", "什么是黑洞", 1).await;
        assert!(said[0].contains("没有看懂"), "the bot answers again: {said:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_set_in_other_words_is_said_by_the_running_service() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let now = app.clock.now();
    let text = weir::store::SetText {
        id: 0,
        key: "no-window".into(),
        language: Language::ZhHans,
        short: true,
        words: "今天不做核酸。".into(),
        set_by: "owner".into(),
        set_at: now,
        until: now + minutes(60),
        ended_by: None,
        ended_at: None,
    };
    app.store().set_text(&text).await.expect("sets");
    eventually("the new words are said", async || {
        let said = app.text("+8619900000001", "时段", 1).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        said[0].contains("今天不做核酸").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn menus_turn_in_place_and_answers_stay() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let said = app.ask(780, "/start", 1).await;
    assert!(said[0].contains("哪个社区"), "{said:?}");
    let shown = app.to_chat(780).pop().expect("a message");
    let data = button(&app, 780, "梧桐");
    app.bot_api.user_taps_under(780, shown.message_id, &data);
    eventually("the same message asks for the unit", async || {
        let all = app.to_chat(780);
        (all.len() == 1 && all[0].text.contains("几单元")).then_some(())
    })
    .await;
    // Tapped twice, as impatient people do: nothing changes, and nothing is sent anew.
    app.bot_api.user_taps_under(780, shown.message_id, &data);
    app.quiet().await;
    assert_eq!(app.to_chat(780).len(), 1);
    // The answer is a message of its own, and the menu under it another.
    let data = button(&app, 780, "1单元");
    app.bot_api.user_taps_under(780, shown.message_id, &data);
    let said = app.heard(780, 1, 3).await;
    assert!(
        said[0].contains("已记住") && said[1].contains("没有采样安排"),
        "{said:?}"
    );
    // A message that Telegram does not have any more.
    app.bot_api.user_taps_under(780, 4_000_000, "languages");
    let said = app.heard(780, 4, 1).await;
    assert!(said[0].contains("语言"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_mid_dialogue_loses_no_step_and_keeps_the_order() {
    on_both(async |test| {
        let mut app = TestApp::start(test).await;
        app.import(CITY).await;
        app.ask(785, "/start", 1).await;
        app.text("+8619900000050", "你好", 1).await;
        app.stop_service().await;
        // Written while nobody listens, and several at once.
        for text in ["梧桐社区 1栋", "2", "语言", "English", "window"] {
            app.bot_api.user_says(785, "zh-hans", "居民", text);
        }
        app.start_service();
        let said = app.heard(785, 1, 7).await;
        assert!(said[0].contains("几单元"), "{said:?}");
        assert!(
            said[1].contains("已记住") && said[1].contains("2单元"),
            "{said:?}"
        );
        assert!(said[2].contains("没有采样安排"), "{said:?}");
        assert!(said[3].contains("手机号码"), "{said:?}");
        assert!(said[4].contains("请选择语言"), "{said:?}");
        assert!(said[5].contains("English from now on"), "{said:?}");
        assert!(said[6].contains("No test is planned"), "{said:?}");
    })
    .await;
}
