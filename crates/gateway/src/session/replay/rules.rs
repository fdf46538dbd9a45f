//! Which statements can be repeated, and which need not be.

use mysql_wire::{Command, ResponseKind};
use sql::{Effects, Reason, Verb};

use crate::session::job::Job;

/// All that a repeated statement may do to its session. What is not named here is never repeated: above all nothing that
/// ends a transaction, so that a transaction whose statements are all of these cannot have been committed by one of them.
const REPEATABLE: Effects = Effects::SETS_USER_VARIABLE
    .union(Effects::READS_USER_VARIABLE)
    .union(Effects::NEXT_TRANSACTION)
    .union(Effects::SET_NAMES)
    .union(Effects::SETS_SYSTEM_VARIABLE)
    .union(Effects::USE_SCHEMA)
    .union(Effects::USES_LAST_INSERT_ID)
    .union(Effects::MAY_SET_INSERT_ID)
    .union(Effects::CALC_FOUND_ROWS)
    .union(Effects::USES_FOUND_ROWS)
    .union(Effects::USES_ROW_COUNT)
    .union(Effects::USES_DIAGNOSTICS)
    .union(Effects::USES_CONNECTION_ID)
    .union(Effects::SAVEPOINT)
    .union(Effects::READS_SYSTEM_VARIABLE)
    .union(Effects::READS_AUTOCOMMIT)
    .union(Effects::RETURNS_ROWS)
    .union(Effects::BEGIN)
    .union(Effects::BEGIN_READ_ONLY)
    .union(Effects::CONSISTENT_SNAPSHOT);

/// What ends the transaction before it, if it succeeds.
const BEGINS: Effects = Effects::BEGIN.union(Effects::BEGIN_READ_ONLY);

/// Whether the command can run once more on another server with the same meaning. `opens`: as the first one.
pub(super) fn is_repeatable(job: &Job<'_>, opens: bool) -> bool {
    let facts = job.facts;
    let begins = facts.effects.intersects(BEGINS);
    let known = facts.effects.without(REPEATABLE).is_empty() && facts.functions.is_empty();
    let plain = !matches!(facts.verb, Verb::Load | Verb::Unknown | Verb::Compound | Verb::Call | Verb::Ddl)
        && !matches!(facts.reason, Reason::IntoClause | Reason::NotUnderstood | Reason::Procedure);
    match job.kind {
        ResponseKind::Query | ResponseKind::Execute => {
            let private = job.prepared.is_some_and(|prepared| prepared.statement.private.get().is_some());
            let alone = !begins || (opens && facts.statements == 1);
            known && plain && alone && !private && !job.opens_cursor && !job.process_list && !job.may_kill
        }
        ResponseKind::Simple => is(job, Command::InitDb),
        _ => false,
    }
}

/// Whether the command leaves nothing behind that a later one could notice.
pub(super) fn leaves_nothing(job: &Job<'_>) -> bool {
    match job.kind {
        ResponseKind::Prepare | ResponseKind::FieldList | ResponseKind::Statistics => true,
        ResponseKind::Simple => is(job, Command::Ping),
        _ => false,
    }
}

fn is(job: &Job<'_>, command: Command) -> bool {
    job.command.payload().first() == Some(&(command as u8))
}

/// Whether an error comes again when its statement does. Those that name a moment do not: deadlocks, waits, limits of
/// time and memory, kills.
pub(super) fn is_lasting(code: u16) -> bool {
    // Syntax, unknown names, values that do not fit, duplicate and foreign keys, missing privileges.
    matches!(
        code,
        1044 | 1046 | 1048 | 1049 | 1050 | 1051 | 1052 | 1054 | 1060
            ..=1066
                | 1091
                | 1109
                | 1110
                | 1111
                | 1136
                | 1142
                | 1143
                | 1146
                | 1149
                | 1210
                | 1216
                | 1217
                | 1222
                | 1232
                | 1241
                | 1242
                | 1264
                | 1265
                | 1292
                | 1305
                | 1364
                | 1365
                | 1366
                | 1406
                | 1451
                | 1452
                | 1586
                | 1644
                | 1690
                | 3819
                | 4025
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::client::CommandPacket;

    fn repeats(text: &str, opens: bool) -> bool {
        let facts = sql::analyse(text.as_bytes(), sql::Mode::default());
        let command = CommandPacket::of_query(text.as_bytes(), 0);
        is_repeatable(&Job::new(&command, ResponseKind::Query, &facts), opens)
    }

    #[test]
    fn what_works_within_a_transaction_is_repeated() {
        for text in [
            "SELECT * FROM t WHERE id = 1 FOR UPDATE",
            "INSERT INTO t (a) VALUES (1), (2)",
            "INSERT INTO t (a) VALUES (1) RETURNING id",
            "UPDATE t SET a = a + 1",
            "DELETE FROM t",
            "SAVEPOINT one",
            "ROLLBACK TO one",
            "SET @a = 1",
            "SET NAMES utf8mb4",
            "SELECT LAST_INSERT_ID()",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        ] {
            assert!(repeats(text, false), "{text}");
        }
        assert!(repeats("BEGIN", true) && repeats("START TRANSACTION READ ONLY", true));
    }

    #[test]
    fn what_may_end_a_transaction_is_never_repeated() {
        for text in [
            "COMMIT",
            "ROLLBACK",
            "COMMIT AND CHAIN",
            "CREATE TABLE t (a INT)",
            "SET autocommit = 1",
            "SET autocommit = 0",
            "INSERT INTO t VALUES (1); COMMIT",
            "CALL p()",
            "LOCK TABLES t WRITE",
            "XA START 'a'",
            "EXECUTE s",
            "EXECUTE IMMEDIATE 'COMMIT'",
            "BEGIN NOT ATOMIC COMMIT; END",
            "GRANT SELECT ON t TO u",
            "SET PASSWORD = ''",
        ] {
            assert!(!repeats(text, true), "{text}");
        }
        assert!(!repeats("BEGIN", false), "it ends the transaction before it");
    }

    #[test]
    fn what_has_effects_beside_its_transaction_is_not_repeated() {
        for text in [
            "SELECT GET_LOCK('a', 1)",
            "SELECT shop.charge(1)",
            "SELECT * FROM t INTO OUTFILE '/tmp/x'",
            "LOAD DATA INFILE '/tmp/x' INTO TABLE t",
            "LOAD DATA LOCAL INFILE '/tmp/x' INTO TABLE t",
            "CREATE TEMPORARY TABLE t (a INT)",
            "SELECT NEXTVAL(s)",
            "SET GLOBAL max_connections = 7",
            "KILL 7",
            "this is no statement",
        ] {
            assert!(!repeats(text, false), "{text}");
        }
    }

    #[test]
    fn errors_of_a_moment_are_not_expected_again() {
        assert!(is_lasting(1062) && is_lasting(1146) && is_lasting(1452));
        for code in [1205, 1213, 1317, 1927, 1969, 1290, 1114, 1020, 1792] {
            assert!(!is_lasting(code), "{code}");
        }
    }
}
