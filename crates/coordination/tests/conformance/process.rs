//! A server's process: started in a folder of its own, signalled by its id, killed when the test is done.

use std::fs::{DirEntry, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use crate::elections::until;

/// What it takes to start a server, again after it was killed.
pub(crate) struct Process {
    make: Box<dyn Fn() -> Command + Send + Sync>,
    child: Mutex<Child>,
}

impl Process {
    /// Output goes to `log` inside the folder.
    pub(crate) fn start(folder: &Path, make: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let log = folder.join("log");
        let make = move || {
            let mut command = make();
            let log = File::options().create(true).append(true).open(&log).unwrap();
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            command
        };
        let child = make().spawn().expect("a server of Debian's packages: scripts/setup.sh coordination");
        Self { make: Box::new(make), child: Mutex::new(child) }
    }

    /// Returns once every thread stands still, which is later than the signal was sent.
    pub(crate) async fn freeze(&self) {
        let id = self.signal("STOP");
        let stands = |task: std::io::Result<DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat"));
            // A thread that has ended meanwhile does nothing either.
            stat.map_or(true, |stat| stat.rsplit(')').next().unwrap().trim_start().starts_with('T'))
        };
        let all_stand = || std::fs::read_dir(format!("/proc/{id}/task")).unwrap().all(stands);
        until("the process stands still", all_stand).await;
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) -> u32 {
        let id = self.child.lock().unwrap().id();
        assert!(
            Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().unwrap().success()
        );
        id
    }

    pub(crate) fn kill_and_start_again(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        *child = (self.make)().spawn().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Ports that nobody listens on now.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
