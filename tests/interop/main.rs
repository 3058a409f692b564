//! Keys, notes, checkpoints, tiles and trees are those of other people's software.

mod c2sp_vectors;
mod crates;
mod merkle;
mod tiles;

#[path = "../support/mod.rs"]
mod support;
