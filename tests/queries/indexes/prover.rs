//! A prover who has everything the log signed, and chooses all the rest: valid hashes, any
//! choice of leaves, chunks and clauses.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bulla::checkpoint::{SignatureKind, SigningKey};
use bulla::internals::index::{CommittedIndex, IndexFile};
use bulla::internals::terms::{
    Axis, CHUNK, Field, TermLeaf, TimeEntry, anchors, clauses, position_chunk_leaf, time_chunk_leaf,
};
use bulla::merkle::{BatchPlan, Frontier};
use bulla::proof::{Answer, IndexEvidence, SegmentEvidence, ShownList, TermEvidence, TimeEvidence};
use bulla::query::Subject;
use bulla::{
    Actor, Disclosure, Event, Hash, HashAlgorithm, Housekeeping, Log, Outcome, Query, Record,
    Resource, Seq, Signer, Timestamp, Trust, UnverifiedCheckpoint,
};

use crate::support::random::Random;
use crate::support::{ORIGIN, START};

pub(crate) struct Made {
    dir: tempfile::TempDir,
    pub(crate) log: Log,
    signer: Signer,
    pub(crate) checkpoint: UnverifiedCheckpoint,
    records: Vec<Record>,
}

fn event(n: u64) -> Event {
    let actions = ["user", "user.", "user.a", "user.ab", "user/", "zz"];
    let resource = match n % 5 {
        0 => Resource::kind_only("report"),
        _ => Resource::new("invoice", (n % 3).to_string()),
    };
    let outcome = if n.is_multiple_of(9) { Outcome::Denied } else { Outcome::Success };
    let occurred = i64::try_from(n * 7919 % 1000 / 250).unwrap();
    let event = Event::new(
        Actor::new(
            if n.is_multiple_of(11) { "service" } else { "user" },
            format!("user-{}", n % 4),
        ),
        actions[usize::try_from(n % 6).unwrap()],
        resource,
    )
    .occurred_at(Timestamp::from_nanos(START + occurred))
    .outcome(outcome);
    if n.is_multiple_of(2) { event.tenant("t") } else { event }
}

pub(crate) fn signer(dir: &std::path::Path) -> Signer {
    let kind = SignatureKind::for_heads_of(HashAlgorithm::Sha256);
    let key = SigningKey::new(ORIGIN, kind, &[5; 32]).unwrap();
    let path = dir.join("key");
    std::fs::write(&path, &**key.to_secret_text()).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    Signer::load(&path).unwrap()
}

impl Made {
    /// One sealed segment with so many events.
    pub(crate) fn new(events: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let signer = signer(dir.path());
        let clock = crate::indexes::clock();
        let log = Log::options()
            .origin(ORIGIN)
            .hash(HashAlgorithm::Sha256)
            .housekeeping(Housekeeping::Inline)
            .clock(Arc::clone(&clock) as _)
            .create(dir.path().join("log"))
            .unwrap();
        for n in 0..events {
            log.append(&event(n)).unwrap();
            if n % 40 == 39 {
                log.checkpoint(&signer).unwrap();
                clock.advance(Duration::from_millis(1));
            }
        }
        log.rotate().unwrap();
        let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
        let records = log.snapshot().records_from(Seq::new(0)).map(|r| r.unwrap()).collect();
        Made { dir, log, signer, checkpoint, records }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::in_keys([self.signer.verifying_key().clone()])
    }

    pub(crate) fn prove(&self, query: &Query) -> Answer {
        self.log
            .snapshot()
            .prove_query(query, &self.checkpoint, Disclosure::WithholdPayload)
            .unwrap()
    }

    fn index(&self) -> IndexFile {
        let segments = std::fs::read_dir(self.dir.path().join("log/segments")).unwrap();
        let mut paths: Vec<_> = segments.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "idx"));
        paths.sort();
        IndexFile::from_bytes(std::fs::read(&paths[0]).unwrap()).unwrap()
    }
}

/// A tree of which any set of leaves can be proved.
struct Tree {
    nodes: HashMap<bulla::merkle::NodeId, Hash>,
    frontier: Frontier,
}

impl Tree {
    fn new(leaves: impl Iterator<Item = Hash>) -> Self {
        let (mut nodes, mut frontier) = (HashMap::new(), Frontier::new(HashAlgorithm::Sha256));
        for leaf in leaves {
            frontier.push(leaf, |node, hash| {
                nodes.insert(node, hash);
            });
        }
        Tree { nodes, frontier }
    }

