//! The `bulla` command line.
fn main() {}
