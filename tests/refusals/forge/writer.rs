//! Puts a log together: what follows from its parts, in the order in which it was written.

use std::collections::BTreeMap;

use super::Forge;
use super::bytes::{as_text, as_uint, finish, int, number, part, put, text, uint};
use super::document;
use super::files::Files;
use super::hashes::{Algorithm, Hash, blake3};
use super::notes::{base64, resign};
use super::segment::{End, FOOTER, HEADER, Record, Segment, Start, leaf};
use super::state::State;
use super::statements;

const LEVEL: &str = "Hash file header";

/// What is known of a finished segment of the main log.
struct Finished {
    first: u64,
    count: u64,
    bytes: u64,
    times: Vec<u8>,
    start_root: Hash,
    end_root: Hash,
    header: Hash,
    index_root: Hash,
}

struct Writer {
    forge: Forge,
    leaves: Vec<Hash>,
    catalog_leaves: Vec<Hash>,
    state: State,
    state_roots: Vec<Hash>,
    /// Places of the records of the catalog: segment, frame, record.
    places: Vec<(usize, usize, usize)>,
    finished: BTreeMap<u64, Finished>,
    /// Hash of the text of the newest statement about keys.
    statement: Hash,
    main_files: Vec<(u64, Vec<u8>)>,
    lost_indexes: Vec<u64>,
}

pub(super) fn write(forge: Forge) -> Files {
    let mut writer = Writer::new(forge);
    writer.run();
    writer.files()
}

pub(super) fn snapshot(forge: Forge) -> Vec<u8> {
    let mut writer = Writer::new(forge);
    writer.run();
    writer.snapshot(&writer.forge.files)
}

pub(super) fn leaves(forge: Forge) -> Vec<Hash> {
    let mut writer = Writer::new(forge);
    writer.run();
    writer.leaves
}

pub(super) fn catalog_leaves(forge: Forge) -> (Vec<Hash>, Vec<Hash>) {
    let mut writer = Writer::new(forge);
    writer.run();
    (writer.catalog_leaves, writer.state_roots)
}

/// The parts of a log with all that follows from them, and the leaves of its records.
pub(super) fn derived(forge: Forge) -> (Forge, Vec<Hash>, Vec<Hash>) {
    let mut writer = Writer::new(forge);
    writer.run();
    (writer.forge, writer.leaves, writer.catalog_leaves)
}

impl Writer {
    fn new(forge: Forge) -> Self {
        let mut places = Vec::new();
        for (s, segment) in forge.catalog.iter().enumerate() {
            for (f, frame) in segment.frames.iter().enumerate() {
                places.extend((0..frame.records.len()).map(|r| (s, f, r)));
            }
        }
        Writer {
            forge,
            leaves: Vec::new(),
            catalog_leaves: Vec::new(),
            state: State::default(),
            state_roots: Vec::new(),
            places,
            finished: BTreeMap::new(),
            statement: [0; 32],
            main_files: Vec::new(),
            lost_indexes: Vec::new(),
        }
    }

    fn run(&mut self) {
        let (mut previous, mut last_anchor) = ([0; 32], 0);
        for at in 0..self.forge.main.len() {
            let first = self.leaves.len() as u64;
            let root = self.forge.algorithm.root(&self.leaves);
            if at > 0 && self.forge.main[at - 1].gone.is_some() {
                // Which of the records that are gone was an anchor only this header knows.
                last_anchor = super::header_number(&self.forge.main[at], "last_anchor");
            }
            let start = Start { first, root, previous, last_anchor };
            let mut header = self.forge.main[at].begin(&start);
            self.append_leaves(at, &header, &mut last_anchor);
            if self.forge.main[at].gone.is_some() {
                header = Vec::new();
            }
            previous = self.finish_segment(at, &header, &start, last_anchor);
        }
        let all = self.places.len();
        self.advance_catalog(all);
    }

