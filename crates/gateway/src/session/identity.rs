//! Who a client is: the servers' own accounts, or those of the configuration.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::AccountsSource;
use mysql_wire::auth::{caching_sha2, native};
use mysql_wire::{Secret, ServerError};
use topology::account::ClientHost;
use topology::{Account, AuthMethod};

use super::forwarded::{Applicant, is_forwarded};
use super::{Identity, Session, error};
use crate::place::ClusterIndex;
use crate::pool::PoolOwner;
use crate::settings::ClusterSettings;
use crate::worker::Worker;

/// What a client says it is.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) user: String,
    pub(super) client: IpAddr,
    pub(super) database: Option<Vec<u8>>,
}

/// How it proves it.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    Native {
        token: Vec<u8>,
        scramble: [u8; 20],
    },
    Sha2 {
        token: Vec<u8>,
        scramble: [u8; 20],
    },
    /// By a plugin whose proofs only the server can ask for.
    AtServer,
}

/// What becomes of a claim.
pub(super) enum Standing {
    Known(Identity),
    /// The server has to check it.
    AtServer(Applicant),
}

impl Proof {
    fn is_empty(&self) -> bool {
        matches!(self, Proof::Native { token, .. } | Proof::Sha2 { token, .. } if token.is_empty())
    }

    /// Against SHA1(SHA1(password)): what can be shown to servers in the user's place.
    fn against_hash(&self, hash: Option<&[u8; 20]>) -> Option<Secret> {
        match (self, hash) {
            (Proof::Native { token, .. }, None) => token.is_empty().then_some(Secret::None),
            (Proof::Native { token, scramble }, Some(hash)) => {
                native::verify(token, scramble, hash).map(Secret::NativeStage1)
            }
            (Proof::Sha2 { .. } | Proof::AtServer, _) => None,
        }
    }

    /// Against a password of the configuration.
    fn against_password(&self, password: &[u8]) -> bool {
        match self {
            _ if password.is_empty() => self.is_empty(),
            Proof::Native { token, scramble } => {
                native::verify(token, scramble, &native::stored(password)).is_some()
            }
            Proof::Sha2 { token, scramble } => {
                caching_sha2::verify(token, scramble, &caching_sha2::stored(password)).is_some()
            }
            Proof::AtServer => false,
        }
    }
}

/// The client's identity, or the server's own error.
pub(super) fn identify(worker: &Worker, claim: &Claim, proof: &Proof) -> Result<Standing, ServerError> {
    let config = worker.core.config.load();
    let cluster = worker.core.home_of(&claim.user).ok_or_else(|| homeless(&claim.user))?;
    let denied = || access_denied(worker, cluster, claim, !proof.is_empty());
    let account = match find_account(worker, claim, cluster)? {
        Found::Account(account) => Some(account),
        Found::Nobody => return Err(denied()),
        Found::Configured => None,
    };
    let own = config.users.get(&claim.user);
    let password = own.and_then(|u| u.password.as_ref()).map(|p| p.expose().as_bytes());
    let Some((secret, stored)) = prove(account.as_deref(), password, proof) else {
        let account = account.filter(|account| password.is_none() && is_forwarded(account));
        let applicant = account.and_then(|account| Applicant::unproved(cluster, account, proof));
        return applicant.map(Standing::AtServer).ok_or_else(denied);
    };
    if let Some(account) = &account {
        check_lock(account)?;
        if account.password_expired && is_forwarded(account) {
            // It may come in to change its password, perhaps.
            let account = account.clone();
            let applicant = Applicant { cluster, account, native_failed: false, proved: Some(secret) };
            return Ok(Standing::AtServer(applicant));
        }
        check_account(account)?;
    }
    let credentials = Credentials { secret, stored, forwarded: false };
    Ok(Standing::Known(identity(worker, claim, cluster, account.as_deref(), credentials)))
}

impl Applicant {
    /// Who has not proved anything to hadal; `None` where the account asks for nothing but what has failed already.
    fn unproved(cluster: ClusterIndex, account: Arc<Account>, proof: &Proof) -> Option<Self> {
        let native_failed = matches!(proof, Proof::Native { .. });
        let only_native = account.methods.iter().all(|method| matches!(method, AuthMethod::Native(_)));
        let applicant = Applicant { cluster, account, native_failed, proved: None };
        (!native_failed || !only_native).then_some(applicant)
    }
}

/// Where a user is looked for, and what is found.
enum Found {
    Account(Arc<Account>),
    Nobody,
    /// The configuration has the accounts, not the servers.
    Configured,
}

