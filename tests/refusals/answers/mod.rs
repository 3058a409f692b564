//! R-ANSWER: answers to queries, each made by docs/format.md alone, wrong in one thing and right in
//! all else.

pub(crate) mod lists;
pub(crate) mod range;
pub(crate) mod records;
pub(crate) mod text;
pub(crate) mod times;

use crate::bases::Base;
use crate::cases::{By, attempt};
use crate::forge::Forge;
use crate::forge::evidence::{Index, Query, Shown, id, list};
use crate::forge::files::Files;
use crate::forge::ground::{Ground, Statement};
use crate::forge::hashes::Algorithm;
use crate::forge::index::Logical;
use crate::forge::notes::base64;
use crate::forge::segment::{Frame, Record};
use crate::forge::shown::{batch, number4, numbers, with_len};
use crate::forge::state::{State, ordinal_key};
use crate::proofs::bundles::Bundle;

/// The newest anchor.
const ANCHOR: usize = 2;

/// An entry of the state as claim 4 has it: index, key, value.
pub(crate) type Item = (usize, Vec<u8>, Vec<u8>);

/// An answer: what was done by user-3, in the two sealed segments. The index of the first is shown,
/// and all records of the second.
pub(crate) struct Answer {
    pub(crate) query: Query,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) items: Vec<Item>,
    pub(crate) shown: Vec<Shown>,
    /// The records that are disclosed.
    pub(crate) seqs: Vec<usize>,
    pub(crate) logicals: [Logical; 2],
    pub(crate) anchor: usize,
    /// What the anchor's state root is that of.
    pub(crate) state: State,
    /// In place of claim 4.
    pub(crate) claim: Option<Vec<u8>>,
    /// Bytes behind the evidence.
    pub(crate) behind: Vec<u8>,
    /// In place of the number of segments.
    pub(crate) count: Option<usize>,
}

/// What the key of an actor begins with, of whatever type.
pub(crate) fn actor_key(logical: &Logical, name: &str) -> Vec<u8> {
    [&[2][..], &logical.private(2, 0, name.as_bytes())].concat()
}

/// The key of the anchors.
pub(crate) const ANCHORS: [u8; 2] = [1, 2];

impl Answer {
    pub(crate) fn of(ground: &Ground) -> Self {
        let log_id = ground.forge.log_id;
        let [first, second] = [0, 1].map(|at| &ground.forge.main[at]);
        let end = usize::try_from(first.count()).unwrap();
        let to = end + usize::try_from(second.count()).unwrap();
        let logicals = [Logical::of(first, &log_id, 0), Logical::of(second, &log_id, end as u64)];
        let key = actor_key(&logicals[0], "user-3");
        let mut index = Index::of(&logicals[0]);
        index.show(0, &key);
        let run = logicals[0].run(&key);
        let positions = logicals[0].terms[run].iter().flat_map(|(_, list)| list.clone());
        let mut seqs: Vec<usize> = positions.map(|at| at as usize).collect();
        seqs.sort_unstable();
        seqs.extend(end..to);
        Answer {
            query: Query::all().with("actors", list(&[id(None, Some("user-3"))])),
            from: 0,
            to: to as u64,
            items: items(&ground.state(ANCHOR), &[1, 2]),
            shown: vec![Shown::Index(Box::new(index)), Shown::Kind(3)],
            seqs,
            logicals,
            anchor: ANCHOR,
            state: ground.state(ANCHOR),
            claim: None,
            behind: Vec::new(),
            count: None,
        }
    }

    /// Asks for this, and shows these of the two segments.
    pub(crate) fn ask(
        &mut self,
        query: Query,
        shown: [Shown; 2],
        seqs: impl Iterator<Item = usize>,
    ) {
        (self.query, self.shown, self.seqs) = (query, shown.to_vec(), seqs.collect());
    }

    /// The index of the first segment.
    pub(crate) fn index(&mut self) -> &mut Index {
        self.shown[0].index()
    }

    fn statement(&self, ground: &Ground) -> Statement {
        let leaves = self.state.leaves();
        let places: Vec<usize> = self.items.iter().map(|(index, ..)| *index).collect();
        let hashes = match places.is_empty() {
            true => Vec::new(),
            false => Algorithm::Sha256.batch(&places, 0, &leaves),
        };
        let item = |(index, key, value): &Item| {
            [numbers(&[*index as u64]), with_len(key), with_len(value)].concat()
        };
        let items: Vec<u8> = self.items.iter().flat_map(item).collect();
        let (entries, count) = (numbers(&[leaves.len() as u64]), number4(self.items.len()));
        let claim = [vec![4], entries, count, items, batch(&hashes)].concat();
        ground.statement(self.anchor, self.claim.clone().unwrap_or(claim))
    }

