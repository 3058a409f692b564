//! [`ArchiveStore`]: where archived segments are kept.

use std::fmt::Debug;
use std::io::{self, Read};
use std::path::Path;

/// The longest key, in bytes.
pub const KEY_LEN_MAX: usize = 512;

/// A store of immutable objects by key: a directory, or a bucket of an object store with
/// Object Lock.
///
/// No more is asked of it than such a bucket can do: an object is put whole and once, read
/// by ranges, listed by the beginning of its key. Nothing is renamed, appended to or removed.
/// A key is one or more names joined by `/`, each of ASCII letters, digits, `.`, `-` and `_`
/// ([`check_key`]).
pub trait ArchiveStore: Send + Sync + Debug {
    /// Puts an object of `len` bytes, which `bytes` gives. When this returns, it survives
    /// power loss, and whoever looks finds it whole; after an error it may be there whole or
    /// not at all. To put the same bytes again is fine, also after such an error: they are
    /// durable then.
    ///
    /// # Errors
    /// `AlreadyExists` if other bytes are under this key: they stay. `UnexpectedEof` or
    /// `InvalidData` if `bytes` gives fewer or more. What the store says.
    fn put(&self, key: &str, len: u64, bytes: &mut dyn Read) -> io::Result<()>;

    /// Length of an object in bytes; `None` if there is none.
    ///
    /// # Errors
    /// What the store says.
    fn len(&self, key: &str) -> io::Result<Option<u64>>;

    /// Reads up to `buf.len()` bytes of an object at `offset`: how many. 0 only at its end.
    ///
    /// # Errors
    /// `NotFound`; what the store says.
    fn read_at(&self, key: &str, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The keys that begin with `prefix`, ascending by their bytes.
    ///
    /// # Errors
    /// What the store says.
    fn list(&self, prefix: &str) -> io::Result<Vec<String>>;

    /// Where it is, for people: a path, or an address. Goes into the catalog, at most 4,096
    /// bytes; no secret belongs in it.
    fn location(&self) -> String;

    /// Refuses to lie in a log's directory, or around it: what is archived must not go with
    /// the log. A store that is elsewhere by its nature has nothing to check.
    ///
    /// # Errors
    /// `InvalidInput`, with the reason; what the store says.
    fn check_apart(&self, log_dir: &Path) -> io::Result<()> {
        let _ = log_dir;
        Ok(())
    }
}

/// Checks that a text is a key: of at most [`KEY_LEN_MAX`] bytes, and no name in it is `.`,
/// `..` or ends in `.tmp`.
///
/// # Errors
/// `InvalidInput`, with what is wrong.
pub fn check_key(key: &str) -> io::Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_name = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && !name.ends_with(".tmp")
            && name.bytes().all(plain)
    };
    if key.len() <= KEY_LEN_MAX && key.split('/').all(is_name) {
        return Ok(());
    }
    let why = format!(
        "expected a key of names of letters, digits, '.', '-' and '_', joined by '/', at most \
         {KEY_LEN_MAX} bytes, found {:?}",
        key.chars().take(KEY_LEN_MAX).collect::<String>()
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
