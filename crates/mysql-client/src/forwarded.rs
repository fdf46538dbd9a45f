//! Opening a connection as somebody who gives the proofs from elsewhere.

use std::time::Duration;

use mysql_wire::{Challenge, ForwardStep, ForwardedLogin};

use crate::connect::{ConnectError, ConnectOptions, Connected, LOGIN_LIMIT, dial, finished};
use crate::packets::Packets;

/// What has become of a forwarded login.
#[derive(Debug)]
pub enum Forwarded {
    /// The server wants a proof.
    Asks(Box<Unproved>, Challenge),
    Done(Connected),
}

/// A connection whose server waits for a proof. Dropping it closes the socket, which servers count as a fault of this
/// host (`max_connect_errors`): an answer that is wrong is better than none.
#[derive(Debug)]
pub struct Unproved {
    packets: Packets,
    login: ForwardedLogin,
    timeout: Duration,
}

/// Connects, and goes on until the server wants a proof; the secret of the request is not used. Cancel-safe: dropping
/// the future closes the socket.
pub async fn forward(options: &ConnectOptions) -> Result<Forwarded, ConnectError> {
    let login = ForwardedLogin::new(options.login.clone());
    let open = async {
        let packets = Packets::new(dial(&options.address).await?, LOGIN_LIMIT);
        Unproved { packets, login, timeout: options.timeout }.advance().await
    };
    let opened = tokio::time::timeout(options.timeout, Box::pin(open)).await;
    opened.unwrap_or(Err(ConnectError::Timeout(options.timeout)))
}

impl Unproved {
    /// Gives the server the proof that it has asked for. Takes as long as connecting may take, at most.
    pub async fn answer(mut self, proof: &[u8]) -> Result<Forwarded, ConnectError> {
        let timeout = self.timeout;
        let answered = async {
            self.packets.send(proof).await?;
            self.advance().await
        };
        tokio::time::timeout(timeout, answered).await.unwrap_or(Err(ConnectError::Timeout(timeout)))
    }

    async fn advance(mut self) -> Result<Forwarded, ConnectError> {
        let login = &mut self.login;
        loop {
            match self.packets.receive(|payload| login.handle(payload)).await?? {
                ForwardStep::Send(payload) => self.packets.send(&payload).await?,
                ForwardStep::Ask(challenge) => return Ok(Forwarded::Asks(Box::new(self), challenge)),
                ForwardStep::Done(session) => {
                    return finished(self.packets, *session).map(Forwarded::Done);
                }
            }
        }
    }
}
