//! Proofs about the catalog and the state, through the anchor that every signed head ends
//! in.

use std::collections::HashMap;

use super::does_not_hold;
use crate::catalog::Catalog;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::event::Anchor;
use crate::format::LogId;
use crate::format::catalog_body::StateMap;
use crate::format::record::Head;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{BatchPlan, Frontier, ProofPlan};
use crate::proof::Disclosure;
use crate::proof::{
    CatalogClaim, CatalogProof, CatalogStatement, StateEntry, StatePlace, disclose,
};
use crate::read::decode::decode_anchor;
use crate::read::snapshot::Snapshot;
use crate::seq::{Seq, TreeSize};
use crate::tree::proof_error;

impl Snapshot {
    /// Proves that a record is in the catalog that a checkpoint of the main log covers. The
    /// result verifies with [`CatalogProof::verify`].
    ///
    /// # Errors
    /// The catalog under the checkpoint does not have the record, or the checkpoint is not
    /// of this log; `CatalogDamaged`; damage; I/O.
    pub fn prove_catalog_record(
        &self,
        seq: Seq,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<CatalogProof> {
        self.tree()?; // before the catalog is locked
        self.shared()
            .with_catalog(|catalog| Prover::at(self, catalog, checkpoint)?.record(seq, disclosure))
    }

    /// Proves what was in force under a key of the state, or that nothing was, when a
    /// checkpoint of the main log was signed. Replays the catalog up to there, unless it
    /// ends there. To show that nothing is there shows the neighbours of the key.
    ///
    /// # Errors
    /// As [`Snapshot::prove_catalog_record`].
    pub fn prove_state_entry(
        &self,
        key: &str,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<CatalogProof> {
        self.tree()?; // before the catalog is locked
        self.shared()
            .with_catalog(|catalog| Prover::at(self, catalog, checkpoint)?.state_entry(key))
    }
}

/// What a statement about the state stands on.
pub(super) struct Ground {
    pub(super) log_id: LogId,
    pub(super) anchor_bytes: Vec<u8>,
    pub(super) anchor_hashes: Vec<Hash>,
    pub(super) state: StateMap,
}

impl Ground {
    pub(super) fn at(
        snapshot: &Snapshot,
        catalog: &Catalog,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<Self> {
        let prover = Prover::at(snapshot, catalog, checkpoint)?;
        let state = catalog.state_at(prover.anchor.catalog_size)?;
        let last = checkpoint.dangerously_unverified().head().size.last_seq();
        let log_id = snapshot.records().with_record(last.unwrap_or(Seq::new(0)), |_, record| {
            Head::decode(&record.hashed).map(|(_, log_id)| log_id)
        })?;
        let log_id = log_id.map_err(proof_error)?;
        let Prover { anchor_bytes, anchor_hashes, .. } = prover;
        Ok(Ground { log_id, anchor_bytes, anchor_hashes, state })
    }
}

/// Makes proofs about the catalog under one checkpoint of the main log.
struct Prover<'a> {
    catalog: &'a Catalog,
    checkpoint: &'a UnverifiedCheckpoint,
    algorithm: HashAlgorithm,
    anchor: Anchor,
    anchor_bytes: Vec<u8>,
    anchor_hashes: Vec<Hash>,
}

impl<'a> Prover<'a> {
    fn at(
        snapshot: &Snapshot,
        catalog: &'a Catalog,
        checkpoint: &'a UnverifiedCheckpoint,
    ) -> Result<Self> {
        let head = checkpoint.dangerously_unverified().head();
        snapshot.check_own(&head)?;
        let no_anchor = |found: String| Error::Proof {
            reason: format!("expected a checkpoint that ends in an anchor, found {found}"),
        };
        let last = head.size.last_seq().ok_or_else(|| no_anchor("an empty log".to_owned()))?;
        let (anchor, anchor_bytes) = snapshot.records().with_record(last, |_, record| {
            (decode_anchor(&record), disclose(&record, Disclosure::WithholdPayload))
        })?;
        let anchor = anchor.map_err(no_anchor)?;
        let own = catalog.root_at(anchor.catalog_size)?;
        if own != anchor.catalog_root {
            let what = format!("the catalog of {} records", anchor.catalog_size);
            return Err(Error::tampered(what, anchor.catalog_root, own));
        }
        let anchor_hashes = snapshot.inclusion(last, head.size)?.hashes;
        let algorithm = snapshot.tree()?.algorithm();
        Ok(Prover { catalog, checkpoint, algorithm, anchor, anchor_bytes, anchor_hashes })
    }

    /// The proof of a claim, checked as a stranger would.
    fn proof(self, claim: CatalogClaim) -> Result<CatalogProof> {
        let Prover { checkpoint, algorithm, .. } = self;
        let (anchor, anchor_hashes) = (self.anchor_bytes, self.anchor_hashes);
        let statement = CatalogStatement { anchor, anchor_hashes, claim };
        let head = checkpoint.dangerously_unverified().head();
        statement
            .check(algorithm, &head, None)
            .map_err(|error| does_not_hold("the catalog".to_owned(), &head, error))?;
        Ok(CatalogProof { statement, checkpoint: checkpoint.clone() })
    }

    fn record(self, seq: Seq, disclosure: Disclosure) -> Result<CatalogProof> {
        let hashes = self.inclusion(seq)?;
        let record = self.catalog.with_record(seq, |record| disclose(&record, disclosure))?;
        self.proof(CatalogClaim::Record { record, hashes })
    }

    /// The path of a record of the catalog.
    fn inclusion(&self, seq: Seq) -> Result<Vec<Hash>> {
        let plan = ProofPlan::inclusion(seq, self.anchor.catalog_size).map_err(proof_error)?;
        let nodes: Result<Vec<_>> =
            plan.nodes().iter().map(|node| self.catalog.tree().node(*node)).collect();
        plan.assemble(HashAlgorithm::Sha256, &nodes?).map_err(proof_error)
    }

    fn state_entry(self, key: &str) -> Result<CatalogProof> {
        let state = self.catalog.state_at(self.anchor.catalog_size)?;
        let entries: Vec<(&str, &[u8])> = state.entries().collect();
        let found = entries.binary_search_by(|(other, _)| (*other).cmp(key));
        let (shown, index) = match found {
            Ok(at) => (at..at + 1, at),
            Err(at) => (at.saturating_sub(1)..entries.len().min(at + 1), at),
        };
        let seqs: Vec<Seq> = shown.clone().map(|at| Seq::new(at as u64)).collect();
        let mut shown = entries
            .get(shown)
            .into_iter()
            .flatten()
            .map(|(key, value)| StateEntry { key: (*key).to_owned(), value: value.to_vec() });
        let place = StatePlace { entries: entries.len() as u64, index: index as u64 };
        let hashes = batch_of_state(&entries, &seqs)?;
        let claim = match (found, shown.next()) {
            (Ok(_), Some(entry)) => CatalogClaim::InForce { place, entry, hashes },
            (_, first) => CatalogClaim::NotInForce {
                place,
                key: key.to_owned(),
                neighbours: first.into_iter().chain(shown).collect(),
                hashes,
            },
        };
        self.proof(claim)
    }
}

/// The batch proof of entries of the state. Its tree is nowhere stored.
pub(super) fn batch_of_state(entries: &[(&str, &[u8])], seqs: &[Seq]) -> Result<Vec<Hash>> {
    let plan = BatchPlan::inclusion(seqs, TreeSize::new(entries.len() as u64));
    let plan = plan.map_err(proof_error)?;
    let (mut nodes, mut frontier) = (HashMap::new(), Frontier::new(HashAlgorithm::Sha256));
    for (key, value) in entries {
        frontier.push(StateMap::leaf(key, value), |node, hash| {
            nodes.insert(node, hash);
        });
    }
    let hashes: Option<Vec<Hash>> =
        plan.nodes().iter().map(|node| nodes.get(node).copied()).collect();
    let hashes = hashes.ok_or_else(|| proof_error("a node that the state does not have"))?;
    plan.assemble(HashAlgorithm::Sha256, &hashes).map_err(proof_error)
}
