//! Every method of the store, on both databases.

use weir::{
    config::Config,
    domain::{
        Address, ChannelKind, ContactId, CountedFrom, DeliveryId, DeliveryState, GreenWindow, Inbound,
        InboundContent, IncidentId, IncidentScope, Lane, Language, ManualState, Need, NoticeKind, Policy,
        Purpose, ResidentId, RoundId, RoundState, Site, SiteId, Tag, Team, TeamId, ThreadAuthor,
        ThreadReason, UnitId, VisitAct, VisitBy, VisitFor, VisitId, VisitState, Visitor, VisitorRole, Window,
    },
    i18n::{Texts, visits::VisitTeller},
    store::{
        Appointment, Asked, BuildingPoint, Change, CityMove, ContactState, DeliveryFilter, ImportSummary,
        LogKind, ManualChange, NewDecision, NewDelivery, NewIncident, NewLogEntry, NewRound, NewVisit,
        OwnWindow, PacingRow, Pause, Recorded, RefusedRow, ReplyRow, Returned, Round, RowOutcome, SetText,
        Steering, Store, StoreError, ThreadChange, ThreadFilter, ToldCount, VisitChange, VisitFilter,
        WindowMove,
    },
};

use crate::support::{
    TestStore, delivery, evening, import, minutes, on_both, phone, place, postgres, resident, sqlite,
};

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

async fn claim(store: &Store, limit: usize) -> Vec<DeliveryId> {
    let now = evening();
    let claimed = store
        .claim(ChannelKind::Sms, 0..=5, limit, now, now + minutes(5))
        .await
        .expect("claims");
    claimed.iter().map(|claimed| claimed.message.delivery).collect()
}

/// A round as it is now.
async fn read(store: &Store, round: RoundId) -> Round {
    store.round(round).await.expect("reads").expect("is there")
}

async fn state_of(store: &Store, id: DeliveryId) -> String {
    store.delivery(id).await.expect("reads").expect("is there").state
}

/// A small city: one site, two units, a released round with a window for each.
pub async fn small_round(store: &Store) -> (weir::domain::RoundId, Vec<UnitId>) {
    import(
        store,
        "roster.csv",
        &[
            resident(2, place(1, 1), "101", "陈桂英", 1),
            resident(3, place(1, 1), "101", "陈明", 1),
            resident(4, place(1, 1), "102", "王伟", 2),
            resident(5, place(1, 2), "101", "陈小明", 1),
            resident(6, place(1, 2), "102", "李奶奶", 0),
        ],
    )
    .await;
    store.save_sites(&[site("锦绣采样点")]).await.expect("saves");
    let units = store.units_with_people(&[]).await.expect("reads");
    let mut ids: Vec<UnitId> = units.iter().map(|unit| unit.unit).collect();
    ids.sort();
    let site = store.sites().await.expect("reads")[0].id;
    let windows = ids
        .iter()
        .zip(1..)
        .map(|(unit, hour)| Window {
            unit: *unit,
            site,
            starts_at: evening() + minutes(60 * hour),
            ends_at: evening() + minutes(60 * hour + 20),
            people: 3,
            over_capacity: false,
            green: None,
        })
        .collect();
    let round = NewRound {
        spec: "{}".into(),
        summary: "{}".into(),
        windows,
    };
    let round = store.create_round(&round, evening()).await.expect("creates");
    assert!(
        store
            .start_release(round, 60.0, evening(), evening())
            .await
            .expect("starts")
    );
    (round, ids)
}

