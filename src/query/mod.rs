//! [`Query`]: which records, in which order.
//!
//! A query joins its fields with AND, and the values given for one field with OR:
//! `.actor("a").actor("b").outcome(Outcome::Denied)` is (actor a or b) and denied.
//! A field without values lets everything through. A query is only a question; the
//! log answers it with [`Query::matches`] or with an index, and goes on where it
//! stopped with a [`Cursor`].

mod action;
mod builder;
mod cursor;
mod filters;
mod matching;
mod subject;
mod wire;
mod words;

pub use action::{ActionGlob, InvalidActionGlob};
pub use builder::Query;
pub use cursor::{Cursor, CursorError};
pub(crate) use filters::IdFilter;
pub use filters::{Order, TimeRange};
pub use subject::{Subject, SubjectTargets};
pub use wire::{InvalidQueryBytes, QUERY_LEN_MAX, QUERY_VALUES_MAX};

#[cfg(test)]
mod tests;
