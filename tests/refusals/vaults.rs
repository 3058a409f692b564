//! R-VAULT: what the own log of a vault says, its logs, its secret and its tokens.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde_json::{Value, json};

use crate::bases::{Base, TENANT};
use crate::cases::{As, By, Case, run};
use crate::forge::Forge;
use crate::forge::archive::hex;
use crate::forge::bytes::{as_text, some, text};
use crate::forge::files::Files;
use crate::forge::hashes::Algorithm;
use crate::forge::segment::{Record, frame};
use crate::support::ORIGIN;

use As::{Other, Tampered};

const ADDED: &str = "vault.log.added";
const ROUTING: &str = "vault.routing.changed";
const HEADS: &str = "vault.heads";
/// Numbers of the records that added logs: `main`, `security` and that of the tenant.
const SECURITY: usize = 1;
const OF_TENANT: usize = 2;

/// Who opens the vault says it.
macro_rules! opener {
    ($says:expr) => {
        &[(By::Vault, Tampered, $says)]
    };
}

macro_rules! vault {
    ($id:literal, $what:literal, $forge:expr, $expect:expr) => {
        Case { id: $id, what: $what, base: Base::Vault, forge: $forge, expect: $expect }
    };
}

const NOT_ADDED: &str = "what a vault writes as vault.log.added";
const NO_ROUTING: &str = "what a vault writes as vault.routing.changed";
const NO_HEADS: &str = "what a vault writes as vault.heads";
const NOT_IN_FORCE: &str = "a routing that can be in force";

