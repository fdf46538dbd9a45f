//! Logins that only the server can check: the client's proof goes through to the primary.
//!
//! An `ed25519` signature holds for the random bytes of one server connection. hadal can check it, but it cannot make
//! another one, so it cannot log in as this user by itself. The connection that the client has proved itself on is the
//! session's for its whole life, and nobody else ever gets it.
//!
//! The same way comes whose password has expired. A server keeps such a connection from everything but a change of the
//! password, so that it is no use in a pool.
//!
//! Who has proved nothing yet occupies a server connection meanwhile. There are at most [`MOST_AT_ONCE`] of those in a
//! cluster, each for a few seconds, and the server is always given an answer: it blocks a host that leaves too many
//! logins unanswered (`max_connect_errors`), and for the server that host is hadal.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use mysql_client::{Challenge, ConnectError, Connected, Forwarded, Unproved};
use mysql_wire::auth::{ED25519, NATIVE, ed25519, native};
use mysql_wire::{Capabilities, Secret, ServerError};
use tokio::sync::OwnedSemaphorePermit;
use topology::{Account, Address, AuthMethod};

use super::identity::{Claim, access_denied, account_of, forwarded_identity, refresh};
use super::{End, Identity, UNREACHABLE, error};
use crate::backend::{self, Backend, OpenError, Opening};
use crate::place::{ClusterIndex, Place};
use crate::pool::{Checkout, Slot, Want};
use crate::registry::SessionShared;
use crate::state::StateSet;
use crate::worker::Worker;

/// Server connections of one cluster on which nobody has proved anything yet. A proof takes two round trips, so that
/// these are enough for hundreds of logins a second; whoever comes while all are taken waits.
pub(crate) const MOST_AT_ONCE: usize = 16;

/// How long a client may think about its proof. Servers wait for twice as long by default (`connect_timeout`).
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// Proofs that one login is asked for, at most: no account has more plugins than that.
const MOST_PROOFS: usize = 8;

/// A client that the server has to check.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    pub(super) cluster: ClusterIndex,
    pub(super) account: Arc<Account>,
    /// It has given a native proof that does not fit the account: it is not asked for another one.
    pub(super) native_failed: bool,
    /// It has proved this to hadal: the server gets its native proof from hadal, without a question to the client.
    /// MariaDB's own library answers such a question, in a change of user, with the proof that it has given already.
    pub(super) proved: Option<Secret>,
}

/// Whoever can be asked for a proof.
pub(super) trait Asked {
    /// An error ends the session.
    async fn ask(&mut self, challenge: &Challenge) -> Result<Vec<u8>, End>;
}

/// Who the client turned out to be, and the connection on which it has proved that.
pub(super) type Admitted = (Identity, Backend);

/// Whether the account can be logged in to through the server, and has to be: hadal cannot make an `ed25519` proof, and
/// what an account may do whose password has expired is the server's to say. `unix_socket` asks nobody for anything.
pub(super) fn is_forwarded(account: &Account) -> bool {
    let known = |method: &AuthMethod| match method {
        AuthMethod::Native(_) | AuthMethod::Ed25519(_) => true,
        AuthMethod::Other(plugin) => plugin == "unix_socket",
    };
    let asks = |method: &AuthMethod| match method {
        AuthMethod::Ed25519(_) => true,
        AuthMethod::Native(_) => account.password_expired,
        AuthMethod::Other(_) => false,
    };
    account.methods.iter().all(known) && account.methods.iter().any(asks)
}

/// A proof as the client gave it.
struct Given {
    challenge: Challenge,
    proof: Vec<u8>,
}

impl Given {
    /// Whether it proves what the account asks for. The server has checked it, too, but against the account that covers
    /// hadal's own host.
    fn fits(&self, account: &Account) -> bool {
        let scramble = |len: usize| self.challenge.data.get(..len).unwrap_or_default();
        account.methods.iter().any(|method| match (method, self.challenge.plugin.as_str()) {
            (AuthMethod::Ed25519(key), ED25519) => {
                ed25519::verify(&self.proof, scramble(ed25519::SCRAMBLE_LEN), key)
            }
            (AuthMethod::Native(Some(stored)), NATIVE) => {
                native::verify(&self.proof, scramble(native::LEN), stored).is_some()
            }
            (AuthMethod::Native(None), NATIVE) => self.proof.is_empty(),
            _ => false,
        })
    }
}

/// What a login occupies until its server has had the last word.
struct Occupied {
    slot: Slot,
    _door: OwnedSemaphorePermit,
}

/// What the server has taken for proved, and by which proofs.
struct Proved {
    slot: Slot,
    connected: Connected,
    given: Vec<Given>,
}

