//! Stories: who pays what with which PIN, and which answer must come. A text that a person from a bank can review.
//!
//! ```text
//! title en Three wrong PINs lock the card
//! terminal T1
//! card C1 product debit-standard
//!
//! T1: sign-in                          -> 00
//! T1: sale C1 1280.00 pin wrong        -> 55      # the first of three
//! T1: sale C1 1280.00 pin right lost-reply -> --
//! ```
//!
//! A line is `terminal: what … -> expected`. `stories/README.md` lists every word. The parser refuses what it does not know, with the
//! line number: a word that is silently skipped would make a story that proves nothing.

use std::time::Duration;

use model::{Amount, KeyScheme, OperatorId, ResponseCode, Secret, TerminalId};

use crate::terminal::OperatorAct;
use crate::words::Language;
use crate::{fault::Faults, sandbox::Card};

/// The stories that come with the program, by name.
const BUILTIN: [(&str, &str); 11] = [
    ("error-75", include_str!("../stories/error-75.story")),
    ("forgotten-pin", include_str!("../stories/forgotten-pin.story")),
    ("packet-loss", include_str!("../stories/packet-loss.story")),
    ("duplicate", include_str!("../stories/duplicate.story")),
    ("wrong-key", include_str!("../stories/wrong-key.story")),
    ("dead-key", include_str!("../stories/dead-key.story")),
    ("day-at-the-till", include_str!("../stories/day-at-the-till.story")),
    ("dukpt-day", include_str!("../stories/dukpt-day.story")),
    ("sm4-day", include_str!("../stories/sm4-day.story")),
    ("shop-people", include_str!("../stories/shop-people.story")),
    ("other-bank", include_str!("../stories/other-bank.story")),
];

/// A parsed story.
#[derive(Debug, Clone)]
pub struct Story {
    /// Its name.
    pub name: String,
    title_en: String,
    title_zh: String,
    /// The terminals it needs.
    pub terminals: Vec<TerminalWish>,
    /// The cards it needs.
    pub cards: Vec<CardWish>,
    /// What happens.
    pub lines: Vec<Line>,
}

/// `terminal T1`, `terminal T1 id T0000075`, `terminal T1 listener 1`, `terminal T1 scheme sm4`, `terminal T1 next sm4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalWish {
    /// Its name in the story.
    pub name: String,
    /// A particular one; otherwise any that is free and has no bad habits.
    pub id: Option<TerminalId>,
    /// Which listener it must talk to. Unless it is named: the first with TDES keys, with others any that has batches.
    pub listener: Option<usize>,
    /// The scheme of its keys; fixed TDES unless it is named.
    pub scheme: Option<KeyScheme>,
    /// The scheme of the keys that it must be able to switch to.
    pub next: Option<KeyScheme>,
}

/// `card C1`, `card C1 product debit-standard`, `card C1 pin-has 7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardWish {
    /// Its name in the story.
    pub name: String,
    /// Its product.
    pub product: Option<String>,
    /// A digit that its PIN must have.
    pub pin_has: Option<char>,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number in the text, from 1.
    pub number: usize,
    /// The line without its comment.
    pub text: String,
    /// What happens.
    pub action: Action,
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Action {
    /// A terminal does something.
    Act(Box<Act>),
    /// Nothing happens for a while.
    Wait(Duration),
}

/// A terminal does something.
#[derive(Debug, Clone)]
pub struct Act {
    /// Index into [`Story::terminals`].
    pub terminal: usize,
    /// What.
    pub verb: Verb,
    /// What goes wrong on the way.
    pub faults: Faults,
    /// What must come.
    pub expected: Expected,
}

/// What a terminal can be told to do. Cards are indices into [`Story::cards`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the story language; stories/README.md explains them")]
pub enum Verb {
    SignIn,
    SignOut,
    Echo,
    Settle,
    Reverse,
    Repeat,
    SwitchKeys,
    SwitchBack,
    Void,
    Complete { amount: Amount },
    Balance { card: usize, pin: PinChoice },
    Sale { card: usize, amount: Amount, pin: PinChoice },
    PreAuth { card: usize, amount: Amount, pin: PinChoice },
    Refund { card: usize, amount: Amount },
    ChangePin { card: usize, pin: PinChoice, new: PinChoice },
    Operator(OperatorAct),
}

/// Which PIN is typed.
#[derive(Clone, PartialEq, Eq)]
pub enum PinChoice {
    /// The card's.
    Right,
    /// Another one of the same length.
    Wrong,
    /// These digits.
    Digits(String),
    /// None: the cardholder presses Enter.
    None,
}

