//! The data folder that all servers of a playground are copies of: made once, so that starting is quick and equal.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::accounts::bootstrap_sql;
use super::binaries::Binaries;
use super::child_setup::{die_with_parent, effective_user_id};
use super::database::Running;
use super::home::Home;
use super::record::{Secrets, write_private};

/// Makes the system tables, the accounts and the `app` database in the home's template folder.
pub(super) async fn make(home: &Home, binaries: &Binaries, secrets: &Secrets) -> anyhow::Result<()> {
    let template = home.template();
    if template.exists() {
        // A start that was interrupted leaves half a template; a whole one is cheap.
        fs::remove_dir_all(&template).with_context(|| format!("cannot remove {}", template.display()))?;
    }
    run(install_command(home, binaries), &home.path().join("install.log")).await?;
    let statements = home.path().join("bootstrap.sql");
    write_private(&statements, &bootstrap_sql(secrets))?;
    let done = run(bootstrap_command(home, binaries, &statements)?, &home.path().join("bootstrap.log")).await;
    fs::remove_file(&statements).context("cannot remove bootstrap.sql")?;
    done
}

/// Copies the template to where a server has its data.
pub(super) fn copy_to(home: &Home, number: u16) -> anyhow::Result<()> {
    copy_folder(&home.template(), &home.data(number)).with_context(|| {
        format!("cannot copy {} to {}", home.template().display(), home.data(number).display())
    })
}

fn install_command(home: &Home, binaries: &Binaries) -> Command {
    let mut command = Command::new(&binaries.installer);
    command.arg("--no-defaults").arg(format!("--datadir={}", home.template().display()));
    if let Some(base) = &binaries.base {
        command.arg(format!("--basedir={}", base.display()));
    }
    command.args([
        "--auth-root-authentication-method=socket",
        "--skip-test-db",
        "--skip-name-resolve",
        "--force",
    ]);
    command.arg("--innodb-log-file-size=32M");
    run_as_this_user(&mut command);
    command
}

fn bootstrap_command(home: &Home, binaries: &Binaries, statements: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(&binaries.server);
    command.arg("--no-defaults").arg("--bootstrap").arg(format!("--datadir={}", home.template().display()));
    if let Some(base) = &binaries.base {
        command.arg(format!("--basedir={}", base.display()));
    }
    command.args(["--skip-name-resolve", "--innodb-log-file-size=32M"]);
    run_as_this_user(&mut command);
    command.stdin(File::open(statements).with_context(|| format!("cannot read {}", statements.display()))?);
    Ok(command)
}

/// `mariadbd` refuses to run as root unless it is told that this is meant.
pub(super) fn run_as_this_user(command: &mut Command) {
    if effective_user_id() == 0 {
        command.arg("--user=root");
    }
}

/// Runs a program to its end; what it said is in the log, whose last lines an error carries.
async fn run(mut command: Command, log: &Path) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let errors = output.try_clone().context("cannot share a log file")?;
    command.stdout(Stdio::from(output)).stderr(Stdio::from(errors));
    die_with_parent(&mut command);
    let status = Running::spawn(&mut command)?.ended().await?;
    if !status.success() {
        bail!("{name} failed ({status}); {}", last_lines(log));
    }
    Ok(())
}

/// The end of a log, for an error message.
pub(super) fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines.iter().rev().take(8).rev().copied().collect::<Vec<_>>().join("\n  ");
    format!("the end of {}:\n  {tail}", log.display())
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
