//! `pinward card`: find cards, look at one, change one at the command line. People name a card by its last four digits, its masked number
//! or its id; a clear number is taken but never printed.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use authorization::{
    Products,
    desk::{self, Action},
    state::StepUp,
};
use clap::Subcommand;
use model::{CardId, Timestamp};
use store::{
    Archive, DeskWork, Store, WorkError,
    archive::{CardQuery, CardView, TransactionQuery, TransactionRow},
    journal::DeskAction,
};

use super::Usage;
use crate::storage::Place;

/// Options of `pinward card`.
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
    /// List cards, most recently used first.
    List {
        /// Only locked ones.
        #[arg(long)]
        locked: bool,
    },
    /// A card's PIN state and its recent transactions.
    Show {
        /// Last four digits, masked number, or id.
        card: String,
    },
    /// End a card's lock and give all tries back.
    Unlock(Change),
    /// Take note that the holder gave the second proof of identity that the ladder asked for.
    PassStepUp(Change),
    /// Lift the restriction after wrong PINs.
    Unrestrict(Change),
    /// Refuse a card from now on.
    Block {
        #[command(flatten)]
        change: Change,
        /// What the holder reported.
        #[arg(long, value_enum, default_value = "staff")]
        because: Because,
    },
    /// Lift a block.
    Unblock(Change),
}

/// A change of one card. The host of an embedded store must be stopped: until staff accounts exist, nobody reaches a
/// running one to change a card. On a database it may run.
#[derive(clap::Args)]
struct Change {
    /// Last four digits, masked number, or id.
    card: String,
    /// Why; kept in the journal.
    #[arg(long)]
    reason: String,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Why a card is blocked.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Because {
    /// Reported lost (41).
    Lost,
    /// Reported stolen (43).
    Stolen,
    /// The issuer's staff decided so (62).
    Staff,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    match &options.what {
        What::List { locked } => list(&options, *locked).await,
        What::Show { card } => show(&options, card).await,
        What::Unlock(wanted) => change(&options, wanted, Action::Unlock).await,
        What::PassStepUp(wanted) => change(&options, wanted, Action::PassStepUp).await,
        What::Unrestrict(wanted) => change(&options, wanted, Action::Unrestrict).await,
        What::Unblock(wanted) => change(&options, wanted, Action::Unblock).await,
        What::Block { change: wanted, because } => {
            let action = match because {
                Because::Lost => Action::BlockLost,
                Because::Stolen => Action::BlockStolen,
                Because::Staff => Action::Block,
            };
            change(&options, wanted, action).await
        }
    }
}

async fn list(options: &Options, locked: bool) -> anyhow::Result<ExitCode> {
    let archive = archive(options).await?;
    let page = archive.cards(&CardQuery { locked, limit: Some(500), ..CardQuery::default() }).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&page)?);
        return Ok(ExitCode::SUCCESS);
    }
    let products = Products::builtin();
    for card in &page.data {
        println!("{:19}  {:16} {}", card.record.pan, card.record.product, pin_state(card, &products, now()));
    }
    if page.data.is_empty() {
        eprintln!("no cards{}", if locked { " are locked" } else { "" });
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(options: &Options, wanted: &str) -> anyhow::Result<ExitCode> {
    let archive = archive(options).await?;
    let Some(card) = find(&*archive, wanted).await? else { return Ok(not_found(wanted)) };
    let query = TransactionQuery { card: Some(card.id), limit: Some(20), ..TransactionQuery::default() };
    let recent = archive.transactions(&query).await?.data;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "card": card, "recent": recent }))?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("card      {}", card.record.pan);
    println!("id        {}", card.id);
    println!("product   {}   expires {}", card.record.product, card.record.expiry);
    println!("PIN       {}", pin_state(&card, &Products::builtin(), now()));
    println!("balance   {}   held {}", card.state.balance, card.state.held);
    println!("recent");
    for row in recent.iter().rev() {
        println!("  {}", line(row));
    }
    Ok(ExitCode::SUCCESS)
}

