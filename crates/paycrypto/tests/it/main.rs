//! The integration tests of `paycrypto`, one binary.

mod corpus;
mod dukpt_rederived;
mod dukpt_sides;
mod pin_block_range;
mod pin_verify_range;
mod vector_file;

// The checker of `pinward vectors`, so that the command and the tests cannot disagree.
#[allow(unreachable_pub, dead_code)]
#[path = "../../../pinward/src/command/vectors/runner/mod.rs"]
mod runner;
