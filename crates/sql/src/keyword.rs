//! The words that the classification looks for, and a hash table of them that is built at compile time.

/// The longest keyword, in bytes.
const LONGEST: usize = 24;
/// Slots of the table: sparse, so that most words that are no keyword are told by one probe.
const SLOTS: usize = 1024;

macro_rules! keywords {
    ($($name:ident $text:literal)+) => {
        /// A keyword, reserved or not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Keyword {
            $($name,)+
        }

        const KEYWORDS: &[(&str, Keyword)] = &[$(($text, Keyword::$name),)+];
    };
}

keywords! {
    After "AFTER"
    All "ALL"
    Alter "ALTER"
    Analyze "ANALYZE"
    As "AS"
    Atomic "ATOMIC"
    Backup "BACKUP"
    Before "BEFORE"
    Begin "BEGIN"
    Binlog "BINLOG"
    Cache "CACHE"
    Call "CALL"
    Case "CASE"
    Chain "CHAIN"
    Change "CHANGE"
    Char "CHAR"
    Character "CHARACTER"
    Charset "CHARSET"
    Check "CHECK"
    Checksum "CHECKSUM"
    Clone "CLONE"
    Collation "COLLATION"
    Columns "COLUMNS"
    Commit "COMMIT"
    Connection "CONNECTION"
    Consistent "CONSISTENT"
    Count "COUNT"
    Create "CREATE"
    CurrentRole "CURRENT_ROLE"
    CurrentUser "CURRENT_USER"
    Database "DATABASE"
    Databases "DATABASES"
    Deallocate "DEALLOCATE"
    Declare "DECLARE"
    Default "DEFAULT"
    Definer "DEFINER"
    Delayed "DELAYED"
    Delete "DELETE"
    Desc "DESC"
    Describe "DESCRIBE"
    Do "DO"
    Drop "DROP"
    Dual "DUAL"
    Dumpfile "DUMPFILE"
    Else "ELSE"
    End "END"
    Errors "ERRORS"
    Event "EVENT"
    Except "EXCEPT"
    Execute "EXECUTE"
    Exists "EXISTS"
    Explain "EXPLAIN"
    Export "EXPORT"
    Extended "EXTENDED"
    Fields "FIELDS"
    Flush "FLUSH"
    For "FOR"
    Format "FORMAT"
    From "FROM"
    Full "FULL"
    Fulltext "FULLTEXT"
    Function "FUNCTION"
    Get "GET"
    Global "GLOBAL"
    Grant "GRANT"
    Group "GROUP"
    Hadal "HADAL"
    Handler "HANDLER"
    Having "HAVING"
    Help "HELP"
    HighPriority "HIGH_PRIORITY"
    If "IF"
    Ignore "IGNORE"
    Immediate "IMMEDIATE"
    Import "IMPORT"
    In "IN"
    Index "INDEX"
    Indexes "INDEXES"
    Infile "INFILE"
    Insert "INSERT"
    Install "INSTALL"
    Intersect "INTERSECT"
    Into "INTO"
    Join "JOIN"
    Key "KEY"
    Keys "KEYS"
    Kill "KILL"
    Lateral "LATERAL"
    Like "LIKE"
    Limit "LIMIT"
    Load "LOAD"
    Local "LOCAL"
    Lock "LOCK"
    Loop "LOOP"
    LowPriority "LOW_PRIORITY"
    Names "NAMES"
    Next "NEXT"
    No "NO"
    Not "NOT"
    On "ON"
    Only "ONLY"
    Open "OPEN"
    Optimize "OPTIMIZE"
    Order "ORDER"
    Outfile "OUTFILE"
    Package "PACKAGE"
    Partitions "PARTITIONS"
    Password "PASSWORD"
    Persist "PERSIST"
    PersistOnly "PERSIST_ONLY"
    Prepare "PREPARE"
    Privileges "PRIVILEGES"
    Procedure "PROCEDURE"
    Processlist "PROCESSLIST"
    Profile "PROFILE"
    Profiles "PROFILES"
    Purge "PURGE"
    Quick "QUICK"
    Read "READ"
    References "REFERENCES"
    Release "RELEASE"
    Rename "RENAME"
    Repair "REPAIR"
    Repeat "REPEAT"
    Replace "REPLACE"
    Reset "RESET"
    Resignal "RESIGNAL"
    Resource "RESOURCE"
    Restart "RESTART"
    Return "RETURN"
    Revoke "REVOKE"
    Role "ROLE"
    Rollback "ROLLBACK"
    Route "ROUTE"
    Row "ROW"
    Rowcount "ROWCOUNT"
    Savepoint "SAVEPOINT"
    Schema "SCHEMA"
    Schemas "SCHEMAS"
    Select "SELECT"
    Sequence "SEQUENCE"
    Server "SERVER"
    Session "SESSION"
    Set "SET"
    Share "SHARE"
    Show "SHOW"
    Shutdown "SHUTDOWN"
    Signal "SIGNAL"
    Snapshot "SNAPSHOT"
    Spatial "SPATIAL"
    SqlCalcFoundRows "SQL_CALC_FOUND_ROWS"
    Start "START"
    Statement "STATEMENT"
    Stop "STOP"
    StraightJoin "STRAIGHT_JOIN"
    Table "TABLE"
    Tables "TABLES"
    Tablespace "TABLESPACE"
    Temporary "TEMPORARY"
    Then "THEN"
    To "TO"
    Transaction "TRANSACTION"
    Trigger "TRIGGER"
    Triggers "TRIGGERS"
    Truncate "TRUNCATE"
    Uninstall "UNINSTALL"
    Union "UNION"
    Unique "UNIQUE"
    Unlock "UNLOCK"
    Update "UPDATE"
    Use "USE"
    User "USER"
    Using "USING"
    Value "VALUE"
    Values "VALUES"
    Variables "VARIABLES"
    View "VIEW"
    Warnings "WARNINGS"
    Where "WHERE"
    While "WHILE"
    With "WITH"
    Work "WORK"
    Xa "XA"
}

static TABLE: [u16; SLOTS] = table();

const EMPTY: u16 = u16::MAX;

const fn table() -> [u16; SLOTS] {
    let mut table = [EMPTY; SLOTS];
    let mut index = 0;
    while index < KEYWORDS.len() {
        let mut slot = hash(KEYWORDS[index].0.as_bytes());
        while table[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = index as u16;
        index += 1;
    }
    table
}

const fn hash(word: &[u8]) -> usize {
    let mut hash = word.len();
    let mut index = 0;
    while index < word.len() {
        hash = hash.wrapping_mul(31).wrapping_add(word[index].to_ascii_uppercase() as usize);
        index += 1;
    }
    (hash ^ (hash >> 10)) % SLOTS
}

impl Keyword {
    /// The keyword that a word is, in any case.
    pub(crate) fn of(word: &[u8]) -> Option<Self> {
        if word.len() > LONGEST {
            return None;
        }
        let mut slot = hash(word);
        loop {
            let entry = *TABLE.get(slot)?;
            let (text, keyword) = KEYWORDS.get(usize::from(entry))?;
            if text.as_bytes().eq_ignore_ascii_case(word) {
                return Some(*keyword);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_is_found_in_any_case() {
        for (text, keyword) in KEYWORDS {
            assert!(text.len() <= LONGEST);
            assert_eq!(Keyword::of(text.as_bytes()), Some(*keyword));
            assert_eq!(Keyword::of(text.to_ascii_lowercase().as_bytes()), Some(*keyword));
        }
        assert_eq!(Keyword::of(b""), None);
        assert_eq!(Keyword::of(b"sbtest1"), None);
    }
}
