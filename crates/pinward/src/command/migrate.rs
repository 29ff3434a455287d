//! `pinward migrate`: moves an embedded store into a database, compares both sides, and says so in `pinward.toml`. It may
//! be interrupted at any moment and started again; the embedded store is read and never changed.

use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use serde_json::json;
use store_sql::postgres::{self, Stage, Step, TableDigest, Transferred};

use super::Usage;
use crate::{
    config::Config,
    progress::Progress,
    seed,
    storage::{self, Place, Wish},
    store_url::StoreUrl,
};

/// Options of `pinward migrate`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Data directory with the embedded store. Its host must be stopped.
    #[arg(long, value_name = "DIR", default_value = "pinward-data")]
    data: PathBuf,
    /// The empty database: postgres://ROLE:PASSWORD@HOST/DATABASE; without a password `PGPASSWORD` has it.
    #[arg(long, value_name = "URL")]
    to: StoreUrl,
    /// The result as one JSON object, with the digests of every table.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let recorded = Place::of_data(&options.data)?;
    if recorded.wish.store.as_ref().is_some_and(|store| store.to_string() != options.to.to_string()) {
        return Err(Usage(format!("{} is on a database already: {recorded}", options.data.display())).into());
    }
    let wish = Wish { store: Some(options.to.clone()), ..recorded.wish };
    let place = Place::new(options.data.clone(), wish)?;
    let url = place.url.as_ref().context("a migration has a target")?;
    let limits = place.limits(url).await?;
    let mut reporter = Reporter::default();
    let moved =
        postgres::transfer(&place.data, url.reveal(), limits, since_midnight(&place.data)?, &mut |step| {
            reporter.report(step);
        })
        .await
        .with_context(|| {
            format!("nothing is lost: {} is as it was, and the same command goes on", place.data.display())
        })?;
    drop(reporter);
    if seed::is_sandbox(&place.data) {
        postgres::mark_sandbox(url.reveal()).await?;
    }
    // First the mark that keeps hosts from the old files, then the way to the new ones.
    seed::write_private(&place.data.join(storage::MOVED), format!("{}\n", options.to).as_bytes())?;
    let configured = configure(&place.data, &options.to)?;
    if options.json {
        println!("{}", document(&options.to, &moved, configured));
    } else {
        tell(&options, &moved, configured);
    }
    Ok(ExitCode::SUCCESS)
}

/// The part of today that references may have used up: they were counted from the time of day.
fn since_midnight(data: &Path) -> anyhow::Result<u64> {
    let config = Config::read(&data.join("pinward.toml")).ok();
    let name = config.map_or_else(|| host::Settings::default().time_zone, |config| config.host.time_zone);
    let now = jiff::Timestamp::now().in_tz(&name)?;
    let passed = now.duration_since(&now.start_of_day()?);
    Ok(u64::try_from(passed.as_millis()).unwrap_or_default())
}

