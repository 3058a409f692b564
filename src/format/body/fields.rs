//! The field types of the bodies.

use std::collections::BTreeMap;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{AllowedEnumVariants, DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode, impl_borrow_decode};

use crate::event::limits::{CHANGED_FIELDS_MAX, REDACTED_PATHS_MAX, TAGS_MAX};
use crate::event::{EventId, Json, Outcome, Redacted};
use crate::time::Timestamp;

/// Which identifiers of an envelope are aliases (keyed pseudonyms) instead of
/// plain: bit 0 `actor.id`, bit 1 `resource.id`, bit 2 `tenant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Aliases(u8);

impl Aliases {
    /// All identifiers are plain.
    pub const NONE: Aliases = Aliases(0);
    /// Highest value: all three bits.
    const MAX: u8 = 0b111;

    /// Those of `actor.id` and `resource.id` that are aliases; `tenant` is plain.
    pub(super) const fn of(actor_id: bool, resource_id: bool) -> Self {
        Aliases(actor_id as u8 | (resource_id as u8) << 1)
    }

    /// Whether `actor.id` is an alias.
    pub const fn actor_id(self) -> bool {
        self.0 & 0b001 != 0
    }

    /// Whether `resource.id` is an alias.
    pub const fn resource_id(self) -> bool {
        self.0 & 0b010 != 0
    }

    /// Whether `tenant` is an alias.
    pub const fn tenant(self) -> bool {
        self.0 & 0b100 != 0
    }
}

/// Text that is one JSON value, with nothing around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonText<'a>(&'a str);

impl<'a> JsonText<'a> {
    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The value, owned.
    pub fn to_json(self) -> Json {
        Json::from_checked(self.0)
    }
}

impl<'a> From<&'a Json> for JsonText<'a> {
    fn from(json: &'a Json) -> Self {
        JsonText(json.as_str())
    }
}

/// A list of names: an event's own, or borrowed from the bytes.
#[derive(Clone, Debug)]
pub struct Names<'a>(Source<&'a [String], Vec<&'a str>>);

/// Labels by ascending key: an event's own, or borrowed from the bytes.
#[derive(Clone, Debug)]
pub struct Tags<'a>(Source<&'a BTreeMap<String, String>, Vec<(&'a str, &'a str)>>);

/// The schema of the record whose payload is decoded.
pub(super) struct Schema(pub(super) u8);

/// What was redacted of an event, if anything was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction<'a>(Option<Places<'a>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Places<'a> {
    rules: &'a str,
    paths: Names<'a>,
    more: u64,
}

impl<'a> Redaction<'a> {
    /// Nothing was.
    pub const NONE: Redaction<'static> = Redaction(None);

    /// By which rules.
    pub fn rules(&self) -> Option<&'a str> {
        self.0.as_ref().map(|places| places.rules)
    }

    /// Where.
    pub fn paths(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.0.iter().flat_map(|places| places.paths.iter())
    }

    /// All of it, owned.
    pub fn to_redacted(&self) -> Option<Redacted> {
        self.0.as_ref().map(|places| Redacted {
            rules: places.rules.to_owned(),
            paths: places.paths.iter().map(str::to_owned).collect(),
            more: places.more,
        })
    }
}

impl<'a> From<&'a Redacted> for Redaction<'a> {
    fn from(redacted: &'a Redacted) -> Self {
        let Redacted { rules, paths, more } = redacted;
        Redaction(Some(Places { rules, paths: Names::from(paths.as_slice()), more: *more }))
    }
}

#[derive(Clone, Debug)]
enum Source<G, R> {
    Given(G),
    Read(R),
}

impl<'a> Names<'a> {
    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        let (given, read): (&'a [String], &[&'a str]) = match &self.0 {
            Source::Given(names) => (names, &[]),
            Source::Read(names) => (&[], names),
        };
        given.iter().map(String::as_str).chain(read.iter().copied())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Given(names) => names.len(),
            Source::Read(names) => names.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> Tags<'a> {
    /// The labels as (key, value), by ascending key.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        let (given, read): (Option<&'a BTreeMap<_, _>>, &[_]) = match &self.0 {
            Source::Given(tags) => (Some(tags), &[]),
            Source::Read(tags) => (None, tags),
        };
        let given = given.into_iter().flatten();
        given.map(|(key, value): (&String, &String)| (&**key, &**value)).chain(read.iter().copied())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Given(tags) => tags.len(),
            Source::Read(tags) => tags.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a [String]> for Names<'a> {
    fn from(names: &'a [String]) -> Self {
        Names(Source::Given(names))
    }
}

