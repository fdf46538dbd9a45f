//! The log of the process, on standard error: text for people, JSON for collectors.

use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; coloured where standard error is a terminal and `NO_COLOR` is not set.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why the log could not be set up or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("{text:?} is not a log filter such as \"info\" or \"warn,cluster=debug\": {why}")]
    Filter { text: String, why: String },
    /// The process has a log already.
    #[error("logging is set up already")]
    Twice,
}

/// Changes what is logged while the process runs.
#[derive(Clone)]
pub struct LogFilter(Arc<dyn Fn(EnvFilter) + Send + Sync>);

impl std::fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogFilter")
    }
}

impl LogFilter {
    /// Replaces the filter: a level, or directives such as `warn,cluster=debug`.
    ///
    /// # Errors
    /// The text is not a filter; the old one stays.
    pub fn set(&self, text: &str) -> Result<(), LogError> {
        (self.0)(parse(text)?);
        Ok(())
    }

    /// Whether the text is a filter that [`LogFilter::set`] takes.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(text: &str) -> Result<(), LogError> {
        parse(text).map(drop)
    }
}

/// Sets the process's log up. Once per process.
///
/// # Errors
/// The filter is not one, or there is a log already.
pub fn init_logs(format: LogFormat, filter: &str) -> Result<LogFilter, LogError> {
    let (filter, handle) = reload::Layer::<EnvFilter, Registry>::new(parse(filter)?);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Json => {
            Box::new(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).with_ansi(false))
        }
        LogFormat::Text => {
            let colour =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            Box::new(fmt::layer().with_writer(std::io::stderr).with_ansi(colour))
        }
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init().map_err(|_| LogError::Twice)?;
    Ok(LogFilter(Arc::new(move |new| {
        // Fails only where the subscriber is gone, and then there is nothing left to filter.
        let _ = handle.reload(new);
    })))
}

fn parse(text: &str) -> Result<EnvFilter, LogError> {
    let refused = |why: String| LogError::Filter { text: text.to_owned(), why };
    if text.trim().is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    // A lone word that is no level would be taken for the name of a crate, and silence everything else.
    let lone_word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if lone_word && text.parse::<tracing_subscriber::filter::LevelFilter>().is_err() {
        return Err(refused("the levels are error, warn, info, debug, trace and off".to_owned()));
    }
    EnvFilter::builder().parse(text).map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_levels_or_directives_and_a_misspelt_level_is_neither() {
        for good in ["info", "WARN", "off", "warn,cluster=debug", "gateway::pool=trace"] {
            assert_eq!(LogFilter::check(good), Ok(()), "{good}");
        }
        for bad in ["", "verbose", "cluster=loud", "a=b=c"] {
            assert!(LogFilter::check(bad).is_err(), "{bad}");
        }
    }
}
