//! What staff do to a terminal and to a card, as the terminal meets it.

use std::sync::Arc;

use authorization::Products;
use host::staff::{NotDone, Restoration, TerminalAction, act_on_terminal, restore};
use model::{CardId, TerminalId, TransactionKey};
use store::{Store, WorkError};

use crate::world::{PIN, START, WRONG, World, pan};

fn store(world: &World) -> Store {
    Store::new(Arc::clone(&world.engine))
}

#[tokio::test]
async fn a_terminal_that_is_told_to_sign_in_hears_it_until_it_has() {
    let world = World::new().await;
    let (mut pos, mut wire) = world.signed_in().await;
    let id: TerminalId = pos.id.parse().unwrap();
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await.order(), 0);
    act_on_terminal(&store(&world), id, TerminalAction::OrderSignIn, START).await.unwrap();
    let twice = act_on_terminal(&store(&world), id, TerminalAction::OrderSignIn, START).await;
    assert!(matches!(twice, Err(WorkError::Decide(NotDone::Already))));
    for stan in [3, 4] {
        let answer = wire.ask(&pos.sealed(&pos.sale(stan, 1000, 0, PIN))).await;
        assert_eq!((answer.code().as_str(), answer.order()), ("00", 3));
    }
    assert_eq!(wire.ask(&pos.echo(5)).await.order(), 3);
    pos.sign_in(&mut wire, 6).await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(7, 1000, 0, PIN))).await.order(), 0);
}

#[tokio::test]
async fn a_simulated_terminal_obeys() {
    let world = World::new().await;
    let mut terminal = crate::observe::simulated(&world);
    let card = crate::observe::card();
    terminal.sign_in().await.unwrap();
    let amount = model::Amount(1000);
    act_on_terminal(&store(&world), terminal.id(), TerminalAction::OrderSignIn, START).await.unwrap();
    let mut what = Vec::new();
    for _ in 0..3 {
        assert!(
            terminal.pay(model::Kind::Sale, &card, amount, Some(PIN)).await.unwrap().answer.is_approval()
        );
        what.extend(terminal.take_log().into_iter().map(|step| step.what));
    }
    assert_eq!(what, ["sign-in", "sale", "sign-in", "sale", "sale"]);
}

#[tokio::test]
async fn a_suspended_terminal_is_refused_until_it_is_allowed_again() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let id: TerminalId = pos.id.parse().unwrap();
    act_on_terminal(&store(&world), id, TerminalAction::Suspend, START).await.unwrap();
    assert_ne!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await.code(), "00");
    act_on_terminal(&store(&world), id, TerminalAction::Resume, START).await.unwrap();
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(3, 1000, 0, PIN))).await.code(), "00");
}

#[tokio::test]
async fn tries_that_a_keypad_cost_come_back_and_a_guess_does_not() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    for (stan, code) in [(2, "55"), (3, "55"), (4, "75")] {
        assert_eq!(wire.ask(&pos.sealed(&pos.sale(stan, 1000, 0, WRONG))).await.code(), code);
    }
    let card: CardId = world.engine.card_id(&pan(0).parse().unwrap());
    let charged: Vec<TransactionKey> = world.card(0).await.charged().iter().map(|c| c.key).collect();
    assert_eq!(charged.len(), 3);
    let (products, store) = (Products::builtin(), store(&world));
    let fault = Restoration {
        card,
        incident: 17,
        transactions: &charged[1..],
        actor: "ling, seen by wu",
        why: "dead key",
    };
    restore(&store, &products, fault, START).await.unwrap();
    let again = restore(&store, &products, fault, START).await;
    assert!(matches!(again, Err(WorkError::Decide(NotDone::NotApplicable(_)))));
    let state = world.card(0).await;
    assert_eq!((state.tries.used(), state.lock), (1, None));
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(5, 1000, 0, PIN))).await.code(), "00");
}
