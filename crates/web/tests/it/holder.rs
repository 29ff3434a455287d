//! A forgotten PIN over HTTP: two of the staff, a link, the holder's page; and whoever comes with a wrong link.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use authorization::Effect;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use confirmation::Confirmations;
use holder::{Contact, HolderDesk, NotSent, Parts, Reach, Settings};
use hsm::soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule};
use model::{Amount, CardId, Currency, HolderDigits, Kind, Pan, Timestamp};
use office::{NewAccount, Office};
use passkey::{AssertionText, RegistrationText, soft::SoftAuthenticator};
use paycrypto::key_block::KeyUsage;
use serde_json::{Value, json};
use sms::{Contacts, Limits, Outbox, SmsService};
use staff::{Actor, Role, SessionPolicy, totp};
use stepup::{Binding, Challenge, ChallengeId, Change};
use store::{
    Card, CardWork, Engine, Entry, Event, MemoryBook, Registration, Step, Store, StoreError, Subject,
    journal::DeskAction, memory::MemoryEngine,
};
use tower::ServiceExt;

use crate::{archive, fake, passkeys::data};

pub(crate) const PAN: &str = "9100019990473186";
/// The holder's number.
pub(crate) const PHONE: &str = "+99900000001";
/// The secret part of the address for receipts.
pub(crate) const RECEIPTS: &str = "0123456789abcdef";
const PASSWORD: &str = "correct horse battery";
const SECRET: [u8; totp::SECRET_LEN] = [5; totp::SECRET_LEN];
/// Made up for this test.
const PVK: [u8; 16] = *b"\x26\x45\x89\x0d\xce\x51\x73\xf8\x94\xb0\x1f\x2a\x37\xc7\xe9\x62";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Keeps links, and reaches whom the contacts name.
pub(crate) struct Telephone(pub(crate) Mutex<Vec<String>>, Contacts);

#[async_trait]
impl Reach for Telephone {
    async fn contact(&self, card: &CardId) -> Result<Option<Contact>, StoreError> {
        Ok(self.1.of(*card).await?.map(|contact| Contact {
            masked: contact.number.masked(),
            since: contact.since,
            changed: contact.changed,
        }))
    }

    async fn digits(&self, _: &CardId) -> HolderDigits {
        HolderDigits::default()
    }

