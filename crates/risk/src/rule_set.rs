//! A set of rules as one file: checked whole, then never changed. Its version is the digest of its text.

mod problem;

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::{
    breaker::BreakerPolicy,
    counter::Names,
    expression::{self, did_you_mean, parts::Part, tree::Test},
    field::Field,
    rule::{Action, DeclineReason, Mode, Name, Phase, Rule},
    saying::{Saying, say},
};

pub use self::problem::Problem;
use self::problem::{place_of, within};

/// Rules of one set.
pub const RULES_MAX: usize = 1000;
/// Bytes of one file.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// Rules that were checked.
#[derive(Debug, Clone)]
pub struct RuleSet {
    name: String,
    digest: String,
    pub(crate) breaker: BreakerPolicy,
    pub(crate) rules: Vec<Checked>,
    pub(crate) names: Names,
    lists: BTreeMap<String, Name>,
}

/// A rule with its condition.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) rule: Rule,
    pub(crate) test: Test,
}

impl RuleSet {
    /// Checks a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        if text.len() > FILE_BYTES_MAX {
            return Err(vec![Problem::at(None, (1, 1), say("file-too-large"))]);
        }
        let file: File = toml::from_str(text).map_err(|error| vec![problem::unreadable(text, &error)])?;
        Checking { text, problems: Vec::new(), names: Names::default(), ids: BTreeSet::new() }.all(file)
    }

    /// A set without rules: what is at work where only others run in shadow.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            name: String::new(),
            digest: digest_of(""),
            breaker: BreakerPolicy::default(),
            rules: Vec::new(),
            names: Names::default(),
            lists: BTreeMap::new(),
        }
    }

    /// The name that its file gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the file's text: the version.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The rules, in the order of the file.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|checked| &checked.rule)
    }

    /// The counters that the rules ask for, each once, as they are written.
    pub fn counters(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.counters.iter().map(|spec| spec.text.as_str())
    }

    /// Does a rule or a counter of the set look at this field? What no rule looks at need not be found out.
    #[must_use]
    pub fn looks_at(&self, field: Field) -> bool {
        let mut found = false;
        let mut tell = |part| found |= part == Part::Field(field);
        self.rules.iter().for_each(|checked| checked.test.parts(&mut tell));
        for counter in &self.names.counters {
            counter.parts(&mut tell);
        }
        found
    }

    /// The lists that the file declares.
    #[must_use]
    pub fn lists(&self) -> &BTreeMap<String, Name> {
        &self.lists
    }
}

/// The digest that a set with this text has.
pub(crate) fn digest_of(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    breaker: Option<Spanned<BreakerTable>>,
    #[serde(default)]
    lists: BTreeMap<String, Spanned<Name>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerTable {
    share_percent: u32,
    window: String,
    events_min: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    id: Spanned<String>,
    name: Name,
    group: String,
    phase: Phase,
    when: Spanned<String>,
    action: Spanned<String>,
    #[serde(default)]
    reason: Option<Spanned<String>>,
    mode: Mode,
    owner: String,
    #[serde(default)]
    from: Option<Spanned<String>>,
    #[serde(default)]
    until: Option<Spanned<String>>,
    score: Spanned<u8>,
}

struct Checking<'t> {
    text: &'t str,
    problems: Vec<Problem>,
    names: Names,
    ids: BTreeSet<String>,
}

