use super::*;
use crate::format::LogId;
use crate::hash::Hash;
use crate::hash::HashAlgorithm;
use crate::seq::Seq;

fn sealed(ordinal: u64) -> Sealed {
    Sealed {
        ordinal,
        first: 10 * (ordinal - 1),
        count: 10,
        bytes: 4_096,
        times: [1, 2, 3, 4],
        end_root: [1; 32],
        header: [2; 32],
        index_root: [0; 32],
        keep_until: 0,
        status: 0,
    }
}

fn changed(change: u8) -> KeysChanged<'static> {
    KeysChanged {
        change,
        number: 1,
        statement: [5; 32],
        key: "a+1+x",
        introduced: "a+2+y",
        origin: "a",
        note: "n\n",
    }
}

const CREATED: Created<'static> = Created { origin: "a", hash_algorithm: 1, created_at: 0 };
const COPY: Archived<'static> =
    Archived { ordinal: 2, location: "there", digest: [9; 32], bytes: 1, archived_at: 1 };

/// A log with segments 1 and 2.
fn two_segments() -> StateMap {
    let mut state = StateMap::default();
    let bodies = [
        CatalogBody::Created(CREATED),
        CatalogBody::Sealed(sealed(1)),
        CatalogBody::Sealed(sealed(2)),
        CatalogBody::Archived(COPY),
    ];
    for body in &bodies {
        state.apply(Seq::new(0), body).unwrap();
    }
    state
}

#[test]
fn a_change_of_keys_says_who_signs_and_who_revokes() {
    let mut state = StateMap::default();
    state.apply(Seq::new(0), &CatalogBody::Created(CREATED)).unwrap();
    assert_eq!((state.origin(), state.keys_in_force()), (Some("a"), None));
    let second = KeysChanged { number: 2, ..changed(2) };
    assert!(state.changes(Seq::new(0), &CatalogBody::KeysChanged(second)).is_err(), "no first one");
    state.apply(Seq::new(0), &CatalogBody::KeysChanged(changed(2))).unwrap();
    let keys = state.keys_in_force().unwrap();
    assert_eq!((keys.signer, keys.recovery, keys.number), ("a+1+x", "a+2+y", 1));
    assert_eq!(state.keys().count(), 0, "a recovery key signs no heads");
    let rotated = KeysChanged { number: 2, introduced: "a+3+z", ..changed(1) };
    state.apply(Seq::new(0), &CatalogBody::KeysChanged(rotated.clone())).unwrap();
    let keys = state.keys_in_force().unwrap();
    assert_eq!((keys.signer, keys.recovery, keys.origin), ("a+3+z", "a+2+y", "a"));
    assert_eq!(state.keys().collect::<Vec<_>>(), ["a+3+z"]);
    let next = KeysChanged { number: 3, key: "a+3+z", introduced: "a+4+w", ..changed(1) };
    let refused = [
        KeysChanged { change: 5, ..next.clone() },
        KeysChanged { number: 2, ..next.clone() },
        KeysChanged { number: 4, ..next.clone() },
        KeysChanged { key: "a+1+x", ..next.clone() },
        KeysChanged { origin: "b", ..next.clone() },
        KeysChanged { change: 3, origin: "b", ..next.clone() },
        KeysChanged { change: 4, ..next.clone() },
    ];
    for body in refused {
        assert!(
            state.changes(Seq::new(0), &CatalogBody::KeysChanged(body.clone())).is_err(),
            "{body:?}"
        );
    }
    let revoked = KeysChanged { change: 3, key: "a+1+x", ..next.clone() };
    assert!(state.changes(Seq::new(0), &CatalogBody::KeysChanged(revoked)).is_ok());
    let retired = KeysChanged { change: 4, introduced: "b+5+v", origin: "b", ..next };
    state.apply(Seq::new(0), &CatalogBody::KeysChanged(retired)).unwrap();
    assert_eq!(state.origin(), Some("b"));
}