/// A login on its way through to the primary.
pub(super) struct Forwarding<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) shared: &'a SessionShared,
    pub(super) claim: &'a Claim,
    pub(super) applicant: &'a Applicant,
    /// The client's capabilities, as far as they shape responses.
    pub(super) shape: Capabilities,
    /// `CAN_HANDLE_EXPIRED_PASSWORDS`, where the client has it.
    pub(super) expired_passwords: Capabilities,
}

impl Forwarding<'_> {
    /// Has the primary check the client. `Ok(Err(…))` is for the client.
    pub(super) async fn run(&self, client: &mut impl Asked) -> Result<Result<Admitted, ServerError>, End> {
        let Some((place, address, epoch)) = self.primary() else { return Ok(Err(self.no_primary())) };
        let identity = forwarded_identity(self.worker, self.claim, self.applicant);
        let occupied = match self.occupy(&identity, place).await? {
            Ok(occupied) => occupied,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let opening = Opening {
            address: &address,
            secret: Secret::None,
            capabilities: self.shape,
            state: self.worker.core.new_connection_state.clone(),
            worker: self.worker.index,
            epoch,
        };
        let generation = occupied.slot.pool().generation();
        let mut options = backend::options(&occupied.slot, &opening);
        let entered = self.enters_at_once();
        options.login.database = entered.map(<[u8]>::to_vec);
        options.login.capabilities |= self.expired_passwords;
        let proved = match mysql_client::forward(&options).await {
            Ok(begun) => self.prove(begun, occupied, client).await?,
            Err(failed) => Err(failed),
        };
        let Proved { slot, connected, given } = match proved {
            Ok(proved) => proved,
            Err(failed) => return Ok(Err(self.refusal(place, &address, failed))),
        };
        if !self.fits(&given).await {
            return Ok(Err(self.denied()));
        }
        let adopted = backend::adopt(slot, &opening, connected, generation).await;
        Ok(match adopted {
            Ok(mut backend) => {
                backend.exclusive = true;
                if let Some(database) = entered {
                    let state = StateSet { database: Some(database.into()), ..(*backend.state).clone() };
                    backend.state = self.worker.core.interner.intern(state);
                }
                Ok((identity, backend))
            }
            Err(OpenError::Refused(refusal)) => Err(refusal),
            Err(OpenError::Unreachable(why)) => Err(unreachable(&address, &why)),
        })
    }

    /// The database that the login itself enters: whose password has expired may say nothing before it is changed, not
    /// even `USE`. Of a name in another character set than UTF-8 only a server can say how it is called.
    fn enters_at_once(&self) -> Option<&[u8]> {
        let database = self.claim.database.as_deref().filter(|database| database.is_ascii());
        database.filter(|_| self.applicant.account.password_expired)
    }

    fn primary(&self) -> Option<(Place, Arc<Address>, u64)> {
        let cluster = self.applicant.cluster;
        let view = self.worker.core.cluster(cluster).view();
        let primary = view.primary()?;
        Some((Place { cluster, server: primary.id }, primary.address.clone(), view.epoch))
    }

    /// A place among those who have proved nothing yet, and one in the user's pool.
    async fn occupy(&self, identity: &Identity, place: Place) -> Result<Result<Occupied, ServerError>, End> {
        let pool = identity.pools.at(place);
        let doors = self.worker.core.cluster(place.cluster).forwarding.clone();
        let entered = tokio::time::timeout(pool.limits().wait_timeout, doors.acquire_owned());
        let Ok(Ok(door)) = unless_stopped(self.shared, entered).await? else {
            let text = format!(
                "hadal: {MOST_AT_ONCE} clients of cluster {} have not proved who they are yet; try again",
                self.worker.core.cluster(place.cluster).name
            );
            return Ok(Err(error(1040, "08004", text)));
        };
        let state = self.worker.core.new_connection_state.clone();
        let want = Want { capabilities: self.shape, state: &state, statement: None };
        // Such a pool never has an idle connection, so that what it gives is the right to open one.
        Ok(match unless_stopped(self.shared, pool.checkout(&want, self.worker.index)).await? {
            Ok(Checkout::Open(slot)) => Ok(Occupied { slot, _door: door }),
            Ok(Checkout::Ready(idle)) => Ok(Occupied { slot: idle.into_slot(), _door: door }),
            Err(timed_out) => Err(error(1040, "08004", format!("hadal: {timed_out}"))),
        })
    }

    /// Passes on what the server asks and what the client answers, until the server has made up its mind.
    async fn prove(
        &self,
        mut step: Forwarded,
        occupied: Occupied,
        client: &mut impl Asked,
    ) -> Result<Result<Proved, ConnectError>, End> {
        let mut given: Vec<Given> = Vec::new();
        loop {
            let (unproved, challenge) = match step {
                Forwarded::Done(connected) => {
                    return Ok(Ok(Proved { slot: occupied.slot, connected, given }));
                }
                Forwarded::Asks(unproved, challenge) => (unproved, challenge),
            };
            let proof = match self.proof(&challenge, given.len(), client).await {
                Ok(proof) => proof,
                Err(end) => {
                    tokio::task::spawn_local(give_up(unproved, challenge, occupied));
                    return Err(end);
                }
            };
            step = match unproved.answer(&proof).await {
                Ok(next) => next,
                Err(failed) => return Ok(Err(failed)),
            };
            given.push(Given { challenge, proof });
        }
    }

    /// The client's answer, in the form that the plugin's answers have.
    async fn proof(
        &self,
        challenge: &Challenge,
        given: usize,
        client: &mut impl Asked,
    ) -> Result<Vec<u8>, End> {
        let plugin = challenge.plugin.as_str();
        if let (NATIVE, Some(secret)) = (plugin, &self.applicant.proved) {
            return Ok(secret.native_proof(challenge.data.get(..native::LEN).unwrap_or_default()));
        }
        let native_again = plugin == NATIVE && self.applicant.native_failed;
        if native_again || given >= MOST_PROOFS || !matches!(plugin, NATIVE | ED25519) {
            return Ok(no_proof(plugin));
        }
        let answered = tokio::time::timeout(self.longest_answer(), client.ask(challenge)).await;
        let proof = answered.unwrap_or(Err(End::IdleTooLong))?;
        let well_formed = match plugin {
            ED25519 => proof.len() == ed25519::SIGNATURE_LEN,
            _ => proof.is_empty() || proof.len() == native::LEN,
        };
        Ok(if well_formed { proof } else { no_proof(plugin) })
    }

    fn longest_answer(&self) -> Duration {
        let view = self.worker.core.cluster(self.applicant.cluster).view();
        let seconds = view.catalogue.globals.get("connect_timeout").and_then(|value| value.parse().ok());
        seconds.map_or(LONGEST_ANSWER, |s| LONGEST_ANSWER.min(Duration::from_secs(s) / 2))
    }

    /// Whether the proofs fit the client's own account, which may have been changed a moment ago.
    async fn fits(&self, given: &[Given]) -> bool {
        let fits = |account: &Account| given.iter().any(|given| given.fits(account));
        if fits(&self.applicant.account) {
            return true;
        }
        let now = match refresh(self.worker, self.claim).await {
            true => account_of(self.worker, self.claim, self.applicant.cluster),
            false => None,
        };
        now.is_some_and(|account| fits(&account))
    }

    fn denied(&self) -> ServerError {
        access_denied(self.worker, self.applicant.cluster, self.claim, true)
    }

    /// What the client is told of a login that has failed at the server: the server's own words, with the client's host
    /// in place of hadal's.
    fn refusal(&self, place: Place, address: &Address, failed: ConnectError) -> ServerError {
        match failed {
            ConnectError::Refused(refusal) if refusal.code == 1045 => self.denied(),
            ConnectError::Refused(refusal) => refusal,
            other => {
                self.worker.core.cluster(place.cluster).control.suspect(place.server);
                unreachable(address, &other.to_string())
            }
        }
    }

    fn no_primary(&self) -> ServerError {
        let text = format!(
            "hadal: {} logs in to the primary itself, and cluster {} has none at the moment; try again",
            self.claim.user,
            self.worker.core.cluster(self.applicant.cluster).name
        );
        error(UNREACHABLE, "HY000", text)
    }
}

