//! `pinward tail`: decisions as they are made, from the data directory of a running or stopped host.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use store::archive::{TransactionQuery, TransactionRow};

use crate::storage::Place;

/// How often the look-up tables are asked.
const EVERY: Duration = Duration::from_millis(250);

/// Options of `pinward tail`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "pinward-data")]
    data: PathBuf,
    /// Begin with so many past decisions.
    #[arg(long, short = 'n', default_value_t = 10)]
    lines: u32,
    /// Only declines.
    #[arg(long)]
    declined: bool,
    /// Print what is there and stop.
    #[arg(long)]
    no_follow: bool,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let archive = Place::of_data(&options.data)?.archive().await?;
    let mut last = 0;
    let mut limit = options.lines.clamp(1, 500);
    loop {
        let query = TransactionQuery {
            declined: options.declined,
            limit: Some(limit),
            ..TransactionQuery::default()
        };
        let page = archive.transactions(&query).await?;
        for row in page.data.iter().rev().filter(|row| row.seq > last) {
            print(row, options.json)?;
        }
        last = page.data.first().map_or(last, |row| row.seq.max(last));
        limit = 500;
        if options.no_follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn print(row: &TransactionRow, json: bool) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let line = if json { serde_json::to_string(row)? } else { super::card::line(row) };
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        // The reader went away: `pinward tail | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => done.map_err(Into::into),
    }
}
