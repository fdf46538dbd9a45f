//! Orders that were given to a node that does not lead are passed on to the one that does.

use admin::OrderRefused;
use cluster::OrderError;
use serde_json::{Value, json};

use crate::cli::http::{Method, Url, request};

/// A node says with it that it has passed an order on: the next one must not do so again.
const FORWARDED: &str = "forwarded";

/// Gives the order to the node that leads; its answer is the answer.
pub(super) async fn forward(
    cluster: &str,
    mut order: Value,
    dry_run: bool,
    elsewhere: OrderError,
) -> Result<Value, OrderRefused> {
    let unavailable = || OrderRefused::Unavailable(elsewhere.to_string());
    let OrderError::Elsewhere { node, admin: Some(admin) } = &elsewhere else { return Err(unavailable()) };
    if order.get(FORWARDED).is_some() {
        return Err(unavailable());
    }
    let url: Url = format!("http://{admin}").parse().map_err(|_| unavailable())?;
    let verb = order.get("order").and_then(Value::as_str).unwrap_or_default();
    let path = format!("/api/v1/clusters/{cluster}/{verb}");
    order[FORWARDED] = json!(true);
    order["dry_run"] = json!(dry_run);
    tracing::info!(cluster, node, "an order is passed on to the node that leads");
    let asking = tokio::task::spawn_blocking(move || request(&url, Method::Order, &path, Some(&order)));
    match asking.await {
        Ok(Ok((status, answer))) => outcome(status, answer),
        Ok(Err(error)) => {
            Err(OrderRefused::Unavailable(format!("{elsewhere}; it cannot be reached: {error:#}")))
        }
        Err(error) => Err(OrderRefused::Failed(error.to_string())),
    }
}

fn outcome(status: u16, answer: Value) -> Result<Value, OrderRefused> {
    if status == 200 {
        return Ok(answer);
    }
    let why = answer["error"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
    Err(match status {
        400 => OrderRefused::Invalid(why),
        409 => OrderRefused::Refused(why),
        503 => OrderRefused::Unavailable(why),
        _ => OrderRefused::Failed(why),
    })
}
