//! [`TenantVault`]: a vault as one tenant sees it.
//!
//! Nothing that comes out of here depends on records of others: no Seq, no size, no root, no
//! name of a log, no path; errors are a few fixed sentences. `docs/vault.md` says what is left.

mod error;
mod record;
mod token;

use std::fmt;
use std::sync::Arc;

use super::cursor::{self, Place, VaultCursor};
use super::handle::Vault;
use super::merge::VaultMatches;
use crate::error::Error;
use crate::event::{Actor, Event, Resource};
use crate::query::Query;
use crate::time::Timestamp;

pub use error::TenantError;
pub use record::TenantRecord;
pub use token::{Reference, TenantCursor};

const CURSOR: u8 = 1;
const REFERENCE: u8 = 2;

/// A vault as one tenant sees it: appends for that tenant, reads what is that tenant's.
///
/// ```
/// use bulla::{Actor, Event, Query, Resource, Vault};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let vault = Vault::create(dir.path().join("vault"))?;
/// let (acme, other) = (vault.tenant("acme")?, vault.tenant("other")?);
/// let pay = Event::new(Actor::new("user", "alice"), "invoice.pay", Resource::new("invoice", "42"));
/// let receipt = acme.append(&pay)?;
/// assert_eq!(acme.get(&receipt.reference)?.event.action, "invoice.pay");
/// assert!(other.get(&receipt.reference).is_err());
/// assert_eq!(other.query(&Query::new())?.count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TenantVault {
    vault: Vault,
    tenant: Arc<str>,
}

impl fmt::Debug for TenantVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantVault").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// What an append gives a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantReceipt {
    /// When the vault took the event.
    pub recorded_at: Timestamp,
    /// What to get the record with again.
    pub reference: Reference,
}

impl Vault {
    /// The vault as one tenant sees it.
    ///
    /// # Errors
    /// No event could have a tenant of this name.
    pub fn tenant(&self, tenant: &str) -> crate::error::Result<TenantVault> {
        let nobody = Event::new(Actor::new("a", "a"), "a", Resource::kind_only("a"));
        nobody.tenant(tenant).validate()?;
        Ok(TenantVault { vault: self.clone(), tenant: tenant.into() })
    }
}

impl TenantVault {
    /// Whose it is.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Appends an event on behalf of the tenant, which it need not name.
    ///
    /// # Errors
    /// `OtherTenant` if it names another; `Invalid`; `Unavailable`.
    pub fn append(&self, event: &Event) -> Result<TenantReceipt, TenantError> {
        let mut event = event.clone();
        match event.tenant.as_deref() {
            Some(named) if named != &*self.tenant => return Err(TenantError::OtherTenant),
            _ => event.tenant = Some(self.tenant.to_string()),
        }
        event.validate().map_err(TenantError::Invalid)?;
        let appended = self.vault.append(&event).map_err(|error| self.hide(&error))?;
        let (log, receipt) = (appended.log, appended.receipt);
        let place = Place { recorded_at: receipt.recorded_at, log, seq: receipt.seq };
        let reference = self.reference(&place)?;
        Ok(TenantReceipt { recorded_at: receipt.recorded_at, reference })
    }

    /// The tenant's records that a query asks for.
    ///
    /// # Errors
    /// `OtherTenant` if the query names another tenant; `InvalidCursor` if it has a cursor.
    pub fn query(&self, query: &Query) -> Result<TenantMatches, TenantError> {
        self.matches(query, None)
    }

    /// The same, going on where a cursor of the same question stopped.
    ///
    /// # Errors
    /// As [`TenantVault::query`]; `InvalidCursor` if the cursor is not of this tenant and this
    /// question.
    pub fn query_after(
        &self,
        query: &Query,
        cursor: &TenantCursor,
    ) -> Result<TenantMatches, TenantError> {
        self.matches(query, Some(cursor))
    }

    fn matches(
        &self,
        query: &Query,
        cursor: Option<&TenantCursor>,
    ) -> Result<TenantMatches, TenantError> {
        let query = self.own(query)?;
        let cursor = match cursor {
            Some(cursor) => Some(self.open_cursor(&query, cursor)?),
            None => None,
        };
        let matches = self.vault.matches(&query, cursor.as_ref(), None);
        let matches = matches.map_err(|error| self.hide(&error))?;
        Ok(TenantMatches { tenant: self.clone(), matches, failed: false })
    }

    /// How many of the tenant's records match. Order and limit play no part.
    ///
    /// # Errors
    /// As [`TenantVault::query`]; `Unavailable`.
    pub fn count(&self, query: &Query) -> Result<u64, TenantError> {
        let query = self.own(query)?;
        self.vault.count(&query).map_err(|error| self.hide(&error))
    }

    /// The record that a reference stands for.
    ///
    /// # Errors
    /// `NotFound` if it stands for none of this tenant's; `Unavailable`.
    pub fn get(&self, reference: &Reference) -> Result<TenantRecord, TenantError> {
        let opened = self.vault.inner.opaque.open(REFERENCE, &self.tenant, &reference.0);
        let place = opened.and_then(|bytes| unpad(&bytes)).ok_or(TenantError::NotFound)?;
        let log = &*place.last.log;
        if self.vault.inner.shelf.added(log).is_none() {
            return Err(TenantError::NotFound);
        }
        let record = match self.vault.in_log(log, |log| log.snapshot().get(place.last.seq)) {
            Err(Error::NotWritten { .. } | Error::Expired { .. }) => {
                return Err(TenantError::NotFound);
            }
            read => read.map_err(|error| self.hide(&error))?,
        };
        if record.event.tenant.as_deref() != Some(&*self.tenant) {
            return Err(TenantError::NotFound);
        }
        Ok(TenantRecord::of(record, reference.clone()))
    }

