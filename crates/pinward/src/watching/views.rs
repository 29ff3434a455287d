//! What the diagnosis knows, in the console's words.

use std::collections::HashSet;

use diagnosis::Verdict;
use model::{Amount, CardId, Timestamp};
use watch::{Judgement, Rates, Record, Restored, Standing};
use web::insight::{
    Answer, AnswerKind, Belongs, Handling, IncidentView, Piece, ScopeView, Step, SuspicionView, VerdictView,
};

use super::{Known, names::Seen};

pub(super) fn verdict(
    verdict: &Verdict,
    evidence: &[watch::Piece],
    said: &[(Timestamp, Judgement)],
) -> VerdictView {
    let against = said.iter().filter(|(_, said)| !said.right);
    VerdictView {
        cause: verdict.cause,
        confidence: verdict.confidence,
        others: verdict.others.clone(),
        evidence: pieces(evidence),
        incident: verdict.incident,
        revised: verdict.revised,
        contradicted: against.map(|(at, said)| (*at, said.by.clone(), said.really)).collect(),
    }
}

pub(super) fn pieces(evidence: &[watch::Piece]) -> Vec<Piece> {
    let piece = |piece: &watch::Piece| Piece {
        name: piece.name.clone(),
        weight: piece.weight,
        values: piece.values.clone(),
    };
    evidence.iter().map(piece).collect()
}

/// Without the number of cards that wait for their tries: that is asked of the cards.
pub(super) fn view(record: &Record, known: &Known) -> IncidentView {
    let found = &record.found;
    let (scope, belongs) = scope(&found.scope, known);
    IncidentView {
        id: record.number,
        cause: found.cause,
        second: found.second,
        scope,
        onset: found.onset,
        detected: found.detected,
        last_seen: found.last_seen,
        ended: found.ended,
        confidence: found.confidence,
        status: match record.standing() {
            Standing::Over => diagnosis::Status::Over,
            _ => found.status,
        },
        handling: match record.handling.decided {
            Some(Standing::Closed) => Handling::Closed,
            Some(_) => Handling::Seen,
            None => Handling::New,
        },
        assignee: record.handling.assignee.clone(),
        cards: found.cards,
        refused: (found.refused, Amount(found.refused_sum)),
        to_restore: 0,
        belongs,
    }
}

/// What may be wrong.
pub(super) fn suspicion(suspected: &watch::Suspected, known: &Known) -> SuspicionView {
    let (scope, belongs) = scope(&suspected.scope, known);
    SuspicionView {
        scope,
        cause: suspected.cause,
        since: suspected.since,
        sessions: suspected.sessions,
        log_odds: suspected.log_odds,
        evidence: pieces(&suspected.evidence),
        incident: suspected.incident,
        belongs,
    }
}

/// A scope with the name that people know, and what it belongs to.
fn scope(scope: &watch::ScopeName, known: &Known) -> (ScopeView, Belongs) {
    let belongs = belongs(scope, known);
    let name = match scope.kind.as_str() {
        "merchant" if !belongs.merchant.is_empty() => belongs.merchant.clone(),
        _ => scope.id.clone(),
    };
    (ScopeView { kind: kind(&scope.kind), id: scope.id.clone(), name }, belongs)
}

/// The fixed names of kinds of scopes.
fn kind(name: &str) -> &'static str {
    const KINDS: [&str; 9] =
        ["terminal", "merchant", "card", "bin", "zone", "firmware", "network", "instance", "agent"];
    KINDS.into_iter().find(|kind| *kind == name).unwrap_or("terminal")
}

/// What the scope's terminals have in common.
fn belongs(scope: &watch::ScopeName, known: &Known) -> Belongs {
    let terminals = match scope.kind.as_str() {
        "terminal" => scope.id.parse().ok().and_then(|id| known.terminal(&id)).into_iter().collect(),
        "merchant" => known.find(|seen| seen.merchant == scope.id),
        "firmware" => known.find(|seen| seen.firmware == scope.id),
        _ => Vec::new(),
    };
    let common = |part: fn(&Seen) -> &String| {
        let first = terminals.first().map(part).cloned().unwrap_or_default();
        if terminals.iter().all(|seen| *part(seen) == first) { first } else { String::new() }
    };
    Belongs {
        merchant: common(|seen| &seen.merchant_name),
        model: common(|seen| &seen.model),
        firmware: common(|seen| &seen.firmware),
        region: common(|seen| &seen.region),
    }
}

/// Cards to which tries were given back.
pub(super) fn given_back(record: &Record) -> HashSet<CardId> {
    results(record).filter(|(_, result)| *result == Restored::Restored).map(|(card, _)| card).collect()
}

/// Cards of which it is written down what became of them.
pub(super) fn answered(record: &Record) -> usize {
    record.handling.requests.iter().map(|request| request.results.len()).sum()
}

fn results(record: &Record) -> impl Iterator<Item = (CardId, Restored)> + '_ {
    record.handling.requests.iter().flat_map(|request| request.results.iter()).map(|(card, r)| (*card, *r))
}

/// How many there are now that were not there before.
pub(super) fn more(before: Option<usize>, after: Option<usize>) -> u32 {
    let more = after.unwrap_or_default().saturating_sub(before.unwrap_or_default());
    u32::try_from(more).unwrap_or(u32::MAX)
}

/// What became of it, oldest first.
pub(super) fn history(record: &Record) -> Vec<Step> {
    let found = &record.found;
    let said = Some((found.cause, found.confidence));
    let by_us =
        |at, what: &str, cause| Step { at, what: what.to_owned(), by: None, cause, note: String::new() };
    let mut steps = vec![by_us(found.detected, "opened", said)];
    let end = match found.status {
        diagnosis::Status::Over => Some("ended"),
        diagnosis::Status::Retracted => Some("retracted"),
        diagnosis::Status::Absorbed => Some("absorbed"),
        diagnosis::Status::Provisional | diagnosis::Status::Open => None,
    };
    if let Some(what) = end {
        steps.push(by_us(found.until(), what, None));
    }
    steps.extend(record.handling.notes.iter().map(|note| {
        let what = match note.what.as_str() {
            "restore-tries" => "restored",
            what => what,
        };
        let (what, by, note_of) = (what.to_owned(), Some(note.by.clone()), note.text.clone());
        Step { at: note.at, what, by, cause: None, note: note_of }
    }));
    steps.sort_by_key(|step| step.at);
    steps
}

pub(super) fn answers(record: &Record, rates: &[Rates]) -> Vec<Answer> {
    let one = |(answer, rates): (&watch::Answer, &Rates)| Answer {
        kind: match answer.kind {
            watch::AnswerKind::Rule => AnswerKind::Rule,
            watch::AnswerKind::Firmware => AnswerKind::Firmware,
            watch::AnswerKind::Training => AnswerKind::Training,
            watch::AnswerKind::Other => AnswerKind::Other,
        },
        name: answer.reference.clone(),
        at: answer.at,
        by: answer.by.clone(),
        before: rates.before_per_week,
        after: rates.after_per_week,
        days: rates.days,
    };
    record.handling.answers.iter().zip(rates).map(one).collect()
}
