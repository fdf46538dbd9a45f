//! Accepting clients, on the worker that will own them.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use lifecycle::Shutdown;
use mysql_wire::ServerError;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::session::{self, Client};
use crate::worker::Worker;

/// Opens a listening socket of the worker's own; the kernel spreads clients over all that share the address.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// Whether somebody else listens there: with `SO_REUSEPORT` binding beside an older hadal would succeed silently.
pub(crate) fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

/// Accepts until shutdown.
pub(crate) async fn accept(worker: Rc<Worker>, listener: TcpListener, shutdown: Shutdown) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.wait() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(&worker, stream, peer),
            // Out of file descriptors, mostly: give the sessions that end a moment to free some.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a client");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn admit(worker: &Rc<Worker>, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let config = worker.core.config.load();
    let max = config.gateway.max_connections as usize;
    let Some(shared) = worker.core.sessions.admit(peer, max) else {
        worker.core.metrics.refused_clients.fetch_add(1, Ordering::Relaxed);
        refuse(&stream, max);
        return;
    };
    worker.core.metrics.accepted_clients.fetch_add(1, Ordering::Relaxed);
    shared.timeout_ms.store(config.gateway.login_timeout_ms, Ordering::Relaxed);
    shared.active_ms.store(worker.now_ms(), Ordering::Relaxed);
    worker.sessions.borrow_mut().insert(shared.id, shared.clone());
    let client = Client::new(stream);
    tokio::task::spawn_local(session::run(worker.clone(), shared, client));
}

/// Tells the client why, in the protocol's own words, as far as the socket takes it at once.
fn refuse(stream: &TcpStream, max: usize) {
    let error = ServerError::new(
        1040,
        b"08004",
        format!("hadal: too many connections: the limit is {max} (gateway.max_connections)"),
    );
    let mut packet = Vec::new();
    mysql_wire::write_packet(&mut packet, &mut 0, &error.encode());
    let _ = stream.try_write(&packet);
}
