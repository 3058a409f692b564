use super::*;
use crate::seq::Seq;

fn sealed(ordinal: u64) -> Sealed {
    Sealed {
        ordinal,
        first: 10 * ordinal,
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
        number: 3,
        statement: [5; 32],
        key: "a+1+x",
        introduced: "a+2+y",
        origin: "a",
        note: "n\n",
    }
}

#[test]
fn a_change_of_keys_says_who_signs_and_who_revokes() {
    let mut state = StateMap::default();
    let created = Created { origin: "z", hash_algorithm: 1, created_at: 0 };
    state.apply(Seq::new(0), &CatalogBody::Created(created)).unwrap();
    assert_eq!((state.origin(), state.keys_in_force()), (Some("z"), None));
    state.apply(Seq::new(0), &CatalogBody::KeysChanged(changed(2))).unwrap();
    let keys = state.keys_in_force().unwrap();
    assert_eq!((keys.signer, keys.recovery, keys.number), ("a+1+x", "a+2+y", 3));
    assert_eq!(state.keys().count(), 0, "a recovery key signs no heads");
    let rotated = KeysChanged { introduced: "a+3+z", ..changed(1) };
    state.apply(Seq::new(0), &CatalogBody::KeysChanged(rotated)).unwrap();
    let keys = state.keys_in_force().unwrap();
    assert_eq!((keys.signer, keys.recovery, keys.origin), ("a+3+z", "a+2+y", "a"));
    assert_eq!(state.keys().collect::<Vec<_>>(), ["a+3+z"]);
    assert_eq!(state.origin(), Some("a"));
}