impl<'a> From<&'a BTreeMap<String, String>> for Tags<'a> {
    fn from(tags: &'a BTreeMap<String, String>) -> Self {
        Tags(Source::Given(tags))
    }
}

impl PartialEq for Names<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Names<'_> {}

impl PartialEq for Tags<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tags<'_> {}

/// 16 bytes as they are.
impl Encode for EventId {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for EventId {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Decode::decode(decoder).map(EventId)
    }
}

impl_borrow_decode!(EventId);

/// Nanoseconds since 1970 as a zigzag integer.
impl Encode for Timestamp {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.as_nanos().encode(encoder)
    }
}

impl<Context> Decode<Context> for Timestamp {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Decode::decode(decoder).map(Timestamp::from_nanos)
    }
}

impl_borrow_decode!(Timestamp);

/// Its code, one byte.
impl Encode for Outcome {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.code().encode(encoder)
    }
}

impl<Context> Decode<Context> for Outcome {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let code = u8::decode(decoder)?;
        Outcome::from_code(code).ok_or(DecodeError::UnexpectedVariant {
            type_name: "outcome",
            allowed: &AllowedEnumVariants::Range { min: 0, max: 3 },
            found: code.into(),
        })
    }
}

impl_borrow_decode!(Outcome);

/// One byte.
impl Encode for Aliases {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for Aliases {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let bits = u8::decode(decoder)?;
        if bits > Aliases::MAX {
            return Err(DecodeError::UnexpectedVariant {
                type_name: "aliases",
                allowed: &AllowedEnumVariants::Range { min: 0, max: Aliases::MAX as u32 },
                found: bits.into(),
            });
        }
        Ok(Aliases(bits))
    }
}

impl_borrow_decode!(Aliases);

/// As text.
impl Encode for JsonText<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<'a, 'de: 'a, Context> BorrowDecode<'de, Context> for JsonText<'a> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let text = <&str>::borrow_decode(decoder)?;
        // Checked here, because it is later printed into other JSON unquoted.
        if !crate::event::json::is_json(text) {
            return Err(DecodeError::Other("one JSON value without space around it"));
        }
        Ok(JsonText(text))
    }
}

/// Their number, then each as text.
impl Encode for Names<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.len() as u64).encode(encoder)?;
        self.iter().try_for_each(|name| name.encode(encoder))
    }
}

impl<'a, 'de: 'a, Context> BorrowDecode<'de, Context> for Names<'a> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let count = u64::decode(decoder)?;
        if count > CHANGED_FIELDS_MAX as u64 {
            return Err(DecodeError::Other("at most 1024 changed fields"));
        }
        // Grows with what is really there; the count may lie.
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(<&str>::borrow_decode(decoder)?);
        }
        Ok(Names(Source::Read(names)))
    }
}

/// Their number, then each as two texts.
impl Encode for Tags<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.len() as u64).encode(encoder)?;
        self.iter().try_for_each(|tag| tag.encode(encoder))
    }
}

impl<'a, 'de: 'a, Context> BorrowDecode<'de, Context> for Tags<'a> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let count = u64::decode(decoder)?;
        if count > TAGS_MAX as u64 {
            return Err(DecodeError::Other("at most 256 tags"));
        }
        let mut tags: Vec<(&str, &str)> = Vec::new();
        for _ in 0..count {
            let (key, value) = <(&str, &str)>::borrow_decode(decoder)?;
            if tags.last().is_some_and(|(last, _)| *last >= key) {
                return Err(DecodeError::Other("tags by ascending key, each key once"));
            }
            tags.push((key, value));
        }
        Ok(Tags(Source::Read(tags)))
    }
}

/// Nothing at all if nothing was redacted: schema 1 ends with the field before. Else
/// the mark of an optional field, and its parts.
impl Encode for Redaction<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let Some(places) = &self.0 else { return Ok(()) };
        1_u8.encode(encoder)?;
        places.rules.encode(encoder)?;
        places.paths.encode(encoder)?;
        places.more.encode(encoder)
    }
}

impl<'a, 'de: 'a> BorrowDecode<'de, Schema> for Redaction<'a> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Schema>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        if decoder.context().0 < super::SCHEMA_REDACTED {
            return Ok(Redaction::NONE);
        }
        if u8::decode(decoder)? != 1 {
            return Err(DecodeError::Other("what was redacted, because the schema is 2"));
        }
        let rules = <&str>::borrow_decode(decoder)?;
        let paths = Names::borrow_decode(decoder)?;
        if paths.len() > REDACTED_PATHS_MAX {
            return Err(DecodeError::Other("at most 256 paths of redacted places"));
        }
        let more = u64::decode(decoder)?;
        Ok(Redaction(Some(Places { rules, paths, more })))
    }
}
