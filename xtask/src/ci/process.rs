//! Programs on a leash: whatever ends `ci` ends what it started, however it ends, and none runs for ever.

use std::{
    fs::OpenOptions,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// Runs a program in place of the shell, beside a watcher that ends it when our end of the pipe closes: when the
/// [`Leash`] is dropped, and also when we are killed and can do nothing any more.
const LEASH: &str = r#"exec 3<&0; (cat <&3 >/dev/null; kill $$ 2>/dev/null) & exec "$@" </dev/null 3<&-"#;

/// Between being asked to end and being killed.
const GRACE: Duration = Duration::from_secs(10);

/// How a program ended.
pub(super) enum Ended {
    Status(ExitStatus),
    TimedOut,
}

/// A running program.
pub(super) struct Leash {
    child: Child,
}

impl Leash {
    /// Starts a program that writes all it says to a log.
    pub(super) fn start(command: &[String], folder: &Path, log: &Path) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let child = Command::new("sh")
            .args(["-c", LEASH, "sh"])
            .args(command)
            .current_dir(folder)
            .envs([("NO_COLOR", "1"), ("CARGO_TERM_COLOR", "never"), ("TERM", "dumb")])
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        Ok(Self { child })
    }

    /// Its status, once it has ended.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it ends, but not for ever.
    fn wait(&mut self, limit: Duration) -> Result<Ended> {
        let until = Instant::now() + limit;
        while Instant::now() < until {
            if let Some(status) = self.ended()? {
                return Ok(Ended::Status(status));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(Ended::TimedOut)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if !matches!(self.wait(GRACE), Ok(Ended::Status(_))) {
            // It had its time; there is nobody left to tell if this fails too.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs a program to its end.
pub(super) fn run(command: &[String], folder: &Path, log: &Path, limit: Duration) -> Result<Ended> {
    Leash::start(command, folder, log)?.wait(limit)
}

/// Does this program exist and end with success?
pub(super) fn succeeds(command: &[String]) -> bool {
    let Some((program, args)) = command.split_first() else { return false };
    let quiet = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::PathBuf, process};

    use super::*;

    fn log(name: &str) -> PathBuf {
        let path = env::temp_dir().join(format!("pinward-xtask-{name}-{}", process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).into()
    }

    #[test]
    fn output_and_status_are_kept() {
        let log = log("status");
        let ended = run(&sh("echo out; echo err >&2; exit 3"), Path::new("."), &log, GRACE).unwrap();
        assert!(matches!(ended, Ended::Status(status) if status.code() == Some(3)));
        assert_eq!(fs::read_to_string(&log).unwrap(), "out\nerr\n");
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_program_ends_with_its_leash() {
        let log = log("leash");
        let script = "trap 'echo stopped; exit 0' TERM; echo started; while :; do sleep 0.05; done";
        let start = Instant::now();
        let ended = run(&sh(script), Path::new("."), &log, Duration::from_secs(1)).unwrap();
        assert!(matches!(ended, Ended::TimedOut) && start.elapsed() < GRACE);
        assert_eq!(fs::read_to_string(&log).unwrap(), "started\nstopped\n");
        fs::remove_file(log).unwrap();
    }
}
