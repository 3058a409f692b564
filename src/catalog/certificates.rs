//! Drop certificates, read from the catalog.

use super::store::Catalog;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, RecordedAttribution, Sealed};
use crate::hash::Hash;
use crate::retention::DropCertificate;
use crate::seq::Seq;

/// The certificates of segments with a status, ascending by segment.
pub(crate) fn certificates(
    catalog: &Catalog,
    of: impl Fn(u8) -> bool,
) -> Result<Vec<DropCertificate>> {
    let dropped = catalog.state().segments().filter(|sealed| of(sealed.status));
    let at: Vec<Seq> =
        dropped.filter_map(|sealed| catalog.state().certificate_of(sealed.ordinal)).collect();
    at.into_iter().map(|seq| certificate_at(catalog, seq)).collect()
}

/// The certificate that was written last.
pub(crate) fn newest_certificate(catalog: &Catalog) -> Result<Option<DropCertificate>> {
    let newest = catalog.state().newest_certificate();
    newest.map(|seq| certificate_at(catalog, seq)).transpose()
}

/// The certificate that a record of the catalog is.
pub(crate) fn certificate_at(catalog: &Catalog, seq: Seq) -> Result<DropCertificate> {
    let read = catalog.with_record(seq, |record| {
        let because =
            RecordedAttribution::decode(record.head.kind, record.payload()).unwrap_or_default();
        match CatalogBody::decode(record.head.kind, record.envelope) {
            Ok((_, CatalogBody::DropStarted(body))) => {
                let at = (record.head.seq, record.head.recorded_at);
                Some(DropCertificate::of(&body, at, (because.who, because.why)))
            }
            _ => None,
        }
    })?;
    let what = format!("catalog record {seq}, which the state names");
    read.ok_or_else(|| Error::tampered(what, "a drop certificate", "another record"))
}

/// The certificate by which a segment is going, or gone: without one nothing of it is deleted, and
/// nothing leads across its gap.
///
/// # Errors
/// `Tampered` if there is none, or it is another segment's; damage, I/O.
pub(crate) fn certificate_for(catalog: &Catalog, sealed: &Sealed) -> Result<DropCertificate> {
    let missing = || {
        let what = format!("segment {} of status {}", sealed.ordinal, sealed.status);
        Error::tampered(what, "a drop certificate in the catalog", "none")
    };
    let seq = catalog.state().certificate_of(sealed.ordinal).ok_or_else(missing)?;
    let certificate = certificate_at(catalog, seq)?;
    check_speaks_of(&certificate, sealed)?;
    Ok(certificate)
}

/// The certificate must speak of the segment that was sealed.
fn check_speaks_of(certificate: &DropCertificate, sealed: &Sealed) -> Result<()> {
    let (start, end) = (certificate.start.size.get(), certificate.end);
    let said = (certificate.ordinal, start, end.size.get(), end.root);
    let size = sealed.first.saturating_add(sealed.count);
    let fits = said == (sealed.ordinal, sealed.first, size, Hash::from_bytes(sealed.end_root));
    if fits && sealed.count > 0 {
        return Ok(());
    }
    let what = format!("the drop certificate of segment {}", sealed.ordinal);
    let root = Hash::from_bytes(sealed.end_root);
    let expected = format!("records {} to {size} and root {root}, as it was sealed", sealed.first);
    let found = format!("segment {}, records {start} to {}, root {}", said.0, said.2, said.3);
    Err(Error::tampered(what, expected, found))
}
