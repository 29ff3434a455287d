//! `codec-peers`: ours and other ISO 8583 codecs on one message, in one run, on one core.
//!
//! The message is the sale with PIN of the samples, in the one form that all of them can represent: ASCII fields, binary
//! bitmap, PIN block and MAC (our dialect ascii87-bin). Each peer decodes into its own normal form, and what that is stands in
//! the table, because it is not the same work: ours checks every character and notes where each field is; iso8583-core and
//! iso8583_rs copy every value into a map and check lengths (iso8583-core also that text is UTF-8); pyiso8583 fills a dictionary.
//! All reject a message that is cut short. Rounds of all codecs alternate, and the median is shown, so that a busy machine
//! disturbs all of them alike.
//!
//! Usage: codec-peers [--json] [--seconds N]. pyiso8583 runs through `python3` where it is installed.

use iso8583::{Dialect, MessageBuilder};
use serde_json::{Value, json};
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const FIELDS: [(u8, &str); 14] = [
    (3, "000000"),
    (4, "000000010000"),
    (11, "000123"),
    (22, "021"),
    (25, "00"),
    (26, "12"),
    (35, "6299990000000009D30122010000012300000"),
    (41, "10000001"),
    (42, "305310045110001"),
    (49, "156"),
    (52, "C4D37EC26B23F11D"),
    (53, "2600000000000000"),
    (60, "22000001000500"),
    (64, "3331323544313532"),
];

/// One codec and what it did so far.
struct Codec<'c> {
    name: &'static str,
    does: &'static str,
    decode: Box<dyn FnMut() + 'c>,
    encode: Box<dyn FnMut() + 'c>,
    decode_ns: Vec<f64>,
    encode_ns: Vec<f64>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let seconds = match seconds(&args) {
        Ok(seconds) => seconds,
        Err(problem) => {
            eprintln!("codec-peers: {problem}\nusage: codec-peers [--json] [--seconds N]");
            return ExitCode::from(2);
        }
    };
    let report = measure(seconds);
    if args.iter().any(|arg| arg == "--json") {
        // One line, the last: iso8583_rs prints two of its own before it.
        println!("{report}");
    } else {
        print_table(&report);
    }
    ExitCode::SUCCESS
}

fn seconds(args: &[String]) -> Result<f64, String> {
    let mut seconds = 6.0;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--json" => {}
            "--seconds" => {
                let value = rest.next().and_then(|value| value.parse().ok());
                seconds = value.filter(|s| (0.1..=600.0).contains(s)).ok_or("--seconds takes 0.1 to 600")?;
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(seconds)
}

fn measure(seconds: f64) -> Value {
    let dialect = Dialect::builtin("ascii87-bin").expect("built in");
    let mut builder = MessageBuilder::new("0200".parse().expect("a type"));
    for (n, text) in FIELDS {
        builder.set(n, text);
    }
    let mut message = Vec::new();
    builder.encode(&dialect, &mut message).expect("the dialect has these fields");

    let mut codecs = vec![ours(&dialect, &builder, &message), core(&message), rs(&message)];
    let deadline = Instant::now() + Duration::from_secs_f64(seconds * 0.75);
    while Instant::now() < deadline || codecs[0].decode_ns.len() < 3 {
        for codec in &mut codecs {
            codec.decode_ns.push(round(&mut codec.decode));
            codec.encode_ns.push(round(&mut codec.encode));
        }
    }
    let mut rows: Vec<Value> =
        codecs.iter().map(|c| row(c.name, c.does, median(&c.decode_ns), median(&c.encode_ns))).collect();
    match python(&message, seconds * 0.25) {
        Ok((decode, encode)) => {
            let does = "str values in a dict, lengths checked";
            rows.push(row("pyiso8583", does, decode, encode));
        }
        Err(why) => rows.push(json!({"name": "pyiso8583", "absent": why})),
    }
    let (decode, encode) = (rows[0]["decode_ns"].clone(), rows[0]["encode_ns"].clone());
    for row in &mut rows {
        for (ratio, figure, ours) in
            [("decode_ratio", "decode_ns", &decode), ("encode_ratio", "encode_ns", &encode)]
        {
            if let (Some(theirs), Some(ours)) = (row[figure].as_f64(), ours.as_f64()) {
                row[ratio] = json!((theirs / ours * 10.0).round() / 10.0);
            }
        }
    }
    json!({"message": "sale with PIN, 14 fields, ASCII with binary bitmap", "bytes": message.len(), "codecs": rows})
}

fn row(name: &str, does: &str, decode: f64, encode: f64) -> Value {
    json!({"name": name, "does": does, "decode_ns": decode.round() as u64, "encode_ns": encode.round() as u64,
        "decodes_per_s": (1e9 / decode).round() as u64, "encodes_per_s": (1e9 / encode).round() as u64})
}

fn ours<'c>(dialect: &'c Dialect, builder: &'c MessageBuilder, message: &'c [u8]) -> Codec<'c> {
    let mut out = Vec::with_capacity(512);
    Codec {
        name: "iso8583 (ours)",
        does: "place of every field, every character checked, no copy",
        decode: Box::new(move || {
            black_box(dialect.decode(black_box(message)).is_ok());
        }),
        encode: Box::new(move || {
            out.clear();
            builder.encode(dialect, &mut out).expect("checked above");
            black_box(&out);
        }),
        decode_ns: Vec::new(),
        encode_ns: Vec::new(),
    }
}

