//! R-KEYS: statements about keys.

use crate::bases::{Base, recovery_key, second_key, third_key};
use crate::cases::{As, By, Case, attempt, run};
use crate::forge::bytes::{as_text, text};
use crate::forge::hashes::Algorithm;
use crate::forge::notes::{Key, base64};
use crate::forge::statements::{digest, head, lines};
use crate::stating::{
    CATALOG, KEY, MAIN, NEXT, PREVIOUS, RECOVERY, REVOKE, ROTATE, WHAT, appended, fourth_key, line,
    line_of, newest, retired, retirement, returning, revoked, rotated, rotated_by, successor,
    with_chain, witness,
};
use crate::support::ORIGIN;

use As::{Finding, Other, Tampered};
use By::{Open, Read, Verify, VerifyProof};

/// Who reads a statement says it.
macro_rules! everyone {
    ($says:expr) => {
        everyone!($says, $says)
    };
    ($says:expr, $of_chain:expr) => {
        &[
            (Open, Tampered, $says),
            (Read, Tampered, $says),
            (Verify, Finding, $says),
            (VerifyProof, Other, $of_chain),
        ]
    };
}

/// Who follows the chain says it.
macro_rules! followers {
    ($says:expr) => {
        &[(Verify, Finding, $says), (VerifyProof, Other, $says)]
    };
}

macro_rules! stated {
    ($id:literal, $what:literal, $forge:expr, $expect:expr) => {
        Case { id: $id, what: $what, base: Base::Keys, forge: $forge, expect: $expect }
    };
}

pub(crate) use stated;

