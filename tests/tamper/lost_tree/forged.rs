//! Certificates that do not lead across the gap.

use std::sync::Arc;

use bulla::disk::Disk;
use bulla::internals::catalog::Catalog;
use bulla::internals::format::catalog_body::{
    CatalogBody, DropCompleted, DropStarted, PolicySet, RecordedAttribution,
};
use bulla::merkle::range_nodes;
use bulla::{Error, HashAlgorithm};

use crate::lost_tree::scene::{Lost, Scene};
use crate::support::dir;

/// A log of which somebody removes a segment, and says in the catalog that it was dropped.
fn forged(seed: u64, change: impl FnOnce(&mut DropStarted<'_>)) -> Error {
    let scene = Scene::new(seed, HashAlgorithm::Sha256, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let at = dir().join("catalog");
    let disk: Arc<dyn Disk> = Arc::new(scene.disk.clone());
    let log_id = Catalog::identify(&*disk, &at).unwrap().unwrap();
    let clock = Arc::clone(&scene.clock) as _;
    let quarantine = dir().join("quarantine");
    let mut catalog = Catalog::open(disk, &at, log_id, clock, &quarantine).unwrap().0;
    let (policy, keep) = match catalog.state().policy() {
        Some(policy) => (policy.seq, policy.policy.keep),
        None => {
            let body = PolicySet {
                preset: "",
                keep: 0,
                archive: false,
                compliance: false,
                min_age: 0,
                min_records: 0,
                set_at: 0,
            };
            catalog.append(&CatalogBody::PolicySet(body), &RecordedAttribution::default()).unwrap();
            (catalog.state().policy().unwrap().seq, 0)
        }
    };
    let sealed = catalog.state().segment(4).unwrap();
    let before = catalog.state().segment(3).unwrap();
    let keep_until = sealed.times[1] + i64::try_from(keep).unwrap() * 1_000_000_000;
    let archived = catalog.state().archived(4).map(|copy| (copy.location.to_owned(), copy.digest));
    let nodes = range_nodes(sealed.first, sealed.first + sealed.count);
    let mut body = DropStarted {
        ordinal: 4,
        first: sealed.first,
        count: sealed.count,
        bytes: sealed.bytes,
        times: sealed.times,
        start_root: before.end_root,
        end_root: sealed.end_root,
        range: nodes.iter().map(|_| [7; 32]).collect(),
        header: sealed.header,
        index_root: sealed.index_root,
        keep_until: keep_until.max(sealed.keep_until),
        policy,
        now: keep_until.max(sealed.keep_until) + 1,
        now_from: 0,
        holds: catalog.state().holds().count() as u64,
        scanned: sealed.count,
        archived: archived.as_ref().map(|(location, digest)| {
            bulla::internals::format::catalog_body::ArchivedAt { location, digest: *digest }
        }),
    };
    change(&mut body);
    catalog.append(&CatalogBody::DropStarted(body), &RecordedAttribution::default()).unwrap();
    let done = DropCompleted { ordinal: 4, done_at: 0 };
    catalog.append(&CatalogBody::DropCompleted(done), &RecordedAttribution::default()).unwrap();
    drop(catalog);
    scene.disk.remove_file(&dir().join("segments/00000004.seg")).unwrap();
    Lost::Tree.from(&scene.disk);
    let refused = scene.options().open(dir()).unwrap_err();
    let again = scene.options().open(dir()).unwrap_err();
    assert_eq!(refused.to_string(), again.to_string());
    // A reader reads what is there, and proves nothing across.
    let reader = scene.options().open_read_only(dir()).unwrap();
    assert!(reader.snapshot().get(scene.seqs(5).next().unwrap()).is_ok());
    let newest = scene.newest();
    let seq = scene.seqs(5).next().unwrap();
    assert!(reader.snapshot().prove(seq, &newest, bulla::Disclosure::Whole).is_err());
    refused
}

#[test]
fn hashes_that_do_not_lead_to_the_next_segment_are_not_taken() {
    // A certificate with another `start_root` is refused by the catalog: R-STATE in
    // docs/format.md, forged in tests/refusals.
    for (n, refused) in [
        forged(50, |_| ()),
        forged(52, |body| body.range.clear()),
        forged(53, |body| body.range[1] = [0; 32]),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(matches!(refused, Error::Tampered { .. }), "{n}: {refused:?}");
        assert!(refused.to_string().contains("segment 4"), "{n}: {refused}");
    }
}
