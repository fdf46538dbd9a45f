//! The connection of a session whose login was forwarded (see [`super::forwarded`]): it is the session's for good, and
//! goes to nobody afterwards.

use std::sync::atomic::Ordering;

use mysql_wire::ServerError;

use super::{End, InsertId, Pins, Session, UNREACHABLE, error};
use crate::backend::Backend;
use crate::place::Place;
use crate::route::RouteError;

impl Session {
    pub(super) fn has_own_connection(&self) -> bool {
        self.pins.contains(Pins::FORWARDED_LOGIN)
    }

    pub(super) fn keep_for_good(&mut self, backend: Backend) {
        self.only_own();
        self.shared.set_backend(Some((backend.place, backend.thread_id)));
        self.held = Some(backend);
    }

    fn only_own(&mut self) {
        self.pins = Pins::FORWARDED_LOGIN;
        self.shared.pins.store(self.pins.bits(), Ordering::Relaxed);
    }

    /// `COM_RESET_CONNECTION` where there is no other connection to be had. What outlives it on a server outlives it here.
    pub(super) async fn reset_own(&mut self) -> Result<(), End> {
        let Some(own) = &mut self.held else { return Err(End::StateLost("its own connection".into())) };
        let core = self.worker.core.clone();
        let reset = own.reset(&core.new_connection_state, |state| core.interner.intern(state));
        reset.await.map_err(|failed| End::StateLost(failed.to_string()))?;
        self.only_own();
        self.end_split();
        self.opening = None;
        self.insert_id = InsertId::Known(0);
        Ok(())
    }

    /// Puts the session's own connection into the session's state, after that was set anew.
    pub(super) async fn renew_own(&mut self) -> Result<(), End> {
        let Some(mut own) = self.held.take() else { return Ok(()) };
        let state = self.state.clone();
        let renewed = self.bring_into(&mut own, &state).await;
        self.held = Some(own);
        renewed.map_err(|failed| End::StateLost(failed.to_string()))
    }

    /// Says KILL on the session's own connection, since it can open no other.
    pub(super) async fn kill_over_own(&mut self, place: Place, kill: &str) -> Result<(), ServerError> {
        let failed = |why: String| error(UNREACHABLE, "HY000", format!("hadal: could not kill: {why}"));
        match &mut self.held {
            Some(own) if own.place == place => {
                own.query(kill.as_bytes()).await.map_err(|refused| failed(refused.to_string())).map(drop)
            }
            _ => Err(failed("the account can log in only where its client proves itself".into())),
        }
    }

    /// Another server has become the primary, and the session cannot go there.
    pub(super) fn is_stranded(&self, why: &RouteError) -> bool {
        self.has_own_connection() && matches!(why, RouteError::PinnedElsewhere { .. })
    }
}
