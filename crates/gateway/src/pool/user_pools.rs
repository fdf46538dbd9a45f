//! All pools of one user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mysql_wire::login::Secret;

use super::{PoolLimits, ServerPool};
use crate::place::Place;

/// One user's pools, one for each server, and what proves the user to the servers.
#[derive(Debug)]
pub(crate) struct UserPools {
    pub(crate) user: Arc<str>,
    limits: PoolLimits,
    workers: usize,
    secret: Mutex<Secret>,
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
            .or_insert_with(|| ServerPool::new(place, self.user.clone(), self.limits, self.workers))
            .clone()
    }

    pub(crate) fn secret(&self) -> Secret {
        self.secret.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what the newest successful login has proved.
    pub(crate) fn set_secret(&self, secret: Secret) {
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret;
    }

    pub(crate) fn all(&self) -> Vec<Arc<ServerPool>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// The pools of all users. Looked up at login, not for each statement.
#[derive(Debug, Default)]
pub(crate) struct UserPoolsMap {
    users: Mutex<HashMap<Arc<str>, Arc<UserPools>>>,
}

impl UserPoolsMap {
    pub(crate) fn of(
        &self,
        user: &str,
        limits: PoolLimits,
        workers: usize,
        secret: Secret,
    ) -> Arc<UserPools> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pools) = users.get(user) {
            pools.set_secret(secret);
            return pools.clone();
        }
        let name: Arc<str> = user.into();
        let pools = Arc::new(UserPools {
            user: name.clone(),
            limits,
            workers,
            secret: Mutex::new(secret),
            servers: RwLock::default(),
        });
        users.insert(name, pools.clone());
        pools
    }

    /// All pools, each with its user's.
    pub(crate) fn all_with_users(&self) -> Vec<(Arc<UserPools>, Arc<ServerPool>)> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.values().flat_map(|u| u.all().into_iter().map(|p| (u.clone(), p))).collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<ServerPool>> {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.values().flat_map(|u| u.all()).collect()
    }
}
