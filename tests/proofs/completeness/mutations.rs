//! Altered answers: each is refused, or says exactly what the good one says. One that names
//! another question or range may be true of that, and is compared with the records.

use bulla::proof::{CatalogClaim, IndexEvidence, SegmentEvidence, TermEvidence};

use super::alterations::{flipped, hashes, lists};
use super::*;

/// What was altered, and whether the question or the range was.
struct Mutant {
    what: String,
    answer: Answer,
    is_of_same: bool,
}

#[derive(Default)]
struct Mutants {
    of: Option<Answer>,
    all: Vec<Mutant>,
}

impl Mutants {
    fn new(good: &Answer) -> Self {
        Mutants { of: Some(good.clone()), all: Vec::new() }
    }

    fn good(&self) -> Answer {
        self.of.clone().unwrap()
    }

    fn push(&mut self, what: impl Into<String>, change: impl FnOnce(&mut Answer)) {
        let mut answer = self.good();
        change(&mut answer);
        let good = self.of.as_ref().unwrap();
        let (old, new) = (&good.evidence, &answer.evidence);
        let is_of_same = old.query.to_bytes() == new.query.to_bytes() && old.covers == new.covers;
        if answer != *good {
            self.all.push(Mutant { what: what.into(), answer, is_of_same });
        }
    }

    /// Of one index that is shown.
    fn push_index(
        &mut self,
        at: usize,
        what: impl Into<String>,
        change: impl FnOnce(&mut IndexEvidence),
    ) {
        let what = format!("segment {at}: {}", what.into());
        self.push(what, |answer| {
            if let Some(SegmentEvidence::Index(index)) = answer.evidence.segments.get_mut(at) {
                change(index);
            }
        });
    }

    /// Judges all of them: how many there were.
    fn judge(self, sealed: &Sealed) -> usize {
        let good = self.good().verify(&sealed.trust()).unwrap();
        let count = self.all.len();
        for (n, Mutant { what, answer, is_of_same }) in self.all.into_iter().enumerate() {
            let verdict = answer.verify(&sealed.trust());
            // As a file it is no better, and no worse.
            if (n.is_multiple_of(16) || verdict.is_ok())
                && let Ok(read) = Answer::parse(answer.to_text().as_bytes())
            {
                assert_eq!(read.verify(&sealed.trust()).is_ok(), verdict.is_ok(), "{what}");
            }
            let Ok(verdict) = verdict else { continue };
            check_truth(sealed, &verdict, &what);
            if is_of_same {
                assert_eq!(hits(&verdict), hits(&good), "{what}");
                assert_eq!(verdict.covers(), good.covers(), "{what}");
                assert_eq!(verdict.is_limited(), good.is_limited(), "{what}");
            }
        }
        count
    }
}

/// What was verified is so.
fn check_truth(sealed: &Sealed, verdict: &VerifiedAnswer, what: &str) {
    let covers = verdict.covers().start.get()..verdict.covers().end.get();
    assert_eq!(hits(verdict), sealed.matching(verdict.query(), covers), "{what}");
    assert!(verdict.not_live().is_empty(), "{what}");
}

fn alter_segments(mutants: &mut Mutants) {
    let good = mutants.good();
    let len = good.evidence.segments.len();
    for at in 0..len {
        mutants.push(format!("evidence {at} dropped"), |a| {
            a.evidence.segments.remove(at);
        });
        mutants.push(format!("evidence {at} twice"), |a| {
            let again = a.evidence.segments[at].clone();
            a.evidence.segments.insert(at, again);
        });
        for other in 0..len {
            mutants.push(format!("evidence {at} and {other} swapped"), |a| {
                a.evidence.segments.swap(at, other);
            });
            mutants.push(format!("evidence {other} for {at}"), |a| {
                a.evidence.segments[at] = a.evidence.segments[other].clone();
            });
        }
        for claim in
            [SegmentEvidence::ExcludedByTimes, SegmentEvidence::NotLive, SegmentEvidence::Disclosed]
        {
            mutants.push(format!("{claim:?} for {at}"), |a| {
                a.evidence.segments[at] = claim.clone();
            });
        }
        if let SegmentEvidence::Index(index) = &good.evidence.segments[at] {
            alter_index(mutants, at, index);
        }
    }
}

