//! Who may do what, the way in by invitation, and the record of who did what.

use std::collections::HashSet;

use serde_json::Value;
use sqlx::Connection;
use weir::{
    domain::{Actor, Address, Area, ContactId, Right, Role, Worker, WorkerId, may},
    store::{Accepted, AuditFilter, NewAudit, NewWorker, Store, StoreError},
    workers::invitation,
};

use crate::{
    app::{ROSTER_HEAD, SITES},
    binary::{err, json, out, run},
    support::{TestStore, evening, minutes, on_both, phone, sqlite},
};

/// Does to the database what only somebody with access to it can do.
pub async fn raw(test: &TestStore, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    if test.url.starts_with("sqlite") {
        let connection = <sqlx::SqliteConnection as Connection>::connect(&test.url).await;
        sqlx::query(sql)
            .execute(&mut connection.expect("opens"))
            .await
            .expect("is done");
    } else {
        let connection = <sqlx::PgConnection as Connection>::connect(&test.url).await;
        sqlx::query(sql)
            .execute(&mut connection.expect("opens"))
            .await
            .expect("is done");
    }
}

fn new_worker(name: &str, role: Role, scope: &str) -> NewWorker {
    NewWorker {
        name: name.into(),
        role,
        scope: scope.parse().expect("a scope"),
        language: None,
    }
}

/// The first operator.
pub async fn first(store: &Store) -> Worker {
    let new = new_worker("高敏", Role::Operator, "city");
    let id = store.add_worker(&new, None, evening()).await.expect("is added");
    store.worker(id).await.expect("reads").expect("is there")
}

pub async fn add(store: &Store, by: &Worker, name: &str, role: Role, scope: &str) -> Worker {
    let new = new_worker(name, role, scope);
    let id = store
        .add_worker(&new, Some(by), evening())
        .await
        .expect("is added");
    store.worker(id).await.expect("reads").expect("is there")
}

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    result.expect_err("is refused").to_string()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn nobody_grants_more_than_they_have_and_the_last_operator_stays() {
    on_both(async |test| {
        let store = &test.store;
        assert!(!store.knows_workers().await.expect("reads"));
        let operator = first(store).await;
        assert!(
            refused(
                store
                    .add_worker(&new_worker("二", Role::Operator, "city"), None, evening())
                    .await
            )
            .contains("--as")
        );
        let coordinator = add(store, &operator, "林霞", Role::Coordinator, "锦江区/春熙街道").await;
        for (role, scope) in [
            (Role::Coordinator, "锦江区/春熙街道"),
            (Role::Worker, "锦江区"),
            (Role::Viewer, "city"),
            (Role::Worker, ""),
        ] {
            let new = new_worker("多", role, scope);
            let said = refused(store.add_worker(&new, Some(&coordinator), evening()).await);
            assert!(
                said.contains("more than they have"),
                "{role:?} over {scope:?}: {said}"
            );
        }
        let volunteer = add(
            store,
            &coordinator,
            "小王",
            Role::Worker,
            "锦江区/春熙街道/梧桐社区",
        )
        .await;
        let said = refused(
            store
                .add_worker(
                    &new_worker(" 小王 ", Role::Viewer, "锦江区"),
                    Some(&operator),
                    evening(),
                )
                .await,
        );
        assert!(said.contains("of this name"), "{said}");
        assert_eq!(
            store.worker_named("小王").await.expect("reads"),
            Some(volunteer.clone())
        );
        assert!(
            refused(
                store
                    .remove_worker(operator.id, Actor::Worker(operator.id), evening())
                    .await
            )
            .contains("last operator")
        );
        store
            .set_duty(volunteer.id, true, evening())
            .await
            .expect("writes");
        let language = weir::domain::Language::En;
        store
            .set_worker_language(volunteer.id, language, evening())
            .await
            .expect("writes");
        let read = store
            .worker(volunteer.id)
            .await
            .expect("reads")
            .expect("is there");
        assert_eq!((read.on_duty, read.language), (true, Some(language)));
        assert!(
            store
                .remove_worker(volunteer.id, Actor::Worker(coordinator.id), evening())
                .await
                .expect("writes")
        );
        assert!(
            !store
                .remove_worker(volunteer.id, Actor::Owner, evening())
                .await
                .expect("writes")
        );
        let gone = store.worker(volunteer.id).await.expect("reads").expect("is kept");
        assert!(gone.removed && !gone.on_duty);
        assert!(!may(&gone, Right::SeeRounds, &Area::City));
        assert_eq!(store.workers().await.expect("reads").len(), 2);
        add(store, &operator, "小王", Role::Worker, "锦江区").await;
        let what: Vec<String> = log(store).await.into_iter().map(|(what, _)| what).collect();
        assert_eq!(
            what,
            [
                "worker.add",
                "worker.add",
                "worker.add",
                "duty.on",
                "worker.remove",
                "worker.add"
            ],
            "what was refused by the store left no trace of having been done"
        );
    })
    .await;
}

