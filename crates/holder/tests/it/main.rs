//! A forgotten PIN from the reset to the new one, over the memory engine and the soft module; and whoever tries to get in between.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use async_trait::async_trait;
use authorization::{CardRecord, Effect, PinStanding, Products, lock::Lock};
use holder::{
    Closed, Contact, Entered, HolderDesk, NotChanged, NotReset, NotSent, Parts, Reach, Settings, Trouble,
    Wrong,
};
use hsm::{
    SecurityModule,
    soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule},
};
use model::{Amount, CardId, Currency, HolderDigits, Pan, PersonalDigits, ReasonCode, Timestamp};
use paycrypto::key_block::KeyUsage;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    hkdf::{HKDF_SHA256, Salt},
    rand::SystemRandom,
};
use store::{
    Card, CardWork, Engine, Entry, Event, MemoryBook, Registration, Step, Store, StoreError, Subject,
    journal::DeskAction, memory::MemoryEngine,
};

const PAN: &str = "9100019990473186";
const OTHER_PAN: &str = "9100019990473269";
const START: i64 = 1_795_000_000_000;
const HOUR_MS: i64 = 3_600_000;
/// A key of NIST's examples (SP 800-67), for tests only.
const PVK: [u8; 16] = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";

#[derive(Default)]
struct Telephone {
    changed: Mutex<Option<Timestamp>>,
    links: Mutex<Vec<String>>,
}

#[async_trait]
impl Reach for Telephone {
    async fn contact(&self, _: &CardId) -> Result<Option<Contact>, StoreError> {
        let changed = *self.changed.lock().unwrap();
        let since = changed.unwrap_or(Timestamp(0));
        Ok(Some(Contact { masked: "138****8427".to_owned(), since, changed: changed.is_some() }))
    }

    async fn digits(&self, _: &CardId) -> HolderDigits {
        HolderDigits { birth_date: PersonalDigits::of("19870326"), ..HolderDigits::default() }
    }

    async fn activation(&self, _: &CardId, tail: &str, link: &str, _: u32) -> Result<(), NotSent> {
        assert_eq!(tail, "3186");
        self.links.lock().unwrap().push(link.to_owned());
        Ok(())
    }

    async fn page(&self, card: &CardId, tail: &str, link: &str, minutes: u32) -> Result<(), NotSent> {
        self.activation(card, tail, link, minutes).await
    }

    async fn locked(
        &self,
        card: &CardId,
        tail: &str,
        _: Option<Timestamp>,
        link: &str,
    ) -> Result<(), NotSent> {
        self.activation(card, tail, link, 0).await
    }

    async fn changed(&self, _: &CardId, _: &str) -> Result<(), NotSent> {
        Ok(())
    }
}

struct World {
    desk: Arc<HolderDesk>,
    engine: Arc<MemoryEngine>,
    telephone: Arc<Telephone>,
    now: Arc<AtomicI64>,
    card: CardId,
}

impl World {
    async fn new() -> Self {
        let opener = || MasterKey::new(&[7; 32]);
        let maker = SoftModule::new(opener(), KeyPolicy::Sandbox, Configuration::default());
        let pvk = maker.import_test_key(KeyAttributes::tdes(KeyUsage::PinVerificationVisaPvv), &PVK).unwrap();
        let module =
            SoftModule::new(opener(), KeyPolicy::Sandbox, Configuration::default().with_pvk("pvk", pvk));
        let engine = Arc::new(MemoryEngine::default());
        let method = ReferenceMethod::Pvv { key: "pvk".to_owned(), pvki: 1 };
        let mut ids = Vec::new();
        for number in [PAN, OTHER_PAN] {
            let pan: Pan = number.parse().unwrap();
            ids.push(engine.card_id(&pan));
            let reference = Some(module.test_reference(&method, &pan, "402817").unwrap());
            let record = CardRecord {
                pan: pan.masked(),
                expiry: "9912".parse().unwrap(),
                product: "debit-standard".to_owned(),
                currency: Currency::CNY,
                opening_balance: Amount(1_000_000),
            };
            engine.register(vec![Registration::Card { pan, record, reference }]).await.unwrap();
        }
        let (telephone, now) = (Arc::new(Telephone::default()), Arc::new(AtomicI64::new(START)));
        let clock = Arc::clone(&now);
        let desk = Arc::new(HolderDesk::new(Parts {
            store: Store::new(Arc::clone(&engine) as Arc<dyn Engine>),
            book: Arc::new(MemoryBook::default()),
            module: Arc::new(module) as Arc<dyn SecurityModule>,
            products: Products::builtin(),
            reach: Arc::clone(&telephone) as Arc<dyn Reach>,
            clock: Arc::new(move || Timestamp(clock.load(SeqCst))),
            settings: Settings { address: "http://127.0.0.1".to_owned(), ..Settings::default() },
        }));
        Self { desk, engine, telephone, now, card: ids[0] }
    }

