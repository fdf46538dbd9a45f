//! Nodes that look after one cluster together.

use std::time::Duration;

use coordination::{Announcement, Assembly, Attendance, Attendee, Traffic};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cuttable::Cuttable;
use crate::elections::Candidate;
use crate::server::{Bench, PATIENCE, TTL};

struct Node {
    attendance: Attendance,
    way: std::sync::Arc<Cuttable>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn node(bench: &Bench, name: &str) -> Node {
    let way = Cuttable::new(&bench.store);
    let attendee = Attendee { cluster: "c", node: name, admin: None, ttl: TTL };
    let (attendance, attendant) = Attendance::new(way.clone(), &bench.keyspace, attendee).unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(attendant.run(async move { drop(stopped.await) }));
    Node { attendance, way, stop, task }
}

async fn sees(node: &Node, what: impl FnMut(&Assembly) -> bool) {
    let mut assembly = node.attendance.watch();
    let seen = tokio::time::timeout(PATIENCE, assembly.wait_for(what)).await;
    assert!(seen.is_ok(), "{:?}", node.attendance.assembly());
}

fn there(names: &'static [&str]) -> impl FnMut(&Assembly) -> bool {
    move |assembly| assembly.present.keys().eq(names.iter())
}

/// Who is cut off is missed but remains a member, and knows before the others that it is missed; who leaves is none.
pub(crate) async fn nodes_hear_their_leader_and_are_missed(bench: Bench) {
    let (one, two, three) = (node(&bench, "one"), node(&bench, "two"), node(&bench, "three"));
    sees(&one, there(&["one", "three", "two"])).await;
    let candidate = Candidate::start(&bench, "one", bench.store.clone());
    let open = Announcement {
        epoch: 7,
        traffic: Traffic::Open,
        prepared: Vec::new(),
        acknowledgers: None,
        succession: None,
    };
    let version = loop {
        let term = candidate.leads().await;
        if let Ok(version) = one.attendance.announce(&open, &term).await {
            break version;
        }
    };
    sees(&two, |a| a.announcement.as_ref().is_some_and(|said| said.value == open)).await;
    // On a busy machine a node is missed for a moment.
    let nobody_has_said_so = async {
        while one.attendance.heard(version, Duration::from_millis(10)).await != ["three", "two"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, nobody_has_said_so).await.unwrap();
    two.attendance.say(|remark| remark.heard = version);
    three.attendance.say(|remark| remark.heard = version);
    assert!(one.attendance.heard(version, PATIENCE).await.is_empty());

    two.way.cut(true);
    sees(&one, |assembly| !assembly.present.contains_key("two")).await;
    assert!(!two.attendance.is_in_touch(), "it is missed before it knows");
    assert!(one.attendance.assembly().absent().eq(["two"]));
    drop(three.stop);
    three.task.await.unwrap();
    sees(&one, |assembly| assembly.members.iter().eq(["one", "two"])).await;
    two.way.cut(false);
    sees(&one, there(&["one", "two"])).await;
    candidate.stop().await;
    drop((one.stop, two.stop));
    one.task.await.unwrap();
    two.task.await.unwrap();
}
