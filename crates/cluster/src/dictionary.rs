//! The task that reads accounts and catalogue from the primary, when asked and when they have changed.
//!
//! Cheap fingerprints are compared with every poll (of the views less often, where it takes the server long), and only
//! what changed is read again. The connection is its own, so that a long list of accounts does not delay the look at
//! the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_client::{Client, ClientError};
use tokio::sync::{mpsc, oneshot, watch};
use topology::{Accounts, Catalogue};

use crate::error::ClusterError;
use crate::options::ObserveOptions;
use crate::report::{Leader, Report};
use crate::{accounts, catalogue, observe};

/// Somebody knows that something changed.
#[derive(Debug)]
pub(crate) struct Request {
    /// Told once the outcome is published.
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// The longest pause between two comparisons. A change has to be followed within a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Looking for changed views takes at most one part in so many of the server's time.
const VIEWS_SHARE: u32 = 20;

/// Variables and collations come with plugins, which are installed rarely.
const FIXED_EVERY: Duration = Duration::from_secs(300);

/// A reading may take longer than a look at the server: a list of accounts can have megabytes.
const READING_TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct Dictionary {
    options: Arc<ObserveOptions>,
    leader: watch::Receiver<Option<Leader>>,
    requests: mpsc::Receiver<Request>,
    reports: mpsc::Sender<Report>,
    /// Who waits for the next reading.
    asked_by: Vec<oneshot::Sender<()>>,
    fault: Option<String>,
}

/// What was read last, from one server in one epoch.
#[derive(Default)]
struct Known {
    accounts: String,
    routines: String,
    views: String,
    views_due: Option<Instant>,
    fixed_due: Option<Instant>,
    catalogue: Catalogue,
}

/// What made the task stop reading.
enum Stop {
    Failed(ClusterError),
    /// Nobody listens any more.
    Ended,
}

impl<E: Into<ClusterError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

impl Dictionary {
    pub(crate) fn new(
        options: Arc<ObserveOptions>,
        leader: watch::Receiver<Option<Leader>>,
        requests: mpsc::Receiver<Request>,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        Self { options, leader, requests, reports, asked_by: Vec::new(), fault: None }
    }

    /// Reads until nobody listens any more.
    pub(crate) async fn run(mut self) {
        loop {
            let Some(leader) = self.leader.borrow_and_update().clone() else {
                if self.leader.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let mut changes = self.leader.clone();
            let stop = tokio::select! {
                stop = self.follow(&leader) => stop,
                gone = changes.changed() => if gone.is_ok() { continue } else { return },
            };
            let Stop::Failed(error) = stop else { return };
            let final_word = matches!(error, ClusterError::MySql);
            if final_word && self.fault.is_none() {
                tracing::warn!(primary = %leader.address, "{error}");
            }
            if self.tell(Some(error.to_string())).await.is_err() {
                return;
            }
            let pause = if final_word { Duration::MAX } else { LONGEST_PAUSE };
            let _ = tokio::time::timeout(pause, self.leader.changed()).await;
        }
    }

    /// Follows one primary until something fails.
    async fn follow(&mut self, leader: &Leader) -> Stop {
        match self.try_follow(leader).await {
            Ok(never) => match never {},
            Err(stop) => stop,
        }
    }

    async fn try_follow(&mut self, leader: &Leader) -> Result<std::convert::Infallible, Stop> {
        let mut client = observe::session::open(&self.options, &leader.address, "dictionary").await?;
        if observe::flavour::is_mysql(&client) {
            return Err(ClusterError::MySql.into());
        }
        client.set_timeout(READING_TIMEOUT);
        let mut known = Known::default();
        let mut asked = false;
        loop {
            self.collect_requests();
            self.read(&mut client, &mut known, asked || !self.asked_by.is_empty()).await?;
            self.tell(None).await?;
            asked = self.pause().await?;
        }
    }

    /// Takes the requests that have come; those who come later wait for a comparison that begins later.
    fn collect_requests(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            self.asked_by.extend(request.done);
        }
    }

