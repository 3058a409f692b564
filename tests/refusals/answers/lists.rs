//! R-ANSWER-11 to 14 and 20: what is shown of the terms of an index.

use super::{actor_key, answer, grown, lying};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::text;
use crate::forge::evidence::{Index, Leaf, List, Query, Shown, Times, id, list};
use crate::forge::files::Files;
use crate::forge::index::Logical;
use crate::proofs::refused;

/// The records of the first segment of a log that was not grown.
const COUNT: u32 = 41;
/// The event of the first segment that user-3 did first.
const FIRST: u32 = 3;
/// The place of the first anchor.
const ANCHOR_AT: u32 = 38;

/// What is shown of the index of the first segment is changed.
fn index(forge: Forge, change: impl FnOnce(&mut Index, &[u8])) -> Files {
    answer(forge, |_, answer| {
        let key = actor_key(&answer.logicals[0], "user-3");
        change(answer.index(), &key);
    })
}

/// The term of user-3.
fn place(logical: &Logical) -> usize {
    logical.run(&actor_key(logical, "user-3")).start
}

/// In a log that signed this list for user-3.
fn lying_list(forge: Forge, change: impl FnOnce(&mut Vec<u32>)) -> Files {
    let lie = |logical: &mut Logical| {
        let at = place(logical);
        change(&mut logical.terms[at].1);
    };
    lying(forge, lie, |_, answer| {
        let at = place(&answer.logicals[0]);
        let positions: Vec<usize> =
            answer.logicals[0].terms[at].1.iter().map(|at| *at as usize).collect();
        answer.seqs.retain(|seq| *seq >= COUNT as usize);
        let second = std::mem::replace(&mut answer.seqs, positions);
        answer.seqs.extend(second);
        answer.seqs.sort_unstable();
        answer.seqs.dedup();
    })
}

// ---- lists of several chunks ------------------------------------------------------------

/// Records 200 to 259 of a grown log that were successes, oldest first; of their list the chunk that
/// has these.
fn long(forge: Forge, change: impl FnOnce(&mut List, &[u32])) -> Files {
    long_of(grown(forge), |_| (), change)
}

fn long_of(
    forge: Forge,
    lie: impl FnOnce(&mut Vec<u32>),
    change: impl FnOnce(&mut List, &[u32]),
) -> Files {
    let successes = |logical: &mut Logical| {
        let at = logical.run(&[7, 0]).start;
        lie(&mut logical.terms[at].1);
    };
    lying(forge, successes, |_, answer| {
        let logical = answer.logicals[0].clone();
        let all = logical.terms[logical.run(&[7, 0]).start].1.clone();
        let mut index = Index::of(&logical);
        index.show(0, &[7, 0]);
        let list = index.leaf(&[7, 0]).list.as_mut().unwrap();
        *list = List::of(&all, 1..2);
        change(list, &all);
        answer.query = Query::all().with("order", vec![1]).with("outcomes", vec![1]);
        (answer.from, answer.to) = (200, 260);
        answer.items.truncate(1);
        answer.shown = vec![Shown::Index(Box::new(index))];
        answer.seqs =
            all.iter().map(|at| *at as usize).filter(|at| (200..260).contains(at)).collect();
    })
}

/// The segment was sealed without an index.
fn without_index(mut forge: Forge) -> Files {
    forge.sealed(1).set("index_root", vec![0; 32]);
    answer(forge, |_, _| ())
}

