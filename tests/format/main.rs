//! The files are those of `docs/format.md`, and those of earlier versions are read.

mod compat;
mod document;

#[path = "../support/mod.rs"]
mod support;
