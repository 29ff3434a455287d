//! Limits on those who are named in messages. They hold before anything is looked up, so what they answer tells nothing
//! about a card, and nothing is counted.

use crate::{
    client::Pos,
    world::{WRONG, World},
};

#[tokio::test]
async fn a_terminal_is_answered_so_often_and_its_neighbours_do_not_notice() {
    let world = World::with(|s| s.limits.terminal_requests_per_second = Some(2)).await;
    let (pos, mut wire) = world.signed_in().await;
    let mut codes = Vec::new();
    for stan in 2..14 {
        codes.push(wire.ask(&pos.echo(stan)).await.code());
    }
    // Ten at once, of which the sign-in was one.
    assert_eq!(codes, [vec!["00"; 9], vec!["91"; 3]].concat());
    let neighbour = Pos::unionpay(3);
    assert_eq!(wire.ask(&neighbour.echo(1)).await.code(), "00");
    world.clock.advance_ms(500);
    let later = [wire.ask(&pos.echo(20)).await.code(), wire.ask(&pos.echo(21)).await.code()];
    assert_eq!(later, ["00", "91"]);
    assert_eq!(world.refused("terminal-rate"), 4);
}

/// Over the limit, a card that is there, one that is not, and one that is locked are the same.
#[tokio::test]
async fn a_limited_terminal_learns_nothing() {
    let world = World::with(|s| s.limits.terminal_requests_per_second = Some(1)).await;
    let (pos, mut wire) = world.signed_in().await;
    for stan in 2..5 {
        wire.ask(&pos.sealed(&pos.sale(stan, 1000, 1, WRONG))).await;
    }
    assert!(world.card(1).await.lock.is_some());
    for _ in 0..10 {
        wire.ask(&pos.echo(9)).await;
    }
    let (asked, entries) = (world.module.asked_about_pins(), world.journal().await.len());
    let cards = [world.card(0).await, world.card(1).await];
    let mut answers = Vec::new();
    for card in [0, 1, 99_999_998] {
        let sale = pos.sale(10, 1000, card, WRONG);
        let answer = wire.ask(&pos.sealed(&sale)).await;
        pos.assert_genuine(&answer);
        assert_eq!(answer.code(), "91");
        assert_eq!(answer.raw(2), None);
        answers.push((answer.text(3), answer.text(4), answer.text(60), answer.frame.len()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!([world.card(0).await, world.card(1).await], cards);
    assert_eq!((world.module.asked_about_pins(), world.journal().await.len()), (asked, entries));
}
