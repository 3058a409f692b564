//! The further resources of an event, gathered as its source names them.

use std::collections::HashSet;

use bulla::event::limits::TARGETS_MAX;
use bulla::event::{Resource, Target};

/// Targets in the order in which they were found, each once, without the main resource.
///
/// One more than an event may have is kept, so that [`fit`](super::fit) says that there were more;
/// so memory is bounded whatever a source names.
pub(crate) struct Targets<'r> {
    main: &'r Resource,
    seen: HashSet<Target>,
    found: Vec<Target>,
}

impl<'r> Targets<'r> {
    /// None yet, of an event with this main resource.
    pub(crate) fn besides(main: &'r Resource) -> Self {
        Targets { main, seen: HashSet::new(), found: Vec::new() }
    }

    /// Adds one. Without an id it identifies nothing, and the main resource is found already.
    pub(crate) fn add(&mut self, target: Target) {
        let is_main = self.main.kind == target.kind && self.is_id_of_main(&target.id);
        let is_wanted = !self.is_full() && !target.id.is_empty() && !is_main;
        if is_wanted && self.seen.insert(target.clone()) {
            self.found.push(target);
        }
    }

    /// Whether the main resource has this id, of whatever type it is.
    pub(crate) fn is_id_of_main(&self, id: &str) -> bool {
        self.main.id.as_deref() == Some(id)
    }

    /// Whether no more are kept.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() > TARGETS_MAX
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<Target> {
        self.found
    }
}

impl Extend<Target> for Targets<'_> {
    fn extend<T: IntoIterator<Item = Target>>(&mut self, targets: T) {
        for target in targets {
            if self.is_full() {
                break;
            }
            self.add(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_once_and_the_main_resource_is_none() {
        let main = Resource::new("file", "/a");
        let mut targets = Targets::besides(&main);
        let given = [
            Target::new("file", "/a").role("create"),
            Target::new("file", "/b"),
            Target::new("file", ""),
            Target::new("file", "/b"),
            Target::new("file", "/b").role("delete"),
            Target::new("directory", "/a"),
        ];
        targets.extend(given.clone());
        let [_, plain, _, _, in_role, other] = given;
        assert_eq!(targets.into_vec(), [plain, in_role, other]);
    }

    #[test]
    fn no_more_are_held_than_show_that_there_are_too_many() {
        let main = Resource::kind_only("host");
        let mut targets = Targets::besides(&main);
        targets.extend((0..10 * TARGETS_MAX).map(|n| Target::new("host", n.to_string())));
        assert!(targets.is_full());
        assert_eq!(targets.into_vec().len(), TARGETS_MAX + 1);
    }
}
