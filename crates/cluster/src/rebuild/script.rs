//! What is run on the hosts, as text for `sh -c`. Needed there: `mariadb-backup`, `mbstream`, `flock`, GNU find and stat.
//!
//! Beside the data folder `DATA` lie `DATA.hadal-new` (the copy), `DATA.hadal-old` (what was there before) and
//! `DATA.hadal-lock`. A file `hadal-rebuild` in the copy says which attempt it is of, and whether it was brought to one moment:
//! a process of an earlier attempt that lives on cannot put anything in place.

/// A script ends with this where an earlier one still works on the same data.
pub(super) const BUSY: i32 = 75;
/// The same, where the server has not ended yet.
pub(super) const RUNS: i32 = 76;

/// What the scripts of one attempt have in common.
#[derive(Clone, Debug)]
pub(super) struct Scripts {
    pub(super) data_dir: String,
    pub(super) id: u64,
}

/// A word of the shell that is exactly this text.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

const FAIL: &str = "set -eu\nPATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\n\
                    leave() { code=$1; shift; printf '%s\\n' \"$*\" >&2; exit \"$code\"; }\n\
                    fail() { leave 1 \"$@\"; }\n\
                    need() { for p in \"$@\"; do command -v \"$p\" >/dev/null || fail \"$p is not installed there\"; done; }\n";

/// Prints how many KiB a copy will have, about. Logs of the server are no part of it.
pub(super) fn measure(data_dir: &str, log_name: &str) -> String {
    let (data, log) = (quoted(data_dir), quoted(&format!("{log_name}.*")));
    format!(
        "{FAIL}need mariadb-backup\ndu -skL --exclude={log} --exclude='*relay*' -- {data} 2>/dev/null | cut -f1 || echo 0\n"
    )
}

/// Streams a backup to standard output. The first line of standard input is the password: arguments are seen by others.
pub(super) fn give(socket: &str, data_dir: &str, user: &str) -> String {
    let (socket, data, user) = (quoted(socket), quoted(data_dir), quoted(user));
    // Where the server is a replica, its position is in the table that is copied, too; the file says it in words.
    format!(
        "{FAIL}IFS= read -r MYSQL_PWD\nexport MYSQL_PWD\nexec mariadb-backup --no-defaults --backup --stream=mbstream \
         --slave-info --datadir={data} --socket={socket} --user={user} --target-dir=\"${{TMPDIR:-/tmp}}\"\n"
    )
}

impl Scripts {
    /// The lock is held until the last process that the script has started ends. Its file stays: were it removed, the next one
    /// could lock another file of that name beside somebody who still holds this one.
    fn head(&self) -> String {
        format!(
            "{FAIL}data=$(readlink -f -- {data})\nnew=$data.hadal-new\nold=$data.hadal-old\nid={id}\n\
             exec 9>\"$data.hadal-lock\"\nflock -n 9 || leave {BUSY} \"another rebuild still works on $data\"\n",
            data = quoted(&self.data_dir),
            id = self.id,
        )
    }

    /// Whether no earlier script works on the data any more.
    pub(super) fn is_free(&self) -> String {
        self.head()
    }

    /// Whether the copy can be taken; prints how many KiB there is room for.
    pub(super) fn look(&self) -> String {
        format!(
            "{FAIL}need mariadb-backup mbstream flock find stat\ndata=$(readlink -f -- {data})\nbeside=$(dirname -- \"$data\")\n\
             [ -d \"$data\" ] || [ -d \"$data.hadal-old\" ] || fail \"there is no folder $data\"\n\
             [ -w \"$beside\" ] || fail \"$(id -un) cannot write in $beside, where the copy is to lie\"\n\
             [ ! -d \"$data\" ] || [ \"$(stat -c %d -- \"$data\")\" = \"$(stat -c %d -- \"$beside\")\" ] ||\n\
             fail \"$data is a mount point, so that no copy can take its place: have the data in a folder below it\"\n\
             df -Pk -- \"$beside\" | awk 'NR == 2 {{ print $4 }}'\n",
            data = quoted(&self.data_dir),
        )
    }

