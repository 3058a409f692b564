//! What the log proves, a stranger can check; a proof that was altered shows nothing else.

mod completeness;
mod cosignatures;
mod inclusion;
mod keys;

#[path = "../support/mod.rs"]
mod support;