fn unreachable(address: &Address, why: &str) -> ServerError {
    let text = format!("hadal: cannot reach the primary {address}: {why}; try again");
    error(UNREACHABLE, "HY000", text)
}

/// An answer that no password gives, of the form that the server expects.
fn no_proof(plugin: &str) -> Vec<u8> {
    match plugin {
        ED25519 => ed25519::NO_SIGNATURE.to_vec(),
        NATIVE => vec![0; native::LEN],
        _ => Vec::new(),
    }
}

/// Ends the login of a client that has gone, as one with a wrong password.
async fn give_up(mut unproved: Box<Unproved>, mut challenge: Challenge, occupied: Occupied) {
    for _ in 0..MOST_PROOFS {
        match unproved.answer(&no_proof(&challenge.plugin)).await {
            Ok(Forwarded::Asks(next, asked)) => (unproved, challenge) = (next, asked),
            Ok(Forwarded::Done(_)) | Err(_) => break,
        }
    }
    drop(occupied);
}

/// Waits for `work`, unless the session is killed or its time is up.
async fn unless_stopped<T>(shared: &SessionShared, work: impl Future<Output = T>) -> Result<T, End> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending if shared.must_stop(cx.waker()) => {
            Poll::Ready(Err(if shared.is_killed() { End::Killed } else { End::IdleTooLong }))
        }
        Poll::Pending => Poll::Pending,
    })
    .await
}
