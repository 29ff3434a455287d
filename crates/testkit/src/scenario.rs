//! Scenario files (`scenarios/*.scn`): the simulator's story language, and what must be true of the card afterwards.
//!
//! ```text
//! # A lost packet is not a wrong PIN.
//! terminal T1
//! card C1 product debit-standard
//!
//! T1: sign-in                              -> 00
//! T1: sale C1 25.00 pin wrong              -> 55  tries_left=2
//! T1: sale C1 25.00 pin right lost-reply   -> --  tries_left=3
//! clock +24h
//! module down
//! ```
//!
//! `clock +24h` moves the bank's clock, `module down` and `module up` take the security module away and bring it back.
//! In `scenarios/rules`, which are played by the whole host only, `rules NAME.toml` puts a rule set of that folder to work
//! (`rules starter`: the one that comes with the product), `list LIST T1 +1h` enters a terminal or card in a list, and
//! `snooze RULE C1 +1h` has a rule leave one in peace; `suspended T1` waits until a rule has done that.
//! Expectations: `tries_left=N`, `card=locked|open`, `pin_checked=yes|no`, `posted=12.00`, `held=0.00`.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use simulator::story::{Act, Action, ExpectedAnswer, Story};

use crate::Happened;

/// A parsed scenario.
pub struct Scenario {
    /// The story inside.
    pub story: Story,
    directives: BTreeMap<usize, Directive>,
    states: BTreeMap<usize, StateExpected>,
}

/// What happens around the terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    /// The bank's clock moves by so many milliseconds.
    Clock(i64),
    /// The security module is reachable, or not.
    Module(bool),
    /// Risk rules.
    Rules(RulesDirective),
}

/// What people do about risk rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesDirective {
    /// They publish a set: a file's name, or `starter`.
    Publish(String),
    /// They enter somebody in a list, for so many milliseconds.
    List(String, Who, i64),
    /// A rule suspends a terminal beside its answer: it is so within a moment.
    Suspended(Who),
    /// They have a rule leave somebody in peace for so many milliseconds.
    Snooze(String, Who, i64),
}

/// A terminal or a card of the scenario, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// `T1`.
    Terminal(usize),
    /// `C1`.
    Card(usize),
}

/// What must be true of the card after a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateExpected {
    tries_left: Option<u8>,
    locked: Option<bool>,
    pin_checked: Option<bool>,
    posted: Option<i64>,
    held: Option<i64>,
}

/// One thing that happens, in order.
#[derive(Debug, Clone)]
pub enum Step<'a> {
    /// A terminal acts.
    Act {
        /// Line in the file.
        line: usize,
        /// Its text.
        text: &'a str,
        /// What.
        act: &'a Act,
    },
    /// Something around it changes.
    Directive(Directive),
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// With the line.
    pub fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let (mut directives, mut states) = (BTreeMap::new(), BTreeMap::new());
        let mut story = String::new();
        for (index, raw) in text.lines().enumerate() {
            let number = index + 1;
            let line = raw.split('#').next().unwrap_or_default().trim_end();
            let kept = match directive(line).with_context(|| format!("{name}, line {number}"))? {
                Some(directive) => {
                    directives.insert(number, directive);
                    String::new()
                }
                None => {
                    let (kept, state) = state(line).with_context(|| format!("{name}, line {number}"))?;
                    if state != StateExpected::default() {
                        states.insert(number, state);
                    }
                    kept
                }
            };
            story.push_str(&kept);
            story.push('\n');
        }
        let story = Story::parse(name, &story)?;
        Ok(Self { story, directives, states })
    }

    /// Everything that happens, in the order of the file.
    #[must_use]
    pub fn steps(&self) -> Vec<Step<'_>> {
        let mut steps: BTreeMap<usize, Step<'_>> = self
            .directives
            .iter()
            .map(|(line, directive)| (*line, Step::Directive(directive.clone())))
            .collect();
        for line in &self.story.lines {
            if let Action::Act(act) = &line.action {
                steps.insert(line.number, Step::Act { line: line.number, text: &line.text, act });
            }
        }
        steps.into_values().collect()
    }

    /// Compares what happened in a line with what must.
    ///
    /// # Errors
    /// Says what differs.
    pub fn check(&self, line: usize, act: &Act, happened: &Happened) -> anyhow::Result<()> {
        let expected = &act.expected;
        if !expected.answers.is_empty() && !expected.answers.iter().any(|a| spelled(*a) == happened.answer) {
            let wanted: Vec<String> = expected.answers.iter().map(|a| spelled(*a)).collect();
            bail!("expected {}, got {}", wanted.join("|"), happened.answer);
        }
        if let Some(code) = expected.reversed
            && happened.reversed.as_deref() != Some(code.as_str())
        {
            bail!("expected reversed={code}, got {:?}", happened.reversed);
        }
        if expected.same_bytes && happened.same_bytes != Some(true) {
            bail!("expected the same bytes twice");
        }
        if expected.balanced && happened.balanced != Some(true) {
            bail!("expected balanced totals");
        }
        self.states.get(&line).map_or(Ok(()), |state| state.check(happened))
    }
}