    /// Resets the PIN and takes the token out of the message.
    async fn reset(&self) -> String {
        self.desk.reset_pin(&self.card, "lin, approved by wang", "forgotten").await.unwrap();
        self.token()
    }

    fn token(&self) -> String {
        let link = self.telephone.links.lock().unwrap().last().cloned().unwrap();
        link.split('#').next().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// Opens the page and types.
    async fn enter(&self, token: &str, tail: &str, pin: &str) -> Result<(), Trouble> {
        let form = self.desk.open(token).await.map_err(Trouble::Closed)?;
        self.desk.set_pin(token, &typed(&form.entry, tail, pin)).await
    }

    /// A link to the card's page, and what becomes of a change there.
    async fn own_page(&self) -> String {
        self.desk.send_page(&self.card).await.unwrap();
        self.token()
    }

    async fn change(&self, token: &str, present: &str, pin: &str) -> Result<(), NotChanged> {
        let form = self.desk.open_change(token).await?;
        self.desk.change_pin(token, &typed_together(&form.entry, "", &[present, pin])).await
    }

    async fn state(&self) -> authorization::CardState {
        self.engine.card(&self.card).await.unwrap().unwrap().state.clone()
    }

    /// As the last wrong PIN does, until staff act.
    async fn lock(&self) {
        let store = Store::new(Arc::clone(&self.engine) as Arc<dyn Engine>);
        assert!(store.with_card(&self.card, &mut Locking).await.is_ok());
    }

    async fn failed(&self) -> u8 {
        self.state().await.pin.and_then(|pin| pin.reset).map_or(0, |reset| reset.failed)
    }

    fn hours(&self, hours: i64) {
        self.now.fetch_add(hours * HOUR_MS, SeqCst);
    }
}

struct Locking;

#[async_trait]
impl CardWork for Locking {
    type Error = StoreError;

    async fn decide(&mut self, card: &Card) -> Result<Step, StoreError> {
        let lock = Lock { since: Timestamp(START), until: None };
        let effects = vec![Effect::Lock { lock, in_a_row: 1 }];
        let (action, actor, why) = ("test".to_owned(), "test".to_owned(), "test".to_owned());
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Card(card.id),
            seq: card.state.seq + 1,
            at: Timestamp(START),
            event: Event::Desk(DeskAction { action, actor, why, effects }),
            exchange: None,
        })))
    }
}

/// What the page makes of digits, by another hand.
fn typed(entry: &hsm::PinEntry, tail: &str, pin: &str) -> Entered {
    typed_together(entry, tail, &[pin])
}

