//! The architecture, enforced by reading the sources under `src/`.
//!
//! - The floors: a module names only modules that stand earlier in [`FLOORS`], so
//!   there are no cycles between rooms; `circles.rs` allows none inside a room either.
//! - Single homes: what is dangerous or replaceable is named in one place.
//! - No panic on data, no long files, no module names that say nothing.
//!
//! Each rule is broken on purpose in `architecture/broken.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a failure of this program is a failed test

mod broken;
mod circles;
mod compliance_document;
mod document;
mod source;
mod threat_model;

use std::collections::BTreeSet;
use std::path::Path;

use source::{Named, Token};

/// The top-level modules, lowest first. `lib.rs` stands on all of them.
const FLOORS: &[&str] = &[
    // Words and pure rules: no files, no threads, no clock. Built without the `engine` feature.
    "hash",
    "seq",
    "time",
    "random",
    "event",
    "redact",
    "query",
    "merkle",
    "format",
    "terms",
    "retention",
    "checkpoint",
    "keys",
    "witness",
    "trust",
    "tiles",
    "proof",
    // The outside world, one kind of file each, the engine.
    "error",
    "cipher",
    "ranked",
    "disk",
    "keystore",
    "segment",
    "tree",
    "index",
    "catalog",
    "directory",
    "archive",
    "options",
    // One log: reading and writing it, from below.
    "read",
    "write",
    "recover",
    "prove",
    "verify",
    "engine",
    "log",
    // Over many logs.
    "access",
    "vault",
    // Only in rustdoc: the documents of `docs/`.
    "docs",
];

/// The last floor that is built without the `engine` feature.
const LAST_PURE_FLOOR: &str = "proof";

/// A path that may be named in one place only: its first words, and that place (a
/// file or a folder under `src/`).
const HOMES: &[(&[&str], &[&str])] = &[
    (&["sha2"], &["hash.rs"]),
    (&["blake3"], &["hash.rs"]),
    (&["chacha20poly1305"], &["cipher.rs"]),
    (&["ed25519_dalek"], &["checkpoint.rs", "checkpoint/"]),
    (&["getrandom"], &["random.rs"]),
    (
        &["bincode"],
        &["format/body.rs", "format/body/", "format/catalog_body.rs", "format/catalog_body/"],
    ),
    (&["std", "fs"], &["disk/"]),
    (&["std", "os"], &["disk/"]),
    (&["rustix"], &["disk/"]),
    (&["memmap2"], &["disk/"]),
    // Every lock of an open log has a rank. One verification pass, a vault, and the simulated disk
    // have locks of their own, which come before all of a log's or after them.
    (&["parking_lot"], &["ranked.rs", "verify/", "vault/", "disk/sim/"]),
    (&["crate", "disk", "sim"], &["disk/"]),
    (&["std", "time", "SystemTime"], &["time.rs"]),
    (&["std", "time", "Instant"], &["time.rs"]),
    (&["SystemTime"], &["time.rs"]),
    (&["Instant"], &["time.rs"]),
    (&["jiff", "Zoned"], &["time.rs"]),
    (&["jiff", "Timestamp", "now"], &["time.rs"]),
];

/// The only file with `unsafe` in it.
const UNSAFE_HOME: &str = "disk/map.rs";

/// Paths that the pure floors do not name.
const IMPURE: &[&[&str]] = &[&["std", "thread"], &["std", "process"]];

/// Who makes a file other than by `disk::replace` and the like, and why a name that a failed
/// sync forgets loses nothing there.
const CREATORS: &[(&str, &str)] = &[
    ("catalog/exclusive.rs", "a copy of records; what was not known durable is synced before use"),
    ("catalog/store.rs", "a lock: it holds nothing"),
    ("keystore/file.rs", "the note that a name is in doubt: it matters until the power fails"),
    ("engine/restoring.rs", "taken away, or taken up, when the log is opened"),
    ("engine/signer.rs", "an empty file, made again where it is missing"),
    ("segment/active.rs", "syncs the name, and takes it away if that fails"),
    ("tree/mark.rs", "derived"),
];

