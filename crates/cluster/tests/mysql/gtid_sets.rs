//! Sets of GTIDs are compared and subtracted as the server does it.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use topology::GtidSet;

use crate::server::{Server, is_missing};

const UUIDS: [&str; 3] = [
    "3a5fce30-e5e5-11f1-840b-02fc00000001",
    "3A5FCE30-E5E5-11F1-840B-02FC00000002",
    "00000000-0000-0000-0000-000000000000",
];

/// One server's part of a set, in any order, with overlaps, empty intervals and tags.
fn part() -> impl Strategy<Value = String> {
    let interval = prop_oneof![
        (1_u64..30).prop_map(|n| n.to_string()),
        (1_u64..30, 0_u64..30).prop_map(|(from, to)| format!("{from}-{}", to.max(1))),
    ];
    let intervals = prop::collection::vec(interval, 1..5).prop_map(|list| list.join(":"));
    let tag = prop_oneof![3 => Just(""), 1 => Just("blue:"), 1 => Just("Red_1:")];
    (0..UUIDS.len(), tag, intervals).prop_map(|(uuid, tag, intervals)| {
        // The nil one is written without dashes, which servers read, too.
        let uuid = if uuid == 2 { UUIDS[2].replace('-', "") } else { UUIDS[uuid].to_owned() };
        format!("{uuid}:{tag}{intervals}")
    })
}

fn set() -> impl Strategy<Value = String> {
    prop::collection::vec(part(), 0..4).prop_map(|parts| parts.join(",\n "))
}

/// As the server writes it, in one line.
fn plain(text: &str) -> String {
    text.replace('\n', "")
}

#[tokio::test]
async fn sets_are_what_the_server_takes_them_for() {
    if is_missing() {
        return;
    }
    let mut server = Server::installed();
    server.spawn();
    let mut client = server.connect().await;
    let mut runner = TestRunner::deterministic();
    let (mut subsets, mut rests) = (0, 0);
    for _ in 0..1500 {
        let (a, mut b) = (set(), set()).new_tree(&mut runner).unwrap().current();
        if runner.rng().random_bool(0.3) {
            b = format!("{a},{b}");
        }
        let sql = format!(
            "SELECT GTID_SUBSET('{a}', '{b}') AS subset, GTID_SUBTRACT('{a}', '{b}') AS rest, GTID_SUBTRACT('{a}', '') AS a"
        );
        let rows = client.query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let (x, y): (GtidSet, GtidSet) = (a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(x.to_string(), plain(rows.get(0, "a").unwrap()), "{a}");
        assert_eq!(y.covers(&x), rows.get(0, "subset") == Some("1"), "{a} in {b}");
        let rest = x.minus(&y).to_string();
        assert_eq!(rest, plain(rows.get(0, "rest").unwrap()), "{a} without {b}");
        subsets += u32::from(y.covers(&x));
        rests += u32::from(!rest.is_empty());
    }
    assert!(subsets > 100 && rests > 100, "{subsets} subsets, {rests} differences");
    for odd in
        ["x", ":", ":0", ":1:", ":1-", ":1x", "::1", ":1_a", ":t", ":1:t", ":9223372036854775807", ": 1 - 3"]
    {
        let text = format!("{}{odd}", UUIDS[0]);
        let accepted = client.query(&format!("SELECT GTID_SUBSET('{text}', '')")).await.is_ok();
        assert_eq!(text.parse::<GtidSet>().is_ok(), accepted, "{text}");
    }
    client.close().await;
}
