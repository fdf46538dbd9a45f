//! The seam between the relay and the network: everything that reads or writes a connection's bytes.
//!
//! A worker reads every connection into one scratch buffer of its own, so an idle connection keeps no buffer.
//! Another way of doing I/O (io_uring) has to offer just these calls.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the socket takes as a whole, mostly: such a write is tried first and asks to be woken only if it fails.
const AT_ONCE: usize = 16 * 1024;

/// A connection to a client or a server, registered with the runtime of one worker.
#[derive(Debug)]
pub(crate) struct Socket {
    /// `None` only after a failed [`Self::reattach`].
    stream: Option<TcpStream>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: Some(stream) }
    }

    /// Reads what has arrived into `buffer`, at most its length; 0 is the end of the stream.
    ///
    /// A short read tells the runtime that the socket is empty, so that the next call costs no system call.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        match Pin::new(self.stream()?).poll_read(cx, &mut read) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(read.filled().len())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes as much as the socket takes now.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
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
                match self.poll_write(cx, &bytes[done..]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(n)) => done += n,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Whether an idle connection is still quiet: nothing to read, not closed, as far as the runtime has been told.
    /// Costs no round trip and, while the socket is quiet, no system call.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let read = self.stream.as_ref().map(|stream| stream.try_read(&mut [0u8; 1]));
        read.is_some_and(|read| read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
    }

    /// Moves the connection from the runtime that it is registered with to that of the calling worker. After an error
    /// the connection is closed.
    pub(crate) fn reattach(&mut self) -> io::Result<()> {
        let stream = self.stream.take().ok_or(io::ErrorKind::NotConnected)?;
        self.stream = Some(TcpStream::from_std(stream.into_std()?)?);
        Ok(())
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}