pub(crate) const CASES: &[Case] = &[
    vault!(
        "R-VAULT-1",
        "a log of another origin",
        |mut forge| {
            forge.catalog_record(16, 0).set("origin", text(ORIGIN));
            forge.write()
        },
        &[(By::Vault, Other, "an origin that ends in /vault")]
    ),
    vault!(
        "R-VAULT-2",
        "a log that is none",
        |mut forge| {
            event(&mut forge, ADDED, SECURITY).set("resource_type", text("vault"));
            forge.write()
        },
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-2",
        "a log without a name",
        |mut forge| {
            event(&mut forge, ADDED, SECURITY).set("resource_id", vec![0]);
            forge.write()
        },
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-2",
        "a name that leads elsewhere",
        |forge| named(forge, "../main"),
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-2",
        "a name in capital letters",
        |forge| named(forge, "Main"),
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-2",
        "a name with a dot in front",
        |forge| named(forge, ".main"),
        opener!(NOT_ADDED)
    ),
    vault!("R-VAULT-2", "an unfinished name", |forge| named(forge, "main.tmp"), opener!(NOT_ADDED)),
    vault!("R-VAULT-2", "the name of a vault", |forge| named(forge, "vault"), opener!(NOT_ADDED)),
    vault!(
        "R-VAULT-2",
        "a name of 65 bytes",
        |forge| named(forge, &"m".repeat(65)),
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-3",
        "an unknown field",
        |forge| added(forge, SECURITY, |details| details["more"] = json!(1)),
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-3",
        "a field that is missing",
        |forge| added(forge, SECURITY, |details| drop(
            details.as_object_mut().unwrap().remove("hash")
        )),
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-3",
        "an unknown hash",
        |forge| added(forge, SECURITY, |details| details["hash"] = json!("md5")),
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-3",
        "a log id in capital letters",
        |forge| added(forge, SECURITY, |details| details["log_id"] = json!("AB".repeat(16))),
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-3",
        "no details",
        |mut forge| {
            let record = event(&mut forge, ADDED, SECURITY);
            let payload = split(record).0;
            record.set_payload(&[&payload[..payload.len() - 1], &[0]].concat());
            forge.write()
        },
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-4",
        "the log of a tenant under another name",
        |mut forge| {
            let name = format!("tenant-{}", "0".repeat(32));
            event(&mut forge, ADDED, OF_TENANT).set("resource_id", some(text(name)));
            forge.write()
        },
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-4",
        "the log of a tenant without a prefix",
        |mut forge| {
            let record = event(&mut forge, ADDED, OF_TENANT);
            let name = String::from_utf8(as_text(&record.field("resource_id")[1..]).to_vec());
            let name = name.unwrap().split_off("tenant".len());
            record.set("resource_id", some(text(name)));
            forge.write()
        },
        opener!(NOT_ADDED)
    ),
    vault!(
        "R-VAULT-5",
        "a log that was added before",
        |forge| named(forge, "main"),
        opener!("a log that was not added before")
    ),
    vault!("R-VAULT-6", "more than 4,096 logs", too_many, opener!("at most 4096 logs")),
    vault!(
        "R-VAULT-7",
        "a routing of something else",
        |mut forge| {
            event(&mut forge, ROUTING, 1).set("resource_type", text("log"));
            forge.write()
        },
        opener!(NO_ROUTING)
    ),
    vault!(
        "R-VAULT-7",
        "an unknown field of a routing",
        |forge| routed(forge, |routing| routing["more"] = json!(1)),
        opener!(NO_ROUTING)
    ),
    vault!(
        "R-VAULT-7",
        "an unknown field of a rule",
        |forge| routed(forge, |routing| routing["rules"][0]["actor"] = json!("user")),
        opener!(NO_ROUTING)
    ),
    vault!(
        "R-VAULT-7",
        "a rule with two places",
        |forge| routed(forge, |routing| routing["rules"][0]["to"]["per_tenant"] = json!("tenant")),
        opener!(NO_ROUTING)
    ),
    vault!(
        "R-VAULT-8",
        "a log that is not in the vault",
        |forge| routed(forge, |routing| routing["default"] = json!("other")),
        opener!(NOT_IN_FORCE)
    ),
    vault!(
        "R-VAULT-8",
        "a rule to a log that is not in the vault",
        |forge| routed(forge, |routing| routing["rules"][0]["to"]["log"] = json!("other")),
        opener!(NOT_IN_FORCE)
    ),
    vault!(
        "R-VAULT-8",
        "a rule to the log of one tenant",
        |mut forge| {
            let record = event(&mut forge, ADDED, OF_TENANT);
            let name = as_text(&record.field("resource_id")[1..]).to_vec();
            let name = String::from_utf8(name).unwrap();
            routed(forge, |routing| routing["rules"][0]["to"]["log"] = json!(name))
        },
        opener!(NOT_IN_FORCE)
    ),
    vault!(
        "R-VAULT-8",
        "a prefix that no name may have",
        |forge| routed(forge, |routing| routing["rules"][1]["to"]["per_tenant"] = json!("../a")),
        opener!(NOT_IN_FORCE)
    ),
    vault!(
        "R-VAULT-8",
        "a prefix of 32 bytes",
        |forge| {
            let prefix = "p".repeat(32);
            routed(forge, |routing| routing["rules"][1]["to"]["per_tenant"] = json!(prefix))
        },
        opener!(NOT_IN_FORCE)
    ),
    vault!(
        "R-VAULT-8",
        "more than 4,096 rules",
        |forge| {
            let rules = vec![json!({"to": {"log": "main"}}); 4097];
            routed(forge, |routing| routing["rules"] = json!(rules))
        },
        opener!(NOT_IN_FORCE)
    ),
    vault!(
        "R-VAULT-9",
        "heads of something else",
        |mut forge| {
            event(&mut forge, HEADS, 0).set("resource_type", text("vault"));
            forge.write()
        },
        opener!(NO_HEADS)
    ),
    vault!(
        "R-VAULT-9",
        "another root",
        |mut forge| {
            let id = format!("3/{}", "07".repeat(32));
            event(&mut forge, HEADS, 0).set("resource_id", some(text(id)));
            forge.write()
        },
        opener!(NO_HEADS)
    ),
    vault!(
        "R-VAULT-9",
        "another number of logs",
        |mut forge| {
            let record = event(&mut forge, HEADS, 0);
            let id = String::from_utf8(as_text(&record.field("resource_id")[1..]).to_vec());
            record.set("resource_id", some(text(id.unwrap().replacen('3', "4", 1))));
            forge.write()
        },
        opener!(NO_HEADS)
    ),
    vault!(
        "R-VAULT-9",
        "heads that are not in the order of names",
        |forge| listed(forge, |heads| heads.reverse()),
        opener!(NO_HEADS)
    ),
    vault!(
        "R-VAULT-9",
        "two heads of a log",
        |forge| {
            listed(forge, |heads| {
                let first = heads[0].clone();
                heads.insert(0, first);
            })
        },
        opener!(NO_HEADS)
    ),
    vault!(
        "R-VAULT-10",
        "the head of a log that was not added",
        |forge| listed(forge, |heads| heads[0][0] = json!("a")),
        opener!("heads of the logs of this vault")
    ),
    vault!(
        "R-VAULT-10",
        "the head of a log with another id",
        |forge| listed(forge, |heads| heads[0][1] = json!("07".repeat(16))),
        opener!("heads of the logs of this vault")
    ),
    vault!(
        "R-VAULT-10",
        "the head of a log with another hash",
        |forge| listed(forge, |heads| heads[0][2] = json!("blake3")),
        opener!("heads of the logs of this vault")
    ),
    vault!(
        "R-VAULT-11",
        "another log in the place of one",
        |forge| {
            let files = forge.write();
            let kept = files.clone();
            let mut files = files;
            files.retain(|name| !name.starts_with("vault/logs/main/"));
            for name in kept.below("vault/logs/security/") {
                let to = name.replace("/security/", "/main/");
                files.put(to, kept.get(name).to_vec());
            }
            files
        },
        opener!("log \"main\" of the vault")
    ),
    vault!(
        "R-VAULT-11",
        "a log of another hash than the one that was added",
        |forge| {
            let mut files = added(forge, SECURITY, |details| details["hash"] = json!("sha256"));
            let base = Forge::read(&files, &[Base::Vault.key()]);
            // The heads say it too.
            files = listed(base, |heads| {
                let head = heads.iter_mut().find(|head| head[0] == "security").unwrap();
                head[2] = json!("sha256");
            });
            files
        },
        opener!("log \"security\" of the vault")
    ),
    vault!(
        "R-VAULT-12",
        "a log that is missing",
        |forge| {
            let mut files = forge.write();
            files.retain(|name| !name.starts_with("vault/logs/main/"));
            files
        },
        &[(By::Vault, Other, "/vault/logs/main")]
    ),
    vault!(
        "R-VAULT-13",
        "a log without the head that was listed",
        |forge| {
            listed(forge, |heads| {
                let head = heads.iter_mut().find(|head| head[0] == "main").unwrap();
                head[3] = json!(1000);
            })
        },
        &[(By::Sign, Other, "the vault recorded size 1000")]
    ),
    vault!(
        "R-VAULT-13",
        "a log with another root than the one that was listed",
        |forge| {
            listed(forge, |heads| {
                let head = heads.iter_mut().find(|head| head[0] == "main").unwrap();
                head[4] = json!("07".repeat(32));
            })
        },
        &[(By::Sign, Other, "the vault recorded size")]
    ),
    vault!(
        "R-VAULT-14",
        "a secret of another length",
        |forge| {
            let mut files = forge.write();
            files.get_mut("vault/secret").push(7);
            files
        },
        &[(By::Vault, As::Corrupt, "32 random bytes")]
    ),
    vault!(
        "R-VAULT-15",
        "a token that was altered",
        |forge| {
            token(&forge, |bytes, _| {
                *bytes.last_mut().unwrap() ^= 1;
                BASE64_URL_SAFE_NO_PAD.encode(bytes)
            })
        },
        &[(By::Tenant, Other, "there is no such record")]
    ),
    vault!(
        "R-VAULT-15",
        "a token with padding",
        |forge| token(&forge, |bytes, _| BASE64_URL_SAFE_NO_PAD.encode(bytes) + "="),
        &[(By::Tenant, Other, "there is no such record")]
    ),
    vault!(
        "R-VAULT-15",
        "a token of another tenant",
        |forge| token(&forge, |bytes, secret| sealed(secret, 2, "tenant-2", opened(secret, bytes))),
        &[(By::Tenant, Other, "there is no such record")]
    ),
    vault!(
        "R-VAULT-15",
        "a token for another purpose",
        |forge| token(&forge, |bytes, secret| sealed(secret, 1, TENANT, opened(secret, bytes))),
        &[(By::Tenant, Other, "there is no such record")]
    ),
    vault!(
        "R-VAULT-15",
        "a token of another vault",
        |forge| token(&forge, |bytes, secret| sealed(&[7; 32], 2, TENANT, opened(secret, bytes))),
        &[(By::Tenant, Other, "there is no such record")]
    ),
    vault!(
        "R-VAULT-15",
        "a token that is no place",
        |forge| token(&forge, |_, secret| sealed(secret, 2, TENANT, vec![7; 100])),
        &[(By::Tenant, Other, "there is no such record")]
    ),
];

