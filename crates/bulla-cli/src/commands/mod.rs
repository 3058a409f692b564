//! The verbs of the command line, one a file.

mod append;
mod audit;
mod bench;
mod checkpoint;
mod demo;
mod erase;
mod export_tiles;
mod get;
mod history;
mod hold;
mod import;
mod init;
mod key;
mod keygen;
mod keystore;
mod prove;
mod query;
mod restore;
mod retain;
mod segments;
mod stats;
mod tail;
mod verify;
mod verify_proof;
mod witness;

use anyhow::Result;
use clap::Subcommand;

use crate::failure::Verdict;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the whole story on sample data; ends by catching a tampering
    Demo(demo::Demo),
    /// Make a new, empty log
    Init(init::Init),
    /// Bring in audit events from files
    Import(import::Import),
    /// Append one event, or events as JSON lines from standard input
    Append(append::Append),
    /// Show one record whole
    Get(get::Get),
    /// Find records by actor, resource, action, time and more
    Query(query::Query),
    /// Show the last records, and follow a log that is being written
    Tail(tail::Tail),
    /// Make a key that signs checkpoints
    Keygen(keygen::Keygen),
    /// Hand over, recover, revoke and retire keys; print the key chain
    Key(key::Key),
    /// Make, list and rewrap the store of keys that payloads are encrypted with
    Keystore(keystore::Keystore),
    /// Destroy the key of a subject, and so its payloads; proofs stay good
    Erase(erase::Erase),
    /// Sign what the log holds now, and publish it
    Checkpoint(checkpoint::Checkpoint),
    /// Cosign the checkpoints of other machines' logs, as a service
    Witness(witness::Witness),
    /// Write a file that proves records, or the log's growth, to a stranger
    Prove(prove::Prove),
    /// Check proofs: offline, with nothing but the log's public key
    VerifyProof(verify_proof::VerifyProof),
    /// Re-read and re-hash the whole log, or an archive, and name everything that does not hold
    Verify(verify::Verify),
    /// Bring dropped segments back from an archive
    Restore(restore::Restore),
    /// Write a directory that a static file server serves as a C2SP log
    ExportTiles(export_tiles::ExportTiles),
    /// Recompute the indexes of an exported log, as an auditor, and sign what was found
    Audit(audit::Audit),
    /// Place, release and list legal holds; works while a service has the log open
    Hold(hold::HoldCommand),
    /// Set how long records are kept, and let go of those whose time is over
    Retain(retain::Retain),
    /// List the files that hold the records, and those that are gone
    Segments(segments::Segments),
    /// Show sizes and counts of a log
    Stats(stats::Stats),
    /// Show the log's own history: segments, signed heads, keys, holds, drops, quarantine
    History(history::History),
    /// Measure appends on this machine, next to a raw file
    Bench(bench::Bench),
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> Result<Verdict> {
        match self {
            Command::Demo(args) => args.run(),
            Command::Init(args) => args.run(),
            Command::Import(args) => args.run(),
            Command::Append(args) => args.run(),
            Command::Get(args) => args.run(),
            Command::Query(args) => args.run(),
            Command::Tail(args) => args.run(),
            Command::Keygen(args) => args.run(),
            Command::Key(args) => args.run(),
            Command::Keystore(args) => args.run(),
            Command::Erase(args) => args.run(),
            Command::Checkpoint(args) => args.run(),
            Command::Witness(args) => args.run(),
            Command::Prove(args) => args.run(),
            Command::VerifyProof(args) => args.run(),
            Command::Verify(args) => args.run(),
            Command::Restore(args) => args.run(),
            Command::ExportTiles(args) => args.run(),
            Command::Audit(args) => args.run(),
            Command::Hold(args) => args.run(),
            Command::Retain(args) => args.run(),
            Command::Segments(args) => args.run(),
            Command::Stats(args) => args.run(),
            Command::History(args) => args.run(),
            Command::Bench(args) => args.run(),
        }
    }
}