fn alter_index(mutants: &mut Mutants, at: usize, good: &IndexEvidence) {
    for step in [1, u64::MAX, 128] {
        mutants.push_index(at, "events", |i| i.events = i.events.wrapping_add(step));
        mutants.push_index(at, "terms", |i| i.terms = i.terms.wrapping_add(step));
    }
    mutants.push_index(at, "terms root", |i| i.terms_root = flipped(&i.terms_root));
    mutants.push_index(at, "occurred root", |i| i.occurred_root = flipped(&i.occurred_root));
    mutants.push_index(at, "recorded root", |i| i.recorded_root = flipped(&i.recorded_root));
    mutants.push_index(at, "axes swapped", |i| {
        std::mem::swap(&mut i.occurred_root, &mut i.recorded_root);
        std::mem::swap(&mut i.occurred, &mut i.recorded);
    });
    mutants.push_index(at, "times swapped", |i| std::mem::swap(&mut i.occurred, &mut i.recorded));
    for bit in 0..7 {
        mutants.push_index(at, format!("clause {bit}"), |i| i.clauses ^= 1 << bit);
    }
    mutants.push_index(at, "anchors", |i| i.anchors = !i.anchors);
    for (what, hashes) in hashes(&good.leaf_hashes) {
        mutants.push_index(at, format!("terms: {what}"), |i| i.leaf_hashes = hashes);
    }
    for leaf in 0..good.leaves.len() {
        alter_leaf(mutants, at, leaf, &good.leaves);
    }
    for axis in [true, false] {
        alter_times(mutants, at, axis, good);
    }
}

fn alter_leaf(mutants: &mut Mutants, at: usize, n: usize, good: &[TermEvidence]) {
    let mut push = |what: &str, change: &dyn Fn(&mut Vec<TermEvidence>)| {
        mutants.push_index(at, format!("leaf {n}: {what}"), |i| change(&mut i.leaves));
    };
    push("dropped", &|leaves| {
        leaves.remove(n);
    });
    push("twice", &|leaves| leaves.insert(n, leaves[n].clone()));
    push("without list", &|leaves| leaves[n].list = None);
    push("later", &|leaves| leaves[n].place += 1);
    push("earlier", &|leaves| leaves[n].place = leaves[n].place.wrapping_sub(1));
    for step in [1, u64::MAX, 128, 128_u64.wrapping_neg()] {
        push("count", &|leaves| leaves[n].leaf.count = leaves[n].leaf.count.wrapping_add(step));
    }
    push("key", &|leaves| leaves[n].leaf.key.push(0));
    push("shorter key", &|leaves| {
        leaves[n].leaf.key.pop();
    });
    push("root", &|leaves| leaves[n].leaf.list_root = flipped(&leaves[n].leaf.list_root));
    for (other, its) in good.iter().enumerate() {
        push(&format!("swapped with {other}"), &|leaves| leaves.swap(n, other));
        push(&format!("the leaf of {other}"), &|leaves| leaves[n].leaf = its.leaf.clone());
        push(&format!("the list of {other}"), &|leaves| leaves[n].list = its.list.clone());
        push(&format!("list and leaf of {other}"), &|leaves| {
            (leaves[n].leaf, leaves[n].list) = (its.leaf.clone(), its.list.clone());
        });
    }
    let Some(list) = &good[n].list else { return };
    for (what, hashes) in hashes(&list.hashes) {
        push(&what, &|leaves| leaves[n].list.as_mut().unwrap().hashes = hashes.clone());
    }
    for (what, positions) in lists(&list.positions, |position| position ^ 1) {
        for chunk in [0, 1, u64::MAX] {
            push(&format!("{what}, {chunk} chunks on"), &|leaves| {
                let list = leaves[n].list.as_mut().unwrap();
                list.positions = positions.clone();
                list.first_chunk = list.first_chunk.wrapping_add(chunk);
            });
        }
        let lost = (list.positions.len() as u64).wrapping_sub(positions.len() as u64);
        push(&format!("{what}, and the count"), &|leaves| {
            leaves[n].list.as_mut().unwrap().positions = positions.clone();
            leaves[n].leaf.count = leaves[n].leaf.count.wrapping_sub(lost);
        });
    }
}

