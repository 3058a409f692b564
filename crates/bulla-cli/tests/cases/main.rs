//! Inputs that once were handled wrongly, each with its right value: a fault is an example of its
//! kind, so each module also tries the others of that kind.
//!
//! Inputs that are files stand in `inputs/`.

#![allow(clippy::unwrap_used, clippy::panic)] // tests

#[path = "../running/mod.rs"]
mod running;

mod auditd;
mod documents;
mod fuzzed;
mod outcomes;
mod procedures;
mod targets;
mod tiles;