/// The n-th event of this action in the vault's own log.
fn event<'f>(forge: &'f mut Forge, action: &str, n: usize) -> &'f mut Record {
    let frames = forge.main.iter_mut().flat_map(|segment| &mut segment.frames);
    let records = frames.flat_map(|frame| &mut frame.records);
    let mut events = records.filter(|record| {
        record.kind() == 1 && as_text(record.field("action")) == action.as_bytes()
    });
    events.nth(n).unwrap()
}

/// The payload in front of the details, with the mark that they are there, and the details.
fn split(record: &Record) -> (Vec<u8>, Value) {
    let payload = record.payload();
    let at = payload.iter().position(|byte| *byte == b'{').unwrap();
    let details = &payload[at..];
    let front = payload.len() - text(details).len();
    (payload[..front].to_vec(), serde_json::from_slice(details).unwrap())
}

fn set_details(record: &mut Record, change: impl FnOnce(&mut Value)) {
    let (front, mut details) = split(record);
    change(&mut details);
    record.set_payload(&[front, text(details.to_string())].concat());
}

/// With other details of the record that added a log.
fn added(mut forge: Forge, n: usize, change: impl FnOnce(&mut Value)) -> Files {
    set_details(event(&mut forge, ADDED, n), change);
    forge.write()
}

