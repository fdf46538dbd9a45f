//! Where the words of a command go.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;

/// A line on standard output. Whoever closed it has read enough.
pub(crate) fn print(text: &impl Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// A line on standard error; where that is closed, the exit code still tells.
pub(crate) fn complain(text: &impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
