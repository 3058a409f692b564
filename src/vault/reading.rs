//! Reading a vault with a trace; see [`access`](crate::access).

use std::sync::Arc;

use serde_json::{Value, json};

use super::cursor::VaultCursor;
use super::handle::Vault;
use super::merge::VaultMatches;
use crate::access::{Access, AccessLog, AccessSink, Accessor, Traced, Trail, question, shown};
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::event::{Event, Record};
use crate::format::LogId;
use crate::log::Disclosure;
use crate::proof::VaultProof;
use crate::query::Query;
use crate::seq::Seq;

/// A log of a vault, to append access events to.
struct Sink {
    vault: Vault,
    log: Arc<str>,
    log_id: LogId,
}

impl AccessSink for Sink {
    fn append(&self, event: &Event) -> Result<()> {
        self.vault.in_log(&self.log, |log| {
            log.append(event)?;
            log.sync()
        })
    }

    fn log_id(&self) -> LogId {
        self.log_id
    }
}

/// A vault to read from by one accessor: each reading appends access events.
///
/// The log that takes the events is left out of the answers if it is one of the vault: it
/// would grow by being read. Read it by itself, through another access log.
#[derive(Debug)]
pub struct VaultReading {
    vault: Vault,
    access: Access,
    without: Option<Arc<str>>,
}

impl Vault {
    /// A log of this vault that takes access events. Give it a policy by which it expires, and
    /// no rule of the routing.
    ///
    /// # Errors
    /// There is no such log, or it is that of one tenant.
    pub fn access_log(&self, log: &str) -> Result<AccessLog> {
        let added = self.inner.shelf.added(log).ok_or_else(|| super::log_pool::no_such_log(log))?;
        if added.tenant.is_some() {
            let reason = format!("{log:?} is the log of one tenant: add another for access events");
            return Err(Error::InvalidOption { name: "access log", reason });
        }
        let (vault, log_id) = (self.clone(), added.log_id);
        Ok(AccessLog::to(Arc::new(Sink { vault, log: log.into(), log_id })))
    }

    /// The vault to read from, with each reading recorded.
    pub fn reading(&self, access: &AccessLog, accessor: &Accessor) -> VaultReading {
        let logs = self.inner.shelf.all().into_iter();
        let mut own = logs.filter(|(_, added)| added.log_id == access.log_id());
        let without = own.next().map(|(name, _)| name);
        let access = Access::new(access.clone(), accessor.clone());
        VaultReading { vault: self.clone(), access, without }
    }
}

impl VaultReading {
    fn trail(&self, action: &'static str, origin: &str, what: Value) -> Trail {
        self.access.trail(action, origin, what)
    }

    /// As [`Vault::query`].
    ///
    /// # Errors
    /// As [`Vault::query`]; the access event cannot be appended.
    pub fn query(&self, query: &Query) -> Result<Traced<VaultMatches>> {
        self.matches(query, None)
    }

    /// As [`Vault::query_after`].
    ///
    /// # Errors
    /// As [`Vault::query_after`]; the access event cannot be appended.
    pub fn query_after(&self, query: &Query, cursor: &VaultCursor) -> Result<Traced<VaultMatches>> {
        self.matches(query, Some(cursor))
    }

    fn matches(&self, query: &Query, cursor: Option<&VaultCursor>) -> Result<Traced<VaultMatches>> {
        let after = cursor.map(ToString::to_string);
        let what = json!({ "query": question(query), "after": after });
        let trail = self.trail("log.query", self.vault.origin(), what);
        trail.begin(|| self.vault.matches(query, cursor, self.without.as_deref()))
    }

    /// As [`Vault::count`].
    ///
    /// # Errors
    /// As [`Vault::count`]; the access event cannot be appended.
    pub fn count(&self, query: &Query) -> Result<u64> {
        let what = json!({ "count": question(query) });
        let count = || self.vault.count_without(query, self.without.as_deref());
        self.trail("log.query", self.vault.origin(), what).once(count, |_| 0)
    }

    /// The record of a log with this Seq.
    ///
    /// # Errors
    /// As [`Vault::log`] and [`Snapshot::get`](crate::Snapshot::get); the access event cannot be
    /// appended.
    pub fn get(&self, log: &str, seq: Seq) -> Result<Record> {
        let origin = self.of_log(log)?;
        let what = json!({ "record": seq.get() });
        let get = || self.vault.in_log(log, |log| log.snapshot().get(seq));
        self.trail("log.get", &origin, what).once(get, |_| 1)
    }

    /// As [`Vault::prove`].
    ///
    /// # Errors
    /// As [`Vault::prove`]; the access event cannot be appended.
    pub fn prove(
        &self,
        log: &str,
        seq: Seq,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<VaultProof> {
        let origin = self.of_log(log)?;
        let what = json!({ "record": seq.get(), "disclosure": shown(disclosure) });
        let prove = || self.vault.prove(log, seq, checkpoint, disclosure);
        self.trail("log.prove", &origin, what).once(prove, |_| 1)
    }

    /// The origin of a log that may be read here.
    fn of_log(&self, log: &str) -> Result<String> {
        if self.without.as_deref() == Some(log) {
            let reason =
                format!("{log:?} takes the access events of this reading: read it through another");
            return Err(Error::InvalidOption { name: "log", reason });
        }
        Ok(super::control::origin_of(self.vault.origin(), log))
    }
}
