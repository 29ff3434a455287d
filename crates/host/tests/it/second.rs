//! A second proof of identity at the terminal: the challenge goes to whoever asks holders, its code comes back in DE 47, and one
//! attempt uses it up.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use authorization::Effect;
use host::second::{Asked, Asking};
use model::{CardId, Timestamp};
use stepup::CodeKey;
use store::{Card, CardWork, Entry, Event, Step, Store, Subject, journal::DeskAction};

use crate::{
    client::{Answer, Pos, Wire},
    world::{PIN, START, WRONG, World, pan},
};

struct Phone {
    key: CodeKey,
    got: Mutex<Vec<String>>,
}

#[async_trait]
impl Asking for Phone {
    fn key(&self) -> &CodeKey {
        &self.key
    }

    async fn totp(&self, _: CardId, code: &str, _: Timestamp) -> Option<i64> {
        (code == "707070").then_some(7)
    }

    fn issued(&self, asked: Asked) {
        self.got.lock().unwrap().push(asked.code.reveal().clone());
    }
}

impl Phone {
    fn messages(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

/// What the ladder does after wrong PINs.
struct Wanting;

#[async_trait]
impl CardWork for Wanting {
    type Error = std::convert::Infallible;

    async fn decide(&mut self, card: &Card) -> Result<Step, Self::Error> {
        let action = DeskAction {
            action: "test".to_owned(),
            actor: "test".to_owned(),
            why: String::new(),
            effects: vec![Effect::RequireStepUp { valid_s: 300 }],
        };
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Card(card.id),
            seq: card.state.seq + 1,
            at: START,
            event: Event::Desk(action),
            exchange: None,
        })))
    }
}

async fn wanted() -> (World, Arc<Phone>) {
    let world = World::new().await;
    let phone = Arc::new(Phone { key: CodeKey::new(b"a key of tests"), got: Mutex::default() });
    world.host.ask_for_second_proofs(phone.clone());
    let card = world.engine.card_id(&pan(0).parse().unwrap());
    let store = Store::new(Arc::clone(&world.engine));
    assert!(store.with_card(&card, &mut Wanting).await.is_ok());
    (world, phone)
}

async fn pay(pos: &Pos, wire: &mut Wire, stan: u32, minor: i64, pin: &str, code: Option<&str>) -> Answer {
    let mut sale = pos.sale(stan, minor, 0, pin);
    if let Some(code) = code {
        sale.set(47, &format!("PW02{code}"));
    }
    wire.ask(&pos.sealed(&sale)).await
}

#[tokio::test]
async fn the_code_that_was_sent_lets_the_same_payment_through_once() {
    let (world, phone) = wanted().await;
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 7_500, PIN, None).await.code(), "65");
    assert_eq!(pay(&pos, &mut wire, 3, 7_500, PIN, None).await.code(), "65");
    assert_eq!(phone.messages().len(), 1, "one code for one challenge");
    let code = phone.messages()[0].clone();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(pay(&pos, &mut wire, 4, 7_500, WRONG, Some(wrong)).await.code(), "65");
    assert_eq!(world.card(0).await.tries.used(), 0, "the PIN was not looked at");
    assert_eq!(world.card(0).await.proofs.unwrap().wrong.len(), 1);
    assert_eq!(pay(&pos, &mut wire, 5, 7_500, PIN, Some(&code)).await.code(), "00");
    assert_eq!(world.card(0).await.proofs.unwrap().challenge, None, "used up");
    for entry in world.journal().await {
        let request = entry.exchange.map(|exchange| exchange.request).unwrap_or_default();
        let seen = request.windows(code.len()).any(|window| window == code.as_bytes());
        assert!(!seen, "a code stands in the journal");
    }
}

#[tokio::test]
async fn another_amount_gets_a_challenge_of_its_own() {
    let (world, phone) = wanted().await;
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 7_500, PIN, None).await.code(), "65");
    let code = phone.messages()[0].clone();
    assert_eq!(pay(&pos, &mut wire, 3, 7_600, PIN, Some(&code)).await.code(), "65", "another amount");
    assert_eq!(phone.messages().len(), 2);
    assert_eq!(pay(&pos, &mut wire, 4, 7_500, PIN, Some(&code)).await.code(), "65", "the first is void");
}

#[tokio::test]
async fn a_code_of_the_authenticator_app_counts_too() {
    let (world, _) = wanted().await;
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 7_500, PIN, None).await.code(), "65");
    assert_eq!(pay(&pos, &mut wire, 3, 7_500, PIN, Some("707070")).await.code(), "00");
    assert_eq!(world.card(0).await.proofs.unwrap().totp_step, Some(7));
}

#[tokio::test]
async fn with_nobody_who_asks_holders_only_staff_let_it_through() {
    let world = World::new().await;
    let card = world.engine.card_id(&pan(0).parse().unwrap());
    assert!(Store::new(Arc::clone(&world.engine)).with_card(&card, &mut Wanting).await.is_ok());
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(pay(&pos, &mut wire, 2, 7_500, PIN, Some("707070")).await.code(), "65");
    assert_eq!(world.card(0).await.proofs, None);
}
