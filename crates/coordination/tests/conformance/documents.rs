//! What is agreed on in the name of a leader, and what is not.

use std::collections::BTreeSet;
use std::sync::Arc;

use coordination::{
    AcknowledgerSets, Acknowledgers, CoordinationError, Epochs, Journal, Leadership, Maintenance,
    MaintenanceFlags, Node, NotLeading, ReadOnly, ReadOnlyModes, Rebuild, Rebuilds, Registered, Registration,
    nodes,
};
use serde_json::json;

use crate::cuttable::Cuttable;
use crate::elections::{Candidate, StoppableClock, until};
use crate::server::{Bench, PATIENCE, TTL};

fn is_stale<T: std::fmt::Debug>(result: Result<T, CoordinationError>, term: &Leadership) {
    match result {
        Err(CoordinationError::NotLeading(NotLeading::Stale(token))) => assert_eq!(token, term.token()),
        other => panic!("not refused as stale: {other:?}"),
    }
}

fn set(servers: &[&str]) -> Acknowledgers {
    let servers = servers.iter().map(|server| (*server).to_owned()).collect::<BTreeSet<_>>();
    Acknowledgers { servers, wait_for: 1, started: [("db1:3306".to_owned(), 1_700_000_000)].into() }
}

/// A leader whose clock stands still believes in itself for ever: the store must not.
pub(crate) async fn a_stale_token_is_refused_everywhere(bench: Bench) {
    let (way, clock) = (Cuttable::new(&bench.store), Arc::new(StoppableClock::default()));
    let first = Candidate::with_clock(&bench, "first", way.clone(), clock.clone());
    let mut old = first.leads().await;
    clock.stop();
    while !old.is_held() {
        // On a busy machine it was over before the clock stood still.
        clock.go_on();
        old = first.leads_after(old.token().0).await;
        clock.stop();
    }
    way.cut(true);
    let second = Candidate::start(&bench, "second", bench.store.clone());
    let new = second.leads_after(old.token().0).await;
    assert!(old.is_held(), "the test is about a leader that does not know");

    let epochs = Epochs::new(bench.store.clone(), bench.keyspace.clone());
    let sets = AcknowledgerSets::new(bench.store.clone(), bench.keyspace.clone());
    let journal = Journal::new(bench.store.clone(), bench.keyspace.clone());
    is_stale(epochs.open_next("c", None, &old).await, &old);
    is_stale(sets.replace("c", None, set(&["a"]), &old).await, &old);
    is_stale(journal.begin("c", "failover", json!({}), &old).await, &old);
    let rebuilds = Rebuilds::new(bench.store.clone(), bench.keyspace.clone());
    is_stale(rebuilds.put("c", "a", None, Rebuild::default(), &old).await, &old);
    is_stale(rebuilds.clear("c", "a", &old).await, &old);
    assert!(rebuilds.list("c").await.unwrap().is_empty());
    let current = new_or_newer(&second, new).await;
    let action = journal.begin("c", "failover", json!({}), &current).await.unwrap();
    is_stale(journal.append("c", action.clone(), "fence", json!({}), &old).await, &old);
    is_stale(journal.finish("c", action.clone(), json!("done"), &old).await, &old);
    assert_eq!(journal.unfinished("c").await.unwrap(), Some(action));
    assert_eq!(epochs.current("c").await.unwrap(), None);
    assert_eq!(sets.current("c").await.unwrap(), None);
    old = second.leads().await;
    second.stop().await;
    let over = epochs.open_next("c", None, &old).await;
    assert!(matches!(over, Err(CoordinationError::NotLeading(NotLeading::LeaseOver))), "{over:?}");
}

/// On a busy machine a term can end by itself.
async fn new_or_newer(candidate: &Candidate, term: Leadership) -> Leadership {
    if term.is_held() { term } else { candidate.leads_after(term.token().0).await }
}

