//! The judge hears everything that is said on the lines, sees every entry that becomes durable and every state that an
//! engine hands out, and says after each of them whether all is as it must be:
//!
//! 1. tries consumed = distinct proven mismatches since the last reset, less those given back of a fault;
//! 2. never more guesses answered than the limit and what was given back because a fault had consumed it, over all hosts;
//! 3. every acknowledged decision is durable, and stays;
//! 4. posted = approved - reversed, to the fen: in the journal after every entry, in the terminals' books at the end;
//! 5. one decision and one answer per request, byte for byte;
//! 6. no state without a journal entry: every state handed out is the fold of the journal and of what is queued for it;
//! 7. each card's history is linearizable: the journal is the order, it respects what was answered before what was
//!    asked, and the thirty-line [`model`] gives the same answers in it;
//! 8. no fault is answered as a wrong PIN.

mod file;
pub mod model;

use std::{collections::HashMap, fmt};

use ::model::{CardId, Kind, ResponseCode, TerminalId, TransactionKey};
use authorization::{Effect, terminal::TerminalState};
use store::{Card, Entry, Event, Subject, Terminal, journal::TerminalEvent};

use crate::{
    kit::{Kit, OPENING, terminal_id},
    people::clerk::BROKEN_TILL,
};
use file::CardFile;

/// A payment, or its reversal: both may have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// 0200.
    Payment,
    /// 0400.
    Reversal,
}

/// What somebody did at a keypad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// The card's PIN.
    Right,
    /// Another one.
    Wrong,
    /// Whatever it was, the terminal encrypted it under a key that the host does not have.
    OtherKey,
}

/// What somebody wants at a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// The card, by its place in the kit.
    pub card: usize,
    /// What is asked for.
    pub kind: Kind,
    /// How much.
    pub amount: i64,
    /// With which PIN.
    pub typed: Typed,
}

/// A request, and what became of it.
#[derive(Debug, Default)]
struct Request {
    /// The newest answered entry of the card when it was first sent: its own must come later.
    after: u64,
    decided: Option<Decided>,
    answered: bool,
    /// There is more than one of it on the lines.
    copied: bool,
    /// One copy was refused for the moment, without a decision.
    refused: bool,
    /// The terminal knows that it was approved, or has undone it.
    believed: bool,
}

#[derive(Debug)]
struct Decided {
    place: u64,
    approved: bool,
    reply: Vec<u8>,
    /// The interval between two resets in which it was a proven mismatch.
    mismatch_in: Option<usize>,
}

/// Answers that claim a decision. All others may be refusals of the moment.
const CLAIMS: [&str; 4] = ["00", "51", "55", "75"];

/// The judge.
pub struct Judge {
    ids: Vec<CardId>,
    cards: HashMap<CardId, CardFile>,
    terminals: HashMap<TerminalId, TerminalState>,
    queued_terminals: HashMap<TerminalId, TerminalState>,
    intents: HashMap<TransactionKey, Intent>,
    requests: HashMap<(Side, TransactionKey), Request>,
    books: Vec<i64>,
    /// Payments of which one copy was refused and a later one approved; see [`Judge::excuse`].
    excused: HashMap<TransactionKey, Intent>,
    entries: u64,
}

impl Judge {
    /// Knows the cards and nothing else yet.
    #[must_use]
    pub fn new(kit: &Kit) -> Self {
        let ids: Vec<CardId> =
            kit.sandbox.cards.iter().map(|card| crate::engine::card_id(&card.pan)).collect();
        Self {
            cards: ids.iter().map(|id| (*id, CardFile::default())).collect(),
            books: vec![0; ids.len()],
            ids,
            terminals: HashMap::new(),
            queued_terminals: HashMap::new(),
            intents: HashMap::new(),
            requests: HashMap::new(),
            excused: HashMap::new(),
            entries: 0,
        }
    }

    /// A terminal, or somebody who repeats it, sends a request.
    pub fn asked(&mut self, side: Side, key: TransactionKey, intent: Option<Intent>) -> Result<(), String> {
        if side == Side::Payment
            && let Some(intent) = intent
        {
            self.intents.entry(key).or_insert(intent);
        }
        let Some(intent) = self.intents.get(&key) else { return Ok(()) };
        let after = self.cards.get(&self.ids[intent.card]).map_or(0, |card| card.answered_up_to);
        let fresh = Request { after, ..Request::default() };
        self.requests.entry((side, key)).and_modify(|request| request.copied = true).or_insert(fresh);
        Ok(())
    }

    /// The network, or somebody on it, makes one more of a frame.
    pub fn copied(&mut self, side: Side, key: TransactionKey) -> Result<(), String> {
        self.requests.entry((side, key)).or_default().copied = true;
        Ok(())
    }

