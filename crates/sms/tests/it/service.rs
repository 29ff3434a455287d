//! The service on the memory book.

use std::{sync::Arc, time::Duration};

use model::{CardId, Timestamp};
use sms::{
    Contacts, Gateway, Kind, Language, Limits, NotTaken, Order, Outbox, PhoneNumber, Receipt, SmsError,
    SmsService, Status, Taken,
};
use store::{Book, MemoryBook};
use zeroize::Zeroizing;

use crate::gateways::{Hands, Scripted};

const NUMBER: &str = "+8613900001234";
const CARD: CardId = CardId([7; 16]);
const NOON: i64 = 1_800_000_000_000;

fn order(number: &str, code: &str) -> Order {
    let value = |text: &str| Zeroizing::new(text.to_owned());
    Order {
        to: number.parse().unwrap(),
        card: Some(CARD),
        kind: Kind::StepUpCode,
        language: Language::En,
        values: vec![
            ("code", value(code)),
            ("card", value("0018")),
            ("amount", value("75.00")),
            ("minutes", value("5")),
            ("link", value("http://127.0.0.1/confirm/x")),
        ],
    }
}

async fn open(
    book: &Arc<MemoryBook>,
    gateway: Arc<dyn Gateway>,
    hands: &Hands,
    limits: Limits,
) -> SmsService {
    SmsService::open(book.clone(), gateway, hands.clock(), limits, "Bank of Pinward").await.unwrap()
}

/// Waits until the newest message stands so.
async fn becomes(service: &SmsService, expected: &Status) {
    for _ in 0..1_000 {
        if service.newest(1).await.unwrap().first().is_some_and(|sent| sent.status == *expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} never became {expected:?}", service.newest(1).await.unwrap());
}

#[tokio::test]
async fn a_message_lies_in_the_outbox_and_nothing_of_it_in_the_book() {
    let (book, hands) = (Arc::new(MemoryBook::default()), Hands::at(NOON));
    let outbox = Arc::new(Outbox::new(hands.clock()));
    let service = open(&book, outbox.clone(), &hands, Limits::default()).await;
    let id = service.send(order(NUMBER, "482913")).await.unwrap();
    becomes(&service, &Status::Taken).await;
    let shown = outbox.newest(10);
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].id.as_str(), shown[0].to.as_str()), (id.as_str(), NUMBER));
    assert!(shown[0].text.contains("482913") && shown[0].text.starts_with("[Bank of Pinward]"));
    for fact in book.read_all(0, 100).await.unwrap() {
        let body = String::from_utf8_lossy(&fact.body).into_owned();
        assert!(!body.contains("482913") && !body.contains("13900001234"), "{body}");
    }
    assert_eq!(service.newest(5).await.unwrap()[0].masked, "+861****1234");
}

