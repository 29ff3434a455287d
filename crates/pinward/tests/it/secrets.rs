//! Planted PINs and keys are looked for where they must not be: logs, every file of the data directory, a core dump, and,
//! for PINs, the memory of the running host. Outside sandbox mode, so that nothing knows a PIN but cards' holders.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::sandbox::{PROGRAM, Process, demo, said, script};

/// What must not be found, and how it is called in a failure.
struct Secret {
    name: String,
    bytes: Vec<u8>,
    /// Digits are looked for between other characters: six digits in a longer number are no PIN.
    alone: bool,
}

#[test]
fn planted_pins_and_keys_are_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let free = ["--prepare-only", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    assert!(demo(&data).args(free).output().unwrap().status.success());
    let sandbox: Value = serde_json::from_slice(&fs::read(data.join("sandbox.json")).unwrap()).unwrap();
    // What only the cardholders and the terminals know goes out of the way.
    for file in ["sandbox.json", "sandbox-seed.json"] {
        fs::remove_file(data.join(file)).unwrap();
    }
    let config = data.join("pinward.toml");
    let text = fs::read_to_string(&config).unwrap().replace("sandbox = true", "sandbox = false");
    fs::write(&config, text).unwrap();

    let log = folder.path().join("log.txt");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--config"]).arg(&config).env("PINWARD_LOG", "trace").stdin(Stdio::null());
    let mut host =
        Process(command.stderr(fs::File::create(&log).unwrap()).stdout(Stdio::null()).spawn().unwrap());
    let addresses = addresses(&log, &mut host);
    let terminals = with_addresses(&sandbox, &addresses, folder.path());

    // Right, wrong, forgotten, under a wrong key, replayed; with all kinds of keys.
    for scheme in ["", " scheme sm4", " scheme tdes-dukpt", " scheme aes-dukpt"] {
        let story = format!(
            "terminal T1{scheme}\ncard C1 product debit-standard\nT1: sign-in -> 00\nT1: sale C1 5.00 pin right -> 00\n\
             T1: sale C1 5.00 pin wrong -> 55\nT1: sale C1 5.00 pin right wrong-tpk -> 99\nT1: sale C1 6.00 pin right -> 00\n\
             T1: sale C1 5.00 pin right bad-mac -> A0\nT1: sale C1 7.00 pin wrong -> 55\n"
        );
        let out = script(&["--sandbox", &terminals], &story);
        assert!(out.status.success(), "{story}{}", said(&out));
    }

    let (pins, keys) = (pins(&sandbox), keys(&sandbox, &data));
    let everything: Vec<&Secret> = pins.iter().chain(&keys).collect();
    refuse(&everything, "the log", &fs::read(&log).unwrap());
    for path in files(&data) {
        let is_master = path.ends_with("master.key"); // the one file that holds a key in clear: its own (0600)
        let here: Vec<&Secret> =
            everything.iter().filter(|s| !(is_master && s.name == "master key")).copied().collect();
        refuse(&here, &path.display().to_string(), &fs::read(&path).unwrap());
    }
    check_memory(host.0.id(), &pins, &keys, &everything, folder.path());
}

/// A core dump has nothing at all; the live memory has the keys that are in use, and no PIN.
fn check_memory(pid: u32, pins: &[Secret], keys: &[Secret], everything: &[&Secret], folder: &Path) {
    let core = folder.join("core");
    let dumped = Command::new("gcore").arg("-o").arg(&core).arg(pid.to_string()).output();
    let dumped = dumped.expect("gcore is needed (Debian: gdb)");
    let file = folder.join(format!("core.{pid}"));
    if !rustix::process::geteuid().is_root() {
        assert!(!file.exists(), "nobody but root may take a dump");
        return;
    }
    assert!(file.exists(), "{}", said(&dumped));
    refuse(everything, "the core dump", &fs::read(&file).unwrap());
    let memory = memory(pid);
    let seen = |secret: &Secret| memory.iter().any(|part| finds(secret, part));
    assert!(keys.iter().any(seen), "the search finds what is there: a terminal master key that was used");
    for pin in pins.iter().filter(|pin| !pin.alone) {
        assert!(!seen(pin), "{} is in the host's memory", pin.name);
    }
}