pub fn site(name: &str) -> Site {
    Site {
        id: SiteId(0),
        name: name.into(),
        district: "锦江区".into(),
        street: "春熙街道".into(),
        community: "锦绣社区1".into(),
        serves: vec!["望江社区2".into(), "合江街道/东湖社区".into()],
        address: "锦绣广场".into(),
        desks: 3,
        green_desks: 1,
        samples_per_desk_hour: 120,
        opens: "08:00:00".parse().expect("a time"),
        closes: "21:00:00".parse().expect("a time"),
        breaks: [("12:00:00", "13:00:00"), ("17:30:00", "18:00:00")]
            .map(|(from, to)| (from.parse().expect("a time"), to.parse().expect("a time")))
            .into(),
        coordinates: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_notice_to_the_same_contact_exists_once() {
    on_both(async |test| {
        let contact = test
            .store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        let twice = [
            delivery("window:1:1:1", contact, NoticeKind::Window),
            delivery("window:1:1:1", contact, NoticeKind::Window),
        ];
        assert_eq!(test.store.enqueue(&twice, evening()).await.expect("writes"), 1);
        assert_eq!(
            test.store.enqueue(&twice[..1], evening()).await.expect("writes"),
            0
        );
        assert_eq!(claim(&test.store, 10).await.len(), 1);
        assert_eq!(
            test.store
                .contact(&Address::Phone(phone(1)), evening())
                .await
                .expect("known"),
            contact
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_urgent_leave_first_and_each_is_claimed_once() {
    on_both(async |test| {
        let contact = test
            .store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        let kinds = [
            NoticeKind::Announcement,
            NoticeKind::Window,
            NoticeKind::Reply,
            NoticeKind::Reminder,
        ];
        let all: Vec<_> = kinds
            .iter()
            .map(|kind| delivery(kind.as_str(), contact, *kind))
            .collect();
        test.store.enqueue(&all, evening()).await.expect("writes");
        let mut order = Vec::new();
        for _ in 0..4 {
            for id in claim(&test.store, 1).await {
                order.push(
                    test.store
                        .delivery(id)
                        .await
                        .expect("reads")
                        .expect("is there")
                        .kind,
                );
            }
        }
        assert_eq!(order, ["reply", "window", "reminder", "announcement"]);
        assert!(claim(&test.store, 10).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_claimers_never_get_the_same_delivery() {
    on_both(async |test| {
        let contact = test
            .store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        let all: Vec<_> = (0..200)
            .map(|n| delivery(&format!("k{n}"), contact, NoticeKind::Window))
            .collect();
        test.store.enqueue(&all, evening()).await.expect("writes");
        let other = test.again().await;
        let claim_all = async |store: &Store| {
            let mut mine = Vec::new();
            loop {
                let some = claim(store, 17).await;
                if some.is_empty() {
                    return mine;
                }
                mine.extend(some);
            }
        };
        let (mut one, two) = tokio::join!(claim_all(&test.store), claim_all(&other));
        one.extend(two);
        one.sort();
        let count = one.len();
        one.dedup();
        assert_eq!((count, one.len()), (200, 200));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_state_stays_final_and_every_change_is_on_record() {
    on_both(async |test| {
        let store = &test.store;
        let contact = store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        store
            .enqueue(&[delivery("k", contact, NoticeKind::Window)], evening())
            .await
            .expect("writes");
        let id = claim(store, 1).await[0];
        store
            .record(&[change(id, DeliveryState::Sent)], evening())
            .await
            .expect("records");
        for to in [
            DeliveryState::Queued,
            DeliveryState::Failed,
            DeliveryState::Accepted,
        ] {
            store.record(&[change(id, to)], evening()).await.expect("records");
        }
        store.expire(evening() + minutes(120)).await.expect("sweeps");
        store.recover_sending(None, evening()).await.expect("sweeps");
        let row = store.delivery(id).await.expect("reads").expect("is there");
        assert_eq!(row.state, "sent");
        let states: Vec<_> = row
            .history
            .iter()
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        assert_eq!(states, ["queued", "sending", "accepted", "sent"]);
        assert_eq!(row.to, "+86199****0001", "listings mask the number");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_dispatcher_held_goes_back_and_counts_as_a_possible_repeat() {
    on_both(async |test| {
        let store = &test.store;
        let contact = store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        store
            .enqueue(&[delivery("k", contact, NoticeKind::Window)], evening())
            .await
            .expect("writes");
        let id = claim(store, 1).await[0];
        assert_eq!(
            store
                .recover_sending(Some(evening()), evening())
                .await
                .expect("sweeps"),
            0,
            "its lease lasts"
        );
        assert_eq!(store.recover_sending(None, evening()).await.expect("sweeps"), 1);
        assert_eq!(claim(store, 1).await, [id]);
        let row = store.delivery(id).await.expect("reads").expect("is there");
        assert_eq!((row.attempts, row.repeats), (2, 1));
        let counts = store
            .count_deliveries(&DeliveryFilter::default())
            .await
            .expect("counts");
        assert_eq!(counts[0].repeated, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_no_longer_be_in_time_expires() {
    on_both(async |test| {
        let store = &test.store;
        let contact = store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        store
            .enqueue(&[delivery("k", contact, NoticeKind::Window)], evening())
            .await
            .expect("writes");
        assert_eq!(store.expire(evening() + minutes(59)).await.expect("sweeps"), 0);
        assert_eq!(store.expire(evening() + minutes(60)).await.expect("sweeps"), 1);
        assert!(claim(store, 1).await.is_empty());
        assert_eq!(store.open_deliveries(None).await.expect("counts"), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delivered_needs_the_receipt_of_every_part_and_may_come_before_the_answer_is_recorded() {
    on_both(async |test| {
        let store = &test.store;
        let contact = store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        let all: Vec<_> = (0..3)
            .map(|n| delivery(&format!("k{n}"), contact, NoticeKind::Window))
            .collect();
        store.enqueue(&all, evening()).await.expect("writes");
        let ids = claim(store, 3).await;
        let receipt = |part: &str, fate| {
            (
                "carrier".to_owned(),
                part.to_owned(),
                fate,
                "stat:DELIVRD".to_owned(),
            )
        };
        store
            .record_receipts(&[receipt("a1", "delivered")], evening())
            .await
            .expect("keeps");
        let apply = async || {
            store
                .apply_receipts(100, evening(), evening() - minutes(60))
                .await
                .expect("applies")
        };
        assert_eq!(apply().await.matched, 0, "its submit is not recorded yet");
        let accepted = |id, refs: &[&str]| Change {
            refs: Some(("carrier".into(), refs.iter().map(ToString::to_string).collect())),
            ..change(id, DeliveryState::Accepted)
        };
        let changes = [
            accepted(ids[0], &["a1", "a2"]),
            accepted(ids[1], &["b1", "b2"]),
            accepted(ids[2], &["c1"]),
        ];
        store.record(&changes, evening()).await.expect("records");
        assert_eq!(apply().await.matched, 1);
        assert_eq!(state_of(store, ids[0]).await, "accepted", "one of two parts");
        let rest = [
            receipt("a2", "delivered"),
            receipt("b1", "failed"),
            receipt("unknown", "delivered"),
        ];
        store.record_receipts(&rest, evening()).await.expect("keeps");
        let outcome = apply().await;
        assert_eq!((outcome.delivered, outcome.failed), (1, 1));
        assert_eq!(state_of(store, ids[0]).await, "delivered");
        assert_eq!(state_of(store, ids[1]).await, "failed");
        store
            .record_receipts(&[receipt("b2", "delivered")], evening())
            .await
            .expect("keeps");
        apply().await;
        assert_eq!(state_of(store, ids[1]).await, "failed", "final stays final");
        let settled = store
            .settle_without_receipt(evening() + minutes(1), evening() + minutes(1))
            .await
            .expect("sweeps");
        assert_eq!((settled, state_of(store, ids[2]).await.as_str()), (1, "sent"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_address_is_marked_and_listed_as_silence() {
    on_both(async |test| {
        let store = &test.store;
        let (round, _) = small_round(store).await;
        let silent = store.silent_households(round).await.expect("lists");
        assert_eq!(
            silent
                .iter()
                .map(|unit| (unit.households, unit.people))
                .collect::<Vec<_>>(),
            [(1, 1)]
        );
        let contact = store
            .find_contact(&Address::Phone(phone(2)))
            .await
            .expect("reads")
            .expect("known");
        store
            .enqueue(&[delivery("k", contact, NoticeKind::Window)], evening())
            .await
            .expect("writes");
        let id = claim(store, 1).await[0];
        let refused = Change {
            bad_address: true,
            ..change(id, DeliveryState::Failed)
        };
        store.record(&[refused], evening()).await.expect("records");
        let silent = store.silent_households(round).await.expect("lists");
        assert_eq!(silent.iter().map(|unit| unit.households).sum::<i64>(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_twice_changes_nothing_and_a_newer_file_says_what_changed() {
    on_both(async |test| {
        let store = &test.store;
        let rows = [
            resident(2, place(1, 1), "101", "陈桂英", 1),
            resident(3, place(1, 1), "102", "王伟", 2),
        ];
        assert_eq!(
            import(store, "r.csv", &rows).await,
            [RowOutcome::Added, RowOutcome::Added]
        );
        assert_eq!(
            import(store, "r.csv", &rows).await,
            [RowOutcome::Unchanged, RowOutcome::Unchanged]
        );
        let newer = [resident(2, place(1, 1), "101", "陈桂英", 9), rows[1].clone()];
        assert_eq!(
            import(store, "r.csv", &newer).await,
            [RowOutcome::Changed(vec!["phone"]), RowOutcome::Unchanged]
        );
        assert_eq!(
            import(store, "r.csv", &newer).await,
            [RowOutcome::Unchanged, RowOutcome::Unchanged]
        );
        let people = store.phone_residents(&phone(9)).await.expect("reads");
        assert_eq!(
            people
                .iter()
                .map(|person| person.name.as_str())
                .collect::<Vec<_>>(),
            ["陈桂英"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_in_one_file_names_the_other_line_also_across_batches() {
    on_both(async |test| {
        let row = resident(2, place(1, 1), "101", "陈桂英", 1);
        for dry_run in [true, false] {
            let mut import = test
                .store
                .begin_import("r.csv", evening(), dry_run)
                .await
                .expect("begins");
            let again = |line| weir::store::NewResident { line, ..row.clone() };
            let first = import.rows(&[row.clone(), again(3)]).await.expect("takes");
            assert_eq!(
                first,
                [RowOutcome::Added, RowOutcome::Repeat { line: 2 }],
                "dry run: {dry_run}"
            );
            let second = import.rows(&[again(9)]).await.expect("takes");
            assert_eq!(second, [RowOutcome::Repeat { line: 2 }], "dry run: {dry_run}");
        }
        assert_eq!(
            test.store.units_with_people(&[]).await.expect("reads")[0].people,
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_the_same_with_and_without_ref() {
    on_both(async |test| {
        let store = &test.store;
        let without = resident(2, place(1, 1), "101", "陈桂英", 1);
        let with = weir::store::NewResident {
            reference: Some("R000000001".into()),
            ..without.clone()
        };
        assert_eq!(
            import(store, "r.csv", std::slice::from_ref(&without)).await,
            [RowOutcome::Added]
        );
        assert_eq!(
            import(store, "r.csv", std::slice::from_ref(&with)).await,
            [RowOutcome::Changed(vec!["ref"])]
        );
        assert_eq!(
            import(store, "r.csv", std::slice::from_ref(&without)).await,
            [RowOutcome::Unchanged]
        );
        let moved = weir::store::NewResident {
            place: place(2, 1),
            ..with
        };
        assert_eq!(
            import(store, "r.csv", &[moved]).await,
            [RowOutcome::Changed(vec!["place"])]
        );
        let units = store.units_with_people(&[]).await.expect("reads");
        assert_eq!(units.iter().map(|unit| unit.people).sum::<u32>(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_absent_move_out_only_in_the_communities_of_the_file() {
    on_both(async |test| {
        let store = &test.store;
        let elsewhere = weir::domain::UnitPlace {
            community: "府河社区2".into(),
            ..place(1, 1)
        };
        let all = [
            resident(2, place(1, 1), "101", "陈桂英", 1),
            resident(3, place(1, 1), "102", "王伟", 2),
            resident(4, elsewhere, "101", "李军", 3),
        ];
        import(store, "r.csv", &all).await;
        let mut newer = store
            .begin_import("r.csv", evening(), false)
            .await
            .expect("begins");
        newer.rows(&all[..1]).await.expect("takes");
        assert_eq!(newer.absent().await.expect("counts"), 1);
        assert_eq!(newer.move_out_absent(evening()).await.expect("marks"), 1);
        newer
            .finish(evening(), &ImportSummary::default())
            .await
            .expect("finishes");
        let people: u32 = store
            .units_with_people(&[])
            .await
            .expect("reads")
            .iter()
            .map(|unit| unit.people)
            .sum();
        assert_eq!(people, 2);
        assert_eq!(
            import(store, "r.csv", &all[1..2]).await,
            [RowOutcome::Changed(vec!["moved back"])]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn refused_rows_wait_until_they_are_mended() {
    on_both(async |test| {
        let store = &test.store;
        let row = |line, cells: &[&str], mends| RefusedRow {
            line,
            column: "phone".into(),
            reason: "not a phone number".into(),
            is_repeat: false,
            place: [
                "锦江区".into(),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
            ],
            cells: cells.iter().map(ToString::to_string).collect(),
            mends,
        };
        for _ in 0..2 {
            let import = store
                .begin_import("r.csv", evening(), false)
                .await
                .expect("begins");
            import
                .refused(&[row(2, &["a"], None), row(3, &["b"], None)])
                .await
                .expect("keeps");
            import
                .finish(evening(), &ImportSummary::default())
                .await
                .expect("finishes");
        }
        let kept = store.refusals(false).await.expect("lists");
        assert_eq!(
            kept.iter().map(|row| row.cells[0].as_str()).collect::<Vec<_>>(),
            ["a", "b"],
            "kept once"
        );
        let mut mended = store
            .begin_import("refused.csv", evening(), false)
            .await
            .expect("begins");
        let good = weir::store::NewResident {
            mends: Some(kept[0].id),
            ..resident(2, place(1, 1), "101", "陈桂英", 1)
        };
        mended.rows(&[good]).await.expect("takes");
        mended
            .refused(&[row(3, &["still bad"], Some(kept[1].id))])
            .await
            .expect("keeps");
        mended
            .finish(evening(), &ImportSummary::default())
            .await
            .expect("finishes");
        let kept = store.refusals(false).await.expect("lists");
        assert_eq!(
            kept.iter().map(|row| row.cells[0].as_str()).collect::<Vec<_>>(),
            ["still bad"]
        );
        let import = store
            .begin_import("refused.csv", evening(), false)
            .await
            .expect("begins");
        import
            .finish(evening(), &ImportSummary::default())
            .await
            .expect("finishes");
        assert!(
            store.refusals(true).await.expect("lists").is_empty(),
            "a file without them has mended them"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_phone_is_told_once_and_goes_on_while_anyone_on_it_has_no_chat() {
    on_both(async |test| {
        let store = &test.store;
        let (round, units) = small_round(store).await;
        let audience = store.audience(&units).await.expect("reads");
        assert_eq!(audience.len(), 2, "two phones for four people with a phone");
        let shared = store
            .find_contact(&Address::Phone(phone(1)))
            .await
            .expect("reads")
            .expect("known");
        let windows = store.contact_windows(&[shared], round).await.expect("reads");
        assert_eq!(windows.len(), 2, "both homes of the shared phone, each once");

        let chat = store.contact(&Address::Chat(7), evening()).await.expect("made");
        let people = store.phone_residents(&phone(1)).await.expect("reads");
        link(store, chat, people[0].resident).await;
        let audience = store.audience(&units).await.expect("reads");
        assert_eq!(
            audience
                .iter()
                .filter(|c| c.contact == shared || c.contact == chat)
                .count(),
            2
        );
        for person in &people[1..] {
            link(store, chat, person.resident).await;
        }
        let audience = store.audience(&units).await.expect("reads");
        assert!(
            audience.iter().all(|c| c.contact != shared),
            "everybody on it has a chat"
        );
        store
            .set_contact_state(chat, ContactState::Unreachable, "blocked", evening())
            .await
            .expect("sets");
        let audience = store.audience(&units).await.expect("reads");
        assert!(
            audience.iter().any(|c| c.contact == shared),
            "a blocked chat falls back to the phone"
        );
    })
    .await;
}

pub async fn link(store: &Store, chat: weir::domain::ContactId, resident: weir::domain::ResidentId) {
    let inbound = Inbound {
        from: Address::Chat(7),
        external_id: format!("link {resident}"),
        received_at: evening(),
        content: InboundContent::Other,
        language: None,
        tapped: None,
    };
    store.record_inbound(&inbound).await.expect("records");
    let waiting = store.waiting_inbound(1).await.expect("reads");
    let step = ReplyRow {
        link: Some(resident),
        ..ReplyRow::default()
    };
    assert!(
        store
            .answer(waiting[0].id, chat, &step, evening())
            .await
            .expect("answers")
    );
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_message_is_recorded_once_and_answered_once() {
    on_both(async |test| {
        let store = &test.store;
        let inbound = |id: &str, after: i64| Inbound {
            from: Address::Phone(phone(1)),
            external_id: id.into(),
            received_at: evening() + minutes(after),
            content: InboundContent::Text("我的时段".into()),
            language: None,
            tapped: None,
        };
        assert_eq!(
            store
                .record_inbound(&inbound("abc:1:7", 0))
                .await
                .expect("records"),
            Recorded::New
        );
        assert_eq!(
            store
                .record_inbound(&inbound("abc:1:7", 0))
                .await
                .expect("records"),
            Recorded::Known
        );
        assert_eq!(
            store
                .record_inbound(&inbound("abc:2:1", 1))
                .await
                .expect("records"),
            Recorded::Known,
            "sent again after a reconnect"
        );
        assert_eq!(
            store
                .record_inbound(&inbound("abc:1:8", 1))
                .await
                .expect("records"),
            Recorded::New,
            "said twice"
        );
        assert_eq!(
            store
                .record_inbound(&inbound("abc:3:1", 30))
                .await
                .expect("records"),
            Recorded::New,
            "said again later"
        );
        let known =
            async |id: &str, after: i64| store.record_inbound(&inbound(id, after)).await.expect("records");
        // Another word, and then a digit of the menu after a reconnect: the person answers the next question.
        assert_eq!(known("def:3:2", 60).await, Recorded::New);
        assert_eq!(known("abc:3:3", 60).await, Recorded::New);
        assert_eq!(
            known("def:4:1", 61).await,
            Recorded::New,
            "not their last word, so said again"
        );
        assert_eq!(known("def:5:1", 61).await, Recorded::Known, "sent again");
        assert_eq!(known("def:5:2", 61).await, Recorded::New, "and said again");
        let waiting = store.waiting_inbound(10).await.expect("reads");
        assert_eq!(waiting.len(), 7);
        let contact = waiting[0].contact;
        let reply = delivery("reply:1:0", contact, NoticeKind::Reply);
        let step = ReplyRow {
            state: Some("{}".into()),
            stopped: Some(true),
            replies: vec![reply],
            ..ReplyRow::default()
        };
        assert!(
            store
                .answer(waiting[0].id, contact, &step, evening())
                .await
                .expect("answers")
        );
        assert!(
            !store
                .answer(waiting[0].id, contact, &step, evening())
                .await
                .expect("answers"),
            "once"
        );
        assert_eq!(store.waiting_inbound(10).await.expect("reads").len(), 6);
        assert_eq!(
            store.dialogue(contact).await.expect("reads").as_deref(),
            Some("{}")
        );
        assert!(store.person(contact).await.expect("reads").stopped);
        assert_eq!(claim(store, 10).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_round_holds_what_waits_and_a_cancelled_one_never_sends_it() {
    on_both(async |test| {
        let store = &test.store;
        let (round, _) = small_round(store).await;
        let contact = store
            .find_contact(&Address::Phone(phone(1)))
            .await
            .expect("reads")
            .expect("known");
        let in_round = weir::store::NewDelivery {
            round: Some(round),
            ..delivery("k", contact, NoticeKind::Window)
        };
        store.enqueue(&[in_round], evening()).await.expect("writes");
        let go = async |from: &[RoundState], to| {
            store.move_round(round, from, to, evening()).await.expect("moves")
        };
        assert!(go(&[RoundState::Releasing], RoundState::Paused).await);
        assert!(claim(store, 1).await.is_empty());
        assert!(
            !store
                .tell(
                    &read(store, round).await,
                    &[],
                    &[],
                    Some(evening()),
                    &Steering::default(),
                    evening()
                )
                .await
                .expect("asks")
        );
        assert!(
            !go(&[RoundState::Releasing], RoundState::Paused).await,
            "only once"
        );
        assert!(go(&[RoundState::Paused], RoundState::Releasing).await);
        assert!(go(&[RoundState::Releasing], RoundState::Cancelled).await);
        assert!(claim(store, 1).await.is_empty());
        assert_eq!(state_of(store, DeliveryId(1)).await, "cancelled");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_told_in_order_once_and_the_round_ends_when_all_is_final() {
    on_both(async |test| {
        let store = &test.store;
        let (round, ids) = small_round(store).await;
        let units = store.units_to_tell(round, 10).await.expect("reads");
        assert_eq!(units.iter().map(|unit| unit.unit).collect::<Vec<_>>(), ids);
        assert_eq!(
            units.iter().map(|unit| unit.recipients).collect::<Vec<_>>(),
            [2, 1]
        );
        let next = Some(evening() + minutes(1));
        assert!(
            store
                .tell(
                    &read(store, round).await,
                    &[units[0].window],
                    &[],
                    next,
                    &Steering::default(),
                    evening()
                )
                .await
                .expect("tells")
        );
        assert_eq!(store.units_to_tell(round, 10).await.expect("reads").len(), 1);
        assert_eq!(store.told(round).await.expect("counts"), (1, 2));
        let due = store
            .units_to_remind(round, evening() + minutes(61), 10)
            .await
            .expect("reads");
        assert_eq!(due.iter().map(|unit| unit.unit).collect::<Vec<_>>(), ids[..1]);
        store
            .remind(&read(store, round).await, &due, &[], evening())
            .await
            .expect("reminds");
        assert!(
            store
                .units_to_remind(round, evening() + minutes(61), 10)
                .await
                .expect("reads")
                .is_empty()
        );
        let later = evening() + minutes(300);
        assert_eq!(
            store.finish_rounds(later).await.expect("looks"),
            0,
            "a unit is not told"
        );
        store
            .tell(
                &read(store, round).await,
                &[units[1].window],
                &[],
                next,
                &Steering::default(),
                evening(),
            )
            .await
            .expect("tells");
        assert_eq!(store.finish_rounds(later).await.expect("looks"), 1);
        assert_eq!(
            store.round(round).await.expect("reads").expect("is there").state,
            RoundState::Done
        );
        assert_eq!(store.windows(round).await.expect("reads").len(), 2);
        let told = store.told_windows(&[], &ids, evening()).await.expect("reads");
        assert_eq!(told.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_sites_and_points_are_kept() {
    on_both(async |test| {
        let store = &test.store;
        let version = store.places_version().await.expect("reads");
        small_round(store).await;
        assert_ne!(store.places_version().await.expect("reads"), version);
        let units = store.units().await.expect("reads");
        assert_eq!(units.len(), 2);
        assert_ne!(units[0].code, units[1].code);
        assert_eq!(
            store.save_sites(&[site("锦绣采样点")]).await.expect("saves"),
            (0, 0),
            "with breaks and communities, nothing is new"
        );
        let wider = Site {
            desks: 5,
            ..site("锦绣采样点")
        };
        assert_eq!(
            store.save_sites(&[wider, site("另一处")]).await.expect("saves"),
            (1, 1)
        );
        let point = BuildingPoint {
            district: "锦江区".into(),
            street: "春熙街道".into(),
            community: "锦绣社区1".into(),
            building: "1栋".into(),
            coordinates: weir::domain::Coordinates {
                lat: 30.66,
                lon: 104.06,
            },
        };
        let elsewhere = BuildingPoint {
            building: "99栋".into(),
            ..point.clone()
        };
        assert_eq!(
            store
                .save_building_points(&[point.clone(), elsewhere])
                .await
                .expect("saves"),
            1
        );
        let people = store
            .units_with_people(&["锦绣社区1".into()])
            .await
            .expect("reads");
        assert!(
            people
                .iter()
                .all(|unit| unit.coordinates == Some(point.coordinates))
        );
        assert!(
            store
                .units_with_people(&["别处".into()])
                .await
                .expect("reads")
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn leases_pauses_and_jobs_outlive_a_process() {
    on_both(async |test| {
        let store = &test.store;
        let now = evening();
        assert!(
            store
                .hold_lease("service", "a", now, now + minutes(1))
                .await
                .expect("asks")
        );
        assert!(
            !store
                .hold_lease("service", "b", now, now + minutes(1))
                .await
                .expect("asks")
        );
        assert!(
            store
                .hold_lease("service", "a", now, now + minutes(2))
                .await
                .expect("asks"),
            "renewed"
        );
        assert_eq!(
            store.lease_owner("service", now).await.expect("asks").as_deref(),
            Some("a")
        );
        assert!(
            store
                .hold_lease("service", "b", now + minutes(2), now + minutes(3))
                .await
                .expect("asks"),
            "ran out"
        );
        store.release_lease("service", "b").await.expect("gives back");
        assert_eq!(store.lease_owner("service", now).await.expect("asks"), None);

        let pause = |until| Pause {
            channel: "telegram".into(),
            until,
            reason: "asked".into(),
        };
        store
            .pause_channel(&pause(now + minutes(10)))
            .await
            .expect("notes");
        store
            .pause_channel(&pause(now + minutes(5)))
            .await
            .expect("notes");
        assert_eq!(
            test.again().await.pauses(now).await.expect("reads"),
            [pause(now + minutes(10))],
            "the later end counts"
        );
        assert!(store.pauses(now + minutes(10)).await.expect("reads").is_empty());

        assert!(
            store
                .begin_job("erase", "2026-09-02 03:30", now)
                .await
                .expect("notes")
        );
        assert!(
            !store
                .begin_job("erase", "2026-09-02 03:30", now)
                .await
                .expect("notes")
        );
        store
            .end_job("erase", "2026-09-02 03:30", now, "erased 0 rows")
            .await
            .expect("notes");
        store.ping().await.expect("answers");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_one_database_restores_into_the_other_and_sends_nothing_by_itself() {
    let mut stores = vec![sqlite().await];
    stores.extend(postgres().await);
    for from in &stores {
        let (round, _) = small_round(&from.store).await;
        let contact = from
            .store
            .find_contact(&Address::Phone(phone(1)))
            .await
            .expect("reads")
            .expect("known");
        let in_round = weir::store::NewDelivery {
            round: Some(round),
            ..delivery("k", contact, NoticeKind::Window)
        };
        let alone = delivery("alone", contact, NoticeKind::Reply);
        from.store
            .enqueue(&[in_round, alone], evening())
            .await
            .expect("writes");
        let file = from.folder.path().join("b.backup");
        let rows = from.store.backup(&file, evening()).await.expect("writes");
        let kind = from.store.kind();
        let mut to = vec![sqlite_with_key(from).await];
        to.extend(postgres_with_key(from).await);
        for to in &to {
            import(
                &to.store,
                "other.csv",
                &[resident(2, place(9, 9), "1", "别人", 9)],
            )
            .await;
            assert_eq!(
                to.store.restore(&file, evening()).await.expect("restores"),
                rows,
                "{kind} to {}",
                to.store.kind()
            );
            assert_eq!(to.store.phone_residents(&phone(1)).await.expect("reads").len(), 3);
            assert!(
                to.store
                    .phone_residents(&phone(9))
                    .await
                    .expect("reads")
                    .is_empty()
            );
            assert_eq!(
                to.store
                    .round(round)
                    .await
                    .expect("reads")
                    .expect("is there")
                    .state,
                RoundState::Paused
            );
            assert!(claim(&to.store, 10).await.is_empty(), "nothing leaves by itself");
            import(&to.store, "new.csv", &[resident(2, place(9, 9), "1", "新人", 8)]).await;
        }
    }
}

async fn sqlite_with_key(of: &crate::support::TestStore) -> crate::support::TestStore {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::copy(of.key_file(), folder.path().join("key")).expect("copies the key");
    let url = format!("sqlite://{}", folder.path().join("weir.db").display());
    let store = Store::open(&url, Some(folder.path().join("key")))
        .await
        .expect("opens");
    crate::support::TestStore { store, url, folder }
}

async fn postgres_with_key(of: &crate::support::TestStore) -> Option<crate::support::TestStore> {
    let fresh = postgres().await?;
    // Its own key has marked the store already: a store is new only until then.
    fresh.store.set_meta("key_id", "").await.expect("sets");
    fresh.store.close().await;
    std::fs::copy(of.key_file(), fresh.key_file()).expect("copies the key");
    let marked = Store::open(&fresh.url, Some(fresh.key_file())).await;
    assert!(
        matches!(marked, Err(StoreError::Key(_))),
        "another key does not open it"
    );
    let (url, folder) = (fresh.url, fresh.folder);
    let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url)
        .await
        .expect("connects");
    sqlx::query("delete from meta")
        .execute(&mut connection)
        .await
        .expect("forgets its key");
    let store = Store::open(&url, Some(folder.path().join("key")))
        .await
        .expect("opens");
    Some(crate::support::TestStore { store, url, folder })
}

/// As a version before pacing and incidents wrote it: without their tables, their columns, and their rows in `ids`.
fn as_older(backup: &str) -> String {
    let lines: Vec<serde_json::Value> = backup
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let newer_column = |name: &str| ["told_sms", "told_chat", "called_at"].contains(&name);
    let (mut text, mut rows) = (String::new(), 0);
    let mut dropped: Option<Vec<usize>> = None;
    for mut line in lines {
        if let Some(table) = line["table"].as_str().map(str::to_owned) {
            let is_newer = table.starts_with("pacing")
                || table.starts_with("incident")
                || ["manual_registrations", "load_minutes"].contains(&table.as_str());
            let columns = line["columns"].as_array_mut().expect("columns");
            let newer: Vec<usize> = (0..columns.len())
                .filter(|at| newer_column(columns[*at][0].as_str().expect("a name")))
                .collect();
            columns.retain(|column| !newer_column(column[0].as_str().expect("a name")));
            dropped = (!is_newer).then_some(newer);
            if is_newer {
                continue;
            }
        } else if let Some(cells) = line.as_array_mut() {
            let Some(dropped) = &dropped else { continue };
            let name = cells[0].as_str().unwrap_or_default();
            if ["pacing_log", "incidents", "incident_log", "manual_registrations"].contains(&name) {
                continue;
            }
            for at in dropped.iter().rev() {
                cells.remove(*at);
            }
            rows += 1;
        } else if line["weir_backup"].is_u64() {
            line["migration"] = serde_json::json!(2);
        } else if line["rows_total"].is_u64() {
            line["rows_total"] = serde_json::json!(rows);
        }
        text += &format!("{line}\n");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_an_older_version_restores_into_a_store_that_works() {
    on_both(async |test| {
        let store = &test.store;
        let (round, units) = small_round(store).await;
        let unit = store.units_to_tell(round, 9).await.expect("reads").remove(0);
        let told = read(store, round).await;
        let steering = Steering::default();
        let told = store
            .tell(&told, &[unit.window], &[], None, &steering, evening())
            .await;
        assert!(told.expect("tells"));
        let file = test.folder.path().join("b.backup");
        store.backup(&file, evening()).await.expect("writes");
        let text = std::fs::read_to_string(&file).expect("reads");
        std::fs::write(&file, as_older(&text)).expect("written");
        store.restore(&file, evening()).await.expect("restores");
        assert_eq!(
            store.units_with_people(&[]).await.expect("reads").len(),
            units.len()
        );
        // The tables that came later give ids again, and again.
        for reason in ["x", "y"] {
            let new = NewIncident {
                reason: reason.into(),
                ..NewIncident::default()
            };
            let (id, _) = store
                .open_incident(&new, evening(), evening())
                .await
                .expect("opens");
            assert!(store.close_incident(id, "", "", evening()).await.expect("closes"));
        }
        assert_eq!(store.incidents().await.expect("reads").len(), 2);
        // Who had been told by that version had been given the link as well: nobody is called a second time.
        assert_eq!(
            store
                .units_to_call(round, evening() + minutes(600), 9)
                .await
                .expect("reads"),
            []
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_changes_nothing() {
    on_both(async |test| {
        small_round(&test.store).await;
        let file = test.folder.path().join("b.backup");
        test.store.backup(&file, evening()).await.expect("writes");
        let whole = std::fs::read_to_string(&file).expect("reads");
        let cut = whole.len() / 2;
        let cut = (cut..whole.len())
            .find(|at| whole.is_char_boundary(*at))
            .expect("a boundary");
        for damaged in [
            "",
            "PNG",
            &whole[..cut],
            &whole.replacen("\"table\":\"communities\"", "\"table\":\"pg_user\"", 1),
        ] {
            std::fs::write(&file, damaged).expect("writes");
            let refused = test
                .store
                .restore(&file, evening())
                .await
                .expect_err("is refused");
            assert!(
                refused.to_string().contains("not a whole weir backup"),
                "{refused}"
            );
            assert_eq!(
                test.store.phone_residents(&phone(1)).await.expect("reads").len(),
                3,
                "nothing was changed"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_opens_everything_and_the_old_one_nothing() {
    on_both(async |test| {
        small_round(&test.store).await;
        let contact = test
            .store
            .find_contact(&Address::Phone(phone(1)))
            .await
            .expect("reads")
            .expect("known");
        test.store
            .enqueue(&[delivery("k", contact, NoticeKind::Window)], evening())
            .await
            .expect("writes");
        let old = std::fs::read(test.key_file()).expect("reads");
        test.store.close().await;
        let sealed = Store::rotate_key(&test.url, &test.key_file(), |_, _| {})
            .await
            .expect("rotates");
        assert!(sealed >= 8, "{sealed}");
        let store = test.again().await;
        assert_eq!(
            store
                .phone_residents(&phone(1))
                .await
                .expect("is found by the new hash")
                .len(),
            3
        );
        assert_eq!(claim(&store, 1).await.len(), 1, "bodies open");
        let again = import(
            &store,
            "roster.csv",
            &[resident(2, place(1, 1), "101", "陈桂英", 1)],
        )
        .await;
        assert_eq!(again, [RowOutcome::Unchanged], "people are found by the new hash");
        store.close().await;
        std::fs::write(test.key_file(), old).expect("writes");
        let refused = Store::open(&test.url, Some(test.key_file()))
            .await
            .expect_err("the old key is refused");
        assert!(
            refused.to_string().contains("does not belong to this store"),
            "{refused}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_rotation_goes_on_where_it_stopped() {
    on_both(async |test| {
        small_round(&test.store).await;
        test.store.close().await;
        weir::store::Keys::begin_rotation(&test.key_file()).expect("begins");
        let refused = Store::open(&test.url, Some(test.key_file()))
            .await
            .expect_err("does not start half-way");
        assert!(refused.to_string().contains("weir key rotate"), "{refused}");
        Store::rotate_key(&test.url, &test.key_file(), |_, _| {})
            .await
            .expect("goes on");
        let store = test.again().await;
        assert_eq!(store.phone_residents(&phone(1)).await.expect("reads").len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_a_foreign_file_and_a_newer_database_stop_the_start_with_a_sentence() {
    let test = sqlite().await;
    small_round(&test.store).await;
    test.store.close().await;
    std::fs::rename(test.key_file(), test.folder.path().join("away")).expect("moves");
    let missing = Store::open(&test.url, Some(test.key_file()))
        .await
        .expect_err("no key")
        .to_string();
    assert!(missing.contains("is missing"), "{missing}");
    std::fs::rename(test.folder.path().join("away"), test.key_file()).expect("moves back");

    let store = test.again().await;
    store.close().await;
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&test.url)
        .await
        .expect("connects");
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'later', 1, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .expect("writes");
    drop(connection);
    let newer = Store::open(&test.url, Some(test.key_file()))
        .await
        .expect_err("newer")
        .to_string();
    assert!(newer.contains("newer version"), "{newer}");

    let foreign = test.folder.path().join("notes.txt");
    std::fs::write(&foreign, "these are notes, and no database at all. ".repeat(200)).expect("writes");
    let url = format!("sqlite://{}", foreign.display());
    let refused = Store::open(&url, None)
        .await
        .expect_err("is no database")
        .to_string();
    assert!(refused.contains("not a weir database"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_texts_are_erased_and_facts_stay() {
    on_both(async |test| {
        let store = &test.store;
        let contact = store
            .contact(&Address::Phone(phone(1)), evening())
            .await
            .expect("made");
        store
            .enqueue(&[delivery("k", contact, NoticeKind::Window)], evening())
            .await
            .expect("writes");
        let id = claim(store, 1).await[0];
        assert_eq!(
            store.erase_old(evening() + minutes(600)).await.expect("erases"),
            0,
            "it is not final"
        );
        store
            .record(&[change(id, DeliveryState::Sent)], evening())
            .await
            .expect("records");
        assert_eq!(
            store.erase_old(evening() + minutes(600)).await.expect("erases"),
            1
        );
        assert_eq!(state_of(store, id).await, "sent");
    })
    .await;
}

/// The contact of an invented phone.
async fn contact(store: &Store, serial: u32) -> weir::domain::ContactId {
    let contact = store.find_contact(&Address::Phone(phone(serial))).await;
    contact.expect("reads").expect("known")
}

fn in_round(round: RoundId, key: &str, contact: weir::domain::ContactId, kind: NoticeKind) -> NewDelivery {
    NewDelivery {
        round: Some(round),
        ..delivery(key, contact, kind)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_moved_window_withdraws_what_waits_and_is_corrected_once() {
    on_both(async |test| {
        let store = &test.store;
        let (round, ids) = small_round(store).await;
        let before = read(store, round).await;
        let (one, two) = (contact(store, 1).await, contact(store, 2).await);
        let units = store.units_to_tell(round, 10).await.expect("reads");
        // The first unit is told: one notice waits, another is being sent. Phone 1 is of both units.
        let notices = [
            in_round(round, &format!("window:{round}:1:{one}"), one, NoticeKind::Window),
            in_round(round, &format!("window:{round}:1:{two}"), two, NoticeKind::Window),
        ];
        assert!(
            store
                .tell(
                    &before,
                    &[units[0].window],
                    &notices,
                    None,
                    &Steering {
                        known: &ids,
                        ..Steering::default()
                    },
                    evening()
                )
                .await
                .expect("tells")
        );
        let sending = claim(store, 1).await;
        let movable = store.movable_windows(round, evening()).await.expect("reads");
        assert_eq!(
            movable
                .iter()
                .map(|w| (w.told, w.people, w.recipients))
                .collect::<Vec<_>>(),
            [(true, 3, 2), (true, 3, 1)],
            "of the second unit phone 1 knows"
        );
        let moves: Vec<WindowMove> = movable
            .iter()
            .map(|window| WindowMove {
                row: window.rows[0],
                own: false,
                starts_at: window.starts_at + minutes(90),
                ends_at: window.ends_at + minutes(90),
                over_capacity: false,
                stay_behind: 0.325,
                is_called: false,
            })
            .collect();
        assert!(
            store
                .apply_moves(&before, &moves, &[], evening())
                .await
                .expect("moves")
        );
        assert!(
            !store
                .apply_moves(&before, &moves, &[], evening())
                .await
                .expect("asks"),
            "what was read before a move moves nothing"
        );
        let second = &store.units_to_tell(round, 10).await.expect("reads")[0];
        assert!(
            !store
                .tell(
                    &before,
                    &[second.window],
                    &[],
                    None,
                    &Steering::default(),
                    evening()
                )
                .await
                .expect("asks"),
            "nor tells anybody an old time"
        );
        let waiting = store
            .deliveries(&DeliveryFilter::default(), 10)
            .await
            .expect("reads");
        let states: Vec<&str> = waiting.iter().rev().map(|delivery| &*delivery.state).collect();
        assert_eq!(states, ["sending", "cancelled"]);
        assert_eq!(
            store.hearing_old_times(round).await.expect("reads"),
            std::collections::HashSet::from([one])
        );

        // The second unit is not told, but phone 1 has heard of it with the first.
        let due = store.units_to_correct(round, 10).await.expect("reads");
        assert_eq!(due.iter().map(|(_, unit)| *unit).collect::<Vec<_>>(), ids);
        let now = read(store, round).await;
        let told = store.told_contacts(&now, &[one, two]).await.expect("reads");
        let of = |contact| (told[contact].left, told[contact].heard, told[contact].withdrawn);
        assert_eq!(of(&one), (true, true, 0));
        assert_eq!(of(&two), (false, false, 1), "one notice never left");
        store
            .record(&[change(sending[0], DeliveryState::Queued)], evening())
            .await
            .expect("records");
        assert_eq!(
            state_of(store, sending[0]).await,
            "cancelled",
            "an old time does not wait again"
        );
        let windows = store.contact_windows(&[one], round).await.expect("reads");
        assert_eq!(
            windows
                .iter()
                .map(|(_, view)| (view.starts_at, view.revision))
                .collect::<Vec<_>>(),
            [(evening() + minutes(150), 2), (evening() + minutes(210), 2)]
        );
        let key = format!("correction:{round}:{one}:4");
        let correction = [in_round(round, &key, one, NoticeKind::Correction)];
        let rows: Vec<i64> = due.iter().map(|(row, _)| *row).collect();
        for _ in 0..2 {
            assert!(
                store
                    .correct(&now, &rows, &correction, &ids, evening())
                    .await
                    .expect("writes")
            );
        }
        assert!(store.units_to_correct(round, 10).await.expect("reads").is_empty());
        assert_eq!(
            claim(store, 10).await.len(),
            1,
            "the same correction is made once"
        );
        assert_eq!(now.last_window_ends_at, evening() + minutes(230));
        let told: Vec<u8> = store
            .movable_windows(round, evening())
            .await
            .expect("reads")
            .iter()
            .map(|window| window.moves)
            .collect();
        assert_eq!(told, [1, 1], "the moves of a window count that somebody knows");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_time_of_ones_own_is_taken_while_there_is_room() {
    on_both(async |test| {
        let store = &test.store;
        let (round, ids) = small_round(store).await;
        let person = |serial| async move {
            let contact = contact(store, serial).await;
            store.person(contact).await.expect("reads").residents
        };
        let of_one: Vec<ResidentId> = person(1)
            .await
            .into_iter()
            .filter(|(_, unit)| *unit == ids[0])
            .map(|(resident, _)| resident)
            .collect();
        let of_two: Vec<ResidentId> = person(2)
            .await
            .into_iter()
            .map(|(resident, _)| resident)
            .collect();
        assert_eq!((of_one.len(), of_two.len()), (2, 1));
        let site = store.sites().await.expect("reads")[0].id;
        let wish = OwnWindow {
            round,
            unit: ids[0],
            site,
            starts_at: evening() + minutes(120),
            ends_at: evening() + minutes(130),
            residents: of_one.clone(),
            // The second unit's three come over twenty minutes, from the same minute on.
            site_per_minute: 0.35,
            city_per_minute: None,
        };
        assert!(store.take_own_window(&wish, evening()).await.expect("takes"));
        assert!(
            store.take_own_window(&wish, evening()).await.expect("takes"),
            "it is theirs already"
        );
        let late = OwnWindow {
            residents: of_two.clone(),
            ..wish.clone()
        };
        assert!(
            !store.take_own_window(&late, evening()).await.expect("asks"),
            "the room is gone"
        );
        let city = OwnWindow {
            starts_at: evening() + minutes(300),
            ends_at: evening() + minutes(310),
            city_per_minute: Some(0.05),
            ..late.clone()
        };
        assert!(
            !store.take_own_window(&city, evening()).await.expect("asks"),
            "the city has a limit too"
        );

        let windows = store.told_windows(&of_one, &[], evening()).await.expect("reads");
        assert_eq!(windows.len(), 1);
        assert_eq!(
            (windows[0].view.own, windows[0].view.starts_at),
            (true, wish.starts_at)
        );
        assert_eq!(windows[0].residents, of_one);
        let one = contact(store, 1).await;
        let by_contact = store.contact_windows(&[one], round).await.expect("reads");
        assert_eq!(
            by_contact.iter().map(|(_, view)| view.own).collect::<Vec<_>>(),
            [true, false],
            "the other unit's resident on this phone keeps their window"
        );
        let taken = store.taken_room(None, evening()).await.expect("reads");
        assert_eq!(
            taken.iter().map(|room| room.people).collect::<Vec<_>>(),
            [3, 2, 3]
        );
        assert_eq!(
            store.taken_room_at(&[site], evening()).await.expect("reads"),
            taken
        );
        assert!(
            store
                .taken_room(Some(round), evening())
                .await
                .expect("reads")
                .is_empty()
        );
        let due = store
            .units_to_remind(round, evening() + minutes(125), 10)
            .await
            .expect("reads");
        assert_eq!(
            due.iter().map(|due| due.of).collect::<Vec<_>>(),
            [Appointment::Own, Appointment::Own]
        );
        assert!(
            store
                .remind(&read(store, round).await, &due, &[], evening())
                .await
                .expect("marks")
        );

        // It moves like any other.
        let own = store.movable_windows(round, evening()).await.expect("reads");
        let own = own.iter().find(|window| window.own).expect("is there");
        assert_eq!((own.people, own.rows.len(), own.told), (2, 2, true));
        let moves: Vec<WindowMove> = own
            .rows
            .iter()
            .map(|&row| WindowMove {
                row,
                own: true,
                starts_at: own.starts_at + minutes(60),
                ends_at: own.ends_at + minutes(60),
                over_capacity: false,
                stay_behind: 0.325,
                is_called: false,
            })
            .collect();
        let now = read(store, round).await;
        assert!(
            store
                .apply_moves(&now, &moves, &[], evening())
                .await
                .expect("moves")
        );
        let windows = store.told_windows(&of_one, &[], evening()).await.expect("reads");
        assert_eq!(
            (windows[0].view.starts_at, windows[0].view.revision),
            (evening() + minutes(180), 2)
        );
        // Whatever was said of the time that moved, what is said of the next one has a name of its own.
        assert!(store.take_own_window(&wish, evening()).await.expect("takes"));
        let windows = store.told_windows(&of_one, &[], evening()).await.expect("reads");
        assert_eq!(
            (windows[0].view.starts_at, windows[0].view.revision),
            (wish.starts_at, 2),
            "the next move is not called as the last one was"
        );
        assert_eq!(store.units_to_correct(round, 10).await.expect("reads").len(), 1);
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
#[tokio::test(flavor = "multi_thread")]
async fn who_may_use_the_green_lane_is_counted_and_sees_its_hours() {
    on_both(async |test| {
        let store = &test.store;
        let tagged = |row: weir::store::NewResident, tag| weir::store::NewResident {
            tags: vec![tag],
            ..row
        };
        import(
            store,
            "roster.csv",
            &[
                tagged(resident(2, place(1, 1), "101", "陈桂英", 1), Tag::Elderly),
                resident(3, place(1, 1), "101", "陈明", 1),
                tagged(resident(4, place(1, 1), "102", "王伟", 2), Tag::NoSmartphone),
                tagged(resident(5, place(1, 1), "103", "李小明", 3), Tag::Student),
            ],
        )
        .await;
        assert_eq!(store.people_and_recipients().await.expect("counts"), (4, 3));
        let unit = store.units().await.expect("reads")[0].unit;
        assert_eq!(
            store.green_people().await.expect("counts"),
            std::collections::HashMap::from([(unit, 2)])
        );
        store.save_sites(&[site("锦绣采样点")]).await.expect("saves");
        let site = store.sites().await.expect("reads")[0].id;
        assert_eq!(store.unit_point(unit).await.expect("reads"), None);
        let window = Window {
            unit,
            site,
            starts_at: evening() + minutes(60),
            ends_at: evening() + minutes(70),
            people: 2,
            over_capacity: false,
            green: Some(GreenWindow {
                site,
                starts_at: evening() + minutes(30),
                ends_at: evening() + minutes(240),
                people: 2,
            }),
        };
        let round = NewRound {
            spec: "{}".into(),
            summary: "{}".into(),
            windows: vec![window.clone()],
        };
        let round = store.create_round(&round, evening()).await.expect("creates");
        assert_eq!(store.windows(round).await.expect("reads"), [window]);
        assert_eq!(
            read(store, round).await.last_window_ends_at,
            evening() + minutes(240)
        );
        let mut lanes = Vec::new();
        for serial in [1, 2, 3] {
            let contact = contact(store, serial).await;
            let windows = store.contact_windows(&[contact], round).await.expect("reads");
            lanes.push(windows.into_iter().map(|(_, view)| view.lane).collect::<Vec<_>>());
        }
        assert_eq!(
            lanes,
            [
                vec![Lane::Green, Lane::Regular],
                vec![Lane::Regular],
                vec![Lane::Green]
            ]
        );
        assert!(
            store
                .start_release(round, 60.0, evening(), evening())
                .await
                .expect("starts")
        );
        let now = read(store, round).await;
        let units = store.units_to_tell(round, 1).await.expect("reads");
        assert!(
            store
                .tell(
                    &now,
                    &[units[0].window],
                    &[],
                    None,
                    &Steering::default(),
                    evening()
                )
                .await
                .expect("tells")
        );
        let due = store
            .units_to_remind(round, evening() + minutes(45), 10)
            .await
            .expect("reads");
        assert_eq!(
            due.iter().map(|due| due.of).collect::<Vec<_>>(),
            [Appointment::Green]
        );
        assert_eq!(
            store.tell_late(&now, &[], &[], evening()).await.expect("writes"),
            0
        );
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_kept_whole_through_backup_key_rotation_and_erasure() {
    on_both(async |test| {
        let store = &test.store;
        let (round, units) = small_round(store).await;
        let (now, near) = (evening(), evening() + minutes(70));
        let new = NewIncident {
            scope: IncidentScope {
                sites: vec![store.sites().await.expect("reads")[0].id],
                communities: Vec::new(),
            },
            reason: "数据库过载".into(),
            message_zh: Some("有热水".into()),
            message_en: None,
            actor: "owner".into(),
        };
        let (id, is_new) = store.open_incident(&new, near, now).await.expect("opens");
        assert!(is_new);
        assert_eq!(
            store.units_to_tell(round, 9).await.expect("reads"),
            [],
            "releases wait"
        );
        assert_eq!(
            store.reach_incident(id, near, now).await.expect("notes"),
            0,
            "noted already"
        );
        assert_eq!(
            store
                .reach_incident(id, near + minutes(60), now)
                .await
                .expect("notes"),
            1
        );
        assert_eq!(
            store.windows_to_calm(id, 9).await.expect("reads"),
            [],
            "nobody knew a time"
        );
        store
            .note_incident(id, "owner", "在修", now + minutes(1))
            .await
            .expect("notes");

        on_paper(store, id, &units).await;
        assert!(
            store
                .close_incident(id, "owner", "", now + minutes(9))
                .await
                .expect("closes")
        );
        assert_eq!(
            store.units_to_tell(round, 9).await.expect("reads").len(),
            2,
            "releases go on"
        );
        assert_eq!(
            store.incidents_to_end().await.expect("reads"),
            [],
            "nobody was told"
        );
        assert_eq!(store.count_incident_notices(id).await.expect("reads"), []);
        assert_eq!(
            store
                .incident_histories(id, ContactId(0), 9)
                .await
                .expect("reads"),
            []
        );
        let log = store.incident_log(id).await.expect("reads");
        let kinds: Vec<_> = log
            .iter()
            .map(|note| (note.kind.as_str(), note.words.as_str()))
            .collect();
        assert_eq!(
            kinds,
            [("opened", "数据库过载"), ("note", "在修"), ("closed", "")]
        );

        through_backup_and_rotation(&test, id).await;
    })
    .await;
}

async fn on_paper(store: &Store, id: IncidentId, units: &[UnitId]) {
    let now = evening();
    let people = store.people_of(units).await.expect("reads");
    assert_eq!(people.len(), 5);
    let rows = [
        (people[0].resident, Some("19:05".to_owned())),
        (people[1].resident, None),
        (people[0].resident, None),
        (ResidentId(999), None),
    ];
    let became = store.return_sheets(id, &rows, now).await.expect("stored");
    assert_eq!(
        became,
        [
            Returned::Added,
            Returned::Added,
            Returned::Known,
            Returned::Nobody
        ]
    );
    assert!(store.manual_waits(now).await.expect("reads"));
    let claimed = store.claim_manual(9, now).await.expect("claims");
    assert_eq!((claimed.len(), claimed[0].attempt), (2, 1));
    assert!(
        claimed[0].unit.starts_with("锦江区 春熙街道"),
        "{}",
        claimed[0].unit
    );
    assert!(!store.manual_waits(now).await.expect("reads"));
    let change = |at: usize, to, next_at| ManualChange {
        id: claimed[at].id,
        to,
        reason: "it does not know the person".into(),
        next_at,
    };
    let changes = [
        change(0, ManualState::Refused, None),
        change(1, ManualState::Waiting, Some(now + minutes(5))),
    ];
    store.record_manual(&changes, now).await.expect("recorded");
    store
        .record_manual(&[change(0, ManualState::Registered, None)], now)
        .await
        .expect("final");
    assert!(!store.manual_waits(now + minutes(4)).await.expect("reads"));
    let refused = store.refused_manual(id, 9).await.expect("reads");
    assert_eq!((refused.len(), refused[0].0), (1, claimed[0].resident));
    let by_hand = store
        .registered_by_hand(id, &[people[0].resident, people[1].resident])
        .await;
    assert_eq!(by_hand.expect("reads"), [claimed[1].resident]);
    let sheets = store
        .sheet_windows(id, now, now + minutes(75), false)
        .await
        .expect("reads");
    assert_eq!(sheets.len(), 1, "one of the two windows overlaps");
    assert_eq!(
        store
            .sheet_windows(id, now, now + minutes(150), true)
            .await
            .expect("reads")
            .len(),
        2
    );
}

async fn through_backup_and_rotation(test: &TestStore, id: IncidentId) {
    let (store, now) = (&test.store, evening());
    let kept = store.incidents().await.expect("reads");
    let file = test.folder.path().join("backup");
    store.backup(&file, now).await.expect("backs up");
    store
        .open_incident(&NewIncident::default(), now, now)
        .await
        .expect("opens");
    store.restore(&file, now).await.expect("restores");
    assert_eq!(store.incidents().await.expect("reads"), kept);
    store.close().await;
    Store::rotate_key(&test.url, &test.key_file(), |_, _| {})
        .await
        .expect("rotates");
    let store = test.again().await;
    assert_eq!(
        store.incident(id).await.expect("opens with the new key").as_ref(),
        kept.first()
    );
    assert_eq!(
        store
            .incident_log(id)
            .await
            .expect("opens with the new key")
            .len(),
        3
    );
    assert_eq!(
        store
            .claim_manual(9, now + minutes(5))
            .await
            .expect("opens with the new key")
            .len(),
        1
    );
    assert!(
        store.erase_old(now + minutes(1)).await.expect("erases") > 0,
        "the refused one"
    );
    assert_eq!(
        store.recover_manual(now).await.expect("recovers"),
        1,
        "what is under way is kept"
    );
}

/// A decision that differs from the default in every field.
fn decision() -> NewDecision {
    NewDecision {
        law: "{\"mode\":\"slowed\"}".into(),
        sample: Some("{}".into()),
        mode: "slowed",
        per_second: 12.5,
        starts_per_second: 11.0,
        safe_per_second: 3.5,
        nominal_capacity: Some(500.0),
        reasons: vec!["people wait".into()],
        ordered: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pacing_knows_outlives_a_process_and_a_backup() {
    on_both(async |test| {
        let store = &test.store;
        assert_eq!(store.pacing().await.expect("reads"), PacingRow::default());
        let entry = |what: &str| NewLogEntry {
            kind: LogKind::Mode,
            what: what.into(),
            reason: "people wait".into(),
            actor: "law".into(),
        };
        store
            .save_decision(&decision(), &[entry("slowed")], evening())
            .await
            .expect("stores");
        let later = evening() + minutes(1);
        let silent = NewDecision {
            sample: None,
            nominal_capacity: None,
            ..decision()
        };
        store.save_decision(&silent, &[], later).await.expect("stores");
        store
            .set_pacing_by_hand("held", "王主任", "the hall is closed", later)
            .await
            .expect("stores");
        store.log_pacing(&[entry("moved")], later).await.expect("stores");
        let row = test.again().await.pacing().await.expect("reads");
        assert_eq!(row.mode_since, Some(evening()), "the same mode since then");
        assert_eq!((row.sampled_at, row.decided_at), (Some(evening()), Some(later)));
        assert_eq!(
            (row.per_second, row.starts_per_second, row.safe_per_second),
            (12.5, 11.0, 3.5)
        );
        assert_eq!((row.nominal_capacity, row.reasons.len()), (Some(500.0), 1));
        assert_eq!(row.by_hand.as_ref().map(|by| by.what.as_str()), Some("held"));
        let log = store.pacing_log(10).await.expect("reads");
        let whats: Vec<_> = log
            .iter()
            .map(|line| (line.kind.as_str(), line.what.as_str()))
            .collect();
        assert_eq!(
            whats,
            [("mode", "moved"), ("by_hand", "held"), ("mode", "slowed")]
        );

        let file = test.folder.path().join("pacing.backup");
        store.backup(&file, later).await.expect("writes");
        store
            .set_pacing_by_hand("", "王主任", "", later)
            .await
            .expect("stores");
        store.restore(&file, later).await.expect("restores");
        let restored = store.pacing().await.expect("reads");
        assert_eq!(restored, row);
        store.erase_old(later + minutes(60)).await.expect("erases");
        assert!(store.pacing_log(10).await.expect("reads").is_empty());
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
#[tokio::test(flavor = "multi_thread")]
async fn the_citys_gate_moves_with_what_passes_it_and_only_from_where_it_was_read() {
    on_both(async |test| {
        let store = &test.store;
        let (round, _) = small_round(store).await;
        let units = store.units_to_tell(round, 10).await.expect("reads");
        let read = async || store.round(round).await.expect("reads").expect("is there");
        let start = store.pacing().await.expect("reads");
        let gate = CityMove {
            seen: (start.gate_level, start.gate_at),
            next: (2.0 / 3.0, evening()),
        };
        let counts = [ToldCount {
            id: units[0].window,
            sms: 2,
            chat: 1,
        }];
        let steering = Steering {
            city: Some(gate),
            counts: &counts,
            two_step: true,
            ..Steering::default()
        };
        let window = [units[0].window];
        let told = store
            .tell(&read().await, &window, &[], None, &steering, evening())
            .await;
        assert!(told.expect("tells"));
        let stale = store
            .tell(&read().await, &[units[1].window], &[], None, &steering, evening())
            .await;
        assert!(!stale.expect("asks"), "somebody else moved it meanwhile");
        assert_eq!(store.units_to_tell(round, 10).await.expect("reads").len(), 1);
        let row = store.pacing().await.expect("reads");
        assert_eq!((row.gate_level, row.gate_at), gate.next);

        // The first of two steps was told; nobody has the link before the call.
        let day = chrono::TimeDelta::days(1);
        assert!(
            store
                .told_rounds(evening() - day)
                .await
                .expect("reads")
                .is_empty()
        );
        let starts_at = units[0].starts_at;
        assert!(
            store
                .units_to_call(round, evening(), 10)
                .await
                .expect("reads")
                .is_empty()
        );
        let due = store.units_to_call(round, starts_at, 10).await.expect("reads");
        assert_eq!(
            due.iter()
                .map(|unit| (unit.window, unit.recipients))
                .collect::<Vec<_>>(),
            [(window[0], 3)]
        );
        let on = Steering {
            city: Some(CityMove {
                seen: gate.next,
                next: (5.0, starts_at),
            }),
            ..Steering::default()
        };
        let called = store.call(&read().await, &window, &[], &on, starts_at).await;
        assert!(called.expect("calls"));
        assert!(
            store
                .units_to_call(round, starts_at, 10)
                .await
                .expect("reads")
                .is_empty()
        );
        let told = store
            .told_by_bucket(starts_at - minutes(1), chrono::TimeDelta::seconds(5))
            .await;
        let told: Vec<_> = told
            .expect("reads")
            .iter()
            .map(|bucket| (bucket.sms, bucket.chat))
            .collect();
        assert_eq!(told, [(2, 1)]);
        assert!(
            store
                .told_by_start(evening(), evening() + day)
                .await
                .expect("reads")
                .is_empty()
        );
        assert_eq!(store.told_rounds(evening()).await.expect("reads")[0].sms, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_windows_and_reminders_and_lets_go_only_where_a_round_is_releasing() {
    on_both(async |test| {
        let store = &test.store;
        let (round, _) = small_round(store).await;
        let contact = contact(store, 1).await;
        let kinds = [
            NoticeKind::Window,
            NoticeKind::Reminder,
            NoticeKind::Correction,
            NoticeKind::Incident,
        ];
        let new: Vec<_> = kinds
            .iter()
            .map(|kind| in_round(round, kind.as_str(), contact, *kind))
            .collect();
        store.enqueue(&new, evening()).await.expect("writes");
        store
            .enqueue(&[delivery("reply", contact, NoticeKind::Reply)], evening())
            .await
            .expect("writes");
        assert_eq!(
            store.queued_notices(ChannelKind::Sms, 10).await.expect("reads"),
            2
        );
        assert_eq!(store.queued_notices(ChannelKind::Sms, 1).await.expect("reads"), 1);
        assert_eq!(store.hold_queued(evening()).await.expect("holds"), 2);
        assert_eq!(store.hold_queued(evening()).await.expect("holds"), 0);
        assert_eq!(claim(store, 10).await.len(), 3, "the others leave");
        let to = async |from, to| {
            store
                .move_round(round, &[from], to, evening())
                .await
                .expect("moves")
        };
        assert!(to(RoundState::Releasing, RoundState::Paused).await);
        assert_eq!(store.free_held(evening()).await.expect("frees"), 0);
        assert!(to(RoundState::Paused, RoundState::Releasing).await);
        store.hold_queued(evening()).await.expect("holds");
        assert_eq!(store.free_held(evening()).await.expect("frees"), 2);
        assert_eq!(claim(store, 10).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_begin_and_end_on_record() {
    on_both(async |test| {
        let store = &test.store;
        let rows = store.policies().await.expect("reads");
        let shipped: Vec<_> = rows.iter().map(|row| row.policy.id.as_str()).collect();
        assert_eq!(shipped, ["48h-2022-09-03", "48h-hospital-2022-09-03"]);
        let first = &rows[0].policy;
        assert_eq!(first.purposes, [Purpose::Gate, Purpose::PublicTransport]);
        assert_eq!((first.hours, first.counted_from), (48, None));
        assert_eq!(first.needs, [Need::EntryCard, Need::EPass]);
        assert_eq!(first.from.to_rfc3339(), "2022-09-02T16:00:00+00:00");

        let policy = Policy {
            id: "24h".into(),
            purposes: vec![Purpose::Gate],
            hours: 24,
            counted_from: Some(CountedFrom::ReportedAt),
            needs: Vec::new(),
            from: evening(),
            to: None,
            source: "一个通知".into(),
        };
        assert!(store.add_policy(&policy, "owner", evening()).await.expect("adds"));
        assert!(
            !store.add_policy(&policy, "owner", evening()).await.expect("adds"),
            "a name is given once"
        );
        let end = evening() + minutes(60);
        assert!(
            store
                .end_policy("24h", end, "worker:1", evening())
                .await
                .expect("ends")
        );
        assert!(
            !store
                .end_policy("24h", end + minutes(1), "owner", evening())
                .await
                .expect("ends"),
            "not later"
        );
        assert!(
            !store
                .end_policy("no-such", end, "owner", evening())
                .await
                .expect("ends")
        );
        let rows = store.policies().await.expect("reads");
        let kept = rows.iter().find(|row| row.policy.id == "24h").expect("is there");
        let ended = Policy {
            to: Some(end),
            ..policy
        };
        assert_eq!(
            (&kept.policy, kept.ended_by.as_deref()),
            (&ended, Some("worker:1"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_in_other_words_holds_until_its_date() {
    on_both(async |test| {
        let store = &test.store;
        let text = |words: &str, minutes_long: i64| SetText {
            id: 0,
            key: "no-window".into(),
            language: Language::ZhHant,
            short: true,
            words: words.into(),
            set_by: "owner".into(),
            set_at: evening(),
            until: evening() + minutes(minutes_long),
            ended_by: None,
            ended_at: None,
        };
        store.set_text(&text("一", 60)).await.expect("sets");
        store.set_text(&text("二", 30)).await.expect("sets");
        let words = async |at| {
            let held = store.set_texts(Some(at)).await.expect("reads");
            held.into_iter().map(|text| text.words).collect::<Vec<_>>()
        };
        assert_eq!(
            words(evening()).await,
            ["二"],
            "the later takes the place of the earlier"
        );
        assert!(
            words(evening() + minutes(30)).await.is_empty(),
            "up to its date and not beyond"
        );
        assert_eq!(
            store.set_texts(None).await.expect("reads").len(),
            2,
            "both are on record"
        );
        let end = async |language, at| {
            store
                .end_text("no-window", language, "owner", at)
                .await
                .expect("ends")
        };
        assert_eq!(end(Some(Language::En), evening()).await, 0);
        assert_eq!(end(None, evening() + minutes(1)).await, 1);
        assert!(words(evening() + minutes(2)).await.is_empty());
    })
    .await;
}

#[expect(clippy::too_many_lines, reason = "one talk from its beginning to its end")]
#[tokio::test(flavor = "multi_thread")]
async fn a_talk_is_opened_once_answered_and_closed() {
    on_both(async |test| {
        let store = &test.store;
        import(store, "a", &[resident(1, place(3, 2), "101", "陈桂英", 1)]).await;
        let from = Address::Phone(phone(1));
        let contact = store.find_contact(&from).await.expect("reads").expect("known");
        let unit = store.person(contact).await.expect("reads").residents[0].1;
        let mut serial = 0;
        let mut say = async |change: ThreadChange| {
            serial += 1;
            let inbound = Inbound {
                from: from.clone(),
                external_id: format!("m{serial}"),
                received_at: evening(),
                content: InboundContent::Text("x".into()),
                language: None,
                tapped: None,
            };
            store.record_inbound(&inbound).await.expect("records");
            let id = store.waiting_inbound(1).await.expect("reads")[0].id;
            let step = ReplyRow {
                thread: Some(change),
                ..ReplyRow::default()
            };
            let at = evening() + minutes(serial);
            assert!(store.answer(id, contact, &step, at).await.expect("answers"));
        };
        let open = |words: &str, urgent| ThreadChange::Open {
            reason: ThreadReason::Asked,
            urgent,
            unit: Some(unit),
            words: words.into(),
        };
        let add = |words: &str| ThreadChange::Add {
            urgent: false,
            words: words.into(),
        };
        say(add("nobody listens")).await;
        assert_eq!(store.open_thread(contact).await.expect("reads"), None);
        say(open("一", false)).await;
        say(open("二", true)).await;
        say(add("三")).await;
        let thread = store.open_thread(contact).await.expect("reads").expect("is open");
        assert!(thread.urgent && thread.unit == Some(unit) && thread.community.is_some());
        let community = thread.community.expect("known");
        let listed = async |communities: Vec<weir::domain::CommunityId>| {
            let filter = ThreadFilter {
                open: true,
                communities,
                limit: 10,
            };
            store.threads(&filter).await.expect("reads").len()
        };
        assert_eq!(listed(vec![community]).await, 1);
        assert_eq!(listed(vec![weir::domain::CommunityId(community.0 + 1)]).await, 0);
        assert_eq!((thread.messages, thread.asked), (3, 3));
        assert_eq!(thread.waiting_since, Some(thread.opened_at));
        assert!(thread.area.is_some());
        let answer = delivery("t", contact, NoticeKind::Reply);
        let worker = ThreadAuthor::Worker(3);
        assert!(
            store
                .answer_thread(thread.id, worker, "四", &answer, evening())
                .await
                .expect("answers")
        );
        let messages = store.thread_messages(thread.id).await.expect("reads");
        let words: Vec<_> = messages.iter().map(|one| one.words.as_str()).collect();
        assert_eq!(words, ["一", "二", "三", "四"]);
        let answered = store.thread(thread.id).await.expect("reads").expect("is there");
        assert_eq!(
            (answered.messages, answered.asked, answered.waiting_since),
            (4, 3, None)
        );
        assert_eq!(messages[3].author, worker);
        let ending = delivery("u", contact, NoticeKind::Reply);
        let close = async || {
            store
                .close_thread(thread.id, worker, Some(&ending), evening())
                .await
                .expect("closes")
        };
        assert!(close().await && !close().await);
        assert!(
            !store
                .answer_thread(thread.id, worker, "五", &ending, evening())
                .await
                .expect("answers")
        );
        assert_eq!(claim(store, 10).await.len(), 2, "the answer and the ending");
        let closed = store.thread(thread.id).await.expect("reads").expect("is there");
        assert_eq!((closed.open, closed.closed_by.as_str()), (false, "worker:3"));

        // Another talk, and all of it forgotten.
        say(open("六", false)).await;
        let second = store.open_thread(contact).await.expect("reads").expect("is open");
        say(ThreadChange::Close).await;
        say(add("七")).await;
        let inbound = Inbound {
            from: from.clone(),
            external_id: "forget".into(),
            received_at: evening(),
            content: InboundContent::Text("x".into()),
            language: None,
            tapped: None,
        };
        store.record_inbound(&inbound).await.expect("records");
        let id = store.waiting_inbound(1).await.expect("reads")[0].id;
        let forget = ReplyRow {
            forget: true,
            state: Some("{}".into()),
            home: Some(unit),
            ..ReplyRow::default()
        };
        assert!(
            store
                .answer(id, contact, &forget, evening())
                .await
                .expect("answers")
        );
        for thread in [thread.id, second.id] {
            let messages = store.thread_messages(thread).await.expect("reads");
            assert!(!messages.is_empty() && messages.iter().all(|one| one.words.is_empty()));
        }
        assert_eq!(store.dialogue(contact).await.expect("reads"), None);
        let person = store.person(contact).await.expect("reads");
        assert_eq!(
            (person.home, person.residents.len()),
            (None, 1),
            "the roster is the community's"
        );
        let residents = store
            .known_residents(&[person.residents[0].0])
            .await
            .expect("reads");
        assert_eq!(
            (residents[0].name.as_str(), &residents[0].reference),
            ("陈桂英", &None)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_and_teams_are_kept_whole_through_backup_key_rotation_and_erasure() {
    on_both(async |test| {
        let store = &test.store;
        let (_, units) = small_round(store).await;
        let (now, texts, config) = (evening(), Texts::load().expect("whole"), Config::default());
        let teller = VisitTeller::new(&texts, &config, |_| 1);
        let asker = store
            .contact(&Address::Phone(phone(2)), now)
            .await
            .expect("known");
        let homes = store.homes(asker).await.expect("reads");
        assert_eq!(
            (homes.len(), homes[0].door.as_str(), &homes[0].names[..]),
            (1, "102", &["王伟".to_owned()][..])
        );
        let mut ids = Vec::new();
        for (key, door) in [("a", "１０２室"), ("b", "105")] {
            let Asked::New(visit) = store
                .ask_visit(&visit_of_two(asker, units[0], key, door), &teller, now)
                .await
                .expect("asks")
            else {
                panic!("new");
            };
            ids.push(visit.id);
        }
        let kept = store.visits(&VisitFilter::default()).await.expect("reads");
        let of_key = store.visit_of_key("a").await.expect("reads");
        assert_eq!(of_key.as_ref(), kept.first());
        assert_eq!((kept.len(), kept[0].proven, kept[1].proven), (2, true, false));
        assert_eq!((kept[0].door_code.as_str(), kept[0].people), ("0007", 2));
        let (id, team) = a_team_that_changes(store).await;
        let change = VisitChange {
            note: "打过电话".into(),
            ..VisitChange::new(ids[1], VisitAct::Accept, VisitBy::worker("worker:1"))
        };
        store.act_on_visit(&change, &teller, now).await.expect("accepts");

        let file = test.folder.path().join("backup");
        store.backup(&file, now).await.expect("backs up");
        store.forget_visits(asker, &teller, now).await.expect("forgets");
        assert_eq!(store.visit_of_key("c").await.expect("reads"), None);
        store.restore(&file, now).await.expect("restores");
        store.close().await;
        Store::rotate_key(&test.url, &test.key_file(), |_, _| {})
            .await
            .expect("rotates");
        let store = &test.again().await;
        assert_eq!(store.visit(ids[0]).await.expect("opens").as_ref(), kept.first());
        assert_eq!(
            store.team(id).await.expect("opens").expect("there").members,
            team.members
        );
        let log = store.visit_log(ids[1]).await.expect("opens");
        assert_eq!(log.last().map(|line| line.note.as_str()), Some("打过电话"));
        erased(store, asker, &ids, &teller).await;
    })
    .await;
}

fn visit_of_two(asker: ContactId, unit: UnitId, key: &str, door: &str) -> NewVisit {
    NewVisit {
        key: key.into(),
        unit,
        door: door.into(),
        asker: Some(asker),
        for_whom: VisitFor::Myself,
        name: "王伟".into(),
        people: 2,
        reason: "腿伤".into(),
        access: String::new(),
        phone: Some(phone(9)),
        wish: None,
        urgent: false,
        by: VisitBy::resident(asker),
        quiet: false,
        chance: 7,
    }
}

async fn a_team_that_changes(store: &Store) -> (TeamId, Team) {
    let (now, team) = (evening(), team_of_one());
    let id = store.add_team(&team, now).await.expect("adds").expect("new");
    let taken = store.add_team(&team, now).await.expect("answers");
    assert_eq!(taken, None, "the name is taken");
    let changed = Team {
        id,
        visits_per_hour: 6,
        ..team.clone()
    };
    let version = store.visits_version().await.expect("reads");
    let later = now + minutes(1);
    assert!(store.change_team(&changed, later).await.expect("changes"));
    assert_ne!(store.visits_version().await.expect("reads"), version);
    assert_eq!(store.teams().await.expect("reads"), [changed]);
    (id, team)
}

fn team_of_one() -> Team {
    let time = |text: &str| text.parse().expect("a time");
    Team {
        id: TeamId(0),
        name: "一队".into(),
        areas: vec!["锦江区".into(), "锦江区/春熙街道".into()],
        opens: time("08:30:00"),
        closes: time("17:30:00"),
        breaks: vec![(time("12:00:00"), time("13:00:00"))],
        visits_per_hour: 4,
        members: vec![Visitor {
            name: "小王".into(),
            role: VisitorRole::Nurse,
            worker: Some(3),
        }],
        removed: false,
    }
}

/// Erasure after the retention, and at once for a person: the facts stay.
async fn erased(store: &Store, asker: ContactId, ids: &[VisitId], teller: &VisitTeller<'_>) {
    let now = evening();
    let cancel = VisitChange::new(ids[0], VisitAct::Cancel, VisitBy::resident(asker));
    store.act_on_visit(&cancel, teller, now).await.expect("cancels");
    store.erase_old(now + minutes(1)).await.expect("erases");
    let visit = store.visit(ids[0]).await.expect("reads").expect("there");
    assert_eq!((visit.state, visit.asker), (VisitState::Cancelled, None));
    assert!(
        visit.door.is_empty() && visit.name.is_empty() && visit.phone.is_none() && visit.door_code.is_empty()
    );
    let open = store.visit(ids[1]).await.expect("reads").expect("there");
    assert_eq!(open.name, "王伟", "what is open is not old");
    assert_eq!(store.forget_visits(asker, teller, now).await.expect("forgets"), 1);
    let visit = store.visit(ids[1]).await.expect("reads").expect("there");
    assert!(visit.state == VisitState::Cancelled && visit.name.is_empty() && visit.asker.is_none());
    let log = store.visit_log(ids[1]).await.expect("reads");
    assert!(log.len() == 3 && log.iter().all(|line| line.note.is_empty()));
    assert_eq!(store.visits_of(asker).await.expect("reads"), []);
}

/// A resident of this unit asks a person.
async fn talk(store: &Store, unit: weir::domain::UnitId) -> (ContactId, weir::domain::ThreadId) {
    let contact = store
        .contact(&Address::Phone(phone(1)), evening())
        .await
        .expect("is made");
    let inbound = weir::domain::Inbound {
        from: Address::Phone(phone(1)),
        external_id: "a:1:1".into(),
        received_at: evening(),
        content: weir::domain::InboundContent::Text("人工".into()),
        language: None,
        tapped: None,
    };
    store.record_inbound(&inbound).await.expect("records");
    let waiting = store.waiting_inbound(1).await.expect("reads");
    let step = weir::store::ReplyRow {
        thread: Some(ThreadChange::Open {
            reason: ThreadReason::Asked,
            urgent: false,
            unit: Some(unit),
            words: "人工".into(),
        }),
        ..weir::store::ReplyRow::default()
    };
    store
        .answer(waiting[0].id, contact, &step, evening())
        .await
        .expect("answers");
    let id = store
        .open_thread(contact)
        .await
        .expect("reads")
        .expect("is open")
        .id;
    (contact, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_talk_is_taken_on_by_one_passed_on_and_answered_once() {
    on_both(async |test| {
        let store = &test.store;
        import(store, "a.csv", &[resident(1, place(1, 1), "101", "陈桂英", 1)]).await;
        let unit = store.units().await.expect("reads")[0].unit;
        assert_eq!(store.unit_place(unit).await.expect("reads"), Some(place(1, 1)));
        assert_eq!(
            store.unit_place(weir::domain::UnitId(99)).await.expect("reads"),
            None
        );
        let (contact, id) = talk(store, unit).await;
        let [one, two] = [weir::domain::WorkerId(1), weir::domain::WorkerId(2)];
        let claim = async |who, from| {
            store
                .claim_thread(id, who, from, evening())
                .await
                .expect("claims")
        };
        use weir::store::Claim;
        assert_eq!(claim(one, None).await, Claim::Theirs);
        assert_eq!(claim(one, None).await, Claim::Theirs);
        assert_eq!(claim(two, None).await, Claim::Held(one));
        assert!(!store.pass_thread_on(id, two, evening()).await.expect("reads"));
        assert_eq!(claim(two, Some(one)).await, Claim::Theirs);
        assert!(store.pass_thread_on(id, two, evening()).await.expect("passes on"));
        assert!(!store.pass_thread_on(id, two, evening()).await.expect("reads"));
        // The same answer, said again after a restart, is one.
        for _ in 0..2 {
            let words = delivery("thread:1:answer:9", contact, NoticeKind::Reply);
            let author = weir::domain::ThreadAuthor::Worker(2);
            assert!(
                store
                    .answer_thread(id, author, "马上来", &words, evening())
                    .await
                    .expect("answers")
            );
        }
        assert_eq!(store.thread_messages(id).await.expect("reads").len(), 2);
        assert_eq!(store.live_name(contact, 7).await.expect("reads"), None);
        assert_eq!(store.visit_news(0, evening()).await.expect("reads"), []);
        store
            .close_thread(id, weir::domain::ThreadAuthor::Worker(2), None, evening())
            .await
            .expect("closes");
        assert_eq!(claim(one, None).await, Claim::Over);
    })
    .await;
}
