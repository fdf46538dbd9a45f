//! The scanner on responses that no server here gives on demand: huge packets, progress reports, broken peers.

#[path = "support/trace.rs"]
mod trace;

use anyhow::Result;
use mysql_wire::SteerKind::{
    Eof, Err as ErrKind, LocalInfile, MetadataEof, Ok as OkKind, PrepareOk, Progress,
};
use mysql_wire::{Capabilities, MAX_PAYLOAD, ResponseKind, ResponseScanner, StatusFlags, write_packet};

use trace::{Trace, trace};

const EOF_CAPS: Capabilities = Capabilities::PROTOCOL_41;
const OK_CAPS: Capabilities = Capabilities::DEPRECATE_EOF;
const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0";

fn ok(header: u8, status: StatusFlags) -> Vec<u8> {
    let [low, high] = status.0.to_le_bytes();
    vec![header, 0, 0, low, high, 0, 0]
}

fn eof(status: StatusFlags) -> Vec<u8> {
    let [low, high] = status.0.to_le_bytes();
    vec![0xFE, 0, 0, low, high]
}

fn stream(payloads: &[&[u8]]) -> Vec<u8> {
    let (mut out, mut seq) = (Vec::new(), 1);
    for payload in payloads {
        write_packet(&mut out, &mut seq, payload);
    }
    out
}

fn scan(kind: ResponseKind, caps: Capabilities, payloads: &[&[u8]]) -> Result<Trace> {
    let bytes = stream(payloads);
    let whole = trace(kind, caps, [&bytes[..]])?;
    // In pieces of a size that cuts headers and large packets in different places.
    assert_eq!(trace(kind, caps, bytes.chunks(bytes.len() / 7 + 3))?, whole);
    assert_eq!(whole.done_at, Some(bytes.len()), "{whole:?}");
    Ok(whole)
}

fn is_malformed(kind: ResponseKind, caps: Capabilities, payloads: &[&[u8]]) -> bool {
    trace(kind, caps, [&stream(payloads)[..]]).is_err()
}

#[test]
fn continuations_of_large_rows_are_not_looked_at() -> Result<()> {
    // What continues a row may begin with anything: here with bytes that would be an error and an end.
    for poison in [0xFF, 0xFE, 0x00] {
        for more in [0, 1, 7, MAX_PAYLOAD, MAX_PAYLOAD + 7] {
            let mut row = vec![poison; MAX_PAYLOAD + more];
            row[..9].copy_from_slice(&[0xFE, 0, 0, 0, 1, 0, 0, 0, 0]);
            let end = ok(0xFE, StatusFlags::AUTOCOMMIT);
            let scanned = scan(ResponseKind::Query, OK_CAPS, &[&[1], DEFINITION, &row, b"\x01x", &end])?;
            assert_eq!((scanned.rows, scanned.kinds()), (2, vec![OkKind]));
        }
    }
    Ok(())
}

#[test]
fn a_long_ok_ends_rows_where_eof_is_deprecated() -> Result<()> {
    // An OK with much session state is far longer than any EOF.
    let mut end = ok(0xFE, StatusFlags::SESSION_STATE_CHANGED);
    end.extend_from_slice(&[0, 0xFC, 0, 4]);
    end.resize(end.len() + 1024, b'x');
    let scanned = scan(ResponseKind::Query, OK_CAPS, &[&[1], DEFINITION, b"\x01x", &end])?;
    assert_eq!((scanned.rows, scanned.kinds()), (1, vec![OkKind]));
    Ok(())
}

#[test]
fn progress_reports_do_not_end_a_response() -> Result<()> {
    let report = b"\xff\xff\xff\x01\x01\x02\x10\x27\x00\x05Stage";
    let end = ok(0, StatusFlags::AUTOCOMMIT);
    let scanned = scan(ResponseKind::Query, OK_CAPS, &[report, report, &end])?;
    assert_eq!(scanned.kinds(), [Progress, Progress, OkKind]);
    let (mid, end) = (eof(StatusFlags::NONE), eof(StatusFlags::NONE));
    let scanned =
        scan(ResponseKind::Query, EOF_CAPS, &[report, &[1], DEFINITION, &mid, report, b"\x01x", &end])?;
    assert_eq!((scanned.rows, scanned.kinds()), (1, vec![Progress, MetadataEof, Progress, Eof]));
    Ok(())
}

