//! A forgotten PIN over HTTP: two of the staff, a link, the holder's page; and whoever comes with a wrong link.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use holder::{Contact, HolderDesk, NotSent, Parts, Reach, Settings};
use hsm::soft::{Configuration, KeyAttributes, KeyPolicy, MasterKey, ReferenceMethod, SoftModule};
use model::{CardId, HolderDigits, Pan, Timestamp};
use office::{NewAccount, Office};
use paycrypto::key_block::KeyUsage;
use serde_json::{Value, json};
use staff::{Actor, Role, SessionPolicy, totp};
use store::{Engine, MemoryBook, Registration, Store, StoreError, memory::MemoryEngine};
use tower::ServiceExt;

use crate::{archive, fake};

const PAN: &str = "9100019990473186";
const PASSWORD: &str = "correct horse battery";
const SECRET: [u8; totp::SECRET_LEN] = [5; totp::SECRET_LEN];
/// Made up for this test.
const PVK: [u8; 16] = *b"\x26\x45\x89\x0d\xce\x51\x73\xf8\x94\xb0\x1f\x2a\x37\xc7\xe9\x62";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

#[derive(Default)]
struct Telephone(Mutex<Vec<String>>);

#[async_trait]
impl Reach for Telephone {
    async fn contact(&self, _: &CardId) -> Result<Option<Contact>, StoreError> {
        Ok(Some(Contact { masked: "138****8427".to_owned(), since: Timestamp(0), changed: false }))
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

    async fn changed(&self, _: &CardId, _: &str) -> Result<(), NotSent> {
        Ok(())
    }
}

struct World {
    console: Router,
    office: Arc<Office>,
    telephone: Arc<Telephone>,
    now: Arc<AtomicI64>,
    card: CardId,
}

impl World {
    async fn new() -> Self {
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
        let telephone = Arc::new(Telephone::default());
        let mut state = fake::state(archive, false);
        state.office = Some(Arc::clone(&office));
        state.holder = Some(Arc::new(HolderDesk::new(Parts {
            store: Store::new(engine),
            book: Arc::new(MemoryBook::default()),
            module: Arc::new(module),
            products: authorization::Products::builtin(),
            reach: Arc::clone(&telephone) as Arc<dyn Reach>,
            clock,
            settings: Settings::default(),
        })));
        Self { console: web::Console::new(state), office, telephone, now, card }
    }

    async fn account(&self, name: &str, role: Role) -> String {
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

    async fn ask(
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

    async fn post(&self, token: &str, path: &str, body: Value) -> (StatusCode, Value) {
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
        let approve = format!("/api/v1/proposals/{}/approve", asked.1["proposal"].as_str().unwrap());
        let shown = self.office.proposals().await[0].1.shown();
        let own = self.post(&boss, &approve, json!({ "shown": shown })).await;
        assert_eq!(own.0, StatusCode::CONFLICT, "{}", own.1);
        assert!(self.telephone.0.lock().unwrap().is_empty(), "nothing was sent");
        let done = self.post(&other, &approve, json!({ "shown": shown })).await;
        assert_eq!(done.0, StatusCode::OK, "{}", done.1);
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
