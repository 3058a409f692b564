//! Changes of keys: rotation, recovery, revocation, and the retirement of an origin.
//!
//! Order of a change: sign the final head, note the statement beside the old key (from
//! then on it signs nothing else), note the head beside the next one, record the
//! statement in the catalog, publish the chain. A crash in between is finished by doing
//! the same again: the statement beside the key is used as it is, so that one key never
//! names two successors.

use crate::catalog::{self};
use crate::checkpoint::{Note, NoteSigner, VerifyingKey};
use crate::engine::core::Core;
use crate::engine::signer::{KeyLock, Signer};
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, RecordedAttribution};
use crate::hash::Hash;
use crate::keys::{Change, ChangeKind, KeyChain, Statement};
use crate::merkle::TreeHead;
use crate::read::keys::{key_chain, key_error};
use crate::seq::TreeSize;

impl Core {
    /// As [`Keys::rotate`](crate::log::Keys::rotate).
    pub(crate) fn rotate_key(&self, signer: &Signer, next: &Signer) -> Result<KeyChain> {
        self.hand_over(signer, next, || {
            let main = self.sign_now(signer)?.head();
            Ok((main, Change::Rotate { next: next.verifying_key().clone() }))
        })
    }

    /// As [`Keys::set_recovery`](crate::log::Keys::set_recovery).
    pub(crate) fn set_recovery_key(
        &self,
        signer: &Signer,
        recovery: &dyn NoteSigner,
        before: Option<&dyn NoteSigner>,
    ) -> Result<KeyChain> {
        let _one_at_a_time = self.signing.lock();
        let _key = signer.lock()?;
        self.check_key(signer)?;
        if signer.handover()?.is_some() {
            return Err(key_error("this key has named its successor: finish that first"));
        }
        self.with_writer(|_| Ok(()))?;
        let main = self.newest_signed()?;
        let change = Change::Recovery { recovery: recovery.verifying_key().clone() };
        let statement = self.state(signer.verifying_key(), main, change)?;
        let mut signers: Vec<&dyn NoteSigner> = vec![signer.key(), recovery];
        signers.extend(before);
        let note = statement.sign(&signers).map_err(key_error)?;
        self.record_statement(&note)
    }

    /// As [`Keys::revoke`](crate::log::Keys::revoke).
    pub(crate) fn revoke_key(
        &self,
        revoked: &VerifyingKey,
        recovery: &dyn NoteSigner,
        next: &Signer,
    ) -> Result<KeyChain> {
        let _one_at_a_time = self.signing.lock();
        let _key = next.lock()?;
        self.with_writer(|_| Ok(()))?;
        let chain = key_chain(self.shared.catalog.lock().good()?)?;
        let ended = |kind: Option<ChangeKind>| {
            chain.dangerously_unverified().find(|statement| {
                let fits = kind.is_none_or(|kind| statement.change.kind() == kind);
                statement.key == *revoked && statement.change.next().is_some() && fits
            })
        };
        if let Some(before) = ended(Some(ChangeKind::Revoke)) {
            return match before.change.next() == Some(next.verifying_key()) {
                true => Ok(chain.clone()), // the same again
                false => Err(key_error(format!(
                    "this key was revoked before, by statement {}: to end a later one, name that",
                    before.number
                ))),
            };
        }
        let main = match ended(None) {
            Some(statement) => statement.main,
            None => self.newest_signed()?,
        };
        if revoked.name().as_str() != self.shared.origin {
            return Err(key_error(format!(
                "expected a key of {}, found one of {}, a former origin",
                self.shared.origin,
                revoked.name()
            )));
        }
        if let Some(found) = self.lacks(&main)? {
            return Err(Error::WouldFork {
                reason: format!(
                    "the key's last head, of size {}, is not in this log: it has {found}",
                    main.size
                ),
            });
        }
        self.check_next(next)?;
        let change = Change::Revoke { next: next.verifying_key().clone() };
        let statement = self.state(revoked, main, change)?;
        let note = statement.sign(&[recovery, next.key()]).map_err(key_error)?;
        self.take_over(&note, next)
    }

    /// As [`Keys::retire_origin`](crate::log::Keys::retire_origin), but that the log stays open.
    pub(crate) fn retire(&self, signer: &Signer, next: &Signer) -> Result<KeyChain> {
        self.hand_over(signer, next, || {
            let abandoned = signer.intended()?.ok_or_else(|| {
                key_error("this key signed nothing yet, so there is nothing to retire")
            })?;
            if self.lacks(&abandoned)?.is_none() {
                return Err(key_error(format!(
                    "nothing is to be retired: the log holds what its key signed last, size {}",
                    abandoned.size
                )));
            }
            let change =
                Change::Retire { kept: self.newest_signed()?, next: next.verifying_key().clone() };
            Ok((abandoned, change))
        })
    }

