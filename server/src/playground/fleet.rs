//! All database servers of a playground: who is the primary, and what each is told when it starts.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::Instant;

use super::accounts::{follow, set_app_password};
use super::binaries::Binaries;
use super::database::Database;
use super::home::Home;
use super::options::options;
use super::ports::Ports;
use super::record::{Secrets, write_private};
use super::state;
use super::template;

const START_PATIENCE: Duration = Duration::from_secs(60);
const REPLICATION_PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// Running servers. Dropped, all are killed.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) databases: Vec<Database>,
    /// The number of the server that started writable.
    pub(super) primary: u16,
}

/// What the fleet is made from.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) home: &'a Home,
    pub(super) binaries: &'a Binaries,
    pub(super) ports: &'a Ports,
    pub(super) secrets: &'a Secrets,
    /// The `app` user's password differs from the one the data was made with.
    pub(super) new_app_password: bool,
}

impl Plan<'_> {
    fn numbers(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        (1u16..).zip(self.ports.servers.iter().copied())
    }

    /// Makes the data of servers that have none yet. Returns how many were made.
    pub(super) async fn initialise(&self) -> anyhow::Result<usize> {
        let missing: Vec<u16> =
            self.numbers().map(|(number, _)| number).filter(|number| !self.is_whole(*number)).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        if !self.home.template().join("whole").exists() {
            template::make(self.home, self.binaries, self.secrets).await?;
            fs::write(self.home.template().join("whole"), "").context("cannot mark the template as whole")?;
        }
        for number in &missing {
            let data = self.home.data(*number);
            if data.exists() {
                fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
            }
            template::copy_to(self.home, *number)?;
            fs::rename(data.join("whole"), self.mark(*number))
                .context("cannot mark a server's data as whole")?;
        }
        Ok(missing.len())
    }

    /// Starts all servers at once and waits until all of them serve.
    pub(super) async fn start(&self) -> anyhow::Result<Fleet> {
        let primary = self.primary()?;
        for (number, port) in self.numbers() {
            write_private(&self.home.options_file(number), &options(self.home, self.binaries, number, port))?;
            write_private(&self.home.start_file(number), &self.start_statements(number, primary))?;
        }
        let mut databases = Vec::new();
        for (number, port) in self.numbers() {
            databases.push(Database::start(self.home, self.binaries, number, port)?);
        }
        let deadline = Instant::now() + START_PATIENCE;
        for database in &mut databases {
            database.ready(deadline).await?;
        }
        Ok(Fleet { databases, primary })
    }

    /// The one server that follows nobody. New ones all do until told otherwise: then it is the first.
    fn primary(&self) -> anyhow::Result<u16> {
        let mut leaders = self.numbers().map(|(number, _)| number).filter(|number| !self.follows(*number));
        match leaders.next() {
            Some(number) => Ok(number),
            None => bail!(
                "every server in {} is a replica of another: none can be written",
                self.home.path().display()
            ),
        }
    }

    fn start_statements(&self, number: u16, primary: u16) -> String {
        if number == primary {
            return self.lead();
        }
        let port = self.port_of(primary);
        if !self.follows(number) {
            return follow(port, self.secrets) + "START SLAVE;\n";
        }
        // Started again with other ports: everything else that the replica knows stays.
        format!("STOP SLAVE;\nCHANGE MASTER TO MASTER_PORT={port};\nSTART SLAVE;\n")
    }

    /// The password comes first: a replica cannot acknowledge it before this server lets anybody in.
    fn lead(&self) -> String {
        let mut statements = String::new();
        if self.new_app_password {
            statements += &set_app_password(self.secrets);
            statements.push('\n');
        }
        if self.ports.servers.len() > 1 {
            statements += "SET GLOBAL rpl_semi_sync_master_enabled=1;\n";
        }
        statements + "SET GLOBAL read_only=0;\n"
    }

    /// Waits until the replicas keep up. Data that was kept may hold a replica that cannot: that is for its owner to see.
    pub(super) async fn until_replicating(&self, fleet: &Fleet) -> anyhow::Result<()> {
        let deadline = Instant::now() + REPLICATION_PATIENCE;
        let primary = self.port_of(fleet.primary);
        state::until_replicating(primary, &self.ports.servers, self.secrets, deadline).await
    }

    fn port_of(&self, number: u16) -> u16 {
        self.numbers().find(|(found, _)| *found == number).map_or(0, |(_, port)| port)
    }

    fn follows(&self, number: u16) -> bool {
        self.home.data(number).join("master.info").exists()
    }

    fn is_whole(&self, number: u16) -> bool {
        self.mark(number).exists()
    }

    /// Beside the data and not in it: a server takes every folder and some files there for its own.
    fn mark(&self, number: u16) -> std::path::PathBuf {
        self.home.path().join(format!("server-{number}.whole"))
    }
}

impl Fleet {
    /// Starts servers that have ended and are wanted again, for ever. Cancel-safe.
    ///
    /// Must run on the main thread: the servers die with the thread that started them.
    pub(super) async fn tend(&mut self, home: &Home, binaries: &Binaries) {
        loop {
            for database in &mut self.databases {
                let wanted = home.restart_file(database.number);
                // A server that has not ended is wanted already; looking takes notice of one that has.
                let is_wanted = wanted.exists();
                match database.restart_if(is_wanted, home, binaries) {
                    Ok(()) => {}
                    Err(error) => {
                        tracing::error!(server = database.number, "it cannot be started: {error:#}");
                    }
                }
                // One that has been made since is seen the next time.
                if is_wanted
                    && let Err(error) = fs::remove_file(&wanted)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    tracing::error!(file = %wanted.display(), %error, "it cannot be removed");
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends all servers: with an orderly shutdown where data is kept, at once where it is thrown away.
    pub(super) async fn stop(self, keep_data: bool) {
        if !keep_data {
            return;
        }
        // The primary first: a commit that still waits for a replica's acknowledgement gets it, and ends.
        let (first, last): (Vec<_>, Vec<_>) =
            self.databases.into_iter().partition(|database| database.number == self.primary);
        for database in first.into_iter().chain(last) {
            database.shut_down(STOP_PATIENCE).await;
        }
    }
}
