//! The promise: an exported log is read by other people's software. The libraries of the Go
//! checksum database open our checkpoint, check our tiles, entries and proofs, make proofs
//! of their own from our tiles, and refuse what was altered.
//!
//! Needs `go` and its `golang.org/x/mod` (Debian: golang-go, golang-golang-x-mod-dev).
//! Elsewhere the tests say that they did not run; on CI they fail then.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::running::random;
use crate::served::{Fixture, files};
use bulla::{Disclosure, HashAlgorithm, Log, Seq, TreeSize};
use bulla_cli::export::{MainLog, Options, export};

/// The Go program.
struct Interop {
    program: PathBuf,
}

impl Interop {
    /// Builds it once; `None` where there is no Go and nobody insists.
    fn build() -> Option<&'static Self> {
        static BUILT: OnceLock<Option<Interop>> = OnceLock::new();
        BUILT.get_or_init(Interop::build_now).as_ref()
    }

    fn build_now() -> Option<Self> {
        // Kept between runs: an unchanged program is not built again.
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let program = kept.join("interop-go");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop");
        let built = Command::new("go")
            .args(["build", "-trimpath", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(source)
            // Nothing is fetched.
            .envs([("GOPROXY", "off"), ("GOFLAGS", "-mod=mod"), ("GOTOOLCHAIN", "local")])
            .env("GOCACHE", kept.join("go-cache"))
            .output();
        let why = match built {
            Ok(Output { status, .. }) if status.success() => return Some(Interop { program }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => format!("go: {error}"),
        };
        let insisted = std::env::var("CI").is_ok_and(|ci| ci == "true")
            || std::env::var_os("BULLA_VECTORS").is_some();
        assert!(
            !insisted,
            "the Go program was not built, and CI or BULLA_VECTORS is set: {why}; install \
             golang-go and golang-golang-x-mod-dev"
        );
        eprintln!("NOT RUN: no Go with golang.org/x/mod here: {why}");
        None
    }

    fn run(&self, out: &Path, vkey: &str, arguments: &[String]) -> Result<String, String> {
        let ran = Command::new(&self.program).arg(out).arg(vkey).args(arguments).output().unwrap();
        match ran.status.code() {
            Some(0) => Ok(String::from_utf8(ran.stdout).unwrap()),
            Some(1) => Err(String::from_utf8(ran.stderr).unwrap()),
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&ran.stderr)),
        }
    }
}

fn export_all(fixture: &Fixture) {
    let source = MainLog::open(&fixture.log_dir()).unwrap();
    export(&source, &fixture.out(), &Options::default(), &mut |_| ControlFlow::Continue(()))
        .unwrap();
}

/// Proofs that our tool makes, as files and as arguments for the Go program.
fn our_proofs(fixture: &Fixture, seqs: &[u64], from: &[u64]) -> Vec<String> {
    let reader = Log::open_read_only(fixture.log_dir()).unwrap();
    let checkpoint = reader.checkpoints().latest().unwrap().unwrap();
    let size = checkpoint.dangerously_unverified().head().size;
    let snapshot = reader.snapshot();
    let mut arguments = Vec::new();
    for (n, &seq) in seqs.iter().enumerate() {
        let disclosure = [Disclosure::Whole, Disclosure::WithholdPayload][n % 2];
        let proof = snapshot.prove(Seq::new(seq), &checkpoint, disclosure).unwrap();
        let path = fixture.dir.path().join(format!("{seq}.tlog-proof"));
        fs::write(&path, proof.to_text()).unwrap();
        arguments.extend(["-record".to_owned(), path.display().to_string()]);
    }
    for &old in from {
        let hashes = snapshot.tiles(size).unwrap().consistency_from(TreeSize::new(old)).unwrap();
        let path = fixture.dir.path().join(format!("{old}.consistency"));
        let lines: Vec<String> = hashes.iter().map(|hash| base64(hash.as_bytes()) + "\n").collect();
        fs::write(&path, lines.concat()).unwrap();
        arguments.extend(["-tree".to_owned(), old.to_string(), path.display().to_string()]);
    }
    arguments
}

