//! The terminals and cards of a practice: taken from the sandbox file, each terminal locked for this process as every
//! simulated terminal is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::{Amount, KeyScheme, Kind, MerchantId, Pan, TerminalId};
use simulator::{
    Answer, Sandbox, Terminal, TerminalError, Varied,
    memory::OwedReversal,
    sandbox::{Card, TerminalEntry},
    terminal::Settings,
};

use super::How;
use crate::chance::Chance;

/// The listener whose terminals take part: UnionPay's dialect.
const LISTENER: usize = 0;

/// Why it cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum NotPlayed {
    /// The sandbox has too few of something.
    #[error("the sandbox has not enough {0}: start a new one, or end what else is using it")]
    TooFew(&'static str),
    /// Only from inside, or by a colleague.
    #[error("this cannot be played from outside a host")]
    FromInside,
    /// A terminal cannot work; nobody is there, perhaps.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
}

/// One payment, for people who look on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// Where.
    pub terminal: TerminalId,
    /// With which card.
    pub card: String,
    /// What is special about it.
    pub what: &'static str,
    /// What the host said.
    pub answer: String,
}

/// What differs from an ordinary payment.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) what: &'static str,
    pub(super) kind: Kind,
    pub(super) amount: i64,
    pub(super) digits: Option<&'a str>,
    pub(super) bound_to: Option<&'a Pan>,
    pub(super) wrong_tpk: bool,
    pub(super) replayed_ksn: bool,
    pub(super) ahead_ms: i64,
    pub(super) entry: &'a str,
    pub(super) wrong_date: bool,
    pub(super) merchant: Option<model::MerchantId>,
    pub(super) category: Option<u16>,
    pub(super) name: Option<&'a str>,
    pub(super) lost: bool,
    pub(super) own: &'a str,
}

impl Turn<'_> {
    /// An ordinary payment with these digits.
    pub(super) fn usual<'a>(what: &'static str, digits: &'a str) -> Turn<'a> {
        Turn {
            what,
            kind: Kind::Sale,
            amount: 12_800,
            digits: Some(digits),
            bound_to: None,
            wrong_tpk: false,
            replayed_ksn: false,
            ahead_ms: 0,
            entry: crate::day::CHIP,
            wrong_date: false,
            merchant: None,
            category: None,
            name: None,
            lost: false,
            own: "",
        }
    }
}

/// Sandbox, terminals and whoever looks on.
pub(super) struct Stage<'s> {
    pub(super) sandbox: &'s Sandbox,
    pub(super) chance: Chance,
    pace: Duration,
    tell: &'s mut (dyn FnMut(&Seen) + Send),
    taken: Vec<TerminalId>,
    /// The shop of the first terminal.
    shop: Option<MerchantId>,
}

impl<'s> Stage<'s> {
    pub(super) fn set(
        sandbox: &'s Sandbox,
        scene: &str,
        how: How,
        tell: &'s mut (dyn FnMut(&Seen) + Send),
    ) -> Self {
        let chance = Chance::new(how.seed, scene);
        Self { sandbox, chance, pace: how.pace, tell, taken: Vec::new(), shop: None }
    }

