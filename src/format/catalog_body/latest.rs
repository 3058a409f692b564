//! The times of the sealed segments, and the latest one up to each: no record is older than a
//! record before it, whatever the clock showed when it was recorded.

use super::codec::decode;
use super::kinds::Sealed;

/// The newest `recorded_at` of each sealed segment, ascending by ordinal. Derived from the state,
/// and kept beside it: each drop certificate of thousands asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Latest(Vec<Newest>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Newest {
    ordinal: u64,
    /// Of its own records.
    own: i64,
    /// Of all segments up to it.
    up_to: i64,
}

impl Latest {
    /// Takes in what a segment's entry is from now on; `None`: there is none.
    pub(super) fn set(&mut self, ordinal: u64, value: Option<&[u8]>) {
        let sealed = value.and_then(|value| decode::<Sealed>(value).ok());
        let own = sealed.map(|sealed| sealed.times[1]);
        let at = self.0.partition_point(|newest| newest.ordinal < ordinal);
        let known = self.0.get(at).filter(|newest| newest.ordinal == ordinal).map(|n| n.own);
        if known == own {
            return; // another status
        }
        if known.is_some() {
            self.0.remove(at);
        }
        if let Some(own) = own {
            self.0.insert(at, Newest { ordinal, own, up_to: own });
        }
        let mut before = at.checked_sub(1).and_then(|at| self.0.get(at)).map(|n| n.up_to);
        for newest in self.0.iter_mut().skip(at) {
            newest.up_to = before.map_or(newest.own, |before| before.max(newest.own));
            before = Some(newest.up_to);
        }
    }

    pub(super) fn up_to(&self, ordinal: u64) -> Option<i64> {
        let end = self.0.partition_point(|newest| newest.ordinal <= ordinal);
        end.checked_sub(1).and_then(|last| self.0.get(last)).map(|newest| newest.up_to)
    }

    pub(super) fn behind(&self, ordinal: u64) -> impl Iterator<Item = i64> {
        let from = self.0.partition_point(|newest| newest.ordinal <= ordinal);
        self.0.iter().skip(from).map(|newest| newest.own)
    }
}
