//! The promise: what we write, other people's Rust software reads, and the other way
//! round: notes with `signed_note`; checkpoints, tiles and proofs with `tlog_tiles` (both
//! by Cloudflare, ports of Go's libraries). Trees are compared with `ct-merkle` besides,
//! in `merkle.rs`.

// Lints know test functions as tests, but not the functions those call.
#![allow(clippy::unwrap_used, clippy::panic)]

use bulla::checkpoint::{
    Checkpoint, Note, NoteError, SignatureKind, SigningKey, UnverifiedCheckpoint, VerifyNoteError,
    VerifyingKey,
};
use bulla::merkle::{verify_consistency, verify_inclusion};
use bulla::tiles::{EntryBundle, TileHashes, TileId, border_tiles, new_bundles, new_tiles};
use bulla::{
    Actor, Event, Hash, HashAlgorithm, Log, Resource, Seq, Signer, Snapshot, TileReader, TreeSize,
};
use signed_note::Verifiers as _;
use tlog_tiles::{HashReader as _, TileHashReader};

const ORIGIN: &str = "example.com/audit";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::new(name, SignatureKind::Ed25519, &[seed; 32]).unwrap()
}

fn their_verifiers(keys: &[&VerifyingKey]) -> signed_note::VerifierList {
    let verifier = |key: &&VerifyingKey| {
        let verifier = signed_note::StandardVerifier::new(&key.to_string()).unwrap();
        Box::new(verifier) as Box<dyn signed_note::Verifier>
    };
    signed_note::VerifierList::new(keys.iter().map(verifier).collect())
}

fn their_signer(key: &SigningKey) -> signed_note::StandardSigner {
    signed_note::StandardSigner::new(&key.to_secret_text()).unwrap()
}

#[test]
fn notes_with_many_signatures_are_read_both_ways() {
    let keys: Vec<SigningKey> = (0..20).map(|n| key(&format!("signer-{n}"), n)).collect();
    let text = "What is signed,\n\nwith an empty line — and Unicode.\n";
    for count in [1, 2, 16, 20] {
        let signers: Vec<&dyn bulla::checkpoint::NoteSigner> =
            keys[..count].iter().map(|key| key as _).collect();
        let ours = Note::sign(text, &signers).unwrap();
        // They read what we wrote, and write it back alike.
        let read = signed_note::Note::from_bytes(ours.to_string().as_bytes()).unwrap();
        assert_eq!(read.to_bytes(), ours.to_string().as_bytes());
        assert_eq!(read.text(), text.as_bytes());
        // Known are every other key and one that did not sign: the rest is ignored.
        let stranger = key("stranger", 99);
        let mut known: Vec<&VerifyingKey> =
            keys[..count].iter().step_by(2).map(SigningKey::verifying_key).collect();
        known.push(stranger.verifying_key());
        let (verified, ignored) = read.verify(&their_verifiers(&known)).unwrap();
        assert_eq!((verified.len(), ignored.len()), (count.div_ceil(2), count / 2));
        let own_known: Vec<VerifyingKey> = known.iter().map(|key| (*key).clone()).collect();
        assert_eq!(ours.verify(&own_known).unwrap().signers().len(), verified.len());
        // We read what they wrote, which is the same.
        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        let signers: Vec<_> = keys[..count].iter().map(their_signer).collect();
        let signers: Vec<&dyn signed_note::Signer> =
            signers.iter().map(|signer| signer as _).collect();
        theirs.add_sigs(&signers).unwrap();
        assert_eq!(Note::parse(&theirs.to_bytes()), Ok(ours));
    }
}

