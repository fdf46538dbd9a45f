//! `COM_CHANGE_USER`: another login on the same connection.

use mysql_wire::auth::{caching_sha2, native};
use mysql_wire::{AuthSwitchRequest, ChangeUser};

use super::client::CommandPacket;
use super::identity::{Claim, Proof, identify, refresh};
use super::login::read_packet;
use super::{End, Session, error};
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
        let mut sequence = command.sequence;
        let scramble = crate::scramble::fresh();
        let sha2 = wish.plugin == Some(b"caching_sha2_password")
            && self.worker.core.config.load().users.get(&claim.user).is_some_and(|u| u.password.is_some());
        let native_plugin = wish.plugin.is_none_or(|p| p == b"mysql_native_password");
        let first = Proof::Native { token: wish.auth.to_vec(), scramble: self.scramble };
        let identity = match identify(&self.worker, &claim, &first) {
            // Made on the greeting's scramble, as the protocol has it and servers accept it.
            Ok(identity) if native_plugin => Ok(identity),
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
        let identity = match identity {
            Ok(identity) => identity,
            Err(refusal) => {
                // As servers do: a failed change of user ends the connection.
                self.send_error(sequence, &refusal).await?;
                return Err(End::Refused(refusal.message));
            }
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
        self.set_state(StateSet { charset, ..StateSet::of_new_connection() });
        self.enter(sequence, claim.database).await
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
        let request = AuthSwitchRequest { plugin, data: &data };
        self.send_payload(*sequence, &request.encode()).await?;
        let expected = sequence.wrapping_add(2);
        match read_packet(&self.worker, &self.shared, &mut self.client, expected).await? {
            Ok(packet) => {
                *sequence = packet.sequence;
                let mut token = packet.payload().to_vec();
                let full = if sha2 { caching_sha2::LEN } else { native::LEN };
                if token.len() == full + 1 || token == [0] {
                    token.pop();
                }
                Ok(token)
            }
            Err(refusal) => {
                self.send_error(expected, &refusal).await?;
                Err(End::Refused(refusal.message))
            }
        }
    }
}
