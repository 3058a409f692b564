//! The bytes on disk.

pub mod body;
