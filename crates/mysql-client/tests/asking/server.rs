//! A real server in a temporary folder, stopped with the test.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mysql_client::{Client, ConnectOptions, LoginRequest, Secret};
use tempfile::TempDir;
use topology::Address;

pub(crate) struct Server {
    pub(crate) address: Address,
    child: Child,
    _folder: TempDir,
}

/// The server refuses to run as root unless told to.
fn as_this_user(folder: &Path) -> Option<&'static str> {
    (std::fs::metadata(folder).unwrap().uid() == 0).then_some("--user=root")
}

impl Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its own: a server that starts removes the temporary tables that it finds there.
        let temporary = folder.path().join("tmp");
        std::fs::create_dir(&temporary).unwrap();
        let data = format!("--datadir={}", folder.path().join("data").display());
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", &data])
            .args(as_this_user(folder.path()))
            .env("TMPDIR", &temporary)
            .output()
            .expect("mariadb-install-db has to be installed (package mariadb-server)");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("mariadbd")
            .args(["--no-defaults", "--bind-address=127.0.0.1", &data])
            .args(as_this_user(folder.path()))
            .arg(format!("--socket={}", folder.path().join("s").display()))
            .arg(format!("--port={port}"))
            .args(["--innodb-buffer-pool-size=16M", "--performance-schema=0", "--max-allowed-packet=1G"])
            .env("TMPDIR", &temporary)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mariadbd has to be installed (package mariadb-server)");
        let server = Self { address: Address::new("127.0.0.1", port), child, _folder: folder };
        server.wait_until_up().await;
        server
    }

    async fn wait_until_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = Client::connect(&self.options("root", Secret::None)).await {
            assert!(Instant::now() < deadline, "the server does not come up: {error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn options(&self, user: &str, secret: Secret) -> ConnectOptions {
        options(self.address.clone(), user, secret)
    }

    pub(crate) async fn root(&self) -> Client {
        Client::connect(&self.options("root", Secret::None)).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn options(address: Address, user: &str, secret: Secret) -> ConnectOptions {
    let login = LoginRequest {
        user: user.as_bytes().to_vec(),
        secret,
        database: None,
        capabilities: Default::default(),
        collation: 45,
        max_packet: 1 << 24,
        attributes: Vec::new(),
    };
    ConnectOptions { address, login, timeout: Duration::from_secs(20) }
}
