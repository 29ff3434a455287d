//! Whatever the network does to a request and its answer: each request has one answer or none, a repeat gets the stored
//! one, byte for byte, and the PIN try counter moves at most once. The PIN is wrong in all of them, because a wrong PIN is
//! what may not be counted twice.

use std::{collections::HashMap, time::Duration};

use crate::{
    client::{Answer, Pos, Wire},
    proxy::{Fault, Proxy},
    world::{WRONG, World},
};

/// How long an answer is waited for that must come, and one that must not.
const PATIENCE_MS: u64 = 10_000;
const SILENCE_MS: u64 = 150;

/// Longer than any request or answer here.
const WHOLE: usize = 2048;

struct Behind {
    world: World,
    pos: Pos,
    clean: Wire,
    _proxy: Proxy,
    faulty: Wire,
}

async fn behind(up: Fault, down: Fault) -> Behind {
    let world = World::new().await;
    let (pos, clean) = world.signed_in().await;
    let proxy = Proxy::start(world.host.addresses()[0], up, down).await;
    let faulty = Wire::open(proxy.address, pos.clone()).await;
    Behind { world, pos, clean, _proxy: proxy, faulty }
}

/// So many answers, and what else comes until the end or a silence.
async fn answers(wire: &mut Wire, expected: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    let patience = |came| if came < expected { PATIENCE_MS } else { SILENCE_MS };
    while let Some(answer) = wire.answer_within(patience(answers.len())).await {
        answers.push(answer);
    }
    answers
}

/// One sale through this network, and so many answers come through; then repeats over a good line.
async fn check(up: Fault, down: Fault, expected: usize) {
    let mut behind = behind(up, down).await;
    let (pos, world) = (&behind.pos, &behind.world);
    let request = pos.sealed(&pos.sale(2, 1000, 0, WRONG));
    behind.faulty.try_send(&request).await;
    let came = answers(&mut behind.faulty, expected).await;
    assert_eq!(came.len(), expected, "{up:?} {down:?}");
    assert!(world.card(0).await.tries.used() <= 1, "{up:?} {down:?}");

    let stored = behind.clean.ask(&request).await;
    assert_eq!(stored.code(), "55", "{up:?} {down:?}");
    pos.assert_genuine(&stored);
    for answer in &came {
        assert!(answer.frame == stored.frame, "another answer came through: {up:?} {down:?}");
    }
    assert!(behind.clean.ask(&request).await.frame == stored.frame, "{up:?} {down:?}");
    let proven =
        (world.card(0).await.tries.used(), world.module.asked_about_pins(), world.transactions().await);
    assert_eq!(proven, (1, 1, 1), "{up:?} {down:?}");
}

#[tokio::test]
async fn late_dripping_and_lonely_frames_are_answered_once() {
    for fault in [Fault::None, Fault::Delay(120), Fault::Reorder, Fault::Drip(1), Fault::Drip(7)] {
        check(fault, Fault::None, 1).await;
        check(Fault::None, fault, 1).await;
    }
    check(Fault::Drip(3), Fault::Delay(50), 1).await;
}

/// The request arrives twice: two answers, the same bytes. The answer arrives twice: likewise. Both: four.
#[tokio::test]
async fn copies_are_answered_with_the_same_bytes() {
    check(Fault::Duplicate, Fault::None, 2).await;
    check(Fault::None, Fault::Duplicate, 2).await;
    check(Fault::Duplicate, Fault::Duplicate, 4).await;
}

/// Cut, or silent, after each of these numbers of bytes: inside the length, the header, the bitmap, the PIN block, the
/// MAC, and after the last byte. Half a request is none, and half an answer is none.
#[tokio::test]
async fn a_line_that_is_cut_costs_no_second_try() {
    let whole = {
        let (pos, _) = World::new().await.signed_in().await;
        pos.sealed(&pos.sale(2, 1000, 0, WRONG)).len()
    };
    for at in [1, 2, 9, 20, 60, whole - 9, whole - 1] {
        check(Fault::Cut(at), Fault::None, 0).await;
        check(Fault::HalfOpen(at), Fault::None, 0).await;
    }
    check(Fault::HalfOpen(whole), Fault::None, 1).await;
    // Whole, and cut in the same moment: the answer finds nobody.
    check(Fault::Cut(whole), Fault::None, 0).await;
    for at in [1, 2, 40] {
        check(Fault::None, Fault::Cut(at), 0).await;
        check(Fault::None, Fault::HalfOpen(at), 0).await;
    }
    check(Fault::None, Fault::HalfOpen(WHOLE), 1).await;
}

/// Many sales in one write, their frames out of order on both ways: each has its one answer.
#[tokio::test]
async fn reordered_requests_each_have_their_answer() {
    for (up, down) in
        [(Fault::Reorder, Fault::None), (Fault::None, Fault::Reorder), (Fault::Reorder, Fault::Reorder)]
    {
        let mut behind = behind(up, down).await;
        let pos = &behind.pos;
        let sales: Vec<_> = (2..12).map(|stan| pos.sealed(&pos.sale(stan, 1000, 0, WRONG))).collect();
        behind.faulty.send(&sales.concat()).await;
        let mut by_trace = HashMap::new();
        for answer in answers(&mut behind.faulty, sales.len()).await {
            assert!(by_trace.insert(answer.text(11).unwrap(), answer).is_none(), "answered twice");
        }
        assert_eq!(by_trace.len(), sales.len());
        // Three tries, whichever came first; the third locks, the others meet the lock.
        let wrong = by_trace.values().filter(|answer| answer.code() == "55").count();
        assert_eq!((wrong, behind.world.card(0).await.tries.used()), (2, 3));
        for (stan, sale) in (2..12).zip(&sales) {
            assert!(behind.clean.ask(sale).await.frame == by_trace[&format!("{stan:06}")].frame);
        }
    }
}

/// The terminal gives up, reverses over another line, and the first line comes back to life.
#[tokio::test]
async fn a_reversal_overtakes_a_sale_that_the_network_held() {
    let mut behind = behind(Fault::Delay(300), Fault::None).await;
    let pos = &behind.pos;
    let before = behind.world.card(0).await;
    behind.faulty.send(&pos.sealed(&pos.sale(2, 1000, 0, WRONG))).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(behind.clean.ask(&pos.sealed(&pos.reversal(2, 1000))).await.code(), "00");
    let late = answers(&mut behind.faulty, 1).await;
    assert_eq!(late.iter().map(Answer::code).collect::<Vec<_>>(), ["94"]);
    let after = behind.world.card(0).await;
    assert_eq!((after.tries, after.balance), (before.tries, before.balance));
}
