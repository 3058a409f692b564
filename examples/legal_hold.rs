//! Seven years of an audit log in a few seconds: a policy, a legal hold, an expiry with
//! certificates, a proof of a held record, and the release.
//!
//! `cargo run --example legal_hold`
#![allow(missing_docs, clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bulla::time::{Clock, ManualClock};
use bulla::{
    Actor, Attribution, Disclosure, Event, ExpireOptions, Hold, HoldScope, Log, Policy, Preset,
    Query, Resource, Seq, Signer, TlogProof, Trust,
};

type Done<T> = Result<T, Box<dyn Error>>;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn main() -> Done<()> {
    let dir = std::env::temp_dir().join(format!("bulla-legal-hold-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let told = story(&dir);
    std::fs::remove_dir_all(&dir)?;
    told
}

fn story(dir: &Path) -> Done<()> {
    // A clock of our own, so that years pass in no time.
    let clock = Arc::new(ManualClock::at("2020-01-01T00:00:00Z".parse()?));
    let path = dir.join("audit");
    let options = Log::options().origin("example.com/audit");
    let log = options.clone().clock(Arc::clone(&clock) as Arc<dyn Clock>).create(&path)?;

    // The policy comes first: each seal fixes by it how long its segment is kept.
    let carol = |why: &str| Attribution::by("carol").because(why);
    log.retention().set_policy(&Policy::preset(Preset::Hipaa), &carol("policy 12"))?;
    for month in 1..=12 {
        record_a_month(&log, month)?;
        log.rotate()?;
        clock.advance(DAY * 30);
    }
    println!(
        "recorded a year: {} records in {} segments",
        log.size(),
        log.snapshot().segments()?.len()
    );

    let signer = Signer::generate(&dir.join("audit.key"), log.origin(), log.algorithm())?;
    let checkpoint = log.checkpoint(&signer)?.into_unverified();
    println!("signed a checkpoint of 2020, which an auditor keeps");

    // Litigation. The hold is in force when the call has returned; `LogOptions::administer` does
    // the same from another process, while this one has the log open.
    let scope = HoldScope::new().actor("mallory");
    let hold = Hold::new("2021-117", scope).custodian("legal@example.com");
    log.retention().place_hold(&hold, &carol("Smith v. Example"))?;
    let pinned = log.snapshot().segments_held_by("2021-117")?;
    println!("held {} records of mallory, in segments {:?}", pinned.records, pinned.segments);

    // Seven years on. A log in use has a record of today; without one the clock is not believed.
    clock.advance(DAY * 366 * 7);
    record_a_month(&log, 13)?;
    println!("\nseven years on, the dry run says:");
    for step in log.snapshot().plan_expiry(&ExpireOptions::new())?.steps {
        println!("  segment {:>2}: {}", step.segment.ordinal, step.verdict);
    }
    expire(&log, &carol("yearly"))?;

    // What went is expired, not missing; what is held is there, and proved as ever.
    match log.snapshot().get(Seq::new(0)) {
        Err(error @ bulla::Error::Expired { .. }) => println!("\nasked for record 0: {error}"),
        other => return Err(format!("record 0 should have expired: {other:?}").into()),
    }
    let held = log.snapshot().query(&Query::new().actor("mallory").limit(1))?.next();
    let held = held.ok_or("a held record is gone")??;
    let proof = log.snapshot().prove(held.seq, &checkpoint, Disclosure::Whole)?.to_text();
    let trust = Trust::in_keys([signer.verifying_key().to_string().parse()?]);
    let proved = TlogProof::parse(proof.as_bytes())?.verify_record(&trust)?;
    println!("proved record {} under the checkpoint of 2020", proved.record().seq);

    // Settled: the hold is released, and what it pinned goes with the next expiry.
    log.retention().release_hold("2021-117", &carol("settled"))?;
    println!("\nreleased the hold");
    expire(&log, &carol("after 2021-117"))?;
    log.close()?;

    let report = bulla::verify(&path, &bulla::VerifyOptions::new(), &mut |_| ())?;
    let checked = report.gaps.iter().filter(|gap| gap.verdict == bulla::GapVerdict::Checked);
    println!(
        "\nverified: {} findings, {} gaps, {} of them checked against the hashes that stay",
        report.findings.len(),
        report.gaps.len(),
        checked.count()
    );
    for finding in &report.findings {
        println!("  {finding}");
    }
    println!("\nwhat is on record of it:");
    for entry in options.open_read_only(&path)?.snapshot().catalog().history()? {
        let about = ["policy", "hold", "drop certificate"];
        if about.iter().any(|about| entry.what.contains(about)) {
            let (who, why) = (entry.who.unwrap_or_default(), entry.why.unwrap_or_default());
            println!("  {}: {} ({who}: {why})", entry.what, entry.detail);
        }
    }
    Ok(())
}

/// Ten people a month; mallory in March and July alone.
fn record_a_month(log: &Log, month: u32) -> Done<()> {
    let last = if month == 3 || month == 7 { "mallory" } else { "user-9" };
    let users = (0..9).map(|n| format!("user-{n}")).chain([last.to_owned()]);
    let event = |user| {
        let patient = Resource::new("patient", month.to_string());
        Event::new(Actor::new("user", user), "record.read", patient)
    };
    let events: Vec<Event> = users.map(event).collect();
    log.append_batch(&events)?;
    Ok(())
}

fn expire(log: &Log, asked: &Attribution) -> Done<()> {
    let expiry = log.retention().expire(&ExpireOptions::new(), asked)?;
    println!("\nexpired {} segments:", expiry.dropped.len());
    for certificate in &expiry.dropped {
        println!("  {certificate}");
    }
    for (ordinal, why) in &expiry.stayed {
        println!("  segment {ordinal} stayed: {why}");
    }
    Ok(())
}
