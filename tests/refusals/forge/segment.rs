//! Segments in parts: read without a check, written with whatever follows from the parts, but
//! for the fields that are set to something else.

use std::collections::BTreeMap;

use super::bytes::{Sets, Value, finish, number, part, put, split};
use super::document;
use super::hashes::{Algorithm, Hash, blake3};

pub(crate) const HEADER: &str = "Segment header";
pub(crate) const FRAME: &str = "Frame header";
pub(crate) const PREFIX: &str = "Record prefix";
pub(crate) const HEAD: &str = "Record head";
pub(crate) const FOOTER: &str = "Segment footer";
pub(crate) const WAYPOINT: &str = "Waypoint";

/// Kinds that carry a state root in front of their fields.
const CATALOG_KINDS: u8 = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The prefix, of which lengths and CRC are made when it is written.
    pub(crate) prefix: Vec<u8>,
    /// The envelope by its fields, each as it is encoded.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    /// Salt and payload, or what stands for them.
    pub(crate) stored: Vec<u8>,
    /// Fields of the envelope that are no longer made from the rest of the log.
    pub(crate) fixed: Vec<String>,
    /// Bytes behind the last field of the envelope.
    pub(crate) trailing: Vec<u8>,
    /// Fields of the prefix that are set to something else.
    pub(crate) sets: Sets,
}

impl Record {
    pub(crate) fn kind(&self) -> u8 {
        number(PREFIX, &self.prefix, "kind").to_le_bytes()[0]
    }

    pub(crate) fn recorded_at(&self) -> i64 {
        number(PREFIX, &self.prefix, "recorded_at").cast_signed()
    }

    /// A field of the envelope, as it is encoded.
    pub(crate) fn field(&self, name: &str) -> &[u8] {
        let field = self.fields.iter().find(|(field, _)| field == name);
        &field.unwrap_or_else(|| panic!("kind {} has no field {name}", self.kind())).1
    }

    /// Sets a field of the envelope for good, in its encoding (see `bytes`).
    pub(crate) fn set(&mut self, name: &str, encoded: Vec<u8>) {
        self.derive(name, encoded);
        self.fixed.push(name.to_owned());
    }

