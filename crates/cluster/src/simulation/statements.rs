//! The statements that hadal sends when it changes something. One that is not known here is a mistake of the model: it panics.

use std::time::Duration;

use mysql_client::{ClientError, Rows};
use mysql_wire::ServerError;
use topology::Position;

use super::machine::Machine;
use super::world::Servers;

/// `None`: not yet, it is asked again a moment later.
pub(super) type Said = Option<Result<Rows, ClientError>>;

fn row(columns: &[&str], values: Vec<String>) -> Rows {
    Rows::of(columns, vec![values.into_iter().map(Some).collect()])
}

fn fail(code: u16, message: &str) -> Result<Rows, ClientError> {
    Err(ClientError::Server(ServerError::new(code, b"HY000", message)))
}

/// What follows a word in a statement, up to a comma or the end, without quotes.
fn value<'a>(sql: &'a str, word: &str) -> Option<&'a str> {
    let rest = sql.split_once(word)?.1;
    Some(rest.split([',', ' ']).next().unwrap_or_default().trim_matches('\''))
}

pub(super) fn answer(
    servers: &mut Servers,
    server: usize,
    sql: &str,
    asked: Duration,
    now: Duration,
) -> Said {
    if sql.contains("MASTER_GTID_WAIT") {
        return wait(&servers.machines[server], sql, asked, now);
    }
    if sql == "SHOW ALL SLAVES STATUS" {
        return Some(Ok(replication(servers, server)));
    }
    if sql.contains("Rpl_semi_sync_master_clients") {
        let clients = servers.acknowledgers(server).to_string();
        return Some(Ok(row(
            &["Variable_name", "Value"],
            vec!["Rpl_semi_sync_master_clients".into(), clients],
        )));
    }
    if sql == "SHOW ENGINE INNODB STATUS" {
        return Some(Ok(row(&["Status"], vec![String::new()])));
    }
    Some(on_one(&mut servers.machines[server], sql, now))
}

fn wait(machine: &Machine, sql: &str, asked: Duration, now: Duration) -> Said {
    let position: Position = sql.split('\'').nth(1).unwrap().parse().unwrap();
    let limit = sql.split(", ").nth(1).unwrap().split(')').next().unwrap().parse().unwrap();
    let outcome = |text: &str| Some(Ok(row(&["outcome"], vec![text.to_owned()])));
    if machine.slave_pos.covers(&position) {
        return outcome("0");
    }
    if now.saturating_sub(asked) > Duration::from_secs_f64(limit) { outcome("-1") } else { None }
}

fn on_one(machine: &mut Machine, sql: &str, now: Duration) -> Result<Rows, ClientError> {
    if let Some(query) = sql.strip_prefix("SELECT @@global.") {
        let (variable, column) = query.split_once(" AS ").unwrap();
        let value = match variable {
            "gtid_slave_pos" => machine.slave_pos.to_string(),
            "gtid_binlog_pos" => machine.written().to_string(),
            "gtid_current_pos" => machine.reached().to_string(),
            "read_only" => u8::from(machine.read_only).to_string(),
            "event_scheduler" => "ON".to_owned(),
            "rpl_semi_sync_master_enabled" => u8::from(machine.waits).to_string(),
            _ => panic!("the model does not know {sql}"),
        };
        return Ok(row(&[column], vec![value]));
    }
    if sql.contains("information_schema.GLOBAL_STATUS") {
        return Ok(row(&["id", "uptime"], vec![machine.id().to_string(), "9000".to_owned()]));
    }
    if sql.contains("FROM mysql.event") {
        return Ok(Rows::of(&["db"], Vec::new()));
    }
    if sql.contains("COMMAND = 'Slave_worker'") {
        return Ok(row(&["busy"], vec![u8::from(!machine.relay.is_empty()).to_string()]));
    }
    if sql.contains("PROCESSLIST") {
        let ids = machine.waiting.iter().map(|w| vec![Some(w.session.to_string())]).collect();
        return Ok(Rows::of(&["id"], ids));
    }
    change(machine, sql, now)
}

