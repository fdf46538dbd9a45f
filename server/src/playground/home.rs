//! The folder of one playground: who owns it, what lies where, and that it goes when it was temporary.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::args::PlaygroundArgs;
use super::child_setup::effective_user_id;

/// Sockets have 107 bytes for their path; what is left of it after a folder must hold `/10.sock`.
const LONGEST_SOCKET_FOLDER: usize = 95;

/// A folder that this process has locked. Removed on drop when it was temporary.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    temporary: bool,
    short: Option<tempfile::TempDir>,
    _lock: File,
}

impl Home {
    /// Where a playground with these flags lives: `--dir`, or a temporary folder named by user and gateway port.
    pub(super) fn path_for(dir: Option<&Path>, gateway_port: u16) -> PathBuf {
        match dir {
            Some(dir) => std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf()),
            None => {
                std::env::temp_dir().join(format!("hadal-playground-{}-{gateway_port}", effective_user_id()))
            }
        }
    }

    /// Makes and locks the folder; fails if another playground runs in it.
    pub(super) fn open(args: &PlaygroundArgs, gateway_port: u16) -> anyhow::Result<Self> {
        let path = Self::path_for(args.dir.as_deref(), gateway_port);
        let temporary = args.dir.is_none();
        make_private(&path)?;
        let Some(lock) = try_lock(&path)? else {
            bail!("a playground already runs in {}: stop it with `hadal playground --stop`", path.display());
        };
        if temporary {
            // Left over from a playground that was killed: nobody holds the lock, so nobody needs it.
            remove_all_but_lock(&path)?;
        } else {
            refuse_foreign_content(&path)?;
        }
        let short = short_folder(&path)?;
        Ok(Self { path, temporary, short, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether data in it is thrown away at the end.
    pub(super) fn is_temporary(&self) -> bool {
        self.temporary
    }

    pub(super) fn template(&self) -> PathBuf {
        self.path.join("template")
    }

    pub(super) fn data(&self, number: u16) -> PathBuf {
        self.path.join(format!("server-{number}"))
    }

    pub(super) fn options_file(&self, number: u16) -> PathBuf {
        self.path.join(format!("server-{number}.cnf"))
    }

    pub(super) fn start_file(&self, number: u16) -> PathBuf {
        self.path.join(format!("server-{number}.start.sql"))
    }

    /// Made by whoever wants a server that has ended to be started again.
    pub(super) fn restart_file(&self, number: u16) -> PathBuf {
        self.path.join(format!("server-{number}.restart"))
    }

    pub(super) fn error_log(&self, number: u16) -> PathBuf {
        self.path.join(format!("server-{number}.log"))
    }

    /// A path short enough for a socket, however deep the folder lies.
    pub(super) fn socket(&self, number: u16) -> PathBuf {
        let folder = self.short.as_ref().map_or(self.path.as_path(), |short| short.path());
        folder.join(format!("{number}.sock"))
    }

    pub(super) fn settings_file(&self) -> PathBuf {
        self.path.join("hadal.toml")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary {
            // Nothing useful can be done about a failure here; the next start with this port cleans up.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Whether a playground runs in this folder: it holds the lock as long as it lives.
pub(super) fn is_running(path: &Path) -> anyhow::Result<bool> {
    Ok(path.is_dir() && try_lock(path)?.is_none())
}

/// The lock, or `None` while another process holds it.
fn try_lock(folder: &Path) -> anyhow::Result<Option<File>> {
    let path = folder.join("playground.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Makes the folder for its owner alone. One that exists must be a real folder of this user: temporary folders are
/// shared, and somebody else's link there must not lead us anywhere.
fn make_private(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let facts =
                fs::symlink_metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
            if !facts.is_dir() || facts.uid() != effective_user_id() {
                bail!("{} exists and is not a folder of yours", path.display());
            }
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}

fn remove_all_but_lock(path: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", path.display()))?;
        if entry.file_name() == "playground.lock" {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed =
            if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        removed.with_context(|| format!("cannot remove {}", entry.path().display()))?;
    }
    Ok(())
}

/// A folder with other things in it was probably named by mistake; its files stay as they are.
fn refuse_foreign_content(path: &Path) -> anyhow::Result<()> {
    let ours = path.join("playground.json").exists();
    let mut entries = fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    let foreign = entries.any(|entry| {
        entry.is_ok_and(|entry| !entry.file_name().to_string_lossy().starts_with("playground."))
    });
    if foreign && !ours {
        bail!(
            "{} has other things in it: --dir needs an empty folder, or one that a playground made",
            path.display()
        );
    }
    Ok(())
}

fn short_folder(path: &Path) -> anyhow::Result<Option<tempfile::TempDir>> {
    if path.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
        return Ok(None);
    }
    let made =
        tempfile::Builder::new().prefix("hadal-").tempdir().context("cannot make a folder for sockets")?;
    Ok(Some(made))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: PlaygroundArgs,
    }

    fn args_for(dir: &Path) -> PlaygroundArgs {
        Line::parse_from([Path::new("playground"), Path::new("--dir"), dir]).args
    }

    #[test]
    fn a_folder_is_used_by_one_playground_at_a_time() {
        let outer = tempfile::tempdir().unwrap();
        let args = args_for(&outer.path().join("a/b"));
        let first = Home::open(&args, 1).unwrap();
        assert!(is_running(first.path()).unwrap());
        assert!(Home::open(&args, 1).unwrap_err().to_string().contains("already runs"));
        let path = first.path().to_path_buf();
        drop(first);
        assert!(!is_running(&path).unwrap());
        assert!(path.exists(), "a folder named with --dir is kept");
    }

    #[test]
    fn a_folder_with_other_things_is_left_alone() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("thesis.txt"), "years of work").unwrap();
        let error = Home::open(&args_for(outer.path()), 1).unwrap_err().to_string();
        assert!(error.contains("has other things in it"), "{error}");
        assert!(outer.path().join("thesis.txt").exists());
    }

    #[test]
    fn sockets_stay_short_in_a_deep_folder() {
        let outer = tempfile::tempdir().unwrap();
        let deep = outer.path().join("x".repeat(100));
        let home = Home::open(&args_for(&deep), 1).unwrap();
        assert!(home.socket(16).as_os_str().len() < 107);
    }
}
