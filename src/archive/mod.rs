//! Archives: sealed segments in folders of immutable objects, each verifiable by itself.
//!
//! - [`ArchiveStore`]: where they are kept; [`DirectoryStore`]: in a directory;
//! - [`Manifest`]: what a folder says of itself;
//! - [`verify`]: reads a folder back and checks all of it.
//!
//! The engine archives ([`Archive::copy`](crate::log::Archive::copy)) and restores; here is what
//! needs no log. The bytes are decided in `docs/format.md`, “Archive”.

mod directory;
mod finding;
mod keys;
mod manifest;
mod reading;
mod segment;
mod store;
#[cfg(test)]
mod tests;
mod verify;
pub use directory::DirectoryStore;
pub use finding::ArchiveFinding;
pub(crate) use keys::{failed, key_of, manifest_bytes, path_of, place_of, small};
pub use keys::{folder_of, folders, manifest};
pub(crate) use manifest::file;
pub use manifest::{ArchivedCheckpoint, ArchivedFile, Manifest, SegmentFacts};
pub(crate) use segment::inspect;
pub use store::{ArchiveStore, KEY_LEN_MAX, check_key};
pub use verify::{ArchiveReport, Shown, VerifyArchiveOptions, verify};
