//! Answering queries: segment by segment, from indexes where there are any and by reading
//! records where there are none.
//!
//! - `open_index`: the index of a segment that is being written;
//! - `parts`: what of a snapshot is to be looked at, and how;
//! - `sources`: which positions of a segment may match;
//! - `matches`: the records, one after the other; `view`: one of them, borrowed;
//! - `counts`: counting without reading records; `positions`: sets of positions, for that;
//! - `cancel`, `explain`: ending a long search, and what it did.

pub(crate) mod cancel;
mod counts;
mod explain;
mod matches;
pub(crate) mod open_index;
pub(crate) mod parts;
mod positions;
mod sources;
mod view;

pub use cancel::CancelToken;
pub use counts::{Bucket, Extent, Group, GroupBy};
pub use explain::Explain;
pub use matches::Matches;
pub use view::RecordView;
