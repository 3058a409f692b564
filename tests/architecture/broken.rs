//! The checker itself: small sources that break each rule, and some that do not.

use super::{File, LINES_MAX, violations};

/// What is found in one file of these contents.
fn found_in(path: &str, text: &str) -> Vec<String> {
    violations(&[File { path: path.to_owned(), text: text.to_owned() }])
}

#[track_caller]
fn refused(path: &str, text: &str, says: &str) {
    let found = found_in(path, text);
    assert!(found.len() == 1 && found[0].contains(says), "expected one {says:?}, found {found:?}");
}

#[track_caller]
fn accepted(path: &str, text: &str) {
    assert_eq!(found_in(path, text), Vec::<String>::new());
}

#[test]
fn a_module_that_names_a_higher_floor_is_found() {
    for text in [
        "use crate::disk::Disk;",
        "use crate::{seq::Seq, disk::{Disk, Open}};",
        "fn f() { crate::disk::read() }",
        "use super::disk::Disk;",
        "mod inner { use super::super::disk::Disk; }",
        "pub(crate) fn f(_: &dyn crate::disk::Disk) {}",
    ] {
        refused("merkle.rs", text, "`merkle` names `disk`, which is on a higher floor");
    }
    refused("merkle/plan.rs", "use super::super::disk::Disk;", "higher floor");
    refused("merkle/mod.rs", "use crate::hash::Hash;\nuse crate::proof::P;", "merkle/mod.rs:2");
}

#[test]
fn a_module_that_names_lower_floors_itself_or_tests_is_fine() {
    accepted("segment/mod.rs", "use crate::{disk::Disk, segment::X, hash::Hash};");
    accepted("merkle/plan.rs", "use super::Frontier; use self::disk::X; mod disk {}");
    accepted(
        "merkle.rs",
        "// use crate::log::Log;\n/* crate::log */ const S: &str = \"crate::log\";",
    );
    accepted("merkle.rs", "/// ```\n/// use crate::log::Log;\n/// ```\nfn f() {}");
    accepted("merkle.rs", "#[cfg(test)]\nmod tests { use crate::log::Log; fn f() { panic!() } }");
    accepted("merkle.rs", "mod inner { use super::plan::X; }\nmod other { use super::plan::X; }");
    accepted("lib.rs", "pub mod log; pub use crate::log::Log; pub use disk::Disk;");
}

#[test]
fn code_beside_tests_is_checked_and_files_of_tests_are_not() {
    let text = "#[cfg(test)]\nuse std::fs;\n#[cfg(test)]\n#[allow(x)]\nfn t() { x.unwrap() }\nfn f() { x.unwrap() }";
    refused("merkle.rs", text, "merkle.rs:6: `unwrap`");
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let tree = [
        file("merkle/mod.rs", "#[cfg(test)]\nmod tests;\nmod plan;"),
        file("merkle/tests.rs", "fn f() { std::fs::read().unwrap() }"),
        file("merkle/tests/deep.rs", "fn f() { x.unwrap() }"),
        file("merkle/plan.rs", "fn f() { x.unwrap() }"),
    ];
    let found = violations(&tree);
    assert!(found.len() == 1 && found[0].starts_with("merkle/plan.rs:1"), "{found:?}");
}

#[test]
fn a_module_without_a_floor_is_found() {
    refused("cache.rs", "use crate::hash::Hash;", "`cache` has no floor; put it into FLOORS");
    refused("cache/mod.rs", "", "`cache` has no floor");
    refused("log.rs", "use crate::Event;", "name the module it lives in");
}

