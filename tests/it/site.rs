//! What workers report from the sites, what is proposed and decided because of it, and what those on duty are told of
//! unasked: over the real Bot API protocol, the wrong role beside the right one.

use std::fmt::Write as _;

use chrono::TimeDelta;
use weir::{
    app::alerts::Alerts,
    channels::{
        sms::smsc,
        telegram::fake::{self, SentMessage},
    },
    domain::{Actor, Address, Area, Button, IncidentReason, Language, ProposalState, Role, RoundId, Worker},
    i18n::visits::VisitTeller,
    store::{Acknowledged, AuditFilter, Decided, NewAlert, NewReport, Rest, Store, ThreadFilter},
};

use crate::{
    app::{TestApp, eventually, hour},
    binary,
    desks::{city, in_chat, press},
    round::many,
    support::{evening, minutes, on_both, sqlite},
    workers::{add, first, raw},
};

const PLACE: &str = "锦江区/春熙街道/梧桐社区";
const OTHER: &str = "锦江区/春熙街道/银杏社区";

async fn on_duty(app: &TestApp, by: &Worker, who: (&str, Role, &str), chat: i64) -> Worker {
    let worker = in_chat(app, by, who, chat).await;
    let said = app.ask(chat, "/duty", 1).await;
    assert!(said[0].contains("您已上班"), "{said:?}");
    worker
}

