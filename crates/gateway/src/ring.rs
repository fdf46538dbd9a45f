//! Receiving and sending through io_uring: one ring for each worker, used on its thread only.
//!
//! Operations are submitted, and those that have ended are collected, for all sessions at once: whenever no task of the
//! worker can go on. So a query costs a part of one system call instead of five, and a client or a server that is woken
//! by what is sent to it does not take the processor from the worker between one send and the next.
//!
//! A receive is under way only while somebody waits for it, and a send only until its socket has taken the bytes: a
//! connection that is idle in a pool has neither, and any worker may use it.

mod kernel;
mod operations;
mod socket;

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) use kernel::Bell;
use kernel::{Kernel, Wait};
use operations::Operations;
pub(crate) use operations::{Operation, Received};
pub(crate) use socket::RingSocket;

/// While there is much to do, a worker waits in its ring, and for this long at most: so long other threads that want to wake
/// it, and its timers, may have to wait. Then it sleeps in its runtime, which they can wake.
const LINGER: Duration = Duration::from_micros(200);
/// So many sessions that can go on at the same time are much to do.
const MANY: usize = 2;

thread_local! {
    static RING: RefCell<Option<Ring>> = const { RefCell::new(None) };
}

struct Ring {
    kernel: Kernel,
    operations: Operations,
    /// There is so much to do that more will come before it pays to sleep.
    lingers: bool,
}

/// Whether this kernel has, and allows, what a ring needs.
pub(crate) fn probe() -> io::Result<()> {
    Kernel::new().map(drop)
}

/// Gives the calling worker a ring. Its runtime must call [`before_park`].
pub(crate) fn install() -> io::Result<Bell> {
    let mut kernel = Kernel::new()?;
    let bell = Bell::new()?;
    kernel.register(&bell)?;
    kernel.quieten(true);
    RING.set(Some(Ring { kernel, operations: Operations::new(), lingers: false }));
    Ok(bell)
}

pub(crate) fn is_installed() -> bool {
    RING.with_borrow(Option::is_some)
}

/// Called when no task of this thread can go on, before the runtime sleeps.
pub(crate) fn before_park() {
    let Ok(mut woken) = with(|ring| Ok(ring.turn())) else { return };
    // Outside, since a waker may do anything.
    woken.drain(..).for_each(Waker::wake);
    let _ = with(|ring| {
        ring.operations.woken = woken;
        Ok(())
    });
}

/// Receives into a buffer of the ring's.
fn receive(socket: RawFd, cx: &Context<'_>) -> io::Result<Operation> {
    with(|ring| ring.operations.wait(cx, |key| ring.kernel.receive(socket, key)))
}

/// Waits until the socket takes something again.
fn await_writable(socket: RawFd, cx: &Context<'_>) -> io::Result<Operation> {
    with(|ring| ring.operations.wait(cx, |key| ring.kernel.await_writable(socket, key)))
}

/// Sends a copy of `bytes`, all of it; `None` where no copy can be kept and they have to be sent directly.
fn send(socket: RawFd, bytes: &[u8]) -> io::Result<Option<Operation>> {
    with(|ring| ring.operations.send(bytes.len(), |key| ring.kernel.send(socket, key, bytes)))
}

/// The outcome of a receive; the bytes go into `into`, those that it has no room for into `rest`.
fn poll_received(
    operation: &Operation,
    cx: &Context<'_>,
    into: &mut [u8],
    rest: &mut Vec<u8>,
) -> Poll<io::Result<Received>> {
    poll(|ring| {
        ring.operations.poll(operation, cx).map(|ended| ended.hand_over(&mut ring.kernel, into, rest))
    })
}

/// Whether a wait for writability is over; what there is to be known the next write tells.
fn poll_writable(operation: &Operation, cx: &Context<'_>) -> Poll<io::Result<()>> {
    poll(|ring| ring.operations.poll(operation, cx).map(|_| Ok(())))
}

/// How a send ended. Without a context, nobody is woken.
fn poll_sent(operation: &Operation, cx: Option<&Context<'_>>) -> Poll<io::Result<()>> {
    poll(|ring| ring.operations.poll_sent(operation, cx))
}

/// Lets go of an operation, whatever has become of it. Its socket can be closed afterwards.
fn abandon(operation: &Operation) {
    let _ = with(|ring| {
        let under_way = ring.operations.abandon(operation, &mut ring.kernel);
        if under_way { ring.kernel.cancel(operation.key()) } else { Ok(()) }
    });
}

fn poll<T>(work: impl FnOnce(&mut Ring) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    with(|ring| Ok(work(ring))).unwrap_or_else(|error| Poll::Ready(Err(error)))
}

fn with<T>(work: impl FnOnce(&mut Ring) -> io::Result<T>) -> io::Result<T> {
    let missing = || io::Error::from(io::ErrorKind::NotConnected);
    // There is none while the thread ends.
    let worked = RING.try_with(|ring| {
        let mut ring = ring.try_borrow_mut().map_err(|_| missing())?;
        work(ring.as_mut().ok_or_else(missing)?)
    });
    worked.map_err(|_| missing())?
}

impl Ring {
    /// Submits and collects. Returns whom to wake.
    fn turn(&mut self) -> Vec<Waker> {
        if self.lingers && self.operations.are_under_way() {
            self.collect(Wait::AtMost(LINGER));
            self.lingers = !self.operations.woken.is_empty();
        }
        if self.operations.woken.is_empty() {
            // The runtime will sleep: it has to be woken from now on, and what came before must not be missed.
            self.kernel.quieten(false);
            self.collect(Wait::No);
            self.lingers = self.operations.woken.len() >= MANY;
            if !self.operations.woken.is_empty() {
                self.kernel.quieten(true);
            }
        }
        std::mem::take(&mut self.operations.woken)
    }

    fn collect(&mut self, wait: Wait) {
        self.kernel.enter(wait);
        while let Some(completion) = self.kernel.next_ended() {
            self.operations.end(completion, &mut self.kernel);
        }
    }
}

#[cfg(test)]
mod tests;