/// Methods of `std::path::Path` that look at the file system behind `Disk`'s back.
const PATH_METHODS: &[&str] = &[
    "canonicalize",
    "read_dir",
    "try_exists",
    "is_dir",
    "is_file",
    "symlink_metadata",
    "read_link",
];

const PANICKING_METHODS: &[&str] = &["unwrap", "expect", "unwrap_err", "expect_err"];
const PANICKING_MACROS: &[&str] = &["panic", "unreachable", "todo", "unimplemented"];

const BANNED_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "type", "types", "manager", "managers", "misc",
];

const LINES_MAX: usize = 600;

/// A file under `src/`: its path from there, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

/// Everything that is wrong, each as `path:line: what, and what to do`.
fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    let parsed: Vec<_> = files
        .iter()
        .map(|file| (file, source::without_tests(source::tokens(&file.text))))
        .collect();
    let test_only: BTreeSet<String> = parsed
        .iter()
        .flat_map(|(file, (_, tests))| {
            tests.iter().map(|name| [module_of(&file.path), vec![name.clone()]].concat().join("::"))
        })
        .collect();
    for (file, (tokens, _)) in &parsed {
        let module = module_of(&file.path);
        check_file(file, &module, &mut found);
        let ancestors = (1..=module.len()).map(|len| module[..len].join("::"));
        if ancestors.into_iter().any(|ancestor| test_only.contains(&ancestor)) {
            continue;
        }
        check_tokens(file, tokens, &mut found);
        for named in source::paths(&module, tokens) {
            check_floor(file, &module, &named, &mut found);
            check_home(file, &module, &named, &mut found);
        }
    }
    found.dedup();
    found
}

/// The module path of a file: `disk/sim/mod.rs` is `disk::sim`, `lib.rs` is empty.
fn module_of(path: &str) -> Vec<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" { Vec::new() } else { stem.split('/').map(str::to_owned).collect() }
}

fn check_file(file: &File, module: &[String], found: &mut Vec<String>) {
    let path = &file.path;
    let lines = file.text.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{path}: {lines} lines; split it (at most {LINES_MAX})"));
    }
    if let Some(name) = module.iter().find(|name| BANNED_NAMES.contains(&name.as_str())) {
        found.push(format!("{path}: a module named `{name}` says nothing; name what it holds"));
    }
    if let Some(top) = module.first().filter(|top| !FLOORS.contains(&top.as_str())) {
        found.push(format!(
            "{path}: the top-level module `{top}` has no floor; put it into FLOORS in \
             tests/architecture/main.rs, above what it uses and below what uses it"
        ));
    }
}

fn check_tokens(file: &File, tokens: &[Token], found: &mut Vec<String>) {
    let path = &file.path;
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    for (at, token) in tokens.iter().enumerate() {
        let word = token.text.as_str();
        let is_method = at > 0 && matches!(text(at - 1), "." | "::") && text(at + 1) == "(";
        let what = if word == "unsafe" && path != UNSAFE_HOME {
            format!("`unsafe` lives in src/{UNSAFE_HOME} only")
        } else if is_method && PANICKING_METHODS.contains(&word) {
            format!("`{word}` panics; return an error that says what was expected and found")
        } else if PANICKING_MACROS.contains(&word) && text(at + 1) == "!" {
            format!("`{word}!` panics; return an error that says what was expected and found")
        } else if is_method && PATH_METHODS.contains(&word) && !path.starts_with("disk/") {
            format!("`{word}` looks at the file system; ask `Disk`")
        } else if is_method && word == "create_dir" && !path.starts_with("disk/") {
            "`create_dir` leaves a name that a failed sync forgets; use `disk::make_dirs`".into()
        } else if matches!(word, "CreateNew" | "CreateNewPrivate") && !may_create(path, tokens, at)
        {
            "a name that a failed sync forgets; use `disk::replace`, or say in CREATORS of \
             tests/architecture/main.rs why nothing is lost"
                .into()
        } else if word == "mod" && BANNED_NAMES.contains(&text(at + 1)) {
            format!("a module named `{}` says nothing; name what it holds", text(at + 1))
        } else {
            continue;
        };
        found.push(format!("{path}:{}: {what}", token.line));
    }
}

