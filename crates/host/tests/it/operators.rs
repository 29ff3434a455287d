//! The shop's own people at real terminals of a real host: sign-on, lock, reset, and what somebody might try.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::terminal::{OperatorStep, TerminalEffect};
use host::shop::Operators;
use model::{OperatorId, ReasonCode};
use operator::{Answer, Asked, Password, Rules};
use shop::{Parts, ShopDesk};
use store::{Book, Event, MemoryBook, StoreError};

use crate::{
    client::{Pos, Wire},
    world::World,
};

struct Desk(ShopDesk);

#[async_trait]
impl Operators for Desk {
    async fn ask(&self, asked: Asked) -> Result<Answer, StoreError> {
        self.0.ask(asked).await
    }
}

const SIGN_ON: &str = "401";
const SIGN_OFF: &str = "402";
const CHANGE: &str = "403";
const RESET: &str = "404";

fn desk(book: &Arc<dyn Book>, clock: &Arc<host::ManualClock>) -> Arc<Desk> {
    let clock = Arc::clone(clock);
    let people = [("01", "7395"), ("02", "5028"), ("00", "482917")];
    let everywhere = people.map(|(who, digits)| (who.parse().unwrap(), Password::new(digits).unwrap()));
    Arc::new(Desk(ShopDesk::new(Parts {
        book: Arc::clone(book),
        rules: Rules::builtin().clone(),
        clock: Arc::new(move || host::Clock::now(&*clock)),
        address: String::new(),
        everywhere: everywhere.to_vec(),
    })))
}

/// A world whose shop has people, in a book of its own.
async fn world(book: &Arc<dyn Book>) -> World {
    let world = World::new().await;
    world.host.know_operators(desk(book, &world.clock));
    world
}

fn book() -> Arc<dyn Book> {
    Arc::new(MemoryBook::default())
}

struct Till {
    pos: Pos,
    wire: Wire,
    stan: u32,
}

impl Till {
    async fn open(world: &World, number: u32) -> Till {
        let mut pos = Pos::unionpay(number);
        let mut wire = Wire::open(world.host.addresses()[0], pos.clone()).await;
        pos.sign_in(&mut wire, 1).await;
        Till { pos, wire, stan: 1 }
    }

    fn message(&mut self, code: &str, who: &str, typed: &[&str]) -> Vec<u8> {
        self.stan += 1;
        self.pos.sealed(&self.pos.operator(self.stan, code, who, typed))
    }

    async fn send(&mut self, frame: &[u8]) -> String {
        let answer = self.wire.ask(frame).await;
        self.pos.assert_genuine(&answer);
        answer.code()
    }

    async fn operate(&mut self, code: &str, who: &str, typed: &[&str]) -> String {
        let frame = self.message(code, who, typed);
        self.send(&frame).await
    }

    async fn pay(&mut self, pin: &str) -> String {
        self.stan += 1;
        let sale = self.pos.sealed(&self.pos.sale(self.stan, 1_200, 0, pin));
        self.send(&sale).await
    }
}

/// Steps of the shop's people in the journal, and who made its payments.
async fn told(world: &World) -> (Vec<OperatorStep>, Vec<Option<OperatorId>>) {
    let (mut steps, mut made_by) = (Vec::new(), Vec::new());
    for entry in world.journal().await {
        match entry.event {
            Event::Terminal(event) => {
                if let TerminalEffect::Operator(step) = event.effect {
                    steps.push(step);
                }
            }
            Event::Transaction(transaction) => made_by.push(transaction.operator),
            _ => {}
        }
    }
    (steps, made_by)
}

