//! A server whose data are a copy of another one's: what has to be known before, and how it begins to replicate.

use std::collections::BTreeSet;

use topology::{GtidPosition, Position};

use super::StepError;
use super::replica::change_master;
use super::sql::{Link, quoted};
use crate::options::ObserveOptions;

/// What a server says of its place on its host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) data_dir: String,
    pub(crate) socket: String,
    /// The name of its binary logs, without folder and number.
    pub(crate) log_name: String,
    /// `gtid_binlog_state`.
    pub(crate) history: String,
    /// A setting with which something of its data lies elsewhere.
    pub(crate) outside: Option<String>,
    pub(crate) writable: bool,
}

/// Settings that name folders of a server's data, by the names that the question gives them.
const FOLDERS: &[&str] = &[
    "innodb_data_home_dir",
    "innodb_log_group_home_dir",
    "innodb_undo_directory",
    "aria_log_dir_path",
    "log_bin_basename",
    "relay_log_basename",
];

/// Asks a server where its data lie.
pub(crate) async fn place(options: &ObserveOptions, server: &str) -> Result<Place, StepError> {
    let folders: Vec<_> = FOLDERS.iter().map(|name| format!("@@global.{name} AS {name}")).collect();
    let sql = format!(
        "SELECT @@global.datadir AS datadir, @@global.socket AS socket, @@global.read_only AS read_only, \
         @@global.gtid_binlog_state AS history, {}",
        folders.join(", ")
    );
    let mut link = Link::open(options, server).await?;
    let rows = link.query("asking where its data lie", &sql).await?;
    link.close().await;
    let text = |name: &str| rows.get(0, name).unwrap_or_default().to_owned();
    let data_dir = text("datadir").trim_end_matches('/').to_owned();
    let lies_outside = |name: &&&str| lies_outside(&data_dir, &text(name));
    Ok(Place {
        socket: text("socket"),
        log_name: text("log_bin_basename").rsplit('/').next().unwrap_or_default().to_owned(),
        history: text("history").replace('\n', ""),
        outside: FOLDERS.iter().find(lies_outside).map(|name| format!("{name} = {}", text(name))),
        writable: text("read_only") == "0",
        data_dir,
    })
}

/// Relative paths are below the data folder.
fn lies_outside(data_dir: &str, path: &str) -> bool {
    let below = path.strip_prefix(data_dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.starts_with('/') && !below || path.starts_with("..")
}

/// It receives nothing more, so that it acknowledges nothing more. What it has goes on being applied.
pub(crate) async fn detach(options: &ObserveOptions, server: &str) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    if link.channel().await?.is_some_and(|channel| channel.receiver.state != "No") {
        link.exec("stopping its receiving thread", "STOP SLAVE IO_THREAD").await?;
    }
    link.close().await;
    Ok(())
}

/// Whether the server answers.
pub(crate) async fn answers(options: &ObserveOptions, server: &str) -> bool {
    match Link::open(options, server).await {
        Ok(link) => {
            link.close().await;
            true
        }
        Err(_) => false,
    }
}

/// Whether a copy replicates already.
pub(crate) async fn has_begun(options: &ObserveOptions, server: &str) -> Result<bool, StepError> {
    let mut link = Link::open(options, server).await?;
    let channel = link.channel().await?;
    link.close().await;
    Ok(channel.is_some())
}

/// The copy of a server replicates from `to` from the copy's position on. Its binary log begins with the donor's `history`, so
/// that its transactions are known to be the cluster's. One that `acknowledges` before it has everything keeps a failover
/// from being lossless.
pub(crate) async fn begin(
    options: &ObserveOptions,
    server: &str,
    to: &str,
    (position, history): (&GtidPosition, &str),
    acknowledges: bool,
) -> Result<(), StepError> {
    let mut link = Link::open(options, server).await?;
    link.exec("making it read-only", "SET GLOBAL read_only=1").await?;
    // A copy has no binary log of its own. With another shell or folder than this server's, these would be its old data.
    let own = link.query("reading its history", "SELECT @@global.gtid_binlog_state AS state").await?;
    let own = own.get(0, "state").unwrap_or_default();
    if !own.is_empty() && parts(own) != parts(history) {
        return Err(link.unexpected(format!(
            "it does not run on the copy, for it has a history of its own ({own}): do rebuild.shell and rebuild.data_dir lead to it?"
        )));
    }
    link.exec("emptying its binary log", "RESET MASTER").await?;
    let history = format!("SET GLOBAL gtid_binlog_state={}", quoted(history));
    link.exec("giving it the donor's history", &history).await?;
    // A donor's workers commit a transaction, and count it a moment later: what the backup says may lie before what it has. What
    // the copy itself has in mysql.gtid_slave_pos was committed with the data. On a copy of a primary that is the older one.
    let said = Position::Mariadb(position.clone());
    let mut position = said.clone();
    position.advance_all(&link.position("gtid_slave_pos").await?);
    if position != said {
        tracing::info!(server, %said, %position, "the copy has more than its backup says");
    }
    let position = format!("SET GLOBAL gtid_slave_pos='{position}'");
    link.exec("giving it the copy's position", &position).await?;
    link.exec("becoming a replica", "SET GLOBAL rpl_semi_sync_master_enabled=0").await?;
    let acknowledges = format!("SET GLOBAL rpl_semi_sync_slave_enabled={}", u8::from(acknowledges));
    link.exec("becoming a replica", &acknowledges).await?;
    let change = change_master(options, to, false)?;
    link.exec("changing its source", &change).await?;
    link.exec("starting replication", "START SLAVE").await?;
    link.close().await;
    Ok(())
}

/// The order of a list of GTIDs means nothing.
fn parts(list: &str) -> BTreeSet<&str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// It has everything, and acknowledges from now on. A primary that did not wait for anybody, because there was nobody when it
/// was promoted, waits again.
pub(crate) async fn acknowledge(
    options: &ObserveOptions,
    server: &str,
    primary: &str,
) -> Result<(), StepError> {
    if !options.control.lossless {
        return Ok(());
    }
    let mut source = Link::open(options, primary).await?;
    let waits = source.is_on("rpl_semi_sync_master_enabled").await?;
    let mut link = Link::open(options, server).await?;
    if !waits {
        let forever = "SET GLOBAL rpl_semi_sync_master_timeout=4294967295";
        source.exec("beginning to wait for acknowledgements", forever).await?;
        let wait = "SET GLOBAL rpl_semi_sync_master_enabled=1";
        source.exec("beginning to wait for acknowledgements", wait).await?;
    }
    source.close().await;
    if !waits || !link.is_on("rpl_semi_sync_slave_enabled").await? {
        link.exec("beginning to acknowledge", "SET GLOBAL rpl_semi_sync_slave_enabled=1").await?;
        // What it is to a source is said when it connects. With the applying thread running, no relay log is thrown away.
        link.exec("beginning to acknowledge", "STOP SLAVE IO_THREAD").await?;
        link.exec("beginning to acknowledge", "START SLAVE IO_THREAD").await?;
    }
    link.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_of_the_data_folder_is_seen() {
        for inside in ["", ".", "./", "/data/mysql/", "/data/mysql/binlog", "undo"] {
            assert!(!lies_outside("/data/mysql", inside), "{inside}");
        }
        for outside in ["/data/mysql-log/binlog", "/logs/binlog", "../logs"] {
            assert!(lies_outside("/data/mysql", outside), "{outside}");
        }
    }
}
