//! No limit is passed: in no second, by no retry, across no restart; and a limit never turns into a loss.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use weir::{
    channels::telegram::fake::Fault,
    clock::Clock,
    domain::{Address, Body, ChannelKind, ContactId, DeliveryState, NoticeKind},
    store::{DeliveryFilter, NewDelivery},
};

use crate::{
    app::{Scene, TestApp, afternoon, eventually},
    round::many,
    support::{minutes, on_both, sqlite},
};

const CHANNEL_PER_SECOND: u32 = 30;

/// Telegram's own limits on both sides, on the machine's time.
fn telegrams_limits(scene: &mut Scene) {
    scene.config.telegram.messages_per_second = CHANNEL_PER_SECOND;
    scene.config.telegram.messages_per_second_per_chat = 1;
    scene.bot_api.messages_per_second = Some(CHANNEL_PER_SECOND);
    scene.bot_api.messages_per_second_per_chat = Some(1);
}

/// Announcements to chats, as a broadcast puts them into the outbox.
async fn broadcast(app: &TestApp, chats: std::ops::Range<i64>, name: &str) -> Vec<ContactId> {
    let now = app.clock.now();
    let mut contacts = Vec::new();
    let mut all = Vec::new();
    for chat in chats {
        let contact = app
            .store()
            .contact(&Address::Chat(chat), now)
            .await
            .expect("made");
        contacts.push(contact);
        all.push(NewDelivery {
            key: format!("{name}:{contact}"),
            round: None,
            contact,
            channel: ChannelKind::Telegram,
            kind: NoticeKind::Announcement,
            body: Body::text(format!("{name} 核酸采样安排")),
            parts: 1,
            state: DeliveryState::Queued,
            reason: "",
            next_at: now,
            expires_at: now + minutes(600),
        });
    }
    app.store().enqueue(&all, now).await.expect("writes");
    contacts
}

/// The most of these instants that any one second holds.
fn worst_second(mut at: Vec<DateTime<Utc>>) -> usize {
    at.sort_unstable();
    (0..at.len())
        .map(|from| {
            let end = at[from] + TimeDelta::seconds(1);
            at[from..].iter().take_while(|later| **later < end).count()
        })
        .max()
        .unwrap_or_default()
}

