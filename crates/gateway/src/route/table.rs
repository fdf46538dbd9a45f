//! The decision as a table: statement, situation, where it goes and why. A situation is a list of words; each changes one
//! thing of a session in autocommit on a healthy cluster of a primary and the replicas `r1` and `r2`, at the default
//! settings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use config::{Balance, Consistency, TransactionSplit};
use sql::Mode;
use topology::{
    Address, Catalogue, ClusterView, GtidPosition, Health, Role, RoutineAccess, ServerId, ServerView,
    ViewCell,
};

use super::balance::{Candidate, pick, spread};
use super::{Ask, Bound, Decision, Dice, decide};
use crate::core::{ClusterEntry, ClusterLink, ControlPlane};
use crate::pool::PoolLimits;
use crate::session::Pins;
use crate::settings::UserSettings;

struct Nobody;

impl ControlPlane for Nobody {
    fn refresh(&self) {}
    fn refreshed(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
    fn suspect(&self, _: ServerId) {}
    fn newer_than(&self, _: u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

const PRIMARY: ServerId = ServerId(0);
const R1: ServerId = ServerId(1);
const R2: ServerId = ServerId(2);

fn server(id: u16, role: Role) -> ServerView {
    ServerView {
        id: ServerId(id),
        address: Arc::new(Address::new("db", 3306 + id)),
        role,
        health: Health::Healthy,
        lag_ms: Some(0),
        position: position(5),
        weight: 100,
        ramp_percent: 100,
        version: "10.11.6-MariaDB".into(),
        server_id: u32::from(id) + 1,
        read_only: role == Role::Replica,
    }
}

fn position(seq: u64) -> GtidPosition {
    format!("0-1-{seq}").parse().unwrap()
}

fn view() -> ClusterView {
    let mut view = ClusterView::new("main");
    view.servers = vec![server(0, Role::Primary), server(1, Role::Replica), server(2, Role::Replica)];
    view.primary = Some(PRIMARY);
    let mut catalogue = Catalogue {
        loaded: true,
        functions: HashMap::from([
            ("shop.price".to_owned(), RoutineAccess::DeclaredReadOnly),
            ("shop.draw".to_owned(), RoutineAccess::MayWrite),
        ]),
        ..Catalogue::default()
    };
    catalogue.set_primary_only_views(["shop.counting".to_owned()].into());
    view.catalogue = Arc::new(catalogue);
    view
}

fn settings() -> UserSettings {
    let ms = Duration::from_millis;
    UserSettings {
        consistency: Consistency::Session,
        transaction_split: TransactionSplit::Off,
        balance: Balance::LeastOutstanding,
        primary_read_weight: 0,
        causal_wait: ms(100),
        transaction_replay: false,
        commit_journal: false,
        limits: PoolLimits {
            max_connections: 1,
            min_idle: 0,
            idle_timeout: ms(1),
            max_lifetime: ms(1),
            wait_timeout: ms(1),
            connect_timeout: ms(1),
            prepared_statements: 1,
        },
    }
}

fn entry() -> ClusterEntry {
    let link = ClusterLink { name: "main".into(), view: ViewCell::new(view()), control: Arc::new(Nobody) };
    ClusterEntry::new(link, 1)
}

/// All that a word can change.
struct Situation {
    view: ClusterView,
    settings: UserSettings,
    entry: ClusterEntry,
    position: GtidPosition,
    bound: Option<Bound>,
    prefer: Option<ServerId>,
    autocommit_off: bool,
    split_left: bool,
    read_committed: bool,
    needs_primary: bool,
}

impl Situation {
    fn of(words: &str) -> Self {
        let mut situation = Self {
            view: view(),
            settings: settings(),
            entry: entry(),
            position: GtidPosition::default(),
            bound: None,
            prefer: None,
            autocommit_off: false,
            split_left: false,
            read_committed: false,
            needs_primary: false,
        };
        words.split_whitespace().for_each(|word| situation.change(word));
        situation
    }

    fn change(&mut self, word: &str) {
        match word {
            // The session.
            "autocommit=0" => self.autocommit_off = true,
            "read-committed" => self.read_committed = true,
            "has-written-in-it" => self.split_left = true,
            "wrote" => self.position = position(10),
            "cursor" => self.needs_primary = true,
            "began-on-r2" => self.prefer = Some(R2),
            "transaction@primary" => self.bind(PRIMARY, Pins::TRANSACTION),
            "transaction@r1" => self.bind(R1, Pins::TRANSACTION),
            "variable@r1" => self.bind(R1, Pins::USER_VARIABLE),
            "lock@primary" => self.bind(PRIMARY, Pins::NAMED_LOCK),
            // Its settings.
            "split" => self.settings.transaction_split = TransactionSplit::UntilFirstWrite,
            "eventual" => self.settings.consistency = Consistency::Eventual,
            "no-wait" => self.settings.causal_wait = Duration::ZERO,
            "primary-only-share" => self.settings.primary_read_weight = u32::MAX,
            // The cluster.
            "no-primary" => self.view.primary = None,
            "demoted" => self.view.servers[0].role = Role::Unknown,
            "no-replicas" => self.replicas(|r| r.health = Health::Down("gone".into())),
            "late" => self.replicas(|r| r.health = Health::Degraded("late".into())),
            "weightless" => self.replicas(|r| r.weight = 0),
            "far-behind" => self.replicas(|r| r.lag_ms = Some(1001)),
            "r1-has-it" => self.view.servers[1].position = position(10),
            "r2-showed-it" => self.entry.load(R2).learn(&position(10)),
            "no-catalogue" => self.view.catalogue = Arc::default(),
            _ => panic!("nothing is called {word}"),
        }
    }

    fn bind(&mut self, server: ServerId, pins: Pins) {
        self.bound = Some(Bound { server, pins });
    }

    fn replicas(&mut self, change: impl Fn(&mut ServerView)) {
        self.view.servers[1..].iter_mut().for_each(change);
    }

    fn answer(&self, sql: &str, dice: u64) -> Result<Decision, String> {
        let facts = sql::analyse(sql.as_bytes(), Mode::default());
        let hint = sql::hint(sql.as_bytes()).unwrap();
        decide(&Ask {
            facts: &facts,
            hint: hint.as_ref(),
            needs_primary: self.needs_primary,
            view: &self.view,
            entry: &self.entry,
            settings: &self.settings,
            bound: self.bound,
            autocommit_off: self.autocommit_off,
            split_left: self.split_left,
            prefer: self.prefer,
            read_committed: self.read_committed,
            database: Some(b"shop"),
            position: &self.position,
            dice: Dice { random: spread(dice), user: spread(dice), client: spread(dice) },
        })
        .map_err(|error| error.to_string())
    }

    /// `SERVER: why`, where the server is `replica` if it is one or the other by chance.
    fn route(&self, sql: &str) -> String {
        let answers: Vec<_> = (0..16).map(|dice| self.answer(sql, dice)).collect();
        let first = match &answers[0] {
            Ok(decision) => decision,
            Err(error) => return format!("error: {error}"),
        };
        let servers: Vec<_> = answers.iter().flatten().map(|d| d.server).collect();
        assert_eq!(servers.len(), answers.len(), "now an error and now none");
        assert!(answers.iter().flatten().all(|d| (&d.why, d.wait) == (&first.why, first.wait)));
        let name = match first.server {
            PRIMARY => "primary",
            _ if servers.contains(&R1) && servers.contains(&R2) => "replica",
            R1 => "r1",
            _ => "r2",
        };
        assert_eq!(first.on_replica, self.view.primary != Some(first.server));
        format!("{name}: {}{}", first.why, if first.wait { " (asked first)" } else { "" })
    }
}

#[track_caller]
fn holds(table: &[(&str, &str, &str)]) {
    for (sql, words, expected) in table {
        assert_eq!(Situation::of(words).route(sql), *expected, "{sql} [{words}]");
    }
}

const READ: &str = "SELECT * FROM t";
const WRITE: &str = "INSERT INTO t VALUES (1)";
const SET: &str = "SET NAMES utf8mb4";

#[test]
fn what_a_statement_is() {
    holds(&[
        (READ, "", "replica: a read"),
        ("SHOW TABLES", "", "replica: a read"),
        (WRITE, "", "primary: it writes"),
        ("SELECT * FROM t FOR UPDATE", "", "primary: it is a locking read"),
        ("SELECT 1; SELECT 2", "", "primary: the text contains several statements"),
        ("SELECT @x", "", "primary: it uses a user variable"),
        ("gibberish", "", "primary: it could not be understood"),
        ("SELECT LAST_INSERT_ID()", "", "primary: its answer depends on the session's own connection"),
        (SET, "", "primary: it changes the session"),
        (READ, "cursor", "primary: its answer depends on the session's own connection"),
    ]);
}

#[test]
fn what_its_names_mean() {
    holds(&[
        ("SELECT price(1)", "", "replica: a read"),
        ("SELECT draw(1)", "", "primary: function draw may write"),
        ("SELECT other.price(1)", "", "primary: function price may write"),
        ("SELECT new_function(1)", "", "primary: function new_function may write"),
        ("SELECT * FROM counting", "", "primary: view counting may write or is not understood"),
        ("SELECT * FROM other.counting", "", "replica: a read"),
        (READ, "no-catalogue", "primary: routines and views are not known yet"),
    ]);
}

#[test]
fn transactions() {
    const SPLIT: &str = "autocommit=0 split read-committed";
    holds(&[
        (READ, "autocommit=0", "primary: autocommit is off: a transaction that may write"),
        (READ, "autocommit=0 split", "primary: autocommit is off: a transaction that may write"),
        (READ, SPLIT, "replica: a read before the transaction's first write"),
        (READ, &[SPLIT, "began-on-r2"].join(" "), "r2: a read before the transaction's first write"),
        (
            READ,
            &[SPLIT, "has-written-in-it"].join(" "),
            "primary: autocommit is off: a transaction that may write",
        ),
        (WRITE, SPLIT, "primary: it writes"),
        ("BEGIN", "", "primary: it controls a transaction"),
        ("BEGIN", "split", "primary: it controls a transaction"),
        ("BEGIN", "split read-committed", "replica: a read before the transaction's first write"),
        ("START TRANSACTION READ ONLY", "", "replica: a read-only transaction"),
        ("START TRANSACTION READ ONLY; SELECT 1", "", "primary: it controls a transaction"),
        ("START TRANSACTION READ WRITE", "", "primary: it controls a transaction"),
        ("COMMIT", "", "primary: it controls a transaction"),
    ]);
}

#[test]
fn pinned_sessions_stay() {
    holds(&[
        (READ, "transaction@primary", "primary: the session is pinned to its connection: transaction"),
        (READ, "transaction@r1", "r1: the session is pinned to its connection: transaction"),
        // The replica refuses it, as a server refuses a write in a read-only transaction.
        (WRITE, "transaction@r1", "r1: the session is pinned to its connection: transaction"),
        (READ, "lock@primary", "primary: the session is pinned to its connection: GET_LOCK"),
        (READ, "variable@r1", "r1: the session is pinned to its connection: user variable"),
        (
            WRITE,
            "variable@r1",
            "error: the statement needs the primary, but the session is pinned to db:3307, which is not the primary: \
             user variable",
        ),
        ("COMMIT", "variable@r1", "r1: the session is pinned to its connection: user variable"),
        (SET, "variable@r1", "r1: the session is pinned to its connection: user variable"),
        (
            "/* hadal: to=replica */ SELECT 1",
            "lock@primary",
            "primary: the session is pinned to its connection: GET_LOCK",
        ),
    ]);
}

#[test]
fn hints() {
    holds(&[
        ("/* hadal: to=primary */ SELECT 1", "", "primary: a hint in the statement"),
        ("/* hadal: to=replica */ SELECT 1", "", "replica: a hint in the statement"),
        ("/* hadal: to=db:3308 */ SELECT 1", "", "r2: a hint in the statement"),
        ("/* hadal: to=db:3306 */ INSERT INTO t VALUES (1)", "", "primary: a hint in the statement"),
        (
            "/* hadal: to=db:1 */ SELECT 1",
            "",
            "error: the hint names db:1, which is not a server of this cluster or cannot be reached",
        ),
        (
            "/* hadal: to=replica */ INSERT INTO t VALUES (1)",
            "",
            "error: the hint asks for a replica, but the statement cannot be read from one: it writes",
        ),
        (
            "/* hadal: to=db:3307 */ SELECT draw(1)",
            "",
            "error: the hint asks for a replica, but the statement cannot be read from one: function draw may write",
        ),
        // What is only a matter of prudence gives way.
        ("/* hadal: to=replica */ SELECT 1", "autocommit=0", "replica: a hint in the statement"),
        ("/* hadal: to=replica */ SELECT f(1)", "no-catalogue", "replica: a hint in the statement"),
        ("/* hadal: to=db:3308 */ SELECT 1", "wrote", "r2: a hint in the statement (asked first)"),
        ("/* hadal: consistency=eventual */ SELECT 1", "wrote", "replica: a read"),
    ]);
}

#[test]
fn what_the_session_has_written() {
    const WAIT: &str =
        "replica: a read, after the replica has caught up with the session's writes (asked first)";
    const BEHIND: &str = "primary: a read, but the replicas are behind the session's own writes";
    holds(&[
        (READ, "wrote", WAIT),
        (READ, "wrote r1-has-it", "r1: a read"),
        (READ, "wrote r2-showed-it", "r2: a read"),
        (READ, "wrote r1-has-it r2-showed-it", "replica: a read"),
        (READ, "wrote eventual", "replica: a read"),
        (READ, "wrote no-wait", BEHIND),
        (READ, "wrote far-behind", BEHIND),
        (READ, "wrote far-behind r1-has-it", "r1: a read"),
        (
            READ,
            "wrote began-on-r2 autocommit=0 split read-committed",
            "r2: a read before the transaction's first write (asked first)",
        ),
        (
            READ,
            "wrote r1-has-it began-on-r2 autocommit=0 split read-committed",
            "r1: a read before the transaction's first write",
        ),
    ]);
}

#[test]
fn what_is_missing() {
    const NO_PRIMARY: &str =
        "error: cluster main has no primary at the moment; reads that a replica may serve still work";
    const NO_REPLICA: &str = "primary: a read, but no replica is fit to serve it";
    holds(&[
        (READ, "no-replicas", NO_REPLICA),
        (READ, "late", NO_REPLICA),
        (READ, "weightless", NO_REPLICA),
        ("START TRANSACTION READ ONLY", "no-replicas", NO_REPLICA),
        (READ, "no-primary", "replica: a read"),
        (WRITE, "no-primary", NO_PRIMARY),
        (WRITE, "demoted", NO_PRIMARY),
        (READ, "no-primary no-replicas", NO_PRIMARY),
        // What only changes the session can be done anywhere.
        (SET, "no-primary", "r1: it changes the session"),
        (SET, "no-primary no-replicas", NO_PRIMARY),
        ("SET @x = 1", "no-primary", NO_PRIMARY),
        (READ, "primary-only-share", "primary: a read, the primary's share"),
        (
            READ,
            "primary-only-share autocommit=0 split read-committed",
            "replica: a read before the transaction's first write",
        ),
    ]);
}

/// How many of `throws` each server gets.
fn shares(how: Balance, candidates: &[Candidate], entry: &ClusterEntry, throws: u64) -> Vec<u64> {
    let mut counts = vec![0; candidates.len()];
    for throw in 0..throws {
        let (random, user, client) = (spread(throw), spread(throw ^ 1 << 40), spread(throw ^ 1 << 50));
        let id = pick(candidates, how, entry, Dice { random, user, client }).expect("there are some");
        counts[candidates.iter().position(|c| c.id == id).expect("one of them")] += 1;
    }
    counts
}

fn candidates(weights: &[u32]) -> Vec<Candidate> {
    weights.iter().enumerate().map(|(id, w)| Candidate { id: ServerId(id as u16), weight: *w }).collect()
}

#[test]
fn shares_follow_the_weights() {
    let (entry, servers) = (entry(), candidates(&[100, 200, 700]));
    for how in [Balance::WeightedRandom, Balance::WeightedRoundRobin, Balance::HashUser, Balance::HashClient]
    {
        let got = shares(how, &servers, &entry, 100_000);
        for (got, expected) in got.iter().zip([10_000_u64, 20_000, 70_000]) {
            assert!(got.abs_diff(expected) < 700, "{how:?}: {got} instead of {expected}");
        }
    }
}

#[test]
fn one_after_the_other_is_even_over_short_runs_too() {
    let (entry, servers) = (entry(), candidates(&[100, 100, 100, 100]));
    for _ in 0..100 {
        let got = shares(Balance::WeightedRoundRobin, &servers, &entry, 12);
        assert!(got.iter().all(|n| (2..=4).contains(n)), "{got:?}");
    }
}

#[test]
fn a_hash_keeps_everybody_in_place_but_those_of_a_server_that_left() {
    let (entry, four) = (entry(), candidates(&[100, 100, 100, 100]));
    let three: Vec<_> = four.iter().copied().filter(|c| c.id != ServerId(2)).collect();
    let at = |servers: &[Candidate], user: u64| {
        pick(servers, Balance::HashUser, &entry, Dice { random: 0, user: spread(user), client: 0 })
    };
    for user in 0..2000 {
        let before = at(&four, user);
        assert_eq!(before, at(&four, user));
        if before != Some(ServerId(2)) {
            assert_eq!(before, at(&three, user));
        }
    }
}

#[test]
fn the_busier_of_two_is_spared() {
    let (entry, servers) = (entry(), candidates(&[100, 100, 100]));
    let even = shares(Balance::LeastOutstanding, &servers, &entry, 30_000);
    assert!(even.iter().all(|n| n.abs_diff(10_000) < 700), "{even:?}");
    (0..5).for_each(|_| entry.outstanding.begin(0, ServerId(1)));
    let got = shares(Balance::LeastOutstanding, &servers, &entry, 30_000);
    // Only where both are the busy one.
    assert!(got[1].abs_diff(30_000 / 9) < 500, "{got:?}");
    // Five statements are less for a server of ten times the weight than one for the others.
    let servers = candidates(&[100, 1000, 100]);
    entry.outstanding.begin(0, ServerId(0));
    entry.outstanding.begin(0, ServerId(2));
    let got = shares(Balance::LeastOutstanding, &servers, &entry, 30_000);
    assert!(got[1] > 28_500, "{got:?}");
}

#[test]
fn a_server_that_returns_takes_its_share_gradually() {
    let mut returning = server(1, Role::Replica);
    for (weight, ramp, expected) in
        [(100, 100, 10_000), (100, 10, 1000), (1, 1, 1), (1, 0, 1), (u32::MAX, 100, u32::MAX), (3, 200, 300)]
    {
        (returning.weight, returning.ramp_percent) = (weight, ramp);
        assert_eq!(Candidate::replica(&returning).weight, expected);
    }
    let (entry, whole) = (entry(), Candidate::replica(&server(2, Role::Replica)));
    (returning.weight, returning.ramp_percent) = (100, 25);
    let got = shares(Balance::WeightedRandom, &[Candidate::replica(&returning), whole], &entry, 50_000);
    assert!(got[0].abs_diff(10_000) < 500, "{got:?}");
    assert!(pick(&[], Balance::WeightedRandom, &entry, Dice { random: 0, user: 0, client: 0 }).is_none());
}
