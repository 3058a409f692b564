//! The active segment: the one that is written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{Disk, DiskFile, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::footer::TimeRange;
use crate::format::frame::FrameHeader;
use crate::format::header::SegmentHeader;
use crate::ranked::{Mutex, Rank};
use crate::segment::bytes::SegmentFile;
use crate::segment::locate::Waypoints;
use crate::segment::scan::{Position, align_up};
use crate::seq::TreeSize;

/// Frames from this size on are bulk: their space is reserved, not zero-filled,
/// because writing zeros first would write every byte twice.
const BULK_FRAME: u64 = 64 << 10;
const FIRST_STEP: u64 = 64 << 10;
const LAST_STEP: u64 = 4 << 20;
/// Zeros are put over a frame in pieces of this many bytes.
const PAGE: u32 = 4096;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The space of a segment file that is ready to be written into.
///
/// Shared by the writer, who consumes it, and the housekeeper, who prepares more ahead.
/// Writing into a merely growing file costs up to twice as much per small commit.
#[derive(Debug)]
pub struct Space {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    prepared: AtomicU64,
    /// Size of the next step; held while preparing, so that one does it at a time.
    step: Mutex<u64>,
    /// Whether a sync failed; held while syncing.
    failed: Mutex<bool>,
}

impl Space {
    /// The space of a file that is ready up to `prepared`.
    pub fn new(path: PathBuf, file: Arc<dyn DiskFile>, prepared: u64) -> Self {
        Space {
            path,
            file,
            prepared: prepared.into(),
            step: Mutex::new(Rank::SpaceStep, FIRST_STEP),
            failed: Mutex::new(Rank::SyncFailed, false),
        }
    }

    /// Offset up to which space is ready.
    pub fn prepared(&self) -> u64 {
        self.prepared.load(Ordering::Acquire)
    }

    /// Makes sure that the file is ready up to `end`.
    ///
    /// # Errors
    /// `DiskFull`: nothing that was written is affected, and it can be tried again.
    pub fn ensure(&self, end: u64, frame_len: u64) -> Result<()> {
        if end <= self.prepared() {
            return Ok(());
        }
        let mut step = self.step.lock();
        let prepared = self.prepared();
        if end <= prepared {
            return Ok(());
        }
        let bulk = frame_len >= BULK_FRAME;
        let wanted = align_up(end.max(prepared + *step), 4096);
        self.extend(prepared, wanted, bulk).or_else(|error| match error {
            // Near the end of the disk, take only what this frame needs.
            Error::DiskFull { .. } => self.extend(prepared, end, bulk),
            other => Err(other),
        })?;
        *step = (*step * 2).min(LAST_STEP);
        Ok(())
    }

    /// Prepares one more step.
    ///
    /// # Errors
    /// As [`Space::ensure`].
    pub fn extend_ahead(&self, frame_len: u64) -> Result<()> {
        self.ensure(self.prepared() + 1, frame_len)
    }

    /// Whether less than one step is left behind `end`.
    pub fn is_short(&self, end: u64) -> bool {
        self.step.try_lock().is_some_and(|step| end + *step / 2 > self.prepared())
    }

    fn extend(&self, from: u64, to: u64, bulk: bool) -> Result<u64> {
        let grown = if bulk { self.file.allocate(from, to - from) } else { self.fill(from, to) };
        // Where there are frames already, a failed sync may have lost some of them, for
        // want of space or not.
        let no_frames = from == 0;
        let refused = match grown {
            Ok(()) => self.sync().err().map(|error| (error, no_frames)),
            Err(error) => Some((error, true)),
        };
        match refused {
            None => {
                self.prepared.store(to, Ordering::Release);
                Ok(to)
            }
            Some((error, true)) => Err(Error::growing("prepare", &self.path, to - from)(error)),
            Some((error, false)) => Err(Error::sync(&self.path)(error)),
        }
    }

    /// Syncs the file. The system tells of a failure only once, and may then call clean
    /// what it did not store: so syncs do not overlap, and after a failed one none succeeds.
    ///
    /// # Errors
    /// I/O.
    pub fn sync(&self) -> std::io::Result<()> {
        let mut failed = self.failed.lock();
        if *failed {
            return Err(std::io::Error::other("an earlier sync of this file failed"));
        }
        let synced = self.file.sync_data();
        *failed = synced.is_err();
        synced
    }

