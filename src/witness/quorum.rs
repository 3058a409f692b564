//! Whether enough witnesses have cosigned.

use super::policy::{Group, Member, Policy, Witness};
use crate::checkpoint::VerifyingKey;

/// Who of a policy's witnesses cosigned, and whether these are enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum<'p> {
    reached: bool,
    cosigned: Vec<&'p Witness>,
    missing: Vec<&'p Witness>,
}

impl<'p> Quorum<'p> {
    /// Whether these cosignatures are what the policy requires.
    pub fn is_reached(&self) -> bool {
        self.reached
    }

    /// The policy's witnesses that cosigned.
    pub fn cosigned(&self) -> &[&'p Witness] {
        &self.cosigned
    }

    /// The policy's witnesses that count towards the quorum and did not cosign. Not all
    /// of them need to.
    pub fn missing(&self) -> &[&'p Witness] {
        &self.missing
    }
}

impl Policy {
    /// Counts the witnesses with these keys. The keys are those of checked
    /// cosignatures: see [`VerifiedCheckpoint::cosignatures`].
    ///
    /// [`VerifiedCheckpoint::cosignatures`]: crate::checkpoint::VerifiedCheckpoint::cosignatures
    pub fn quorum(&self, cosigners: &[VerifyingKey]) -> Quorum<'_> {
        let cosigned: Vec<bool> =
            self.witnesses.iter().map(|witness| cosigners.contains(&witness.key)).collect();
        let counted = self.counted();
        let with = |wanted: bool| {
            let pairs = self.witnesses.iter().zip(cosigned.iter().zip(&counted));
            pairs.filter(move |(_, (cosigned, counts))| match wanted {
                true => **cosigned,
                false => !**cosigned && **counts,
            })
        };
        Quorum {
            reached: self.is_reached(&cosigned),
            cosigned: with(true).map(|(witness, _)| witness).collect(),
            missing: with(false).map(|(witness, _)| witness).collect(),
        }
    }

    /// Members stand before their groups, so that one pass decides every group.
    fn is_reached(&self, cosigned: &[bool]) -> bool {
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let witnessed = |member: &&Member| has_witnessed(**member, cosigned, &groups);
            let reached = group.members.iter().filter(witnessed).count() >= group.needed();
            groups.push(reached);
        }
        self.quorum.is_none_or(|member| has_witnessed(member, cosigned, &groups))
    }

    /// Which witnesses stand somewhere under the quorum. Groups stand after their
    /// members, so that one pass backwards finds them.
    fn counted(&self) -> Vec<bool> {
        let mut witnesses = vec![false; self.witnesses.len()];
        let mut groups = vec![false; self.groups.len()];
        let mut count = |member: Member, groups: &mut Vec<bool>| match member {
            Member::Witness(index) => set(&mut witnesses, index),
            Member::Group(index) => set(groups, index),
        };
        if let Some(member) = self.quorum {
            count(member, &mut groups);
        }
        for (index, Group { members, .. }) in self.groups.iter().enumerate().rev() {
            if groups.get(index) == Some(&true) {
                members.iter().for_each(|member| count(*member, &mut groups));
            }
        }
        witnesses
    }
}

fn has_witnessed(member: Member, witnesses: &[bool], groups: &[bool]) -> bool {
    let found = match member {
        Member::Witness(index) => witnesses.get(index),
        Member::Group(index) => groups.get(index),
    };
    found == Some(&true)
}

fn set(flags: &mut [bool], index: usize) {
    if let Some(flag) = flags.get_mut(index) {
        *flag = true;
    }
}
