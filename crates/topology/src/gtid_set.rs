//! MySQL's global transaction ids: for every server that began transactions, the intervals of their numbers.
//!
//! Source: MySQL manual, "GTID Format and Storage" and "gtid_executed"; the order of what is written, and what is refused,
//! was compared with a server of release 9.7. Unlike MariaDB's positions these are sets: they may have gaps, and what one
//! has that another lacks can be told exactly.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::gtid::NotAGtid;

/// `@@server_uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerUuid(u128);

impl fmt::Display for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        let part = |shift: u32, bits: u32| (n >> shift) & ((1_u128 << bits) - 1);
        let (a, b, c, d, e) = (part(96, 32), part(80, 16), part(64, 16), part(48, 16), part(0, 48));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl FromStr for ServerUuid {
    type Err = NotAGtid;

    fn from_str(text: &str) -> Result<Self, NotAGtid> {
        let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
        let valid = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = valid.then(|| u128::from_str_radix(&digits, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| NotAGtid(text.to_owned()))
    }
}

impl TryFrom<String> for ServerUuid {
    type Error = NotAGtid;

    fn try_from(text: String) -> Result<Self, NotAGtid> {
        text.parse()
    }
}

impl From<ServerUuid> for String {
    fn from(uuid: ServerUuid) -> Self {
        uuid.to_string()
    }
}

/// Who numbers the transactions: a server, and since 8.3 a tag of its own choice; the empty one is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    uuid: ServerUuid,
    tag: String,
}

/// The largest number that a server gives, and one more, so that the end of an interval has room.
const NUMBERS_END: u64 = i64::MAX as u64;

/// From the first number to before the end: sorted, apart from each other, none empty.
type Intervals = Vec<(u64, u64)>;

/// `gtid_executed` and its like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GtidSet {
    origins: BTreeMap<Origin, Intervals>,
}

impl GtidSet {
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// How many transactions it has.
    pub fn count(&self) -> u64 {
        let sizes = self.origins.values().flatten().map(|(from, end)| end - from);
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether everything in `wanted` is here.
    pub fn covers(&self, wanted: &GtidSet) -> bool {
        wanted.origins.iter().all(|(origin, intervals)| {
            let own = self.origins.get(origin).map(Vec::as_slice).unwrap_or_default();
            intervals.iter().all(|(from, end)| contains(own, *from, *end))
        })
    }

    /// Takes in everything of `other`.
    pub fn add(&mut self, other: &GtidSet) {
        for (origin, intervals) in &other.origins {
            let own = self.origins.entry(origin.clone()).or_default();
            own.extend_from_slice(intervals);
            merge(own);
        }
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &GtidSet) -> GtidSet {
        let mut rest = GtidSet::default();
        for (origin, intervals) in &self.origins {
            let without = other.origins.get(origin).map(Vec::as_slice).unwrap_or_default();
            let left = subtract(intervals, without);
            if !left.is_empty() {
                rest.origins.insert(origin.clone(), left);
            }
        }
        rest
    }

    /// Without what this server began.
    #[must_use]
    pub fn without(&self, uuid: ServerUuid) -> GtidSet {
        let others = self.origins.iter().filter(|(origin, _)| origin.uuid != uuid);
        Self { origins: others.map(|(o, i)| (o.clone(), i.clone())).collect() }
    }

    /// The same as one set for every server that began something.
    pub fn by_server(&self) -> Vec<GtidSet> {
        let mut sets: Vec<(ServerUuid, GtidSet)> = Vec::new();
        for (origin, intervals) in &self.origins {
            let entry = (origin.clone(), intervals.clone());
            match sets.last_mut() {
                Some((uuid, set)) if *uuid == origin.uuid => set.origins.extend([entry]),
                _ => sets.push((origin.uuid, GtidSet { origins: BTreeMap::from([entry]) })),
            }
        }
        sets.into_iter().map(|(_, set)| set).collect()
    }

    fn take_in(&mut self, part: &str) -> Option<()> {
        let mut words = part.split(':').map(str::trim);
        let uuid: ServerUuid = words.next()?.parse().ok()?;
        let mut tag = String::new();
        for word in words {
            if word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                tag = read_tag(word)?;
                continue;
            }
            let (from, end) = read_interval(word)?;
            if from < end {
                let own = self.origins.entry(Origin { uuid, tag: tag.clone() }).or_default();
                own.push((from, end));
                merge(own);
            }
        }
        Some(())
    }
}

/// Letters, digits and underscores, 32 at most; case does not count.
fn read_tag(word: &str) -> Option<String> {
    let valid = word.len() <= 32 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    valid.then(|| word.to_ascii_lowercase())
}

/// `7` or `1-7`. One that ends before it begins is empty, as servers have it.
fn read_interval(word: &str) -> Option<(u64, u64)> {
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|n| (1..NUMBERS_END).contains(n));
    let (from, to) = word.split_once('-').unwrap_or((word, word));
    Some((number(from)?, number(to)? + 1))
}

fn contains(intervals: &[(u64, u64)], from: u64, end: u64) -> bool {
    let behind = intervals.partition_point(|(start, _)| *start <= from);
    let before = behind.checked_sub(1).and_then(|i| intervals.get(i));
    before.is_some_and(|(_, last)| *last >= end)
}

