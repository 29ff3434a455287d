//! Signing in by a provider that this test starts on the loopback address, with keys of its own: what opens a session, and
//! everything that must not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use staff::{
    Actor, Role,
    federation::{Binding, Person},
};

use crate::staff::{Said, World};

const CLIENT: &str = "pinward";

/// A provider that says whatever the test wants.
struct Provider {
    issuer: String,
    key: EcdsaKeyPair,
    /// What the next code is for: challenge, header, claims.
    codes: Mutex<HashMap<String, (String, Value, Value)>>,
}

impl Provider {
    async fn start() -> Arc<Self> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Arc::new(Self { issuer, key, codes: Mutex::default() });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature.as_ref()))
    }
}

async fn metadata(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let point = provider.key.public_key().as_ref();
    let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "kid": "k1", "x": x, "y": y }] }))
}

async fn token(
    State(provider): State<Arc<Provider>>,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let known = provider.codes.lock().unwrap().remove(&form["code"]);
    let Some((challenge, header, claims)) = known else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    };
    let shown = BASE64.encode(digest(&SHA256, form["code_verifier"].as_bytes()));
    if shown != challenge || form["client_id"] != CLIENT {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    }
    let token = provider.sign(&header, &claims);
    (StatusCode::OK, Json(json!({ "id_token": token, "token_type": "Bearer", "access_token": "x" })))
}

/// A browser, and the provider where its owner proves who they are.
struct Visit<'w> {
    world: &'w World,
    provider: &'w Provider,
    device: String,
}

/// What the console asked the provider for.
struct Asked {
    state: String,
    nonce: String,
    challenge: String,
}

impl<'w> Visit<'w> {
    async fn new(world: &'w World, provider: &'w Provider) -> Self {
        let page = world.ask("GET", "/sign-in", &[], String::new()).await;
        assert!(page.text.contains("/sign-in/oidc?next="), "the button: {}", page.text);
        Self { world, provider, device: page.cookie("pinward_device").unwrap() }
    }

    async fn begin(&self) -> Asked {
        let away = self.get("/sign-in/oidc?next=%2Fcards").await;
        assert_eq!(away.status, StatusCode::SEE_OTHER, "{}", away.text);
        let (address, query) = away.location.split_once('?').unwrap();
        assert_eq!(address, format!("{}/authorize", self.provider.issuer));
        let part = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            found.unwrap_or_else(|| panic!("{name}: {query}")).to_owned()
        };
        assert_eq!(
            (part("response_type").as_str(), part("code_challenge_method").as_str()),
            ("code", "S256")
        );
        Asked { state: part("state"), nonce: part("nonce"), challenge: part("code_challenge") }
    }

    async fn get(&self, path: &str) -> Said {
        self.world.ask("GET", path, &[("cookie", &self.device)], String::new()).await
    }

    /// The provider gives a code for a statement that `change` has had its way with.
    async fn come_back(&self, asked: &Asked, change: impl FnOnce(&mut Value, &mut Value)) -> Said {
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        let mut header = json!({ "alg": "ES256", "kid": "k1" });
        let mut claims = json!({
            "iss": self.provider.issuer, "sub": "248289761001", "aud": CLIENT, "nonce": asked.nonce,
            "iat": now, "exp": now + 300, "groups": ["desk", "root"],
        });
        change(&mut header, &mut claims);
        let code = format!("code-{}", asked.state);
        self.provider.codes.lock().unwrap().insert(code.clone(), (asked.challenge.clone(), header, claims));
        self.get(&format!("/sign-in/oidc/callback?state={}&code={code}", asked.state)).await
    }

    async fn try_with(&self, change: impl FnOnce(&mut Value, &mut Value)) -> Said {
        let asked = self.begin().await;
        self.come_back(&asked, change).await
    }
}

fn settings(provider: &Provider) -> oidc::Settings {
    serde_json::from_value(json!({
        "issuer": provider.issuer, "client_id": CLIENT, "name": "Bank", "roles_claim": "groups",
        "roles": { "desk": "agent", "root": "administrator" }, "bind_by_email": true,
    }))
    .unwrap()
}

async fn world(provider: &Provider) -> World {
    let client = oidc::Client::new(settings(provider), "https://pinward.bank.example").unwrap();
    let world = World::entered_by(Arc::new(client)).await;
    world.account("li.na", Role::Agent).await;
    world.account("audit", Role::Auditor).await;
    let by = Actor {
        name: "system".into(),
        person: "system".into(),
        roles: vec![Role::Administrator],
        session: String::new(),
        device: String::new(),
        scopes: None,
    };
    let person = Person::Subject("248289761001".into());
    let binding = Binding { issuer: provider.issuer.clone(), person };
    world.office.bind_account(&by, "li.na", binding.clone()).await.unwrap();
    let taken = world.office.bind_account(&by, "audit", binding).await;
    assert!(matches!(taken, Err(office::OfficeError::Conflict(_))), "one person, one account");
    let by_mail =
        Binding { issuer: provider.issuer.clone(), person: Person::Email("au.dit@bank.example".into()) };
    world.office.bind_account(&by, "audit", by_mail).await.unwrap();
    world
}

