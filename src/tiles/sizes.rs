//! The sizes of tiles and bundles (C2SP tlog-tiles).

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u16 = 256;

/// The highest level of tiles that a tree of fewer than 2^64 records has.
///
/// Paths of higher levels, which the specification allows up to 63, name tiles that no
/// tree has, and are refused.
pub const LEVEL_MAX: u8 = 7;

/// The longest entry: its length is written in two bytes.
pub const ENTRY_LEN_MAX: usize = 65_535;
