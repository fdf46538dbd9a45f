//! `hadal serve` as a process: when it is ready, what it says when it cannot be, how it reloads and how it stops.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const HADAL: &str = env!("CARGO_BIN_EXE_hadal");
const PATIENCE: Duration = Duration::from_secs(30);

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits for something that another process does.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A primary and a replica, stopped when this is dropped.
struct Servers {
    dir: PathBuf,
    ports: Vec<u16>,
    admin_password: String,
    _folder: TempDir,
}

impl Servers {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("pg");
        let flags = ["playground", "--detach", "--json", "--replicas=1"];
        let ports = ["--gateway-port=0", "--admin-port=0", "--base-port=0"];
        let output = Command::new(HADAL).args(flags).args(ports).arg("--dir").arg(&dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let servers = report["servers"].as_array().unwrap();
        let ports = servers.iter().map(|server| server["port"].as_u64().unwrap() as u16).collect();
        let config = config::Config::load(Path::new(report["config"].as_str().unwrap())).unwrap();
        let admin_password = config.clusters["main"].admin_password.expose().to_owned();
        Self { dir, ports, admin_password, _folder: folder }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = Command::new(HADAL).args(["playground", "--stop", "--dir"]).arg(&self.dir).output();
    }
}

/// A `hadal serve`, killed when this is dropped.
struct Hadal {
    child: Child,
    folder: TempDir,
    gateway: u16,
    admin: u16,
}

impl Hadal {
    /// Serves these database ports; `more` is added to the configuration.
    fn start(servers: &[u16], password: &str, more: &str) -> Self {
        let (gateway, admin) = (free_port(), free_port());
        let folder = tempfile::tempdir().unwrap();
        let servers: Vec<String> = servers.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        let text = format!(
            "[clusters.main]\nservers = [{}]\nadmin_user = \"hadal\"\nadmin_password = \"{password}\"\n\
             [gateway]\nlisten = [\"127.0.0.1:{gateway}\"]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n{more}",
            servers.join(", ")
        );
        let path = folder.path().join("hadal.toml");
        std::fs::write(&path, text).unwrap();
        Self::run(gateway, admin, folder)
    }