impl PinChoice {
    /// What fingers type. "Right" is the PIN that the card was issued with, whatever became of it.
    #[must_use]
    pub fn typed(&self, card: &Card) -> Secret<String> {
        Secret::new(match self {
            PinChoice::Right => card.pin.reveal().clone(),
            PinChoice::Wrong => card.wrong_pin().reveal().clone(),
            PinChoice::Digits(digits) => digits.clone(),
            PinChoice::None => String::new(),
        })
    }
}

impl std::fmt::Debug for PinChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PinChoice::Right => "Right",
            PinChoice::Wrong => "Wrong",
            PinChoice::Digits(_) => "Digits(***)",
            PinChoice::None => "None",
        })
    }
}

/// What must come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// One of these answers: a response code, `--`, `??` or `!!`.
    pub answers: Vec<ExpectedAnswer>,
    /// `reversed=00`: a reversal is owed, is sent first, and gets this code.
    pub reversed: Option<ResponseCode>,
    /// `same-bytes`: both replies are equal, byte for byte.
    pub same_bytes: bool,
    /// `balanced`: the totals agree.
    pub balanced: bool,
}

/// One answer that may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedAnswer {
    /// DE 39.
    Code(ResponseCode),
    /// `--`: no answer.
    Silence,
    /// `??`: an answer that the terminal does not believe.
    Unusable,
    /// `!!`: nothing was sent.
    NotSent,
}

/// Where a story is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{story}, line {line}: {fault}")]
pub struct StoryError {
    /// The story's name.
    pub story: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: String,
}

