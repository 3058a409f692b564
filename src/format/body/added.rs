//! The fields that only schema 3 has.

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

use super::fields::Schema;
use super::schema::SCHEMA_ADDED;
use crate::event::limits::TARGETS_MAX;
use crate::event::{ActorRef, SpanId, TargetRef, TraceId};

/// A field that bodies have from schema 3 on. In those before there are no bytes of it, and its
/// value is that of an event without it; two are equal if their values are.
#[derive(Clone, Copy, Debug)]
pub struct Since3<T> {
    /// The value.
    pub value: T,
    is_written: bool,
}

impl<T> Since3<T> {
    /// The value, in a body of this schema.
    pub(super) const fn of(schema: u8, value: T) -> Self {
        Since3 { value, is_written: schema >= SCHEMA_ADDED }
    }

    /// Another value in the same body.
    pub(super) fn with<U>(self, change: impl FnOnce(T) -> U) -> Since3<U> {
        Since3 { value: change(self.value), is_written: self.is_written }
    }
}

impl<T: PartialEq> PartialEq for Since3<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Since3<T> {}

impl<T: Encode> Encode for Since3<T> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        if self.is_written { self.value.encode(encoder) } else { Ok(()) }
    }
}

impl<'de, T: BorrowDecode<'de, Schema> + Default> BorrowDecode<'de, Schema> for Since3<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Schema>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let schema = decoder.context().0;
        let value = if schema >= SCHEMA_ADDED { T::borrow_decode(decoder)? } else { T::default() };
        Ok(Since3::of(schema, value))
    }
}

/// The targets of an event, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TargetList<'a>(pub(super) Vec<TargetRef<'a>>);

impl<'a> TargetList<'a> {
    /// The targets.
    pub fn as_slice(&self) -> &[TargetRef<'a>] {
        &self.0
    }
}

impl<'a> FromIterator<TargetRef<'a>> for TargetList<'a> {
    fn from_iter<I: IntoIterator<Item = TargetRef<'a>>>(targets: I) -> Self {
        TargetList(targets.into_iter().collect())
    }
}

/// Their number, then each: type, id, role.
impl Encode for TargetList<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.0.len() as u64).encode(encoder)?;
        self.0.iter().try_for_each(|TargetRef { kind, id, role }| {
            kind.encode(encoder)?;
            id.encode(encoder)?;
            role.encode(encoder)
        })
    }
}

impl<'a, 'de: 'a, Context> BorrowDecode<'de, Context> for TargetList<'a> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let count = u64::decode(decoder)?;
        if count > TARGETS_MAX as u64 {
            return Err(DecodeError::Other("at most 64 targets"));
        }
        // Grows with what is really there; the count may lie.
        let mut targets = Vec::new();
        for _ in 0..count {
            let target = <(&str, &str, Option<&str>)>::borrow_decode(decoder)?;
            let (kind, id, role) = target;
            targets.push(TargetRef { kind, id, role });
        }
        Ok(TargetList(targets))
    }
}

/// Type and id.
impl Encode for ActorRef<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.kind.encode(encoder)?;
        self.id.encode(encoder)
    }
}

impl<'a, 'de: 'a, Context> BorrowDecode<'de, Context> for ActorRef<'a> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let (kind, id) = <(&str, &str)>::borrow_decode(decoder)?;
        Ok(ActorRef { kind, id })
    }
}

macro_rules! trace_identifier {
    ($name:ident, $refusal:literal) => {
        /// The bytes as they are.
        impl Encode for $name {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                self.as_bytes().encode(encoder)
            }
        }

        impl<Context> Decode<Context> for $name {
            fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
                let bytes = Decode::decode(decoder)?;
                $name::from_bytes(bytes).ok_or(DecodeError::Other($refusal))
            }
        }

        bincode::impl_borrow_decode!($name);
    };
}

trace_identifier!(TraceId, "a trace id that is not all zeros");
trace_identifier!(SpanId, "a span id that is not all zeros");
