//! The statements about the log's keys, and the signatures that are checked by them.

use std::path::{Path, PathBuf};

use super::Verifier;
use super::report::NOWHERE;
use crate::catalog::RecordedStatement;
use crate::checkpoint::{
    CheckpointError, SignatureKind, UnverifiedCheckpoint, VerifyNoteError, VerifyingKey,
};
use crate::error::Result;
use crate::keys::{Change, KeyChain, Statement};
use crate::log::core::{catalog_dir, checkpoints_dir};
use crate::log::open::catalog_checkpoint_files;
use crate::log::sign;
use crate::merkle::TreeHead;
use crate::seq::TreeSize;
use crate::trust::{Trust, TrustError};

/// By whom checkpoints may be signed.
#[derive(Default)]
pub(super) struct Signers {
    /// Whom the auditor trusts, with the log's key chain if it is about one of them.
    given: Trust,
    /// Whom the log itself names.
    recorded: Trust,
    /// Whether the log was asked again whom it names.
    asked_again: bool,
}

impl Verifier<'_> {
    /// Checks the key chain in the catalog; its heads are to be met, too.
    pub(super) fn collect_keys(&mut self) {
        let given = Trust::in_keys(self.options.keys.iter().cloned());
        let recorded = self.recorded_keys();
        let recorded = Trust::in_keys(recorded);
        self.signers = Signers { given: given.clone(), recorded, asked_again: false };
        let statements = self.catalog.as_ref().map_or(Vec::new(), |c| c.whole.statements.clone());
        let mut chain = KeyChain::default();
        for recorded in &statements {
            match chain.push_note(recorded.note.as_bytes()) {
                Ok(()) => self.check_statement(recorded, chain.last().cloned()),
                Err(error) => return self.key_finding(recorded, error.to_string()),
            }
        }
        let Some(first) = chain.dangerously_unverified().next() else { return };
        let first = Trust::in_keys([first.key.clone()]);
        match first.with_key_chain(&chain) {
            Ok(trust) => self.signers.recorded = trust,
            Err(error) => {
                if let Some(last) = statements.last() {
                    self.key_finding(last, error.to_string());
                }
                return;
            }
        }
        // An auditor may have pinned a key that the chain is not about.
        if let Ok(learned) = given.with_key_chain(&chain) {
            self.signers.given = learned;
        }
    }

    /// The record in the catalog says what the statement in it says.
    fn check_statement(&mut self, recorded: &RecordedStatement, statement: Option<Statement>) {
        let Some(statement) = statement else { return };
        let said = (statement.number, statement.digest(), statement.key.to_string());
        let introduced = statement.change.introduced().to_string();
        if (recorded.number, recorded.digest, recorded.key.clone()) != said
            || recorded.introduced != introduced
        {
            self.key_finding(recorded, "another statement than the record around it says".into());
        }
        let own = match statement.change {
            // What was abandoned is not in this copy.
            Change::Retire { kept, .. } => kept,
            _ => statement.main,
        };
        self.heads.push((catalog_dir(self.dir), own));
        self.meet_catalog_head(&catalog_dir(self.dir), &statement.catalog);
    }

    fn key_finding(&mut self, recorded: &RecordedStatement, found: String) {
        let place = (None, None, Some(recorded.seq));
        self.finding(&catalog_dir(self.dir), place, "key statement", "one that holds", found);
    }

    /// The catalog's published checkpoints, which only a BLAKE3 log has.
    pub(super) fn check_catalog_checkpoints(&mut self) -> Result<()> {
        for (size, path) in catalog_checkpoint_files(&*self.options.disk, self.dir)? {
            match sign::read(&*self.options.disk, &path) {
                Ok(checkpoint) => {
                    let head = checkpoint.dangerously_unverified().head();
                    if head.size.get() != size {
                        let expected = format!("size {size}, as its name says");
                        let found = format!("size {}", head.size);
                        self.finding(&path, NOWHERE, "checkpoint", expected, found);
                    }
                    self.check_signature(&path, &checkpoint, true);
                    self.meet_catalog_head(&path, &head);
                    self.counts.checkpoints += 1;
                }
                Err(error) => self.finding_of(error),
            }
        }
        Ok(())
    }

    fn meet_catalog_head(&mut self, path: &Path, head: &TreeHead) {
        self.refresh_catalog(head.size);
        let Some(catalog) = &self.catalog else { return };
        let found = match catalog.whole.root_at(head.size) {
            Some(root) if root == head.root => return,
            Some(root) => format!("root {root}"),
            None => format!("a catalog of {} records", catalog.whole.size()),
        };
        let expected = format!("root {} at size {}", head.root, head.size);
        self.finding(path, NOWHERE, "signed head of the catalog", expected, found);
    }

    /// A published one may be signed by another key of this log than the given ones: its
    /// signature is then checked by what the log says of its keys, and not counted. Gives
    /// whether a given key vouches for it.
    pub(super) fn check_signature(
        &mut self,
        path: &Path,
        checkpoint: &UnverifiedCheckpoint,
        published: bool,
    ) -> bool {
        if !self.options.keys.is_empty() {
            match self.signers.given.verify(checkpoint) {
                Ok(_) => {
                    self.counts.signatures += 1;
                    return true;
                }
                Err(error) if published && is_stranger(&error) => {}
                Err(error) => {
                    let (expected, found) = ("a signature by a given key", said(error));
                    self.finding(path, NOWHERE, "checkpoint", expected, found);
                    return false;
                }
            }
        }
        if !published || self.recorded_keys().is_empty() {
            return false;
        }
        if let Err(error) = self.verify_by_log(checkpoint) {
            let expected = match self.options.keys.is_empty() {
                true => "a signature by a key of this log",
                false => "a signature by a given key",
            };
            self.finding(path, NOWHERE, "checkpoint", expected, said(error));
        }
        false
    }

    /// Checks a signature by the keys that the log names: also those that it was given while it
    /// is verified, beside a writer.
    fn verify_by_log(
        &mut self,
        checkpoint: &UnverifiedCheckpoint,
    ) -> std::result::Result<(), TrustError> {
        let verified = self.signers.recorded.verify(checkpoint).map(|_| ());
        match verified {
            Err(error) if is_stranger(&error) && !self.signers.asked_again => {
                let size = self.catalog.as_ref().map_or(TreeSize::ZERO, |c| c.whole.size());
                self.refresh_catalog(size.checked_add(1).unwrap_or(size));
                self.signers.recorded = self.named_by_log();
                self.signers.asked_again = true;
                self.signers.recorded.verify(checkpoint).map(|_| ())
            }
            verified => verified,
        }
    }

    /// Whom the catalog names: those that its key chain leads to, if it has one.
    fn named_by_log(&self) -> Trust {
        let recorded = Trust::in_keys(self.recorded_keys());
        let statements = self.catalog.as_ref().map_or(&[][..], |c| &c.whole.statements);
        let mut chain = KeyChain::default();
        if statements.iter().any(|recorded| chain.push_note(recorded.note.as_bytes()).is_err()) {
            return recorded;
        }
        let Some(first) = chain.dangerously_unverified().next() else { return recorded };
        Trust::in_keys([first.key.clone()]).with_key_chain(&chain).unwrap_or(recorded)
    }

    /// Whoever gives a key wants to know that its owner signed what is here: the newest
    /// published head, at least.
    pub(super) fn check_vouched(&mut self, newest: Option<(PathBuf, bool)>) {
        if self.options.keys.is_empty() || matches!(newest, Some((_, true))) {
            return;
        }
        let expected = "the newest one signed by a given key";
        match newest {
            Some((path, _)) => {
                let found = "a signature by another key only, to which no given key leads";
                self.finding(&path, NOWHERE, "checkpoint", expected, found);
            }
            None => {
                let path = checkpoints_dir(self.dir);
                self.finding(&path, NOWHERE, "checkpoint", expected, "no published checkpoint");
            }
        }
    }

    /// The keys of heads that the catalog names.
    fn recorded_keys(&self) -> Vec<VerifyingKey> {
        let Some(catalog) = &self.catalog else { return Vec::new() };
        let keys = catalog.whole.state.keys().filter_map(|key| key.parse().ok());
        let of_heads = |key: &VerifyingKey| {
            matches!(key.kind(), SignatureKind::Ed25519 | SignatureKind::Ed25519Blake3Head)
        };
        keys.filter(of_heads).collect()
    }
}

fn is_stranger(error: &TrustError) -> bool {
    let TrustError::Checkpoint(CheckpointError::Signature(error)) = error else { return false };
    matches!(error, VerifyNoteError::NoKnownSigner { .. })
}

fn said(error: TrustError) -> String {
    match error {
        TrustError::Checkpoint(CheckpointError::Signature(VerifyNoteError::NoKnownSigner {
            found,
        })) => {
            let found: Vec<String> =
                found.iter().map(|(name, id)| format!("{name} (key id {id})")).collect();
            format!("only those by {}", found.join(", "))
        }
        error => error.to_string(),
    }
}