    fn fill(&self, from: u64, to: u64) -> std::io::Result<()> {
        let mut at = from;
        while at < to {
            let len = usize::try_from(to - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.file.write_at(&ZEROS[..len], at)?;
            at += len as u64;
        }
        Ok(())
    }
}

/// A segment file with space and without a header: made ahead of its use.
#[derive(Debug)]
pub struct PreallocatedSegment {
    /// Its ordinal.
    pub ordinal: u64,
    path: PathBuf,
    space: Arc<Space>,
}

impl PreallocatedSegment {
    /// Makes the file of a segment: first space, then its name, so that under this name
    /// there are never bytes that a crash left of an unfinished file. An unused file that
    /// an earlier attempt left is replaced, any other one refused.
    ///
    /// # Errors
    /// `DiskFull` (nothing is affected, try again), I/O.
    pub fn create(disk: &dyn Disk, dir: &std::path::Path, ordinal: u64) -> Result<Self> {
        let path = super::path(dir, ordinal);
        refuse_used(disk, &path)?;
        let temporary = path.with_extension("seg.new");
        if disk.exists(&temporary).map_err(Error::io("look for", &temporary))? {
            disk.remove_file(&temporary).map_err(Error::io("remove", &temporary))?;
        }
        let file = disk.open(&temporary, Open::CreateNew);
        let file = file.map_err(Error::growing("create", &path, FIRST_STEP))?;
        let space = Arc::new(Space::new(path.clone(), file, 0));
        if let Err(error) = space.ensure(FIRST_STEP, 0) {
            // What is made ahead shall not take the space that the active one needs.
            let _ = disk.remove_file(&temporary);
            return Err(error);
        }
        disk.rename(&temporary, &path).map_err(Error::growing("create", &path, FIRST_STEP))?;
        if let Err(error) = disk.sync_dir(dir) {
            let _ = disk.remove_file(&path); // whoever finds it would take it for durable
            return Err(Error::growing("create", &path, FIRST_STEP)(error));
        }
        Ok(PreallocatedSegment { ordinal, path, space })
    }
}

/// A file with a header holds frames: it is never replaced.
fn refuse_used(disk: &dyn Disk, path: &std::path::Path) -> Result<()> {
    if !disk.exists(path).map_err(Error::io("look for", path))? {
        return Ok(());
    }
    match SegmentFile::open(disk, path, Open::Read)? {
        None => Ok(()),
        Some(segment) => {
            let found =
                format!("segment {} of log {}", segment.header.ordinal, segment.header.log_id);
            Err(Error::corrupt(path, 0, "no segment yet", found))
        }
    }
}

/// The segment that frames are appended to. Owned by whoever leads a commit.
#[derive(Debug)]
pub struct Active {
    /// The file and its header.
    pub segment: Arc<SegmentFile>,
    /// Where the next frame goes.
    pub end: Position,
    /// Times of its records so far.
    pub times: TimeRange,
    /// Where its records stand; readers share it.
    pub waypoints: Arc<Waypoints>,
    /// Its space; the housekeeper shares it.
    pub space: Arc<Space>,
    /// The header goes to disk with the first frame.
    begun: bool,
    /// Length of the newest frame: what the next ones are likely to need.
    pub last_frame_len: u64,
    /// What the newest write changed.
    newest: Option<Write>,
}

/// A write, and what the segment was before it.
#[derive(Clone, Copy, Debug)]
struct Write {
    at: u64,
    len: u64,
    end: Position,
    begun: bool,
}

impl Active {
    /// Begins a segment in a file made ahead. Nothing is written before the first frame.
    pub fn begin(ahead: PreallocatedSegment, header: SegmentHeader) -> Self {
        let end = Position { offset: header.first_frame(), size: header.first };
        let file = Arc::clone(&ahead.space.file);
        Active {
            segment: Arc::new(SegmentFile::begun(ahead.path, header, file)),
            end,
            times: TimeRange::EMPTY,
            waypoints: Arc::new(Waypoints::new()),
            space: ahead.space,
            begun: false,
            last_frame_len: 0,
            newest: None,
        }
    }

