//! What the disk allows: a zero-filled file, `pwrite` and `fdatasync`, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bulla::event::Event;

use super::load::{Taken, events};
use super::{Bench, Measured};

/// The file grows by this many zeroes, outside the time that is measured.
const STEP_BYTES: u64 = 64 << 20;

/// One event a write.
pub(super) fn single(bench: &Bench, dir: &Path) -> Result<Measured> {
    let mut file = RawFile::create(dir)?;
    let mut taken = Taken::default();
    for event in events(bench.seed).take(usize::try_from(bench.events)?) {
        file.make_room()?;
        taken.time(1, || file.append(std::slice::from_ref(&event)))?;
        if taken.total >= Duration::from_secs(bench.seconds) {
            break;
        }
    }
    Ok(taken.measured(None))
}

/// A batch a write.
pub(super) fn batches(bench: &Bench, dir: &Path) -> Result<Measured> {
    let mut file = RawFile::create(dir)?;
    let mut taken = Taken::default();
    let mut source = events(bench.seed);
    let mut left = bench.events;
    while left > 0 {
        let size = left.min(bench.batch);
        let batch: Vec<Event> = source.by_ref().take(usize::try_from(size)?).collect();
        file.make_room()?;
        taken.time(size, || file.append(&batch))?;
        left -= size;
    }
    Ok(taken.measured(None))
}

struct RawFile {
    file: File,
    end: u64,
    zeroed: u64,
    buffer: Vec<u8>,
}

impl RawFile {
    fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let path = dir.join("raw");
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        Ok(RawFile { file, end: 0, zeroed: 0, buffer: Vec::new() })
    }

    /// Keeps half a step of zeroes ahead: more than any batch takes.
    fn make_room(&mut self) -> Result<()> {
        if self.end + STEP_BYTES / 2 < self.zeroed {
            return Ok(());
        }
        let zeroes = vec![0; 1 << 20];
        for at in (0..STEP_BYTES).step_by(zeroes.len()) {
            self.file.write_all_at(&zeroes, self.zeroed + at)?;
        }
        self.file.sync_all()?;
        self.zeroed += STEP_BYTES;
        Ok(())
    }

    fn append(&mut self, events: &[Event]) -> Result<()> {
        self.buffer.clear();
        for event in events {
            encode(event, &mut self.buffer)?;
        }
        self.file.write_all_at(&self.buffer, self.end)?;
        self.file.sync_data()?;
        self.end += self.buffer.len() as u64;
        Ok(())
    }
}

/// Length and CRC, then the fields one after the other, each text with its length.
fn encode(event: &Event, out: &mut Vec<u8>) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&event.id.map_or([0; 16], |id| id.0));
    let time = event.occurred_at.map_or(0, |time| time.as_nanos());
    out.extend_from_slice(&time.to_le_bytes());
    out.push(event.outcome.code());
    let details = event.details.as_ref().map(|json| json.as_str());
    let texts = [
        event.tenant.as_deref(),
        Some(event.actor.kind.as_str()),
        Some(event.actor.id.as_str()),
        Some(event.action.as_str()),
        Some(event.resource.kind.as_str()),
        event.resource.id.as_deref(),
        event.ip.as_deref(),
        event.user_agent.as_deref(),
        event.request_id.as_deref(),
        event.source.as_deref(),
        details,
    ];
    for text in texts.into_iter().map(Option::unwrap_or_default) {
        let length = u16::try_from(text.len()).map_err(io::Error::other)?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    let length = u32::try_from(out.len() - start - 8).map_err(io::Error::other)?;
    let mut crc = flate2::Crc::new();
    crc.update(&out[start + 8..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.sum().to_le_bytes());
    Ok(())
}
