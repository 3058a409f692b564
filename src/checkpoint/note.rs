//! Signed notes: a text with signature lines under it (c2sp.org/signed-note).

use std::fmt;

use super::cosignature::{self, Cosignature};
use super::key::{KeyId, KeyName, NoteSigner, SignError, VerifyingKey};
use super::line;

/// The longest note that is read, in bytes: 64 signatures of the largest
/// post-quantum kind (5 kB each) and a text of over 64 KiB.
pub const NOTE_LEN_MAX: usize = 512 * 1024;
/// The most signatures that are read on one note. The specification requires that
/// 16 are accepted.
pub const NOTE_SIGNATURES_MAX: usize = 64;

/// Em dash and space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A note as it was read: **nobody has checked its signatures**.
///
/// Displays as the text it was parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key that claims to have signed.
    pub name: KeyName,
    /// Identifier of that key.
    pub id: KeyId,
    /// The signature, in the form of the key's kind; never empty.
    pub signature: Vec<u8>,
}

/// A note whose text was signed by at least one trusted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote {
    note: Note,
    signers: Vec<VerifyingKey>,
    cosignatures: Vec<Cosignature>,
}

impl Note {
    /// Signs a text.
    ///
    /// # Errors
    /// The text is empty, does not end in a newline, or contains a control
    /// character; there are no keys, or too many; or a signer could not sign. Keys of
    /// witnesses do not sign here: see [`VerifiedCheckpoint::cosign`].
    ///
    /// [`VerifiedCheckpoint::cosign`]: super::VerifiedCheckpoint::cosign
    pub fn sign(text: &str, signers: &[&dyn NoteSigner]) -> Result<Self, NoteError> {
        check_text(text)?;
        let signatures = signers.iter().map(|signer| {
            let key = signer.verifying_key();
            let message = key.kind().message(text).ok_or_else(|| {
                let reason = format!("{} is the key of a witness, which cosigns", key.name());
                NoteError::NotSigned(SignError(reason))
            })?;
            let signature = key.signed_by(*signer, &message).map_err(NoteError::NotSigned)?;
            Ok(NoteSignature::by(key, signature.to_vec()))
        });
        let signatures = signatures.collect::<Result<_, NoteError>>()?;
        let note = Note { text: text.to_owned(), signatures };
        check_signature_count(note.signatures.len())?;
        check_len(note.to_string().len())?;
        Ok(note)
    }

    /// Reads a note, strictly.
    ///
    /// # Errors
    /// Says what is not as the specification has it, and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        check_len(bytes.len())?;
        let note = std::str::from_utf8(bytes)
            .map_err(|error| NoteError::NotUtf8 { offset: error.valid_up_to() })?;
        if let Some((offset, byte)) = line::control_character(note) {
            return Err(NoteError::ControlCharacter { offset, byte });
        }
        // "The text is separated from the signatures by the last empty line."
        let split = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, block) = (&note[..=split], &note[split + 2..]);
        Ok(Note { signatures: parse_block(block)?, text: text.to_owned() })
    }

    /// The text, **which nobody has checked**.
    pub fn dangerously_unverified_text(&self) -> &str {
        &self.text
    }

    /// The signature lines, **which nobody has checked**, in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The same note with further signature lines under it, those that it has already
    /// left out. Text and signatures stay as they are; **nobody checks the new ones**.
    ///
    /// # Errors
    /// Too many or too long signatures, or an empty one.
    pub fn with_signatures(&self, more: &[NoteSignature]) -> Result<Self, NoteError> {
        let mut note = self.clone();
        for signature in more {
            if signature.signature.is_empty() {
                return Err(NoteError::SignatureLine { number: note.signatures.len() + 1 });
            }
            if !note.signatures.contains(signature) {
                note.signatures.push(signature.clone());
            }
            check_signature_count(note.signatures.len())?;
        }
        check_len(note.to_string().len())?;
        Ok(note)
    }

    /// Checks the signatures by the keys given; those by other keys are ignored.
    ///
    /// # Errors
    /// A signature by one of the keys is wrong, or none of them signed.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<VerifiedNote, VerifyNoteError> {
        let mut signers: Vec<VerifyingKey> = Vec::new();
        let mut cosignatures: Vec<Cosignature> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = find_key(keys, signature)? else { continue };
            match signature.check(key, &self.text)? {
                Some(cosignature) => cosignature.join(&mut cosignatures),
                None if signers.contains(key) => {}
                None => signers.push(key.clone()),
            }
        }
        if signers.is_empty() && cosignatures.is_empty() {
            let found = self.signatures.iter().map(|s| (s.name.clone(), s.id)).collect();
            return Err(VerifyNoteError::NoKnownSigner { found });
        }
        Ok(VerifiedNote { note: self.clone(), signers, cosignatures })
    }
}

