//! R-ANSWER-1 to 6: the file, the question, the spelling of the evidence, the statement.

use super::{ANCHOR, Answer, answer, items};
use crate::cases::{Case, run};
use crate::forge::Forge;
use crate::forge::evidence::{Query, Shown, Times, id, leb, list, option8, range};
use crate::forge::files::Files;
use crate::forge::ground::Ground;
use crate::forge::hashes::Algorithm;
use crate::forge::index::Logical;
use crate::forge::notes::Key;
use crate::forge::shown::{number4, numbers, with_len};
use crate::proofs::bundles::Bundle;
use crate::proofs::carried::in_force;
use crate::proofs::refused;
use crate::support::ORIGIN;

const NAME: &str = "forged.bulla-answer";

/// An answer whose text is changed.
fn edited(forge: Forge, edit: impl FnOnce(String) -> Vec<u8>) -> Files {
    let ground = Ground::of(forge);
    let answer = Answer::of(&ground);
    let text = answer.text(&ground, &Bundle::of(&ground, &answer.seqs));
    ground.with(NAME, edit(text))
}

/// An answer whose bundle is changed.
fn bundled(forge: Forge, change: impl FnOnce(&Ground, &mut Bundle)) -> Files {
    let ground = Ground::of(forge);
    let answer = Answer::of(&ground);
    let mut bundle = Bundle::of(&ground, &answer.seqs);
    change(&ground, &mut bundle);
    ground.with(NAME, answer.text(&ground, &bundle))
}

/// A field of the question is set.
fn asked(forge: Forge, field: &str, bytes: Vec<u8>) -> Files {
    answer(forge, |_, answer| answer.query.set(field, bytes))
}

/// A question of version 2 with these lists of its own.
fn of_version_2(forge: Forge, lists: Vec<u8>) -> Files {
    answer(forge, |_, answer| {
        answer.query.set("version", vec![2]);
        answer.query.set("behind", lists);
    })
}

fn text(text: &str) -> Vec<u8> {
    with_len(text.as_bytes())
}

fn actor(name: &str) -> Vec<u8> {
    id(None, Some(name))
}

/// The index of the first segment up to its leaves, of which there are none, and without times.
fn index_with(logical: &Logical, leaves: &[u8], behind: &[u8]) -> Shown {
    let head = [
        numbers(&[logical.events, logical.terms.len() as u64]),
        vec![7; 96],
        vec![0],
        leaves.to_vec(),
        behind.to_vec(),
    ];
    Shown::Bytes(head.concat())
}

/// One leaf with a list of these positions, as they are spelt.
fn leaf_with(count: usize, positions: &[u8]) -> Vec<u8> {
    let leaf = [numbers(&[0]), with_len(b"key"), numbers(&[1]), vec![7; 32], vec![1]].concat();
    let list = [numbers(&[0]), number4(count), positions.to_vec(), number4(0)].concat();
    [number4(1), leaf, list].concat()
}

/// An index with one list of positions, as they are spelt.
fn positions(forge: Forge, count: usize, spelt: &[u8]) -> Files {
    answer(forge, |_, answer| {
        let leaves = leaf_with(count, spelt);
        answer.shown[0] =
            index_with(&answer.logicals[0], &leaves, &[number4(0), vec![0, 0]].concat());
    })
}

