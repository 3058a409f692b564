//! What is on record of how a log's events are protected, and what opening it must match.
//!
//! A log whose events were encrypted must not go on in plain text because a key store or a rule
//! was forgotten. Who opens it to append gives at least what is on record, or says that less is
//! meant; that is put on record, too.

use std::sync::Arc;

use crate::catalog::asked;
use crate::catalog::{self, ProtectionRemains};
use crate::directory::LogDir;
use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::catalog_body::{CatalogBody, ProtectionSet};
use crate::format::encrypted::KeyId;
use crate::keystore::KeyStore;
use crate::options::{LogOptions, SubjectRule, Waiver};
use crate::read::catalog_state::CatalogState;
use crate::read::records::SegmentSnapshot;
use crate::read::segment_set::SegmentSet;
use crate::retention::Attribution;
use crate::seq::{Seq, TreeSize};

/// So many of the newest events are looked at in a log that has nothing on record.
const LOOKED_AT: u64 = 64;

/// What the options ask for.
fn given(options: &LogOptions) -> ProtectionSet {
    let mut alias_resources = options.alias_resources.clone();
    alias_resources.sort_unstable();
    alias_resources.dedup();
    ProtectionSet {
        store_id: options.key_store.as_ref().map(KeyStore::store_id),
        subject_rule: match options.subject_rule {
            SubjectRule::None => 0,
            SubjectRule::Actor => ProtectionSet::RULE_ACTOR,
        },
        alias_actors: options.alias_actors,
        alias_resources,
        exception: false,
        set_at: options.clock.now().as_nanos(),
    }
}

/// The comparison of what is given with what is on record, and what of it is to be recorded.
pub(crate) struct Comparison {
    given: ProtectionSet,
    required: Option<ProtectionSet>,
    record: Option<(ProtectionSet, Attribution)>,
    /// Of a damaged catalog.
    remains: Option<ProtectionRemains>,
}

impl Comparison {
    /// Compares the options with what is on record: before anything is changed, the key store
    /// included.
    pub(crate) fn of(options: &LogOptions, dir: &LogDir, catalog: &CatalogState) -> Result<Self> {
        let (required, remains) = match catalog {
            CatalogState::Good(catalog) => (catalog.state().protection(), None),
            CatalogState::Damaged(_) => {
                let remains = ProtectionRemains::of(dir.disk(), &dir.catalog(), dir.log_id());
                (remains.protection.clone(), Some(remains))
            }
        };
        let given = given(options);
        let mut comparison = Comparison { given, required, record: None, remains };
        let Some(required) = comparison.required.clone() else { return Ok(comparison) };
        comparison.refuse_other_store(options, dir)?;
        let differs = ProtectionSet { set_at: 0, ..comparison.given.clone() }
            != ProtectionSet { set_at: 0, ..required.clone() };
        if !options.takes_events || !differs {
            return Ok(comparison);
        }
        if comparison.given.covers(&required) {
            comparison.record = Some((comparison.given.clone(), Attribution::default()));
        } else {
            comparison.waive(options, dir, &catalog::protection(&required))?;
        }
        Ok(comparison)
    }

    /// Another store has none of the keys, whatever is done with it. Without events, one that was
    /// the log's before is taken: only with it can what it encrypted be read and erased.
    fn refuse_other_store(&self, options: &LogOptions, dir: &LogDir) -> Result<()> {
        let required = self.required.as_ref().and_then(|required| required.store_id);
        let changes = options.takes_events && matches!(options.waiver, Some(Waiver::ForGood(_)));
        // A store is bound to a log before it has a key, and never to another one afterwards.
        let of_log = options.key_store.as_ref().and_then(KeyStore::log_id) == Some(dir.log_id());
        let is_taken = changes || (!options.takes_events && of_log);
        match (required, self.given.store_id) {
            (Some(required), Some(given)) if required != given && !is_taken => {
                Err(Error::Unprotected {
                    path: dir.path().to_owned(),
                    expected: format!("key store {}", KeyId(required)),
                    found: format!("key store {}", KeyId(given)),
                    is_other_store: true,
                })
            }
            _ => Ok(()),
        }
    }

