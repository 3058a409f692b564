//! R-CAT-12 and R-STATE-5: the records of the catalog that carry statements about keys.

use crate::bases::{Base, recovery_key, third_key};
use crate::cases::{As, By, Case, run};
use crate::forge::Forge;
use crate::forge::bytes::{text, uint};
use crate::forge::files::Files;
use crate::forge::hashes::Algorithm;
use crate::forge::notes::{Key, sign};
use crate::keys::stated;
use crate::stating::{
    KEY, RECOVERY, REVOKE, ROTATE, WHAT, appended, fourth_key, line, retirement, returning,
    successor,
};
use crate::support::ORIGIN;

use As::{Finding, Tampered};
use By::{Open, Read, Verify};

/// Who reads the catalog says it.
macro_rules! readers {
    ($says:expr) => {
        &[(Open, Tampered, $says), (Read, Tampered, $says), (Verify, Finding, $says)]
    };
}

pub(crate) const CASES: &[Case] = &[
    stated!(
        "R-CAT-12",
        "a note that is no statement",
        |mut forge| {
            let record = forge.catalog_record(23, ROTATE);
            record.set("note", text(sign("something else\n", &[&Base::Keys.key()])));
            forge.write()
        },
        readers!("a key statement")
    ),
    stated!(
        "R-CAT-12",
        "another change",
        |forge| recorded(forge, "change", vec![3]),
        readers!("found change 3")
    ),
    stated!(
        "R-CAT-12",
        "another number",
        |forge| recorded(forge, "number", uint(3)),
        readers!("number 3, statement")
    ),
    stated!(
        "R-CAT-12",
        "the digest of another statement",
        |forge| recorded(forge, "statement", vec![7; 32]),
        readers!("what the statement in it says")
    ),
    stated!(
        "R-CAT-12",
        "another key",
        |forge| recorded(forge, "key", text(third_key().vkey())),
        readers!("what the statement in it says")
    ),
    stated!(
        "R-CAT-12",
        "another key that it introduces",
        |forge| recorded(forge, "introduced", text(fourth_key().vkey())),
        readers!("what the statement in it says")
    ),
    stated!(
        "R-CAT-12",
        "another origin",
        |forge| recorded(forge, "origin", text("example.com/other")),
        readers!("origin \"example.com/other\"")
    ),
    stated!(
        "R-CAT-12",
        "the origin that was retired",
        |mut forge| {
            let said = retirement(&forge, &successor());
            forge.append_statement(&said, &[&third_key(), &successor()]);
            forge.catalog_record(23, 3).set("origin", text(ORIGIN));
            forge.write()
        },
        readers!("found change 4")
    ),
    stated!(
        "R-STATE-5",
        "a number that does not follow on",
        |mut forge| {
            let by = [&recovery_key(), &third_key()];
            forge.state(REVOKE, &by, |lines| lines[WHAT] = "revoke 9".to_owned());
            forge.write()
        },
        readers!("key statement 3, found number 9")
    ),
    stated!(
        "R-STATE-5",
        "a first statement that is not the first",
        |mut forge| {
            let by = [&Base::Keys.key(), &recovery_key()];
            forge.state(RECOVERY, &by, |lines| lines[WHAT] = "recovery 2".to_owned());
            forge.write()
        },
        readers!("key statement 1, found number 2")
    ),
    stated!(
        "R-STATE-5",
        "a first statement about a key that did not sign",
        |mut forge| {
            let stranger = Key { seed: [83; 32], ..Base::Keys.key() };
            forge.state(RECOVERY, &[&stranger, &recovery_key()], |lines| {
                lines[KEY] = line("key", &stranger);
            });
            forge.write()
        },
        readers!("a statement about the key")
    ),
    stated!(
        "R-STATE-5",
        "a statement about a key that is not in force",
        |mut forge| {
            let (first, next) = (Base::Keys.key(), fourth_key());
            let said = appended(&forge, "rotate 4", &first, &line("next", &next));
            forge.append_statement(&said, &[&first, &next]);
            forge.write()
        },
        readers!("a statement about the key")
    ),
    stated!(
        "R-STATE-5",
        "a revocation under an origin that the log never had",
        |mut forge| {
            let other = |seed| Key::new("example.com/other", Algorithm::Sha256, seed);
            let (key, next) = (other(84), other(85));
            let mut said = appended(&forge, "revoke 4", &key, &line("next", &next));
            said[1] = "example.com/other".to_owned();
            forge.append_statement(&said, &[&recovery_key(), &next]);
            forge.write()
        },
        readers!("an origin of the log")
    ),
    stated!(
        "R-STATE-5",
        "a retirement for an origin that the log had",
        |mut forge| {
            let (third, next, back) = (third_key(), successor(), fourth_key());
            let first = retirement(&forge, &next);
            forge.append_statement(&first, &[&third, &next]);
            let second = returning(first, &next, &back);
            forge.append_statement(&second, &[&next, &back]);
            forge.write()
        },
        readers!("an origin that the log never had")
    ),
];

/// A record that says something else than the statement in it.
fn recorded(mut forge: Forge, field: &str, value: Vec<u8>) -> Files {
    forge.catalog_record(23, ROTATE).set(field, value);
    forge.write()
}

#[test]
fn what_a_record_about_keys_must_not_say_is_refused() {
    run(CASES);
}
