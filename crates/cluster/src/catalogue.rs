//! What names mean on a cluster's servers, as read from the primary.

mod leaving;
mod reading;
mod routines;
mod views;

use std::collections::HashMap;
use std::sync::Arc;

use mysql_client::{Client, ClientError, Rows};
use topology::{Catalogue, LeavingTriggers, RoutineAccess, VariableKind};

use views::View;

use crate::error::ClusterError;

/// Changes with every stored function that is created, altered or dropped. Reads one small table.
const ROUTINES_FINGERPRINT: &str = "SELECT CONCAT_WS('-', COUNT(*), SUM(CRC32(CONCAT_WS(CHAR(0), db, name, type, \
                                    sql_data_access, modified))), MAX(modified)) AS f FROM mysql.proc";

/// Changes with every view. Opens the file of every view, so it is asked for less often on servers with many.
const VIEWS_FINGERPRINT: &str = "SELECT CONCAT_WS('-', COUNT(*), SUM(CRC32(CONCAT_WS(CHAR(0), TABLE_SCHEMA, \
                                 TABLE_NAME, VIEW_DEFINITION)))) AS f FROM information_schema.VIEWS \
                                 WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys')";

const ROUTINES: &str = "SELECT db, name, sql_data_access AS access, LOWER(CONVERT(body_utf8 USING utf8mb4)) AS body \
                        FROM mysql.proc WHERE type = 'FUNCTION'";

const VIEWS: &str = "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n, VIEW_DEFINITION AS d FROM \
                     information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys')";

/// The servers' own views show the state of the server that is asked.
const SYSTEM_VIEWS: &str = "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n FROM information_schema.TABLES WHERE \
                            TABLE_SCHEMA IN ('mysql', 'sys') AND TABLE_TYPE LIKE '%VIEW'";

const VARIABLES: &str =
    "SELECT VARIABLE_NAME AS n, VARIABLE_TYPE AS t FROM information_schema.SYSTEM_VARIABLES";

/// Since 10.10 collations without a character set of their own have an id per character set here.
const COLLATIONS: &str = "SELECT ID AS id, FULL_COLLATION_NAME AS n, CHARACTER_SET_NAME AS c, IS_DEFAULT AS d FROM \
                          information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE ID IS NOT NULL";
const COLLATIONS_BEFORE_10_10: &str = "SELECT ID AS id, COLLATION_NAME AS n, CHARACTER_SET_NAME AS c, \
                                       IS_DEFAULT AS d FROM information_schema.COLLATIONS WHERE ID IS NOT NULL";

/// The default collations, which the table above does not always flag.
const DEFAULTS: &str = "SELECT CHARACTER_SET_NAME AS c, DEFAULT_COLLATE_NAME AS n FROM \
                        information_schema.CHARACTER_SETS";

/// Global values that the gateway itself honours or hands out.
const GLOBALS: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wait_timeout', 'interactive_timeout', \
                       'max_allowed_packet', 'net_write_timeout', 'net_read_timeout', 'sql_mode', 'autocommit', \
                       'init_connect', 'character_set_server', 'collation_server', 'character_set_client', \
                       'character_set_connection', 'character_set_results', 'collation_connection', \
                       'character_set_collations', 'skip_name_resolve', 'lower_case_table_names', 'tx_isolation', \
                       'transaction_isolation', 'tx_read_only', 'transaction_read_only', 'version', \
                       'version_comment', 'time_zone', 'system_time_zone', 'max_statement_time', \
                       'max_prepared_stmt_count', 'local_infile', 'completion_type', 'read_only', 'hostname', 'port', \
                       'socket', 'license', 'protocol_version', 'server_id', 'last_insert_id', \
                       'default_authentication_plugin', 'disconnect_on_expired_password', 'proxy_protocol_networks') \
                       OR Variable_name LIKE 'session\\_track\\_%'";

/// Functions of all schemas with what they say of themselves.
pub(crate) type Functions = HashMap<String, RoutineAccess>;

pub(crate) async fn routines_fingerprint(client: &mut Client) -> Result<String, ClientError> {
    first_value(client, ROUTINES_FINGERPRINT).await
}

pub(crate) async fn views_fingerprint(client: &mut Client) -> Result<String, ClientError> {
    let views = first_value(client, VIEWS_FINGERPRINT).await?;
    Ok(format!("{views}/{}", first_value(client, leaving::FINGERPRINT).await?))
}

async fn first_value(client: &mut Client, sql: &str) -> Result<String, ClientError> {
    Ok(client.query(sql).await?.at(0, 0).unwrap_or_default().to_owned())
}