    /// Hands over from one key to the next, by a statement about a head and a change. If an earlier call
    /// got as far as to note the statement beside the old key, that one is used.
    fn hand_over(
        &self,
        signer: &Signer,
        next: &Signer,
        change: impl FnOnce() -> Result<(TreeHead, Change)>,
    ) -> Result<KeyChain> {
        let _one_at_a_time = self.signing.lock();
        let (_old, _new) = lock_both(signer, next)?;
        if let Some(chain) = self.already_handed_over(signer, next)? {
            return Ok(chain);
        }
        self.check_key(signer)?;
        self.check_next(next)?;
        self.with_writer(|_| Ok(()))?;
        let note = if let Some(note) = signer.handover()? {
            self.same_handover(note, next)?
        } else {
            let (head, change) = change()?;
            let statement = self.state(signer.verifying_key(), head, change)?;
            let note = statement.sign(&[signer.key(), next.key()]).map_err(key_error)?;
            self.try_statement(&note)?;
            signer.hand_over(&note)?;
            note
        };
        self.take_over(&note, next)
    }

    /// The chain, if this very change was recorded before.
    fn already_handed_over(&self, signer: &Signer, next: &Signer) -> Result<Option<KeyChain>> {
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        catalog.refresh()?;
        let chain = key_chain(catalog)?;
        let done = chain.last().is_some_and(|last| {
            last.key == *signer.verifying_key() && last.change.next() == Some(next.verifying_key())
        });
        Ok(done.then_some(chain))
    }

    /// A key that has signed its successor never signs another one.
    fn same_handover(&self, note: Note, next: &Signer) -> Result<Note> {
        let statement = Statement::parse(&note).map_err(key_error)?;
        let named = statement.change.next();
        if named != Some(next.verifying_key()) {
            let named = named.map_or_else(String::new, ToString::to_string);
            return Err(key_error(format!(
                "this key has named its successor before, {named}: hand over to that one"
            )));
        }
        let kept = match statement.change {
            Change::Retire { kept, .. } => kept,
            _ => statement.main,
        };
        match self.lacks(&kept)? {
            None => Ok(note),
            Some(found) => Err(Error::WouldFork {
                reason: format!(
                    "this key handed over at size {} with root {}; the log has {found}",
                    kept.size, kept.root
                ),
            }),
        }
    }

    /// The newest head in the catalog; that of the empty tree if none was signed.
    fn newest_signed(&self) -> Result<TreeHead> {
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        catalog.refresh()?;
        match catalog.signed() {
            (TreeSize::ZERO, _) => Ok(TreeHead::empty(self.shared.algorithm)),
            (size, root) => Ok(TreeHead { size, root }),
        }
    }

    /// The next statement of the chain.
    fn state(&self, key: &VerifyingKey, main: TreeHead, change: Change) -> Result<Statement> {
        let catalog = self.catalog_head()?;
        let mut locked = self.shared.catalog.lock();
        let in_force = locked.good()?.state().keys_in_force();
        let (number, previous) = match &in_force {
            Some(keys) => (keys.number, Hash::from_bytes(keys.statement)),
            None => (0, Hash::ZERO),
        };
        let origin = key.name().to_string();
        let (number, key) = (number.saturating_add(1), key.clone());
        Ok(Statement { origin, number, previous, key, main, catalog, change })
    }

    /// What every verifier will ask of the chain is asked before anything is recorded.
    fn try_statement(&self, note: &Note) -> Result<KeyChain> {
        let mut catalog = self.shared.catalog.lock();
        let mut chain = key_chain(catalog.good()?)?;
        chain.push_note(note.to_string().as_bytes()).map_err(key_error)?;
        let first = chain.dangerously_unverified().next().map(|first| first.key.clone());
        chain.verify(first.as_slice(), None).map_err(key_error)?;
        Ok(chain)
    }

    /// The next key must not have signed what this log lacks: what it remembers would be
    /// lost, and with it the guard against two histories.
    fn check_next(&self, next: &Signer) -> Result<()> {
        if next.handover()?.is_some() {
            return Err(key_error("the next key has itself named a successor: take a new one"));
        }
        self.check_extends(next)
    }

    fn take_over(&self, note: &Note, next: &Signer) -> Result<KeyChain> {
        let statement = Statement::parse(note).map_err(key_error)?;
        self.try_statement(note)?;
        let main = match statement.change {
            Change::Retire { kept, .. } => kept,
            _ => statement.main,
        };
        self.check_next(next)?;
        if next.intended()?.is_none_or(|before| before.size < main.size) {
            next.intend(&main)?;
        }
        self.record_statement(note)
    }

    fn record_statement(&self, note: &Note) -> Result<KeyChain> {
        let chain = self.try_statement(note)?;
        let statement = Statement::parse(note).map_err(key_error)?;
        let (key, introduced) =
            (statement.key.to_string(), statement.change.introduced().to_string());
        let note = note.to_string();
        let body = catalog::particulars(&statement, (&key, &introduced), &note);
        let body = CatalogBody::KeysChanged(body);
        let mut catalog = self.shared.catalog.lock();
        if let Err(error) = catalog.good()?.append(&body, &RecordedAttribution::default()) {
            if matches!(error, Error::Io { .. }) {
                self.poison(&error.to_string());
            }
            return Err(error);
        }
        Ok(chain)
    }
}

/// Two keys: one lock twice would wait for itself.
fn lock_both(signer: &Signer, next: &Signer) -> Result<(KeyLock, KeyLock)> {
    if signer.verifying_key().has_same_secret(next.verifying_key()) {
        return Err(key_error("the next key must be another one than the key that ends"));
    }
    Ok((signer.lock()?, next.lock()?))
}
