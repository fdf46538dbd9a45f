//! Where the admin API of a running hadal is: the argument that all operational commands share.

use serde_json::Value;

use super::http::{Method, Url, request};

#[derive(Debug, clap::Args)]
pub(crate) struct AdminUrl {
    /// Admin API of the running hadal
    #[arg(long, value_name = "URL", env = "HADAL_URL", default_value = "http://127.0.0.1:6080")]
    url: Url,
}

impl AdminUrl {
    /// The answer to a GET, whatever its status is.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        request(&self.url, Method::Get, path, None)
    }

    /// The answer to a GET that must succeed.
    pub(crate) fn fetch(&self, path: &str) -> anyhow::Result<Value> {
        succeeded(self.get(path)?)
    }

    /// The answer to something that may take a while and must succeed.
    pub(crate) fn order(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        succeeded(request(&self.url, Method::Order, path, Some(body))?)
    }

    /// The answer to a POST that must succeed.
    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        succeeded(request(&self.url, Method::Post, path, Some(body))?)
    }
}

fn succeeded((status, answer): (u16, Value)) -> anyhow::Result<Value> {
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => anyhow::bail!("{error}"),
        None => anyhow::bail!("the admin API answered with status {status}"),
    }
}
