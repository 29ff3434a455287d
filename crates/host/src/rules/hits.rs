//! What rules said, as the journal keeps it: short enough for every entry, and long enough to explain the answer for ever.

use authorization::{BesideHits, RuleHit, RuleHits, RuleTerm};
use risk::{Beside, Fired, Term, Verdict};

/// Rules that fired, and those that would have: more are left out of an entry.
const HITS_MAX: usize = 12;
/// An id in an entry has at most so many bytes.
const ID_MAX: usize = 48;
/// Terms of one rule, and characters of one.
const TERMS_MAX: usize = 12;
const TERM_MAX: usize = 160;
/// The first characters of a version tell it from all others.
const VERSION_MAX: usize = 16;

/// At most two kilobytes ([`RuleHits::fit`]).
pub(super) fn of(version: &str, said: &Verdict) -> RuleHits {
    let decided = said.decided_by().map(|fired| &fired.rule);
    let mut fired: Vec<_> = said.fired.iter().collect();
    fired.sort_by_key(|hit| Some(&hit.rule) != decided);
    let errors = || said.errors.iter().take(HITS_MAX);
    let faults: Vec<String> = errors().map(|failed| failed.what.clone()).collect();
    let snoozed = ids(said.snoozed.iter().map(|hit| &hit.rule));
    let beside: Vec<BesideHits> = said.beside.iter().map(self::beside).collect();
    RuleHits {
        version: version.to_owned(),
        fired: fired.into_iter().take(HITS_MAX).map(hit).collect(),
        shadow: ids(said.shadow.iter().map(|hit| &hit.rule)),
        errors: ids(errors().map(|failed| &failed.rule)),
        faults: (!faults.is_empty()).then_some(faults),
        snoozed: (!snoozed.is_empty()).then_some(snoozed),
        beside: (!beside.is_empty()).then_some(beside),
    }
    .fit()
}

/// One rule that fired, with its terms.
pub(super) fn hit(fired: &Fired) -> RuleHit {
    RuleHit {
        rule: cut(&fired.rule, ID_MAX),
        action: fired.action.name().to_owned(),
        score: fired.score,
        reason: fired.action.declines().map(|reason| reason.name().to_owned()),
        terms: Some(fired.terms.iter().take(TERMS_MAX).map(term).collect()),
    }
}

fn term(term: &Term) -> RuleTerm {
    let values = term.values.iter().map(|(name, value)| cut(&format!("{name} = {value}"), TERM_MAX));
    RuleTerm { text: cut(&term.text, TERM_MAX), values: values.collect(), held: term.held }
}

fn beside(beside: &Beside) -> BesideHits {
    BesideHits {
        version: cut(&beside.version, VERSION_MAX),
        action: beside.action.map(|action| action.name().to_owned()),
        declines: beside.action.is_some_and(|action| action.declines().is_some()),
        rules: ids(beside.fired.iter()),
        errors: ids(beside.errors.iter().map(|failed| &failed.rule)),
    }
}

fn ids<'a>(rules: impl Iterator<Item = &'a String>) -> Vec<String> {
    rules.take(HITS_MAX).map(|rule| cut(rule, ID_MAX)).collect()
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use risk::{Action, DeclineReason, Failed};

    use super::*;

    /// The worst that a set of rules can say.
    #[test]
    fn what_rules_say_fits_into_an_entry_and_what_decided_stays() {
        let long = "a".repeat(60);
        let value = |n: usize| (format!("name-{n}"), "v".repeat(64));
        let term = |n: usize| Term { text: "t".repeat(400), values: vec![value(n); 4], held: Some(true) };
        let fired = |action: Action| Fired {
            rule: format!("{}-{long}", action.name()),
            action,
            score: 100,
            terms: (0..30).map(term).collect(),
        };
        let decline = Action::Decline(DeclineReason::SuspectedFraud);
        let failed = || Failed { rule: long.clone(), fault: "missing", what: "w".repeat(80) };
        let beside = || Beside {
            version: "f".repeat(64),
            action: None,
            fired: vec![long.clone(); 40],
            errors: vec![],
        };
        let said = Verdict {
            action: Some(decline),
            fired: vec![fired(Action::Review); 20].into_iter().chain([fired(decline)]).collect(),
            shadow: vec![fired(decline); 40],
            snoozed: vec![fired(decline); 40],
            errors: (0..40).map(|_| failed()).collect(),
            beside: vec![beside(), beside(), beside()],
        };
        let hits = of(&"0".repeat(64), &said);
        assert!(minicbor::len(&hits) <= authorization::rules::HITS_BYTES_MAX);
        assert_eq!(
            (hits.fired[0].action.as_str(), hits.fired[0].reason.as_deref()),
            ("decline", Some("suspected-fraud"))
        );
        assert!(hits.fired[0].terms.as_ref().is_some_and(|terms| !terms.is_empty()));
        let read: RuleHits = minicbor::decode(&minicbor::to_vec(&hits).unwrap()).unwrap();
        assert_eq!(read, hits);
    }
}
