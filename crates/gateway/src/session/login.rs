//! From the greeting to the first command.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use mysql_wire::auth::{caching_sha2, native};
use mysql_wire::{
    AuthMoreData, AuthSwitchRequest, Capabilities, Challenge, Greeting, HandshakeResponse, OkPacket,
    ResponseKind, ServerError, SslRequest, StateChange, StatusFlags,
};

use super::client::{CommandPacket, Inbound};
use super::forwarded::{Applicant, Asked, Forwarding};
use super::identity::{Claim, Proof, Standing};
use super::job::Job;
use super::{Client, End, Identity, Session, UNREACHABLE, error};
use crate::backend::{Backend, ExchangeError};
use crate::place::Place;
use crate::registry::{SessionShared, Signal};
use crate::state::{Charset, StateSet};
use crate::worker::Worker;

/// What hadal offers to clients, as far as the servers have it. TLS and compression are not there; a client's cache of
/// metadata cannot be kept over several servers.
const OFFERED: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::FOUND_ROWS.0
        | Capabilities::LONG_FLAG.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::NO_SCHEMA.0
        | Capabilities::ODBC.0
        | Capabilities::LOCAL_FILES.0
        | Capabilities::IGNORE_SPACE.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::INTERACTIVE.0
        | Capabilities::IGNORE_SIGPIPE.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::RESERVED.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::MULTI_STATEMENTS.0
        | Capabilities::MULTI_RESULTS.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::CONNECT_ATTRS.0
        | Capabilities::PLUGIN_AUTH_LENENC_DATA.0
        | Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS.0
        | Capabilities::SESSION_TRACK.0
        | Capabilities::DEPRECATE_EOF.0
        | Capabilities::MARIADB_STMT_BULK.0
        | Capabilities::MARIADB_EXTENDED_METADATA.0
        | Capabilities::MARIADB_BULK_UNIT_RESULTS.0,
);

/// Nobody who has proved nothing yet may send more at once: room for every field and for attributes of 64 KiB.
const LOGIN_LIMIT: usize = 80 * 1024;

/// The login's view of the connection, before there is a session.
pub(super) struct Login {
    pub(super) worker: Rc<Worker>,
    pub(super) shared: Arc<SessionShared>,
    pub(super) client: Client,
    pub(super) scramble: [u8; 20],
    /// Sequence number of the client's last packet.
    pub(super) sequence: u8,
}

impl Login {
    /// Greets the client and makes a session of it. A refusal has been sent when this returns an error.
    pub(super) async fn run(mut self) -> Result<Session, End> {
        self.greet().await?;
        let first = self.packet().await?;
        if SslRequest::is(&first) {
            let text =
                "hadal: TLS is not available here; connect without it (for the mysql client: --skip-ssl)";
            return Err(self.refuse(&error(1043, "08S01", text.into())).await);
        }
        let Ok(response) = HandshakeResponse::parse(&first) else {
            return Err(self.refuse(&error(1043, "08S01", "Bad handshake".into())).await);
        };
        if response.capabilities.contains(Capabilities::COMPRESS) {
            // Not offered, but some drivers (PHP's mysqlnd) compress all the same once they are logged in.
            let text = "hadal: compression is not available here; connect without it";
            return Err(self.refuse(&error(1043, "08S01", text.into())).await);
        }
        self.client.capabilities = response.capabilities & self.offered();
        let claim = Claim {
            user: String::from_utf8_lossy(response.user).into_owned(),
            client: self.shared.client.ip(),
            database: response.database.filter(|d| !d.is_empty()).map(<[u8]>::to_vec),
        };
        let token = response.auth.to_vec();
        let plugin = response.plugin.map(<[u8]>::to_vec);
        let collation = u16::from(response.collation);
        super::identity::learn_host(&self.worker, &claim).await;
        let proof = self.prove(&claim, token, plugin).await?;
        let identity = match self.identify(&claim, &proof).await {
            Ok(Standing::Known(identity)) => identity,
            Ok(Standing::AtServer(applicant)) => return self.forward(applicant, claim, collation).await,
            Err(refusal) => return Err(self.refuse(&refusal).await),
        };
        if matches!(&proof, Proof::Sha2 { token, .. } if !token.is_empty()) {
            let next = self.sequence.wrapping_add(1);
            self.send(next, &Session::fast_auth_ok()).await?;
            self.sequence = next;
        }
        self.admit(identity, None, claim, collation).await
    }

