//! R-ANSWER-15, 16, 19 and 20: what is shown of the times of an index, and of the anchors.

use super::{ANCHORS, answer, grown, lying};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::evidence::{Index, Query, Shown, Times, range};
use crate::forge::files::Files;
use crate::forge::index::Logical;
use crate::proofs::refused;

/// The records of the first segment of a log that was not grown.
const COUNT: u32 = 41;
/// The place of the first anchor.
const ANCHOR_AT: u32 = 38;

// ---- times ------------------------------------------------------------------------------

/// Events of the first segment of a grown log, by when they occurred or were recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Axis {
    Occurred,
    Recorded,
}

impl Axis {
    fn of(self, logical: &mut Logical) -> &mut Vec<(i64, u32)> {
        match self {
            Axis::Occurred => &mut logical.occurred,
            Axis::Recorded => &mut logical.recorded,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Axis::Occurred => "occurred",
            Axis::Recorded => "recorded",
        }
    }
}

/// Those with a time from the 150th to the 170th of all (all of these times): of the times the chunks
/// that have these, and what stands beside them.
fn timed(forge: Forge, axis: Axis, change: impl FnOnce(&mut Times, &[(i64, u32)])) -> Files {
    timed_of(grown(forge), axis, |_| (), change)
}

fn timed_of(
    forge: Forge,
    axis: Axis,
    lie: impl FnOnce(&mut Vec<(i64, u32)>),
    change: impl FnOnce(&mut Times, &[(i64, u32)]),
) -> Files {
    lying(
        forge,
        |logical| lie(axis.of(logical)),
        |ground, answer| {
            let mut logical = answer.logicals[0].clone();
            let all = axis.of(&mut logical).clone();
            let (since, until) = (all[150].0, all[170].0 + 1);
            let mut index = Index::of(&logical);
            let mut times = Times::of(&all, 0..2);
            change(&mut times, &all);
            match axis {
                Axis::Occurred => index.occurred = Some(times),
                Axis::Recorded => index.recorded = Some(times),
            }
            let range = range(Some(since), Some(until));
            answer.query = Query::all().with("order", vec![1]).with(axis.name(), range);
            let count = ground.forge.main[0].count();
            (answer.from, answer.to) = (0, count);
            answer.items.truncate(1);
            answer.shown = vec![Shown::Index(Box::new(index))];
            let wanted = all.iter().filter(|(time, _)| (since..until).contains(time));
            answer.seqs = wanted.map(|(_, at)| *at as usize).collect();
            answer.seqs.sort_unstable();
            answer.seqs.dedup();
        },
    )
}

/// The times of all events of the first segment, of which the second event's are others.
fn all_times(forge: Forge, axis: Axis, lie: impl FnOnce(&mut Vec<(i64, u32)>)) -> Files {
    lying(
        forge,
        |logical| lie(axis.of(logical)),
        |_, answer| {
            let mut logical = answer.logicals[0].clone();
            let all = axis.of(&mut logical).clone();
            let mut index = Index::of(&logical);
            let times = Some(Times::whole(&all));
            match axis {
                Axis::Occurred => index.occurred = times,
                Axis::Recorded => index.recorded = times,
            }
            let range = range(Some(i64::MIN), None);
            answer.query = Query::all().with("order", vec![1]).with(axis.name(), range);
            (answer.from, answer.to) = (0, u64::from(COUNT));
            answer.items.truncate(1);
            answer.shown = vec![Shown::Index(Box::new(index))];
            answer.seqs = all.iter().map(|(_, at)| *at as usize).collect();
            answer.seqs.sort_unstable();
            answer.seqs.dedup();
        },
    )
}

// ---- anchors ----------------------------------------------------------------------------

/// All records of the first segment, the log's own among them if they are asked for.
fn with_anchors(forge: Forge, system: u8, lie: impl FnOnce(&mut Logical)) -> Files {
    lying(forge, lie, |_, answer| {
        let logical = answer.logicals[0].clone();
        let mut index = Index::of(&logical);
        index.show(7, &ANCHORS);
        let anchors: Vec<u32> =
            logical.run(&ANCHORS).flat_map(|at| logical.terms[at].1.clone()).collect();
        answer.query = Query::all().with("order", vec![1]).with("system", vec![system]);
        answer.to = u64::from(COUNT);
        answer.items.truncate(1);
        answer.shown = vec![Shown::Index(Box::new(index))];
        let is_shown = |at: &u32| system == 1 || !anchors.contains(at);
        answer.seqs = (0..COUNT).filter(is_shown).map(|at| at as usize).collect();
    })
}

