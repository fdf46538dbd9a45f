//! `[node]`

use std::path::PathBuf;

section! {
    /// This process among the others.
    pub struct Node {
        /// Its name in logs and metrics. Without it, the host's name.
        [restart] name: Option<String> = None;
        /// Folder for what hadal keeps on disk. It is made when it is first needed.
        [restart] data_dir: PathBuf = PathBuf::from("/var/lib/hadal");
    }
}

impl Node {
    /// The name given, or the host's.
    pub fn effective_name(&self) -> String {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = self.name.clone().or_else(host).unwrap_or_default();
        let name = name.trim();
        if name.is_empty() { "hadal".to_owned() } else { name.to_owned() }
    }
}
