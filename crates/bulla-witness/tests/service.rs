//! The promise: a witness cosigns one history of each log, whoever asks, in whatever order,
//! and whatever stops it.

// Lints know test functions as tests, but not the functions those call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod machine;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bulla::Trust;
use bulla::checkpoint::NoteSignature;
use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::seq::TreeSize;
use bulla::witness::AddCheckpoint;
use bulla_witness::{Limits, MemoryError, SubmitError, Witness};
use machine::{Machine, NOW, cosigner, policy, serve, serve_with, witness_on};

const ORIGIN: &str = "example.com/audit";

#[test]
fn two_machines_watch_each_other() {
    let (a, b) = (Machine::new("a.example/audit"), Machine::new("b.example/audit"));
    let keys = [&a, &b].map(|machine| machine.signer.verifying_key().clone());
    let on_a = serve(a.dir.path().join("witness"), 1, &keys[1..]);
    let on_b = serve(b.dir.path().join("witness"), 2, &keys[..1]);
    for (machine, key, witness) in [(&a, &keys[0], &on_b), (&b, &keys[1], &on_a)] {
        let policy = policy(key, &[witness]);
        let trust = Trust::in_policy(policy.clone());
        for round in 0..4 {
            let checkpoint = machine.grow(round, "grow");
            assert!(round == 0 || trust.verify(&checkpoint).is_err(), "not cosigned yet");
            let (cosigned, asked) = machine.collect(&policy, &checkpoint);
            assert!(asked.iter().all(|asked| asked.result.is_ok()), "{asked:?}");
            let verified = trust.verify(&cosigned).unwrap();
            assert_eq!(verified.cosignatures()[0].unix_seconds(), NOW.unsigned_abs());
            assert_eq!(machine.log.checkpoints().latest().unwrap().unwrap(), cosigned);
            // Who has cosigned is not asked again.
            let (again, asked) = machine.collect(&policy, &cosigned);
            assert!(asked.is_empty() && again == cosigned);
        }
    }
    // Each watches the other, not itself.
    let refused = a.submit(&on_a.url, &on_a.key, &a.grow(1, "grow"));
    assert!(matches!(refused, Err(SubmitError::Refused { status: 404, .. })), "{refused:?}");
}

#[test]
fn a_fork_and_a_rollback_are_refused_also_after_a_restart() {
    let honest = Machine::new(ORIGIN);
    let key = [honest.signer.verifying_key().clone()];
    let first = honest.grow(3, "before");
    let forked = honest.forked();
    let state = honest.dir.path().join("witness");
    let mut witness = serve(state.clone(), 1, &key);
    honest.submit(&witness.url, &witness.key, &first).unwrap();
    let second = honest.grow(3, "honest");
    honest.submit(&witness.url, &witness.key, &second).unwrap();
    let of_same_size = forked.grow(3, "forked");
    let larger = forked.grow(3, "forked");
    for restarted in [false, true] {
        if restarted {
            witness.server.stop();
            witness = serve(state.clone(), 1, &key);
        }
        let status = |checkpoint| match forked.submit(&witness.url, &witness.key, checkpoint) {
            Err(SubmitError::Refused { status, .. }) => status,
            other => panic!("{other:?}"),
        };
        assert_eq!(status(&of_same_size), 409);
        assert_eq!(status(&larger), 422);
        let rolled_back = honest.submit(&witness.url, &witness.key, &first);
        assert!(matches!(rolled_back, Err(SubmitError::WitnessAhead { .. })), "{rolled_back:?}");
        // The honest log goes on.
        honest.submit(&witness.url, &witness.key, &second).unwrap();
    }
    honest.submit(&witness.url, &witness.key, &honest.grow(1, "honest")).unwrap();
}

