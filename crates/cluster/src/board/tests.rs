//! Reports in, views out, with times made up by the test.

use super::*;
use crate::detect::health::Thread;
use crate::observe::durability::Durability;
use crate::observe::replication::Channel;

struct Bench {
    board: Board,
    origin: Instant,
    /// When the server that speaks was started.
    started: i64,
}

fn address(n: u16) -> Address {
    Address::new("10.0.0.1", 3300 + n)
}

impl Bench {
    fn new(servers: u16) -> Self {
        let addresses = (0..servers).map(address).collect();
        let options = ObserveOptions::new(addresses, "hadal", mysql_client::Secret::None);
        let origin = Instant::now();
        Self { board: Board::new("main", Arc::new(options), origin), origin, started: 1 }
    }

    /// What server `n` says at `ms`: whether it is writable, whom it replicates from, and its position.
    fn says(&mut self, n: u16, ms: u64, writable: bool, source: Option<u16>, position: &str) {
        self.says_with_beat(n, ms, writable, source, position, None);
    }

    /// The same, with the newest beat that has arrived there.
    fn says_with_beat(
        &mut self,
        n: u16,
        ms: u64,
        writable: bool,
        source: Option<u16>,
        position: &str,
        beat: Option<u64>,
    ) {
        let at = self.origin + Duration::from_millis(ms);
        let position: Position = position.parse().unwrap();
        let yes = || Thread { state: "Yes".to_owned(), error: String::new() };
        let channel = |source| Channel {
            name: String::new(),
            source: address(source),
            source_server_id: u32::from(source) + 1,
            source_uuid: None,
            receiver: yes(),
            applier: yes(),
            seconds_behind: Some(0),
            received: Position::default(),
            read_all: true,
            heartbeats: 0,
            heartbeat_period: None,
        };
        let seen = Observation {
            began: at,
            ended: at,
            version: "10.11.0-MariaDB".to_owned(),
            server_id: u32::from(n) + 1,
            uuid: None,
            identity: ("host".to_owned(), n.to_string()),
            read_only: !writable,
            position: position.clone(),
            written: position.clone(),
            reached: position,
            purged: Position::default(),
            unprepared: None,
            durability: Durability { started: self.started, ..Durability::default() },
            channels: source.map(channel).into_iter().collect(),
            beat,
            pending_write: None,
            replicas: Vec::new(),
        };
        self.board.looked(server_id(n.into()), Ok(seen));
    }

    fn primary(&mut self) -> Option<u16> {
        self.board.view().primary.map(|id| id.0)
    }

    /// A primary and two replicas; the second one detached and writable while the first goes on for `seconds`.
    fn with_a_detached_server(seconds: u64) -> Self {
        let mut bench = Self::new(3);
        bench.says(0, 0, true, None, "0-1-1");
        bench.says(1, 0, false, Some(0), "0-1-1");
        bench.says(2, 0, false, Some(0), "0-1-1");
        bench.says(2, 100, true, None, "0-1-1");
        for second in 1..=seconds {
            let position = format!("0-1-{}", second + 1);
            bench.says(0, second * 1000, true, None, &position);
            bench.says(1, second * 1000, false, Some(0), &position);
        }
        assert_eq!(bench.primary(), Some(0));
        bench
    }
}

#[test]
fn a_server_that_was_detached_a_moment_ago_may_succeed() {
    let mut bench = Bench::with_a_detached_server(3);
    bench.says(0, 3500, false, None, "0-1-4");
    assert_eq!(bench.primary(), Some(2));
    assert_eq!(bench.board.view().epoch, 2);
}

#[test]
fn one_that_was_detached_long_ago_may_not_whatever_happens_to_the_primary() {
    let mut bench = Bench::with_a_detached_server(30);
    bench.board.looked(
        ServerId(0),
        Err(Failure {
            fault: crate::detect::death::Fault::Gone,
            why: "refused".to_owned(),
            began: Instant::now(),
        }),
    );
    assert_eq!(bench.primary(), Some(0));
    bench.says(0, 31_000, false, None, "0-1-31");
    assert_eq!(bench.primary(), None);
    bench.says(2, 32_000, true, None, "0-1-1");
    assert_eq!(bench.primary(), None);
    // The other replica, which is in step, may.
    bench.says(2, 33_000, false, None, "0-1-1");
    bench.says(1, 33_000, true, None, "0-1-31");
    assert_eq!(bench.primary(), Some(1));
}

#[test]
fn the_epoch_counts_changes_and_not_absences() {
    let mut bench = Bench::new(2);
    bench.says(0, 0, true, None, "0-1-1");
    assert_eq!((bench.primary(), bench.board.view().epoch), (None, 0));
    bench.says(1, 0, false, Some(0), "0-1-1");
    assert_eq!((bench.primary(), bench.board.view().epoch), (Some(0), 1));
    bench.says(0, 500, false, None, "0-1-1");
    assert_eq!((bench.primary(), bench.board.view().epoch), (None, 1));
    bench.says(0, 1000, true, None, "0-1-1");
    assert_eq!((bench.primary(), bench.board.view().epoch), (Some(0), 1));
}

