//! Everything that a server's binary log has ever held: the newest transaction of every domain *and* server.
//!
//! A position has one point per domain and so cannot tell a fork: `0-1-105` lies "before" `0-2-110`, also where server 2
//! left the common history at 100. `gtid_binlog_state` can (MariaDB manual, "gtid_binlog_state").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::gtid::{GtidPosition, MariaGtid, NotAGtid, read_list, write_list};

/// A server's `gtid_binlog_state`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GtidState {
    /// Sorted by domain and server.
    points: Vec<MariaGtid>,
}

/// Transactions of one domain and server that another history does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraRange {
    pub domain: u32,
    pub server: u32,
    /// The newest that the other has of them; 0 where it has none.
    pub after: u64,
    pub to: u64,
}

impl GtidState {
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub fn points(&self) -> &[MariaGtid] {
        &self.points
    }

    fn find(&self, domain: u32, server: u32) -> Result<usize, usize> {
        self.points.binary_search_by_key(&(domain, server), |p| (p.domain, p.server))
    }

    /// The newest transaction of this domain that this server began, 0 where there is none.
    pub fn seq(&self, domain: u32, server: u32) -> u64 {
        self.find(domain, server).ok().and_then(|i| self.points.get(i)).map_or(0, |p| p.seq)
    }

    /// Takes in a transaction; an older one changes nothing.
    pub fn advance(&mut self, gtid: MariaGtid) {
        match self.find(gtid.domain, gtid.server) {
            Ok(i) => {
                if let Some(point) = self.points.get_mut(i) {
                    point.seq = point.seq.max(gtid.seq);
                }
            }
            Err(i) => self.points.insert(i, gtid),
        }
    }

    /// What this history has and `other` lacks. `base` is the other one's `gtid_slave_pos`: a server that was made from a
    /// backup has nothing in its log of what lies before. What the base names itself is known to it in any case; and if
    /// the log lacks even that, it begins later, and says nothing of what any server wrote until then.
    pub fn beyond(&self, other: &GtidState, base: &GtidPosition) -> Vec<ExtraRange> {
        let lacks = |p: &&MariaGtid| {
            let before = |b: &&MariaGtid| b.domain == p.domain && b.seq >= p.seq;
            let by_base = |b: &MariaGtid| b.server == p.server || other.seq(b.domain, b.server) < b.seq;
            other.seq(p.domain, p.server) < p.seq && !base.points().iter().filter(before).any(by_base)
        };
        let extra = |p: &MariaGtid| {
            let in_base = base.points().iter().filter(|b| (b.domain, b.server) == (p.domain, p.server));
            let after = in_base.map(|b| b.seq).fold(other.seq(p.domain, p.server), u64::max);
            ExtraRange { domain: p.domain, server: p.server, after, to: p.seq }
        };
        self.points.iter().filter(lacks).map(extra).collect()
    }
}

impl fmt::Display for ExtraRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, server, after, to } = self;
        match after.saturating_add(1) {
            // Nothing tells where they begin.
            1 if *to > 1 => write!(f, "up to {domain}-{server}-{to}"),
            first if first >= *to => write!(f, "{domain}-{server}-{to}"),
            first => write!(f, "{domain}-{server}-{first}…{to}"),
        }
    }
}

impl fmt::Display for GtidState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.points)
    }
}

impl FromStr for GtidState {
    type Err = NotAGtid;

    /// Reads a comma-separated list; the empty text is the empty state.
    fn from_str(text: &str) -> Result<Self, NotAGtid> {
        let mut state = Self::default();
        read_list(text).try_for_each(|gtid| gtid.map(|gtid| state.advance(gtid)))?;
        Ok(state)
    }
}

impl TryFrom<String> for GtidState {
    type Error = NotAGtid;

    fn try_from(text: String) -> Result<Self, NotAGtid> {
        text.parse()
    }
}

impl From<GtidState> for String {
    fn from(state: GtidState) -> Self {
        state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> GtidState {
        text.parse().unwrap()
    }

    fn beyond(old: &str, new: &str, base: &str) -> String {
        let extra = state(old).beyond(&state(new), &base.parse().unwrap());
        extra.iter().map(ExtraRange::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_fork_shows_although_the_position_looks_older() {
        // Server 2 took over at 100; server 1 went on alone to 105.
        assert_eq!(beyond("0-1-105", "0-1-100,0-2-110", ""), "0-1-101…105");
        assert_eq!(beyond("0-1-100", "0-1-100,0-2-110", ""), "");
        assert_eq!(beyond("0-1-100,0-2-90", "0-1-100,0-2-110", ""), "");
        assert_eq!(beyond("0-1-100,0-3-101", "0-1-100,0-2-110", ""), "up to 0-3-101");
        assert_eq!(beyond("7-1-3", "0-1-100", ""), "up to 7-1-3");
    }

    #[test]
    fn what_a_backup_held_is_known() {
        assert_eq!(beyond("0-1-100", "0-2-110", "0-1-100"), "");
        assert_eq!(beyond("0-1-101", "0-2-110", "0-1-100"), "0-1-101");
        // So is what former primaries wrote, where the log begins after the backup …
        assert_eq!(beyond("0-3-40,0-1-100", "0-2-110", "0-1-100"), "");
        // … and not where the log goes back further: then it would be there.
        assert_eq!(beyond("0-3-40,0-1-100", "0-1-100,0-2-110", "0-1-100"), "up to 0-3-40");
        assert_eq!(beyond("1-3-40", "0-2-110", "0-1-100"), "up to 1-3-40");
    }
}
