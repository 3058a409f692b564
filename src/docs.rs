//! The documents of `docs/`, for reading beside the code.

#[doc = include_str!("../README.md")]
pub mod readme {}

#[doc = include_str!("../docs/format.md")]
pub mod format {}

#[doc = include_str!("../docs/durability.md")]
pub mod durability {}

#[doc = include_str!("../docs/erasure.md")]
pub mod erasure {}

#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}

#[doc = include_str!("../docs/queries.md")]
pub mod queries {}

#[doc = include_str!("../docs/retention.md")]
pub mod retention {}

#[doc = include_str!("../docs/compliance.md")]
pub mod compliance {}

#[doc = include_str!("../docs/verify.md")]
pub mod verify {}

#[doc = include_str!("../docs/witnessing.md")]
pub mod witnessing {}

#[doc = include_str!("../docs/archive.md")]
pub mod archive {}

#[cfg(feature = "engine")]
#[doc = include_str!("../docs/vault.md")]
pub mod vault {}
