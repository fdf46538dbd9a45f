//! The scanner: the first byte chooses the kind of response, the second the capabilities, the third how it is cut.

use anyhow::Result;
use mysql_wire::{Capabilities, Malformed, ResponseKind, ResponseScanner, SteerKind};

const KINDS: [ResponseKind; 8] = [
    ResponseKind::Query,
    ResponseKind::Execute,
    ResponseKind::Fetch,
    ResponseKind::Prepare,
    ResponseKind::FieldList,
    ResponseKind::Statistics,
    ResponseKind::Simple,
    ResponseKind::BinlogDump,
];

/// What was said about a response: packets shown, by kind, begin and end; bytes taken; rows; completeness.
type Said = (Vec<(SteerKind, usize, usize)>, usize, u64, bool);

pub(crate) fn run(input: &[u8]) {
    let [kind, choice, size, response @ ..] = input else { return };
    let (kind, caps) = (KINDS[usize::from(*kind) % KINDS.len()], super::capabilities(*choice));
    let whole = scan(kind, caps, response, response.len().max(1));
    let cut = scan(kind, caps, response, usize::from(*size) % 13 + 1);
    assert_eq!(whole, cut);
}

fn scan(kind: ResponseKind, caps: Capabilities, response: &[u8], size: usize) -> Result<Said, Malformed> {
    let mut scanner = ResponseScanner::new(kind, caps);
    let (mut shown, mut at, mut end) = (Vec::new(), 0, 0);
    while !scanner.is_done() {
        let scanned = scanner.scan(&response[at..end])?;
        assert_eq!(scanned.done, scanner.is_done());
        if let Some(steering) = scanned.steering {
            assert!(scanned.forward + 4 < steering.end && steering.end <= end - at);
            shown.push((steering.kind, at + scanned.forward, at + steering.end));
            at += steering.end;
            continue;
        }
        assert!(scanned.forward <= end - at);
        at += scanned.forward;
        if scanned.done || end == response.len() {
            break;
        }
        end = (end + size).min(response.len());
    }
    Ok((shown, at, scanner.rows(), scanner.is_done()))
}

pub(crate) fn seeds() -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for (choice, captures) in super::captures()?.into_iter().enumerate() {
        for capture in captures {
            let kind = KINDS.iter().position(|kind| format!("{kind:?}") == capture.kind).unwrap_or(0);
            seeds.push([&[kind as u8, choice as u8, 5][..], &capture.bytes].concat());
        }
    }
    // A packet that is continued: the header says so, and the next one comes 16 MiB later.
    seeds.push(b"\x02\x01\x07\xff\xff\xff\x01\xfe\0\0\0\x01\0\0\0\0xxxxxxxx".to_vec());
    seeds.push(b"\x00\x01\x07\x0b\0\0\x01\xff\xff\xff\x01\x01\x02\x10\x27\0\x01S".to_vec());
    Ok(seeds)
}
