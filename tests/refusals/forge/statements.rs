//! Statements about keys, and chains of them.

use super::Forge;
use super::bytes::{as_text, text, uint};
use super::files::Files;
use super::hashes::{Hash, sha256};
use super::notes::{Key, base64, sign};

/// Kind of the records that carry them.
pub(crate) const KEYS_CHANGED: u8 = 23;

/// The text of a note; all of what is none.
fn signed_text(note: &str) -> &str {
    note.rfind("\n\n").map_or(note, |at| &note[..=at])
}

/// The lines of a statement's text.
pub(crate) fn lines(note: &str) -> Vec<String> {
    signed_text(note).lines().map(str::to_owned).collect()
}

/// A statement of these lines, signed by these keys.
pub(crate) fn stated(lines: &[String], by: &[&Key]) -> String {
    sign(&(lines.join("\n") + "\n"), by)
}

/// By what the next statement names this one.
pub(crate) fn digest(note: &str) -> Hash {
    sha256(&[signed_text(note).as_bytes()])
}

/// The particulars that a record has beside the statement, as far as it has lines for them.
pub(crate) fn particulars(note: &str) -> Vec<(&'static str, Vec<u8>)> {
    let lines = lines(note);
    let key = lines.iter().find_map(|line| line.strip_prefix("key "));
    let mut found = Vec::new();
    let kinds = ["rotate", "recovery", "revoke", "retire"];
    let what = lines.get(2).and_then(|line| line.split_once(' ')).unwrap_or_default();
    if let Some(change) = kinds.iter().position(|kind| *kind == what.0) {
        found.push(("change", vec![u8::try_from(change).unwrap() + 1]));
    }
    found.extend(what.1.parse().ok().map(|number| ("number", uint(number))));
    found.extend(key.map(|key| ("key", text(key))));
    let mut named = lines.iter().skip(3);
    let introduced = named
        .find_map(|line| line.strip_prefix("next ").or_else(|| line.strip_prefix("recovery ")));
    if let Some(introduced) = introduced {
        let successor = introduced.split('+').next().unwrap();
        let origin = if what.0 == "retire" { successor } else { &lines[1] };
        found.push(("origin", text(origin)));
        found.push(("introduced", text(introduced)));
    }
    found
}

/// The text of a chain.
pub(crate) fn chain(notes: &[String]) -> String {
    let notes = notes.iter().map(|note| format!("\n{note}"));
    std::iter::once("bulla.dev/key-chain/v1\n".to_owned()).chain(notes).collect()
}

/// The statements in the catalog of a log.
pub(crate) fn notes_in(files: &Files) -> Vec<String> {
    let forge = Forge::read(files, &[]);
    let stated = forge.catalog_records().filter(|record| record.kind() == KEYS_CHANGED);
    let note = |note: &[u8]| String::from_utf8(as_text(note).to_vec()).unwrap();
    stated.map(|record| note(record.field("note"))).collect()
}

impl Forge {
    /// Changes the lines of the n-th statement, which these keys sign then. What follows from the
    /// rest of the log is made when it is written.
    pub(crate) fn state(&mut self, n: usize, by: &[&Key], change: impl FnOnce(&mut Vec<String>)) {
        self.keys.extend(by.iter().map(|key| (*key).clone()));
        let record = self.catalog_record(KEYS_CHANGED, n);
        let note = String::from_utf8(as_text(record.field("note")).to_vec()).unwrap();
        let mut lines = lines(&note);
        change(&mut lines);
        record.derive("note", text(stated(&lines, by)));
    }

    /// The same, and its lines stay as they are then.
    pub(crate) fn state_for_good(
        &mut self,
        n: usize,
        by: &[&Key],
        change: impl FnOnce(&mut Vec<String>),
    ) {
        self.state(n, by, change);
        let record = self.catalog_record(KEYS_CHANGED, n);
        let note = record.field("note").to_vec();
        record.set("note", note);
    }

    /// A statement of these lines behind all others.
    pub(crate) fn append_statement(&mut self, lines: &[String], by: &[&Key]) {
        self.keys.extend(by.iter().map(|key| (*key).clone()));
        let note = text(stated(lines, by));
        let placeholders = [
            ("change", vec![1]),
            ("number", uint(1)),
            ("statement", vec![0; 32]),
            ("key", text("")),
            ("introduced", text("")),
            ("origin", text("")),
            ("note", note),
        ];
        self.append_catalog(KEYS_CHANGED, &placeholders);
    }
}

/// A line that names a head, of which the root is made when the log is written.
pub(crate) fn head(word: &str, size: u64) -> String {
    format!("{word} {size} {}", base64(&[0; 32]))
}
