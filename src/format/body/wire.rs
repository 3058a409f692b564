//! bincode at work: appending, decoding, and comparing with the one spelling.

use bincode::config::{self, Configuration};
use bincode::de::read::{BorrowReader, Reader};
use bincode::de::{BorrowDecoder, DecoderImpl};
use bincode::enc::write::Writer;
use bincode::error::{AllowedEnumVariants, DecodeError, EncodeError};
use bincode::{BorrowDecode, Encode};

use super::error::{Body, BodyError};

const CONFIG: Configuration = config::standard();

/// Appends the value and returns its length, which must not be more than `room`.
///
/// The room is made first and the rest of it given back: a check of the capacity at
/// each of some fifty small writes costs more than filling a few bytes too many.
///
/// # Errors
/// It is longer; `out` is then as before.
pub(super) fn append<T: Encode>(
    body: Body,
    room: usize,
    value: &T,
    out: &mut Vec<u8>,
) -> Result<usize, BodyError> {
    let start = out.len();
    out.resize(start.saturating_add(room), 0);
    let mut used = start;
    let encoded = bincode::encode_into_writer(value, Appender { out, used: &mut used }, CONFIG);
    match encoded {
        Ok(()) => {
            out.truncate(used);
            Ok(used - start)
        }
        Err(_) => {
            out.truncate(start);
            Err(BodyError::TooLong { body, max: room, found: room.saturating_add(1) })
        }
    }
}

/// Reads one value that takes all of the bytes.
pub(super) fn decode<'a, C, T: BorrowDecode<'a, C>>(
    body: Body,
    max: usize,
    bytes: &'a [u8],
    context: C,
) -> Result<T, BodyError> {
    if bytes.len() > max {
        return Err(BodyError::TooLong { body, max, found: bytes.len() });
    }
    let mut decoder = DecoderImpl::new(Input { rest: bytes }, CONFIG, context);
    let value = T::borrow_decode(&mut decoder);
    let rest = decoder.borrow_reader().rest.len();
    let offset = bytes.len() - rest;
    match value {
        Err(error) => Err(explain(body, offset, &error)),
        Ok(_) if rest > 0 => Err(BodyError::Trailing { body, offset, found: rest }),
        Ok(value) => Ok(value),
    }
}

/// Passes the value on if the bytes are what [`append`] would write for it.
pub(super) fn strict<T: Encode>(body: Body, bytes: &[u8], value: T) -> Result<T, BodyError> {
    let mut rest = bytes;
    match bincode::encode_into_writer(&value, Comparer { rest: &mut rest }, CONFIG) {
        Ok(()) if rest.is_empty() => Ok(value),
        _ => Err(BodyError::NotCanonical { body, offset: bytes.len() - rest.len() }),
    }
}

fn explain(body: Body, offset: usize, error: &DecodeError) -> BodyError {
    let unexpected =
        |expected: String, found: String| BodyError::Unexpected { body, offset, expected, found };
    match error {
        DecodeError::UnexpectedEnd { additional } => {
            BodyError::CutShort { body, offset, missing: *additional }
        }
        DecodeError::UnexpectedVariant {
            type_name,
            allowed: AllowedEnumVariants::Range { min, max },
            found,
        } => unexpected(format!("{type_name} as a byte from {min} to {max}"), found.to_string()),
        DecodeError::Utf8 { inner } => unexpected("UTF-8 text".to_owned(), inner.to_string()),
        DecodeError::InvalidIntegerType { .. } => {
            unexpected("an integer of at most 64 bits".to_owned(), "a longer one".to_owned())
        }
        DecodeError::OutsideUsizeRange(found) => {
            unexpected("a length that fits into memory".to_owned(), found.to_string())
        }
        DecodeError::Other(expected) => {
            unexpected((*expected).to_owned(), "something else".to_owned())
        }
        other => unexpected("a field of the body".to_owned(), other.to_string()),
    }
}

/// Fills room that has been made.
struct Appender<'a> {
    out: &'a mut [u8],
    used: &'a mut usize,
}

impl Writer for Appender<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let end = self.used.saturating_add(bytes.len());
        let free = self.out.get_mut(*self.used..end).ok_or(EncodeError::UnexpectedEnd)?;
        free.copy_from_slice(bytes);
        *self.used = end;
        Ok(())
    }
}

/// Compares what is written with what stands there, without a copy.
struct Comparer<'r, 'a> {
    rest: &'r mut &'a [u8],
}

impl Writer for Comparer<'_, '_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        match self.rest.split_at_checked(bytes.len()) {
            Some((same, rest)) if same == bytes => {
                *self.rest = rest;
                Ok(())
            }
            _ => Err(EncodeError::UnexpectedEnd),
        }
    }
}

/// Bytes still to be read; unlike bincode's own reader it tells how many.
struct Input<'a> {
    rest: &'a [u8],
}

impl Reader for Input<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), DecodeError> {
        bytes.copy_from_slice(self.take_bytes(bytes.len())?);
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, n: usize) -> Option<&[u8]> {
        self.rest.get(..n)
    }

    #[inline]
    fn consume(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }
}

impl<'a> BorrowReader<'a> for Input<'a> {
    #[inline]
    fn take_bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeError::UnexpectedEnd { additional: length - self.rest.len() }),
        }
    }
}
