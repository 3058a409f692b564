//! Many logs in one directory: routing, one checkpoint, one query, tenants apart.
//!
//! A [`Vault`] is for different policies (each log has one) and for many customers (each may
//! have a log). It has a log of its own, in which it records what logs there are, who changed
//! the routing and why, and the heads of all logs, so that one signature covers them all.
//!
//! - `options`, `open`: create and open; `shelf`: the logs, few of them open at a time;
//! - `routing`, `append`: which log an event goes to; `name`: what logs may be called;
//! - `control`: what the vault's own log says;
//! - `runs`, `merge`, `cursor`: queries over all logs;
//! - `heads`: checkpoints and proofs;
//! - `tenant`, `opaque`: what a tenant sees;
//! - `reading`: reading that leaves a trace.

mod append;
mod control;
mod cursor;
mod handle;
mod heads;
mod log_pool;
mod merge;
mod name;
mod open;
mod options;
mod reading;
mod routing;
mod runs;
mod tenant;
mod token_sealer;
mod verbs;

pub use append::{BatchPart, PartialBatch, VaultReceipt};
pub use cursor::VaultCursor;
pub use handle::Vault;
pub use heads::VaultCheckpoint;
pub use log_pool::VaultLog;
pub use merge::{VaultMatches, VaultRecord};
pub use options::{LogSpec, VaultOptions};
pub use reading::VaultReading;
pub use routing::{RULES_MAX, Routing, Rule, RuleTarget};
pub use tenant::{
    Reference, TenantCursor, TenantError, TenantMatches, TenantReceipt, TenantRecord, TenantVault,
};
