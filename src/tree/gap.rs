//! Hashes of records that are gone: what the files still have of them, and what the drop
//! certificates say where the files have nothing any more.
//!
//! A certificate has the roots of the largest complete subtrees of what was dropped, so
//! everything above those is known, whatever became of the files. What lies below them only the
//! files had. If they lost it, a rebuild writes 32 zero bytes in its place, which no hash is.
//!
//! ```text
//!            [2,0]              records 0 to 4 were dropped: the certificate has
//!           /     \             the three nodes in brackets, and nothing below
//!        1,0       1,1          them; record 5 is there
//!       /   \     /   \
//!     0,0   0,1 0,2   0,3   [0,4]  0,5
//! ```

use std::fmt;

use super::level::STORED_EVERY;
use crate::error::Result;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId, range_nodes};
use crate::retention::DropCertificate;

/// Hashes that are folded at a time.
const AT_ONCE: u64 = 4_096;

/// Who has the certificates of what was dropped; asked when a hash is not in the files.
pub trait Certificates: fmt::Debug + Send + Sync {
    /// Those of all segments that are gone.
    ///
    /// # Errors
    /// They cannot be read.
    fn all(&self) -> Result<Vec<DropCertificate>>;
}

/// The certificates of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gaps {
    /// By first record.
    certificates: Vec<DropCertificate>,
}

impl Gaps {
    pub(crate) fn new(mut certificates: Vec<DropCertificate>) -> Self {
        certificates.sort_unstable_by_key(|certificate| certificate.start.size);
        Gaps { certificates }
    }

    /// The certificate of the records that a node is over, if they were dropped together.
    pub(super) fn around(&self, node: NodeId) -> Option<&DropCertificate> {
        let first = node.index.checked_shl(node.level.into())?;
        let end = node.index.checked_add(1)?.checked_shl(node.level.into())?;
        let behind = self.certificates.partition_point(|found| found.start.size.get() <= first);
        let found = self.certificates.get(behind.checked_sub(1)?)?;
        (end <= found.end.size.get()).then_some(found)
    }

    /// The hash of a node, if a certificate has it.
    fn node(&self, node: NodeId) -> Option<Hash> {
        let certificate = self.around(node)?;
        let nodes = range_nodes(certificate.start.size.get(), certificate.end.size.get());
        let at = nodes.iter().position(|found| *found == node)?;
        certificate.range.get(at).copied()
    }
}

/// Gives hashes of a stored level that lie side by side; `None` if the file ends before.
pub(crate) type Stored<'a> = &'a dyn Fn(NodeId, u64) -> Result<Option<Vec<Hash>>>;

/// The hash of a complete node: as it is stored, or folded from at most eight of the stored
/// level below; if those are not known, as a certificate has it, or folded from such. `None` if
/// nobody knows it.
pub(crate) fn node(
    algorithm: HashAlgorithm,
    node: NodeId,
    gaps: Option<&Gaps>,
    stored: Stored<'_>,
) -> Result<Option<Hash>> {
    let above = node.level % STORED_EVERY;
    let first = NodeId { level: node.level - above, index: node.index << above };
    let Some(hashes) = stored(first, 1 << above)? else { return Ok(None) };
    if !hashes.contains(&Hash::ZERO) {
        return Ok(fold(algorithm, hashes));
    }
    let Some(gaps) = gaps else { return Ok(None) };
    if let Some(hash) = gaps.node(node) {
        return Ok(Some(hash));
    }
    if above == 0 {
        return Ok(None);
    }
    let below =
        |index| self::node(algorithm, NodeId { level: node.level - 1, index }, Some(gaps), stored);
    let left = node.index << 1;
    let both = below(left)?.zip(below(left | 1)?);
    Ok(both.map(|(left, right)| algorithm.node(&left, &right)))
}

/// The root over a power of two of hashes; `None` of none.
fn fold(algorithm: HashAlgorithm, mut hashes: Vec<Hash>) -> Option<Hash> {
    while hashes.len() > 1 {
        let pairs = hashes.chunks_exact(2);
        hashes = pairs.map(|pair| algorithm.node(&pair[0], &pair[1])).collect();
    }
    hashes.pop()
}

/// Takes what is stored below a node whose hash is known: those hashes that lead up to it are
/// its own. The others are not taken.
pub(crate) struct Below<'a> {
    pub(crate) algorithm: HashAlgorithm,
    pub(crate) stored: Stored<'a>,
}

impl Below<'_> {
    /// Gives each node of the stored levels below, on each level from left to right, with its
    /// hash; or with zeros, if what is stored does not show it.
    pub(crate) fn each(
        &self,
        node: NodeId,
        hash: Hash,
        give: &mut dyn FnMut(NodeId, Hash) -> Result<()>,
    ) -> Result<()> {
        let Some(level) = node.level.checked_sub(1) else { return Ok(()) };
        let level = level - level % STORED_EVERY;
        let apart = node.level - level;
        let (first, count) = (NodeId { level, index: node.index << apart }, 1_u64 << apart);
        let hashes = match hash {
            Hash::ZERO => None,
            hash => self.children(first, count, hash)?,
        };
        for n in 0..count {
            let child = NodeId { level, index: first.index + n };
            let at = usize::try_from(n).ok();
            let hash = at.and_then(|at| hashes.as_ref()?.get(at)).copied().unwrap_or(Hash::ZERO);
            give(child, hash)?;
            self.each(child, hash, give)?;
        }
        Ok(())
    }

    /// The children that fold to a hash: as they are stored, or as they follow from a stored
    /// level further down.
    fn children(&self, first: NodeId, count: u64, hash: Hash) -> Result<Option<Vec<Hash>>> {
        let mut from = first.level;
        loop {
            let each = (0..count).map(|n| NodeId { index: first.index + n, ..first });
            let found = match from == first.level {
                true => (self.stored)(first, count)?,
                false => each.map(|node| self.by_level(node, from)).collect::<Result<_>>()?,
            };
            if let Some(found) = found
                && fold(self.algorithm, found.clone()) == Some(hash)
            {
                return Ok(Some(found));
            }
            match from.checked_sub(STORED_EVERY) {
                Some(lower) => from = lower,
                None => return Ok(None),
            }
        }
    }

    /// A node as a stored level at or below its own has it.
    fn by_level(&self, node: NodeId, level: u8) -> Result<Option<Hash>> {
        let apart = node.level - level;
        let (first, count) = (node.index << apart, 1_u64 << apart);
        let mut frontier = Frontier::new(self.algorithm);
        let mut done = 0;
        while done < count {
            let portion = AT_ONCE.min(count - done);
            let index = first + done;
            let Some(hashes) = (self.stored)(NodeId { level, index }, portion)? else {
                return Ok(None);
            };
            hashes.iter().for_each(|hash| frontier.push(*hash, |_, _| ()));
            done += portion;
        }
        Ok(Some(frontier.root()))
    }
}