fn find_account(worker: &Worker, claim: &Claim, cluster: ClusterIndex) -> Result<Found, ServerError> {
    let entry = worker.core.cluster(cluster);
    let config = worker.core.config.load();
    if config.clusters.get(&*entry.name).is_some_and(|c| c.accounts == AccountsSource::Config) {
        return Ok(Found::Configured);
    }
    let view = entry.view();
    if !view.accounts.loaded {
        let text = "hadal: the servers' accounts are not known yet; try again in a moment";
        return Err(error(1040, "08004", text.into()));
    }
    let name = client_name(worker, cluster, claim.client);
    let host = ClientHost { ip: claim.client, name: name.as_deref() };
    Ok(view
        .accounts
        .find(&claim.user, &host)
        .map_or(Found::Nobody, |account| Found::Account(account.clone())))
}

/// The account that the servers have for the client now.
pub(super) fn account_of(worker: &Worker, claim: &Claim, cluster: ClusterIndex) -> Option<Arc<Account>> {
    match find_account(worker, claim, cluster) {
        Ok(Found::Account(account)) => Some(account),
        Ok(Found::Nobody | Found::Configured) | Err(_) => None,
    }
}

/// Whether the client's proof, by whatever plugin, is the primary's business.
pub(super) fn is_checked_by_server(worker: &Worker, claim: &Claim) -> bool {
    let config = worker.core.config.load();
    let configured = config.users.get(&claim.user).is_some_and(|u| u.password.is_some());
    let account = || account_of(worker, claim, worker.core.home_of(&claim.user)?);
    !configured && account().is_some_and(|account| is_forwarded(&account))
}

/// What a client has proved.
struct Credentials {
    /// As it can be shown to servers.
    secret: Secret,
    /// As servers store it.
    stored: Option<[u8; 20]>,
    forwarded: bool,
}

/// The identity of a client that proves itself to the primary.
pub(super) fn forwarded_identity(worker: &Worker, claim: &Claim, applicant: &Applicant) -> Identity {
    let credentials = Credentials { secret: Secret::None, stored: None, forwarded: true };
    identity(worker, claim, applicant.cluster, Some(&applicant.account), credentials)
}

fn identity(
    worker: &Worker,
    claim: &Claim,
    cluster: ClusterIndex,
    account: Option<&Account>,
    credentials: Credentials,
) -> Identity {
    let core = &worker.core;
    let config = core.config.load_full();
    let settings = ClusterSettings::of(&config, &claim.user, core.cluster_names());
    let Credentials { secret, stored, forwarded } = credentials;
    let host = account.map_or("", |account| &account.host);
    let owner = PoolOwner { user: claim.user.as_str().into(), host: host.into(), stored, forwarded };
    let pools = core.pools.of(owner, settings.limits(), core.workers, secret);
    if !Arc::ptr_eq(&config, &core.config.load()) {
        // Reloaded meanwhile: these may have been made with the limits from before.
        core.spread_limits();
    }
    Identity {
        user: claim.user.as_str().into(),
        cluster,
        pools,
        settings: Arc::new(settings),
        stored,
        may_kill_others: account.is_some_and(|a| a.may_kill_others),
        sees_processes: account.is_some_and(|a| a.sees_processes),
    }
}

/// What the client has proved, as it can be shown to servers, and as servers store it.
fn prove(
    account: Option<&Account>,
    password: Option<&[u8]>,
    proof: &Proof,
) -> Option<(Secret, Option<[u8; 20]>)> {
    if let Some(password) = password {
        let stored = Some(native::stored(password));
        return proof.against_password(password).then(|| (Secret::password(password), stored));
    }
    account?.methods.iter().find_map(|method| match method {
        AuthMethod::Native(hash) => proof.against_hash(hash.as_ref()).map(|secret| (secret, *hash)),
        AuthMethod::Ed25519(_) => None,
        AuthMethod::Other(plugin) => {
            tracing::warn!(plugin, "an account of this plugin needs its password in [users.*]");
            None
        }
    })
}

/// Several clusters, and nothing says which of them is the user's.
fn homeless(user: &str) -> ServerError {
    let text = format!(
        "hadal: there are several clusters, and nothing says which of them is {user}'s: set cluster in [users.{user}], or \
         gateway.default_cluster"
    );
    error(1045, "28000", text)
}

fn check_lock(account: &Account) -> Result<(), ServerError> {
    if account.locked {
        return Err(error(4151, "HY000", "Access denied, this account is locked".into()));
    }
    Ok(())
}

fn check_account(account: &Account) -> Result<(), ServerError> {
    check_lock(account)?;
    if account.password_expired {
        let text = "Your password has expired. To log in you must change it using a client that supports expired passwords";
        return Err(error(1862, "HY000", text.into()));
    }
    Ok(())
}