async fn change(options: &Options, wanted: &Change, action: Action) -> anyhow::Result<ExitCode> {
    if wanted.reason.trim().is_empty() {
        return Err(Usage("--reason must say why".to_owned()).into());
    }
    let archive = archive(options).await?;
    let Some(card) = find(&*archive, &wanted.card).await? else { return Ok(not_found(&wanted.card)) };
    drop(archive);
    let (name, pan) = (DeskAction::name(action), &card.record.pan);
    if wanted.dry_run {
        return Ok(match desk::act(&card.state, action, now()) {
            Ok(_) => {
                println!("would do {name} on {pan}: {}", pin_state(&card, &Products::builtin(), now()));
                ExitCode::SUCCESS
            }
            Err(error) => not_applicable(pan, error),
        });
    }
    let storage = Place::of_data(&options.data)?.open_beside_no_host().await?;
    let store = Store::new(storage.engine());
    let mut work = DeskWork {
        action,
        actor: "operator at the command line".to_owned(),
        why: wanted.reason.clone(),
        now: now(),
    };
    let done = store.with_card(&card.id, &mut work).await;
    storage.close().await?;
    match done {
        Ok(_) => {
            eprintln!("{pan}: {name} done");
            Ok(ExitCode::SUCCESS)
        }
        Err(WorkError::Decide(error)) => Ok(not_applicable(pan, error)),
        Err(error) => Err(anyhow::anyhow!("{error}")),
    }
}

fn not_applicable(pan: &model::MaskedPan, error: desk::NotApplicable) -> ExitCode {
    const CONFLICT: u8 = 5;
    eprintln!("pinward: {pan}: {error}");
    ExitCode::from(CONFLICT)
}

async fn archive(options: &Options) -> anyhow::Result<Arc<dyn Archive>> {
    Place::of_data(&options.data)?.archive().await
}

/// Exactly one card, or none; several are the caller's mistake.
pub(super) async fn find(archive: &dyn Archive, wanted: &str) -> anyhow::Result<Option<CardView>> {
    if let Ok(id) = wanted.parse::<CardId>() {
        return Ok(archive.card_view(&id).await?);
    }
    // A clear number is looked up by its masked form, and goes no further.
    let search =
        wanted.parse::<model::Pan>().map_or_else(|_| wanted.to_owned(), |pan| pan.masked().to_string());
    let mut page =
        archive.cards(&CardQuery { search: Some(search), limit: Some(10), ..CardQuery::default() }).await?;
    match page.data.len() {
        0 | 1 => Ok(page.data.pop()),
        _ => {
            let all: Vec<String> = page.data.iter().map(|c| format!("{} ({})", c.record.pan, c.id)).collect();
            Err(Usage(format!("several cards fit; name one by its id: {}", all.join(", "))).into())
        }
    }
}

pub(super) fn not_found(wanted: &str) -> ExitCode {
    let shown =
        wanted.parse::<model::Pan>().map_or_else(|_| wanted.to_owned(), |pan| pan.masked().to_string());
    eprintln!("pinward: no card {shown}");
    ExitCode::from(3)
}

/// Tries, lock and what else the ladder did, in words.
fn pin_state(card: &CardView, products: &Products, now: Timestamp) -> String {
    let state = &card.state;
    let tries = match products.get(&card.record.product) {
        Some(policy) => {
            format!("{} of {} tries left", state.tries.left(policy.pin_try_limit), policy.pin_try_limit.get())
        }
        None => format!("{} tries used", state.tries.used()),
    };
    let mut words = vec![tries];
    match state.lock {
        Some(lock) if !lock.has_expired(now) => words.push(match lock.until {
            Some(until) => format!("locked until {}", local(until)),
            None => "locked until staff act".to_owned(),
        }),
        Some(_) => words.push("lock has run out".to_owned()),
        None => {}
    }
    if let Some(block) = state.block {
        words.push(format!("blocked ({block:?})").to_lowercase());
    }
    if matches!(state.step_up, Some(StepUp::Required { .. })) {
        words.push("step-up required".to_owned());
    }
    if let Some(restriction) = state.restriction.filter(|r| r.until > now) {
        words.push(format!("at most {} until {}", restriction.max_amount, local(restriction.until)));
    }
    words.join(", ")
}

/// One transaction on one line.
pub(crate) fn line(row: &TransactionRow) -> String {
    let pan = row.pan.as_ref().map_or("", model::MaskedPan::as_str);
    let amount = row.amount.map(|a| a.to_string()).unwrap_or_default();
    let tries = match (row.try_charged, row.tries_left) {
        (true, Some(left)) => format!("  try charged, {left} left"),
        _ => String::new(),
    };
    format!(
        "{}  {:12} {:15} {pan:19} {amount:>12} {:8} → {:2} {}{tries}",
        local(row.at),
        row.rrn,
        row.kind,
        row.terminal,
        row.code,
        row.reason
    )
}

fn local(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn now() -> Timestamp {
    use host::Clock;
    host::SystemClock.now()
}