    /// Waits until the next comparison is due; true where somebody asked for one.
    async fn pause(&mut self) -> Result<bool, Stop> {
        let pause = self.options.poll_interval.min(LONGEST_PAUSE);
        match tokio::time::timeout(pause, self.requests.recv()).await {
            Err(_elapsed) => Ok(false),
            Ok(None) => Err(Stop::Ended),
            Ok(Some(request)) => {
                self.asked_by.extend(request.done);
                Ok(true)
            }
        }
    }

    /// Reads what changed and reports it. Where somebody `asked`, nothing is put off.
    async fn read(&mut self, client: &mut Client, known: &mut Known, asked: bool) -> Result<(), Stop> {
        if self.options.read_accounts
            && let Some(accounts) = known.read_accounts(client).await?
        {
            self.report(Some(accounts), None, Vec::new()).await?;
        }
        let catalogue = known.read_catalogue(client, asked).await?;
        if catalogue.is_some() || !self.asked_by.is_empty() {
            let asked_by = std::mem::take(&mut self.asked_by);
            self.report(None, catalogue, asked_by).await?;
        }
        Ok(())
    }

    async fn report(
        &self,
        accounts: Option<Accounts>,
        catalogue: Option<Catalogue>,
        asked_by: Vec<oneshot::Sender<()>>,
    ) -> Result<(), Stop> {
        let (accounts, catalogue) = (accounts.map(Arc::new), catalogue.map(Arc::new));
        let report = Report::Dictionary { accounts, catalogue, asked_by };
        self.reports.send(report).await.map_err(|_| Stop::Ended)
    }

    /// Reports a fault, or its end, once.
    async fn tell(&mut self, fault: Option<String>) -> Result<(), Stop> {
        if self.fault == fault {
            return Ok(());
        }
        self.fault.clone_from(&fault);
        self.reports.send(Report::DictionaryFault(fault)).await.map_err(|_| Stop::Ended)
    }
}

impl Known {
    async fn read_accounts(&mut self, client: &mut Client) -> Result<Option<Accounts>, ClientError> {
        if accounts::fingerprint(client).await? == self.accounts {
            return Ok(None);
        }
        let (accounts, fingerprint) = accounts::read(client).await?;
        self.accounts = fingerprint;
        Ok(Some(accounts))
    }

    async fn read_catalogue(
        &mut self,
        client: &mut Client,
        asked: bool,
    ) -> Result<Option<Catalogue>, ClusterError> {
        let mut changed = false;
        if self.fixed_due.is_none_or(|due| due <= Instant::now()) {
            catalogue::read_fixed(client, &mut self.catalogue).await?;
            self.fixed_due = Some(Instant::now() + FIXED_EVERY);
            changed = true;
        }
        let routines = catalogue::routines_fingerprint(client).await?;
        let views = self.views_fingerprint(client, asked).await?;
        if !self.catalogue.loaded || routines != self.routines || views != self.views {
            catalogue::read_names(client, &mut self.catalogue).await?;
            self.keep_fingerprints(client, routines, views).await?;
            changed = true;
        }
        let globals = catalogue::read_globals(client).await?;
        changed |= globals != self.catalogue.globals;
        self.catalogue.globals = globals;
        self.catalogue.loaded = true;
        Ok(changed.then(|| self.catalogue.clone()))
    }

    /// Keeps the fingerprints of before the names were read, unless something has changed meanwhile: what has been read
    /// could be of neither, and if it changes back, nobody would notice.
    async fn keep_fingerprints(
        &mut self,
        client: &mut Client,
        routines: String,
        views: String,
    ) -> Result<(), ClientError> {
        let unchanged = catalogue::routines_fingerprint(client).await? == routines
            && catalogue::views_fingerprint(client).await? == views;
        (self.routines, self.views) = if unchanged { (routines, views) } else { Default::default() };
        if !unchanged {
            self.views_due = None;
        }
        Ok(())
    }

    /// The fingerprint of the views, or the last one where it is not due again.
    async fn views_fingerprint(&mut self, client: &mut Client, asked: bool) -> Result<String, ClientError> {
        let began = Instant::now();
        if !asked && self.views_due.is_some_and(|due| began < due) {
            return Ok(self.views.clone());
        }
        let fingerprint = catalogue::views_fingerprint(client).await?;
        self.views_due = Some(Instant::now() + began.elapsed() * VIEWS_SHARE);
        Ok(fingerprint)
    }
}
