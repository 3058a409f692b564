use super::*;
use crate::event::{ActorRef, Outcome, RecordKind, TargetRef, TraceId};
use crate::format::LogId;
use crate::hash::{self, Hash, HashAlgorithm};
use crate::query::{Query, Subject, SubjectTargets};
use crate::seq::TreeSize;
use crate::time::Timestamp;

const LOG: LogId = LogId([7; 16]);

fn subject<'a>(actor: &'a str, kind: &'a str, action: &'a str, at: i64) -> Subject<'a> {
    Subject {
        id: None,
        occurred_at: Timestamp::from_nanos(at),
        tenant: Some("acme"),
        actor_type: kind,
        actor_id: actor,
        action,
        resource_type: "invoice",
        resource_id: None,
        on_behalf_of: None,
        targets: SubjectTargets::NONE,
        trace_id: None,
        outcome: Outcome::Denied,
        request_id: None,
        correlation_id: None,
    }
}

fn collected() -> Collected {
    let mut collected = Collected::default();
    let time = Timestamp::from_nanos;
    collected.add(RecordKind::Event, time(10), &subject("alice", "user", "user.login", 5));
    collected.add(RecordKind::Anchor, time(10), &Subject::of_anchor(time(10)));
    collected.add(RecordKind::Event, time(11), &subject("alice", "service", "user.logout", 3));
    collected.add(RecordKind::Event, time(12), &subject("bob", "user", "user.login", 4));
    collected
}

#[test]
fn an_anchor_has_one_term_and_no_times() {
    let collected = collected();
    assert_eq!(collected.records(), 4);
    assert_eq!(collected.list(&Term::of(Field::Kind, &[2])), [1]);
    assert_eq!(collected.terms(Field::Action).count(), 2);
    let logical = collected.logical(Scope { log_id: LOG, first: TreeSize::new(9) });
    let positions: Vec<u32> = logical.occurred.iter().map(|entry| entry.position).collect();
    assert_eq!(positions, [2, 3, 0]);
    assert_eq!((logical.records, logical.head().events), (4, 3));
}

#[test]
fn terms_are_found_by_name_and_type() {
    let collected = collected();
    assert_eq!(collected.list(&Term::typed(Field::Actor, b"alice", b"user")), [0]);
    assert_eq!(collected.list(&Term::typed(Field::Actor, b"alice", b"robot")), [] as [u32; 0]);
    let mut of_alice: Vec<&[u32]> = collected.lists_of_name(Field::Actor, b"alice").collect();
    of_alice.sort();
    assert_eq!(of_alice, [&[0], &[2]]);
}

/// The root as the specification has it, written a second time.
#[test]
fn the_root_is_that_of_the_specification() {
    let collected = collected();
    let scope = Scope { log_id: LOG, first: TreeSize::new(9) };
    let logical = collected.logical(scope);
    let sha = HashAlgorithm::Sha256;
    let name = |field: u8, part: u8, bytes: &[u8]| {
        *hash::sha256(&[b"bulla/index-name/v1\0", &[7; 16], &[field, part], bytes]).as_bytes()
    };
    let list = |positions: &[u32]| {
        let bytes: Vec<u8> = positions.iter().flat_map(|p| p.to_le_bytes()).collect();
        sha.leaf(&[b"bulla/index-positions/v1\0", &bytes])
    };
    let pair = |field: u8, id: &[u8], kind: &[u8]| {
        [&[field][..], &name(field, 0, id), &name(field, 1, kind)].concat()
    };
    let mut terms: Vec<(Vec<u8>, Vec<u32>)> = vec![
        (vec![1, 2], vec![1]),
        (pair(2, b"alice", b"user"), vec![0]),
        (pair(2, b"alice", b"service"), vec![2]),
        (pair(2, b"bob", b"user"), vec![3]),
        ([&[3][..], &name(3, 0, b"invoice")].concat(), vec![0, 2, 3]),
        ([&[5][..], &name(5, 0, b"acme")].concat(), vec![0, 2, 3]),
        (b"\x06user.login".to_vec(), vec![0, 3]),
        (b"\x06user.logout".to_vec(), vec![2]),
        (vec![7, 2], vec![0, 2, 3]),
    ];
    terms.sort();
    let leaves: Vec<Hash> = terms
        .iter()
        .map(|(key, positions)| {
            let key_len = u32::try_from(key.len()).unwrap().to_le_bytes();
            let count = (positions.len() as u64).to_le_bytes();
            let root = list(positions);
            sha.leaf(&[b"bulla/index-term/v1\0", &key_len, key, &count, root.as_bytes()])
        })
        .collect();
    let times = |entries: &[(i64, u32)]| {
        let bytes: Vec<u8> = entries
            .iter()
            .flat_map(|(time, at)| [&time.to_le_bytes()[..], &at.to_le_bytes()].concat())
            .collect();
        sha.leaf(&[b"bulla/index-times/v1\0", &bytes])
    };
    let expected = sha.leaf(&[
        b"bulla/index-head/v1\0",
        &[1],
        &[7; 16],
        &9_u64.to_le_bytes(),
        &4_u64.to_le_bytes(),
        &3_u64.to_le_bytes(),
        &9_u64.to_le_bytes(),
        crate::merkle::reference::root(sha, &leaves).as_bytes(),
        times(&[(3, 2), (4, 3), (5, 0)]).as_bytes(),
        times(&[(10, 0), (11, 2), (12, 3)]).as_bytes(),
    ]);
    assert_eq!(logical.head().root(), expected);
}

