//! The log as the configuration wants it.

use config::LogConfig;
use telemetry::{LogFilter, LogFormat, init_logs};

pub(super) fn init(settings: &LogConfig) -> anyhow::Result<LogFilter> {
    let format = match settings.format {
        config::LogFormat::Text => LogFormat::Text,
        config::LogFormat::Json => LogFormat::Json,
    };
    Ok(init_logs(format, &settings.level)?)
}
