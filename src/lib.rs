//! bulla: an embedded, append-only, tamper-evident storage engine for audit logs.
pub mod hash;
pub mod merkle;
pub mod random;
pub mod seq;
pub mod time;
