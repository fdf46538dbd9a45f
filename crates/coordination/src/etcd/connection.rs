//! Calls to an etcd cluster: over one member, and over the next one when that one does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tokio_stream::StreamExt;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::store::StoreError;

/// Largest answer in bytes: a list of everything that a control plane keeps, with room.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A connection on which nothing comes is pinged this often, and is dead when the answer takes as long again. Without it, a
/// watch on a frozen member would hang.
const PING: Duration = Duration::from_secs(2);

/// Cheap to clone; clones share the member in use.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    members: Arc<[Channel]>,
    /// Counts up; which member that is follows from the remainder.
    in_use: Arc<AtomicUsize>,
}

/// The member over which a call goes.
pub(super) struct Member {
    grpc: Grpc<Channel>,
    number: usize,
}

impl Connection {
    /// Connects with the first call.
    pub(super) fn new(endpoints: &[String], time_limit: Duration) -> Result<Self, StoreError> {
        let channel = |text: &String| {
            let endpoint = Endpoint::from_shared(text.clone());
            let endpoint = endpoint.map_err(|error| StoreError::Invalid(format!("{text}: {error}")))?;
            let endpoint = endpoint.connect_timeout(time_limit).tcp_nodelay(true);
            let endpoint = endpoint.http2_keep_alive_interval(PING).keep_alive_timeout(PING);
            Ok(endpoint.keep_alive_while_idle(true).connect_lazy())
        };
        let members = endpoints.iter().map(channel).collect::<Result<Arc<[_]>, StoreError>>()?;
        if members.is_empty() {
            return Err(StoreError::Invalid("etcd needs at least one endpoint".to_owned()));
        }
        Ok(Self { members, in_use: Arc::default() })
    }

    pub(super) fn member(&self) -> Member {
        let number = self.in_use.load(Ordering::Relaxed);
        let channel = self.members[number % self.members.len()].clone();
        Member { grpc: Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES), number }
    }

    /// The next call goes to another member, unless another call has seen to that already.
    pub(super) fn leave(&self, member: usize) {
        let _ = self.in_use.compare_exchange(member, member + 1, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Member {
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// One question, one answer.
    pub(super) async fn call<Q, A>(mut self, path: &'static str, question: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        self.grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        let answer = self.grpc.unary(request(question), PathAndQuery::from_static(path), codec).await;
        answer.map(Response::into_inner)
    }

    /// One question, many answers. Our side of the stream stays open as long as theirs.
    pub(super) async fn stream<Q, A>(
        mut self,
        path: &'static str,
        question: Q,
    ) -> Result<Streaming<A>, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        self.grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        let questions = tokio_stream::once(question).chain(tokio_stream::pending());
        let answer = self.grpc.streaming(request(questions), PathAndQuery::from_static(path), codec).await;
        answer.map(Response::into_inner)
    }
}

/// A member that has lost its leader must say so instead of answering, or of keeping a watch open on which nothing comes.
fn request<Q>(question: Q) -> Request<Q> {
    let mut request = Request::new(question);
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    request
}
