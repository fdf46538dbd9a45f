//! `[clusters.NAME]`

use std::collections::BTreeMap;

use topology::Address;

use crate::{PoolConfig, RebuildConfig, Secret};

section! {
    /// One primary and its replicas, reached as one database. Which server is the primary is observed, not configured.
    pub struct Cluster {
        /// Any members of the cluster; the others are discovered from them.
        [required restart] servers: Vec<Address> = Vec::new();
        /// The account that hadal observes the servers with. It needs `BINLOG MONITOR`, `REPLICA MONITOR`, `SHOW VIEW`,
        /// `TRIGGER` and `SELECT` on `*.*`, and for the heartbeat `CREATE, INSERT, UPDATE` on `hadal.*`; crates/cluster/README.md says
        /// what each is for.
        [required restart] admin_user: String = String::new();
        /// Its password.
        [required restart] admin_password: Secret = Secret::default();
        /// What a read is certain to see. A user's own `consistency` goes before it.
        [] consistency: Consistency = Consistency::default();
        /// A replica further behind the primary than this takes no reads.
        [restart] max_lag_ms: u64 = 1000;
        /// Who replaces a primary that is gone. A primary that was changed by hand is followed in any case.
        [restart] failover: Failover = Failover::default();
        /// A failover happens by itself only where it is proved that no acknowledged commit is lost, and a new primary waits
        /// for a replica's acknowledgement (semi-synchronous replication, `AFTER_SYNC`) before it acknowledges anything.
        [restart] lossless: bool = true;
        /// The account with which servers replicate from each other; it needs `REPLICATION SLAVE`. Without it, replicas keep
        /// the account that they have, and a former primary, which has none, cannot become a replica by itself.
        [restart] replication_user: String = String::new();
        /// Its password.
        [restart] replication_password: Secret = Secret::default();
        /// Which servers should become the primary, by `"HOST:PORT"`. Among those that are equally complete, a preferred one
        /// does.
        [restart] promotion: BTreeMap<String, Promotion> = BTreeMap::new();
        /// Where servers stand, by `"HOST:PORT"`: a new primary in the zone of the former one is preferred.
        [restart] zones: BTreeMap<String, String> = BTreeMap::new();
        /// How long a primary that does not answer, and that its replicas do not hear either, may be silent before it is
        /// replaced. One on whose port nobody listens any more is replaced as soon as that was seen twice.
        [restart] failover_silence_ms: u64 = 2800;
        /// How long no commit may end on a primary that answers, and nothing may move on its disk, before it is replaced; 0: it
        /// never is. It is hadal's heartbeat that notices. Commits that wait for acknowledgements, locks or a backup do not count.
        [restart] failover_stall_ms: u64 = 10_000;
        /// For this long after a failover, hadal does no other by itself.
        [restart] failover_pause_ms: u64 = 60_000;
        /// How long a switchover may take before it is undone.
        [restart] switchover_timeout_ms: u64 = 10_000;
        /// How long transactions may go on in a switchover before they are ended.
        [restart] switchover_grace_ms: u64 = 1000;
        /// Where accounts come from.
        [restart] accounts: AccountsSource = AccountsSource::default();
        /// Where the statements of a transaction go. A user's own `transaction_split` goes before it.
        [] transaction_split: TransactionSplit = TransactionSplit::default();
        /// Run a transaction that has lost its primary again on the new one, instead of telling the client to do so (error
        /// 1213). It goes on if every statement has the result that it had before. A user's own `transaction_replay`
        /// goes before it. [Failover](failover.md#transactions-that-are-replayed) says what is replayed and what is not.
        [] transaction_replay: bool = false;
        /// Write a row to `hadal.commits` with every `COMMIT` of a transaction that has written, by which hadal finds out
        /// what became of one whose answer was lost. Users need `SELECT, INSERT` on that table, `admin_user` needs
        /// `CREATE, DELETE` there. [Failover](failover.md#commits-whose-answer-was-lost) has the details.
        [restart] commit_journal: bool = false;
        /// Which replica takes a read. A user's own `balance` goes before it.
        [] balance: Balance = Balance::default();
        /// Share of reads that the primary takes, relative to the weights of the replicas. With 0 it takes reads only
        /// where no replica can.
        [] primary_read_weight: u32 = 0;
        /// Share of reads of single servers, by `"HOST:PORT"`; a server that is not named has weight 1, one with weight 0
        /// takes no reads.
        [restart] weights: BTreeMap<String, u32> = BTreeMap::new();
        /// How often every server is looked at.
        [restart] poll_interval_ms: u64 = 500;
        /// Write a row of the table `hadal.heartbeat` on the primary, with every poll while others write and twice a minute
        /// while nobody does, so that the lag of replicas is known in milliseconds. Without it, it is measured by the
        /// applications' writes alone.
        [restart] heartbeat: bool = true;
        /// How long a read may wait for a replica that has not yet seen the session's own writes, before it goes to the
        /// primary.
        [] causal_wait_ms: u64 = 20;
        /// How servers are made anew from others' data.
        [] rebuild: RebuildConfig = RebuildConfig::default();
        /// The connections to its servers.
        [] pool: PoolConfig = PoolConfig::default();
        /// Tables and schemas that live in another cluster, by pattern: `orders_archive` in any schema, `shop.orders`, or
        /// `logs.*` for a schema as a whole. The value is the other cluster's name. The rules of all clusters are one list
        /// that holds for every user; where several fit, the first of `shop.orders`, `shop.*`, `orders` counts. A
        /// statement goes to the cluster of its tables, and to the user's own cluster where no rule speaks of them; one
        /// that needs two clusters is refused, and so is one that leaves the cluster of an open transaction.
        /// [Tables in several clusters](tables.md) has the details.
        [restart] tables: BTreeMap<String, String> = BTreeMap::new();
    }
}