pub(crate) async fn a_successor_finishes_what_another_has_begun(bench: Bench) {
    let journal = Journal::new(bench.store.clone(), bench.keyspace.clone());
    let first = Candidate::start(&bench, "first", bench.store.clone());
    let term = first.leads().await;
    let action = journal.begin("c", "failover", json!({"to": "b"}), &term).await.unwrap();
    let again = journal.begin("c", "failover", json!({}), &term).await;
    assert!(matches!(again, Err(CoordinationError::Conflict(_))), "{again:?}");
    let after_fence = journal.append("c", action.clone(), "fence", json!(1), &term).await.unwrap();
    let twice = journal.append("c", action, "fence", json!(1), &term).await;
    assert!(matches!(twice, Err(CoordinationError::Conflict(_))), "{twice:?}");
    first.stop().await;

    let second = Candidate::start(&bench, "second", bench.store.clone());
    let next = second.leads().await;
    let found = journal.unfinished("c").await.unwrap().unwrap();
    assert_eq!(found, after_fence);
    let promoted = journal.append("c", found, "promote", json!(2), &next).await.unwrap();
    let steps: Vec<_> = promoted.value.steps.iter().map(|step| (step.name.as_str(), step.token)).collect();
    assert_eq!(steps, [("fence", term.token()), ("promote", next.token())]);
    journal.finish("c", promoted, json!("done"), &next).await.unwrap();
    assert_eq!(journal.unfinished("c").await.unwrap(), None);
    let history = journal.history("c").await.unwrap();
    assert_eq!((history.len(), history[0].number, history[0].outcome.clone()), (1, 1, Some(json!("done"))));
}

pub(crate) async fn the_history_is_bounded(bench: Bench) {
    let journal = Journal::new(bench.store.clone(), bench.keyspace.clone());
    let candidate = Candidate::start(&bench, "only", bench.store.clone());
    for _ in 0..35 {
        let mut action = None;
        while action.is_none() {
            let term = candidate.leads().await;
            action = journal.begin("c", "switchover", json!({}), &term).await.ok();
        }
        let term = candidate.leads().await;
        journal.finish("c", action.unwrap(), json!({}), &term).await.unwrap();
    }
    let numbers: Vec<_> = journal.history("c").await.unwrap().iter().map(|action| action.number).collect();
    assert_eq!(numbers, (4..=35).collect::<Vec<_>>());
}

pub(crate) async fn an_epoch_is_opened_once(bench: Bench) {
    let epochs = Epochs::new(bench.store.clone(), bench.keyspace.clone());
    let sets = AcknowledgerSets::new(bench.store.clone(), bench.keyspace.clone());
    let candidate = Candidate::start(&bench, "only", bench.store.clone());
    let term = candidate.leads().await;
    let one = epochs.open_next("c", None, &term).await.unwrap();
    assert_eq!((one.value.number, one.value.opened_by), (1, term.token()));
    let two = epochs.open_next("c", Some(one), &term).await.unwrap();
    assert_eq!(two.value.number, 2);
    for stale in [None, Some(one)] {
        let again = epochs.open_next("c", stale, &term).await;
        assert!(matches!(again, Err(CoordinationError::Conflict(_))), "{again:?}");
    }
    assert_eq!(epochs.current("c").await.unwrap(), Some(two));
    assert_eq!(epochs.current("other").await.unwrap(), None);

    let first = sets.replace("c", None, set(&["a", "b"]), &term).await.unwrap();
    let second = sets.replace("c", Some(&first), set(&["b"]), &term).await.unwrap();
    let again = sets.replace("c", Some(&first), set(&["a"]), &term).await;
    assert!(matches!(again, Err(CoordinationError::Conflict(_))), "{again:?}");
    assert_eq!(sets.current("c").await.unwrap(), Some(second));
}

