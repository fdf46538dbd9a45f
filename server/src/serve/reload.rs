//! A changed configuration: as a whole, or not at all.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use admin::{ReloadApi, ReloadRefused, Reloaded};
use config::{Applies, Config};
use telemetry::LogFilter;

use super::gateway::Face;

pub(super) struct Reloader {
    path: PathBuf,
    current: Mutex<Arc<Config>>,
    gateway: Face,
    /// `None` where the log is not ours to change.
    log: Option<LogFilter>,
}

impl Reloader {
    pub(super) fn new(path: PathBuf, config: Arc<Config>, gateway: Face, log: Option<LogFilter>) -> Self {
        Self { path, current: Mutex::new(config), gateway, log }
    }

    fn apply(&self) -> Result<Reloaded, ReloadRefused> {
        let loaded = config::load(&self.path).map_err(|error| ReloadRefused::Invalid(error.to_string()))?;
        // Held throughout, so that two reloads at once end with what the later one has read.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = config::changes(&current, &loaded.config);
        let needs_restart: Vec<String> = changes
            .iter()
            .filter(|change| change.applies == Applies::Restart)
            .map(|change| change.key.clone())
            .collect();
        if !needs_restart.is_empty() {
            return Err(ReloadRefused::NeedsRestart(needs_restart));
        }
        if let Some(log) = &self.log {
            log.set(&loaded.config.log.level).map_err(|error| ReloadRefused::Invalid(error.to_string()))?;
        }
        *current = Arc::new(loaded.config);
        self.gateway.reload(current.clone());
        Ok(Reloaded { changes, notices: loaded.notices })
    }
}

impl ReloadApi for Reloader {
    fn reload(&self) -> Result<Reloaded, ReloadRefused> {
        let result = self.apply();
        let file = self.path.display();
        match &result {
            Ok(reloaded) => {
                let keys: Vec<&str> = reloaded.changes.iter().map(|change| change.key.as_str()).collect();
                tracing::info!(%file, changed = keys.join(", "), "configuration reloaded");
            }
            Err(error) => tracing::error!(%file, "configuration refused, the old one stays: {error}"),
        }
        result
    }
}
