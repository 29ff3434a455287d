//! What a measurement was made on, and whether the machine was quiet enough for it.
//!
//! One trap deserves its line: while other work has the processors, a thread that the disk wakes waits for the kernel's next tick. A
//! synchronization that takes a fifth of a millisecond then looks like 4 ms (250 ticks a second). So the disk is timed first,
//! and the report says what it took and whether the journal's writer had a raised priority.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

/// Synchronizations that are timed.
const PROBES: usize = 200;
/// Bytes of each.
const RECORD: [u8; 200] = [0x5A; 200];
/// A half of all synchronizations takes longer than this: the tick is measured, not the disk.
const TICK_SUSPECTED_US: u64 = 2_000;

/// The machine, as it was when the run began.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) at: String,
    pub(crate) program: String,
    pub(crate) build: &'static str,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Ticks a second, where the kernel says so.
    pub(crate) kernel_hz: Option<u32>,
    pub(crate) file_system: String,
    /// Processes that wanted a processor in the last minute, on average.
    pub(crate) load_average: f64,
    /// One small append with fdatasync, in microseconds.
    pub(crate) fdatasync_p50_us: u64,
    pub(crate) fdatasync_p99_us: u64,
    /// How this process is scheduled, and so the servers that it starts.
    pub(crate) scheduling: String,
}

impl Machine {
    /// Looks at it; `folder` is where the measured files will be.
    ///
    /// # Errors
    /// When the disk cannot be timed.
    pub(crate) fn here(folder: &Path) -> anyhow::Result<Machine> {
        let (fdatasync_p50_us, fdatasync_p99_us) = time_disk(folder).context("cannot time the disk")?;
        let pid = std::process::id();
        Ok(Machine {
            at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            program: format!("pinward {}", env!("CARGO_PKG_VERSION")),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            processor: field("/proc/cpuinfo", "model name").unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: field("/proc/meminfo", "MemTotal")
                .and_then(|kib| kib.split(' ').next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            kernel_hz: kernel_hz(),
            file_system: file_system(folder),
            load_average: read("/proc/loadavg").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
            fdatasync_p50_us,
            fdatasync_p99_us,
            scheduling: scheduling(&format!("/proc/{pid}/stat")).unwrap_or_default(),
        })
    }

    /// What whoever reads the figures must know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if cfg!(debug_assertions) {
            warnings
                .push("THIS IS A DEBUG BUILD: its figures mean nothing; cargo build --release".to_owned());
        }
        if self.file_system == "tmpfs" {
            warnings.push(
                "the files are in memory (tmpfs), nothing is durable: name a folder on a disk with --dir"
                    .to_owned(),
            );
        }
        if self.fdatasync_p50_us > TICK_SUSPECTED_US {
            warnings.push(format!(
                "an fdatasync takes {} µs: other work makes it wait for the kernel's tick; chrt -r 1 pinward bench runs before it",
                self.fdatasync_p50_us
            ));
        }
        if self.load_average > 0.5 * self.processors as f64 {
            warnings
                .push(format!("other work wanted {} of {} processors", self.load_average, self.processors));
        }
        warnings
    }
}

fn time_disk(folder: &Path) -> std::io::Result<(u64, u64)> {
    let path = folder.join("probe");
    let mut file = File::create(&path)?;
    let mut took = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let began = Instant::now();
        file.write_all(&RECORD)?;
        file.sync_data()?;
        took.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    fs::remove_file(path)?;
    took.sort_unstable();
    Ok((took[PROBES / 2], took[PROBES * 99 / 100]))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn kernel_hz() -> Option<u32> {
    let config =
        fs::read_to_string(format!("/boot/config-{}", read("/proc/sys/kernel/osrelease").trim())).ok()?;
    config.lines().find_map(|line| line.strip_prefix("CONFIG_HZ="))?.parse().ok()
}

/// Of the longest mount point that the folder is under.
fn file_system(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mounts = read("/proc/mounts");
    let all = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let under = all.filter(|(point, _)| folder.starts_with(point));
    under.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned()).unwrap_or_default()
}

/// Policy and priority from a `stat` file of proc(5): its fields 19 (nice), 40 (real-time priority) and 41 (policy).
pub(crate) fn scheduling(stat: &str) -> Option<String> {
    let text = fs::read_to_string(stat).ok()?;
    // The name, in parentheses, may hold spaces.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |n: usize| fields.get(n - 3)?.parse::<i64>().ok();
    Some(match (number(41)?, number(40)?, number(19)?) {
        (1, priority, _) => format!("real-time, first in first out, priority {priority}"),
        (2, priority, _) => format!("real-time, round robin, priority {priority}"),
        (_, _, 0) => "normal".to_owned(),
        (_, _, nice) => format!("nice {nice}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_how_it_is_scheduled() {
        let mine = scheduling("/proc/self/stat").unwrap();
        assert!(["normal", "nice", "real-time"].iter().any(|how| mine.starts_with(how)), "{mine}");
        assert_eq!(scheduling("/proc/self/none"), None);
    }
}