#[test]
fn a_real_alter_table_with_progress_reports() -> Result<()> {
    let response = [
        &b"\x1b\0\0\x01\xff\xff\xff\x01\x01\x02\x9a\x02\0\x11copy to tmp table"[..],
        b"\x17\0\0\x02\xff\xff\xff\x01\x02\x02\0\0\0\x0dEnabling keys",
        b"\x1b\0\0\x03\xff\xff\xff\x01\x02\x02\x49\xb6\0\x11Repair by sorting",
        b"\x37\0\0\x04\0\xfd\x60\xe3\x16\0\x02\0\0\0\x2cRecords: 1500000  Duplicates: 0  Warnings: 0",
    ]
    .concat();
    let scanned = trace(ResponseKind::Query, EOF_CAPS, [&response[..]])?;
    assert_eq!(scanned.kinds(), [Progress, Progress, Progress, OkKind]);
    assert_eq!(scanned.done_at, Some(response.len()));
    let report = mysql_wire::err::Progress::parse(&response[4..31])?;
    assert_eq!((report.stage, report.stages, report.progress), (1, 2, 666));
    assert_eq!(report.info, b"copy to tmp table");
    Ok(())
}

#[test]
fn a_file_may_be_asked_for_more_than_once() -> Result<()> {
    let more = ok(0, StatusFlags::MORE_RESULTS);
    let scanned = scan(ResponseKind::Query, OK_CAPS, &[b"\xfbf", &more, b"\xfbg", b"\xff\x10\x27#HY000no"])?;
    assert_eq!(scanned.kinds(), [LocalInfile, OkKind, LocalInfile, ErrKind]);
    Ok(())
}

#[test]
fn the_end_of_the_definitions_is_told() -> Result<()> {
    for (caps, ends) in [(OK_CAPS, 3), (EOF_CAPS, 4)] {
        let mid = eof(StatusFlags::NONE);
        let packets = [&[2], DEFINITION, DEFINITION, &mid, b"\x01x"];
        let mut scanner = ResponseScanner::new(ResponseKind::Query, caps);
        for (number, packet) in packets.iter().enumerate().filter(|(n, _)| caps == EOF_CAPS || *n != 3) {
            let before = scanner.is_past_definitions();
            scanner.scan(&stream(&[packet]))?;
            assert_eq!((before, scanner.is_past_definitions()), (number >= ends, number + 1 >= ends));
        }
    }
    Ok(())
}

#[test]
fn an_error_ends_every_kind_of_response() -> Result<()> {
    use ResponseKind::{BinlogDump, Execute, Fetch, FieldList, Prepare, Query, Simple, Statistics};
    for kind in [Query, Execute, Fetch, BinlogDump, Prepare, FieldList, Simple] {
        let scanned = scan(kind, OK_CAPS, &[b"\xff\x10\x04#08004Too many connections"])?;
        assert_eq!(scanned.kinds(), [ErrKind], "{kind:?}");
    }
    scan(Statistics, OK_CAPS, &[b"Uptime: 1"])?;
    scan(Statistics, OK_CAPS, &[b""])?;
    let among_definitions = [&[2][..], DEFINITION, b"\xff\x10\x04#HY000Out of memory"];
    assert_eq!(scan(Query, EOF_CAPS, &among_definitions)?.kinds(), [ErrKind]);
    Ok(())
}

#[test]
fn a_prepared_statement_ends_with_its_last_definition() -> Result<()> {
    let head = |columns: u8, params: u8| [0, 1, 0, 0, 0, columns, 0, params, 0, 0, 0, 0];
    let end = eof(StatusFlags::AUTOCOMMIT);
    for (columns, params) in [(0, 0), (2, 0), (0, 2), (1, 1)] {
        let (head, mut ok_stream) = (head(columns, params), Vec::<&[u8]>::new());
        let mut eof_stream = Vec::new();
        for group in [params, columns].map(usize::from) {
            ok_stream.extend(std::iter::repeat_n(DEFINITION, group));
            eof_stream.extend(std::iter::repeat_n(DEFINITION, group));
            if group > 0 {
                eof_stream.push(&end);
            }
        }
        ok_stream.insert(0, &head);
        eof_stream.insert(0, &head);
        assert_eq!(scan(ResponseKind::Prepare, OK_CAPS, &ok_stream)?.kinds(), [PrepareOk]);
        let groups = usize::from(columns > 0) + usize::from(params > 0);
        let shown = [vec![PrepareOk], vec![MetadataEof; groups]].concat();
        assert_eq!(scan(ResponseKind::Prepare, EOF_CAPS, &eof_stream)?.kinds(), shown);
    }
    Ok(())
}

