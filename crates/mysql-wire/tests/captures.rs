//! The codecs and the scanner on responses captured from a real server (`examples/capture.rs`).

#[path = "support/capture_file.rs"]
#[allow(dead_code, reason = "writing is for the capture example")]
mod capture_file;
#[path = "support/cases.rs"]
#[allow(dead_code, reason = "the commands are for the capture example")]
mod cases;
#[path = "support/client.rs"]
#[allow(dead_code, reason = "only its packet builders are used")]
mod client;
#[path = "support/trace.rs"]
mod trace;

use anyhow::{Context as _, Result, ensure};
use mysql_wire::{
    Capabilities, ColumnDef, Eof, ErrPacket, Header, OkPacket, PrepareOk, ResponseKind, StateChanges,
    StatusFlags, SteerKind,
};

use capture_file::Capture;
use trace::trace;

fn each_capture(mut check: impl FnMut(Capabilities, &Capture) -> Result<()>) -> Result<()> {
    for (combination, caps) in cases::combinations() {
        let captures = capture_file::read(combination)?;
        ensure!(captures.len() > 80, "captures are missing");
        for capture in &captures {
            check(caps, capture).with_context(|| format!("{combination}: {}", capture.name))?;
        }
    }
    Ok(())
}

/// The packets of a response, without their headers.
fn payloads(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut payloads, mut rest) = (Vec::new(), bytes);
    while let Some(header) = Header::parse(rest) {
        let (packet, behind) = rest.split_at(4 + header.len);
        payloads.push(&packet[4..]);
        rest = behind;
    }
    assert!(rest.is_empty(), "half a packet");
    payloads
}

#[test]
fn a_response_is_complete_with_its_last_byte_and_not_before() -> Result<()> {
    each_capture(|caps, capture| {
        let whole = trace(capture.kind, caps, [&capture.bytes[..]])?;
        ensure!(whole.done_at == Some(capture.bytes.len()), "{whole:?}");
        for end in 0..capture.bytes.len() {
            let part = trace(capture.kind, caps, [&capture.bytes[..end]])?;
            ensure!(part.done_at.is_none(), "done after {end} of {} bytes", capture.bytes.len());
        }
        Ok(())
    })
}

#[test]
fn cutting_a_response_anywhere_changes_nothing() -> Result<()> {
    each_capture(|caps, capture| {
        let whole = trace(capture.kind, caps, [&capture.bytes[..]])?;
        for at in 0..=capture.bytes.len() {
            let (first, second) = capture.bytes.split_at(at);
            ensure!(trace(capture.kind, caps, [first, second])? == whole, "cut at {at}");
        }
        for size in 1..=9 {
            ensure!(trace(capture.kind, caps, capture.bytes.chunks(size))? == whole, "pieces of {size}");
        }
        Ok(())
    })
}

#[test]
fn bytes_behind_a_response_are_left_alone() -> Result<()> {
    each_capture(|caps, capture| {
        let with_more = [&capture.bytes[..], b"\x01\0\0\x01\xff"].concat();
        let scanned = trace(capture.kind, caps, [&with_more[..]])?;
        ensure!(scanned.done_at == Some(capture.bytes.len()), "{scanned:?}");
        Ok(())
    })
}

/// What the scanner must say about a capture: the packets shown, rows of the last result set, result sets.
fn expected(name: &str, caps: Capabilities) -> Option<(Vec<SteerKind>, u64, u64)> {
    use SteerKind::{Eof, Err, LocalInfile, MetadataEof, Ok, PrepareOk};
    let deprecate_eof = caps.contains(Capabilities::DEPRECATE_EOF);
    let meta = |kinds: &[SteerKind]| {
        let kept = kinds.iter().filter(|kind| !deprecate_eof || **kind != MetadataEof);
        kept.map(|kind| if deprecate_eof && *kind == Eof { Ok } else { *kind }).collect::<Vec<_>>()
    };
    let rows = |rows| Some((meta(&[MetadataEof, Eof]), rows, 1));
    match name {
        "select_one" => rows(1),
        "select_nulls" => rows(2),
        "select_rows" => rows(40),
        "select_nothing" => rows(0),
        "insert_many" | "use" | "ping" | "execute_nothing" => Some((vec![Ok], 0, 0)),
        "insert_returning" => rows(1),
        "syntax_error" | "execute_unknown" | "prepare_error" => Some((vec![Err], 0, 0)),
        "error_among_rows" => Some((meta(&[MetadataEof, Err]), 4, 1)),
        "multi" => Some((meta(&[MetadataEof, Eof, Ok, MetadataEof, Eof, Ok]), 1, 2)),
        "multi_error" => Some((meta(&[MetadataEof, Eof, Err]), 1, 1)),
        "call" | "execute_call" => Some((meta(&[MetadataEof, Eof, MetadataEof, Eof, Ok]), 1, 2)),
        "execute_call_out" => Some((meta(&[MetadataEof, Eof, MetadataEof, Eof, Ok]), 1, 2)),
        "load_local" => Some((vec![LocalInfile, Ok], 0, 0)),
        "load_local_multi" => Some((meta(&[MetadataEof, Eof, LocalInfile, Ok, MetadataEof, Eof]), 1, 2)),
        "prepare_both" => Some((meta(&[PrepareOk, MetadataEof, MetadataEof]), 0, 0)),
        "prepare_nothing" => Some((vec![PrepareOk], 0, 0)),
        "prepare_columns" | "prepare_insert" => Some((meta(&[PrepareOk, MetadataEof]), 0, 0)),
        "execute_columns" => rows(5),
        "execute_cursor" => Some((meta(&[Eof]), 0, 1)),
        "fetch_two" => Some((meta(&[Eof]), 2, 0)),
        "fetch_rest" => Some((meta(&[Eof]), 3, 0)),
        "bulk_insert" => Some((vec![Ok], 0, 0)),
        "bulk_returning" => rows(1),
        "field_list" => Some((meta(&[Eof]), 3, 0)),
        "statistics" => Some((vec![], 0, 0)),
        "set_option" => Some((meta(&[Eof]), 0, 0)),
        _ => None,
    }
}

