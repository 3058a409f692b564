//! The statements about the log's keys, and the signatures that are checked by them.

use std::path::{Path, PathBuf};

use super::report::NOWHERE;
use super::verifier::{Signers, Verifier};
use crate::catalog::RecordedStatement;
use crate::checkpoint::{
    CheckpointError, SignatureKind, UnverifiedCheckpoint, VerifyNoteError, VerifyingKey,
};
use crate::keys::{Change, KeyChain, KeyChainError, Statement};
use crate::merkle::TreeHead;
use crate::seq::TreeSize;
use crate::trust::{Trust, TrustError};

impl Verifier<'_> {
    /// Checks the key chain in the catalog; its heads are to be met, too.
    pub(super) fn collect_keys(&mut self) {
        self.signers = self.known_signers();
        let statements = self.catalog.as_ref().map_or(Vec::new(), |c| c.whole.statements.clone());
        let mut chain = KeyChain::default();
        for recorded in &statements {
            match chain.push_note(recorded.note.as_bytes()) {
                Ok(()) => self.check_statement(recorded, chain.last().cloned()),
                Err(error) => return self.key_finding(recorded, error.to_string()),
            }
        }
        if let Some(Err(error)) = led_from_its_first_key(&chain)
            && let Some(last) = statements.last()
        {
            self.key_finding(last, error.to_string());
        }
    }

    /// By whom checkpoints may be signed, by the catalog as it was read last.
    fn known_signers(&self) -> Signers {
        let given = Trust::in_keys(self.options.keys.iter().cloned());
        let recorded = Trust::in_keys(self.recorded_keys());
        let statements = self.catalog.as_ref().map_or(&[][..], |c| &c.whole.statements);
        let mut chain = KeyChain::default();
        let whole = statements.iter().all(|said| chain.push_note(said.note.as_bytes()).is_ok());
        match led_from_its_first_key(&chain).filter(|_| whole) {
            Some(Ok(recorded)) => {
                // An auditor may have pinned a key that the chain is not about.
                let learned = given.clone().with_key_chain(&chain);
                Signers { given: learned.unwrap_or(given), recorded, asked_again: false }
            }
            _ => Signers { given, recorded, asked_again: false },
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
        self.heads.push((self.dir.catalog(), own));
        self.meet_catalog_head(&self.dir.catalog(), &statement.catalog);
    }

    fn key_finding(&mut self, recorded: &RecordedStatement, found: String) {
        let place = (None, None, Some(recorded.seq));
        self.finding(&self.dir.catalog(), place, "key statement", "one that holds", found);
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
        let mut signed = self.signed(checkpoint, published);
        let stranger = matches!(&signed, Err((_, error)) if is_stranger(error));
        if stranger && published && !self.signers.asked_again {
            // Its key may be one that the log was given since, beside the verification.
            let size = self.catalog.as_ref().map_or(TreeSize::ZERO, |c| c.whole.size());
            self.refresh_catalog(size.checked_add(1).unwrap_or(size));
            self.signers = Signers { asked_again: true, ..self.known_signers() };
            signed = self.signed(checkpoint, published);
        }
        match signed {
            Ok(vouched) => {
                self.counts.signatures += u64::from(vouched);
                vouched
            }
            Err((expected, error)) => {
                self.finding(path, NOWHERE, "checkpoint", expected, said(error));
                false
            }
        }
    }

    /// Whether a given key signed it. An error: nobody did who should have, and who that is.
    fn signed(
        &self,
        checkpoint: &UnverifiedCheckpoint,
        published: bool,
    ) -> std::result::Result<bool, (&'static str, TrustError)> {
        let any_given = !self.options.keys.is_empty();
        if any_given {
            match self.signers.given.verify(checkpoint) {
                Ok(_) => return Ok(true),
                Err(error) if published && is_stranger(&error) => {}
                Err(error) => return Err(("a signature by a given key", error)),
            }
        }
        if !published || self.catalog.is_none() {
            return Ok(false);
        }
        let expected = match any_given {
            true => "a signature by a given key",
            false => "a signature by a key of this log",
        };
        self.signers.recorded.verify(checkpoint).map_or_else(|e| Err((expected, e)), |_| Ok(false))
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
                let path = self.dir.checkpoints();
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

/// Whom a key chain leads to from its first key; `None` of an empty one.
fn led_from_its_first_key(chain: &KeyChain) -> Option<std::result::Result<Trust, KeyChainError>> {
    let first = chain.dangerously_unverified().next()?;
    Some(Trust::in_keys([first.key.clone()]).with_key_chain(chain))
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
