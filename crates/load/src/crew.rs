//! Who pays: terminals that have signed in, and cards.

use std::net::SocketAddr;
use std::sync::Arc;

use model::{Amount, Stan};
use simulator::fault::Habits;
use simulator::memory::MemoryError;
use simulator::sandbox::{Card, TerminalEntry};
use simulator::terminal::Settings;
use simulator::{Bulk, SaleForm, Sandbox, Terminal, TerminalError, bulk};

use crate::deck::PayCard;
use crate::plan::Plan;
use crate::tally::Trouble;

/// Trace numbers written as used at a time: a file write per message would be measured.
const TRACE_NUMBERS_AT_A_TIME: u32 = 10_000;
/// Trace numbers of a batch that a run uses at most, so that none comes twice.
const TRACE_NUMBERS_MAX: u32 = 990_000;
/// PIN blocks that are kept, over all terminals: 64 megabytes. With more cards than that they are made each time.
const BLOCKS_KEPT: usize = 4 << 20;

/// Whom to take of a sandbox.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Terminals at this listener.
    pub listener: usize,
    /// Cards of this product.
    pub product: String,
    /// So many terminals at most; each carries as many connections as need be.
    pub terminals: usize,
    /// So many cards at most.
    pub cards: usize,
}

/// Why nobody can pay.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// No healthy terminal with working keys is free at the listener.
    #[error("listener {0} has no free terminal that signs in for working keys")]
    NoTerminal(usize),
    /// No card of the product.
    #[error("the sandbox has no card of product {0}")]
    NoCard(String),
    /// The host refused a sign-in.
    #[error("terminal {terminal}: sign-in was answered {answer}")]
    SignIn {
        /// Which.
        terminal: String,
        /// With what.
        answer: String,
    },
    /// A terminal cannot do it.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// The listener's address is none.
    #[error("the listener's address is no IP address with a port")]
    Address,
}

/// Terminals and cards, ready to pay.
pub struct Crew {
    pub(crate) tills: Vec<Till>,
    pub(crate) cards: Arc<[PayCard]>,
}

/// A terminal with what its messages are made of.
pub(crate) struct Till {
    pub(crate) bulk: Bulk,
    pub(crate) form: SaleForm,
    /// Where its payments go.
    pub(crate) address: SocketAddr,
    blocks: Blocks,
    left: u32,
}

/// PIN blocks under one terminal's key. The same digits for the same card give the same block as long as the key lives.
struct Blocks {
    length: usize,
    /// Empty when there would be too many. All zeros: not made yet.
    kept: Vec<u8>,
}

impl Crew {
    /// Signs terminals in. Those at the end of the list are taken first: stories and people begin elsewhere.
    ///
    /// # Errors
    /// [`CrewError`].
    pub async fn sign_in(sandbox: Sandbox, choice: &Choice, plan: &Plan) -> Result<Crew, CrewError> {
        let settings = Settings { reply_timeout: plan.reply_timeout, ..Settings::default() };
        let mut bulks = Vec::new();
        for entry in sandbox
            .all_terminals()
            .filter(|entry| suits(entry, choice.listener))
            .collect::<Vec<_>>()
            .iter()
            .rev()
        {
            if bulks.len() == choice.terminals.min(plan.connections) {
                break;
            }
            let mut terminal = match Terminal::open(&sandbox, entry.tid, settings) {
                Ok(terminal) => terminal,
                Err(TerminalError::Memory(MemoryError::InUse(_))) => continue,
                Err(error) => return Err(error.into()),
            };
            terminal.reserve_trace_numbers(TRACE_NUMBERS_AT_A_TIME);
            let outcome = terminal.sign_in().await?;
            if !outcome.answer.is_approval() {
                let (terminal, answer) = (entry.tid.to_string(), outcome.answer.to_string());
                return Err(CrewError::SignIn { terminal, answer });
            }
            bulks.push(terminal.into_bulk()?);
        }
        Crew::of(bulks, sandbox.cards, choice, plan.amount)
    }

    /// The same with made-up keys, for a host that looks at nothing: the floor.
    ///
    /// # Errors
    /// [`CrewError`].
    pub fn made_up(sandbox: Sandbox, choice: &Choice, plan: &Plan) -> Result<Crew, CrewError> {
        let entries = sandbox.all_terminals().filter(|entry| suits(entry, choice.listener));
        let bulks = entries
            .take(choice.terminals.min(plan.connections))
            .map(|entry| Bulk::made_up(&sandbox, entry.tid))
            .collect::<Result<Vec<_>, _>>()?;
        Crew::of(bulks, sandbox.cards, choice, plan.amount)
    }

