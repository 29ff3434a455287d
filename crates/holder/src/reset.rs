//! A forgotten PIN: reset by staff, who never see or set one, and set anew by the holder.

use authorization::pin::{ActivationDigest, NotActive, activation};
use hsm::{NewPinRules, PinEntry, SetPin, SetPinRefused};
use model::{CardId, PinReference, PinRules, Timestamp};
use store::{Card, StoreError, WorkError};
use tracing::warn;

use crate::{
    Closed, HolderDesk,
    link::{self, Link, Purpose, Token},
    work::{NotWritten, PinWork, What},
};

const HOUR_MS: i64 = 3_600_000;
/// Who acts when the holder does, in the journal.
pub(crate) const HOLDER: &str = "cardholder";
/// How many digits of the card's number the holder types.
pub(crate) const TAIL_LEN: usize = 4;

/// A PIN was reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Where the link went, for people.
    pub to: String,
    /// It is good until then.
    pub until: Timestamp,
    /// Why the message was not sent, if it was not; the reset stands.
    pub not_sent: Option<String>,
}

/// A PIN was not reset.
#[derive(Debug, thiserror::Error)]
pub enum NotReset {
    /// No such card, or another issuer's.
    #[error("no such card")]
    NoCard,
    /// Nobody knows where the holder gets messages.
    #[error("nobody knows where the holder gets messages")]
    NoContact,
    /// The contact was changed a short time ago.
    #[error("the contact was changed a short time ago: no reset before the hold is over")]
    OnHold {
        /// When it ends.
        until: Timestamp,
    },
    /// The security module has no way to take a PIN from a page.
    #[error("this security module takes no PIN from a page")]
    Unsupported,
    /// The store's trouble.
    #[error("away: {0}")]
    Away(String),
}

/// The page on which a new PIN is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The fewest and the most digits.
    pub length: (u8, u8),
    /// The link is good until then.
    pub until: Timestamp,
    /// For the page's script.
    pub entry: PinEntry,
}

/// What the holder's page sent.
#[derive(Debug, Clone, Default)]
pub struct Entered {
    /// The last digits of the card's number.
    pub tail: String,
    /// Which entry, in hexadecimal digits.
    pub entry: String,
    /// The page's public key, the same way.
    pub key: String,
    /// The encrypted PIN, the same way.
    pub sealed: String,
}

/// The PIN was not set.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The neutral page, or something is away.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// Not the last digits of this card. Counted.
    #[error("not the digits of the card")]
    Digits,
    /// The PIN is not allowed. Counted.
    #[error("the PIN is not allowed")]
    Refused,
    /// What the page sent cannot be read: too old, or damaged on the way. Counted when it has the form of something.
    #[error("what was sent cannot be read")]
    Unreadable,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Closed::from(error).into()
    }
}

impl HolderDesk {
    /// Until when no reset goes to the holder's contact, because it was changed a short time ago; `None`: it may.
    ///
    /// # Errors
    /// [`NotReset`].
    pub async fn held_until(&self, card: &CardId) -> Result<Option<Timestamp>, NotReset> {
        let contact = self.parts.reach.contact(card).await.map_err(|e| NotReset::Away(e.to_string()))?;
        let contact = contact.ok_or(NotReset::NoContact)?;
        let hold = i64::from(self.parts.settings.contact_hold_h) * HOUR_MS;
        let until = contact.since.plus_ms(hold);
        Ok(Some(until).filter(|until| contact.changed && *until > self.now()))
    }

