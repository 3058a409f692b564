//! R-KEYS: chains of statements, the heads that keys sign, and what is kept beside a key.

use crate::bases::{Base, recovery_key, second_key, third_key};
use crate::cases::{As, By, Case, case, run};
use crate::forge::Forge;
use crate::forge::bytes::text;
use crate::forge::files::Files;
use crate::forge::notes::{Key, base64, from_base64, sign};
use crate::forge::statements::{chain, head, notes_in, stated};
use crate::stating::{
    MAIN, NEXT, ROTATE, appended, chained, endless, fourth_key, line, line_of, retired, rotated_by,
    successor, with_chain,
};
use crate::support::ORIGIN;

use As::{Corrupt, Finding, Other};
use By::{Sign, Verify, VerifyProof};

pub(crate) const CASES: &[Case] = &[
    case!(
        "R-KEYS-15",
        "another first line of a chain",
        Keys,
        |forge| chained(forge, |text| text.replacen("chain/v1", "chain/v2", 1)),
        [(VerifyProof, Other, "expected a key chain")]
    ),
    case!(
        "R-KEYS-15",
        "a chain that ends in an empty line",
        Keys,
        |forge| chained(forge, |text| text + "\n"),
        [(VerifyProof, Other, "expected a key chain")]
    ),
    case!(
        "R-KEYS-15",
        "a statement without signatures",
        Keys,
        |forge| chained(forge, |text| text[..text.rfind("\n\n").unwrap()].to_owned() + "\n"),
        [(VerifyProof, Other, "expected a key chain")]
    ),
    case!(
        "R-KEYS-15",
        "a chain of more than 16 MiB",
        Keys,
        |forge| chained(forge, |text| text + &"x".repeat(16 << 20)),
        [(VerifyProof, Other, "expected a key chain of at most 16777216 bytes")]
    ),
    case!(
        "R-KEYS-15",
        "a chain of more than 10,000 statements",
        Keys,
        |forge| {
            let mut files = forge.write();
            files.put("proofs/log.key-chain", endless(10_001));
            files
        },
        [(VerifyProof, Other, "at most 10000 statements")]
    ),
    case!(
        "R-KEYS-16",
        "a chain that is about no pinned key",
        Keys,
        |forge| {
            let mut files = forge.write();
            files.put("proofs/log.key-chain", endless(1));
            files
        },
        [(VerifyProof, Other, "no statement of the key chain is about a key that you trust")]
    ),
    case!(
        "R-KEYS-17",
        "a chain that goes on as another log with a pinned key",
        Keys,
        |forge| {
            let mut files = retired(forge, &successor(), |_| ());
            files.put("proofs/other.vkey", Key { seed: [82; 32], ..successor() }.vkey());
            files
        },
        [(VerifyProof, Other, "the key chain continues as example.com/audit-2, another log")]
    ),
    case!(
        "R-KEYS-18",
        "a chain in which a key has another successor",
        Keys,
        |forge| {
            let mut files = with_chain(forge.clone());
            let other = fourth_key();
            let files_of_other = rotated_by(forge, &[&Base::Keys.key(), &other], |lines| {
                lines[NEXT] = line("next", &other);
            });
            let other = chain(&notes_in(&files_of_other)[..=ROTATE]);
            files.put("proofs/other.key-chain", other);
            files
        },
        [(VerifyProof, Other, "signed two different successors: somebody else had it")]
    ),
    case!(
        "R-KEYS-18",
        "a chain that is not the one which is known",
        Keys,
        |forge| {
            let mut files = with_chain(forge);
            files.put("proofs/other.key-chain", endless(1));
            files
        },
        [(VerifyProof, Other, "the key chain is not the one that is known")]
    ),
    case!(
        "R-KEYS-19",
        "a head behind the end of its key",
        Keys,
        |forge| with_head(forge, 3, &second_key()),
        [
            (Verify, Finding, "counts for heads of size"),
            (VerifyProof, Other, "counts for heads of size")
        ]
    ),
    case!(
        "R-KEYS-19",
        "a head before the beginning of its key",
        Keys,
        |forge| with_head(forge, 1, &third_key()),
        [
            (Verify, Finding, "counts for heads from size"),
            (VerifyProof, Other, "counts for heads from size")
        ]
    ),
    case!(
        "R-KEYS-19",
        "a head at the border with another root",
        Keys,
        |mut forge| {
            let main = line_of(&forge, ROTATE, MAIN);
            let size: u64 = main.split(' ').nth(1).unwrap().parse().unwrap();
            let note = sign(&format!("{ORIGIN}\n{size}\n{}\n", base64(&[7; 32])), &[&second_key()]);
            forge.files.put(format!("audit/checkpoints/{size:016}.checkpoint"), note.clone());
            let mut files = with_chain(forge);
            // Written as it is, over the one that follows from the records.
            files.put(format!("audit/checkpoints/{size:016}.checkpoint"), note.clone());
            files.put("proofs/a.checkpoint", note);
            files
        },
        [
            (Verify, Finding, "counts for heads of size"),
            (VerifyProof, Other, "counts for heads of size")
        ]
    ),
    case!(
        "R-KEYS-19",
        "a head by a key whose epoch is void",
        Keys,
        |mut forge| {
            let (first, next) = (Base::Keys.key(), fourth_key());
            let mut said = appended(&forge, "revoke 4", &first, &line("next", &next));
            said[MAIN] = line_of(&forge, ROTATE, MAIN);
            forge.append_statement(&said, &[&recovery_key(), &next]);
            let mut files = with_chain(forge);
            let name = files.below("audit/checkpoints/").last().unwrap().to_owned();
            let note = files.get(&name).to_vec();
            files.put("proofs/a.checkpoint", note);
            files
        },
        [(Verify, Finding, "only those by"), (VerifyProof, Other, "expected a signature")]
    ),
    case!(
        "R-KEYS-21",
        "heads beside the key that are none",
        Plain,
        |forge| remembered(forge, |text| format!("0{text}")),
        [(Sign, Corrupt, "a tree size and a root")]
    ),
    case!(
        "R-KEYS-21",
        "something behind the heads beside the key",
        Blake3,
        |forge| remembered(forge, |text| text + "more\n"),
        [(Sign, Corrupt, "a tree size and a root")]
    ),
    case!(
        "R-KEYS-21",
        "the second line of early versions, and no head of the catalog in it",
        Blake3,
        |forge| remembered(forge, |text| text + "catalog 3\n"),
        [(Sign, Corrupt, "a tree size and a root")]
    ),
    case!(
        "R-KEYS-22",
        "a log without the head that its key signed, and the second line of early versions",
        Blake3,
        |forge| {
            remembered(forge, |_| {
                let root = "07".repeat(32);
                format!("500 {root}\ncatalog 3 {root}\n")
            })
        },
        [(Sign, Other, "refused to sign")]
    ),
    case!(
        "R-KEYS-22",
        "a log without the head that its key signed",
        Plain,
        |forge| remembered(forge, |_| format!("500 {}\n", "07".repeat(32))),
        [(Sign, Other, "refused to sign")]
    ),
    case!(
        "R-KEYS-22",
        "a log with another head of that size",
        Plain,
        |forge| remembered(forge, |_| format!("40 {}\n", "07".repeat(32))),
        [(Sign, Other, "refused to sign")]
    ),
    case!(
        "R-KEYS-22",
        "no memory of what the key signed",
        Plain,
        |forge| {
            let mut files = forge.write();
            files.remove("key.heads");
            files
        },
        [(Sign, Other, "which says which, is missing")]
    ),
    case!(
        "R-KEYS-23",
        "a key that has handed over",
        Plain,
        |forge| {
            let (key, next) = (Base::Plain.key(), second_key());
            let mut files = forge.write();
            let said = [
                "bulla.dev/key-statement/v1".to_owned(),
                ORIGIN.to_owned(),
                "rotate 1".to_owned(),
                format!("previous {}", base64(&[0; 32])),
                line("key", &key),
                head("main", 1),
                head("catalog", 1),
                line("next", &next),
            ];
            files.put("key.handover", stated(&said, &[&key, &next]));
            files
        },
        [(Sign, Other, "this key has named its successor and signs nothing more")]
    ),
    case!(
        "R-KEYS-23",
        "a handover that is no signed statement",
        Plain,
        |forge| {
            let mut files = forge.write();
            files.put("key.handover", *b"none\n");
            files
        },
        [(Sign, Corrupt, "a signed statement")]
    ),
    case!(
        "R-KEYS-24",
        "a key file with other words in front",
        Plain,
        |forge| key_file(&forge, |text| text.replacen("PRIVATE", "SECRET", 1)),
        [(Sign, Other, "expected a signing key as PRIVATE+KEY+NAME+ID+BASE64")]
    ),
    case!(
        "R-KEYS-24",
        "a key file with another name",
        Plain,
        |forge| key_file(&forge, |text| text.replacen("example.com/audit", "example.com/other", 1)),
        [(Sign, Other, "for this name and key, found")]
    ),
    case!(
        "R-KEYS-24",
        "a key of an unknown type",
        Plain,
        |forge| {
            key_file(&forge, |text| {
                let (front, secret) = text.rsplit_once('+').unwrap();
                let mut secret = from_base64(secret);
                secret[0] = 9;
                format!("{front}+{}", base64(&secret))
            })
        },
        [(Sign, Other, "expected a type of signatures that is known here, found 0x09")]
    ),
    case!(
        "R-KEYS-24",
        "a secret that is too short",
        Plain,
        |forge| {
            key_file(&forge, |text| {
                let (front, secret) = text.rsplit_once('+').unwrap();
                format!("{front}+{}", base64(&from_base64(secret)[..32]))
            })
        },
        [(Sign, Other, "expected a key of 32 bytes, found 31")]
    ),
];

