//! The decision itself.

use config::{Consistency, TransactionSplit};
use smallvec::SmallVec;
use sql::{Access, Effects, Facts, Hint, HintTarget};
use thiserror::Error;
use topology::{Catalogue, ClusterView, GtidPosition, ServerId, ServerView, Writes};

use super::balance::{Candidate, Dice, pick};
use super::{Why, catalogue};
use crate::core::ClusterEntry;
use crate::session::Pins;
use crate::settings::UserSettings;

/// A connection that the session cannot leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) server: ServerId,
    pub(crate) pins: Pins,
}

/// All that a decision depends on.
pub(crate) struct Ask<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) hint: Option<&'a Hint>,
    /// A cursor or long data, which keep the session on the connection.
    pub(crate) needs_primary: bool,
    pub(crate) view: &'a ClusterView,
    pub(crate) entry: &'a ClusterEntry,
    pub(crate) settings: &'a UserSettings,
    pub(crate) bound: Option<Bound>,
    pub(crate) autocommit_off: bool,
    /// The transaction has written, or was told to go to the primary.
    pub(crate) split_left: bool,
    /// The replica that has served this transaction so far.
    pub(crate) prefer: Option<ServerId>,
    /// The session's isolation level lets reads of one transaction see different moments.
    pub(crate) read_committed: bool,
    pub(crate) database: Option<&'a [u8]>,
    /// What the session must see.
    pub(crate) position: &'a GtidPosition,
    pub(crate) dice: Dice,
}

/// Where a statement goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) server: ServerId,
    pub(crate) on_replica: bool,
    pub(crate) why: Why,
    /// The replica must be asked whether it has the session's position before it is read from.
    pub(crate) wait: bool,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum RouteError {
    #[error("cluster {cluster} has no primary at the moment; reads that a replica may serve still work")]
    NoPrimary { cluster: String },
    /// Another primary is on its way.
    #[error("the primary of cluster {cluster} cannot be used now: {why}")]
    Held { cluster: String, why: String },
    #[error("cluster {cluster} takes no writes: {why}; reads that a replica may serve still work")]
    Refused { cluster: String, why: String },
    #[error("cluster {cluster} is read-only ({why}), so it cannot execute this statement; reads go on")]
    ReadOnly { cluster: String, why: String },
    #[error("the hint names {0}, which is not a server of this cluster or cannot be reached")]
    NoSuchServer(String),
    #[error("the hint asks for a replica, but the statement cannot be read from one: {0}")]
    HintedWrite(String),
    #[error(
        "the statement touches two clusters: {one} is in {one_cluster}, {other} is in {other_cluster}; ask each of them by \
         a statement of its own"
    )]
    SeveralClusters { one: String, one_cluster: String, other: String, other_cluster: String },
    #[error(
        "the statement needs cluster {cluster} for {name}, but the session is bound to cluster {bound} ({pins}); end that \
         first, or use another connection"
    )]
    BoundElsewhere { bound: String, name: String, cluster: String, pins: Pins },
    #[error(
        "the statement mentions {name}, which lives in another cluster, in a text that hadal cannot look into; write it as a \
         plain statement, or name a server in a hint: /* hadal: to=HOST:PORT */"
    )]
    Hidden { name: String },
    #[error("USE must be sent alone where tables live in several clusters, since what follows depends on it")]
    SwitchesSchema,
    #[error(
        "the statement goes to cluster {cluster}, whose servers have an sql_mode by which they read quotes otherwise than \
         those of {base}; set sql_mode in the session"
    )]
    ReadsOtherwise { base: String, cluster: String },
    #[error(
        "the statement needs the primary, but the session is pinned to {bound}, which is not the primary: {pins}"
    )]
    PinnedElsewhere { bound: String, pins: Pins },
}