fn begun(ordinal: u64) -> DropStarted<'static> {
    let Sealed { first, count, bytes, times, end_root, header, index_root, .. } = sealed(ordinal);
    DropStarted {
        ordinal,
        first,
        count,
        bytes,
        times,
        start_root: [1; 32],
        end_root,
        range: vec![[7; 32], [8; 32]],
        header,
        index_root,
        keep_until: 5,
        policy: 7,
        now: 9,
        now_from: 0,
        holds: 0,
        scanned: 10,
        archived: Some(ArchivedAt { location: "there", digest: [9; 32] }),
    }
}

fn policy(keep: u64, compliance: bool) -> PolicySet<'static> {
    PolicySet {
        preset: "",
        keep,
        archive: false,
        compliance,
        min_age: 0,
        min_records: 0,
        set_at: 1,
    }
}

const HOLD: HoldPlaced<'static> =
    HoldPlaced { case: "c", scope: b"scope", placed_at: 1, review_by: Some(2) };
const RESTORED: Restored<'static> =
    Restored { ordinal: 2, location: "there", digest: [9; 32], restored_at: 4 };

#[test]
fn what_a_record_changed_can_be_taken_back() {
    let mut state = StateMap::default();
    let done = DropCompleted { ordinal: 2, done_at: 3 };
    let undone = DropAborted { ordinal: 2, case: "c" };
    let bodies = [
        CatalogBody::Created(CREATED),
        CatalogBody::Sealed(sealed(1)),
        CatalogBody::Sealed(sealed(2)),
        CatalogBody::Archived(COPY),
        CatalogBody::KeysChanged(changed(1)),
        CatalogBody::PolicySet(policy(0, false)),
        CatalogBody::DropStarted(begun(2)),
        CatalogBody::HoldPlaced(HOLD),
        CatalogBody::DropAborted(undone),
        CatalogBody::HoldReleased(HoldReleased { case: "c", released_at: 9 }),
        CatalogBody::DropStarted(begun(2)),
        CatalogBody::DropCompleted(done),
        CatalogBody::Restored(RESTORED),
        CatalogBody::Erased(erased(3)),
    ];
    for body in &bodies {
        let (before, root) = (state.clone(), state.root());
        let changes = state.changes(Seq::new(7), body).unwrap();
        let back = state.change(changes.clone());
        assert_ne!(state.root(), root, "{body:?}");
        assert_eq!(state.change(back), changes);
        assert_eq!((&state, state.root()), (&before, root), "{body:?}");
        state.apply(Seq::new(7), body).unwrap();
    }
    // What is refused changes nothing.
    let (before, root) = (state.clone(), state.root());
    for body in [CatalogBody::DropCompleted(done), CatalogBody::DropStarted(begun(3))] {
        assert!(state.apply(Seq::new(8), &body).is_err());
        assert_eq!((&state, state.root()), (&before, root));
    }
    assert_eq!(state.newest_certificate(), Some(Seq::new(7)));
}

#[test]
fn a_segment_goes_and_comes_back_only_in_that_order() {
    let mut state = two_segments();
    let seq = Seq::new(7);
    let mut apply = |body: CatalogBody<'_>| state.apply(seq, &body).map(|()| state.clone());
    assert!(apply(CatalogBody::DropStarted(begun(2))).is_err(), "no policy");
    apply(CatalogBody::PolicySet(policy(0, false))).unwrap();
    let early = DropStarted { now: 4, ..begun(2) };
    assert!(apply(CatalogBody::DropStarted(early)).is_err(), "before its time");
    let blind = DropStarted { holds: 1, ..begun(2) };
    assert!(apply(CatalogBody::DropStarted(blind)).is_err(), "compared with other holds");
    let done = || CatalogBody::DropCompleted(DropCompleted { ordinal: 2, done_at: 3 });
    assert!(apply(done()).is_err(), "nothing was begun");
    assert!(apply(CatalogBody::DropStarted(begun(3))).is_err(), "no such segment");
    let other = DropStarted { end_root: [0; 32], ..begun(2) };
    assert!(apply(CatalogBody::DropStarted(other)).is_err(), "another segment");
    let status = |state: &StateMap| state.segment(2).unwrap().status;
    let begun_state = apply(CatalogBody::DropStarted(begun(2))).unwrap();
    assert_eq!((status(&begun_state), begun_state.certificate_of(2)), (1, Some(seq)));
    assert!(apply(CatalogBody::DropStarted(begun(2))).is_err(), "twice");
    let undone = || CatalogBody::DropAborted(DropAborted { ordinal: 2, case: "c" });
    assert!(apply(undone()).is_err(), "no such hold");
    apply(CatalogBody::HoldPlaced(HOLD)).unwrap();
    let live = apply(undone()).unwrap();
    assert_eq!((status(&live), live.certificate_of(2)), (0, None));
    let begun = |ordinal| DropStarted { holds: 1, ..begun(ordinal) };
    apply(CatalogBody::DropStarted(begun(2))).unwrap();
    assert!(apply(CatalogBody::Restored(RESTORED)).is_err(), "not gone yet");
    assert_eq!(status(&apply(done()).unwrap()), 2);
    let back = apply(CatalogBody::Restored(RESTORED)).unwrap();
    assert_eq!((status(&back), back.certificate_of(2)), (3, Some(seq)));
    assert_eq!(status(&apply(CatalogBody::DropStarted(begun(2))).unwrap()), 4);
    assert_eq!(status(&apply(undone()).unwrap()), 3);
}

