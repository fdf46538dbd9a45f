//! What the client itself wants to be told of its session's state.
//!
//! hadal has every tracker on, on every server connection. A client that did not ask for trackers must not see them,
//! and one that did sees what it would see on a direct connection.

use mysql_wire::{Capabilities, OkPacket, StateChange, StateChanges, StatusFlags};

/// The client's own `session_track_*` settings.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    /// The client's capabilities: whether it takes trackers at all, and the form of its OK packets.
    capabilities: Capabilities,
    variables: Variables,
    schema: bool,
    state_change: bool,
    transaction: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Variables {
    All,
    Some(Vec<String>),
}

/// MariaDB's default, where the server's own is not known.
pub(crate) const DEFAULT_VARIABLES: &str =
    "autocommit,character_set_client,character_set_connection,character_set_results,time_zone";

impl Tracked {
    pub(crate) fn new(capabilities: Capabilities, variables: &str) -> Self {
        let mut tracked = Self {
            capabilities,
            variables: Variables::All,
            schema: true,
            state_change: false,
            transaction: false,
        };
        tracked.set("session_track_system_variables", variables.as_bytes());
        tracked
    }

    /// Takes over a `session_track_*` setting that the client made.
    pub(crate) fn set(&mut self, name: &str, value: &[u8]) {
        let on = value.eq_ignore_ascii_case(b"ON") || value == b"1";
        match name {
            "session_track_schema" => self.schema = on,
            "session_track_state_change" => self.state_change = on,
            "session_track_transaction_info" => {
                self.transaction = !value.eq_ignore_ascii_case(b"OFF") && value != b"0";
            }
            "session_track_system_variables" => {
                let text = String::from_utf8_lossy(value).to_ascii_lowercase();
                self.variables = if text.trim() == "*" {
                    Variables::All
                } else {
                    Variables::Some(text.split(',').map(|v| v.trim().to_owned()).collect())
                };
            }
            _ => {}
        }
    }

    /// Puts the packet as the client is to see it, header included, behind `out`.
    ///
    /// A change of these settings counts for the very packet that reports it, as on a server.
    pub(super) fn rewrite(&self, ok: &OkPacket<'_>, sequence: u8, out: &mut Vec<u8>) {
        let state = self.after(ok.session_state).filter(ok.session_state);
        let changed = !state.is_empty();
        let status = match changed {
            true => ok.status.with(StatusFlags::SESSION_STATE_CHANGED),
            false => ok.status.without(StatusFlags::SESSION_STATE_CHANGED),
        };
        let packet = OkPacket { status, session_state: &state, ..*ok };
        let mut payload = Vec::with_capacity(32 + state.len() + ok.info.len());
        packet.encode(self.capabilities, &mut payload);
        mysql_wire::write_packet(out, &mut { sequence }, &payload);
    }

    /// An EOF packet without the flag that announces trackers, for a client that takes none.
    pub(super) fn clear_flag(&self, status: StatusFlags, packet: &[u8]) -> Option<Vec<u8>> {
        let untracked = !self.capabilities.contains(Capabilities::SESSION_TRACK);
        if !untracked || !status.contains(StatusFlags::SESSION_STATE_CHANGED) {
            return None;
        }
        let mut cleared = packet.to_vec();
        let flags = status.without(StatusFlags::SESSION_STATE_CHANGED).0.to_le_bytes();
        cleared.get_mut(7..9)?.copy_from_slice(&flags);
        Some(cleared)
    }

    /// The settings that these blocks leave behind.
    fn after(&self, blocks: &[u8]) -> std::borrow::Cow<'_, Self> {
        let mut settings = std::borrow::Cow::Borrowed(self);
        if !self.capabilities.contains(Capabilities::SESSION_TRACK) {
            return settings;
        }
        for change in StateChanges::new(blocks).flatten() {
            if let StateChange::SystemVariable { name, value } = change
                && name.starts_with(b"session_track_")
            {
                settings.to_mut().set(&String::from_utf8_lossy(name), value);
            }
        }
        settings
    }

    fn filter(&self, blocks: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.capabilities.contains(Capabilities::SESSION_TRACK) {
            return out;
        }
        for change in StateChanges::new(blocks).flatten() {
            if self.wants(&change) {
                change.encode(&mut out);
            }
        }
        out
    }

    fn wants(&self, change: &StateChange<'_>) -> bool {
        match change {
            StateChange::SystemVariable { name, .. } => match &self.variables {
                Variables::All => true,
                Variables::Some(names) => names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name)),
            },
            StateChange::Schema(_) => self.schema,
            StateChange::StateChanged(_) => self.state_change,
            StateChange::TransactionCharacteristics(_) | StateChange::TransactionState(_) => self.transaction,
            _ => false,
        }
    }
}