    fn prove(&self, at: impl Iterator<Item = u64>) -> Vec<Hash> {
        let seqs: Vec<Seq> = at.map(Seq::new).collect();
        let plan = BatchPlan::inclusion(&seqs, self.frontier.size()).unwrap();
        let hashes: Vec<Hash> = plan.nodes().iter().map(|node| self.nodes[node]).collect();
        plan.assemble(HashAlgorithm::Sha256, &hashes).unwrap()
    }
}

/// A part of `0..end`, or all of it.
fn range(random: &mut Random, end: u64) -> (u64, u64) {
    let low = random.below(end);
    if random.one_in(2) { (0, end) } else { (low, low + 1 + random.below(end - low)) }
}

fn queries() -> Vec<Query> {
    let t = |n: i64| Timestamp::from_nanos(START + n);
    let q = Query::new;
    vec![
        q().actor("user-3"),
        q().actor("user-3").outcome(Outcome::Denied),
        q().actor_type_id("user", "user-0").actor_type_id("service", "user-0").tenant("t"),
        q().actor("nobody"),
        q().action("user.*").unwrap(),
        q().action("user.").unwrap().action("zz").unwrap(),
        q().action("user*").unwrap().not_outcome(Outcome::Success),
        q().resource_type("report").resource("invoice", "1").resource("invoice", "9"),
        q().occurred_since(t(1)).occurred_until(t(2)),
        q().occurred_since(t(3)).tenant("t"),
        q().occurred_until(t(1)).system(true),
        q().recorded_since(t(1_000_000)).recorded_until(t(4_000_000)).actor("user-1"),
        q().recorded_since(t(3_000_000)).system(true),
        q().system(true),
        q(),
        q().action("bulla.*").unwrap().system(true),
        q().tenant("t").system(true),
        q().occurred_since(t(2)).occurred_until(t(1)),
        q().not_outcome(Outcome::Success).not_outcome(Outcome::Denied),
        q().actor("user-2").oldest_first(),
        q().actor("user-2").limit(5),
        q().actor("user-2").limit(5).oldest_first(),
    ]
}

/// All terms and times of the segment.
struct All {
    index: IndexFile,
    terms: Vec<(TermLeaf, Vec<u32>, Tree)>,
    tree: Tree,
    times: [(Vec<TimeEntry>, Tree); 2],
}

impl All {
    fn of(made: &Made) -> Self {
        let index = made.index();
        let head = index.head();
        let mut terms = Vec::new();
        for place in 0..head.terms {
            let (key, list) = index.term_at(place).unwrap();
            let mut positions = Vec::new();
            list.each(|position| positions.push(position)).unwrap();
            let tree = Tree::new(positions.chunks(CHUNK).map(position_chunk_leaf));
            let count = positions.len() as u64;
            let leaf = TermLeaf { key, count, list_root: tree.frontier.root() };
            terms.push((leaf, positions, tree));
        }
        let tree = Tree::new(terms.iter().map(|term| term.0.hash()));
        assert_eq!(tree.frontier.root(), head.terms_root);
        let times = [Axis::Occurred, Axis::Recorded].map(|axis| {
            let chunks = head.events.div_ceil(CHUNK as u64);
            let all: Vec<TimeEntry> =
                (0..chunks).flat_map(|chunk| index.times_chunk(axis, chunk).unwrap()).collect();
            let tree = Tree::new(all.chunks(CHUNK).map(time_chunk_leaf));
            (all, tree)
        });
        All { index, terms, tree, times }
    }

    fn list(&self, place: usize, random: &mut Random) -> ShownList {
        let (_, positions, tree) = &self.terms[place];
        let (low, high) = range(random, positions.len().div_ceil(CHUNK) as u64);
        let chunks: Vec<u32> = positions
            .chunks(CHUNK)
            .skip(usize::try_from(low).unwrap())
            .take(usize::try_from(high - low).unwrap())
            .flatten()
            .copied()
            .collect();
        ShownList { first_chunk: low, positions: chunks, hashes: tree.prove(low..high) }
    }

    fn times(&self, axis: usize, random: &mut Random) -> TimeEvidence {
        let (all, tree) = &self.times[axis];
        let (low, high) = range(random, all.len().div_ceil(CHUNK) as u64);
        let skip = usize::try_from(low).unwrap();
        let take = usize::try_from(high - low).unwrap();
        let entries = all.chunks(CHUNK).skip(skip).take(take).flatten().copied().collect();
        TimeEvidence { first_chunk: low, entries, hashes: tree.prove(low..high) }
    }