    /// Resets a PIN and sends the holder the link to set another. Who may ask for it, and that two did, is the caller's matter.
    ///
    /// # Errors
    /// [`NotReset`]; nothing was changed then.
    pub async fn reset_pin(&self, card: &CardId, actor: &str, why: &str) -> Result<Reset, NotReset> {
        if let Some(until) = self.held_until(card).await? {
            return Err(NotReset::OnHold { until });
        }
        let away = |error: &dyn std::fmt::Display| NotReset::Away(error.to_string());
        let contact =
            self.parts.reach.contact(card).await.map_err(|e| away(&e))?.ok_or(NotReset::NoContact)?;
        let known = self.card(card).await.map_err(|_| NotReset::NoCard)?;
        let hours = self.policy(&known).map_err(|_| NotReset::NoCard)?.activation_h;
        // Before anything dies: a module that cannot take the new PIN would leave a card without one.
        let entry = self.parts.module.open_pin_entry(card).await.map_err(|_| NotReset::Unsupported)?;
        let now = self.now();
        let until = now.plus_s(i64::from(hours) * 3600);
        let issued = link::issue(&*self.parts.book, *card, Purpose::Activation, until, now).await;
        let token = issued.map_err(|e| away(&e))?;
        self.write(card, What::Reset(ActivationDigest(token.digest())), actor, why).await.map_err(
            |error| match error {
                WorkError::UnknownSubject | WorkError::Decide(NotWritten::NotOurs) => NotReset::NoCard,
                other => away(&other),
            },
        )?;
        // The fragment is for the page's script and reaches no server: the module's key, by another way than the page.
        let address = format!("{}#k={}", self.address_of("/holder/pin", &token), hex::encode(&entry.signer));
        let tail = tail_of(&known);
        let sent = self.parts.reach.activation(card, &tail, &address, u32::from(hours) * 60).await;
        let not_sent = sent.err().map(|why| why.to_string());
        Ok(Reset { to: contact.masked, until, not_sent })
    }

