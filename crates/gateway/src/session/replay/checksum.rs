//! What a response told its client, in 64 bits.
//!
//! Definitions and rows count as they are. Of the packets that end or steer a response, what may differ between two
//! runs of one statement is left out: trackers (GTIDs, the server's own settings), and the flags that say how the server
//! found its rows. What a statement changed, its ids, warnings, errors and the state of the transaction count.

use std::hash::{DefaultHasher, Hasher as _};

use mysql_wire::scan::SteerKind;
use mysql_wire::{Capabilities, Eof, ErrPacket, Malformed, OkPacket, StatusFlags};

/// Flags that mean something to a client.
const COUNTED: StatusFlags = StatusFlags(
    StatusFlags::IN_TRANS.0
        | StatusFlags::AUTOCOMMIT.0
        | StatusFlags::MORE_RESULTS.0
        | StatusFlags::NO_BACKSLASH_ESCAPES.0
        | StatusFlags::ANSI_QUOTES.0
        | StatusFlags::IN_TRANS_READONLY.0,
);

/// Grows with a response, in whatever pieces it comes. Compared within one process only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checksum(DefaultHasher);

impl Checksum {
    /// Bytes that go to the client as they are.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// A packet that steers, without its header.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn add_steering(
        &mut self,
        kind: SteerKind,
        payload: &[u8],
        capabilities: Capabilities,
    ) -> Result<(), Malformed> {
        match kind {
            SteerKind::Ok => {
                let ok = OkPacket::parse(payload, capabilities)?;
                self.number(ok.affected_rows);
                self.number(ok.last_insert_id);
                self.outcome(ok.warnings, ok.status);
                self.add(ok.info);
            }
            SteerKind::Eof | SteerKind::MetadataEof => {
                let eof = Eof::parse(payload)?;
                self.outcome(eof.warnings, eof.status);
            }
            SteerKind::Progress => {}
            SteerKind::Err => {
                let error = ErrPacket::parse(payload)?;
                self.number(u64::from(error.code));
                self.add(payload);
            }
            SteerKind::LocalInfile | SteerKind::PrepareOk => self.add(payload),
        }
        Ok(())
    }

    fn number(&mut self, number: u64) {
        self.0.write(&number.to_le_bytes());
    }

    fn outcome(&mut self, warnings: u16, status: StatusFlags) {
        self.number(u64::from(warnings) << 16 | u64::from(status.0 & COUNTED.0));
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&[u8]]) -> u64 {
        let mut sum = Checksum::default();
        pieces.iter().for_each(|piece| sum.add(piece));
        sum.value()
    }

    fn of_ok(ok: &OkPacket<'_>) -> u64 {
        let capabilities = Capabilities::SESSION_TRACK | Capabilities::PROTOCOL_41;
        let mut payload = Vec::new();
        ok.encode(capabilities, &mut payload);
        let mut sum = Checksum::default();
        sum.add_steering(SteerKind::Ok, &payload, capabilities).expect("an OK");
        sum.value()
    }

    #[test]
    fn where_a_response_is_cut_does_not_matter() {
        let bytes: Vec<u8> = (0..200u16).map(|n| (n * 7 % 251) as u8).collect();
        let whole = of(&[&bytes]);
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(of(&[head, tail]), whole, "cut at {at}");
            assert_eq!(of(&[head, &tail[..tail.len() / 2], &tail[tail.len() / 2..]]), whole);
        }
        assert_ne!(of(&[&bytes[1..]]), whole);
    }

    #[test]
    fn what_a_statement_did_counts_and_how_the_server_tells_does_not() {
        let plain = OkPacket { affected_rows: 2, ..OkPacket::new(StatusFlags::IN_TRANS) };
        let sum = of_ok(&plain);
        let slow = plain.status.with(StatusFlags::SLOW).with(StatusFlags::NO_INDEX);
        assert_eq!(of_ok(&OkPacket { status: slow, ..plain }), sum);
        let tracked = plain.status.with(StatusFlags::SESSION_STATE_CHANGED);
        let gtid = OkPacket { status: tracked, session_state: b"\x00\x03\x01a\x00", ..plain };
        assert_eq!(of_ok(&gtid), sum);
        assert_ne!(of_ok(&OkPacket { affected_rows: 3, ..plain }), sum);
        assert_ne!(of_ok(&OkPacket { last_insert_id: 1, ..plain }), sum);
        assert_ne!(of_ok(&OkPacket { warnings: 1, ..plain }), sum);
        assert_ne!(of_ok(&OkPacket { status: StatusFlags::default(), ..plain }), sum);
    }
}
