//! Names of clients' hosts, for accounts such as `'app'@'web1.example'`.
//!
//! A name counts only if it leads back to the address (MariaDB's `ip_to_hostname` in `hostname.cc` does the same). The
//! system's resolver may take its time, so it is asked on threads of its own, few at once, and nobody waits for it longer
//! than [`LONGEST`]; whoever is refused for that may come again. Answers are kept for a while.

mod system;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};

pub(crate) use system::System;

/// How long a login waits for a name.
const LONGEST: Duration = Duration::from_secs(2);

/// How long a name, or that there is none, is believed.
const KEPT: Duration = Duration::from_secs(60);

/// The same where the resolver could not say.
const KEPT_UNSURE: Duration = Duration::from_secs(2);

/// Addresses that are kept; beyond it all are forgotten.
const MOST: usize = 4096;

/// Questions under way at once, each on a thread.
const MOST_ASKED: usize = 4;

/// Asks for names. Blocks.
pub(crate) trait Resolver: Send + Sync {
    /// The name of an address; `Ok(None)` if it has none.
    fn name_of(&self, address: IpAddr) -> std::io::Result<Option<String>>;

    /// The addresses of a name.
    fn addresses_of(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

#[derive(Clone, Debug)]
struct Known {
    name: Option<Arc<str>>,
    until: Instant,
}

/// See the module.
pub(crate) struct HostNames {
    resolver: Arc<dyn Resolver>,
    known: Mutex<HashMap<IpAddr, Known>>,
    asked: Arc<Semaphore>,
}

impl HostNames {
    pub(crate) fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, known: Mutex::default(), asked: Arc::new(Semaphore::new(MOST_ASKED)) }
    }

    /// The name of an address as far as it is known. The server's rule for itself: its loopback is `localhost`, without
    /// asking anybody.
    pub(crate) fn known(&self, address: IpAddr) -> Option<Arc<str>> {
        let address = address.to_canonical();
        if is_this_host(address) {
            return Some("localhost".into());
        }
        self.lock().get(&address)?.name.clone()
    }

    /// Finds the name of an address out, unless it is known. Takes at most [`LONGEST`]. Cancel-safe.
    pub(crate) async fn learn(&self, address: IpAddr) {
        let address = address.to_canonical();
        if !is_this_host(address) && !self.is_fresh(address) {
            let known = match tokio::time::timeout(LONGEST, self.ask(address)).await {
                Ok(Some(Ok(name))) => Known { name, until: Instant::now() + KEPT },
                Ok(Some(Err(error))) => {
                    tracing::debug!(%address, %error, "a client's address could not be resolved");
                    Known { name: None, until: Instant::now() + KEPT_UNSURE }
                }
                // Somebody else has asked meanwhile.
                Ok(None) => return,
                Err(_) => {
                    tracing::warn!(%address, "a client's address was not resolved in time");
                    Known { name: None, until: Instant::now() + KEPT_UNSURE }
                }
            };
            let mut all = self.lock();
            if all.len() >= MOST {
                all.clear();
            }
            all.insert(address, known);
        }
    }

    /// The answer of the resolver; `None` if it has become known while this waited for its turn.
    async fn ask(&self, address: IpAddr) -> Option<std::io::Result<Option<Arc<str>>>> {
        let turn = self.asked.clone().acquire_owned().await.ok()?;
        if self.is_fresh(address) {
            return None;
        }
        let resolver = self.resolver.clone();
        let (answer, answered) = oneshot::channel();
        // Not one of the runtime's threads: a resolver that hangs must not hold up the end of the process.
        let asked = std::thread::Builder::new().name("names".into()).spawn(move || {
            // Nobody may wait any more.
            let _ = answer.send(confirmed(&*resolver, address));
            drop(turn);
        });
        Some(match asked {
            Ok(_) => answered.await.unwrap_or_else(|gone| Err(std::io::Error::other(gone))),
            Err(error) => Err(error),
        })
    }

