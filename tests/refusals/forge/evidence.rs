//! The evidence of an answer, by docs/format.md, “Answers”.

use std::ops::Range;

use super::hashes::Hash;
use super::index::{CHUNK, Logical, TREE, position_chunks, time_chunks};
use super::shown::{batch, number4, numbers, with_len};

/// A question, by its fields.
#[derive(Clone)]
pub(crate) struct Query(Vec<(&'static str, Vec<u8>)>);

impl Query {
    /// All events, newest first.
    pub(crate) fn all() -> Self {
        let list = || number4(0);
        Query(vec![
            ("version", vec![1]),
            ("order", vec![0]),
            ("limit", vec![0]),
            ("actors", list()),
            ("resources", list()),
            ("tenants", list()),
            ("actions", list()),
            ("outcomes", vec![0]),
            ("refused", vec![0]),
            ("system", vec![0]),
            ("request_ids", list()),
            ("correlation_ids", list()),
            ("event_ids", list()),
            ("occurred", vec![0, 0]),
            ("recorded", vec![0, 0]),
            ("behind", Vec::new()),
        ])
    }

    /// No bytes at all.
    pub(crate) fn none() -> Self {
        Query(Vec::new())
    }

    pub(crate) fn set(&mut self, field: &str, bytes: Vec<u8>) {
        self.0.iter_mut().find(|(name, _)| *name == field).expect("a field of a query").1 = bytes;
    }

    pub(crate) fn with(mut self, field: &str, bytes: Vec<u8>) -> Self {
        self.set(field, bytes);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

/// Type and id of an actor or a resource.
pub(crate) fn id(kind: Option<&str>, id: Option<&str>) -> Vec<u8> {
    let part = |text: Option<&str>| match text {
        Some(text) => [vec![1], with_len(text.as_bytes())].concat(),
        None => vec![0],
    };
    [part(kind), part(id)].concat()
}

/// A list of a query.
pub(crate) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [number4(items.len()), items.concat()].concat()
}

/// An `option` of 8 bytes.
pub(crate) fn option8(number: Option<u64>) -> Vec<u8> {
    number.map_or(vec![0], |number| [vec![1], numbers(&[number])].concat())
}

/// Since and until.
pub(crate) fn range(since: Option<i64>, until: Option<i64>) -> Vec<u8> {
    [since, until].iter().flat_map(|end| option8(end.map(i64::cast_unsigned))).collect()
}

/// An integer as LEB128.
pub(crate) fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// Chunks of a list of positions.
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) first_chunk: u64,
    pub(crate) positions: Vec<u32>,
    pub(crate) hashes: Vec<Hash>,
}

impl List {
    pub(crate) fn of(positions: &[u32], chunks: Range<usize>) -> Self {
        let shown: Vec<usize> = chunks.clone().collect();
        let end = (chunks.end * CHUNK).min(positions.len());
        List {
            first_chunk: chunks.start as u64,
            positions: positions[chunks.start * CHUNK..end].to_vec(),
            hashes: TREE.batch(&shown, 0, &position_chunks(positions)),
        }
    }

    pub(crate) fn whole(positions: &[u32]) -> Self {
        List::of(positions, 0..positions.len().div_ceil(CHUNK))
    }

    fn bytes(&self) -> Vec<u8> {
        let (mut steps, mut before) = (Vec::new(), 0);
        for position in &self.positions {
            steps.extend(leb(u64::from(position.wrapping_sub(before))));
            before = *position;
        }
        let count = number4(self.positions.len());
        [numbers(&[self.first_chunk]), count, steps, batch(&self.hashes)].concat()
    }
}

/// Chunks of a list of times.
#[derive(Clone)]
pub(crate) struct Times {
    pub(crate) first_chunk: u64,
    pub(crate) entries: Vec<(i64, u32)>,
    pub(crate) hashes: Vec<Hash>,
}

impl Times {
    pub(crate) fn of(times: &[(i64, u32)], chunks: Range<usize>) -> Self {
        let shown: Vec<usize> = chunks.clone().collect();
        let end = (chunks.end * CHUNK).min(times.len());
        Times {
            first_chunk: chunks.start as u64,
            entries: times[chunks.start * CHUNK..end].to_vec(),
            hashes: TREE.batch(&shown, 0, &time_chunks(times)),
        }
    }

    pub(crate) fn whole(times: &[(i64, u32)]) -> Self {
        Times::of(times, 0..times.len().div_ceil(CHUNK))
    }

    fn bytes(&self) -> Vec<u8> {
        let (mut steps, mut before) = (Vec::new(), i64::MIN);
        for (time, position) in &self.entries {
            steps.extend(leb(time.wrapping_sub(before).cast_unsigned()));
            steps.extend(leb(u64::from(*position)));
            before = *time;
        }
        let count = number4(self.entries.len());
        [numbers(&[self.first_chunk]), count, steps, batch(&self.hashes)].concat()
    }
}

/// A leaf of the tree over the terms.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) place: u64,
    pub(crate) key: Vec<u8>,
    pub(crate) count: u64,
    pub(crate) root: Hash,
    pub(crate) list: Option<List>,
}

