//! The seam between the relay and the network: everything that reads or writes a connection's bytes.
//!
//! A worker reads every connection into one scratch buffer of its own, so an idle connection keeps no buffer.
//! A worker either has a ring (`ring`), through which its connections go, or they are registered with its runtime.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::ring::{self, RingSocket};

/// What the socket takes as a whole, mostly: such a write is tried first and asks to be woken only if it fails.
const AT_ONCE: usize = 16 * 1024;

/// A connection to a client or a server.
#[derive(Debug)]
pub(crate) struct Socket(Way);

#[derive(Debug)]
enum Way {
    /// Registered with the runtime of one worker; `None` only after a failed [`Socket::reattach`].
    Epoll(Option<TcpStream>),
    Ring(RingSocket),
}

impl Socket {
    /// To be called on the thread of the worker that uses it.
    pub(crate) fn new(stream: TcpStream) -> Self {
        if !ring::is_installed() {
            return Self(Way::Epoll(Some(stream)));
        }
        // A stream that cannot be taken from the runtime is closed, which the first use tells.
        Self(stream.into_std().map_or(Way::Epoll(None), |stream| Way::Ring(RingSocket::new(stream))))
    }

    /// Reads what has arrived into `buffer`, at most its length; 0 is the end of the stream.
    ///
    /// A short read tells the runtime that the socket is empty, so that the next call costs no system call.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if let Way::Ring(socket) = &mut self.0 {
            return socket.poll_read(cx, buffer);
        }
        let mut read = ReadBuf::new(buffer);
        match Pin::new(self.stream()?).poll_read(cx, &mut read) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(read.filled().len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes as much as can be written now.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Way::Ring(socket) = &mut self.0 {
            return socket.poll_write(cx, bytes);
        }
        let stream = self.stream()?;
        if bytes.len() <= AT_ONCE {
            match stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
        Pin::new(stream).poll_write(cx, bytes)
    }

    /// Writes all of `bytes`. Not cancel-safe: a part may have been written.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut done = 0;
        std::future::poll_fn(|cx| {
            while done < bytes.len() {
                match ready!(self.poll_write(cx, &bytes[done..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    n => done += n,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Whether an idle connection is still quiet: nothing to read, not closed, as far as this machine knows.
    /// Costs no round trip.
    pub(crate) fn is_quiet(&mut self) -> bool {
        match &mut self.0 {
            Way::Ring(socket) => socket.is_quiet(),
            Way::Epoll(stream) => {
                // While it is quiet, no system call: the runtime has been told of nothing.
                let read = stream.as_ref().map(|stream| stream.try_read(&mut [0u8; 1]));
                read.is_some_and(|read| read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
            }
        }
    }

    /// Moves the connection from the worker that used it to the calling one. After an error the connection is closed.
    pub(crate) fn reattach(&mut self) -> io::Result<()> {
        let stream = match std::mem::replace(&mut self.0, Way::Epoll(None)) {
            Way::Epoll(stream) => stream.ok_or(io::ErrorKind::NotConnected)?.into_std()?,
            Way::Ring(mut socket) if ring::is_installed() => {
                // It is registered nowhere.
                let at_rest = socket.is_at_rest();
                self.0 = Way::Ring(socket);
                return if at_rest { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) };
            }
            Way::Ring(socket) => socket.into_stream()?,
        };
        self.0 = match ring::is_installed() {
            true => Way::Ring(RingSocket::new(stream)),
            false => Way::Epoll(Some(TcpStream::from_std(stream)?)),
        };
        Ok(())
    }

    /// Whether nothing is under way: only then another worker may have it.
    pub(crate) fn is_at_rest(&mut self) -> bool {
        match &mut self.0 {
            Way::Ring(socket) => socket.is_at_rest(),
            Way::Epoll(stream) => stream.is_some(),
        }
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        match &mut self.0 {
            Way::Epoll(Some(stream)) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
