//! Answers whose every hash leads to a root, only not to the right one, or past a segment.

use bulla::Hash;
use bulla::format::catalog_body::StateMap;
use bulla::merkle::{BatchPlan, Frontier};
use bulla::proof::{CatalogClaim, PlacedEntry, StateEntry};

use super::mutations::firsts;
use super::*;

/// All entries of the state under the checkpoint, ascending.
fn state(sealed: &Sealed) -> Vec<StateEntry> {
    let mut entries: Vec<StateEntry> = Vec::new();
    loop {
        // Nothing is in force under the key right behind one that is: its neighbours are shown.
        let key = entries.last().map_or_else(String::new, |last| format!("{}\0", last.key));
        let proof = sealed.log.prove_state_entry(&key, &sealed.checkpoint).unwrap();
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
        let bundle =
            sealed.log.prove_many(&seqs, &sealed.checkpoint, Disclosure::WithholdPayload).unwrap();
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
    forged.bundle =
        sealed.log.prove_many(&[], &sealed.checkpoint, Disclosure::WithholdPayload).unwrap();
    assert!(hits(&sealed.verify(&good).unwrap()).len() > 5);
    assert!(forged.verify(&sealed.trust()).is_err());
    // Not even if all the rest is of the other log.
    forged.evidence = absent.evidence.clone();
    assert!(forged.verify(&sealed.trust()).is_err());
}
