//! Who a client is: the servers' own accounts, or those of the configuration.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::AccountsSource;
use mysql_wire::auth::{caching_sha2, native};
use mysql_wire::{Secret, ServerError};
use topology::account::ClientHost;
use topology::{Account, AuthMethod};

use super::{Identity, error};
use crate::place::ClusterIndex;
use crate::pool::PoolOwner;
use crate::settings::UserSettings;
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
    Native { token: Vec<u8>, scramble: [u8; 20] },
    Sha2 { token: Vec<u8>, scramble: [u8; 20] },
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
            (Proof::Sha2 { .. }, _) => None,
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
        }
    }
}

/// The client's identity, or the server's own error.
pub(super) fn identify(worker: &Worker, claim: &Claim, proof: &Proof) -> Result<Identity, ServerError> {
    let core = &worker.core;
    let config = core.config.load();
    let own = config.users.get(&claim.user);
    let named = own.and_then(|u| u.cluster.as_deref());
    let cluster = match named {
        Some(name) => core.cluster_named(name),
        None => (!core.clusters.is_empty()).then_some(ClusterIndex(0)),
    };
    let denied = || access_denied(worker, claim, proof);
    let cluster = cluster.ok_or_else(denied)?;
    let entry = core.cluster(cluster);
    let view = entry.view();
    let settings = UserSettings::of(&config, &claim.user, &entry.name).ok_or_else(denied)?;
    let source = config.clusters.get(&*entry.name).map_or(AccountsSource::Servers, |c| c.accounts);
    let password = own.and_then(|u| u.password.as_ref());
    let account = match source {
        AccountsSource::Servers if view.accounts.loaded => {
            let name = client_name(worker, claim.client);
            let host = ClientHost { ip: claim.client, name: name.as_deref() };
            Some(view.accounts.find(&claim.user, &host).cloned().ok_or_else(denied)?)
        }
        AccountsSource::Servers => {
            let text = "hadal: the servers' accounts are not known yet; try again in a moment";
            return Err(error(1040, "08004", text.into()));
        }
        AccountsSource::Config => None,
    };
    let (secret, stored) =
        prove(account.as_deref(), password.map(|p| p.expose().as_bytes()), proof).ok_or_else(denied)?;
    if let Some(account) = &account {
        check_account(account)?;
    }
    let owner = PoolOwner {
        user: claim.user.as_str().into(),
        host: account.as_ref().map_or_else(|| "".into(), |a| a.host.as_str().into()),
        stored,
    };
    let pools = core.pools.of(owner, settings.limits, core.workers, secret);
    Ok(Identity {
        user: claim.user.as_str().into(),
        cluster,
        pools,
        settings: Arc::new(settings),
        may_kill_others: account.as_ref().is_some_and(|a| a.may_kill_others),
        sees_processes: account.as_ref().is_some_and(|a| a.sees_processes),
    })
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
        AuthMethod::Other(plugin) => {
            tracing::warn!(plugin, "an account of this plugin needs its password in [users.*]");
            None
        }
    })
}

fn check_account(account: &Account) -> Result<(), ServerError> {
    if account.locked {
        return Err(error(4151, "HY000", "Access denied, this account is locked".into()));
    }
    if account.password_expired {
        let text = "Your password has expired. To log in you must change it using a client that supports expired passwords.";
        return Err(error(1862, "HY000", text.into()));
    }
    Ok(())
}

/// The server's own words, with the host as a server would name it.
fn access_denied(worker: &Worker, claim: &Claim, proof: &Proof) -> ServerError {
    let host = client_name(worker, claim.client).unwrap_or_else(|| claim.client.to_string());
    let using = if proof.is_empty() { "NO" } else { "YES" };
    let text = format!("Access denied for user '{}'@'{host}' (using password: {using})", claim.user);
    error(1045, "28000", text)
}

/// The client's host name, where a server would know it without asking anybody: the machine itself.
fn client_name(worker: &Worker, ip: IpAddr) -> Option<String> {
    let view = worker.core.cluster(ClusterIndex(0)).view();
    let skip = view.catalogue.globals.get("skip_name_resolve");
    let resolves = !skip.is_some_and(|v| v.eq_ignore_ascii_case("ON") || v == "1");
    (resolves && ip.is_loopback()).then(|| "localhost".to_owned())
}

/// How long a login may wait for the accounts to be read again.
const FRESH_ACCOUNTS: Duration = Duration::from_secs(2);

/// Has the accounts read again; true if that was done soon enough.
pub(super) async fn refresh(worker: &Worker) -> bool {
    let entry = worker.core.cluster(ClusterIndex(0));
    tokio::time::timeout(FRESH_ACCOUNTS, entry.control.refreshed()).await.is_ok()
}
