//! Refusals that are forged in the tests of the command line, because nothing else reads what they
//! are about: `crates/bulla-cli/tests/cases/tiles.rs` compares these with its cases.

/// Id, who refuses it, and in how many forgeries.
pub(crate) type Elsewhere = (&'static str, &'static [&'static str], usize);

pub(crate) const TILES: &[Elsewhere] = &[
    ("R-TILES-1", &["export"], 3),
    ("R-TILES-2", &["audit", "export"], 1),
    ("R-TILES-3", &["audit"], 1),
    ("R-TILES-4", &["export"], 3),
    ("R-TILES-5", &["audit", "export"], 3),
    ("R-TILES-6", &["audit"], 2),
    ("R-TILES-7", &["audit", "export"], 3),
    ("R-TILES-8", &["audit"], 1),
    ("R-TILES-9", &["audit", "export"], 2),
    ("R-TILES-10", &["audit"], 3),
    ("R-TILES-11", &["audit"], 3),
    ("R-TILES-12", &["audit"], 1),
    ("R-TILES-13", &["audit"], 6),
    ("R-TILES-14", &["audit"], 1),
    ("R-TILES-15", &["audit"], 1),
];
