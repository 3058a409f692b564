use super::*;

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
    state.apply(&CatalogBody::Created(created)).unwrap();
    assert_eq!((state.origin(), state.keys_in_force()), (Some("z"), None));
    state.apply(&CatalogBody::KeysChanged(changed(2))).unwrap();
    let keys = state.keys_in_force().unwrap();
    assert_eq!((keys.signer, keys.recovery, keys.number), ("a+1+x", "a+2+y", 3));
    assert_eq!(state.keys().count(), 0, "a recovery key signs no heads");
    let rotated = KeysChanged { introduced: "a+3+z", ..changed(1) };
    state.apply(&CatalogBody::KeysChanged(rotated)).unwrap();
    let keys = state.keys_in_force().unwrap();
    assert_eq!((keys.signer, keys.recovery, keys.origin), ("a+3+z", "a+2+y", "a"));
    assert_eq!(state.keys().collect::<Vec<_>>(), ["a+3+z"]);
    assert_eq!(state.origin(), Some("a"));
}

#[test]
fn every_body_round_trips_and_refuses_other_lengths() {
    let bodies = [
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
    let newer = CatalogBody::decode(kind::HOLD_PLACED, &bytes);
    assert!(matches!(newer, Err(FormatError::Newer { found: 32, .. })));
}

#[test]
fn the_state_root_depends_on_every_entry_and_not_on_their_order() {
    let (mut one, mut other) = (StateMap::default(), StateMap::default());
    for n in [1, 2, 3] {
        one.apply(&CatalogBody::Sealed(sealed(n))).unwrap();
    }
    for n in [3, 1] {
        other.apply(&CatalogBody::Sealed(sealed(n))).unwrap();
    }
    assert_ne!(one.root(), other.root());
    other.apply(&CatalogBody::Sealed(sealed(2))).unwrap();
    assert_eq!(one.root(), other.root());
    assert_eq!(one.segments().map(|s| s.ordinal).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_snapshot_round_trips_and_damage_is_refused() {
    let mut state = StateMap::default();
    state.apply(&CatalogBody::Sealed(sealed(1))).unwrap();
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
    state.apply(&CatalogBody::Erased(erased(3))).unwrap();
    assert_ne!(state.root(), before);
    let ids: Vec<[u8; 16]> = state.erased_keys().map(|id| id.0).collect();
    assert_eq!(ids, erased(3).key_ids);
    let keys: Vec<&str> = state.entries().map(|(key, _)| key).collect();
    assert_eq!(keys[1], "erased/00010909090909090909090909090909");
}
