//! Signing heads. A log never forks: it signs only what extends what it signed before.
//!
//! Order: sync what the head covers, note the head beside the key (outside the log's
//! directory, so that a restored directory does not forget it), sign, record in the
//! catalog, publish.

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::directory::checkpoints;
use crate::engine::core::Core;
use crate::engine::signer::Signer;
use crate::error::{Error, Result};
use crate::event::Anchor;
use crate::format::catalog_body::{CatalogBody, HeadSigned, KeyAdded, RecordedAttribution};
use crate::hash::Hash;
use crate::merkle::TreeHead;
use crate::read::catalog_state::CatalogState;
use crate::read::keys::key_error;
use crate::seq::TreeSize;
use crate::write::encode::with_scratch;
use crate::write::writer::Writer;

impl Core {
    /// As [`Log::checkpoint`](crate::Log::checkpoint).
    pub(crate) fn checkpoint(&self, signer: &Signer) -> Result<SignedCheckpoint> {
        self.check_key(signer)?;
        let _one_at_a_time = self.signing.lock();
        self.with_writer(|_| Ok(()))?;
        // Other processes may sign with this key, for another copy of this log.
        let _key = signer.lock()?;
        if signer.handover()?.is_some() {
            return Err(key_error(
                "this key has named its successor and signs nothing more: if the log does not \
                 know of it, finish the change of keys",
            ));
        }
        self.sign_now(signer)
    }
}

impl Core {
    /// Signs the log as it is. The caller holds the locks and has checked the key.
    pub(crate) fn sign_now(&self, signer: &Signer) -> Result<SignedCheckpoint> {
        let core = self;
        core.check_extends(signer)?;
        republish(core)?;
        let head = match core.unchanged_head()? {
            Some(head) => head,
            None => core.append_anchor()?,
        };
        core.with_writer(Writer::sync)?;
        signer.intend(&head)?;
        let checkpoint = Checkpoint::new(&core.shared.origin, head).map_err(key_error)?;
        let signed = checkpoint.sign(signer.key()).map_err(key_error)?;
        if let Err(error) = core.record_head(signer, &signed) {
            if matches!(error, Error::Io { .. }) {
                core.poison(&error.to_string());
            }
            return Err(error);
        }
        checkpoints::publish(
            &core.shared.dir,
            core.shared.algorithm,
            head.size,
            &signed.to_text(),
        )?;
        Ok(signed)
    }

    /// The head of the catalog as it is.
    pub(crate) fn catalog_head(&self) -> Result<TreeHead> {
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        catalog.refresh()?;
        catalog.head()
    }
}

impl Core {
    /// Whether the signer's key is the one that signs the heads of this log.
    pub(crate) fn check_key(&self, signer: &Signer) -> Result<()> {
        let key = signer.verifying_key();
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        if key.name().as_str() != self.shared.origin {
            return Err(key_error(format!(
                "expected a key of {}, found one of {}",
                self.shared.origin,
                key.name()
            )));
        }
        let Some(of) = key.kind().head_algorithm() else {
            return Err(key_error(format!(
                "expected the key of a log, found {}, the key of a witness",
                key.name()
            )));
        };
        if of != self.shared.algorithm {
            return Err(key_error(format!(
                "expected a key for {} heads, found one for {of}",
                self.shared.algorithm
            )));
        }
        catalog.refresh()?;
        let vkey = key.to_string();
        let expected = match catalog.state().keys_in_force() {
            Some(keys) if keys.signer != vkey => keys.signer.to_owned(),
            None if catalog.state().keys().all(|known| known != vkey) => {
                match catalog.state().keys().next() {
                    Some(known) => known.to_owned(),
                    None => return Ok(()), // the first key of this log
                }
            }
            _ => return Ok(()),
        };
        Err(key_error(format!(
            "the heads of this log are signed by {expected}, not by {vkey}: hand over from the \
             one to the other (`bulla key rotate`); if the former is lost, a recovery key can \
             revoke it (`bulla key revoke`)"
        )))
    }

    /// The log must contain what this key set out to sign before.
    pub(crate) fn check_extends(&self, signer: &Signer) -> Result<()> {
        let Some(before) = signer.intended()? else { return self.check_new_key(signer) };
        match self.lacks(&before)? {
            Some(found) => Err(would_fork(&before, &found)),
            None => Ok(()),
        }
    }

