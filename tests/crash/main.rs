//! What was acknowledged is there after a crash, a failure or a full disk at any operation.

mod beside_the_log;
mod catalog;
mod faults;
mod keys;
mod once;
mod power_loss;
mod retention;
mod vault;

#[path = "../support/mod.rs"]
mod support;
