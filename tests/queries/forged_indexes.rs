//! Index files that somebody forged: intact by all their own checks, and wrong.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support;
use crate::support::{Shape, clock, dir};
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::event::RecordKind;
use bulla::internals::format::footer::{self, SegmentFooter};
use bulla::internals::format::index_header::{IndexHeader, LEN};
use bulla::internals::index::{CommittedIndex, IndexFile, Tail, encode};
use bulla::query::{Query, Subject};
use bulla::{
    Actor, Disclosure, Event, HashAlgorithm, Log, Report, Resource, Seq, Trust, VerifyOptions,
    verify,
};

const RECORDS: u64 = 300;
/// The record that is hidden, in the first segment.
const HIDDEN: u64 = 40;

/// Every fifth event is by mallory, the others by alice.
fn actor(n: u64) -> &'static str {
    if n.is_multiple_of(5) { "mallory" } else { "alice" }
}

fn event(n: u64) -> Event {
    let resource = Resource::new("file", n.to_string());
    Event::new(Actor::new("user", actor(n)), "file.read", resource)
}

struct World {
    disk: SimDisk,
    log: Log,
}

fn world() -> World {
    let disk = SimDisk::new(11);
    let log = options(&disk).create(dir()).unwrap();
    for first in (0..RECORDS).step_by(100) {
        let events: Vec<Event> = (first..first + 100).map(event).collect();
        log.append_batch(&events).unwrap();
        log.rotate().unwrap();
    }
    World { disk, log }
}

fn options(disk: &SimDisk) -> bulla::LogOptions {
    Shape::PLAIN.options(disk, &clock())
}

fn index(ordinal: u64) -> PathBuf {
    dir().join(format!("segments/{ordinal:08}.idx"))
}

fn check(disk: &SimDisk) -> Report {
    let options = VerifyOptions::new().disk(Arc::new(disk.clone())).at_rest();
    verify(&dir(), &options, &mut |_| ()).unwrap()
}

/// The Seqs of the events by an actor, as a process finds them that opens the log now.
fn by(disk: &SimDisk, actor: &str) -> Vec<u64> {
    let reader = options(disk).open_read_only(dir()).unwrap();
    let found = reader.snapshot().query(&Query::new().actor(actor).oldest_first()).unwrap();
    found.map(|record| record.unwrap().seq.get()).collect()
}

fn of_mallory() -> Vec<u64> {
    (0..RECORDS).filter(|n| actor(*n) == "mallory").collect()
}

/// The index of the first segment, in which one record is another actor's. Its header says
/// what the good one's says, so it is of the root that the log has signed.
fn forge(disk: &SimDisk, log: &Log, records: u64) {
    let path = index(1);
    let good = disk.read_file(&path).unwrap();
    let (header, _) = good.split_first_chunk::<LEN>().unwrap();
    let good_header = IndexHeader::decode(header).unwrap();
    let mut tail = Tail::default();
    for seq in 0..records {
        let mut record = log.snapshot().get(Seq::new(seq)).unwrap();
        if seq == HIDDEN {
            record.event.actor = Actor::new("user", "alice");
        }
        tail.add(RecordKind::Event, record.recorded_at, &Subject::of_record(&record));
    }
    let scope = IndexFile::from_bytes(good.clone()).unwrap().head().scope;
    let mut forged = encode(&tail, scope, 1).1.unwrap();
    let (header, _) = forged.split_first_chunk::<LEN>().unwrap();
    let mut header = IndexHeader::decode(header).unwrap();
    header.terms_root = good_header.terms_root;
    header.occurred_root = good_header.occurred_root;
    header.recorded_root = good_header.recorded_root;
    forged[..LEN].copy_from_slice(&header.encode());
    let parsed = IndexFile::from_bytes(forged.clone()).unwrap();
    assert_eq!(parsed.head(), IndexFile::from_bytes(good).unwrap().head());
    assert_eq!(parsed.check_pages(), Ok(()));
    disk.write_file(&path, &forged).unwrap();
}

fn named(report: &Report, path: &Path) -> bool {
    report.findings.iter().any(|finding| finding.file == path && finding.what == "index")
}

#[test]
fn a_forged_index_hides_a_record_from_searches_and_not_from_verify() {
    let World { disk, log } = world();
    assert!(check(&disk).is_clean());
    forge(&disk, &log, 100);
    let hidden: Vec<u64> = of_mallory().into_iter().filter(|seq| *seq != HIDDEN).collect();
    assert_eq!(by(&disk, "mallory"), hidden, "if this was not hidden, nothing is tested");
    // It never makes a record match that does not.
    assert!(by(&disk, "alice").iter().all(|seq| actor(*seq) == "alice"));
    let report = check(&disk);
    assert!(named(&report, &index(1)), "{report:#?}");
    disk.remove_file(&index(1)).unwrap();
    assert_eq!(by(&disk, "mallory"), of_mallory());
}

