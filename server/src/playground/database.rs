//! One `mariadbd`: started, waited for, stopped.

use std::net::Ipv4Addr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::binaries::Binaries;
use super::child_setup::{die_with_parent, terminate};
use super::home::Home;
use super::template::{last_lines, run_as_this_user};

const POLL: Duration = Duration::from_millis(20);
/// The first packet of a server that serves: four bytes of header, then the version of the protocol.
const GREETING_VERSION: u8 = 10;

/// A child process that is killed when nobody holds it any more.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    pub(super) fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.spawn().map(Self).with_context(|| format!("cannot run {name}"))
    }

    /// Waits for the process to end by itself. Cancel-safe: dropped, it kills the process.
    pub(super) async fn ended(mut self) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait().context("cannot wait for a child process")? {
                return Ok(status);
            }
            sleep(POLL).await;
        }
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Either call fails only when the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A database server of the playground. Dropped, it is killed: its settings make that safe for the data.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) number: u16,
    pub(super) port: u16,
    error_log: std::path::PathBuf,
    process: Running,
}

impl Database {
    /// Starts the server; its start file decides what it is before it lets anybody in.
    pub(super) fn start(home: &Home, binaries: &Binaries, number: u16, port: u16) -> anyhow::Result<Self> {
        let start_file = format!("--init-file={}", home.start_file(number).display());
        let process = Self::spawn(home, binaries, number, &start_file)?;
        Ok(Self { number, port, error_log: home.error_log(number), process })
    }

    /// Starts the server again if it has ended: as somebody who may have been the primary, and is none now. What its binary
    /// log has more than any replica was never acknowledged.
    pub(super) fn restart_if(
        &mut self,
        wanted: bool,
        home: &Home,
        binaries: &Binaries,
    ) -> anyhow::Result<()> {
        // Also where nobody wants it again: a child that has ended stays about until it was waited for.
        if self.process.has_ended() && wanted {
            self.process = Self::spawn(home, binaries, self.number, "--init-rpl-role=SLAVE")?;
        }
        Ok(())
    }

    fn spawn(home: &Home, binaries: &Binaries, number: u16, role: &str) -> anyhow::Result<Running> {
        let mut command = Command::new(&binaries.server);
        command
            .arg(format!("--defaults-file={}", home.options_file(number).display()))
            .arg(role)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(home.path());
        run_as_this_user(&mut command);
        own_process_group(&mut command);
        die_with_parent(&mut command);
        Running::spawn(&mut command)
    }

    pub(super) fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    /// Waits until the server greets clients, or says why it will not.
    pub(super) async fn ready(&mut self, deadline: Instant) -> anyhow::Result<()> {
        while !greets(self.port).await {
            if self.process.has_ended() {
                bail!("server {} did not start; {}", self.number, last_lines(&self.error_log));
            }
            if Instant::now() > deadline {
                bail!("server {} is not ready in time; {}", self.number, last_lines(&self.error_log));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Asks the server to shut down and waits for it; one that does not come to an end is killed.
    pub(super) async fn shut_down(mut self, patience: Duration) {
        if terminate(self.process_id()).is_err() {
            return;
        }
        let deadline = Instant::now() + patience;
        while !self.process.has_ended() && Instant::now() < deadline {
            sleep(POLL).await;
        }
    }
}

/// Ctrl-C goes to the whole group of the terminal; the servers are stopped by us, in order.
fn own_process_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

async fn greets(port: u16) -> bool {
    let attempt = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let mut start = [0u8; 5];
        stream.read_exact(&mut start).await?;
        Ok::<u8, std::io::Error>(start[4])
    };
    matches!(timeout(Duration::from_secs(1), attempt).await, Ok(Ok(GREETING_VERSION)))
}
