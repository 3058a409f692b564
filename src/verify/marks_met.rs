//! Marks, compared with what the walk over the segments finds at their places.

use super::marks::MetMark;
use super::verifier::Verifier;
use crate::format::names;
use crate::merkle::TreeHead;
use crate::segment::bytes::SegmentFile;
use crate::segment::scan::Position;
use crate::seq::TreeSize;

impl Verifier<'_> {
    /// Compares a mark with what stands at its place, when the walk comes there.
    pub(super) fn meet_marks(&mut self, segment: &SegmentFile, at: Position) {
        let here = (segment.header.ordinal, at.offset);
        let (mut wrong, mut fits) = (Vec::new(), false);
        for met in &mut self.marks {
            let mark = &met.mark;
            if (mark.ordinal, mark.offset) != here || met.met {
                continue;
            }
            met.met = true;
            if self.lost || self.tree_lost || self.frontier.size() != at.size {
                continue; // reported already
            }
            let (times, mut found) = (&self.times, Vec::new());
            let mut check = |what: &str, same: bool| {
                if !same {
                    found.push(what.to_owned());
                }
            };
            check("nonce", mark.nonce == segment.header.nonce);
            let head = TreeHead { size: mark.frontier.size(), root: mark.frontier.root() };
            check("size and peaks", head == self.frontier.head());
            fits |= head == self.frontier.head();
            if head.size > segment.header.first {
                check("newest time", mark.last_recorded_at == times.recorded.1);
                check("first time", mark.recorded_min == times.recorded.0);
                check("times of events", mark.occurred == times.occurred);
            }
            check("newest anchor", mark.last_anchor == self.last_anchor);
            wrong.extend(found.into_iter().map(|what| (met.slot, what)));
        }
        if fits {
            self.resolve(true);
        }
        for (slot, what) in wrong {
            let path = self.dir.tree().join(names::MARK);
            let expected = "what the records before it lead to";
            let place = (None, Some(slot), None);
            self.finding(&path, place, &format!("mark: {what}"), expected, "something else");
        }
    }

    /// A mark that no walk came by.
    pub(super) fn check_marks_met(&mut self) {
        let size: TreeSize = self.frontier.size();
        let reached = |met: &&MetMark| !met.met && met.mark.frontier.size() <= size;
        let missed: Vec<MetMark> = self.marks.iter().filter(reached).cloned().collect();
        for MetMark { mark, slot, .. } in missed {
            // It was met unless records that it stands behind are gone, or were not read.
            let lossy = self.lossy.contains(&mark.ordinal);
            let skipped = self.not_read.is_some_and(|not_read| mark.ordinal <= not_read.segments);
            let dropped = self.gaps.iter().any(|gap| gap.ordinal == mark.ordinal);
            if self.tree_lost || lossy || skipped || dropped {
                continue;
            }
            let path = self.dir.tree().join(names::MARK);
            let expected = format!("the end of a frame of segment {}", mark.ordinal);
            let found = format!("offset {}, where none ends", mark.offset);
            self.finding(&path, (None, Some(slot), None), "mark", expected, found);
        }
    }
}
