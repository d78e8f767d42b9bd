//! A round from the roster to what every phone and chat has been told.

use std::time::Duration;

use chrono::TimeDelta;
use weir::{
    channels::sms::smsc::Fault,
    clock::Clock,
    domain::{ChannelKind, DeliveryState, NoticeKind, RoundState},
    release::{
        plan::{self, PlanError},
        replan::{self, ReplanQuota},
    },
    store::{Change, WindowMove},
};

use crate::{
    app::{TestApp, afternoon, eventually, hour, hours},
    support::{delivery, evening, minutes, on_both, sqlite},
};

/// Two communities; a phone with two homes; a household without a phone; a row that is refused.
const CITY: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,\n\
锦江区,春熙街道,梧桐社区,1栋,2单元,101,Ann Lee,+8619900000002,en,\n\
锦江区,春熙街道,梧桐社区,2栋,1单元,101,李小明,+8619900000003,zh-Hant,\n\
锦江区,春熙街道,梧桐社区,2栋,2单元,101,张明,+8619900000004,zh-Hans,\n\
锦江区,春熙街道,银杏社区,3栋,1单元,101,张奶奶,+8619900000004,zh-Hans,elderly\n\
锦江区,春熙街道,银杏社区,3栋,1单元,102,赵六,,zh-Hans,no_smartphone\n\
锦江区,春熙街道,银杏社区,4栋,1单元,101,孙七,+8619900000005,zh-Hans,\n\
锦江区,春熙街道,银杏社区,4栋,,102,周八,+8619900000006,zh-Hans,\n";

/// As many units as wanted, each with one household and one phone.
pub fn many(units: u32) -> String {
    let mut rows = String::new();
    for n in 0..units {
        let (building, unit) = (n / 4 + 1, n % 4 + 1);
        let community = if n % 2 == 0 {
            "梧桐社区"
        } else {
            "银杏社区"
        };
        rows += &format!(
            "锦江区,春熙街道,{community},{building}栋,{unit}单元,101,居民{n},+8619901{n:06},zh-Hans,\n"
        );
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_their_own_window_by_the_right_channel_and_in_their_language() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        let report = app.import(CITY).await;
        assert_eq!((report.summary.added, report.summary.refused), (7, 1));
        app.link(502, "en", "+8619900000002").await;
        let telegram_before = app.bot_api.count();
        let (round, summary) = app.plan().await;
        assert_eq!((summary.units, summary.over_capacity_units), (6, 0));
        app.release(round).await;
        app.pass_until_told(round).await;
        app.settled(round).await;

        let windows = app.windows(round).await;
        let expected = [
            ("+8619900000001", "核酸采样通知", vec!["1栋1单元"]),
            ("+8619900000003", "核酸採樣通知", vec!["2栋1单元"]),
            ("+8619900000004", "核酸采样通知", vec!["2栋2单元", "3栋1单元"]),
            ("+8619900000005", "核酸采样通知", vec!["4栋1单元"]),
        ];
        for (phone, heading, homes) in expected {
            let sent = app.to_phone(phone);
            assert_eq!(sent.len(), 1, "{phone} is told once");
            assert!(sent[0].text.contains(heading), "{}", sent[0].text);
            tells_exactly(&sent[0].text, &homes, &windows);
        }
        assert_eq!(app.smsc.submitted().len(), 4, "nobody else gets a text message");
        let sent = app.to_chat(502);
        let notice = sent.last().expect("told by Telegram");
        assert!(notice.text.contains("Your time for the test"), "{}", notice.text);
        tells_exactly(&notice.text, &["1栋2单元"], &windows);
        assert_eq!(app.bot_api.count() - telegram_before, 1);
        assert_eq!(app.count(round, "window", "delivered").await, 4, "with receipts");
        assert_eq!(app.count(round, "window", "sent").await, 1, "Telegram gives none");
    })
    .await;
}

