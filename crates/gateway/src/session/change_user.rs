//! `COM_CHANGE_USER`: another login on the same connection.

use mysql_wire::auth::{caching_sha2, native};
use mysql_wire::{AuthSwitchRequest, Capabilities, Challenge, ChangeUser, ServerError};

use super::client::CommandPacket;
use super::forwarded::{Applicant, Asked, Forwarding};
use super::identity::{Claim, Proof, Standing, identify, is_checked_by_server, learn_host, refresh};
use super::login::read_packet;
use super::{End, Identity, Session, error};
use crate::backend::Backend;
use crate::state::{Charset, StateSet};

impl Session {
    pub(super) async fn change_user(&mut self, command: &CommandPacket) -> Result<(), End> {
        let Ok(wish) = ChangeUser::parse(command.payload(), self.client.capabilities) else {
            return self.send_error(command.sequence, &error(1047, "08S01", "Unknown command".into())).await;
        };
        let claim = Claim {
            user: String::from_utf8_lossy(wish.user).into_owned(),
            client: self.shared.client.ip(),
            database: wish.database.map(<[u8]>::to_vec),
        };
        let collation = wish.collation;
        let proved_itself = self.has_own_connection();
        learn_host(&self.worker, &claim).await;
        let mut sequence = command.sequence;
        let scramble = crate::scramble::fresh();
        let sha2 = wish.plugin == Some(b"caching_sha2_password")
            && self.worker.core.config.load().users.get(&claim.user).is_some_and(|u| u.password.is_some());
        let native_plugin = wish.plugin.is_none_or(|p| p == b"mysql_native_password");
        let first = Proof::Native { token: wish.auth.to_vec(), scramble: self.scramble };
        let standing = match identify(&self.worker, &claim, &first) {
            // Made on the greeting's scramble, as the protocol has it and servers accept it.
            Ok(Standing::Known(identity)) if native_plugin => Ok(Standing::Known(identity)),
            Ok(Standing::AtServer(applicant)) => Ok(Standing::AtServer(applicant)),
            // It is asked only once: by the server.
            _ if is_checked_by_server(&self.worker, &claim) => {
                identify(&self.worker, &claim, &Proof::AtServer)
            }
            // Made on another, or by another plugin: ask for a proof on a fresh scramble.
            _ => {
                let token = self.ask_again(&mut sequence, &scramble, sha2).await?;
                let on_old = Proof::Native { token: token.clone(), scramble: self.scramble };
                let proof =
                    if sha2 { Proof::Sha2 { token, scramble } } else { Proof::Native { token, scramble } };
                // MariaDB's own client library proves itself on the greeting's scramble even when asked again.
                let try_both = || {
                    identify(&self.worker, &claim, &proof)
                        .or_else(|refusal| identify(&self.worker, &claim, &on_old).map_err(|_| refusal))
                };
                match try_both() {
                    // The account may have been made, or its password changed, a moment ago.
                    Err(refusal) if refusal.code == 1045 && refresh(&self.worker, &claim).await => try_both(),
                    outcome => outcome,
                }
            }
        };
        let admitted = match standing {
            Ok(Standing::Known(identity)) => Ok((identity, None)),
            Ok(Standing::AtServer(mut applicant)) => {
                // The proof that came with the command may be for other random bytes than the greeting's.
                applicant.native_failed = false;
                // Whatever comes of it: what there is belongs to the former user.
                self.drop_connections().await;
                self.forward(&mut sequence, &claim, &applicant).await?
            }
            Err(refusal) => Err(refusal),
        };
        let (identity, own) = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return self.stay(sequence, refusal, proved_itself).await,
        };
        self.drop_connections().await;
        self.forget_user();
        let charset = match collation {
            Some(id) => {
                Charset::of_handshake(id, &self.worker.core.cluster(identity.cluster).view().catalogue)
            }
            None => self.initial.charset.clone(),
        };
        self.identity = identity;
        self.adopt_identity();
        if let Some(backend) = own {
            self.keep_for_good(backend);
        }
        self.set_state(StateSet { charset, ..StateSet::of_new_connection() });
        self.enter(sequence, claim.database).await
    }

    /// After a change of user that was refused the client is who it was, in its database and with nothing else of its
    /// session (tried on MariaDB 10.11). Who had proved itself on a connection of its own would have to do so again.
    async fn stay(&mut self, sequence: u8, refusal: ServerError, proved_itself: bool) -> Result<(), End> {
        self.send_error(sequence, &refusal).await?;
        if proved_itself {
            return Err(End::Refused(refusal.message));
        }
        self.drop_connections().await;
        self.begin_again();
        Ok(())
    }

    /// Has the primary check the client.
    async fn forward(
        &mut self,
        sequence: &mut u8,
        claim: &Claim,
        applicant: &Applicant,
    ) -> Result<Result<(Identity, Option<Backend>), ServerError>, End> {
        let (worker, shared) = (self.worker.clone(), self.shared.clone());
        let (worker, shared, shape) = (&worker, &*shared, self.shape);
        let expired_passwords = self.client.capabilities & Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS;
        let forwarding = Forwarding { worker, shared, claim, applicant, shape, expired_passwords };
        let mut changing = Changing { session: self, sequence };
        let admitted = Box::pin(forwarding.run(&mut changing)).await?;
        Ok(admitted.map(|(identity, backend)| (identity, Some(backend))))
    }

    async fn ask_again(
        &mut self,
        sequence: &mut u8,
        scramble: &[u8; 20],
        sha2: bool,
    ) -> Result<Vec<u8>, End> {
        let mut data = scramble.to_vec();
        data.push(0);
        let plugin: &[u8] = if sha2 { b"caching_sha2_password" } else { b"mysql_native_password" };
        let mut token = self.asked_for(sequence, &AuthSwitchRequest { plugin, data: &data }).await?;
        let full = if sha2 { caching_sha2::LEN } else { native::LEN };
        if token.len() == full + 1 || token == [0] {
            token.pop();
        }
        Ok(token)
    }

    /// The client's answer to a wish for another plugin.
    async fn asked_for(
        &mut self,
        sequence: &mut u8,
        request: &AuthSwitchRequest<'_>,
    ) -> Result<Vec<u8>, End> {
        self.send_payload(*sequence, &request.encode()).await?;
        let expected = sequence.wrapping_add(2);
        match read_packet(&self.worker, &self.shared, &mut self.client, expected).await? {
            Ok(packet) => {
                *sequence = packet.sequence;
                Ok(packet.payload().to_vec())
            }
            Err(refusal) => {
                self.send_error(expected, &refusal).await?;
                Err(End::Refused(refusal.message))
            }
        }
    }
}

/// A client that changes its user.
struct Changing<'a> {
    session: &'a mut Session,
    /// Of the client's last packet.
    sequence: &'a mut u8,
}

impl Asked for Changing<'_> {
    async fn ask(&mut self, challenge: &Challenge) -> Result<Vec<u8>, End> {
        let Challenge { plugin, data } = challenge;
        let request = AuthSwitchRequest { plugin: plugin.as_bytes(), data };
        self.session.asked_for(self.sequence, &request).await
    }
}
