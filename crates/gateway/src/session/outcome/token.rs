//! Tokens: sixteen bytes that no other commit has.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, then the process, then a number. Ordered by time, so that they are written to the end of the index,
/// and old ones are deleted from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token([u8; 16]);

/// As hexadecimal digits.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// Makes the tokens of one process.
#[derive(Debug)]
pub(crate) struct Tokens {
    process: [u8; 6],
    next: AtomicU64,
}

impl Default for Tokens {
    fn default() -> Self {
        let random = crate::scramble::fresh();
        let mut process = [0; 6];
        process.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
        Self { process, next: AtomicU64::new(0) }
    }
}

impl Tokens {
    pub(crate) fn next(&self) -> Token {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut token = [0; 16];
        token[..4].copy_from_slice(&(seconds as u32).to_be_bytes());
        token[4..10].copy_from_slice(&self.process);
        token[10..].copy_from_slice(&number.to_be_bytes()[2..]);
        Token(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_ordered_by_time_first() {
        let tokens = Tokens::default();
        let (one, two) = (tokens.next(), tokens.next());
        assert_ne!(one, two);
        assert_eq!(one.0[4..10], two.0[4..10]);
        assert_ne!(Tokens::default().next().0[4..], one.0[4..], "another process");
        assert_eq!(one.to_string().len(), 32);
    }
}
