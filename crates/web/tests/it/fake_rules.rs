//! A rules' desk over a book in memory, and an engine that tells made-up figures.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use authorization::{RuleHit, RuleTerm};
use model::Timestamp;
use risk::{
    Action, Change, RuleSet,
    backtest::{Difference, Example, Label, Labelled, Report, RuleReport, SetReport},
};
use store::{Book, MemoryBook, StoreError};
use web::rules::{BesideWork, RuleDesk, RuleHits, RuleWork};

use crate::fake::HERO_RRN;

struct Work;

fn report(set: &RuleSet) -> SetReport {
    let example = Example {
        reference: HERO_RRN.to_owned(),
        at: Timestamp(0),
        amount: Some(128_000),
        approved: false,
        label: Some(Label::Bad),
        terms: Vec::new(),
    };
    let rule = |action: Action| RuleReport {
        action: Some(action),
        hits: 31,
        declined: 12,
        labelled: Labelled { bad: 11, good: 1 },
        examples: vec![example.clone()],
        ..RuleReport::default()
    };
    SetReport {
        name: set.name().to_owned(),
        version: set.digest().to_owned(),
        events: 912,
        hits: 31,
        declined: 12,
        approved_lost: 1,
        volume_lost: BTreeMap::from([(156, 128_000)]),
        labelled: Labelled { bad: 11, good: 1 },
        seen: Labelled { bad: 14, good: 700 },
        rules: set.rules().map(|r| (r.id.clone(), rule(r.action))).collect(),
    }
}

#[async_trait]
impl RuleWork for Work {
    async fn hits(&self) -> Option<Vec<RuleHits>> {
        let set = RuleSet::parse(risk::STARTER).expect("ours");
        let hits = set.rules().enumerate().map(|(n, rule)| RuleHits {
            rule: rule.id.clone(),
            live: n as u64 * 3,
            shadow: n as u64,
            errors: u64::from(n == 1),
            last_error: (n == 1).then(|| "country is not known".to_owned()),
            ..RuleHits::default()
        });
        Some(hits.collect())
    }

    async fn beside(&self) -> Option<Vec<BesideWork>> {
        Some(vec![])
    }

    async fn backtest(
        &self,
        candidate: RuleSet,
        baseline: Option<RuleSet>,
        _: (Timestamp, Timestamp),
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Report, StoreError> {
        progress(912, 912);
        Ok(Report {
            candidate: report(&candidate),
            baseline: baseline.as_ref().map(report),
            difference: baseline.map(|_| Difference { both: 12, ..Difference::default() }),
        })
    }
}

/// The version of the starter set, which is in shadow.
pub(crate) fn digest() -> String {
    RuleSet::parse(risk::STARTER).expect("ours").digest().to_owned()
}

/// A desk at which the starter set was put down and is in shadow.
pub(crate) fn desk() -> Arc<RuleDesk> {
    let book = MemoryBook::default();
    let (at, by) = (Timestamp(1_795_000_000_000), "Wang".to_owned());
    let drafted = Change::Drafted { digest: digest(), text: risk::STARTER.to_owned(), by: by.clone(), at };
    let shadowed = Change::Shadowed { digest: digest(), by, at };
    for (seq, change) in [drafted, shadowed].iter().enumerate() {
        let body = store::book::json(change).expect("plain data");
        let mut append = pin!(book.append(web::rules::STREAM, seq as u32, at, web::rules::KIND, body));
        // A book in memory waits for nothing.
        let done = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(done, Poll::Ready(Ok(_))));
    }
    Arc::new(RuleDesk::new(Arc::new(book), Arc::new(Work)))
}

/// What rules said about the hero's payment.
pub(crate) fn hero_rules() -> Box<authorization::RuleHits> {
    let terms = vec![RuleTerm {
        text: "amount > 100000".to_owned(),
        values: vec!["amount = 128000".to_owned()],
        held: Some(true),
    }];
    Box::new(authorization::RuleHits {
        version: "ab".repeat(32),
        fired: vec![RuleHit {
            rule: "large".to_owned(),
            action: "decline".to_owned(),
            score: 80,
            reason: Some("suspected-fraud".to_owned()),
            terms: Some(terms),
        }],
        shadow: vec![],
        errors: vec!["nowhere".to_owned()],
        faults: Some(vec!["country is not known".to_owned()]),
        snoozed: None,
        beside: None,
    })
}
