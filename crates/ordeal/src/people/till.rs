//! A shop's terminal and the people at it: the product's own simulated terminal, which signs in, pays, and reverses what
//! was not answered, however long that takes.

use std::sync::Arc;

use model::{Amount, Kind, Stan, TerminalId, TransactionKey};
use simulator::{
    Answer, Faults, Outcome, Terminal, TerminalError, memory::Memory, sandbox::Card, terminal::Settings,
};
use tokio::time::{Duration, timeout};

use crate::{
    dice::Dice,
    judge::{Intent, Typed},
    kit::terminal_id,
    net::{Asking, Line, Net},
    run::{Run, lock},
};

/// Who is at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Customers: their own cards, mostly the right PIN, one after the other.
    Customers,
    /// A thief: one card, a wrong PIN after the other, without a pause.
    Thief,
}

/// A terminal at work.
pub struct Till {
    run: Arc<Run>,
    who: Who,
    id: TerminalId,
    terminal: Terminal,
    asking: Asking,
    dice: Dice,
}

impl Till {
    /// Installs the terminal at this place of the kit.
    ///
    /// # Errors
    /// A kit without it.
    pub fn new(run: &Arc<Run>, net: &Arc<Net>, index: usize, who: Who) -> anyhow::Result<Self> {
        let id = terminal_id(index)?;
        let memory = Memory::volatile(Stan::new(1)?);
        let mut terminal = Terminal::with_memory(&run.kit.sandbox, id, Settings::default(), memory)?;
        let (line, asking) = Line::new(run, net, id);
        terminal.connect_through(line);
        let dice = Dice::new(run.seed, &format!("till {index}"));
        Ok(Self { run: Arc::clone(run), who, id, terminal, asking, dice })
    }

    /// A working day: so many payments, whatever else happens.
    pub async fn work(mut self) -> Self {
        for _ in 0..self.run.plan.payments {
            let pause = if self.who == Who::Thief { self.dice.below(200) } else { self.dice.below(6_000) };
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if self.ready().await {
                self.something().await;
            }
        }
        self
    }

    /// After the storm: everything that is owed is reversed, and the batch is settled.
    pub async fn close(&mut self) {
        const ATTEMPTS: usize = 40;
        for _ in 0..ATTEMPTS {
            if self.ready().await {
                return;
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        self.run.judge(|_| Err(format!("terminal {} finds no peace", self.id)));
    }

    /// Signed in, and nothing owed?
    async fn ready(&mut self) -> bool {
        if !self.terminal.is_signed_in() {
            let signed_in = self.terminal.sign_in().await;
            self.tell("sign-in", &signed_in);
            if signed_in.is_err() || !self.terminal.is_signed_in() {
                return false;
            }
        }
        if self.terminal.memory().reversal().is_some() {
            let reversed = self.terminal.try_owed_reversal().await;
            if let Ok(Some(outcome)) = &reversed {
                self.run.step(format_args!("{} reverses: {:?}", self.id, outcome.answer));
                self.obey(&outcome.answer.clone()).await;
            }
        }
        self.terminal.memory().reversal().is_none() && self.terminal.is_signed_in()
    }

    async fn something(&mut self) {
        let rates = self.run.plan.rates;
        if self.dice.happens(rates.sign_in) {
            let outcome = self.terminal.sign_in().await;
            self.tell("sign-in", &outcome);
        } else if self.dice.happens(rates.repeat) {
            let outcome = self.terminal.repeat().await;
            self.tell("repeat", &outcome);
        } else if self.dice.happens(rates.settle) {
            let outcome = self.terminal.settle().await;
            self.tell("settlement", &outcome);
            self.hear(outcome).await;
        } else {
            self.pay().await;
        }
    }

    async fn pay(&mut self) {
        let (intent, switched_off) = self.choose();
        let kit = Arc::clone(&self.run.kit);
        let card = &kit.sandbox.cards[intent.card];
        let Intent { card: at, kind, amount, typed: digits } = intent;
        self.run.step(format_args!("{} {}: {amount} of card {at}, {digits:?}", self.id, kind.name()));
        *lock(&self.asking) = Some(intent);
        if intent.typed == Typed::OtherKey {
            self.run.fault(format_args!("{} has another PIN key", self.id));
            self.terminal.faults = Faults { wrong_tpk: true, ..Faults::default() };
        }
        let pin = typed(card, intent.typed, &mut self.dice);
        let paying = self.terminal.pay_with(intent.kind, card, Amount(intent.amount), Some(&pin));
        let outcome = match switched_off {
            None => paying.await,
            Some(after) => match timeout(after, paying).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    self.run.fault(format_args!("{} is switched off and on again", self.id));
                    self.terminal.faults = Faults::default();
                    return;
                }
            },
        };
        // A message that was never sent has not used it up.
        self.terminal.faults = Faults::default();
        self.tell(intent.kind.name(), &outcome);
        if let Ok(outcome) = &outcome
            && outcome.answer.is_approval()
            && intent.kind == Kind::Sale
            && let Some(stan) = stan(outcome)
        {
            let batch = self.terminal.memory().batch();
            let key = TransactionKey { terminal: self.id, batch, stan, day: 0 };
            self.run.judge(|judge| {
                judge.believed(key, &intent);
                Ok(())
            });
        }
        self.hear(outcome).await;
    }

