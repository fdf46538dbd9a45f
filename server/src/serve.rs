//! Putting the services together: what `hadal serve` runs, and the playground in its own process.
//!
//! ```text
//!   this thread's runtime: cluster observers, admin API, signals, reload
//!   the gateway's threads: clients, started last and stopped first
//! ```
//!
//! The control plane shares nothing with the gateway but the published views, so that neither can delay the other. This
//! is the only place that knows all services; it decides nothing that one of them could decide.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use config::Loaded;

mod agreement;
mod clusters;
mod files;
mod forwarding;
mod gateway;
mod logs;
mod process;
mod readiness;
mod reload;
mod signals;

pub(crate) use process::Process;
use signals::{Signals, Wish};

/// Serves until it is told to stop.
pub(crate) fn foreground(path: &Path) -> anyhow::Result<ExitCode> {
    let loaded = config::load(path)?;
    let log = logs::init(&loaded.config.log)?;
    for notice in &loaded.notices {
        tracing::warn!("{}", notice.at(&path.to_string_lossy()));
    }
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let result = runtime.block_on(serve(loaded, path, log));
    // After a second signal the gateway's threads may still be draining; the process must not wait for them.
    runtime.shutdown_background();
    result
}

async fn serve(loaded: Loaded, path: &Path, log: telemetry::LogFilter) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let process = tokio::select! {
        process = Process::start(loaded.config, path, Some(log)) => process?,
        () = signals.stop() => return Ok(ExitCode::SUCCESS),
    };
    loop {
        tokio::select! {
            () = process.failed() => break,
            wish = signals.next() => match wish {
                Wish::Stop => break,
                Wish::Reload => process.reload(),
            },
        }
    }
    tokio::select! {
        stopped = process.stop() => stopped?,
        () = signals.stop() => anyhow::bail!("stopped at once by a second signal"),
    }
    Ok(ExitCode::SUCCESS)
}
