//! A real MySQL server in a temporary folder, stopped with the test.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use mysql_client::{Client, ConnectOptions, LoginRequest, Rows, Secret};
use tempfile::TempDir;
use topology::{Address, GtidSet};

pub(crate) const ADMIN_PASSWORD: &str = "p'w\\d";
pub(crate) const REPLICATION_PASSWORD: &str = "r'p\\l";

/// The accounts are on every server from its beginning, in no binary log. The privileges are those that README.md asks for.
const ACCOUNTS: &str = "SET sql_log_bin=0; CREATE USER root@'127.0.0.1'; \
                        GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION; \
                        CREATE USER hadal@'%' IDENTIFIED BY 'p\\'w\\\\d'; \
                        GRANT REPLICATION CLIENT, REPLICATION SLAVE, SELECT, PROCESS, RELOAD ON *.* TO hadal@'%'; \
                        GRANT CREATE, INSERT, UPDATE ON hadal.* TO hadal@'%'; \
                        GRANT SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN, CONNECTION_ADMIN, SYSTEM_USER, CLONE_ADMIN \
                        ON *.* TO hadal@'%'; \
                        CREATE USER replication@'%' IDENTIFIED BY 'r\\'p\\\\l'; \
                        GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO replication@'%'; \
                        RESET BINARY LOGS AND GTIDS";

/// Where `scripts/setup.sh` puts what it installs.
fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or(home).unwrap_or_default().join("hadal")
}

/// Whether the set-up has found that there is no MySQL to be had.
pub(crate) fn is_missing() -> bool {
    let missing = cache().join("mysql-missing").exists();
    if missing {
        eprintln!("left out: scripts/setup.sh could not get MySQL");
    }
    missing
}

/// A program that `scripts/setup.sh mysql` has installed.
fn program(name: &str) -> Command {
    let path = cache().join("mysql/bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup.sh mysql", path.display());
    Command::new(path)
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// mysqld on the data in a folder, with what makes it small.
fn mysqld(folder: &Path) -> Command {
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    let root = std::fs::metadata(folder).unwrap().uid() == 0;
    let mut command = program("mysqld");
    command.arg(format!("--datadir={}", folder.join("data").display()));
    command.args(root.then_some("--user=root")).env("TMPDIR", &temporary);
    command.args(["--innodb-buffer-pool-size=16M", "--innodb-redo-log-capacity=8M", "--mysqlx=OFF"]);
    command.args(["--innodb-buffer-pool-instances=1", "--bind-address=127.0.0.1"]);
    command
}

/// A server process.
pub(crate) struct Server {
    pub(crate) address: Address,
    number: usize,
    folder: TempDir,
    child: Option<Child>,
    /// More options, from the next start on.
    pub(crate) options: Vec<String>,
}

impl Server {
    /// A server that has only the accounts. It is not started.
    pub(crate) fn installed() -> Self {
        let folder = tempfile::Builder::new().prefix("hadal-mysql-").tempdir().unwrap();
        succeeded(&mysqld(folder.path()).arg("--initialize-insecure").output().unwrap());
        let mut server = Self::on(folder, 0);
        server.spawn();
        server.run_as("root", "", ACCOUNTS);
        server.run_as("root", "", "SHUTDOWN");
        server.child.take().unwrap().wait().unwrap();
        server
    }

    /// The same once more. Every server gives itself a UUID when it is first started.
    pub(crate) fn copied(&self, number: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("hadal-mysql-").tempdir().unwrap();
        let data = self.folder.path().join("data");
        let copied = Command::new("cp").arg("-r").arg(data).arg(folder.path()).status().unwrap();
        assert!(copied.success());
        std::fs::remove_file(folder.path().join("data/auto.cnf")).unwrap();
        Self::on(folder, number)
    }

    fn on(folder: TempDir, number: usize) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { address: Address::new("127.0.0.1", port), number, folder, child: None, options: Vec::new() }
    }

    /// Starts the process as `docs/failover.md` says and waits until it listens.
    pub(crate) fn spawn(&mut self) {
        let folder = self.folder.path();
        let child = mysqld(folder)
            .arg(format!("--socket={}", folder.join("s").display()))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            .arg(format!("--port={}", self.address.port))
            .arg(format!("--server-id={}", self.number + 1))
            .args(["--report-host=127.0.0.1", &format!("--report-port={}", self.address.port)])
            .args(["--log-bin=binlog", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"])
            .args(["--skip-replica-start=ON", "--sync-relay-log=1", "--replica-net-timeout=3"])
            .args(["--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so"])
            .args(["--plugin-load-add=mysql_clone.so", "--loose-rpl-semi-sync-replica-enabled=1"])
            .args((self.number > 0).then_some("--super-read-only=1"))
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.wait_until_up();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_up(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(self.folder.path().join("s")).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server has ended: {}", self.log());
            assert!(Instant::now() < deadline, "the server does not come up: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// hadal asks for the fast path of `caching_sha2_password` only, and a server that was started knows nobody.
    pub(crate) fn let_hadal_in(&self) {
        self.run_as("hadal", ADMIN_PASSWORD, "DO 0");
    }

    /// Runs statements with MySQL's own client over the socket, which may carry a password.
    fn run_as(&self, user: &str, password: &str, sql: &str) {
        let output = program("mysql")
            .arg(format!("--socket={}", self.folder.path().join("s").display()))
            .args(["--user", user, "--execute", sql])
            .env("MYSQL_PWD", password)
            .output();
        succeeded(&output.unwrap());
    }

    /// Kills the process, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        let ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
        if ended {
            self.child = None;
        }
        ended
    }

    /// Stops or continues the process without ending it.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// A connection as root.
    pub(crate) async fn connect(&self) -> Client {
        connect(&self.address, Duration::from_secs(20)).await
    }

    pub(crate) async fn run(&self, statements: &[&str]) {
        let mut client = self.connect().await;
        for sql in statements {
            client.exec(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        client.close().await;
    }

    pub(crate) async fn ask(&self, sql: &str) -> Rows {
        let mut client = self.connect().await;
        let rows = client.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        client.close().await;
        rows
    }

    /// The only value of an answer.
    pub(crate) async fn value(&self, sql: &str) -> String {
        self.ask(sql).await.at(0, 0).unwrap_or_default().to_owned()
    }

    pub(crate) async fn executed(&self) -> GtidSet {
        self.value("SELECT @@global.gtid_executed").await.parse().unwrap()
    }
}

/// A connection as root; `patience` is for every answer.
pub(crate) async fn connect(address: &Address, patience: Duration) -> Client {
    let login = LoginRequest {
        user: b"root".to_vec(),
        secret: Secret::None,
        database: None,
        capabilities: Default::default(),
        collation: 45,
        max_packet: 1 << 24,
        attributes: Vec::new(),
    };
    let options = ConnectOptions { address: address.clone(), login, timeout: patience };
    Client::connect(&options).await.unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
