//! A vault keeps the logs of its tenants apart, and who reads them is on record.

mod access;
mod routing;
mod tenants;

#[path = "../support/mod.rs"]
mod support;
