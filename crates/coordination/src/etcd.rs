//! etcd 3.4 and later, over its own protocol.
//!
//! Revisions are etcd's own: a key's version is its `mod_revision`, a session is a lease. Reads are etcd's linearizable ones.

mod connection;
mod messages;
mod watch;

use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};

use crate::Key;
use crate::store::error::limited;
use crate::store::{
    Answer, Condition, Entry, Expected, Revision, Session, SessionId, Snapshot, Store, StoreError,
    Transaction, Watch, Write,
};
use connection::Connection;
use messages::{
    Compare, DeleteRangeRequest, KeyValue, LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest,
    LeaseKeepAliveResponse, LeaseRevokeRequest, LeaseRevokeResponse, PutRequest, RangeRequest, RangeResponse,
    Request, RequestOp, Response, ResponseHeader, ResponseOp, TARGET_MOD, Target, TxnRequest, TxnResponse,
};

const RANGE: &str = "/etcdserverpb.KV/Range";
const TXN: &str = "/etcdserverpb.KV/Txn";
const LEASE_GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
const LEASE_REVOKE: &str = "/etcdserverpb.Lease/LeaseRevoke";
const LEASE_KEEP_ALIVE: &str = "/etcdserverpb.Lease/LeaseKeepAlive";

/// A store in an etcd cluster.
#[derive(Clone, Debug)]
pub struct EtcdStore {
    connection: Connection,
    time_limit: Duration,
}

impl EtcdStore {
    /// `endpoints` are URLs like `http://127.0.0.1:2379`; the first that answers is used. Connects with the first call and
    /// must be made inside a tokio runtime. `time_limit` bounds every call.
    ///
    /// # Errors
    /// No endpoint, or one that is no URL.
    pub fn new(endpoints: &[String], time_limit: Duration) -> Result<Self, StoreError> {
        Ok(Self { connection: Connection::new(endpoints, time_limit)?, time_limit })
    }

    async fn ask<Q, A>(
        &self,
        attempting: &'static str,
        path: &'static str,
        question: Q,
    ) -> Result<A, StoreError>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let member = self.connection.member();
        let number = member.number();
        let call = async { member.call(path, question).await.map_err(|status| judge(attempting, &status)) };
        self.or_leave(number, limited(self.time_limit, attempting, call).await)
    }

    /// Does not ask a member again that did not answer.
    fn or_leave<T>(&self, member: usize, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        answer.inspect_err(|error| {
            if error.is_uncertain() {
                self.connection.leave(member);
            }
        })
    }

    async fn range(&self, request: RangeRequest) -> Result<Snapshot, StoreError> {
        let answer: RangeResponse = self.ask("reading from etcd", RANGE, request).await?;
        Ok(Snapshot {
            revision: revision(answer.header),
            entries: answer.kvs.into_iter().filter_map(entry).collect(),
        })
    }

    async fn list_below(&self, prefix: &Key) -> Result<Snapshot, StoreError> {
        let (key, range_end) = range_of(prefix);
        self.range(RangeRequest { key, range_end }).await
    }

    async fn keep_alive(&self, session: SessionId) -> Result<(), StoreError> {
        const WHAT: &str = "renewing an etcd lease";
        let member = self.connection.member();
        let number = member.number();
        let question = LeaseKeepAliveRequest { id: session.0.cast_signed() };
        let call = async {
            let answers = member.stream(LEASE_KEEP_ALIVE, question).await;
            let answer: Result<Option<LeaseKeepAliveResponse>, _> = match answers {
                Ok(mut answers) => answers.message().await,
                Err(status) => Err(status),
            };
            match answer.map_err(|status| judge(WHAT, &status))? {
                Some(answer) if answer.ttl > 0 => Ok(()),
                Some(_) => Err(StoreError::SessionEnded),
                None => Err(StoreError::uncertain(WHAT, "the stream has ended")),
            }
        };
        self.or_leave(number, limited(self.time_limit, WHAT, call).await)
    }
}

impl Store for EtcdStore {
    fn get<'a>(&'a self, key: &'a Key) -> Answer<'a, Option<Entry>> {
        let request = RangeRequest { key: key.as_str().into(), range_end: Vec::new() };
        Box::pin(async { Ok(self.range(request).await?.entries.pop()) })
    }

    fn list<'a>(&'a self, prefix: &'a Key) -> Answer<'a, Snapshot> {
        Box::pin(self.list_below(prefix))
    }

