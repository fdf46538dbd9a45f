//! What a login proves itself with. Nothing in here is ever shown by `Debug`, and passwords are wiped from memory.

use std::fmt;

use zeroize::Zeroizing;

use crate::auth::native;

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    pub fn new(password: impl Into<Vec<u8>>) -> Self {
        Password(Zeroizing::new(password.into()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(password: &str) -> Self {
        Password::new(password)
    }
}

impl From<String> for Password {
    fn from(password: String) -> Self {
        Password::new(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// What is known about a user's password.
#[derive(Clone, Default)]
pub enum Secret {
    /// The account has none.
    #[default]
    None,
    Password(Password),
    /// `SHA1(password)`, recovered from a client's proof: enough for `mysql_native_password` and for nothing else.
    NativeStage1([u8; 20]),
}

impl Secret {
    /// A secret from a password; an empty one is none.
    pub fn password(password: impl Into<Vec<u8>>) -> Secret {
        let password = Password::new(password);
        if password.as_bytes().is_empty() { Secret::None } else { Secret::Password(password) }
    }

    /// The proof by `mysql_native_password` for a scramble of 20 bytes.
    pub fn native_proof(&self, scramble: &[u8]) -> Vec<u8> {
        match self {
            Secret::None => Vec::new(),
            Secret::Password(password) => native::scramble_password(scramble, password.as_bytes()),
            Secret::NativeStage1(stage1) => native::from_stage1(scramble, stage1).to_vec(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Secret::None => "None",
            Secret::Password(_) => "Password(..)",
            Secret::NativeStage1(_) => "NativeStage1(..)",
        })
    }
}