    /// Leaves of a segment, of which anchors need the catalog as it was at them.
    fn append_leaves(&mut self, at: usize, header: &[u8], last_anchor: &mut u64) {
        if let Some(gone) = self.forge.main[at].gone.clone() {
            self.leaves.extend(gone);
            return;
        }
        let first = self.leaves.len();
        for n in 0..usize::try_from(self.forge.main[at].count()).unwrap() {
            if self.forge.main[at].record(n).kind() == 2 {
                self.derive_anchor(at, n);
            }
            // Its Seq may be that of a frame that says another.
            let segment = &self.forge.main[at];
            self.leaves.push(segment.leaf(self.forge.algorithm, header, first as u64, n));
            if self.forge.main[at].record(n).kind() == 2 {
                *last_anchor = self.leaves.len() as u64;
            }
        }
    }

    fn derive_anchor(&mut self, at: usize, n: usize) {
        let record = self.forge.main[at].record(n);
        let size = usize::try_from(as_uint(record.field("catalog_size"))).unwrap();
        self.advance_catalog(size);
        let Some(leaves) = self.catalog_leaves.get(..size) else { return };
        let root = Algorithm::Sha256.root(leaves);
        let state = self.state_roots.get(size.wrapping_sub(1)).copied();
        let record = self.forge.main[at].record(n);
        record.derive("catalog_root", root.to_vec());
        if let Some(state) = state {
            record.derive("state_root", state.to_vec());
        }
    }

    /// Writes the file of a segment; gives the digest of its header.
    fn finish_segment(&mut self, at: usize, header: &[u8], start: &Start, anchor: u64) -> Hash {
        let end_root = self.forge.algorithm.root(&self.leaves);
        let segment = &self.forge.main[at];
        let (ordinal, count, gone) = (segment.ordinal, segment.count(), segment.gone.is_some());
        let (first, start_root) = (start.first, start.root);
        if gone {
            let sealed = self.forge.sealed(ordinal);
            let header = sealed.field("header").try_into().unwrap();
            let index_root = sealed.field("index_root").try_into().unwrap();
            let bytes = as_uint(sealed.field("bytes"));
            let times = sealed.field("times").to_vec();
            let finished =
                Finished { first, count, bytes, times, start_root, end_root, header, index_root };
            self.finished.insert(ordinal, finished);
            return header;
        }
        let log_id = part(HEADER, header, "log_id").to_vec();
        let indexed = segment.seal.as_ref().map(|seal| part(FOOTER, &seal.footer, "index_root"));
        let index_root = match indexed {
            Some(root) if root.iter().any(|byte| *byte != 0) => {
                let made = super::index::root(segment, &log_id, first);
                if made != *root {
                    self.lost_indexes.push(ordinal);
                }
                made
            }
            _ => [0; 32],
        };
        let segment = &self.forge.main[at];
        let end = End { root: end_root, index_root, last_anchor: anchor };
        let file = segment.write(header, first, Some(&end));
        let times = segment.times().iter().flat_map(|(_, time)| int(*time)).collect();
        let (bytes, header) = (file.len() as u64, digest(header));
        let finished =
            Finished { first, count, bytes, times, start_root, end_root, header, index_root };
        self.finished.insert(ordinal, finished);
        self.main_files.push((ordinal, file));
        header
    }

    /// Makes the records of the catalog up to this size.
    fn advance_catalog(&mut self, size: usize) {
        while self.catalog_leaves.len() < size.min(self.places.len()) {
            let seq = self.catalog_leaves.len();
            let (s, f, r) = self.places[seq];
            let mut record = self.forge.catalog[s].frames[f].records[r].clone();
            self.derive_catalog(&mut record);
            self.state.apply(seq as u64, &record);
            record.derive("state_root", self.state.root().to_vec());
            let header = self.forge.catalog[s].begin(&Start {
                first: 0,
                root: [0; 32],
                previous: [0; 32],
                last_anchor: 0,
            });
            let algorithm = Algorithm::Sha256;
            self.catalog_leaves.push(leaf(algorithm, &record, &header, seq as u64));
            self.state_roots.push(record.field("state_root").try_into().unwrap());
            self.forge.catalog[s].frames[f].records[r] = record;
        }
    }

    fn derive_catalog(&mut self, record: &mut Record) {
        match record.kind() {
            17 => self.derive_seal(record),
            18 => self.derive_head(record),
            23 => self.derive_statement(record),
            35 => self.derive_drop(record),
            _ => {}
        }
    }