fn target<'a>(kind: &'a str, id: &'a str) -> TargetRef<'a> {
    TargetRef { kind, id, role: None }
}

#[test]
fn each_resource_that_a_record_names_has_the_record_once() {
    let named = [
        target("invoice", "1"),
        target("invoice", "2"),
        target("invoice", "1"),
        target("user", "1"),
    ];
    let targets = SubjectTargets::Read(&named);
    let main = Subject { resource_id: Some("2"), targets, ..subject("a", "user", "x", 1) };
    let mut collected = collected();
    collected.add(RecordKind::Event, Timestamp::from_nanos(13), &main);
    let list = |id: &[u8], kind: &[u8]| collected.list(&Term::typed(Field::Resource, id, kind));
    assert_eq!(list(b"1", b"invoice"), [4]);
    assert_eq!(list(b"2", b"invoice"), [4]);
    assert_eq!(list(b"1", b"user"), [4]);
    assert_eq!(collected.list(&Term::of(Field::ResourceType, b"invoice")), [0, 2, 3, 4]);
    assert_eq!(collected.list(&Term::of(Field::ResourceType, b"user")), [4]);
}

#[test]
fn what_is_new_in_specification_2_makes_the_index_one_of_it() {
    let plain = subject("a", "user", "x", 1);
    let named = [target("user", "1")];
    let behalf = ActorRef { kind: "user", id: "bob" };
    let scope = Scope { log_id: LOG, first: TreeSize::new(9) };
    let root_with = |added: Subject<'_>| {
        let mut collected = collected();
        assert_eq!(collected.spec(), SPEC);
        collected.add(RecordKind::Event, Timestamp::from_nanos(13), &added);
        (collected.spec(), collected.logical(scope).head())
    };
    assert_eq!(root_with(plain).0, SPEC);
    for added in [
        Subject { targets: SubjectTargets::Read(&named), ..plain },
        Subject { on_behalf_of: Some(behalf), ..plain },
        Subject { trace_id: TraceId::from_bytes([1; 16]), ..plain },
        Subject { outcome: Outcome::Unknown, ..plain },
    ] {
        let (spec, head) = root_with(added);
        assert_eq!(spec, SPEC_ADDED);
        assert_ne!(head.root(), IndexHead { spec: SPEC, ..head }.root());
    }
    let mut collected = collected();
    collected.add(
        RecordKind::Event,
        Timestamp::from_nanos(13),
        &Subject { on_behalf_of: Some(behalf), ..plain },
    );
    let logical = collected.logical(scope);
    let last = logical.terms.last().unwrap();
    let key = |part, bytes: &[u8]| {
        *hash::sha256(&[b"bulla/index-name/v1\0", &[7; 16], &[8, part], bytes]).as_bytes()
    };
    assert_eq!(last.key, [&[8][..], &key(0, b"bob"), &key(1, b"user")].concat());
    assert_eq!(last.positions, [4]);
}

#[test]
fn a_long_list_is_a_tree_of_chunks() {
    let positions: Vec<u32> = (0..300).map(|n| n * 3).collect();
    let leaves: Vec<Hash> = positions.chunks(CHUNK).map(position_chunk_leaf).collect();
    assert_eq!(leaves.len(), 3);
    let root = crate::merkle::reference::root(HashAlgorithm::Sha256, &leaves);
    assert_eq!(lists::positions_root(&positions), root);
}

#[test]
fn spellings_are_told_apart_and_read_back() {
    for term in [
        Term::typed(Field::Actor, b"a", b"bc"),
        Term::typed(Field::Actor, b"ab", b"c"),
        Term::typed(Field::Resource, &[b'x'; 300], b""),
        Term::of(Field::Action, b"user.login"),
    ] {
        let mut spelling = Vec::new();
        term.spell(&mut spelling);
        assert_eq!(Term::unspell(term.field, &spelling), Some(term));
    }
    assert_eq!(Term::unspell(Field::Actor, &[5, b'a']), None);
    assert_eq!(Term::unspell(Field::Actor, &[0xff; 12]), None);
}

#[test]
fn clauses_name_keys_that_mean_what_the_filters_mean() {
    let query = Query::new()
        .actor("alice")
        .actor_type_id("user", "alice")
        .actor_type_id("user", "bob")
        .action("user.*")
        .unwrap()
        .action("user.")
        .unwrap()
        .not_outcome(Outcome::Success);
    let clauses = clauses(&query, LOG);
    let sizes: Vec<usize> = clauses.iter().map(|clause| clause.wanted.len()).collect();
    assert_eq!(sizes, [2, 1, 4]); // user alice is one of the alices, and user. one of user.*
    assert_eq!(clauses[1].wanted[0].reach, Reach::Prefix);
    for term in [
        Term::typed(Field::Actor, b"alice", b"robot"),
        Term::typed(Field::Actor, b"bob", b"user"),
        Term::typed(Field::Actor, b"bob", b"robot"),
        Term::of(Field::Action, b"user.login"),
        Term::of(Field::Action, b"users"),
        Term::of(Field::Outcome, &[0]),
        Term::of(Field::Outcome, &[3]),
    ] {
        for wanted in clauses.iter().flat_map(|clause| &clause.wanted) {
            assert_eq!(wanted.means(&term), wanted.means_key(&term.key(LOG)), "{term:?}");
        }
    }
    assert!(super::clauses(&Query::new().action("*").unwrap(), LOG).is_empty());
    let nothing = Query::new().outcome(Outcome::Denied).not_outcome(Outcome::Denied);
    assert_eq!(super::clauses(&nothing, LOG), [Clause { wanted: vec![] }]);
}
