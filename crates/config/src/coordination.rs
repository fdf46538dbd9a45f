//! `[coordination]`

section! {
    /// Where hadal processes agree on who leads and what is true. Not available yet: the section is checked and has no
    /// effect.
    pub struct Coordination {
        /// What they agree through.
        [restart] backend: CoordinationBackend = CoordinationBackend::default();
        /// Addresses of the backend: `http://HOST:PORT` or `https://HOST:PORT` for etcd, `HOST:PORT` for ZooKeeper. None
        /// for the embedded one.
        [restart] endpoints: Vec<String> = Vec::new();
    }
}

choice! {
    /// What processes agree through.
    pub enum CoordinationBackend {
        /// hadal processes agree among themselves.
        Embedded = "embedded",
        /// An etcd cluster.
        Etcd = "etcd",
        /// A ZooKeeper ensemble.
        Zookeeper = "zookeeper",
    }
}
