//! Who can write the files, and has no key.

use std::path::Path;
use std::sync::Arc;

use bulla::disk::RealDisk;
use bulla::internals::catalog::Catalog;
use bulla::internals::format::catalog_body::{
    CatalogBody, DropCompleted, DropStarted, PolicySet, RecordedAttribution, Snapshot, kind,
};
use bulla::internals::format::frame::{self, FrameHeader};
use bulla::internals::format::header::SegmentHeader;
use bulla::internals::format::record::{self, Context, PREFIX_LEN, RawRecord};
use bulla::internals::tree::TreeStore;
use bulla::merkle::range_nodes;
use bulla::{
    Error, ExpireOptions, GapVerdict, Hold, HoldScope, Period, Policy, Seq, VerifyOptions, verify,
};

use crate::misuse::{World, asked, event};

pub(crate) fn catalog(world: &World) -> Catalog {
    let dir = world.path().join("catalog");
    let log_id = Catalog::identify(&RealDisk, &dir).unwrap().unwrap();
    let quarantine = world.path().join("quarantine");
    let clock = Arc::clone(&world.clock) as _;
    Catalog::open(Arc::new(RealDisk), &dir, log_id, clock, &quarantine).unwrap().0
}

/// The certificate that a drop of a segment would write, made by who cannot sign.
pub(crate) fn forge(world: &World, catalog: &mut Catalog, ordinal: u64, done: bool) {
    if catalog.state().policy().is_none() {
        let policy = PolicySet {
            preset: "",
            keep: 0,
            archive: false,
            compliance: false,
            min_age: 0,
            min_records: 0,
            set_at: 0,
        };
        catalog.append(&CatalogBody::PolicySet(policy), &RecordedAttribution::default()).unwrap();
    }
    // All that the state can be compared with is filled in rightly.
    let sealed = catalog.state().segment(ordinal).unwrap();
    let in_force = catalog.state().policy().unwrap();
    let (policy, keep) = (in_force.seq, in_force.policy.keep);
    let after = sealed.times[1] + i64::try_from(keep).unwrap() * 1_000_000_000;
    let keep_until = sealed.keep_until.max(after);
    let holds = catalog.state().holds().count() as u64;
    let end = sealed.first + sealed.count;
    // The stored hashes are in the log's directory, for everybody to read.
    let frontier = frontier_of(world);
    let tree = TreeStore::open(
        Arc::new(RealDisk),
        &world.path().join("tree"),
        catalog_id(world),
        frontier,
        true,
        None,
    )
    .unwrap();
    let nodes = range_nodes(sealed.first, end);
    let range = nodes.iter().map(|node| *tree.node(*node).unwrap().as_bytes()).collect();
    let start_root = *tree.root_at(bulla::TreeSize::new(sealed.first)).unwrap().as_bytes();
    let body = DropStarted {
        ordinal,
        first: sealed.first,
        count: sealed.count,
        bytes: sealed.bytes,
        times: sealed.times,
        start_root,
        end_root: sealed.end_root,
        range,
        header: sealed.header,
        index_root: sealed.index_root,
        keep_until,
        policy,
        now: keep_until,
        now_from: 0,
        holds,
        scanned: sealed.count,
        archived: None,
    };
    catalog.append(&CatalogBody::DropStarted(body), &RecordedAttribution::default()).unwrap();
    if done {
        let done = DropCompleted { ordinal, done_at: 0 };
        catalog.append(&CatalogBody::DropCompleted(done), &RecordedAttribution::default()).unwrap();
    }
}

fn catalog_id(world: &World) -> bulla::internals::format::LogId {
    Catalog::identify(&RealDisk, &world.path().join("catalog")).unwrap().unwrap()
}

/// The frontier of the mark.
fn frontier_of(world: &World) -> bulla::merkle::Frontier {
    let (_, mark) = bulla::internals::tree::mark::RecoveryPointFile::open_or_create(
        &RealDisk,
        &world.path().join("tree"),
        catalog_id(world),
    )
    .unwrap();
    mark.unwrap().frontier
}

