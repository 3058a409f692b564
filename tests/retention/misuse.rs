//! Attacks on retention, holds, archives, erasure, redaction and vaults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod erasing;
mod forgery;
mod last;
mod later;
mod more;
mod odds;
mod seals;

pub(crate) use crate::support::aged::{DAY, World, asked, event};
