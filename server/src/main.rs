//! The program `hadal`: reads the command line and runs one command.
//!
//! `cli` holds what a person types and sees, `serve` puts the services together, `playground` brings servers of its own.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod playground;
mod serve;

fn main() -> ExitCode {
    // Wrong usage ends here with exit code 2, help and version with 0.
    let command = cli::Cli::parse().command;
    match command.run() {
        Ok(code) => code,
        Err(error) => {
            // Where standard error is closed, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "hadal: {error:#}");
            ExitCode::FAILURE
        }
    }
}
