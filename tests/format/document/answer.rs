//! The answer of the worked example: the file, its evidence in hex, and the same with the
//! index in place of all records.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bulla::internals::format::layout;
use bulla::internals::terms::{Collected, Logical, Scope};
use bulla::merkle::{BatchPlan, NodeId};
use bulla::proof::{
    Answer, Evidence, IndexEvidence, SegmentEvidence, ShownList, TermEvidence, VerifiedAnswer,
};
use bulla::{Disclosure, Hash, HashAlgorithm, Log, Query, Seq, TreeSize, Trust};

use super::catalog::ExampleLog;
use super::{DOCUMENT, Part, by_layout, by_lengths, collected, example, show};

fn query() -> Query {
    Query::new().actor_type_id("user", "alice")
}

/// As the log proves it.
fn proved(log: &ExampleLog) -> Answer {
    let dir = tempfile::tempdir().unwrap();
    log.write(dir.path());
    let open = Log::open(dir.path()).unwrap();
    open.snapshot().prove_query(&query(), &log.checkpoint, Disclosure::Whole).unwrap()
}

fn verified(answer: &Answer, log: &ExampleLog) -> VerifiedAnswer {
    let trust = Trust::in_keys([log.key.verifying_key().clone()]);
    answer.verify(&trust).unwrap()
}

const EVIDENCE: &[(&str, usize)] = &[
    ("length of the query", 4),
    ("version, newest first, no limit", 3),
    ("actors: one", 4),
    ("its type: 4 bytes", 9),
    ("its id: 5 bytes", 10),
    ("resources, tenants, actions: none", 12),
    ("outcomes, refused outcomes, system", 3),
    ("request, correlation, event ids: none", 12),
    ("occurred, recorded: no limits", 4),
    ("from", 8),
    ("to", 8),
    ("length of the statement", 4),
    ("length of the anchor", 4),
    ("bulla-record/v1, form 2", 17),
    ("head: see “Record head”", 40),
    ("catalog_size", 1),
    ("catalog_root", 32),
    ("state_root", 32),
    ("C of its salt alone", 32),
    ("hashes in the main tree: one", 1),
    ("leaf of record 0", 32),
    ("claim 4", 1),
    ("entries", 8),
    ("number", 4),
    ("index", 8),
    ("length of the key", 4),
    ("key", 24),
    ("length of the value", 4),
    ("value: fields of record 1 of the catalog", 140),
    ("hashes in the state: one", 4),
    ("leaf of the entry “log”", 32),
    ("segments", 4),
    ("kind 03: all its records are disclosed", 1),
];

const INDEX: &[(&str, usize)] = &[
    ("kind 04", 1),
    ("events", 8),
    ("terms", 8),
    ("root of the terms", 32),
    ("occurred root", 32),
    ("recorded root", 32),
    ("shown: clause 0, the actors", 1),
    ("leaves", 4),
    ("place", 8),
    ("length of the key", 4),
    ("key: actor user, alice", 65),
    ("count", 8),
    ("root of the list", 32),
    ("list: shown, from chunk 0 on", 9),
    ("positions: one, 0", 5),
    ("hashes: none", 4),
    ("place", 8),
    ("length of the key", 4),
    ("key: resource type invoice", 33),
    ("count", 8),
    ("root of the list", 32),
    ("list: not shown", 1),
    ("hashes in the tree of the terms: two", 4),
    ("of places 2 and 3", 32),
    ("of places 4 and 5", 32),
    ("occurred, recorded: not shown", 2),
];

fn evidence_part(evidence: &Evidence) -> Part {
    by_lengths("evidence", &evidence.to_bytes(), EVIDENCE)
}

/// What stands in the bundle of the record, up to its envelope.
fn record_parts(answer: &Answer) -> Vec<Part> {
    let (start, rest) = answer.bundle.records[0].bytes.split_at(17);
    let head = &rest[..layout::record_head::LAYOUT.len];
    vec![
        by_lengths("record 0", start, &[("bulla-record/v1", 16), ("form 1", 1)]),
        by_layout("its head", head, layout::record_head::LAYOUT),
    ]
}

