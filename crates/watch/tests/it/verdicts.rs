//! What happened is known a moment later, and what could not be seen is said.

use std::sync::{Arc, Mutex, atomic::Ordering};

use authorization::PinVerdict;
use diagnosis::{Cause, Change, Diagnose, Incident, Observation, Verdict};
use model::{Rrn, Timestamp};
use watch::{GapKind, NewsKind, Standing, Told};

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_an_incident_and_its_refusals_have_a_verdict() {
    let world = World::new().await;
    let watch = world.watch();
    let mut news = watch.subscribe();
    let rrns = world.wrong_key(1).await;
    // The register writes the incident down beside the verdict: on a busy machine the number comes after it.
    until("the incident is in the register", || watch.incident(1).is_some()).await;
    let Told::Verdict(verdict, evidence) = watch.verdict(&rrns[1]).await.unwrap() else {
        panic!("no verdict")
    };
    assert_eq!((verdict.cause, verdict.incident), (Cause::WrongTerminalKey, Some(1)));
    // The evidence names the incident as people know it.
    assert_eq!(evidence[0].values, [("incident".to_owned(), 1.0)]);
    let record = watch.incident(1).unwrap();
    assert_eq!(record.standing(), Standing::Open);
    assert_eq!((record.found.scope.kind.as_str(), record.found.scope.id.as_str()), ("terminal", "T0000001"));
    let suspected = watch.suspicions().await;
    assert_eq!(
        (suspected.len(), suspected[0].cause, suspected[0].incident),
        (1, Cause::WrongTerminalKey, Some(1))
    );
    assert_eq!((suspected[0].scope.id.as_str(), suspected[0].others.len()), ("T0000001", 1));
    assert_eq!(suspected[0].evidence[0].values, [("cards".to_owned(), 2.0)]);
    let told = news.recv().await.unwrap();
    assert_eq!((told.number, told.kind, told.fresh), (1, NewsKind::Opened, true));
    world.pay(3, 1, PinVerdict::Verified).await;
    until("it is over", || watch.incident(1).unwrap().standing() == Standing::Over).await;
    assert_eq!(watch.verdict(&"999999999999".parse().unwrap()).await.unwrap(), Told::Nothing);
    assert!(watch.progress().caught_up && watch.progress().entries == 3);
    assert_eq!(watch.suspicions().await, [], "nothing is odd any more");
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_went_back_and_a_long_silence_are_gaps() {
    let world = World::new().await;
    let diagnose = TwoInARow::default();
    let told: Arc<Mutex<Vec<Timestamp>>> = diagnose.gaps.clone();
    world.pay(1, 1, PinVerdict::Verified).await;
    world.clock.fetch_add(7_200_000, Ordering::SeqCst);
    world.pay(1, 1, PinVerdict::Verified).await;
    world.clock.fetch_sub(600_000, Ordering::SeqCst);
    world.pay(1, 1, PinVerdict::Verified).await;
    let watch = world.watch_with(Box::new(diagnose));
    watch.caught_up().await;
    let kinds: Vec<GapKind> = watch.progress().gaps.iter().map(|gap| gap.kind).collect();
    assert_eq!(kinds, [GapKind::Silence, GapKind::ClockBack]);
    until("the diagnosis was told", || told.lock().unwrap().len() == 2).await;
    assert_eq!(told.lock().unwrap()[0], Timestamp(T0 + 1000));
    watch.stop().await;
}

/// A diagnosis with a bug.
struct Falls;

impl Diagnose for Falls {
    fn observe(&mut self, _: &Observation) {
        panic!("a bug of the diagnosis, for this test");
    }

    fn advance(&mut self, _: Timestamp) {}

    fn changes(&mut self) -> Vec<Change> {
        Vec::new()
    }

    fn verdict(&self, _: &Rrn) -> Option<Verdict> {
        None
    }

    fn incident(&self, _: u64) -> Option<&Incident> {
        None
    }

    fn incidents(&self) -> Vec<&Incident> {
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diagnosis_that_falls_says_so_and_nobody_waits_for_it() {
    let world = World::new().await;
    let watch = world.watch_with(Box::new(Falls));
    let rrn = world.pay(1, 1, UNREADABLE).await;
    until("it has stopped", || watch.progress().stopped).await;
    assert!(watch.progress().sentence(watch.now()).starts_with("stopped: the diagnosis ended early"));
    assert_eq!(watch.verdict(&rrn).await.unwrap(), Told::NotYet);
    world.pay(1, 1, UNREADABLE).await;
    watch.stop().await;
}
