//! R-ANSWER-7 to 10: the segments of the range, and what may be shown of each.

use super::{Answer, answer, in_state, items, shown_of_entry, with_entry};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{int, uint};
use crate::forge::evidence::{Index, Query, Shown, option8, range};
use crate::forge::files::Files;
use crate::forge::segment::Record;
use crate::forge::state::{State, ordinal_key};
use crate::proofs::refused;
use crate::support::START;

/// The first and last record of the second segment, and where it ends.
const SECOND: usize = 41;
const END: usize = 82;

pub(crate) fn only_second(answer: &mut Answer, from: u64) {
    answer.from = from;
    answer.items.remove(0);
    answer.shown.remove(0);
    answer.seqs = (usize::try_from(from).unwrap()..END).collect();
}

fn oldest_first(answer: &mut Answer) {
    answer.query.set("order", vec![1]);
}

/// The second segment has this status, and this is shown of it.
fn status(forge: Forge, status: u8, kind: u8) -> Files {
    let entry = |sealed: &mut Record| sealed.set("status", vec![status]);
    shown_of_entry(forge, 2, entry, |answer| show_of_second(answer, kind))
}

pub(crate) fn show_of_second(answer: &mut Answer, kind: u8) {
    if kind == 4 {
        let mut index = Index::of(&answer.logicals[1]);
        let key = super::actor_key(&answer.logicals[1], "user-3");
        index.show(0, &key);
        let run = answer.logicals[1].run(&key);
        let positions = answer.logicals[1].terms[run].iter().flat_map(|(_, list)| list.clone());
        let seqs: Vec<usize> = positions.map(|at| SECOND + at as usize).collect();
        answer.shown[1] = Shown::Index(Box::new(index));
        answer.seqs.retain(|seq| *seq < SECOND);
        answer.seqs.extend(seqs);
        return;
    }
    answer.shown[1] = Shown::Kind(kind);
    if kind != 3 {
        answer.seqs.retain(|seq| *seq < SECOND);
    }
}

/// The second segment is said to be excluded by times of this kind.
fn excluded(forge: Forge, axis: &str, since: Option<i64>, until: Option<i64>) -> Files {
    answer(forge, |_, answer| {
        answer.query = Query::all().with(axis, range(since, until));
        only_second(answer, SECOND as u64);
        oldest_first(answer);
        (answer.shown, answer.seqs) = (vec![Shown::Kind(1)], Vec::new());
    })
}

/// Smallest and largest occurred_at of the second segment: event 40, and the anchor.
pub(crate) fn times() -> [i64; 4] {
    let mut forge = Base::Plain.forge();
    let field = forge.sealed(2).field("times").to_vec();
    let (mut at, mut times) = (0, [0; 4]);
    for time in &mut times {
        *time = crate::forge::bytes::as_int(&field[at..]);
        at += crate::forge::bytes::take_uint(&field[at..]).1;
    }
    times
}

