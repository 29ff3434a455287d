//! Limits on those who are named in messages. They hold before anything is looked up, so what they answer tells nothing
//! about a card, and nothing is counted.

use crate::{
    client::{Answer, Pos},
    world::{PIN, WRONG, World},
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

/// One card number tried again and again: over the limit the right PIN, a wrong one, a locked card and no card at all are
/// answered the same, nobody looks at the PIN, and no try is counted. Copies and payments without a PIN are no attempts.
#[tokio::test]
async fn a_card_number_is_tried_so_often_and_the_answer_tells_nothing() {
    const NO_CARD: usize = 99_999_998;
    let world = World::with(|s| s.limits.card_attempts_per_minute = Some(3)).await;
    let (pos, mut wire) = world.signed_in().await;
    let first = pos.sealed(&pos.sale(2, 1000, 0, PIN));
    let answered = wire.ask(&first).await;
    let (mut stan, mut answers) = (10, Vec::new());
    for (card, pins) in [(0, [PIN; 5]), (0, [WRONG; 5]), (1, [WRONG; 5]), (NO_CARD, [WRONG; 5])] {
        for pin in pins {
            stan += 1;
            let answer = wire.ask(&pos.sealed(&pos.sale(stan, 1000, card, pin))).await;
            pos.assert_genuine(&answer);
            answers.push((card, pin, answer));
        }
    }
    let codes: Vec<String> = answers.iter().map(|(.., answer)| answer.code()).collect();
    let expected = [
        ["00", "00", "91", "91", "91"],
        ["91", "91", "91", "91", "91"],
        ["55", "55", "75", "91", "91"],
        ["14", "14", "14", "91", "91"],
    ];
    assert_eq!(codes, expected.concat());
    let over: Vec<_> = answers.iter().filter(|(.., answer)| answer.code() == "91").collect();
    let shape =
        |answer: &Answer| (answer.frame.len(), answer.text(3), answer.text(4), answer.raw(38), answer.raw(2));
    assert!(over.iter().all(|(.., answer)| shape(answer) == shape(&over[0].2)));
    assert_eq!((world.card(0).await.tries.used(), world.module.asked_about_pins()), (0, 6));
    assert_eq!(world.refused("card-rate"), over.len() as u64);

    assert!(wire.ask(&first).await.frame == answered.frame, "a copy gets the stored answer");
    world.clock.advance_ms(20_000);
    assert_eq!(
        wire.ask(&pos.sealed(&pos.sale(90, 1000, 0, PIN))).await.code(),
        "00",
        "a third of a minute: one more"
    );
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(91, 1000, 0, PIN))).await.code(), "91");
}

/// A message whose MAC is wrong does not use up what a card may be tried: strangers cannot shut a card out.
#[tokio::test]
async fn forged_messages_are_no_attempts() {
    let world = World::with(|s| s.limits.card_attempts_per_minute = Some(1)).await;
    let (pos, mut wire) = world.signed_in().await;
    for stan in 2..6 {
        assert_eq!(wire.ask(&pos.frame(&pos.unsigned(&pos.sale(stan, 1000, 0, WRONG)))).await.code(), "A0");
    }
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(9, 1000, 0, PIN))).await.code(), "00");
}
