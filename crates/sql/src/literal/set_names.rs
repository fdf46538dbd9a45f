//! SET NAMES and SET CHARACTER SET.

use super::cursor::Cursor;
use crate::Mode;

/// What a `SET NAMES` or `SET CHARACTER SET` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetNames {
    /// The character set; `None` for DEFAULT.
    pub charset: Option<String>,
    /// The collation of SET NAMES, where one is named.
    pub collation: Option<String>,
    /// The word DEFAULT instead of a character set.
    pub default: bool,
    /// SET CHARACTER SET, which takes the connection's character set from the schema.
    pub character_set: bool,
}

/// Parses a `SET NAMES` or `SET CHARACTER SET` that is the whole text.
pub fn set_names(sql: &[u8], mode: Mode) -> Option<SetNames> {
    let mut cursor = Cursor::new(sql, mode);
    if !cursor.word("SET") {
        return None;
    }
    let character_set = if cursor.word("NAMES") {
        false
    } else {
        let long = (cursor.word("CHARACTER") || cursor.word("CHAR")) && cursor.word("SET");
        if !long && !cursor.word("CHARSET") {
            return None;
        }
        true
    };
    if cursor.at_punct(b'=') {
        return None;
    }
    let default = cursor.word("DEFAULT");
    let charset = if default { None } else { Some(cursor.name_or_string()?) };
    let collation = match cursor.word("COLLATE") {
        true if character_set => return None,
        true if cursor.word("DEFAULT") => None,
        true => Some(cursor.name_or_string()?),
        false => None,
    };
    cursor.at_end().then_some(SetNames { charset, collation, default, character_set })
}
