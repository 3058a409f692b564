//! What a verified chain says: which key counts for which sizes.

use super::chain_error::{KeyChainError, Link};
use super::statement::{Change, ChangeKind, Statement, recovery_name};
use crate::checkpoint::{VerifiedCheckpoint, VerifyingKey};
use crate::merkle::TreeHead;

/// The keys of a log that a verifier believes, oldest first. Only
/// [`KeyChain::verify`](super::KeyChain::verify) makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epochs {
    epochs: Vec<Epoch>,
    recovery: Option<VerifyingKey>,
}

/// One key, and the heads between which it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    key: VerifyingKey,
    from: Option<Beginning>,
    until: Option<TreeHead>,
    ended: Option<Ended>,
}

/// How an epoch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// By what kind of statement.
    pub how: ChangeKind,
    /// Its number.
    pub number: u64,
}

/// The heads of the log and of its catalog at the change that began an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beginning {
    main: TreeHead,
    catalog: TreeHead,
}

impl Epoch {
    /// The key.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The log's head from which on the key counts; `None`: from the beginning, as far as
    /// the chain shows.
    pub fn from(&self) -> Option<TreeHead> {
        self.from.map(|from| from.main)
    }

    /// The last head of the log that counts under the key; `None`: it is in use.
    pub fn until(&self) -> Option<TreeHead> {
        self.until
    }

    /// How it ended, if it did.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether the key counts for a head.
    fn covers(&self, head: &TreeHead) -> bool {
        self.from().is_none_or(|from| reaches(&from, head))
            && self.until.is_none_or(|until| reaches(head, &until))
    }
}

/// Whether the second head can be one that goes on from the first.
fn reaches(first: &TreeHead, second: &TreeHead) -> bool {
    first.size < second.size || first == second
}

impl Epochs {
    pub(super) fn of(
        links: &[Link],
        pinned: &[VerifyingKey],
        recovery: Option<&VerifyingKey>,
    ) -> Result<Self, KeyChainError> {
        let about = |link: &Link| pinned.contains(&link.statement.key);
        let introduces =
            |link: &Link| link.statement.change.next().is_some_and(|next| pinned.contains(next));
        let start = links.iter().position(|link| about(link) || introduces(link));
        let start = start.ok_or(KeyChainError::NotPinned)?;
        let (before, links) = links.split_at(start);
        let Some(first) = links.first() else { return Err(KeyChainError::NotPinned) };
        let mut walk = Walk { used: Vec::new(), recovery: Vec::new(), epochs: Vec::new() };
        // A pinned key's own signature covers, by their hashes, the statements before. What it
        // did not sign, such as its revocation, vouches for nothing.
        let pinned_key =
            if about(first) { Some(&first.statement.key) } else { first.statement.change.next() };
        if pinned_key.is_some_and(|key| first.signed_by(&[key])) {
            before.iter().for_each(|link| walk.remember(&link.statement));
        }
        recovery.into_iter().for_each(|recovery| walk.name_recovery(recovery));
        if about(first) {
            walk.begin(&first.statement.key, None);
            walk.step(first)?;
        } else {
            walk.enter(first)?;
        }
        links.iter().skip(1).try_for_each(|link| walk.step(link))?;
        let origin = walk.epochs.last().map(|epoch| epoch.key.name().to_string());
        let recovery = origin.and_then(|origin| walk.recovery_of(&origin).cloned());
        Ok(Epochs { epochs: walk.epochs, recovery })
    }

    /// The epochs, oldest first. What a revocation made void is not among them.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The key that counts now.
    pub fn current(&self) -> Option<&VerifyingKey> {
        self.epochs.last().map(Epoch::key)
    }

    /// The key that can revoke.
    pub fn recovery(&self) -> Option<&VerifyingKey> {
        self.recovery.as_ref()
    }

    /// The keys of all epochs.
    pub fn keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.epochs.iter().map(Epoch::key)
    }

    /// Checks that those of these keys that signed the checkpoint count for its size.
    ///
    /// # Errors
    /// The key that does not, and for which sizes it does.
    pub fn check(&self, checkpoint: &VerifiedCheckpoint) -> Result<(), OutsideEpoch> {
        let head = checkpoint.head();
        for epoch in &self.epochs {
            if checkpoint.signers().contains(&epoch.key) && !epoch.covers(&head) {
                return Err(OutsideEpoch { epoch: Box::new(epoch.clone()), head });
            }
        }
        Ok(())
    }
}

/// The state of a walk along a chain.
struct Walk {
    epochs: Vec<Epoch>,
    /// The recovery keys in force, one an origin.
    recovery: Vec<VerifyingKey>,
    /// Keys that were in use before: none may come again.
    used: Vec<VerifyingKey>,
}

impl Walk {
    /// A statement before the first one about a pinned key.
    fn remember(&mut self, statement: &Statement) {
        self.used.push(statement.key.clone());
        match &statement.change {
            Change::Recovery { recovery } => self.name_recovery(recovery),
            _ => self.used.push(statement.change.introduced().clone()),
        }
    }

    fn name_recovery(&mut self, key: &VerifyingKey) {
        self.recovery.retain(|known| known.name() != key.name());
        self.recovery.push(key.clone());
        self.used.push(key.clone());
    }

    fn recovery_of(&self, origin: &str) -> Option<&VerifyingKey> {
        let name = recovery_name(origin);
        self.recovery.iter().find(|key| key.name().as_str() == name)
    }

    fn begin(&mut self, key: &VerifyingKey, from: Option<Beginning>) {
        self.used.push(key.clone());
        self.epochs.push(Epoch { key: key.clone(), from, until: None, ended: None });
    }