#[test]
fn what_is_named_outside_its_home_is_found() {
    for (text, says) in [
        ("use sha2::Digest as _;", "`sha2` is named in src/hash.rs only"),
        ("fn f() { blake3::hash(b) }", "`blake3` is named in src/hash.rs only"),
        ("use blake3;", "`blake3` is named in src/hash.rs only"),
        ("use ::blake3::Hasher;", "`blake3` is named in src/hash.rs only"),
        ("use ed25519_dalek::{Signer, SigningKey as K};", "`ed25519_dalek`"),
        ("use getrandom::fill;", "src/random.rs only"),
        (
            "use bincode::Encode;",
            "src/format/body.rs or format/body/ or format/catalog_body.rs or format/catalog_body/ only",
        ),
        ("use std::{io, fs::File};", "`std::fs` is named in src/disk/ only"),
        ("fn f() { std::fs::read(p); }", "`std::fs`"),
        ("use std::os::unix::fs::FileExt;", "`std::os`"),
        ("use rustix::fs::fallocate;", "`rustix`"),
        ("use memmap2::Mmap;", "`memmap2`"),
        ("use std::time::{Duration, Instant};", "`std::time::Instant`"),
        ("fn f() { std::time::SystemTime::now(); }", "`std::time::SystemTime`"),
        ("fn f(i: Instant) {}", "`Instant` is named in src/time.rs only"),
        ("fn f() { jiff::Timestamp::now() }", "`jiff::Timestamp::now`"),
        ("use crate::disk::sim::SimDisk;", "`crate::disk::sim`"),
        ("fn f(p: &Path) { p.is_dir() }", "`is_dir` looks at the file system"),
        ("fn f(d: &dyn Disk) { d.create_dir(p) }", "use `disk::make_dirs`"),
        ("fn f(d: &dyn Disk) { d.open(p, Open::CreateNew) }", "use `disk::replace`"),
        ("let how = if b { Open::ReadWrite } else { Open::CreateNewPrivate };", "CREATORS"),
    ] {
        let found = found_in("log/append.rs", text);
        assert!(!found.is_empty() && found.iter().all(|f| f.contains(says)), "{text}: {found:?}");
    }
    accepted("hash.rs", "use sha2::Digest; fn f() { blake3::hash(b) }");
    accepted("checkpoint/key.rs", "use ed25519_dalek::SigningKey;");
    accepted("disk/real.rs", "use std::fs::File; fn f(p: &Path) { p.is_dir() }");
    accepted("log/append.rs", "disk::replace(d, p, Open::CreateNew, |f| f.write_at(b, 0))");
    accepted("tree/mark.rs", "fn f(d: &dyn Disk) { d.open(p, Open::CreateNew) }");
    accepted("log.rs", "let blake3 = 1; f(blake3); use std::time::Duration; x.fs();");
}

#[test]
fn threads_in_a_pure_floor_are_found() {
    refused("proof/mod.rs", "use std::thread;", "`std::thread` in a pure floor");
    accepted("log/mod.rs", "use std::thread;");
}

#[test]
fn a_lock_of_an_open_log_without_a_rank_is_found() {
    let homes = "`parking_lot` is named in src/ranked.rs or verify/ or vault/ or disk/sim/ only";
    refused("hash.rs", "use parking_lot::Mutex;", homes);
    refused("engine/core.rs", "use parking_lot::RwLock;", homes);
    accepted("ranked.rs", "fn f() { parking_lot::Mutex::new(()); }");
    accepted("verify/mod.rs", "use parking_lot::Mutex;");
}

#[test]
fn unsafe_outside_its_home_is_found() {
    refused("disk/real.rs", "fn f() { unsafe { g() } }", "`unsafe` lives in src/disk/map.rs only");
    accepted("disk/map.rs", "#[allow(unsafe_code)] fn f() { unsafe { g() } }");
    accepted("hash.rs", "#![deny(unsafe_code)] // unsafe\nconst S: &str = r#\"unsafe \"\"#;");
}

#[test]
fn panics_are_found() {
    for (text, word) in [
        ("fn f() { x.unwrap() }", "unwrap"),
        ("fn f() { x\n    .expect(\"y\") }", "expect"),
        ("fn f() { x.map(Option::unwrap()) }", "unwrap"),
        ("fn f() { panic!(\"y\") }", "panic!"),
        ("fn f() { unreachable!() }", "unreachable!"),
        ("fn f() { todo!() }", "todo!"),
        ("fn f<'a>(c: char) { if c == '\"' { x.unwrap() } }", "unwrap"),
        ("#[cfg(not(test))]\nfn f() { x.unwrap() }", "unwrap"),
    ] {
        refused("merkle.rs", text, word);
    }
    accepted(
        "merkle.rs",
        "fn f() { x.unwrap_or(0); x.unwrap_or_default(); assert!(y, \"panic!\") }",
    );
    accepted("merkle.rs", "fn f() { let c = b'\\''; let d = '\"'; } // x.unwrap()");
}

#[test]
fn long_files_and_names_that_say_nothing_are_found() {
    accepted("merkle.rs", &"\n".repeat(LINES_MAX));
    refused("merkle.rs", &"\n".repeat(LINES_MAX + 1), "split it");
    refused("merkle/utils.rs", "", "`utils` says nothing");
    refused("merkle/common/mod.rs", "", "`common` says nothing");
    refused("merkle.rs", "mod helpers { fn f() {} }", "`helpers` says nothing");
}