    /// The query, about this tenant alone.
    fn own(&self, query: &Query) -> Result<Query, TenantError> {
        if query.filters.tenants.iter().any(|tenant| **tenant != *self.tenant) {
            return Err(TenantError::OtherTenant);
        }
        if query.after.is_some() {
            return Err(TenantError::InvalidCursor);
        }
        let mut query = query.clone().system(false);
        query.filters.tenants = vec![self.tenant.to_string()];
        Ok(query)
    }

    fn reference(&self, place: &Place) -> Result<Reference, TenantError> {
        // As a cursor of no question.
        let cursor = VaultCursor::new(Default::default(), [0; 8], place.clone());
        self.seal(REFERENCE, &cursor).map(Reference)
    }

    fn seal(&self, purpose: u8, cursor: &VaultCursor) -> Result<String, TenantError> {
        let sealed = self.vault.inner.opaque.seal(purpose, &self.tenant, pad(cursor));
        sealed.ok_or(TenantError::Unavailable)
    }

    fn open_cursor(
        &self,
        query: &Query,
        cursor: &TenantCursor,
    ) -> Result<VaultCursor, TenantError> {
        let opened = self.vault.inner.opaque.open(CURSOR, &self.tenant, &cursor.0);
        let cursor = opened.and_then(|bytes| unpad(&bytes)).ok_or(TenantError::InvalidCursor)?;
        let fingerprint = cursor::fingerprint(self.vault.inner.control.log_id(), query);
        match cursor.open(query.order, fingerprint) {
            Ok(_) => Ok(cursor),
            Err(_) => Err(TenantError::InvalidCursor),
        }
    }

    /// What a tenant is told in place of an error that may say something of others.
    fn hide(&self, error: &Error) -> TenantError {
        if let Error::Invalid(invalid) = error {
            return TenantError::Invalid(invalid.clone());
        }
        if let Some(told) = &self.vault.inner.shelf.options.tenant_errors {
            told(&self.tenant, error);
        }
        TenantError::Unavailable
    }
}

/// The bytes of a cursor with its length in front, all of one length.
fn pad(cursor: &VaultCursor) -> Vec<u8> {
    let bytes = cursor.to_bytes();
    let mut padded = vec![u8::try_from(bytes.len()).unwrap_or(u8::MAX)];
    padded.extend_from_slice(&bytes);
    padded.resize(1 + cursor::LEN_MAX, 0);
    padded
}

fn unpad(padded: &[u8]) -> Option<VaultCursor> {
    let (len, rest) = padded.split_first()?;
    VaultCursor::from_bytes(rest.get(..usize::from(*len))?).ok()
}

/// The answer to a tenant's query: an iterator of that tenant's records.
pub struct TenantMatches {
    tenant: TenantVault,
    matches: VaultMatches,
    failed: bool,
}

impl fmt::Debug for TenantMatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantMatches").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl TenantMatches {
    /// Where the same query goes on after the records that were given so far; `None` if none
    /// was given.
    pub fn cursor(&self) -> Option<TenantCursor> {
        let cursor = self.matches.cursor()?;
        self.tenant.seal(CURSOR, &cursor).ok().map(TenantCursor)
    }

    fn step(&mut self) -> Result<Option<TenantRecord>, TenantError> {
        let Some(next) = self.matches.next() else { return Ok(None) };
        let found = next.map_err(|error| self.tenant.hide(&error))?;
        let (log, record) = (found.log, found.record);
        // The query asked for this already. It is asked again, because of what rests on it.
        if record.event.tenant.as_deref() != Some(&*self.tenant.tenant) {
            let what = format!("record {} of the log {log:?}", record.seq);
            let error = Error::tampered(what, "a record of the tenant", "one of another");
            return Err(self.tenant.hide(&error));
        }
        let place = Place { recorded_at: record.recorded_at, log, seq: record.seq };
        let reference = self.tenant.reference(&place)?;
        Ok(Some(TenantRecord::of(record, reference)))
    }
}

impl Iterator for TenantMatches {
    type Item = Result<TenantRecord, TenantError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seq::Seq;

    #[test]
    fn tokens_of_all_places_have_one_length() {
        let place = |log: &str, seq| Place {
            recorded_at: Timestamp::from_nanos(5),
            log: log.into(),
            seq: Seq::new(seq),
        };
        let long = "x".repeat(crate::vault::name::NAME_LEN_MAX);
        let padded = |place| pad(&VaultCursor::new(Default::default(), [0; 8], place));
        let (short, long) = (padded(place("a", 0)), padded(place(&long, u64::MAX)));
        assert_eq!(short.len(), long.len());
        assert_eq!(unpad(&long).map(|cursor| cursor.last.seq), Some(Seq::new(u64::MAX)));
        assert!(unpad(&[]).is_none() && unpad(&[200, 1]).is_none());
    }
}
