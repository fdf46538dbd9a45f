//! How the workers talk to the kernel about connections: decided once, at the start.

use std::fmt;
use std::io;

use config::GatewayIo;

use crate::ring;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IoChoice {
    IoUring,
    Epoll { why: String },
}

impl IoChoice {
    /// An error if only `io_uring` is wanted and it cannot be had.
    pub(crate) fn of(wanted: GatewayIo) -> io::Result<Self> {
        Self::with(wanted, ring::probe)
    }

    fn with(wanted: GatewayIo, probe: impl FnOnce() -> io::Result<()>) -> io::Result<Self> {
        match wanted {
            GatewayIo::Epoll => Ok(Self::Epoll { why: "gateway.io says so".into() }),
            GatewayIo::IoUring => probe().map(|()| Self::IoUring),
            GatewayIo::Auto => Ok(probe().map_or_else(
                |error| Self::Epoll { why: format!("io_uring cannot be had: {error}") },
                |()| Self::IoUring,
            )),
        }
    }
}

/// For the log and the status.
impl fmt::Display for IoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IoUring => f.write_str("io_uring"),
            Self::Epoll { why } => write!(f, "epoll ({why})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forbidden() -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    #[test]
    fn where_the_kernel_forbids_it_only_those_who_insist_are_refused() {
        let auto = IoChoice::with(GatewayIo::Auto, forbidden).unwrap();
        assert_eq!(auto.to_string(), "epoll (io_uring cannot be had: permission denied)");
        assert!(IoChoice::with(GatewayIo::IoUring, forbidden).is_err());
        assert_eq!(IoChoice::with(GatewayIo::Auto, || Ok(())).unwrap().to_string(), "io_uring");
    }

    #[test]
    fn who_does_not_want_it_does_not_try_it() {
        let choice = IoChoice::with(GatewayIo::Epoll, || unreachable!("it was not asked for"));
        assert_eq!(choice.unwrap().to_string(), "epoll (gateway.io says so)");
    }
}
