//! What `pinward bench` found out, as a table for people and as JSON for programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::machine::Machine;

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    /// `floor`, `embedded`, `bare` and `watched`, `postgres`, `pgbench` or `two-hosts`.
    pub(crate) name: &'static str,
    /// `closed`, or `open` at the rate that it reached.
    #[serde(rename = "loop")]
    pub(crate) kind: &'static str,
    pub(crate) connections: usize,
    pub(crate) depth: usize,
    pub(crate) rate_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Of the server and, on a database, the database.
    pub(crate) cpu_us_per_request: f64,
    /// Of the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_cpu_us_per_request: Option<f64>,
    /// How the thread that synchronizes the journal was scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) journal_writer: Option<String>,
    /// Payments that were decided again because another decision about the card came first, of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collisions_share: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) troubles: Vec<String>,
}

/// Each a measurement divided by another of the same run; absent when one of them was not made.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ratios {
    pub(crate) embedded_to_floor: Option<f64>,
    pub(crate) embedded_to_floor_depth1: Option<f64>,
    /// With diagnosis and risk rules, to without.
    pub(crate) watched_to_bare: Option<f64>,
    /// As many connections as pgbench has clients, each as deep as asked for.
    pub(crate) postgres_to_pgbench: Option<f64>,
    /// And with one request under way on each, as pgbench has.
    pub(crate) postgres_to_pgbench_depth1: Option<f64>,
    pub(crate) two_hosts_to_one: Option<f64>,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Findings {
    pub(crate) machine: Machine,
    pub(crate) seconds: u64,
    pub(crate) cards: u32,
    pub(crate) runs: Vec<Figures>,
    pub(crate) ratios: Ratios,
    pub(crate) warnings: Vec<String>,
}

impl Ratios {
    pub(crate) fn of(runs: &[Figures], depth: usize) -> Ratios {
        let rate = |name: &str, depth: usize| {
            runs.iter()
                .find(|run| {
                    run.name == name && run.kind == "closed" && (run.depth == depth || name == "pgbench")
                })
                .map(|run| run.rate_per_s)
        };
        let ratio = |one: (&str, usize), other: (&str, usize)| {
            let (one, other) = (rate(one.0, one.1)?, rate(other.0, other.1)?);
            (other > 0.0).then(|| (one / other * 1000.0).round() / 1000.0)
        };
        let together = |name: &str| -> f64 {
            runs.iter().filter(|run| run.name == name).map(|run| run.rate_per_s).sum()
        };
        Ratios {
            embedded_to_floor: ratio(("embedded", depth), ("floor", depth)),
            watched_to_bare: {
                let (watched, bare) = (together("watched"), together("bare"));
                (watched > 0.0 && bare > 0.0).then(|| (watched / bare * 1000.0).round() / 1000.0)
            },
            embedded_to_floor_depth1: ratio(("embedded", 1), ("floor", 1)),
            postgres_to_pgbench: ratio(("postgres", depth), ("pgbench", 1)),
            postgres_to_pgbench_depth1: ratio(("postgres", 1), ("pgbench", 1)),
            two_hosts_to_one: ratio(("two-hosts", depth), ("postgres", depth)),
        }
    }
}

impl Findings {
    /// A table with what it means below.
    pub(crate) fn print(&self) {
        let Machine { at, program, build, processor, processors, kernel, file_system, .. } = &self.machine;
        println!("{program} ({build}), {at}: {processors} × {processor}, Linux {kernel}, {file_system}");
        println!(
            "an append with fdatasync: p50 {} µs, p99 {} µs; this process is scheduled {}; {} s per measurement, {} cards",
            self.machine.fdatasync_p50_us,
            self.machine.fdatasync_p99_us,
            self.machine.scheduling,
            self.seconds,
            self.cards
        );
        println!();
        println!(
            "{:<22}{:>6}{:>7}{:>12}{:>11}{:>11}{:>15}",
            "", "conn.", "depth", "a second", "p50 µs", "p99 µs", "CPU µs/request"
        );
        for run in &self.runs {
            let name =
                if run.kind == "open" { format!("{} (open loop)", run.name) } else { run.name.to_owned() };
            println!(
                "{name:<22}{:>6}{:>7}{:>12.0}{:>11.0}{:>11.0}{:>15.1}",
                run.connections, run.depth, run.rate_per_s, run.p50_us, run.p99_us, run.cpu_us_per_request
            );
        }
        println!();
        self.print_ratios();
        if let Some(how) = self.runs.iter().find_map(|run| run.journal_writer.as_ref()) {
            println!("the journal's writer was scheduled {how}");
        }
        if let Some(share) =
            self.runs.iter().filter(|run| run.name == "two-hosts").find_map(|run| run.collisions_share)
        {
            println!(
                "two hosts: {:.2} % of the payments were decided again after a collision",
                share * 100.0
            );
        }
        for run in &self.runs {
            run.troubles
                .iter()
                .for_each(|trouble| println!("trouble: {} at depth {}: {trouble}", run.name, run.depth));
        }
        self.warnings.iter().for_each(|warning| println!("note: {warning}"));
    }

    fn print_ratios(&self) {
        let ratios = &self.ratios;
        for (what, ratio) in [
            ("embedded to floor", ratios.embedded_to_floor),
            ("embedded to floor, depth 1", ratios.embedded_to_floor_depth1),
            ("with diagnosis and rules to without", ratios.watched_to_bare),
            ("PostgreSQL to pgbench", ratios.postgres_to_pgbench),
            ("PostgreSQL to pgbench, depth 1", ratios.postgres_to_pgbench_depth1),
            ("two hosts to one", ratios.two_hosts_to_one),
        ] {
            if let Some(ratio) = ratio {
                println!("{what:<36}{ratio:>8.2}");
            }
        }
    }

    /// Into a folder, under the time of the run; the file's name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let stamp: String = self.machine.at.chars().filter(|c| *c != ':').collect();
        let path = folder.join(format!("{stamp}.json"));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, serde_json::to_string_pretty(self)? + "\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &'static str, kind: &'static str, depth: usize, rate_per_s: f64) -> Figures {
        Figures {
            name,
            kind,
            connections: 64,
            depth,
            rate_per_s,
            p50_us: 1.0,
            p99_us: 1.0,
            cpu_us_per_request: 1.0,
            client_cpu_us_per_request: None,
            journal_writer: None,
            collisions_share: None,
            troubles: Vec::new(),
        }
    }

    #[test]
    fn a_ratio_compares_like_with_like() {
        let runs = [
            run("floor", "closed", 8, 200.0),
            run("floor", "closed", 1, 100.0),
            run("embedded", "open", 8, 7.0),
            run("embedded", "closed", 8, 100.0),
            run("embedded", "closed", 1, 80.0),
            run("postgres", "closed", 8, 90.0),
            run("pgbench", "closed", 1, 30.0),
        ];
        let ratios = Ratios::of(&runs, 8);
        assert_eq!((ratios.embedded_to_floor, ratios.embedded_to_floor_depth1), (Some(0.5), Some(0.8)));
        assert_eq!((ratios.postgres_to_pgbench, ratios.postgres_to_pgbench_depth1), (Some(3.0), None));
        assert_eq!(ratios.two_hosts_to_one, None);
    }
}
