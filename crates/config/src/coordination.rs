//! `[coordination]`

section! {
    /// Where hadal processes agree on who leads and what is true: before one of them changes a database cluster, it must lead.
    /// A store that does not answer keeps nobody from being served; it keeps clusters from being changed.
    pub struct Coordination {
        /// What they agree through.
        [restart] backend: CoordinationBackend = CoordinationBackend::default();
        /// Addresses of the backend: `http://HOST:PORT` or `https://HOST:PORT` for etcd, `HOST:PORT` for ZooKeeper. None
        /// for the embedded one.
        [restart] endpoints: Vec<String> = Vec::new();
        /// All keys begin with it: installations that share a store need different ones.
        [restart] prefix: String = String::from("hadal");
        /// How long a leader that is not heard of is waited for.
        [restart] lease_ms: u64 = 3000;
    }
}

choice! {
    /// What processes agree through.
    pub enum CoordinationBackend {
        /// One process, which keeps it in `node.data_dir`.
        Embedded = "embedded",
        /// An etcd cluster.
        Etcd = "etcd",
        /// A ZooKeeper ensemble.
        Zookeeper = "zookeeper",
    }
}
