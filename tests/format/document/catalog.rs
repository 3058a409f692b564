//! The log of the worked example: its sealed segment, an anchor behind it, and the catalog,
//! of which the document shows two records.

use std::path::Path;

use bulla::checkpoint::{Checkpoint, SignatureKind};
use bulla::event::Anchor;
use bulla::internals::format::body;
use bulla::internals::format::catalog_body::{
    CatalogBody, Created, HeadSigned, KeyAdded, RecordedAttribution, Sealed, StateMap,
};
use bulla::internals::format::frame::FrameHeader;
use bulla::internals::format::header::{CATALOG_VERSION, SegmentHeader};
use bulla::internals::format::layout;
use bulla::internals::format::record::{self, Head, PREFIX_LEN, SALT_LEN};
use bulla::internals::format::{LogId, Stream};
use bulla::merkle::{Frontier, TreeHead};
use bulla::{
    Hash, HashAlgorithm, Log, Seq, SigningKey, TreeSize, UnverifiedCheckpoint, VerifyOptions,
};

use super::{DOCUMENT, Part, by_layout, by_lengths, counting, event, example, show, time};

pub(crate) const ORIGIN: &str = "example.com/audit";
const ALGORITHM: HashAlgorithm = HashAlgorithm::Sha256;
/// Where the first frame of the catalog stands.
const FIRST_FRAME: usize = 512;

/// A record as it is appended to a segment.
pub(crate) struct Written {
    pub(crate) frame: Vec<u8>,
    pub(crate) prefix: Vec<u8>,
    pub(crate) envelope: Vec<u8>,
    pub(crate) salted: Vec<u8>,
    pub(crate) leaf: Hash,
}

impl Written {
    fn bytes(&self) -> Vec<u8> {
        [&self.frame[..], &self.prefix, &self.envelope, &self.salted].concat()
    }
}

/// A segment without an end.
struct Writer {
    header: SegmentHeader,
    bytes: Vec<u8>,
    tree: Frontier,
}

impl Writer {
    fn new(header: SegmentHeader, tree: Frontier) -> Self {
        Writer { bytes: header.encode().to_vec(), header, tree }
    }

    /// Appends a record in a frame of its own; everything before it was durable.
    fn append(&mut self, kind: u8, envelope: Vec<u8>, salted: Vec<u8>) -> Written {
        let (log_id, nonce) = (self.header.log_id, self.header.nonce);
        let head = Head {
            schema: record::SCHEMA,
            kind,
            flags: 0,
            seq: Seq::new(self.tree.size().get()),
            recorded_at: time(),
            envelope_len: u16::try_from(envelope.len()).unwrap(),
        };
        let bodies = [&envelope[..], &salted].concat();
        let digests = record::Digests::of_plain(&salted);
        let sealed = (record::body_crc(&bodies), u32::try_from(salted.len()).unwrap(), &digests);
        let mut prefix = [0; PREFIX_LEN];
        let context = record::Context { log_id, nonce, algorithm: ALGORITHM };
        let leaf = record::seal(&context, &head, sealed, &mut prefix, &envelope);
        let frame = FrameHeader {
            first: self.tree.size(),
            durable: self.tree.size(),
            body_len: u32::try_from(PREFIX_LEN + bodies.len()).unwrap(),
            count: 1,
        };
        let frame = frame.encode(&nonce, self.bytes.len() as u64).to_vec();
        self.tree.push(leaf, |_, _| ());
        let written = Written { frame, prefix: prefix.to_vec(), envelope, salted, leaf };
        self.bytes.extend(written.bytes());
        written
    }
}

/// The log of the example, as far as it is on disk.
pub(crate) struct ExampleLog {
    /// Its entries when the anchor was made.
    pub(crate) state: StateMap,
    pub(crate) anchor: Written,
    pub(crate) checkpoint: UnverifiedCheckpoint,
    pub(crate) key: SigningKey,
    /// The records of the catalog, with the state roots after them.
    catalog: Vec<Written>,
    catalog_root: Hash,
    files: Vec<(String, Vec<u8>)>,
}