/// Writes the new store into the directory's `pinward.toml`; the old file stays beside it. `false` if there is none, or
/// none that is understood.
fn configure(data: &Path, to: &StoreUrl) -> anyhow::Result<bool> {
    let path = data.join("pinward.toml");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(false) };
    let Some(changed) = with_store(&text, to) else { return Ok(false) };
    if changed != text {
        seed::write_private(&data.join("pinward.toml.bak"), text.as_bytes())?;
        let draft = data.join("pinward.toml.new");
        seed::write_private(&draft, changed.as_bytes())?;
        fs::rename(&draft, &path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(true)
}

/// The text with the line `store = …` before its first section; everything else, comments too, stays as it is.
fn with_store(text: &str, to: &StoreUrl) -> Option<String> {
    let line = format!("store = {}", toml::Value::String(to.reveal().to_owned()));
    let is_store = |line: &str| {
        line.trim_start().strip_prefix("store").is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let sections = lines.iter().position(|line| line.trim_start().starts_with('[')).unwrap_or(lines.len());
    match lines[..sections].iter().position(|line| is_store(line)) {
        Some(at) => lines[at] = &line,
        None => {
            // After the last setting, not after the empty lines before the section.
            let after =
                lines[..sections].iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
            lines.insert(after, &line);
        }
    }
    let changed = lines.join("\n") + "\n";
    let table: toml::Table = toml::from_str(&changed).ok()?;
    (table.get("store").and_then(toml::Value::as_str) == Some(to.reveal())).then_some(changed)
}

fn document(to: &StoreUrl, moved: &Transferred, configured: bool) -> serde_json::Value {
    let table = |table: &TableDigest| json!({"rows": table.rows, "sha256": table.digest});
    let partitions: Vec<_> = moved
        .partitions
        .iter()
        .map(|p| {
            json!({
                "partition": p.partition,
                "cards": table(&p.cards),
                "terminals": table(&p.terminals),
                "entries": table(&p.entries),
            })
        })
        .collect();
    json!({
        "store": to.to_string(),
        "cards": moved.cards,
        "terminals": moved.terminals,
        "entries": moved.entries,
        "was_done": moved.was_done,
        "resumed": moved.resumed,
        "configured": configured,
        "partitions": partitions,
    })
}

fn tell(options: &Options, moved: &Transferred, configured: bool) {
    let (data, to) = (options.data.display(), &options.to);
    if moved.was_done {
        println!("{to} had everything already");
    } else {
        println!(
            "moved {} cards, {} terminals and {} journal entries to {to}: the same rows on both sides",
            moved.cards, moved.terminals, moved.entries
        );
    }
    if configured {
        println!("{data}/pinward.toml has the new store; as it was: pinward.toml.bak");
    } else {
        println!("write into the host's configuration: store = \"{to}\"");
    }
    println!(
        "journal/, registers.db and archive.db in {data} are not used any more; store.key and keys/ are"
    );
}

/// A bar for each stage on a terminal, a line for each tenth elsewhere.
#[derive(Default)]
struct Reporter {
    stage: Option<Stage>,
    bar: Option<Progress>,
    done: u64,
    tenth: u64,
}

impl Reporter {
    fn report(&mut self, step: Step) {
        let shown = std::io::stderr().is_terminal();
        if self.stage != Some(step.stage) {
            (self.stage, self.done, self.tenth) = (Some(step.stage), 0, 0);
            self.bar = None;
            if shown {
                eprintln!("{}", word(step.stage));
                self.bar = Some(Progress::of(step.total));
            }
        }
        if let Some(bar) = &mut self.bar {
            bar.advance(step.done.saturating_sub(self.done));
        }
        self.done = step.done;
        let tenth = step.done.saturating_mul(10) / step.total.max(1);
        if !shown && tenth > self.tenth {
            self.tenth = tenth;
            eprintln!("{}: {} of {}", word(step.stage), step.done, step.total);
        }
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Cards => "cards",
        Stage::Terminals => "terminals",
        Stage::Entries => "journal entries",
        Stage::Verifying => "comparing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_written_before_the_first_section_and_nothing_else_changes() {
        let to: StoreUrl = "postgres://u:p@h/x".parse().unwrap();
        let line = "store = \"postgres://u:p@h/x\"";
        for (text, expected) in [
            (
                "data = 'd' # here\n\n[host]\nsandbox = true\n",
                format!("data = 'd' # here\n{line}\n\n[host]\nsandbox = true\n"),
            ),
            ("store = 'postgres://u@h/y'\ndata = 'd'\n", format!("{line}\ndata = 'd'\n")),
            (
                "data = 'd'\nstore_password_file = 'f'",
                format!("data = 'd'\nstore_password_file = 'f'\n{line}\n"),
            ),
        ] {
            assert_eq!(with_store(text, &to).unwrap(), expected);
            assert_eq!(with_store(&expected, &to).unwrap(), expected);
        }
        assert_eq!(with_store("data = \n", &to), None);
    }
}
