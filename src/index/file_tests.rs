//! An index file answers what the index in memory answers, and hostile bytes get no other
//! answer out of it.

use proptest::prelude::*;

use super::sections::{PAGE, Sections};
use super::*;
use crate::event::{ActorRef, EventId, Outcome, RecordKind, Target, TraceId};
use crate::format::LogId;
use crate::format::index_header::{self, IndexHeader};
use crate::query::TimeRange;
use crate::query::{Subject, SubjectTargets};
use crate::seq::TreeSize;
use crate::terms::{Axis, Field, Term, Wanted};
use crate::terms::{Reach, Scope};
use crate::time::Timestamp;

const SCOPE: Scope = Scope { log_id: LogId([7; 16]), first: TreeSize::new(1_000) };
const ORDINAL: u64 = 12;

/// What a test makes a record of.
#[derive(Clone, Debug, Default)]
struct Sample {
    is_anchor: bool,
    recorded: i64,
    occurred: i64,
    actor: (String, String),
    resource: (String, Option<String>),
    tenant: Option<String>,
    action: String,
    outcome: usize,
    id: Option<u128>,
    request: Option<String>,
    correlation: Option<String>,
    targets: Vec<Target>,
    behalf: Option<(String, String)>,
    trace: Option<TraceId>,
}

impl Sample {
    fn add_to(&self, tail: &mut Tail) {
        let time = Timestamp::from_nanos;
        if self.is_anchor {
            let at = time(self.recorded);
            return tail.add(RecordKind::Anchor, at, &Subject::of_anchor(at));
        }
        let subject = Subject {
            id: self.id.map(|id| EventId(id.to_le_bytes())),
            occurred_at: time(self.occurred),
            tenant: self.tenant.as_deref(),
            actor_type: &self.actor.0,
            actor_id: &self.actor.1,
            action: &self.action,
            resource_type: &self.resource.0,
            resource_id: self.resource.1.as_deref(),
            outcome: Outcome::ALL[self.outcome],
            request_id: self.request.as_deref(),
            correlation_id: self.correlation.as_deref(),
            targets: SubjectTargets::Given(&self.targets),
            on_behalf_of: self.behalf.as_ref().map(|(kind, id)| ActorRef { kind, id }),
            trace_id: self.trace,
        };
        tail.add(RecordKind::Event, time(self.recorded), &subject);
    }
}

fn tail(samples: &[Sample]) -> Tail {
    let mut tail = Tail::default();
    samples.iter().for_each(|sample| sample.add_to(&mut tail));
    tail
}

fn encoded(tail: &Tail) -> Vec<u8> {
    encode(tail, SCOPE, ORDINAL).1.unwrap()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ab]{1,2}",
        4 => "user\\.[a-c]{1,3}",
        2 => any::<String>(),
        1 => Just("\u{10ffff}\u{202e}\0".to_owned()),
        1 => (120_usize..140).prop_map(|len| "n".repeat(len)),
        1 => Just("long".repeat(1_024)),
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -5_i64..5,
        4 => (-50_i64..50).prop_map(|n| n * 1_000_000_000),
        2 => (-50_i64..50).prop_map(|n| 1_700_000_000_000_000_000 + n * 1_000_000),
        1 => any::<i64>(),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX)],
    ]
}

prop_compose! {
    fn sample()(
        is_anchor in prop::bool::weighted(0.1),
        recorded in time(),
        occurred in time(),
        actor in (text(), text()),
        resource in (text(), prop::option::of(text())),
        tenant in prop::option::of(text()),
        action in text(),
        outcome in 0_usize..5,
        id in prop::option::of(prop_oneof![0_u128..20, any::<u128>()]),
        request in prop::option::of(text()),
        correlation in prop::option::of(text()),
        targets in prop::collection::vec((text(), text()), 0..4),
        behalf in prop::option::of((text(), text())),
        trace in prop::option::of(1_u8..20),
    ) -> Sample {
        let targets = targets.into_iter().map(|(kind, id)| Target::new(kind, id)).collect();
        let trace = trace.and_then(|byte| TraceId::from_bytes([byte; 16]));
        Sample {
            is_anchor, recorded, occurred, actor, resource, tenant, action, outcome, id, request,
            correlation, targets, behalf, trace,
        }
    }
}

/// What an index is asked.
struct Questions {
    wanted: Vec<Wanted>,
    ids: Vec<(IdField, u64)>,
    times: Vec<TimeRange>,
    keys: Vec<Vec<u8>>,
    groups: u64,
    chunks: u64,
}