    /// Evidence with valid hashes, of any shape, and the positions it points at.
    fn forge(&self, query: &Query, random: &mut Random) -> (IndexEvidence, BTreeSet<u32>) {
        let head = self.index.head();
        let clauses = clauses(query, head.scope.log_id);
        let mask = u8::try_from(random.below(1 << clauses.len())).unwrap();
        let shows_anchors = random.below(2) == 0;
        let meant = |wanted: &bulla::internals::terms::Wanted| {
            (0..self.terms.len()).filter(|n| wanted.means_key(&self.terms[*n].0.key)).collect()
        };
        // The places whose lists the verifier asks for, some left out; and their neighbours.
        let mut places: BTreeSet<usize> = BTreeSet::new();
        let mut listed: BTreeSet<usize> = BTreeSet::new();
        let mut all_wanted: Vec<_> = Vec::new();
        for (n, clause) in clauses.iter().enumerate() {
            if mask >> n & 1 == 1 {
                all_wanted.extend(clause.wanted.iter().cloned());
            }
        }
        if shows_anchors {
            all_wanted.push(anchors());
        }
        let miss = random.below(3) == 0;
        for wanted in &all_wanted {
            let run: Vec<usize> = meant(wanted);
            let behind = self.terms.partition_point(|t| wanted.is_behind(&t.0.key)) + run.len();
            let before = (behind - run.len()).checked_sub(1);
            for place in before.into_iter().chain([behind]).filter(|p| *p < self.terms.len()) {
                if !(miss && random.below(3) == 0) {
                    places.insert(place);
                }
            }
            for place in run {
                if !(miss && random.below(4) == 0) {
                    places.insert(place);
                    listed.insert(place);
                }
            }
        }
        if random.below(4) == 0 {
            places.insert(usize::try_from(random.below(self.terms.len() as u64)).unwrap());
        }
        let leaves: Vec<TermEvidence> = places
            .iter()
            .map(|place| TermEvidence {
                place: *place as u64,
                leaf: self.terms[*place].0.clone(),
                list: listed.contains(place).then(|| self.list(*place, random)),
            })
            .collect();
        let shown: Vec<Option<TimeEvidence>> =
            (0..2).map(|axis| (random.below(2) == 0).then(|| self.times(axis, random))).collect();
        // What it points at, as the verifier must read it.
        let every: BTreeSet<u32> = (0..u32::try_from(head.records).unwrap()).collect();
        let of = |wanted: &bulla::internals::terms::Wanted| {
            let meant = leaves.iter().filter(|leaf| wanted.means_key(&leaf.leaf.key));
            meant
                .flat_map(|leaf| leaf.list.iter().flat_map(|list| list.positions.clone()))
                .collect::<BTreeSet<u32>>()
        };
        let mut events: Option<BTreeSet<u32>> = None;
        let mut join = |set: BTreeSet<u32>| {
            events = Some(match events.take() {
                None => set,
                Some(before) => before.intersection(&set).copied().collect(),
            });
        };
        for (n, clause) in clauses.iter().enumerate() {
            if mask >> n & 1 == 1 {
                join(clause.wanted.iter().flat_map(of).collect());
            }
        }
        let probe = |record_at: i64, axis: usize, query: &Query| -> bool {
            let time = Timestamp::from_nanos(record_at);
            let bytes = query.to_bytes();
            // The two ranges are the last fields: read them back from the text of the query.
            let _ = bytes;
            in_range(query, axis, time)
        };
        for (axis, times) in shown.iter().enumerate() {
            if let Some(times) = times {
                let of = times.entries.iter().filter(|entry| probe(entry.time, axis, query));
                join(of.map(|entry| entry.position).collect());
            }
        }
        let own = of(&anchors());
        let may = may_match_anchors(query);
        let candidates = match (events, shows_anchors, may) {
            (None, false, _) | (None, _, true) => every,
            (None, true, false) => every.difference(&own).copied().collect(),
            (Some(events), _, false) => events,
            (Some(events), _, true) => events.union(&own).copied().collect(),
        };
        let mut shown = shown.into_iter();
        let evidence = IndexEvidence {
            events: head.events,
            terms: head.terms,
            terms_root: head.terms_root,
            occurred_root: head.occurred_root,
            recorded_root: head.recorded_root,
            clauses: mask,
            anchors: shows_anchors,
            leaf_hashes: self.tree.prove(places.iter().map(|place| *place as u64)),
            leaves,
            occurred: shown.next().flatten(),
            recorded: shown.next().flatten(),
        };
        (evidence, candidates)
    }
}