fn alter_times(mutants: &mut Mutants, at: usize, is_occurred: bool, good: &IndexEvidence) {
    let times = if is_occurred { &good.occurred } else { &good.recorded };
    let Some(times) = times else { return };
    let slot = |index: &mut IndexEvidence| {
        let slot = if is_occurred { &mut index.occurred } else { &mut index.recorded };
        slot.take()
    };
    mutants.push_index(at, "no times", |i| {
        slot(i);
    });
    let mut push = |what: String, changed: bulla::proof::TimeEvidence| {
        mutants.push_index(at, format!("times: {what}"), |i| {
            let slot = if is_occurred { &mut i.occurred } else { &mut i.recorded };
            *slot = Some(changed);
        });
    };
    for (what, hashes) in hashes(&times.hashes) {
        push(what, bulla::proof::TimeEvidence { hashes, ..times.clone() });
    }
    for step in [1, u64::MAX] {
        let first_chunk = times.first_chunk.wrapping_add(step);
        push("chunk".to_owned(), bulla::proof::TimeEvidence { first_chunk, ..times.clone() });
    }
    let other = |entry: &bulla::internals::terms::TimeEntry| bulla::internals::terms::TimeEntry {
        time: entry.time + 1,
        position: entry.position,
    };
    for (what, entries) in lists(&times.entries, other) {
        push(what, bulla::proof::TimeEvidence { entries, ..times.clone() });
    }
}

fn alter_statement(mutants: &mut Mutants, sealed: &Sealed) {
    let CatalogClaim::Entries { items, hashes: good_hashes, .. } =
        mutants.good().evidence.statement.claim
    else {
        panic!("claim 4")
    };
    let mut push = |what: String, change: &dyn Fn(&mut CatalogClaim)| {
        mutants.push(format!("statement: {what}"), |a| change(&mut a.evidence.statement.claim));
    };
    for (what, changed) in hashes(&good_hashes) {
        push(what, &|claim| {
            if let CatalogClaim::Entries { hashes, .. } = claim {
                *hashes = changed.clone();
            }
        });
    }
    for (n, item) in items.iter().enumerate() {
        let mut changed = vec![("dropped".to_owned(), None)];
        for step in [1, u64::MAX] {
            let mut moved = item.clone();
            moved.index = moved.index.wrapping_add(step);
            changed.push(("moved".to_owned(), Some(moved)));
        }
        for byte in 0..item.entry.value.len() {
            let mut other = item.clone();
            other.entry.value[byte] ^= 1;
            changed.push((format!("byte {byte}"), Some(other)));
        }
        for other in &items {
            let mut swapped = item.clone();
            swapped.entry.clone_from(&other.entry);
            changed.push((format!("the entry {}", other.entry.key), Some(swapped)));
        }
        for (what, changed) in changed {
            push(format!("item {n}: {what}"), &|claim| {
                if let CatalogClaim::Entries { items, .. } = claim {
                    items.splice(n..=n, changed.clone());
                }
            });
        }
    }
    for (n, _) in items.iter().enumerate() {
        mutants.push(format!("segment {n} hidden"), |a| {
            a.evidence.segments.remove(n);
            if let CatalogClaim::Entries { items, .. } = &mut a.evidence.statement.claim {
                items.remove(n);
            }
        });
    }
    let other_claims = ["log", "segment/0000000000000000", "segment/0000000000000001", "zzz"];
    for key in other_claims {
        let proof = sealed.log.snapshot().prove_state_entry(key, &sealed.checkpoint).unwrap();
        mutants
            .push(format!("a statement about {key}"), |a| a.evidence.statement = proof.statement);
    }
}

