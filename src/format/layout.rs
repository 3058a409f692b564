//! Fixed-width layouts: each field is named once, with its offset and size, and
//! both the encoder and the decoder use that name.
//!
//! `docs/format.md` shows the same tables; a unit test compares the two.

/// A field of a fixed-width structure. Integers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name in `docs/format.md`.
    pub name: &'static str,
    /// Bytes from the start of the structure.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

/// A fixed-width structure: its name in `docs/format.md`, length and fields.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The heading of its table in `docs/format.md`.
    pub name: &'static str,
    /// Total length in bytes.
    pub len: usize,
    /// Its fields in order; together they cover it without gap or overlap.
    pub fields: &'static [Field],
}

macro_rules! layout {
    ($(#[$doc:meta])* $module:ident, $title:literal, $len:literal, { $($field:ident: $offset:literal, $size:literal;)+ }) => {
        $(#[$doc])*
        #[allow(missing_docs)]
        pub mod $module {
            use crate::format::layout::{Field, Layout};
            pub const LEN: usize = $len;
            $(pub const $field: Field = Field { name: stringify!($field), offset: $offset, size: $size };)+
            pub const LAYOUT: Layout = Layout { name: $title, len: LEN, fields: &[$($field),+] };
        }
    };
}

layout! {
    /// The first 512 bytes of a segment.
    segment_header, "Segment header", 512, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        STREAM: 10, 1;
        HASH_ALGORITHM: 11, 1;
        FRAME_ALIGN: 12, 4;
        LOG_ID: 16, 16;
        ORDINAL: 32, 8;
        FIRST_SEQ: 40, 8;
        CREATED_AT: 48, 8;
        NONCE: 56, 16;
        START_ROOT: 72, 32;
        PREVIOUS: 104, 32;
        LAST_ANCHOR: 136, 8;
        RESERVED: 144, 364;
        CRC: 508, 4;
    }
}

layout! {
    /// In front of the records of one commit.
    frame_header, "Frame header", 32, {
        MAGIC: 0, 4;
        CRC: 4, 4;
        FIRST_SEQ: 8, 8;
        DURABLE_SIZE: 16, 8;
        BODY_LEN: 24, 4;
        COUNT: 28, 4;
    }
}

layout! {
    /// In front of the envelope of one record, as stored.
    record_prefix, "Record prefix", 22, {
        CRC: 0, 4;
        PAYLOAD_LEN: 4, 4;
        ENVELOPE_LEN: 8, 2;
        SCHEMA: 10, 1;
        KIND: 11, 1;
        FLAGS: 12, 1;
        RESERVED: 13, 1;
        RECORDED_AT: 14, 8;
    }
}

layout! {
    /// The head of a record, as hashed.
    record_head, "Record head", 40, {
        TAG: 0, 1;
        SCHEMA: 1, 1;
        KIND: 2, 1;
        FLAGS: 3, 1;
        LOG_ID: 4, 16;
        SEQ: 20, 8;
        RECORDED_AT: 28, 8;
        ENVELOPE_LEN: 36, 4;
    }
}

layout! {
    /// In front of the ciphertext of a payload that is stored encrypted.
    encrypted_payload, "Encrypted payload", 72, {
        COMMITMENT: 0, 32;
        KEY_ID: 32, 16;
        NONCE: 48, 24;
    }
}

layout! {
    /// The last 256 bytes of a sealed segment.
    segment_footer, "Segment footer", 256, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        RESERVED_A: 10, 6;
        LOG_ID: 16, 16;
        ORDINAL: 32, 8;
        FIRST_SEQ: 40, 8;
        COUNT: 48, 8;
        FRAMES_END: 56, 8;
        TABLE_OFFSET: 64, 8;
        TABLE_COUNT: 72, 4;
        TABLE_STRIDE: 76, 4;
        RECORDED_MIN: 80, 8;
        RECORDED_MAX: 88, 8;
        OCCURRED_MIN: 96, 8;
        OCCURRED_MAX: 104, 8;
        END_ROOT: 112, 32;
        INDEX_ROOT: 144, 32;
        LAST_ANCHOR: 176, 8;
        KEEP_UNTIL: 184, 8;
        SEALED_AT: 192, 8;
        TABLE_CRC: 200, 4;
        RESERVED_B: 204, 48;
        CRC: 252, 4;
    }
}

layout! {
    /// One waypoint of a sealed segment's table.
    waypoint, "Waypoint", 8, {
        FRAME_OFFSET: 0, 4;
        RECORD_OFFSET: 4, 4;
    }
}

