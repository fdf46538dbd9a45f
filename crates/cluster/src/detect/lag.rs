//! How late a replica is, in milliseconds, without comparing any two clocks.
//!
//! Marks are left on the primary, each with the local, monotonic time at which it was certain to be there: beats of the
//! heartbeat table, and positions (`gtid_binlog_pos`) as they were read. A replica is as late as the oldest mark
//! that it has not reached yet, or as the newest beat that it has reached was when it arrived. So a replica in step has a
//! lag of 0 whatever the interval of the marks is, one that is kept late is late also while nobody writes, and a clock
//! that is wrong anywhere changes nothing. While others write, the figure is never too high, and too low by at most one
//! interval.

use std::collections::VecDeque;
use std::time::Duration;

use topology::Position;

/// Something that grows on the primary and arrives on the replicas.
pub trait Mark: PartialEq {
    /// Whether a replica that is here has everything up to `other`.
    fn covers(&self, other: &Self) -> bool;
}

impl Mark for u64 {
    fn covers(&self, other: &u64) -> bool {
        self >= other
    }
}

impl Mark for Position {
    fn covers(&self, other: &Position) -> bool {
        Position::covers(self, other)
    }
}

/// The marks left on the present primary, the oldest first.
#[derive(Debug)]
pub struct Trail<M> {
    marks: VecDeque<(M, Duration)>,
}

impl<M> Default for Trail<M> {
    fn default() -> Self {
        Self { marks: VecDeque::new() }
    }
}

/// At two marks a second some twenty minutes; a replica that is later than all of them is as late as the oldest.
const KEPT: usize = 2400;

impl<M: Mark> Trail<M> {
    /// Notes that `mark` was on the primary at the latest at `at`. A mark that is no news is not noted.
    pub fn leave(&mut self, mark: M, at: Duration) {
        if self.marks.back().is_some_and(|(last, _)| *last == mark) {
            return;
        }
        if self.marks.len() >= KEPT {
            // The second oldest goes: the oldest says since when a replica that is far behind is late at least.
            self.marks.remove(1);
        }
        self.marks.push_back((mark, at));
    }

    /// Forgets everything: another primary, another history.
    pub fn clear(&mut self) {
        self.marks.clear();
    }

    /// How late a replica is that was seen at `seen` at the moment `at`; `None` without any mark.
    pub fn lag(&self, seen: Option<&M>, at: Duration) -> Option<Duration> {
        let missing = |mark: &M| seen.is_none_or(|seen| !seen.covers(mark));
        // Lags are short as a rule: from the newest mark backwards.
        let mut lag = self.marks.back().map(|_| Duration::ZERO)?;
        for (mark, since) in self.marks.iter().rev().filter(|(_, since)| *since <= at) {
            if !missing(mark) {
                break;
            }
            lag = at - *since;
        }
        Some(lag)
    }

    /// When the newest mark was left that a replica that was seen at `seen` has.
    pub fn newest_reached(&self, seen: Option<&M>) -> Option<Duration> {
        let seen = seen?;
        self.marks.iter().rev().find(|(mark, _)| seen.covers(mark)).map(|(_, at)| *at)
    }

    /// When the newest mark was left.
    pub fn newest(&self) -> Option<Duration> {
        self.marks.back().map(|(_, at)| *at)
    }

    /// Whether a replica that was seen at `seen` has passed the oldest mark, so that its lag is more than a lower
    /// bound.
    pub fn reaches_back_to(&self, seen: Option<&M>) -> bool {
        match (self.marks.front(), seen) {
            (Some((oldest, _)), Some(seen)) => seen.covers(oldest),
            _ => false,
        }
    }
}

/// How late, at least, the newest mark that a replica has was when it arrived there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrival {
    /// When the mark was left.
    mark: Option<Duration>,
    /// When the replica was last looked at.
    looked: Duration,
    late: Duration,
}

impl Arrival {
    /// Takes in that the replica, looked at at the moment `at`, has the mark that was left at `reached`.
    pub fn look(&mut self, reached: Option<Duration>, at: Duration) -> Duration {
        if self.mark != reached {
            // At the last look it was still missing.
            self.late = reached.map_or(Duration::ZERO, |mark| self.looked.saturating_sub(mark));
            self.mark = reached;
        }
        self.looked = at;
        self.late
    }
}

/// The lag from all that is known. Trails that the replica has walked from their beginning are exact, and the latest of
/// them counts; a trail that it never entered may just not be replicated to it (a filter on `hadal`). Without an exact
/// one, just after a start, every sign counts, also the server's own estimate, which is in whole seconds and 0
/// while the receiving thread is late.
pub fn combine(beat: Evidence, position: Evidence, seconds_behind: Option<u64>) -> Option<u64> {
    let trails = [beat, position];
    let worst = |exact_only: bool| {
        trails.iter().filter(|e| e.exact || !exact_only).filter_map(|e| e.lag).max().map(millis)
    };
    if trails.iter().any(|e| e.exact) {
        return worst(true);
    }
    worst(false).max(seconds_behind.map(|s| s.saturating_mul(1000)))
}