fn segment_key(ordinal: u64) -> Vec<u8> {
    ordinal_key("segment", ordinal).into_bytes()
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-ANSWER-7",
        "an entry under the key of another segment",
        Plain,
        "the entry of a segment: expected segment/0000000000000003",
        |forge| { with_entry(forge, 2, |sealed| sealed.set("ordinal", uint(3))) }
    ),
    refused!(
        "R-ANSWER-7",
        "bytes behind the fields of an entry",
        Plain,
        "the entry of a segment: expected a sealed segment",
        |forge| {
            in_state(forge, |state| state.entries.get_mut(&segment_key(2)).unwrap().push(0), |_| ())
        }
    ),
    refused!(
        "R-ANSWER-7",
        "a segment without records",
        Plain,
        "a segment of 1 record or more",
        |forge| { with_entry(forge, 2, |sealed| sealed.set("count", uint(0))) }
    ),
    refused!(
        "R-ANSWER-7",
        "more records than 64 bits count",
        Plain,
        "a segment of 1 record or more",
        |forge| { with_entry(forge, 2, |sealed| sealed.set("count", uint(u64::MAX))) }
    ),
    refused!(
        "R-ANSWER-7",
        "a second segment from record 0",
        Plain,
        "a segment of 1 record or more",
        |forge| { with_entry(forge, 2, |sealed| sealed.set("first", uint(0))) }
    ),
    refused!(
        "R-ANSWER-7",
        "a smallest recorded_at above the largest",
        Plain,
        "the smallest and the largest times",
        |forge| {
            with_entry(forge, 2, |sealed| {
                sealed.set("times", [int(START + 2), int(START), int(0), int(0)].concat());
            })
        }
    ),
    refused!(
        "R-ANSWER-7",
        "a smallest occurred_at above the largest",
        Plain,
        "the smallest and the largest times",
        |forge| {
            with_entry(forge, 2, |sealed| {
                sealed.set("times", [int(0), int(0), int(START + 2), int(START)].concat());
            })
        }
    ),
    refused!(
        "R-ANSWER-7",
        "a status that there is none of, as if it were gone",
        Plain,
        "a status from 0 to 4",
        |forge| { status(forge, 9, 2) }
    ),
    refused!(
        "R-ANSWER-8",
        "a range that ends before it begins",
        Plain,
        "the range: expected a range within",
        |forge| { answer(forge, |_, answer| answer.from = answer.to + 1) }
    ),
    refused!(
        "R-ANSWER-8",
        "a range beyond the head",
        Plain,
        "the range: expected a range within 93 records",
        |forge| { answer(forge, |_, answer| answer.to = 94) }
    ),
    refused!(
        "R-ANSWER-8",
        "the first segment is left out",
        Plain,
        "expected the segment with record 0",
        |forge| {
            answer(forge, |_, answer| {
                only_second(answer, SECOND as u64);
                answer.from = 0;
            })
        }
    ),
    refused!(
        "R-ANSWER-8",
        "the last segment is left out",
        Plain,
        "expected segments up to record 82",
        |forge| {
            answer(forge, |_, answer| {
                answer.items.truncate(1);
                answer.shown.truncate(1);
                answer.seqs.retain(|seq| *seq < SECOND);
            })
        }
    ),
    refused!(
        "R-ANSWER-8",
        "records that no segment has",
        Plain,
        "expected segments up to record 90",
        |forge| { answer(forge, |_, answer| answer.to = 90) }
    ),
    refused!(
        "R-ANSWER-8",
        "a segment behind the range",
        Plain,
        "expected nothing behind record 41",
        |forge| { answer(forge, |_, answer| answer.to = 41) }
    ),
    refused!(
        "R-ANSWER-8",
        "a segment before the range",
        Plain,
        "expected the segment with record 41",
        |forge| {
            answer(forge, |_, answer| {
                answer.from = 41;
                oldest_first(answer);
            })
        }
    ),
    refused!(
        "R-ANSWER-8",
        "a record between two segments",
        Plain,
        "expected the segment with record 41",
        |forge| { with_entry(forge, 2, |sealed| sealed.set("first", uint(42))) }
    ),
    refused!(
        "R-ANSWER-8",
        "a record in two segments",
        Plain,
        "expected the segment with record 41",
        |forge| { with_entry(forge, 2, |sealed| sealed.set("first", uint(40))) }
    ),
    refused!(
        "R-ANSWER-8",
        "an ordinal left out",
        Plain,
        "expected the one after 1, found segment 3",
        |forge| {
            let lie = |state: &mut State| {
                let mut sealed = Base::Plain.forge().sealed(2).clone();
                state.entries.remove(&segment_key(2));
                sealed.set("ordinal", uint(3));
                state.entries.insert(segment_key(3), sealed.state_value());
            };
            in_state(forge, lie, |answer| answer.items = items(&answer.state, &[1, 3]))
        }
    ),
    refused!(
        "R-ANSWER-8",
        "a segment that ends behind the anchor",
        Plain,
        "expected segments that end before the last of 93 records",
        |forge| { with_entry(forge, 2, |sealed| sealed.set("count", uint(52))) }
    ),
    refused!("R-ANSWER-8", "less evidence than segments", Plain, "evidence of segments", |forge| {
        answer(forge, |_, answer| _ = answer.shown.pop())
    }),
    refused!("R-ANSWER-8", "more evidence than segments", Plain, "evidence of segments", |forge| {
        answer(forge, |_, answer| answer.shown.push(Shown::Kind(2)))
    }),
    refused!(
        "R-ANSWER-9",
        "a live segment that is said to be gone",
        Plain,
        "what is shown of the segment",
        |forge| { answer(forge, |_, answer| show_of_second(answer, 2)) }
    ),
    refused!(
        "R-ANSWER-9",
        "a restored segment that is said to be gone",
        Plain,
        "what is shown of the segment",
        |forge| { status(forge, 3, 2) }
    ),
    refused!(
        "R-ANSWER-9",
        "records of a segment that is being dropped",
        Plain,
        "what is shown of the segment",
        |forge| { status(forge, 1, 3) }
    ),
    refused!(
        "R-ANSWER-9",
        "records of a segment that was dropped",
        Plain,
        "what is shown of the segment",
        |forge| { status(forge, 2, 3) }
    ),
    refused!(
        "R-ANSWER-9",
        "records of a restored segment that is being dropped",
        Plain,
        "what is shown of the segment",
        |forge| { status(forge, 4, 3) }
    ),
    refused!(
        "R-ANSWER-9",
        "the index of a segment that was dropped",
        Plain,
        "what is shown of the segment",
        |forge| { status(forge, 2, 4) }
    ),
    refused!(
        "R-ANSWER-10",
        "times that are not asked for",
        Plain,
        "times that the query does not ask for",
        |forge| {
            answer(forge, |_, answer| {
                answer.query = Query::all();
                only_second(answer, SECOND as u64);
                oldest_first(answer);
                (answer.shown, answer.seqs) = (vec![Shown::Kind(1)], Vec::new());
            })
        }
    ),
    refused!("R-ANSWER-10", "all times", Plain, "times that the query does not ask for", |forge| {
        excluded(forge, "occurred", Some(i64::MIN), Some(i64::MAX))
    }),
    refused!(
        "R-ANSWER-10",
        "from the largest occurred_at on",
        Plain,
        "times that the query does not ask for",
        |forge| { excluded(forge, "occurred", Some(times()[3]), None) }
    ),
    refused!(
        "R-ANSWER-10",
        "up to the smallest occurred_at",
        Plain,
        "times that the query does not ask for",
        |forge| { excluded(forge, "occurred", None, Some(times()[2] + 1)) }
    ),
    refused!(
        "R-ANSWER-10",
        "from the largest recorded_at on",
        Plain,
        "times that the query does not ask for",
        |forge| { excluded(forge, "recorded", Some(times()[1]), None) }
    ),
    refused!(
        "R-ANSWER-10",
        "up to the smallest recorded_at",
        Plain,
        "times that the query does not ask for",
        |forge| { excluded(forge, "recorded", None, Some(times()[0] + 1)) }
    ),
    refused!(
        "R-ANSWER-10",
        "a segment that was dropped, with times that are asked for",
        Plain,
        "times that the query does not ask for",
        |forge| {
            let entry = |sealed: &mut Record| sealed.set("status", vec![2]);
            shown_of_entry(forge, 2, entry, |answer| {
                answer.query = Query::all();
                only_second(answer, SECOND as u64);
                oldest_first(answer);
                (answer.shown, answer.seqs) = (vec![Shown::Kind(1)], Vec::new());
            })
        }
    ),
];