    /// Takes the stream from standard input. `fresh`: nothing beside the data is from a rebuild that is not over.
    pub(super) fn take(&self, fresh: bool) -> String {
        let forget = if fresh { "rm -rf -- \"$old\"\n" } else { "" };
        // Where a swap was broken off between its two halves, the old data come back first.
        format!(
            "{head}if [ ! -e \"$data\" ] && [ -e \"$old\" ]; then mv -- \"$old\" \"$data\"; fi\n{forget}rm -rf -- \"$new\"\n\
             mkdir -m 700 -- \"$new\"\necho \"$id\" >\"$new/hadal-rebuild\"\nexec mbstream -x -C \"$new\"\n",
            head = self.head(),
        )
    }

    /// Brings the copy to one moment and prints what it says of its position.
    pub(super) fn prepare(&self) -> String {
        format!(
            "{head}[ \"$(cat \"$new/hadal-rebuild\")\" = \"$id\" ] || fail \"$new is of another attempt\"\n\
             mariadb-backup --no-defaults --prepare --target-dir=\"$new\" >&2\n\
             [ -z \"$(find \"$new\" -name '*.isl' -print -quit)\" ] ||\n\
             fail 'tables have their data in other folders (DATA DIRECTORY): such a server cannot be rebuilt'\n\
             if [ -e \"$data\" ]; then\n\
             [ \"$(id -u)\" -ne 0 ] || chown -R --reference=\"$data\" -- \"$new\"\n\
             chmod --reference=\"$data\" -- \"$new\"\nfi\n\
             cd \"$new\"\nfor kind in binlog slave; do for maker in mariadb_backup xtrabackup; do\n\
             [ ! -e \"${{maker}}_${{kind}}_info\" ] || {{ echo \"$kind:\"; cat \"${{maker}}_${{kind}}_info\"; }}\ndone; done\n\
             echo \"$id prepared\" >hadal-rebuild\nsync -f .\n",
            head = self.head(),
        )
    }

    /// Puts the copy in place of the data; done again, it changes nothing.
    ///
    /// Which files a process has open is for its own user and for root to see. Which files are locked, everybody sees: a server
    /// locks the control file of its Aria log and its system tablespace (tried with 10.11).
    pub(super) fn swap(&self) -> String {
        format!(
            "{head}prepared() {{ [ \"$(cat \"$1/hadal-rebuild\" 2>/dev/null)\" = \"$id prepared\" ]; }}\n\
             runs() {{ leave {RUNS} \"the server still has files in $data open\"; }}\n\
             if find /proc/[0-9]*/fd -lname \"$data/*\" 2>/dev/null | grep -q .; then runs; fi\n\
             locked() {{ [ ! -e \"$1\" ] || grep -q \":$(stat -c %i -- \"$1\") \" /proc/locks; }}\n\
             if [ -e \"$data/aria_log_control\" ] && locked \"$data/aria_log_control\" && locked \"$data/ibdata1\"; then runs; fi\n\
             if prepared \"$new\"; then\n\
             if [ -e \"$old\" ]; then rm -rf -- \"$data\"; elif [ -e \"$data\" ]; then mv -- \"$data\" \"$old\"; fi\n\
             mv -- \"$new\" \"$data\"\nfi\nprepared \"$data\" || fail \"$data is not the copy of this attempt\"\n\
             sync -f \"$data\"\n",
            head = self.head(),
        )
    }

    /// Says `swapped` where the data are the copy.
    pub(super) fn is_swapped(&self) -> String {
        let mark = quoted(&format!("{}/hadal-rebuild", self.data_dir));
        format!("{FAIL}[ \"$(cat {mark} 2>/dev/null)\" != '{} prepared' ] || echo swapped\n", self.id)
    }

    /// After the copy was proved. The file that names the attempt stays: were the record of it not gone yet, the next leader would
    /// take the server for one that was not swapped.
    pub(super) fn finish(&self, keep_old: bool) -> String {
        let forget = if keep_old { "" } else { "rm -rf -- \"$old\"\n" };
        format!("{head}{forget}", head = self.head())
    }