impl VerifiedNote {
    /// The text that was signed, with its final newline.
    pub fn text(&self) -> &str {
        &self.note.text
    }

    /// Who signed, in the order of the signature lines; witnesses are not among them.
    /// Either this or [`VerifiedNote::cosignatures`] is not empty.
    pub fn signers(&self) -> &[VerifyingKey] {
        &self.signers
    }

    /// Which witnesses cosigned, in the order of the signature lines, each once. Of
    /// several cosignatures by one witness this gives the earliest, which says most
    /// about how long the text has existed; all are in [`VerifiedNote::note`].
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// The note with all its signature lines, also those that were ignored.
    pub fn note(&self) -> &Note {
        &self.note
    }

    pub(super) fn into_note(self) -> Note {
        self.note
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// Reads signature lines without a text, as a witness answers: one or more, each
    /// ending in a newline.
    ///
    /// # Errors
    /// Says what is not as the specification has it, and where.
    pub fn parse_lines(bytes: &[u8]) -> Result<Vec<Self>, NoteError> {
        check_len(bytes.len())?;
        let block = std::str::from_utf8(bytes)
            .map_err(|error| NoteError::NotUtf8 { offset: error.valid_up_to() })?;
        parse_block(block)
    }

    /// The time that it claims, in seconds since 1970, if it has the form of a cosignature.
    /// **Nobody has checked it.**
    pub fn claimed_time(&self) -> Option<u64> {
        cosignature::claimed_time(&self.signature)
    }

    /// The bytes, in the form of the key's kind, as a signature by that key.
    pub(super) fn by(key: &VerifyingKey, signature: Vec<u8>) -> Self {
        NoteSignature { name: key.name().clone(), id: key.id(), signature }
    }

    /// Checks that the key signed the text; gives the cosignature if the key is that
    /// of a witness.
    fn check(
        &self,
        key: &VerifyingKey,
        text: &str,
    ) -> Result<Option<Cosignature>, VerifyNoteError> {
        let bad = || VerifyNoteError::BadSignature { name: self.name.clone(), id: self.id };
        match key.kind().message(text) {
            None => cosignature::check(key, text, &self.signature).map(Some).ok_or_else(bad),
            Some(message) if key.signed(&message, &self.signature) => Ok(None),
            Some(_) => Err(bad()),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        let decoded = line::base64(encoded)?;
        let (id, signature) = decoded.split_first_chunk::<{ KeyId::LEN }>()?;
        let name = KeyName::new(name).ok()?;
        (!signature.is_empty()).then(|| NoteSignature {
            name,
            id: KeyId::from_bytes(*id),
            signature: signature.to_vec(),
        })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = line::to_base64([self.id.as_bytes(), self.signature.as_slice()].concat());
        write!(f, "{SIGNATURE_PREFIX}{} {encoded}", self.name)
    }
}

/// Signature lines, each ending in a newline, at least one.
fn parse_block(block: &str) -> Result<Vec<NoteSignature>, NoteError> {
    let lines = block.strip_suffix('\n').ok_or(NoteError::NoSignatures)?.split('\n');
    check_signature_count(lines.clone().count())?;
    let parse = |(index, line)| {
        NoteSignature::parse(line).ok_or(NoteError::SignatureLine { number: index + 1 })
    };
    lines.enumerate().map(parse).collect()
}

/// The key with the name and identifier of the signature, if it is among the known ones.
fn find_key<'k>(
    keys: &'k [VerifyingKey],
    signature: &NoteSignature,
) -> Result<Option<&'k VerifyingKey>, VerifyNoteError> {
    let mut same =
        keys.iter().filter(|key| *key.name() == signature.name && key.id() == signature.id);
    let first = same.next();
    // Two keys that collide in name and identifier: which one is meant is unknown.
    if same.any(|other| Some(other) != first) {
        let (name, id) = (signature.name.clone(), signature.id);
        return Err(VerifyNoteError::AmbiguousKey { name, id });
    }
    Ok(first)
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if let Some((offset, byte)) = line::control_character(text) {
        return Err(NoteError::ControlCharacter { offset, byte });
    }
    if text.ends_with('\n') { Ok(()) } else { Err(NoteError::NoFinalNewline) }
}

