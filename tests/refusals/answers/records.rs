//! R-ANSWER-17 to 19: the records that an answer discloses, and the limit.

use super::range::{only_second, show_of_second, times};
use super::{answer, shown_of_entry};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::int;
use crate::forge::evidence::{Query, id, list, option8};
use crate::forge::files::Files;
use crate::forge::segment::Record;
use crate::proofs::refused;

/// The oldest of the eight records of user-3 in the second segment.
const OLDEST: u64 = 44;

/// What user-3 did in the second segment, all of which is disclosed, newest first, with a limit.
fn limited(forge: Forge, limit: Option<u64>, from: u64) -> Files {
    answer(forge, |_, answer| {
        answer.query.set("limit", option8(limit));
        only_second(answer, from);
    })
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-ANSWER-17",
        "a record less than the index says",
        Plain,
        "the records: expected record",
        |forge| { answer(forge, |_, answer| _ = answer.seqs.remove(1)) }
    ),
    refused!(
        "R-ANSWER-17",
        "a record less of those that are all disclosed",
        Plain,
        "the records: expected record 60, found record 61",
        |forge| { answer(forge, |_, answer| answer.seqs.retain(|seq| *seq != 60)) }
    ),
    refused!(
        "R-ANSWER-17",
        "the last record is left out",
        Plain,
        "the records: expected record 81, found none",
        |forge| { answer(forge, |_, answer| _ = answer.seqs.pop()) }
    ),
    refused!(
        "R-ANSWER-17",
        "a record that is no candidate",
        Plain,
        "the records: expected record",
        |forge| { answer(forge, |_, answer| answer.seqs.insert(0, 0)) }
    ),
    refused!(
        "R-ANSWER-17",
        "a record from behind the range",
        Plain,
        "expected none but candidates, found record 85",
        |forge| { answer(forge, |_, answer| answer.seqs.push(85)) }
    ),
    refused!(
        "R-ANSWER-17",
        "a record of a segment that is gone",
        Plain,
        "none but candidates",
        |forge| {
            let entry = |sealed: &mut Record| sealed.set("status", vec![2]);
            shown_of_entry(forge, 2, entry, |answer| {
                show_of_second(answer, 2);
                answer.seqs.push(60);
            })
        }
    ),
    refused!(
        "R-ANSWER-18",
        "more records than were asked for",
        Plain,
        "at most 7 records that match, found 8",
        |forge| { limited(forge, Some(7), OLDEST) }
    ),
    refused!(
        "R-ANSWER-18",
        "records where none was asked for",
        Plain,
        "at most 0 records that match",
        |forge| { limited(forge, Some(0), OLDEST) }
    ),
    refused!(
        "R-ANSWER-18",
        "newest first, fewer records than asked for, and not from 0",
        Plain,
        "a range from record 0 on",
        |forge| { limited(forge, Some(9), OLDEST) }
    ),
    refused!(
        "R-ANSWER-18",
        "newest first, all records, and not from 0",
        Plain,
        "a range from record 0 on",
        |forge| { limited(forge, None, OLDEST) }
    ),
    refused!(
        "R-ANSWER-18",
        "newest first, as many as asked for, and a range that goes on behind the last",
        Plain,
        "a range from record 0 on",
        |forge| { limited(forge, Some(8), OLDEST - 1) }
    ),
    refused!(
        "R-ANSWER-18",
        "newest first, no record asked for, and not from 0",
        Plain,
        "a range from record 0 on",
        |forge| {
            answer(forge, |_, answer| {
                answer.query = Query::all()
                    .with("limit", option8(Some(0)))
                    .with("actors", list(&[id(None, Some("nobody"))]));
                only_second(answer, OLDEST);
            })
        }
    ),
    refused!(
        "R-ANSWER-19",
        "a recorded_at that goes back within a segment",
        Plain,
        "when the records were recorded",
        |mut forge| {
            let later = forge.main_record(81).recorded_at();
            forge.main_record(60).set_prefix("recorded_at", later);
            answer(forge, |_, _| ())
        }
    ),
    refused!(
        "R-ANSWER-19",
        "a recorded_at that is not in the entry",
        Plain,
        "when a record was recorded: expected from",
        |mut forge| {
            let [min, _, from, to] = times();
            forge.sealed(2).set("times", [int(min), int(min), int(from), int(to)].concat());
            answer(forge, |_, _| ())
        }
    ),
    refused!(
        "R-ANSWER-19",
        "an occurred_at that is not in the entry",
        Plain,
        "when an event occurred: expected from",
        |mut forge| {
            let [min, max, from, to] = times();
            forge.sealed(2).set("times", [int(min), int(max), int(from + 5_000), int(to)].concat());
            answer(forge, |_, _| ())
        }
    ),
];

#[test]
fn what_an_answer_must_not_disclose_is_refused() {
    run(CASES);
}

#[test]
fn an_answer_that_ends_at_its_limit_holds() {
    let base = Base::Plain;
    assert_eq!(attempt(By::VerifyProof, base, &limited(base.forge(), Some(8), OLDEST)), Ok(()));
}
