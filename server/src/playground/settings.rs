//! The `hadal.toml` of a playground: what a person would write for these servers, and nothing more.

use std::path::Path;

use super::accounts::{ADMIN_USER, APP_USER, REPLICATION_USER};
use super::ports::Ports;
use super::record::Secrets;

/// A number in a file may be another process's by now: it must run with this server's options.
const STOP: &str = "pid=$(cat {data_dir}/server.pid 2>/dev/null) || exit 0; \
                    tr '\\0' ' ' </proc/$pid/cmdline 2>/dev/null | grep -qF -- {data_dir}.cnf || exit 0; \
                    kill $pid; while [ -d /proc/$pid ]; do sleep 0.1; done";
/// The playground looks for the file and starts the server: it dies with whoever starts it.
const START: &str = "touch {data_dir}.restart";

/// The text of `hadal.toml`.
pub(super) fn settings(folder: &Path, ports: &Ports, secrets: &Secrets) -> String {
    let servers: Vec<String> = ports.servers.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    format!(
        "# Written by `hadal playground` at every start; copy it to change it.\n\
         [node]\nname = \"playground\"\ndata_dir = {data_dir}\n\n\
         [clusters.main]\nservers = [{servers}]\nadmin_user = \"{ADMIN_USER}\"\nadmin_password = {admin_password}\n\
         replication_user = \"{REPLICATION_USER}\"\nreplication_password = {replication_password}\n\n\
         # `hadal rejoin HOST:PORT --rebuild` works here, too.\n\
         [clusters.main.rebuild]\nstop = {stop}\nstart = {start}\n\n\
         [gateway]\nlisten = [\"127.0.0.1:{gateway}\"]\ndrain_timeout_ms = 2000\n\n\
         [users.{APP_USER}]\ncluster = \"main\"\n\n\
         [admin]\nlisten = \"127.0.0.1:{admin}\"\n\n\
         [log]\nlevel = \"warn\"\n",
        data_dir = quoted(&folder.join("hadal").to_string_lossy()),
        servers = servers.join(", "),
        admin_password = quoted(&secrets.admin_password),
        replication_password = quoted(&secrets.replication_password),
        stop = quoted(STOP),
        start = quoted(START),
        gateway = ports.gateway,
        admin = ports.admin,
    )
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control.is_control() => out += &format!("\\u{:04X}", u32::from(control)),
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_right_configuration() {
        let ports = Ports { gateway: 6033, admin: 6080, servers: vec![16001, 16002] };
        let secrets = Secrets::generate("app").unwrap();
        let text = settings(Path::new("/tmp/a \"b\" \\c"), &ports, &secrets);
        let loaded = config::parse(&text, "hadal.toml").unwrap();
        let cluster = &loaded.config.clusters["main"];
        assert_eq!(cluster.servers.len(), 2);
        assert_eq!(cluster.rebuild.stop, STOP);
        assert_eq!(loaded.config.node.data_dir, Path::new("/tmp/a \"b\" \\c/hadal"));
    }

    #[test]
    fn quoting_survives_what_a_path_can_hold() {
        assert_eq!(quoted("a\"b\\c\td"), r#""a\"b\\c\u0009d""#);
    }
}
