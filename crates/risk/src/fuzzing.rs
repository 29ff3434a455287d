//! What must hold for every text: called by the fuzz targets and by the ordinary tests that replay their corpus. A
//! violation panics.

use crate::{Condition, RuleSet};

/// Any bytes as a condition: it is refused at a place within the text, or its one form means the same condition.
pub fn condition(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Condition::parse(&text) {
        Err(refused) => {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&refused.line) && refused.column >= 1, "{refused}");
            assert!(!refused.what.zh().is_empty());
        }
        Ok(condition) => {
            let written = condition.canonical();
            // brackets are written out: a condition near a limit may exceed it in its one form
            if let Ok(again) = Condition::parse(&written) {
                assert_eq!(again.canonical(), written);
            }
        }
    }
}

/// Any bytes as a file of rules.
pub fn rule_set(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match RuleSet::parse(&text) {
        Err(problems) => {
            assert!(problems.iter().all(|problem| problem.line >= 1 && !problem.what.zh().is_empty()))
        }
        Ok(set) => assert_eq!(set.digest().len(), 64),
    }
}
