//! `hadal playground`: a real primary and its replicas on this machine, with hadal in front of them.
//!
//! The playground owns what it starts and nothing else: one folder (kept with `--dir`, temporary otherwise), one
//! `mariadbd` per server, and the gateway and admin API inside its own process. Whatever ends the playground, a signal, an
//! error while starting, or `kill -9`, ends the servers too.
//!
//! ```text
//!   mysql client ──▶ hadal (this process) ──▶ server 1  primary, semi-synchronous
//!                    6033, admin 6080     ├─▶ server 2  replica, read_only
//!                                         └─▶ server 3  replica, read_only
//! ```
//!
//! It does not know how the gateway works: it writes a `hadal.toml` and runs what `hadal serve` runs.

use std::process::ExitCode;

mod accounts;
mod args;
mod background;
mod binaries;
mod child_setup;
mod database;
mod fleet;
mod home;
mod options;
mod ports;
mod progress;
mod record;
mod report;
mod run;
mod serving;
mod settings;
mod state;
mod template;

pub(crate) use args::PlaygroundArgs;

/// Runs the playground until it is told to stop; with `--detach` or `--stop`, does that and returns.
pub(crate) fn run(args: PlaygroundArgs) -> anyhow::Result<ExitCode> {
    if args.stop {
        return background::stop(&args);
    }
    if args.detach {
        return background::start(&args);
    }
    run::foreground(args)
}