/// The log as it is, with another file of its key.
fn key_file(forge: &Forge, change: impl Fn(String) -> String) -> Files {
    let mut files = forge.write();
    let text = String::from_utf8(files.get("key").to_vec()).unwrap();
    files.put("key", change(text));
    files
}

/// The log with its n-th head signed by another key, there and as a file.
fn with_head(mut forge: Forge, n: usize, by: &Key) -> Files {
    let names: Vec<String> = forge.files.below("audit/checkpoints/").map(str::to_owned).collect();
    let note = String::from_utf8(forge.files.get(&names[n]).to_vec()).unwrap();
    let body = &note[..note.rfind("\n\n").unwrap() + 1];
    let note = sign(body, &[by]);
    forge.files.put(names[n].clone(), note.clone());
    forge.catalog_record(18, n).derive("note", text(&note));
    let mut files = with_chain(forge);
    let note = files.get(&names[n]).to_vec();
    files.put("proofs/a.checkpoint", note);
    files
}

/// The log as it is, with another memory of what its key signed.
fn remembered(forge: Forge, change: impl Fn(String) -> String) -> Files {
    let mut files = forge.write();
    let heads = String::from_utf8(files.get("key.heads").to_vec()).unwrap();
    files.put("key.heads", change(heads));
    files
}

#[test]
fn a_chain_that_does_not_hold_and_a_key_that_must_not_sign_are_refused() {
    run(CASES);
}
