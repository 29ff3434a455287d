//! The shop's people in the book: what two hosts see, what stands there, and links.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use model::{MerchantId, OperatorId, Stan, Timestamp};
use operator::{Answer, Asked, Attempt, Password, Refusal, Rules, Wish};
use shop::{NotDone, Parts, ShopDesk};
use store::{Book, BookError, MemoryBook, StoreError, book::Fact};
use tokio::sync::watch;

const WRONG: Answer = Answer::Refused(Refusal::WrongPassword);
const LOCKED: Answer = Answer::Refused(Refusal::Locked);

struct Shop {
    desk: ShopDesk,
    now: Arc<AtomicI64>,
    stan: AtomicI64,
}

/// Two cashiers and a supervisor, whose passwords everybody knows.
fn shop(book: Arc<dyn Book>) -> Shop {
    let now = Arc::new(AtomicI64::new(1_795_000_000_000));
    let people = [("01", "7395"), ("02", "5028"), ("00", "482917")];
    let everywhere = people.map(|(who, digits)| (id(who), password(digits)));
    let clock = {
        let now = Arc::clone(&now);
        Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
    };
    let desk = ShopDesk::new(Parts {
        book,
        rules: Rules::builtin().clone(),
        clock,
        address: "https://acquirer.example".into(),
        everywhere: everywhere.to_vec(),
    });
    Shop { desk, now, stan: AtomicI64::new(0) }
}

fn id(text: &str) -> OperatorId {
    text.parse().unwrap()
}

fn password(digits: &str) -> Password {
    Password::new(digits).unwrap()
}

fn merchant() -> MerchantId {
    "898510154110283".parse().unwrap()
}

impl Shop {
    async fn ask(&self, terminal: u32, who: &str, wish: Wish) -> Answer {
        let stan = u32::try_from(self.stan.fetch_add(1, Ordering::SeqCst) + 1).unwrap();
        let attempt = Attempt {
            terminal: format!("{terminal:08}").parse().unwrap(),
            session: Timestamp(1),
            stan: Stan::new(stan).unwrap(),
            digest: stan.into(),
        };
        let now = Timestamp(self.now.load(Ordering::SeqCst));
        let asked = Asked { merchant: merchant(), operator: id(who), attempt, wish, now };
        self.desk.ask(asked).await.unwrap()
    }

