//! Every setting of hadal: its type, its default, its check, its documentation, and what a changed file means to a
//! running process.
//!
//! ```text
//!   hadal.toml ──▶ read (spanned values ▶ types, all problems at once) ──▶ validate (what a type cannot say) ──▶ Config
//!   old Config + new Config ──▶ changes: key, old, new, applies live or with a restart
//!   the doc comments of the sections ──▶ reference ──▶ docs/configuration.md
//! ```
//!
//! A section is declared once, in its file, with the `section!` macro; reading, defaults, differences and the reference
//! follow from that declaration. The crate reads files and environment variables for secrets and does nothing else with
//! the outside world. It does not know what the services do with their settings.

#[macro_use]
mod section;

mod admin;
mod changes;
mod cluster;
mod coordination;
mod error;
mod gateway;
mod load;
mod log;
mod nearest;
mod node;
mod origins;
mod pool;
mod reader;
mod rebuild;
mod reference;
mod root;
mod secret;
mod tables;
mod user;
mod validate;
mod value;

pub use admin::AdminConfig;
pub use changes::{Applies, Change, changes};
pub use cluster::{AccountsSource, Balance, Cluster, Consistency, Failover, Promotion, TransactionSplit};
pub use coordination::{Coordination, CoordinationBackend};
pub use error::{ConfigError, Notice, Problem};
pub use gateway::{GatewayConfig, GatewayIo};
pub use load::{Loaded, load, parse};
pub use log::{LogConfig, LogFormat};
pub use node::Node;
pub use pool::PoolConfig;
pub use rebuild::{RebuildConfig, RebuildPolicy};
pub use reference::reference;
pub use root::Config;
pub use secret::Secret;
pub use tables::TablePattern;
pub use user::User;
