//! All pools of one user.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mysql_wire::login::Secret;

use super::{PoolLimits, ServerPool};
use crate::place::{ClusterIndex, Place};

/// Databases that are remembered as missing.
const MOST_LACKING: usize = 1024;

/// One user's pools, one for each server, and what proves the user to the servers.
#[derive(Debug)]
pub(crate) struct UserPools {
    pub(crate) user: Arc<str>,
    /// By cluster.
    limits: RwLock<Box<[PoolLimits]>>,
    forwarded: bool,
    workers: usize,
    secret: Secret,
    /// Databases that could not be entered in a cluster.
    lacking: RwLock<HashSet<(ClusterIndex, Arc<[u8]>)>>,
    servers: RwLock<HashMap<Place, Arc<ServerPool>>>,
}

impl UserPools {
    /// The pool of a server; made when first asked for.
    pub(crate) fn at(&self, place: Place) -> Arc<ServerPool> {
        if let Some(pool) = self.servers.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return pool.clone();
        }
        let mut servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
        servers
            .entry(place)
            .or_insert_with(|| {
                let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner);
                let limits = limits[usize::from(place.cluster.0) % limits.len().max(1)];
                ServerPool::new(place, self.user.clone(), limits, self.workers)
            })
            .clone()
    }

    /// Takes changed limits over, of every cluster.
    fn set_limits(&self, limits: Box<[PoolLimits]>) {
        let limits = own_limits(limits, self.forwarded);
        // Under the lock under which pools are made, so that none is made with the old ones afterwards.
        let servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
        for (place, pool) in servers.iter() {
            if let Some(limits) = limits.get(usize::from(place.cluster.0)) {
                pool.set_limits(*limits);
            }
        }
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Whether a cluster was found not to have a database. It may have one since: statements that need it try again.
    pub(crate) fn lacks(&self, cluster: ClusterIndex, database: &Arc<[u8]>) -> bool {
        let lacking = self.lacking.read().unwrap_or_else(PoisonError::into_inner);
        !lacking.is_empty() && lacking.contains(&(cluster, database.clone()))
    }

    pub(crate) fn note_lack(&self, cluster: ClusterIndex, database: &Arc<[u8]>) {
        let mut lacking = self.lacking.write().unwrap_or_else(PoisonError::into_inner);
        if lacking.len() >= MOST_LACKING {
            lacking.clear();
        }
        lacking.insert((cluster, database.clone()));
    }

    pub(crate) fn secret(&self) -> Secret {
        self.secret.clone()
    }

    pub(crate) fn all(&self) -> Vec<Arc<ServerPool>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Who has a pool: two accounts of one name, or one account before and after its password changed, share nothing, or a
/// client could get connections that it has not proved itself for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolOwner {
    pub(crate) user: Arc<str>,
    /// The host pattern of the account that was matched; empty for users of the configuration.
    pub(crate) host: Arc<str>,
    /// What servers store of the password.
    pub(crate) stored: Option<[u8; 20]>,
    /// Its connections are opened by its clients' own proofs, and are theirs alone.
    pub(crate) forwarded: bool,
}

/// The pools of all users. Looked up at login, not for each statement.
#[derive(Debug, Default)]
pub(crate) struct UserPoolsMap {
    owners: Mutex<HashMap<PoolOwner, Arc<UserPools>>>,
}

impl UserPoolsMap {
    pub(crate) fn of(
        &self,
        owner: PoolOwner,
        limits: Box<[PoolLimits]>,
        workers: usize,
        secret: Secret,
    ) -> Arc<UserPools> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pools) = owners.get(&owner) {
            return pools.clone();
        }
        // Those of former passwords have nothing open any more once their connections have timed out.
        owners.retain(|_, pools| Arc::strong_count(pools) > 1 || pools.all().iter().any(|p| p.is_in_use()));
        let pools = Arc::new(UserPools {
            user: owner.user.clone(),
            limits: RwLock::new(own_limits(limits, owner.forwarded)),
            forwarded: owner.forwarded,
            workers,
            secret,
            lacking: RwLock::default(),
            servers: RwLock::default(),
        });
        owners.insert(owner, pools.clone());
        pools
    }

    /// Has every pool take over the limits that its user has now.
    pub(crate) fn set_limits(&self, of_user: impl Fn(&str) -> Box<[PoolLimits]>) {
        let all: Vec<_> = {
            let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.values().cloned().collect()
        };
        all.iter().for_each(|pools| pools.set_limits(of_user(&pools.user)));
    }

    /// All pools, each with its owner's.
    pub(crate) fn all_with_users(&self) -> Vec<(Arc<UserPools>, Arc<ServerPool>)> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.values().flat_map(|u| u.all().into_iter().map(|p| (u.clone(), p))).collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<ServerPool>> {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.values().flat_map(|u| u.all()).collect()
    }
}

/// hadal cannot open connections by itself where clients prove themselves to the servers.
fn own_limits(mut limits: Box<[PoolLimits]>, forwarded: bool) -> Box<[PoolLimits]> {
    if forwarded {
        limits.iter_mut().for_each(|limits| limits.min_idle = 0);
    }
    limits
}