pub(crate) const CASES: &[Case] = &[
    refused!("R-ANSWER-11", "another root of the terms", Plain, "the root of the index", |forge| {
        index(forge, |index, _| index.roots[0] = [7; 32])
    }),
    refused!("R-ANSWER-11", "another root of the times", Plain, "the root of the index", |forge| {
        index(forge, |index, _| index.roots[2] = [7; 32])
    }),
    refused!("R-ANSWER-11", "another number of terms", Plain, "the root of the index", |forge| {
        index(forge, |index, _| index.terms += 1)
    }),
    refused!("R-ANSWER-11", "another number of events", Plain, "the root of the index", |forge| {
        index(forge, |index, _| index.logical.events -= 1)
    }),
    refused!(
        "R-ANSWER-11",
        "the index of another segment",
        Plain,
        "the root of the index",
        |forge| {
            answer(forge, |_, answer| {
                let mut index = Index::of(&answer.logicals[1]);
                index.show(0, &actor_key(&answer.logicals[1], "user-3"));
                answer.shown[0] = Shown::Index(Box::new(index));
            })
        }
    ),
    refused!(
        "R-ANSWER-11",
        "a segment that was sealed without an index",
        Plain,
        "the root of the index",
        without_index
    ),
    refused!("R-ANSWER-11", "more events than records", Plain, "at most 41 events", |forge| {
        lying(forge, |logical| logical.events = 42, |_, _| ())
    }),
    refused!(
        "R-ANSWER-12",
        "hashes that do not lead to the root of the terms",
        Plain,
        "the terms of the index: expected the tree to have root",
        |forge| {
            index(forge, |index, _| {
                let mut hashes = made(index);
                hashes[0] = [7; 32];
                index.hashes = Some(hashes);
            })
        }
    ),
    refused!(
        "R-ANSWER-12",
        "a hash too many",
        Plain,
        "the terms of the index: expected a proof of",
        |forge| {
            index(forge, |index, _| {
                let mut hashes = made(index);
                hashes.push([7; 32]);
                index.hashes = Some(hashes);
            })
        }
    ),
    refused!(
        "R-ANSWER-12",
        "another key",
        Plain,
        "the terms of the index: expected the tree to have root",
        |forge| { index(forge, |index, key| *index.leaf(key).key.last_mut().unwrap() ^= 1) }
    ),
    refused!(
        "R-ANSWER-12",
        "another length of a list",
        Plain,
        "the terms of the index: expected the tree to have root",
        |forge| { index(forge, |index, key| index.leaf(key).count -= 1) }
    ),
    refused!(
        "R-ANSWER-12",
        "a place behind the last",
        Plain,
        "the terms of the index: record",
        |forge| {
            index(forge, |index, _| {
                index.hashes = Some(made(index));
                let terms = index.terms;
                index.leaves.last_mut().unwrap().place = terms;
            })
        }
    ),
    refused!(
        "R-ANSWER-12",
        "a leaf twice",
        Plain,
        "the terms of the index: expected records in ascending order",
        |forge| {
            index(forge, |index, _| {
                index.hashes = Some(made(index));
                let leaf = index.leaves[0].clone();
                index.leaves.insert(0, leaf);
            })
        }
    ),
    refused!(
        "R-ANSWER-12",
        "keys that do not ascend",
        Plain,
        "the terms of the index: expected ascending keys",
        |forge| {
            let swap = |logical: &mut Logical| {
                let at = place(logical);
                logical.terms.swap(at - 1, at);
            };
            lying(forge, swap, |_, answer| {
                let logical = answer.logicals[0].clone();
                let key = actor_key(&logical, "user-3");
                let at =
                    logical.terms.iter().position(|(known, _)| known.starts_with(&key)).unwrap();
                let index = answer.index();
                index.shown = 1;
                let positions = List::whole(&logical.terms[at].1);
                index.leaves =
                    vec![Leaf::of(&logical, at, Some(positions)), Leaf::of(&logical, at + 1, None)];
            })
        }
    ),
    refused!("R-ANSWER-12", "a term of no record", Plain, "a term of 1 to 41 records", |forge| {
        let empty = |logical: &mut Logical| {
            let at = place(logical) - 1;
            logical.terms[at].1.clear();
        };
        lying(forge, empty, |_, _| ())
    }),
    refused!(
        "R-ANSWER-12",
        "a term of more records than there are",
        Plain,
        "a term of 1 to 41 records",
        |forge| {
            let long = |logical: &mut Logical| {
                let at = place(logical) - 1;
                logical.terms[at].1 = (0..42).collect();
            };
            lying(forge, long, |_, _| ())
        }
    ),
    refused!(
        "R-ANSWER-13",
        "no leaf before the term",
        Plain,
        "neighbouring terms of the index",
        |forge| { index(forge, |index, _| _ = index.leaves.remove(0)) }
    ),
    refused!(
        "R-ANSWER-13",
        "no leaf behind the term",
        Plain,
        "neighbouring terms of the index",
        |forge| { index(forge, |index, _| _ = index.leaves.pop()) }
    ),
    refused!(
        "R-ANSWER-13",
        "the term is left out",
        Plain,
        "neighbouring terms of the index",
        |forge| {
            answer(forge, |_, answer| {
                answer.index().leaves.remove(1);
                answer.seqs.retain(|seq| *seq >= COUNT as usize);
            })
        }
    ),
    refused!("R-ANSWER-13", "no leaf at all", Plain, "neighbouring terms of the index", |forge| {
        answer(forge, |_, answer| {
            answer.index().leaves.clear();
            answer.seqs.retain(|seq| *seq >= COUNT as usize);
        })
    }),
    refused!(
        "R-ANSWER-13",
        "one of two terms with the name",
        Plain,
        "neighbouring terms of the index",
        |mut forge| {
            forge.main_record(8).set("actor_type", text("service"));
            answer(forge, |_, answer| {
                let key = actor_key(&answer.logicals[0], "user-3");
                let run = answer.logicals[0].run(&key);
                assert_eq!(run.len(), 2);
                let index = answer.index();
                let at = index.leaves.iter().position(|leaf| leaf.key.starts_with(&key)).unwrap();
                let gone = index.leaves.remove(at).list.unwrap().positions;
                answer.seqs.retain(|seq| !gone.contains(&u32::try_from(*seq).unwrap()));
            })
        }
    ),
    refused!(
        "R-ANSWER-13",
        "one of two alternatives",
        Plain,
        "neighbouring terms of the index",
        |forge| {
            answer(forge, |_, answer| {
                let actors = [id(None, Some("user-2")), id(None, Some("user-3"))];
                answer.query.set("actors", list(&actors));
            })
        }
    ),
    refused!(
        "R-ANSWER-13",
        "the term without its list",
        Plain,
        "the list of a term: expected its chunks",
        |forge| { index(forge, |index, key| index.leaf(key).list = None) }
    ),
    refused!(
        "R-ANSWER-13",
        "a list that nothing asks for",
        Plain,
        "those that the query asks for",
        |forge| {
            index(forge, |index, _| {
                let before = usize::try_from(index.leaves[0].place).unwrap();
                let positions = index.logical.terms[before].1.clone();
                index.leaves[0].list = Some(List::whole(&positions));
            })
        }
    ),
    refused!(
        "R-ANSWER-13",
        "a clause that the question does not have",
        Plain,
        "lists of 1 clauses",
        |forge| { index(forge, |index, _| index.shown = 3) }
    ),
    refused!(
        "R-ANSWER-13",
        "times that the question does not ask by",
        Plain,
        "times that the query asks for",
        |forge| {
            index(forge, |index, _| index.recorded = Some(Times::whole(&index.logical.recorded)))
        }
    ),
    refused!(
        "R-ANSWER-14",
        "a chunk that begins in the range, and not the one before",
        Plain,
        "the chunk with the position at or before 200",
        |forge| { long(forge, |list, all| *list = List::of(all, 2..3)) }
    ),
    refused!(
        "R-ANSWER-14",
        "a chunk that ends in the range, and not the one behind",
        Plain,
        "the chunks with the positions below 260",
        |forge| { long(forge, |list, all| *list = List::of(all, 0..1)) }
    ),
    refused!(
        "R-ANSWER-14",
        "a chunk with an entry less",
        Plain,
        "entries in whole chunks",
        |forge| { long(forge, |list, _| _ = list.positions.remove(64)) }
    ),
    refused!("R-ANSWER-14", "a chunk with an entry more", Plain, "the list of a term", |forge| {
        long(forge, |list, _| list.positions.push(424))
    }),
    refused!("R-ANSWER-14", "a chunk without entries", Plain, "entries in whole chunks", |forge| {
        long(forge, |list, _| list.positions.clear())
    }),
    refused!(
        "R-ANSWER-14",
        "a chunk behind the last",
        Plain,
        "the list of a term: expected chunks of 3",
        |forge| { long(forge, |list, _| list.first_chunk = 3) }
    ),
    refused!(
        "R-ANSWER-14",
        "chunk 2^64 - 1",
        Plain,
        "the list of a term: expected chunks of 3",
        |forge| { long(forge, |list, _| list.first_chunk = u64::MAX) }
    ),
    refused!("R-ANSWER-14", "another chunk than it is", Plain, "the list of a term", |forge| {
        long(forge, |list, _| list.first_chunk = 0)
    }),
    refused!(
        "R-ANSWER-14",
        "another position",
        Plain,
        "the list of a term: expected the tree to have root",
        |forge| { long(forge, |list, _| list.positions[127] += 1) }
    ),
    refused!(
        "R-ANSWER-14",
        "a hash that leads elsewhere",
        Plain,
        "the list of a term: expected the tree to have root",
        |forge| { long(forge, |list, _| list.hashes[0] = [7; 32]) }
    ),
    refused!(
        "R-ANSWER-14",
        "a position twice",
        Plain,
        "the list of a term: expected ascending entries",
        |forge| { lying_list(forge, |positions| positions.insert(1, FIRST)) }
    ),
    refused!(
        "R-ANSWER-14",
        "a position behind the segment",
        Plain,
        "positions below 41",
        |forge| { lying_list(forge, |positions| positions.push(COUNT)) }
    ),
    refused!(
        "R-ANSWER-20",
        "the list of an actor with what another one did",
        Plain,
        "the lists of the terms",
        |forge| { lying_list(forge, |positions| positions[0] = FIRST + 1) }
    ),
    refused!(
        "R-ANSWER-20",
        "the list of an actor with an anchor",
        Plain,
        "the lists of the terms",
        |forge| {
            lying_list(forge, |positions| {
                positions.push(ANCHOR_AT);
                positions.sort_unstable();
                positions.dedup();
            })
        }
    ),
];

/// The hashes that follow from the leaves of an index.
fn made(index: &Index) -> Vec<crate::forge::hashes::Hash> {
    let places: Vec<usize> =
        index.leaves.iter().map(|leaf| usize::try_from(leaf.place).unwrap()).collect();
    crate::forge::index::TREE.batch(&places, 0, &index.logical.leaves())
}

#[test]
fn what_an_answer_must_not_show_of_terms_is_refused() {
    run(CASES);
}

#[test]
fn answers_by_lists_hold() {
    let base = Base::Plain;
    let made = [
        lying(base.forge(), |_| (), |_, _| ()),
        long(base.forge(), |_, _| ()),
        long(base.forge(), |list, all| *list = List::of(all, 0..3)),
    ];
    for (n, files) in made.iter().enumerate() {
        assert_eq!(attempt(By::VerifyProof, base, files), Ok(()), "answer {n}");
    }
}