#[test]
fn the_scanner_shows_what_steers_and_counts_the_rest() -> Result<()> {
    let mut checked = 0;
    each_capture(|caps, capture| {
        let Some(expected) = expected(&capture.name, caps) else { return Ok(()) };
        let scanned = trace(capture.kind, caps, [&capture.bytes[..]])?;
        ensure!((scanned.kinds(), scanned.rows, scanned.result_sets) == expected, "{scanned:?}");
        checked += 1;
        Ok(())
    })?;
    ensure!(checked == 4 * 33, "only {checked} captures were checked");
    Ok(())
}

/// Encodes the packet `payload` anew from what was understood of it.
fn again(kind: SteerKind, payload: &[u8], caps: Capabilities) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match kind {
        SteerKind::Ok => OkPacket::parse(payload, caps)?.encode(caps, &mut out),
        SteerKind::Err => ErrPacket::parse(payload)?.encode(&mut out),
        SteerKind::Eof | SteerKind::MetadataEof => Eof::parse(payload)?.encode(&mut out),
        SteerKind::PrepareOk => PrepareOk::parse(payload)?.encode(&mut out),
        SteerKind::LocalInfile | SteerKind::Progress => out.extend_from_slice(payload),
    }
    Ok(out)
}

#[test]
fn what_is_shown_encodes_to_the_same_bytes() -> Result<()> {
    let mut states = 0;
    each_capture(|caps, capture| {
        for (kind, start, end) in trace(capture.kind, caps, [&capture.bytes[..]])?.shown {
            let payload = &capture.bytes[start + 4..end];
            ensure!(again(kind, payload, caps)? == payload, "{kind:?}");
            if kind == SteerKind::Ok {
                let state = OkPacket::parse(payload, caps)?.session_state;
                let mut rebuilt = Vec::new();
                for change in StateChanges::new(state) {
                    change?.encode(&mut rebuilt);
                }
                ensure!(rebuilt == state, "session state");
                states += usize::from(!state.is_empty());
            }
        }
        Ok(())
    })?;
    ensure!(states > 40, "only {states} packets with session state");
    Ok(())
}

#[test]
fn column_definitions_encode_to_the_same_bytes() -> Result<()> {
    let mut columns = 0;
    each_capture(|caps, capture| {
        for payload in payloads(&capture.bytes) {
            if payload.starts_with(b"\x03def") {
                let mut out = Vec::new();
                ColumnDef::parse(payload, caps)?.encode(caps, &mut out);
                ensure!(out == payload);
                columns += 1;
            }
        }
        Ok(())
    })?;
    ensure!(columns > 200, "only {columns} definitions");
    Ok(())
}

/// A response as the server would send it to a client that does not track its session.
fn without_tracking(capture: &Capture, caps: Capabilities) -> Result<Vec<Vec<u8>>> {
    let shown = trace(capture.kind, caps, [&capture.bytes[..]])?.shown;
    let (mut at, mut packets) = (0, Vec::new());
    for payload in payloads(&capture.bytes) {
        let is_ok = shown.iter().any(|(kind, start, _)| *start == at && *kind == SteerKind::Ok);
        at += 4 + payload.len();
        let mut packet = payload.to_vec();
        if is_ok {
            packet.clear();
            OkPacket::parse(payload, caps)?.encode(caps.without(Capabilities::SESSION_TRACK), &mut packet);
        }
        packets.push(without_pending_flag(packet));
    }
    Ok(packets)
}

/// EOF packets of MariaDB carry the flag "session state changed" although they have no room for the state. It is left
/// over from whatever was tracked before, and means nothing.
fn without_pending_flag(mut packet: Vec<u8>) -> Vec<u8> {
    if packet.len() == 5
        && let Ok(eof) = Eof::parse(&packet)
    {
        packet.clear();
        Eof { status: eof.status.without(StatusFlags::SESSION_STATE_CHANGED), ..eof }.encode(&mut packet);
    }
    packet
}

#[test]
fn dropping_the_session_state_gives_what_an_untracked_client_gets() -> Result<()> {
    for (tracked, untracked) in [("track", "plain"), ("track_deprecate_eof", "deprecate_eof")] {
        let caps = cases::combinations().into_iter().find(|(name, _)| *name == tracked).context("caps")?.1;
        for (left, right) in capture_file::read(tracked)?.iter().zip(capture_file::read(untracked)?) {
            // These two tell of threads and times.
            if left.kind == ResponseKind::Statistics || left.name == "process_info" {
                continue;
            }
            let direct: Vec<_> =
                payloads(&right.bytes).into_iter().map(|p| without_pending_flag(p.to_vec())).collect();
            ensure!(without_tracking(left, caps)? == direct, "{}", left.name);
        }
    }
    Ok(())
}