fn typed_together(entry: &hsm::PinEntry, tail: &str, pins: &[&str]) -> Entered {
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
    let key = private.compute_public_key().unwrap().as_ref().to_vec();
    let info = [&b"pinward pin entry v1"[..], &entry.key, &key];
    let cipher = agree_ephemeral(private, &UnparsedPublicKey::new(&ECDH_P256, &entry.key), |shared| {
        let derived = Salt::new(HKDF_SHA256, &entry.id).extract(shared);
        LessSafeKey::new(UnboundKey::from(derived.expand(&info, &AES_256_GCM).unwrap()))
    });
    let field = |pin: &&str| format!("4{:X}{pin:A<14}0123456789ABCDEF", pin.len());
    let mut text = hex::decode(pins.iter().map(field).collect::<String>()).unwrap();
    let nonce = Nonce::assume_unique_for_key([1; 12]);
    cipher.unwrap().seal_in_place_append_tag(nonce, Aad::from(entry.id), &mut text).unwrap();
    let sealed = hex::encode([&[1; 12][..], &text].concat());
    Entered { tail: tail.to_owned(), entry: hex::encode(entry.id), key: hex::encode(key), sealed }
}

#[track_caller]
fn is_neutral<T: std::fmt::Debug>(result: Result<T, Trouble>) {
    assert!(matches!(result, Err(Trouble::Closed(Closed::Neutral))), "{result:?}");
}

#[tokio::test]
async fn a_forgotten_pin_is_reset_and_set_anew_by_its_holder() {
    let world = World::new().await;
    let token = world.reset().await;
    assert_eq!(world.state().await.pin_standing(), PinStanding::ResetPending);
    world.enter(&token, "3186", "738295").await.unwrap();
    let state = world.state().await;
    assert!(matches!(state.pin_standing(), PinStanding::Set(_)));
    let printed = format!("{:?}", world.engine.journal());
    assert!(
        !printed.contains("738295") && !printed.contains(&token),
        "nothing of PIN or token is journalled"
    );
}

#[tokio::test]
async fn an_activation_is_used_once() {
    let world = World::new().await;
    let token = world.reset().await;
    let first = world.desk.open(&token).await.unwrap();
    world.desk.set_pin(&token, &typed(&first.entry, "3186", "738295")).await.unwrap();
    let before = world.state().await;
    is_neutral(world.enter(&token, "3186", "906174").await);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn an_expired_activation_and_one_that_was_replaced_lead_nowhere() {
    let world = World::new().await;
    let first = world.reset().await;
    world.hours(24);
    is_neutral(world.enter(&first, "3186", "738295").await);
    let second = world.reset().await;
    is_neutral(world.enter(&first, "3186", "738295").await);
    assert_eq!(world.failed().await, 0, "an old link is no guess");
    world.enter(&second, "3186", "738295").await.unwrap();
}

#[tokio::test]
async fn the_digits_of_another_card_are_counted_and_the_last_attempt_closes_the_page() {
    let world = World::new().await;
    let token = world.reset().await;
    for attempt in 1..8 {
        let wrong = world.enter(&token, "3269", "738295").await;
        assert!(matches!(wrong, Err(Trouble::Digits)), "{wrong:?}");
        assert_eq!(world.failed().await, attempt);
    }
    is_neutral(world.enter(&token, "3269", "738295").await);
    is_neutral(world.enter(&token, "3186", "738295").await);
    assert_eq!(world.state().await.pin_standing(), PinStanding::ResetPending);
}

/// None is looked at before it is counted, so together they are no more than the activation allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attempts_that_come_at_once_are_no_more_than_those_that_come_one_by_one() {
    let world = World::new().await;
    let token = world.reset().await;
    let form = world.desk.open(&token).await.unwrap();
    let made = typed(&form.entry, "", "738295");
    let mut tasks = tokio::task::JoinSet::new();
    for tail in 0..40 {
        let (desk, token) = (Arc::clone(&world.desk), token.clone());
        let entered = Entered { tail: format!("{tail:04}"), ..made.clone() };
        tasks.spawn(async move { desk.set_pin(&token, &entered).await });
    }
    let outcomes = tasks.join_all().await;
    let told = outcomes.iter().filter(|outcome| matches!(outcome, Err(Trouble::Digits))).count();
    assert!(told < 8, "{told} were told that their digits are wrong");
    assert_eq!(world.failed().await, 8);
    is_neutral(world.desk.set_pin(&token, &Entered { tail: "3186".to_owned(), ..made }).await);
    assert_eq!(world.state().await.pin_standing(), PinStanding::ResetPending);
}