#[test]
fn a_certificate_follows_from_seal_policy_and_archive() {
    let mut state = two_segments();
    state.apply(Seq::new(7), &CatalogBody::PolicySet(policy(0, false))).unwrap();
    let says = |state: &StateMap, drop: DropStarted<'static>| {
        let changes = state.changes(Seq::new(8), &CatalogBody::DropStarted(drop));
        changes.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(says(&state, begun(2)), "");
    assert_eq!(says(&state, DropStarted { archived: None, ..begun(2) }), "", "none was asked for");
    let other = ArchivedAt { location: "elsewhere", digest: [9; 32] };
    let cases = [
        (DropStarted { now_from: 2, ..begun(2) }, "now_from 0 or 1"),
        (DropStarted { policy: 6, ..begun(2) }, "policy 7"),
        (DropStarted { scanned: 9, ..begun(2) }, "10 records compared"),
        (DropStarted { start_root: [6; 32], ..begun(2) }, "start_root 0101"),
        (DropStarted { keep_until: 1, ..begun(2) }, "keep_until 2"),
        (DropStarted { archived: Some(other), ..begun(2) }, "the archived copy \"there\""),
        (DropStarted { archived: begun(2).archived, ..first_begun() }, "no archived copy"),
    ];
    for (drop, expected) in cases {
        let said = says(&state, drop);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(says(&state, first_begun()), "");
    let archiving = PolicySet { archive: true, ..policy(0, false) };
    state.apply(Seq::new(7), &CatalogBody::PolicySet(archiving)).unwrap();
    assert_eq!(says(&state, begun(2)), "");
    assert!(says(&state, first_begun()).contains("an archived copy, as the policy asks"));
}

/// A certificate of the first segment, before which there is nothing, without a copy.
fn first_begun() -> DropStarted<'static> {
    let start_root = *HashAlgorithm::Sha256.empty_root().as_bytes();
    DropStarted { start_root, archived: None, ..begun(1) }
}

