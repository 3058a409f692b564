//! R-STATE: records that do not follow from what is in force.

use crate::bases::Base;
use crate::cases::{As, By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{int, text, uint};
use crate::forge::segment::Record;
use crate::forge::state::archived;

use As::{Finding, Tampered};
use By::{Open, Read, Verify};

/// All that replay the catalog say it.
macro_rules! all {
    ($says:expr) => {
        &[(Open, Tampered, $says), (Read, Tampered, $says), (Verify, Finding, $says)]
    };
}

pub(crate) const CASES: &[Case] = &[
    Case {
        id: "R-STATE-1",
        what: "an ordinal that does not follow on",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("ordinal", uint(4));
            forge.write()
        },
        expect: all!("the seal of segment 2 from record"),
    },
    Case {
        id: "R-STATE-1",
        what: "a first record that does not follow on",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("first", uint(39));
            forge.write()
        },
        expect: all!("the seal of segment 2 from record"),
    },
    Case {
        id: "R-STATE-1",
        what: "no record",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("count", uint(0));
            forge.write()
        },
        expect: all!("the seal of segment 2 from record"),
    },
    Case {
        id: "R-STATE-1",
        what: "a segment that is sealed already",
        base: Base::Plain,
        forge: |mut forge| {
            let again = fields(forge.sealed(2));
            append(&mut forge, 17, &again);
            forge.write()
        },
        expect: all!("the seal of segment 3 from record"),
    },
    Case {
        id: "R-STATE-2",
        what: "status 1",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("status", vec![1]);
            forge.write()
        },
        expect: all!(
            "status 0 (live) in the seal of segment 2, found status 1, and no drop certificate"
        ),
    },
    Case {
        id: "R-STATE-2",
        what: "status 2",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("status", vec![2]);
            forge.write()
        },
        expect: all!(
            "status 0 (live) in the seal of segment 2, found status 2, and no drop certificate"
        ),
    },
    Case {
        id: "R-STATE-2",
        what: "status 3",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("status", vec![3]);
            forge.write()
        },
        expect: all!(
            "status 0 (live) in the seal of segment 2, found status 3, and no drop certificate"
        ),
    },
    Case {
        id: "R-STATE-2",
        what: "status 4",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("status", vec![4]);
            forge.write()
        },
        expect: all!(
            "status 0 (live) in the seal of segment 2, found status 4, and no drop certificate"
        ),
    },
    Case {
        id: "R-STATE-2",
        what: "status 9",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(2).set("status", vec![9]);
            forge.write()
        },
        expect: all!(
            "status 0 (live) in the seal of segment 2, found status 9, and no drop certificate"
        ),
    },
    Case {
        id: "R-STATE-3",
        what: "a smallest time above the largest",
        base: Base::Plain,
        forge: |mut forge| {
            let times = [int(2), int(1), int(0), int(0)].concat();
            forge.sealed(2).set("times", times);
            forge.write()
        },
        expect: all!("the smallest and the largest times of segment 2"),
    },
    Case {
        id: "R-STATE-4",
        what: "no time to keep it under a policy",
        base: Base::Retention,
        forge: |mut forge| {
            forge.sealed(8).set("keep_until", int(0));
            forge.write()
        },
        expect: all!("or later, by the policy, in the seal of segment 8, found 0"),
    },
    Case {
        id: "R-STATE-4",
        what: "a time to keep it without a policy",
        base: Base::Plain,
        forge: |mut forge| {
            forge.sealed(1).set("keep_until", int(5));
            forge.write()
        },
        expect: all!("as there is no policy, in the seal of segment 1, found 5"),
    },
    Case {
        id: "R-STATE-6",
        what: "a second hold of a case",
        base: Base::Retention,
        forge: |mut forge| {
            let again = fields(forge.catalog_record(32, 0));
            append(&mut forge, 32, &again);
            forge.write()
        },
        expect: all!("a case without a hold in force"),
    },
    Case {
        id: "R-STATE-6",
        what: "the release of a hold that is not in force",
        base: Base::Retention,
        forge: |mut forge| {
            forge.append_catalog(33, &[("case", text("case 8")), ("released_at", int(1))]);
            forge.write()
        },
        expect: all!("a case with a hold in force"),
    },
    Case {
        id: "R-STATE-7",
        what: "a policy that is looser",
        base: Base::Retention,
        forge: |mut forge| {
            let mut policy = fields(forge.catalog_record(34, 0));
            replace(&mut policy, "compliance", vec![1]);
            append(&mut forge, 34, &policy);
            replace(&mut policy, "keep", uint(60));
            append(&mut forge, 34, &policy);
            forge.write()
        },
        expect: all!("no looser than the one in compliance mode"),
    },
    Case {
        id: "R-STATE-8",
        what: "a segment that is gone already",
        base: Base::Retention,
        forge: |mut forge| {
            let again = fields(forge.catalog_record(35, 1));
            append(&mut forge, 35, &again);
            forge.write()
        },
        expect: all!("a drop of a segment as it was sealed"),
    },
    Case {
        id: "R-STATE-8",
        what: "a segment that was not sealed",
        base: Base::Retention,
        forge: |mut forge| {
            let mut other = fields(forge.catalog_record(35, 1));
            replace(&mut other, "ordinal", uint(99));
            append(&mut forge, 35, &other);
            forge.write()
        },
        expect: all!("a drop of a segment as it was sealed, found segment 99"),
    },
    Case {
        id: "R-STATE-8",
        what: "other facts",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("bytes", uint(1));
            forge.write()
        },
        expect: all!("a drop of a segment as it was sealed"),
    },
    Case {
        id: "R-STATE-9",
        what: "another policy",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("policy", uint(0));
            forge.write()
        },
        expect: all!("in the drop certificate of segment 2, found 0"),
    },
    Case {
        id: "R-STATE-9",
        what: "another number of holds",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("holds", uint(0));
            forge.write()
        },
        expect: all!("1 holds in the drop certificate of segment 2, found 0"),
    },
    Case {
        id: "R-STATE-9",
        what: "records that were not compared",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("scanned", uint(0));
            forge.write()
        },
        expect: all!("records compared in the drop certificate of segment 2, found 0"),
    },
    Case {
        id: "R-STATE-9",
        what: "a time to keep it that is too early",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("keep_until", int(1));
            forge.write()
        },
        expect: all!("or later in the drop certificate of segment 2, found 1"),
    },
    Case {
        id: "R-STATE-9",
        what: "before its time",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("now", int(1));
            forge.write()
        },
        expect: all!("or later in the drop certificate of segment 2, found 1"),
    },
    Case {
        id: "R-STATE-10",
        what: "a time from an unknown source",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("now_from", vec![2]);
            forge.write()
        },
        expect: all!("now_from 0 or 1 in the drop certificate of segment 2, found 2"),
    },
    Case {
        id: "R-STATE-11",
        what: "another root before it",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("start_root", vec![7; 32]);
            forge.write()
        },
        expect: all!("start_root"),
    },
    Case {
        id: "R-STATE-11",
        what: "another root before the first segment",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 0).set("start_root", vec![7; 32]);
            forge.write()
        },
        expect: all!("start_root"),
    },
    Case {
        id: "R-STATE-12",
        what: "no copy where the policy asks for one",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("archived", vec![0]);
            forge.write()
        },
        expect: all!(
            "an archived copy, as the policy asks, in the drop certificate of segment 2, found none"
        ),
    },
    Case {
        id: "R-STATE-12",
        what: "a copy that is not recorded",
        base: Base::Retention,
        forge: |mut forge| {
            forge.catalog_record(35, 1).set("archived", archived("elsewhere", [7; 32]));
            forge.write()
        },
        expect: all!("found \"elsewhere\" of digest 0707"),
    },
    Case {
        id: "R-STATE-13",
        what: "the end of a drop that was not begun",
        base: Base::Retention,
        forge: |mut forge| {
            forge.append_catalog(36, &[("ordinal", uint(8)), ("done_at", int(1))]);
            forge.write()
        },
        expect: all!("the end of a drop that was begun, found 8"),
    },
    Case {
        id: "R-STATE-13",
        what: "a drop called off that was not begun",
        base: Base::Retention,
        forge: |mut forge| {
            forge.append_catalog(40, &[("ordinal", uint(8)), ("case", text("case 7"))]);
            forge.write()
        },
        expect: all!("the end of a drop that was begun, found 8"),
    },
    Case {
        id: "R-STATE-13",
        what: "the return of a segment that is here",
        base: Base::Retention,
        forge: |mut forge| {
            let mut back = fields(forge.catalog_record(38, 0));
            replace(&mut back, "ordinal", uint(8));
            append(&mut forge, 38, &back);
            forge.write()
        },
        expect: all!("a dropped segment to restore, found 8"),
    },
    Case {
        id: "R-STATE-14",
        what: "a copy of no segment",
        base: Base::Retention,
        forge: |mut forge| {
            let mut copy = fields(forge.catalog_record(37, 0));
            replace(&mut copy, "ordinal", uint(99));
            append(&mut forge, 37, &copy);
            forge.write()
        },
        expect: all!("a copy of a sealed segment, found segment 99"),
    },
    Case {
        id: "R-STATE-15",
        what: "a drop called off for no hold",
        base: Base::Retention,
        forge: |mut forge| {
            let at = forge.catalog_records().position(|record| record.kind() == 35).unwrap();
            forge.insert_catalog(at + 1, 40, &[("ordinal", uint(1)), ("case", text("none"))]);
            forge.write()
        },
        expect: all!("the case of a hold in force, found \"none\""),
    },
    Case {
        id: "R-STATE-16",
        what: "no key",
        base: Base::Plain,
        forge: |mut forge| {
            forge.append_catalog(39, &erased(vec![0]));
            forge.write()
        },
        expect: all!("1 to 1024 key ids, ascending"),
    },
    Case {
        id: "R-STATE-16",
        what: "keys that do not ascend",
        base: Base::Plain,
        forge: |mut forge| {
            forge.append_catalog(39, &erased([vec![2], vec![2; 16], vec![1; 16]].concat()));
            forge.write()
        },
        expect: all!("1 to 1024 key ids, ascending"),
    },
    Case {
        id: "R-STATE-16",
        what: "one key twice",
        base: Base::Plain,
        forge: |mut forge| {
            forge.append_catalog(39, &erased([vec![2], vec![2; 32]].concat()));
            forge.write()
        },
        expect: all!("1 to 1024 key ids, ascending"),
    },
    Case {
        id: "R-STATE-17",
        what: "another state root",
        base: Base::Plain,
        forge: |mut forge| {
            forge.catalog_record(19, 0).set("state_root", vec![7; 32]);
            forge.write()
        },
        expect: all!("state root of catalog record"),
    },
];

