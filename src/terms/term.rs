//! Terms: what a record is found by.

use crate::format::LogId;
use crate::hash::{self, Hash};

/// The specification of the index of a segment whose events have nothing that is new in
/// [`SPEC_ADDED`]. The number is part of every index root.
pub const SPEC: u8 = 1;

/// The specification that knows targets, on whose behalf something was done, trace ids and the
/// outcome *unknown*: of the index of a segment with an event that has any of them.
pub const SPEC_ADDED: u8 = 2;

/// What a term is about. The code is the first byte of the term's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The kind of a record that is no event, as one byte.
    Kind,
    /// `actor.id`, and `actor.type`.
    Actor,
    /// The type of the resource or of a target.
    ResourceType,
    /// The id of the resource or of a target, and its type.
    Resource,
    /// `tenant`.
    Tenant,
    /// `action`.
    Action,
    /// The code of the outcome, as one byte.
    Outcome,
    /// `on_behalf_of.id`, and `on_behalf_of.type`.
    OnBehalfOf,
}

impl Field {
    /// All fields, in the order of their codes.
    pub const ALL: [Field; 8] = [
        Field::Kind,
        Field::Actor,
        Field::ResourceType,
        Field::Resource,
        Field::Tenant,
        Field::Action,
        Field::Outcome,
        Field::OnBehalfOf,
    ];

    /// The code: 1 kind, 2 actor, 3 resource type, 4 resource, 5 tenant, 6 action, 7 outcome,
    /// 8 on behalf of.
    pub const fn code(self) -> u8 {
        match self {
            Field::Kind => 1,
            Field::Actor => 2,
            Field::ResourceType => 3,
            Field::Resource => 4,
            Field::Tenant => 5,
            Field::Action => 6,
            Field::Outcome => 7,
            Field::OnBehalfOf => 8,
        }
    }

    /// The field with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Field::ALL.into_iter().find(|field| field.code() == code)
    }

    /// Whether its terms have a type besides their name.
    pub const fn has_type(self) -> bool {
        matches!(self, Field::Actor | Field::Resource | Field::OnBehalfOf)
    }

    /// Whether its terms are ordered by hash, so that a neighbour that is shown discloses
    /// nobody; the others are ordered by their bytes.
    pub const fn is_hashed(self) -> bool {
        !matches!(self, Field::Kind | Field::Action | Field::Outcome)
    }
}

/// One of the two times that an event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// When it happened, by the caller's clock.
    Occurred,
    /// When the log took it.
    Recorded,
}

/// A field with a value, borrowed from an envelope, a query or an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term<'a> {
    /// What it is about.
    pub field: Field,
    /// The id, type, tenant or action; of kind and outcome their one byte.
    pub name: &'a [u8],
    /// The type, if the field [has one](Field::has_type).
    pub kind: Option<&'a [u8]>,
}

const TAG_NAME: &[u8] = b"bulla/index-name/v1\0";
const NAME_PART: u8 = 0;
const TYPE_PART: u8 = 1;

impl<'a> Term<'a> {
    /// A term of a field without types.
    pub fn of(field: Field, name: &'a [u8]) -> Self {
        Term { field, name, kind: None }
    }

    /// A term of a field with types.
    pub fn typed(field: Field, name: &'a [u8], kind: &'a [u8]) -> Self {
        Term { field, name, kind: Some(kind) }
    }

    /// The key, by which terms are ordered: code of the field ‖ name, or, of a hashed field,
    /// ‖ hash of the name ‖ hash of the type if there is one. The hashes take in the log's
    /// id: the same name has another key in another log.
    pub fn key(&self, log_id: LogId) -> Vec<u8> {
        let mut key = name_key(self.field, self.name, log_id);
        if let Some(kind) = self.kind {
            key.extend_from_slice(part_hash(self.field, TYPE_PART, kind, log_id).as_bytes());
        }
        key
    }

    /// Appends the spelling, which is the same for equal terms of a field only: the name; or,
    /// with a type, the name behind its length (LEB128), then the type.
    pub fn spell(&self, out: &mut Vec<u8>) {
        if self.kind.is_some() {
            put_varint(out, self.name.len() as u64);
        }
        out.extend_from_slice(self.name);
        out.extend_from_slice(self.kind.unwrap_or_default());
    }

    /// The term that is spelt so; `None` if none is.
    pub fn unspell(field: Field, spelling: &'a [u8]) -> Option<Self> {
        if !field.has_type() {
            return Some(Term::of(field, spelling));
        }
        let mut rest = spelling;
        let len = usize::try_from(take_varint(&mut rest)?).ok()?;
        let (name, kind) = rest.split_at_checked(len)?;
        Some(Term::typed(field, name, kind))
    }
}

/// The key of a name, which the keys of all its types begin with.
pub(super) fn name_key(field: Field, name: &[u8], log_id: LogId) -> Vec<u8> {
    let mut key = vec![field.code()];
    match field.is_hashed() {
        true => key.extend_from_slice(part_hash(field, NAME_PART, name, log_id).as_bytes()),
        false => key.extend_from_slice(name),
    }
    key
}

fn part_hash(field: Field, part: u8, bytes: &[u8], log_id: LogId) -> Hash {
    hash::sha256(&[TAG_NAME, &log_id.0, &[field.code(), part], bytes])
}

/// Appends an integer as LEB128: seven bits a byte, lowest first, the high bit on all but
/// the last.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Takes an integer from the front; `None` if it is not whole or has more than 64 bits.
pub fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