/// With another name of the second log.
fn named(mut forge: Forge, name: &str) -> Files {
    event(&mut forge, ADDED, SECURITY).set("resource_id", some(text(name)));
    forge.write()
}

/// With another routing in force.
fn routed(mut forge: Forge, change: impl FnOnce(&mut Value)) -> Files {
    set_details(event(&mut forge, ROUTING, 1), change);
    forge.write()
}

/// With another head list, of which the root follows.
fn listed(mut forge: Forge, change: impl FnOnce(&mut Vec<Value>)) -> Files {
    let record = event(&mut forge, HEADS, 0);
    let mut root = String::new();
    set_details(record, |details| {
        let heads = details["heads"].as_array_mut().unwrap();
        change(heads);
        root = format!("{}/{}", heads.len(), hex(&root_of(heads)));
    });
    record.set("resource_id", some(text(root)));
    forge.write()
}

fn root_of(heads: &[Value]) -> [u8; 32] {
    let with_len = |text: &str| {
        [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat()
    };
    let bytes = |text: &Value| -> Vec<u8> {
        let text = text.as_str().unwrap();
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    };
    let leaf = |head: &Value| {
        let name = head[0].as_str().unwrap();
        let hash = if head[2] == "blake3" { 2 } else { 1 };
        Algorithm::Sha256.leaf(&[
            b"bulla/vault-head/v1\0",
            &with_len(name),
            &bytes(&head[1]),
            &with_len(&format!("{ORIGIN}/vault/{name}")),
            &[hash],
            &head[3].as_u64().unwrap().to_le_bytes(),
            &bytes(&head[4]),
        ])
    };
    Algorithm::Sha256.root(&heads.iter().map(leaf).collect::<Vec<_>>())
}

/// With records of 4,097 logs behind all others.
fn too_many(mut forge: Forge) -> Files {
    let one = event(&mut forge, ADDED, SECURITY).clone();
    let made = (0..4097).map(|n| {
        let mut record = one.clone();
        record.set("resource_id", some(text(format!("log-{n}"))));
        record
    });
    let last = forge.main.last_mut().unwrap();
    let (size, time) = (last.count(), last.records().last().unwrap().recorded_at());
    let mut made: Vec<Record> = made.collect();
    made.iter_mut().for_each(|record| record.set_prefix("recorded_at", time));
    last.frames.push(frame(made, size));
    forge.write()
}

/// With another token.
fn token(forge: &Forge, change: impl FnOnce(&mut Vec<u8>, &[u8; 32]) -> String) -> Files {
    let mut files = forge.write();
    let secret = files.get("vault/secret").try_into().unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(files.get("token")).unwrap();
    files.put("token", change(&mut bytes, &secret));
    files
}

fn bound(purpose: u8, tenant: &str) -> Vec<u8> {
    [b"bulla/vault-token/v1\0", &[purpose][..], tenant.as_bytes()].concat()
}

/// What is in the token of the tenant.
fn opened(secret: &[u8; 32], token: &[u8]) -> Vec<u8> {
    let (nonce, rest) = token.split_at(24);
    let (sealed, tag) = rest.split_at(rest.len() - 16);
    let mut text = sealed.to_vec();
    XChaCha20Poly1305::new(&(*secret).into())
        .decrypt_inout_detached(
            &XNonce::try_from(nonce).unwrap(),
            &bound(2, TENANT),
            text.as_mut_slice().into(),
            &tag.try_into().unwrap(),
        )
        .unwrap();
    text
}

fn sealed(secret: &[u8; 32], purpose: u8, tenant: &str, mut text: Vec<u8>) -> String {
    let nonce = [5; 24];
    let tag = XChaCha20Poly1305::new(&(*secret).into())
        .encrypt_inout_detached(
            &XNonce::from(nonce),
            &bound(purpose, tenant),
            text.as_mut_slice().into(),
        )
        .unwrap();
    BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &text, &tag].concat())
}

#[test]
fn what_a_vault_must_not_say_is_refused() {
    run(CASES);
}

/// What is sealed anew for the tenant is as good, and so is a list whose root follows.
#[test]
fn a_vault_that_is_not_forged_opens() {
    let base = Base::Vault;
    let forge = base.forge();
    let same = token(&forge, |bytes, secret| sealed(secret, 2, TENANT, opened(secret, bytes)));
    let list = listed(forge, |_| ());
    for (by, files) in [(By::Tenant, &same), (By::Vault, &same), (By::Vault, &list)] {
        assert_eq!(crate::cases::attempt(by, base, files), Ok(()), "{by:?}");
    }
}
