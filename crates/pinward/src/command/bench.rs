//! `pinward bench`: measurements, each against something in the same run.

use std::process::ExitCode;

use clap::Subcommand;

use super::bench_codec;

/// Options of `pinward bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Decoding and encoding of messages beside other libraries.
    Codec(bench_codec::Options),
}

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.what {
        What::Codec(options) => Ok(bench_codec::run(options)),
    }
}