/// All readable private memory of a process.
fn memory(pid: u32) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut file = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut parts = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw")))
    {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut part = vec![0; usize::try_from(to - from).unwrap()];
        let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut part));
        if read.is_ok() {
            parts.push(part);
        }
    }
    parts
}

fn refuse(secrets: &[&Secret], place: &str, contents: &[u8]) {
    for secret in secrets {
        assert!(!finds(secret, contents), "{} is in {place}", secret.name);
    }
}

fn finds(secret: &Secret, contents: &[u8]) -> bool {
    let length = secret.bytes.len();
    memchr::memmem::find_iter(contents, &secret.bytes).any(|at| {
        let digit = |at: Option<usize>| at.and_then(|at| contents.get(at)).is_some_and(u8::is_ascii_digit);
        !secret.alone || !(digit(at.checked_sub(1)) || digit(Some(at + length)))
    })
}

/// Each card's PIN as text, as digits, and in clear blocks of format 0 before and after its account number.
fn pins(sandbox: &Value) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for card in
        sandbox["cards"].as_array().unwrap().iter().filter(|c| c["product"] == "debit-standard").skip(2)
    {
        let (pan, pin) = (card["pan"].as_str().unwrap(), card["pin"].as_str().unwrap());
        let name = |form: &str| format!("the PIN of …{}, {form}", &pan[pan.len() - 4..]);
        let digits: Vec<u8> = pin.bytes().map(|c| c - b'0').collect();
        let packed: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let mut block = [&[u8::try_from(pin.len()).unwrap()][..], &packed].concat();
        block.resize(8, 0xFF);
        let account = &pan[pan.len() - 13..pan.len() - 1];
        let account: Vec<u8> =
            account.as_bytes().chunks(2).map(|p| (p[0] - b'0') << 4 | (p[1] - b'0')).collect();
        let mixed: Vec<u8> = block.iter().zip([0, 0].iter().chain(&account)).map(|(a, b)| a ^ b).collect();
        secrets.push(Secret { name: name("as text"), bytes: pin.as_bytes().to_vec(), alone: true });
        secrets.push(Secret { name: name("in a block"), bytes: block, alone: false });
        secrets.push(Secret { name: name("in a block with its account"), bytes: mixed, alone: false });
    }
    assert!(secrets.len() > 90);
    secrets
}

/// Terminal master keys and initial keys, binary and as text, and the master key.
fn keys(sandbox: &Value, data: &Path) -> Vec<Secret> {
    let lists = [&sandbox["terminals"], &sandbox["scheme_terminals"]];
    let clear = lists.into_iter().flat_map(|list| list.as_array().unwrap()).filter_map(|terminal| {
        terminal["tmk"].as_str().or(terminal["initial_key"].as_str()).map(str::to_owned)
    });
    let mut all: Vec<(String, String)> = clear.map(|key| ("terminal's key".to_owned(), key)).collect();
    let master = fs::read_to_string(data.join("keys/master.key")).unwrap();
    all.push(("master key".to_owned(), master.trim().to_owned()));
    let forms = |(name, text): (String, String)| {
        let forms =
            [text.to_uppercase().into_bytes(), text.to_lowercase().into_bytes(), hex::decode(&text).unwrap()];
        forms.map(|bytes| Secret { name: name.clone(), bytes, alone: false })
    };
    all.into_iter().flat_map(forms).collect()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    assert!(!found.is_empty());
    found
}

/// What the host says that it listens on.
fn addresses(log: &Path, host: &mut Process) -> Vec<String> {
    for _ in 0..600 {
        let lines = BufReader::new(fs::File::open(log).unwrap()).lines();
        let found: Vec<String> = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("ISO 8583").map(|rest| rest.trim().to_owned()))
            .collect();
        if found.len() == 4 {
            return found;
        }
        assert!(host.0.try_wait().unwrap().is_none(), "{}", fs::read_to_string(log).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the host does not say where it listens");
}

/// The terminals' file, outside of the data directory.
fn with_addresses(sandbox: &Value, addresses: &[String], folder: &Path) -> String {
    let mut sandbox = sandbox.clone();
    for (listener, address) in sandbox["listeners"].as_array_mut().unwrap().iter_mut().zip(addresses) {
        listener["address"] = Value::from(address.as_str());
    }
    let place = folder.join("terminals");
    fs::create_dir_all(&place).unwrap();
    let file = place.join("sandbox.json");
    fs::write(&file, serde_json::to_vec(&sandbox).unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}
