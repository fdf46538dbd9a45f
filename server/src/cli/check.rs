//! `hadal check`

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::{complain, print};

/// Says whether a configuration is right, without running anything.
///
/// Every problem is one line with file, line and key; secrets are read as `serve` would. What is right but has no effect
/// in this version is named too. Exit code 0: it can be served; 1: it cannot.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The configuration, see docs/configuration.md
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let name = args.config.display().to_string();
    match config::load(&args.config) {
        Ok(loaded) => {
            for notice in &loaded.notices {
                print(&format!("note: {}", notice.at(&name)))?;
            }
            print(&format!("{name}: right"))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            complain(&error);
            Ok(ExitCode::FAILURE)
        }
    }
}
