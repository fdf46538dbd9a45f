//! What the playground says while it starts and stops: plain lines, with colour only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

/// Writes progress to standard error, so that standard output holds only the result.
#[derive(Debug)]
pub(super) struct Progress {
    started: Instant,
    colour: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { started: Instant::now(), colour }
    }

    /// A step that is done.
    pub(super) fn done(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs_f32();
        let (on, off) = if self.colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        line(&format!("{on}[{seconds:4.1} s]{off} {what}"));
    }
}

/// A closed standard error must not stop the playground, so a failure to write is of no interest.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
