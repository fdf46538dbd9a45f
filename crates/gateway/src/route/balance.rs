//! Which of the fit servers serves a read.

use std::sync::atomic::Ordering;

use config::Balance;
use topology::{ServerId, ServerView};

use crate::core::ClusterEntry;

/// A server that may serve the read, and its share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) id: ServerId,
    pub(super) weight: u32,
}

impl Candidate {
    /// A replica's share, reduced while it returns gradually; never 0.
    pub(super) fn replica(server: &ServerView) -> Self {
        let weight = u64::from(server.weight) * u64::from(server.ramp_percent.min(100));
        Self { id: server.id, weight: (weight.min(u64::from(u32::MAX)) as u32).max(1) }
    }

    /// The primary's share of reads, in the unit of [`Self::replica`].
    pub(super) fn primary(server: &ServerView, share: u32) -> Self {
        Self { id: server.id, weight: share.saturating_mul(100) }
    }
}

/// Numbers that a choice may depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    pub(crate) random: u64,
    pub(crate) user: u64,
    pub(crate) client: u64,
}

/// Picks one; `None` only if there is none.
pub(super) fn pick(
    candidates: &[Candidate],
    how: Balance,
    entry: &ClusterEntry,
    dice: Dice,
) -> Option<ServerId> {
    match candidates {
        [] => None,
        [only] => Some(only.id),
        _ => Some(match how {
            Balance::LeastOutstanding => least_of_two(candidates, entry, dice.random),
            Balance::WeightedRandom => by_weight(candidates, dice.random),
            Balance::WeightedRoundRobin => by_weight(
                candidates,
                entry.round_robin.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN) >> 16,
            ),
            Balance::HashUser => rendezvous(candidates, dice.user),
            Balance::HashClient => rendezvous(candidates, dice.client),
        }),
    }
}

/// Two by weight, then the one with fewer statements under way for its weight: nearly as even as looking at all,
/// without the herd that runs to the one idle server.
fn least_of_two(candidates: &[Candidate], entry: &ClusterEntry, random: u64) -> ServerId {
    let first = candidate_by_weight(candidates, random);
    let second = candidate_by_weight(candidates, spread(random));
    let load = |c: &Candidate| {
        let outstanding = u64::from(entry.outstanding.of(c.id));
        (outstanding * 1_000_000) / u64::from(c.weight.max(1))
    };
    if load(&second) < load(&first) { second.id } else { first.id }
}

fn by_weight(candidates: &[Candidate], number: u64) -> ServerId {
    candidate_by_weight(candidates, number).id
}

fn candidate_by_weight(candidates: &[Candidate], number: u64) -> Candidate {
    let total: u64 = candidates.iter().map(|c| u64::from(c.weight)).sum();
    // The upper bits carry the even spread.
    let mut left = ((u128::from(number & 0xffff_ffff_ffff) * u128::from(total)) >> 48) as u64;
    for candidate in candidates {
        if left < u64::from(candidate.weight) {
            return *candidate;
        }
        left -= u64::from(candidate.weight);
    }
    candidates[candidates.len() - 1]
}

/// Highest random weight: when a server leaves, only its own users move.
fn rendezvous(candidates: &[Candidate], key: u64) -> ServerId {
    let score = |c: &&Candidate| {
        let hash = spread(key ^ spread(u64::from(c.id.0) + 1));
        // Weighted rendezvous: -w / ln(u), larger is better.
        let unit = (hash >> 11) as f64 / (1u64 << 53) as f64;
        let score = -f64::from(c.weight) / unit.max(f64::MIN_POSITIVE).ln();
        (score * 1e6) as u64
    };
    candidates.iter().max_by_key(score).map_or(candidates[0].id, |c| c.id)
}

/// 2^64 divided by the golden ratio: its multiples fall evenly into every interval, so that a counter gives each
/// server its share without runs.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser: evenly spread bits from any number.
pub(crate) fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
