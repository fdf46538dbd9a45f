//! Prints what it costs to get the facts of a statement: nanoseconds a statement, and a byte.
//!
//! `cargo run --release -p sql --example lex_speed`

use std::hint::black_box;
use std::time::{Duration, Instant};

use sql::{Analyser, Mode, analyse};

fn main() {
    let in_list = (100_000..101_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let rows = (0..500).map(|n| format!("({n}, 'name {n}', NULL, -1.5)")).collect::<Vec<_>>().join(",");
    let samples = [
        ("point select", "SELECT c FROM sbtest1 WHERE id=12345".to_owned()),
        ("range select", "SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 5000 AND 5099 ORDER BY c".to_owned()),
        ("prepared", "SELECT c FROM sbtest1 WHERE id=?".to_owned()),
        ("begin", "BEGIN".to_owned()),
        (
            "ORM select",
            "SELECT `shop_order`.`id`, `shop_order`.`customer_id`, `shop_order`.`created`, `shop_order`.`total`, \
             `shop_customer`.`name` FROM `shop_order` INNER JOIN `shop_customer` ON (`shop_order`.`customer_id` = \
             `shop_customer`.`id`) WHERE (`shop_customer`.`name` LIKE BINARY '%smith%' AND `shop_order`.`id` IN \
             (1, 2, 3, 4, 5)) ORDER BY `shop_order`.`created` DESC LIMIT 21"
                .to_owned(),
        ),
        ("IN list of 1000", format!("SELECT c FROM sbtest1 WHERE id IN ({in_list})")),
        ("INSERT of 500 rows", format!("INSERT INTO t (a, b, c, d) VALUES {rows}")),
        ("string of 8 KiB", format!("UPDATE t SET a = '{}' WHERE id = 5", "x".repeat(8192))),
    ];
    println!("{:<20} {:>7} {:>12} {:>9} {:>12}", "statement", "bytes", "cached ns", "ns/byte", "uncached ns");
    for (name, text) in &samples {
        let bytes = text.as_bytes();
        let mut analyser = Analyser::new(1000);
        let cached = best(|| drop(black_box(analyser.facts(black_box(bytes), Mode::default()))));
        let uncached = best(|| drop(black_box(analyse(black_box(bytes), Mode::default()))));
        println!(
            "{name:<20} {:>7} {cached:>12.1} {:>9.2} {uncached:>12.1}",
            bytes.len(),
            cached / bytes.len() as f64
        );
    }
}

/// The best of several rounds, in nanoseconds a call: noise only ever adds.
fn best(mut call: impl FnMut()) -> f64 {
    let mut calls = 1_u32;
    while timed(&mut call, calls) < Duration::from_millis(10) {
        calls *= 2;
    }
    (0..10).map(|_| timed(&mut call, calls)).min().unwrap_or_default().as_nanos() as f64 / f64::from(calls)
}

fn timed(call: &mut impl FnMut(), calls: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed()
}
