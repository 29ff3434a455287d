//! A day told side by side: each truth with what was said about it, then what was said without a reason. For people who tune.

use diagnosis::Scope;
use host::observe::Names;

use super::{
    matching::Matched,
    watch::{Heard, Said},
    watched::{About, Answer, Guess, Question},
};
use crate::{
    data::baseline,
    day::START_MS,
    play::{Labels, Locked},
};

pub(super) fn notes(heard: &Heard, labels: &Labels, names: &Names, matched: &Matched) -> Vec<String> {
    let seed = labels.day.seed;
    let mut lines = Vec::new();
    for (truth, alarms) in labels.truths().iter().zip(&matched.of_truth) {
        lines.push(format!(
            "day {seed}: {}/{} of strength {:.2} at {:?} from {} to {}, {} sessions",
            truth.cause,
            truth.variant,
            truth.strength,
            truth.exact,
            clock(truth.from),
            clock(truth.until),
            labels.of_truth[usize::from(truth.id)].len()
        ));
        lines.extend(alarms.iter().map(|id| format!("    said {}", told(&heard.incidents[id], names))));
    }
    let without = matched.without.iter();
    lines.extend(without.map(|id| format!("day {seed}: FALSE {}", told(&heard.incidents[id], names))));
    lines
}

/// A card that a fault locked, and nobody would give its tries back.
pub(super) fn unlisted(lock: &Locked, heard: &Heard, labels: &Labels, alarms: &[u64]) -> String {
    let fault = lock.fault.map(|fault| &labels.truths()[usize::from(fault)]);
    let fault = fault.map_or_else(String::new, |truth| {
        format!("{}/{} from {} to {}", truth.cause, truth.variant, clock(truth.from), clock(truth.until))
    });
    let told = |id: &u64| {
        let said = &heard.incidents[id];
        let ended = said.ended.map_or_else(|| "on".to_owned(), |ended| clock(ended.0));
        format!(
            "{} since {} until {ended}, {} cards",
            said.last().cause,
            clock(said.onset.0),
            said.harmed.len()
        )
    };
    let told: Vec<String> = alarms.iter().map(told).collect();
    format!(
        "day {}: LOCKED {} by {fault}, first at {}; said {told:?}",
        labels.day.seed,
        lock.card,
        clock(lock.at)
    )
}

/// A window that was taken for something else.
pub(super) fn suspected(question: &Question, answer: &Answer) -> String {
    let guess = |guess: &Option<Guess>| {
        guess.as_ref().map_or_else(
            || "nothing".to_owned(),
            |guess| format!("{} {:.1} {:?}", guess.cause, guess.log_odds, guess.others),
        )
    };
    let place = match question.about {
        About::Terminal(id) => id.as_str().to_owned(),
        About::Version(version) => format!("{version:?}"),
    };
    format!(
        "window {} N={} at {place}: {}, then {}",
        question.row,
        baseline().sessions[question.column],
        guess(&answer.provisional),
        guess(&answer.revised)
    )
}

fn told(said: &Said, names: &Names) -> String {
    let (first, last) = (said.history.first().map_or(0, |version| version.at.0), said.last());
    let ended = said.ended.map_or_else(|| "on".to_owned(), |ended| clock(ended.0));
    format!(
        "{} at {} since {}, told at {}, until {ended}, {:?} {:.2}",
        last.cause,
        place(&last.scope, names),
        clock(said.onset.0),
        clock(first),
        last.status,
        last.confidence
    )
}

fn place(scope: &Scope, names: &Names) -> String {
    let name = |symbol| names.name(symbol).unwrap_or("?").to_owned();
    let id = match scope {
        Scope::Instance(symbol)
        | Scope::Zone(symbol)
        | Scope::Network(symbol)
        | Scope::Firmware(symbol)
        | Scope::Agent(symbol) => name(*symbol),
        Scope::Bin(bin) => bin.to_string(),
        Scope::Merchant(id) => id.as_str().to_owned(),
        Scope::Terminal(id) => id.as_str().to_owned(),
        Scope::Card(id) => id.to_string(),
    };
    format!("{} {id}", scope.kind())
}

/// Hours and minutes since the day began.
fn clock(at: i64) -> String {
    let minutes = (at - START_MS) / 60_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