    /// Whether a field of the envelope was set for good.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.fixed.iter().any(|fixed| fixed == name)
    }

    /// Sets a field of the envelope, unless it was set for good.
    pub(crate) fn derive(&mut self, name: &str, encoded: Vec<u8>) {
        if self.is_set(name) {
            return;
        }
        let kind = self.kind();
        let field = self.fields.iter_mut().find(|(field, _)| field == name);
        field.unwrap_or_else(|| panic!("kind {kind} has no field {name}")).1 = encoded;
    }

    /// Sets a field of the prefix; lengths and CRC included.
    pub(crate) fn set_prefix(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        if !["crc", "payload_len", "envelope_len"].contains(&name) {
            put(PREFIX, &mut self.prefix, name, value.clone());
        }
        self.sets.push((name, value));
    }

    pub(crate) fn envelope(&self) -> Vec<u8> {
        let fields: Vec<u8> = self.fields.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        [fields, self.trailing.clone()].concat()
    }

    /// The fields without the state root: what the state holds of a catalog record.
    pub(crate) fn state_value(&self) -> Vec<u8> {
        let fields = self.fields.iter().filter(|(name, _)| name != "state_root");
        fields.flat_map(|(_, bytes)| bytes.clone()).collect()
    }

    /// The payload behind its salt.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.stored[16..]
    }

    pub(crate) fn set_payload(&mut self, payload: &[u8]) {
        self.stored.truncate(16);
        self.stored.extend_from_slice(payload);
    }

    fn read(bytes: &[u8]) -> (Self, usize) {
        let prefix_len = document::len(PREFIX);
        let prefix = bytes[..prefix_len].to_vec();
        let len = |field| usize::try_from(number(PREFIX, &prefix, field)).unwrap();
        let (envelope_len, stored_len) = (len("envelope_len"), len("payload_len"));
        let (envelope, rest) = bytes[prefix_len..].split_at(envelope_len);
        let stored = rest[..stored_len].to_vec();
        let kind = number(PREFIX, &prefix, "kind").to_le_bytes()[0];
        let fields = match kind {
            1 => split("Envelope", envelope),
            2 => split("Anchor", envelope),
            kind => {
                let (root, rest) = envelope.split_at(32);
                let mut fields = vec![("state_root".to_owned(), root.to_vec())];
                fields.extend(split(&format!("Kind {kind}"), rest));
                fields
            }
        };
        let (fixed, trailing, sets) = (Vec::new(), Vec::new(), Sets::new());
        let record = Record { prefix, fields, stored, fixed, trailing, sets };
        (record, prefix_len + envelope_len + stored_len)
    }

    /// The head that is hashed, of the record with this Seq.
    pub(crate) fn head(&self, log_id: &[u8], seq: u64) -> Vec<u8> {
        let mut head = vec![0; document::len(HEAD)];
        put(HEAD, &mut head, "tag", 0xb1_u64);
        for field in ["schema", "kind", "flags", "recorded_at"] {
            put(HEAD, &mut head, field, part(PREFIX, &self.prefix, field).to_vec());
        }
        put(HEAD, &mut head, "log_id", log_id.to_vec());
        put(HEAD, &mut head, "seq", seq);
        put(HEAD, &mut head, "envelope_len", self.envelope().len() as u64);
        head
    }

    /// C, and D of a payload that is stored encrypted.
    pub(crate) fn digests(&self) -> Vec<u8> {
        if number(PREFIX, &self.prefix, "flags") & 1 == 0 {
            return blake3(&[b"bulla/payload/v1\0", &self.stored]).to_vec();
        }
        let (commitment, rest) = self.stored.split_at(32);
        [commitment, &blake3(&[b"bulla/sealed/v1\0", rest])].concat()
    }

    /// What its leaf is made of.
    pub(crate) fn entry(&self, log_id: &[u8], seq: u64) -> Vec<u8> {
        [self.head(log_id, seq), self.envelope(), self.digests()].concat()
    }

    fn write(&self, header: &[u8], seq: u64) -> Vec<u8> {
        let mut prefix = self.prefix.clone();
        let envelope = self.envelope();
        let envelope_len = u64::from(u16::try_from(envelope.len()).unwrap_or(u16::MAX));
        put(PREFIX, &mut prefix, "envelope_len", envelope_len);
        put(PREFIX, &mut prefix, "payload_len", self.stored.len() as u64);
        let mut crc = crc32fast::Hasher::new();
        for part in [&envelope, &self.stored, part(HEADER, header, "nonce")] {
            crc.update(part);
        }
        crc.update(&self.head(part(HEADER, header, "log_id"), seq));
        put(PREFIX, &mut prefix, "crc", u64::from(crc.finalize()));
        for (field, value) in &self.sets {
            put(PREFIX, &mut prefix, field, value.clone());
        }
        [prefix, envelope, self.stored.clone()].concat()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The header, of which all but `durable_size` is made when it is written.
    pub(crate) header: Vec<u8>,
    pub(crate) records: Vec<Record>,
    /// Bytes behind the records, which the body counts.
    pub(crate) trailing: Vec<u8>,
    pub(crate) sets: Sets,
    /// Bytes behind the frame and its padding, such as a frame that is not whole.
    pub(crate) behind: Vec<u8>,
}

