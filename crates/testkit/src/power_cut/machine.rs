//! The machine: Debian's user-mode Linux, one process group. Its power is cut by killing the group.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

const PROGRAM: &str = "linux.uml";
const BOOT_LIMIT: Duration = Duration::from_secs(90);

pub(super) struct Machine {
    process: Child,
    console: Receiver<String>,
}

impl Machine {
    /// Starts a machine on a disk.
    pub(super) fn boot(disk: PathBuf, synced: bool, first_stan: u32) -> anyhow::Result<Self> {
        let mut command = Command::new(PROGRAM);
        command.arg(format!("ubd0={}", disk.display()));
        command.args(["mem=256M", "root=/dev/ubda", "rw", "init=/init", "quiet", "panic=1"]);
        command.args(["con=null", "con0=fd:0,fd:1"]);
        command.args([format!("synced={synced}"), format!("stan={first_stan}")]);
        command.stdin(File::open("/dev/null")?).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut process = command.spawn().with_context(|| format!("{PROGRAM} is missing"))?;
        let output = process.stdout.take().context("its output")?;
        let (lines, console) = channel();
        thread::spawn(move || {
            let lines_read = BufReader::new(output).split(b'\n');
            for line in lines_read.map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { process, console })
    }

    /// Waits for the first answer.
    pub(super) fn first_answer(&mut self) -> anyhow::Result<Vec<String>> {
        let started = Instant::now();
        let mut said = Vec::new();
        while let Some(left) = BOOT_LIMIT.checked_sub(started.elapsed()) {
            match self.console.recv_timeout(left) {
                Ok(line) if line.starts_with("ack ") => return Ok(vec![line]),
                Ok(line) => said.push(line),
                Err(_) => break,
            }
        }
        bail!("no terminal had an answer; the machine said:\n{}", said.join("\n"))
    }

    /// The answers that terminals get in this time.
    pub(super) fn answers_for(&mut self, time: Duration) -> Vec<String> {
        let until = Instant::now() + time;
        let mut seen = Vec::new();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.console.recv_timeout(left) {
                Ok(line) if line.starts_with("ack ") => seen.push(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        seen
    }

    /// Cuts the power. Answers that were printed before are seen as well, a line that was cut is not.
    pub(super) fn cut(mut self) -> anyhow::Result<Vec<String>> {
        if let Some(status) = self.process.try_wait()? {
            bail!("the machine ended before its power was cut, with {status}");
        }
        self.kill();
        let mut seen: Vec<String> = self.console.iter().filter(|line| line.starts_with("ack ")).collect();
        // The last one may have no end.
        seen.pop();
        Ok(seen)
    }

    /// The kernel and the processes in which it keeps its own: all in the group of which it is the first.
    fn kill(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.process.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}
