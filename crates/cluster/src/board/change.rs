//! Changes as events, and addresses as seen from somewhere else.

use std::net::IpAddr;

use topology::{Address, Health, Role};

use super::Entry;
use crate::events::{Event, EventKind};

pub(super) fn role(entry: &Entry, to: Role, why: &str) -> Event {
    // The reason is about the primary; of another server's role its own replication says enough.
    let why = if to == Role::Primary || entry.role == Role::Primary { why } else { "" };
    Event::new(EventKind::Role, Some(entry.address.to_string()), entry.role.as_str(), to.as_str(), why)
}

/// An event where the state changes; not where only the reason does, which holds a lag that is different every time.
pub(super) fn health(entry: &Entry, to: &Health) -> Option<Event> {
    let (from, to, why) = (word(&entry.health), word(to), reason(to));
    let event = || Event::new(EventKind::Health, Some(entry.address.to_string()), from, to, why);
    (from != to).then(event)
}

fn word(health: &Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Degraded(_) => "degraded",
        Health::Down(_) => "down",
    }
}

fn reason(health: &Health) -> &str {
    match health {
        Health::Healthy => "",
        Health::Degraded(why) | Health::Down(why) => why,
    }
}

/// A server that calls its neighbour `localhost` means its own host, not hadal's.
pub(super) fn seen_from(address: &Address, by: &Address) -> Address {
    if is_loopback(&address.host) && !is_loopback(&by.host) {
        return Address::new(by.host.clone(), address.port);
    }
    address.clone()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