/// Reads the functions, and then the views, whose judgement depends on them.
pub(crate) async fn read_names(client: &mut Client, catalogue: &mut Catalogue) -> Result<(), ClusterError> {
    let grants = client.query("SHOW GRANTS").await?;
    if !has_everywhere(&grants, &["SELECT", "SHOW VIEW"]) {
        return Err(ClusterError::MissingPrivilege("SHOW VIEW ON *.*"));
    }
    let rows = client.query(ROUTINES).await?;
    catalogue.functions = (0..rows.len()).filter_map(|row| function(&rows, row)).collect();
    let sees_triggers = has_everywhere(&grants, &["TRIGGER"]);
    let triggers = client.query(leaving::TRIGGERS).await?;
    let view_rows = client.query(VIEWS).await?;
    // The functions of `sys` run where they are named.
    let own = (0..rows.len()).any(|row| rows.get(row, "db") != Some("sys"));
    catalogue.has_stored_code = own || !triggers.is_empty() || !sees_triggers;
    let leaving = leaving::names(&rows, &triggers, &view_rows, &catalogue.variables);
    catalogue.code_reads_insert_id = leaving.reads_insert_id;
    catalogue.session_functions = leaving.functions;
    catalogue.leaving_triggers = match sees_triggers {
        true if leaving.tables.is_empty() => LeavingTriggers::None,
        true => LeavingTriggers::On(leaving.tables),
        false => {
            tracing::warn!(
                "clusters.*.admin_user lacks TRIGGER ON *.*: since any write might fire a trigger that sets variables, \
                 sessions that write keep their connections"
            );
            LeavingTriggers::Unknown
        }
    };
    let for_the_primary = routines::Bodies::new(&rows).for_the_primary();
    for (name, access) in &mut catalogue.functions {
        let own = name.rsplit('.').next().unwrap_or_default();
        if catalogue.session_functions.contains(own) || for_the_primary.contains(own) {
            *access = RoutineAccess::MayWrite;
        }
    }
    let views: Vec<_> = (0..view_rows.len()).filter_map(|row| view(&view_rows, row)).collect();
    let mut primary_only = views::primary_only(&views, &catalogue.functions);
    let rows = client.query(SYSTEM_VIEWS).await?;
    primary_only.extend((0..rows.len()).filter_map(|row| name(&rows, row)));
    catalogue.set_primary_only_views(primary_only);
    Ok(())
}

/// Whether one's grants, those of a default role included, have one of the privileges everywhere: a view that is not
/// even listed would be taken for a table.
fn has_everywhere(grants: &Rows, wanted: &[&str]) -> bool {
    (0..grants.len()).filter_map(|row| grants.at(row, 0)).any(|grant| {
        let privileges = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON *.* TO "));
        privileges
            .is_some_and(|(list, _)| list.split(", ").any(|p| p == "ALL PRIVILEGES" || wanted.contains(&p)))
    })
}

fn function(rows: &Rows, row: usize) -> Option<(String, RoutineAccess)> {
    let name = format!("{}.{}", rows.get(row, "db")?, rows.get(row, "name")?).to_lowercase();
    // System variables can differ between servers.
    let names_a_variable = rows.get(row, "body").is_none_or(|body| body.contains("@@"));
    let access = match rows.get(row, "access")? {
        "NO_SQL" | "READS_SQL_DATA" if !names_a_variable => RoutineAccess::DeclaredReadOnly,
        _ => RoutineAccess::MayWrite,
    };
    Some((name, access))
}

fn name(rows: &Rows, row: usize) -> Option<String> {
    Some(format!("{}.{}", rows.get(row, "s")?, rows.get(row, "n")?).to_lowercase())
}

fn view(rows: &Rows, row: usize) -> Option<View> {
    let definition = rows.get(row, "d").unwrap_or_default();
    Some(View { name: name(rows, row)?, reading: reading::read(definition, rows.get(row, "s")?) })
}

/// Reads what only changes with a plugin or another version of the server.
pub(crate) async fn read_fixed(client: &mut Client, catalogue: &mut Catalogue) -> Result<(), ClientError> {
    let rows = client.query(VARIABLES).await?;
    catalogue.variables = (0..rows.len()).filter_map(|row| variable(&rows, row)).collect();
    let rows = match client.query(COLLATIONS).await {
        Err(ClientError::Server(_)) => client.query(COLLATIONS_BEFORE_10_10).await?,
        other => other?,
    };
    catalogue.collations = (0..rows.len()).filter_map(|row| collation(&rows, row)).collect();
    let rows = client.query(DEFAULTS).await?;
    let default = |row| Some((Arc::from(rows.get(row, "c")?), Arc::from(rows.get(row, "n")?)));
    catalogue.default_collations = (0..rows.len()).filter_map(default).collect();
    Ok(())
}

fn variable(rows: &Rows, row: usize) -> Option<(String, VariableKind)> {
    let kind = match rows.get(row, "t")? {
        number if number.contains("INT") || number == "DOUBLE" => VariableKind::Number,
        _ => VariableKind::Text,
    };
    Some((rows.get(row, "n")?.to_lowercase(), kind))
}

/// A collation's name and its character set's.
type Collation = (Arc<str>, Arc<str>);

fn collation(rows: &Rows, row: usize) -> Option<(u16, Collation)> {
    let names = (Arc::from(rows.get(row, "n")?), Arc::from(rows.get(row, "c")?));
    Some((rows.parse(row, "id")?, names))
}

/// Reads the global values, as `SHOW` writes them.
pub(crate) async fn read_globals(client: &mut Client) -> Result<HashMap<String, String>, ClientError> {
    let rows = client.query(GLOBALS).await?;
    let pair = |row| Some((rows.at(row, 0)?.to_lowercase(), rows.at(row, 1)?.to_owned()));
    Ok((0..rows.len()).filter_map(pair).collect())
}
