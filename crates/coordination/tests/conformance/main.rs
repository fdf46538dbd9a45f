//! One suite for all back ends: what the store promises, and what elections, fences, journals and locks make of it. etcd and
//! ZooKeeper are real servers, started here and stopped by their process ids.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod assembly;
mod cuttable;
mod documents;
mod elections;
mod faults;
mod locks;
mod process;
mod server;
mod sessions;
mod store;
mod watches;

use std::future::Future;
use std::pin::Pin;

use server::{Backend, Bench, Server};

type Case = (&'static str, fn(Bench) -> Pin<Box<dyn Future<Output = ()> + Send>>);

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$((stringify!($module::$name), |bench| Box::pin($module::$name(bench)))),*]
    };
}

/// What can run at the same time on one healthy server.
const SHARED: &[Case] = cases![
    store::of_many_writers_every_one_sees_the_others,
    store::a_transaction_happens_whole_or_not_at_all,
    store::a_key_that_was_deleted_and_made_anew_is_another,
    store::a_list_has_what_is_below_and_nothing_beside,
    store::what_is_too_large_is_refused_and_what_is_not_is_kept,
    sessions::a_key_lives_as_long_as_its_session_is_renewed_and_not_longer,
    sessions::an_ended_session_takes_all_its_keys_at_once,
    sessions::nothing_can_be_bound_to_a_session_that_is_over,
    sessions::a_key_that_is_written_without_the_session_stays,
    watches::every_change_is_seen_or_a_gap_is_reported,
    watches::a_key_that_expires_is_a_change,
    elections::of_many_candidates_one_leads_and_tokens_rise,
    elections::a_leader_that_is_cut_off_stops_before_the_next_one_leads,
    elections::a_deleted_key_is_noticed_and_nobody_leads_too_early,
    elections::a_resigned_leader_is_succeeded_at_once,
    elections::a_silent_watch_delays_nothing_for_long,
    documents::a_stale_token_is_refused_everywhere,
    documents::a_successor_finishes_what_another_has_begun,
    documents::the_history_is_bounded,
    documents::an_epoch_is_opened_once,
    documents::a_rebuild_is_known_until_it_is_over,
    documents::maintenance_is_set_and_cleared,
    documents::the_read_only_mode_is_set_and_cleared,
    documents::a_node_is_listed_while_it_lives,
    assembly::nodes_hear_their_leader_and_are_missed,
    locks::a_lock_has_one_holder_and_rising_tokens,
    locks::a_lock_that_is_not_renewed_lapses,
    locks::a_lock_whose_holder_is_long_gone_is_free_at_once,
];

/// What needs a server of its own, because the server suffers.
const FAULTS: &[Case] = cases![
    faults::a_killed_store_forgets_nothing_that_it_acknowledged,
    faults::a_frozen_store_makes_a_leader_uncertain_and_then_none,
    faults::a_server_that_hangs_is_left_for_the_next,
];

const ETCD_FAULTS: &[Case] =
    cases![faults::a_full_etcd_refuses_writes_and_serves_reads, faults::a_compaction_does_not_stop_a_watch];

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future);
}

/// Runs all cases at once, and says by name which have failed.
async fn all(server: &Server, cases: &[Case]) {
    let mut running = Vec::new();
    for (number, (name, case)) in cases.iter().enumerate() {
        running.push((name, tokio::spawn(case(server.bench(&format!("case{number}"))))));
    }
    let mut failed = Vec::new();
    for (name, task) in running {
        match tokio::time::timeout(std::time::Duration::from_secs(120), task).await {
            Ok(Ok(())) => {}
            Ok(Err(panic)) => failed.push(format!("{name}: {panic}")),
            Err(_) => failed.push(format!("{name}: not done after two minutes")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn conformance(backend: Backend) {
    run(async {
        let server = Server::start(backend).await;
        all(&server, SHARED).await;
    });
}

fn faults(backend: Backend, cases: &[Case]) {
    run(async {
        let server = Server::start(backend).await;
        for case in cases {
            all(&server, std::slice::from_ref(case)).await;
        }
    });
}

#[test]
fn embedded_conforms() {
    conformance(Backend::Embedded);
}

#[test]
fn etcd_conforms() {
    conformance(Backend::Etcd);
}

#[test]
fn zookeeper_conforms() {
    conformance(Backend::ZooKeeper);
}

#[test]
fn embedded_survives_faults() {
    run(async {
        let server = Server::start(Backend::Embedded).await;
        faults::a_restarted_embedded_store_forgets_nothing(server).await;
    });
}

#[test]
fn embedded_survives_being_killed() {
    run(faults::a_killed_embedded_store_has_all_that_it_acknowledged());
}

/// The process that is killed; does nothing when it is not started by the test above.
#[test]
#[ignore = "run by embedded_survives_being_killed"]
fn child_that_writes() {
    run(faults::write_until_killed());
}

#[test]
fn etcd_survives_faults() {
    faults(Backend::Etcd, FAULTS);
}

#[test]
fn etcd_survives_its_own_faults() {
    faults(Backend::Etcd, ETCD_FAULTS);
}

#[test]
fn zookeeper_survives_faults() {
    faults(Backend::ZooKeeper, FAULTS);
}
