//! The shape of JSON events: wrappers, length, depth, bad escapes.
