//! What is under way on a ring, and who waits for it.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use super::kernel::{Completion, Kernel};

/// An operation, until its outcome was taken or it was abandoned. Means nothing on another thread.
#[derive(Debug)]
pub(crate) struct Operation {
    ring: u32,
    index: u32,
}

impl Operation {
    pub(super) fn key(&self) -> u64 {
        u64::from(self.index)
    }
}

/// How a receive ended.
#[derive(Debug)]
pub(crate) enum Received {
    /// So many bytes were handed over, none at the end of the stream; the socket had more.
    Bytes { taken: usize, more: bool },
    /// Nothing was received: try it directly.
    Nothing,
}

/// See the module.
pub(super) struct Operations {
    ring: u32,
    states: Vec<State>,
    free: Vec<u32>,
    /// Those whose operation has ended.
    pub(super) woken: Vec<Waker>,
}

enum State {
    Free,
    Waiting(Waker),
    Ended(Completion),
    Sending(Sending),
    Sent(io::Result<()>),
    /// Nobody waits any more, but the kernel has not let go of it yet.
    Abandoned {
        copy: Option<u16>,
    },
}

/// A copy of some bytes is being sent.
struct Sending {
    copy: u16,
    len: usize,
    waiter: Option<Waker>,
}

impl Operations {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let ring = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { ring, states: Vec::new(), free: Vec::new(), woken: Vec::new() }
    }

    pub(super) fn are_under_way(&self) -> bool {
        self.states.len() > self.free.len()
    }

    /// Starts what `cx` waits for.
    pub(super) fn wait(
        &mut self,
        cx: &Context<'_>,
        start: impl FnOnce(u64) -> io::Result<()>,
    ) -> io::Result<Operation> {
        let operation = self.reserve();
        match start(operation.key()) {
            Ok(()) => {
                self.states[operation.index as usize] = State::Waiting(cx.waker().clone());
                Ok(operation)
            }
            Err(error) => {
                self.free.push(operation.index);
                Err(error)
            }
        }
    }

    /// Starts a send of `len` bytes, of which `start` may not be able to keep a copy.
    pub(super) fn send(
        &mut self,
        len: usize,
        start: impl FnOnce(u64) -> io::Result<Option<u16>>,
    ) -> io::Result<Option<Operation>> {
        let operation = self.reserve();
        match start(operation.key()) {
            Ok(Some(copy)) => {
                let sending = Sending { copy, len, waiter: None };
                self.states[operation.index as usize] = State::Sending(sending);
                Ok(Some(operation))
            }
            other => {
                self.free.push(operation.index);
                other.map(|_| None)
            }
        }
    }

    pub(super) fn poll(&mut self, operation: &Operation, cx: &Context<'_>) -> Poll<Ended> {
        let Some(state) = self.state(operation) else { return Poll::Ready(Ended(None)) };
        match state {
            State::Waiting(waker) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
            State::Ended(completion) => {
                let ended = Ended(Some(*completion));
                self.release(operation.index);
                Poll::Ready(ended)
            }
            _ => Poll::Ready(Ended(None)),
        }
    }

    pub(super) fn poll_sent(
        &mut self,
        operation: &Operation,
        cx: Option<&Context<'_>>,
    ) -> Poll<io::Result<()>> {
        match self.state(operation) {
            Some(State::Sending(sending)) => {
                if let Some(cx) = cx {
                    sending.waiter = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            Some(State::Sent(outcome)) => {
                let outcome = std::mem::replace(outcome, Ok(()));
                self.release(operation.index);
                Poll::Ready(outcome)
            }
            _ => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Whether it is still under way and has to be cancelled.
    pub(super) fn abandon(&mut self, operation: &Operation, kernel: &mut Kernel) -> bool {
        let Some(state) = self.state(operation) else { return false };
        let copy = match state {
            State::Waiting(_) => None,
            State::Sending(sending) => Some(sending.copy),
            State::Ended(completion) => {
                kernel.discard(completion);
                self.release(operation.index);
                return false;
            }
            _ => {
                self.release(operation.index);
                return false;
            }
        };
        *state = State::Abandoned { copy };
        true
    }

    /// Takes note of a completion.
    pub(super) fn end(&mut self, completion: Completion, kernel: &mut Kernel) {
        let Ok(index) = u32::try_from(completion.key) else { return };
        let Some(state) = self.states.get_mut(index as usize) else { return };
        match std::mem::replace(state, State::Free) {
            State::Waiting(waker) => {
                *state = State::Ended(completion);
                self.woken.push(waker);
            }
            State::Sending(Sending { copy, len, waiter }) => {
                kernel.let_go(copy);
                *state = State::Sent(completion.all_of(len));
                self.woken.extend(waiter);
            }
            State::Abandoned { copy } => {
                copy.into_iter().for_each(|copy| kernel.let_go(copy));
                kernel.discard(&completion);
                self.free.push(index);
            }
            // The kernel ends an operation once.
            other => *state = other,
        }
    }

    fn reserve(&mut self) -> Operation {
        let index = self.free.pop().unwrap_or_else(|| {
            self.states.push(State::Free);
            self.states.len() as u32 - 1
        });
        Operation { ring: self.ring, index }
    }

    fn release(&mut self, index: u32) {
        self.states[index as usize] = State::Free;
        self.free.push(index);
    }

    fn state(&mut self, operation: &Operation) -> Option<&mut State> {
        self.states.get_mut(operation.index as usize).filter(|_| operation.ring == self.ring)
    }
}

/// An operation that was waited for has ended; or it was another thread's, and nobody knows.
pub(super) struct Ended(Option<Completion>);

impl Ended {
    pub(super) fn hand_over(
        self,
        kernel: &mut Kernel,
        into: &mut [u8],
        rest: &mut Vec<u8>,
    ) -> io::Result<Received> {
        let Completion { result, buffer, more, .. } = self.0.ok_or(io::ErrorKind::NotConnected)?;
        match (result, buffer) {
            (0.., Some(id)) => {
                let taken = kernel.take_buffer(id, result as usize, |bytes| {
                    let (taken, left) = bytes.split_at(bytes.len().min(into.len()));
                    into[..taken.len()].copy_from_slice(taken);
                    rest.extend_from_slice(left);
                    taken.len()
                });
                Ok(Received::Bytes { taken, more })
            }
            (0, None) => Ok(Received::Bytes { taken: 0, more: false }),
            // All buffers are full of what others have received, or the receive was interrupted.
            _ if [libc::ENOBUFS, libc::EINTR, libc::EAGAIN].contains(&-result) => Ok(Received::Nothing),
            _ => Err(io::Error::from_raw_os_error(-result)),
        }
    }
}
