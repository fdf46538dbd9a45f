//! Session state: the input is the blocks.

use anyhow::Result;
use mysql_wire::session_state::TransactionState;
use mysql_wire::{Capabilities, OkPacket, StateChange, StateChanges};

pub(crate) fn run(input: &[u8]) {
    let Ok(changes) = StateChanges::new(input).collect::<Result<Vec<_>, _>>() else { return };
    let mut out = Vec::new();
    for change in &changes {
        change.encode(&mut out);
        if let StateChange::TransactionState(letters) = change {
            let _ = TransactionState::parse(letters);
        }
    }
    assert_eq!(StateChanges::new(&out).collect::<Result<Vec<_>, _>>(), Ok(changes));
}

pub(crate) fn seeds() -> Result<Vec<Vec<u8>>> {
    let caps = Capabilities::SESSION_TRACK;
    let mut seeds = vec![b"\x00\x0f\x0aautocommit\x02ON\x0bcollation_x\x00\x03\x04\x00\x02g1".to_vec()];
    for payload in super::captured_payloads()? {
        if let Some(payload) = payload.get(1..)
            && let Ok(ok) = OkPacket::parse(payload, caps)
            && !ok.session_state.is_empty()
        {
            seeds.push(ok.session_state.to_vec());
        }
    }
    Ok(seeds)
}
