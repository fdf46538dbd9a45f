//! A real MariaDB server in a temporary folder, on a socket only.

#![allow(clippy::expect_used, reason = "a test's own server: a failure is the test's")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) struct Server {
    process: Child,
    dir: tempfile::TempDir,
}

impl Server {
    /// Starts a server and waits until it says that it is ready.
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("hsql").tempdir().expect("a temporary folder");
        let user = owner(dir.path());
        let data = dir.path().join("data");
        // A starting server deletes the temporary tables that it finds, also those of another one in a shared folder.
        let temporary = dir.path().to_owned();
        let installed = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display()))
            .env("TMPDIR", &temporary)
            .args(&user)
            .output()
            .expect("this test needs mariadb-install-db (Debian: mariadb-server)");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let mut process = Command::new("mariadbd")
            .args([
                "--no-defaults",
                "--skip-networking",
                "--innodb-buffer-pool-size=16M",
                "--lock-wait-timeout=1",
            ])
            .args([
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-lock-wait-timeout=1",
                "--event-scheduler=OFF",
            ])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", dir.path().join("s").display()))
            .env("TMPDIR", &temporary)
            .args(&user)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("this test needs mariadbd (Debian: mariadb-server)");
        let stderr = process.stderr.take().expect("its standard error is a pipe");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let seen: Vec<_> =
            lines.by_ref().take_while(|line| !line.contains("ready for connections")).collect();
        // A full pipe would stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { process, dir };
        assert!(server.socket().exists(), "mariadbd did not start:\n{}", seen.join("\n"));
        server
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server refuses to run as root unless it is told to.
fn owner(dir: &Path) -> Vec<String> {
    let is_root = dir.metadata().is_ok_and(|meta| meta.uid() == 0);
    if is_root { vec!["--user=root".to_owned()] } else { Vec::new() }
}
