//! One TCP connection to one ZooKeeper server, with the session that it carries.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::jute::{Decoder, Encoder};
use super::request::Request;

/// Largest answer in bytes. ZooKeeper's own limit is 1 MiB, unless it was raised.
const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// Questions that may be under way.
const WAITING: usize = 1024;

/// Numbers that ZooKeeper gives a meaning: of a watch that fires, and of a ping.
const XID_EVENT: i32 = -1;
const XID_PING: i32 = -2;

/// What proves that a session is ours, on a new connection.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) password: Vec<u8>,
    pub(super) ttl: Duration,
}

/// What the server thought of the session.
pub(super) enum Greeting {
    Welcome(Connection),
    Expired,
}

/// An answer: the error code, zero if there is none, and what follows.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) error: i32,
    pub(super) body: Vec<u8>,
}

type Pending = Arc<Mutex<VecDeque<(i32, oneshot::Sender<Reply>)>>>;

/// Closed when it is dropped; the session lives on until its time is over.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) identity: Identity,
    /// Whether the session is renewed by whoever it belongs to; otherwise it is nobody's in particular.
    pub(super) is_lease: bool,
    questions: mpsc::Sender<(Request, oneshot::Sender<Reply>)>,
    /// How many watches have fired.
    fired: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

/// How a connection is opened.
pub(super) struct Opening<'a> {
    pub(super) address: &'a str,
    /// An existing session to go on with.
    pub(super) session: Option<&'a Identity>,
    /// For a new session.
    pub(super) ttl: Duration,
    /// The session is kept alive even if nobody asks anything.
    pub(super) pings: bool,
    /// The newest change that was seen: a server that is older must not be believed.
    pub(super) newest: Arc<AtomicI64>,
}

impl Connection {
    pub(super) async fn open(opening: Opening<'_>) -> io::Result<Greeting> {
        let mut stream = TcpStream::connect(opening.address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&frame(&hello(&opening))).await?;
        let answer = read_frame(&mut stream).await?;
        let Some(identity) = welcome(&answer) else { return Ok(Greeting::Expired) };
        let ping_after = opening.pings.then_some(identity.ttl / 3);
        let (questions, inbox) = mpsc::channel(WAITING);
        let (fires, fired) = watch::channel(0);
        let (reader, writer) = stream.into_split();
        let pending = Pending::default();
        let reading = read(reader, pending.clone(), fires, opening.newest, ping_after.map(|ping| ping * 2));
        let writing = write(writer, pending.clone(), inbox, ping_after);
        let task = tokio::spawn(async move {
            let ended: io::Result<()> = tokio::select! { ended = reading => ended, ended = writing => ended };
            tracing::debug!("a connection to ZooKeeper has ended: {ended:?}");
            // Whoever waits learns that no answer will come.
            pending.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(Greeting::Welcome(Self { identity, is_lease: !opening.pings, questions, fired, task }))
    }

    /// Sends at once, in the order of the calls; the answer comes on the receiver, or an error when the connection ends.
    pub(super) async fn send(&self, request: Request) -> oneshot::Receiver<Reply> {
        let (answer, receiver) = oneshot::channel();
        // A connection that has ended drops the sender, which the receiver notices.
        drop(self.questions.send((request, answer)).await);
        receiver
    }

    pub(super) fn fired(&self) -> watch::Receiver<u64> {
        self.fired.clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn hello(opening: &Opening<'_>) -> Vec<u8> {
    let ttl = opening.session.map_or(opening.ttl, |session| session.ttl);
    let millis = i32::try_from(ttl.as_millis()).unwrap_or(i32::MAX);
    let id = opening.session.map_or(0, |session| session.id);
    let password = opening.session.map_or(&[0; 16][..], |session| &session.password);
    let newest = opening.newest.load(Ordering::Relaxed);
    let hello = Encoder::default().int(0).long(newest).int(millis).long(id).bytes(password);
    // The last byte: a server that is cut off from the others is not wanted.
    hello.bool(false).into_bytes()
}

/// `None`: there is no such session any more.
fn welcome(answer: &[u8]) -> Option<Identity> {
    let mut answer = Decoder(answer);
    let _protocol = answer.int()?;
    let millis = u64::try_from(answer.int()?).ok().filter(|millis| *millis > 0)?;
    let id = answer.long()?;
    Some(Identity { id, password: answer.bytes()?.to_vec(), ttl: Duration::from_millis(millis) })
}

fn frame(body: &[u8]) -> Vec<u8> {
    Encoder::default().bytes(body).into_bytes()
}

async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_i32().await?).ok().filter(|length| *length <= MAX_FRAME_BYTES);
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn read(
    mut stream: OwnedReadHalf,
    pending: Pending,
    fires: watch::Sender<u64>,
    newest: Arc<AtomicI64>,
    silence: Option<Duration>,
) -> io::Result<()> {
    loop {
        let frame = read_frame(&mut stream);
        let frame = match silence {
            Some(silence) => tokio::time::timeout(silence, frame).await??,
            None => frame.await?,
        };
        let mut header = Decoder(&frame);
        let (Some(xid), Some(zxid), Some(error)) = (header.int(), header.long(), header.int()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if xid == XID_EVENT {
            fires.send_modify(|count| *count += 1);
            continue;
        }
        newest.fetch_max(zxid, Ordering::Relaxed);
        let reply = Reply { error, body: header.0.to_vec() };
        answer(&pending, xid, reply);
    }
}

/// A ping of the connection's own has nobody who waits for it.
fn answer(pending: &Pending, xid: i32, reply: Reply) {
    let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = pending.iter().position(|(waiting, _)| *waiting == xid)
        && let Some((_, sender)) = pending.remove(at)
    {
        drop(sender.send(reply));
    }
}

async fn write(
    mut stream: OwnedWriteHalf,
    pending: Pending,
    mut inbox: mpsc::Receiver<(Request, oneshot::Sender<Reply>)>,
    ping_after: Option<Duration>,
) -> io::Result<()> {
    let mut last_xid = 0;
    loop {
        let next = match ping_after {
            Some(ping_after) => tokio::time::timeout(ping_after, inbox.recv()).await,
            None => Ok(inbox.recv().await),
        };
        let (request, waiting) = match next {
            Ok(Some((request, sender))) => (request, Some(sender)),
            Ok(None) => return Ok(()),
            Err(_) => (Request::ping(), None),
        };
        let xid = if request.is_ping() {
            XID_PING
        } else {
            last_xid = if last_xid == i32::MAX { 1 } else { last_xid + 1 };
            last_xid
        };
        if let Some(sender) = waiting {
            pending.lock().unwrap_or_else(PoisonError::into_inner).push_back((xid, sender));
        }
        let body = Encoder::default().int(xid).int(request.kind).raw(&request.body).into_bytes();
        stream.write_all(&frame(&body)).await?;
    }
}
