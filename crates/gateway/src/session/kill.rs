//! `KILL`: the ids are hadal's own; the servers know others.

use mysql_client::{Client, ConnectOptions};
use mysql_wire::{Capabilities, LoginRequest, ResponseKind, ServerError};
use sql::{Effects, Facts, KillTarget, SpanKind};

use super::client::CommandPacket;
use super::query::Job;
use super::special::replace;
use super::{End, Session, UNREACHABLE, error};
use crate::registry::{FIRST_ID, SessionShared, Signal};

impl Session {
    pub(super) async fn kill_statement(
        &mut self,
        command: &CommandPacket,
        facts: &Facts,
        text: &[u8],
    ) -> Result<(), End> {
        let own = self.shared.id.to_string().into_bytes();
        let plain = if facts.effects.contains(Effects::USES_CONNECTION_ID) {
            replace(text, &sql::spans(text, self.mode, SpanKind::ConnectionId), &own)
        } else {
            text.to_vec()
        };
        if facts.statements == 1
            && let Some(kill) = sql::kill(&plain, self.mode)
            && let KillTarget::Id(id) = kill.target
            && (id >= u64::from(FIRST_ID) || self.by_thread(id).is_some())
        {
            let id = u32::try_from(id).unwrap_or(u32::MAX);
            return self.kill(command.sequence, id, kill.query_only).await;
        }
        let command = CommandPacket::of_query(&plain, command.sequence);
        self.run(Job::new(&command, ResponseKind::Query, facts)).await.map(drop)
    }

    /// A session that uses the server thread `id`: the client has read it somewhere on the server.
    fn by_thread(&self, _id: u64) -> Option<u32> {
        None
    }

    /// `COM_PROCESS_KILL`.
    pub(super) async fn process_kill(&mut self, command: &CommandPacket) -> Result<(), End> {
        let id = mysql_wire::stmt::statement_id(command.payload()).unwrap_or_default();
        if id >= FIRST_ID {
            return self.kill(command.sequence, id, false).await;
        }
        let facts = super::command_facts(false);
        self.run(Job::new(command, ResponseKind::Simple, &facts)).await.map(drop)
    }

    async fn kill(&mut self, sequence: u8, id: u32, query_only: bool) -> Result<(), End> {
        let Some(target) = self.worker.core.sessions.get(id) else {
            return self
                .send_error(sequence, &error(1094, "HY000", format!("Unknown thread id: {id}")))
                .await;
        };
        if target.labels().user != self.identity.user && !self.identity.may_kill_others {
            return self
                .send_error(sequence, &error(1095, "HY000", format!("You are not owner of thread {id}")))
                .await;
        }
        if id == self.shared.id {
            return self.kill_self(sequence, query_only).await;
        }
        if !query_only {
            // First the mark, so that the session does not run anything more.
            target.raise(Signal::Kill);
        }
        let runs = target.busy.load(std::sync::atomic::Ordering::SeqCst);
        if (runs || !query_only)
            && let Err(refusal) = Box::pin(self.kill_on_server(&target, query_only)).await
            && query_only
        {
            return self.send_error(sequence, &refusal).await;
        }
        self.send_ok(sequence).await
    }

    async fn kill_self(&mut self, sequence: u8, query_only: bool) -> Result<(), End> {
        if query_only {
            return self
                .send_error(sequence, &error(1317, "70100", "Query execution was interrupted".into()))
                .await;
        }
        self.send_error(sequence, &error(1927, "70100", "Connection was killed".into())).await?;
        Err(End::Killed)
    }

    /// Has the server interrupt what the session runs there: over a connection of its own, since the pool may be what
    /// the killed ones have exhausted.
    async fn kill_on_server(&mut self, target: &SessionShared, query_only: bool) -> Result<(), ServerError> {
        let Some((place, thread)) = target.backend() else {
            if query_only {
                target.interrupt();
            }
            return Ok(());
        };
        let what = if query_only { "QUERY" } else { "CONNECTION" };
        let address = {
            let view = self.worker.core.cluster(place.cluster).view();
            view.server(place.server).map(|server| server.address.clone())
        };
        let Some(address) = address else { return Ok(()) };
        let options = ConnectOptions {
            address: (*address).clone(),
            login: LoginRequest {
                user: self.identity.user.as_bytes().to_vec(),
                secret: self.identity.pools.secret(),
                database: None,
                capabilities: Capabilities::NONE,
                collation: crate::state::Charset::HANDSHAKE_ID,
                max_packet: 1 << 24,
                attributes: Vec::new(),
            },
            timeout: std::time::Duration::from_secs(3),
        };
        let failed =
            |why: String| error(UNREACHABLE, "HY000", format!("hadal: could not kill on {address}: {why}"));
        let mut client = Client::connect(&options).await.map_err(|e| failed(e.to_string()))?;
        // Between the look and the kill the connection must not go to somebody else.
        let _guard = target.guard_kill();
        if target.backend() == Some((place, thread))
            && let Err(refused) = client.exec(&format!("KILL {what} {thread}")).await
            // 1094: it has gone by itself.
            && refused.code() != Some(1094)
        {
            return Err(failed(refused.to_string()));
        }
        client.close().await;
        Ok(())
    }
}