/// What one trail says of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub lag: Option<Duration>,
    /// The replica has passed the oldest mark.
    pub exact: bool,
}

impl Evidence {
    pub fn of<M: Mark>(trail: &Trail<M>, seen: Option<&M>, at: Duration) -> Self {
        Self { lag: trail.lag(seen, at), exact: trail.reaches_back_to(seen) }
    }
}

fn millis(lag: Duration) -> u64 {
    u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn trail(marks: &[(u64, u64)]) -> Trail<u64> {
        let mut trail = Trail::default();
        marks.iter().for_each(|(mark, at)| trail.leave(*mark, ms(*at)));
        trail
    }

    #[test]
    fn the_oldest_mark_that_is_missing_is_the_lag() {
        let marks = trail(&[(10, 1000), (11, 1500), (12, 2000)]);
        for (seen, at, lag) in [
            (Some(12), 2400, 0),
            (Some(13), 2400, 0),
            (Some(11), 2400, 400),
            (Some(10), 2400, 900),
            (Some(9), 2400, 1400),
            (None, 2400, 1400),
            // Marks that came after the replica was looked at say nothing of it.
            (Some(11), 1900, 0),
            (Some(10), 1600, 100),
        ] {
            assert_eq!(marks.lag(seen.as_ref(), ms(at)), Some(ms(lag)), "{seen:?} at {at}");
        }
        assert_eq!(Trail::<u64>::default().lag(Some(&1), ms(5)), None);
    }

    #[test]
    fn a_mark_arrives_as_late_as_it_was_last_missed() {
        let mut arrival = Arrival::default();
        for (reached, at, late) in [
            (None, 900, 0),
            // Left after the last look.
            (Some(1000), 1400, 0),
            (Some(1000), 1900, 0),
            // One of 1500 that was missing at 1900, 2400 and 2900.
            (Some(1000), 2400, 0),
            (Some(1000), 2900, 0),
            (Some(1500), 3400, 1400),
            (Some(1500), 9000, 1400),
            (Some(9100), 9500, 0),
            (None, 10_000, 0),
        ] {
            assert_eq!(arrival.look(reached.map(ms), ms(at)), ms(late), "{reached:?} at {at}");
        }
        let marks = trail(&[(10, 1000), (11, 1500), (12, 2000)]);
        for (seen, reached) in [(None, None), (Some(9), None), (Some(11), Some(1500)), (Some(13), Some(2000))]
        {
            assert_eq!(marks.newest_reached(seen.as_ref()), reached.map(ms));
        }
    }

    #[test]
    fn positions_of_several_domains_are_marks_too() {
        let position = |text: &str| text.parse::<Position>().unwrap();
        let mut marks = Trail::default();
        marks.leave(position("0-1-5,1-1-7"), ms(100));
        marks.leave(position("0-1-5,1-1-7"), ms(600));
        marks.leave(position("0-1-6,1-1-7"), ms(1100));
        assert_eq!(marks.lag(Some(&position("0-1-6,1-1-7")), ms(2000)), Some(ms(0)));
        assert_eq!(marks.lag(Some(&position("0-1-5,1-1-7")), ms(2000)), Some(ms(900)));
        assert_eq!(marks.lag(Some(&position("0-1-9")), ms(2000)), Some(ms(1900)));
        assert_eq!(marks.lag(Some(&position("0-1-9")), ms(0)), Some(ms(0)));
    }

    #[test]
    fn a_long_trail_keeps_its_oldest_mark() {
        let marks = trail(&(0..5000).map(|n| (n, n * 10)).collect::<Vec<_>>());
        assert_eq!(marks.lag(None, ms(50_000)), Some(ms(50_000)));
        assert_eq!(marks.lag(Some(&4998), ms(50_000)), Some(ms(10)));
    }

    #[test]
    fn the_servers_own_estimate_counts_until_the_trail_is_long_enough() {
        let exact = |n| Evidence { lag: Some(ms(n)), exact: true };
        let bound = |n| Evidence { lag: Some(ms(n)), exact: false };
        let none = Evidence::default();
        for (beat, position, own, expected) in [
            (exact(20), exact(0), Some(7), Some(20)),
            (bound(20), bound(0), Some(7), Some(7000)),
            (bound(20), bound(0), Some(0), Some(20)),
            (bound(20), none, None, Some(20)),
            (bound(9000), exact(0), Some(0), Some(0)),
            (none, exact(900), Some(0), Some(900)),
            (none, none, Some(3), Some(3000)),
            (none, none, None, None),
        ] {
            assert_eq!(combine(beat, position, own), expected);
        }
    }
}
