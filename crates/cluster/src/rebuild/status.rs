//! How far a rebuild is, for people and for the controller.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use coordination::{Rebuild, Versioned};
use serde::Serialize;

/// As `hadal status` and the API show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RebuildStatus {
    pub donor: String,
    /// What is being done, in a few words.
    pub step: &'static str,
    /// Of the copy, that have come through hadal.
    pub bytes: u64,
    /// How many they will be, about; 0 where that is not known.
    pub expected_bytes: u64,
    /// The which attempt it is.
    pub attempt: u32,
    /// Why it ended without success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Written by the job, read by the controller.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) server: String,
    record: Mutex<Versioned<Rebuild>>,
    step: Mutex<&'static str>,
    pub(super) bytes: AtomicU64,
    pub(super) expected: AtomicU64,
}

impl Progress {
    pub(crate) fn new(server: &str, record: Versioned<Rebuild>) -> Self {
        Self {
            server: server.to_owned(),
            record: Mutex::new(record),
            step: Mutex::new("beginning"),
            bytes: AtomicU64::new(0),
            expected: AtomicU64::new(0),
        }
    }

    /// As it was last written to the store.
    pub(crate) fn record(&self) -> Versioned<Rebuild> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn written(&self, record: Versioned<Rebuild>) {
        *self.record.lock().unwrap_or_else(PoisonError::into_inner) = record;
    }

    pub(super) fn at(&self, step: &'static str) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    pub(crate) fn status(&self) -> RebuildStatus {
        let record = self.record().value;
        RebuildStatus {
            donor: record.donor,
            step: *self.step.lock().unwrap_or_else(PoisonError::into_inner),
            bytes: self.bytes.load(Ordering::Relaxed),
            expected_bytes: self.expected.load(Ordering::Relaxed),
            attempt: record.attempts,
            failed: None,
        }
    }
}

impl RebuildStatus {
    /// Of one that nobody works on at present.
    pub(crate) fn resting(record: &Rebuild) -> Self {
        Self {
            donor: record.donor.clone(),
            step: if record.failed.is_some() { "failed" } else { "waiting" },
            bytes: 0,
            expected_bytes: 0,
            attempt: record.attempts,
            failed: record.failed.clone(),
        }
    }
}
