//! A connection on which the control plane asks its questions, one after the other.

use std::time::Duration;

use mysql_wire::{
    Capabilities, ColumnDef, Command, Eof, ErrPacket, FrameError, Malformed, OkPacket, Reader, ServerError,
    Session, StatusFlags, TextRow,
};
use thiserror::Error;

use crate::connect::{ConnectError, ConnectOptions, Connected, connect_heard_by};
use crate::packets::{PacketError, Packets};
use crate::pulse::Pulse;
use crate::rows::Rows;

/// A connection for queries whose results are read whole.
///
/// Every call has the time limit of [`ConnectOptions::timeout`] (or [`Client::set_timeout`]). An error of the server
/// leaves the connection usable; after any other error, and after a call was cancelled, it is poisoned: what arrives
/// then could be the answer to an earlier question.
#[derive(Debug)]
pub struct Client {
    packets: Packets,
    session: Session,
    timeout: Duration,
    poisoned: bool,
}

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The server's own error; the connection goes on.
    #[error("{0}")]
    Server(ServerError),
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{0}")]
    Io(std::io::Error),
    #[error("the server does not speak the protocol: {0}")]
    Protocol(String),
    /// The result is longer than [`RESULT_LIMIT`].
    #[error("a result of more than {RESULT_LIMIT} bytes")]
    TooLong,
    #[error("the connection was given up after an earlier error")]
    Poisoned,
}

impl ClientError {
    /// The number of the server's error.
    pub fn code(&self) -> Option<u16> {
        match self {
            ClientError::Server(error) | ClientError::Connect(ConnectError::Refused(error)) => {
                Some(error.code)
            }
            _ => None,
        }
    }
}

impl From<PacketError> for ClientError {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Io(error) => ClientError::Io(error),
            PacketError::Frame(FrameError::TooLong { .. }) => ClientError::TooLong,
            other => ClientError::Protocol(other.to_string()),
        }
    }
}

impl From<Malformed> for ClientError {
    fn from(error: Malformed) -> Self {
        ClientError::Protocol(error.to_string())
    }
}

/// The most bytes that one result may have. The longest that is asked for is the list of a server's accounts.
pub const RESULT_LIMIT: usize = 64 * 1024 * 1024;

/// The first packet of a response.
enum Head {
    Changed(u64),
    Columns(u64),
}

impl Client {
    /// Connects; `options.timeout` also limits every later call.
    pub async fn connect(options: &ConnectOptions) -> Result<Client, ClientError> {
        Self::connect_heard_by(options, None).await
    }

    /// Connects, and notes whenever bytes come from the server: with the greeting, the login, and every part of an answer.
    pub async fn connect_with(options: &ConnectOptions, pulse: &Pulse) -> Result<Client, ClientError> {
        Self::connect_heard_by(options, Some(pulse.clone())).await
    }

    async fn connect_heard_by(options: &ConnectOptions, pulse: Option<Pulse>) -> Result<Client, ClientError> {
        let mut options = options.clone();
        // Rows end with EOF packets and there is one result to a query: all that the control plane needs.
        options.login.capabilities =
            Capabilities::TRANSACTIONS | Capabilities::CONNECT_ATTRS | Capabilities::PLUGIN_AUTH;
        let Connected { stream, session } = connect_heard_by(&options, pulse.clone()).await?;
        let packets = Packets::new(stream, RESULT_LIMIT).heard_by(pulse);
        Ok(Client { packets, session, timeout: options.timeout, poisoned: false })
    }

    /// What the login led to: version, thread id.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Another time limit for the calls from now on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Runs a statement and reads its whole result.
    pub async fn query(&mut self, sql: &str) -> Result<Rows, ClientError> {
        self.command(Command::Query, sql.as_bytes()).await
    }

    /// Runs a statement for its effect and gives the number of rows changed.
    pub async fn exec(&mut self, sql: &str) -> Result<u64, ClientError> {
        Ok(self.query(sql).await?.affected)
    }

    /// Asks whether the server still answers.
    pub async fn ping(&mut self) -> Result<(), ClientError> {
        self.command(Command::Ping, &[]).await.map(drop)
    }

