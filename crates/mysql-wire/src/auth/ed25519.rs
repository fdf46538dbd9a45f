//! MariaDB's `client_ed25519`: a signature over the server's 32 random bytes.
//!
//! It is Ed25519 as in RFC 8032, but for one thing: the secret seed is the password itself, of any length, where the
//! standard has 32 random bytes. The server stores the public key, in base64 without padding (43 characters).

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

/// Length of the server's random bytes.
pub const SCRAMBLE_LEN: usize = 32;
/// Length of a public key.
pub const KEY_LEN: usize = 32;
/// Length of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// A signature for no password. Servers count an answer of another length as a fault of the peer's host, and block a host
/// that has too many (`max_connect_errors`); this one they count as a wrong password.
pub const NO_SIGNATURE: [u8; SIGNATURE_LEN] = [0; SIGNATURE_LEN];

/// The signature over `scramble` with `password` as the seed.
pub fn sign(scramble: &[u8], password: &[u8]) -> [u8; SIGNATURE_LEN] {
    let (secret, prefix) = expand(password);
    let key = EdwardsPoint::mul_base(&secret).compress().to_bytes();
    let nonce = wide(&[&prefix, scramble]);
    let point = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    let answer = nonce + wide(&[&point, &key, scramble]) * secret;
    let mut signature = [0; SIGNATURE_LEN];
    let (first, second) = signature.split_at_mut(32);
    first.copy_from_slice(&point);
    second.copy_from_slice(&answer.to_bytes());
    signature
}

/// The public key that belongs to `password`.
pub fn public_key(password: &[u8]) -> [u8; KEY_LEN] {
    EdwardsPoint::mul_base(&expand(password).0).compress().to_bytes()
}

/// Checks a signature over `scramble` against a public key.
pub fn verify(signature: &[u8], scramble: &[u8], key: &[u8; KEY_LEN]) -> bool {
    check(signature, scramble, key).unwrap_or(false)
}

fn check(signature: &[u8], scramble: &[u8], key: &[u8; KEY_LEN]) -> Option<bool> {
    let (point, answer) = signature.split_first_chunk::<32>()?;
    let answer = Option::<Scalar>::from(Scalar::from_canonical_bytes(answer.try_into().ok()?))?;
    let public = CompressedEdwardsY(*key).decompress()?;
    let challenge = wide(&[point, key, scramble]);
    let expected = EdwardsPoint::mul_base(&answer) - challenge * public;
    Some(expected.compress().to_bytes().ct_eq(point).into())
}

/// Reads the stored form of a public key: 43 characters of base64.
pub fn parse_stored(text: &str) -> Option<[u8; KEY_LEN]> {
    let digits = text.as_bytes();
    if digits.len() != 43 {
        return None;
    }
    let mut key = [0; KEY_LEN];
    for (bytes, four) in key.chunks_mut(3).zip(digits.chunks(4)) {
        let word = four.iter().try_fold(0u32, |sum, &digit| Some(sum << 6 | base64_value(digit)?))?;
        let word = word << (6 * (4 - four.len()));
        let [_, decoded @ ..] = word.to_be_bytes();
        bytes.iter_mut().zip(decoded).for_each(|(byte, value)| *byte = value);
    }
    Some(key)
}

fn base64_value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// The secret scalar and the prefix of the nonce, both from the password.
fn expand(password: &[u8]) -> (Scalar, [u8; 32]) {
    let hash: [u8; 64] = Sha512::digest(password).into();
    let (mut secret, mut prefix) = ([0; 32], [0; 32]);
    let (first, second) = hash.split_at(32);
    secret.copy_from_slice(first);
    prefix.copy_from_slice(second);
    (Scalar::from_bytes_mod_order(clamp_integer(secret)), prefix)
}

fn wide(parts: &[&[u8]]) -> Scalar {
    let hash = parts.iter().fold(Sha512::new(), |hash, part| hash.chain_update(part));
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}