/// Whoever makes an answer can prove any records: what is left out and added here is proved.
fn alter_records(mutants: &mut Mutants, sealed: &Sealed) {
    let good = mutants.good();
    let seqs: Vec<Seq> = good.bundle.records.iter().map(|record| record.seq).collect();
    let bundle = |seqs: &[Seq]| {
        sealed
            .log
            .snapshot()
            .prove_many(seqs, &sealed.checkpoint, Disclosure::WithholdPayload)
            .unwrap()
    };
    for (n, seq) in seqs.iter().enumerate().take(60) {
        let mut fewer = seqs.clone();
        fewer.remove(n);
        let fewer = bundle(&fewer);
        mutants.push(format!("record {seq} left out"), |a| a.bundle = fewer.clone());
        mutants.push(format!("record {seq} left out, its positions too"), |a| {
            a.bundle = fewer.clone();
            leave_out(a, sealed, *seq, false);
        });
        mutants.push(format!("record {seq} left out, its positions and counts too"), |a| {
            a.bundle = fewer.clone();
            leave_out(a, sealed, *seq, true);
        });
        for (covers, what) in [(seq.get() + 1..sealed.end, "behind"), (0..seq.get(), "before")] {
            mutants.push(format!("record {seq} left out, the range {what}"), |a| {
                a.bundle = fewer.clone();
                a.evidence.covers = covers.clone();
            });
        }
        mutants.push(format!("record {seq} for its neighbour"), |a| {
            let len = a.bundle.records.len();
            a.bundle.records[n].bytes = a.bundle.records[(n + 1) % len].bytes.clone();
        });
        mutants.push(format!("record {seq} swapped"), |a| {
            let len = a.bundle.records.len();
            a.bundle.records.swap(n, len - 1);
        });
    }
    for seq in (0..sealed.end).step_by(37).map(Seq::new) {
        let more: Vec<Seq> = seqs.iter().copied().chain([seq]).collect();
        mutants.push(format!("record {seq} added"), |a| a.bundle = bundle(&more));
    }
    mutants.push("no records", |a| a.bundle = bundle(&[]));
    let all: Vec<Seq> = (0..sealed.end).map(Seq::new).collect();
    mutants.push("all records", |a| a.bundle = bundle(&all));
}

/// Takes a record's position out of all lists.
fn leave_out(answer: &mut Answer, sealed: &Sealed, seq: Seq, count_too: bool) {
    let firsts = firsts(sealed);
    let from = answer.evidence.covers.start;
    let skipped = firsts.iter().filter(|(first, count)| first + count <= from).count();
    for (segment, (first, _)) in answer.evidence.segments.iter_mut().zip(&firsts[skipped..]) {
        let Some(position) = seq.get().checked_sub(*first) else { continue };
        let SegmentEvidence::Index(index) = segment else { continue };
        for shown in &mut index.leaves {
            let Some(list) = &mut shown.list else { continue };
            let len = list.positions.len();
            list.positions.retain(|other| u64::from(*other) != position);
            if count_too && list.positions.len() < len {
                shown.leaf.count -= 1;
            }
        }
        for times in [&mut index.occurred, &mut index.recorded].into_iter().flatten() {
            times.entries.retain(|entry| u64::from(entry.position) != position);
        }
    }
}

