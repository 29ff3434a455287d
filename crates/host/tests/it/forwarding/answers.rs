//! What the other bank says is what the terminal hears, and nobody here counts its tries.

use authorization::PinVerdict;
use model::ReasonCode;
use simulator::issuer::Mood;
use store::{Event, journal::Transaction};

use super::{FOREIGN_PIN, Mortal, bank, foreign, pay, sale, types};
use crate::world::PIN;

async fn last(mortal: &Mortal) -> Transaction {
    let entries = mortal.entries().await;
    let found = entries.into_iter().rev().find_map(|entry| match entry.event {
        Event::Transaction(transaction) => Some(*transaction),
        _ => None,
    });
    found.expect("a transaction")
}

#[tokio::test]
async fn an_approval_is_the_other_banks() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    let answer = pay(&pos, &mut wire, 2, 12_300).await;
    assert_eq!(answer.code(), "00");
    assert_eq!(answer.text(38).as_deref(), Some("I00001"), "DE 38 is the issuer's");
    pos.assert_genuine(&answer);
    assert_eq!(bank.spent(&foreign()), 12_300);
    let decided = last(&mortal).await;
    assert_eq!(decided.pin, PinVerdict::SentToIssuer);
    let sent = decided.forwarded.expect("forwarded");
    assert_eq!((sent.route.as_str(), sent.code.unwrap().as_str()), ("bank-b", "00"));
    assert_eq!(mortal.state().await.unwrap().forwards(), []);

    let again = pay(&pos, &mut wire, 2, 12_300).await;
    assert!(again.frame == answer.frame, "a repeat gets the stored answer");
    assert_eq!(types(&bank), ["0200"], "and the issuer is not asked again");
}

#[tokio::test]
async fn wrong_pins_are_counted_by_the_other_bank_alone() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    for (stan, pin, code, reason) in [
        (2, "1111", "55", ReasonCode::IssuerWrongPin),
        (3, "2222", "55", ReasonCode::IssuerWrongPin),
        (4, "3333", "75", ReasonCode::IssuerTriesExceeded),
        (5, FOREIGN_PIN, "75", ReasonCode::IssuerTriesExceeded),
    ] {
        let answer = wire.ask(&pos.sealed(&sale(&pos, stan, 1000, pin))).await;
        assert_eq!(answer.code(), code);
        assert_eq!(last(&mortal).await.reason, reason);
    }
    let state = mortal.state().await.unwrap();
    assert_eq!((state.tries.used(), state.lock), (0, None), "we count nothing");
    assert_eq!(bank.wrong_pins(&foreign()), 3);
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_a_fault_does_not() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    for (stan, amount, code, reason) in [
        (2, 1051, "51", ReasonCode::IssuerDeclined),
        (3, 1062, "62", ReasonCode::IssuerDeclined),
        (4, 1099, "A7", ReasonCode::IssuerKeyFault),
        (5, 1096, "96", ReasonCode::IssuerFault),
    ] {
        assert_eq!(pay(&pos, &mut wire, stan, amount).await.code(), code, "{amount}");
        assert_eq!(last(&mortal).await.reason, reason, "{amount}");
    }
    assert_eq!((bank.spent(&foreign()), types(&bank).len()), (0, 4), "nothing to undo after a refusal");
}

#[tokio::test]
async fn our_own_cards_stay_ours_whatever_the_routes_say() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut wire) = mortal.signed_in().await;
    // The route has 91 too, and this card is registered here.
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, PIN))).await.code(), "00");
    assert!(types(&bank).is_empty());
}

#[tokio::test]
async fn two_copies_at_once_are_one_question() {
    let bank = bank().await;
    let mortal = Mortal::in_memory(&[bank.address()]).await;
    let (pos, mut one) = mortal.signed_in().await;
    let mut other = mortal.wire(&pos).await;
    let frame = pos.sealed(&sale(&pos, 2, 1000, FOREIGN_PIN));
    one.send(&frame).await;
    other.send(&frame).await;
    let (one, other) = (one.answer().await, other.answer().await);
    assert_eq!((one.code().as_str(), one.frame == other.frame), ("00", true));
    assert_eq!(types(&bank), ["0200"]);
}

#[tokio::test]
async fn a_bank_that_refuses_our_sign_on_is_not_asked() {
    let bank = bank().await;
    let mut mortal = Mortal::in_memory(&[bank.address()]).await;
    bank.set_mood(Mood::Closed);
    mortal.stop().await;
    mortal.start().await;
    let (pos, mut wire) = mortal.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 1000).await.code(), "91");
    assert!(types(&bank).is_empty() && mortal.state().await.unwrap().forwards().is_empty());
}
