//! R-CKPT: published checkpoints.

use crate::bases::Base;
use crate::cases::{As, By, Case, run};
use crate::forge::files::Files;
use crate::forge::hashes::Algorithm;
use crate::forge::notes::{Key, base64, sign};

use As::{Finding, Tampered};
use By::{Open, Read, Verify};

macro_rules! finding {
    ($says:expr) => {
        &[(Verify, Finding, $says)]
    };
}

pub(crate) const CASES: &[Case] = &[
    Case {
        id: "R-CKPT-1",
        what: "a file that is no checkpoint",
        base: Base::Plain,
        forge: |forge| {
            let mut files = forge.write();
            let name = published(&files, 0);
            files.put(name, *b"none\n");
            files
        },
        expect: finding!("expected a signed checkpoint"),
    },
    Case {
        id: "R-CKPT-2",
        what: "another size than the name has",
        base: Base::Plain,
        forge: |forge| {
            let mut files = forge.write();
            let note = files.get(&published(&files, 1)).to_vec();
            let name = published(&files, 0);
            files.put(name, note);
            files
        },
        expect: finding!("as its name says"),
    },
    Case {
        id: "R-CKPT-3",
        what: "another root",
        base: Base::Plain,
        forge: |forge| {
            signed_again(forge.write(), |lines| lines[2] = base64(&[7; 32]), &Base::Plain.key())
        },
        expect: finding!("root over"),
    },
    Case {
        id: "R-CKPT-4",
        what: "the origin of another log",
        base: Base::Plain,
        forge: |forge| {
            let key = Key { name: "example.com/other".to_owned(), ..Base::Plain.key() };
            signed_again(forge.write(), |lines| lines[0] = "example.com/other".to_owned(), &key)
        },
        expect: finding!("origin of the checkpoint"),
    },
    Case {
        id: "R-CKPT-5",
        what: "another text than the one that was recorded",
        base: Base::Plain,
        forge: |forge| {
            signed_again(forge.write(), |lines| lines.push("more".to_owned()), &Base::Plain.key())
        },
        expect: finding!("the note that the catalog recorded"),
    },
    Case {
        id: "R-CKPT-6",
        what: "a signature by a key that the log never had",
        base: Base::Plain,
        forge: |forge| {
            let stranger = Key::new(crate::support::ORIGIN, Algorithm::Sha256, 99);
            signed_again(forge.write(), |_| (), &stranger)
        },
        expect: finding!("a signature by a key of this log"),
    },
    Case {
        id: "R-CKPT-7",
        what: "a head that is newer than what the catalog has",
        base: Base::Plain,
        forge: |forge| {
            let mut files = forge.write();
            let text = format!("{}\n500\n{}\n", crate::support::ORIGIN, base64(&[7; 32]));
            let note = sign(&text, &[&Base::Plain.key()]);
            files.put("audit/checkpoints/0000000000000500.checkpoint", note);
            files
        },
        expect: &[
            (Open, Tampered, "the catalog is older than"),
            (Read, Tampered, "the catalog is older than"),
            (Verify, Finding, "a record of it in the catalog"),
        ],
    },
];

/// The name of the n-th published checkpoint.
fn published(files: &Files, n: usize) -> String {
    let mut names = files.below("audit/checkpoints/");
    names.nth(n).unwrap().to_owned()
}

/// The first published checkpoint with other lines, signed by this key.
fn signed_again(mut files: Files, change: impl FnOnce(&mut Vec<String>), key: &Key) -> Files {
    let name = published(&files, 0);
    let note = String::from_utf8(files.get(&name).to_vec()).unwrap();
    let mut lines: Vec<String> = note.lines().take(3).map(str::to_owned).collect();
    change(&mut lines);
    files.put(name, sign(&(lines.join("\n") + "\n"), &[key]));
    files
}

#[test]
fn what_a_published_checkpoint_must_not_be_is_refused() {
    run(CASES);
}
