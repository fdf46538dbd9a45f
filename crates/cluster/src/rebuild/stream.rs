//! The way of the bytes from the donor to the target.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until};

const PIECE: usize = 256 * 1024;

/// Copies until the donor has no more, and counts. With `bytes_per_s` other than 0 never faster than that: the donor waits.
pub(super) async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    counted: &AtomicU64,
    bytes_per_s: u64,
) -> std::io::Result<()> {
    let mut piece = vec![0_u8; PIECE];
    let mut due = Instant::now();
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(piece.get(..count).unwrap_or_default()).await?;
        counted.fetch_add(count as u64, Ordering::Relaxed);
        if bytes_per_s > 0 {
            // Time in which nothing came is not made up for.
            due = due.max(Instant::now()) + Duration::from_secs_f64(count as f64 / bytes_per_s as f64);
            sleep_until(due).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn everything_arrives_and_not_too_fast() {
        let (sent, counted) = (vec![7_u8; 3_000_000], AtomicU64::new(0));
        let mut received = Vec::new();
        let began = Instant::now();
        copy(sent.as_slice(), &mut received, &counted, 1_000_000).await.unwrap();
        assert_eq!(received, sent);
        assert_eq!(counted.load(Ordering::Relaxed), 3_000_000);
        // The clock of the test stands still but for sleeping.
        assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    }
}