    /// Goes on in a segment that recovery found whole up to `end`.
    ///
    /// # Errors
    /// I/O.
    pub fn resume(
        segment: Arc<SegmentFile>,
        end: Position,
        times: TimeRange,
        waypoints: Arc<Waypoints>,
    ) -> Result<Self> {
        let space =
            Space::new(segment.path.clone(), Arc::clone(segment.file()), segment.file_len()?);
        Ok(Active {
            segment,
            end,
            times,
            waypoints,
            space: Arc::new(space),
            begun: true,
            last_frame_len: 0,
            newest: None,
        })
    }

    /// Records in it.
    pub fn count(&self) -> u64 {
        self.end.size.get() - self.segment.header.first.get()
    }

    /// The header of the next frame, once its place is known.
    pub fn frame_header(&self, body_len: u32, count: u32, durable: TreeSize) -> FrameHeader {
        FrameHeader { first: self.end.size, durable, body_len, count }
    }

    /// Makes sure that a frame of this length can be written.
    ///
    /// # Errors
    /// `DiskFull` (retryable), I/O.
    pub fn prepare(&self, frame_len: u64) -> Result<()> {
        self.space.ensure(self.end.offset + frame_len, frame_len)
    }

    /// Writes a frame whose header is in place, and moves the end behind it. The space is
    /// prepared. Does not sync.
    ///
    /// # Errors
    /// `DiskFull`: a file system that copies on write had none left all the same; nothing of the
    /// frame is there. I/O: what is on disk is unknown then.
    pub fn write(&mut self, frame: &[u8], header: &FrameHeader) -> Result<()> {
        let (end, begun) = (self.end, self.begun);
        let first;
        let (bytes, at) = if begun {
            (frame, end.offset)
        } else {
            first = self.with_header(frame);
            (first.as_slice(), 0)
        };
        let write = Write { at, len: bytes.len() as u64, end, begun };
        if let Err(error) = self.segment.file().write_at(bytes, at) {
            let error = Error::growing("write", &self.segment.path, write.len)(error);
            if matches!(error, Error::DiskFull { .. }) {
                self.wipe(&write)?;
            }
            return Err(error);
        }
        self.newest = Some(write);
        self.begun = true;
        self.last_frame_len = frame.len() as u64;
        let offset = align_up(end.offset + frame.len() as u64, self.segment.header.frame_align);
        self.end = Position { offset, size: header.end() };
        Ok(())
    }

    fn with_header(&self, frame: &[u8]) -> Vec<u8> {
        let mut first = self.segment.header.encode().to_vec();
        first.resize(usize::try_from(self.end.offset).unwrap_or(first.len()), 0);
        first.extend_from_slice(frame);
        first
    }

    /// Takes the newest frame back, durably: nothing was told of it yet.
    ///
    /// # Errors
    /// I/O: what is on disk is unknown then.
    pub fn take_back(&mut self) -> Result<()> {
        let Some(write) = self.newest.take() else { return Ok(()) };
        self.wipe(&write)?;
        (self.end, self.begun) = (write.end, write.begun);
        self.sync()
    }

    /// Puts zeros where a write was, which may have stored any part of it.
    fn wipe(&self, write: &Write) -> Result<()> {
        let (file, end) = (self.segment.file(), write.at + write.len);
        let mut at = write.at;
        while at < end {
            let next = end.min(align_up(at + 1, PAGE));
            let len = usize::try_from(next - at).unwrap_or(0);
            if let Err(error) = file.write_at(&ZEROS[..len], at) {
                // Where there was no space for the frame there is none for zeros, nor need of them.
                let mut found = vec![0; len];
                let read = read_exact_at(&**file, &mut found, at);
                if read.is_err() || found.iter().any(|byte| *byte != 0) {
                    return Err(Error::unknown_state("wipe", &self.segment.path)(error));
                }
            }
            at = next;
        }
        Ok(())
    }

    /// Makes all frames durable.
    ///
    /// # Errors
    /// I/O: what is on disk is unknown then.
    pub fn sync(&self) -> Result<()> {
        self.space.sync().map_err(Error::sync(&self.segment.path))
    }
}