#[test]
fn a_log_with_an_unknown_key_is_refused() {
    let (known, unknown) = (Machine::new(ORIGIN), Machine::new(ORIGIN));
    let key = [known.signer.verifying_key().clone()];
    let witness = serve(known.dir.path().join("witness"), 1, &key);
    let refused = unknown.submit(&witness.url, &witness.key, &unknown.grow(1, "x"));
    assert!(matches!(refused, Err(SubmitError::Refused { status: 403, .. })), "{refused:?}");
}

#[test]
fn an_answer_by_another_witness_is_not_taken() {
    let machine = Machine::new(ORIGIN);
    let witness = serve(machine.dir.path().join("w"), 1, &[machine.signer.verifying_key().clone()]);
    let another = cosigner("w.example/2", 2);
    let refused = machine.submit(&witness.url, another.verifying_key(), &machine.grow(1, "x"));
    assert!(matches!(refused, Err(SubmitError::BadAnswer(_))), "{refused:?}");
    // Of the same name and key id it would be a wrong signature; a dead one is no answer.
    let url = witness.url.clone();
    witness.server.stop();
    let refused = machine.submit(&url, another.verifying_key(), &machine.grow(1, "x"));
    assert!(matches!(refused, Err(SubmitError::Unreachable(_))), "{refused:?}");
}

/// Requests of the two histories for every size from 4 to `records`, each with a proof from
/// each smaller size.
fn requests(machines: &[&Machine; 2], records: usize) -> Vec<AddCheckpoint> {
    let mut requests = Vec::new();
    for (machine, action) in machines.iter().zip(["honest", "forked"]) {
        for _ in 0..records {
            let checkpoint = machine.grow(1, action);
            let size = checkpoint.dangerously_unverified().head().size;
            for old in 0..=size.get() {
                let proof = match old {
                    0 => vec![],
                    old => machine.log.snapshot().consistency(TreeSize::new(old), size).unwrap(),
                };
                let request = AddCheckpoint::new(TreeSize::new(old), proof, checkpoint.clone());
                requests.push(request.unwrap());
            }
        }
    }
    requests
}

/// The heads that a witness cosigned: each answer is checked.
fn cosigned(witness: &Witness, request: &AddCheckpoint) -> Option<(u64, String)> {
    let answer = witness.add_checkpoint(request.to_text().as_bytes());
    if answer.status != 200 {
        assert!(!answer.body.contains('\u{2014}'), "no signature: {answer:?}");
        return None;
    }
    let lines = NoteSignature::parse_lines(answer.body.as_bytes()).unwrap();
    let note = request.checkpoint().note().with_signatures(&lines).unwrap();
    assert_eq!(note.verify(&[witness.verifying_key().clone()]).unwrap().cosignatures().len(), 1);
    let head = request.checkpoint().dangerously_unverified().head();
    Some((head.size.get(), head.root.to_string()))
}

fn assert_one_root_per_size(heads: &BTreeSet<(u64, String)>) {
    let sizes: BTreeSet<u64> = heads.iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes.len(), heads.len(), "two heads of one size: {heads:?}");
}

#[test]
fn submissions_at_the_same_time_never_get_two_heads_of_one_size_cosigned() {
    let honest = Machine::new(ORIGIN);
    honest.grow(1, "before");
    let forked = honest.forked();
    let requests = requests(&[&honest, &forked], 4);
    let key = [honest.signer.verifying_key().clone()];
    for round in 0..8usize {
        let disk = Arc::new(SimDisk::new(1));
        let witness = witness_on(disk, Path::new("/w"), 1, &key);
        let all = std::thread::scope(|scope| {
            let (witness, requests) = (&witness, &requests);
            let ask = |thread: usize| {
                let shifted = requests.iter().cycle().skip((thread * 7 + round) % requests.len());
                let answers = shifted.take(requests.len()).filter_map(|r| cosigned(witness, r));
                answers.collect::<BTreeSet<_>>()
            };
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || ask(thread))).collect();
            threads.into_iter().flat_map(|t| t.join().unwrap()).collect::<BTreeSet<_>>()
        });
        assert!(!all.is_empty());
        assert_one_root_per_size(&all);
    }
}

