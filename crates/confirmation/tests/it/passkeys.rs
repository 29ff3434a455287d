//! A payment is confirmed with the telephone's own face or fingerprint, and whoever would like to have it confirmed with something
//! else.

use confirmation::{Answer, ByPasskey, NotEnrolled, PASSKEYS_MAX};
use model::{Amount, Currency, Kind, Timestamp};
use passkey::{AssertionText, Refused, RelyingParty, soft::SoftAuthenticator};
use std::sync::atomic::Ordering::SeqCst;
use stepup::{Binding, Challenge, ChallengeId, Change, Fresh, Method, challenge::WRONG_MAX};

use crate::{CODE, VALID_S, World, is_nothing};

const PAGE: &str = "the link of a card's page";

fn party() -> RelyingParty {
    RelyingParty::of_address("http://127.0.0.1:8080").unwrap()
}

fn telephone() -> SoftAuthenticator {
    SoftAuthenticator::new("http://localhost:8080", "localhost")
}

impl World {
    async fn enrol(&self, phone: &mut SoftAuthenticator) -> Result<(), NotEnrolled> {
        let new = self.hosts[0].begin_passkey(self.card, PAGE).await?;
        let sent = phone.create(&new.challenge, &new.user_handle).unwrap().read().unwrap();
        self.hosts[0].add_passkey((self.card, PAGE), &party(), "my phone", &sent).await
    }

    async fn with_passkey() -> (Self, SoftAuthenticator) {
        let (world, mut phone) = (Self::new().await, telephone());
        world.enrol(&mut phone).await.unwrap();
        (world, phone)
    }

    /// What a refusal at the till does, for another amount.
    async fn challenge_for(&self, serial: u8, amount: i64) -> Challenge {
        let id = ChallengeId([serial; 16]);
        let terminal = "10000001".parse().unwrap();
        let binding = Binding { terminal, kind: Kind::Sale, amount: Amount(amount), currency: Currency::CNY };
        let fresh = Fresh { id, code: self.hosts[0].key().digest(id, CODE) };
        let now = Timestamp(self.hands.load(SeqCst));
        let issued = self.proofs().await.issue(binding, &fresh, VALID_S, now).unwrap();
        self.append(issued.clone()).await;
        let Change::Issued(challenge) = issued else { panic!("it was issued") };
        challenge
    }

    async fn wish(&self, token: &str) -> ByPasskey {
        self.hosts[0].look(token).await.unwrap().by_passkey.unwrap()
    }

    async fn signed(&self, phone: &mut SoftAuthenticator, token: &str) -> AssertionText {
        phone.get(&self.wish(token).await.challenge, None).unwrap()
    }

    async fn send(
        &self,
        host: usize,
        token: &str,
        text: &AssertionText,
    ) -> Result<Answer, confirmation::NotAnswered> {
        let sent = text.read();
        let sent = sent.as_ref().map_err(|refused| *refused);
        self.hosts[host].answer_passkey(token, &party(), sent).await
    }
}

fn is_wrong(answered: &Result<Answer, confirmation::NotAnswered>) -> bool {
    matches!(answered, Ok(Answer::Wrong))
}