fn change(machine: &mut Machine, sql: &str, now: Duration) -> Result<Rows, ClientError> {
    if let Some(id) = sql.strip_prefix("KILL CONNECTION ") {
        machine.kill_session(id.parse().unwrap());
    } else if let Some(variable) = sql.strip_prefix("SET GLOBAL ") {
        return set(machine, variable, now);
    } else if sql.starts_with("CHANGE MASTER TO ") {
        if machine.source.as_ref().is_some_and(|source| source.receives || source.applies) {
            return fail(1198, "this operation cannot be performed with a running slave");
        }
        let host = value(sql, "MASTER_HOST=").unwrap();
        let server: usize = host.trim_start_matches("db").parse().unwrap();
        machine.change_source(server - 1, sql.contains("MASTER_DEMOTE_TO_SLAVE=1"), now);
    } else if let Some(until) = sql.strip_prefix("START SLAVE UNTIL master_gtid_pos=") {
        machine.start_threads(true, true, now);
        if let Some(source) = &mut machine.source {
            source.until = Some(until.trim_matches('\'').parse().unwrap());
        }
    } else {
        match sql {
            "START SLAVE" => machine.start_threads(true, true, now),
            "START SLAVE IO_THREAD" => machine.start_threads(true, false, now),
            "START SLAVE SQL_THREAD" => machine.start_threads(false, true, now),
            "STOP SLAVE" => machine.stop_threads(true, true),
            "STOP SLAVE IO_THREAD" => machine.stop_threads(true, false),
            "RESET SLAVE ALL" => {
                machine.source = None;
                machine.relay.clear();
            }
            _ if sql.starts_with("SET SESSION ") => {}
            _ => panic!("the model does not know {sql}"),
        }
    }
    Ok(Rows::default())
}

fn set(machine: &mut Machine, variable: &str, now: Duration) -> Result<Rows, ClientError> {
    match variable {
        "read_only=1" if !machine.waiting.is_empty() => {
            return fail(1205, "Lock wait timeout exceeded");
        }
        "read_only=1" => machine.read_only = true,
        "read_only=0" => {
            if machine.read_only {
                machine.opened = now;
            }
            machine.read_only = false;
        }
        "rpl_semi_sync_master_enabled=1" => machine.waits = true,
        "rpl_semi_sync_master_enabled=0" => {
            machine.waits = false;
            // Whoever waits is let go, without having been acknowledged by anybody: as the server does.
            machine.acknowledged(topology::MariaGtid { domain: 0, server: 0, seq: u64::MAX });
        }
        "rpl_semi_sync_slave_enabled=1" => machine.acknowledges = true,
        "rpl_semi_sync_slave_enabled=0" => machine.acknowledges = false,
        _ if variable.contains("timeout=") || variable.starts_with("event_scheduler=") => {}
        _ => panic!("the model does not know SET GLOBAL {variable}"),
    }
    Ok(Rows::default())
}

const COLUMNS: &[&str] = &[
    "Connection_name",
    "Master_Host",
    "Master_Port",
    "Master_Server_Id",
    "Slave_IO_Running",
    "Slave_SQL_Running",
    "Last_IO_Errno",
    "Last_IO_Error",
    "Last_SQL_Errno",
    "Last_SQL_Error",
    "Gtid_IO_Pos",
    "Slave_SQL_Running_State",
    "Slave_received_heartbeats",
    "Slave_heartbeat_period",
];

pub(super) fn replication(servers: &Servers, server: usize) -> Rows {
    let machine = &servers.machines[server];
    let Some(source) = &machine.source else { return Rows::of(COLUMNS, Vec::new()) };
    let receiver = match (source.receives, source.connected) {
        (false, _) => "No",
        (true, false) => "Connecting",
        (true, true) => "Yes",
    };
    let read_all = "Slave has read all relay log; waiting for more updates";
    let number = if source.error.is_empty() { "0" } else { "1236" };
    // A relay log of which no thread was started since the server was is a closed book.
    let blank = !source.receives && !source.applies && machine.started.is_some() && source.heartbeats == 0;
    let received = if blank { String::new() } else { machine.received().to_string() };
    row(
        COLUMNS,
        [
            "",
            &format!("db{}", source.server + 1),
            "3306",
            &(source.server + 1).to_string(),
            receiver,
            if source.applies { "Yes" } else { "No" },
            number,
            &source.error,
            "0",
            "",
            &received,
            if machine.relay.is_empty() { read_all } else { "applying" },
            &source.heartbeats.to_string(),
            "0.5",
        ]
        .map(str::to_owned)
        .to_vec(),
    )
}
