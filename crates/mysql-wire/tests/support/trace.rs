//! Runs the scanner over a response that arrives in pieces and writes down all that it said.

use anyhow::{Result, ensure};
use mysql_wire::{Capabilities, ResponseKind, ResponseScanner, SteerKind};

/// What the scanner made of a response. Equal for all ways of cutting it into pieces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The packets that were shown, by kind, begin and end in the whole response.
    pub(crate) shown: Vec<(SteerKind, usize, usize)>,
    /// Where the response was said to be complete.
    pub(crate) done_at: Option<usize>,
    pub(crate) rows: u64,
    pub(crate) result_sets: u64,
    pub(crate) last_seq: u8,
}

impl Trace {
    pub(crate) fn kinds(&self) -> Vec<SteerKind> {
        self.shown.iter().map(|(kind, ..)| *kind).collect()
    }
}

/// Scans `pieces` one behind the other, keeping what the scanner does not take, as a relay does.
pub(crate) fn trace<'a>(
    kind: ResponseKind,
    caps: Capabilities,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Trace> {
    let mut scanner = ResponseScanner::new(kind, caps);
    let (mut shown, mut done_at) = (Vec::new(), None);
    let (mut kept, mut taken) = (Vec::new(), 0);
    for piece in pieces {
        kept.extend_from_slice(piece);
        loop {
            let scanned = scanner.scan(&kept)?;
            ensure!(scanned.done == scanner.is_done());
            let end = scanned.steering.map_or(scanned.forward, |steering| steering.end);
            ensure!(scanned.forward <= end && end <= kept.len(), "beyond the buffer");
            if let Some(steering) = scanned.steering {
                shown.push((steering.kind, taken + scanned.forward, taken + steering.end));
            }
            kept.drain(..end);
            taken += end;
            if scanned.done {
                done_at.get_or_insert(taken);
            }
            if scanned.done || scanned.steering.is_none() {
                break;
            }
        }
    }
    let (rows, result_sets, last_seq) = (scanner.rows(), scanner.result_sets(), scanner.last_seq());
    Ok(Trace { shown, done_at, rows, result_sets, last_seq })
}
