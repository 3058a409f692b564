//! What changes in a text, collected before any of it is written.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Parts of a text with what takes their place, ascending; they do not overlap.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: Vec<(Range<usize>, Cow<'static, str>)>,
}

impl Edits {
    pub(super) fn replace(&mut self, range: Range<usize>, with: &'static str) {
        self.edits.push((range, Cow::Borrowed(with)));
    }

    /// A place where something may be put in by [`Edits::fill`], and its number.
    fn gap(&mut self, at: usize) -> usize {
        self.edits.push((at..at, Cow::Borrowed("")));
        self.edits.len() - 1
    }

    fn fill(&mut self, gap: usize, with: String) {
        if let Some((_, text)) = self.edits.get_mut(gap) {
            *text = Cow::Owned(with);
        }
    }

    /// The text with all of it; `None` if nothing changes.
    pub(super) fn applied(self, text: &str) -> Option<String> {
        if self.edits.is_empty() {
            return None;
        }
        let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
        for (range, with) in self.edits {
            out.push_str(text.get(copied..range.start).unwrap_or_default());
            out.push_str(&with);
            copied = range.end;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some(out)
    }
}

/// Names of the objects that are open which contain [`REDACTED`](super::REDACTED): two that
/// were told apart may have become the same. Then the later ones are numbered, or else most
/// readers would see the last of them only.
#[derive(Debug, Default)]
pub(super) struct Renamed {
    /// By depth, ascending.
    names: Vec<Name>,
}

#[derive(Debug)]
struct Name {
    /// How many objects and arrays are around it.
    depth: usize,
    /// As it is now, without a number.
    text: String,
    /// Where its number goes, if it was changed. Others stay as they were given.
    gap: Option<usize>,
}

impl Renamed {
    /// A name that was changed, and ends here.
    pub(super) fn changed(&mut self, depth: usize, text: String, end: usize, edits: &mut Edits) {
        self.names.push(Name { depth, text, gap: Some(edits.gap(end)) });
    }

    /// A name that was given like this.
    pub(super) fn given(&mut self, depth: usize, text: &str) {
        self.names.push(Name { depth, text: text.to_owned(), gap: None });
    }

    /// All names of the object of this depth are known.
    pub(super) fn close(&mut self, depth: usize, edits: &mut Edits) {
        let from = self.names.partition_point(|name| name.depth < depth);
        if from < self.names.len() {
            number(&self.names.split_off(from), edits);
        }
    }
}

fn number(names: &[Name], edits: &mut Edits) {
    let given = names.iter().filter(|name| name.gap.is_none());
    let mut taken: HashSet<Cow<'_, str>> =
        given.map(|name| Cow::Borrowed(name.text.as_str())).collect();
    // Where the search for a free number goes on: so each is tried once.
    let mut next: HashMap<&str, u64> = HashMap::new();
    for name in names {
        let Some(gap) = name.gap else { continue };
        if taken.insert(Cow::Borrowed(&name.text)) {
            continue;
        }
        let next = next.entry(&name.text).or_insert(2);
        while !taken.insert(Cow::Owned(format!("{}~{next}", name.text))) {
            *next = next.saturating_add(1);
        }
        edits.fill(gap, format!("~{next}"));
    }
}