#[test]
fn events_of_a_binary_log_go_on_until_an_eof() -> Result<()> {
    let end = eof(StatusFlags::AUTOCOMMIT);
    let (event, mut long) = (b"\0\xfe\xff event".as_slice(), vec![0; MAX_PAYLOAD]);
    let scanned = scan(ResponseKind::BinlogDump, EOF_CAPS, &[event, &long, b"\xfe the rest", event, &end])?;
    assert_eq!(scanned.kinds(), [Eof]);
    assert_eq!(scan(ResponseKind::BinlogDump, OK_CAPS, &[event, event, &end])?.kinds(), [Eof]);
    let gone = b"\xff\xd4\x04#HY000Could not find first log file name in binary log index file";
    assert_eq!(scan(ResponseKind::BinlogDump, EOF_CAPS, &[event, gone])?.kinds(), [ErrKind]);
    long.truncate(MAX_PAYLOAD / 2);
    let mut scanner = ResponseScanner::new(ResponseKind::BinlogDump, EOF_CAPS);
    let half = &stream(&[&long])[..MAX_PAYLOAD / 4];
    assert_eq!(scanner.scan(half)?.forward, half.len(), "an event is not waited for");
    assert!(!scanner.is_done());
    Ok(())
}

#[test]
fn a_cursor_ends_the_response_only_where_one_can_be_opened() -> Result<()> {
    let opened = eof(StatusFlags::CURSOR_EXISTS);
    let scanned = scan(ResponseKind::Execute, EOF_CAPS, &[&[1], DEFINITION, &opened])?;
    assert_eq!(scanned.kinds(), [Eof]);
    let scanned = scan(ResponseKind::Query, EOF_CAPS, &[&[1], DEFINITION, &opened, b"\x01x", &opened])?;
    assert_eq!(scanned.kinds(), [MetadataEof, Eof]);
    Ok(())
}

#[test]
fn what_is_no_response_is_refused() {
    use ResponseKind::{Prepare, Query, Simple};
    let row_like = b"\x01x".as_slice();
    assert!(is_malformed(Simple, OK_CAPS, &[row_like]));
    assert!(is_malformed(Prepare, OK_CAPS, &[row_like]));
    assert!(is_malformed(Query, OK_CAPS, &[b""]));
    assert!(is_malformed(Query, OK_CAPS, &[&[0xFC, 1]]), "half a column count");
    assert!(is_malformed(Query, OK_CAPS, &[&[2], DEFINITION, &ok(0xFE, StatusFlags::NONE)]));
    assert!(is_malformed(Query, EOF_CAPS, &[&[1], DEFINITION, row_like]), "a row in place of the EOF");
    assert!(is_malformed(Query, OK_CAPS, &[&[0, 0]]), "half an OK");
    assert!(is_malformed(Query, OK_CAPS, &[&[0xFF, 0]]), "half an error");
    let mut endless = vec![0xFF; MAX_PAYLOAD];
    endless[1] = 1;
    assert!(is_malformed(Query, OK_CAPS, &[&endless]));
}

#[test]
fn bytes_of_a_row_go_on_before_the_row_is_whole() -> Result<()> {
    let mut scanner = ResponseScanner::new(ResponseKind::Fetch, OK_CAPS);
    let row = stream(&[&[b'r'; 1000]]);
    assert_eq!(scanner.scan(&row[..4])?.forward, 0, "the first byte decides");
    let scanned = scanner.scan(&row[..10])?;
    assert_eq!((scanned.forward, scanned.steering, scanned.done), (10, None, false));
    assert!(scanner.is_inside_packet());
    assert_eq!(scanner.scan(&row[10..])?.forward, row.len() - 10);
    assert!(!scanner.is_inside_packet());
    Ok(())
}