/// Decides. The order of the rules is the order of their force.
pub(crate) fn decide(ask: &Ask<'_>) -> Result<Decision, RouteError> {
    if let Some(bound) = ask.bound {
        let on_replica = ask.view.primary != Some(bound.server);
        if on_replica
            && ask.facts.access == Access::Write
            && !bound.pins.contains(Pins::TRANSACTION)
            && !ends_session_state(ask.facts)
        {
            return Err(RouteError::PinnedElsewhere {
                bound: ask.view.server(bound.server).map(|s| s.address.to_string()).unwrap_or_default(),
                pins: bound.pins,
            });
        }
        if !on_replica && !bound.pins.contains(Pins::TRANSACTION) {
            may_write(ask.view)?;
        }
        return Ok(Decision { server: bound.server, on_replica, why: Why::Pinned(bound.pins), wait: false });
    }
    let objection = objection(ask);
    match ask.hint.and_then(|h| h.to.as_ref()) {
        Some(HintTarget::Primary) => return to_primary(ask, Why::Hint),
        Some(HintTarget::Server(name)) => return to_server(ask, name, objection.as_ref()),
        Some(HintTarget::Replica) => {
            return match objection.filter(Why::forbids) {
                Some(objection) => Err(RouteError::HintedWrite(objection.to_string())),
                None => to_replica(ask, Why::Hint),
            };
        }
        None => {}
    }
    match objection {
        Some(why) => to_primary(ask, why),
        None if ask.facts.effects.contains(Effects::BEGIN_READ_ONLY) => {
            to_replica(ask, Why::ReadOnlyTransaction)
        }
        None if ask.autocommit_off || facts_begin(ask.facts) => to_replica(ask, Why::BeforeFirstWrite),
        None => to_replica(ask, Why::Read),
    }
}

/// Statements that change nothing but the session, which is where its connection is.
fn ends_session_state(facts: &Facts) -> bool {
    let session = Effects::COMMIT
        | Effects::ROLLBACK
        | Effects::UNLOCK_TABLES
        | Effects::TEXT_DEALLOCATE
        | Effects::HANDLER;
    facts.effects.intersects(session) || facts.reason == sql::Reason::SessionChange
}

/// Why the statement may not be read from a replica.
fn objection(ask: &Ask<'_>) -> Option<Why> {
    let facts = ask.facts;
    if facts.effects.contains(Effects::BEGIN_READ_ONLY) && facts.statements == 1 {
        return None;
    }
    if facts_begin(facts) && splits(ask) {
        return None;
    }
    if ask.needs_primary {
        return Some(Why::Statement(sql::Reason::OwnConnection));
    }
    if facts.access != Access::Read {
        return Some(Why::Statement(facts.reason));
    }
    if ask.autocommit_off && !splits(ask) {
        return Some(Why::AutocommitOff);
    }
    catalogue::objection(facts, &ask.view.catalogue, ask.database)
}

/// A plain `BEGIN`, which says nothing about what the transaction will do.
fn facts_begin(facts: &Facts) -> bool {
    let other = Effects::BEGIN_READ_ONLY | Effects::CONSISTENT_SNAPSHOT;
    facts.verb == sql::Verb::Begin && facts.statements == 1 && !facts.effects.intersects(other)
}

fn splits(ask: &Ask<'_>) -> bool {
    ask.settings.transaction_split == TransactionSplit::UntilFirstWrite
        && ask.read_committed
        && !ask.split_left
}

fn no_primary(view: &ClusterView) -> RouteError {
    RouteError::NoPrimary { cluster: view.name.to_string() }
}

/// Whether the cluster takes this statement: while people want no writes, only what writes nothing, and what is about the
/// session or ends a transaction. `database` is the session's.
pub(crate) fn is_taken(view: &ClusterView, facts: &Facts, database: Option<&[u8]>) -> Result<(), RouteError> {
    match &view.read_only {
        Some(why) if writes(facts) || runs_code_that_writes(facts, &view.catalogue, database) => {
            Err(RouteError::ReadOnly { cluster: view.name.to_string(), why: why.to_string() })
        }
        _ => Ok(()),
    }
}

/// Stored functions write whatever they like, unless they are declared not to; so do views that call them. As long as nobody
/// knows which there are, every name may be one.
fn runs_code_that_writes(facts: &Facts, catalogue: &Catalogue, database: Option<&[u8]>) -> bool {
    match catalogue::objection(facts, catalogue, database) {
        Some(Why::Function(_) | Why::View(_)) => true,
        Some(Why::CatalogueUnknown) => !facts.functions.is_empty() || !facts.tables.is_empty(),
        _ => false,
    }
}

