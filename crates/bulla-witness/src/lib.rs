//! Witnesses over HTTP (c2sp.org/tlog-witness): a small server that cosigns checkpoints,
//! and the client that asks for cosignatures.
//!
//! The rule itself, when a witness cosigns, is [`bulla::witness::check`]. Here are its
//! memory, its key and its service:
//!
//! - [`Cosigner`]: the key, in a file that nobody else can read;
//! - [`Witness`]: the key, the logs it watches and what it remembers of them, durably;
//! - [`Server`]: answers `POST /add-checkpoint`, bounded in every direction. No TLS: put a
//!   reverse proxy in front of it;
//! - [`collect`]: asks all the witnesses of a policy, and checks what they answer.

mod client;
mod collect;
mod cosigner;
mod memory;
mod server;
mod witness;

pub use client::{Client, SubmitError};
pub use collect::{Asked, collect};
pub use cosigner::{Cosigner, CosignerError};
pub use memory::{Memory, MemoryError};
pub use server::{Limits, Server};
pub use witness::{Answer, Witness, WitnessError};
