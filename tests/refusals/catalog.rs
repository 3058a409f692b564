//! R-CAT: records of the catalog.

use bulla::disk::Disk;

use crate::bases::Base;
use crate::cases::{As, By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{as_text, as_uint, int, long_uint, some, text, uint};
use crate::forge::files::Files;
use crate::forge::hashes::Algorithm;
use crate::forge::notes::Key;
use crate::forge::segment::{Record, Segment};

use As::{Finding, Tampered, Unsupported};
use By::{Open, Read, Verify};

/// What all that read the catalog say.
macro_rules! all {
    ($kind:expr, $says:expr) => {
        &[(Open, $kind, $says), (Read, $kind, $says), (Verify, Finding, $says)]
    };
}
macro_rules! finding {
    ($says:expr) => {
        &[(Verify, Finding, $says)]
    };
}

pub(crate) const CASES: &[Case] = &[
    Case {
        id: "R-CAT-1",
        what: "a second creation, of another origin",
        base: Base::Plain,
        forge: |mut forge| {
            let fields =
                [("origin", text("other")), ("hash_algorithm", vec![1]), ("created_at", int(1))];
            forge.append_catalog(16, &fields);
            forge.write()
        },
        expect: all!(Tampered, "found a second one, of \"other\""),
    },
    Case {
        id: "R-CAT-1",
        what: "a first record that is no creation",
        base: Base::Plain,
        forge: |mut forge| {
            let step = [("expected", int(1)), ("found", int(1)), ("ordinal", uint(1))];
            forge.insert_catalog(0, 21, &step);
            forge.write()
        },
        expect: all!(Tampered, "the record of the log's creation (kind 16), found kind 21"),
    },
    Case {
        id: "R-CAT-2",
        what: "an unknown hash",
        base: Base::Plain,
        forge: |mut forge| {
            forge.catalog_record(16, 0).set("hash_algorithm", vec![3]);
            forge.write()
        },
        expect: all!(Tampered, "hash algorithm 1 (SHA-256) or 2 (BLAKE3), found 3"),
    },
    Case {
        id: "R-CAT-3",
        what: "two records in one frame",
        base: Base::Plain,
        forge: |mut forge| {
            let frames = &mut forge.catalog[0].frames;
            let moved = frames.remove(2).records;
            frames[1].records.extend(moved);
            forge.write()
        },
        expect: all!(Tampered, "a frame of its own, found a frame of 2 records"),
    },
    Case {
        id: "R-CAT-4",
        what: "a hold in a segment of version 1",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog[0].set("format_version", 1_u64);
            forge.write()
        },
        expect: all!(Tampered, "found kind 32 in a segment of version 1"),
    },
    Case {
        id: "R-CAT-4",
        what: "an unknown kind of version 2 in a segment of version 1",
        base: Base::Plain,
        forge: |mut forge| {
            forge.catalog[0].set("format_version", 1_u64);
            forge.append_catalog(200, &[]);
            forge.write()
        },
        expect: all!(Tampered, "found kind 200 in a segment of version 1"),
    },
    Case {
        id: "R-CAT-4",
        what: "how events are protected in a segment of version 2",
        base: Base::Encrypted,
        forge: |mut forge| {
            for segment in &mut forge.catalog {
                segment.set("format_version", 2_u64);
            }
            forge.write()
        },
        expect: all!(Tampered, "found kind 41 in a segment of version 2"),
    },
    Case {
        id: "R-CAT-5",
        what: "a kind of the main log",
        base: Base::Plain,
        forge: |mut forge| {
            forge.append_catalog(200, &[]).set_prefix("kind", 9_u64);
            forge.write()
        },
        expect: all!(Tampered, "kind 16 or above, found 9"),
    },
    Case {
        id: "R-CAT-5",
        what: "bytes behind the last field",
        base: Base::Plain,
        forge: |mut forge| {
            forge.catalog_record(19, 0).trailing = vec![0];
            forge.write()
        },
        expect: all!(Tampered, "found"),
    },
    Case {
        id: "R-CAT-5",
        what: "an integer in more bytes than it needs",
        base: Base::Plain,
        forge: |mut forge| {
            let bytes = as_uint(forge.sealed(1).field("count"));
            forge.sealed(1).set("count", long_uint(bytes));
            forge.write()
        },
        expect: all!(Tampered, "the shortest integers"),
    },
    Case {
        id: "R-CAT-6",
        what: "a payload of one field",
        base: Base::Plain,
        forge: |mut forge| {
            forge.catalog_record(19, 0).set_payload(&[0]);
            forge.write()
        },
        expect: finding!("those of its kind"),
    },
    Case {
        id: "R-CAT-7",
        what: "an older head behind a newer one",
        base: Base::Plain,
        forge: |mut forge| {
            let old = forge.catalog_record(18, 0).clone();
            let fields = ["size", "root", "note"].map(|name| (name, old.field(name).to_vec()));
            forge.append_catalog(18, &fields);
            forge.write()
        },
        expect: all!(Tampered, "a head behind the signed one of size"),
    },
    Case {
        id: "R-CAT-7",
        what: "another root of the same size",
        base: Base::Plain,
        forge: |mut forge| {
            let newest = forge.catalog_record(18, 2).clone();
            let fields = ["size", "root", "note"].map(|name| (name, newest.field(name).to_vec()));
            forge.append_catalog(18, &fields).set("root", vec![7; 32]);
            forge.write()
        },
        expect: all!(Tampered, "a head behind the signed one of size"),
    },
    Case {
        id: "R-CAT-8",
        what: "a note that is none",
        base: Base::Plain,
        forge: |mut forge| {
            let note = as_text(forge.catalog_record(18, 1).field("note")).to_vec();
            let note = String::from_utf8(note).unwrap();
            forge.catalog_record(18, 1).set("note", text(note.replacen('\n', "\n0", 1)));
            forge.write()
        },
        expect: all!(Tampered, "a checkpoint of size 82"),
    },
    Case {
        id: "R-CAT-8",
        what: "the note of another head",
        base: Base::Plain,
        forge: |mut forge| {
            let note = forge.catalog_record(18, 0).field("note").to_vec();
            forge.catalog_record(18, 1).set("note", note);
            forge.write()
        },
        expect: all!(Tampered, "a checkpoint of size 82"),
    },
    Case {
        id: "R-CAT-17",
        what: "the note of another log",
        base: Base::Plain,
        forge: |mut forge| {
            let note = as_text(forge.catalog_record(18, 1).field("note")).to_vec();
            let note = String::from_utf8(note).unwrap();
            let (_, rest) = note.split_once('\n').unwrap();
            forge.catalog_record(18, 1).set("note", text(format!("example.com/other\n{rest}")));
            forge.write()
        },
        expect: finding!("head signed: expected one of"),
    },
    Case {
        id: "R-CAT-9",
        what: "a head before its key",
        base: Base::Plain,
        forge: |mut forge| {
            let at = forge.catalog_records().position(|record| record.kind() == 19).unwrap();
            // The records change places, not their frames.
            let frames = &mut forge.catalog[0].frames;
            let key = std::mem::take(&mut frames[at].records);
            frames[at].records = std::mem::replace(&mut frames[at + 1].records, key);
            forge.write()
        },
        expect: finding!("a signature by a key that was added before"),
    },
    Case {
        id: "R-CAT-9",
        what: "a head by a key that was never added",
        base: Base::Plain,
        forge: |mut forge| {
            let stranger = Key::new(crate::support::ORIGIN, Algorithm::Sha256, 99);
            forge.catalog_record(19, 0).set("vkey", text(stranger.vkey()));
            forge.write()
        },
        expect: finding!("a signature by a key that was added before"),
    },
    Case {
        id: "R-CAT-10",
        what: "a key that is none",
        base: Base::Plain,
        forge: |mut forge| {
            forge.append_catalog(19, &[("vkey", text("none"))]);
            forge.write()
        },
        expect: finding!("key added: expected a verifier key"),
    },
    Case {
        id: "R-CAT-10",
        what: "a key of another log",
        base: Base::Plain,
        forge: |mut forge| {
            let stranger = Key::new("example.com/other", Algorithm::Sha256, 99);
            forge.append_catalog(19, &[("vkey", text(stranger.vkey()))]);
            forge.write()
        },
        expect: finding!("a key of \"example.com/other\""),
    },
    Case {
        id: "R-CAT-11",
        what: "bytes of an unknown stream",
        base: Base::Plain,
        forge: |forge| set_aside(forge, 3, "main-00000001-0.torn"),
        expect: finding!("stream 1 or 2"),
    },
    Case {
        id: "R-CAT-11",
        what: "bytes outside of the quarantine",
        base: Base::Plain,
        forge: |forge| set_aside(forge, 1, "../../key"),
        expect: finding!("the name of a file in `quarantine/`"),
    },
    Case {
        id: "R-CAT-13",
        what: "a scope that cannot be read",
        base: Base::Retention,
        forge: |mut forge| {
            forge.append_catalog(32, &hold("case 9", &[3, 1, 2, 3]));
            forge.write()
        },
        expect: finding!("hold \"case 9\" with a case and a scope that can be read"),
    },
    Case {
        id: "R-CAT-13",
        what: "a case with a control character",
        base: Base::Retention,
        forge: |mut forge| {
            let scope = forge.catalog_record(32, 0).field("scope").to_vec();
            forge.append_catalog(32, &hold("case\n9", &scope));
            forge.write()
        },
        expect: finding!("hold \"case\\n9\" with a case and a scope that can be read"),
    },
    Case {
        id: "R-CAT-14",
        what: "drops without an anchor behind them",
        base: Base::Retention,
        forge: |mut forge| {
            // They bind what was in force before the first certificate.
            let certificate =
                forge.catalog_records().position(|record| record.kind() == 35).unwrap() as u64;
            for segment in &mut forge.main {
                let records = segment.frames.iter_mut().flat_map(|frame| &mut frame.records);
                for record in records.filter(|record| record.kind() == 2) {
                    let size = as_uint(record.field("catalog_size")).min(certificate);
                    record.set("catalog_size", uint(size));
                }
            }
            forge.write()
        },
        expect: finding!("an anchor behind the drop certificate of segment"),
    },
    Case {
        id: "R-CAT-16",
        what: "the drop of the newest segment, and nothing behind it",
        base: Base::Retention,
        forge: drop_the_newest,
        expect: finding!("a segment behind the one that was dropped"),
    },
    Case {
        id: "R-CAT-15",
        what: "an unknown kind that changes what is in force",
        base: Base::Plain,
        forge: |mut forge| {
            forge.append_catalog(200, &[]).set("state_root", vec![7; 32]);
            forge.write()
        },
        expect: all!(Unsupported, "catalog record kind 200, newest known here is 41"),
    },
];