    /// Opens the page of a link. A token that is nearly one of ours is counted.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn open(&self, token: &str) -> Result<Form, Closed> {
        let (link, card, _) = self.admitted(token).await?;
        let rules = self.policy(&card)?.rules;
        let entry = self.parts.module.open_pin_entry(&card.id).await;
        let entry = entry.map_err(|error| Closed::Away(error.to_string()))?;
        Ok(Form { length: (rules.length_min, rules.length_max), until: link.until, entry })
    }

    /// Sets the PIN that the holder entered, and uses the activation up.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn set_pin(&self, token: &str, entered: &Entered) -> Result<(), Trouble> {
        let (_, card, digest) = self.admitted(token).await?;
        let (Some(entry), Ok(key), Ok(sealed)) =
            (entry_id(&entered.entry), hex::decode(&entered.key), hex::decode(&entered.sealed))
        else {
            return Err(Trouble::Unreadable);
        };
        let attempt = What::Attempt(digest);
        self.write(&card.id, attempt, HOLDER, "attempt by one-time link").await.map_err(closed)?;
        let engine = self.parts.store.engine();
        let pan = engine.pan(&card.id).await?.ok_or(Closed::Neutral)?;
        let expected = pan.reveal().get(pan.reveal().len().saturating_sub(TAIL_LEN)..).unwrap_or_default();
        if entered.tail.trim() != expected {
            return Err(self.unless_last(&card.id, Trouble::Digits).await);
        }
        let (like, earlier) = self.references(&card)?;
        let holder = self.parts.reach.digits(&card.id).await;
        let rules = self.policy(&card)?.rules;
        let rules = NewPinRules { rules, holder: &holder, earlier: &earlier };
        let request =
            SetPin { card: card.id, pan: &pan, entry, key: &key, sealed: &sealed, rules, like: &like };
        let reference = match self.parts.module.set_pin(request).await {
            Ok(reference) => engine.seal_reference(&card.id, &reference)?,
            Err(SetPinRefused::NewPinRefused) => {
                return Err(self.unless_last(&card.id, Trouble::Refused).await);
            }
            Err(SetPinRefused::NoSuchEntry) => {
                return Err(self.unless_last(&card.id, Trouble::Unreadable).await);
            }
            Err(SetPinRefused::Unreadable(cause)) => {
                return Err(Closed::Away(format!("security module: {cause:?}")).into());
            }
        };
        self.write(&card.id, What::Activate(digest, reference), HOLDER, "new PIN by one-time link")
            .await
            .map_err(closed)?;
        if let Err(error) = self.parts.reach.changed(&card.id, &tail_of(&card)).await {
            warn!(%error, "the holder was not told of the new PIN");
        }
        Ok(())
    }

    /// The card of a token whose activation may be used now.
    async fn admitted(&self, token: &str) -> Result<(Link, std::sync::Arc<Card>, ActivationDigest), Closed> {
        let token = Token::sent(token).ok_or(Closed::Neutral)?;
        let found = link::find(&*self.parts.book, &token, Purpose::Activation).await?;
        let link = found.ok_or(Closed::Neutral)?;
        let card = self.card(&link.card).await?;
        let digest = ActivationDigest(token.digest());
        match activation(&card.state, &digest, self.now()) {
            Ok(()) => Ok((link, card, digest)),
            // An older link of the same card is no guess: its own token is right, its time is over.
            Err(NotActive::Wrong) if link.is_of(&token) => Err(Closed::Neutral),
            Err(NotActive::Wrong) => {
                self.count(&card.id).await?;
                Err(Closed::Neutral)
            }
            Err(NotActive::NotPending | NotActive::Expired | NotActive::UsedUp) => Err(Closed::Neutral),
        }
    }

    /// What an attempt that failed is told; after the last one the page is closed.
    async fn unless_last(&self, card: &CardId, trouble: Trouble) -> Trouble {
        let pending = self.card(card).await.ok().and_then(|card| {
            let reset = card.state.pin.as_deref().and_then(|pin| pin.reset.clone())?;
            (reset.failed < reset.tries).then_some(())
        });
        if pending.is_some() { trouble } else { Closed::Neutral.into() }
    }

    async fn count(&self, card: &CardId) -> Result<(), Closed> {
        self.write(card, What::Fail, HOLDER, "attempt by one-time link").await.map_err(closed)
    }

    /// A reference like the one to be made, and those of earlier PINs.
    fn references(&self, card: &Card) -> Result<(PinReference, Vec<PinReference>), Closed> {
        let engine = self.parts.store.engine();
        let sealed = card.state.pin.as_deref().map_or(&[][..], |pin| &pin.earlier);
        let open = |sealed| engine.open_reference(&card.id, sealed);
        let earlier: Vec<PinReference> =
            sealed.iter().take(usize::from(PinRules::HISTORY_MAX)).map(open).collect::<Result<_, _>>()?;
        let like = card.reference.as_deref().or(earlier.first()).cloned();
        Ok((like.ok_or_else(|| Closed::Away("the card never had a PIN".to_owned()))?, earlier))
    }

    async fn write(
        &self,
        card: &CardId,
        what: What,
        actor: &str,
        why: &str,
    ) -> Result<(), WorkError<NotWritten>> {
        let store = &self.parts.store;
        let products = &self.parts.products;
        let mut work = PinWork { what, engine: store.engine(), products, actor, why, now: self.now() };
        store.with_card(card, &mut work).await.map(drop)
    }
}

fn closed(error: WorkError<NotWritten>) -> Closed {
    match error {
        WorkError::UnknownSubject | WorkError::Decide(NotWritten::NotOurs | NotWritten::NotActive(_)) => {
            Closed::Neutral
        }
        other => Closed::Away(other.to_string()),
    }
}

pub(crate) fn entry_id(text: &str) -> Option<[u8; 16]> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).ok().map(|()| id)
}

/// The last digits of the masked number, for messages.
pub(crate) fn tail_of(card: &Card) -> String {
    let masked = card.record.pan.as_str();
    masked.get(masked.len().saturating_sub(TAIL_LEN)..).unwrap_or_default().to_owned()
}