    /// The statement that introduces a pinned key, which vouches for where it begins.
    fn enter(&mut self, link: &Link) -> Result<(), KeyChainError> {
        let statement = &link.statement;
        let Some(next) = statement.change.next() else { return Err(KeyChainError::NotPinned) };
        must_be_signed(link, &[next])?;
        self.used.push(statement.key.clone());
        self.begin(next, Some(beginning(statement)));
        Ok(())
    }

    fn step(&mut self, link: &Link) -> Result<(), KeyChainError> {
        let statement = &link.statement;
        let number = statement.number;
        let introduced = statement.change.introduced();
        // A verifier may have pinned the recovery key that the log then names.
        let pinned = self.recovery.contains(introduced);
        if !pinned && self.used.iter().any(|used| used.has_same_secret(introduced)) {
            return Err(KeyChainError::KeyReused { number });
        }
        if self.comes_back(&statement.change) {
            return Err(KeyChainError::OriginReused { number });
        }
        self.check_signed(link)?;
        let at = self.epochs.iter().rposition(|epoch| epoch.key == statement.key);
        let current = self.epochs.len().checked_sub(1);
        let revokes = statement.change.kind() == ChangeKind::Revoke;
        let Some(at) = at.filter(|_| revokes || at == current) else {
            return Err(KeyChainError::NotCurrent { number, key: Box::new(statement.key.clone()) });
        };
        if !self.epochs.get(at).is_some_and(|epoch| fits(epoch, statement)) {
            return Err(KeyChainError::Head { number });
        }
        match &statement.change {
            Change::Recovery { recovery } => self.name_recovery(recovery),
            Change::Rotate { next } | Change::Revoke { next } | Change::Retire { next, .. } => {
                self.epochs.truncate(at + 1);
                if let Some(epoch) = self.epochs.last_mut() {
                    epoch.until = Some(statement.main);
                    epoch.ended = Some(Ended { how: statement.change.kind(), number });
                }
                self.begin(next, Some(beginning(statement)));
            }
        }
        Ok(())
    }

    /// Whether the log goes on under an origin that it had before: two histories would have one
    /// name.
    fn comes_back(&self, change: &Change) -> bool {
        let Change::Retire { next, .. } = change else { return false };
        self.used.iter().any(|used| used.name() == next.name())
    }

    fn check_signed(&self, link: &Link) -> Result<(), KeyChainError> {
        let number = link.statement.number;
        let key = &link.statement.key;
        let recovery = self.recovery_of(&link.statement.origin);
        let by_recovery = || recovery.ok_or(KeyChainError::NoRecoveryKey { number });
        match &link.statement.change {
            Change::Rotate { next } => must_be_signed(link, &[key, next]),
            Change::Recovery { recovery: new } => {
                let mut wanted = vec![key, new];
                wanted.extend(recovery);
                must_be_signed(link, &wanted)
            }
            Change::Revoke { next } => must_be_signed(link, &[by_recovery()?, next]),
            Change::Retire { next, .. } => match must_be_signed(link, &[key, next]) {
                Err(error) if recovery.is_none() => Err(error),
                Err(_) => must_be_signed(link, &[by_recovery()?, next]),
                Ok(()) => Ok(()),
            },
        }
    }
}

fn must_be_signed(link: &Link, keys: &[&VerifyingKey]) -> Result<(), KeyChainError> {
    if link.signed_by(keys) {
        return Ok(());
    }
    let names: Vec<String> =
        keys.iter().map(|key| format!("{} (key id {})", key.name(), key.id())).collect();
    let (number, expected) = (link.statement.number, names.join(" and by "));
    Err(KeyChainError::NotSigned { number, expected })
}

/// Whether the heads of a statement can be those at the end of an epoch.
fn fits(epoch: &Epoch, statement: &Statement) -> bool {
    let main_fits = epoch.from.is_none_or(|from| reaches(&from.main, &statement.main));
    // A stolen key may have closed its epoch where it liked: a revocation closes it earlier.
    let cut_fits = epoch.until.is_none_or(|until| reaches(&statement.main, &until));
    // Where an old copy was restored, its catalog may be shorter than the one before.
    let restored = matches!(statement.change, Change::Retire { .. });
    let catalog_fits =
        restored || epoch.from.is_none_or(|from| reaches(&from.catalog, &statement.catalog));
    main_fits && cut_fits && catalog_fits
}

fn beginning(statement: &Statement) -> Beginning {
    let main = match statement.change {
        Change::Retire { kept, .. } => kept,
        _ => statement.main,
    };
    Beginning { main, catalog: statement.catalog }
}

/// A key signed a head for which it does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key {} (key id {}) counts for heads {}, with the roots named at these borders; found size \
     {}{}",
    .epoch.key.name(), .epoch.key.id(), .epoch.sizes(), .head.size, .epoch.revoked()
)]
pub struct OutsideEpoch {
    /// The key, and for which heads it counts.
    pub epoch: Box<Epoch>,
    /// The head.
    pub head: TreeHead,
}

impl Epoch {
    /// Of which sizes the heads are that the key counts for.
    fn sizes(&self) -> String {
        let size = |border: Option<TreeHead>| border.map(|head| head.size);
        match (size(self.from()), size(self.until)) {
            (Some(from), Some(until)) => format!("of size {from} to {until}"),
            (None, Some(until)) => format!("up to size {until}"),
            (Some(from), None) => format!("from size {from} on"),
            (None, None) => "of any size".to_owned(),
        }
    }

    fn revoked(&self) -> String {
        match self.ended {
            Some(Ended { how: ChangeKind::Revoke, number }) => {
                format!(" (revoked by key statement {number})")
            }
            _ => String::new(),
        }
    }
}
