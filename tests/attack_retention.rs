//! Attacks on retention, holds, archives, erasure, redaction and vaults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::indexing_slicing, missing_docs)]

#[path = "attack_retention/erasing.rs"]
mod erasing;
#[path = "attack_retention/forgery.rs"]
mod forgery;
#[path = "attack_retention/last.rs"]
mod last;
#[path = "attack_retention/later.rs"]
mod later;
#[path = "attack_retention/more.rs"]
mod more;
#[path = "attack_retention/odds.rs"]
mod odds;
#[path = "attack_retention/seals.rs"]
mod seals;
pub(crate) mod support;

pub(crate) use support::aged::{DAY, World, asked, event};
