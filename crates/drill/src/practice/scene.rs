//! What is played for each cause: a few people, in the order in which they come.

use diagnosis::Cause;
use model::Kind;
use simulator::{Terminal, sandbox::Card};

use super::stage::{NotPlayed, Stage, Turn};
use crate::day::{FALLBACK, MANUAL};

/// Cards that come to a broken terminal.
const CUSTOMERS: usize = 12;
/// Of these, every so many pay elsewhere afterwards.
const ELSEWHERE: usize = 2;

impl Stage<'_> {
    /// Plays the incident; returns what it is about.
    pub(super) async fn play(&mut self, cause: Cause) -> Result<String, NotPlayed> {
        match cause {
            Cause::WrongTerminalKey
            | Cause::KeypadFault
            | Cause::ClockDrift
            | Cause::CodeJumping
            | Cause::MovedTerminal
            | Cause::ScreenFault => self.at_one_terminal(cause).await,
            Cause::NetworkLoss => self.bad_line().await,
            Cause::DuplicateSubmission => self.twice().await,
            Cause::FirmwareRegression | Cause::PanBinding => self.new_version(cause).await,
            Cause::ZoneKey => self.other_bank().await,
            Cause::KsnReplay => self.replay().await,
            Cause::BruteForce => self.one_card().await,
            Cause::PinSpray => self.spray().await,
            Cause::CardTesting => self.neighbours().await,
            Cause::SkimCashOut => self.copies().await,
            Cause::ImpossibleTravel => self.travel().await,
            Cause::Forgotten
            | Cause::Mistyped
            | Cause::Locked
            | Cause::UnlimitedOperation
            | Cause::CounterAbuse
            | Cause::HsmFault
            | Cause::SignInMissing
            | Cause::Ordinary => Err(NotPlayed::FromInside),
        }
    }

    async fn at_one_terminal(&mut self, cause: Cause) -> Result<String, NotPlayed> {
        let cards = self.cards(CUSTOMERS)?;
        let (mut broken, mut sound) = (self.terminal(false).await?, self.terminal(false).await?);
        let dead = char::from(b'0' + self.chance.below(10) as u8);
        for (at, card) in cards.iter().enumerate() {
            let pin = card.pin.reveal().as_str();
            let arrived: String = pin.chars().filter(|digit| *digit != dead).collect();
            let turn = match cause {
                Cause::WrongTerminalKey => Turn { wrong_tpk: true, ..Turn::usual("wrong key", pin) },
                Cause::KeypadFault => {
                    Turn { own: "PW01PE0046100CX0011", ..Turn::usual("a key is dead", &arrived) }
                }
                Cause::ClockDrift => Turn { ahead_ms: 40 * 60_000, ..Turn::usual("clock is ahead", pin) },
                Cause::MovedTerminal => {
                    Turn { own: "PW01PO022+33.000000,+119.000000", ..Turn::usual("elsewhere", pin) }
                }
                Cause::CodeJumping => jumping(at, pin),
                _ => Turn { own: "PW01CX0013ET0012", ..Turn::usual("most gave up before", pin) },
            };
            self.turn(&mut broken, card, turn).await?;
            let refused = matches!(cause, Cause::WrongTerminalKey | Cause::KeypadFault);
            if refused && at % ELSEWHERE == 1 {
                self.turn(&mut sound, card, Turn::usual("the same card elsewhere", pin)).await?;
            }
        }
        Ok(format!("terminal {}", broken.id()))
    }

    async fn bad_line(&mut self) -> Result<String, NotPlayed> {
        let cards = self.cards(CUSTOMERS)?;
        let mut terminal = self.terminal(false).await?;
        let mut own = String::new();
        for (at, card) in cards.iter().enumerate() {
            let lost = at % 2 == 0;
            let what = if lost { "the answer is lost" } else { "and tries again" };
            let turn = Turn { lost, own: &own, ..Turn::usual(what, card.pin.reveal()) };
            let undo = self.turn(&mut terminal, card, turn).await?;
            if let Some(undo) = undo {
                terminal.reverse_varied(&undo).await?;
            }
            // It tells with its next message what became of this one.
            "PW01NA0011RC0011RT0042400".clone_into(&mut own);
        }
        Ok(format!("terminal {}", terminal.id()))
    }

    async fn twice(&mut self) -> Result<String, NotPlayed> {
        let cards = self.cards(CUSTOMERS)?;
        let mut terminal = self.terminal(false).await?;
        for (at, card) in cards.iter().enumerate() {
            let amount = 8_800 + 100 * at as i64;
            let turn = Turn { amount, ..Turn::usual("pays", card.pin.reveal()) };
            self.turn(&mut terminal, card, turn).await?;
            if at % 2 == 0 {
                self.turn(&mut terminal, card, Turn { what: "and once more by itself", ..turn }).await?;
            }
        }
        Ok(format!("terminal {}", terminal.id()))
    }

    async fn new_version(&mut self, cause: Cause) -> Result<String, NotPlayed> {
        const VERSION: &str = "9.9.1";
        let cards = self.cards(CUSTOMERS)?;
        let report = format!("PW01FW{:03}{VERSION}", VERSION.len());
        let mut updated = Vec::new();
        for _ in 0..3 {
            updated.push(self.terminal(false).await?);
        }
        let mut old = self.terminal(false).await?;
        for (at, card) in cards.iter().enumerate() {
            let pin = card.pin.reveal().as_str();
            let other = cards[(at + 1) % cards.len()];
            let turn = match cause {
                Cause::PanBinding => Turn {
                    bound_to: Some(&other.pan),
                    own: &report,
                    ..Turn::usual("bound to another number", pin)
                },
                _ if at % 3 == 0 => Turn { own: &report, ..Turn::usual("a digit is lost", &pin[1..]) },
                _ => Turn { own: &report, ..Turn::usual("new version", pin) },
            };
            let many = updated.len();
            self.turn(&mut updated[at % many], card, turn).await?;
            self.turn(&mut old, card, Turn::usual("old version", pin)).await?;
        }
        Ok(format!("version {VERSION}"))
    }

    async fn other_bank(&mut self) -> Result<String, NotPlayed> {
        let cards: Vec<&Card> = self.sandbox.foreign_cards.iter().collect();
        if cards.is_empty() {
            return Err(NotPlayed::TooFew("cards of another bank"));
        }
        let (mut one, mut other) = (self.terminal(false).await?, self.terminal(false).await?);
        for at in 0..CUSTOMERS {
            let card = cards[at % cards.len()];
            // An amount that ends in 99 has the sandbox's other bank answer 99: it cannot read the PIN block.
            let turn = Turn { amount: 5_099, ..Turn::usual("the bank cannot read it", card.pin.reveal()) };
            let terminal = if at % 2 == 0 { &mut one } else { &mut other };
            self.turn(terminal, card, turn).await?;
        }
        Ok("the zone of the sandbox's other bank".to_owned())
    }

    async fn replay(&mut self) -> Result<String, NotPlayed> {
        let cards = self.cards(CUSTOMERS)?;
        let mut terminal = self.terminal(true).await?;
        for (at, card) in cards.iter().enumerate() {
            let replayed_ksn = at % 3 == 2;
            let what = if replayed_ksn { "a number that was used" } else { "a fresh number" };
            let turn = Turn { replayed_ksn, ..Turn::usual(what, card.pin.reveal()) };
            self.turn(&mut terminal, card, turn).await?;
        }
        Ok(format!("terminal {}", terminal.id()))
    }

    async fn one_card(&mut self) -> Result<String, NotPlayed> {
        let cards = self.cards(1)?;
        let card = cards[0];
        let wrong = card.wrong_pin();
        let mut terminals = Vec::new();
        for _ in 0..4 {
            terminals.push(self.terminal(false).await?);
        }
        for round in 0..5 {
            for guess in 0..2 {
                let at = (2 * round + guess) % terminals.len();
                let turn =
                    Turn { kind: Kind::Balance, entry: FALLBACK, ..Turn::usual("guesses", wrong.reveal()) };
                self.turn(&mut terminals[at], card, turn).await?;
            }
            let turn = Turn::usual("the holder pays", card.pin.reveal());
            self.turn(&mut terminals[0], card, turn).await?;
        }
        Ok(format!("card {}", card.pan.masked()))
    }

    async fn spray(&mut self) -> Result<String, NotPlayed> {
        let cards = self.cards(20)?;
        let mut terminal = self.terminal(false).await?;
        for card in cards {
            let wrong = card.wrong_pin();
            let turn =
                Turn { kind: Kind::Balance, entry: FALLBACK, ..Turn::usual("one guess", wrong.reveal()) };
            self.turn(&mut terminal, card, turn).await?;
        }
        Ok(format!("terminal {}", terminal.id()))
    }

    async fn neighbours(&mut self) -> Result<String, NotPlayed> {
        let mut cards = self.cards(30)?;
        cards.sort_by(|a, b| a.pan.reveal().cmp(b.pan.reveal()));
        let mut terminals = Vec::new();
        for _ in 0..4 {
            terminals.push(self.terminal_of_another_shop().await?);
        }
        for (at, card) in cards.iter().enumerate() {
            let many = terminals.len();
            let turn = Turn {
                digits: None,
                amount: 100,
                entry: MANUAL,
                wrong_date: at % 6 != 5,
                ..Turn::usual("is it alive?", "")
            };
            self.turn(&mut terminals[at % many], card, turn).await?;
        }
        Ok(format!("cards that begin with {}", cards[0].pan.iin()))
    }

    async fn copies(&mut self) -> Result<String, NotPlayed> {
        let cards = self.cards(12)?;
        let mut met = self.terminal(false).await?;
        for card in &cards {
            self.turn(&mut met, card, Turn::usual("pays, and is copied", card.pin.reveal())).await?;
        }
        let mut machines = [self.terminal(false).await?, self.terminal(false).await?];
        for (at, card) in cards.iter().enumerate() {
            let turn = Turn {
                kind: Kind::Cash,
                amount: 200_000,
                entry: FALLBACK,
                own: "PW01PO022+22.540000,+114.060000",
                ..Turn::usual("cash with the copy", card.pin.reveal())
            };
            self.turn(&mut machines[at % 2], card, turn).await?;
        }
        Ok(format!("terminal {}, where they met", met.id()))
    }

    async fn travel(&mut self) -> Result<String, NotPlayed> {
        let cards = self.cards(1)?;
        let card = cards[0];
        let mut pair: Vec<Terminal> = vec![self.terminal(false).await?, self.terminal(false).await?];
        for at in 0..4 {
            let own = if at % 2 == 0 {
                "PW01PO022+31.230000,+121.470000"
            } else {
                "PW01PO022+39.900000,+116.400000"
            };
            let turn = Turn { own, ..Turn::usual(["here", "there"][at % 2], card.pin.reveal()) };
            self.turn(&mut pair[at % 2], card, turn).await?;
        }
        Ok(format!("card {}", card.pan.masked()))
    }
}

/// Another category and name, every third time another merchant number.
fn jumping(at: usize, pin: &str) -> Turn<'_> {
    const NAME: &str = "CHARITY FUND                            ";
    let turn = Turn { category: Some(8398), name: Some(NAME), ..Turn::usual("another shop's words", pin) };
    match at % 3 {
        2 => Turn { merchant: "898110083980001".parse().ok(), ..turn },
        _ => turn,
    }
}