    fn is_fresh(&self, address: IpAddr) -> bool {
        self.lock().get(&address).is_some_and(|known| known.until > Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loopback addresses that the server knows by name; the rest of 127.0.0.0/8 it asks for.
fn is_this_host(address: IpAddr) -> bool {
    address == IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)
        || address == IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)
}

/// The name of an address, if the address is one of the name's.
fn confirmed(resolver: &dyn Resolver, address: IpAddr) -> std::io::Result<Option<Arc<str>>> {
    let Some(name) = resolver.name_of(address)?.filter(|name| !resembles_an_address(name)) else {
        return Ok(None);
    };
    let leads_back = resolver.addresses_of(&name)?.iter().any(|one| one.to_canonical() == address);
    Ok(leads_back.then(|| name.into()))
}

/// `10.example` would be covered by `10.%`: the server accepts no name that begins with a number and a dot.
fn resembles_an_address(name: &str) -> bool {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < name.len() && rest.starts_with('.')
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const WEB: &str = "10.0.0.1";

    /// Answers by a table; counts questions; may not answer for a while.
    #[derive(Default)]
    struct Table {
        names: Vec<(&'static str, &'static str)>,
        addresses: Vec<(&'static str, &'static str)>,
        asked: AtomicUsize,
        slow: bool,
    }

    impl Resolver for Table {
        fn name_of(&self, address: IpAddr) -> std::io::Result<Option<String>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.slow {
                std::thread::park_timeout(Duration::from_secs(30));
            }
            let found = self.names.iter().find(|(known, _)| *known == address.to_string());
            Ok(found.map(|(_, name)| (*name).to_owned()))
        }

        fn addresses_of(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
            let found = self.addresses.iter().filter(|(known, _)| *known == name);
            let found: Vec<IpAddr> = found.filter_map(|(_, address)| address.parse().ok()).collect();
            if found.is_empty() { Err(std::io::Error::other("no such name")) } else { Ok(found) }
        }
    }

    fn names(table: Table) -> (HostNames, Arc<Table>) {
        let table = Arc::new(table);
        (HostNames::new(table.clone()), table)
    }

    async fn learnt(names: &HostNames, address: &str) -> Option<Arc<str>> {
        let address = address.parse().unwrap();
        names.learn(address).await;
        names.known(address)
    }

    #[tokio::test]
    async fn a_name_counts_if_it_leads_back() {
        let (names, table) = names(Table {
            names: vec![(WEB, "web.example"), ("10.0.0.2", "liar.example"), ("10.0.0.3", "10.example")],
            addresses: vec![
                ("web.example", "10.0.0.9"),
                ("web.example", WEB),
                ("liar.example", WEB),
                ("10.example", "10.0.0.3"),
            ],
            ..Table::default()
        });
        assert_eq!(names.known(WEB.parse().unwrap()), None, "nobody has asked");
        for (address, name) in [
            (WEB, Some("web.example")),
            ("::ffff:10.0.0.1", Some("web.example")),
            ("10.0.0.2", None),
            ("10.0.0.3", None),
            ("10.0.0.4", None),
            ("127.0.0.1", Some("localhost")),
            ("::1", Some("localhost")),
            ("127.0.0.2", None),
        ] {
            assert_eq!(learnt(&names, address).await.as_deref(), name, "{address}");
        }
        let asked = table.asked.load(Ordering::SeqCst);
        assert_eq!(learnt(&names, WEB).await.as_deref(), Some("web.example"));
        assert_eq!(learnt(&names, "10.0.0.4").await, None);
        assert_eq!(table.asked.load(Ordering::SeqCst), asked, "all of it is known by now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_hangs_holds_nobody_up() {
        let (names, table) = names(Table { slow: true, ..Table::default() });
        let begun = tokio::time::Instant::now();
        let addresses: Vec<IpAddr> = (1..=20).map(|n| IpAddr::from([10, 0, 1, n])).collect();
        for address in addresses {
            names.learn(address).await;
            assert_eq!(names.known(address), None);
        }
        assert!(begun.elapsed() <= 20 * LONGEST + Duration::from_secs(1));
        assert!(table.asked.load(Ordering::SeqCst) <= MOST_ASKED, "no more threads than that");
    }

    #[test]
    fn names_like_addresses_are_none() {
        for (name, resembles) in [
            ("10.example", true),
            ("1.2.3.4", true),
            ("web1.example", false),
            ("3com", false),
            ("1a.b", false),
            ("", false),
        ] {
            assert_eq!(resembles_an_address(name), resembles, "{name}");
        }
    }
}
