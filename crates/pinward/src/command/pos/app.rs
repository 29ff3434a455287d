//! What the emulated terminal knows and what its keys mean. No drawing here, and no waiting except in [`App::perform`].

use model::{Amount, Kind, TerminalId};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use simulator::fault::Habits;
use simulator::memory::MemoryError;
use simulator::receipt::grouped;
use simulator::sandbox::Card;
use simulator::terminal::Settings;
use simulator::{Answer, Language, Outcome, Receipt, Sandbox, Step, Terminal, TerminalError};
use zeroizing::Typed;

/// Steps that the log keeps.
const LOG_MAX: usize = 200;
/// Digits of an amount before the point, as DE 4 has them.
const AMOUNT_LENGTH_MAX: usize = 11;

/// What to do after a key.
pub(super) enum Next {
    Wait,
    Quit,
    Do(Order),
}

/// Something for which the host is asked.
pub(super) enum Order {
    SignIn,
    Settle,
    Echo,
    Void,
    Complete(Amount),
    Pay { kind: Kind, amount: Amount, typed: Option<Typed> },
    BecomeTerminal(TerminalId),
}

/// What the display asks for.
pub(super) enum Screen {
    Home,
    Terminals { at: usize },
    Cards { at: usize },
    Amount { kind: Kind, text: String },
    Pin { kind: Kind, amount: Amount, typed: Typed },
    Slip,
}

/// The emulator.
pub(super) struct App {
    pub(super) sandbox: Sandbox,
    settings: Settings,
    pub(super) terminal: Terminal,
    pub(super) card: usize,
    pub(super) language: Language,
    pub(super) screen: Screen,
    pub(super) busy: bool,
    pub(super) log: Vec<Step>,
    pub(super) receipt: Option<Receipt>,
    /// What the display says about the last thing, and whether it is good news.
    pub(super) news: Option<(String, bool)>,
}

impl App {
    /// Becomes the wanted terminal, or the first that is free.
    pub(super) fn open(
        sandbox: Sandbox,
        settings: Settings,
        language: Language,
        wanted: Option<TerminalId>,
    ) -> anyhow::Result<App> {
        anyhow::ensure!(!sandbox.cards.is_empty(), "the sandbox has no cards");
        let terminal = match wanted {
            Some(id) => Terminal::open(&sandbox, id, settings)?,
            None => first_free(&sandbox, settings)?,
        };
        Ok(App {
            sandbox,
            settings,
            terminal,
            card: 0,
            language,
            screen: Screen::Home,
            busy: false,
            log: Vec::new(),
            receipt: None,
            news: None,
        })
    }

    pub(super) fn card(&self) -> &Card {
        &self.sandbox.cards[self.card]
    }

