//! R-VPROOF: a record of a log of a vault, under a checkpoint of the vault.

use super::refused;
use super::single::{SEQ, Single};
use crate::bases::Base;
use crate::cases::{By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::bytes::{as_text, long_uint, some, text};
use crate::forge::files::Files;
use crate::forge::ground::Ground;
use crate::forge::hashes::{Algorithm, Hash};
use crate::forge::notes::{Key, base64};
use crate::forge::segment::Record;
use crate::forge::shown::{self, hash_lines, numbers, with_len};

const VAULT: &str = "example.com/audit/vault";
/// How many records the log has, and which one is proved.
const SIZE: usize = 20;
const RECORD: usize = 7;
/// The log stands between two others in the list.
const PLACE: usize = 1;
const TREE: Algorithm = Algorithm::Sha256;

/// A log of the vault and the list that has its head.
struct Vault {
    /// Name of the vault's key, the origin of its checkpoints.
    origin: String,
    magic: &'static [u8],
    name: Vec<u8>,
    log_id: [u8; 16],
    log_origin: String,
    hash: u8,
    size: u64,
    root: Hash,
    trailing: Vec<u8>,
    action: &'static str,
    kind: &'static str,
    /// In place of the list's size and root.
    id: Option<String>,
    /// The records of the log.
    records: Vec<Record>,
}

impl Vault {
    fn new(forge: &mut Forge) -> Self {
        let records = (0..SIZE).map(|seq| forge.main_record(seq).clone()).collect();
        let mut vault = Vault {
            origin: VAULT.to_owned(),
            magic: b"bulla/vault-head/v1\0",
            name: b"main".to_vec(),
            log_id: [5; 16],
            log_origin: format!("{VAULT}/main"),
            hash: 1,
            size: SIZE as u64,
            root: [0; 32],
            trailing: Vec::new(),
            action: "vault.heads",
            kind: "vault-heads",
            id: None,
            records,
        };
        vault.root = TREE.root(&vault.leaves());
        vault
    }

    /// With another record, and the root that follows from it.
    fn set_record(&mut self, change: impl FnOnce(&mut Record)) {
        change(&mut self.records[RECORD]);
        self.root = TREE.root(&self.leaves());
    }

    fn leaves(&self) -> Vec<Hash> {
        let leaf =
            |(seq, record): (usize, &Record)| TREE.leaf(&[&record.entry(&self.log_id, seq as u64)]);
        self.records.iter().enumerate().map(leaf).collect()
    }

    fn rename(&mut self, name: &[u8]) {
        self.name = name.to_vec();
        self.log_origin = format!("{}/{}", self.origin, String::from_utf8_lossy(name));
    }

    fn head(&self) -> Vec<u8> {
        [
            self.magic.to_vec(),
            with_len(&self.name),
            self.log_id.to_vec(),
            with_len(self.log_origin.as_bytes()),
            vec![self.hash],
            numbers(&[self.size]),
            self.root.to_vec(),
            self.trailing.clone(),
        ]
        .concat()
    }

    fn shown(&self, form: u8) -> Vec<u8> {
        shown::record(&self.records[RECORD], &self.log_id, RECORD as u64, form)
    }
}

/// The lines of a proof.
struct Lines {
    first: &'static str,
    log: String,
    place: String,
    place_hashes: Vec<Hash>,
    record: (String, String),
    hashes: Vec<Hash>,
    list: Single,
}

impl Lines {
    fn text(&self) -> String {
        let (place, hashes) = (hash_lines(&self.place_hashes), hash_lines(&self.hashes));
        let (seq, record) = &self.record;
        format!(
            "{}\nlog {}\nplace {}\n{place}record {seq} {record}\n{hashes}\n{}",
            self.first,
            self.log,
            self.place,
            self.list.text()
        )
    }
}

/// A proof, whose vault is changed before the list is made, and whose lines after that.
fn vault(
    mut forge: Forge,
    before: impl FnOnce(&mut Vault),
    after: impl FnOnce(&Ground, &Vault, &mut Lines),
) -> Files {
    let mut vault = Vault::new(&mut forge);
    before(&mut vault);
    let heads = [b"a".to_vec(), vault.head(), b"z".to_vec()].map(|head| TREE.leaf(&[&head]));
    let hex: String = TREE.root(&heads).iter().map(|byte| format!("{byte:02x}")).collect();
    let id = vault.id.clone().unwrap_or_else(|| format!("3/{hex}"));
    let list = forge.main_record(SEQ);
    list.set("action", text(vault.action));
    list.set("resource_type", text(vault.kind));
    list.set("resource_id", some(text(id)));
    let mut ground = Ground::of(forge);
    ground.key = Key { name: vault.origin.clone(), ..ground.key };
    let mut lines = Lines {
        first: "bulla.dev/vault-proof/v1",
        log: base64(&vault.head()),
        place: PLACE.to_string(),
        place_hashes: TREE.path(PLACE, &heads),
        record: (RECORD.to_string(), base64(&vault.shown(1))),
        hashes: TREE.path(RECORD, &vault.leaves()),
        list: Single { extra: Some(ground.shown(SEQ, 2)), ..Single::of(&ground) },
    };
    after(&ground, &vault, &mut lines);
    let mut files = ground.with("forged.bulla-vault-proof", lines.text());
    files.put("proofs/pinned.vkey", ground.key.vkey());
    files
}

fn made(forge: Forge, before: impl FnOnce(&mut Vault)) -> Files {
    vault(forge, before, |_, _, _| ())
}

fn told(forge: Forge, after: impl FnOnce(&mut Lines)) -> Files {
    vault(forge, |_| (), |_, _, lines| after(lines))
}

fn edited(forge: Forge, edit: impl FnOnce(String) -> Vec<u8>) -> Files {
    let mut files = told(forge, |_| ());
    let text = String::from_utf8(files.get("proofs/forged.bulla-vault-proof").to_vec()).unwrap();
    files.put("proofs/forged.bulla-vault-proof", edit(text));
    files
}

pub(crate) const CASES: &[Case] = &[
    refused!(
        "R-VPROOF-1",
        "a first line of another version",
        Plain,
        "the first line bulla.dev/vault-proof/v1",
        |forge| { told(forge, |lines| lines.first = "bulla.dev/vault-proof/v2") }
    ),
    refused!("R-VPROOF-1", "more than 16 MiB", Plain, "of at most 16777216 bytes", |forge| {
        edited(forge, |text| {
            let mut bytes = text.into_bytes();
            bytes.resize((16 << 20) + 1, b'\n');
            bytes
        })
    }),
    refused!("R-VPROOF-1", "bytes that are no text", Plain, "no UTF-8", |forge| {
        edited(forge, |text| [text.as_bytes(), b"\xff"].concat())
    }),
    refused!(
        "R-VPROOF-2",
        "a head that is not in base64",
        Plain,
        "to be \"log \" and base64",
        |forge| { told(forge, |lines| lines.log.insert(0, '=')) }
    ),
    refused!(
        "R-VPROOF-2",
        "a head of another version",
        Plain,
        "expected bulla/vault-head/v1",
        |forge| { made(forge, |vault| vault.magic = b"bulla/vault-head/v2\0") }
    ),
    refused!(
        "R-VPROOF-2",
        "bytes behind the head",
        Plain,
        "the head of a log: expected its end",
        |forge| { made(forge, |vault| vault.trailing.push(0)) }
    ),
    refused!(
        "R-VPROOF-2",
        "a head that ends early",
        Plain,
        "the head of a log: expected",
        |forge| {
            vault(
                forge,
                |_| (),
                |_, vault, lines| {
                    let head = vault.head();
                    lines.log = base64(&head[..head.len() - 1]);
                },
            )
        }
    ),
    refused!("R-VPROOF-2", "a name that is no text", Plain, "no UTF-8 at its byte 0", |forge| {
        made(forge, |vault| vault.rename(b"\xff"))
    }),
    refused!("R-VPROOF-2", "hash 3", Plain, "expected hash 1 or 2", |forge| {
        made(forge, |vault| vault.hash = 3)
    }),
    refused!("R-VPROOF-3", "a place with a zero in front", Plain, "to be \"place \"", |forge| {
        told(forge, |lines| lines.place = "01".to_owned())
    }),
    refused!("R-VPROOF-3", "a position with a sign", Plain, "to be \"record \"", |forge| {
        told(forge, |lines| lines.record.0 = "+7".to_owned())
    }),
    refused!("R-VPROOF-3", "a record that is not in base64", Plain, "to be \"record \"", |forge| {
        told(forge, |lines| lines.record.1.insert(0, '='))
    }),
    refused!("R-VPROOF-3", "a record in front of the place", Plain, "to be \"place \"", |forge| {
        told(forge, |lines| {
            let (seq, record) = &lines.record;
            lines.log = format!("{}\nrecord {seq} {record}", lines.log);
        })
    }),
    refused!("R-VPROOF-3", "a second record", Plain, "a hash, or an empty line", |forge| {
        told(forge, |lines| {
            let (seq, record) = &lines.record;
            lines.record.1 = format!("{record}\nrecord {seq} {record}");
        })
    }),
    refused!("R-VPROOF-3", "a hash of 31 bytes", Plain, "the base64 of 32 bytes", |forge| {
        told(forge, |lines| lines.place = format!("{PLACE}\n{}", base64(&[7; 31])))
    }),
    refused!("R-VPROOF-3", "65 hashes from the list", Plain, "at most 64 hashes", |forge| {
        told(forge, |lines| lines.place_hashes.resize(65, [7; 32]))
    }),
    refused!("R-VPROOF-3", "65 hashes from the log", Plain, "at most 64 hashes", |forge| {
        told(forge, |lines| lines.hashes.resize(65, [7; 32]))
    }),
    refused!(
        "R-VPROOF-4",
        "no proof of the list",
        Plain,
        "an empty line and a checkpoint",
        |forge| { edited(forge, |text| text.split("\n\n").next().unwrap().as_bytes().to_vec()) }
    ),
    refused!(
        "R-VPROOF-4",
        "a list that is proved in another version",
        Plain,
        "the list's proof",
        |forge| { told(forge, |lines| lines.list.first = "c2sp.org/tlog-proof@v2") }
    ),
    refused!(
        "R-VPROOF-4",
        "a byte behind the proof of the list",
        Plain,
        "the list's proof",
        |forge| { told(forge, |lines| lines.list.checkpoint.push('x')) }
    ),
    refused!(
        "R-VPROOF-4",
        "a list that is not in the vault's log",
        Plain,
        "the head list: inclusion not proved",
        |forge| { told(forge, |lines| lines.list.path[0] = [7; 32]) }
    ),
    refused!(
        "R-VPROOF-4",
        "a list that is not shown",
        Plain,
        "the head list: expected a record in the proof",
        |forge| { told(forge, |lines| lines.list.extra = None) }
    ),
    refused!(
        "R-VPROOF-4",
        "a head by a stranger",
        Plain,
        "the head list: checkpoint not verified",
        |forge| {
            vault(
                forge,
                |_| (),
                |ground, _, lines| {
                    let stranger = Key::new(VAULT, Algorithm::Sha256, 99);
                    lines.list.checkpoint = ground.head_by(ground.size(), &stranger);
                },
            )
        }
    ),
    refused!(
        "R-VPROOF-5",
        "a log that is no vault's own",
        Plain,
        "the origin of the vault's own log",
        |forge| {
            made(forge, |vault| {
                vault.origin = "example.com/vaults".to_owned();
                vault.rename(b"main");
            })
        }
    ),
    refused!(
        "R-VPROOF-6",
        "a record of another action",
        Plain,
        "the action of the list's record: expected vault.heads",
        |forge| { made(forge, |vault| vault.action = "vault.head") }
    ),
    refused!(
        "R-VPROOF-6",
        "a record of another resource type",
        Plain,
        "the resource type of the list's record: expected vault-heads",
        |forge| { made(forge, |vault| vault.kind = "vault-list") }
    ),
    refused!(
        "R-VPROOF-6",
        "an anchor in place of the list",
        Plain,
        "the action of the list's record",
        |forge| {
            vault(
                forge,
                |_| (),
                |ground, _, lines| {
                    lines.list = Single::at(ground, ground.anchors[0]);
                },
            )
        }
    ),
    refused!(
        "R-VPROOF-6",
        "a size with a zero in front",
        Plain,
        "the root in the list's record",
        |forge| { made(forge, |vault| vault.id = Some(format!("03/{}", "0a".repeat(32)))) }
    ),
    refused!("R-VPROOF-6", "a root in capitals", Plain, "the root in the list's record", |forge| {
        made(forge, |vault| vault.id = Some(format!("3/{}", "0A".repeat(32))))
    }),
    refused!("R-VPROOF-6", "no root", Plain, "the root in the list's record", |forge| {
        made(forge, |vault| vault.id = Some("3/".to_owned()))
    }),
    refused!(
        "R-VPROOF-7",
        "a log of another vault",
        Plain,
        "the origin of the record's log",
        |forge| {
            made(forge, |vault| vault.log_origin = "example.com/other/vault/main".to_owned())
        }
    ),
    refused!(
        "R-VPROOF-7",
        "an origin of another name",
        Plain,
        "the origin of the record's log",
        |forge| { made(forge, |vault| vault.name = b"other".to_vec()) }
    ),
    refused!(
        "R-VPROOF-7",
        "a name that leads elsewhere",
        Plain,
        "the name of the record's log",
        |forge| { made(forge, |vault| vault.rename(b"../main")) }
    ),
    refused!(
        "R-VPROOF-7",
        "a name as of a vault",
        Plain,
        "the name of the record's log",
        |forge| { made(forge, |vault| vault.rename(b"vault")) }
    ),
    refused!("R-VPROOF-7", "no name", Plain, "the name of the record's log", |forge| {
        made(forge, |vault| vault.rename(b""))
    }),
    refused!("R-VPROOF-7", "a name of 65 bytes", Plain, "the name of the record's log", |forge| {
        made(forge, |vault| vault.rename(&[b'x'; 65]))
    }),
    refused!(
        "R-VPROOF-8",
        "a head that is not in the list",
        Plain,
        "the log's head in the list",
        |forge| {
            vault(
                forge,
                |_| (),
                |_, vault, lines| {
                    let mut head = vault.head();
                    *head.last_mut().unwrap() ^= 1;
                    lines.log = base64(&head);
                },
            )
        }
    ),
    refused!("R-VPROOF-8", "another place", Plain, "the log's head in the list", |forge| {
        told(forge, |lines| lines.place = "0".to_owned())
    }),
    refused!(
        "R-VPROOF-8",
        "a place behind the list",
        Plain,
        "the log's head in the list: record 3 is not covered",
        |forge| { told(forge, |lines| lines.place = "3".to_owned()) }
    ),
    refused!(
        "R-VPROOF-8",
        "a hash too many in the list",
        Plain,
        "the log's head in the list: expected a proof of 2",
        |forge| { told(forge, |lines| lines.place_hashes.push([7; 32])) }
    ),
    refused!(
        "R-VPROOF-8",
        "a list of another size",
        Plain,
        "the log's head in the list",
        |forge| {
            made(forge, |vault| {
                let heads = [b"a".to_vec(), vault.head(), b"z".to_vec()];
                let root = TREE.root(&heads.map(|head| TREE.leaf(&[&head])));
                let hex: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
                vault.id = Some(format!("5/{hex}"));
            })
        }
    ),
    refused!(
        "R-VPROOF-9",
        "a record that is not in the log",
        Plain,
        "the record in its log: inclusion not proved",
        |forge| { made(forge, |vault| vault.root = [7; 32]) }
    ),
    refused!(
        "R-VPROOF-9",
        "a hash that leads elsewhere",
        Plain,
        "the record in its log: inclusion not proved",
        |forge| { told(forge, |lines| lines.hashes[0] = [7; 32]) }
    ),
    refused!(
        "R-VPROOF-9",
        "a hash too few",
        Plain,
        "the record in its log: inclusion not proved",
        |forge| { told(forge, |lines| lines.hashes.truncate(2)) }
    ),
    refused!("R-VPROOF-9", "a record behind the log's head", Plain, "is not covered", |forge| {
        made(forge, |vault| vault.size = RECORD as u64)
    }),
    refused!(
        "R-VPROOF-9",
        "the head of a tree of another hash",
        Plain,
        "the record in its log: inclusion not proved",
        |forge| { made(forge, |vault| vault.hash = 2) }
    ),
    refused!(
        "R-VPROOF-10",
        "a record of another log",
        Plain,
        "the record in its log: log id",
        |forge| {
            vault(
                forge,
                |_| (),
                |_, vault, lines| {
                    let record = shown::record(&vault.records[RECORD], &[9; 16], RECORD as u64, 1);
                    lines.record.1 = base64(&record);
                },
            )
        }
    ),
    refused!(
        "R-VPROOF-10",
        "a record of another Seq",
        Plain,
        "expected the record at 7, found the one of 8",
        |forge| {
            vault(
                forge,
                |_| (),
                |_, vault, lines| {
                    let record = shown::record(&vault.records[8], &vault.log_id, 8, 1);
                    lines.record.1 = base64(&record);
                },
            )
        }
    ),
    refused!("R-VPROOF-10", "a record in another form", Plain, "expected form 1 or 2", |forge| {
        vault(
            forge,
            |_| (),
            |_, vault, lines| {
                let mut record = vault.shown(1);
                record[16] = 4;
                lines.record.1 = base64(&record);
            },
        )
    }),
    refused!(
        "R-VPROOF-10",
        "an envelope with an integer in more bytes than it needs",
        Plain,
        "integer",
        |forge| {
            made(forge, |vault| {
                vault.set_record(|record| {
                    let actor = as_text(record.field("actor_id")).to_vec();
                    record.set("actor_id", [long_uint(actor.len() as u64), actor].concat());
                });
            })
        }
    ),
    refused!("R-VPROOF-10", "a record of the catalog", Plain, "a record of kind 16", |forge| {
        made(forge, |vault| vault.set_record(|record| record.set_prefix("kind", 16_u64)))
    }),
];

#[test]
fn what_a_proof_of_a_vault_must_not_be_is_refused() {
    run(CASES);
}

#[test]
fn a_proof_of_a_vault_that_is_not_forged_holds() {
    let base = Base::Plain;
    let files = [
        told(base.forge(), |_| ()),
        vault(base.forge(), |_| (), |_, vault, lines| lines.record.1 = base64(&vault.shown(2))),
        made(base.forge(), |vault| vault.rename(b"t-0_1.x")),
    ];
    for files in files {
        assert_eq!(attempt(By::VerifyProof, base, &files), Ok(()));
    }
}