    pub(crate) fn evidence(&self, ground: &Ground) -> Vec<u8> {
        let shown: Vec<u8> = self.shown.iter().flat_map(Shown::bytes).collect();
        [
            with_len(&self.query.bytes()),
            numbers(&[self.from, self.to]),
            with_len(&self.statement(ground).bytes()),
            number4(self.count.unwrap_or(self.shown.len())),
            shown,
            self.behind.clone(),
        ]
        .concat()
    }

    pub(crate) fn text(&self, ground: &Ground, bundle: &Bundle) -> String {
        let evidence = base64(&self.evidence(ground));
        format!("bulla.dev/answer/v1\n{evidence}\n\n{}", bundle.text())
    }

    pub(crate) fn files(&self, ground: &Ground) -> Files {
        let text = self.text(ground, &Bundle::of(ground, &self.seqs));
        ground.with("forged.bulla-answer", text)
    }
}

/// The entries of these segments.
pub(crate) fn items(state: &State, ordinals: &[u64]) -> Vec<Item> {
    let item = |ordinal: &u64| {
        let key = ordinal_key("segment", *ordinal).into_bytes();
        let index = state.entries.keys().position(|known| *known == key).expect("a segment");
        (index, key.clone(), state.entries[&key].clone())
    };
    ordinals.iter().map(item).collect()
}

/// An answer that is changed.
pub(crate) fn answer(forge: Forge, change: impl FnOnce(&Ground, &mut Answer)) -> Files {
    let ground = Ground::of(forge);
    let mut answer = Answer::of(&ground);
    change(&ground, &mut answer);
    answer.files(&ground)
}

/// The same in a log that signed another index of the first segment.
pub(crate) fn lying(
    mut forge: Forge,
    lie: impl FnOnce(&mut Logical),
    change: impl FnOnce(&Ground, &mut Answer),
) -> Files {
    let mut logical = Answer::of(&Ground::of(forge.clone())).logicals[0].clone();
    lie(&mut logical);
    forge.sealed(1).set("index_root", logical.root().to_vec());
    let ground = Ground::of(forge);
    let mut answer = Answer::of(&ground);
    let key = actor_key(&logical, "user-3");
    let mut index = Index::of(&logical);
    index.show(0, &key);
    answer.logicals[0] = logical;
    answer.shown[0] = Shown::Index(Box::new(index));
    change(&ground, &mut answer);
    answer.files(&ground)
}

/// An answer in a log whose newest anchor names another state than its catalog leads to.
pub(crate) fn in_state(
    mut forge: Forge,
    lie: impl FnOnce(&mut State),
    change: impl FnOnce(&mut Answer),
) -> Files {
    let mut state = Ground::of(forge.clone()).state(ANCHOR);
    lie(&mut state);
    forge.anchor(ANCHOR).set("state_root", state.root().to_vec());
    answer(forge, |_, answer| {
        for (index, key, value) in &mut answer.items {
            // Of an entry that is gone the test says itself what is shown in its place.
            let Some(at) = state.entries.keys().position(|known| known == key) else { continue };
            (*index, *value) = (at, state.entries[key].clone());
        }
        answer.state = state;
        change(answer);
    })
}

/// An answer in a log whose state has this entry for a segment.
pub(crate) fn with_entry(forge: Forge, ordinal: u64, change: impl FnOnce(&mut Record)) -> Files {
    shown_of_entry(forge, ordinal, change, |_| ())
}

pub(crate) fn shown_of_entry(
    forge: Forge,
    ordinal: u64,
    entry: impl FnOnce(&mut Record),
    change: impl FnOnce(&mut Answer),
) -> Files {
    let mut sealed = Ground::of(forge.clone()).forge.sealed(ordinal).clone();
    entry(&mut sealed);
    let key = ordinal_key("segment", ordinal).into_bytes();
    let lie = |state: &mut State| drop(state.entries.insert(key, sealed.state_value()));
    in_state(forge, lie, change)
}

/// A log whose first segment has 384 events more, which were recorded one after the other: its lists
/// have several chunks.
pub(crate) fn grown(mut forge: Forge) -> Forge {
    let long = forge.main[0].frames.iter().position(|frame| frame.records.len() > 2).unwrap();
    let batch: Frame = forge.main[0].frames[long].clone();
    let mut time = forge.main[0].records().map(Record::recorded_at).max().unwrap();
    for _ in 0..12 {
        let mut more = batch.clone();
        for record in &mut more.records {
            time += 1_000;
            record.set_prefix("recorded_at", time);
        }
        forge.main[0].frames.push(more);
    }
    forge
}

#[test]
fn an_answer_that_is_not_forged_holds() {
    let base = Base::Plain;
    for files in [answer(base.forge(), |_, _| ()), answer(grown(base.forge()), |_, _| ())] {
        assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()));
    }
}