    /// What a key means on this screen.
    pub(super) fn press(&mut self, key: KeyEvent) -> Next {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Next::Quit;
        }
        match std::mem::replace(&mut self.screen, Screen::Home) {
            Screen::Home => self.press_home(key.code),
            Screen::Slip => Next::Wait,
            Screen::Terminals { at } => self.press_terminals(key.code, at),
            Screen::Cards { at } => self.press_cards(key.code, at),
            Screen::Amount { kind, text } => self.press_amount(key.code, kind, text),
            Screen::Pin { kind, amount, typed } => self.press_pin(key.code, kind, amount, typed),
        }
    }

    fn press_home(&mut self, key: KeyCode) -> Next {
        self.news = None;
        match key {
            KeyCode::Char('q') => return Next::Quit,
            KeyCode::Char('i') => return Next::Do(Order::SignIn),
            KeyCode::Char('e') => return Next::Do(Order::Settle),
            KeyCode::Char('l') => return Next::Do(Order::Echo),
            KeyCode::Char('v') => return Next::Do(Order::Void),
            KeyCode::Char('s') => self.ask_amount(Kind::Sale),
            KeyCode::Char('p') => self.ask_amount(Kind::PreAuth),
            KeyCode::Char('c') => self.ask_amount(Kind::Completion),
            KeyCode::Char('r') => self.ask_amount(Kind::Refund),
            KeyCode::Char('b') => self.ask_pin(Kind::Balance, Amount::ZERO),
            KeyCode::Char('t') => self.screen = Screen::Terminals { at: self.terminal_at() },
            KeyCode::Char('k') => self.screen = Screen::Cards { at: self.card },
            KeyCode::Char('z') => self.language = self.language.other(),
            KeyCode::Char('w') if self.receipt.is_some() => self.screen = Screen::Slip,
            KeyCode::Char('w') => self.news = Some((self.language.text("ui-no-receipt").to_owned(), false)),
            _ => {}
        }
        Next::Wait
    }

    fn ask_amount(&mut self, kind: Kind) {
        self.screen = Screen::Amount { kind, text: String::new() };
    }

    fn ask_pin(&mut self, kind: Kind, amount: Amount) {
        self.screen = Screen::Pin { kind, amount, typed: Typed::default() };
    }

    fn press_terminals(&mut self, key: KeyCode, at: usize) -> Next {
        match moved(key, at, self.sandbox.terminals.len()) {
            Moved::To(at) => self.screen = Screen::Terminals { at },
            Moved::Chosen => return Next::Do(Order::BecomeTerminal(self.sandbox.terminals[at].tid)),
            Moved::Left => {}
        }
        Next::Wait
    }

    fn press_cards(&mut self, key: KeyCode, at: usize) -> Next {
        match moved(key, at, self.sandbox.cards.len()) {
            Moved::To(at) => self.screen = Screen::Cards { at },
            Moved::Chosen => self.card = at,
            Moved::Left => {}
        }
        Next::Wait
    }

    fn press_amount(&mut self, key: KeyCode, kind: Kind, mut text: String) -> Next {
        match key {
            KeyCode::Esc => return Next::Wait,
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Enter => match simulator::story::amount(&text).filter(|a| a.0 > 0) {
                Some(amount) => return self.amount_entered(kind, amount),
                None => text.clear(),
            },
            KeyCode::Char(c) if may_follow(&text, c) => text.push(c),
            _ => {}
        }
        self.screen = Screen::Amount { kind, text };
        Next::Wait
    }

    fn amount_entered(&mut self, kind: Kind, amount: Amount) -> Next {
        match kind {
            Kind::Completion => Next::Do(Order::Complete(amount)),
            Kind::Refund => Next::Do(Order::Pay { kind, amount, typed: None }),
            _ => {
                self.ask_pin(kind, amount);
                Next::Wait
            }
        }
    }

    fn press_pin(&mut self, key: KeyCode, kind: Kind, amount: Amount, mut typed: Typed) -> Next {
        match key {
            KeyCode::Esc => return Next::Wait,
            KeyCode::Backspace => typed.pop(),
            KeyCode::Enter => {
                let typed = (!typed.is_empty()).then_some(typed);
                return Next::Do(Order::Pay { kind, amount, typed });
            }
            KeyCode::Char('?') => {
                typed = Typed::default();
                for digit in self.card().pin.reveal().chars() {
                    self.strike(&mut typed, digit);
                }
            }
            KeyCode::Char(digit @ '0'..='9') => self.strike(&mut typed, digit),
            _ => {}
        }
        self.screen = Screen::Pin { kind, amount, typed };
        Next::Wait
    }

    /// One press on the PIN pad, which may be dead or bounce.
    fn strike(&self, typed: &mut Typed, digit: char) {
        let strokes = self.terminal.habits().keypad.strokes(digit, typed.presses());
        typed.press(digit, strokes);
    }

    fn terminal_at(&self) -> usize {
        self.sandbox.terminals.iter().position(|t| t.tid == self.terminal.id()).unwrap_or(0)
    }

    /// Talks to the host. Whatever comes of it is told on the display; nothing here ends the emulator.
    pub(super) async fn perform(&mut self, order: Order) {
        let kind = kind_of(&order, &self.terminal);
        let result = self.attempt(order).await;
        self.log.extend(self.terminal.take_log());
        self.log.drain(..self.log.len().saturating_sub(LOG_MAX));
        match result {
            Ok(Some(outcome)) => self.tell(kind, &outcome),
            Ok(None) => {}
            Err(TerminalError::NothingToDo(_)) => {
                self.news = Some((self.language.text("ui-nothing").to_owned(), false));
            }
            Err(error) => self.news = Some((super::super::sentence(&error.into()), false)),
        }
    }

    async fn attempt(&mut self, order: Order) -> Result<Option<Outcome>, TerminalError> {
        if let Order::BecomeTerminal(id) = order {
            if id != self.terminal.id() {
                self.terminal = Terminal::open(&self.sandbox, id, self.settings)?;
            }
            return Ok(None);
        }
        let needs_keys = !matches!(order, Order::SignIn | Order::Echo);
        if needs_keys && !self.terminal.is_signed_in() {
            let outcome = self.terminal.sign_in().await?;
            if !outcome.answer.is_approval() {
                return Ok(Some(outcome));
            }
        }
        let card = &self.sandbox.cards[self.card];
        let outcome = match order {
            Order::SignIn => self.terminal.sign_in().await?,
            Order::Settle => self.terminal.settle().await?,
            Order::Echo => self.terminal.echo().await?,
            Order::Void => self.terminal.void(None).await?,
            Order::Complete(amount) => self.terminal.complete(amount).await?,
            Order::Pay { kind, amount, typed } => {
                self.terminal.pay_with(kind, card, amount, typed.as_ref().map(Typed::digits)).await?
            }
            Order::BecomeTerminal(_) => return Ok(None),
        };
        Ok(Some(outcome))
    }

    /// What the cardholder reads, and the slip.
    fn tell(&mut self, kind: Option<Kind>, outcome: &Outcome) {
        let answer = &outcome.answer;
        let mut text = self.language.answer(answer).to_owned();
        if let Answer::Code(code) = answer {
            text = format!("{text}  [{code}]");
        }
        if let Some(balance) = outcome.balance {
            text = format!("{}: RMB {}", self.language.text("ui-balance"), grouped(balance));
        }
        if let Some(balanced) = outcome.balanced {
            text = self.language.text(if balanced { "ui-balanced" } else { "ui-not-balanced" }).to_owned();
        }
        self.news = Some((text, answer.is_approval()));
        let entry = self.sandbox.terminal(self.terminal.id());
        if let (Some(kind), Some(entry)) = (kind, entry)
            && outcome.step.stan.is_some()
        {
            self.receipt = Some(Receipt::of(&self.terminal, entry, self.card(), kind, outcome));
        }
    }
}

