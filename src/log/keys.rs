//! [`Keys`]: changes of the key that signs a log's heads.

use crate::checkpoint::{NoteSigner, VerifyingKey};
use crate::engine::signer::Signer;
use crate::error::Result;
use crate::keys::KeyChain;
use crate::log::handle::Log;

/// Changes the key that signs a log's heads. What was changed:
/// [`CatalogView::key_chain`](crate::log::CatalogView::key_chain).
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    log: &'a Log,
}

impl<'a> Keys<'a> {
    pub(super) fn new(log: &'a Log) -> Self {
        Keys { log }
    }

    /// Hands the signing of heads over from one key to the next: signs a last head with
    /// the old key, and a statement about both heads and both keys with both. Gives the
    /// chain that ends in it.
    ///
    /// Who verifies with the old key needs the chain from now on
    /// ([`Trust::with_key_chain`](crate::Trust::with_key_chain)). The old key signs nothing more; erase it ([`Signer::erase`]) so that
    /// nobody can take it. After a crash, call it again with the same keys.
    ///
    /// # Errors
    /// The old key is not the one in force, or named another successor before; the next one
    /// is of another origin or kind, or was in use; `WouldFork`; `CatalogDamaged`; I/O.
    pub fn rotate(&self, signer: &Signer, next: &Signer) -> Result<KeyChain> {
        self.log.core().rotate_key(signer, next)
    }

    /// Names the key that can revoke others; it stays offline from then on. If there is one
    /// already, it must agree: `before`.
    ///
    /// # Errors
    /// The signer's key is not the one in force; `recovery` is not named `ORIGIN/recovery`;
    /// the one before did not sign; `CatalogDamaged`; I/O.
    pub fn set_recovery(
        &self,
        signer: &Signer,
        recovery: &dyn NoteSigner,
        before: Option<&dyn NoteSigner>,
    ) -> Result<KeyChain> {
        self.log.core().set_recovery_key(signer, recovery, before)
    }

    /// Ends a key that was stolen or lost, with the recovery key, and begins the next one.
    /// The revoked key counts up to the newest head of this log that it signed, or that was
    /// signed before it handed over; what a thief made of it is void.
    ///
    /// # Errors
    /// The log never had that key; no recovery key was named, or it is another one;
    /// `CatalogDamaged`; I/O.
    pub fn revoke(
        &self,
        revoked: &VerifyingKey,
        recovery: &dyn NoteSigner,
        next: &Signer,
    ) -> Result<KeyChain> {
        self.log.core().revoke_key(revoked, recovery, next)
    }

    /// Goes on under another origin, because an old copy was restored and what the key
    /// signed last is no longer in it: the first statement of the new origin names that
    /// head. `next` is a key of the new origin. The log is closed; open it again.
    ///
    /// # Errors
    /// As [`Keys::rotate`]; the log still holds what the key signed last.
    pub fn retire_origin(&self, signer: &Signer, next: &Signer) -> Result<KeyChain> {
        let chain = self.log.core().retire(signer, next)?;
        self.log.close()?;
        Ok(chain)
    }
}
