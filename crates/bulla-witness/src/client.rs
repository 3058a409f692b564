//! Asking one witness.

use std::fmt;
use std::time::Duration;

use bulla::checkpoint::{NoteSignature, UnverifiedCheckpoint, VerifyingKey};
use bulla::hash::Hash;
use bulla::seq::TreeSize;
use bulla::witness::AddCheckpoint;

/// Attempts at one witness: the first, the one with the size that it answers, and one more
/// if somebody else submitted meanwhile.
const ATTEMPTS: usize = 3;
/// The longest answer that is read: room for more signature lines than a note has.
const ANSWER_LEN_MAX: u64 = 64 * 1024;
const SIZE_TYPE: &str = "text/x.tlog.size";

/// Asks witnesses over HTTP or HTTPS.
#[derive(Clone, Debug)]
pub struct Client {
    agent: ureq::Agent,
    direct: ureq::Agent,
}

impl Client {
    /// A client that waits this long for a whole answer. It goes through the proxy that
    /// the environment names, except to this machine itself.
    pub fn new(timeout: Duration) -> Self {
        let agent = |direct: bool| {
            let config = ureq::Agent::config_builder()
                .timeout_global(Some(timeout))
                .http_status_as_error(false)
                .max_redirects(0)
                .user_agent(concat!("bulla/", env!("CARGO_PKG_VERSION")));
            match direct {
                true => config.proxy(None).build().new_agent(),
                false => config.build().new_agent(),
            }
        };
        Client { agent: agent(false), direct: agent(true) }
    }

    /// Submits a checkpoint to the witness with this key at this URL (its submission
    /// prefix), and gives the signature lines by that key, checked. `consistency` gives the
    /// proof between two sizes of the log.
    ///
    /// # Errors
    /// Why there is no cosignature.
    pub fn submit(
        &self,
        url: &str,
        witness: &VerifyingKey,
        checkpoint: &UnverifiedCheckpoint,
        consistency: &dyn Fn(TreeSize, TreeSize) -> Result<Vec<Hash>, String>,
    ) -> Result<Vec<NoteSignature>, SubmitError> {
        let size = checkpoint.dangerously_unverified().head().size;
        // What it has noted is for it to say.
        let mut old = TreeSize::ZERO;
        for _ in 0..ATTEMPTS {
            let proof = match old {
                TreeSize::ZERO => Vec::new(),
                old if old == size => Vec::new(),
                old => consistency(old, size).map_err(SubmitError::NoProof)?,
            };
            let request = AddCheckpoint::new(old, proof, checkpoint.clone())
                .map_err(|error| SubmitError::NoProof(error.to_string()))?;
            match self.post(url, &request)? {
                Posted::Lines(body) => return own_lines(&body, witness, checkpoint),
                Posted::Noted(noted) if noted > size => {
                    return Err(SubmitError::WitnessAhead { noted, size });
                }
                Posted::Noted(noted) if noted == old => {
                    let reason = format!("it asks for a proof from size {noted}, and got it");
                    return Err(SubmitError::BadAnswer(reason));
                }
                Posted::Noted(noted) => old = noted,
            }
        }
        Err(SubmitError::Contended)
    }

    fn post(&self, url: &str, request: &AddCheckpoint) -> Result<Posted, SubmitError> {
        let unreachable = |error: ureq::Error| SubmitError::Unreachable(error.to_string());
        let agent = if is_this_machine(url) { &self.direct } else { &self.agent };
        let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        let answer = agent.post(&url).content_type("text/plain; charset=utf-8");
        let mut answer = answer.send(request.to_text()).map_err(unreachable)?;
        let status = answer.status().as_u16();
        let content_type = answer.headers().get("content-type").cloned();
        let body = answer.body_mut().with_config().limit(ANSWER_LEN_MAX).read_to_vec();
        let body = body.map_err(unreachable)?;
        let is_size = content_type.is_some_and(|found| found.as_bytes() == SIZE_TYPE.as_bytes());
        match status {
            200 => Ok(Posted::Lines(body)),
            409 if is_size => size_in(&body).map(Posted::Noted).ok_or_else(|| {
                SubmitError::BadAnswer("expected a tree size in decimal on a line".to_owned())
            }),
            _ => Err(SubmitError::Refused { status, reason: shown(&body) }),
        }
    }
}

/// What a witness answered.
enum Posted {
    /// Signature lines, not read yet.
    Lines(Vec<u8>),
    /// The size that it has noted.
    Noted(TreeSize),
}

fn is_this_machine(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| {
        host.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}

/// A decimal without leading zeroes and a newline.
fn size_in(body: &[u8]) -> Option<TreeSize> {
    let text = std::str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(TreeSize::new(size))
}

/// The lines by this witness, if they are right; others are ignored.
fn own_lines(
    body: &[u8],
    witness: &VerifyingKey,
    checkpoint: &UnverifiedCheckpoint,
) -> Result<Vec<NoteSignature>, SubmitError> {
    let bad = |error: &dyn fmt::Display| SubmitError::BadAnswer(error.to_string());
    let lines = NoteSignature::parse_lines(body).map_err(|error| bad(&error))?;
    let own = lines.into_iter().filter(|l| l.name == *witness.name() && l.id == witness.id());
    // One says all; a witness that sends many does not fill up our note.
    let own: Vec<NoteSignature> = own.take(1).collect();
    let note = checkpoint.note().with_signatures(&own).map_err(|error| bad(&error))?;
    let verified = note.verify(std::slice::from_ref(witness)).map_err(|error| bad(&error))?;
    match verified.cosignatures() {
        [] => Err(bad(&"its own cosignature is not among the lines")),
        _ => Ok(own),
    }
}

/// The beginning of a hostile text, for an error.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// Why a witness did not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The policy has no URL for it, and none was given.
    #[error("no URL: add it to its line of the policy, or give --witness NAME=URL")]
    NoUrl,
    /// No answer: wrong URL, network, TLS, time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It refused.
    #[error("refused ({status}): {reason}")]
    Refused {
        /// The HTTP status: 404 it does not watch the log, 403 it does not know the log's
        /// key, 409 and 422 it saw another history.
        status: u16,
        /// What it says (its beginning).
        reason: String,
    },
    /// It has seen a larger checkpoint of the log: this one is old, or the log was rolled
    /// back.
    #[error(
        "it has seen {noted} records of this log, and this checkpoint has {size}: an old \
         checkpoint, or the log was rolled back"
    )]
    WitnessAhead {
        /// The size that it has noted.
        noted: TreeSize,
        /// The checkpoint's size.
        size: TreeSize,
    },
    /// Others submit to it at the same time; try again.
    #[error("others submit checkpoints of this log at the same time: try again")]
    Contended,
    /// Its answer is not as the protocol has it, or its cosignature is wrong.
    #[error("its answer is wrong: {0}")]
    BadAnswer(String),
    /// The log could not prove what the witness asks for.
    #[error("the log cannot prove what the witness asks for: {0}")]
    NoProof(String),
}
