//! Passkeys of cardholders: enrolled on the card's page, and then a payment is confirmed with the telephone's own face or
//! fingerprint. What the telephone signs is bound to the payment: the challenge is made of card, step-up challenge, terminal, kind,
//! amount, currency and time, so an assertion for one amount is none for another.
//!
//! An assertion that is refused counts like a wrong code, and is counted before anybody is told.

use model::{CardId, Timestamp};
use passkey::{
    Assertion, Credential, CredentialId, Refused, Registration, RelyingParty,
    ceremony::{ChallengeKey, Purpose},
};
use sms::{Kind, Order};
use stepup::{Binding, Challenge, ChallengeId, Given};
use store::{BookError, Store, StoreError, book};
use zeroize::Zeroizing;

use crate::{
    Answer, Confirmations, NotAnswered,
    enrolment::{Enrolled, FactorFact, stream},
    last_four, link,
};

/// The stream of the key of challenges.
pub(crate) const KEY: &str = "holder-passkey-key";
/// Passkeys that one card may have.
pub const PASSKEYS_MAX: usize = 5;
/// The longest name of a passkey, in characters.
pub const LABEL_MAX: usize = 40;
const CONFIRM: &str = "step-up";
const ENROL: &str = "card passkey";

/// A holder's passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderPasskey {
    /// What the holder calls it.
    pub label: String,
    /// Its public part.
    pub credential: Credential,
    /// Since when.
    pub added: Timestamp,
    /// When it was used last.
    pub used: Option<Timestamp>,
}

/// What a page needs to have a passkey made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// The challenge.
    pub challenge: Vec<u8>,
    /// The user handle.
    pub user_handle: Vec<u8>,
    /// The passkeys that there are.
    pub known: Vec<CredentialId>,
}

/// What a page needs to ask for a passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByPasskey {
    /// The challenge, made of the payment.
    pub challenge: Vec<u8>,
    /// Those that may answer.
    pub known: Vec<CredentialId>,
}

