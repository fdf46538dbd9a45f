//! The system's own resolver: `/etc/hosts`, DNS, whatever the machine is set up with.
#![expect(unsafe_code, reason = "the standard library has no way to ask for the name of an address")]

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use socket2::SockAddr;

use super::Resolver;

/// See the module.
#[derive(Debug)]
pub(crate) struct System;

/// The longest name, with its zero (`NI_MAXHOST`).
const LONGEST_NAME: usize = 1025;

impl Resolver for System {
    fn name_of(&self, address: IpAddr) -> io::Result<Option<String>> {
        let address = SockAddr::from(SocketAddr::new(address, 0));
        let mut name = [0u8; LONGEST_NAME];
        // SAFETY: `address` is a socket address of the length given with it, and `name` takes as many bytes as are said;
        // both outlive the call, which keeps neither.
        let code = unsafe {
            libc::getnameinfo(
                address.as_ptr().cast(),
                address.len(),
                name.as_mut_ptr().cast(),
                LONGEST_NAME as libc::socklen_t,
                std::ptr::null_mut(),
                0,
                libc::NI_NAMEREQD,
            )
        };
        match code {
            0 => Ok(CStr::from_bytes_until_nul(&name).ok().map(|name| name.to_string_lossy().into_owned())),
            libc::EAI_NONAME => Ok(None),
            other => Err(io::Error::other(format!("the resolver's error {other}"))),
        }
    }

    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_machines_own_address_has_a_name_that_leads_back() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let name = System.name_of(loopback).unwrap().expect("in every /etc/hosts");
        assert!(System.addresses_of(&name).unwrap().contains(&loopback), "{name}");
    }
}
