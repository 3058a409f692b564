//! Queries and indexes: the answer of a naive filter, also when index files are damaged or forged.

mod filters;
mod forged_indexes;
mod indexes;

#[path = "../support/mod.rs"]
mod support;
