//! What the catalog says, or has in force, under a signed head of the main log.
//!
//! The last record under every signed head is an anchor: it holds size and root of the
//! catalog's tree, and the root of the state. So one signature covers the log and its
//! catalog.
//!
//! ```text
//! statement = anchor (form 2) behind its length ‖ hashes in the main tree ‖ claim
//! claim 1   : 01 ‖ catalog record behind its length ‖ hashes in the catalog's tree
//! claim 2   : 02 ‖ entries (8) ‖ index (8) ‖ entry ‖ hashes         in force
//! claim 3   : 03 ‖ entries (8) ‖ index (8) ‖ key ‖ neighbours ‖ hashes   not in force
//! claim 4   : 04 ‖ entries (8) ‖ number (4) ‖ (index (8) ‖ entry) each, by ascending index
//!             ‖ number of hashes (4) ‖ hashes         all of them in force; only in answers
//! entry     = key behind its length ‖ value behind its length
//! neighbours: the entry at index - 1 unless index is 0, then the entry at index unless
//!             index is entries
//! hashes of 2 to 4: a batch proof in the tree of the state
//! ```
//!
//! # Why claims about the state are sound, though its root does not hold the number of entries
//!
//! `entries` and `index` are claims of whoever made the proof, and stay so: the verdict does
//! not repeat them. What the root does bind is every path. A node is H(01 ‖ left ‖ right) and
//! an entry H(00 ‖ tag ‖ …), so a path that leads to the root is a path of the real tree,
//! with its real turns left and right, and it ends at a real entry, not above and not below
//! one. Hence an entry that is shown is there, whatever size was claimed. Likewise two entries
//! whose paths part once, the one going left and then always right, the other right and
//! then always left, have none between them; one that always goes left is the first, one
//! that always goes right the last. Numbers that give other turns do not lead to the root.
//! (That the entries are in order is what the log has signed; whoever replays the catalog, as
//! `bulla verify` does, finds a root that is not.)

use super::catalog_record::{CatalogRecord, verify_record};
use super::fields::{Fields, put_bytes, put_hashes, put_many_hashes, put_u32, put_u64};
use super::malformed;
use super::parts::Parts;
use crate::checkpoint::{UnverifiedCheckpoint, VerifiedCheckpoint, line};
use crate::event::{Anchor, RecordKind};
use crate::format::LogId;
use crate::format::catalog_body::StateMap;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{ProofError, TreeHead, TreeSide, verify_batch_inclusion, verify_inclusion};
use crate::proof::malformed::MalformedProof;
use crate::proof::verify_error::VerifyProofError;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
use crate::trust::Trust;

/// The longest catalog proof that is read, in bytes: 4 MiB.
pub const CATALOG_PROOF_LEN_MAX: usize = 4 << 20;

const RECORD: u8 = 1;
const IN_FORCE: u8 = 2;
const NOT_IN_FORCE: u8 = 3;
const ENTRIES: u8 = 4;

/// A claim about the catalog, with the anchor that ties it to a signed head. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogStatement {
    /// The anchor: the last record under the head, in the form that proofs disclose.
    pub anchor: Vec<u8>,
    /// From the anchor up to the main root, at most 64.
    pub anchor_hashes: Vec<Hash>,
    /// What is claimed.
    pub claim: CatalogClaim,
}

/// What is claimed of the catalog. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogClaim {
    /// This record is in the catalog.
    Record {
        /// In the form that proofs disclose; its position is in its head.
        record: Vec<u8>,
        /// From the record up to the catalog's root, at most 64.
        hashes: Vec<Hash>,
    },
    /// This entry is in the state.
    InForce {
        /// Where.
        place: StatePlace,
        /// The entry.
        entry: StateEntry,
        /// From the entry up to the state root (a batch proof).
        hashes: Vec<Hash>,
    },
    /// No entry with this key is in the state.
    NotInForce {
        /// How many entries there are, and how many of them have smaller keys.
        place: StatePlace,
        /// The key.
        key: String,
        /// The entries before and behind where it would stand; at the borders only one.
        neighbours: Vec<StateEntry>,
        /// From the neighbours up to the state root (a batch proof).
        hashes: Vec<Hash>,
    },
    /// These entries are in force; there may be others.
    Entries {
        /// How many entries the state has.
        entries: u64,
        /// The entries, by ascending index.
        items: Vec<PlacedEntry>,
        /// From them up to the state root (a batch proof).
        hashes: Vec<Hash>,
    },
}