#[tokio::test]
async fn a_guessed_token_is_counted_and_the_answer_is_the_same_as_for_no_card() {
    let world = World::new().await;
    let token = world.reset().await;
    let mut guessed = token.clone();
    guessed.replace_range(47.., if token.ends_with('0') { "1" } else { "0" });
    is_neutral(world.enter(&guessed, "3186", "738295").await);
    assert_eq!(world.failed().await, 1);
    for nothing in ["", "zz", &"0".repeat(48), &"0".repeat(5000)] {
        is_neutral(world.enter(nothing, "3186", "738295").await);
    }
    assert_eq!(world.failed().await, 1);
}

#[tokio::test]
async fn a_guessable_pin_the_old_one_and_the_holders_birthday_are_refused_and_counted() {
    let world = World::new().await;
    let token = world.reset().await;
    for (attempt, pin) in ["123456", "402817", "870326", "318690"].into_iter().enumerate() {
        let allowed = pin == "318690";
        let result = world.enter(&token, "3186", pin).await;
        assert_eq!(result.is_ok(), allowed, "{pin}: {result:?}");
        if !allowed {
            assert!(matches!(result, Err(Trouble::Refused)));
            assert_eq!(usize::from(world.failed().await), attempt + 1);
        }
    }
}

#[tokio::test]
async fn what_another_page_encrypted_is_not_taken() {
    let world = World::new().await;
    let token = world.reset().await;
    let old = world.desk.open(&token).await.unwrap();
    let new = world.desk.open(&token).await.unwrap();
    let stale = world.desk.set_pin(&token, &typed(&old.entry, "3186", "738295")).await;
    assert!(matches!(stale, Err(Trouble::Unreadable)), "{stale:?}");
    world.desk.set_pin(&token, &typed(&new.entry, "3186", "738295")).await.unwrap();
}

#[tokio::test]
async fn a_contact_that_was_changed_gets_no_reset_while_the_hold_lasts() {
    let world = World::new().await;
    *world.telephone.changed.lock().unwrap() = Some(Timestamp(START));
    world.hours(23);
    let held = world.desk.reset_pin(&world.card, "lin", "forgotten").await;
    assert!(matches!(held, Err(NotReset::OnHold { .. })), "{held:?}");
    assert_eq!(world.state().await.pin_standing(), PinStanding::Registered);
    assert!(world.telephone.links.lock().unwrap().is_empty());
    world.hours(1);
    world.reset().await;
}

#[tokio::test]
async fn a_cards_page_says_what_is_wrong_and_nothing_that_helps_a_thief() {
    let world = World::new().await;
    assert_eq!(world.desk.send_page(&world.card).await.unwrap(), "138****8427");
    let page = world.token();
    assert_eq!(world.desk.standing(&page).await.unwrap().wrong, None);
    let token = world.reset().await;
    assert_eq!(world.desk.standing(&page).await.unwrap().wrong, Some(Wrong::ResetPending));
    assert!(matches!(world.desk.standing(&token).await, Err(Closed::Neutral)), "each link for its purpose");
    is_neutral(world.enter(&page, "3186", "738295").await);
    world.hours(1);
    assert!(matches!(world.desk.standing(&page).await, Err(Closed::Neutral)));
}

#[tokio::test]
async fn a_pin_is_changed_on_the_cards_page_by_whoever_knows_it() {
    let world = World::new().await;
    let token = world.own_page().await;
    assert!(world.desk.standing(&token).await.unwrap().may_change);
    assert!(matches!(world.change(&token, "402917", "738295").await, Err(NotChanged::Wrong)));
    assert_eq!(world.state().await.tries.used(), 1);
    // A new PIN that is not allowed is told behind the right one only, and costs no try.
    assert!(matches!(world.change(&token, "402817", "123456").await, Err(NotChanged::Refused)));
    assert_eq!(world.state().await.tries.used(), 1);
    world.change(&token, "402817", "738295").await.unwrap();
    assert_eq!(world.state().await.tries.used(), 0);
    assert!(
        matches!(world.change(&token, "402817", "916384").await, Err(NotChanged::Wrong)),
        "the old one is dead"
    );
    // and not soon again
    assert!(matches!(world.change(&token, "738295", "402817").await, Err(NotChanged::Refused)));
}

