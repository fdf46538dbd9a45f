//! Reads, conditions, transactions.

use std::collections::BTreeSet;

use coordination::StoreError;
use coordination::store::{Expected, MAX_VALUE_BYTES, Transaction};

use crate::server::Bench;

pub(crate) async fn of_many_writers_every_one_sees_the_others(bench: Bench) {
    const WRITERS: usize = 6;
    const TIMES: usize = 15;
    let key = bench.root.join("counter").unwrap();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (store, key) =
                (bench.server.client(bench.root.as_str(), crate::server::TIME_LIMIT), key.clone());
            tokio::spawn(async move {
                let mut versions = Vec::new();
                while versions.len() < TIMES {
                    let now = store.get(&key).await.unwrap();
                    let count = now
                        .as_ref()
                        .map_or(0, |entry| String::from_utf8_lossy(&entry.value).parse().unwrap());
                    let expected = now.map_or(Expected::Absent, |entry| Expected::Version(entry.version));
                    let next = (count + 1_usize).to_string();
                    match store.commit(Transaction::new().when(&key, expected).put(&key, next)).await {
                        Ok(version) => versions.push(version),
                        Err(StoreError::Refused { key: refused }) => assert_eq!(refused, key),
                        Err(error) => panic!("{error}"),
                    }
                }
                assert!(versions.is_sorted());
                versions
            })
        })
        .collect();
    let mut versions = BTreeSet::new();
    for task in tasks {
        versions.extend(task.await.unwrap());
    }
    let last = bench.store.get(&key).await.unwrap().unwrap();
    assert_eq!(last.value, (WRITERS * TIMES).to_string().into_bytes());
    assert_eq!(versions.len(), WRITERS * TIMES, "two writes had the same version");
    assert_eq!(versions.last(), Some(&last.version));
}

pub(crate) async fn a_transaction_happens_whole_or_not_at_all(bench: Bench) {
    let key = |name: &str| bench.root.join(name).unwrap();
    let first = bench.store.commit(Transaction::new().put(&key("a"), "1").put(&key("b"), "1")).await.unwrap();
    let wrong = Transaction::new()
        .when(&key("a"), Expected::Version(first))
        .when(&key("b"), Expected::Absent)
        .put(&key("a"), "2")
        .delete(&key("b"))
        .put(&key("c"), "2");
    assert_eq!(bench.store.commit(wrong).await, Err(StoreError::Refused { key: key("b") }));
    let snapshot = bench.store.list(&bench.root).await.unwrap();
    let values: Vec<_> = snapshot.entries.iter().map(|entry| (entry.key.name(), entry.version)).collect();
    assert_eq!(values, [("a".to_owned(), first), ("b".to_owned(), first)]);

    let right = Transaction::new()
        .when(&key("a"), Expected::Version(first))
        .when(&key("c"), Expected::Absent)
        .put(&key("a"), "2")
        .delete(&key("b"))
        .delete(&key("never"));
    let second = bench.store.commit(right).await.unwrap();
    assert!(second > first);
    let snapshot = bench.store.list(&bench.root).await.unwrap();
    assert_eq!(snapshot.entries.len(), 1);
    assert_eq!((snapshot.entries[0].version, &snapshot.entries[0].value[..]), (second, &b"2"[..]));
    assert!(snapshot.revision >= second);
    let nothing = Transaction::new().when(&key("a"), Expected::Version(second));
    assert!(matches!(bench.store.commit(nothing).await, Err(StoreError::Invalid(_))));
}

pub(crate) async fn a_key_that_was_deleted_and_made_anew_is_another(bench: Bench) {
    let key = bench.root.join("a").unwrap();
    let first = bench.store.commit(Transaction::new().put(&key, "same")).await.unwrap();
    bench.store.commit(Transaction::new().delete(&key)).await.unwrap();
    let second = bench.store.commit(Transaction::new().put(&key, "same")).await.unwrap();
    assert!(second > first);
    let stale = Transaction::new().when(&key, Expected::Version(first)).put(&key, "stale");
    assert_eq!(bench.store.commit(stale).await, Err(StoreError::Refused { key: key.clone() }));
    assert_eq!(bench.store.get(&key).await.unwrap().unwrap().version, second);
}

pub(crate) async fn a_list_has_what_is_below_and_nothing_beside(bench: Bench) {
    let folder = bench.root.join("folder").unwrap();
    let inside = ["b/c", "a", "ä:x", "z"].map(|name| folder.join(name).unwrap());
    let deep = folder.join("d").unwrap().join("e").unwrap();
    let beside = ["folder", "folder-x", "folder0", "fold"].map(|name| bench.root.join(name).unwrap());
    for key in inside.iter().chain([&deep]).chain(&beside) {
        bench.store.commit(Transaction::new().put(key, key.as_str())).await.unwrap();
    }
    let snapshot = bench.store.list(&folder).await.unwrap();
    let mut expected: Vec<_> = inside.into_iter().chain([deep]).collect();
    expected.sort();
    assert_eq!(snapshot.entries.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>(), expected);
    assert!(snapshot.entries.iter().all(|entry| entry.value == entry.key.as_str().as_bytes()));
    let empty = bench.store.list(&bench.root.join("none").unwrap()).await.unwrap();
    assert!(empty.entries.is_empty() && empty.revision >= snapshot.revision);
}

pub(crate) async fn what_is_too_large_is_refused_and_what_is_not_is_kept(bench: Bench) {
    let key = bench.root.join("large").unwrap();
    let large = vec![7; MAX_VALUE_BYTES];
    bench.store.commit(Transaction::new().put(&key, large.clone())).await.unwrap();
    assert!(bench.store.get(&key).await.unwrap().unwrap().value == large);
    let larger = bench.store.commit(Transaction::new().put(&key, vec![8; MAX_VALUE_BYTES + 1])).await;
    assert!(matches!(larger, Err(StoreError::Invalid(_))));
    bench.store.commit(Transaction::new().put(&key, "")).await.unwrap();
    assert_eq!(bench.store.get(&key).await.unwrap().unwrap().value, b"");
}
