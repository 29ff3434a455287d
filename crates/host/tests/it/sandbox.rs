//! Sandbox levers: cents that ask for an answer. In any other mode cents are cents.

use model::Amount;

use crate::world::{OPENING, PIN, World};

/// Amount, answer, wrong PINs counted after it.
const LEVERS: [(i64, &str, u8); 5] =
    [(151, "51", 0), (155, "55", 1), (175, "75", 0), (194, "94", 0), (110, "10", 0)];

#[tokio::test]
async fn cents_ask_for_answers_in_a_sandbox() {
    for (amount, code, wrong) in LEVERS {
        let world = World::with(|s| s.sandbox = true).await;
        let (pos, mut wire) = world.signed_in().await;
        let answer = wire.ask(&pos.sealed(&pos.sale(2, amount, 0, PIN))).await;
        pos.assert_genuine(&answer);
        let card = world.card(0).await;
        assert_eq!((answer.code().as_str(), card.tries.used()), (code, wrong), "{amount}");
        let posted = if code == "10" { amount } else { 0 };
        assert_eq!((card.balance, card.lock), (Amount(OPENING.0 - posted), None), "{amount}");
    }
}

/// `.98`: decided, written, and never said; the reversal then finds it.
#[tokio::test]
async fn a_lost_answer_is_lost_after_the_decision() {
    let world = World::with(|s| s.sandbox = true).await;
    let (pos, mut wire) = world.signed_in().await;
    wire.send(&pos.sealed(&pos.sale(2, 198, 0, PIN))).await;
    while world.transactions().await == 0 {
        tokio::task::yield_now().await;
    }
    wire.expect_silence(200).await;
    assert_eq!(world.card(0).await.balance, Amount(OPENING.0 - 198));
    assert_eq!(wire.ask(&pos.sealed(&pos.reversal(2, 198))).await.code(), "00");
    assert_eq!(world.card(0).await.balance, OPENING);
}

/// `.68`: the answer comes, but after the terminal has given up.
#[tokio::test]
async fn a_late_answer_is_late() {
    let world = World::with(|s| (s.sandbox, s.sandbox_late_reply_ms) = (true, 400)).await;
    let (pos, mut wire) = world.signed_in().await;
    wire.send(&pos.sealed(&pos.sale(2, 168, 0, PIN))).await;
    wire.expect_silence(200).await;
    assert_eq!(wire.answer().await.code(), "00");
}

#[tokio::test]
async fn elsewhere_cents_are_cents() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    for (stan, amount) in (2..).zip(LEVERS.map(|(amount, ..)| amount).into_iter().chain([168, 198])) {
        assert_eq!(wire.ask(&pos.sealed(&pos.sale(stan, amount, 0, PIN))).await.code(), "00", "{amount}");
    }
    assert_eq!(world.card(0).await.tries.used(), 0);
}
