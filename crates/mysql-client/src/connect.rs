//! Opening a connection: name, socket, login.

use std::io;
use std::time::Duration;

use mysql_wire::{ClientLogin, LoginError, LoginRequest, LoginStep, ServerError, Session};
use thiserror::Error;
use tokio::net::TcpStream;
use topology::Address;

use crate::packets::{PacketError, Packets};
use crate::pulse::Pulse;

/// Whom to connect to, and as whom.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// A host name is resolved at every connect, so that a changed name is followed.
    pub address: Address,
    pub login: LoginRequest,
    /// For all of it: name, connection and login.
    pub timeout: Duration,
}

/// A connection that is logged in and has nothing under way.
#[derive(Debug)]
pub struct Connected {
    /// Without delay (`TCP_NODELAY`), with no byte left unread.
    pub stream: TcpStream,
    pub session: Session,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server's own answer, in place of a greeting or after the login.
    #[error("{0}")]
    Refused(ServerError),
    /// The account wants a proof that cannot be given: an unknown plugin, one that needs TLS (`caching_sha2_password` while
    /// the server's cache is empty), or one that needs the password where only its hash is known.
    #[error("{0}")]
    UnsupportedPlugin(String),
    #[error("the server does not speak the protocol: {0}")]
    Protocol(String),
}

impl From<LoginError> for ConnectError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused(refusal) => ConnectError::Refused(refusal),
            LoginError::UnsupportedPlugin(_)
            | LoginError::SecretCannotProve { .. }
            | LoginError::NeedsSecureTransport { .. }
            | LoginError::NotCached => ConnectError::UnsupportedPlugin(error.to_string()),
            other => ConnectError::Protocol(other.to_string()),
        }
    }
}

impl From<PacketError> for ConnectError {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Io(error) => ConnectError::Io(error),
            other => ConnectError::Protocol(other.to_string()),
        }
    }
}

/// The longest packet that a login may consist of; a greeting has about a hundred bytes.
pub(crate) const LOGIN_LIMIT: usize = 64 * 1024;

/// Connects and logs in. Cancel-safe: dropping the future closes the socket.
pub async fn connect(options: &ConnectOptions) -> Result<Connected, ConnectError> {
    connect_heard_by(options, None).await
}

pub(crate) async fn connect_heard_by(
    options: &ConnectOptions,
    pulse: Option<Pulse>,
) -> Result<Connected, ConnectError> {
    let opened = tokio::time::timeout(options.timeout, Box::pin(open(options, pulse))).await;
    opened.unwrap_or(Err(ConnectError::Timeout(options.timeout)))
}

async fn open(options: &ConnectOptions, pulse: Option<Pulse>) -> Result<Connected, ConnectError> {
    let mut packets = Packets::new(dial(&options.address).await?, LOGIN_LIMIT).heard_by(pulse);
    let session = log_in(&mut packets, options.login.clone()).await?;
    finished(packets, session)
}

pub(crate) async fn dial(address: &Address) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) fn finished(packets: Packets, session: Session) -> Result<Connected, ConnectError> {
    if !packets.unread().is_empty() {
        return Err(ConnectError::Protocol("bytes after the end of the login".to_owned()));
    }
    Ok(Connected { stream: packets.into_stream(), session })
}

async fn log_in(packets: &mut Packets, request: LoginRequest) -> Result<Session, ConnectError> {
    let mut login = ClientLogin::new(request);
    loop {
        match packets.receive(|payload| login.handle(payload)).await?? {
            LoginStep::Send(payload) => packets.send(&payload).await?,
            LoginStep::Wait => {}
            LoginStep::Done(session) => return Ok(session),
        }
    }
}
