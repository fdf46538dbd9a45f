//! Proofs of passwords, one module for each plugin; both sides of each where both are needed.

pub mod caching_sha2;
pub mod ed25519;
pub mod native;

/// The plugins' names on the wire.
pub const NATIVE: &str = "mysql_native_password";
pub const CACHING_SHA2: &str = "caching_sha2_password";
pub const ED25519: &str = "client_ed25519";
pub const CLEAR: &str = "mysql_clear_password";

/// Random bytes for a greeting or an auth switch. None of them is zero, which would end the scramble early, and all
/// are below 128, for clients that treat it as text.
pub fn random_scramble() -> Result<[u8; 20], getrandom::Error> {
    let mut scramble = [0; 20];
    getrandom::fill(&mut scramble)?;
    // 1..=127: the two values that fold onto others cost a small fraction of a bit each.
    scramble.iter_mut().for_each(|byte| *byte = *byte % 127 + 1);
    Ok(scramble)
}
