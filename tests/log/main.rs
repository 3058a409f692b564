//! A log in use: appended to by many threads, rotated, reopened, followed, subscribed to.

mod concurrency;
mod engine;
mod follow;
mod once;
mod open_files;
mod rotation;
mod subscribe;

#[path = "../support/mod.rs"]
mod support;