/// A log with a hold that pins segment 2, in compliance mode, under a policy of 10 years, signed.
fn held(world: &World) -> (bulla::Signer, bulla::UnverifiedCheckpoint) {
    let log = world.log(4);
    log.retention()
        .set_policy(&Policy::keep(Period::from_years(10)).compliance(true), &asked())
        .unwrap();
    let hold = Hold::new("case 7", HoldScope::new().resource("file", "f1"));
    log.retention().place_hold(&hold, &asked()).unwrap();
    let key = world.dir.path().join("key");
    let signer =
        bulla::Signer::generate(&key, log.origin(), bulla::HashAlgorithm::default()).unwrap();
    let signed = log.checkpoint(&signer).unwrap().into_unverified();
    log.append(&event("later", 9)).unwrap();
    log.close().unwrap();
    (signer, signed)
}

pub(crate) fn there(world: &World, ordinal: u64) -> bool {
    world.path().join(format!("segments/{ordinal:08}.seg")).exists()
}

/// What opening, verifying and asking show of segment 2, which nobody dropped.
fn not_dropped_unnoticed(world: &World, signer: &bulla::Signer) {
    let opened = world.options().open(world.path());
    let _ = opened.map(|log| log.close().unwrap());
    let is_there = there(world, 2);
    let trust = signer.verifying_key().clone();
    let report = verify(&world.path(), &VerifyOptions::new().key(trust), &mut |_| ()).unwrap();
    let told = |gap: &&bulla::Gap| gap.verdict == GapVerdict::Checked && gap.signed;
    let checked = report.gaps.iter().filter(told).count();
    assert!(
        is_there,
        "opening deleted a segment that a hold pins and the policy keeps for 10 years"
    );
    assert!(!report.findings.is_empty() || checked == 0, "a forged certificate explains a gap");
}

#[test]
fn opening_keeps_a_held_segment_in_spite_of_a_forged_certificate() {
    let world = World::new();
    let (signer, _) = held(&world);
    forge(&world, &mut catalog(&world), 2, false);
    not_dropped_unnoticed(&world, &signer);
}

#[test]
fn opening_keeps_a_held_segment_in_spite_of_a_forged_end_of_a_drop() {
    let world = World::new();
    let (signer, _) = held(&world);
    forge(&world, &mut catalog(&world), 2, true);
    not_dropped_unnoticed(&world, &signer);
}

#[test]
fn a_forged_certificate_is_told_to_be_under_no_signed_head() {
    let world = World::new();
    let (_, _) = held(&world);
    forge(&world, &mut catalog(&world), 2, true);
    for name in ["00000002.seg", "00000002.idx"] {
        let path = world.path().join("segments").join(name);
        bulla::disk::Disk::unprotect(&RealDisk, &path).unwrap(); // root can
        let _ = std::fs::remove_file(path);
    }
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.gaps.len() == 1 && !report.gaps[0].signed, "{:?}", report.gaps);
}

/// Rewrites the state root of the last record of both copies of the catalog, and puts a
/// snapshot beside it without the hold. The catalog's tree files stay as they were.
fn forge_snapshot(world: &World, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) {
    let dir = world.path().join("catalog");
    let log_id = catalog_id(world);
    let bytes = std::fs::read(dir.join("snapshot")).unwrap();
    let mut snapshot = Snapshot::decode(&bytes, log_id).unwrap();
    let before = snapshot.state.clone();
    change(&mut snapshot.state);
    assert_ne!(snapshot.state, before);
    let root = snapshot.state_map().root();
    for copy in ["a", "b"] {
        rewrite(&dir.join(copy).join(format!("{:08}.seg", snapshot.ordinal)), &snapshot, root);
    }
    std::fs::write(dir.join("snapshot"), snapshot.encode(log_id).unwrap()).unwrap();
}