/// The server's own words, with the host as a server would name it.
pub(super) fn access_denied(
    worker: &Worker,
    cluster: ClusterIndex,
    claim: &Claim,
    with_password: bool,
) -> ServerError {
    let host = client_name(worker, cluster, claim.client).unwrap_or_else(|| claim.client.to_string().into());
    let using = if with_password { "YES" } else { "NO" };
    let text = format!("Access denied for user '{}'@'{host}' (using password: {using})", claim.user);
    error(1045, "28000", text)
}

/// The client's host name as the servers of a cluster would find it, as far as it is known.
fn client_name(worker: &Worker, cluster: ClusterIndex, ip: IpAddr) -> Option<Arc<str>> {
    resolves_names(worker, cluster).then(|| worker.core.names.known(ip)).flatten()
}

fn resolves_names(worker: &Worker, cluster: ClusterIndex) -> bool {
    let view = worker.core.cluster(cluster).view();
    let skip = view.catalogue.globals.get("skip_name_resolve");
    !skip.is_some_and(|v| v.eq_ignore_ascii_case("ON") || v == "1")
}

/// Has the client's host name found out, if an account of this name depends on it.
async fn learn_name(worker: &Worker, cluster: ClusterIndex, user: &str, ip: IpAddr) {
    let matters = worker.core.cluster(cluster).view().accounts.depend_on_host_names(user);
    if matters && resolves_names(worker, cluster) {
        worker.core.names.learn(ip).await;
    }
}

/// The same before a client is identified.
pub(super) async fn learn_host(worker: &Worker, claim: &Claim) {
    if let Some(cluster) = worker.core.home_of(&claim.user) {
        learn_name(worker, cluster, &claim.user, claim.client).await;
    }
}

/// How long a login may wait for the accounts to be read again.
const FRESH_ACCOUNTS: Duration = Duration::from_secs(2);

/// Has the accounts read again; true if that was done soon enough.
pub(super) async fn refresh(worker: &Worker, claim: &Claim) -> bool {
    let Some(cluster) = worker.core.home_of(&claim.user) else { return false };
    let refreshed = refresh_cluster(worker, cluster).await;
    learn_host(worker, claim).await;
    refreshed
}

async fn refresh_cluster(worker: &Worker, cluster: ClusterIndex) -> bool {
    let entry = worker.core.cluster(cluster);
    tokio::time::timeout(FRESH_ACCOUNTS, entry.control.refreshed()).await.is_ok()
}

impl Session {
    /// Checks that the client may log in to another cluster than its own, as it would have to without hadal: the
    /// account for its host is there, too, with the same password.
    pub(super) async fn admit_to(&mut self, cluster: ClusterIndex) -> Result<(), ServerError> {
        let accounts = self.worker.core.cluster(cluster).view().accounts.clone();
        let admitted = |(at, known): &(ClusterIndex, Arc<topology::Accounts>)| {
            *at == cluster && Arc::ptr_eq(known, &accounts)
        };
        if self.admitted.iter().any(admitted) {
            return Ok(());
        }
        learn_name(&self.worker, cluster, &self.identity.user, self.shared.client.ip()).await;
        if let Err(refused) = self.find_account(cluster, &accounts) {
            // It may have been made a moment ago.
            if !Box::pin(refresh_cluster(&self.worker, cluster)).await {
                return Err(refused);
            }
            let newer = self.worker.core.cluster(cluster).view().accounts.clone();
            self.find_account(cluster, &newer)?;
        }
        self.admitted.retain(|(at, _)| *at != cluster);
        self.admitted.push((cluster, accounts));
        Ok(())
    }

    fn find_account(&self, cluster: ClusterIndex, accounts: &topology::Accounts) -> Result<(), ServerError> {
        let (user, ip) = (&self.identity.user, self.shared.client.ip());
        let name = self.cluster_name(cluster);
        let config = self.worker.core.config.load();
        if config.clusters.get(&name).is_none_or(|c| c.accounts == AccountsSource::Config) {
            return Ok(());
        }
        let denied = |why: String| {
            Err(error(1045, "28000", format!("hadal: the statement goes to cluster {name}, {why}")))
        };
        if !accounts.loaded {
            return denied("whose accounts are not known yet; try again in a moment".into());
        }
        let host_name = client_name(&self.worker, cluster, ip);
        let host = ClientHost { ip, name: host_name.as_deref() };
        let Some(account) = accounts.find(user, &host) else {
            let host = host_name.as_deref().map_or_else(|| ip.to_string(), ToOwned::to_owned);
            return denied(format!(
                "which has no account for '{user}'@'{host}'; create it there with the same password"
            ));
        };
        check_account(account)?;
        let differs =
            |method: &AuthMethod| matches!(method, AuthMethod::Native(hash) if *hash != self.identity.stored);
        if account.methods.iter().all(differs) {
            return denied(format!("where {user} has another password; both must be the same"));
        }
        Ok(())
    }
}