#[test]
fn a_seal_continues_the_one_before_and_is_live() {
    let state = two_segments();
    let refused = |state: &StateMap, sealed: Sealed| {
        let changes = state.changes(Seq::new(4), &CatalogBody::Sealed(sealed));
        changes.err().map(|error| error.to_string())
    };
    assert_eq!(refused(&state, sealed(3)), None);
    let expected = "the seal of segment 3 from record 20";
    let cases = [
        (Sealed { status: 1, ..sealed(3) }, "status 0 (live)"),
        (Sealed { status: 9, ..sealed(3) }, "status 0 (live)"),
        (sealed(2), expected),
        (sealed(4), expected),
        (Sealed { first: 19, ..sealed(3) }, expected),
        (Sealed { first: 21, ..sealed(3) }, expected),
        (Sealed { count: 0, ..sealed(3) }, expected),
        (Sealed { count: u64::MAX, ..sealed(3) }, expected),
        (Sealed { times: [2, 1, 3, 4], ..sealed(3) }, "the smallest and the largest times"),
        (Sealed { times: [1, 2, 4, 3], ..sealed(3) }, "the smallest and the largest times"),
        (Sealed { keep_until: 7, ..sealed(3) }, "keep_until 0"),
    ];
    for (sealed, expected) in cases {
        let said = refused(&state, sealed).unwrap_or_default();
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let mut kept = state;
    kept.apply(Seq::new(4), &CatalogBody::PolicySet(policy(1, false))).unwrap();
    let until = 2 + 1_000_000_000;
    for keep_until in [0, until - 1] {
        let said = refused(&kept, Sealed { keep_until, ..sealed(3) }).unwrap_or_default();
        assert!(said.contains(&format!("keep_until {until} or later")), "{said}");
    }
    assert_eq!(refused(&kept, Sealed { keep_until: until, ..sealed(3) }), None);
}

#[test]
fn a_log_is_created_once_and_a_copy_is_one_of_a_sealed_segment() {
    let state = two_segments();
    let again = Created { origin: "b", ..CREATED };
    let said = state.changes(Seq::new(4), &CatalogBody::Created(again)).unwrap_err().to_string();
    assert!(said.contains("found a second one, of \"b\""), "{said}");
    let unknown = Created { hash_algorithm: 3, ..CREATED };
    assert!(StateMap::default().changes(Seq::new(0), &CatalogBody::Created(unknown)).is_err());
    let copy = Archived { ordinal: 3, ..COPY };
    assert!(state.changes(Seq::new(4), &CatalogBody::Archived(copy)).is_err());
}

#[test]
fn a_certificate_that_counts_from_a_clock_that_was_behind_is_refused() {
    let mut state = StateMap::default();
    let sealed_at = |ordinal, newest: i64| {
        let keep_until = newest + 1_000_000_000;
        Sealed { times: [0, newest, 0, 0], keep_until, ..sealed(ordinal) }
    };
    let created = Created { origin: "z", hash_algorithm: 1, created_at: 4 };
    let mut bodies = vec![CatalogBody::Created(created), CatalogBody::PolicySet(policy(1, true))];
    let times = [1, 9_000_000_000, 2, 10_000_000_000];
    bodies.extend((1..).zip(times).map(|(n, newest)| CatalogBody::Sealed(sealed_at(n, newest))));
    bodies.iter().for_each(|body| state.apply(Seq::new(7), body).unwrap());
    assert_eq!(
        [1, 2, 3, 4].map(|n| state.latest_time(n)),
        [4, times[1], times[1], times[3]].map(Some)
    );
    assert_eq!(state.latest_time_before(3), Some(times[1]));
    assert_eq!(state.newest_times_behind(2).collect::<Vec<_>>(), times[2..]);
    let drop = |ordinal, keep_until| {
        let times = sealed_at(ordinal, times[usize::try_from(ordinal).unwrap() - 1]).times;
        let first = if ordinal == 1 { first_begun() } else { begun(ordinal) };
        let body = DropStarted { times, keep_until, now: keep_until, archived: None, ..first };
        CatalogBody::DropStarted(body)
    };
    let second = 1_000_000_000;
    let least = [(1, 4 + second), (2, times[1] + second), (3, times[1] + second)];
    for (ordinal, least) in least {
        assert!(state.changes(Seq::new(8), &drop(ordinal, least - 1)).is_err(), "{ordinal}");
        assert!(state.changes(Seq::new(8), &drop(ordinal, least)).is_ok(), "{ordinal}");
    }
    // Also by a state that was read from a snapshot, and of which a segment is dropped.
    state.apply(Seq::new(8), &drop(2, times[1] + second)).unwrap();
    let entries = state.entries().map(|(key, value)| (key.to_owned(), value.to_vec()));
    let read = StateMap::from_entries(entries);
    assert_eq!(read, state);
    assert!(read.changes(Seq::new(9), &drop(3, 2 + second)).is_err());
    assert!(read.changes(Seq::new(9), &drop(3, times[1] + second)).is_ok());
}

#[test]
fn holds_are_placed_and_released_once_and_compliance_mode_is_not_left() {
    let mut state = StateMap::default();
    let mut apply = |body: CatalogBody<'_>| state.apply(Seq::new(4), &body).map(|()| state.clone());
    let release = || CatalogBody::HoldReleased(HoldReleased { case: "c", released_at: 2 });
    assert!(apply(release()).is_err());
    assert_eq!(apply(CatalogBody::HoldPlaced(HOLD)).unwrap().holds().count(), 1);
    assert!(apply(CatalogBody::HoldPlaced(HOLD)).is_err());
    assert_eq!(apply(release()).unwrap().holds().count(), 0);
    for keep in [10, 5] {
        assert!(apply(CatalogBody::PolicySet(policy(keep, false))).is_ok());
    }
    let strict = apply(CatalogBody::PolicySet(policy(7, true))).unwrap();
    assert_eq!(strict.policy().unwrap().seq, 4);
    assert!(apply(CatalogBody::PolicySet(policy(6, true))).is_err(), "shorter");
    assert!(apply(CatalogBody::PolicySet(policy(9, false))).is_err(), "left");
    assert!(apply(CatalogBody::PolicySet(policy(9, true))).is_ok());
}

#[test]
fn the_payload_of_a_hold_has_a_custodian_and_others_have_none() {
    let because = RecordedAttribution { who: Some("w"), why: None, custodian: Some("c") };
    let bytes = because.encode(kind::HOLD_PLACED).unwrap();
    assert_eq!(RecordedAttribution::decode(kind::HOLD_PLACED, &bytes).unwrap(), because);
    assert!(RecordedAttribution::decode(kind::POLICY_SET, &bytes).is_err());
    let others = because.encode(kind::POLICY_SET).unwrap();
    let read = RecordedAttribution::decode(kind::POLICY_SET, &others).unwrap();
    assert_eq!(read, RecordedAttribution { custodian: None, ..because });
}

#[test]
fn every_body_round_trips_and_refuses_other_lengths() {
    let bodies = [
        CatalogBody::HoldPlaced(HOLD),
        CatalogBody::HoldReleased(HoldReleased { case: "c", released_at: 2 }),
        CatalogBody::PolicySet(policy(1, true)),
        CatalogBody::DropStarted(begun(2)),
        CatalogBody::DropCompleted(DropCompleted { ordinal: 2, done_at: 3 }),
        CatalogBody::DropAborted(DropAborted { ordinal: 2, case: "c" }),
        CatalogBody::Archived(Archived {
            ordinal: 2,
            location: "there",
            digest: [9; 32],
            bytes: 4,
            archived_at: 5,
        }),
        CatalogBody::Restored(RESTORED),
        CatalogBody::Created(Created { origin: "a", hash_algorithm: 1, created_at: -5 }),
        CatalogBody::Sealed(sealed(3)),
        CatalogBody::HeadSigned(HeadSigned { size: 7, root: [4; 32], note: "n\n" }),
        CatalogBody::KeyAdded(KeyAdded { vkey: "x+1+y" }),
        CatalogBody::KeysChanged(changed(1)),
        CatalogBody::Quarantined(Quarantined {
            stream: 1,
            ordinal: 2,
            offset: 3,
            len: 4,
            file: "f",
            reason: "r",
        }),
        CatalogBody::ClockStepped(ClockStepped { expected: 1, found: 2, ordinal: 3 }),
        CatalogBody::Erased(erased(2)),
    ];
    let root = Hash::from_bytes([8; 32]);
    for body in bodies {
        let bytes = body.encode(&root).unwrap();
        let read = CatalogBody::decode(body.kind(), &bytes);
        assert_eq!(read, Ok((root, body.clone())));
        for cut in 0..bytes.len() {
            assert!(CatalogBody::decode(body.kind(), &bytes[..cut]).is_err(), "{body:?} {cut}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(CatalogBody::decode(body.kind(), &longer).is_err(), "{body:?}");
    }
}

#[test]
fn a_longer_spelling_is_refused_and_an_unknown_kind_is_kept() {
    let stepped = CatalogBody::ClockStepped(ClockStepped { expected: 0, found: 0, ordinal: 1 });
    let bytes = stepped.encode(&Hash::ZERO).unwrap();
    assert_eq!(&bytes[32..], [0, 0, 1]);
    let longer = [&bytes[..34], &[251, 1, 0]].concat();
    assert!(CatalogBody::decode(kind::CLOCK_STEPPED, &bytes).is_ok());
    assert!(CatalogBody::decode(kind::CLOCK_STEPPED, &longer).is_err());
    for kind in [22, 24, 200] {
        let (root, body) = CatalogBody::decode(kind, &longer).unwrap();
        assert_eq!((root, body.kind()), (Hash::ZERO, kind));
        assert_eq!(body.encode(&root).unwrap(), longer);
        let state = two_segments();
        assert_eq!(state.changes(Seq::new(4), &body), Ok(Changes::default()));
    }
    assert!(CatalogBody::decode(15, &bytes).is_err(), "no kind of the catalog");
}

#[test]
fn the_state_root_depends_on_every_entry_and_not_on_their_order() {
    let state = two_segments();
    let mut entries: Vec<(String, Vec<u8>)> = Snapshot::entries_of(&state);
    let same = StateMap::from_entries(entries.iter().rev().cloned());
    assert_eq!(same.root(), state.root());
    assert_eq!(same.segments().map(|s| s.ordinal).collect::<Vec<_>>(), [1, 2]);
    for at in 0..entries.len() {
        let left_out = entries.remove(at);
        assert_ne!(StateMap::from_entries(entries.iter().cloned()).root(), state.root());
        entries.insert(at, left_out);
    }
}

#[test]
fn a_snapshot_round_trips_and_damage_is_refused() {
    let state = two_segments();
    let snapshot = Snapshot {
        size: 1,
        peaks: vec![[3; 32]],
        ordinal: 1,
        nonce: [4; 16],
        offset: 600,
        state: Snapshot::entries_of(&state),
        signed: (0, [0; 32]),
    };
    let log_id = LogId([6; 16]);
    let good = snapshot.encode(log_id).unwrap();
    let read = Snapshot::decode(&good, log_id).unwrap();
    assert_eq!((&read, read.state_map()), (&snapshot, state));
    assert!(Snapshot::decode(&good, LogId([7; 16])).is_err());
    let mut turned = snapshot;
    turned.state.swap(0, 1);
    assert!(Snapshot::decode(&turned.encode(log_id).unwrap(), log_id).is_err());
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(Snapshot::decode(&bad, log_id).is_err(), "byte {at}");
    }
}

fn erased(keys: u16) -> Erased {
    let key_ids = (0..keys).map(|n| {
        let mut id = [9; 16];
        id[0] = u8::try_from(n >> 8).unwrap();
        id[1] = u8::try_from(n & 0xff).unwrap();
        id
    });
    Erased { erased_at: i64::MIN, key_ids: key_ids.collect(), size: u64::MAX, records: 3 }
}

#[test]
fn erased_keys_are_in_the_state_and_their_lists_are_bounded_and_ascending() {
    let root = Hash::from_bytes([8; 32]);
    let decoded = |erased: Erased| {
        let bytes = CatalogBody::Erased(erased).encode(&root).unwrap();
        CatalogBody::decode(kind::ERASED, &bytes).map(|_| ())
    };
    assert_eq!(decoded(erased(1024)), Ok(()));
    for bad in [0, 1025, 3000] {
        assert!(decoded(erased(bad)).is_err(), "{bad} keys");
    }
    let mut twice = erased(2);
    twice.key_ids[1] = twice.key_ids[0];
    assert!(decoded(twice).is_err());
    // A list that claims to be long is not believed: 2^64 - 1 keys, and none there.
    let mut hostile = root.as_bytes().to_vec();
    hostile.extend_from_slice(&[0, 253, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert!(CatalogBody::decode(kind::ERASED, &hostile).is_err());

    let mut state = StateMap::default();
    let before = state.root();
    state.apply(Seq::new(0), &CatalogBody::Erased(erased(3))).unwrap();
    assert_ne!(state.root(), before);
    let ids: Vec<[u8; 16]> = state.erased_keys().map(|id| id.0).collect();
    assert_eq!(ids, erased(3).key_ids);
    let keys: Vec<&str> = state.entries().map(|(key, _)| key).collect();
    assert_eq!(keys[1], "erased/00010909090909090909090909090909");
}