/// Where the table of pages begins: of `pages` entries, each with the CRC of 4096 bytes.
fn table_of_pages(bytes: &[u8]) -> (usize, usize) {
    let pages = (1..).find(|pages| (bytes.len() - 4 * pages).div_ceil(4096) == *pages).unwrap();
    (bytes.len() - 4 * pages, pages)
}

/// Makes the CRC of a page wrong, and those of the table and the header right again.
fn break_page(bytes: &mut [u8], page: usize) {
    let (table, _) = table_of_pages(bytes);
    bytes[table + 4 * page] ^= 1;
    let pages_crc = crc32fast::hash(&bytes[table..]);
    let header = IndexHeader::decode(bytes.first_chunk::<LEN>().unwrap()).unwrap();
    bytes[..LEN].copy_from_slice(&IndexHeader { pages_crc, ..header }.encode());
}

/// A page that a question does not touch is damaged: that takes nothing from the other pages, which
/// searches believe, and so must not from what `verify` says of them.
#[test]
fn damage_to_one_page_does_not_cover_up_another_that_is_forged() {
    let disk = SimDisk::new(11);
    let log = options(&disk).create(dir()).unwrap();
    // Of so many that the index has several pages.
    let events: Vec<Event> = (0..1_000).map(event).collect();
    log.append_batch(&events).unwrap();
    log.rotate().unwrap();
    forge(&disk, &log, 1_000);
    let forged = disk.read_file(&index(1)).unwrap();
    let hidden = by(&disk, "mallory").len();
    let (mut believed, pages) = (0, table_of_pages(&forged).1);
    assert!(pages > 2, "{pages}");
    for page in 0..pages {
        let mut bytes = forged.clone();
        break_page(&mut bytes, page);
        disk.write_file(&index(1), &bytes).unwrap();
        believed += usize::from(by(&disk, "mallory").len() == hidden);
        let report = check(&disk);
        assert!(named(&report, &index(1)), "page {page}: {report:#?}");
    }
    assert!(believed > 0, "no question believed the page that was forged");
}

/// What its own checks tell costs time and no answer: a warning.
#[test]
fn a_damaged_page_alone_is_a_warning() {
    let World { disk, .. } = world();
    let good = disk.read_file(&index(1)).unwrap();
    for at in (LEN..table_of_pages(&good).0).step_by(509) {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        disk.write_file(&index(1), &bytes).unwrap();
        assert_eq!(by(&disk, "mallory"), of_mallory(), "offset {at}");
        let report = check(&disk);
        assert!(report.is_clean(), "offset {at}: {report:#?}");
        assert_eq!(report.warnings.len(), 1, "offset {at}: {report:#?}");
    }
}

#[test]
fn a_proof_of_completeness_is_made_in_spite_of_a_forged_index() {
    let World { disk, log } = world();
    let signer = support::signer(&disk, HashAlgorithm::Sha256).unwrap();
    log.checkpoint(&signer).unwrap();
    let checkpoint = log.checkpoints().latest().unwrap().unwrap();
    forge(&disk, &log, 100);
    let reader = options(&disk).open_read_only(dir()).unwrap();
    let query = Query::new().actor("mallory").oldest_first();
    let answer =
        reader.snapshot().prove_query(&query, &checkpoint, Disclosure::WithholdPayload).unwrap();
    let trust = Trust::in_keys([signer.verifying_key().clone()]);
    let verified = answer.verify(&trust).unwrap();
    let hits: Vec<u64> = verified.hits().map(|hit| hit.record().seq.get()).collect();
    assert_eq!(hits, of_mallory());
}

#[test]
fn the_index_of_another_segment_is_not_used() {
    let World { disk, .. } = world();
    let (first, second) = (disk.read_file(&index(1)).unwrap(), disk.read_file(&index(2)).unwrap());
    disk.write_file(&index(1), &second).unwrap();
    disk.write_file(&index(2), &first).unwrap();
    assert_eq!(by(&disk, "mallory"), of_mallory());
    let report = check(&disk);
    assert!(named(&report, &index(1)) && named(&report, &index(2)), "{report:#?}");
}

#[test]
fn an_index_root_that_is_not_that_of_the_records_is_found() {
    let World { disk, .. } = world();
    let path = dir().join("segments/00000001.seg");
    let mut bytes = disk.read_file(&path).unwrap();
    let at = bytes.len() - footer::LEN;
    let end = bytes[at..].first_chunk::<{ footer::LEN }>().unwrap();
    let mut footer = SegmentFooter::decode(end, bytes.len() as u64).unwrap();
    let records_lead_to = footer.index_root;
    footer.index_root = bulla::Hash::from_bytes([7; 32]);
    bytes[at..].copy_from_slice(&footer.encode());
    disk.write_file(&path, &bytes).unwrap();
    let report = check(&disk);
    let found = report.findings.iter().any(|finding| {
        finding.file == path
            && finding.what == "index root, as its records lead to it"
            && finding.expected == records_lead_to.to_string()
    });
    assert!(found, "{report:#?}");
}
