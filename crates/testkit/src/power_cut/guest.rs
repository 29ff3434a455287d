//! What runs inside: the host on its store, and terminals that pay with right and wrong PINs and print every answer that
//! they get.

use std::{path::Path, sync::Arc, time::Duration};

use model::{Amount, Kind};
use simulator::{Terminal, sandbox::Card};
use store_sql::{Limits, sqlite::open_with};

use crate::{scenario::Scenario, wire::World};

const TERMINALS: usize = 12;
const CARDS: usize = 200;
/// One PIN in so many is wrong.
const WRONG_ONE_IN: u32 = 6;
/// Nobody cut its power: it ends, and the machine with it.
const LONGEST: Duration = Duration::from_secs(60);

/// Works until its power is cut.
///
/// # Errors
/// The store does not open, or a terminal has trouble other than a refused payment.
pub async fn guest(store: &Path, synced: bool, first_stan: u32) -> anyhow::Result<()> {
    let engine = open_with(store, Limits { commits_synced: synced, ..Limits::default() })?;
    let mut world = World::over(&Scenario::parse("power-cut", &story())?, engine, first_stan).await?;
    let cards: Arc<[Card]> = std::mem::take(&mut world.sandbox.cards).into();
    let mut tasks = tokio::task::JoinSet::new();
    for (n, terminal) in (0..).zip(std::mem::take(&mut world.terminals)) {
        let random = first_stan.wrapping_mul(747_796_405).wrapping_add(n);
        tasks.spawn(pay(terminal, cards.clone(), random));
    }
    let ended = tokio::time::timeout(LONGEST, tasks.join_next()).await;
    match ended {
        Ok(Some(trouble)) => trouble?,
        _ => Ok(()),
    }
}

fn story() -> String {
    let mut story = String::from("# The power is cut.\n");
    (1..=TERMINALS).for_each(|n| story.push_str(&format!("terminal T{n}\n")));
    (1..=CARDS).for_each(|n| story.push_str(&format!("card C{n} product debit-standard\n")));
    // A story needs an event; ours are made up as they come.
    story + "T1: sign-in -> 00\n"
}

/// One terminal.
async fn pay(mut terminal: Terminal, cards: Arc<[Card]>, mut random: u32) -> anyhow::Result<()> {
    terminal.sign_in().await?;
    loop {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let card = &cards[(random >> 8) as usize % cards.len()];
        let wrong = card.wrong_pin();
        let typed = if (random >> 20).is_multiple_of(WRONG_ONE_IN) { &wrong } else { &card.pin };
        let outcome = terminal.pay(Kind::Sale, card, Amount(100), Some(typed.reveal())).await?;
        let step = outcome.step;
        if let (Some(code), Some(stan), Some(rrn)) = (outcome.answer.code(), step.stan, step.rrn) {
            println!("ack {} {stan} {rrn} {code}", step.terminal);
        }
    }
}
