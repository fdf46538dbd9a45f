//! Keeping what only a server that was left behind has: its extra transactions, as text that people can read.
//!
//! The server's own program, `mariadb-binlog` or `mysqlbinlog`, reads them from it and decodes the rows. Nothing is done with the file: whether
//! something in it is wanted is for people to say.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use topology::{Address, Extra, Position};

use crate::execute::replica;
use crate::options::ObserveOptions;

/// Writes the transactions into a file below `folder` and gives its path; the error says what is missing.
pub(crate) async fn save(
    options: &ObserveOptions,
    cluster: &str,
    server: &str,
    extra: &[Extra],
    position: &Position,
) -> Result<PathBuf, String> {
    let control = &options.control;
    let Some(folder) = &control.keep_in else { return Err("there is no folder for it".to_owned()) };
    if control.replication_user.is_empty() {
        return Err("that needs replication_user".to_owned());
    }
    let address: Address = server.parse().map_err(|error| format!("{error}"))?;
    let first = replica::first_binary_log(options, server).await.map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let name = format!("{cluster}-{}-{now}.sql", server.replace([':', '/', '[', ']'], "_"));
    let path = folder.join(name);
    let mysql = sets(extra);
    let program = if mysql.is_empty() { "mariadb-binlog" } else { "mysqlbinlog" };
    let mut command = Command::new(program);
    command
        .args(["--no-defaults", "--read-from-remote-server", "--verbose", "--base64-output=decode-rows"])
        // A fork has numbers that are there already.
        .args(["--to-last-log", "--skip-gtid-strict-mode"])
        .arg(format!("--host={}", address.host))
        .arg(format!("--port={}", address.port))
        .arg(format!("--user={}", control.replication_user))
        .env("MYSQL_PWD", &control.replication_password);
    let start = start_position(extra, position);
    if !mysql.is_empty() {
        command.arg(format!("--include-gtids={mysql}"));
    } else if !start.is_empty() {
        command.arg(format!("--start-position={start}"));
    }
    command.arg(first);
    let file = path.clone();
    let written = tokio::task::spawn_blocking(move || run(command, program, &file)).await;
    written.map_err(|error| error.to_string())??;
    Ok(path)
}

/// MySQL's extra transactions, as one set.
fn sets(extra: &[Extra]) -> String {
    let sets = extra.iter().filter(|extra| matches!(extra, Extra::Set(_)));
    sets.map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Where the reading begins: in each domain with extra transactions behind the newest common one, in the others at the end.
fn start_position(extra: &[Extra], position: &Position) -> String {
    let extra: Vec<_> = extra.iter().filter_map(Extra::range).collect();
    let common =
        extra.iter().filter(|e| e.after > 0).map(|e| format!("{}-{}-{}", e.domain, e.server, e.after));
    let others = position.points().iter().filter(|p| extra.iter().all(|e| e.domain != p.domain));
    common.chain(others.map(ToString::to_string)).collect::<Vec<_>>().join(",")
}

fn run(mut command: Command, program: &str, path: &Path) -> Result<(), String> {
    let say = |what: &str, error: std::io::Error| format!("{what}: {error}");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| say("cannot make the folder", error))?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))
            .map_err(|error| say("cannot close the folder", error))?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(|error| say("cannot write the file", error))?;
    let kept = file.try_clone().map_err(|error| say("cannot write the file", error))?;
    let output = command.stdin(Stdio::null()).stdout(file).stderr(Stdio::piped()).output();
    let output = output.map_err(|error| say(&format!("cannot run {program}"), error))?;
    if !output.status.success() {
        // Half a file would look like the whole.
        let _ = fs::remove_file(path);
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    kept.sync_all().map_err(|error| say("cannot write the file", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_begins_where_the_histories_part() {
        let extra = |after| Extra::Range(topology::ExtraRange { domain: 0, server: 1, after, to: 105 });
        let position: Position = "0-1-105,7-3-9".parse().unwrap();
        assert_eq!(start_position(&[extra(100)], &position), "0-1-100,7-3-9");
        assert_eq!(start_position(&[extra(0)], &position), "7-3-9");
    }
}
