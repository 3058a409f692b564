//! The outside world: the only home of the file system and of `unsafe`.
//!
//! [`Disk`] and [`DiskFile`] are what the engine asks of a file system. There are
//! two implementations: [`RealDisk`] and, for tests, a simulated one, which forgets
//! on a crash what was not synced. What is assumed of a disk is written down in
//! `docs/durability.md`.

#[cfg(test)]
mod conformance;
mod files;
pub mod map;
mod mapped;
mod real;
#[cfg(any(test, feature = "internals"))]
#[doc(hidden)]
pub mod sim;
pub use files::{
    Disk, DiskFile, Open, Protection, copy_range, create_beside, create_private,
    exposes_private_key, make_dir, make_dirs, open_lock_file, parent, put_in_place, read_exact_at,
    read_file, remove_beside, replace, replace_file, write_beside,
};
pub use map::Map;
pub use real::RealDisk;