#[test]
fn what_an_answer_must_not_say_of_its_range_is_refused() {
    run(CASES);
}

#[test]
fn answers_about_each_kind_of_segment_hold() {
    let base = Base::Plain;
    let [recorded_min, recorded_max, occurred_min, occurred_max] = times();
    let made = [
        status(base.forge(), 1, 2),
        status(base.forge(), 2, 2),
        status(base.forge(), 4, 2),
        status(base.forge(), 3, 3),
        status(base.forge(), 3, 4),
        status(base.forge(), 0, 4),
        excluded(base.forge(), "occurred", Some(occurred_max + 1), None),
        excluded(base.forge(), "occurred", None, Some(occurred_min)),
        excluded(base.forge(), "recorded", Some(recorded_max + 1), None),
        excluded(base.forge(), "recorded", None, Some(recorded_min)),
        answer(base.forge(), |_, answer| {
            answer.query.set("limit", option8(Some(0)));
            (answer.from, answer.to) = (50, 50);
            (answer.items, answer.shown, answer.seqs) = (Vec::new(), Vec::new(), Vec::new());
        }),
        answer(base.forge(), |_, answer| {
            oldest_first(answer);
            only_second(answer, 50);
        }),
    ];
    for (n, files) in made.iter().enumerate() {
        assert_eq!(attempt(By::VerifyProof, base, files), Ok(()), "answer {n}");
    }
}