/// Everything about what is there, and some of what is not.
fn questions(samples: &[Sample], tail: &Tail) -> Questions {
    let (mut wanted, mut keys) = (Vec::new(), vec![vec![], vec![0], vec![9], vec![2, 200]]);
    let mut ask = |term: Term<'_>| {
        let key = term.key(SCOPE.log_id);
        let name_len = if term.field.is_hashed() { 33 } else { 1 + term.name.len() };
        for (reach, kind, key) in [
            (Reach::Exact, term.kind, key.clone()),
            (Reach::AnyType, None, key[..name_len].to_vec()),
            (Reach::Prefix, None, vec![term.field.code()]),
        ] {
            if reach == Reach::AnyType && !term.field.has_type() {
                continue;
            }
            let name = if reach == Reach::Prefix {
                &term.name[..term.name.len().min(1)]
            } else {
                term.name
            };
            let (name, kind) = (name.to_vec(), kind.map(<[u8]>::to_vec));
            wanted.push(Wanted { field: term.field, name, kind, reach, key: key.clone() });
        }
        keys.extend([key[..key.len() - 1].to_vec(), [&key[..], &[0]].concat(), key]);
    };
    for field in Field::ALL {
        let mut names: Vec<Term<'_>> =
            tail.collected().terms(field).map(|(term, _)| term).collect();
        names.sort();
        names.iter().step_by(1 + names.len() / 40).for_each(|term| ask(*term));
        ask(Term { field, name: b"nobody", kind: field.has_type().then_some(&b"user"[..]) });
    }
    let mut ids: Vec<(IdField, u64)> = vec![(IdField::Event, 0), (IdField::Request, u64::MAX)];
    for which in IdField::ALL {
        let mut some: Vec<u64> = tail.ids(which).map(|(id, _)| id).collect();
        some.sort_unstable();
        some.dedup();
        ids.extend(some.iter().step_by(1 + some.len() / 40).map(|id| (which, *id)));
    }
    let mut bounds: Vec<i64> = samples.iter().flat_map(|s| [s.occurred, s.recorded]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let bounds: Vec<_> = bounds.iter().step_by(1 + bounds.len() / 8).copied().collect();
    let bounds = bounds.iter().flat_map(|time| [*time, time.saturating_add(1)]);
    let bounds: Vec<_> = bounds.map(Timestamp::from_nanos).map(Some).chain([None]).collect();
    let times = bounds
        .iter()
        .flat_map(|since| bounds.iter().map(|until| TimeRange { since: *since, until: *until }));
    let (records, terms) = (tail.records(), wanted.len());
    Questions {
        wanted,
        ids,
        times: times.collect(),
        keys,
        groups: terms as u64 / GROUP,
        chunks: u64::from(records) / CHUNK as u64 + 2,
    }
}

type Answers = Vec<Result<String, Damaged>>;

fn positions(list: PostingList<'_>) -> Result<Vec<u32>, Damaged> {
    let mut all = Vec::new();
    list.each(|position| all.push(position))?;
    assert_eq!(all.len(), list.len() as usize);
    assert!(all.is_sorted_by(|a, b| a < b), "a list that does not ascend");
    let (mut up, mut cursor) = (Vec::new(), list.cursor());
    while let Some(position) = cursor.at_least(up.last().map_or(0, |last| last + 1))? {
        up.push(position);
    }
    assert_eq!(up, all);
    for position in all.iter().step_by(1 + all.len() / 16) {
        assert_eq!(cursor.at_most(*position)?, Some(*position));
    }
    Ok(all)
}

/// All that [`SegmentIndex`] answers, in an order that does not depend on the index.
fn lookups(index: &impl SegmentIndex, questions: &Questions) -> Answers {
    let mut answers = vec![Ok(index.records().to_string())];
    for wanted in &questions.wanted {
        let mut lists = Vec::new();
        let found = index
            .wanted(wanted, &mut lists)
            .and_then(|()| lists.into_iter().map(positions).collect::<Result<Vec<_>, _>>());
        answers.push(found.map(|mut found| {
            found.sort();
            format!("{wanted:?} {found:?}")
        }));
    }
    for field in Field::ALL {
        let mut found = Vec::new();
        let done = index.terms(field, &mut |term, list| {
            found.push(format!("{term:?} {:?}", positions(list)?));
            Ok(())
        });
        found.sort();
        answers.push(done.map(|()| found.concat()));
    }
    for (axis, times) in questions
        .times
        .iter()
        .flat_map(|times| [Axis::Occurred, Axis::Recorded].map(|axis| (axis, *times)))
    {
        let mut found = Vec::new();
        let done = index.times(axis, times, &mut |entry| found.push(entry));
        found.sort();
        answers.push(done.map(|()| format!("{axis:?} {times:?} {found:?}")));
        answers.push(index.count_times(axis, times).map(|count| count.to_string()));
    }
    answers
}

