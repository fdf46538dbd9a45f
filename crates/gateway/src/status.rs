//! What the gateway tells of itself: values for the API, the console and `SHOW HADAL …`.

use std::sync::atomic::Ordering;

use serde::Serialize;
use topology::{ClusterView, Health, Writes};

use crate::core::Core;
pub use crate::pool::PoolStatus;

/// A session as seen from outside.
#[derive(Clone, Debug, Serialize)]
pub struct SessionStatus {
    pub id: u32,
    pub user: String,
    pub client: String,
    pub cluster: String,
    pub database: Option<String>,
    /// `login`, `running` or `idle`.
    pub state: &'static str,
    /// The server whose connection it uses now.
    pub server: Option<String>,
    /// That connection's id on the server.
    pub thread_id: Option<u32>,
    /// Why it keeps that connection.
    pub pinned_by: Vec<&'static str>,
    pub statements: u64,
    /// Whether its open transaction can be replayed on another primary: `idle` without one, `ready`, or why not. `None` where
    /// `transaction_replay` is off.
    pub replay: Option<&'static str>,
}

pub(crate) fn sessions(core: &Core) -> Vec<SessionStatus> {
    let all = core.sessions.all();
    all.iter()
        .map(|session| {
            let labels = session.labels();
            let backend = session.backend();
            let busy = session.busy.load(Ordering::Relaxed);
            SessionStatus {
                id: session.id,
                user: labels.user.to_string(),
                client: session.client.to_string(),
                cluster: labels.cluster.to_string(),
                database: (!labels.database.is_empty()).then(|| labels.database.to_string()),
                state: if labels.user.is_empty() {
                    "login"
                } else if busy {
                    "running"
                } else {
                    "idle"
                },
                server: backend.map(|(place, _)| core.address_of(place)),
                thread_id: backend.map(|(_, thread)| thread),
                pinned_by: session.pins().names(),
                statements: session.statements.load(Ordering::Relaxed),
                replay: crate::session::replay_described(session.replay.load(Ordering::Relaxed)),
            }
        })
        .collect()
}

pub(crate) fn pools(core: &Core) -> Vec<PoolStatus> {
    let mut pools: Vec<PoolStatus> = core
        .pools
        .all()
        .iter()
        .map(|pool| pool.status(&core.cluster(pool.place.cluster).name, core.address_of(pool.place)))
        .collect();
    pools.sort_by(|a, b| (&a.cluster, &a.server, &a.user).cmp(&(&b.cluster, &b.server, &b.user)));
    // Accounts of one name have pools of their own; outside they are one line.
    pools.dedup_by(|next, first| {
        let same = (&next.cluster, &next.server, &next.user) == (&first.cluster, &first.server, &first.user);
        if same {
            first.add(next);
        }
        same
    });
    pools
}

pub(crate) fn health(health: &Health) -> String {
    match health {
        Health::Healthy => "healthy".to_owned(),
        Health::Degraded(why) => format!("degraded: {why}"),
        Health::Down(why) => format!("down: {why}"),
    }
}

/// Whether a cluster takes writes, for applications that ask: `open`, or why not.
fn writes(view: &ClusterView, named: bool) -> String {
    let text = match (&view.read_only, &view.writes) {
        (Some(why), _) => format!("read-only: {why}"),
        (None, Writes::Refused { why }) => format!("refused: {why}"),
        (None, Writes::Held { why, .. }) => format!("held: {why}"),
        (None, Writes::Open) if view.primary().is_none() => "refused: there is no primary".to_owned(),
        (None, Writes::Open) => "open".to_owned(),
    };
    if named { format!("{}: {text}", view.name) } else { text }
}

/// A few numbers for a first look.
pub(crate) fn summary(core: &Core) -> Vec<(&'static str, String)> {
    let metrics = &core.metrics;
    let mut rows = vec![
        ("uptime_seconds", core.started.elapsed().as_secs().to_string()),
        ("workers", core.workers.to_string()),
        ("io", core.io.to_string()),
        ("sessions", core.sessions.len().to_string()),
        ("clients_accepted_total", metrics.accepted_clients.load(Ordering::Relaxed).to_string()),
        ("clients_refused_total", metrics.refused_clients.load(Ordering::Relaxed).to_string()),
        ("logins_refused_total", metrics.refused_logins.load(Ordering::Relaxed).to_string()),
    ];
    let (mut replica, mut primary) = (0, 0);
    for ((_, on_replica), count) in metrics.routes() {
        *(if on_replica { &mut replica } else { &mut primary }) += count;
    }
    for entry in &core.clusters {
        rows.push(("writes", writes(&entry.view(), core.clusters.len() > 1)));
    }
    rows.push(("statements_on_replicas_total", replica.to_string()));
    rows.push(("statements_on_primary_total", primary.to_string()));
    rows
}
