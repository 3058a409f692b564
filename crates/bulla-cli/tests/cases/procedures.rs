//! Commands run one after the other: outputs, arguments, resuming.