/// Whether a time is in the range of an axis: the ranges are public nowhere but in the bytes.
fn in_range(query: &Query, axis: usize, time: Timestamp) -> bool {
    let bytes = query.to_bytes();
    // From the end: recorded.until, recorded.since, occurred.until, occurred.since. Their
    // lengths are told apart by trying all.
    for mask in 0..16_u8 {
        let len: usize = (0..4).map(|n| if mask >> n & 1 == 1 { 9 } else { 1 }).sum();
        let Some(at) = bytes.len().checked_sub(len) else { continue };
        let (mut rest, mut ends) = (&bytes[at..], Vec::new());
        let mut good = true;
        for n in 0..4 {
            let some = mask >> n & 1 == 1;
            good &= rest[0] == u8::from(some);
            rest = &rest[1..];
            ends.push(some.then(|| {
                let (time, more) = rest.split_at(8);
                rest = more;
                Timestamp::from_nanos(i64::from_le_bytes(time.try_into().unwrap()))
            }));
        }
        // event ids: an empty list before them
        if good && at >= 4 && bytes[at - 4..at] == [0; 4] {
            let (since, until) = (ends[axis * 2], ends[axis * 2 + 1]);
            return since.is_none_or(|s| s <= time) && until.is_none_or(|u| time < u);
        }
    }
    panic!("{query:?}")
}

fn may_match_anchors(query: &Query) -> bool {
    // Those of the queries above: by system, and nothing but times and the log's own action.
    let text = format!("{query:?}");
    text.contains("system: true")
        && (text.contains("actions: []") || text.contains("bulla.*"))
        && text.contains("tenants: []")
        && text.contains("actors: []")
}

#[test]
fn no_choice_of_valid_hashes_hides_a_record() {
    let made = Made::new(420);
    let all = All::of(&made);
    assert!(all.terms.iter().any(|term| term.1.len() > 2 * CHUNK));
    let _ = Field::ALL;
    let records = all.index.head().records;
    let trust = made.trust();
    let mut bundles: HashMap<Vec<u32>, bulla::proof::Bundle> = HashMap::new();
    let (mut held, mut refused) = (0, 0);
    let mut random = Random::new(7);
    for query in queries() {
        let good = made.prove(&query);
        good.verify(&trust).unwrap();
        for _ in 0..150 {
            let (evidence, candidates) = all.forge(&query, &mut random);
            let mut answer = good.clone();
            // Sometimes a part of the segment only.
            let (low, high) = match random.below(2) {
                0 => (0, records),
                _ => {
                    let low = random.below(records);
                    (low, low + 1 + random.below(records - low))
                }
            };
            answer.evidence.covers = low..high;
            answer.evidence.segments = vec![SegmentEvidence::Index(Box::new(evidence))];
            let shown: Vec<u32> =
                candidates.into_iter().filter(|p| (low..high).contains(&u64::from(*p))).collect();
            let bundle = bundles.entry(shown.clone()).or_insert_with(|| {
                let seqs: Vec<Seq> = shown.iter().map(|p| Seq::new(u64::from(*p))).collect();
                made.log
                    .snapshot()
                    .prove_many(&seqs, &made.checkpoint, Disclosure::WithholdPayload)
                    .unwrap()
            });
            answer.bundle = bundle.clone();
            match answer.verify(&trust) {
                Err(_) => refused += 1,
                Ok(verified) => {
                    held += 1;
                    let covers = verified.covers();
                    let mut expected: Vec<u64> = made
                        .records
                        .iter()
                        .filter(|r| covers.contains(&r.seq))
                        .filter(|r| query.matches(r.recorded_at, r.kind, &Subject::of_record(r)))
                        .map(|r| r.seq.get())
                        .collect();
                    if query.cursor_after(Seq::new(0)).is_none() {
                        expected.reverse();
                    }
                    let hits: Vec<u64> =
                        verified.hits().map(|hit| hit.record().seq.get()).collect();
                    assert_eq!(hits, expected, "{query:?} {covers:?}");
                }
            }
        }
    }
    assert!(held > 100 && refused > 100, "{held} {refused}");
}