choice! {
    /// What a read is certain to see.
    pub enum Consistency {
        /// Everything that the same session has written and read before.
        Session = "session",
        /// Nothing in particular: whatever the replica has.
        Eventual = "eventual",
        /// Everything older than `max_lag_ms`. Not available yet.
        Bounded = "bounded",
        /// Everything that any session of any gateway has written before. Not available yet.
        Global = "global",
        /// What a read on the primary sees. Not available yet.
        Strong = "strong",
    }
}

choice! {
    /// Who replaces a primary that is gone.
    pub enum Failover {
        /// hadal does, as soon as it is certain.
        Auto = "auto",
        /// hadal does, when it is told to.
        Manual = "manual",
        /// Nobody; hadal follows what it sees.
        Off = "off",
    }
}

choice! {
    /// Whether a server should become the primary.
    pub enum Promotion {
        /// Like any other.
        Neutral = "neutral",
        /// Rather than others that are as complete.
        Prefer = "prefer",
        /// Only where there is nobody else.
        PreferNot = "prefer_not",
        /// Never.
        MustNot = "must_not",
    }
}

choice! {
    /// Where accounts come from.
    pub enum AccountsSource {
        /// Users, hosts and password hashes come from the primary and follow its changes.
        Servers = "servers",
        /// Only `[users.*]` with a password may log in.
        Config = "config",
    }
}

choice! {
    /// Where the statements of a transaction go.
    pub enum TransactionSplit {
        /// To the primary as a whole; `READ ONLY` ones to one replica as a whole.
        Off = "off",
        /// At READ COMMITTED, reads before the first write or locking read go to one replica, everything after it to the
        /// primary.
        UntilFirstWrite = "until-first-write",
    }
}

choice! {
    /// Which replica takes a read.
    pub enum Balance {
        /// The less busy of two picked at random by weight.
        LeastOutstanding = "least-outstanding",
        /// One after the other, as often as its weight says.
        WeightedRoundRobin = "weighted-round-robin",
        /// At random by weight.
        WeightedRandom = "weighted-random",
        /// Always the same one for a user, while it serves.
        HashUser = "hash-user",
        /// Always the same one for a client's address, while it serves.
        HashClient = "hash-client",
    }
}