#[test]
fn a_crash_or_a_failing_disk_at_any_step_lets_no_second_history_through() {
    let honest = Machine::new(ORIGIN);
    honest.grow(1, "before");
    let forked = honest.forked();
    let requests = requests(&[&honest, &forked], 2);
    let key = [honest.signer.verifying_key().clone()];
    let kinds = [FaultKind::Eio, FaultKind::Enospc, FaultKind::ShortWrite, FaultKind::SyncFailed];
    let faults = kinds.into_iter().flat_map(|kind| [(kind, true), (kind, false)]);
    let plans: Vec<_> = faults.map(Some).chain([None]).collect();
    let mut refused_for_the_disk = 0;
    for plan in plans {
        for at in 0..14 {
            for seed in 0..4 {
                let disk = Arc::new(SimDisk::new(seed));
                let mut heads = BTreeSet::new();
                let open = |disk: &Arc<SimDisk>| {
                    witness_on(Arc::clone(disk) as _, Path::new("/w"), 1, &key)
                };
                let witness = open(&disk);
                match plan {
                    Some((kind, stored)) => disk.plan(Fault { at, kind, stored }),
                    None => disk.crash_after(at),
                }
                // One history before the power goes, the other one after it.
                for request in &requests[..requests.len() / 2] {
                    let answer = witness.add_checkpoint(request.to_text().as_bytes());
                    refused_for_the_disk += usize::from(answer.status == 500);
                    heads.extend(cosigned(&witness, request));
                }
                drop(witness);
                disk.crash();
                let witness = open(&disk);
                for request in requests.iter().rev() {
                    heads.extend(cosigned(&witness, request));
                }
                assert_one_root_per_size(&heads);
            }
        }
    }
    assert!(refused_for_the_disk > 0, "the faults struck");
}

#[test]
fn a_full_disk_means_no_signature_and_work_goes_on_when_there_is_room() {
    let machine = Machine::new(ORIGIN);
    let request = AddCheckpoint::new(TreeSize::ZERO, vec![], machine.grow(1, "x")).unwrap();
    let disk = Arc::new(SimDisk::new(1));
    let key = [machine.signer.verifying_key().clone()];
    let witness = witness_on(Arc::clone(&disk) as _, Path::new("/w"), 1, &key);
    disk.set_capacity(disk.used_bytes());
    let answer = witness.add_checkpoint(request.to_text().as_bytes());
    assert_eq!(answer.status, 500);
    assert!(!answer.body.contains('\u{2014}') && !answer.body.contains("/w"), "{answer:?}");
    assert!(answer.told.contains("/w"), "the operator is told where: {answer:?}");
    disk.set_capacity(u64::MAX);
    assert!(cosigned(&witness, &request).is_some());
}

#[test]
fn a_damaged_or_foreign_memory_means_no_signature() {
    let machine = Machine::new(ORIGIN);
    let key = [machine.signer.verifying_key().clone()];
    let state = machine.dir.path().join("w");
    let witness = witness_on(Arc::new(bulla::disk::RealDisk), &state, 1, &key);
    let request = AddCheckpoint::new(TreeSize::ZERO, vec![], machine.grow(1, "x")).unwrap();
    assert!(cosigned(&witness, &request).is_some());
    let names = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path());
    let [file] = &names.filter(|p| !p.ends_with("LOCK")).collect::<Vec<_>>()[..] else {
        panic!("one file")
    };
    let good = std::fs::read(file).unwrap();
    let size = AddCheckpoint::new(TreeSize::new(2), vec![], request.checkpoint().clone()).unwrap();
    assert!(cosigned(&witness, &size).is_some());
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(file, &bad).unwrap();
        for request in [&request, &size] {
            let answer = witness.add_checkpoint(request.to_text().as_bytes());
            // The log's own line is not what the memory rests on.
            let text = String::from_utf8_lossy(&bad);
            let untouched = text.starts_with("example.com/audit\n2\n")
                && text.split("\n\n").next() == String::from_utf8_lossy(&good).split("\n\n").next();
            assert!(answer.status == 500 || untouched, "byte {at}: {answer:?}");
        }
    }
    for cut in 0..good.len() {
        std::fs::write(file, &good[..cut]).unwrap();
        assert_eq!(witness.add_checkpoint(request.to_text().as_bytes()).status, 500, "{cut}");
    }
}