impl Frame {
    pub(crate) fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        self.sets.push((field, value.into()));
    }

    /// The number of its first record, which may have been set.
    fn first(&self, natural: u64) -> u64 {
        let set = self.sets.iter().rfind(|(field, _)| *field == "first_seq");
        match set {
            Some((_, Value::Number(first))) => *first,
            _ => natural,
        }
    }

    fn write(&self, header: &[u8], first: u64, offset: u64) -> Vec<u8> {
        let first = self.first(first);
        let mut body = Vec::new();
        for (record, seq) in self.records.iter().zip(first..) {
            body.extend(record.write(header, seq));
        }
        body.extend_from_slice(&self.trailing);
        let mut frame = self.header.clone();
        put(FRAME, &mut frame, "first_seq", first);
        put(FRAME, &mut frame, "body_len", body.len() as u64);
        put(FRAME, &mut frame, "count", self.records.len() as u64);
        for (field, value) in self.sets.iter().filter(|(field, _)| *field != "crc") {
            put(FRAME, &mut frame, field, value.clone());
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(part(HEADER, header, "nonce"));
        crc.update(&frame[document::place(FRAME, "first_seq").0..]);
        crc.update(&offset.to_le_bytes());
        put(FRAME, &mut frame, "crc", u64::from(crc.finalize()));
        for (field, value) in self.sets.iter().filter(|(field, _)| *field == "crc") {
            put(FRAME, &mut frame, field, value.clone());
        }
        [frame, body].concat()
    }
}

/// The footer, and what is set in it and in the table of waypoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) footer: Vec<u8>,
    pub(crate) sets: Sets,
    /// Entries of the table that are set: number, field, value.
    pub(crate) waypoints: Vec<(usize, &'static str, Value)>,
    /// Bytes behind the footer.
    pub(crate) trailing: Vec<u8>,
}

impl Seal {
    pub(crate) fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        self.sets.push((field, value.into()));
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// As in its file's name.
    pub(crate) ordinal: u64,
    pub(crate) header: Vec<u8>,
    pub(crate) sets: Sets,
    pub(crate) frames: Vec<Frame>,
    pub(crate) seal: Option<Seal>,
    /// Length of a file that is not sealed: zeros fill it.
    len: usize,
    /// Leaves of a segment whose file is gone.
    pub(crate) gone: Option<Vec<Hash>>,
}

/// What precedes a segment, and what is known of it only from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) first: u64,
    pub(crate) root: Hash,
    pub(crate) previous: Hash,
    pub(crate) last_anchor: u64,
}

/// What follows from its records.
pub(crate) struct End {
    pub(crate) root: Hash,
    pub(crate) index_root: Hash,
    pub(crate) last_anchor: u64,
}

impl Segment {
    pub(crate) fn read(ordinal: u64, bytes: &[u8]) -> Self {
        let header = bytes[..document::len(HEADER)].to_vec();
        let align = usize::try_from(number(HEADER, &header, "frame_align")).unwrap();
        let footer_len = document::len(FOOTER);
        let footer = bytes.len().checked_sub(footer_len).map(|at| &bytes[at..]);
        let footer = footer.filter(|footer| part(FOOTER, footer, "magic") == b"BULLAEND");
        let end = footer.map_or(bytes.len(), |footer| {
            usize::try_from(number(FOOTER, footer, "frames_end")).unwrap()
        });
        let (mut at, mut frames) = (header.len().max(align), Vec::new());
        while bytes[at..end].starts_with(b"BFRM") {
            let (frame, len) = read_frame(&bytes[at..end]);
            frames.push(frame);
            at = (at + len).next_multiple_of(align);
        }
        let seal = footer.map(|footer| Seal {
            footer: footer.to_vec(),
            sets: Sets::new(),
            waypoints: Vec::new(),
            trailing: Vec::new(),
        });
        Segment { ordinal, header, sets: Sets::new(), frames, seal, len: bytes.len(), gone: None }
    }

    pub(crate) fn gone(ordinal: u64, leaves: Vec<Hash>) -> Self {
        let header = vec![0; document::len(HEADER)];
        let (sets, frames) = (Sets::new(), Vec::new());
        Segment { ordinal, header, sets, frames, seal: None, len: 0, gone: Some(leaves) }
    }

    pub(crate) fn set(&mut self, field: &'static str, value: impl Into<Value>) {
        self.sets.push((field, value.into()));
    }

