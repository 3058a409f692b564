//! Reading that leaves a trace.
