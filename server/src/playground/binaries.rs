//! Finding this machine's database server and the script that makes a data folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

const SERVER_NAMES: [&str; 2] = ["mariadbd", "mysqld"];
const INSTALLER_NAMES: [&str; 2] = ["mariadb-install-db", "mysql_install_db"];
/// Where distributions put servers that an ordinary user's PATH does not include.
const SYSTEM_FOLDERS: [&str; 6] =
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec", "/usr/local/mysql/bin"];

/// The programs of one MariaDB installation.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    pub(super) server: PathBuf,
    pub(super) installer: PathBuf,
    /// The installation's root when the server was named by hand; a packaged server knows its own.
    pub(super) base: Option<PathBuf>,
    /// What `mariadbd --version` says, without the program's path.
    pub(super) version: String,
}

impl Binaries {
    /// The server that was named, or the first in PATH and the system's folders.
    pub(super) fn find(named: Option<&Path>) -> anyhow::Result<Self> {
        let server = match named {
            Some(path) => named_server(path)?,
            None => first_in(&search_path(), &SERVER_NAMES).context(
                "no MariaDB server found: install it (apt install mariadb-server-core mariadb-client-core) or name it with --server-bin",
            )?,
        };
        let version = version_of(&server)?;
        let around = installation_folders(&server);
        let installer = first_in(&around, &INSTALLER_NAMES)
            .or_else(|| first_in(&search_path(), &INSTALLER_NAMES))
            .with_context(|| format!("no mariadb-install-db found beside {} or in PATH", server.display()))?;
        let base = named.and_then(|_| installation_base(&server));
        Ok(Self { server, installer, base, version })
    }
}

fn named_server(path: &Path) -> anyhow::Result<PathBuf> {
    std::fs::canonicalize(path)
        .ok()
        .filter(|found| found.is_file())
        .with_context(|| format!("--server-bin {}: there is no such program", path.display()))
}

fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(SYSTEM_FOLDERS.iter().map(PathBuf::from)).collect()
}

fn first_in(folders: &[PathBuf], names: &[&str]) -> Option<PathBuf> {
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|path| path.is_file())
}

/// Folders in which an installation with this server keeps its scripts.
fn installation_folders(server: &Path) -> Vec<PathBuf> {
    let Some(bin) = server.parent() else { return Vec::new() };
    vec![bin.to_path_buf(), bin.join("../bin"), bin.join("../scripts")]
}

/// The root of an unpacked tarball: the folder with `share` beside the folder with the server.
fn installation_base(server: &Path) -> Option<PathBuf> {
    let base = server.parent()?.parent()?;
    base.join("share").is_dir().then(|| base.to_path_buf())
}

fn version_of(server: &Path) -> anyhow::Result<String> {
    let output = Command::new(server)
        .args(["--no-defaults", "--version"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", server.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("MariaDB") {
        bail!(
            "{} is not a MariaDB server: the playground needs one (its --version says {text:?})",
            server.display()
        );
    }
    let version = text.split_once(" Ver ").map_or(text.trim(), |(_, rest)| rest.trim());
    Ok(version.split_whitespace().next().unwrap_or("MariaDB").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_server_that_does_not_exist_is_named_in_the_error() {
        let error = Binaries::find(Some(Path::new("/nowhere/mariadbd"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/mariadbd") && error.contains("--server-bin"), "{error}");
    }

    #[test]
    fn a_program_that_is_no_mariadb_is_refused() {
        let error = Binaries::find(Some(Path::new("/bin/true"))).unwrap_err().to_string();
        assert!(error.contains("not a MariaDB server"), "{error}");
    }

    #[test]
    fn names_are_tried_in_order_before_folders() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        for made in [&first, &second] {
            std::fs::create_dir(made).unwrap();
        }
        std::fs::write(first.join("mysqld"), "").unwrap();
        std::fs::write(second.join("mariadbd"), "").unwrap();
        assert_eq!(first_in(&[first, second.clone()], &SERVER_NAMES), Some(second.join("mariadbd")));
    }
}