    /// Has the primary check the client.
    async fn forward(mut self, applicant: Applicant, claim: Claim, collation: u16) -> Result<Session, End> {
        let (worker, shared) = (self.worker.clone(), self.shared.clone());
        let forwarding = Forwarding {
            worker: &worker,
            shared: &shared,
            claim: &claim,
            applicant: &applicant,
            shape: super::response_shape(self.client.capabilities),
            expired_passwords: self.client.capabilities & Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS,
        };
        match Box::pin(forwarding.run(&mut self)).await? {
            Ok((identity, backend)) => self.admit(identity, Some(backend), claim, collation).await,
            Err(refusal) => Err(self.refuse(&refusal).await),
        }
    }

    async fn greet(&mut self) -> Result<(), End> {
        let Some(version) = self.server_version() else {
            let text = "hadal: no server of the cluster has been reached yet; try again in a moment";
            return Err(self.refuse_before_greeting(&error(1040, "08004", text.into())).await);
        };
        let greeting = Greeting {
            protocol: 10,
            version,
            thread_id: self.shared.id,
            scramble: self.scramble,
            capabilities: self.offered(),
            collation: self.default_collation(),
            status: StatusFlags::AUTOCOMMIT,
            auth_plugin: "mysql_native_password".into(),
        };
        self.send(0, &greeting.encode()).await
    }

    /// The primary's version, as the primary itself greets: MariaDB 10 puts a prefix in front for old clients.
    fn server_version(&self) -> Option<String> {
        if let Some(own) = &self.worker.core.config.load().gateway.version {
            return Some(own.clone());
        }
        let view = self.worker.core.cluster(self.worker.core.front()).view();
        let known = |s: &&topology::ServerView| !s.version.is_empty();
        let server = view.primary().filter(known).or_else(|| view.servers.iter().find(known))?;
        let prefixed = server.version.contains("MariaDB") && server.version.starts_with("10.");
        Some(if prefixed { format!("5.5.5-{}", server.version) } else { server.version.to_string() })
    }

    fn offered(&self) -> Capabilities {
        // The bit says MySQL; without it a client knows that MariaDB's own capabilities follow.
        OFFERED.without(Capabilities::LONG_PASSWORD)
    }

    fn default_collation(&self) -> u8 {
        let view = self.worker.core.cluster(self.worker.core.front()).view();
        let name = view.catalogue.globals.get("collation_server").map(String::as_str).unwrap_or_default();
        let id = view.catalogue.collations.iter().find(|(_, (collation, _))| &**collation == name);
        id.map_or(Charset::HANDSHAKE_ID, |(id, _)| *id as u8)
    }

    /// What the client proves, after another plugin was asked for if need be.
    async fn prove(&mut self, claim: &Claim, token: Vec<u8>, plugin: Option<Vec<u8>>) -> Result<Proof, End> {
        let plugin = plugin.as_deref().unwrap_or(b"mysql_native_password");
        if plugin == b"mysql_native_password" && (token.is_empty() || token.len() == native::LEN) {
            return Ok(Proof::Native { token, scramble: self.scramble });
        }
        let configured =
            self.worker.core.config.load().users.get(&claim.user).is_some_and(|u| u.password.is_some());
        if plugin == b"caching_sha2_password" && configured {
            // MySQL's own client has no proof yet: it does not use the scramble of a greeting that proposed another plugin.
            if token.len() == caching_sha2::LEN {
                return Ok(Proof::Sha2 { token, scramble: self.scramble });
            }
            let token = self.switch(b"caching_sha2_password").await?;
            return Ok(Proof::Sha2 { token, scramble: self.scramble });
        }
        if super::identity::is_checked_by_server(&self.worker, claim) {
            return Ok(Proof::AtServer);
        }
        let token = self.switch(b"mysql_native_password").await?;
        Ok(Proof::Native { token, scramble: self.scramble })
    }

    async fn switch(&mut self, plugin: &[u8]) -> Result<Vec<u8>, End> {
        let mut data = self.scramble.to_vec();
        data.push(0);
        let mut token = self.asked_for(&AuthSwitchRequest { plugin, data: &data }).await?;
        // Some clients end the proof with a zero.
        if token.len() == native::LEN + 1 || token == [0] {
            token.pop();
        }
        Ok(token)
    }

    /// The client's answer to a wish for another plugin.
    async fn asked_for(&mut self, request: &AuthSwitchRequest<'_>) -> Result<Vec<u8>, End> {
        let next = self.sequence.wrapping_add(1);
        self.send(next, &request.encode()).await?;
        self.packet().await
    }

    async fn identify(&self, claim: &Claim, proof: &Proof) -> Result<Standing, ServerError> {
        match super::identity::identify(&self.worker, claim, proof) {
            Ok(standing) => Ok(standing),
            // The account may have been made, or its password changed, a moment ago.
            Err(refused) if refused.code == 1045 && super::identity::refresh(&self.worker, claim).await => {
                super::identity::identify(&self.worker, claim, proof)
            }
            Err(refused) => Err(refused),
        }
    }

