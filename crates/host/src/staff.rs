//! What staff do to cards and terminals, through the one read-decide-append that payments use too: tries that a fault had
//! consumed are given back, a terminal is suspended, or told to sign in again.
//!
//! Who may do it, and whether a second person has agreed, is the caller's matter (`office`); who and why is in the entry.

use async_trait::async_trait;
use authorization::{
    Products,
    desk::{Fault, NotApplicable, restore_tries},
    terminal::TerminalEffect,
};
use model::{CardId, ReasonCode, TerminalId, Timestamp, TransactionKey};
use store::{
    Card, CardWork, Entry, Event, Journaled, Step, Store, Subject, Terminal, TerminalWork, WorkError,
    journal::{DeskAction, TerminalEvent},
};

/// Tries that shall be given back to one card.
#[derive(Debug, Clone, Copy)]
pub struct Restoration<'a> {
    /// The card.
    pub card: CardId,
    /// The incident that proves that a fault consumed them.
    pub incident: u64,
    /// The transactions in which it did; the card's state says which tries of these count now
    /// ([`CardState::charged`](authorization::CardState::charged)).
    pub transactions: &'a [TransactionKey],
    /// Who acts, and who has agreed.
    pub actor: &'a str,
    /// Why.
    pub why: &'a str,
}

/// Why an action by staff was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// It does not fit the state.
    #[error(transparent)]
    NotApplicable(#[from] NotApplicable),
    /// The card's product has no policy: its tries are not ours.
    #[error("the card's product {0:?} has no policy")]
    NoPolicy(String),
    /// It is so already.
    #[error("it is so already")]
    Already,
}

/// What staff may tell a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalAction {
    /// Refuse its messages.
    Suspend,
    /// Serve it again.
    Resume,
    /// Have it sign in again: its next answers order it, where the network has a place for that.
    OrderSignIn,
}

/// Gives tries back: at most those that the named transactions consumed and that count now.
///
/// # Errors
/// [`WorkError`]; nothing was changed then, unless it says that nobody knows.
pub async fn restore(
    store: &Store,
    products: &Products,
    restoration: Restoration<'_>,
    now: Timestamp,
) -> Result<Journaled, WorkError<NotDone>> {
    store.with_card(&restoration.card, &mut Restoring { products, restoration, now }).await
}

/// Acts on a terminal.
///
/// # Errors
/// [`WorkError`]; nothing was changed then, unless it says that nobody knows.
pub async fn act_on_terminal(
    store: &Store,
    terminal: TerminalId,
    action: TerminalAction,
    now: Timestamp,
) -> Result<Journaled, WorkError<NotDone>> {
    store.with_terminal(&terminal, &mut Telling { action, now }).await
}

struct Restoring<'a> {
    products: &'a Products,
    restoration: Restoration<'a>,
    now: Timestamp,
}

#[async_trait]
impl CardWork for Restoring<'_> {
    type Error = NotDone;

    async fn decide(&mut self, card: &Card) -> Result<Step, NotDone> {
        let product = &card.record.product;
        let policy = self.products.get(product).ok_or_else(|| NotDone::NoPolicy(product.clone()))?;
        let Restoration { incident, transactions, actor, why, .. } = self.restoration;
        let effects = restore_tries(&card.state, policy, &Fault { incident, transactions }, self.now)?;
        let action = DeskAction {
            action: DeskAction::RESTORE_TRIES.to_owned(),
            actor: actor.to_owned(),
            why: why.to_owned(),
            effects,
        };
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Card(card.id),
            seq: card.state.seq + 1,
            at: self.now,
            event: Event::Desk(action),
            exchange: None,
        })))
    }
}

struct Telling {
    action: TerminalAction,
    now: Timestamp,
}

#[async_trait]
impl TerminalWork for Telling {
    type Error = NotDone;

    async fn decide(&mut self, terminal: &Terminal) -> Result<Step, NotDone> {
        let state = &terminal.state;
        let (effect, already) = match self.action {
            TerminalAction::Suspend => (TerminalEffect::Suspend { suspended: true }, state.suspended),
            TerminalAction::Resume => (TerminalEffect::Suspend { suspended: false }, !state.suspended),
            TerminalAction::OrderSignIn => (TerminalEffect::OrderSignIn, state.sign_in_ordered),
        };
        if already {
            return Err(NotDone::Already);
        }
        let event = TerminalEvent {
            effect,
            merchant: terminal.record.merchant,
            stan: None,
            rrn: None,
            reason: ReasonCode::StaffAction,
            code: None,
            pan: None,
            amount: None,
        };
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Terminal(terminal.record.id),
            seq: state.seq + 1,
            at: self.now,
            event: Event::Terminal(event),
            exchange: None,
        })))
    }
}
