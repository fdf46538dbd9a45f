//! The accounts and the database that a new playground starts with, as the SQL of a bootstrapping server.
//!
//! It runs before any server logs to its binary log, so that all servers begin equal and with an empty GTID history.

use super::record::Secrets;

/// The account that hadal observes and controls servers with.
pub(super) const ADMIN_USER: &str = "hadal";
/// The account that replicas fetch from the primary with.
pub(super) const REPLICATION_USER: &str = "replication";
/// The account and database for applications.
pub(super) const APP_USER: &str = "app";
pub(super) const APP_DATABASE: &str = "app";

/// One statement per line: a bootstrapping server reads them so.
pub(super) fn bootstrap_sql(secrets: &Secrets) -> String {
    let admin = quoted(&secrets.admin_password);
    let replication = quoted(&secrets.replication_password);
    let app = quoted(&secrets.app_password);
    // Grants are not in force while bootstrapping, and account statements need them: the first line loads them.
    [
        "FLUSH PRIVILEGES;".to_owned(),
        "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');"
            .to_owned(),
        "FLUSH PRIVILEGES;".to_owned(),
        format!("CREATE USER '{ADMIN_USER}'@'%' IDENTIFIED BY {admin};"),
        format!("GRANT ALL PRIVILEGES ON *.* TO '{ADMIN_USER}'@'%' WITH GRANT OPTION;"),
        format!("CREATE USER '{REPLICATION_USER}'@'%' IDENTIFIED BY {replication};"),
        format!("GRANT REPLICATION SLAVE ON *.* TO '{REPLICATION_USER}'@'%';"),
        format!("CREATE DATABASE {APP_DATABASE} CHARACTER SET utf8mb4;"),
        format!("CREATE USER '{APP_USER}'@'%' IDENTIFIED BY {app};"),
        format!("GRANT ALL PRIVILEGES ON `{APP_DATABASE}`.* TO '{APP_USER}'@'%';"),
        // Test runners make databases of their own, as Django's `test_app`.
        format!("GRANT ALL PRIVILEGES ON `{APP_DATABASE}\\_%`.* TO '{APP_USER}'@'%';"),
        format!("GRANT ALL PRIVILEGES ON `test\\_%`.* TO '{APP_USER}'@'%';"),
        String::new(),
    ]
    .join("\n")
}

/// The statement with which a running playground's `app` user gets the password of this start's command line.
pub(super) fn set_app_password(secrets: &Secrets) -> String {
    format!("SET PASSWORD FOR '{APP_USER}'@'%' = PASSWORD({});", quoted(&secrets.app_password))
}

/// A replica's statements to follow the primary on this port from its own position.
pub(super) fn follow(port: u16, secrets: &Secrets) -> String {
    let password = quoted(&secrets.replication_password);
    format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='{REPLICATION_USER}', \
         MASTER_PASSWORD={password}, MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=0.5;\n"
    )
}

/// A string literal that holds whatever the password is; a line break would end the statement's line.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n").replace('\r', "\\r");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_cannot_leave_its_literal_or_its_line() {
        assert_eq!(quoted("a'b\\c\nd"), r"'a''b\\c\nd'");
    }
}
