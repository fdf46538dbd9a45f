//! `hadal switchover`, `failover`, `rejoin`, `maintenance`, `read-only`: what people have done to a cluster.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};
use topology::Address;

use super::admin_url::AdminUrl;
use super::output::print;

/// How an order's outcome is shown, and to whom it is given.
#[derive(Debug, clap::Args)]
struct Common {
    /// Only show what would be done
    #[arg(long)]
    plan: bool,

    #[command(flatten)]
    url: AdminUrl,

    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Makes another server the primary while the present one is well.
///
/// New statements are held meanwhile, and transactions may finish; if it cannot be done in time, everything stays as it
/// was. Returns when it is done.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hadal switchover main --plan
  hadal switchover main --to 10.0.0.2:3306")]
pub(crate) struct SwitchoverArgs {
    /// The cluster, as the configuration calls it
    #[arg(value_name = "CLUSTER")]
    cluster: String,

    /// The new primary; without it, the best there is
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<Address>,

    #[command(flatten)]
    common: Common,
}

/// Replaces a primary that is gone.
///
/// Refused while the primary answers, and where a commit that was acknowledged could be lost.
#[derive(Debug, clap::Args)]
pub(crate) struct FailoverArgs {
    /// The cluster, as the configuration calls it
    #[arg(value_name = "CLUSTER")]
    cluster: String,

    /// Go on although acknowledged commits may be lost
    #[arg(long)]
    allow_loss: bool,

    /// Also if the primary answers
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    common: Common,
}

/// Makes a server a replica of the present primary.
///
/// Refused where the server has transactions that the primary never had, or its replication is broken: with --rebuild it
/// gets another server's data. What only it has is kept in a file first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hadal rejoin 10.0.0.2:3306
  hadal rejoin 10.0.0.2:3306 --rebuild --plan")]
pub(crate) struct RejoinArgs {
    #[arg(value_name = "HOST:PORT")]
    server: Address,

    /// Replace its data by a copy of another server's, made by mariadb-backup (MySQL: CLONE)
    #[arg(long)]
    rebuild: bool,

    #[command(flatten)]
    common: Common,
}

/// Whether people work on a server: hadal decides nothing about it then.
#[derive(Debug, clap::Args)]
pub(crate) struct MaintenanceArgs {
    #[arg(value_enum)]
    state: State,

    #[arg(value_name = "HOST:PORT")]
    server: Address,

    /// For those who find it later
    #[arg(long, default_value = "")]
    reason: String,

    #[command(flatten)]
    url: AdminUrl,

    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Whether clients may write to a cluster.
///
/// While it is read-only, writes get error 1290 with the reason, transactions that are open may end, and reads go on.
/// Holds on every hadal node of the cluster, and beyond their restarts, until it is turned off.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hadal read-only on main --reason 'moving to the new storage until 14:00'
  hadal read-only off main")]
pub(crate) struct ReadOnlyArgs {
    #[arg(value_enum)]
    state: State,

    /// The cluster, as the configuration calls it
    #[arg(value_name = "CLUSTER")]
    cluster: String,

    /// For the applications that get the error, and for those who find it later
    #[arg(long, default_value = "an operator has asked for it")]
    reason: String,

    #[command(flatten)]
    url: AdminUrl,

    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum State {
    On,
    Off,
}

pub(crate) fn switchover(args: &SwitchoverArgs) -> anyhow::Result<ExitCode> {
    let to = args.to.as_ref().map(ToString::to_string);
    give(&args.common, &args.cluster, "switchover", json!({ "to": to }))
}

pub(crate) fn failover(args: &FailoverArgs) -> anyhow::Result<ExitCode> {
    let order = json!({ "allow_loss": args.allow_loss, "force": args.force });
    give(&args.common, &args.cluster, "failover", order)
}

pub(crate) fn rejoin(args: &RejoinArgs) -> anyhow::Result<ExitCode> {
    let cluster = cluster_of(&args.common.url, &args.server)?;
    let order = json!({ "server": args.server.to_string(), "rebuild": args.rebuild });
    give(&args.common, &cluster, "rejoin", order)
}

pub(crate) fn maintenance(args: &MaintenanceArgs) -> anyhow::Result<ExitCode> {
    let cluster = cluster_of(&args.url, &args.server)?;
    let by = std::env::var("USER").unwrap_or_else(|_| "hadal maintenance".to_owned());
    let on = args.state == State::On;
    let order = json!({ "server": args.server.to_string(), "on": on, "reason": args.reason, "by": by });
    let answer = args.url.order(&format!("/api/v1/clusters/{cluster}/maintenance"), &order)?;
    show(&answer, args.json)
}

pub(crate) fn read_only(args: &ReadOnlyArgs) -> anyhow::Result<ExitCode> {
    let by = std::env::var("USER").unwrap_or_else(|_| "hadal read-only".to_owned());
    let order = json!({ "on": args.state == State::On, "reason": args.reason, "by": by });
    let answer = args.url.order(&format!("/api/v1/clusters/{}/read-only", args.cluster), &order)?;
    show(&answer, args.json)
}

fn give(common: &Common, cluster: &str, verb: &str, mut order: Value) -> anyhow::Result<ExitCode> {
    order["dry_run"] = json!(common.plan);
    let answer = common.url.order(&format!("/api/v1/clusters/{cluster}/{verb}"), &order)?;
    show(&answer, common.json)
}

fn show(answer: &Value, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        print(&format!("{answer:#}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = answer["text"].as_str().unwrap_or_default().trim_end().to_owned();
    if answer["done"] == json!(true) && answer["took_ms"].as_u64().is_some_and(|ms| ms > 0) {
        text +=
            &format!("\ndone in {} ms, statements were held for {} ms", answer["took_ms"], answer["held_ms"]);
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The cluster that has the server.
fn cluster_of(url: &AdminUrl, server: &Address) -> anyhow::Result<String> {
    let server = server.to_string();
    let clusters = url.fetch("/api/v1/clusters")?;
    let has = |cluster: &&Value| {
        cluster["servers"].as_array().into_iter().flatten().any(|s| s["server"].as_str() == Some(&server))
    };
    let cluster = clusters["clusters"].as_array().into_iter().flatten().find(has);
    let name = cluster.and_then(|cluster| cluster["name"].as_str());
    name.map(str::to_owned)
        .with_context(|| format!("no cluster has a server {server}: `hadal status` lists them"))
}
