//! What recovery set aside: bytes that were not part of the log.

use std::fmt;

use crate::catalog::{Catalog, Mended};
use crate::directory::LogDir;
use crate::disk;
use crate::error::{Error, Result};
use crate::format::Stream;
use crate::format::catalog_body::{CatalogBody, Quarantined, RecordedAttribution};
use crate::hash::{Hash, tag, tagged};

/// Stands before the digest in the reason of a record of kind 20.
pub(crate) const DIGEST_MARK: &str = "BLAKE3 of the bytes: ";

/// Bytes that recovery moved to `quarantine/`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QuarantinedBytes {
    /// Main log or catalog.
    pub stream: Stream,
    /// The segment they were cut from.
    pub ordinal: u64,
    /// Their offset in it.
    pub offset: u64,
    /// How many.
    pub len: u64,
    /// The file in `quarantine/`.
    pub file: String,
    /// Why they were not part of the log.
    pub reason: String,
    /// Whether they are a copy of the catalog's segment that was damaged, or behind, and was made
    /// equal to the other copy. Else they were cut off.
    pub mended: bool,
}

impl fmt::Display for QuarantinedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QuarantinedBytes { ordinal, offset, len, file, reason, .. } = self;
        if self.mended {
            return write!(
                f,
                "a copy of catalog segment {ordinal} was not equal to the other copy, which took \
                 its place; its {len} bytes were set aside in {file}: {reason}; no record is lost"
            );
        }
        let of = if self.stream == Stream::Catalog { "catalog segment" } else { "segment" };
        write!(
            f,
            "{len} bytes at offset {offset} of {of} {ordinal} were not part of the log and were \
             set aside in {file}: {reason}; no acknowledged record is affected"
        )
    }
}

impl QuarantinedBytes {
    /// What mending the catalog set aside.
    pub(crate) fn of_catalog(mended: Mended) -> Self {
        QuarantinedBytes {
            stream: Stream::Catalog,
            ordinal: mended.ordinal,
            offset: mended.offset,
            len: mended.len,
            file: mended.file,
            reason: mended.reason,
            mended: mended.is_copy,
        }
    }
}

/// The digest by which the catalog knows bytes that were set aside.
pub(crate) fn digest_of(bytes: &[u8]) -> Hash {
    tagged(tag::SET_ASIDE, &[bytes])
}

/// Puts on record what was set aside, with its digest.
pub(crate) fn record_set_aside(
    dir: &LogDir,
    catalog: &mut Catalog,
    set_aside: &[QuarantinedBytes],
) -> Result<()> {
    for bytes in set_aside {
        let path = dir.quarantine().join(&bytes.file);
        let kept =
            disk::read_file(dir.disk(), &path, u64::MAX).map_err(Error::io("read", &path))?;
        let why = format!("recovery; {DIGEST_MARK}{}", digest_of(&kept));
        let body = CatalogBody::Quarantined(Quarantined {
            stream: bytes.stream.code(),
            ordinal: bytes.ordinal,
            offset: bytes.offset,
            len: bytes.len,
            file: &bytes.file,
            reason: &bytes.reason,
        });
        catalog.append(
            &body,
            &RecordedAttribution { why: Some(&why), ..RecordedAttribution::default() },
        )?;
    }
    Ok(())
}
