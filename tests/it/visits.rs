//! Visits at home, from the request to the door: who may do what, who is told what, and times that are kept.

use std::path::Path;

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};
use serde_json::Value;
use sqlx::Connection;
use weir::{
    channels::sms::segment,
    clock::Clock,
    config::Config,
    domain::{
        Address, ChannelKind, ContactId, DeclineReason, Promise, RaisedTo, Team, TeamId, UnitId, Visit,
        VisitAct, VisitActKind, VisitBy, VisitFor, VisitId, VisitRefusal, VisitRole, VisitState, Visitor,
        VisitorRole, Wish,
        visit::{self, Amendment},
    },
    i18n::{Texts, visits::VisitTeller},
    store::{Asked, NewVisit, Store, VisitAnswer, VisitChange, VisitFilter},
    visits::{
        keeper::{Keeper, Step},
        schedule,
    },
};

use crate::{
    app::{TestApp, afternoon, eventually},
    binary::{err, json as json_of, out, run, write_config},
    support::{TestStore, import, minutes, on_both, phone, place, resident},
};

/// 2026-09-03 09:00 in Chengdu.
fn morning() -> DateTime<Utc> {
    "2026-09-03T01:00:00Z".parse().expect("an instant")
}

struct World {
    test: TestStore,
    texts: Texts,
    config: Config,
    clock: Clock,
    keeper: Keeper,
    units: Vec<UnitId>,
}

impl World {
    /// A roster of twelve doors, at nine in the morning. The phone of door `n` ends in `n`.
    async fn new(test: TestStore) -> Self {
        Self::with(test, |_| {}).await
    }

    async fn with(test: TestStore, change: impl FnOnce(&mut Config)) -> Self {
        let rows: Vec<_> = (1..=12)
            .map(|n| resident(n, place(n as u32, 1), "1203", &format!("居民{n}"), n as u32))
            .collect();
        import(&test.store, "roster.csv", &rows).await;
        let mut units = test.store.units().await.expect("reads");
        units.sort_by(|a, b| a.place.natural_cmp(&b.place));
        let (clock, texts, mut config) = (
            Clock::manual(morning()),
            Texts::load().expect("whole"),
            Config::default(),
        );
        change(&mut config);
        let keeper = Keeper {
            store: test.store.clone(),
            clock: clock.clone(),
            texts: texts.clone(),
            config: config.clone(),
            written: tokio::sync::watch::channel(0).0,
            seen: std::sync::Arc::default(),
        };
        Self {
            texts,
            config,
            keeper,
            clock,
            units: units.into_iter().map(|row| row.unit).collect(),
            test,
        }
    }

    fn store(&self) -> &Store {
        &self.test.store
    }

