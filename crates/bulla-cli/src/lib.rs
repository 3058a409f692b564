//! What the `bulla` command line is made of, as a library, so that tests reach it.

pub mod generate;
pub mod import;
