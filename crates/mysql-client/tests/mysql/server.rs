//! A real MySQL server in a temporary folder, stopped with the test.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use mysql_client::{ConnectOptions, LoginRequest, Secret};
use tempfile::TempDir;
use topology::Address;

pub(crate) struct Server {
    address: Address,
    child: Child,
    folder: TempDir,
}

/// Where `scripts/setup.sh` puts what it installs.
fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or(home).unwrap_or_default().join("hadal")
}

/// A program that `scripts/setup.sh mysql` has installed.
fn program(name: &str) -> Command {
    let path = cache().join("mysql/bin").join(name);
    assert!(path.exists(), "{} is missing: run scripts/setup.sh mysql", path.display());
    Command::new(path)
}

impl Server {
    /// `None` where the set-up has found that there is no MySQL to be had.
    pub(crate) fn start() -> Option<Self> {
        if cache().join("mysql-missing").exists() {
            eprintln!("left out: scripts/setup.sh could not get MySQL");
            return None;
        }
        Some(Self::started())
    }

    fn started() -> Self {
        let folder = tempfile::Builder::new().prefix("hadal-mysql-").tempdir().unwrap();
        let temporary = folder.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let root = std::fs::metadata(folder.path()).unwrap().uid() == 0;
        let data = format!("--datadir={}", folder.path().join("data").display());
        let mysqld = || {
            let mut command = program("mysqld");
            command.arg(&data).args(root.then_some("--user=root")).env("TMPDIR", &temporary);
            command.args(["--innodb-buffer-pool-size=16M", "--innodb-redo-log-capacity=8M"]);
            command
        };
        // Without a password for root: this server is reached by nobody else.
        succeeded(&mysqld().arg("--initialize-insecure").output().unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = mysqld()
            .args(["--bind-address=127.0.0.1", "--mysqlx=OFF", "--skip-log-bin", "--performance-schema=OFF"])
            .arg(format!("--socket={}", folder.path().join("s").display()))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut server = Self { address: Address::new("127.0.0.1", port), child, folder };
        server.wait_until_up();
        server
    }

    fn wait_until_up(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(self.child.try_wait().unwrap().is_none(), "the server has ended: {}", log());
            assert!(Instant::now() < deadline, "the server does not come up: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Runs statements as root with MySQL's own client, over the socket.
    pub(crate) fn root(&self, sql: &str) {
        self.log_in_on_the_socket("root", "", sql);
    }

    /// Logs in with MySQL's own client over the socket, which may carry a password.
    pub(crate) fn log_in_on_the_socket(&self, user: &str, password: &str, sql: &str) {
        let output = program("mysql")
            .arg(format!("--socket={}", self.socket().display()))
            .args(["--user", user, "--execute", sql])
            .env("MYSQL_PWD", password)
            .output();
        succeeded(&output.unwrap());
    }

    /// A login over TCP, without TLS.
    pub(crate) fn options(&self, user: &str, secret: Secret) -> ConnectOptions {
        let login = LoginRequest {
            user: user.as_bytes().to_vec(),
            secret,
            database: None,
            capabilities: Default::default(),
            collation: 45,
            max_packet: 1 << 24,
            attributes: Vec::new(),
        };
        ConnectOptions { address: self.address.clone(), login, timeout: Duration::from_secs(20) }
    }
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
