//! The pool's locks and the counters on which its invariants hang. In tests each access to one of them is a moment at
//! which another thread may come in between (`interleave`).

#[cfg(not(test))]
pub(super) use std::sync::Mutex;
#[cfg(not(test))]
pub(super) use std::sync::atomic::{AtomicU32, AtomicUsize};

#[cfg(test)]
pub(super) use super::interleave::{AtomicU32, AtomicUsize, Mutex, lock};

/// What a panic has left in a lock is used as it is: no critical section here leaves anything half done.
#[cfg(not(test))]
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