type Fields = Vec<(String, Vec<u8>)>;

/// The fields of a record, without its state root.
fn fields(record: &Record) -> Fields {
    record.fields.iter().filter(|(name, _)| name != "state_root").cloned().collect()
}

fn replace(fields: &mut Fields, name: &str, value: Vec<u8>) {
    fields.iter_mut().find(|(field, _)| field == name).unwrap().1 = value;
}

fn append(forge: &mut Forge, kind: u8, fields: &Fields) {
    let fields: Vec<(&str, Vec<u8>)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    forge.append_catalog(kind, &fields);
}

fn erased(key_ids: Vec<u8>) -> [(&'static str, Vec<u8>); 4] {
    [("erased_at", int(1)), ("key_ids", key_ids), ("size", uint(1)), ("records", uint(1))]
}

#[test]
fn what_does_not_follow_from_what_is_in_force_is_refused() {
    run(CASES);
}

/// A segment that a seal calls gone is in the log, and stays there whoever opens it.
#[test]
fn a_segment_without_a_certificate_is_never_deleted() {
    for status in 1..=9 {
        let base = Base::Plain;
        let mut forge = base.forge();
        forge.snapshot = status % 2 == 0;
        forge.sealed(2).set("status", vec![status]);
        let files = forge.write();
        let disk = files.disk();
        for by in [Open, Read, Verify, Open] {
            assert!(attempt(by, base, &files).is_err(), "{status}: {by:?}");
        }
        let clock = std::sync::Arc::new(bulla::time::ManualClock::at(
            bulla::Timestamp::from_nanos(crate::support::START + 1),
        ));
        for _ in 0..2 {
            let opened = base.options(&disk, &clock).open("/audit");
            assert!(matches!(opened, Err(bulla::Error::Tampered { .. })), "{status}: {opened:?}");
        }
        let name = "audit/segments/00000002.seg";
        let left = disk.read_file(std::path::Path::new("/audit/segments/00000002.seg")).unwrap();
        assert_eq!(left, files.get(name), "{status}");
    }
}
