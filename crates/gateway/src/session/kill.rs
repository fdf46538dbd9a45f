//! `KILL`: the ids are hadal's own; the servers know others.

use mysql_client::{Client, ConnectOptions};
use mysql_wire::{Capabilities, ErrPacket, LoginRequest, ResponseKind, ServerError};
use sql::{Effects, Facts, Kill, KillTarget, SpanKind};

use super::client::CommandPacket;
use super::job::Job;
use super::special::replace;
use super::statement::Statement;
use super::{End, Session, UNREACHABLE, error};
use crate::place::Place;
use crate::registry::{FIRST_ID, SessionShared, Signal};

/// `ER_NO_SUCH_THREAD`.
const NO_SUCH_THREAD: u16 = 1094;

/// `ER_CONNECTION_KILLED`.
const CONNECTION_KILLED: u16 = 1927;

/// What a server made of a KILL.
#[derive(Debug)]
pub(super) enum Killing {
    /// It does not know the thread; the error has not been sent on.
    Unknown { id: u32, packet: Vec<u8> },
    /// It has closed the connection that said it.
    Itself,
}

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
        let kill = sql::kill(&plain, self.mode).filter(|_| facts.statements == 1);
        if let Some(kill) = &kill
            && let KillTarget::Id(id) = kill.target
            && id >= u64::from(FIRST_ID)
        {
            let id = u32::try_from(id).unwrap_or(u32::MAX);
            return self.kill(command.sequence, id, kill.query_only).await;
        }
        let command = CommandPacket::of_query(&plain, command.sequence);
        let mut job = Job::new(&command, ResponseKind::Query, facts);
        job.may_kill = kill.is_some();
        self.run(job).await?;
        self.kill_unknown(command.sequence, kill).await
    }

    /// A KILL as a binary prepared statement.
    pub(super) async fn execute_kill(&mut self, mut job: Job<'_>, statement: &Statement) -> Result<(), End> {
        let kill = sql::kill(&statement.text.text, self.mode).filter(|_| job.facts.statements == 1);
        job.may_kill = kill.is_some();
        self.run(job).await?;
        self.kill_unknown(job.command.sequence, kill).await
    }

    /// Looks at the error of what may be a KILL. True: it is kept back, since the thread is a session.
    pub(super) fn keep_unknown_thread(&mut self, packet: &[u8]) -> bool {
        let Ok(error) = ErrPacket::parse(packet.get(4..).unwrap_or_default()) else { return false };
        match error.code {
            NO_SUCH_THREAD => {
                let id = last_number(error.message).filter(|id| *id >= FIRST_ID);
                self.killing = id.map(|id| Killing::Unknown { id, packet: packet.to_vec() });
            }
            CONNECTION_KILLED => self.killing = Some(Killing::Itself),
            _ => {}
        }
        matches!(self.killing, Some(Killing::Unknown { .. }))
    }

    /// The id that the last KILL named, where only hadal can know it.
    pub(super) fn unknown_thread(&self) -> Option<u32> {
        match self.killing {
            Some(Killing::Unknown { id, .. }) => Some(id),
            _ => None,
        }
    }

    /// After a KILL whose target only the server could work out: does here what the server could not. Without knowing
    /// what kind of KILL it was, the server's error stands.
    pub(super) async fn kill_unknown(&mut self, sequence: u8, kill: Option<Kill>) -> Result<(), End> {
        match (self.killing.take(), kill) {
            (Some(Killing::Unknown { id, .. }), Some(kill)) => self.kill(sequence, id, kill.query_only).await,
            (Some(Killing::Unknown { packet, .. }), None) => {
                self.client.output.extend_from_slice(&packet);
                self.flush().await
            }
            (Some(Killing::Itself), _) => Err(End::Killed),
            (None, _) => Ok(()),
        }
    }

    /// A stored routine may say KILL. What kind of KILL it was of a session, and what the routine would have done next,
    /// nobody can tell from outside.
    pub(super) async fn call(&mut self, mut job: Job<'_>) -> Result<(), End> {
        job.may_kill = true;
        self.run(job).await?;
        match self.killing.take() {
            Some(Killing::Unknown { id, packet }) => {
                let text = format!(
                    "Unknown thread id: {id} (hadal: servers do not know sessions by these ids, so that a stored routine \
                     cannot KILL one; say KILL outside of it)"
                );
                let mut sequence = packet.get(3).copied().unwrap_or_default();
                let refusal = error(NO_SUCH_THREAD, "HY000", text).encode();
                mysql_wire::write_packet(&mut self.client.output, &mut sequence, &refusal);
                self.flush().await
            }
            Some(Killing::Itself) => Err(End::Killed),
            None => Ok(()),
        }
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
            let refusal = error(NO_SUCH_THREAD, "HY000", self.unknown_session(id));
            return self.send_error(sequence, &refusal).await;
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

    /// The text of 1094.
    fn unknown_session(&self, id: u32) -> String {
        let mut text = format!("Unknown thread id: {id}");
        if self.worker.core.sessions.is_elsewhere(id) {
            let node = self.worker.core.config.load().node.effective_name();
            text += &format!(
                " (hadal: not of a session of this node, {node}; a session can be ended at the node that it is connected to)"
            );
        }
        text
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
        let address = self.worker.core.address_of(place);
        let failed =
            |why: String| error(UNREACHABLE, "HY000", format!("hadal: could not kill on {address}: {why}"));
        if self.has_own_connection() {
            let _guard = target.guard_kill();
            return match target.backend() == Some((place, thread)) {
                true => self.kill_over_own(place, &format!("KILL {what} {thread}")).await,
                false => Ok(()),
            };
        }
        let mut client = self.connect_beside(place).await.map_err(failed)?;
        // Between the look and the kill the connection must not go to somebody else.
        let _guard = target.guard_kill();
        if target.backend() == Some((place, thread))
            && let Err(refused) = client.exec(&format!("KILL {what} {thread}")).await
            // 1094: it has gone by itself.
            && refused.code() != Some(NO_SUCH_THREAD)
        {
            return Err(failed(refused.to_string()));
        }
        client.close().await;
        Ok(())
    }

    /// A connection of this user beside the pool. The error is its reason.
    pub(super) async fn connect_beside(&self, place: Place) -> Result<Client, String> {
        let address = {
            let view = self.worker.core.cluster(place.cluster).view();
            view.server(place.server).map(|server| server.address.clone())
        };
        let address = address.ok_or_else(|| "the server was removed".to_owned())?;
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
        Client::connect(&options).await.map_err(|error| error.to_string())
    }
}

/// The number that a message ends with, in whatever language the rest is.
fn last_number(message: &[u8]) -> Option<u32> {
    let digits = message.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let at = message.len() - digits;
    std::str::from_utf8(message.get(at..)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::last_number;

    #[test]
    fn the_id_is_found_in_every_language() {
        assert_eq!(last_number(b"Unknown thread id: 1073741824"), Some(1_073_741_824));
        assert_eq!(last_number(b"Unbekannte Thread-ID: 7"), Some(7));
        assert_eq!(last_number(b"Unknown thread id: 99999999999"), None);
        assert_eq!(last_number(b"Unknown thread"), None);
    }
}
