//! What proofs of a log are made from: all of it with what follows from it, by docs/format.md.

use std::sync::OnceLock;

use super::bytes::as_uint;
use super::files::Files;
use super::hashes::{Algorithm, Hash};
use super::notes::{Key, base64, sign};
use super::segment::Record;
use super::state::State;
use super::{Forge, shown, writer};
use crate::bases::Base;

#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) forge: Forge,
    pub(crate) leaves: Vec<Hash>,
    pub(crate) catalog_leaves: Vec<Hash>,
    /// Seqs of the anchors.
    pub(crate) anchors: Vec<usize>,
    /// The key that signs the log.
    pub(crate) key: Key,
}

/// What is claimed of the catalog, under an anchor.
pub(crate) struct Statement {
    pub(crate) anchor: Vec<u8>,
    pub(crate) path: Vec<Hash>,
    pub(crate) claim: Vec<u8>,
}

impl Statement {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [shown::with_len(&self.anchor), shown::path(&self.path), self.claim.clone()].concat()
    }
}

impl Ground {
    pub(crate) fn of(forge: Forge) -> Self {
        // Most proofs are wrong by themselves, and their log is one that was seen before.
        static MADE: [OnceLock<(Forge, Ground)>; 3] = [const { OnceLock::new() }; 3];
        let bases = [Base::Plain, Base::Blake3, Base::Retention];
        let at = bases.iter().position(|base| *base.files() == forge.files);
        let known = at.map(|at| {
            let make = || (bases[at].forge(), Ground::derived(bases[at].forge()));
            MADE[at].get_or_init(make)
        });
        match known.filter(|(known, _)| *known == forge) {
            Some((_, ground)) => ground.clone(),
            None => Ground::derived(forge),
        }
    }

    fn derived(forge: Forge) -> Self {
        let key = forge.keys[0].clone();
        let (forge, leaves, catalog_leaves) = writer::derived(forge);
        let records = forge.main.iter().flat_map(|segment| {
            let gone = segment.gone.as_ref().map_or(0, Vec::len);
            std::iter::repeat_n(None, gone).chain(segment.records().map(Some))
        });
        let is_anchor = |(_, record): &(usize, Option<&Record>)| {
            record.is_some_and(|record| record.kind() == 2)
        };
        let anchors = records.enumerate().filter(is_anchor).map(|(seq, _)| seq).collect();
        Ground { forge, leaves, catalog_leaves, anchors, key }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.forge.algorithm
    }

    /// The size of the newest head that ends in an anchor.
    pub(crate) fn size(&self) -> usize {
        self.anchors.last().unwrap() + 1
    }

    /// A checkpoint of so many records, by this key, named as the key.
    pub(crate) fn head_by(&self, size: usize, key: &Key) -> String {
        checkpoint(&key.name, size, &self.algorithm().root(&self.leaves[..size]), key)
    }

    pub(crate) fn head(&self, size: usize) -> String {
        self.head_by(size, &self.key)
    }

    /// The newest one.
    pub(crate) fn newest(&self) -> String {
        self.head(self.size())
    }

    pub(crate) fn record(&self, seq: usize) -> Record {
        let (segment, n) = self.forge.place_of(seq);
        self.forge.main[segment].records().nth(n).expect("a record").clone()
    }

    /// A record as `extra` shows it.
    pub(crate) fn shown(&self, seq: usize, form: u8) -> Vec<u8> {
        shown::record(&self.record(seq), &self.forge.log_id, seq as u64, form)
    }

    /// From a record to the root of so many.
    pub(crate) fn path(&self, seq: usize, size: usize) -> Vec<Hash> {
        self.algorithm().path(seq, &self.leaves[..size])
    }

    pub(crate) fn batch(&self, seqs: &[usize], size: usize) -> Vec<Hash> {
        if seqs.is_empty() {
            Vec::new()
        } else {
            self.algorithm().batch(seqs, 0, &self.leaves[..size])
        }
    }

    /// How much of the catalog an anchor covers.
    pub(crate) fn catalog_size(&self, anchor: usize) -> usize {
        let anchor = self.record(self.anchors[anchor]);
        usize::try_from(as_uint(anchor.field("catalog_size"))).unwrap()
    }

    pub(crate) fn catalog_record(&self, seq: usize) -> Record {
        self.forge.catalog_records().nth(seq).unwrap().clone()
    }

    /// What was in force at an anchor.
    pub(crate) fn state(&self, anchor: usize) -> State {
        let mut state = State::default();
        let records = self.forge.catalog_records().take(self.catalog_size(anchor));
        records.enumerate().for_each(|(seq, record)| state.apply(seq as u64, record));
        state
    }

    /// A claim under the head that this anchor ends.
    pub(crate) fn statement(&self, anchor: usize, claim: Vec<u8>) -> Statement {
        let seq = self.anchors[anchor];
        Statement { anchor: self.shown(seq, 2), path: self.path(seq, seq + 1), claim }
    }

    /// Claim 1 under this anchor, with the record in this form.
    pub(crate) fn record_claim(&self, anchor: usize, seq: usize, form: u8) -> Vec<u8> {
        let record = shown::record(&self.catalog_record(seq), &self.forge.log_id, seq as u64, form);
        let leaves = &self.catalog_leaves[..self.catalog_size(anchor)];
        let path = Algorithm::Sha256.path(seq, leaves);
        [vec![1], shown::with_len(&record), shown::path(&path)].concat()
    }

    /// The log's files with this file of a proof.
    pub(crate) fn with(&self, name: &str, text: impl Into<Vec<u8>>) -> Files {
        let mut files = self.forge.files.clone();
        files.put(format!("proofs/{name}"), text);
        files
    }
}

pub(crate) fn checkpoint(origin: &str, size: usize, root: &Hash, key: &Key) -> String {
    sign(&format!("{origin}\n{size}\n{}\n", base64(root)), &[key])
}