impl Story {
    /// The names of the stories that come with the program.
    pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// A story that comes with the program. The tests parse all of them.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Story> {
        let (name, text) = BUILTIN.iter().find(|(known, _)| *known == name)?;
        Story::parse(name, text).ok()
    }

    /// Its title.
    #[must_use]
    pub fn title(&self, language: Language) -> &str {
        match language {
            Language::Zh => &self.title_zh,
            Language::En => &self.title_en,
        }
    }

    /// Reads a story.
    ///
    /// # Errors
    /// [`StoryError`], which names the line.
    pub fn parse(name: &str, text: &str) -> Result<Story, StoryError> {
        let mut story = Story {
            name: name.to_owned(),
            title_en: name.to_owned(),
            title_zh: name.to_owned(),
            terminals: Vec::new(),
            cards: Vec::new(),
            lines: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let wanted = line.split('#').next().unwrap_or_default().trim();
            if !wanted.is_empty() {
                let fault = |fault| StoryError { story: name.to_owned(), line: index + 1, fault };
                story.read_line(index + 1, wanted).map_err(fault)?;
            }
        }
        if story.lines.is_empty() {
            let line = text.lines().count().max(1);
            return Err(StoryError { story: name.to_owned(), line, fault: "nothing happens".to_owned() });
        }
        Ok(story)
    }

    fn read_line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let mut words = Words(line.split_whitespace().collect());
        let first = words.next("a line")?;
        match first {
            "title" => self.read_title(line),
            "terminal" => self.read_terminal(words),
            "card" => self.read_card(words),
            "wait" => {
                let action = Action::Wait(words.duration()?);
                words.end()?;
                self.push(number, line, action);
                Ok(())
            }
            actor => {
                let name = actor.strip_suffix(':').ok_or_else(|| format!("unknown word '{actor}'"))?;
                let terminal = self
                    .terminals
                    .iter()
                    .position(|t| t.name == name)
                    .ok_or_else(|| format!("terminal '{name}' is not declared"))?;
                let action = self.read_act(terminal, line)?;
                self.push(number, line, Action::Act(Box::new(action)));
                Ok(())
            }
        }
    }

    fn push(&mut self, number: usize, text: &str, action: Action) {
        self.lines.push(Line { number, text: text.to_owned(), action });
    }

    fn read_title(&mut self, line: &str) -> Result<(), String> {
        let (_, rest) = line.split_once(' ').ok_or("title needs a language and a text")?;
        match rest.trim().split_once(' ') {
            Some(("en", title)) => self.title_en = title.trim().to_owned(),
            Some(("zh", title)) => self.title_zh = title.trim().to_owned(),
            _ => return Err("expected 'title en …' or 'title zh …'".to_owned()),
        }
        Ok(())
    }

    fn read_terminal(&mut self, mut words: Words<'_>) -> Result<(), String> {
        let name = words.next("the terminal's name in the story")?.to_owned();
        if self.terminals.iter().any(|t| t.name == name) {
            return Err(format!("terminal '{name}' is declared twice"));
        }
        let mut wish = TerminalWish { name, id: None, listener: None, scheme: None, next: None };
        while let Some(word) = words.take() {
            match word {
                "id" => wish.id = Some(words.parsed("a terminal number of at most 8 characters")?),
                "listener" => wish.listener = Some(words.parsed("the number of a listener, from 0")?),
                "scheme" => wish.scheme = Some(words.scheme()?),
                "next" => wish.next = Some(words.scheme()?),
                other => return Err(format!("unknown word '{other}'")),
            }
        }
        self.terminals.push(wish);
        Ok(())
    }

    fn read_card(&mut self, mut words: Words<'_>) -> Result<(), String> {
        let name = words.next("the card's name in the story")?.to_owned();
        if self.cards.iter().any(|c| c.name == name) {
            return Err(format!("card '{name}' is declared twice"));
        }
        let mut wish = CardWish { name, product: None, pin_has: None };
        while let Some(word) = words.take() {
            match word {
                "product" => wish.product = Some(words.next("a product")?.to_owned()),
                "pin-has" => {
                    let digit: char = words.parsed("one digit")?;
                    wish.pin_has = Some(digit).filter(char::is_ascii_digit);
                    wish.pin_has.ok_or("expected one digit")?;
                }
                other => return Err(format!("unknown word '{other}'")),
            }
        }
        self.cards.push(wish);
        Ok(())
    }

    fn read_act(&self, terminal: usize, line: &str) -> Result<Act, String> {
        let (what, expected) = match line.split_once("->") {
            Some((what, expected)) => (what, Some(expected)),
            None => (line, None),
        };
        let mut words = Words(what.split_whitespace().skip(1).collect());
        let verb = self.read_verb(&mut words)?;
        let faults = read_faults(&mut words)?;
        let expected = match (expected, &verb) {
            (Some(expected), _) => read_expected(expected)?,
            // Switching sends nothing, so there is nothing to expect.
            (None, Verb::SwitchKeys | Verb::SwitchBack) => {
                Expected { answers: vec![ExpectedAnswer::NotSent], ..Expected::default() }
            }
            (None, _) => return Err("expected '-> CODE' at the end".to_owned()),
        };
        if expected.same_bytes && !(faults.duplicate || verb == Verb::Repeat) {
            return Err("same-bytes needs 'sent-twice' or 'repeat'".to_owned());
        }
        if expected.balanced && verb != Verb::Settle {
            return Err("balanced needs 'settle'".to_owned());
        }
        Ok(Act { terminal, verb, faults, expected })
    }

    fn read_verb(&self, words: &mut Words<'_>) -> Result<Verb, String> {
        Ok(match words.next("what the terminal does")? {
            "sign-in" => Verb::SignIn,
            "sign-out" => Verb::SignOut,
            "echo" => Verb::Echo,
            "settle" => Verb::Settle,
            "reverse" => Verb::Reverse,
            "repeat" => Verb::Repeat,
            "switch-keys" => Verb::SwitchKeys,
            "switch-back" => Verb::SwitchBack,
            "void" => Verb::Void,
            "complete" => Verb::Complete { amount: words.amount()? },
            "balance" => Verb::Balance { card: self.card(words)?, pin: words.pin()? },
            "sale" => {
                let (card, amount) = (self.card(words)?, words.amount()?);
                Verb::Sale { card, amount, pin: words.pin()? }
            }
            "pre-auth" => {
                let (card, amount) = (self.card(words)?, words.amount()?);
                Verb::PreAuth { card, amount, pin: words.pin()? }
            }
            "change-pin" => {
                let (card, pin) = (self.card(words)?, words.pin()?);
                match words.next("'new' and digits")? {
                    "new" => Verb::ChangePin { card, pin, new: words.digits("new")? },
                    other => return Err(format!("expected 'new' and digits instead of '{other}'")),
                }
            }
            "sign-on" => Verb::Operator(OperatorAct::SignOn(words.operator()?, words.password()?)),
            "sign-off" => Verb::Operator(OperatorAct::SignOff),
            "operator-password" => {
                let (operator, present) = (words.operator()?, words.password()?);
                Verb::Operator(OperatorAct::ChangePassword(operator, present, words.password()?))
            }
            "operator-reset" => Verb::Operator(OperatorAct::Reset(words.operator()?, words.password()?)),
            "refund" => Verb::Refund { card: self.card(words)?, amount: words.amount()? },
            other => return Err(format!("unknown word '{other}'")),
        })
    }

    fn card(&self, words: &mut Words<'_>) -> Result<usize, String> {
        let name = words.next("a card")?;
        let at = self.cards.iter().position(|c| c.name == name);
        at.ok_or_else(|| format!("card '{name}' is not declared"))
    }
}

