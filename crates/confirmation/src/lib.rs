//! Cardholders confirm payments. When a payment was refused for want of a second proof, its code and a link go to the holder's
//! number; what the holder answers on the page is an entry of the card's journal, decided there and nowhere else. Beside it is
//! kept who has an authenticator app or a passkey.
//!
//! ```text
//! host: challenge is durable ──► told ──► message (code, link)
//! page: link ──► looked at ──► answered ──► Entry of the card ──► the next attempt at the till proceeds
//! ```
//!
//! A link says which card and which challenge, and carries a tag that only this store makes. It is worth nothing once the
//! challenge is answered, used up or too old, and then, as with a link that never was one, there is nothing to be seen.
//!
//! Knows no page and no message on the wire.

mod answer;
mod enrolment;
mod identity;
mod link;
mod passkeys;

use std::sync::Arc;

use model::{Amount, CardId, Currency, MaskedPan, Secret, TerminalId, Timestamp};
use passkey::ceremony::ChallengeKey;
use sms::{Contacts, Kind, Order, SmsService};
use stepup::{Challenge, CodeKey};
use store::{Book, BookError, Store, StoreError, book};
use zeroize::Zeroizing;

pub use answer::{Answer, NotAnswered};
pub use enrolment::Enrolled;
pub use identity::{IdentityCode, NoCode};
pub use passkeys::{ByPasskey, HolderPasskey, LABEL_MAX, NewPasskey, NotEnrolled, PASSKEYS_MAX};

/// The stream of the key of codes and links.
const KEY: &str = "step-up-key";

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What it is made of.
pub struct Parts {
    /// Where cards and their journal are.
    pub store: Store,
    /// Where enrolments and the key are.
    pub book: Arc<dyn Book>,
    /// Sends messages.
    pub messages: SmsService,
    /// How holders are reached.
    pub contacts: Contacts,
    /// The time.
    pub clock: Clock,
    /// Where holders reach the page, such as `https://confirm.bank.example`.
    pub page: String,
}

/// Asks holders, and takes their answers. Clones share one.
#[derive(Clone)]
pub struct Confirmations {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    key: CodeKey,
    challenges: ChallengeKey,
}

/// A challenge that was issued.
pub struct Told {
    /// The card.
    pub card: CardId,
    /// The card, for people.
    pub pan: MaskedPan,
    /// For how much.
    pub amount: Amount,
    /// The challenge.
    pub challenge: Challenge,
    /// Its code.
    pub code: Secret<String>,
}

/// What the holder is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The card, for people.
    pub pan: MaskedPan,
    /// Where.
    pub terminal: TerminalId,
    /// Whose terminal it is.
    pub merchant: String,
    /// For how much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// Until when it may be answered; `None` once it was.
    pub open_until: Option<Timestamp>,
    /// Until when the payment may be tried again; `None` until it is answered.
    pub passed_until: Option<Timestamp>,
    /// May a code be typed?
    pub by_code: bool,
    /// What a passkey is asked for, if the holder has one and the payment can be confirmed.
    pub by_passkey: Option<ByPasskey>,
}