#[test]
fn beats_make_the_lag_and_the_lag_the_health() {
    let mut bench = Bench::new(2);
    bench.says(0, 0, true, None, "0-1-1");
    bench.says(1, 0, false, Some(0), "0-1-1");
    bench.says(0, 500, true, None, "0-1-2");
    bench.says(1, 900, false, Some(0), "0-1-1");
    let lag = |bench: &mut Bench| bench.board.view().servers[1].lag_ms;
    assert_eq!(lag(&mut bench), Some(400));
    assert!(bench.board.view().servers[1].takes_replica_reads());
    bench.says(1, 1600, false, Some(0), "0-1-1");
    assert_eq!(lag(&mut bench), Some(1100));
    assert!(!bench.board.view().servers[1].takes_replica_reads());
    bench.says(1, 1700, false, Some(0), "0-1-2");
    let view = bench.board.view();
    assert_eq!((view.servers[1].lag_ms, view.servers[1].ramp_percent), (Some(0), 10));
    assert!(view.servers[1].takes_replica_reads());
}

#[test]
fn a_replica_that_is_kept_late_is_late_also_while_nobody_writes() {
    let mut bench = Bench::new(2);
    bench.says(0, 0, true, None, "0-1-1");
    bench.says(1, 0, false, Some(0), "0-1-1");
    let beat = |bench: &mut Bench, n: u64, ms: u64| {
        bench.board.beat(ServerId(0), n, bench.origin + Duration::from_millis(ms));
        bench.says(0, ms, true, None, &format!("0-1-{n}"));
    };
    let looks = |bench: &mut Bench, ms: u64, beat: u64| {
        bench.says_with_beat(1, ms, false, Some(0), &format!("0-1-{beat}"), Some(beat));
        bench.board.view().servers[1].lag_ms
    };
    beat(&mut bench, 10, 100);
    assert_eq!(looks(&mut bench, 200, 10), Some(0));
    beat(&mut bench, 11, 1000);
    assert_eq!(looks(&mut bench, 2500, 10), Some(1500));
    // It has all there is, and will be as late with what comes next.
    assert_eq!(looks(&mut bench, 3000, 11), Some(1500));
    assert_eq!(looks(&mut bench, 20_000, 11), Some(1500));
    assert!(!bench.board.view().servers[1].takes_replica_reads());
    beat(&mut bench, 12, 20_100);
    assert_eq!(looks(&mut bench, 20_500, 12), Some(0));
    assert!(bench.board.view().servers[1].takes_replica_reads());
}

#[test]
fn what_a_dead_primary_took_with_it_makes_nobody_late() {
    let mut bench = Bench::new(2);
    bench.says(0, 0, true, None, "0-1-1");
    bench.says(1, 0, false, Some(0), "0-1-1");
    bench.says(0, 500, true, None, "0-1-2");
    bench.says(1, 600, false, Some(0), "0-1-1");
    bench.board.looked(
        ServerId(0),
        Err(Failure {
            fault: crate::detect::death::Fault::Gone,
            why: "refused".to_owned(),
            began: Instant::now(),
        }),
    );
    bench.says(1, 60_000, false, Some(0), "0-1-1");
    let view = bench.board.view();
    assert_eq!((view.servers[0].lag_ms, view.servers[1].lag_ms), (None, Some(0)));
    assert!(view.servers[1].takes_replica_reads());
}

#[test]
fn a_neighbour_called_localhost_is_on_the_neighbours_host() {
    let mut bench = Bench::new(1);
    bench.says(0, 0, false, None, "0-9-1");
    let local = Address::new("127.0.0.1", 3399);
    let entry = bench.board.servers[0].seen.as_mut().unwrap();
    entry.replicas = vec![(local, 77)];
    let seen = bench.board.servers[0].seen.clone().unwrap();
    bench.board.looked(ServerId(0), Ok(seen));
    assert_eq!(*bench.board.servers[1].address, Address::new("10.0.0.1", 3399));
}

/// Whether the second server may have lost what it had received, after these looks at a pair of servers under load.
#[test]
fn one_that_was_started_again_is_believed_once_it_has_what_was_written_before() {
    let mut bench = Bench::new(2);
    let start = |bench: &Bench| bench.board.picture(bench.origin).starts["10.0.0.1:3301"].unproved;
    bench.says(0, 0, true, None, "0-1-10");
    bench.says(1, 1, false, Some(0), "0-1-9");
    assert!(start(&bench));
    // The primary is always a little ahead.
    bench.says(0, 500, true, None, "0-1-20");
    bench.says(1, 501, false, Some(0), "0-1-19");
    assert!(start(&bench));
    bench.says(0, 1000, true, None, "0-1-30");
    bench.says(1, 1001, false, Some(0), "0-1-29");
    assert!(!start(&bench));

    let restarts = |bench: &mut Bench, ms, position, started| {
        bench.started = started;
        bench.says(1, ms, false, Some(0), position);
        bench.started = 1;
        bench.board.servers[1].restarted
    };
    assert!(restarts(&mut bench, 1501, "0-1-29", 7));
    // Seen before that.
    assert!(restarts(&mut bench, 1600, "0-1-35", 7));
    bench.says(0, 2000, true, None, "0-1-40");
    assert!(restarts(&mut bench, 2001, "0-1-39", 7));
    assert!(!restarts(&mut bench, 2500, "0-1-41", 7));
}
