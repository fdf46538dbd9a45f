//! The gateway's own commands on a server connection: small, with an answer that is looked at and not relayed.

use std::io;
use std::task::Poll;

use mysql_wire::scan::{ResponseKind, ResponseScanner, SteerKind};
use mysql_wire::{ErrPacket, Header, Malformed, ServerError, TextRow};
use thiserror::Error;

use super::Backend;

/// Answers beyond this size are a fault: the gateway asks small questions.
const LIMIT: usize = 1 << 20;

/// The same for a prepared statement, which may have 65,535 parameters and 4,096 columns, each with its definition.
const PREPARED_LIMIT: usize = 16 << 20;

#[derive(Debug, Error)]
pub(crate) enum ExchangeError {
    #[error("{0}")]
    Refused(ServerError),
    #[error("lost the connection: {0}")]
    Io(#[from] io::Error),
    #[error("unexpected bytes: {0}")]
    Protocol(#[from] Malformed),
    #[error("an answer that is too long")]
    TooLarge,
    #[error("another primary took over")]
    EpochOver,
    #[error("an answer without the value that was asked for")]
    NoAnswer,
}

/// The whole answer, as it came, packets with their headers.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    /// The first packet's payload.
    pub(crate) fn payload(&self) -> &[u8] {
        let len = Header::parse(&self.bytes).map_or(0, |h| h.len);
        self.bytes.get(4..4 + len).unwrap_or_default()
    }

    /// The values of the first row; empty if there is none.
    pub(crate) fn first_row(&self) -> Vec<Option<Vec<u8>>> {
        self.rows().into_iter().next().unwrap_or_default()
    }

    /// All rows of the first result set.
    pub(crate) fn rows(&self) -> Vec<Vec<Option<Vec<u8>>>> {
        let mut packets = self.packets();
        let columns = packets.next().and_then(|p| p.first().copied()).unwrap_or_default();
        if columns == 0 || columns >= 0xfb {
            return Vec::new();
        }
        let rows = packets.skip(usize::from(columns)).skip_while(|p| is_end(p)).take_while(|p| !is_end(p));
        rows.map(|row| TextRow::new(row).filter_map(Result::ok).map(|v| v.map(<[u8]>::to_vec)).collect())
            .collect()
    }

    /// The first value of the first row.
    pub(crate) fn first_value(&self) -> Option<Vec<u8>> {
        self.first_row().into_iter().next().flatten()
    }

    /// The first value of the first row, as a number.
    pub(crate) fn first_number(&self) -> Option<u64> {
        self.first_value().and_then(|value| ascii(&value).parse().ok())
    }

    /// The id of the first column's collation.
    pub(crate) fn first_collation(&self, capabilities: mysql_wire::Capabilities) -> Option<u16> {
        let description = self.packets().nth(1)?;
        let column = mysql_wire::ColumnDef::parse(description, capabilities).ok()?;
        Some(column.collation)
    }

    fn packets(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let header = Header::parse(rest)?;
            let payload = rest.get(4..4 + header.len)?;
            rest = rest.get(4 + header.len..)?;
            Some(payload)
        })
    }
}

/// An EOF, or the OK that stands for it.
fn is_end(payload: &[u8]) -> bool {
    payload.first() == Some(&0xfe) && payload.len() < 9
}

impl Backend {
    /// Sends one statement and waits for its answer.
    pub(crate) async fn query(&mut self, sql: &[u8]) -> Result<Reply, ExchangeError> {
        // It may warn.
        self.listed = true;
        let mut packet = std::mem::take(&mut self.outbox);
        packet.extend_from_slice(&query_packet(sql));
        self.socket.write_all(&packet).await?;
        self.read_reply(ResponseKind::Query).await
    }

    /// Sends a command whose answer is one OK.
    pub(crate) async fn command(&mut self, payload: &[u8]) -> Result<Reply, ExchangeError> {
        let mut packet = std::mem::take(&mut self.outbox);
        mysql_wire::write_packet(&mut packet, &mut 0, payload);
        self.socket.write_all(&packet).await?;
        self.read_reply(ResponseKind::Simple).await
    }

    /// Enters one database after the other, in one round trip.
    pub(crate) async fn send_init_db(&mut self, databases: &[&[u8]]) -> Result<(), ExchangeError> {
        let mut packets = std::mem::take(&mut self.outbox);
        for database in databases {
            let payload = [&[mysql_wire::Command::InitDb as u8], *database].concat();
            mysql_wire::write_packet(&mut packets, &mut 0, &payload);
        }
        self.socket.write_all(&packets).await?;
        for _ in databases {
            self.read_reply(ResponseKind::Simple).await?;
        }
        Ok(())
    }

    /// Reads one complete response. Anything behind it stays in `carry`, for the response that follows.
    pub(crate) async fn read_reply(&mut self, kind: ResponseKind) -> Result<Reply, ExchangeError> {
        let limit = if matches!(kind, ResponseKind::Prepare) { PREPARED_LIMIT } else { LIMIT };
        let mut scanner = ResponseScanner::new(kind, self.response_capabilities());
        let mut reply = Reply::default();
        let mut refused = None;
        let mut at = 0;
        loop {
            while at < self.carry.len() {
                let scanned = scanner.scan(&self.carry[at..])?;
                let begin = at + scanned.forward;
                at = begin;
                let Some(steering) = scanned.steering else {
                    if scanned.done {
                        reply.bytes = self.carry.drain(..at).collect();
                        return Ok(reply);
                    }
                    break;
                };
                let end = begin - scanned.forward + steering.end;
                if matches!(steering.kind, SteerKind::Err) {
                    let payload = self.carry.get(begin + 4..end).unwrap_or_default();
                    refused = Some(ServerError::from(ErrPacket::parse(payload)?));
                }
                at = end;
                if scanned.done {
                    reply.bytes = self.carry.drain(..at).collect();
                    return refused.map_or(Ok(reply), |error| Err(ExchangeError::Refused(error)));
                }
            }
            if self.carry.len() > limit {
                return Err(ExchangeError::TooLarge);
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0u8; 2048];
        let n = std::future::poll_fn(|cx| match self.socket.poll_read(cx, &mut chunk) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            other => other,
        })
        .await?;
        self.carry.extend_from_slice(&chunk[..n]);
        Ok(())
    }

    /// What the server bases the form of its responses on.
    pub(crate) fn response_capabilities(&self) -> mysql_wire::Capabilities {
        self.capabilities | mysql_wire::Capabilities::SESSION_TRACK
    }
}

/// A value of ASCII characters in whatever character set the session has its results: wide ones have zeroes in between.
pub(crate) fn ascii(value: &[u8]) -> String {
    value.iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}

/// A `COM_QUERY` packet, ready to be sent.
pub(crate) fn query_packet(sql: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(sql.len() + 1);
    payload.push(3);
    payload.extend_from_slice(sql);
    let mut packet = Vec::with_capacity(payload.len() + 4);
    mysql_wire::write_packet(&mut packet, &mut 0, &payload);
    packet
}