/// The same answer, with the lists of the actors in place of all records.
fn with_index(answer: &Answer) -> Answer {
    let collected: Collected = collected();
    let scope = Scope { log_id: example().header.log_id, first: TreeSize::ZERO };
    let logical = collected.logical(scope);
    let head = logical.head();
    let shown = |place: u64, list: Option<ShownList>| {
        let leaf = logical.terms[usize::try_from(place).unwrap()].leaf();
        TermEvidence { place, leaf, list }
    };
    let positions = logical.terms[0].positions.to_vec();
    let list = ShownList { first_chunk: 0, positions, hashes: Vec::new() };
    let index = IndexEvidence {
        events: head.events,
        terms: head.terms,
        terms_root: head.terms_root,
        occurred_root: head.occurred_root,
        recorded_root: head.recorded_root,
        clauses: 1,
        anchors: false,
        leaves: vec![shown(0, Some(list)), shown(1, None)],
        leaf_hashes: batch(&logical, &[0, 1]),
        occurred: None,
        recorded: None,
    };
    let mut answer = answer.clone();
    answer.evidence.segments = vec![SegmentEvidence::Index(Box::new(index))];
    answer
}

/// The batch proof of the terms at these places.
fn batch(logical: &Logical<'_>, places: &[u64]) -> Vec<Hash> {
    let seqs: Vec<Seq> = places.iter().copied().map(Seq::new).collect();
    let plan = BatchPlan::inclusion(&seqs, TreeSize::new(logical.terms.len() as u64)).unwrap();
    let node = |id: &NodeId| {
        let first = usize::try_from(id.index << id.level).unwrap();
        let mut tree = bulla::merkle::Frontier::new(HashAlgorithm::Sha256);
        let leaves = &logical.terms[first..first + (1 << id.level)];
        leaves.iter().for_each(|term| tree.push(term.leaf().hash(), |_, _| ()));
        tree.root()
    };
    let hashes: Vec<Hash> = plan.nodes().iter().map(node).collect();
    plan.assemble(HashAlgorithm::Sha256, &hashes).unwrap()
}

#[test]
fn the_answer_of_the_worked_example_is_what_the_code_writes() {
    let log = ExampleLog::make();
    let answer = proved(&log);
    let file = format!("```text\n{}```\n", answer.to_text());
    assert!(DOCUMENT.contains(&file), "docs/format.md should show:\n{file}");
    let key = format!("`{}`", log.key.verifying_key());
    assert!(DOCUMENT.contains(&key), "docs/format.md should name the key: {key}");
    let parts = [vec![evidence_part(&answer.evidence)], record_parts(&answer)].concat();
    for part in parts {
        let shown = format!("```text\n{}```\n", show(&[part], 0));
        assert!(DOCUMENT.contains(&shown), "docs/format.md should show:\n{shown}");
    }
}

#[test]
fn the_answer_of_the_worked_example_is_what_the_code_reads() {
    let log = ExampleLog::make();
    let text = document_answer();
    let answer = Answer::parse(text.as_bytes()).unwrap();
    assert_eq!(answer.to_text(), text);
    let found = verified(&answer, &log);
    assert_eq!((found.covers().start, found.covers().end), (Seq::new(0), Seq::new(1)));
    let hits: Vec<_> = found.hits().map(|hit| hit.record().event.clone()).collect();
    assert_eq!(hits, [super::event()]);
    assert_eq!(answer.evidence.query, query());
    assert_eq!(answer.bundle.checkpoint.dangerously_unverified().head(), log.head());
}

/// The file as it stands in the document.
fn document_answer() -> String {
    let text = DOCUMENT.split("```text\nbulla.dev/answer/v1\n").nth(2).unwrap();
    format!("bulla.dev/answer/v1\n{}", text.split("```").next().unwrap())
}

#[test]
fn the_index_of_the_worked_example_shows_the_same() {
    let log = ExampleLog::make();
    let answer = with_index(&proved(&log));
    let bytes = answer.evidence.to_bytes();
    let common: usize = EVIDENCE.iter().map(|(_, len)| len).sum::<usize>() - 1;
    assert_eq!(bytes[..common], proved(&log).evidence.to_bytes()[..common]);
    let shown = format!(
        "```text\n{}```\n",
        show(&[by_lengths("segment", &bytes[common..], INDEX)], common)
    );
    assert!(DOCUMENT.contains(&shown), "docs/format.md should show:\n{shown}");
    let text = document_answer();
    let (first, rest) = text.split_once("\n\n").unwrap();
    assert!(first.starts_with("bulla.dev/answer/v1\n"));
    let text = format!("bulla.dev/answer/v1\n{}\n\n{rest}", BASE64_STANDARD.encode(&bytes));
    let answer = Answer::parse(text.as_bytes()).unwrap();
    let found = verified(&answer, &log);
    assert_eq!(found.hits().len(), 1);
    assert_eq!(found.rests_on().len(), 1, "on the index root");
}
