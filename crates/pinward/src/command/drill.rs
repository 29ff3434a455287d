//! `pinward drill`: incidents to practise on, and how good the diagnosis is on labelled days (docs/concepts/drills.md).

use std::{
    ops::Range,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clap::Subcommand;
use diagnosis::{Diagnosis, Tuning};
use drill::{
    evaluate::{
        self, Score,
        report::{Row, WatchedRow},
        run::STEPS,
    },
    practice::{self, How, NotPlayed, Seen},
};
use simulator::TerminalError;

use super::{
    Usage,
    trigger::{FAILED, UNAVAILABLE, Where},
};
use crate::progress::Progress;

/// Pause between two people of a practice, at speed 1.
const PACE: Duration = Duration::from_millis(2_000);

/// Options of `pinward drill`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Score the diagnosis on labelled days, played through the real host on a virtual clock.
    Evaluate {
        /// Which days: from the first seed up to the last, without it. Seeds below 1000 are for tuning, all others for reporting.
        #[arg(long, value_name = "A..B", value_parser = seeds)]
        seeds: Range<u64>,
        /// Every figure, as JSON.
        #[arg(long)]
        json: bool,
        /// Days that are played side by side; as many as there are processors unless set.
        #[arg(long, value_name = "N")]
        threads: Option<usize>,
        /// Beside the figures, on standard error: each incident as it was, and what was said about it.
        #[arg(long)]
        notes: bool,
        /// Exit with 1 unless every figure is as good as promised.
        #[arg(long)]
        check: bool,
    },
    /// Incidents that can be practised on.
    List {
        /// JSON, one object per line.
        #[arg(long)]
        json: bool,
    },
    /// Play one incident against a running sandbox, so that people can find it in the console.
    Play {
        /// Which; see `pinward drill list`.
        name: String,
        #[command(flatten)]
        at: Where,
        /// Other customers, cards and terminals.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// So many times faster; at 1 somebody comes every two seconds.
        #[arg(long, default_value_t = 1.0, value_name = "TIMES")]
        speed: f64,
        /// One JSON object per payment.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
///
/// # Errors
/// [`Usage`] for a name that nobody knows; when a day cannot be played.
pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.what {
        What::Evaluate { seeds, json, threads, notes, check } => score(seeds, (json, notes), threads, check),
        What::List { json } => {
            list(json);
            Ok(ExitCode::SUCCESS)
        }
        What::Play { name, at, seed, speed, json } => {
            let pace = PACE.div_f64(speed.clamp(0.01, 1_000.0));
            super::wait(play(name, at, How { seed, pace }, json))
        }
    }
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    const DAYS_MOST: u64 = 10_000;
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.filter(|range: &Range<u64>| !range.is_empty() && range.end - range.start <= DAYS_MOST).ok_or_else(
        || format!("expected A..B with A below B and at most {DAYS_MOST} days, such as 1000..1008"),
    )
}

fn score(
    seeds: Range<u64>,
    (json, notes): (bool, bool),
    threads: Option<usize>,
    check: bool,
) -> anyhow::Result<ExitCode> {
    let of = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let progress = Mutex::new(Progress::of((seeds.end - seeds.start) * STEPS));
    let name = format!("{}..{}", seeds.start, seeds.end);
    let tally = evaluate::run(
        seeds,
        threads.unwrap_or(of),
        || Diagnosis::new(Tuning::default()),
        |steps| progress.lock().unwrap_or_else(PoisonError::into_inner).advance(steps),
    )?;
    drop(progress);
    tally.notes.iter().filter(|_| notes).for_each(|line| eprintln!("{line}"));
    let score = tally.score(&name);
    if json {
        println!("{}", serde_json::to_string_pretty(&score)?);
    } else {
        print(&score);
    }
    if !check {
        return Ok(ExitCode::SUCCESS);
    }
    let short = score.shortcomings();
    short.iter().for_each(|what| eprintln!("pinward: {what}"));
    // The checks count what was looked at.
    eprintln!("{} passed, {} failed", Score::PROMISES - short.len().min(Score::PROMISES), short.len());
    Ok(if short.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn print(score: &Score) {
    println!("days {}   sessions {}   incidents {}", score.seeds, score.sessions, score.incidents);
    println!();
    println!(
        "{:22} {:>5} {:>9} {:>7} {:>6}  {:>16}  most often taken for",
        "cause", "n", "precision", "recall", "f1", "sessions 50/95 %"
    );
    for (cause, class) in &score.per_class {
        let detected = score.detection_sessions.get(cause);
        let detected = detected.map_or_else(String::new, |d| format!("{:.0} / {:.0}", d.p50, d.p95));
        let taken = score.confusion.get(cause).and_then(|row| {
            row.iter()
                .filter(|(said, _)| *said != cause)
                .max_by_key(|(_, count)| **count)
                .map(|(said, count)| format!("{said} {count}"))
        });
        println!(
            "{cause:22} {:>5} {:>9.2} {:>7.2} {:>6.2}  {detected:>16}  {}",
            class.n,
            class.precision,
            class.recall,
            class.f1,
            taken.unwrap_or_default()
        );
    }
    println!();
    print_rows(score);
    println!();
    print_watched(score);
    println!();
    for (what, value) in [
        ("macro F1", score.macro_f1),
        ("top-2 accuracy", score.top2_accuracy),
        ("Brier score", score.brier),
        ("scope named exactly", score.localisation),
        ("false incidents per million sessions", score.false_incidents_per_million_sessions),
        ("incidents per true one", score.duplicates_per_true),
        ("cards locked by faults and listed nowhere", score.cards_locked_wrongly as f64),
        ("cards that a spray tried before a rule blocked it, 95 %", score.spray_cards_before_block.p95),
        ("cards that a spray tried before it was named, 95 %", score.spray_cards_before_named.p95),
        ("good payments that rules would refuse, per million", score.good_transactions_declined.per_million),
        ("verdicts that are right at once", score.verdicts.accuracy_at_once),
        ("verdicts that are right in the end", score.verdicts.accuracy),
        ("microseconds per event", score.us_per_event),
        ("kilobytes per terminal", score.bytes_per_terminal as f64 / 1e3),
    ] {
        println!("{what:56} {value:>9.3}");
    }
}

fn print_rows(score: &Score) {
    let counts: String =
        score.by_sessions.sessions.iter().map(|n| format!("{:>12}", format!("N={n}"))).collect();
    println!("{:22}{counts}   ours (baseline)", "recall by sessions");
    for (name, Row { ours, baseline, .. }) in &score.by_sessions.rows {
        let cell = |(ours, baseline): (&Option<f64>, &f64)| {
            let ours = ours.map_or_else(|| "-".to_owned(), |ours| format!("{ours:.2}"));
            format!("{:>12}", format!("{ours} ({baseline:.2})"))
        };
        let cells: String = ours.iter().zip(baseline).map(cell).collect();
        println!("{name:22}{cells}");
    }
}

/// What was suspected, at the odds that the baseline has: at once, and when more was known about the same sessions.
fn print_watched(score: &Score) {
    let watched = &score.by_sessions_watched;
    let counts: String = watched.sessions.iter().map(|n| format!("{:>18}", format!("N={n}"))).collect();
    println!("{:22}{counts}   at once, later (baseline)", "suspected by sessions");
    for (name, WatchedRow { provisional, revised, baseline, .. }) in &watched.rows {
        let text = |share: &Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}"));
        let cell = |((once, later), baseline): ((&Option<f64>, &Option<f64>), &f64)| {
            format!("{:>18}", format!("{} {} ({baseline:.2})", text(once), text(later)))
        };
        let cells: String = provisional.iter().zip(revised).zip(baseline).map(cell).collect();
        println!("{name:22}{cells}");
    }
}

fn list(json: bool) {
    for scene in practice::scenes() {
        if json {
            println!(
                "{}",
                serde_json::json!({ "name": scene.name, "also": scene.also, "happens": scene.happens, "look": scene.look })
            );
        } else {
            println!("{:22} {:20} {}", scene.name, scene.also.join(", "), scene.happens);
        }
    }
}

async fn play(name: String, at: Where, how: How, json: bool) -> anyhow::Result<ExitCode> {
    let scene = practice::scene(&name).ok_or_else(|| {
        Usage(format!("there is no incident '{name}' to practise on; pinward drill list shows them"))
    })?;
    let sandbox = at.open()?;
    eprintln!("{}: {}", scene.name, scene.happens);
    let mut tell = |seen: &Seen| {
        if json {
            println!("{}", serde_json::json!(seen));
        } else {
            println!("{}  {:19}  {:28} {}", seen.terminal, seen.card, seen.what, seen.answer);
        }
    };
    match practice::play(scene, &sandbox, how, &mut tell).await {
        Ok(about) => {
            eprintln!("It was about {about}. {}", scene.look);
            if let Some(console) = &sandbox.console {
                eprintln!("The console is at {console}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let unreachable = matches!(&error, NotPlayed::Terminal(TerminalError::Unreachable { .. }));
            eprintln!("pinward: {}", super::sentence(&anyhow::Error::new(error)));
            Ok(ExitCode::from(if unreachable { UNAVAILABLE } else { FAILED }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_that_is_not_empty() {
        assert_eq!(seeds("1000..1004"), Ok(1000..1004));
        for wrong in ["", "7", "4..4", "5..4", "a..b", "0..10001"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
