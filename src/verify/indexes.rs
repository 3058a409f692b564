//! Indexes of a deep verification: each is made anew from the records of its segment, and
//! compared with the root in the seal and with the bytes of its file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;

use super::report::Finding;
use super::report::NotRead;
use super::verifier::Verifier;
use crate::directory::LogDir;
use crate::disk::{self, Disk};
use crate::error::{Error, Result};
use crate::format::names;
use crate::hash::Hash;
use crate::index::{self, IndexFile, Tail};
use crate::read::search::open_index::add;
use crate::segment::locate::RecordCursor;
use crate::segment::seal::SealedSegment;
use crate::seq::Seq;
use crate::terms::Scope;

/// What to do.
const REMOVE: &str = "remove the file, and a writer makes it anew";

/// What is wrong with an index: whether it is worse than a warning, and what.
type Wrong = (bool, Finding);

impl Verifier<'_> {
    pub(super) fn indexes(&mut self) -> Result<()> {
        let segments = self.dir.segments();
        let names = self.dir.disk().list(&segments).map_err(Error::io("list", &segments))?;
        let not_read = self.not_read.map_or(0, |NotRead { segments, .. }| segments);
        let ordinals = names.iter().filter_map(|name| names::parse_segment(name));
        // What is wrong with damaged records was told.
        let read = ordinals.filter(|ordinal| *ordinal > not_read && !self.lossy.contains(ordinal));
        let mut read: Vec<u64> = read.collect();
        read.sort_unstable();
        let mut wrong = check_all(&self.dir, self.options.thread_count(), &read)?;
        wrong.sort_by_key(|(ordinal, _)| *ordinal);
        for (_, (is_finding, finding)) in wrong {
            match is_finding {
                true => self.findings.push(finding),
                false => self.warnings.push(finding),
            }
        }
        Ok(())
    }
}

/// Checks the indexes of these segments in as many threads as were asked for.
fn check_all(dir: &LogDir, threads: usize, ordinals: &[u64]) -> Result<Vec<(u64, Wrong)>> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Ok(Vec::new())));
    let work = || {
        while let Some(ordinal) = ordinals.get(next.fetch_add(1, Ordering::Relaxed)) {
            let checked = check(dir, *ordinal);
            let mut found = found.lock();
            match (&mut *found, checked) {
                (Ok(found), Ok(wrong)) => found.extend(wrong.into_iter().map(|w| (*ordinal, w))),
                (found, Err(error)) => *found = Err(error),
                (Err(_), _) => {}
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(ordinals.len()) {
            scope.spawn(work);
        }
        work();
    });
    found.into_inner()
}

fn check(dir: &LogDir, ordinal: u64) -> Result<Vec<Wrong>> {
    let path = dir.segment(ordinal);
    let sealed = match SealedSegment::open(dir.disk(), &path, false) {
        Ok(Some(sealed)) => sealed,
        Err(error @ Error::Io { .. }) => return Err(error),
        // It is not sealed, or what is wrong with it was told.
        _ => return Ok(Vec::new()),
    };
    let Some(tail) = collect(&sealed) else { return Ok(Vec::new()) };
    let scope = Scope { log_id: sealed.footer.log_id, first: sealed.footer.first };
    let (head, bytes) = index::encode(&tail, scope, ordinal);
    let (root, in_seal) = (head.root(), sealed.footer.index_root);
    let mut wrong = Vec::new();
    if in_seal != Hash::ZERO && in_seal != root {
        let place = (Some(ordinal), Some(sealed.footer.table_offset), None);
        let (expected, found) = (root.to_string(), in_seal.to_string());
        let what = "index root, as its records lead to it";
        wrong.push((true, Finding::at(&path, place, what, expected, found)));
    }
    let Some(bytes) = bytes else { return Ok(wrong) };
    wrong.extend(check_file(dir.disk(), dir.index(ordinal), ordinal, &bytes)?);
    Ok(wrong)
}

/// The terms of all records; `None` if some cannot be read.
fn collect(sealed: &SealedSegment) -> Option<Tail> {
    let segment = Arc::clone(&sealed.segment);
    let first = Seq::new(sealed.footer.first.get());
    let cursor = RecordCursor::at(segment, &sealed.waypoints, first, sealed.footer.end());
    let (mut cursor, mut tail) = (cursor.ok()?, Tail::default());
    while let Some((_, record)) = cursor.next_record().ok()? {
        add(&mut tail, &record).ok()?;
    }
    Some(tail)
}

/// Compares the file with what it must be. What its own checks tell is damage, and costs
/// nothing: a search that meets it reads the records. What they do not tell is believed by searches,
/// page by page: damage to one page takes nothing away from what another one says.
fn check_file(disk: &dyn Disk, path: PathBuf, ordinal: u64, good: &[u8]) -> Result<Option<Wrong>> {
    let warning = |offset: Option<u64>, expected: &str, found: String| {
        let place = (Some(ordinal), offset, None);
        Some((false, Finding::at(&path, place, "index", expected.to_owned(), found)))
    };
    if !disk.exists(&path).map_err(Error::io("look for", &path))? {
        return Ok(warning(None, "a file, which a writer makes anew", "none".to_owned()));
    }
    let bytes = match disk::read_file(disk, &path, index::MAX_LEN) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(warning(None, "an index", error.to_string())),
    };
    if bytes == good {
        return Ok(None);
    }
    let differs = bytes.iter().zip(good).position(|(found, good)| found != good);
    let offset = differs.unwrap_or(bytes.len().min(good.len())) as u64;
    let expected = "what the records lead to";
    let index = match IndexFile::from_bytes(bytes) {
        Ok(index) => index,
        Err(error) => {
            return Ok(warning(Some(offset), expected, format!("damage ({error}); {REMOVE}")));
        }
    };
    let Some(offset) = index.believed_difference(good) else {
        return Ok(warning(Some(offset), expected, format!("damage; {REMOVE}")));
    };
    let found = match index.check_pages() {
        Ok(()) => format!("another intact index; {REMOVE}"),
        Err(_) => format!("other bytes that its checks let pass, beside damage; {REMOVE}"),
    };
    let place = (Some(ordinal), Some(offset), None);
    Ok(Some((true, Finding::at(&path, place, "index", expected.to_owned(), found))))
}