#[tokio::test]
async fn guesses_on_the_cards_page_are_the_tries_of_the_tills() {
    let world = World::new().await;
    let token = world.own_page().await;
    let mut entries = Vec::new();
    // A thief opens many pages first: only the last entry of a card lives. (A PVV is made of the first four digits.)
    for _ in 0..6 {
        entries.push(world.desk.open_change(&token).await.unwrap().entry);
    }
    let stale = world.desk.change_pin(&token, &typed_together(&entries[0], "", &["402817", "738295"])).await;
    assert!(matches!(stale, Err(NotChanged::Unreadable)), "{stale:?}");
    assert_eq!(world.state().await.tries.used(), 0);
    let mut wrong = 0;
    for guess in ["402117", "402217", "402317", "402417", "402517", "402817"] {
        match world.change(&token, guess, "738295").await {
            Err(NotChanged::Wrong) => wrong += 1,
            Err(NotChanged::NotNow(reason)) => {
                assert!([ReasonCode::CardLocked, ReasonCode::StepUpRequired].contains(&reason), "{reason:?}")
            }
            other => panic!("{other:?}"),
        }
    }
    let state = world.state().await;
    let limit = Products::builtin().get("debit-standard").unwrap().pin_try_limit.get();
    assert!(wrong == state.tries.used() && wrong <= limit, "{wrong} guesses of {limit}");
    assert!(state.lock.is_some() || state.step_up.is_some());
    assert!(!world.desk.standing(&token).await.unwrap().may_change);
    let nothing = world.desk.open_change("nonsense").await;
    assert!(matches!(nothing, Err(NotChanged::Closed(Closed::Neutral))));
}

#[tokio::test]
async fn guesses_that_come_at_once_are_no_more_than_those_that_come_one_by_one() {
    let world = World::new().await;
    let token = world.own_page().await;
    for round in 0..8 {
        let Ok(form) = world.desk.open_change(&token).await else { break };
        let (token, entry) = (token.as_str(), &form.entry);
        let wrong = format!("402{}17", round % 7);
        let (a, b) = (
            typed_together(entry, "", &[&wrong, "738295"]),
            typed_together(entry, "", &["402017", "738295"]),
        );
        let before = world.state().await.tries.used();
        let told = tokio::join!(world.desk.change_pin(token, &a), world.desk.change_pin(token, &b));
        let guesses = [told.0, told.1].iter().filter(|t| matches!(t, Err(NotChanged::Wrong))).count();
        assert!(guesses <= 1, "one entry, one guess");
        assert_eq!(usize::from(world.state().await.tries.used() - before), guesses);
    }
}

#[tokio::test]
async fn a_lock_is_told_where_the_holder_is_reached_and_not_at_a_number_that_was_just_changed() {
    let world = World::new().await;
    assert!(!world.desk.tell_of_lock(&world.card, None).await.unwrap(), "a card that is not locked");
    world.lock().await;
    assert!(world.desk.tell_of_lock(&world.card, None).await.unwrap());
    let link = world.telephone.links.lock().unwrap().pop().unwrap();
    let standing = world.desk.standing(link.rsplit('/').next().unwrap()).await.unwrap();
    assert_eq!(standing.wrong, Some(Wrong::Locked { until: None }));
    *world.telephone.changed.lock().unwrap() = Some(Timestamp(START - HOUR_MS));
    assert!(!world.desk.tell_of_lock(&world.card, None).await.unwrap(), "on hold");
    assert!(world.telephone.links.lock().unwrap().is_empty());
    world.now.store(START + 24 * HOUR_MS, SeqCst);
    assert!(world.desk.tell_of_lock(&world.card, None).await.unwrap(), "the hold is over");
}
