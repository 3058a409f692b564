//! R-FOOT and R-WAY: what stands behind the frames of a sealed segment.

use crate::cases::{As, By, Case, case, run};

use As::{Corrupt, Finding, Tampered, Unsupported};
use By::{Open, Read, Verify};

/// Sets a field of the footer of the second segment. Its seal in the catalog stays true.
macro_rules! footer {
    ($field:literal, $value:expr) => {
        |mut forge| {
            forge.main[1].seal().set($field, $value);
            forge.write()
        }
    };
}

macro_rules! waypoint {
    ($at:literal, $field:literal, $value:expr) => {
        |mut forge| {
            forge.main[1].seal().waypoints.push(($at, $field, $value.into()));
            forge.write()
        }
    };
}

pub(crate) const CASES: &[Case] = &[
    case!(
        "R-FOOT-1",
        "another magic",
        Plain,
        footer!("magic", *b"BULLAENX"),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-1",
        "no footer",
        Plain,
        |mut forge| {
            forge.main[1].seal = None;
            forge.write()
        },
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-2",
        "another crc",
        Plain,
        footer!("crc", 7_u64),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-3",
        "version 0",
        Plain,
        footer!("format_version", 0_u64),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-4",
        "version 2",
        Plain,
        footer!("format_version", 2_u64),
        [
            (Open, Unsupported, "segment footer version 2, newest known here is 1"),
            (Verify, Finding, "segment footer version 2, newest known here is 1"),
            (Read, Unsupported, "segment footer version 2, newest known here is 1")
        ]
    ),
    case!(
        "R-FOOT-5",
        "another log",
        Plain,
        footer!("log_id", [9; 16]),
        [
            (Open, Corrupt, "the footer of segment"),
            (Verify, Finding, "the footer of segment"),
            (Read, Corrupt, "the footer of segment")
        ]
    ),
    case!(
        "R-FOOT-5",
        "another segment",
        Plain,
        footer!("ordinal", 3_u64),
        [
            (Open, Corrupt, "the footer of segment"),
            (Verify, Finding, "the footer of segment"),
            (Read, Corrupt, "the footer of segment")
        ]
    ),
    case!(
        "R-FOOT-5",
        "other records",
        Plain,
        footer!("first_seq", 40_u64),
        [
            (Open, Corrupt, "the footer of segment"),
            (Verify, Finding, "the footer of segment"),
            (Read, Corrupt, "the footer of segment")
        ]
    ),
    case!(
        "R-FOOT-6",
        "no records",
        Plain,
        footer!("count", 0_u64),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-6",
        "more records than the tree can have",
        Plain,
        footer!("count", u64::MAX),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-6",
        "another number of records",
        Plain,
        footer!("count", 42_u64),
        [
            (Verify, Finding, "records in the footer"),
            (Read, Tampered, "as the catalog recorded when it was sealed")
        ]
    ),
    case!(
        "R-FOOT-7",
        "frames that go on behind the table",
        Plain,
        footer!("frames_end", 1_u64 << 40),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-7",
        "frames that end before the last",
        Plain,
        footer!("frames_end", 600_u64),
        [(Open, Corrupt, "as the footer says"), (Verify, Finding, "its whole body")]
    ),
    case!(
        "R-FOOT-8",
        "a table that does not end at the footer",
        Plain,
        footer!("table_offset", 600_u64),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-8",
        "another number of waypoints",
        Plain,
        footer!("table_count", 3_u64),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-8",
        "another stride",
        Plain,
        footer!("table_stride", 64_u64),
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-FOOT-9",
        "the smallest recorded_at",
        Plain,
        footer!("recorded_min", 5_u64),
        [(Verify, Finding, "times in the footer")]
    ),
    case!(
        "R-FOOT-9",
        "the largest recorded_at",
        Plain,
        footer!("recorded_max", 5_u64),
        [(Verify, Finding, "times in the footer")]
    ),
    case!(
        "R-FOOT-9",
        "the smallest occurred_at",
        Plain,
        footer!("occurred_min", 5_u64),
        [(Verify, Finding, "times in the footer")]
    ),
    case!(
        "R-FOOT-9",
        "the largest occurred_at",
        Plain,
        footer!("occurred_max", 5_u64),
        [(Verify, Finding, "times in the footer")]
    ),
    case!(
        "R-FOOT-10",
        "another root at its end",
        Plain,
        footer!("end_root", [9; 32]),
        [
            (Verify, Finding, "root at the end"),
            (Read, Tampered, "as the catalog recorded when it was sealed")
        ]
    ),
    case!(
        "R-FOOT-11",
        "another root of the index",
        Plain,
        footer!("index_root", [9; 32]),
        [(Verify, Finding, "index root")]
    ),
    case!(
        "R-FOOT-11",
        "no root of the index, which the catalog has",
        Plain,
        footer!("index_root", [0; 32]),
        [(Verify, Finding, "index root")]
    ),
    case!(
        "R-FOOT-12",
        "an anchor that is none",
        Plain,
        footer!("last_anchor", 7_u64),
        [(Verify, Finding, "newest anchor in the footer")]
    ),
    case!(
        "R-FOOT-12",
        "an anchor beyond its end",
        Plain,
        footer!("last_anchor", 700_u64),
        [(Verify, Finding, "newest anchor in the footer")]
    ),
    case!(
        "R-FOOT-13",
        "another time to keep it",
        Plain,
        footer!("keep_until", 5_u64),
        [(Verify, Finding, "time to keep it")]
    ),
    case!(
        "R-FOOT-14",
        "bytes behind the footer",
        Plain,
        |mut forge| {
            forge.main[1].seal().trailing = vec![0; 8];
            forge.write()
        },
        [
            (Verify, Finding, "the footer of a sealed segment"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-WAY-1",
        "a table of another crc",
        Plain,
        footer!("table_crc", 7_u64),
        [(Verify, Finding, "and the places of the records")]
    ),
    case!(
        "R-WAY-2",
        "another frame",
        Plain,
        waypoint!(1, "frame_offset", 600_u64),
        [
            (Verify, Finding, "and the places of the records"),
            (Read, Corrupt, "frame header: magic")
        ]
    ),
    case!(
        "R-WAY-2",
        "another record",
        Plain,
        waypoint!(1, "record_offset", 700_u64),
        [
            (Verify, Finding, "and the places of the records"),
            (Read, Corrupt, "record: payload_len")
        ]
    ),
    case!(
        "R-WAY-2",
        "the record before",
        Plain,
        |mut forge| {
            let first = forge.main[1].write(&forge.main[1].header, 41, None);
            let len = first.len();
            assert!(len > 0);
            forge.main[1].seal().waypoints.push((1, "record_offset", 544_u64.into()));
            forge.write()
        },
        [(Verify, Finding, "and the places of the records"), (Read, Corrupt, "record: crc")]
    ),
    case!(
        "R-WAY-2",
        "a place behind the end",
        Plain,
        waypoint!(0, "frame_offset", u64::from(u32::MAX)),
        [(Verify, Finding, "and the places of the records"), (Read, Corrupt, "bytes")]
    ),
];

#[test]
fn what_footers_must_not_say_is_refused() {
    run(CASES);
}