fn read_faults(words: &mut Words<'_>) -> Result<Faults, String> {
    let mut faults = Faults::default();
    while let Some(word) = words.take() {
        match word {
            "lost-request" => faults.drop_request = true,
            "lost-reply" => faults.drop_reply = true,
            "sent-twice" => faults.duplicate = true,
            "delayed" => faults.delay = Some(words.duration()?),
            "bad-mac" => faults.corrupt_mac = true,
            "wrong-tpk" => faults.wrong_tpk = true,
            "wrong-tak" => faults.wrong_tak = true,
            "replayed-ksn" => faults.replayed_ksn = true,
            "truncated" => faults.truncated_frame = true,
            other => return Err(format!("unknown word '{other}'")),
        }
    }
    Ok(faults)
}

fn read_expected(text: &str) -> Result<Expected, String> {
    let mut expected = Expected::default();
    let mut words = Words(text.split_whitespace().collect());
    for answer in words.next("an answer after '->'")?.split('|') {
        expected.answers.push(match answer {
            "--" => ExpectedAnswer::Silence,
            "??" => ExpectedAnswer::Unusable,
            "!!" => ExpectedAnswer::NotSent,
            code => {
                ExpectedAnswer::Code(code.parse().map_err(|_| format!("'{code}' is not a response code"))?)
            }
        });
    }
    while let Some(word) = words.take() {
        match word.split_once('=') {
            Some(("reversed", code)) => {
                expected.reversed =
                    Some(code.parse().map_err(|_| format!("'{code}' is not a response code"))?);
            }
            None if word == "same-bytes" => expected.same_bytes = true,
            None if word == "balanced" => expected.balanced = true,
            _ => return Err(format!("unknown expectation '{word}'")),
        }
    }
    Ok(expected)
}

/// The words of a line, taken from the left.
struct Words<'a>(std::collections::VecDeque<&'a str>);

impl<'a> Words<'a> {
    fn take(&mut self) -> Option<&'a str> {
        self.0.pop_front()
    }

    fn next(&mut self, expected: &str) -> Result<&'a str, String> {
        self.take().ok_or_else(|| format!("expected {expected}"))
    }

    fn parsed<T: std::str::FromStr>(&mut self, expected: &str) -> Result<T, String> {
        self.next(expected)?.parse().map_err(|_| format!("expected {expected}"))
    }

    fn operator(&mut self) -> Result<OperatorId, String> {
        self.parsed("an operator's number such as 01")
    }

    fn password(&mut self) -> Result<String, String> {
        let digits = self.next("an operator's password")?;
        let fits = (4..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if fits {
            Ok(digits.to_owned())
        } else {
            Err(format!("'{digits}' is not a password of 4 to 12 digits"))
        }
    }

    fn end(&mut self) -> Result<(), String> {
        self.take().map_or(Ok(()), |word| Err(format!("unknown word '{word}'")))
    }

    fn amount(&mut self) -> Result<Amount, String> {
        let text = self.next("an amount such as 12.50")?;
        amount(text).ok_or_else(|| format!("'{text}' is not an amount such as 12.50"))
    }

    fn scheme(&mut self) -> Result<KeyScheme, String> {
        self.parsed("tdes, tdes-dukpt, aes-dukpt or sm4")
    }

    fn pin(&mut self) -> Result<PinChoice, String> {
        match self.next("'pin …' or 'no-pin'")? {
            "no-pin" => Ok(PinChoice::None),
            "pin" => self.digits("pin"),
            other => Err(format!("expected 'pin …' or 'no-pin' instead of '{other}'")),
        }
    }

    fn digits(&mut self, word: &str) -> Result<PinChoice, String> {
        match self.next("right, wrong or digits")? {
            "right" => Ok(PinChoice::Right),
            "wrong" => Ok(PinChoice::Wrong),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(PinChoice::Digits(digits.to_owned())),
            _ => Err(format!("expected right, wrong or digits after '{word}'")),
        }
    }

    fn duration(&mut self) -> Result<Duration, String> {
        let text = self.next("a time such as 500ms or 2s")?;
        let fault = || format!("'{text}' is not a time such as 500ms or 2s");
        let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
        let number: u64 = digits.parse().map_err(|_| fault())?;
        let duration = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            _ => return Err(fault()),
        };
        if duration > WAIT_MAX { Err(format!("at most {} s", WAIT_MAX.as_secs())) } else { Ok(duration) }
    }
}

/// The longest wait in a story: what takes longer belongs into a simulated clock, not into a run.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// Reads `12`, `12.5` or `12.50` yuan, at most ten digits before the point.
#[must_use]
pub fn amount(text: &str) -> Option<Amount> {
    let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(cents) || whole.len() > 10 || cents.len() > 2 {
        return None;
    }
    let minor: i64 = format!("{whole}{cents:0<2}").parse().ok()?;
    Some(Amount(minor))
}
