//! A record of one of the logs of a vault, under the one checkpoint of the vault.
//!
//! A vault signs no head of its logs by themselves. Its own log records *head lists*: the
//! head of every log, hashed into a Merkle tree, with the root in the record's envelope. A
//! proof has three steps, and shows of the other logs only how many there are.
//!
//! ```text
//! bulla.dev/vault-proof/v1
//! log BASE64                      the head of the record's log, as it stands in the list
//! place 3                         its position in the list, from 0
//! gSKyXoYZUgZ6jduWYrkDOARin…      the hashes from there to the root of the list
//! record 41 YnVsbGEtcmVjb3…       the record's position in its log, and the record
//! gSKyXoYZUgZ6jduWYrkDOARin…      the hashes from there to the root of its log
//!                                 an empty line
//! c2sp.org/tlog-proof@v1          the list's record in the vault's own log, its payload
//! …                               withheld; verbatim to the end
//! ```

use std::collections::BTreeMap;

use super::fields::{Fields, put_bytes, put_u64};
use super::malformed;
use super::parts::Parts;
use crate::checkpoint::{VerifiedCheckpoint, line};
use crate::event::Record;
use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId, ProofError, ProofPlan, TreeHead};
use crate::proof::disclosed::VerifiedRecord;
use crate::proof::inclusion::{InclusionProof, TlogProof};
use crate::proof::malformed::MalformedProof;
use crate::proof::parts::{Disclosure, VerifyRecordError};
use crate::proof::text::{PROOF_HASHES_MAX, PROOF_LEN_MAX};
use crate::proof::verify_error::VerifyProofError;
use crate::seq::{Seq, TreeSize};
use crate::trust::Trust;

/// The most logs of a vault: a head list is one record.
pub const VAULT_LOGS_MAX: usize = 4096;
/// What the origin of a vault's own log ends in, and that of no other log should.
pub const VAULT_ORIGIN_SUFFIX: &str = "/vault";
/// The action of the records that are head lists.
pub const VAULT_HEADS_ACTION: &str = "vault.heads";
/// Their `resource.type`; `resource.id` is the number of logs, a slash and the root.
pub const VAULT_HEADS_KIND: &str = "vault-heads";

/// Longest name of a log in a vault, in bytes.
pub(crate) const VAULT_NAME_LEN_MAX: usize = 64;
/// A log with this name would have an origin like that of a vault.
pub(crate) const VAULT_NAME_RESERVED: &str = "vault";

/// What a leaf of a head list begins with.
const MAGIC: &[u8] = b"bulla/vault-head/v1\0";
/// The tree of a head list is always of this hash.
const LIST: HashAlgorithm = HashAlgorithm::Sha256;

/// The head of one log of a vault: a claim of whoever lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// The log's name in the vault.
    pub name: String,
    /// Its identity.
    pub log_id: LogId,
    /// Its public name.
    pub origin: String,
    /// The hash of its tree.
    pub algorithm: HashAlgorithm,
    /// Its size and root.
    pub head: TreeHead,
}

impl LogHead {
    /// Whether a log of a vault may have this name. Names are those of directories, so there is
    /// nothing in them that leads elsewhere.
    pub fn is_name(name: &str) -> bool {
        let of_set = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        (1..=VAULT_NAME_LEN_MAX).contains(&name.len())
            && name.chars().all(of_set)
            && !name.starts_with('.')
            && !name.ends_with(".tmp")
            && name != VAULT_NAME_RESERVED
    }

    /// The bytes of its leaf, without the 0x00 of RFC 6962.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_bytes(&mut out, self.name.as_bytes());
        out.extend_from_slice(&self.log_id.0);
        put_bytes(&mut out, self.origin.as_bytes());
        out.push(self.algorithm.code());
        put_u64(&mut out, self.head.size.get());
        out.extend_from_slice(self.head.root.as_bytes());
        out
    }

    /// Reads a leaf; it has only one spelling.
    ///
    /// # Errors
    /// Says what is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let what = "the head of a log";
        let wrong = |expected: &str| MalformedProof::bytes(what, expected, "something else");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong("bulla/vault-head/v1"))?;
        let mut fields = Fields::of(what, rest);
        let name = fields.text()?;
        let mut log_id = [0; 16];
        for byte in &mut log_id {
            *byte = fields.u8()?;
        }
        let origin = fields.text()?;
        let algorithm =
            HashAlgorithm::from_code(fields.u8()?).ok_or_else(|| wrong("hash 1 or 2"))?;
        let (size, root) = (TreeSize::new(fields.u64()?), fields.hash()?);
        fields.end()?;
        let head = TreeHead { size, root };
        Ok(LogHead { name, log_id: LogId(log_id), origin, algorithm, head })
    }
}

