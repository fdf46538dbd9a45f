//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// From 1; `None` where it is about something that is not in the file.
    pub line: Option<usize>,
    /// Dotted; empty where it is about the file as a whole.
    pub key: String,
    pub message: String,
}

/// Something that is allowed, but does not do what one may expect of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    pub line: Option<usize>,
    pub key: String,
    pub message: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file was read; this is everything that is wrong with it, in the order of its lines. Never empty.
    #[error("{}", Lines { name, problems })]
    Invalid { name: String, problems: Vec<Problem> },
}

/// `FILE:LINE: KEY: MESSAGE`, one line each.
struct Lines<'a> {
    name: &'a str,
    problems: &'a [Problem],
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            place(f, self.name, problem.line, &problem.key)?;
            f.write_str(&problem.message)?;
        }
        Ok(())
    }
}

impl Notice {
    /// `FILE:LINE: KEY: MESSAGE`.
    pub fn at<'a>(&'a self, name: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            place(f, name, self.line, &self.key)?;
            f.write_str(&self.message)
        })
    }
}

fn place(f: &mut fmt::Formatter<'_>, name: &str, line: Option<usize>, key: &str) -> fmt::Result {
    f.write_str(name)?;
    if let Some(line) = line {
        write!(f, ":{line}")?;
    }
    f.write_str(": ")?;
    if key.is_empty() { Ok(()) } else { write!(f, "{key}: ") }
}
