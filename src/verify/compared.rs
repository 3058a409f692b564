//! What the records lead to, compared with the catalog, the signed heads and the marks.

use super::report::NOWHERE;
use super::verifier::{MetAnchor, Verifier};
use crate::seq::Seq;

impl Verifier<'_> {
    pub(super) fn compare_catalog(&mut self) {
        let (size, marked) = (self.frontier.size(), self.stored.files.size());
        if size < marked && !self.tree_lost {
            let newest = self.marks.iter().max_by_key(|met| met.mark.generation);
            let ordinal = newest.map_or(1, |met| met.mark.ordinal);
            let path = self.dir.segment(ordinal);
            let expected = format!("{marked} records, which the mark says were durable");
            let place = (Some(ordinal), None, None);
            self.finding(&path, place, "records", expected, format!("{size} records"));
        }
        for (path, head) in self.heads.split_off(self.heads_met) {
            if self.tree_lost {
                break; // reported where it was lost
            }
            let expected = format!("{} records, root {}", head.size, head.root);
            let found = format!("only {} records", self.frontier.size());
            self.finding(&path, NOWHERE, "signed head", expected, found);
        }
        self.check_heads_anchored();
        self.check_drops_anchored();
        self.check_anchors_ascend();
        let anchors = std::mem::take(&mut self.anchors);
        if let Some(newest) = anchors.iter().map(|met| met.anchor.catalog_size).max() {
            self.refresh_catalog(newest);
        }
        for MetAnchor { ordinal, seq, anchor } in &anchors {
            let Some(catalog) = &self.catalog else { break };
            let root = catalog.whole.root_at(anchor.catalog_size);
            let path = self.dir.segment(*ordinal);
            let place = (Some(*ordinal), None, Some(*seq));
            if root == Some(anchor.catalog_root) {
                let before = anchor.catalog_size.last_seq().map(Seq::get).and_then(to_index);
                let state = before.and_then(|at| catalog.facts.state_roots.get(at)).copied();
                if state != Some(anchor.state_root) {
                    let expected = state.map_or("none".to_owned(), |root| root.to_string());
                    let found = anchor.state_root.to_string();
                    self.finding(&path, place, "anchored state", expected, found);
                }
                continue;
            }
            let found = match root {
                Some(root) => root.to_string(),
                None => format!("a catalog of {} records", catalog.whole.size()),
            };
            let expected = format!("root {} at size {}", anchor.catalog_root, anchor.catalog_size);
            self.finding(&path, place, "anchored catalog", expected, found);
        }
        self.anchors = anchors;
    }
}

fn to_index(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}