/// The heads of all logs of a vault, by name, with the tree over them.
#[derive(Clone, Debug)]
pub struct HeadList {
    heads: Vec<LogHead>,
    nodes: BTreeMap<(u8, u64), Hash>,
    head: TreeHead,
}

impl HeadList {
    /// A list of heads, which is put into the order of names.
    pub fn new(mut heads: Vec<LogHead>) -> Self {
        heads.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut tree, mut nodes) = (Frontier::new(LIST), BTreeMap::new());
        for head in &heads {
            tree.push(LIST.leaf(&[&head.to_bytes()]), |node: NodeId, hash| {
                nodes.insert((node.level, node.index), hash);
            });
        }
        HeadList { heads, nodes, head: tree.head() }
    }

    /// The heads, by name.
    pub fn heads(&self) -> &[LogHead] {
        &self.heads
    }

    /// Number of logs and root of the tree over their heads.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The `resource.id` of its record.
    pub fn resource_id(&self) -> String {
        format!("{}/{}", self.head.size, self.head.root)
    }

    /// The head of the log with this name, and the path from it to the root.
    pub fn place(&self, name: &str) -> Option<(&LogHead, InclusionProof)> {
        let at = self.heads.binary_search_by(|head| head.name.as_str().cmp(name)).ok()?;
        let seq = Seq::new(at as u64);
        let plan = ProofPlan::inclusion(seq, self.head.size).ok()?;
        let node = |node: &NodeId| self.nodes.get(&(node.level, node.index)).copied();
        let hashes: Vec<Hash> = plan.nodes().iter().map(node).collect::<Option<_>>()?;
        let hashes = plan.assemble(LIST, &hashes).ok()?;
        Some((self.heads.get(at)?, InclusionProof { seq, hashes }))
    }
}

/// Reads the `resource.id` of a head list's record.
fn parse_resource_id(text: &str) -> Option<TreeHead> {
    let (size, root) = text.split_once('/')?;
    let head = TreeHead { size: TreeSize::new(line::decimal(size)?), root: root.parse().ok()? };
    (format!("{}/{}", head.size, head.root) == text).then_some(head)
}

/// A record of a log of a vault, and what shows that it is there: **nothing of it is
/// checked** until [`VaultProof::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultProof {
    /// The head of the record's log.
    pub log: LogHead,
    /// From there to the root of the head list.
    pub place: InclusionProof,
    /// The record, in the form that proofs disclose.
    pub record: Vec<u8>,
    /// From there to the root of its log.
    pub inclusion: InclusionProof,
    /// The record of the head list, in the vault's own log, under the vault's checkpoint.
    pub list: TlogProof,
}

impl VaultProof {
    /// The first line of the text.
    pub const FIRST_LINE: &str = "bulla.dev/vault-proof/v1";
    /// The ending of files with it, without the dot.
    pub const FILE_EXTENSION: &str = "bulla-vault-proof";

    /// The text, to be kept in a file.
    pub fn to_text(&self) -> String {
        let mut text =
            format!("{}\nlog {}\n", Self::FIRST_LINE, line::to_base64(self.log.to_bytes()));
        text += &format!("place {}\n", self.place.seq);
        let hashes = |text: &mut String, proof: &InclusionProof| {
            for hash in &proof.hashes {
                *text += &line::to_base64(hash.as_bytes());
                text.push('\n');
            }
        };
        hashes(&mut text, &self.place);
        text += &format!("record {} {}\n", self.inclusion.seq, line::to_base64(&self.record));
        hashes(&mut text, &self.inclusion);
        text.push('\n');
        text + &self.list.to_text()
    }