    fn teller(&self) -> VisitTeller<'_> {
        VisitTeller::new(&self.texts, &self.config, segment::parts)
    }

    async fn contact(&self, n: u32) -> ContactId {
        let address = Address::Phone(phone(n));
        self.store().contact(&address, morning()).await.expect("made")
    }

    /// A visit at door `n`, asked for by the phone that ends in `from`.
    async fn request(&self, n: u32, from: u32) -> NewVisit {
        let asker = self.contact(from).await;
        NewVisit {
            key: format!("test:{n}:{from}"),
            unit: self.units[n as usize - 1],
            door: "1203室".into(),
            asker: Some(asker),
            for_whom: VisitFor::Family,
            name: format!("居民{n}"),
            people: 1,
            reason: "走不动".into(),
            access: "有狗".into(),
            phone: Some(phone(n)),
            wish: None,
            urgent: false,
            by: VisitBy::resident(asker),
            quiet: false,
            chance: 40_472,
        }
    }

    async fn ask(&self, new: &NewVisit) -> Visit {
        match self
            .store()
            .ask_visit(new, &self.teller(), self.clock.now())
            .await
            .expect("asks")
        {
            Asked::New(visit) => visit,
            Asked::Known(visit) => panic!("known as {}", visit.id),
        }
    }

    async fn act(&self, change: &VisitChange) -> VisitAnswer {
        let now = self.clock.now();
        self.store()
            .act_on_visit(change, &self.teller(), now)
            .await
            .expect("answers")
    }

    /// Does it as a worker; it must succeed.
    async fn done(&self, id: VisitId, act: VisitAct) -> Visit {
        match self
            .act(&VisitChange::new(id, act, VisitBy::worker("worker:3")))
            .await
        {
            VisitAnswer::Done(visit) => visit,
            other => panic!("{other:?}"),
        }
    }

    async fn visit(&self, id: VisitId) -> Visit {
        self.store().visit(id).await.expect("reads").expect("is there")
    }

    async fn team(&self, name: &str, change: impl FnOnce(&mut Team)) -> TeamId {
        let mut team = Team {
            id: TeamId(0),
            name: name.into(),
            areas: vec!["锦江区/春熙街道".into()],
            opens: "08:30:00".parse().expect("a time"),
            closes: "17:30:00".parse().expect("a time"),
            breaks: vec![(
                "12:00:00".parse().expect("a time"),
                "13:00:00".parse().expect("a time"),
            )],
            visits_per_hour: 4,
            members: vec![Visitor {
                name: "小王".into(),
                role: VisitorRole::Nurse,
                worker: Some(3),
            }],
            removed: false,
        };
        change(&mut team);
        let added = self
            .store()
            .add_team(&team, self.clock.now())
            .await
            .expect("adds");
        added.expect("a new name")
    }

    async fn step(&self) -> Step {
        Box::pin(self.keeper.step()).await.expect("steps")
    }

    /// What leaves now, as (last digits of the phone, text).
    async fn leaving(&self) -> Vec<(u32, String)> {
        let now = self.clock.now();
        let claimed = self
            .store()
            .claim(ChannelKind::Sms, 0..=5, 1000, now, now + minutes(5))
            .await
            .expect("claims");
        claimed
            .into_iter()
            .map(|claimed| {
                let Address::Phone(to) = claimed.message.to else {
                    panic!("by SMS")
                };
                let digits: u32 = to.as_e164()[7..].parse().expect("digits");
                (digits, claimed.message.body.text)
            })
            .collect()
    }

    fn promise(&self, team: TeamId) -> Promise {
        let at = self.clock.now() + minutes(60);
        Promise {
            team,
            at,
            from: at - minutes(15),
            to: at + minutes(45),
        }
    }

    /// A visit at door `n` that has come to this state by allowed ways.
    async fn in_state(&self, n: u32, state: VisitState, team: TeamId) -> Visit {
        let visit = self
            .ask(&self.request(n, if n == 12 { 11 } else { n + 1 }).await)
            .await;
        let schedule = VisitAct::Schedule(self.promise(team));
        let way: Vec<VisitAct> = match state {
            VisitState::Asked => vec![],
            VisitState::Accepted => vec![VisitAct::Accept],
            VisitState::Scheduled => vec![VisitAct::Accept, schedule],
            VisitState::OnTheWay => vec![VisitAct::Accept, schedule, VisitAct::SetOut],
            VisitState::Done => vec![VisitAct::Accept, schedule, VisitAct::SetOut, VisitAct::Finish],
            VisitState::Missed => vec![VisitAct::Accept, schedule, VisitAct::SetOut, VisitAct::NotMeet],
            VisitState::Declined => vec![VisitAct::Decline(DeclineReason::SiteIsNear)],
            VisitState::Cancelled => vec![VisitAct::Cancel],
        };
        for act in way {
            self.done(visit.id, act).await;
        }
        let visit = self.visit(visit.id).await;
        assert_eq!(visit.state, state);
        visit
    }
}

fn act_of(kind: VisitActKind, world: &World, team: TeamId) -> VisitAct {
    match kind {
        VisitActKind::Accept => VisitAct::Accept,
        VisitActKind::Decline => VisitAct::Decline(DeclineReason::NotReached),
        VisitActKind::Assign => VisitAct::Assign(team),
        VisitActKind::Schedule => VisitAct::Schedule(world.promise(team)),
        VisitActKind::SetOut => VisitAct::SetOut,
        VisitActKind::Finish => VisitAct::Finish,
        VisitActKind::NotMeet => VisitAct::NotMeet,
        VisitActKind::Lapse => VisitAct::Lapse,
        VisitActKind::AskAgain => VisitAct::AskAgain,
        VisitActKind::Amend => VisitAct::Amend(Amendment::default()),
        VisitActKind::Move => VisitAct::Move(None),
        VisitActKind::Cancel => VisitAct::Cancel,
    }
}

