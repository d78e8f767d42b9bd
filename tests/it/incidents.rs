//! A declared fault: who is told of it and who is not, over the real protocols and through restarts. What happens on
//! paper meanwhile is in `paper.rs`.

use std::{collections::BTreeMap, sync::Arc};

use chrono::TimeDelta;
use weir::{
    clock::Clock,
    config::Config,
    domain::{
        Address, ChannelKind, CommunityId, ContactId, DeliveryId, DeliveryState, GreenWindow, IncidentId,
        IncidentScope, NoticeKind, RoundId, SiteId, Tag, UnitId, Window,
    },
    i18n::Texts,
    incidents::{
        missed,
        teller::{self, Teller},
    },
    release::releaser::Releaser,
    store::{
        Appointment, Change, DeliveryFilter, NewIncident, NewResident, NewRound, OwnWindow, Returned, Store,
    },
};

use crate::{
    app::{TestApp, afternoon, eventually, hours},
    round::many,
    store::small_round,
    support::{evening, import, minutes, on_both, phone as support_phone, place, resident},
};

const UNITS: u32 = 8;

pub fn everywhere(reason: &str) -> NewIncident {
    NewIncident {
        reason: reason.into(),
        actor: "a test".into(),
        ..NewIncident::default()
    }
}

/// A released round: the unit of phone `n` has its window at 15:20 and `n` times 20 minutes.
async fn staggered(app: &TestApp) -> RoundId {
    app.import(&many(UNITS)).await;
    let site = app.store().sites().await.expect("reads")[0].id;
    let mut units = app.store().units_with_people(&[]).await.expect("reads");
    units.sort_by(|a, b| a.place.natural_cmp(&b.place));
    let number = |unit: &str| unit.trim_end_matches("单元").parse::<i64>().expect("a number");
    let windows = units
        .iter()
        .map(|unit| {
            let n =
                (number(unit.place.building.trim_end_matches('栋')) - 1) * 4 + number(&unit.place.unit) - 1;
            let starts_at = afternoon() + minutes(20 + 20 * n);
            Window {
                unit: unit.unit,
                site,
                starts_at,
                ends_at: starts_at + minutes(15),
                people: unit.people,
                over_capacity: false,
                green: None,
            }
        })
        .collect();
    let round = NewRound {
        spec: "{}".into(),
        summary: "{}".into(),
        windows,
    };
    let round = app
        .store()
        .create_round(&round, app.clock.now())
        .await
        .expect("creates");
    app.release_at_once(round).await;
    round
}

fn phone(n: u32) -> String {
    format!("+8619901{n:06}")
}