impl ExampleLog {
    pub(crate) fn make() -> Self {
        let example = example();
        let first: Vec<u8> = example.parts.iter().flat_map(|part| part.bytes.clone()).collect();
        let sealed = Sealed {
            ordinal: 1,
            first: 0,
            count: 1,
            bytes: first.len() as u64,
            times: [time().as_nanos(); 4],
            end_root: *example.leaf.as_bytes(),
            header: *example.header.digest().as_bytes(),
            index_root: *example.index_root.as_bytes(),
            keep_until: 0,
            status: 0,
        };
        let mut catalog = Catalog::new(example.header.log_id);
        let created = Created { origin: ORIGIN, hash_algorithm: 1, created_at: sealed.times[0] };
        catalog.append(&CatalogBody::Created(created));
        catalog.append(&CatalogBody::Sealed(sealed));
        let state = catalog.state.clone();
        let catalog_root = catalog.writer.tree.root();
        let mut main = second_segment(&example.header, example.leaf);
        let anchor =
            Anchor { catalog_size: TreeSize::new(2), catalog_root, state_root: state.root() };
        let mut envelope = Vec::new();
        body::encode_anchor(&anchor, &mut envelope).unwrap();
        let anchor = main.append(2, envelope, counting(0xa0).to_vec());
        let key =
            SigningKey::new(ORIGIN, SignatureKind::for_heads_of(ALGORITHM), &[7; 32]).unwrap();
        let head = main.tree.head();
        let checkpoint = Checkpoint::new(ORIGIN, head).unwrap().sign(&key).unwrap();
        let vkey = key.verifying_key().to_string();
        catalog.append(&CatalogBody::KeyAdded(KeyAdded { vkey: &vkey }));
        let note = checkpoint.to_text();
        catalog.append(&CatalogBody::HeadSigned(HeadSigned {
            size: head.size.get(),
            root: *head.root.as_bytes(),
            note: &note,
        }));
        let files = vec![
            ("segments/00000001.seg".to_owned(), first),
            ("segments/00000002.seg".to_owned(), main.bytes),
            ("catalog/a/00000001.seg".to_owned(), catalog.writer.bytes.clone()),
            ("catalog/b/00000001.seg".to_owned(), catalog.writer.bytes),
            (format!("checkpoints/{:016}.checkpoint", head.size.get()), note.into_bytes()),
        ];
        let (catalog, checkpoint) = (catalog.records, checkpoint.into_unverified());
        ExampleLog { state, anchor, checkpoint, key, catalog, catalog_root, files }
    }

    pub(crate) fn head(&self) -> TreeHead {
        self.checkpoint.dangerously_unverified().head()
    }

    /// Writes the log to a directory.
    pub(crate) fn write(&self, dir: &Path) {
        for name in ["segments", "catalog/a", "catalog/b", "checkpoints"] {
            std::fs::create_dir_all(dir.join(name)).unwrap();
        }
        for (name, bytes) in &self.files {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
    }
}

struct Catalog {
    writer: Writer,
    state: StateMap,
    records: Vec<Written>,
}

impl Catalog {
    fn new(log_id: LogId) -> Self {
        let tree = Frontier::new(ALGORITHM);
        let header = SegmentHeader {
            format_version: CATALOG_VERSION,
            stream: Stream::Catalog,
            algorithm: ALGORITHM,
            frame_align: 1,
            log_id,
            ordinal: 1,
            first: TreeSize::ZERO,
            created_at: time(),
            nonce: counting(0x50),
            start_root: tree.root(),
            previous: Hash::ZERO,
            last_anchor: TreeSize::ZERO,
        };
        Catalog {
            writer: Writer::new(header, tree),
            state: StateMap::default(),
            records: Vec::new(),
        }
    }

