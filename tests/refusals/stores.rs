//! R-STORE: key stores, and the keys that they are encrypted under.

use crate::bases::{Base, WRAPPING};
use crate::cases::{As, By, Case, attempt, run};
use crate::forge::Forge;
use crate::forge::files::Files;
use crate::forge::store::Store;

use As::{Corrupt, Other, Unsupported};

/// Who opens the store says it.
macro_rules! opener {
    ($kind:expr, $says:expr) => {
        &[(By::KeyStore, $kind, $says)]
    };
}

macro_rules! stored {
    ($id:literal, $what:literal, $change:expr, $expect:expr) => {
        Case {
            id: $id,
            what: $what,
            base: Base::Encrypted,
            forge: |forge| stored(&forge, $change),
            expect: $expect,
        }
    };
}

const NO_SLOT: &str = "a slot that says how far its entries go";

pub(crate) const CASES: &[Case] = &[
    stored!(
        "R-STORE-1",
        "another magic",
        |store| store.sets.push(("magic", (*b"BULLAKEX").into())),
        opener!(Corrupt, "magic")
    ),
    stored!(
        "R-STORE-1",
        "another crc",
        |store| store.sets.push(("crc", 7_u64.into())),
        opener!(Corrupt, "crc")
    ),
    stored!(
        "R-STORE-2",
        "version 0",
        |store| store.sets.push(("format_version", 0_u64.into())),
        opener!(Corrupt, "format version 1, found 0")
    ),
    stored!(
        "R-STORE-2",
        "a newer version",
        |store| store.sets.push(("format_version", 2_u64.into())),
        opener!(Unsupported, "key store header version 2, newest known here is 1")
    ),
    stored!(
        "R-STORE-3",
        "another check",
        |store| store.sets.push(("check", [7; 32].into())),
        opener!(Other, "the wrapping key is another one than the store was made with")
    ),
    stored!(
        "R-STORE-3",
        "another wrapping key",
        |store| store.wrapping = [8; 32],
        opener!(Other, "the wrapping key is another one than the store was made with")
    ),
    Case {
        id: "R-STORE-4",
        what: "an end before the header is whole",
        base: Base::Encrypted,
        forge: |forge| {
            let mut files = forge.write();
            files.get_mut("keys").truncate(127);
            files
        },
        expect: opener!(Corrupt, "the header of a key store"),
    },
    stored!(
        "R-STORE-5",
        "a slot with another magic",
        |store| store.slot.push(("magic", (*b"BULLAKSX").into())),
        opener!(Corrupt, NO_SLOT)
    ),
    stored!(
        "R-STORE-5",
        "a slot with another crc",
        |store| store.slot.push(("crc", 7_u64.into())),
        opener!(Corrupt, NO_SLOT)
    ),
    stored!(
        "R-STORE-5",
        "the slot of another store",
        |store| store.slot.push(("store_id", [7; 16].into())),
        opener!(Corrupt, NO_SLOT)
    ),
    stored!(
        "R-STORE-5",
        "a slot in the place of the other one",
        |store| store.slot_at = Some(usize::from(store.generation % 2 == 0)),
        opener!(Corrupt, NO_SLOT)
    ),
    stored!("R-STORE-5", "generation 0", |store| store.generation = 0, opener!(Corrupt, NO_SLOT)),
    stored!(
        "R-STORE-5",
        "the last generation that there is",
        |store| store.generation = u64::MAX,
        opener!(Corrupt, NO_SLOT)
    ),
    stored!(
        "R-STORE-6",
        "entries that end before they begin",
        |store| {
            store.entries.clear();
            store.slot.push(("entries_end", 12_287_u64.into()));
        },
        opener!(Corrupt, "an end of the entries from 12288 on")
    ),
    stored!(
        "R-STORE-6",
        "entries that end behind the file",
        |store| store.slot.push(("entries_end", (1_u64 << 20).into())),
        opener!(Corrupt, "an entry, up to offset 1048576")
    ),
    stored!(
        "R-STORE-6",
        "entries that end within one",
        |store| store.slot.push(("entries_end", 12_300_u64.into())),
        opener!(Corrupt, "an entry, up to offset 12300")
    ),
    stored!(
        "R-STORE-6",
        "more entries than there are",
        |store| {
            let count = store.entries.len() as u64 + 1;
            store.slot.push(("count", count.into()));
        },
        opener!(Corrupt, "6 entries")
    ),
    stored!(
        "R-STORE-6",
        "fewer entries than there are",
        |store| {
            let count = store.entries.len() as u64 - 1;
            store.slot.push(("count", count.into()));
        },
        opener!(Corrupt, "4 entries")
    ),
    stored!(
        "R-STORE-7",
        "an entry that was altered",
        |store| store.entries[1].altered = 1,
        opener!(Corrupt, "an entry, up to offset")
    ),
    stored!(
        "R-STORE-7",
        "the entry of another store",
        |store| store.entries[1].bound_to = Some([7; 16]),
        opener!(Corrupt, "an entry, up to offset")
    ),
    stored!(
        "R-STORE-7",
        "a name of no byte",
        |store| store.entries[1].set_name(b""),
        opener!(Corrupt, "an entry, up to offset")
    ),
    stored!(
        "R-STORE-7",
        "a name of more than 4,353 bytes",
        |store| store.entries[1].set_name(&[b'a'; 4354]),
        opener!(Corrupt, "an entry, up to offset")
    ),
    stored!(
        "R-STORE-7",
        "a name of another length",
        |store| store.entries[1].len_of_name = Some(1),
        opener!(Corrupt, "an entry, up to offset")
    ),
    stored!(
        "R-STORE-7",
        "a name that is not UTF-8",
        |store| store.entries[1].set_name(b"user:\xff"),
        opener!(Corrupt, "an entry, up to offset")
    ),
    stored!(
        "R-STORE-8",
        "one subject twice",
        |store| {
            let name = store.entries[0].name().to_vec();
            store.entries[1].set_name(&name);
        },
        opener!(Corrupt, "each key and subject once")
    ),
    stored!(
        "R-STORE-8",
        "one key twice",
        |store| store.entries.iter_mut().take(2).for_each(|entry| entry.set("key_id", [7; 16])),
        opener!(Corrupt, "each key and subject once")
    ),
    stored!(
        "R-STORE-9",
        "the store of another log",
        |store| store.sets.push(("log_id", [7; 16].into())),
        &[
            (By::Open, Other, "expected the key store of log"),
            (By::Verify, Other, "expected the key store of log"),
            (By::Read, Other, "expected the key store of log"),
        ]
    ),
    stored!(
        "R-STORE-10",
        "another store than the one in force",
        |store| store.store_id = [7; 16],
        &[(By::Open, Other, "key store")]
    ),
    Case {
        id: "R-STORE-11",
        what: "a wrapping key with other words in front",
        base: Base::Encrypted,
        forge: |forge| wrapped(&forge, "PRIVATE+KEY+wrapped+", &"07".repeat(32)),
        expect: opener!(Other, "expected PRIVATE+KEY+wrapping+ and 64 hexadecimal digits"),
    },
    Case {
        id: "R-STORE-11",
        what: "a wrapping key that is too short",
        base: Base::Encrypted,
        forge: |forge| wrapped(&forge, "PRIVATE+KEY+wrapping+", &"07".repeat(31)),
        expect: opener!(Other, "expected PRIVATE+KEY+wrapping+ and 64 hexadecimal digits"),
    },
    Case {
        id: "R-STORE-11",
        what: "a wrapping key that is no number",
        base: Base::Encrypted,
        forge: |forge| wrapped(&forge, "PRIVATE+KEY+wrapping+", &"0x".repeat(32)),
        expect: opener!(Other, "expected PRIVATE+KEY+wrapping+ and 64 hexadecimal digits"),
    },
    Case {
        id: "R-STORE-12",
        what: "a store in the log's directory",
        base: Base::Encrypted,
        forge: |forge| {
            let mut files = forge.write();
            let store = files.remove("keys");
            files.put("audit/keys", store);
            files
        },
        expect: opener!(Other, "it would stand inside the log"),
    },
];

