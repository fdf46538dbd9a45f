//! The packets that are looked into: the first byte chooses the capabilities, the rest is a payload.

use anyhow::Result;
use mysql_wire::err::Progress;
use mysql_wire::{
    BulkExecute, Capabilities, ColumnDef, Eof, ErrPacket, Execute, OkPacket, PrepareOk, ServerError, TextRow,
    stmt,
};

pub(crate) fn run(input: &[u8]) {
    let Some((&choice, payload)) = input.split_first() else { return };
    let caps = super::capabilities(choice);
    outcomes(payload, caps);
    statements(payload, u16::from(choice));
    let _ = (TextRow::new(payload).count(), Progress::parse(payload));
}

fn outcomes(payload: &[u8], caps: Capabilities) {
    let mut out = Vec::new();
    if let Ok(ok) = OkPacket::parse(payload, caps) {
        ok.encode(caps, &mut out);
        let again = OkPacket::parse(&out, caps);
        // The flag of a change is not told to whom it is not shown.
        let expected =
            if caps.contains(Capabilities::SESSION_TRACK) { ok } else { ok.with_session_state(&[]) };
        assert_eq!(again, Ok(expected));
    }
    if let Ok(error) = ErrPacket::parse(payload) {
        out.clear();
        error.encode(&mut out);
        assert_eq!(out, payload);
        let _ = ServerError::from(error).to_string();
    }
    if let Ok(eof) = Eof::parse(payload) {
        out.clear();
        eof.encode(&mut out);
        assert_eq!(out, payload.get(..5).unwrap_or_default());
    }
    if let Ok(column) = ColumnDef::parse(payload, caps) {
        out.clear();
        column.encode(caps, &mut out);
        assert_eq!(ColumnDef::parse(&out, caps), Ok(column));
    }
}

fn statements(payload: &[u8], params: u16) {
    let mut out = Vec::new();
    if let Ok(prepared) = PrepareOk::parse(payload) {
        prepared.encode(&mut out);
        assert_eq!(PrepareOk::parse(&out), Ok(prepared));
        assert_eq!(stmt::statement_id(payload), Some(prepared.id));
    }
    if let Ok(execute) = Execute::parse(payload, params) {
        out.clear();
        execute.with_types(execute.id, None, &mut out);
        assert_eq!(Execute::parse(&out, params), Ok(execute));
        assert!(stmt::patch_statement_id(&mut out, 7));
        assert_eq!(stmt::statement_id(&out), Some(7));
    }
    if let Ok(bulk) = BulkExecute::parse(payload, params) {
        out.clear();
        bulk.with_types(bulk.id, None, &mut out);
        assert_eq!(out, payload);
    }
}

pub(crate) fn seeds() -> Result<Vec<Vec<u8>>> {
    let mut seeds = super::captured_payloads()?;
    seeds.push(b"\x02\x17\x01\0\0\0\0\x01\0\0\0\x00\x01\x03\0\xfe\0\x07\0\0\0\x02hi".to_vec());
    seeds.push(b"\x01\xfa\x01\0\0\0\x80\0\xfe\0\0\x01a\0\x01b".to_vec());
    Ok(seeds)
}