    /// After an attempt that came to nothing before the swap.
    pub(super) fn abandon(&self) -> String {
        format!(
            "{head}if [ ! -e \"$data\" ] && [ -e \"$old\" ]; then mv -- \"$old\" \"$data\"; fi\nrm -rf -- \"$new\"\n",
            head = self.head(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;
    use std::process::{Command, Output};

    use super::*;

    fn sh(script: &str) -> Output {
        Command::new("sh").args(["-c", script]).output().unwrap()
    }

    /// A data folder, with a prepared copy beside it.
    fn ready(folder: &Path, id: u64) -> Scripts {
        let data = folder.join("it's data");
        let scripts = Scripts { data_dir: data.to_string_lossy().into_owned(), id };
        let new = beside(&scripts, "hadal-new");
        for folder in [Path::new(&scripts.data_dir), Path::new(&new)] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(data.join("of"), "the server").unwrap();
        fs::write(format!("{new}/of"), "the donor").unwrap();
        fs::write(format!("{new}/hadal-rebuild"), format!("{id} prepared\n")).unwrap();
        scripts
    }

    fn beside(scripts: &Scripts, what: &str) -> String {
        format!("{}.{what}", scripts.data_dir)
    }

    fn data(scripts: &Scripts) -> String {
        fs::read_to_string(format!("{}/of", scripts.data_dir)).unwrap()
    }

    #[test]
    fn a_swap_that_is_broken_off_or_repeated_ends_the_same() {
        for interrupted in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let scripts = ready(folder.path(), 7);
            if interrupted {
                fs::rename(&scripts.data_dir, beside(&scripts, "hadal-old")).unwrap();
            }
            for _ in 0..2 {
                let done = sh(&scripts.swap());
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
                assert_eq!(data(&scripts), "the donor");
                let old = fs::read_to_string(beside(&scripts, "hadal-old/of")).unwrap();
                assert_eq!(old, "the server");
            }
            assert!(sh(&scripts.finish(false)).status.success());
            assert!(!Path::new(&beside(&scripts, "hadal-old")).exists());
        }
    }

    #[test]
    fn another_attempts_copy_is_never_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = Scripts { id: 8, ..ready(folder.path(), 7) };
        assert!(!sh(&scripts.swap()).status.success());
        assert_eq!(data(&scripts), "the server");
    }

    #[test]
    fn nothing_is_swapped_under_a_server_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = ready(folder.path(), 7);
        let _open = fs::File::open(format!("{}/of", scripts.data_dir)).unwrap();
        let done = sh(&scripts.swap());
        assert!(!done.status.success());
        assert_eq!(done.status.code(), Some(RUNS), "{done:?}");
        assert_eq!(data(&scripts), "the server");
    }

    #[test]
    fn a_server_whose_files_cannot_be_seen_is_known_by_its_locks() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = ready(folder.path(), 7);
        let script = |locks: &Path| scripts.swap().replace("/proc/locks", &quoted(&locks.to_string_lossy()));
        let mut lines = String::new();
        for file in ["aria_log_control", "ibdata1"] {
            fs::write(format!("{}/{file}", scripts.data_dir), "").unwrap();
            let inode = fs::metadata(format!("{}/{file}", scripts.data_dir)).unwrap().ino();
            lines += &format!("1: POSIX  ADVISORY  WRITE 4711 fd:01:{inode} 0 EOF\n");
        }
        let locks = folder.path().join("locks");
        fs::write(&locks, lines).unwrap();
        assert_eq!(sh(&script(&locks)).status.code(), Some(RUNS));
        assert_eq!(data(&scripts), "the server");
        fs::write(&locks, "").unwrap();
        assert!(sh(&script(&locks)).status.success());
        assert_eq!(data(&scripts), "the donor");
    }

    #[test]
    fn an_attempt_that_failed_half_way_through_the_swap_gives_the_old_data_back() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = ready(folder.path(), 7);
        fs::rename(&scripts.data_dir, beside(&scripts, "hadal-old")).unwrap();
        assert!(sh(&scripts.abandon()).status.success());
        assert_eq!(data(&scripts), "the server");
        assert!(!Path::new(&beside(&scripts, "hadal-new")).exists());
    }

    #[test]
    fn two_attempts_do_not_work_on_the_same_data() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = ready(folder.path(), 7);
        let lock = fs::File::create(beside(&scripts, "hadal-lock")).unwrap();
        lock.lock().unwrap();
        for script in [scripts.swap(), scripts.is_free(), scripts.abandon()] {
            assert_eq!(sh(&script).status.code(), Some(BUSY), "{script}");
        }
        drop(lock);
        assert!(sh(&scripts.finish(false)).status.success());
        assert!(Path::new(&beside(&scripts, "hadal-lock")).exists(), "somebody may wait for it");
    }
}
