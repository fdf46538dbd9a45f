//! Transactions that are under way, as `SHOW ENGINE INNODB STATUS` tells.
//!
//! `information_schema.INNODB_TRX` would be easier to read, but it shows the same picture for a tenth of a second, and for as long as it
//! is asked more often than that (MariaDB and MySQL, `CACHE_MIN_IDLE_TIME`).

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::StepError;
use super::sql::Link;

const AGAIN: Duration = Duration::from_millis(4);

/// Waits until the transactions that began at most `age` ago have ended, but no longer than `grace`. What begins meanwhile is not
/// waited for: gateways hold it.
pub(super) async fn let_end(link: &mut Link, age: Duration, grace: Duration) -> Result<(), StepError> {
    let began = Instant::now();
    let mut left = younger_than(link, age).await?;
    while !left.is_empty() && began.elapsed() < grace {
        sleep(AGAIN).await;
        let now = younger_than(link, age.saturating_add(grace)).await?;
        left.retain(|connection| now.contains(connection));
    }
    Ok(())
}

/// The connections with a transaction that began at most `age` ago, give or take a second.
async fn younger_than(link: &mut Link, age: Duration) -> Result<BTreeSet<u64>, StepError> {
    let rows = link.query("looking at its transactions", "SHOW ENGINE INNODB STATUS").await?;
    Ok(connections(rows.get(0, "Status").unwrap_or_default(), age.as_secs()))
}

/// A statement's text may look like a part of this one: the result is good for waiting, and for nothing else.
fn connections(status: &str, seconds: u64) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    let mut is_young = false;
    for line in status.lines() {
        if line.starts_with("---TRANSACTION ") {
            is_young = number_behind(line, ", ACTIVE ").is_some_and(|active| active <= seconds);
        } else if is_young && let Some(connection) = number_behind(line, " thread id ") {
            found.insert(connection);
            is_young = false;
        }
    }
    found
}

fn number_behind(line: &str, mark: &str) -> Option<u64> {
    let (_, rest) = line.split_once(mark)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
LIST OF TRANSACTIONS FOR EACH SESSION:
---TRANSACTION (0x7f3fbc27c280), ACTIVE 0 sec
0 lock struct(s), heap size 1128, 0 row lock(s)
MariaDB thread id 17, OS thread handle 139911358170816, query id 90 localhost root
Trx read view will not see trx with id >= 38, sees < 38
---TRANSACTION 38, ACTIVE 2 sec inserting
mysql tables in use 1, locked 1
LOCK WAIT 2 lock struct(s), heap size 1128, 1 row lock(s)
MySQL thread id 18, OS thread handle 139911357863616, query id 88 localhost root Update
insert into z values(2)
---TRANSACTION 39, ACTIVE (PREPARED) 0 sec
---TRANSACTION (0x7f3fbc27a180), not started
0 lock struct(s), heap size 1128, 0 row lock(s)
MariaDB thread id 19, OS thread handle 1, query id 2 localhost root
";

    #[test]
    fn young_transactions_are_found_by_their_connections() {
        assert_eq!(connections(STATUS, 1), BTreeSet::from([17]));
        assert_eq!(connections(STATUS, 2), BTreeSet::from([17, 18]));
        assert_eq!(connections("", 2), BTreeSet::new());
        assert_eq!(connections("---TRANSACTION 1, ACTIVE sec\n thread id x", 2), BTreeSet::new());
    }
}