    pub(crate) fn seal(&mut self) -> &mut Seal {
        self.seal.as_mut().expect("a sealed segment")
    }

    pub(crate) fn count(&self) -> u64 {
        let records = self.frames.iter().map(|frame| frame.records.len()).sum::<usize>();
        self.gone.as_ref().map_or(records, Vec::len) as u64
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.frames.iter().flat_map(|frame| &frame.records)
    }

    /// The n-th record of the segment.
    pub(crate) fn record(&mut self, n: usize) -> &mut Record {
        let mut records = self.frames.iter_mut().flat_map(|frame| &mut frame.records);
        records.nth(n).expect("a record")
    }

    /// Its header behind what precedes it.
    pub(crate) fn begin(&self, start: &Start) -> Vec<u8> {
        let mut header = self.header.clone();
        put(HEADER, &mut header, "first_seq", start.first);
        put(HEADER, &mut header, "start_root", start.root);
        put(HEADER, &mut header, "previous", start.previous);
        put(HEADER, &mut header, "last_anchor", start.last_anchor);
        finish(HEADER, &mut header, &self.sets);
        header
    }

    /// The whole file.
    pub(crate) fn write(&self, header: &[u8], first: u64, end: Option<&End>) -> Vec<u8> {
        let align = number(HEADER, &self.header, "frame_align");
        let mut file = header.to_vec();
        let pad = |file: &mut Vec<u8>| {
            let align = usize::try_from(align).unwrap();
            file.resize(file.len().next_multiple_of(align), 0);
        };
        let (mut seq, mut places) = (first, Vec::new());
        for frame in &self.frames {
            pad(&mut file);
            let at = file.len();
            file.extend(frame.write(header, seq, at as u64));
            let mut offset = at + document::len(FRAME);
            for record in &frame.records {
                places.push((at, offset));
                offset += record.write(header, 0).len();
            }
            seq += frame.records.len() as u64;
            if !frame.behind.is_empty() {
                pad(&mut file);
                file.extend_from_slice(&frame.behind);
            }
        }
        match (&self.seal, end) {
            (Some(seal), Some(end)) => {
                pad(&mut file);
                self.close(&mut file, seal, header, first, &places, end);
            }
            _ => file.resize(file.len().max(self.len), 0),
        }
        file
    }

    fn close(
        &self,
        file: &mut Vec<u8>,
        seal: &Seal,
        header: &[u8],
        first: u64,
        places: &[(usize, usize)],
        end: &End,
    ) {
        let frames_end = file.len() as u64;
        let mut table = Vec::new();
        for (n, (frame, record)) in places.iter().step_by(32).enumerate() {
            let mut waypoint = vec![0; document::len(WAYPOINT)];
            put(WAYPOINT, &mut waypoint, "frame_offset", *frame as u64);
            put(WAYPOINT, &mut waypoint, "record_offset", *record as u64);
            for (_, field, value) in seal.waypoints.iter().filter(|(at, ..)| *at == n) {
                put(WAYPOINT, &mut waypoint, field, value.clone());
            }
            table.extend(waypoint);
        }
        let mut footer = seal.footer.clone();
        for field in ["log_id", "ordinal"] {
            put(FOOTER, &mut footer, field, part(HEADER, header, field).to_vec());
        }
        put(FOOTER, &mut footer, "first_seq", first);
        put(FOOTER, &mut footer, "count", places.len() as u64);
        put(FOOTER, &mut footer, "frames_end", frames_end);
        put(FOOTER, &mut footer, "table_offset", frames_end);
        put(FOOTER, &mut footer, "table_count", places.len().div_ceil(32) as u64);
        for (field, time) in self.times() {
            put(FOOTER, &mut footer, field, time);
        }
        put(FOOTER, &mut footer, "end_root", end.root);
        put(FOOTER, &mut footer, "index_root", end.index_root);
        put(FOOTER, &mut footer, "last_anchor", end.last_anchor);
        put(FOOTER, &mut footer, "table_crc", u64::from(crc32fast::hash(&table)));
        finish(FOOTER, &mut footer, &seal.sets);
        file.extend(table);
        file.extend(footer);
        file.extend_from_slice(&seal.trailing);
    }

