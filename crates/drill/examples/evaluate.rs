//! Scores the diagnosis on the days of some seeds, without the rest of the program, for whoever tunes it (seeds below 1000 are
//! for that):
//!
//! ```text
//! cargo run -p drill --profile sim --example evaluate -- 0..4 --notes
//! cargo run -p drill --profile sim --example evaluate -- 0..4 --rows 4   # only incidents of the baseline's table, four of each
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use diagnosis::{Diagnosis, Tuning};

fn main() -> anyhow::Result<()> {
    let seeds = std::env::args().nth(1).unwrap_or_else(|| "0..1".to_owned());
    let (from, to) = seeds.split_once("..").ok_or_else(|| anyhow::anyhow!("seeds are A..B"))?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let steps = AtomicU64::new(0);
    let progress = |made| {
        let done = steps.fetch_add(made, Ordering::Relaxed) + made;
        if done.is_multiple_of(drill::evaluate::run::STEPS) {
            eprintln!("{} days", done / drill::evaluate::run::STEPS);
        }
    };
    let rows = std::env::args().skip_while(|argument| argument != "--rows").nth(1);
    let rows: Option<usize> = rows.map(|rows| rows.parse()).transpose()?;
    let tally = drill::evaluate::run_days(
        from.parse()?..to.parse()?,
        threads,
        |seed| rows.map_or_else(|| drill::Day::new(seed), |times| drill::Day::of_rows(seed, times)),
        || Diagnosis::new(Tuning::default()),
        progress,
    )?;
    if std::env::args().any(|argument| argument == "--notes") {
        tally.notes.iter().for_each(|line| eprintln!("{line}"));
    }
    let score = tally.score(&seeds);
    println!("{}", serde_json::to_string_pretty(&score)?);
    if std::env::args().any(|argument| argument == "--check") {
        let short = score.shortcomings();
        anyhow::ensure!(short.is_empty(), "{}", short.join("; "));
        eprintln!("{} passed, 0 failed", drill::evaluate::Score::PROMISES);
    }
    Ok(())
}