fn core(message: &[u8]) -> Codec<'_> {
    use iso8583_core::ISO8583Message;
    let parsed = ISO8583Message::from_bytes(message).expect("iso8583-core can represent the message");
    Codec {
        name: "iso8583-core 0.1.0",
        does: "values copied into a HashMap, lengths and UTF-8 checked",
        decode: Box::new(move || {
            black_box(ISO8583Message::from_bytes(black_box(message)).is_ok());
        }),
        encode: Box::new(move || {
            black_box(parsed.to_bytes());
        }),
        decode_ns: Vec::new(),
        encode_ns: Vec::new(),
    }
}

fn rs(message: &[u8]) -> Codec<'_> {
    // The crate reads its one spec from the file that this variable names, when it is first asked for.
    let spec_file = concat!(env!("CARGO_MANIFEST_DIR"), "/sale-spec.yaml");
    // SAFETY: no other thread has been started.
    unsafe { std::env::set_var("SPEC_FILE", spec_file) };
    let spec = iso8583_rs::iso8583::iso_spec::spec("");
    let mut buffer = message.to_vec();
    let parsed =
        spec.parse(&mut buffer).unwrap_or_else(|e| panic!("iso8583_rs can represent the message: {}", e.msg));
    Codec {
        name: "iso8583_rs 0.1.10",
        does: "values copied into a HashMap by name, lengths checked",
        decode: Box::new(move || {
            black_box(spec.parse(black_box(&mut buffer)).is_ok());
        }),
        encode: Box::new(move || {
            black_box(parsed.assemble().is_ok());
        }),
        decode_ns: Vec::new(),
        encode_ns: Vec::new(),
    }
}

/// Nanoseconds per call over about a millisecond's worth of calls.
fn round(work: &mut dyn FnMut()) -> f64 {
    let started = Instant::now();
    let mut calls = 0u32;
    while started.elapsed() < Duration::from_millis(2) {
        (0..200).for_each(|_| work());
        calls += 200;
    }
    started.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn python(message: &[u8], seconds: f64) -> Result<(f64, f64), String> {
    let hex: String = message.iter().map(|b| format!("{b:02x}")).collect();
    let output = Command::new("python3")
        .args(["-c", include_str!("../pyiso8583_sale.py"), &hex, &seconds.to_string()])
        .output()
        .map_err(|e| format!("python3 can not be started: {e}"))?;
    if output.status.code() == Some(3) {
        return Err("pyiso8583 is not installed for python3 (pip install pyiso8583==4.0.1)".to_owned());
    }
    let figures: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("python3 failed: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    let of = |key: &str| -> Vec<f64> {
        figures[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    Ok((median(&of("decode_ns")), median(&of("encode_ns"))))
}

fn print_table(report: &Value) {
    println!(
        "{}, {} bytes; medians, one core",
        report["message"].as_str().unwrap_or_default(),
        report["bytes"]
    );
    println!(
        "{:<20} {:>10} {:>12} {:>7} {:>10} {:>7}  normal form",
        "codec", "decode ns", "decodes/s", "×", "encode ns", "×"
    );
    for row in report["codecs"].as_array().into_iter().flatten() {
        let name = row["name"].as_str().unwrap_or_default();
        match row["absent"].as_str() {
            Some(why) => println!("{name:<20} absent: {why}"),
            None => println!(
                "{name:<20} {:>10} {:>12} {:>7} {:>10} {:>7}  {}",
                row["decode_ns"],
                row["decodes_per_s"],
                row["decode_ratio"],
                row["encode_ns"],
                row["encode_ratio"],
                row["does"].as_str().unwrap_or_default(),
            ),
        }
    }
}