    /// Reads the text, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says which line is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let text = malformed::text(bytes, "a proof of a vault", 2 * PROOF_LEN_MAX)?;
        let (own, list) = text.split_once("\n\n").ok_or(MalformedProof::NoCheckpoint)?;
        let mut lines = Lines { lines: own.split('\n').zip(1..).peekable(), last: 0 };
        malformed::check_first_line(lines.next().map(|(line, _)| line), Self::FIRST_LINE)?;
        let log = lines.field("log ", "\"log \" and base64", line::base64)?;
        let log = LogHead::parse(&log)?;
        let expected = "\"place \" and a plain decimal number";
        let seq = Seq::new(lines.field("place ", expected, line::decimal)?);
        let place = InclusionProof { seq, hashes: lines.hashes()? };
        let expected = "\"record \", a position, a space and base64";
        let (seq, record) = lines.field("record ", expected, |text| {
            let (seq, record) = text.split_once(' ')?;
            Some((Seq::new(line::decimal(seq)?), line::base64(record)?))
        })?;
        let inclusion = InclusionProof { seq, hashes: lines.hashes()? };
        if let Some((_, number)) = lines.next() {
            return Err(MalformedProof::Line { number, expected: "a hash, or an empty line" });
        }
        let list = TlogProof::parse(list.as_bytes()).map_err(|error| {
            MalformedProof::bytes("the list's proof", "a proof of one record", error)
        })?;
        Ok(VaultProof { log, place, record, inclusion, list })
    }

    /// Checks that the vault signed a head list with this log, and that the record is at its
    /// position in the log. `trust` pins the key of the vault's own log, whose origin ends in
    /// [`VAULT_ORIGIN_SUFFIX`].
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedVaultRecord, VerifyVaultError> {
        let list = self.list.verify_record(trust).map_err(VerifyVaultError::List)?;
        let heads = self.check_list(&list)?;
        let leaf = LIST.leaf(&[&self.log.to_bytes()]);
        self.place.verify(LIST, &leaf, &heads).map_err(VerifyVaultError::Place)?;
        let record = self.open().map_err(VerifyVaultError::Record)?;
        let disclosure = record.1;
        Ok(VerifiedVaultRecord { record: record.0, disclosure, log: self.log.clone(), list })
    }

    /// The list must be one of a vault, and the log one of that vault.
    fn check_list(&self, list: &VerifiedRecord) -> Result<TreeHead, VerifyVaultError> {
        let refuse = |what, expected: &str, found: &str| {
            let (expected, found) = (expected.to_owned(), found.to_owned());
            Err(VerifyVaultError::NotAList { what, expected, found })
        };
        let origin = list.inclusion().checkpoint().origin();
        if !origin.ends_with(VAULT_ORIGIN_SUFFIX) {
            return refuse("the origin of the vault's own log", "…/vault", origin);
        }
        let event = &list.record().event;
        if event.action != VAULT_HEADS_ACTION {
            return refuse("the action of the list's record", VAULT_HEADS_ACTION, &event.action);
        }
        let kind = &event.resource.kind;
        if kind != VAULT_HEADS_KIND {
            return refuse("the resource type of the list's record", VAULT_HEADS_KIND, kind);
        }
        if !LogHead::is_name(&self.log.name) {
            return refuse("the name of the record's log", "one of a log", &self.log.name);
        }
        let expected = format!("{origin}/{}", self.log.name);
        if self.log.origin != expected {
            return refuse("the origin of the record's log", &expected, &self.log.origin);
        }
        let id = event.resource.id.as_deref().unwrap_or_default();
        match parse_resource_id(id) {
            Some(head) => Ok(head),
            None => refuse("the root in the list's record", "a number, a slash and a root", id),
        }
    }

    fn open(&self) -> Result<(Record, Disclosure), VerifyRecordError> {
        let parts = Parts::split(&self.record).map_err(VerifyRecordError::NotARecord)?;
        parts.check_position(self.inclusion.seq)?;
        parts.check_log(Some(self.log.log_id)).map_err(VerifyRecordError::Proof)?;
        let leaf = parts.leaf(self.log.algorithm);
        let included = self.inclusion.verify(self.log.algorithm, &leaf, &self.log.head);
        included.map_err(|error| VerifyRecordError::Proof(VerifyProofError::Inclusion(error)))?;
        // Decoded last: only what the log committed to is worth a look.
        let record = parts.decode(leaf).map_err(VerifyRecordError::NotARecord)?;
        Ok((record, parts.disclosure()))
    }
}

/// The lines before the empty one.
struct Lines<'t, I: Iterator<Item = (&'t str, usize)>> {
    lines: std::iter::Peekable<I>,
    /// The number of the last one that was read.
    last: usize,
}

impl<'t, I: Iterator<Item = (&'t str, usize)>> Lines<'t, I> {
    fn next(&mut self) -> Option<(&'t str, usize)> {
        let (line, number) = self.lines.next()?;
        self.last = number;
        Some((line, number))
    }

    /// The next line, which begins with a word.
    fn field<T>(
        &mut self,
        prefix: &str,
        expected: &'static str,
        read: impl Fn(&'t str) -> Option<T>,
    ) -> Result<T, MalformedProof> {
        let (line, number) = self.next().unwrap_or(("", self.last + 1));
        let field = line.strip_prefix(prefix).and_then(read);
        field.ok_or(MalformedProof::Line { number, expected })
    }

    /// The hashes that follow.
    fn hashes(&mut self) -> Result<Vec<Hash>, MalformedProof> {
        let mut hashes = Vec::new();
        // No hash in base64 has a space, and every other line has one.
        while let Some((line, number)) = self.lines.next_if(|(line, _)| !line.contains(' ')) {
            if hashes.len() == PROOF_HASHES_MAX {
                return Err(MalformedProof::TooMany { what: "hashes", max: PROOF_HASHES_MAX });
            }
            let expected = "the base64 of 32 bytes";
            self.last = number;
            hashes.push(line::base64_hash(line).ok_or(MalformedProof::Line { number, expected })?);
        }
        Ok(hashes)
    }
}

