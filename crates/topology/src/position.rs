//! How far a server has come, on MariaDB or on MySQL.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::gtid::{GtidPosition, MariaGtid, NotAGtid};
use crate::gtid_set::GtidSet;
use crate::gtid_state::ExtraRange;

static NOWHERE: GtidPosition = GtidPosition::NOWHERE;

/// One or the other; a cluster has servers of one kind only. The empty position is the same for both, and is never a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Position {
    Mariadb(GtidPosition),
    Mysql(GtidSet),
}

impl Default for Position {
    fn default() -> Self {
        Self::Mariadb(GtidPosition::NOWHERE)
    }
}

impl Position {
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Mariadb(position) => position.is_empty(),
            Self::Mysql(set) => set.is_empty(),
        }
    }

    /// MariaDB's position; empty on MySQL.
    pub fn mariadb(&self) -> &GtidPosition {
        match self {
            Self::Mariadb(position) => position,
            Self::Mysql(_) => &NOWHERE,
        }
    }

    /// MySQL's set; `None` on MariaDB, and where it is empty.
    pub fn set(&self) -> Option<&GtidSet> {
        match self {
            Self::Mariadb(_) => None,
            Self::Mysql(set) => Some(set),
        }
    }

    /// The same, by value.
    pub fn into_set(self) -> GtidSet {
        match self {
            Self::Mariadb(_) => GtidSet::default(),
            Self::Mysql(set) => set,
        }
    }

    /// MariaDB's newest transactions, one for every domain.
    pub fn points(&self) -> &[MariaGtid] {
        self.mariadb().points()
    }

    /// MariaDB's sequence number in a domain.
    pub fn seq(&self, domain: u32) -> u64 {
        self.mariadb().seq(domain)
    }

    /// Moves MariaDB's position forward; an older transaction changes nothing.
    pub fn advance(&mut self, gtid: MariaGtid) {
        if let Self::Mariadb(position) = self {
            position.advance(gtid);
        }
    }

    /// Moves forward to everything of `other`. One of the other kind of servers changes nothing.
    pub fn advance_all(&mut self, other: &Position) {
        if self.is_empty() {
            self.clone_from(other);
        }
        match (self, other) {
            (Self::Mariadb(own), Self::Mariadb(other)) => own.advance_all(other),
            (Self::Mysql(own), Self::Mysql(other)) => own.add(other),
            _ => {}
        }
    }

    /// Whether everything up to `wanted` is included.
    pub fn covers(&self, wanted: &Position) -> bool {
        match (self, wanted) {
            (Self::Mariadb(own), Self::Mariadb(wanted)) => own.covers(wanted),
            (Self::Mysql(own), Self::Mysql(wanted)) => own.covers(wanted),
            _ => wanted.is_empty(),
        }
    }

    /// How many transactions of `to` it lacks: on MariaDB by the numbers, on MySQL exactly.
    pub fn distance(&self, to: &Position) -> u64 {
        match to {
            Self::Mysql(to) => self.set().map_or_else(|| to.count(), |own| to.minus(own).count()),
            Self::Mariadb(to) => {
                let ahead = |p: &MariaGtid| p.seq.saturating_sub(self.seq(p.domain));
                to.points().iter().map(ahead).fold(0, u64::saturating_add)
            }
        }
    }
}

impl From<GtidPosition> for Position {
    fn from(position: GtidPosition) -> Self {
        Self::Mariadb(position)
    }
}

impl From<GtidSet> for Position {
    fn from(set: GtidSet) -> Self {
        if set.is_empty() { Self::default() } else { Self::Mysql(set) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mariadb(position) => position.fmt(f),
            Self::Mysql(set) => set.fmt(f),
        }
    }
}

impl FromStr for Position {
    type Err = NotAGtid;

    /// Reads what either kind of server shows; the empty text is the empty position.
    fn from_str(text: &str) -> Result<Self, NotAGtid> {
        match text.contains(':') {
            true => text.parse::<GtidSet>().map(Self::from),
            false => text.parse().map(Self::Mariadb),
        }
    }
}

impl TryFrom<String> for Position {
    type Error = NotAGtid;

    fn try_from(text: String) -> Result<Self, NotAGtid> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

/// Transactions that another history does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Extra {
    Range(ExtraRange),
    /// MySQL: those of one server.
    Set(GtidSet),
}

impl Extra {
    /// On MariaDB.
    pub fn range(&self) -> Option<&ExtraRange> {
        match self {
            Self::Range(range) => Some(range),
            Self::Set(_) => None,
        }
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Set(set) => set.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "3a5fce30-e5e5-11f1-840b-02fc00000001";

    fn at(text: &str) -> Position {
        text.replace('u', U).parse().unwrap()
    }

    #[test]
    fn both_kinds_are_read_and_the_empty_one_is_neither() {
        assert_eq!(at("0-1-5,1-1-7").points().len(), 2);
        assert_eq!(at("u:1-5").set().map(GtidSet::count), Some(5));
        assert_eq!(at("u:5-1"), Position::default());
        assert_eq!(at(""), Position::default());
        assert!("x".parse::<Position>().is_err() && "x:1".parse::<Position>().is_err());
        for text in ["0-1-5", "u:1-5:7", ""] {
            let text = serde_json::to_string(&at(text)).unwrap();
            assert_eq!(
                serde_json::to_string(&serde_json::from_str::<Position>(&text).unwrap()).unwrap(),
                text
            );
        }
    }

    #[test]
    fn sets_and_points_do_not_mix() {
        assert!(!at("u:1-9").covers(&at("0-1-1")) && !at("0-1-9").covers(&at("u:1")));
        assert!(at("u:1-9").covers(&at("")) && at("").covers(&at("")) && !at("").covers(&at("u:1")));
        assert_eq!(at("").distance(&at("u:3-9")), 7);
        assert_eq!(at("u:1-4:8").distance(&at("u:3-9")), 4);
        assert_eq!(at("0-1-4").distance(&at("0-1-9,1-1-2")), 7);
        let mut most = at("");
        most.advance_all(&at("u:1-4"));
        most.advance_all(&at("u:6"));
        most.advance_all(&at("0-1-6"));
        assert_eq!(most, at("u:1-4:6"));
    }
}
