//! `hadal serve`

use std::path::PathBuf;
use std::process::ExitCode;

/// Runs hadal in the foreground.
///
/// Logs go to standard error. SIGTERM and SIGINT stop it: no new clients, running statements and transactions end
/// (`gateway.drain_timeout_ms`), then the process; a second signal ends it at once. SIGHUP reads the configuration again
/// and applies it without dropping a connection, or refuses it as a whole and says why in the log.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The configuration, see docs/configuration.md
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    crate::serve::foreground(&args.config)
}