/// What succeeded, the log's own records among it; their list is shown, or not.
fn successes(forge: Forge, with_anchors: bool) -> Files {
    answer(forge, |_, answer| {
        let logical = answer.logicals[0].clone();
        let mut index = Index::of(&logical);
        index.show(0, &[7, 0]);
        let mut positions = logical.terms[logical.run(&[7, 0]).start].1.clone();
        if with_anchors {
            index.show(7, &ANCHORS);
            positions.extend(&logical.terms[logical.run(&ANCHORS).start].1);
        }
        positions.sort_unstable();
        answer.query =
            Query::all().with("order", vec![1]).with("system", vec![1]).with("outcomes", vec![1]);
        answer.to = u64::from(COUNT);
        answer.items.truncate(1);
        answer.shown = vec![Shown::Index(Box::new(index))];
        answer.seqs = positions.iter().map(|at| *at as usize).collect();
    })
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-ANSWER-15",
        "times that begin in the range",
        Plain,
        "a first chunk that begins before the range",
        |forge| { timed(forge, Axis::Occurred, |times, all| *times = Times::of(all, 2..3)) }
    ),
    refused!(
        "R-ANSWER-15",
        "times that end in the range",
        Plain,
        "a last chunk that ends behind the range",
        |forge| { timed(forge, Axis::Occurred, |times, all| *times = Times::of(all, 0..1)) }
    ),
    refused!(
        "R-ANSWER-15",
        "times with an entry less",
        Plain,
        "entries in whole chunks",
        |forge| { timed(forge, Axis::Occurred, |times, _| _ = times.entries.remove(64)) }
    ),
    refused!(
        "R-ANSWER-15",
        "a chunk behind the last",
        Plain,
        "the times of the events: expected chunks of",
        |forge| { timed(forge, Axis::Occurred, |times, _| times.first_chunk = 9) }
    ),
    refused!(
        "R-ANSWER-15",
        "another position",
        Plain,
        "the times of the events: expected the tree to have root",
        |forge| {
            timed(forge, Axis::Occurred, |times, _| times.entries.last_mut().unwrap().1 += 1)
        }
    ),
    refused!(
        "R-ANSWER-15",
        "a hash that leads elsewhere",
        Plain,
        "the times of the events: expected the tree to have root",
        |forge| { timed(forge, Axis::Occurred, |times, _| times.hashes[0] = [7; 32]) }
    ),
    refused!(
        "R-ANSWER-15",
        "two positions of one time out of order",
        Plain,
        "the times of the events: expected ascending entries",
        |forge| {
            all_times(forge, Axis::Occurred, |times| {
                times[3].0 = times[2].0;
                let (one, other) = (times[2].1, times[3].1);
                (times[2].1, times[3].1) = (other, one);
            })
        }
    ),
    refused!(
        "R-ANSWER-15",
        "a position behind the segment",
        Plain,
        "positions below 41",
        |forge| { all_times(forge, Axis::Occurred, |times| times[39].1 = COUNT) }
    ),
    refused!(
        "R-ANSWER-15",
        "a time that is not within those of the entry",
        Plain,
        "as the segment's entry says",
        |forge| { all_times(forge, Axis::Occurred, |times| times[0].0 -= 1) }
    ),
    refused!(
        "R-ANSWER-15",
        "events that were recorded in another order than they stand",
        Plain,
        "events recorded in the order of their Seqs",
        |forge| {
            all_times(forge, Axis::Recorded, |times| {
                let (one, other) = (times[2].1, times[3].1);
                (times[2].1, times[3].1) = (other, one);
            })
        }
    ),
    refused!(
        "R-ANSWER-16",
        "anchors that can match, and are not shown",
        Plain,
        "the list of the anchors too",
        |forge| { successes(forge, false) }
    ),
    refused!(
        "R-ANSWER-16",
        "fewer events and anchors than records",
        Plain,
        "41 events and anchors",
        |forge| { with_anchors(forge, 0, |logical| logical.events = 39) }
    ),
    refused!(
        "R-ANSWER-16",
        "no anchor, where there must be one",
        Plain,
        "41 events and anchors",
        |forge| {
            with_anchors(forge, 1, |logical| {
                let at = logical.run(&ANCHORS).start;
                logical.terms.remove(at);
            })
        }
    ),
    refused!(
        "R-ANSWER-19",
        "a time that is not the one in the index",
        Plain,
        "in the times that are shown",
        |forge| {
            all_times(forge, Axis::Occurred, |times| {
                let (one, other) = (times[2].1, times[3].1);
                (times[2].1, times[3].1) = (other, one);
            })
        }
    ),
    refused!(
        "R-ANSWER-20",
        "an event in the list of the anchors",
        Plain,
        "the lists of the terms",
        |forge| {
            with_anchors(forge, 1, |logical| {
                let at = logical.run(&ANCHORS).start;
                logical.terms[at].1 = vec![5];
            })
        }
    ),
    refused!(
        "R-ANSWER-20",
        "an event that is hidden as an anchor",
        Plain,
        "the lists of the terms",
        |forge| {
            with_anchors(forge, 0, |logical| {
                let at = logical.run(&ANCHORS).start;
                logical.terms[at].1 = vec![5];
            })
        }
    ),
    refused!(
        "R-ANSWER-20",
        "an anchor among the times of the events",
        Plain,
        "the lists of the terms",
        |forge| {
            all_times(forge, Axis::Occurred, |times| times.last_mut().unwrap().1 = ANCHOR_AT)
        }
    ),
];

#[test]
fn what_an_answer_must_not_show_of_times_and_anchors_is_refused() {
    run(CASES);
}

#[test]
fn answers_by_times_and_with_anchors_hold() {
    let base = Base::Plain;
    let made = [
        timed(base.forge(), Axis::Occurred, |_, _| ()),
        timed(base.forge(), Axis::Recorded, |_, _| ()),
        all_times(base.forge(), Axis::Occurred, |_| ()),
        all_times(base.forge(), Axis::Recorded, |_| ()),
        with_anchors(base.forge(), 0, |_| ()),
        with_anchors(base.forge(), 1, |_| ()),
        successes(base.forge(), true),
    ];
    for (n, files) in made.iter().enumerate() {
        assert_eq!(attempt(By::VerifyProof, base, files), Ok(()), "answer {n}");
    }
}
