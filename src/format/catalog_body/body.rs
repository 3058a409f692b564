//! The body of a catalog record, of any kind.

use super::codec::{borrow, decode, encode};
use super::erased::Erased;
use super::kinds::{
    ClockStepped, Created, HeadSigned, KeyAdded, KeysChanged, Quarantined, Sealed, Unknown, kind,
};
use super::protection::ProtectionSet;
use super::retention::{
    Archived, DropAborted, DropCompleted, DropStarted, HoldPlaced, HoldReleased, PolicySet,
    Restored,
};
use crate::format::{FormatError, record};
use crate::hash::Hash;

/// The body of a catalog record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogBody<'a> {
    /// See [`Created`].
    Created(Created<'a>),
    /// See [`Sealed`].
    Sealed(Sealed),
    /// See [`HeadSigned`].
    HeadSigned(HeadSigned<'a>),
    /// See [`KeyAdded`].
    KeyAdded(KeyAdded<'a>),
    /// See [`KeysChanged`].
    KeysChanged(KeysChanged<'a>),
    /// See [`Quarantined`].
    Quarantined(Quarantined<'a>),
    /// See [`ClockStepped`].
    ClockStepped(ClockStepped),
    /// See [`HoldPlaced`].
    HoldPlaced(HoldPlaced<'a>),
    /// See [`HoldReleased`].
    HoldReleased(HoldReleased<'a>),
    /// See [`PolicySet`].
    PolicySet(PolicySet<'a>),
    /// See [`DropStarted`].
    DropStarted(DropStarted<'a>),
    /// See [`DropCompleted`].
    DropCompleted(DropCompleted),
    /// See [`Archived`].
    Archived(Archived<'a>),
    /// See [`Restored`].
    Restored(Restored<'a>),
    /// See [`DropAborted`].
    DropAborted(DropAborted<'a>),
    /// See [`Erased`].
    Erased(Erased),
    /// See [`ProtectionSet`].
    ProtectionSet(ProtectionSet),
    /// See [`Unknown`].
    Unknown(Unknown<'a>),
}

impl<'a> CatalogBody<'a> {
    /// The record kind.
    pub fn kind(&self) -> u8 {
        match self {
            CatalogBody::Created(_) => kind::CREATED,
            CatalogBody::Sealed(_) => kind::SEGMENT_SEALED,
            CatalogBody::HeadSigned(_) => kind::HEAD_SIGNED,
            CatalogBody::KeyAdded(_) => kind::KEY_ADDED,
            CatalogBody::KeysChanged(_) => kind::KEYS_CHANGED,
            CatalogBody::Quarantined(_) => kind::QUARANTINED,
            CatalogBody::ClockStepped(_) => kind::CLOCK_STEPPED,
            CatalogBody::HoldPlaced(_) => kind::HOLD_PLACED,
            CatalogBody::HoldReleased(_) => kind::HOLD_RELEASED,
            CatalogBody::PolicySet(_) => kind::POLICY_SET,
            CatalogBody::DropStarted(_) => kind::DROP_BEGUN,
            CatalogBody::DropCompleted(_) => kind::DROP_DONE,
            CatalogBody::Archived(_) => kind::ARCHIVED,
            CatalogBody::Restored(_) => kind::RESTORED,
            CatalogBody::DropAborted(_) => kind::DROP_UNDONE,
            CatalogBody::Erased(_) => kind::ERASED,
            CatalogBody::ProtectionSet(_) => kind::PROTECTION_SET,
            CatalogBody::Unknown(unknown) => unknown.kind,
        }
    }

    /// The envelope: state root ‖ fields.
    ///
    /// # Errors
    /// A text longer than the format takes.
    pub fn encode(&self, state_root: &Hash) -> Result<Vec<u8>, FormatError> {
        let mut out = state_root.as_bytes().to_vec();
        let body = match self {
            CatalogBody::Created(body) => encode(body),
            CatalogBody::Sealed(body) => encode(body),
            CatalogBody::HeadSigned(body) => encode(body),
            CatalogBody::KeyAdded(body) => encode(body),
            CatalogBody::KeysChanged(body) => encode(body),
            CatalogBody::Quarantined(body) => encode(body),
            CatalogBody::ClockStepped(body) => encode(body),
            CatalogBody::HoldPlaced(body) => encode(body),
            CatalogBody::HoldReleased(body) => encode(body),
            CatalogBody::PolicySet(body) => encode(body),
            CatalogBody::DropStarted(body) => encode(body),
            CatalogBody::DropCompleted(body) => encode(body),
            CatalogBody::Archived(body) => encode(body),
            CatalogBody::Restored(body) => encode(body),
            CatalogBody::DropAborted(body) => encode(body),
            CatalogBody::Erased(body) => encode(body),
            CatalogBody::ProtectionSet(body) => encode(body),
            CatalogBody::Unknown(unknown) => Ok(unknown.fields.to_vec()),
        }?;
        out.extend_from_slice(&body);
        if out.len() > record::MAX_ENVELOPE_LEN {
            let expected = format!("at most {} bytes", record::MAX_ENVELOPE_LEN);
            return Err(FormatError::mismatch("catalog record", expected, out.len()));
        }
        Ok(out)
    }

    /// Reads an envelope: state root and body. A kind that this version does not know is kept
    /// as [`Unknown`].
    ///
    /// # Errors
    /// Bytes that are not a body of that kind; a kind below those of the catalog.
    pub fn decode(kind: u8, envelope: &'a [u8]) -> Result<(Hash, Self), FormatError> {
        let Some((root, body)) = envelope.split_at_checked(Hash::LEN) else {
            let found = format!("{} bytes", envelope.len());
            return Err(FormatError::mismatch("catalog record", "a state root", found));
        };
        let body = match kind {
            kind::CREATED => CatalogBody::Created(borrow(body)?),
            kind::SEGMENT_SEALED => CatalogBody::Sealed(decode(body)?),
            kind::HEAD_SIGNED => CatalogBody::HeadSigned(borrow(body)?),
            kind::KEY_ADDED => CatalogBody::KeyAdded(borrow(body)?),
            kind::KEYS_CHANGED => CatalogBody::KeysChanged(borrow(body)?),
            kind::QUARANTINED => CatalogBody::Quarantined(borrow(body)?),
            kind::CLOCK_STEPPED => CatalogBody::ClockStepped(decode(body)?),
            kind::HOLD_PLACED => CatalogBody::HoldPlaced(borrow(body)?),
            kind::HOLD_RELEASED => CatalogBody::HoldReleased(borrow(body)?),
            kind::POLICY_SET => CatalogBody::PolicySet(borrow(body)?),
            kind::DROP_BEGUN => CatalogBody::DropStarted(borrow(body)?),
            kind::DROP_DONE => CatalogBody::DropCompleted(decode(body)?),
            kind::ARCHIVED => CatalogBody::Archived(borrow(body)?),
            kind::RESTORED => CatalogBody::Restored(borrow(body)?),
            kind::DROP_UNDONE => CatalogBody::DropAborted(borrow(body)?),
            kind::ERASED => CatalogBody::Erased(Erased::decode(body)?),
            kind::PROTECTION_SET => CatalogBody::ProtectionSet(ProtectionSet::decode(body)?),
            kind if kind > kind::CREATED => CatalogBody::Unknown(Unknown { kind, fields: body }),
            _ => {
                let expected = format!("kind {} or above", kind::CREATED);
                return Err(FormatError::mismatch("catalog record", expected, kind));
            }
        };
        Ok((Hash::from_slice(root).unwrap_or(Hash::ZERO), body))
    }
}