    /// An answer leaves a host. `frame` is without its length prefix.
    pub fn answered(
        &mut self,
        side: Side,
        key: TransactionKey,
        code: ResponseCode,
        frame: &[u8],
    ) -> Result<(), String> {
        let request = self.requests.entry((side, key)).or_default();
        let claims = CLAIMS.contains(&code.as_str());
        let Some(decided) = &request.decided else {
            request.refused = true;
            return refuse_if(claims, || {
                format!("{side:?} {key:?} answered {code}, and no entry is durable")
            });
        };
        let Some(intent) = self.intents.get(&key).copied() else {
            return Err(format!("{key:?} answered, and nobody asked"));
        };
        if contents(&decided.reply) != contents(frame) {
            refuse_if(claims, || format!("{side:?} {key:?} answered {code}: not the stored answer"))?;
            let (copied, approved) = (request.copied, decided.approved && !request.believed);
            self.excuse(side, key, intent, copied && approved);
            return Ok(());
        }
        if code.as_str() == "55" && intent.typed != Typed::Wrong {
            return Err(format!("{key:?} answered 55, and the PIN was {:?}", intent.typed));
        }
        let card = self.cards.entry(self.ids[intent.card]).or_default();
        card.answered_up_to = card.answered_up_to.max(decided.place);
        if !std::mem::replace(&mut request.answered, true)
            && let Some(interval) = decided.mismatch_in
        {
            let guesses = card.guesses_answered.entry(interval).or_insert(0);
            *guesses += 1;
            let most = model::limit() + card.restored.get(&interval).copied().unwrap_or(0);
            refuse_if(*guesses > most, || format!("{key:?} is guess {guesses} of one interval"))?;
        }
        Ok(())
    }

    /// An entry has its place and moves its subject's state, and is not durable yet.
    pub fn queued(&mut self, place: u64, entry: &Entry) -> Result<(), String> {
        match (entry.subject, &entry.event) {
            (Subject::Card(id), event) => {
                let card = self.cards.get_mut(&id).ok_or("a card that is not registered")?;
                card.queue(place, entry, event.card_effects())
            }
            (Subject::Terminal(id), Event::Terminal(event)) => {
                let folded = self.terminals.get(&id).cloned().unwrap_or_default();
                let queued = self.queued_terminals.entry(id).or_insert(folded);
                queued.apply(entry.seq, place, entry.at, &event.effect);
                Ok(())
            }
            _ => Err(format!("entry {place}: an event that is not its subject's")),
        }
    }

    /// What was queued will never be durable, as far as anybody knows.
    pub fn queue_lost(&mut self) -> Result<(), String> {
        self.cards.values_mut().for_each(CardFile::queue_lost);
        self.queued_terminals.clear();
        Ok(())
    }

    /// An entry is durable, at this place.
    pub fn durable(&mut self, place: u64, entry: &Entry) -> Result<(), String> {
        self.entries += 1;
        refuse_if(place != self.entries, || format!("place {place} after {} entries", self.entries - 1))?;
        match (entry.subject, &entry.event) {
            (Subject::Card(id), Event::Transaction(transaction)) => {
                let (side, key) = (file::side(transaction), transaction.key);
                let intent = *self
                    .intents
                    .get(&key)
                    .ok_or_else(|| format!("{side:?} {key:?} decided, and nobody asked"))?;
                refuse_if(self.ids[intent.card] != id, || format!("{key:?} decided on another card"))?;
                let card = self.cards.get_mut(&id).ok_or("a card that is not registered")?;
                let reply = entry.exchange.as_ref().map(|e| e.reply.clone()).unwrap_or_default();
                let resets = card.model.resets;
                let mismatch = file::is_mismatch(transaction);
                let forgotten = !card.remembers(side, &key);
                let judged = card.judge(place, entry, transaction, &intent);
                let mismatch_in = mismatch.then_some(resets.max(card.model.resets));
                let request = self.requests.entry((side, key)).or_default();
                refuse_if(place <= request.after, || format!("{key:?} stands before what it came after"))?;
                // A card remembers its newest transactions only: an older one that is replayed is a new one to it.
                let first = request.decided.as_ref().filter(|_| !forgotten);
                if let Some(first) = first {
                    return refuse_if(!file::is_unremembered(transaction), || {
                        format!("{side:?} {key:?} decided at {} and at {place}", first.place)
                    });
                }
                let approved = transaction.code.as_str() == "00";
                let again = request.decided.is_some() || request.refused;
                let excused = again && request.copied && approved;
                request.decided = Some(Decided { place, approved, reply, mismatch_in });
                self.excuse(side, key, intent, excused);
                judged
            }
            (Subject::Card(id), Event::Desk(action)) => self.restored(place, entry, id, &action.effects),
            (Subject::Terminal(id), Event::Terminal(event)) => {
                self.terminal(id, place, entry, event);
                Ok(())
            }
            _ => Err(format!("entry {place}: an event that is not its subject's")),
        }
    }

