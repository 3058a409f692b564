//! The catalog: the log's own log, in two mirrored copies.
//!
//! Same frames, records and tree as the main log, always SHA-256. Every record carries
//! the root of the state it leads to. Writers of any process take the catalog's short
//! lock and read to its end before they append.

pub(crate) mod asked;
mod begin;
pub(crate) mod certificates;
mod exclusive;
mod files;
mod history;
mod load;
mod lookup;
mod mirror;
mod places;
mod remains;
mod rotation;
mod rules;
mod store;
#[cfg(test)]
mod tests;
mod whole;

pub use exclusive::CatalogTransaction;
pub use history::{HistoryEntry, describe, protection};
pub use mirror::Mended;
pub use remains::ProtectionRemains;
pub(crate) use rules::particulars;
pub use store::Catalog;
pub use whole::{RecordedStatement, WholeCatalog};