impl Checking<'_> {
    fn all(mut self, file: File) -> Result<RuleSet, Vec<Problem>> {
        let breaker = self.breaker(file.breaker);
        if file.rule.len() > RULES_MAX {
            self.problems.push(Problem::at(None, (1, 1), say("too-many-rules").with("max", RULES_MAX)));
        }
        let mut rules = Vec::with_capacity(file.rule.len());
        for table in file.rule {
            let before = self.names.lists.len();
            let at = place_of(self.text, table.get_ref().when.span().start);
            if let Some(checked) = self.rule(table) {
                self.lists_are_declared(&file.lists, before, &checked.rule.id, at);
                rules.push(checked);
            }
        }
        if !self.problems.is_empty() {
            self.problems.sort_by_key(|problem| (problem.line, problem.column));
            return Err(self.problems);
        }
        Ok(RuleSet {
            name: file.name,
            digest: digest_of(self.text),
            breaker,
            rules,
            names: self.names,
            lists: file.lists.into_iter().map(|(list, name)| (list, name.into_inner())).collect(),
        })
    }

    fn breaker(&mut self, table: Option<Spanned<BreakerTable>>) -> BreakerPolicy {
        let Some(table) = table else { return BreakerPolicy::default() };
        let at = place_of(self.text, table.span().start);
        let table = table.into_inner();
        let window = expression::window_ms(&table.window);
        if window.is_none() || !(1..=100).contains(&table.share_percent) {
            self.problems.push(Problem::at(None, at, say("breaker")));
        }
        BreakerPolicy {
            share_percent: table.share_percent,
            window_ms: window.unwrap_or(BreakerPolicy::default().window_ms),
            events_min: table.events_min,
        }
    }

    fn rule(&mut self, table: Spanned<RuleTable>) -> Option<Checked> {
        let begin = table.span().start;
        let table = table.into_inner();
        let before = self.problems.len();
        let id = self.id(&table.id);
        let action = self.action(&table, &id);
        let (from, until) = (self.moment(table.from.as_ref(), &id), self.moment(table.until.as_ref(), &id));
        if from.zip(until).is_some_and(|(from, until)| until <= from) {
            self.refuse(&id, begin, say("ends-before"));
        }
        if *table.score.get_ref() > 100 {
            self.refuse(&id, table.score.span().start, say("score"));
        }
        if table.owner.trim().is_empty() || table.name.zh.trim().is_empty() || table.name.en.trim().is_empty()
        {
            self.refuse(&id, begin, say("names-and-owner"));
        }
        let test = self.condition(&table.when, &id);
        if self.problems.len() > before {
            return None;
        }
        let rule = Rule {
            id,
            name: table.name,
            group: table.group,
            phase: table.phase,
            when: table.when.into_inner(),
            action: action?,
            mode: table.mode,
            owner: table.owner,
            from,
            until,
            score: table.score.into_inner(),
        };
        Some(Checked { rule, test: test? })
    }

    fn refuse(&mut self, id: &str, begin: usize, what: Saying) {
        let at = place_of(self.text, begin);
        self.problems.push(Problem::at(Some(id), at, what));
    }

    fn id(&mut self, id: &Spanned<String>) -> String {
        let begin = id.span().start;
        let id = id.get_ref().clone();
        if !expression::is_list_name(&id) {
            self.refuse(&id, begin, say("id"));
        }
        if !self.ids.insert(id.clone()) {
            self.refuse(&id, begin, say("id-twice"));
        }
        id
    }

    fn action(&mut self, table: &RuleTable, id: &str) -> Option<Action> {
        const ACTIONS: &[&str] =
            &["alert", "review", "approve", "step-up", "decline", "block-card", "block-terminal"];
        let begin = table.action.span().start;
        let reason = self.reason(table.reason.as_ref(), id);
        let action = match (table.action.get_ref().as_str(), reason) {
            ("alert", None) => Action::Alert,
            ("review", None) => Action::Review,
            ("approve", None) => Action::Approve,
            ("step-up", None) => Action::StepUp,
            ("decline", Some(reason)) => Action::Decline(reason),
            ("block-card", Some(reason)) => Action::BlockCard(reason),
            ("block-terminal", Some(reason)) => Action::BlockTerminal(reason),
            ("decline" | "block-card" | "block-terminal", None) => {
                if table.reason.is_none() {
                    self.refuse(id, begin, say("no-reason"));
                    let reason = format!("reason = {:?}", DeclineReason::SuspectedFraud.name());
                    self.suggest(say("this").with("this", reason));
                }
                return None;
            }
            ("alert" | "review" | "approve" | "step-up", Some(_)) => {
                self.refuse(id, begin, say("reason-without-decline"));
                return None;
            }
            (other, _) => {
                self.refuse(id, begin, say("unknown-action").with("name", other));
                if let Some(suggestion) = did_you_mean(other, ACTIONS) {
                    self.suggest(suggestion);
                }
                return None;
            }
        };
        if table.phase == Phase::After && action.changes_the_answer() {
            self.refuse(id, begin, say("after-only-tells"));
        }
        Some(action)
    }

    fn reason(&mut self, reason: Option<&Spanned<String>>, id: &str) -> Option<DeclineReason> {
        let written = reason?;
        let known: Vec<&str> = DeclineReason::ALL.iter().map(|r| r.name()).collect();
        let found = DeclineReason::ALL.into_iter().find(|r| r.name() == written.get_ref());
        if found.is_none() {
            self.refuse(id, written.span().start, say("unknown-reason").with("name", written.get_ref()));
            if let Some(suggestion) = did_you_mean(written.get_ref(), &known) {
                self.suggest(suggestion);
            }
        }
        found
    }

    fn suggest(&mut self, suggestion: Saying) {
        if let Some(last) = self.problems.last_mut() {
            last.suggestion = Some(suggestion);
        }
    }

    fn moment(&mut self, written: Option<&Spanned<String>>, id: &str) -> Option<Timestamp> {
        let written = written?;
        let moment = expression::moment_ms(written.get_ref()).map(Timestamp);
        if moment.is_none() {
            self.refuse(id, written.span().start, say("no-moment"));
            self.suggest(say("write").with("this", "\"2026-11-22T00:00:00+08:00\""));
        }
        moment
    }

    fn condition(&mut self, when: &Spanned<String>, id: &str) -> Option<Test> {
        match expression::compile(when.get_ref(), &mut self.names) {
            Ok(test) => Some(test),
            Err(refused) => {
                let (line, column) = within(self.text, when, (refused.line, refused.column));
                self.problems.push(Problem {
                    rule: Some(id.to_owned()),
                    line,
                    column,
                    what: refused.what,
                    suggestion: refused.suggestion,
                });
                None
            }
        }
    }

    fn lists_are_declared(
        &mut self,
        declared: &BTreeMap<String, Spanned<Name>>,
        before: usize,
        rule: &str,
        at: (usize, usize),
    ) {
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        for list in self.names.lists.iter().skip(before) {
            if !declared.contains_key(list) {
                let mut problem = Problem::at(Some(rule), at, say("undeclared-list").with("name", list));
                let declare = || say("declare-list").with("name", list);
                problem.suggestion = did_you_mean(list, &known).filter(|_| !known.is_empty());
                problem.suggestion.get_or_insert_with(declare);
                self.problems.push(problem);
            }
        }
    }
}
