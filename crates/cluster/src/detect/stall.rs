//! Whether the primary's disk stands still: connections live, reads answer, and no commit ends. Only a write can show that.
//!
//! hadal's heartbeat is such a write. While one does not end, each look at the primary also asks what it waits for and whether
//! anything moves on the disk. The thread of a commit that waits for its turn, for the binary log or for the redo log has the
//! state `Commit` (tried on MariaDB 10.11 with a frozen file system); one that waits for a lock, for a backup or for an
//! acknowledgement has another one. But behind a commit that waits for an acknowledgement others wait as `Commit`, too: so
//! nobody may wait for one. And a slow disk, or one huge transaction that is being written, is no stalled one: the position
//! or the counters move.

use std::time::{Duration, Instant};

use topology::Position;

/// A write of hadal's own that has not ended, as a look at the primary found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingWrite {
    /// What the server says its thread does; empty where the thread has ended.
    pub state: String,
    pub counters: Counters,
}

/// What moves while a server writes, however slowly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `Binlog_bytes_written`.
    pub logged: u64,
    /// `Innodb_data_written`.
    pub written: u64,
    /// `Innodb_data_fsyncs`.
    pub synced: u64,
}

/// Everything that must not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub counters: Counters,
    /// The primary's.
    pub position: Position,
    /// What its replicas have received, all together.
    pub received: Position,
}

/// More time than this between two looks proves nothing: hadal itself, or the primary, may have stood still.
const LONGEST_STEP: Duration = Duration::from_millis(1500);

/// Follows one primary.
#[derive(Clone, Debug, Default)]
pub struct Stall {
    still: Option<Still>,
}

#[derive(Clone, Debug)]
struct Still {
    mark: Mark,
    looked: Instant,
    lasts: Duration,
}

impl Stall {
    /// A look at the primary at `at`. `awaiting`: sessions that wait for an acknowledgement.
    pub fn look(&mut self, write: Option<&PendingWrite>, awaiting: u32, mark: Mark, at: Instant) {
        let commits = write.is_some_and(|write| write.state == "Commit");
        if !commits || awaiting > 0 {
            self.still = None;
            return;
        }
        let before = self.still.take().filter(|still| still.mark == mark);
        let lasts = before.map_or(Duration::ZERO, |still| {
            still.lasts + at.saturating_duration_since(still.looked).min(LONGEST_STEP)
        });
        self.still = Some(Still { mark, looked: at, lasts });
    }

    /// How long nothing has moved, as far as it was looked at; zero where there is nothing to wonder about.
    pub fn lasts(&self) -> Duration {
        self.still.as_ref().map_or(Duration::ZERO, |still| still.lasts)
    }

    /// Another primary, or one that did not answer meanwhile.
    pub fn forget(&mut self) {
        self.still = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(logged: u64, position: &str, received: &str) -> Mark {
        let counters = Counters { logged, ..Counters::default() };
        Mark { counters, position: position.parse().unwrap(), received: received.parse().unwrap() }
    }

    /// How many milliseconds it lasts after looks that are so far apart: state, waiting for acknowledgements, mark.
    fn lasts_after(looks: &[(&str, u32, Mark)], apart_ms: u64) -> u128 {
        let (begin, mut stall) = (Instant::now(), Stall::default());
        for (n, (state, awaiting, mark)) in (0..).zip(looks) {
            let write = PendingWrite { state: (*state).to_owned(), counters: mark.counters.clone() };
            let at = begin + Duration::from_millis(n * apart_ms);
            stall.look((*state != "none").then_some(&write), *awaiting, mark.clone(), at);
        }
        stall.lasts().as_millis()
    }

    fn lasts(looks: &[(&str, u32, Mark)]) -> u128 {
        lasts_after(looks, 1000) / 1000
    }

    #[test]
    fn time_in_which_nobody_looked_hardly_counts() {
        let still = || ("Commit", 0, mark(7, "0-1-9", "0-1-9"));
        assert_eq!(lasts_after(&[still(), still(), still()], 20_000), 3000);
    }

    #[test]
    fn only_a_commit_that_waits_while_nothing_moves_counts() {
        let still = || mark(7, "0-1-9", "0-1-9");
        let stuck = |state| (state, 0, still());
        assert_eq!(lasts(&[stuck("Commit"), stuck("Commit"), stuck("Commit")]), 2);
        // The write has ended, or waits for something else.
        for other in ["none", "", "Update", "Waiting for backup lock", "Waiting for semi-sync ACK from slave"]
        {
            assert_eq!(lasts(&[stuck("Commit"), stuck(other)]), 0, "{other}");
            assert_eq!(lasts(&[stuck("Commit"), stuck(other), stuck("Commit")]), 0, "{other}");
        }
        // Somebody before it waits for an acknowledgement.
        assert_eq!(lasts(&[stuck("Commit"), ("Commit", 1, still()), ("Commit", 1, still())]), 0);
    }

    #[test]
    fn whatever_moves_shows_a_slow_disk() {
        let still = || ("Commit", 0, mark(7, "0-1-9", "0-1-9"));
        for moved in [mark(8, "0-1-9", "0-1-9"), mark(7, "0-1-10", "0-1-9"), mark(7, "0-1-9", "0-1-10")] {
            assert_eq!(lasts(&[still(), still(), ("Commit", 0, moved.clone())]), 0);
            let again = || ("Commit", 0, moved.clone());
            assert_eq!(lasts(&[still(), still(), again(), again()]), 1);
        }
    }
}
