//! `--detach` and `--stop`: a playground that outlives the command that started it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::args::PlaygroundArgs;
use super::child_setup::{leave_the_terminal, terminate};
use super::home::{self, Home};
use super::ports::Ports;
use super::record::{Phase, Record};
use super::run::PATIENCE;
use super::template::last_lines;

const POLL: Duration = Duration::from_millis(50);

/// Starts this same program as a process of its own and returns when it is ready.
pub(super) fn start(args: &PlaygroundArgs) -> anyhow::Result<ExitCode> {
    // Port 0 is settled here, because the folder's name follows from the gateway's port.
    let gateway_port = Ports::choose(args, 0)?.gateway;
    let folder = Home::path_for(args.dir.as_deref(), gateway_port);
    if home::is_running(&folder)? {
        bail!("a playground already runs in {}: stop it with `hadal playground --stop`", folder.display());
    }
    let log = log_path(&folder);
    let mut child = spawn(args, gateway_port, &log)?;
    wait_until_ready(&mut child, &folder, &log)?;
    relay_report(&log, args, gateway_port)?;
    Ok(ExitCode::SUCCESS)
}

/// Ends the playground of a folder and waits until it is gone.
pub(super) fn stop(args: &PlaygroundArgs) -> anyhow::Result<ExitCode> {
    let folder = Home::path_for(args.dir.as_deref(), args.gateway_port);
    if !home::is_running(&folder)? {
        bail!("no playground runs in {}: name it with --dir or --gateway-port", folder.display());
    }
    let record = Record::read(&folder)?.context("the playground has just begun to start: try again")?;
    terminate(record.process_id).with_context(|| format!("cannot stop process {}", record.process_id))?;
    let deadline = Instant::now() + PATIENCE;
    while home::is_running(&folder)? {
        if Instant::now() > deadline {
            bail!("process {} did not stop in {} s", record.process_id, PATIENCE.as_secs());
        }
        sleep(POLL);
    }
    if args.dir.is_none() {
        // Everything temporary goes; a log that a foreground playground never wrote is not missed.
        let _ = std::fs::remove_file(log_path(&folder));
    }
    Ok(ExitCode::SUCCESS)
}

/// Beside the folder and not in it: a temporary folder is emptied by the start.
fn log_path(folder: &Path) -> std::path::PathBuf {
    folder.with_extension("log")
}

fn spawn(args: &PlaygroundArgs, gateway_port: u16, log: &Path) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let output = create_log(log)?;
    let errors = output.try_clone().context("cannot share a log file")?;
    let mut command = Command::new(program);
    command.arg("playground").stdin(Stdio::null()).stdout(output).stderr(errors);
    command.arg(format!("--gateway-port={gateway_port}"));
    command.arg(format!("--admin-port={}", args.admin_port));
    command.arg(format!("--base-port={}", args.base_port));
    command.arg("--app-password").arg(&args.app_password);
    if let Some(replicas) = args.replicas {
        command.arg(format!("--replicas={replicas}"));
    }
    for (flag, path) in [("--dir", &args.dir), ("--server-bin", &args.server_bin)] {
        if let Some(path) = path {
            command.arg(flag).arg(path);
        }
    }
    if args.json {
        command.arg("--json");
    }
    leave_the_terminal(&mut command);
    command.spawn().context("cannot start the playground in the background")
}

fn create_log(log: &Path) -> anyhow::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(parent) = log.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    // A new file each time: whatever lies under this name in a shared folder is not ours to write through.
    match std::fs::remove_file(log) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", log.display()));
        }
        _ => {}
    }
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))
}

fn wait_until_ready(child: &mut Child, folder: &Path, log: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the playground")? {
            bail!("the playground did not start ({status}); {}", last_lines(log));
        }
        let record = Record::read(folder)?;
        let ready = |r: &Record| r.phase == Phase::Ready && r.process_id == child.id();
        if record.is_some_and(|record| ready(&record)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            // The child stops its servers when it is told to end.
            let told = terminate(child.id());
            bail!("the playground is not ready in time ({told:?}); {}", last_lines(log));
        }
        sleep(POLL);
    }
}

/// Shows what the background process has said so far; of JSON, only the one line that is meant for programs.
fn relay_report(log: &Path, args: &PlaygroundArgs, gateway_port: u16) -> anyhow::Result<()> {
    let text = std::fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let shown = if args.json {
        text.lines().filter(|line| line.starts_with('{')).collect::<Vec<_>>().join("\n")
    } else {
        let which = match &args.dir {
            Some(dir) => format!("--dir {}", dir.display()),
            None => format!("--gateway-port {gateway_port}"),
        };
        let how = format!("`hadal playground --stop {which}` stops everything.");
        text.trim_end().replace("Ctrl-C stops everything.", &how)
    };
    writeln!(std::io::stdout(), "{shown}").context("cannot write to standard output")
}