    /// Of a log that has nothing on record: what its newest events show.
    pub(crate) fn look_at(
        &mut self,
        options: &LogOptions,
        dir: &LogDir,
        catalog: &CatalogState,
        view: &Arc<SegmentSet>,
    ) -> Result<()> {
        if self.required.is_some() || !options.takes_events {
            return Ok(());
        }
        if self.given.store_id.is_some() {
            self.record = Some((self.given.clone(), Attribution::default()));
            return Ok(());
        }
        if self.remains.as_ref().is_some_and(|remains| remains.was_set) {
            let expected = "a key store and its rule: they are on record in the catalog, where \
                            they cannot be read, because both copies are damaged";
            return self.waive(options, dir, expected);
        }
        if has_erased(catalog) || has_encrypted(view, self.remains.is_some()) {
            self.waive(options, dir, "a key store: there are encrypted records")?;
        }
        Ok(())
    }

    /// What cannot be compared because both copies of the catalog are damaged.
    pub(crate) fn unknown(&self) -> Option<&'static str> {
        let is_unknown = self.remains.is_some() && self.required.is_none();
        (is_unknown && self.given.store_id.is_some()).then_some(
            "whether a rule for subjects, or aliases, were on record cannot be known: what is \
             appended is protected by what this opening was given",
        )
    }

    /// Takes less than is expected if that is meant.
    fn waive(&mut self, options: &LogOptions, dir: &LogDir, expected: &str) -> Result<()> {
        let (exception, asked) = match &options.waiver {
            Some(Waiver::Once(asked)) => (true, asked.clone()),
            Some(Waiver::ForGood(asked)) => (false, asked.clone()),
            None => {
                let found = catalog::protection(&self.given);
                let (path, expected) = (dir.path().to_owned(), expected.to_owned());
                return Err(Error::Unprotected { path, expected, found, is_other_store: false });
            }
        };
        asked::check_asked(&asked)?;
        self.record = Some((ProtectionSet { exception, ..self.given.clone() }, asked));
        Ok(())
    }

    /// Puts on record what is to be, before anything is appended by it. A damaged catalog takes no
    /// records.
    pub(crate) fn record(self, catalog: &mut CatalogState) -> Result<()> {
        let Some((set, asked)) = self.record else { return Ok(()) };
        let CatalogState::Good(catalog) = catalog else { return Ok(()) };
        catalog.append(&CatalogBody::ProtectionSet(set), &asked::because(&asked))
    }
}

/// Keys were erased: then some were used.
fn has_erased(catalog: &CatalogState) -> bool {
    match catalog {
        CatalogState::Good(catalog) => catalog.state().erased_keys().next().is_some(),
        CatalogState::Damaged(_) => false,
    }
}

/// Whether one of the newest events is encrypted: of the log, or of every segment. What cannot be
/// read shows nothing.
fn has_encrypted(view: &Arc<SegmentSet>, of_every_segment: bool) -> bool {
    let snapshot = view.snapshot();
    let mut left = LOOKED_AT;
    for entry in snapshot.entries().iter().rev() {
        let mut end = snapshot.end_of(entry);
        // An anchor alone, as a seal leaves it in a new segment, says nothing: events do.
        while left > 0 && end > entry.first {
            let from = entry.first.get().max(end.get().saturating_sub(LOOKED_AT));
            let events = match newest_events(&snapshot, from, end) {
                Events::Encrypted => return true,
                Events::Plain(events) => events,
            };
            (left, end) = (left.saturating_sub(events), TreeSize::new(from));
        }
        if of_every_segment {
            left = LOOKED_AT;
        } else if left == 0 {
            break;
        }
    }
    false
}

/// What some records show.
enum Events {
    /// One of them is encrypted.
    Encrypted,
    /// None is; so many are events.
    Plain(u64),
}

fn newest_events(snapshot: &SegmentSnapshot, from: u64, end: TreeSize) -> Events {
    let mut events = 0;
    let cursor = snapshot.segment_set().cursor(snapshot.entries(), Seq::new(from), end);
    let Ok(mut cursor) = cursor else { return Events::Plain(0) };
    while let Ok(Some((_, record))) = cursor.next_record() {
        if record.encrypted().is_some() {
            return Events::Encrypted;
        }
        events += u64::from(record.head.kind == RecordKind::Event.code());
    }
    Events::Plain(events)
}
