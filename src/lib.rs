//! bulla: an embedded, append-only, tamper-evident storage engine for audit logs.
pub mod checkpoint;
pub mod hash;
pub mod merkle;
pub mod proof;
pub mod random;
pub mod seq;
pub mod time;
