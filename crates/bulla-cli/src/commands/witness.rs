//! `bulla witness`: cosign the checkpoints of other machines' logs.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bulla::checkpoint::VerifyingKey;
use bulla::disk::RealDisk;
use bulla::time::SystemClock;
use bulla::witness::PolicyLog;
use bulla_witness::{Cosigner, Limits, Memory, Server, Witness as Cosigning};
use clap::Args;

use crate::failure::Verdict;
use crate::outputs::{self, Inputs, Mark};
use crate::{keys, output};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla witness --key w1.key --state ./w1 --log audit.key.pub --listen 127.0.0.1:8090

Remembers in --state the largest checkpoint of each log that it cosigned, and cosigns a new
one only if the log proves that it extends that. Losing --state is losing the witness: make
a new key then. It speaks HTTP; for others than this machine, put a reverse proxy with TLS
in front. Ctrl-C ends it. See docs/witnessing.md.")]
pub(crate) struct Witness {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// The private key, as made by `bulla keygen --witness`
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Directory of what it remembers; made if it is not there
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Verifying key of a log to watch, or a file of them; may be repeated
    #[arg(long, value_name = "VKEY|FILE", required_unless_present = "policy")]
    log: Vec<String>,
    /// Watch the logs that this policy names
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Witness {
    pub(crate) fn run(self) -> Result<Verdict> {
        let cosigner = Cosigner::load(&keys::private_key(&self.key)?)?;
        let logs = self.logs()?;
        Cosigning::check_logs(&logs)?;
        let own = cosigner.verifying_key().clone();
        let inputs = Inputs::default().keys([&self.key]);
        outputs::check_dir(&self.state, Some(Mark::WitnessMemory), &inputs)?;
        let memory = Memory::open(Arc::new(RealDisk), &self.state, &own)?;
        let witness = Cosigning::new(cosigner, logs, memory, Arc::new(SystemClock::new()))?;
        let listener =
            TcpListener::bind(self.listen).with_context(|| format!("listen on {}", self.listen))?;
        let mut out = output::stdout();
        writeln!(out, "http://{} {own}", listener.local_addr()?)?;
        out.flush()?;
        let tell = |line: &str| {
            // Nobody may be reading; the work goes on.
            let _ = writeln!(output::stderr(), "bulla: {line}");
        };
        Server::run(witness, listener, Limits::default(), tell)?;
        Ok(Verdict::Fine)
    }

    fn logs(&self) -> Result<Vec<VerifyingKey>> {
        let mut logs = keys::verifying_keys_of("--log", &self.log)?;
        if let Some(path) = &self.policy {
            logs.extend(keys::policy(path)?.logs().iter().map(PolicyLog::key).cloned());
        }
        if logs.is_empty() {
            bail!("expected logs to watch: give --log VKEY, or a --policy that names some");
        }
        Ok(logs)
    }
}
