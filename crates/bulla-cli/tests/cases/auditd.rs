//! Linux audit records.