    async fn sign_on(&self, terminal: u32, who: &str, digits: &str) -> Answer {
        self.ask(terminal, who, Wish::SignOn(Some(password(digits)))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_count_together_and_nothing_in_the_book_can_be_read() {
    let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
    let (one, other) = (shop(Arc::clone(&book)), shop(Arc::clone(&book)));
    other.stan.store(500, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(one.sign_on(1, "01", "9046").await, WRONG);
        assert_eq!(other.sign_on(2, "01", "9157").await, WRONG);
    }
    assert_eq!(one.sign_on(3, "01", "9046").await, WRONG);
    assert_eq!(other.sign_on(4, "01", "7395").await, LOCKED);
    assert_eq!(one.ask(3, "02", Wish::SignOn(None)).await, Answer::Refused(Refusal::Unreadable));
    assert_eq!(one.sign_on(3, "77", "9046").await, Answer::Refused(Refusal::Unknown));
    let listed = other.desk.operators(merchant()).await.unwrap();
    assert_eq!(
        listed.iter().filter(|one| one.locked).map(|one| one.operator).collect::<Vec<_>>(),
        [id("01")]
    );
    for fact in book.read_all(0, 1000).await.unwrap() {
        let body = String::from_utf8(fact.body).unwrap();
        assert!(!body.contains("hash") && !body.contains("7395") && !body.contains("operator"), "{body}");
    }
}

#[tokio::test]
async fn a_first_password_is_drawn_by_the_rules_and_must_be_changed() {
    let shop = shop(Arc::new(MemoryBook::default()));
    let first = shop.desk.reset(merchant(), id("01"), "li.na", false).await.unwrap();
    assert_eq!(first.reveal().len(), 6);
    assert_eq!(shop.sign_on(1, "01", "7395").await, WRONG);
    assert_eq!(shop.sign_on(1, "01", first.reveal()).await, Answer::MustChange);
    let change = |new: &str| Wish::Change { present: Some(first.clone()), new: Some(password(new)) };
    let easy = Answer::Refused(Refusal::NewPassword);
    assert_eq!(shop.ask(1, "01", change("1234")).await, easy);
    assert_eq!(shop.ask(1, "01", change("7395")).await, easy, "used before");
    assert!(matches!(shop.ask(1, "01", change("5194")).await, Answer::SignedOn { .. }));
    let taken = shop.desk.reset(merchant(), id("01"), "li.na", true).await;
    assert!(matches!(taken, Err(NotDone::Taken)));
    let nobody = shop.desk.reset(merchant(), id("77"), "li.na", false).await;
    assert!(matches!(nobody, Err(NotDone::NoOperator)));
    shop.desk.close(merchant(), id("01"), "li.na").await.unwrap();
    assert_eq!(shop.sign_on(1, "01", "5194").await, Answer::Refused(Refusal::Unknown));
}

#[tokio::test]
async fn a_link_is_one_shops_and_expires() {
    let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
    let shop = shop(Arc::clone(&book));
    let (address, until) = shop.desk.link(merchant(), 1, "li.na").await.unwrap();
    let token = address.strip_prefix("https://acquirer.example/shop/").unwrap();
    assert_eq!(shop.desk.visit(token).await.unwrap().merchant, merchant());
    let kept = book.read_all(0, 10).await.unwrap();
    assert!(
        kept.iter().all(|fact| !String::from_utf8_lossy(&fact.body).contains(&token[16..])),
        "a digest alone"
    );
    let end = if token.ends_with('0') { "1" } else { "0" };
    let other = format!("{}{end}", &token[..token.len() - 1]);
    for wrong in [other.as_str(), "nonsense", "", &token[..16], &"0".repeat(48)] {
        assert!(matches!(shop.desk.visit(wrong).await, Err(NotDone::Neutral)), "{wrong}");
        let reset = shop.desk.reset_by_link(wrong, id("01")).await;
        assert!(matches!(reset, Err(NotDone::Neutral)), "{wrong}");
    }
    assert!(shop.desk.reset_by_link(token, id("01")).await.is_ok());
    shop.now.store(until.0, Ordering::SeqCst);
    assert!(matches!(shop.desk.visit(token).await, Err(NotDone::Neutral)), "expired");
}

/// A book that keeps what it is told and does not say so.
struct Silent(MemoryBook);

#[async_trait]
impl Book for Silent {
    async fn append(
        &self,
        stream: &str,
        expected_seq: u32,
        at: Timestamp,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<u64, BookError> {
        let kept = self.0.append(stream, expected_seq, at, kind, body).await;
        // The first ones are the shop's people.
        if expected_seq < 3 { kept } else { kept.and(Err(BookError::Unknown("power".to_owned()))) }
    }

    async fn read(&self, stream: &str, after_seq: u32, limit: u32) -> Result<Vec<Fact>, StoreError> {
        self.0.read(stream, after_seq, limit).await
    }

    async fn read_all(&self, after_place: u64, limit: u32) -> Result<Vec<Fact>, StoreError> {
        self.0.read_all(after_place, limit).await
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    fn seal(&self, owner: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.seal(owner, secret)
    }

    fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.open(owner, sealed)
    }
}

#[tokio::test]
async fn a_crash_between_counter_and_answer_gives_no_guess_away() {
    let shop = shop(Arc::new(Silent(MemoryBook::default())));
    for stan in 1..=5 {
        let attempt = Attempt {
            terminal: "00000001".parse().unwrap(),
            session: Timestamp(1),
            stan: Stan::new(stan).unwrap(),
            digest: stan.into(),
        };
        let wish = Wish::SignOn(Some(password("9046")));
        let asked = Asked { merchant: merchant(), operator: id("01"), attempt, wish, now: Timestamp(7) };
        assert!(shop.desk.ask(asked).await.is_err(), "nobody is told right or wrong");
    }
    shop.stan.store(9, Ordering::SeqCst);
    assert_eq!(shop.sign_on(1, "01", "7395").await, LOCKED, "and each was counted");
}
