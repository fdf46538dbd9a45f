//! Whether a server may be read from: at once not, and gradually again.

use topology::{Health, Role};

/// The state of one replication thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// `Slave_IO_Running` and `Slave_SQL_Running`: `Yes`, `No`, `Connecting`, `Preparing`.
    pub state: String,
    pub error: String,
}

impl Thread {
    pub fn is_running(&self) -> bool {
        self.state == "Yes"
    }
}

/// What the health of a server that answers is judged by.
#[derive(Clone, Debug)]
pub struct Signs<'a> {
    pub role: Role,
    /// The receiving and the applying thread of every source.
    pub threads: &'a [(Thread, Thread)],
    pub lag_ms: Option<u64>,
    pub max_lag_ms: u64,
    pub follows_primary: bool,
    /// The primary is there, so that there is something to receive.
    pub primary_is_up: bool,
}

/// The health of a server that answers.
pub fn judge(signs: &Signs<'_>) -> Health {
    match why_not(signs) {
        None => Health::Healthy,
        Some(why) => Health::Degraded(why),
    }
}

fn why_not(signs: &Signs<'_>) -> Option<String> {
    match signs.role {
        Role::Primary => return None,
        Role::Unknown => return Some("neither the primary nor one of its replicas".to_owned()),
        Role::Replica => {}
    }
    if !signs.follows_primary {
        return Some("does not replicate from the primary".to_owned());
    }
    for (receiver, applier) in signs.threads {
        let fault = stopped("applying", applier).or_else(|| no_receiver(receiver, signs.primary_is_up));
        if fault.is_some() {
            return fault;
        }
    }
    match signs.lag_ms {
        Some(lag) if lag > signs.max_lag_ms => {
            Some(format!("{lag} ms late, more than the {} ms allowed", signs.max_lag_ms))
        }
        _ => None,
    }
}

fn stopped(what: &str, thread: &Thread) -> Option<String> {
    match (thread.is_running(), thread.error.is_empty()) {
        (true, _) => None,
        (false, true) => Some(format!("the {what} thread is not running ({})", thread.state)),
        (false, false) => Some(format!("the {what} thread stopped: {}", thread.error)),
    }
}

/// A replica that has lost its primary along with us still serves what it has; every replica is in the same state,
/// and there is nothing newer to be read anywhere.
fn no_receiver(receiver: &Thread, primary_is_up: bool) -> Option<String> {
    if receiver.state == "Connecting" && !primary_is_up {
        return None;
    }
    stopped("receiving", receiver)
}

/// How much of its share of reads a server takes: a returning one is tried with little at first, since its caches are
/// cold and its fault may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    percent: u8,
    was_out: bool,
}

impl Default for Ramp {
    fn default() -> Self {
        Self { percent: 100, was_out: false }
    }
}

impl Ramp {
    /// The share that a server returns with.
    pub const FIRST: u8 = 10;

    pub fn percent(self) -> u8 {
        self.percent
    }

    /// The share after one more look at the server. Doubles with every look that finds it healthy.
    #[must_use]
    pub fn next(self, healthy: bool) -> Self {
        match (healthy, self.was_out) {
            (false, _) => Self { percent: Self::FIRST, was_out: true },
            (true, true) => Self { percent: Self::FIRST, was_out: false },
            (true, false) => Self { percent: self.percent.saturating_mul(2).min(100), was_out: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(state: &str, error: &str) -> Thread {
        Thread { state: state.to_owned(), error: error.to_owned() }
    }

    fn replica(threads: &[(Thread, Thread)]) -> Signs<'_> {
        Signs {
            role: Role::Replica,
            threads,
            lag_ms: Some(0),
            max_lag_ms: 1000,
            follows_primary: true,
            primary_is_up: true,
        }
    }

    fn why(signs: &Signs<'_>) -> String {
        match judge(signs) {
            Health::Healthy => String::new(),
            Health::Degraded(why) | Health::Down(why) => why,
        }
    }

    #[test]
    fn a_replica_is_judged_by_its_threads_its_lag_and_its_chain() {
        let yes = || thread("Yes", "");
        let running = [(yes(), yes())];
        assert_eq!(why(&replica(&running)), "");
        assert_eq!(why(&Signs { lag_ms: Some(1000), ..replica(&running) }), "");
        assert!(why(&Signs { lag_ms: Some(1001), ..replica(&running) }).contains("1001 ms late"));
        assert_eq!(why(&Signs { lag_ms: None, ..replica(&running) }), "");
        assert!(why(&Signs { follows_primary: false, ..replica(&running) }).contains("does not replicate"));
        assert!(why(&Signs { role: Role::Unknown, ..replica(&running) }).contains("neither"));

        let broken = [(yes(), yes()), (yes(), thread("No", "1032: no such row"))];
        assert!(why(&replica(&broken)).contains("1032: no such row"));
        let stopped = [(thread("No", ""), yes())];
        assert!(why(&replica(&stopped)).contains("receiving thread is not running (No)"));
        let signs = Signs { role: Role::Primary, threads: &stopped, ..replica(&[]) };
        assert_eq!(why(&signs), "");
    }

    #[test]
    fn a_replica_whose_primary_died_goes_on_serving() {
        let lost = [(thread("Connecting", "2003: refused"), thread("Yes", ""))];
        assert!(why(&replica(&lost)).contains("2003"));
        assert_eq!(why(&Signs { primary_is_up: false, ..replica(&lost) }), "");
        let stopped = [(thread("No", ""), thread("Yes", ""))];
        assert!(!why(&Signs { primary_is_up: false, ..replica(&stopped) }).is_empty());
    }

    #[test]
    fn a_server_returns_gradually_and_leaves_at_once() {
        let mut ramp = Ramp::default();
        assert_eq!(ramp.next(true).percent(), 100);
        ramp = ramp.next(false);
        let mut shares = Vec::new();
        for healthy in [true, true, false, true, true, true, true, true, true] {
            ramp = ramp.next(healthy);
            shares.push(ramp.percent());
        }
        assert_eq!(shares, [10, 20, 10, 10, 20, 40, 80, 100, 100]);
    }
}
