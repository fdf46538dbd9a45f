//! The gateway's part of `/metrics`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use telemetry::Registry;

use crate::core::Core;
use crate::hold::Held;
use crate::metrics::{BOUNDS_US, KIND_NAMES};
use crate::place::{ClusterIndex, Place};

/// Puts the gateway's numbers on the page.
pub(crate) fn register(core: &Arc<Core>, registry: &Registry) {
    let page = Page { core: core.clone() };
    registry.with(|r| r.register_collector(Box::new(page)));
}

struct Page {
    core: Arc<Core>,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the gateway's metrics")
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.statements(&mut encoder)?;
        self.durations(&mut encoder)?;
        self.routes(&mut encoder)?;
        self.connections(&mut encoder)?;
        self.held(&mut encoder)?;
        self.replays(&mut encoder)?;
        self.outcomes(&mut encoder)?;
        self.pools(&mut encoder)
    }
}

impl Page {
    fn places(&self) -> Vec<Place> {
        let clusters = self.core.clusters.iter().enumerate();
        clusters
            .flat_map(|(index, entry)| {
                let cluster = ClusterIndex(index as u16);
                entry.view().servers.iter().map(|s| Place { cluster, server: s.id }).collect::<Vec<_>>()
            })
            .collect()
    }

    fn statements(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut family =
            encoder.encode_descriptor("queries", "Commands of clients", None, MetricType::Counter)?;
        for count in self.core.metrics.statements(&self.places()) {
            let entry = self.core.cluster(count.place.cluster);
            let view = entry.view();
            let role = if view.primary == Some(count.place.server) { "primary" } else { "replica" };
            let server = self.core.address_of(count.place);
            let labels = [
                ("cluster", &*entry.name),
                ("server", server.as_str()),
                ("role", role),
                ("kind", count.kind),
                ("outcome", count.outcome.label()),
            ];
            ConstCounter::new(count.count).encode(family.encode_family(&labels)?)?;
        }
        for (kind, name) in KIND_NAMES.iter().enumerate() {
            let refused = self.core.metrics.refused(kind);
            let labels =
                [("cluster", ""), ("server", ""), ("role", "none"), ("kind", *name), ("outcome", "refused")];
            ConstCounter::new(refused).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn durations(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Time from a command's arrival to the end of its response";
        let unit = prometheus_client::registry::Unit::Seconds;
        let mut family =
            encoder.encode_descriptor("query_duration", help, Some(&unit), MetricType::Histogram)?;
        let cluster = self.core.clusters.first().map(|c| c.name.to_string()).unwrap_or_default();
        for (on_replica, role) in ["primary", "replica"].iter().enumerate() {
            for (kind, name) in KIND_NAMES.iter().enumerate() {
                let mut buckets = Vec::with_capacity(BOUNDS_US.len() + 1);
                let mut sum_us = 0;
                for index in 0..=BOUNDS_US.len() {
                    let count: u64 = self
                        .core
                        .metrics
                        .workers
                        .iter()
                        .map(|w| w.durations[on_replica][kind].buckets[index].load(Ordering::Relaxed))
                        .sum();
                    buckets.push((BOUNDS_US.get(index).map_or(f64::INFINITY, |us| *us as f64 / 1e6), count));
                }
                for worker in &self.core.metrics.workers {
                    sum_us += worker.durations[on_replica][kind].sum_us.load(Ordering::Relaxed);
                }
                let total: u64 = buckets.iter().map(|(_, count)| count).sum();
                let labels = [("cluster", cluster.as_str()), ("role", *role), ("kind", *name)];
                let mut metric = family.encode_family(&labels)?;
                metric.encode_histogram::<prometheus_client::encoding::NoLabelSet>(
                    sum_us as f64 / 1e6,
                    total,
                    &buckets,
                    None,
                )?;
            }
        }
        Ok(())
    }

    fn routes(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Routing decisions by their reason";
        let mut family = encoder.encode_descriptor("routes", help, None, MetricType::Counter)?;
        for ((why, on_replica), count) in self.core.metrics.routes() {
            let role = if on_replica { "replica" } else { "primary" };
            ConstCounter::new(count).encode(family.encode_family(&[("why", why), ("role", role)])?)?;
        }
        Ok(())
    }

    fn held(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Statements that wait for a primary";
        let mut family = encoder.encode_descriptor("held_statements", help, None, MetricType::Gauge)?;
        for entry in &self.core.clusters {
            let now = i64::try_from(entry.held.now()).unwrap_or(i64::MAX);
            ConstGauge::new(now).encode(family.encode_family(&[("cluster", &*entry.name)])?)?;
        }
        type Count = fn(&Held) -> u64;
        let counts: [(&str, &str, Count); 2] = [
            ("holds", "Statements that waited for a primary", |held| held.total.load(Ordering::Relaxed)),
            ("holds_in_vain", "Statements for which no primary came", |held| {
                held.expired.load(Ordering::Relaxed)
            }),
        ];
        for (name, help, read) in counts {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for entry in &self.core.clusters {
                let count = ConstCounter::new(read(&entry.held));
                count.encode(family.encode_family(&[("cluster", &*entry.name)])?)?;
            }
        }
        Ok(())
    }

    fn replays(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let replays = &self.core.metrics.replays;
        for (name, help, count) in [
            ("replays", "Transactions that were replayed on another primary", &replays.succeeded),
            ("replayed_statements", "Statements of these transactions", &replays.statements),
        ] {
            let counter = ConstCounter::new(count.load(Ordering::Relaxed));
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let help = "Transactions that lost their primary and were not replayed, by reason";
        let mut family = encoder.encode_descriptor("replays_failed", help, None, MetricType::Counter)?;
        for (reason, count) in replays.failed() {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
        }
        Ok(())
    }

    fn outcomes(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let outcomes = &self.core.metrics.outcomes;
        let help = "COMMITs whose answer was lost, by what the commit journal told of them";
        let mut family = encoder.encode_descriptor("commits_resolved", help, None, MetricType::Counter)?;
        for (outcome, count) in outcomes.told() {
            ConstCounter::new(count).encode(family.encode_family(&[("outcome", outcome)])?)?;
        }
        let help = "COMMITs that went without a row in the commit journal: no table, or no right to it";
        let without = ConstCounter::new(outcomes.without());
        without.encode(encoder.encode_descriptor("commits_unjournalled", help, None, MetricType::Counter)?)
    }

    fn connections(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let metrics = &self.core.metrics;
        for (name, help, value) in [
            ("clients_accepted", "Clients accepted", &metrics.accepted_clients),
            ("clients_refused", "Clients refused over gateway.max_connections", &metrics.refused_clients),
            ("logins_refused", "Logins refused", &metrics.refused_logins),
        ] {
            let counter = ConstCounter::new(value.load(Ordering::Relaxed));
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let sessions = ConstGauge::new(self.core.sessions.len() as i64);
        sessions.encode(encoder.encode_descriptor(
            "sessions",
            "Client sessions",
            None,
            MetricType::Gauge,
        )?)?;
        let mut pins = std::collections::BTreeMap::<&'static str, i64>::new();
        for session in self.core.sessions.all() {
            for name in session.pins().names() {
                *pins.entry(name).or_default() += 1;
            }
        }
        let help = "Sessions that keep a server connection, by reason";
        let mut family = encoder.encode_descriptor("pinned_sessions", help, None, MetricType::Gauge)?;
        for (reason, count) in pins {
            ConstGauge::new(count).encode(family.encode_family(&[("reason", reason)])?)?;
        }
        Ok(())
    }

    fn pools(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let pools = crate::status::pools(&self.core);
        type Read = fn(&crate::status::PoolStatus) -> u64;
        let gauges: [(&str, &str, Read); 4] = [
            ("pool_connections_open", "Server connections open", |p| u64::from(p.open)),
            ("pool_connections_idle", "Server connections idle", |p| u64::from(p.idle)),
            ("pool_connections_max", "Server connections allowed", |p| u64::from(p.max)),
            ("pool_waiting", "Sessions that wait for a server connection", |p| u64::from(p.waiting)),
        ];
        for (name, help, read) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for pool in &pools {
                let labels =
                    [("cluster", pool.cluster.as_str()), ("server", &pool.server), ("user", &pool.user)];
                ConstGauge::new(read(pool) as i64).encode(family.encode_family(&labels)?)?;
            }
        }
        let counters: [(&str, &str, Read); 3] = [
            ("pool_connections_opened", "Server connections opened", |p| p.opened_total),
            ("pool_waits", "Checkouts that had to wait", |p| p.waited_total),
            ("pool_timeouts", "Checkouts that waited in vain", |p| p.timeouts_total),
        ];
        for (name, help, read) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for pool in &pools {
                let labels =
                    [("cluster", pool.cluster.as_str()), ("server", &pool.server), ("user", &pool.user)];
                ConstCounter::new(read(pool)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
