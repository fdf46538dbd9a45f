//! Orders that were given to a node that does not lead are passed on to the one that does.

use std::net::IpAddr;

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
    let hint = wrong_address(node, admin);
    let url: Url = format!("http://{admin}").parse().map_err(|_| unavailable())?;
    let verb = order.get("order").and_then(Value::as_str).unwrap_or_default();
    let path = format!("/api/v1/clusters/{cluster}/{verb}");
    order[FORWARDED] = json!(true);
    order["dry_run"] = json!(dry_run);
    tracing::info!(cluster, node, "an order is passed on to the node that leads");
    let asking = tokio::task::spawn_blocking(move || request(&url, Method::Order, &path, Some(&order)));
    match asking.await {
        Ok(Ok((status, answer))) => outcome(status, answer).map_err(|refused| match refused {
            // Another node may have answered in its place.
            OrderRefused::Unavailable(why) => OrderRefused::Unavailable(format!("{why}{hint}")),
            refused => refused,
        }),
        Ok(Err(error)) => {
            Err(OrderRefused::Unavailable(format!("{elsewhere}; it cannot be reached: {error:#}{hint}")))
        }
        Err(error) => Err(OrderRefused::Failed(error.to_string())),
    }
}

/// Where a node is said to be at an address that leads to whoever uses it, that may be why it does not answer.
fn wrong_address(node: &str, admin: &str) -> String {
    let host = admin.parse().map(|at: topology::Address| at.host).unwrap_or_default();
    let is_loopback =
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match is_loopback {
        true => format!(
            "; {node} says that it is at {admin}, which is an address of each machine itself: if {node} is on another one, \
             set admin.advertise there"
        ),
        false => String::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_of_another_node_is_named_as_what_may_be_wrong() {
        for admin in ["127.0.0.1:6080", "localhost:6080", "[::1]:6080"] {
            assert!(wrong_address("gw-2", admin).contains("set admin.advertise"), "{admin}");
        }
        assert_eq!(wrong_address("gw-2", "10.0.0.2:6080"), "");
    }
}
