//! [`Map`]: the bytes of a sealed file, in memory. The only `unsafe` of the crate.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// The first bytes of a sealed file, for reading; dereferences to `[u8]`.
///
/// It stays readable after the file was unlinked. If another process *truncates*
/// the file, touching the missing pages raises SIGBUS, which ends the process; no
/// part of bulla ever does that. A host that cannot risk it turns mapping off, and
/// everything is read with positional reads.
#[derive(Clone)]
pub struct Map(Backing);

#[derive(Clone)]
enum Backing {
    /// Pages of a real file.
    Mapped(Arc<memmap2::Mmap>),
    /// A simulated file's bytes, and how many of them are mapped.
    Memory(Arc<Vec<u8>>, usize),
}

impl Map {
    /// Maps the first `len` bytes of a file that will not be written or cut any more.
    ///
    /// # Errors
    /// `InvalidInput` if the file is shorter; else what the system says.
    pub(super) fn of_file(file: &File, len: u64) -> io::Result<Map> {
        let size = file.metadata()?.len();
        let mapped = usize::try_from(len).ok().filter(|_| len <= size);
        let Some(mapped) = mapped else { return Err(too_short(len, size)) };
        if mapped == 0 {
            return Ok(Map::of_memory(Arc::default(), 0)); // the system refuses empty maps
        }
        map_pages(file, mapped).map(|pages| Map(Backing::Mapped(Arc::new(pages))))
    }

    /// The first `len` bytes of a simulated file; all of them if there are fewer.
    pub(super) fn of_memory(bytes: Arc<Vec<u8>>, len: usize) -> Map {
        let len = len.min(bytes.len());
        Map(Backing::Memory(bytes, len))
    }
}

/// The error for a map that reaches past the end of its file.
pub(super) fn too_short(len: u64, size: u64) -> io::Error {
    let text = format!("expected at least {len} bytes to map, found a file of {size} bytes");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Maps `len` bytes from the start of the file, shared and read-only.
//
// Why this is sound. A `&[u8]` promises that its bytes exist and do not change
// while it is borrowed, and a file can break both:
// - *Change*: only files that are sealed are mapped (segments, indexes, tree files
//   up to their sealed length). Sealed files are never rewritten by this crate
//   (invariant 3 of the design), in this process or in another: one process at a
//   time may write to a log, it holds LOCK, and it writes to unsealed files only.
// - *Exist*: sealed files are never truncated, only unlinked, and an unlinked file
//   keeps its pages while it is mapped. `of_file` has checked that the file reaches
//   to `len`, so that no page lies past its end.
// A foreign process with the right to write the directory can break both. A
// truncation raises SIGBUS: the process ends, no undefined value is read. A foreign
// overwrite may be seen as bytes that change between two reads. The bytes are plain
// `u8`, for which every value is valid; what is decoded from them is bounds-checked,
// and the checksums are checked on what was decoded. Hosts that cannot accept that
// open the log with `mmap(false)`.
#[allow(unsafe_code)]
fn map_pages(file: &File, len: usize) -> io::Result<memmap2::Mmap> {
    // SAFETY: the file is sealed and reaches to `len`; see above.
    unsafe { memmap2::MmapOptions::new().len(len).map(file) }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Backing::Mapped(pages) => pages,
            Backing::Memory(bytes, len) => &bytes[..*len],
        }
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_never_reaches_past_the_end_of_its_file() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        assert_eq!(Map::of_file(&file, 11).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(Map::of_file(&file, 10).unwrap().len(), 10);
        assert_eq!(Map::of_file(&file, 0).unwrap().len(), 0);
        assert_eq!(Map::of_memory(Arc::new(vec![1, 2]), 9).len(), 2);
    }
}
