//! What people hear when plans change: a round that is called off, corrections while a round is paused, and phones that
//! stand for several homes.

use weir::{
    clock::Clock,
    domain::{Address, ContactId, RoundId, RoundState, UnitId},
    release::{aftermath, plan},
    store::{Movable, OwnWindow, WindowMove},
};

use crate::{
    app::{TestApp, afternoon, eventually, hour, hours, phone_number},
    incidents::{OVER, everywhere},
    pacing::World,
    store::link,
    support::{minutes, on_both},
};

/// 1栋1单元 and 2栋2单元 of one community, 3栋1单元 of another; 张家's phone stands for the last two.
const HOMES: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,\n\
锦江区,春熙街道,梧桐社区,2栋,2单元,101,张明,+8619900000004,zh-Hans,\n\
锦江区,春熙街道,银杏社区,3栋,1单元,101,张奶奶,+8619900000004,zh-Hans,\n";
const ONE: &str = "+8619900000001";
const TWO_HOMES: &str = "+8619900000004";

async fn becomes(app: &TestApp, round: RoundId, state: RoundState) {
    let now = app.clock.now();
    plan::move_round(app.store(), round, state, now)
        .await
        .expect("moves");
}

async fn move_later(app: &TestApp, round: RoundId, by: i64) {
    let now = app.clock.now();
    let stored = app.store().round(round).await.expect("reads").expect("is there");
    let movable = app.store().movable_windows(round, now).await.expect("reads");
    let moves: Vec<WindowMove> = movable.iter().flat_map(|window| later(window, by)).collect();
    let done = app.store().apply_moves(&stored, &moves, &[], now).await;
    assert!(done.expect("moves"));
}

fn later(window: &Movable, by: i64) -> impl Iterator<Item = WindowMove> {
    window.rows.iter().map(move |&row| WindowMove {
        row,
        own: window.own,
        starts_at: window.starts_at + minutes(by),
        ends_at: window.ends_at + minutes(by),
        over_capacity: false,
        stay_behind: 0.3,
        is_called: false,
    })
}

