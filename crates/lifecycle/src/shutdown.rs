//! The one signal that ends the process in order.

use tokio::sync::watch;

/// Announces the shutdown. Clones announce the same one.
#[derive(Clone, Debug)]
pub struct ShutdownTrigger(watch::Sender<bool>);

impl ShutdownTrigger {
    /// Tells everybody who holds a [`Shutdown`] of this trigger; again is harmless.
    pub fn shut_down(&self) {
        self.0.send_replace(true);
    }
}

/// Tells when the process is to end. Cheap to clone; works across threads and runtimes.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// A signal and what it is given with.
    pub fn new() -> (ShutdownTrigger, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownTrigger(sender), Shutdown(receiver))
    }

    /// Whether the shutdown has been announced.
    pub fn is_set(&self) -> bool {
        // Without a trigger nobody could announce it any more: the owner is gone, so it is over.
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns once the shutdown is announced, at once if it was. Cancel-safe.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        // An error means that every trigger is gone, which ends the wait as well.
        let _ = receiver.wait_for(|announced| *announced).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn everybody_hears_it_whether_they_waited_before_or_ask_later() {
        let (trigger, early) = Shutdown::new();
        let late = early.clone();
        assert!(!late.is_set());
        let other_thread = std::thread::spawn(move || block_on(early.wait()));
        trigger.shut_down();
        trigger.shut_down();
        other_thread.join().unwrap();
        assert!(late.is_set());
        block_on(late.wait());
    }

    #[test]
    fn an_owner_that_is_gone_counts_as_a_shutdown() {
        let (trigger, shutdown) = Shutdown::new();
        drop(trigger);
        assert!(shutdown.is_set());
        block_on(shutdown.wait());
    }
}