fn writes(facts: &Facts) -> bool {
    use sql::Reason;
    let changes = facts.effects.intersects(Effects::DDL | Effects::ACCOUNT_DDL);
    // A text that is not seen may do anything.
    let hides = facts.effects.intersects(Effects::CALL | Effects::TEXT_EXECUTE | Effects::UNKNOWN) || changes;
    let harmless = matches!(
        facts.reason,
        Reason::SessionChange
            | Reason::TransactionControl
            | Reason::Diagnostics
            | Reason::OwnConnection
            | Reason::ServerState
            | Reason::UserVariable
            | Reason::LockingRead
            | Reason::TemporaryTable
            | Reason::PreparedText
            | Reason::Hadal
            | Reason::Empty
    );
    // Of several statements the reason is that of one; another may write.
    hides || (facts.access == Access::Write && (!harmless || facts.statements > 1))
}

/// Whether something new may be sent to the primary.
pub(crate) fn may_write(view: &ClusterView) -> Result<(), RouteError> {
    let cluster = || view.name.to_string();
    match &view.writes {
        Writes::Open => Ok(()),
        Writes::Held { why, .. } => Err(RouteError::Held { cluster: cluster(), why: why.to_string() }),
        Writes::Refused { why } => Err(RouteError::Refused { cluster: cluster(), why: why.to_string() }),
    }
}

fn to_primary(ask: &Ask<'_>, why: Why) -> Result<Decision, RouteError> {
    let primary =
        ask.view.primary().filter(|_| ask.view.writes == Writes::Open || !changes_session_only(ask.facts));
    match primary {
        Some(primary) => {
            may_write(ask.view).map(|()| Decision { server: primary.id, on_replica: false, why, wait: false })
        }
        // Settings of the session, and its database, are the same everywhere.
        None if changes_session_only(ask.facts) && any_replica(ask).is_some() => {
            let server = any_replica(ask).unwrap_or(ServerId(0));
            Ok(Decision { server, on_replica: true, why, wait: false })
        }
        None => Err(may_write(ask.view).err().unwrap_or_else(|| no_primary(ask.view))),
    }
}

fn any_replica(ask: &Ask<'_>) -> Option<ServerId> {
    ask.view.servers.iter().find(|s| s.takes_replica_reads()).map(|s| s.id)
}

/// Sets session variables or the database, and nothing else.
pub(crate) fn changes_session_only(facts: &Facts) -> bool {
    let known =
        Effects::SETS_SYSTEM_VARIABLE | Effects::SETS_AUTOCOMMIT | Effects::SET_NAMES | Effects::USE_SCHEMA;
    facts.statements == 1
        && facts.reason == sql::Reason::SessionChange
        && facts.effects.intersects(known)
        && facts.effects.without(known).is_empty()
        && facts.tables.is_empty()
        && facts.functions.is_empty()
}

fn to_server(ask: &Ask<'_>, name: &str, objection: Option<&Why>) -> Result<Decision, RouteError> {
    let server = ask.view.servers.iter().find(|s| s.address.to_string() == name);
    let server = server.ok_or_else(|| RouteError::NoSuchServer(name.to_owned()))?;
    let on_replica = ask.view.primary != Some(server.id);
    if let Some(objection) = objection.filter(|o| on_replica && o.forbids()) {
        return Err(RouteError::HintedWrite(objection.to_string()));
    }
    let wait = on_replica && must_wait(ask, server);
    Ok(Decision { server: server.id, on_replica, why: Why::Hint, wait })
}

/// Those that may serve a read; no allocation for clusters of usual size.
type Candidates = SmallVec<[Candidate; 8]>;

/// A replica that has what the session must see; else one that is asked to catch up; else the primary.
fn to_replica(ask: &Ask<'_>, why: Why) -> Result<Decision, RouteError> {
    let mut candidates = Candidates::new();
    let mut fit = 0;
    for server in ask.view.servers.iter().filter(|s| s.takes_replica_reads()) {
        fit += 1;
        if !must_wait(ask, server) {
            candidates.push(Candidate::replica(server));
        }
    }
    if fit == 0 {
        return to_primary(ask, Why::NoReplica);
    }
    let caught_up = !candidates.is_empty();
    if !caught_up {
        let fit = ask.view.servers.iter().filter(|s| s.takes_replica_reads());
        candidates.extend(fit.filter(|s| is_worth_waiting_for(ask, s)).map(Candidate::replica));
    }
    if candidates.is_empty() {
        return to_primary(ask, Why::ReplicasBehind);
    }
    if let Some(kept) = ask.prefer.filter(|kept| candidates.iter().any(|c| c.id == *kept)) {
        return Ok(Decision { server: kept, on_replica: true, why, wait: !caught_up });
    }
    let share = ask.settings.primary_read_weight;
    let primary = ask.view.primary().filter(|_| share > 0 && why == Why::Read);
    if let Some(primary) = primary {
        candidates.push(Candidate::primary(primary, share));
    }
    let Some(server) = pick(&candidates, ask.settings.balance, ask.entry, ask.dice) else {
        return to_primary(ask, Why::NoReplica);
    };
    if primary.is_some_and(|p| p.id == server) {
        return Ok(Decision { server, on_replica: false, why: Why::PrimaryShare, wait: false });
    }
    let why = if caught_up || why != Why::Read { why } else { Why::ReadAfterWait };
    Ok(Decision { server, on_replica: true, why, wait: !caught_up })
}