#[test]
fn notes_that_do_not_hold_are_refused_by_both() {
    let (log, other) = (key(ORIGIN, 1), key("other", 2));
    let note = Note::sign("text\n", &[&log, &other]).unwrap().to_string();
    let known = [log.verifying_key().clone()];
    let both = |note: &str| {
        let ours = Note::parse(note.as_bytes())
            .map_err(|_: NoteError| "parse")
            .and_then(|note| note.verify(&known).map_err(|_: VerifyNoteError| "verify"))
            .is_ok();
        let theirs = signed_note::Note::from_bytes(note.as_bytes())
            .is_ok_and(|note| note.verify(&their_verifiers(&[log.verifying_key()])).is_ok());
        (ours, theirs)
    };
    assert_eq!(both(&note), (true, true));
    let (text, signatures) = note.split_once("\n\n").unwrap();
    let lines: Vec<&str> = signatures.lines().collect();
    for bad in [
        format!("Text\n\n{signatures}"),
        format!("{text}\n\n{}\n", lines[1]),
        format!("{text}\n\n"),
        format!("{text}\n{signatures}"),
        note.replace('\u{2014}', "-"),
        note.trim_end().to_owned(),
        format!("{text}\n\n{}\n", lines[0].replace(ORIGIN, "other.example")),
        note.replace("text\n", "te\rxt\n"),
    ] {
        assert_eq!(both(&bad), (false, false), "{bad:?}");
    }
    // Their key list knows our key by the same id, and refuses one of BLAKE3 heads.
    let verifiers = their_verifiers(&[log.verifying_key()]);
    let id = u32::from_str_radix(&log.verifying_key().id().to_string(), 16).unwrap();
    assert!(verifiers.verifier(ORIGIN, id).is_ok());
    let blake3 = SigningKey::new(ORIGIN, SignatureKind::Ed25519Blake3Head, &[1; 32]).unwrap();
    let vkey = blake3.verifying_key().to_string();
    assert!(signed_note::StandardVerifier::new(&vkey).is_err());
}

/// A log of this many records in many segments, signed; the last record is its anchor.
struct Fixture {
    _dir: tempfile::TempDir,
    log: Log,
    text: String,
}

impl Fixture {
    fn of(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Log::options().origin(ORIGIN).segment_bytes(64 << 10);
        let log = options.create(dir.path().join("log")).unwrap();
        let event = |n: u64| {
            let (actor, resource) = (Actor::new("user", n.to_string()), Resource::new("doc", "d"));
            Event::new(actor, "doc.read", resource).user_agent("x".repeat(100))
        };
        let events: Vec<Event> = (0..size - 1).map(event).collect();
        events.chunks(50).for_each(|batch| {
            log.append_batch(batch).unwrap();
        });
        let path = dir.path().join("log.key");
        let signer = Signer::generate(&path, ORIGIN, HashAlgorithm::Sha256).unwrap();
        let text = log.checkpoint(&signer).unwrap().to_text();
        Fixture { _dir: dir, log, text }
    }

    fn snapshot(&self) -> Snapshot {
        self.log.snapshot()
    }
}

/// Our tiles, for their reader.
struct Tiles {
    reader: TileReader,
    /// A byte that is flipped in every tile with this path.
    flipped: Option<(String, usize)>,
}

impl tlog_tiles::TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            // Their paths name the height as well: tile/8/0/000 is tile/0/000.
            let path = format!("tile/{}", tile.path().strip_prefix("tile/8/").unwrap());
            let id: TileId = path.parse().unwrap();
            assert_eq!((id.level(), id.index()), (tile.level(), tile.level_index()));
            assert_eq!(u32::from(id.width()), tile.width());
            let mut bytes = self.reader.tile(id).unwrap();
            if let Some((flipped, at)) = &self.flipped
                && *flipped == path
            {
                bytes[*at] ^= 1;
            }
            Ok(bytes)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

fn ours(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash::from_bytes(hash.0)).collect()
}

