//! Who has an authenticator app or passkeys: kept in the book, the app's secret sealed for its card. Of a passkey there is nothing
//! secret to keep.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use model::{CardId, Timestamp};
use passkey::{Credential, CredentialId};
use serde::{Deserialize, Serialize};
use stepup::totp;
use store::{
    BookError, StoreError,
    book::{self, Fact, json},
};
use zeroize::Zeroizing;

use crate::{Confirmations, HolderPasskey};

/// Streams begin so; the card's name follows.
const STREAM: &str = "second-factors/";
/// The kind of a fact.
const FACT: &str = "second-factor";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub(crate) enum FactorFact {
    /// An authenticator app, in place of one before it.
    TotpEnrolled { sealed: String, by: String },
    /// It is gone.
    TotpRemoved { by: String },
    /// A passkey, on the card's page.
    PasskeyEnrolled { label: String, credential: Credential },
    /// A passkey confirmed a payment, and counts on.
    PasskeyUsed { credential: Credential },
    /// A passkey is gone.
    PasskeyRemoved { id: CredentialId },
}

impl FactorFact {
    pub(crate) fn body(&self) -> Result<(String, Vec<u8>), BookError> {
        Ok((FACT.to_owned(), json(self)?))
    }
}

/// What a card's holder has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// The secret of an authenticator app, sealed, Base64.
    totp: Option<String>,
    passkeys: Vec<HolderPasskey>,
    /// Passkeys that were taken away: none of them comes back.
    gone: Vec<CredentialId>,
}

impl Enrolled {
    /// Is there an authenticator app?
    #[must_use]
    pub fn has_totp(&self) -> bool {
        self.totp.is_some()
    }

    /// Passkeys.
    #[must_use]
    pub fn passkeys(&self) -> &[HolderPasskey] {
        &self.passkeys
    }

    pub(crate) fn passkey(&self, id: &CredentialId) -> Option<&HolderPasskey> {
        self.passkeys.iter().find(|key| key.credential.id == *id)
    }

    /// Is it enrolled, or was it?
    pub(crate) fn had(&self, id: &CredentialId) -> bool {
        self.passkey(id).is_some() || self.gone.contains(id)
    }

    pub(crate) fn apply(&mut self, fact: &Fact) -> Result<(), StoreError> {
        match fact.read()? {
            FactorFact::TotpEnrolled { sealed, .. } => self.totp = Some(sealed),
            FactorFact::TotpRemoved { .. } => self.totp = None,
            FactorFact::PasskeyEnrolled { label, credential } => {
                self.passkeys.push(HolderPasskey { label, credential, added: fact.at, used: None });
            }
            FactorFact::PasskeyUsed { credential } => {
                if let Some(key) = self.passkeys.iter_mut().find(|key| key.credential.id == credential.id) {
                    key.credential = credential;
                    key.used = Some(fact.at);
                }
            }
            FactorFact::PasskeyRemoved { id } => {
                self.passkeys.retain(|key| key.credential.id != id);
                self.gone.push(id);
            }
        }
        Ok(())
    }
}

pub(crate) fn stream(card: CardId) -> String {
    format!("{STREAM}{card}")
}

impl Confirmations {
    /// What the holder of a card has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enrolled(&self, card: CardId) -> Result<Enrolled, StoreError> {
        let book = self.inner.parts.book.as_ref();
        Ok(book::fold(book, &stream(card), Enrolled::default(), Enrolled::apply).await?.0)
    }

    /// Enrols an authenticator app; a secret before it is void. Returns the secret, which nobody is told again.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn enrol_totp(
        &self,
        card: CardId,
        by: &str,
    ) -> Result<Zeroizing<[u8; totp::SECRET_LEN]>, BookError> {
        let mut secret = Zeroizing::new([0; totp::SECRET_LEN]);
        getrandom::fill(&mut *secret).map_err(|error| StoreError::Away(format!("no randomness: {error}")))?;
        let sealed = BASE64.encode(self.inner.parts.book.seal(&stream(card), &*secret)?);
        self.note(card, &FactorFact::TotpEnrolled { sealed, by: by.to_owned() }).await?;
        Ok(secret)
    }

    /// Takes an authenticator app away.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn remove_totp(&self, card: CardId, by: &str) -> Result<(), BookError> {
        self.note(card, &FactorFact::TotpRemoved { by: by.to_owned() }).await
    }

    async fn note(&self, card: CardId, fact: &FactorFact) -> Result<(), BookError> {
        let body = json(fact)?;
        let decide = |_: &Enrolled| Ok(Some((FACT.to_owned(), body.clone())));
        let book = self.inner.parts.book.as_ref();
        book::amend(book, &stream(card), self.now(), Enrolled::apply, decide).await.map(drop)
    }

    /// The step of the card's authenticator app whose code this is. Trouble with the book is no code: the code of a message
    /// still counts.
    pub async fn totp(&self, card: CardId, code: &str, now: Timestamp) -> Option<i64> {
        let found = self.secret(card).await;
        let secret = found
            .inspect_err(|error| tracing::warn!(%card, %error, "a second factor was not read"))
            .ok()
            .flatten()?;
        totp::accept(&secret, code, now, None)
    }

    async fn secret(&self, card: CardId) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let Some(sealed) = self.enrolled(card).await?.totp else { return Ok(None) };
        let sealed =
            BASE64.decode(sealed).map_err(|error| StoreError::Corrupt(format!("card {card}: {error}")))?;
        Ok(Some(Zeroizing::new(self.inner.parts.book.open(&stream(card), &sealed)?)))
    }
}
