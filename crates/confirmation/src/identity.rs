//! A one-time code that proves to the desk who calls: it goes to the number on file, the caller reads it out, and the desk types it.
//!
//! The digest that is kept binds the code to its case and card, so a code of another case is no answer here. How often may be
//! guessed, and that a code is used once, are the case's matter, which counts each answer before it is judged.

use model::{CardId, Timestamp};
use sms::{Kind, Order, SmsError};
use stepup::code;
use store::StoreError;
use zeroize::Zeroizing;

use crate::Confirmations;

/// What the digest is for.
const PURPOSE: &str = "pinward desk code 1";
/// A code is good for so long.
const VALID_MIN: i64 = 5;
const HOUR_MS: i64 = 3_600_000;

/// A code that was made and not sent yet.
pub struct IdentityCode {
    order: Order,
    digest: String,
    to: String,
    until: Timestamp,
    unchanged_h: u32,
}

impl IdentityCode {
    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Where it goes, with stars.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// Good until then.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// For so many hours the number has been this one.
    #[must_use]
    pub fn unchanged_h(&self) -> u32 {
        self.unchanged_h
    }
}

/// No code goes out.
#[derive(Debug, thiserror::Error)]
pub enum NoCode {
    /// Nobody knows where the holder is reached.
    #[error("there is no number on file")]
    NoContact,
    /// The number was changed a short time ago: what arrives there proves nothing.
    #[error("the number on file was changed a short time ago: a code to it proves nothing yet")]
    OnHold {
        /// When it ends.
        until: Timestamp,
    },
    /// The message was not sent.
    #[error(transparent)]
    NotSent(#[from] SmsError),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Confirmations {
    /// Makes a code for whoever calls about a card. It is to be written into the case first, and sent then.
    ///
    /// # Errors
    /// [`NoCode`].
    pub async fn identity_code(&self, card: CardId, case: u32) -> Result<IdentityCode, NoCode> {
        let contact = self.inner.parts.contacts.of(card).await?.ok_or(NoCode::NoContact)?;
        let now = self.now();
        if let Some(until) = contact.held_until(now) {
            return Err(NoCode::OnHold { until });
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| StoreError::Away(format!("no randomness: {e}")))?;
        let code = code::make(random);
        let digest = hex(&self.tag(card, case, &code));
        let unchanged_h = u32::try_from(now.since_ms(contact.since) / HOUR_MS).unwrap_or(u32::MAX);
        let to = contact.number.masked();
        let values = vec![("minutes", Zeroizing::new(VALID_MIN.to_string())), ("code", code)];
        let order = Order {
            to: contact.number,
            card: Some(card),
            kind: Kind::IdentityCode,
            language: contact.language,
            values,
        };
        Ok(IdentityCode { order, digest, to, until: now.plus_s(VALID_MIN * 60), unchanged_h })
    }

    /// Sends it.
    ///
    /// # Errors
    /// [`NoCode`]; nobody has the code then.
    pub async fn send_identity_code(&self, code: IdentityCode) -> Result<(), NoCode> {
        self.inner.parts.messages.send(code.order).await?;
        Ok(())
    }

    /// Is this the code of this case? Compared in constant time; spaces between its digits are passed over.
    #[must_use]
    pub fn is_identity_code(&self, card: CardId, case: u32, typed: &str, digest: &str) -> bool {
        let typed: Zeroizing<String> = Zeroizing::new(typed.split_whitespace().collect());
        let expected = unhex(digest);
        self.key().is_tag(PURPOSE, &[&card.0, &case.to_be_bytes(), typed.as_bytes()], &expected)
    }

    fn tag(&self, card: CardId, case: u32, code: &str) -> [u8; 16] {
        self.key().tag(PURPOSE, &[&card.0, &case.to_be_bytes(), code.as_bytes()])
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is no digest is nobody's.
fn unhex(text: &str) -> Vec<u8> {
    let pair = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map_while(pair).collect()
}
