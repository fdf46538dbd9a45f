//! MariaDB's global transaction ids: one point per replication domain.
//!
//! Source: MariaDB manual, "Global Transaction ID". Within a domain the order is the sequence number; ids of
//! different domains are not comparable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `domain-server-sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MariaGtid {
    pub domain: u32,
    pub server: u32,
    pub seq: u64,
}

impl fmt::Display for MariaGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.seq)
    }
}

/// The text was not a GTID or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAGtid(pub String);

impl fmt::Display for NotAGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a GTID position", self.0)
    }
}

impl std::error::Error for NotAGtid {}

impl FromStr for MariaGtid {
    type Err = NotAGtid;

    fn from_str(text: &str) -> Result<Self, NotAGtid> {
        let bad = || NotAGtid(text.to_owned());
        let mut parts = text.trim().splitn(3, '-');
        let mut next = || parts.next().ok_or_else(bad);
        let domain = next()?.parse().map_err(|_| bad())?;
        let server = next()?.parse().map_err(|_| bad())?;
        let seq = next()?.parse().map_err(|_| bad())?;
        Ok(Self { domain, server, seq })
    }
}

/// Writes a comma-separated list.
pub(crate) fn write_list(f: &mut fmt::Formatter<'_>, points: &[MariaGtid]) -> fmt::Result {
    for (i, point) in points.iter().enumerate() {
        write!(f, "{}{point}", if i > 0 { "," } else { "" })?;
    }
    Ok(())
}

/// Reads a comma-separated list; the empty text is the empty list.
pub(crate) fn read_list(text: &str) -> impl Iterator<Item = Result<MariaGtid, NotAGtid>> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse)
}

/// The newest transaction of every domain, as in `gtid_slave_pos`. Few domains: a sorted vector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GtidPosition {
    points: Vec<MariaGtid>,
}

impl GtidPosition {
    /// Nothing of any domain.
    pub const NOWHERE: Self = Self { points: Vec::new() };

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub fn points(&self) -> &[MariaGtid] {
        &self.points
    }

    /// The sequence number reached in `domain`, 0 where nothing was seen.
    pub fn seq(&self, domain: u32) -> u64 {
        match self.points.binary_search_by_key(&domain, |p| p.domain) {
            Ok(i) => self.points[i].seq,
            Err(_) => 0,
        }
    }

    /// Moves the position forward to `gtid`; an older one changes nothing.
    pub fn advance(&mut self, gtid: MariaGtid) {
        match self.points.binary_search_by_key(&gtid.domain, |p| p.domain) {
            Ok(i) if self.points[i].seq < gtid.seq => self.points[i] = gtid,
            Ok(_) => {}
            Err(i) => self.points.insert(i, gtid),
        }
    }

    /// Moves forward to every point of `other`.
    pub fn advance_all(&mut self, other: &GtidPosition) {
        for point in &other.points {
            self.advance(*point);
        }
    }

    /// Whether everything up to `wanted` is included, by sequence number in each domain.
    pub fn covers(&self, wanted: &GtidPosition) -> bool {
        wanted.points.iter().all(|p| self.seq(p.domain) >= p.seq)
    }
}

impl fmt::Display for GtidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.points)
    }
}

impl FromStr for GtidPosition {
    type Err = NotAGtid;

    /// Reads a comma-separated list; the empty text is the empty position.
    fn from_str(text: &str) -> Result<Self, NotAGtid> {
        let mut position = Self::default();
        read_list(text).try_for_each(|gtid| gtid.map(|gtid| position.advance(gtid)))?;
        Ok(position)
    }
}

impl TryFrom<String> for GtidPosition {
    type Error = NotAGtid;

    fn try_from(text: String) -> Result<Self, NotAGtid> {
        text.parse()
    }
}

impl From<GtidPosition> for String {
    fn from(position: GtidPosition) -> Self {
        position.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_keeps_the_newest_of_each_domain() {
        let mut p: GtidPosition = "0-1-100,1-7-5".parse().unwrap();
        p.advance("0-2-90".parse().unwrap());
        assert_eq!(p.to_string(), "0-1-100,1-7-5");
        p.advance("0-2-101".parse().unwrap());
        assert_eq!(p.to_string(), "0-2-101,1-7-5");
        assert!(p.covers(&"0-1-101".parse().unwrap()));
        assert!(!p.covers(&"0-1-102".parse().unwrap()));
        assert!(!p.covers(&"2-1-1".parse().unwrap()));
        assert!(p.covers(&GtidPosition::default()));
    }

    #[test]
    fn text_that_is_no_gtid_is_refused() {
        for text in ["1-2", "a-b-c", "0-1--5", "0-1-99999999999999999999"] {
            assert!(text.parse::<MariaGtid>().is_err(), "{text}");
        }
    }
}
