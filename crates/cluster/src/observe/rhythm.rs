//! When the heart beats: at every tick while others write, and ever more seldom while nobody does.
//!
//! A server on which nothing happens is left alone, since programs read its binary log and wait for its end, and since it
//! would otherwise grow for nothing. What a replica's lag was meanwhile is held
//! ([`crate::detect::lag::Arrival`]).

use std::time::{Duration, Instant};

use topology::Position;

/// The longest pause between two beats: a replica that was late and has caught up while nobody writes is seen to be in
/// step after this at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Each pause is this many times the one before.
const GROWTH: u32 = 4;

/// Decides at each tick. No I/O.
#[derive(Debug)]
pub(crate) struct Rhythm {
    /// The first pause after somebody wrote.
    shortest: Duration,
    pause: Duration,
    due: Option<Instant>,
    /// The primary's position, if nobody else has written since.
    expected: Position,
}

impl Rhythm {
    pub(crate) fn new(shortest: Duration) -> Self {
        Self { shortest, pause: shortest, due: None, expected: Position::default() }
    }

    /// Whether to beat now, `written` being the primary's position.
    pub(crate) fn is_due(&mut self, written: Position, now: Instant) -> bool {
        let idle = written == self.expected;
        self.expected = written;
        if idle {
            return self.due.is_none_or(|due| due <= now);
        }
        self.pause = self.shortest;
        true
    }

    /// A beat was written, and this is where it, or the server after it, stands.
    pub(crate) fn beaten(&mut self, after: &Position, now: Instant) {
        if self.expected.distance(after) > 1 {
            // Somebody wrote between the look and the beat.
            self.pause = self.shortest;
        }
        self.expected.advance_all(after);
        self.due = Some(now + self.pause);
        self.pause = self.pause.saturating_mul(GROWTH).min(LONGEST_PAUSE.max(self.shortest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> Position {
        text.parse().unwrap()
    }

    /// The milliseconds at which it beats on a server where others write as `others` says.
    fn beats(until: u64, others: impl Fn(u64) -> bool) -> Vec<u64> {
        let start = Instant::now();
        let (mut rhythm, mut seq, mut beats) = (Rhythm::new(Duration::from_millis(500)), 10, Vec::new());
        for ms in (0..until).step_by(500) {
            let now = start + Duration::from_millis(ms);
            seq += u64::from(others(ms));
            if rhythm.is_due(position(&format!("0-1-{seq},5-2-7")), now) {
                seq += 1;
                rhythm.beaten(&position(&format!("0-1-{seq}")), now);
                beats.push(ms);
            }
        }
        beats
    }

    #[test]
    fn pauses_grow_while_nobody_else_writes() {
        assert_eq!(beats(110_000, |_| false), [0, 500, 2500, 10_500, 40_500, 70_500, 100_500]);
    }

    #[test]
    fn every_tick_beats_while_others_write() {
        assert_eq!(beats(3000, |_| true), [0, 500, 1000, 1500, 2000, 2500]);
        assert_eq!(beats(20_000, |ms| ms == 6000), [0, 500, 2500, 6000, 6500, 8500, 16_500]);
    }

    #[test]
    fn a_write_just_before_the_beat_counts() {
        let (start, mut rhythm) = (Instant::now(), Rhythm::new(Duration::from_millis(500)));
        let at = |ms| start + Duration::from_millis(ms);
        for (ms, seq) in [(0, 1), (500, 2)] {
            assert!(rhythm.is_due(position(&format!("0-1-{seq}")), at(ms)));
            rhythm.beaten(&position(&format!("0-1-{}", seq + 1)), at(ms));
        }
        assert!(!rhythm.is_due(position("0-1-3"), at(1000)));
        assert!(rhythm.is_due(position("0-1-3"), at(2500)));
        // 4 was somebody else's.
        rhythm.beaten(&position("0-1-5"), at(2500));
        assert!(rhythm.is_due(position("0-1-5"), at(3000)));
    }
}