#[tokio::test]
async fn a_limit_holds_over_hosts_and_restarts() {
    let (book, hands) = (Arc::new(MemoryBook::default()), Hands::at(NOON));
    let limits = Limits { number_hour: 3, ..Limits::default() };
    let outbox = Arc::new(Outbox::new(hands.clock()));
    let hosts = [
        open(&book, outbox.clone(), &hands, limits).await,
        open(&book, outbox.clone(), &hands, limits).await,
    ];
    let asks = (0..12).map(|n| {
        let host = hosts[n % 2].clone();
        tokio::spawn(async move { host.send(order(NUMBER, "111222")).await.is_ok() })
    });
    let mut sent = 0;
    for ask in asks.collect::<Vec<_>>() {
        sent += usize::from(ask.await.unwrap());
    }
    assert_eq!(sent, 3, "twelve asked at two hosts");
    let again = open(&book, outbox.clone(), &hands, limits).await;
    let refused = again.send(order(NUMBER, "111222")).await;
    assert!(matches!(refused, Err(SmsError::Limited(_))), "a restart forgets nothing");
    hands.forward_s(3_601);
    assert!(again.send(order(NUMBER, "111222")).await.is_ok());
    again.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_may_be_tried_again_is_and_what_may_have_arrived_is_not() {
    let (book, hands) = (Arc::new(MemoryBook::default()), Hands::at(NOON));
    let taken = Taken { reference: Some("m-1".to_owned()) };
    let gateway = Scripted::new(vec![Err(NotTaken::for_now("connection refused")), Ok(taken)]);
    let service = open(&book, gateway.clone(), &hands, Limits::default()).await;
    service.send(order(NUMBER, "482913")).await.unwrap();
    service.stop().await;
    becomes(&service, &Status::Taken).await;
    assert_eq!(gateway.given.lock().unwrap().len(), 2);

    let gateway = Scripted::new(vec![Err(NotTaken::for_good("no answer to +8613900001234"))]);
    let service = open(&book, gateway.clone(), &hands, Limits::default()).await;
    service.send(order(NUMBER, "482913")).await.unwrap();
    service.stop().await;
    becomes(&service, &Status::GivenUp("no answer to +***".to_owned())).await;
    assert_eq!(gateway.given.lock().unwrap().len(), 1, "it may have arrived");
}

#[tokio::test]
async fn a_receipt_finds_its_message() {
    let (book, hands) = (Arc::new(MemoryBook::default()), Hands::at(NOON));
    let gateway = Scripted::new(vec![Ok(Taken { reference: Some("m-7".to_owned()) })]);
    let service = open(&book, gateway, &hands, Limits::default()).await;
    service.send(order(NUMBER, "482913")).await.unwrap();
    becomes(&service, &Status::Taken).await;
    let receipt = |reference: &str, delivered| Receipt {
        reference: reference.to_owned(),
        delivered,
        said: "UNDELIV".to_owned(),
    };
    assert!(!service.received(&receipt("m-8", true)).await.unwrap(), "not ours");
    assert!(service.received(&receipt("m-7", false)).await.unwrap());
    becomes(&service, &Status::Undelivered("UNDELIV".to_owned())).await;
}

#[tokio::test]
async fn a_contact_is_sealed_and_its_change_is_dated() {
    let book = Arc::new(MemoryBook::default());
    let contacts = Contacts::new(book.clone());
    assert_eq!(contacts.of(CARD).await.unwrap(), None);
    let (first, second): (PhoneNumber, PhoneNumber) =
        (NUMBER.parse().unwrap(), "+12025550143".parse().unwrap());
    contacts.set(CARD, &first, Language::Zh, "import", Timestamp(NOON)).await.unwrap();
    let known = contacts.of(CARD).await.unwrap().unwrap();
    assert_eq!((known.number, known.since, known.changed), (first, Timestamp(NOON), false));
    contacts.set(CARD, &second, Language::En, "li.na", Timestamp(NOON + 5)).await.unwrap();
    let known = contacts.of(CARD).await.unwrap().unwrap();
    assert_eq!((known.number, known.since, known.changed), (second, Timestamp(NOON + 5), true));
    for fact in book.read_all(0, 100).await.unwrap() {
        let body = String::from_utf8_lossy(&fact.body).into_owned();
        assert!(!body.contains("13900001234") && !body.contains("2025550143"), "{body}");
    }
}

#[tokio::test]
async fn a_number_that_was_asked_for_is_held_even_when_it_is_the_first() {
    let book = Arc::new(MemoryBook::default());
    let contacts = Contacts::new(book.clone());
    let number: PhoneNumber = NUMBER.parse().unwrap();
    let sealed = contacts.seal(CARD, &number).unwrap();
    assert!(!sealed.contains("13900001234"));
    let other = CardId([8; 16]);
    let moved =
        contacts.change(other, &sealed, Language::Zh, "li.na, approved by wang", Timestamp(NOON)).await;
    assert!(moved.is_err(), "it was sealed for another card");
    contacts.change(CARD, &sealed, Language::Zh, "li.na, approved by wang", Timestamp(NOON)).await.unwrap();
    let known = contacts.of(CARD).await.unwrap().unwrap();
    assert_eq!(known.number, number);
    assert_eq!(known.held_until(Timestamp(NOON + 1)), Some(Timestamp(NOON + 24 * 3_600_000)));
    assert_eq!(known.held_until(Timestamp(NOON + 24 * 3_600_000)), None);
    let sandbox = Contacts::sandbox(book, [(other, number.clone())].into());
    assert_eq!(sandbox.of(other).await.unwrap().unwrap().held_until(Timestamp(NOON)), None);
    sandbox.set(other, &number, Language::Zh, "li.na", Timestamp(NOON)).await.unwrap();
    assert!(sandbox.of(other).await.unwrap().unwrap().held_until(Timestamp(NOON)).is_some());
}
