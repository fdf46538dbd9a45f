//! The client's side of a login, as a state machine: payloads of packets come in, payloads to be sent go out.
//!
//! Each state is a struct that holds what is valid in it, and handling a packet gives the next one.

use crate::auth::{CLEAR, ED25519, NATIVE, ed25519};
use crate::auth_switch::{AuthMoreData, AuthSwitchRequest};
use crate::capability::Capabilities;
use crate::err::{ErrPacket, ServerError};
use crate::greeting::Greeting;
use crate::handshake_response::HandshakeResponse;
use crate::malformed::Malformed;
use crate::ok::Ok as OkPacket;
use crate::prover::{Prover, Reply};
use crate::status::StatusFlags;

pub use crate::secret::{Password, Secret};

/// Who logs in, and with what wishes.
#[derive(Clone, Debug)]
pub struct LoginRequest {
    pub user: Vec<u8>,
    pub secret: Secret,
    pub database: Option<Vec<u8>>,
    /// What is wanted; the session gets what the server has too. The flags that belong to the login itself
    /// (`PROTOCOL_41`, `SECURE_CONNECTION`, `PLUGIN_AUTH`, `CONNECT_WITH_DB` …) are set as needed.
    pub capabilities: Capabilities,
    pub collation: u8,
    pub max_packet: u32,
    /// The raw block of connection attributes ([`crate::attributes::put_attribute`]); empty to send none.
    pub attributes: Vec<u8>,
}

/// What to do after a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginStep {
    /// Send this payload, under the sequence number behind that of the packet just handled.
    Send(Vec<u8>),
    /// Nothing: wait for the next packet.
    Wait,
    /// The login is complete.
    Done(Session),
}

/// What a login has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The server's version as its greeting has it.
    pub version: String,
    pub thread_id: u32,
    /// What was agreed on: this is how the connection's packets have to be read.
    pub capabilities: Capabilities,
    /// All that the server could do.
    pub server_capabilities: Capabilities,
    pub status: StatusFlags,
    /// The collation that was asked for.
    pub collation: u8,
    /// The server's default collation.
    pub server_collation: u8,
    pub warnings: u16,
    pub info: Vec<u8>,
    /// The session state in the login's OK: with trackers on, the first values of the tracked variables.
    pub session_state: Vec<u8>,
}

