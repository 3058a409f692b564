//! Random operations against models in memory.

mod log;
mod retention;

#[path = "../support/mod.rs"]
mod support;