/// Sorts, and joins those that touch.
fn merge(intervals: &mut Intervals) {
    intervals.sort_unstable();
    let mut merged: Intervals = Vec::with_capacity(intervals.len());
    for (from, end) in intervals.drain(..) {
        match merged.last_mut() {
            Some((_, last)) if *last >= from => *last = (*last).max(end),
            _ => merged.push((from, end)),
        }
    }
    *intervals = merged;
}

fn subtract(intervals: &[(u64, u64)], without: &[(u64, u64)]) -> Intervals {
    let mut left = Intervals::new();
    for (from, end) in intervals {
        let mut from = *from;
        let first = without.partition_point(|(_, gone)| *gone <= from);
        for (start, gone) in without.iter().skip(first).take_while(|(start, _)| start < end) {
            if *start > from {
                left.push((from, *start));
            }
            from = *gone;
        }
        if from < *end {
            left.push((from, *end));
        }
    }
    left
}

impl fmt::Display for GtidSet {
    /// As servers write it, but in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before: Option<ServerUuid> = None;
        for (origin, intervals) in &self.origins {
            if before != Some(origin.uuid) {
                write!(f, "{}{}", if before.is_some() { "," } else { "" }, origin.uuid)?;
                before = Some(origin.uuid);
            }
            if !origin.tag.is_empty() {
                write!(f, ":{}", origin.tag)?;
            }
            for (from, end) in intervals {
                match end - from {
                    1 => write!(f, ":{from}")?,
                    _ => write!(f, ":{from}-{}", end - 1)?,
                }
            }
        }
        Ok(())
    }
}

impl FromStr for GtidSet {
    type Err = NotAGtid;

    /// Reads a set; the empty text is the empty one.
    fn from_str(text: &str) -> Result<Self, NotAGtid> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            set.take_in(part).ok_or_else(|| NotAGtid(text.to_owned()))?;
        }
        Ok(set)
    }
}

impl TryFrom<String> for GtidSet {
    type Error = NotAGtid;

    fn try_from(text: String) -> Result<Self, NotAGtid> {
        text.parse()
    }
}

impl From<GtidSet> for String {
    fn from(set: GtidSet) -> Self {
        set.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "3a5fce30-e5e5-11f1-840b-02fc00000001";
    const B: &str = "3d056d16-e5e5-11f1-9de8-02fc00000001";

    /// `a` and `b` stand for the servers.
    fn set(text: &str) -> GtidSet {
        text.replace("a:", &format!("{A}:")).replace("b:", &format!("{B}:")).parse().unwrap()
    }

    #[test]
    fn sets_are_written_as_servers_write_them() {
        for (read, written) in [
            ("", ""),
            ("a:1", "a:1"),
            ("a:5:1-3:4", "a:1-5"),
            ("b:7,\n a:1-3:9-9, b:1", "a:1-3:9,b:1:7"),
            ("a:9-3:4", "a:4"),
            ("a:t:2,a:t:1:u:1:t:9,a:t", "a:t:1-2:9:u:1"),
            ("a:1-2:Xtag_1:4:8-9:other:1", "a:1-2:other:1:xtag_1:4:8-9"),
        ] {
            assert_eq!(set(read).to_string(), set(written).to_string(), "{read}");
        }
        assert_eq!(set("a:1-2:x:4").to_string(), format!("{A}:1-2:x:4"));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in [
            "x",
            "0-1-5",
            "a:",
            "a:0",
            "a:1:",
            "a:1x",
            "a::1",
            "a:1-",
            "a:-5",
            "a:x-y:1",
            "a:9223372036854775807",
            "b:1,a",
        ] {
            let text = text.replace("a:", &format!("{A}:")).replace("b:", &format!("{B}:"));
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn sets_are_compared_and_subtracted() {
        assert!(set("a:1-10,b:1").covers(&set("a:2-3:5")));
        assert!(!set("a:1-3:5-10").covers(&set("a:3-5")));
        assert!(!set("a:1-10").covers(&set("b:1")));
        assert!(!set("a:1-10").covers(&set("a:t:1")));
        assert_eq!(set("a:1-10,b:1-3").minus(&set("a:3-4:8,b:1-5")), set("a:1-2:5-7:9-10"));
        assert_eq!(set("a:1-10:20").count(), 11);
        assert_eq!(set("a:1:t:1,b:2").by_server(), [set("a:1:t:1"), set("b:2")]);
        assert_eq!(set("a:1:t:1,b:2").without(A.parse().unwrap()), set("b:2"));
    }

    fn numbers() -> impl Strategy<Value = std::collections::BTreeSet<u64>> {
        prop::collection::btree_set(1_u64..40, 0..25)
    }

    fn of(numbers: &std::collections::BTreeSet<u64>) -> GtidSet {
        let words: Vec<String> = numbers.iter().rev().map(|n| format!("a:{n}")).collect();
        set(&words.join(","))
    }

    proptest! {
        #[test]
        fn sets_behave_like_sets_of_numbers(a in numbers(), b in numbers()) {
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.covers(&y), a.is_superset(&b));
            prop_assert_eq!(x.minus(&y), of(&a.difference(&b).copied().collect()));
            let mut both = x;
            both.add(&y);
            prop_assert_eq!(&both, &of(&a.union(&b).copied().collect()));
            prop_assert_eq!(both.count(), a.union(&b).count() as u64);
            prop_assert_eq!(both.to_string().parse::<GtidSet>().unwrap(), both);
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f:,\\-_xX ]{0,80}") {
            let _ = text.parse::<GtidSet>();
        }
    }
}
