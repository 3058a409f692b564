//! What a proof carries in its `extra` line, in the only spelling it has.

use super::super::{Extra, MalformedProof};
use super::*;

const RECORD: &[u8] = b"bulla-record/v1\0rest";

fn section(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [&[tag], len.as_slice(), bytes].concat()
}

fn container(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"bulla-extra/v1\0".as_slice(), &sections.concat()].concat()
}

#[test]
fn a_record_alone_stands_without_a_container() {
    let extra = Extra::of_record(RECORD.to_vec());
    assert_eq!(extra.to_bytes(), RECORD);
    assert_eq!(Extra::parse(RECORD), Ok(extra));
    for other in [container(&[section(1, RECORD)]), container(&[]), Vec::new(), b"x".to_vec()] {
        assert!(Extra::parse(&other).is_err(), "{other:?}");
    }
    assert!(Extra::default().to_bytes().is_empty());
}

#[test]
fn sections_stand_once_in_the_order_of_their_tags_and_unknown_ones_are_newer() {
    let (record, chain) = (section(1, RECORD), section(2, b"chain"));
    let good = container(&[record.clone(), chain.clone()]);
    let read = Extra::parse(&good).unwrap();
    assert_eq!(read.key_chain.as_deref(), Some(b"chain".as_slice()));
    assert_eq!(read.to_bytes(), good);
    for bad in [
        vec![chain.clone(), record.clone()],
        vec![record.clone(), record.clone(), chain.clone()],
        vec![chain.clone(), chain.clone()],
        vec![section(0, b""), chain.clone()],
        vec![section(1, b"no record"), chain.clone()],
        vec![chain.clone(), b"\x03\x05\0\0\0".to_vec()],
        vec![chain.clone(), b"\x03\xff\xff\xff\xff".to_vec()],
        vec![chain.clone(), b"\x03".to_vec()],
    ] {
        let refused = Extra::parse(&container(&bad));
        assert!(matches!(refused, Err(MalformedProof::Bytes { .. })), "{refused:?}");
    }
    // Early versions wrote a section 4: its bytes do not matter, it is never read.
    let early = Extra::parse(&container(&[record, section(4, b"")])).unwrap_err().to_string();
    assert!(early.contains("found kind 4, the head of a BLAKE3 log in its catalog"), "{early}");
    assert!(early.contains("prove it again"), "{early}");
    let newer = Extra::parse(&container(&[chain, section(6, b"")]));
    assert_eq!(newer, Err(MalformedProof::Newer { tag: 6 }));
    let long = vec![b'a'; CARRIED_KEY_CHAIN_LEN_MAX + 1];
    let refused = Extra::parse(&container(&[section(2, &long)]));
    assert!(matches!(refused, Err(MalformedProof::TooLong { .. })), "{refused:?}");
}

proptest! {
    #[test]
    fn any_extra_that_is_read_is_written_again(bytes: Vec<u8>, sections in prop::collection::vec(
        (1_u8..7, prop::collection::vec(any::<u8>(), 0..40)), 0..4,
    )) {
        let sections: Vec<_> = sections.iter().map(|(tag, bytes)| section(*tag, bytes)).collect();
        for bytes in [bytes, container(&sections)] {
            if let Ok(read) = Extra::parse(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }
    }
}
