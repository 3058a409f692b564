//! What the vault's own log says: which logs there are, which routing is in force, which heads
//! the logs had. The records are ordinary events; `docs/format.md` has their fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{name, routing::Routing};
use crate::error::{Error, Result};
use crate::event::{Actor, Event, Json, Outcome, Record, Resource};
use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::log::{Log, Snapshot};
use crate::merkle::TreeHead;
use crate::proof::{HeadList, LogHead, VAULT_HEADS_ACTION, VAULT_HEADS_KIND, VAULT_LOGS_MAX};
use crate::query::Query;
use crate::retention::Attribution;
use crate::seq::{Seq, TreeSize};

const LOG_ADDED: &str = "vault.log.added";
const ROUTING_CHANGED: &str = "vault.routing.changed";
/// What they are about.
const LOG: &str = "log";
const VAULT: &str = "vault";

/// What the vault knows of a log from the record that added it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) log_id: LogId,
    pub(super) algorithm: HashAlgorithm,
    /// The digest of the tenant whose log it is, if it is the log of one.
    pub(super) tenant: Option<Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddedDetails {
    log_id: Hex16,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadsDetails {
    heads: Vec<(String, Hex16, String, u64, String)>,
}

/// Sixteen bytes in hexadecimal.
struct Hex16(LogId);

impl Serialize for Hex16 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hex16 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let id = u128::from_str_radix(&text, 16).ok();
        // Written most significant digit first: what prints the same was canonical.
        let id = id.map(|id| LogId(bytes_of(id))).filter(|id| id.to_string() == text);
        id.map(Hex16).ok_or_else(|| serde::de::Error::custom("expected 32 hexadecimal digits"))
    }
}

/// The sixteen bytes that a number is written with in hexadecimal.
fn bytes_of(number: u128) -> [u8; 16] {
    let mut bytes = number.to_le_bytes();
    bytes.reverse();
    bytes
}

/// What is in force.
#[derive(Debug, Default)]
pub(super) struct InForce {
    pub(super) logs: BTreeMap<String, Added>,
    /// `None` only while a vault is being created.
    pub(super) routing: Option<Routing>,
}

/// Reads what is in force. What no vault writes is refused: a log that was added twice or has a
/// name that none may have, a routing that cannot be in force, heads that are not those of the logs.
pub(super) fn read(control: &Log) -> Result<InForce> {
    let snapshot = control.snapshot();
    let mut logs = BTreeMap::new();
    for record in snapshot.query(&by_action(LOG_ADDED)?.oldest_first())? {
        let record = record?;
        let (name, added) = read_added(&record).ok_or_else(|| unreadable(&record, LOG_ADDED))?;
        if logs.insert(name, added).is_some() {
            return Err(contradicts(&record, "a log that was not added before"));
        }
        if logs.len() > VAULT_LOGS_MAX {
            return Err(contradicts(&record, &format!("at most {VAULT_LOGS_MAX} logs")));
        }
    }
    let newest = snapshot.query(&by_action(ROUTING_CHANGED)?.limit(1))?.next().transpose()?;
    let routing = newest.map(|record| read_routing(&record, &logs)).transpose()?;
    if let Some((seq, list)) = newest_heads(&snapshot, control.origin(), snapshot.size())? {
        check_heads(seq, &list, &logs)?;
    }
    Ok(InForce { logs, routing })
}

fn read_routing(record: &Record, logs: &BTreeMap<String, Added>) -> Result<Routing> {
    let details = record.event.details.as_ref().filter(|_| record.event.resource.kind == VAULT);
    let routing = details.and_then(|details| Routing::parse(details.as_str()));
    let routing = routing.ok_or_else(|| unreadable(record, ROUTING_CHANGED))?;
    let checked = routing.check(|log| logs.get(log).map(|added| added.tenant.is_none()));
    match checked {
        Ok(()) => Ok(routing),
        Err(Error::InvalidOption { reason, .. }) => {
            let what = format!("record {} of the vault's own log", record.seq);
            Err(Error::tampered(what, "a routing that can be in force", reason))
        }
        Err(error) => Err(error),
    }
}

/// Heads are listed of logs that were added before, as they were added.
fn check_heads(seq: Seq, list: &HeadList, logs: &BTreeMap<String, Added>) -> Result<()> {
    let known = |head: &&LogHead| {
        let added = logs.get(&head.name);
        added.is_some_and(|added| (added.log_id, added.algorithm) == (head.log_id, head.algorithm))
    };
    let Some(odd) = list.heads().iter().find(|head| !known(head)) else { return Ok(()) };
    let what = format!("record {seq} of the vault's own log");
    let found = format!("{:?}, log {}, {}", odd.name, odd.log_id, odd.algorithm);
    Err(Error::tampered(what, "heads of the logs of this vault", found))
}

fn contradicts(record: &Record, expected: &str) -> Error {
    let found = format!("{:?}", record.event.resource.id.as_deref().unwrap_or_default());
    Error::tampered(format!("record {} of the vault's own log", record.seq), expected, found)
}

fn by_action(action: &'static str) -> Result<Query> {
    let refuse = |reason: String| Error::InvalidOption { name: "action", reason };
    Query::new().action(action).map_err(|error| refuse(error.to_string()))
}

