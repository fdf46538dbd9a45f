//! Proves a secret to a server, by whichever plugin it asks for.

use crate::auth::{CACHING_SHA2, CLEAR, ED25519, NATIVE, caching_sha2, ed25519};
use crate::greeting::SCRAMBLE_LEN;
use crate::login::LoginError;
use crate::malformed::Malformed;
use crate::secret::Secret;

/// A secret, and the plugin that it is being proved by.
#[derive(Debug)]
pub(crate) struct Prover {
    secret: Secret,
    secure_transport: bool,
    plugin: String,
}

/// What to do with a plugin's data.
pub(crate) enum Reply {
    Send(Vec<u8>),
    Wait,
}

impl Prover {
    pub(crate) fn new(secret: Secret, secure_transport: bool) -> Self {
        Prover { secret, secure_transport, plugin: String::new() }
    }

    /// Goes on with `plugin`.
    pub(crate) fn with_plugin(self, plugin: String) -> Self {
        Prover { plugin, ..self }
    }

    /// The first answer to `plugin` on `scramble`, which may have the zero behind it that some plugins send.
    pub(crate) fn proof(&self, plugin: &str, scramble: &[u8]) -> Result<Vec<u8>, LoginError> {
        match plugin {
            NATIVE => Ok(self.secret.native_proof(of_length(scramble, SCRAMBLE_LEN)?)),
            CACHING_SHA2 => {
                let scramble = of_length(scramble, SCRAMBLE_LEN)?;
                Ok(caching_sha2::scramble_password(scramble, self.password(plugin)?))
            }
            ED25519 => {
                let scramble = of_length(scramble, ed25519::SCRAMBLE_LEN)?;
                Ok(ed25519::sign(scramble, self.password(plugin)?).to_vec())
            }
            CLEAR => self.clear(plugin),
            _ => Err(LoginError::UnsupportedPlugin(plugin.to_owned())),
        }
    }

    /// The answer to more data of the present plugin.
    pub(crate) fn more(&self, data: &[u8]) -> Result<Reply, LoginError> {
        match (self.plugin.as_str(), data) {
            (CACHING_SHA2, [caching_sha2::FAST_OK]) => Ok(Reply::Wait),
            (CACHING_SHA2, [caching_sha2::FULL_AUTH]) if !self.secure_transport => Err(LoginError::NotCached),
            (CACHING_SHA2, [caching_sha2::FULL_AUTH]) => self.clear(CACHING_SHA2).map(Reply::Send),
            _ => Err(LoginError::Unexpected("data that the authentication plugin does not know")),
        }
    }

    /// The password itself, which nobody on the way may read.
    fn clear(&self, plugin: &str) -> Result<Vec<u8>, LoginError> {
        if !self.secure_transport {
            return Err(LoginError::NeedsSecureTransport { plugin: plugin.to_owned() });
        }
        let mut answer = self.password(plugin)?.to_vec();
        answer.push(0);
        Ok(answer)
    }

    fn password(&self, plugin: &str) -> Result<&[u8], LoginError> {
        match &self.secret {
            Secret::None => Ok(&[]),
            Secret::Password(password) => Ok(password.as_bytes()),
            Secret::NativeStage1(_) => Err(LoginError::SecretCannotProve { plugin: plugin.to_owned() }),
        }
    }
}

/// The scramble proper. What it ends with does not tell: the last byte of 32 random ones may well be zero.
fn of_length(scramble: &[u8], len: usize) -> Result<&[u8], Malformed> {
    scramble.get(..len).ok_or(Malformed::new("scramble", "too short for its plugin"))
}
