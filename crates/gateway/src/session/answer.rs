//! Answers that the gateway makes itself.

use mysql_wire::{OkPacket, ServerError, StatusFlags, TextResult};

use super::{End, Session};

impl Session {
    /// What a server would report of this session between two statements.
    pub(super) fn status(&self) -> StatusFlags {
        let mut status = StatusFlags::default();
        if !self.autocommit_off() {
            status = status.with(StatusFlags::AUTOCOMMIT);
        }
        if self.pins.contains(super::Pins::TRANSACTION) {
            status = status.with(StatusFlags::IN_TRANS);
            if self.last_status.contains(StatusFlags::IN_TRANS_READONLY) {
                status = status.with(StatusFlags::IN_TRANS_READONLY);
            }
        }
        if self.mode.no_backslash_escapes {
            status = status.with(StatusFlags::NO_BACKSLASH_ESCAPES);
        }
        if self.mode.ansi_quotes {
            status = status.with(StatusFlags::ANSI_QUOTES);
        }
        status
    }

    /// An error in answer to the command whose last packet had this sequence number.
    pub(super) async fn send_error(&mut self, sequence: u8, error: &ServerError) -> Result<(), End> {
        let payload = error.encode();
        self.send_payload(sequence, &payload).await
    }

    /// An error of the gateway's own making: the message begins with `hadal:`.
    pub(super) async fn refuse(
        &mut self,
        sequence: u8,
        code: u16,
        state: &str,
        text: &str,
    ) -> Result<(), End> {
        self.send_error(sequence, &super::error(code, state, format!("hadal: {text}"))).await
    }

    pub(super) async fn send_ok(&mut self, sequence: u8) -> Result<(), End> {
        let ok = OkPacket::new(self.status());
        let mut payload = Vec::with_capacity(16);
        ok.encode(self.client.capabilities, &mut payload);
        self.send_payload(sequence, &payload).await
    }

    pub(super) async fn send_result(&mut self, sequence: u8, result: &TextResult<'_>) -> Result<(), End> {
        let status = self.status();
        let capabilities = self.client.capabilities;
        result.encode(capabilities, status, 0, &mut sequence.wrapping_add(1), &mut self.client.output);
        self.flush().await
    }

    pub(super) async fn send_payload(&mut self, sequence: u8, payload: &[u8]) -> Result<(), End> {
        self.clock = std::time::Instant::now();
        mysql_wire::write_packet(&mut self.client.output, &mut sequence.wrapping_add(1), payload);
        self.flush().await
    }

    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let (shared, worker, client) = (&self.shared, &self.worker, &mut self.client);
        let flushed = std::future::poll_fn(|cx| {
            let flushed = client.poll_flush(cx);
            if flushed.is_pending() {
                shared.set_stalled(worker.now_ms().max(1));
                if shared.must_stop(cx.waker()) {
                    return std::task::Poll::Ready(Err(End::Killed));
                }
            }
            flushed.map_err(End::Client)
        });
        let flushed = flushed.await;
        self.shared.set_stalled(0);
        flushed
    }
}