/// An entry of the state with its claimed place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedEntry {
    /// How many entries stand before it.
    pub index: u64,
    /// The entry.
    pub entry: StateEntry,
}

/// A claimed place in the state; it says which turns a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatePlace {
    /// How many entries the state has.
    pub entries: u64,
    /// How many of them stand before it.
    pub index: u64,
}

/// An entry of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateEntry {
    /// Its key.
    pub key: String,
    /// What is in force under it: the fields of the catalog record that made it so.
    pub value: Vec<u8>,
}

impl StateEntry {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.key.as_bytes());
        put_bytes(out, &self.value);
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, MalformedProof> {
        Ok(StateEntry { key: fields.text()?, value: fields.bytes()?.to_vec() })
    }

    fn leaf(&self) -> Hash {
        StateMap::leaf(&self.key, &self.value)
    }
}

impl StatePlace {
    fn put(self, out: &mut Vec<u8>) {
        put_u64(out, self.entries);
        put_u64(out, self.index);
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, MalformedProof> {
        let (entries, index) = (fields.u64()?, fields.u64()?);
        match index <= entries {
            true => Ok(StatePlace { entries, index }),
            false => Err(MalformedProof::bytes(WHAT, format!("an index up to {entries}"), index)),
        }
    }

    /// The places of the neighbours of an entry that would stand here.
    fn around(self) -> impl Iterator<Item = Seq> {
        let before = self.index.checked_sub(1);
        let behind = Some(self.index).filter(|index| *index < self.entries);
        [before, behind].into_iter().flatten().map(Seq::new)
    }
}

const WHAT: &str = "the statement about the catalog";

impl CatalogStatement {
    /// The bytes of the statement.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, &self.anchor);
        put_hashes(&mut out, &self.anchor_hashes);
        let hashes = match &self.claim {
            CatalogClaim::Record { record, hashes } => {
                out.push(RECORD);
                put_bytes(&mut out, record);
                hashes
            }
            CatalogClaim::InForce { place, entry, hashes } => {
                out.push(IN_FORCE);
                place.put(&mut out);
                entry.put(&mut out);
                hashes
            }
            CatalogClaim::NotInForce { place, key, neighbours, hashes } => {
                out.push(NOT_IN_FORCE);
                place.put(&mut out);
                put_bytes(&mut out, key.as_bytes());
                neighbours.iter().for_each(|neighbour| neighbour.put(&mut out));
                hashes
            }
            CatalogClaim::Entries { entries, items, hashes } => {
                out.push(ENTRIES);
                put_u64(&mut out, *entries);
                put_u32(&mut out, items.len());
                for item in items {
                    put_u64(&mut out, item.index);
                    item.entry.put(&mut out);
                }
                put_many_hashes(&mut out, hashes);
                return out;
            }
        };
        put_hashes(&mut out, hashes);
        out
    }

    /// Reads a statement, strictly.
    ///
    /// # Errors
    /// Says what is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let mut fields = Fields::of(WHAT, bytes);
        let (anchor, anchor_hashes) = (fields.bytes()?.to_vec(), fields.hashes()?);
        let claim = match fields.u8()? {
            RECORD => {
                let (record, hashes) = (fields.bytes()?.to_vec(), fields.hashes()?);
                CatalogClaim::Record { record, hashes }
            }
            IN_FORCE => {
                let place = StatePlace::take(&mut fields)?;
                let entry = StateEntry::take(&mut fields)?;
                CatalogClaim::InForce { place, entry, hashes: fields.hashes()? }
            }
            NOT_IN_FORCE => {
                let place = StatePlace::take(&mut fields)?;
                let key = fields.text()?;
                let neighbours = place.around().map(|_| StateEntry::take(&mut fields));
                let neighbours = neighbours.collect::<Result<_, _>>()?;
                CatalogClaim::NotInForce { place, key, neighbours, hashes: fields.hashes()? }
            }
            ENTRIES => {
                let (entries, count) = (fields.u64()?, fields.u32()?);
                let items = (0..count).map(|_| {
                    let index = fields.u64()?;
                    Ok(PlacedEntry { index, entry: StateEntry::take(&mut fields)? })
                });
                let items = items.collect::<Result<_, MalformedProof>>()?;
                CatalogClaim::Entries { entries, items, hashes: fields.many_hashes()? }
            }
            other => return Err(MalformedProof::bytes(WHAT, "a claim of kind 1 to 4", other)),
        };
        fields.end()?;
        Ok(CatalogStatement { anchor, anchor_hashes, claim })
    }

    /// Checks the anchor against a head, and the claim against the anchor. The verdict is as
    /// good as the head.
    pub(crate) fn check(
        &self,
        algorithm: HashAlgorithm,
        head: &TreeHead,
        log_id: Option<LogId>,
    ) -> Result<VerifiedStatement, VerifyProofError> {
        let parts = Parts::split(&self.anchor).map_err(VerifyProofError::NotARecord)?;
        parts.check_log(log_id)?;
        let (seq, recorded_at) = (parts.head.seq, parts.head.recorded_at);
        if seq.covering_size() != Some(head.size) {
            let expected = format!("the last of {} records", head.size);
            let found = format!("record {seq}");
            return Err(VerifyProofError::Other { what: "anchor", expected, found });
        }
        verify_inclusion(algorithm, &parts.leaf(algorithm), seq, head, &self.anchor_hashes)
            .map_err(VerifyProofError::Inclusion)?;
        let anchor = decode_anchor(&parts)?;
        let shown = self.claim.verify(&anchor, parts.log_id)?;
        Ok(VerifiedStatement { anchor, log_id: parts.log_id, recorded_at, shown })
    }
}