    /// Cards of our own, in an order of the seed's.
    pub(super) fn cards(&mut self, count: usize) -> Result<Vec<&'s Card>, NotPlayed> {
        let sandbox = self.sandbox;
        let mut cards: Vec<&Card> =
            sandbox.cards.iter().filter(|card| card.product == "debit-standard").collect();
        for at in (1..cards.len()).rev() {
            cards.swap(at, self.chance.below(at + 1));
        }
        cards.truncate(count);
        if cards.len() == count { Ok(cards) } else { Err(NotPlayed::TooFew("cards")) }
    }

    /// A terminal that nobody uses, signed in; with derived keys if that is asked for. Of the shop of the first one, if that
    /// has another: people who go on elsewhere do not fly.
    pub(super) async fn terminal(&mut self, dukpt: bool) -> Result<Terminal, NotPlayed> {
        let shop = self.shop;
        match self.terminal_where(dukpt, |entry| shop.is_none_or(|shop| entry.mid == shop)).await {
            Err(NotPlayed::TooFew(_)) => self.terminal_where(dukpt, |_| true).await,
            other => other,
        }
    }

    /// The same, of another shop than those before.
    pub(super) async fn terminal_of_another_shop(&mut self) -> Result<Terminal, NotPlayed> {
        let taken = self.taken.clone();
        let shops: Vec<MerchantId> =
            self.sandbox.all_terminals().filter(|e| taken.contains(&e.tid)).map(|e| e.mid).collect();
        self.terminal_where(false, |entry| !shops.contains(&entry.mid)).await
    }

    async fn terminal_where(
        &mut self,
        dukpt: bool,
        belongs: impl Fn(&TerminalEntry) -> bool,
    ) -> Result<Terminal, NotPlayed> {
        let wanted = if dukpt { KeyScheme::TdesDukpt } else { KeyScheme::Tdes };
        let fits = |entry: &&TerminalEntry| {
            let id = entry.tid.as_str();
            // Those with lasting faults have stories of their own.
            entry.listener == LISTENER
                && entry.keys.scheme() == wanted
                && !id.starts_with('T')
                && belongs(entry)
        };
        let free: Vec<TerminalId> =
            self.sandbox.all_terminals().filter(fits).map(|entry| entry.tid).collect();
        if free.is_empty() {
            return Err(NotPlayed::TooFew("free terminals"));
        }
        let first = self.chance.below(free.len());
        for at in 0..free.len() {
            let id = free[(first + at) % free.len()];
            if self.taken.contains(&id) {
                continue;
            }
            let opened = Terminal::open(self.sandbox, id, Settings::default());
            let Ok(mut terminal) = opened else { continue };
            terminal.sign_in().await?;
            self.taken.push(id);
            self.shop = self.shop.or(self.sandbox.terminal(id).map(|entry| entry.mid));
            return Ok(terminal);
        }
        Err(NotPlayed::TooFew("free terminals"))
    }

    /// The next person.
    pub(super) async fn turn(
        &mut self,
        terminal: &mut Terminal,
        card: &Card,
        turn: Turn<'_>,
    ) -> Result<Option<OwedReversal>, NotPlayed> {
        tokio::time::sleep(self.pace).await;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(seconds.as_millis()).unwrap_or(i64::MAX);
        let date = if turn.wrong_date { "2401".parse().unwrap_or(card.expiry) } else { card.expiry };
        let varied = Varied {
            kind: turn.kind,
            pan: &card.pan,
            expiry: date,
            amount: Amount(turn.amount),
            digits: turn.digits,
            bound_to: turn.bound_to,
            wrong_tpk: turn.wrong_tpk,
            replayed_ksn: turn.replayed_ksn,
            local_ms: now + turn.ahead_ms,
            entry: turn.entry,
            merchant: turn.merchant,
            category: turn.category,
            name: turn.name,
            own: (!turn.own.is_empty()).then_some(turn.own),
        };
        let (answer, undo) = match terminal.pay_varied(&varied, turn.lost).await {
            Ok(paid) => paid,
            // Too few digits arrived: the keypad refuses, nothing is sent.
            Err(TerminalError::NothingToDo(_)) => (Answer::NotSent("too few digits".to_owned()), None),
            Err(error) => return Err(error.into()),
        };
        (self.tell)(&Seen {
            terminal: terminal.id(),
            card: card.pan.masked().to_string(),
            what: turn.what,
            answer: words(&answer),
        });
        Ok(undo)
    }
}

fn words(answer: &Answer) -> String {
    match answer {
        Answer::Code(code) => code.to_string(),
        Answer::Silence => "no answer".to_owned(),
        Answer::NotSent(why) => format!("not sent: {why}"),
        Answer::Unusable(why) => format!("not believed: {why}"),
    }
}