    fn choose(&mut self) -> (Intent, Option<Duration>) {
        let (plan, dice) = (self.run.plan, &mut self.dice);
        let cards = self.run.kit.sandbox.cards.len() as u64;
        let thief = self.who == Who::Thief;
        let card = if thief || dice.happens(80_000) { dice.below(plan.hot_cards) } else { dice.below(cards) };
        let wrong = if thief { 90_000 } else { plan.rates.wrong_pin };
        let typed = if dice.happens(plan.rates.wrong_key) {
            Typed::OtherKey
        } else if dice.happens(wrong) {
            Typed::Wrong
        } else {
            Typed::Right
        };
        let kind = if dice.happens(15_000) { Kind::Balance } else { Kind::Sale };
        let amount = if kind == Kind::Sale { dice.between(1, 12_000) as i64 } else { 0 };
        let off = dice.happens(plan.rates.switched_off);
        let switched_off = off.then(|| Duration::from_millis(dice.between(0, 120)));
        (Intent { card: card as usize, kind, amount, typed }, switched_off)
    }

    async fn hear(&mut self, outcome: Result<Outcome, TerminalError>) {
        if let Ok(outcome) = outcome {
            self.obey(&outcome.answer).await;
        }
    }

    /// Answers after which a terminal signs in again.
    async fn obey(&mut self, answer: &Answer) {
        if answer.code().is_some_and(|code| matches!(code.as_str(), "77" | "A0" | "99")) {
            let outcome = self.terminal.sign_in().await;
            self.tell("sign-in", &outcome);
        }
    }

    fn tell(&self, what: &str, outcome: &Result<Outcome, TerminalError>) {
        match outcome {
            Ok(outcome) => self.run.step(format_args!("{} {what}: {:?}", self.id, outcome.answer)),
            Err(error) => self.run.step(format_args!("{} {what}: {error}", self.id)),
        }
    }
}

fn stan(outcome: &Outcome) -> Option<Stan> {
    Stan::new(outcome.step.stan.as_ref()?.parse().ok()?).ok()
}

fn typed(card: &Card, typed: Typed, dice: &mut Dice) -> String {
    let right = card.pin.reveal();
    match typed {
        Typed::Right | Typed::OtherKey => right.clone(),
        Typed::Wrong => loop {
            let guess = format!("{:06}", dice.below(1_000_000));
            if guess != *right {
                break guess;
            }
        },
    }
}