#[test]
fn two_witnesses_do_not_share_a_memory() {
    let machine = Machine::new(ORIGIN);
    let state = machine.dir.path().join("w");
    let key = [machine.signer.verifying_key().clone()];
    let first = witness_on(Arc::new(bulla::disk::RealDisk), &state, 1, &key);
    let own = first.verifying_key().clone();
    let open = || bulla_witness::Memory::open(Arc::new(bulla::disk::RealDisk), &state, &own);
    assert!(matches!(open(), Err(MemoryError::InUse { .. })));
    drop(first);
    assert!(open().is_ok());
}

/// Sends bytes and reads until the server closes.
fn exchange(address: &str, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(600))).unwrap();
    // The server may close before it has read all.
    let _ = stream.write_all(sent);
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    String::from_utf8_lossy(&received).into_owned()
}

fn post(body: &str) -> Vec<u8> {
    let head = "POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nConnection: close\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn what_is_no_request_is_refused_and_the_server_lives_on() {
    let machine = Machine::new(ORIGIN);
    let witness = serve(machine.dir.path().join("w"), 1, &[machine.signer.verifying_key().clone()]);
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let long = "x".repeat(65 * 1024);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(10_000)).into_bytes();
    for (sent, status) in [
        (get("/"), "404"),
        (get("/add-checkpoint"), "405"),
        (post(""), "400"),
        (post("old 0\n\nnonsense"), "400"),
        (post(&long), "413"),
        (many, "431"),
        (b"\x16\x03\x01 this is TLS\r\n\r\n".to_vec(), "400"),
    ] {
        let received = exchange(&witness.url, &sent);
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {received}");
    }
    // Chunks without end are too long as well.
    let mut chunked =
        b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..80 {
        chunked.extend(format!("400\r\n{}\r\n", "x".repeat(1024)).into_bytes());
    }
    assert!(exchange(&witness.url, &chunked).starts_with("HTTP/1.1 413 "));
    machine.submit(&witness.url, &witness.key, &machine.grow(1, "x")).unwrap();
}

#[test]
fn who_says_nothing_or_too_little_is_cut_off_and_lets_others_in() {
    let machine = Machine::new(ORIGIN);
    let key = [machine.signer.verifying_key().clone()];
    let (request, connection) = (Duration::from_millis(300), Duration::from_millis(500));
    let limits = Limits { connections: 1, request, connection };
    let witness = serve_with(machine.dir.path().join("w"), 1, &key, limits);
    let address = witness.url.trim_start_matches("http://").to_owned();
    let silent = TcpStream::connect(&address).unwrap();
    let mut half_a_head = TcpStream::connect(&address).unwrap();
    half_a_head.write_all(b"POST /add-ch").unwrap();
    let mut half_a_body = TcpStream::connect(&address).unwrap();
    let whole = post("old 0\n\n");
    half_a_body.write_all(&whole[..whole.len() - 3]).unwrap();
    // One after the other they lose their place. On a busy machine an honest request may be too
    // slow for these limits, too: it is sent again.
    let grown = machine.grow(1, "x");
    while machine.submit(&witness.url, &witness.key, &grown).is_err() {}
    for mut stream in [silent, half_a_head, half_a_body] {
        stream.set_read_timeout(Some(Duration::from_secs(600))).unwrap();
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        assert!(!received.starts_with(b"HTTP/1.1 200"));
    }
}