/// The positions that each identifier may stand at.
fn by_ids(index: &impl SegmentIndex, questions: &Questions) -> Vec<Result<Vec<u32>, Damaged>> {
    let mut answers = Vec::new();
    for (which, id) in &questions.ids {
        let mut found = Vec::new();
        let done = index.with_id(*which, *id, &mut found);
        found.sort_unstable();
        answers.push(done.map(|()| found));
    }
    answers
}

/// All that [`CommittedIndex`] answers.
fn places(index: &impl CommittedIndex, questions: &Questions) -> Answers {
    let mut answers = vec![Ok(format!("{:?}", index.head()))];
    answers.extend(questions.keys.iter().map(|key| Ok(index.place_of(key)?.to_string())));
    for place in (0..index.head().terms.min(10_000)).chain([index.head().terms]) {
        let found = index.term_at(place).and_then(|(key, list)| Ok((key, positions(list)?)));
        answers.push(found.map(|found| format!("{found:?}")));
    }
    answers.extend(
        (0..questions.groups)
            .filter(|group| (group + 1) * GROUP <= index.head().terms)
            .map(|group| Ok(index.group_root(group)?.to_string())),
    );
    for axis in [Axis::Occurred, Axis::Recorded] {
        let chunks = 0..questions.chunks;
        answers.extend(chunks.map(|chunk| Ok(format!("{:?}", index.times_chunk(axis, chunk)?))));
    }
    answers
}

fn assert_alike(samples: &[Sample]) {
    let tail = tail(samples);
    let (head, bytes) = encode(&tail, SCOPE, ORDINAL);
    let file = IndexFile::from_bytes(bytes.unwrap()).unwrap();
    assert_eq!((file.log_id(), file.ordinal()), (SCOPE.log_id, ORDINAL));
    let placed = Placed::new(tail.collected().logical(SCOPE));
    assert_eq!((file.head(), head), (placed.head(), placed.head()));
    let questions = questions(samples, &tail);
    for (found, expected) in lookups(&file, &questions).into_iter().zip(lookups(&tail, &questions))
    {
        assert_eq!(found, expected);
    }
    let found = places(&file, &questions);
    for (found, expected) in found.into_iter().zip(places(&placed, &questions)) {
        // Where there is no term both say so, each in its own words.
        assert_eq!(found.ok(), expected.ok());
    }
    for (found, expected) in by_ids(&file, &questions).into_iter().zip(by_ids(&tail, &questions)) {
        let (found, expected) = (found.unwrap(), expected.unwrap());
        assert!(expected.iter().all(|position| found.contains(position)), "{expected:?}");
        assert!(found.len() <= expected.len() + 1, "{found:?}");
    }
    file.check_pages().unwrap();
}

