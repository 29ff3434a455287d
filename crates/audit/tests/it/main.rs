//! The tree against the vectors that the field shares, proofs against a model, and an export against everything that somebody
//! may do to it.

mod export;
mod tree;
