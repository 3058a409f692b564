//! Asking all the witnesses of a policy.

use bulla::checkpoint::{NoteSignature, UnverifiedCheckpoint};
use bulla::hash::Hash;
use bulla::seq::TreeSize;
use bulla::witness::{Policy, Witness};

use crate::client::{Client, SubmitError};

/// Witnesses that are asked at one time.
const AT_ONCE: usize = 8;

/// What came of asking a witness.
#[derive(Debug)]
pub struct Asked<'p> {
    /// Which.
    pub witness: &'p Witness,
    /// Its signature lines, checked, to be added to the checkpoint.
    pub result: Result<Vec<NoteSignature>, SubmitError>,
}

/// Asks those witnesses of a policy that have not cosigned the checkpoint, a few at a time,
/// and gives what came of each, in the order of the policy. `url_of` says where each is.
pub fn collect<'p>(
    client: &Client,
    policy: &'p Policy,
    checkpoint: &UnverifiedCheckpoint,
    url_of: &(dyn Fn(&Witness) -> Option<String> + Sync),
    consistency: &(dyn Fn(TreeSize, TreeSize) -> Result<Vec<Hash>, String> + Sync),
) -> Vec<Asked<'p>> {
    let absent = |witness: &&Witness| {
        let verified = checkpoint.note().verify(std::slice::from_ref(witness.key()));
        verified.is_err()
    };
    let ask = |witness: &'p Witness| {
        let result = match url_of(witness) {
            Some(url) => client.submit(&url, witness.key(), checkpoint, &consistency),
            None => Err(SubmitError::NoUrl),
        };
        Asked { witness, result }
    };
    let witnesses: Vec<&Witness> = policy.witnesses().iter().filter(absent).collect();
    let mut asked = Vec::with_capacity(witnesses.len());
    for some in witnesses.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                some.iter().map(|witness| (*witness, scope.spawn(|| ask(witness)))).collect();
            asked.extend(threads.into_iter().map(|(witness, thread)| {
                let lost = || SubmitError::BadAnswer("asking it failed on our side".to_owned());
                thread.join().unwrap_or_else(|_| Asked { witness, result: Err(lost()) })
            }));
        });
    }
    asked
}