/// Why a login failed. The connection is of no use afterwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("the server refused the login: {0}")]
    Refused(ServerError),
    #[error("the server asks for the authentication plugin {0}, which is not supported")]
    UnsupportedPlugin(String),
    #[error("what is known about the password is not enough for the authentication plugin {plugin}")]
    SecretCannotProve { plugin: String },
    #[error("the authentication plugin {plugin} would send the password in the clear; it needs TLS")]
    NeedsSecureTransport { plugin: String },
    /// `caching_sha2_password` asked for full authentication, which without TLS nobody gets from here.
    #[error(
        "the server does not have this account's caching_sha2_password proof in its cache (or the password is wrong) and \
         asks for the password itself, which is not sent without TLS. Log in to the server as this account once over its \
         Unix socket or with TLS: that fills the cache, until the server restarts, FLUSH PRIVILEGES or a new password"
    )]
    NotCached,
    #[error("the server lacks the capability {0}, without which it cannot be talked to")]
    MissingCapability(&'static str),
    #[error("the server sent a packet that has no place in a login: {0}")]
    Unexpected(&'static str),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A login in progress.
#[derive(Debug)]
pub struct ClientLogin {
    state: State,
    secure_transport: bool,
}

#[derive(Debug)]
enum State {
    Greeting(Box<ExpectGreeting>),
    Verdict(Box<ExpectVerdict>),
    Finished,
}

impl ClientLogin {
    /// A login that begins with the server's greeting.
    pub fn new(request: LoginRequest) -> Self {
        ClientLogin { state: State::Greeting(Box::new(ExpectGreeting { request })), secure_transport: false }
    }

    /// The connection is a Unix socket or under TLS, so that a password may be sent over it as it is.
    #[must_use]
    pub fn over_secure_transport(mut self) -> Self {
        self.secure_transport = true;
        self
    }

    /// Handles the payload of the next packet from the server.
    pub fn handle(&mut self, payload: &[u8]) -> Result<LoginStep, LoginError> {
        let state = std::mem::replace(&mut self.state, State::Finished);
        let (state, step) = match state {
            State::Greeting(state) => state.handle(payload, self.secure_transport)?,
            State::Verdict(state) => state.handle(payload)?,
            State::Finished => return Err(LoginError::Unexpected("the login is over")),
        };
        self.state = state;
        Ok(step)
    }
}

#[derive(Debug)]
struct ExpectGreeting {
    request: LoginRequest,
}

impl ExpectGreeting {
    fn handle(self, payload: &[u8], secure: bool) -> Result<(State, LoginStep), LoginError> {
        if payload.first() == Some(&ErrPacket::HEADER) {
            return Err(LoginError::Refused(ErrPacket::parse(payload)?.into()));
        }
        let greeting = Greeting::parse(payload)?;
        let capabilities = negotiate(&self.request, greeting.capabilities)?;
        let prover = Prover::new(self.request.secret.clone(), secure);
        let (plugin, auth) = first_proof(&prover, &greeting)?;
        let response = handshake_response(&self.request, capabilities, plugin.as_bytes(), &auth);
        let collation = self.request.collation;
        let prover = prover.with_plugin(plugin);
        let next = ExpectVerdict { greeting, capabilities, collation, prover, cannot: None };
        Ok((State::Verdict(Box::new(next)), LoginStep::Send(response)))
    }
}

/// The answer to a greeting.
pub(crate) fn handshake_response(
    request: &LoginRequest,
    capabilities: Capabilities,
    plugin: &[u8],
    auth: &[u8],
) -> Vec<u8> {
    let with_plugin = capabilities.contains(Capabilities::PLUGIN_AUTH);
    HandshakeResponse {
        capabilities,
        max_packet: request.max_packet,
        collation: request.collation,
        user: &request.user,
        auth,
        database: request.database.as_deref(),
        plugin: with_plugin.then_some(plugin),
        attributes: &request.attributes,
    }
    .encode()
}

/// The proof to send with the login. Where the secret is of no use for the plugin that the server proposes, the
/// account may still have another one: the native plugin is named, and the server then asks for the account's own.
fn first_proof(prover: &Prover, greeting: &Greeting) -> Result<(String, Vec<u8>), LoginError> {
    let proposed = greeting.auth_plugin.as_str();
    if proposed != CLEAR
        && proposed != NATIVE
        && let Ok(auth) = prover.proof(proposed, &greeting.scramble)
    {
        return Ok((proposed.to_owned(), auth));
    }
    Ok((NATIVE.to_owned(), prover.proof(NATIVE, &greeting.scramble)?))
}

/// The flags of the session: what is wanted and there, and what the login itself needs.
pub(crate) fn negotiate(request: &LoginRequest, server: Capabilities) -> Result<Capabilities, LoginError> {
    for (flag, name) in
        [(Capabilities::PROTOCOL_41, "PROTOCOL_41"), (Capabilities::SECURE_CONNECTION, "SECURE_CONNECTION")]
    {
        if !server.contains(flag) {
            return Err(LoginError::MissingCapability(name));
        }
    }
    let needed = Capabilities::PROTOCOL_41
        | Capabilities::SECURE_CONNECTION
        | Capabilities::PLUGIN_AUTH
        | Capabilities::PLUGIN_AUTH_LENENC_DATA;
    let optional = [
        (Capabilities::CONNECT_WITH_DB, request.database.is_some()),
        (Capabilities::CONNECT_ATTRS, !request.attributes.is_empty()),
    ];
    let mut wanted = request.capabilities.without(Capabilities::SSL) | needed;
    for (flag, present) in optional {
        wanted = if present { wanted.with(flag) } else { wanted.without(flag) };
    }
    Ok(wanted & server)
}

#[derive(Debug)]
struct ExpectVerdict {
    greeting: Greeting,
    capabilities: Capabilities,
    collation: u8,
    prover: Prover,
    /// A proof that was asked for and cannot be given.
    cannot: Option<LoginError>,
}

impl ExpectVerdict {
    fn handle(self: Box<Self>, payload: &[u8]) -> Result<(State, LoginStep), LoginError> {
        match payload.first() {
            Some(&OkPacket::HEADER) => self.accepted(payload),
            Some(&ErrPacket::HEADER) => Err(self.refused(payload)?),
            Some(&AuthSwitchRequest::HEADER) => self.switch(payload),
            Some(&AuthMoreData::HEADER) => self.more(payload),
            _ => Err(LoginError::Unexpected("neither a verdict nor a question")),
        }
    }

    fn switch(mut self: Box<Self>, payload: &[u8]) -> Result<(State, LoginStep), LoginError> {
        let request = AuthSwitchRequest::parse(payload)?;
        let plugin = String::from_utf8_lossy(request.plugin).into_owned();
        let auth = match self.prover.proof(&plugin, request.data) {
            Ok(auth) => auth,
            // `VIA ed25519 OR mysql_native_password`: after a wrong signature the server asks for the other proof.
            Err(cannot @ LoginError::SecretCannotProve { .. }) if plugin == ED25519 => {
                self.cannot = Some(cannot);
                ed25519::NO_SIGNATURE.to_vec()
            }
            Err(error) => return Err(error),
        };
        self.prover = self.prover.with_plugin(plugin);
        Ok((State::Verdict(self), LoginStep::Send(auth)))
    }

    /// A refusal after a proof that could not be given says that, and not that the password is wrong.
    fn refused(self, payload: &[u8]) -> Result<LoginError, LoginError> {
        let refusal = ErrPacket::parse(payload)?.into();
        Ok(self.cannot.unwrap_or(LoginError::Refused(refusal)))
    }

    fn more(self: Box<Self>, payload: &[u8]) -> Result<(State, LoginStep), LoginError> {
        let step = match self.prover.more(AuthMoreData::parse(payload)?.data)? {
            Reply::Send(payload) => LoginStep::Send(payload),
            Reply::Wait => LoginStep::Wait,
        };
        Ok((State::Verdict(self), step))
    }

    fn accepted(self, payload: &[u8]) -> Result<(State, LoginStep), LoginError> {
        let session = session_of(self.greeting, self.capabilities, self.collation, payload)?;
        Ok((State::Finished, LoginStep::Done(session)))
    }
}

/// The session that the login's OK makes.
pub(crate) fn session_of(
    greeting: Greeting,
    capabilities: Capabilities,
    collation: u8,
    ok: &[u8],
) -> Result<Session, LoginError> {
    let ok = OkPacket::parse(ok, capabilities)?;
    Ok(Session {
        version: greeting.version,
        thread_id: greeting.thread_id,
        capabilities,
        server_capabilities: greeting.capabilities,
        status: ok.status,
        collation,
        server_collation: greeting.collation,
        warnings: ok.warnings,
        info: ok.info.to_vec(),
        session_state: ok.session_state.to_vec(),
    })
}