    fn of(bulks: Vec<Bulk>, cards: Vec<Card>, choice: &Choice, amount: Amount) -> Result<Crew, CrewError> {
        let first = bulks.first().ok_or(CrewError::NoTerminal(choice.listener))?;
        let mut pay_cards = Vec::new();
        for card in cards.into_iter().filter(|card| card.product == choice.product).take(choice.cards) {
            let track = Box::from(first.sale_form(&card, amount)?.track());
            pay_cards.push(PayCard { card, track });
        }
        let any = pay_cards.first().ok_or_else(|| CrewError::NoCard(choice.product.clone()))?;
        let kept = pay_cards.len() * bulks.len() <= BLOCKS_KEPT;
        let mut tills = Vec::with_capacity(bulks.len());
        for bulk in bulks {
            let form = bulk.sale_form(&any.card, amount)?;
            let length = bulk.pin_block(&any.card, any.card.pin.reveal())?.len();
            let blocks = Blocks { length, kept: vec![0; if kept { pay_cards.len() * length } else { 0 }] };
            let address = bulk.address().ok_or(CrewError::Address)?;
            tills.push(Till { bulk, form, address, blocks, left: TRACE_NUMBERS_MAX });
        }
        Ok(Crew { tills, cards: pay_cards.into() })
    }

    /// How many terminals.
    #[must_use]
    pub fn terminals(&self) -> usize {
        self.tills.len()
    }

    /// How many cards.
    #[must_use]
    pub fn cards(&self) -> usize {
        self.cards.len()
    }

    /// Several hosts work on one store: the terminals' payments go to these addresses in turn. Sign-in and settlement stay
    /// where they were.
    pub fn spread(&mut self, hosts: &[SocketAddr]) {
        for (till, host) in self.tills.iter_mut().zip(hosts.iter().cycle()) {
            till.address = *host;
        }
    }

    /// Where the first terminal's payments go.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.tills.first().map(|till| till.address)
    }

    /// Closes all batches: the host's totals must be those of the approvals that were seen here. Says how many agreed, and
    /// what was wrong with the others.
    pub async fn settle(&mut self) -> (usize, Vec<Trouble>) {
        let (mut balanced, mut troubles) = (0, Vec::new());
        for till in &mut self.tills {
            match till.bulk.settle().await {
                Ok(outcome) if outcome.balanced == Some(true) => balanced += 1,
                Ok(outcome) if outcome.balanced == Some(false) && !till.bulk.totals_fit() => {}
                Ok(outcome) if outcome.balanced == Some(false) => troubles.push(Trouble::NotBalanced),
                Ok(outcome) => troubles.push(Trouble::NotSettled(outcome.answer.to_string())),
                // A dialect without settlement has no totals to compare.
                Err(TerminalError::NotInDialect(_)) => {}
                Err(error) => troubles.push(Trouble::NotSettled(error.to_string())),
            }
        }
        (balanced, troubles)
    }
}

fn suits(entry: &TerminalEntry, listener: usize) -> bool {
    entry.listener == listener && Habits::of(entry.tid).is_healthy() && bulk::has_working_keys(entry)
}

impl Till {
    /// The next trace number; `None` when the batch has none left.
    pub(crate) fn take_stan(&mut self) -> Result<Option<Stan>, TerminalError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.bulk.take_stan().map(Some)
    }

    /// Appends a sale with the card's PIN, or with a wrong one, to `out`.
    pub(crate) fn write_sale(
        &mut self,
        stan: Stan,
        number: u32,
        card: &PayCard,
        wrong_pin: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), TerminalError> {
        let made;
        let block = if wrong_pin {
            made = self.bulk.pin_block(&card.card, card.card.wrong_pin().reveal())?;
            &made
        } else {
            let at = number as usize * self.blocks.length;
            match self.blocks.kept.get_mut(at..at + self.blocks.length) {
                Some(kept) => {
                    if kept.iter().all(|byte| *byte == 0) {
                        kept.copy_from_slice(&self.bulk.pin_block(&card.card, card.card.pin.reveal())?);
                    }
                    &*kept
                }
                None => {
                    made = self.bulk.pin_block(&card.card, card.card.pin.reveal())?;
                    &made
                }
            }
        };
        self.bulk.write_sale(&mut self.form, stan, &card.track, block, out);
        Ok(())
    }

    /// A form with the time of now, where messages carry it.
    pub(crate) fn renew_form(&mut self, card: &Card, amount: Amount) -> Result<(), TerminalError> {
        if self.bulk.has_times() {
            self.form = self.bulk.sale_form(card, amount)?;
        }
        Ok(())
    }
}
