//! The security module does not answer. Nobody's PIN is wrong because of that, and nobody waits for ever.

use std::sync::atomic::Ordering::SeqCst;

use crate::{
    client::Pos,
    world::{OPENING, WRONG, World},
};

async fn world() -> World {
    World::with(|s| s.module_timeout_ms = 300).await
}

#[tokio::test]
async fn a_pin_that_nobody_could_look_at_is_no_try() {
    let world = world().await;
    let (pos, mut wire) = world.signed_in().await;
    world.module.silent_about_pins.store(true, SeqCst);
    let answer = wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, WRONG))).await;
    assert_eq!(answer.code(), "91");
    pos.assert_genuine(&answer);
    let card = world.card(0).await;
    assert_eq!((card.tries.used(), card.balance, world.module.asked_about_pins()), (0, OPENING, 1));
}

/// Not even MACs are checked or made: the answer goes without one, and in time.
#[tokio::test]
async fn a_module_that_is_silent_about_everything_is_away() {
    let world = world().await;
    let (pos, mut wire) = world.signed_in().await;
    let before = world.card(0).await;
    world.module.silent.store(true, SeqCst);
    let answer = wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, WRONG))).await;
    assert_eq!((answer.code().as_str(), answer.raw(64)), ("91", None));
    assert_eq!(world.card(0).await, before);
    let stranger = Pos::unionpay(2);
    let sign_in = stranger.frame(&stranger.unsigned(&stranger.network("0800", 1, "003")));
    assert_eq!(wire.ask(&sign_in).await.code(), "91");
}
