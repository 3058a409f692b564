//! Other programs' trails: every event is imported or rejected, none is lost or read as another.

#![allow(clippy::unwrap_used, clippy::panic)] // tests

mod formats;
mod law;
mod real_data;

#[path = "../running/mod.rs"]
mod running;

#[path = "../../../../tests/support/random.rs"]
mod random;