fn read_added(record: &Record) -> Option<(String, Added)> {
    let resource = Some(&record.event.resource).filter(|resource| resource.kind == LOG)?;
    let name = resource.id.clone()?;
    name::check(&name).ok()?;
    let details = record.event.details.as_ref()?;
    let details: AddedDetails = serde_json::from_str(details.as_str()).ok()?;
    let algorithm = algorithm_of(&details.hash)?;
    let tenant: Option<Hash> = match details.tenant {
        Some(digest) => Some(digest.parse().ok()?),
        None => None,
    };
    if tenant.is_some_and(|tenant| !name::is_of_tenant(&name, &tenant)) {
        return None;
    }
    Some((name, Added { log_id: details.log_id.0, algorithm, tenant }))
}

fn algorithm_of(name: &str) -> Option<HashAlgorithm> {
    [HashAlgorithm::Sha256, HashAlgorithm::Blake3].into_iter().find(|known| known.name() == name)
}

fn unreadable(record: &Record, action: &str) -> Error {
    let found = record.event.details.as_ref().map_or("no details", Json::as_str);
    let found: String = found.chars().take(200).collect();
    let what = format!("record {} of the vault's own log", record.seq);
    Error::tampered(what, format!("what a vault writes as {action}"), found)
}

/// Records that a log was added.
pub(super) fn log_added(
    control: &Log,
    name: &str,
    added: &Added,
    asked: &Attribution,
) -> Result<()> {
    let details = AddedDetails {
        log_id: Hex16(added.log_id),
        hash: added.algorithm.name().to_owned(),
        tenant: added.tenant.map(|digest| digest.to_string()),
    };
    let event = event(LOG_ADDED, Resource::new(LOG, name), asked).details(json(&details)?);
    append(control, &event).map(|_| ())
}

/// Records a routing, which is in force from then on.
pub(super) fn routing_changed(control: &Log, routing: &Routing, asked: &Attribution) -> Result<()> {
    let event = event(ROUTING_CHANGED, Resource::kind_only(VAULT), asked);
    append(control, &event.details(routing.to_json()?)).map(|_| ())
}

/// Records a head list.
pub(super) fn heads(control: &Log, list: &HeadList) -> Result<Seq> {
    let entry = |head: &LogHead| {
        let LogHead { name, log_id, algorithm, head, .. } = head;
        let hash = algorithm.name().to_owned();
        (name.clone(), Hex16(*log_id), hash, head.size.get(), head.root.to_string())
    };
    let details = HeadsDetails { heads: list.heads().iter().map(entry).collect() };
    let resource = Resource::new(VAULT_HEADS_KIND, list.resource_id());
    let event = Event::new(itself(), VAULT_HEADS_ACTION, resource);
    append(control, &event.details(json(&details)?))
}

/// The newest head list among the first `size` records, and where it stands.
pub(super) fn newest_heads(
    snapshot: &Snapshot,
    origin: &str,
    size: TreeSize,
) -> Result<Option<(Seq, HeadList)>> {
    let mut query = by_action(VAULT_HEADS_ACTION)?.limit(1);
    match query.cursor_after(size.next_seq()) {
        Some(cursor) => query = query.after(cursor),
        None => return Ok(None),
    }
    let Some(record) = snapshot.query(&query)?.next().transpose()? else { return Ok(None) };
    let list = read_heads(&record, origin);
    let list = list.ok_or_else(|| unreadable(&record, VAULT_HEADS_ACTION))?;
    Ok(Some((record.seq, list)))
}

fn read_heads(record: &Record, origin: &str) -> Option<HeadList> {
    let resource = Some(&record.event.resource).filter(|r| r.kind == VAULT_HEADS_KIND)?;
    let details = record.event.details.as_ref()?;
    let details: HeadsDetails = serde_json::from_str(details.as_str()).ok()?;
    let head = |(name, log_id, hash, size, root): (String, Hex16, String, u64, String)| {
        let head = TreeHead { size: TreeSize::new(size), root: root.parse().ok()? };
        let (origin, algorithm) = (origin_of(origin, &name), algorithm_of(&hash)?);
        Some(LogHead { name, log_id: log_id.0, origin, algorithm, head })
    };
    let heads = details.heads.into_iter().map(head).collect::<Option<Vec<_>>>()?;
    let ascend = heads.is_sorted_by(|a, b| a.name < b.name);
    let list = HeadList::new(heads);
    (ascend && resource.id.as_deref() == Some(&list.resource_id())).then_some(list)
}

/// The origin of a log in the vault whose own log has this one.
pub(super) fn origin_of(vault: &str, name: &str) -> String {
    format!("{vault}/{name}")
}

/// Whoever acts when nobody asked.
fn itself() -> Actor {
    Actor::new("system", "bulla")
}

/// What the vault does of itself.
pub(super) fn of_itself(why: &str) -> Attribution {
    Attribution { who: None, why: Some(why.to_owned()) }
}

fn event(action: &str, resource: Resource, asked: &Attribution) -> Event {
    let actor = match asked.who.as_deref().map(|who| who.split_once(':').unwrap_or(("", who))) {
        None => itself(),
        Some(("", who)) => Actor::new("operator", who),
        Some((kind, id)) => Actor::new(kind, id),
    };
    let event = Event::new(actor, action, resource).outcome(Outcome::Success);
    match &asked.why {
        Some(why) if !why.is_empty() => event.reason(why.clone()),
        _ => event,
    }
}

fn json(details: &impl Serialize) -> Result<Json> {
    let text = serde_json::to_string(details);
    let refuse = |error: serde_json::Error| Error::InvalidOption {
        name: "details",
        reason: error.to_string(),
    };
    text.map(|text| Json::from_checked(&text)).map_err(refuse)
}

/// What the vault's own log has must be durable before anything rests on it.
fn append(control: &Log, event: &Event) -> Result<Seq> {
    let receipt = control.append(event)?;
    control.sync()?;
    Ok(receipt.seq)
}