fn begun(ordinal: u64) -> DropBegun<'static> {
    let Sealed { first, count, bytes, times, end_root, header, index_root, .. } = sealed(ordinal);
    DropBegun {
        ordinal,
        first,
        count,
        bytes,
        times,
        start_root: [6; 32],
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
    let created = Created { origin: "z", hash_algorithm: 1, created_at: 0 };
    let done = DropDone { ordinal: 2, done_at: 3 };
    let undone = DropUndone { ordinal: 2, case: "c" };
    let bodies = [
        CatalogBody::Created(created),
        CatalogBody::Sealed(sealed(1)),
        CatalogBody::Sealed(sealed(2)),
        CatalogBody::KeysChanged(changed(1)),
        CatalogBody::PolicySet(policy(0, false)),
        CatalogBody::HoldPlaced(HOLD),
        CatalogBody::HoldReleased(HoldReleased { case: "c", released_at: 9 }),
        CatalogBody::DropBegun(begun(2)),
        CatalogBody::DropUndone(undone),
        CatalogBody::DropBegun(begun(2)),
        CatalogBody::DropDone(done),
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
    for body in [CatalogBody::DropDone(done), CatalogBody::DropBegun(begun(3))] {
        assert!(state.apply(Seq::new(8), &body).is_err());
        assert_eq!((&state, state.root()), (&before, root));
    }
    assert_eq!(state.newest_certificate(), Some(Seq::new(7)));
}

#[test]
fn a_segment_goes_and_comes_back_only_in_that_order() {
    let mut state = StateMap::default();
    let seq = Seq::new(7);
    let mut apply = |body: CatalogBody<'_>| state.apply(seq, &body).map(|()| state.clone());
    apply(CatalogBody::Sealed(sealed(2))).unwrap();
    assert!(apply(CatalogBody::DropBegun(begun(2))).is_err(), "no policy");
    apply(CatalogBody::PolicySet(policy(0, false))).unwrap();
    let early = DropBegun { now: 4, ..begun(2) };
    assert!(apply(CatalogBody::DropBegun(early)).is_err(), "before its time");
    let blind = DropBegun { holds: 1, ..begun(2) };
    assert!(apply(CatalogBody::DropBegun(blind)).is_err(), "compared with other holds");
    let done = || CatalogBody::DropDone(DropDone { ordinal: 2, done_at: 3 });
    assert!(apply(done()).is_err(), "nothing was begun");
    assert!(apply(CatalogBody::DropBegun(begun(3))).is_err(), "no such segment");
    let other = DropBegun { end_root: [0; 32], ..begun(2) };
    assert!(apply(CatalogBody::DropBegun(other)).is_err(), "another segment");
    let status = |state: &StateMap| state.segment(2).unwrap().status;
    let begun_state = apply(CatalogBody::DropBegun(begun(2))).unwrap();
    assert_eq!((status(&begun_state), begun_state.certificate_of(2)), (1, Some(seq)));
    assert!(apply(CatalogBody::DropBegun(begun(2))).is_err(), "twice");
    let undone = CatalogBody::DropUndone(DropUndone { ordinal: 2, case: "c" });
    let live = apply(undone).unwrap();
    assert_eq!((status(&live), live.certificate_of(2)), (0, None));
    apply(CatalogBody::DropBegun(begun(2))).unwrap();
    assert!(apply(CatalogBody::Restored(RESTORED)).is_err(), "not gone yet");
    assert_eq!(status(&apply(done()).unwrap()), 2);
    let back = apply(CatalogBody::Restored(RESTORED)).unwrap();
    assert_eq!((status(&back), back.certificate_of(2)), (3, Some(seq)));
    assert_eq!(status(&apply(CatalogBody::DropBegun(begun(2))).unwrap()), 4);
    let undone = CatalogBody::DropUndone(DropUndone { ordinal: 2, case: "c" });
    assert_eq!(status(&apply(undone).unwrap()), 3);
}

#[test]
fn a_certificate_that_counts_from_a_clock_that_was_behind_is_refused() {
    let mut state = StateMap::default();
    let sealed_at = |ordinal, newest: i64| Sealed { times: [0, newest, 0, 0], ..sealed(ordinal) };
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
        let body = DropBegun { times, keep_until, now: keep_until, ..begun(ordinal) };
        CatalogBody::DropBegun(body)
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
    let because = Because { who: Some("w"), why: None, custodian: Some("c") };
    let bytes = because.encode(kind::HOLD_PLACED).unwrap();
    assert_eq!(Because::decode(kind::HOLD_PLACED, &bytes).unwrap(), because);
    assert!(Because::decode(kind::POLICY_SET, &bytes).is_err());
    let others = because.encode(kind::POLICY_SET).unwrap();
    let read = Because::decode(kind::POLICY_SET, &others).unwrap();
    assert_eq!(read, Because { custodian: None, ..because });
}

#[test]
fn every_body_round_trips_and_refuses_other_lengths() {
    let bodies = [
        CatalogBody::HoldPlaced(HOLD),
        CatalogBody::HoldReleased(HoldReleased { case: "c", released_at: 2 }),
        CatalogBody::PolicySet(policy(1, true)),
        CatalogBody::DropBegun(begun(2)),
        CatalogBody::DropDone(DropDone { ordinal: 2, done_at: 3 }),
        CatalogBody::DropUndone(DropUndone { ordinal: 2, case: "c" }),
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
fn a_longer_spelling_and_an_unknown_kind_are_refused() {
    let stepped = CatalogBody::ClockStepped(ClockStepped { expected: 0, found: 0, ordinal: 1 });
    let bytes = stepped.encode(&Hash::ZERO).unwrap();
    assert_eq!(&bytes[32..], [0, 0, 1]);
    let longer = [&bytes[..34], &[251, 1, 0]].concat();
    assert!(CatalogBody::decode(kind::CLOCK_STEPPED, &bytes).is_ok());
    assert!(CatalogBody::decode(kind::CLOCK_STEPPED, &longer).is_err());
    let newer = CatalogBody::decode(41, &bytes);
    assert!(matches!(newer, Err(FormatError::Newer { found: 41, .. })));
}

#[test]
fn the_state_root_depends_on_every_entry_and_not_on_their_order() {
    let (mut one, mut other) = (StateMap::default(), StateMap::default());
    for n in [1, 2, 3] {
        one.apply(Seq::new(0), &CatalogBody::Sealed(sealed(n))).unwrap();
    }
    for n in [3, 1] {
        other.apply(Seq::new(0), &CatalogBody::Sealed(sealed(n))).unwrap();
    }
    assert_ne!(one.root(), other.root());
    other.apply(Seq::new(0), &CatalogBody::Sealed(sealed(2))).unwrap();
    assert_eq!(one.root(), other.root());
    assert_eq!(one.segments().map(|s| s.ordinal).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_snapshot_round_trips_and_damage_is_refused() {
    let mut state = StateMap::default();
    state.apply(Seq::new(0), &CatalogBody::Sealed(sealed(1))).unwrap();
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
