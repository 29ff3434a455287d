//! `pinward rules backtest FILE`: what the rules would have done to the payments of a journal. Reads, and changes nothing.

use std::{
    collections::HashMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use host::past::Past;
use jiff::{civil::Date, tz::TimeZone};
use model::Timestamp;
use risk::backtest::{Label, Labelled, Report, SetReport, Settings};
use serde::Deserialize;
use serde_json::json;

use super::{
    past::{self, Span},
    read_set,
};
use crate::{command::Usage, config, progress::Progress, storage::Place};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The file of rules; rules in shadow are judged as if they were live
    file: PathBuf,

    /// Data directory. An embedded store is one process's: stop its host first
    #[arg(long, value_name = "DIR", default_value = "pinward-data")]
    data: PathBuf,

    /// From when: 2026-11-22, or 2026-11-22T08:00:00+08:00 [default: from the beginning]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// Until when, not included [default: to the end]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,

    /// Another file of rules to compare with, such as the live one
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,

    /// What payments turned out to be: lines of DE 37, a comma, and bad or good
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// Examples of each rule
    #[arg(long, value_name = "N", default_value_t = 5)]
    examples: usize,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The part of a configuration that says how the journal is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reading {
    listener: Vec<host::ListenerConfig>,
    host: Clock,
}

#[derive(Deserialize)]
#[serde(default)]
struct Clock {
    time_zone: String,
}

impl Default for Clock {
    fn default() -> Self {
        Self { time_zone: host::Settings::default().time_zone }
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let sets = match (read_set(&options.file)?, options.against.as_deref().map(read_set).transpose()?) {
        (Ok(candidate), None) => (candidate, None),
        (Ok(candidate), Some(Ok(against))) => (candidate, Some(against)),
        (Err(refused), _) | (_, Some(Err(refused))) => {
            refused.tell(None, options.json);
            return Ok(ExitCode::from(super::REFUSED));
        }
    };
    let reading = reading(&options.data)?;
    let zone = TimeZone::get(&reading.host.time_zone)
        .map_err(|_| Usage(format!("unknown time zone {:?}", reading.host.time_zone)))?;
    let from = options.from.as_deref().map(|text| moment(text, &zone)).transpose()?;
    let to = options.to.as_deref().map(|text| moment(text, &zone)).transpose()?;
    let labels = options.labels.as_deref().map(labels).transpose()?.unwrap_or_default();
    let place = Place::of_data(&options.data)?;
    if !place.exists() {
        return Err(Usage(format!("there is no store in {}", options.data.display())).into());
    }
    let storage = place.open_beside_no_host().await?;
    let settings = Settings { examples: options.examples, ..Settings::default() };
    let span = Span { from, to };
    let test = past::test(sets.0, sets.1, span, settings);
    let entries = Past::new(&reading.listener, zone);
    let bar = Mutex::new(None);
    let progress = |played: u64, of: u64| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        let (shown, already) = bar.get_or_insert_with(|| (Progress::of(of), 0));
        shown.advance(played.saturating_sub(*already));
        *already = played;
    };
    let tested = past::judged(storage.engine().as_ref(), entries, test, span, &labels, &progress).await;
    storage.close().await?;
    let report = tested?;
    if options.json {
        println!("{}", as_json(&report, span));
    } else {
        print!("{}", as_text(&report));
    }
    Ok(ExitCode::SUCCESS)
}

fn reading(data: &Path) -> anyhow::Result<Reading> {
    let file = data.join("pinward.toml");
    if !file.exists() {
        return Ok(Reading::default());
    }
    let in_file = |e: toml::de::Error| Usage(format!("configuration {}: {e}", file.display()));
    Ok(config::table(&file)?.try_into().map_err(in_file)?)
}

/// A day, which begins where the host is, or a moment with its offset.
fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, Usage> {
    let day = || text.parse::<Date>().ok()?.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp());
    let moment = text.parse::<jiff::Timestamp>().ok().or_else(day);
    moment
        .map(|moment| Timestamp(moment.as_millisecond()))
        .ok_or_else(|| Usage(format!("{text:?} is no time: write 2026-11-22 or 2026-11-22T08:00:00+08:00")))
}

fn labels(file: &Path) -> anyhow::Result<HashMap<String, Label>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match line.split_once(',').map(|(rrn, label)| (rrn.trim(), label.trim())) {
            Some((rrn, "bad")) => Ok((rrn.to_owned(), Label::Bad)),
            Some((rrn, "good")) => Ok((rrn.to_owned(), Label::Good)),
            _ => {
                Err(Usage(format!("{}:{number}: write DE 37, a comma, and bad or good", file.display()))
                    .into())
            }
        })
        .collect()
}

fn as_json(report: &Report, span: Span) -> serde_json::Value {
    json!({
        "ok": true,
        "from": span.from,
        "to": span.to,
        "candidate": set_json(&report.candidate),
        "against": report.baseline.as_ref().map(set_json),
        "difference": report.difference,
    })
}

fn set_json(set: &SetReport) -> serde_json::Value {
    let mut value = json!(set);
    value["precision"] = json!(set.labelled.precision());
    for (id, rule) in &set.rules {
        value["rules"][id]["precision"] = json!(rule.labelled.precision());
    }
    value
}

fn as_text(report: &Report) -> String {
    let mut page = String::new();
    set_text(&mut page, &report.candidate);
    if let (Some(against), Some(difference)) = (&report.baseline, &report.difference) {
        page.push('\n');
        set_text(&mut page, against);
        let _ = writeln!(
            page,
            "\ndeclined by both {}, only by {} {}, only by {} {}",
            difference.both,
            report.candidate.name,
            difference.only_candidate,
            against.name,
            difference.only_baseline
        );
        for (rule, counts) in &difference.rules {
            let _ = writeln!(
                page,
                "  {rule:32} both {}, only {} {}, only {} {}",
                counts.both, report.candidate.name, counts.only_candidate, against.name, counts.only_baseline
            );
        }
    }
    page
}

fn set_text(page: &mut String, set: &SetReport) {
    let _ = writeln!(page, "{} ({:.12})", set.name, set.version);
    let _ = writeln!(page, "  payments {}, a rule fired for {}", set.events, set.hits);
    let _ = writeln!(page, "  would have declined {} ({})", set.declined, precision(set.labelled));
    for (currency, volume) in &set.volume_lost {
        let _ = writeln!(
            page,
            "  approved volume lost: {}.{:02} in currency {currency:03}",
            volume / 100,
            volume.unsigned_abs() % 100
        );
    }
    let _ = writeln!(page, "  {:32} {:>9} {:>9} {:>9}  labelled", "rule", "hits", "declined", "errors");
    for (id, rule) in set.rules.iter().filter(|(_, rule)| rule.hits + rule.errors > 0) {
        let said = precision(rule.labelled);
        let _ = writeln!(page, "  {id:32} {:>9} {:>9} {:>9}  {said}", rule.hits, rule.declined, rule.errors);
        if let Some(error) = &rule.first_error {
            let _ = writeln!(page, "    error: {error}");
        }
        for example in &rule.examples {
            let values: Vec<String> = example
                .terms
                .iter()
                .flat_map(|term| term.values.iter().map(|(name, value)| format!("{name} = {value}")))
                .collect();
            let _ = writeln!(page, "    {}  {}", example.reference, values.join(", "));
        }
    }
}

fn precision(labelled: Labelled) -> String {
    match labelled.precision() {
        Some(share) => format!("{} bad, {} good: precision {share:.3}", labelled.bad, labelled.good),
        None => "none labelled".to_owned(),
    }
}
