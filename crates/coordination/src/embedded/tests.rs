//! The disk that fails, the file that is damaged. What all back ends have in common is in `tests/`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Builder, Database, StorageBackend};

use super::*;
use crate::store::Expected;

const LIMIT: Duration = Duration::from_secs(10);

/// Memory that outlives the database on it, and fails on demand.
#[derive(Clone, Debug, Default)]
struct FaultyDisk {
    bytes: Arc<Mutex<Vec<u8>>>,
    refuses_writes: Arc<AtomicBool>,
    /// Everything arrives, the confirmation does not.
    refuses_syncs: Arc<AtomicBool>,
}

impl FaultyDisk {
    fn check(flag: &AtomicBool) -> io::Result<()> {
        if flag.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn opener(&self) -> Opener {
        let disk = self.clone();
        Box::new(move || -> Result<Database, _> { Builder::new().create_with_backend(disk.clone()) })
    }

    fn start(&self) -> EmbeddedStore {
        EmbeddedStore::start(self.opener(), LIMIT, Arc::new(BootClock)).unwrap()
    }
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.lock().unwrap()[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::check(&self.refuses_writes)?;
        self.bytes.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::check(&self.refuses_syncs)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        Self::check(&self.refuses_writes)?;
        let offset = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

async fn value(store: &EmbeddedStore, name: &str) -> Option<Vec<u8>> {
    store.get(&key(name)).await.unwrap().map(|entry| entry.value)
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_reads_go_on() {
    let disk = FaultyDisk::default();
    let store = disk.start();
    let first = store.commit(Transaction::new().put(&key("a"), "1")).await.unwrap();
    disk.refuses_writes.store(true, Ordering::SeqCst);
    assert!(store.commit(Transaction::new().put(&key("a"), "2")).await.unwrap_err().is_uncertain());
    let again = store.commit(Transaction::new().put(&key("a"), "3")).await;
    assert!(matches!(again, Err(StoreError::Unavailable(_))), "{again:?}");
    assert_eq!(value(&store, "a").await.as_deref(), Some(&b"1"[..]));
    let session = store.open_session(LIMIT).await.unwrap();
    store.renew_session(session.id).await.unwrap();

    disk.refuses_writes.store(false, Ordering::SeqCst);
    let transaction = Transaction::new().when(&key("a"), Expected::Version(first)).put(&key("a"), "4");
    store.commit(transaction).await.unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some(&b"4"[..]));
    drop(store);
}

#[tokio::test]
async fn a_write_whose_confirmation_failed_is_either_there_for_everybody_or_for_nobody() {
    let disk = FaultyDisk::default();
    let store = disk.start();
    store.commit(Transaction::new().put(&key("a"), "1")).await.unwrap();
    disk.refuses_syncs.store(true, Ordering::SeqCst);
    assert!(store.commit(Transaction::new().put(&key("a"), "2")).await.unwrap_err().is_uncertain());
    assert_eq!(value(&store, "a").await.as_deref(), Some(&b"1"[..]));
    disk.refuses_syncs.store(false, Ordering::SeqCst);
    store.commit(Transaction::new().put(&key("b"), "x")).await.unwrap();
    let now = value(&store, "a").await;
    let copy = FaultyDisk {
        bytes: Arc::new(Mutex::new(disk.bytes.lock().unwrap().clone())),
        ..FaultyDisk::default()
    };
    assert_eq!(value(&copy.start(), "a").await, now, "memory and disk tell different stories");
}

#[tokio::test]
async fn the_numbers_go_on_after_a_restart_and_sessions_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coordination.redb");
    let store = EmbeddedStore::open(&file, LIMIT).unwrap();
    assert!(matches!(EmbeddedStore::open(&file, LIMIT), Err(DiskError::Open(_))), "opened twice");
    let session = store.open_session(LIMIT).await.unwrap().id;
    store.commit(Transaction::new().put(&key("stays"), "1")).await.unwrap();
    let last = store.commit(Transaction::new().put_bound(&key("goes"), "1", session)).await.unwrap();
    drop(store);

    // The writer closes the file when it notices.
    let store = loop {
        match EmbeddedStore::open(&file, LIMIT) {
            Ok(store) => break store,
            Err(DiskError::Open(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(value(&store, "stays").await.as_deref(), Some(&b"1"[..]));
    assert_eq!(value(&store, "goes").await, None);
    assert_eq!(store.renew_session(session).await, Err(StoreError::SessionEnded));
    assert!(store.commit(Transaction::new().put(&key("a"), "1")).await.unwrap() > last);
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coordination.redb");
    std::fs::write(&file, "[coordination]\nbackend = \"embedded\"\n").unwrap();
    assert!(EmbeddedStore::open(&file, LIMIT).is_err());
    assert!(EmbeddedStore::open(folder.path(), LIMIT).is_err());
}
