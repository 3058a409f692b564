//! Verification finds what was altered, and the log says so instead of proving it.

mod altered;
mod lost_hashes;
mod lost_tree;
mod matrix;
mod regressions;
mod verify;

#[path = "../support/mod.rs"]
mod support;
