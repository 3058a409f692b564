//! Where something was redacted, as records tell it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::event::Redacted;
use crate::event::limits::{REDACTED_PATH_LEN_MAX, REDACTED_PATHS_MAX, REDACTED_RULES_LEN_MAX};

/// Ends a path that would be too long.
const CUT: &str = "…";

/// The places of one event.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// In the order in which they were found.
    paths: Vec<String>,
    /// The same, to look them up.
    known: BTreeSet<String>,
    more: u64,
}

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Those that were told before, and how many more.
    fn told(paths: Vec<String>, more: u64) -> Self {
        let known = paths.iter().cloned().collect();
        Places { paths, known, more }
    }

    /// Notes a place; its path is made only if there is room for it.
    pub(super) fn add<P: AsRef<str> + Into<String>>(&mut self, path: impl FnOnce() -> P) {
        if self.paths.len() >= REDACTED_PATHS_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        let path = path();
        // Known is such as a name that is given twice.
        if !self.known.contains(path.as_ref()) {
            let path = path.into();
            self.known.insert(path.clone());
            self.paths.push(path);
        }
    }

    /// These places behind those that were known before.
    pub(super) fn merged(self, before: Option<Redacted>, rules: &str) -> Redacted {
        let Some(before) = before else {
            return Redacted { rules: rules.to_owned(), paths: self.paths, more: self.more };
        };
        let mut all = Places::told(before.paths, before.more.saturating_add(self.more));
        self.paths.into_iter().for_each(|path| all.add(|| path));
        Redacted { rules: both(before.rules, rules), paths: all.paths, more: all.more }
    }
}

/// Two rule sets, one after the other; of too long a list the newest is kept.
fn both(before: String, rules: &str) -> String {
    if before.is_empty() || before.split(", ").any(|one| one == rules) {
        return if before.is_empty() { rules.to_owned() } else { before };
    }
    let both = format!("{before}, {rules}");
    if both.len() <= REDACTED_RULES_LEN_MAX { both } else { rules.to_owned() }
}

/// A path being written.
#[derive(Debug)]
pub(super) struct Path {
    text: String,
    cut: bool,
}

impl Path {
    /// The path of a field of the event.
    pub(super) fn of(field: &str) -> Self {
        Path { text: field.to_owned(), cut: false }
    }

    /// … of an element of an array in there.
    pub(super) fn element(mut self, at: usize) -> Self {
        self.enter_element(at);
        self
    }

    /// … of what has this name in there.
    pub(super) fn member(mut self, name: &str) -> Self {
        self.enter_member(name);
        self
    }

    fn enter_element(&mut self, at: usize) {
        self.step([at.to_string()]);
    }

    fn enter_member(&mut self, name: &str) {
        self.step(shown(name).map(|shown| match shown.as_str() {
            "~" => "~0".to_owned(),
            "/" => "~1".to_owned(),
            _ => shown,
        }));
    }

    /// Adds a step, whole or not at all.
    fn step(&mut self, parts: impl IntoIterator<Item = String>) {
        let whole = self.text.len();
        let room = REDACTED_PATH_LEN_MAX - "/".len() - CUT.len();
        if self.cut {
            return;
        }
        self.text.push('/');
        for part in parts {
            self.text.push_str(&part);
            if self.text.len() > room {
                self.text.truncate(whole);
                self.cut = true;
                return;
            }
        }
    }

    pub(super) fn end(self) -> String {
        self.told().into_owned()
    }

    fn told(&self) -> Cow<'_, str> {
        match self.cut {
            true => Cow::Owned(format!("{}/{CUT}", self.text)),
            false => Cow::Borrowed(&self.text),
        }
    }
}

/// The path of where a walk is. A step is written once, however many places are behind it.
#[derive(Debug)]
pub(super) struct Walked {
    path: Path,
    /// For each step how long the path was before it. None is taken behind a cut.
    steps: Vec<usize>,
}

impl Walked {
    pub(super) fn from(field: &str) -> Self {
        Walked { path: Path::of(field), steps: Vec::new() }
    }

    /// How many steps are written.
    pub(super) fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing more is told.
    pub(super) fn is_cut(&self) -> bool {
        self.path.cut
    }

    /// Goes back to so many steps.
    pub(super) fn back_to(&mut self, steps: usize) {
        if let Some(len) = self.steps.get(steps) {
            // Only the last step can have been cut.
            self.path.text.truncate(*len);
            self.path.cut = false;
            self.steps.truncate(steps);
        }
    }

    /// A step that is not told.
    pub(super) fn stay(&mut self) {
        self.steps.push(self.path.text.len());
    }

    pub(super) fn element(&mut self, at: usize) {
        self.stay();
        self.path.enter_element(at);
    }

    pub(super) fn member(&mut self, name: &str) {
        self.stay();
        self.path.enter_member(name);
    }

    /// A step whose name is too long to be told.
    pub(super) fn cut(&mut self) {
        self.stay();
        self.path.cut = true;
    }

    pub(super) fn told(&self) -> Cow<'_, str> {
        self.path.told()
    }
}

/// The characters of a text, control characters as escapes.
pub(super) fn shown(text: &str) -> impl Iterator<Item = String> + '_ {
    text.chars().map(|c| match c.is_control() {
        true => c.escape_unicode().collect(),
        false => c.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_and_cut_between_steps() {
        let path = Path::of("details").member("a/b~c").element(3).member("x\u{1b}[\u{9b}").end();
        assert_eq!(path, "details/a~1b~0c/3/x\\u{1b}[\\u{9b}");
        assert_eq!(Path::of("details").member("").end(), "details/");
        let long = "y".repeat(REDACTED_PATH_LEN_MAX);
        assert_eq!(Path::of("d").member("a").member(&long).member("b").end(), "d/a/…");
        let steps = (0..1000).fold(Path::of("d"), |path, _| path.member("abc"));
        let path = steps.end();
        assert!(path.len() <= REDACTED_PATH_LEN_MAX && path.len() > REDACTED_PATH_LEN_MAX - 10);
        assert!(path.ends_with("/abc/…"), "{path}");
    }

    #[test]
    fn places_are_told_once_and_counted_beyond_the_limit() {
        let mut places = Places::default();
        for at in 0..300 {
            places.add(|| format!("a/{}", at / 2));
        }
        assert_eq!((places.paths.len(), places.more), (150, 0));
        for at in 0..300 {
            places.add(|| format!("b/{at}"));
        }
        assert_eq!((places.paths.len(), places.more), (REDACTED_PATHS_MAX, 194));
    }

    #[test]
    fn what_was_known_before_is_kept() {
        let before = |rules: &str| Redacted {
            rules: rules.to_owned(),
            paths: vec!["a".to_owned(), "b".to_owned()],
            more: 2,
        };
        let places = || Places::told(vec!["b".to_owned(), "c".to_owned()], 1);
        let merged = places().merged(Some(before("acme/3")), "bulla/1");
        assert_eq!(merged.rules, "acme/3, bulla/1");
        assert_eq!((merged.paths.concat().as_str(), merged.more), ("abc", 3));
        let merged = places().merged(Some(merged), "acme/3");
        assert_eq!(merged.rules, "acme/3, bulla/1");
        let long = "x".repeat(REDACTED_RULES_LEN_MAX);
        assert_eq!(places().merged(Some(before(&long)), "bulla/1").rules, "bulla/1");
        assert_eq!(places().merged(Some(before("")), "bulla/1").rules, "bulla/1");
    }
}
