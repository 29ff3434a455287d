//! A day told side by side: each truth with what was said about it, then what was said without a reason. For people who tune.

use diagnosis::Scope;
use host::observe::Names;

use super::{
    matching::Matched,
    watch::{Heard, Said},
};
use crate::{day::START_MS, play::Labels};

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
