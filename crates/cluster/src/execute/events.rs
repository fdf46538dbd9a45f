//! Events that a server runs by its own clock: they belong to the primary, whoever that is.
//!
//! A replica notes every event of its source as `SLAVESIDE_DISABLED`, whether it is switched on there or not, and goes on so
//! after its promotion. `ALTER EVENT … ENABLE` on the new primary is written to the binary log, and every server that applies
//! it, also a former primary on which the event was on, notes it as `SLAVESIDE_DISABLED`. It changes the event's
//! definer, character set and collation to those of the session unless they are given, and nothing else (tried on MariaDB
//! 10.11).

use std::time::{SystemTime, UNIX_EPOCH};

use coordination::Schedule;

use super::StepError;
use super::sql::{Link, quoted};
use crate::options::ObserveOptions;

/// Two readings of one start differ by less than this, in seconds: servers count in whole ones.
pub(crate) const SAME_START: u64 = 4;

/// One row of `mysql.event`.
struct Event {
    schema: String,
    name: String,
    definer: String,
    charset: String,
    collation: String,
    status: String,
    /// The `server_id` of the server where it was last changed by a client.
    originator: u32,
}

/// What came of a look at the primary.
pub(crate) struct Looked {
    pub(crate) schedule: Schedule,
    /// Events that were switched on, because the primary was another one before.
    pub(crate) enabled: usize,
    /// What could not be done.
    pub(crate) trouble: Option<String>,
}

/// Reads which events run on the primary. Of MySQL's servers it knows none: there they are switched on by hand. Where the last schedule is that of another server, or of this one before it was
/// started anew, its events are switched on first.
///
/// # Errors
/// The server does not answer, or does not let its events be read. Nothing is lost then: the next look does the same.
pub(crate) async fn look(
    options: &ObserveOptions,
    primary: &str,
    known: Option<&Schedule>,
) -> Result<Looked, StepError> {
    let mut link = Link::open(options, primary).await?;
    if link.is_mysql {
        link.close().await;
        let schedule = Schedule { of: primary.to_owned(), ..Schedule::default() };
        return Ok(Looked { schedule, enabled: 0, trouble: None });
    }
    let (own_id, started) = own(&mut link).await?;
    let mut events = list(&mut link).await?;
    let mut looked = Looked { schedule: Schedule::default(), enabled: 0, trouble: None };
    let others = known.filter(|k| k.of != primary || k.started.abs_diff(started) > SAME_START);
    // Also where another one led for a moment, so that nothing of it was recorded.
    for event in events.iter_mut().filter(|event| known.is_some_and(|known| waits(event, known, own_id))) {
        match enable(&mut link, event).await {
            Ok(()) => {
                event.status = "ENABLED".to_owned();
                looked.enabled += 1;
            }
            Err(error) => looked.trouble = Some(error.to_string()),
        }
    }
    if others.is_some_and(|known| known.scheduler) && !link.is_on("event_scheduler").await? {
        let on = link.exec("starting its event scheduler", "SET GLOBAL event_scheduler=ON").await;
        looked.trouble = on.err().map(|error| error.to_string()).or(looked.trouble);
    }
    let stay = |event: &&Event| match event.status.as_str() {
        "ENABLED" => true,
        // Should be on, and is not yet.
        "SLAVESIDE_DISABLED" => known.is_some_and(|known| known.events.contains(&key(event))),
        _ => false,
    };
    looked.schedule = Schedule {
        of: primary.to_owned(),
        started,
        scheduler: link.is_on("event_scheduler").await?,
        events: events.iter().filter(stay).map(key).collect(),
    };
    link.close().await;
    Ok(looked)
}

/// Starts the scheduler of a server that leads after all.
pub(crate) async fn start(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    link.exec("starting its event scheduler", "SET GLOBAL event_scheduler=ON").await?;
    link.close().await;
    Ok(())
}

/// Stops the scheduler of a server that does not lead any more. Those of its events that were on stay so until it replicates.
pub(crate) async fn rest(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if !link.is_mysql && link.is_on("event_scheduler").await? {
        link.exec("stopping its event scheduler", "SET GLOBAL event_scheduler=OFF").await?;
    }
    link.close().await;
    Ok(())
}

/// Whether the event was on at the last primary, and came here from there.
fn waits(event: &Event, known: &Schedule, own_id: u32) -> bool {
    event.status == "SLAVESIDE_DISABLED" && event.originator != own_id && known.events.contains(&key(event))
}

fn key(event: &Event) -> (String, String) {
    (event.schema.clone(), event.name.clone())
}

async fn own(link: &mut Link) -> Result<(u32, u64), StepError> {
    let sql = "SELECT @@server_id AS id, VARIABLE_VALUE AS uptime FROM information_schema.GLOBAL_STATUS \
               WHERE VARIABLE_NAME = 'UPTIME'";
    let rows = link.query("reading when it was started", sql).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let uptime = rows.parse(0, "uptime").unwrap_or(0);
    Ok((rows.parse(0, "id").unwrap_or(0), now.saturating_sub(uptime)))
}

async fn list(link: &mut Link) -> Result<Vec<Event>, StepError> {
    let sql = "SELECT db, name, definer, character_set_client, collation_connection, status, originator \
               FROM mysql.event";
    let rows = link.query("reading its events", sql).await?;
    let text = |row: usize, column: &str| rows.get(row, column).unwrap_or_default().to_owned();
    let event = |row: usize| Event {
        schema: text(row, "db"),
        name: text(row, "name"),
        definer: text(row, "definer"),
        charset: text(row, "character_set_client"),
        collation: text(row, "collation_connection"),
        status: text(row, "status"),
        originator: rows.parse(row, "originator").unwrap_or(0),
    };
    Ok((0..rows.len()).map(event).collect())
}

async fn enable(link: &mut Link, event: &Event) -> Result<(), StepError> {
    let doing = "switching an event on";
    let (user, host) = event.definer.rsplit_once('@').unwrap_or((&event.definer, ""));
    let definer =
        if host.is_empty() { identifier(user) } else { format!("{}@{}", identifier(user), identifier(host)) };
    let sql = format!(
        "ALTER DEFINER={definer} EVENT {}.{} ENABLE",
        identifier(&event.schema),
        identifier(&event.name)
    );
    // The text is in utf8mb4, and what the event keeps of the session is that of the event. An administrator may be exempt from
    // `read_only`, and a server that was made read-only a moment ago must not get a transaction of its own.
    let guarded = format!(
        "BEGIN NOT ATOMIC IF @@global.read_only = 0 THEN SET character_set_client={}, collation_connection={}; {sql}; \
         ELSE SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'it is read-only by now'; END IF; END",
        quoted(&event.charset),
        quoted(&event.collation)
    );
    link.exec(doing, "SET NAMES utf8mb4").await?;
    link.exec(doing, &guarded).await
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