layout! {
    /// The first 256 bytes of an index file.
    index_header, "Index header", 256, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        SPEC: 10, 1;
        RESERVED_A: 11, 5;
        LOG_ID: 16, 16;
        ORDINAL: 32, 8;
        FIRST_SEQ: 40, 8;
        RECORDS: 48, 4;
        EVENTS: 52, 4;
        FIELD_STARTS: 56, 32;
        TERMS_ROOT: 88, 32;
        OCCURRED_ROOT: 120, 32;
        RECORDED_ROOT: 152, 32;
        ID_COUNTS: 184, 12;
        TIMES_LENS: 196, 8;
        HEAP_LEN: 204, 4;
        PAGES_CRC: 208, 4;
        FURTHER_TERMS: 212, 4;
        FURTHER_IDS: 216, 4;
        RESERVED_B: 220, 32;
        CRC: 252, 4;
    }
}

layout! {
    /// The first 64 bytes of a hash file.
    level_header, "Hash file header", 64, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        LEVEL: 10, 1;
        HASH_ALGORITHM: 11, 1;
        RESERVED_A: 12, 4;
        LOG_ID: 16, 16;
        RESERVED_B: 32, 28;
        CRC: 60, 4;
    }
}

layout! {
    /// One of the two slots of a mark file.
    mark_slot, "Mark slot", 4096, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        HASH_ALGORITHM: 10, 1;
        PEAK_COUNT: 11, 1;
        RESERVED_A: 12, 4;
        LOG_ID: 16, 16;
        GENERATION: 32, 8;
        SIZE: 40, 8;
        ORDINAL: 48, 8;
        NONCE: 56, 16;
        OFFSET: 72, 8;
        LAST_ANCHOR: 80, 8;
        LAST_RECORDED_AT: 88, 8;
        RECORDED_MIN: 96, 8;
        OCCURRED_MIN: 104, 8;
        OCCURRED_MAX: 112, 8;
        RESERVED_B: 120, 8;
        PEAKS: 128, 2048;
        RESERVED_C: 2176, 1916;
        CRC: 4092, 4;
    }
}

layout! {
    /// The whole LOCK file.
    lock_file, "Lock file", 64, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        RESERVED_A: 10, 2;
        PID: 12, 4;
        LOG_ID: 16, 16;
        DURABLE_SIZE: 32, 8;
        ORDINAL: 40, 8;
        RESERVED_B: 48, 12;
        CRC: 60, 4;
    }
}

layout! {
    /// The first 48 bytes of a catalog snapshot; the bincode body follows.
    snapshot_header, "Snapshot header", 48, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        RESERVED: 10, 6;
        LOG_ID: 16, 16;
        BODY_LEN: 32, 8;
        BODY_CRC: 40, 4;
        CRC: 44, 4;
    }
}

layout! {
    /// The first 128 bytes of a key store.
    key_store_header, "Key store header", 128, {
        MAGIC: 0, 8;
        FORMAT_VERSION: 8, 2;
        RESERVED_A: 10, 6;
        STORE_ID: 16, 16;
        CREATED_AT: 32, 8;
        CHECK: 40, 32;
        LOG_ID: 72, 16;
        RESERVED_B: 88, 36;
        CRC: 124, 4;
    }
}

layout! {
    /// One of the two slots of a key store.
    key_store_slot, "Key store slot", 64, {
        MAGIC: 0, 8;
        GENERATION: 8, 8;
        STORE_ID: 16, 16;
        ENTRIES_END: 32, 8;
        COUNT: 40, 4;
        RESERVED: 44, 16;
        CRC: 60, 4;
    }
}

layout! {
    /// In front of the ciphertext of one entry of a key store.
    key_store_entry, "Key store entry", 26, {
        LEN_OF_NAME: 0, 2;
        NONCE: 2, 24;
    }
}

layout! {
    /// What an entry of a key store holds, decrypted; the subject's name follows.
    subject_keys, "Subject keys", 88, {
        KEY_ID: 0, 16;
        PAYLOAD_KEY: 16, 32;
        ALIAS_KEY: 48, 32;
        CREATED_AT: 80, 8;
    }
}