fn rewrite(path: &Path, snapshot: &Snapshot, root: bulla::Hash) {
    let mut bytes = std::fs::read(path).unwrap();
    let header: [u8; bulla::internals::format::header::LEN] =
        bytes[..bulla::internals::format::header::LEN].try_into().unwrap();
    let header = SegmentHeader::decode(&header).unwrap();
    let context =
        Context { log_id: header.log_id, nonce: header.nonce, algorithm: header.algorithm };
    let (mut at, mut last) = (usize::try_from(header.first_frame()).unwrap(), None);
    while (at as u64) < snapshot.offset {
        let front: &[u8; frame::LEN] = bytes[at..at + frame::LEN].try_into().unwrap();
        let frame = FrameHeader::decode(front, &header.nonce, at as u64).unwrap();
        if frame.frame_len() > frame::LEN as u64 && frame.first.get() < frame.end().get() {
            last = Some((at + frame::LEN, frame.first.next_seq()));
        }
        at += usize::try_from(frame.frame_len()).unwrap();
    }
    let (at, seq) = last.unwrap();
    let (head, digests, envelope_len, payload_len, len) = {
        let raw = RawRecord::take(&bytes[at..]).unwrap();
        let record = raw.check(&context, seq).unwrap();
        let digests = record.digests();
        let head = record.head;
        let len = record.stored_len();
        (head, digests, record.envelope.len(), record.stored_payload.len(), len)
    };
    assert_ne!(head.kind, kind::HOLD_PLACED);
    bytes[at + PREFIX_LEN..at + PREFIX_LEN + 32].copy_from_slice(root.as_bytes());
    let crc = record::body_crc(&bytes[at + PREFIX_LEN..at + len]);
    let (slot, rest) = bytes[at..].split_at_mut(PREFIX_LEN);
    let sealed = (crc, u32::try_from(payload_len).unwrap(), &digests);
    record::seal(&context, &head, sealed, slot, &rest[..envelope_len]);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_forged_snapshot_takes_no_hold_out_of_force() {
    let world = World::new();
    let log = world.log(6);
    log.retention().set_policy(&Policy::keep(Period::from_days(2)), &asked()).unwrap();
    let hold = Hold::new("case 7", HoldScope::new().resource("file", "f1"));
    log.retention().place_hold(&hold, &asked()).unwrap();
    // Bound by an anchor, and by a head that was signed after it.
    let key = world.dir.path().join("key");
    let signer =
        bulla::Signer::generate(&key, log.origin(), bulla::HashAlgorithm::default()).unwrap();
    log.checkpoint(&signer).unwrap();
    log.close().unwrap();
    drop(log);
    forge_snapshot(&world, |state| state.retain(|(key, _)| !key.starts_with("hold/")));
    let log = match world.options().open(world.path()) {
        Err(Error::Tampered { .. } | Error::Corrupt { .. } | Error::CatalogDamaged { .. }) => {
            return;
        }
        opened => opened.unwrap(),
    };
    let _ = log.retention().expire(&ExpireOptions::new(), &asked());
    let found = log.snapshot().get(Seq::new(12));
    log.close().unwrap();
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(
        there(&world, 2),
        "a held segment was deleted: {:?}; verify, too late, has {} findings: {:#?}",
        found.map(|r| r.seq).map_err(|_| "expired"),
        report.findings.len(),
        report.findings.first()
    );
}

#[test]
fn a_forged_snapshot_makes_opening_delete_nothing() {
    let world = World::new();
    let (_, _) = held(&world);
    forge_snapshot(&world, |state| {
        let key = format!("segment/{:016x}", 2);
        let value = &mut state.iter_mut().find(|entry| entry.0 == key).unwrap().1;
        *value.last_mut().unwrap() = bulla::internals::format::catalog_body::status::DROPPED;
    });
    let opened = world.options().open(world.path()).map(|log| log.close().unwrap());
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(
        there(&world, 2),
        "opened: {:?}; the held segment is gone; {} findings, gaps {:?}",
        opened.map_err(|e| e.to_string()),
        report.findings.len(),
        report.gaps.iter().map(|gap| gap.verdict).collect::<Vec<_>>()
    );
}

/// The log itself binds what was forged, and signs it.
#[test]
fn a_forged_drop_of_what_is_held_is_called_off_before_anything_is_signed() {
    let world = World::new();
    let (signer, _) = held(&world);
    forge(&world, &mut catalog(&world), 2, false);
    let log = world.options().open(world.path()).unwrap();
    log.checkpoint(&signer).unwrap();
    let said = log.snapshot().catalog().drop_certificates().unwrap();
    let holds = log.snapshot().catalog().holds().unwrap().len();
    log.close().unwrap();
    let options = VerifyOptions::new().key(signer.verifying_key().clone());
    let report = verify(&world.path(), &options, &mut |_| ()).unwrap();
    assert!(said.is_empty() && holds == 1, "called off: {said:?}");
    assert!(there(&world, 2) && report.findings.is_empty(), "{:#?}", report.findings);
}

/// Takes segment 2 of a log without the anchor that belongs between certificate and unlink.
fn gone_without_an_anchor(world: &World) -> bulla::Log {
    let log = world.log(0);
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    (0..3).for_each(|day| world.day(&log, day));
    log.close().unwrap();
    drop(log);
    forge(world, &mut catalog(world), 2, true);
    for name in ["00000002.seg", "00000002.idx"] {
        let path = world.path().join("segments").join(name);
        bulla::disk::Disk::unprotect(&RealDisk, &path).unwrap(); // root can
        std::fs::remove_file(path).unwrap();
    }
    world.options().open(world.path()).unwrap()
}

fn gone_and_unanchored(world: &World) -> (Vec<u64>, Vec<u64>) {
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    let of_drops = report.findings.iter().filter(|finding| finding.what == "drop");
    let unanchored = of_drops.map(|finding| finding.segment.unwrap()).collect();
    (report.gaps.iter().map(|gap| gap.ordinal).collect(), unanchored)
}

#[test]
fn a_later_gap_without_an_anchor_excuses_no_drop() {
    let world = World::new();
    let log = gone_without_an_anchor(&world);
    world.day(&log, 3);
    world.clock.advance(crate::misuse::DAY * 2);
    log.append(&event("now", 6)).unwrap();
    log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    log.close().unwrap();
    assert_eq!(gone_and_unanchored(&world), (vec![1, 2, 3, 4], vec![2]));
}

#[test]
fn a_later_gap_behind_a_newer_anchor_excuses_no_drop() {
    let world = World::new();
    let log = gone_without_an_anchor(&world);
    let key = world.dir.path().join("key");
    let signer =
        bulla::Signer::generate(&key, log.origin(), bulla::HashAlgorithm::default()).unwrap();
    let hold = Hold::new("case 7", HoldScope::new().resource("file", "f3"));
    log.retention().place_hold(&hold, &asked()).unwrap();
    for day in 3..5 {
        log.append(&event("a", day)).unwrap();
        log.checkpoint(&signer).unwrap();
        world.day(&log, day);
    }
    world.clock.advance(crate::misuse::DAY * 2);
    log.append(&event("now", 7)).unwrap();
    log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    log.close().unwrap();
    assert_eq!(gone_and_unanchored(&world), (vec![1, 2, 3, 5], vec![2]));
}

#[test]
fn a_drop_whose_anchor_went_with_a_later_segment_is_in_order() {
    let world = World::new();
    let log = world.log(3);
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    for day in 3..7 {
        log.append(&event("a", day)).unwrap();
        log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
        world.day(&log, day);
    }
    world.clock.advance(crate::misuse::DAY * 2);
    log.append(&event("now", 9)).unwrap();
    log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    log.close().unwrap();
    assert_eq!(gone_and_unanchored(&world), (vec![1, 2, 3, 4, 5, 6, 7], vec![]));
}
