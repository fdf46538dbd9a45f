//! A MariaDB server of our own in a temporary folder, stopped when the last test that uses it is over.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// A running server. It listens on a Unix socket only, so that no port can be taken.
pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    /// The server that the tests of this process share; started by the first who asks.
    pub(crate) fn shared() -> Result<Arc<Server>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Server::start()?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    fn start() -> Result<Server> {
        let folder = tempfile::Builder::new().prefix("hadal-wire-").tempdir()?;
        let data = folder.path().join("data");
        let user = user_arguments(folder.path())?;
        install(&data, user)?;
        let socket = folder.path().join("s");
        let process = program("mariadbd")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket.display()))
            // A starting server deletes the temporary tables that it finds, also those of another one in a shared folder.
            .env("TMPDIR", folder.path())
            .args(["--skip-networking", "--skip-log-bin", "--innodb-buffer-pool-size=32M"])
            .args(["--innodb-flush-log-at-trx-commit=0", "--max-allowed-packet=64M", "--local-infile=1"])
            .args(["--plugin-load-add=auth_ed25519", "--plugin-maturity=experimental", "--unix-socket=OFF"])
            .args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"])
            .args(user)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log"))?)
            .spawn()
            .context("starting mariadbd")?;
        let mut server = Server { process, folder };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Where the server listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("mariadbd ended with {status}: {}", self.log());
            }
            ensure!(Instant::now() < deadline, "mariadbd is not ready after a minute: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// A server that root starts wants to be told that it may stay root; anybody else must not say so.
fn user_arguments(own: &Path) -> Result<&'static [&'static str]> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(if own.metadata()?.uid() == 0 { &["--user=root"] } else { &[] })
}

/// Debian puts servers where the path of an ordinary user does not lead.
fn program(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
    command
}

fn install(data: &Path, user: &[&str]) -> Result<()> {
    let output = program("mariadb-install-db")
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .args(user)
        .env("TMPDIR", data.parent().unwrap_or(data))
        .output()
        .context("running mariadb-install-db")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing in its folder is worth an orderly shutdown.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
