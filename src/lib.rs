//! bulla: an embedded, append-only, tamper-evident storage engine for audit logs.
pub mod event;
pub mod format;
pub mod hash;
pub mod query;
pub mod random;
pub mod seq;
pub mod time;
