//! The promise: our keys, notes and checkpoints are those of C2SP tools.
//!
//! Compared with published keys and signatures: those in the directory that
//! `BULLA_VECTORS` names, and without it the one from the specification below.

// Lints know test functions as tests, but not the functions those call.
#![allow(clippy::unwrap_used, clippy::panic)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla::checkpoint::{Checkpoint, Note, SigningKey, UnverifiedCheckpoint, VerifyingKey};
use bulla::hash::HashAlgorithm;
use bulla::merkle::{Frontier, TreeHead};
use bulla::seq::TreeSize;
use bulla::tiles::{
    BundleId, EntryBundle, TileHashes, TileId, WIDTH, border_tiles, new_tiles, root_of_border,
};
use serde_json::{Value, json};

/// A file of published vectors; `None` only if nobody said where they are.
fn vectors(name: &str) -> Option<Value> {
    let directory = std::env::var_os("BULLA_VECTORS")?;
    let path = std::path::Path::new(&directory).join(name);
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("BULLA_VECTORS is set, but {}: {error}", path.display()));
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name}"))
}

/// From c2sp.org/signed-note and from the documentation of Go's sumdb/note.
fn inline_notes() -> Value {
    json!({ "signed_note": [
        {
            "vkey": "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
            "text": "This is an example message.\n",
            "sig_line": "\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONnc\
                AlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
        },
        {
            "skey": "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
            "vkey": "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "text": "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n",
            "sig_line": "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1\
                FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
        },
    ] })
}

#[test]
fn published_notes_verify_and_are_signed_alike() {
    let file = vectors("c2sp_vectors.json").unwrap_or_else(inline_notes);
    let notes = file["signed_note"].as_array().unwrap();
    assert!(!notes.is_empty());
    for vector in notes {
        let key: VerifyingKey = text(vector, "vkey").parse().unwrap();
        assert_eq!(key.to_string(), text(vector, "vkey"));
        let published = format!("{}\n{}", text(vector, "text"), text(vector, "sig_line"));
        let note = Note::parse(published.as_bytes()).unwrap();
        assert_eq!(note.to_string(), published);
        let verified = note.verify(std::slice::from_ref(&key)).unwrap();
        assert_eq!(verified.text(), text(vector, "text"));
        if let Some(secret) = vector["skey"].as_str() {
            let secret = SigningKey::from_secret_text(secret).unwrap();
            assert_eq!(secret.verifying_key(), &key);
            assert_eq!(secret.to_secret_text().as_str(), text(vector, "skey"));
            assert_eq!(Note::sign(verified.text(), &[&secret]).unwrap(), note);
        }
    }
}

#[test]
fn a_published_note_with_another_text_does_not_verify() {
    let file = vectors("c2sp_vectors.json").unwrap_or_else(inline_notes);
    let vector = &file["signed_note"][0];
    let key: VerifyingKey = text(vector, "vkey").parse().unwrap();
    let forged = format!("X{}\n{}", text(vector, "text"), text(vector, "sig_line"));
    assert!(Note::parse(forged.as_bytes()).unwrap().verify(&[key]).is_err());
}

/// A log made with other software: its checkpoints of sizes 0 to 15 verify with its
/// key, its entries give their roots, and we sign the same bytes.
#[test]
fn checkpoints_of_a_published_log_verify_and_are_signed_alike() {
    let Some(file) = vectors("c2sp_vectors.json") else { return inline_checkpoint() };
    let log = &file["golden_static_log"];
    let key: VerifyingKey = text(log, "vkey").parse().unwrap();
    let secret = SigningKey::from_secret_text(text(log, "test_skey")).unwrap();
    let entries = log["entries_utf8"].as_array().unwrap();
    let mut frontier = Frontier::new(HashAlgorithm::Sha256);
    for size in 0..=entries.len() {
        let published =
            STANDARD.decode(text(&log["files_base64"], &format!("checkpoint.{size}"))).unwrap();
        let read = UnverifiedCheckpoint::parse(&published).unwrap();
        assert_eq!(read.to_text().as_bytes(), published);
        let verified = read.verify(std::slice::from_ref(&key)).unwrap();
        assert_eq!(verified.head(), frontier.head(), "size {size}");
        let signed = Checkpoint::new(verified.origin(), frontier.head()).unwrap().sign(&secret);
        assert_eq!(signed.unwrap().to_text().as_bytes(), published);
        if let Some(entry) = entries.get(size) {
            let entry = entry.as_str().unwrap().as_bytes();
            frontier.push(HashAlgorithm::Sha256.leaf(&[entry]), |_, _| ());
        }
    }
    assert_eq!(frontier.size(), TreeSize::new(15));
}

/// The first of the same checkpoints, of the empty log.
fn inline_checkpoint() {
    let key = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let published = "example.com/log/testdata\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\
        \u{2014} example.com/log/testdata M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNO\
        cdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=\n";
    let read = UnverifiedCheckpoint::parse(published.as_bytes()).unwrap();
    let verified = read.verify(&[key.parse().unwrap()]).unwrap();
    assert_eq!(verified.head(), TreeHead::empty(HashAlgorithm::Sha256));
}

