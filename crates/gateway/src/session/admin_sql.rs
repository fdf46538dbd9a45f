//! What hadal tells of itself to any MySQL client: `SHOW HADAL …`, `EXPLAIN ROUTE …`.

use mysql_wire::{ColumnDef, TextResult};
use sql::HadalShow;

use super::client::CommandPacket;
use super::job::Job;
use super::{End, Session};
use mysql_wire::ResponseKind;

impl Session {
    pub(super) fn hadal_table(&self, what: &HadalShow) -> TextResult<'static> {
        match what {
            HadalShow::Sessions => self.sessions_table(),
            HadalShow::Pools => self.pools_table(),
            HadalShow::Servers => self.servers_table(),
            _ => self.status_table(),
        }
    }

    fn sessions_table(&self) -> TextResult<'static> {
        let columns = [
            "id",
            "user",
            "client",
            "cluster",
            "database",
            "state",
            "server",
            "thread_id",
            "pinned_by",
            "statements",
            "replay",
        ];
        let mut table = table(&columns);
        for session in crate::status::sessions(&self.worker.core) {
            if !self.identity.sees_processes && *session.user != *self.identity.user {
                continue;
            }
            table.push([
                Some(session.id.to_string()),
                Some(session.user),
                Some(session.client),
                Some(session.cluster),
                session.database,
                Some(session.state.to_owned()),
                session.server,
                session.thread_id.map(|t| t.to_string()),
                Some(session.pinned_by.join(", ")),
                Some(session.statements.to_string()),
                session.replay.map(str::to_owned),
            ]);
        }
        table
    }

    fn pools_table(&self) -> TextResult<'static> {
        let columns = [
            "cluster",
            "server",
            "user",
            "max",
            "open",
            "idle",
            "waiting",
            "opened_total",
            "waited_total",
            "timeouts_total",
        ];
        let mut table = table(&columns);
        for pool in crate::status::pools(&self.worker.core) {
            table.push([
                Some(pool.cluster),
                Some(pool.server),
                Some(pool.user),
                Some(pool.max.to_string()),
                Some(pool.open.to_string()),
                Some(pool.idle.to_string()),
                Some(pool.waiting.to_string()),
                Some(pool.opened_total.to_string()),
                Some(pool.waited_total.to_string()),
                Some(pool.timeouts_total.to_string()),
            ]);
        }
        table
    }

    fn servers_table(&self) -> TextResult<'static> {
        let mut table = table(&[
            "cluster",
            "server",
            "role",
            "health",
            "lag_ms",
            "gtid_position",
            "weight",
            "share_percent",
            "outstanding",
            "version",
        ]);
        for entry in &self.worker.core.clusters {
            let view = entry.view();
            for server in &view.servers {
                table.push([
                    Some(entry.name.to_string()),
                    Some(server.address.to_string()),
                    Some(server.role.as_str().to_owned()),
                    Some(crate::status::health(&server.health)),
                    server.lag_ms.map(|lag| lag.to_string()),
                    Some(server.position.to_string()),
                    Some(server.weight.to_string()),
                    Some(server.ramp_percent.to_string()),
                    Some(entry.outstanding.of(server.id).to_string()),
                    Some(server.version.to_string()),
                ]);
            }
        }
        table
    }

    fn status_table(&self) -> TextResult<'static> {
        let mut table = table(&["name", "value"]);
        for (name, value) in crate::status::summary(&self.worker.core) {
            table.push([Some(name.to_owned()), Some(value)]);
        }
        table
    }

    /// `EXPLAIN ROUTE <statement>`: decides as for the statement itself, and runs nothing.
    pub(super) async fn explain_route(&mut self, sequence: u8, text: &[u8]) -> Result<(), End> {
        let facts = self.worker.facts(text, self.mode);
        let hint = sql::hint(text).ok().flatten();
        let command = CommandPacket::of_query(text, sequence);
        let mut job = Job::new(&command, ResponseKind::Query, &facts);
        job.hint = hint.as_ref();
        let mut table = table(&["cluster", "server", "role", "why", "access", "statement", "digest"]);
        let decision = match self.ruled {
            true => self.aim(&job).and_then(|()| self.decide(&job)),
            false => self.decide(&job),
        };
        let cluster = decision.is_ok().then(|| self.cluster_name(self.target));
        let (server, role, why) = match decision {
            Ok(decision) => {
                let role = if decision.on_replica { "replica" } else { "primary" };
                (Some(self.server_name(decision.server)), role.to_owned(), decision.why.to_string())
            }
            Err(error) => (None, "none".to_owned(), error.to_string()),
        };
        table.push([
            cluster,
            server,
            Some(role),
            Some(why),
            Some(crate::explain::access_name(facts.access).to_owned()),
            Some(facts.digest_text.to_string()),
            Some(format!("{:016x}", facts.digest)),
        ]);
        self.send_result(sequence, &table).await
    }
}

fn table(names: &[&'static str]) -> TextResult<'static> {
    TextResult::new(names.iter().map(|name| ColumnDef::text(name, 255)).collect())
}