async fn in_state(app: &TestApp, kind: &str, state: DeliveryState) -> i64 {
    let filter = DeliveryFilter {
        state: Some(state),
        ..DeliveryFilter::default()
    };
    let counts = app.store().count_deliveries(&filter).await.expect("reads");
    counts
        .iter()
        .filter(|count| count.kind == kind)
        .map(|count| count.deliveries)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_never_meets_a_429_also_across_restarts() {
    on_both(async |test| {
        let mut app = TestApp::start_with(test, Clock::System, telegrams_limits).await;
        app.import(&many(4)).await;
        // The same chats over and over, by broadcasts and by their own questions.
        for name in ["one", "two", "three"] {
            broadcast(&app, 1_000..1_040, name).await;
        }
        for chat in 1_000..1_004 {
            app.bot_api.user_says(chat, "zh-hans", "居民", "/start");
            app.bot_api.user_says(chat, "zh-hans", "居民", "帮助");
        }
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            app.stop_service().await;
            app.start_service();
        }
        eventually("everything has left", async || {
            let open = app.store().open_deliveries(None).await.expect("reads");
            (open == 0 && app.bot_api.count() >= 128).then_some(())
        })
        .await;
        assert_eq!(app.bot_api.throttled(), 0);
        let sent = app.bot_api.sent();
        assert_eq!(sent.len(), 128, "each once: a stop finishes what is in flight");
        let all = worst_second(sent.iter().map(|sent| sent.at).collect());
        assert!(all <= CHANNEL_PER_SECOND as usize, "{all} in one second");
        for chat in 1_000..1_040 {
            let to_one = sent
                .iter()
                .filter(|sent| sent.chat_id == chat)
                .map(|sent| sent.at)
                .collect();
            assert_eq!(worst_second(to_one), 1, "to one chat in one second");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_wait_that_telegram_asks_for_is_obeyed_also_after_a_restart_and_loses_nothing() {
    on_both(async |test| {
        let mut app = TestApp::start_with(test, Clock::manual(afternoon()), |_| {}).await;
        app.bot_api
            .set_fault(Fault::TooManyRequests { retry_after: 2_282 });
        broadcast(&app, 2_000..2_200, "news").await;
        eventually("a pause is on record", async || {
            let pauses = app.store().pauses(app.clock.now()).await.expect("reads");
            (!pauses.is_empty()).then_some(())
        })
        .await;
        let pause = app
            .store()
            .pauses(app.clock.now())
            .await
            .expect("reads")
            .remove(0);
        assert_eq!(pause.channel, "telegram");
        let asked = pause.until - app.clock.now();
        assert!(
            (2_200..=2_282).contains(&asked.num_seconds()),
            "to the letter: {asked}"
        );
        eventually("nothing is in a dispatcher's hands", async || {
            (in_state(&app, "announcement", DeliveryState::Queued).await == 200).then_some(())
        })
        .await;
        app.bot_api.set_fault(Fault::None);
        let tried = app.bot_api.throttled();
        assert!(tried <= 200, "nobody is tried twice: {tried}");

        app.stop_service().await;
        app.start_service();
        app.jump_to(pause.until - TimeDelta::seconds(20));
        // A reply waits as well: the pause is the whole channel's.
        app.bot_api.user_says(2_500, "zh-hans", "居民", "帮助");
        app.quiet().await;
        assert_eq!(
            (app.bot_api.count(), app.bot_api.throttled()),
            (0, tried),
            "left alone after a restart too"
        );

        app.jump_to(pause.until + TimeDelta::seconds(1));
        eventually("all are told once the wait is over", async || {
            (in_state(&app, "announcement", DeliveryState::Sent).await == 200).then_some(())
        })
        .await;
        let told = app
            .bot_api
            .sent()
            .iter()
            .filter(|sent| sent.text.contains("news"))
            .count();
        assert_eq!(told, 200, "each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_wait_slows_and_loses_nothing() {
    let app = TestApp::start_with(sqlite().await, Clock::System, |scene| {
        // Weir is told of a faster channel than Telegram grants.
        scene.config.telegram.messages_per_second = 200;
        scene.bot_api.messages_per_second = Some(40);
    })
    .await;
    broadcast(&app, 3_000..3_100, "news").await;
    eventually("all are told", async || {
        (in_state(&app, "announcement", DeliveryState::Sent).await == 100).then_some(())
    })
    .await;
    assert!(app.bot_api.throttled() > 0, "the limit was met");
    assert_eq!(app.bot_api.count(), 100, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carriers_throttling_slows_and_loses_nothing() {
    on_both(async |test| {
        let app = TestApp::start_with(test, Clock::manual(afternoon()), |scene| {
            scene.smsc.throttle_above = Some(60);
        })
        .await;
        app.import(&many(60)).await;
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        assert!(app.smsc.throttled() > 0, "the limit was met");
        assert_eq!(app.count(round, "window", "delivered").await, 60);
        assert_eq!(app.smsc.submitted().len(), 60, "each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carriers_limit_is_counted_in_parts() {
    let app = TestApp::start_with(sqlite().await, Clock::System, |scene| {
        for carrier in &mut scene.config.sms.smpp {
            carrier.parts_per_second = 50;
        }
        scene.smsc.throttle_above = Some(50);
    })
    .await;
    app.import(&many(45)).await;
    let (round, _) = app
        .plan_as(|spec| {
            // Whatever the time of day is when the test runs.
            spec.date = spec.date.succ_opt().expect("a day");
            spec.until = spec.date;
        })
        .await;
    app.release_at_once(round).await;
    app.settled(round).await;
    assert_eq!(app.smsc.throttled(), 0);
    let parts = app.smsc.submitted_parts();
    assert!(parts.len() > 60, "notices have several parts");
    let origin = parts[0].at;
    let at =
        |instant: Instant| DateTime::UNIX_EPOCH + TimeDelta::from_std(instant - origin).unwrap_or_default();
    let worst = worst_second(parts.iter().map(|part| at(part.at)).collect());
    assert!(worst <= 50, "{worst} parts in one second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_of_any_size_does_not_delay_a_reply() {
    on_both(async |test| {
        let app = TestApp::start_with(test, Clock::System, telegrams_limits).await;
        app.import(&many(4)).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        broadcast(&app, 10_000..13_000, "news").await;
        eventually("the broadcast is under way", async || {
            (app.bot_api.count() > 20).then_some(())
        })
        .await;
        for chat in 4_000..4_005 {
            let asked = Instant::now();
            app.ask(chat, "/start", 1).await;
            let waited = asked.elapsed();
            assert!(waited < Duration::from_secs(3), "a reply took {waited:?}");
        }
        let left = in_state(&app, "announcement", DeliveryState::Queued).await;
        assert!(left > 2_000, "thousands still wait: {left}");
        assert_eq!(app.bot_api.throttled(), 0);
    })
    .await;
}

/// One person's many answers leave a second apart; the others need not wait for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_chatty_person_does_not_delay_the_answers_to_others() {
    let app = TestApp::start_with(sqlite().await, Clock::System, telegrams_limits).await;
    app.import(&many(4)).await;
    for _ in 0..25 {
        app.bot_api.user_says(5_000, "zh-hans", "居民", "帮助");
    }
    app.heard(5_000, 0, 2).await;
    for chat in 5_001..5_003 {
        let asked = Instant::now();
        app.ask(chat, "/start", 1).await;
        let waited = asked.elapsed();
        assert!(waited < Duration::from_secs(5), "a reply took {waited:?}");
    }
    assert_eq!(app.bot_api.throttled(), 0);
}