/// A passkey was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// What came is none, or is too old.
    #[error("not a passkey: {0}")]
    Refused(#[from] Refused),
    /// There are as many as there may be.
    #[error("there are enough passkeys")]
    Enough,
    /// The book's trouble.
    #[error(transparent)]
    Book(#[from] BookError),
}

impl From<StoreError> for NotEnrolled {
    fn from(error: StoreError) -> Self {
        Self::Book(error.into())
    }
}

/// The challenge for a payment: whoever signs it signs all of this.
pub(crate) fn challenge_of(key: &ChallengeKey, card: CardId, challenge: &Challenge) -> Vec<u8> {
    let Binding { terminal, kind, amount, currency } = &challenge.binding;
    let words = format!("{terminal} {kind:?} {currency}");
    let parts: [&[u8]; 5] = [
        &challenge.id.0,
        words.as_bytes(),
        &amount.0.to_be_bytes(),
        &challenge.since.0.to_be_bytes(),
        &challenge.until.0.to_be_bytes(),
    ];
    key.bound(Purpose { name: CONFIRM, whom: &card.0 }, &parts)
}

impl Confirmations {
    /// What the card's page needs to have a passkey made. `page` is the page's own link: what was made there is enrolled there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_passkey(&self, card: CardId, page: &str) -> Result<NewPasskey, StoreError> {
        let enrolled = self.enrolled(card).await?;
        let mut nonce = [0; passkey::ceremony::NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|error| StoreError::Away(format!("no randomness: {error}")))?;
        Ok(NewPasskey {
            challenge: self.inner.challenges.issue(enrolment(page), nonce, self.now()),
            user_handle: self.inner.challenges.user_handle(&card.0),
            known: enrolled.passkeys().iter().map(|key| key.credential.id.clone()).collect(),
        })
    }

    /// Enrols a passkey, and tells the holder by message. Whose page it is, is the caller's matter.
    ///
    /// # Errors
    /// [`NotEnrolled`].
    pub async fn add_passkey(
        &self,
        (card, page): (CardId, &str),
        party: &RelyingParty,
        label: &str,
        sent: &Registration,
    ) -> Result<(), NotEnrolled> {
        let challenge = sent.challenge()?;
        self.inner.challenges.admit(enrolment(page), &challenge, self.now()).ok_or(Refused::Challenge)?;
        let credential = passkey::register(party, &challenge, sent)?;
        let label: String = label.trim().chars().filter(|c| !c.is_control()).take(LABEL_MAX).collect();
        let label = if label.is_empty() { "passkey".to_owned() } else { label };
        let mut refused = None;
        let fact = FactorFact::PasskeyEnrolled { label, credential: credential.clone() };
        self.amend(card, |enrolled| {
            refused = if enrolled.passkeys().len() >= PASSKEYS_MAX {
                Some(NotEnrolled::Enough)
            } else if enrolled.had(&credential.id) {
                // A registration is used once, also after its passkey was removed.
                Some(NotEnrolled::Refused(Refused::Challenge))
            } else {
                None
            };
            refused.is_none().then(|| fact.clone())
        })
        .await?;
        match refused {
            Some(refused) => Err(refused),
            None => {
                self.tell_of_passkey(card).await;
                Ok(())
            }
        }
    }

    /// Takes a passkey away; one that is not there is no error.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn remove_passkey(&self, card: CardId, id: &CredentialId) -> Result<(), BookError> {
        let fact = FactorFact::PasskeyRemoved { id: id.clone() };
        self.amend(card, |enrolled| enrolled.passkey(id).map(|_| fact.clone())).await
    }

    /// For the page of a challenge: what a passkey is asked for, if the holder has one.
    pub(crate) async fn by_passkey(
        &self,
        card: CardId,
        challenge: &Challenge,
    ) -> Result<Option<ByPasskey>, StoreError> {
        let known: Vec<CredentialId> =
            self.enrolled(card).await?.passkeys().iter().map(|key| key.credential.id.clone()).collect();
        let challenge = challenge_of(&self.inner.challenges, card, challenge);
        Ok((!known.is_empty()).then_some(ByPasskey { challenge, known }))
    }

    /// Takes an assertion that was made on the page. One that is refused is counted.
    ///
    /// # Errors
    /// [`NotAnswered`].
    pub async fn answer_passkey(
        &self,
        token: &str,
        party: &RelyingParty,
        sent: Result<&Assertion, Refused>,
    ) -> Result<Answer, NotAnswered> {
        let (card, id) = link::read(self.key(), token).ok_or(NotAnswered::Nothing)?;
        let challenge = self.open_challenge(card, id).await?;
        let asserted = match sent {
            Ok(sent) => self.asserted(card, &challenge, party, sent).await?,
            Err(refused) => Err(refused),
        };
        let given = match asserted {
            Ok(()) => Given::Passkey(id),
            Err(refused) => {
                tracing::info!(%card, refused = refused.name(), "a passkey was refused");
                Given::Refused
            }
        };
        self.answer(card, id, given).await
    }

    async fn open_challenge(&self, card: CardId, id: ChallengeId) -> Result<Challenge, NotAnswered> {
        let store: &Store = &self.inner.parts.store;
        let known = store.engine().card(&card).await?.ok_or(NotAnswered::Nothing)?;
        let proofs = known.state.proofs.as_deref().ok_or(NotAnswered::Nothing)?;
        let challenge = proofs.challenge.as_ref().filter(|open| open.id == id && open.is_open(self.now()));
        challenge.cloned().ok_or(NotAnswered::Nothing)
    }

    /// Verifies on the newest enrolment, and counts the passkey on in the same fact: of two hosts that get one assertion of a
    /// device that counts, one is right.
    async fn asserted(
        &self,
        card: CardId,
        challenge: &Challenge,
        party: &RelyingParty,
        sent: &Assertion,
    ) -> Result<Result<(), Refused>, NotAnswered> {
        let expected = challenge_of(&self.inner.challenges, card, challenge);
        let own = sent.is_of(&self.inner.challenges.user_handle(&card.0));
        let mut verdict = Err(Refused::Credential);
        let amended = self
            .amend(card, |enrolled| {
                let next = match enrolled.passkey(sent.id()).filter(|_| own) {
                    Some(key) => passkey::assert(party, &expected, &key.credential, sent),
                    None => Err(Refused::Credential),
                };
                verdict = next.as_ref().map(drop).map_err(|refused| *refused);
                next.ok().map(|credential| FactorFact::PasskeyUsed { credential })
            })
            .await;
        match amended {
            Ok(()) => Ok(verdict),
            Err(BookError::Store(error)) => Err(error.into()),
            Err(other) => Err(StoreError::Away(other.to_string()).into()),
        }
    }

    async fn amend(
        &self,
        card: CardId,
        mut decide: impl FnMut(&Enrolled) -> Option<FactorFact>,
    ) -> Result<(), BookError> {
        let book = self.inner.parts.book.as_ref();
        let decide = |enrolled: &Enrolled| decide(enrolled).map(|fact| fact.body()).transpose();
        book::amend(book, &stream(card), self.now(), Enrolled::apply, decide).await.map(drop)
    }

    /// Whoever has the holder's number is told that something new opens payments. Trouble with the message changes nothing.
    async fn tell_of_passkey(&self, card: CardId) {
        if let Err(error) = self.try_to_tell_of_passkey(card).await {
            tracing::warn!(%card, %error, "a holder was not told of a new passkey");
        }
    }

    async fn try_to_tell_of_passkey(&self, card: CardId) -> Result<(), sms::SmsError> {
        let Some(contact) = self.inner.parts.contacts.of(card).await? else { return Ok(()) };
        let known = self.inner.parts.store.engine().card(&card).await.map_err(BookError::Store)?;
        let tail = known.map(|card| last_four(&card.record.pan)).unwrap_or_default();
        let values = vec![("card", Zeroizing::new(tail))];
        let (to, language) = (contact.number, contact.language);
        let order = Order { to, card: Some(card), kind: Kind::PasskeyAdded, language, values };
        self.inner.parts.messages.send(order).await.map(drop)
    }
}

fn enrolment(page: &str) -> Purpose<'_> {
    Purpose { name: ENROL, whom: page.as_bytes() }
}
