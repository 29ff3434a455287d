//! A terminal with a card of its own that keeps paying, right and wrong PINs mixed, and remembers everything that it was
//! told. Whatever happens to the host, what it was told must be true afterwards.
//!
//! Of an attempt without an answer nobody knows whether it was decided. So the teller keeps all counters that the card
//! may have; each answer must fit to one of them, and strikes out the others.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use model::{Amount, Kind, Stan};
use simulator::{
    Answer, Sandbox, Terminal,
    memory::Memory,
    sandbox::Card,
    terminal::{Settings, TerminalError},
};
use store::{Archive, archive::CardQuery};

use crate::hosts::filled;

/// An amount without a sandbox lever in its cents.
const AMOUNT: Amount = Amount(100);
/// Of the cards' product, debit-standard.
const LIMIT: u8 = 3;

/// The cards of this product; not the first two, which have PINs and numbers of their own.
pub(crate) fn cards(sandbox: &mut Sandbox) -> impl Iterator<Item = Card> + use<> {
    let cards = std::mem::take(&mut sandbox.cards).into_iter();
    cards.filter(|card| card.product == "debit-standard").skip(2)
}

/// An answer that came.
pub(crate) struct Told {
    rrn: String,
    code: String,
}

pub(crate) struct Teller {
    terminal: Terminal,
    pub(crate) card: Card,
    random: u64,
    /// Wrong PINs that may be counted; [`LIMIT`] is locked.
    used: BTreeSet<u8>,
    approved: i64,
    told: Vec<Told>,
    /// Was the last answer one to a payment or reversal?
    paid: bool,
    /// Frames that were sent once more after an outage and answered with the same bytes.
    pub(crate) repeats: u32,
}

impl Teller {
    pub(crate) fn new(sandbox: &Sandbox, index: usize, card: Card) -> Self {
        let settings = Settings {
            reply_timeout: Duration::from_secs(20),
            // It never gives a reversal up: what became of each payment is known at the end.
            reversal_sends_max: u32::MAX,
            obeys: true,
            ..Settings::default()
        };
        let memory = Memory::volatile(Stan::new(1).unwrap());
        let terminal = Terminal::with_memory(sandbox, sandbox.terminals[index].tid, settings, memory);
        Self {
            terminal: terminal.unwrap(),
            card,
            random: 0x9e37_79b9_7f4a_7c15 ^ index as u64,
            used: BTreeSet::from([0]),
            approved: 0,
            told: Vec::new(),
            paid: false,
            repeats: 0,
        }
    }

    /// Pays until it is told to stop.
    pub(crate) async fn work(mut self, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::SeqCst) {
            if self.terminal.is_signed_in() { self.attempt().await } else { self.sign_in().await }
        }
        self
    }

    async fn sign_in(&mut self) {
        // The host may be killed at this moment: then it is tried again.
        let _again = self.terminal.sign_in().await;
        self.paid = false;
    }

    async fn attempt(&mut self) {
        let right = self.dice(5) > 1;
        let wrong = self.card.wrong_pin();
        let pin = if right { self.card.pin.reveal() } else { wrong.reveal() }.clone();
        let outcome = match self.terminal.pay(Kind::Sale, &self.card, AMOUNT, Some(&pin)).await {
            Ok(outcome) => outcome,
            Err(TerminalError::Unreachable { .. }) => return self.pause().await,
            Err(error) => panic!("{error}"),
        };
        // The reversal of the payment before it was answered first.
        for step in self.terminal.take_log() {
            if let (Answer::Code(code), Some(rrn)) = (&step.answer, &step.rrn) {
                self.paid |= step.what != "sign-in";
                self.told.push(Told { rrn: rrn.clone(), code: code.to_string() });
            }
        }
        match outcome.answer.code().map(|code| code.as_str().to_owned()).as_deref() {
            // Nothing was decided, or nobody knows: it is reversed, and a wrong PIN may have been counted.
            None => self.unknown(right).await,
            Some("96" | "91") => {
                self.told.pop_if(|told| ["96", "91"].contains(&&*told.code));
                self.unknown(right).await;
            }
            Some(code) => self.answered(right, code),
        }
    }

    fn answered(&mut self, right: bool, code: &str) {
        let before = std::mem::take(&mut self.used);
        self.used = match (right, code) {
            (true, "00") => before.iter().filter(|used| **used < LIMIT).map(|_| 0).collect(),
            (false, "55") => before.iter().filter(|used| **used + 1 < LIMIT).map(|used| used + 1).collect(),
            (false, "75") => before.iter().filter(|used| **used + 1 >= LIMIT).map(|_| LIMIT).collect(),
            (true, "75") => before.iter().filter(|used| **used == LIMIT).copied().collect(),
            _ => BTreeSet::new(),
        };
        assert!(!self.used.is_empty(), "{code} to a {right} PIN after {before:?} wrong ones");
        if code == "00" {
            self.approved += AMOUNT.0;
        }
    }

    async fn unknown(&mut self, right: bool) {
        let then = |used: &u8| match right {
            _ if *used == LIMIT => LIMIT,
            true => 0,
            false => used + 1,
        };
        let decided: Vec<u8> = self.used.iter().map(then).collect();
        self.used.extend(decided);
        self.pause().await;
        self.ask_again().await;
    }

    /// The last frame that was answered, once more: the same bytes come back, whoever answers now.
    async fn ask_again(&mut self) {
        // A sign-in that comes again is a new one, with new keys: it is not repeated.
        if !self.paid {
            return;
        }
        let Ok(outcome) = self.terminal.repeat().await else { return };
        // Refusals by a store that is away are written nowhere.
        let known =
            outcome.step.rrn.as_ref().is_some_and(|rrn| self.told.iter().any(|told| told.rrn == *rrn));
        if known && let Some(same) = outcome.same_bytes {
            assert!(same, "another answer to a repeat: {}", outcome.step);
            self.repeats += 1;
        }
        self.terminal.take_log();
    }

    /// After a quiet end: the last answer comes again, whoever gives it.
    pub(crate) async fn hears_the_same_again(&mut self) -> bool {
        let before = self.repeats;
        self.ask_again().await;
        self.repeats > before
    }

    async fn pause(&mut self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    fn dice(&mut self, sides: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % sides
    }

    /// Compares with what the store has: each answer, the counter, the money. Returns how many answers there were.
    pub(crate) async fn settle_accounts(&mut self, archive: &dyn Archive) -> usize {
        self.terminal.send_owed_reversal().await.unwrap();
        filled(archive).await;
        for told in &self.told {
            let found = archive.transaction(&told.rrn).await.unwrap();
            let found = found.unwrap_or_else(|| panic!("{} was answered and is not there", told.rrn));
            assert_eq!(found.row.code, told.code, "{}", told.rrn);
            assert_eq!(found.row.terminal, self.terminal.id().as_str());
        }
        let query = CardQuery { search: Some(self.card.pan.masked().to_string()), ..CardQuery::default() };
        let cards = archive.cards(&query).await.unwrap().data;
        let [card] = &cards[..] else { panic!("{} cards", cards.len()) };
        let used = card.state.tries.used();
        assert!(self.used.contains(&used), "{used} tries are counted, the terminal knows of {:?}", self.used);
        assert_eq!(card.state.lock.is_some(), used == LIMIT);
        assert_eq!(card.record.opening_balance.0 - card.state.balance.0, self.approved, "money");
        self.told.len()
    }

    /// References of all answers.
    pub(crate) fn references(&self) -> impl Iterator<Item = &str> {
        self.told.iter().map(|told| told.rrn.as_str())
    }
}
