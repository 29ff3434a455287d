//! A holder answers, on the memory store: what was sent, what the link shows, what an answer changes, and over two hosts.

mod passkeys;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use async_trait::async_trait;
use authorization::{CardRecord, Effect};
use confirmation::{Answer, Confirmations, NotAnswered, NotSeen, Parts, Told};
use model::{Amount, CardId, Currency, Kind, Pan, Secret, Timestamp};
use sms::{Contacts, Limits, Outbox, SmsService};
use stepup::{Binding, Challenge, ChallengeId, Change, Fresh, Proofs, totp};
use store::{
    Card, CardWork, Engine, Entry, Event, MemoryBook, Registration, Step, Store, Subject,
    journal::DeskAction, memory::MemoryEngine,
};

const PAN: &str = "9100010000000111110";
const PHONE: &str = "+99900000001";
const START: i64 = 1_800_000_000_000;
const CODE: &str = "482913";
const VALID_S: u32 = 300;

struct World {
    store: Store,
    card: CardId,
    outbox: Arc<Outbox>,
    hosts: [Confirmations; 2],
    hands: Arc<AtomicI64>,
}

impl World {
    async fn new() -> Self {
        let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::default());
        let pan: Pan = PAN.parse().unwrap();
        let record = CardRecord {
            pan: pan.masked(),
            expiry: "9912".parse().unwrap(),
            product: "debit-standard".to_owned(),
            currency: Currency::CNY,
            opening_balance: Amount(1_000_000),
        };
        let card = engine.card_id(&pan);
        engine.register(vec![Registration::Card { pan, record, reference: None }]).await.unwrap();
        let book = Arc::new(MemoryBook::default());
        let hands = Arc::new(AtomicI64::new(START));
        let moving = hands.clone();
        let clock: sms::Clock = Arc::new(move || Timestamp(moving.load(SeqCst)));
        let outbox = Arc::new(Outbox::new(clock.clone()));
        let contacts = Contacts::sandbox(book.clone(), [(card, PHONE.parse().unwrap())].into());
        let store = Store::new(engine);
        let messages =
            SmsService::open(book.clone(), outbox.clone(), clock.clone(), Limits::default(), "Bank")
                .await
                .unwrap();
        let host = async || {
            let parts = Parts {
                store: store.clone(),
                book: book.clone(),
                messages: messages.clone(),
                contacts: contacts.clone(),
                clock: clock.clone(),
                page: "http://127.0.0.1:8080".to_owned(),
            };
            Confirmations::open(parts).await.unwrap()
        };
        let hosts = [host().await, host().await];
        Self { store, card, outbox, hosts, hands }
    }

    fn forward_s(&self, s: i64) {
        self.hands.fetch_add(s * 1000, SeqCst);
    }

    async fn append(&self, change: Change) {
        let at = Timestamp(self.hands.load(SeqCst));
        assert!(self.store.with_card(&self.card, &mut Appending { change, at }).await.is_ok());
    }

    /// What a refusal at the till does.
    async fn challenge(&self, serial: u8) -> Challenge {
        let id = ChallengeId([serial; 16]);
        let binding = Binding {
            terminal: "10000001".parse().unwrap(),
            kind: Kind::Sale,
            amount: Amount(7_500),
            currency: Currency::CNY,
        };
        let fresh = Fresh { id, code: self.hosts[0].key().digest(id, CODE) };
        let now = Timestamp(self.hands.load(SeqCst));
        let issued = self.proofs().await.issue(binding, &fresh, VALID_S, now).unwrap();
        self.append(issued.clone()).await;
        let Change::Issued(challenge) = issued else { panic!("it was issued") };
        challenge
    }

    async fn proofs(&self) -> Proofs {
        let card = self.store.engine().card(&self.card).await.unwrap().unwrap();
        card.state.proofs.as_deref().cloned().unwrap_or_default()
    }

    fn token(&self, challenge: &Challenge) -> String {
        self.hosts[0].link(self.card, challenge).rsplit('/').next().unwrap().to_owned()
    }
}

struct Appending {
    change: Change,
    at: Timestamp,
}

#[async_trait]
impl CardWork for Appending {
    type Error = std::convert::Infallible;

    async fn decide(&mut self, card: &Card) -> Result<Step, Self::Error> {
        let action = DeskAction {
            action: "test".to_owned(),
            actor: "test".to_owned(),
            why: String::new(),
            effects: vec![Effect::StepUp { change: Box::new(self.change.clone()) }],
        };
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Card(card.id),
            seq: card.state.seq + 1,
            at: self.at,
            event: Event::Desk(action),
            exchange: None,
        })))
    }
}

fn is_nothing<T: std::fmt::Debug>(answered: Result<T, NotAnswered>) {
    assert!(matches!(answered, Err(NotAnswered::Nothing)), "{answered:?}");
}

