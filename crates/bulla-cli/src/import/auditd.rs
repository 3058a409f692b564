//! Linux audit records, as auditd writes them (raw or enriched). The table of
//! fields is in `docs/importers.md`.

mod address;
mod decision;
mod fields;
mod group;
mod kinds;
mod outcome;
mod prefix;
mod record;
mod syscalls;

use bulla::event::{Actor, Event, Json, Resource, Target};

use super::targets::Targets;
use fields::Parsed;
use group::Group;
use record::Record;

pub(crate) use group::Grouped;

/// What uids and sessions are when they are not set.
const UNSET: [&str; 3] = ["4294967295", "-1", "unset"];

/// Between the keys of an event that several rules match.
const KEYS_SEPARATOR: char = '\u{1}';

/// Records that only add to what another one says: without it they say nothing.
const ADDING: [&str; 24] = [
    "AVC_PATH",
    "BPRM_FCAPS",
    "CAPSET",
    "CWD",
    "EOE",
    "EXECVE",
    "FD_PAIR",
    "IPC",
    "IPC_SET_PERM",
    "KERNEL_OTHER",
    "LANDLOCK_DOMAIN",
    "MAC_OBJ_CONTEXTS",
    "MAC_TASK_CONTEXTS",
    "MMAP",
    "MQ_GETSETATTR",
    "MQ_NOTIFY",
    "MQ_OPEN",
    "MQ_SENDRECV",
    "OBJ_PID",
    "OPENAT2",
    "PATH",
    "PROCTITLE",
    "SOCKADDR",
    "SOCKETCALL",
];

/// Records of what was decided about a call; they may also stand alone.
const DECIDING: [&str; 5] = ["AVC", "FANOTIFY", "IPE_ACCESS", "LANDLOCK_ACCESS", "SELINUX_ERR"];

/// The tag of an event of which it is not known which address is true.
const ADDRESSES: &str = "addr";

/// Makes one event of the records of one serial.
fn event(group: &Group) -> Result<Event, String> {
    let records: Vec<Parsed<'_>> = group.records.iter().map(Parsed::new).collect();
    let records = records.as_slice();
    let Some(main) = main_record(records) else { return Err("no records".to_owned()) };
    let mut event = Event::new(actor(records), action(main), resource(main, records));
    event.targets = other_files(&event.resource, records);
    event.occurred_at = Some(main.record.time);
    event.tenant = main.record.key.node.clone();
    outcome::Ending::of(records).write(&mut event);
    event.source = Some("auditd".to_owned());
    set_address(&mut event, records);
    event.session_id = first(records, "ses").filter(|id| is_set(id));
    event.request_id = Some(main.record.key.stamp.clone());
    for name in ["exe", "terminal"] {
        if let Some(value) = records.iter().find_map(|record| record.decoded(name)) {
            event.tags.insert(name.to_owned(), value);
        }
    }
    if let Some(keys) = records.iter().find_map(keys) {
        event.tags.insert("key".to_owned(), keys);
    }
    event.details = Some(details(&group.records)?);
    Ok(event)
}

/// `{"records": [line, …]}`: gives back every line.
fn details(records: &[Record]) -> Result<Json, String> {
    let lines: Vec<&str> = records.iter().map(|record| record.line.as_str()).collect();
    let list = serde_json::to_string(&lines).map_err(|error| error.to_string())?;
    Json::parse(&format!("{{\"records\":{list}}}")).map_err(|error| error.to_string())
}

/// The record that says what happened: a system call only if nothing more telling is there, one
/// that decides about a call or is of a type without a name only if there is no call, and one that
/// adds to another only if there is nothing else.
fn main_record<'p>(records: &'p [Parsed<'p>]) -> Option<&'p Parsed<'p>> {
    let rank = |record: &&Parsed<'_>| match record.kind() {
        "SYSCALL" => 1,
        kind if DECIDING.contains(&kind) || kind.starts_with("APPARMOR") => 2,
        kind if kinds::is_unknown(kind) => 3,
        kind if ADDING.contains(&kind) => 4,
        _ => 0,
    };
    records.iter().min_by_key(rank)
}

