//! Answers whose every hash leads to a root, only not to the right one, or past a segment.

use bulla::Hash;
use bulla::internals::format::catalog_body::StateMap;
use bulla::internals::terms::{IndexHead, TimeEntry};
use bulla::merkle::{BatchPlan, Frontier};
use bulla::proof::{
    CatalogClaim, CatalogStatement, Evidence, IndexEvidence, PlacedEntry, StateEntry, TimeEvidence,
};

use super::mutations::firsts;
use super::*;

/// All entries of the state under the checkpoint, ascending.
fn state(sealed: &Sealed) -> Vec<StateEntry> {
    let mut entries: Vec<StateEntry> = Vec::new();
    loop {
        // Nothing is in force under the key right behind one that is: its neighbours are shown.
        let key = entries.last().map_or_else(String::new, |last| format!("{}\0", last.key));
        let proof = sealed.log.snapshot().prove_state_entry(&key, &sealed.checkpoint).unwrap();
        let CatalogClaim::NotInForce { neighbours, place, .. } = proof.statement.claim else {
            panic!("{key:?} is in force")
        };
        if place.index == place.entries {
            return entries;
        }
        entries.extend(neighbours.last().cloned());
    }
}

/// Claim 4 about these entries, which are all there.
fn claim(state: &[StateEntry], shown: &[usize]) -> CatalogClaim {
    let (mut nodes, mut frontier) =
        (std::collections::HashMap::new(), Frontier::new(HashAlgorithm::Sha256));
    for entry in state {
        frontier.push(StateMap::leaf(&entry.key, &entry.value), |node, hash| {
            nodes.insert(node, hash);
        });
    }
    let seqs: Vec<Seq> = shown.iter().map(|at| Seq::new(*at as u64)).collect();
    let plan = BatchPlan::inclusion(&seqs, frontier.size()).unwrap();
    let hashes: Vec<Hash> = plan.nodes().iter().map(|node| nodes[node]).collect();
    let hashes = plan.assemble(HashAlgorithm::Sha256, &hashes).unwrap();
    let item = |at: &usize| PlacedEntry { index: *at as u64, entry: state[*at].clone() };
    let items = shown.iter().map(item).collect();
    CatalogClaim::Entries { entries: state.len() as u64, items, hashes }
}

#[test]
fn no_choice_of_segments_that_are_there_hides_one() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[20, 30, 40, 20]);
    let (state, query) = (state(&sealed), Query::new().actor("user-3"));
    let good = sealed.prove(&query);
    let first = state.iter().position(|entry| entry.key.starts_with("segment/")).unwrap();
    assert_eq!(first + 4, state.len());
    let all: Vec<usize> = (first..first + 4).collect();
    let mut count = 0;
    for set in 0..1_usize << state.len() {
        let shown: Vec<usize> = (0..state.len()).filter(|at| set >> at & 1 == 1).collect();
        let is_good = shown == all;
        let claim = claim(&state, &shown);
        let own = (0..4).filter(|n| shown.contains(&(first + n)));
        let segments: Vec<_> = own.map(|n| good.evidence.segments[n].clone()).collect();
        let firsts = firsts(&sealed);
        let is_shown = |seq: Seq| {
            let of = firsts.iter().position(|(f, count)| (*f..f + count).contains(&seq.get()));
            shown.contains(&(first + of.unwrap()))
        };
        let seqs = good.bundle.records.iter().map(|record| record.seq);
        let seqs: Vec<Seq> = seqs.filter(|seq| is_shown(*seq)).collect();
        let bundle = sealed
            .log
            .snapshot()
            .prove_many(&seqs, &sealed.checkpoint, Disclosure::WithholdPayload)
            .unwrap();
        let mut answer = good.clone();
        answer.evidence.statement.claim = claim;
        answer.evidence.segments = segments;
        answer.bundle = bundle;
        assert_eq!(answer.verify(&sealed.trust()).is_ok(), is_good, "{shown:?}");
        count += 1;
    }
    assert!(count > 50, "{count} choices");
}

#[test]
fn an_index_that_is_sound_but_of_another_log_is_refused() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[20, 30]);
    let nobody_does_zz = |n: u64| match n % 6 {
        5 => event(n - 1),
        _ => event(n),
    };
    let other = Sealed::with(HashAlgorithm::Sha256, &[20, 30], nobody_does_zz);
    let query = Query::new().action("zz").unwrap();
    let (good, mut forged) = (sealed.prove(&query), sealed.prove(&query));
    let absent = other.prove(&query);
    assert_eq!((hits(&other.verify(&absent).unwrap()).len(), absent.bundle.records.len()), (0, 0));
    forged.evidence.segments = absent.evidence.segments.clone();
    forged.bundle = sealed
        .log
        .snapshot()
        .prove_many(&[], &sealed.checkpoint, Disclosure::WithholdPayload)
        .unwrap();
    assert!(hits(&sealed.verify(&good).unwrap()).len() > 5);
    assert!(forged.verify(&sealed.trust()).is_err());
    // Not even if all the rest is of the other log.
    forged.evidence = absent.evidence.clone();
    assert!(forged.verify(&sealed.trust()).is_err());
}

