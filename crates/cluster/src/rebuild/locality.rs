//! Whether a server is on this machine, where nothing leads to others.

use std::net::{IpAddr, UdpSocket};

use topology::Address;

/// Why scripts cannot be run on the host of a server; `None` where they can, or where that cannot be told. `shell` is what leads
/// to other machines.
pub(crate) async fn why_no_way(shell: &str, server: &str) -> Option<String> {
    if !shell.trim().is_empty() {
        return None;
    }
    let address: Address = server.parse().ok()?;
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await.ok()?;
    let ips: Vec<_> = found.map(|found| found.ip()).collect();
    let elsewhere = !ips.is_empty() && !ips.into_iter().any(is_here);
    elsewhere.then(|| {
        format!(
            "{server} is not on this machine, and rebuild.shell does not say how a script gets to another one"
        )
    })
}

/// Only an address of this machine can be listened on.
fn is_here(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_elsewhere_needs_a_way_to_it() {
        assert_eq!(why_no_way("", "127.0.0.1:3306").await, None);
        assert_eq!(why_no_way(" ", "localhost:3306").await, None);
        // An address that is for documents only (RFC 5737).
        let why = why_no_way("", "192.0.2.1:3306").await.unwrap();
        assert!(why.starts_with("192.0.2.1:3306 is not on this machine"), "{why}");
        assert_eq!(why_no_way("ssh {host}", "192.0.2.1:3306").await, None);
    }
}