/// The log with another store.
fn stored(forge: &Forge, change: impl FnOnce(&mut Store)) -> Files {
    let mut files = forge.write();
    let mut store = Store::read(files.get("keys"), WRAPPING);
    change(&mut store);
    files.put("keys", store.write());
    files
}

/// The log, and a file of the key to its store.
fn wrapped(forge: &Forge, prefix: &str, digits: &str) -> Files {
    let mut files = forge.write();
    files.put("wrapping", format!("{prefix}{digits}\n"));
    files
}

#[test]
fn what_a_key_store_must_not_be_is_refused() {
    run(CASES);
}

/// What is not changed opens, and so does a good key in a file.
#[test]
fn a_key_store_that_is_not_forged_opens() {
    let base = Base::Encrypted;
    let forge = base.forge();
    let same = stored(&forge, |_| ());
    let good = wrapped(&forge, "PRIVATE+KEY+wrapping+", &"07".repeat(32));
    for (by, files) in [(By::KeyStore, &same), (By::Open, &same), (By::KeyStore, &good)] {
        assert_eq!(attempt(by, base, files), Ok(()), "{by:?}");
    }
}

/// It is refused by its length, before anything is read.
#[test]
fn a_key_store_of_more_than_a_gibibyte_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    std::fs::write(&path, Base::Encrypted.files().get("keys")).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len((1 << 30) + 1).unwrap();
    let wrapping = bulla::WrappingKey::from_bytes(WRAPPING);
    let said = bulla::KeyStore::open(&path, &wrapping).unwrap_err().to_string();
    assert!(said.contains("at most 1073741824 bytes"), "{said}");
}