/// First record and number of records of each sealed segment.
pub(super) fn firsts(sealed: &Sealed) -> Vec<(u64, u64)> {
    let segments = sealed.log.snapshot().segments().unwrap();
    let segments = segments.iter().filter(|segment| segment.first.get() < sealed.end);
    segments.map(|segment| (segment.first.get(), segment.count)).collect()
}

fn alter_question(mutants: &mut Mutants, sealed: &Sealed) {
    let good = mutants.good();
    let (query, covers) = (good.evidence.query.clone(), good.evidence.covers.clone());
    let others = [
        query.clone().newest_first(),
        query.clone().oldest_first(),
        query.clone().actor("user-1"),
        query.clone().tenant("tenant-1"),
        query.clone().outcome(Outcome::Denied),
        query.clone().not_outcome(Outcome::Success),
        query.clone().action("invoice.*").unwrap(),
        query.clone().system(true),
        query.clone().system(false),
        query.clone().occurred_since(at(2)),
        query.clone().recorded_until(at(2)),
        query.clone().request_id("request-1"),
    ];
    let limits = [0, 1, 2, 3, 4, 5, 6, 7, 50, 10_000].map(|limit| query.clone().limit(limit));
    for other in others.into_iter().chain(limits) {
        mutants.push(format!("asks {other:?}"), |a| a.evidence.query = other);
    }
    let bytes = query.to_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if let Ok(other) = Query::from_bytes(&changed) {
                mutants.push(format!("asks with byte {at} altered"), |a| a.evidence.query = other);
            }
        }
    }
    let mut ends: Vec<u64> = firsts(sealed).iter().map(|(first, count)| first + count).collect();
    ends.extend([0, 1, covers.start, covers.end, sealed.end, sealed.end + 1, u64::MAX]);
    ends.extend([covers.start.wrapping_sub(1), covers.start + 1]);
    ends.extend([covers.end.wrapping_sub(1), covers.end + 1]);
    for start in &ends {
        for end in &ends {
            mutants.push(format!("speaks of {start}..{end}"), |a| {
                a.evidence.covers = *start..*end;
            });
        }
    }
}

/// Parts of two answers in all combinations: each part is well proved.
fn spliced(mutants: &mut Mutants, other: &Answer) {
    for parts in 1..32_u8 {
        mutants.push(format!("parts {parts:05b} of another"), |a| {
            let from = |n: u8| parts >> n & 1 == 1;
            if from(0) {
                a.evidence.query = other.evidence.query.clone();
            }
            if from(1) {
                a.evidence.covers = other.evidence.covers.clone();
            }
            if from(2) {
                a.evidence.statement = other.evidence.statement.clone();
            }
            if from(3) {
                a.evidence.segments.clone_from(&other.evidence.segments);
            }
            if from(4) {
                a.bundle = other.bundle.clone();
            }
        });
    }
    for at in 0..other.evidence.segments.len() {
        for to in 0..mutants.good().evidence.segments.len() {
            for bundle_too in [false, true] {
                mutants.push(format!("segment {at} of another for {to}"), |a| {
                    a.evidence.segments[to] = other.evidence.segments[at].clone();
                    if bundle_too {
                        a.bundle = other.bundle.clone();
                    }
                });
            }
        }
    }
}

fn questions() -> Vec<Query> {
    let action = |glob: &str| Query::new().action(glob).unwrap();
    vec![
        Query::new().limit(9),
        Query::new().actor("user-3"),
        Query::new().actor("user-3").limit(5),
        Query::new().actor("nobody"),
        Query::new().resource_type("report").tenant("tenant-2").oldest_first().limit(4),
        action("invoice.*").outcome(Outcome::Denied),
        action("invoice.write*").not_outcome(Outcome::Success).limit(3),
        action("zz"),
        Query::new().occurred_since(at(2)).occurred_until(at(3)).outcome(Outcome::Failure),
        Query::new().recorded_since(at(1)).recorded_until(at(3)).actor("user-1"),
        Query::new().occurred_since(at(3)).occurred_until(at(4)),
        Query::new().actor("bulla").system(true),
        Query::new().actor("bulla").tenant("tenant-1").system(true).outcome(Outcome::Success),
    ]
}

