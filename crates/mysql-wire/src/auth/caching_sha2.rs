//! `caching_sha2_password`: SHA-256, with a cache of hashes on the server.
//!
//! Where the server has `SHA256(SHA256(password))` at hand it checks the client's scramble (the fast path) and says
//! [`FAST_OK`]; else it says [`FULL_AUTH`] and wants the password itself, which only TLS or a Unix socket may carry.
//!
//! The plugin also knows a way without TLS: the client asks for the server's RSA key and sends the password encrypted. It
//! is left out on purpose. The key comes over the same unprotected connection, so whoever stands between replaces it by
//! his own and reads the password; it would be sound only with a key that was configured beforehand, and who can
//! distribute a key can distribute a certificate.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Length of a SHA-256 sum and of a proof.
pub const LEN: usize = 32;

/// The server's word that the proof was right; an OK follows.
pub const FAST_OK: u8 = 3;
/// The server's word that it needs the password itself.
pub const FULL_AUTH: u8 = 4;

/// `SHA256(SHA256(password))`, what the fast path is checked against.
pub fn stored(password: &[u8]) -> [u8; LEN] {
    Sha256::digest(Sha256::digest(password)).into()
}

/// The proof of `password` on `scramble`. An empty password is proved by an empty answer.
pub fn scramble_password(scramble: &[u8], password: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let stage1: [u8; LEN] = Sha256::digest(password).into();
    let stored: [u8; LEN] = Sha256::digest(stage1).into();
    xor(&stage1, &cover(scramble, &stored)).to_vec()
}

/// Checks a proof against `SHA256(SHA256(password))`, and gives back the `SHA256(password)` in it.
pub fn verify(token: &[u8], scramble: &[u8], stored: &[u8; LEN]) -> Option<[u8; LEN]> {
    let token: &[u8; LEN] = token.try_into().ok()?;
    let stage1 = xor(token, &cover(scramble, stored));
    let again: [u8; LEN] = Sha256::digest(stage1).into();
    bool::from(again.ct_eq(stored)).then_some(stage1)
}

/// Unlike in the native plugin, the scramble comes second.
fn cover(scramble: &[u8], stored: &[u8; LEN]) -> [u8; LEN] {
    Sha256::new().chain_update(stored).chain_update(scramble).finalize().into()
}

fn xor(left: &[u8; LEN], right: &[u8; LEN]) -> [u8; LEN] {
    let mut out = *left;
    out.iter_mut().zip(right).for_each(|(byte, other)| *byte ^= other);
    out
}