    fn derive_seal(&self, record: &mut Record) {
        let Some(of) = self.finished.get(&as_uint(record.field("ordinal"))) else { return };
        facts(of, record);
    }

    fn derive_drop(&self, record: &mut Record) {
        let Some(of) = self.finished.get(&as_uint(record.field("ordinal"))) else { return };
        facts(of, record);
        let at = |seq: u64| usize::try_from(seq).unwrap();
        let (start, end) = (at(of.first), at(of.first + of.count));
        let range = self.forge.algorithm.range(&self.leaves, start, end);
        record.derive("start_root", of.start_root.to_vec());
        record.derive("range", [uint(range.len() as u64), range.concat()].concat());
    }

    fn derive_head(&self, record: &mut Record) {
        let size = as_uint(record.field("size"));
        let Some(root) = root_at(&self.forge.algorithm, &self.leaves, size) else { return };
        record.derive("root", root.to_vec());
        let note = String::from_utf8(as_text(record.field("note")).to_vec()).unwrap();
        record.derive("note", text(self.resign_head(&note, &self.leaves, self.forge.algorithm)));
    }

    /// A note of a head, with the root of these leaves at its size.
    fn resign_head(&self, note: &str, leaves: &[Hash], algorithm: Algorithm) -> String {
        resign(note, &self.forge.keys, |head| {
            let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
            let size = lines[1].parse().unwrap_or(u64::MAX);
            if let Some(root) = root_at(&algorithm, leaves, size) {
                lines[2] = base64(&root);
            }
            lines.join("\n") + "\n"
        })
    }

    fn derive_statement(&mut self, record: &mut Record) {
        let note = String::from_utf8(as_text(record.field("note")).to_vec()).unwrap();
        let made = if record.is_set("note") {
            note
        } else {
            resign(&note, &self.forge.keys, |statement| {
                let lines = statement.lines().map(|line| self.statement_line(line));
                lines.map(|line| line + "\n").collect()
            })
        };
        self.statement = statements::digest(&made);
        record.derive("statement", self.statement.to_vec());
        for (field, value) in statements::particulars(&made) {
            record.derive(field, value);
        }
        record.derive("note", text(made));
    }

    fn statement_line(&self, line: &str) -> String {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let size = words.get(1).and_then(|size| size.parse().ok()).unwrap_or(u64::MAX);
        let root = match words[0].as_str() {
            "main" | "kept" => root_at(&self.forge.algorithm, &self.leaves, size),
            "catalog" => {
                let algorithm = Algorithm::Sha256;
                root_at(&algorithm, &self.catalog_leaves, size)
            }
            "previous" => {
                words[1] = base64(&self.statement);
                None
            }
            _ => None,
        };
        if let Some(root) = root {
            words[2] = base64(&root);
        }
        words.join(" ")
    }

    fn files(self) -> Files {
        let before = self.forge.files.clone();
        let mut files = before.clone();
        for (ordinal, file) in &self.main_files {
            files.put(format!("audit/segments/{ordinal:08}.seg"), file.clone());
        }
        let first_copy = self.catalog_files(&self.forge.catalog);
        let second_copy = match &self.forge.second_copy {
            Some(other) => self.catalog_files(other),
            None => first_copy.clone(),
        };
        for (copy, made) in [("a", first_copy), ("b", second_copy)] {
            for (ordinal, file) in made {
                files.put(format!("audit/catalog/{copy}/{ordinal:08}.seg"), file);
            }
        }
        if files == before {
            return files;
        }
        for ordinal in &self.lost_indexes {
            files.retain(|name| name != format!("audit/segments/{ordinal:08}.idx"));
        }
        // Derived, and no longer those of this log.
        let derived = ["audit/tree/mark", "audit/catalog/snapshot", "key.heads"];
        files.retain(|name| !derived.contains(&name) && !name.starts_with("audit/catalog/tree/"));
        if self.forge.snapshot {
            let snapshot = self.snapshot(&files);
            files.put("audit/catalog/snapshot", snapshot);
            let algorithm = Algorithm::Sha256;
            self.hash_files(&mut files, "audit/catalog/tree", &self.catalog_leaves, algorithm);
        }
        self.hash_files(&mut files, "audit/tree", &self.leaves, self.forge.algorithm);
        if self.forge.main.iter().any(|segment| segment.gone.is_some()) {
            files.put("audit/tree/mark", self.mark());
        }
        self.checkpoints(&mut files);
        self.lock(&mut files);
        files
    }

