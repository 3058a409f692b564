//! All choices of terms.

use super::super::chunks::Window;
use super::super::evidence::{IndexEvidence, ShownList, TermEvidence, TimeEvidence};
use super::super::segment::{AskedTerms, Candidates};
use super::{LOG, batch};
use crate::event::{Outcome, RecordKind};
use crate::format::catalog_body::Sealed;
use crate::hash::Hash;
use crate::query::{Query, Subject};
use crate::seq::TreeSize;
use crate::terms::{Collected, Logical, Scope};
use crate::time::Timestamp;

const FIRST: u64 = 100;

/// What is done, by whom, with what result; `None`: an anchor.
const RECORDS: [Option<(&str, &str, Outcome)>; 9] = [
    None,
    Some(("b", "alice", Outcome::Success)),
    Some(("d", "alice", Outcome::Denied)),
    Some(("d.x", "bob", Outcome::Success)),
    None,
    Some(("d.x", "alice", Outcome::Success)),
    Some(("d.y", "bob", Outcome::Denied)),
    Some(("f", "bob", Outcome::Success)),
    Some(("b", "bob", Outcome::Success)),
];

fn subject(n: usize) -> (RecordKind, Timestamp, Subject<'static>) {
    let time = Timestamp::from_nanos(n as i64 / 2);
    let Some((action, actor_id, outcome)) = RECORDS[n] else {
        return (RecordKind::Anchor, time, Subject::of_anchor(time));
    };
    let anchor = Subject::of_anchor(time);
    let (actor_type, resource_type) = ("user", "thing");
    let event = Subject { action, actor_id, outcome, actor_type, resource_type, ..anchor };
    (RecordKind::Event, time, event)
}

fn collected() -> Collected {
    let mut collected = Collected::default();
    for (kind, time, subject) in (0..RECORDS.len()).map(subject) {
        collected.add(kind, time, &subject);
    }
    collected
}

fn sealed(logical: &Logical<'_>) -> Sealed {
    Sealed {
        ordinal: 3,
        first: FIRST,
        count: RECORDS.len() as u64,
        bytes: 1,
        times: [0, 4, 0, 4],
        end_root: [0; 32],
        header: [0; 32],
        index_root: *logical.head().root().as_bytes(),
        keep_until: 0,
        status: 0,
    }
}

/// Evidence with these terms, and true hashes. All their lists are shown that are asked for.
fn evidence(logical: &Logical<'_>, shown: &[u64], asked: &[bool]) -> IndexEvidence {
    let head = logical.head();
    let leaves: Vec<Hash> = logical.terms.iter().map(|term| term.leaf().hash()).collect();
    let term = |place: &u64| {
        let at = usize::try_from(*place).unwrap();
        let positions = logical.terms[at].positions.to_vec();
        let list = ShownList { first_chunk: 0, positions, hashes: Vec::new() };
        let leaf = logical.terms[at].leaf();
        TermEvidence { place: *place, leaf, list: asked[at].then_some(list) }
    };
    IndexEvidence {
        events: head.events,
        terms: head.terms,
        terms_root: head.terms_root,
        occurred_root: head.occurred_root,
        recorded_root: head.recorded_root,
        clauses: 0,
        anchors: false,
        leaves: shown.iter().map(term).collect(),
        leaf_hashes: batch(&leaves, shown),
        occurred: None,
        recorded: None,
    }
}

fn queries() -> Vec<Query> {
    let action = |glob: &str| Query::new().action(glob).unwrap();
    let mut queries: Vec<Query> = ["a*", "a", "b", "c", "d", "d*", "d.*", "d.x", "d.z", "f", "g*"]
        .into_iter()
        .map(action)
        .collect();
    queries.extend([
        action("b").action("d.*").unwrap(),
        Query::new().actor("alice"),
        Query::new().actor("carol"),
        Query::new().actor("bob").outcome(Outcome::Denied),
        Query::new().outcome(Outcome::Failure),
        Query::new().outcome(Outcome::Success).not_outcome(Outcome::Success),
        Query::new(),
        Query::new().system(true),
        Query::new().system(true).actor("bulla").actor("bob"),
        Query::new().system(true).actor("alice"),
        action("d*").system(true).outcome(Outcome::Success),
    ]);
    queries
}

fn disclosed(candidates: &Candidates, window: Window) -> Vec<u32> {
    let all = u32::try_from(window.low).unwrap()..u32::try_from(window.high).unwrap();
    match candidates {
        Candidates::All => all.collect(),
        Candidates::AllBut(others) => all.filter(|at| !others.contains(at)).collect(),
        Candidates::Only(positions) => positions.clone(),
    }
}

