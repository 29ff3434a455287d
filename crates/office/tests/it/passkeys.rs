//! Passkeys of the staff, and whoever would like to sign in with somebody else's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use office::{OfficeError, SignedIn};
use passkey::{AssertionText, Refused, RelyingParty, soft::SoftAuthenticator};
use staff::{Actor, Role, Token, account::PASSKEYS_MAX, session::TOKEN_LEN};

use crate::{PASSWORD, World, open, refused};

const DEVICE: &str = "a browser";

fn party() -> RelyingParty {
    RelyingParty::of_address("http://127.0.0.1:8080").unwrap()
}

fn telephone() -> SoftAuthenticator {
    SoftAuthenticator::new("http://localhost:8080", "localhost")
}

impl World {
    async fn enrol(&self, phone: &mut SoftAuthenticator, by: &Actor, label: &str) -> Result<(), OfficeError> {
        let new = self.office.begin_passkey(by).await?;
        let sent = phone.create(&new.challenge, &new.user_handle).unwrap().read().unwrap();
        self.office.add_passkey(by, &party(), label, &sent).await
    }

    fn asserted(&self, phone: &mut SoftAuthenticator) -> AssertionText {
        phone.get(&self.office.passkey_challenge(DEVICE).unwrap(), None).unwrap()
    }

    async fn come(&self, text: &AssertionText) -> Result<SignedIn, OfficeError> {
        self.office.sign_in_by_passkey(&party(), &text.read().unwrap(), DEVICE).await
    }
}

async fn with_passkey(world: &World, name: &str) -> SoftAuthenticator {
    world.account(name, Role::Agent).await;
    let (_, actor) = world.sign_in(name).await;
    let mut phone = telephone();
    world.enrol(&mut phone, &actor, "telephone").await.unwrap();
    phone
}

#[tokio::test]
async fn a_passkey_is_added_signs_in_alone_and_is_taken_away() {
    let world = World::new().await;
    let mut phone = with_passkey(&world, "li.na").await;
    let signed_in = world.come(&world.asserted(&mut phone)).await.unwrap();
    assert_eq!(signed_in.actor.name, "li.na");
    assert!(world.office.actor(&signed_in.token, DEVICE).await.is_ok());
    let account = world.office.own_account(&signed_in.actor).await.unwrap();
    let key = &account.passkeys[0];
    assert_eq!((key.label.as_str(), key.credential.count, key.used.is_some()), ("telephone", 1, true));
    // It is the same for another host, and after a restart.
    let other = open(&world.book, &world.now).await;
    let text = phone.get(&other.passkey_challenge(DEVICE).unwrap(), None).unwrap();
    assert!(other.sign_in_by_passkey(&party(), &text.read().unwrap(), DEVICE).await.is_ok());

    world.office.remove_passkey(&signed_in.actor, &key.credential.id).await.unwrap();
    assert!(refused(world.come(&world.asserted(&mut phone)).await));
    let mut log = Vec::new();
    world.office.export(&crate::system(), &mut log).await.unwrap();
    let log = String::from_utf8(log).unwrap();
    for word in ["staff.passkey-add", "staff.passkey-remove", "passkey"] {
        assert!(log.contains(word), "{word}");
    }
}

#[tokio::test]
async fn an_assertion_works_once_on_one_device_and_in_time() {
    let world = World::new().await;
    let mut phone = with_passkey(&world, "li.na").await;
    // A key that does not count shows nothing when it is used again: the challenge must.
    phone.levers.counts = false;
    let account = world.office.accounts().await.remove(0);
    assert_eq!(account.passkeys[0].credential.count, 0);
    let text = world.asserted(&mut phone);
    assert!(world.come(&text).await.is_ok());
    assert!(refused(world.come(&text).await), "used again");
    let other_host = open(&world.book, &world.now).await;
    assert!(
        refused(other_host.sign_in_by_passkey(&party(), &text.read().unwrap(), DEVICE).await),
        "used again at another host"
    );

    let text = world.asserted(&mut phone);
    let sent = text.read().unwrap();
    assert!(refused(world.office.sign_in_by_passkey(&party(), &sent, "another browser").await));
    world.later(601);
    assert!(refused(world.come(&text).await), "too late");
    let own = phone.get(b"a challenge that nobody here made", None).unwrap();
    assert!(refused(world.come(&own).await));
    // After five wrong ones it waits.
    world.later(60);
    let (_, actor) = world.sign_in("li.na").await;
    let adding = world.office.begin_passkey(&actor).await.unwrap();
    let text = phone.get(&adding.challenge, None).unwrap();
    assert!(refused(world.come(&text).await), "a challenge for something else");
}

