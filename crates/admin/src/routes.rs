//! The answers, by subject.

pub(crate) mod clusters;
pub(crate) mod configuration;
pub(crate) mod gateway;
pub(crate) mod health;
pub(crate) mod metrics;
