//! What a ready playground tells: how to connect, and which servers run. For people, or as one line of JSON.

use std::io::{IsTerminal as _, Write as _};

use serde_json::json;

use super::accounts::{APP_DATABASE, APP_USER};
use super::fleet::Fleet;
use super::home::Home;
use super::ports::Ports;
use super::record::Secrets;
use super::state::ServerState;

/// The facts that a report is made of.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    pub(super) home: &'a Home,
    pub(super) ports: &'a Ports,
    pub(super) secrets: &'a Secrets,
    pub(super) fleet: &'a Fleet,
    pub(super) server_version: &'a str,
    /// In the order of the fleet's servers.
    pub(super) states: &'a [ServerState],
}

impl Ready<'_> {
    /// Writes the report to standard output.
    pub(super) fn print(&self, as_json: bool) {
        let text = if as_json { self.json().to_string() } else { self.text(std::io::stdout().is_terminal()) };
        let mut out = std::io::stdout().lock();
        // A closed standard output must not stop the playground.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    fn json(&self) -> serde_json::Value {
        let servers: Vec<_> = self
            .fleet
            .databases
            .iter()
            .zip(self.states)
            .map(|(database, state)| {
                json!({
                    "state": state,
                    "number": database.number,
                    "host": "127.0.0.1",
                    "port": database.port,
                    "role": self.role(database.number),
                    "process_id": database.process_id(),
                    "socket": self.home.socket(database.number),
                    "data_dir": self.home.data(database.number),
                    "options_file": self.home.options_file(database.number),
                    "error_log": self.home.error_log(database.number),
                })
            })
            .collect();
        json!({
            "event": "ready",
            "process_id": std::process::id(),
            "dir": self.home.path(),
            "config": self.home.settings_file(),
            "server_version": self.server_version,
            "gateway": {"host": "127.0.0.1", "port": self.ports.gateway},
            "admin": format!("http://127.0.0.1:{}", self.ports.admin),
            "user": APP_USER,
            "database": APP_DATABASE,
            "servers": servers,
        })
    }

    fn role(&self, number: u16) -> &'static str {
        if number == self.fleet.primary { "primary" } else { "replica" }
    }

    fn text(&self, colour: bool) -> String {
        let (bold, off) = if colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let mut lines = vec![String::new(), format!("{bold}Connect{off}")];
        lines.extend(self.ways_to_connect().map(|(name, how)| format!("  {name:<11} {how}")));
        lines.extend([String::new(), format!("{bold}Servers{off} (MariaDB {})", self.server_version)]);
        lines.extend(self.table());
        let fate = if self.home.is_temporary() { "thrown away at the end" } else { "kept" };
        lines.push(format!("\nData in {} ({fate}). Ctrl-C stops everything.", self.home.path().display()));
        lines.join("\n")
    }

    fn ways_to_connect(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let port = self.ports.gateway;
        let password = &self.secrets.app_password;
        let in_url = percent_encoded(password);
        [
            ("mysql", format!("mysql -h 127.0.0.1 -P {port} -u {APP_USER} -p{password} {APP_DATABASE}")),
            ("SQLAlchemy", format!("mysql+pymysql://{APP_USER}:{in_url}@127.0.0.1:{port}/{APP_DATABASE}")),
            (
                "Django",
                format!(
                    "{{\"ENGINE\": \"django.db.backends.mysql\", \"HOST\": \"127.0.0.1\", \"PORT\": {port}, \
                     \"NAME\": \"{APP_DATABASE}\", \"USER\": \"{APP_USER}\", \"PASSWORD\": {password:?}}}"
                ),
            ),
            ("admin", format!("http://127.0.0.1:{}/metrics", self.ports.admin)),
        ]
        .into_iter()
    }

    fn table(&self) -> Vec<String> {
        let row = |cells: [&str; 6]| {
            let [server, address, role, mode, replication, position] = cells;
            let line =
                format!("  {server:<7} {address:<16} {role:<8} {mode:<11} {replication:<14} {position}");
            line.trim_end().to_owned()
        };
        let mut rows = vec![row(["server", "address", "role", "mode", "replication", "position"])];
        for (database, state) in self.fleet.databases.iter().zip(self.states) {
            rows.push(row([
                &database.number.to_string(),
                &format!("127.0.0.1:{}", database.port),
                self.role(database.number),
                if state.writable { "read-write" } else { "read-only" },
                &state.replication(),
                &state.gtid_position,
            ]));
        }
        rows.push(format!("  Logs: {}/server-N.log", self.home.path().display()));
        rows
    }
}

/// A password as a URL carries it.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_keeps_its_meaning() {
        assert_eq!(percent_encoded("a/b@c:ä"), "a%2Fb%40c%3A%C3%A4");
    }
}
