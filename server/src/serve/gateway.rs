//! The gateway, as the other services see it. It is started after them, so there is a time without it.

use std::sync::{Arc, OnceLock};

use ::gateway::GatewayHandle;
use admin::{ExplainRequest, GatewayApi};
use config::Config;
use serde_json::{Value, json};

/// The gateway once it runs. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Face(Arc<OnceLock<GatewayHandle>>);

impl Face {
    /// Shows a gateway that has started. There is one per process.
    pub(super) fn set(&self, handle: GatewayHandle) {
        let _ = self.0.set(handle);
    }

    pub(super) fn listens(&self) -> bool {
        self.0.get().is_some()
    }

    pub(super) fn reload(&self, config: Arc<Config>) {
        if let Some(gateway) = self.0.get() {
            gateway.reload(config);
        }
    }
}

impl GatewayApi for Face {
    fn sessions(&self) -> Value {
        self.0.get().map_or_else(|| json!([]), |gateway| json!(gateway.sessions()))
    }

    fn pools(&self) -> Value {
        self.0.get().map_or_else(|| json!([]), |gateway| json!(gateway.pools()))
    }

    fn explain(&self, request: &ExplainRequest) -> Result<Value, String> {
        let gateway = self.0.get().ok_or("the gateway has not started yet")?;
        let user = request.user.as_deref().unwrap_or_default();
        gateway.explain(&request.sql, user, request.database.as_deref()).map(|explained| json!(explained))
    }
}