#[test]
fn an_altered_answer_is_refused_or_says_the_same() {
    let mut count = 0;
    for (algorithm, segments) in
        [(HashAlgorithm::Sha256, [6, 330, 40]), (HashAlgorithm::Blake3, [150, 5, 260])]
    {
        let sealed = Sealed::new(algorithm, &segments);
        for query in questions() {
            let mut mutants = Mutants::new(&sealed.prove(&query));
            alter_segments(&mut mutants);
            alter_statement(&mut mutants, &sealed);
            alter_records(&mut mutants, &sealed);
            alter_question(&mut mutants, &sealed);
            count += mutants.judge(&sealed);
        }
    }
    assert!(count > 20_000, "{count} mutants");
}

#[test]
fn parts_of_good_answers_make_no_other_answer() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[6, 700, 40, 30]);
    let mut groups = Vec::new();
    let long = Query::new().outcome(Outcome::Success).resource_type("invoice");
    let long = [long.clone(), long.oldest_first()];
    for query in questions().into_iter().chain(long) {
        let mut answers = vec![sealed.prove(&query)];
        for last in [20, 340, 730] {
            if let Some(cursor) = query.cursor_after(Seq::new(last)) {
                answers.push(sealed.prove(&query.clone().after(cursor)));
                answers.push(sealed.prove(&query.clone().after(cursor).limit(2)));
            }
        }
        groups.push(answers);
    }
    let mut count = 0;
    for (n, group) in groups.iter().enumerate() {
        let next = groups.get(n + 1).and_then(|group| group.first());
        for good in group {
            let mut mutants = Mutants::new(good);
            group.iter().chain(next).for_each(|other| spliced(&mut mutants, other));
            count += mutants.judge(&sealed);
        }
    }
    assert!(count > 10_000, "{count} mutants");
}

#[test]
fn every_byte_of_the_evidence_counts() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[6, 5]);
    let query = Query::new().actor("user-3").occurred_since(at(1)).limit(2);
    for query in [query.clone(), query.system(true).actor("bulla"), Query::new().actor("x")] {
        let good = sealed.prove(&query);
        let bytes = good.evidence.to_bytes();
        let mut mutants = Mutants::new(&good);
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[byte] ^= 1 << bit;
                if let Ok(evidence) = bulla::proof::Evidence::parse(&changed) {
                    mutants.push(format!("byte {byte}, bit {bit}"), |a| a.evidence = evidence);
                }
            }
            let cut = bulla::proof::Evidence::parse(&bytes[..byte]);
            assert!(cut.is_err(), "cut at {byte}");
        }
        let count = mutants.judge(&sealed);
        assert!(count > 500, "{count} of {} bytes", bytes.len());
    }
}

#[test]
fn the_chunks_of_a_part_of_a_segment_do_not_pass_for_the_whole() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[900]);
    let query = Query::new().outcome(Outcome::Success);
    // Where the range ends, a chunk ends: all that is shown is then asked for and disclosed.
    let all = sealed.matching(&query.clone().oldest_first(), 0..sealed.end);
    let mut answers = Vec::new();
    for query in [query.clone(), query.oldest_first()] {
        answers.push(sealed.prove(&query));
        for last in [all[127] + 1, all[128] - 1, all[383] + 1, all[384] - 1] {
            let cursor = query.cursor_after(Seq::new(last)).unwrap();
            answers.push(sealed.prove(&query.clone().after(cursor)));
        }
    }
    let mut count = 0;
    for good in &answers {
        let mut mutants = Mutants::new(good);
        answers.iter().for_each(|other| spliced(&mut mutants, other));
        count += mutants.judge(&sealed);
    }
    assert!(count > 1_000, "{count} mutants");
}
