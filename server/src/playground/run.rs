//! The life of a playground in the foreground: choose, make, start, report, wait, stop.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::accounts::APP_USER;
use super::args::PlaygroundArgs;
use super::binaries::Binaries;
use super::fleet::{Fleet, Plan};
use super::home::Home;
use super::ports::Ports;
use super::progress::Progress;
use super::record::{Phase, Record, Secrets, write_private};
use super::report::Ready;
use super::serving;
use super::settings::settings;
use super::state::{ServerState, observe};
use crate::serve::Process;

const DEFAULT_REPLICAS: u16 = 2;

/// Starts everything, waits for a signal, stops everything.
///
/// Must run on the main thread: the servers die with the thread that started them.
#[expect(clippy::needless_pass_by_value, reason = "the command line has no other use")]
pub(super) fn foreground(args: PlaygroundArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    let result = runtime.block_on(live(&args));
    // A client that is still being drained must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn live(args: &PlaygroundArgs) -> anyhow::Result<ExitCode> {
    // From here on no signal ends the process without the destructors that stop servers and remove folders.
    let mut signals = Signals::listen()?;
    let progress = Progress::new();
    let site = Site::prepare(args)?;
    let (mut fleet, states, hadal) = tokio::select! {
        started = site.start(&progress) => started?,
        () = signals.received() => bail!("stopped before everything had started"),
    };
    site.remember(Phase::Ready)?;
    site.report(&fleet, &states).print(args.json);
    let failed = tokio::select! {
        () = signals.received() => false,
        () = hadal.failed() => true,
        () = fleet.tend(&site.home, &site.binaries) => false,
    };
    progress.done("stopping");
    let stopped = tokio::select! {
        stopped = hadal.stop() => stopped,
        // Asked twice, it waits for no client.
        () = signals.received() => Ok(()),
    };
    site.stop(fleet).await?;
    progress.done("stopped");
    stopped?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Everything that is decided before the first process starts.
struct Site {
    home: Home,
    binaries: Binaries,
    ports: Ports,
    secrets: Secrets,
    new_app_password: bool,
}

impl Site {
    fn prepare(args: &PlaygroundArgs) -> anyhow::Result<Self> {
        let binaries = Binaries::find(args.server_bin.as_deref())?;
        let known = match &args.dir {
            Some(dir) => Record::read(dir)?,
            None => None,
        };
        let ports = Ports::choose(args, number_of_servers(args, known.as_ref())?)?;
        let home = Home::open(args, ports.gateway)?;
        let new_app_password =
            known.as_ref().is_some_and(|known| known.secrets.app_password != args.app_password);
        let secrets = match known {
            Some(known) => Secrets { app_password: args.app_password.clone(), ..known.secrets },
            None => Secrets::generate(&args.app_password)?,
        };
        let site = Self { home, binaries, ports, secrets, new_app_password };
        site.remember(Phase::Starting)?;
        Ok(site)
    }

    async fn start(&self, progress: &Progress) -> anyhow::Result<(Fleet, Vec<ServerState>, Process)> {
        let plan = Plan {
            home: &self.home,
            binaries: &self.binaries,
            ports: &self.ports,
            secrets: &self.secrets,
            new_app_password: self.new_app_password,
        };
        progress.done(&format!("MariaDB {} in {}", self.binaries.version, self.binaries.server.display()));
        let made = plan.initialise().await?;
        progress.done(&format!("data of {made} new servers made, with database and user `{APP_USER}`"));
        let fleet = plan.start().await?;
        progress.done(&format!("primary and {} replicas answer", fleet.databases.len().saturating_sub(1)));
        match plan.until_replicating(&fleet).await {
            Ok(()) => progress.done("replication runs"),
            Err(error) => progress.done(&format!("ATTENTION: {error:#}")),
        }
        let text = settings(self.home.path(), &self.ports, &self.secrets);
        write_private(&self.home.settings_file(), &text)?;
        let hadal = serving::start(&self.home.settings_file(), self.ports.admin).await?;
        progress.done("hadal serves");
        let mut states = Vec::new();
        for port in &self.ports.servers {
            states.push(observe(*port, &self.secrets).await?);
        }
        Ok((fleet, states, hadal))
    }

    fn report<'a>(&'a self, fleet: &'a Fleet, states: &'a [ServerState]) -> Ready<'a> {
        Ready {
            home: &self.home,
            ports: &self.ports,
            secrets: &self.secrets,
            fleet,
            server_version: &self.binaries.version,
            states,
        }
    }

    fn remember(&self, phase: Phase) -> anyhow::Result<()> {
        let record = Record {
            phase,
            process_id: std::process::id(),
            gateway_port: self.ports.gateway,
            admin_port: self.ports.admin,
            server_ports: self.ports.servers.clone(),
            secrets: self.secrets.clone(),
        };
        record.write(self.home.path())
    }

    async fn stop(&self, fleet: Fleet) -> anyhow::Result<()> {
        fleet.stop(!self.home.is_temporary()).await;
        self.remember(Phase::Stopped)
    }
}

fn number_of_servers(args: &PlaygroundArgs, known: Option<&Record>) -> anyhow::Result<u16> {
    let there = known.map_or(0, |known| u16::try_from(known.server_ports.len()).unwrap_or(u16::MAX));
    match args.replicas {
        None if there > 0 => Ok(there),
        None => Ok(DEFAULT_REPLICAS + 1),
        Some(replicas) if replicas + 1 < there => {
            bail!("--replicas {replicas}: this folder holds {} replicas, and they are not removed", there - 1)
        }
        Some(replicas) => Ok(replicas + 1),
    }
}

/// The signals that mean "stop".
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// How long the background start waits for a playground before it gives up on it.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
