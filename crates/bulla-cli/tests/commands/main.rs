//! Each command as people use it: what it prints, what it refuses, and with which status it ends.

#![allow(clippy::unwrap_used, clippy::panic)] // tests

mod answers;
mod archive;
mod basics;
mod erasing;
mod export;
mod interop_go;
mod key_changes;
mod proof_files;
mod proving;
mod queries;
mod retention;
mod sigkill;
mod tail_follow;
mod witnessing;

#[path = "../running/mod.rs"]
mod running;
#[path = "../served/mod.rs"]
mod served;
