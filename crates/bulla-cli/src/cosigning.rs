//! Asking witnesses to cosign a published checkpoint, and saying what came of it.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bulla::checkpoint::{NoteSignature, VerifyingKey};
use bulla::trust::TrustError;
use bulla::witness::{Policy, PolicyName, Witness};
use bulla::{HashAlgorithm, LogReader, TreeSize, Trust, UnverifiedCheckpoint};
use bulla_witness::{Client, collect};

use crate::failure::{NotProved, Verdict};
use crate::output;
use crate::{keys, open_log, text};

/// How long a witness may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Whom to ask.
pub(crate) struct Cosigning {
    policy: Policy,
    /// Name of a witness in the policy, and where it is.
    places: Vec<(String, String)>,
}

/// A checkpoint with what the witnesses added.
pub(crate) struct Cosigned {
    /// What to show for it.
    pub(crate) text: String,
    /// Whether the quorum is reached.
    pub(crate) verdict: Verdict,
}

/// Reads `--witness NAME=URL`.
pub(crate) fn place(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && url.contains("://") => {
            Ok((name.to_owned(), url.to_owned()))
        }
        _ => Err("expected NAME=URL, with a name from the policy".to_owned()),
    }
}

impl Cosigning {
    /// Reads the policy, before anything is signed.
    pub(crate) fn read(path: &Path, places: &[(String, String)]) -> Result<Self> {
        let policy = keys::policy(path)?;
        for (name, _) in places {
            if !policy.witnesses().iter().any(|w| w.name().as_bytes() == name.as_bytes()) {
                bail!("--witness {name}: {} names no such witness", path.display());
            }
        }
        Ok(Cosigning { policy, places: places.to_vec() })
    }

    /// Asks the witnesses to cosign what was just signed, or else the newest published
    /// checkpoint, and keeps what they answer with it.
    pub(crate) fn ask(
        &self,
        dir: &Path,
        signed: Option<(UnverifiedCheckpoint, &VerifyingKey)>,
    ) -> Result<Cosigned> {
        let reader = open_log::reader(dir)?;
        check_algorithm(dir, reader.algorithm())?;
        let checkpoint = reader
            .checkpoints()
            .latest()?
            .with_context(|| format!("{}: nothing is published yet; give --key", dir.display()))?;
        let trust = self.trust(&reader, signed.as_ref().map(|(_, key)| *key))?;
        let published = self.collect(&reader, &checkpoint)?;
        let verdict = say_quorum(&trust, &published)?;
        Ok(Cosigned { text: published.to_text(), verdict })
    }

    /// The log's keys are those of the policy; if it names none, the one that signed.
    fn trust(&self, reader: &LogReader, signer: Option<&VerifyingKey>) -> Result<Trust> {
        let trust = match signer {
            _ if !self.policy.logs().is_empty() => Trust::in_policy(self.policy.clone()),
            Some(key) => Trust::in_keys([key.clone()]).with_witnesses(self.policy.clone()),
            None => bail!("the policy names no log, so nobody can tell who signed; give --key"),
        };
        let told = |error: bulla::keys::KeyChainError| NotProved(error.to_string());
        Ok(trust.with_key_chain(&reader.snapshot().catalog().key_chain()?).map_err(told)?)
    }

    fn collect(
        &self,
        reader: &LogReader,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<UnverifiedCheckpoint> {
        let client = Client::new(TIMEOUT);
        let url_of = |witness: &Witness| {
            let given =
                self.places.iter().find(|(name, _)| witness.name().as_bytes() == name.as_bytes());
            let own = || witness.url().and_then(PolicyName::to_str).map(str::to_owned);
            given.map(|(_, url)| url.clone()).or_else(own)
        };
        let consistency = |old: TreeSize, new: TreeSize| {
            reader.snapshot().consistency(old, new).map_err(|error: bulla::Error| error.to_string())
        };
        let asked = collect(&client, &self.policy, checkpoint, &url_of, &consistency);
        let mut err = output::stderr();
        let mut lines: Vec<NoteSignature> = Vec::new();
        for asked in asked {
            let (name, key) = (asked.witness.name(), asked.witness.key().name());
            match asked.result {
                Ok(more) => {
                    writeln!(err, "bulla: {name} ({key}) cosigned")?;
                    lines.extend(more);
                }
                Err(error) => writeln!(err, "bulla: {name} ({key}) did not cosign: {error}")?,
            }
        }
        Ok(reader.checkpoints().add_cosignatures(checkpoint, &lines)?)
    }
}

/// Refuses heads that witnesses do not cosign. `place`: the log, or the key that signs for it.
pub(crate) fn check_algorithm(place: &Path, found: HashAlgorithm) -> Result<()> {
    if found != HashAlgorithm::Sha256 {
        bail!(
            "{}: expected a SHA-256 log, as witnesses cosign no other heads, found {found} heads; \
             leave out --policy, or create a log that is to be witnessed with `bulla init --hash \
             sha256`",
            place.display()
        );
    }
    Ok(())
}

fn say_quorum(trust: &Trust, published: &UnverifiedCheckpoint) -> Result<Verdict> {
    let mut err = output::stderr();
    match trust.verify(published) {
        Ok(verified) => {
            let cosigned = text::counted(verified.cosignatures().len() as u64, "cosignature");
            writeln!(err, "bulla: the quorum is reached, with {cosigned}")?;
            Ok(Verdict::Fine)
        }
        Err(error @ TrustError::TooFewWitnesses { .. }) => {
            writeln!(err, "bulla: the quorum is not reached: {error}")?;
            Ok(Verdict::Failed)
        }
        Err(error) => Err(NotProved(error.to_string()).into()),
    }
}