    /// What a log writes after its newest record, so that the next opening replays nothing.
    fn snapshot(&self, files: &Files) -> Vec<u8> {
        const SNAPSHOT: &str = "Snapshot header";
        let last = self.forge.catalog.last().expect("a segment");
        let segment = files.get(&format!("audit/catalog/a/{:08}.seg", last.ordinal));
        let size = self.catalog_leaves.len();
        let peaks = Algorithm::Sha256.range(&self.catalog_leaves, 0, size);
        let entries = self.state.entries.iter();
        let state: Vec<u8> =
            entries.flat_map(|(key, value)| [text(key), text(value)].concat()).collect();
        let heads = self.forge.catalog_records().filter(|record| record.kind() == 18);
        let signed = heads.last().map_or([uint(0), vec![0; 32]], |head| {
            [head.field("size").to_vec(), head.field("root").to_vec()]
        });
        let body = [
            uint(size as u64),
            [uint(peaks.len() as u64), peaks.concat()].concat(),
            uint(last.ordinal),
            part(HEADER, segment, "nonce").to_vec(),
            uint(end_of_frames(segment)),
            [uint(self.state.entries.len() as u64), state].concat(),
            signed.concat(),
        ]
        .concat();
        let mut header = vec![0; document::len(SNAPSHOT)];
        put(SNAPSHOT, &mut header, "magic", *b"BULLASNP");
        put(SNAPSHOT, &mut header, "format_version", 1_u64);
        put(SNAPSHOT, &mut header, "log_id", self.forge.log_id);
        put(SNAPSHOT, &mut header, "body_len", body.len() as u64);
        put(SNAPSHOT, &mut header, "body_crc", u64::from(crc32fast::hash(&body)));
        finish(SNAPSHOT, &mut header, &Vec::new());
        [header, body].concat()
    }

    fn catalog_files(&self, segments: &[Segment]) -> Vec<(u64, Vec<u8>)> {
        let (mut previous, mut first, mut files) = ([0; 32], 0, Vec::new());
        for segment in segments {
            let at = usize::try_from(first).unwrap().min(self.catalog_leaves.len());
            let root = Algorithm::Sha256.root(&self.catalog_leaves[..at]);
            let header = segment.begin(&Start { first, root, previous, last_anchor: 0 });
            files.push((segment.ordinal, segment.write(&header, first, None)));
            previous = digest(&header);
            first += segment.count();
        }
        files
    }

    /// The levels of a tree that are stored, in this directory.
    fn hash_files(&self, files: &mut Files, dir: &str, leaves: &[Hash], algorithm: Algorithm) {
        files.retain(|name| !name.starts_with(&format!("{dir}/level-")));
        for level in (0..=60).step_by(4) {
            let width = 1_usize.checked_shl(level).unwrap_or(usize::MAX);
            let nodes: Vec<Hash> =
                leaves.chunks_exact(width).map(|leaves| algorithm.root(leaves)).collect();
            if nodes.is_empty() {
                break;
            }
            let mut file = vec![0; document::len(LEVEL)];
            put(LEVEL, &mut file, "magic", *b"BULLATRE");
            put(LEVEL, &mut file, "format_version", 1_u64);
            put(LEVEL, &mut file, "level", u64::from(level));
            put(LEVEL, &mut file, "hash_algorithm", algorithm_code(algorithm));
            put(LEVEL, &mut file, "log_id", self.forge.log_id);
            finish(LEVEL, &mut file, &Vec::new());
            file.extend(nodes.concat());
            files.put(format!("{dir}/level-{level:02}.hashes"), file);
        }
    }

