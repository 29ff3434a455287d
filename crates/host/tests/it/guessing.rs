//! Somebody tries PINs of one card over many connections at once. The limit is the limit.

use store::Event;

use crate::{
    client::Wire,
    world::{PIN, WRONG, World},
};
use authorization::PinVerdict;

const CONNECTIONS: u32 = 20;
const GUESSES_EACH: u32 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_gives_as_many_tries_as_it_has_however_many_ask_at_once() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let mut guesses = Vec::new();
    for connection in 0..CONNECTIONS {
        let stans = 100 + connection * GUESSES_EACH..100 + (connection + 1) * GUESSES_EACH;
        let frames: Vec<_> = stans.map(|stan| pos.sealed(&pos.sale(stan, 1000, 0, WRONG))).collect();
        guesses.push(tokio::spawn(guess(world.wire().await, frames)));
    }
    let mut codes = Vec::new();
    for guess in guesses {
        codes.extend(guess.await.unwrap());
    }
    codes.sort();
    let all = (CONNECTIONS * GUESSES_EACH) as usize;
    assert_eq!(codes, [vec!["55"; 2], vec!["75"; all - 2]].concat());

    let card = world.card(0).await;
    assert!(card.lock.is_some());
    let proven = world
        .journal()
        .await
        .into_iter()
        .filter(|entry| matches!(&entry.event, Event::Transaction(t) if t.pin == PinVerdict::Mismatch));
    assert_eq!((card.tries.used(), proven.count()), (3, 3));
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(99, 1000, 0, PIN))).await.code(), "75", "locked is locked");
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(98, 1000, 1, PIN))).await.code(), "00", "other cards are not");
}

async fn guess(mut wire: Wire, frames: Vec<Vec<u8>>) -> Vec<String> {
    let count = frames.len();
    wire.send(&frames.concat()).await;
    let mut codes = Vec::new();
    for _ in 0..count {
        codes.push(wire.answer().await.code());
    }
    codes
}