fn by(role: VisitRole) -> VisitBy {
    VisitBy {
        role,
        who: "somebody:9".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_request_to_done_and_each_change_is_told_once() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.team("一队", |_| {}).await;
        // Who stands for the household is accepted at once.
        let visit = world.ask(&world.request(4, 4).await).await;
        assert_eq!((visit.state, visit.proven), (VisitState::Accepted, true));
        let told = world.leaving().await;
        assert_eq!(told.len(), 1, "the phone that was given is the asker's: {told:?}");
        assert!(told[0].0 == 4 && told[0].1.contains("上门采样已受理"), "{told:?}");

        let step = world.step().await;
        assert_eq!(step.scheduled.scheduled, [visit.id]);
        let visit = world.visit(visit.id).await;
        let promise = visit.promise.expect("a time");
        assert_eq!(visit.state, VisitState::Scheduled);
        assert!(promise.from >= morning() + minutes(30) && promise.to - promise.from <= minutes(60));
        let told = world.leaving().await;
        assert_eq!(told.len(), 1);
        for words in ["上午", "小王(护士)", "0472", "请回复：上门"] {
            assert!(told[0].1.contains(words), "{words}: {}", told[0].1);
        }
        assert_eq!(world.step().await, Step::default(), "nothing new, nothing done");

        world.clock.set(promise.at - minutes(10));
        world.done(visit.id, VisitAct::SetOut).await;
        assert!(world.leaving().await[0].1.contains("已经出发"));
        world.clock.set(promise.at + minutes(12));
        let visit = world.done(visit.id, VisitAct::Finish).await;
        assert_eq!(visit.state, VisitState::Done);
        assert!(world.leaving().await[0].1.contains("已经做完"));

        let log = world.store().visit_log(visit.id).await.expect("reads");
        let acts: Vec<&str> = log.iter().map(|line| line.act.as_str()).collect();
        assert_eq!(acts, ["ask", "accept", "schedule", "set_out", "finish"]);
        assert_eq!(log[0].who, format!("contact:{}", visit.asker.expect("known")));
        assert_eq!((log[1].who.as_str(), log[3].who.as_str()), ("weir", "worker:3"));
        let of_contact = world
            .store()
            .visits_of(world.contact(4).await)
            .await
            .expect("reads");
        assert_eq!(of_contact, [(visit, true)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_proven_is_called_back_and_learns_no_code_and_no_more_than_they_said() {
    on_both(async |test| {
        let world = World::new(test).await;
        let team = world.team("一队", |_| {}).await;
        // The household itself has a visit; its neighbour asks for the same door.
        let theirs = world.ask(&world.request(4, 4).await).await;
        let visit = world.ask(&world.request(4, 7).await).await;
        assert_ne!(
            visit.id, theirs.id,
            "the neighbour does not learn that there is one"
        );
        assert_eq!((visit.state, visit.proven), (VisitState::Asked, false));
        let told = world.leaving().await;
        let to_neighbour: Vec<_> = told.iter().filter(|(to, _)| *to == 7).collect();
        assert_eq!(to_neighbour.len(), 1);
        assert!(to_neighbour[0].1.contains("先给您打电话"));
        assert_eq!(
            told.len(),
            2,
            "the phone of the household is not told of what nobody has looked at"
        );

        world.done(visit.id, VisitAct::Accept).await;
        world
            .done(visit.id, VisitAct::Schedule(world.promise(team)))
            .await;
        let told = world.leaving().await;
        let code = |n: u32| {
            told.iter()
                .filter(|(to, text)| *to == n && text.contains("0472"))
                .count()
        };
        assert_eq!((told.len(), code(4), code(7)), (2, 1, 0), "{told:?}");

        // Why it is declined is nothing to a neighbour either.
        let other = world.ask(&world.request(5, 7).await).await;
        world.leaving().await;
        world
            .done(other.id, VisitAct::Decline(DeclineReason::NoNeed))
            .await;
        let told = world.leaving().await;
        assert_eq!(told.len(), 1);
        assert!(
            told[0].1.contains("这次不能上门采样。") && !told[0].1.contains("采过"),
            "{told:?}"
        );
    })
    .await;
}

/// A sender who stands for nobody cannot have the code of the door told to a phone of their choice. Who was told of a
/// visit hears that it is off when its asker is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_nobody_called_is_told_nothing_and_erasure_leaves_nobody_waiting() {
    on_both(async |test| {
        let world = World::new(test).await;
        let team = world.team("一队", |_| {}).await;
        let visit = world.ask(&world.request(4, 7).await).await;
        let asker = visit.asker.expect("known");
        world.done(visit.id, VisitAct::Accept).await;
        world.leaving().await;
        let other_phone = || {
            VisitAct::Amend(Amendment {
                phone: Some(phone(9)),
                ..Amendment::default()
            })
        };
        let change = VisitChange::new(visit.id, other_phone(), VisitBy::resident(asker));
        assert!(matches!(world.act(&change).await, VisitAnswer::Done(_)));
        assert_eq!(world.visit(visit.id).await.phone, Some(phone(9)), "it is kept");
        world
            .done(visit.id, VisitAct::Schedule(world.promise(team)))
            .await;
        let mut told: Vec<(u32, bool)> = Vec::new();
        for (to, text) in world.leaving().await {
            told.push((to, text.contains("0472")));
        }
        told.sort_unstable();
        assert_eq!(told, [(4, true), (7, false)]);

        // Once a worker has called it, it takes the place of the first.
        world.done(visit.id, other_phone()).await;
        let of_nine = world.store().visits_of(world.contact(9).await).await;
        assert!(matches!(&of_nine.expect("reads")[..], [(_, true)]));
        world.leaving().await;

        let now = world.clock.now();
        for found in [1, 0] {
            let forgotten = world.store().forget_visits(asker, &world.teller(), now).await;
            assert_eq!(forgotten.expect("forgets"), found);
        }
        let told = world.leaving().await;
        assert!(
            matches!(&told[..], [(9, text)] if text.contains("已取消")),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_step_is_refused_with_a_sentence_and_changes_nothing() {
    on_both(async |test| {
        let world = World::new(test).await;
        let team = world.team("一队", |_| {}).await;
        let mut refused = 0;
        for (n, state) in (1..).zip(VisitState::ALL) {
            let before = world.in_state(n, *state, team).await;
            world.leaving().await;
            for kind in VisitActKind::ALL {
                for role in VisitRole::ALL {
                    if visit::after(*state, *kind, *role).is_ok() {
                        continue;
                    }
                    let change = VisitChange::new(before.id, act_of(*kind, &world, team), by(*role));
                    let VisitAnswer::Refused { visit, refusal } = world.act(&change).await else {
                        panic!("{state} {kind} by {role} was done");
                    };
                    assert!(!refusal.to_string().is_empty());
                    assert_eq!(visit.as_ref(), Some(&before));
                    refused += 1;
                }
            }
            assert_eq!(world.visit(before.id).await, before);
            assert_eq!(world.leaving().await, []);
        }
        assert!(refused > 200, "{refused}");
        let missing = VisitChange::new(VisitId(999), VisitAct::Accept, by(VisitRole::Worker));
        assert!(matches!(
            world.act(&missing).await,
            VisitAnswer::Refused { visit: None, .. }
        ));
        let visit = world.ask(&world.request(9, 9).await).await;
        let no_team = VisitChange::new(visit.id, VisitAct::Assign(TeamId(99)), by(VisitRole::Worker));
        let VisitAnswer::Refused { refusal, .. } = world.act(&no_team).await else {
            panic!("there is no such team");
        };
        assert_eq!(refusal, VisitRefusal::Unknown("team"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_at_once_one_wins_and_the_others_hear_who() {
    on_both(async |test| {
        let world = World::new(test).await;
        for n in 1..=4 {
            let visit = world.ask(&world.request(n, n + 4).await).await;
            world.leaving().await;
            let (world, visit) = (&world, &visit);
            let all = (0..20).map(|worker| async move {
                // Different things at once too; some have seen the revision, some just press.
                let act = match (n, worker % 3) {
                    (1 | 2, _) | (_, 0) => VisitAct::Accept,
                    (_, 1) => VisitAct::Decline(DeclineReason::NotReached),
                    _ => VisitAct::Cancel,
                };
                let change = VisitChange {
                    seen: (n % 2 == 0).then_some(visit.revision),
                    ..VisitChange::new(visit.id, act, VisitBy::worker(format!("worker:{worker}")))
                };
                (worker, world.act(&change).await)
            });
            let answers = futures_util::future::join_all(all).await;
            let won: Vec<i32> = answers
                .iter()
                .filter(|(_, answer)| matches!(answer, VisitAnswer::Done(_)))
                .map(|(worker, _)| *worker)
                .collect();
            if n <= 2 || n == 4 {
                assert_eq!(won.len(), 1, "{answers:?}");
            }
            let log = world.store().visit_log(visit.id).await.expect("reads");
            assert_eq!(log.len(), 1 + won.len(), "as many lines as acts");
            for (worker, answer) in &answers {
                if let VisitAnswer::Refused { refusal, .. } = answer {
                    let VisitRefusal::Overtaken { by, .. } = refusal else {
                        // After a cancellation nothing leads on, whoever was first.
                        assert!(n == 3, "{refusal}");
                        continue;
                    };
                    let known = log.iter().any(|line| &line.who == by);
                    assert!(known && by != &format!("worker:{worker}"), "{by}");
                }
            }
            // Whoever was told was told of each act once.
            let told = world.leaving().await;
            assert!(told.len() <= 2, "{told:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_done_once() {
    on_both(async |test| {
        let world = World::new(test).await;
        let new = world.request(4, 7).await;
        let visit = world.ask(&new).await;
        let again = NewVisit {
            chance: 1,
            ..new.clone()
        };
        let now = world.clock.now();
        let answer = world
            .store()
            .ask_visit(&again, &world.teller(), now)
            .await
            .expect("asks");
        assert_eq!(answer, Asked::Known(visit.clone()), "the same message");
        let other_key = NewVisit {
            key: "test:another".into(),
            ..new
        };
        let answer = world
            .store()
            .ask_visit(&other_key, &world.teller(), now)
            .await
            .expect("asks");
        assert_eq!(
            answer,
            Asked::Known(visit.clone()),
            "the same asker and door, while it is open"
        );
        world.leaving().await;

        let accept = VisitChange::new(visit.id, VisitAct::Accept, VisitBy::worker("worker:3"));
        assert!(matches!(world.act(&accept).await, VisitAnswer::Done(_)));
        assert!(
            matches!(world.act(&accept).await, VisitAnswer::Already(_)),
            "a second tap"
        );
        let asker = visit.asker.expect("known");
        let cancel = VisitChange {
            key: Some("inbound:7".into()),
            quiet: Some(asker),
            ..VisitChange::new(visit.id, VisitAct::Cancel, VisitBy::resident(asker))
        };
        assert!(matches!(world.act(&cancel).await, VisitAnswer::Done(_)));
        assert!(
            matches!(world.act(&cancel).await, VisitAnswer::Already(_)),
            "the same message"
        );
        let told = world.leaving().await;
        // The asker hears it in the dialogue, and what was to be told before is withdrawn for both.
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].0 == 4 && told[0].1.contains("已取消"), "{told:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_and_its_notice_come_together_or_not_at_all() {
    on_both(async |test| {
        let world = World::new(test).await;
        let visit = world.ask(&world.request(4, 7).await).await;
        world.leaving().await;
        // The outbox fails at the last step, as it would where the disk is full.
        rename(&world.test, "bodies", "bodies_away").await;
        let accept = VisitChange::new(visit.id, VisitAct::Accept, VisitBy::worker("worker:3"));
        let now = world.clock.now();
        let failed = world.store().act_on_visit(&accept, &world.teller(), now).await;
        assert!(failed.is_err());
        let new = world.request(5, 5).await;
        assert!(world.store().ask_visit(&new, &world.teller(), now).await.is_err());
        rename(&world.test, "bodies_away", "bodies").await;
        assert_eq!(world.visit(visit.id).await, visit);
        assert_eq!(world.store().visit_log(visit.id).await.expect("reads").len(), 1);
        assert_eq!(
            world
                .store()
                .visits(&VisitFilter::default())
                .await
                .expect("reads"),
            std::slice::from_ref(&visit)
        );
        assert_eq!(world.leaving().await, []);
        assert!(matches!(world.act(&accept).await, VisitAnswer::Done(_)));
        assert_eq!(world.leaving().await.len(), 2);
    })
    .await;
}

async fn rename(test: &TestStore, from: &str, to: &str) {
    let sql = format!("alter table {from} rename to {to}");
    if test.url.starts_with("sqlite") {
        let mut connection = sqlx::SqliteConnection::connect(&test.url).await.expect("opens");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .expect("renames");
        connection.close().await.expect("closes");
    } else {
        let mut connection = sqlx::PgConnection::connect(&test.url).await.expect("opens");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .expect("renames");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_goes_to_the_coordinator_and_then_to_the_operator() {
    on_both(async |test| {
        let world = World::new(test).await;
        let visit = world.ask(&world.request(4, 7).await).await;
        world.clock.advance(minutes(119));
        assert_eq!(world.step().await.raised, []);
        world.clock.advance(minutes(2));
        assert_eq!(world.step().await.raised, [(visit.id, RaisedTo::Coordinator)]);
        world.clock.advance(minutes(60));
        assert_eq!(world.step().await.raised, [], "once");
        world.clock.advance(minutes(60));
        assert_eq!(world.step().await.raised, [(visit.id, RaisedTo::Operator)]);
        assert_eq!(world.visit(visit.id).await.raised, Some(RaisedTo::Operator));
        let raised = world.store().raised_visits(0).await.expect("reads");
        let levels: Vec<RaisedTo> = raised.iter().map(|raised| raised.level).collect();
        assert_eq!(levels, [RaisedTo::Coordinator, RaisedTo::Operator]);
        let later = world.store().raised_visits(raised[0].line).await.expect("reads");
        assert_eq!(later.len(), 1);
        // Accepted, it waits anew: here nobody makes visits.
        let visit = world.done(visit.id, VisitAct::Accept).await;
        assert_eq!(visit.raised, None);
        world.clock.advance(minutes(121));
        let step = world.step().await;
        assert_eq!(step.raised, [(visit.id, RaisedTo::Coordinator)]);
        assert_eq!(step.scheduled.without_team, [visit.id]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_visits_keeps_hours_wishes_and_promises_and_says_what_is_short() {
    on_both(async |test| {
        let world = World::with(test, |config| config.visits.days_ahead = 0).await;
        // One an hour from 09:30 on with a break at noon: eight until 17:30.
        let team = world.team("一队", |team| team.visits_per_hour = 1).await;
        let afternoon = Wish {
            from: morning() + minutes(5 * 60),
            to: morning() + minutes(7 * 60),
        };
        for n in 1..=9 {
            let new = NewVisit {
                wish: (n == 2).then_some(afternoon),
                urgent: n == 8,
                ..world.request(n, n).await
            };
            world.ask(&new).await;
        }
        let step = world.step().await;
        let shortage = step.scheduled.shortage();
        let all = world
            .store()
            .visits(&VisitFilter::default())
            .await
            .expect("reads");
        let placed: Vec<&Visit> = all.iter().filter(|visit| visit.promise.is_some()).collect();
        assert_eq!(placed.len() + step.scheduled.unplaced.len(), 9);
        assert_eq!(step.scheduled.unplaced.len(), 1, "{:?}", step.scheduled);
        assert_eq!(
            shortage.as_deref(),
            Some("1 accepted visit has no time: 1.0 hours of a team's work are missing")
        );
        assert!(placed[0].urgent, "it is first");
        for visit in &placed {
            let promise = visit.promise.expect("a time");
            let at = promise.at.with_timezone(&world.config.city.time_zone).time();
            assert!(promise.team == team && promise.from <= promise.at && promise.at <= promise.to);
            assert!(
                at.hour() != 12 && at.hour() >= 9 && (at.hour() < 17 || at.minute() <= 20),
                "{at}"
            );
            if let Some(wish) = visit.wish {
                assert!(wish.from <= promise.from && promise.to <= wish.to);
            }
        }
        assert!(
            all.iter()
                .any(|visit| visit.wish.is_some() && visit.promise.is_some())
        );

        // Another team comes: what had no room gets it, and nobody else's time moves.
        world.team("二队", |_| {}).await;
        let step = world.step().await;
        assert_eq!(
            (step.scheduled.scheduled.len(), step.scheduled.shortage()),
            (1, None)
        );
        for before in &placed {
            assert_eq!(&world.visit(before.id).await, *before);
        }
        // Whoever is sampled at home is registered then, and takes of what the city can.
        let load = world
            .store()
            .visit_load(morning(), morning() + minutes(24 * 60))
            .await
            .expect("reads");
        assert_eq!(load.len(), 9);
        let taken = world.store().taken_room(None, morning()).await.expect("reads");
        assert_eq!(taken.iter().map(|room| room.people).sum::<u32>(), 9);
        assert!(taken.iter().all(|room| room.site.0 == 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_that_passed_gets_another_time_that_day_or_the_next_and_is_told() {
    on_both(async |test| {
        let world = World::new(test).await;
        world.team("一队", |_| {}).await;
        let visit = world.ask(&world.request(4, 4).await).await;
        world.step().await;
        world.leaving().await;
        let first = world.visit(visit.id).await.promise.expect("a time");
        world.clock.set(first.to + minutes(10));
        assert_eq!(
            world.step().await.scheduled.changes(),
            0,
            "a little late is still in time"
        );
        world.clock.set(first.to + minutes(16));
        assert_eq!(world.step().await.scheduled.moved, [visit.id]);
        let moved = world.visit(visit.id).await;
        let second = moved.promise.expect("a time");
        assert!(second.from >= world.clock.now() && moved.moves == 1);
        let told = world.leaving().await;
        assert!(
            told.len() == 1 && told[0].1.contains("对不起") && told[0].1.contains("以这条为准"),
            "{told:?}"
        );

        // In the evening it is too late for another time today.
        world.clock.set(morning() + minutes(9 * 60));
        let step = world.step().await;
        assert_eq!(step.scheduled.lapsed, [visit.id]);
        let next = world.visit(visit.id).await;
        assert_eq!(
            next.state,
            VisitState::Scheduled,
            "asked for again under the same number, and planned"
        );
        let tomorrow = morning() + minutes(15 * 60);
        assert!(next.promise.expect("a time").from > tomorrow);
        let told = world.leaving().await;
        assert_eq!(told.len(), 1, "one message, with the time that counts: {told:?}");
        let acts: Vec<String> = world
            .store()
            .visit_log(visit.id)
            .await
            .expect("reads")
            .into_iter()
            .map(|line| line.act)
            .collect();
        assert_eq!(
            acts,
            [
                "ask",
                "accept",
                "schedule",
                "schedule",
                "lapse",
                "ask_again",
                "accept",
                "schedule"
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_time_another_team_and_a_team_that_leaves() {
    on_both(async |test| {
        let world = World::new(test).await;
        let one = world.team("一队", |_| {}).await;
        let two = world
            .team("二队", |team| team.areas = vec!["锦江区".into()])
            .await;
        let visit = world.ask(&world.request(4, 4).await).await;
        world.done(visit.id, VisitAct::Assign(two)).await;
        world.step().await;
        assert_eq!(world.visit(visit.id).await.team, Some(two));
        world.leaving().await;
        // The resident wants tomorrow afternoon.
        let wish = Wish {
            from: morning() + TimeDelta::hours(29),
            to: morning() + TimeDelta::hours(32),
        };
        let asker = visit.asker.expect("known");
        let change = VisitChange {
            quiet: Some(asker),
            ..VisitChange::new(visit.id, VisitAct::Move(Some(wish)), VisitBy::resident(asker))
        };
        assert!(matches!(world.act(&change).await, VisitAnswer::Done(_)));
        assert_eq!(world.step().await.scheduled.scheduled, [visit.id]);
        let promise = world.visit(visit.id).await.promise.expect("a time");
        assert!(wish.from <= promise.from && promise.to <= wish.to, "{promise:?}");
        // Its team leaves: the other takes over.
        let now = world.clock.now();
        let moved = schedule::remove_team(
            world.store(),
            &world.teller(),
            promise.team,
            &by(VisitRole::Coordinator),
            now,
        )
        .await
        .expect("removes");
        assert_eq!(moved, Some(1));
        world.step().await;
        let last = world.visit(visit.id).await;
        let other = if promise.team == one { two } else { one };
        assert_eq!((last.state, last.team), (VisitState::Scheduled, Some(other)));
        assert_eq!(
            world.leaving().await.len(),
            1,
            "only the time that counts is told"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_finds_a_time_by_itself_and_tells_it_by_sms() {
    on_both(async |test| {
        let world = World::new(test).await;
        let team = world.team("一队", |team| team.opens = NaiveTime::MIN).await;
        let new = world.request(4, 4).await;
        let app = TestApp::start_with(world.test, Clock::manual(morning()), |_| {}).await;
        let teller = VisitTeller::new(&world.texts, &world.config, segment::parts);
        let Asked::New(visit) = app
            .store()
            .ask_visit(&new, &teller, app.clock.now())
            .await
            .expect("asks")
        else {
            panic!("it is new");
        };
        let sms = eventually("the time is told", async || {
            let sent = app.to_phone(phone(4).as_e164());
            sent.into_iter()
                .map(|sent| sent.text)
                .find(|text| text.contains("0472"))
        })
        .await;
        assert!(sms.starts_with("【社区通知】上门采样：9月3日(周四)上午"), "{sms}");
        let planned = app.store().visit(visit.id).await.expect("reads").expect("there");
        assert_eq!((planned.state, planned.team), (VisitState::Scheduled, Some(team)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_command_line_from_a_team_to_a_list_to_print() {
    on_both(async |test| {
        let app = TestApp::set(test, Clock::manual(afternoon()), |_| {}).await;
        let folder = write_config(&app);
        import(
            &app.test.store,
            "roster.csv",
            &[resident(2, place(3, 2), "1203", "李奶奶", 4)],
        )
        .await;
        let answer = run(&folder, &["team", "add", "一队", "--member", "王护士:queen"]).await;
        assert!(err(&answer).contains("such as 王护士:nurse"), "{}", err(&answer));
        let answer = run(
            &folder,
            &[
                "team",
                "add",
                "一队",
                "--member",
                "王护士:nurse",
                "--area",
                "青羊区",
            ],
        )
        .await;
        assert!(err(&answer).contains("nobody lives in"), "{}", err(&answer));
        // The binary runs by the machine's clock: a team that works all day has room at any time.
        json_of(
            &folder,
            &[
                "team",
                "add",
                "一队",
                "--member",
                "王护士:nurse",
                "--area",
                "锦江区/春熙街道",
                "--hours",
                "00:00-23:59",
            ],
        )
        .await;
        ask_and_print(&folder).await;
        act_by_command(&folder).await;
    })
    .await;
}

/// A visit that is written down gets a time at once, and stands on its team's list.
async fn ask_and_print(folder: &Path) {
    let args = [
        "visit",
        "ask",
        "3栋2单元",
        "--door",
        "1203",
        "--name",
        "李奶奶",
        "--phone",
        "+8619900000004",
        "--reason",
        "走不动",
        "--access",
        "有狗",
    ];
    let asked = json_of(folder, &args).await;
    assert_eq!(asked["state"], "scheduled", "{asked}");
    let listed = json_of(folder, &["visits"]).await;
    let visit = &listed["visits"][0];
    assert_eq!(
        (&visit["phone"], visit.get("name")),
        (&Value::from("+86199****0004"), None)
    );
    let full = json_of(folder, &["visit", "show", "1", "--in-full"]).await;
    assert_eq!(
        (&full["phone"], &full["name"]),
        (&Value::from("+8619900000004"), &Value::from("李奶奶"))
    );
    let day = full["promised_from"]
        .as_str()
        .expect("a time")
        .parse::<DateTime<Utc>>()
        .expect("an instant");
    let day = day
        .with_timezone(&chrono_tz::Asia::Shanghai)
        .date_naive()
        .to_string();
    let answer = run(folder, &["visits", "--date", &day, "--html", "list.html"]).await;
    assert!(
        out(&answer).contains("list.html"),
        "{} {}",
        out(&answer),
        err(&answer)
    );
    let file = folder.join("list.html");
    let html = std::fs::read_to_string(&file).expect("written");
    let code = full["door_code"].as_str().expect("a code");
    for words in [
        "上门采样名单",
        "锦绣社区1 3栋2单元 1203",
        "李奶奶",
        "+8619900000004",
        "有狗；走不动",
        code,
        "王护士(护士)",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    #[cfg(unix)]
    {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

async fn act_by_command(folder: &Path) {
    let early = run(folder, &["visit", "done", "1"]).await;
    assert!(
        err(&early).contains("a visit that is scheduled cannot be done"),
        "{}",
        err(&early)
    );
    for (command, state) in [
        ("on-the-way", "on_the_way"),
        ("not-met", "missed"),
        ("ask-again", "asked"),
    ] {
        let answer = json_of(folder, &["visit", command, "1", "--note", "没人在家"]).await;
        assert_eq!(answer["state"], state);
    }
    let answer = run(folder, &["visit", "decline", "1", "--reason", "site-is-near"]).await;
    assert!(out(&answer).contains("visit 1 is declined"), "{}", err(&answer));
    let shown = out(&run(folder, &["visit", "show", "1"]).await);
    assert!(
        shown.contains("not_meet") && !shown.contains("没人在家") && !shown.contains("李奶奶"),
        "{shown}"
    );
    let answer = run(folder, &["team", "remove", "一队"]).await;
    assert!(
        out(&answer).contains("0 visits are given to others"),
        "{}",
        err(&answer)
    );
}