/// RFC 4648 §4; not the encoder that is tested.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * n) & 63).unwrap();
            text.push(if n <= chunk.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

#[test]
fn the_libraries_of_the_go_checksum_database_verify_an_exported_log() {
    let Some(go) = Interop::build() else { return };
    for sizes in [&[1][..], &[3, 256], &[200, 257, 512, 600], &[1000, 1300]] {
        let fixture = Fixture::new(HashAlgorithm::Sha256);
        for &size in sizes {
            fixture.grow_to(size);
            export_all(&fixture);
        }
        let last = *sizes.last().unwrap();
        let proofs = our_proofs(&fixture, &[0, last / 2, last - 1], sizes);
        let told = go.run(&fixture.out(), &fixture.key().to_string(), &proofs).unwrap();
        assert_eq!(told, format!("ok: {last} records, {} kept checkpoints\n", sizes.len()));
    }
}

#[test]
fn the_go_libraries_refuse_every_altered_file() {
    let Some(go) = Interop::build() else { return };
    let fixture = Fixture::of(200);
    export_all(&fixture);
    fixture.grow_to(300);
    export_all(&fixture);
    let vkey = fixture.key().to_string();
    let proofs = our_proofs(&fixture, &[7, 299], &[200]);
    go.run(&fixture.out(), &vkey, &proofs).unwrap();
    let mut seed = 3;
    let given = proofs.iter().filter(|argument| argument.starts_with('/')).map(PathBuf::from);
    // The list of segments is no part of C2SP: `bulla audit` recomputes it.
    let served = files(&fixture.out()).into_iter().map(|(name, _)| name);
    let served = served.filter(|name| name != "segments").map(|name| fixture.out().join(name));
    let mut altered = 0;
    for path in served.chain(given) {
        let good = fs::read(&path).unwrap();
        let fixed = [good.len() / 2, good.len() - 2];
        for n in 0..10 {
            let anywhere = usize::try_from(random(&mut seed) % good.len() as u64).unwrap();
            let at = fixed.get(n).copied().unwrap_or(anywhere);
            let mut bad = good.clone();
            bad[at] ^= 1 << (random(&mut seed) % 8);
            // Go overlooks the spare bits of a last base64 digit: the same signature.
            if good.get(at + 1) == Some(&b'=') {
                continue;
            }
            // The record itself: opaque to C2SP tools, which hash the entry.
            if is_extra(&good, at) || is_extra(&bad, at) {
                continue;
            }
            fs::write(&path, &bad).unwrap();
            let ran = go.run(&fixture.out(), &vkey, &proofs);
            assert!(ran.is_err(), "byte {at} of {}", path.display());
            altered += 1;
        }
        fs::write(&path, &good[..good.len() - 2]).unwrap();
        assert!(go.run(&fixture.out(), &vkey, &proofs).is_err(), "{} cut", path.display());
        fs::write(&path, &good).unwrap();
    }
    assert!(altered > 80, "{altered}");
    go.run(&fixture.out(), &vkey, &proofs).unwrap();
}

/// Whether a byte is in the `extra` line of a proof file.
fn is_extra(file: &[u8], at: usize) -> bool {
    let start = b"c2sp.org/tlog-proof@v1\nextra ".len();
    let proof = file.starts_with(b"c2sp.org/tlog-proof@v1\nextra ");
    proof && at >= start && !file[start..at].contains(&b'\n')
}

#[test]
fn the_go_libraries_refuse_another_key_and_a_blake3_key() {
    let Some(go) = Interop::build() else { return };
    let (fixture, other) = (Fixture::of(20), Fixture::of(20));
    export_all(&fixture);
    assert!(go.run(&fixture.out(), &other.key().to_string(), &[]).is_err());
    let blake3 = Fixture::new(HashAlgorithm::Blake3);
    let error = go.run(&fixture.out(), &blake3.key().to_string(), &[]).unwrap_err();
    assert!(error.contains("unknown verifier algorithm"), "{error}");
}