    fn append(&mut self, body: &CatalogBody<'_>) {
        let number = self.records.len();
        self.state.apply(Seq::new(number as u64), body).unwrap();
        let envelope = body.encode(&self.state.root()).unwrap();
        let salt = counting(0x60 + u8::try_from(number).unwrap() * 0x10);
        let salted =
            [&salt[..], &RecordedAttribution::default().encode(body.kind()).unwrap()].concat();
        self.records.push(self.writer.append(body.kind(), envelope, salted));
    }
}

/// The active segment behind the sealed one.
fn second_segment(before: &SegmentHeader, leaf: Hash) -> Writer {
    let mut tree = Frontier::new(ALGORITHM);
    tree.push(leaf, |_, _| ());
    let header = SegmentHeader {
        ordinal: 2,
        first: TreeSize::new(1),
        nonce: counting(0xb0),
        start_root: tree.root(),
        previous: before.digest(),
        ..before.clone()
    };
    Writer::new(header, tree)
}

const CREATED: &[(&str, usize)] = &[
    ("state root", 32),
    ("origin: 17 bytes", 18),
    ("hash_algorithm: SHA-256", 1),
    ("created_at", 9),
];

const SEALED: &[(&str, usize)] = &[
    ("state root", 32),
    ("ordinal", 1),
    ("first", 1),
    ("count", 1),
    ("bytes", 3),
    ("times: smallest recorded_at", 9),
    ("largest recorded_at", 9),
    ("smallest occurred_at", 9),
    ("largest occurred_at", 9),
    ("end_root", 32),
    ("header", 32),
    ("index_root", 32),
    ("keep_until: no policy", 1),
    ("status: live", 1),
];

const BECAUSE: &[(&str, usize)] = &[("salt", SALT_LEN), ("who: absent", 1), ("why: absent", 1)];

fn catalog_parts(log: &ExampleLog) -> Vec<Part> {
    let shown = [("created", CREATED), ("segment sealed", SEALED)];
    let mut parts = Vec::new();
    for (number, (written, (_, fields))) in log.catalog.iter().zip(shown).enumerate() {
        let title = |of: &str| format!("{of} of record {number}");
        parts.push(by_layout(&title("frame header"), &written.frame, layout::frame_header::LAYOUT));
        parts.push(by_layout(&title("prefix"), &written.prefix, layout::record_prefix::LAYOUT));
        parts.push(by_lengths(&title("envelope"), &written.envelope, fields));
        parts.push(by_lengths(&title("salt and payload"), &written.salted, BECAUSE));
    }
    parts
}

#[test]
fn the_catalog_of_the_worked_example_is_what_the_code_writes() {
    let log = ExampleLog::make();
    let shown = format!("```text\n{}```\n", show(&catalog_parts(&log), FIRST_FRAME));
    assert!(DOCUMENT.contains(&shown), "docs/format.md should show:\n{shown}");
    for hash in [log.catalog[0].leaf, log.catalog[1].leaf, log.catalog_root] {
        assert!(DOCUMENT.contains(&format!("`{hash}`")), "docs/format.md should name {hash}");
    }
    assert_eq!(log.catalog[1].envelope[..32], *log.state.root().as_bytes());
}

#[test]
fn the_catalog_of_the_worked_example_is_what_the_code_reads() {
    let log = ExampleLog::make();
    let dir = tempfile::tempdir().unwrap();
    log.write(dir.path());
    let found = bulla::verify(dir.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(found.findings.is_empty(), "{found:?}");
    let reader = Log::open(dir.path()).unwrap();
    assert_eq!(reader.snapshot().get(Seq::new(0)).unwrap().event, event());
    let anchor = reader.snapshot().get(Seq::new(1)).unwrap();
    assert_eq!(anchor.leaf_hash, log.anchor.leaf);
    assert_eq!(anchor.anchor.unwrap().state_root, log.state.root());
    assert_eq!(reader.snapshot().catalog().history().unwrap().len(), 4);
    let mut tree = Frontier::new(ALGORITHM);
    log.catalog.iter().take(2).for_each(|record| tree.push(record.leaf, |_, _| ()));
    assert_eq!(tree.root(), log.catalog_root);
}
