//! Fields of fixed-width structures, and the encodings of bodies.

use super::document;

/// What a field is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(number.cast_unsigned())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Value::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

/// Fields that are set to something else than what follows from the rest.
pub(crate) type Sets = Vec<(&'static str, Value)>;

/// Writes a field of a fixed-width structure.
pub(crate) fn put(structure: &str, bytes: &mut [u8], field: &str, value: impl Into<Value>) {
    let (offset, size) = document::place(structure, field);
    let value = match value.into() {
        Value::Number(number) => number.to_le_bytes()[..size].to_vec(),
        Value::Bytes(value) => value,
    };
    assert_eq!(value.len(), size, "{structure}: {field}");
    bytes[offset..offset + size].copy_from_slice(&value);
}

/// A field of a fixed-width structure, as a number.
pub(crate) fn number(structure: &str, bytes: &[u8], field: &str) -> u64 {
    let mut wide = [0; 8];
    let value = part(structure, bytes, field);
    wide[..value.len()].copy_from_slice(value);
    u64::from_le_bytes(wide)
}

/// A field of a fixed-width structure.
pub(crate) fn part<'a>(structure: &str, bytes: &'a [u8], field: &str) -> &'a [u8] {
    let (offset, size) = document::place(structure, field);
    &bytes[offset..offset + size]
}

/// Sets fields, then the CRC over all before it, unless that was among them.
pub(crate) fn finish(structure: &str, bytes: &mut [u8], sets: &Sets) {
    for (field, value) in sets.iter().filter(|(field, _)| *field != "crc") {
        put(structure, bytes, field, value.clone());
    }
    let (offset, _) = document::place(structure, "crc");
    let crc = crc32fast::hash(&bytes[..offset]);
    put(structure, bytes, "crc", u64::from(crc));
    for (field, value) in sets.iter().filter(|(field, _)| *field == "crc") {
        put(structure, bytes, field, value.clone());
    }
}

/// A `uint` in its shortest form.
pub(crate) fn uint(number: u64) -> Vec<u8> {
    match number {
        0..251 => vec![number.to_le_bytes()[0]],
        251..0x1_0000 => [&[251], &number.to_le_bytes()[..2]].concat(),
        0x1_0000..0x1_0000_0000 => [&[252], &number.to_le_bytes()[..4]].concat(),
        _ => [&[253], &number.to_le_bytes()[..]].concat(),
    }
}

/// A `uint` in the longest of its forms.
pub(crate) fn long_uint(number: u64) -> Vec<u8> {
    [&[253], &number.to_le_bytes()[..]].concat()
}

pub(crate) fn int(number: i64) -> Vec<u8> {
    uint(((number << 1) ^ (number >> 63)).cast_unsigned())
}

pub(crate) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [uint(text.len() as u64), text.to_vec()].concat()
}

/// An `option X` that is there.
pub(crate) fn some(value: Vec<u8>) -> Vec<u8> {
    [vec![1], value].concat()
}

/// The `uint` at the start of these bytes, and how long it is.
pub(crate) fn take_uint(bytes: &[u8]) -> (u64, usize) {
    let wide = |len: usize| {
        let mut wide = [0; 8];
        wide[..len].copy_from_slice(&bytes[1..=len]);
        (u64::from_le_bytes(wide), 1 + len)
    };
    match bytes[0] {
        251 => wide(2),
        252 => wide(4),
        253 => wide(8),
        small => (small.into(), 1),
    }
}

pub(crate) fn as_uint(field: &[u8]) -> u64 {
    take_uint(field).0
}

pub(crate) fn as_int(field: &[u8]) -> i64 {
    let zigzag = take_uint(field).0;
    (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
}

/// The bytes of a `text`.
pub(crate) fn as_text(field: &[u8]) -> &[u8] {
    &field[take_uint(field).1..]
}

/// The parts of a sequence, but for those in brackets: `a, (b, c)` has two.
fn parts(sequence: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in sequence.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(sequence[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(sequence[start..].trim());
    parts
}

/// Length of a value of this encoding at the start of these bytes.
fn value_len(encoding: &str, bytes: &[u8]) -> usize {
    if let Some(inner) = encoding.strip_prefix("option ") {
        return if bytes[0] == 0 { 1 } else { 1 + value_len(inner, &bytes[1..]) };
    }
    if let Some(inner) = encoding.strip_prefix("list ") {
        let (count, mut at) = take_uint(bytes);
        for _ in 0..count {
            at += value_len(inner, &bytes[at..]);
        }
        return at;
    }
    if let Some(inner) = encoding.strip_prefix("four ") {
        return (0..4).fold(0, |at, _| at + value_len(inner, &bytes[at..]));
    }
    if let Some(parts) = encoding.strip_prefix('(') {
        let inner = self::parts(parts.strip_suffix(')').unwrap());
        return inner.into_iter().fold(0, |at, inner| at + value_len(inner, &bytes[at..]));
    }
    match encoding {
        "option" => unreachable!("an option of nothing"),
        "byte" => 1,
        "bytes8" => 8,
        "bytes16" => 16,
        "bytes32" => 32,
        "uint" | "int" => take_uint(bytes).1,
        "text" | "json" | "bytes" => {
            let (len, at) = take_uint(bytes);
            at + usize::try_from(len).unwrap()
        }
        other => panic!("encoding {other}"),
    }
}

/// Cuts a body of schema 1 into its fields, each as it is encoded.
pub(crate) fn split(body: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut at = 0;
    let fields: Vec<_> = document::body(body)
        .into_iter()
        .map(|(name, encoding)| {
            let len = value_len(&encoding, &bytes[at..]);
            at += len;
            (name, bytes[at - len..at].to_vec())
        })
        .collect();
    assert_eq!(at, bytes.len(), "{body}: bytes behind its fields");
    fields
}
