//! `playground.json`: what a playground remembers about itself, for its next start and for `--stop`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

const FILE: &str = "playground.json";

/// How far the playground is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    Starting,
    Ready,
    Stopped,
}

/// The remembered facts. Passwords are in it: the file is readable by its owner only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) phase: Phase,
    pub(super) process_id: u32,
    pub(super) gateway_port: u16,
    pub(super) admin_port: u16,
    pub(super) server_ports: Vec<u16>,
    pub(super) secrets: Secrets,
}

/// Passwords of the accounts that the playground makes; they live as long as its data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) admin_password: String,
    pub(super) replication_password: String,
    pub(super) app_password: String,
}

impl Secrets {
    /// Fresh random passwords for hadal's own accounts.
    pub(super) fn generate(app_password: &str) -> anyhow::Result<Self> {
        Ok(Self {
            admin_password: random_hex()?,
            replication_password: random_hex()?,
            app_password: app_password.to_owned(),
        })
    }
}

impl Record {
    /// What was remembered in this folder, if it is a playground's.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let record = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what a playground writes", path.display()))?;
        Ok(Some(record))
    }

    /// Replaces the file at once, so that a reader never sees half of it.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("cannot encode playground.json")?;
        let path = folder.join(FILE);
        let next = folder.join("playground.json.next");
        write_private(&next, &text)?;
        fs::rename(&next, &path).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Writes a file that only its owner can read, whatever the umask is.
pub(super) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let attempt = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

fn random_hex() -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut bytes = [0u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_record_comes_back_as_written_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Record::read(folder.path()).unwrap().is_none());
        let record = Record {
            phase: Phase::Ready,
            process_id: 7,
            gateway_port: 1,
            admin_port: 2,
            server_ports: vec![3, 4],
            secrets: Secrets::generate("app").unwrap(),
        };
        record.write(folder.path()).unwrap();
        let again = Record::read(folder.path()).unwrap().unwrap();
        assert_eq!(again.server_ports, [3, 4]);
        assert_eq!(again.secrets.admin_password, record.secrets.admin_password);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