#[test]
fn checkpoints_are_read_both_ways() {
    let fixture = Fixture::of(300);
    let read = UnverifiedCheckpoint::parse(fixture.text.as_bytes()).unwrap();
    let head = read.dangerously_unverified().head();
    let note = signed_note::Note::from_bytes(fixture.text.as_bytes()).unwrap();
    let their = tlog_tiles::Checkpoint::from_bytes(note.text());
    let their = their.or_else(|_| {
        // Their strict reader takes the text with its empty line.
        tlog_tiles::Checkpoint::from_bytes(&[note.text(), b"\n"].concat())
    });
    let their = their.unwrap();
    assert_eq!((their.origin(), their.size()), (ORIGIN, 300));
    assert_eq!(*their.hash(), theirs(&head.root));
    let written =
        tlog_tiles::Checkpoint::new("other.example/log", 7, theirs(&head.root), "").unwrap();
    let key = key("other.example/log", 3);
    let mut note = signed_note::Note::new(&written.to_bytes(), &[]).unwrap();
    note.add_sigs(&[&their_signer(&key)]).unwrap();
    let read = UnverifiedCheckpoint::parse(&note.to_bytes()).unwrap();
    let verified = read.verify(&[key.verifying_key().clone()]).unwrap();
    assert_eq!((verified.origin(), verified.head().size.get()), ("other.example/log", 7));
    let signed = Checkpoint::new("other.example/log", verified.head()).unwrap().sign(&key).unwrap();
    assert_eq!(signed.to_text().as_bytes(), note.to_bytes());
}

#[test]
fn tiles_and_their_names_are_the_same() {
    for (old, new) in
        [(0, 1), (0, 256), (0, 70_000), (255, 257), (256, 600), (1000, 65_536), (65_535, 70_000)]
    {
        let their: Vec<String> = tlog_tiles::Tile::new_tiles(8, old, new)
            .iter()
            .map(|tile| format!("tile/{}", tile.path().strip_prefix("tile/8/").unwrap()))
            .collect();
        let our: Vec<String> =
            new_tiles(TreeSize::new(old), TreeSize::new(new)).map(|id| id.to_string()).collect();
        assert_eq!(our, their, "{old} to {new}");
    }
    for n in [0, 999, 1000, 1_234_067, u64::from(u32::MAX), 72_057_594_037_927_934] {
        for width in [1, 255, 256] {
            let their = tlog_tiles::Tile::new(8, 0, n, width, false).path();
            let our = TileId::new(0, n, u16::try_from(width).unwrap()).unwrap().to_string();
            assert_eq!(our, their.replace("tile/8/", "tile/"));
        }
    }
}

#[test]
fn they_verify_our_tiles_and_proofs_and_we_verify_theirs() {
    for size in [1, 2, 255, 256, 257, 1000] {
        let fixture = Fixture::of(size);
        let snapshot = fixture.snapshot();
        let head = snapshot.head().unwrap();
        assert_eq!(head.size.get(), size);
        let reader = snapshot.tiles(head.size).unwrap();
        let tiles = Tiles { reader, flipped: None };
        let hashes = TileHashReader::new(size, theirs(&head.root), &tiles);
        assert_eq!(tlog_tiles::tree_hash(size, &hashes).unwrap(), theirs(&head.root));
        for seq in [0, size / 3, size / 2, size - 1] {
            let leaf = snapshot.get(Seq::new(seq)).unwrap().leaf_hash;
            let index = tlog_tiles::stored_hash_index(0, seq);
            assert_eq!(hashes.read_hashes(&[index]).unwrap(), [theirs(&leaf)]);
            let their = tlog_tiles::prove_record(size, seq, &hashes).unwrap();
            let our = snapshot.inclusion(Seq::new(seq), head.size).unwrap().hashes;
            assert_eq!(ours(&their), our);
            verify_inclusion(HashAlgorithm::Sha256, &leaf, Seq::new(seq), &head, &ours(&their))
                .unwrap();
            let our: Vec<_> = our.iter().map(theirs).collect();
            tlog_tiles::check_record(&our, size, theirs(&head.root), seq, theirs(&leaf)).unwrap();
            for at in 0..our.len() {
                let mut bad = our.clone();
                bad[at].0[0] ^= 1;
                let check =
                    tlog_tiles::check_record(&bad, size, theirs(&head.root), seq, theirs(&leaf));
                assert!(check.is_err());
            }
        }
        for old in [1, size / 2, size - 1, size].into_iter().filter(|old| *old > 0) {
            let old_head = tiles.reader.head_at(TreeSize::new(old)).unwrap();
            let their = tlog_tiles::prove_tree(size, old, &hashes).unwrap();
            let our = tiles.reader.consistency_from(old_head.size).unwrap();
            assert_eq!(ours(&their), our);
            verify_consistency(HashAlgorithm::Sha256, &old_head, &head, &our).unwrap();
            let (root, old_root) = (theirs(&head.root), theirs(&old_head.root));
            let our: Vec<_> = our.iter().map(theirs).collect();
            tlog_tiles::check_tree(&our, size, root, old, old_root).unwrap();
        }
    }
}