/// An index with times, as they are spelt.
fn times(forge: Forge, count: usize, spelt: &[u8]) -> Files {
    answer(forge, |_, answer| {
        let times = [vec![1], numbers(&[0]), number4(count), spelt.to_vec(), number4(0)].concat();
        let behind = [number4(0), times, vec![0]].concat();
        answer.shown[0] = index_with(&answer.logicals[0], &number4(0), &behind);
    })
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-ANSWER-1",
        "a first line of another version",
        Plain,
        "the first line bulla.dev/answer/v1",
        |forge| { edited(forge, |text| text.replacen("answer/v1", "answer/v2", 1).into_bytes()) }
    ),
    refused!("R-ANSWER-1", "more than 64 MiB", Plain, "of at most 67108864 bytes", |forge| {
        edited(forge, |text| {
            let mut bytes = text.into_bytes();
            bytes.resize((64 << 20) + 1, b'\n');
            bytes
        })
    }),
    refused!("R-ANSWER-1", "bytes that are no text", Plain, "no UTF-8", |forge| {
        edited(forge, |text| [text.as_bytes(), b"\xff"].concat())
    }),
    refused!(
        "R-ANSWER-1",
        "evidence that is not in base64",
        Plain,
        "the base64 of evidence",
        |forge| { edited(forge, |text| text.replacen("/v1\n", "/v1\n=", 1).into_bytes()) }
    ),
    refused!("R-ANSWER-1", "evidence twice", Plain, "the base64 of evidence", |forge| {
        edited(forge, |text| text.replacen("/v1\n", "/v1\nAA==\n", 1).into_bytes())
    }),
    refused!("R-ANSWER-1", "no bundle", Plain, "the base64 of evidence", |forge| {
        edited(forge, |text| text.split("\n\n").next().unwrap().as_bytes().to_vec())
    }),
    refused!(
        "R-ANSWER-2",
        "another file in place of the bundle",
        Plain,
        "the first line bulla.dev/bundle/v1",
        |forge| { bundled(forge, |_, bundle| bundle.first = "bulla.dev/bundle/v2") }
    ),
    refused!(
        "R-ANSWER-2",
        "records that are not under the head",
        Plain,
        "inclusion not proved",
        |forge| { bundled(forge, |_, bundle| bundle.hashes[0] = [7; 32]) }
    ),
    refused!("R-ANSWER-2", "a byte behind the bundle", Plain, "in the checkpoint", |forge| {
        bundled(forge, |_, bundle| bundle.checkpoint.push('x'))
    }),
    refused!("R-ANSWER-2", "a head by a stranger", Plain, "checkpoint not verified", |forge| {
        bundled(forge, |ground, bundle| {
            let stranger = Key::new(ORIGIN, Algorithm::Sha256, 99);
            bundle.checkpoint = ground.head_by(ground.size(), &stranger);
        })
    }),
    refused!("R-ANSWER-2", "a head of another log", Plain, "checkpoint not verified", |forge| {
        bundled(forge, |ground, bundle| {
            let other = Key { name: "example.com/other".to_owned(), ..ground.key.clone() };
            bundle.checkpoint = ground.head_by(ground.size(), &other);
        })
    }),
    refused!("R-ANSWER-3", "a question of version 3", Plain, "version 1 or 2", |forge| {
        asked(forge, "version", vec![3])
    }),
    refused!(
        "R-ANSWER-3",
        "a question of version 2 that has nothing of it",
        Plain,
        "strictly ascending values",
        |forge| { of_version_2(forge, vec![0; 8]) }
    ),
    refused!("R-ANSWER-3", "a trace id of zeros", Plain, "a trace id", |forge| {
        of_version_2(forge, [number4(0), number4(1), vec![0; 16]].concat())
    }),
    refused!("R-ANSWER-3", "no question", Plain, "version 1", |forge| {
        answer(forge, |_, answer| answer.query = Query::none())
    }),
    refused!("R-ANSWER-3", "order 2", Plain, "order 0 or 1", |forge| asked(
        forge,
        "order",
        vec![2]
    )),
    refused!("R-ANSWER-3", "a mark that is neither 0 nor 1", Plain, "00 or 01", |forge| {
        asked(forge, "limit", [vec![2], numbers(&[1])].concat())
    }),
    refused!("R-ANSWER-3", "half a limit", Plain, "of a query", |forge| {
        asked(forge, "limit", vec![1, 0])
    }),
    refused!("R-ANSWER-3", "an outcome that there is none of", Plain, "outcomes", |forge| {
        asked(forge, "outcomes", vec![16])
    }),
    refused!("R-ANSWER-3", "a refused outcome that there is none of", Plain, "outcomes", |forge| {
        asked(forge, "refused", vec![16])
    }),
    refused!("R-ANSWER-3", "system 2", Plain, "00 or 01", |forge| asked(forge, "system", vec![2])),
    refused!("R-ANSWER-3", "an actor without an id", Plain, "an actor with an id", |forge| {
        asked(forge, "actors", list(&[id(Some("user"), None)]))
    }),
    refused!("R-ANSWER-3", "a resource without a type", Plain, "a resource with a type", |forge| {
        asked(forge, "resources", list(&[id(None, Some("7"))]))
    }),
    refused!("R-ANSWER-3", "a name that is no text", Plain, "UTF-8", |forge| {
        asked(forge, "tenants", list(&[with_len(b"\xff")]))
    }),
    refused!(
        "R-ANSWER-3",
        "an action with a star in the middle",
        Plain,
        "an action or a prefix",
        |forge| { asked(forge, "actions", list(&[text("a*b")])) }
    ),
    refused!("R-ANSWER-3", "an action with two stars", Plain, "an action or a prefix", |forge| {
        asked(forge, "actions", list(&[text("a**")]))
    }),
    refused!("R-ANSWER-3", "an empty action", Plain, "an action or a prefix", |forge| {
        asked(forge, "actions", list(&[text("")]))
    }),
    refused!("R-ANSWER-3", "a value twice", Plain, "strictly ascending values", |forge| {
        asked(forge, "actors", list(&[actor("user-3"), actor("user-3")]))
    }),
    refused!("R-ANSWER-3", "values out of order", Plain, "strictly ascending values", |forge| {
        asked(forge, "tenants", list(&[text("b"), text("a")]))
    }),
    refused!(
        "R-ANSWER-3",
        "texts in the order of their lengths",
        Plain,
        "strictly ascending values",
        |forge| { asked(forge, "tenants", list(&[text("b"), text("aa")])) }
    ),
    refused!("R-ANSWER-3", "event ids out of order", Plain, "strictly ascending values", |forge| {
        asked(forge, "event_ids", list(&[vec![2; 16], vec![1; 16]]))
    }),
    refused!("R-ANSWER-3", "4,097 values", Plain, "at most 4,096 values", |forge| {
        let names: Vec<Vec<u8>> = (0..4_097).map(|n| text(&format!("{n:04}"))).collect();
        asked(forge, "request_ids", list(&names))
    }),
    refused!("R-ANSWER-3", "4 billion values", Plain, "at most 4,096 values", |forge| {
        asked(forge, "request_ids", vec![0xff; 4])
    }),
    refused!(
        "R-ANSWER-3",
        "a question of more than 1 MiB",
        Plain,
        "at byte 1048576 of a query",
        |forge| { asked(forge, "tenants", list(&[text(&"t".repeat(1 << 20))])) }
    ),
    refused!("R-ANSWER-3", "bytes behind the question", Plain, "its end", |forge| {
        asked(forge, "behind", vec![0])
    }),
    refused!(
        "R-ANSWER-4",
        "a position in more bytes than it needs",
        Plain,
        "the shortest integers",
        |forge| { positions(forge, 1, &[0x83, 0]) }
    ),
    refused!("R-ANSWER-4", "a position of 2^32", Plain, "a position below 2^32", |forge| {
        positions(forge, 1, &leb(1 << 32))
    }),
    refused!(
        "R-ANSWER-4",
        "positions whose sum is 2^32",
        Plain,
        "a position below 2^32",
        |forge| { positions(forge, 2, &[leb((1 << 32) - 1), leb(1)].concat()) }
    ),
    refused!(
        "R-ANSWER-4",
        "an integer of 65 bits",
        Plain,
        "an integer of at most 64 bits",
        |forge| { positions(forge, 1, &[[0xff; 9].as_slice(), &[2]].concat()) }
    ),
    refused!(
        "R-ANSWER-4",
        "an integer that does not end",
        Plain,
        "an integer of at most 64 bits",
        |forge| { positions(forge, 1, &[0x80; 11]) }
    ),
    refused!(
        "R-ANSWER-4",
        "a time in more bytes than it needs",
        Plain,
        "the shortest integers",
        |forge| { times(forge, 1, &[0x83, 0, 1]) }
    ),
    refused!(
        "R-ANSWER-4",
        "a time behind the last that there is",
        Plain,
        "a time in nanoseconds since 1970",
        |forge| { times(forge, 2, &[leb(u64::MAX), leb(0), leb(1), leb(0)].concat()) }
    ),
    refused!(
        "R-ANSWER-4",
        "the position of a time of 2^32",
        Plain,
        "a position below 2^32",
        |forge| { times(forge, 1, &[leb(1), leb(1 << 32)].concat()) }
    ),
    refused!("R-ANSWER-5", "bytes behind the evidence", Plain, "expected its end", |forge| {
        answer(forge, |_, answer| answer.behind = vec![0])
    }),
    refused!("R-ANSWER-5", "a segment of kind 0", Plain, "a segment of kind 1 to 4", |forge| {
        answer(forge, |_, answer| answer.shown[1] = Shown::Kind(0))
    }),
    refused!("R-ANSWER-5", "a segment of kind 5", Plain, "a segment of kind 1 to 4", |forge| {
        answer(forge, |_, answer| answer.shown[1] = Shown::Kind(5))
    }),
    refused!("R-ANSWER-5", "4 billion segments", Plain, "bytes more", |forge| {
        answer(forge, |_, answer| answer.count = Some(u32::MAX as usize))
    }),
    refused!("R-ANSWER-5", "4 billion leaves", Plain, "bytes more", |forge| {
        answer(forge, |_, answer| {
            answer.shown[1] = index_with(&answer.logicals[1], &[0xff; 4], &[]);
        })
    }),
    refused!(
        "R-ANSWER-5",
        "4 billion positions",
        Plain,
        "an integer of at most 64 bits",
        |forge| {
            answer(forge, |_, answer| {
                let leaves = leaf_with(u32::MAX as usize, &[]);
                answer.shown[1] = index_with(&answer.logicals[1], &leaves[..leaves.len() - 4], &[]);
            })
        }
    ),
    refused!("R-ANSWER-5", "4 billion hashes", Plain, "bytes more", |forge| {
        answer(forge, |_, answer| {
            answer.shown[1] = index_with(&answer.logicals[1], &number4(0), &[0xff; 4]);
        })
    }),
    refused!("R-ANSWER-5", "a mark that is neither 0 nor 1", Plain, "00 or 01", |forge| {
        answer(forge, |_, answer| {
            let times = Times::whole(&answer.logicals[0].occurred);
            (answer.index().occurred, answer.index().mark) = (Some(times), Some(2));
        })
    }),
    refused!(
        "R-ANSWER-5",
        "a statement with bytes behind it",
        Plain,
        "expected its end",
        |forge| {
            answer(forge, |ground, answer| {
                let mut claim = answer.statement(ground).claim;
                claim.push(0);
                answer.claim = Some(claim);
            })
        }
    ),
    refused!(
        "R-ANSWER-6",
        "a statement under an older anchor",
        Plain,
        "anchor: expected the last of 93 records",
        |forge| {
            answer(forge, |ground, answer| {
                (answer.anchor, answer.state) = (1, ground.state(1));
                answer.items = items(&answer.state, &[1]);
                (answer.to, answer.shown) = (41, vec![answer.shown[0].clone()]);
                answer.seqs.retain(|seq| *seq < 41);
            })
        }
    ),
    refused!(
        "R-ANSWER-6",
        "entries that are not in force",
        Plain,
        "the segments in force: inclusion not proved",
        |forge| { answer(forge, |_, answer| *answer.items[0].2.last_mut().unwrap() = 2) }
    ),
    refused!("R-ANSWER-6", "entries out of order", Plain, "the segments in force", |forge| {
        answer(forge, |ground, answer| {
            let claim = answer.statement(ground).claim;
            answer.items.swap(0, 1);
            answer.claim = Some(swapped(&claim, answer));
        })
    }),
    refused!("R-ANSWER-6", "claim 2", Plain, "expected claim 4", |forge| {
        answer(forge, |ground, answer| answer.claim = Some(in_force(&ground.state(ANCHOR), 0)))
    }),
    refused!("R-ANSWER-6", "claim 1", Plain, "expected claim 4", |forge| {
        answer(forge, |ground, answer| answer.claim = Some(ground.record_claim(ANCHOR, 0, 2)))
    }),
    refused!(
        "R-ANSWER-6",
        "an entry that is no segment's",
        Plain,
        "the entry of a segment",
        |forge| {
            answer(forge, |ground, answer| {
                let state = ground.state(ANCHOR);
                let at = state.entries.keys().position(|key| key == b"log").unwrap();
                let (key, value) = state.entries.iter().nth(at).unwrap();
                answer.items = vec![(at, key.clone(), value.clone())];
                answer.shown.truncate(1);
            })
        }
    ),
    refused!(
        "R-ANSWER-6",
        "records of another log than the statement's",
        Plain,
        "log id",
        |forge| {
            let mut ground = Ground::of(forge);
            let answer = Answer::of(&ground);
            let (tree, other) = (ground.algorithm(), [9; 16]);
            for seq in &answer.seqs {
                let record = ground.record(*seq);
                ground.leaves[*seq] = tree.leaf(&[&record.entry(&other, *seq as u64)]);
            }
            let mut bundle = Bundle::of(&ground, &answer.seqs);
            for (seq, (_, bytes)) in answer.seqs.iter().zip(&mut bundle.records) {
                *bytes = crate::forge::shown::record(&ground.record(*seq), &other, *seq as u64, 1);
            }
            ground.with(NAME, answer.text(&ground, &bundle))
        }
    ),
];

/// Claim 4 with the same hashes, and its items as they stand in the answer.
fn swapped(claim: &[u8], answer: &Answer) -> Vec<u8> {
    let len: usize = answer.items.iter().map(|(_, key, value)| 16 + key.len() + value.len()).sum();
    let items = answer.items.iter().flat_map(|(index, key, value)| {
        [numbers(&[*index as u64]), with_len(key), with_len(value)].concat()
    });
    let (before, behind) = (&claim[..13], &claim[13 + len..]);
    [before, &items.collect::<Vec<u8>>(), behind].concat()
}

#[test]
fn what_the_text_of_an_answer_must_not_be_is_refused() {
    run(CASES);
}

#[test]
fn questions_that_ask_by_what_is_not_in_the_index_hold() {
    use crate::bases::Base;
    use crate::cases::{By, attempt};
    let base = Base::Plain;
    let made = [
        asked(base.forge(), "limit", option8(Some(1_000))),
        asked(base.forge(), "request_ids", list(&[text("request-3")])),
        asked(base.forge(), "refused", vec![4]),
        asked(base.forge(), "occurred", range(Some(0), None)),
    ];
    for files in made {
        assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()));
    }
}
