//! Attacks on what had less scrutiny: key store, vault, redaction, access log, and what a
//! failed sync forgot. A test here fails where the engine does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod access;
mod archives;
mod cosignatures;
mod creation;
mod key_store;
mod redaction;
mod steps;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::time::ManualClock;
use bulla::{
    Actor, Attribution, Error, Event, Housekeeping, KeyStore, Log, LogOptions, PayloadState, Query,
    Resource, Seq, Timestamp, Vault, VaultOptions, WrappingKey,
};

const START: i64 = 1_767_225_600_000_000_000;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_nanos(START)))
}

fn log_options(disk: &SimDisk) -> LogOptions {
    LogOptions::new()
        .origin("example.com/audit")
        .segment_bytes(64 << 10)
        .housekeeping(Housekeeping::Inline)
        .disk(Arc::new(disk.clone()))
        .clock(clock())
}

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "alice"), "x.y", Resource::new("r", n.to_string()))
        .ip("203.0.113.9")
}

fn about(n: u64, subject: &str) -> Event {
    event(n).subject(subject)
}

fn wrapping() -> WrappingKey {
    WrappingKey::from_bytes([7; 32])
}

fn open_store(disk: &SimDisk) -> Result<KeyStore, Error> {
    KeyStore::open_on(Arc::new(disk.clone()), Path::new("/keys"), &wrapping())
}

fn vault_options(disk: &SimDisk) -> VaultOptions {
    VaultOptions::new()
        .log(LogOptions::new().segment_bytes(64 << 10))
        .origin("example.com/audit")
        .max_open_logs(2)
        .housekeeping(Housekeeping::Inline)
        .clock(clock())
        .disk(Arc::new(disk.clone()))
}

fn who() -> Attribution {
    Attribution::by("carol").because("why")
}

fn ok<T>(done: Result<T, Error>) -> Result<(), Error> {
    done.map(|_| ())
}