    /// Makes the session, and has a server check what only servers know: the database, the privileges on it. `own` is the
    /// connection on which the client has proved itself.
    async fn admit(
        self,
        identity: Identity,
        own: Option<Backend>,
        claim: Claim,
        collation: u16,
    ) -> Result<Session, End> {
        let sequence = self.sequence;
        let charset = {
            let view = self.worker.core.cluster(identity.cluster).view();
            Charset::of_handshake(collation, &view.catalogue)
        };
        let state = StateSet { charset, ..StateSet::of_new_connection() };
        let mut session = Session::new(self.worker, self.shared, self.client, identity, state);
        session.scramble = self.scramble;
        if let Some(backend) = own {
            session.keep_for_good(backend);
        }
        session.enter(sequence, claim.database).await?;
        Ok(session)
    }

    async fn packet(&mut self) -> Result<Vec<u8>, End> {
        let expected = self.sequence;
        match read_packet(&self.worker, &self.shared, &mut self.client, expected).await? {
            Ok(packet) => {
                self.sequence = packet.sequence;
                Ok(packet.payload().to_vec())
            }
            Err(refusal) => Err(self.refuse(&refusal).await),
        }
    }

    async fn send(&mut self, sequence: u8, payload: &[u8]) -> Result<(), End> {
        mysql_wire::write_packet(&mut self.client.output, &mut { sequence }, payload);
        self.client.flush().await?;
        self.sequence = sequence.wrapping_add(1);
        Ok(())
    }

    async fn refuse(&mut self, refusal: &ServerError) -> End {
        self.worker.core.metrics.refused_logins.fetch_add(1, Ordering::Relaxed);
        let next = self.sequence.wrapping_add(1);
        let _ = self.send(next, &refusal.encode()).await;
        End::Refused(refusal.message.clone())
    }

    async fn refuse_before_greeting(&mut self, refusal: &ServerError) -> End {
        let _ = self.send(0, &refusal.encode()).await;
        End::Refused(refusal.message.clone())
    }
}

