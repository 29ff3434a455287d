//! `pinward bench codec`: what reading and writing one message costs, here and beside other codecs.
//!
//! The figures of this very binary come first: the UnionPay sale with PIN, decoded and encoded on one core. Ratios need others in
//! the same run; those live in `bench/peers`, an own workspace with the other codecs as dependencies, which is built and run
//! when a source tree and cargo are at hand. When they are not, the command says so and shows our figures alone.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use iso8583::{Dialect, MessageBuilder};
use serde_json::{Value, json};

/// Measures the ISO 8583 codec, beside other codecs where they can be built.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// How long to measure, in seconds, for our own figures and again for the comparison
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
}

/// The sample syn-cup-0200-sale-pin-3des without its frame: 14 fields, among them track 2, PIN block and MAC.
const SALE: &str = "0200302004C020C0981100000000000001000000012302100012376299990000000009D30122010000012300000\
                    03130303030303031333035333130303435313130303031313536C4D37EC26B23F11D260000000000000000142200\
                    00010005003331323544313532";

/// Calls per round; a round takes about a millisecond.
const CALLS: u32 = 4000;

/// Runs the command.
pub(crate) fn run(options: Options) -> ExitCode {
    let own = own_figures(Duration::from_secs(u64::from(options.seconds)));
    let peers = peer_figures(options.seconds);
    if options.json {
        let peers = peers.unwrap_or_else(|why| json!({ "absent": why }));
        println!("{:#}", json!({ "own": own, "peers": peers }));
        return ExitCode::SUCCESS;
    }
    println!(
        "cup-pos sale with PIN, 14 fields, {} bytes; one core, median of {} rounds",
        own["bytes"], own["rounds"]
    );
    for (what, key) in [("decode", "decode"), ("encode", "encode")] {
        let figures = &own[key];
        println!("{what:<8}{:>8} ns{:>12} a second", figures["ns"].to_string(), figures["per_s"].to_string());
    }
    println!();
    match peers {
        Ok(report) => print_peers(&report),
        Err(why) => eprintln!("no comparison: {why}"),
    }
    ExitCode::SUCCESS
}

fn own_figures(time: Duration) -> Value {
    let dialect = Dialect::builtin("cup-pos").expect("built in");
    let body = hex::decode(SALE).expect("the sample is hex");
    let message = dialect.decode(&body).expect("the sample decodes");
    let mut builder = MessageBuilder::new(message.mti());
    for (path, text) in message.to_fields().iter() {
        builder.set_path(path, text);
    }
    let mut out = Vec::with_capacity(512);
    let (mut decode, mut encode) = (Vec::new(), Vec::new());
    let until = Instant::now() + time;
    while Instant::now() < until || decode.len() < 3 {
        decode.push(round(|| {
            black_box(dialect.decode(black_box(&body)).is_ok());
        }));
        encode.push(round(|| {
            out.clear();
            builder.encode(&dialect, &mut out).expect("the sample encodes");
            black_box(&out);
        }));
    }
    assert_eq!(out, body, "what was measured is the sample");
    json!({ "bytes": body.len(), "rounds": decode.len(), "decode": figures(&mut decode), "encode": figures(&mut encode) })
}

/// Nanoseconds per call.
fn round(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    (0..CALLS).for_each(|_| work());
    started.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn figures(rounds: &mut [f64]) -> Value {
    rounds.sort_by(f64::total_cmp);
    let (median, best) = (rounds[rounds.len() / 2], rounds[0]);
    json!({ "ns": median.round() as u64, "best_ns": best.round() as u64, "per_s": (1e9 / median).round() as u64 })
}

/// Builds and runs `bench/peers`; the error is the reason why that is not possible.
fn peer_figures(seconds: u32) -> Result<Value, String> {
    let folder = peers_folder().ok_or("bench/peers was not found in or above the current folder")?;
    let manifest = folder.join("Cargo.toml");
    let output = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--manifest-path"])
        .arg(&manifest)
        .args(["--", "--json", "--seconds", &seconds.to_string()])
        .output()
        .map_err(|e| format!("cargo can not be started: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        return Err(format!("{} failed: {last}", manifest.display()));
    }
    // One of the peers prints lines of its own before the report.
    let text = String::from_utf8_lossy(&output.stdout);
    let report = text.lines().rev().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(report).map_err(|e| format!("the report of codec-peers can not be read: {e}"))
}

fn peers_folder() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join("bench/peers")).find(|folder| is_peers(folder))
}

fn is_peers(folder: &Path) -> bool {
    folder.join("Cargo.toml").is_file()
}

fn print_peers(report: &Value) {
    println!(
        "{}, {} bytes; the same message for all",
        report["message"].as_str().unwrap_or_default(),
        report["bytes"]
    );
    println!(
        "{:<20}{:>11}{:>12}{:>9}{:>11}{:>9}",
        "codec", "decode ns", "a second", "ratio", "encode ns", "ratio"
    );
    for row in report["codecs"].as_array().into_iter().flatten() {
        let name = row["name"].as_str().unwrap_or_default();
        if let Some(why) = row["absent"].as_str() {
            println!("{name:<20}  absent: {why}");
            continue;
        }
        // A JSON value pays no heed to widths; text does.
        let text = |key: &str| row[key].to_string();
        let (decode, encode) = (text("decode_ns"), text("encode_ns"));
        let (decode_ratio, encode_ratio) = (text("decode_ratio"), text("encode_ratio"));
        let rate = text("decodes_per_s");
        println!("{name:<20}{decode:>11}{rate:>12}{decode_ratio:>8}x{encode:>11}{encode_ratio:>8}x");
    }
}
