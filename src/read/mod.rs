//! Reading a log: which segments there are, what is in their records, the answers to queries.
//!
//! - `entry`, `segment_set`: the segments that readers know, and the published size; `watch`: who waits for
//!   it to grow; `index_cache`: index files that are kept open; `unknown`: placeholders for records
//!   whose fate is unknown, because both catalog copies are damaged;
//! - `records`: the segments as they were at one moment, and walks over them; `decode`: records from
//!   their bytes; `payload_reader`: payloads that are encrypted;
//! - `search`: queries and counts;
//! - `shared`, `catalog_state`: what the handles of a log have in common, its catalog above all;
//! - `snapshot`, `catalog_view`, `published`, `stats`: what callers see;
//! - `recorded`, `aliases`, `protection`, `keys`: what the catalog says of policy and holds, of
//!   protection, of keys.
//!
//! Nothing here writes to the log. The writer publishes; readers take a snapshot and are not disturbed
//! by what comes after.

pub(crate) mod aliases;
pub(crate) mod catalog_state;
pub(crate) mod catalog_view;
pub(crate) mod decode;
pub(crate) mod entry;
pub(crate) mod index_cache;
pub(crate) mod keys;
pub(crate) mod payload_reader;
pub(crate) mod protection;
pub(crate) mod published;
pub(crate) mod recorded;
pub(crate) mod records;
pub(crate) mod search;
pub(crate) mod segment_set;
pub(crate) mod shared;
pub(crate) mod snapshot;
pub(crate) mod stats;
pub(crate) mod unknown;
pub(crate) mod watch;
