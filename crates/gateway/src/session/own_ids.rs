//! Statements that ask for the ids of threads: the client knows its session, and others, by hadal's.

use mysql_wire::Capabilities;
use sql::{Effects, Facts, SpanKind};

use super::special::{OWN_IDS, replace};
use super::{Pins, Session};

/// What was put into a statement, to be taken out of the names of columns again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rename(Vec<PutIn>);

#[derive(Clone, Debug)]
struct PutIn {
    from: Vec<u8>,
    to: Vec<u8>,
}

/// A part of a name that is shorter than this may look like the beginning of what was put in by chance.
const LONG_NAME: usize = 24;

impl Session {
    /// The text with the session's own id in place of `CONNECTION_ID()` and its like, and the names to be put back.
    /// `once`: the text is run now and not kept, so that the other sessions of this moment can be named in it.
    pub(super) fn with_own_ids(&self, facts: &Facts, text: &[u8], once: bool) -> Option<(Vec<u8>, Rename)> {
        if !facts.effects.intersects(OWN_IDS) {
            return None;
        }
        let mut rename = Rename::default();
        let mut text = text.to_vec();
        let mut own = vec![(Effects::USES_CONNECTION_ID, SpanKind::ConnectionId, "")];
        // A session that has set it asks for what it has set.
        if !self.pins.contains(Pins::VARIABLE) {
            // Spaces tell the one from the other when the names are put back.
            own.push((Effects::USES_PSEUDO_THREAD_ID, SpanKind::PseudoThreadId, " "));
        }
        for (_, kind, space) in own.into_iter().filter(|(effect, ..)| facts.effects.contains(*effect)) {
            let id = format!("CAST({space}{} AS UNSIGNED)", self.shared.id).into_bytes();
            text = rename.put(&text, &sql::spans(&text, self.mode, kind), |_| id.clone());
        }
        if facts.effects.contains(Effects::USES_LOCK_OWNER) {
            let others = if once { self.lock_holders() } else { String::new() };
            let mut spans = sql::spans(&text, self.mode, SpanKind::LockOwner);
            // A placeholder cannot be asked for twice.
            spans.retain(|span| once || !text.get(span.clone()).is_some_and(|call| call.contains(&b'?')));
            text = rename.put(&text, &spans, |call| self.owner_of(call, &others));
        }
        (!rename.0.is_empty()).then_some((text, rename))
    }

    /// The owner of a lock by hadal's ids. On its own connection the server is asked who that is.
    fn owner_of(&self, call: &[u8], others: &str) -> Vec<u8> {
        let own = format!(" WHEN CONNECTION_ID() THEN {}{others} ELSE ", self.shared.id);
        [b"(CASE ", call, own.as_bytes(), call, b" END)"].concat()
    }

    /// Other sessions that may hold a lock on the primary, as branches of a CASE.
    fn lock_holders(&self) -> String {
        let primary = self.worker.core.cluster(self.base).view().primary;
        let mut branches = String::new();
        for session in self.worker.core.sessions.all() {
            if let Some((place, thread)) = session.backend()
                && Some(place.server) == primary
                && place.cluster == self.base
                && session.id != self.shared.id
                && !session.pins().is_empty()
            {
                branches.push_str(&format!(" WHEN {thread} THEN {}", session.id));
            }
        }
        branches
    }
}

impl Rename {
    /// The text with something put in for every span, which is remembered.
    pub(super) fn put(
        &mut self,
        text: &[u8],
        spans: &[std::ops::Range<usize>],
        with: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Vec<u8> {
        let mut text = text.to_vec();
        for span in spans.iter().rev() {
            let to = text.get(span.clone()).unwrap_or_default().to_vec();
            let from = with(&to);
            text = replace(&text, std::slice::from_ref(span), &from);
            if !self.0.iter().any(|known| known.from == from) {
                self.0.push(PutIn { from, to });
            }
        }
        text
    }
}

impl Rename {
    /// The answer to a `COM_STMT_PREPARE`, whose head is followed by definitions only.
    pub(super) fn apply_to_prepared(&self, packets: &[u8], capabilities: Capabilities) -> Vec<u8> {
        let mut out = Vec::with_capacity(packets.len());
        let mut rest = packets;
        let mut head = true;
        while let Some(header) = mysql_wire::Header::parse(rest) {
            let Some(packet) = rest.get(..header.len + 4) else { break };
            if std::mem::take(&mut head) {
                out.extend_from_slice(packet);
            } else {
                self.rename(packet, header.seq, capabilities, &mut out);
            }
            rest = rest.get(header.len + 4..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out
    }

    /// The first result set of `packets` with the names of its columns put back.
    pub(super) fn apply(&self, packets: &[u8], capabilities: Capabilities) -> Vec<u8> {
        let mut out = Vec::with_capacity(packets.len());
        let mut rest = packets;
        let mut columns: Option<u64> = None;
        while let Some(header) = mysql_wire::Header::parse(rest) {
            let Some(packet) = rest.get(..header.len + 4) else { break };
            let payload = packet.get(4..).unwrap_or_default();
            match columns {
                None => {
                    // The first packet: a count, unless it is an OK or an error.
                    let count = payload.first().copied().filter(|b| (1..0xfb).contains(b));
                    columns = Some(count.map_or(0, u64::from));
                    out.extend_from_slice(packet);
                }
                Some(0) => out.extend_from_slice(packet),
                Some(left) => {
                    columns = Some(left - 1);
                    self.rename(packet, header.seq, capabilities, &mut out);
                }
            }
            rest = rest.get(header.len + 4..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out
    }

    fn rename(&self, packet: &[u8], seq: u8, capabilities: Capabilities, out: &mut Vec<u8>) {
        let payload = packet.get(4..).unwrap_or_default();
        match mysql_wire::ColumnDef::parse(payload, capabilities) {
            Ok(column) => {
                let name = self.restore(column.name);
                let mut renamed = Vec::with_capacity(payload.len());
                column.renamed(&name).encode(capabilities, &mut renamed);
                mysql_wire::write_packet(out, &mut { seq }, &renamed);
            }
            Err(_) => out.extend_from_slice(packet),
        }
    }

    fn restore(&self, name: &[u8]) -> Vec<u8> {
        // What was put in last is the outermost.
        self.0.iter().rev().fold(name.to_vec(), |name, put_in| put_in.restore(&name))
    }
}

impl PutIn {
    fn restore(&self, name: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(name.len());
        let mut rest = name;
        while !rest.is_empty() {
            if rest.len() >= self.from.len() && rest[..self.from.len()].eq_ignore_ascii_case(&self.from) {
                out.extend_from_slice(&self.to);
                rest = &rest[self.from.len()..];
            } else if rest.len() >= LONG_NAME && self.from.starts_with(rest) {
                // The server cuts long names off.
                out.extend_from_slice(&self.to);
                break;
            } else {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
        out
    }
}
