//! A beat that does not end: the heart says so, and the primary's watcher asks what it waits for.

use std::time::{Duration, Instant};

use mysql_client::{Client, ClientError};
use topology::ServerId;

use crate::detect::stall::{Counters, PendingWrite};

/// A beat that takes longer is worth a question.
const UNUSUAL: Duration = Duration::from_millis(400);

/// The write that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) server: ServerId,
    /// The heart's, as the server numbers it.
    pub(crate) connection: u64,
    pub(crate) since: Instant,
}

impl Pending {
    /// Whether it is worth a question to this server.
    pub(crate) fn concerns(&self, server: ServerId) -> bool {
        self.server == server && self.since.elapsed() >= UNUSUAL
    }
}

const COUNTERS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
                        ('Binlog_bytes_written', 'Innodb_data_written', 'Innodb_data_fsyncs')";

/// What the server says of the write.
pub(crate) async fn ask(client: &mut Client, connection: u64) -> Result<PendingWrite, ClientError> {
    let sql = format!(
        "SELECT STATE AS state FROM information_schema.PROCESSLIST WHERE ID = {connection} AND COMMAND = 'Query'"
    );
    let threads = client.query(&sql).await?;
    let status = client.query(COUNTERS).await?;
    let value = |name: &str| {
        let mut rows = 0..status.len();
        let row =
            rows.find(|row| status.get(*row, "Variable_name").is_some_and(|n| n.eq_ignore_ascii_case(name)));
        row.and_then(|row| status.parse(row, "Value")).unwrap_or(0)
    };
    Ok(PendingWrite {
        state: threads.get(0, "state").unwrap_or_default().to_owned(),
        counters: Counters {
            logged: value("Binlog_bytes_written"),
            written: value("Innodb_data_written"),
            synced: value("Innodb_data_fsyncs"),
        },
    })
}