/// The log without its active segment, and with a certificate for the last one before that.
fn drop_the_newest(mut forge: Forge) -> Files {
    let newest = forge.main.pop().unwrap().ordinal - 1;
    let size: u64 = forge.main.iter().map(Segment::count).sum();
    let sealed = forge.sealed(newest).clone();
    let certificate = forge.catalog_record(35, 1).clone();
    let copies = forge.catalog_records().filter(|record| record.kind() == 37);
    let copy = copies.filter(|copy| as_uint(copy.field("ordinal")) == newest).last().unwrap();
    let copy = (as_text(copy.field("location")).to_vec(), copy.field("digest").to_vec());
    let field = |name: &'static str| match name {
        "ordinal" => uint(newest),
        "scanned" => sealed.field("count").to_vec(),
        "keep_until" | "now" => int(i64::MAX),
        "archived" => some([text(&copy.0), copy.1.clone()].concat()),
        "start_root" | "range" | "policy" | "now_from" | "holds" => {
            certificate.field(name).to_vec()
        }
        name => sealed.field(name).to_vec(),
    };
    let names = [
        "ordinal",
        "first",
        "count",
        "bytes",
        "times",
        "start_root",
        "end_root",
        "range",
        "header",
        "index_root",
        "keep_until",
        "policy",
        "now",
        "now_from",
        "holds",
        "scanned",
        "archived",
    ];
    forge.append_catalog(35, &names.map(|name| (name, field(name))));
    forge.append_catalog(36, &[("ordinal", uint(newest)), ("done_at", int(1))]);
    let leaves = forge.leaves();
    let before = usize::try_from(size - as_uint(sealed.field("count"))).unwrap();
    *forge.main.last_mut().unwrap() = Segment::gone(newest, leaves[before..].to_vec());
    let beyond = |record: &Record| record.kind() == 18 && as_uint(record.field("size")) > size;
    let heads: Vec<usize> = (0..forge.catalog_records().count())
        .filter(|at| forge.catalog_records().nth(*at).is_some_and(beyond))
        .collect();
    for at in heads.into_iter().rev() {
        let head = as_uint(forge.catalog_records().nth(at).unwrap().field("size"));
        forge.remove_catalog(at);
        forge.files.remove(&format!("audit/checkpoints/{head:016}.checkpoint"));
    }
    for ordinal in [newest, newest + 1] {
        let name = format!("audit/segments/{ordinal:08}.");
        forge.files.retain(|file| !file.starts_with(&name));
    }
    forge.write()
}

