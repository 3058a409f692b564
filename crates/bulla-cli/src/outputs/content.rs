//! Recognising a file of a log, an archive or an export by what is in it, wherever it lies: a
//! rescued directory has lost what marks it, and a bind mount hides it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// What the files of `docs/format.md` begin with.
const MAGICS: [(&[u8], &str); 8] = [
    (b"BULLASEG", "a segment of a log"),
    (b"BULLAIDX", "the index of a segment"),
    (b"BULLATRE", "a file of a log's tree"),
    (MARK, "a file of a log's tree"),
    (b"BULLALCK", "the lock file of a log"),
    (b"BULLASNP", "the snapshot of a log's catalog"),
    (b"BULLAKSL", "a part of a key store"),
    (b"bulla tiles export, ", "the mark of a log export"),
];
const MARK: &[u8] = b"BULLAMRK";
/// Where the second slot of a mark file begins.
const SECOND_SLOT: usize = 4096;
/// What the footer of a sealed segment begins with, which ends the file.
const FOOTER: &[u8] = b"BULLAEND";
/// How much of the end of a file is looked at.
const END: u64 = 4096;

/// What a file is, if it is one that is never replaced. `found` is its beginning.
pub(super) fn kind(found: &[u8], file: &mut File) -> io::Result<Option<&'static str>> {
    if let Some((_, what)) = MAGICS.iter().find(|(magic, _)| found.starts_with(magic)) {
        return Ok(Some(what));
    }
    if found.get(SECOND_SLOT..).is_some_and(|slot| slot.starts_with(MARK)) {
        return Ok(Some("a file of a log's tree"));
    }
    if is_manifest(found) {
        return Ok(Some("the manifest of an archived segment"));
    }
    // The header of a damaged segment may be gone.
    let len = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(len.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    let sealed = end.windows(FOOTER.len()).any(|bytes| bytes == FOOTER);
    Ok(sealed.then_some("a segment of a log"))
}

fn is_manifest(found: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&found[..found.len().min(64)]);
    let mut words = text.split(|c: char| c.is_whitespace() || "{\":,".contains(c));
    let mut words = words.by_ref().filter(|word| !word.is_empty());
    words.next() == Some("format") && words.next() == Some("bulla-archive")
}

/// Whether this is a file of a log: both its name and its content are those of one.
pub(super) fn is_part(dir: &Path, name: &str) -> bool {
    let magic: &[u8] = match name.rsplit_once('.') {
        Some((stem, "seg")) if stem == "segment" || is_ordinal(stem) => b"BULLASEG",
        Some((stem, "idx")) if stem == "segment" || is_ordinal(stem) => b"BULLAIDX",
        Some((stem, "hashes")) if stem.starts_with("level-") => b"BULLATRE",
        None if name == "mark" => MARK,
        None if name == "snapshot" => b"BULLASNP",
        Some((stem, "torn")) => return stem.starts_with("main-") || stem.starts_with("catalog-"),
        Some((stem, "checkpoint" | "bulla-checkpoint")) => {
            // Early versions signed heads of the catalog as well.
            let size = stem.strip_prefix("catalog-").unwrap_or(stem);
            return size.len() >= 16 && size.bytes().all(|byte| byte.is_ascii_digit());
        }
        _ => return false,
    };
    let mut found = Vec::new();
    let read = File::open(dir.join(name)).and_then(|file| file.take(8).read_to_end(&mut found));
    read.is_ok() && found == magic
}

fn is_ordinal(name: &str) -> bool {
    name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn of(content: &[u8]) -> Option<&'static str> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        kind(&content[..content.len().min(64 << 10)], &mut file).unwrap()
    }

    #[test]
    fn files_of_a_log_are_known_by_what_is_in_them() {
        let format = include_str!("../../../../docs/format.md");
        for line in format.lines().filter(|line| line.starts_with("| `magic` |")) {
            let magic = line.split('`').nth(3).unwrap();
            if !magic.starts_with("BULLA") {
                continue; // of a structure within a file
            }
            let secret = super::super::secret::secret(magic.as_bytes()).is_some();
            assert!(secret || of(magic.as_bytes()).is_some(), "{magic}");
        }
        let mut second = vec![0; 8192];
        second[4096..4104].copy_from_slice(MARK);
        assert_eq!(of(&second), Some("a file of a log's tree"));
        let mut damaged = vec![0; 200_000];
        damaged[199_000..199_008].copy_from_slice(FOOTER);
        assert_eq!(of(&damaged), Some("a segment of a log"));
        let manifest = b"{\n  \"format\": \"bulla-archive\",\n  \"version\": 1";
        assert_eq!(of(manifest), Some("the manifest of an archived segment"));
        for fine in [&b""[..], b"BULLA", b"{\"format\":\"x\"}", b"text BULLASEG", &[0; 9000]] {
            assert_eq!(of(fine), None);
        }
    }

    #[test]
    fn a_directory_of_a_log_is_known_by_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            std::fs::write(dir.path().join(name), content).unwrap();
            is_part(dir.path(), name)
        };
        assert!(write("00000001.seg", "BULLASEG…"));
        assert!(write("00000001.idx", "BULLAIDX…"));
        assert!(write("segment.seg", "BULLASEG…"));
        assert!(write("level-04.hashes", "BULLATRE…"));
        assert!(write("main-00000001-512.torn", "?"));
        assert!(write("0000000000000012.checkpoint", "?"));
        assert!(!write("00000002.seg", "other"));
        assert!(!write("a.seg", "BULLASEG"));
        assert!(!write("audit.checkpoint", "?"));
        assert!(!write("mark", "x"));
    }
}