    /// Ends the session in the way that the server does not log as an aborted one.
    pub async fn close(mut self) {
        let goodbye = async {
            self.packets.begin();
            self.packets.send(&[Command::Quit as u8]).await?;
            self.packets.shutdown().await?;
            Ok::<(), PacketError>(())
        };
        // The connection is gone either way.
        let _ = tokio::time::timeout(self.timeout, goodbye).await;
    }

    async fn command(&mut self, command: Command, argument: &[u8]) -> Result<Rows, ClientError> {
        if self.poisoned {
            return Err(ClientError::Poisoned);
        }
        // Stays set if this future is dropped half-way.
        self.poisoned = true;
        let limit = self.timeout;
        let answer = tokio::time::timeout(limit, self.exchange(command, argument)).await;
        let answer = answer.unwrap_or(Err(ClientError::Timeout(limit)));
        self.poisoned = !matches!(answer, Ok(_) | Err(ClientError::Server(_)));
        answer
    }

    async fn exchange(&mut self, command: Command, argument: &[u8]) -> Result<Rows, ClientError> {
        if !self.packets.unread().is_empty() {
            return Err(ClientError::Protocol("bytes that nobody asked for".to_owned()));
        }
        let mut payload = Vec::with_capacity(argument.len() + 1);
        payload.push(command as u8);
        payload.extend_from_slice(argument);
        self.packets.begin();
        self.packets.send(&payload).await?;
        let caps = self.session.capabilities;
        match self.packets.receive(|head| read_head(head, caps)).await?? {
            Head::Changed(affected) => Ok(Rows::changed(affected)),
            Head::Columns(count) => self.read_rows(count).await,
        }
    }

    async fn read_rows(&mut self, count: u64) -> Result<Rows, ClientError> {
        let mut columns = Vec::new();
        for _ in 0..count {
            let caps = self.session.capabilities;
            columns.push(self.packets.receive(|payload| read_column(payload, caps)).await??);
        }
        self.packets.receive(Eof::parse).await??;
        let mut rows = Rows::new(columns);
        let mut size = 0_usize;
        while let Some((length, row)) = self.packets.receive(read_row).await?? {
            size += length;
            if size > RESULT_LIMIT {
                return Err(ClientError::TooLong);
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

fn read_head(payload: &[u8], caps: Capabilities) -> Result<Head, ClientError> {
    match payload.first() {
        Some(&OkPacket::HEADER) => {
            let ok = OkPacket::parse(payload, caps)?;
            if ok.status.contains(StatusFlags::MORE_RESULTS) {
                return Err(ClientError::Protocol("more than one result".to_owned()));
            }
            Ok(Head::Changed(ok.affected_rows))
        }
        Some(&ErrPacket::HEADER) => Err(refusal(payload)),
        // 0xFB asks for a local file, which is never offered.
        _ => Ok(Head::Columns(Reader::new(payload, "result set header").lenenc_int()?)),
    }
}

fn refusal(payload: &[u8]) -> ClientError {
    match ErrPacket::parse(payload) {
        Ok(packet) => ClientError::Server(packet.into()),
        Err(malformed) => malformed.into(),
    }
}

fn read_column(payload: &[u8], caps: Capabilities) -> Result<String, ClientError> {
    let column = ColumnDef::parse(payload, caps)?;
    Ok(String::from_utf8_lossy(column.name).into_owned())
}

type SizedRow = (usize, Vec<Option<String>>);

/// The next row with its length in bytes, or `None` at the end of the rows.
fn read_row(payload: &[u8]) -> Result<Option<SizedRow>, ClientError> {
    match payload.first() {
        Some(&ErrPacket::HEADER) => return Err(refusal(payload)),
        Some(&Eof::HEADER) if payload.len() < Eof::MAX_LEN => {
            let eof = Eof::parse(payload)?;
            if eof.status.contains(StatusFlags::MORE_RESULTS) {
                return Err(ClientError::Protocol("more than one result".to_owned()));
            }
            return Ok(None);
        }
        _ => {}
    }
    let mut row = Vec::new();
    for value in TextRow::new(payload) {
        row.push(value?.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
    }
    Ok(Some((payload.len(), row)))
}
