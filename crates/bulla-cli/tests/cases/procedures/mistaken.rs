//! What is given in place of a log, an archive, an export or a private key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bulla::vault::LogSpec;
use bulla::{Attribution, Vault};

use crate::running::{at, fine, refused, signed_log};

/// Commands that take a log, each with what it needs besides.
const ON_A_LOG: [&[&str]; 12] = [
    &["verify"],
    &["query"],
    &["tail"],
    &["stats"],
    &["segments"],
    &["history"],
    &["append", "--actor", "u:a", "--action", "a.b", "--resource", "r"],
    &["hold", "list"],
    &["hold", "place", "case", "--everything", "--who", "a", "--why", "b"],
    &["retain", "--keep", "1y", "--dry-run"],
    &["key", "chain"],
    &["erase", "user:a", "--who", "a", "--why", "b", "--key-store", "k", "--wrapping-key", "w"],
];

/// Runs each of them on a path, which must be refused with this text.
fn refused_by_all(path: &str, told: &str) {
    for command in ON_A_LOG {
        let words = if command[0] == "hold" || command[0] == "key" { 2 } else { 1 };
        let mut call = command[..words].to_vec();
        call.push(path);
        call.extend(&command[words..]);
        let stderr = refused(2, &call);
        let expected = format!("{path} is not a log directory: {told}");
        assert!(stderr.contains(&expected), "{call:?}: expected {expected:?}, found {stderr}");
    }
    for command in [&["get", path, "0"][..], &["export-tiles", path, "/tmp/never/made"]] {
        let stderr = refused(2, command);
        assert!(stderr.contains(told), "{command:?}: {stderr}");
    }
}

#[test]
fn what_is_no_log_is_called_what_it_is() {
    let (dir, log) = signed_log();
    let place = |name: &str| at(dir.path(), name);
    fine(&["export-tiles", &log, &place("public")]);
    fine(&["keygen", &place("wrapping"), "--wrapping"]);
    fine(&["keystore", "create", &place("keys"), "--wrapping-key", &place("wrapping")]);
    fine(&["prove", &log, "0", "-o", &place("proof")]);
    fs::create_dir(place("empty")).unwrap();
    fs::create_dir(place("around")).unwrap();
    fs::create_dir_all(place("rest/tree")).unwrap();
    fs::write(place("rest/LOCK"), "x").unwrap();
    fs::write(place("file"), "x").unwrap();
    fine(&["init", &place("around/of-it")]);
    Vault::create(place("vault")).unwrap().close().unwrap();
    refused_by_all(&place("vault"), "it is a vault");
    let vault = Vault::open(place("vault")).unwrap();
    vault.add_log("first", LogSpec::new(), &Attribution::by("a").because("b")).unwrap();
    vault.close().unwrap();
    let within = format!("such as {}", place("vault/logs/first"));
    assert!(refused(2, &["verify", &place("vault")]).contains(&within));
    let key = place("audit.key");
    assert!(refused(2, &["checkpoint", &place("vault"), "--key", &key]).contains(&within));
    fine(&["verify", &place("vault/logs/first")]);
    refused_by_all(&place("public"), "it is an exported log: `bulla audit ");
    refused_by_all(&place("keys"), "it is a key store");
    refused_by_all(&place("audit.key"), "it is a private key");
    refused_by_all(&place("audit.key.pub"), "it is a verifying key");
    refused_by_all(&place("kept.checkpoint"), "it is a checkpoint");
    refused_by_all(&place("proof"), "it is a proof (c2sp.org/tlog-proof@v1)");
    refused_by_all(&place("file"), "it is a file; give the directory");
    refused_by_all(&place("empty"), "it is empty; `bulla init ");
    refused_by_all(&place("rest"), "it holds a part of a log");
    refused_by_all(&place("audit/segments"), "it is within the log ");
    let such_as = format!(
        "it holds neither catalog/ nor segments/; give the directory that `bulla \
         init` made, such as {}",
        place("around/of-it")
    );
    refused_by_all(&place("around"), &such_as);
    assert!(!Path::new("/tmp/never").exists());
}