pub(crate) async fn a_rebuild_is_known_until_it_is_over(bench: Bench) {
    let rebuilds = Rebuilds::new(bench.store.clone(), bench.keyspace.clone());
    let candidate = Candidate::start(&bench, "only", bench.store.clone());
    let term = candidate.leads().await;
    let server = "127.0.0.1:3306";
    let rebuild = |donor: &str| Rebuild { donor: donor.to_owned(), ..Rebuild::default() };
    let first = rebuilds.put("c", server, None, rebuild("a"), &term).await.unwrap();
    let second = rebuilds.put("c", server, Some(&first), rebuild("b"), &term).await.unwrap();
    for stale in [None, Some(&first)] {
        let again = rebuilds.put("c", server, stale, rebuild("c"), &term).await;
        assert!(matches!(again, Err(CoordinationError::Conflict(_))), "{again:?}");
    }
    assert_eq!(rebuilds.list("c").await.unwrap(), [(server.to_owned(), second)]);
    assert!(rebuilds.list("other").await.unwrap().is_empty());
    rebuilds.clear("c", server, &term).await.unwrap();
    assert!(rebuilds.list("c").await.unwrap().is_empty());
}

pub(crate) async fn maintenance_is_set_and_cleared(bench: Bench) {
    let flags = MaintenanceFlags::new(bench.store.clone(), bench.keyspace.clone());
    let flag = |reason: &str| Maintenance { reason: reason.to_owned(), by: "me".to_owned(), since_ms: 1 };
    flags.set("c", "127.0.0.1:3306", &flag("disk")).await.unwrap();
    flags.set("c", "127.0.0.1:3307", &flag("kernel")).await.unwrap();
    flags.set("c", "127.0.0.1:3306", &flag("memory")).await.unwrap();
    flags.set("other", "127.0.0.1:3308", &flag("disk")).await.unwrap();
    let listed = flags.list("c").await.unwrap();
    let expected = [("127.0.0.1:3306", "memory"), ("127.0.0.1:3307", "kernel")];
    assert_eq!(listed.iter().map(|(s, f)| (s.as_str(), f.reason.as_str())).collect::<Vec<_>>(), expected);
    flags.clear("c", "127.0.0.1:3306").await.unwrap();
    flags.clear("c", "127.0.0.1:3306").await.unwrap();
    assert_eq!(flags.list("c").await.unwrap().len(), 1);
}

pub(crate) async fn the_read_only_mode_is_set_and_cleared(bench: Bench) {
    let modes = ReadOnlyModes::new(bench.store.clone(), bench.keyspace.clone());
    let mode = |reason: &str| ReadOnly { reason: reason.to_owned(), by: "me".to_owned(), since_ms: 1 };
    assert_eq!(modes.current("c").await.unwrap(), None);
    modes.set("c", &mode("moving")).await.unwrap();
    modes.set("c", &mode("still moving")).await.unwrap();
    assert_eq!(modes.current("c").await.unwrap(), Some(mode("still moving")));
    assert_eq!(modes.current("other").await.unwrap(), None);
    modes.clear("c").await.unwrap();
    modes.clear("c").await.unwrap();
    assert_eq!(modes.current("c").await.unwrap(), None);
}

pub(crate) async fn a_node_is_listed_while_it_lives(bench: Bench) {
    let node = |admin: &str| Node { version: "1".to_owned(), admin: admin.to_owned() };
    let start = |admin: &str, store: Arc<dyn coordination::Store>| {
        let (registration, state) =
            Registration::new(store, &bench.keyspace, "gw-1", &node(admin), TTL).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(registration.run(async {
            let _ = stopped.await;
        }));
        (state, stop, task)
    };
    let way = Cuttable::new(&bench.store);
    let (first, _keep, first_task) = start("a", way.clone());
    until("it is listed", || *first.borrow() == Registered::Yes).await;
    let (second, stop, second_task) = start("b", bench.store.clone());
    until("the name is taken", || *second.borrow() == Registered::NameTaken).await;
    let listed = nodes(&*bench.store, &bench.keyspace).await.unwrap();
    assert_eq!(listed, [("gw-1".to_owned(), node("a"))]);
    // The first one dies: nothing is heard from it any more.
    way.cut(true);
    until("the second has the name", || *second.borrow() == Registered::Yes).await;
    first_task.abort();
    drop(stop);
    tokio::time::timeout(PATIENCE, second_task).await.unwrap().unwrap();
    assert_eq!(nodes(&*bench.store, &bench.keyspace).await.unwrap(), []);
}
