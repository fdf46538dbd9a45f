//! Real servers in a temporary folder, stopped with the test.

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use mysql_client::{Client, ClientError, ConnectOptions, LoginRequest, Rows, Secret};
use tempfile::TempDir;
use topology::Address;

/// One cluster at a time: the machine may be small.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// An empty data folder, made once and copied for every server.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<TempDir> = OnceLock::new();
    let folder = TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", folder.path().join("data").display()))
            .args(as_this_user(folder.path()))
            .env("TMPDIR", temporary(folder.path()))
            .output()
            .expect("mariadb-install-db has to be installed (package mariadb-server)");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder
    });
    folder.path()
}

/// A folder of its own for temporary files: a server that starts removes the temporary tables that it finds in its one,
/// be they of another server that is running.
fn temporary(folder: &Path) -> PathBuf {
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    temporary
}

/// The server refuses to run as root unless told to.
fn as_this_user(folder: &Path) -> Option<&'static str> {
    (std::fs::metadata(folder).unwrap().uid() == 0).then_some("--user=root")
}

/// A server process.
pub(crate) struct Server {
    pub(crate) address: Address,
    number: usize,
    folder: TempDir,
    child: Option<Child>,
}

impl Server {
    fn start(number: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copied =
            Command::new("cp").arg("-r").arg(template().join("data")).arg(folder.path()).status().unwrap();
        assert!(copied.success());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { address: Address::new("127.0.0.1", port), number, folder, child: None };
        server.spawn();
        server
    }

    /// Starts the process; it may not listen yet when this returns.
    pub(crate) fn spawn(&mut self) {
        let folder = self.folder.path();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = Command::new("mariadbd")
            .arg("--no-defaults")
            .args(as_this_user(folder))
            .env("TMPDIR", temporary(folder))
            .arg(format!("--datadir={}", folder.join("data").display()))
            .arg(format!("--socket={}", folder.join("s").display()))
            .arg(format!("--port={}", self.address.port))
            .arg(format!("--server-id={}", self.number + 1))
            .arg(format!("--report-port={}", self.address.port))
            .args(["--report-host=127.0.0.1", "--bind-address=127.0.0.1", "--log-bin", "--log-slave-updates"])
            .args(["--gtid-strict-mode=1", "--binlog-format=ROW"])
            .args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M", "--performance-schema=0"])
            .args([
                "--innodb-flush-log-at-trx-commit=2",
                "--slave-net-timeout=4",
                "--log-bin-trust-function-creators=1",
            ])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mariadbd has to be installed (package mariadb-server)");
        self.child = Some(child);
    }

    /// Kills the process, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops or continues the process without ending it.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Runs statements, one after the other, as root on a connection of its own.
    pub(crate) async fn run(&self, statements: &[&str]) -> Rows {
        let mut client = self.connect(Duration::from_secs(10)).await.unwrap();
        let mut rows = Rows::default();
        for statement in statements {
            rows = client.query(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        client.close().await;
        rows
    }

    /// One value.
    pub(crate) async fn value(&self, query: &str) -> String {
        self.run(&[query]).await.at(0, 0).unwrap_or_default().to_owned()
    }

    pub(crate) async fn connect(&self, timeout: Duration) -> Result<Client, ClientError> {
        Client::connect(&options(&self.address, "root", Secret::None, timeout)).await
    }

    async fn wait_until_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = self.connect(Duration::from_secs(1)).await {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server does not come up: {error}\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Options to connect to a server of the test.
pub(crate) fn options(address: &Address, user: &str, secret: Secret, timeout: Duration) -> ConnectOptions {
    ConnectOptions {
        address: address.clone(),
        login: LoginRequest {
            user: user.as_bytes().to_vec(),
            secret,
            database: None,
            capabilities: Default::default(),
            collation: 45,
            max_packet: 1 << 24,
            attributes: Vec::new(),
        },
        timeout,
    }
}

/// A primary (0) and its replicas, with an administrative account of the privileges that README.md asks for.
pub(crate) struct Servers {
    pub(crate) list: Vec<Server>,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) const ADMIN_PASSWORD: &str = "p'w\\d";

/// As in README.md.
const ADMIN: [&str; 4] = [
    "CREATE USER hadal@'%' IDENTIFIED BY 'p\\'w\\\\d'",
    "GRANT BINLOG MONITOR, REPLICA MONITOR, REPLICATION MASTER ADMIN, SELECT, SHOW VIEW, TRIGGER ON *.* TO hadal@'%'",
    "CREATE DATABASE hadal",
    "GRANT CREATE, INSERT, UPDATE ON hadal.* TO hadal@'%'",
];

impl Servers {
    pub(crate) async fn start(count: usize) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = Self { list: (0..count).map(Server::start).collect(), _turn: turn };
        for server in &servers.list {
            server.wait_until_up().await;
        }
        let primary = &servers.list[0];
        // Installing left no GTID, so replicas can begin at the beginning.
        primary.run(&ADMIN).await;
        primary.run(&["CREATE DATABASE shop", "CREATE TABLE shop.items (id INT PRIMARY KEY)"]).await;
        for replica in &servers.list[1..] {
            replica.run(&["SET GLOBAL read_only=1"]).await;
            servers.replicate(replica, primary, "").await;
        }
        servers
    }

    /// Makes one server replicate from another.
    pub(crate) async fn replicate(&self, replica: &Server, source: &Server, extra: &str) {
        let change = format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={}, MASTER_USER='root', \
             MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1{extra}",
            source.address.port
        );
        replica.run(&["STOP SLAVE", &change, "START SLAVE"]).await;
    }

    /// A port that nobody listens on.
    pub(crate) fn unused_address() -> io::Result<Address> {
        Ok(Address::new("127.0.0.1", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()))
    }
}