impl Leaf {
    pub(crate) fn of(logical: &Logical, place: usize, list: Option<List>) -> Self {
        let (key, positions) = &logical.terms[place];
        let (count, root) = (positions.len() as u64, TREE.root(&position_chunks(positions)));
        Leaf { place: place as u64, key: key.clone(), count, root, list }
    }

    fn bytes(&self) -> Vec<u8> {
        let list = self.list.as_ref().map_or(vec![0], |list| [vec![1], list.bytes()].concat());
        let place = numbers(&[self.place]);
        let count = numbers(&[self.count]);
        [place, with_len(&self.key), count, self.root.to_vec(), list].concat()
    }
}

/// Parts of the index of a segment.
#[derive(Clone)]
pub(crate) struct Index {
    pub(crate) logical: Logical,
    pub(crate) terms: u64,
    pub(crate) roots: [Hash; 3],
    /// Bit n: the nth clause; bit 7: the anchors.
    pub(crate) shown: u8,
    pub(crate) leaves: Vec<Leaf>,
    /// In place of those that follow from the leaves.
    pub(crate) hashes: Option<Vec<Hash>>,
    pub(crate) occurred: Option<Times>,
    pub(crate) recorded: Option<Times>,
    /// In place of the mark in front of the first times.
    pub(crate) mark: Option<u8>,
}

impl Index {
    /// Of which nothing is shown.
    pub(crate) fn of(logical: &Logical) -> Self {
        let roots = [
            logical.terms_root(),
            TREE.root(&time_chunks(&logical.occurred)),
            TREE.root(&time_chunks(&logical.recorded)),
        ];
        Index {
            logical: logical.clone(),
            terms: logical.terms.len() as u64,
            roots,
            shown: 0,
            leaves: Vec::new(),
            hashes: None,
            occurred: None,
            recorded: None,
            mark: None,
        }
    }

    /// Shows the lists of the terms whose keys begin so, and that these are all.
    pub(crate) fn show(&mut self, bit: u8, prefix: &[u8]) {
        self.shown |= 1 << bit;
        let run = self.logical.run(prefix);
        for place in run.start.saturating_sub(1)..(run.end + 1).min(self.logical.terms.len()) {
            let list = run.contains(&place).then(|| List::whole(&self.logical.terms[place].1));
            let known = self.leaves.iter().position(|leaf| leaf.place == place as u64);
            match known {
                Some(at) if list.is_some() => self.leaves[at].list = list,
                Some(_) => {}
                None => self.leaves.push(Leaf::of(&self.logical, place, list)),
            }
        }
        self.leaves.sort_by_key(|leaf| leaf.place);
    }

    /// The leaf of a term.
    pub(crate) fn leaf(&mut self, prefix: &[u8]) -> &mut Leaf {
        self.leaves.iter_mut().find(|leaf| leaf.key.starts_with(prefix)).expect("a leaf")
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let places: Vec<usize> =
            self.leaves.iter().map(|leaf| usize::try_from(leaf.place).unwrap()).collect();
        let made = || match places.is_empty() {
            true => Vec::new(),
            false => TREE.batch(&places, 0, &self.logical.leaves()),
        };
        let hashes = self.hashes.clone().unwrap_or_else(made);
        let leaves: Vec<u8> = self.leaves.iter().flat_map(Leaf::bytes).collect();
        let times = |times: &Option<Times>| {
            times.as_ref().map_or(vec![0], |times| [vec![1], times.bytes()].concat())
        };
        let mut occurred = times(&self.occurred);
        occurred[0] = self.mark.unwrap_or(occurred[0]);
        [
            numbers(&[self.logical.events, self.terms]),
            self.roots.concat(),
            vec![self.shown],
            number4(self.leaves.len()),
            leaves,
            batch(&hashes),
            occurred,
            times(&self.recorded),
        ]
        .concat()
    }
}

/// What is shown of a segment.
#[derive(Clone)]
pub(crate) enum Shown {
    /// 1 excluded by its times, 2 gone, 3 all records are disclosed; or another byte.
    Kind(u8),
    Index(Box<Index>),
    /// Kind 4 with bytes of its own.
    Bytes(Vec<u8>),
}

impl Shown {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Shown::Kind(kind) => vec![*kind],
            Shown::Index(index) => [vec![4], index.bytes()].concat(),
            Shown::Bytes(bytes) => [vec![4], bytes.clone()].concat(),
        }
    }

    /// The index that is shown.
    pub(crate) fn index(&mut self) -> &mut Index {
        match self {
            Shown::Index(index) => index,
            _ => panic!("no index"),
        }
    }
}
