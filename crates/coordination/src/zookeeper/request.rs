//! What is asked of ZooKeeper: `zookeeper.jute` of 3.5, whose numbers later versions keep.

use super::jute::{Decoder, Encoder, Stat};

/// One question: its kind, and its body as encoded.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: i32,
    pub(super) body: Vec<u8>,
}

const CREATE: i32 = 1;
const DELETE: i32 = 2;
const EXISTS: i32 = 3;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const SYNC: i32 = 9;
const PING: i32 = 11;
const GET_CHILDREN_2: i32 = 12;
const CHECK: i32 = 13;
const MULTI: i32 = 14;
const CLOSE_SESSION: i32 = -11;

/// `ZooDefs.Perms.ALL`
const ALL_PERMISSIONS: i32 = 31;

pub(super) const NO_NODE: i32 = -101;
pub(super) const NO_AUTH: i32 = -102;
pub(super) const BAD_VERSION: i32 = -103;
pub(super) const NODE_EXISTS: i32 = -110;
pub(super) const SESSION_EXPIRED: i32 = -112;

impl Request {
    fn new(kind: i32, body: Encoder) -> Self {
        Self { kind, body: body.into_bytes() }
    }

    /// Open to everybody who reaches the server, as everything else that is made without credentials.
    pub(super) fn create(path: &str, data: &[u8], is_ephemeral: bool) -> Self {
        let acl =
            Encoder::default().int(1).int(ALL_PERMISSIONS).bytes(b"world").bytes(b"anyone").into_bytes();
        let body = Encoder::default().bytes(path.as_bytes()).bytes(data).raw(&acl).int(is_ephemeral.into());
        Self::new(CREATE, body)
    }

    pub(super) fn delete(path: &str, version: i32) -> Self {
        Self::new(DELETE, Encoder::default().bytes(path.as_bytes()).int(version))
    }

    pub(super) fn exists(path: &str, watch: bool) -> Self {
        Self::new(EXISTS, Encoder::default().bytes(path.as_bytes()).bool(watch))
    }

    pub(super) fn data(path: &str) -> Self {
        Self::new(GET_DATA, Encoder::default().bytes(path.as_bytes()).bool(false))
    }

    pub(super) fn set_data(path: &str, data: &[u8], version: i32) -> Self {
        Self::new(SET_DATA, Encoder::default().bytes(path.as_bytes()).bytes(data).int(version))
    }

    pub(super) fn children(path: &str, watch: bool) -> Self {
        Self::new(GET_CHILDREN_2, Encoder::default().bytes(path.as_bytes()).bool(watch))
    }

    pub(super) fn check(path: &str, version: i32) -> Self {
        Self::new(CHECK, Encoder::default().bytes(path.as_bytes()).int(version))
    }

    /// The server must have caught up with its leader before it answers what comes after this.
    pub(super) fn sync(path: &str) -> Self {
        Self::new(SYNC, Encoder::default().bytes(path.as_bytes()))
    }

    pub(super) fn ping() -> Self {
        Self::new(PING, Encoder::default())
    }

    pub(super) fn is_ping(&self) -> bool {
        self.kind == PING
    }

    pub(super) fn close_session() -> Self {
        Self::new(CLOSE_SESSION, Encoder::default())
    }

    /// All of it or nothing.
    pub(super) fn multi(parts: &[Request]) -> Self {
        let header = |kind: i32, done: bool| Encoder::default().int(kind).bool(done).int(-1).into_bytes();
        let body = parts
            .iter()
            .fold(Encoder::default(), |body, part| body.raw(&header(part.kind, false)).raw(&part.body));
        Self::new(MULTI, body.raw(&header(-1, true)))
    }
}

/// What a multi whose first part is a `set_data` gave: that part's stat, or the error that stopped it all.
pub(super) fn multi_result(mut answer: Decoder<'_>) -> Option<Result<Stat, i32>> {
    let mut first_error = None;
    let (mut kind, _done, _error) = (answer.int()?, answer.bool()?, answer.int()?);
    if kind == SET_DATA {
        return answer.stat().map(Ok);
    }
    // Every part has an error then: zero before the one that failed, "undone" (-2) after it.
    while kind == -1 {
        let error = answer.int()?;
        if error != 0 && error != -2 {
            first_error.get_or_insert(error);
        }
        let (next, done, _error) = (answer.int()?, answer.bool()?, answer.int()?);
        if done {
            break;
        }
        kind = next;
    }
    first_error.map(Err)
}
