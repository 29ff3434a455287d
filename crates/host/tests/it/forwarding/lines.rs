//! Several lines, lines that break, and what a network does to them.

use super::{FOREIGN_PIN, Mortal, bank, bank_at, foreign, pay, sale, types, until};
use crate::proxy::{Fault, Proxy};
use simulator::issuer::Mood;

#[tokio::test]
async fn a_line_that_is_down_is_passed_over() {
    let (first, second) = (bank().await, bank().await);
    let mortal = Mortal::in_memory(&[first.address(), second.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 1000).await.code(), "00");
    assert_eq!((types(&first).len(), types(&second).len()), (1, 0), "the preferred line");
    let address = first.address();
    first.stop().await;
    until("one line is down", || async { mortal.lines_up() == 1 }).await;
    assert_eq!(pay(&pos, &mut wire, 3, 1000).await.code(), "00");
    assert_eq!(types(&second), ["0200"]);
    let first = bank_at(address).await;
    until("both lines are up again", || async { mortal.lines_up() == 2 }).await;
    assert_eq!(pay(&pos, &mut wire, 4, 1000).await.code(), "00");
    assert_eq!(types(&first), ["0200"], "back on the preferred line");
}

#[tokio::test]
async fn what_was_sent_is_never_sent_on_another_line() {
    let (first, second) = (bank().await, bank().await);
    let mortal = Mortal::in_memory(&[first.address(), second.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    first.set_mood(Mood::Busy);
    assert_eq!(pay(&pos, &mut wire, 2, 1000).await.code(), "98");
    mortal.until_settled().await;
    assert!(!types(&second).contains(&"0200".to_owned()), "{:?}", types(&second));
}

#[tokio::test]
async fn without_a_line_nothing_is_sent_and_nothing_undone() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    bank.stop().await;
    until("the line is down", || async { mortal.lines_up() == 0 }).await;
    assert_eq!(pay(&pos, &mut wire, 2, 1000).await.code(), "91");
    assert_eq!(mortal.state().await.unwrap().forwards(), []);
}

#[tokio::test]
async fn a_silent_line_is_asked_for_an_echo_and_opened_anew() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    until("echoes are asked for", || async { bank.network().1 >= 2 }).await;
    assert_eq!((mortal.lines_up(), bank.network().0), (1, 1));
    bank.set_mood(Mood::Silent);
    until("the line is given up", || async { mortal.lines_up() == 0 }).await;
    bank.set_mood(Mood::Well);
    until("the line is up again", || async { mortal.lines_up() == 1 }).await;
    assert!(bank.network().0 >= 2);
}

/// Whatever the network does on the way to the bank: the terminal hears one answer, and the bank has posted what it heard.
async fn check(up: Fault, down: Fault, code: &str) {
    let bank = bank().await;
    let proxy = Proxy::start(bank.address(), up, down).await;
    let mut mortal = Mortal::in_memory(&[proxy.address]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    let answer = pay(&pos, &mut wire, 2, 1000).await;
    assert_eq!(answer.code(), code, "{up:?} {down:?}");
    if code != "00" {
        // A good line, so that the reversal gets through.
        mortal.stop().await;
        let mut good = mortal.with_lines(&[bank.address()]);
        good.start().await;
        good.until_settled().await;
        mortal = good;
    }
    mortal.until_settled().await;
    let posted = if code == "00" { 1000 } else { 0 };
    assert_eq!(bank.spent(&foreign()), posted, "{up:?} {down:?}");
    let mut wire = mortal.wire(&pos).await;
    let again = wire.ask(&pos.sealed(&sale(&pos, 2, 1000, FOREIGN_PIN))).await;
    assert!(again.frame == answer.frame, "{up:?} {down:?}");
}

#[tokio::test]
async fn slow_and_doubled_lines_lose_nothing() {
    for fault in [Fault::Delay(20), Fault::Duplicate, Fault::Drip(7)] {
        check(fault, Fault::None, "00").await;
        check(Fault::None, fault, "00").await;
    }
}

#[tokio::test]
async fn lines_that_swallow_the_answer_are_made_good() {
    // The sign-on's answer passes, the sale's does not.
    for fault in [Fault::Cut(100), Fault::HalfOpen(100)] {
        check(Fault::None, fault, "98").await;
    }
}
