//! A vault: logs for different purposes and tenants, one query, one checkpoint, a proof of
//! one record, and reading that leaves a trace.
//!
//! `cargo run --example vault`
#![allow(missing_docs, clippy::print_stdout)]

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use bulla::proof::VaultProof;
use bulla::vault::{LogSpec, Routing, Rule};
use bulla::{
    Accessor, Actor, Attribution, Disclosure, Event, Query, Resource, Signer, Trust, Vault,
};

fn main() -> Result<(), Box<dyn Error>> {
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let dir = std::env::temp_dir().join(format!("bulla-vault-{stamp}"));
    std::fs::create_dir(&dir)?;
    let vault = Vault::options().origin("example.com/audit").create(dir.join("vault"))?;

    // Which log an event goes to is recorded, with who asked and why.
    let asked =
        Attribution::by("user:carol").because("logins are kept longer; reading leaves a trace");
    vault.add_log("logins", LogSpec::new(), &asked)?;
    vault.add_log("access", LogSpec::new(), &asked)?;
    let routing = Routing::to("main")
        .rule(Rule::to("logins").action_prefix("user.log"))
        .rule(Rule::per_tenant("tenant").action_prefix("document."));
    vault.set_routing(routing, &asked)?;

    // Each tenant has a handle, which sees nothing of others.
    let (acme, umbrella) = (vault.tenant("acme")?, vault.tenant("umbrella")?);
    let login =
        Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"));
    let read = |n: u32| {
        let document = Resource::new("document", n.to_string());
        Event::new(Actor::new("user", "alice"), "document.read", document)
    };
    acme.append(&login)?;
    (0..3).try_for_each(|n| acme.append(&read(n)).map(|_| ()))?;
    umbrella.append(&login)?;
    let reference = umbrella.append(&read(7))?.reference;
    println!("logs: {}", vault.logs().join(", "));
    println!(
        "acme sees {} records, and of umbrella's: {}",
        acme.count(&Query::new())?,
        match acme.get(&reference) {
            Ok(record) => record.to_json(),
            Err(error) => error.to_string(),
        }
    );

    // One question to all logs, which leaves a trace.
    let access = vault.access_log("access")?;
    let dana = Accessor::new(Actor::new("user", "dana"), "case 4711");
    for found in vault.reading(&access, &dana).query(&Query::new().actor("alice").limit(3))? {
        let found = found?;
        println!("{:>42} {}", found.log, found.record.event.action);
    }
    for trace in vault.log("access")?.snapshot().query(&Query::new().oldest_first())? {
        println!("trace: {}", trace?.to_json());
    }

    // One signature over all logs; a record of one of them, for a stranger.
    let signer =
        Signer::generate(&dir.join("vault.key"), vault.origin(), vault.control().algorithm())?;
    let checkpoint = vault.checkpoint(&signer)?.signed.into_unverified();
    let newest = vault.query(&Query::new().action("user.login")?.limit(1))?.next();
    let newest = newest.ok_or("expected a login")??;
    let proof = vault.prove(&newest.log, newest.record.seq, &checkpoint, Disclosure::Whole)?;
    let trust = Trust::in_keys([signer.verifying_key().to_string().parse()?]);
    let verified = VaultProof::parse(proof.to_text().as_bytes())?.verify(&trust)?;
    println!("proved in {}: {}", verified.log().name, verified.record().to_json());

    vault.close()?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}
