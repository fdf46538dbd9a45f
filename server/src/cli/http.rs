//! Just enough HTTP to ask the admin API: one request, one answer, one connection.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use topology::Address;

/// The API answers at once; whatever takes this long is not it.
const PATIENCE: Duration = Duration::from_secs(10);
/// A switchover has its own limits, which are below this.
const LONG_PATIENCE: Duration = Duration::from_secs(600);
/// Far above any answer; a wrong address must not fill the memory.
const LARGEST_ANSWER: u64 = 256 * 1024 * 1024;

/// `http://HOST:PORT`, with a path before the API's own where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    address: Address,
    prefix: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or("it must begin with http://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // A port is at the end and behind the bracket of an IPv6 address.
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let host = if has_port { host.to_owned() } else { format!("{host}:80") };
        let address = host.parse().map_err(|_| "it must be http://HOST:PORT".to_owned())?;
        Ok(Self { address, prefix: path.trim_end_matches('/').to_owned() })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    Get,
    Post,
    /// A POST whose answer comes when something is done.
    Order,
}

/// Status and JSON of the answer.
pub(crate) fn request(
    url: &Url,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<(u16, Value)> {
    let body = body.map_or_else(String::new, Value::to_string);
    let verb = match method {
        Method::Get => "GET",
        Method::Post | Method::Order => "POST",
    };
    // HTTP/1.0: the answer comes in one piece and its end is the connection's.
    let text = format!(
        "{verb} {}{path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        url.prefix,
        url.address,
        body.len()
    );
    let patience = match method {
        Method::Order => LONG_PATIENCE,
        _ => PATIENCE,
    };
    let answer = exchange(&url.address, &text, patience).with_context(|| {
        format!("no answer from the admin API at {} (is hadal running? --url)", url.address)
    })?;
    read_answer(&answer).with_context(|| format!("what answers at {} is not hadal's admin API", url.address))
}

fn exchange(address: &Address, request: &str, patience: Duration) -> anyhow::Result<String> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(LARGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

fn connect(address: &Address) -> anyhow::Result<TcpStream> {
    let mut last = None;
    for candidate in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error.into()),
        None => bail!("the name has no address"),
    }
}

fn read_answer(answer: &str) -> anyhow::Result<(u16, Value)> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let status =
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    Ok((status, serde_json::from_str(body).context("the answer is not JSON")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_port_or_80_and_may_have_a_path() {
        for (text, address, prefix) in [
            ("http://127.0.0.1:6080", "127.0.0.1:6080", ""),
            ("http://db/", "db:80", ""),
            ("http://[::1]:6080/hadal/", "[::1]:6080", "/hadal"),
            ("http://[::1]", "[::1]:80", ""),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!((url.address.to_string().as_str(), url.prefix.as_str()), (address, prefix));
        }
        for text in ["127.0.0.1:6080", "https://x", "http://", "http://x:99999"] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_is_status_and_json_or_nothing() {
        let (status, body) =
            read_answer("HTTP/1.0 503 Service Unavailable\r\na: b\r\n\r\n{\"x\":1}").unwrap();
        assert_eq!((status, body["x"].as_u64()), (503, Some(1)));
        for text in ["", "HTTP/1.1 200 OK\r\n\r\n<html>", "5.5.5-10.11.6-MariaDB\r\n\r\n{}"] {
            assert!(read_answer(text).is_err(), "{text}");
        }
    }
}