    /// A mark at the start of the last segment: without one nobody says how far the hash files
    /// count, which are all there is of a segment that is gone. Else there is none, and opening
    /// reads everything.
    fn mark(&self) -> Vec<u8> {
        const SLOT: &str = "Mark slot";
        let last = self.forge.main.last().expect("a segment");
        let of = &self.finished[&last.ordinal];
        let file = &self.main_files.last().expect("a segment").1;
        let size = usize::try_from(of.first).unwrap();
        let peaks = self.forge.algorithm.range(&self.leaves, 0, size);
        let records = self.forge.main.iter().rev().skip(1).flat_map(Segment::records);
        let times: Vec<i64> = records.map(Record::recorded_at).collect();
        let mut slot = vec![0; document::len(SLOT)];
        put(SLOT, &mut slot, "magic", *b"BULLAMRK");
        put(SLOT, &mut slot, "format_version", 1_u64);
        put(SLOT, &mut slot, "hash_algorithm", algorithm_code(self.forge.algorithm));
        put(SLOT, &mut slot, "peak_count", peaks.len() as u64);
        put(SLOT, &mut slot, "log_id", self.forge.log_id);
        put(SLOT, &mut slot, "generation", 1_u64);
        put(SLOT, &mut slot, "size", of.first);
        put(SLOT, &mut slot, "ordinal", last.ordinal);
        put(SLOT, &mut slot, "nonce", part(HEADER, file, "nonce").to_vec());
        let align = number(HEADER, file, "frame_align").max(document::len(HEADER) as u64);
        put(SLOT, &mut slot, "offset", align);
        put(SLOT, &mut slot, "last_anchor", number(HEADER, file, "last_anchor"));
        put(SLOT, &mut slot, "last_recorded_at", times.iter().max().copied().unwrap_or(0));
        let (at, _) = document::place(SLOT, "peaks");
        slot[at..at + 32 * peaks.len()].copy_from_slice(&peaks.concat());
        finish(SLOT, &mut slot, &Vec::new());
        // The first mark of a log is in the second slot.
        [vec![0; slot.len()], slot].concat()
    }

    fn checkpoints(&self, files: &mut Files) {
        let names: Vec<String> = files.below("audit/checkpoints/").map(str::to_owned).collect();
        for name in names {
            let note = String::from_utf8(files.get(&name).to_vec()).unwrap();
            let made = self.resign_head(&note, &self.leaves, self.forge.algorithm);
            files.put(name, made);
        }
    }

    /// The writer said no more to be durable than there is.
    fn lock(&self, files: &mut Files) {
        const LOCK: &str = "Lock file";
        let lock = files.get("audit/LOCK");
        let size = self.leaves.len() as u64;
        if !lock.is_empty() && number(LOCK, lock, "durable_size") > size {
            files.set("audit/LOCK", LOCK, 0, &vec![("durable_size", size.into())]);
        }
    }
}

/// What a seal and a certificate say of a segment.
fn facts(of: &Finished, record: &mut Record) {
    record.derive("first", uint(of.first));
    record.derive("count", uint(of.count));
    record.derive("bytes", uint(of.bytes));
    record.derive("times", of.times.clone());
    record.derive("end_root", of.end_root.to_vec());
    record.derive("header", of.header.to_vec());
    record.derive("index_root", of.index_root.to_vec());
}

fn root_at(algorithm: &Algorithm, leaves: &[Hash], size: u64) -> Option<Hash> {
    leaves.get(..usize::try_from(size).ok()?).map(|leaves| algorithm.root(leaves))
}

fn digest(header: &[u8]) -> Hash {
    blake3(&[b"bulla/segment-header/v1\0", header])
}

fn algorithm_code(algorithm: Algorithm) -> u64 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Blake3 => 2,
    }
}

/// Where the next frame of a catalog segment goes.
fn end_of_frames(segment: &[u8]) -> u64 {
    const FRAME: &str = "Frame header";
    let mut at = document::len(HEADER);
    while segment[at..].starts_with(b"BFRM") {
        let body = number(FRAME, &segment[at..], "body_len");
        at += document::len(FRAME) + usize::try_from(body).unwrap();
    }
    at as u64
}