#[test]
fn an_archive_is_verified_and_is_no_log() {
    let (dir, log) = signed_log();
    let (archive, key) = (at(dir.path(), "archive"), at(dir.path(), "audit.key"));
    fine(&["checkpoint", &log, "--key", &key, "--seal"]);
    fine(&["append", &log, "--actor", "u:a", "--action", "a.b", "--resource", "r"]);
    let who = ["--who", "a", "--why", "b"];
    let retain = ["retain", &log, "--keep", "0s", "--archive", &archive];
    fine(&[&retain[..], &who].concat());
    fine(&["verify", &archive]);
    let told = refused(2, &["query", &archive]);
    assert!(told.contains("it is an archive of segments: `bulla verify "), "{told}");
    let audit = ["--pubkey", &format!("{key}.pub")];
    for (dir, what) in [(&archive, "it is an archive of segments"), (&log, "it is a log")] {
        let told = refused(2, &[&["audit", dir][..], &audit].concat());
        assert!(told.contains(&format!("{dir} is not an exported log: {what}")), "{told}");
    }
    let told = refused(2, &[&["restore", &log, &log][..], &who].concat());
    assert!(told.contains("is not an archive: it is a log"), "{told}");
    fine(&[&["restore", &log, &archive][..], &who].concat());
}

#[test]
fn a_public_key_in_place_of_a_private_one_is_called_one() {
    let (dir, log) = signed_log();
    let (key, wrapping) = (at(dir.path(), "audit.key"), at(dir.path(), "w"));
    let public = format!("{key}.pub");
    fine(&["keygen", &wrapping, "--wrapping"]);
    fine(&["keystore", "create", &at(dir.path(), "ks"), "--wrapping-key", &wrapping]);
    fine(&["export-tiles", &log, &at(dir.path(), "public")]);
    let (next, store) = (at(dir.path(), "next"), at(dir.path(), "ks"));
    let copy = at(dir.path(), "copy");
    fs::copy(&public, &copy).unwrap();
    let state = at(dir.path(), "state");
    for call in [
        vec!["checkpoint", &log, "--key", &public],
        vec!["key", "rotate", &log, "--key", &public, "--next", &next],
        vec!["key", "rotate", &log, "--key", &key, "--next", &copy],
        vec!["key", "recovery", &log, "--key", &public, "--recovery", &next],
        vec!["key", "revoke", &log, "--revoked", &public, "--recovery", &public, "--next", &next],
        vec!["key", "retire", &log, "--key", &public, "--origin", "a.b", "--next", &next],
        vec!["witness", "--key", &public, "--state", &state, "--log", &public],
    ] {
        let told = refused(2, &call);
        let file = if call.contains(&copy.as_str()) { &copy } else { &public };
        assert!(
            told.contains(&format!(
                "{file}: expected a private key, found the verifying key \
             of example.com/audit"
            )),
            "{call:?}: {told}"
        );
        assert!(told.contains("without .pub") && !told.contains("chmod"), "{call:?}: {told}");
    }
    for (given, what) in [(&public, "the verifying key of "), (&key, "the signing key of ")] {
        let told = refused(2, &["keystore", "list", &store, "--wrapping-key", given]);
        assert!(told.contains(what) && told.contains(given) && !told.contains("chmod"), "{told}");
    }
    let told = refused(2, &["checkpoint", &log, "--key", &wrapping]);
    assert!(told.contains("found a wrapping key"), "{told}");
    // Of a private key that others may read, that is what is to be said.
    for key in [&key, &wrapping] {
        fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    }
    assert!(refused(2, &["checkpoint", &log, "--key", &key]).contains("chmod 600"));
    let told = refused(2, &["keystore", "list", &store, "--wrapping-key", &wrapping]);
    assert!(told.contains("chmod 600"), "{told}");
}

#[test]
fn an_auditor_with_an_older_key_is_told_of_the_key_chain() {
    let (dir, log) = signed_log();
    let (old, next) = (at(dir.path(), "audit.key"), at(dir.path(), "next.key"));
    fine(&["key", "rotate", &log, "--key", &old, "--next", &next]);
    fine(&["checkpoint", &log, "--key", &next, "--seal"]);
    let (public, chain) = (at(dir.path(), "public"), at(dir.path(), "chain"));
    fine(&["export-tiles", &log, &public]);
    let audit = ["audit", &public, "--pubkey", &format!("{old}.pub")];
    let told = refused(1, &audit);
    assert!(told.contains("with --keys") && told.contains("bulla key chain"), "{told}");
    fine(&["key", "chain", &log, "-o", &chain]);
    fine(&[&audit[..], &["--keys", &chain]].concat());
    // Of the chain it was given that is not said again.
    let other = at(dir.path(), "other.key");
    fine(&["keygen", &other, "--origin", "example.com/audit"]);
    let other = ["audit", &public, "--pubkey", &format!("{other}.pub")];
    assert!(refused(1, &other).contains("with --keys"));
}
