//! Whether enough nodes of hadal have lost the primary, too.
//!
//! | of all members | verdict |
//! |---|---|
//! | more than half have lost it | agreed |
//! | exactly half, the leader among them, and nobody reaches it | agreed: the store chose the leader, and has no word of the rest |
//! | anything else | not agreed |
//!
//! A member that is gone has no say and counts among all, so that those who are left are no majority by being left.

use std::fmt::Write as _;

/// What one member says of the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    pub node: String,
    pub says: Says,
}

/// See [`Voice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It does not reach the primary, and why.
    Lost(String),
    Reaches,
    /// It takes another server for the primary, or has not looked yet.
    Undecided,
    /// It is not there.
    Nothing,
}

/// Counts the voices of all members but the leader, who has lost the primary. Gives what evidence there is.
///
/// # Errors
/// The same, where it is not enough.
pub fn agree(others: &[Voice]) -> Result<String, String> {
    let count = |says: fn(&Says) -> bool| others.iter().filter(|voice| says(&voice.says)).count();
    let lost = 1 + count(|says| matches!(says, Says::Lost(_)));
    let (all, gone) = (1 + others.len(), count(|says| *says == Says::Nothing));
    let evidence = evidence(others, lost, all);
    let tied = lost * 2 == all && lost + gone == all;
    if lost * 2 > all || tied { Ok(evidence) } else { Err(evidence) }
}

fn evidence(others: &[Voice], lost: usize, all: usize) -> String {
    if others.is_empty() {
        return String::new();
    }
    let mut text = format!("{lost} of {all} nodes of hadal have lost it");
    for voice in others {
        let says = match &voice.says {
            Says::Lost(why) => format!("too ({why})"),
            Says::Reaches => "reaches it".to_owned(),
            Says::Undecided => "is not certain".to_owned(),
            Says::Nothing => "is not there".to_owned(),
        };
        let _ = write!(text, "; {} {says}", voice.node);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_the_table() {
        let table = [
            ("", true),
            ("lost", true),
            ("gone", true),
            ("reaches", false),
            ("undecided", false),
            ("lost gone", true),
            ("lost reaches", true),
            ("gone gone", false),
            ("gone reaches", false),
            ("reaches reaches", false),
            ("lost gone gone", true),
            ("lost gone reaches", false),
            ("lost lost reaches", true),
            ("gone gone gone gone", false),
            ("lost gone gone gone", false),
        ];
        for (words, expected) in table {
            let says = |word| match word {
                "lost" => Says::Lost("no answer".into()),
                "reaches" => Says::Reaches,
                "undecided" => Says::Undecided,
                _ => Says::Nothing,
            };
            let others: Vec<_> = words
                .split_whitespace()
                .enumerate()
                .map(|(n, word)| Voice { node: format!("gw-{}", n + 2), says: says(word) })
                .collect();
            assert_eq!(agree(&others).is_ok(), expected, "{words}: {:?}", agree(&others));
        }
        let named = agree(&[Voice { node: "gw-2".into(), says: Says::Reaches }]);
        assert_eq!(named, Err("1 of 2 nodes of hadal have lost it; gw-2 reaches it".into()));
    }
}