/// A log with one sealed segment of events that were recorded at these seconds, and its index.
fn recorded_at(seconds: &[i64]) -> (Sealed, IndexHead) {
    let times: Vec<Timestamp> = seconds.iter().map(|second| at(*second)).collect();
    let dir = tempfile::tempdir().unwrap();
    let (path, key) = (dir.path().join("log"), dir.path().join("key"));
    let options = || crate::support::backwards::options(at(5_000)).origin(ORIGIN);
    let head = crate::support::backwards::sealed(options(), &path, &times, event);
    let signer = Signer::generate(&key, ORIGIN, HashAlgorithm::Sha256).unwrap();
    let log = options().open(&path).unwrap();
    let end = log.size().get();
    log.append(&event(99)).unwrap();
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    let records = log.snapshot().records_from(Seq::new(0)).map(|r| r.unwrap()).collect();
    (Sealed { dir, log, signer, checkpoint, records, end }, head)
}

/// What a prover writes who does not look at the order of the records.
fn careless(sealed: &Sealed, query: &Query, segment: SegmentEvidence, shown: &[u64]) -> Answer {
    let state = state(sealed);
    let place = state.iter().position(|entry| entry.key.starts_with("segment/")).unwrap();
    let CatalogStatement { anchor, anchor_hashes, .. } =
        sealed.log.snapshot().prove_state_entry("log", &sealed.checkpoint).unwrap().statement;
    let statement = CatalogStatement { anchor, anchor_hashes, claim: claim(&state, &[place]) };
    let covers = 0..sealed.end;
    let evidence = Evidence { query: query.clone(), covers, statement, segments: vec![segment] };
    let seqs: Vec<Seq> = shown.iter().copied().map(Seq::new).collect();
    let disclosure = Disclosure::WithholdPayload;
    let bundle = sealed.log.snapshot().prove_many(&seqs, &sealed.checkpoint, disclosure).unwrap();
    Answer { evidence, bundle }
}

/// The index of a segment of fewer than 129 events, by the axis of recorded times alone.
fn by_recorded(sealed: &Sealed, head: &IndexHead) -> SegmentEvidence {
    let events = sealed.records.iter().take(usize::try_from(sealed.end).unwrap());
    let entry = |record: &Record| TimeEntry {
        time: record.recorded_at.as_nanos(),
        position: u32::try_from(record.seq.get()).unwrap(),
    };
    let mut entries: Vec<TimeEntry> = events.map(entry).collect();
    entries.sort_unstable();
    SegmentEvidence::Index(Box::new(IndexEvidence {
        events: head.events,
        terms: head.terms,
        terms_root: head.terms_root,
        occurred_root: head.occurred_root,
        recorded_root: head.recorded_root,
        clauses: 0,
        anchors: false,
        leaves: Vec::new(),
        leaf_hashes: Vec::new(),
        occurred: None,
        recorded: Some(TimeEvidence { first_chunk: 0, entries, hashes: Vec::new() }),
    }))
}

#[test]
fn no_answer_is_proved_over_records_that_go_back_in_time() {
    let (honest, honest_head) = recorded_at(&[1, 2, 10, 1_000, 2_000, 3_000]);
    let (forged, forged_head) = recorded_at(&[1, 2, 1_000, 2_000, 10, 3_000]);
    let everything = Query::new().oldest_first();
    let late = everything.clone().recorded_since(at(500));
    let all: Vec<u64> = (0..6).collect();
    // The same careless prover is believed where the log is honest.
    let good = careless(&honest, &everything, SegmentEvidence::Disclosed, &all);
    assert_eq!(hits(&honest.verify(&good).unwrap()), all);
    let good = careless(&honest, &late, by_recorded(&honest, &honest_head), &[3, 4, 5]);
    assert_eq!(hits(&honest.verify(&good).unwrap()), [3, 4, 5]);
    let whole = careless(&forged, &everything, SegmentEvidence::Disclosed, &all);
    let refused = forged.verify(&whole).unwrap_err().to_string();
    assert!(refused.contains("record 4 no earlier than"), "{refused}");
    let part = careless(&forged, &late, by_recorded(&forged, &forged_head), &[2, 3, 5]);
    let refused = forged.verify(&part).unwrap_err().to_string();
    assert!(refused.contains("in the order of their Seqs"), "{refused}");
    // The log's own prover refuses.
    for query in [everything, late, Query::new().actor("user-3")] {
        let checkpoint = &forged.checkpoint;
        let refused =
            forged.log.snapshot().prove_query(&query, checkpoint, Disclosure::WithholdPayload);
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("recorded_at of record") && refused.contains("verify"),
            "{refused}"
        );
        honest.prove(&query);
    }
}
