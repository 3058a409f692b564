//! What the cases of statements about keys have in common.

use crate::bases::{Base, recovery_key, second_key, third_key};
use crate::forge::Forge;
use crate::forge::bytes::{as_text, as_uint};
use crate::forge::files::Files;
use crate::forge::hashes::Algorithm;
use crate::forge::notes::{Key, base64, from_base64};
use crate::forge::statements::{KEYS_CHANGED, chain, digest, head, lines, notes_in, stated};
use crate::support::ORIGIN;

/// Numbers of the statements in the log that is forged, from 0.
pub(crate) const RECOVERY: usize = 0;
pub(crate) const ROTATE: usize = 1;
pub(crate) const REVOKE: usize = 2;

/// Lines of a statement.
pub(crate) const WHAT: usize = 2;
pub(crate) const PREVIOUS: usize = 3;
pub(crate) const KEY: usize = 4;
pub(crate) const MAIN: usize = 5;
pub(crate) const CATALOG: usize = 6;
pub(crate) const NEXT: usize = 7;

const SUCCESSOR: &str = "example.com/audit-2";

/// A key of the log that it never had.
pub(crate) fn fourth_key() -> Key {
    Key::new(ORIGIN, Algorithm::Sha256, 70)
}

/// The key of another origin, for which that of the log is retired.
pub(crate) fn successor() -> Key {
    Key::new(SUCCESSOR, Algorithm::Sha256, 71)
}

/// A line with a key.
pub(crate) fn line(word: &str, key: &Key) -> String {
    format!("{word} {}", key.vkey())
}

/// The public half of a key as that of a witness: with signature type 04.
pub(crate) fn witness(key: &Key) -> String {
    let public = from_base64(key.vkey().splitn(3, '+').last().unwrap())[1..].to_vec();
    let id = crate::forge::hashes::sha256(&[key.name.as_bytes(), b"\n", &[4], &public]);
    let id: String = id[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}+{id}+{}", key.name, base64(&[&[4], &public[..]].concat()))
}

/// A line of the n-th statement.
pub(crate) fn line_of(forge: &Forge, n: usize, at: usize) -> String {
    let mut stated = forge.catalog_records().filter(|record| record.kind() == KEYS_CHANGED);
    let note = as_text(stated.nth(n).unwrap().field("note")).to_vec();
    lines(&String::from_utf8(note).unwrap())[at].clone()
}

/// Size of the newest signed head.
pub(crate) fn newest(forge: &Forge) -> u64 {
    let heads = forge.catalog_records().filter(|record| record.kind() == 18);
    as_uint(heads.last().unwrap().field("size"))
}

/// The log, and the chain of its keys beside it.
pub(crate) fn with_chain(forge: Forge) -> Files {
    let mut files = forge.write();
    let notes = notes_in(&files);
    files.put("proofs/log.key-chain", chain(&notes));
    files
}

/// The log with another text of its chain.
pub(crate) fn chained(forge: Forge, change: impl Fn(String) -> String) -> Files {
    let mut files = with_chain(forge);
    let text = String::from_utf8(files.get("proofs/log.key-chain").to_vec()).unwrap();
    files.put("proofs/log.key-chain", change(text));
    files
}

/// The log with another handover from the first key to the second.
pub(crate) fn rotated(forge: Forge, change: impl FnOnce(&mut Vec<String>)) -> Files {
    rotated_by(forge, &[&Base::Keys.key(), &second_key()], change)
}

/// The same, signed by these keys.
pub(crate) fn rotated_by(
    mut forge: Forge,
    by: &[&Key],
    change: impl FnOnce(&mut Vec<String>),
) -> Files {
    forge.state(ROTATE, by, change);
    with_chain(forge)
}

/// The log with another revocation of the second key.
pub(crate) fn revoked(mut forge: Forge, change: impl FnOnce(&mut Vec<String>)) -> Files {
    forge.state(REVOKE, &[&recovery_key(), &third_key()], change);
    with_chain(forge)
}

/// The lines of a statement behind those of the log.
pub(crate) fn appended(forge: &Forge, what: &str, key: &Key, introduced: &str) -> Vec<String> {
    vec![
        "bulla.dev/key-statement/v1".to_owned(),
        ORIGIN.to_owned(),
        what.to_owned(),
        format!("previous {}", base64(&[0; 32])),
        line("key", key),
        head("main", newest(forge)),
        head("catalog", forge.catalog_records().count() as u64),
        introduced.to_owned(),
    ]
}

/// The lines of a statement by which the log goes on under another origin.
pub(crate) fn retirement(forge: &Forge, next: &Key) -> Vec<String> {
    let mut said = appended(forge, "retire 4", &third_key(), &head("kept", newest(forge)));
    said.push(line("next", next));
    said
}

/// The next one, by which it goes back to the origin that it had before.
pub(crate) fn returning(mut said: Vec<String>, key: &Key, back: &Key) -> Vec<String> {
    SUCCESSOR.clone_into(&mut said[1]);
    "retire 5".clone_into(&mut said[WHAT]);
    said[KEY] = line("key", key);
    said[NEXT + 1] = line("next", back);
    said
}

/// The log that goes on under another origin.
pub(crate) fn retired(
    mut forge: Forge,
    next: &Key,
    change: impl FnOnce(&mut Vec<String>),
) -> Files {
    let mut said = retirement(&forge, next);
    change(&mut said);
    forge.append_statement(&said, &[&third_key(), next]);
    with_chain(forge)
}

/// A chain of so many statements by which strangers hand over to one another. Nobody looks at
/// their signatures before their number.
pub(crate) fn endless(count: u64) -> String {
    let keys = [90, 91].map(|seed| Key::new(ORIGIN, Algorithm::Sha256, seed));
    let lines = keys.each_ref().map(|key| [line("key", key), line("next", key)]);
    let signature = keys[0].signature("the same under all of them\n");
    let mut previous = [0; 32];
    let mut notes = Vec::new();
    for number in 1..=count {
        let turn = usize::try_from(number % 2).unwrap();
        let said = [
            "bulla.dev/key-statement/v1".to_owned(),
            ORIGIN.to_owned(),
            format!("rotate {number}"),
            format!("previous {}", base64(&previous)),
            lines[turn][0].clone(),
            head("main", number),
            head("catalog", number),
            lines[1 - turn][1].clone(),
        ];
        let note = stated(&said, &[]) + &signature;
        previous = digest(&note);
        notes.push(note);
    }
    chain(&notes)
}
