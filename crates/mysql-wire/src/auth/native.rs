//! `mysql_native_password`: SHA-1, with a stored hash of two rounds.
//!
//! The server stores `SHA1(SHA1(password))`. The client sends `SHA1(password)` covered by
//! `SHA1(scramble ++ stored)`; who has the stored hash can uncover the former, and with it log in elsewhere as the same
//! user. That is how a session's own proof opens its server connections without a password list.

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// Length of a SHA-1 sum and of a proof.
pub const LEN: usize = 20;

/// `SHA1(password)`, the first of the two rounds: worth as much as the password itself.
pub fn stage1(password: &[u8]) -> [u8; LEN] {
    Sha1::digest(password).into()
}

/// `SHA1(SHA1(password))`, what a server stores.
pub fn stored(password: &[u8]) -> [u8; LEN] {
    Sha1::digest(stage1(password)).into()
}

/// The proof of `password` on `scramble`. An empty password is proved by an empty answer.
pub fn scramble_password(scramble: &[u8], password: &[u8]) -> Vec<u8> {
    if password.is_empty() { Vec::new() } else { from_stage1(scramble, &stage1(password)).to_vec() }
}

/// The proof on `scramble`, from `SHA1(password)`.
pub fn from_stage1(scramble: &[u8], stage1: &[u8; LEN]) -> [u8; LEN] {
    let stored: [u8; LEN] = Sha1::digest(stage1).into();
    xor(stage1, &cover(scramble, &stored))
}

/// Checks a proof against what the server stores, and gives back the `SHA1(password)` in it. The comparison takes the
/// same time for every wrong proof.
pub fn verify(token: &[u8], scramble: &[u8], stored: &[u8; LEN]) -> Option<[u8; LEN]> {
    let token: &[u8; LEN] = token.try_into().ok()?;
    let stage1 = xor(token, &cover(scramble, stored));
    let again: [u8; LEN] = Sha1::digest(stage1).into();
    bool::from(again.ct_eq(stored)).then_some(stage1)
}

/// Reads the stored form, `*` and 40 hexadecimal digits.
pub fn parse_stored(text: &str) -> Option<[u8; LEN]> {
    let digits = text.strip_prefix('*')?.as_bytes();
    if digits.len() != 2 * LEN {
        return None;
    }
    let mut hash = [0; LEN];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |sum, &digit| Some(sum << 4 | hex(digit)?))?;
    }
    Some(hash)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn cover(scramble: &[u8], stored: &[u8; LEN]) -> [u8; LEN] {
    Sha1::new().chain_update(scramble).chain_update(stored).finalize().into()
}

fn xor(left: &[u8; LEN], right: &[u8; LEN]) -> [u8; LEN] {
    let mut out = *left;
    out.iter_mut().zip(right).for_each(|(byte, other)| *byte ^= other);
    out
}
