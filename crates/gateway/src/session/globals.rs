//! `SET GLOBAL`: the sessions that are there keep their values.

use mysql_client::Client;

use super::job::Job;
use super::run::Ran;
use super::{End, Session};
use crate::globals::{FOLLOWED, Values};
use crate::place::Place;

impl Session {
    /// Runs a statement that sets global variables, and remembers what it has changed. They are read on a connection
    /// beside the pool, so that nothing that the client may ask of its own is disturbed.
    pub(super) async fn run_setting_globals(&mut self, job: Job<'_>) -> Result<Ran, End> {
        let primary = self.worker.core.cluster(self.base).view().primary;
        let mut beside = match primary {
            Some(server) => self.connect_beside(Place { cluster: self.base, server }).await.ok(),
            None => None,
        };
        let before = read(&mut beside).await;
        let ran = self.run_routed(job).await;
        if let (Some(before), Some(after)) = (before, read(&mut beside).await) {
            self.worker.core.global_changes.record(self.base, before, &after);
        }
        if let Some(client) = beside {
            client.close().await;
        }
        ran
    }

    /// Takes over the old values of what has been changed since the last look, unless the session has set its own.
    #[cold]
    pub(super) fn keep_globals(&mut self) {
        let (values, seen) = self.worker.core.global_changes.since(self.base, self.globals_seen);
        self.globals_seen = seen;
        let mut state = (*self.state).clone();
        for (name, value) in values {
            if state.variable(&name).is_none() {
                state.set_variable(&name, &value);
            }
        }
        if state != *self.state {
            self.set_state(state);
        }
    }
}

async fn read(client: &mut Option<Client>) -> Option<Values> {
    let names = FOLLOWED.join("','");
    let sql = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('{names}')");
    let rows = client.as_mut()?.query(&sql).await.ok()?;
    let pair = |row| Some((rows.at(row, 0)?.to_lowercase(), rows.at(row, 1)?.as_bytes().to_vec()));
    Some((0..rows.len()).filter_map(pair).collect())
}
