//! Queries.
mod subject;
pub use subject::Subject;