    /// Staff gave tries back: only those that the broken till cost.
    fn restored(&mut self, place: u64, entry: &Entry, id: CardId, effects: &[Effect]) -> Result<(), String> {
        let [Effect::RestoreTries { restored }] = effects else {
            return Err(format!("entry {place}: staff do nothing else here"));
        };
        let named = restored.transactions.iter();
        let others = named.filter(|key| Some(key.terminal) != terminal_id(BROKEN_TILL).ok()).count();
        refuse_if(others > 0, || format!("entry {place} gives back {others} tries that no fault consumed"))?;
        let card = self.cards.get_mut(&id).ok_or("a card that is not registered")?;
        card.judge_restored(place, entry, restored)
    }

    /// A terminal that was told "not now" (91, 96) takes a payment for declined. If another copy of the very same frame is
    /// still on the way, that one may be decided and posted: the host remembers decisions, and "not now" is none. The books
    /// differ by that payment, which docs/internals/simulation.md explains; anything else that they differ by is an error.
    fn excuse(&mut self, side: Side, key: TransactionKey, intent: Intent, excused: bool) {
        match side {
            Side::Payment if excused && intent.kind == Kind::Sale => drop(self.excused.insert(key, intent)),
            Side::Payment => {}
            Side::Reversal => self.closed(&key),
        }
    }

    fn terminal(&mut self, id: TerminalId, place: u64, entry: &Entry, event: &TerminalEvent) {
        self.terminals.entry(id).or_default().apply(entry.seq, place, entry.at, &event.effect);
        if let authorization::terminal::TerminalEffect::Bury { original, reversal } = &event.effect {
            if let Some(card) =
                self.intents.get(original).and_then(|intent| self.cards.get_mut(&self.ids[intent.card]))
            {
                card.model.reverse(*original);
            }
            let reply = entry.exchange.as_ref().map(|e| e.reply.clone()).unwrap_or_default();
            let request = self.requests.entry((Side::Reversal, *reversal)).or_default();
            request.decided = Some(Decided { place, approved: true, reply, mismatch_in: None });
        }
    }

    /// An engine hands out a card's state. An old one does no harm: what is decided on it collides.
    pub fn handed_out(&mut self, handed: &Card) -> Result<(), String> {
        let file = self.cards.get(&handed.id).ok_or("a card that is not registered")?;
        file.check_state(&handed.state)
    }

    /// The same of a terminal.
    pub fn terminal_handed_out(&mut self, handed: &Terminal) -> Result<(), String> {
        let (none, id) = (TerminalState::default(), handed.record.id);
        let folded = self.terminals.get(&id).unwrap_or(&none);
        let newest =
            self.queued_terminals.get(&id).filter(|queued| queued.seq > folded.seq).unwrap_or(folded);
        let wrong =
            handed.state.seq > newest.seq || (handed.state.seq == newest.seq && handed.state != *newest);
        refuse_if(wrong, || format!("terminal {}: a state without a journal entry", handed.record.id))
    }

    /// A terminal believes that so much was paid with a card.
    pub fn believed(&mut self, key: TransactionKey, intent: &Intent) {
        self.closed(&key);
        self.books[intent.card] += intent.amount;
    }

    /// Terminal and host are of one mind about this payment.
    fn closed(&mut self, key: &TransactionKey) {
        self.excused.remove(key);
        self.requests.entry((Side::Payment, *key)).or_default().believed = true;
    }

    /// All is calm, every reversal was answered: the terminals' books and the accounts agree.
    pub fn settled(&mut self) -> Result<(), String> {
        for intent in self.excused.values() {
            self.books[intent.card] += intent.amount;
        }
        for (index, id) in self.ids.iter().enumerate() {
            let paid = OPENING.0 - self.cards.get(id).map_or(OPENING.0, |card| card.balance());
            refuse_if(paid != self.books[index], || {
                format!("card {index}: {paid} posted, {} in the terminals' books", self.books[index])
            })?;
        }
        Ok(())
    }

    /// How many entries are durable.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

/// A frame without its code (DE 64): a repeat is signed with the keys of whoever asks.
fn contents(frame: &[u8]) -> &[u8] {
    &frame[..frame.len().saturating_sub(8)]
}

fn refuse_if(wrong: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if wrong { Err(what()) } else { Ok(()) }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Judge({} entries)", self.entries)
    }
}
