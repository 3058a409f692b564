//! bulla: an embedded, append-only, tamper-evident storage engine for audit logs.
#[cfg(feature = "engine")]
pub mod disk;
pub mod hash;
pub mod random;
pub mod seq;
pub mod time;
