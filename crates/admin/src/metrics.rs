//! The clusters on the metrics page, as they are last observed when somebody looks.

use std::fmt::{Error, Formatter};
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use telemetry::Registry;
use topology::{ClusterView, Health, ServerView};

use crate::apis::ClusterApi;

/// Puts these clusters on the page.
pub(crate) fn register(registry: &Registry, clusters: Vec<Arc<dyn ClusterApi>>) {
    registry.with(|registry| registry.register_collector(Box::new(Clusters(clusters))));
}

struct Clusters(Vec<Arc<dyn ClusterApi>>);

impl std::fmt::Debug for Clusters {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result<(), Error> {
        f.write_str("the clusters' metrics")
    }
}

/// A number of one server; `None` where it is not known.
type OfServer = fn(&ServerView) -> Option<f64>;

const SERVER_GAUGES: &[(&str, &str, Option<Unit>, OfServer)] = &[
    ("server_up", "Whether the server answers.", None, |server| {
        Some(f64::from(!matches!(server.health, Health::Down(_))))
    }),
    ("server_healthy", "Whether the server may be read from.", None, |server| {
        Some(f64::from(server.health.is_healthy()))
    }),
    ("server_lag", "How far the server is behind the primary.", Some(Unit::Seconds), |server| {
        server.lag_ms.map(|lag| lag as f64 / 1000.0)
    }),
];

impl Collector for Clusters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let views: Vec<Arc<ClusterView>> = self.0.iter().map(|cluster| cluster.view()).collect();
        for (name, help, unit, read) in SERVER_GAUGES {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (view, server) in servers(&views) {
                let Some(value) = read(server) else { continue };
                let address = server.address.to_string();
                let labels =
                    [("cluster", &*view.name), ("server", address.as_str()), ("role", server.role.as_str())];
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Grows with every new primary.";
        let mut family = encoder.encode_descriptor("cluster_epoch", help, None, MetricType::Gauge)?;
        for view in &views {
            let epoch = ConstGauge::new(i64::try_from(view.epoch).unwrap_or(i64::MAX));
            epoch.encode(family.encode_family(&[("cluster", &*view.name)])?)?;
        }
        let help = "Whether the cluster has a primary.";
        let mut family = encoder.encode_descriptor("cluster_has_primary", help, None, MetricType::Gauge)?;
        for view in &views {
            let has = ConstGauge::new(i64::from(view.primary().is_some()));
            has.encode(family.encode_family(&[("cluster", &*view.name)])?)?;
        }
        Ok(())
    }
}

fn servers(views: &[Arc<ClusterView>]) -> impl Iterator<Item = (&ClusterView, &ServerView)> {
    views.iter().flat_map(|view| view.servers.iter().map(move |server| (&**view, server)))
}
