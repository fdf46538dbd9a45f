//! `hadal status`

use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::admin_url::AdminUrl;
use super::output::print;
use super::table::table;

/// Kinds of events that change who leads; the API and the log have all.
const TOLD: &[&str] = &["primary", "verdict", "action", "leadership"];
const LATEST: usize = 8;

/// Shows the clusters and their servers as the running hadal sees them.
///
/// Exit code 1 where hadal cannot be asked, or is asked and cannot serve clients; the reasons are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    url: AdminUrl,

    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let (_, ready) = args.url.get("/readyz")?;
    let clusters = args.url.fetch("/api/v1/clusters")?;
    let is_ready = ready["ready"] == json!(true);
    if args.json {
        let all = json!({
            "ready": ready["ready"],
            "reasons": ready["reasons"],
            "clusters": clusters["clusters"],
        });
        print(&format!("{all:#}"))?;
    } else {
        print(&text(&ready, &clusters))?;
    }
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(ready: &Value, clusters: &Value) -> String {
    let mut parts = vec![match list(&ready["reasons"]) {
        [] => "ready".to_owned(),
        reasons => {
            let reasons: Vec<String> = reasons.iter().map(word).collect();
            format!("not ready: {}", reasons.join("; "))
        }
    }];
    parts.extend(list(&clusters["clusters"]).iter().map(cluster));
    parts.join("\n\n")
}

fn cluster(cluster: &Value) -> String {
    let primary = cluster["primary"].as_str().unwrap_or("unknown");
    let title = format!("cluster {}: primary {primary}, epoch {}", word(&cluster["name"]), cluster["epoch"]);
    let mut rows = vec![
        ["server", "role", "health", "lag", "weight", "version", "position"].map(str::to_owned).to_vec(),
    ];
    rows.extend(list(&cluster["servers"]).iter().map(server));
    let mut text = format!("{title}\n{}", table(&rows));
    let told = |event: &&Value| TOLD.contains(&event["kind"].as_str().unwrap_or_default());
    let events: Vec<_> = list(&cluster["events"]).iter().filter(told).collect();
    let latest: Vec<_> = events.iter().skip(events.len().saturating_sub(LATEST)).map(|e| event(e)).collect();
    if !latest.is_empty() {
        text.push_str("\n\nlatest\n");
        text.push_str(&table(&latest));
    }
    text
}

/// When (UTC), about which server, what, and why.
fn event(event: &Value) -> Vec<String> {
    let at = event["at_unix_ms"].as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let at = at.map(|at| at.strftime("%F %T").to_string()).unwrap_or_default();
    let [kind, server, from, to, why] = ["kind", "server", "from", "to", "why"].map(|key| word(&event[key]));
    let what = match kind.as_str() {
        "action" => format!("{from}: {to}"),
        _ => format!("{kind}: {from} -> {to}"),
    };
    vec![at, server, what, why]
}

fn server(server: &Value) -> Vec<String> {
    let health = rebuild(&server["rebuild"]).unwrap_or_else(|| health(&server["health"]));
    let lag = server["lag_ms"].as_u64().map_or_else(|| "?".to_owned(), |lag| format!("{lag} ms"));
    let weight = match server["ramp_percent"].as_u64() {
        Some(percent) if percent < 100 => format!("{} ({percent} %)", server["weight"]),
        _ => word(&server["weight"]),
    };
    let [name, role, version, position] =
        ["server", "role", "version", "position"].map(|key| word(&server[key]));
    vec![name, role, health, lag, weight, version, position]
}

fn health(health: &Value) -> String {
    match (word(&health["state"]), health["why"].as_str()) {
        (state, Some(why)) => format!("{state}: {why}"),
        (state, None) => state,
    }
}

/// How far a rebuild is, or why it failed.
fn rebuild(rebuild: &Value) -> Option<String> {
    let step = rebuild["step"].as_str()?;
    if let Some(why) = rebuild["failed"].as_str() {
        return Some(format!("rebuild failed: {why}"));
    }
    let mib = |key: &str| rebuild[key].as_u64().unwrap_or(0) >> 20;
    let amount = match (step, mib("expected_bytes")) {
        ("copying", 0) => format!(", {} MiB", mib("bytes")),
        ("copying", expected) => format!(", {} of about {expected} MiB", mib("bytes")),
        _ => String::new(),
    };
    Some(format!("rebuilt from {}: {step}{amount}", word(&rebuild["donor"])))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value without quotes; nothing for what is not there.
fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_is_shown_with_how_far_it_is() {
        let copying =
            json!({ "donor": "db3:3306", "step": "copying", "bytes": 5 << 20, "expected_bytes": 20 << 20 });
        assert_eq!(rebuild(&copying).unwrap(), "rebuilt from db3:3306: copying, 5 of about 20 MiB");
        let failed = json!({ "donor": "db3:3306", "step": "failed", "failed": "no room" });
        assert_eq!(rebuild(&failed).unwrap(), "rebuild failed: no room");
        assert_eq!(rebuild(&Value::Null), None);
    }

    #[test]
    fn people_see_what_is_wrong_and_with_which_server() {
        let ready = json!({ "ready": false, "reasons": ["cluster main: no primary is known"] });
        let clusters = json!({ "clusters": [{
            "name": "main", "epoch": 3, "primary": null,
            "servers": [
                { "server": "db1:3306", "role": "unknown", "health": { "state": "down", "why": "connection refused" },
                  "lag_ms": null, "weight": 1, "ramp_percent": 100, "version": "", "position": "" },
                { "server": "db2:3306", "role": "replica", "health": { "state": "healthy" }, "lag_ms": 12, "weight": 2,
                  "ramp_percent": 25, "version": "10.11.6-MariaDB", "position": "0-1-7" },
            ],
            "events": [
                { "at_unix_ms": 1000, "kind": "health", "server": "db1:3306", "from": "healthy", "to": "down", "why": "" },
                { "at_unix_ms": 61_500, "kind": "verdict", "server": "db1:3306", "from": "alive", "to": "dead", "why": "gone" },
            ],
        }]});
        assert_eq!(
            text(&ready, &clusters),
            "not ready: cluster main: no primary is known\n\n\
             cluster main: primary unknown, epoch 3\n\
             server    role     health                    lag    weight    version          position\n\
             db1:3306  unknown  down: connection refused  ?      1\n\
             db2:3306  replica  healthy                   12 ms  2 (25 %)  10.11.6-MariaDB  0-1-7\n\n\
             latest\n\
             1970-01-01 00:01:01  db1:3306  verdict: alive -> dead  gone"
        );
    }
}
