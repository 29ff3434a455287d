//! `pinward fleet`: moves terminals to another key scheme by a plan, cohort by cohort (`authorization::migration`).
//!
//! `stage` makes keys for a cohort and lets them wait; each terminal moves with its first genuine message under them, and
//! falls back with the next one under its old keys. `finish` takes the old keys away, when nobody needs them.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use async_trait::async_trait;
use authorization::{
    key_set::{KeySetEffect, Stage},
    migration::{Count, Plan, Unfinished},
    terminal::TerminalEffect,
};
use clap::Subcommand;
use model::{ReasonCode, TerminalId, Timestamp};
use serde_json::json;
use store::{Archive, Entry, Event, Step, Store, Subject, Terminal, TerminalWork, journal::TerminalEvent};

use super::Usage;
use crate::{progress::Progress, seed, storage::Place, test_keys::TestKeys, test_module::TestModule};

/// Options of `pinward fleet`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "pinward-data", global = true)]
    data: PathBuf,
    /// JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How far the fleet is; may be asked while the host runs.
    Status {
        /// The plan (TOML).
        plan: PathBuf,
    },
    /// Make new keys for a cohort; its terminals may use them from then on. The host of an embedded store must be stopped.
    Stage {
        /// The plan (TOML).
        plan: PathBuf,
        /// Which cohort.
        #[arg(long)]
        cohort: String,
    },
    /// Take back new keys that a cohort has not used yet. The host of an embedded store must be stopped.
    Unstage {
        /// The plan (TOML).
        plan: PathBuf,
        /// Which cohort.
        #[arg(long)]
        cohort: String,
    },
    /// Take the old keys away for good; refused while a terminal uses them. The host of an embedded store must be stopped.
    Finish {
        /// The plan (TOML).
        plan: PathBuf,
    },
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match &options.what {
        What::Status { plan } => status(&options, &read(plan)?).await,
        What::Stage { plan, cohort } => stage(&options, &read(plan)?, cohort).await,
        What::Unstage { plan, cohort } => unstage(&options, &read(plan)?, cohort).await,
        What::Finish { plan } => finish(&options, &read(plan)?).await,
    }
}

fn read(path: &Path) -> anyhow::Result<Plan> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Usage(format!("cannot read the plan {}: {e}", path.display())))?;
    Plan::from_toml(&text).map_err(|e| Usage(format!("plan {}: {e}", path.display())).into())
}