fn hold(case: &str, scope: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [("case", text(case)), ("scope", scope.to_vec()), ("placed_at", int(1)), ("review_by", vec![0])]
}

fn set_aside(mut forge: Forge, stream: u8, file: &str) -> Files {
    let fields = [
        ("stream", vec![stream]),
        ("ordinal", uint(1)),
        ("offset", uint(0)),
        ("len", uint(1)),
        ("file", text(file)),
        ("reason", text("none")),
    ];
    forge.append_catalog(20, &fields);
    let mut files = forge.write();
    if !file.contains('/') {
        files.put(format!("audit/quarantine/{file}"), [1]);
    }
    files
}

#[test]
fn what_a_catalog_record_must_not_say_is_refused() {
    run(CASES);
}

/// It changes nothing, and a newer version may have written it.
#[test]
fn an_unknown_kind_that_changes_nothing_is_kept_and_named() {
    for kind in [22, 24, 31, 63, 255] {
        let base = Base::Plain;
        let mut forge = base.forge();
        forge.append_catalog(kind, &[]).trailing = vec![1, 2, 3];
        let files = forge.write();
        for by in [Open, Read, Verify] {
            assert_eq!(attempt(by, base, &files), Ok(()), "{kind}: {by:?}");
        }
        let disk = files.disk();
        let shared: std::sync::Arc<dyn Disk> = std::sync::Arc::new(disk.clone());
        let options = bulla::VerifyOptions::new().disk(shared).at_rest();
        let report = bulla::verify("/audit".as_ref(), &options, &mut |_| ()).unwrap();
        let named = format!("kind {kind}: written by a newer version, and kept");
        let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.iter().any(|warning| warning.contains(&named)), "{warnings:?}");
        let clock = std::sync::Arc::new(bulla::time::ManualClock::at(
            bulla::Timestamp::from_nanos(crate::support::START),
        ));
        let reader = base.options(&disk, &clock).open_read_only("/audit").unwrap();
        let history = reader.snapshot().catalog().history().unwrap();
        let entry = history.last().unwrap();
        assert!(entry.detail.contains(&format!("kind {kind}")), "{entry:?}");
        assert_eq!(entry.state_root, history[history.len() - 2].state_root);
    }
}

