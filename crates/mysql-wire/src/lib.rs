//! The MySQL and MariaDB client/server protocol, as seen from both ends.
//!
//! This crate owns the bytes: packets, handshake, proofs of passwords, statements, result sets and session state. It
//! takes bytes and gives bytes; it knows no sockets, no clocks and no tasks, and nothing of sessions, pools or routes.
//! Everything that it reads may come from a hostile peer: decoders return [`Malformed`] and never panic.
//!
//! Where to find what:
//! - [`frame`] cuts a stream into packets; [`reader`] and [`lenenc`] read and write their fields.
//! - [`greeting`], [`handshake_response`], [`change_user`], [`auth_switch`] and [`auth`] are the login's parts;
//!   [`login`] is the whole client side of it, [`forwarded_login`] the same where somebody else gives the proofs.
//! - [`scan`] finds the way through a response without decoding it: the relay stands on it.
//! - [`ok`], [`err`], [`eof`], [`session_state`], [`stmt`], [`mod@column`] and [`resultset`] are the packets that are
//!   looked into.

pub mod attributes;
pub mod auth;
pub mod auth_switch;
pub mod capability;
pub mod change_user;
pub mod column;
pub mod command;
pub mod eof;
pub mod err;
mod flags;
pub mod forwarded_login;
pub mod frame;
pub mod greeting;
pub mod handshake_response;
pub mod lenenc;
pub mod login;
pub mod malformed;
pub mod ok;
mod prover;
pub mod reader;
pub mod resultset;
pub mod scan;
pub mod secret;
pub mod session_state;
pub mod status;
pub mod stmt;

pub use auth_switch::{AuthMoreData, AuthSwitchRequest};
pub use capability::Capabilities;
pub use change_user::ChangeUser;
pub use column::ColumnDef;
pub use command::Command;
pub use eof::Eof;
pub use err::{ErrPacket, ServerError};
pub use forwarded_login::{Challenge, ForwardStep, ForwardedLogin};
pub use frame::{Assembler, Frame, FrameError, Header, MAX_PAYLOAD, Payload, write_packet};
pub use greeting::Greeting;
pub use handshake_response::{HandshakeResponse, SslRequest};
pub use login::{ClientLogin, LoginError, LoginRequest, LoginStep, Session};
pub use malformed::Malformed;
pub use ok::Ok as OkPacket;
pub use reader::Reader;
pub use resultset::{TextResult, TextRow};
pub use scan::{ResponseKind, ResponseScanner, Scanned, SteerKind, Steering};
pub use secret::{Password, Secret};
pub use session_state::{StateChange, StateChanges};
pub use status::StatusFlags;
pub use stmt::{BulkExecute, Execute, PrepareOk};
