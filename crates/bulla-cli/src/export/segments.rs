//! The list of sealed segments that stands beside the tiles: where the records of each begin
//! and end, and what the log says is the root of its index.
//!
//! ```text
//! bulla.dev/segments/v1
//! example.com/audit                       the origin
//! log 00112233445566778899aabbccddeeff    the log's identity
//! segment 0 4096 k2Xy…                    first, count, index root; ascending
//! ```
//!
//! It is derived, and nobody signs it: an auditor recomputes what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla::{Hash, Seq, TreeSize};

/// The sealed segments whose records a checkpoint covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentList {
    /// The log's public name.
    pub origin: String,
    /// The log's identity, in 32 hexadecimal digits.
    pub log_id: String,
    /// Ascending by first record.
    pub segments: Vec<ListedSegment>,
}

/// A sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedSegment {
    /// Its first record.
    pub first: Seq,
    /// Records in it, at least 1.
    pub count: u64,
    /// The root of its index, as the log recorded it when it sealed the segment.
    pub index_root: Hash,
}

impl ListedSegment {
    /// Records up to its end.
    pub fn end(&self) -> TreeSize {
        TreeSize::new(self.first.get().saturating_add(self.count))
    }
}

impl SegmentList {
    /// The name of the file.
    pub const NAME: &str = "segments";
    /// The first line of the file.
    pub const FIRST_LINE: &str = "bulla.dev/segments/v1";
    /// The longest list that is read, in bytes: 64 MiB.
    pub const LEN_MAX: u64 = 64 << 20;

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let SegmentList { origin, log_id, segments } = self;
        let mut text = format!("{}\n{origin}\nlog {log_id}\n", Self::FIRST_LINE);
        for ListedSegment { first, count, index_root } in segments {
            let root = STANDARD.encode(index_root.as_bytes());
            text += &format!("segment {first} {count} {root}\n");
        }
        text
    }

    /// Reads the file, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says which line is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let mut lines = (1_u64..).zip(text.split_terminator('\n'));
        let mut next = |expected: &str| {
            let line = lines.next().map(|(_, line)| line);
            line.ok_or_else(|| format!("expected {expected}, found the end"))
        };
        let first = next(Self::FIRST_LINE)?;
        if first != Self::FIRST_LINE {
            return Err(format!("expected {:?} as line 1, found another line", Self::FIRST_LINE));
        }
        let origin = next("an origin")?.to_owned();
        let log_id = next("the log's identity")?.strip_prefix("log ");
        let log_id = log_id.ok_or("expected \"log \" and an identity as line 3")?.to_owned();
        let (mut segments, mut from) = (Vec::new(), 0);
        for (number, line) in lines {
            let segment = segment(line).filter(|segment| segment.first.get() >= from);
            let expected = "\"segment \", first, count and root, ascending";
            let segment = segment.ok_or_else(|| format!("expected {expected} as line {number}"))?;
            from = segment.end().get();
            segments.push(segment);
        }
        let list = SegmentList { origin, log_id, segments };
        match list.to_text() == text {
            true => Ok(list),
            false => Err("expected each value in its only spelling".to_owned()),
        }
    }
}

/// Reads a line; another spelling is found when the text is written again.
fn segment(line: &str) -> Option<ListedSegment> {
    let mut words = line.strip_prefix("segment ")?.split(' ');
    let first = Seq::new(words.next()?.parse().ok()?);
    let count = words.next()?.parse().ok().filter(|count| *count > 0)?;
    first.get().checked_add(count)?;
    let index_root = Hash::from_slice(&STANDARD.decode(words.next()?).ok()?)?;
    words.next().is_none().then_some(ListedSegment { first, count, index_root })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_and_no_other_way() {
        let segment = |first, count| ListedSegment {
            first: Seq::new(first),
            count,
            index_root: Hash::from_bytes([7; 32]),
        };
        let list = SegmentList {
            origin: "example.com/audit".to_owned(),
            log_id: "00112233445566778899aabbccddeeff".to_owned(),
            segments: vec![segment(0, 5), segment(5, 1), segment(9, 2)],
        };
        let text = list.to_text();
        assert_eq!(SegmentList::parse(text.as_bytes()), Ok(list));
        for (good, bad) in [
            ("segments/v1", "segments/v2"),
            ("log 0", "lag 0"),
            ("segment 5 1 ", "segment 4 1 "),
            ("segment 5 1 ", "segment 5 0 "),
            ("segment 5 1 ", "segment 05 1 "),
            ("segment 5 1 ", "segment 5 18446744073709551615 "),
            ("segment 5 1 ", "segment 5 1  "),
            ("segment 5 1 Bw", "segment 5 1 "),
            ("segment 9", "\nsegment 9"),
        ] {
            let bad = text.replace(good, bad);
            assert_ne!(bad, text);
            assert!(SegmentList::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(SegmentList::parse(text.trim_end().as_bytes()).is_err());
        assert!(SegmentList::parse(b"").is_err());
    }
}
