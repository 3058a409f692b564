//! R-FRAME and R-REC: frames and the prefixes of records.

use crate::cases::{As, By, Case, case, run};
use crate::forge::segment::frame;

use As::{Corrupt, Finding, Tampered, Unsupported};
use By::{Open, Read, Verify};

/// Sets a field of the header of the frame of the second segment, which is sealed.
macro_rules! header {
    ($field:literal, $value:expr) => {
        |mut forge| {
            forge.main[1].frames[0].set($field, $value);
            forge.write()
        }
    };
}

/// Sets a field of the prefix of an event in the second segment.
macro_rules! prefix {
    ($field:literal, $value:expr) => {
        |mut forge| {
            forge.main[1].record(3).set_prefix($field, $value);
            forge.write()
        }
    };
}

/// The same of an anchor.
macro_rules! anchor {
    ($field:literal, $value:expr) => {
        |mut forge| {
            forge.anchor(1).set_prefix($field, $value);
            forge.write()
        }
    };
}

pub(crate) const CASES: &[Case] = &[
    case!(
        "R-FRAME-1",
        "another magic",
        Plain,
        header!("magic", *b"BFRX"),
        [
            (Open, Corrupt, "frame header: magic"),
            (Verify, Finding, "frame header: magic"),
            (Read, Corrupt, "frame header: magic")
        ]
    ),
    case!(
        "R-FRAME-2",
        "another crc",
        Plain,
        header!("crc", 7_u64),
        [
            (Open, Corrupt, "frame header: crc"),
            (Verify, Finding, "frame header: crc"),
            (Read, Corrupt, "frame header: crc")
        ]
    ),
    case!(
        "R-FRAME-3",
        "a record is left out",
        Plain,
        header!("first_seq", 42_u64),
        [
            (Open, Corrupt, "frame header: first_seq"),
            (Verify, Finding, "frame header: first_seq"),
            (Read, Corrupt, "the frame of record")
        ]
    ),
    case!(
        "R-FRAME-3",
        "a record comes twice",
        Plain,
        header!("first_seq", 40_u64),
        [
            (Open, Corrupt, "frame header: durable_size at most first_seq"),
            (Verify, Finding, "frame header: durable_size"),
            (Read, Corrupt, "frame header: durable_size at most first_seq")
        ]
    ),
    case!(
        "R-FRAME-3",
        "no room for its records",
        Plain,
        header!("first_seq", u64::MAX - 45),
        [
            (Open, Corrupt, "frame header: first_seq"),
            (Verify, Finding, "frame header: first_seq"),
            (Read, Corrupt, "the frame of record")
        ]
    ),
    case!(
        "R-FRAME-4",
        "more is durable than there is",
        Plain,
        header!("durable_size", 42_u64),
        [
            (Open, Corrupt, "frame header: durable_size at most first_seq"),
            (Verify, Finding, "frame header: durable_size"),
            (Read, Corrupt, "frame header: durable_size at most first_seq")
        ]
    ),
    case!(
        "R-FRAME-5",
        "less is durable than before",
        Plain,
        |mut forge| {
            forge.main[2].frames[1].set("durable_size", 3_u64);
            forge.write()
        },
        [(Verify, Finding, "frame header: durable_size")]
    ),
    case!(
        "R-FRAME-6",
        "a body that is too large",
        Plain,
        header!("body_len", (16_u64 << 20) + 1),
        [
            (Open, Corrupt, "frame header: body_len at most"),
            (Verify, Finding, "frame header: body_len"),
            (Read, Corrupt, "frame header: body_len at most")
        ]
    ),
    case!(
        "R-FRAME-7",
        "records without a body",
        Plain,
        |mut forge| {
            forge.main[2].frames[0].records.clear();
            forge.main[2].frames[0].set("count", 1_u64);
            forge.write()
        },
        [
            (Open, Corrupt, "frame header: count a count that"),
            (Verify, Finding, "frame header: count")
        ]
    ),
    case!(
        "R-FRAME-7",
        "a body without records",
        Plain,
        |mut forge| {
            forge.main[1].frames[0].set("count", 0_u64);
            forge.write()
        },
        [
            (Open, Corrupt, "frame header: count a count that"),
            (Verify, Finding, "frame header: count"),
            (Read, Corrupt, "frame header: count a count that")
        ]
    ),
    case!(
        "R-FRAME-7",
        "more records than fit",
        Plain,
        header!("count", 100_000_u64),
        [
            (Open, Corrupt, "frame header: count a count that"),
            (Verify, Finding, "frame header: count"),
            (Read, Corrupt, "frame header: count a count that")
        ]
    ),
    case!(
        "R-FRAME-8",
        "a watermark of another size",
        Plain,
        |mut forge| {
            let last = forge.main[2].frames.last_mut().unwrap();
            assert!(last.records.is_empty(), "the log was closed");
            last.set("durable_size", 80_u64);
            forge.write()
        },
        [
            (Open, Corrupt, "frame header: durable_size first_seq"),
            (Verify, Finding, "frame header: durable_size")
        ]
    ),
    case!(
        "R-FRAME-8",
        "a watermark in a sealed segment",
        Plain,
        |mut forge| {
            let mut watermark = frame(Vec::new(), 0);
            watermark.set("durable_size", 5_u64);
            forge.main[1].frames.push(watermark);
            forge.write()
        },
        [(Open, Corrupt, "as the footer says"), (Verify, Finding, "frame header: durable_size")]
    ),
    case!(
        "R-FRAME-9",
        "bytes behind the records",
        Plain,
        |mut forge| {
            forge.main[1].frames[0].trailing = vec![0; 30];
            forge.write()
        },
        [(Open, Corrupt, "frame body its end"), (Verify, Finding, "more bytes")]
    ),
    case!(
        "R-FRAME-9",
        "a record more than there is",
        Plain,
        header!("count", 42_u64),
        [
            (Open, Corrupt, "record prefix"),
            (Verify, Finding, "a frame of records up to"),
            (Read, Corrupt, "record prefix")
        ]
    ),
    case!(
        "R-FRAME-9",
        "a record less than there is",
        Plain,
        header!("count", 39_u64),
        [
            (Open, Corrupt, "frame body its end"),
            (Verify, Finding, "more bytes"),
            (Read, Corrupt, "a frame that begins with record")
        ]
    ),
    case!(
        "R-FRAME-10",
        "bytes between frames of a sealed segment",
        Plain,
        |mut forge| {
            forge.main[0].frames[2].behind = vec![1; 40];
            forge.write()
        },
        [
            (Open, Corrupt, "frame header: magic"),
            (Verify, Finding, "frame header: magic"),
            (Read, Corrupt, "frame header: magic")
        ]
    ),
    case!(
        "R-FRAME-10",
        "a frame that is not whole below what was durable",
        Plain,
        |mut forge| {
            forge.main[2].frames[1].behind = vec![1; 40];
            forge.write()
        },
        [
            (Open, Corrupt, "which was durable before the frame at"),
            (Verify, Finding, "frame header: magic")
        ]
    ),
    case!(
        "R-FRAME-11",
        "bytes in the padding",
        Aligned,
        |forge| {
            let mut files = forge.write();
            let segment = files.get_mut("audit/segments/00000001.seg");
            let frame = segment[512..].windows(4).position(|bytes| bytes == b"BFRM").unwrap() + 512;
            let end = segment[frame + 4..].windows(4).position(|bytes| bytes == b"BFRM").unwrap();
            segment[frame + 4 + end - 1] = 1;
            files
        },
        [(Verify, Finding, "padding between frames")]
    ),
    case!(
        "R-REC-1",
        "another crc",
        Plain,
        prefix!("crc", 7_u64),
        [
            (Open, Corrupt, "record: crc"),
            (Verify, Finding, "record: crc"),
            (Read, Corrupt, "record: crc")
        ]
    ),
    case!(
        "R-REC-2",
        "a payload without its salt",
        Plain,
        |mut forge| {
            forge.main[1].record(3).stored.truncate(15);
            forge.write()
        },
        [
            (Open, Corrupt, "record: payload_len"),
            (Verify, Finding, "record: payload_len"),
            (Read, Corrupt, "record: payload_len")
        ]
    ),
    case!(
        "R-REC-2",
        "a payload that is too large",
        Plain,
        prefix!("payload_len", (4_u64 << 20) + 17),
        [
            (Open, Corrupt, "record: payload_len"),
            (Verify, Finding, "record: payload_len"),
            (Read, Corrupt, "record: payload_len")
        ]
    ),
    case!(
        "R-REC-2",
        "an encrypted payload without its fields",
        Encrypted,
        |mut forge| {
            forge.main[1].record(3).stored.truncate(103);
            forge.write()
        },
        [
            (Open, Corrupt, "record: payload_len"),
            (Verify, Finding, "record: payload_len"),
            (Read, Corrupt, "record: payload_len")
        ]
    ),
    case!(
        "R-REC-3",
        "an envelope that is too large",
        Plain,
        prefix!("envelope_len", 65_432_u64),
        [
            (Open, Corrupt, "record: envelope_len at most"),
            (Verify, Finding, "record: envelope_len"),
            (Read, Corrupt, "record: envelope_len at most")
        ]
    ),
    case!(
        "R-REC-4",
        "schema 0",
        Plain,
        prefix!("schema", 0_u64),
        [
            (Open, Corrupt, "record: schema"),
            (Verify, Finding, "record: schema"),
            (Read, Corrupt, "record: schema")
        ]
    ),
    case!(
        "R-REC-5",
        "schema 4",
        Plain,
        prefix!("schema", 4_u64),
        [
            (Open, Unsupported, "record schema 4, newest known here is 3"),
            (Verify, Finding, "a version that is known here"),
            (Read, Unsupported, "record schema 4, newest known here is 3")
        ]
    ),
    case!(
        "R-REC-5",
        "schema 2 of an anchor",
        Plain,
        anchor!("schema", 2_u64),
        [
            (Open, Unsupported, "record schema 2, newest known here is 1"),
            (Verify, Finding, "a version that is known here"),
            (Read, Unsupported, "record schema 2, newest known here is 1")
        ]
    ),
    case!(
        "R-REC-6",
        "kind 3",
        Plain,
        prefix!("kind", 3_u64),
        [
            (Open, Tampered, "record kind"),
            (Verify, Finding, "those of an event"),
            (Read, Tampered, "a body of its schema")
        ]
    ),
    case!(
        "R-REC-6",
        "kind 16 in the main log",
        Plain,
        prefix!("kind", 16_u64),
        [
            (Open, Tampered, "record kind"),
            (Verify, Finding, "those of an event"),
            (Read, Tampered, "a body of its schema")
        ]
    ),
    case!(
        "R-REC-7",
        "a bit of the flags that has no meaning",
        Plain,
        prefix!("flags", 2_u64),
        [
            (Open, Corrupt, "record: flags"),
            (Verify, Finding, "record: flags"),
            (Read, Corrupt, "record: flags")
        ]
    ),
    case!(
        "R-REC-7",
        "an encrypted anchor",
        Plain,
        |mut forge| {
            forge.anchor(1).stored = vec![7; 104];
            forge.anchor(1).set_prefix("flags", 1_u64);
            forge.write()
        },
        [
            (Open, Corrupt, "record: flags"),
            (Verify, Finding, "record: flags"),
            (Read, Corrupt, "record: flags")
        ]
    ),
    case!(
        "R-REC-8",
        "reserved is not zero",
        Plain,
        prefix!("reserved", 1_u64),
        [
            (Open, Corrupt, "record: reserved"),
            (Verify, Finding, "record: reserved"),
            (Read, Corrupt, "record: reserved")
        ]
    ),
    case!(
        "R-REC-9",
        "a time before that of the record in front, in a sealed segment",
        Plain,
        |mut forge| {
            let before = forge.main[1].record(2).recorded_at();
            forge.main[1].record(3).set_prefix("recorded_at", before - 1);
            forge.write()
        },
        [(Verify, Finding, "recorded_at")]
    ),
    case!(
        "R-REC-9",
        "a time before that of the record in front, in the last segment",
        Plain,
        |mut forge| {
            let before = forge.main[2].record(2).recorded_at();
            forge.main[2].record(3).set_prefix("recorded_at", before - 1);
            forge.write()
        },
        [(Open, Tampered, "recorded_at"), (Verify, Finding, "recorded_at")]
    ),
];

#[test]
fn what_frames_and_prefixes_must_not_say_is_refused() {
    run(CASES);
}