/// What the slip calls it; nothing is printed for what is not about money.
fn kind_of(order: &Order, terminal: &Terminal) -> Option<Kind> {
    match order {
        Order::Pay { kind, .. } => Some(*kind),
        Order::Complete(_) => Some(Kind::Completion),
        Order::Void => terminal.approved().iter().rev().find(|a| !a.closed).map(|a| match a.kind {
            Kind::PreAuth => Kind::PreAuthVoid,
            Kind::Completion => Kind::CompletionVoid,
            _ => Kind::SaleVoid,
        }),
        Order::SignIn | Order::Settle | Order::Echo | Order::BecomeTerminal(_) => None,
    }
}

fn first_free(sandbox: &Sandbox, settings: Settings) -> anyhow::Result<Terminal> {
    for entry in sandbox.terminals.iter().filter(|t| Habits::of(t.tid).is_healthy()) {
        match Terminal::open(sandbox, entry.tid, settings) {
            Err(TerminalError::Memory(MemoryError::InUse(_))) => {}
            opened => return Ok(opened?),
        }
    }
    anyhow::bail!("every terminal of the sandbox is in use by another process")
}

enum Moved {
    To(usize),
    Chosen,
    Left,
}

fn moved(key: KeyCode, at: usize, count: usize) -> Moved {
    let last = count.saturating_sub(1);
    match key {
        KeyCode::Up | KeyCode::Char('k') => Moved::To(at.saturating_sub(1)),
        KeyCode::Down | KeyCode::Char('j') => Moved::To((at + 1).min(last)),
        KeyCode::PageUp => Moved::To(at.saturating_sub(10)),
        KeyCode::PageDown => Moved::To((at + 10).min(last)),
        KeyCode::Home => Moved::To(0),
        KeyCode::End => Moved::To(last),
        KeyCode::Enter => Moved::Chosen,
        KeyCode::Esc | KeyCode::Char('q') => Moved::Left,
        _ => Moved::To(at),
    }
}

/// Digits, one point, two digits behind it.
fn may_follow(text: &str, c: char) -> bool {
    let cents = text.split_once('.').map(|(_, cents)| cents.len());
    text.len() < AMOUNT_LENGTH_MAX
        && match c {
            '0'..='9' => cents.is_none_or(|n| n < 2),
            '.' => cents.is_none() && !text.is_empty(),
            _ => false,
        }
}

mod zeroizing {
    //! Digits on their way from the keypad to the PIN block.

    use model::Secret;

    /// A PIN has at most twelve digits (ISO 9564-1); more presses are not remembered.
    const LENGTH_MAX: usize = 12;

    pub(in super::super) struct Typed {
        digits: Secret<String>,
        presses: usize,
    }

    impl Default for Typed {
        fn default() -> Self {
            // The capacity is never exceeded, so that no copy is left behind by growing.
            Typed { digits: Secret::new(String::with_capacity(LENGTH_MAX)), presses: 0 }
        }
    }

    impl Typed {
        pub(in super::super) fn press(&mut self, digit: char, strokes: usize) {
            self.presses += 1;
            let mut text = String::with_capacity(LENGTH_MAX);
            text.push_str(self.digits.reveal());
            (0..strokes)
                .filter(|i| self.digits.reveal().len() + i < LENGTH_MAX)
                .for_each(|_| text.push(digit));
            self.digits = Secret::new(text);
        }

        pub(in super::super) fn pop(&mut self) {
            let mut text = String::with_capacity(LENGTH_MAX);
            let shown = self.digits.reveal();
            text.push_str(&shown[..shown.len().saturating_sub(1)]);
            self.digits = Secret::new(text);
        }

        pub(in super::super) fn digits(&self) -> &str {
            self.digits.reveal()
        }

        pub(in super::super) fn len(&self) -> usize {
            self.digits.reveal().len()
        }

        pub(in super::super) fn is_empty(&self) -> bool {
            self.len() == 0
        }

        pub(in super::super) fn presses(&self) -> usize {
            self.presses
        }
    }
}
