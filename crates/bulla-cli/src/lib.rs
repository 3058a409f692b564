//! What the `bulla` command line is made of, as a library, so that tests reach it.
//!
//! ```
//! use bulla_cli::generate::Generator;
//!
//! // The same seed gives the same events.
//! let start = bulla::Timestamp::from_nanos(0);
//! let ids = |seed| Generator::new(seed, start).take(3).map(|event| event.id).collect::<Vec<_>>();
//! assert_eq!(ids(7), ids(7));
//! assert_ne!(ids(7), ids(8));
//! ```

pub mod export;
pub mod generate;
pub mod import;
pub mod redaction;
