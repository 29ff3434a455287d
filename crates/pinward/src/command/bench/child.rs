//! What is measured runs as processes of their own: the floor's server, prepared sandboxes, hosts. Each ends with the run.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// Ticks a second in which proc(5) counts processor time: USER_HZ, 100 on every platform that Linux still has.
const USER_HZ: f64 = 100.0;

/// A process that is told to end when nobody needs it any more.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    /// Asks it to end; one that does not is ended.
    fn drop(&mut self) {
        const STEPS: u32 = 500;
        drop(self.child.stdin.take());
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        for _ in 0..STEPS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe().context("where is this program?")?))
}

/// The floor's server and its address.
///
/// # Errors
/// When it does not start.
pub(crate) fn floor(file: &Path) -> anyhow::Result<(Running, String)> {
    let mut command = program()?;
    command.args(["bench", "floor-server", "--file"]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let out = child.stdout.take();
    let running = Running { child };
    let mut address = String::new();
    BufReader::new(out.context("no output")?).read_line(&mut address)?;
    anyhow::ensure!(!address.trim().is_empty(), "the floor's server did not start");
    Ok((running, address.trim().to_owned()))
}

/// Makes a sandbox with so many cards and terminals, in files or in a database.
///
/// # Errors
/// With what `pinward demo` said.
pub(crate) fn prepare(data: &Path, cards: u32, terminals: u32, store: Option<&str>) -> anyhow::Result<()> {
    let mut command = program()?;
    command.args(["demo", "--prepare-only", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    command.args(["--more-cards", &cards.to_string(), "--more-terminals", &terminals.to_string()]);
    command.arg("--data").arg(data).stdin(Stdio::null());
    if let Some(url) = store {
        command.args(["--store", url]);
    }
    let output = command.output()?;
    anyhow::ensure!(
        output.status.success(),
        "cannot make a sandbox: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// The report of `pinward rules backtest` on a data directory.
///
/// # Errors
/// With what it said.
pub(crate) fn backtest(set: &Path, data: &Path) -> anyhow::Result<serde_json::Value> {
    let mut command = program()?;
    command.args(["rules", "backtest", "--json"]).arg(set).arg("--data").arg(data).stdin(Stdio::null());
    let output = command.output()?;
    anyhow::ensure!(
        output.status.success(),
        "the backtest failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A prepared sandbox's host will not follow its journal to find out why.
///
/// # Errors
/// When its configuration cannot be written.
pub(crate) fn without_diagnosis(data: &Path) -> anyhow::Result<()> {
    let file = data.join("pinward.toml");
    let mut config: toml::Table = fs::read_to_string(&file)?.parse()?;
    let diagnosis = config.entry("diagnosis").or_insert_with(|| toml::Table::new().into());
    let diagnosis = diagnosis.as_table_mut().context("[diagnosis] is no table")?;
    diagnosis.insert("enabled".to_owned(), false.into());
    Ok(fs::write(&file, config.to_string())?)
}

/// A host on a prepared sandbox.
pub(crate) struct Host {
    running: Running,
    /// Its first listener.
    pub(crate) address: SocketAddr,
    console: String,
    /// What terminals and cards it has, with its address.
    pub(crate) sandbox: PathBuf,
}

impl Host {
    /// Starts it, on free ports.
    ///
    /// # Errors
    /// When it does not start; its log says why.
    pub(crate) fn start(data: &Path, name: &str) -> anyhow::Result<Host> {
        let log = data.join(format!("{name}.log"));
        let mut command = program()?;
        command.arg("serve").arg("--config").arg(data.join("pinward.toml"));
        command.args(["--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let mut running = Running { child: command.spawn()? };
        let text = wait_for(&mut running.child, &log, "\nstore ")?;
        let word = |key: &str| {
            let line = text.lines().find(|line| line.starts_with(key));
            line.and_then(|line| line.split_whitespace().last()).unwrap_or_default().to_owned()
        };
        Ok(Host {
            running,
            address: word("ISO 8583").parse().context("the host named no address")?,
            console: word("console").trim_start_matches("http://").to_owned(),
            sandbox: word("sandbox").into(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// How its journal's writer is scheduled; `None` where it has none, on a database.
    pub(crate) fn writer_scheduling(&self) -> Option<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?;
        let named = |task: &fs::DirEntry| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "journal")
        };
        let task = tasks.flatten().find(named)?;
        super::machine::scheduling(&task.path().join("stat").to_string_lossy())
    }

    /// A counter of its metrics, all labels together.
    pub(crate) fn counter(&self, name: &str) -> anyhow::Result<f64> {
        let mut stream = TcpStream::connect(&self.console)?;
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", self.console)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let values = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
        });
        Ok(values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }
}

fn wait_for(child: &mut Child, log: &Path, what: &str) -> anyhow::Result<String> {
    const STEPS: u32 = 6000;
    for _ in 0..STEPS {
        let text = fs::read_to_string(log)?;
        if text.contains(what) {
            return Ok(text);
        }
        anyhow::ensure!(child.try_wait()?.is_none(), "the host ended: {}", text.trim());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    anyhow::bail!("the host did not start within a minute")
}

/// Processor time of processes, in microseconds: their own, and of their children that have ended.
pub(crate) fn cpu_us(pids: &[u32]) -> f64 {
    pids.iter().filter_map(|pid| stat(*pid)).map(|stat| stat.ticks).sum::<f64>() / USER_HZ * 1e6
}

/// A process and those that it has started.
pub(crate) fn family(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let children = pids.filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == parent));
    std::iter::once(parent).chain(children).collect()
}

struct Stat {
    parent: u32,
    ticks: f64,
}

/// proc(5): field 4 is the parent, 14 to 17 are the times of the process and of its ended children.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let times = fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<f64>().ok());
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks: times.sum() })
}
