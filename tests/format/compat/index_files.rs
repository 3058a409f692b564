//! Index files: the same records give the same bytes as ever.

use std::path::{Path, PathBuf};

use bulla::event::RecordKind;
use bulla::internals::index::{
    CommittedIndex as _, IndexFile, PostingList, SegmentIndex as _, Tail, encode,
};
use bulla::internals::terms::{Field, Scope};
use bulla::query::Subject;
use bulla::{Actor, Event, LogId, Outcome, Resource, Timestamp, TreeSize};

use super::{added_event, full_event, hostile_added_event, hostile_event, plain_event, start};

/// The golden bytes of an index file; these ones, written, if `BULLA_WRITE_GOLDEN` names a directory.
fn golden(version: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    let dir = if let Some(root) = std::env::var_os("BULLA_WRITE_GOLDEN") {
        let dir = PathBuf::from(root).join("index");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(name), bytes).unwrap();
        dir
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version).join("index")
    };
    std::fs::read(dir.join(name)).unwrap()
}

/// Records that give an index every form of list, table and body.
fn indexed() -> Tail {
    let mut tail = Tail::default();
    for n in 0..1_200_i64 {
        let recorded = Timestamp::from_nanos(start().as_nanos() + n / 2 * 1_500);
        if n % 400 == 399 {
            tail.add(RecordKind::Anchor, recorded, &Subject::of_anchor(recorded));
            continue;
        }
        let number = u64::try_from(n).unwrap();
        let resource = match n % 3 {
            0 => Resource::kind_only("report"),
            _ => Resource::new("invoice", format!("{}", n / 40)),
        };
        let occurred = Timestamp::from_nanos((n * 7_919 % 1_200 - 600) * 1_000_000_000);
        let mut event = Event::new(Actor::new("user", format!("user-{}", n % 71)), "x", resource)
            .occurred_at(occurred)
            .tenant(format!("tenant-{}", n % 9))
            .outcome(Outcome::ALL[usize::from(n % 11 == 0)]);
        event.action = ["invoice.read", "invoice.pay", "d\u{e9}j\u{e0}.vu"]
            [usize::try_from(n % 3).unwrap()]
        .into();
        if n % 8 == 0 {
            event = event.id(plain_event(number).id.unwrap()).request_id(format!("r-{}", n / 16));
        }
        if n == 5 {
            event = full_event();
        }
        if n == 6 {
            event = hostile_event();
        }
        tail.add(RecordKind::Event, recorded, &Subject::of_event(&event, recorded));
    }
    tail
}

/// An index file of specification 2 is written as ever, too.
#[test]
fn an_index_file_with_targets_is_written_as_ever() {
    let scope = Scope { log_id: LogId([0x42; 16]), first: TreeSize::new(47) };
    let mut tail = indexed();
    let recorded = Timestamp::from_nanos(start().as_nanos() + 900_000);
    for event in [added_event(), hostile_added_event()] {
        tail.add(RecordKind::Event, recorded, &Subject::of_event(&event, recorded));
    }
    let (head, bytes) = encode(&tail, scope, 13);
    let bytes = bytes.unwrap();
    let golden = golden("v2", "00000013.idx", &bytes);
    assert!(golden == bytes, "the bytes of an index of the same records have changed");
    let file = IndexFile::from_bytes(golden).unwrap();
    file.check_pages().unwrap();
    assert_eq!((file.head(), file.head().spec, file.records()), (head, 2, 1_202));
}

#[test]
fn an_index_file_is_written_and_read_as_ever() {
    let scope = Scope { log_id: LogId([0x42; 16]), first: TreeSize::new(47) };
    let tail = indexed();
    let (head, bytes) = encode(&tail, scope, 12);
    let bytes = bytes.unwrap();
    let golden = golden("v1", "00000012.idx", &bytes);
    assert!(golden == bytes, "the bytes of an index of the same records have changed");
    let root = "99c2816b6deeac3ff13d0226c47dc26778086fa5632365b3c5714f640cba14e2";
    assert_eq!(head.root().to_string(), root);
    let file = IndexFile::from_bytes(golden).unwrap();
    file.check_pages().unwrap();
    assert_eq!((file.head(), file.records()), (head, 1_200));
    let positions = |list: PostingList<'_>| {
        let mut positions = Vec::new();
        list.each(|position| positions.push(position)).map(|()| positions)
    };
    let mut found = 0;
    for field in Field::ALL {
        let read = file.terms(field, &mut |term, list| {
            found += 1;
            assert_eq!(positions(list)?, tail.collected().list(term));
            Ok(())
        });
        read.unwrap();
    }
    assert_eq!(found, head.terms);
}
