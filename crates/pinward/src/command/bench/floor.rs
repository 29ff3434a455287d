//! The floor of `pinward bench`: the server of [`load::floor`] as a process of its own, so that it has no more and no less of
//! the machine than a host would, and a made-up sandbox of which the load takes messages of the host's sizes.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use load::{Choice, Crew, Plan};
use serde_json::json;

/// Options of the hidden `pinward bench floor-server`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerOptions {
    /// The file that requests are appended to
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Fill it with zeros first, up to so many bytes: appending then changes no metadata of the file
    #[arg(long, value_name = "N", default_value_t = 0)]
    preallocate: u64,
}

/// Serves until whoever started it closes its standard input.
///
/// # Errors
/// When port or file cannot be had.
pub(crate) fn serve(options: &ServerOptions) -> anyhow::Result<ExitCode> {
    let file = prepared(options).with_context(|| format!("cannot write {}", options.file.display()))?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", port.local_addr()?);
    std::io::stdout().flush()?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    load::floor::serve(port, file)?;
    Ok(ExitCode::SUCCESS)
}

fn prepared(options: &ServerOptions) -> std::io::Result<File> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::create(&options.file)?;
    std::io::copy(&mut std::io::repeat(0).take(options.preallocate), &mut file)?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Terminals and cards that nobody registered, at this address.
///
/// # Errors
/// When they cannot be made; they can.
pub(crate) fn crew(address: &str, plan: &Plan) -> anyhow::Result<Crew> {
    const CARDS: usize = 1000;
    let terminals: Vec<_> = (1..=plan.connections)
        .map(|n| {
            json!({ "tid": format!("{n:08}"), "mid": "898510154110283", "listener": 0,
                "tmk": "0F1E2D3C4B5A69788796A5B4C3D2E1F0" })
        })
        .collect();
    let cards: Vec<_> = (0..CARDS)
        .map(|n| {
            json!({ "pan": format!("910001{n:013}"), "expiry": "3012", "pin": format!("{n:06}"),
                "product": "made-up" })
        })
        .collect();
    let sandbox = json!({
        "listeners": [{ "address": address, "dialect": "cup-pos", "framing": "len2+tpdu+header", "mac": "cup-ecb-8" }],
        "terminals": terminals, "cards": cards,
    });
    let choice =
        Choice { listener: 0, product: "made-up".to_owned(), terminals: plan.connections, cards: CARDS };
    Ok(Crew::made_up(serde_json::from_value(sandbox)?, &choice, plan)?)
}