/// Whether the server is not known to have what the session has written.
fn must_wait(ask: &Ask<'_>, server: &ServerView) -> bool {
    let hinted = ask.hint.and_then(|h| h.consistency);
    let eventual = match hinted {
        Some(level) => level == sql::Consistency::Eventual,
        None => ask.settings.consistency == Consistency::Eventual,
    };
    if eventual || ask.position.is_empty() {
        return false;
    }
    !server.position.covers(ask.position) && !ask.entry.load(server.id).covers(ask.position)
}

/// A replica that was farther behind than the wait is long will not make it.
fn is_worth_waiting_for(ask: &Ask<'_>, server: &ServerView) -> bool {
    let wait = ask.settings.causal_wait.as_millis() as u64;
    wait > 0 && server.lag_ms.is_none_or(|lag| lag <= wait.saturating_mul(10))
}

#[cfg(test)]
mod tests {
    use topology::RoutineAccess;

    use super::*;

    #[test]
    fn a_read_only_cluster_refuses_what_writes_or_may_write() {
        let writes = |text: &str| writes(&sql::analyse(text.as_bytes(), sql::Mode::default()));
        for text in [
            "INSERT INTO t VALUES (1)",
            "EXECUTE IMMEDIATE 'DELETE FROM t'",
            "EXECUTE s",
            "CALL p()",
            "CREATE TABLE t (a INT)",
            "DELETE FROM t; SELECT 1",
            "SELECT * FROM t FOR UPDATE; DELETE FROM t",
            "SET @a = 1; INSERT INTO t VALUES (1)",
            "CREATE TEMPORARY TABLE a (b INT); DROP TABLE t",
        ] {
            assert!(writes(text), "{text}");
        }
        for text in
            ["SELECT 1", "SELECT * FROM t FOR UPDATE", "BEGIN", "COMMIT", "SET @a = 1", "SET NAMES utf8mb4"]
        {
            assert!(!writes(text), "{text}");
        }
        assert!(!writes("CREATE TEMPORARY TABLE a (b INT)"), "it is the session's own");
    }

    #[test]
    fn a_read_only_cluster_refuses_stored_code_that_may_write() {
        let mut catalogue = Catalogue { loaded: true, ..Catalogue::default() };
        catalogue.functions.insert("shop.charge".into(), RoutineAccess::MayWrite);
        catalogue.functions.insert("shop.price".into(), RoutineAccess::DeclaredReadOnly);
        catalogue.set_primary_only_views(["shop.charged".to_owned()].into());
        let runs = |text: &str| {
            let facts = sql::analyse(text.as_bytes(), sql::Mode::default());
            runs_code_that_writes(&facts, &catalogue, Some(b"shop"))
        };
        for text in
            ["SELECT charge(1)", "SET @a = shop.charge(1)", "SELECT * FROM charged", "SELECT other.charge(1)"]
        {
            assert!(runs(text), "{text}");
        }
        for text in ["SELECT price(1)", "SELECT COUNT(*) FROM t", "SELECT * FROM other.charged"] {
            assert!(!runs(text), "{text}");
        }
    }

    #[test]
    fn a_read_only_cluster_refuses_every_name_until_it_knows_what_it_stands_for() {
        let runs = |text: &str| {
            let facts = sql::analyse(text.as_bytes(), sql::Mode::default());
            runs_code_that_writes(&facts, &Catalogue::default(), Some(b"shop"))
        };
        assert!(runs("SELECT charge(1)") && runs("SET @a = shop.charge(1)") && runs("SELECT * FROM charged"));
        assert!(!runs("SELECT 1") && !runs("SELECT UPPER('a'), @@version") && !runs("COMMIT"));
    }
}