#[test]
fn whatever_terms_are_shown_no_record_that_matches_is_left_out() {
    let collected = collected();
    let logical = collected.logical(Scope { log_id: LOG, first: TreeSize::new(FIRST) });
    let (sealed, terms) = (sealed(&logical), logical.terms.len() as u64);
    assert_eq!(terms, 11, "kind, actors, resource type, actions, outcomes");
    let window = Window { low: 1, high: RECORDS.len() as u64 };
    for query in queries() {
        let asked = AskedTerms::of(&query, LOG);
        let matching: Vec<u32> = (1..RECORDS.len())
            .filter(|n| {
                let (kind, time, subject) = subject(*n);
                query.matches(time, kind, &subject)
            })
            .map(|n| u32::try_from(n).unwrap())
            .collect();
        let mut accepted = 0;
        for clauses in 0..1_u8 << asked.clauses.len() {
            for anchors in [false, true] {
                let meant: Vec<bool> = logical
                    .terms
                    .iter()
                    .map(|term| {
                        let of = asked.clauses.iter().enumerate();
                        let mut of = of.filter(|(n, _)| clauses >> n & 1 == 1);
                        of.any(|(_, clause)| clause.wanted.iter().any(|w| w.means_key(&term.key)))
                            || anchors && asked.anchors.means_key(&term.key)
                    })
                    .collect();
                for set in 0_u64..1 << terms {
                    let shown: Vec<u64> = (0..terms).filter(|at| set >> at & 1 == 1).collect();
                    let mut evidence = evidence(&logical, &shown, &meant);
                    (evidence.clauses, evidence.anchors) = (clauses, anchors);
                    let found = evidence.read(&asked, &sealed, window).map(|read| read.candidates);
                    let Ok(found) = found else { continue };
                    let found = disclosed(&found, window);
                    assert!(found.is_sorted_by(|a, b| a < b));
                    let missing = matching.iter().find(|at| !found.contains(at));
                    assert_eq!(missing, None, "{query:?}: {shown:?} of clauses {clauses:b}");
                    accepted += 1;
                }
            }
        }
        assert!(accepted > 0, "{query:?}");
    }
}

#[test]
fn an_index_of_another_segment_or_log_is_refused() {
    let collected = collected();
    let scope = Scope { log_id: LOG, first: TreeSize::new(FIRST) };
    let logical = collected.logical(scope);
    let asked = AskedTerms::of(&Query::new().action("g*").unwrap(), LOG);
    let window = Window { low: 0, high: 9 };
    let good = sealed(&logical);
    let shown = |place: u64| evidence(&logical, &[place], &[false; 11]);
    // The last action, behind which there are no outcomes that begin so.
    let mut evidence = evidence(&logical, &[8, 9], &[false; 11]);
    evidence.clauses = 1;
    assert!(evidence.read(&asked, &good, window).is_ok());
    for place in 0..11 {
        let mut alone = shown(place);
        alone.clauses = 1;
        assert!(alone.read(&asked, &good, window).is_err(), "neighbour {place} alone");
    }
    let others = [
        Sealed { first: FIRST + 1, ..good },
        Sealed { count: 10, ..good },
        Sealed { index_root: [0; 32], ..good },
    ];
    for other in others {
        assert!(evidence.read(&asked, &other, window).is_err());
    }
    let query = Query::new().action("g*").unwrap();
    let stranger = AskedTerms::of(&query, crate::format::LogId([8; 16]));
    assert!(evidence.read(&stranger, &good, window).is_err());
}

#[test]
fn times_of_one_axis_do_not_pass_for_those_of_the_other() {
    let mut collected = Collected::default();
    for n in 0..5_i64 {
        let (_, _, subject) = subject(1);
        let occurred_at = Timestamp::from_nanos(-n);
        collected.add(
            RecordKind::Event,
            Timestamp::from_nanos(n),
            &Subject { occurred_at, ..subject },
        );
    }
    let logical = collected.logical(Scope { log_id: LOG, first: TreeSize::new(FIRST) });
    let sealed = Sealed { count: 5, times: [0, 4, -4, 0], ..sealed(&logical) };
    let query = Query::new().occurred_until(Timestamp::from_nanos(-2));
    let (asked, window) = (AskedTerms::of(&query, LOG), Window { low: 0, high: 5 });
    let times = |entries: &[crate::terms::TimeEntry]| {
        Some(TimeEvidence { first_chunk: 0, entries: entries.to_vec(), hashes: Vec::new() })
    };
    let terms = vec![false; logical.terms.len()];
    let mut good = evidence(&logical, &[], &terms);
    good.occurred = times(&logical.occurred);
    let found = good.read(&asked, &sealed, window).map(|read| read.candidates);
    assert_eq!(disclosed(&found.ok().unwrap(), window), [3, 4]);
    good.occurred = times(&logical.recorded);
    assert!(good.read(&asked, &sealed, window).is_err());
    std::mem::swap(&mut good.occurred_root, &mut good.recorded_root);
    assert!(good.read(&asked, &sealed, window).is_err());
}