#[tokio::test]
async fn the_telephones_face_confirms_a_payment_once() {
    let (world, mut phone) = World::with_passkey().await;
    for _ in 0..1_000 {
        if !world.outbox.newest(1).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let told = world.outbox.newest(1).remove(0);
    assert_eq!(told.kind, sms::Kind::PasskeyAdded, "the holder hears of it");
    let challenge = world.challenge(1).await;
    let token = world.token(&challenge);
    let text = world.signed(&mut phone, &token).await;
    let Ok(Answer::Right(until)) = world.send(0, &token, &text).await else { panic!("it was right") };
    assert!(until > challenge.since);
    let answered = world.proofs().await.challenge.unwrap().answered.unwrap();
    assert_eq!(answered.by, Method::Passkey);
    for host in [0, 1] {
        is_nothing(world.send(host, &token, &text).await);
    }
    let shown = world.hosts[1].look(&token).await.unwrap();
    assert!(shown.by_passkey.is_none() && shown.passed_until.is_some());
    let key = world.hosts[1].enrolled(world.card).await.unwrap().passkeys()[0].clone();
    assert_eq!((key.credential.count, key.used.is_some()), (1, true));
}

#[tokio::test]
async fn what_was_signed_for_one_amount_is_wrong_for_another_and_counted() {
    let (world, mut phone) = World::with_passkey().await;
    phone.levers.counts = false;
    let small = world.token(&world.challenge_for(1, 100).await);
    let text = world.signed(&mut phone, &small).await;
    let large = world.token(&world.challenge_for(2, 999_900).await);
    is_nothing(world.send(0, &small, &text).await);
    assert!(is_wrong(&world.send(0, &large, &text).await));
    assert_eq!(world.proofs().await.wrong.len(), 1);
    // The same name with other terms would be another challenge, too.
    let mut forged = world.proofs().await.challenge.unwrap();
    let signed = world.wish(&large).await.challenge;
    forged.binding.amount = Amount(100);
    world.append(Change::Issued(forged)).await;
    assert_ne!(world.wish(&large).await.challenge, signed);
}

#[tokio::test]
async fn a_refused_assertion_counts_like_a_wrong_code() {
    let (world, mut phone) = World::with_passkey().await;
    let token = world.token(&world.challenge(1).await);
    phone.levers.verified = false;
    let unverified = world.signed(&mut phone, &token).await;
    assert!(is_wrong(&world.send(0, &token, &unverified).await), "the face was not recognised");
    phone.levers.verified = true;
    phone.levers.origin = "http://localhost:9".to_owned();
    let elsewhere = world.signed(&mut phone, &token).await;
    assert!(is_wrong(&world.send(1, &token, &elsewhere).await), "another origin");
    phone.levers.origin = "http://localhost:8080".to_owned();
    phone.levers.party = "evil.example".to_owned();
    let foreign = world.signed(&mut phone, &token).await;
    assert!(is_wrong(&world.send(0, &token, &foreign).await), "another relying party");
    phone.levers.party = "localhost".to_owned();
    assert_eq!(world.proofs().await.wrong.len(), usize::from(WRONG_MAX));
    is_nothing(world.hosts[0].answer_code(&token, CODE).await);

    // A new challenge, and the face is recognised.
    let token = world.token(&world.challenge(2).await);
    assert!(is_wrong(&world.send(0, &token, &AssertionText::default()).await), "nothing at all");
    let right = world.signed(&mut phone, &token).await;
    assert!(matches!(world.send(0, &token, &right).await, Ok(Answer::Right(_))));
}

#[tokio::test]
async fn only_this_cards_passkey_confirms_and_a_copied_one_does_not() {
    let (world, mut phone) = World::with_passkey().await;
    let token = world.token(&world.challenge(1).await);
    let mut strange = telephone();
    strange.create(b"x", b"somebody").unwrap();
    let wish = world.wish(&token).await;
    let text = strange.get(&wish.challenge, None).unwrap();
    assert!(is_wrong(&world.send(0, &token, &text).await), "nobody's");
    let own = world.signed(&mut phone, &token).await;
    let of_another = AssertionText { user_handle: text.user_handle.clone(), ..own.clone() };
    assert!(is_wrong(&world.send(0, &token, &of_another).await), "of another card");
    assert!(matches!(world.send(0, &token, &own).await, Ok(Answer::Right(_))));

    let token = world.token(&world.challenge_for(2, 200).await);
    phone.turn_back(1);
    let copied = world.signed(&mut phone, &token).await;
    assert!(is_wrong(&world.send(0, &token, &copied).await), "the counter did not go on");
    world.forward_s(stepup::proofs::ANSWER_S);
    let late = phone.get(&wish.challenge, None).unwrap();
    is_nothing(world.send(0, &token, &late).await);
}

#[tokio::test]
async fn a_passkey_is_enrolled_on_its_page_in_time_and_taken_away_for_good() {
    let world = World::new().await;
    let mut phone = telephone();
    let token = world.token(&world.challenge(1).await);
    assert!(world.hosts[0].look(&token).await.unwrap().by_passkey.is_none(), "nobody enrolled");
    let new = world.hosts[0].begin_passkey(world.card, PAGE).await.unwrap();
    let sent = phone.create(&new.challenge, &new.user_handle).unwrap().read().unwrap();
    let elsewhere = world.hosts[0].add_passkey((world.card, "another page"), &party(), "x", &sent).await;
    assert!(matches!(elsewhere, Err(NotEnrolled::Refused(Refused::Challenge))));
    world.hosts[0].add_passkey((world.card, PAGE), &party(), "x", &sent).await.unwrap();
    let again = world.hosts[1].add_passkey((world.card, PAGE), &party(), "x", &sent).await;
    assert!(matches!(again, Err(NotEnrolled::Refused(_))), "used again");
    let id = world.hosts[0].enrolled(world.card).await.unwrap().passkeys()[0].credential.id.clone();
    let text = world.signed(&mut phone, &token).await;
    world.hosts[1].remove_passkey(world.card, &id).await.unwrap();
    assert!(is_wrong(&world.send(0, &token, &text).await));
    let again = world.hosts[0].add_passkey((world.card, PAGE), &party(), "x", &sent).await;
    assert!(matches!(again, Err(NotEnrolled::Refused(_))), "used again after it was taken away");

    let new = world.hosts[0].begin_passkey(world.card, PAGE).await.unwrap();
    let sent = phone.create(&new.challenge, &new.user_handle).unwrap().read().unwrap();
    world.forward_s(601);
    let late = world.hosts[0].add_passkey((world.card, PAGE), &party(), "x", &sent).await;
    assert!(matches!(late, Err(NotEnrolled::Refused(Refused::Challenge))), "too late");
    for _ in 0..PASSKEYS_MAX {
        world.enrol(&mut phone).await.unwrap();
    }
    assert!(matches!(world.enrol(&mut phone).await, Err(NotEnrolled::Enough)));
}
