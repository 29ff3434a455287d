//! `pinward bench`: measurements, each against something in the same run.

mod codec;
mod floor;

use std::process::ExitCode;

use clap::Subcommand;

/// Options of `pinward bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Decoding and encoding of messages beside other libraries.
    Codec(codec::Options),
    /// The floor's server.
    #[command(hide = true)]
    FloorServer(floor::ServerOptions),
    /// Load on a floor's server.
    #[command(hide = true)]
    FloorLoad(FloorLoad),
}

#[derive(clap::Args)]
struct FloorLoad {
    #[arg(long)]
    address: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 8)]
    depth: usize,
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.what {
        What::Codec(options) => Ok(codec::run(options)),
        What::FloorServer(options) => floor::serve(&options),
        What::FloorLoad(options) => {
            let plan = load::Plan {
                connections: options.connections,
                depth: options.depth,
                time: std::time::Duration::from_secs(options.seconds),
                ..load::Plan::default()
            };
            let mut crew = floor::crew(&options.address, &plan)?;
            let report = load::run(&plan, &mut crew, &mut |_| {})?;
            println!("{}", serde_json::to_string(&report)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