impl StateExpected {
    fn check(&self, happened: &Happened) -> anyhow::Result<()> {
        if let Some(checked) = self.pin_checked
            && checked != happened.pin_checked
        {
            bail!("expected pin_checked={checked}, got {}", happened.pin_checked);
        }
        let wants_card = self.tries_left.is_some()
            || self.locked.is_some()
            || self.posted.is_some()
            || self.held.is_some();
        let Some(card) = &happened.card else {
            return if wants_card { Err(anyhow::anyhow!("no card in this line")) } else { Ok(()) };
        };
        let differs = |what: &str, want: &dyn std::fmt::Debug, got: &dyn std::fmt::Debug| {
            anyhow::anyhow!("expected {what}={want:?}, got {got:?}")
        };
        match self {
            Self { tries_left: Some(want), .. } if *want != card.tries_left => {
                Err(differs("tries_left", want, &card.tries_left))
            }
            Self { locked: Some(want), .. } if *want != card.locked => {
                Err(differs("locked", want, &card.locked))
            }
            Self { posted: Some(want), .. } if *want != card.posted => {
                Err(differs("posted", want, &card.posted))
            }
            Self { held: Some(want), .. } if *want != card.held => Err(differs("held", want, &card.held)),
            _ => Ok(()),
        }
    }
}

fn directive(line: &str) -> anyhow::Result<Option<Directive>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["clock", by] => Some(Directive::Clock(duration(by)?)),
        ["module", "down"] => Some(Directive::Module(false)),
        ["module", "up"] => Some(Directive::Module(true)),
        ["clock" | "module", ..] => bail!("expected clock +24h, module down or module up"),
        ["rules", set] => Some(Directive::Rules(RulesDirective::Publish((*set).to_owned()))),
        ["list", list, member, time] => {
            Some(Directive::Rules(RulesDirective::List((*list).to_owned(), who(member)?, duration(time)?)))
        }
        ["snooze", rule, member, time] => {
            Some(Directive::Rules(RulesDirective::Snooze((*rule).to_owned(), who(member)?, duration(time)?)))
        }
        ["suspended", terminal] => Some(Directive::Rules(RulesDirective::Suspended(who(terminal)?))),
        ["rules" | "list" | "snooze" | "suspended", ..] => {
            bail!("expected rules NAME.toml, list LIST T1 +1h, snooze RULE C1 +1h or suspended T1")
        }
        _ => None,
    })
}

fn who(name: &str) -> anyhow::Result<Who> {
    let number = |digits: &str| digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match (name.strip_prefix('T').and_then(number), name.strip_prefix('C').and_then(number)) {
        (Some(terminal), _) => Ok(Who::Terminal(terminal)),
        (_, Some(card)) => Ok(Who::Card(card)),
        _ => bail!("{name:?}: expected a terminal or a card, such as T1 or C1"),
    }
}

/// `+24h`, `-1d`, `+5m`, `+30s`.
fn duration(text: &str) -> anyhow::Result<i64> {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: i64 = number.parse().with_context(|| format!("{text:?} is no duration such as +24h"))?;
    let ms = match unit {
        "d" => 86_400_000,
        "h" => 3_600_000,
        "m" => 60_000,
        "s" => 1000,
        _ => bail!("{text:?}: expected d, h, m or s"),
    };
    Ok(number * ms)
}

/// Takes the words about the card's state out of a line.
fn state(line: &str) -> anyhow::Result<(String, StateExpected)> {
    let Some((act, expected)) = line.split_once("->") else {
        return Ok((line.to_owned(), StateExpected::default()));
    };
    let mut state = StateExpected::default();
    let mut kept = Vec::new();
    for word in expected.split_whitespace() {
        let amount = |text: &str| {
            let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
            simulator::story::amount(digits).map(|a| sign * a.0).context("expected an amount such as 12.00")
        };
        match word.split_once('=') {
            Some(("tries_left", n)) => state.tries_left = Some(n.parse()?),
            Some(("card", "locked")) => state.locked = Some(true),
            Some(("card", "open")) => state.locked = Some(false),
            Some(("pin_checked", "yes")) => state.pin_checked = Some(true),
            Some(("pin_checked", "no")) => state.pin_checked = Some(false),
            Some(("posted", text)) => state.posted = Some(amount(text)?),
            Some(("held", text)) => state.held = Some(amount(text)?),
            _ => kept.push(word),
        }
    }
    Ok((format!("{act}-> {}", kept.join(" ")), state))
}

fn spelled(answer: ExpectedAnswer) -> String {
    match answer {
        ExpectedAnswer::Code(code) => code.to_string(),
        ExpectedAnswer::Silence => "--".to_owned(),
        ExpectedAnswer::Unusable => "??".to_owned(),
        ExpectedAnswer::NotSent => "!!".to_owned(),
    }
}
