//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::playground::{self, PlaygroundArgs};

mod admin_url;
mod check;
mod explain;
pub(crate) mod http;
mod orders;
mod output;
mod serve;
mod status;
mod table;

/// hadal, the high-availability data layer: one address for an application's primary and replicas.
///
/// Applications connect to hadal as to one MySQL or MariaDB server. It pools connections, sends reads to replicas and
/// writes to the primary, and follows the servers as their roles change.
#[derive(Debug, Parser)]
#[command(name = "hadal", version, arg_required_else_help = true, propagate_version = true, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
First steps:
  hadal playground                          a primary, two replicas and hadal in front of them, to try things out
  hadal check --config hadal.toml           is my configuration right?
  hadal serve --config hadal.toml           run
  hadal explain 'SELECT * FROM orders'      where would this statement go, and why?

Exit codes: 0 success, 1 refused or failed, 2 wrong usage.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::ServeArgs),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Status(status::StatusArgs),
    Switchover(orders::SwitchoverArgs),
    Failover(orders::FailoverArgs),
    Rejoin(orders::RejoinArgs),
    Maintenance(orders::MaintenanceArgs),
    ReadOnly(orders::ReadOnlyArgs),
    Playground(PlaygroundArgs),
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(args) => serve::run(&args),
            Self::Check(args) => check::run(&args),
            Self::Explain(args) => explain::run(&args),
            Self::Status(args) => status::run(&args),
            Self::Switchover(args) => orders::switchover(&args),
            Self::Failover(args) => orders::failover(&args),
            Self::Rejoin(args) => orders::rejoin(&args),
            Self::Maintenance(args) => orders::maintenance(&args),
            Self::ReadOnly(args) => orders::read_only(&args),
            Self::Playground(args) => playground::run(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