#[tokio::test]
async fn whoever_is_not_verified_or_comes_from_elsewhere_is_not_signed_in() {
    let world = World::new().await;
    let mut phone = with_passkey(&world, "li.na").await;
    let right = phone.levers.clone();
    type Turn = fn(&mut passkey::soft::Levers);
    let turns: [(&str, Turn); 4] = [
        ("not verified", |l| l.verified = false),
        ("another origin", |l| l.origin = "http://localhost:9999".to_owned()),
        ("inside of another page", |l| l.embedded = true),
        ("another relying party", |l| l.party = "evil.example".to_owned()),
    ];
    for (what, turn) in turns {
        turn(&mut phone.levers);
        assert!(refused(world.come(&world.asserted(&mut phone)).await), "{what}");
        phone.levers = right.clone();
    }
    assert!(world.come(&world.asserted(&mut phone)).await.is_ok(), "four wrong ones do not lock");
    phone.turn_back(3);
    assert!(refused(world.come(&world.asserted(&mut phone)).await), "the counter went back");
}

#[tokio::test]
async fn a_passkey_signs_in_its_owner_only() {
    let world = World::new().await;
    let mut phone = with_passkey(&world, "li.na").await;
    let mut other = with_passkey(&world, "wang.wei").await;
    let text = world.asserted(&mut phone);
    let stolen = AssertionText { id: world.asserted(&mut other).id, ..text.clone() };
    assert!(refused(world.come(&stolen).await), "another key signed");
    let handle = world.asserted(&mut other).user_handle;
    assert!(
        refused(world.come(&AssertionText { user_handle: handle, ..text.clone() }).await),
        "another user"
    );
    let unknown = AssertionText { id: BASE64.encode([9; 32]), ..text };
    assert!(refused(world.come(&unknown).await), "nobody's key");
    // What one registered another does not register again.
    let (_, wang) = world.sign_in("wang.wei").await;
    let new = world.office.begin_passkey(&wang).await.unwrap();
    let made = other.create(&new.challenge, &new.user_handle).unwrap().read().unwrap();
    world.office.add_passkey(&wang, &party(), "one", &made).await.unwrap();
    let again = world.office.add_passkey(&wang, &party(), "two", &made).await;
    assert!(matches!(again, Err(OfficeError::NotRegistered(Refused::Challenge))), "used again");
}

#[tokio::test]
async fn wrong_assertions_are_counted_as_wrong_passwords_are() {
    let world = World::new().await;
    let mut phone = with_passkey(&world, "li.na").await;
    phone.levers.verified = false;
    for _ in 0..5 {
        assert!(refused(world.come(&world.asserted(&mut phone)).await));
    }
    phone.levers.verified = true;
    let text = world.asserted(&mut phone);
    assert!(refused(world.come(&text).await), "it waits, whatever comes");
    world.later(31);
    assert!(refused(world.office.sign_in("li.na", PASSWORD, &world.code("li.na"), DEVICE).await));
    world.later(61);
    assert!(world.come(&text).await.is_ok(), "nothing was looked at while it waited");
}

#[tokio::test]
async fn only_who_just_proved_who_they_are_changes_how_they_do() {
    let world = World::new().await;
    world.account("li.na", Role::Agent).await;
    let (_, actor) = world.sign_in("li.na").await;
    let mut phone = telephone();
    world.enrol(&mut phone, &actor, " \n ").await.unwrap();
    let account = world.office.own_account(&actor).await.unwrap();
    assert_eq!(account.passkeys[0].label, "passkey");
    world.later(300);
    assert!(!world.office.is_fresh(&actor).await);
    let id = account.passkeys[0].credential.id.clone();
    assert!(matches!(world.enrol(&mut phone, &actor, "x").await, Err(OfficeError::NotFresh)));
    assert!(matches!(world.office.remove_passkey(&actor, &id).await, Err(OfficeError::NotFresh)));
    let nobody = Actor { session: String::new(), ..actor.clone() };
    assert!(refused(world.office.begin_passkey(&nobody).await.map(drop)));

    let (_, actor) = world.sign_in("li.na").await;
    phone.levers.verified = false;
    let unverified = world.enrol(&mut phone, &actor, "x").await;
    assert!(matches!(unverified, Err(OfficeError::NotRegistered(Refused::NotVerified))));
    phone.levers.verified = true;
    for _ in 1..PASSKEYS_MAX {
        world.enrol(&mut phone, &actor, "x").await.unwrap();
    }
    assert!(matches!(world.enrol(&mut phone, &actor, "x").await, Err(OfficeError::Conflict(_))));
    // A new link voids them with everything else.
    let by = Actor { roles: vec![Role::Administrator], ..crate::system() };
    let link = world.office.renew_link(&by, "li.na").await.unwrap();
    assert_ne!(link, Token::new([0; TOKEN_LEN]));
    assert!(refused(world.come(&world.asserted(&mut phone)).await));
}
