//! A socket whose bytes go through the ring of the worker that uses it.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::{Operation, Received};

#[derive(Debug)]
pub(crate) struct RingSocket {
    stream: TcpStream,
    /// Operations under way, all on this thread's ring.
    pub(super) receive: Option<Operation>,
    send: Option<Operation>,
    writable: Option<Operation>,
    /// Received, but not taken.
    rest: Vec<u8>,
    /// There may be something to be read at once.
    more: bool,
}

impl RingSocket {
    /// The stream stays non-blocking.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, receive: None, send: None, writable: None, rest: Vec::new(), more: false }
    }

    /// As [`crate::io::Socket::poll_read`].
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.rest.is_empty() {
            let taken = self.rest.len().min(buffer.len());
            buffer[..taken].copy_from_slice(&self.rest[..taken]);
            self.rest.drain(..taken);
            return Poll::Ready(Ok(taken));
        }
        if let Some(operation) = &self.receive {
            let received = ready!(super::poll_received(operation, cx, buffer, &mut self.rest));
            self.receive = None;
            match received? {
                Received::Bytes { taken, more } => {
                    self.more = more;
                    return Poll::Ready(Ok(taken));
                }
                Received::Nothing => self.more = true,
            }
        }
        if std::mem::take(&mut self.more) {
            // Only once: what is left comes through the ring, so that a long result does not hold up other sessions.
            match rustix::net::recv(&self.stream, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((_, n)) => return Poll::Ready(Ok(n)),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        self.receive = Some(super::receive(self.stream.as_raw_fd(), cx)?);
        Poll::Pending
    }

    /// As [`crate::io::Socket::poll_write`]. What is short counts as written when the ring has a copy; if it cannot be
    /// sent, the next write fails, and so does a read, as on a connection that breaks a moment later.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // One after the other, or the kernel might send them in another order.
        if let Some(operation) = &self.send {
            let sent = ready!(super::poll_sent(operation, Some(cx)));
            self.send = None;
            sent?;
        }
        if self.writable.is_none() {
            self.send = super::send(self.stream.as_raw_fd(), bytes)?;
            if self.send.is_some() {
                return Poll::Ready(Ok(bytes.len()));
            }
        }
        self.poll_write_directly(cx, bytes)
    }

    fn poll_write_directly(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(operation) = &self.writable {
                ready!(super::poll_writable(operation, cx))?;
                self.writable = None;
            }
            match rustix::net::send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => {
                    self.writable = Some(super::await_writable(self.stream.as_raw_fd(), cx)?);
                }
                sent => return Poll::Ready(sent.map_err(io::Error::from)),
            }
        }
    }

    /// Nothing is under way, nothing is left of what was received, and nothing has failed: any worker may use it.
    pub(crate) fn is_at_rest(&mut self) -> bool {
        if let Some(operation) = &self.send
            && let Poll::Ready(sent) = super::poll_sent(operation, None)
        {
            self.send = None;
            if sent.is_err() {
                return false;
            }
        }
        [&self.receive, &self.send, &self.writable].iter().all(|operation| operation.is_none())
            && self.rest.is_empty()
    }

    /// Nothing to read, and not closed, as far as this machine knows.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        self.is_at_rest()
            && rustix::net::recv(self.stream.as_fd(), &mut [0u8; 1][..], flags)
                .is_err_and(|error| error == Errno::WOULDBLOCK)
    }

    /// The bare stream, if the socket is at rest.
    pub(crate) fn into_stream(mut self) -> io::Result<TcpStream> {
        if !self.is_at_rest() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.stream.try_clone()
    }
}

impl Drop for RingSocket {
    fn drop(&mut self) {
        // Before the socket is closed: an operation that is not submitted yet names it by its number.
        for operation in [&self.receive, &self.writable, &self.send].into_iter().flatten() {
            super::abandon(operation);
        }
    }
}
