//! A running sandbox, the counterpart of an HSM, and terminals that play stories: each a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pinward");
const PATIENCE: Duration = Duration::from_secs(60);

/// A child that ends with the test.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// `pinward demo` on a directory, on free ports of the loopback address.
pub(crate) struct Sandbox {
    pub(crate) process: Process,
    pub(crate) data: PathBuf,
    log: PathBuf,
    /// How much of the log was looked at.
    read: AtomicUsize,
}

impl Sandbox {
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        let published = data.join("sandbox.json");
        let _old = fs::remove_file(&published);
        let mut command = demo(data);
        command.args(["--quiet", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]).args(more);
        let log = data.with_extension("log");
        let to_log = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut process =
            Process(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(to_log).spawn().unwrap());
        let began = Instant::now();
        while !published.exists() {
            assert!(process.0.try_wait().unwrap().is_none(), "the sandbox ended");
            assert!(began.elapsed() < PATIENCE, "no sandbox.json");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, data: data.to_owned(), log, read: AtomicUsize::new(0) }
    }

    /// Are there so many lines with this in the new part of the log?
    pub(crate) fn log_says(&self, what: &str, times: usize) -> bool {
        let log = fs::read_to_string(&self.log).unwrap();
        log[self.read.load(Ordering::SeqCst)..].lines().filter(|line| line.contains(what)).count() >= times
    }

    /// What follows is the new part.
    pub(crate) fn forget_log(&self) {
        self.read.store(fs::read_to_string(&self.log).unwrap().len(), Ordering::SeqCst);
    }

    /// Plays a story that comes with the program.
    #[track_caller]
    pub(crate) fn play(&self, story: &str) {
        let out = Command::new(PROGRAM).args(["trigger", story, "--data"]).arg(&self.data).output().unwrap();
        assert!(out.status.success(), "{story}:\n{}", said(&out));
    }

    /// Plays a story of the test's.
    #[track_caller]
    pub(crate) fn play_text(&self, story: &str) {
        let out = script(&["--data", self.data.to_str().unwrap()], story);
        assert!(out.status.success(), "{story}\n{}", said(&out));
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) {
        let pid = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let began = Instant::now();
        while self.process.0.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn demo(data: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["demo", "--data"]).arg(data);
    command
}

/// Plays a story from standard input.
pub(crate) fn script(place: &[&str], story: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["pos", "--script", "-", "--language", "en"]).args(place);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(story.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The counterpart of a payShield in `peers/`.
pub(crate) struct TestHsm {
    _process: Process,
    _input: ChildStdin,
    control: String,
    /// Its first line, for `demo --hsm`.
    pub(crate) line: String,
}

impl TestHsm {
    pub(crate) fn start() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = std::env::var_os("PINWARD_PEERS_PYTHON")
            .map_or_else(|| root.join("peers/.venv/bin/python"), PathBuf::from);
        let mut command = Command::new(&python);
        command.args(["-m", "payshield"]).current_dir(root.join("peers"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|e| {
            panic!(
                "{}: {e}; make it with: python3 -m venv peers/.venv && peers/.venv/bin/pip install -r \
                 peers/requirements.txt",
                python.display()
            )
        });
        let input = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).expect("the counterpart's first line");
        let control = told["control"].as_str().unwrap().to_owned();
        Self { _process: Process(child), _input: input, control, line }
    }

    /// Sets a fault, or `none`.
    #[track_caller]
    pub(crate) fn fault(&self, fault: &str) {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        stream.write_all(format!("fault {fault}\n").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.trim(), "ok", "{fault}");
    }
}