    /// Runs the configuration in the folder.
    fn run(gateway: u16, admin: u16, folder: TempDir) -> Self {
        let path = folder.path().join("hadal.toml");
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(HADAL);
        command.arg("serve").arg("--config").arg(&path).env("NO_COLOR", "1");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Self { child, folder, gateway, admin }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("hadal.toml")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Runs another command of the program against this one.
    fn ask(&self, args: &[&str]) -> Output {
        Command::new(HADAL)
            .args(args)
            .env("HADAL_URL", format!("http://127.0.0.1:{}", self.admin))
            .output()
            .unwrap()
    }

    fn status(&self) -> Option<Value> {
        serde_json::from_slice(&self.ask(&["status", "--json"]).stdout).ok()
    }

    fn until_ready(&self) -> Value {
        until("readiness", || self.status().filter(|status| status["ready"] == true))
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// The exit code after it was told to stop.
    fn stop(&mut self) -> Option<i32> {
        self.signal("-TERM");
        until("the end of the process", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Hadal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A statement of the `app` user through a port: standard output, or what went wrong.
fn sql(port: u16, statement: &str) -> Result<String, String> {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--protocol=tcp", "-h127.0.0.1", "-uapp", "-papp", "-N", "-B"]);
    let output = command.arg(format!("-P{port}")).args(["-e", statement, "app"]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// What the primary is busy with.
fn processes(servers: &Servers) -> Option<String> {
    sql(servers.ports[0], "SHOW FULL PROCESSLIST").ok()
}

#[test]
fn a_served_cluster_is_ready_answers_reloads_and_drains() {
    let servers = Servers::start();
    let mut hadal = Hadal::start(&servers.ports, &servers.admin_password, "");
    let status = hadal.until_ready();
    let primary = format!("127.0.0.1:{}", servers.ports[0]);
    assert_eq!(status["clusters"][0]["primary"], primary.as_str());
    assert_eq!(status["clusters"][0]["servers"].as_array().unwrap().len(), 2);

    assert_eq!(sql(hadal.gateway, "SELECT 6*7"), Ok("42".to_owned()));
    let explained: Value =
        serde_json::from_slice(&hadal.ask(&["explain", "--json", "DELETE FROM t"]).stdout).unwrap();
    assert_eq!((&explained["role"], &explained["server"]), (&"primary".into(), &primary.as_str().into()));

    let text = std::fs::read_to_string(hadal.path()).unwrap();
    std::fs::write(hadal.path(), format!("{text}[users.app]\nconsistency = \"eventual\"\n")).unwrap();
    hadal.signal("-HUP");
    until("the reload", || hadal.log().contains("configuration reloaded").then_some(()));
    std::fs::write(hadal.path(), text.replace("workers = 1", "wrokers = 1")).unwrap();
    hadal.signal("-HUP");
    until("the refusal", || hadal.log().contains("unknown key, did you mean `workers`?").then_some(()));
    std::fs::write(hadal.path(), text.replace("workers = 1", "workers = 2")).unwrap();
    hadal.signal("-HUP");
    until("the refusal", || hadal.log().contains("a restart is needed for gateway.workers").then_some(()));
    assert_eq!(sql(hadal.gateway, "SELECT 6*7"), Ok("42".to_owned()));

    // A second signal does not wait for anybody.
    let mut impatient = Hadal::start(&servers.ports, &servers.admin_password, "");
    impatient.until_ready();
    let gateway = impatient.gateway;
    let long = std::thread::spawn(move || sql(gateway, "BEGIN; SELECT SLEEP(300); COMMIT"));
    until("the sleep", || processes(&servers).filter(|list| list.contains("SLEEP(300)")));
    impatient.signal("-TERM");
    until("the first signal", || impatient.log().contains("stopping").then_some(()));
    assert_eq!(impatient.stop(), Some(1), "{}", impatient.log());
    assert!(long.join().unwrap().is_err());

    // What is under way when the stop comes is finished; the client that is told nothing else gets its commit.
    let gateway = hadal.gateway;
    let running = std::thread::spawn(move || sql(gateway, "BEGIN; SELECT SLEEP(1); COMMIT"));
    until("the sleep", || processes(&servers).filter(|list| list.contains("SLEEP(1)")));
    assert_eq!(hadal.stop(), Some(0), "{}", hadal.log());
    assert_eq!(running.join().unwrap(), Ok("0".to_owned()));
    assert!(sql(gateway, "SELECT 1").is_err());
}

#[test]
fn without_a_database_it_runs_is_not_ready_and_says_why() {
    let mut hadal = Hadal::start(&[free_port()], "secret", "[log]\nformat = \"json\"\n");
    let status = until("an answer", || hadal.status());
    assert_eq!(status["ready"], false);
    assert_eq!(status["reasons"][0], "cluster main: no primary is known");
    assert_eq!(hadal.ask(&["status"]).status.code(), Some(1));
    let refused = until("a refusal in words", || {
        sql(hadal.gateway, "SELECT 1").err().filter(|why| why.contains("hadal:"))
    });
    assert!(refused.starts_with("ERROR "), "{refused}");
    assert_eq!(hadal.stop(), Some(0), "{}", hadal.log());
    for line in hadal.log().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert!(entry["level"].is_string() && entry["message"].is_string(), "{line}");
    }
}

#[test]
fn a_taken_port_ends_it_with_one_line_that_names_the_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (key, admin, gateway) in [("admin", port, free_port()), ("gateway.listen", free_port(), port)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hadal.toml");
        let text = format!(
            "[log]\nlevel = \"off\"\n[clusters.main]\nservers = [\"127.0.0.1:1\"]\nadmin_user = \"h\"\nadmin_password = \"\"\n\
             [gateway]\nlisten = [\"127.0.0.1:{gateway}\"]\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n"
        );
        std::fs::write(&path, text).unwrap();
        let output = Command::new(HADAL).arg("serve").arg("--config").arg(&path).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
        assert!(told.contains(&format!("cannot listen on 127.0.0.1:{port}")) && told.contains(key), "{told}");
    }
}