/// The number of messages that each of the two phones has got.
fn heard(app: &TestApp) -> (usize, usize) {
    (app.to_phone(ONE).len(), app.to_phone(TWO_HOMES).len())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_a_time_hears_once_that_the_round_is_off_and_then_only_of_the_next() {
    on_both(async |test| {
        let mut app = TestApp::start(test).await;
        app.import(HOMES).await;
        app.link(502, "en", ONE).await;
        let before = heard(&app);
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let chat = app.to_chat(502).len();
        assert_eq!(heard(&app), (before.0, before.1 + 1), "{ONE} is told by chat");
        let windows = app.windows(round).await;

        app.stop_service().await;
        becomes(&app, round, RoundState::Cancelled).await;
        assert_eq!(app.store().count_to_correct(round).await.expect("counts"), 3);
        app.start_service();
        eventually("both hear that it is off", async || {
            let phones = app.to_phone(TWO_HOMES).len() - before.1;
            (phones == 2 && app.to_chat(502).len() == chat + 1).then_some(())
        })
        .await;
        let off = app.to_phone(TWO_HOMES).pop().expect("told").text;
        assert!(off.contains("采样取消，请不要去"), "{off}");
        for (place, window) in &windows {
            let home = format!("{}{}", place.building, place.unit);
            let is_theirs = home != "1栋1单元";
            assert_eq!(off.contains(&home), is_theirs, "{home}: {off}");
            assert!(!is_theirs || off.contains(&hours(window)), "{off}");
        }
        let off = app.to_chat(502).pop().expect("told").text;
        assert!(off.contains("is cancelled. Please do not go"), "{off}");
        // Once, also after another start; and a round of which nobody knew is off in silence.
        app.stop_service().await;
        app.start_service();
        let (silent, _) = app.plan().await;
        becomes(&app, silent, RoundState::Cancelled).await;
        app.quiet().await;
        assert_eq!(app.to_phone(TWO_HOMES).len(), before.1 + 2);
        assert_eq!(app.to_chat(502).len(), chat + 1);
        assert_eq!(app.store().count_to_correct(silent).await.expect("counts"), 0);

        let (next, _) = app.plan().await;
        app.release_at_once(next).await;
        app.settled(next).await;
        let told = app.to_phone(TWO_HOMES).pop().expect("told").text;
        assert!(told.contains("核酸采样通知"), "{told}");
        assert_eq!(app.to_phone(TWO_HOMES).len(), before.1 + 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_waits_for_no_pause_and_comes_once() {
    on_both(async |test| {
        let app = TestApp::start(test).await;
        app.import(HOMES).await;
        let (round, _) = app.plan().await;
        app.release_at_once(round).await;
        app.settled(round).await;
        assert_eq!(heard(&app), (1, 1));
        becomes(&app, round, RoundState::Paused).await;
        move_later(&app, round, 40).await;
        eventually("both are corrected while it is paused", async || {
            (heard(&app) == (2, 2)).then_some(())
        })
        .await;
        let windows = app.windows(round).await;
        let corrected = app.to_phone(TWO_HOMES).pop().expect("told").text;
        for (place, window) in windows.iter().filter(|(place, _)| place.building != "1栋") {
            assert!(corrected.contains(&place.building), "{corrected}");
            assert!(corrected.contains(&hours(window)), "{corrected}");
        }
        becomes(&app, round, RoundState::Releasing).await;
        app.quiet().await;
        assert_eq!(heard(&app), (2, 2), "the same time is not told twice");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_an_incident_kept_from_their_test_gets_another_time_when_it_is_over() {
    on_both(async |test| {
        let app = TestApp::start_with(test, Clock::manual(afternoon()), |scene| {
            scene.config.notices.reminder_before = std::time::Duration::ZERO;
        })
        .await;
        app.import(HOMES).await;
        let (round, _) = app.plan_as(|spec| spec.to = hour(20)).await;
        app.release_at_once(round).await;
        app.settled(round).await;
        let before = app.windows(round).await;
        let ended = before
            .iter()
            .map(|(_, window)| window.ends_at)
            .max()
            .expect("some");
        app.jump_to(afternoon() + minutes(110));
        let (store, opened) = (app.store(), app.clock.now());
        let near = opened + app.config.incidents.near();
        let (id, _) = store
            .open_incident(&everywhere("down"), near, opened)
            .await
            .expect("opens");
        eventually("both are told of the fault", async || {
            (heard(&app) == (2, 2)).then_some(())
        })
        .await;
        // All of one home are registered on paper.
        let phone = store.find_contact(&Address::Phone(phone_number(ONE))).await;
        let person = store.person(phone.expect("reads").expect("known")).await;
        let by_hand: Vec<_> = person
            .expect("reads")
            .residents
            .iter()
            .map(|(resident, _)| (*resident, None))
            .collect();
        store.return_sheets(id, &by_hand, opened).await.expect("stored");

        app.jump_to(ended + minutes(5));
        let (now, incident) = (app.clock.now(), store.incident(id).await.expect("reads"));
        let moved = aftermath::replan(store, &app.config, &incident.expect("is there"), now).await;
        let moved = moved.expect("moves");
        assert_eq!((moved.moved_units, moved.told_units), (2, 2), "{moved:?}");
        let closed = store.close_incident(id, "a test", "", now).await;
        assert!(closed.expect("closes"));
        eventually("each hears what holds", async || {
            (heard(&app) == (3, 3)).then_some(())
        })
        .await;
        app.quiet().await;
        assert_eq!(heard(&app), (3, 3), "once");
        let over = app.to_phone(ONE).pop().expect("told").text;
        assert!(over.contains(OVER), "{over}");
        let told = app.to_phone(TWO_HOMES).pop().expect("told").text;
        assert!(
            told.contains("以这条为准") && told.contains("已采过样的不用再来"),
            "{told}"
        );
        for (place, window) in app.windows(round).await {
            let was = before.iter().find(|(home, _)| *home == place).expect("the same");
            if place.building == "1栋" {
                assert_eq!(window.starts_at, was.1.starts_at);
            } else {
                assert!(window.starts_at >= now + minutes(20), "{window:?}");
                assert!(told.contains(&hours(&window)), "{told}");
            }
        }
    })
    .await;
}

/// A round of these homes in a world without a dispatcher, so that what was written waits.
async fn waiting(world: &World, pace_per_minute: f64, two_step: bool) -> RoundId {
    world.import(HOMES).await;
    let round = world.plan(|spec| spec.two_step = two_step).await;
    let now = world.clock.now();
    let started = world
        .store()
        .start_release(round, pace_per_minute, now, now)
        .await;
    assert!(started.expect("releases"), "it is a draft");
    works(world, 3).await;
    round
}

async fn works(world: &World, steps: usize) {
    for _ in 0..steps {
        world.calm(&world.pacer(), 1).await;
        world.releaser().step().await.expect("steps");
    }
}

async fn movable(world: &World, round: RoundId) -> Vec<Movable> {
    let now = world.clock.now();
    world.store().movable_windows(round, now).await.expect("reads")
}

async fn moves(world: &World, round: RoundId, moves: &[WindowMove]) {
    let store = world.store();
    let stored = store.round(round).await.expect("reads").expect("is there");
    let done = store.apply_moves(&stored, moves, &[], world.clock.now()).await;
    assert!(done.expect("moves"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_heard_of_its_second_home_is_a_time_that_is_known() {
    on_both(async |test| {
        let world = World::new(test).await;
        let neighbours = "\
            锦江区,春熙街道,梧桐社区,2栋,2单元,102,李梅,+8619900000005,zh-Hans,\n\
            锦江区,春熙街道,银杏社区,3栋,1单元,102,王强,+8619900000006,zh-Hans,\n";
        let of_both = HOMES.split_once('\n').expect("rows").1;
        world.import(&format!("{of_both}{neighbours}")).await;
        let round = world.plan(|_| {}).await;
        let now = world.clock.now();
        // So slow that only the first of the two has its turn.
        let started = world.store().start_release(round, 1.05, now, now).await;
        assert!(started.expect("releases"));
        works(&world, 3).await;
        assert_eq!(world.store().told(round).await.expect("reads"), (1, 2));
        let known = movable(&world, round).await;
        assert!(known.iter().all(|window| window.told), "{known:?}");

        for times in 1..=2 {
            let by_half_hours: Vec<WindowMove> = known
                .iter()
                .flat_map(|window| later(window, 30 * times))
                .collect();
            moves(&world, round, &by_half_hours).await;
            works(&world, 2).await;
        }
        let moved = movable(&world, round).await;
        let counted: Vec<u8> = moved.iter().map(|window| window.moves).collect();
        assert_eq!(counted, [2, 2], "and may move no oftener than any other");
    })
    .await;
}

/// Who of a contact lives in this unit takes a time two hours after that of the unit.
async fn takes_another_time(world: &World, round: RoundId, contact: ContactId, unit: UnitId) {
    let person = world.store().person(contact).await.expect("reads");
    let windows = movable(world, round).await;
    let theirs = windows.iter().find(|window| window.unit == unit && !window.own);
    let theirs = theirs.expect("a window");
    let lives_there = |(resident, home): &(_, UnitId)| (*home == unit).then_some(*resident);
    let own = OwnWindow {
        round,
        unit,
        site: theirs.site,
        starts_at: theirs.starts_at + minutes(120),
        ends_at: theirs.ends_at + minutes(120),
        residents: person.residents.iter().filter_map(lives_there).collect(),
        site_per_minute: 10.0,
        city_per_minute: None,
    };
    let taken = world.store().take_own_window(&own, world.clock.now()).await;
    assert!(taken.expect("takes"));
}

async fn unit_in(world: &World, building: &str) -> UnitId {
    let units = world.store().units().await.expect("reads");
    let unit = units.iter().find(|row| row.place.building == building);
    unit.expect("is there").unit
}

/// Whether a delivery of this key is for this contact.
fn is_to(key: &str, contact: ContactId) -> bool {
    let place = if key.starts_with("correction:") { 2 } else { 3 };
    key.split(':').nth(place) == Some(&contact.to_string())
}

/// What was written to this contact, as kind and state, the oldest first.
async fn written(world: &World, round: RoundId, contact: ContactId) -> Vec<(String, String)> {
    let deliveries = world.deliveries(round).await;
    let mut to_contact: Vec<_> = deliveries.iter().filter(|row| is_to(&row.key, contact)).collect();
    to_contact.sort_by_key(|row| row.id);
    let shown = |row: &&weir::store::DeliveryRow| (row.kind.clone(), row.state.clone());
    to_contact.iter().map(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_ones_own_leaves_what_others_of_the_phone_are_to_hear() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.import(HOMES).await;
        let store = world.store();
        let phone = store
            .find_contact(&Address::Phone(phone_number(TWO_HOMES)))
            .await
            .expect("reads")
            .expect("known");
        // 张明 has a chat, 张奶奶 only the phone.
        let home = unit_in(&world, "2栋").await;
        let chat = store
            .contact(&Address::Chat(504), world.clock.now())
            .await
            .expect("adds");
        let person = store.person(phone).await.expect("reads");
        let ming = person
            .residents
            .iter()
            .find(|(_, unit)| *unit == home)
            .expect("lives there");
        link(store, chat, ming.0).await;
        let round = world.plan(|_| {}).await;
        world.release_at_once(round).await;
        works(&world, 3).await;
        let kept = vec![("window".to_owned(), "queued".to_owned())];
        assert_eq!(written(&world, round, phone).await, kept);
        takes_another_time(&world, round, chat, home).await;
        works(&world, 2).await;
        let withdrawn = vec![("window".to_owned(), "cancelled".to_owned())];
        assert_eq!(
            written(&world, round, chat).await,
            withdrawn,
            "the reply tells it"
        );
        assert_eq!(
            written(&world, round, phone).await,
            kept,
            "it speaks of her alone"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_ones_own_at_one_home_leaves_the_phone_the_time_of_the_other() {
    on_both(async |test| {
        let world = World::new(test).await;
        let round = waiting(&world, 1e9, false).await;
        let address = Address::Phone(phone_number(TWO_HOMES));
        let phone = world.store().find_contact(&address).await.expect("reads");
        let phone = phone.expect("known");
        let home = unit_in(&world, "2栋").await;
        takes_another_time(&world, round, phone, home).await;
        works(&world, 2).await;
        let of_both = [("window", "cancelled"), ("window", "queued")];
        let of_both = of_both.map(|(kind, state)| (kind.to_owned(), state.to_owned()));
        assert_eq!(
            written(&world, round, phone).await,
            of_both,
            "with both times, once"
        );
        works(&world, 3).await;
        assert_eq!(written(&world, round, phone).await, of_both);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_of_one_home_leaves_the_call_to_the_other() {
    on_both(async |test| {
        let world = World::new(test).await;
        let round = waiting(&world, 1e9, true).await;
        let address = Address::Phone(phone_number(TWO_HOMES));
        let phone = world.store().find_contact(&address).await.expect("reads");
        let phone = phone.expect("known");
        let (ming, granny) = (unit_in(&world, "2栋").await, unit_in(&world, "3栋").await);
        let windows = movable(&world, round).await;
        let of = |unit| {
            windows
                .iter()
                .find(|window| window.unit == unit)
                .expect("a window")
        };
        // The earlier one of the two is called, and the other moves.
        let (called, moved) = if of(ming).starts_at <= of(granny).starts_at {
            (of(ming), of(granny))
        } else {
            (of(granny), of(ming))
        };
        let apart: Vec<WindowMove> = later(moved, 60).collect();
        moves(&world, round, &apart).await;
        works(&world, 2).await;
        world.clock.set(called.starts_at);
        works(&world, 5).await;
        let calls = async || {
            let written = world.deliveries(round).await;
            let calls = written
                .iter()
                .filter(|row| is_to(&row.key, phone) && row.key.starts_with("call:"));
            calls.map(|row| row.state.clone()).collect::<Vec<_>>()
        };
        assert_eq!(calls().await, ["queued"]);
        let now = movable(&world, round).await;
        let again = now
            .iter()
            .find(|window| window.unit == moved.unit)
            .expect("a window");
        let again: Vec<WindowMove> = later(again, 60).collect();
        moves(&world, round, &again).await;
        works(&world, 2).await;
        assert_eq!(calls().await, ["queued"], "it is what brings the link");
    })
    .await;
}
