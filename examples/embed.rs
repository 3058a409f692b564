//! A service that embeds a log: many threads, a ticket without waiting, a signed
//! checkpoint, and a proof that is checked with nothing but the public key.
//!
//! `cargo run --example embed`
#![allow(missing_docs, clippy::print_stdout)]

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use bulla::{Actor, Disclosure, Event, Log, Outcome, Query, Resource, Signer, TlogProof, Trust};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let dir = std::env::temp_dir().join(format!("bulla-embed-{stamp}"));
    std::fs::create_dir(&dir)?;
    let log = Log::options().origin("example.com/audit").create(dir.join("log"))?;

    // Any number of threads; each append is durable when it returns.
    std::thread::scope(|scope| {
        let workers: Vec<_> = ["alice", "bob", "carol"]
            .into_iter()
            .map(|user| {
                let log = log.clone();
                scope.spawn(move || (0..100).try_for_each(|n| view_invoice(&log, user, n)))
            })
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, bulla::Result<()>>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().try_for_each(join)
    })?;

    // Without waiting: the ticket is a future, and can be waited on as well.
    let login =
        Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"));
    let receipt = log.enqueue(&login)?.wait()?;

    // The key lives outside the log's directory.
    let signer = Signer::generate(&dir.join("audit.key"), log.origin(), log.algorithm())?;
    let checkpoint = log.checkpoint(&signer)?.into_unverified();
    let proof = log.snapshot().prove(receipt.seq, &checkpoint, Disclosure::Whole)?.to_text();

    // Elsewhere, by somebody who has the proof and the public key.
    let trust = Trust::in_keys([signer.verifying_key().to_string().parse()?]);
    let verified = TlogProof::parse(proof.as_bytes())?.verify_record(&trust)?;
    println!("proved: {}", verified.record().to_json());

    let denied = log.snapshot().query(&Query::new().outcome(Outcome::Denied))?.count();
    println!("{} records, {denied} of them denied, in {}", log.size(), dir.display());
    log.close()?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn view_invoice(log: &Log, user: &str, n: u32) -> bulla::Result<()> {
    let invoice = Resource::new("invoice", n.to_string());
    let outcome = if n.is_multiple_of(10) { Outcome::Denied } else { Outcome::Success };
    let event = Event::new(Actor::new("user", user), "invoice.view", invoice).outcome(outcome);
    log.append(&event).map(|_| ())
}
