//! The three kinds of store, as the tests need them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use coordination::{EmbeddedStore, EtcdStore, Key, Keyspace, Store, ZooKeeperStore};
use tempfile::TempDir;

use crate::process::{Process, free_ports};

/// Of every call. Generous, because tests share their machine.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The shortest session that all three grant.
pub(crate) const TTL: Duration = Duration::from_secs(1);

/// How long a test waits for what must come sooner or later.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that etcd may keep. Little enough to be filled by a test.
pub(crate) const ETCD_QUOTA: usize = 12 * 1024 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Embedded,
    Etcd,
    ZooKeeper,
}

/// A running store, and its folder.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) backend: Backend,
    pub(crate) port: u16,
    pub(crate) process: Option<Arc<Process>>,
    embedded: Option<Arc<EmbeddedStore>>,
    pub(crate) folder: Arc<TempDir>,
}

/// One case's own part of a server.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyspace: Keyspace,
    pub(crate) root: Key,
}

impl Server {
    pub(crate) async fn start(backend: Backend) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let [port, other] = free_ports();
        let (mut process, mut embedded) = (None, None);
        match backend {
            Backend::Embedded => {
                let file = folder.path().join("coordination.redb");
                embedded = Some(Arc::new(EmbeddedStore::open(&file, TIME_LIMIT).unwrap()));
            }
            Backend::Etcd => process = Some(Arc::new(etcd(&folder, port, other))),
            Backend::ZooKeeper => process = Some(Arc::new(zookeeper(&folder, port))),
        }
        let server = Self { backend, port, process, embedded, folder };
        server.wait_until_it_answers().await;
        server
    }

    /// A client of its own, but for the embedded store, which has only one.
    pub(crate) fn client(&self, root: &str, time_limit: Duration) -> Arc<dyn Store> {
        self.client_of(&[self.port], root, time_limit)
    }

    /// A client that knows several servers.
    pub(crate) fn client_of(&self, ports: &[u16], root: &str, time_limit: Duration) -> Arc<dyn Store> {
        let addresses =
            |scheme: &str| ports.iter().map(|port| format!("{scheme}127.0.0.1:{port}")).collect::<Vec<_>>();
        match self.backend {
            Backend::Embedded => self.embedded.clone().unwrap(),
            Backend::Etcd => Arc::new(EtcdStore::new(&addresses("http://"), time_limit).unwrap()),
            Backend::ZooKeeper => {
                Arc::new(ZooKeeperStore::new(&addresses(""), &format!("/hadal/{root}"), time_limit).unwrap())
            }
        }
    }

    pub(crate) fn bench(&self, name: &str) -> Bench {
        let store = self.client(name, TIME_LIMIT);
        let keyspace = Keyspace::new(name).unwrap();
        Bench { server: self.clone(), store, keyspace, root: Key::new(name).unwrap() }
    }

    pub(crate) async fn wait_until_it_answers(&self) {
        let store = self.client("start", TIME_LIMIT);
        let key = Key::new("start").unwrap();
        let answers = async {
            while store.get(&key).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let answers = tokio::time::timeout(PATIENCE, answers).await;
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        answers.unwrap_or_else(|_| panic!("the server does not answer: {log}"));
    }

    /// Closes the embedded store and opens its file again.
    pub(crate) async fn reopen(self) -> Self {
        let file = self.folder.path().join("coordination.redb");
        drop(self.embedded);
        let opened = tokio::time::timeout(PATIENCE, async {
            loop {
                match EmbeddedStore::open(&file, TIME_LIMIT) {
                    Ok(store) => return store,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Self { embedded: Some(Arc::new(opened.await.unwrap())), ..self }
    }
}

/// Debian's, out of its package by `scripts/setup.sh coordination`, or one that is installed.
fn etcd_program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let path = cache.or(home).unwrap_or_default().join("hadal/etcd/etcd");
    if path.exists() { path } else { PathBuf::from("etcd") }
}

fn etcd(folder: &TempDir, client_port: u16, peer_port: u16) -> Process {
    let data = folder.path().join("data");
    Process::start(folder.path(), move || {
        let (client, peer) =
            (format!("http://127.0.0.1:{client_port}"), format!("http://127.0.0.1:{peer_port}"));
        let mut command = Command::new(etcd_program());
        command
            .arg("--data-dir")
            .arg(&data)
            .args(["--name", "one", "--initial-cluster"])
            .arg(format!("one={peer}"));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        // Small, because the shortest lease follows from them.
        command.args(["--heartbeat-interval", "50", "--election-timeout", "500"]);
        command.args(["--quota-backend-bytes", &ETCD_QUOTA.to_string(), "--logger", "zap"]);
        command
    })
}

fn zookeeper(folder: &TempDir, port: u16) -> Process {
    let data = folder.path().join("data");
    let config = folder.path().join("zoo.cfg");
    std::fs::create_dir(&data).unwrap();
    let text = format!(
        "tickTime=100\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
         minSessionTimeout=200\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n",
        data.display()
    );
    std::fs::write(&config, text).unwrap();
    Process::start(folder.path(), move || {
        let mut command = Command::new("java");
        command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
        command.args(["-cp", "/usr/share/java/zookeeper.jar:/usr/share/java/*"]);
        command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain").arg(&config);
        command
    })
}
