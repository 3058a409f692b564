//! One checkpoint over the heads of all logs, and proofs under it.

use std::sync::Arc;

use super::control;
use super::handle::Vault;
use crate::checkpoint::{SignedCheckpoint, UnverifiedCheckpoint};
use crate::error::{Error, Result};
use crate::log::{Disclosure, Log, Signer};
use crate::merkle::TreeHead;
use crate::proof::{HeadList, LogHead, VaultProof};
use crate::seq::Seq;

/// A signed statement of what all logs of a vault held.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VaultCheckpoint {
    /// The checkpoint of the vault's own log, which has the list.
    pub signed: SignedCheckpoint,
    /// Where the list stands in the vault's own log.
    pub seq: Seq,
    /// The heads of the logs, by name.
    pub heads: HeadList,
}

impl Vault {
    /// Signs the vault as it is: makes all logs durable, records their heads in the vault's own
    /// log, and signs that. The signer's key is one of [`Vault::origin`].
    ///
    /// Logs that are closed and were looked at before are not opened for it.
    ///
    /// # Errors
    /// `WouldFork` if a log does not extend the head that the vault recorded of it last (an old
    /// copy was put in its place?); as [`Log::checkpoint`].
    pub fn checkpoint(&self, signer: &Signer) -> Result<VaultCheckpoint> {
        let _one_at_a_time = self.inner.changing.lock();
        let snapshot = self.inner.control.snapshot();
        let before = control::newest_heads(&snapshot, self.origin(), snapshot.size())?;
        let mut heads = Vec::new();
        for (name, added) in self.inner.shelf.all() {
            let known = before.as_ref().and_then(|(_, list)| list.place(&name));
            let head = self.head_of(&name, known.map(|(known, _)| known.head))?;
            let (log_id, algorithm) = (added.log_id, added.algorithm);
            let origin = control::origin_of(self.origin(), &name);
            heads.push(LogHead { name: name.to_string(), log_id, origin, algorithm, head });
        }
        let heads = HeadList::new(heads);
        let seq = match before {
            Some((seq, list)) if list.heads() == heads.heads() => seq,
            _ => control::heads(&self.inner.control, &heads)?,
        };
        let signed = self.inner.control.checkpoint(signer)?;
        Ok(VaultCheckpoint { signed, seq, heads })
    }

    /// The durable head of a log, which extends the one that was recorded before.
    fn head_of(&self, name: &Arc<str>, before: Option<TreeHead>) -> Result<TreeHead> {
        if let (Some(seen), Some(before)) = (self.inner.shelf.seen(name), before)
            && seen.head == before
        {
            return Ok(before);
        }
        let log = self.inner.shelf.acquire(name)?;
        log.sync()?;
        let head = log.snapshot().head()?;
        match before.map(|before| (before, lacks(&log, before))) {
            Some((_, Err(error))) => Err(error),
            Some((before, Ok(Some(found)))) => Err(Error::WouldFork {
                reason: format!(
                    "the vault recorded size {} with root {} of its log {name:?}, which has \
                     {found}. If an old copy was put in its place, bring back the newer one",
                    before.size, before.root
                ),
            }),
            _ => Ok(head),
        }
    }

    /// Proves that a record of a log is under a checkpoint of the vault, for somebody who has
    /// only the key of the vault. Of the other logs it shows how many there are, not more.
    ///
    /// # Errors
    /// No such log or record; the checkpoint is not of this vault, or its newest head list does
    /// not cover the record: make a new one; damage; I/O.
    pub fn prove(
        &self,
        log: &str,
        seq: Seq,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<VaultProof> {
        let size = checkpoint.dangerously_unverified().head().size;
        let control = self.inner.control.snapshot();
        let size = size.min(control.size());
        let found = control::newest_heads(&control, self.origin(), size)?;
        let placed = found.as_ref().and_then(|(at, list)| Some((*at, list.place(log)?)));
        let Some((at, (head, place))) = placed else {
            let reason = format!(
                "no head list under this checkpoint has a log {log:?}: make a new checkpoint"
            );
            return Err(Error::Proof { reason });
        };
        let list = control.prove(at, checkpoint, Disclosure::WithholdPayload)?;
        let opened = self.inner.shelf.acquire(log)?;
        let (inclusion, record) = opened.snapshot().prove_under(seq, &head.head, disclosure)?;
        Ok(VaultProof { log: head.clone(), place, record, inclusion, list })
    }
}

/// What a log has in place of a head, if it does not contain it.
fn lacks(log: &Log, head: TreeHead) -> Result<Option<String>> {
    let size = log.size();
    if size < head.size {
        return Ok(Some(format!("{size} records")));
    }
    let root = log.snapshot().head_at(head.size)?.root;
    Ok((root != head.root).then(|| format!("root {root} at that size")))
}