/// How many messages with these words each phone has had.
fn heard(app: &TestApp, words: &str) -> BTreeMap<u32, usize> {
    (0..UNITS)
        .map(|n| {
            let sent = app.to_phone(&phone(n));
            (n, sent.iter().filter(|sent| sent.text.contains(words)).count())
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn once(phones: std::ops::Range<u32>) -> BTreeMap<u32, usize> {
    phones.map(|n| (n, 1)).collect()
}

pub const FAULT: &str = "登记系统出了故障";
pub const OVER: &str = "登记系统恢复了";

#[tokio::test(flavor = "multi_thread")]
async fn those_near_are_told_once_and_hear_when_it_is_over_and_nobody_else_does() {
    on_both(async |test| {
        let mut app = TestApp::start_with(test, Clock::manual(afternoon()), |scene| {
            scene.config.incidents.near_minutes = 70;
            scene.config.notices.reminder_before = std::time::Duration::ZERO;
        })
        .await;
        let round = staggered(&app).await;
        app.settled(round).await;
        let (store, near) = (app.store().clone(), app.config.incidents.near());
        let now = app.clock.now();
        let new = NewIncident {
            message_zh: Some("采样点有热水。".into()),
            ..everywhere("数据库过载")
        };
        let (id, is_new) = store.open_incident(&new, now + near, now).await.expect("opens");
        assert!(is_new);
        let again = store.open_incident(&everywhere("again"), now + near, now).await;
        assert_eq!(again.expect("harmless"), (id, false));
        // 15:20, 15:40 and 16:00 are within 70 minutes of 15:00.
        eventually("the first three are told", async || {
            (heard(&app, FAULT) == once(0..3)).then_some(())
        })
        .await;
        assert!(
            app.to_phone(&phone(0))
                .last()
                .expect("told")
                .text
                .contains("采样点有热水。")
        );

        app.stop_service().await;
        app.start_service();
        app.quiet().await;
        assert_eq!(heard(&app, FAULT), once(0..3), "a restart tells nobody twice");

        // Two more come near; the first window is over by then.
        app.clock.advance(TimeDelta::minutes(40));
        eventually("two more are told", async || {
            (heard(&app, FAULT) == once(0..5)).then_some(())
        })
        .await;
        app.quiet().await;
        assert_eq!(heard(&app, FAULT), once(0..5));
        assert_eq!(heard(&app, OVER), BTreeMap::new());

        assert!(
            store
                .close_incident(id, "a test", "works", app.clock.now())
                .await
                .expect("closes")
        );
        assert!(
            !store
                .close_incident(id, "a test", "works", app.clock.now())
                .await
                .expect("harmless")
        );
        eventually("those told hear of its end", async || {
            (heard(&app, OVER) == once(0..5)).then_some(())
        })
        .await;
        app.stop_service().await;
        app.start_service();
        app.quiet().await;
        assert_eq!(heard(&app, OVER), once(0..5), "nobody else, nobody twice");
        assert_eq!(heard(&app, FAULT), once(0..5));
        each_hears_what_holds(&app, round).await;
    })
    .await;
}

async fn each_hears_what_holds(app: &TestApp, round: RoundId) {
    let windows = app.windows(round).await;
    for (n, said) in (0..5).map(|n| (n, app.to_phone(&phone(n)).last().expect("told").text.clone())) {
        let (_, window) = &windows[n as usize];
        let holds = window.ends_at > app.clock.now();
        assert_eq!(said.contains(&hours(window)), holds, "{said}");
        assert_eq!(said.contains("时段已过"), !holds, "{said}");
    }
}

/// Flows on a store of their own, without a service.
pub struct Flows {
    store: Store,
    clock: Clock,
    teller: Teller,
    pub releaser: Releaser,
}

impl Flows {
    pub fn on(store: &Store, clock: Clock) -> Self {
        let (texts, config) = (Texts::load().expect("whole"), Config::default());
        let written = tokio::sync::watch::channel(0).0;
        Self {
            store: store.clone(),
            clock: clock.clone(),
            teller: Teller {
                store: store.clone(),
                clock: clock.clone(),
                texts: texts.clone(),
                config: config.clone(),
                written: written.clone(),
            },
            releaser: Releaser {
                store: store.clone(),
                clock,
                texts,
                config,
                written,
                audience_seen: Arc::default(),
                incidents_seen: Arc::default(),
            },
        }
    }

    async fn tell(&self) {
        while self.teller.step().await.expect("steps") != teller::Step::Watching {}
    }

    /// Keys and states of all deliveries whose key begins so.
    async fn states(&self, start: &str) -> BTreeMap<String, String> {
        let all = self
            .store
            .deliveries(&DeliveryFilter::default(), 1000)
            .await
            .expect("reads");
        all.into_iter()
            .filter(|delivery| delivery.key.starts_with(start))
            .map(|delivery| (delivery.key, delivery.state))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_not_left_is_withdrawn_and_releases_wait_where_it_is() {
    on_both(async |test| {
        let store = &test.store;
        let (round, units) = small_round(store).await;
        let flows = Flows::on(store, Clock::manual(evening()));
        // Phone 1 has homes in both units: 19:00 and 20:00; phone 2 in the first alone.
        while flows.releaser.step().await.expect("steps") > 0 {}
        flows.clock.advance(minutes(30));
        flows.releaser.step().await.expect("reminds");
        assert_eq!(flows.states("window:").await.len(), 2);
        assert_eq!(flows.states("reminder:").await.len(), 2);
        let community = store.communities().await.expect("reads")[0].0;
        elsewhere_concerns_nobody(&flows).await;
        let (near, now) = (minutes(60), flows.clock.now());
        let here = NewIncident {
            scope: IncidentScope {
                sites: Vec::new(),
                communities: vec![community],
            },
            ..everywhere("here")
        };
        let (id, _) = store.open_incident(&here, now + near, now).await.expect("opens");
        assert_eq!(
            store.open_incidents().await.expect("reads").len(),
            2,
            "one for each scope"
        );
        flows.tell().await;
        let told = flows.states("incident:").await;
        assert_eq!(
            told.values().filter(|state| *state == "queued").count(),
            2,
            "{told:?}"
        );
        let states = flows.states("reminder:").await;
        assert!(states.values().all(|state| state == "cancelled"), "{states:?}");
        // Both windows are within two hours, so both notices speak of nothing that is sure.
        let states = flows.states("window:").await;
        assert!(states.values().all(|state| state == "cancelled"), "{states:?}");
        flows.clock.advance(minutes(60));
        assert_eq!(
            flows.releaser.step().await.expect("steps"),
            0,
            "no reminder while it is open"
        );
        assert_eq!(
            store
                .units_to_remind(round, evening() + minutes(600), 9)
                .await
                .expect("reads"),
            []
        );

        one_correction_is_enough(&flows, id, units[0]).await;
    })
    .await;
}

async fn one_correction_is_enough(flows: &Flows, id: IncidentId, unit: UnitId) {
    let store = &flows.store;
    // One of the two hears a correction of the round's own: that is enough.
    let contact = flows.store.audience(&[unit]).await.expect("reads")[0].contact;
    let mut correction = crate::support::delivery("correction:1", contact, NoticeKind::Correction);
    correction.expires_at = evening() + minutes(600);
    store
        .enqueue(&[correction], flows.clock.now())
        .await
        .expect("writes");
    let closed = store.close_incident(id, "a test", "", flows.clock.now()).await;
    assert!(closed.expect("closes"));
    flows.tell().await;
    assert_eq!(flows.states("incident-over:").await.len(), 1);
    let told = flows.states("incident:").await;
    assert!(
        told.values().all(|state| state == "cancelled"),
        "they had not left: {told:?}"
    );
    let counts = store.count_incident_windows(id).await.expect("reads");
    assert_eq!((counts.windows, counts.told, counts.moved), (2, 2, 0));
}

async fn elsewhere_concerns_nobody(flows: &Flows) {
    let (store, near) = (&flows.store, minutes(60));
    let elsewhere = NewIncident {
        scope: IncidentScope {
            sites: vec![SiteId(99)],
            communities: vec![CommunityId(99)],
        },
        ..everywhere("elsewhere")
    };

    let now = flows.clock.now();
    let (other, _) = store
        .open_incident(&elsewhere, now + near, now)
        .await
        .expect("opens");
    flows.tell().await;
    assert_eq!(flows.states("incident:").await.len(), 0, "nobody lives there");
    assert!(
        store
            .incident(other)
            .await
            .expect("reads")
            .is_some_and(|it| !it.scope.is_everywhere())
    );
}

/// Withdrawn before it left, a notice is no news: who had heard nothing, and lost nothing, hears nothing of the end.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_told_to_those_who_had_heard_or_had_lost_the_notice_of_their_time() {
    on_both(async |test| {
        let store = &test.store;
        let (_, units) = small_round(store).await;
        let flows = Flows::on(store, Clock::manual(evening()));
        while flows.releaser.step().await.expect("steps") > 0 {}
        // Phone 1 (two homes) has heard its times; phone 2 has not.
        let (one, two) = (contact(store, 1).await, contact(store, 2).await);
        leaves(store, &format!("window:1:1:{one}"), DeliveryState::Delivered).await;
        let (id, _) = store
            .open_incident(&everywhere("x"), evening() + minutes(200), evening())
            .await
            .expect("opens");
        flows.tell().await;
        assert_eq!(flows.states("incident:").await.len(), 2);
        assert_eq!(
            flows
                .states(&format!("window:1:1:{two}"))
                .await
                .into_values()
                .collect::<Vec<_>>(),
            ["cancelled"]
        );
        let closed = store
            .close_incident(id, "a test", "", evening() + minutes(1))
            .await;
        assert!(closed.expect("closes"));
        while flows.teller.step().await.expect("steps") != teller::Step::Idle {}
        let told: Vec<String> = flows.states("incident-over:").await.into_keys().collect();
        assert_eq!(
            told,
            [format!("incident-over:{id}:{two}")],
            "it would not know its time otherwise"
        );
        assert!(
            flows
                .states("incident:")
                .await
                .values()
                .all(|state| state == "cancelled")
        );
        assert_eq!(units.len(), 2);

        what_is_on_its_way_counts_as_heard(&flows, one, two).await;
    })
    .await;
}

async fn what_is_on_its_way_counts_as_heard(flows: &Flows, one: ContactId, two: ContactId) {
    let store = &flows.store;
    flows.clock.advance(minutes(1));
    // The next time phone 1 is reached, while the notice to phone 2 is on its way at the end.
    let (id, _) = store
        .open_incident(&everywhere("y"), evening() + minutes(200), evening() + minutes(2))
        .await
        .expect("opens");
    flows.tell().await;
    leaves(store, &format!("incident:{id}:{one}"), DeliveryState::Accepted).await;
    let held = claimed(store, &format!("incident:{id}:{two}")).await;
    let closed = store
        .close_incident(id, "a test", "", evening() + minutes(3))
        .await;
    assert!(closed.expect("closes"));
    while flows.teller.step().await.expect("steps") != teller::Step::Idle {}
    assert_eq!(flows.states(&format!("incident-over:{id}:")).await.len(), 2);
    // The channel was busy: what the dispatcher gives back is not sent after the news that it is over.
    let back = Change {
        next_at: Some(evening()),
        ..change(held, DeliveryState::Queued)
    };
    store
        .record(&[back], evening() + minutes(3))
        .await
        .expect("records");
    let state = store
        .delivery(held)
        .await
        .expect("reads")
        .expect("is there")
        .state;
    assert_eq!(state, "cancelled");
}

/// While another fault lasts nobody is told to come.
#[tokio::test(flavor = "multi_thread")]
async fn whom_two_incidents_concern_hears_of_the_end_when_both_are_over() {
    on_both(async |test| {
        let store = &test.store;
        small_round(store).await;
        let flows = Flows::on(store, Clock::manual(evening()));
        while flows.releaser.step().await.expect("steps") > 0 {}
        let site = store.sites().await.expect("reads")[0].id;
        let here = NewIncident {
            scope: IncidentScope {
                sites: vec![site],
                communities: Vec::new(),
            },
            ..everywhere("here")
        };
        let near = evening() + minutes(200);
        let (first, _) = store.open_incident(&here, near, evening()).await.expect("opens");
        let (second, _) = store
            .open_incident(&everywhere("all"), near, evening())
            .await
            .expect("opens");
        flows.tell().await;
        for n in [1, 2] {
            let contact = contact(store, n).await;
            for id in [first, second] {
                leaves(
                    store,
                    &format!("incident:{id}:{contact}"),
                    DeliveryState::Delivered,
                )
                .await;
            }
        }
        let closed = store
            .close_incident(first, "a test", "", evening() + minutes(1))
            .await;
        assert!(closed.expect("closes"));
        flows.tell().await;
        assert_eq!(flows.states("incident-over:").await, BTreeMap::new());
        let closed = store
            .close_incident(second, "a test", "", evening() + minutes(2))
            .await;
        assert!(closed.expect("closes"));
        while flows.teller.step().await.expect("steps") != teller::Step::Idle {}
        assert_eq!(flows.states("incident-over:").await.len(), 2, "once each");
        assert_eq!(store.incidents_to_end().await.expect("reads"), []);
    })
    .await;
}

async fn contact(store: &Store, serial: u32) -> ContactId {
    let address = Address::Phone(support_phone(serial));
    store
        .find_contact(&address)
        .await
        .expect("reads")
        .expect("is there")
}

async fn claimed(store: &Store, key: &str) -> DeliveryId {
    let all = store
        .claim(ChannelKind::Sms, 0..=5, 100, far(), far())
        .await
        .expect("claims");
    let filter = DeliveryFilter::default();
    let rows = store.deliveries(&filter, 1000).await.expect("reads");
    let row = rows.iter().find(|row| row.key == key).expect("was written");
    let id = DeliveryId(row.id);
    let others = all
        .iter()
        .map(|one| one.message.delivery)
        .filter(|other| *other != id);
    let back: Vec<Change> = others
        .map(|other| Change {
            next_at: Some(evening()),
            uncounted: true,
            ..change(other, DeliveryState::Queued)
        })
        .collect();
    store.record(&back, evening()).await.expect("records");
    id
}

/// One delivery leaves and comes so far; the others stay where they are.
async fn leaves(store: &Store, key: &str, to: DeliveryState) {
    let id = claimed(store, key).await;
    store.record(&[change(id, to)], evening()).await.expect("records");
}

/// All that is queued is due by then, and nothing expires meanwhile.
fn far() -> chrono::DateTime<chrono::Utc> {
    evening() + minutes(1)
}

fn change(id: DeliveryId, to: DeliveryState) -> Change {
    Change {
        id,
        to,
        reason: String::new(),
        next_at: None,
        uncounted: false,
        may_repeat: false,
        refs: None,
        bad_address: false,
    }
}

/// Two units, 1 and 2, and who lives there: phone, tags.
async fn lanes(store: &Store) -> (RoundId, Vec<UnitId>) {
    let person = |unit, n: u32, tags: &[Tag]| NewResident {
        tags: tags.to_vec(),
        ..resident(
            u64::from(n) + 1,
            place(1, unit),
            &format!("10{n}"),
            &format!("居民{n}"),
            n,
        )
    };
    let people = [
        person(1, 1, &[]),
        person(1, 2, &[Tag::Student]),
        person(1, 3, &[]),
        person(2, 4, &[]),
        person(2, 5, &[]),
        person(2, 6, &[Tag::Elderly]),
    ];
    import(store, "roster.csv", &people).await;
    store
        .save_sites(&[crate::store::site("甲采样点"), crate::store::site("乙采样点")])
        .await
        .expect("saves");
    let units = store.units_with_people(&[]).await.expect("reads");
    let mut units: Vec<UnitId> = units.iter().map(|unit| unit.unit).collect();
    units.sort();
    let sites = store.sites().await.expect("reads");
    let green = |minute: i64| GreenWindow {
        site: sites[1].id,
        starts_at: evening() + minutes(minute),
        ends_at: evening() + minutes(minute + 120),
        people: 1,
    };
    let window = |unit, minute: i64, people, green| Window {
        unit,
        site: sites[0].id,
        starts_at: evening() + minutes(minute),
        ends_at: evening() + minutes(minute + 20),
        people,
        over_capacity: false,
        green: Some(green),
    };
    let round = NewRound {
        spec: "{}".into(),
        summary: "{}".into(),
        // The first unit's own window is far and its green lane near; the second unit's the other way round.
        windows: vec![
            window(units[0], 300, 2, green(30)),
            window(units[1], 60, 2, green(600)),
        ],
    };
    let round = store.create_round(&round, evening()).await.expect("creates");
    let started = store.start_release(round, 1e9, evening(), evening()).await;
    assert!(started.expect("starts"));
    (round, units)
}

async fn takes_another_time(store: &Store, round: RoundId, unit: UnitId, serial: u32, minute: i64) {
    let contact = contact(store, serial).await;
    let residents = store.person(contact).await.expect("reads").residents;
    let own = OwnWindow {
        round,
        unit,
        site: store.sites().await.expect("reads")[0].id,
        starts_at: evening() + minutes(minute),
        ends_at: evening() + minutes(minute + 20),
        residents: residents.into_iter().map(|(resident, _)| resident).collect(),
        site_per_minute: 100.0,
        city_per_minute: None,
    };
    let taken = store.take_own_window(&own, evening()).await;
    assert!(taken.expect("takes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn near_is_what_each_persons_own_time_says() {
    on_both(async |test| {
        let store = &test.store;
        let (round, units) = lanes(store).await;
        let flows = Flows::on(store, Clock::manual(evening()));
        while flows.releaser.step().await.expect("steps") > 0 {}
        takes_another_time(store, round, units[0], 3, 90).await;
        takes_another_time(store, round, units[1], 4, 400).await;
        let now = flows.clock.now();
        let (id, _) = store
            .open_incident(&everywhere("x"), now + minutes(120), now)
            .await
            .expect("opens");
        flows.tell().await;
        let heard = async || {
            let mut phones = Vec::new();
            for n in 1..=6 {
                let contact = contact(store, n).await;
                if !flows.states(&format!("incident:{id}:{contact}")).await.is_empty() {
                    phones.push(n);
                }
            }
            phones
        };
        // The student's green lane begins at 30 minutes, phone 3's own time at 90, the second unit's window at 60.
        assert_eq!(heard().await, [2, 3, 5]);
        let counts = store.count_incident_windows(id).await.expect("reads");
        assert_eq!((counts.windows, counts.people, counts.told), (3, 3, 3));
        flows.clock.advance(minutes(200));
        flows.tell().await;
        assert_eq!(
            heard().await,
            [1, 2, 3, 5],
            "the first unit's window is near by now"
        );
        whom_it_kept(store, id).await;

        // At a site where nobody's window is, but somebody's green lane.
        let site = store.sites().await.expect("reads")[1].id;
        let there = NewIncident {
            scope: IncidentScope {
                sites: vec![site],
                communities: Vec::new(),
            },
            ..everywhere("there")
        };
        let (there, _) = store
            .open_incident(&there, evening() + minutes(120), evening())
            .await
            .expect("opens");
        let noted = store.windows_to_calm(there, 9).await.expect("reads");
        assert_eq!(
            noted.iter().map(|window| window.of).collect::<Vec<_>>(),
            [Appointment::Green]
        );
        let people = store.people_of(&units).await.expect("reads");
        let student = people
            .iter()
            .find(|person| person.name == "居民2")
            .expect("lives there");
        let back = store
            .return_sheets(there, &[(student.resident, None)], evening())
            .await;
        assert_eq!(back.expect("stored"), [Returned::Added], "they are on its sheets");
    })
    .await;
}

/// By each one's own time, students first; who comes later than the incident was not kept from anything.
async fn whom_it_kept(store: &Store, id: IncidentId) {
    let closed = store
        .close_incident(id, "a test", "", evening() + minutes(200))
        .await;
    assert!(closed.expect("closes"));
    let incident = store.incident(id).await.expect("reads").expect("is there");
    let mut kept = Vec::new();
    let count = missed::each(store, &incident, false, evening() + minutes(210), |person| {
        let minute = (person.window_starts_at - evening()).num_minutes();
        kept.push(format!("{} {minute} {}", person.name, person.site));
        Ok(())
    })
    .await
    .expect("lists");
    assert_eq!(
        kept,
        ["居民2 30 乙采样点", "居民3 90 甲采样点", "居民5 60 甲采样点"]
    );
    assert_eq!((count.people, count.students), (3, 1));
}

/// A round beside it, whose window of the same unit the incident did not touch, or did.
#[tokio::test(flavor = "multi_thread")]
async fn whom_it_kept_from_their_test_is_told_by_the_right_round() {
    on_both(async |test| {
        let store = &test.store;
        let (_, units) = small_round(store).await;
        let site = store.sites().await.expect("reads")[0].id;
        for minute in [600, 90] {
            let window = Window {
                unit: units[0],
                site,
                starts_at: evening() + minutes(minute),
                ends_at: evening() + minutes(minute + 20),
                people: 3,
                over_capacity: false,
                green: None,
            };
            let round = NewRound {
                spec: "{}".into(),
                summary: "{}".into(),
                windows: vec![window],
            };
            let round = store.create_round(&round, evening()).await.expect("creates");
            let started = store.start_release(round, 1e9, evening(), evening()).await;
            assert!(started.expect("starts"));
        }
        let (id, _) = store
            .open_incident(
                &everywhere("x"),
                evening() + minutes(1000),
                evening() + minutes(70),
            )
            .await
            .expect("opens");
        let closed = store
            .close_incident(id, "a test", "", evening() + minutes(115))
            .await;
        assert!(closed.expect("closes"));
        let incident = store.incident(id).await.expect("reads").expect("is there");
        let mut kept = Vec::new();
        let count = missed::each(store, &incident, false, evening(), |person| {
            let minute = (person.window_starts_at - evening()).num_minutes();
            kept.push((person.name, person.round.0, minute));
            Ok(())
        })
        .await
        .expect("lists");
        // Of the first unit: the first round's at 60 minutes, the third one's at 90; the second's is after its end.
        let expected = ["陈明", "陈桂英", "王伟"];
        let expected: Vec<_> = expected
            .iter()
            .flat_map(|name| [((*name).to_owned(), 1, 60), ((*name).to_owned(), 3, 90)])
            .collect();
        assert_eq!(kept, expected);
        assert_eq!(count.people, 3, "each counts once");
    })
    .await;
}

/// To a chat over the real socket: once, with the button that answers "my window", and of its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_linked_chat_hears_of_it_on_telegram_and_not_by_sms() {
    on_both(async |test| {
        let app = TestApp::start_with(test, Clock::manual(afternoon()), |scene| {
            scene.config.incidents.near_minutes = 70;
            scene.config.notices.reminder_before = std::time::Duration::ZERO;
        })
        .await;
        app.import(&many(UNITS)).await;
        app.link(501, "zh-hans", &phone(1)).await;
        app.link(502, "en", &phone(2)).await;
        let round = staggered(&app).await;
        app.settled(round).await;
        let (store, now) = (app.store().clone(), app.clock.now());
        let near = now + app.config.incidents.near();
        let before = (app.to_chat(501).len(), app.to_chat(502).len());
        let (id, _) = store
            .open_incident(&everywhere("x"), near, now)
            .await
            .expect("opens");
        let said = app.heard(501, before.0, 1).await;
        assert!(
            said[0].contains(FAULT) && said[0].contains("用纸笔给您登记"),
            "{said:?}"
        );
        let said = app.heard(502, before.1, 1).await;
        assert!(
            said[0].contains("The registration system has a fault"),
            "{said:?}"
        );
        app.quiet().await;
        assert_eq!(heard(&app, FAULT), once(0..1), "the others have a phone only");
        let closed = store.close_incident(id, "a test", "", app.clock.now()).await;
        assert!(closed.expect("closes"));
        let said = app.heard(501, before.0 + 1, 1).await;
        let windows = app.windows(round).await;
        assert!(
            said[0].contains(OVER) && said[0].contains(&hours(&windows[1].1)),
            "{said:?}"
        );
        app.heard(502, before.1 + 1, 1).await;
        app.quiet().await;
        assert_eq!(
            (app.to_chat(501).len(), app.to_chat(502).len()),
            (before.0 + 2, before.1 + 2)
        );
        assert_eq!(heard(&app, OVER), once(0..1));
        let report = weir::incidents::report::gather(
            &store,
            store.incident(id).await.expect("reads").expect("is there"),
            app.clock.now(),
        )
        .await
        .expect("reads");
        let by_chat: i64 = report
            .notices
            .iter()
            .filter(|count| count.channel == "telegram" && count.kind == "incident")
            .map(|count| count.deliveries)
            .sum();
        assert_eq!((by_chat, report.taken.count), (2, 3));
    })
    .await;
}