/// Every layout of the format.
pub const ALL: &[Layout] = &[
    segment_header::LAYOUT,
    frame_header::LAYOUT,
    record_prefix::LAYOUT,
    record_head::LAYOUT,
    encrypted_payload::LAYOUT,
    segment_footer::LAYOUT,
    waypoint::LAYOUT,
    index_header::LAYOUT,
    level_header::LAYOUT,
    mark_slot::LAYOUT,
    lock_file::LAYOUT,
    snapshot_header::LAYOUT,
    key_store_header::LAYOUT,
    key_store_slot::LAYOUT,
    key_store_entry::LAYOUT,
    subject_keys::LAYOUT,
];

impl Field {
    /// The field's bytes. The caller gives a buffer of at least the layout's length.
    pub fn bytes<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        &buf[self.offset..self.offset + self.size]
    }

    /// Writes the field; `bytes` is exactly as long as the field.
    pub fn set(&self, buf: &mut [u8], bytes: &[u8]) {
        debug_assert_eq!(bytes.len(), self.size, "{}", self.name);
        buf[self.offset..self.offset + self.size].copy_from_slice(bytes);
    }

    /// The field as an unsigned little-endian number of up to 8 bytes.
    pub fn uint(&self, buf: &[u8]) -> u64 {
        let mut wide = [0; 8];
        let bytes = self.bytes(buf);
        let size = bytes.len().min(8);
        wide[..size].copy_from_slice(&bytes[..size]);
        u64::from_le_bytes(wide)
    }

    /// Writes a number; it must fit the field's width.
    pub fn set_uint(&self, buf: &mut [u8], value: u64) {
        debug_assert!(self.size >= 8 || value >> (8 * self.size) == 0, "{}: {value}", self.name);
        let size = self.size.min(8);
        buf[self.offset..self.offset + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    /// The field as a signed number of 8 bytes.
    pub fn int(&self, buf: &[u8]) -> i64 {
        self.uint(buf).cast_signed()
    }

    /// Writes a signed number of 8 bytes.
    pub fn set_int(&self, buf: &mut [u8], value: i64) {
        self.set_uint(buf, value.cast_unsigned());
    }

    /// The field as 16 bytes.
    pub fn array_16(&self, buf: &[u8]) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(self.bytes(buf));
        out
    }

    /// The field as a hash.
    pub fn hash(&self, buf: &[u8]) -> crate::hash::Hash {
        let mut out = [0; crate::hash::Hash::LEN];
        out.copy_from_slice(self.bytes(buf));
        crate::hash::Hash::from_bytes(out)
    }
}

/// CRC-32 (IEEE) of a fixed structure without its last field, the CRC itself.
pub fn trailing_crc(buf: &[u8], crc: Field) -> u32 {
    crc32fast::hash(&buf[..crc.offset])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cover_each_layout_without_gap_or_overlap() {
        for layout in ALL {
            let mut at = 0;
            for field in layout.fields {
                assert_eq!(field.offset, at, "{}: {}", layout.name, field.name);
                at += field.size;
            }
            assert_eq!(at, layout.len, "{}", layout.name);
        }
    }

    /// The rows `| name | offset | size | …` below each heading of the document.
    fn documented(text: &str) -> Vec<(String, String, usize, usize)> {
        let mut heading = String::new();
        let mut rows = Vec::new();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix('#') {
                heading = title.trim_start_matches('#').trim().to_owned();
            }
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            if cells.len() >= 5
                && let (Ok(offset), Ok(size)) = (cells[2].parse(), cells[3].parse())
            {
                rows.push((heading.clone(), cells[1].trim_matches('`').to_owned(), offset, size));
            }
        }
        rows
    }

    #[test]
    fn the_format_document_shows_the_same_tables() {
        let rows = documented(include_str!("../../docs/format.md"));
        for layout in ALL {
            let shown: Vec<_> = rows
                .iter()
                .filter(|(heading, ..)| heading == layout.name)
                .map(|(_, name, offset, size)| (name.as_str(), *offset, *size))
                .collect();
            let coded: Vec<(String, usize, usize)> =
                layout.fields.iter().map(|f| (f.name.to_lowercase(), f.offset, f.size)).collect();
            let coded: Vec<_> = coded.iter().map(|(n, o, s)| (n.as_str(), *o, *s)).collect();
            assert_eq!(shown, coded, "table “{}” of docs/format.md", layout.name);
        }
        let known: Vec<_> = ALL.iter().map(|layout| layout.name).collect();
        for (heading, name, ..) in &rows {
            assert!(known.contains(&heading.as_str()), "{heading}: {name} is not in the code");
        }
    }
}