/// A record that was proved to be in a log of a vault. Only [`VaultProof::verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedVaultRecord {
    record: Record,
    disclosure: Disclosure,
    log: LogHead,
    list: VerifiedRecord,
}

impl VerifiedVaultRecord {
    /// The record. If the payload was withheld, its event has only the envelope's fields.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How much was shown.
    pub fn disclosure(&self) -> Disclosure {
        self.disclosure
    }

    /// The log that it is in, as the vault listed it.
    pub fn log(&self) -> &LogHead {
        &self.log
    }

    /// The record of the list in the vault's own log.
    pub fn list(&self) -> &VerifiedRecord {
        &self.list
    }

    /// The vault's checkpoint that covers the list, and who signed it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        self.list.inclusion().checkpoint()
    }
}

/// Why a proof does not show that its record is in a log of the vault.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyVaultError {
    /// The head list is not proved to be in the vault's own log.
    #[error("the head list: {0}")]
    List(#[source] VerifyRecordError),
    /// What is proved there is not a head list of the record's log.
    #[error("{what}: expected {expected}, found {found:?}")]
    NotAList {
        /// What of it.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The log's head is not in the list.
    #[error("the log's head in the list: {0}")]
    Place(#[source] ProofError),
    /// The record is not under the log's head.
    #[error("the record in its log: {0}")]
    Record(#[source] VerifyRecordError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heads(count: usize) -> Vec<LogHead> {
        let head = |n: usize| LogHead {
            name: format!("log-{n:03}"),
            log_id: LogId([7; 16]),
            origin: format!("example.com/audit/vault/log-{n:03}"),
            algorithm: HashAlgorithm::Blake3,
            head: TreeHead {
                size: TreeSize::new(n as u64),
                root: Hash::from_bytes([u8::try_from(n).unwrap(); 32]),
            },
        };
        (0..count).rev().map(head).collect()
    }

    #[test]
    fn every_head_of_a_list_has_its_place_and_no_other_has() {
        for count in [1, 2, 3, 7, 8, 100] {
            let list = HeadList::new(heads(count));
            for head in heads(count) {
                let (placed, path) = list.place(&head.name).unwrap();
                assert_eq!(*placed, head);
                let leaf = LIST.leaf(&[&head.to_bytes()]);
                assert_eq!(path.verify(LIST, &leaf, &list.head()), Ok(()));
                let other = LIST.leaf(&[&LogHead { log_id: LogId([8; 16]), ..head }.to_bytes()]);
                assert!(path.verify(LIST, &other, &list.head()).is_err());
            }
            assert!(list.place("log-999").is_none());
            assert_eq!(parse_resource_id(&list.resource_id()), Some(list.head()));
        }
    }

    #[test]
    fn a_resource_id_has_one_spelling() {
        let root = "0a".repeat(32);
        assert!(parse_resource_id(&format!("3/{root}")).is_some());
        for bad in [format!("03/{root}"), format!("3/{}", root.to_uppercase()), "3/".to_owned()] {
            assert_eq!(parse_resource_id(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn heads_round_trip_and_any_bytes_are_read_or_refused(
            name in ".{0,70}", origin in ".{0,90}", size in any::<u64>(),
            bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..300_usize,
        ) {
            let head = TreeHead { size: TreeSize::new(size), root: Hash::ZERO };
            let algorithm = HashAlgorithm::Sha256;
            let head = LogHead { name, log_id: LogId([1; 16]), origin, algorithm, head };
            let written = head.to_bytes();
            prop_assert_eq!(LogHead::parse(&written), Ok(head));
            if cut < written.len() {
                prop_assert!(LogHead::parse(&written[..cut]).is_err());
            }
            prop_assert!(LogHead::parse(&[&written, &bytes[..bytes.len().min(1)]].concat()).is_ok() == bytes.is_empty());
            let hostile = [MAGIC, &bytes].concat();
            if let Ok(head) = LogHead::parse(&hostile) {
                prop_assert_eq!(head.to_bytes(), hostile);
            }
            let text = [format!("{}\n", VaultProof::FIRST_LINE).as_bytes(), &bytes].concat();
            prop_assert!(VaultProof::parse(&text).is_err());
        }
    }
}
