//! Stores that are killed, frozen, full.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use coordination::store::{Answer, Event, Expected, Transaction};
use coordination::{EmbeddedStore, EtcdStore, Key, Standing, Store, StoreError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::elections::{Candidate, until};
use crate::server::{Bench, ETCD_QUOTA, PATIENCE, Server, TIME_LIMIT, TTL};

/// Asks again as long as there is no answer.
async fn patiently<'a, T>(mut ask: impl FnMut() -> Answer<'a, T>) -> T {
    let asking = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => assert!(error.is_uncertain(), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the store does not come back")
}

pub(crate) async fn a_killed_store_forgets_nothing_that_it_acknowledged(bench: Bench) {
    let key = bench.root.join("counter").unwrap();
    let mut watch = bench.store.watch(&bench.root);
    let candidate = Candidate::start(&bench, "only", bench.store.clone());
    let term = candidate.leads().await;
    let mut version = bench.store.commit(Transaction::new().put(&key, "0")).await.unwrap();
    for round in 1..=2 {
        for n in 0..20 {
            let next =
                Transaction::new().when(&key, Expected::Version(version)).put(&key, format!("{round}.{n}"));
            version = patiently(|| bench.store.commit(next.clone())).await;
        }
        bench.server.process.as_ref().unwrap().kill_and_start_again();
        let entry = patiently(|| bench.store.get(&key)).await.unwrap();
        assert_eq!((entry.version, entry.value), (version, format!("{round}.19").into_bytes()));
    }
    let last = patiently(|| bench.store.commit(Transaction::new().put(&key, "last"))).await;
    assert!(last > version);
    let seen = async {
        loop {
            let found = match watch.next().await {
                Event::Resync(snapshot) => snapshot.get(&key).is_some_and(|entry| entry.value == b"last"),
                Event::Changed { revision, .. } => revision >= last,
            };
            if found {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the watch has not come back");
    assert!(candidate.leads().await.token() >= term.token());
}

/// SIGSTOP: connections stay open and nothing answers.
pub(crate) async fn a_frozen_store_makes_a_leader_uncertain_and_then_none(bench: Bench) {
    let process = bench.server.process.clone().unwrap();
    let store = bench.server.client(bench.root.as_str(), Duration::from_millis(300));
    let candidate = Candidate::start(&bench, "only", store.clone());
    let key = bench.root.join("key").unwrap();
    patiently(|| store.commit(Transaction::new().put(&key, "before"))).await;
    let term = candidate.leads().await;
    let mut changes = candidate.handle.changes();
    process.freeze().await;
    let written = store.commit(Transaction::new().put(&key, "during")).await;
    assert!(written.as_ref().is_err_and(StoreError::is_uncertain), "{written:?}");
    assert!(store.get(&key).await.is_err_and(|error| error.is_uncertain()));
    // Neither lost nor held for ever: until the lease is over it leads, then it does not know.
    until("the lease is over", || !term.is_held()).await;
    until("nothing is known", || matches!(*changes.borrow_and_update(), Standing::Unknown)).await;
    assert!(candidate.handle.leadership().is_none());
    tokio::time::sleep(TTL).await;
    assert!(candidate.handle.leadership().is_none(), "it leads while the store is frozen");
    process.thaw();
    let next = candidate.leads_after(term.token().0).await;
    assert!(next.token() > term.token());
    let value = patiently(|| store.get(&key)).await.unwrap().value;
    assert!(value == b"before" || value == b"during", "{value:?}");
}

/// The first server takes connections and says nothing; the second takes none; the third works.
pub(crate) async fn a_server_that_hangs_is_left_for_the_next(bench: Bench) {
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [refuses] = crate::process::free_ports();
    let ports = [hangs.local_addr().unwrap().port(), refuses, bench.server.port];
    let store = bench.server.client_of(&ports, bench.root.as_str(), Duration::from_millis(600));
    let mut watch = store.watch(&bench.root);
    let key = bench.root.join("key").unwrap();
    let version = patiently(|| store.commit(Transaction::new().put(&key, "1"))).await;
    assert_eq!(store.get(&key).await.unwrap().unwrap().version, version);
    let session = store.open_session(TTL).await.unwrap();
    store.renew_session(session.id).await.unwrap();
    let first = tokio::time::timeout(PATIENCE, watch.next()).await.expect("the watch follows nothing");
    assert!(matches!(first, Event::Resync(_)));
}

pub(crate) async fn a_restarted_embedded_store_forgets_nothing(server: Server) {
    let bench = server.bench("case");
    let (stays, goes) = (bench.root.join("stays").unwrap(), bench.root.join("goes").unwrap());
    let session = bench.store.open_session(PATIENCE).await.unwrap();
    let version = bench.store.commit(Transaction::new().put(&stays, "1")).await.unwrap();
    let last = bench.store.commit(Transaction::new().put_bound(&goes, "1", session.id)).await.unwrap();
    let term = {
        let candidate = Candidate::start(&bench, "only", bench.store.clone());
        let term = candidate.leads().await;
        candidate.stop().await;
        term
    };
    let root = bench.root.clone();
    drop(bench);
    let server = server.reopen().await;
    let bench = server.bench(root.as_str());
    assert_eq!(bench.store.get(&stays).await.unwrap().unwrap().version, version);
    assert_eq!(bench.store.get(&goes).await.unwrap(), None);
    let candidate = Candidate::start(&bench, "only", bench.store.clone());
    let next = candidate.leads().await;
    assert!(next.token() > term.token() && next.token().0 > last.0);
}

/// Names the file to the process that is killed.
const CHILD_FILE: &str = "HADAL_TEST_COORDINATION_FILE";

pub(crate) async fn write_until_killed() {
    let Some(file) = std::env::var_os(CHILD_FILE) else { return };
    let store = open_patiently(file.as_ref()).await;
    let key = Key::new("counter").unwrap();
    for n in 1_u64.. {
        let version = store.commit(Transaction::new().put(&key, n.to_string())).await.unwrap();
        println!("\nwritten {n} {version}");
    }
}

/// A store that was dropped closes its file when its thread notices.
async fn open_patiently(file: &Path) -> EmbeddedStore {
    let opening = async {
        loop {
            match EmbeddedStore::open(file, TIME_LIMIT) {
                Ok(store) => return store,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, opening).await.expect("the file cannot be opened")
}

/// Reads what the child says, kills it after so many writes, and gives the last one with its revision.
async fn last_written(file: &Path, writes: usize) -> (u64, u64) {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_writes", "--nocapture"])
        .env(CHILD_FILE, file)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut last, mut seen) = ((0, 0), 0);
    while let Some(line) = lines.next_line().await.unwrap() {
        let numbers = line.strip_prefix("written ").and_then(|numbers| numbers.split_once(' '));
        let Some((n, revision)) = numbers else { continue };
        last = (n.parse().unwrap(), revision.parse().unwrap());
        seen += 1;
        if seen == writes {
            child.start_kill().unwrap();
        }
    }
    child.wait().await.unwrap();
    assert!(seen >= writes, "the child has ended by itself");
    last
}

pub(crate) async fn a_killed_embedded_store_has_all_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coordination.redb");
    for writes in [1, 20, 47] {
        let (count, revision) = last_written(&file, writes).await;
        let store = open_patiently(&file).await;
        let entry = store.get(&Key::new("counter").unwrap()).await.unwrap().unwrap();
        let found = String::from_utf8(entry.value).unwrap().parse::<u64>().unwrap();
        // One more may have been written without being told.
        assert!((count..=count + 1).contains(&found), "{found} instead of {count}");
        assert_eq!(entry.version.0 - revision, found - count);
    }
}

pub(crate) async fn a_full_etcd_refuses_writes_and_serves_reads(bench: Bench) {
    let session = bench.store.open_session(PATIENCE).await.unwrap();
    let key = |n: usize| bench.root.join(&n.to_string()).unwrap();
    let size = 200 * 1024;
    let mut refused = None;
    for n in 0..ETCD_QUOTA / size * 2 {
        if let Err(error) = bench.store.commit(Transaction::new().put(&key(n), vec![1; size])).await {
            refused = Some(error);
            break;
        }
    }
    assert!(matches!(refused, Some(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(bench.store.get(&key(0)).await.unwrap().unwrap().value.len(), size);
    bench.store.renew_session(session.id).await.unwrap();
    assert!(matches!(bench.store.open_session(TTL).await, Err(StoreError::Unavailable(_))));
    bench.store.commit(Transaction::new().delete(&key(0))).await.unwrap();
}

/// The watch's connection breaks, and while it is broken the revisions that it needs are compacted away.
pub(crate) async fn a_compaction_does_not_stop_a_watch(bench: Bench) {
    let relay = Relay::start(bench.server.port).await;
    let through = EtcdStore::new(&[format!("http://127.0.0.1:{}", relay.port)], TIME_LIMIT).unwrap();
    let key = bench.root.join("key").unwrap();
    let mut watch = through.watch(&bench.root);
    assert!(matches!(watch.next().await, Event::Resync(_)));
    // A full server takes no writes, but deletes.
    relay.open.send_replace(false);
    let mut last = coordination::store::Revision(0);
    for n in 0..5 {
        let victim = Key::new("case0").unwrap().join(&n.to_string()).unwrap();
        last = bench.store.commit(Transaction::new().delete(&victim).delete(&key)).await.unwrap();
    }
    compact(bench.server.port, last.0).await;
    relay.open.send_replace(true);
    let resynced = async {
        loop {
            if let Event::Resync(snapshot) = watch.next().await
                && snapshot.revision >= last
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, resynced).await.expect("the watch has not come back");
}

/// Through etcd's HTTP gateway, because this crate has no use for compaction.
async fn compact(port: u16, revision: u64) {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let body = format!("{{\"revision\":\"{revision}\",\"physical\":true}}");
    let length = body.len();
    let head = format!(
        "POST /v3/kv/compaction HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Passes bytes on while it is open; breaks every connection when it closes.
struct Relay {
    port: u16,
    open: tokio::sync::watch::Sender<bool>,
}

impl Relay {
    async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, is_open) = tokio::sync::watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut is_open = is_open.clone();
                if !*is_open.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = is_open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { port, open }
    }
}
