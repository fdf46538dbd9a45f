//! hadal itself, in the playground's own process: what `hadal serve` runs, with the playground's configuration.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use telemetry::{LogFormat, init_logs};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::serve::Process;

const READY_PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

/// Starts all services and waits until clients can be served.
pub(super) async fn start(settings: &Path, admin_port: u16) -> anyhow::Result<Process> {
    let loaded = config::load(settings)?;
    let log = init_logs(LogFormat::Text, &loaded.config.log.level)?;
    let process = Process::start(loaded.config, settings, Some(log)).await?;
    let deadline = Instant::now() + READY_PATIENCE;
    loop {
        let answer = readiness(admin_port).await;
        if answer.as_ref().is_ok_and(|text| text.starts_with("HTTP/1.1 200")) {
            return Ok(process);
        }
        if Instant::now() > deadline {
            bail!("hadal is not ready in {} s: {answer:?}", READY_PATIENCE.as_secs());
        }
        sleep(POLL).await;
    }
}

/// What `/readyz` answers, head and body: the same question that a load balancer asks.
async fn readiness(port: u16) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answered = timeout(Duration::from_secs(2), exchange).await.context("no answer from the admin API")?;
    answered.context("cannot ask the admin API")
}