#[tokio::test]
async fn the_holder_gets_code_and_link_and_the_link_shows_the_payment() {
    let world = World::new().await;
    let challenge = world.challenge(1).await;
    let told = Told {
        card: world.card,
        pan: PAN.parse::<Pan>().unwrap().masked(),
        amount: Amount(7_500),
        challenge: challenge.clone(),
        code: Secret::new(CODE.to_owned()),
    };
    world.hosts[0].tell(&told).await;
    for _ in 0..1_000 {
        if !world.outbox.newest(1).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let message = world.outbox.newest(1).remove(0);
    assert_eq!(message.to.as_str(), PHONE);
    let link = world.hosts[1].link(world.card, &challenge);
    for part in [CODE, "1110", "75.00", &link] {
        assert!(message.text.contains(part), "{part}: {}", message.text.as_str());
    }
    let asked = world.hosts[1].look(&world.token(&challenge)).await.unwrap();
    assert_eq!((asked.amount, asked.by_code, asked.passed_until), (Amount(7_500), true, None));
}

#[tokio::test]
async fn two_hosts_take_one_answer_once() {
    let world = World::new().await;
    let challenge = world.challenge(1).await;
    let token = world.token(&challenge);
    let answers = (0..8).map(|n| {
        let (host, token) = (world.hosts[n % 2].clone(), token.clone());
        tokio::spawn(async move { host.answer_code(&token, CODE).await.is_ok() })
    });
    let mut right = 0;
    for answer in answers.collect::<Vec<_>>() {
        right += usize::from(answer.await.unwrap());
    }
    assert_eq!(right, 1);
    assert!(world.proofs().await.challenge.unwrap().answered.is_some());
}

#[tokio::test]
async fn hosts_together_give_no_more_guesses_than_one() {
    let world = World::new().await;
    let mut looked_at = 0;
    for serial in 1..=4 {
        let token = world.token(&world.challenge(serial).await);
        let guesses = (0..12).map(|n| {
            let (host, token) = (world.hosts[n % 2].clone(), token.clone());
            tokio::spawn(async move { host.answer_code(&token, "000000").await })
        });
        for guess in guesses.collect::<Vec<_>>() {
            looked_at += usize::from(matches!(guess.await.unwrap(), Ok(Answer::Wrong)));
        }
        world.forward_s(400);
    }
    assert_eq!(looked_at, 6, "three at each of two challenges, and then the day is over");
    let challenge = world.challenge(9).await;
    assert_eq!(challenge.code, None);
    is_nothing(world.hosts[0].answer_code(&world.token(&challenge), CODE).await);
    assert!(!world.hosts[0].look(&world.token(&challenge)).await.unwrap().by_code);
}

#[tokio::test]
async fn a_link_that_is_wrong_used_or_old_shows_nothing() {
    let world = World::new().await;
    let nothing = async |token: &str| {
        let seen = world.hosts[0].look(token).await;
        assert!(matches!(seen, Err(NotSeen::Nothing)), "{seen:?}");
        is_nothing(world.hosts[0].answer_code(token, CODE).await);
    };
    nothing("").await;
    nothing(&"A".repeat(64)).await;
    let first = world.challenge(1).await;
    let token = world.token(&first);
    assert!(matches!(world.hosts[0].answer_code(&token, "12").await, Err(NotAnswered::NoCode)));
    world.forward_s(stepup::proofs::ANSWER_S);
    nothing(&token).await;
    let second = world.challenge(2).await;
    nothing(&token).await;
    let token = world.token(&second);
    assert!(matches!(world.hosts[0].answer_code(&token, CODE).await, Ok(Answer::Right(_))));
    is_nothing(world.hosts[1].answer_code(&token, CODE).await);
    world.append(Change::Used { id: second.id }).await;
    nothing(&token).await;
}

#[tokio::test]
async fn a_code_of_the_authenticator_app_answers_too_and_once() {
    let world = World::new().await;
    let secret = world.hosts[0].enrol_totp(world.card, "sandbox").await.unwrap();
    assert!(world.hosts[1].enrolled(world.card).await.unwrap().has_totp());
    let token = world.token(&world.challenge(1).await);
    let said = totp::code(&*secret, totp::step(Timestamp(START)));
    assert!(matches!(world.hosts[1].answer_code(&token, &said).await, Ok(Answer::Right(_))));
    world.append(Change::Used { id: ChallengeId([1; 16]) }).await;
    let token = world.token(&world.challenge(2).await);
    assert!(matches!(world.hosts[0].answer_code(&token, &said).await, Ok(Answer::Wrong)), "used");
    world.hosts[0].remove_totp(world.card, "sandbox").await.unwrap();
    world.forward_s(30);
    let later = totp::code(&*secret, totp::step(Timestamp(START + 30_000)));
    assert!(matches!(world.hosts[0].answer_code(&token, &later).await, Ok(Answer::Wrong)), "taken away");
}