/// `verify` names it, `hold list` shows it, retention refuses, and its release is the way forward.
#[test]
fn a_hold_that_cannot_be_read_stops_retention_until_it_is_released() {
    let base = Base::Retention;
    let mut forge = base.forge();
    forge.append_catalog(32, &hold("case 9", &[3, 1, 2, 3]));
    let disk = forge.write().disk();
    let clock = std::sync::Arc::new(bulla::time::ManualClock::at(bulla::Timestamp::from_nanos(
        crate::support::START + 40 * 24 * 3600 * 1_000_000_000,
    )));
    let log = base.options(&disk, &clock).open("/audit").unwrap();
    let holds = log.snapshot().catalog().holds().unwrap();
    let readable: Vec<bool> = holds.iter().map(|hold| hold.unreadable.is_none()).collect();
    assert_eq!(readable, [true, false], "{holds:?}");
    let options = bulla::ExpireOptions::new().clock_lead(bulla::Period::from_days(100));
    for said in [
        log.snapshot().plan_expiry(&options).unwrap_err(),
        log.retention().expire(&options, &crate::bases::asked()).unwrap_err(),
    ] {
        let said = said.to_string();
        assert!(
            said.contains("the hold of case \"case 9\"") && said.contains("release it"),
            "{said}"
        );
    }
    log.retention().release_hold("case 9", &crate::bases::asked()).unwrap();
    assert!(log.snapshot().plan_expiry(&options).is_ok());
    log.close().unwrap();
}
