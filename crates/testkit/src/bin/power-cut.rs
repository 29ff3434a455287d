//! Cuts the power of a machine that takes payments, and looks whether it kept what it answered.
//!
//! `cargo run -p testkit --bin power-cut -- CUTS`; inside of the machine it is its only program.

use std::{env, path::Path};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["guest", store, synced, first_stan] => {
            testkit::power_cut::guest(Path::new(store), synced.parse()?, first_stan.parse()?).await
        }
        [cuts] => {
            testkit::power_cut::run(cuts.parse()?).await?;
            println!("1 passed, 0 failed");
            Ok(())
        }
        _ => anyhow::bail!("say how many times the power is to be cut"),
    }
}