/// A file with `changes`, and with all CRCs made to fit again.
fn resealed(mut bytes: Vec<u8>, changes: &[(usize, u8)]) -> Vec<u8> {
    for (at, change) in changes {
        let at = at % bytes.len();
        bytes[at] ^= change;
    }
    let layout = crate::format::layout::index_header::CRC;
    let header = bytes.first_chunk_mut::<{ index_header::LEN }>().unwrap();
    let crc = crate::format::layout::trailing_crc(header, layout);
    layout.set_uint(header, crc.into());
    if let Ok(header) = IndexHeader::decode(header) {
        let pages = usize::try_from(Sections::of(&header).pages).unwrap();
        bytes.truncate(pages.max(index_header::LEN));
        super::encode::seal(&mut bytes, header);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_file_answers_what_the_index_in_memory_answers(
        samples in prop::collection::vec(sample(), 0..200),
    ) {
        assert_alike(&samples);
    }

    #[test]
    fn the_bytes_depend_on_the_records_alone(samples in prop::collection::vec(sample(), 0..100)) {
        // Each hash map has an order of its own.
        prop_assert!(encoded(&tail(&samples)) == encoded(&tail(&samples)));
    }

    #[test]
    fn damaged_bytes_give_the_same_answer_or_none(
        samples in prop::collection::vec(sample(), 1..80),
        flips in prop::collection::vec((any::<usize>(), 1_u8..), 1..4),
        cut in prop::option::of(any::<usize>()),
    ) {
        let tail = tail(&samples);
        let good = encoded(&tail);
        let questions = questions(&samples, &tail);
        let mut bad = good.clone();
        for (at, flip) in flips {
            bad[at % good.len()] ^= flip;
        }
        bad.truncate(cut.map_or(bad.len(), |cut| cut % bad.len()));
        let Ok(file) = IndexFile::from_bytes(bad) else { return Ok(()) };
        let right = IndexFile::from_bytes(good).unwrap();
        let answers = |file: &IndexFile| [lookups(file, &questions), places(file, &questions)].concat();
        for (found, expected) in answers(&file).into_iter().zip(answers(&right)) {
            prop_assert!(found.is_err() || found == expected, "{found:?} {expected:?}");
        }
        for (found, expected) in by_ids(&file, &questions).into_iter().zip(by_ids(&right, &questions)) {
            prop_assert!(found.is_err() || found == expected, "{found:?} {expected:?}");
        }
        prop_assert!(file.check_pages().is_err());
    }

    #[test]
    fn hostile_bytes_with_crcs_that_fit_end_in_an_answer(
        samples in prop::collection::vec(sample(), 1..80),
        changes in prop::collection::vec((any::<usize>(), 1_u8..), 1..6),
        in_header in any::<bool>(),
    ) {
        let tail = tail(&samples);
        let questions = questions(&samples, &tail);
        let good = encoded(&tail);
        let changes: Vec<_> = changes
            .into_iter()
            .map(|(at, change)| match in_header {
                true => (48 + at % 208, change % 4),
                false => (at % (good.len() - index_header::LEN) + index_header::LEN, change),
            })
            .collect();
        if let Ok(file) = IndexFile::from_bytes(resealed(good, &changes)) {
            lookups(&file, &questions);
            by_ids(&file, &questions);
            places(&file, &questions);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(IndexFile::from_bytes(bytes).is_err());
    }
}

/// So many events that lists have every form; with some anchors between.
fn many(count: u32) -> Vec<Sample> {
    let sample = |n: u32| Sample {
        is_anchor: n % 5_000 == 4_999,
        recorded: i64::from(n) * 1_000,
        occurred: i64::from(n / 3) * 1_000_000 - i64::from(n % 7) * 500_000_000,
        actor: ("user".to_owned(), format!("actor-{}", n.wrapping_mul(2_654_435_761) % 9_000)),
        resource: ("file".to_owned(), Some(format!("resource-{}", n.isqrt()))),
        tenant: Some(format!("tenant-{}", n % 100)),
        action: format!("action.{}", n % 13),
        outcome: usize::from(n % 20 == 3),
        id: Some(n.into()),
        request: Some(format!("request-{}", n / 4)),
        correlation: Some("always the same".to_owned()),
        ..Sample::default()
    };
    (0..count).map(sample).collect()
}

#[test]
fn lists_of_more_than_a_hundred_thousand_positions_are_answered_alike() {
    assert_alike(&many(130_000));
}

#[test]
fn lists_of_every_length_around_a_chunk_are_answered_alike() {
    for len in [1, 2, 127, 128, 129, 255, 256, 257, 1_000] {
        assert_alike(&many(len));
    }
    assert_alike(&[]);
}

/// Every byte of a file counts: of a whole page, of the last one, of the table.
#[test]
fn each_damaged_page_is_found() {
    let good = encoded(&tail(&many(2_000)));
    let sections = Sections::of(&IndexHeader::decode(good.first_chunk().unwrap()).unwrap());
    for at in (index_header::LEN..good.len()).step_by(97).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        match IndexFile::from_bytes(bad) {
            Ok(file) => {
                let found = file.check_pages().unwrap_err();
                assert_eq!(found.offset, at as u64 / PAGE * PAGE);
            }
            Err(_) => assert!(at as u64 >= sections.pages, "{at}"),
        }
    }
}

#[test]
fn a_file_is_opened_mapped_and_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000012.idx");
    let disk = crate::disk::RealDisk;
    assert!(IndexFile::open(&disk, &path, true).unwrap().is_none());
    let samples = many(500);
    let tail = tail(&samples);
    let bytes = encoded(&tail);
    let questions = questions(&samples, &tail);
    std::fs::write(&path, &bytes).unwrap();
    for map in [true, false] {
        let file = IndexFile::open(&disk, &path, map).unwrap().unwrap();
        assert_eq!(lookups(&file, &questions), lookups(&tail, &questions));
        assert_eq!(file.file_len(), bytes.len() as u64);
    }
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    for map in [true, false] {
        let error = IndexFile::open(&disk, &path, map).unwrap_err();
        assert!(matches!(error, crate::Error::Corrupt { .. }), "{error}");
    }
    std::fs::write(&path, b"").unwrap();
    assert!(IndexFile::open(&disk, &path, true).is_err());
}

/// An index with a root of another segment cannot be told by its pages, only by its head.
#[test]
fn the_head_is_that_of_the_records() {
    let tail = tail(&many(300));
    let bytes = |first| encode(&tail, Scope { first: TreeSize::new(first), ..SCOPE }, ORDINAL);
    let root = |first| IndexFile::from_bytes(bytes(first).1.unwrap()).unwrap().head().root();
    assert_eq!(root(5), bytes(5).0.root());
    assert_ne!(root(5), root(6));
}