#[tokio::test]
async fn whoever_the_provider_confirms_is_signed_in_with_no_more_than_their_account_has() {
    let provider = Provider::start().await;
    let world = world(&provider).await;
    let visit = Visit::new(&world, &provider).await;
    let asked = visit.begin().await;
    let elsewhere = [("cookie", visit.device.as_str()), ("sec-fetch-site", "cross-site")];
    let bounced = format!("/sign-in/oidc/callback?state={}&code=c", asked.state);
    let page = world.ask("GET", &bounced, &elsewhere, String::new()).await;
    assert!(
        page.text.contains("http-equiv=\"refresh\"") && page.cookie("pinward_device").is_none(),
        "{}",
        page.text
    );
    let back = visit.come_back(&asked, |_, _| {}).await;
    assert_eq!((back.status, back.location.as_str()), (StatusCode::SEE_OTHER, "/cards"), "{}", back.text);
    let both = format!("{}; {}", visit.device, back.cookie("pinward_session").unwrap());
    let with = async |path: &str| world.ask("GET", path, &[("cookie", &both)], String::new()).await;
    let who = with("/api/v1/session").await.json();
    assert_eq!(
        (&who["name"], &who["roles"]),
        (&"li.na".into(), &json!(["agent"])),
        "the provider gives no role"
    );
    assert_eq!(with("/staff").await.status, StatusCode::FORBIDDEN);
    // What the provider does not confirm any more is not there.
    let without = visit.try_with(|_, claims| claims["groups"] = json!(["tea"])).await;
    let both = format!("{}; {}", visit.device, without.cookie("pinward_session").unwrap());
    let who = world.ask("GET", "/api/v1/session", &[("cookie", &both)], String::new()).await.json();
    assert_eq!((&who["roles"], &who["may"]), (&json!([]), &json!([])));
    // An account that waits for a mail address is claimed by whoever proves it, and by nobody afterwards.
    let mail = |verified: bool, sub: &'static str| {
        move |_: &mut Value, claims: &mut Value| {
            claims["sub"] = sub.into();
            claims["email"] = "au.dit@bank.example".into();
            claims["email_verified"] = verified.into();
        }
    };
    assert_eq!(visit.try_with(mail(false, "77")).await.status, StatusCode::UNAUTHORIZED, "not verified");
    assert_eq!(visit.try_with(mail(true, "77")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        visit.try_with(mail(true, "78")).await.status,
        StatusCode::UNAUTHORIZED,
        "somebody else's by now"
    );
}

#[tokio::test]
async fn what_the_provider_did_not_say_to_this_browser_just_now_opens_nothing() {
    type Change = fn(&mut Value, &mut Value);
    let provider = Provider::start().await;
    let world = world(&provider).await;
    let visit = Visit::new(&world, &provider).await;
    let wrong: [(&str, Change); 13] = [
        ("another nonce", |_, claims| claims["nonce"] = "n".into()),
        ("no nonce", |_, claims| drop(claims.as_object_mut().unwrap().remove("nonce"))),
        ("another client", |_, claims| claims["aud"] = "other".into()),
        ("several, and not for us", |_, claims| claims["aud"] = json!([CLIENT, "other"])),
        ("authorized for another", |_, claims| claims["azp"] = "other".into()),
        ("expired", |_, claims| claims["exp"] = 1_700_000_000.into()),
        ("of another time", |_, claims| claims["iat"] = 1_700_000_000.into()),
        ("another issuer", |_, claims| claims["iss"] = "https://login.evil.example".into()),
        ("nobody's account", |_, claims| claims["sub"] = "1".into()),
        ("no signature", |header, _| header["alg"] = "none".into()),
        ("a shared secret", |header, _| header["alg"] = "HS256".into()),
        ("an unknown key", |header, _| header["kid"] = "k2".into()),
        ("what must be understood", |header, _| header["crit"] = json!(["b64"])),
    ];
    for (what, change) in wrong {
        let said = visit.try_with(change).await;
        assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{what}");
        assert!(said.cookie("pinward_session").is_none(), "{what}");
    }
    let asked = visit.begin().await;
    let other = Visit::new(&world, &provider).await;
    assert_eq!(other.come_back(&asked, |_, _| {}).await.status, StatusCode::UNAUTHORIZED, "another browser");
    assert_eq!(visit.come_back(&asked, |_, _| {}).await.status, StatusCode::SEE_OTHER);
    let again = visit.come_back(&asked, |_, _| {}).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "a state is used once");
    let asked = visit.begin().await;
    let used = format!("/sign-in/oidc/callback?state={}&code=used", asked.state);
    assert_eq!(
        visit.get(&used).await.status,
        StatusCode::UNAUTHORIZED,
        "a code that the provider does not know"
    );
    let asked = visit.begin().await;
    let mixed = format!("/sign-in/oidc/callback?state={}&code=c&iss=https%3A%2F%2Fevil.example", asked.state);
    assert_eq!(visit.get(&mixed).await.status, StatusCode::UNAUTHORIZED, "another issuer's answer");
    let bearer = format!("Bearer {}", world.token("audit").await);
    let log = world.ask("GET", "/api/v1/audit", &[("authorization", &bearer)], String::new()).await.text;
    for why in ["the nonce differs", "its algorithm is not", "no account belongs", "has expired"] {
        assert!(log.contains(why), "{why}: {log}");
    }
}
