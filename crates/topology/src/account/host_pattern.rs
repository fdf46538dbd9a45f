//! The host half of an account: which clients it covers, and which of two accounts is tried first.
//!
//! Source: MariaDB manual, "Account Names"; the order was checked against a MariaDB 10.11 server by logging in and
//! dropping the account that `CURRENT_USER()` named, one after the other (see the tests).

use std::cmp::{Ordering, Reverse};
use std::net::{IpAddr, Ipv4Addr};

/// The longest host that the server stores; its order of patterns is computed with the length of this version.
const LONGEST_HOST: usize = 255;

/// Where a client comes from, as the server would see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHost<'a> {
    pub ip: IpAddr,
    /// The host name that the address resolves to; `None` under `skip_name_resolve` or where it has none. The server
    /// calls its loopback addresses `localhost` unless `skip_name_resolve` is on.
    pub name: Option<&'a str>,
}

impl ClientHost<'_> {
    /// Whether the host half `pattern` of an account covers this client.
    pub fn matches(&self, pattern: &str) -> bool {
        let ip = self.ip.to_canonical();
        if let (Some((net, mask)), IpAddr::V4(ip)) = (netmask(pattern), ip) {
            return u32::from(ip) & mask == net;
        }
        // An empty host is an old spelling of `%`.
        pattern.is_empty()
            || self.name.is_some_and(|name| like(pattern.as_bytes(), name.as_bytes()))
            || like(pattern.as_bytes(), ip.to_string().as_bytes())
    }
}

/// Whether a pattern is about names of hosts that somebody has to be asked for. `localhost` is not: the server knows its
/// own addresses.
pub(super) fn is_about_names(pattern: &str) -> bool {
    let has_letter = pattern.bytes().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
    has_letter && !pattern.contains(':') && !pattern.eq_ignore_ascii_case("localhost")
}

/// `a.b.c.d/m.m.m.m`, both as numbers; the server ignores an empty mask.
fn netmask(pattern: &str) -> Option<(u32, u32)> {
    let (net, mask) = pattern.split_once('/')?;
    let net: Ipv4Addr = net.parse().ok()?;
    let mask: Ipv4Addr = mask.parse().ok()?;
    (mask != Ipv4Addr::UNSPECIFIED).then_some((net.into(), mask.into()))
}

/// SQL's LIKE without case: `%` any run, `_` any one byte, `\` takes the next literally.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when a comparison after the last `%` fails: the `%` swallows one more byte.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(b'%'), _) => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(b'_'), Some(_)) => Some(1),
            (Some(b'\\'), Some(c)) => match pattern.get(p + 1) {
                Some(escaped) => escaped.eq_ignore_ascii_case(c).then_some(2),
                None => (*c == b'\\').then_some(1),
            },
            (Some(l), Some(c)) => l.eq_ignore_ascii_case(c).then_some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(width), _) => {
                p += width;
                t += 1;
            }
            (None, Some((after, from))) if from < text.len() => {
                retry = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

/// `Less` where the server tries the host `a` before `b`: the one that fewer texts match comes first.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    // Equally wide: descending, which is how `localhost` comes before `127.0.0.1`.
    breadth(a).cmp(&breadth(b)).then_with(|| Reverse(a).cmp(&Reverse(b)))
}

/// How many texts a pattern covers, as something that compares like that number: a `%` covers up to `room` further
/// characters, a `_` exactly one. The literal prefix only breaks ties.
fn breadth(pattern: &str) -> (usize, bool, usize, usize, usize) {
    let (mut literal, mut ones, mut runs, mut prefix) = (0, 0, 0, 0);
    let mut bytes = pattern.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if matches!(byte, b'%' | b'_') && ones + runs == 0 {
            prefix = literal;
        }
        match byte {
            b'%' => {
                runs += 1;
                while bytes.next_if_eq(&b'%').is_some() {}
            }
            b'_' => ones += 1,
            b'\\' if bytes.peek().is_some() => {
                bytes.next();
                literal += 1;
            }
            _ => literal += 1,
        }
    }
    let room = if runs > 0 { LONGEST_HOST.saturating_sub(literal + ones) } else { 0 };
    if room > ones { (room, true, runs, ones, prefix) } else { (ones, false, room, runs, prefix) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client<'a>(ip: &str, name: Option<&'a str>) -> ClientHost<'a> {
        ClientHost { ip: ip.parse().unwrap(), name }
    }

    #[test]
    fn the_order_is_the_one_that_a_server_was_seen_to_use() {
        let seen: [&[&str]; 3] = [
            &["localhost", "127.0.0.1", "127.0.0.0/255.255.255.0", "127.0.0._", "127.0.0.%", "127.%", "%"],
            &["12_.0.0.1", "127._.0.1", "127.0.0._", "1__.0.0.1", "1%1", "%1", "1%"],
            &[
                "localhost",
                "127.0.0.1/255.255.255.255",
                "127.0.0.0/255.255.0.0",
                "127.0.0.0/255.0.0.0",
                "local%",
                "127.%",
                "%",
            ],
        ];
        for expected in seen {
            let mut sorted = expected.to_vec();
            sorted.reverse();
            sorted.sort_by(|a, b| order(a, b));
            assert_eq!(sorted, expected);
        }
    }

    #[test]
    fn patterns_cover_addresses_and_names() {
        let here = client("127.0.0.1", Some("localhost"));
        for pattern in ["%", "", "localhost", "LOCALHOST", "local%", "127.%", "127.0.0._", "127.0.0.1"] {
            assert!(here.matches(pattern), "{pattern}");
        }
        for pattern in ["localhos", "localhost.%", "127.0.0.1_", "10.%", "127.0.0.2", "localhost\\"] {
            assert!(!here.matches(pattern), "{pattern}");
        }
        let unnamed = client("10.1.2.3", None);
        assert!(!unnamed.matches("localhost"));
        assert!(client("::1", None).matches("::1"));
        assert!(client("::ffff:10.1.2.3", None).matches("10.1.%"));
        assert!(client("10.0.0.1", Some("Db-7.Example.org")).matches("db\\-%.example.ORG"));
        assert!(client("10.0.0.1", Some("db_7")).matches("db\\_7"));
        assert!(!client("10.0.0.1", Some("dbx7")).matches("db\\_7"));
        assert!(client("10.0.0.1", Some("aXbXc")).matches("a%b%c"));
        assert!(!client("10.0.0.1", Some("aXbXcd")).matches("a%b%c"));
    }

    #[test]
    fn a_netmask_covers_its_network_only() {
        assert!(client("10.1.200.7", None).matches("10.1.0.0/255.255.0.0"));
        assert!(!client("10.2.0.1", None).matches("10.1.0.0/255.255.0.0"));
        // Bits of the network outside its mask: nobody matches, as on the server.
        assert!(!client("10.1.2.3", None).matches("10.1.2.3/255.255.0.0"));
        assert!(!client("::1", None).matches("0.0.0.0/255.0.0.0"));
    }
}