/// Whether they find a record in our tiles and prove it to themselves.
fn they_prove(tiles: &Tiles, size: u64, root: &Hash, seq: u64) -> bool {
    let hashes = TileHashReader::new(size, theirs(root), tiles);
    let leaf = hashes.read_hashes(&[tlog_tiles::stored_hash_index(0, seq)]);
    let (Ok(leaf), Ok(proof)) = (leaf, tlog_tiles::prove_record(size, seq, &hashes)) else {
        return false;
    };
    tlog_tiles::check_record(&proof, size, theirs(root), seq, leaf[0]).is_ok()
}

/// What their reader gives out is checked again by its proof: version 0.2.0 (like Go's
/// x/mod 0.7.0, which it is a port of) compares too few full tiles with their parents
/// when several peaks of the tree stand in one tile.
#[test]
fn they_refuse_a_tile_in_which_any_hash_was_altered() {
    let fixture = Fixture::of(600);
    let snapshot = fixture.snapshot();
    let head = snapshot.head().unwrap();
    for tile in new_tiles(TreeSize::ZERO, head.size) {
        for hash in [0, tile.width() / 2, tile.width() - 1] {
            let flipped = Some((tile.to_string(), usize::from(hash) * Hash::LEN + 5));
            let altered = Tiles { reader: snapshot.tiles(head.size).unwrap(), flipped };
            let sound = Tiles { reader: snapshot.tiles(head.size).unwrap(), flipped: None };
            // A record under that hash, and one for whose proof it is needed.
            let first = tile.first_node();
            let node = first.index + u64::from(hash);
            let seqs = [node, node ^ 1].map(|node| node << first.level);
            let seqs = seqs.into_iter().filter(|seq| *seq < 600);
            assert!(seqs.clone().all(|seq| they_prove(&sound, 600, &head.root, seq)));
            assert!(!seqs.clone().all(|seq| they_prove(&altered, 600, &head.root, seq)), "{tile}");
        }
    }
    assert!(border_tiles(head.size).count() > 1);
}

#[test]
fn entries_hash_to_the_leaves_as_they_compute_them() {
    let fixture = Fixture::of(600);
    let snapshot = fixture.snapshot();
    let reader = snapshot.tiles(snapshot.size()).unwrap();
    let mut seq = 0;
    for bundle in new_bundles(TreeSize::ZERO, snapshot.size()) {
        let bytes = reader.entry_bundle(bundle).unwrap();
        let tile = TileHashes::parse(bundle.tile(), &reader.tile(bundle.tile()).unwrap()).unwrap();
        for (entry, hash) in
            EntryBundle::parse(bundle, &bytes).unwrap().entries().iter().zip(tile.hashes())
        {
            assert_eq!(tlog_tiles::record_hash(entry), theirs(hash));
            assert_eq!(snapshot.get(Seq::new(seq)).unwrap().leaf_hash, *hash);
            seq += 1;
        }
    }
    assert_eq!(seq, 600);
}