/// The example of the specification, whose witness's public key is not published: it is
/// read whole, and time and key id stand where they should. (A cosignature that verifies
/// is among the tests of `checkpoint`.)
#[test]
fn a_checkpoint_with_a_witness_cosignature_is_read() {
    let file = vectors("c2sp_vectors.json").unwrap_or_else(|| {
        json!({ "cosignature_v1_example_public_key_not_published": {
            "checkpoint_text": "example.com/behind-the-sofa\n20852163\n\
                CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
            "timestamp": 1_679_315_147, "key_id": "8d66cf3f",
            "sig_line": "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHe\
                olMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n",
        } })
    });
    let vector = &file["cosignature_v1_example_public_key_not_published"];
    let published = format!("{}\n{}", text(vector, "checkpoint_text"), text(vector, "sig_line"));
    let read = UnverifiedCheckpoint::parse(published.as_bytes()).unwrap();
    assert_eq!(read.dangerously_unverified().head().size, TreeSize::new(20_852_163));
    let [signature] = read.note().signatures() else { panic!("one signature") };
    assert_eq!(signature.id.to_string(), text(vector, "key_id"));
    let time = signature.signature[..8].iter().fold(0, |time, byte| time << 8 | u64::from(*byte));
    assert_eq!(Some(time), vector["timestamp"].as_u64());
    assert_eq!(signature.signature.len(), 72);
    assert!(read.verify(&[]).is_err());
}

/// From c2sp.org/tlog-tiles.
fn inline_tile_paths() -> Value {
    json!({ "tile_paths": {
        "index_1234067": "x001/x234/067",
        "tree_70000": {
            "level0_full": 273, "level0_partial_width": 112,
            "level1_full": 1, "level1_partial_width": 17,
            "level2_partial_width": 1,
        },
        "tree_256": { "level0_full": 1, "level1_partial_width": 1 },
    } })
}

#[test]
fn tiles_are_named_and_counted_as_published() {
    let file = vectors("c2sp_vectors.json").unwrap_or_else(inline_tile_paths);
    let paths = &file["tile_paths"];
    let tile = TileId::new(0, 1_234_067, WIDTH).unwrap();
    assert_eq!(tile.to_string(), format!("tile/0/{}", text(paths, "index_1234067")));
    for size in [70_000, 256] {
        let expected = &paths[format!("tree_{size}")];
        for level in 0..4 {
            let tiles: Vec<TileId> = new_tiles(TreeSize::ZERO, TreeSize::new(size))
                .filter(|tile| tile.level() == level)
                .collect();
            let full = tiles.iter().filter(|tile| tile.is_full()).count() as u64;
            let width = tiles.iter().find(|tile| !tile.is_full()).map_or(0, |tile| tile.width());
            let of = |what: &str| expected[format!("level{level}_{what}")].as_u64().unwrap_or(0);
            assert_eq!(full, of("full"), "size {size}, level {level}");
            assert_eq!(u64::from(width), of("partial_width"), "size {size}, level {level}");
        }
    }
}

/// The tiles and bundles of a log made with other software are the ones we make of its
/// entries, and the tiles lead to its signed roots.
#[test]
fn tiles_and_bundles_of_a_published_log_are_made_alike() {
    let Some(file) = vectors("c2sp_vectors.json") else { return inline_tiles() };
    let log = &file["golden_static_log"];
    let entries: Vec<&[u8]> = log["entries_utf8"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e.as_str().unwrap().as_bytes())
        .collect();
    let files = log["files_base64"].as_object().unwrap();
    let (mut tiles, mut bundles) = (0, 0);
    for (name, content) in files {
        let published = STANDARD.decode(content.as_str().unwrap()).unwrap();
        if let Ok(tile) = name.parse::<TileId>() {
            assert_eq!(tile.to_string(), *name);
            let width = usize::from(tile.width());
            let leaves = entries[..width].iter().map(|entry| HashAlgorithm::Sha256.leaf(&[entry]));
            let ours = TileHashes::new(tile, leaves.collect()).unwrap();
            assert_eq!(ours.to_bytes(), published, "{name}");
            assert_eq!(TileHashes::parse(tile, &published), Ok(ours.clone()));
            let size = TreeSize::new(width as u64);
            assert_eq!(border_tiles(size).collect::<Vec<_>>(), [tile]);
            let root = root_of_border(HashAlgorithm::Sha256, size, &[ours]).unwrap();
            let signed = text(&log["files_base64"], &format!("checkpoint.{width}"));
            let signed = UnverifiedCheckpoint::parse(&STANDARD.decode(signed).unwrap()).unwrap();
            assert_eq!(signed.dangerously_unverified().head(), TreeHead { size, root });
            tiles += 1;
        } else if let Ok(bundle) = name.parse::<BundleId>() {
            let ours = EntryBundle::new(entries[..usize::from(bundle.width())].to_vec()).unwrap();
            assert_eq!(ours.to_bytes(), published, "{name}");
            assert_eq!(EntryBundle::parse(bundle, &published), Ok(ours));
            bundles += 1;
        } else {
            assert!(name.starts_with("checkpoint"), "{name}");
        }
    }
    assert_eq!((tiles, bundles), (15, 15));
}

/// The first tile of the same log, and its checkpoint's root.
fn inline_tiles() {
    let tile: TileId = "tile/0/000.p/1".parse().unwrap();
    let published = STANDARD.decode("0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=").unwrap();
    let hashes = TileHashes::parse(tile, &published).unwrap();
    let root = root_of_border(HashAlgorithm::Sha256, TreeSize::new(1), &[hashes]).unwrap();
    assert_eq!(root.as_bytes().as_slice(), published);
}
