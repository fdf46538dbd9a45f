//! The metrics of the process, as Prometheus reads them.

use std::sync::{Arc, Mutex, PoisonError};

/// Where services register what they count. Clones share the metrics; every name begins with `hadal_`.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Mutex<prometheus_client::registry::Registry>>);

impl Default for Registry {
    fn default() -> Self {
        let registry = prometheus_client::registry::Registry::with_prefix("hadal");
        Self(Arc::new(Mutex::new(registry)))
    }
}

impl Registry {
    /// Gives access to the registry, to register metrics or collectors. Names are given without `hadal_`, counters
    /// without `_total`: both are added.
    pub fn with<R>(&self, register: impl FnOnce(&mut prometheus_client::registry::Registry) -> R) -> R {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All metrics in the OpenMetrics text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string fails only where a metric's own encoder does; what came before it is still worth having.
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            tracing::error!(%error, "failed to encode the metrics");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn what_a_service_registers_is_shown_with_prefix_unit_and_help() {
        let registry = Registry::default();
        let service = registry.clone();
        let queries: Counter = Counter::default();
        service.with(|r| r.register("queries", "Statements of clients", queries.clone()));
        queries.inc_by(3);
        let text = registry.encode();
        assert!(text.contains("# HELP hadal_queries Statements of clients.\n"), "{text}");
        assert!(text.contains("hadal_queries_total 3\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