/// The text names these homes, each with its own hours, and no other.
fn tells_exactly(text: &str, homes: &[&str], windows: &[(weir::domain::UnitPlace, weir::domain::Window)]) {
    for (place, window) in windows {
        let home = format!("{}{}", place.building, place.unit);
        let line = text.lines().filter(|line| line.contains(&home)).count();
        if homes.contains(&home.as_str()) {
            assert_eq!(line, 1, "{home} once in {text}");
            assert!(
                text.contains(&hours(window)),
                "{} for {home} in {text}",
                hours(window)
            );
            let site = format!("{}采样点", place.community.trim_end_matches("社区"));
            assert!(text.contains(&site), "{site} for {home} in {text}");
        } else {
            assert_eq!(line, 0, "{home} is not of {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_phone_goes_on_getting_text_messages_while_one_of_its_people_is_not_linked() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        // 张明 of 2栋2单元 links; 张奶奶 of 3栋1单元 has only the phone.
        let before = app.to_chat(504).len();
        app.bot_api.user_says(504, "zh-hans", "居民", "/start");
        app.bot_api.user_shares_contact(504, "8619900000004", true);
        app.heard(504, before, 2).await;
        let offer = app.to_chat(504).pop().expect("asked who of the two");
        let first = offer.buttons.iter().flatten().next().expect("a choice");
        let weir::domain::Button::Choice { data, .. } = first else {
            panic!("a choice is offered, not {first:?}")
        };
        app.bot_api.user_taps(504, data);
        app.heard(504, before, 3).await;
        app.no_reply_open().await;
        let replies = app.to_chat(504).len();

        let (round, _) = app.plan().await;
        app.release(round).await;
        app.pass_until_told(round).await;
        app.settled(round).await;
        let windows = app.windows(round).await;
        let chat = app.to_chat(504);
        assert_eq!(chat.len(), replies + 1, "the chat is told once");
        tells_exactly(&chat[replies].text, &["2栋2单元"], &windows);
        let phone = app.to_phone("+8619900000004");
        assert_eq!(phone.len(), 1);
        tells_exactly(&phone[0].text, &["3栋1单元"], &windows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_reminded_once_before_the_window_and_nobody_after_it() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let (round, _) = app.plan().await;
    app.release_at_once(round).await;
    app.settled(round).await;
    let told = app.smsc.submitted().len();
    assert_eq!(told, 5);

    let windows = app.windows(round).await;
    let first = windows.first().expect("a window").1.starts_at;
    app.jump_to(first - minutes(31));
    app.quiet().await;
    assert_eq!(app.smsc.submitted().len(), told, "nobody is reminded early");

    // The phone with two homes is reminded of each, the household without a phone of none.
    let mut starts: Vec<_> = windows.iter().map(|(_, window)| window.starts_at).collect();
    starts.dedup();
    for start in &starts {
        if *start - minutes(29) > app.clock.now() {
            app.jump_to(*start - minutes(29));
        }
        eventually("those whose window is near are reminded", async || {
            let reminded = app.smsc.submitted().len() - told;
            let near = windows
                .iter()
                .filter(|(_, window)| window.starts_at <= *start)
                .count();
            (reminded >= near).then_some(())
        })
        .await;
    }
    for reminder in app.smsc.submitted().iter().skip(told) {
        let (_, window) = windows
            .iter()
            .find(|(place, _)| {
                reminder
                    .text
                    .contains(&format!("{}{}", place.building, place.unit))
            })
            .expect("it names a home");
        assert!(reminder.text.contains(&hours(window)), "{}", reminder.text);
        assert!(reminder.at < window.starts_at && reminder.at > window.starts_at - minutes(31));
    }
    let all = app.smsc.submitted().len();
    assert_eq!(all, told + 6);
    app.jump_to(
        windows
            .iter()
            .map(|(_, window)| window.ends_at)
            .max()
            .expect("a window")
            + minutes(1),
    );
    eventually("the round is over", async || {
        let round = app.store().round(round).await.expect("reads")?;
        (round.state == RoundState::Done).then_some(())
    })
    .await;
    app.quiet().await;
    assert_eq!(
        app.smsc.submitted().len(),
        all,
        "nothing leaves after the last window"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_round_does_not_reach_is_counted_by_unit() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let (round, summary) = app.plan().await;
        assert_eq!(
            summary.people, 7,
            "the household without a phone has its window too"
        );
        let silent = app.store().silent_households(round).await.expect("reads");
        let listed: Vec<_> = silent
            .iter()
            .map(|unit| (unit.place.building.as_str(), unit.households, unit.people))
            .collect();
        assert_eq!(listed, [("3栋", 1, 1)]);
        let refused = app.store().refusals(false).await.expect("reads");
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].line, refused[0].column.as_str()), (9, "unit"));

        // Who moved to a chat and stopped it there is reached no more, whatever phone is on the roster.
        app.link(501, "zh-hans", "+8619900000001").await;
        app.ask(501, "退订", 1).await;
        // And so is who stopped the text messages.
        app.text("+8619900000005", "TD", 1).await;
        let silent = app.store().silent_households(round).await.expect("reads");
        let mut listed: Vec<_> = silent
            .iter()
            .map(|unit| (unit.place.building.as_str(), unit.households, unit.opted_out))
            .collect();
        listed.sort_unstable();
        assert_eq!(listed, [("1栋", 1, 1), ("3栋", 1, 0), ("4栋", 1, 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_what_has_not_left_and_resume_lets_it_go() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let (round, _) = app.plan().await;
        app.smsc.set_fault(Fault::Cut);
        app.release_at_once(round).await;
        eventually("every unit told", async || {
            let (told, units) = app.store().told(round).await.expect("reads");
            (told == units).then_some(())
        })
        .await;
        eventually("everything is back in the queue", async || {
            (app.count(round, "window", "queued").await == 5).then_some(())
        })
        .await;
        move_round(&app, round, RoundState::Paused).await;
        assert_eq!(app.count(round, "window", "held").await, 5);
        app.smsc.set_fault(Fault::None);
        app.smsc.bound().await;
        app.quiet().await;
        assert_eq!(app.smsc.submitted().len(), 0, "a paused round says nothing");

        move_round(&app, round, RoundState::Releasing).await;
        app.settled(round).await;
        assert_eq!(app.count(round, "window", "delivered").await, 5);
        let history = &app.deliveries(round).await[0].history;
        let states: Vec<&str> = history.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(states.first(), Some(&"queued"));
        assert!(
            states.ends_with(&["held", "queued", "sending", "accepted", "delivered"]),
            "{states:?}"
        );
    })
    .await;
}

async fn move_round(app: &TestApp, round: weir::domain::RoundId, to: RoundState) {
    plan::move_round(app.store(), round, to, app.clock.now())
        .await
        .expect("the round may move");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_round_says_no_more() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(&many(8)).await;
        let (round, _) = app.plan().await;
        app.smsc.set_fault(Fault::Cut);
        app.release_at_once(round).await;
        eventually("some wait in the queue", async || {
            (app.count(round, "window", "queued").await == 8).then_some(())
        })
        .await;
        move_round(&app, round, RoundState::Cancelled).await;
        app.smsc.set_fault(Fault::None);
        app.smsc.bound().await;
        app.quiet().await;
        assert_eq!(app.smsc.submitted().len(), 0);
        assert_eq!(app.count(round, "window", "cancelled").await, 8);
        assert_eq!(app.store().open_deliveries(Some(round)).await.expect("reads"), 0);
        let again = plan::release_round(app.store(), round, false, app.clock.now()).await;
        assert!(matches!(again, Err(PlanError::Refused(why)) if why.contains("cancelled")));
    })
    .await;
}

/// What a dispatcher held when the round was paused or cancelled, and could not send, waits or is withdrawn as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_flight_when_a_round_stopped_does_not_go_back_to_the_queue() {
    on_both(async |test| {
        let store = &test.store;
        let (round, _) = crate::store::small_round(store).await;
        let phone = weir::domain::Address::Phone(crate::support::phone(1));
        let contact = store.contact(&phone, evening()).await.expect("known");
        for (to, expected) in [(RoundState::Paused, "held"), (RoundState::Cancelled, "cancelled")] {
            let mut new = [
                delivery(&format!("window:{expected}:1"), contact, NoticeKind::Window),
                delivery(&format!("window:{expected}:2"), contact, NoticeKind::Window),
            ];
            for one in &mut new {
                one.round = Some(round);
            }
            store.enqueue(&new, evening()).await.expect("writes");
            let claimed = store
                .claim(ChannelKind::Sms, 0..=5, 10, evening(), evening() + minutes(5))
                .await
                .expect("claims");
            assert_eq!(claimed.len(), 2);
            let from = [RoundState::Releasing, RoundState::Paused];
            assert!(
                store
                    .move_round(round, &from, to, evening())
                    .await
                    .expect("moves")
            );
            let change = Change {
                id: claimed[0].message.delivery,
                to: DeliveryState::Queued,
                reason: "not reachable".into(),
                next_at: Some(evening()),
                uncounted: false,
                may_repeat: false,
                refs: None,
                bad_address: false,
            };
            store.record(&[change], evening()).await.expect("records");
            store.recover_sending(None, evening()).await.expect("recovers");
            for one in &claimed {
                let row = store
                    .delivery(one.message.delivery)
                    .await
                    .expect("reads")
                    .expect("is there");
                assert_eq!(row.state, expected, "{:?}", row.history);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_can_no_longer_be_in_time_is_not_sent() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let (round, _) = app.plan().await;
        app.smsc.set_fault(Fault::Cut);
        app.release_at_once(round).await;
        eventually("every unit told", async || {
            let (told, units) = app.store().told(round).await.expect("reads");
            (told == units).then_some(())
        })
        .await;
        let last = app.windows(round).await.pop().expect("a window").1;
        app.jump_to(last.starts_at + minutes(1));
        app.settled(round).await;
        app.smsc.set_fault(Fault::None);
        app.smsc.bound().await;
        app.quiet().await;
        assert_eq!(app.smsc.submitted().len(), 0, "nothing is sent late");
        assert_eq!(app.count(round, "window", "expired").await, 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carriers_are_told_until_when_a_message_is_of_use() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let (round, _) = app.plan().await;
    app.release_at_once(round).await;
    app.settled(round).await;
    let windows = app.windows(round).await;
    for sent in app.smsc.submitted() {
        let last = windows
            .iter()
            .filter(|(place, _)| sent.text.contains(&format!("{}{}", place.building, place.unit)))
            .map(|(_, window)| window.starts_at)
            .max()
            .expect("it names a home");
        // SMPP's relative form: YYMMDDhhmmsstnnR.
        let digits = |at: usize| sent.validity[at..at + 2].parse::<i64>().expect("digits");
        let holds = TimeDelta::hours(digits(6)) + minutes(digits(8)) + TimeDelta::seconds(digits(10));
        let ends = sent.at + holds;
        assert!(sent.validity.ends_with("000R"), "{}", sent.validity);
        assert!(
            (ends - last).abs() < TimeDelta::seconds(30),
            "{} from {} is not {last}",
            sent.validity,
            sent.at
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_beyond_capacity_is_released_only_when_that_is_accepted() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(&many(60)).await;
        // One minute for sixty people at four desks.
        let (round, summary) = app
            .plan_as(|spec| {
                spec.from = hour(17);
                spec.to = "17:10:00".parse().expect("a time");
                spec.city_cap = Some(2.0);
            })
            .await;
        assert_eq!(summary.units, 60, "nobody is dropped");
        assert!(summary.over_capacity_units > 0);
        let shortage = summary.shortage.expect("what is missing is said");
        assert!(shortage.people > 0);
        let now = app.clock.now();
        let refused = plan::release_round(app.store(), round, false, now).await;
        assert!(
            matches!(&refused, Err(PlanError::Refused(why)) if why.contains("--accept-shortage")),
            "{refused:?}"
        );
        assert_eq!(
            app.store()
                .round(round)
                .await
                .expect("reads")
                .expect("is there")
                .state,
            RoundState::Draft
        );
        plan::release_round(app.store(), round, true, now)
            .await
            .expect("accepted");
        let again = plan::release_round(app.store(), round, true, now).await;
        assert!(
            matches!(&again, Err(PlanError::Refused(why)) if why.contains("releasing")),
            "a round is released once: {again:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_told_at_the_rounds_pace_also_across_a_restart() {
    const MINUTES_PER_SECOND: f64 = 3.0;
    let clock = Clock::fast(afternoon(), MINUTES_PER_SECOND * 60.0);
    let mut app = TestApp::start_with(sqlite().await, clock, |_| {}).await;
    app.import(&many(600)).await;
    let (round, _) = app.plan().await;
    let release = app.release(round).await;
    assert_eq!(release.recipients, 600);
    let pace = release.pace_per_minute;
    assert!(pace < 12.0, "{pace}: the round has an hour and a half");
    tokio::time::sleep(Duration::from_secs(3)).await;
    app.stop_service().await;
    let stopped = app.clock.now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let started = app.clock.now();
    app.start_service();
    tokio::time::sleep(Duration::from_secs(3)).await;

    let mut told: Vec<_> = app
        .deliveries(round)
        .await
        .iter()
        .map(|delivery| delivery.created_at)
        .collect();
    told.sort_unstable();
    assert!(told.iter().all(|at| *at <= stopped || *at >= started));
    // A round that fell behind while nobody worked goes on faster.
    let pace = app
        .store()
        .round(round)
        .await
        .expect("reads")
        .and_then(|round| round.pace_per_minute)
        .unwrap_or(pace);
    // Half a minute's worth and one unit may be ahead of the pace, in any stretch.
    let ahead = (pace / 2.0).ceil() + 1.0;
    for (from, first) in told.iter().enumerate() {
        for (to, last) in told.iter().enumerate().skip(from) {
            let (passed, minutes) = ((to - from) as f64, (*last - *first).as_seconds_f64() / 60.0);
            assert!(
                passed <= pace * minutes + ahead,
                "{passed} told in {minutes} min at {pace} a minute"
            );
        }
    }
    let at_work = 6.0 * MINUTES_PER_SECOND;
    assert!(
        told.len() as f64 > 0.8 * pace * at_work,
        "{} told in {at_work} min at {pace}",
        told.len()
    );
}

/// The chat refuses the window notice: the phone gets it instead, and nobody counts as told by the refusal.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_by_chat_is_told_by_phone() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        app.link(810, "zh-hans", "+8619900000001").await;
        // A chat that is gone without a word: Telegram says so at the first message.
        app.bot_api.user_blocks(810);
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        eventually("the phone has the notice", async || {
            (!app.to_phone("+8619900000001").is_empty()).then_some(())
        })
        .await;
        app.settled(round).await;
        assert_eq!(app.to_phone("+8619900000001").len(), 1, "once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_onto_the_roster_after_their_unit_was_told_is_told_too() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(CITY).await;
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        app.import("锦江区,春熙街道,梧桐社区,1栋,1单元,103,新来的人,+8619900000099,zh-Hans,\n")
            .await;
        eventually("the newcomer is told", async || {
            (app.to_phone("+8619900000099").len() == 1).then_some(())
        })
        .await;
    })
    .await;
}

/// Moves every window that may move half an hour.
async fn move_all(app: &TestApp, round: weir::domain::RoundId, by: i64) -> bool {
    let now = app.clock.now();
    let movable = app.store().movable_windows(round, now).await.expect("reads");
    let moves: Vec<WindowMove> = movable
        .iter()
        .flat_map(|window| {
            window.rows.iter().map(|&row| WindowMove {
                row,
                own: window.own,
                starts_at: window.starts_at + minutes(by),
                ends_at: window.ends_at + minutes(by),
                over_capacity: false,
                stay_behind: 0.325,
                is_called: false,
            })
        })
        .collect();
    let stored = app.store().round(round).await.expect("reads").expect("is there");
    app.store()
        .apply_moves(&stored, &moves, &[], now)
        .await
        .expect("moves")
}

#[tokio::test(flavor = "multi_thread")]
async fn moved_windows_are_corrected_once_and_reminded_of_at_their_new_time() {
    on_both(async |test| {
        let mut app = TestApp::start(test).await;
        app.import(CITY).await;
        app.link(502, "en", "+8619900000002").await;
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let told = app.smsc.submitted().len();
        let chat = app.to_chat(502).len();
        app.stop_service().await;
        assert!(move_all(&app, round, 40).await);
        // The service finds the moved windows in the store, also after it was away.
        app.start_service();
        eventually("every phone and chat is corrected", async || {
            let phones = app.smsc.submitted().len() - told;
            (phones == 4 && app.to_chat(502).len() == chat + 1).then_some(())
        })
        .await;
        app.settled(round).await;
        app.quiet().await;
        let windows = app.windows(round).await;
        for (phone, heading, homes) in [
            ("+8619900000001", "以这条为准", vec!["1栋1单元"]),
            ("+8619900000003", "以這條為準", vec!["2栋1单元"]),
            ("+8619900000004", "以这条为准", vec!["2栋2单元", "3栋1单元"]),
        ] {
            let sent = app.to_phone(phone);
            assert_eq!(sent.len(), 2, "{phone} is told, and corrected once");
            assert!(sent[1].text.contains(heading), "{}", sent[1].text);
            tells_exactly(&sent[1].text, &homes, &windows);
        }
        let corrected = app.to_chat(502).pop().expect("told").text;
        assert!(corrected.contains("Only this message counts"), "{corrected}");
        assert_eq!(app.count(round, "correction", "delivered").await, 4);

        let last = windows
            .iter()
            .map(|(_, window)| window.starts_at)
            .max()
            .expect("windows");
        app.jump_to(last - minutes(30));
        app.settled(round).await;
        eventually("every phone is reminded", async || {
            (app.count(round, "reminder", "delivered").await == 5).then_some(())
        })
        .await;
        let reminder = app.to_phone("+8619900000001").pop().expect("reminded");
        tells_exactly(&reminder.text, &["1栋1单元"], &windows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_told_yet_hears_only_the_new_time() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let (round, _) = app.plan().await;
    let now = app.clock.now();
    let start = now + minutes(20);
    assert!(
        app.store()
            .start_release(round, 1e9, start, now)
            .await
            .expect("releases")
    );
    assert!(move_all(&app, round, 30).await);
    app.jump_to(start);
    app.settled(round).await;
    app.quiet().await;
    let windows = app.windows(round).await;
    let sent = app.to_phone("+8619900000001");
    assert_eq!(sent.len(), 1);
    tells_exactly(&sent[0].text, &["1栋1单元"], &windows);
    assert_eq!(
        app.count(round, "correction", "delivered").await,
        0,
        "nobody is corrected who knew nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_never_left_is_withdrawn_and_told_anew() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let (round, _) = app.plan().await;
    // The carrier takes nothing for a while.
    app.smsc.set_fault(Fault::Cut);
    app.release_at_once(round).await;
    eventually("every unit told", async || {
        let (told, units) = app.store().told(round).await.expect("reads");
        (told == units).then_some(())
    })
    .await;
    app.quiet().await;
    assert!(move_all(&app, round, 30).await);
    app.smsc.set_fault(Fault::None);
    app.clock.advance(minutes(2));
    eventually("every phone is told", async || {
        (app.count(round, "window", "delivered").await == 5).then_some(())
    })
    .await;
    app.quiet().await;
    let windows = app.windows(round).await;
    for (phone, homes) in [
        ("+8619900000001", vec!["1栋1单元"]),
        ("+8619900000004", vec!["2栋2单元", "3栋1单元"]),
    ] {
        let sent = app.to_phone(phone);
        let last = sent.last().expect("told");
        tells_exactly(&last.text, &homes, &windows);
        assert!(sent.len() == 1, "{phone} holds one time: {}", sent.len());
    }
    assert_eq!(app.count(round, "window", "cancelled").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_under_way_moves_later_and_takes_in_newcomers() {
    let app = TestApp::start(sqlite().await).await;
    app.import(CITY).await;
    let (round, _) = app.plan_as(|spec| spec.to = hour(20)).await;
    app.release_at_once(round).await;
    app.settled(round).await;
    let before = app.windows(round).await;
    let quota = ReplanQuota {
        delay: Some(minutes(150)),
        ..ReplanQuota::default()
    };
    let stored = app.store().round(round).await.expect("reads").expect("is there");
    let now = app.clock.now();
    let seen = replan::preview(app.store(), &app.config, &stored, &quota, now)
        .await
        .expect("looks");
    assert_eq!((seen.moved_units, seen.told_units), (6, 6), "{seen:?}");
    assert_eq!(app.windows(round).await, before, "a preview changes nothing");
    let done = replan::replan(app.store(), &app.config, &stored, &quota, now)
        .await
        .expect("moves");
    assert_eq!(done.moved_units, 6);
    let after = app.windows(round).await;
    for (place, window) in &after {
        let old = before
            .iter()
            .find(|(known, _)| known == place)
            .expect("the same units");
        assert!(
            window.starts_at > old.1.starts_at && window.starts_at >= now + minutes(150),
            "{window:?}"
        );
    }
    let again = replan::replan(app.store(), &app.config, &stored, &quota, now)
        .await
        .expect("looks");
    assert_eq!(again.moved_units, 0, "asking again moves nothing");
    app.settled(round).await;
    app.quiet().await;
    assert_eq!(app.to_phone("+8619900000001").len(), 2);

    app.import("锦江区,春熙街道,梧桐社区,9栋,1单元,101,新来的,+8619900000009,zh-Hans,\n")
        .await;
    let folder = crate::binary::write_config(&app);
    let _ = folder;
    let quota = ReplanQuota::default();
    let now = app.clock.now();
    let added = replan::replan(app.store(), &app.config, &stored, &quota, now)
        .await
        .expect("adds");
    assert_eq!((added.moved_units, added.added_units), (0, 1));
    app.settled(round).await;
    let windows = app.windows(round).await;
    let sent = app.to_phone("+8619900000009");
    assert_eq!(sent.len(), 1);
    tells_exactly(&sent[0].text, &["9栋1单元"], &windows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_green_lane_is_told_to_those_who_may_use_it() {
    let app = TestApp::start(sqlite().await).await;
    app.import(
        "锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,elderly\n\
         锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈明,+8619900000001,zh-Hans,\n\
         锦江区,春熙街道,梧桐社区,1栋,1单元,102,王伟,+8619900000002,zh-Hans,limited_mobility\n\
         锦江区,春熙街道,梧桐社区,1栋,1单元,103,Ann Lee,+8619900000003,en,student\n",
    )
    .await;
    let (round, summary) = app.plan().await;
    assert_eq!((summary.people, summary.green_people), (4, 2));
    app.release_at_once(round).await;
    app.settled(round).await;
    let (_, window) = app.windows(round).await.remove(0);
    let green = window.green.clone().expect("the site has a green desk");
    assert_eq!((window.people, green.people), (2, 2));
    let text = |phone: &str| app.to_phone(phone).pop().expect("told").text;
    let both = text("+8619900000001");
    assert!(both.contains("其他家人") && both.contains("绿色通道"), "{both}");
    assert!(
        both.contains(&hours(&window)) && both.contains("5:00–晚上7:00都可以来"),
        "{both}"
    );
    let regular = text("+8619900000002");
    assert!(
        !regular.contains("绿色通道") && regular.contains(&hours(&window)),
        "{regular}"
    );
    let student = text("+8619900000003");
    assert!(
        student.contains("green lane") && student.contains("5:00–7:00 pm"),
        "{student}"
    );
}

/// A green lane is wide: who hears of it after its beginning can still come.
#[tokio::test(flavor = "multi_thread")]
async fn the_green_lane_is_told_as_long_as_it_is_open() {
    let app = TestApp::start(sqlite().await).await;
    app.import(
        "锦江区,春熙街道,梧桐社区,1栋,1单元,102,王伟,+8619900000002,zh-Hans,\n\
         锦江区,春熙街道,梧桐社区,1栋,1单元,103,Ann Lee,+8619900000003,en,student\n",
    )
    .await;
    let (round, _) = app.plan().await;
    let (_, window) = app.windows(round).await.remove(0);
    let green = window.green.expect("the site has a green desk");
    app.jump_to(green.starts_at + minutes(45));
    assert!(window.ends_at < app.clock.now() && app.clock.now() < green.ends_at);
    app.release_at_once(round).await;
    app.settled(round).await;
    let told = app.to_phone("+8619900000003");
    assert!(told.len() == 1 && told[0].text.contains("green lane"), "{told:?}");
    assert!(app.to_phone("+8619900000002").is_empty(), "the window is over");
}