fn check_len(found: usize) -> Result<(), NoteError> {
    if found <= NOTE_LEN_MAX { Ok(()) } else { Err(NoteError::TooLong { found }) }
}

fn check_signature_count(found: usize) -> Result<(), NoteError> {
    match found {
        0 => Err(NoteError::NoSignatures),
        1..=NOTE_SIGNATURES_MAX => Ok(()),
        _ => Err(NoteError::TooManySignatures { found }),
    }
}

/// The bytes are not a signed note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Longer than [`NOTE_LEN_MAX`].
    #[error("expected a note of at most {NOTE_LEN_MAX} bytes, found {found}")]
    TooLong {
        /// Length in bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("expected a note in UTF-8, found other bytes at offset {offset}")]
    NotUtf8 {
        /// Where, in bytes from the start.
        offset: usize,
    },
    /// A control character other than newline.
    #[error("expected a note without control characters, found {byte:#04x} at byte {offset}")]
    ControlCharacter {
        /// Where, in bytes from the start.
        offset: usize,
        /// Which one.
        byte: u8,
    },
    /// No empty line with signature lines after it, the last ending in a newline.
    #[error(
        "expected an empty line and signature lines under the text, found none: the note is \
         unsigned or cut short"
    )]
    NoSignatures,
    /// More than [`NOTE_SIGNATURES_MAX`].
    #[error("expected at most {NOTE_SIGNATURES_MAX} signatures, found {found}")]
    TooManySignatures {
        /// How many.
        found: usize,
    },
    /// Not of the form em dash, space, key name, space, base64 of more than 4 bytes.
    #[error(
        "expected signature line {number} to be an em dash, a key name and base64, found another"
    )]
    SignatureLine {
        /// Which signature line, from 1.
        number: usize,
    },
    /// The text to sign does not end in a newline.
    #[error("expected a text that ends in a newline, found one without")]
    NoFinalNewline,
    /// A signer did not sign.
    #[error(transparent)]
    NotSigned(SignError),
}

/// The signatures of a note do not show that a known key signed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyNoteError {
    /// A signature by a known key is wrong: the text or the signature was altered.
    #[error("the signature by {name} (key id {id}) does not fit the text: one was altered")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's identifier.
        id: KeyId,
    },
    /// Two different known keys have this name and identifier.
    #[error("two of the given keys are named {name} with key id {id}; give one")]
    AmbiguousKey {
        /// The keys' name.
        name: KeyName,
        /// The keys' identifier.
        id: KeyId,
    },
    /// None of the known keys signed.
    #[error("expected a signature by a given key, found only those by {}", signers(.found))]
    NoKnownSigner {
        /// Who claims to have signed.
        found: Vec<(KeyName, KeyId)>,
    },
}

/// The names of keys and their identifiers, for a message.
pub(super) fn signers(found: &[(KeyName, KeyId)]) -> String {
    let named: Vec<_> = found.iter().map(|(name, id)| format!("{name} (key id {id})")).collect();
    named.join(", ")
}