/// The address, if the record names one. If it names several, or its end is missing, the subject
/// may have chosen what is there: then none is right.
fn set_address(event: &mut Event, records: &[Parsed<'_>]) {
    let mut named = records.iter().map(|record| (record.addresses(), record.is_cut()));
    let Some((addresses, is_cut)) = named.find(|(found, _)| !found.is_empty()) else { return };
    match addresses.as_slice() {
        ["" | "?" | "UNKNOWN" | "(null)" | "(none)"] => {}
        [address] if !is_cut => event.ip = Some((*address).to_owned()),
        several => {
            event.tags.insert(ADDRESSES.to_owned(), several.join(","));
        }
    }
}

/// The keys of the audit rules that matched, with commas between them.
fn keys(record: &Parsed<'_>) -> Option<String> {
    record.decoded("key").map(|keys| keys.replace(KEYS_SEPARATOR, ","))
}

fn first(records: &[Parsed<'_>], name: &str) -> Option<String> {
    records.iter().find_map(|record| record.get(name)).map(|value| value.text.to_owned())
}

fn is_set(id: &str) -> bool {
    !UNSET.contains(&id)
}

/// Who logged in (`auid`), which stays through `su` and `sudo`; else the user of the
/// process.
fn actor(records: &[Parsed<'_>]) -> Actor {
    let id = |name| {
        let found = records.iter().filter_map(|record| record.get(name));
        found.map(|value| value.text.to_owned()).find(|id| is_set(id))
    };
    match id("auid").or_else(|| id("uid")) {
        Some(id) => Actor::new("user", id),
        None if records.iter().any(|record| record.kind().starts_with("DAEMON_")) => {
            Actor::new("service", "auditd")
        }
        None => Actor::new("unknown", "unknown"),
    }
}

/// `syscall.NAME`, or the type of the record with a dot for its first underscore.
fn action(main: &Parsed<'_>) -> String {
    if main.kind() != "SYSCALL" {
        return main.kind().to_lowercase().replacen('_', ".", 1);
    }
    let number = main.get("syscall").map_or("unknown", |value| value.text);
    let arch = main.get("arch").map_or("", |value| value.text);
    let named = main.enriched("SYSCALL");
    format!("syscall.{}", named.or_else(|| syscalls::name(arch, number)).unwrap_or(number))
}

fn resource(main: &Parsed<'_>, records: &[Parsed<'_>]) -> Resource {
    match main.kind() {
        "SYSCALL" => {}
        // `acct` and `id` are of a user or a group, as the type says.
        kind if kind.contains("GROUP") || kind.starts_with("GRP_") => {
            if let Some(group) = ["grp", "acct", "id"].iter().find_map(|name| main.decoded(name)) {
                return Resource::new("group", group);
            }
        }
        "LOGIN" => {
            let session = main.get("ses").map(|value| value.text.to_owned());
            return Resource { kind: "session".to_owned(), id: session };
        }
        "USER_CMD" => {
            if let Some(command) = main.decoded("cmd") {
                return Resource::new("command", command);
            }
        }
        "CONFIG_CHANGE" => {
            return Resource { kind: "audit_rule".to_owned(), id: keys(main) };
        }
        _ => {}
    }
    for (name, kind) in
        [("unit", "service"), ("acct", "account"), ("id", "account"), ("table", "table")]
    {
        if let Some(id) = main.decoded(name) {
            return Resource::new(kind, id);
        }
    }
    object_of_call(records)
        .or_else(|| program(records))
        .unwrap_or_else(|| Resource::kind_only("system"))
}

/// The file or the address that a system call was about.
fn object_of_call(records: &[Parsed<'_>]) -> Option<Resource> {
    let of_kind = |kind| records.iter().filter(move |record| record.kind() == kind);
    if let Some(address) =
        of_kind("SOCKADDR").find_map(|record| address::decode(record.get("saddr")?.text))
    {
        return Some(Resource::new("socket", address));
    }
    // The directory of a file that is made or removed is listed before the file.
    let is_parent = |record: &&Parsed<'_>| nametype(record) == Some("PARENT");
    let path = of_kind("PATH")
        .filter(|record| !is_parent(record))
        .chain(of_kind("PATH"))
        .find_map(|record| record.decoded("name"))?;
    Some(Resource::new("file", Directory::of(records).joined(path)))
}

/// The other files that a system call was about, in the part that each had in it.
fn other_files(main: &Resource, records: &[Parsed<'_>]) -> Vec<Target> {
    let directory = Directory::of(records);
    let mut targets = Targets::besides(main);
    for record in records.iter().filter(|record| record.kind() == "PATH") {
        if let Some(path) = record.decoded("name") {
            let role = nametype(record).map(str::to_lowercase);
            targets.add(Target { role, ..Target::new("file", directory.joined(path)) });
        }
    }
    targets.into_vec()
}

fn nametype<'p>(record: &Parsed<'p>) -> Option<&'p str> {
    record.get("nametype").map(|value| value.text)
}

/// The directory in which a process was, if it is known.
struct Directory(Option<String>);

impl Directory {
    fn of(records: &[Parsed<'_>]) -> Self {
        let mut of_kind = records.iter().filter(|record| record.kind() == "CWD");
        Directory(of_kind.find_map(|record| record.decoded("cwd")))
    }

    /// The path, which may be within the directory.
    fn joined(&self, path: String) -> String {
        match &self.0 {
            Some(directory) if !path.starts_with('/') => {
                format!("{}/{path}", directory.trim_end_matches('/'))
            }
            _ => path,
        }
    }
}

fn program(records: &[Parsed<'_>]) -> Option<Resource> {
    let exe = records.iter().find_map(|record| record.decoded("exe"))?;
    Some(Resource::new("program", exe))
}

#[cfg(test)]
mod tests;