    /// The times of the footer.
    pub(crate) fn times(&self) -> [(&'static str, i64); 4] {
        let recorded: Vec<i64> = self.records().map(Record::recorded_at).collect();
        let occurred: Vec<i64> = self
            .records()
            .map(|record| match record.kind() {
                1 => super::bytes::as_int(record.field("occurred_at")),
                _ => record.recorded_at(),
            })
            .collect();
        let least = |times: &[i64]| times.iter().min().copied().unwrap_or(0);
        let most = |times: &[i64]| times.iter().max().copied().unwrap_or(0);
        [
            ("recorded_min", least(&recorded)),
            ("recorded_max", most(&recorded)),
            ("occurred_min", least(&occurred)),
            ("occurred_max", most(&occurred)),
        ]
    }

    /// The leaf of its n-th record, where its first one has this Seq.
    pub(crate) fn leaf(&self, algorithm: Algorithm, header: &[u8], first: u64, n: usize) -> Hash {
        let (mut natural, mut left) = (first, n);
        for frame in &self.frames {
            if let Some(record) = frame.records.get(left) {
                let seq = frame.first(natural) + left as u64;
                return leaf(algorithm, record, header, seq);
            }
            left -= frame.records.len();
            natural += frame.records.len() as u64;
        }
        panic!("no record {n}")
    }
}

/// The leaf of one record.
pub(crate) fn leaf(algorithm: Algorithm, record: &Record, header: &[u8], seq: u64) -> Hash {
    algorithm.leaf(&[&record.entry(part(HEADER, header, "log_id"), seq)])
}

fn read_frame(bytes: &[u8]) -> (Frame, usize) {
    let header = bytes[..document::len(FRAME)].to_vec();
    let count = number(FRAME, &header, "count");
    let (mut at, mut records) = (header.len(), Vec::new());
    for _ in 0..count {
        let (record, len) = Record::read(&bytes[at..]);
        records.push(record);
        at += len;
    }
    (Frame { header, records, ..Frame::default() }, at)
}

/// A record of the catalog: its fields in the order of the document, behind the state root.
pub(crate) fn catalog_record(kind: u8, recorded_at: i64, fields: &[(&str, Vec<u8>)]) -> Record {
    assert!(kind >= CATALOG_KINDS);
    let mut prefix = vec![0; document::len(PREFIX)];
    put(PREFIX, &mut prefix, "schema", 1_u64);
    put(PREFIX, &mut prefix, "kind", u64::from(kind));
    put(PREFIX, &mut prefix, "recorded_at", recorded_at);
    let given: BTreeMap<&str, &Vec<u8>> =
        fields.iter().map(|(name, value)| (*name, value)).collect();
    let mut all = vec![("state_root".to_owned(), vec![0; 32])];
    for (name, _) in document::body(&format!("Kind {kind}")) {
        let value = given.get(name.as_str()).unwrap_or_else(|| panic!("kind {kind}: {name}"));
        all.push((name, (*value).clone()));
    }
    // Salt, no `who`, no `why`; of a hold no custodian either.
    let stored = if kind == 32 { vec![0; 19] } else { vec![0; 18] };
    let (fixed, trailing, sets) = (Vec::new(), Vec::new(), Sets::new());
    Record { prefix, fields: all, stored, fixed, trailing, sets }
}

/// A frame of these records.
pub(crate) fn frame(records: Vec<Record>, durable: u64) -> Frame {
    let mut header = vec![0; document::len(FRAME)];
    put(FRAME, &mut header, "magic", *b"BFRM");
    put(FRAME, &mut header, "durable_size", durable);
    Frame { header, records, ..Frame::default() }
}