    async fn activation(&self, _: &CardId, _: &str, link: &str, _: u32) -> Result<(), NotSent> {
        self.0.lock().unwrap().push(link.to_owned());
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

/// What a refusal at the till does to the card.
struct Refusing(Timestamp);

impl Refusing {
    fn challenge(&self) -> Challenge {
        Challenge {
            id: ChallengeId([7; 16]),
            binding: Binding {
                terminal: "T0001234".parse().unwrap(),
                kind: Kind::Sale,
                amount: Amount(7_500),
                currency: Currency::CNY,
            },
            since: self.0,
            until: self.0.plus_s(300),
            valid_s: 300,
            code: None,
            wrong: 0,
            answered: None,
        }
    }
}

#[async_trait]
impl CardWork for Refusing {
    type Error = std::convert::Infallible;

    async fn decide(&mut self, card: &Card) -> Result<Step, Self::Error> {
        let change = Box::new(Change::Issued(self.challenge()));
        let action = DeskAction {
            action: "test".to_owned(),
            actor: "test".to_owned(),
            why: String::new(),
            effects: vec![Effect::StepUp { change }],
        };
        let (subject, seq, event) = (Subject::Card(card.id), card.state.seq + 1, Event::Desk(action));
        Ok(Step::Append(Box::new(Entry { subject, seq, at: self.0, event, exchange: None })))
    }
}

/// The real time, which the desk has too.
fn real() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

pub(crate) struct World {
    console: Router,
    office: Arc<Office>,
    pub(crate) telephone: Arc<Telephone>,
    /// Messages that were sent.
    pub(crate) outbox: Arc<Outbox>,
    now: Arc<AtomicI64>,
    pub(crate) card: CardId,
    store: Store,
    confirmations: Confirmations,
}

impl World {
    pub(crate) async fn new() -> Self {
        let now = Arc::new(AtomicI64::new(1_795_000_000_000));
        let clock = {
            let now = Arc::clone(&now);
            Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
        };
        let office = Office::open(Arc::new(MemoryBook::default()), clock.clone(), SessionPolicy::default());
        let office = Arc::new(office.await.unwrap());
        let mut archive = archive();
        let mut view = archive.cards[0].clone();
        let engine = Arc::new(MemoryEngine::default());
        let pan: Pan = PAN.parse().unwrap();
        (view.id, view.record.pan) = (engine.card_id(&pan), pan.masked());
        let card = view.id;
        let master = || MasterKey::new(&[7; 32]);
        let maker = SoftModule::new(master(), KeyPolicy::Sandbox, Configuration::default());
        let pvk = maker.import_test_key(KeyAttributes::tdes(KeyUsage::PinVerificationVisaPvv), &PVK).unwrap();
        let module =
            SoftModule::new(master(), KeyPolicy::Sandbox, Configuration::default().with_pvk("pvk", pvk));
        let method = ReferenceMethod::Pvv { key: "pvk".to_owned(), pvki: 1 };
        let reference = Some(module.test_reference(&method, &pan, "402817").unwrap());
        let record = view.record.clone();
        engine.register(vec![Registration::Card { pan, record, reference }]).await.unwrap();
        Arc::get_mut(&mut archive).unwrap().cards.push(view);
        let book = Arc::new(MemoryBook::default());
        let contacts = Contacts::sandbox(book.clone(), [(card, PHONE.parse().unwrap())].into());
        let telephone = Arc::new(Telephone(Mutex::default(), contacts.clone()));
        let outbox = Arc::new(Outbox::new(Arc::new(real)));
        let service =
            SmsService::open(book.clone(), outbox.clone(), Arc::new(real), Limits::default(), "Bank");
        let service = service.await.unwrap();
        let store = Store::new(engine);
        let parts = confirmation::Parts {
            store: store.clone(),
            book: book.clone(),
            messages: service.clone(),
            contacts: contacts.clone(),
            clock: Arc::new(real),
            page: "http://127.0.0.1".to_owned(),
        };
        let mut state = fake::state(archive, false);
        state.office = Some(Arc::clone(&office));
        state.cases = Arc::new(fake::cases::awake());
        let confirmations = Confirmations::open(parts).await.unwrap();
        state.confirmations = Some(confirmations.clone());
        let address = "http://127.0.0.1".to_owned();
        let receipts = sms::http::ReceiptsKey::new(RECEIPTS).map(Arc::new);
        state.messages = Some(web::Messages { service, outbox: None, contacts, address, receipts });
        state.store = Some(store.clone());
        state.holder = Some(Arc::new(HolderDesk::new(Parts {
            store: store.clone(),
            book,
            module: Arc::new(module),
            products: authorization::Products::builtin(),
            reach: Arc::clone(&telephone) as Arc<dyn Reach>,
            clock,
            settings: Settings::default(),
        })));
        Self { console: web::Console::new(state), office, telephone, outbox, now, card, store, confirmations }
    }

    pub(crate) async fn account(&self, name: &str, role: Role) -> String {
        let roles = vec![Role::Administrator];
        let (name, person) = (name.to_owned(), name.to_owned());
        let by = Actor {
            name: "system".into(),
            person: "system".into(),
            roles,
            session: String::new(),
            device: String::new(),
            scopes: None,
        };
        let new = NewAccount { name: name.clone(), display: name.clone(), person, roles: vec![role] };
        let link = self.office.open_account(&by, &new).await.unwrap();
        self.office.set_up_with(&link, PASSWORD, &SECRET).await.unwrap();
        let at = self.now.fetch_add(31_000, Ordering::SeqCst) + 31_000;
        let code = totp::code(&SECRET, totp::step(Timestamp(at)));
        let words = json!({ "username": name, "password": PASSWORD, "totp": code });
        let (status, text) = self.ask("POST", "/api/v1/session", &[JSON], words.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let said: Value = serde_json::from_str(&text).unwrap();
        said["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path).header("accept-language", "en");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.console.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 4 << 20).await.unwrap();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let bearer = format!("Bearer {token}");
        let (status, text) =
            self.ask("POST", path, &[JSON, ("authorization", &bearer)], body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The page that the last message leads to.
    fn page(&self) -> String {
        let links = self.telephone.0.lock().unwrap();
        links.last().unwrap().split('#').next().unwrap().to_owned()
    }

    /// Two people reset the PIN.
    async fn reset(&self) {
        let (boss, other) =
            (self.account("boss", Role::Supervisor).await, self.account("other", Role::Supervisor).await);
        let asked = self
            .post(&boss, &format!("/api/v1/cards/{}/reset-pin", self.card), json!({ "why": "forgotten" }))
            .await;
        assert_eq!(asked.0, StatusCode::ACCEPTED, "{}", asked.1);
        let own = self.approve(&boss, &asked.1).await;
        assert_eq!(own.0, StatusCode::CONFLICT, "{}", own.1);
        assert!(self.telephone.0.lock().unwrap().is_empty(), "nothing was sent");
        let done = self.approve(&other, &asked.1).await;
        assert_eq!(done.0, StatusCode::OK, "{}", done.1);
    }

    /// What waits is shown, and approved as shown.
    pub(crate) async fn approve(&self, token: &str, asked: &Value) -> (StatusCode, Value) {
        let id = asked["proposal"].as_str().unwrap();
        let waiting = self.office.proposals().await;
        let shown = waiting.iter().find(|(waits, _)| waits == id).unwrap().1.shown();
        self.post(token, &format!("/api/v1/proposals/{id}/approve"), json!({ "shown": shown })).await
    }

    /// What whoever approves reads.
    pub(crate) async fn consequence(&self, asked: &Value) -> String {
        let id = asked["proposal"].as_str().unwrap();
        let waiting = self.office.proposals().await;
        waiting.iter().find(|(waits, _)| waits == id).unwrap().1.consequence.clone()
    }
}

#[tokio::test]
async fn whoever_asked_for_a_reset_cannot_approve_it() {
    let world = World::new().await;
    world.reset().await;
    assert_eq!(world.telephone.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_holders_page_keeps_what_was_typed_and_shows_no_number() {
    let world = World::new().await;
    world.reset().await;
    let path = world.page();
    let (status, page) = world.ask("GET", &path, &[], String::new()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("data-entry=") && page.contains("holder.js"));
    assert!(!page.contains("3186") && !page.contains(PAN), "the page does not say which card it is");
    assert!(!page.contains("name=\"pin\""), "the PIN's field has no name");
    let body = "tail=1111&entry=00&key=00&sealed=00".to_owned();
    let (status, page) = world.ask("POST", &path, &[FORM], body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("value=\"1111\"") && page.contains("role=\"alert\""));
    let (status, _) =
        world.ask("POST", &path, &[FORM, ("sec-fetch-site", "cross-site")], String::new()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_one_page() {
    let world = World::new().await;
    world.reset().await;
    let good = world.page();
    let (status, expected) = world.ask("GET", "/holder/pin/nonsense", &[], String::new()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let flipped = if good.ends_with('0') { "1" } else { "0" };
    let guessed = format!("{}{flipped}", &good[..good.len() - 1]);
    let strange = format!("/holder/pin/{}", "0".repeat(48));
    let other = good.replace("/holder/pin/", "/holder/");
    let without_address = |page: String, path: &str| page.replace(path, "/holder/pin/nonsense");
    for path in [guessed, strange, other] {
        let (status, page) = world.ask("GET", &path, &[], String::new()).await;
        assert_eq!(
            (status, without_address(page, &path)),
            (StatusCode::NOT_FOUND, expected.clone()),
            "{path}"
        );
    }
    assert_eq!(world.ask("GET", &good, &[], String::new()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_change_on_the_cards_page_keeps_its_fields_without_names() {
    let world = World::new().await;
    let agent = world.account("lin", Role::Agent).await;
    let (status, _) =
        world.post(&agent, &format!("/api/v1/cards/{}/page", world.card), json!({ "why": "asked" })).await;
    assert_eq!(status, StatusCode::OK);
    let own = world.page();
    assert!(world.ask("GET", &own, &[], String::new()).await.1.contains("/holder/change/"));
    let path = own.replace("/holder/", "/holder/change/");
    let (status, page) = world.ask("GET", &path, &[], String::new()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("id=\"present\"")
            && !page.contains("name=\"present\"")
            && !page.contains("name=\"pin\"")
    );
    let unreadable = world.ask("POST", &path, &[FORM], "entry=00&key=00&sealed=00".to_owned()).await;
    assert_eq!(unreadable.0, StatusCode::UNPROCESSABLE_ENTITY);
    let nowhere = world.ask("GET", "/holder/change/nonsense", &[], String::new()).await;
    assert_eq!(nowhere.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_passkey_is_enrolled_on_the_cards_page_and_confirms_a_payment_beside_the_code() {
    const HOST: (&str, &str) = ("host", "localhost:8080");
    let world = World::new().await;
    let agent = world.account("agent", Role::Agent).await;
    let sent =
        world.post(&agent, &format!("/api/v1/cards/{}/page", world.card), json!({ "why": "asked" })).await;
    assert!(sent.0.is_success(), "{}", sent.1);
    let path = world.page();
    let by_number = world.ask("GET", &path, &[("host", "127.0.0.1:8080")], String::new()).await.1;
    assert!(
        by_number.contains(&format!("href=\"http://localhost:8080{path}\""))
            && !by_number.contains("data-passkey")
    );
    let page = world.ask("GET", &path, &[HOST], String::new()).await.1;
    let mut phone = SoftAuthenticator::new("http://localhost:8080", "localhost");
    let made = phone.create(&data(&page, "challenge"), &data(&page, "user")).unwrap();
    let RegistrationText { client_data, attestation } = made;
    let body = format!("label=my+phone&client_data={client_data}&attestation={attestation}");
    let passkeys = format!("{path}/passkeys");
    assert_eq!(
        world.ask("POST", &passkeys, &[HOST, FORM], "label=x".to_owned()).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(world.ask("POST", &passkeys, &[HOST, FORM], body.clone()).await.0, StatusCode::SEE_OTHER);
    assert_eq!(
        world.ask("POST", &passkeys, &[HOST, FORM], body).await.0,
        StatusCode::UNPROCESSABLE_ENTITY,
        "again"
    );
    assert!(world.ask("GET", &path, &[HOST], String::new()).await.1.contains("my phone"));
    let nowhere = world.ask("POST", "/holder/nonsense/passkeys", &[HOST, FORM], String::new()).await;
    assert_eq!(nowhere.0, StatusCode::NOT_FOUND);

    let mut refusing = Refusing(real());
    assert!(world.store.with_card(&world.card, &mut refusing).await.is_ok());
    let confirm = world.confirmations.link(world.card, &refusing.challenge());
    let page = world.ask("GET", &confirm, &[HOST], String::new()).await.1;
    assert!(
        page.contains("data-passkey=\"get\"") && page.contains("name=\"code\""),
        "the other way is there"
    );
    phone.levers.verified = false;
    let challenge = data(&page, "challenge");
    for (verified, status) in
        [(false, StatusCode::UNPROCESSABLE_ENTITY), (true, StatusCode::OK), (true, StatusCode::OK)]
    {
        phone.levers.verified = verified;
        let text = phone.get(&challenge, None).unwrap();
        let AssertionText { id, client_data, authenticator_data, signature, user_handle } = text;
        let body = format!(
            "id={id}&client_data={client_data}&authenticator_data={authenticator_data}&signature={signature}&user_handle={user_handle}"
        );
        let (said, page) = world.ask("POST", &format!("{confirm}/passkey"), &[HOST, FORM], body).await;
        assert_eq!(said, status, "{page}");
        assert_eq!(page.contains("name=\"code\""), !verified);
        assert_eq!(page.contains("role=\"status\""), verified);
    }
    let id = phone.get(b"x", None).unwrap().id;
    let gone = world.ask("POST", &format!("{passkeys}/remove"), &[HOST, FORM], format!("id={id}")).await;
    assert_eq!(gone.0, StatusCode::SEE_OTHER);
    assert!(!world.ask("GET", &path, &[HOST], String::new()).await.1.contains("my phone"));
}
