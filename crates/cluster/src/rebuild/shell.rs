//! Running programs on a server's host.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use topology::Address;

/// Of what a program says, so much is kept: the beginning of its output, the end of its complaints.
const KEPT: usize = 64 * 1024;
/// A program that has ended may have left one behind that holds its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What leads to a shell on one host.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    words: Vec<String>,
    host: String,
    port: u16,
}

/// Why a program did not do its work. The text is for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShellError {
    #[error("{0:?} cannot be the host of a command")]
    Host(String),
    #[error("{host}: cannot run {program}: {error}")]
    Spawn { host: String, program: String, error: std::io::Error },
    #[error("{host}: {what} {}", ending(.status, .said))]
    Failed { host: String, what: &'static str, status: ExitStatus, said: String },
    #[error("{host}: {what} did not end within {s} s")]
    TooSlow { host: String, what: &'static str, s: u64 },
    #[error("{host}: {what}: {error}")]
    Io { host: String, what: &'static str, error: std::io::Error },
}

impl ShellError {
    /// Whether the script has ended with this exit code.
    pub(super) fn is(&self, code: i32) -> bool {
        matches!(self, Self::Failed { status, .. } if status.code() == Some(code))
    }
}

fn ending(status: &ExitStatus, said: &str) -> String {
    match said.trim() {
        "" => format!("ended with {status}"),
        said => format!("failed: {said}"),
    }
}

impl Shell {
    /// `template`: words in front of the script, with `{host}` and `{port}`; empty for this machine.
    ///
    /// # Errors
    /// A host name that a command could take for something else.
    pub(super) fn new(template: &str, server: &Address) -> Result<Self, ShellError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".:-_".contains(c);
        // Names come from servers, too: "-oProxyCommand=…" is none.
        if server.host.is_empty() || server.host.starts_with('-') || !server.host.chars().all(plain) {
            return Err(ShellError::Host(server.host.clone()));
        }
        let shell = Self { words: Vec::new(), host: server.host.clone(), port: server.port };
        let words: Vec<_> = template.split_whitespace().map(|word| shell.filled(word)).collect();
        let local = || ["sh", "-c"].map(str::to_owned).to_vec();
        Ok(Self { words: if words.is_empty() { local() } else { words }, ..shell })
    }

    /// A command of the configuration for this server.
    pub(super) fn filled(&self, command: &str) -> String {
        command.replace("{host}", &self.host).replace("{port}", &self.port.to_string())
    }

    /// Starts a script. Dropped, what was started on this machine is killed; what runs elsewhere ends with its input or output.
    pub(super) fn spawn(&self, script: &str) -> Result<Running, ShellError> {
        let (program, words) = self.words.split_first().ok_or_else(|| ShellError::Host(self.host.clone()))?;
        let spawned = Command::new(program)
            .args(words)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let fail = |error| ShellError::Spawn { host: self.host.clone(), program: program.clone(), error };
        let mut child = spawned.map_err(fail)?;
        let complaints = child.stderr.take().map(|stderr| tokio::spawn(end_of(stderr)));
        Ok(Running {
            host: self.host.clone(),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            child,
            complaints,
        })
    }

    /// Runs a script to its end; gives what it printed.
    pub(super) async fn run(
        &self,
        what: &'static str,
        script: &str,
        limit: Duration,
    ) -> Result<String, ShellError> {
        let mut running = self.spawn(script)?;
        drop(running.stdin.take());
        let output = running.stdout.take().map(|stdout| tokio::spawn(beginning_of(stdout)));
        match tokio::time::timeout(limit, running.ended(what)).await {
            Ok(ended) => ended?,
            Err(_) => return Err(ShellError::TooSlow { host: self.host.clone(), what, s: limit.as_secs() }),
        }
        Ok(collected(output).await)
    }
}

/// A script that runs.
pub(super) struct Running {
    host: String,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    child: Child,
    complaints: Option<JoinHandle<String>>,
}

impl Running {
    /// Gives it a line; the input stays open.
    pub(super) async fn tell(&mut self, what: &'static str, line: &str) -> Result<(), ShellError> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.map_err(|error| ShellError::Io { host: self.host.clone(), what, error })
    }

    /// Waits for its end; anything but success is an error with what it said. Cancel-safe.
    pub(super) async fn ended(&mut self, what: &'static str) -> Result<(), ShellError> {
        let fail = |error| ShellError::Io { host: self.host.clone(), what, error };
        let status: ExitStatus = self.child.wait().await.map_err(fail)?;
        if status.success() {
            return Ok(());
        }
        let said = last_lines(&collected(self.complaints.take()).await);
        Err(ShellError::Failed { host: self.host.clone(), what, status, said })
    }
}

async fn collected(reader: Option<JoinHandle<String>>) -> String {
    let Some(mut reader) = reader else { return String::new() };
    match tokio::time::timeout(LAST_WORDS, &mut reader).await {
        Ok(text) => text.unwrap_or_default(),
        Err(_) => {
            reader.abort();
            String::new()
        }
    }
}

async fn beginning_of(reader: impl AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    // What could not be read any more is missed by whoever looks for it in the text.
    let _ = reader.take(KEPT as u64).read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

async fn end_of(mut reader: impl AsyncRead + Unpin) -> String {
    let (mut text, mut piece) = (Vec::new(), [0_u8; 4096]);
    while let Ok(count @ 1..) = reader.read(&mut piece).await {
        text.extend_from_slice(piece.get(..count).unwrap_or_default());
        if text.len() > KEPT {
            text.drain(..text.len() - KEPT / 2);
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Programs say the reason last, and much before it.
fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(3)).copied().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(template: &str) -> Shell {
        Shell::new(template, &Address::new("10.0.0.1", 3307)).unwrap()
    }

    #[tokio::test]
    async fn a_script_is_one_argument_behind_the_words() {
        let limit = Duration::from_secs(10);
        assert_eq!(here("").run("x", "echo a; echo 'b c'", limit).await.unwrap(), "a\nb c\n");
        let echoed = here("echo {host} {port}").run("x", "a  b", limit).await.unwrap();
        assert_eq!(echoed, "10.0.0.1 3307 a  b\n");
    }

    #[tokio::test]
    async fn what_a_program_complains_of_is_told() {
        let error =
            here("").run("looking", "echo 'no room' >&2; exit 3", Duration::from_secs(10)).await.unwrap_err();
        assert_eq!(error.to_string(), "10.0.0.1: looking failed: no room");
        assert!(error.is(3) && !error.is(1));
        let error = here("").run("waiting", "sleep 30", Duration::from_millis(50)).await.unwrap_err();
        assert!(matches!(error, ShellError::TooSlow { .. }), "{error}");
    }

    #[test]
    fn a_host_cannot_be_an_option_or_a_command() {
        for host in ["-oProxyCommand=x", "a b", "a;b", "$(x)", ""] {
            assert!(Shell::new("ssh {host}", &Address::new(host, 1)).is_err(), "{host}");
        }
    }
}
