//! Random bytes for logins.

/// Twenty bytes that no proof has been made on yet. None of them is zero or `$`, which old clients would trip over.
pub(crate) fn fresh() -> [u8; 20] {
    let mut bytes = [0u8; 20];
    // Without the system's randomness there is no safe login: fall back to what differs at least each time.
    if getrandom::fill(&mut bytes).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        bytes[..16].copy_from_slice(&now.as_nanos().to_le_bytes());
    }
    for byte in &mut bytes {
        *byte = match *byte & 0x7f {
            0 | b'$' => 0x55,
            other => other,
        };
    }
    bytes
}
