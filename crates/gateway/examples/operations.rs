//! Repeats one operation of a statement's way through hadal, for a tool that counts instructions.
//!
//! `operations NAME TIMES`; without arguments it prints the names. `benches/instructions.py` runs it under callgrind.

use std::hint::black_box;

use mysql_wire::scan::{ResponseKind, ResponseScanner};
use mysql_wire::{Capabilities, ColumnDef, OkPacket, StateChange, StatusFlags, TextResult};
use sql::{Analyser, Mode};

const POINT_SELECT: &[u8] = b"SELECT c FROM sbtest1 WHERE id=12345";
const CAPABILITIES: Capabilities =
    Capabilities(Capabilities::PROTOCOL_41.0 | Capabilities::DEPRECATE_EOF.0 | Capabilities::SESSION_TRACK.0);

type Operation = (&'static str, fn(usize));

const OPERATIONS: &[Operation] = &[
    ("facts-cached", facts_cached),
    ("facts-uncached", facts_uncached),
    ("scan-ten-rows", scan_ten_rows),
    ("ok-without-trackers", ok_without_trackers),
];

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        OPERATIONS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let times = arguments.next().and_then(|times| times.parse().ok());
    let operation = OPERATIONS.iter().find(|(known, _)| *known == name);
    match (operation, times) {
        (Some((_, operation)), Some(times)) => operation(times),
        _ => return Err(format!("usage: operations NAME TIMES; not known: {name}")),
    }
    Ok(())
}

fn facts_cached(times: usize) {
    let mut analyser = Analyser::new(16);
    for _ in 0..times {
        black_box(analyser.facts(black_box(POINT_SELECT), Mode::default()));
    }
}

fn facts_uncached(times: usize) {
    for _ in 0..times {
        black_box(sql::analyse(black_box(POINT_SELECT), Mode::default()));
    }
}

fn scan_ten_rows(times: usize) {
    let mut result = TextResult::new(vec![ColumnDef::text("c", 120)]);
    (0..10).for_each(|_| result.push([Some(vec![b'x'; 119])]));
    let mut bytes = Vec::new();
    result.encode(CAPABILITIES, StatusFlags::AUTOCOMMIT, 0, &mut 1, &mut bytes);
    for _ in 0..times {
        let mut scanner = ResponseScanner::new(ResponseKind::Query, CAPABILITIES);
        black_box(scanner.scan(black_box(&bytes))).ok();
    }
}

fn ok_without_trackers(times: usize) {
    let mut changes = Vec::new();
    StateChange::SystemVariable { name: b"last_gtid", value: b"0-1-123456" }.encode(&mut changes);
    let mut payload = Vec::new();
    let status = StatusFlags::AUTOCOMMIT.with(StatusFlags::SESSION_STATE_CHANGED);
    OkPacket { session_state: &changes, ..OkPacket::new(status) }.encode(CAPABILITIES, &mut payload);
    let mut out = Vec::with_capacity(64);
    for _ in 0..times {
        out.clear();
        if let Ok(ok) = OkPacket::parse(black_box(&payload), CAPABILITIES) {
            let told = OkPacket { session_state: &[], ..ok };
            told.encode(CAPABILITIES.without(Capabilities::SESSION_TRACK), &mut out);
        }
        black_box(&out);
    }
}
