//! Laws of answers.
