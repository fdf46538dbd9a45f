//! What the scanner costs: nanoseconds for each packet, for responses of several shapes.
//! `cargo run --release -p mysql-wire --example scan_speed`

use std::hint::black_box;
use std::time::Instant;

use mysql_wire::{
    Capabilities, ColumnDef, ResponseKind, ResponseScanner, StatusFlags, TextResult, write_packet,
};

const ROUNDS: u32 = 20;

fn main() {
    println!("{:<28} {:>10} {:>12} {:>10}", "response", "packets", "ns/packet", "GB/s");
    for (rows, width) in [(0, 0), (1, 100), (100_000, 4), (100_000, 100), (20_000, 4_000)] {
        report(&format!("{rows} rows of {width} bytes"), &result(rows, width));
    }
    let (mut ok, mut seq) = (Vec::new(), 1);
    write_packet(&mut ok, &mut seq, &[0, 1, 0, 2, 0, 0, 0]);
    report("one OK", &ok);
}

fn result(rows: usize, width: usize) -> Vec<u8> {
    let mut result = TextResult::new(vec![ColumnDef::text("c", 100)]);
    (0..rows).for_each(|_| result.push([Some(vec![b'x'; width])]));
    let mut out = Vec::new();
    result.encode(Capabilities::DEPRECATE_EOF, StatusFlags::AUTOCOMMIT, 0, &mut 1, &mut out);
    out
}

fn report(name: &str, response: &[u8]) {
    let repeat = (20_000_000 / response.len()).max(1);
    let best = (0..ROUNDS).map(|_| measure(response, repeat)).fold(f64::MAX, f64::min);
    let packets = packets(response);
    let speed = response.len() as f64 / best;
    println!("{name:<28} {packets:>10} {:>12.2} {speed:>10.1}", best / packets as f64);
}

/// Nanoseconds for one response, which arrives in reads of 64 KiB.
fn measure(response: &[u8], repeat: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..repeat {
        let mut scanner = ResponseScanner::new(ResponseKind::Query, Capabilities::DEPRECATE_EOF);
        let (mut at, mut end) = (0, 0);
        while !scanner.is_done() {
            let Ok(scanned) = scanner.scan(black_box(response.get(at..end).unwrap_or_default())) else {
                return f64::MAX;
            };
            at += scanned.steering.map_or(scanned.forward, |steering| steering.end);
            end = (at + (1 << 16)).min(response.len());
        }
        black_box(scanner.rows());
    }
    start.elapsed().as_nanos() as f64 / repeat as f64
}

fn packets(mut response: &[u8]) -> usize {
    let mut count = 0;
    while let Some(header) = mysql_wire::Header::parse(response) {
        response = response.get(4 + header.len..).unwrap_or_default();
        count += 1;
    }
    count
}
