//! Which ports the playground uses, and that nobody else has them.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, bail};

use super::args::PlaygroundArgs;

/// The ports of one playground, all on 127.0.0.1.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    pub(super) gateway: u16,
    pub(super) admin: u16,
    /// One per database server, the first server's first.
    pub(super) servers: Vec<u16>,
}

impl Ports {
    /// The ports that the command line asks for, each proved free at this moment.
    pub(super) fn choose(args: &PlaygroundArgs, servers: u16) -> anyhow::Result<Self> {
        // All listeners are held until all ports are chosen, so that no free port is handed out twice.
        let mut held = Vec::new();
        let gateway = claim(args.gateway_port, "--gateway-port", &mut held)?;
        let admin = claim(args.admin_port, "--admin-port", &mut held)?;
        let mut ports = Vec::new();
        for index in 0..servers {
            let wanted = match args.base_port {
                0 => 0,
                base => base.checked_add(index).context("--base-port leaves no room below 65536")?,
            };
            ports.push(claim(wanted, "--base-port", &mut held)?);
        }
        Ok(Self { gateway, admin, servers: ports })
    }
}

fn claim(port: u16, flag: &str, held: &mut Vec<TcpListener>) -> anyhow::Result<u16> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => {
            let port = listener.local_addr().context("cannot read the port of a new socket")?.port();
            held.push(listener);
            Ok(port)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!("port {port} is taken: stop what listens there, or choose another with {flag}")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on 127.0.0.1:{port} ({flag})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: PlaygroundArgs,
    }

    fn args(line: &[&str]) -> PlaygroundArgs {
        Line::parse_from(std::iter::once("playground").chain(line.iter().copied())).args
    }

    #[test]
    fn zero_means_any_free_port_and_never_the_same_twice() {
        let args = args(&["--gateway-port=0", "--admin-port=0", "--base-port=0"]);
        let ports = Ports::choose(&args, 3).unwrap();
        let mut all = ports.servers.clone();
        all.extend([ports.gateway, ports.admin]);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn a_taken_port_is_named_with_its_flag() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let args = args(&["--gateway-port=0", &format!("--admin-port={port}"), "--base-port=0"]);
        let message = Ports::choose(&args, 1).unwrap_err().to_string();
        assert!(message.contains(&port.to_string()) && message.contains("--admin-port"), "{message}");
    }
}