async fn status(options: &Options, plan: &Plan) -> anyhow::Result<ExitCode> {
    let archive = Place::of_data(&options.data)?.archive().await?;
    let fleet = fleet(&*archive, plan).await?;
    let progress = plan.progress(fleet.iter().copied());
    let verdict = plan.may_finish(fleet, now());
    if options.json {
        let cohorts: Vec<_> =
            progress.iter().map(|(name, count)| json!({"cohort": name, "count": count})).collect();
        let document = json!({
            "plan": plan.name,
            "scheme": plan.scheme,
            "cohorts": cohorts,
            "may_finish": verdict.is_ok(),
            "unfinished": verdict.err(),
        });
        println!("{}", serde_json::to_string_pretty(&document)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("plan {}: to {}", plan.name, plan.scheme);
    for (name, count) in &progress {
        println!("  {name:16} {}", line(count));
    }
    for (name, _) in progress.iter().filter(|(_, count)| count.terminals == 0) {
        println!("no registered terminal is in cohort {name}: are its numbers right?");
    }
    match verdict {
        Ok(()) if progress.iter().all(|(_, count)| count.terminals == 0) => {}
        Ok(()) => println!("may be finished: pinward fleet finish"),
        Err(unfinished) => explain(&unfinished, plan),
    }
    Ok(ExitCode::SUCCESS)
}

/// Twenty places of bar, then the counts.
fn line(count: &Count) -> String {
    let percent = count.percent_moved();
    let done = usize::try_from(percent / 5).unwrap_or_default();
    format!(
        "[{:<20}] {percent:>3}%  of {}: {} moved, {} finished, {} staged, {} fell back, {} untouched",
        "#".repeat(done),
        count.terminals,
        count.moved,
        count.finished,
        count.staged,
        count.fell_back,
        count.untouched
    )
}

fn explain(unfinished: &Unfinished, plan: &Plan) {
    const SHOWN: usize = 12;
    let list = |terminals: &[TerminalId]| {
        let shown: Vec<&str> = terminals.iter().take(SHOWN).map(TerminalId::as_str).collect();
        let more = terminals.len().saturating_sub(SHOWN);
        if more == 0 { shown.join(" ") } else { format!("{} and {more} more", shown.join(" ")) }
    };
    if !unfinished.on_old_keys.is_empty() {
        println!("on their old keys: {}", list(&unfinished.on_old_keys));
    }
    if !unfinished.too_fresh.is_empty() {
        println!("moved less than {} hours ago: {}", plan.quiet_hours, list(&unfinished.too_fresh));
    }
}

async fn stage(options: &Options, plan: &Plan, cohort: &str) -> anyhow::Result<ExitCode> {
    let takes = plan.cohort(cohort).ok_or_else(|| no_such_cohort(plan, cohort))?;
    refuse_empty(options, plan, Some(cohort)).await?;
    let mut seeded = seed::read(&options.data)?.ok_or_else(|| {
        Usage("new keys are made for sandboxes here; elsewhere they come from the key ceremony".to_owned())
    })?;
    let storage = Place::of_data(&options.data)?.open_beside_no_host().await?;
    let module = TestModule::open(&options.data, &seeded.module).await?;
    let mut keys = TestKeys::new(&module).await?;
    let store = Store::new(storage.engine());
    let reached: Vec<TerminalId> = fleet(&*storage.archive(), plan)
        .await?
        .into_iter()
        .filter(|(id, stage)| takes.takes(*id) && *stage == Stage::Untouched)
        .map(|(id, _)| id)
        .collect();
    let mut progress = Progress::of(reached.len() as u64);
    let mut skipped = Vec::new();
    for id in &reached {
        let (set, for_terminal) = keys.make(plan.scheme).await?;
        let effect = KeySetEffect::Stage { plan: plan.name.clone(), set };
        if take(&store, *id, plan, effect).await? {
            seed::load_next(&mut seeded, *id, for_terminal);
        } else {
            skipped.push(*id);
        }
        progress.advance(1);
    }
    drop(progress);
    seed::save(&options.data, &seeded)?;
    storage.close().await?;
    report(options, plan, "staged", reached.len() - skipped.len(), &skipped)
}

async fn unstage(options: &Options, plan: &Plan, cohort: &str) -> anyhow::Result<ExitCode> {
    let takes = plan.cohort(cohort).ok_or_else(|| no_such_cohort(plan, cohort))?;
    let wanted = |stage: Stage| matches!(stage, Stage::Staged(_) | Stage::FellBack(_));
    step(options, plan, "unstaged", KeySetEffect::Unstage, |id, stage| takes.takes(id) && wanted(stage)).await
}

async fn finish(options: &Options, plan: &Plan) -> anyhow::Result<ExitCode> {
    refuse_empty(options, plan, None).await?;
    let archive = Place::of_data(&options.data)?.archive().await?;
    if let Err(unfinished) = plan.may_finish(fleet(&*archive, plan).await?, now()) {
        if options.json {
            println!("{}", json!({"plan": plan.name, "finished": false, "unfinished": unfinished}));
        } else {
            println!("plan {} may not be finished:", plan.name);
            explain(&unfinished, plan);
        }
        return Ok(ExitCode::FAILURE);
    }
    drop(archive);
    let moved = |_, stage| matches!(stage, Stage::Moved(_));
    let done = step(options, plan, "finished", KeySetEffect::Retire, moved).await?;
    if let Some(mut seeded) = seed::read(&options.data)? {
        let archive = Place::of_data(&options.data)?.archive().await?;
        for (id, stage) in fleet(&*archive, plan).await? {
            if stage == Stage::Finished {
                seed::retire_old(&mut seeded, id);
            }
        }
        seed::save(&options.data, &seeded)?;
    }
    Ok(done)
}

/// Takes one step for each terminal of the plan that is wanted.
async fn step(
    options: &Options,
    plan: &Plan,
    word: &str,
    effect: KeySetEffect,
    wanted: impl Fn(TerminalId, Stage) -> bool,
) -> anyhow::Result<ExitCode> {
    let storage = Place::of_data(&options.data)?.open_beside_no_host().await?;
    let store = Store::new(storage.engine());
    let reached: Vec<TerminalId> = fleet(&*storage.archive(), plan)
        .await?
        .into_iter()
        .filter(|(id, s)| wanted(*id, *s))
        .map(|(id, _)| id)
        .collect();
    let mut progress = Progress::of(reached.len() as u64);
    let mut skipped = Vec::new();
    for id in &reached {
        if !take(&store, *id, plan, effect.clone()).await? {
            skipped.push(*id);
        }
        progress.advance(1);
    }
    drop(progress);
    storage.close().await?;
    report(options, plan, word, reached.len() - skipped.len(), &skipped)
}

fn report(
    options: &Options,
    plan: &Plan,
    word: &str,
    done: usize,
    skipped: &[TerminalId],
) -> anyhow::Result<ExitCode> {
    if options.json {
        println!("{}", json!({"plan": plan.name, word: done, "in_another_plan": skipped}));
    } else {
        println!("plan {}: {done} terminals {word}", plan.name);
        if !skipped.is_empty() {
            let list: Vec<&str> = skipped.iter().map(TerminalId::as_str).collect();
            println!("in the middle of another plan, left alone: {}", list.join(" "));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn no_such_cohort(plan: &Plan, cohort: &str) -> Usage {
    let known: Vec<&str> = plan.cohorts.iter().map(|c| c.name.as_str()).collect();
    Usage(format!("plan {}: no cohort {cohort:?}; it has {}", plan.name, known.join(", ")))
}

/// A number that was mistyped must not look like a cohort that is done.
async fn refuse_empty(options: &Options, plan: &Plan, only: Option<&str>) -> anyhow::Result<()> {
    let archive = Place::of_data(&options.data)?.archive().await?;
    let progress = plan.progress(fleet(&*archive, plan).await?);
    let empty =
        progress.iter().find(|(name, count)| count.terminals == 0 && only.is_none_or(|only| only == *name));
    match empty {
        None => Ok(()),
        Some((name, _)) => Err(Usage(format!(
            "plan {}: no registered terminal is in cohort {name:?}; are its numbers right, and not in a cohort before it?",
            plan.name
        ))
        .into()),
    }
}

/// Every terminal of the plan and how far it is.
async fn fleet(archive: &dyn Archive, plan: &Plan) -> anyhow::Result<Vec<(TerminalId, Stage)>> {
    let mut fleet = Vec::new();
    for view in archive.terminals().await? {
        let id: TerminalId = view.id.parse()?;
        if plan.cohort_of(id).is_some() {
            let of_this = view.keys.plan.as_deref() == Some(plan.name.as_str());
            fleet.push((id, view.keys.stage.filter(|_| of_this).unwrap_or(Stage::Untouched)));
        }
    }
    Ok(fleet)
}

/// Journals a step at one terminal; `false` if it is in the middle of another plan.
async fn take(store: &Store, id: TerminalId, plan: &Plan, effect: KeySetEffect) -> anyhow::Result<bool> {
    let mut work = Taking { plan: &plan.name, effect };
    match store.with_terminal(&id, &mut work).await {
        Ok(_) => Ok(true),
        Err(store::WorkError::Decide(Elsewhere)) => Ok(false),
        Err(store::WorkError::UnknownSubject) => anyhow::bail!("terminal {id} is no longer registered"),
        Err(store::WorkError::Store(error)) => Err(error).with_context(|| format!("terminal {id}")),
        Err(store::WorkError::Unknown(why)) => {
            anyhow::bail!("terminal {id}: whether it was done is not known, look before you repeat it: {why}")
        }
    }
}

struct Taking<'a> {
    plan: &'a str,
    effect: KeySetEffect,
}

/// The terminal is in the middle of another plan.
struct Elsewhere;

#[async_trait]
impl TerminalWork for Taking<'_> {
    type Error = Elsewhere;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, Elsewhere> {
        if terminal.state.key_sets.plan().is_some_and(|plan| plan != self.plan) {
            return Err(Elsewhere);
        }
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Terminal(terminal.record.id),
            seq: terminal.state.seq + 1,
            at: now(),
            event: Event::Terminal(TerminalEvent {
                effect: TerminalEffect::KeySet(self.effect.clone()),
                merchant: terminal.record.merchant,
                stan: None,
                rrn: None,
                reason: ReasonCode::StaffAction,
                code: None,
                pan: None,
                amount: None,
            }),
            exchange: None,
        })))
    }
}

fn now() -> Timestamp {
    use host::Clock;
    host::SystemClock.now()
}
