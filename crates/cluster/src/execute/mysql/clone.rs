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
pub(crate) async fn clone(options: &ObserveOptions, server: &str, donor: &str) -> Result<(), StepError> {
    let sql = clone_statement(options, donor)?;
    let mut link = Link::open(options, server).await?;
    needs_plugin(&mut link).await?;
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
        Err(error) => {
            // It may be beyond that.
            let _ = link.read_only().await;
            return Err(error);
        }
        Ok(()) => {}
    }
    await_return(options, server).await
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

const OUTCOME: &str = "SELECT STATE AS state, ERROR_MESSAGE AS why FROM performance_schema.clone_status";