    /// What the log has in place of this head, if it does not contain it.
    pub(crate) fn lacks(&self, head: &TreeHead) -> Result<Option<String>> {
        match self.view.size() {
            size if size < head.size => Ok(Some(format!("{size} records"))),
            _ => Ok(other_root(self.tree.root_at(head.size)?, head)),
        }
    }

    /// A key that has signed this log knows what it signed, or somebody lost it.
    fn check_new_key(&self, signer: &Signer) -> Result<()> {
        let vkey = signer.verifying_key().to_string();
        let mut catalog = self.shared.catalog.lock();
        if !catalog.good()?.state().keys().any(|known| known == vkey) {
            return Ok(());
        }
        Err(Error::WouldFork {
            reason: format!(
                "this key has signed heads of this log, and {}, which says which, is missing: \
                 bring it back, it belongs beside the key",
                signer.heads_path().display()
            ),
        })
    }

    /// The signed head, if nothing was appended or recorded since.
    fn unchanged_head(&self) -> Result<Option<TreeHead>> {
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        let (size, root) = catalog.signed();
        let unchanged = size > TreeSize::ZERO && size == self.view.size();
        let recorded_since = !catalog.ends_in_signed_head();
        Ok((unchanged && !recorded_since).then_some(TreeHead { size, root }))
    }

    /// Appends the leaf that binds the catalog, and gives the head that ends in it.
    pub(crate) fn append_anchor(&self) -> Result<TreeHead> {
        // Held until it is in the log, so that no later anchor binds less; the upkeep too, so that
        // nobody seals in this thread meanwhile.
        let _upkeep = self.upkeep.lock();
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        // What is signed for good is no derived file's word.
        catalog.make_sure()?;
        let anchor = Anchor {
            catalog_size: catalog.size(),
            catalog_root: catalog.root_at(catalog.size())?,
            state_root: catalog.state().root(),
        };
        self.commit_anchor(&anchor)
    }

    /// Appends an anchor, and gives the head that ends in it.
    pub(crate) fn commit_anchor(&self, anchor: &Anchor) -> Result<TreeHead> {
        let committed = with_scratch(|scratch| {
            scratch.push_anchor(anchor, self.shared.options.clock.now())?;
            self.commit(scratch)
        })?;
        let size = committed.first.covering_size();
        let Some(size) = size else { return Err(Error::Closed) }; // no log is that large
        // Others may have appended behind it: the head ends in the anchor.
        Ok(TreeHead { size, root: self.tree.root_at(size)? })
    }

    fn record_head(&self, signer: &Signer, signed: &SignedCheckpoint) -> Result<()> {
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        let head = signed.head();
        if catalog.signed() == (head.size, head.root) {
            return Ok(());
        }
        let vkey = signer.verifying_key().to_string();
        if !catalog.state().keys().any(|known| known == vkey) {
            let body = CatalogBody::KeyAdded(KeyAdded { vkey: &vkey });
            catalog.append(&body, &RecordedAttribution::default())?;
        }
        let note = signed.to_text();
        let (size, root) = (head.size.get(), *Hash::as_bytes(&head.root));
        let body = CatalogBody::HeadSigned(HeadSigned { size, root, note: &note });
        catalog.append(&body, &RecordedAttribution::default())
    }
}

fn other_root(root: Hash, expected: &TreeHead) -> Option<String> {
    (root != expected.root).then(|| format!("root {root} at that size"))
}

fn would_fork(before: &TreeHead, found: &str) -> Error {
    Error::WouldFork {
        reason: format!(
            "this key signed, or was about to sign, size {} with root {}; the log has {found}. If \
             an old backup was restored, bring back the newer state; if that is lost, retire the \
             origin (`bulla key retire`): the log goes on under a new one, whose first statement \
             names the abandoned head",
            before.size, before.root
        ),
    }
}

/// A crash, or a full disk, may have come after a head was signed and before its file was
/// there.
pub(crate) fn republish(core: &Core) -> Result<()> {
    let state = core.shared.catalog.lock();
    let CatalogState::Good(catalog) = &*state else { return Ok(()) };
    let Some(note) = catalog.signed_note() else { return Ok(()) };
    let (signed, _) = catalog.signed();
    let path = core.shared.dir.checkpoint(core.shared.algorithm, signed);
    match core.shared.dir.disk().exists(&path).map_err(Error::io("look for", &path))? {
        true => Ok(()),
        false => checkpoints::publish(&core.shared.dir, core.shared.algorithm, signed, note),
    }
}