fn data(sent: &SentMessage, wanted: &str) -> String {
    let found = sent.buttons.iter().flatten().find_map(|button| match button {
        Button::Choice { label, data } if label == wanted || label.contains(wanted) => Some(data.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no button {wanted} in {:?}", sent.buttons))
}

/// Taps the first button of the chat's last message that reads so; what is said then.
async fn tap(app: &TestApp, chat: i64, wanted: &str) -> String {
    let last = app.to_chat(chat).pop().expect("a message");
    press(app, chat, &data(&last, wanted), 1).await.remove(0)
}

/// The newest message of a chat that says so.
async fn told(app: &TestApp, chat: i64, wanted: &str) -> SentMessage {
    eventually(&format!("chat {chat} is told {wanted}"), async || {
        let sent = app.to_chat(chat).into_iter().rev();
        sent.into_iter().find(|sent| sent.text.contains(wanted))
    })
    .await
}

fn heard(app: &TestApp, chat: i64, wanted: &str) -> usize {
    let sent = app.to_chat(chat);
    sent.iter().filter(|sent| sent.text.contains(wanted)).count()
}

async fn on_record(store: &Store, what: &str) -> usize {
    let filter = AuditFilter {
        what: what.into(),
        ..AuditFilter::default()
    };
    store.audit_rows(&filter, None, 100).await.expect("reads").len()
}

/// `/site` and three taps; what is said at the end.
async fn report(app: &TestApp, chat: i64, taps: [&str; 3]) -> String {
    let asked = app.ask(chat, "/site", 1).await;
    assert!(asked[0].contains("现在排队的人多吗"), "{asked:?}");
    tap(app, chat, taps[0]).await;
    tap(app, chat, taps[1]).await;
    tap(app, chat, taps[2]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_takes_three_taps_and_those_on_duty_hear_of_trouble_alone() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
        on_duty(&app, &operator, ("小赵", Role::Worker, PLACE), 3).await;
        on_duty(&app, &operator, ("小钱", Role::Worker, OTHER), 4).await;
        in_chat(&app, &operator, ("看客", Role::Viewer, "city"), 5).await;
        let before = [3, 4].map(|chat| app.to_chat(chat).len());
        let said = report(&app, 2, ["20人以内,间距够", "3", "没别的问题"]).await;
        assert!(
            said.contains("梧桐采样点:20人以内,间距够;采样台3;物资够,没别的问题"),
            "{said}"
        );
        assert!(app.ask(5, "/site", 1).await[0].contains("需要工作人员来做"));
        app.quiet().await;
        assert_eq!([3, 4].map(|chat| app.to_chat(chat).len()), before, "all is well");

        // Another tap on the same keyboard mends the report; those on duty there hear of the trouble, once.
        let said = tap(&app, 2, "登记系统").await;
        assert!(said.contains("登记系统很慢或登不上"), "{said}");
        told(&app, 3, "登记系统很慢").await;
        tap(&app, 2, "物资不多").await;
        told(&app, 3, "物资不多").await;
        let latest = app.store().latest_reports().await.expect("reads");
        assert_eq!((latest.len(), latest[0].faults().len()), (1, 2), "{latest:?}");
        assert_eq!(app.store().alerts(9).await.expect("reads").len(), 2);

        // The next report is well again: over, said once, and the buttons are gone.
        app.clock.advance(minutes(2));
        report(&app, 2, ["没人排队", "3", "没别的问题"]).await;
        told(&app, 3, "已经恢复").await;
        eventually("no button is left", async || {
            let sent = app.to_chat(3);
            let open = sent
                .iter()
                .filter(|sent| sent.text.contains("报告") && !sent.buttons.is_empty());
            (open.count() == 0).then_some(())
        })
        .await;
        app.quiet().await;
        assert_eq!(heard(&app, 3, "登记系统很慢"), 2, "the alert, and its end");
        assert_eq!(app.to_chat(4).len(), before[1], "another community");

        // A made-up button of another community's worker, and one from half an hour ago.
        let site = latest[0].site;
        let minute = app.clock.now().timestamp() / 60;
        let refused = press(&app, 4, &format!("w:s:{site}:{minute}:0:3:ok"), 1).await;
        assert!(refused[0].contains("不在您负责的范围"), "{refused:?}");
        let old = press(&app, 2, &format!("w:s:{site}:{}:0:3:ok", minute - 31), 1).await;
        assert!(old[0].contains("过时"), "{old:?}");
        for data in [
            "w:s:",
            "w:s:1:2",
            "w:s:x:y:z",
            "w:n:",
            "w:p:yes:",
            "w:a:x",
            "w:p:yes:99",
            "w:a:99",
        ] {
            let said = press(&app, 2, data, 1).await;
            assert!(said[0].contains("过时"), "{data}: {said:?}");
        }
        assert_eq!(
            on_record(app.store(), "refused.report_site").await,
            2,
            "and the viewer's"
        );
        assert_eq!(on_record(app.store(), "site.report").await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_shown_to_those_on_duty_and_a_residents_is_not() {
    let (app, operator) = city(sqlite().await).await;
    in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
    on_duty(&app, &operator, ("小赵", Role::Worker, PLACE), 3).await;
    report(&app, 2, ["没人排队", "3", "没别的问题"]).await;
    let before = app.to_chat(2).len();
    app.bot_api.user_sends_photo(2, "photo-1");
    let said = app.heard(2, before, 1).await;
    assert!(said[0].contains("照片收到了"), "{said:?}");
    let shown = told(&app, 3, "小王在梧桐采样点拍的照片").await;
    assert_eq!(shown.photo.as_deref(), Some("photo-1"));
    // What a worker sends later, or a resident ever, is answered as before.
    app.clock.advance(minutes(31));
    for chat in [2, 9] {
        let before = app.to_chat(chat).len();
        app.bot_api.user_sends_photo(chat, "photo-2");
        app.heard(chat, before, 1).await;
    }
    app.quiet().await;
    let photos = app.bot_api.sent().into_iter().filter(|sent| sent.photo.is_some());
    assert_eq!(photos.count(), 1);

    // How everything stands, on the command line.
    let folder = binary::write_config(&app);
    let status = binary::json(&folder, &["status"]).await;
    assert_eq!(status["sites"][0]["site"], "梧桐采样点", "{status}");
    assert_eq!(status["sites"][0]["report"]["queue"], "none");
    let words = binary::out(&binary::run(&folder, &["status"]).await);
    assert!(
        words.contains("梧桐采样点") && words.contains("no alerts"),
        "{words}"
    );
}

/// Told windows at the site in 梧桐社区: people that come in its busiest minute.
async fn busiest(app: &TestApp, round: RoundId) -> f64 {
    let windows = app.windows(round).await;
    let own = windows.iter().filter(|(place, _)| place.community == "梧桐社区");
    let mut minutes = std::collections::BTreeMap::<i64, f64>::new();
    for (_, window) in own {
        let long = (window.ends_at - window.starts_at).num_minutes();
        for minute in 0..long {
            let at = window.starts_at.timestamp() / 60 + minute;
            *minutes.entry(at).or_default() += 1.0 / long as f64;
        }
    }
    minutes.into_values().fold(0.0, f64::max)
}

/// 240 units, half of them in each community, and all told.
async fn told_round(app: &TestApp) -> RoundId {
    app.import(&many(240)).await;
    let (round, _) = app
        .plan_as(|spec| {
            spec.from = hour(18);
            spec.to = hour(21);
        })
        .await;
    app.release_at_once(round).await;
    app.settled(round).await;
    round
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_desks_are_proposed_confirmed_by_one_of_two_and_windows_move() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        let round = told_round(&app).await;
        in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
        on_duty(&app, &operator, ("林霞", Role::Coordinator, PLACE), 3).await;
        on_duty(&app, &operator, ("周洁", Role::Coordinator, PLACE), 4).await;
        on_duty(&app, &operator, ("钱进", Role::Coordinator, OTHER), 5).await;
        let elsewhere = app.to_chat(5).len();
        let said = report(&app, 2, ["50人以上,间距够", "1个,人手不够", "没别的问题"]).await;
        assert!(said.contains("已请协调员确认"), "{said}");
        let asked = told(&app, 3, "采样台从3个变成1个").await;
        told(&app, 4, "采样台从3个变成1个").await;
        assert!(asked.buttons.iter().flatten().count() == 2, "{:?}", asked.buttons);
        let before = app.windows(round).await;
        assert!(busiest(&app, round).await > 2.001, "two desks are used before");
        let yes = data(&asked, "确认");
        // A worker's and another community's press: refused, and nothing is changed.
        for (chat, word) in [(2, "需要协调员来做"), (5, "不在您负责的范围")] {
            let refused = press(&app, chat, &yes, 1).await;
            assert!(refused[0].contains(word), "{refused:?}");
        }
        assert_eq!(app.windows(round).await, before);
        // Two at once: one wins, and the other hears who.
        let heard_before = [3, 4].map(|chat| app.to_chat(chat).len());
        app.bot_api.user_taps(3, &yes);
        app.bot_api.user_taps(4, &yes);
        let mut answers = Vec::new();
        for (chat, before) in [3, 4].into_iter().zip(heard_before) {
            answers.push(app.heard(chat, before, 1).await.remove(0));
        }
        let won = answers.iter().filter(|said| said.contains("现在按1个采样台安排"));
        let late = answers.iter().filter(|said| said.contains("已经确认"));
        assert_eq!((won.count(), late.count()), (1, 1), "{answers:?}");
        let won = answers.iter().find(|said| said.contains("现在按")).expect("one");
        assert!(won.contains("往后移了"), "{won}");
        moved(&app, round, &before).await;
        assert_eq!(on_record(app.store(), "proposal.confirmed").await, 1);
        assert_eq!(on_record(app.store(), "refused.plan").await, 2);
        // The message says who, and has no buttons any more.
        for chat in [3, 4] {
            eventually("the message says who", async || {
                let sent = app
                    .to_chat(chat)
                    .into_iter()
                    .find(|sent| sent.text.contains("采样台从3个变成1个"))?;
                (sent.text.contains("已经确认") && sent.buttons.is_empty()).then_some(())
            })
            .await;
        }
        assert_eq!(app.to_chat(5).len(), elsewhere + 1, "only its own refusal");
        // The same number again is proposed no more.
        app.clock.advance(minutes(2));
        let said = report(&app, 2, ["没人排队", "1", "没别的问题"]).await;
        assert!(!said.contains("已请协调员"), "{said}");
    })
    .await;
}

/// Windows at the site moved later, and none anywhere else; what it can take is kept, and people hear of it.
async fn moved(app: &TestApp, round: RoundId, before: &[(weir::domain::UnitPlace, weir::domain::Window)]) {
    let after = app.windows(round).await;
    let mut count = 0;
    for (place, window) in &after {
        let (_, old) = before.iter().find(|(known, _)| known == place).expect("known");
        if window.starts_at != old.starts_at {
            assert!(
                window.starts_at > old.starts_at && place.community == "梧桐社区",
                "{place:?}"
            );
            count += 1;
        }
    }
    assert!(count > 0);
    assert!(
        busiest(app, round).await <= 2.001,
        "{}",
        busiest(app, round).await
    );
    app.settled(round).await;
    eventually("those who were told hear the new time", async || {
        (app.count(round, "correction", "delivered").await == count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_outlives_a_restart_and_a_newer_report_overtakes_it() {
    let (mut app, operator) = city(sqlite().await).await;
    in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
    on_duty(&app, &operator, ("林霞", Role::Coordinator, PLACE), 3).await;
    app.ask(2, "/site", 1).await;
    for wanted in ["没人排队", "2"] {
        app.stop_service().await;
        app.start_service();
        tap(&app, 2, wanted).await;
    }
    app.stop_service().await;
    app.start_service();
    tap(&app, 2, "没别的问题").await;
    let asked = told(&app, 3, "采样台从3个变成2个").await;
    app.stop_service().await;
    app.start_service();
    app.quiet().await;
    app.quiet().await;
    assert_eq!(heard(&app, 3, "采样台从3个变成2个"), 1, "asked once");
    app.clock.advance(minutes(2));
    report(&app, 2, ["没人排队", "4", "没别的问题"]).await;
    let newer = told(&app, 3, "采样台从3个变成4个").await;
    let late = press(&app, 3, &data(&asked, "确认"), 1).await;
    assert!(late[0].contains("不用处理"), "{late:?}");
    let left = press(&app, 3, &data(&newer, "不用改"), 1).await;
    assert!(left[0].contains("不改"), "{left:?}");
    let sites = app.store().sites().await.expect("reads");
    assert_eq!(sites[0].desks, 3, "nothing was confirmed");
    eventually("nothing waits any more", async || {
        let open = app.store().open_alerts().await.expect("reads");
        open.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_proposed_by_a_worker_and_opened_by_a_coordinator() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
        on_duty(&app, &operator, ("林霞", Role::Coordinator, PLACE), 3).await;
        in_chat(&app, &operator, ("看客", Role::Viewer, "city"), 4).await;
        assert!(app.ask(4, "/incident", 1).await[0].contains("需要工作人员来做"));
        app.ask(2, "/incident", 1).await;
        tap(&app, 2, "梧桐采样点").await;
        let sure = tap(&app, 2, "登记系统").await;
        assert!(sure.contains("要请协调员宣布故障吗"), "{sure}");
        let said = tap(&app, 2, "请协调员决定").await;
        assert!(said.contains("已告诉协调员"), "{said}");
        assert!(app.store().open_incidents().await.expect("reads").is_empty());
        let asked = told(&app, 3, "要宣布故障吗").await;
        let yes = data(&asked, "确认");
        let refused = press(&app, 2, &yes, 1).await;
        assert!(refused[0].contains("需要协调员来做"), "{refused:?}");
        let opened = press(&app, 3, &yes, 1).await;
        assert!(opened[0].contains("已宣布"), "{opened:?}");
        let open = app.store().open_incidents().await.expect("reads");
        assert_eq!((open.len(), open[0].scope.sites.len()), (1, 1));
        assert!(open[0].opened_by.starts_with("worker "), "{}", open[0].opened_by);

        // A coordinator opens one themselves; the same again is the same one; elsewhere they may not.
        app.ask(3, "/incident", 1).await;
        tap(&app, 3, "梧桐社区").await;
        let sure = tap(&app, 3, "天气").await;
        assert!(sure.contains("确定吗"), "{sure}");
        let last = app.to_chat(3).pop().expect("a message");
        let declare = data(&last, "宣布故障");
        let said = press(&app, 3, &declare, 1).await;
        assert!(said[0].contains("已宣布"), "{said:?}");
        let said = press(&app, 3, &declare, 1).await;
        assert!(said[0].contains("已经宣布过"), "{said:?}");
        let minute = app.clock.now().timestamp() / 60;
        let communities = app.store().communities().await.expect("reads");
        let elsewhere = communities.iter().find(|(_, path)| path[2] == "银杏社区");
        let elsewhere = format!("m{}", elsewhere.expect("is known").0);
        for scope in ["city", "s2", &elsewhere] {
            let refused = press(&app, 3, &format!("w:n:{scope}:other:{minute}"), 1).await;
            assert!(refused[0].contains("不在您负责的范围"), "{scope}: {refused:?}");
        }
        let old = press(&app, 3, &format!("w:n:s1:other:{}", minute - 31), 1).await;
        assert!(old[0].contains("过时"), "{old:?}");
        assert_eq!(app.store().open_incidents().await.expect("reads").len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn what_nobody_sees_to_goes_up_is_acknowledged_once_and_ends_by_itself() {
    on_both(async |test| {
        let (mut app, operator) = city(test).await;
        on_duty(&app, &operator, ("小王", Role::Worker, "city"), 2).await;
        on_duty(&app, &operator, ("林霞", Role::Coordinator, "city"), 3).await;
        in_chat(&app, &operator, ("看客", Role::Viewer, "city"), 4).await;
        app.ask(1, "/duty", 1).await;
        app.smsc.set_fault(smsc::Fault::Cut);
        app.quiet().await;
        // It is seen to be away, and then away for some minutes.
        for passed in [TimeDelta::seconds(20), minutes(4)] {
            app.clock.advance(passed);
            app.quiet().await;
            app.quiet().await;
        }
        let first = told(&app, 2, "通道carrier从").await;
        assert_eq!(heard(&app, 3, "通道carrier从"), 0, "the worker on duty first");
        // A restart in the middle: nobody hears it twice, and the time goes on.
        app.stop_service().await;
        app.start_service();
        app.quiet().await;
        app.clock.advance(minutes(10));
        let second = told(&app, 3, "通道carrier从").await;
        assert_eq!(heard(&app, 1, "通道carrier从"), 0, "the operator not yet");
        app.clock.advance(minutes(10));
        told(&app, 1, "通道carrier从").await;
        app.quiet().await;
        for chat in [1, 2, 3] {
            assert_eq!(heard(&app, chat, "通道carrier从"), 1, "chat {chat} once");
        }
        let see = data(&first, "我来处理");
        let refused = press(&app, 4, &see, 1).await;
        assert!(refused[0].contains("需要工作人员来做"), "{refused:?}");
        let said = press(&app, 3, &see, 1).await;
        assert!(said[0].contains("由您处理"), "{said:?}");
        let late = press(&app, 2, &see, 1).await;
        assert!(late[0].contains("林霞已经在处理"), "{late:?}");
        eventually("the other's message says who", async || {
            let sent = app
                .to_chat(2)
                .into_iter()
                .find(|sent| sent.message_id == first.message_id)?;
            (sent.text.contains("林霞在处理") && sent.buttons.is_empty()).then_some(())
        })
        .await;
        // Its end, a while after the connection is there again.
        app.smsc.set_fault(smsc::Fault::None);
        app.smsc.bound().await;
        app.clock.advance(TimeDelta::seconds(20));
        app.quiet().await;
        app.quiet().await;
        assert_eq!(heard(&app, 2, "已经恢复"), 0, "it may go away again");
        app.clock.advance(minutes(2));
        for chat in [1, 2, 3] {
            told(&app, chat, "已经恢复").await;
        }
        app.quiet().await;
        let edited = app
            .to_chat(3)
            .into_iter()
            .find(|sent| sent.message_id == second.message_id);
        assert!(edited.expect("it stays").buttons.is_empty());
        for chat in [1, 2, 3] {
            assert_eq!(
                heard(&app, chat, "通道carrier从"),
                2,
                "chat {chat}: the alert, and its end"
            );
        }
        let over = press(&app, 2, &see, 1).await;
        assert!(over[0].contains("已经恢复"), "{over:?}");
        assert_eq!(on_record(app.store(), "alert.acknowledge").await, 1);
        assert_eq!(app.store().alerts(9).await.expect("reads").len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_api_that_does_not_answer_is_told_once_it_does_again() {
    let (app, operator) = city(sqlite().await).await;
    on_duty(&app, &operator, ("林霞", Role::Coordinator, "city"), 3).await;
    app.bot_api.set_fault(fake::Fault::Hang);
    app.clock.advance(minutes(1));
    let of_bot = async |open: bool| {
        eventually("the alert", async || {
            app.clock.advance(TimeDelta::seconds(20));
            let alerts = app.store().alerts(9).await.expect("reads");
            let found = alerts.iter().find(|alert| alert.key == "channel_down:telegram")?;
            (found.over_at.is_none() == open).then_some(())
        })
        .await;
    };
    of_bot(true).await;
    app.bot_api.set_fault(fake::Fault::None);
    of_bot(false).await;
    told(&app, 3, "已经恢复").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_listed_and_seen_to_on_the_command_line() {
    let (app, operator) = city(sqlite().await).await;
    in_chat(&app, &operator, ("小王", Role::Worker, PLACE), 2).await;
    add(app.store(), &operator, "看客", Role::Viewer, "city").await;
    report(&app, 2, ["50人以上,挤在一起", "3", "没别的问题"]).await;
    eventually("the alert", async || {
        let open = app.store().open_alerts().await.expect("reads");
        (!open.is_empty()).then_some(())
    })
    .await;
    let folder = binary::write_config(&app);
    let listed = binary::json(&folder, &["alerts"]).await;
    assert_eq!(listed["alerts"][0]["kind"], "site_trouble", "{listed}");
    let id = listed["alerts"][0]["id"].to_string();
    for who in [&["--as", "看客"][..], &[]] {
        let refused = binary::run(&folder, &[&["alerts", "ack", id.as_str()], who].concat()).await;
        assert!(!refused.status.success(), "{who:?}");
    }
    let done = binary::json(&folder, &["alerts", "ack", &id, "--as", "高敏"]).await;
    assert_eq!(done["acknowledged"], true);
    let late = binary::run(&folder, &["alerts", "ack", &id, "--as", "小王"]).await;
    assert!(binary::err(&late).contains("already"), "{}", binary::err(&late));
    decided_on_the_command_line(&app, &folder).await;
    let words = binary::out(&binary::run(&folder, &["status"]).await);
    assert!(
        words.contains("sees to it") && words.contains("too close"),
        "{words}"
    );
}

async fn decided_on_the_command_line(app: &TestApp, folder: &std::path::Path) {
    app.clock.advance(minutes(2));
    report(app, 2, ["50人以上,挤在一起", "4", "没别的问题"]).await;
    let id = eventually("the proposal", async || {
        let open = app.store().open_alerts().await.expect("reads");
        let asks = open
            .iter()
            .find(|alert| alert.kind == weir::domain::AlertKind::Proposal);
        asks.map(|alert| alert.id.to_string())
    })
    .await;
    let refused = binary::run(folder, &["alerts", "decide", &id, "--confirm", "--as", "小王"]).await;
    assert!(
        binary::err(&refused).contains("coordinator"),
        "{}",
        binary::err(&refused)
    );
    let done = binary::json(folder, &["alerts", "decide", &id, "--confirm", "--as", "高敏"]).await;
    assert_eq!(
        (&done["done"], &done["moved"]["moved_units"]),
        (&true.into(), &0.into()),
        "{done}"
    );
    let late = binary::run(folder, &["alerts", "decide", &id, "--leave", "--as", "高敏"]).await;
    assert!(binary::err(&late).contains("confirmed"), "{}", binary::err(&late));
    assert_eq!(app.store().sites().await.expect("reads")[0].desks, 4);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn reports_proposals_and_alerts_are_kept_whole_through_backup_rotation_and_erasure() {
    on_both(async |test| {
        let (store, now) = (&test.store, evening());
        crate::store::small_round(store).await;
        let operator = first(store).await;
        let site = store.sites().await.expect("reads").remove(0);
        let new = |desks, minute: i64, rest| NewReport {
            key: format!("1:{}:{minute}", site.id),
            site: site.id,
            worker: operator.id,
            queue: weir::domain::QueueLength::Short,
            apart: true,
            desks,
            staff_short: false,
            rest,
        };
        let (one, none) = store
            .report_site(&new(site.desks, 1, Rest::Well), now)
            .await
            .expect("stores");
        assert_eq!((one.desks, none), (site.desks, None));
        let more = site.desks + 2;
        let (two, proposal) = store
            .report_site(
                &new(more, 2, Rest::Supplies(weir::domain::Supplies::Low)),
                now + minutes(1),
            )
            .await
            .expect("stores");
        let proposal = proposal.expect("another number");
        let (same, again) = store
            .report_site(
                &new(more, 2, Rest::Trouble(weir::domain::Trouble::Other)),
                now + minutes(1),
            )
            .await
            .expect("stores");
        assert_eq!(
            (same.id, again),
            (two.id, Some(proposal)),
            "a tap that adds is no second report"
        );
        assert_eq!(same.supplies, weir::domain::Supplies::Low);
        let other = add(store, &operator, "小王", Role::Worker, "city").await;
        let photo = store
            .photograph_report(two.id, other.id, "file")
            .await
            .expect("reads");
        assert_eq!(photo, None, "another's report");
        let photo = store
            .photograph_report(two.id, operator.id, "file")
            .await
            .expect("stores");
        assert_eq!(photo.and_then(|report| report.photo).as_deref(), Some("file"));
        let read = store.site_report(two.id).await.expect("reads").expect("is there");
        assert_eq!((read.worker, read.photo.as_deref()), (operator.id, Some("file")));
        let last = store.last_site_of(operator.id, now).await.expect("reads");
        assert_eq!(last, Some(site.id));
        assert_eq!(store.last_site_of(other.id, now).await.expect("reads"), None);
        let scope = weir::domain::FieldScope::City;
        let (incident, is_new) = store
            .propose_incident(scope, &Area::City, IncidentReason::Weather, Actor::Owner, now)
            .await
            .expect("stores");
        let repeat = store
            .propose_incident(scope, &Area::City, IncidentReason::Weather, Actor::Owner, now)
            .await;
        assert!(is_new && repeat.expect("reads") == (incident, false));
        assert_eq!(store.waiting_proposals().await.expect("reads").len(), 2);
        let decide = async |who, confirm, origin| {
            let decided = store.decide_proposal(proposal, confirm, who, origin, now).await;
            decided.expect("decides").expect("is there")
        };
        let won = decide(Actor::Owner, true, "inbound:1").await;
        assert!(matches!(&won, Decided::Now(one) if one.state == ProposalState::Confirmed));
        assert_eq!(
            decide(Actor::Owner, true, "inbound:1").await,
            won,
            "a repeat is told the same"
        );
        let late = decide(Actor::Weir, false, "inbound:2").await;
        assert!(matches!(late, Decided::Before(one) if one.decided_by == Some(Actor::Owner)));
        assert_eq!(store.sites().await.expect("reads")[0].desks, more);
        let old = store.overtake_proposals(now, now).await.expect("reads");
        let gone = store
            .overtake_proposals(now + minutes(1), now)
            .await
            .expect("notes");
        assert_eq!((old, gone), (0, 1), "the incident that nobody decided");
        alerts_live_once(store).await;

        let file = test.folder.path().join("backup");
        let kept = (
            store.latest_reports().await.expect("reads"),
            store.alerts(9).await.expect("reads"),
        );
        store.backup(&file, now).await.expect("backs up");
        store.restore(&file, now).await.expect("restores");
        store.close().await;
        Store::rotate_key(&test.url, &test.key_file(), |_, _| {})
            .await
            .expect("rotates");
        let store = test.again().await;
        let found = (
            store.latest_reports().await.expect("opens"),
            store.alerts(9).await.expect("opens"),
        );
        assert_eq!(found, kept);
        store.erase_old(now + TimeDelta::days(1)).await.expect("erases");
        let left = store.latest_reports().await.expect("reads");
        assert_eq!(
            (left[0].id, left[0].photo.as_deref()),
            (two.id, None),
            "facts stay"
        );
    })
    .await;
}

async fn alerts_live_once(store: &Store) {
    let now = evening();
    let new = NewAlert {
        key: "channel_down:carrier".into(),
        kind: weir::domain::AlertKind::ChannelDown,
        area: Area::City,
        details: weir::domain::AlertDetails::default(),
        level: Role::Worker,
    };
    // Two processes at once.
    let both = futures_util::future::join_all((0..2).map(|_| store.open_alert(&new, now))).await;
    let opened = both.into_iter().filter(|one| *one.as_ref().expect("writes"));
    assert_eq!(opened.count(), 1);
    let open = store.open_alerts().await.expect("reads");
    let id = open[0].id;
    assert!(store.raise_alert(id, Role::Coordinator).await.expect("raises"));
    assert!(!store.raise_alert(id, Role::Coordinator).await.expect("reads"));
    store.quiet_alert(id, Some(now)).await.expect("notes");
    let read = store.alert(id).await.expect("reads").expect("is there");
    assert_eq!((read.level, read.quiet_since), (Role::Coordinator, Some(now)));
    let ack = async |actor| store.acknowledge_alert(id, actor, now).await.expect("writes");
    assert_eq!(ack(Actor::Owner).await, Some(Acknowledged::Now));
    assert_eq!(ack(Actor::Weir).await, Some(Acknowledged::Before(Actor::Owner)));
    assert!(
        !store.raise_alert(id, Role::Operator).await.expect("reads"),
        "somebody sees to it"
    );
    assert!(store.end_alert(id, now).await.expect("ends") && !store.end_alert(id, now).await.expect("reads"));
    assert_eq!(ack(Actor::Weir).await, Some(Acknowledged::Over));
    assert_eq!(store.alerts_to_end().await.expect("reads").len(), 1);
    store.end_of_alert_told(id).await.expect("notes");
    assert!(store.alerts_to_end().await.expect("reads").is_empty());
    assert!(
        store.open_alert(&new, now).await.expect("writes"),
        "the next time is another one"
    );
    assert!(store.told_by_name("alert:1").await.expect("reads").is_empty());
    assert!(store.oldest_ready(now).await.expect("reads").is_empty());
    assert!(store.overdue_visits(now).await.expect("reads").is_empty());
}

/// A visit for which no team is there.
async fn asked(app: &TestApp) -> weir::domain::VisitId {
    let units = app.store().units().await.expect("reads");
    let unit = units.iter().find(|unit| unit.place.community == "梧桐社区");
    let texts = weir::i18n::Texts::load().expect("texts");
    let teller = VisitTeller::new(&texts, &app.config, weir::channels::sms::segment::parts);
    let new = weir::store::NewVisit {
        key: "typed:1".into(),
        unit: unit.expect("a unit").unit,
        door: "101".into(),
        asker: None,
        for_whom: weir::domain::VisitFor::Neighbour,
        name: "陈桂英".into(),
        people: 1,
        reason: "骨折".into(),
        access: String::new(),
        phone: None,
        wish: None,
        urgent: false,
        by: weir::domain::VisitBy::coordinator("owner"),
        quiet: false,
        chance: 7,
    };
    let asked = app.store().ask_visit(&new, &teller, app.clock.now()).await;
    let (weir::store::Asked::New(visit) | weir::store::Asked::Known(visit)) = asked.expect("asks");
    visit.id
}

#[tokio::test(flavor = "multi_thread")]
async fn residents_who_wait_and_visits_that_nobody_touches_come_to_coordinators() {
    on_both(async |test| {
        let (app, operator) = city(test).await;
        on_duty(&app, &operator, ("王护士", Role::Worker, PLACE), 2).await;
        on_duty(&app, &operator, ("林霞", Role::Coordinator, PLACE), 3).await;
        app.text("+8619900000001", "人工", 1).await;
        app.clock.advance(minutes(46));
        told(&app, 3, "等到现在没有人答复").await;
        assert_eq!(
            heard(&app, 2, "等到现在没有人答复"),
            0,
            "the inbox told the worker"
        );
        let id = app
            .store()
            .threads(&ThreadFilter::default())
            .await
            .expect("reads")[0]
            .id;
        press(&app, 3, &format!("w:i:end:{id}"), 1).await;
        told(&app, 3, "已经恢复").await;

        let visit = asked(&app).await;
        app.clock.advance(minutes(121));
        eventually("it is handed upwards", async || {
            let raised = app.store().raised_visits(0).await.expect("reads");
            (!raised.is_empty()).then_some(())
        })
        .await;
        app.clock.advance(minutes(16));
        let alert = eventually("the alert of a visit", async || {
            let open = app.store().open_alerts().await.expect("reads");
            open.into_iter()
                .find(|alert| alert.key == format!("visit_overdue:{visit}"))
        })
        .await;
        assert_eq!(
            (alert.area.to_string().as_str(), alert.level),
            (PLACE, Role::Coordinator)
        );
        told(&app, 3, "到现在没有人处理").await;
        let raised = app.store().raised_visits(0).await.expect("reads");
        assert!(
            app.clock.now() - raised[0].at >= minutes(15),
            "the inbox told it before"
        );
        let by = weir::domain::VisitBy::coordinator("owner");
        let cancel = weir::store::VisitChange::new(visit, weir::domain::VisitAct::Cancel, by);
        let texts = weir::i18n::Texts::load().expect("texts");
        let teller = VisitTeller::new(&texts, &app.config, weir::channels::sms::segment::parts);
        let now = app.clock.now();
        app.store()
            .act_on_visit(&cancel, &teller, now)
            .await
            .expect("cancels");
        eventually("it is over", async || {
            let alert = app.store().alert(alert.id).await.expect("reads")?;
            alert.over_at
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    clippy::large_futures,
    reason = "one story, with two processes in it"
)]
async fn a_paused_pacing_is_told_once_by_two_processes_and_not_where_somebody_holds_it() {
    on_both(async |test| {
        let mut app = TestApp::set(test, weir::clock::Clock::manual(crate::app::afternoon()), |_| {}).await;
        app.config.registration.url = Some("http://127.0.0.1:9".into());
        app.import(&many(8)).await;
        let store = app.store().clone();
        let operator = first(&store).await;
        let chat = store
            .contact(&Address::Chat(1), app.clock.now())
            .await
            .expect("is written down");
        raw(
            &app.test,
            &format!(
                "update workers set contact_id = {chat} where id = {}",
                operator.id
            ),
        )
        .await;
        let looks = |app: &TestApp| Alerts {
            store: store.clone(),
            clock: app.clock.clone(),
            texts: weir::i18n::Texts::load().expect("texts"),
            config: app.config.clone(),
            written: tokio::sync::watch::channel(0).0,
            channels: Vec::new(),
            down: std::collections::HashMap::new(),
            asked_at: None,
            shown: std::collections::HashMap::new(),
        };
        let pause = async || {
            let decision = weir::store::NewDecision {
                law: String::new(),
                sample: None,
                mode: "paused",
                per_second: 0.0,
                starts_per_second: 0.0,
                safe_per_second: 1.0,
                nominal_capacity: None,
                reasons: Vec::new(),
                ordered: None,
            };
            store
                .save_decision(&decision, &[], app.clock.now())
                .await
                .expect("writes");
        };
        pause().await;
        let (mut one, mut other) = (looks(&app), looks(&app));
        one.step().await.expect("looks");
        assert!(
            store.open_alerts().await.expect("reads").is_empty(),
            "no round goes on"
        );
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        let both = tokio::join!(one.step(), other.step());
        both.0.and(both.1).expect("look");
        one.step().await.expect("looks");
        other.step().await.expect("looks");
        assert_eq!(store.open_alerts().await.expect("reads")[0].key, "pacing_paused");
        assert_eq!(store.told_by_name("alert:1").await.expect("reads"), [chat]);
        let all = store
            .deliveries(&weir::store::DeliveryFilter::default(), 100)
            .await
            .expect("reads");
        let told = all.iter().filter(|delivery| delivery.key.starts_with("alert:"));
        assert_eq!(told.count(), 1);
        // Who holds it by hand knows: it is over, once that has lasted.
        let held = store.set_pacing_by_hand("held", "owner", "a test", app.clock.now());
        held.await.expect("is held");
        for _ in 0..2 {
            one.step().await.expect("looks");
            app.clock.advance(minutes(3));
        }
        one.step().await.expect("looks");
        assert!(store.open_alerts().await.expect("reads").is_empty());
    })
    .await;
}

/// What is done in the transcript: by whom, and what.
enum Act {
    /// They write this.
    Write(i64, &'static str),
    /// They tap this button of their last message, counted from the first.
    Tap(i64, usize),
    /// They are told something.
    Hear(i64),
    /// A heading.
    About(&'static str),
}

const WORKER: i64 = 2;
const COORDINATOR: i64 = 3;

const ACTS: [Act; 20] = [
    Act::About("A worker reports from a site"),
    Act::Write(WORKER, "/site"),
    Act::Tap(WORKER, 3),
    Act::Tap(WORKER, 4),
    Act::Tap(WORKER, 0),
    Act::About("A coordinator confirms the desks"),
    Act::Hear(COORDINATOR),
    Act::Tap(COORDINATOR, 0),
    Act::About("A worker proposes an incident"),
    Act::Write(WORKER, "/incident"),
    Act::Tap(WORKER, 0),
    Act::Tap(WORKER, 2),
    Act::Tap(WORKER, 0),
    Act::Hear(COORDINATOR),
    Act::Tap(COORDINATOR, 1),
    Act::About("A coordinator declares one"),
    Act::Write(COORDINATOR, "/incident"),
    Act::Tap(COORDINATOR, 0),
    Act::Tap(COORDINATOR, 1),
    Act::Tap(COORDINATOR, 0),
];

fn name(chat: i64) -> &'static str {
    if chat == WORKER { "worker" } else { "coordinator" }
}

async fn transcript(language: Language) -> String {
    let (app, operator) = city(sqlite().await).await;
    let worker = in_chat(&app, &operator, ("小王", Role::Worker, PLACE), WORKER).await;
    let coordinator = on_duty(&app, &operator, ("林霞", Role::Coordinator, PLACE), COORDINATOR).await;
    for one in [&worker, &coordinator] {
        let set = app
            .store()
            .set_worker_language(one.id, language, app.clock.now())
            .await;
        set.expect("is set");
    }
    let mut out = format!("## {}\n\n", language.code());
    let mut seen = [WORKER, COORDINATOR].map(|chat| app.to_chat(chat).len());
    for act in ACTS {
        let (chat, done) = match act {
            Act::About(heading) => {
                let _ = writeln!(out, "### {heading}\n");
                continue;
            }
            Act::Write(chat, words) => {
                app.bot_api.user_says(chat, "zh-hans", "…", words);
                (chat, format!("*{}* **›** {words}", name(chat)))
            }
            Act::Tap(chat, index) => {
                let last = app.to_chat(chat).pop().expect("a message");
                let Some(Button::Choice { label, data }) = last.buttons.iter().flatten().nth(index) else {
                    panic!("{last:?}");
                };
                app.bot_api.user_taps(chat, data);
                (chat, format!("*{}* **›** [{label}]", name(chat)))
            }
            Act::Hear(chat) => (chat, format!("*({} is told)*", name(chat))),
        };
        let before = &mut seen[usize::from(chat == COORDINATOR)];
        app.heard(chat, *before, 1).await;
        let sent = app.to_chat(chat)[*before].clone();
        *before += 1;
        let _ = writeln!(out, "{done}\n");
        for line in sent.text.lines() {
            let _ = writeln!(out, "> {line}  ");
        }
        for row in &sent.buttons {
            let labels = row.iter().filter_map(|button| match button {
                Button::Choice { label, .. } => Some(format!("`{label}`")),
                _ => None,
            });
            let _ = writeln!(out, "> {}  ", labels.collect::<Vec<_>>().join(" "));
        }
        out.push('\n');
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transcript_is_what_is_said() {
    let mut said = "# Workers at the sites\n\nWritten by `WEIR_WRITE_TRANSCRIPTS=1 cargo test --test it site::the_transcript`, \
                    over the real Bot API protocol; a test compares. The data are invented.\n\n"
        .to_owned();
    for language in Language::ALL {
        said += &transcript(language).await;
    }
    crate::transcripts::compare_kept("sites.md", &said);
}
