//! Parts that proof files are made of, by docs/format.md, “Proof files”.

use super::hashes::{Hash, blake3};
use super::notes::base64;
use super::segment::Record;

/// Bytes behind their length.
pub(crate) fn with_len(bytes: &[u8]) -> Vec<u8> {
    [&number4(bytes.len())[..], bytes].concat()
}

pub(crate) fn number4(number: usize) -> Vec<u8> {
    u32::try_from(number).unwrap().to_le_bytes().to_vec()
}

pub(crate) fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// *path*: hashes behind their number, 1 byte.
pub(crate) fn path(hashes: &[Hash]) -> Vec<u8> {
    [vec![u8::try_from(hashes.len()).unwrap()], hashes.concat()].concat()
}

/// *batch*: hashes behind their number, 4 bytes.
pub(crate) fn batch(hashes: &[Hash]) -> Vec<u8> {
    [number4(hashes.len()), hashes.concat()].concat()
}

/// Hashes, one a line.
pub(crate) fn hash_lines(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| base64(hash) + "\n").collect()
}

/// A record in one of the forms: 1 whole, 2 withheld, 4 withheld of one that is stored encrypted.
pub(crate) fn record(record: &Record, log_id: &[u8], seq: u64, form: u8) -> Vec<u8> {
    let rest = if form == 1 { record.stored.clone() } else { record.digests() };
    record_of(record, log_id, seq, form, &rest)
}

pub(crate) fn record_of(
    record: &Record,
    log_id: &[u8],
    seq: u64,
    form: u8,
    rest: &[u8],
) -> Vec<u8> {
    let head = record.head(log_id, seq);
    [&b"bulla-record/v1\0"[..], &[form], &head, &record.envelope(), rest].concat()
}

/// Stores a payload as if it were encrypted (nobody has the key); gives salt and payload.
pub(crate) fn seal(record: &mut Record) -> Vec<u8> {
    let salted = record.stored.clone();
    let commitment = blake3(&[b"bulla/payload/v1\0", &salted]);
    record.stored = [&commitment[..], &[7; 72]].concat();
    record.set_prefix("flags", 1_u64);
    salted
}

/// The container of `extra`.
pub(crate) fn container(sections: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let section = |(tag, bytes): &(u8, Vec<u8>)| [vec![*tag], with_len(bytes)].concat();
    let sections: Vec<u8> = sections.iter().flat_map(section).collect();
    [&b"bulla-extra/v1\0"[..], &sections].concat()
}
