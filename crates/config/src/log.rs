//! `[log]`

section! {
    /// The log, on standard error.
    pub struct LogConfig {
        /// How a line looks.
        [restart] format: LogFormat = LogFormat::default();
        /// What is logged: `error`, `warn`, `info`, `debug`, `trace` or `off`, and more of single parts, as in
        /// `"info,cluster=debug"`.
        [] level: String = "info".to_owned();
    }
}

choice! {
    /// How a line of the log looks.
    pub enum LogFormat {
        /// For people; in colour on a terminal.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }
}
