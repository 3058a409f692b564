//! Law: a fixed structure that decodes is encoded as the same bytes wherever the format
//! names all of them; and no bytes make a decoder panic.
#![no_main]

use bulla::LogId;
use bulla::internals::format::footer::{self, SegmentFooter};
use bulla::internals::format::frame::{self, FrameHeader};
use bulla::internals::format::header::{self, SegmentHeader};
use bulla::internals::format::lock::{self, LockFile};
use bulla::internals::format::mark::RecoveryPoint;
use bulla::internals::format::record::{Context, RawRecord};
use bulla::{HashAlgorithm, Seq};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(bytes) = bytes.first_chunk::<{ header::LEN }>()
        && let Ok(header) = SegmentHeader::decode(bytes)
    {
        assert_eq!(&header.encode(), bytes);
    }
    if let Some(bytes) = bytes.first_chunk::<{ frame::LEN }>()
        && let Ok(header) = FrameHeader::decode(bytes, &[0; 16], 512)
    {
        assert_eq!(&header.encode(&[0; 16], 512), bytes);
    }
    if let Some(bytes) = bytes.first_chunk::<{ footer::LEN }>() {
        let _ = SegmentFooter::decode(bytes, 4096);
    }
    if let Some(bytes) = bytes.first_chunk::<{ lock::LEN }>() {
        let _ = LockFile::decode(bytes);
    }
    let _ = RecoveryPoint::decode(bytes);
    if let Ok(raw) = RawRecord::take(bytes) {
        assert!(raw.stored_len() <= bytes.len());
        let (log_id, nonce) = (LogId([0; 16]), [0; 16]);
        let context = Context { log_id, nonce, algorithm: HashAlgorithm::Sha256 };
        let _ = raw.check(&context, Seq::new(0));
    }
});
