//! What rules that come after the decision said, kept beside the journal: the book has a stream for each minute in which
//! somebody paid and such a rule spoke. Whoever follows the journal appends; a payment that is there already is not entered
//! again, so several hosts, and a host that reads the same part of the journal again, say each thing once.

use std::collections::BTreeSet;

use authorization::RuleHits;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use store::{
    StoreError,
    book::{self, Book, BookError, Fact},
};

/// The kind of these facts.
const KIND: &str = "said";

/// What the rules said about one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidAfter {
    /// DE 37 of the payment.
    pub rrn: String,
    /// When it was decided.
    pub at: Timestamp,
    /// The rules.
    pub rules: RuleHits,
}

/// One fact: what was said at once.
#[derive(Serialize, Deserialize)]
struct Batch {
    v: u32,
    said: Vec<SaidAfter>,
}

/// The minute of a payment.
fn minute(at: Timestamp) -> i64 {
    at.0.div_euclid(60_000)
}

fn stream(minute: i64) -> String {
    format!("rules/after/{minute}")
}

/// Keeps what was said. What is kept already is left out.
///
/// # Errors
/// [`BookError`]; what came before the error is kept.
pub async fn keep(book: &dyn Book, mut said: Vec<SaidAfter>, now: Timestamp) -> Result<(), BookError> {
    said.sort_by_key(|one| one.at);
    for of_minute in said.chunk_by(|one, other| minute(one.at) == minute(other.at)) {
        let Some(first) = of_minute.first() else { continue };
        let known = |known: &mut BTreeSet<String>, fact: &Fact| -> Result<(), StoreError> {
            known.extend(fact.read::<Batch>()?.said.into_iter().map(|one| one.rrn));
            Ok(())
        };
        let decide = |known: &BTreeSet<String>| {
            let new = of_minute.iter().filter(|one| !known.contains(&one.rrn)).cloned().collect::<Vec<_>>();
            if new.is_empty() {
                return Ok(None);
            }
            Ok(Some((KIND.to_owned(), book::json(&Batch { v: 1, said: new })?)))
        };
        book::amend(book, &stream(minute(first.at)), now, known, decide).await?;
    }
    Ok(())
}

/// What was said about a payment of that moment, if anything was.
///
/// # Errors
/// [`StoreError`].
pub async fn find(book: &dyn Book, rrn: &str, at: Timestamp) -> Result<Option<RuleHits>, StoreError> {
    let take = |found: &mut Option<RuleHits>, fact: &Fact| -> Result<(), StoreError> {
        let said = fact.read::<Batch>()?.said.into_iter().find(|one| one.rrn == rrn);
        *found = found.take().or(said.map(|one| one.rules));
        Ok(())
    };
    Ok(book::fold(book, &stream(minute(at)), None, take).await?.0)
}

#[cfg(test)]
mod tests {
    use store::MemoryBook;

    use super::*;

    fn said(rrn: &str, at: i64, version: &str) -> SaidAfter {
        let rules = RuleHits {
            version: version.to_owned(),
            fired: Vec::new(),
            shadow: vec!["often".to_owned()],
            errors: Vec::new(),
            faults: None,
            snoozed: None,
            beside: None,
        };
        SaidAfter { rrn: rrn.to_owned(), at: Timestamp(at), rules }
    }

    #[tokio::test]
    async fn each_payment_is_kept_once_and_found_by_its_moment() {
        let book = MemoryBook::default();
        let first = vec![said("2", 61_000, "v1"), said("1", 59_999, "v1")];
        keep(&book, first.clone(), Timestamp(70_000)).await.unwrap();
        // the same part of the journal again, by another host or after a start
        keep(&book, vec![said("1", 59_999, "v2"), said("3", 60_000, "v2")], Timestamp(80_000)).await.unwrap();
        keep(&book, first, Timestamp(90_000)).await.unwrap();
        for (rrn, at, version) in [("1", 59_999, "v1"), ("2", 61_000, "v1"), ("3", 60_000, "v2")] {
            let found = find(&book, rrn, Timestamp(at)).await.unwrap();
            assert_eq!(found.map(|rules| rules.version).as_deref(), Some(version), "{rrn}");
        }
        assert_eq!(find(&book, "4", Timestamp(61_000)).await.unwrap(), None);
        assert_eq!(book.read_all(0, 100).await.unwrap().len(), 3, "what is kept is not entered again");
    }
}