pub(crate) const CASES: &[Case] = &[
    stated!(
        "R-KEYS-1",
        "another first line",
        |forge| rotated(forge, |lines| lines[0] = "bulla.dev/key-statement/v2".to_owned()),
        everyone!("expected in a key statement: bulla.dev/key-statement/v1")
    ),
    stated!(
        "R-KEYS-1",
        "an unknown change",
        |forge| rotated(forge, |lines| lines[WHAT] = "replace 2".to_owned()),
        everyone!("rotate, recovery, revoke or retire, and a number from 1")
    ),
    stated!(
        "R-KEYS-1",
        "the number 0",
        |forge| rotated(forge, |lines| lines[WHAT] = "rotate 0".to_owned()),
        everyone!("rotate, recovery, revoke or retire, and a number from 1")
    ),
    stated!(
        "R-KEYS-1",
        "a number with a zero in front",
        |forge| rotated(forge, |lines| lines[WHAT] = "rotate 02".to_owned()),
        everyone!("rotate, recovery, revoke or retire, and a number from 1")
    ),
    stated!(
        "R-KEYS-1",
        "a missing line",
        |forge| rotated(forge, |lines| drop(lines.remove(CATALOG))),
        everyone!("expected in a key statement: catalog")
    ),
    stated!(
        "R-KEYS-1",
        "a line behind the last one",
        |forge| rotated(forge, |lines| lines.push("more".to_owned())),
        everyone!("nothing after its last line")
    ),
    stated!(
        "R-KEYS-1",
        "a key that is none",
        |forge| rotated(forge, |lines| lines[NEXT] = "next none".to_owned()),
        everyone!("the next line of a key statement")
    ),
    stated!(
        "R-KEYS-2",
        "the key of another origin",
        |forge| {
            let other = Key::new("example.com/other", Algorithm::Sha256, 80);
            rotated_by(forge, &[&other, &second_key()], |lines| lines[KEY] = line("key", &other))
        },
        everyone!("the key that it closes is named as the origin")
    ),
    stated!(
        "R-KEYS-2",
        "the key of a witness",
        |forge| rotated(forge, |lines| lines[KEY] = format!("key {}", witness(&Base::Keys.key()))),
        everyone!("the key that it closes signs heads")
    ),
    stated!(
        "R-KEYS-3",
        "a next key of another name",
        |forge| {
            let other = Key::new("example.com/other", Algorithm::Sha256, 80);
            rotated_by(forge, &[&Base::Keys.key(), &other], |lines| {
                lines[NEXT] = line("next", &other);
            })
        },
        everyone!("the next key has the name and the kind of the one it follows")
    ),
    stated!(
        "R-KEYS-3",
        "a next key of another type",
        |forge| {
            let other = Key::new(ORIGIN, Algorithm::Blake3, 80);
            rotated_by(forge, &[&Base::Keys.key(), &other], |lines| {
                lines[NEXT] = line("next", &other);
            })
        },
        everyone!("the next key has the name and the kind of the one it follows")
    ),
    stated!(
        "R-KEYS-3",
        "a recovery key with the name of the log",
        |mut forge| {
            let other = Key::new(ORIGIN, Algorithm::Sha256, 80);
            forge.state(RECOVERY, &[&Base::Keys.key(), &other], |lines| {
                lines[NEXT] = line("recovery", &other);
            });
            with_chain(forge)
        },
        everyone!("a recovery key is an Ed25519 key named ORIGIN/recovery")
    ),
    stated!(
        "R-KEYS-3",
        "a recovery key of another type",
        |mut forge| {
            let other = Key { algorithm: Algorithm::Blake3, ..recovery_key() };
            forge.state(RECOVERY, &[&Base::Keys.key(), &other], |lines| {
                lines[NEXT] = line("recovery", &other);
            });
            with_chain(forge)
        },
        everyone!("a recovery key is an Ed25519 key named ORIGIN/recovery")
    ),
    stated!(
        "R-KEYS-3",
        "a successor of the same origin",
        |forge| retired(forge, &fourth_key(), |_| ()),
        everyone!("a successor has another origin and a key of the same kind")
    ),
    stated!(
        "R-KEYS-3",
        "a successor of another type",
        |forge| {
            let next = Key { algorithm: Algorithm::Blake3, ..successor() };
            retired(forge, &next, |_| ())
        },
        everyone!("a successor has another origin and a key of the same kind")
    ),
    stated!(
        "R-KEYS-4",
        "a key that is handed over to itself",
        |forge| {
            let key = Base::Keys.key();
            rotated_by(forge, &[&key], |lines| lines[NEXT] = line("next", &Base::Keys.key()))
        },
        everyone!("the key that it introduces is a new one")
    ),
    stated!(
        "R-KEYS-4",
        "a recovery key with the secret of the key",
        |mut forge| {
            let other = Key { seed: Base::Keys.key().seed, ..recovery_key() };
            forge.state(RECOVERY, &[&Base::Keys.key(), &other], |lines| {
                lines[NEXT] = line("recovery", &other);
            });
            with_chain(forge)
        },
        everyone!("the key that it introduces is a new one")
    ),
    stated!(
        "R-KEYS-5",
        "a key that was in use before",
        |mut forge| {
            let first = Base::Keys.key();
            forge.state(REVOKE, &[&recovery_key(), &first], |lines| {
                lines[NEXT] = line("next", &first);
            });
            with_chain(forge)
        },
        followers!("introduces a key that was in use before")
    ),
    stated!(
        "R-KEYS-5",
        "the secret of the recovery key",
        |mut forge| {
            let next = Key { seed: recovery_key().seed, ..third_key() };
            forge.state(REVOKE, &[&recovery_key(), &next], |lines| {
                lines[NEXT] = line("next", &next);
            });
            with_chain(forge)
        },
        followers!("introduces a key that was in use before")
    ),
    stated!(
        "R-KEYS-6",
        "a successor that keeps more than was signed",
        |forge| {
            retired(forge, &successor(), |lines| {
                let main = lines[MAIN].split(' ').nth(1).unwrap().parse::<u64>().unwrap();
                lines[MAIN] = head("main", main - 1);
            })
        },
        everyone!("a successor keeps no more than was signed")
    ),
    stated!(
        "R-KEYS-7",
        "a number that does not follow on",
        |mut forge| {
            let by = [&recovery_key(), &third_key()];
            forge.state(REVOKE, &by, |lines| lines[WHAT] = "revoke 4".to_owned());
            with_chain(forge)
        },
        everyone!("key statement 3, found number 4", "does not follow the one before it")
    ),
    stated!(
        "R-KEYS-8",
        "another statement as the one before",
        |mut forge| {
            forge.state_for_good(ROTATE, &[&Base::Keys.key(), &second_key()], |lines| {
                lines[PREVIOUS] = format!("previous {}", base64(&[7; 32]));
            });
            with_chain(forge)
        },
        followers!("key statement 2 does not follow the one before it")
    ),
    stated!(
        "R-KEYS-8",
        "a statement before the first",
        |mut forge| {
            forge.state_for_good(RECOVERY, &[&Base::Keys.key(), &recovery_key()], |lines| {
                lines[PREVIOUS] = format!("previous {}", base64(&[7; 32]));
            });
            with_chain(forge)
        },
        followers!("key statement 1 does not follow the one before it")
    ),
    stated!(
        "R-KEYS-9",
        "a handover that the old key did not sign",
        |forge| rotated_by(forge, &[&second_key()], |_| ()),
        followers!("expected key statement 2 to be signed by")
    ),
    stated!(
        "R-KEYS-9",
        "a handover that the next key did not sign",
        |forge| rotated_by(forge, &[&Base::Keys.key()], |_| ()),
        followers!("expected key statement 2 to be signed by")
    ),
    stated!(
        "R-KEYS-9",
        "a handover with the signature of another text",
        |mut forge| {
            let first = Base::Keys.key();
            let record = forge.catalog_record(23, ROTATE);
            let note = String::from_utf8(as_text(record.field("note")).into());
            let body = lines(&note.unwrap()).join("\n") + "\n";
            let signatures = [first.signature("another\n"), second_key().signature(&body)];
            record.set("note", text(format!("{body}\n{}", signatures.concat())));
            with_chain(forge)
        },
        followers!("expected key statement 2 to be signed by")
    ),
    stated!(
        "R-KEYS-9",
        "a recovery key that did not agree",
        |mut forge| {
            forge.state(RECOVERY, &[&Base::Keys.key()], |_| ());
            with_chain(forge)
        },
        followers!("expected key statement 1 to be signed by")
    ),
    stated!(
        "R-KEYS-9",
        "another recovery key, without the word of the one before",
        |mut forge| {
            let other = Key { seed: [81; 32], ..recovery_key() };
            let said = appended(&forge, "recovery 4", &third_key(), &line("recovery", &other));
            forge.append_statement(&said, &[&third_key(), &other]);
            with_chain(forge)
        },
        followers!("expected key statement 4 to be signed by")
    ),
    stated!(
        "R-KEYS-9",
        "a revocation by the key itself",
        |mut forge| {
            forge.state(REVOKE, &[&second_key(), &third_key()], |_| ());
            with_chain(forge)
        },
        followers!("expected key statement 3 to be signed by example.com/audit/recovery")
    ),
    stated!(
        "R-KEYS-9",
        "a retirement by the successor alone",
        |mut forge| {
            let said = retirement(&forge, &successor());
            forge.append_statement(&said, &[&successor()]);
            with_chain(forge)
        },
        followers!("expected key statement 4 to be signed by")
    ),
    stated!(
        "R-KEYS-10",
        "a handover of a key that is not the current one",
        |mut forge| {
            let (first, next) = (Base::Keys.key(), fourth_key());
            let said = appended(&forge, "rotate 4", &first, &line("next", &next));
            forge.append_statement(&said, &[&first, &next]);
            with_chain(forge)
        },
        everyone!("a statement about the key", "which is not the current one")
    ),
    stated!(
        "R-KEYS-11",
        "a revocation without a recovery key",
        |mut forge| {
            let named = forge.catalog_records().position(|record| record.kind() == 23).unwrap();
            forge.remove_catalog(named);
            let by = [&Base::Keys.key(), &second_key()];
            forge.state(0, &by, |lines| lines[WHAT] = "rotate 1".to_owned());
            let by = [&recovery_key(), &third_key()];
            forge.state(1, &by, |lines| lines[WHAT] = "revoke 2".to_owned());
            with_chain(forge)
        },
        followers!("is by a recovery key, and none was named before it")
    ),
    stated!(
        "R-KEYS-12",
        "a head of the log below that of the statement before",
        |forge| revoked(forge, |lines| lines[MAIN] = head("main", 3)),
        followers!("the heads in key statement 3 do not continue those before it")
    ),
    stated!(
        "R-KEYS-12",
        "a head of the catalog below that of the statement before",
        |forge| revoked(forge, |lines| lines[CATALOG] = head("catalog", 1)),
        followers!("the heads in key statement 3 do not continue those before it")
    ),
    stated!(
        "R-KEYS-12",
        "a head of the same size with another root",
        |mut forge| {
            let main = line_of(&forge, ROTATE, MAIN);
            let size = main.split(' ').nth(1).unwrap().to_owned();
            forge.state_for_good(REVOKE, &[&recovery_key(), &third_key()], |lines| {
                lines[MAIN] = format!("main {size} {}", base64(&[7; 32]));
            });
            with_chain(forge)
        },
        followers!("the heads in key statement 3 do not continue those before it")
    ),
    stated!(
        "R-KEYS-13",
        "a key that is revoked beyond its end",
        |mut forge| {
            let next = fourth_key();
            let mut said = appended(&forge, "revoke 4", &Base::Keys.key(), &line("next", &next));
            said[MAIN] = head("main", newest(&forge));
            forge.append_statement(&said, &[&recovery_key(), &next]);
            with_chain(forge)
        },
        followers!("the heads in key statement 4 do not continue those before it")
    ),
    stated!(
        "R-KEYS-14",
        "a head that is not the log's",
        |mut forge| {
            let main = line_of(&forge, ROTATE, MAIN);
            let size = main.split(' ').nth(1).unwrap().to_owned();
            forge.state_for_good(ROTATE, &[&Base::Keys.key(), &second_key()], |lines| {
                lines[MAIN] = format!("main {size} {}", base64(&[7; 32]));
            });
            forge.write()
        },
        &[(Verify, Finding, "root over")]
    ),
    stated!(
        "R-KEYS-14",
        "a head that is not the catalog's",
        |mut forge| {
            let catalog = line_of(&forge, ROTATE, CATALOG);
            let size = catalog.split(' ').nth(1).unwrap().to_owned();
            forge.state_for_good(ROTATE, &[&Base::Keys.key(), &second_key()], |lines| {
                lines[CATALOG] = format!("catalog {size} {}", base64(&[7; 32]));
            });
            forge.write()
        },
        &[(Verify, Finding, "signed head of the catalog")]
    ),
    stated!(
        "R-KEYS-14",
        "a head that a successor does not have",
        |mut forge| {
            let mut said = retirement(&forge, &successor());
            let before = forge.catalog_record(23, REVOKE).field("note");
            let before = digest(std::str::from_utf8(as_text(before)).unwrap());
            said[PREVIOUS] = format!("previous {}", base64(&before));
            said[MAIN] = line_of(&forge, REVOKE, MAIN);
            said[CATALOG] = line_of(&forge, REVOKE, CATALOG);
            let size = said[MAIN].split(' ').nth(1).unwrap();
            said[NEXT] = format!("kept {size} {}", base64(&[7; 32]));
            forge.append_statement(&said, &[&third_key(), &successor()]);
            let last = forge.catalog_record(23, REVOKE + 1);
            let note = last.field("note").to_vec();
            last.set("note", note);
            forge.write()
        },
        &[(Verify, Finding, "root over")]
    ),
    stated!(
        "R-KEYS-20",
        "an origin that the log had before",
        |mut forge| {
            let (third, next, back) = (third_key(), successor(), fourth_key());
            let first = retirement(&forge, &next);
            forge.append_statement(&first, &[&third, &next]);
            let second = returning(first, &next, &back);
            forge.append_statement(&second, &[&next, &back]);
            with_chain(forge)
        },
        everyone!(
            "an origin that the log never had",
            "continues under an origin that the log had before"
        )
    ),
];

#[test]
fn what_a_statement_about_keys_must_not_say_is_refused() {
    run(CASES);
}

/// What no log of these has: a retirement, of which the successor's statement would be the next.
#[test]
fn statements_that_are_right_pass() {
    let base = Base::Keys;
    let whole = with_chain(base.forge());
    let retired = retired(base.forge(), &successor(), |_| ());
    for files in [whole, retired] {
        for by in [Open, Read, Verify, VerifyProof] {
            assert_eq!(attempt(by, base, &files), Ok(()), "{by:?}");
        }
    }
}
