//! The field types of the bodies.

use std::collections::BTreeMap;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{AllowedEnumVariants, DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode, impl_borrow_decode};

use super::schema::{SCHEMA_ADDED, SCHEMA_REDACTED};
use crate::event::limits::{CHANGED_FIELDS_MAX, REDACTED_PATHS_MAX, TAGS_MAX};
use crate::event::{EventId, Json, Outcome, Redacted};
use crate::time::Timestamp;

/// Which identifiers of an envelope are aliases (keyed pseudonyms) instead of
/// plain: bit 0 `actor.id`, bit 1 `resource.id`, bit 2 `tenant`, bit 3 `on_behalf_of.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Aliases(u8);

impl Aliases {
    /// All identifiers are plain.
    pub const NONE: Aliases = Aliases(0);

    /// Highest value in a schema: all of its bits.
    const fn max(schema: u8) -> u8 {
        if schema >= SCHEMA_ADDED { 0b1111 } else { 0b111 }
    }

    /// Those that are aliases; `tenant` is plain.
    pub(super) const fn of(actor_id: bool, resource_id: bool, on_behalf_of_id: bool) -> Self {
        Aliases(actor_id as u8 | (resource_id as u8) << 1 | (on_behalf_of_id as u8) << 3)
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

    /// Whether `on_behalf_of.id` is an alias.
    pub const fn on_behalf_of_id(self) -> bool {
        self.0 & 0b1000 != 0
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

/// What was redacted of an event, if anything was. Two are equal if they say the same.
#[derive(Clone, Debug)]
pub struct Redaction<'a> {
    places: Option<Places<'a>>,
    /// Whether the mark of an absent one is written.
    is_optional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Places<'a> {
    rules: &'a str,
    paths: Names<'a>,
    more: u64,
}

impl PartialEq for Redaction<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places
    }
}

impl Eq for Redaction<'_> {}

impl<'a> Redaction<'a> {
    /// That of a body of this schema.
    pub(super) fn of(schema: u8, redacted: Option<&'a Redacted>) -> Self {
        let places = redacted.map(|Redacted { rules, paths, more }| Places {
            rules,
            paths: Names::from(paths.as_slice()),
            more: *more,
        });
        Redaction { places, is_optional: schema >= SCHEMA_ADDED }
    }

    /// By which rules.
    pub fn rules(&self) -> Option<&'a str> {
        self.places.as_ref().map(|places| places.rules)
    }

    /// Where.
    pub fn paths(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.places.iter().flat_map(|places| places.paths.iter())
    }

    /// All of it, owned.
    pub fn to_redacted(&self) -> Option<Redacted> {
        self.places.as_ref().map(|places| Redacted {
            rules: places.rules.to_owned(),
            paths: places.paths.iter().map(str::to_owned).collect(),
            more: places.more,
        })
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

impl<'de> BorrowDecode<'de, Schema> for Outcome {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Schema>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let max = if decoder.context().0 >= SCHEMA_ADDED { 4 } else { 3 };
        let code = u8::decode(decoder)?;
        let outcome = Outcome::from_code(code).filter(|outcome| outcome.code() <= max);
        outcome.ok_or(out_of_range("outcome", max, code))
    }
}

/// A byte that should be 0 to `max`.
fn out_of_range(type_name: &'static str, max: u8, found: u8) -> DecodeError {
    let allowed: &'static AllowedEnumVariants = match max {
        3 => &AllowedEnumVariants::Range { min: 0, max: 3 },
        4 => &AllowedEnumVariants::Range { min: 0, max: 4 },
        7 => &AllowedEnumVariants::Range { min: 0, max: 7 },
        _ => &AllowedEnumVariants::Range { min: 0, max: 15 },
    };
    DecodeError::UnexpectedVariant { type_name, allowed, found: found.into() }
}

/// One byte.
impl Encode for Aliases {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<'de> BorrowDecode<'de, Schema> for Aliases {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Schema>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let max = Aliases::max(decoder.context().0);
        let bits = u8::decode(decoder)?;
        if bits > max {
            return Err(out_of_range("aliases", max, bits));
        }
        Ok(Aliases(bits))
    }
}

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

/// The mark of an optional field, and its parts. If nothing was redacted the mark is 0, or there
/// is nothing at all: schema 1 ends with the field before.
impl Encode for Redaction<'_> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let Some(places) = &self.places else {
            return if self.is_optional { 0_u8.encode(encoder) } else { Ok(()) };
        };
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
        let schema = decoder.context().0;
        if schema < SCHEMA_REDACTED {
            return Ok(Redaction::of(schema, None));
        }
        match u8::decode(decoder)? {
            0 if schema >= SCHEMA_ADDED => return Ok(Redaction::of(schema, None)),
            1 => {}
            _ if schema >= SCHEMA_ADDED => {
                return Err(DecodeError::Other("0 or 1: whether something was redacted"));
            }
            _ => return Err(DecodeError::Other("what was redacted, because the schema is 2")),
        }
        let rules = <&str>::borrow_decode(decoder)?;
        let paths = Names::borrow_decode(decoder)?;
        if paths.len() > REDACTED_PATHS_MAX {
            return Err(DecodeError::Other("at most 256 paths of redacted places"));
        }
        let more = u64::decode(decoder)?;
        let places = Some(Places { rules, paths, more });
        Ok(Redaction { places, is_optional: schema >= SCHEMA_ADDED })
    }
}