/// Whether a file may name a way to create files here: for what syncs the name or holds nothing, or
/// as one of [`CREATORS`].
fn may_create(path: &str, tokens: &[Token], at: usize) -> bool {
    let called = tokens[..at].iter().zip(&tokens[1..=at]).rev().find(|(_, next)| next.text == "(");
    let is_safe = |method: &str| matches!(method, "replace" | "create_beside" | "open_lock_file");
    called.is_some_and(|(method, _)| is_safe(&method.text))
        || path.starts_with("disk/")
        || CREATORS.iter().any(|(home, _)| *home == path)
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| *floor == module)
}

fn check_floor(file: &File, module: &[String], named: &Named, found: &mut Vec<String>) {
    let [root, target, ..] = named.path.as_slice() else { return };
    let Some(own) = module.first().filter(|_| root == "crate") else { return };
    let (place, own_floor) = (format!("{}:{}", file.path, named.line), floor(own));
    match floor(target) {
        _ if target == own => {}
        None => found.push(format!(
            "{place}: `crate::{target}` is not on a floor below `{own}`; name the module it lives in"
        )),
        Some(_) if own_floor.is_none() => {} // said once, by check_file
        Some(_) if own_floor > floor(target) => {}
        Some(_) => found.push(format!(
            "{place}: `{own}` names `{target}`, which is on a higher floor; move what both need \
             down, or what needs both up"
        )),
    }
}

fn check_home(file: &File, module: &[String], named: &Named, found: &mut Vec<String>) {
    let starts = |prefix: &[&str]| {
        named.path.len() >= prefix.len()
            && prefix.iter().zip(&named.path).all(|(word, named)| word == named)
    };
    let place = format!("{}:{}", file.path, named.line);
    for (path, homes) in HOMES.iter().filter(|(path, _)| starts(path)) {
        let at_home = |home: &&str| match home.ends_with('/') {
            true => file.path.starts_with(home),
            false => file.path == *home,
        };
        let is_type = named.path[0].starts_with(|c: char| c.is_uppercase());
        // A word alone is a local name, unless it is one of a type or imported.
        let local = path.len() == 1 && named.path.len() == 1 && !named.imported && !is_type;
        if !local && !homes.iter().any(at_home) {
            let homes = homes.join(" or ");
            found.push(format!("{place}: `{}` is named in src/{homes} only", path.join("::")));
        }
    }
    let pure = module.first().and_then(|own| floor(own)).is_some_and(|own| own <= last_pure());
    for path in IMPURE.iter().filter(|path| pure && starts(path)) {
        found.push(format!(
            "{place}: `{}` in a pure floor; up to `{LAST_PURE_FLOOR}` there are no threads, \
             files or clocks",
            path.join("::")
        ));
    }
}

fn last_pure() -> usize {
    floor(LAST_PURE_FLOOR).expect("LAST_PURE_FLOOR is one of FLOORS")
}

/// All Rust files under a folder, with their paths from it.
fn read_folder(root: &Path, folder: &Path, files: &mut Vec<File>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read_folder(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let parts = path.strip_prefix(root).unwrap().iter();
            let parts: Vec<_> = parts.map(|part| part.to_str().unwrap()).collect();
            files.push(File { path: parts.join("/"), text });
        }
    }
}

/// All sources of the engine.
fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    read_folder(&root, &root, &mut files);
    assert!(files.iter().any(|file| file.path == "lib.rs"), "found no sources in src/");
    files
}

#[test]
fn the_sources_keep_the_architecture() {
    let found = violations(&sources());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_test_is_switched_off() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "crates"] {
        read_folder(root, &root.join(folder), &mut files);
    }
    for file in files {
        let tokens = source::tokens(&file.text);
        let ignored = |three: &[Token]| three.iter().map(|t| &*t.text).eq(["#", "[", "ignore"]);
        assert!(!tokens.windows(3).any(ignored), "{}: a test with #[ignore]", file.path);
    }
}
