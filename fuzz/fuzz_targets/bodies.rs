//! Law: a body that decodes strictly has one spelling: what it decodes to is encoded as
//! the same bytes; and no bytes make a decoder panic.
#![no_main]

use bulla::LogId;
use bulla::internals::format::body;
use bulla::internals::format::catalog_body::{CatalogBody, Snapshot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for schema in [body::SCHEMA, body::SCHEMA_REDACTED, body::SCHEMA_ADDED] {
        let _ = body::decode_envelope_strict(schema, bytes);
        let _ = body::decode_payload_strict(schema, bytes);
    }
    let _ = Snapshot::decode(bytes, LogId([0; 16]));
    if let Ok(anchor) = body::decode_anchor_strict(bytes) {
        let mut again = Vec::new();
        body::encode_anchor(&anchor, &mut again).unwrap();
        assert_eq!(again, bytes);
    }
    for kind in 16..22 {
        if let Ok((root, body)) = CatalogBody::decode(kind, bytes) {
            assert_eq!(body.encode(&root).unwrap(), bytes);
        }
    }
});
