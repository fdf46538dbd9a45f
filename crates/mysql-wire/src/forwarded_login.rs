//! A login to a server whose proofs somebody else gives: a client behind hadal, which alone knows the password.

use crate::auth_switch::AuthSwitchRequest;
use crate::capability::Capabilities;
use crate::err::ErrPacket;
use crate::greeting::Greeting;
use crate::login::{LoginError, LoginRequest, Session, handshake_response, negotiate, session_of};
use crate::ok::Ok as OkPacket;

/// What the server wants to be proved: the plugin, and its data as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The client's plugin, such as `client_ed25519`.
    pub plugin: String,
    pub data: Vec<u8>,
}

/// What to do after a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardStep {
    /// Send this payload, under the sequence number behind that of the packet just handled.
    Send(Vec<u8>),
    /// Have the challenge answered, and send the answer as it is, likewise.
    Ask(Challenge),
    /// The login is complete.
    Done(Box<Session>),
}

/// No plugin of any server is called so. A server asks for a proof only of a client that has named another plugin than
/// the account's (MariaDB: `send_plugin_request_packet`), and takes what came with the name for the proof otherwise.
const NO_PLUGIN: &[u8] = b"hadal_forwarded_login";

/// Such a login in progress. The secret of the request is not used.
#[derive(Debug)]
pub struct ForwardedLogin {
    request: LoginRequest,
    greeted: Option<(Greeting, Capabilities)>,
}

impl ForwardedLogin {
    /// A login that begins with the server's greeting.
    pub fn new(request: LoginRequest) -> Self {
        Self { request, greeted: None }
    }

    /// Handles the payload of the next packet from the server.
    ///
    /// Servers ask for one proof after the other where an account has several plugins, until one is right.
    pub fn handle(&mut self, payload: &[u8]) -> Result<ForwardStep, LoginError> {
        match (payload.first(), &self.greeted) {
            (Some(&ErrPacket::HEADER), _) => Err(LoginError::Refused(ErrPacket::parse(payload)?.into())),
            (_, None) => self.greeted_with(Greeting::parse(payload)?),
            (Some(&AuthSwitchRequest::HEADER), Some(_)) => {
                let request = AuthSwitchRequest::parse(payload)?;
                let plugin = String::from_utf8_lossy(request.plugin).into_owned();
                Ok(ForwardStep::Ask(Challenge { plugin, data: request.data.to_vec() }))
            }
            (Some(&OkPacket::HEADER), Some((greeting, capabilities))) => {
                let session = session_of(greeting.clone(), *capabilities, self.request.collation, payload)?;
                Ok(ForwardStep::Done(Box::new(session)))
            }
            // More data of a plugin: none of those that are forwarded has any.
            (_, Some(_)) => Err(LoginError::Unexpected("neither a verdict nor a question")),
        }
    }

    fn greeted_with(&mut self, greeting: Greeting) -> Result<ForwardStep, LoginError> {
        let capabilities = negotiate(&self.request, greeting.capabilities)?;
        if !capabilities.contains(Capabilities::PLUGIN_AUTH) {
            return Err(LoginError::MissingCapability("PLUGIN_AUTH"));
        }
        let response = handshake_response(&self.request, capabilities, NO_PLUGIN, &[]);
        self.greeted = Some((greeting, capabilities));
        Ok(ForwardStep::Send(response))
    }
}