fn decode_anchor(parts: &Parts<'_>) -> Result<Anchor, VerifyProofError> {
    if RecordKind::from_code(parts.head.kind) != Some(RecordKind::Anchor) {
        let found = format!("a record of kind {}", parts.head.kind);
        let expected = "the anchor that every signed head ends in".to_owned();
        return Err(VerifyProofError::Other { what: "last record", expected, found });
    }
    parts.anchor().map_err(VerifyProofError::NotARecord)
}

impl CatalogClaim {
    /// Some entries that are in force say nothing of others, so a list of them shows something
    /// only where the question is known that they answer: in an answer.
    pub(super) fn check_stands_alone(&self) -> Result<(), VerifyProofError> {
        match self {
            CatalogClaim::Entries { .. } => Err(VerifyProofError::Other {
                what: "claim about the catalog",
                expected: "one of kind 1 to 3; kind 4 stands only in an answer".to_owned(),
                found: "kind 4".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn verify(
        &self,
        anchor: &Anchor,
        log_id: LogId,
    ) -> Result<ProvenClaim, VerifyProofError> {
        let state = |place: &StatePlace| TreeHead {
            size: TreeSize::new(place.entries),
            root: anchor.state_root,
        };
        match self {
            CatalogClaim::Record { record, hashes } => {
                let head = TreeHead { size: anchor.catalog_size, root: anchor.catalog_root };
                let record = verify_record(record, hashes, &head, Some(log_id))?;
                record.check_anchored(anchor)?;
                Ok(ProvenClaim::Record(record))
            }
            CatalogClaim::InForce { place, entry, hashes } => {
                let leaves = [(Seq::new(place.index), entry.leaf())];
                verify_batch_inclusion(HashAlgorithm::Sha256, &leaves, &state(place), hashes)
                    .map_err(VerifyProofError::Inclusion)?;
                Ok(ProvenClaim::InForce(entry.clone()))
            }
            CatalogClaim::NotInForce { place, key, neighbours, hashes } => {
                verify_absence(key, *place, neighbours, &state(place), hashes)?;
                Ok(ProvenClaim::NotInForce { key: key.clone() })
            }
            CatalogClaim::Entries { entries, items, hashes } => {
                let state = TreeHead { size: TreeSize::new(*entries), root: anchor.state_root };
                let leaves: Vec<_> =
                    items.iter().map(|item| (Seq::new(item.index), item.entry.leaf())).collect();
                verify_batch_inclusion(HashAlgorithm::Sha256, &leaves, &state, hashes)
                    .map_err(VerifyProofError::Inclusion)?;
                let items = items.iter().map(|item| item.entry.clone()).collect();
                Ok(ProvenClaim::Entries(items))
            }
        }
    }
}

/// The neighbours stand on both sides of the key, with nothing between them.
fn verify_absence(
    key: &str,
    place: StatePlace,
    neighbours: &[StateEntry],
    state: &TreeHead,
    hashes: &[Hash],
) -> Result<(), VerifyProofError> {
    let places: Vec<Seq> = place.around().collect();
    let other = |expected: String, found: String| {
        Err(VerifyProofError::Other { what: "neighbours of the key", expected, found })
    };
    if places.len() != neighbours.len() {
        return other(format!("{} entries", places.len()), format!("{}", neighbours.len()));
    }
    for (at, neighbour) in places.iter().zip(neighbours) {
        let on_its_side = match at.get() < place.index {
            true => neighbour.key.as_str() < key,
            false => neighbour.key.as_str() > key,
        };
        if !on_its_side {
            let expected = format!("keys on both sides of {key:?}");
            return other(expected, format!("{:?}", neighbour.key));
        }
    }
    let leaves: Vec<_> = places.iter().zip(neighbours).map(|(at, n)| (*at, n.leaf())).collect();
    verify_batch_inclusion(HashAlgorithm::Sha256, &leaves, state, hashes)
        .map_err(VerifyProofError::Inclusion)?;
    // Without neighbours the batch shows nothing: the state itself must be empty.
    let (expected, found) = (HashAlgorithm::Sha256.empty_root(), state.root);
    match leaves.is_empty() && expected != found {
        true => {
            let side = TreeSide::New;
            Err(VerifyProofError::Inclusion(ProofError::Root { side, expected, found }))
        }
        false => Ok(()),
    }
}

/// What a statement was found to show, under a signed head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedStatement {
    anchor: Anchor,
    log_id: LogId,
    recorded_at: Timestamp,
    shown: ProvenClaim,
}

/// What was shown of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProvenClaim {
    /// This record is in the catalog.
    Record(CatalogRecord),
    /// This entry was in force when the head was signed.
    InForce(StateEntry),
    /// Nothing was in force under this key when the head was signed.
    NotInForce {
        /// The key.
        key: String,
    },
    /// These entries were in force when the head was signed; there may be others.
    Entries(Vec<StateEntry>),
}

impl VerifiedStatement {
    /// What binds the catalog to the signed head.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The log's identity.
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// When the anchor was recorded, by the log's clock: what is in force was so then.
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// What was shown.
    pub fn shown(&self) -> &ProvenClaim {
        &self.shown
    }
}

/// A statement about the catalog with the checkpoint it stands under: **nothing of it is
/// checked** until [`CatalogProof::verify`] says so.
///
/// ```text
/// bulla.dev/catalog-proof/v1
/// BASE64                          the statement
///                                 an empty line
/// example.com/audit               a checkpoint of the log, verbatim
/// …
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogProof {
    /// What is claimed.
    pub statement: CatalogStatement,
    /// The checkpoint of the main log.
    pub checkpoint: UnverifiedCheckpoint,
}

impl CatalogProof {
    /// The first line of the text.
    pub const FIRST_LINE: &str = "bulla.dev/catalog-proof/v1";
    /// The ending of files with it, without the dot.
    pub const FILE_EXTENSION: &str = "bulla-catalog-proof";

    /// The text, to be kept in a file.
    pub fn to_text(&self) -> String {
        let statement = line::to_base64(self.statement.to_bytes());
        format!("{}\n{statement}\n\n{}", Self::FIRST_LINE, self.checkpoint.to_text())
    }

    /// Reads the text, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says what is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let text = malformed::text(bytes, "a catalog proof", CATALOG_PROOF_LEN_MAX)?;
        let (own, checkpoint) = text.split_once("\n\n").ok_or(MalformedProof::NoCheckpoint)?;
        let (first, statement) = own.split_once('\n').unwrap_or((own, ""));
        malformed::check_first_line(Some(first), Self::FIRST_LINE)?;
        let expected = "the base64 of a statement, and the last before an empty line";
        let statement =
            line::base64(statement).ok_or(MalformedProof::Line { number: 2, expected })?;
        let statement = CatalogStatement::parse(&statement)?;
        Ok(CatalogProof { statement, checkpoint: malformed::checkpoint(checkpoint)? })
    }

    /// Checks that the log signed the head, that the head ends in the anchor, and that the
    /// claim holds under the anchor.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedCatalogProof, VerifyProofError> {
        let checkpoint = trust.verify(&self.checkpoint).map_err(VerifyProofError::Checkpoint)?;
        self.statement.claim.check_stands_alone()?;
        let (algorithm, head) = (checkpoint.algorithm(), checkpoint.head());
        let statement = self.statement.check(algorithm, &head, None)?;
        Ok(VerifiedCatalogProof { statement, checkpoint })
    }
}

/// What a catalog proof was found to show. Only [`CatalogProof::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCatalogProof {
    statement: VerifiedStatement,
    checkpoint: VerifiedCheckpoint,
}

impl VerifiedCatalogProof {
    /// What was shown.
    pub fn statement(&self) -> &VerifiedStatement {
        &self.statement
    }

    /// Under which checkpoint, and who signed it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }
}
