//! Law: whatever the bytes of an index file are, it is refused, or every question ends in an
//! answer or in damage, never in a panic or without end; with CRCs that do not fit, an answer
//! is that of the file as it was written; lists ascend, and are as long as they say.
#![no_main]

use bulla::event::RecordKind;
use bulla::LogId;
use bulla::internals::format::layout::{Field as Place, index_header as layout, trailing_crc};
use bulla::internals::index::{
    Damaged, GROUP, IdField, IndexFile, PostingList, SegmentIndex, CommittedIndex, Tail, encode, fingerprint,
};
use bulla::query::{Subject, TimeRange};
use bulla::internals::terms::{Axis, Field, Reach, Scope, Term, Wanted};
use bulla::{Actor, Event, EventId, Resource, Timestamp, TreeSize};
use libfuzzer_sys::fuzz_target;

const SCOPE: Scope = Scope { log_id: LogId([7; 16]), first: TreeSize::new(9) };

fuzz_target!(|input: (u16, u8, Vec<(u32, u8)>, Vec<u8>)| {
    let (events, spread, changes, arbitrary) = input;
    if let Ok(file) = IndexFile::from_bytes(arbitrary) {
        let _ = answers(&file);
    }
    let good = file_of(events % 1_500, spread);
    let mut bad = good.clone();
    for (at, change) in changes {
        let at = at as usize % bad.len();
        bad[at] ^= change;
    }
    if let Ok(file) = IndexFile::from_bytes(bad.clone()) {
        let right = answers(&IndexFile::from_bytes(good).unwrap());
        for (found, right) in answers(&file).into_iter().zip(right) {
            assert!(found.is_err() || found == right);
        }
    }
    fix_crcs(&mut bad);
    if let Ok(file) = IndexFile::from_bytes(bad) {
        let _ = answers(&file);
    }
});

/// An index of so many events.
fn file_of(events: u16, spread: u8) -> Vec<u8> {
    let mut tail = Tail::default();
    let spread = i64::from(spread) + 1;
    for n in 0..i64::from(events) {
        let (time, at) = (Timestamp::from_nanos(n * spread * 1_000), Timestamp::from_nanos(n));
        if n % 100 == 99 {
            tail.add(RecordKind::Anchor, at, &Subject::of_anchor(at));
            continue;
        }
        let resource = Resource::new("file", format!("file-{}", n / 3));
        let event =
            Event::new(Actor::new("user", format!("user-{}", n % spread)), "file.read", resource)
                .id(EventId(n.to_le_bytes().repeat(2).try_into().unwrap()))
                .occurred_at(time)
                .tenant(format!("tenant-{}", n % 9));
        tail.add(RecordKind::Event, at, &Subject::of_event(&event, at));
    }
    encode(&tail, SCOPE, 1).1.unwrap()
}

/// Makes the CRCs of pages and header fit, if the file is as long as it was.
fn fix_crcs(bytes: &mut [u8]) {
    let pages = (1..=bytes.len() / 4).find(|n| (bytes.len() - 4 * n).div_ceil(4096) == *n);
    let Some(pages) = pages else { return };
    let end = bytes.len() - 4 * pages;
    let crc = |bytes: &[u8]| trailing_crc(bytes, Place { name: "", offset: bytes.len(), size: 4 });
    for page in 0..pages {
        let start = (page * 4096).max(layout::LEN);
        let crc = crc(&bytes[start..end.min((page + 1) * 4096)]);
        bytes[end + 4 * page..][..4].copy_from_slice(&crc.to_le_bytes());
    }
    let table = crc(&bytes[end..]);
    layout::PAGES_CRC.set_uint(bytes, table.into());
    let header = trailing_crc(bytes, layout::CRC);
    layout::CRC.set_uint(bytes, header.into());
}

fn positions(list: PostingList<'_>) -> Result<Vec<u32>, Damaged> {
    let mut found = Vec::new();
    list.each(|position| found.push(position))?;
    assert!(found.is_sorted_by(|a, b| a < b));
    assert_eq!(found.len(), list.len() as usize);
    let mut cursor = list.cursor();
    for position in found.iter().step_by(7) {
        assert_eq!(cursor.at_least(*position)?, Some(*position));
    }
    for position in found.iter().rev().step_by(7) {
        assert_eq!(cursor.at_most(*position)?, Some(*position));
    }
    Ok(found)
}

/// Everything that can be asked.
fn answers(file: &IndexFile) -> Vec<Result<String, Damaged>> {
    let mut answers = vec![Ok(format!("{:?}", file.head()))];
    let terms = [
        (Term::typed(Field::Actor, b"user-1", b"user"), Reach::Exact, 65),
        (Term::typed(Field::Actor, b"user-0", b"user"), Reach::AnyType, 33),
        (Term::typed(Field::Resource, b"file-3", b"file"), Reach::Exact, 65),
        (Term::of(Field::Tenant, b"tenant-4"), Reach::Exact, 33),
        (Term::of(Field::Tenant, b"absent"), Reach::Exact, 33),
        (Term::of(Field::Action, b"file."), Reach::Prefix, 6),
        (Term::of(Field::Outcome, &[0]), Reach::Exact, 2),
        (Term::of(Field::Kind, &[2]), Reach::Exact, 2),
    ];
    for (term, reach, key_len) in terms {
        let mut key = term.key(SCOPE.log_id);
        answers.push(file.place_of(&key).map(|place| place.to_string()));
        key.truncate(key_len);
        let kind = term.kind.filter(|_| reach == Reach::Exact).map(<[u8]>::to_vec);
        let wanted = Wanted { field: term.field, name: term.name.to_vec(), kind, reach, key };
        let mut lists = Vec::new();
        let found = file.wanted(&wanted, &mut lists);
        let found =
            found.and_then(|()| lists.into_iter().map(positions).collect::<Result<Vec<_>, _>>());
        answers.push(found.map(|found| format!("{found:?}")));
    }
    for field in Field::ALL {
        let mut found = String::new();
        let done = file.terms(field, &mut |term, list| {
            found += &format!("{term:?} {:?}", positions(list)?);
            Ok(())
        });
        answers.push(done.map(|()| found));
    }
    for which in IdField::ALL {
        for id in [0, u64::MAX, fingerprint(which, &[0; 16]), fingerprint(which, &[1; 16])] {
            let mut found = Vec::new();
            answers.push(file.with_id(which, id, &mut found).map(|()| format!("{found:?}")));
        }
    }
    for axis in [Axis::Occurred, Axis::Recorded] {
        for (since, until) in
            [(None, None), (Some(500), None), (Some(7), Some(90_000)), (Some(9), Some(2))]
        {
            let [since, until] = [since, until].map(|time| time.map(Timestamp::from_nanos));
            let (times, mut found) = (TimeRange { since, until }, Vec::new());
            let done = file.times(axis, times, &mut |entry| found.push(entry));
            answers.push(done.map(|()| format!("{found:?}")));
            answers.push(file.count_times(axis, times).map(|count| count.to_string()));
        }
        let chunks = 0..file.head().events.min(4_096) / 128 + 2;
        answers.extend(chunks.map(|chunk| Ok(format!("{:?}", file.times_chunk(axis, chunk)?))));
    }
    for place in 0..(file.head().terms + 1).min(4_096) {
        let found = file.term_at(place).and_then(|(key, list)| Ok((key, positions(list)?)));
        answers.push(found.map(|found| format!("{found:?}")));
        answers.push(file.group_root(place / GROUP).map(|root| root.to_string()));
    }
    answers
}
