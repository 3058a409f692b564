//! What a policy says, once it was read.

use std::fmt;

use crate::checkpoint::VerifyingKey;

/// Which logs and witnesses are known, and how many of the witnesses must have cosigned
/// a checkpoint (c2sp.org/tlog-policy).
///
/// Parses from the text of a policy file, and displays as one, without its comments.
///
/// ```
/// # use bulla::checkpoint::{SignatureKind, SigningKey};
/// # use bulla::witness::Policy;
/// # let key = |name, kind, seed| -> Result<_, bulla::checkpoint::KeyError> {
/// #     Ok(SigningKey::new(name, kind, &[seed; 32])?.verifying_key().clone())
/// # };
/// # let log = key("example.com/audit", SignatureKind::Ed25519, 1)?;
/// # let a = key("witness.example/a", SignatureKind::Ed25519Cosignature, 2)?;
/// # let b = key("witness.example/b", SignatureKind::Ed25519Cosignature, 3)?;
/// let text = format!(
///     "# Both of our machines must have seen it.\n\
///      log {log}\n\
///      witness a {a} https://a.example/witness\n\
///      witness b {b}\n\
///      group ours all a b\n\
///      quorum ours\n"
/// );
/// let policy = Policy::parse(text.as_bytes())?;
/// assert!(!policy.quorum(&[a.clone()]).is_reached());
/// assert!(policy.quorum(&[a, b]).is_reached());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) logs: Vec<PolicyLog>,
    pub(super) witnesses: Vec<Witness>,
    pub(super) groups: Vec<Group>,
    /// `None` when no cosignatures are required.
    pub(super) quorum: Option<Member>,
}

impl Policy {
    /// The known logs: any of them may have signed. Empty if they are known from
    /// elsewhere.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The known witnesses, in the order of the file.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The groups of witnesses, in the order of the file: members come before the
    /// groups they are in.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What must have witnessed a checkpoint; `None` for `quorum none`.
    pub fn required(&self) -> Option<Member> {
        self.quorum
    }

    /// The name of a member of a group, or of the quorum.
    pub fn name_of(&self, member: Member) -> Option<&PolicyName> {
        match member {
            Member::Witness(index) => self.witnesses.get(index).map(Witness::name),
            Member::Group(index) => self.groups.get(index).map(Group::name),
        }
    }
}

/// A log of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    pub(super) key: VerifyingKey,
    pub(super) url: Option<PolicyName>,
}

impl PolicyLog {
    /// Its key, whose name is the log's origin.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Where to reach it, if the policy says so.
    pub fn url(&self) -> Option<&PolicyName> {
        self.url.as_ref()
    }
}

/// A witness of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    pub(super) name: PolicyName,
    pub(super) key: VerifyingKey,
    pub(super) url: Option<PolicyName>,
}

impl Witness {
    /// Its name in this policy; the key has its own.
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// Its key, which is one for cosignatures.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Where to submit checkpoints (its "submission prefix"), if the policy says so.
    pub fn url(&self) -> Option<&PolicyName> {
        self.url.as_ref()
    }
}

/// Witnesses, or groups of them, of which so many must have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub(super) name: PolicyName,
    pub(super) threshold: Threshold,
    pub(super) members: Vec<Member>,
}

impl Group {
    /// Its name in this policy.
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// How many of the members must have witnessed.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The members, at least one; none is a member elsewhere.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The same as a number, from 1 to the number of members.
    pub fn needed(&self) -> usize {
        match self.threshold {
            Threshold::All => self.members.len(),
            Threshold::Any => 1,
            Threshold::AtLeast(count) => count,
        }
    }
}

/// How many members of a group must have witnessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// Every one.
    All,
    /// One.
    Any,
    /// So many: from 1 to the number of members.
    AtLeast(usize),
}

/// A member of a group: the index of a witness or of a group of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Index into [`Policy::witnesses`].
    Witness(usize),
    /// Index into [`Policy::groups`].
    Group(usize),
}

/// A name or URL in a policy: octets other than control characters and spaces. They are
/// usually UTF-8, and shown as that; they are compared octet by octet.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyName(pub(super) Vec<u8>);

impl PolicyName {
    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text, if it is UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}
