//! A server gets all data of another one by `CLONE INSTANCE`, and follows the primary.
//!
//! Source: MySQL manual, "Cloning Remote Data". Tried with 9.7: what the server had is dropped first, which `super_read_only`
//! refuses (error 1290) and `read_only` does not refuse to hadal's account; it keeps its own UUID, and its set of executed transactions is the donor's afterwards, all of them purged. At the
//! end it starts itself anew where something supervises it, and ends otherwise (error 3707).

use std::time::Duration;

use tokio::time::{Instant, sleep};
use topology::Address;

use super::super::StepError;
use super::super::sql::{Link, quoted};
use super::replica::executed;
use crate::options::ObserveOptions;

const AGAIN: Duration = Duration::from_millis(500);
/// For all data.
const COPYING: Duration = Duration::from_secs(24 * 3600);
/// For whoever has to start the server.
const RETURNING: Duration = Duration::from_secs(3600);

/// What the server says where nothing would start it again: all data are there.
const NOT_SUPERVISED: u16 = 3707;

/// Replaces the data of `server`, which does not replicate meanwhile, by those of `donor`. Returns once it is back. Repeated
/// after a failure, it begins from the start.
///
/// # Errors
/// The server replicates from nobody then. It has its own data, or says that it has none.
pub(crate) async fn clone(options: &ObserveOptions, server: &str, donor: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    needs_plugin(&mut link).await?;
    let before = link.query("asking for earlier attempts", ATTEMPT).await?;
    link.close().await;
    let before = before.get(0, "begun").unwrap_or_default().to_owned();
    let cloned = try_clone(options, server, donor).await;
    if cloned.is_err()
        && let Err(error) = own_up(options, server, &before).await
    {
        tracing::warn!(server, %error, "what has become of its data is not known");
    }
    cloned
}

async fn try_clone(options: &ObserveOptions, server: &str, donor: &str) -> Result<(), StepError> {
    let sql = clone_statement(options, donor)?;
    let mut link = Link::open(options, server).await?;
    let mut from = Link::open(options, donor).await?;
    needs_plugin(&mut from).await?;
    from.close().await;
    link.read_only().await?;
    if link.channel().await?.is_some() {
        link.exec("stopping replication", "STOP REPLICA").await?;
        // So that it is nobody's replica until it has everything, whatever happens.
        link.exec("leaving replication", "RESET REPLICA ALL").await?;
    }
    let list = format!("SET GLOBAL clone_valid_donor_list={}", quoted(donor));
    link.exec("naming the donor", &list).await?;
    // Clients still cannot write.
    link.exec("preparing", "SET GLOBAL super_read_only=0").await?;
    link.set_timeout(COPYING);
    match link.exec("cloning", &sql).await {
        Err(StepError::Server { error, .. }) if has_copied(&error) => {}
        done => done?,
    }
    await_return(options, server).await
}

/// Where data were dropped, the server must not go on saying that it has them. It usually does not: its set of executed transactions
/// is emptied along with them (seen with 9.7), which need not have happened yet.
async fn own_up(options: &ObserveOptions, server: &str, before: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    let attempt = link.query("asking for the outcome", ATTEMPT).await?;
    let begun = attempt.get(0, "begun").unwrap_or_default() != before;
    let dropped = begun && attempt.get(0, "dropping").is_some_and(|state| state != "Not Started");
    if dropped && !executed(&mut link).await?.is_empty() {
        link.exec("emptying its history", "SET GLOBAL super_read_only=0").await?;
        link.exec("emptying its history", "RESET BINARY LOGS AND GTIDS").await?;
    }
    link.read_only().await?;
    link.close().await;
    Ok(())
}

/// The connection ends with the server, be it that it starts anew; what has come of it is asked then.
fn has_copied(error: &mysql_client::ClientError) -> bool {
    match error.code() {
        // 1053, 2013: it is being shut down.
        Some(code) => [NOT_SUPERVISED, 1053, 2013].contains(&code),
        None => matches!(error, mysql_client::ClientError::Io(_)),
    }
}

async fn needs_plugin(link: &mut Link) -> Result<(), StepError> {
    let sql = "SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME='clone' AND PLUGIN_STATUS='ACTIVE'";
    match link.query("looking for the clone plugin", sql).await?.is_empty() {
        true => Err(link.unexpected("its plugin clone is not installed")),
        false => Ok(()),
    }
}

fn clone_statement(options: &ObserveOptions, donor: &str) -> Result<String, StepError> {
    let unexpected = |why: String| StepError::Unexpected { server: donor.to_owned(), why };
    let address: Address = donor.parse().map_err(|error| unexpected(format!("{error}")))?;
    let control = &options.control;
    if control.replication_user.is_empty() {
        return Err(unexpected("cloning needs replication_user".to_owned()));
    }
    Ok(format!(
        "CLONE INSTANCE FROM {}@{}:{} IDENTIFIED BY {}",
        quoted(&control.replication_user),
        quoted(&address.host),
        address.port,
        quoted(&control.replication_password)
    ))
}

async fn await_return(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let began = Instant::now();
    loop {
        if let Ok(mut link) = Link::open(options, server).await
            && let Ok(rows) = link.query("asking for the outcome", OUTCOME).await
        {
            let state = rows.get(0, "state").unwrap_or("none").to_owned();
            link.close().await;
            match state.as_str() {
                "Completed" => return Ok(()),
                // It has not gone yet.
                "In Progress" => {}
                _ => {
                    let why = format!("cloning ended as {state}: {}", rows.get(0, "why").unwrap_or_default());
                    return Err(StepError::Unexpected { server: server.to_owned(), why });
                }
            }
        }
        if began.elapsed() > RETURNING {
            let what = "nobody has started it after its data were copied".to_owned();
            return Err(StepError::TooSlow { server: server.to_owned(), what, ms: RETURNING.as_millis() });
        }
        sleep(AGAIN).await;
    }
}

/// The last attempt to clone: when it began, and whether what was there is dropped.
const ATTEMPT: &str = "SELECT s.BEGIN_TIME AS begun, p.STATE AS dropping FROM performance_schema.clone_status s JOIN \
                       performance_schema.clone_progress p ON p.ID = s.ID AND p.STAGE = 'DROP DATA'";

const OUTCOME: &str = "SELECT STATE AS state, ERROR_MESSAGE AS why FROM performance_schema.clone_status";
