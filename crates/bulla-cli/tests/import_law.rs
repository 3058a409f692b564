//! The law of the fuzz targets of the importers, on samples that are altered at random, always
//! in the same way. `BULLA_LAW_ROUNDS` says how many times each sample is altered.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stderr)] // tests

#[path = "../../../fuzz/shared/import.rs"]
mod shared;

use std::fs;
use std::panic;
use std::path::Path;

use bulla_cli::import::Format;

/// What importers look for.
const WORDS: [&[u8]; 36] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b",",
    b":",
    b"=",
    b"\n",
    b"\n{",
    b"\r\n",
    b"\n\n",
    b"~",
    b"^",
    b"null",
    b"1e400",
    b"\"\"",
    b"{}",
    b"[]",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xc2\x85",
    b"\x00",
    b"\x1d",
    b"#035",
    b"{\"message\":\"{",
    b"{\"items\":[",
    b"{\"Records\":[",
    b"\"password\":\"",
    b"4111111111111111",
    b" res=failed'",
    b"msg='",
];

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end.max(1)
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let most = if self.below(4) == 0 { len } else { 24 };
        start..(start + self.below(most)).min(len)
    }
}

fn altered(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(8) {
        0 if !bytes.is_empty() => {
            let at = at.min(bytes.len() - 1);
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(random.range(bytes.len()))),
        3 => {
            let part = bytes[random.range(bytes.len())].to_vec();
            drop(bytes.splice(at..at, part));
        }
        4 => {
            let other = &others[random.below(others.len())];
            let part = other[random.range(other.len())].to_vec();
            drop(bytes.splice(at..at, part));
        }
        5 => {
            let other = &others[random.below(others.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[at.min(other.len())..]);
        }
        _ => {
            let word = WORDS[random.below(WORDS.len())];
            let replaced = if random.below(2) == 0 { 0 } else { word.len() };
            drop(bytes.splice(at..(at + replaced).min(bytes.len()), word.iter().copied()));
        }
    }
}

/// Lines and files as they are, and together in the ways of `docs/importers.md`.
fn seeds(files: &[&str]) -> Vec<Vec<u8>> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Vec::new();
    for file in files {
        let bytes = fs::read(package.join(file)).unwrap();
        let lines: Vec<&[u8]> =
            bytes.split(|byte| *byte == b'\n').filter(|line| line.len() > 1).collect();
        seeds.extend(lines.iter().take(12).map(|line| line.to_vec()));
        seeds.extend(lines.windows(2).take(4).map(|two| two.join(&b'\n')));
        seeds.extend(lines.windows(2).take(2).map(|two| [b"[", &*two.join(&b','), b"]"].concat()));
        seeds.push(bytes);
    }
    seeds
}

fn hold(files: &[&str], law: impl Fn(&[u8]) + panic::RefUnwindSafe) {
    let seeds = seeds(files);
    let rounds = std::env::var("BULLA_LAW_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in &seeds {
        let rounds = rounds.unwrap_or(if seed.len() > 20_000 { 1 } else { 12 });
        for round in 0..=rounds {
            let mut bytes = seed.clone();
            for _ in 0..round.min(1 + random.below(6)) {
                altered(&mut bytes, &seeds, &mut random);
            }
            if let Err(payload) = panic::catch_unwind(|| law(&bytes)) {
                eprintln!("of this input: {}", String::from_utf8_lossy(&bytes));
                panic::resume_unwind(payload);
            }
        }
    }
}

#[test]
fn of_cloudtrail() {
    hold(
        &[
            "samples/cloudtrail.jsonl",
            "tests/cases/inputs/18b-cloudtrail-eventbridge.json",
            "tests/cases/inputs/18c-cloudtrail-lookup-events.json",
            "tests/cases/inputs/19b-zero-padded.json.gz",
        ],
        |bytes| shared::json(&Format::CloudTrail, &["Records", "Events", "logEvents"], bytes),
    );
}

#[test]
fn of_kubernetes() {
    hold(&["samples/k8s.jsonl", "tests/cases/inputs/18a-k8s-eventlist.json"], |bytes| {
        shared::json(&Format::K8s, &["items", "logEvents"], bytes)
    });
}

#[test]
fn of_mappings() {
    for (name, lists) in
        [("github", &[][..]), ("okta", &[]), ("gcp", &["entries"]), ("gworkspace", &["items"])]
    {
        let format = shared::shipped(name);
        hold(&[&format!("samples/{name}.jsonl")], |bytes| shared::json(&format, lists, bytes));
    }
}

#[test]
fn of_auditd() {
    hold(
        &[
            "samples/auditd.log",
            "tests/cases/inputs/01a-auditd-quote-hides-failure.log",
            "tests/cases/inputs/25-auditd-small.log",
        ],
        shared::auditd,
    );
}

#[test]
fn of_our_own_records() {
    hold(&["samples/events.jsonl"], shared::jsonl);
}