/// There is nothing to be seen: one answer for a link that is wrong, too old, or of another store.
#[derive(Debug, thiserror::Error)]
pub enum NotSeen {
    /// Nothing here.
    #[error("there is nothing here")]
    Nothing,
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Confirmations {
    /// Opens it on a store; the key is made at the first opening.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn open(parts: Parts) -> Result<Self, BookError> {
        let mut fresh = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *fresh).map_err(|error| StoreError::Away(format!("no randomness: {error}")))?;
        let key = book::secret(parts.book.as_ref(), KEY, (parts.clock)(), &*fresh).await?;
        let key = CodeKey::new(&Zeroizing::new(key));
        getrandom::fill(&mut *fresh).map_err(|error| StoreError::Away(format!("no randomness: {error}")))?;
        let book = parts.book.as_ref();
        let secret = Zeroizing::new(book::secret(book, passkeys::KEY, (parts.clock)(), &*fresh).await?);
        let challenges = ChallengeKey::new(&secret);
        Ok(Self { inner: Arc::new(Inner { parts, key, challenges }) })
    }

    /// The key of codes' digests.
    #[must_use]
    pub fn key(&self) -> &CodeKey {
        &self.inner.key
    }

    fn now(&self) -> Timestamp {
        (self.inner.parts.clock)()
    }

    /// The address of the page for a challenge.
    #[must_use]
    pub fn link(&self, card: CardId, challenge: &Challenge) -> String {
        let token = link::make(self.key(), card, challenge.id);
        format!("{}/confirm/{token}", self.inner.parts.page)
    }

    /// Sends the holder the code and the link. A holder without a number, and one who got too many messages, gets none; the
    /// page is not reached then, and the till has said what is missing.
    pub async fn tell(&self, told: &Told) {
        if let Err(error) = self.try_to_tell(told).await {
            tracing::warn!(card = %told.card, %error, "a holder was not asked for a second proof");
        }
    }

    async fn try_to_tell(&self, told: &Told) -> Result<(), sms::SmsError> {
        let Some(contact) = self.inner.parts.contacts.of(told.card).await? else {
            tracing::info!(card = %told.card, "a second proof is wanted, and there is no number to ask at");
            return Ok(());
        };
        if contact.held_until(self.now()).is_some() {
            // Whoever has just got hold of the number on file would get the code.
            tracing::info!(card = %told.card, "a second proof is wanted, and the number on file was changed a short time ago");
            return Ok(());
        }
        let value = |text: String| Zeroizing::new(text);
        let mut values = vec![
            ("card", value(last_four(&told.pan))),
            ("amount", value(told.amount.to_string())),
            ("minutes", value((stepup::proofs::ANSWER_S / 60).to_string())),
            ("link", value(self.link(told.card, &told.challenge))),
        ];
        let kind = if told.challenge.code.is_some() {
            values.push(("code", value(told.code.reveal().clone())));
            Kind::StepUpCode
        } else {
            Kind::StepUpLink
        };
        let order =
            Order { to: contact.number, card: Some(told.card), kind, language: contact.language, values };
        self.inner.parts.messages.send(order).await.map(drop)
    }

    /// What a link leads to.
    ///
    /// # Errors
    /// [`NotSeen`].
    pub async fn look(&self, token: &str) -> Result<Asked, NotSeen> {
        let (id_of_card, id) = link::read(self.key(), token).ok_or(NotSeen::Nothing)?;
        let engine = self.inner.parts.store.engine();
        let card = engine.card(&id_of_card).await?.ok_or(NotSeen::Nothing)?;
        let now = self.now();
        let proofs = card.state.proofs.as_deref().ok_or(NotSeen::Nothing)?;
        let challenge = proofs.challenge.as_ref().filter(|challenge| challenge.id == id);
        let challenge = challenge.ok_or(NotSeen::Nothing)?;
        let (open, passed) = (challenge.is_open(now), challenge.is_passed(now));
        if !open && !passed {
            return Err(NotSeen::Nothing);
        }
        let by_passkey = if open { self.by_passkey(id_of_card, challenge).await? } else { None };
        let binding = challenge.binding;
        let terminal = engine.terminal(&binding.terminal).await?;
        Ok(Asked {
            pan: card.record.pan.clone(),
            terminal: binding.terminal,
            merchant: terminal.map(|t| t.record.merchant_name.clone()).unwrap_or_default(),
            amount: binding.amount,
            currency: binding.currency,
            open_until: open.then_some(challenge.until),
            passed_until: challenge.answered.filter(|_| passed).map(|answered| answered.until),
            by_code: proofs.may_guess(now),
            by_passkey,
        })
    }
}

/// The last digits of a number, which are not masked.
fn last_four(pan: &MaskedPan) -> String {
    let text = pan.to_string();
    text.chars().skip(text.chars().count().saturating_sub(4)).collect()
}
