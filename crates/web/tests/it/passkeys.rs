//! Passkeys over HTTP: the forms that ask for one, the account's page, signing in, and by which name to come.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use passkey::{AssertionText, RegistrationText, soft::SoftAuthenticator};
use staff::Role;

use crate::staff::{FORM, PASSWORD, Said, World};

const HOST: (&str, &str) = ("host", "localhost:8080");

fn telephone() -> SoftAuthenticator {
    SoftAuthenticator::new("http://localhost:8080", "localhost")
}

/// A browser: its cookies, and what it fills into forms.
struct Browser<'w> {
    world: &'w World,
    cookies: Vec<String>,
}

impl<'w> Browser<'w> {
    fn new(world: &'w World) -> Self {
        Self { world, cookies: Vec::new() }
    }

    async fn ask(&mut self, method: &str, path: &str, body: String) -> Said {
        let cookies = self.cookies.join("; ");
        let said = self.world.ask(method, path, &[HOST, FORM, ("cookie", &cookies)], body).await;
        for name in ["pinward_session", "pinward_device"] {
            if let Some(cookie) = said.cookie(name) {
                self.cookies.retain(|known| !known.starts_with(name));
                self.cookies.push(cookie);
            }
        }
        said
    }

    async fn get(&mut self, path: &str) -> Said {
        self.ask("GET", path, String::new()).await
    }

    async fn sign_in_with_password(&mut self, name: &str) {
        self.get("/sign-in").await;
        let code = self.world.code();
        let words = format!("username={name}&password={}&totp={code}", PASSWORD.replace(' ', "+"));
        let said = self.ask("POST", "/sign-in", words).await;
        assert_eq!(said.status, StatusCode::SEE_OTHER, "{}", said.text);
    }

    async fn add(&mut self, phone: &mut SoftAuthenticator, label: &str) -> Said {
        let page = self.get("/account").await.text;
        let (challenge, user) = (data(&page, "challenge"), data(&page, "user"));
        let RegistrationText { client_data, attestation } = phone.create(&challenge, &user).unwrap();
        let body = format!("label={label}&client_data={client_data}&attestation={attestation}");
        self.ask("POST", "/account/passkeys", body).await
    }

    async fn come(&mut self, phone: &mut SoftAuthenticator) -> Said {
        let page = self.get("/sign-in?next=%2Faudit").await.text;
        let text = phone.get(&data(&page, "challenge"), None).unwrap();
        self.send(&text).await
    }

    async fn send(&mut self, text: &AssertionText) -> Said {
        let AssertionText { id, client_data, authenticator_data, signature, user_handle } = text;
        let body = format!(
            "next=%2Faudit&id={id}&client_data={client_data}&authenticator_data={authenticator_data}&signature={signature}&user_handle={user_handle}"
        );
        self.ask("POST", "/sign-in/passkey", body).await
    }
}

/// What a form with a passkey holds for the script.
pub(crate) fn data(page: &str, name: &str) -> Vec<u8> {
    let mark = format!("data-{name}=\"");
    let at = page.find(&mark).unwrap_or_else(|| panic!("{mark} in {page}")) + mark.len();
    BASE64.decode(page[at..].split('"').next().unwrap()).unwrap()
}

#[tokio::test]
async fn a_passkey_is_added_on_the_accounts_page_and_signs_in() {
    let world = World::new(false).await;
    world.account("li.na", Role::Auditor).await;
    let mut phone = telephone();
    let mut browser = Browser::new(&world);
    let nobody = browser.ask("POST", "/account/passkeys", String::new()).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    browser.sign_in_with_password("li.na").await;
    phone.levers.verified = false;
    let refused = browser.add(&mut phone, "phone").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("did not check who you are"));
    phone.levers.verified = true;
    let added = browser.add(&mut phone, "my+phone").await;
    assert_eq!((added.status, added.location.as_str()), (StatusCode::SEE_OTHER, "/account"));
    let page = browser.get("/account").await.text;
    assert!(
        page.contains("my phone") && page.contains("Remove the passkey my phone") && page.contains("never")
    );

    let mut other = Browser::new(&world);
    let said = other.come(&mut phone).await;
    assert_eq!((said.status, said.location.as_str()), (StatusCode::SEE_OTHER, "/audit"));
    let audit = other.get("/audit").await;
    assert_eq!(audit.status, StatusCode::OK);
    assert!(audit.text.contains("staff.passkey-add"));

    // Too long ago for a change: prove it anew.
    world.now.fetch_add(301_000, Ordering::SeqCst);
    let page = other.get("/account").await.text;
    assert!(page.contains("my phone") && page.contains("Sign in again") && !page.contains("data-challenge"));
    let id = phone.get(b"x", None).unwrap().id;
    let stale = other.ask("POST", "/account/passkeys/remove", format!("id={id}")).await;
    assert_eq!(stale.location, "/sign-in?next=%2Faccount");
    other.come(&mut phone).await;
    let gone = other.ask("POST", "/account/passkeys/remove", format!("id={id}")).await;
    assert_eq!((gone.status, gone.location.as_str()), (StatusCode::SEE_OTHER, "/account"));
    assert!(!other.get("/account").await.text.contains("my phone"));
    assert_eq!(Browser::new(&world).come(&mut phone).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_assertion_is_of_the_browser_that_asked_for_it_and_of_once() {
    let world = World::new(false).await;
    world.account("li.na", Role::Auditor).await;
    let mut phone = telephone();
    phone.levers.counts = false;
    let mut browser = Browser::new(&world);
    browser.sign_in_with_password("li.na").await;
    browser.add(&mut phone, "phone").await;

    let mut first = Browser::new(&world);
    let page = first.get("/sign-in").await.text;
    let text = phone.get(&data(&page, "challenge"), None).unwrap();
    let mut thief = Browser::new(&world);
    thief.get("/sign-in").await;
    let stolen = thief.send(&text).await;
    assert_eq!(stolen.status, StatusCode::UNAUTHORIZED);
    assert!(stolen.text.contains("Not signed in") && stolen.cookie("pinward_session").is_none());
    assert_eq!(first.send(&text).await.status, StatusCode::SEE_OTHER);
    assert_eq!(first.send(&text).await.status, StatusCode::UNAUTHORIZED, "used again");
    let nonsense = AssertionText { id: "x".repeat(9_000), ..AssertionText::default() };
    assert_eq!(first.send(&nonsense).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn who_came_by_a_number_is_told_by_which_name_to_come() {
    let world = World::new(false).await;
    world.account("li.na", Role::Auditor).await;
    let page = world.ask("GET", "/sign-in", &[("host", "127.0.0.1:8080")], String::new()).await.text;
    assert!(page.contains("href=\"http://localhost:8080/sign-in\"") && !page.contains("data-passkey"));
    let page = world.ask("GET", "/sign-in", &[HOST], String::new()).await.text;
    assert!(page.contains("data-rp=\"localhost\"") && page.contains("/passkey.js"));
}