/// One packet of the login; the deadline comes as a signal.
pub(super) async fn read_packet(
    worker: &Worker,
    shared: &SessionShared,
    client: &mut Client,
    expected: u8,
) -> Result<Result<CommandPacket, ServerError>, End> {
    let woken = std::future::poll_fn(|cx| match shared.poll_signal(cx.waker()) {
        Some(Signal::Kill) => Poll::Ready(Err(End::Killed)),
        Some(Signal::Timeout) => Poll::Ready(Err(End::IdleTooLong)),
        Some(Signal::Drain) => Poll::Ready(Err(End::Draining)),
        Some(Signal::Release) | None => {
            client.poll_command(cx, worker, expected, LOGIN_LIMIT).map_err(End::Client)
        }
    });
    match woken.await? {
        Inbound::Command(packet) => Ok(Ok(packet)),
        Inbound::Left => Err(End::ClientLeft),
        Inbound::TooLarge => {
            Ok(Err(error(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes".into())))
        }
        Inbound::OutOfOrder => Ok(Err(error(1156, "08S01", "Got packets out of order".into()))),
    }
}

impl Session {
    /// Enters the database and answers the login.
    pub(super) async fn enter(&mut self, sequence: u8, database: Option<Vec<u8>>) -> Result<(), End> {
        let mut state = (*self.state).clone();
        let charset = state.charset.clone();
        // Of a name in another character set than UTF-8 only a server can say how it is called.
        let foreign = database.clone().filter(|d| !d.is_ascii() && !charset.client.starts_with("utf8"));
        state.database = database.filter(|_| foreign.is_none()).map(Arc::from);
        self.prepare_replay(&mut state);
        self.prepare_journal();
        self.entered = std::time::Instant::now();
        self.entered_once = false;
        self.set_state(state);
        if let Err(refusal) = self.check_in(foreign.as_deref()).await {
            self.worker.core.metrics.refused_logins.fetch_add(1, Ordering::Relaxed);
            self.send_error(sequence, &refusal).await?;
            return Err(End::Refused(refusal.message));
        }
        tracing::trace!(session = self.shared.id, collation = %charset.collation, "logged in");
        self.initial = self.state.clone();
        self.entered_once = true;
        self.restore_timeout();
        let mut session_state = Vec::new();
        if let Some(database) = &self.state.database
            && self.client.capabilities.contains(Capabilities::SESSION_TRACK)
        {
            StateChange::Schema(database).encode(&mut session_state);
        }
        let mut status = self.status();
        if !session_state.is_empty() {
            status = status.with(StatusFlags::SESSION_STATE_CHANGED);
        }
        let ok = OkPacket { session_state: &session_state, ..OkPacket::new(status) };
        let mut payload = Vec::new();
        ok.encode(self.client.capabilities, &mut payload);
        self.send_payload(sequence, &payload).await
    }

    /// Brings one server connection into the new session's state: proves that servers let this user in.
    async fn check_in(&mut self, foreign: Option<&[u8]>) -> Result<(), ServerError> {
        if let Some(own) = self.held.take() {
            return self.check_in_on(own, foreign).await;
        }
        let command = CommandPacket::default();
        let facts = super::command_facts(false);
        let job = Job::new(&command, ResponseKind::Simple, &facts);
        for _ in 0..2 {
            let (server, on_replica) = {
                let view = self.worker.core.cluster(self.base).view();
                match view.primary() {
                    Some(primary) => (primary.id, false),
                    // Reads still work while there is no primary.
                    None => match view.servers.iter().find(|s| s.takes_replica_reads()) {
                        Some(replica) => (replica.id, true),
                        None => break,
                    },
                }
            };
            let place = Place { cluster: self.base, server };
            match self.obtain(place, &job, on_replica).await {
                Ok(Some(backend)) => return self.check_out(backend, foreign).await,
                Ok(None) => {}
                // The primary is gone: whoever only reads can still work.
                Err(refusal) if refusal.code == UNREACHABLE => {
                    return self.check_in_on_replica(&job, foreign).await;
                }
                Err(refusal) => return Err(refusal),
            }
        }
        self.check_in_on_replica(&job, foreign).await
    }

    /// The same on the connection on which the client has proved itself.
    async fn check_in_on(&mut self, mut own: Backend, foreign: Option<&[u8]>) -> Result<(), ServerError> {
        let state = self.state.clone();
        self.bring_into(&mut own, &state).await.map_err(for_client)?;
        self.learn_database(&mut own, foreign).await?;
        self.held = Some(own);
        Ok(())
    }

    /// The last step of a login on a connection of the pool.
    async fn check_out(&mut self, mut backend: Backend, foreign: Option<&[u8]>) -> Result<(), ServerError> {
        self.learn_database(&mut backend, foreign).await?;
        self.release(backend);
        Ok(())
    }

    /// Has the server say what the database is called, where that is not known.
    async fn learn_database(
        &mut self,
        backend: &mut Backend,
        foreign: Option<&[u8]>,
    ) -> Result<(), ServerError> {
        if let Some(name) = foreign {
            let command = [&[mysql_wire::Command::InitDb as u8], name].concat();
            let reply = backend.command(&command).await.map_err(for_client)?;
            let ok = OkPacket::parse(reply.payload(), backend.response_capabilities());
            let changes = ok.map(|ok| ok.session_state.to_vec()).unwrap_or_default();
            let entered = mysql_wire::StateChanges::new(&changes).flatten().find_map(|change| match change {
                StateChange::Schema(name) => Some(Arc::from(name)),
                _ => None,
            });
            let mut state = (*self.state).clone();
            state.database = entered;
            self.set_state(state);
            backend.state = self.state.clone();
        }
        Ok(())
    }

    async fn check_in_on_replica(
        &mut self,
        job: &Job<'_>,
        foreign: Option<&[u8]>,
    ) -> Result<(), ServerError> {
        let replicas: Vec<_> = {
            let view = self.worker.core.cluster(self.base).view();
            view.servers.iter().filter(|s| s.takes_replica_reads()).map(|s| s.id).collect()
        };
        for server in replicas {
            let place = Place { cluster: self.base, server };
            if let Some(backend) = self.obtain(place, job, true).await? {
                return self.check_out(backend, foreign).await;
            }
        }
        let text = "hadal: no server of the cluster can be reached at the moment; try again";
        Err(error(UNREACHABLE, "HY000", text.into()))
    }

    /// The proof of a fast path that the client waits for.
    pub(super) fn fast_auth_ok() -> Vec<u8> {
        AuthMoreData { data: &[caching_sha2::FAST_OK] }.encode()
    }
}

impl Asked for Login {
    async fn ask(&mut self, challenge: &Challenge) -> Result<Vec<u8>, End> {
        let Challenge { plugin, data } = challenge;
        self.asked_for(&AuthSwitchRequest { plugin: plugin.as_bytes(), data }).await
    }
}

fn for_client(failed: ExchangeError) -> ServerError {
    match failed {
        ExchangeError::Refused(refusal) => refusal,
        lost => error(UNREACHABLE, "HY000", format!("hadal: {lost}; try again")),
    }
}