    fn commit(&self, transaction: Transaction) -> Answer<'_, Revision> {
        Box::pin(async move {
            transaction.check()?;
            let conditions = transaction.conditions.clone();
            let answer: TxnResponse = self.ask("writing to etcd", TXN, encode(transaction)).await?;
            if answer.succeeded {
                return Ok(revision(answer.header));
            }
            let first = first_failed(&conditions, &answer.responses);
            match first.or(conditions.into_iter().next()) {
                Some(condition) => Err(StoreError::Refused { key: condition.key }),
                None => Err(StoreError::Invalid("refused without a condition".to_owned())),
            }
        })
    }

    fn open_session(&self, ttl: Duration) -> Answer<'_, Session> {
        // etcd counts in whole seconds, and takes more than was asked for when its own election needs it.
        let seconds = i64::try_from(ttl.as_millis().div_ceil(1000)).unwrap_or(i64::MAX).max(1);
        Box::pin(async move {
            let request = LeaseGrantRequest { ttl: seconds };
            let lease: LeaseGrantResponse = self.ask("opening an etcd lease", LEASE_GRANT, request).await?;
            let ttl = Duration::from_secs(u64::try_from(lease.ttl).unwrap_or_default());
            Ok(Session { id: SessionId(lease.id.cast_unsigned()), ttl })
        })
    }

    fn renew_session(&self, session: SessionId) -> Answer<'_, ()> {
        Box::pin(self.keep_alive(session))
    }

    fn end_session(&self, session: SessionId) -> Answer<'_, ()> {
        Box::pin(async move {
            let request = LeaseRevokeRequest { id: session.0.cast_signed() };
            let answer: Result<LeaseRevokeResponse, _> =
                self.ask("ending an etcd lease", LEASE_REVOKE, request).await;
            match answer {
                Ok(_) | Err(StoreError::SessionEnded) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn watch(&self, prefix: &Key) -> Watch {
        let (store, prefix) = (self.clone(), prefix.clone());
        Watch::spawn(move |events| watch::follow(store, prefix, events))
    }
}

/// etcd's answer to a call that it did not carry out; errors that may come after the change was proposed stay uncertain.
fn judge(attempting: &'static str, status: &Status) -> StoreError {
    match status.code() {
        Code::NotFound if status.message().contains("lease not found") => StoreError::SessionEnded,
        // No space left (everything but reading and deleting is refused), or too many requests.
        Code::ResourceExhausted | Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented => {
            StoreError::Unavailable(status.message().to_owned())
        }
        Code::InvalidArgument => StoreError::Invalid(status.message().to_owned()),
        _ => StoreError::uncertain(attempting, status.message()),
    }
}

fn revision(header: Option<ResponseHeader>) -> Revision {
    Revision(header.map_or(0, |header| header.revision.cast_unsigned()))
}

/// Everything below the prefix: from `prefix/` up to, and without, the letter after `/`.
fn range_of(prefix: &Key) -> (Vec<u8>, Vec<u8>) {
    (format!("{prefix}/").into_bytes(), format!("{prefix}0").into_bytes())
}

/// `None` for a key that this program has not written.
fn entry(kv: KeyValue) -> Option<Entry> {
    let key = Key::parse(std::str::from_utf8(&kv.key).ok()?)?;
    let session = (kv.lease != 0).then_some(SessionId(kv.lease.cast_unsigned()));
    Some(Entry { key, value: kv.value, version: Revision(kv.mod_revision.cast_unsigned()), session })
}

/// A condition that fails is followed by reading all keys of conditions, to tell which one it was.
fn encode(transaction: Transaction) -> TxnRequest {
    let expected = |condition: &Condition| match condition.expected {
        Expected::Absent => 0,
        Expected::Version(version) => version.0.cast_signed(),
    };
    let compare = |condition: &Condition| Compare {
        target: TARGET_MOD,
        key: condition.key.as_str().into(),
        value: Some(Target::ModRevision(expected(condition))),
    };
    let read = |condition: &Condition| RequestOp {
        request: Some(Request::Range(RangeRequest {
            key: condition.key.as_str().into(),
            range_end: Vec::new(),
        })),
    };
    TxnRequest {
        compare: transaction.conditions.iter().map(compare).collect(),
        failure: transaction.conditions.iter().map(read).collect(),
        success: transaction.writes.into_iter().map(encode_write).collect(),
    }
}

fn encode_write(write: Write) -> RequestOp {
    let request = match write {
        Write::Put { key, value, session } => {
            let lease = session.map_or(0, |session| session.0.cast_signed());
            Request::Put(PutRequest { key: key.as_str().into(), value, lease })
        }
        Write::Delete { key } => Request::Delete(DeleteRangeRequest { key: key.as_str().into() }),
    };
    RequestOp { request: Some(request) }
}

fn first_failed(conditions: &[Condition], read: &[ResponseOp]) -> Option<Condition> {
    let version = |op: &ResponseOp| match &op.response {
        Some(Response::Range(range)) => range.kvs.first().map(|kv| Revision(kv.mod_revision.cast_unsigned())),
        None => None,
    };
    let failed = |(condition, op): &(&Condition, &ResponseOp)| match condition.expected {
        Expected::Absent => version(op).is_some(),
        Expected::Version(expected) => version(op) != Some(expected),
    };
    conditions.iter().zip(read).find(failed).map(|(condition, _)| condition.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as etcd's own client puts them on the wire, taken from the tags in `rpc.proto`.
    #[test]
    fn a_condition_of_absence_is_written_although_it_is_a_zero() {
        let key = Key::new("a").unwrap();
        let request =
            encode(Transaction::new().when(&key, Expected::Absent).put_bound(&key, "v", SessionId(5)));
        let compare = b"\x0a\x07\x10\x02\x1a\x01a\x30\x00";
        let success = b"\x12\x0a\x12\x08\x0a\x01a\x12\x01v\x18\x05";
        let failure = b"\x1a\x05\x0a\x03\x0a\x01a";
        assert_eq!(request.encode_to_vec(), [&compare[..], success, failure].concat());
    }

    #[test]
    fn only_an_answer_that_rules_the_change_out_is_definite() {
        let judged = |code, text: &str| judge("writing", &Status::new(code, text));
        assert_eq!(judged(Code::NotFound, "etcdserver: requested lease not found"), StoreError::SessionEnded);
        let full = judged(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded");
        assert!(matches!(full, StoreError::Unavailable(_)));
        for code in
            [Code::Unavailable, Code::DeadlineExceeded, Code::Unknown, Code::Cancelled, Code::Internal]
        {
            assert!(judged(code, "etcdserver: request timed out").is_uncertain(), "{code}");
        }
    }
}