async fn log(store: &Store) -> Vec<(String, String)> {
    let mut rows = store
        .audit_rows(&AuditFilter::default(), None, 1000)
        .await
        .expect("reads");
    rows.reverse();
    rows.into_iter().map(|row| (row.what, row.whom)).collect()
}

async fn chat(store: &Store, id: i64) -> ContactId {
    store
        .contact(&Address::Chat(id), evening())
        .await
        .expect("is made")
}

async fn invite(store: &Store, worker: WorkerId, by: Actor, serial: u32) -> (i64, String) {
    let token = invitation::token(rand::random());
    let new = invitation::new(worker, &token, phone(serial), evening());
    let id = store.invite(&new, by, evening()).await.expect("is written down");
    (id, invitation::token_hash(&token))
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn an_invitation_works_once_in_its_time_and_for_its_phone() {
    on_both(async |test| {
        let store = &test.store;
        let operator = first(store).await;
        let by = Actor::Worker(operator.id);
        let worker = add(store, &operator, "小王", Role::Worker, "锦江区").await;
        let (me, other) = (chat(store, 1).await, chat(store, 2).await);
        let (_, token) = invite(store, worker.id, by, 1).await;
        let day = evening() + minutes(24 * 60);
        assert!(
            !store
                .open_invitation("nonsense", me, evening())
                .await
                .expect("reads")
        );
        assert!(
            !store.open_invitation(&token, me, day).await.expect("reads"),
            "it is a day old"
        );
        assert!(
            store
                .open_invitation(&token, other, evening())
                .await
                .expect("opens")
        );
        let wrong = store
            .accept_invitation(other, &phone(2), evening())
            .await
            .expect("answers");
        assert_eq!(wrong, Accepted::OtherPhone);
        let unopened = store
            .accept_invitation(me, &phone(1), evening())
            .await
            .expect("answers");
        assert_eq!(
            unopened,
            Accepted::Gone,
            "who never opened the link proves nothing"
        );
        assert!(store.open_invitation(&token, me, evening()).await.expect("opens"));
        let late = store
            .accept_invitation(me, &phone(1), day)
            .await
            .expect("answers");
        assert_eq!(late, Accepted::Gone);
        let outcome = store
            .accept_invitation(me, &phone(1), evening())
            .await
            .expect("answers");
        let Accepted::Now {
            invitation,
            worker: accepted,
            invited_by,
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(
            (accepted.id, accepted.contact, invited_by),
            (worker.id, Some(me), by)
        );
        let known = store
            .worker_of_contact(me)
            .await
            .expect("reads")
            .expect("is a worker");
        assert_eq!(known.id, worker.id);
        let again = store
            .accept_invitation(me, &phone(1), evening())
            .await
            .expect("answers");
        assert_eq!(again, Accepted::Gone, "it works once");
        assert!(
            !store
                .open_invitation(&token, other, evening())
                .await
                .expect("answers")
        );
        let stranger = store
            .undo_invitation(invitation, Actor::Worker(worker.id), evening())
            .await;
        assert_eq!(
            stranger.expect("answers"),
            None,
            "only whoever invited takes it back"
        );
        let undone = store
            .undo_invitation(invitation, by, evening())
            .await
            .expect("answers");
        assert_eq!(undone, Some(worker.id));
        assert_eq!(
            store.worker_of_contact(me).await.expect("reads"),
            None,
            "all rights are gone at once"
        );
        let listed = store.invitations(worker.id).await.expect("reads");
        assert!(
            listed[0].accepted_at.is_some() && listed[0].undone_at.is_some() && !listed[0].is_open(evening())
        );

        let second = add(store, &operator, "小李", Role::Worker, "锦江区").await;
        let (_, old) = invite(store, second.id, by, 3).await;
        let (_, token) = invite(store, second.id, by, 3).await;
        assert!(
            !store.open_invitation(&old, me, evening()).await.expect("answers"),
            "the newer one holds"
        );
        assert!(store.open_invitation(&token, me, evening()).await.expect("opens"));
        store
            .remove_worker(second.id, by, evening())
            .await
            .expect("removes");
        let late = store
            .accept_invitation(me, &phone(3), evening())
            .await
            .expect("answers");
        assert_eq!(late, Accepted::Gone, "a removed worker's invitation is void");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_leave_one_whole_chain_and_one_accepts() {
    on_both(async |test| {
        let store = &test.store;
        let operator = first(store).await;
        let worker = add(store, &operator, "小王", Role::Worker, "锦江区").await;
        let (_, token) = invite(store, worker.id, Actor::Worker(operator.id), 1).await;
        let me = chat(store, 1).await;
        assert!(store.open_invitation(&token, me, evening()).await.expect("opens"));
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..20 {
            let store = store.clone();
            tasks.spawn(async move {
                let said = NewAudit::new(Actor::Worker(WorkerId(n)), "visit.accept", format!("visit:{n}"));
                store.audit(&said, evening()).await.expect("is on record");
                store
                    .accept_invitation(me, &phone(1), evening())
                    .await
                    .expect("answers")
            });
        }
        let outcomes = tasks.join_all().await;
        let accepted = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Accepted::Now { .. }))
            .count();
        assert_eq!(accepted, 1);
        let verdict = store.verify_audit(None).await.expect("reads");
        assert_eq!((verdict.lines, verdict.fault), (24, None));
        let lines: HashSet<_> = log(store).await.into_iter().collect();
        assert_eq!(lines.len(), 24);
    })
    .await;
}

/// The first bad line after something was done to the database, with `head` known or not.
async fn fault_after(test: &TestStore, sql: &[&str], head: Option<&weir::store::AuditHead>) -> Option<i64> {
    for sql in sql {
        raw(test, sql).await;
    }
    let verdict = test.store.verify_audit(head).await.expect("reads");
    verdict.fault.map(|fault| fault.line)
}

const SWAP: [&str; 3] = [
    "update audit set id = -1 where id = 3",
    "update audit set id = 3 where id = 4",
    "update audit set id = 4 where id = -1",
];

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn whatever_is_done_to_the_log_is_named_by_its_first_line() {
    for (what, sql, first_bad, needs_head) in [
        (
            "a change of who",
            vec!["update audit set actor = 'worker:9' where id = 3"],
            3,
            false,
        ),
        (
            "a change of what",
            vec!["update audit set what = 'x' where id = 1"],
            1,
            false,
        ),
        (
            "a change of when",
            vec!["update audit set at = at + 1 where id = 5"],
            5,
            false,
        ),
        (
            "a text moved over a border",
            vec!["update audit set whom = whom || 'd', details = '' where id = 2"],
            2,
            false,
        ),
        (
            "a row taken out",
            vec!["delete from audit where id = 2"],
            2,
            false,
        ),
        (
            "the first taken out",
            vec!["delete from audit where id = 1"],
            1,
            false,
        ),
        ("two rows in each other's place", SWAP.to_vec(), 3, false),
        (
            "the end cut off",
            vec!["delete from audit where id > 4"],
            5,
            false,
        ),
        (
            "the end cut off and its note changed",
            vec![
                "delete from audit where id > 4",
                "update audit_chain set last_id = 4, last_mac = (select mac from audit where id = 4)",
            ],
            5,
            false,
        ),
        (
            "all of it gone",
            vec!["delete from audit", "delete from audit_chain"],
            1,
            true,
        ),
    ] {
        on_both(async |test| {
            let store = &test.store;
            for n in 1..=6 {
                let said = NewAudit::new(Actor::Owner, "round.pause", format!("round:{n}")).with("d");
                assert_eq!(store.audit(&said, evening()).await.expect("is on record"), n);
            }
            let head = store.audit_head().await.expect("reads").expect("there is one");
            assert_eq!(head.to_string().parse(), Ok(head.clone()));
            let verdict = store.verify_audit(Some(&head)).await.expect("reads");
            assert_eq!(
                (verdict.lines, verdict.fault, verdict.head),
                (6, None, Some(head.clone()))
            );
            let head = needs_head.then_some(&head);
            assert_eq!(fault_after(&test, &sql, head).await, Some(first_bad), "{what}");
            // What comes later heals nothing.
            if first_bad > 1 {
                let said = NewAudit::new(Actor::Owner, "round.resume", "round:1");
                store.audit(&said, evening()).await.expect("goes on");
                let later = store.verify_audit(head).await.expect("reads").fault;
                assert!(
                    later.is_some_and(|fault| fault.line <= first_bad.max(5)),
                    "{what}"
                );
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_kept_elsewhere_shows_an_older_state_put_back() {
    on_both(async |test| {
        let store = &test.store;
        let said = NewAudit::new(Actor::Owner, "import", "");
        store.audit(&said, evening()).await.expect("is on record");
        let backup = test.folder.path().join("older");
        store.backup(&backup, evening()).await.expect("is written");
        for _ in 0..3 {
            store.audit(&said, evening()).await.expect("is on record");
        }
        let head = store.audit_head().await.expect("reads").expect("there is one");
        store.restore(&backup, evening()).await.expect("is put back");
        let alone = store.verify_audit(None).await.expect("reads");
        assert_eq!((alone.lines, alone.fault), (1, None), "by itself it looks whole");
        let fault = store
            .verify_audit(Some(&head))
            .await
            .expect("reads")
            .fault
            .expect("is seen");
        assert_eq!(fault.line, 2);
        assert!(fault.reason.contains("cut off"), "{}", fault.reason);
        let other = NewAudit::new(Actor::Owner, "import", "round:2");
        for _ in 0..5 {
            store.audit(&other, evening()).await.expect("is on record");
        }
        let fault = store.verify_audit(Some(&head)).await.expect("reads").fault;
        assert_eq!(
            fault.map(|fault| fault.line),
            Some(4),
            "other lines stand where those stood"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_the_log_stay_whole_through_backup_rotation_and_erasure() {
    on_both(async |test| {
        let store = &test.store;
        let operator = first(store).await;
        let by = Actor::Worker(operator.id);
        let gone = add(store, &operator, "老赵", Role::Viewer, "锦江区").await;
        let worker = add(store, &operator, "小王", Role::Worker, "锦江区").await;
        let (_, token) = invite(store, worker.id, by, 1).await;
        store
            .remove_worker(gone.id, by, evening())
            .await
            .expect("removes");
        let head = store.audit_head().await.expect("reads").expect("there is one");
        let backup = test.folder.path().join("backup");
        store.backup(&backup, evening()).await.expect("is written");
        store.restore(&backup, evening()).await.expect("is put back");
        store.close().await;
        Store::rotate_key(&test.url, &test.key_file(), |_, _| {})
            .await
            .expect("rotates");
        let store = test.again().await;
        let verdict = store.verify_audit(Some(&head)).await.expect("reads");
        assert_eq!(verdict.fault, None, "an old head holds after a rotation");
        assert_eq!(
            store
                .worker_named("小王")
                .await
                .expect("reads")
                .map(|found| found.id),
            Some(worker.id)
        );
        let me = chat(&store, 1).await;
        assert!(store.open_invitation(&token, me, evening()).await.expect("opens"));
        let outcome = store
            .accept_invitation(me, &phone(1), evening())
            .await
            .expect("answers");
        assert!(
            matches!(outcome, Accepted::Now { .. }),
            "the phone is found by its new hash: {outcome:?}"
        );
        store.erase_old(evening() + minutes(60)).await.expect("erases");
        let erased = store
            .worker(gone.id)
            .await
            .expect("reads")
            .expect("the fact stays");
        assert_eq!(erased.name, "");
        assert_eq!(
            store.worker(worker.id).await.expect("reads").expect("stays").name,
            "小王"
        );
        assert_eq!(
            store.verify_audit(None).await.expect("reads").fault,
            None,
            "erasing a name changes no record"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_by_time_by_person_and_by_what() {
    on_both(async |test| {
        let store = &test.store;
        let (one, two) = (Actor::Worker(WorkerId(1)), Actor::Worker(WorkerId(2)));
        for (actor, what, at) in [
            (one, "round.plan", 0),
            (two, "round.release", 1),
            (one, "pacing.hold", 2),
        ] {
            let said = NewAudit::new(actor, what, "round:1");
            store
                .audit(&said, evening() + minutes(at))
                .await
                .expect("is on record");
        }
        store
            .audit(&NewAudit::refused(two, Right::Keys, ""), evening() + minutes(3))
            .await
            .expect("is on record");
        let found = async |filter: AuditFilter| {
            let rows = store.audit_rows(&filter, None, 10).await.expect("reads");
            rows.into_iter().map(|row| row.line).collect::<Vec<_>>()
        };
        assert_eq!(
            found(AuditFilter {
                who: Some(one),
                ..AuditFilter::default()
            })
            .await,
            [3, 1]
        );
        assert_eq!(
            found(AuditFilter {
                what: "round".into(),
                ..AuditFilter::default()
            })
            .await,
            [2, 1]
        );
        assert_eq!(
            found(AuditFilter {
                what: "refused".into(),
                ..AuditFilter::default()
            })
            .await,
            [4]
        );
        let since = Some(evening() + minutes(2));
        assert_eq!(
            found(AuditFilter {
                since,
                ..AuditFilter::default()
            })
            .await,
            [4, 3]
        );
        let page = store
            .audit_rows(&AuditFilter::default(), Some(3), 1)
            .await
            .expect("reads");
        assert_eq!(page[0].line, 2);
    })
    .await;
}

/// A folder with a small city, and commands run in it by somebody.
struct Office {
    folder: tempfile::TempDir,
}

const CITY: &str = "\
锦江区,春熙街道,梧桐社区,1栋,1单元,101,陈桂英,+8619900000001,zh-Hans,elderly\n\
锦江区,春熙街道,银杏社区,1栋,1单元,101,王伟,+8619900000002,zh-Hans,\n";

impl Office {
    fn open() -> Self {
        let office = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        std::fs::write(
            office.folder.path().join("roster.csv"),
            format!("{ROSTER_HEAD}{CITY}"),
        )
        .expect("written");
        std::fs::write(office.folder.path().join("sites.csv"), SITES).expect("written");
        office
    }

    async fn does(&self, args: &[&str]) -> Value {
        json(self.folder.path(), args).await
    }

    /// What a command says when it refuses.
    async fn refuses(&self, args: &[&str]) -> String {
        let output = run(self.folder.path(), args).await;
        assert!(!output.status.success(), "{args:?} must fail: {}", out(&output));
        err(&output)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn on_the_command_line_each_acts_by_name_within_their_rights_and_on_record() {
    let office = Office::open();
    // Until there is a worker the machine's owner acts, on record.
    office
        .does(&["import", "roster.csv", "--sites", "sites.csv"])
        .await;
    office.does(&["pacing", "hold", "--reason", "test"]).await;
    assert!(
        office
            .refuses(&["pacing", "auto", "--as", "高敏"])
            .await
            .contains("--first")
    );
    assert!(
        office
            .refuses(&["worker", "add", "林霞", "--scope", "city"])
            .await
            .contains("--first")
    );
    office.does(&["worker", "add", "高敏", "--first"]).await;
    assert!(office.refuses(&["pacing", "auto"]).await.contains("--as"));
    let add = |name: &'static str, role: &'static str, scope: &'static str| {
        [
            "worker", "add", name, "--role", role, "--scope", scope, "--as", "高敏",
        ]
    };
    office
        .does(&add("林霞", "coordinator", "锦江区/春熙街道/梧桐社区"))
        .await;
    office
        .does(&add("小王", "worker", "锦江区/春熙街道/梧桐社区"))
        .await;
    office.does(&add("看客", "viewer", "city")).await;
    assert!(
        office
            .refuses(&add("无处", "viewer", "武侯区"))
            .await
            .contains("nobody on the roster")
    );
    let said = office
        .refuses(&[
            "worker",
            "add",
            "多",
            "--role",
            "coordinator",
            "--scope",
            "锦江区/春熙街道/梧桐社区",
            "--as",
            "林霞",
        ])
        .await;
    assert!(said.contains("more than they have"), "{said}");

    let tomorrow = weir::clock::Clock::System.now() + minutes(24 * 60);
    let date = tomorrow
        .with_timezone(&chrono_tz::Asia::Shanghai)
        .date_naive()
        .to_string();
    let plan = [
        "round", "plan", "--date", &date, "--from", "08:00", "--to", "12:00",
    ];
    for (args, who, word) in [
        (plan.to_vec(), "小王", "coordinator"),
        (plan.to_vec(), "林霞", "city"),
        (
            [&plan[..], &["--community", "银杏社区"]].concat(),
            "林霞",
            "银杏社区",
        ),
        (vec!["pacing", "auto"], "林霞", "operator"),
        (vec!["incident", "open", "--reason", "x"], "小王", "coordinator"),
        (vec!["incident", "open", "--reason", "x"], "林霞", "city"),
        (vec!["key", "rotate"], "林霞", "operator"),
        (vec!["audit"], "林霞", "operator"),
        (vec!["worker", "remove", "高敏"], "小王", "more than they have"),
        (vec!["import", "roster.csv"], "小王", "coordinator"),
        (vec!["import", "--sites", "sites.csv"], "林霞", "银杏社区"),
        (vec!["send-test", "+8619900000001"], "看客", "operator"),
    ] {
        let said = office.refuses(&[&args[..], &["--as", who]].concat()).await;
        assert!(said.contains(word), "{args:?} by {who}: {said}");
    }
    // The right one beside the wrong one.
    let made = office
        .does(&[&plan[..], &["--community", "梧桐社区", "--as", "林霞"]].concat())
        .await;
    let round = made["round"].to_string();
    let said = office.refuses(&["round", "cancel", &round, "--as", "看客"]).await;
    assert!(said.contains("coordinator"), "{said}");
    office.does(&["round", "cancel", &round, "--as", "林霞"]).await;
    let report = office.does(&["import", "roster.csv", "--as", "林霞"]).await;
    assert_eq!(
        (&report["refused"], &report["unchanged"]),
        (&1.into(), &1.into()),
        "only their own rows"
    );
    let opened = office
        .does(&[
            "incident",
            "open",
            "--reason",
            "x",
            "--community",
            "梧桐社区",
            "--as",
            "林霞",
        ])
        .await;
    let incident = opened["incident"].to_string();
    let said = office
        .refuses(&["incident", "close", &incident, "--as", "林霞"])
        .await;
    assert!(said.contains("operator"), "{said}");
    office
        .does(&["incident", "close", &incident, "--as", "高敏"])
        .await;
    office.does(&["pacing", "auto", "--as", "高敏"]).await;
    office.does(&["worker", "remove", "小王", "--as", "林霞"]).await;
    assert!(
        office
            .refuses(&["pacing", "auto", "--as", "小王"])
            .await
            .contains("no worker is called so")
    );

    let log = office.does(&["audit", "--as", "高敏", "--limit", "1000"]).await;
    let lines = log["lines"].as_array().expect("lines");
    let of = |actor: &str, what: &str| {
        lines
            .iter()
            .filter(|line| line["actor"] == actor && line["what"] == what)
            .count()
    };
    assert_eq!(
        (
            of("owner", "import"),
            of("owner", "pacing.hold"),
            of("owner", "worker.add")
        ),
        (1, 1, 1)
    );
    assert_eq!(
        (of("worker:2", "round.plan"), of("worker:2", "round.cancel")),
        (1, 1)
    );
    assert_eq!(
        (of("worker:2", "refused.plan"), of("worker:2", "refused.keys")),
        (2, 1)
    );
    assert_eq!(
        (
            of("worker:1", "incident.close"),
            of("worker:2", "refused.close_incident")
        ),
        (1, 1)
    );
    assert!(!log.to_string().contains("小王"), "ids, never names");
    let only = office
        .does(&["audit", "--as", "高敏", "--who", "林霞", "--what", "refused"])
        .await;
    assert!(only["lines"].as_array().is_some_and(|lines| lines.len() >= 5));
    let verdict = office.does(&["audit", "verify", "--as", "高敏"]).await;
    assert_eq!(verdict["whole"], true);
    let head = verdict["verdict"]["head"].as_str().expect("a head").to_owned();
    office
        .does(&["audit", "verify", "--head", &head, "--as", "高敏"])
        .await;
    let other = format!("{}A", &head[..head.len() - 1]);
    let output = run(
        office.folder.path(),
        &["audit", "verify", "--head", &other, "--as", "高敏"],
    )
    .await;
    assert!(other == head || !output.status.success(), "{}", out(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_log_is_exported_each_day() {
    use weir::{config::Config, jobs::Timetable};
    let test = sqlite().await;
    let folder = test.folder.path().join("heads");
    let mut config = Config::default();
    config.audit.head_folder = Some(folder.clone());
    let clock = weir::clock::Clock::manual(evening());
    let timetable = Timetable {
        store: test.store.clone(),
        clock: clock.clone(),
        config,
        backup_folder: test.folder.path().into(),
    };
    test.store
        .audit(&NewAudit::new(Actor::Owner, "import", ""), evening())
        .await
        .expect("is on record");
    let head = test
        .store
        .audit_head()
        .await
        .expect("reads")
        .expect("there is one");
    for day in 0..2 {
        let now = evening() + minutes(day * 24 * 60 + 6 * 60 + 10);
        timetable.step(now - minutes(30), now).await.expect("runs");
        timetable.step(now - minutes(30), now).await.expect("runs once");
    }
    let exported = std::fs::read_to_string(folder.join("audit-heads.txt")).expect("is written");
    assert_eq!(exported.lines().count(), 2, "{exported}");
    let written = exported
        .lines()
        .next()
        .and_then(|line| line.rsplit(' ').next())
        .expect("a head");
    assert_eq!(written.parse(), Ok(head));
}
