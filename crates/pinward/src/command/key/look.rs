//! What is there: keys with check values only, findings, the trail.

use std::process::ExitCode;

use keyring::{
    KeyName, KeyRecord, Keyring, KeyringError, State, audit::Line, read_register, read_trail, words,
};
use model::Timestamp;
use serde_json::{Value, json};

use super::{Elsewhere, Session, master, now};

pub(super) fn list(session: &Session) -> anyhow::Result<ExitCode> {
    let register = read_register(&session.existing_folder()?)?;
    let now = now();
    if session.json {
        let keys: Vec<Value> = register.keys().iter().map(|key| page(key, now)).collect();
        let components: Vec<Value> = register
            .components()
            .iter()
            .map(|c| {
                json!({ "name": c.name, "version": c.version, "part": c.part, "of": c.of,
                    "custodian": c.custodian, "check_value": c.check_value })
            })
            .collect();
        let all = json!({ "keys": keys, "components": components });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for key in register.keys() {
        println!("{}", line(key, now));
    }
    for waiting in register.components() {
        println!(
            "{:24} {:>3}  part {} of {} waits, given by {}, check value {}",
            waiting.name.as_str(),
            waiting.version,
            waiting.part,
            waiting.of,
            waiting.custodian,
            waiting.check_value
        );
    }
    if register.keys().is_empty() && register.components().is_empty() {
        eprintln!("no keys");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(session: &Session, name: &KeyName) -> anyhow::Result<ExitCode> {
    let register = read_register(&session.existing_folder()?)?;
    let now = now();
    let waiting: Vec<_> = register.components().iter().filter(|c| c.name == *name).collect();
    let versions = register.versions(name);
    if versions.is_empty() && waiting.is_empty() {
        register.find(name, None)?;
    }
    if session.json {
        let pages: Vec<Value> = versions.iter().map(|key| page(key, now)).collect();
        println!("{}", serde_json::to_string_pretty(&pages)?);
        return Ok(ExitCode::SUCCESS);
    }
    for key in versions {
        print_key(key, now);
    }
    for component in waiting {
        println!(
            "part {} of {}  check value {}  given by {} at {}",
            component.part,
            component.of,
            component.check_value,
            component.custodian,
            words::time_text(component.created)
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn print_key(key: &KeyRecord, now: Timestamp) {
    let people = |people: &[keyring::Person]| {
        people.iter().map(keyring::Person::as_str).collect::<Vec<_>>().join(", ")
    };
    println!("{}", key.label());
    println!("  state        {}", state(key, now));
    println!("  key          {}", kind(key));
    println!("  check value  {} ({})", key.check_value, key.check_method);
    println!("  origin       {}, {}", key.origin, words::time_text(key.created));
    if !key.custodians.is_empty() {
        println!("  custodians   {}", people(&key.custodians));
    }
    println!("  operators    {}", people(&key.operators));
    if let Some(replaces) = key.replaces {
        println!("  replaces     version {replaces}");
    }
    if let Some(at) = key.activated {
        println!("  activated    {}", words::time_text(at));
    }
    if let Some(at) = key.retired {
        println!("  retired      {}", words::time_text(at));
    }
    if let Some(at) = key.destroyed {
        println!("  destroyed    {}", words::time_text(at));
    }
}

pub(super) fn check(session: &Session, elsewhere: Option<Elsewhere<'_>>) -> anyhow::Result<ExitCode> {
    // The trail first: without one that is whole there is nothing to compare the register with.
    match read_trail(&session.existing_folder()?) {
        Ok(_) | Err(KeyringError::Altered(_)) => {}
        Err(error) => {
            println!("{error}");
            return Ok(ExitCode::FAILURE);
        }
    }
    let ceremony = session.ceremony(master::open(&session.existing_folder()?)?);
    let keyring = Keyring::open_to_check(&session.existing_folder()?)?;
    let others = match elsewhere {
        Some(elsewhere) => elsewhere(&session.data, &ceremony)?,
        None => {
            eprintln!("keys of terminals were not compared: there is no store here");
            Vec::new()
        }
    };
    let compared = others.len();
    let findings = keyring.check(&ceremony, others)?;
    if session.json {
        let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
        println!("{}", serde_json::to_string_pretty(&json!({ "findings": all }))?);
    } else {
        findings.iter().for_each(|finding| println!("{finding}"));
    }
    if findings.is_empty() {
        eprintln!(
            "{} keys are what the register says; no key is there twice ({compared} keys of terminals compared)",
            keyring.register().keys().iter().filter(|key| key.state != State::Destroyed).count()
        );
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{} findings: somebody must look into each (docs/guides/key-ceremony.md)", findings.len());
    Ok(ExitCode::FAILURE)
}

pub(super) fn audit(session: &Session, verify: bool) -> anyhow::Result<ExitCode> {
    let trail = read_trail(&session.existing_folder()?)?;
    if !verify {
        for line in &trail.lines {
            if session.json {
                println!("{}", serde_json::to_string(line)?);
            } else {
                println!("{}", audit_line(line));
            }
        }
    }
    let (lines, hash) = (trail.end().lines, &trail.end().last);
    if verify && session.json {
        println!("{}", json!({ "whole": true, "lines": lines, "last": hash, "interrupted": trail.ahead }));
    } else if verify {
        println!("whole: {lines} lines, the last with SHA-256 {hash}");
    }
    if trail.ahead > 0 {
        let interrupted = trail.lines.get(usize::try_from(trail.end().lines - trail.ahead)?);
        eprintln!(
            "the step of this line was interrupted and took no effect; unless it did: then keys.toml of before was restored\n{}",
            interrupted.map(audit_line).unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn audit_line(line: &Line) -> String {
    let who: Vec<&str> = line.who.iter().map(keyring::Person::as_str).collect();
    let key = match (&line.key, line.version) {
        (Some(key), Some(version)) => format!("{key} version {version}"),
        (Some(key), None) => key.to_string(),
        (None, _) => String::new(),
    };
    let note = line.note.as_deref().map_or_else(String::new, |note| format!("  ({note})"));
    format!(
        "{:>5}  {}  {:11}  {key}  {}  {}{note}",
        line.number,
        words::time_text(line.at),
        format!("{:?}", line.action).to_lowercase(),
        line.check_values.join(" "),
        who.join(", ")
    )
}

fn line(key: &KeyRecord, now: Timestamp) -> String {
    format!(
        "{:24} {:>3}  {:9} {:28} check value {} ({})",
        key.name.as_str(),
        key.version,
        state(key, now),
        kind(key),
        key.check_value,
        key.check_method
    )
}

fn kind(key: &KeyRecord) -> String {
    format!(
        "{} {} {} {} bits, {}",
        words::usage_text(key.usage),
        words::mode_text(key.mode),
        words::algorithm_text(key.algorithm),
        key.length_bits,
        match words::exportability_text(key.exportability).as_str() {
            "N" => "stays",
            _ => "exportable",
        }
    )
}

fn state(key: &KeyRecord, now: Timestamp) -> String {
    match (key.state_at(now), key.retired) {
        (State::Active, Some(end)) => format!("active until {}", words::time_text(end)),
        (state, _) => state.to_string(),
    }
}

/// A key as JSON: everything but the key block.
fn page(key: &KeyRecord, now: Timestamp) -> Value {
    let time = |at: Option<Timestamp>| at.map(words::time_text);
    json!({
        "name": key.name,
        "version": key.version,
        "state": key.state_at(now),
        "usage": words::usage_text(key.usage),
        "algorithm": words::algorithm_text(key.algorithm),
        "mode": words::mode_text(key.mode),
        "exportability": words::exportability_text(key.exportability),
        "length_bits": key.length_bits,
        "check_value": key.check_value,
        "check_method": key.check_method,
        "origin": key.origin,
        "custodians": key.custodians,
        "operators": key.operators,
        "replaces": key.replaces,
        "created": words::time_text(key.created),
        "activated": time(key.activated),
        "retired": time(key.retired),
        "destroyed": time(key.destroyed),
    })
}