fn who(text: &str) -> Option<OperatorId> {
    text.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_on_is_part_of_every_payment_and_a_wrong_password_is_no_wrong_pin() {
    let world = world(&book()).await;
    let mut till = Till::open(&world, 1).await;
    assert_eq!(till.pay(crate::world::PIN).await, "00");
    assert_eq!(till.operate(SIGN_ON, "01", &["7395"]).await, "00");
    assert_eq!(till.pay(crate::world::PIN).await, "00");
    for _ in 0..2 {
        assert_eq!(till.operate(SIGN_ON, "02", &["9046"]).await, "O1");
    }
    assert_eq!(world.card(0).await.tries.used(), 0, "no card's try");
    assert_eq!(till.pay(crate::world::WRONG).await, "55");
    assert_eq!(till.operate(SIGN_ON, "02", &["5028"]).await, "00");
    assert_eq!(till.pay(crate::world::PIN).await, "00");
    assert_eq!(till.operate(SIGN_OFF, "02", &[]).await, "00");
    assert_eq!(till.pay(crate::world::PIN).await, "00");
    let (steps, made_by) = told(&world).await;
    assert_eq!(made_by, [None, who("01"), who("01"), who("02"), None]);
    assert_eq!(steps.iter().filter(|step| matches!(step, OperatorStep::Refused(_))).count(), 2);
    for entry in world.journal().await {
        let Some(exchange) = &entry.exchange else { continue };
        let kept = [&exchange.request[..], &exchange.reply[..]].concat();
        assert!(!kept.windows(4).any(|four| four == b"PW03" || four == b"7395"), "no trace of a password");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_several_terminals_at_once_are_one_counter_that_outlives_the_host() {
    let book = book();
    let first = world(&book).await;
    let guess = |mut till: Till| async move {
        let mut answers = Vec::new();
        for digits in ["9046", "9157", "8046", "8157"] {
            answers.push(till.operate(SIGN_ON, "01", &[digits]).await);
        }
        answers
    };
    let tills = (Till::open(&first, 1).await, Till::open(&first, 2).await, Till::open(&first, 3).await);
    let (a, b, c) = tokio::join!(guess(tills.0), guess(tills.1), guess(tills.2));
    assert!([a, b, c].iter().flatten().all(|code| code == "O1"));
    let wrong = first.journal().await.into_iter().filter(|entry| match &entry.event {
        Event::Terminal(event) => event.reason == ReasonCode::OperatorRefused,
        _ => false,
    });
    assert_eq!(wrong.count(), 5, "the limit, and not one more");
    // Another host of the same store, or the same one after a restart.
    let second = world(&book).await;
    second.clock.advance_ms(1_000);
    let mut till = Till::open(&second, 1).await;
    assert_eq!(till.operate(SIGN_ON, "01", &["7395"]).await, "O1", "still locked");
    assert_eq!(till.operate(SIGN_ON, "02", &["5028"]).await, "00", "others go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_before_signs_nobody_on() {
    let world = world(&book()).await;
    let mut till = Till::open(&world, 1).await;
    let sign_on = till.message(SIGN_ON, "01", &["7395"]);
    assert_eq!(till.send(&sign_on).await, "00");
    assert_eq!(till.send(&sign_on).await, "00", "a terminal that got no answer");
    assert_eq!(till.operate(SIGN_OFF, "01", &[]).await, "00");
    assert_eq!(till.send(&sign_on).await, "O1", "the last message, after the sign-off");
    assert_eq!(till.operate(SIGN_ON, "02", &["5028"]).await, "00");
    assert_eq!(till.send(&sign_on).await, "O1", "an older one");
    assert_eq!(till.pay(crate::world::PIN).await, "00");
    assert_eq!(told(&world).await.1, [who("02")]);
    // Its field in a message of another number, or another operator's, is none.
    till.stan += 1;
    let mut moved = till.pos.operator(2, SIGN_ON, "01", &["7395"]);
    moved.set(11, &format!("{:06}", till.stan));
    let moved = till.pos.sealed(&moved);
    assert_eq!(till.send(&moved).await, "96");
    // The keys of the session before are taken for a grace time, for payments that crossed the sign-in.
    let yesterday = till.pos.clone();
    till.pos.sign_in(&mut till.wire, 900).await;
    let late = yesterday.sealed(&yesterday.operator(901, SIGN_ON, "01", &["7395"]));
    assert_eq!(till.wire.ask(&late).await.code(), "77");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_resets_and_a_first_password_must_be_changed() {
    let world = world(&book()).await;
    let mut till = Till::open(&world, 1).await;
    assert_eq!(till.operate(RESET, "01", &["6407"]).await, "O1", "nobody is signed on");
    assert_eq!(till.operate(SIGN_ON, "02", &["5028"]).await, "00");
    assert_eq!(till.operate(RESET, "01", &["6407"]).await, "O1", "a cashier");
    for _ in 0..5 {
        assert_eq!(till.operate(SIGN_ON, "01", &["9046"]).await, "O1");
    }
    assert_eq!(till.operate(SIGN_ON, "00", &["482917"]).await, "00");
    assert_eq!(till.operate(RESET, "01", &["1234"]).await, "O3", "easy");
    assert_eq!(till.operate(RESET, "01", &["7395"]).await, "O3", "used before");
    assert_eq!(till.operate(RESET, "01", &["6407"]).await, "00");
    assert_eq!(till.operate(SIGN_ON, "01", &["7395"]).await, "O1", "the old one is dead");
    assert_eq!(till.operate(SIGN_ON, "01", &["6407"]).await, "O2");
    assert_eq!(till.operate(CHANGE, "01", &["6407", "6407"]).await, "O3");
    assert_eq!(till.operate(CHANGE, "01", &["9046", "5194"]).await, "O1", "a guess like any other");
    assert_eq!(till.operate(CHANGE, "01", &["6407", "5194"]).await, "00", "and is signed on");
    assert_eq!(till.pay(crate::world::PIN).await, "00");
    assert_eq!(told(&world).await.1, [who("01")]);
}

#[tokio::test]
async fn without_anybody_who_keeps_them_terminals_are_told_so() {
    let world = World::new().await;
    let mut till = Till::open(&world, 1).await;
    assert_eq!(till.operate(SIGN_ON, "01", &["7395"]).await, "40");
    till.stan += 1;
    let unsigned =
        till.pos.frame(&till.pos.unsigned(&till.pos.operator(till.stan, SIGN_ON, "01", &["7395"])));
    assert_eq!(till.wire.ask(&unsigned).await.code(), "A0", "no MAC, no question");
}
